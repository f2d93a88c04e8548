"""Surfaces of solids as triangles, for pictures, for export and for `Mesh.of`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import GeometryError
from siren_py.geometry.base import AXES, TWO_PI, is_full_turn

if TYPE_CHECKING:
    from trimesh import Trimesh

_SMALLEST_SECTIONS = 3


def to_trimesh(vertices: FloatArray, faces: IntArray) -> Trimesh:
    """Return a `trimesh.Trimesh` of vertices (n, 3) [cm] and triangles (m, 3) as they are."""
    import trimesh  # takes half a second to load

    return trimesh.Trimesh(vertices, faces, process=False)


def check_sections(sections: int) -> int:
    """Return the number of sides per turn, or say what is wrong with it."""
    if not isinstance(sections, (int, np.integer)) or sections < _SMALLEST_SECTIONS:
        raise GeometryError(f"sections must be an integer of at least 3; it is {sections!r}.")
    return int(sections)


def box(lo: FloatArray, hi: FloatArray) -> Trimesh:
    """Return the surface of an axis-aligned box."""
    x, y = (lo[0], hi[0]), (lo[1], hi[1])
    corners = np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]])
    return extrusion([corners], [(lo[2], 0.0, 0.0, 1.0), (hi[2], 0.0, 0.0, 1.0)])


def triangulate(rings: Sequence[FloatArray]) -> IntArray:
    """Return triangles (m, 3) of a polygon: indices into its rings, joined, counter-clockwise.

    No corner is added, so the triangles fit to walls on the same corners.
    """
    import shapely  # takes a while to load

    polygon = shapely.Polygon(rings[0], list(rings[1:]))
    corners = np.concatenate(rings)
    number = {(x, y): i for i, (x, y) in reversed(list(enumerate(corners.tolist())))}
    parts = shapely.get_parts(shapely.constrained_delaunay_triangles(polygon))
    index = [
        [number[x, y] for x, y in shapely.get_coordinates(part)[:3].tolist()] for part in parts
    ]
    triangles = np.array(index, np.int64).reshape(-1, 3)
    a, b, c = (corners[triangles[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles[area < 0.0] = triangles[area < 0.0][:, ::-1]
    return triangles


def extrusion(
    rings: Sequence[FloatArray],
    sections: Sequence[tuple[float, float, float, float]],
    axis: str = "z",
) -> Trimesh:
    """Return the surface of an extruded polygon.

    Parameters
    ----------
    rings
        Corners (k, 2) of the outline, counter-clockwise, then of the holes, clockwise; not closed.
    sections
        (w, offset u, offset v, scale), ascending in w.
    axis
        Along which it is extruded.
    """
    corners = np.concatenate(rings)
    n = len(corners)
    layers = [
        np.column_stack([corners * scale + (du, dv), np.full(n, w)])
        for w, du, dv, scale in sections
    ]
    first = np.cumsum([0, *(len(ring) for ring in rings[:-1])])
    this = np.arange(n)
    following = np.concatenate(
        [
            start + np.roll(np.arange(len(ring)), -1)
            for start, ring in zip(first, rings, strict=True)
        ]
    )
    faces = []
    for low in range(len(sections) - 1):
        a, b = this + low * n, following + low * n
        faces += [np.column_stack([a, b, b + n]), np.column_stack([a, b + n, a + n])]
    cap = triangulate(rings)
    faces += [cap[:, ::-1], cap + (len(sections) - 1) * n]
    points = np.empty((n * len(sections), 3))
    points[:, list(AXES[axis])] = np.concatenate(layers)
    return to_trimesh(points, np.concatenate(faces))


def ring_profile(
    w: Sequence[float], outer: Sequence[float], hole: Sequence[float]
) -> list[FloatArray]:
    """Return the profile (r, w) between two polygonal lines, counter-clockwise."""
    up = np.column_stack([outer, w])
    down = np.column_stack([hole, w])[::-1]
    points = np.concatenate([up, down])
    different = np.any(points != np.roll(points, 1, axis=0), axis=1)
    return [points[different]]


def ball_profile(radius: float, hole: float, sections: int) -> list[FloatArray]:
    """Return the profile (r, w) of a ball or a shell."""
    count = max(check_sections(sections) // 2, 2)
    angle = np.linspace(-0.5 * math.pi, 0.5 * math.pi, count + 1)
    arc = np.column_stack([np.cos(angle), np.sin(angle)])
    arc[[0, -1], 0] = 0.0
    if hole == 0.0:
        return [radius * arc]
    return [np.concatenate([radius * arc, hole * arc[::-1]])]


def circle(centre: float, radius: float, sections: int) -> FloatArray:
    """Return a circle (r, w) about (centre, 0), counter-clockwise."""
    angle = np.arange(check_sections(sections)) * TWO_PI / sections
    return np.column_stack([centre + radius * np.cos(angle), radius * np.sin(angle)])


def revolution(
    rings: Sequence[FloatArray],
    start_phi: float,
    delta_phi: float,
    sections: int,
    axis: str = "z",
    regular: bool = False,
) -> Trimesh:
    """Return the surface of a body of revolution.

    Parameters
    ----------
    rings
        Corners (r, w) of the profile, counter-clockwise, then of its holes, clockwise.
    start_phi, delta_phi
        The sector that is kept [rad].
    sections
        Sides per full turn; sides of the sector if `regular`.
    axis
        Axis of revolution.
    regular
        Whether the number of sides is exact (a polyhedron) and not a measure of the fineness.
    """
    check_sections(3 if regular else sections)
    whole = is_full_turn(delta_phi)
    steps = sections
    if not regular:
        steps = sections if whole else max(math.ceil(sections * delta_phi / TWO_PI), 1)
    angle = start_phi + np.arange(steps + (not whole)) * ((TWO_PI if whole else delta_phi) / steps)
    corners = np.concatenate(rings)
    n, turns = len(corners), len(angle)
    on_axis = corners[:, 0] == 0.0
    # One vertex for all angles on the axis.
    index = np.arange(turns)[:, None] * n + np.arange(n)[None, :]
    index[:, on_axis] = np.arange(n)[on_axis]
    points = np.empty((turns * n, 3))
    u = np.outer(np.cos(angle), corners[:, 0]).ravel()
    v = np.outer(np.sin(angle), corners[:, 0]).ravel()
    points[:, list(AXES[axis])] = np.column_stack([u, v, np.tile(corners[:, 1], turns)])
    first = np.cumsum([0, *(len(ring) for ring in rings[:-1])])
    following = np.concatenate(
        [
            start + np.roll(np.arange(len(ring)), -1)
            for start, ring in zip(first, rings, strict=True)
        ]
    )
    here = index if whole else index[:-1]
    there = np.roll(index, -1, axis=0) if whole else index[1:]
    a, b = here.ravel(), there.ravel()
    c, d = there[:, following].ravel(), here[:, following].ravel()
    faces = [np.column_stack([a, b, c]), np.column_stack([a, c, d])]
    if not whole:
        cap = triangulate(rings)
        faces += [index[0][cap], index[-1][cap][:, ::-1]]
    triangles = np.concatenate(faces)
    x, y, z = triangles.T
    triangles = triangles[(x != y) & (y != z) & (z != x)]
    used, compact = np.unique(triangles, return_inverse=True)
    return to_trimesh(points[used], compact.reshape(triangles.shape).astype(np.int64))
