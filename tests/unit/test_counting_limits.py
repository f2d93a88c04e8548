"""Limits for several bins, by the name of the statistic."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from siren_py.counting import (
    Counting,
    bayesian_upper_limit,
    cls_upper_limit,
    discovery_significance,
    expected_limits,
    feldman_cousins,
    poisson_upper_limit,
    significance,
    statistics,
    upper_limit,
    upper_limit_with_error,
)
from siren_py.counting.asymptotic import TestStatistic, cls_values, rough_limit
from siren_py.counting.fit import Likelihood, asimov_data, nominal_data
from siren_py.counting.lattice import background_terms, weights
from siren_py.counting.nuisance import constraints, draws
from siren_py.errors import ConfigError, UnknownNameError
from siren_py.estimate import Estimate

NAMES = [n for n in statistics() if "<" not in n]

# Backgrounds of the T2K search for heavy neutrinos, Phys. Rev. D 100, 052006 (2019).
T2K = Counting(
    [1.543, 0.376, 0.328, 0.216, 0.563, 0.384, 0.018, 0.219, 0.038, 0.0153],
    observed=np.zeros(10),
    background_error=[0.516, 0.271, 0.254, 0.133, 0.241, 0.202, 0.020, 0.256, 0.040, 0.0154],
)
THREE = Counting(
    [50.0, 60.0, 20.0],
    observed=[55, 58, 27],
    background_error=[5.0, 12.0, 3.0],
    signal_errors={"flux": 0.2},
    background_errors={"flux": 0.05, "shape": 0.1},
)
SIGNAL = np.array([5.0, 10.0, 3.0])


# --- one bin: the functions for single numbers ---------------------------------------------------


@pytest.mark.parametrize(("n", "b", "error"), [(0, 0.563, 0.241), (4, 1.2, 0.0), (30, 22.0, 5.0)])
def test_one_bin_gives_the_limits_of_single_numbers(n, b, error):
    one = Counting([b], observed=[n], background_error=[error])
    limit = {name: float(upper_limit([2.0], one, statistic=name)) for name in NAMES}
    assert limit["cls"] == pytest.approx(cls_upper_limit(n, b, error) / 2.0)
    assert limit["bayesian"] == pytest.approx(limit["cls"], rel=2e-5)
    root = bayesian_upper_limit(n, b, error, prior="sqrt")
    assert limit["bayesian-sqrt"] == pytest.approx(root / 2.0, rel=2e-5)
    unified = feldman_cousins(n, b, b_error=error).upper
    assert limit["feldman-cousins"] == pytest.approx(unified / 2.0)
    if error == 0.0:
        assert limit["poisson"] == pytest.approx(poisson_upper_limit(n, b) / 2.0)


def test_profile_limit_of_no_events_is_half_of_z_squared():
    """s = 1.645^2/2 at 95 %: the level of 1.353 events used in the literature."""
    for b in (0.0, 0.5):
        limit = upper_limit([1.0], Counting([b], observed=[0]), statistic="profile", cl=0.95)
        assert limit == pytest.approx(stats.norm.ppf(0.95) ** 2 / 2.0, rel=1e-7)


def test_profile_limit_solves_its_equation():
    n, b, tau = 7.0, 3.0, (3.0 / 1.2) ** 2
    one = Counting([b], observed=[n], background_error=[1.2])
    s = float(upper_limit([1.0], one, statistic="profile"))
    level = np.linspace(0.01, 4.0, 400_001)

    def lowest(signal):
        mean = signal + b * level
        return 2.0 * np.min(mean - n * np.log(mean) + tau * (level - np.log(level)))

    assert lowest(s) - lowest(n - b) == pytest.approx(stats.norm.ppf(0.9) ** 2, abs=1e-6)


def test_fixed_levels_ignore_the_data():
    signal = [[1.0] * 10, [0.0] * 10]
    found = upper_limit(signal, T2K, statistic="fixed:1.353")
    np.testing.assert_allclose(found, [0.1353, np.inf])
    with pytest.raises(ConfigError, match="fixed:2.3"):
        upper_limit(signal, T2K, statistic="fixed:-1")


# --- several bins --------------------------------------------------------------------------------


def test_no_events_in_any_channel_counts_the_total_signal():
    signal = np.random.default_rng(3).gamma(0.5, 1.0, (5, 10))
    total = signal.sum(axis=1)
    for name, level in {"cls": -np.log(0.1), "bayesian": -np.log(0.1),
                        "bayesian-sqrt": special.erfinv(0.9) ** 2}.items():  # fmt: skip
        found = upper_limit(signal, T2K, statistic=name)
        np.testing.assert_allclose(found * total, level, rtol=1e-5)


def test_exact_cls_by_listing_all_outcomes():
    b, s, seen = np.array([1.5, 0.4, 0.1]), np.array([0.5, 1.0, 0.8]), np.array([2, 0, 1])
    many = Counting(b, observed=seen)
    mu = float(upper_limit(s, many))
    k = weights(s[None, :], b, 3.0)[0]
    n = np.array(list(itertools.product(range(30), repeat=3)))
    n = n[n @ k <= k @ seen]
    both = stats.poisson.pmf(n, mu * s + b).prod(axis=1).sum()
    background = stats.poisson.pmf(n, b).prod(axis=1).sum()
    assert both / background == pytest.approx(0.1, rel=1e-6)


def test_exact_cls_averages_over_all_errors():
    """Against pseudo-experiments with everything thrown, 4 standard errors."""
    b, error = np.array([2.0, 0.5]), np.array([0.9, 0.5])
    s, seen = np.array([1.0, 1.5]), np.array([3, 1])
    many = Counting(b, seen, error, signal_errors={"flux": 0.3}, background_errors={"flux": 0.2})
    mu = float(upper_limit(s, many))
    rng = np.random.default_rng(5)
    toys = 1_000_000
    theta = rng.standard_normal((toys, 1))
    level = (
        rng.gamma((b / error) ** 2, error**2 / b, (toys, 2))
        * 1.2**theta
        / np.exp(0.5 * np.log(1.2) ** 2)
    )
    k = weights(s[None, :], b, 4.0)[0]
    up = 1.3**theta / np.exp(0.5 * np.log(1.3) ** 2)
    both = np.mean(rng.poisson(mu * s * up + level) @ k <= k @ seen)
    background = np.mean(rng.poisson(level) @ k <= k @ seen)
    sigma = both / background * np.sqrt((1 - both) / both / toys + (1 - background) / toys)
    assert both / background == pytest.approx(0.1, abs=4 * sigma)


def test_generating_function_of_the_background_is_a_probability():
    k = np.array([[3, 1, 2, 5, 4, 1, 7, 2, 6, 1]])
    terms = background_terms(constraints(T2K), k, np.zeros((1, 0)), 400)
    t = np.arange(401)
    assert terms.sum() == pytest.approx(1.0)
    assert terms[0, 0] @ t == pytest.approx(k[0] @ T2K.background)
    variance = terms[0, 0] @ t**2 - (terms[0, 0] @ t) ** 2
    expected = k[0] ** 2 @ (T2K.background + T2K.background_error**2)
    assert variance == pytest.approx(expected, rel=1e-6)


def test_bayesian_limit_of_two_bins_against_direct_integration():
    b, error = np.array([2.0, 0.6]), np.array([0.8, 0.0])
    s, seen = np.array([1.0, 0.7]), np.array([3, 1])
    two = Counting(b, seen, error, signal_errors={"flux": 0.25})
    mu = float(upper_limit(s, two, statistic="bayesian"))
    # Negative binomial plus Poisson in the first bin, Poisson in the second.
    r, p = (b[0] / error[0]) ** 2, 1.0 / (1.0 + error[0] ** 2 / b[0])
    k = np.arange(4)

    def mass(x):
        theta = np.linspace(-7.0, 7.0, 141)
        y = x[:, None] * 1.25**theta / np.exp(0.5 * np.log(1.25) ** 2)
        first = stats.poisson.pmf(3 - k, y[..., None] * s[0]) @ stats.nbinom.pmf(k, r, p)
        density = first * stats.poisson.pmf(1, y * s[1] + b[1]) @ np.diag(stats.norm.pdf(theta))
        return integrate.simpson(density.sum(axis=1), x=x)

    below, above = mass(np.linspace(0.0, mu, 401)), mass(np.linspace(mu, 60.0, 2001))
    assert below / (below + above) == pytest.approx(0.9, abs=1e-5)


def test_exact_and_large_sample_limits_meet():
    b = np.array([12.0, 8.0, 10.0])
    many = Counting(b, observed=[14, 7, 12])
    s = np.array([3.0, 1.0, 0.5])
    exact = upper_limit(s, many, method="exact")
    assert upper_limit(s, many, method="asymptotic") == pytest.approx(float(exact), rel=0.05)


def test_mc_errors_widen_and_are_propagated():
    signal = np.array([[0.4] * 10, [4.0] * 10])
    errors = 0.2 * signal
    plain = upper_limit(signal, T2K)
    assert (upper_limit(signal, T2K, signal_mc_error=errors) > plain).all()
    for name in ("bayesian", "profile", "poisson"):
        wide = upper_limit(signal, T2K, signal_mc_error=errors, statistic=name)
        assert (wide >= upper_limit(signal, T2K, statistic=name) - 1e-9).all()
    limit, error = upper_limit_with_error(signal, errors, T2K)
    np.testing.assert_array_equal(limit, plain)
    # Ten equal bins of 20 %: 6.3 % of the sum, and the limit is its inverse.
    np.testing.assert_allclose(error / limit, 0.2 / np.sqrt(10.0), rtol=2e-3)


def test_common_error_of_the_signal_is_one_parameter():
    """Ten bins at 15 % each in common are one bin at 15 %, not 15 %/sqrt(10)."""
    signal = np.full(10, 0.3)
    common = upper_limit(signal, Counting(T2K.background, np.zeros(10), signal_errors={"f": 0.15}))
    single = upper_limit([3.0], Counting([3.2], [0], signal_errors={"f": 0.15}))
    own = upper_limit(signal, Counting(T2K.background, np.zeros(10), efficiency_error=0.15))
    assert common == pytest.approx(float(single), rel=1e-6)
    assert own < common
    # E[exp(-s x)] = 0.1 with x = 1.15^theta over its mean
    theta, w = np.polynomial.hermite_e.hermegauss(40)
    mean = (
        w @ np.exp(-3.0 * float(common) * 1.15**theta / np.exp(0.5 * np.log(1.15) ** 2)) / w.sum()
    )
    assert mean == pytest.approx(0.1, rel=1e-6)


def test_covariance_of_rank_one_is_a_named_error():
    shape = np.array([0.1, 0.2, 0.05])
    named = Counting(THREE.background, THREE.observed, background_errors={"x": shape})
    matrix = Counting(
        THREE.background, THREE.observed, background_covariance=np.outer(shape, shape)
    )
    for name in ("profile", "bayesian"):
        expected = upper_limit(SIGNAL, named, statistic=name)
        np.testing.assert_allclose(upper_limit(SIGNAL, matrix, statistic=name), expected, rtol=1e-6)
    assert named.total_background().error == pytest.approx(matrix.total_background().error)


def test_small_covariance_gives_the_gaussian_limit():
    """Large counts and a covariance: the one-sided limit of a chi-squared."""
    b = np.array([1e6, 2e6, 1.5e6])
    fraction = 1e-4 * np.array([[4.0, 2.0, 1.0], [2.0, 3.0, 1.5], [1.0, 1.5, 5.0]])
    s = np.array([1e4, -0.0, 2e4])
    many = Counting(b, observed=b + np.array([5e3, -3e3, 8e3]), background_covariance=fraction)
    v = np.linalg.inv(fraction * np.outer(b, b) + np.diag(b))
    best = s @ v @ (many.observed - b) / (s @ v @ s)
    expected = best + stats.norm.ppf(0.9) / np.sqrt(s @ v @ s)
    assert upper_limit(s, many, statistic="profile") == pytest.approx(expected, rel=0.03)


def test_independent_draws_have_the_right_moments():
    for count in (2, 5, 12, 30):
        theta, w = draws(count)
        np.testing.assert_allclose(w @ theta, 0.0, atol=1e-12)
        np.testing.assert_allclose(w @ theta**2, 1.0, rtol=1e-12)


# --- properties ----------------------------------------------------------------------------------

few = st.integers(0, 6)
level = st.floats(0.05, 4.0)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(n=st.tuples(few, few), b=st.tuples(level, level), k=st.floats(0.01, 100.0))
def test_limits_scale_with_the_signal(name, n, b, k):
    two = Counting(b, n, np.multiply(b, 0.3), signal_errors={"flux": 0.1})
    one, scaled = upper_limit([[1.0, 0.6], [k, 0.6 * k]], two, statistic=name)
    assert scaled * k == pytest.approx(one, rel=2e-6, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(n=st.tuples(few, few), b=st.tuples(level, level))
def test_bins_that_say_nothing_do_not_matter(name, n, b):
    two = Counting(b, n, np.multiply(b, 0.3))
    more = two + Counting([3.0], [7], [1.0]) + Counting([0.0], [0])
    small = upper_limit([1.0, 0.6], two, statistic=name)
    large = upper_limit([1.0, 0.6, 0.0, 0.0], more, statistic=name)
    assert large == pytest.approx(float(small), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(n=few, m=few, b=level, share=st.floats(0.1, 0.9))
def test_bins_of_the_same_purity_may_be_merged(name, n, m, b, share):
    split = Counting([share * b, (1 - share) * b], [n, m])
    merged = upper_limit([2.0], Counting([b], [n + m]), statistic=name)
    apart = upper_limit([2 * share, 2 * (1 - share)], split, statistic=name)
    assert apart == pytest.approx(float(merged), rel=2e-5, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(n=st.tuples(few, few), b=st.tuples(level, level), cl=st.floats(0.6, 0.97))
def test_limits_rise_with_counts_and_level(name, n, b, cl):
    def limit(counts, cl=cl):
        many = Counting(b, counts, np.multiply(b, 0.2))
        return float(upper_limit([1.0, 1.0 * b[1] / b[0]], many, statistic=name, cl=cl))

    here = limit(n)
    assert limit(n, cl + 0.02) >= here - 1e-6
    assert limit((n[0] + 1, n[1])) >= here * (1 - 1e-5) - 1e-6
    assert limit((n[0], n[1] + 1)) >= here * (1 - 1e-5) - 1e-6


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_extreme_sizes(name, scale):
    b = np.array([scale, 2.0 * scale])
    many = Counting(b, np.round(b), 0.05 * b)
    limit = upper_limit(np.array([0.1, 0.1]), many, statistic=name)
    assert np.isfinite(limit)
    assert limit > 0.0


def test_signal_where_there_is_no_background():
    many = Counting([0.0, 5.0], observed=[2, 4])
    for name in NAMES:
        limit = upper_limit([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]], many, statistic=name)
        assert np.isfinite(limit).all()
        assert (limit[:2] > 0.0).all()


def test_shape_of_the_result_and_points_without_signal():
    signal = np.zeros((4, 3, 10))
    signal[1:, :, 2] = 1.0
    for name in (*NAMES, "fixed:2.3"):
        limit = upper_limit(signal, T2K, statistic=name)
        assert limit.shape == (4, 3)
        assert np.isinf(limit[0]).all()
        assert np.isfinite(limit[1:]).all()
    assert upper_limit(np.zeros(10), T2K) == np.inf


# --- expectations and significance ---------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_expected_limits_are_ordered(name):
    bands = expected_limits([[1.0] * 10, [0.2] * 10], T2K, statistic=name, toys=60)
    stacked = np.array(bands)
    assert stacked.shape == (5, 2)
    assert (np.diff(stacked, axis=0) >= -1e-12).all()
    np.testing.assert_allclose(stacked[:, 1], 5.0 * stacked[:, 0], rtol=1e-5)


def test_expected_limits_of_large_samples():
    """mu = sigma (Phi^-1(1 - alpha Phi(N)) + N), CCGV eqs. 88 and 89 for CLs."""
    b = np.array([1e4, 2e4])
    s = np.array([100.0, 150.0])
    sigma = 1.0 / np.sqrt(np.sum(s**2 / b))
    n = np.array([-2, -1, 0, 1, 2])
    expected = sigma * (stats.norm.ppf(1.0 - 0.1 * stats.norm.cdf(n)) + n)
    found = np.array(expected_limits(s, Counting(b)))
    np.testing.assert_allclose(found, expected, rtol=0.01)
    one_sided = np.array(expected_limits(s, Counting(b), statistic="profile"))
    assert one_sided[2] == pytest.approx(sigma * stats.norm.ppf(0.9), rel=0.01)
    exact = np.array(expected_limits([100.0], Counting([1e4])))
    again = np.array(expected_limits([100.0], Counting([1e4]), method="asymptotic"))
    np.testing.assert_allclose(exact, again, rtol=0.02)


def test_discovery_significance_of_one_bin_is_that_of_li_and_ma():
    one = Counting([3.0], observed=[9], background_error=[1.1])
    assert discovery_significance([2.0], one) == pytest.approx(float(significance(9, 3.0, 1.1)))
    expected = discovery_significance([2.0], one, expected=True, mu=1.5)
    assert expected == pytest.approx(float(significance(6.0, 3.0, 1.1)), rel=1e-6)
    assert discovery_significance([2.0], one.with_observed([2])) == 0.0
    np.testing.assert_array_equal(discovery_significance([[0.0], [0.0]], one), 0.0)


# --- the description -----------------------------------------------------------------------------


def test_parts_are_combined_by_name():
    first = Counting.of_channel("a", Estimate(0.5, 0.2), 1, signal_errors={"flux": 0.1})
    second = Counting.of_channel("b", 2.0, 3, signal_errors={"flux": 0.2, "own": 0.3})
    both = first + second
    assert both.names == ("a", "b")
    np.testing.assert_allclose(both.signal_errors["flux"], [0.1, 0.2])
    np.testing.assert_allclose(both.signal_errors["own"], [0.0, 0.3])
    np.testing.assert_allclose(both.background_error, [0.2, 0.0])
    assert constraints(both).count == 2
    assert both.select("b").observed == 3
    assert both.expected_only().observed is None
    assert both.total_background() == pytest.approx((2.5, 0.2))
    with pytest.raises(ConfigError, match="have not"):
        first + second.expected_only()
    with pytest.raises(UnknownNameError, match="bin called 'c'"):
        both.select("c")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (([-1.0],), "bin 0 it is -1"),
        (([np.nan],), "finite"),
        (([1.0, 2.0], [1]), "1 observed numbers"),
        (([1.0], [0.5]), "expected_limits"),
        (([0.0], [0], [0.1]), "0 \\+- 0.1"),
        (([1.0, 1.0], None, [0.1, 0.2, 0.3]), "shape \\(3,\\)"),
        (([],), "at least one bin"),
        (([1.0], [0], 0.0, 0.0, 0.15), "dictionary"),
    ],
)
def test_descriptions_that_make_no_sense(arguments, text):
    with pytest.raises(ConfigError, match=text):
        Counting(*arguments)


def test_covariances_are_checked():
    for matrix, text in [
        (np.eye(3), "need \\(2, 2\\)"),
        (np.array([[1.0, 0.5], [0.1, 1.0]]), "symmetric"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "lowest eigenvalue"),
    ]:
        with pytest.raises(ConfigError, match=text):
            Counting([1.0, 1.0], background_covariance=matrix)


def test_arguments_that_make_no_sense():
    signal = np.ones(10)
    with pytest.raises(UnknownNameError, match="Did you mean 'feldman-cousins'"):
        upper_limit(signal, T2K, statistic="feldman_cousin")
    with pytest.raises(UnknownNameError, match="method"):
        upper_limit(signal, T2K, method="toy")
    with pytest.raises(ConfigError, match="one method only"):
        upper_limit(signal, T2K, statistic="profile", method="toys")
    with pytest.raises(ConfigError, match="last axis must hold the 10 bins"):
        upper_limit(np.ones(9), T2K)
    with pytest.raises(ConfigError, match="not negative; at \\(3,\\)"):
        upper_limit(np.where(np.arange(10) == 3, -1.0, 1.0), T2K)
    with pytest.raises(ConfigError, match="finite"):
        upper_limit(signal * np.nan, T2K)
    with pytest.raises(ConfigError, match="0.95"):
        upper_limit(signal, T2K, cl=95)
    with pytest.raises(ConfigError, match="expected_limits"):
        upper_limit(signal, T2K.expected_only())
    with pytest.raises(ConfigError, match="at most 50"):
        upper_limit(SIGNAL, THREE, method="exact")


# --- pyhf ----------------------------------------------------------------------------------------


# pyhf reads its schemas by a class that newer versions of jsonschema deprecate.
OLD_SCHEMA = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def hifactory(pyhf):
    """The experiment `THREE` in pyhf, with its exponential interpolation."""

    def norm(name, size):
        data = {"hi": 1.0 + size, "lo": 1.0 / (1.0 + size)}
        return {"name": name, "type": "normsys", "data": data}

    mu = {"name": "mu", "type": "normfactor", "data": None}
    counted = {"name": "counted", "type": "shapesys", "data": list(THREE.background_error)}
    signal = {"name": "s", "data": list(SIGNAL), "modifiers": [mu, norm("flux", 0.2)]}
    modifiers = [counted, norm("shape", 0.1), norm("flux", 0.05)]
    background = {"name": "b", "data": list(THREE.background), "modifiers": modifiers}
    spec = {"channels": [{"name": "all", "samples": [signal, background]}]}
    settings = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}
    return pyhf.Model(spec, poi_name="mu", modifier_settings=settings)


def our_cls(signal, counting, mu):
    of = constraints(counting)
    data = nominal_data(of, counting.observed)
    row = np.atleast_2d(signal)
    observed = TestStatistic(row, of, data)
    asimov = TestStatistic(row, of, asimov_data(of, data))
    return float(np.exp(cls_values(np.array([mu]), observed, asimov))[0])


@OLD_SCHEMA
@pytest.mark.parametrize("mu", [0.4, 1.0, 2.0, 3.5])
def test_asymptotic_cls_is_that_of_pyhf(mu):
    pyhf = pytest.importorskip("pyhf")
    simple = pyhf.simplemodels.uncorrelated_background([5.0, 10.0], [50.0, 60.0], [7.0, 12.0])
    data = [52, 66, *simple.config.auxdata]
    expected = pyhf.infer.hypotest(mu, data, simple, test_stat="qtilde")
    two = Counting([50.0, 60.0], [52, 66], [7.0, 12.0])
    # The minimiser of pyhf stops at 1e-5 of its goal.
    assert our_cls([5.0, 10.0], two, mu) == pytest.approx(float(expected), rel=1e-4)
    model = hifactory(pyhf)
    data = [*THREE.observed, *model.config.auxdata]
    expected = pyhf.infer.hypotest(mu, data, model, test_stat="qtilde")
    assert our_cls(SIGNAL, THREE, mu) == pytest.approx(float(expected), rel=1e-4)


@OLD_SCHEMA
def test_limits_and_bands_are_those_of_pyhf():
    pyhf = pytest.importorskip("pyhf")
    model = hifactory(pyhf)
    # Data equal to the background: then its Asimov data are nominal, too.
    data = [*THREE.background, *model.config.auxdata]
    scan = pyhf.infer.intervals.upper_limits.toms748_scan
    observed, bands = scan(data, model, 0.0, 10.0, level=0.1, rtol=1e-6)
    level = THREE.with_observed(THREE.background)
    found = upper_limit(SIGNAL, level, method="asymptotic")
    assert found == pytest.approx(float(observed), rel=2e-4)
    expected = np.array(expected_limits(SIGNAL, THREE, method="asymptotic"))
    np.testing.assert_allclose(expected, [float(x) for x in bands], rtol=5e-4)


@OLD_SCHEMA
def test_discovery_significance_is_that_of_pyhf():
    pyhf = pytest.importorskip("pyhf")
    model = hifactory(pyhf)
    more = THREE.with_observed([70, 90, 35])
    data = [*more.observed, *model.config.auxdata]
    p = pyhf.infer.hypotest(0.0, data, model, test_stat="q0")
    found = discovery_significance(SIGNAL, more)
    assert found == pytest.approx(stats.norm.isf(float(p)), rel=1e-4)


def test_steep_likelihoods_are_fitted():
    """Errors of 100 % and counts far from the expectation."""
    many = Counting(
        [0.0153, 4.0], [3, 0], [0.0154, 4.0], signal_errors={"x": 1.0}, background_errors={"y": 1.0}
    )
    of = constraints(many)
    data = nominal_data(of, many.observed)
    likelihood = Likelihood(np.array([[1.0, 1.0]]), of, data)
    fit = likelihood.fit(np.array([0.5]))
    step = 1e-5
    for k in range(2):
        for sign in (-1, 1):
            theta = fit.theta.copy()
            theta[0, k] += sign * step
            up, background = likelihood._factors(theta)
            value = likelihood._value(0.5 * up, background, data.observed)[0]
            assert 2.0 * value + np.sum(theta**2) >= fit.deviance - 1e-12
    assert rough_limit(np.ones((1, 2)), many.background)[0] > 0.0
