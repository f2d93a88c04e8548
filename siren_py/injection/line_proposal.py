"""Lines for several regions and decay lengths at once.

Energies, reactions, final states and lines are drawn from an even mixture of what the injector
would take for each region at each of a few decay lengths, its C parts: as many lines from each.
The weight of a line has the density of the whole mixture (Veach and Guibas, SIGGRAPH 95, 419
(1995)), at least 1/C of that of the part that suits it best, so that one set of lines serves all
regions and all decay lengths between. Vertex and decay point are summed, not drawn; see
`line_rates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.driving import rows_of
from siren_py.geometry.arrays import make_scratch, max_segments
from siren_py.injection.energy import EnergyReactionProposal
from siren_py.injection.importance import Importance, shares_by_nuclide
from siren_py.injection.injector import Injector
from siren_py.injection.line_intervals import Spans, new_intervals, region_spans
from siren_py.injection.line_rates import Point, Totals, line_rates
from siren_py.injection.line_source import LENGTHS, nearest_length
from siren_py.injection.placement import AimedPlacement, check_complete, densest_in_volumes
from siren_py.processes.base import FinalState

PURPOSES = ("energy", "scattering", "line")
"""What random numbers are needed for."""


class Kind(NamedTuple):
    """What decides how the weight of a line changes with the coupling."""

    flux: int
    """Number of the flux."""
    process: int
    """Number of the interaction among those of the flux."""
    particle: int
    """PDG code of the particle that decays; 0 if the interaction itself counts."""


class Lines(NamedTuple):
    """Lines through regions, n of them."""

    weights: FloatArray
    """Weights without W, times the number of attempts [cm2 per POT x cm2], (n,)."""
    origins: FloatArray
    """A point on each line [cm], (n, 3)."""
    directions: FloatArray
    """Unit directions of flight, (n, 3)."""
    lengths: FloatArray
    """Decay lengths [cm], (n,)."""
    nuclide: IntArray
    """Targets, (n,)."""
    kind: IntArray
    """Kinds, (n,)."""
    part: IntArray
    """Parts of the mixture, (n,)."""


def supports(injector: object) -> bool:
    """Say whether the lines of an injector can be drawn here: those of the aimed proposal."""
    return type(injector) is Injector and injector.aimed is not None


class LineMaker:
    """Draws lines for some regions of a detector and sums over what happens on them.

    Parameters
    ----------
    injector
        An injector of the aimed proposal for any of the regions; its model is the reference.
    regions
        Names of the regions.
    """

    def __init__(self, injector: Injector, regions: Sequence[str]) -> None:
        self._injector = injector
        detector, matter, beam = injector.detector, injector.matter, injector.beam
        self._regions = [detector.region(name) for name in regions]
        self._placements = [AimedPlacement(detector, name, matter, beam) for name in regions]
        self._importances = [
            Importance(placement, matter, beam, injector.cross_sections, injector.mean_angles)
            for placement in self._placements
        ]
        for placement in self._placements:
            # The target is known when the line is drawn: what has none of it is not aimed at.
            shares = shares_by_nuclide(placement, matter, beam, injector.mean_angles)
            rows = shares.shape[0] * shares.shape[1]
            placement.source.set_shares(shares.reshape(rows, shares.shape[2]))
        self._bare = injector.bare_rates()
        self._arrays = detector.arrays()
        self._in_volume = densest_in_volumes(self._arrays, len(detector.placed()), matter.density)
        particles = [0] if injector.signal.prompt else injector.signal.pdgs.tolist()
        self.kinds = [
            Kind(f, p, particle)
            for f, reactions in enumerate(injector.reactions)
            for p in range(len(reactions.processes))
            for particle in particles
        ]
        """All kinds of lines, in the order of their numbers."""
        self._number = {kind: i for i, kind in enumerate(self.kinds)}

    @property
    def regions(self) -> int:
        """Number of regions."""
        return len(self._regions)

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Corners of the detector [cm]."""
        return self._injector.detector.bounds()

    @property
    def typical_length(self) -> float:
        """Mean decay length of what is produced in matter [cm]; 0 if nothing flies."""
        total = sum(float(rate.sum()) for _, rate, _ in self._bare)
        moment = sum(float((rate * length).sum()) for _, rate, length in self._bare)
        return moment / total if total > 0.0 else 0.0

    def mixture(self, stretches: FloatArray) -> LineProposal | None:
        """Return the proposal for all regions at some decay lengths over those of the model.

        None if nothing can happen in any region.
        """
        rates: list[list[FloatArray]] = [[] for _ in self._injector.fluxes]
        parts = []
        for r, importance in enumerate(self._importances):
            for a, stretch in enumerate(stretches):
                one = []
                for (_, bare, length), reactions, angles in zip(
                    self._bare, self._injector.reactions, self._injector.angles, strict=True
                ):
                    # One length per cell will do: rates only steer.
                    here = np.median(length, axis=1) if length.size else np.zeros(len(length))
                    table = importance(reactions.nuclide, angles, stretch * here[:, None])
                    one.append(bare * table)
                total = sum(float(rate.sum()) for rate in one)
                if total > 0.0:
                    parts.append((r, a))
                    for mine, rate in zip(rates, one, strict=True):
                        mine.append(rate / total)
        if not parts:
            return None
        tables = [np.array(mine) for mine in rates]
        cells = [cells for cells, _, _ in self._bare]
        proposal = EnergyReactionProposal(
            self._injector.fluxes, cells, self._injector.reactions,
            [table.sum(axis=0) for table in tables],
        )  # fmt: skip
        return LineProposal(self, proposal, tables, parts, np.asarray(stretches))

    def add(self, lines: Lines, point: Point, totals: Totals) -> None:
        """Add what lines count for at some couplings to `totals`."""
        injector = self._injector
        external = injector.detector.external_intervals(lines.origins, lines.directions)
        spans = self._spans(lines)
        most = int(np.diff(spans.first, axis=1).sum(axis=0).max(initial=0))
        capacity = 2 * (max_segments(self._arrays, external) + most + 1)
        done = line_rates(
            self._arrays, external, make_scratch(self._arrays, external), spans,
            new_intervals(capacity, len(self._regions)), injector.matter.density,
            self._in_volume, lines.origins, lines.directions, lines.lengths, lines.nuclide,
            lines.kind, lines.part, lines.weights, point, totals,
        )  # fmt: skip
        check_complete(done, lines.weights.size)

    def _spans(self, lines: Lines) -> Spans:
        """Find where lines are in the regions."""
        n, found = lines.weights.size, []
        first = np.zeros((len(self._regions), n + 1), dtype=np.int64)
        for r, region in enumerate(self._regions):
            arrays = region.arrays()
            external = region.external_intervals(lines.origins, lines.directions)
            scratch = make_scratch(arrays, external)
            room, count = 2 * n + 16, -1
            while count == -1:
                t_in, t_out = np.empty(room), np.empty(room)
                count = region_spans(
                    arrays, external, scratch, lines.origins, lines.directions, first[r],
                    t_in, t_out,
                )  # fmt: skip
                room *= 2
            check_complete(n if count >= 0 else 0, n)
            found.append((t_in[:count], t_out[:count]))
        width = max(len(t_in) for t_in, _ in found)
        t_in, t_out = np.zeros((len(found), width)), np.zeros((len(found), width))
        for r, (a, b) in enumerate(found):
            t_in[r, : a.size], t_out[r, : b.size] = a, b
        return Spans(first, t_in, t_out)


