"""Columnar event trees: flat arrays over events, their vertices and their particles.

An event is a tree: the primary interaction is vertex 0, a particle that leaves a vertex and
interacts or decays later ends at another vertex, and so on. Nothing is an object per event:
vertices and particles of all events stand one after another, with counts per event.

Columns of the particles (one row per particle)
    ``pdg``, ``status`` (4 beam, 20 target, 2 interacted or decayed, 1 final), ``vertex`` (number
    of the production vertex within the event, -1 for beam and target), ``end_vertex`` (-1 for
    final particles), ``energy``, ``px``, ``py``, ``pz`` [GeV].
Columns of the vertices
    ``x``, ``y``, ``z`` [cm], ``time`` [ns], ``process`` (index into the names of the sample's
    processes), ``volume`` (index into the names of the detector's volumes, -1 outside).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.errors import ConfigError, FormatError

Column = npt.NDArray[Any]
Columns = dict[str, Column]

PARTICLE_COLUMNS: Mapping[str, type[np.generic]] = {
    "pdg": np.int32,
    "status": np.int32,
    "vertex": np.int32,
    "end_vertex": np.int32,
    "energy": np.float64,
    "px": np.float64,
    "py": np.float64,
    "pz": np.float64,
}
VERTEX_COLUMNS: Mapping[str, type[np.generic]] = {
    "x": np.float64,
    "y": np.float64,
    "z": np.float64,
    "time": np.float64,
    "process": np.int32,
    "volume": np.int32,
}

BEAM, TARGET, INTERMEDIATE, FINAL = 4, 20, 2, 1
"""Status codes of particles, as in NuHepMC 1.0 (arXiv:2310.13211)."""


def offsets_of(counts: IntArray) -> IntArray:
    """Return where each event's rows start, and the total at the end: shape (n + 1,)."""
    offsets = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def ragged_rows(offsets: IntArray, index: IntArray) -> IntArray:
    """Return the row numbers of the events `index`, one event after another."""
    counts = offsets[index + 1] - offsets[index]
    starts = np.repeat(offsets[index] - offsets_of(counts)[:-1], counts)
    return starts + np.arange(int(counts.sum()), dtype=np.int64)


@dataclass
class EventTable:
    """Events, vertices and particles of a set of event trees.

    Attributes
    ----------
    events
        Columns with one entry per event.
    vertices, particles
        Columns with one entry per vertex and per particle, events one after another.
    vertex_counts, particle_counts
        Number of vertices and particles per event, shape (n,).
    """

    events: Columns
    vertices: Columns
    vertex_counts: IntArray
    particles: Columns
    particle_counts: IntArray

    def __len__(self) -> int:
        return int(self.vertex_counts.size)

    def __post_init__(self) -> None:
        n = len(self)
        for name, column in self.events.items():
            if column.shape != (n,):
                raise FormatError(
                    f"The event column {name!r} has the shape {column.shape}, but the table "
                    f"has {n} events."
                )
        for kind, columns, counts in (
            ("vertex", self.vertices, self.vertex_counts),
            ("particle", self.particles, self.particle_counts),
        ):
            total = int(counts.sum())
            for name, column in columns.items():
                if column.shape != (total,):
                    raise FormatError(
                        f"The {kind} column {name!r} has {column.shape[0]} rows; the counts per "
                        f"event add up to {total}."
                    )

    @property
    def nbytes(self) -> int:
        """Size of all columns [bytes]."""
        columns = [*self.events.values(), *self.vertices.values(), *self.particles.values()]
        return sum(c.nbytes for c in columns) + 16 * len(self)

    def take(self, which: IntArray | BoolArray) -> EventTable:
        """Return the events `which` (numbers or a mask), trees and all, in that order."""
        index = np.flatnonzero(which) if which.dtype == np.bool_ else np.asarray(which, np.int64)
        v_rows = ragged_rows(offsets_of(self.vertex_counts), index)
        p_rows = ragged_rows(offsets_of(self.particle_counts), index)
        return EventTable(
            {k: c[index] for k, c in self.events.items()},
            {k: c[v_rows] for k, c in self.vertices.items()},
            self.vertex_counts[index],
            {k: c[p_rows] for k, c in self.particles.items()},
            self.particle_counts[index],
        )

    def arrays(self) -> Columns:
        """Return all columns under flat, prefixed names, for storing."""
        flat: Columns = {f"events/{k}": c for k, c in self.events.items()}
        flat |= {f"vertices/{k}": c for k, c in self.vertices.items()}
        flat |= {f"particles/{k}": c for k, c in self.particles.items()}
        flat["vertex_counts"] = self.vertex_counts
        flat["particle_counts"] = self.particle_counts
        return flat

    @classmethod
    def from_arrays(cls, flat: Mapping[str, Column]) -> EventTable:
        """Rebuild a table from the columns that `arrays` returned."""
        parts: dict[str, Columns] = {"events": {}, "vertices": {}, "particles": {}}
        for key, column in flat.items():
            kind, _, name = key.partition("/")
            if name:
                parts[kind][name] = column
        return cls(
            parts["events"],
            parts["vertices"],
            np.asarray(flat["vertex_counts"], np.int64),
            parts["particles"],
            np.asarray(flat["particle_counts"], np.int64),
        )


def concatenate(tables: Sequence[EventTable]) -> EventTable:
    """Join tables with the same columns, in the order given."""
    if not tables:
        raise ConfigError("There is no table to join.")
    if len(tables) == 1:
        return tables[0]
    first = tables[0].arrays()
    joined = {key: np.concatenate([t.arrays()[key] for t in tables]) for key in first}
    return EventTable.from_arrays(joined)


def vertex_of(table: EventTable, number: int) -> FloatArray:
    """Return x, y, z [cm] and time [ns] of vertex `number` of each event, NaN where none."""
    points = np.full((len(table), 4), np.nan)
    has = table.vertex_counts > number
    rows = offsets_of(table.vertex_counts)[:-1][has] + number
    for i, name in enumerate(("x", "y", "z", "time")):
        points[has, i] = table.vertices[name][rows]
    return points
