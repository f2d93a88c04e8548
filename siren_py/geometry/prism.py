"""Prisms: any polygon, concave or with holes, extruded, shifted and scaled along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import BoolArray, FloatArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels, meshing
from siren_py.geometry.base import (
    AXES,
    KernelForm,
    KernelSolid,
    along_axis,
    check_axis,
    from_axis,
    positive,
    rejection,
    weighted_choice,
)
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from shapely import Polygon
    from trimesh import Trimesh

Section = tuple[float, float, float, float]


@dataclass(frozen=True, init=False)
class Prism(KernelSolid):
    """An extruded polygon.

    Parameters
    ----------
    polygon
        A `shapely.Polygon`, concave or with holes, or a list of corners (x, y) [cm].
    length
        Full length of a prism with straight walls, centred at its origin [cm].
    sections
        In place of `length`: (z [cm], offset_x [cm], offset_y [cm], scale) in ascending order of
        z; between two of them offset and scale change linearly.
    axis
        The local axis along which it is extruded; the polygon lies in (x, y) for axis "z",
        (y, z) for axis "x", (z, x) for axis "y".

    Raises
    ------
    GeometryError
        If the polygon crosses itself or has no area, or the sections do not ascend.

    Examples
    --------
    >>> from siren_py.geometry import Prism
    >>> ell = Prism([(0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3)], length=2.0)
    >>> ell.volume()
    10.0
    """

    polygon: Polygon
    sections: tuple[Section, ...]
    axis: str

    def __init__(
        self,
        polygon: Polygon | Sequence[tuple[float, float]] | FloatArray,
        length: float | None = None,
        sections: Sequence[Sequence[float]] | None = None,
        axis: str = "z",
    ) -> None:
        check_axis(axis, "Prism")
        if (length is None) == (sections is None):
            raise GeometryError("Prism: give either length or sections, not both and not neither.")
        if length is not None:
            half = 0.5 * positive(length, "Prism: length")
            sections = [(-half, 0.0, 0.0, 1.0), (half, 0.0, 0.0, 1.0)]
        object.__setattr__(self, "polygon", checked_polygon(polygon))
        object.__setattr__(self, "sections", _checked_sections(sections))
        object.__setattr__(self, "axis", axis)

    def rings(self) -> list[FloatArray]:
        """Return the corners (k, 2) of the outline, then of the holes [cm]; not closed."""
        rings = [self.polygon.exterior, *self.polygon.interiors]
        return [np.array(ring.coords, dtype=np.float64)[:-1, :2] for ring in rings]

    @property
    def is_straight(self) -> bool:
        """Whether its cross-section is the same everywhere."""
        first = self.sections[0][1:]
        return all(section[1:] == first for section in self.sections)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        rings = self.rings()
        edges = np.concatenate([np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings])
        table = self._merged_sections()
        size = float(np.abs(edges).max())
        pieces = (len(table) - 1) * (len(edges) // 2 + 1)
        return KernelForm(
            kernels.EXTRUSION,
            (float(len(table)), size),
            AXES[self.axis],
            pieces=pieces,
            number=len(edges),
            data=np.concatenate([table.ravel(), edges.ravel()]),
            buffer=2 * pieces + len(edges) + 4,
        )

    def _merged_sections(self) -> FloatArray:
        """Return the sections; only the ends of a straight prism."""
        table = np.array(self.sections)
        return table[[0, -1]] if self.is_straight else table

    def _section_volumes(self) -> FloatArray:
        table = np.array(self.sections)
        a, b = table[:-1, 3], table[1:, 3]
        height = np.diff(table[:, 0])
        volumes: FloatArray = float(self.polygon.area) * height * (a * a + a * b + b * b) / 3.0
        return volumes

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return float(self._section_volumes().sum())

    def hull(self) -> FloatArray:
        """Return its corners, (n, 3) [cm]."""
        outline = self.rings()[0]
        corners = [outline * scale + (du, dv) for _, du, dv, scale in self.sections]
        u, v = np.concatenate(corners).T
        w = np.repeat([section[0] for section in self.sections], len(outline))
        return from_axis(self.axis, u, v, w)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        corners = self.hull()[:, list(AXES[self.axis])]
        lo, hi = corners.min(axis=0), corners.max(axis=0)
        return along_axis(self.axis, lo[:2], hi[:2], float(lo[2]), float(hi[2]))

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        rings, table = self.rings(), np.array(self.sections)
        corners = np.concatenate(rings)[meshing.triangulate(rings)]
        sides = corners[:, 1:] - corners[:, :1]
        areas = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
        largest = np.maximum(table[:-1, 3], table[1:, 3])

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            u = source.random((m, 6))
            chosen = weighted_choice(np.diff(table[:, 0]) * largest**2, u[:, 0])
            here = table[chosen] + u[:, 1:2] * (table[chosen + 1] - table[chosen])
            triangle = corners[weighted_choice(areas, u[:, 2])]
            root = np.sqrt(u[:, 3])[:, None]
            along = u[:, 4:5]
            flat = (1.0 - root) * triangle[:, 0]
            flat += root * ((1.0 - along) * triangle[:, 1] + along * triangle[:, 2])
            flat = flat * here[:, 3:] + here[:, 1:3]
            points = from_axis(self.axis, flat[:, 0], flat[:, 1], here[:, 0])
            return points, u[:, 5] * largest[chosen] ** 2 < here[:, 3] ** 2

        return rejection(n, as_generator(rng), draw, "Prism")

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; `sections` is not used, nothing is round."""
        table = self._merged_sections().tolist()
        return meshing.extrusion(self.rings(), [(w, a, b, s) for w, a, b, s in table], self.axis)


