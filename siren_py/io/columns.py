"""What every lossless format holds: the columns of the events, and the record beside them.

The columns are those of `siren_py.tree.EventTable`, and some that can be worked out from them, so
that other programs need not: ``weight``, ``vertex_x`` ... ``vertex_time`` (the first vertex) and
``decay_x`` ... ``decay_time`` (the second one, NaN where there is none). The record is JSON: the
number of attempts, the provenance, and the names that integer columns refer to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from siren_py._typing import PathLike
from siren_py.errors import ConfigError, FormatError
from siren_py.io.record import to_json
from siren_py.sample import KEYS, Sample
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, Columns, EventTable, vertex_of
from siren_py.weighting import ARRIVAL_FACTORS, FACTORS, product_of_factors

RECORD = "siren_py"
"""Name of the record in a file."""

SCHEMA_VERSION = 1
"""Version of columns and record; a file of another one is refused."""

POINTS = ("vertex", "decay")
COORDINATES = ("x", "y", "z", "time")

_RECORD_TYPES = {"n_attempts": int, "columns": list, "provenance": dict, "names": dict}

_KINDS = [np.dtype(kind) for kind in ("bool", *"bhilBHIL", "f", "d")]

FLAT_NAMES = {name: ("E" if name == "energy" else name) for name in PARTICLE_COLUMNS}
"""Names of the columns of particles where they stand among the event columns."""

DERIVED = ("weight", *(f"{point}_{c}" for point in POINTS for c in COORDINATES))
"""Columns that are worked out from others when a file is written."""

TAKEN = {
    *DERIVED, "particles", "vertices", "nparticles", "nvertices",
    *FLAT_NAMES.values(), *(f"vertices_{name}" for name in VERTEX_COLUMNS),
}  # fmt: skip
"""Names that are not for event columns; an event column of such a name would be lost."""


def _factor_unit(name: str) -> str:
    unit = FACTORS[name][0]
    arrival = ARRIVAL_FACTORS.get(name, (unit,))[0]
    return unit if arrival == unit else f"{unit}; {arrival} without a target"


UNITS: Mapping[str, str] = {
    "weight": "1/POT",
    **{f"{point}_{c}": "ns" if c == "time" else "cm" for point in POINTS for c in COORDINATES},
    "primary_energy": "GeV",
    "decay_length": "cm",
    "q2": "GeV2",
    **{name: _factor_unit(name) for name in FACTORS},
}
"""Units of event columns; numbers without a unit are not listed."""

PARTICLE_UNITS = dict.fromkeys(("energy", "px", "py", "pz"), "GeV")
VERTEX_UNITS = {"x": "cm", "y": "cm", "z": "cm", "time": "ns"}


def event_columns(table: EventTable, n_attempts: int) -> Columns:
    """Return weights, event columns and the positions of the first two vertices, each (n,)."""
    columns: Columns = {"weight": product_of_factors(table) / n_attempts}
    for name, column in table.events.items():
        columns[name] = column.astype(column.dtype.newbyteorder("="), copy=False)
    for number, point in enumerate(POINTS):
        values = vertex_of(table, number)
        for i, coordinate in enumerate(COORDINATES):
            columns[f"{point}_{coordinate}"] = np.ascontiguousarray(values[:, i])
    return columns


def check_columns(sample: Sample) -> list[str]:
    """Return the names of the event columns, checked to be such that files can hold.

    Raises
    ------
    ConfigError
        If a column has the name of another one of the file, or is not of numbers.
    """
    names = sample.columns[1:]
    for name in names:
        if name in TAKEN:
            raise ConfigError(
                f"The event column {name!r} has the name of another branch of the file. Rename "
                "the invariant of the process that makes it."
            )
        if not name or set(name) & set("/."):
            raise ConfigError(
                f"The event column {name!r} cannot be written: names of columns have no slash and "
                "no dot. Rename the invariant of the process that makes it."
            )
    for table in sample.tables():
        for name, column in table.events.items():
            if column.dtype.newbyteorder("=") not in _KINDS:
                raise ConfigError(
                    f"The event column {name!r} is of type {column.dtype}; files hold "
                    f"{', '.join(map(str, _KINDS))}."
                )
        break  # the tables of a sample have the same columns
    return names


def record_text(sample: Sample) -> str:
    """Return the record of a sample as JSON.

    Raises
    ------
    OutputError
        If the provenance holds what JSON cannot hold.
    """
    return to_json(
        {
            "schema_version": SCHEMA_VERSION,
            "n_attempts": sample.n_attempts,
            # The weights are per proton on target: expected events = sum of weights x POT.
            "pot": 1.0,
            "columns": sample.columns[1:],
            "provenance": sample.provenance,
            "names": sample.lookup,
        }
    )


def read_record(text: str, path: PathLike) -> Mapping[str, Any]:
    """Return the record in a file, checked.

    Parameters
    ----------
    text
        The record as JSON.
    path
        The file, for error texts.

    Raises
    ------
    FormatError
        If it is of another version or lacks something.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
        version = record.get("schema_version") if isinstance(record, dict) else None
        raise FormatError(
            f"{path} has the schema version {version!r}; this version of siren_py reads "
            f"{SCHEMA_VERSION}."
        )
    for key, kind in _RECORD_TYPES.items():
        value = record.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise FormatError(
                f"The record of {path} lacks {key!r}, or it is not of type {kind.__name__}: the "
                "file was changed after it was written."
            )
    if record["n_attempts"] < 1:
        raise FormatError(
            f"The record of {path} says {record['n_attempts']} attempts: the file was changed "
            "after it was written."
        )
    missing = set(KEYS.values()) - set(record["names"])
    if missing:
        raise FormatError(f"The record of {path} lacks the names of {', '.join(sorted(missing))}.")
    return record
