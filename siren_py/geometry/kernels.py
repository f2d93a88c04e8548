"""Kernels of the solids: where a line is inside one solid, and whether a point is.

Every solid with a kernel is one row of two tables. The row of floats holds eight parameters,
the position and the matrix that turns a detector vector into kernel coordinates (u, v, w); the
row of integers says which kernel applies. The axis of cylinders and prisms is w: another axis
is a permutation inside the matrix, so the kernels know one orientation only.

Lines are o + t d for all real t. Quotients are taken only where the divisor is not zero, so
that lines in a face, along an edge or through a tip never make a NaN. A line that runs inside
a face belongs to the solid at the lower face and not at the upper one, as points do.
"""

from __future__ import annotations

import math

from siren_py._numba import kernel
from siren_py._typing import FloatArray

# kinds of solids
BOX = 0
SPHERE = 1
CYLINDER = 2
PRISM = 3
EXTERNAL = 4

# columns of the table of floats
PARAMETER_COUNT = 8
POSITION = 8
MATRIX = 11
REAL_COLUMNS = 20

# columns of the table of integers
KIND = 0
ROTATED = 1
MATERIAL = 2
STACK = 3
EXTERNAL_INDEX = 4
INTEGER_COLUMNS = 5

# A hollow, cut cylinder meets a line in three pieces at most; nothing else in more than two.
MAX_INTERVALS = 3

# Below this square of the transverse direction a line counts as parallel to the axis: over any
# length that fits a detector it does not move sideways by one rounding error.
_PARALLEL = 1e-60


@kernel
def box_interval(
    hx: float,
    hy: float,
    hz: float,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
) -> tuple[float, float]:
    """Slab method: interval of a line in a box of half widths h; empty if t_in >= t_out."""
    t_in = -math.inf
    t_out = math.inf
    if dx != 0.0:
        first = (-hx - ox) / dx
        last = (hx - ox) / dx
        t_in = min(first, last)
        t_out = max(first, last)
    elif ox < -hx or ox >= hx:
        return 0.0, -1.0
    if dy != 0.0:
        first = (-hy - oy) / dy
        last = (hy - oy) / dy
        t_in = max(t_in, min(first, last))
        t_out = min(t_out, max(first, last))
    elif oy < -hy or oy >= hy:
        return 0.0, -1.0
    if dz != 0.0:
        first = (-hz - oz) / dz
        last = (hz - oz) / dz
        t_in = max(t_in, min(first, last))
        t_out = min(t_out, max(first, last))
    elif oz < -hz or oz >= hz:
        return 0.0, -1.0
    return t_in, t_out


@kernel
def sphere_interval(
    radius: float, ou: float, ov: float, ow: float, du: float, dv: float, dw: float
) -> tuple[float, float]:
    """Interval of a line in a sphere, from the point of closest approach to its centre.

    The half chord is sqrt((R - h)(R + h)) with the distance h of the line from the centre,
    which loses no digits when the origin of the line is far away.
    """
    norm2 = du * du + dv * dv + dw * dw
    middle = -(ou * du + ov * dv + ow * dw) / norm2
    hu = ou + middle * du
    hv = ov + middle * dv
    hw = ow + middle * dw
    distance = math.sqrt(hu * hu + hv * hv + hw * hw)
    if distance >= radius:
        return 0.0, -1.0
    half = math.sqrt((radius - distance) * (radius + distance) / norm2)
    return middle - half, middle + half


@kernel
def tube_interval(radius: float, ou: float, ov: float, du: float, dv: float) -> tuple[float, float]:
    """Interval of a line in the infinite cylinder about the w axis."""
    norm2 = du * du + dv * dv
    if norm2 < _PARALLEL:
        if ou * ou + ov * ov < radius * radius:
            return -math.inf, math.inf
        return 0.0, -1.0
    distance = abs(ou * dv - ov * du) / math.sqrt(norm2)
    if distance >= radius:
        return 0.0, -1.0
    middle = -(ou * du + ov * dv) / norm2
    half = math.sqrt((radius - distance) * (radius + distance) / norm2)
    return middle - half, middle + half


