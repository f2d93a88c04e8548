"""Exact CLs for several bins with few events.

The test statistic is T = sum_i k_i n_i, a weighted number of events with small whole weights
k_i, proportional to ln(1 + s_i/b_i) up to rounding: the likelihood ratio of Read, J. Phys. G 28,
2693 (2002), rounded. Whatever the weights, the probabilities of T are exact: the generating
functions of Poisson and negative-binomial counts are multiplied out term by term (Panjer, ASTIN
Bull. 12, 22 (1981)), so nothing is thrown and no large-sample formula is used.
"""

from __future__ import annotations

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.counting.asymptotic import rough_limit
from siren_py.counting.nuisance import Constraints, draws, factors
from siren_py.counting.roots import falling_root

# Largest weight of an event: fine for few events, where it costs nothing.
LEVELS = (10, 40)
BUDGET = 300
# Background per signal below which a bin counts as free of background when weights are chosen.
FLOOR = 0.01
CHUNK = 1_500_000


def weights(signal: FloatArray, background: FloatArray, events: float) -> IntArray:
    """Whole weights of an event in each bin, (points, bins); zero where it says next to nothing.

    Without any event all weights of bins with signal are one: nothing is less signal-like,
    whatever the weights.
    """
    if events == 0.0:
        return (signal > 0.0).astype(np.int64)
    levels = int(np.clip(BUDGET / events, *LEVELS))
    scale = rough_limit(signal, background)[:, None]
    x = scale * signal
    w = np.log1p(x / np.maximum(background + FLOOR * x, 1e-300))
    k = np.rint(levels * w / w.max(axis=1, keepdims=True)).astype(np.int64)
    divisor = np.gcd.reduce(k, axis=1)
    return np.asarray(k // divisor[:, None])


def lattice_limit(
    signal: FloatArray, constraints: Constraints, observed: FloatArray, cl: float
) -> FloatArray:
    """CLs upper limit on mu, probabilities averaged over all errors, (points,).

    Parameters
    ----------
    signal
        Expected signal at mu = 1, (points, bins), at least one bin above zero.
    constraints
        Backgrounds and nuisance parameters.
    observed
        Observed events, (bins,).
    cl
        Confidence level.
    """
    k = weights(signal, constraints.background, float(observed.sum()))
    seen = (k @ observed).astype(np.int64)
    theta, _ = draws(constraints.count)
    portion = max(1, CHUNK // (len(theta) * (int(seen.max() + k.max()) + 1 + k.shape[1])))
    parts = [
        _limit(signal[i], constraints.of(i), k[i], seen[i], cl)
        for i in (slice(j, j + portion) for j in range(0, len(signal), portion))
    ]
    return np.concatenate(parts)


def _limit(
    signal: FloatArray, constraints: Constraints, k: IntArray, seen: IntArray, cl: float
) -> FloatArray:
    theta, w = draws(constraints.count)
    largest = int(seen.max())
    background = background_terms(constraints, k, theta, largest)
    # Reversed, so that a sum over t pairs it with what the signal may add at most.
    t = np.arange(largest + 1)
    index = seen[:, None] - t
    rows = np.arange(len(k))[:, None]
    partner = np.where(
        (index >= 0)[:, None, :], background[rows, :, np.maximum(index, 0)].swapaxes(1, 2), 0.0
    )
    up = factors(theta, constraints.signal)
    strength = signal[:, None, :] * up
    highest = int(k.max())
    member = k[:, :, None] == np.arange(1, highest + 1)
    rate = np.einsum("pdb,pbj->pdj", strength, member.astype(np.float64))

    def probability(mu: FloatArray) -> FloatArray:
        x = mu[:, None, None] * rate
        terms = np.zeros((*x.shape[:2], highest + largest + 1))
        terms[..., highest] = np.exp(-x.sum(axis=-1))
        # t g_t = sum_j j x_j g_(t-j); the first `highest` places hold zeros.
        jx = (x * np.arange(1, highest + 1))[..., ::-1]
        for i in range(1, largest + 1):
            recent = terms[..., i : i + highest]
            terms[..., i + highest] = np.einsum("pdj,pdj->pd", jx, recent) / i
        sums = np.cumsum(terms[..., highest:], axis=-1)
        return np.asarray(np.einsum("pdt,pdt->pd", np.broadcast_to(partner, sums.shape), sums) @ w)

    target = np.log(probability(np.zeros(len(k)))) + np.log1p(-cl)

    def excess(mu: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(probability(mu)) - target)

    guess = rough_limit(signal, constraints.background)
    return falling_root(excess, np.zeros(len(k)), guess)


def background_terms(
    constraints: Constraints, k: IntArray, theta: FloatArray, largest: int
) -> FloatArray:
    """Probabilities of T = 0 ... largest from background alone, (points, draws or 1, T).

    With the generating function G(z), t g_t = sum_m c_m g_(t-m) where z d(ln G)/dz = sum c_m z^m:
    c_k = k b for a Poisson bin of the weight k; c_(jk) = k tau p^j for a bin whose background is
    Gamma distributed with tau auxiliary events, p = b/(b + tau).
    """
    fixed = not constraints.levels.any()
    common = np.ones((1, 1)) if fixed else factors(theta, constraints.levels)
    y = constraints.background * common
    tau = constraints.auxiliary
    gamma = np.isfinite(tau)
    t = np.where(gamma, tau, 1.0)
    counted = (k > 0).astype(np.float64)
    log_zero = np.where(gamma, -t * np.log1p(y / t), -y)
    terms = np.zeros((len(k), len(y), largest + 1))
    terms[..., 0] = np.exp(np.einsum("pb,db->pd", counted, log_zero))
    slopes = np.zeros_like(terms)
    p = y / (y + t)
    for m in range(1, largest + 1):
        divides = (k > 0) & (m % np.maximum(k, 1) == 0)
        power = np.where(divides, m // np.maximum(k, 1), 1)
        geometric = t * p ** power[:, None, :]
        c = np.where(gamma, geometric, np.where((power == 1)[:, None, :], y, 0.0))
        slopes[..., m] = np.sum(np.where(divides[:, None, :], k[:, None, :] * c, 0.0), axis=-1)
    for i in range(1, largest + 1):
        terms[..., i] = (
            np.einsum("pdt,pdt->pd", slopes[..., 1 : i + 1], terms[..., :i][..., ::-1]) / i
        )
    return terms
