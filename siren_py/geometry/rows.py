"""Kernels of whole rows: which intervals a line has in a placed solid, compound or not.

A compound (a union, an intersection, a difference, nested as deep as one likes) is a programme
in post-order over rows that hold its leaves. Lists of intervals are kept on a stack in the
caller's buffer, each followed by its length; an operation replaces the last two by one.
"""

from __future__ import annotations

import numpy as np

from siren_py._numba import allocating_kernel, kernel, kernel_part
from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.geometry.arrays import External, GeometryArrays, pieces_buffer
from siren_py.geometry.flat_kernels import (
    convex_contains,
    convex_interval,
    extrusion_contains,
    extrusion_intervals,
    mesh_intervals,
)
from siren_py.geometry.kernels import (
    COMPOUND,
    CONVEX,
    ELLIPSOID,
    EXTERNAL,
    EXTRUSION,
    INTERSECTION,
    LEAF,
    MESH,
    POLYCONE,
    SKIP,
    SLIVER,
    TORUS,
    UNION,
    solid_contains,
    solid_intervals,
    to_kernel_frame,
)
from siren_py.geometry.round_kernels import (
    ellipsoid_contains,
    ellipsoid_interval,
    polycone_contains,
    polycone_intervals,
    torus_contains,
    torus_intervals,
)

# A direction that is along no edge of anything, for the parity of a mesh at a point.
_ODD_U, _ODD_V, _ODD_W = 0.5370861555295747, 0.2866227391304237, 0.7933488235294118


@kernel
def simple_intervals(
    real: FloatArray,
    row: int,
    kind: int,
    rotated: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    out: FloatArray,
) -> int:
    """Write the intervals of a line in a box, sphere, cylinder or regular prism to `out`."""
    u = ox - real[row, 8]
    v = oy - real[row, 9]
    w = oz - real[row, 10]
    if rotated != 0:
        u, v, w = to_kernel_frame(real, row, u, v, w)
        dx, dy, dz = to_kernel_frame(real, row, dx, dy, dz)
    return solid_intervals(kind, real, row, u, v, w, dx, dy, dz, out)


@kernel
def leaf_intervals(
    real: FloatArray,
    integer: IntArray,
    data: FloatArray,
    external: External,
    row: int,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    out: FloatArray,
) -> int:
    """Write the intervals of a line in the single solid of a row to `out`; return their number."""
    kind = integer[row, 0]
    if kind < EXTERNAL:
        return simple_intervals(real, row, kind, integer[row, 1], ox, oy, oz, dx, dy, dz, out)
    if kind == EXTERNAL:
        e = integer[row, 4]
        begin = external.offsets[e, line]
        count = external.offsets[e, line + 1] - begin
        for i in range(count):
            out[2 * i] = external.t_in[begin + i]
            out[2 * i + 1] = external.t_out[begin + i]
        return int(count)
    u = ox - real[row, 8]
    v = oy - real[row, 9]
    w = oz - real[row, 10]
    du = dx
    dv = dy
    dw = dz
    if integer[row, 1] != 0:
        u, v, w = to_kernel_frame(real, row, u, v, w)
        du, dv, dw = to_kernel_frame(real, row, dx, dy, dz)
    # From here on from the point nearest to the centre: far origins then lose no digits.
    shift = -(u * du + v * dv + w * dw) / (du * du + dv * dv + dw * dw)
    u += shift * du
    v += shift * dv
    w += shift * dw
    first = integer[row, 5]
    number = integer[row, 6]
    count = 0
    if kind == POLYCONE:
        count = polycone_intervals(real, row, data, first, number, u, v, w, du, dv, dw, out)
    elif kind == EXTRUSION:
        sections = int(real[row, 0])
        size = real[row, 1]
        count = extrusion_intervals(data, first, sections, number, size, u, v, w, du, dv, dw, out)
    elif kind == TORUS:
        count = torus_intervals(real, row, u, v, w, du, dv, dw, out)
    elif kind == MESH:
        count = mesh_intervals(data, first, number, u, v, w, du, dv, dw, out)
    else:
        if kind == CONVEX:
            a, b = convex_interval(data, first, number, u, v, w, du, dv, dw)
        else:
            a, b = ellipsoid_interval(real, row, u, v, w, du, dv, dw)
        if not a < b:
            return 0
        out[0] = a
        out[1] = b
        count = 1
    kept = 0
    for i in range(count):
        # Far away the ends of a grazing chord may be the same number.
        a = out[2 * i] + shift
        b = out[2 * i + 1] + shift
        if a < b:
            out[2 * kept] = a
            out[2 * kept + 1] = b
            kept += 1
    return kept


