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

from math import exp, log1p, sqrt

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray

# Up to here exp(-x) = 1 - q has all its digits, and from here on q = 1 - exp(-x).
_HALF = 0.7

# Up to here three terms of the power series are exact to rounding.
_SHORT = 4e-3

# From here on exp(-x) is no normal number.
_NOTHING = 708.0


@kernel
def decay_shares(x: float) -> tuple[float, float, float]:
    """Return q = 1 - exp(-x), exp(-x) and x - q for x >= 0, none of them with cancellation.

    Below 0.7 all three follow from x / q = 1 + x/2 + sum B_2k x^2k / (2k)! (DLMF 24.2.1), which
    eight terms give to rounding: they cost less than one exponential.
    """
    if x < _HALF:
        y = x * x
        if x < _SHORT:
            bend = 0.5 * x + y * (1.0 / 12.0 - 1.0 / 720.0 * y)
            q = x / (1.0 + bend)
            return q, 1.0 - q, q * bend
        y2 = y * y
        first = (1.0 / 12.0 - 1.0 / 720.0 * y) + (1.0 / 30240.0 - 1.0 / 1209600.0 * y) * y2
        last = (1.0 / 47900160.0 - 691.0 / 1307674368000.0 * y) + (
            1.0 / 74724249600.0 - 3617.0 / 10670622842880000.0 * y
        ) * y2
        bend = 0.5 * x + y * (first + last * (y2 * y2))
        q = x / (1.0 + bend)
        return q, 1.0 - q, q * bend
    # Underflow takes the library a hundred times as long as anything else.
    stay = exp(-x) if x < _NOTHING else 0.0
    q = 1.0 - stay
    return q, stay, x - q


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
def depth_in_subpiece(u: float, h: float, length: float, importance: float, inside: int) -> float:
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
    # distribution is convex: Newton's method converges from there.
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
        z = min(max(z - step, 0.0), x)
        if abs(step) <= 1e-15 * x or abs(step) <= 1e-14 * z:
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
    y, piece, gap, share = drawn_decay(u, start, length, n_pieces, piece_in, piece_out)
    return y, piece, exp(-gap) * share


@kernel
def drawn_decay(
    u: float,
    start: float,
    length: float,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
) -> tuple[float, int, float, float]:
    """Draw as `decay_point`; return what makes up I(start) = exp(-gap) share besides."""
    first = -1
    reference = 0.0
    total = 0.0
    for j in range(n_pieces):
        if piece_out[j] <= start:
            continue
        begin = max(piece_in[j], start)
        if first < 0:
            first = j
            reference = begin
        if length > 0.0:
            share = decay_chance((piece_out[j] - begin) / length)
            total += share if j == first else exp(-(begin - reference) / length) * share
    if first < 0:
        return start, -1, 0.0, 0.0
    if length == 0.0:
        inside = piece_in[first] <= start
        return start, first if inside else -1, 0.0, 1.0 if inside else 0.0
    goal = u * total
    for j in range(first, n_pieces):
        begin = max(piece_in[j], start)
        reach = 1.0 if j == first else exp(-(begin - reference) / length)
        chance = decay_chance((piece_out[j] - begin) / length)
        share = reach * chance
        if goal < share or j == n_pieces - 1:
            fraction = min(goal / reach, chance)
            y = begin - length * log1p(-fraction)
            return min(y, piece_out[j]), j, (reference - start) / length, total
        goal -= share
    return start, -1, 0.0, 0.0
