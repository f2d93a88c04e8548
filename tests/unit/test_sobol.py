"""Runs driven by scrambled Sobol nets: the nets, who gets their numbers, bits, errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import qmc

import siren_py as sp
from siren_py import driving, errors
from siren_py.geometry import Box, Sphere, Union
from siren_py.replicas import FEWEST, replicas_of, student_factor
from siren_py.rng import stream
from siren_py.runs.merging import merge
from siren_py.simulation import CHUNK_SIZE

WHOLE = 5 * CHUNK_SIZE


def detector(region=None):
    model = sp.DetectorModel("bench")
    model.add("iron", Box(50.0, 50.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    model.add("rock", Box(60.0, 60.0, 400.0), sp.Material.from_formula("SiO2", density=2.2),
              at=(0, 0, -300))  # fmt: skip
    model.add_region("box", region or Box(40.0, 40.0, 20.0), at=(0, 0, 30))
    return model


def simulation(region=None, d=3e-6, **options):
    flux = sp.Flux.from_histogram(pdg=14, edges=[0.3, 1.0, 2.0], values=[1e-8, 1e-8], name="a")
    model = sp.DipolePortal(mass=0.2, d_mu=d)
    options = {"decay": "nu e+ e-", "region": "box"} | options
    return sp.Simulation(detector(region), flux, model, **options)


@pytest.fixture(scope="module")
def sim():
    return simulation()


@pytest.fixture(scope="module")
def sample(sim):
    return sim.run(WHOLE + 5000, seed=1, driving="sobol")


def chunk_sums(sample, weights=None):
    weights = sample.weights if weights is None else weights
    return np.bincount(sample["event"] // CHUNK_SIZE, weights, minlength=6)


def by_hand(sums, rest):
    """Variance of the spread of whole chunks, and of independent attempts in the last one."""
    k, m = sums.size, 5000
    t = stdtrit(k - 1, 0.8413447460685429)
    spread = t**2 * k / (k - 1) * np.square(sums - sums.mean()).sum()
    return np.sqrt(spread + m / (m - 1) * (np.square(rest).sum() - rest.sum() ** 2 / m))


# ---------------------------------------------------------------- nets


def test_direction_numbers_are_those_of_scipy():
    bits = 14
    plain = qmc.Sobol(15, scramble=False, bits=30).random_base2(bits)
    # The sequence goes through the Gray code: its points 1, 3, 7, ... have a single bit.
    single = plain[2 ** (np.arange(bits) + 1) - 1].T * 2.0**bits
    np.testing.assert_array_equal(single, driving.direction_numbers(bits))


def test_every_dimension_of_a_net_has_one_point_per_stratum():
    net = driving.scrambled_net(4096, np.random.default_rng(1))
    assert net.shape == (15, 4096)
    assert (net >= 0.0).all()
    assert (net < 1.0).all()
    for row in net:
        np.testing.assert_array_equal(np.sort((row * 4096).astype(int)), np.arange(4096))
    # The first two dimensions are a (0, 12, 2) net: one point in each dyadic box of 1/4096.
    for a in range(13):
        box = (net[0] * 2**a).astype(int) * 2 ** (12 - a) + (net[1] * 2 ** (12 - a)).astype(int)
        assert np.bincount(box, minlength=4096).max() == 1


def test_each_single_point_of_a_net_is_uniform_over_the_scramblings():
    drawn = np.stack([driving.scrambled_net(8, stream(1, "sobol", c))[:, 5] for c in range(4000)])
    for column in drawn.T:
        counts = np.bincount((column * 20).astype(int), minlength=20)
        # chi2 of 19 degrees of freedom: below 52 but for one in 10^4 (15 columns, fixed seed).
        assert np.square(counts - 200.0).sum() / 200.0 < 52.0
    correlation = np.corrcoef(drawn.T) - np.eye(15)
    assert np.abs(correlation).max() < 5.0 / np.sqrt(4000)


@pytest.mark.parametrize("n", [1, 2, 3, 1000])
def test_a_net_of_any_size_is_the_beginning_of_a_larger_one_in_shape(n):
    assert driving.scrambled_net(n, np.random.default_rng(2)).shape == (15, n)


# ---------------------------------------------------------------- who gets the numbers


def net_generator(n=6, d=7):
    net = np.arange(d)[:, None] + np.arange(n)[None, :] / 100.0
    return driving.NetGenerator(np.random.default_rng(1), net), net


def test_parts_take_the_columns_of_their_rows():
    rng, net = net_generator()
    np.testing.assert_array_equal(rng.random(6), net[0])
    odd, even = np.array([1, 3, 5]), np.array([0, 2, 4])
    for rows in (odd, even):
        part = driving.rows_of(rng, rows, Box(1.0, 1.0, 1.0))
        np.testing.assert_array_equal(part.random((3, 3)), net[1:4, rows].T)
        np.testing.assert_array_equal(part.of_rows(np.array([2])).random(1), net[4, rows[2:]])
    # What the parts took is not given out again.
    np.testing.assert_array_equal(rng.random((6, 2)), net[5:7].T)


def test_everything_else_is_random():
    rng, net = net_generator()
    assert (rng.random(5) < 1.0).all()  # not one per row
    assert 0.0 <= rng.random() < 1.0
    assert (rng.random((6, 8)) < 1.0).all()  # more than there are columns
    np.testing.assert_array_equal(rng.random(6), net[0])
    plain = np.random.default_rng(1)
    assert driving.rows_of(plain, np.arange(3)) is plain
    assert driving.without_net(plain) is plain


class Halved(Box):
    """A box of a user's own that rejects: its draws are not rows."""

    def sample(self, n, rng=None):
        points = np.zeros((0, 3))
        while len(points) < n:
            drawn = super().sample(n, rng)
            points = np.concatenate([points, drawn[drawn[:, 0] > 0.0]])
        return points[:n]