@kernel
def combine_intervals(
    buffer: FloatArray, first_a: int, count_a: int, first_b: int, count_b: int, to: int, code: int
) -> int:
    """Write the union, intersection or difference of two sorted lists; return its length.

    What is shorter than a sliver, piece or gap, is left out: it comes from faces that both
    solids share up to rounding.
    """
    i = first_a
    j = first_b
    end_a = first_a + 2 * count_a
    end_b = first_b + 2 * count_b
    in_a = False
    in_b = False
    state = False
    start = 0.0
    count = 0
    while i < end_a or j < end_b:
        if j >= end_b or (i < end_a and buffer[i] <= buffer[j]):
            t = buffer[i]
            if j < end_b and buffer[j] == t:
                in_b = not in_b
                j += 1
            in_a = not in_a
            i += 1
        else:
            t = buffer[j]
            in_b = not in_b
            j += 1
        if code == UNION:
            inside = in_a or in_b
        elif code == INTERSECTION:
            inside = in_a and in_b
        else:
            inside = in_a and not in_b
        if inside == state:
            continue
        state = inside
        if inside:
            start = t
            if count > 0 and t - buffer[to + 2 * count - 1] <= SLIVER:
                count -= 1
                start = buffer[to + 2 * count]
        elif t - start > SLIVER:
            buffer[to + 2 * count] = start
            buffer[to + 2 * count + 1] = t
            count += 1
    return count


@kernel
def general_intervals(
    real: FloatArray,
    integer: IntArray,
    data: FloatArray,
    program: IntArray,
    external: External,
    row: int,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    pieces: FloatArray,
) -> int:
    """Write the intervals of a line in any solid of a row to `pieces`; return their number."""
    # A single solid is a program of one step: the code for solids is then there but once.
    alone = integer[row, 0] != COMPOUND
    step = integer[row, 5]
    end = step + (1 if alone else integer[row, 6])
    top = 0
    while step < end:
        code = LEAF if alone else program[step, 0]
        if code == LEAF:
            n = leaf_intervals(
                real, integer, data, external, row if alone else program[step, 1], line,
                ox, oy, oz, dx, dy, dz, pieces[top:],
            )  # fmt: skip
            pieces[top + 2 * n] = n
            top += 2 * n + 1
        elif code == SKIP:
            if pieces[top - 1] == 0.0:
                step += program[step, 1]
        else:
            count_b = int(pieces[top - 1])
            first_b = top - 1 - 2 * count_b
            count_a = int(pieces[first_b - 1])
            first_a = first_b - 1 - 2 * count_a
            n = combine_intervals(pieces, first_a, count_a, first_b, count_b, top, code)
            for i in range(2 * n):
                pieces[first_a + i] = pieces[top + i]
            pieces[first_a + 2 * n] = n
            top = first_a + 2 * n + 1
        step += 1
    return int(pieces[top - 1])


@kernel_part
def row_intervals(
    geometry: GeometryArrays,
    external: External,
    row: int,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    pieces: FloatArray,
) -> int:
    """Write the intervals of a line in the placed solid of a row to `pieces`.

    Parameters
    ----------
    geometry, external, line, ox, oy, oz, dx, dy, dz
        As for `tracing.trace_line`.
    row
        Index of the volume (of the leaf, in the arrays of a region).
    pieces
        `Scratch.pieces`, or a buffer of `arrays.pieces_buffer(geometry, external)` floats.

    Returns
    -------
    int
        Number of intervals; interval i is pieces[2 i] to pieces[2 i + 1].
    """
    # A call with many arrays takes longer than what is done for the simple solids.
    real = geometry.real
    integer = geometry.integer
    kind = integer[row, 0]
    if kind < EXTERNAL:
        return simple_intervals(real, row, kind, integer[row, 1], ox, oy, oz, dx, dy, dz, pieces)
    return general_intervals(
        real, integer, geometry.data, geometry.program, external, row, line,
        ox, oy, oz, dx, dy, dz, pieces,
    )  # fmt: skip


@allocating_kernel
def mesh_contains(
    data: FloatArray, first: int, number: int, room: int, u: float, v: float, w: float
) -> bool:
    """Say whether a point is in a mesh, by a line through it that crosses it in `room` pieces."""
    pieces = np.empty(room)
    count = mesh_intervals(data, first, number, u, v, w, _ODD_U, _ODD_V, _ODD_W, pieces)
    inside = False
    for i in range(count):
        inside = inside or pieces[2 * i] <= 0.0 < pieces[2 * i + 1]
    return inside


