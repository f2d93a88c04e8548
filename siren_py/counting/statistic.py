"""Upper limits by the name of a statistic, for thousands of signals at once."""

from __future__ import annotations

import numpy as np
from scipy import special

from siren_py._typing import ArrayLike, FloatArray
from siren_py.counting import asymptotic
from siren_py.counting.fit import nominal_data
from siren_py.counting.lattice import lattice_limit
from siren_py.counting.model import Counting
from siren_py.counting.nuisance import constraints
from siren_py.counting.points import Points, numbered, read_points, relative_of_sum
from siren_py.counting.poisson import background_probabilities, check_level, sum_limit
from siren_py.counting.posterior import bayesian_limit
from siren_py.counting.toys import toy_limit
from siren_py.counting.unified import feldman_cousins
from siren_py.errors import ConfigError, unknown_name

# "auto" uses exact probabilities up to this many observed events and this much background.
FEW_EVENTS = 50
MUCH_BACKGROUND = 300.0
METHODS = ("auto", "exact", "asymptotic", "toys")

_STATISTICS = {
    "cls": "CLs = CL_{s+b}/CL_b. Exact for one bin and for few events, q-tilde of the profile "
    "likelihood in its large-sample form otherwise.",
    "poisson": "P(N <= n) = 1 - cl for the sum of all bins with signal, one-sided (CL_{s+b}).",
    "feldman-cousins": "Upper end of the unified interval for the sum of all bins with signal.",
    "bayesian": "Posterior with a prior flat in mu, all bins, errors integrated.",
    "bayesian-sqrt": "Posterior with a prior flat in sqrt(mu): flat in U^2 if the signal goes as "
    "U^4.",
    "profile": "One-sided profile likelihood, q-tilde = z^2 with Phi(z) = cl (1.642 at 90 %, 2.706 "
    "at 95 %).",
    "fixed:<events>": "The limit is where so many signal events are expected, whatever the data.",
}


def statistics() -> dict[str, str]:
    """Names of the statistics of `upper_limit` and what each does.

    Returns
    -------
    dict of str to str
        Name to one sentence.

    Examples
    --------
    >>> "cls" in statistics()
    True
    """
    return dict(_STATISTICS)


def parse_statistic(name: str) -> tuple[str, float]:
    """Kind of a statistic, and the number of events of a fixed one."""
    if isinstance(name, str) and name.startswith("fixed:"):
        try:
            level = float(name.removeprefix("fixed:"))
        except ValueError:
            level = np.nan
        if not (np.isfinite(level) and level > 0.0):
            raise ConfigError(
                f"The statistic {name!r} needs a positive number of events: 'fixed:2.3'."
            )
        return "fixed", level
    if name not in _STATISTICS:
        raise unknown_name("statistic", name, _STATISTICS)
    return name, 0.0


def upper_limit(
    signal: ArrayLike,
    counting: Counting,
    *,
    statistic: str = "cls",
    cl: float = 0.9,
    signal_mc_error: ArrayLike | None = None,
    method: str = "auto",
    toys: int = 2000,
    seed: int = 1,
) -> FloatArray:
    """Upper limit on a multiplier mu of each of many signals.

    A point is excluded where mu_up < 1.

    Parameters
    ----------
    signal
        Expected events at mu = 1, (..., bins).
    counting
        The experiment, with observed events.
    statistic
        One of `statistics()`.
    cl
        Confidence level.
    signal_mc_error
        Standard errors of the signal from a simulation, (..., bins), independent between bins.
        They enter as a further error of the efficiency.
    method
        For ``"cls"``: ``"exact"`` (sums over all outcomes), ``"asymptotic"``, ``"toys"``
        (pseudo-experiments of the profile likelihood), or ``"auto"``: exact up to 50 observed
        events and 300 of background or for a single bin, asymptotic otherwise. The other
        statistics have one method each.
    toys, seed
        Number of pseudo-experiments for each of the two hypotheses, and their seed.

    Returns
    -------
    ndarray
        mu_up, (...); infinite where no signal is expected.

    Raises
    ------
    ConfigError
        If numbers are negative or not finite, shapes do not fit or nothing was observed.
    UnknownNameError
        If there is no such statistic.

    Examples
    --------
    >>> channels = Counting([0.563, 0.0153], observed=[0, 0])
    >>> upper_limit([[1.0, 0.5], [4.0, 2.0], [0.0, 0.0]], channels).round(3)
    array([1.535, 0.384,   inf])
    >>> round(float(upper_limit([1.0, 0.0], channels, statistic="profile", cl=0.95)), 3)
    1.353
    """
    kind, level = parse_statistic(statistic)
    cl = check_level(cl)
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    points = read_points(signal, counting, signal_mc_error)
    if kind == "fixed":
        return points.spread(level / points.signal.sum(axis=1))
    observed = counting.observed
    if observed is None:
        raise ConfigError(
            "This experiment has no observed events. Give `observed`, or ask for expected_limits()."
        )
    if not points.usable.any():
        return points.spread(np.zeros(0))
    return points.spread(limits_of(points, counting, observed, kind, cl, method, toys, seed))


