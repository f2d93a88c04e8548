"""Unions, intersections and differences of solids, and solids moved within a frame."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import ArrayLike, BoolArray, FloatArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.estimate import Estimate
from siren_py.geometry import kernels, meshing
from siren_py.geometry.base import KernelSolid, Solid, Step, rejection, steps_of
from siren_py.geometry.placement import Placement, RotationLike
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from trimesh import Trimesh

    from siren_py.geometry.arrays import PlacedSolid

_METHODS = ("intervals", "contains", "volume", "bounds", "sample")


def _checked(what: str, which: str, solid: Solid) -> Solid:
    missing = [name for name in _METHODS if not callable(getattr(solid, name, None))]
    if missing:
        raise GeometryError(
            f"{what}: the {which} operand, {type(solid).__name__}, is no solid; it lacks "
            f"{', '.join(missing)}()."
        )
    return solid


def volume_of(solid: Solid) -> Estimate:
    """Return the volume of a solid [cm3] with its error, 0 if it comes from a closed form."""
    estimate = getattr(solid, "volume_estimate", None)
    if estimate is None:
        return Estimate(float(solid.volume()))
    value: Estimate = estimate()
    return value


def mesh_of(solid: Solid, sections: int) -> Trimesh:
    """Return the surface of a solid, or say that it has no mesh()."""
    mesh = getattr(solid, "mesh", None)
    if mesh is None:
        raise GeometryError(
            f"{type(solid).__name__} cannot be drawn: it lacks mesh(sections) -> trimesh.Trimesh."
        )
    surface: Trimesh = mesh(sections)
    return surface


class Placed(KernelSolid):
    """A solid that is moved within a frame: rotated, then shifted. Placements nest.

    Parameters
    ----------
    solid
        Any solid.
    at
        Where its origin goes [cm].
    rotation
        scipy Rotation, (3, 3) matrix, or None.

    Examples
    --------
    >>> from siren_py.geometry import Box, Placed
    >>> Placed(Box(2, 2, 2), at=(0, 0, 5)).contains([[0, 0, 5], [0, 0, 0]]).tolist()
    [True, False]
    """

    def __init__(
        self, solid: Solid, at: ArrayLike = (0.0, 0.0, 0.0), rotation: RotationLike = None
    ) -> None:
        self.solid = _checked("Placed", "only", solid)
        self.placement = Placement.of(at, rotation)

    def __repr__(self) -> str:
        turned = ", rotated" if self.placement.is_rotated else ""
        return f"Placed({self.solid!r}, at={self.placement.position.tolist()}{turned})"

    def program(self) -> list[Step]:
        """Return the steps of the solid, moved."""
        return steps_of(self.solid, self.placement)

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return self.solid.volume()

    def volume_estimate(self) -> Estimate:
        """Return the volume [cm3] with its error."""
        return volume_of(self.solid)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        return self.placement.box(*self.solid.bounds())

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        return self.placement.to_detector(np.asarray(self.solid.sample(n, as_generator(rng))))

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        return moved(mesh_of(self.solid, sections), self.placement)


def moved(surface: Trimesh, placement: Placement) -> Trimesh:
    """Return a mesh at a placement."""
    return meshing.to_trimesh(placement.to_detector(np.asarray(surface.vertices)), surface.faces)


class Boolean(KernelSolid):
    """What unions, intersections and differences share.

    Parameters
    ----------
    first, second
        Any solids, also booleans.
    at, rotation
        Where the second one stands in the frame of the first.
    """

    _operation = kernels.UNION

    def __init__(
        self,
        first: Solid,
        second: Solid,
        at: ArrayLike = (0.0, 0.0, 0.0),
        rotation: RotationLike = None,
    ) -> None:
        what = type(self).__name__
        self.first = _checked(what, "first", first)
        self.second = _checked(what, "second", second)
        self.placement = Placement.of(at, rotation)
        lo, hi = self.bounds()
        if not np.all(lo < hi):
            raise GeometryError(
                f"{what}: the solids are apart, nothing is left; check at= "
                f"({self.placement.position.tolist()} cm)."
            )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.first!r}, {self.second!r}, "
            f"at={self.placement.position.tolist()}"
            f"{', rotated' if self.placement.is_rotated else ''})"
        )

    @cached_property
    def _steps(self) -> list[Step]:
        first = steps_of(self.first, Placement.of())
        second = steps_of(self.second, self.placement)
        last = Step(self._operation)
        if self._operation == kernels.UNION:
            return [*first, *second, last]
        # Where the first is missed the second need not be asked.
        return [*first, Step(kernels.SKIP, skip=len(second) + 1), *second, last]

    def program(self) -> list[Step]:
        """Return the steps of both solids and the operation."""
        return self._steps

    def _exact_volume(self) -> Estimate | None:
        """Return the volume [cm3] if closed forms give it."""
        raise NotImplementedError  # each operation has its own

    @cached_property
    def _volume(self) -> Estimate:
        from siren_py.geometry.visible import measured_volume

        exact = self._exact_volume()
        return measured_volume(self) if exact is None else exact

    def volume_estimate(self) -> Estimate:
        """Return the volume [cm3] with its error.

        Exact (error 0) if one solid is proved to contain the other or to be apart from it, and
        for boxes with parallel faces; otherwise by line integrals, good to about 5e-4.
        """
        return self._volume

    def volume(self) -> float:
        """Return the volume [cm3]; `volume_estimate` tells its error."""
        return self.volume_estimate().value

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn.

        Raises
        ------
        MissingDependencyError
            If manifold3d is not installed.
        """
        import_optional("manifold3d", "mesh", "Surfaces of booleans")  # trimesh uses it
        from trimesh import boolean

        first = mesh_of(self.first, sections)
        second = moved(mesh_of(self.second, sections), self.placement)
        names = {
            kernels.UNION: "union",
            kernels.INTERSECTION: "intersection",
            kernels.DIFFERENCE: "difference",
        }
        operation = getattr(boolean, names[self._operation])
        surface: Trimesh = operation([first, second], engine="manifold")
        return surface