@kernel
def leaf_contains(
    real: FloatArray,
    integer: IntArray,
    data: FloatArray,
    external_inside: BoolArray,
    row: int,
    point: int,
    x: float,
    y: float,
    z: float,
) -> bool:
    """Say whether a point is in the single solid of a row."""
    kind = integer[row, 0]
    if kind == EXTERNAL:
        return bool(external_inside[integer[row, 4], point])
    u = x - real[row, 8]
    v = y - real[row, 9]
    w = z - real[row, 10]
    if integer[row, 1] != 0:
        u, v, w = to_kernel_frame(real, row, u, v, w)
    if kind < EXTERNAL:
        return solid_contains(kind, real, row, u, v, w)
    first = integer[row, 5]
    number = integer[row, 6]
    if kind == POLYCONE:
        return polycone_contains(real, row, data, first, number, u, v, w)
    if kind == EXTRUSION:
        return extrusion_contains(data, first, int(real[row, 0]), number, u, v, w)
    if kind == TORUS:
        return torus_contains(real, row, u, v, w)
    if kind == CONVEX:
        return convex_contains(data, first, number, u, v, w)
    if kind == ELLIPSOID:
        return ellipsoid_contains(real, row, u, v, w)
    return mesh_contains(data, first, number, integer[row, 8], u, v, w)


@kernel
def row_contains(
    geometry: GeometryArrays,
    external_inside: BoolArray,
    row: int,
    point: int,
    x: float,
    y: float,
    z: float,
) -> bool:
    """Say whether a point is in the placed solid of a row; arguments as in `locate_point`."""
    real = geometry.real
    integer = geometry.integer
    data = geometry.data
    if integer[row, 0] != COMPOUND:
        return leaf_contains(real, integer, data, external_inside, row, point, x, y, z)
    program = geometry.program
    step = integer[row, 5]
    end = step + integer[row, 6]
    stack = np.uint64(0)  # one bit per operand; the last one is the lowest
    one = np.uint64(1)
    while step < end:
        code = program[step, 0]
        if code == LEAF:
            inside = leaf_contains(
                real, integer, data, external_inside, program[step, 1], point, x, y, z
            )
            stack = stack << one
            if inside:
                stack = stack | one
        elif code == SKIP:
            if (stack & one) == np.uint64(0):
                step += program[step, 1]
        else:
            b = (stack & one) != np.uint64(0)
            stack = stack >> one
            a = (stack & one) != np.uint64(0)
            if code == UNION:
                inside = a or b
            elif code == INTERSECTION:
                inside = a and b
            else:
                inside = a and not b
            stack = (stack >> one) << one
            if inside:
                stack = stack | one
        step += 1
    return bool((stack & one) != np.uint64(0))


@kernel
def _fill_intervals(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    first_line: int,
    pieces: FloatArray,
    offsets: IntArray,
    t_in: FloatArray,
    t_out: FloatArray,
) -> int:
    """Intervals in row 0 of lines from `first_line` on; return the first that does not fit."""
    used = offsets[first_line]
    for i in range(first_line, origins.shape[0]):
        n = row_intervals(
            geometry, external, 0, i, origins[i, 0], origins[i, 1], origins[i, 2],
            directions[i, 0], directions[i, 1], directions[i, 2], pieces,
        )  # fmt: skip
        if used + n > t_in.shape[0]:
            return i
        for k in range(n):
            t_in[used + k] = pieces[2 * k]
            t_out[used + k] = pieces[2 * k + 1]
        used += n
        offsets[i + 1] = used
    return int(origins.shape[0])


def intervals_of_row(
    geometry: GeometryArrays, external: External, origins: FloatArray, directions: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return offsets, t_in, t_out of lines (n, 3) in the first solid of the arrays."""
    n = len(origins)
    pieces = np.empty(pieces_buffer(geometry, external))
    offsets = np.zeros(n + 1, np.int64)
    t_in, t_out = np.empty(2 * n + len(pieces)), np.empty(2 * n + len(pieces))
    done = 0
    while True:
        done = _fill_intervals(
            geometry, external, origins, directions, done, pieces, offsets, t_in, t_out
        )
        if done == n:
            used = int(offsets[-1])
            return offsets, t_in[:used].copy(), t_out[:used].copy()
        t_in = np.concatenate([t_in, np.empty(len(t_in))])
        t_out = np.concatenate([t_out, np.empty(len(t_out))])


@kernel
def points_in_row(
    geometry: GeometryArrays, external_inside: BoolArray, points: FloatArray, inside: BoolArray
) -> None:
    """Write whether each of `points` (n, 3) is in the first solid of the arrays."""
    for i in range(points.shape[0]):
        inside[i] = row_contains(
            geometry, external_inside, 0, i, points[i, 0], points[i, 1], points[i, 2]
        )
