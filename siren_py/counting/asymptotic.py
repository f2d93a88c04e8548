"""Limits and significances from the profile likelihood in its large-sample form.

The formulae are those of Cowan, Cranmer, Gross and Vitells, Eur. Phys. J. C 71, 1554 (2011),
arXiv:1007.1727 ("CCGV" below).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from siren_py._typing import FloatArray
from siren_py.counting.fit import Data, Likelihood, asimov_data
from siren_py.counting.nuisance import Constraints
from siren_py.counting.roots import falling_root


def rough_limit(signal: FloatArray, background: FloatArray, z: float = 1.6) -> FloatArray:
    """Multiplier at which sum (mu s)^2/(mu s + b) = z^2, (points,): the order of a limit.

    It steers searches and weights; no result depends on it beyond rounding.
    """

    def too_low(mu: FloatArray) -> FloatArray:
        x = mu[:, None] * signal
        total = x + background
        with np.errstate(divide="ignore", invalid="ignore"):
            power = np.where(total > 0.0, x * x / total, 0.0)
        return np.asarray(z * z - power.sum(axis=1))

    total = signal.sum(axis=1)
    return falling_root(too_low, np.zeros(len(signal)), 1.0 / total, rtol=1e-3)


class TestStatistic:
    """q-tilde(mu) of a set of signals: -2 ln of the likelihood ratio to the best mu >= 0.

    CCGV eq. 16: zero where mu lies below the best value; where the best value would be negative,
    the likelihood at mu = 0 stands in for it.
    """

    __test__ = False

    def __init__(self, signal: FloatArray, constraints: Constraints, data: Data) -> None:
        self.likelihood = Likelihood(signal, constraints, data)
        self.best = self.likelihood.best()
        fit = self.likelihood.fit(self.best)
        self._lowest = fit.deviance
        self._theta = fit.theta

    def __call__(self, mu: FloatArray) -> FloatArray:
        """q-tilde, (points,)."""
        fit = self.likelihood.fit(mu, self._theta)
        self._theta = fit.theta
        return np.where(mu > self.best, np.maximum(fit.deviance - self._lowest, 0.0), 0.0)


def tails(q: FloatArray, q_asimov: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logarithms of CL_{s+b} and CL_b for an observed q-tilde (CCGV eqs. 65 and 66)."""
    root, root_a = np.sqrt(q), np.sqrt(q_asimov)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (q + q_asimov) / (2.0 * root_a)
        below = (q - q_asimov) / (2.0 * root_a)
    inside = q <= q_asimov
    both = special.log_ndtr(-np.where(inside, root, beyond))
    background = special.log_ndtr(-np.where(inside, root - root_a, below))
    return both, background


def cls_values(mu: FloatArray, observed: TestStatistic, asimov: TestStatistic) -> FloatArray:
    """Logarithm of CLs at mu, (points,)."""
    both, background = tails(observed(mu), asimov(mu))
    return np.asarray(both - background)


def cls_limit(signal: FloatArray, constraints: Constraints, data: Data, cl: float) -> FloatArray:
    """CLs upper limit on mu, (points,)."""
    observed = TestStatistic(signal, constraints, data)
    asimov = TestStatistic(signal, constraints, asimov_data(constraints, data))
    target = np.log1p(-cl)

    def excess(mu: FloatArray) -> FloatArray:
        return np.asarray(cls_values(mu, observed, asimov) - target)

    guess = rough_limit(signal, constraints.background)
    return falling_root(excess, observed.best, guess, rtol=1e-7)


def profile_limit(
    signal: FloatArray, constraints: Constraints, data: Data, cl: float
) -> FloatArray:
    """One-sided profile-likelihood limit: q-tilde = z^2 with Phi(z) = cl, (points,)."""
    observed = TestStatistic(signal, constraints, data)
    z = float(special.ndtri(cl))

    def excess(mu: FloatArray) -> FloatArray:
        return np.asarray(z - np.sqrt(observed(mu)))

    guess = rough_limit(signal, constraints.background)
    return falling_root(excess, observed.best, guess, rtol=1e-7)


def expected_cls(
    signal: FloatArray, constraints: Constraints, data: Data, cl: float, sigmas: FloatArray
) -> FloatArray:
    """CLs limits for background alone, fluctuated by `sigmas`, (sigmas, points).

    With N sigmas CLs = Phi(N - sqrt q_A)/Phi(N), so sqrt q_A(mu) = N - Phi^-1(alpha Phi(N))
    (CCGV eq. 88 with CLs in place of CL_{s+b}).
    """
    asimov = TestStatistic(signal, constraints, asimov_data(constraints, data))
    guess = rough_limit(signal, constraints.background)
    limits = []
    for sigma in sigmas:
        root = float(sigma - special.ndtri((1.0 - cl) * special.ndtr(sigma)))
        limits.append(_crossing(asimov, root, guess))
    return np.array(limits)


def expected_profile(
    signal: FloatArray, constraints: Constraints, data: Data, cl: float, sigmas: FloatArray
) -> FloatArray:
    """Profile-likelihood limits for background alone, fluctuated by `sigmas`, (sigmas, points).

    mu = sigma (Phi^-1(cl) + N) with sigma = mu/sqrt q_A(mu) (CCGV eq. 87). Where the best mu
    is negative, N < 0, q-tilde compares with mu = 0, and mu = sigma (z N + ...) becomes
    (mu^2/sigma^2 - 2 N mu/sigma) = z^2.
    """
    asimov = TestStatistic(signal, constraints, asimov_data(constraints, data))
    guess = rough_limit(signal, constraints.background)
    z = float(special.ndtri(cl))
    limits = []
    for sigma in sigmas:
        n = float(sigma)
        root = n + z if n >= 0.0 else n + float(np.sqrt(n * n + z * z))
        limits.append(_crossing(asimov, root, guess))
    return np.array(limits)


def _crossing(statistic: TestStatistic, root: float, guess: FloatArray) -> FloatArray:
    return falling_root(lambda mu: root - np.sqrt(statistic(mu)), np.zeros(len(guess)), guess)


def discovery(signal: FloatArray, constraints: Constraints, data: Data) -> FloatArray:
    """Significance sqrt(q_0) of an excess (CCGV eqs. 12 and 52), (points,)."""
    likelihood = Likelihood(signal, constraints, data)
    best = likelihood.best()
    q = likelihood.fit(np.zeros(len(best))).deviance - likelihood.fit(best).deviance
    return np.where(best > 0.0, np.sqrt(np.maximum(q, 0.0)), 0.0)
