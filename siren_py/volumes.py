"""What a detector consists of and what tracing returns: volumes, the beam, segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import ArrayLike, FloatArray, IntArray
from siren_py.errors import GeometryError
from siren_py.geometry.layers import LayerStack
from siren_py.geometry.placement import Placement, vector3
from siren_py.geometry.profiles import RadialDensity
from siren_py.geometry.solids import Solid

if TYPE_CHECKING:
    from siren_py.materials import Material


def unit_tuple(vector: ArrayLike, what: str) -> tuple[float, float, float]:
    """Return a vector of any length as a unit vector."""
    way = vector3(vector, what)
    norm = float(np.linalg.norm(way))
    if norm == 0.0:
        raise GeometryError(f"{what} is zero; it must be a vector.")
    return point_tuple(way / norm)


def point_tuple(vector: ArrayLike) -> tuple[float, float, float]:
    """Return a vector as a tuple of floats."""
    x, y, z = (float(c) for c in vector3(vector, "A point of the beam"))
    return x, y, z


@dataclass(frozen=True)
class Beam:
    """The beam in the detector frame.

    Attributes
    ----------
    direction
        Unit vector along which the neutrinos fly.
    distance
        From the source to the origin of the detector frame along the beam [cm], or None for a
        parallel beam.
    description
        Where the numbers come from.
    source_length
        Length of the source, a straight line from which neutrinos come evenly [cm].
    source_axis
        Unit vector along the source, from its beginning; None: along `direction`.
    source_start
        Where the source begins [cm]; None: `distance` before the origin, against `direction`.
    """

    direction: tuple[float, float, float] = (0.0, 0.0, 1.0)
    distance: float | None = None
    description: str = ""
    source_length: float = 0.0
    source_axis: tuple[float, float, float] | None = None
    source_start: tuple[float, float, float] | None = None

    def source(self) -> tuple[FloatArray, FloatArray] | None:
        """Return both ends of the source, (3,) each [cm]; None for a parallel beam."""
        if self.source_start is not None:
            first = np.asarray(self.source_start, dtype=np.float64)
        elif self.distance is not None:
            first = -self.distance * np.asarray(self.direction)
        else:
            return None
        axis = self.direction if self.source_axis is None else self.source_axis
        return first, first + self.source_length * np.asarray(axis)

    @property
    def off_axis_angle(self) -> float:
        """Angle at the beginning of the source between its axis and the origin [rad]."""
        ends = self.source()
        if ends is None or self.source_axis is None:
            return 0.0
        axis, way = np.asarray(self.source_axis), -ends[0]
        return float(np.arctan2(np.linalg.norm(np.cross(axis, way)), axis @ way))


@dataclass(frozen=True, eq=False)
class Volume:
    """A placed solid filled with a material, or a placed stack of layers.

    Attributes
    ----------
    name, solid
        Name and shape.
    material
        Its material; None for a stack, whose layers have their own.
    placement
        Position and rotation in the detector frame.
    stack
        The stack, or None.
    profile
        Its density if that changes with the radius, or None.
    index
        Order of addition; of the volumes at a point the one with the largest index counts.
    """

    name: str
    solid: Solid = field(repr=False)
    material: Material | None
    placement: Placement = field(repr=False)
    index: int
    stack: LayerStack | None = field(default=None, repr=False)
    profile: RadialDensity | None = field(default=None, repr=False)

    @property
    def at(self) -> FloatArray:
        """Position of its origin in the detector frame, (3,) [cm]."""
        return self.placement.position

    @property
    def rotation(self) -> FloatArray | None:
        """Rotation matrix (3, 3), or None."""
        return self.placement.matrix if self.placement.is_rotated else None

    @property
    def materials(self) -> tuple[Material, ...]:
        """Material of each layer (one if it is no stack)."""
        if self.stack is not None:
            return self.stack.materials
        return () if self.material is None else (self.material,)


@dataclass(frozen=True)
class Segments:
    """Segments of many lines, jagged over lines; what lies between them is vacuum.

    Attributes
    ----------
    offsets
        (n + 1,) int64: line i owns the entries offsets[i] to offsets[i + 1].
    t_in, t_out
        Ends of the segments along the lines [cm], ascending and disjoint per line.
    volume, material
        Indices into `volume_names` and `material_names`.
    density
        Density of each segment [g/cm3].
    """

    offsets: IntArray
    t_in: FloatArray
    t_out: FloatArray
    volume: IntArray
    material: IntArray
    density: FloatArray
    volume_names: tuple[str, ...] = field(repr=False)
    material_names: tuple[str, ...] = field(repr=False)

    @property
    def length(self) -> FloatArray:
        """Length of each segment [cm]."""
        return self.t_out - self.t_in

    @property
    def line(self) -> IntArray:
        """Index of the line of each segment."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def column_depth(self) -> FloatArray:
        """Return density times length summed per line, (n,) [g/cm2]."""
        depth = np.bincount(self.line, self.density * self.length, minlength=len(self))
        return depth.astype(np.float64)

    def __len__(self) -> int:
        return len(self.offsets) - 1
