"""Visible volumes by sweeping cross-sections: prisms, boxes and cylinders along one axis.

Between two neighbouring faces nothing changes along the axis, so a volume is an area times a
length. Areas of polygons are exact. A circle lies between the polygons inscribed in it and
circumscribed about it; since what is visible grows with the solid and shrinks with what displaces
it, these two bound the area, within 6e-7 of that of the circle.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from siren_py._typing import BoolArray, FloatArray
from siren_py.geometry.arrays import PlacedSolid
from siren_py.geometry.base import AXES
from siren_py.geometry.prism import Prism
from siren_py.geometry.solids import Box, Cylinder, RegularPrism

if TYPE_CHECKING:
    from shapely import Geometry

_PARALLEL = 1e-9  # sine of the angle between axes that count as one
_CORNERS = 4096  # of the polygons in and around a circle; their areas differ by (pi / 4096)^2


class Section(NamedTuple):
    """A solid with one cross-section from `low` to `high` along an axis.

    `inner` lies in the cross-section and `outer` around it; they are the same unless it is round.
    """

    low: float
    high: float
    inner: Geometry
    outer: Geometry


class SweptLayers(NamedTuple):
    """Layers of a solid without those of the others that could be swept.

    Attributes
    ----------
    volumes, bounds
        Volumes, and by how much they may be off at most [cm3].
    swept
        Which of the others were taken away.
    """

    volumes: FloatArray
    bounds: FloatArray
    swept: BoolArray


def is_straight(item: PlacedSolid, axis: str) -> bool:
    """Whether a solid has the same cross-section all along one of its own axes."""
    solid = item.solid
    if isinstance(solid, Box):
        return True
    if isinstance(solid, Prism):
        return solid.is_straight and solid.axis == axis
    return isinstance(solid, (Cylinder, RegularPrism)) and solid.axis == axis


def swept_layers(item: PlacedSolid, others: Sequence[PlacedSolid]) -> SweptLayers | None:
    """Return the volumes of the layers of a solid less the others that go along the same axis.

    None if the solid itself, or the sections of its layers, change along every axis, or none of
    the others goes along one.
    """
    axes = "xyz" if item.stack is None else item.stack.axis
    best, swept = "", np.zeros(len(others), np.bool_)
    for axis in axes:
        if not is_straight(item, axis) or _is_cut(item):
            continue
        along = item.placement.matrix[:, "xyz".index(axis)]
        possible = np.array([_local_axis(other, along) is not None for other in others], np.bool_)
        if possible.sum() > swept.sum():
            best, swept = axis, possible
    if not best:
        return None
    layers = _sweep(item, best, [others[int(k)] for k in np.flatnonzero(swept)])
    return SweptLayers(*layers, swept)


def _local_axis(item: PlacedSolid, along: FloatArray) -> str | None:
    """Return the local axis that is parallel to `along`, if the solid is straight along it."""
    for column, axis in enumerate("xyz"):
        sine = np.linalg.norm(np.cross(item.placement.matrix[:, column], along))
        if sine < _PARALLEL and is_straight(item, axis) and not _is_cut(item):
            return axis
    return None


def _is_cut(item: PlacedSolid) -> bool:
    return isinstance(item.solid, Cylinder) and item.solid.is_cut


def _sweep(
    item: PlacedSolid, axis: str, others: Sequence[PlacedSolid]
) -> tuple[FloatArray, FloatArray]:
    import shapely  # takes a while to load

    frame = item.placement.matrix[:, list(AXES[axis])]
    own = section_along(item, frame, item.placement.position)
    edges = np.array([own.low, own.high]) if item.stack is None else item.stack.edges
    cutters = [section_along(other, frame, item.placement.position) for other in others]
    faces = np.array([[one.low, one.high] for one in cutters])
    planes: FloatArray = np.unique(np.concatenate([edges, faces.ravel()]))
    planes = planes[(planes >= edges[0]) & (planes <= edges[-1])]
    least, most = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    areas: dict[tuple[int, ...], tuple[float, float]] = {}
    for low, high in itertools.pairwise(planes):
        middle = 0.5 * (low + high)
        active = tuple(k for k, one in enumerate(cutters) if one.low < middle < one.high)
        if active not in areas:
            around = shapely.union_all([cutters[k].outer for k in active])
            within = shapely.union_all([cutters[k].inner for k in active])
            areas[active] = own.inner.difference(around).area, own.outer.difference(within).area
        layer = int(np.searchsorted(edges, middle)) - 1
        least[layer] += areas[active][0] * (high - low)
        most[layer] += areas[active][1] * (high - low)
    return 0.5 * (least + most), 0.5 * (most - least)


def section_along(item: PlacedSolid, frame: FloatArray, origin: FloatArray) -> Section:
    """Return the cross-section of a straight solid in the frame (columns u, v, w) at `origin`."""
    import shapely
    from shapely.affinity import affine_transform

    solid, matrix = item.solid, item.placement.matrix
    axis = _local_axis(item, frame[:, 2])
    if axis is None:
        raise ValueError(f"{item.name}: its cross-section changes along the axis {frame[:, 2]}.")
    local = matrix[:, list(AXES[axis])]
    if isinstance(solid, Cylinder):
        inner, outer = _rings(solid.radius, solid.inner_radius)
        length, middle = solid.length, 0.0
    elif isinstance(solid, RegularPrism):
        inner = outer = shapely.Polygon(solid.corners())
        length, middle = solid.length, 0.0
    elif isinstance(solid, Prism):
        low, du, dv, scale = solid.sections[0]
        inner = outer = affine_transform(solid.polygon, (scale, 0.0, 0.0, scale, du, dv))
        high = solid.sections[-1][0]
        length, middle = high - low, 0.5 * (low + high)
    elif isinstance(solid, Box):
        du, dv, length = (solid.bounds()[1] - solid.bounds()[0])[list(AXES[axis])].tolist()
        inner = outer = shapely.box(-0.5 * du, -0.5 * dv, 0.5 * du, 0.5 * dv)
        middle = 0.0
    else:
        raise TypeError(f"{item.name}: no cross-section of a {type(solid).__name__} is known.")
    turn = frame[:, :2].T @ local[:, :2]
    at = frame.T @ (item.placement.position - origin)
    numbers = (*turn[0], *turn[1], *at[:2])
    centre = float(at[2]) + middle * math.copysign(1.0, float(local[:, 2] @ frame[:, 2]))
    inner, outer = (affine_transform(one, numbers) for one in (inner, outer))
    return Section(centre - 0.5 * length, centre + 0.5 * length, inner, outer)


def _rings(radius: float, hole: float) -> tuple[Geometry, Geometry]:
    """Return polygons in and around a ring (a disc without a hole)."""
    import shapely

    angle = 2.0 * math.pi * np.arange(_CORNERS) / _CORNERS
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    around = 1.0 / math.cos(math.pi / _CORNERS)
    inner = shapely.Polygon(radius * circle)
    outer = shapely.Polygon(radius * around * circle)
    if hole > 0.0:
        inner = inner.difference(shapely.Polygon(hole * around * circle))
        outer = outer.difference(shapely.Polygon(hole * circle))
    return inner, outer
