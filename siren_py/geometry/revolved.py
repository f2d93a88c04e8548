"""Bodies of revolution: cone, polycone and torus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels, meshing
from siren_py.geometry.base import (
    AXES,
    TWO_PI,
    KernelForm,
    KernelSolid,
    along_axis,
    check_axis,
    check_sector,
    finite,
    finite_list,
    from_axis,
    inner,
    is_full_turn,
    positive,
    rejection,
    sector_bounds,
    sector_parameters,
    weighted_choice,
)
from siren_py.geometry.placement import Placement
from siren_py.geometry.solids import Cylinder
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from trimesh import Trimesh


def frustum_volumes(
    height: FloatArray, low: FloatArray, high: FloatArray, delta_phi: float
) -> FloatArray:
    """Return the volumes of sectors of frustums between radii `low` and `high` [cm3]."""
    volume: FloatArray = delta_phi / 6.0 * height * (low * low + low * high + high * high)
    return volume


class _Revolved(KernelSolid):
    """What cones and polycones share: hollow frustums one after the other along an axis."""

    axis: str
    start_phi: float
    delta_phi: float

    def profile(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the coordinates along the axis and the outer and inner radii there [cm]."""
        raise NotImplementedError  # each subclass has its own

    def _sections(self) -> FloatArray:
        """Low and high end, outer radii there, inner radii there, (sections, 6)."""
        w, outer, hole = self.profile()
        table = np.column_stack([w[:-1], w[1:], outer[:-1], outer[1:], hole[:-1], hole[1:]])
        return table[table[:, 1] > table[:, 0]]

    @property
    def _turn(self) -> float:
        return TWO_PI if is_full_turn(self.delta_phi) else self.delta_phi

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        sections = self._sections()
        sector = sector_parameters(self.start_phi, self.delta_phi)
        return KernelForm(
            kernels.POLYCONE,
            (0.0, 0.0, 0.0, *sector),
            AXES[self.axis],
            pieces=2 * len(sections) + 1,
            number=len(sections),
            data=sections,
        )

    def _volumes(self) -> FloatArray:
        low, high, *radii = self._sections().T
        height = high - low
        outer = frustum_volumes(height, radii[0], radii[1], self._turn)
        return outer - frustum_volumes(height, radii[2], radii[3], self._turn)

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return float(self._volumes().sum())

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        w, outer, hole = self.profile()
        smallest, largest = float(hole.min()), float(outer.max())
        lo, hi = sector_bounds(self.start_phi, self.delta_phi, smallest, largest)
        return along_axis(self.axis, lo, hi, float(w[0]), float(w[-1]))

    def enclosing(self) -> tuple[Cylinder, Placement]:
        """Return the smallest cylinder around it, hollow if it is, and where that stands."""
        w, outer, hole = self.profile()
        centre = np.zeros(3)
        centre["xyz".index(self.axis)] = 0.5 * float(w[0] + w[-1])
        cylinder = Cylinder(
            float(outer.max()), float(w[-1] - w[0]), float(hole.min()), axis=self.axis
        )
        return cylinder, Placement.of(centre)

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        generator = as_generator(rng)
        sections, weights = self._sections(), self._volumes()
        largest = (
            np.maximum(sections[:, 2], sections[:, 3]) ** 2
            - np.minimum(sections[:, 4], sections[:, 5]) ** 2
        )

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            u = source.random((m, 5))
            # Sections by the volume of their envelope, so that rejection leaves the true one.
            height = sections[:, 1] - sections[:, 0]
            chosen = weighted_choice(height * largest, u[:, 0])
            low, high, r0, r1, h0, h1 = sections[chosen].T
            w = low + u[:, 1] * (high - low)
            outer2 = (r0 + u[:, 1] * (r1 - r0)) ** 2
            hole2 = (h0 + u[:, 1] * (h1 - h0)) ** 2
            radius = np.sqrt(hole2 + u[:, 2] * (outer2 - hole2))
            phi = self.start_phi + self._turn * u[:, 3]
            points = from_axis(self.axis, radius * np.cos(phi), radius * np.sin(phi), w)
            return points, u[:, 4] * largest[chosen] < outer2 - hole2

        return rejection(n, generator, draw, f"{type(self).__name__} of {weights.sum():.3g} cm3")

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        w, outer, hole = (values.tolist() for values in self.profile())
        rings = meshing.ring_profile(w, outer, hole)
        return meshing.revolution(rings, self.start_phi, self.delta_phi, sections, self.axis)


