"""Checks of what users hand to fluxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError


def number_array(word: str, values: ArrayLike) -> FloatArray:
    """Return a copy of `values` as a flat array of finite numbers.

    Raises
    ------
    ConfigError
        If it is not that; `word` names the argument.
    """
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The {word} of a flux must be numbers: {error}.") from error
    if array.ndim != 1:
        raise ConfigError(f"The {word} of a flux must have one axis; the shape is {array.shape}.")
    if not np.isfinite(array).all():
        k = int(np.argmin(np.isfinite(array)))
        raise ConfigError(f"The {word} of a flux must be finite; element {k} is {array[k]}.")
    return array


def energy_array(energy: ArrayLike) -> FloatArray:
    """Return energies as an array; NaN is refused."""
    array = np.asarray(energy, dtype=np.float64)
    if np.isnan(array).any():
        raise ConfigError("The flux is asked for at an energy that is NaN.")
    return array


def fraction_array(u: ArrayLike) -> FloatArray:
    """Return fractions as an array; all must lie in [0, 1]."""
    array = np.asarray(u, dtype=np.float64)
    if not ((array >= 0.0) & (array <= 1.0)).all():
        raise ConfigError("Fractions must lie in [0, 1]; at least one does not, or is NaN.")
    return array


def check_limits(low: float, high: float) -> None:
    """Refuse limits that are NaN or not in order."""
    if not low <= high:
        raise ConfigError(f"The limits must be in order and not NaN; they are {low!r}, {high!r}.")


def positive(word: str, value: float, unit: str = "") -> float:
    """Return a positive, finite number; `word` names it in the error."""
    if not (math.isfinite(value) and value > 0.0):
        raise ConfigError(f"The {word} of a flux must be positive and finite; it is {value}{unit}.")
    return float(value)


def scaled_source(source: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Return the record of a source with one more factor."""
    return {**source, "scale": source.get("scale", 1.0) * factor}
