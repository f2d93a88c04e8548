"""A list of event tables that moves to disk when it grows: memory stays bounded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from siren_py.tree import EventTable

MEMORY_LIMIT = 256 * 2**20
"""Size of the tables kept in memory by one store [bytes]; what exceeds it goes to disk."""


class TableStore:
    """Event tables in the order of their chunks, the excess over `limit` bytes on disk.

    Parameters
    ----------
    limit
        Size of the tables kept in memory [bytes].
    """

    def __init__(self, limit: int = MEMORY_LIMIT) -> None:
        self._limit = limit
        self._tables: list[EventTable | Path] = []
        self._in_memory = 0
        self._lengths: list[int] = []
        # Removed by its finaliser when the last store that uses it is gone.
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def append(self, table: EventTable) -> None:
        """Add a table at the end."""
        self._lengths.append(len(table))
        if self._in_memory + table.nbytes <= self._limit:
            self._tables.append(table)
            self._in_memory += table.nbytes
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="siren_py_")
        path = Path(self._folder.name) / f"{len(self._tables):08d}.npz"
        np.savez(path, allow_pickle=False, **table.arrays())
        self._tables.append(path)

    def __len__(self) -> int:
        return len(self._tables)

    def __iter__(self) -> Iterator[EventTable]:
        for i in range(len(self._tables)):
            yield self[i]

    def __getitem__(self, number: int) -> EventTable:
        table = self._tables[number]
        if isinstance(table, EventTable):
            return table
        with np.load(table, allow_pickle=False) as stored:
            return EventTable.from_arrays({key: stored[key] for key in stored.files})

    @property
    def lengths(self) -> list[int]:
        """Number of events of each table."""
        return list(self._lengths)

    @property
    def n_events(self) -> int:
        """Number of events of all tables."""
        return sum(self._lengths)

    def map(self, function: Callable[[EventTable], EventTable]) -> TableStore:
        """Return a store with `function` applied to every table."""
        result = TableStore(self._limit)
        for table in self:
            result.append(function(table))
        return result
