"""Where lines come from: points drawn in solids, and the density of the lines they fix.

A point drawn uniformly in a solid of volume V, with a direction drawn independently, fixes a
line; such lines have the density l / V per area across their direction, l being the chord in
the solid. Drawing from several solids with probabilities a_i gives

    density = sum_i a_i l_i / V_i.

The solids of the region alone would do: every line that matters crosses it. Thin plates in it
(the cathode of a TPC) can be thousands of times denser than the gas around; few lines through
the region meet them, and those few would carry most of the rate when particles live for
millimetres. Such volumes are added as solids to draw from, with probabilities that follow their
share of the rate, which depends on the decay length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.driving import rows_of
from siren_py.geometry.arrays import (
    External,
    GeometryArrays,
    PlacedSolid,
    external_intervals,
    geometry_arrays,
    pieces_buffer,
)
from siren_py.geometry.kernels import BOX, KIND, MATRIX, POSITION, ROTATED
from siren_py.geometry.rows import row_intervals

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.regions import Region

LENGTHS: FloatArray = np.concatenate([[0.0], np.geomspace(1e-4, 1e9, 40)])
"""Decay lengths [cm] at which proposals are tabulated; 0 stands for vertices in the region."""

_OBLIQUE = 1e-6
"""Lines with no smaller component of their direction lose no digits in a box, however they lie."""

_LARGEST_PART = 0.5
"""A volume is worth drawing from only if it is smaller than this part of the region."""


@kernel
def chord_sums(
    solids: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    weights: FloatArray,
    row_of: IntArray,
    first: int,
    pieces: FloatArray,
    result: FloatArray,
) -> None:
    """Add sum_i w_i l_i of each line, from solid `first` on, to `result` (n,).

    Line j takes the weights of row_of[j].
    """
    real, integer = solids.real, solids.integer
    for j in range(origins.shape[0]):
        total = 0.0
        ox, oy, oz = origins[j, 0], origins[j, 1], origins[j, 2]
        dx, dy, dz = directions[j, 0], directions[j, 1], directions[j, 2]
        oblique = min(abs(dx), abs(dy), abs(dz)) > _OBLIQUE
        ix, iy, iz = 1.0 / dx, 1.0 / dy, 1.0 / dz
        for i in range(first, weights.shape[1]):
            weight = weights[row_of[j], i]
            if weight == 0.0:
                continue
            if oblique and integer[i, KIND] == BOX and integer[i, ROTATED] == 0:
                # Most solids: from the middle of each pair of faces, and no call.
                x, y, z = (real[i, 8] - ox) * ix, (real[i, 9] - oy) * iy, (real[i, 10] - oz) * iz
                u, v, w = real[i, 0] * abs(ix), real[i, 1] * abs(iy), real[i, 2] * abs(iz)
                near, far = max(x - u, y - v, z - w), min(x + u, y + v, z + w)
                total += weight * max(far - near, 0.0)
                continue
            count = row_intervals(solids, external, i, j, ox, oy, oz, dx, dy, dz, pieces)
            chord = 0.0
            for k in range(count):
                chord += pieces[2 * k + 1] - pieces[2 * k]
            total += weight * chord
        result[j] += total


@kernel
def pick_solids(cumulative: FloatArray, row: IntArray, uniform: FloatArray, out: IntArray) -> None:
    """Write the first solid whose entry in row[i] of `cumulative` is above uniform[i], (n,).

    Rows (rows, solids) end with 1.
    """
    last = cumulative.shape[1] - 1
    for i in range(len(row)):
        low, size = 0, last + 1
        # Halves are left behind without a branch: none could be foreseen.
        while size > 1:
            half = size >> 1
            low += half if cumulative[row[i], low + half - 1] <= uniform[i] else 0
            size -= half
        out[i] = low


@kernel
def points_in_boxes(
    solids: GeometryArrays,
    solid: IntArray,
    boxed: IntArray,
    uniform: FloatArray,
    points: FloatArray,
) -> None:
    """Write a point to the rows `boxed` (m,) of `points`, in the boxes that `solid` (n,) names.

    `uniform` (m, 3) are uniform numbers between 0 and 1.
    """
    real = solids.real
    for j in range(len(boxed)):
        i = boxed[j]
        s = solid[i]
        x = (2.0 * uniform[j, 0] - 1.0) * real[s, 0]
        y = (2.0 * uniform[j, 1] - 1.0) * real[s, 1]
        z = (2.0 * uniform[j, 2] - 1.0) * real[s, 2]
        for k in range(3):
            # The matrix turns vectors of the detector, this is the way back.
            at = MATRIX + k
            turned = real[s, at] * x + real[s, at + 3] * y + real[s, at + 6] * z
            points[i, k] = turned + real[s, POSITION + k]


def nearest_length(length: FloatArray) -> IntArray:
    """Return the row of `LENGTHS` nearest to each decay length [cm] (in the logarithm), (n,)."""
    # The rows are even in the logarithm, but for the first.
    low, high = np.log(LENGTHS[[1, -1]])
    # What is no number gets a row, too: its weight will be none, and tell.
    x = np.log(np.fmin(np.fmax(length, LENGTHS[1]), LENGTHS[-1]))
    row = 1 + np.rint((x - low) * ((LENGTHS.size - 2) / (high - low))).astype(np.int64)
    return np.where(length == 0.0, 0, row)


class LineSource:
    """Draws the points that fix lines, and knows the density of the lines.

    Parameters
    ----------
    solids
        Placed solids to draw from; the first `n_leaves` are those of the region.
    n_leaves
        Number of leading solids that belong to the region.
    """

    def __init__(self, solids: Sequence[PlacedSolid], n_leaves: int) -> None:
        self._solids = list(solids)
        self._arrays = geometry_arrays(self._solids)
        self._is_box = self._arrays.integer[: len(self._solids), KIND] == BOX
        self._volumes = np.array([s.solid.volume() for s in self._solids])
        self._n_leaves = n_leaves
        share = np.zeros(len(self._solids))
        share[:n_leaves] = self._volumes[:n_leaves] / self._volumes[:n_leaves].sum()
        self._region_share = share
        self._probability = np.tile(share, (LENGTHS.size, 1))

    @classmethod
    def of(cls, detector: DetectorModel, region: Region) -> tuple[LineSource, IntArray]:
        """Build the source of a region, with the volumes inside it that are worth drawing from.

        Returns
        -------
        LineSource
            Draws from the region only, until `set_shares` is called.
        ndarray
            Volume indices of the solids behind those of the region.
        """
        leaves = list(region.solids)
        boxes = [leaf.box() for leaf in leaves]
        largest = _LARGEST_PART * region.solid_volume_sum
        extra = [
            (i, placed)
            for i, placed in enumerate(detector.placed())
            if not placed.is_external
            and placed.solid.volume() < largest
            and any(_overlap(placed.box(), box) for box in boxes)
        ]
        index = np.array([i for i, _ in extra], dtype=np.int64)
        return cls([*leaves, *(placed for _, placed in extra)], len(leaves)), index

    def set_shares(self, share: FloatArray) -> None:
        """Set the probabilities of the solids behind those of the region.

        Parameters
        ----------
        share
            Probabilities by row of `LENGTHS` (or by any other rows, if lines are asked for by
            these) and solid, shape (rows, solids - leaves); the rest to one goes to the region,
            which gets at least a fifth.
        """
        total = share.sum(axis=1, keepdims=True)
        share = share * np.minimum(1.0, 0.8 / np.maximum(total, 1e-300))
        rest = 1.0 - share.sum(axis=1, keepdims=True)
        probability = rest * self._region_share[None, :]
        probability[:, self._n_leaves :] += share
        self._probability = probability

    def sample(self, row: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw a point for each line, for the rows of `LENGTHS` given, (n,) -> (n, 3) [cm]."""
        cumulative = np.cumsum(self._probability, axis=1)
        cumulative /= cumulative[:, -1:]
        points, solid = np.empty((row.size, 3)), np.empty(row.size, dtype=np.int64)
        pick_solids(cumulative, row, rng.random(row.size), solid)
        # Points may come from a net: each attempt keeps its own row of it.
        boxed = np.flatnonzero(self._is_box[solid])
        uniform = rows_of(rng, boxed).random((boxed.size, 3))
        points_in_boxes(self._arrays, solid, boxed, uniform, points)
        if boxed.size < row.size:
            for i in np.flatnonzero(np.bincount(np.delete(solid, boxed))):
                placed, mine = self._solids[i], np.flatnonzero(solid == i)
                own = rows_of(rng, mine, placed.solid)
                local = np.asarray(placed.solid.sample(mine.size, own), dtype=np.float64)
                points[mine] = placed.placement.to_detector(local.reshape(-1, 3))
        return points

    def density(
        self,
        row: IntArray,
        origins: FloatArray,
        directions: FloatArray,
        chords: FloatArray | None = None,
    ) -> FloatArray:
        """Density of lines per area across their direction [1/cm2], shape (n,).

        `chords` are the sums of the chords in the solids of the region [cm], where known.
        """
        weights = self._probability / self._volumes
        result, first = np.zeros(row.size), 0
        if chords is not None:
            # All solids of a region are drawn from in proportion to their volumes.
            result, first = weights[row, 0] * chords, self._n_leaves
        if not row.size or not weights[row.min() : row.max() + 1, first:].any():
            return result
        external = external_intervals(self._solids, origins, directions)
        chord_sums(
            self._arrays,
            external,
            origins,
            directions,
            weights,
            row,
            first,
            np.empty(pieces_buffer(self._arrays, external)),
            result,
        )
        return result

    def mixed_density(
        self, shares: FloatArray, rows: IntArray, origins: FloatArray, directions: FloatArray
    ) -> FloatArray:
        """Density of lines of which a share is from each of several rows, (n,).

        `shares` and `rows` have a column for each line, (A, n).
        """
        single = self._probability / self._volumes
        weights = np.zeros((len(origins), len(self._solids)))
        for share, row in zip(shares, rows, strict=True):
            weights += share[:, None] * single[row]
        external = external_intervals(self._solids, origins, directions)
        result, line = np.zeros(len(origins)), np.arange(len(origins))
        buffer = np.empty(pieces_buffer(self._arrays, external))
        chord_sums(
            self._arrays, external, origins, directions, weights, line, 0, buffer, result
        )  # fmt: skip
        return result


def _overlap(first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]) -> bool:
    """Say whether two axis-aligned boxes have a common inside."""
    return bool((np.maximum(first[0], second[0]) < np.minimum(first[1], second[1])).all())
