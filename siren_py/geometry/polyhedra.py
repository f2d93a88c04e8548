"""Solids with flat faces: convex polyhedron, and Geant4's polyhedra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray, IntArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels, meshing
from siren_py.geometry.base import (
    AXES,
    TWO_PI,
    KernelForm,
    KernelSolid,
    Step,
    check_axis,
    check_sector,
    from_axis,
    is_full_turn,
    rejection,
    weighted_choice,
)
from siren_py.geometry.placement import Placement
from siren_py.geometry.revolved import checked_profile
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from trimesh import Trimesh

_MAX_SIDES = 1000
# Corners may leave the plane of their face by this part of the size of a polyhedron.
_FLAT = 1e-9


def convex_form(faces: FloatArray, axes: tuple[int, int, int] = (0, 1, 2)) -> KernelForm:
    """Return the kernel form of the half spaces n . x <= d, rows (n, d) of `faces` (m, 4)."""
    return KernelForm(kernels.CONVEX, (), axes, number=len(faces), data=faces)


def merged(vertices: FloatArray, faces: IntArray) -> Trimesh:
    """Return a mesh in which equal vertices are one; faces without area are left out."""
    unique, index = np.unique(vertices, axis=0, return_inverse=True)
    triangles = index.ravel()[faces]
    x, y, z = triangles.T
    return meshing.to_trimesh(unique, triangles[(x != y) & (y != z) & (z != x)].astype(np.int64))


@dataclass(frozen=True, eq=False)
class Polyhedron(KernelSolid):
    """A convex polyhedron.

    Parameters
    ----------
    vertices
        Its corners, (n, 3) [cm]; every one of them must be a corner of their convex hull.
    faces
        Indices of the corners of each face, to be compared with the hull: optional.

    Raises
    ------
    GeometryError
        If it is not convex, is flat, or a face does not fit.

    Examples
    --------
    >>> f"{Polyhedron([[0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 0, 3]]).volume():.1f} cm3"
    '4.5 cm3'
    """

    vertices: FloatArray
    faces: tuple[tuple[int, ...], ...] | None = None

    def __init__(self, vertices: ArrayLike, faces: Sequence[Sequence[int]] | None = None) -> None:
        try:
            corners = np.array(vertices, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise GeometryError(
                f"Polyhedron: vertices must be (n, 3) numbers [cm]: {error}."
            ) from error
        if corners.ndim != 2 or corners.shape[1:] != (3,) or len(corners) < 4:
            raise GeometryError(
                "Polyhedron: vertices must be at least four points, (n, 3) [cm]; their shape is "
                f"{corners.shape}."
            )
        if not np.all(np.isfinite(corners)):
            raise GeometryError("Polyhedron: vertices must be finite; some are NaN or infinite.")
        corners.setflags(write=False)
        object.__setattr__(self, "vertices", corners)
        object.__setattr__(
            self, "faces", None if faces is None else tuple(tuple(map(int, f)) for f in faces)
        )
        self._check()

    @cached_property
    def _hull(self) -> tuple[IntArray, FloatArray, float]:
        """Triangles of the convex hull, its distinct faces (n, d), and its volume."""
        from scipy.spatial import ConvexHull, QhullError

        try:
            hull = ConvexHull(self.vertices)
        except QhullError as error:
            raise GeometryError(
                "Polyhedron: its vertices lie in a plane or fewer than four are distinct; it has "
                "no volume."
            ) from error
        planes = hull.equations * np.array([1.0, 1.0, 1.0, -1.0])
        size = float(np.ptp(self.vertices, axis=0).max())
        rounded = np.round(planes / np.array([1.0, 1.0, 1.0, size]) / _FLAT)
        _, first = np.unique(rounded, axis=0, return_index=True)
        triangles = hull.simplices.astype(np.int64)
        a, b, c = (self.vertices[triangles[:, i]] for i in range(3))
        inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), planes[:, :3]) < 0.0
        triangles[inward] = triangles[inward][:, ::-1]
        return triangles, planes[np.sort(first)], float(hull.volume)

    def _check(self) -> None:
        planes = self._hull[1]
        size = float(np.ptp(self.vertices, axis=0).max())
        depth = planes[:, 3] - self.vertices @ planes[:, :3].T
        buried = np.flatnonzero(depth.min(axis=1) > _FLAT * size)
        if len(buried):
            raise GeometryError(
                f"Polyhedron: it is not convex; vertex {buried[0]} at "
                f"{self.vertices[buried[0]].tolist()} lies {depth[buried[0]].min():.3g} cm inside "
                "the hull of the others. Use Mesh, or a union of convex parts."
            )
        for number, face in enumerate(self.faces or ()):
            if len(face) < 3 or min(face) < 0 or max(face) >= len(self.vertices):
                raise GeometryError(
                    f"Polyhedron: face {number} is {face}; a face needs three or more indices "
                    f"from 0 to {len(self.vertices) - 1}."
                )
            off = np.abs(depth[list(face)]).max(axis=0).min()
            if off > 1e3 * _FLAT * size:
                raise GeometryError(
                    f"Polyhedron: face {number} is not a flat face of the convex hull (it is off "
                    f"by {off:.3g} cm): the polyhedron is not convex. Use Mesh."
                )

    def half_spaces(self) -> FloatArray:
        """Return its faces as rows (n, d) with n . x <= d inside, (m, 4)."""
        return self._hull[1]

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return convex_form(self.half_spaces())

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return self._hull[2]

    def hull(self) -> FloatArray:
        """Return its corners, (n, 3) [cm]."""
        return self.vertices

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]: tetrahedra about one corner."""
        triangles = self._hull[0]
        apex = self.vertices[0]
        edges = self.vertices[triangles] - apex
        u = as_generator(rng).random((n, 4))
        chosen = weighted_choice(np.abs(np.linalg.det(edges)), u[:, 0])
        # uniform barycentric coordinates: spacings of three sorted numbers
        cut = np.sort(u[:, 1:], axis=1)
        weights = np.diff(np.column_stack([np.zeros(n), cut]), axis=1)
        points: FloatArray = apex + np.einsum("ij,ijk->ik", weights, edges[chosen])
        return points

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; `sections` is not used, nothing is round."""
        used, index = np.unique(self._hull[0], return_inverse=True)
        return meshing.to_trimesh(self.vertices[used], index.reshape(-1, 3).astype(np.int64))


@dataclass(frozen=True)
class _Cell(KernelSolid):
    """Half spaces as a leaf of a compound; it need not be bounded."""

    faces: tuple[tuple[float, float, float, float], ...]
    axes: tuple[int, int, int] = (0, 1, 2)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return convex_form(np.array(self.faces), self.axes)


@dataclass(frozen=True)
class Polyhedra(KernelSolid):
    """A polycone with flat sides (`G4Polyhedra`), possibly hollow and cut in azimuth.

    Parameters
    ----------
    sides
        Number of sides of the whole sector.
    z
        Coordinates along the axis in its own frame [cm], ascending (or descending); a coordinate
        that stands twice is a step.
    outer, inner
        Distances of the outer and inner faces from the axis there (apothems) [cm].
    start_phi, delta_phi
        The sector [rad]; the first edge between two sides is at `start_phi`.
    axis
        "x", "y" or "z".

    Raises
    ------
    GeometryError
        If lengths are out of range or z does not ascend.

    Examples
    --------
    >>> f"{Polyhedra(6, z=[0.0, 10.0], outer=[1.0, 1.0]).volume():.3f} cm3"
    '34.641 cm3'
    """

    sides: int
    z: tuple[float, ...]
    outer: tuple[float, ...]
    inner: tuple[float, ...] | None = None
    start_phi: float = 0.0
    delta_phi: float = TWO_PI
    axis: str = "z"

    def __init__(
        self,
        sides: int,
        z: ArrayLike,
        outer: ArrayLike,
        inner: ArrayLike | None = None,
        start_phi: float = 0.0,
        delta_phi: float = TWO_PI,
        axis: str = "z",
    ) -> None:
        check_axis(axis, "Polyhedra")
        check_sector(start_phi, delta_phi, "Polyhedra")
        planes, radii, holes = checked_profile("Polyhedra", z, outer, inner)
        least = 3 if is_full_turn(delta_phi) else 1
        if not (isinstance(sides, (int, np.integer)) and least <= sides <= _MAX_SIDES):
            raise GeometryError(
                f"Polyhedra: sides must be an integer from {least} to {_MAX_SIDES}; it is "
                f"{sides!r}."
            )
        if delta_phi / sides >= math.pi * (1.0 - 1e-9):
            raise GeometryError(
                f"Polyhedra: {sides} sides cannot span {delta_phi!r} rad; each needs less than pi."
            )
        if np.any(holes < 0.0) or np.any(holes > radii):
            worst = int(np.argmax((holes < 0.0) | (holes > radii)))
            raise GeometryError(
                f"Polyhedra: apothems must obey 0 <= inner <= outer [cm]; at {planes[worst]:g} cm "
                f"inner is {holes[worst]!r} and outer is {radii[worst]!r}."
            )
        object.__setattr__(self, "sides", int(sides))
        object.__setattr__(self, "z", tuple(planes.tolist()))
        object.__setattr__(self, "outer", tuple(radii.tolist()))
        object.__setattr__(self, "inner", tuple(holes.tolist()) if np.any(holes > 0.0) else None)
        object.__setattr__(self, "start_phi", float(start_phi))
        object.__setattr__(self, "delta_phi", float(delta_phi))
        object.__setattr__(self, "axis", axis)
        if not self.volume() > 0.0:
            raise GeometryError("Polyhedra: it has no volume; outer is the same as inner.")

    @property
    def _turn(self) -> float:
        return TWO_PI if is_full_turn(self.delta_phi) else self.delta_phi

    def _sections(self) -> FloatArray:
        """Low and high end, outer apothems there, inner ones there, (sections, 6)."""
        z, outer = np.array(self.z), np.array(self.outer)
        hole = np.zeros(len(z)) if self.inner is None else np.array(self.inner)
        table = np.column_stack([z[:-1], z[1:], outer[:-1], outer[1:], hole[:-1], hole[1:]])
        return table[table[:, 1] > table[:, 0]]

    def _cell(self, low: float, high: float, r_low: float, r_high: float, sector: bool) -> _Cell:
        """Return the convex cell inside the sides, between two planes, in a convex sector."""
        slope = (r_high - r_low) / (high - low)
        norm = math.hypot(1.0, slope)
        faces = [(0.0, 0.0, -1.0, -low), (0.0, 0.0, 1.0, high)]
        for side in range(self.sides):
            angle = self.start_phi + (side + 0.5) * self._turn / self.sides
            faces.append(
                (
                    math.cos(angle) / norm,
                    math.sin(angle) / norm,
                    -slope / norm,
                    (r_low - slope * low) / norm,
                )
            )
        if sector:
            stop = self.start_phi + self.delta_phi
            faces.append((math.sin(self.start_phi), -math.cos(self.start_phi), 0.0, 0.0))
            faces.append((-math.sin(stop), math.cos(stop), 0.0, 0.0))
        return _Cell(tuple(faces), self._axes)

    @property
    def _axes(self) -> tuple[int, int, int]:
        return AXES[self.axis]

    def program(self) -> list[Step]:
        """Return the steps: per section a convex cell less a convex hole, all joined."""
        here = Placement.of()
        cut = not is_full_turn(self.delta_phi)
        convex = cut and self.delta_phi <= math.pi
        steps: list[Step] = []
        for number, (low, high, r0, r1, h0, h1) in enumerate(self._sections().tolist()):
            steps.append(Step(kernels.LEAF, self._cell(low, high, r0, r1, convex), here))
            if h0 > 0.0 or h1 > 0.0:
                hole = Step(kernels.LEAF, self._cell(low, high, h0, h1, False), here)
                steps += [Step(kernels.SKIP, skip=2), hole, Step(kernels.DIFFERENCE)]
            if number > 0:
                steps.append(Step(kernels.UNION))
        if cut and not convex:
            # What is missing is a convex wedge, from the last edge to the first.
            start, stop = self.start_phi, self.start_phi + self.delta_phi
            wedge = _Cell(
                (
                    (-math.sin(start), math.cos(start), 0.0, 0.0),
                    (math.sin(stop), -math.cos(stop), 0.0, 0.0),
                    (0.0, 0.0, -1.0, -self.z[0] + 1.0),
                    (0.0, 0.0, 1.0, self.z[-1] + 1.0),
                ),
                self._axes,
            )
            steps += [
                Step(kernels.SKIP, skip=2),
                Step(kernels.LEAF, wedge, here),
                Step(kernels.DIFFERENCE),
            ]
        return steps

    def _volumes(self) -> FloatArray:
        low, high, r0, r1, h0, h1 = self._sections().T
        # area of a sector of n sides: n a^2 tan(delta / 2 n)
        scale = self.sides * math.tan(0.5 * self._turn / self.sides) / 3.0
        outer, hole = r0 * r0 + r0 * r1 + r1 * r1, h0 * h0 + h0 * h1 + h1 * h1
        volumes: FloatArray = scale * (high - low) * (outer - hole)
        return volumes

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return float(self._volumes().sum())

    def hull(self) -> FloatArray:
        """Return points whose convex hull contains it, (n, 3) [cm]."""
        angle = self.start_phi + np.arange(self.sides + 1) * self._turn / self.sides
        corner = 1.0 / math.cos(0.5 * self._turn / self.sides)
        z, outer = np.array(self.z), np.array(self.outer) * corner
        u, v = np.outer(outer, np.cos(angle)), np.outer(outer, np.sin(angle))
        w = np.repeat(z, len(angle))
        points = [from_axis(self.axis, u.ravel(), v.ravel(), w)]
        if not is_full_turn(self.delta_phi):
            hole = np.zeros(len(z)) if self.inner is None else np.array(self.inner) * corner
            u, v = np.outer(hole, np.cos(angle)), np.outer(hole, np.sin(angle))
            points.append(from_axis(self.axis, u.ravel(), v.ravel(), w))
        return np.vstack(points)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        corners = self.hull()
        lo, hi = corners.min(axis=0), corners.max(axis=0)
        along = "xyz".index(self.axis)
        lo[along], hi[along] = self.z[0], self.z[-1]
        return lo, hi

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        sections = self._sections()
        largest = (
            np.maximum(sections[:, 2], sections[:, 3]) ** 2
            - np.minimum(sections[:, 4], sections[:, 5]) ** 2
        )
        half = 0.5 * self._turn / self.sides

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            u = source.random((m, 6))
            chosen = weighted_choice((sections[:, 1] - sections[:, 0]) * largest, u[:, 0])
            low, high, r0, r1, h0, h1 = sections[chosen].T
            outer2 = (r0 + u[:, 1] * (r1 - r0)) ** 2
            hole2 = (h0 + u[:, 1] * (h1 - h0)) ** 2
            apothem = np.sqrt(hole2 + u[:, 2] * (outer2 - hole2))
            across = (2.0 * u[:, 3] - 1.0) * math.tan(half) * apothem
            side = np.floor(u[:, 4] * self.sides)
            angle = self.start_phi + (2.0 * side + 1.0) * half
            points = from_axis(
                self.axis,
                apothem * np.cos(angle) - across * np.sin(angle),
                apothem * np.sin(angle) + across * np.cos(angle),
                low + u[:, 1] * (high - low),
            )
            return points, u[:, 5] * largest[chosen] < outer2 - hole2

        return rejection(n, as_generator(rng), draw, "Polyhedra")

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; `sections` is not used, nothing is round."""
        corner = 1.0 / math.cos(0.5 * self._turn / self.sides)
        hole = np.zeros(len(self.z)) if self.inner is None else np.array(self.inner) * corner
        outer = np.array(self.outer) * corner
        rings = meshing.ring_profile(list(self.z), outer.tolist(), hole.tolist())
        return meshing.revolution(
            rings, self.start_phi, self.delta_phi, self.sides, self.axis, regular=True
        )


__all__ = ["Polyhedra", "Polyhedron"]
