"""How far from the beam each reaction sends the particle whose decay counts.

What a line through the detector meets depends on its angle to the beam: plates of iron above a
detector count for nothing if particles fly forwards. So each reaction is tried out a few times and
its particles are sorted into classes of angles. That steers proposals; weights never use it.
"""

from __future__ import annotations

import numpy as np

from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.injection.energy import EnergyCells
from siren_py.injection.reactions import Reactions
from siren_py.injection.signal import Signal
from siren_py.rng import stream

ANGLES = (0.03, 0.3, 1.2)
"""Where classes of angles to the beam end [rad]; one more class has all larger angles."""

_STEP = 1.5
_BINS = 12
"""Energies in bins of this ratio, or wider if there would be more bins than that."""

_TRIALS = 16
"""Events that each reaction is tried with in each bin of energies."""

BELIEVED: FloatArray = np.array([0.4, 0.25, 0.2, 0.15])
"""Chances of the classes where nothing is known; a few trials do not know what is rare."""


def class_of(cosine: FloatArray) -> IntArray:
    """Return the class of each cosine of an angle to the beam, (n,)."""
    return np.searchsorted(-np.cos(ANGLES), -cosine, side="left")


def class_bounds() -> list[tuple[float, float]]:
    """Return the smallest and the largest angle of each class [rad]."""
    return list(zip((0.0, *ANGLES), (*ANGLES, np.pi), strict=True))


def angle_chances(
    reactions: Reactions, cells: EnergyCells, rates: FloatArray, signal: Signal
) -> FloatArray:
    """Estimate the chance of each class of angles for each reaction.

    Parameters
    ----------
    reactions
        The R reactions of a flux.
    cells
        Cells of the flux.
    rates
        Flux times cross section of each cell and reaction, (K, R).
    signal
        Whose direction counts.

    Returns
    -------
    ndarray
        Chances by cell, reaction and class, adding up to 1 over the classes, (K, R, C); `BELIEVED`
        for what never happens.
    """
    shape = (len(rates), len(reactions), BELIEVED.size)
    if signal.prompt:
        # The line is that of the neutrino.
        return np.broadcast_to(np.eye(BELIEVED.size)[0], shape)
    if not rates.any():
        return np.broadcast_to(BELIEVED, shape)
    bin_of = _bins(cells, rates)
    sums = np.zeros((bin_of[-1] + 1, *shape[1:]))
    bins, reaction, energy = _trials(reactions, cells, rates, bin_of)
    for index, _, state in reactions.sample(reaction, energy, stream(0, "angles")):
        n = index.size
        slot, found = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.bool_)
        direction, length = np.empty((n, 3)), np.empty(n)
        signal.flights(state.pdg, state.momenta, slot, found, direction, length)
        weight = _usable(np.asarray(state.weight, dtype=np.float64), found)
        where = (bins[index], reaction[index], class_of(direction[:, 2]))
        flat = np.ravel_multi_index(where, sums.shape)
        sums += np.bincount(flat, weight, minlength=sums.size).reshape(sums.shape)
    total = sums.sum(axis=2, keepdims=True)
    known = total > 0.0
    return np.where(known, sums / np.where(known, total, 1.0), BELIEVED)[bin_of]


def _bins(cells: EnergyCells, rates: FloatArray) -> IntArray:
    """Return the bin of energies that each cell belongs to, (K,), ascending."""
    middle = np.maximum(0.5 * (cells.low + cells.high), 1e-300)
    used = middle[rates.any(axis=1)]
    low, high = float(used.min()), float(used.max())
    count = min(max(int(np.ceil(np.log(high / low) / np.log(_STEP))), 1), _BINS)
    inner = np.geomspace(low, high, count + 1)[1:-1]
    return np.searchsorted(inner, middle, side="right")


def _trials(
    reactions: Reactions, cells: EnergyCells, rates: FloatArray, bin_of: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return bins, reactions and energies [GeV] to try, in each bin as they occur in the flux."""
    edges = np.searchsorted(bin_of, np.arange(bin_of[-1] + 2))
    cumulative = np.concatenate([np.zeros((1, len(reactions))), np.cumsum(rates, axis=0)])
    low, high = cumulative[edges[:-1]], cumulative[edges[1:]]
    bins, chosen = np.nonzero(high > low)
    even = (np.arange(_TRIALS) + 0.5) / _TRIALS
    goal = low[bins, chosen, None] + (high - low)[bins, chosen, None] * even
    cell = np.empty(goal.shape, dtype=np.int64)
    for r in np.unique(chosen):
        mine = chosen == r
        cell[mine] = np.searchsorted(cumulative[1:, r], goal[mine], side="right")
    cell = np.minimum(cell, len(rates) - 1).ravel()
    bins, reaction = np.repeat(bins, _TRIALS), np.repeat(chosen, _TRIALS)
    lowest = np.maximum(cells.low[cell], reactions.threshold[reaction])
    # Not in step with the cells.
    within = np.tile((7 * np.arange(_TRIALS) % _TRIALS + 0.5) / _TRIALS, len(goal))
    energy = lowest + within * (cells.high[cell] - lowest)
    open_ = energy > reactions.threshold[reaction]
    return bins[open_], reaction[open_], energy[open_]


def _usable(weight: FloatArray, found: BoolArray) -> FloatArray:
    """Return weights, 0 for what cannot count: events tell what is wrong with a process."""
    return np.where(found & np.isfinite(weight) & (weight > 0.0), weight, 0.0)
