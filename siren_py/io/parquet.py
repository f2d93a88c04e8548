"""Parquet files: one row per event, with lists of particles and of vertices.

The columns are ``weight``, the event columns, ``vertex_x`` ... ``decay_time``, and two lists of
structs, ``vertices`` and ``particles``, with the columns of `siren_py.tree`. The metadata
``siren_py`` of the schema holds the provenance and the names that integer columns refer to; the
metadata ``unit`` of a field holds its unit. A row group holds one chunk. Pages have checksums.
"""

from __future__ import annotations

import weakref
from bisect import bisect_right
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
    UNITS,
    VERTEX_UNITS,
    event_columns,
    read_record,
)
from siren_py.io.reader import EventReader, column_of
from siren_py.io.writing import tables_to_write
from siren_py.progress import ProgressLike
from siren_py.sample import Sample
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, Columns, EventTable, offsets_of

_UNIT = b"unit"


def _arrow() -> tuple[ModuleType, ModuleType]:
    why = "Files in the format Parquet"
    return (
        import_optional("pyarrow", "parquet", why),
        import_optional("pyarrow.parquet", "parquet", why),
    )


def write_parquet(
    sample: Sample, path: PathLike, *, overwrite: bool = True, progress: ProgressLike = False
) -> None:
    """Write a sample to a Parquet file, a row group per chunk.

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
        If pyarrow is not installed.
    """
    pa, pq = _arrow()
    writer = None
    with tables_to_write(sample, path, overwrite, progress) as (part, text, tables):
        try:
            for table in tables:
                rows = _arrow_table(pa, table, sample.n_attempts, text)
                if writer is None:
                    writer = pq.ParquetWriter(
                        part, rows.schema, compression="zstd", compression_level=3,
                        use_dictionary=_whole_numbers(pa, rows.schema), write_page_checksum=True,
                    )  # fmt: skip
                if len(table):
                    writer.write_table(rows, row_group_size=len(table))
        finally:
            if writer is not None:
                writer.close()


def _arrow_table(pa: ModuleType, table: EventTable, n_attempts: int, text: str) -> Any:
    fields, arrays = [], []
    for name, column in event_columns(table, n_attempts).items():
        arrays.append(pa.array(column))
        fields.append(_field(pa, name, arrays[-1].type, UNITS))
    for name, columns, counts, units in (
        ("vertices", table.vertices, table.vertex_counts, VERTEX_UNITS),
        ("particles", table.particles, table.particle_counts, PARTICLE_UNITS),
    ):
        values = [pa.array(column) for column in columns.values()]
        inner = [_field(pa, n, v.type, units) for n, v in zip(columns, values, strict=True)]
        struct = pa.StructArray.from_arrays(values, fields=inner)
        kind = pa.list_(pa.field("element", struct.type, nullable=False))
        offsets = pa.array(offsets_of(counts).astype(np.int32))
        arrays.append(pa.ListArray.from_arrays(offsets, struct, type=kind))
        fields.append(pa.field(name, kind, nullable=False))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={RECORD: text}))


def _field(pa: ModuleType, name: str, kind: Any, units: Mapping[str, str]) -> Any:
    metadata = {_UNIT: units[name]} if name in units else None
    return pa.field(name, kind, nullable=False, metadata=metadata)


def _whole_numbers(pa: ModuleType, schema: Any) -> list[str]:
    """Return the paths of columns with few values: dictionaries of real numbers only cost."""
    paths = []
    for field in schema:
        if not pa.types.is_list(field.type):
            inner = [(field.name, field.type)]
        else:
            inner = [(f"{field.name}.list.element.{f.name}", f.type) for f in field.type.value_type]
        paths += [path for path, kind in inner if not pa.types.is_floating(kind)]
    return paths


def read_parquet(path: PathLike) -> Sample:
    """Read a sample that `write_parquet` wrote.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged, is not of this format, or if its weights do not
        agree with their factors.
    MissingDependencyError
        If pyarrow is not installed.
    """
    return ParquetReader(path).load()


class ParquetReader(EventReader):
    """An open Parquet file of events, read by row groups; see `EventReader`."""

    kind = "Parquet file"
    parts = "columns"

    def __init__(self, path: PathLike) -> None:
        _, pq = _arrow()
        super().__init__(path)
        with self._errors():
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
        weakref.finalize(self, self._file.close)
        with self._errors():
            schema = self._file.schema_arrow
            text = (schema.metadata or {}).get(RECORD.encode())
            if text is None:
                raise FormatError(
                    f"{path} has no metadata {RECORD!r}: it was not written by siren_py, or a "
                    "program that copied it left them out."
                )
            self.record = read_record(text.decode(), path)
            self.columns = [str(name) for name in self.record["columns"]]
            self._check_names(schema.names, ("vertices", "particles"))
            metadata = self._file.metadata
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            self._starts: IntArray = offsets_of(np.array(groups, dtype=np.int64))
            self.n_entries = int(self._starts[-1])
            self._empty = schema.empty_table()

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield the first entry and the end of each row group; one empty piece if none."""
        if self.n_entries == 0:
            yield 0, 0
            return
        for start, stop in zip(self._starts[:-1], self._starts[1:], strict=True):
            if start < stop:
                yield int(start), int(stop)

    def _rows(self, names: list[str], start: int, stop: int) -> Any:
        if start == stop:
            return self._empty.select(names)
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, stop - 1) - 1
        rows = self._file.read_row_groups(
            list(range(first, last + 1)), columns=names, use_threads=False
        )
        return rows.slice(start - int(self._starts[first]), stop - start)

    def _read(self, start: int, stop: int) -> tuple[EventTable, Columns]:
        rows = self._rows([*self.columns, "weight", "vertices", "particles"], start, stop)
        events = {name: _numbers(rows[name]) for name in self.columns}
        vertices, vertex_counts = _unpacked(rows["vertices"], VERTEX_COLUMNS)
        particles, particle_counts = _unpacked(rows["particles"], PARTICLE_COLUMNS)
        table = EventTable(events, vertices, vertex_counts, particles, particle_counts)
        return table, {"weight": _numbers(rows["weight"])}

    def _event_column(self, name: str, start: int, stop: int) -> Any:
        return _numbers(self._rows([name], start, stop)[name])


def _numbers(values: Any) -> Any:
    """Return an arrow array or chunked array of numbers as a NumPy array."""
    if values.null_count:
        raise FormatError(f"a column lacks {values.null_count} of its values")
    chunked = hasattr(values, "chunks")
    return values.to_numpy() if chunked else values.to_numpy(zero_copy_only=False)


def _unpacked(lists: Any, kinds: Mapping[str, type[np.generic]]) -> tuple[Columns, IntArray]:
    """Return the columns of lists of structs, and the lengths of the lists, (n,)."""
    whole = lists.combine_chunks()
    if whole.null_count:
        raise FormatError(f"{whole.null_count} lists of particles or vertices are missing")
    counts = np.asarray(whole.value_lengths(), dtype=np.int64)
    structs = whole.flatten()
    if structs.null_count:
        raise FormatError(f"{structs.null_count} particles or vertices are missing")
    columns = {name: column_of(_numbers(structs.field(name)), kind) for name, kind in kinds.items()}
    return columns, counts
