"""What a worker of a dask cluster does: groups of chunks, and getting their tables to the client.

Workers on the client's machine know that from its presence, which they see and which tells them
when a run has ended: until then they keep freed memory for the next chunk. Nothing of a run is
left with them in the memory of dask, which moves and drops things as it likes.
"""

from __future__ import annotations

import threading
import time
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from siren_py.runs.chunks import Chunk
from siren_py.runs.heap import keep_freed_memory
from siren_py.runs.sharing import Address, Gone, Lent, borrow, free_spare, lend, watch
from siren_py.runs.transport import Parcel, injector_of, make_chunk
from siren_py.spilling import Spilled, try_to_spill
from siren_py.tree import EventTable

Made = EventTable | Spilled | Lent | Gone
"""What comes of a chunk."""


class Shared(NamedTuple):
    """What workers on the client's machine find there."""

    parcel: Address
    """The injector."""
    presence: Address
    """What ends when the run ends."""


class Setup(NamedTuple):
    """What a worker needs for the chunks of a run besides their numbers."""

    digest: str
    """Tells injectors apart."""
    seed: int
    shared: Shared | None
    """None if nothing is shared."""


class Package:
    """The parcel of an injector for workers on other machines, and what they keep with it."""

    def __init__(self, parcel: Parcel):
        self._parcel = parcel._replace(data=zlib.compress(parcel.data, 1))
        self._let_go: Callable[[], object] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_parcel": self._parcel, "_let_go": None}

    def keep_memory(self) -> None:
        """Make this process keep freed memory for as long as it has the package."""
        if self._let_go is None:
            self._let_go = keep_freed_memory(self)

    def let_go(self) -> None:
        """End that at once: errors hold on to things for long."""
        if self._let_go is not None:
            self._let_go()

    def open(self) -> Parcel:
        """Return the parcel."""
        return self._parcel._replace(data=zlib.decompress(self._parcel.data))


class Answer(NamedTuple):
    """What comes of a group of chunks: the tables of the first of them, up to an obstacle."""

    tables: list[Made]
    seconds: float = 0.0
    far: bool = False
    """The worker is not on the client's machine; it has to be sent the parcel."""


class _FarError(Exception):
    pass


def make_chunks(
    setup: Setup, package: Package | None, group: tuple[Chunk, ...], folder: Path | None
) -> Answer:
    """Make the chunks of a group, up to the first that fails; an error only if it is the first.

    Parameters
    ----------
    setup
        That of the run.
    package
        The injector, for workers that do not find it with the client.
    group
        The chunks.
    folder
        Folder of the client for the tables, if they are not to be kept in memory.
    """
    begin = time.monotonic()
    run = None if setup.shared is None else _run_of(setup.shared)
    if run is None and package is not None:
        package.keep_memory()
    tables: list[Made] = []
    try:
        injector = injector_of(setup.digest, lambda: _fetch(setup, package))
        for chunk in group:
            table = make_chunk(injector, setup.seed, chunk)
            tables.append(table if run is None else run.hand_over(table, folder))
    except _FarError:
        return Answer([], far=True)
    except Exception:
        if not tables:
            if package is not None:
                package.let_go()
            raise
    return Answer(tables, time.monotonic() - begin)


def _fetch(setup: Setup, package: Package | None) -> Parcel:
    if package is not None:
        return package.open()
    found = Gone() if setup.shared is None else borrow(setup.shared.parcel)
    if isinstance(found, Gone):
        raise _FarError
    parcel, data = found
    return Parcel(parcel.digest, data, parcel.scripts)


class _Run:
    """What this process keeps for a run of a client on the same machine."""

    def __init__(self) -> None:
        self._loans: weakref.WeakSet[Lent] | None = weakref.WeakSet()
        self._lock = threading.Lock()
        self._let_go = keep_freed_memory(self)

    def hand_over(self, table: EventTable, folder: Path | None) -> Made:
        """Return what takes least time on its way to the client."""
        spilled = try_to_spill(table, folder)
        if spilled is not None:
            return spilled
        lent = lend(table)
        with self._lock:
            if lent is None or self._loans is None:
                return table
            self._loans.add(lent)
        return lent

    def end(self) -> None:
        """Give everything back."""
        with self._lock:
            loans, self._loans = self._loans or (), None
        # dask may hold on to what it could not deliver.
        for lent in list(loans):
            lent.end()
        self._let_go()
        free_spare()


_runs: dict[Address, _Run] = {}
_lock = threading.Lock()


def _run_of(shared: Shared) -> _Run | None:
    """Return the run of a client; None if it is over, or if the client is not here."""
    with _lock:
        run = _runs.get(shared.presence)
        if run is None and watch(shared.presence, lambda: _end(shared.presence)):
            run = _runs[shared.presence] = _Run()
    return run


def _end(presence: Address) -> None:
    with _lock:
        run = _runs.pop(presence, None)
    if run is not None:
        run.end()