class Union(Boolean):
    """What is in one solid or in the other.

    Parameters
    ----------
    first, second
        The solids.
    at
        Where the origin of the second goes in the frame of the first [cm].
    rotation
        Rotation of the second: scipy Rotation, (3, 3) matrix, or None.

    Examples
    --------
    >>> from siren_py.geometry import Box, Sphere, Union
    >>> both = Union(Box(2, 2, 2), Sphere(1), at=(3, 0, 0))
    >>> both.contains([[0.9, 0, 0], [3.5, 0, 0], [1.5, 0, 0]]).tolist()
    [True, True, False]
    """

    _operation = kernels.UNION

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        (lo, hi), (low, high) = self.first.bounds(), self.placement.box(*self.second.bounds())
        return np.minimum(lo, low), np.maximum(hi, high)

    def _exact_volume(self) -> Estimate | None:
        parts = _operands(kernels.UNION, self, Placement.of())
        left = [_left(part, parts[i + 1 :]) for i, part in enumerate(parts)]
        values = [one.value for one in left if one is not None and one.error == 0.0]
        return Estimate(sum(values)) if len(values) == len(parts) else None

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        a, b = volume_of(self.first), volume_of(self.second)
        if a.error > 0.0 or b.error > 0.0:
            return _in_box(self, n, as_generator(rng))
        share = a.value / (a.value + b.value)

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            first = source.random(m) < share
            points = np.empty((m, 3))
            points[first] = self.first.sample(int(first.sum()), source)
            other = np.asarray(self.second.sample(int((~first).sum()), source))
            points[~first] = self.placement.to_detector(other)
            both = np.asarray(self.first.contains(points)) & np.asarray(
                self.second.contains(self.placement.to_local(points))
            )
            # Where the solids overlap points come twice as densely.
            return points, ~both | (source.random(m) < 0.5)

        return rejection(n, as_generator(rng), draw, "Union")


