"""Sums over the layers of a stack, weighted with the survival of what is made in them.

Along a line, a pattern of layers that is repeated is a geometric series: with X the length of one
period over the decay length, k periods weigh as much as the first one times

    (1 - exp(-k X)) / (1 - exp(-X)),

so that only one period and the layers at both ends are visited, whatever the number of plates.
The period of a vertex follows from the inverse of the series, its layer from a walk through that
one period. Nothing is approximated: the sums are those over the single layers.
"""

from __future__ import annotations

from math import inf, log1p

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.layer_kernels import layer_at
from siren_py.injection.attenuation import decay_chance, decay_shares, stretch, survival

# Fewer whole periods than this are walked through: a series would not save anything.
_SERIES = 2


@kernel_part
def walk_outside(
    edge: FloatArray,
    first_edge: int,
    material: IntArray,
    first_material: int,
    density: FloatArray,
    slope: float,
    origin: float,
    layer: int,
    stop: int,
    last: int,
    start: float,
    low: float,
    stay: float,
    length: float,
    goal: float,
) -> tuple[float, int, float, float]:
    """Add up layers from `layer` (entered at t = `start`) upstream until `stop` (exclusive).

    The layer `last` ends at t = `low`; `stay` is the survival at `start`. Returns the sum of
    n L (1 - exp(-h/L)) times the survival at the downstream end over the layers until it exceeds
    `goal`, the last layer that counted (-1 if none) and its ends.
    """
    step = -1 if slope > 0.0 else 1
    face = 0 if slope > 0.0 else 1
    per = 1.0 / slope
    inverse = 1.0 / length
    total = 0.0
    picked = -1
    a = b = t = known = start
    while layer != stop:
        end = low
        if layer != last:
            end = min(max((edge[first_edge + layer + face] - origin) * per, low), t)
        number = density[material[first_material + layer]]
        if number > 0.0 and end < t:
            # One function of the thickness per layer; more only behind layers that do not count.
            if t < known:
                stay *= survival((known - t) * inverse)
            q, left, _ = decay_shares((t - end) * inverse)
            total += number * length * stay * q
            picked, a, b = layer, end, t
            if goal < total:
                break
            stay *= left
            known = end
        t = end
        layer += step
    return total, picked, a, b


