"""Zeros of many decreasing functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import ConfigError

VectorFunction = Callable[[FloatArray], FloatArray]


def falling_root(
    function: VectorFunction, low: FloatArray, guess: FloatArray, rtol: float = 1e-9
) -> FloatArray:
    """Return x >= low where decreasing functions change from positive to negative.

    The upper end is found by doubling; then Ridders' method (IEEE Trans. Circuits Syst. 26, 979
    (1979)), which keeps both ends around the zero.

    Parameters
    ----------
    function
        Takes x, shape (n,), returns the n values, decreasing in x.
    low
        Lower ends, (n,). Where the function is not positive there, `low` is returned.
    guess
        Rough distance of the zero from `low`, positive, (n,).
    rtol
        Accuracy relative to the zero.

    Returns
    -------
    ndarray
        The zeros, (n,).

    Raises
    ------
    ConfigError
        If a function stays positive however large its argument.
    """
    a = np.array(low, dtype=np.float64)
    fa = np.array(function(a), dtype=np.float64)
    done = ~(fa > 0.0)
    root = a.copy()
    step = np.array(guess, dtype=np.float64)
    b = a + step
    fb = np.array(function(b), dtype=np.float64)
    for _ in range(200):
        too_low = ~done & (fb > 0.0)
        if not too_low.any():
            break
        a, fa = np.where(too_low, b, a), np.where(too_low, fb, fa)
        step = np.where(too_low, 2.0 * step, step)
        b = np.where(too_low, a + step, b)
        fb = np.where(too_low, function(b), fb)
    else:
        raise ConfigError(
            "There is no limit: the test rejects no multiple of the signal, however large. Check "
            "that the signal is not much smaller than its own error."
        )
    for _ in range(120):
        if done.all():
            break
        middle = 0.5 * (a + b)
        fm = function(np.where(done, root, middle))
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            x = middle + (middle - a) * fm / np.sqrt(fm * fm - fa * fb)
        x = np.where(np.isfinite(x) & (x > a) & (x < b), x, middle)
        fx = function(np.where(done, root, x))
        # Of the points a < {middle, x} < b keep the two that enclose the change of sign.
        for y, fy in ((middle, fm), (x, fx)):
            rises = (fy > 0.0) & (y > a)
            falls = ~(fy > 0.0) & (y < b)
            a, fa = np.where(rises, y, a), np.where(rises, fy, fa)
            b, fb = np.where(falls, y, b), np.where(falls, fy, fb)
        moved = np.abs(x - root)
        root = np.where(done, root, x)
        done = done | (moved <= rtol * np.abs(x)) | (b - a <= rtol * np.abs(b)) | (fx == 0.0)
    return root
