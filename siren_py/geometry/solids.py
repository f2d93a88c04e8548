"""Solids: box, sphere, cylinder, prism, and the protocol that makes any class a solid.

All solids are centred at the origin of their own frame; sizes are full widths [cm]. A point on
a face belongs to the solid at the lower face and not at the upper one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray, IntArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels
from siren_py.rng import as_generator

# Local axes (u, v, w) of the kernels for the axis a user names: w is that axis, and (u, v, w)
# is right-handed.
AXES: dict[str, tuple[int, int, int]] = {"x": (1, 2, 0), "y": (2, 0, 1), "z": (0, 1, 2)}


class Intervals(NamedTuple):
    """Where lines are inside a solid, jagged over lines.

    Attributes
    ----------
    offsets
        (n + 1,) int64: line i owns the entries offsets[i] to offsets[i + 1].
    t_in, t_out
        Entry and exit parameters of the line, t_in < t_out, ascending and disjoint per line.
    """

    offsets: IntArray
    t_in: FloatArray
    t_out: FloatArray


@runtime_checkable
class Solid(Protocol):
    """What a class needs to be used as a solid everywhere; no registration."""

    def intervals(self, origins: FloatArray, directions: FloatArray) -> Intervals:
        """Return where the whole lines origins + t directions, (n, 3) each, are inside."""
        ...

    def contains(self, points: FloatArray) -> BoolArray:
        """Return whether points (n, 3) are inside, (n,) bool."""
        ...

    def volume(self) -> float:
        """Return the volume [cm3]."""
        ...

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi), (3,) each, of a box that encloses the solid [cm]."""
        ...

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside the solid."""
        ...


class KernelForm(NamedTuple):
    """How the kernels know a solid: kind, parameters, and the local axes that are u, v, w."""

    kind: int
    parameters: tuple[float, ...]
    axes: tuple[int, int, int] = (0, 1, 2)


def positive(value: float, what: str) -> float:
    """Return a positive finite float, or raise a `GeometryError` that names it."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise GeometryError(f"{what} must be a number [cm]; it is {value!r}.") from error
    if not (math.isfinite(number) and number > 0.0):
        raise GeometryError(f"{what} must be positive and finite [cm]; it is {value!r}.")
    return number


def inner(value: float, outer: float, what: str) -> float:
    """Return an inner radius, 0 <= value < outer, or raise a `GeometryError`."""
    number = float(value)
    if not 0.0 <= number < outer:
        raise GeometryError(f"{what} must be in [0, {outer!r}) [cm]; it is {value!r}.")
    return number


def lines(origins: ArrayLike, directions: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the origins and directions of lines as C-ordered arrays (n, 3).

    Raises
    ------
    GeometryError
        If the shapes differ from (n, 3) or a number is not finite.
    """
    starts = np.ascontiguousarray(np.atleast_2d(np.asarray(origins, dtype=np.float64)))
    ways = np.ascontiguousarray(np.atleast_2d(np.asarray(directions, dtype=np.float64)))
    if starts.ndim != 2 or starts.shape[1:] != (3,) or starts.shape != ways.shape:
        raise GeometryError(
            "origins and directions must both have shape (n, 3); "
            f"they have {np.shape(origins)} and {np.shape(directions)}."
        )
    if not (np.all(np.isfinite(starts)) and np.all(np.isfinite(ways))):
        raise GeometryError("origins and directions must be finite; some are NaN or infinite.")
    return starts, ways


def points3(points: ArrayLike) -> FloatArray:
    """Return points as a C-ordered array (n, 3) of finite numbers.

    Raises
    ------
    GeometryError
        If the shape differs from (n, 3) or a number is not finite.
    """
    array = np.ascontiguousarray(np.atleast_2d(np.asarray(points, dtype=np.float64)))
    if array.ndim != 2 or array.shape[1:] != (3,):
        raise GeometryError(f"points must have shape (n, 3); they have {np.shape(points)}.")
    if not np.all(np.isfinite(array)):
        raise GeometryError("points must be finite; some are NaN or infinite.")
    return array


def kernel_row(form: KernelForm, position: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return the row of floats (20,) of a placed solid; see `kernels`."""
    row = np.zeros(kernels.REAL_COLUMNS)
    row[: len(form.parameters)] = form.parameters
    row[kernels.POSITION : kernels.MATRIX] = position
    # local = R^T (x - t), then its components in the order u, v, w
    row[kernels.MATRIX :] = matrix.T[list(form.axes)].ravel()
    return row


class KernelSolid:
    """Base of the solids that have a kernel: lines and points go through it."""

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        raise NotImplementedError  # each subclass has its own

    def intervals(self, origins: ArrayLike, directions: ArrayLike) -> Intervals:
        """Return where the whole lines origins + t directions are inside.

        Parameters
        ----------
        origins, directions
            (n, 3) [cm] and (n, 3); directions need not be unit vectors here, t is in units of
            their length.

        Returns
        -------
        Intervals
            Sorted and disjoint per line.

        Raises
        ------
        GeometryError
            If a shape is wrong, a number is not finite, or a direction is zero.
        """
        starts, ways = lines(origins, directions)
        if np.any(np.all(ways == 0.0, axis=1)):
            raise GeometryError("A direction is zero; a line needs one.")
        form = self.kernel_form()
        table = kernel_row(form, np.zeros(3), np.eye(3))[None, :]
        pieces = np.empty((len(starts), 2 * kernels.MAX_INTERVALS))
        counts = np.empty(len(starts))
        kernels.lines_through_solid(form.kind, table, starts, ways, pieces, counts)
        number = counts.astype(np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(number)])
        used = np.arange(kernels.MAX_INTERVALS)[None, :] < number[:, None]
        return Intervals(offsets, pieces[:, 0::2][used], pieces[:, 1::2][used])

    def contains(self, points: ArrayLike) -> BoolArray:
        """Return whether points (n, 3) [cm] are inside, (n,) bool."""
        places = points3(points)
        form = self.kernel_form()
        table = kernel_row(form, np.zeros(3), np.eye(3))[None, :]
        inside = np.empty(len(places))
        kernels.points_in_solid(form.kind, table, places, inside)
        within: BoolArray = inside != 0.0
        return within


