"""Which placed solids contain each other, and which are apart: proofs, not samples.

The answers are one-sided: True is proved, False means "not proved". They rest on the support
function h(n) = max n . x over a convex hull, which is known in closed form for each solid.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from siren_py._typing import FloatArray
from siren_py.geometry.arrays import PlacedSolid
from siren_py.geometry.booleans import Placed
from siren_py.geometry.polyhedra import Polyhedra, Polyhedron
from siren_py.geometry.prism import Prism
from siren_py.geometry.revolved import Cone, Polycone, Torus
from siren_py.geometry.solids import AXES, Box, Cylinder, RegularPrism, Sphere
from siren_py.geometry.trapezoid import Trapezoid

# Faces that touch within this [cm], or this part of the size, neither stick out nor overlap.
_TOUCH = 1e-9


def _axis(item: PlacedSolid, axis: str) -> FloatArray:
    return item.placement.matrix[:, "xyz".index(axis)]


def bare(item: PlacedSolid) -> PlacedSolid:
    """Return the same solid without placements of its own."""
    while isinstance(item.solid, Placed):
        placement = item.placement @ item.solid.placement
        item = item._replace(solid=item.solid.solid, placement=placement)
    return item


def _envelope(item: PlacedSolid) -> PlacedSolid:
    """Return a solid around it whose support function is known: a cylinder for round ones."""
    item = bare(item)
    if isinstance(item.solid, (Cone, Polycone, Torus)):
        cylinder, placement = item.solid.enclosing()
        return item._replace(solid=cylinder, placement=item.placement @ placement)
    return item


def hull_points(item: PlacedSolid) -> FloatArray:
    """Return points (k, 3) in the detector frame whose convex hull contains the solid [cm]."""
    solid = item.solid
    if isinstance(solid, RegularPrism):
        corners = solid.corners()
        local = np.empty((2 * len(corners), 3))
        half = np.full(len(corners), 0.5 * solid.length)
        local[:, list(AXES[solid.axis])] = np.vstack(
            [np.column_stack([corners, -half]), np.column_stack([corners, half])]
        )
    elif isinstance(solid, (Trapezoid, Polyhedron, Polyhedra, Prism)):
        local = solid.hull()
    else:
        local = np.array(list(itertools.product(*zip(*solid.bounds(), strict=True))))
    return item.placement.to_detector(local)


def support(item: PlacedSolid, n: FloatArray) -> float:
    """Return max n . x over the solid (or a hull around it) for a unit vector n [cm]."""
    solid = item.solid
    centre = float(n @ item.placement.position)
    if isinstance(solid, Sphere):
        return centre + solid.radius
    if isinstance(solid, Cylinder) and not solid.is_cut:
        along = abs(float(n @ _axis(item, solid.axis)))
        across = math.sqrt(max(0.0, 1.0 - along * along))
        return centre + 0.5 * solid.length * along + solid.radius * across
    return float((hull_points(item) @ n).max())


def _frame(item: PlacedSolid) -> list[FloatArray]:
    """Directions that are normal to faces of the solid."""
    normals = list(item.placement.matrix.T)
    if isinstance(item.solid, RegularPrism):
        u, v, w = (item.placement.matrix[:, i] for i in AXES[item.solid.axis])
        angle = item.solid.start_phi + np.arange(item.solid.sides) * 2.0 * np.pi / item.solid.sides
        normals = [np.cos(a) * u + np.sin(a) * v for a in angle] + [w]
    if isinstance(item.solid, (Trapezoid, Polyhedron)):
        normals += list(item.solid.half_spaces()[:, :3] @ item.placement.matrix.T)
    return normals


def _hole(item: PlacedSolid) -> PlacedSolid | None:
    """Return what is missing inside a hollow solid, as a placed solid."""
    solid = item.solid
    if isinstance(solid, Sphere) and solid.inner_radius > 0.0:
        return item._replace(solid=Sphere(solid.inner_radius))
    if isinstance(solid, Cylinder) and solid.inner_radius > 0.0 and not solid.is_cut:
        return item._replace(solid=replace(solid, radius=solid.inner_radius, inner_radius=0.0))
    return None


def are_apart(a: PlacedSolid, b: PlacedSolid) -> bool:
    """Whether two solids are proved not to overlap: a plane between them, or one in a hole."""
    a, b = _envelope(a), _envelope(b)
    (lo_a, hi_a), (lo_b, hi_b) = a.box(), b.box()
    touch = _TOUCH * (1.0 + float(max(np.abs(hi_a - lo_a).max(), np.abs(hi_b - lo_b).max())))
    if np.any(lo_a >= hi_b - touch) or np.any(lo_b >= hi_a - touch):
        return True
    for one, other in ((a, b), (b, a)):
        hole = _hole(one)
        if hole is not None and is_inside(other, hole):
            return True
    if is_axis_box(a) and is_axis_box(b):
        return False
    normals = _frame(a) + _frame(b)
    between = b.placement.position - a.placement.position
    normals += [np.cross(x, y) for x in a.placement.matrix.T for y in b.placement.matrix.T]
    normals += [between, *(between - x * (x @ between) for x in a.placement.matrix.T)]
    for normal in normals:
        length = float(np.linalg.norm(normal))
        if length < 1e-6:
            continue
        n = normal / length
        if support(a, n) <= -support(b, -n) + touch or support(b, n) <= -support(a, -n) + touch:
            return True
    return False


def is_inside(inner: PlacedSolid, outer: PlacedSolid) -> bool:
    """Whether `inner` is proved to lie in `outer`; faces may touch."""
    inner, outer = _envelope(inner), bare(outer)
    solid, centre = outer.solid, outer.placement.position
    if not isinstance(solid, (Box, Sphere, Cylinder, RegularPrism, Trapezoid, Polyhedron)):
        return False
    touch = _TOUCH * (1.0 + float(np.abs(np.subtract(*solid.bounds())).max()))
    if isinstance(solid, Cylinder) and solid.is_cut:
        return False
    hole = _hole(outer)
    if hole is not None and not are_apart(inner, hole):
        return False
    if isinstance(solid, Sphere):
        return _reach(inner, centre, None) <= solid.radius + touch
    if isinstance(solid, Box):
        limits = [0.5 * solid.dx, 0.5 * solid.dy, 0.5 * solid.dz]
        sides = list(zip(outer.placement.matrix.T, limits, strict=True))
        sides += [(-n, limit) for n, limit in sides]
    elif isinstance(solid, (Trapezoid, Polyhedron)):
        faces = solid.half_spaces()
        normals = faces[:, :3] @ outer.placement.matrix.T
        sides = list(zip(normals, faces[:, 3].tolist(), strict=True))
    else:
        w, half = _axis(outer, solid.axis), 0.5 * solid.length
        sides = [(w, half), (-w, half)]
        if isinstance(solid, RegularPrism):
            sides += [(n, solid.apothem) for n in _frame(outer)[:-1]]
        elif _reach(inner, centre, w) > solid.radius + touch:
            return False
    return all(support(inner, n) - n @ centre <= limit + touch for n, limit in sides)


def _reach(item: PlacedSolid, point: FloatArray, axis: FloatArray | None) -> float:
    """Upper bound of the distance of a solid from a point, or from the axis through it [cm]."""
    item = _envelope(item)
    solid = item.solid
    offset = item.placement.position - point
    if axis is not None:
        offset = offset - axis * (axis @ offset)
    if isinstance(solid, Sphere):
        return float(np.linalg.norm(offset)) + solid.radius
    if isinstance(solid, Cylinder):
        own = _axis(item, solid.axis)
        if axis is None:
            along = float(offset @ own)
            across = float(np.linalg.norm(offset - own * along))
            return math.hypot(across + solid.radius, abs(along) + 0.5 * solid.length)
        if abs(float(own @ axis)) > 1.0 - 1e-15:
            return float(np.linalg.norm(offset)) + solid.radius
    points = hull_points(item) - point
    if axis is not None:
        points = points - np.outer(points @ axis, axis)
    return float(np.linalg.norm(points, axis=1).max())


def is_axis_box(item: PlacedSolid) -> bool:
    """Whether it is a box (or a stack in a box) with faces along the axes of the detector."""
    return isinstance(item.solid, Box) and item.placement.is_axis_aligned
