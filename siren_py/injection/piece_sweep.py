"""The sweep of `attenuation` over volumes instead of layers: a stack counts as one piece.

The sums are the same; a stack brings its own (see `stack_sums`), so that a line through hundreds
of plates costs as much as one through a few blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from siren_py._numba import inline_kernel, kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.arrays import GeometryArrays, Scratch
from siren_py.geometry.borrowing import borrowed
from siren_py.geometry.layer_kernels import along_axis
from siren_py.injection.attenuation import stretch, survival
from siren_py.injection.stack_sums import stack_inside, stack_outside


class Buffers(NamedTuple):
    """Sub-pieces of one line that contain the target, upstream."""

    low: FloatArray
    """Upstream ends [cm]."""
    high: FloatArray
    """Downstream ends [cm]."""
    segment: IntArray
    """Numbers of the segments (or pieces) that they are parts of."""
    inside: IntArray
    """Whether they lie in the region."""
    importance: FloatArray
    """Chance I at the downstream end that a particle made there decays in the region."""
    weight: FloatArray
    """Shares of W [1/cm2]."""


def new_buffers(n: int) -> Buffers:
    """Return buffers for n sub-pieces."""
    return Buffers(
        np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n),
        np.empty(n),
    )  # fmt: skip


@inline_kernel
def borrow_buffers(buffers: Buffers) -> Buffers:
    """Return the buffers without reference counts; see `siren_py.geometry.borrowing`."""
    return Buffers(
        borrowed(buffers.low),
        borrowed(buffers.high),
        borrowed(buffers.segment),
        borrowed(buffers.inside),
        borrowed(buffers.importance),
        borrowed(buffers.weight),
    )


@kernel_part
def axis_of(
    geometry: GeometryArrays, stack: int, origin: FloatArray, direction: FloatArray
) -> tuple[float, float]:
    """Return slope and origin of the coordinate of the layers along a line, see `along_axis`."""
    return along_axis(
        geometry.stack_axis, stack, origin[0], origin[1], origin[2],
        direction[0], direction[1], direction[2],
    )  # fmt: skip


@kernel_part
def sweep_pieces(
    geometry: GeometryArrays,
    scratch: Scratch,
    n_segments: int,
    origin: FloatArray,
    direction: FloatArray,
    density: FloatArray,
    in_volume: FloatArray,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
    length: float,
    buffers: Buffers,
) -> tuple[int, float]:
    """Sweep a line upstream and list its sub-pieces with their contributions to W.

    Parameters
    ----------
    geometry, scratch, n_segments
        The detector, and the pieces of the line in one volume each as `visible_pieces` left them.
    origin, direction
        The line, (3,) each.
    density
        Number density of the target for each material [1/cm3].
    in_volume
        The largest number density of the target in each volume [1/cm3].
    n_pieces, piece_in, piece_out
        Region pieces, sorted and disjoint [cm].
    length
        Decay length L [cm]; 0 for a prompt vertex.
    buffers
        Receives the sub-pieces.

    Returns
    -------
    int
        Number of sub-pieces; -1 if a buffer is too small.
    float
        W [1/cm2].
    """
    t_in, t_out, rows = scratch.visible_in, scratch.visible_out, scratch.visible_row
    count = 0
    total = 0.0
    importance = 0.0
    j = n_pieces - 1
    s = n_segments - 1
    if j < 0:
        return 0, 0.0
    position = piece_out[j]
    # Where `importance` was taken: outside of the region it falls as an exponential only.
    known = position
    inverse = 1.0 / length if length > 0.0 else 0.0
    while True:
        while j >= 0 and piece_in[j] >= position:
            j -= 1
        while s >= 0 and t_in[s] >= position:
            s -= 1
        if s < 0 or (j < 0 and importance == 0.0):
            break
        inside = j >= 0 and position <= piece_out[j]
        in_matter = t_out[s] >= position
        low = t_in[s] if in_matter else t_out[s]
        if j >= 0:
            low = max(low, piece_in[j] if inside else piece_out[j])
        most = in_volume[rows[s]] if in_matter else 0.0
        if not inside and (most == 0.0 or length == 0.0):
            position = low
            continue
        if position < known:
            importance = (
                importance * survival((known - position) * inverse) if length > 0.0 else 0.0
            )
            known = position
        column, upstream = stretch(position - low, length, inverse, importance, inside)
        if most * column > 0.0:
            stack = geometry.integer[rows[s], 3]
            if stack < 0:
                weight = most * column
            else:
                slope, start = axis_of(geometry, stack, origin, direction)
                if inside:
                    weight = stack_inside(
                        geometry.layer_edge, geometry.layer_material, geometry.stack, stack,
                        density, slope, start, low,
                        position, length, importance, np.inf,
                    )[0]  # fmt: skip
                else:
                    weight = importance * stack_outside(
                        geometry.layer_edge, geometry.layer_material, geometry.stack, stack,
                        density, slope, start, low,
                        position, length, np.inf,
                    )[0]  # fmt: skip
            if weight > 0.0:
                if count >= buffers.low.size:
                    return -1, total
                buffers.low[count] = low
                buffers.high[count] = position
                buffers.segment[count] = s
                buffers.inside[count] = 1 if inside else 0
                buffers.importance[count] = importance
                buffers.weight[count] = weight
                count += 1
                total += weight
        importance = upstream
        position = known = low
    return count, total


@kernel_part
def choose_layer(
    geometry: GeometryArrays,
    stack: int,
    origin: FloatArray,
    direction: FloatArray,
    density: FloatArray,
    length: float,
    buffers: Buffers,
    k: int,
    goal: float,
) -> tuple[int, float, float, float]:
    """Find the layer of sub-piece k in which its weight, summed upstream, exceeds `goal`.

    Returns
    -------
    int
        Index of the layer's material.
    float, float, float
        Its ends on the line [cm], and I at the downstream one.
    """
    slope, start = axis_of(geometry, stack, origin, direction)
    low, high, importance = buffers.low[k], buffers.high[k], buffers.importance[k]
    if buffers.inside[k] != 0:
        _, layer, low, high, importance = stack_inside(
            geometry.layer_edge, geometry.layer_material, geometry.stack, stack,
            density, slope, start, low, high, length,
            importance, goal,
        )  # fmt: skip
    else:
        _, layer, low, high = stack_outside(
            geometry.layer_edge, geometry.layer_material, geometry.stack, stack,
            density, slope, start, low, high, length,
            goal / importance,
        )  # fmt: skip
    material = geometry.layer_material[geometry.stack[stack, 1] + layer]
    return material, low, high, importance
