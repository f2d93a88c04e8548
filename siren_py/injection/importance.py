"""How much each nuclide and each volume can contribute, as a function of the decay length.

The rate of a reaction on nuclide t is, for particles that fly in one direction,
flux x cross section x A_t(L), with A_t(L) the mean over lines of W / f. A few lines in several
classes of angles give a rough table, which only steers the proposals: weights never use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.injection.line_source import LENGTHS
from siren_py.injection.matter import Matter
from siren_py.injection.placement import AimedPlacement
from siren_py.injection.rays import rotations_to
from siren_py.rng import stream

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.geometry.arrays import GeometryArrays

_CLASSES = ((0.0, 0.03, 0.4), (0.03, 0.3, 0.25), (0.3, 1.2, 0.2), (0.0, np.pi, 0.15))
"""Classes of lines: smallest and largest angle to the beam [rad], and their say in the mixture.

How wide a process scatters is not known here, so each class speaks for itself: rock that only
steep lines see must not outvote what lies along the beam, nor the other way round."""

_LINES = 512
_FLOOR = 1e-3
_WORTHWHILE = 0.01
"""Share of the rate from which on a volume inside the region gets lines of its own."""


class Importance:
    """Table of A_t(L) for the lines through a region.

    Parameters
    ----------
    placement
        The region and the detector. Its source of lines is set to draw from the volumes inside
        the region in proportion to their share of the rate.
    matter
        Number densities.
    beam
        Unit direction of the beam, (3,).
    cross_section
        Cross section of each nuclide, averaged over the flux [cm2], (T,): compares volumes.
    """

    def __init__(
        self,
        placement: AimedPlacement,
        matter: Matter,
        beam: FloatArray,
        cross_section: FloatArray,
    ) -> None:
        source, extra = placement.source, placement.source_volumes
        nuclides = np.zeros((LENGTHS.size, len(matter.nuclides)))
        volumes = np.zeros((LENGTHS.size, extra.size))
        total = np.zeros((LENGTHS.size, 1))
        weighted = cross_section[:, None] * matter.density
        for (columns, _), (_, _, say) in zip(_columns(placement, beam), _CLASSES, strict=True):
            by_nuclide = columns.sum(axis=1) @ weighted.T
            by_volume = columns[:, extra] @ weighted.sum(axis=0)
            rate = by_nuclide.sum(axis=1, keepdims=True)
            one = say / np.maximum(rate, 1e-300)
            nuclides += one * by_nuclide
            volumes += one * by_volume
            total += say * rate
        source.set_shares(np.where(volumes > _WORTHWHILE, volumes, 0.0))
        if placement.surroundings is not None:
            placement.surroundings.set_shares(_shares_around(placement, matter, beam))
        # No nuclide may have probability zero: the few lines may have missed its material.
        nuclides += _FLOOR * matter.densest / matter.densest.sum()
        reacts = cross_section > 0.0
        self._table = total * np.where(reacts, nuclides / np.where(reacts, cross_section, 1.0), 0.0)

    def __call__(self, nuclide: IntArray, length: FloatArray) -> FloatArray:
        """Return A_t(L) for nuclides and decay lengths [cm] (broadcast), in [1/cm2 x cm2]."""
        nuclide, length = np.broadcast_arrays(nuclide, length)
        grid = np.log(LENGTHS[1:])
        x = np.log(np.maximum(length, 1e-300))
        k = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, grid.size - 2)
        fraction = np.clip((x - grid[k]) / (grid[k + 1] - grid[k]), 0.0, 1.0)
        value = (1.0 - fraction) * self._table[k + 1, nuclide]
        value = value + fraction * self._table[k + 2, nuclide]
        # Beyond the table the chance to decay in the region falls as 1/L.
        value = value * (LENGTHS[-1] / np.maximum(length, LENGTHS[-1]))
        return np.asarray(np.where(length == 0.0, self._table[0, nuclide], value))


def shares_by_nuclide(placement: AimedPlacement, matter: Matter, beam: FloatArray) -> FloatArray:
    """Share of each volume worth drawing from in the rate of each nuclide.

    Returns
    -------
    ndarray
        By nuclide, row of `LENGTHS` and volume of `placement.source_volumes`, (T, rows, volumes).
    """
    result: FloatArray = np.zeros(
        (len(matter.nuclides), LENGTHS.size, placement.source_volumes.size)
    )
    for (columns, _), (_, _, say) in zip(_columns(placement, beam), _CLASSES, strict=True):
        rate = matter.density @ columns.sum(axis=1).T
        mine = np.einsum("tm,kvm->tkv", matter.density, columns[:, placement.source_volumes])
        result += say * mine / np.maximum(rate, 1e-300)[:, :, None]
    return np.where(result > _WORTHWHILE, result, 0.0)


def _shares_around(placement: AimedPlacement, matter: Matter, beam: FloatArray) -> FloatArray:
    """Share of what lies before the core, by class of angles, row and nuclide, (C, rows, T)."""
    shares = []
    for columns, before in _columns(placement, beam):
        rate = columns.sum(axis=1) @ matter.density.T
        shares.append(before @ matter.density.T / np.maximum(rate, 1e-300))
    return np.array(shares)


_Columns = list[tuple[FloatArray, FloatArray]]
_Kept = tuple["GeometryArrays", dict[tuple[str, bytes], _Columns]]
_KEPT: WeakKeyDictionary[DetectorModel, _Kept] = WeakKeyDictionary()


def _columns(placement: AimedPlacement, beam: FloatArray) -> _Columns:
    """Return `AimedPlacement.columns` for lines of each class of angles.

    They depend on detector, region and beam alone, and are kept for the next model: in a scan
    over masses and couplings they would take most of the time.
    """
    detector, arrays = placement.detector, placement.detector.arrays()
    kept = _KEPT.get(detector)
    if kept is None or kept[0] is not arrays:
        kept = (arrays, {})
        _KEPT[detector] = kept
    key = (placement.region_name, beam.tobytes())
    if key not in kept[1]:
        # A stream of its own with a fixed seed: the table belongs to the geometry, not the run.
        rng = stream(0, "importance")
        source, extra = placement.source, placement.source_volumes
        if extra.size:
            source.set_shares(np.full((LENGTHS.size, extra.size), 0.5 / extra.size))
        kept[1][key] = [
            placement.columns(_directions(beam, smallest, largest, _LINES, rng), rng)
            for smallest, largest, _ in _CLASSES
        ]
    return kept[1][key]


def _directions(
    axis: FloatArray, smallest: float, largest: float, n: int, rng: np.random.Generator
) -> FloatArray:
    """Draw n unit vectors, evenly between two angles to `axis` [rad], (n, 3)."""
    cosine = np.cos(smallest) + rng.random(n) * (np.cos(largest) - np.cos(smallest))
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    phi = 2.0 * np.pi * rng.random(n)
    local = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    return np.asarray(local @ rotations_to(axis[None, :])[0].T)
