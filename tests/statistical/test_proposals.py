"""Different ways to draw the same events: the rates must not depend on them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

import siren_py as sp
from siren_py.geometry import Box, Cylinder, Sphere
from siren_py.processes.base import final_state

CARBON = sp.Material.from_element("C", density=2.0)
LEAD = sp.Material.from_element("Pb", density=11.35)
GAS = sp.Material.from_element("Ar", density=1.7e-3)


def pull(first, second):
    return (first.value - second.value) / np.hypot(first.error, second.error)


def wide(toy):
    """Toy production with polar angles: density of cos(theta) proportional to its fourth power."""

    class Wide(toy.Straight):
        def direction(self, n, rng):
            cosine = rng.random(n) ** 0.2
            sine, phi = np.sqrt(1.0 - cosine**2), 2.0 * np.pi * rng.random(n)
            return np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)

        def sample(self, energy, target, part, rng):
            p = np.sqrt(energy**2 - self.mass**2)[:, None] * self.direction(energy.size, rng)
            return final_state([5914], np.column_stack([energy, p])[:, None, :], weight=toy.sigma)

    return Wide()


def slab_detector(target, tilted=False):
    detector = sp.DetectorModel("slab")
    detector.add("slab", Box(80.0, 60.0, target), LEAD)
    detector.add_region("disc", Cylinder(radius=40.0, length=20.0), at=(30.0, 10.0, 60.0))
    detector.add_region("box", Box(30.0, 40.0, 50.0), at=(-20.0, 15.0, 45.0))
    detector.add_region("both", ["disc", "box"])
    if tilted:
        detector.set_beam((0.3, -0.2, 1.0))
    return detector


def disc_crossing(origin, direction):
    """Entry and exit of the disc by the planes and the circle, one after the other."""
    local = origin - [30.0, 10.0, 60.0]
    a = (direction[:, :2] ** 2).sum(axis=1)
    b = (local[:, :2] * direction[:, :2]).sum(axis=1)
    c = (local[:, :2] ** 2).sum(axis=1) - 40.0**2
    room = b**2 - a * c
    root = np.sqrt(np.maximum(room, 0.0))
    ends = (np.array([[-10.0], [10.0]]) - local[:, 2]) / direction[:, 2]
    first = np.maximum((-b - root) / a, ends.min(axis=0))
    last = np.minimum((-b + root) / a, ends.max(axis=0))
    return first, np.where(room > 0.0, last, first)


def box_crossing(origin, direction):
    low = np.array([-35.0, -5.0, 20.0])
    high = np.array([-5.0, 35.0, 70.0])
    near, far = (low - origin) / direction, (high - origin) / direction
    return np.minimum(near, far).max(axis=1), np.maximum(near, far).min(axis=1)


@pytest.mark.parametrize("tilted", [False, True])
@pytest.mark.parametrize("thickness", [0.01, 30.0])
@pytest.mark.parametrize("length", [3.0, 60.0, 1e6])
def test_rate_by_integration_over_vertex_and_angle(toy, thickness, length, tilted):
    """The other way round: vertex in the target and angles first, then the way ahead."""
    u = qmc.Sobol(5, rng=np.random.default_rng(1)).random_base2(18)
    vertex = (u[:, :3] - 0.5) * [80.0, 60.0, thickness]
    cosine = u[:, 3] ** 0.2
    sine, phi = np.sqrt(1.0 - cosine**2), 2.0 * np.pi * u[:, 4]
    beam = np.array([0.3, -0.2, 1.0] if tilted else [0.0, 0.0, 1.0])
    beam /= np.linalg.norm(beam)
    side = np.cross(beam, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    up = np.cross(beam, side)
    direction = (
        cosine[:, None] * beam
        + (sine * np.cos(phi))[:, None] * side
        + (sine * np.sin(phi))[:, None] * up
    )
    number = sum(LEAD.number_densities.values()) * 80.0 * 60.0 * thickness
    detector = slab_detector(thickness, tilted)
    for region, crossing in (("disc", disc_crossing), ("box", box_crossing)):
        first, last = crossing(vertex, direction)
        first = np.maximum(first, 0.0)
        hit = last > first
        chance = np.where(
            hit, np.exp(-first / length) * -np.expm1(-np.maximum(last - first, 0.0) / length), 0.0
        )
        halves = chance.reshape(2, -1).mean(axis=1)
        expected = toy.sigma * number * chance.mean()
        error = toy.sigma * number * abs(halves[0] - halves[1]) / 2.0
        assert error < 3e-3 * expected
        simulation = toy.simulate(detector, length, region, interaction=wide(toy))
        estimate = simulation.run(60_000, seed=8).expected()
        assert estimate.value == pytest.approx(expected, rel=0.02)
        assert abs(estimate.value - expected) < 3.5 * np.hypot(estimate.error, error)


@pytest.mark.parametrize("length", [3.0, 60.0, 1e6, None])
@pytest.mark.parametrize("region", ["disc", "box", "both"])
def test_toy_rate_is_the_same_forward(toy, length, region):
    detector = slab_detector(30.0, tilted=True)
    detector.add_region("inner", Sphere(20.0), at=(10.0, 0.0, 10.0))
    detector.add_region("all", [region, "inner"])
    runs = [
        toy.simulate(detector, length, "all", proposal, wide(toy)).run(60_000, seed=9)
        for proposal in ("aimed", "forward")
    ]
    assert abs(pull(runs[0].expected(), runs[1].expected())) < 3.5
    parts = [run.by("region") for run in runs]
    for name in parts[0]:
        assert abs(pull(parts[0][name], parts[1][name])) < 3.5


@pytest.fixture(scope="module")
def nd280():
    return sp.load_detector("nd280")


def numu(**options):
    return sp.load_flux("t2k-nd280", **{"mode": "fhc", "flavor": "numu", **options})


@pytest.mark.parametrize(
    ("mass", "d_mu", "region", "precision"),
    [(0.3, 1e-6, "fgd1", 0.02), (0.5, 3e-6, "tpc", 0.10), (0.1, 3.87e-7, "tpc", 0.15)],
)
def test_nd280_rate_is_the_same_forward(nd280, mass, d_mu, region, precision):
    """Lines of sight first are a poor way into a TPC: few events see it, the error is honest."""
    model = sp.DipolePortal(mass=mass, d_mu=d_mu)
    rates = [
        sp.Simulation(
            nd280, numu(), model, decay="nu e+ e-", region=region, proposal=proposal
        ).run(n, seed=5, workers=2).expected()
        for proposal, n in (("aimed", 50_000), ("forward", 200_000))
    ]  # fmt: skip
    assert rates[1].error < precision * rates[1].value
    assert abs(pull(*rates)) < 3.5


def test_regions_pooled_give_the_rates_of_each(nd280):
    model = sp.DipolePortal(mass=0.3, d_mu=1e-6)
    alone = {}
    for region in ("tpc1", "tpc2", "tpc"):
        simulation = sp.Simulation(nd280, numu(), model, decay="nu gamma", region=region)
        alone[region] = simulation.run(30_000, seed=6)
    pooled = sp.combine([alone["tpc1"], alone["tpc2"], alone["tpc"]])
    assert pooled.n_attempts == 90_000
    rates = pooled.by("region")
    for region in ("tpc1", "tpc2"):
        single = alone[region].expected()
        assert abs(pull(rates[region], single)) < 3.5
        # The run of one region alone is nearly free of noise. A third of that of all is in this
        # one, by chance: 30,000 and 10,000 +- sqrt(30,000 x 1/3 x 2/3) of even weights.
        chance = rates[region].value * np.sqrt(2.0 / 9.0 * 30_000) / 40_000
        assert rates[region].error < 1.1 * np.hypot(chance, single.error)
    assert abs(pull(pooled.expected(), alone["tpc"].expected())) < 3.5
    assert abs(pull(rates["tpc3"], alone["tpc"].by("region")["tpc3"])) < 3.5


def test_interactions_in_several_regions_pooled(toy):
    """Also without decays, where the vertex itself has to be in the region."""
    detector = slab_detector(30.0)
    detector.add_region("left", Box(40.0, 60.0, 30.0), at=(-20.0, 0.0, 0.0))
    detector.add_region("middle", Box(30.0, 60.0, 30.0))
    detector.add_region("slab", ["left", "middle"])
    number = sum(LEAD.number_densities.values())
    runs = [toy.simulate(detector, None, r).run(20_000, seed=2) for r in ("left", "slab")]
    pooled = sp.combine(runs)
    expected = toy.sigma * number * 30.0 * 60.0 * 55.0
    assert abs(pooled.expected().value - expected) < 3.5 * pooled.expected().error
    assert runs[1].expected().value == pytest.approx(expected, rel=0.01)


def test_seeds_pooled_are_one_long_run(toy):
    simulation = toy.simulate(slab_detector(30.0), 60.0, "disc", interaction=wide(toy))
    runs = [simulation.run(n, seed=s) for n, s in ((10_000, 1), (30_000, 2))]
    pooled = sp.combine(runs).expected()
    mean = (runs[0].expected().value + 3.0 * runs[1].expected().value) / 4.0
    assert pooled.value == pytest.approx(mean, rel=1e-12)


def test_neutrinos_and_antineutrinos_add_up(nd280):
    model = sp.DipolePortal(mass=0.2, d_mu=1e-6)
    fluxes = [numu(), numu(flavor="numubar"), numu(mode="rhc")]
    single = [
        sp.Simulation(nd280, f, model, decay="nu e+ e-", region="fgd1").run(30_000, seed=3)
        for f in fluxes
    ]
    together = sp.Simulation(nd280, fluxes, model, decay="nu e+ e-", region="fgd1").run(
        60_000, seed=4
    )
    by_flux = together.by("flux")
    assert len(by_flux) == 3
    for flux, run in zip(fluxes, single, strict=True):
        assert abs(pull(by_flux[f"t2k-nd280:{flux.mode}:{flux.flavor}"], run.expected())) < 3.5
    added = sp.combine(single)
    assert added.expected().value == pytest.approx(
        sum(s.expected().value for s in single), rel=1e-12
    )
    assert abs(pull(added.expected(), together.expected())) < 3.5
    # The exposures of the beam modes are separate.
    pot = {"fhc": 2.0, "rhc": 5.0}
    expected = sum(pot[f.mode] * s.expected().value for f, s in zip(fluxes, single, strict=True))
    assert added.expected(pot).value == pytest.approx(expected, rel=1e-12)


class Native:
    """The flux of a histogram, handed over as a user's own class."""

    def __init__(self, flux):
        self._flux = flux
        self.pdg, self.integral, self.name = flux.pdg, flux.integral, "native"
        self.energy_range = flux.energy_range

    def density(self, energy):
        return self._flux.density(energy)

    def sample(self, n, *, rng=None):
        return self._flux.sample(n, rng=rng)


