"""From placed events to event tables: vertices, particles and columns of one chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.constants import NEUTRON_MASS, PROTON_MASS, SPEED_OF_LIGHT
from siren_py.flux import FluxLike
from siren_py.injection.builder import Block, TreeBuilder
from siren_py.injection.growth import Frontier, Growth
from siren_py.injection.signal import Signal, draw_choice
from siren_py.particles import PDG
from siren_py.tree import BEAM, FINAL, INTERMEDIATE, TARGET, Columns, EventTable
from siren_py.weighting import FACTORS, product_of_factors

_Array = TypeVar("_Array", bound=np.ndarray[Any, Any])

_NUCLEONS = {"proton": (PDG.PROTON, PROTON_MASS), "neutron": (PDG.NEUTRON, NEUTRON_MASS)}
"""What takes the momentum in these parts of a cross section: one nucleon at rest."""


@dataclass
class Batch:
    """Events of one flux and one process that survived placement."""

    flux: int
    attempt: IntArray
    energy: FloatArray
    reaction: IntArray
    pdg: IntArray
    momenta: FloatArray
    slot: IntArray
    polarization: FloatArray
    length: FloatArray
    neutrino: FloatArray
    vertex: FloatArray
    decay: FloatArray
    where: dict[str, IntArray]
    factors: dict[str, FloatArray]
    invariants: dict[str, FloatArray]
    process: str
    part: IntArray
    target: IntArray

    def __len__(self) -> int:
        return int(self.attempt.size)


class Assembler:
    """Builds the trees of the events that survived placement.

    Parameters
    ----------
    fluxes
        The fluxes.
    beam
        Unit direction of the beam, (3,).
    target_codes, target_masses
        PDG codes and masses [GeV] of the nuclides, (T,).
    parts
        Names of the parts of cross sections; events refer to them by number.
    processes
        Names of all processes; vertices refer to them by number.
    signal, growth
        The decay that counts, and what follows the other particles.
    """

    def __init__(
        self,
        fluxes: list[FluxLike],
        beam: FloatArray,
        target_codes: IntArray,
        target_masses: FloatArray,
        parts: tuple[str, ...],
        processes: list[str],
        signal: Signal,
        growth: Growth,
    ) -> None:
        self.fluxes, self._beam = fluxes, beam
        self._target_codes, self._target_masses = target_codes, target_masses
        self._nucleons = {i: _NUCLEONS[p] for i, p in enumerate(parts) if p in _NUCLEONS}
        self.processes, self.signal, self.growth = processes, signal, growth

    def assemble(
        self,
        batches: list[Batch],
        first: int,
        rngs: dict[str, np.random.Generator],
        invariants: list[str],
    ) -> EventTable:
        """Build the table of a chunk; the first attempt of the chunk has the number `first`."""
        sizes = [len(b) for b in batches]
        total = sum(sizes)
        attempts = np.concatenate([b.attempt for b in batches]) if batches else np.zeros(0, int)
        # Row of each event in the chunk: events are stored in the order of their attempts.
        row_of = np.empty(total, dtype=np.int64)
        row_of[np.argsort(attempts, kind="stable")] = np.arange(total)
        events = _empty_columns(total, invariants)
        builder = TreeBuilder(total)
        start = 0
        for batch, size in zip(batches, sizes, strict=True):
            rows = row_of[start : start + size]
            start += size
            self._fill(builder, events, batch, rows, first, rngs)
        table = builder.build(events)
        # A weight that is no number is the fault of a process: it must stop the run at once.
        product_of_factors(table)
        return table

    def _fill(
        self,
        builder: TreeBuilder,
        events: Columns,
        batch: Batch,
        rows: IntArray,
        first: int,
        rngs: dict[str, np.random.Generator],
    ) -> None:
        flux = self.fluxes[batch.flux]
        events["event"][rows] = batch.attempt + first
        events["flux"][rows] = batch.flux
        events["primary_pdg"][rows] = int(flux.pdg)
        events["primary_energy"][rows] = batch.energy
        struck = np.flatnonzero(batch.target >= 0)
        events["target"][taken(rows, struck)] = self._target_codes[taken(batch.target, struck)]
        events["target_part"][rows] = batch.part
        events["decay_length"][rows] = batch.length
        for i, axis in enumerate("xyz"):
            events[f"polarization_{axis}"][rows] = batch.polarization[:, i]
        for columns in (batch.where, batch.factors, batch.invariants):
            for name, value in columns.items():
                events[name][rows] = value
        time = batch.vertex @ self._beam / SPEED_OF_LIGHT
        process = self.processes.index(batch.process)
        vertex = builder.add_vertex(rows, batch.vertex, time, process, batch.where["volume"])
        self._add_incoming(builder, batch, rows, vertex, int(flux.pdg))
        frontier = Frontier()
        blocks = []
        for k in range(batch.pdg.shape[1]):
            present = np.flatnonzero(batch.pdg[:, k])
            block = builder.add_outgoing(
                taken(rows, present), present, k, batch.pdg, batch.momenta, FINAL,
                taken(vertex, present),
            )  # fmt: skip
            blocks.append(block)
            code = taken(batch.pdg[:, k], present)
            position = np.flatnonzero(self.growth.follows(code) & (taken(batch.slot, present) != k))
            other = present[position]
            frontier.add(
                block, position, batch.pdg[other, k], batch.momenta[other, k],
                batch.vertex[other], time[other], rows[other],
            )  # fmt: skip
        if not self.signal.prompt:
            self._decay(builder, events, batch, rows, time, blocks, frontier, rngs["decay"])
        factor = self.growth.run(builder, frontier, self.processes, rngs["growth"])
        for event_rows, weight in factor:
            np.multiply.at(events["factor_final_state"], event_rows, weight)

    def _add_incoming(
        self, builder: TreeBuilder, batch: Batch, rows: IntArray, vertex: IntArray, pdg: int
    ) -> None:
        """Add the beam particle and, where there is one, the target; both end at vertex 0."""
        n = len(batch)
        # A particle that arrives has a mass: it leaves vertex 0 as it came.
        mass = self.signal.masses.get(pdg, 0.0)
        p = np.sqrt(np.maximum((batch.energy - mass) * (batch.energy + mass), 0.0))
        beam = np.zeros((n, 4))
        beam[:, 0] = batch.energy
        beam[:, 1:] = p[:, None] * batch.neutrino
        block = builder.add_particle(rows, pdg, beam, BEAM, -1)
        block.end_vertex[:] = vertex
        there = np.flatnonzero(batch.target >= 0)
        if not there.size:
            return
        target, part = taken(batch.target, there), taken(batch.part, there)
        at_rest = np.zeros((there.size, 4))
        at_rest[:, 0] = self._target_masses[target]
        struck = self._target_codes[target]
        for number, (code, nucleon_mass) in self._nucleons.items():
            at_rest[part == number, 0] = nucleon_mass
            struck[part == number] = code
        block = builder.add_particle(taken(rows, there), struck, at_rest, TARGET, -1)
        block.end_vertex[:] = taken(vertex, there)

    def _decay(
        self,
        builder: TreeBuilder,
        events: Columns,
        batch: Batch,
        rows: IntArray,
        time: FloatArray,
        blocks: list[Block],
        frontier: Frontier,
        rng: np.random.Generator,
    ) -> None:
        """Let the signal particles decay at the points that were drawn for them."""
        pdg = in_slots(batch.pdg, batch.slot)
        momentum = in_slots(batch.momenta, batch.slot)
        speed = np.sqrt(np.einsum("ij,ij->i", momentum[:, 1:], momentum[:, 1:])) / momentum[:, 0]
        way = batch.decay - batch.vertex
        flight = np.sqrt(np.einsum("ij,ij->i", way, way))
        later = time + flight / (np.where(speed > 0.0, speed, 1.0) * SPEED_OF_LIGHT)
        for code in map(int, self.signal.pdgs):
            mine = np.flatnonzero(pdg == code)
            if not mine.size:
                continue
            choices = self.signal.choices[code]
            picked = draw_choice(choices, mine.size, rng)
            for c, choice in enumerate(choices):
                some = taken(mine, np.flatnonzero(picked == c))
                if not some.size:
                    continue
                state = choice.decay.sample(
                    choice.channel,
                    taken(momentum, some),
                    taken(batch.polarization, some),
                    taken(pdg, some),
                    rng,
                )
                at, end = taken(rows, some), taken(later, some)
                events["channel"][at] = choice.number
                events["factor_branching"][at] = choice.factor
                events["factor_final_state"][at] *= state.weight
                vertex = builder.add_vertex(
                    at,
                    taken(batch.decay, some),
                    end,
                    self.processes.index(choice.decay.name),
                    taken(batch.where["decay_volume"], some),
                )
                slot = taken(batch.slot, some)
                for k, block in enumerate(blocks):
                    ended = np.flatnonzero(slot == k)
                    row = taken(some, ended)
                    if block.source.size < len(batch):
                        row = np.searchsorted(block.source, row)
                    builder.end_particle(block, row, taken(vertex, ended), INTERMEDIATE)
                for k in range(state.pdg.shape[1]):
                    exists = np.flatnonzero(state.pdg[:, k])
                    block = builder.add_outgoing(
                        taken(at, exists), exists, k, state.pdg, state.momenta, FINAL,
                        taken(vertex, exists),
                    )  # fmt: skip
                    position = np.flatnonzero(self.growth.follows(taken(state.pdg[:, k], exists)))
                    made = exists[position]
                    frontier.add(
                        block, position, state.pdg[made, k], state.momenta[made, k],
                        batch.decay[some[made]], end[made], at[made],
                    )  # fmt: skip


def taken(values: _Array, rows: IntArray) -> _Array:
    """Return the rows of an array, in ascending order; the array itself if they are all of it."""
    return values if rows.size == len(values) else cast("_Array", values[rows])


def in_slots(values: _Array, slot: IntArray) -> _Array:
    """Return values[i, slot[i]] for all i; a view if all slots are the same."""
    if slot.size and (slot == slot[0]).all():
        return cast("_Array", values[:, slot[0]])
    return cast("_Array", values[np.arange(slot.size), slot])


def _empty_columns(n: int, invariants: list[str]) -> Columns:
    """Return the event columns of n events, nothing known yet."""
    columns: Columns = {"event": np.zeros(n, dtype=np.int64)}
    for name in (
        "flux", "primary_pdg", "target", "target_part", "channel",
        "volume", "material", "decay_volume", "region",
    ):  # fmt: skip
        columns[name] = np.full(n, -1, dtype=np.int32)
    for name in ("primary_energy", "decay_length", *(f"polarization_{a}" for a in "xyz")):
        columns[name] = np.zeros(n)
    for name in invariants:
        columns[name] = np.full(n, np.nan)
    for name in FACTORS:
        columns[name] = np.ones(n)
    return columns
