"""The common solids: box, sphere, cylinder and regular prism.

All solids are centred at the origin of their own frame; sizes are full widths [cm]. A point on
a face belongs to the solid at the lower face and not at the upper one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import FloatArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels
from siren_py.geometry.base import (
    AXES,
    TWO_PI,
    Intervals,
    KernelForm,
    KernelSolid,
    Solid,
    along_axis,
    check_axis,
    check_sector,
    from_axis,
    inner,
    is_full_turn,
    kernel_row,
    lines,
    points3,
    positive,
    sector_bounds,
    sector_parameters,
)
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from trimesh import Trimesh

__all__ = [
    "AXES",
    "Box",
    "Cylinder",
    "Intervals",
    "KernelForm",
    "KernelSolid",
    "RegularPrism",
    "Solid",
    "Sphere",
    "check_axis",
    "inner",
    "kernel_row",
    "lines",
    "points3",
    "positive",
]


@dataclass(frozen=True)
class Box(KernelSolid):
    """A cuboid, centred at its origin.

    Parameters
    ----------
    dx, dy, dz
        Full widths [cm].

    Examples
    --------
    >>> from siren_py.geometry import Box
    >>> Box(200.0, 100.0, 50.0).volume()
    1000000.0
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

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        from siren_py.geometry import meshing

        return meshing.box(*self.bounds())


@dataclass(frozen=True)
class Sphere(KernelSolid):
    """A ball or a spherical shell, centred at its origin.

    Parameters
    ----------
    radius, inner_radius
        Outer and inner radius [cm].

    Examples
    --------
    >>> from siren_py.geometry import Sphere
    >>> shell = Sphere(50.0, inner_radius=49.0)
    >>> f"{shell.volume():.0f} cm3"
    '30792 cm3'
    """

    radius: float
    inner_radius: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", positive(self.radius, "Sphere: radius"))
        hole = inner(self.inner_radius, self.radius, "Sphere: inner_radius")
        object.__setattr__(self, "inner_radius", hole)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return KernelForm(kernels.SPHERE, (self.radius, self.inner_radius), pieces=2)

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

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        from siren_py.geometry import meshing

        return meshing.revolution(
            meshing.ball_profile(self.radius, self.inner_radius, sections), 0.0, TWO_PI, sections
        )


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

    Examples
    --------
    >>> from siren_py.geometry import Cylinder
    >>> Cylinder(radius=100.0, length=200.0).contains([[0, 0, 0], [0, 0, 101]]).tolist()
    [True, False]
    """

    radius: float
    length: float
    inner_radius: float = 0.0
    axis: str = "z"
    start_phi: float = 0.0
    delta_phi: float = TWO_PI

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", positive(self.radius, "Cylinder: radius"))
        object.__setattr__(self, "length", positive(self.length, "Cylinder: length"))
        hole = inner(self.inner_radius, self.radius, "Cylinder: inner_radius")
        object.__setattr__(self, "inner_radius", hole)
        check_axis(self.axis, "Cylinder")
        check_sector(self.start_phi, self.delta_phi, "Cylinder")

    @property
    def is_cut(self) -> bool:
        """Whether a sector is missing."""
        return not is_full_turn(self.delta_phi)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        sizes = (self.radius, self.inner_radius, 0.5 * self.length)
        parameters = (*sizes, *sector_parameters(self.start_phi, self.delta_phi))
        return KernelForm(kernels.CYLINDER, parameters, AXES[self.axis], pieces=3)

    def volume(self) -> float:
        """Return the volume [cm3]."""
        delta = self.delta_phi if self.is_cut else 2.0 * math.pi
        return 0.5 * delta * (self.radius**2 - self.inner_radius**2) * self.length

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        lo, hi = sector_bounds(self.start_phi, self.delta_phi, self.inner_radius, self.radius)
        return along_axis(self.axis, lo, hi, -0.5 * self.length, 0.5 * self.length)

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        generator = as_generator(rng)
        u = generator.random((n, 3))
        radius = np.sqrt(self.inner_radius**2 + u[:, 0] * (self.radius**2 - self.inner_radius**2))
        phi = self.start_phi + self.delta_phi * u[:, 1]
        return from_axis(
            self.axis, radius * np.cos(phi), radius * np.sin(phi), (u[:, 2] - 0.5) * self.length
        )

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        from siren_py.geometry import meshing

        return meshing.revolution(
            meshing.ring_profile(
                [-0.5 * self.length, 0.5 * self.length],
                [self.radius] * 2,
                [self.inner_radius] * 2,
            ),
            self.start_phi,
            self.delta_phi,
            sections,
            self.axis,
        )


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

    Raises
    ------
    GeometryError
        If the number of sides or a length is out of range.

    Examples
    --------
    >>> from siren_py.geometry import RegularPrism
    >>> f"{RegularPrism(6, apothem=85.0, length=1.0).volume():.0f} cm3"
    '25028 cm3'
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
        half = 0.5 * self.length
        return along_axis(self.axis, corners.min(axis=0), corners.max(axis=0), -half, half)

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
        return from_axis(self.axis, flat[:, 0], flat[:, 1], (u[:, 3] - 0.5) * self.length)

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        from siren_py.geometry import meshing

        return meshing.extrusion(
            [self.corners()],
            [(-0.5 * self.length, 0.0, 0.0, 1.0), (0.5 * self.length, 0.0, 0.0, 1.0)],
            self.axis,
        )
