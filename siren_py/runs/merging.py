"""Merging: the files of the parts of one run, joined to the file of the run.

Parts are made by ``chunks=`` on any machines. The merged file has the events, in order and bit
for bit, that a single run of the same chunks would have written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from siren_py._typing import PathLike
from siren_py.errors import ConfigError, FormatError
from siren_py.io.files import check_writable
from siren_py.io.formats import check_root_name
from siren_py.io.root import RootReader, open_root, steps, write_root
from siren_py.progress import ProgressLike
from siren_py.runs.checkpoint import difference
from siren_py.runs.chunks import CHUNK_SIZE, Range, join_ranges, ranges_text
from siren_py.sample import Sample
from siren_py.store import TableStore

_SAME = ("cuts", "units", "normalisation", "invariants")


class _Piece(NamedTuple):
    """Where the events of one chunk are."""

    chunk: int
    reader: RootReader
    start: int
    stop: int


def merge(
    output: PathLike,
    inputs: Sequence[PathLike],
    *,
    overwrite: bool = True,
    progress: ProgressLike = None,
) -> Sample:
    """Join files of parts of one run into one file, in bounded memory.

    Parameters
    ----------
    output
        ROOT file to write.
    inputs
        Files of the parts, in any order, two or more.
    overwrite
        Whether an existing file may be replaced.
    progress
        See `siren_py.progress.ProgressLike`; counts events.

    Returns
    -------
    Sample
        All events, which are read from the file when they are needed; its number of attempts is
        the sum. Chunks may be missing: the sample is that of the attempts that are there.

    Raises
    ------
    ConfigError
        If the files are not parts of one run (other configurations, seeds or cuts; samples that
        were combined or reweighted) or hold the same chunk twice.
    FormatError
        If a file cannot be read.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> for k in (0, 1):
    ...     _ = sim.run(20_000, seed=1, chunks=(k, k + 1), output=f"part{k}.root", progress=False)
    >>> sp.merge("all.root", ["part0.root", "part1.root"]).n_attempts
    20000
    """
    if len(inputs) < 2:
        raise ConfigError(f"Merging needs two files or more; got {len(inputs)}.")
    check_root_name(output)
    check_writable(output, overwrite=overwrite)
    readers = [RootReader(path) for path in inputs]
    _check_same(readers)
    ranges = _ranges(readers)
    pieces = sorted((p for r in readers for p in _pieces(r)), key=lambda p: (p.chunk, p.start))
    store = TableStore()
    for piece in pieces:
        store.append_later(
            piece.stop - piece.start, partial(piece.reader.table, piece.start, piece.stop)
        )
    if not pieces:  # the columns of an empty file
        store.append(readers[0].table(0, 0))
    n_attempts = sum(int(r.record["n_attempts"]) for r in readers)
    provenance = dict(readers[0].record["provenance"])
    provenance |= {
        "n_attempts": n_attempts,
        "requested": max(int(r.record["provenance"]["requested"]) for r in readers),
        "chunks": [list(r) for r in ranges],
    }
    # The latest of the parts: nothing in the file was made after it.
    provenance["created"] = max(str(r.record["provenance"].get("created")) for r in readers)
    merged = Sample(store, n_attempts, readers[0].record["names"], provenance)
    write_root(merged, output, overwrite=overwrite, progress=progress)
    return open_root(output)


def _check_same(readers: list[RootReader]) -> None:
    first = readers[0].record
    for reader in readers:
        provenance = reader.record["provenance"]
        if "combined" in provenance or "generated_with" in provenance:
            raise ConfigError(
                f"{reader.path} is a sample that was combined or reweighted, not a part of a run. "
                "Merge the parts first."
            )
        if not {"fingerprint", "chunks", "requested"} <= set(provenance):
            raise ConfigError(
                f"{reader.path} does not say which chunks of a run it holds; it was written by an "
                "older version of siren_py. Samples of different seeds are joined by "
                "siren_py.combine."
            )
        before: dict[str, Any] = first["provenance"]
        for key in ("configuration", "seed", "fingerprint"):
            if provenance.get(key) != before.get(key):
                raise ConfigError(
                    f"{reader.path} and {readers[0].path} are not parts of one run: of "
                    f"{reader.path}, {difference(provenance, before)}. Samples of other seeds or "
                    "fluxes are joined by siren_py.combine."
                )
        for key in _SAME:
            if provenance.get(key) != before.get(key):
                raise ConfigError(
                    f"{reader.path} and {readers[0].path} have other {key} "
                    f"({provenance.get(key)!r} and {before.get(key)!r}). Merge first, cut then."
                )
        if reader.record["names"] != first["names"] or reader.columns != readers[0].columns:
            raise ConfigError(
                f"{reader.path} and {readers[0].path} have other columns or names: one of them was "
                "changed after it was written."
            )


def _ranges(readers: list[RootReader]) -> list[Range]:
    """Return the chunks of all files, joined; check that none is there twice."""
    everything: list[Range] = []
    for reader in readers:
        own = [(int(first), int(end)) for first, end in reader.record["provenance"]["chunks"]]
        for other in readers[: readers.index(reader)]:
            for first, end in other.record["provenance"]["chunks"]:
                for a, b in own:
                    low, high = max(a, first), min(b, end)
                    if low < high:
                        raise ConfigError(
                            f"{reader.path} (chunks {ranges_text(own)}) and {other.path} both hold "
                            f"the chunks {low} to {high - 1}: their events would be counted twice."
                        )
        everything += own
    return join_ranges(everything)


def _pieces(reader: RootReader) -> list[_Piece]:
    """Find where the chunks of a file begin, from the numbers of its events."""
    starts: list[tuple[int, int]] = []
    last = -1
    for start, stop in steps(reader.n_entries):
        chunk = reader.event_numbers(start, stop) // CHUNK_SIZE
        if (np.diff(chunk, prepend=last) < 0).any():
            raise FormatError(
                f"The events of {reader.path} are not in the order of their attempts: the file was "
                "changed after it was written."
            )
        change = np.flatnonzero(np.diff(chunk, prepend=last))
        starts += [(int(chunk[i]), start + int(i)) for i in change]
        last = int(chunk[-1]) if chunk.size else last
    held = reader.record["provenance"]["chunks"]
    for number, _ in starts:
        if not any(first <= number < end for first, end in held):
            raise FormatError(
                f"{Path(reader.path).name} has events of chunk {number}, but says that it holds "
                f"the chunks {ranges_text(held)}: the file was changed after it was written."
            )
    ends = [s for _, s in starts[1:]] + [reader.n_entries]
    return (
        [
            _Piece(number, reader, start, end)
            for (number, start), end in zip(starts, ends, strict=True)
        ]
        if starts
        else []
    )
