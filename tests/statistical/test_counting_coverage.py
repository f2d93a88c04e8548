"""Coverage of the limits: how often they contain the truth in thrown experiments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from siren_py.counting import (
    Counting,
    bayesian_upper_limit,
    cls_upper_limit,
    feldman_cousins,
    poisson_upper_limit,
    upper_limit,
)

LEVEL = 0.9
TOYS = 1000


@pytest.mark.parametrize("truth", [0.5, 2.0, 5.0])
def test_coverage_of_single_numbers_is_exact(truth):
    """Sum over all counts: the classical constructions may not cover less than their level."""
    b = 1.3
    n = np.arange(60)
    p = stats.poisson.pmf(n, truth + b)
    limits = {
        "poisson": [poisson_upper_limit(int(k), b) for k in n],
        "cls": [cls_upper_limit(int(k), b) for k in n],
    }
    covered = {name: p @ (np.array(upper) >= truth) for name, upper in limits.items()}
    # Counts are discrete: coverage is the level or more, and CLs covers more still.
    assert covered["poisson"] >= LEVEL
    assert covered["cls"] >= covered["poisson"] - 1e-12
    few = [int(k) for k in n if p[k] > 1e-9]
    inside = [feldman_cousins(k, b).lower <= truth <= feldman_cousins(k, b).upper for k in few]
    assert p[few] @ inside >= LEVEL - 1e-6


def test_mean_coverage_of_the_bayesian_limit_is_its_level():
    """Averaged over the prior, a credible limit covers exactly as often as it says."""
    rng = np.random.default_rng(1)
    # A prior that can be thrown: exponential of mean 4.
    truth = rng.exponential(4.0, 40_000)
    level = rng.gamma((1.5 / 0.6) ** 2, 0.6**2 / 1.5, len(truth))
    n = rng.poisson(truth + level)
    counts, back = np.unique(n, return_inverse=True)
    limits = np.array(
        [bayesian_upper_limit(int(k), 1.5, 0.6, prior=lambda s: np.exp(-s / 4.0)) for k in counts]
    )
    covered = np.mean(limits[back] >= truth)
    assert covered == pytest.approx(LEVEL, abs=4 * np.sqrt(0.09 / len(truth)))


B = np.array([2.0, 0.7, 1.1])
ERROR = np.array([0.6, 0.3, 0.0])
S = np.array([1.0, 0.8, 0.2])
FLUX = 0.15


def thrown(rng, truth, b, error, signal):
    """Counts with the background and the flux thrown, too, (toys, bins)."""
    some = error > 0.0
    level = np.tile(b, (TOYS, 1))
    shape = (b[some] / error[some]) ** 2
    level[:, some] = rng.gamma(shape, error[some] ** 2 / b[some], (TOYS, some.sum()))
    k = np.log1p(FLUX)
    flux = np.exp(k * rng.standard_normal((TOYS, 1)) - 0.5 * k * k)
    return rng.poisson(truth * signal * flux + level)


@pytest.mark.parametrize("truth", [1.5, 4.0])
@pytest.mark.parametrize("name", ["cls", "poisson", "feldman-cousins"])
def test_coverage_with_several_bins_and_errors(name, truth):
    """Averaged over the errors the limits cover at least as often as they say."""
    rng = np.random.default_rng(7)
    counts = thrown(rng, truth, B, ERROR, S)
    different, back = np.unique(counts, axis=0, return_inverse=True)
    many = Counting(B, background_error=ERROR, signal_errors={"flux": FLUX})
    limits = np.array(
        [float(upper_limit(S, many.with_observed(n), statistic=name)) for n in different]
    )
    covered = np.mean(limits[back.reshape(-1)] >= truth)
    assert covered >= LEVEL - 4 * np.sqrt(0.09 / TOYS)


def test_coverage_of_the_profile_likelihood_in_large_samples():
    b, error = np.array([200.0, 90.0, 400.0]), np.array([10.0, 5.0, 0.0])
    signal = np.array([20.0, 15.0, 5.0])
    rng = np.random.default_rng(8)
    truth = 1.5
    toys = 500
    # Frequentist: the backgrounds and the flux are fixed, their measurements fluctuate.
    counts = rng.poisson(truth * signal + b, (toys, 3))
    tau = (b[:2] / error[:2]) ** 2
    measured = np.concatenate(
        [b[:2] * rng.poisson(tau, (toys, 2)) / tau, np.full((toys, 1), 400.0)], 1
    )
    covered = 0
    for n, m in zip(counts, measured, strict=True):
        # The auxiliary counts keep their exposure: error = sqrt(counts) in events of background.
        e = np.append(np.sqrt(m[:2] * b[:2] / tau), 0.0)
        many = Counting(m, n, e)
        covered += float(upper_limit(signal, many, statistic="profile")) >= truth
    assert covered / toys == pytest.approx(LEVEL, abs=3.5 * np.sqrt(0.09 / toys))


@pytest.mark.slow
def test_pseudo_experiments_of_pyhf_and_ours_agree():
    """CLs of q-tilde by toys, here and in pyhf, for a few events."""
    pyhf = pytest.importorskip("pyhf")
    import warnings

    from siren_py.counting.fit import nominal_data
    from siren_py.counting.nuisance import constraints
    from siren_py.counting.toys import cls_pair
    from siren_py.rng import stream

    toys = 300
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = pyhf.simplemodels.uncorrelated_background([3.0, 2.0], [4.0, 1.5], [1.2, 0.6])
        data = [5, 1, *model.config.auxdata]
        np.random.seed(3)  # noqa: NPY002  (pyhf draws from the global state)
        # Not hypotest(): its bands call NumPy with an argument that NumPy 2.4 dropped.
        calculator = pyhf.infer.calculators.ToyCalculator(
            data, model, test_stat="qtilde", ntoys=toys, track_progress=False
        )
        seen = calculator.teststatistic(1.0)
        found = [float(d.pvalue(seen)) for d in calculator.distributions(1.0)]
    of = constraints(Counting([4.0, 1.5], [5, 1], [1.2, 0.6]))
    ours = cls_pair(
        np.array([3.0, 2.0]), of, nominal_data(of, np.array([5.0, 1.0])), 1.0, 20_000,
        stream(2, "test"),
    )  # fmt: skip
    for expected, value in zip(found, ours, strict=True):
        p = expected
        assert value == pytest.approx(p, abs=4.5 * np.sqrt(p * (1 - p) / toys))
