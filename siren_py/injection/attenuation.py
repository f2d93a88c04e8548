"""Exact integrals of exponential survival over the pieces of a line.

A line is known as matter segments (t_in, t_out, number density of the target) and as region
pieces (where a decay counts). With L the decay length, the chance that a particle made at x
decays in the region is

    I(x) = sum_j exp(-(max(a_j, x) - x)/L) (1 - exp(-(b_j - max(a_j, x))/L)),

and the number of targets per area, each weighted with that chance, is W = integral n(x) I(x) dx.
Both follow in closed form, piece by piece, when the line is swept upstream from the end of the
last region piece; there are no steps and no tables. L = 0 stands for a particle that decays
where it is made, or for an interaction that itself has to lie in the region.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log1p, sqrt
from typing import Any, cast

from llvmlite import ir
from numba.extending import intrinsic

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray, IntArray

REACH = 200.0
"""Matter further upstream than this many decay lengths from the region is not traced: what is
made there reaches the region with a chance below exp(-200) = 1e-87, under every rounding."""

# exp(-x) = 2^-k exp(-r) with |r| <= ln 2 / 2; ln 2 in two parts, of which the first has 32 bits.
_PER_LN2 = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10

# Added to a number it leaves the nearest integer in the last bits of the sum.
_ROUNDING = 1.5 * 2.0**52

# A step of third order this short, compared with z or 1, leaves an error below rounding.
_THIRD = 4e-6

# From here on exp(-x) counts as nothing: numbers below 1e-308 take the processor a hundred times as
# long as others.
_NOTHING = 700.0


def _halvings(typing_context: Any, number: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = ir.IntType(64)
        # The exponent of a float is in bits 52 to 62, shifted by 1023.
        k = builder.shl(builder.bitcast(arguments[0], bits), bits(52))
        return builder.bitcast(builder.sub(bits(1023 << 52), k), ir.DoubleType())

    return number(number), generate


halvings = cast("Callable[[float], float]", intrinsic(_halvings))
"""Return 2^-k for the float k + _ROUNDING, k from 0 to 1022: no call, so that loops of it become
vector instructions."""


@kernel_part
def decay_shares(x: float) -> tuple[float, float, float]:
    """Return q = 1 - exp(-x), exp(-x) and x - q for x >= 0, none of them with cancellation.

    With r = x - k ln 2 the first follows from r / (1 - exp(-r)) = 1 + r/2 + sum B_2k r^2k / (2k)!
    (DLMF 24.2.1), which six terms give to rounding. There are no branches.
    """
    rounded = min(x, _NOTHING) * _PER_LN2 + _ROUNDING
    k = rounded - _ROUNDING
    scale = halvings(rounded)
    r = (min(x, _NOTHING) - k * _LN2_HIGH) - k * _LN2_LOW
    y = r * r
    y2 = y * y
    first = (1.0 / 12.0 - 1.0 / 720.0 * y) + (1.0 / 30240.0 - 1.0 / 1209600.0 * y) * y2
    last = 1.0 / 47900160.0 - 691.0 / 1307674368000.0 * y
    bend = 0.5 * r + y * (first + last * (y2 * y2))
    part = r / (1.0 + bend)
    q = (1.0 - scale) + scale * part
    stay = scale * (1.0 - part) if x < _NOTHING else 0.0
    return q, stay, part * bend if k == 0.0 else x - q


@kernel
def decay_chance(x: float) -> float:
    """Return 1 - exp(-x) for x >= 0, without cancellation."""
    return decay_shares(x)[0]


@kernel
def survival(x: float) -> float:
    """Return exp(-x) for x >= 0."""
    return decay_shares(x)[1]


@kernel
def excess(x: float) -> float:
    """Return x - (1 - exp(-x)) for x >= 0, without cancellation."""
    return decay_shares(x)[2]


@kernel
def stretch(
    h: float, length: float, inverse: float, importance: float, inside: bool
) -> tuple[float, float]:
    """Integrate I over a stretch of h [cm] at whose downstream end it is `importance`.

    `length` is L, `inverse` 1/L; `inside` says whether the stretch lies in the region. Returns
    the integral [cm] and I at the upstream end.
    """
    if length > 0.0:
        q, stay, over = decay_shares(h * inverse)
        if inside:
            return length * (importance * q + over), importance * stay + q
        return length * (importance * q), importance * stay
    if inside:
        return h, 1.0
    return 0.0, 0.0


@kernel
def sweep_upstream(
    n_segments: int,
    t_in: FloatArray,
    t_out: FloatArray,
    material: IntArray,
    density: FloatArray,
    densest: float,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
    length: float,
    sub_low: FloatArray,
    sub_high: FloatArray,
    sub_segment: IntArray,
    sub_inside: IntArray,
    sub_importance: FloatArray,
    sub_weight: FloatArray,
) -> tuple[int, float]:
    """Sweep a line upstream and list its sub-pieces with their contributions to W.

    Parameters
    ----------
    n_segments, t_in, t_out, material
        Matter segments, sorted along the line; `t_in`, `t_out` [cm]; material index or -1.
    density
        Number density of the target for each material [1/cm3].
    densest
        Largest entry of `density` [1/cm3].
    n_pieces, piece_in, piece_out
        Region pieces, sorted and disjoint [cm].
    length
        Decay length L [cm]; 0 for a prompt vertex.
    sub_low, sub_high, sub_segment, sub_inside, sub_importance, sub_weight
        Buffers for the sub-pieces that contain the target: bounds [cm], segment, whether the
        sub-piece lies in the region, I at its downstream end, and its share of W [1/cm2].

    Returns
    -------
    int
        Number of sub-pieces written; -1 if a buffer is too small.
    float
        W [1/cm2].
    """
    count = 0
    total = 0.0
    importance = 0.0
    j = n_pieces - 1
    s = n_segments - 1
    if j < 0 or densest == 0.0:
        return 0, 0.0
    position = piece_out[j]
    inverse = 1.0 / length if length > 0.0 else 0.0
    while True:
        while j >= 0 and piece_in[j] >= position:
            j -= 1
        while s >= 0 and t_in[s] >= position:
            s -= 1
        if s < 0:
            break
        # Upstream of every region piece only the exponential is left: stop when what can
        # still come is below rounding.
        if j < 0 and densest * length * importance < 1e-18 * total:
            break
        if j < 0 and importance == 0.0:
            break
        inside = j >= 0 and position <= piece_out[j]
        low = t_in[s] if t_out[s] >= position else t_out[s]
        in_matter = t_out[s] >= position
        if j >= 0:
            edge = piece_in[j] if inside else piece_out[j]
            if edge > low:
                low = edge
        column, upstream = stretch(position - low, length, inverse, importance, inside)
        if in_matter and material[s] >= 0:
            weight = density[material[s]] * column
            if weight > 0.0:
                if count >= sub_low.size:
                    return -1, total
                sub_low[count] = low
                sub_high[count] = position
                sub_segment[count] = s
                sub_inside[count] = 1 if inside else 0
                sub_importance[count] = importance
                sub_weight[count] = weight
                count += 1
                total += weight
        importance = upstream
        position = low
    return count, total


@kernel
def depth_in_subpiece(u: float, h: float, length: float, importance: float, inside: float) -> float:
    """Draw how far upstream of the sub-piece's end the vertex lies [cm].

    The density is proportional to I exp(-v/L) outside and to I exp(-v/L) + 1 - exp(-v/L) inside
    of the region; `u` is uniform in [0, 1).
    """
    if length == 0.0:
        return u * h
    x = h / length
    if inside == 0:
        v = -length * log1p(-u * decay_chance(x))
        return min(v, h)
    q, _, over = decay_shares(x)
    goal = u * (importance * q + over)
    # The small-z form of the cumulative distribution bounds the root from below, and the
    # distribution is convex: Halley's method, which is of third order, converges from there.
    a = 0.5 * (1.0 - importance)
    root = sqrt(importance * importance + 4.0 * a * goal)
    z = min(2.0 * goal / (importance + root), x) if goal > 0.0 else 0.0
    for _ in range(60):
        q, stay, over = decay_shares(z)
        value = importance * q + over - goal
        slope = importance * stay + q
        if slope <= 0.0:
            break
        step = value / slope
        step /= max(1.0 - a * stay * step / slope, 0.5)
        z = min(max(z - step, 0.0), x)
        if abs(step) <= _THIRD * min(z, 1.0):
            break
    return min(z * length, h)


@kernel
def decay_point(
    u: float,
    start: float,
    length: float,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
) -> tuple[float, int, float]:
    """Draw the decay point downstream of `start` inside the region pieces.

    Returns
    -------
    float
        Position along the line [cm].
    int
        Number of the piece it lies in, -1 if no piece is downstream.
    float
        I(start), the chance to decay in the region.
    """
    first = 0
    while first < n_pieces and piece_out[first] <= start:
        first += 1
    if first == n_pieces:
        return start, -1, 0.0
    begin = max(piece_in[first], start)
    if length == 0.0:
        inside = piece_in[first] <= start
        return start, first if inside else -1, 1.0 if inside else 0.0
    total = 0.0
    for j in range(n_pieces - 1, first, -1):
        total = decay_chance((piece_out[j] - piece_in[j]) / length) + total * survival(
            (piece_out[j] - piece_in[j]) / length
        )
        total *= survival((piece_in[j] - piece_out[j - 1]) / length)
    q, stay, _ = decay_shares((piece_out[first] - begin) / length)
    total = q + total * stay
    y, piece = decay_ahead(u * total, begin, first, length, n_pieces, piece_in, piece_out)
    return y, piece, survival((begin - start) / length) * total


@kernel
def decay_ahead(
    goal: float,
    begin: float,
    first: int,
    length: float,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
) -> tuple[float, int]:
    """Return where the chance to decay in the region, summed from `begin` on, exceeds `goal`.

    Parameters
    ----------
    goal
        Uniform below the chance of a particle at `begin`.
    begin
        A point of the region piece `first` [cm].
    first
        Number of that piece.
    length
        Decay length [cm], above 0.
    n_pieces, piece_in, piece_out
        Region pieces, sorted and disjoint [cm].

    Returns
    -------
    float, int
        Position [cm], and the number of the piece.
    """
    reach = 1.0
    for j in range(first, n_pieces):
        chance, stay, _ = decay_shares((piece_out[j] - begin) / length)
        if goal < reach * chance or j == n_pieces - 1:
            fraction = min(goal / reach, chance)
            return min(begin - length * log1p(-fraction), piece_out[j]), j
        goal -= reach * chance
        reach *= stay * survival((piece_in[j + 1] - piece_out[j]) / length)
        begin = piece_in[j + 1]
    return begin, n_pieces - 1
