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


def chances(process, nuclides=("C12", "Fe56"), energies=(0.1, 2.0), rates=None):
    flux = sp.Flux.from_histogram(pdg=14, edges=energies, values=[1e-8], name="flat")
    reactions = Reactions.bind([process], list(nuclides), *energies)
    cells = EnergyCells.of(flux, 0.2)
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    signal = Signal.of(model, "nu gamma")
    assert 5914 in signal.masses
    if rates is None:
        rates = np.ones((cells.mass.size, len(reactions)))
    return angles.angle_chances(reactions, cells, rates, signal)


def test_each_reaction_has_the_class_that_it_throws_to():
    found = chances(Thrown({"C12": 0.01, "Fe56": 0.7}))
    np.testing.assert_allclose(found, np.eye(CLASSES)[[0, 2]], rtol=1e-14)


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0, 0.0])
def test_events_that_cannot_count_leave_what_was_believed(weight):
    # The error belongs to the run, where the event can be named.
    found = chances(Thrown({"C12": 0.01, "Fe56": 0.7}, weight))
    np.testing.assert_allclose(found, np.tile([0.4, 0.25, 0.2, 0.15], (2, 1)), rtol=1e-14)


def test_reactions_that_never_happen_are_not_tried():
    process = Thrown({"C12": 0.01, "Fe56": 0.7})
    rates = np.zeros((EnergyCells.of(_flat(), 0.2).mass.size, 2))
    rates[:, 1] = 1.0
    found = chances(process, rates=rates)
    np.testing.assert_allclose(found[0], [0.4, 0.25, 0.2, 0.15], rtol=1e-14)
    assert found[1, 2] == 1.0
    assert np.isfinite(chances(process, rates=np.zeros_like(rates))).all()


def _flat():
    return sp.Flux.from_histogram(pdg=14, edges=[0.1, 2.0], values=[1e-8], name="flat")


def test_what_follows_the_neutrino_is_in_the_first_class():
    reactions = Reactions.bind([Thrown({"C12": 0.7})], ["C12"], 0.1, 2.0)
    cells = EnergyCells.of(_flat(), 0.2)
    signal = Signal({}, {}, {}, ())
    found = angles.angle_chances(reactions, cells, np.ones((cells.mass.size, 1)), signal)
    assert found.tolist() == [[1.0, 0.0, 0.0, 0.0]]


def test_chances_are_those_of_the_events():
    """Of upscattering on carbon, against the angles of many events of the same flux."""
    flux, model = _flat(), sp.DipolePortal(mass=0.1, d_mu=1e-6)
    detector = sp.DetectorModel("block")
    detector.add("block", Box(100.0, 100.0, 100.0), SCINTILLATOR)
    detector.add_region("block", Box(100.0, 100.0, 100.0))
    simulation = sp.Simulation(detector, flux, model, decay="nu gamma", region="block")
    injector = simulation.injector
    reactions = injector.reactions[0]
    wanted = np.zeros(CLASSES)
    r = [i for i in range(len(reactions)) if reactions.parts[reactions.part[i]] == "coherent"]
    carbon = next(i for i in r if injector.matter.nuclides[reactions.nuclide[i]] == "C12")
    rng = np.random.default_rng(5)
    energy = rng.uniform(0.11, 2.0, 40_000)
    state = reactions.processes[0].sample(np.full(energy.size, carbon), energy, rng)
    cosine = state.momenta[:, 0, 3] / np.linalg.norm(state.momenta[:, 0, 1:], axis=1)
    np.add.at(wanted, angles.class_of(cosine), state.weight)
    wanted /= wanted.sum()
    # A hundred trials know it to five per cent.
    assert np.abs(injector.angles[0][carbon] - wanted).max() < 0.2


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
