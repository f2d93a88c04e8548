"""Limits and significances to be expected."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from siren_py._typing import ArrayLike, FloatArray
from siren_py.counting import asymptotic
from siren_py.counting.fit import nominal_data
from siren_py.counting.model import Counting
from siren_py.counting.nuisance import Constraints, constraints
from siren_py.counting.points import Points, read_points
from siren_py.counting.poisson import check_level
from siren_py.counting.statistic import (
    FEW_EVENTS,
    METHODS,
    count_quantile,
    limits_of,
    parse_statistic,
    sum_limits,
)
from siren_py.counting.toys import throw_averaged
from siren_py.errors import ConfigError, unknown_name
from siren_py.rng import stream

SIGMAS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


class ExpectedLimits(NamedTuple):
    """Limits expected for background alone.

    Attributes
    ----------
    median
        Median, (...).
    minus2, minus1, plus1, plus2
        Quantiles at -2, -1, +1 and +2 standard deviations, (...).

    Examples
    --------
    >>> from siren_py.counting import expected_upper_limit
    >>> bands = expected_upper_limit(0.5)
    >>> bool(bands.minus1 <= bands.median <= bands.plus1)
    True
    """

    minus2: FloatArray
    minus1: FloatArray
    median: FloatArray
    plus1: FloatArray
    plus2: FloatArray


def expected_limits(
    signal: ArrayLike,
    counting: Counting,
    *,
    statistic: str = "cls",
    cl: float = 0.9,
    signal_mc_error: ArrayLike | None = None,
    method: str = "auto",
    toys: int = 400,
    seed: int = 1,
) -> ExpectedLimits:
    """Median limit and its 68 and 95 % bands if there is background only.

    Parameters
    ----------
    signal, counting, statistic, cl, signal_mc_error
        As for `upper_limit`; observed events are not used.
    method
        ``"asymptotic"``: from the Asimov data set (CCGV), for "cls" and "profile"; ``"exact"``:
        from the quantiles of the sum of events (one number) or, for several bins, from `toys`
        sets of counts with the exact limit of each; ``"auto"``: exact for one bin, for the
        statistics of the sum and for at most 50 background events; asymptotic otherwise.
    toys, seed
        Number of sets of counts, and their seed.

    Returns
    -------
    ExpectedLimits
        Arrays of the shape (...).

    Raises
    ------
    ConfigError, UnknownNameError
        If an argument cannot be used or the statistic or method does not exist.

    Examples
    --------
    >>> from siren_py.counting import Counting
    >>> bands = expected_limits([[2.0]], Counting([0.5]), cl=0.9)
    >>> bands.median.shape
    (1,)
    """
    kind, level = parse_statistic(statistic)
    cl = check_level(cl)
    if method not in METHODS[:3]:
        raise unknown_name("method", method, METHODS[:3])
    points = read_points(signal, counting, signal_mc_error)
    if kind == "fixed":
        return ExpectedLimits(*([points.spread(level / points.signal.sum(axis=1))] * 5))
    if not points.usable.any():
        return ExpectedLimits(*([points.spread(np.zeros(0))] * 5))
    of = constraints(counting, points.relative)
    large_sample = kind in ("cls", "profile")
    if method == "asymptotic" and not large_sample:
        raise ConfigError(f"The statistic {kind!r} has no large-sample form; use method='exact'.")
    if method == "auto":
        few = counting.background.sum() <= FEW_EVENTS
        single = counting.size == 1 and kind == "cls"
        method = "exact" if few or single or not large_sample else "asymptotic"
    if method == "asymptotic":
        data = nominal_data(of, counting.background)
        expected = asymptotic.expected_cls if kind == "cls" else asymptotic.expected_profile
        values = expected(points.signal, of, data, cl, SIGMAS)
    elif kind in ("poisson", "feldman-cousins") or (
        kind == "cls" and counting.size == 1 and not of.levels.any()
    ):
        values = np.array([sum_limits(points, counting, None, kind, cl, z) for z in SIGMAS])
    elif counting.size == 1:
        b, error = counting.total_background()
        counts = [count_quantile(b, error, float(p)) for p in special.ndtr(SIGMAS)]
        values = np.array(
            [limits_of(points, counting, np.array([float(n)]), kind, cl, "auto", 0, seed)
             for n in counts]
        )  # fmt: skip
    else:
        values = _thrown(points, counting, of, kind, cl, toys, seed)
    return ExpectedLimits(*(points.spread(v) for v in values))


def _thrown(
    points: Points, counting: Counting, of: Constraints, kind: str, cl: float, toys: int, seed: int
) -> FloatArray:
    """Quantiles of the limits of sets of background counts, (sigmas, points)."""
    counts = throw_averaged(of, toys, stream(seed, "expected"))
    unique, back = np.unique(counts, axis=0, return_inverse=True)
    limits = np.array(
        [limits_of(points, counting, row, kind, cl, "auto", 0, seed) for row in unique]
    )
    return np.asarray(np.quantile(limits[back.reshape(-1)], special.ndtr(SIGMAS), axis=0))


def expected_upper_limit(
    b: float, b_error: float = 0.0, cl: float = 0.9, *, statistic: str = "cls"
) -> ExpectedLimits:
    """Median and bands of the limit on a number of signal events in one bin.

    The quantiles are those of the exact distribution of the counts; the errors of the background
    are averaged over.

    Parameters
    ----------
    b, b_error
        Expected background and its standard error.
    cl
        Confidence level.
    statistic
        One of `statistics()`.

    Returns
    -------
    ExpectedLimits
        Limits in signal events.

    Raises
    ------
    ConfigError, UnknownNameError
        If a number is out of range or the statistic does not exist.

    Examples
    --------
    >>> f"{float(expected_upper_limit(0.0, cl=0.9).median):.3f}"
    '2.303'
    """
    one = Counting(np.array([b]), background_error=np.array([b_error]))
    return expected_limits(np.ones(1), one, statistic=statistic, cl=cl, method="exact")


def discovery_significance(
    signal: ArrayLike, counting: Counting, *, mu: float = 1.0, expected: bool = False
) -> FloatArray:
    """Significance sqrt(q0) of an excess of the shape of each signal, in standard deviations.

    Parameters
    ----------
    signal
        Expected events, (..., bins).
    counting
        The experiment.
    mu
        Multiplier of the signal in the expected data.
    expected
        Use the Asimov data of background plus mu times the signal in place of the observed
        events: the median significance.

    Returns
    -------
    ndarray
        Significances, (...); zero where the fit prefers no signal (and where none is expected).

    Raises
    ------
    ConfigError
        If the data are missing or an argument cannot be used.

    Examples
    --------
    >>> from siren_py.counting import Counting
    >>> z = discovery_significance([[6.0]], Counting([3.0], observed=[9]))
    >>> f"{z[0]:.2f}"
    '2.79'
    """
    points = read_points(signal, counting, None)
    of = constraints(counting)
    if not expected and counting.observed is None:
        raise ConfigError("This experiment has no observed events; ask for expected=True.")
    if not points.usable.any():
        return np.zeros(points.shape)
    if expected:
        if not (np.isfinite(mu) and mu >= 0.0):
            raise ConfigError(f"The multiplier must be finite and not negative; it is {mu!r}.")
        data = nominal_data(of, mu * points.signal + counting.background)
    else:
        assert counting.observed is not None
        data = nominal_data(of, counting.observed)
    values = np.zeros(len(points.usable))
    values[points.usable] = asymptotic.discovery(points.signal, of, data)
    return values.reshape(points.shape)