@pytest.mark.parametrize("solid", [Halved(1, 1, 1), Union(Box(1, 1, 1), Sphere(1.0)), object()])
def test_who_may_reject_gets_random_numbers(solid):
    rng, _ = net_generator()
    assert not isinstance(driving.rows_of(rng, np.arange(6), solid), driving.NetGenerator)


# ---------------------------------------------------------------- bits


def test_same_bits_for_workers_chunks_and_files(sim, sample, tmp_path):
    other = sim.run(WHOLE + 5000, seed=1, driving="sobol", workers=2)
    np.testing.assert_array_equal(other.weights, sample.weights)
    names = [tmp_path / "a.root", tmp_path / "b.root"]
    for name, chunks in zip(names, [(0, 2), (2, 6)], strict=True):
        sim.run(WHOLE + 5000, seed=1, driving="sobol", chunks=chunks, output=name)
    merged = merge(tmp_path / "all.root", names)
    np.testing.assert_array_equal(merged["primary_energy"], sample["primary_energy"])
    np.testing.assert_allclose(merged.expected(), sample.expected(), rtol=1e-12)


def test_runs_of_other_drivings_are_other_runs(sim, sample, tmp_path):
    random = sim.run(2 * CHUNK_SIZE, seed=1, chunks=(0, 1), output=tmp_path / "a.root")
    assert random.provenance["configuration"] == sim.configuration
    assert random.provenance["configuration"]["driving"] == "random"
    assert sample.provenance["configuration"]["driving"] == "sobol"
    assert random.provenance["fingerprint"] != sample.provenance["fingerprint"]
    sim.run(2 * CHUNK_SIZE, seed=1, chunks=(1, 2), output=tmp_path / "b.root", driving="sobol")
    with pytest.raises(errors.ConfigError, match="driving"):
        merge(tmp_path / "all.root", [tmp_path / "a.root", tmp_path / "b.root"])
    with pytest.raises(errors.UnknownNameError, match="sobol"):
        sim.run(100, driving="sobl")


def test_a_run_is_not_resumed_with_another_driving(sim, tmp_path):
    sim.run(100, seed=1, checkpoint=tmp_path / "parts")
    with pytest.raises(errors.ConfigError, match="driving"):
        sim.run(100, seed=1, checkpoint=tmp_path / "parts", resume=True, driving="sobol")


# ---------------------------------------------------------------- errors


def test_error_is_that_of_the_spread_of_the_chunks(sample):
    sums = chunk_sums(sample)
    rest = sample.weights[sample["event"] >= WHOLE]
    assert sample.expected().error == pytest.approx(by_hand(sums[:5], rest), rel=1e-9)
    assert sample.expected().value == pytest.approx(sums.sum(), rel=1e-12)
    passed = sample["primary_energy"] > 1.2
    cut = sample.expected(cut=lambda s: s["primary_energy"] > 1.2)
    sums = chunk_sums(sample, sample.weights * passed)
    rest = (sample.weights * passed)[sample["event"] >= WHOLE]
    assert cut.error == pytest.approx(by_hand(sums[:5], rest), rel=1e-9)
    assert sample.select(lambda s: s["primary_energy"] > 1.2).expected() == pytest.approx(cut)
    flow = sample.cut_flow([lambda s: s["primary_energy"] > 1.2])
    assert flow.rows[1][2] == pytest.approx(cut)


