"""A table of events in a temporary file: written in one go, mapped into memory when asked for.

The bytes of the columns stand one after the other, what they are stays in memory: nothing is
converted, and of a mapped table only those columns are read that somebody looks at.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

from siren_py.errors import OutputError
from siren_py.mapping import Layout, put_together, take_apart
from siren_py.tree import EventTable

Overflow = Callable[[], Path | None]
"""Returns the folder for the next tables, None while they are kept in memory."""


def no_overflow() -> None:
    """Return that all tables are kept in memory."""


class Spilled(NamedTuple):
    """A table that waits in a file."""

    path: Path
    """The file, which nobody else writes."""
    layout: Layout
    """The table without its columns, and where in the file they are."""
    events: int
    """Number of its events."""

    def load(self) -> EventTable:
        """Map the table; its columns may be changed, which changes the file never.

        Raises
        ------
        OutputError
            If the file is gone or was cut.
        """
        try:
            with self.path.open("rb") as file:
                return cast("EventTable", put_together(self.layout, file.fileno()))
        except OSError as error:
            raise OutputError(
                f"Events that did not fit into memory were kept in {self.path}, and that file "
                f"cannot be read any more: {error}. Make the run again, with TMPDIR set to a "
                "folder that nothing cleans up."
            ) from error


def spill(table: EventTable, folder: Path) -> Spilled:
    """Write a table to a new file in a folder, where other processes may write theirs.

    Raises
    ------
    OSError
        If that fails; then no file is left.
    """
    layout, columns = take_apart(table)
    path = folder / secrets.token_hex(16)
    try:
        with path.open("xb") as file:
            for (begin, _), column in zip(layout.spans, columns, strict=True):
                file.seek(begin)
                file.write(column)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return Spilled(path, layout, len(table))


def try_to_spill(table: EventTable, folder: Path | None) -> Spilled | None:
    """Do it for another process, which has the table sent if None comes back.

    Parameters
    ----------
    table
        A table.
    folder
        Folder of the other process, which may be on another machine; or None.
    """
    if folder is None:
        return None
    try:
        return spill(table, folder)
    except OSError:
        return None