def limits_of(
    points: Points,
    counting: Counting,
    observed: FloatArray,
    kind: str,
    cl: float,
    method: str,
    toys: int,
    seed: int,
) -> FloatArray:
    """Limits of the usable points for a set of counts, (points,)."""
    if method != "auto" and kind != "cls":
        raise ConfigError(f"The statistic {kind!r} has one method only; leave `method` out.")
    if kind in ("poisson", "feldman-cousins"):
        return sum_limits(points, counting, observed, kind, cl)
    # A bin without signal says nothing about it unless errors tie it to the others.
    if counting.background_covariance is None and not counting.background_errors:
        used = points.signal.any(axis=0)
        names = [str(i) for i in np.flatnonzero(used)]
        renamed = numbered(counting)
        counting, observed = renamed.select(*names), observed[used]
        relative = None if points.relative is None else points.relative[:, used]
        points = points._replace(signal=points.signal[:, used], relative=relative)
    of = constraints(counting, points.relative)
    if kind in ("bayesian", "bayesian-sqrt"):
        power = 1.0 if kind == "bayesian" else 0.5
        return bayesian_limit(points.signal, of, observed, cl, power)
    data = nominal_data(of, observed)
    if kind == "profile":
        return asymptotic.profile_limit(points.signal, of, data, cl)
    if method == "auto":
        single = counting.size == 1 and not of.levels.any()
        method = "exact" if single or _few(counting, observed) else "asymptotic"
    if method == "asymptotic":
        return asymptotic.cls_limit(points.signal, of, data, cl)
    if method == "toys":
        return toy_limit(points.signal, of, data, cl, toys, seed)
    if counting.size == 1 and not of.levels.any():
        return sum_limits(points, counting, observed, "cls", cl)
    if not _few(counting, observed):
        raise ConfigError(
            f"Exact sums over several bins are for at most {FEW_EVENTS} observed events and "
            f"{MUCH_BACKGROUND:g} of background; here they are {observed.sum():g} and "
            f"{counting.background.sum():g}. Use method='asymptotic'."
        )
    return lattice_limit(points.signal, of, observed, cl)


def _few(counting: Counting, observed: FloatArray) -> bool:
    return bool(observed.sum() <= FEW_EVENTS and counting.background.sum() <= MUCH_BACKGROUND)


def sum_limits(
    points: Points,
    counting: Counting,
    observed: FloatArray | None,
    kind: str,
    cl: float,
    sigma: float | None = None,
) -> FloatArray:
    """Limits from the sum over the bins that have signal, (points,).

    If `sigma` is given, the count is that quantile of the background in place of the observed.
    """
    relative = relative_of_sum(points, counting)
    total = points.signal.sum(axis=1)
    limits = np.empty(len(total))
    patterns, back = np.unique(points.signal > 0.0, axis=0, return_inverse=True)
    back = back.reshape(-1)
    renamed = numbered(counting)
    for i, pattern in enumerate(patterns):
        here = back == i
        chosen = renamed.select(*[str(j) for j in np.flatnonzero(pattern)])
        b, error = chosen.total_background()
        if sigma is not None:
            n = float(count_quantile(b, error, float(special.ndtr(sigma))))
        else:
            assert observed is not None
            n = float(observed[pattern].sum())
        if kind == "feldman-cousins":
            limits[here] = _unified(n, b, error, cl, relative[here]) / total[here]
        else:
            limits[here] = sum_limit(total[here], n, b, error, cl, relative[here], kind == "cls")
    return limits


