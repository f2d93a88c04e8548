"""Records: what a file says of itself besides its events, as JSON text."""

from __future__ import annotations

import json
from os import PathLike, fspath
from typing import Any

import numpy as np

from siren_py.errors import OutputError


def to_json(record: dict[str, Any], *, indent: int | None = None) -> str:
    """Write a record as JSON; numbers come back bit for bit.

    Parameters
    ----------
    record
        Nested dictionaries, lists, texts and numbers; NumPy numbers and arrays, tuples and paths
        become plain ones.
    indent
        Spaces per level; None puts all on one line.

    Raises
    ------
    OutputError
        If a value is NaN or infinite, which JSON cannot hold, or has no form in JSON.
    """
    try:
        return json.dumps(record, indent=indent, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise OutputError(
            f"The record of the run cannot be written as JSON ({error}). What `to_dict` of a "
            "model, flux or cut returns must be finite numbers, texts, lists and dictionaries."
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, PathLike):
        return fspath(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
