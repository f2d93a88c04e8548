"""Assembling event trees from blocks of vertices and particles, without a loop over events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.injection.layout_kernels import (
    count_particles,
    count_up,
    lay_particles,
    lay_vertices,
)
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, Columns, EventTable, offsets_of

_AT_A_TIME = 4096
_LINE = 64
"""Columns begin where lines of the cache do [bytes]."""


@dataclass
class Block:
    """Particles that leave one vertex in each of some events, which are in ascending order.

    Attributes
    ----------
    event
        Event of each row, shape (m,).
    number
        Number, within its event, of the first particle of the row, shape (m,).
    pdg, momenta
        Particles of the rows, shapes (m, k) and (m, k, 4); where the code is 0 there is none.
    status
        Status of the particles by slot, shape (k,); final ones that end are intermediate.
    vertex
        Production vertices, shape (m,).
    end_vertex
        Where the particles end, -1 for nowhere, shape (m, k); None until the first one ends.
    """

    event: IntArray
    number: IntArray
    pdg: IntArray
    momenta: FloatArray
    status: IntArray
    vertex: IntArray
    end_vertex: IntArray | None = None

    def ends(self) -> IntArray:
        """Return where the particles end, to be written to, shape (m, k)."""
        if self.end_vertex is None:
            self.end_vertex = np.full(self.pdg.shape, -1, dtype=np.int64)
        return self.end_vertex


_NO_ENDS = np.empty((0, 0), dtype=np.int64)


@dataclass
class _VertexBlock:
    event: IntArray
    number: IntArray
    source: IntArray
    position: FloatArray
    time: FloatArray
    process: int
    volume: IntArray


class TreeBuilder:
    """Collects vertices and particles of n events and lays them out as an `EventTable`."""

    def __init__(self, n_events: int) -> None:
        self._vertex_counts = np.zeros(n_events, dtype=np.int64)
        self._particle_counts = np.zeros(n_events, dtype=np.int64)
        self._vertices: list[_VertexBlock] = []
        self._particles: list[Block] = []

    def add_vertex(
        self,
        event: IntArray,
        position: FloatArray,
        time: FloatArray,
        process: int,
        volume: IntArray,
        source: IntArray | None = None,
    ) -> IntArray:
        """Add one vertex to each of the events; return its number within the event, (m,).

        `time` is (m,); position (n, 3) and volume (n,) are taken at the rows `source` (m,), one
        after another where it is None.
        """
        number = np.empty(event.size, dtype=np.int64)
        count_up(self._vertex_counts, event, number)
        rows = np.arange(event.size) if source is None else source
        block = _VertexBlock(
            event, number, rows, floats(position), floats(time), int(process), integers(volume)
        )
        self._vertices.append(block)
        return number

    def add_particles(
        self,
        event: IntArray,
        pdg: IntArray,
        momenta: FloatArray,
        status: int | tuple[int, ...],
        vertex: IntArray,
    ) -> Block:
        """Add the particles of a final state to each of the events; shapes as in `Block`.

        `status` is one for all slots, or one for each.
        """
        codes, number = integers(pdg), np.empty(event.size, dtype=np.int64)
        count_particles(self._particle_counts, event, codes, number)
        states = np.full(codes.shape[1], status, dtype=np.int64)
        block = Block(event, number, codes, floats(momenta), states, integers(vertex))
        self._particles.append(block)
        return block

    def build(self, events: Columns) -> EventTable:
        """Lay out everything that was added, with the event columns given."""
        offsets = offsets_of(self._vertex_counts)
        of_particles = offsets_of(self._particle_counts)
        vertices, particles = _empty_columns(
            (VERTEX_COLUMNS, int(offsets[-1])), (PARTICLE_COLUMNS, int(of_particles[-1]))
        )
        for v in self._vertices:
            lay_vertices(
                offsets, v.event, v.number, v.source, v.position, v.time, v.process, v.volume,
                *(vertices[name] for name in ("x", "y", "z", "time", "process", "volume")),
            )  # fmt: skip
        columns = [particles[name] for name in ("pdg", "status", "vertex", "end_vertex")]
        columns += [particles[name] for name in ("energy", "px", "py", "pz")]
        # A few events at a time: their rows stay in the cache until all blocks are written.
        edges = np.arange(0, len(self._particle_counts) + _AT_A_TIME, _AT_A_TIME)
        bounds = [np.searchsorted(p.event, edges).tolist() for p in self._particles]
        for step in range(len(edges) - 1):
            for p, bound in zip(self._particles, bounds, strict=True):
                ends = _NO_ENDS if p.end_vertex is None else p.end_vertex
                lay_particles(
                    bound[step], bound[step + 1], of_particles, p.event, p.number, p.pdg, p.momenta,
                    p.status, p.vertex, ends, *columns,
                )  # fmt: skip
        return EventTable(events, vertices, self._vertex_counts, particles, self._particle_counts)


# Kernels would be compiled again for the views that processes of a user's own may give.


def floats(values: FloatArray) -> FloatArray:
    """Return an array as kernels take it: contiguous, writable, of float64."""
    return np.require(values, np.float64, ("C", "W"))


def integers(values: IntArray) -> IntArray:
    """Return an array as kernels take it: contiguous, writable, of int64."""
    return np.require(values, np.int64, ("C", "W"))


def _empty_columns(*tables: tuple[Mapping[str, type[np.generic]], int]) -> list[Columns]:
    """Return columns without contents: for each table their kinds and how many rows it has.

    All of them are in one piece of memory. Fresh memory comes in small pages, each of which costs
    the system a step of its own, unless the piece is large.
    """
    sizes = [
        -(-n * np.dtype(kind).itemsize // _LINE) * _LINE
        for kinds, n in tables
        for kind in kinds.values()
    ]
    memory = np.empty(sum(sizes), dtype=np.uint8)
    result, start = [], 0
    for kinds, n in tables:
        columns = {}
        for name, kind in kinds.items():
            end = start + n * np.dtype(kind).itemsize
            columns[name] = memory[start:end].view(kind)
            start += -(-(end - start) // _LINE) * _LINE
        result.append(columns)
    return result