@kernel_part
def stack_outside(
    edge: FloatArray,
    material: IntArray,
    stacks: IntArray,
    stack: int,
    density: FloatArray,
    slope: float,
    origin: float,
    low: float,
    high: float,
    length: float,
    goal: float,
) -> tuple[float, int, float, float]:
    """Sum over the piece [low, high) of a line in a stack, upstream of where decays count.

    Parameters
    ----------
    edge, material, stacks
        Faces and materials of the layers of all stacks, and where those of each are: `layer_edge`,
        `layer_material` and `stack` of `GeometryArrays`.
    stack
        Number of the stack.
    density
        Number density of the target for each material [1/cm3].
    slope, origin
        Coordinate of the layers along the line, origin + t slope.
    low, high
        Ends of the piece [cm].
    length
        Decay length L [cm], above 0.
    goal
        The layer is wanted in which the sum, taken upstream, exceeds this; inf for the sum alone.

    Returns
    -------
    float
        Integral of n(t) exp(-(high - t)/L) dt [1/cm2], or what it is up to the layer found.
    int
        The layer found (the last with the target for inf), -1 if the target is in none.
    float, float
        Its ends [cm].
    """
    first_edge, first_material = stacks[stack, 0], stacks[stack, 1]
    layers, run = stacks[stack, 2], stacks[stack, 3]
    period, repeats = stacks[stack, 4], stacks[stack, 5]
    here = layer_at(edge, first_edge, layers, origin + high * slope)
    last = layer_at(edge, first_edge, layers, origin + low * slope)
    step = -1 if slope > 0.0 else 1
    end = run + period * repeats
    # Whole layers of the run, upstream of the first one, which may have been cut.
    if slope > 0.0:
        first = min(here, end) - 1
        whole = first - max(last + 1, run) + 1
    else:
        first = max(here + 1, run)
        whole = min(last, end) - first
    # A quotient of floats: that of integers takes ten times as long.
    count = int(whole / period) if period > 0 and whole > 0 else 0
    if count < _SERIES:
        return walk_outside(
            edge, first_edge, material, first_material, density, slope, origin,
            here, last + step, last, high, low, 1.0, length, goal,
        )  # fmt: skip
    entry = 1 if slope > 0.0 else 0
    per = 1.0 / slope
    before, picked, a, b = walk_outside(
        edge, first_edge, material, first_material, density, slope, origin,
        here, first, last, high, low, 1.0, length, goal,
    )  # fmt: skip
    if goal < before:
        return before, picked, a, b
    start = min((edge[first_edge + first + entry] - origin) * per, high)
    x = (edge[first_edge + end] - edge[first_edge + run]) * abs(per) / (repeats * length)
    one, in_one, a_one, b_one = walk_outside(
        edge, first_edge, material, first_material, density, slope, origin,
        first, first + step * period, last, start, low, 1.0, length, inf,
    )  # fmt: skip
    stay = survival((high - start) / length)
    chance = decay_chance(x)
    reach, left, _ = decay_shares(count * x)
    series = stay * one * (reach / chance)
    rest = goal - before
    if in_one >= 0:
        picked, a, b = in_one, a_one, b_one
    if rest < series:
        number = min(int(-log1p(-reach * (rest / series)) / x), count - 1)
        rest -= stay * one * (decay_chance(number * x) / chance)
        scale = stay * survival(number * x)
        layer = first + step * period * number
        at = (edge[first_edge + layer + entry] - origin) * per
        _, picked, a, b = walk_outside(
            edge, first_edge, material, first_material, density, slope, origin,
            layer, layer + step * period, last, at, low, 1.0,
            length, rest / scale if scale > 0.0 else 0.0,
        )  # fmt: skip
        return before + series, picked, a, b
    layer = first + step * period * count
    at = (edge[first_edge + layer + entry] - origin) * per
    after, in_rest, a_rest, b_rest = walk_outside(
        edge, first_edge, material, first_material, density, slope, origin,
        layer, last + step, last, at, low, stay * left, length, rest - series,
    )  # fmt: skip
    if in_rest >= 0:
        picked, a, b = in_rest, a_rest, b_rest
    return before + series + after, picked, a, b


@kernel
def stack_inside(
    edge: FloatArray,
    material: IntArray,
    stacks: IntArray,
    stack: int,
    density: FloatArray,
    slope: float,
    origin: float,
    low: float,
    high: float,
    length: float,
    importance: float,
    goal: float,
) -> tuple[float, int, float, float, float]:
    """Sum over the piece [low, high) of a line in a stack where decays count.

    Arguments as in `stack_outside`, `length` possibly 0, and `importance` the chance I at `high`.

    Returns
    -------
    float, int, float, float
        As from `stack_outside`, for the integral of n(t) I(t) dt [1/cm2].
    float
        I at the downstream end of the layer found.
    """
    first_edge, first_material, layers = stacks[stack, 0], stacks[stack, 1], stacks[stack, 2]
    layer = layer_at(edge, first_edge, layers, origin + high * slope)
    last = layer_at(edge, first_edge, layers, origin + low * slope)
    step = -1 if slope > 0.0 else 1
    face = 0 if slope > 0.0 else 1
    per = 1.0 / slope
    inverse = 1.0 / length if length > 0.0 else 0.0
    total = 0.0
    picked = -1
    seen = importance
    a = b = t = high
    while True:
        end = low
        if layer != last:
            end = min(max((edge[first_edge + layer + face] - origin) * per, low), t)
        h = t - end
        column, upstream = stretch(h, length, inverse, importance, True)
        number = density[material[first_material + layer]]
        if number > 0.0 and h > 0.0:
            total += number * column
            picked, a, b, seen = layer, end, t, importance
            if goal < total:
                break
        if h > 0.0:
            importance = upstream
        if layer == last:
            break
        t = end
        layer += step
    return total, picked, a, b, seen