@kernel
def slab_interval(half: float, ow: float, dw: float) -> tuple[float, float]:
    """Interval of a line between the planes w = -half and w = half."""
    if dw != 0.0:
        first = (-half - ow) / dw
        last = (half - ow) / dw
        return min(first, last), max(first, last)
    if ow < -half or ow >= half:
        return 0.0, -1.0
    return -math.inf, math.inf


@kernel
def half_space_interval(
    offset: float, slope: float, t_in: float, t_out: float, closed: bool
) -> tuple[float, float]:
    """Clip [t_in, t_out] to offset + t slope >= 0 (or > 0 if not `closed`)."""
    if slope > 0.0:
        return max(t_in, -offset / slope), t_out
    if slope < 0.0:
        return t_in, min(t_out, -offset / slope)
    if offset > 0.0 or (closed and offset == 0.0):
        return t_in, t_out
    return 0.0, -1.0


@kernel
def remove_interval(out: FloatArray, count: int, t_in: float, t_out: float) -> int:
    """Take [t_in, t_out) away from `count` sorted intervals in `out`; return how many remain."""
    if t_in >= t_out:
        return count
    i = 0
    while i < count:
        a = out[2 * i]
        b = out[2 * i + 1]
        if t_out <= a or t_in >= b:
            i += 1
        elif t_in <= a and t_out >= b:
            for j in range(2 * i, 2 * count - 2):
                out[j] = out[j + 2]
            count -= 1
        elif t_in <= a:
            out[2 * i] = t_out
            i += 1
        elif t_out >= b:
            out[2 * i + 1] = t_in
            i += 1
        else:
            for j in range(2 * count - 1, 2 * i, -1):
                out[j + 2] = out[j]
            out[2 * i + 1] = t_in
            out[2 * i + 2] = t_out
            count += 1
            i += 2
    return count


@kernel
def cylinder_intervals(
    table: FloatArray,
    row: int,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    out: FloatArray,
) -> int:
    """Intervals of a line in a cylinder, hollow or cut in azimuth or both."""
    t_in, t_out = slab_interval(table[row, 2], ow, dw)
    if t_in >= t_out:
        return 0
    a, b = tube_interval(table[row, 0], ou, ov, du, dv)
    t_in = max(t_in, a)
    t_out = min(t_out, b)
    wedge = table[row, 3]
    if wedge != 0.0:
        start = table[row, 4] * ou + table[row, 5] * ov
        start_slope = table[row, 4] * du + table[row, 5] * dv
        stop = table[row, 6] * ou + table[row, 7] * ov
        stop_slope = table[row, 6] * du + table[row, 7] * dv
        if wedge == 1.0:
            t_in, t_out = half_space_interval(start, start_slope, t_in, t_out, True)
            t_in, t_out = half_space_interval(stop, stop_slope, t_in, t_out, False)
    if t_in >= t_out:
        return 0
    out[0] = t_in
    out[1] = t_out
    count = 1
    if table[row, 1] > 0.0:
        a, b = tube_interval(table[row, 1], ou, ov, du, dv)
        count = remove_interval(out, count, a, b)
    if wedge == 2.0:
        # More than half a turn: what is cut out is the convex part.
        a, b = half_space_interval(-start, -start_slope, t_in, t_out, False)
        a, b = half_space_interval(-stop, -stop_slope, a, b, True)
        count = remove_interval(out, count, a, b)
    return count


@kernel
def prism_interval(
    table: FloatArray,
    row: int,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
) -> tuple[float, float]:
    """Interval of a line in a prism over a regular polygon; the normals come by rotation."""
    t_in, t_out = slab_interval(table[row, 2], ow, dw)
    apothem = table[row, 0]
    nu = table[row, 3]
    nv = table[row, 4]
    for side in range(int(table[row, 1])):
        if t_in >= t_out:
            return 0.0, -1.0
        # Opposite faces: one belongs to the prism and the other does not.
        t_in, t_out = half_space_interval(
            apothem - nu * ou - nv * ov, -nu * du - nv * dv, t_in, t_out, 2 * side >= table[row, 1]
        )
        nu, nv = nu * table[row, 5] - nv * table[row, 6], nu * table[row, 6] + nv * table[row, 5]
    return t_in, t_out


