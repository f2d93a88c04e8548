"""Kernels of cones, polycones, tori and ellipsoids.

The origin of the line is its point nearest to the centre of the solid (`rows` sees to that), so
that a line that starts far away loses no digits.
"""

from __future__ import annotations

import math

from siren_py._numba import kernel
from siren_py._typing import FloatArray
from siren_py.geometry.kernels import (
    PARALLEL,
    append_interval,
    in_sector,
    keep_sector,
    remove_interval,
    slab_interval,
    sphere_interval,
    tube_interval,
)

# Floats per section of a polycone: w and outer and inner radius at its low and its high end.
SECTION = 6

# Steps of the search for a root of a torus, which converges within about ten.
_MAX_STEPS = 60
_ROOT_TOLERANCE = 4e-16


@kernel
def frustum_interval(
    w_low: float,
    w_high: float,
    r_low: float,
    r_high: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    t_in: float,
    t_out: float,
) -> tuple[float, float]:
    """Clip [t_in, t_out], where w_low < w < w_high, to the inside of a frustum, which is convex.

    With r(t) the radius at the height of the point, inside means f(t) = |(u, v)|^2 - r^2 < 0, a
    quadratic A t^2 + 2 B t + C. Its discriminant is written with the cross product of origin
    and direction, so that nothing cancels for a slope of zero.
    """
    if r_low <= 0.0 and r_high <= 0.0:
        return 0.0, -1.0
    slope = (r_high - r_low) / (w_high - w_low)
    if slope == 0.0 or dw == 0.0:
        a, b = tube_interval(r_low + slope * (ow - w_low), ou, ov, du, dv)
        return max(t_in, a), min(t_out, b)
    q = du * du + dv * dv
    shift = 0.0
    if q > PARALLEL:
        shift = -(ou * du + ov * dv) / q
    shift = min(max(shift, t_in), t_out)
    u = ou + shift * du
    v = ov + shift * dv
    r = r_low + slope * (ow + shift * dw - w_low)
    k = slope * dw
    b = u * du + v * dv
    h2 = u * u + v * v
    cross = u * dv - v * du
    A = q - k * k
    B = b - r * k
    C = h2 - r * r
    discriminant = q * r * r - 2.0 * b * r * k + k * k * h2 - cross * cross
    if discriminant <= 0.0:
        if A > 0.0:
            return 0.0, -1.0
        discriminant = 0.0  # by rounding: a line along the cone meets both of its sheets
    root = math.sqrt(discriminant)
    low = -math.inf
    high = math.inf
    if A == 0.0:
        if B > 0.0:
            high = -0.5 * C / B
        elif B < 0.0:
            low = -0.5 * C / B
        elif C >= 0.0:
            return 0.0, -1.0
    else:
        large = -(B + root) if B >= 0.0 else root - B
        first = large / A
        second = C / large if large != 0.0 else first
        if A > 0.0:
            low = min(first, second)
            high = max(first, second)
        elif k > 0.0:
            low = max(first, second)
        else:
            high = min(first, second)
    return max(t_in, low + shift), min(t_out, high + shift)


@kernel
def polycone_intervals(
    table: FloatArray,
    row: int,
    data: FloatArray,
    first: int,
    count: int,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    out: FloatArray,
) -> int:
    """Intervals of a line in a body of revolution made of `count` hollow frustums."""
    pieces = 0
    for i in range(count):
        # in the order in which the line meets the sections
        at = first + SECTION * (i if dw >= 0.0 else count - 1 - i)
        w_low = data[at]
        w_high = data[at + 1]
        if dw != 0.0:
            near = (w_low - ow) / dw
            far = (w_high - ow) / dw
            t_in = min(near, far)
            t_out = max(near, far)
        elif w_low <= ow < w_high:
            t_in = -math.inf
            t_out = math.inf
        else:
            continue
        a, b = frustum_interval(
            w_low, w_high, data[at + 2], data[at + 3], ou, ov, ow, du, dv, dw, t_in, t_out
        )
        if not a < b:
            continue
        c, d = frustum_interval(
            w_low, w_high, data[at + 4], data[at + 5], ou, ov, ow, du, dv, dw, a, b
        )
        if c < d:
            pieces = append_interval(out, pieces, a, c)
            pieces = append_interval(out, pieces, d, b)
        else:
            pieces = append_interval(out, pieces, a, b)
    return keep_sector(table, row, ou, ov, du, dv, out, pieces)


@kernel
def polycone_contains(
    table: FloatArray,
    row: int,
    data: FloatArray,
    first: int,
    count: int,
    u: float,
    v: float,
    w: float,
) -> bool:
    """Say whether a point is in a body of revolution made of hollow frustums."""
    for i in range(count):
        at = first + SECTION * i
        if data[at] <= w < data[at + 1]:
            part = (w - data[at]) / (data[at + 1] - data[at])
            outer = data[at + 2] + part * (data[at + 3] - data[at + 2])
            hole = data[at + 4] + part * (data[at + 5] - data[at + 4])
            r2 = u * u + v * v
            return hole * hole <= r2 < outer * outer and in_sector(table, row, u, v)
    return False


@kernel
def _torus_depth(
    ring: float,
    radius: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    t: float,
) -> float:
    """Square of the distance from the ring less that of the radius; negative inside."""
    u = ou + t * du
    v = ov + t * dv
    w = ow + t * dw
    off = math.sqrt(u * u + v * v) - ring
    return off * off + (w - radius) * (w + radius)


