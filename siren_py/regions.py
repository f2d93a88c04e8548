"""Regions: named sets of solids in which decays or interactions are counted. They are no matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray, IntArray, RNGLike
from siren_py.driving import rows_of
from siren_py.errors import GeometryError
from siren_py.geometry.arrays import (
    External,
    PlacedSolid,
    RegionArrays,
    contained,
    external_intervals,
    external_solids,
    geometry_arrays,
)
from siren_py.geometry.solids import lines, points3
from siren_py.geometry.visible import VisibleVolumes
from siren_py.rng import as_generator

_MAX_REJECTION_ROUNDS = 1000


class Region:
    """A named union of placed solids.

    Attributes
    ----------
    name
        Name in the detector.
    leaves
        Names of the primitive regions it consists of (its own name if it is one itself).
    solids
        The placed solid of each leaf.
    """

    def __init__(self, name: str, solids: Sequence[PlacedSolid]) -> None:
        self.name = name
        self.solids = tuple(solids)
        self.leaves = tuple(solid.name for solid in self.solids)
        self._arrays: RegionArrays | None = None
        self._external = external_solids(self.solids)
        self._volumes = np.array([solid.solid.volume() for solid in self.solids])
        if not (np.all(np.isfinite(self._volumes)) and np.all(self._volumes > 0.0)):
            raise GeometryError(
                f"Region {name!r}: the volumes of its solids must be positive and finite [cm3]; "
                f"they are {self._volumes.tolist()}."
            )

    def __repr__(self) -> str:
        parts = "" if self.leaves == (self.name,) else f", leaves={list(self.leaves)}"
        return f"Region({self.name!r}{parts})"

    def arrays(self) -> RegionArrays:
        """Return the solids as arrays for `region_intervals`; volume means leaf index there."""
        if self._arrays is None:
            self._arrays = geometry_arrays(self.solids)
        return self._arrays

    def external_intervals(self, origins: ArrayLike, directions: ArrayLike) -> External:
        """Return the intervals of lines (n, 3) in the solids without kernel, for the kernels."""
        return external_intervals(self._external, *lines(origins, directions))

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm] of the axis-aligned box around the region."""
        boxes = [solid.box() for solid in self.solids]
        return np.min([lo for lo, _ in boxes], axis=0), np.max([hi for _, hi in boxes], axis=0)

    def inside(self, points: ArrayLike) -> BoolArray:
        """Return which leaf solids contain each point (n, 3) [cm]: (n, leaves) bool."""
        places = points3(points)
        inside = np.zeros((len(places), len(self.solids)), np.bool_)
        for i, solid in enumerate(self.solids):
            inside[:, i] = contained(solid, places)
        return inside

    def contains(self, points: ArrayLike) -> BoolArray:
        """Return whether points (n, 3) [cm] of the detector frame are in the region, (n,)."""
        return np.asarray(self.inside(points).any(axis=1), dtype=np.bool_)

    def leaf_of(self, points: ArrayLike) -> IntArray:
        """Return the index of the leaf that points are in, (n,); the last one wins, -1 outside."""
        inside = self.inside(points)
        number = np.arange(1, len(self.solids) + 1)
        latest: IntArray = (inside * number).max(axis=1).astype(np.int64) - 1
        return latest

    @property
    def solid_volumes(self) -> FloatArray:
        """Volume of each leaf solid, (leaves,) [cm3]."""
        return self._volumes.copy()

    @property
    def solid_volume_sum(self) -> float:
        """Sum of the volumes of the leaf solids [cm3]; overlaps count more than once."""
        return float(self._volumes.sum())

    def volume(self) -> float:
        """Return the volume of the union [cm3].

        Exact when the solids do not overlap or all are axis-aligned boxes; otherwise by line
        integrals, good to about 1e-3.
        """
        parts = VisibleVolumes(self.solids)
        return float(sum(float(parts.of(i).value.sum()) for i in range(len(self.solids))))

    def sample_solids(self, n: int, rng: RNGLike = None) -> tuple[FloatArray, IntArray]:
        """Draw points: a leaf solid in proportion to its volume, then uniform inside it.

        Returns
        -------
        points : (n, 3) [cm]
        leaf : (n,) int64
            The solid that each point was drawn in. The density of points is the number of
            solids at the point divided by `solid_volume_sum`.
        """
        generator = as_generator(rng)
        share = np.cumsum(self._volumes) / self.solid_volume_sum
        leaf = np.searchsorted(share, generator.random(n), side="right")
        leaf = np.minimum(leaf, len(self.solids) - 1).astype(np.int64)
        points = np.empty((n, 3))
        for i, solid in enumerate(self.solids):
            mine = np.flatnonzero(leaf == i)
            own = rows_of(generator, mine, solid.solid)
            local = np.asarray(solid.solid.sample(mine.size, own), dtype=np.float64)
            points[mine] = solid.placement.to_detector(local.reshape(-1, 3))
        return points, leaf

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3) [cm], uniform in the union of the solids.

        Raises
        ------
        GeometryError
            If the points that a solid draws are not inside it.
        """
        generator = as_generator(rng)
        found: list[FloatArray] = []
        missing = n
        for _ in range(_MAX_REJECTION_ROUNDS):
            if missing <= 0:
                break
            points, _leaf = self.sample_solids(missing, generator)
            if len(self.solids) > 1:
                # Where k solids overlap, points come k times as densely.
                multiplicity = self.inside(points).sum(axis=1)
                points = points[generator.random(missing) * multiplicity < 1.0]
            found.append(points)
            missing -= len(points)
        if missing > 0:
            raise GeometryError(
                f"Region {self.name!r}: no {n} points found in {_MAX_REJECTION_ROUNDS} rounds."
            )
        return np.concatenate(found) if found else np.zeros((0, 3))
