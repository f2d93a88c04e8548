"""How much each nuclide can contribute, as a function of the decay length.

The rate of a reaction on nuclide t is, for particles that fly in one direction,
flux x cross section x A_t(L), with A_t(L) the mean over lines of (V/l) W. A_t follows from the
geometry alone, so one table serves all masses and couplings. It only steers the proposal:
weights never use it.
"""

from __future__ import annotations

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.injection.matter import Matter
from siren_py.injection.placement import AimedPlacement
from siren_py.rng import stream

_LINES = 512
_LENGTHS = np.concatenate([[0.0], np.geomspace(1e-4, 1e9, 40)])
_WIDE_ANGLE = np.pi / 3
_WIDE_SHARE = 0.1
_FLOOR = 1e-4


class Importance:
    """Table of A_t(L) for the lines through a region.

    Parameters
    ----------
    placement
        The region and the detector.
    matter
        Number densities.
    beam
        Unit direction of the beam, (3,).
    """

    def __init__(self, placement: AimedPlacement, matter: Matter, beam: FloatArray) -> None:
        # A stream of its own with a fixed seed: the table belongs to the geometry, not the run.
        rng = stream(0, "importance")
        along = np.broadcast_to(beam, (_LINES, 3)).copy()
        wide = _cone(beam, _WIDE_ANGLE, _LINES, rng)
        columns = (1.0 - _WIDE_SHARE) * placement.columns(along, _LENGTHS, rng)
        columns += _WIDE_SHARE * placement.columns(wide, _LENGTHS, rng)
        table = columns @ matter.density.T
        # No nuclide may have probability zero: the few lines may have missed its material.
        share = matter.densest / matter.densest.sum()
        table += _FLOOR * table.sum(axis=1, keepdims=True) * share
        self._table = table

    def __call__(self, nuclide: IntArray, length: FloatArray) -> FloatArray:
        """Return A_t(L) for nuclides and decay lengths [cm] (broadcast), in [1/cm2 x cm2]."""
        nuclide, length = np.broadcast_arrays(nuclide, length)
        grid = np.log(_LENGTHS[1:])
        x = np.log(np.maximum(length, 1e-300))
        k = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, grid.size - 2)
        fraction = np.clip((x - grid[k]) / (grid[k + 1] - grid[k]), 0.0, 1.0)
        low = self._table[k + 1, nuclide]
        high = self._table[k + 2, nuclide]
        value = (1.0 - fraction) * low + fraction * high
        # Beyond the table the chance to decay in the region falls as 1/L.
        value = value * np.minimum(1.0, _LENGTHS[-1] / np.maximum(length, 1e-300))
        return np.where(length == 0.0, self._table[0, nuclide], value)


def _cone(axis: FloatArray, angle: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw n unit vectors uniformly within `angle` of `axis`, shape (n, 3)."""
    cosine = 1.0 - rng.random(n) * (1.0 - np.cos(angle))
    sine = np.sqrt(1.0 - cosine**2)
    phi = 2.0 * np.pi * rng.random(n)
    local = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    return local @ rotations_to(axis[None, :])[0].T


def rotations_to(axes: FloatArray) -> FloatArray:
    """Return the rotation matrices that turn +z into unit vectors, (n, 3) -> (n, 3, 3)."""
    x, y, z = axes[:, 0], axes[:, 1], axes[:, 2]
    # Rodrigues' formula about the axis z x n = (-y, x, 0); for n = -z any axis across will do.
    back = z < -1.0 + 1e-15
    k = 1.0 / np.where(back, 1.0, 1.0 + z)
    matrix = np.stack(
        [
            np.stack([1.0 - k * x * x, -k * x * y, x], axis=-1),
            np.stack([-k * x * y, 1.0 - k * y * y, y], axis=-1),
            np.stack([-x, -y, z], axis=-1),
        ],
        axis=-2,
    )
    matrix[back] = np.diag([1.0, -1.0, -1.0])
    return matrix
