"""Signals of many parameter points, checked and laid out as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray
from siren_py.counting.model import Counting
from siren_py.errors import ConfigError


class Points(NamedTuple):
    """Signals with at least one event above zero, flattened."""

    shape: tuple[int, ...]
    usable: BoolArray
    signal: FloatArray
    relative: FloatArray | None

    def spread(self, values: FloatArray) -> FloatArray:
        """Values of the usable points, infinity elsewhere, in the shape of the input."""
        full = np.full((*values.shape[:-1], len(self.usable)), np.inf)
        full[..., self.usable] = values
        return full.reshape((*values.shape[:-1], *self.shape))


def read_points(signal: ArrayLike, counting: Counting, mc_error: ArrayLike | None) -> Points:
    """Check signals (..., bins) and their errors; keep the points where any are expected."""
    s = np.asarray(signal, dtype=np.float64)
    if s.ndim == 0 or s.shape[-1] != counting.size:
        raise ConfigError(
            f"The signal has the shape {s.shape}; its last axis must hold the {counting.size} "
            f"bins {', '.join(counting.names[:10])}."
        )
    bad = ~(np.isfinite(s) & (s >= 0.0))
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ConfigError(
            f"Expected signal events must be finite and not negative; at {where} they are "
            f"{s[where]}."
        )
    flat = s.reshape(-1, counting.size)
    usable = flat.sum(axis=1) > 0.0
    relative = None
    if mc_error is not None:
        e = np.asarray(mc_error, dtype=np.float64)
        if e.shape != s.shape:
            raise ConfigError(f"The errors have the shape {e.shape}, the signal has {s.shape}.")
        if not (np.isfinite(e) & (e >= 0.0)).all():
            raise ConfigError("Errors of the signal must be finite and not negative.")
        chosen = e.reshape(flat.shape)[usable]
        some = flat[usable] > 0.0
        relative = np.where(some, chosen, 0.0) / np.where(some, flat[usable], 1.0)
        if not relative.any():
            relative = None
    return Points(s.shape[:-1], usable, flat[usable], relative)


def numbered(counting: Counting) -> Counting:
    """The same experiment with its bins named by their numbers, which are unique."""
    return replace(counting, names=tuple(str(i) for i in range(counting.size)))


def relative_of_sum(points: Points, counting: Counting) -> FloatArray:
    """Relative error of the total signal, all causes, (points,)."""
    s = points.signal
    own = counting.efficiency_error[None, :]
    if points.relative is not None:
        own = np.hypot(own, points.relative)
    variance = np.sum((s * own) ** 2, axis=1)
    for error in counting.signal_errors.values():
        variance = variance + (s @ error) ** 2
    return np.asarray(np.sqrt(variance) / s.sum(axis=1))
