"""Kernels of depths: how much matter lies between two points, and how far a given depth reaches."""

from __future__ import annotations

import math

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray
from siren_py.geometry.arrays import External, GeometryArrays, Scratch
from siren_py.geometry.layer_kernels import along_axis, layer_at, stack_depth
from siren_py.geometry.profile_kernels import WHOLE
from siren_py.geometry.tracing import visible_pieces


@kernel
def column_depths(
    geometry: GeometryArrays,
    external: External,
    starts: FloatArray,
    ends: FloatArray,
    scratch: Scratch,
    first: int,
    stop: int,
    depth: FloatArray,
) -> None:
    """Write the integral of the density between two points [g/cm2], lines `first` to `stop`."""
    for i in range(first, stop):
        ox, oy, oz = starts[i, 0], starts[i, 1], starts[i, 2]
        dx, dy, dz = ends[i, 0] - ox, ends[i, 1] - oy, ends[i, 2] - oz
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        depth[i] = 0.0
        if length == 0.0:
            continue
        dx, dy, dz = dx / length, dy / length, dz / length
        found, _ = visible_pieces(
            geometry, external, i, ox, oy, oz, dx, dy, dz, 0.0, length, scratch
        )
        total = 0.0 if found >= 0 else math.nan
        for k in range(found):
            row = scratch.visible_row[k]
            a, b = scratch.visible_in[k], scratch.visible_out[k]
            stack = geometry.integer[row, 3]
            if stack < 0:
                total += geometry.density[geometry.integer[row, 2]] * (b - a)
            else:
                slope, origin = along_axis(geometry.stack_axis, stack, ox, oy, oz, dx, dy, dz)
                total += stack_depth(geometry, stack, slope, origin, a, b)
        depth[i] = total


@kernel_part
def _reach(
    geometry: GeometryArrays,
    row: int,
    start: float,
    stop: float,
    left: float,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
) -> float:
    """Return where in a piece the depth `left` is used up, or where its matter ends."""
    stack = geometry.integer[row, 3]
    if stack < 0:
        return float(min(start + left / geometry.density[geometry.integer[row, 2]], stop))
    edge = geometry.layer_edge
    first = geometry.stack[stack, 0]
    first_material = geometry.stack[stack, 1]
    layers = geometry.stack[stack, 2]
    slope, origin = along_axis(geometry.stack_axis, stack, ox, oy, oz, dx, dy, dz)
    layer = layer_at(edge, first, layers, origin + start * slope)
    last = start
    while True:
        end = stop
        if slope > 0.0 and layer < layers - 1:
            end = min((edge[first + layer + 1] - origin) / slope, stop)
        elif slope < 0.0 and layer > 0:
            end = min((edge[first + layer] - origin) / slope, stop)
        density = geometry.density[geometry.layer_material[first_material + layer]]
        if density > 0.0 and end > start:
            if left <= density * (end - start):
                return float(start + left / density)
            left -= density * (end - start)
            last = end
        if end >= stop:
            return float(last)
        start = max(start, end)
        layer += 1 if slope > 0.0 else -1


@kernel
def distances_for_depths(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    depths: FloatArray,
    scratch: Scratch,
    first: int,
    stop: int,
    distance: FloatArray,
) -> None:
    """Write how far [cm] lines `first` to `stop` get through `depths`: inf if they never do."""
    for i in range(first, stop):
        ox, oy, oz = origins[i, 0], origins[i, 1], origins[i, 2]
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        left = depths[i]
        if left <= 0.0:
            distance[i] = 0.0
            continue
        found, _ = visible_pieces(
            geometry, external, i, ox, oy, oz, dx, dy, dz, 0.0, math.inf, scratch
        )
        distance[i] = math.inf if found >= 0 else math.nan
        last = -1
        amount = 0.0
        for k in range(found):
            row = scratch.visible_row[k]
            a, b = scratch.visible_in[k], scratch.visible_out[k]
            stack = geometry.integer[row, 3]
            if stack < 0:
                here = geometry.density[geometry.integer[row, 2]] * (b - a)
            else:
                slope, origin = along_axis(geometry.stack_axis, stack, ox, oy, oz, dx, dy, dz)
                here = stack_depth(geometry, stack, slope, origin, a, b)
            if here <= 0.0:
                continue
            last = k
            amount = here
            if left <= here:
                break
            left -= here
            amount = -1.0
        # What is left after the last matter may be rounding only: then that is where it ends.
        if last >= 0 and (amount > 0.0 or left <= WHOLE * depths[i]):
            distance[i] = _reach(
                geometry, scratch.visible_row[last],
                scratch.visible_in[last], scratch.visible_out[last],
                left if amount > 0.0 else math.inf, ox, oy, oz, dx, dy, dz,
            )  # fmt: skip