def checked_polygon(polygon: Any) -> Polygon:
    """Return a valid shapely polygon, outline counter-clockwise, or say what is wrong with it."""
    import shapely  # takes a while to load

    if not isinstance(polygon, shapely.Geometry):
        try:
            corners = np.array(polygon, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise GeometryError(
                f"Prism: polygon must be a shapely Polygon or a list of (x, y) [cm]: {error}."
            ) from error
        if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3:
            raise GeometryError(
                "Prism: polygon must have at least three corners (x, y) [cm]; its shape is "
                f"{corners.shape}."
            )
        if not np.all(np.isfinite(corners)):
            raise GeometryError("Prism: the corners must be finite; some are NaN or infinite.")
        polygon = shapely.Polygon(corners)
    if not isinstance(polygon, shapely.Polygon):
        raise GeometryError(
            f"Prism: polygon must be one Polygon; it is a {type(polygon).__name__}. Build a Union "
            "of one Prism per part."
        )
    if polygon.is_empty or not np.all(np.isfinite(shapely.get_coordinates(polygon))):
        raise GeometryError("Prism: the polygon is empty or has corners that are not finite.")
    if not polygon.is_valid:
        reason = shapely.is_valid_reason(polygon)
        raise GeometryError(
            f"Prism: the polygon is not valid: {reason} (cm). List the corners once, in order "
            "around the outline; shapely.make_valid(polygon) shows what it covers."
        )
    if not polygon.area > 0.0:
        raise GeometryError("Prism: the polygon has no area; its corners lie on a line.")
    return shapely.orient_polygons(shapely.force_2d(polygon))


def _checked_sections(sections: Sequence[Sequence[float]] | None) -> tuple[Section, ...]:
    try:
        table = np.array(sections, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError(
            f"Prism: sections must be (z, offset_x, offset_y, scale) each: {error}."
        ) from error
    if table.ndim != 2 or table.shape[1:] != (4,) or len(table) < 2:
        raise GeometryError(
            "Prism: sections must be two or more of (z, offset_x, offset_y, scale); their shape "
            f"is {table.shape}."
        )
    if not np.all(np.isfinite(table)):
        raise GeometryError("Prism: the sections must be finite; some are NaN or infinite.")
    if np.any(np.diff(table[:, 0]) < 0.0) or table[0, 0] == table[-1, 0]:
        raise GeometryError(f"Prism: z of the sections must ascend; it is {table[:, 0].tolist()}.")
    if np.any(table[:, 3] <= 0.0):
        raise GeometryError(
            f"Prism: scales must be positive; they are {table[:, 3].tolist()}. A pyramid with a "
            "tip is a Polyhedron."
        )
    return tuple((z, a, b, s) for z, a, b, s in table.tolist())
