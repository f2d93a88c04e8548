"""A table of events in a temporary file: written in one go, mapped into memory when asked for.

The bytes of the columns stand one after the other, what they are stays in memory: nothing is
converted, and of a mapped table only those columns are read that somebody looks at.
"""

from __future__ import annotations

import mmap
import pickle
from pathlib import Path
from typing import NamedTuple, cast

from siren_py.errors import OutputError
from siren_py.tree import EventTable

_ALIGNED = 64
"""Columns begin at multiples of this [bytes]."""


class Spilled(NamedTuple):
    """A table that waits in a file."""

    path: Path
    """The file, which nobody else writes."""
    head: bytes
    """The pickled table without its columns."""
    spans: tuple[tuple[int, int], ...]
    """Begin and end of each column in the file [bytes]."""

    def load(self) -> EventTable:
        """Map the table; its columns may be changed, which changes the file never.

        Raises
        ------
        OutputError
            If the file is gone or was cut.
        """
        size = max((end for _, end in self.spans), default=0)
        try:
            with self.path.open("rb") as file:
                # A mapping of nothing is not allowed.
                memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) if size else b""
        except (OSError, ValueError) as error:
            raise OutputError(
                f"Events that did not fit into memory were kept in {self.path}, and that file "
                f"cannot be read any more: {error}. Make the run again, with TMPDIR set to a "
                "folder that nothing cleans up."
            ) from error
        view = memoryview(memory)
        columns = [view[begin:end] for begin, end in self.spans]
        return cast("EventTable", pickle.loads(self.head, buffers=columns))


def spill(table: EventTable, path: Path) -> Spilled:
    """Write a table to a new file.

    Raises
    ------
    OSError
        If that fails.
    """
    columns: list[pickle.PickleBuffer] = []
    head = pickle.dumps(table, protocol=5, buffer_callback=columns.append)
    spans = []
    with path.open("xb") as file:
        for column in columns:
            begin = file.seek(-(-file.tell() // _ALIGNED) * _ALIGNED)
            file.write(column.raw())
            spans.append((begin, file.tell()))
    return Spilled(path, head, tuple(spans))
