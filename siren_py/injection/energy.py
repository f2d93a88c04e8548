"""Drawing the primary's energy together with its reaction.

The energies of a flux are cut into cells. A cell and a reaction are drawn together from a table
of expected rates, flux x cross section x importance; inside the cell the energy is drawn

* uniformly between the cell's bounds (above threshold) for a histogram flux, whose density is
  constant there, so that sampling and density agree exactly;
* by the flux's own `sample` for any other flux, the cells then only choosing the reaction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.driving import without_net
from siren_py.errors import ConfigError
from siren_py.flux import FluxLike
from siren_py.injection.layout_kernels import look_up_cells, pick_cells
from siren_py.injection.reactions import Reactions

_CELL_RATIO = 1.12
"""Largest ratio of a cell's bounds: cross sections vary little inside a cell."""

_CELL_STEP = 0.25
"""Smallest width worth cutting, as a fraction of the lowest threshold."""


def _is_histogram(flux: FluxLike) -> bool:
    return hasattr(flux, "edges") and hasattr(flux, "values")


def energy_range(flux: FluxLike) -> tuple[float, float]:
    """Return the energies [GeV] between which a flux has all its neutrinos.

    A user's flux without the attribute `energy_range` is sampled to find it; energies outside
    of what is found are refused later, never dropped.
    """
    known = getattr(flux, "energy_range", None)
    if known is not None:
        return float(known[0]), float(known[1])
    energies = np.asarray(flux.sample(100_000, rng=0), dtype=np.float64)
    return float(energies.min()) / 2.0, float(energies.max()) * 2.0


@dataclass(frozen=True)
class EnergyCells:
    """Cells of one flux.

    Attributes
    ----------
    low, high
        Bounds [GeV], shape (K,); sorted and adjacent for fluxes with their own sampling.
    mass
        Fluence in each cell [1/(cm2 POT)], shape (K,).
    native
        Whether energies come from the flux's own `sample`.
    """

    low: FloatArray
    high: FloatArray
    mass: FloatArray
    native: bool

    @classmethod
    def of(cls, flux: FluxLike, threshold: float) -> EnergyCells:
        """Cut a flux into cells above `threshold` [GeV]."""
        if _is_histogram(flux):
            return cls._of_histogram(
                np.asarray(flux.edges, np.float64),  # type: ignore[attr-defined]
                np.asarray(flux.values, np.float64),  # type: ignore[attr-defined]
                threshold,
            )
        low, high = energy_range(flux)
        low = max(low, 1e-9)
        count = max(1, int(np.ceil(np.log(high / low) / np.log(_CELL_RATIO)))) if high > low else 1
        edges = np.geomspace(low, high, count + 1) if high > low else np.array([low, high])
        # Which reactions matter needs the shape of the flux only roughly.
        drawn = np.asarray(flux.sample(20_000, rng=1), dtype=np.float64)
        cell = np.clip(np.searchsorted(edges, drawn, side="right") - 1, 0, count - 1)
        mass = np.bincount(cell, minlength=count) / drawn.size * float(flux.integral)
        return cls(edges[:-1], edges[1:], mass, native=True)

    @classmethod
    def _of_histogram(cls, edges: FloatArray, values: FloatArray, threshold: float) -> EnergyCells:
        lows, highs, masses = [], [], []
        for low, high, value in zip(edges[:-1], edges[1:], values, strict=True):
            if value <= 0.0 or high <= threshold:
                continue
            start = max(low, threshold)
            parts = 1
            if high - start > _CELL_STEP * threshold and start > 0.0:
                parts = max(1, int(np.ceil(np.log(high / start) / np.log(_CELL_RATIO))))
            cuts = np.geomspace(start, high, parts + 1) if parts > 1 else np.array([start, high])
            lows.append(cuts[:-1])
            highs.append(cuts[1:])
            masses.append(value * np.diff(cuts))
        if not lows:
            return cls(np.zeros(0), np.zeros(0), np.zeros(0), native=False)
        return cls(np.concatenate(lows), np.concatenate(highs), np.concatenate(masses), False)


