"""Depths: how much matter lies on a line, and how far one gets through a given amount of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import ArrayLike, FloatArray, IntArray
from siren_py.errors import GeometryError
from siren_py.estimate import Estimate
from siren_py.geometry.arrays import NO_EXTERNAL, External, GeometryArrays, PlacedSolid
from siren_py.geometry.base import lines, points3
from siren_py.geometry.batches import depth_batch, distance_batch
from siren_py.geometry.profile_kernels import find_depths
from siren_py.geometry.profiles import RadialDensity
from siren_py.geometry.solids import Sphere
from siren_py.geometry.visible import VisibleVolume
from siren_py.rng import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siren_py.materials import Material
    from siren_py.volumes import Segments, Volume

_UNIT_TOLERANCE = 1e-9
# Lines per lattice (consecutive Fibonacci numbers) and random shifts of it.
_LATTICE, _GENERATOR = 6765, 4181
_SHIFTS = 16


def unit_lines(origins: ArrayLike, directions: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the origins and directions of lines, (n, 3) each; directions must be unit vectors.

    Raises
    ------
    GeometryError
        If shapes differ, numbers are not finite, or a direction is no unit vector.
    """
    starts, ways = lines(origins, directions)
    norm = np.sqrt(np.einsum("ij,ij->i", ways, ways))
    if np.any(np.abs(norm - 1.0) > _UNIT_TOLERANCE):
        worst = int(np.argmax(np.abs(norm - 1.0)))
        raise GeometryError(
            f"Directions must be unit vectors; number {worst} has length {norm[worst]!r}. "
            "Divide them: directions / np.linalg.norm(directions, axis=1, keepdims=True)."
        )
    return starts, ways


