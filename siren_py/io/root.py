"""ROOT files: a TTree or an RNTuple of events, and the provenance as JSON beside it.

The tree ``events`` has one entry per event. Flat branches: ``weight`` (expected events per
proton on target) and its factors, ``vertex_x`` ... ``vertex_time`` and ``decay_x`` ...
``decay_time`` (the first two vertices, NaN where there is none) and all event columns. Jagged
branches: ``pdg``, ``status``, ``vertex``, ``end_vertex``, ``E``, ``px``, ``py``, ``pz`` of the
particles and ``vertices_*`` of all vertices. The string ``siren_py`` holds the provenance and
the names that integer columns refer to. Energies are in GeV, lengths in cm, times in ns.

An RNTuple ``events`` has fields of the same names, so that the same code reads both.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import PathLike
from siren_py.errors import FormatError
from siren_py.io.columns import (
    FLAT_NAMES,
    RECORD,
    event_columns,
    read_record,
)
from siren_py.io.reader import EventReader, column_of, steps
from siren_py.io.writing import tables_to_write
from siren_py.progress import ProgressLike
from siren_py.sample import Sample
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, Columns, EventTable

if TYPE_CHECKING:
    import awkward as ak
    import uproot

    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector

__all__ = ["RootReader", "open_root", "read_provenance", "read_root", "steps", "write_root"]

TREE = "events"

_JAGGED = sorted({*FLAT_NAMES.values(), *(f"vertices_{name}" for name in VERTEX_COLUMNS)})

# Earlier versions read the first part only of an RNTuple that was written in parts.
_READS_RNTUPLE = (5, 7)


def _field(outer: str, inner: str) -> str:
    """Branch name of a column of the jagged records."""
    return inner if outer == "particles" else f"{outer}_{inner}"


def write_root(
    sample: Sample, path: PathLike, *, overwrite: bool = True, progress: ProgressLike = False
) -> None:
    """Write a sample to a ROOT file with a TTree, chunk by chunk.

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
    _write(sample, path, _Tree, overwrite, progress)


def write_rntuple(
    sample: Sample, path: PathLike, *, overwrite: bool = True, progress: ProgressLike = False
) -> None:
    """Write a sample to a ROOT file with an RNTuple; arguments and errors as in `write_root`.

    RNTuple is the successor of TTree; ROOT reads it from version 6.34 on.
    """
    _write(sample, path, _Ntuple, overwrite, progress)


def _write(
    sample: Sample,
    path: PathLike,
    kind: type[_Tree] | type[_Ntuple],
    overwrite: bool,
    progress: ProgressLike,
) -> None:
    with tables_to_write(sample, path, overwrite, progress) as (part, text, tables):
        _fill(part, kind, tables, sample.n_attempts, lambda: text)


def fill_tree(
    path: Path, tables: Iterable[EventTable], n_attempts: int, text: Callable[[], str]
) -> None:
    """Write tables to a new ROOT file with a TTree, each before the next is asked for.

    Parameters
    ----------
    path
        The file, which grows under this name.
    tables
        The tables, with the columns of the first.
    n_attempts
        Attempts that the weights are for.
    text
        Called at the end; returns the record, see `siren_py.io.columns.record_text`.
    """
    _fill(path, _Tree, tables, n_attempts, text)


def _fill(
    path: Path,
    kind: type[_Tree] | type[_Ntuple],
    tables: Iterable[EventTable],
    n_attempts: int,
    text: Callable[[], str],
) -> None:
    import uproot

    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        tree = kind(file)
        for table in tables:
            tree.extend(table, n_attempts)
        file[RECORD] = text()


class _Tree:
    """Writes tables to a TTree; the branches are those of the first table."""

    def __init__(self, file: uproot.WritableDirectory) -> None:
        self._file = file
        self._tree: Any = None

    def extend(self, table: EventTable, n_attempts: int) -> None:
        import awkward as ak

        columns = event_columns(table, n_attempts)
        # Records, because they share one counter.
        columns["particles"], columns["vertices"] = _jagged(table)
        if self._tree is None:
            types = {
                name: array.type.content if isinstance(array, ak.Array) else array.dtype
                for name, array in columns.items()
            }
            self._tree = self._file.mktree(TREE, types, title="weighted events", field_name=_field)
        if len(table):
            self._tree.extend(columns)


class _Ntuple:
    """Writes tables to an RNTuple with the same names as a TTree."""

    def __init__(self, file: uproot.WritableDirectory) -> None:
        self._file = file
        self._tree: Any = None

    def extend(self, table: EventTable, n_attempts: int) -> None:
        import awkward as ak

        columns = event_columns(table, n_attempts)
        for outer, records in zip(("particles", "vertices"), _jagged(table), strict=True):
            for inner in records.fields:
                columns[_field(outer, inner)] = records[inner]
        data = ak.to_packed(ak.zip(columns, depth_limit=1))
        if self._tree is None:
            self._tree = self._file.mkrntuple(TREE, data.layout.form, "weighted events")
        if len(table):
            self._tree.extend(data)


def _jagged(table: EventTable) -> tuple[ak.Array, ak.Array]:
    import awkward as ak

    particles = {branch: table.particles[name] for name, branch in FLAT_NAMES.items()}
    return (
        ak.unflatten(ak.zip(particles), table.particle_counts),
        ak.unflatten(ak.zip(dict(table.vertices)), table.vertex_counts),
    )


