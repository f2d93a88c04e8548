"""How much each nuclide and each volume can contribute, as a function of the decay length.

The rate of a reaction on nuclide t is, for particles that fly in one direction,
flux x cross section x A_t(L), with A_t(L) the mean over lines of W / f. A few lines in each class
of angles, and the chances of the classes (see `scattering_angles`), give a rough table, which
only steers the proposals: weights never use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.injection.line_source import LENGTHS
from siren_py.injection.matter import Matter
from siren_py.injection.placement import AimedPlacement, LineMeans
from siren_py.injection.rays import rotations_to
from siren_py.injection.scattering_angles import BELIEVED, class_bounds
from siren_py.rng import stream

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.geometry.arrays import GeometryArrays

_LINES = 512
_FLOOR = 1e-2
_RARE = 0.1
"""Part of the rate that is kept for what the trials did not see; the floor is a part of that."""
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
    angles
        Chances of the classes of angles for all reactions together, (C,).
    """

    def __init__(
        self,
        placement: AimedPlacement,
        matter: Matter,
        beam: FloatArray,
        cross_section: FloatArray,
        angles: FloatArray,
    ) -> None:
        source, extra = placement.source, placement.source_volumes
        kept = _line_means(placement, beam)
        # By class, row of `LENGTHS` and nuclide, per nucleus and unit of cross section.
        self._mean = np.array([m.columns.sum(axis=1) @ matter.density.T for m in kept])
        rates = self._mean @ cross_section
        total = angles @ rates
        # Where the angles that were seen meet nothing, it is for the others to do so.
        total = np.where(total > 0.0, total, BELIEVED @ rates)
        columns = np.tensordot(angles, [m.columns[:, extra] for m in kept], 1)
        volumes = columns @ (cross_section @ matter.density)
        volumes /= np.maximum(total, 1e-300)[:, None]
        source.set_shares(np.where(volumes > _WORTHWHILE, volumes, 0.0))
        if placement.surroundings is not None:
            placement.surroundings.set_shares(_shares_around(placement, matter, beam))
        # What angles that were not seen meet has its say class by class, and not by rates: rock
        # that only steep lines see must not outvote what lies along the beam.
        some = rates > 0.0
        say = np.where(some, BELIEVED[:, None] * total / np.where(some, rates, 1.0), 0.0)
        self._rare = np.einsum("ck,ckt->kt", say, self._mean)
        # No nuclide may have probability zero: the few lines may have missed its material.
        reacts = cross_section > 0.0
        share = matter.densest / matter.densest.sum()
        share = np.where(reacts, share / np.where(reacts, cross_section, 1.0), 0.0)
        self._rare += _FLOOR * total[:, None] * share

    def __call__(self, nuclide: IntArray, angles: FloatArray, length: FloatArray) -> FloatArray:
        """Return A_t(L) of reactions at decay lengths, in [1/cm2 x cm2].

        Parameters
        ----------
        nuclide
            Targets of the reactions, (R,).
        angles
            Their chances of the classes of angles, (K, R, C).
        length
            Decay lengths [cm], (K, R) or (K, 1).

        Returns
        -------
        ndarray
            Shape (K, R).
        """
        grid = np.log(LENGTHS[1:])
        x = np.log(np.maximum(length, 1e-300))
        k = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, grid.size - 2)
        fraction = np.clip((x - grid[k]) / (grid[k + 1] - grid[k]), 0.0, 1.0)
        # Vertices in the region itself have a row of their own.
        k, fraction = np.where(length == 0.0, -1, k), np.where(length == 0.0, 0.0, fraction)
        value = np.zeros(angles.shape[:2])
        shares = [*np.moveaxis(angles, 2, 0), _RARE]
        for share, table in zip(shares, [*self._mean, self._rare], strict=True):
            below, above = table[k + 1, nuclide], table[k + 2, nuclide]
            value += share * ((1.0 - fraction) * below + fraction * above)
        # Beyond the table the chance to decay in the region falls as 1/L.
        value *= LENGTHS[-1] / np.maximum(length, LENGTHS[-1])
        return np.asarray(value)


def shares_by_nuclide(
    placement: AimedPlacement, matter: Matter, beam: FloatArray, angles: FloatArray
) -> FloatArray:
    """Share of each volume worth drawing from in the rate of each nuclide.

    `angles` are the chances of the classes of angles, (C,).

    Returns
    -------
    ndarray
        By nuclide, row of `LENGTHS` and volume of `placement.source_volumes`, (T, rows, volumes).
    """
    columns = np.tensordot(angles, [m.columns for m in _line_means(placement, beam)], 1)
    rate = matter.density @ columns.sum(axis=1).T
    mine = np.einsum("tm,kvm->tkv", matter.density, columns[:, placement.source_volumes])
    result = mine / np.maximum(rate, 1e-300)[:, :, None]
    return np.where(result > _WORTHWHILE, result, 0.0)


def _shares_around(placement: AimedPlacement, matter: Matter, beam: FloatArray) -> FloatArray:
    """Share of what lies before the core, by class of angles, row and nuclide, (C, rows, T)."""
    shares = []
    for mean in _line_means(placement, beam):
        rate = mean.columns.sum(axis=1) @ matter.density.T
        shares.append(mean.before @ matter.density.T / np.maximum(rate, 1e-300))
    return np.array(shares)


_Kept = tuple["GeometryArrays", dict[tuple[str, bytes], list[LineMeans]]]
_KEPT: WeakKeyDictionary[DetectorModel, _Kept] = WeakKeyDictionary()


def _line_means(placement: AimedPlacement, beam: FloatArray) -> list[LineMeans]:
    """Return `AimedPlacement.line_means` for lines of each class of angles.

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
            placement.line_means(_directions(beam, smallest, largest, _LINES, rng), rng)
            for smallest, largest in class_bounds()
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
