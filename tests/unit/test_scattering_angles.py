"""Classes of angles, and how often each reaction uses them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import siren_py as sp
from siren_py.geometry import Box
from siren_py.injection import scattering_angles as angles
from siren_py.injection.energy import EnergyCells
from siren_py.injection.reactions import Reactions
from siren_py.injection.signal import Signal
from siren_py.material_library import IRON, SCINTILLATOR
from siren_py.models import Model
from siren_py.processes.base import FinalState, Reaction

CLASSES = len(angles.ANGLES) + 1


def test_classes_follow_one_another_and_fill_the_sphere():
    bounds = angles.class_bounds()
    assert bounds[0][0] == 0.0
    assert bounds[-1][1] == np.pi
    for (_, end), (begin, _) in pairwise(bounds):
        assert begin == end
    for number, (low, high) in enumerate(bounds):
        inside = np.linspace(low, high, 7)[1:-1]
        assert (angles.class_of(np.cos(inside)) == number).all()
    assert angles.class_of(np.array([1.0, -1.0])).tolist() == [0, CLASSES - 1]


class Thrown:
    """Sends N at a fixed angle, which depends on the target; each event has the weight given."""

    name = "thrown"

    def __init__(self, angle_of, weight=1e-40):
        self.angle_of, self.weight = angle_of, weight

    def reactions(self, nuclides):
        return [Reaction(n, "coherent") for n in nuclides if n in self.angle_of]

    def threshold(self, nuclide, part):
        return 0.2

    def bind(self, reactions, energy_min, energy_max):
        return BoundThrown(self, reactions)


class BoundThrown:
    def __init__(self, interaction, reactions):
        self.interaction = interaction
        self.thresholds = np.full(len(reactions), 0.2)
        self.angle = np.array([interaction.angle_of[r.nuclide] for r in reactions])

    def total(self, reaction, energy):
        assert (energy > 0.2).all()
        return np.full(len(energy), 1e-40)

    def sample(self, reaction, energy, rng):
        assert (energy > 0.2).all()
        n, theta, p = len(energy), self.angle[reaction], np.sqrt(energy**2 - 0.01)
        nothing = np.zeros(n)
        n_momentum = np.stack([energy, p * np.sin(theta), nothing, p * np.cos(theta)], axis=1)
        pdg = np.full((n, 1), 5914)
        weight = np.broadcast_to(np.asarray(self.interaction.weight, float), (n,))
        return FinalState(pdg, n_momentum[:, None], np.zeros((n, 1, 3)), weight, {})


def _flat():
    return sp.Flux.from_histogram(pdg=14, edges=[0.1, 2.0], values=[1e-8], name="flat")


def chances(process, rates=None):
    """Chances of all cells, (K, R, C), for carbon and iron."""
    reactions = Reactions.bind([process], ["C12", "Fe56"], 0.1, 2.0)
    cells = EnergyCells.of(_flat(), 0.2)
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    signal = Signal.of(model, "nu gamma")
    assert 5914 in signal.masses
    if rates is None:
        rates = np.ones((cells.mass.size, len(reactions)))
    return angles.angle_chances(reactions, cells, rates, signal)


def test_each_reaction_has_the_class_that_it_throws_to():
    found = chances(Thrown({"C12": 0.01, "Fe56": 0.7}))
    assert len(found) > 10
    np.testing.assert_allclose(found, np.tile(np.eye(CLASSES)[[0, 2]], (len(found), 1, 1)))


def test_energies_differ():
    """Slow particles fly to the side, fast ones forwards."""

    class Slow(Thrown):
        def bind(self, reactions, energy_min, energy_max):
            return BoundSlow(self, reactions)

    class BoundSlow(BoundThrown):
        def sample(self, reaction, energy, rng):
            state = super().sample(reaction, energy, rng)
            turned = state.momenta.copy()
            turned[energy < 0.5] = state.momenta[energy < 0.5][:, :, [0, 3, 2, 1]]
            return state._replace(momenta=turned)

    found = chances(Slow({"C12": 0.0, "Fe56": 0.0}))[:, 0]
    cells = EnergyCells.of(_flat(), 0.2)
    assert (found[cells.high < 0.3, 3] == 1.0).all()
    assert (found[cells.low > 0.8, 0] == 1.0).all()


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0, 0.0])
def test_events_that_cannot_count_leave_what_was_believed(weight):
    # The error belongs to the run, where the event can be named.
    found = chances(Thrown({"C12": 0.01, "Fe56": 0.7}, weight))
    np.testing.assert_allclose(found, np.broadcast_to(angles.BELIEVED, found.shape))


def test_reactions_that_never_happen_are_not_tried():
    process = Thrown({"C12": 0.01, "Fe56": 0.7})
    rates = np.zeros((EnergyCells.of(_flat(), 0.2).mass.size, 2))
    rates[:, 1] = 1.0
    found = chances(process, rates)
    np.testing.assert_allclose(found[:, 0], np.broadcast_to(angles.BELIEVED, found[:, 0].shape))
    assert (found[:, 1, 2] == 1.0).all()
    found = chances(process, np.zeros_like(rates))
    np.testing.assert_allclose(found, np.broadcast_to(angles.BELIEVED, found.shape))


def test_what_follows_the_neutrino_is_in_the_first_class():
    reactions = Reactions.bind([Thrown({"C12": 0.7})], ["C12"], 0.1, 2.0)
    cells = EnergyCells.of(_flat(), 0.2)
    signal = Signal({}, {}, {}, ())
    found = angles.angle_chances(reactions, cells, np.ones((cells.mass.size, 1)), signal)
    assert (found == [1.0, 0.0, 0.0, 0.0]).all()
    assert found.shape == (cells.mass.size, 1, CLASSES)


def test_chances_are_those_of_the_events():
    """Of upscattering on carbon, against the angles of many events, at low and high energies."""
    flux, model = _flat(), sp.DipolePortal(mass=0.1, d_mu=1e-6)
    detector = sp.DetectorModel("block")
    detector.add("block", Box(100.0, 100.0, 100.0), SCINTILLATOR)
    detector.add_region("block", Box(100.0, 100.0, 100.0))
    simulation = sp.Simulation(detector, flux, model, decay="nu gamma", region="block")
    injector = simulation.injector
    reactions = injector.reactions[0]
    r = [i for i in range(len(reactions)) if reactions.parts[reactions.part[i]] == "coherent"]
    carbon = next(i for i in r if injector.matter.nuclides[reactions.nuclide[i]] == "C12")
    cells, rates, _ = injector.bare_rates()[0]
    rng = np.random.default_rng(5)
    for low, high in ((0.15, 0.3), (1.0, 2.0)):
        energy = rng.uniform(low, high, 40_000)
        state = reactions.processes[0].sample(np.full(energy.size, carbon), energy, rng)
        cosine = state.momenta[:, 0, 3] / np.linalg.norm(state.momenta[:, 0, 1:], axis=1)
        wanted = np.bincount(angles.class_of(cosine), state.weight, minlength=CLASSES)
        mine = (cells.low >= low) & (cells.high <= high)
        got = rates[mine, carbon] @ injector.angles[0][mine, carbon]
        # A few dozen trials know it to a tenth.
        assert np.abs(got / got.sum() - wanted / wanted.sum()).max() < 0.25
        assert (wanted / wanted.sum()).argmax() == (1 if low < 0.5 else 0)


def test_targets_that_only_other_angles_meet_are_drawn_seldom():
    """Iron above the flight of all particles must not be drawn as if they flew everywhere."""
    detector = sp.DetectorModel("under iron")
    detector.add("iron", Box(2000.0, 300.0, 2000.0), IRON, at=(0.0, 400.0, 0.0))
    detector.add("plate", Box(200.0, 200.0, 5.0), SCINTILLATOR, at=(0.0, 0.0, -300.0))
    detector.add_region("gas", Box(200.0, 200.0, 200.0))
    forwards = Thrown({"C12": 0.0, "Fe56": 0.0})
    portal = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    model = Model({14: [forwards]}, {5914: portal.decays(5914)}, {5914: 0.1})
    simulation = sp.Simulation(detector, _flat(), model, decay="nu gamma", region="gas")
    sample = simulation.run(4000, seed=1, progress=False)
    assert sample.effective_size > 0.8 * 4000
