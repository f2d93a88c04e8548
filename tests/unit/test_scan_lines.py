"""Scans with lines: sums over lines, honest errors, and what lines cannot know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import siren_py as sp
from siren_py.geometry import Box, LayerStack
from siren_py.geometry.arrays import make_scratch
from siren_py.injection.aimed import line_sums
from siren_py.injection.line_intervals import new_intervals
from siren_py.injection.line_proposal import PURPOSES, LineMaker
from siren_py.injection.line_rates import Point, line_rates, new_totals
from siren_py.injection.surroundings import every_line
from siren_py.rng import stream
from siren_py.runs.chunks import CHUNK_SIZE
from siren_py.scan import LineRequest, Scan, scan

POT = {"fhc": 1e20, "rhc": 1e19}
COUPLINGS = np.geomspace(1e-7, 1e-4, 7)
REGIONS = ("box", "half", "far")


def dipole(mass, coupling):
    return sp.DipolePortal(mass=mass, d_mu=coupling)


@pytest.fixture(scope="module")
def detector():
    """Plates in front of and in two regions that overlap, and a region far away in nothing."""
    model = sp.DetectorModel("bench")
    lead = sp.Material.from_element("Pb", density=11.35)
    air = sp.Material.from_element("N", density=1.2e-3)
    model.add("iron", Box(50.0, 50.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    model.add_stack("plates", LayerStack(50.0, 50.0, [(0.2, lead), (0.8, air)], repeat=10),
                    at=(0, 0, 16))  # fmt: skip
    model.add("gas", Box(50.0, 50.0, 30.0), sp.Material.from_element("Ar", density=1.7e-3),
              at=(0, 0, 46))  # fmt: skip
    model.add("foil", Box(50.0, 50.0, 0.01), sp.Material.from_element("C", density=1.5),
              at=(0, 0, 46))  # fmt: skip
    model.add_region("box", Box(40.0, 40.0, 20.0), at=(0, 0, 50))
    model.add_region("half", Box(20.0, 40.0, 50.0), at=(10, 0, 35))
    model.add_region("far", Box(40.0, 40.0, 20.0), at=(0, 0, 5000))
    return model


@pytest.fixture(scope="module")
def fluxes():
    return [
        sp.Flux.from_histogram(pdg=14, edges=[0.3, 2.0], values=[1e-8], name="a", mode="fhc"),
        sp.Flux.from_histogram(pdg=-14, edges=[0.3, 2.0], values=[5e-9], name="b", mode="rhc"),
    ]


@pytest.fixture(scope="module")
def sim(detector, fluxes):
    return sp.Simulation(detector, fluxes, dipole(0.1, 1e-6), decay="nu e+ e-", region="box")


def rate(sim, model, region, n=20_000):
    own = sp.Simulation(sim.detector, sim.fluxes, model, decay=sim.decay, region=region)
    return own.run(n, seed=5, progress=False).expected(pot=POT)


@pytest.mark.parametrize("length", [0.0, 1e-3, 0.3, 7.0, 200.0, 1e6])
def test_sums_over_regions_are_those_of_each(sim, length):
    """Every line alone, in all regions at once, against the sweep of a single region."""
    maker = LineMaker(sim.injector, REGIONS)
    proposal = maker.mixture(np.array([1e-6, 1e-3]))
    n = 50 * proposal.parts
    lines = proposal.draw(n, {purpose: stream(1, purpose) for purpose in PURPOSES})
    injector, n = sim.injector, lines.weights.size
    lines = lines._replace(lengths=np.full(n, length / 2.0), weights=np.ones(n))
    spans, arrays = maker._spans(lines), sim.detector.arrays()
    external = sim.detector.external_intervals(lines.origins, lines.directions)
    found = np.empty((n, 3))
    kinds = len(maker.kinds)
    point = Point(np.full((kinds, 1), 2.0), np.full((kinds, 1), 3.0))
    for i in range(n):
        totals = new_totals(proposal.parts, 1, 3)
        one = [column[i : i + 1] for column in lines]
        own = spans._replace(first=spans.first[:, i : i + 2])
        done = line_rates(
            arrays, external, make_scratch(arrays, external), own, new_intervals(100, 3),
            injector.matter.density, maker._in_volume, one[1], one[2], one[3], one[4], one[5],
            one[6], one[0], point, totals,
        )  # fmt: skip
        assert done == 1
        found[i] = totals.sums[lines.part[i], 0, :3] / 3.0
        assert totals.sums.sum() == pytest.approx(6.0 * found[i].sum(), rel=1e-14)
    for r, name in enumerate(REGIONS):
        aimed = sp.Simulation(
            sim.detector, sim.fluxes, sim.model, decay=sim.decay, region=name
        ).injector.aimed
        expected = np.empty(n)
        line_sums(
            aimed._tracing(lines.origins, lines.directions), injector.matter.density,
            maker._in_volume, lines.origins, lines.directions, np.full(n, length), lines.nuclide,
            every_line(n, maker._in_volume.shape[1]), expected,
        )  # fmt: skip
        # What a single region leaves out is beyond 200 decay lengths.
        np.testing.assert_allclose(found[:, r], expected, rtol=1e-11, atol=1e-60)
        assert (expected > 0.0).any() or (name == "far" and length < 100.0)


@pytest.mark.parametrize(("mass", "regions"), [(0.05, REGIONS), (0.2, REGIONS[:2])])
def test_points_are_those_of_single_simulations(sim, mass, regions):
    result = sim.scan([mass], COUPLINGS, pot=POT, regions=regions, precision=0.02)
    assert (result.values[:, :, :2] > 0.0).all()
    # Of the far region only the first points are more than nothing.
    some = result.values > 1e-20
    assert (result.errors[some] <= 0.02 * result.values[some]).all()
    assert (result.errors[~some] <= result.values[~some]).all()
    assert (result.effective > 50.0).all()
    pulls = []
    for j in (0, 3, 4, 6):
        for r, region in enumerate(regions[:2] if j > 3 else regions):
            single = rate(sim, dipole(mass, COUPLINGS[j]), region)
            sigma = np.hypot(result.errors[0, j, r], single.error)
            pulls.append((result.values[0, j, r] - single.value) / sigma)
    assert max(map(abs, pulls)) < 4.0
    assert np.mean(np.square(pulls)) < 2.5


def test_errors_are_honest(sim):
    """Over many seeds the values spread as their errors say, for single regions and together."""
    grid = {"masses": [0.2], "couplings": COUPLINGS[::2], "pot": POT, "regions": REGIONS[:2]}
    many = [sim.scan(**grid, precision=0.1, seed=seed) for seed in range(40)]
    for values, errors in (
        ([s.values for s in many], [s.errors for s in many]),
        ([s.total for s in many], [s.total_error for s in many]),
    ):
        mean = np.average(values, axis=0, weights=1.0 / np.square(errors))
        variance = np.square((np.array(values) - mean) / np.array(errors)).sum(axis=0) / 39
        # 39 degrees of freedom each, and neighbours have lines in common.
        assert 0.75 < np.sqrt(variance.mean()) < 1.25
        assert (variance < 2.3).all()


def test_workers_and_interruptions_do_not_matter(sim, tmp_path):
    grid = {"couplings": COUPLINGS[:5:2], "pot": POT, "regions": REGIONS[:2], "precision": 0.1}
    masses = [0.05, 0.1, 0.2]
    whole = sim.scan(masses, **grid, workers=2)

    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    path = tmp_path / "scan.npz"
    with pytest.raises(KeyboardInterrupt):
        sim.scan(masses, **grid, path=path, progress=stop)
    assert Scan.load(path).finished.tolist() == [True, False, False]
    resumed = sim.scan(masses, **grid, path=path)
    loaded = Scan.load(path)
    for found in (resumed, loaded):
        np.testing.assert_array_equal(found.values, whole.values)
        np.testing.assert_array_equal(found.errors, whole.errors)
        np.testing.assert_array_equal(found.total_error, whole.total_error)
        np.testing.assert_array_equal(found.effective, whole.effective)
        np.testing.assert_array_equal(found.attempts, whole.attempts)


def test_what_is_impossible_has_no_events(sim):
    heavy = sim.scan([0.2, 5.0], COUPLINGS[:2], pot=POT, precision=0.1)
    assert (heavy.total[0] > 0.0).all()
    assert (heavy.total[1] == 0.0).all()
    assert heavy.attempts[1] == 0
    # Decayed long before: the far region is in nothing.
    far = sim.scan([0.2], COUPLINGS, pot=POT, regions=("far",), precision=0.1)
    assert far.total[0, 0] > 0.0
    assert (far.total[0, -2:] == 0.0).all()
    assert (far.total_error[0, -2:] == 0.0).all()


def test_a_limit_on_attempts_is_told_by_the_error(sim):
    result = sim.scan([0.2], [1e-6], pot=POT, precision=1e-4, max_attempts=10_000)
    assert 10_000 <= result.attempts[0] < 10_020
    assert result.total_error[0, 0] > 1e-4 * result.total[0, 0]


def test_a_flux_of_a_users_own(sim, fluxes):
    class Falling:
        pdg, integral, name, mode, energy_range = 14, 2e-8, "falling", "fhc", (0.3, 2.0)

        def density(self, energy):
            e = np.asarray(energy, np.float64)
            inside = (e >= 0.3) & (e <= 2.0)
            return np.where(inside, self.integral * e**-2 / (1 / 0.3 - 1 / 2.0), 0.0)

        def sample(self, n, rng=None):
            u = np.random.default_rng(rng).random(n)
            return 1.0 / (1 / 0.3 - u * (1 / 0.3 - 1 / 2.0))

    own = sp.Simulation(
        sim.detector, [Falling(), fluxes[1]], sim.model, decay=sim.decay, region="box"
    )
    result = own.scan([0.1], COUPLINGS, pot=POT, regions=REGIONS[:2], precision=0.02)
    for j in (0, 3, 5):
        for r in range(2):
            single = rate(own, dipole(0.1, COUPLINGS[j]), REGIONS[r])
            sigma = np.hypot(result.errors[0, j, r], single.error)
            assert abs(result.values[0, j, r] - single.value) < 4.0 * sigma


@dataclass(frozen=True)
class Upscattering:
    """The dipole's interactions alone; nothing decays."""

    mass: float
    d_mu: float

    particle_masses = property(lambda self: dipole(self.mass, self.d_mu).particle_masses)

    def interactions(self, pdg):
        return dipole(self.mass, self.d_mu).interactions(pdg)

    def decays(self, pdg):
        return ()

    def to_dict(self):
        return {"mass": self.mass, "d_mu": self.d_mu}