@dataclass(frozen=True)
class Box(KernelSolid):
    """A cuboid, centred at its origin.

    Parameters
    ----------
    dx, dy, dz
        Full widths [cm].
    """

    dx: float
    dy: float
    dz: float

    def __post_init__(self) -> None:
        for name in ("dx", "dy", "dz"):
            object.__setattr__(self, name, positive(getattr(self, name), f"Box: {name}"))

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return KernelForm(kernels.BOX, (0.5 * self.dx, 0.5 * self.dy, 0.5 * self.dz))

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return self.dx * self.dy * self.dz

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        half = np.array([0.5 * self.dx, 0.5 * self.dy, 0.5 * self.dz])
        return -half, half

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        generator = as_generator(rng)
        widths = np.array([self.dx, self.dy, self.dz])
        points: FloatArray = (generator.random((n, 3)) - 0.5) * widths
        return points


@dataclass(frozen=True)
class Sphere(KernelSolid):
    """A ball or a spherical shell, centred at its origin.

    Parameters
    ----------
    radius, inner_radius
        Outer and inner radius [cm].
    """

    radius: float
    inner_radius: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", positive(self.radius, "Sphere: radius"))
        hole = inner(self.inner_radius, self.radius, "Sphere: inner_radius")
        object.__setattr__(self, "inner_radius", hole)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return KernelForm(kernels.SPHERE, (self.radius, self.inner_radius))

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return 4.0 / 3.0 * math.pi * (self.radius**3 - self.inner_radius**3)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        return np.full(3, -self.radius), np.full(3, self.radius)

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        generator = as_generator(rng)
        u = generator.random((n, 3))
        radius = np.cbrt(self.inner_radius**3 + u[:, 0] * (self.radius**3 - self.inner_radius**3))
        cosine = 2.0 * u[:, 1] - 1.0
        sine = np.sqrt((1.0 - cosine) * (1.0 + cosine))
        phi = 2.0 * math.pi * u[:, 2]
        return np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1) * radius[:, None]


