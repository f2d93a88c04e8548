"""What a scan asks for at one mass, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.injection.signal import ModelLike
from siren_py.runs.chunks import CHUNK_SIZE

ModelAt = Callable[[float], ModelLike]
"""The model at a coupling, the mass being fixed."""

FEWEST = 50.0
"""Effective events below which an error is not believed, whatever its size."""

BARREN = 4 * CHUNK_SIZE
"""Attempts without any accepted event after which a point counts as one without signal."""


class Goal(NamedTuple):
    """How far to go at one mass."""

    precision: float
    """Largest relative error."""
    max_attempts: int
    """Attempts after which a simulation gives up."""
    seed: int
    """Seed of this mass."""


@dataclass
class Row:
    """Results at one mass, for k couplings and some channels.

    Attributes
    ----------
    values, errors
        Expected events and their errors, (k, channels).
    total_errors
        Errors of the sums over the channels, (k,).
    effective
        Effective number of events, all channels together, (k,).
    attempts
        Attempts made.
    """

    values: FloatArray
    errors: FloatArray
    total_errors: FloatArray
    effective: FloatArray
    attempts: int = 0

    @classmethod
    def empty(cls, couplings: int, channels: int) -> Row:
        """Return a row without any events."""
        shape = (couplings, channels)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(couplings), np.zeros(couplings))

    @classmethod
    def joined(cls, rows: Sequence[Row]) -> Row:
        """Put the channels of independent simulations side by side."""
        return cls(
            np.concatenate([r.values for r in rows], axis=1),
            np.concatenate([r.errors for r in rows], axis=1),
            np.sqrt(np.sum([r.total_errors**2 for r in rows], axis=0)),
            np.sum([r.effective for r in rows], axis=0),
            sum(r.attempts for r in rows),
        )


def lifetime(model: ModelLike) -> float:
    """Lifetime that orders the couplings; infinite where nothing decays."""
    return float(getattr(model, "lifetime", np.inf))


def longest_first(models: Sequence[ModelLike]) -> IntArray:
    """Return the order of models from the longest lifetime to the shortest."""
    return np.argsort([-lifetime(m) for m in models], kind="stable")