@kernel
def full_torus_intervals(
    ring: float,
    radius: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    out: FloatArray,
) -> int:
    """Intervals (two at most) of a line in a torus, not hollow; o . d = 0 is required.

    The quartic has no cubic term for this origin; the extrema of it, roots of a depressed cubic,
    are known in closed form, and between two of them there is one root at most. It is found by
    the Illinois method on the distance itself, which does not cancel as the quartic does.
    """
    norm2 = du * du + dv * dv + dw * dw
    o2 = ou * ou + ov * ov + ow * ow
    reach = ring + radius
    if o2 >= reach * reach:
        return 0
    end = math.sqrt((reach * reach - o2) / norm2)
    low, high = slab_interval(radius, ow, dw)
    low = max(low, -end)
    high = min(high, end)
    if not low < high:
        return 0
    # f = (n t^2 + K)^2 - 4 R^2 (q t^2 + 2 b t + h), f' / (4 n^2) = t^3 + p t + s
    b = ou * du + ov * dv
    q = du * du + dv * dv
    K = o2 + (ring - radius) * (ring + radius)
    p = (norm2 * K - 2.0 * ring * ring * q) / (norm2 * norm2)
    s = -2.0 * ring * ring * b / (norm2 * norm2)
    first = high
    second = high
    third = high
    half = 0.5 * s
    cubic = p / 3.0
    discriminant = half * half + cubic * cubic * cubic
    if discriminant > 0.0:
        root = math.sqrt(discriminant)
        large = -half - root if half >= 0.0 else root - half
        cube = math.copysign(abs(large) ** (1.0 / 3.0), large)
        first = cube - cubic / cube if cube != 0.0 else 0.0
    elif cubic < 0.0:
        length = 2.0 * math.sqrt(-cubic)
        cosine = min(1.0, max(-1.0, -half / math.sqrt(-cubic * cubic * cubic)))
        angle = math.acos(cosine) / 3.0
        first = length * math.cos(angle + 2.0 * math.pi / 3.0)
        second = length * math.cos(angle - 2.0 * math.pi / 3.0)
        third = length * math.cos(angle)
    else:
        first = 0.0
    tolerance = _ROOT_TOLERANCE * end
    ends = 0
    t_low = low
    f_low = 1.0  # at the ends of the box the line is outside
    for i in range(4):
        t_high = high
        if i == 0:
            t_high = first
        elif i == 1:
            t_high = second
        elif i == 2:
            t_high = third
        if not t_low < t_high:
            continue
        t_high = min(t_high, high)
        f_high = 1.0
        if t_high < high:
            f_high = _torus_depth(ring, radius, ou, ov, ow, du, dv, dw, t_high)
        if (f_low < 0.0) != (f_high < 0.0):
            a = t_low
            c = t_high
            fa = f_low
            fc = f_high
            if a == low:
                fa = max(_torus_depth(ring, radius, ou, ov, ow, du, dv, dw, a), 0.0)
            if c == high:
                fc = max(_torus_depth(ring, radius, ou, ov, ow, du, dv, dw, c), 0.0)
            t = a if fa == 0.0 else c
            side = 0
            for _step in range(_MAX_STEPS):
                if fa == 0.0 or fc == 0.0 or c - a <= tolerance:
                    break
                t = (a * fc - c * fa) / (fc - fa)
                if not a < t < c:
                    t = 0.5 * (a + c)
                f = _torus_depth(ring, radius, ou, ov, ow, du, dv, dw, t)
                if f == 0.0:
                    break
                if (f < 0.0) == (fa < 0.0):
                    if t - a <= tolerance:
                        break
                    a = t
                    fa = f
                    if side == -1:
                        fc *= 0.5
                    side = -1
                else:
                    if c - t <= tolerance:
                        break
                    c = t
                    fc = f
                    if side == 1:
                        fa *= 0.5
                    side = 1
            out[ends] = t
            ends += 1
        t_low = t_high
        f_low = f_high
        if t_high == high:
            break
    return ends // 2


@kernel
def torus_intervals(
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
    """Intervals of a line in a torus, hollow or cut in azimuth or both; o . d = 0."""
    ring = table[row, 0]
    count = full_torus_intervals(ring, table[row, 1], ou, ov, ow, du, dv, dw, out)
    if count > 0 and table[row, 2] > 0.0:
        hole = out[12:]  # behind the most that can be made of the outer intervals
        holes = full_torus_intervals(ring, table[row, 2], ou, ov, ow, du, dv, dw, hole)
        for i in range(holes):
            count = remove_interval(out, count, hole[2 * i], hole[2 * i + 1])
    return keep_sector(table, row, ou, ov, du, dv, out, count)


@kernel
def torus_contains(table: FloatArray, row: int, u: float, v: float, w: float) -> bool:
    """Say whether a point is in a torus."""
    off = math.sqrt(u * u + v * v) - table[row, 0]
    r2 = off * off + w * w
    return table[row, 2] ** 2 <= r2 < table[row, 1] ** 2 and in_sector(table, row, u, v)


@kernel
def ellipsoid_interval(
    table: FloatArray, row: int, ou: float, ov: float, ow: float, du: float, dv: float, dw: float
) -> tuple[float, float]:
    """Interval of a line in the unit ball between two planes: an ellipsoid in its own scale."""
    t_in, t_out = sphere_interval(1.0, ou, ov, ow, du, dv, dw)
    low = table[row, 0]
    high = table[row, 1]
    if low <= -1.0 and high >= 1.0:
        return t_in, t_out
    if dw != 0.0:
        near = (low - ow) / dw
        far = (high - ow) / dw
        return max(t_in, min(near, far)), min(t_out, max(near, far))
    if low <= ow < high:
        return t_in, t_out
    return 0.0, -1.0


@kernel
def ellipsoid_contains(table: FloatArray, row: int, u: float, v: float, w: float) -> bool:
    """Say whether a point is in the unit ball between two planes."""
    return u * u + v * v + w * w < 1.0 and table[row, 0] <= w < table[row, 1]