class Intersection(Boolean):
    """What is in both solids.

    Parameters
    ----------
    first, second
        The solids.
    at
        Where the origin of the second goes in the frame of the first [cm].
    rotation
        Rotation of the second: scipy Rotation, (3, 3) matrix, or None.

    Examples
    --------
    >>> from siren_py.geometry import Box, Intersection, Sphere
    >>> Intersection(Box(2, 2, 2), Sphere(1.2)).contains([[0.9, 0.9, 0.9], [0.9, 0, 0]]).tolist()
    [False, True]
    """

    _operation = kernels.INTERSECTION

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        (lo, hi), (low, high) = self.first.bounds(), self.placement.box(*self.second.bounds())
        return np.maximum(lo, low), np.minimum(hi, high)

    def _exact_volume(self) -> Estimate | None:
        first = _part(self.first, Placement.of())
        whole, rest = _left(first, []), _left(first, [_part(self.second, self.placement)])
        if whole is None or rest is None or whole.error > 0.0 or rest.error > 0.0:
            return None
        return Estimate(whole.value - rest.value)

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        return _in_box(self, n, as_generator(rng))


class Difference(Boolean):
    """What is in the first solid and not in the second.

    Parameters
    ----------
    first, second
        The solids.
    at
        Where the origin of the second goes in the frame of the first [cm].
    rotation
        Rotation of the second: scipy Rotation, (3, 3) matrix, or None.

    Examples
    --------
    >>> from siren_py.geometry import Box, Difference, Sphere
    >>> Difference(Box(2, 2, 2), Sphere(0.5)).contains([[0, 0, 0], [0.9, 0, 0]]).tolist()
    [False, True]
    """

    _operation = kernels.DIFFERENCE

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]: those of the first solid."""
        return self.first.bounds()

    def _exact_volume(self) -> Estimate | None:
        # A - B - C - (D + E): one solid and all that is taken away from it.
        solid: Solid = self
        frame = Placement.of()
        cutters: list[PlacedSolid] = []
        while isinstance(solid, (Difference, Placed)):
            if isinstance(solid, Placed):
                frame = frame @ solid.placement
                solid = solid.solid
                continue
            cutters += _operands(kernels.UNION, solid.second, frame @ solid.placement)
            solid = solid.first
        left = _left(_part(solid, frame), cutters)
        return left if left is not None and left.error == 0.0 else None

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            points = np.asarray(self.first.sample(m, source))
            inside = np.asarray(self.second.contains(self.placement.to_local(points)))
            return points, ~inside

        return rejection(n, as_generator(rng), draw, "Difference")


def _part(solid: Solid, placement: Placement) -> PlacedSolid:
    from siren_py.geometry.arrays import PlacedSolid

    return PlacedSolid(type(solid).__name__, solid, placement, (0,))


def _left(item: PlacedSolid, cutters: list[PlacedSolid]) -> Estimate | None:
    """Return what is left of a solid without others [cm3], if closed forms give it."""
    from siren_py.geometry.visible import exact_visible_volume

    left, _ = exact_visible_volume(item, cutters)
    return None if left is None else left.weighted(np.ones(1))


def _operands(operation: int, solid: Solid, placement: Placement) -> list[PlacedSolid]:
    """Return the solids that a chain of the same operation joins, each at its place."""
    if isinstance(solid, Placed):
        return _operands(operation, solid.solid, placement @ solid.placement)
    if isinstance(solid, Boolean) and solid._operation == operation:
        second = _operands(operation, solid.second, placement @ solid.placement)
        return [*_operands(operation, solid.first, placement), *second]
    return [_part(solid, placement)]


def _in_box(solid: KernelSolid, n: int, rng: np.random.Generator) -> FloatArray:
    lo, hi = solid.bounds()

    def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
        points = lo + source.random((m, 3)) * (hi - lo)
        return points, solid.contains(points)

    return rejection(n, rng, draw, type(solid).__name__)