class LineProposal:
    """A mixture of proposals; made by `LineMaker.mixture`.

    Parameters
    ----------
    maker
        The regions.
    proposal
        Energies and reactions of the mixture.
    tables
        Rates of each part by cell and reaction of each flux, normalised, (C, K, R).
    parts
        Region, and number of the decay length, of each part.
    stretches
        Decay lengths over those of the model, (A,).
    """

    def __init__(
        self,
        maker: LineMaker,
        proposal: EnergyReactionProposal,
        tables: list[FloatArray],
        parts: Sequence[tuple[int, int]],
        stretches: FloatArray,
    ) -> None:
        self._maker, self._proposal, self._tables = maker, proposal, tables
        self._stretches = stretches
        self._region, self._length = np.array(parts).T
        entries = np.concatenate([table.reshape(len(table), -1) for table in tables], axis=1)
        self._cumulative = np.cumsum(entries, axis=1)
        self._cumulative /= self._cumulative[:, -1:]
        self.parts: int = len(parts)
        """Number of parts C."""

    def draw(self, n: int, rngs: Mapping[str, np.random.Generator]) -> Lines:
        """Draw n lines, n / C of each part; those that cannot be are left out.

        `n` is a multiple of C, `rngs` are generators for `PURPOSES`.
        """
        injector = self._maker._injector
        batches = []
        each = n // self.parts
        for f, attempt, energy, reaction, flux_factor, reaction_factor in self._proposal.sample(
            n, rngs["energy"], self._cumulative
        ):
            open_ = np.flatnonzero(energy > injector.reactions[f].threshold[reaction])
            for index, process, state in injector.reactions[f].sample(
                reaction[open_], energy[open_], rows_of(rngs["scattering"], attempt[open_])
            ):
                rows = open_[index]
                weights = flux_factor[rows] * reaction_factor[rows]
                shares = self._shares(f, energy[rows], reaction[rows])
                rng = rows_of(rngs["line"], attempt[rows])
                part = attempt[rows] // each
                batches.append(
                    self._lines(f, process, state, weights, reaction[rows], part, shares, rng)
                )
        if not batches:
            nothing = np.zeros((0, 3))
            none = np.zeros(0, dtype=np.int64)
            return Lines(np.zeros(0), nothing, nothing, np.zeros(0), none, none, none)
        return Lines(*(np.concatenate(column) for column in zip(*batches, strict=True)))

    def _shares(self, f: int, energy: FloatArray, reaction: IntArray) -> FloatArray:
        """Chance that an energy and a reaction are from each part, (C, n)."""
        cells, tables = self._maker._bare[f][0], self._tables[f]
        if cells.native:
            # The parts only choose the flux; energies are its own, reactions those of all parts.
            shares = np.repeat(tables.sum(axis=(1, 2))[:, None], energy.size, axis=1)
        else:
            cell = np.searchsorted(cells.high, energy, side="right")
            shares = tables[:, np.minimum(cell, cells.high.size - 1), reaction]
        total = shares.sum(axis=0)
        # On the very edge of a cell rounding may find a neighbour that is never drawn from.
        return np.where(total > 0.0, shares / np.where(total > 0.0, total, 1.0), 1.0 / self.parts)

    def _lines(
        self,
        f: int,
        process: int,
        state: FinalState,
        weights: FloatArray,
        reaction: IntArray,
        part: IntArray,
        shares: FloatArray,
        rng: np.random.Generator,
    ) -> Lines:
        """Put lines through the regions, in the directions of final states."""
        maker, injector = self._maker, self._maker._injector
        n = reaction.size
        slot, found = np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.bool_)
        local, lengths = np.zeros((n, 3)), np.zeros(n)
        if injector.signal.prompt:
            local[:, 2] = 1.0
            kind = np.full(n, maker._number[Kind(f, process, 0)])
        else:
            injector.signal.flights(state.pdg, state.momenta, slot, found, local, lengths)
            pdg = state.pdg[np.arange(n), slot]
            kind = np.zeros(n, dtype=np.int64)
            for particle in injector.signal.pdgs.tolist():
                kind[pdg == particle] = maker._number[Kind(f, process, particle)]
        directions = maker._placements[0].towards(local)
        nuclide = injector.reactions[f].nuclide[reaction]
        rows = np.array([nearest_length(lengths * stretch) for stretch in self._stretches])
        rows += nuclide * LENGTHS.size
        origins, density = np.empty((n, 3)), np.zeros(n)
        for r, placement in enumerate(maker._placements):
            mine = np.flatnonzero(self._region[part] == r)
            row = rows[self._length[part[mine]], mine]
            origins[mine] = placement.source.sample(row, rows_of(rng, mine))
        for r, placement in enumerate(maker._placements):
            own = np.flatnonzero(self._region == r)
            density += placement.source.mixed_density(
                shares[own], rows[self._length[own]], origins, directions
            )
        # A point on the very face of a solid may have no chord: measure zero.
        good = found & (density > 0.0)
        weights = weights * np.asarray(state.weight, dtype=np.float64)
        weights = np.where(good, weights / np.where(good, density, 1.0), 0.0)
        return Lines(weights, origins, directions, lengths, nuclide, kind, part)
