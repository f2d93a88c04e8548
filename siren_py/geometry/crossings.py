"""Where a line enters and leaves the solids of a tree, in the order in which it enters them."""

from __future__ import annotations

import math

import numpy as np

from siren_py._numba import kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.arrays import External, GeometryArrays, Scratch
from siren_py.geometry.rows import row_intervals

# Returned by the kernels in place of a number of segments when a buffer is too small.
OVERFLOW = -1

# Stands for the inverse of a direction of zero: large, but harmless when multiplied by zero.
_HUGE = 1e200

# Up to so many entries plain insertion is the faster sort: they come almost in order.
_FEW = 64


@kernel_part
def _inverse(d: float) -> float:
    if abs(d) * _HUGE < 1.0:
        return math.copysign(_HUGE, d)
    return 1.0 / d


@kernel_part
def collect_crossings(
    geometry: GeometryArrays,
    external: External,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t_min: float,
    t_max: float,
    scratch: Scratch,
) -> tuple[int, float]:
    """Write the intervals in all solids within (t_min, t_max); return number and chord sum."""
    # A line that does not move along an axis at all may lie in a face, which a product with an
    # inverse cannot tell: its boxes only reject.
    exact = min(abs(dx), abs(dy), abs(dz)) * _HUGE >= 1.0
    tree = geometry.lines
    box, part, order = tree.box, tree.part, tree.order
    near, far, todo, pieces = scratch.near, scratch.far, scratch.todo, scratch.pieces
    ix = _inverse(dx)
    iy = _inverse(dy)
    iz = _inverse(dz)
    # Rows of the faces through which the line comes into a box, and of those through which it goes.
    kind = 0 if exact else 6
    x_in = kind + (3 if ix < 0.0 else 0)
    y_in = kind + (4 if iy < 0.0 else 1)
    z_in = kind + (5 if iz < 0.0 else 2)
    x_out, y_out, z_out = 2 * kind + 3 - x_in, 2 * kind + 5 - y_in, 2 * kind + 7 - z_in
    if abs(dx) >= abs(dy) and abs(dx) >= abs(dz):
        along = 0 if dx > 0.0 else 1
    elif abs(dy) >= abs(dz):
        along = 2 if dy > 0.0 else 3
    else:
        along = 4 if dz > 0.0 else 5
    # Unsigned numbers are no negative ones that count from the end: without them the loop over
    # the parts is one of vectors.
    one = np.uint64(1)
    none = np.uint64(0)
    waiting = none
    node = 0
    entries = 0
    chords = 0.0
    while True:
        first = tree.node[node, 0]
        for k in range(tree.node[node, 1]):
            i = first + k
            a = max((box[x_in, i] - ox) * ix, (box[y_in, i] - oy) * iy)
            b = min((box[x_out, i] - ox) * ix, (box[y_out, i] - oy) * iy)
            near[i] = max(max(a, (box[z_in, i] - oz) * iz), t_min)
            far[i] = min(min(b, (box[z_out, i] - oz) * iz), t_max)
        for k in range(tree.node[node, 1]):
            i = order[along, first + k]
            todo[waiting] = i
            waiting += one if near[i] <= far[i] else none
        node = 0
        while waiting > none:
            waiting -= one
            i = todo[waiting]
            row = part[i, 0]
            if row < 0:
                node = -1 - row
                break
            count = 1
            if exact and part[i, 1] != 0:
                # Most volumes are such boxes: no call, and nothing to be computed again.
                pieces[0], pieces[1] = near[i], far[i]
            else:
                count = row_intervals(geometry, external, row, line, ox, oy, oz, dx, dy, dz, pieces)
            for k in range(count):
                a = max(pieces[2 * k], t_min)
                b = min(pieces[2 * k + 1], t_max)
                if a < b:
                    if entries >= scratch.enter_t.shape[0]:
                        return OVERFLOW, chords
                    scratch.enter_t[entries] = a
                    scratch.leave_t[entries] = b
                    scratch.enter_row[entries] = row
                    entries += 1
                    chords += b - a
        if node == 0:
            return entries, chords


@kernel_part
def sort_crossings(enter_t: FloatArray, leave_t: FloatArray, row: IntArray, count: int) -> None:
    """Sort by where the line enters: insertion for few entries, Shell sort (3 h + 1) for many."""
    gap = 1
    if count > _FEW:
        while gap < count // 9:
            gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, count):
            t = enter_t[i]
            if enter_t[i - gap] <= t:
                continue
            end = leave_t[i]
            owner = row[i]
            j = i
            while j >= gap and enter_t[j - gap] > t:
                enter_t[j] = enter_t[j - gap]
                leave_t[j] = leave_t[j - gap]
                row[j] = row[j - gap]
                j -= gap
            enter_t[j] = t
            leave_t[j] = end
            row[j] = owner
        gap //= 3
