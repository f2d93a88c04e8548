"""From placed events to event tables: vertices, particles and columns of one chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.constants import NEUTRON_MASS, PROTON_MASS, SPEED_OF_LIGHT
from siren_py.flux import FluxLike
from siren_py.injection.builder import Block, TreeBuilder, floats, integers
from siren_py.injection.growth import Frontier, Growth
from siren_py.injection.layout_kernels import (
    end_in_slots,
    incoming_particles,
    scatter,
    scatter_vectors,
    turn_events,
)
from siren_py.injection.signal import Signal, draw_choice
from siren_py.particles import PDG
from siren_py.tree import BEAM, FINAL, TARGET, Columns, EventTable
from siren_py.weighting import FACTORS, product_of_factors

_Array = TypeVar("_Array", bound=np.ndarray[Any, Any])

_NUCLEONS = {"proton": (PDG.PROTON, PROTON_MASS), "neutron": (PDG.NEUTRON, NEUTRON_MASS)}
"""What takes the momentum in these parts of a cross section: one nucleon at rest."""


@dataclass
class Batch:
    """Attempts of one flux and one process, and which of them became events.

    All arrays have a row per attempt; `polarization` is that of the particle in `slot`, (n, 3).
    """

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
    keep: IntArray | None = None
    """Rows of the attempts that became events; None for all."""
    rotation: FloatArray | None = None
    """What turns `momenta` to the frame of the detector, (3, 3) or (n, 3, 3); None: they are."""

    def __len__(self) -> int:
        return int(self.attempt.size if self.keep is None else self.keep.size)


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
        # The last one is that of events without a target.
        self._codes = np.append(target_codes, -1)
        shape = (target_codes.size, len(parts))
        self._struck_codes = np.broadcast_to(target_codes[:, None], shape).copy()
        self._struck_masses = np.broadcast_to(target_masses[:, None], shape).copy()
        for i, part in enumerate(parts):
            if part in _NUCLEONS:
                self._struck_codes[:, i], self._struck_masses[:, i] = _NUCLEONS[part]
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
        kept = [b.attempt if b.keep is None else taken(b.attempt, b.keep) for b in batches]
        attempts = np.concatenate(kept) if kept else np.zeros(0, int)
        # Row of each event in the chunk: events are stored in the order of their attempts.
        row_of = np.empty(total, dtype=np.int64)
        row_of[np.argsort(attempts, kind="stable")] = np.arange(total)
        events = _empty_columns(total, invariants)
        builder = TreeBuilder(total)
        start = 0
        for batch, size in zip(batches, sizes, strict=True):
            rows = row_of[start : start + size]
            start += size
            self._fill(builder, events, batch, rows, rngs)
        events["event"] += first
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
        rngs: dict[str, np.random.Generator],
    ) -> None:
        flux = self.fluxes[batch.flux]
        code, m, k = int(flux.pdg), rows.size, batch.pdg.shape[1]
        keep = np.arange(m) if batch.keep is None else batch.keep
        events["flux"][rows] = batch.flux
        events["primary_pdg"][rows] = code
        columns: Columns = {
            "event": batch.attempt, "primary_energy": batch.energy, "decay_length": batch.length,
            "target": self._codes[batch.target], "target_part": batch.part,
            **batch.where, **batch.factors, **batch.invariants,
        }  # fmt: skip
        for name, values in columns.items():
            if events[name].dtype == np.float64:
                scatter(floats(values), keep, rows, events[name])
            else:
                scatter(integers(values), keep, rows, events[name])
        polarization = [events[f"polarization_{axis}"] for axis in "xyz"]
        scatter_vectors(batch.polarization, keep, rows, *polarization)

        pdg, momenta = np.empty((m, k), dtype=np.int64), np.empty((m, k, 4))
        signal, time = np.empty((m, 4)), np.empty((2, m))
        rotation = np.eye(3) if batch.rotation is None else batch.rotation
        turn_events(
            keep, integers(batch.pdg), floats(batch.momenta), batch.slot,
            floats(rotation).reshape(-1, 3, 3), batch.vertex, batch.decay, self._beam,
            SPEED_OF_LIGHT, pdg, momenta, signal, time,
        )  # fmt: skip
        process, volume = self.processes.index(batch.process), batch.where["volume"]
        vertex = builder.add_vertex(rows, batch.vertex, time[0], process, volume, keep)
        self._add_incoming(builder, batch, keep, rows, vertex, code)
        block = builder.add_particles(rows, pdg, momenta, FINAL, vertex)
        frontier = Frontier()
        slot = taken(batch.slot, keep)
        frontier.add(block, self.growth.followed(pdg, slot), batch.vertex, keep, time[0])
        if not self.signal.prompt:
            self._decay(builder, events, batch, keep, block, slot, signal, time[1], frontier,
                        rngs["decay"])  # fmt: skip
        factor = self.growth.run(builder, frontier, self.processes, rngs["growth"])
        for event_rows, weight in factor:
            np.multiply.at(events["factor_final_state"], event_rows, weight)

    def _add_incoming(
        self,
        builder: TreeBuilder,
        batch: Batch,
        keep: IntArray,
        rows: IntArray,
        vertex: IntArray,
        pdg: int,
    ) -> None:
        """Add the beam particle and, where there is one, the target; both end at vertex 0."""
        # One row serves all where the beam is parallel.
        same = batch.neutrino.strides[0] == 0
        codes, momenta = np.empty((rows.size, 2), dtype=np.int64), np.empty((rows.size, 2, 4))
        incoming_particles(
            keep, batch.energy, floats(batch.neutrino[:1] if same else batch.neutrino),
            # A particle that arrives has a mass: it leaves vertex 0 as it came.
            pdg, self.signal.masses.get(pdg, 0.0), batch.target, batch.part, self._struck_codes,
            self._struck_masses, codes, momenta,
        )  # fmt: skip
        beam = builder.add_particles(rows, codes, momenta, (BEAM, TARGET), np.full(rows.size, -1))
        beam.ends()[:] = vertex[:, None]

    def _decay(
        self,
        builder: TreeBuilder,
        events: Columns,
        batch: Batch,
        keep: IntArray,
        block: Block,
        slot: IntArray,
        momentum: FloatArray,
        time: FloatArray,
        frontier: Frontier,
        rng: np.random.Generator,
    ) -> None:
        """Let the signal particles decay at the points that were drawn for them."""
        pdg = in_slots(block.pdg, slot)
        polarization = taken(batch.polarization, keep)
        ends = block.ends()
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
                    taken(polarization, some),
                    taken(pdg, some),
                    rng,
                )
                at, end, source = taken(block.event, some), taken(time, some), taken(keep, some)
                events["channel"][at] = choice.number
                events["factor_branching"][at] = choice.factor
                events["factor_final_state"][at] = state.weight
                vertex = builder.add_vertex(
                    at, batch.decay, end, self.processes.index(choice.decay.name),
                    batch.where["decay_volume"], source,
                )  # fmt: skip
                end_in_slots(ends, some, taken(slot, some), vertex)
                made = builder.add_particles(at, state.pdg, state.momenta, FINAL, vertex)
                frontier.add(made, self.growth.followed(made.pdg), batch.decay, source, end)


def taken(values: _Array, rows: IntArray) -> _Array:
    """Return the rows of an array, in ascending order; the array itself if they are all of it."""
    return values if rows.size == len(values) else cast("_Array", values.take(rows, axis=0))


def in_slots(values: _Array, slot: IntArray) -> _Array:
    """Return values[i, slot[i]] for all i; a view if all slots are the same."""
    if slot.size and (slot == slot[0]).all():
        return cast("_Array", values[:, slot[0]])
    return cast("_Array", values[np.arange(slot.size), slot])


def _empty_columns(n: int, invariants: list[str]) -> Columns:
    """Return the event columns of n events, blank where all batches fill them."""
    columns: Columns = {"event": np.empty(n, dtype=np.int64)}
    for name in (
        "flux", "primary_pdg", "target", "target_part", "channel",
        "volume", "material", "decay_volume", "region",
    ):  # fmt: skip
        columns[name] = np.empty(n, dtype=np.int32)
    columns["channel"][:] = -1
    for name in ("primary_energy", "decay_length", *(f"polarization_{a}" for a in "xyz")):
        columns[name] = np.empty(n)
    for name in invariants:
        columns[name] = np.full(n, np.nan)
    for name in FACTORS:
        columns[name] = np.ones(n)
    return columns
