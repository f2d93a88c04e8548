"""Kernels of radial densities: exact integrals of polynomials in r along lines, and inversion."""

from __future__ import annotations

import math

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray

_MAX_STEPS = 100
_TOLERANCE = 1e-15
# A depth that exceeds the whole by less than this part is the whole: rounding must not make it
# unreachable.
WHOLE = 1e-12


@kernel
def polynomial_integral(coefficients: FloatArray, shell: int, b2: float, s: float) -> float:
    """Integral from 0 to s of sum_n c_n r^n ds, with r = sqrt(b2 + s^2).

    Integration by parts gives (n + 1) I_n = s r^n + n b2 I_(n-2), with I_0 = s and
    I_(-1) = asinh(s / b); lengths are in the unit of the coefficients.
    """
    r = math.sqrt(b2 + s * s)
    before = math.asinh(s / math.sqrt(b2)) if b2 > 0.0 else 0.0
    last = s
    total = coefficients[shell, 0] * s
    power = 1.0
    for n in range(1, coefficients.shape[1]):
        power *= r
        value = (s * power + n * b2 * before) / (n + 1)
        before = last
        last = value
        total += coefficients[shell, n] * value
    return float(total)


@kernel
def radial_depth(
    edges: FloatArray, coefficients: FloatArray, b2: float, s_low: float, s_high: float
) -> float:
    """Integral of the density over s_low < s < s_high, s from the point nearest to the centre.

    Each shell is crossed once on either side of that point; the inner one is crossed through.
    """
    total = 0.0
    for i in range(coefficients.shape[0]):
        outer = edges[i + 1] * edges[i + 1] - b2
        if outer <= 0.0:
            continue
        end = math.sqrt(outer)
        begin = math.sqrt(max(edges[i] * edges[i] - b2, 0.0))
        for side in range(2):
            low = max(s_low, begin if side == 1 else -end)
            high = min(s_high, end if side == 1 else -begin)
            if low < high:
                total += polynomial_integral(coefficients, i, b2, high)
                total -= polynomial_integral(coefficients, i, b2, low)
    return total


@kernel
def density_at(edges: FloatArray, coefficients: FloatArray, r: float) -> float:
    """Return the density at a radius, 0 outside the last shell."""
    for i in range(coefficients.shape[0]):
        if edges[i] <= r < edges[i + 1]:
            value = 0.0
            for n in range(coefficients.shape[1] - 1, -1, -1):
                value = value * r + coefficients[i, n]
            return value
    return 0.0


@kernel
def densities_at(
    edges: FloatArray, coefficients: FloatArray, r: FloatArray, density: FloatArray
) -> None:
    """Write the densities at radii (n,)."""
    for k in range(r.shape[0]):
        density[k] = density_at(edges, coefficients, r[k])


@kernel
def nearest_point(
    centre: FloatArray, unit: float, origin: FloatArray, direction: FloatArray
) -> tuple[float, float]:
    """Return the square of the distance of a line from the centre, and t of the nearest point."""
    x = (origin[0] - centre[0]) / unit
    y = (origin[1] - centre[1]) / unit
    z = (origin[2] - centre[2]) / unit
    t = -(x * direction[0] + y * direction[1] + z * direction[2])
    x += t * direction[0]
    y += t * direction[1]
    z += t * direction[2]
    return x * x + y * y + z * z, t


@kernel
def radial_depths(
    edges: FloatArray,
    coefficients: FloatArray,
    centre: FloatArray,
    unit: float,
    origins: FloatArray,
    directions: FloatArray,
    t_in: FloatArray,
    t_out: FloatArray,
    depth: FloatArray,
) -> None:
    """Write the integrals of the density over pieces of lines (n,) [g/cm2]."""
    for k in range(origins.shape[0]):
        b2, nearest = nearest_point(centre, unit, origins[k], directions[k])
        low = t_in[k] / unit - nearest
        high = t_out[k] / unit - nearest
        depth[k] = unit * radial_depth(edges, coefficients, b2, low, high)


@kernel
def radial_distance(
    edges: FloatArray, coefficients: FloatArray, b2: float, low: float, high: float, depth: float
) -> float:
    """Return s in [low, high] at which the integral from `low` reaches `depth`.

    Newton's method, whose derivative is the density, kept in a bracket: the integral ascends.
    """
    a = low
    b = high
    s = 0.5 * (a + b)
    for _ in range(_MAX_STEPS):
        missing = depth - radial_depth(edges, coefficients, b2, low, s)
        if missing > 0.0:
            a = s
        elif missing < 0.0:
            b = s
        else:
            return s
        density = density_at(edges, coefficients, math.sqrt(b2 + s * s))
        step = s + missing / density if density > 0.0 else a
        if not a < step < b:
            step = 0.5 * (a + b)
        if abs(step - s) <= _TOLERANCE * (abs(s) + high - low):
            return step
        s = step
    return s


@kernel
def find_depths(
    offsets: IntArray,
    t_in: FloatArray,
    t_out: FloatArray,
    amount: FloatArray,
    depths: FloatArray,
    distance: FloatArray,
    segment: IntArray,
    rest: FloatArray,
) -> None:
    """Find where the depth of each line is reached, within segments of constant density.

    `amount` is the depth of each segment. Writes the distance (inf if it is not reached), the
    segment (-1 if none) and the depth that is left at its beginning.
    """
    for i in range(offsets.shape[0] - 1):
        left = depths[i]
        distance[i] = 0.0 if left <= 0.0 else math.inf
        segment[i] = -1
        rest[i] = 0.0
        if left <= 0.0:
            continue
        last = -1
        for k in range(offsets[i], offsets[i + 1]):
            if amount[k] <= 0.0:
                continue
            last = k
            if left <= amount[k]:
                segment[i] = k
                rest[i] = left
                distance[i] = t_in[k] + (t_out[k] - t_in[k]) * (left / amount[k])
                break
            left -= amount[k]
        if segment[i] < 0 and last >= 0 and left <= WHOLE * depths[i]:
            distance[i] = t_out[last]
