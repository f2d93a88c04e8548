"""Assembling event trees from blocks of vertices and particles, without a loop over events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.tree import (
    PARTICLE_COLUMNS,
    VERTEX_COLUMNS,
    Column,
    Columns,
    EventTable,
    offsets_of,
)


@dataclass
class Block:
    """Rows of one kind that belong to some events: at most one row per event.

    Attributes
    ----------
    event
        Event of each row, shape (m,).
    number
        Number of the row within its event, shape (m,).
    columns
        Values, each of shape (m,).
    """

    event: IntArray
    number: IntArray
    columns: Columns


class TreeBuilder:
    """Collects vertices and particles of n events and lays them out as an `EventTable`."""

    def __init__(self, n_events: int) -> None:
        self._vertex_counts = np.zeros(n_events, dtype=np.int64)
        self._particle_counts = np.zeros(n_events, dtype=np.int64)
        self._vertices: list[Block] = []
        self._particles: list[Block] = []

    def add_vertex(
        self,
        event: IntArray,
        position: FloatArray,
        time: FloatArray,
        process: IntArray | int,
        volume: IntArray,
    ) -> IntArray:
        """Add one vertex to each of the events; return its number within the event, (m,)."""
        number = self._vertex_counts[event].copy()
        self._vertex_counts[event] += 1
        columns: Columns = {
            "x": position[:, 0],
            "y": position[:, 1],
            "z": position[:, 2],
            "time": time,
            "process": np.broadcast_to(np.asarray(process), event.shape),
            "volume": volume,
        }
        self._vertices.append(Block(event, number, columns))
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
        number = self._particle_counts[event].copy()
        self._particle_counts[event] += 1
        full = event.shape
        columns: Columns = {
            "pdg": np.broadcast_to(np.asarray(pdg), full),
            "status": np.full(full, status, dtype=np.int32),
            "vertex": np.broadcast_to(np.asarray(vertex), full),
            "end_vertex": np.full(full, -1, dtype=np.int32),
            "energy": momentum[:, 0],
            "px": momentum[:, 1],
            "py": momentum[:, 2],
            "pz": momentum[:, 3],
        }
        block = Block(event, number, columns)
        self._particles.append(block)
        return block

    def end_particle(
        self, block: Block, rows: IntArray, vertex: IntArray | int, status: int
    ) -> None:
        """Let the particles `rows` of a block end at `vertex` with a new status."""
        block.columns["end_vertex"][rows] = vertex
        block.columns["status"][rows] = status

    def build(self, events: Columns) -> EventTable:
        """Lay out everything that was added, with the event columns given."""
        return EventTable(
            events,
            _lay_out(self._vertices, self._vertex_counts, VERTEX_COLUMNS),
            self._vertex_counts,
            _lay_out(self._particles, self._particle_counts, PARTICLE_COLUMNS),
            self._particle_counts,
        )


def _lay_out(
    blocks: list[Block], counts: IntArray, columns: Mapping[str, type[np.generic]]
) -> Columns:
    offsets = offsets_of(counts)
    rows = [offsets[block.event] + block.number for block in blocks]
    result: Columns = {}
    for name, kind in columns.items():
        column: Column = np.empty(int(offsets[-1]), dtype=kind)
        for block, row in zip(blocks, rows, strict=True):
            column[row] = block.columns[name]
        result[name] = column
    return result
