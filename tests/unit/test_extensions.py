"""Everything that users may write themselves, from scratch and in few lines each."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import siren_py as sp
from siren_py.constants import HBARC
from siren_py.geometry import Box, Intervals
from siren_py.processes.base import Decay, Interaction, Reaction, final_state
from siren_py.selection import Cut

SIGMA, ENERGY, MASS = 1e-38, 1.0, 0.1
CARBON = sp.Material.from_element("C", density=2.0)
ATOMS = sum(CARBON.number_densities.values())


class Ellipsoid:
    """A solid: half-axes along x, y, z."""

    def __init__(self, *half_axes):
        self.half = np.array(half_axes, dtype=float)

    def intervals(self, origins, directions):
        o, d = origins / self.half, directions / self.half
        a, b = (d * d).sum(axis=1), (o * d).sum(axis=1)
        room = b * b - a * ((o * o).sum(axis=1) - 1.0)
        hit = room > 0.0
        root = np.sqrt(room[hit])
        offsets = np.concatenate([[0], np.cumsum(hit)])
        return Intervals(offsets, (-b[hit] - root) / a[hit], (-b[hit] + root) / a[hit])

    def contains(self, points):
        return ((points / self.half) ** 2).sum(axis=1) < 1.0

    def volume(self):
        return float(4.0 / 3.0 * np.pi * self.half.prod())

    def bounds(self):
        return -self.half, self.half

    def sample(self, n, rng=None):
        rng = np.random.default_rng(rng)
        v = rng.normal(size=(n, 3))
        v *= (rng.random(n) ** (1 / 3) / np.linalg.norm(v, axis=1))[:, None]
        return v * self.half


class Triangle:
    """A flux that falls linearly from 2 GeV to 0 at 0 GeV."""

    pdg = 14
    integral = 3.0

    def density(self, energy):
        e = np.asarray(energy)
        return np.where((e > 0.0) & (e < 2.0), 3.0 * e / 2.0, 0.0)

    def sample(self, n, *, rng=None):
        return 2.0 * np.sqrt(np.random.default_rng(rng).random(n))


class Forward(Interaction):
    """nu A -> X A for a given X, straight on, with a constant cross section on carbon 12."""

    name = "forward"

    def __init__(self, out=5914, sigma=SIGMA, mass=MASS):
        self.out, self.sigma, self.mass = out, sigma, mass

    def reactions(self, nuclides):
        return [Reaction(n, "all") for n in nuclides]

    def threshold(self, target, part="all"):
        return self.mass

    def total(self, energy, target, part="all"):
        return np.full(np.shape(energy), self.sigma)

    def sample(self, energy, target, part, rng):
        zero = np.zeros_like(energy)
        p = np.stack([energy, zero, zero, np.sqrt(energy**2 - self.mass**2)], axis=-1)
        return final_state([self.out], p[:, None, :], weight=self.sigma)


class Into(Decay):
    """One particle becomes others that share its momentum evenly (they are no real particles)."""

    def __init__(self, products, length, channel, mass=MASS, energy=ENERGY):
        self.products, self.channels = products, (channel,)
        self.name = f"decay to {channel}"
        self._width = HBARC * np.sqrt(energy**2 - mass**2) / mass / length

    def width(self, channel=None):
        return self._width

    def sample(self, channel, momentum, polarization, pdg, rng):
        k = len(self.products)
        return final_state(self.products, np.repeat(momentum[:, None, :] / k, k, axis=1))


class Model:
    """Which process belongs to which particle."""

    def __init__(self, interactions, decays, masses, followed=()):
        self._interactions, self._decays = interactions, decays
        self.particle_masses, self.followed = masses, followed

    def interactions(self, pdg):
        return self._interactions.get(pdg, [])

    def decays(self, pdg):
        return self._decays.get(pdg, [])

    def to_dict(self):
        return {"name": "own"}


def simple_model(length=50.0):
    return Model({14: [Forward()]}, {5914: [Into([22, 22], length, "gamma gamma")]}, {5914: MASS})


def slab(region_at=30.0):
    detector = sp.DetectorModel("slab")
    detector.add("slab", Box(10.0, 10.0, 4.0), CARBON)
    detector.add_region("behind", Box(10.0, 10.0, 20.0), at=(0, 0, region_at))
    return detector


def line():
    return sp.Flux.monoenergetic(pdg=14, energy=ENERGY)


def slab_chance(length, start=20.0, end=40.0):
    """Chance to decay between `start` and `end`, averaged over vertices within -2 to 2 cm."""
    first, last = start - 2.0, start + 2.0
    survive = length * (np.exp(-first / length) - np.exp(-last / length)) / 4.0
    return survive * (1.0 - np.exp(-(end - start) / length))


@pytest.mark.parametrize("kind", [Ellipsoid, Triangle, Forward, Into, Model])
def test_extensions_are_short(kind):
    assert len(inspect.getsource(kind).splitlines()) < 40


# ------------------------------------------------------------------ one of each


@pytest.mark.parametrize("proposal", ["aimed", "forward"])
def test_solid(proposal):
    """All interactions in an ellipsoid of carbon, of which a quarter displaces nothing else."""
    detector = sp.DetectorModel("egg")
    detector.add("egg", Ellipsoid(8.0, 12.0, 20.0), CARBON, at=(3, 4, 5))
    detector.add_region("egg", Ellipsoid(4.0, 6.0, 20.0), at=(3, 4, 5))
    model = Model({14: [Forward()]}, {}, {})
    estimate = sp.Simulation(detector, line(), model, proposal=proposal).run(30_000, seed=1)
    value, error = estimate.expected()
    expected = SIGMA * ATOMS * 4.0 / 3.0 * np.pi * 4.0 * 6.0 * 20.0
    # Lines through points of the region, uniform matter: all weights are equal.
    assert abs(value - expected) < 3.5 * max(error, 1e-10 * expected)
    assert value == pytest.approx(expected, rel=0.03)


def test_flux_interaction_decay_and_model():
    sample = sp.Simulation(slab(), Triangle(), simple_model(), decay="gamma gamma").run(
        30_000, seed=2
    )
    # Decay length 50 cm at 1 GeV, in proportion to the momentum.
    e = (np.arange(20_000) + 0.5) / 10_000
    e = e[e > MASS]
    length = 50.0 * np.sqrt((e**2 - MASS**2) / (1.0 - MASS**2))
    expected = SIGMA * ATOMS * 400.0 * (1.5 * e * slab_chance(length)).sum() / 10_000
    estimate = sample.expected()
    assert estimate.error < 0.02 * expected
    assert abs(estimate.value - expected) < 3.5 * estimate.error
    assert sample.lookup["processes"] == ["forward", "decay to gamma gamma"]
    assert sample.names("channel")[0] == "gamma gamma"


def test_flux_that_leaves_its_range_is_noticed():
    class Liar(Triangle):
        energy_range = (0.5, 1.5)

    sim = sp.Simulation(slab(), Liar(), simple_model())
    with pytest.raises(sp.errors.ConfigError, match="energy_range"):
        sim.run(1000, seed=1)


def test_cut():
    def late(sample):
        return sample.vertices(1)[:, 2] > 30.0

    sample = sp.Simulation(slab(), line(), simple_model()).run(30_000, seed=3)
    share = slab_chance(50.0, 30.0) / slab_chance(50.0)
    for cut in (late, Cut("late", late)):
        kept = sample.expected(cut=cut)
        expected = SIGMA * ATOMS * 400.0 * slab_chance(50.0) * share
        assert abs(kept.value - expected) < 3.5 * kept.error


# ------------------------------------------------------------------ generations


def test_three_generations_of_decays():
    """N -> X + photon in the region, X -> Y Y, Y -> e+ e-: lengths as the exponentials say."""
    masses = {5914: MASS, 9000001: MASS / 4, 9000002: MASS / 16}
    lengths = {5914: 50.0, 9000001: 7.0, 9000002: 3.0}
    products = {5914: [9000001, 22], 9000001: [9000002, 9000002], 9000002: [11, -11]}
    names = {5914: "X gamma", 9000001: "Y Y", 9000002: "e e"}
    share = {5914: 1.0, 9000001: 0.5, 9000002: 0.25}
    decays = {
        pdg: [Into(products[pdg], lengths[pdg], names[pdg], masses[pdg], share[pdg] * ENERGY)]
        for pdg in masses
    }
    # Even shares of the four-momentum make the masses halve, which the widths must know.
    for pdg in masses:
        p = share[pdg] * np.sqrt(ENERGY**2 - MASS**2)
        decays[pdg][0]._width = HBARC * p / masses[pdg] / lengths[pdg]
    model = Model({14: [Forward()]}, decays, masses)
    sample = sp.Simulation(slab(), line(), model, decay="X gamma").run(20_000, seed=4)
    expected = SIGMA * ATOMS * 400.0 * slab_chance(50.0)
    assert abs(sample.expected().value - expected) < 3.5 * sample.expected().error
    table = sample.table()
    assert (table.vertex_counts == 5).all()
    z, w = table.vertices["z"].reshape(-1, 5), sample.weights
    n = sample.effective_size
    for later, earlier, length in ((2, 1, 7.0), (3, 2, 3.0), (4, 2, 3.0)):
        mean = np.average(z[:, later] - z[:, earlier], weights=w)
        assert abs(mean - length) < 4.0 * length / np.sqrt(n)
    # Links: every particle begins where its parent ended, and only electrons are left.
    pdg = table.particles["pdg"].reshape(len(table), -1)
    born = table.particles["vertex"].reshape(len(table), -1)
    end = table.particles["end_vertex"].reshape(len(table), -1)
    final = table.particles["status"].reshape(len(table), -1) == 1
    assert set(pdg[final].tolist()) == {22, 11, -11}
    assert (final == (end < 0)).all()
    time = table.vertices["time"].reshape(-1, 5)
    rows = np.arange(len(table))[:, None]
    inner = (born >= 0) & (end >= 0)
    assert (time[rows, end] > time[rows, born])[inner].all()


def test_secondary_that_interacts_in_matter():
    """N -> X in the region; X crosses a wall and is absorbed there with a known probability."""
    detector = slab()
    thickness, sigma = 25.0, 4e-25
    detector.add("wall", Box(10.0, 10.0, thickness), CARBON, at=(0, 0, 100.0))
    masses = {5914: MASS, 9000001: MASS / 2}

    class Absorption(Forward):
        name = "absorption"

        def sample(self, energy, target, part, rng):
            state = super().sample(energy, target, part, rng)
            return state._replace(pdg=np.full((energy.size, 1), 22))

    model = Model(
        {14: [Forward()], 9000001: [Absorption(9000001, sigma, MASS / 2)]},
        {5914: [Into([9000001, 9000001], 50.0, "X X")]},
        masses,
    )
    sample = sp.Simulation(detector, line(), model, decay="X X").run(20_000, seed=5)
    table, w = sample.table(), sample.weights
    # N comes from the slab or, rarely, not at all from the wall, which lies downstream.
    assert set(sample.names("volume")) == {"slab"}
    chance = -np.expm1(-ATOMS * sigma * thickness)
    absorbed = table.vertex_counts - 2
    assert absorbed.max() <= 2
    error = np.sqrt(2.0 * chance * (1.0 - chance) / sample.effective_size)
    assert abs(np.average(absorbed, weights=w) - 2.0 * chance) < 4.0 * error
    names = np.array(sample.lookup["processes"])[table.vertices["process"]]
    z = table.vertices["z"][names == "absorption"]
    assert z.min() >= 87.5 - 1e-9
    assert z.max() <= 112.5 + 1e-9
    event = np.repeat(np.arange(len(table)), table.vertex_counts)[names == "absorption"]
    free = 1.0 / (ATOMS * sigma)
    # Mean depth of an exponential that is cut off at the end of the wall.
    mean = free - thickness * (1.0 - chance) / chance
    depth = np.average(z - 87.5, weights=w[event])
    assert abs(depth - mean) < 4.0 * thickness / np.sqrt(12.0 * event.size)


def test_particles_of_the_standard_model_can_be_followed():
    """A photon of the decay is only followed where the model says so."""
    model = simple_model()
    for followed, most in (((), 2), ((22,), 4)):
        detector = slab()
        detector.add("wall", Box(10.0, 10.0, 25.0), CARBON, at=(0, 0, 100.0))
        conversion = Forward(11, 1e-22, 1e-3)
        conversion.name = "conversion"
        own = Model(
            {**model._interactions, 22: [conversion]}, model._decays, {5914: MASS}, followed
        )
        sample = sp.Simulation(detector, line(), own).run(500, seed=1)
        # The wall is opaque: both photons convert.
        assert (sample.table().vertex_counts == most).all()


def test_chain_without_end_is_an_error():
    model = Model(
        {14: [Forward()]},
        {
            5914: [Into([9000001], 50.0, "X")],
            9000001: [Into([9000001], 1e-3, "X again", MASS)],
        },
        {5914: MASS, 9000001: MASS},
    )
    with pytest.raises(sp.errors.ConfigError, match="generations"):
        sp.Simulation(slab(), line(), model, decay="X").run(100, seed=1)


def test_channel_of_a_later_particle_alone_is_an_error():
    """Only a particle that leaves the first vertex can be placed in the region."""
    model = Model(
        {14: [Forward()]},
        {5914: [Into([9000001], 50.0, "X")], 9000001: [Into([22], 3.0, "late")]},
        {5914: MASS, 9000001: MASS},
    )
    with pytest.raises(sp.errors.ConfigError, match="late"):
        sp.Simulation(slab(), line(), model, decay="late")
