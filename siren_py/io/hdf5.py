"""HDF5 files: flat columns of events, vertices and particles, and where each event's rows start.

Groups ``events``, ``vertices`` and ``particles`` hold one dataset per column, with its unit as the
attribute ``unit``. ``offsets/particles`` and ``offsets/vertices``, of one more entry than there are
events, say which rows belong to an event: those of event i run from ``offsets[i]`` to before
``offsets[i + 1]``. The text ``siren_py`` holds the provenance and the names that integer columns
refer to. Files need HDF5 1.10 or newer, whose checksums tell when something was damaged.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import IntArray, PathLike
from siren_py.errors import FormatError
from siren_py.io.columns import (
    PARTICLE_UNITS,
    RECORD,
    SCHEMA_VERSION,
    UNITS,
    VERTEX_UNITS,
    event_columns,
    read_record,
)
from siren_py.io.reader import EventReader, column_of
from siren_py.io.writing import tables_to_write
from siren_py.progress import ProgressLike
from siren_py.sample import Sample
from siren_py.tree import (
    PARTICLE_COLUMNS,
    VERTEX_COLUMNS,
    Column,
    Columns,
    EventTable,
    offsets_of,
)

_CHUNK = 16_384
"""Rows that are compressed, and read, together."""


def _h5py() -> ModuleType:
    return import_optional("h5py", "hdf5", "Files in the format HDF5")


def write_hdf5(
    sample: Sample, path: PathLike, *, overwrite: bool = True, progress: ProgressLike = False
) -> None:
    """Write a sample to an HDF5 file, chunk by chunk.

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
        If an event column has the name of another column.
    MissingDependencyError
        If h5py is not installed.
    """
    h5py = _h5py()
    with (
        tables_to_write(sample, path, overwrite, progress) as (part, text, tables),
        # Nobody else writes to the part: it is locked already.
        h5py.File(part, "w", libver=("v110", "v110"), locking=False) as file,
    ):
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.create_dataset(RECORD, data=text, dtype=h5py.string_dtype())
        starts = {"vertices": 0, "particles": 0}
        for name in starts:
            _append(file, f"offsets/{name}", np.zeros(1, dtype=np.int64))
        for table in tables:
            events = event_columns(table, sample.n_attempts)
            for group, columns, units in (
                ("events", events, UNITS),
                ("vertices", table.vertices, VERTEX_UNITS),
                ("particles", table.particles, PARTICLE_UNITS),
            ):
                for name, column in columns.items():
                    _append(file, f"{group}/{name}", column, units.get(name))
            for name, counts in (
                ("vertices", table.vertex_counts),
                ("particles", table.particle_counts),
            ):
                offsets = offsets_of(counts)[1:] + starts[name]
                starts[name] += int(counts.sum())
                _append(file, f"offsets/{name}", offsets)


def _append(file: Any, name: str, column: Column, unit: str | None = None) -> None:
    if name not in file:
        dataset = file.create_dataset(
            name, shape=(0,), maxshape=(None,), chunks=(_CHUNK,), dtype=column.dtype,
            shuffle=True, compression="gzip", compression_opts=1, fletcher32=True,
        )  # fmt: skip
        if unit is not None:
            dataset.attrs["unit"] = unit
    else:
        dataset = file[name]
    if column.size:
        start = dataset.shape[0]
        dataset.resize((start + column.size,))
        dataset[start:] = column


def read_hdf5(path: PathLike) -> Sample:
    """Read a sample that `write_hdf5` wrote.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged, is not of this format, or if its weights do not
        agree with their factors.
    MissingDependencyError
        If h5py is not installed.
    """
    return Hdf5Reader(path).load()


class Hdf5Reader(EventReader):
    """An open HDF5 file of events, read in pieces of whole chunks; see `EventReader`."""

    kind = "HDF5 file"
    parts = "columns"

    def __init__(self, path: PathLike) -> None:
        h5py = _h5py()
        super().__init__(path)
        with self._errors():
            # Files never change once they are there, and not every file system has locks.
            self._file = h5py.File(path, "r", locking=False)
        weakref.finalize(self, self._file.close)
        with self._errors():
            for needed in (RECORD, "events", "vertices", "particles", "offsets"):
                if needed not in self._file:
                    found = ", ".join(self._file) or "nothing"
                    raise FormatError(
                        f"{path} has no object {needed!r}; it holds {found}. It was not written "
                        "by siren_py."
                    )
            self.record = read_record(self._file[RECORD].asstr()[()], path)
            self.columns = [str(name) for name in self.record["columns"]]
            self._check_names(self._file["events"])
            self.n_entries = int(self._file["events/weight"].shape[0])
            self._check_lengths()

    def _check_lengths(self) -> None:
        for name in ("weight", "event", *self.columns):
            self._check_length(f"events/{name}", self.n_entries)
        for group, kinds in (("vertices", VERTEX_COLUMNS), ("particles", PARTICLE_COLUMNS)):
            self._check_length(f"offsets/{group}", self.n_entries + 1)
            total = int(self._file[f"offsets/{group}"][-1])
            for name in kinds:
                self._check_length(f"{group}/{name}", total)

    def _check_length(self, name: str, length: int) -> None:
        if name not in self._file:
            raise FormatError(f"{self.path} lacks the columns {name}.")
        shape = self._file[name].shape
        if shape != (length,):
            raise FormatError(
                f"The column {name!r} of {self.path} has the shape {shape} instead of "
                f"({length},): the file is damaged or was changed after it was written."
            )

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield the first entry and the end of each piece; one empty piece if none."""
        step = 3 * _CHUNK
        for start in range(0, max(self.n_entries, 1), step):
            yield start, min(start + step, self.n_entries)

    def _read(self, start: int, stop: int) -> tuple[EventTable, Columns]:
        events = {name: self._event_column(name, start, stop) for name in self.columns}
        vertices, vertex_counts = self._rows("vertices", VERTEX_COLUMNS, start, stop)
        particles, particle_counts = self._rows("particles", PARTICLE_COLUMNS, start, stop)
        table = EventTable(events, vertices, vertex_counts, particles, particle_counts)
        return table, {"weight": self._event_column("weight", start, stop)}

    def _event_column(self, name: str, start: int, stop: int) -> Any:
        return self._file[f"events/{name}"][start:stop]

    def _rows(
        self, group: str, kinds: Mapping[str, type[np.generic]], start: int, stop: int
    ) -> tuple[Columns, IntArray]:
        offsets = column_of(self._file[f"offsets/{group}"][start : stop + 1], np.int64)
        counts = np.diff(offsets)
        if counts.size and counts.min() < 0:
            raise FormatError(f"the offsets of {group} decrease")
        rows = slice(int(offsets[0]), int(offsets[-1]))
        columns = {
            name: column_of(self._file[f"{group}/{name}"][rows], kind)
            for name, kind in kinds.items()
        }
        return columns, counts
