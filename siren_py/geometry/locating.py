"""Which volume and which material a point is in."""

from __future__ import annotations

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.geometry.arrays import GeometryArrays
from siren_py.geometry.layer_kernels import layer_at
from siren_py.geometry.rows import row_contains

# For `locate_point` when every solid has a kernel.
NO_EXTERNAL_INSIDE: BoolArray = np.zeros((0, 0), np.bool_)


@kernel
def locate_point(
    geometry: GeometryArrays, external_inside: BoolArray, point: int, x: float, y: float, z: float
) -> tuple[int, int]:
    """Return the volume and the material at a point, (-1, -1) outside everything.

    `external_inside` (solids, points) says which points are in the solids without kernel; its
    first dimension is 0 when there are none, and `point` is then unused.
    """
    box = geometry.node_box
    latest = -1
    node = 0
    while node < box.shape[0]:
        if not (
            box[node, 0] <= x <= box[node, 3]
            and box[node, 1] <= y <= box[node, 4]
            and box[node, 2] <= z <= box[node, 5]
        ):
            node = geometry.node_link[node, 0]
            continue
        row = geometry.node_link[node, 1]
        node += 1
        if row <= latest:
            continue
        if row_contains(geometry, external_inside, row, point, x, y, z):
            latest = row
    if latest < 0:
        return -1, -1
    stack = geometry.integer[latest, 3]
    if stack < 0:
        return latest, geometry.integer[latest, 2]
    first = geometry.stack[stack, 0]
    coordinate = (
        geometry.stack_axis[stack, 0] * x
        + geometry.stack_axis[stack, 1] * y
        + geometry.stack_axis[stack, 2] * z
        + geometry.stack_axis[stack, 3]
    )
    layer = layer_at(geometry.layer_edge, first, geometry.stack[stack, 2], coordinate)
    return latest, geometry.layer_material[geometry.stack[stack, 1] + layer]


@kernel
def locate_points(
    geometry: GeometryArrays,
    external_inside: BoolArray,
    points: FloatArray,
    volume: IntArray,
    material: IntArray,
) -> None:
    """Write volume and material at each of `points` (n, 3)."""
    for i in range(points.shape[0]):
        volume[i], material[i] = locate_point(
            geometry, external_inside, i, points[i, 0], points[i, 1], points[i, 2]
        )
