"""A list of event tables in memory, on disk or still in the files that hold them.

Memory stays bounded however many there are.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from siren_py.errors import OutputError
from siren_py.spilling import Spilled, spill
from siren_py.tree import EventTable

MEMORY_LIMIT = 256 * 2**20
"""Size of the tables kept in memory by one store [bytes]; what exceeds it goes to disk."""


Load = Callable[[], EventTable]
"""Fetches a table from the file that holds it."""


class TableStore:
    """Event tables in the order of their chunks, the excess over `limit` bytes on disk.

    Parameters
    ----------
    limit
        Size of the tables kept in memory [bytes].
    """

    def __init__(self, limit: int = MEMORY_LIMIT) -> None:
        self._limit = limit
        self._tables: list[EventTable | Spilled | Load] = []
        self._in_memory = 0
        self._is_full = False
        self._short: dict[int, Load] = {}
        self._lengths: list[int] = []
        self._folder: Path | None = None

    def append(self, table: EventTable | Spilled) -> None:
        """Add a table at the end, or what somebody has written to the `overflow`."""
        if isinstance(table, EventTable) and not self.has_room(table):
            table = self._spill(table)
        if isinstance(table, Spilled):
            self._lengths.append(table.events)
        else:
            self._lengths.append(len(table))
            self._in_memory += table.nbytes
        self._tables.append(table)

    def append_later(self, length: int, load: Load, load_events: Load | None = None) -> None:
        """Add a table of `length` events that `load` fetches whenever it is asked for.

        What fits into memory is fetched once and kept. If `load_events` is given, it fetches a
        table of the event columns alone; see `events`.
        """
        if load_events is not None:
            self._short[len(self._tables)] = load_events
        self._lengths.append(length)
        self._tables.append(load)

    def has_room(self, table: EventTable) -> bool:
        """Return whether a table would be kept in memory."""
        has_room = self._in_memory + table.nbytes <= self._limit
        self._is_full |= not has_room
        return has_room

    def overflow(self) -> Path | None:
        """Return the folder for the next tables, None while they are kept in memory.

        Other processes may write them there themselves, with `siren_py.spilling.spill`.
        """
        return self._folder

    def _spill(self, table: EventTable) -> Spilled:
        """Write a table to the store's own folder, which goes when the store goes."""
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="siren_py_"))
                weakref.finalize(self, _remove, self._folder)
            return spill(table, self._folder)
        except OSError as error:
            raise OutputError(
                f"Events beyond {self._limit / 2**20:.0f} MB are kept in a temporary folder, but "
                f"writing there failed: {error.strerror or error}. Free space in "
                f"{tempfile.gettempdir()}, or set TMPDIR to a folder with more."
            ) from error

    def __len__(self) -> int:
        return len(self._tables)

    def __iter__(self) -> Iterator[EventTable]:
        for i in range(len(self._tables)):
            yield self[i]

    def __getitem__(self, number: int) -> EventTable:
        table = self._tables[number]
        if isinstance(table, EventTable):
            return table
        if isinstance(table, Spilled):
            return table.load()
        fetched = table()
        if self.has_room(fetched):
            self._tables[number] = fetched
            self._in_memory += fetched.nbytes
        return fetched

    def events(self) -> Iterator[EventTable]:
        """Iterate over the tables for their event columns; vertices and particles may lack.

        Where the tables do not all fit into memory, this is faster than fetching them in full.
        """
        for number, table in enumerate(self._tables):
            short = self._short.get(number)
            if short is None or not self._is_full or isinstance(table, EventTable):
                yield self[number]
            else:
                yield short()

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


def _remove(folder: Path) -> None:
    # Another process may be about to end a file there, of a run that was interrupted.
    for _ in range(10):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
