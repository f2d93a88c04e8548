"""Surfaces of solids as triangles with the edges that a drawing shows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.solids import Box, Solid

SECTIONS = 48
"""Sides of round parts per turn."""
_CELLS = 44
_SHARP = 0.9  # cosine between the normals of two faces below which their edge is drawn

_BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]],
    dtype=np.int64,
)  # fmt: skip


class Surface(NamedTuple):
    """Triangles: `vertices` (n, 3) [cm], `faces` (m, 3) seen from outside, `edges` (k, 2)."""

    vertices: FloatArray
    faces: IntArray
    edges: IntArray


def surface(solid: Solid) -> Surface:
    """Return the surface of a solid in its own frame.

    A solid without a method `mesh`, e.g. a user's own, is scanned with lines along the axes.
    """
    if isinstance(solid, Box):
        lo, hi = solid.bounds()
        corner = np.array([[i & 1, i >> 1 & 1, i >> 2] for i in range(8)])
        vertices = lo + corner * (hi - lo)
        return Surface(vertices, _BOX_FACES[:, ::-1].copy(), sharp_edges(vertices, _BOX_FACES))
    make: Any = getattr(solid, "mesh", None)
    if callable(make):
        mesh = make(sections=SECTIONS)
        vertices = np.asarray(mesh.vertices, dtype=np.float64)
        faces = np.asarray(mesh.faces, dtype=np.int64)
    else:
        vertices, faces = scan(solid)
    return Surface(vertices, faces, sharp_edges(vertices, faces))


def sharp_edges(vertices: FloatArray, faces: IntArray) -> IntArray:
    """Return the edges (k, 2) between faces that differ in direction, and open edges."""
    if len(faces) == 0:
        return np.zeros((0, 2), np.int64)
    # Vertices at the same place count as one.
    size = float(np.abs(vertices).max()) or 1.0
    _, first, same = np.unique(
        np.round(vertices / size * 1e7), axis=0, return_index=True, return_inverse=True
    )
    merged = first[same.ravel()][faces]
    a, b, c = (vertices[merged[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    normal /= np.where(length > 0.0, length, 1.0)[:, None]
    pairs = np.sort(np.concatenate([merged[:, [0, 1]], merged[:, [1, 2]], merged[:, [2, 0]]]), 1)
    owner = np.tile(np.arange(len(faces)), 3)
    keep = length[owner] > 0.0
    pairs, owner = pairs[keep], owner[keep]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, owner = pairs[order], owner[order]
    edges, start, count = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    cosine = np.einsum(
        "ij,ij->i", normal[owner[start]], normal[owner[np.minimum(start + 1, len(owner) - 1)]]
    )
    result: IntArray = edges[(count != 2) | (cosine < _SHARP)].astype(np.int64)
    return result


def scan(solid: Solid, cells: int = _CELLS) -> tuple[FloatArray, IntArray]:
    """Return a surface from where lines along the axes cross it ("surface nets").

    One vertex per cell that the surface crosses, at the mean of the crossings of the edges of
    the cell: S. Gibson, "Constrained elastic surface nets", MERL TR99-24 (1999), with exact
    crossings. Walls thinner than a cell may be missing.
    """
    lo, hi = (np.asarray(corner, dtype=np.float64) for corner in solid.bounds())
    step = (hi - lo) / (cells - 2.5)
    grid = [lo[k] - 0.75 * step[k] + step[k] * np.arange(cells) for k in range(3)]
    nodes = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1)
    inside = np.asarray(solid.contains(nodes.reshape(-1, 3))).reshape((cells,) * 3)
    total = np.zeros((cells - 1,) * 3 + (3,))
    count = np.zeros((cells - 1,) * 3)
    quads = []
    number = np.arange((cells - 1) ** 3).reshape((cells - 1,) * 3)
    for axis in range(3):
        change = np.diff(inside.astype(np.int8), axis=axis) != 0
        where = np.argwhere(change)
        others = [k for k in range(3) if k != axis]
        where = where[np.all((where[:, others] > 0) & (where[:, others] < cells - 1), axis=1)]
        if len(where) == 0:
            continue
        crossing = nodes[tuple(where.T)].copy()
        crossing[:, axis] = _crossings(solid, nodes, where, axis, step[axis])
        cell_of = []
        for da, db in ((0, 0), (1, 0), (1, 1), (0, 1)):
            cell = where.copy()
            cell[:, others[0]] -= da
            cell[:, others[1]] -= db
            np.add.at(total, tuple(cell.T), crossing)
            np.add.at(count, tuple(cell.T), 1.0)
            cell_of.append(number[tuple(cell.T)])
        quad = np.column_stack(cell_of)
        outwards = inside[tuple(where.T)] ^ (axis == 1)
        quads.append(np.where(outwards[:, None], quad, quad[:, ::-1]))
    quad = np.concatenate(quads) if quads else np.zeros((0, 4), np.int64)
    used, index = np.unique(quad, return_inverse=True)
    quad = index.reshape(-1, 4)
    vertices = (total.reshape(-1, 3) / np.maximum(count, 1.0).reshape(-1, 1))[used]
    faces = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])
    return vertices, faces.astype(np.int64)


def _crossings(
    solid: Solid, nodes: FloatArray, where: IntArray, axis: int, step: float
) -> FloatArray:
    """Return where lines along an axis cross the surface between two nodes, (k,) [cm]."""
    origins = nodes[tuple(where.T)]
    ways = np.tile(np.eye(3)[axis], (len(where), 1))
    found = solid.intervals(origins, ways)
    line = np.repeat(np.arange(len(where)), np.diff(found.offsets))
    result = np.full(len(where), 0.5 * step)
    for ends in (np.asarray(found.t_in), np.asarray(found.t_out)):
        here = (ends >= 0.0) & (ends <= step)
        result[line[here]] = ends[here]
    crossing: FloatArray = origins[:, axis] + result
    return crossing
