"""Bayesian limits: the posterior is integrated over everything but the signal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from siren_py._typing import FloatArray
from siren_py.counting.fit import Likelihood, nominal_data
from siren_py.counting.model import Counting
from siren_py.counting.nuisance import Constraints, constraints, draws, factors
from siren_py.counting.roots import falling_root
from siren_py.errors import ConfigError

PANELS = 56
ORDER = 4
# Deviance beyond which the posterior is left out: exp(-30) of the maximum of the profile. Where the
# background is hardly known the posterior falls more slowly than the profile does.
DEPTH = 60.0
CHUNK = 3_000_000
LONGEST_SUM = 100


def log_marginal(n: FloatArray, x: FloatArray, y: FloatArray, tau: FloatArray) -> FloatArray:
    """Logarithm of the probability of the counts n, averaged over the levels of the backgrounds.

    Parameters
    ----------
    n
        Counts, (bins,).
    x, y
        Signals and mean backgrounds, (..., bins).
    tau
        Auxiliary events of the background, (bins,), infinite if exact.

    Returns
    -------
    ndarray
        Up to a constant, (...). For up to 100 events in a bin the exact sum over the split into
        signal and background; above, Laplace's method, whose relative error is 1/(12 n) and
        hardly depends on the signal.
    """
    exact = ~np.isfinite(tau) | (y.reshape(-1, len(n)).max(axis=0) == 0.0)
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape)[:-1])
    for i, count in enumerate(n):
        xi, yi = x[..., i], y[..., i]
        if exact[i]:
            total = total + special.xlogy(count, np.maximum(xi + yi, 1e-300)) - (xi + yi)
        elif count <= LONGEST_SUM:
            total = total + _split(int(count), xi, yi, float(tau[i]))
        else:
            total = total + _laplace(float(count), xi, yi, float(tau[i]))
    return total


def _split(n: int, x: FloatArray, y: FloatArray, tau: float) -> FloatArray:
    """Sum over k of NB(k background events) Poisson(n - k | x), as a polynomial in x/n."""
    k = np.arange(n + 1.0)
    log_p = np.log(y) - np.log(y + tau)
    rising = np.concatenate([[0.0], np.cumsum(np.log(tau + k[:-1]))])
    constant = rising - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
    scale = float(max(n, 1))
    log_c = constant + k * log_p[..., None] + (n - k) * np.log(scale)
    top = log_c.max(axis=-1)
    c = np.exp(log_c - top[..., None])
    t = x / scale
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for j in range(n + 1):
        total = total * t + c[..., j]
    return np.asarray(np.log(total) + top - tau * np.log1p(y / tau) - x)


def _laplace(n: float, x: FloatArray, y: FloatArray, tau: float) -> FloatArray:
    q2 = y * (y + tau)
    q1 = (y + tau) * x - (n + tau) * y
    root = np.sqrt(q1 * q1 + 4.0 * q2 * tau * x)
    with np.errstate(divide="ignore", invalid="ignore"):
        g = np.where(q1 > 0.0, 2.0 * tau * x / (q1 + root), (root - q1) / (2.0 * q2))
    mean = x + y * g
    curvature = (y * g / mean) ** 2 * n + tau
    value = n * np.log(mean) - mean + tau * (np.log(g) - g + 1.0)
    return np.asarray(value - 0.5 * np.log(curvature / tau))


def _range(likelihood: Likelihood) -> tuple[FloatArray, FloatArray]:
    """Multipliers between which the profile likelihood is above exp(-30) of its maximum."""
    best = likelihood.best()
    fit = likelihood.fit(best)
    lowest, theta = fit.deviance, fit.theta
    memory = {"up": theta, "down": theta}

    def rest(mu: FloatArray, key: str) -> FloatArray:
        fit = likelihood.fit(mu, memory[key])
        memory[key] = fit.theta
        return np.asarray(DEPTH - (fit.deviance - lowest))

    scale = (1.0 + np.sqrt(likelihood.data.observed.sum())) / likelihood.signal.sum(axis=1)
    high = falling_root(lambda mu: rest(mu, "up"), best, 5.0 * scale, rtol=1e-3)
    down = falling_root(
        lambda d: np.where(d >= best, -1.0, rest(np.maximum(best - d, 0.0), "down")),
        np.zeros(len(best)),
        np.minimum(5.0 * scale, best + scale),
        rtol=1e-3,
    )
    return np.maximum(best - down, 0.0), high


def quantile(
    log_density: Callable[[FloatArray], FloatArray],
    low: FloatArray,
    high: FloatArray,
    cl: float,
) -> FloatArray:
    """Points below which a fraction `cl` of densities on [low, high] lies, (points,).

    Gauss-Legendre panels; inside the panel with the answer the cumulative distribution is a
    cubic with the densities as its slopes.
    """
    x, w = np.polynomial.legendre.leggauss(ORDER)
    width = (high - low) / PANELS
    edges = low[:, None] + width[:, None] * np.arange(PANELS + 1)
    nodes = edges[:, :-1, None] + width[:, None, None] * 0.5 * (x + 1.0)
    everything = np.concatenate([nodes.reshape(len(low), -1), edges], axis=1)
    values = log_density(everything)
    density = np.exp(values - values.max(axis=1, keepdims=True))
    inner = density[:, : PANELS * ORDER].reshape(len(low), PANELS, ORDER)
    at_edges = density[:, PANELS * ORDER :]
    mass = 0.5 * width[:, None] * (inner @ w)
    total = np.concatenate([np.zeros((len(low), 1)), np.cumsum(mass, axis=1)], axis=1)
    target = cl * total[:, -1]
    if not (np.isfinite(target) & (target > 0.0)).all():
        raise ConfigError(
            "The posterior cannot be normalised: check that the prior is finite and positive."
        )
    i = np.clip(np.sum(total <= target[:, None], axis=1) - 1, 0, PANELS - 1)
    rows = np.arange(len(low))
    start, end = total[rows, i], total[rows, i + 1]
    slope0, slope1 = at_edges[rows, i] * width, at_edges[rows, i + 1] * width
    a, b = np.zeros(len(low)), np.ones(len(low))
    for _ in range(50):
        t = 0.5 * (a + b)
        cumulative = (
            start * (1.0 + 2.0 * t) * (1.0 - t) ** 2
            + slope0 * t * (1.0 - t) ** 2
            + end * t * t * (3.0 - 2.0 * t)
            - slope1 * t * t * (1.0 - t)
        )
        below = cumulative < target
        a, b = np.where(below, t, a), np.where(below, b, t)
    return np.asarray(edges[rows, i] + width * 0.5 * (a + b))


def bayesian_limit(
    signal: FloatArray, limits_of: Constraints, observed: FloatArray, cl: float, power: float
) -> FloatArray:
    """Bayesian upper limit on mu with a prior flat in mu^power, (points,).

    The levels of the backgrounds have Gamma priors of the stated mean and error; the others a
    standard normal one.

    Parameters
    ----------
    signal
        Expected signal at mu = 1, (points, bins).
    limits_of
        Backgrounds and nuisance parameters.
    observed
        Observed events, (bins,).
    cl
        Probability below the limit.
    power
        1: flat in mu; 1/2: flat in sqrt(mu).
    """
    theta, _ = draws(limits_of.count)
    portion = max(1, CHUNK // (len(theta) * PANELS * (ORDER + 1) * signal.shape[1]))
    parts = []
    for j in range(0, len(signal), portion):
        i = slice(j, j + portion)
        parts.append(_limit(signal[i], limits_of.of(i), observed, cl, power))
    return np.concatenate(parts)


def _limit(
    signal: FloatArray, of: Constraints, observed: FloatArray, cl: float, power: float
) -> FloatArray:
    theta, w = draws(of.count)
    low, high = _range(Likelihood(signal, of, nominal_data(of, observed)))
    up = factors(theta, of.signal)
    y = of.background * factors(theta, of.levels) if of.levels.any() else of.background

    def log_density(u: FloatArray) -> FloatArray:
        # u = sqrt(mu): dmu^power = 2 power u^(2 power - 1) du is smooth down to zero.
        x = (u**2)[:, :, None, None] * (signal[:, None, :] * up)[:, None, :, :]
        value = log_marginal(observed, x, y, of.auxiliary)
        value = special.logsumexp(value, b=w, axis=-1) if len(w) > 1 else value[..., 0]
        return np.asarray(value + special.xlogy(2.0 * power - 1.0, np.maximum(u, 1e-300)))

    return quantile(log_density, np.sqrt(low), np.sqrt(high), cl) ** 2


def posterior_limit(
    n: float, b: float, error: float, cl: float, prior: Callable[[FloatArray], FloatArray]
) -> float:
    """Bayesian upper limit on a signal for one number of events and any prior density."""
    of = constraints(Counting(np.array([b]), background_error=np.array([error])))
    observed = np.array([n])
    low, high = _range(Likelihood(np.ones((1, 1)), of, nominal_data(of, observed)))

    def log_density(u: FloatArray) -> FloatArray:
        s = np.maximum(u, 1e-100) ** 2
        density = np.asarray(prior(s), dtype=np.float64)
        if density.shape != s.shape or not (np.isfinite(density) & (density >= 0.0)).all():
            raise ConfigError(
                "The prior must return one finite density >= 0 for each s > 0 of an array."
            )
        value = log_marginal(observed, s[..., None], of.background, of.auxiliary)
        with np.errstate(divide="ignore"):
            # Jacobian of s = u^2.
            return np.asarray(value + np.log(density * np.maximum(u, 1e-100)))

    return float(quantile(log_density, np.sqrt(low), np.sqrt(high), cl)[0] ** 2)
