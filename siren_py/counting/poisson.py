"""Limits and intervals for one number of events, in closed form or by exact sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from siren_py._typing import ArrayLike, FloatArray
from siren_py.counting.model import negligible
from siren_py.counting.nuisance import draws
from siren_py.counting.roots import falling_root
from siren_py.errors import ConfigError

# Beyond this many events the sum over the split into signal and background is replaced by an
# average over the background.
LONGEST_SUM = 1000
BACKGROUND_NODES = 200

Prior = Callable[[FloatArray], FloatArray]


class Interval(NamedTuple):
    """A confidence interval on a number of signal events.

    Parameters
    ----------
    lower, upper
        Its ends, in events.

    Examples
    --------
    >>> from siren_py.counting import poisson_interval
    >>> lower, upper = poisson_interval(3)
    >>> f"{lower:.2f} to {upper:.2f}"
    '0.82 to 7.75'
    """

    lower: float
    upper: float


def check_level(cl: float) -> float:
    """Return a confidence level after checking that it lies between 0 and 1."""
    if not (isinstance(cl, (int, float, np.floating)) and 0.0 < cl < 1.0):
        hint = f" Do you mean {cl / 100.0}?" if isinstance(cl, (int, float)) and cl > 1.0 else ""
        raise ConfigError(f"A confidence level lies between 0 and 1; it is {cl!r}.{hint}")
    return float(cl)


def _check(n: float, b: float, error: float) -> None:
    if not (np.isfinite(n) and n >= 0.0 and n == np.round(n)):
        raise ConfigError(f"The number of events must be a whole number >= 0; it is {n!r}.")
    if not (np.isfinite(b) and b >= 0.0):
        raise ConfigError(f"The background must be finite and not negative; it is {b!r}.")
    if not (np.isfinite(error) and error >= 0.0):
        raise ConfigError(
            f"The error of the background must be finite and not negative; it is {error!r}."
        )
    if error > 0.0 and b == 0.0:
        raise ConfigError(
            f"The background is 0 +- {error}: its error is a relative one, so a background of "
            "zero has none. Give the expectation that the error belongs to."
        )


def background_probabilities(n: int, b: float, error: float = 0.0) -> FloatArray:
    """Probabilities of 0 ... n background events, (n + 1,).

    Poisson, or its average over a Gamma distribution of the mean `b` and the standard deviation
    `error`: the negative binomial.
    """
    k = np.arange(n + 1.0)
    if negligible(b, error):
        return np.exp(special.xlogy(k, b) - b - special.gammaln(k + 1.0))
    theta = error**2 / b
    # Ratios of neighbours: no difference of large gamma functions if the error is small.
    ratio = np.log((b + k[:-1] * theta) / ((1.0 + theta) * (k[:-1] + 1.0)))
    log = np.concatenate([[0.0], np.cumsum(ratio)])
    return np.asarray(np.exp(log - b * np.log1p(theta) / theta))


def at_most(n: float, s: FloatArray, b: float, error: float = 0.0) -> FloatArray:
    """P(N <= n) for signals s and a background b +- error, averaged over the background.

    Sum over k of P(k background events) Q(n - k + 1, s), Q the regularised incomplete gamma
    function; for more than 1000 events an average over quantiles of the background.
    """
    s = np.asarray(s, dtype=np.float64)
    if negligible(b, error):
        return np.asarray(special.gammaincc(n + 1.0, s + b))
    if n <= LONGEST_SUM:
        weights = background_probabilities(int(n), b, error)
        k = np.arange(n + 1.0)
        # Terms that cannot matter are left out: a scan has thousands of s.
        keep = weights > 1e-18 * weights.max()
        return np.asarray(special.gammaincc(n - k[keep] + 1.0, s[..., None]) @ weights[keep])
    x, w = np.polynomial.legendre.leggauss(BACKGROUND_NODES)
    r = (b / error) ** 2
    # In units of the standard normal variable the integrand is smooth.
    z = 8.0 * x
    level = special.gammaincinv(r, special.ndtr(z)) / r if r < 1e6 else 1.0 + z / np.sqrt(r)
    w = w * np.exp(-0.5 * z * z)
    tail = special.gammaincc(n + 1.0, s[..., None] + b * np.maximum(level, 0.0))
    return np.asarray(tail @ (w / w.sum()))


def spread(s: FloatArray, relative_error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Signals s (1 + r)^theta, divided by their mean, at the nodes of an average over theta.

    Returns the signals (..., nodes) and the weights of the nodes.
    """
    if not np.any(relative_error):
        return s[..., None], np.ones(1)
    theta, w = draws(1)
    k = np.log1p(relative_error)[..., None]
    return s[..., None] * np.exp(k * theta[:, 0] - 0.5 * k * k), w


