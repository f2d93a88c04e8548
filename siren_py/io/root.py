"""ROOT files: a TTree of events, and the provenance as JSON beside it.

The tree ``events`` has one entry per event. Flat branches: ``weight`` (expected events per
proton on target) and its factors, ``vertex_x`` ... ``vertex_time`` and ``decay_x`` ...
``decay_time`` (the first two vertices, NaN where there is none) and all event columns. Jagged
branches: ``pdg``, ``status``, ``vertex``, ``end_vertex``, ``E``, ``px``, ``py``, ``pz`` of the
particles and ``vertices_*`` of all vertices. The string ``siren_py`` holds the provenance and
the names that integer columns refer to. Energies are in GeV, lengths in cm, times in ns.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import IntArray, PathLike
from siren_py.errors import ConfigError, FormatError
from siren_py.io.files import complete_file
from siren_py.io.record import to_json
from siren_py.progress import ProgressLike, progress_bar
from siren_py.sample import KEYS, Sample
from siren_py.store import TableStore
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, EventTable, vertex_of
from siren_py.weighting import FACTORS, product_of_factors

if TYPE_CHECKING:
    import uproot

    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector

TREE = "events"
RECORD = "siren_py"
SCHEMA_VERSION = 1

_STEP = 50_000
"""Events per reading step."""

_POINTS = ("vertex", "decay")
_COORDINATES = ("x", "y", "z", "time")
_RECORD_TYPES = {"n_attempts": int, "columns": list, "provenance": dict, "names": dict}
_PARTICLE_BRANCHES = {name: ("E" if name == "energy" else name) for name in PARTICLE_COLUMNS}

_JAGGED = sorted({*_PARTICLE_BRANCHES.values(), *(f"vertices_{name}" for name in VERTEX_COLUMNS)})

_TAKEN = {
    "weight", "particles", "vertices", "nparticles", "nvertices",
    *(f"{p}_{c}" for p in _POINTS for c in _COORDINATES),
    *_PARTICLE_BRANCHES.values(), *(f"vertices_{name}" for name in VERTEX_COLUMNS),
}  # fmt: skip
"""Branches that are not event columns; an event column of such a name would be lost."""


def _field(outer: str, inner: str) -> str:
    """Branch name of a column of the jagged records."""
    return inner if outer == "particles" else f"{outer}_{inner}"


def write_root(
    sample: Sample, path: PathLike, *, overwrite: bool = True, progress: ProgressLike = False
) -> None:
    """Write a sample to a ROOT file, chunk by chunk.

    Parameters
    ----------
    sample
        The sample.
    path
        Name of the file; it appears only when the file is complete.
    overwrite
        Whether an existing file may be replaced.
    progress
        See `siren_py.progress.ProgressLike`; counts events.

    Raises
    ------
    OutputError
        If the file cannot be written; an existing file is then left as it was.
    ConfigError
        If an event column has the name of another branch.
    """
    import awkward as ak
    import uproot

    events = sample.columns[1:]
    for name in events:
        if name in _TAKEN:
            raise ConfigError(
                f"The event column {name!r} has the name of another branch of the file. Rename "
                "the invariant of the process that makes it."
            )
    text = to_json(
        {
            "schema_version": SCHEMA_VERSION,
            "n_attempts": sample.n_attempts,
            # The weights are per proton on target: expected events = sum of weights x POT.
            "pot": 1.0,
            "columns": events,
            "provenance": sample.provenance,
            "names": sample.lookup,
        }
    )
    done = 0
    with (
        complete_file(path, overwrite=overwrite) as part,
        progress_bar(len(sample), f"writing {Path(path).name}", progress) as report,
        uproot.recreate(part, compression=uproot.ZSTD(3)) as file,
    ):
        tree = None
        for table in sample.tables():
            columns = _branches(table, sample.n_attempts)
            if tree is None:
                types = {
                    name: array.type.content if isinstance(array, ak.Array) else array.dtype
                    for name, array in columns.items()
                }
                tree = file.mktree(TREE, types, title="weighted events", field_name=_field)
            if len(table):
                tree.extend(columns)
            done += len(table)
            report(done, len(sample))
        file[RECORD] = text


def _branches(table: EventTable, n_attempts: int) -> dict[str, Any]:
    import awkward as ak

    columns: dict[str, Any] = {"weight": product_of_factors(table) / n_attempts, **table.events}
    for number, point in enumerate(_POINTS):
        values = vertex_of(table, number)
        for i, coordinate in enumerate(_COORDINATES):
            columns[f"{point}_{coordinate}"] = np.ascontiguousarray(values[:, i])
    particles = {branch: table.particles[name] for name, branch in _PARTICLE_BRANCHES.items()}
    columns["particles"] = ak.unflatten(ak.zip(particles), table.particle_counts)
    columns["vertices"] = ak.unflatten(ak.zip(dict(table.vertices)), table.vertex_counts)
    return columns


def read_root(path: PathLike) -> Sample:
    """Read a sample that `Sample.to_root` wrote.

    Parameters
    ----------
    path
        Name of the file.

    Returns
    -------
    Sample
        The same events, weights and provenance.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged, is not of this format, or if its weights do not
        agree with their factors.
    """
    reader = RootReader(path)
    store = TableStore()
    for start, stop in steps(reader.n_entries):
        table = reader.table(start, stop)
        if store.has_room(table):
            store.append(table)
        else:
            # What is in a file need not be written to another one.
            store.append_later(len(table), partial(reader.table, start, stop))
    return reader.sample(store)


def open_root(path: PathLike, injector: Injector | ArrivalInjector | None = None) -> Sample:
    """Return the sample in a file without reading its events, which are fetched when needed.

    Parameters
    ----------
    path
        Name of a file that `write_root` wrote.
    injector
        What made the events, where that is known.

    Raises
    ------
    FormatError
        As for `read_root`; for damaged events when these are fetched.
    """
    reader = RootReader(path)
    store = TableStore()
    for start, stop in steps(reader.n_entries):
        store.append_later(stop - start, partial(reader.table, start, stop))
    return reader.sample(store, injector)


def read_provenance(path: PathLike) -> dict[str, Any]:
    """Return the provenance of a file, with its true number of attempts.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    reader = RootReader(path)
    return {**reader.record["provenance"], "n_attempts": reader.record["n_attempts"]}