@dataclass(frozen=True)
class Cylinder(KernelSolid):
    """A cylinder, possibly hollow and cut in azimuth, centred at its origin.

    Parameters
    ----------
    radius, length
        Outer radius and full length [cm].
    inner_radius
        Radius of the hole [cm].
    axis
        "x", "y" or "z".
    start_phi, delta_phi
        The sector that is kept [rad], counted about the axis by the right-hand rule, from x for
        axis z, from y for axis x, from z for axis y.
    """

    radius: float
    length: float
    inner_radius: float = 0.0
    axis: str = "z"
    start_phi: float = 0.0
    delta_phi: float = 2.0 * math.pi

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", positive(self.radius, "Cylinder: radius"))
        object.__setattr__(self, "length", positive(self.length, "Cylinder: length"))
        hole = inner(self.inner_radius, self.radius, "Cylinder: inner_radius")
        object.__setattr__(self, "inner_radius", hole)
        check_axis(self.axis, "Cylinder")
        if not math.isfinite(self.start_phi):
            raise GeometryError(f"Cylinder: start_phi must be finite; it is {self.start_phi!r}.")
        if not 0.0 < self.delta_phi <= 2.0 * math.pi * (1.0 + 1e-12):
            raise GeometryError(
                f"Cylinder: delta_phi must be in (0, 2 pi] [rad]; it is {self.delta_phi!r}."
            )

    @property
    def is_cut(self) -> bool:
        """Whether a sector is missing."""
        return self.delta_phi < 2.0 * math.pi * (1.0 - 1e-12)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        wedge = 0.0 if not self.is_cut else (1.0 if self.delta_phi <= math.pi else 2.0)
        stop = self.start_phi + self.delta_phi
        # Inward normals of the two cutting half planes.
        start_normal = (-math.sin(self.start_phi), math.cos(self.start_phi))
        stop_normal = (math.sin(stop), -math.cos(stop))
        sizes = (self.radius, self.inner_radius, 0.5 * self.length, wedge)
        parameters = (*sizes, *start_normal, *stop_normal)
        return KernelForm(kernels.CYLINDER, parameters, AXES[self.axis])

    def volume(self) -> float:
        """Return the volume [cm3]."""
        delta = self.delta_phi if self.is_cut else 2.0 * math.pi
        return 0.5 * delta * (self.radius**2 - self.inner_radius**2) * self.length

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        stop = self.start_phi + (self.delta_phi if self.is_cut else 2.0 * math.pi)
        first = math.ceil(self.start_phi / (0.5 * math.pi))
        quarters = np.arange(first, math.floor(stop / (0.5 * math.pi)) + 1) * 0.5 * math.pi
        angles = np.concatenate([[self.start_phi, stop], quarters])
        radii = np.array([[self.radius], [self.inner_radius]])
        u, v = radii * np.cos(angles), radii * np.sin(angles)
        half = 0.5 * self.length
        lo, hi = np.empty(3), np.empty(3)
        axes = list(AXES[self.axis])
        lo[axes] = u.min(), v.min(), -half
        hi[axes] = u.max(), v.max(), half
        return lo, hi

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        generator = as_generator(rng)
        u = generator.random((n, 3))
        radius = np.sqrt(self.inner_radius**2 + u[:, 0] * (self.radius**2 - self.inner_radius**2))
        phi = self.start_phi + self.delta_phi * u[:, 1]
        points = np.empty((n, 3))
        points[:, list(AXES[self.axis])] = np.stack(
            [radius * np.cos(phi), radius * np.sin(phi), (u[:, 2] - 0.5) * self.length], axis=1
        )
        return points


@dataclass(frozen=True)
class RegularPrism(KernelSolid):
    """A prism over a regular polygon, e.g. a hexagonal plane, centred at its origin.

    Parameters
    ----------
    sides
        Number of sides of the polygon, 3 to 64.
    apothem
        Distance of the sides from the axis [cm]; half the width across flats.
    length
        Full length along the axis [cm].
    axis
        "x", "y" or "z".
    start_phi
        Azimuth of the normal of the first side [rad], counted as for `Cylinder`.
    """

    sides: int
    apothem: float
    length: float
    axis: str = "z"
    start_phi: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.sides, int) and 3 <= self.sides <= 64):
            raise GeometryError(
                f"RegularPrism: sides must be an integer from 3 to 64; it is {self.sides!r}."
            )
        object.__setattr__(self, "apothem", positive(self.apothem, "RegularPrism: apothem"))
        object.__setattr__(self, "length", positive(self.length, "RegularPrism: length"))
        check_axis(self.axis, "RegularPrism")
        if not math.isfinite(self.start_phi):
            raise GeometryError(
                f"RegularPrism: start_phi must be finite; it is {self.start_phi!r}."
            )

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        step = 2.0 * math.pi / self.sides
        normal = (math.cos(self.start_phi), math.sin(self.start_phi))
        sizes = (self.apothem, float(self.sides), 0.5 * self.length)
        parameters = (*sizes, *normal, math.cos(step), math.sin(step))
        return KernelForm(kernels.PRISM, parameters, AXES[self.axis])

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return self.sides * self.apothem**2 * math.tan(math.pi / self.sides) * self.length

    def corners(self) -> FloatArray:
        """Return the corners of the polygon in its plane, (sides, 2) [cm]."""
        angle = self.start_phi + (2.0 * np.arange(self.sides) + 1.0) * math.pi / self.sides
        radius = self.apothem / math.cos(math.pi / self.sides)
        return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        corners = self.corners()
        axes = list(AXES[self.axis])
        lo, hi = np.empty(3), np.empty(3)
        lo[axes] = *corners.min(axis=0), -0.5 * self.length
        hi[axes] = *corners.max(axis=0), 0.5 * self.length
        return lo, hi

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        generator = as_generator(rng)
        u = generator.random((n, 4))
        corners = self.corners()
        side = (u[:, 0] * self.sides).astype(np.int64)
        # uniform in the triangle (centre, corner, next corner)
        root = np.sqrt(u[:, 1])[:, None]
        along = u[:, 2][:, None]
        flat = root * ((1.0 - along) * corners[side] + along * corners[(side + 1) % self.sides])
        points = np.empty((n, 3))
        points[:, list(AXES[self.axis])] = np.column_stack([flat, (u[:, 3] - 0.5) * self.length])
        return points


def check_axis(axis: str, what: str) -> None:
    """Raise a `GeometryError` unless `axis` is "x", "y" or "z"."""
    if axis not in AXES:
        raise GeometryError(f'{what}: axis must be "x", "y" or "z"; it is {axis!r}.')