class EnergyReactionProposal:
    """Joint proposal of flux, energy and reaction.

    Parameters
    ----------
    fluxes
        The fluxes.
    cells
        Cells of each flux.
    reactions
        Reactions of each flux.
    rates
        Importance of each (cell, reaction) of each flux, not normalised, shape (K, R).
    """

    def __init__(
        self,
        fluxes: list[FluxLike],
        cells: list[EnergyCells],
        reactions: list[Reactions],
        rates: list[FloatArray],
    ) -> None:
        self._fluxes, self._cells, self._reactions = fluxes, cells, reactions
        total = sum(float(r.sum()) for r in rates)
        self._probability = [r / total for r in rates]
        flat = np.concatenate([p.ravel() for p in self._probability])
        self._cumulative = np.cumsum(flat)
        self._cumulative /= self._cumulative[-1]
        # From here it is a step or two to the entry that a number between 0 and 1 picks.
        share = np.arange(2 * flat.size + 1) / (2 * flat.size)
        self._guide = np.minimum(
            np.searchsorted(self._cumulative, share, side="right"), flat.size - 1
        ).astype(np.int64)
        self._starts = np.concatenate([[0], np.cumsum([p.size for p in self._probability])])
        self._tables = [self._table(f) for f in range(len(fluxes))]
        # Native fluxes: probability of each flux, and of each reaction given the cell.
        self._share = np.array([float(p.sum()) for p in self._probability])

    def sample(
        self, n: int, rng: np.random.Generator, parts: FloatArray | None = None
    ) -> list[tuple[int, IntArray, FloatArray, IntArray, FloatArray, FloatArray]]:
        """Draw n primaries, grouped by flux.

        Parameters
        ----------
        n
            How many.
        rng
            Source of random numbers.
        parts
            Cumulative probabilities of the entries of all fluxes, (C, entries), of the C parts
            that these rates are the mean of: of each are n / C attempts, in turn.

        Returns
        -------
        list of tuples
            (flux, attempt numbers (m,), energies (m,) [GeV], reactions (m,), factor of the flux
            (m,) [1/(cm2 POT)], factor of the reaction (m,)).
        """
        pick = np.empty(n, dtype=np.int64)
        if parts is None:
            pick_cells(rng.random(n), self._cumulative, self._guide, pick)
        else:
            goals = rng.random(n).reshape(len(parts), -1)
            found = [np.searchsorted(c, g, side="right") for c, g in zip(parts, goals, strict=True)]
            pick = np.minimum(np.concatenate(found), self._cumulative.size - 1)
        within = rng.random(n)
        groups = []
        for f, flux in enumerate(self._fluxes):
            mine = np.flatnonzero((pick >= self._starts[f]) & (pick < self._starts[f + 1]))
            if not mine.size:
                continue
            if self._cells[f].native:
                energy, reaction, flux_factor, reaction_factor = self._native(
                    f, flux, mine.size, without_net(rng)
                )
            else:
                table, number = self._tables[f]
                energy, flux_factor, reaction_factor = (np.empty(mine.size) for _ in range(3))
                reaction = np.empty(mine.size, dtype=np.int64)
                look_up_cells(
                    mine, pick, int(self._starts[f]), within, table, number,
                    energy, reaction, flux_factor, reaction_factor,
                )  # fmt: skip
            groups.append((f, mine, energy, reaction, flux_factor, reaction_factor))
        return groups

    def _table(self, f: int) -> tuple[FloatArray, IntArray]:
        """Table by cell and reaction: a row for each of both, and the reaction, one after another.

        Columns are lower bound, width, factor of the flux and factor of the reaction.
        """
        cells, p = self._cells[f], self._probability[f]
        cell, reaction = np.divmod(np.arange(p.size), p.shape[1] if p.size else 1)
        low, width = self._bounds(f, cell, reaction)
        row, joint = p.sum(axis=1)[cell], p.ravel()
        full = cells.high[cell] - cells.low[cell]
        # What cannot be drawn has no factors.
        open_ = joint > 0.0
        one = np.ones(p.size)
        flux_factor = cells.mass[cell] / np.where(full > 0.0, full, one) * width
        flux_factor /= np.where(open_, row, one)
        reaction_factor = row / np.where(open_, joint, one)
        return np.stack([low, width, flux_factor, reaction_factor], axis=1), reaction

    def _bounds(self, f: int, cell: IntArray, reaction: IntArray) -> tuple[FloatArray, FloatArray]:
        cells = self._cells[f]
        low = np.maximum(cells.low[cell], self._reactions[f].threshold[reaction])
        return low, cells.high[cell] - low

    def _native(
        self, f: int, flux: FluxLike, n: int, rng: np.random.Generator
    ) -> tuple[FloatArray, IntArray, FloatArray, FloatArray]:
        energy = np.asarray(flux.sample(n, rng=rng), dtype=np.float64)
        cell = self._cell_of(f, energy)
        conditional = self._conditional(f)
        cumulative = np.cumsum(conditional, axis=1)
        goal = rng.random(n)[:, None] * cumulative[cell, -1:]
        reaction = np.minimum(
            (cumulative[cell] <= goal).sum(axis=1), len(self._reactions[f]) - 1
        ).astype(np.int64)
        flux_factor = np.full(n, float(flux.integral) / self._share[f])
        return energy, reaction, flux_factor, 1.0 / conditional[cell, reaction]

    def _conditional(self, f: int) -> FloatArray:
        """Probability of each reaction given the cell; cells without a rate use the mean."""
        p = self._probability[f]
        mean = p.sum(axis=0) / p.sum()
        rows = p.sum(axis=1, keepdims=True)
        safe = np.where(rows > 0.0, p / np.where(rows > 0.0, rows, 1.0), mean)
        # A reaction that is closed at the centre of a cell may be open at its upper end.
        return np.asarray(0.99 * safe + 0.01 * mean)

    def _cell_of(self, f: int, energy: FloatArray) -> IntArray:
        cells = self._cells[f]
        low, high = float(cells.low[0]), float(cells.high[-1])
        outside = ~((energy >= low) & (energy <= high))
        if outside.any():
            raise ConfigError(
                f"The flux {getattr(self._fluxes[f], 'name', f)!r} gave the energy "
                f"{energy[outside][0]!r} GeV, outside of {low:g} to {high:g} GeV. Give the flux "
                "an attribute `energy_range = (lowest, highest)` that covers all its energies."
            )
        index = np.searchsorted(cells.high, energy, side="left")
        return np.minimum(index, cells.high.size - 1).astype(np.int64)

    def density(self, flux: IntArray, energy: FloatArray, reaction: IntArray) -> FloatArray:
        """Joint density of flux, reaction and energy [1/GeV], shape (n,)."""
        result = np.zeros(energy.size)
        for f, described in enumerate(self._fluxes):
            mine = np.flatnonzero(flux == f)
            if not mine.size:
                continue
            e, r, cells = energy[mine], reaction[mine], self._cells[f]
            if cells.native:
                density = np.asarray(described.density(e)) / float(described.integral)
                conditional = self._conditional(f)[self._cell_of(f, e), r]
                result[mine] = self._share[f] * density * conditional
                continue
            cell = np.searchsorted(cells.high, e, side="right")
            inside = cell < cells.high.size
            cell = np.minimum(cell, cells.high.size - 1)
            low, width = self._bounds(f, cell, r)
            inside &= (e >= low) & (width > 0.0)
            joint = self._probability[f][cell, r]
            result[mine] = np.where(inside, joint / np.where(width > 0.0, width, 1.0), 0.0)
        return result