def steps(n: int) -> Iterator[tuple[int, int]]:
    """Yield the first entry and the end of pieces of `n` entries; one empty piece if none."""
    for start in range(0, max(n, 1), _STEP):
        yield start, min(start + _STEP, n)


class RootReader:
    """An open file of events, from which tables are read piece by piece.

    Parameters
    ----------
    path
        Name of the file. It stays open, so the sample stays whole when another file takes the
        name.

    Raises
    ------
    FormatError
        See `read_root`.
    """

    def __init__(self, path: PathLike) -> None:
        import uproot

        self.path = path
        if not Path(path).exists():
            raise FormatError(f"There is no file {path}.")
        if Path(path).is_dir():
            raise FormatError(f"{path} is a folder; give the name of a ROOT file in it.")
        self._lock = threading.Lock()
        with self._errors():
            # A mapping, because uproot takes a colon in a text for the start of an object's
            # name. Read, not mapped into memory: pages of a mapped file count as memory used.
            file = uproot.open(
                {os.fspath(path): None}, handler=uproot.MultithreadedFileSource, num_workers=1
            )
        weakref.finalize(self, file.close)
        with self._errors():
            # A file that lost its end may still open: its header knows how long it was.
            length, size = int(file.file.fEND), Path(path).stat().st_size
            if size < length:
                raise FormatError(
                    f"{path} is not complete: it has {size} of {length} bytes. Copy it again."
                )
            self.record = _read_record(file, path)
            self._tree = file[TREE]
            self.n_entries = int(self._tree.num_entries)
            # Branches that somebody added are left alone; what the record lists has to be there.
            self.columns = [str(name) for name in self.record["columns"]]
            needed = {*_JAGGED, *FACTORS, "weight", "event", *self.columns}
            missing = needed - set(self._tree.keys())
            if missing:
                raise FormatError(
                    f"The tree of {path} lacks the branches {', '.join(sorted(missing))}."
                )

            # A number of entries that the branches do not have would be looked for without end.
            for name in sorted(needed):
                entries = int(self._tree[name].entry_offsets[-1])
                if entries != self.n_entries:
                    raise FormatError(
                        f"The tree of {path} says that it has {self.n_entries} events, but its "
                        f"branch {name!r} has {entries}: the file is damaged."
                    )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        # uproot raises errors of many kinds on damaged files; to the user they mean the same.
        try:
            yield
        except FormatError:
            raise
        except Exception as error:
            text = str(error).strip().splitlines()
            raise FormatError(
                f"{self.path} cannot be read as a ROOT file with weighted events "
                f"({type(error).__name__}: {text[0] if text else 'no details'}). It may be damaged "
                "or of another kind; write it anew with Sample.to_root."
            ) from error

    def table(self, start: int, stop: int) -> EventTable:
        """Read the events from entry `start` to before `stop`.

        Raises
        ------
        FormatError
            If they are damaged, or the weights do not agree with their factors.
        """
        names = [*self.columns, "weight", *_JAGGED]
        with self._errors(), self._lock:
            data = self._tree.arrays(names, entry_start=start, entry_stop=stop, array_cache=None)
            table = _table_of(data, self.columns)
            weight = np.asarray(data["weight"])
            product = product_of_factors(table) / self.record["n_attempts"]
        if not np.allclose(product, weight, rtol=1e-12, atol=0.0):
            raise FormatError(
                f"The weights in {self.path} do not equal the product of their factors over the "
                "number of attempts: the file was changed after it was written."
            )
        return table

    def event_numbers(self, start: int, stop: int) -> IntArray:
        """Read the numbers of the attempts that made the events from `start` to before `stop`."""
        with self._errors(), self._lock:
            column = self._tree["event"].array(entry_start=start, entry_stop=stop, library="np")
            return np.asarray(column, dtype=np.int64)

    def sample(
        self, store: TableStore, injector: Injector | ArrivalInjector | None = None
    ) -> Sample:
        """Return the sample of the file with the tables in `store`."""
        record = self.record
        return Sample(store, record["n_attempts"], record["names"], record["provenance"], injector)


def _read_record(file: uproot.ReadOnlyDirectory, path: PathLike) -> Mapping[str, Any]:
    keys = file.keys(cycle=False)
    for needed in (TREE, RECORD):
        if needed not in keys:
            raise FormatError(
                f"{path} has no object {needed!r}; it holds {', '.join(keys) or 'nothing'}. It was "
                "not written by Sample.to_root."
            )
    record = json.loads(str(file[RECORD]))
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


def _table_of(data: Any, columns: list[str]) -> EventTable:
    import awkward as ak

    def flat(name: str, kind: type[np.generic]) -> Any:
        return ak.to_numpy(ak.flatten(data[name])).astype(kind, copy=False)

    return EventTable(
        {name: ak.to_numpy(data[name]) for name in columns},
        {name: flat(f"vertices_{name}", kind) for name, kind in VERTEX_COLUMNS.items()},
        ak.to_numpy(ak.num(data["vertices_x"])).astype(np.int64),
        {name: flat(_PARTICLE_BRANCHES[name], kind) for name, kind in PARTICLE_COLUMNS.items()},
        ak.to_numpy(ak.num(data["pdg"])).astype(np.int64),
    )
