"""From placed events to event tables: vertices, particles and columns of one chunk."""

from __future__ import annotations

from dataclasses import dataclass

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
        struck = batch.target >= 0
        events["target"][rows[struck]] = self._target_codes[batch.target[struck]]
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
        blocks: dict[int, tuple[Block, IntArray]] = {}
        for k in range(batch.pdg.shape[1]):
            present = np.flatnonzero(batch.pdg[:, k] != 0)
            block = builder.add_particle(
                rows[present], batch.pdg[present, k], batch.momenta[present, k], FINAL,
                vertex[present],
            )  # fmt: skip
            blocks[k] = (block, present)
            other = present[batch.slot[present] != k]
            position = np.searchsorted(present, other)
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
        block.columns["end_vertex"][:] = vertex
        there = np.flatnonzero(batch.target >= 0)
        if not there.size:
            return
        target, part = batch.target[there], batch.part[there]
        at_rest = np.zeros((there.size, 4))
        at_rest[:, 0] = self._target_masses[target]
        struck = self._target_codes[target]
        for number, (code, nucleon_mass) in self._nucleons.items():
            at_rest[part == number, 0] = nucleon_mass
            struck[part == number] = code
        block = builder.add_particle(rows[there], struck, at_rest, TARGET, -1)
        block.columns["end_vertex"][:] = vertex[there]

    def _decay(
        self,
        builder: TreeBuilder,
        events: Columns,
        batch: Batch,
        rows: IntArray,
        time: FloatArray,
        blocks: dict[int, tuple[Block, IntArray]],
        frontier: Frontier,
        rng: np.random.Generator,
    ) -> None:
        """Let the signal particles decay at the points that were drawn for them."""
        n = len(batch)
        everyone = np.arange(n)
        pdg = batch.pdg[everyone, batch.slot]
        momentum = batch.momenta[everyone, batch.slot]
        speed = np.sqrt(np.einsum("ij,ij->i", momentum[:, 1:], momentum[:, 1:])) / momentum[:, 0]
        flight = np.linalg.norm(batch.decay - batch.vertex, axis=1)
        later = time + flight / (np.where(speed > 0.0, speed, 1.0) * SPEED_OF_LIGHT)
        for code in map(int, self.signal.pdgs):
            mine = np.flatnonzero(pdg == code)
            if not mine.size:
                continue
            choices = self.signal.choices[code]
            picked = draw_choice(choices, mine.size, rng)
            for c, choice in enumerate(choices):
                some = mine[picked == c]
                if not some.size:
                    continue
                state = choice.decay.sample(
                    choice.channel, momentum[some], batch.polarization[some], pdg[some], rng
                )
                at = rows[some]
                events["channel"][at] = choice.number
                events["factor_branching"][at] = choice.factor
                events["factor_final_state"][at] *= state.weight
                vertex = builder.add_vertex(
                    at,
                    batch.decay[some],
                    later[some],
                    self.processes.index(choice.decay.name),
                    batch.where["decay_volume"][some],
                )
                for k, (block, present) in blocks.items():
                    ended = some[batch.slot[some] == k]
                    builder.end_particle(
                        block,
                        np.searchsorted(present, ended),
                        vertex[batch.slot[some] == k],
                        INTERMEDIATE,
                    )
                for k in range(state.pdg.shape[1]):
                    exists = np.flatnonzero(state.pdg[:, k] != 0)
                    block = builder.add_particle(
                        at[exists], state.pdg[exists, k], state.momenta[exists, k], FINAL,
                        vertex[exists],
                    )  # fmt: skip
                    frontier.add(
                        block, np.arange(exists.size), state.pdg[exists, k],
                        state.momenta[exists, k], batch.decay[some[exists]], later[some[exists]],
                        at[exists],
                    )  # fmt: skip


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