def sum_limit(
    total: FloatArray,
    n: float,
    b: float,
    error: float,
    cl: float,
    relative_error: FloatArray,
    over_background: bool,
) -> FloatArray:
    """Upper limit on the multiplier of a signal of `total` events in one number, (points,).

    P(N <= n | mu s + b) = 1 - cl, divided by P(N <= n | b) if `over_background` (CLs); all
    probabilities are averaged over the errors.
    """
    zero = float(at_most(n, np.zeros(1), b, error)[0])
    target = np.log1p(-cl) + (np.log(zero) if over_background else 0.0)
    if negligible(b, error) and not np.any(relative_error):
        with np.errstate(under="ignore"):
            s = special.gammainccinv(n + 1.0, np.exp(target)) - b
        if s > 1e-6 * b and np.isfinite(s):
            return np.asarray(s / total)
        if s <= 0.0 and not over_background:
            return np.zeros(len(total))
    unique, back = np.unique(relative_error, return_inverse=True)

    def excess(s: FloatArray) -> FloatArray:
        x, w = spread(s, unique)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(at_most(n, x, b, error) @ w) - target)

    guess = np.full(len(unique), 2.0 + np.sqrt(n + b))
    limit = falling_root(excess, np.zeros(len(unique)), guess)
    return np.asarray(limit[back] / total)


def _single(n: float, b: float, error: float, cl: float, over_background: bool) -> float:
    _check(n, b, error)
    one = np.ones(1)
    limit = sum_limit(one, n, b, error, check_level(cl), np.zeros(1), over_background)
    return float(limit[0])


def poisson_upper_limit(n: float, b: float = 0.0, cl: float = 0.9) -> float:
    """Classical upper limit on a signal: P(N <= n | s + b) = 1 - cl.

    Zero where the data already lie so far below the background that s = 0 is rejected; CLs and
    Feldman-Cousins do not have this trouble.

    Parameters
    ----------
    n
        Observed events.
    b
        Expected background, exact.
    cl
        Confidence level.

    Examples
    --------
    >>> round(poisson_upper_limit(0), 3), round(poisson_upper_limit(0, cl=0.95), 3)
    (2.303, 2.996)
    """
    return _single(n, b, 0.0, cl, over_background=False)


def poisson_interval(n: float, cl: float = 0.9) -> Interval:
    """Central interval on a Poisson mean (Garwood, Biometrika 28, 437 (1936)).

    Parameters
    ----------
    n
        Observed events.
    cl
        Confidence level; each side has (1 - cl)/2. The lower end for n = 0 is 0.

    Returns
    -------
    Interval
        Lower and upper end, in events.

    Raises
    ------
    ConfigError
        If a number is out of range.

    Examples
    --------
    >>> f"{poisson_interval(0, cl=0.9).upper:.3f}"
    '2.996'
    """
    _check(n, 0.0, 0.0)
    tail = 0.5 * (1.0 - check_level(cl))
    lower = float(special.gammaincinv(n, tail)) if n > 0 else 0.0
    return Interval(lower, float(special.gammainccinv(n + 1.0, tail)))


def cls_upper_limit(n: float, b: float, b_error: float = 0.0, cl: float = 0.9) -> float:
    """CLs upper limit on a signal for one number: P(N<=n | s+b) / P(N<=n | b) = 1 - cl.

    Read, J. Phys. G 28, 2693 (2002). The error of the background is averaged over (a Gamma
    distribution), so that this is also the Bayesian limit with a flat prior.

    Parameters
    ----------
    n
        Observed events.
    b, b_error
        Expected background and its standard error.
    cl
        Confidence level.

    Examples
    --------
    >>> round(cls_upper_limit(0, 0.563, 0.241), 3)
    2.303
    """
    return _single(n, b, b_error, cl, over_background=True)


