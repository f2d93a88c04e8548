"""Open files of events: tables are read piece by piece, and their weights are checked."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._optional import MissingDependencyError
from siren_py._typing import IntArray, PathLike
from siren_py.errors import FormatError
from siren_py.sample import Sample
from siren_py.store import TableStore
from siren_py.tree import Columns, EventTable
from siren_py.weighting import FACTORS, product_of_factors

if TYPE_CHECKING:
    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector

STEP = 50_000
"""Events per reading step, where the file does not say."""


class EventReader(ABC):
    """An open file of events in one of the lossless formats.

    Parameters
    ----------
    path
        Name of the file. It stays open, so the sample stays whole when another file takes the
        name.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged or is of another kind.
    """

    kind = "file"
    """What such a file is called in error texts."""
    parts = "branches"
    """What its columns are called there."""

    record: Mapping[str, Any]
    columns: list[str]
    n_entries: int

    def __init__(self, path: PathLike) -> None:
        self.path = path
        if not Path(path).exists():
            raise FormatError(f"There is no file {path}.")
        if Path(path).is_dir():
            raise FormatError(f"{path} is a folder; give the name of a {self.kind} in it.")
        self._lock = threading.Lock()

    @abstractmethod
    def _read(self, start: int, stop: int) -> tuple[EventTable, Columns]:
        """Read the events from `start` to before `stop`, and the columns ``weight`` beside them."""

    @abstractmethod
    def _event_column(self, name: str, start: int, stop: int) -> Any:
        """Read one event column from `start` to before `stop`."""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        # Libraries raise errors of many kinds on damaged files; to the user they mean the same.
        try:
            yield
        except (FormatError, MissingDependencyError):
            raise
        except Exception as error:
            text = str(error).strip().splitlines()
            raise FormatError(
                f"{self.path} cannot be read as a {self.kind} with weighted events "
                f"({type(error).__name__}: {text[0] if text else 'no details'}). It may be damaged "
                "or of another kind; write it anew with Sample.write."
            ) from error

    def _check_names(self, found: Iterable[str], more: Iterable[str] = ()) -> None:
        """Check that a file has the columns that its record lists, those of all files and more."""
        # Columns that somebody added are left alone; what the record lists has to be there.
        missing = {*FACTORS, "weight", "event", *self.columns, *more} - set(found)
        if missing:
            raise FormatError(f"{self.path} lacks the {self.parts} {', '.join(sorted(missing))}.")

    def _read_events(self, start: int, stop: int) -> tuple[EventTable, Columns]:
        """Read as `_read`, but the event columns only, where the format makes that faster."""
        return self._read(start, stop)

    def table(self, start: int, stop: int) -> EventTable:
        """Read the events from entry `start` to before `stop`.

        Raises
        ------
        FormatError
            If they are damaged, or the weights do not agree with their factors.
        """
        return self._checked(self._read, start, stop)

    def events(self, start: int, stop: int) -> EventTable:
        """Read as `table`, but perhaps without vertices and particles."""
        return self._checked(self._read_events, start, stop)

    def _checked(
        self, read: Callable[[int, int], tuple[EventTable, Columns]], start: int, stop: int
    ) -> EventTable:
        # Damaged factors may overflow; their product is then none of a weight.
        with self._errors(), self._lock, np.errstate(over="ignore"):
            table, derived = read(start, stop)
            product = product_of_factors(table) / self.record["n_attempts"]
            if len(table) != stop - start:
                raise FormatError(
                    f"{self.path} holds {len(table)} events where it says {stop - start}: the file "
                    "is damaged."
                )
        if not np.allclose(product, derived["weight"], rtol=1e-12, atol=0.0):
            raise FormatError(
                f"The weights in {self.path} do not equal the product of their factors over the "
                "number of attempts: the file was changed after it was written."
            )
        return table

    def event_numbers(self, start: int, stop: int) -> IntArray:
        """Read the numbers of the attempts that made the events from `start` to before `stop`."""
        with self._errors(), self._lock:
            return np.asarray(self._event_column("event", start, stop), dtype=np.int64)

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield the first entry and the end of pieces to read; one empty piece if none."""
        yield from steps(self.n_entries)

    def sample(
        self, store: TableStore, injector: Injector | ArrivalInjector | None = None
    ) -> Sample:
        """Return the sample of the file with the tables in `store`."""
        record = self.record
        return Sample(store, record["n_attempts"], record["names"], record["provenance"], injector)

    def load(self) -> Sample:
        """Read and check what one store keeps of the events; the others when they are needed."""
        store, room = TableStore(), True
        for start, stop in self.pieces():
            if room:
                table = self.table(start, stop)
                room = store.has_room(table)
            if room:
                store.append(table)
            else:
                # What is in a file need not be written to another one.
                self._append_later(store, start, stop)
        return self.sample(store)

    def later(self, injector: Injector | ArrivalInjector | None = None) -> Sample:
        """Return the sample without reading its events, which are fetched when needed."""
        return self.sample(self.store(), injector)

    def store(self) -> TableStore:
        """Return the tables of the file, which are fetched when needed."""
        store = TableStore()
        for start, stop in self.pieces():
            self._append_later(store, start, stop)
        return store

    def _append_later(self, store: TableStore, start: int, stop: int) -> None:
        store.append_later(
            stop - start, partial(self.table, start, stop), partial(self.events, start, stop)
        )


def steps(n: int) -> Iterator[tuple[int, int]]:
    """Yield the first entry and the end of pieces of `n` entries; one empty piece if none."""
    for start in range(0, max(n, 1), STEP):
        yield start, min(start + STEP, n)


def column_of(values: Any, kind: Any) -> Any:
    """Return values that a file holds as a column of the type `kind`, if none is lost by that.

    Raises
    ------
    FormatError
        If the values are of a type that does not fit into `kind`.
    """
    array = np.asarray(values)
    if array.dtype == kind:
        return array
    if not np.can_cast(array.dtype, kind, casting="same_kind"):
        raise FormatError(f"a column is of type {array.dtype}, not {np.dtype(kind)}")
    converted = array.astype(kind)
    if not np.array_equal(converted, array, equal_nan=array.dtype.kind == "f"):
        raise FormatError(f"a column of type {array.dtype} does not fit into {np.dtype(kind)}")
    return converted
