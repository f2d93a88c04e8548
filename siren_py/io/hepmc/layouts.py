"""Trees of the same layout together: what text formats need to write whole columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import OutputError, UnknownNameError
from siren_py.io.hepmc.codes import is_nucleus
from siren_py.io.hepmc.cross_section import known_model
from siren_py.particles import mass
from siren_py.tree import BEAM, TARGET, Column, EventTable, offsets_of

if TYPE_CHECKING:
    from siren_py.sample import Sample

_FEW = 64
"""Columns with fewer values than this per hundred entries are turned to text value by value."""

_NUCLEONS = (2212, 2112)

_PIECE = 2048
"""Events turned into text at once: about 30 MB."""


def pieces(table: EventTable) -> Iterator[EventTable]:
    """Yield the events of a table in tables that are small enough to be turned into text."""
    if len(table) <= _PIECE:
        yield table
        return
    for first in range(0, len(table), _PIECE):
        yield table.take(np.arange(first, min(first + _PIECE, len(table))))


@dataclass(frozen=True)
class Layout:
    """A tree: the status of each particle, and where it begins and ends."""

    status: tuple[int, ...]
    start: tuple[int, ...]
    end: tuple[int, ...]
    vertices: int
    struck: bool
    """Whether the target is a nucleon inside a nucleus."""

    @property
    def target(self) -> int | None:
        """Row of the target; None if there is none."""
        return self.status.index(TARGET) if TARGET in self.status else None

    def order(self) -> list[int]:
        """Rows of the particles in the order in which HepMC3 can read them.

        Raises
        ------
        OutputError
            If there is none.
        """
        rows: list[int] = []
        seen: set[int] = set()
        for v in range(self.vertices):
            rows += [i for i, s in enumerate(self.start) if s < 0 and self.end[i] == v]
            seen.update(rows)
            into = [i for i, e in enumerate(self.end) if e == v]
            out = [i for i, s in enumerate(self.start) if s == v]
            if not into or not out or not seen.issuperset(into):
                raise OutputError(
                    f"Vertex {v} of an event has {len(into)} incoming and {len(out)} outgoing "
                    "particles, or comes before the vertex that makes what enters it: HepMC3 has "
                    "no form for such a tree."
                )
            rows += out
            seen.update(out)
        beams, targets = self.status.count(BEAM), self.status.count(TARGET)
        if len(rows) != len(self.status) or beams != 1 or targets > 1:
            raise OutputError(
                f"An event has {beams} beam particles, {targets} targets and "
                f"{len(self.status) - len(rows)} particles without a vertex; NuHepMC wants one "
                "beam particle, at most one target here, and a vertex for each particle."
            )
        return rows


def layouts(table: EventTable) -> Iterator[tuple[Layout, IntArray]]:
    """Yield each layout of a table, and the events that have it."""
    n = len(table)
    if n == 0:
        return
    counts, widest = table.particle_counts, int(table.particle_counts.max(initial=0))
    first = offsets_of(counts)[:-1]
    keys = np.full((n, 3 * widest + 3), -9, dtype=np.int64)
    keys[:, 0], keys[:, 1], keys[:, 2] = counts, table.vertex_counts, 0
    event = np.repeat(np.arange(n), counts)
    slot = np.arange(len(event)) - np.repeat(first, counts)
    for k, name in enumerate(("status", "vertex", "end_vertex")):
        keys[event, 3 + 3 * slot + k] = table.particles[name]
    pdg, status = table.particles["pdg"], table.particles["status"]
    ends = table.particles["end_vertex"]
    nucleon = np.isin(pdg, _NUCLEONS) & (status == TARGET) & (ends == 0)
    target = table.events["target"].astype(np.int64)
    nucleus = np.array([is_nucleus(code) for code in np.unique(target).tolist()])
    heavy = nucleus[np.unique(target, return_inverse=True)[1].ravel()]
    # A nucleus of one nucleon is the nucleon.
    heavy &= target // 10 % 1000 > 1
    keys[event[nucleon], 2] = heavy[event[nucleon]]
    unique, index = np.unique(keys, axis=0, return_inverse=True)
    index = index.ravel()
    for number, key in enumerate(unique.tolist()):
        size, vertices, struck = key[:3]
        columns = [tuple(key[3 + k : 3 + 3 * size : 3]) for k in range(3)]
        layout = Layout(columns[0], columns[1], columns[2], vertices, bool(struck))
        yield layout, np.flatnonzero(index == number)


def column_texts(column: Column) -> list[str] | str:
    """Return the numbers of a column as texts, or one text if all are the same."""
    if column.dtype.kind == "b":
        column = column.astype(np.int64)
    first = column[:1]
    # Bits are compared, not values: -0.0 is not 0.0, and NaN is like itself.
    bits = column.view(f"u{column.dtype.itemsize}")
    if (bits == bits[0]).all():
        return repr(first.tolist()[0])
    if len(column) > 200 and len(np.unique(bits[:: len(column) // 100])) < _FEW:
        values, index = np.unique(bits, return_inverse=True)
        if 4 * len(values) < len(column):
            words = [repr(v) for v in values.view(column.dtype).tolist()]
            return [words[i] for i in index.tolist()]
    return list(map(repr, column.tolist()))


class Masses:
    """Masses of particles: constants where they are known, else from the momenta.

    Parameters
    ----------
    sample
        Sample whose model may know the masses of new particles.
    """

    def __init__(self, sample: Sample) -> None:
        masses: Mapping[int, float] = getattr(known_model(sample), "particle_masses", {})
        self._model = {int(code): float(value) for code, value in masses.items()}

    def __call__(self, pdg: IntArray, p4: Sequence[Column]) -> FloatArray:
        """Return the masses [GeV] of particles of codes `pdg` and momenta px, py, pz, E, (n,)."""
        codes, index = np.unique(pdg, return_inverse=True)
        known = np.array([self._constant(int(code)) for code in codes])
        result = known[index.ravel()]
        missing = np.isnan(result)
        if missing.any():
            px, py, pz, energy = (c[missing] for c in p4)
            momentum = np.sqrt(px**2 + py**2 + pz**2)
            square = (energy - momentum) * (energy + momentum)
            result[missing] = np.sqrt(np.maximum(square, 0.0))
        return result

    def _constant(self, code: int) -> float:
        for key in (code, -code):
            if key in self._model:
                return self._model[key]
        try:
            return mass(code)
        except UnknownNameError:
            return float("nan")
