"""How much each nuclide and each volume can contribute, as a function of the decay length.

The rate of a reaction on nuclide t is, for particles that fly in one direction,
flux x cross section x A_t(L), with A_t(L) the mean over lines of W / f. It follows from the
geometry alone. A few lines at all angles give a rough table, which only steers the proposals:
weights never use it.
"""

from __future__ import annotations

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.injection.line_source import LENGTHS
from siren_py.injection.matter import Matter
from siren_py.injection.placement import AimedPlacement
from siren_py.injection.rays import rotations_to
from siren_py.rng import stream

_LINES = 2048
_SMALLEST_ANGLE, _LARGEST_ANGLE = 3e-3, 1.0
_EVERYWHERE = 0.2
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
        # A stream of its own with a fixed seed: the table belongs to the geometry, not the run.
        rng = stream(0, "importance")
        source, extra = placement.source, placement.source_volumes
        if extra.size:
            source.set_shares(np.full((LENGTHS.size, extra.size), 0.5 / extra.size))
        columns = placement.columns(_spread(beam, _LINES, rng), rng)
        rate = columns @ (cross_section @ matter.density)
        share = rate[:, extra] / np.maximum(rate.sum(axis=1, keepdims=True), 1e-300)
        source.set_shares(np.where(share > _WORTHWHILE, share, 0.0))
        table = columns.sum(axis=1) @ matter.density.T
        # No nuclide may have probability zero: the few lines may have missed its material.
        part = matter.densest / matter.densest.sum()
        table += _FLOOR * table.sum(axis=1, keepdims=True) * part
        self._table = table

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


def _spread(axis: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw n directions, (n, 3): most around `axis`, uniform in the logarithm of their angle.

    The rest goes in all directions alike: matter beside and behind the region must be seen, too.
    """
    angle = _SMALLEST_ANGLE * (_LARGEST_ANGLE / _SMALLEST_ANGLE) ** rng.random(n)
    everywhere = np.arccos(1.0 - 2.0 * rng.random(n))
    angle = np.where(rng.random(n) < _EVERYWHERE, everywhere, angle)
    phi = 2.0 * np.pi * rng.random(n)
    local = np.stack(
        [np.sin(angle) * np.cos(phi), np.sin(angle) * np.sin(phi), np.cos(angle)], axis=1
    )
    return np.asarray(local @ rotations_to(axis[None, :])[0].T)