def test_histogram_and_own_flux_of_the_same_shape(nd280):
    model = sp.DipolePortal(mass=0.25, d_mu=1e-6)
    rates = [
        sp.Simulation(nd280, flux, model, decay="nu e+ e-", region="fgd1")
        .run(60_000, seed=7)
        .by("target_part")
        for flux in (numu(), Native(numu()))
    ]
    for part, rate in rates[0].items():
        assert abs(pull(rate, rates[1][part])) < 3.5


def test_a_line_is_the_limit_of_a_narrow_bin():
    detector = slab_detector(30.0)
    model = sp.DipolePortal(mass=0.1, d_mu=1e-5)
    line = sp.Flux.monoenergetic(pdg=14, energy=0.8, fluence=2.0)
    width = 1e-4
    narrow = sp.Flux.from_histogram(
        pdg=14, edges=[0.8 - width, 0.8 + width], values=[2.0 / (2 * width)]
    )
    rates = [
        sp.Simulation(detector, f, model, region="both").run(40_000, seed=s).expected()
        for s, f in enumerate((line, narrow))
    ]
    assert rates[0].error < 0.02 * rates[0].value
    assert abs(pull(*rates)) < 3.5


def test_thresholds_inside_a_bin_lose_nothing():
    """One wide bin that begins below threshold, and the same cut in many bins."""
    detector = slab_detector(30.0)
    model = sp.DipolePortal(mass=0.4, d_mu=1e-6)
    edges = np.linspace(0.0, 1.2, 49)
    rates = []
    for seed, cuts in enumerate((edges[[0, -1]], edges)):
        flux = sp.Flux.from_histogram(pdg=14, edges=cuts, values=np.full(len(cuts) - 1, 1e-8))
        simulation = sp.Simulation(detector, flux, model, region="both")
        rates.append(simulation.run(40_000, seed=seed).expected())
    assert abs(pull(*rates)) < 3.5
