"""Samples as data frames of pandas and polars.

``what="events"``
    One row per event: weight, event columns, ``vertex_x`` ... ``decay_time``. Materials, volumes,
    regions, targets, channels and fluxes are categories with their names.
``what="particles"``, ``what="vertices"``
    One row per particle or vertex. ``entry`` is the row of the event among the events, and
    ``particle`` or ``number`` counts within the event. In pandas these two are the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import IntArray
from siren_py.errors import ConfigError, unknown_name
from siren_py.io.columns import event_columns
from siren_py.sample import KEYS, Sample
from siren_py.tree import Column, EventTable, offsets_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_COUNTER = {"particles": "particle", "vertices": "number"}

WHAT = ("events", *_COUNTER)
"""The tables that a sample has."""


class Names:
    """A column of names: numbers, and what they stand for.

    Parameters
    ----------
    codes
        Numbers, shape (n,), from 0.
    labels
        Names by number; a name may be there twice.
    """

    def __init__(self, codes: IntArray, labels: Sequence[str]) -> None:
        # Categories of data frames are all different.
        self.labels = list(dict.fromkeys(labels))
        number = {label: i for i, label in enumerate(self.labels)}
        translation = np.array([number[label] for label in labels], dtype=np.int64)
        self.codes = translation[codes]


def frame_columns(sample: Sample, what: str = "events") -> dict[str, Any]:
    """Return the columns of one of the tables of a sample, those of names as `Names`.

    Parameters
    ----------
    sample
        The sample. All its events are loaded.
    what
        ``"events"``, ``"particles"`` or ``"vertices"``.

    Raises
    ------
    UnknownNameError
        If there is no such table.
    ConfigError
        If an event column has the name ``entry``, which counts the rows.
    """
    if what not in WHAT:
        raise unknown_name("table of a sample", what, WHAT)
    table = sample.table()
    if what == "events":
        return _events(sample, table)
    counts = table.particle_counts if what == "particles" else table.vertex_counts
    entry = np.repeat(np.arange(len(table), dtype=np.int64), counts)
    first = np.repeat(offsets_of(counts)[:-1], counts)
    columns: dict[str, Any] = {
        "entry": entry,
        _COUNTER[what]: np.arange(entry.size, dtype=np.int64) - first,
    }
    if what == "particles":
        return columns | table.particles
    columns |= table.vertices
    for name, key in (("process", "processes"), ("volume", "volumes")):
        columns[name] = _named(columns[name], sample.lookup.get(key, ()))
    return columns


def _events(sample: Sample, table: EventTable) -> dict[str, Any]:
    columns: dict[str, Any] = dict(event_columns(table, sample.n_attempts))
    if "entry" in columns:
        raise ConfigError(
            "The event column 'entry' has the name that counts the rows of data frames. Rename the "
            "invariant of the process that makes it."
        )
    for key in KEYS:
        columns[key] = Names(sample._category(key, table), sample._labels(key))
    if "decay_volume" in columns:
        columns["decay_volume"] = _named(columns["decay_volume"], sample.lookup["volumes"])
    return {"entry": np.arange(len(table), dtype=np.int64), **columns}


def _named(column: Column, names: Sequence[object]) -> Names:
    """Return numbers as the names that they stand for; -1 is none."""
    codes = column.astype(np.int64)
    return Names(np.where(codes < 0, len(names), codes), [*map(str, names), "none"])


def to_pandas(sample: Sample, what: str = "events") -> pd.DataFrame:
    """Return a table of a sample as a pandas data frame; see `Sample.to_pandas`."""
    pandas = import_optional("pandas", "pandas", "Data frames of pandas")
    data = {
        name: pandas.Categorical.from_codes(c.codes, c.labels) if isinstance(c, Names) else c
        for name, c in frame_columns(sample, what).items()
    }
    index = ["entry"] if what == "events" else ["entry", _COUNTER[what]]
    frame: pd.DataFrame = pandas.DataFrame(data).set_index(index)
    return frame


def to_polars(sample: Sample, what: str = "events") -> pl.DataFrame:
    """Return a table of a sample as a polars data frame; see `Sample.to_polars`."""
    polars = import_optional("polars", "polars", "Data frames of polars")
    data = {}
    for name, column in frame_columns(sample, what).items():
        if isinstance(column, Names):
            labels = polars.Series(name, column.labels, dtype=polars.Enum(column.labels))
            data[name] = labels.gather(column.codes)
        else:
            data[name] = polars.Series(name, column)
    frame: pl.DataFrame = polars.DataFrame(data)
    return frame