def bayesian_upper_limit(
    n: float,
    b: float = 0.0,
    b_error: float = 0.0,
    cl: float = 0.9,
    *,
    prior: str | Prior = "flat",
) -> float:
    """Bayesian upper limit on a signal s >= 0.

    Parameters
    ----------
    n
        Observed events.
    b, b_error
        Expected background and its standard error; its prior is a Gamma distribution.
    cl
        Probability below the limit.
    prior
        ``"flat"`` in s; ``"jeffreys"``: 1/sqrt(s + b), the Jeffreys prior of a Poisson mean;
        ``"sqrt"``: flat in sqrt(s); or a function of an array of s > 0.

    Returns
    -------
    float
        The limit, in signal events.

    Raises
    ------
    ConfigError
        If a number is out of range or the prior is unknown or not usable.

    Examples
    --------
    >>> f"{bayesian_upper_limit(0, cl=0.9):.3f}"
    '2.303'
    >>> f"{bayesian_upper_limit(0, cl=0.9, prior='sqrt'):.3f}"
    '1.353'
    """
    from siren_py.counting.posterior import posterior_limit  # needs this module

    _check(n, b, b_error)
    cl = check_level(cl)
    if prior == "flat":
        return _single(n, b, b_error, cl, over_background=True)
    functions: dict[str, Prior] = {
        "jeffreys": lambda s: 1.0 / np.sqrt(s + b),
        "sqrt": lambda s: 1.0 / np.sqrt(s),
    }
    if isinstance(prior, str):
        if prior not in functions:
            from siren_py.errors import unknown_name

            raise unknown_name("prior", prior, ["flat", *functions], "A function works as well.")
        prior = functions[prior]
    return posterior_limit(float(n), float(b), float(b_error), cl, prior)


def significance(n: ArrayLike, b: ArrayLike, b_error: ArrayLike = 0.0) -> FloatArray:
    """Significance of n events above a background, in standard deviations.

    Li and Ma, Astrophys. J. 272, 317 (1983), eq. 17, with tau = b/b_error^2; for an exact
    background sqrt(2 (n ln(n/b) - n + b)). With n = s + b it is the median significance expected
    for a signal s (CCGV eq. 97; G. Cowan, "Discovery sensitivity for a counting experiment with
    background uncertainty", 2012).

    Parameters
    ----------
    n
        Events, observed or expected (s + b); need not be an integer.
    b, b_error
        Background and its standard error.

    Returns
    -------
    ndarray
        Zero for n <= b; infinite for n > 0 with a background of exactly zero.

    Raises
    ------
    ConfigError
        If a number is negative or not finite.

    Examples
    --------
    >>> f"{significance(9, 3.0):.2f}"
    '2.79'
    >>> f"{significance(9, 3.0, 1.0):.2f}"
    '2.28'
    """
    n, b, error = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (n, b, b_error)))
    for name, x in (("n", n), ("The background", b), ("The error of the background", error)):
        if not (np.isfinite(x) & (x >= 0.0)).all():
            raise ConfigError(f"{name} must be finite and not negative; it is {x!r}.")
    if ((error > 0.0) & (b == 0.0)).any():
        raise ConfigError("A background of zero cannot have an error; give its expectation.")
    with np.errstate(divide="ignore", invalid="ignore"):
        v = error**2
        first = special.xlogy(n, n * (b + v) / (b * b + n * v))
        # (b/sigma)^2 ln(1 + v (n - b)/(b (b + v))) tends to n - b for an exact background.
        second = np.where(v > 0.0, b * b / v * np.log1p(v * (n - b) / (b * (b + v))), n - b)
        q = 2.0 * (first - second)
    q = np.where(b > 0.0, q, np.where(n > 0.0, np.inf, 0.0))
    return np.where(n > b, np.sqrt(np.maximum(q, 0.0)), 0.0)
