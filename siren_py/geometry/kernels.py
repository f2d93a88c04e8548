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

# kinds of solids; those above EXTERNAL are in `round_kernels`, `flat_kernels` and `rows`
BOX = 0
SPHERE = 1
CYLINDER = 2
PRISM = 3
EXTERNAL = 4
POLYCONE = 5
TORUS = 6
ELLIPSOID = 7
CONVEX = 8
EXTRUSION = 9
MESH = 10
COMPOUND = 11

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
FIRST = 5
COUNT = 6
PIECES = 7
BUFFER = 8
INTEGER_COLUMNS = 9

# steps of the programme of a compound
LEAF = 0
UNION = 1
INTERSECTION = 2
DIFFERENCE = 3
SKIP = 4

# Faces closer than this along a line [cm] are one face: it is a tenth of an atom, and above the
# rounding of coordinates up to kilometres. What is shorter belongs to the next segment.
SLIVER = 1e-9

# Below this square of the transverse direction a line counts as parallel to the axis: over any
# length that fits a detector it does not move sideways by one rounding error.
PARALLEL = 1e-60


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
    if norm2 < PARALLEL:
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
def clip_intervals(out: FloatArray, count: int, t_in: float, t_out: float) -> int:
    """Keep what `count` sorted intervals in `out` have within [t_in, t_out]; return how many."""
    kept = 0
    for i in range(count):
        a = max(out[2 * i], t_in)
        b = min(out[2 * i + 1], t_out)
        if a < b:
            out[2 * kept] = a
            out[2 * kept + 1] = b
            kept += 1
    return kept


@kernel
def append_interval(out: FloatArray, count: int, t_in: float, t_out: float) -> int:
    """Append [t_in, t_out] to sorted intervals; what touches the last one is joined with it."""
    if not t_in < t_out:
        return count
    if count > 0 and t_in - out[2 * count - 1] <= SLIVER:
        out[2 * count - 1] = max(t_out, out[2 * count - 1])
        return count
    out[2 * count] = t_in
    out[2 * count + 1] = t_out
    return count + 1


@kernel
def keep_sector(
    table: FloatArray,
    row: int,
    ou: float,
    ov: float,
    du: float,
    dv: float,
    out: FloatArray,
    count: int,
) -> int:
    """Cut intervals to the sector in azimuth that columns 3 to 7 of a row describe."""
    wedge = table[row, 3]
    if wedge == 0.0 or count == 0:
        return count
    start = table[row, 4] * ou + table[row, 5] * ov
    start_slope = table[row, 4] * du + table[row, 5] * dv
    stop = table[row, 6] * ou + table[row, 7] * ov
    stop_slope = table[row, 6] * du + table[row, 7] * dv
    if wedge == 1.0:
        a, b = half_space_interval(start, start_slope, -math.inf, math.inf, True)
        a, b = half_space_interval(stop, stop_slope, a, b, False)
        return clip_intervals(out, count, a, b)
    # More than half a turn: what is cut out is the convex part.
    a, b = half_space_interval(-start, -start_slope, -math.inf, math.inf, False)
    a, b = half_space_interval(-stop, -stop_slope, a, b, True)
    return remove_interval(out, count, a, b)


@kernel
def in_sector(table: FloatArray, row: int, u: float, v: float) -> bool:
    """Say whether a point is in the sector in azimuth that columns 3 to 7 of a row describe."""
    start = table[row, 4] * u + table[row, 5] * v >= 0.0
    stop = table[row, 6] * u + table[row, 7] * v > 0.0
    wedge = table[row, 3]
    return bool(wedge == 0.0 or (start and stop) or (wedge == 2.0 and (start or stop)))


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
    if t_in >= t_out:
        return 0
    out[0] = t_in
    out[1] = t_out
    count = 1
    if table[row, 1] > 0.0:
        a, b = tube_interval(table[row, 1], ou, ov, du, dv)
        count = remove_interval(out, count, a, b)
    return keep_sector(table, row, ou, ov, du, dv, out, count)


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
        inside = table[row, 1] ** 2 <= r2 < table[row, 0] ** 2 and in_sector(table, row, u, v)
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
