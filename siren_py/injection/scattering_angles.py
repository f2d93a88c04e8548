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

_TRIALS = 100
"""Events that each reaction is tried with."""

BELIEVED: FloatArray = np.array([0.4, 0.25, 0.2, 0.15])
"""Chances of the classes where nothing is known; a hundred trials do not know what is rare."""


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
        Chances, each row adding up to 1, (R, classes); `BELIEVED` for what never happens.
    """
    sums = np.zeros((len(reactions), BELIEVED.size))
    if signal.prompt:
        # The line is that of the neutrino.
        sums[:, 0] = 1.0
    elif cells.mass.size:
        reaction, energy = _trials(reactions, cells, rates)
        rng = stream(0, "angles")
        for index, _, state in reactions.sample(reaction, energy, rng):
            n = index.size
            slot, found = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.bool_)
            direction, length = np.empty((n, 3)), np.empty(n)
            signal.flights(state.pdg, state.momenta, slot, found, direction, length)
            weight = _usable(np.asarray(state.weight, dtype=np.float64), found)
            np.add.at(sums, (reaction[index], class_of(direction[:, 2])), weight)
    total = sums.sum(axis=1, keepdims=True)
    known = total > 0.0
    return np.where(known, sums / np.where(known, total, 1.0), BELIEVED)


def _trials(
    reactions: Reactions, cells: EnergyCells, rates: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return reactions and energies [GeV] to try, as they occur with this flux."""
    chosen = np.flatnonzero(rates.sum(axis=0) > 0.0)
    cumulative = np.cumsum(rates[:, chosen], axis=0)
    cumulative /= cumulative[-1]
    even = (np.arange(_TRIALS) + 0.5) / _TRIALS
    cell = np.array([np.searchsorted(c, even, side="right") for c in cumulative.T], dtype=np.int64)
    cell = np.minimum(cell.reshape(-1), len(rates) - 1)
    reaction = np.repeat(chosen, _TRIALS)
    low = np.maximum(cells.low[cell], reactions.threshold[reaction])
    within = np.tile((7 * np.arange(_TRIALS) % _TRIALS + 0.5) / _TRIALS, chosen.size)
    energy = low + within * (cells.high[cell] - low)
    open_ = energy > reactions.threshold[reaction]
    return reaction[open_], energy[open_]


def _usable(weight: FloatArray, found: BoolArray) -> FloatArray:
    """Return weights, 0 for what cannot count: events tell what is wrong with a process."""
    return np.where(found & np.isfinite(weight) & (weight > 0.0), weight, 0.0)
