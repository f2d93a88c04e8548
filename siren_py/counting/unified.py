"""The unified intervals of Feldman and Cousins, Phys. Rev. D 57, 3873 (1998)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special

from siren_py._typing import BoolArray, FloatArray
from siren_py.counting.poisson import (
    Interval,
    _check,
    background_probabilities,
    check_level,
    spread,
)

# Signals at which averaged probabilities are scanned.
GRID = 400
# The upper end of an exact construction jumps as a function of the background. It is made
# monotonic, as in the paper, by looking this far to larger backgrounds, in this many steps.
LOOK_AHEAD = 2.0
STEPS = 400
# With errors, counts beyond this are treated as Gaussian.
MANY = 1000.0


def _crossings(n: float, partner: FloatArray, b: FloatArray) -> FloatArray:
    """Means at which `partner` becomes as likely as n relative to its best mean, (b, partners).

    ln R(k) = k ln(lambda/best) - lambda + best with best = max(k, b): the mean lambda at which
    R(m) = R(n) has a closed form.
    """
    b = b[:, None]

    def part(k: FloatArray) -> FloatArray:
        best = np.maximum(k, b)
        return np.asarray(special.xlogy(k, best) - best)

    return np.asarray(np.exp((part(partner) - part(np.array([[n]]))) / (partner - n)))


def _between(low: FloatArray | float, high: FloatArray, mean: FloatArray) -> FloatArray:
    """P(low < N < high)."""
    below = special.gammaincc(np.asarray(low) + 1.0, mean)
    return np.asarray(np.where(high > 0.0, special.gammaincc(np.maximum(high, 1e-9), mean), 0.0)
                      - np.where(np.asarray(low) < 0.0, 0.0, below))  # fmt: skip


def _bisect(low: FloatArray, high: FloatArray, inside: object) -> FloatArray:
    """Edge between `low`, where `inside` is true, and `high`."""
    assert callable(inside)
    for _ in range(60):
        middle = 0.5 * (low + high)
        flag = inside(middle)
        low, high = np.where(flag, middle, low), np.where(flag, high, middle)
    return 0.5 * (low + high)


def _raw_upper(n: float, b: FloatArray, cl: float) -> FloatArray:
    """Upper ends before they are made monotonic, (backgrounds,).

    Above n, the counts n < N < m are preferred to n for means between the crossings of m - 1
    and m; n is accepted there while their probability is below cl. Nothing is scanned.
    """
    last = n + np.ceil(14.0 * np.sqrt(n + 1.0) + 40.0 + float(b.max()))
    m = np.arange(n + 1.0, last)
    right = _crossings(n, m, b)
    left = np.concatenate([np.maximum(b, n)[:, None], right[:, :-1]], axis=1)
    left = np.maximum(left, b[:, None])
    right = np.maximum(right, left)
    at_left, at_right = _between(n, m, left) < cl, _between(n, m, right) < cl
    touched = at_left | at_right
    i = touched.shape[1] - 1 - np.argmax(touched[:, ::-1], axis=1)
    rows = np.arange(len(b))
    low, high, partner = left[rows, i], right[rows, i], m[i]
    edge = _bisect(low, high, lambda x: _between(n, partner, x) < cl)
    return np.asarray(np.where(at_right[rows, i], high, edge) - b)


def _lower(n: float, b: float, cl: float) -> float:
    """Lower end."""
    if n <= b:
        return 0.0
    first = max(0.0, np.floor(n - 14.0 * np.sqrt(n + 1.0) - 40.0))
    m = np.arange(first, n)
    left = _crossings(n, m, np.array([b]))[0]
    if first == 0.0:
        # Below the crossing with zero events all counts below n are preferred.
        m, left = np.insert(m, 0, -1.0), np.insert(left, 0, b)
    left = np.maximum(left, b)
    right = np.append(left[1:], n)
    at_left = _between(m, np.full(len(m), n), left) < cl
    at_right = _between(m, np.full(len(m), n), right) < cl
    i = int(np.argmax(at_left | at_right))
    if at_left[i]:
        return float(left[i] - b)
    partner = m[i : i + 1]
    edge = _bisect(
        right[i : i + 1], left[i : i + 1], lambda x: _between(partner, np.array([n]), x) < cl
    )
    return float(edge[0] - b)


def _upper(n: float, b: float, cl: float) -> float:
    """Largest upper end at this or a larger background (section IV.B of the paper)."""
    if n > 100.0:
        # The jumps are far below the width of the interval.
        return float(_raw_upper(n, np.array([b]), cl)[0])
    grid = b + np.linspace(0.0, LOOK_AHEAD, STEPS + 1)
    raw = _raw_upper(n, grid, cl)
    jump = np.flatnonzero(raw[1:] > raw[:-1])
    best = float(raw.max())
    if len(jump):
        # The largest value lies right after a jump, which is somewhere within its step.
        low, high, after = grid[jump], grid[jump + 1], raw[jump + 1]
        for _ in range(40):
            middle = 0.5 * (low + high)
            up = _raw_upper(n, middle, cl) >= after
            low, high = np.where(up, low, middle), np.where(up, middle, high)
        best = max(best, float(_raw_upper(n, high, cl).max()))
    return best


class _Averaged:
    """Acceptance with probabilities averaged over the errors of background and signal.

    The extension of Conrad, Botner, Hallgren and Perez de los Heros, Phys. Rev. D 67, 012002
    (2003): the ordering uses the averaged probabilities, too.
    """

    def __init__(self, n: float, b: float, error: float, relative: float, cl: float) -> None:
        self.n, self.cl, self.relative = n, cl, relative
        top = _top(n, b, error, relative)
        self.counts = np.arange(2.0 * n + 3.0 * (top + b) + 12.0 * error + 40.0)
        self.background = background_probabilities(len(self.counts) - 1, b, error)
        grid = np.unique(
            np.concatenate(
                [
                    np.linspace(0.0, top, GRID),
                    np.geomspace(max(top, 1.0), 3.0 * float(self.counts[-1]) + 1.0, GRID // 2),
                ]
            )
        )
        self.best = np.zeros(len(self.counts))
        for part in np.array_split(grid, 10):
            np.maximum(self.best, self._probabilities(part).max(axis=0), out=self.best)

    def _probabilities(self, s: FloatArray) -> FloatArray:
        """P(N | s), (signals, counts)."""
        x, w = spread(s, np.array([self.relative]) if self.relative else np.zeros(1))
        k = self.counts
        p = np.exp(special.xlogy(k, x[..., None]) - x[..., None] - special.gammaln(k + 1.0))
        p = np.einsum("snk,n->sk", p, w)
        size = 2 * len(k)
        # A convolution by Fourier transform has an absolute error of 1e-16: negligible here.
        spectrum = np.fft.rfft(p, size) * np.fft.rfft(self.background, size)
        return np.asarray(np.maximum(np.fft.irfft(spectrum, size)[:, : len(k)], 0.0))

    def __call__(self, s: FloatArray) -> BoolArray:
        p = self._probabilities(s)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.best > 1e-13, p / self.best, 0.0)
        own = ratio[:, int(self.n)]
        # Grid noise of the best likelihood must not decide about ties.
        preferred = ratio > own[:, None] * (1.0 + 1e-9)
        return np.asarray(np.sum(np.where(preferred, p, 0.0), axis=1) < self.cl)


def _top(n: float, b: float, error: float = 0.0, relative: float = 0.0) -> float:
    """A signal above every upper end that can occur."""
    width = 6.0 * np.hypot(np.sqrt(n + 1.0), error) + 12.0
    return float((max(n - b, 0.0) + width) * (1.0 + relative) ** 4)


def _ends(accepted: object, low: float, top: float) -> Interval:
    """First and last signal that is accepted, between `low` and `top`."""
    call = accepted
    assert callable(call)
    s = np.linspace(low, top, GRID)
    flags = call(s)
    if not flags.any():
        return Interval(0.0, 0.0)
    first, last = int(np.argmax(flags)), int(len(flags) - 1 - np.argmax(flags[::-1]))
    lower = 0.0 if first == 0 and low == 0.0 else float(s[first])
    upper = float(s[last])
    if first > 0:
        lower = _edge(call, float(s[first - 1]), float(s[first]), rising=True)
    if last < len(s) - 1:
        upper = _edge(call, float(s[last]), float(s[last + 1]), rising=False)
    return Interval(lower, upper)


def _edge(call: object, low: float, high: float, rising: bool) -> float:
    assert callable(call)
    for _ in range(4):
        s = np.linspace(low, high, 33)
        flags = call(s)
        # The outermost accepted point counts, even if the region has a hole.
        if rising:
            i = int(np.argmax(flags))
            low, high = float(s[max(i - 1, 0)]), float(s[i])
        else:
            i = len(s) - 1 - int(np.argmax(flags[::-1]))
            low, high = float(s[i]), float(s[min(i + 1, len(s) - 1)])
    return 0.5 * (low + high)


def _gaussian(n: float, b: float, error: float, relative: float, cl: float) -> Interval:
    """Unified interval of a Gaussian with a boundary at zero (section IV.A of the paper).

    x = n - b in units of its standard deviation; with the best mean max(x, 0) the counterpart
    of x with the same ratio of likelihoods has a closed form.
    """
    width = float(np.sqrt(max(n, b) + error**2 + (relative * max(n - b, 0.0)) ** 2))
    x = (n - b) / width
    z = float(special.ndtri(0.5 * (1.0 + cl)))
    one = np.ones(1)
    if x >= 0.0:
        upper = x + z
    else:

        def inside(mean: FloatArray) -> BoolArray:
            partner = np.sqrt(mean * mean - 2.0 * x * mean)
            return np.asarray(special.ndtr(partner) - special.ndtr(x - mean) < cl)

        upper = float(_bisect(0.0 * one, (z + 1.0) * one, inside)[0])
    if special.ndtr(x) <= cl:
        lower = 0.0
    elif x - z >= 0.5 * x:
        lower = x - z
    else:

        def outside(mean: FloatArray) -> BoolArray:
            partner = x - x * x / (2.0 * mean)
            return np.asarray(special.ndtr(x - mean) - special.ndtr(partner - mean) >= cl)

        lower = float(_bisect(1e-9 * one, 0.5 * x * one, outside)[0])
    return Interval(lower * width, upper * width)


@lru_cache(maxsize=4096)
def _interval(n: float, b: float, cl: float, error: float, relative: float) -> Interval:
    if error > 0.0 or relative > 0.0:
        if n + b + 12.0 * error > MANY:
            return _gaussian(n, b, error, relative, cl)
        return _ends(_Averaged(n, b, error, relative, cl), 0.0, _top(n, b, error, relative))
    return Interval(_lower(n, b, cl), _upper(n, b, cl))


def feldman_cousins(
    n: float, b: float = 0.0, cl: float = 0.9, *, b_error: float = 0.0, signal_error: float = 0.0
) -> Interval:
    """Unified confidence interval on a signal for n events on a background.

    Exact Neyman construction with the ordering by the likelihood ratio to the best physical
    signal. As in the paper (section IV.B) the upper end is made a non-increasing function of the
    background, which the discreteness of counts would otherwise spoil.

    Parameters
    ----------
    n
        Observed events.
    b
        Expected background.
    cl
        Confidence level.
    b_error, signal_error
        Standard error of the background in events and relative error of the signal. Where one is
        given, probabilities are averaged over it (Conrad et al., Phys. Rev. D 67, 012002
        (2003)), and the upper end is not made monotonic.

    Returns
    -------
    Interval
        Lower end (zero: an upper limit) and upper end, in signal events.

    Raises
    ------
    ConfigError
        If a number is out of range.

    Examples
    --------
    >>> lower, upper = feldman_cousins(0, 3.0)
    >>> lower, round(upper, 2)
    (0.0, 1.08)
    """
    _check(n, b, b_error)
    if not (np.isfinite(signal_error) and signal_error >= 0.0):
        from siren_py.errors import ConfigError

        raise ConfigError(f"The error of the signal must be finite and >= 0; it is {signal_error}.")
    return _interval(float(n), float(b), check_level(cl), float(b_error), float(signal_error))
