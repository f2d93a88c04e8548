"""Kernels of stacks: which layer a line is in, and how much matter lies on a piece of it.

The depth of a piece takes no walk over its layers: the layers between the first and the last are
the difference of two sums that are kept with the faces.
"""

from __future__ import annotations

from siren_py._numba import kernel_part
from siren_py._typing import FloatArray
from siren_py.geometry.arrays import GeometryArrays
from siren_py.geometry.kernels import SLIVER


@kernel_part
def along_axis(
    stack_axis: FloatArray,
    stack: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
) -> tuple[float, float]:
    """Return slope and origin: along the line the coordinate of the layers is origin + t slope."""
    au = stack_axis[stack, 0]
    av = stack_axis[stack, 1]
    aw = stack_axis[stack, 2]
    slope = au * dx + av * dy + aw * dz
    return slope, au * ox + av * oy + aw * oz + stack_axis[stack, 3]


@kernel_part
def layer_at(edge: FloatArray, first: int, layers: int, coordinate: float) -> int:
    """Return the layer at a coordinate by bisection; the answer is never outside the stack."""
    # Most lines enter and leave a stack through its ends.
    if coordinate < edge[first + 1]:
        return 0
    if coordinate >= edge[first + layers - 1]:
        return layers - 1
    # Steps without branches, which nobody could predict.
    layer = first
    while layers > 1:
        half = layers >> 1
        layer += half if edge[layer + half] <= coordinate else 0
        layers -= half
    return layer - first


@kernel_part
def stack_depth(
    geometry: GeometryArrays,
    stack: int,
    slope: float,
    origin: float,
    start: float,
    stop: float,
) -> float:
    """Return the column depth [g/cm2] of the piece [start, stop) of a line in a stack.

    It is to rounding what the segments of `trace_line` add up to, slivers included.
    """
    edge = geometry.layer_edge
    material = geometry.layer_material
    density = geometry.density
    first = geometry.stack[stack, 0]
    first_material = geometry.stack[stack, 1]
    layers = geometry.stack[stack, 2]
    here = layer_at(edge, first, layers, origin + start * slope)
    there = layer_at(edge, first, layers, origin + stop * slope)
    density_here = density[material[first_material + here]]
    if here == there:
        return float(density_here * (stop - start))
    density_there = density[material[first_material + there]]
    step = 1 if there > here else -1
    # The faces through which the line leaves the first layer and enters the last one.
    low = first + (here + 1 if step > 0 else here)
    high = first + (there if step > 0 else there + 1)
    t_low = min(max((edge[low] - origin) / slope, start), stop)
    t_high = max(min((edge[high] - origin) / slope, stop), t_low)
    if t_low - start <= SLIVER:
        density_here = density[material[first_material + here + step]]
    if stop - t_high <= SLIVER:
        density_there = density[material[first_material + there - step]]
    depth = density_here * (t_low - start) + density_there * (stop - t_high)
    if low != high:
        sums = geometry.layer_depth
        between = sums[high, 0] - sums[low, 0]
        depth += (between + (sums[high, 1] - sums[low, 1])) / slope
    return float(depth)