class DepthModel:
    """The part of `DetectorModel` that knows densities along lines."""

    name: str
    _profiled: list[Volume]

    if TYPE_CHECKING:

        def placed(self) -> list[PlacedSolid]:
            """Return the placed solids."""

        def kernel_arrays(self) -> GeometryArrays:
            """Return the arrays for the kernels."""

        def external_intervals(self, origins: ArrayLike, directions: ArrayLike) -> External:
            """Return the intervals in solids without kernel."""

        @property
        def has_external(self) -> bool:
            """Whether a solid has no kernel."""

        def visible(self, index: int) -> VisibleVolume:
            """Return the visible volume of a volume."""

        def locate_index(self, points: ArrayLike) -> tuple[IntArray, IntArray]:
            """Return volume and material indices at points."""

        def trace(
            self,
            origins: ArrayLike,
            directions: ArrayLike,
            t_min: ArrayLike = -math.inf,
            t_max: ArrayLike = math.inf,
            workers: int | None = None,
        ) -> Segments:
            """Trace lines."""

        def add(self, name: str, solid: Sphere, material: Material, at: ArrayLike) -> Volume:
            """Add a volume."""

    @property
    def has_profiles(self) -> bool:
        """Whether the density of a volume changes within it."""
        return bool(self._profiled)

    def has_profile(self, index: int) -> bool:
        """Whether the density of a volume changes within it.

        Parameters
        ----------
        index
            Position of the volume in the detector.
        """
        return any(volume.index == index for volume in self._profiled)

    def profile_mass(self, index: int) -> Estimate:
        """Return the visible mass [g] of a volume with a radial density.

        Exact for a sphere about the centre of the density that nothing displaces; otherwise from
        parallel lines on shifted lattices, with the scatter of the shifts as error.

        Parameters
        ----------
        index
            Position of the volume in the detector.
        """
        _, volume, profile = next(one for one in self._profiles() if one[0] == index)
        solid = volume.solid
        whole = float(solid.volume())
        seen = self.visible(index).weighted(np.ones(1))
        if seen.error == 0.0 and isinstance(solid, Sphere) and not np.any(profile.centre):
            if seen.value == 0.0:
                return Estimate(0.0)
            if seen.value == whole:
                return Estimate(profile.mass(solid.inner_radius, solid.radius))
        lo, hi = self.placed()[index].box()
        steps = np.arange(_LATTICE)
        lattice = np.column_stack([steps, steps * _GENERATOR % _LATTICE]) / _LATTICE
        rng = stream(0, "profile mass")
        sums = np.empty(_SHIFTS)
        ways = np.tile([0.0, 0.0, 1.0], (_LATTICE, 1))
        for shift in range(_SHIFTS):
            unit = (lattice + rng.random(2)) % 1.0
            origins = np.column_stack([lo[:2] + unit * (hi - lo)[:2], np.full(_LATTICE, lo[2])])
            segments = self.trace(origins, ways)
            depth = (segments.density * segments.length)[segments.volume == index].sum()
            sums[shift] = depth * np.prod((hi - lo)[:2]) / _LATTICE
        return Estimate(float(sums.mean()), float(sums.std(ddof=1)) / math.sqrt(_SHIFTS))

    def _profiles(self) -> list[tuple[int, Volume, RadialDensity]]:
        return [
            (volume.index, volume, volume.profile)
            for volume in self._profiled
            if volume.profile is not None
        ]

    def column_depth(
        self, starts: ArrayLike, ends: ArrayLike, workers: int | None = None
    ) -> FloatArray:
        """Return the integral of the density between points.

        Parameters
        ----------
        starts, ends
            (n, 3) each [cm].
        workers
            Threads for large batches; None for all cores. The result does not depend on it.

        Returns
        -------
        ndarray
            (n,) [g/cm2].

        Raises
        ------
        GeometryError
            If shapes differ or numbers are not finite.
        ConfigError
            If `workers` is not a positive integer.
        """
        first, last = lines(starts, ends)
        geometry = self.kernel_arrays()
        if not (self.has_profiles or self.has_external):
            return depth_batch(geometry, NO_EXTERNAL, first, last, workers)
        step = last - first
        length = np.sqrt(np.einsum("ij,ij->i", step, step))
        ways = np.divide(
            step, length[:, None], where=length[:, None] > 0.0, out=np.zeros_like(step)
        )
        ways[length == 0.0] = (0.0, 0.0, 1.0)
        if self.has_profiles:
            return self.trace(first, ways, 0.0, length, workers).column_depth()
        external = self.external_intervals(first, ways)
        return depth_batch(geometry, external, first, last, workers)

    def density(self, points: ArrayLike) -> FloatArray:
        """Return the density at points (n, 3) [cm]: (n,) [g/cm3]; 0 outside everything."""
        places = points3(points)
        volume, material = self.locate_index(places)
        density: FloatArray = np.append(self.kernel_arrays().density, 0.0)[material]
        for index, one, profile in self._profiles():
            mine = volume == index
            density[mine] = profile.density(one.placement.to_local(places[mine]))
        return density

    def mean_densities(
        self,
        density: FloatArray,
        origins: FloatArray,
        directions: FloatArray,
        line: IntArray,
        volume: IntArray,
        t_in: FloatArray,
        t_out: FloatArray,
    ) -> FloatArray:
        """Return the mean density of segments [g/cm3]: `density`, or that of a radial profile.

        Parameters
        ----------
        density
            Density of each segment as it would be without profiles [g/cm3], (s,).
        origins, directions
            The lines, (n, 3) [cm] and (n, 3).
        line, volume
            Line and volume of each segment, (s,).
        t_in, t_out
            Its ends along the line [cm], (s,).
        """
        for index, one, profile in self._profiles():
            mine = np.flatnonzero(volume == index)
            if len(mine) == 0:
                continue
            depth = profile.depth(
                one.placement.to_local(origins[line[mine]]),
                one.placement.directions_to_local(directions[line[mine]]),
                t_in[mine],
                t_out[mine],
            )
            density[mine] = depth / (t_out[mine] - t_in[mine])
        return density

    def distance_for_depth(
        self,
        starts: ArrayLike,
        directions: ArrayLike,
        depths: ArrayLike,
        reverse: bool = False,
        workers: int | None = None,
    ) -> FloatArray:
        """Return how far one gets from a point through a given column depth.

        Parameters
        ----------
        starts
            (n, 3) [cm].
        directions
            (n, 3), unit vectors.
        depths
            (n,) or one number, not negative [g/cm2].
        reverse
            Go against the directions: from where one must come to arrive after that depth.
        workers
            Threads for large batches; None for all cores. The result does not depend on it.

        Returns
        -------
        ndarray
            Distances (n,), not negative [cm]: the smallest at which the depth is reached; inf if
            it never is. Exact for constant densities; in a `RadialDensity` the exact depth is
            inverted to rounding.

        Raises
        ------
        GeometryError
            If shapes differ, a depth is negative or NaN, or directions are not unit vectors.
        ConfigError
            If `workers` is not a positive integer.
        """
        origins, ways = unit_lines(starts, directions)
        if reverse:
            ways = -ways
        try:
            wanted = np.array(np.broadcast_to(np.asarray(depths, np.float64), len(origins)))
        except ValueError as error:
            raise GeometryError(
                f"depths must be one number or ({len(origins)},); it is {np.shape(depths)}."
            ) from error
        if not np.all(wanted >= 0.0):
            raise GeometryError(
                "depths must not be negative nor NaN [g/cm2]; reverse=True goes back."
            )
        if not self.has_profiles:
            external = self.external_intervals(origins, ways)
            return distance_batch(self.kernel_arrays(), external, origins, ways, wanted, workers)
        segments = self.trace(origins, ways, 0.0, workers=workers)
        distance, rest = np.empty(len(origins)), np.empty(len(origins))
        segment = np.empty(len(origins), np.int64)
        find_depths(
            segments.offsets, segments.t_in, segments.t_out,
            segments.density * segments.length, wanted, distance, segment, rest,
        )  # fmt: skip
        found = np.where(segment >= 0, segments.volume[segment] if len(segments.volume) else -1, -1)
        for index, one, profile in self._profiles():
            mine = np.flatnonzero(found == index)
            local = one.placement.to_local(origins[mine])
            local_ways = one.placement.directions_to_local(ways[mine])
            for k, i in enumerate(mine):
                s = segment[i]
                distance[i] = profile.distance(
                    local[k], local_ways[k], segments.t_in[s], segments.t_out[s], rest[i]
                )
        return distance

    def add_shells(
        self,
        name: str,
        profile: RadialDensity,
        material: Material | Sequence[Material],
        n: int = 10,
        at: ArrayLike = (0.0, 0.0, 0.0),
    ) -> float:
        """Add a radial density as concentric spheres of constant density.

        This is how events are injected in matter whose density changes: the engine needs
        constant densities. Volumes are called name-0, name-1, ... from the outside in.

        Parameters
        ----------
        name
            Beginning of the names.
        profile
            Density, e.g. `siren_py.geometry.prem()`.
        material
            Composition; its own density is not used. One, or one per shell of the profile.
        n
            Thin shells per shell of the profile; see `RadialDensity.shells`.
        at
            Where the origin of the profile's frame goes [cm].

        Returns
        -------
        float
            Bound of the relative error of the column depth of any line.

        Raises
        ------
        GeometryError
            If the numbers of materials and shells do not fit.
        """
        shells = profile.shells(n)
        count = len(profile.coefficients)
        materials = list(material) if isinstance(material, (list, tuple)) else [material] * count
        if len(materials) != count:
            raise GeometryError(
                f"{name!r}: give one material or {count}, one per shell; there are "
                f"{len(materials)}."
            )
        centre = np.asarray(at, dtype=np.float64) + profile.centre
        owner = np.searchsorted(profile.edges, shells.inner, side="right") - 1
        for number, i in enumerate(np.argsort(shells.outer)[::-1]):
            base = materials[owner[i]]
            one = type(base).from_mass_fractions(
                f"{base.name} {name}-{number}", {base: 1.0}, float(shells.density[i])
            )
            solid = Sphere(float(shells.outer[i]), float(shells.inner[i]))
            self.add(f"{name}-{number}", solid, one, at=centre)
        return shells.error