def test_a_model_without_decays(sim):
    own = sp.Simulation(sim.detector, sim.fluxes, Upscattering(0.1, 1e-6), region="box")
    result = own.scan([0.1], [1e-7, 1e-6], pot=POT, precision=0.02)
    single = own.run(30_000, seed=1).expected(pot=POT)
    difference = result.total[0, 1] - single.value
    assert abs(difference) < 4.0 * np.hypot(result.total_error[0, 1], single.error)
    assert result.total[0, 1] == pytest.approx(100.0 * result.total[0, 0], rel=1e-12)


@pytest.mark.parametrize("change", ["proposal", "model"])
def test_what_lines_do_not_know_is_done_with_events(sim, change):
    options = {"proposal": "forward"} if change == "proposal" else {}

    def model(mass, coupling):
        # Something else changes with the coupling: cross sections have no common factor.
        more = {"pauli_blocking": coupling < 2e-6} if change == "model" else {}
        return sp.DipolePortal(mass=mass, d_mu=coupling, **more)

    def simulate(model, region):
        return sp.Simulation(
            sim.detector, sim.fluxes, model, decay=sim.decay, region=region, **options
        )

    request = LineRequest(simulate, {"box": "box", "half": "half"}, POT)
    result = scan([request], model, [0.05], [1e-6, 3e-6], precision=0.1)
    assert result.attempts[0] % CHUNK_SIZE == 0
    lines = sim.scan([0.05], [1e-6, 3e-6], pot=POT, regions=("box", "half"), precision=0.05)
    assert lines.attempts[0] % CHUNK_SIZE > 0
    difference = abs(result.values - lines.values)
    if change == "model":
        difference = difference[:, :1]
    assert (
        difference < 4.0 * np.hypot(result.errors, lines.errors)[:, : difference.shape[1]]
    ).all()