@dataclass(frozen=True)
class Cone(_Revolved):
    """A cone or a frustum, possibly hollow and cut in azimuth, centred at its origin.

    Parameters
    ----------
    length
        Full length along the axis [cm].
    radius_low, radius_high
        Outer radii at -length/2 and at +length/2 [cm]; one of them may be zero.
    inner_radius_low, inner_radius_high
        Radii of the hole at both ends [cm].
    axis, start_phi, delta_phi
        As for `Cylinder`.

    Examples
    --------
    >>> from siren_py.geometry import Cone
    >>> f"{Cone(length=30.0, radius_low=10.0, radius_high=0.0).volume():.1f} cm3"
    '3141.6 cm3'
    """

    length: float
    radius_low: float
    radius_high: float
    inner_radius_low: float = 0.0
    inner_radius_high: float = 0.0
    axis: str = "z"
    start_phi: float = 0.0
    delta_phi: float = TWO_PI

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", positive(self.length, "Cone: length"))
        for name in ("radius_low", "radius_high", "inner_radius_low", "inner_radius_high"):
            object.__setattr__(self, name, finite(getattr(self, name), f"Cone: {name}"))
        check_axis(self.axis, "Cone")
        check_sector(self.start_phi, self.delta_phi, "Cone")
        _check_radii("Cone", *self.profile())

    def profile(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the coordinates along the axis and the outer and inner radii there [cm]."""
        return (
            np.array([-0.5 * self.length, 0.5 * self.length]),
            np.array([self.radius_low, self.radius_high]),
            np.array([self.inner_radius_low, self.inner_radius_high]),
        )


@dataclass(frozen=True)
class Polycone(_Revolved):
    """Frustums one after the other along an axis, possibly hollow and cut in azimuth.

    Parameters
    ----------
    z
        Coordinates along the axis in its own frame [cm], ascending (or descending); a coordinate
        that stands twice is a step of the radii.
    outer, inner
        Outer and inner radii there [cm]; no hole if `inner` is None.
    axis, start_phi, delta_phi
        As for `Cylinder`.

    Examples
    --------
    >>> from siren_py.geometry import Polycone
    >>> nozzle = Polycone(z=[0.0, 10.0, 30.0], outer=[5.0, 5.0, 2.0])
    >>> f"{nozzle.volume():.1f} cm3"
    '1602.2 cm3'
    """

    z: tuple[float, ...]
    outer: tuple[float, ...]
    inner: tuple[float, ...] | None = None
    axis: str = "z"
    start_phi: float = 0.0
    delta_phi: float = TWO_PI

    def __init__(
        self,
        z: ArrayLike,
        outer: ArrayLike,
        inner: ArrayLike | None = None,
        axis: str = "z",
        start_phi: float = 0.0,
        delta_phi: float = TWO_PI,
    ) -> None:
        check_axis(axis, "Polycone")
        check_sector(start_phi, delta_phi, "Polycone")
        planes, radii, holes = checked_profile("Polycone", z, outer, inner)
        _check_radii("Polycone", planes, radii, holes)
        object.__setattr__(self, "z", tuple(planes.tolist()))
        object.__setattr__(self, "outer", tuple(radii.tolist()))
        object.__setattr__(self, "inner", tuple(holes.tolist()) if np.any(holes > 0.0) else None)
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "start_phi", float(start_phi))
        object.__setattr__(self, "delta_phi", float(delta_phi))

    def profile(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the coordinates along the axis and the outer and inner radii there [cm]."""
        z, outer = np.array(self.z), np.array(self.outer)
        return z, outer, np.zeros(len(z)) if self.inner is None else np.array(self.inner)


def checked_profile(
    what: str, z: ArrayLike, outer: ArrayLike, hole: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return z, outer and inner radii of a polycone, ascending in z, or say what is wrong."""
    planes = finite_list(z, f"{what}: z", 2)
    radii = finite_list(outer, f"{what}: outer", 2)
    holes = np.zeros(len(planes)) if hole is None else finite_list(hole, f"{what}: inner", 2)
    if not len(planes) == len(radii) == len(holes):
        raise GeometryError(
            f"{what}: z, outer and inner must have the same length; they have {len(planes)}, "
            f"{len(radii)} and {len(holes)}."
        )
    if planes[0] > planes[-1]:
        planes, radii, holes = planes[::-1], radii[::-1], holes[::-1]
    if np.any(np.diff(planes) < 0.0) or planes[0] == planes[-1]:
        raise GeometryError(
            f"{what}: z must ascend (a repeated z is a step of the radii); it is {planes.tolist()}."
        )
    return planes, radii, holes


def _check_radii(what: str, z: FloatArray, outer: FloatArray, hole: FloatArray) -> None:
    for i in range(len(z)):
        if not 0.0 <= hole[i] <= outer[i]:
            raise GeometryError(
                f"{what}: radii must obey 0 <= inner <= outer [cm]; at {z[i]:g} cm along the axis "
                f"inner is {hole[i]!r} and outer is {outer[i]!r}."
            )
    height = np.diff(z)
    left = (outer - hole)[:-1] + (outer - hole)[1:]
    if not np.any(height * left > 0.0):
        raise GeometryError(f"{what}: it has no volume; its outer radii are its inner radii.")


@dataclass(frozen=True)
class Torus(KernelSolid):
    """A torus about its axis, possibly hollow and cut in azimuth, centred at its origin.

    Parameters
    ----------
    ring_radius
        From the axis to the centre of the tube [cm].
    outer_radius, inner_radius
        Radii of the tube [cm].
    start_phi, delta_phi, axis
        As for `Cylinder`.

    Raises
    ------
    GeometryError
        If radii are out of range or the tube reaches over the axis.

    Examples
    --------
    >>> from siren_py.geometry import Torus
    >>> f"{Torus(ring_radius=10.0, outer_radius=1.0).volume():.2f} cm3"
    '197.39 cm3'
    """

    ring_radius: float
    outer_radius: float
    inner_radius: float = 0.0
    start_phi: float = 0.0
    delta_phi: float = TWO_PI
    axis: str = "z"

    def __post_init__(self) -> None:
        for name in ("ring_radius", "outer_radius"):
            object.__setattr__(self, name, positive(getattr(self, name), f"Torus: {name}"))
        hole = inner(self.inner_radius, self.outer_radius, "Torus: inner_radius")
        object.__setattr__(self, "inner_radius", hole)
        if self.outer_radius > self.ring_radius:
            raise GeometryError(
                f"Torus: outer_radius ({self.outer_radius!r}) must not exceed ring_radius "
                f"({self.ring_radius!r}) [cm], or the tube meets itself on the axis."
            )
        check_axis(self.axis, "Torus")
        check_sector(self.start_phi, self.delta_phi, "Torus")

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        sizes = (self.ring_radius, self.outer_radius, self.inner_radius)
        sector = sector_parameters(self.start_phi, self.delta_phi)
        return KernelForm(kernels.TORUS, (*sizes, *sector), AXES[self.axis], pieces=5, buffer=20)

    @property
    def _turn(self) -> float:
        return TWO_PI if is_full_turn(self.delta_phi) else self.delta_phi

    def volume(self) -> float:
        """Return the volume [cm3]: Pappus' theorem."""
        section = math.pi * (self.outer_radius**2 - self.inner_radius**2)
        return section * self.ring_radius * self._turn

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        lo, hi = sector_bounds(
            self.start_phi,
            self.delta_phi,
            self.ring_radius - self.outer_radius,
            self.ring_radius + self.outer_radius,
        )
        return along_axis(self.axis, lo, hi, -self.outer_radius, self.outer_radius)

    def enclosing(self) -> tuple[Cylinder, Placement]:
        """Return the smallest full cylinder around it, and where that stands."""
        reach = self.ring_radius + self.outer_radius
        return Cylinder(reach, 2.0 * self.outer_radius, axis=self.axis), Placement.of()

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        generator = as_generator(rng)
        low, high = self.inner_radius**2, self.outer_radius**2

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            u = source.random((m, 4))
            radius = np.sqrt(low + u[:, 0] * (high - low))
            across = self.ring_radius + radius * np.cos(TWO_PI * u[:, 1])
            w = radius * np.sin(TWO_PI * u[:, 1])
            phi = self.start_phi + self._turn * u[:, 2]
            points = from_axis(self.axis, across * np.cos(phi), across * np.sin(phi), w)
            # The volume element grows with the distance from the axis.
            return points, u[:, 3] * (self.ring_radius + self.outer_radius) < across

        return rejection(n, generator, draw, "Torus")

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        rings = [meshing.circle(self.ring_radius, self.outer_radius, sections)]
        if self.inner_radius > 0.0:
            rings.append(meshing.circle(self.ring_radius, self.inner_radius, sections)[::-1])
        return meshing.revolution(rings, self.start_phi, self.delta_phi, sections, self.axis)
