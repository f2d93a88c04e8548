"""Batches of lines: the kernels over blocks of lines, on several threads.

What comes out does not depend on the number of threads: each line is traced by itself, and
blocks are put together in their order. Small batches stay on the thread that asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import GeometryError
from siren_py.geometry import depth_kernels, tracing
from siren_py.geometry.arrays import External, GeometryArrays, Scratch, make_scratch
from siren_py.parallel import check_workers, default_workers, map_in_order

# Lines per block of lists: what one block writes fits in the caches of a core.
_LISTED = 512
# Lines that are worth a thread of their own where only one number per line is written.
_SUMMED = 2048
_BLOCKS_PER_WORKER = 4
# How much more room than the lines so far would need the rest gets.
_MARGIN = 1.1


class Lists(NamedTuple):
    """Segments of a batch of lines; see `siren_py.volumes.Segments`."""

    offsets: IntArray
    t_in: FloatArray
    t_out: FloatArray
    volume: IntArray
    material: IntArray
    density: FloatArray


class _Columns(NamedTuple):
    """Room for segments."""

    t_in: FloatArray
    t_out: FloatArray
    volume: IntArray
    material: IntArray
    density: FloatArray

    @classmethod
    def empty(cls, n: int) -> _Columns:
        return cls(
            np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n)
        )

    def longer(self, filled: int, n: int) -> _Columns:
        """Return room for n segments that begins with the first `filled` of these."""
        new = _Columns.empty(n)
        new.put(0, self, filled)
        return new

    def put(self, at: int, other: _Columns, n: int) -> None:
        """Copy the first n segments of others to `at`."""
        for mine, theirs in zip(self, other, strict=True):
            mine[at : at + n] = theirs[:n]

    def first(self, n: int) -> _Columns:
        """Return the first n segments."""
        return _Columns(
            self.t_in[:n], self.t_out[:n], self.volume[:n], self.material[:n], self.density[:n]
        )


def trace_batch(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    t_min: FloatArray,
    t_max: FloatArray,
    workers: int | None = None,
) -> Lists:
    """Return the segments of lines (n, 3); arguments as for `tracing.trace_line`.

    Raises
    ------
    GeometryError
        If a solid without kernel contradicts itself.
    ConfigError
        If `workers` is not a positive integer.
    """
    n = len(origins)
    counts = np.zeros(n, np.int64)

    def fill(first: int, stop: int, scratch: Scratch, columns: _Columns) -> tuple[_Columns, int]:
        done, used = first, 0
        while True:
            done, used = tracing.trace_lines(
                geometry, external, origins, directions, t_min, t_max, scratch, done, stop,
                counts, used, *columns,
            )  # fmt: skip
            if done == stop:
                return columns, used
            if done == tracing.OVERFLOW:
                raise _contradiction()
            # Memory that is not written to costs nothing: ask for what the rest will need.
            rest = _MARGIN * used * (stop - done) / max(done - first, 1)
            columns = columns.longer(used, len(columns.t_in) + int(rest) + len(scratch.t_in))

    def room(lines: int) -> tuple[Scratch, _Columns]:
        scratch = make_scratch(geometry, external)
        return scratch, _Columns.empty(8 * lines + len(scratch.t_in))

    blocks = range(0, n, _LISTED)
    # Lists are bound by the memory that they fill: threads are used when they are asked for.
    threads = 1 if workers is None else _workers(workers, len(blocks))
    if threads == 1:
        whole, filled = fill(0, n, *room(n))
        return _lists(counts, whole, filled)
    spare: SimpleQueue[tuple[Scratch, _Columns]] = SimpleQueue()

    def block(first: int) -> tuple[Scratch, _Columns, int]:
        try:
            scratch, columns = spare.get_nowait()
        except Empty:
            scratch, columns = room(_LISTED)
        return scratch, *fill(first, min(first + _LISTED, n), scratch, columns)

    whole, filled = _Columns.empty(0), 0
    for number, (scratch, columns, used) in enumerate(map_in_order(block, blocks, threads)):
        needed = filled + used
        if needed > len(whole.t_in):
            rest = _MARGIN * needed * (len(blocks) - number - 1) / (number + 1)
            whole = whole.longer(filled, needed + int(rest))
        whole.put(filled, columns, used)
        filled = needed
        spare.put((scratch, columns))
    return _lists(counts, whole, filled)


def _lists(counts: IntArray, columns: _Columns, filled: int) -> Lists:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return Lists(offsets, *columns.first(filled))


def depth_batch(
    geometry: GeometryArrays,
    external: External,
    starts: FloatArray,
    ends: FloatArray,
    workers: int | None = None,
) -> FloatArray:
    """Return the depths between points (n, 3): (n,) [g/cm2]; raises as `trace_batch`."""
    depth = np.empty(len(starts))

    def work(scratch: Scratch, first: int, stop: int) -> None:
        depth_kernels.column_depths(geometry, external, starts, ends, scratch, first, stop, depth)

    _in_blocks(work, geometry, external, len(starts), workers)
    if math.isnan(depth.sum()):
        raise _contradiction()
    return depth


def distance_batch(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    depths: FloatArray,
    workers: int | None = None,
) -> FloatArray:
    """Return how far lines (n, 3) get through depths (n,): (n,) [cm]; raises as `trace_batch`."""
    distance = np.empty(len(origins))

    def work(scratch: Scratch, first: int, stop: int) -> None:
        depth_kernels.distances_for_depths(
            geometry, external, origins, directions, depths, scratch, first, stop, distance
        )

    _in_blocks(work, geometry, external, len(origins), workers)
    if np.isnan(distance).any():
        raise _contradiction()
    return distance


def _in_blocks(
    work: Callable[[Scratch, int, int], None],
    geometry: GeometryArrays,
    external: External,
    n: int,
    workers: int | None,
) -> None:
    """Call `work` for blocks of n lines that together are all of them."""
    threads = _workers(workers, -(-n // _SUMMED))
    size = max(_SUMMED, -(-n // (_BLOCKS_PER_WORKER * threads))) if threads > 1 else max(n, 1)

    def block(first: int) -> None:
        work(make_scratch(geometry, external), first, min(first + size, n))

    for _ in map_in_order(block, range(0, n, size), threads):
        pass


def _workers(workers: int | None, blocks: int) -> int:
    """Return the number of threads: what is asked for, never more than there are blocks."""
    wanted = default_workers() if workers is None else check_workers(workers)
    return max(min(wanted, blocks), 1)


def _contradiction() -> GeometryError:
    return GeometryError(
        "A line has more segments than the volumes allow: a user's solid returned different "
        "intervals for the same line."
    )
