"""Assembling event trees from blocks of vertices and particles, without a loop over events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.injection.layout_kernels import count_up, lay_particles, lay_vertices
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, Columns, EventTable, offsets_of

_AT_A_TIME = 2048


@dataclass
class Block:
    """Particles of some events, in ascending order: at most one per event.

    Attributes
    ----------
    event
        Event of each row, shape (m,).
    number
        Number of the row within its event, shape (m,).
    source, slot, pdg, momenta
        Row i is pdg[source[i], slot] with momenta[source[i], slot]; shapes (m,), a number,
        (n, k), (n, k, 4).
    status, vertex, end_vertex
        Values of these columns, each of shape (m,).
    """

    event: IntArray
    number: IntArray
    source: IntArray
    slot: int
    pdg: IntArray
    momenta: FloatArray
    status: IntArray
    vertex: IntArray
    end_vertex: IntArray


@dataclass
class _VertexBlock:
    event: IntArray
    number: IntArray
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
    ) -> IntArray:
        """Add one vertex to each of the events; return its number within the event, (m,)."""
        number = np.empty(event.size, dtype=np.int64)
        count_up(self._vertex_counts, event, number)
        self._vertices.append(
            _VertexBlock(
                event, number, _floats(position), _floats(time), int(process), _integers(volume)
            )
        )
        return number

    def add_particle(
        self,
        event: IntArray,
        pdg: IntArray | int,
        momentum: FloatArray,
        status: int,
        vertex: IntArray | int,
    ) -> Block:
        """Add one particle to each of the events; `vertex` is its production vertex."""
        n = event.size
        codes = _integers(np.broadcast_to(np.asarray(pdg), (n,))).reshape(n, 1)
        return self.add_outgoing(
            event, np.arange(n), 0, codes, momentum.reshape(n, 1, 4), status, vertex
        )

    def add_outgoing(
        self,
        event: IntArray,
        source: IntArray,
        slot: int,
        pdg: IntArray,
        momenta: FloatArray,
        status: int,
        vertex: IntArray | int,
    ) -> Block:
        """Add to each of the events the particle in a slot of row `source` of a final state.

        Shapes as in `Block`; `vertex` is the production vertex.
        """
        number = np.empty(event.size, dtype=np.int64)
        count_up(self._particle_counts, event, number)
        full = event.shape
        block = Block(
            event,
            number,
            source,
            slot,
            _integers(pdg),
            _floats(momenta),
            np.full(full, status, dtype=np.int64),
            _integers(np.broadcast_to(np.asarray(vertex), full)),
            np.full(full, -1, dtype=np.int64),
        )
        self._particles.append(block)
        return block

    def end_particle(
        self, block: Block, rows: IntArray, vertex: IntArray | int, status: int
    ) -> None:
        """Let the particles `rows` of a block end at `vertex` with a new status."""
        block.end_vertex[rows] = vertex
        block.status[rows] = status

    def build(self, events: Columns) -> EventTable:
        """Lay out everything that was added, with the event columns given."""
        offsets = offsets_of(self._vertex_counts)
        vertices = _empty(VERTEX_COLUMNS, int(offsets[-1]))
        for v in self._vertices:
            lay_vertices(
                offsets, v.event, v.number, v.position, v.time, v.process, v.volume,
                *(vertices[name] for name in ("x", "y", "z", "time", "process", "volume")),
            )  # fmt: skip
        offsets = offsets_of(self._particle_counts)
        particles = _empty(PARTICLE_COLUMNS, int(offsets[-1]))
        columns = [particles[name] for name in ("pdg", "status", "vertex", "end_vertex")]
        columns += [particles[name] for name in ("energy", "px", "py", "pz")]
        # A few events at a time: their rows stay in the cache until all blocks are written.
        edges = np.arange(0, len(self._particle_counts) + _AT_A_TIME, _AT_A_TIME)
        bounds = [np.searchsorted(p.event, edges).tolist() for p in self._particles]
        for step in range(len(edges) - 1):
            for p, bound in zip(self._particles, bounds, strict=True):
                lay_particles(
                    bound[step], bound[step + 1], offsets, p.event, p.number, p.source, p.pdg,
                    p.momenta, p.slot, p.status, p.vertex, p.end_vertex, *columns,
                )  # fmt: skip
        return EventTable(events, vertices, self._vertex_counts, particles, self._particle_counts)


def _floats(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _integers(values: IntArray) -> IntArray:
    return np.ascontiguousarray(values, dtype=np.int64)


def _empty(columns: Mapping[str, type[np.generic]], n: int) -> Columns:
    return {name: np.empty(n, dtype=kind) for name, kind in columns.items()}