@kernel
def solid_intervals(
    kind: int,
    table: FloatArray,
    row: int,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    out: FloatArray,
) -> int:
    """Write the intervals of a line in kernel coordinates to `out`; return their number."""
    if kind == CYLINDER:
        return cylinder_intervals(table, row, ou, ov, ow, du, dv, dw, out)
    if kind == SPHERE:
        t_in, t_out = sphere_interval(table[row, 0], ou, ov, ow, du, dv, dw)
    elif kind == BOX:
        t_in, t_out = box_interval(
            table[row, 0], table[row, 1], table[row, 2], ou, ov, ow, du, dv, dw
        )
    else:
        t_in, t_out = prism_interval(table, row, ou, ov, ow, du, dv, dw)
    if not t_in < t_out:
        return 0
    out[0] = t_in
    out[1] = t_out
    if kind == SPHERE and table[row, 1] > 0.0:
        a, b = sphere_interval(table[row, 1], ou, ov, ow, du, dv, dw)
        return remove_interval(out, 1, a, b)
    return 1


@kernel
def solid_contains(kind: int, table: FloatArray, row: int, u: float, v: float, w: float) -> bool:
    """Say whether a point in kernel coordinates is inside the solid of a row."""
    inside = True
    if kind == BOX:
        inside = (
            -table[row, 0] <= u < table[row, 0]
            and -table[row, 1] <= v < table[row, 1]
            and -table[row, 2] <= w < table[row, 2]
        )
    elif kind == SPHERE:
        r2 = u * u + v * v + w * w
        inside = table[row, 1] ** 2 <= r2 < table[row, 0] ** 2
    elif not -table[row, 2] <= w < table[row, 2]:
        inside = False
    elif kind == CYLINDER:
        r2 = u * u + v * v
        start = table[row, 4] * u + table[row, 5] * v >= 0.0
        stop = table[row, 6] * u + table[row, 7] * v > 0.0
        if not table[row, 1] ** 2 <= r2 < table[row, 0] ** 2:
            inside = False
        elif table[row, 3] == 1.0:
            inside = start and stop
        elif table[row, 3] == 2.0:
            inside = start or stop
    else:
        nu = table[row, 3]
        nv = table[row, 4]
        for side in range(int(table[row, 1])):
            depth = table[row, 0] - nu * u - nv * v
            if depth < 0.0 or (depth == 0.0 and 2 * side < table[row, 1]):
                inside = False
            nu, nv = (
                nu * table[row, 5] - nv * table[row, 6],
                nu * table[row, 6] + nv * table[row, 5],
            )
    return bool(inside)


@kernel
def to_kernel_frame(
    table: FloatArray, row: int, x: float, y: float, z: float
) -> tuple[float, float, float]:
    """Turn a vector (not a point) into the kernel coordinates of a row."""
    return (
        table[row, 11] * x + table[row, 12] * y + table[row, 13] * z,
        table[row, 14] * x + table[row, 15] * y + table[row, 16] * z,
        table[row, 17] * x + table[row, 18] * y + table[row, 19] * z,
    )


@kernel
def lines_through_solid(
    kind: int,
    table: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    pieces: FloatArray,
    counts: FloatArray,
) -> None:
    """Intervals of many lines in the solid of row 0: `pieces` (n, 6) and `counts` (n,)."""
    for i in range(origins.shape[0]):
        ou, ov, ow = to_kernel_frame(table, 0, origins[i, 0], origins[i, 1], origins[i, 2])
        du, dv, dw = to_kernel_frame(table, 0, directions[i, 0], directions[i, 1], directions[i, 2])
        counts[i] = solid_intervals(kind, table, 0, ou, ov, ow, du, dv, dw, pieces[i])


@kernel
def points_in_solid(kind: int, table: FloatArray, points: FloatArray, inside: FloatArray) -> None:
    """Write whether each of `points` (n, 3) is in the solid of row 0 to `inside` (n,)."""
    for i in range(points.shape[0]):
        u, v, w = to_kernel_frame(table, 0, points[i, 0], points[i, 1], points[i, 2])
        inside[i] = solid_contains(kind, table, 0, u, v, w)
