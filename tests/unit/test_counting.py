"""Limits and intervals for one number of events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from siren_py.counting import (
    bayesian_upper_limit,
    cls_upper_limit,
    expected_upper_limit,
    feldman_cousins,
    poisson_interval,
    poisson_upper_limit,
    significance,
)
from siren_py.counting.poisson import at_most, background_probabilities
from siren_py.counting.roots import falling_root
from siren_py.errors import ConfigError, UnknownNameError

# Review of Particle Physics, "Statistics", table of upper limits for n events, no background.
PDG = {
    0.90: [2.30, 3.89, 5.32, 6.68, 7.99, 9.27, 10.53, 11.77, 12.99, 14.21, 15.41],
    0.95: [3.00, 4.74, 6.30, 7.75, 9.15, 10.51, 11.84, 13.15, 14.43, 15.71, 16.96],
}

# Feldman and Cousins, Phys. Rev. D 57, 3873 (1998), tables II to IX: (n, b) -> interval.
UNIFIED_90 = {
    (0, 0.0): (0.00, 2.44), (1, 0.0): (0.11, 4.36), (2, 0.0): (0.53, 5.91),
    (3, 0.0): (1.10, 7.42), (4, 0.0): (1.47, 8.60), (5, 0.0): (1.84, 9.99),
    (6, 0.0): (2.21, 11.47), (7, 0.0): (3.56, 12.53), (8, 0.0): (3.96, 13.99),
    (9, 0.0): (4.36, 15.30), (10, 0.0): (5.50, 16.50),
    (0, 0.5): (0.00, 1.94), (1, 0.5): (0.00, 3.86), (2, 0.5): (0.03, 5.41),
    (3, 0.5): (0.60, 6.92), (0, 1.0): (0.00, 1.61), (1, 1.0): (0.00, 3.36),
    (2, 1.0): (0.00, 4.91), (3, 1.0): (0.10, 6.42), (0, 1.5): (0.00, 1.33),
    (0, 2.0): (0.00, 1.26), (0, 2.5): (0.00, 1.18), (0, 3.0): (0.00, 1.08),
    (0, 3.5): (0.00, 1.06), (0, 4.0): (0.00, 1.01), (0, 5.0): (0.00, 0.98),
    (1, 3.0): (0.00, 1.88), (2, 3.0): (0.00, 3.04), (3, 3.0): (0.00, 4.42),
    (4, 3.0): (0.00, 5.60), (5, 3.0): (0.00, 6.99), (6, 3.0): (0.15, 8.47),
    (10, 3.0): (2.63, 13.50),
}  # fmt: skip
UNIFIED_B0 = {
    0.6827: [
        (0.00, 1.29), (0.37, 2.75), (0.74, 4.25), (1.10, 5.30), (2.34, 6.78), (2.75, 7.81),
        (3.82, 9.28), (4.25, 10.30), (5.30, 11.32), (6.33, 12.79), (6.78, 13.81),
    ],
    0.95: [
        (0.00, 3.09), (0.05, 5.14), (0.36, 6.72), (0.82, 8.25), (1.37, 9.76), (1.84, 11.26),
        (2.21, 12.75), (2.58, 13.81), (2.94, 15.29), (4.36, 16.77), (4.75, 17.82),
    ],
    0.99: [(0.00, 4.74), (0.01, 6.91), (0.15, 8.71), (0.44, 10.47), (0.82, 12.23), (1.28, 13.75)],
}  # fmt: skip
# Table XII: mean upper limit at 90 % for experiments without signal.
SENSITIVITY_90 = {0.0: 2.44, 0.5: 2.86, 1.0: 3.28, 2.0: 3.94, 3.0: 4.42}


@pytest.mark.parametrize("cl", PDG)
def test_poisson_limits_are_those_of_the_review(cl):
    found = [poisson_upper_limit(n, cl=cl) for n in range(11)]
    np.testing.assert_allclose(found, PDG[cl], atol=0.0051)


def test_poisson_limit_subtracts_the_background_and_stops_at_zero():
    assert poisson_upper_limit(3, 1.2) == pytest.approx(poisson_upper_limit(3) - 1.2)
    assert poisson_upper_limit(0, 5.0) == 0.0


def test_central_interval_has_equal_tails():
    tail = stats.norm.sf(1.0)
    lower, upper = poisson_interval(7, cl=1.0 - 2.0 * tail)
    assert stats.poisson.sf(6, lower) == pytest.approx(tail, abs=1e-12)
    assert stats.poisson.cdf(7, upper) == pytest.approx(tail, abs=1e-12)
    # Gehrels, Astrophys. J. 303, 336 (1986), tables 1 and 2: S = 1.
    assert (round(lower, 3), round(upper, 2)) == (4.419, 10.77)
    assert poisson_interval(0).lower == 0.0


@pytest.mark.parametrize("case", UNIFIED_90, ids=str)
def test_unified_intervals_are_those_of_the_paper(case):
    # The paper searched a grid of 0.005: its last digit may differ by one.
    np.testing.assert_allclose(feldman_cousins(*case), UNIFIED_90[case], atol=0.0101)


@pytest.mark.parametrize("cl", UNIFIED_B0)
def test_unified_intervals_without_background(cl):
    found = [feldman_cousins(n, 0.0, cl) for n in range(len(UNIFIED_B0[cl]))]
    np.testing.assert_allclose(found, UNIFIED_B0[cl], atol=0.0101)


@pytest.mark.parametrize("b", SENSITIVITY_90)
def test_unified_sensitivity_is_that_of_the_paper(b):
    n = np.arange(25)
    p = stats.poisson.pmf(n, b)
    uppers = [feldman_cousins(int(k), b).upper for k in n if stats.poisson.pmf(k, b) > 1e-7]
    assert p[: len(uppers)] @ uppers == pytest.approx(SENSITIVITY_90[b], abs=0.011)


def brute_force_belt(b, cl, signals, most=80):
    """Neyman construction as written in the paper: rank, then add up."""
    n = np.arange(most)
    best = np.maximum(n - b, 0.0) + b
    accepted = np.zeros((len(signals), most), dtype=bool)
    for i, s in enumerate(signals):
        p = stats.poisson.pmf(n, s + b)
        ratio = p / stats.poisson.pmf(n, best)
        total = 0.0
        for k in np.argsort(-ratio, kind="stable"):
            accepted[i, k] = True
            total += p[k]
            if total >= cl:
                break
    return accepted


def test_unified_intervals_agree_with_the_construction_step_by_step():
    signals = np.arange(0.0, 16.0, 0.01)
    belt = brute_force_belt(2.2, 0.9, signals)
    for n in range(9):
        inside = signals[belt[:, n]]
        lower, upper = feldman_cousins(n, 2.2)
        assert lower == pytest.approx(inside[0], abs=0.011)
        # Made monotonic: never below the construction.
        assert upper >= inside[-1]
        if n > 2:
            assert upper == pytest.approx(inside[-1], abs=0.011)


def test_unified_upper_end_falls_with_the_background():
    uppers = [feldman_cousins(1, b).upper for b in np.linspace(0.0, 6.0, 61)]
    assert (np.diff(uppers) <= 1e-6).all()


def test_unified_interval_with_errors_tends_to_the_one_without():
    exact = feldman_cousins(4, 1.5)
    np.testing.assert_allclose(feldman_cousins(4, 1.5, b_error=1e-3), exact, atol=2e-4)
    np.testing.assert_allclose(feldman_cousins(4, 1.5, signal_error=1e-3), exact, atol=2e-4)
    wide = feldman_cousins(4, 1.5, b_error=0.8, signal_error=0.3)
    assert wide.upper > exact.upper
    assert wide.lower <= exact.lower


def test_unified_interval_of_many_events_is_gaussian():
    lower, upper = feldman_cousins(1_000_000, 500_000.0)
    np.testing.assert_allclose([lower, upper], 5e5 + np.array([-1, 1]) * 1644.85, atol=3.0)


@pytest.mark.parametrize(("n", "b"), [(0, 0.0), (0, 3.0), (3, 1.2), (12, 20.0), (10**6, 1e6)])
def test_cls_is_the_ratio_of_two_sums(n, b):
    s = cls_upper_limit(n, b)
    ratio = stats.poisson.cdf(n, s + b) / stats.poisson.cdf(n, b)
    assert ratio == pytest.approx(0.1, rel=1e-6)


def test_cls_of_no_events_is_minus_ln_alpha_whatever_the_background():
    for b, error in [(0.0, 0.0), (0.563, 0.241), (30.0, 0.0), (1.0, 1.0)]:
        assert cls_upper_limit(0, b, error) == pytest.approx(-np.log(0.1))


def test_probabilities_are_averaged_over_the_background():
    n, b, error, s = 4, 2.5, 1.1, 3.0
    shape, scale = (b / error) ** 2, error**2 / b

    def integrand(x):
        return stats.gamma.pdf(x, shape, scale=scale) * special.gammaincc(n + 1, s + x)

    value, _ = integrate.quad(integrand, 0.0, 40.0, epsabs=1e-12)
    assert at_most(n, np.array([s]), b, error)[0] == pytest.approx(value, rel=1e-8)
    p = background_probabilities(200, b, error)
    k = np.arange(201)
    assert [p.sum(), p @ k] == pytest.approx([1.0, b])
    assert p @ (k - b) ** 2 == pytest.approx(b + error**2)


def test_sum_and_quadrature_over_the_background_join():
    """The method changes above 1000 events: steps of one event must go on smoothly."""
    s = np.array([0.0, 40.0, 90.0])
    for error in (12.0, 60.0, 300.0):
        below, last, first, above = (at_most(n, s, 950.0, error) for n in (999, 1000, 1001, 1002))
        mean = 0.5 * ((last - below) + (above - first))
        np.testing.assert_allclose(first - last, mean, rtol=1e-3)


@pytest.mark.parametrize("b", [0.0, 1.5])
def test_bayesian_limits_against_direct_integration(b):
    n = 3
    priors = {
        "flat": lambda s: 1.0,
        "jeffreys": lambda s: 1.0 / np.sqrt(s + b),
        "sqrt": lambda s: 1.0 / np.sqrt(s),
    }
    for name, prior in priors.items():
        limit = bayesian_upper_limit(n, b, prior=name)

        def density(u, prior=prior):
            s = u * u
            return 2.0 * u * prior(s) * stats.poisson.pmf(n, s + b) if u > 0 else 0.0

        below = integrate.quad(density, 0.0, np.sqrt(limit), epsabs=1e-12)[0]
        total = integrate.quad(density, 0.0, 8.0, epsabs=1e-12)[0]
        assert below / total == pytest.approx(0.9, abs=2e-6)


def test_bayesian_limit_flat_in_the_root():
    """Without background and events: erf(sqrt(s)) = cl, 1.353 events at 90 %."""
    limit = bayesian_upper_limit(0, prior="sqrt")
    assert limit == pytest.approx(special.erfinv(0.9) ** 2, rel=1e-5)
    assert limit == pytest.approx(1.353, abs=5e-4)


def test_any_prior_may_be_given():
    flat = bayesian_upper_limit(5, 2.0, 0.7)
    assert bayesian_upper_limit(5, 2.0, 0.7, prior=np.ones_like) == pytest.approx(flat, rel=1e-5)
    falling = bayesian_upper_limit(0, prior=lambda s: np.exp(-s))
    assert falling == pytest.approx(-np.log(0.1) / 2.0, rel=1e-5)
    with pytest.raises(ConfigError, match="one finite density"):
        bayesian_upper_limit(0, prior=lambda s: -s)
    with pytest.raises(UnknownNameError, match="jeffreys"):
        bayesian_upper_limit(0, prior="jefreys")


def test_significance_of_li_and_ma():
    """Li and Ma, eq. 17, in its own variables: on, off and the ratio alpha of exposures."""
    on, off, alpha = 40.0, 60.0, 0.4
    total = on + off
    s = on * np.log((1 + alpha) / alpha * on / total) + off * np.log((1 + alpha) * off / total)
    b, error = alpha * off, alpha * np.sqrt(off)
    assert significance(on, b, error) == pytest.approx(np.sqrt(2.0 * s), rel=1e-12)


def test_significance_tends_to_the_simple_ones():
    s, b = 3.0, 7.0
    exact = np.sqrt(2.0 * ((s + b) * np.log(1.0 + s / b) - s))
    assert significance(s + b, b) == pytest.approx(exact, rel=1e-12)
    assert significance(s + b, b, 1e-4) == pytest.approx(exact, rel=1e-7)
    assert significance(1e6 + 100.0, 1e6, 500.0) == pytest.approx(
        100 / np.hypot(1e3, 500), rel=1e-3
    )
    np.testing.assert_array_equal(significance([0.0, 1.0, 2.0], [0.0, 3.0, 2.0]), 0.0)
    assert significance(1.0, 0.0) == np.inf


def test_expected_limits_are_quantiles_of_the_counts():
    bands = expected_upper_limit(3.0, statistic="cls")
    counts = stats.poisson.ppf(special.ndtr([-2, -1, 0, 1, 2]), 3.0)
    expected = [cls_upper_limit(n, 3.0) for n in counts]
    np.testing.assert_allclose([float(x) for x in bands], expected, rtol=1e-9)
    assert expected_upper_limit(0.0, statistic="feldman-cousins").median == pytest.approx(
        feldman_cousins(0, 0.0).upper
    )


counts = st.integers(0, 40)
backgrounds = st.floats(0.0, 30.0)
ONE_NUMBER = {
    "poisson": poisson_upper_limit,
    "cls": lambda n, b, cl: cls_upper_limit(n, b, cl=cl),
    "cls with error": lambda n, b, cl: cls_upper_limit(n, b, 0.3 * b, cl),
    "jeffreys": lambda n, b, cl: bayesian_upper_limit(n, b, cl=cl, prior="jeffreys"),
    "feldman-cousins": lambda n, b, cl: feldman_cousins(n, b, cl).upper,
}


@pytest.mark.parametrize("name", ONE_NUMBER)
@settings(max_examples=15, deadline=None)
@given(n=counts, b=backgrounds, cl=st.floats(0.6, 0.98))
def test_limits_rise_with_the_count_and_the_level(name, n, b, cl):
    limit = ONE_NUMBER[name]
    here = limit(n, b, cl)
    assert np.isfinite(here)
    assert here >= 0.0
    assert limit(n + 1, b, cl) >= here - 1e-6
    assert limit(n, b, cl + 0.01) >= here - 1e-6


@settings(max_examples=25, deadline=None)
@example(n=22, b=13.140625, relative=1.0)
@given(n=counts, b=st.floats(0.05, 30.0), relative=st.floats(0.0, 1.0))
def test_cls_of_one_bin_is_bayesian_with_a_flat_prior(n, b, relative):
    frequentist = cls_upper_limit(n, b, relative * b)
    bayesian = bayesian_upper_limit(n, b, relative * b, prior=np.ones_like)
    assert bayesian == pytest.approx(frequentist, rel=2e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1.5,), "whole number"),
        ((-1,), "whole number"),
        ((np.nan,), "whole number"),
        ((1, -0.1), "negative"),
        ((1, np.nan), "finite"),
        ((1, 0.0, 90), "between 0 and 1.*0.9"),
    ],
)
def test_nonsense_is_refused(arguments, text):
    with pytest.raises(ConfigError, match=text):
        poisson_upper_limit(*arguments)
    with pytest.raises(ConfigError, match=text):
        feldman_cousins(*arguments)


def test_an_error_needs_a_background():
    with pytest.raises(ConfigError, match="background of zero"):
        cls_upper_limit(0, 0.0, 0.1)
    with pytest.raises(ConfigError, match="cannot have an error"):
        significance(1.0, 0.0, 0.1)


def test_roots_of_many_functions():
    target = np.array([1e-8, 0.3, 5.0, 1e6])
    root = falling_root(lambda x: target - x**3, np.zeros(4), np.ones(4))
    np.testing.assert_allclose(root, np.cbrt(target), rtol=1e-8)
    steep = falling_root(lambda x: np.where(x < 2.0, np.inf, -1.0), np.zeros(1), np.ones(1))
    assert steep[0] == pytest.approx(2.0, rel=1e-8)
    np.testing.assert_array_equal(falling_root(lambda x: -1.0 - x, np.ones(2), np.ones(2)), 1.0)
    with pytest.raises(ConfigError, match="no limit"):
        falling_root(np.ones_like, np.zeros(1), np.ones(1))