def read_root(path: PathLike) -> Sample:
    """Read a sample that `Sample.to_root` wrote.

    Parameters
    ----------
    path
        Name of the file, which holds a TTree or an RNTuple.

    Returns
    -------
    Sample
        The same events, weights and provenance.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged, is not of this format, or if its weights do not
        agree with their factors; for events beyond 256 MB, when they are needed.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    >>> sim.run(1000, seed=1).to_root("events.root")
    >>> sp.read_root("events.root").n_attempts
    1000
    """
    return RootReader(path).load()


read_rntuple = read_root


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
    return RootReader(path).later(injector)


def read_provenance(path: PathLike) -> dict[str, Any]:
    """Return the provenance of a file, with its true number of attempts.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    reader = RootReader(path)
    return {**reader.record["provenance"], "n_attempts": reader.record["n_attempts"]}


class RootReader(EventReader):
    """An open ROOT file of events, from which tables are read piece by piece.

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

    kind = "ROOT file"

    def __init__(self, path: PathLike) -> None:
        import uproot

        super().__init__(path)
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
            self.columns = [str(name) for name in self.record["columns"]]
            self._check_names(set(self._tree.keys()), _JAGGED)
            self._check_lengths()

    def _check_lengths(self) -> None:
        """Check that all branches have the entries that the tree says that it has."""
        if self._tree.classname == "ROOT::RNTuple":
            import uproot

            version = tuple(int(n) for n in uproot.__version__.split(".")[:2])
            if version < _READS_RNTUPLE:
                raise FormatError(
                    f"{self.path} holds an RNTuple, which uproot {uproot.__version__} cannot read "
                    'in full: pip install "uproot>=5.7", or write it with format="root".'
                )
            self._check_ntuple()
            return
        # A number of entries that the branches do not have would be looked for without end.
        for name in sorted({*_JAGGED, "weight", "event", *self.columns}):
            entries = int(self._tree[name].entry_offsets[-1])
            if entries != self.n_entries:
                raise FormatError(
                    f"The tree of {self.path} says that it has {self.n_entries} events, but its "
                    f"branch {name!r} has {entries}: the file is damaged."
                )

    def _check_ntuple(self) -> None:
        """Check that all fields of an RNTuple have the entries that it says that it has."""
        fields = self._tree.field_records
        totals = np.zeros(len(fields), dtype=np.int64)
        for cluster in self._tree.page_link_list:
            for column, pages in zip(self._tree.column_records, cluster, strict=True):
                totals[column.field_id] += sum(page.num_elements for page in pages.pages)
        needed = {*_JAGGED, "weight", "event", *self.columns}
        rows: dict[bool, int] = {}
        for number, (field, total) in enumerate(zip(fields, totals, strict=True)):
            outer = fields[field.parent_field_id]
            if outer.field_name not in needed:
                continue
            if field.parent_field_id == number:
                known = self.n_entries
            else:  # the content of a list: all of particles, and all of vertices, have one length
                known = rows.setdefault(outer.field_name.startswith("vertices_"), int(total))
            if total != known:
                raise FormatError(
                    f"The RNTuple of {self.path} has {known} rows, but its field "
                    f"{outer.field_name!r} has {total}: the file is damaged."
                )

    def _read(self, start: int, stop: int) -> tuple[EventTable, Columns]:
        data = self._arrays([*self.columns, "weight", *_JAGGED], start, stop)
        return _table_of(data, self.columns), {"weight": np.asarray(data["weight"])}

    def _read_events(self, start: int, stop: int) -> tuple[EventTable, Columns]:
        import awkward as ak

        data = self._arrays([*self.columns, "weight"], start, stop)
        none = np.zeros(len(data), dtype=np.int64)
        events = {name: ak.to_numpy(data[name]) for name in self.columns}
        return EventTable(events, {}, none, {}, none), {"weight": np.asarray(data["weight"])}

    def _arrays(self, names: list[str], start: int, stop: int) -> Any:
        return self._tree.arrays(names, entry_start=start, entry_stop=stop, array_cache=None)

    def _event_column(self, name: str, start: int, stop: int) -> Any:
        return self._tree.arrays([name], entry_start=start, entry_stop=stop)[name]


def _read_record(file: uproot.ReadOnlyDirectory, path: PathLike) -> Mapping[str, Any]:
    keys = file.keys(cycle=False)
    for needed in (TREE, RECORD):
        if needed not in keys:
            raise FormatError(
                f"{path} has no object {needed!r}; it holds {', '.join(keys) or 'nothing'}. It was "
                "not written by Sample.to_root."
            )
    return read_record(str(file[RECORD]), path)


def _table_of(data: Any, columns: list[str]) -> EventTable:
    import awkward as ak

    def flat(name: str, kind: type[np.generic]) -> Any:
        return column_of(ak.to_numpy(ak.flatten(data[name])), kind)

    return EventTable(
        {name: ak.to_numpy(data[name]) for name in columns},
        {name: flat(f"vertices_{name}", kind) for name, kind in VERTEX_COLUMNS.items()},
        ak.to_numpy(ak.num(data["vertices_x"])).astype(np.int64),
        {name: flat(FLAT_NAMES[name], kind) for name, kind in PARTICLE_COLUMNS.items()},
        ak.to_numpy(ak.num(data["pdg"])).astype(np.int64),
    )