def _unified(n: float, b: float, error: float, cl: float, relative: FloatArray) -> FloatArray:
    """Upper ends of unified intervals for relative errors of the signal, (points,).

    With many different errors the ends are interpolated in the square of the error.
    """
    unique, back = np.unique(relative.round(6), return_inverse=True)
    if len(unique) <= 8:
        ends = [feldman_cousins(n, b, cl, b_error=error, signal_error=r).upper for r in unique]
        return np.asarray(ends)[back]
    knots = np.sqrt(np.linspace(unique[0] ** 2, unique[-1] ** 2, 8))
    ends = [feldman_cousins(n, b, cl, b_error=error, signal_error=float(r)).upper for r in knots]
    return np.asarray(np.interp(relative**2, knots**2, ends))


def upper_limit_with_error(
    signal: ArrayLike,
    signal_mc_error: ArrayLike,
    counting: Counting,
    **options: object,
) -> tuple[FloatArray, FloatArray]:
    """Upper limits and how far the errors of a simulation move them.

    Unlike in `upper_limit`, the errors of the simulation do not widen the limit: they are its
    own statistical error, from the shift of the limit as each bin is moved by plus and minus
    one standard error, in quadrature.

    Parameters
    ----------
    signal, signal_mc_error
        Expected events at mu = 1 and their standard errors, (..., bins).
    counting
        The experiment.
    **options
        Further arguments of `upper_limit`.

    Returns
    -------
    limit, error
        mu_up and its standard error, (...). The error is zero where the limit is infinite.

    Raises
    ------
    ConfigError, UnknownNameError
        As for `upper_limit`.

    Examples
    --------
    >>> from siren_py.counting import Counting
    >>> one = Counting([0.0], observed=[0])
    >>> limit, error = upper_limit_with_error([[2.0]], [[0.1]], one, cl=0.9)
    >>> f"{limit[0]:.3f} +- {error[0]:.3f}"
    '1.151 +- 0.058'
    """
    s = np.asarray(signal, dtype=np.float64)
    read_points(s, counting, signal_mc_error)
    e = np.asarray(signal_mc_error, dtype=np.float64)
    limit = upper_limit(s, counting, **options)  # type: ignore[arg-type]
    known = np.isfinite(limit)
    variance = np.zeros(limit.shape)
    for i in range(counting.size):
        if not e[..., i].any():
            continue
        step = np.zeros(counting.size)
        step[i] = 1.0
        up = upper_limit(s + e * step, counting, **options)  # type: ignore[arg-type]
        lower = np.maximum(s - e * step, 0.0)
        down = upper_limit(lower, counting, **options)  # type: ignore[arg-type]
        # A bin whose error reaches down to zero may leave nothing: then the other side counts.
        down = np.where(np.isfinite(down), down, 2.0 * limit - up)
        difference = np.where(known, 0.5 * (down - np.where(known, up, 0.0)), 0.0)
        variance += difference**2
    return limit, np.sqrt(variance)


def count_quantile(b: float, error: float, probability: float) -> int:
    """Smallest number of background events n with P(N <= n) >= probability."""
    if b == 0.0:
        return 0
    high = b + 12.0 * np.sqrt(b + error**2) + 40.0 * (1.0 + error**2 / b)
    if high > 20_000:
        # Normal quantile: the step of one event is far below the width.
        z = float(special.ndtri(probability))
        return max(0, int(np.ceil(b + z * np.sqrt(b + error**2) - 0.5)))
    sums = np.cumsum(background_probabilities(int(high), b, error))
    return int(np.searchsorted(sums, probability))