def test_errors_of_categories_and_of_the_summary(sample):
    names = sample.names("material")
    for name, estimate in sample.by("material").items():
        weights = sample.weights * (names == name)
        error = by_hand(chunk_sums(sample, weights)[:5], weights[sample["event"] >= WHOLE])
        assert estimate.error == pytest.approx(error, rel=1e-9)
    summary = sample.summary()
    assert summary.expected == pytest.approx(sample.expected())
    assert summary.by["material"]["Fe"] == pytest.approx(sample.by("material")["Fe"])


def test_files_and_reweighted_samples_know_their_chunks(sample, tmp_path):
    sample.to_root(tmp_path / "a.root")
    read = sp.read_root(tmp_path / "a.root")
    assert read.expected() == pytest.approx(sample.expected(), rel=1e-9)
    other = sample.reweight(d_mu=4e-6)
    error = by_hand(chunk_sums(other)[:5], other.weights[other["event"] >= WHOLE])
    assert other.expected().error == pytest.approx(error, rel=1e-9)


def test_combined_runs_add_their_variances(sim, sample):
    second = sim.run(WHOLE, seed=2, driving="sobol")
    random = sim.run(WHOLE, seed=3)
    both = sp.combine([sample, second])
    share = sample.n_attempts / both.n_attempts
    error = np.hypot(share * sample.expected().error, (1.0 - share) * second.expected().error)
    assert both.expected().error == pytest.approx(error, rel=1e-9)
    mixed = sp.combine([sample, random])
    share = sample.n_attempts / mixed.n_attempts
    error = np.hypot(share * sample.expected().error, (1.0 - share) * random.expected().error)
    assert mixed.expected().error == pytest.approx(error, rel=1e-9)


def test_few_chunks_have_the_error_of_independent_attempts(sim):
    n = (FEWEST - 1) * CHUNK_SIZE + 100
    few = sim.run(n, seed=1, driving="sobol")
    assert few.replicas is None
    w = few.weights
    plain = np.sqrt(n / (n - 1) * (np.square(w).sum() - w.sum() ** 2 / n))
    assert few.expected().error == pytest.approx(plain, rel=1e-9)


def test_provenance_that_does_not_add_up_is_not_trusted(sample):
    assert replicas_of(sample.provenance).numbers[0].size == 5
    for changed in ({"n_attempts": 7}, {"requested": 10**6}, {"chunks": [[0, 3]]}):
        assert replicas_of(dict(sample.provenance) | changed) is None
    without = {k: v for k, v in sample.provenance.items() if k != "chunks"}
    assert replicas_of(without) is None


def test_student_factor_makes_intervals_hold_what_they_say():
    drawn = np.random.default_rng(5).normal(size=(200_000, 4))
    error = student_factor(4) * drawn.std(axis=1, ddof=1) / 2.0
    assert np.mean(np.abs(drawn.mean(axis=1)) < error) == pytest.approx(0.6827, abs=0.004)


@pytest.mark.parametrize("pdg", [14, 5914])
@pytest.mark.parametrize("options", [{"proposal": "forward"}, {"beam": "source"}])
def test_other_proposals_beams_and_arrivals_are_driven_too(pdg, options):
    bench = detector()
    bench.set_beam((0.0, 0.0, 1.0), distance=3000.0)
    flux = sp.Flux.from_histogram(
        pdg=pdg, edges=[0.3, 1.0, 2.0], values=[1e-8, 1e-8], name="a", any_pdg=True
    )
    model = sp.DipolePortal(mass=0.2, d_mu=2e-6)
    sim = sp.Simulation(bench, flux, model, decay="nu gamma", region="box", **options)
    (a, e) = sim.run(WHOLE, seed=1).expected()
    (b, f) = sim.run(WHOLE, seed=4, driving="sobol").expected()
    assert abs(a - b) < 4.0 * np.hypot(e, f)


def test_regions_that_reject_keep_their_expectation():
    solid = Union(Box(40.0, 40.0, 20.0), Sphere(15.0))
    (a, e) = simulation(solid).run(WHOLE, seed=1).expected()
    (b, f) = simulation(solid).run(WHOLE, seed=1, driving="sobol").expected()
    assert abs(a - b) < 4.0 * np.hypot(e, f)


def test_sobol_is_better_here(sim):
    # From a few chunks alone the error itself would not be known.
    random, sobol = (
        sim.run(32 * CHUNK_SIZE, seed=1, driving=driving).expected().error
        for driving in ("random", "sobol")
    )
    assert sobol < 0.7 * random
