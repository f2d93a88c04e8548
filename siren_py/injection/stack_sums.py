"""The layers of a stack on a line, listed so that repeated patterns count once.

Along a line, a pattern of layers that is repeated is a geometric series: with X the length of one
period over the decay length, k periods outside of the region weigh as much as the first one times

    (1 - exp(-k X)) / (1 - exp(-X)),

so that only one period and the layers at both ends are listed, whatever the number of plates.
Nothing is approximated: the sums are those over the single layers.
"""

from __future__ import annotations

from math import log1p
from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.arrays import GeometryArrays
from siren_py.geometry.layer_kernels import layer_at
from siren_py.injection.attenuation import decay_chance, survival

# Fewer whole periods than this are listed one by one: a series would not save anything.
_SERIES = 2

# A line that enters a layer this far from its face [cm], or closer, crosses it whole: rounding.
_WHOLE = 1e-11


class Stretches(NamedTuple):
    """Stretches of one line in one layer each that contain the target, from its end upstream."""

    low: FloatArray
    """Upstream ends [cm]."""
    high: FloatArray
    """Downstream ends [cm]."""
    number: FloatArray
    """Number densities of the target [1/cm3]."""
    inside: FloatArray
    """1 if decays count there, 0 if not."""
    edge: FloatArray
    """Where that changes next downstream [cm]."""
    beyond: FloatArray
    """Chance to decay in the region for a particle at that edge."""
    importance: FloatArray
    """That chance at the downstream end."""
    weight: FloatArray
    """Contributions to W [1/cm2]."""
    layer: IntArray
    """Material of the layer, -1 outside of stacks."""


def new_stretches(n: int) -> Stretches:
    """Return buffers for n stretches."""
    low, high, number, inside, edge, beyond, importance, weight = np.empty((8, n))
    return Stretches(
        low, high, number, inside, edge, beyond, importance, weight, np.empty(n, np.int64)
    )


@kernel_part
def list_layers(
    geometry: GeometryArrays,
    stack: int,
    density: FloatArray,
    slope: float,
    origin: float,
    low: float,
    high: float,
    series: bool,
    stretches: Stretches,
    count: int,
    capacity: int,
) -> tuple[int, int, int, int, float]:
    """Append the layers on the piece [low, high) of a line in a stack, upstream.

    Parameters
    ----------
    geometry, stack
        The detector, and the number of the stack.
    density
        Number density of the target for each material [1/cm3].
    slope, origin
        Coordinate of the layers along the line, origin + t slope.
    low, high
        Ends of the piece [cm].
    series
        Whether repeated patterns may be listed once.
    stretches
        Receives `low`, `high`, `number` and `layer` of those that contain the target.
    count
        How many stretches there are already.
    capacity
        How many there may be.

    Returns
    -------
    int
        New number of stretches; -1 if there is no room for them.
    int, int
        First and last (exclusive) stretch of the period that is repeated.
    int
        How often it comes, 0 if nothing is repeated.
    float
        Length of the period along the line [cm].
    """
    edge, material = geometry.layer_edge, geometry.layer_material
    first_edge, first_material = geometry.stack[stack, 0], geometry.stack[stack, 1]
    layers, run = geometry.stack[stack, 2], geometry.stack[stack, 3]
    period, repeats = geometry.stack[stack, 4], geometry.stack[stack, 5]
    here = layer_at(edge, first_edge, layers, origin + high * slope)
    last = layer_at(edge, first_edge, layers, origin + low * slope)
    # Faces of a layer downstream and upstream.
    step, entry, leave = (-1, 1, 0) if slope > 0.0 else (1, 0, 1)
    per = 1.0 / slope
    first, times = -1, 0
    if series and period > 0 and here != last:
        # Layers that are crossed whole, those at both ends perhaps included.
        start, stop = here + step, last - step
        if (edge[first_edge + here + entry] - origin) * per - high <= _WHOLE:
            start = here
        if low - (edge[first_edge + last + leave] - origin) * per <= _WHOLE:
            stop = last
        end = run + period * repeats - 1
        if slope > 0.0:
            first = min(start, end)
            whole = first - max(stop, run) + 1
        else:
            first = max(start, run)
            whole = min(stop, end) - first + 1
        # A quotient of floats: that of integers takes ten times as long.
        times = int(whole / period) if whole > 0 else 0
        if times < _SERIES:
            first, times = -1, 0
    after = first + step * period if times > 0 else -2
    begin = until = count
    layer, t = here, high
    while True:
        if layer == first:
            begin = count
        elif layer == after:
            until = count
            layer = first + step * period * times
            t = min((edge[first_edge + layer + entry] - origin) * per, t)
            after = -2
        if layer == last + step:
            break
        stop_at = low
        if layer != last:
            stop_at = min(max((edge[first_edge + layer + leave] - origin) * per, low), t)
        number = density[material[first_material + layer]]
        if number > 0.0 and stop_at < t:
            if count >= capacity:
                return -1, begin, until, times, 0.0
            stretches.low[count] = stop_at
            stretches.high[count] = t
            stretches.number[count] = number
            stretches.layer[count] = material[first_material + layer]
            count += 1
        t = stop_at
        layer += step
    length = 0.0
    if times > 0:
        length = (edge[first_edge + run + period * repeats] - edge[first_edge + run]) * abs(per)
        length /= repeats
    return count, begin, until, times, length


@kernel_part
def choose_stretch(
    stretches: Stretches,
    first: int,
    stop: int,
    begin: int,
    until: int,
    times: int,
    x: float,
    goal: float,
) -> tuple[int, int]:
    """Find where the weight of the stretches of a piece, summed upstream, exceeds `goal`.

    Parameters
    ----------
    stretches
        Those of a line, with their weights.
    first, stop
        The first and the last (exclusive) one of the piece.
    begin, until, times, x
        The stretches of the pattern that is repeated, how often, and the length of the period
        over the decay length.
    goal
        Uniform below the weight of the piece.

    Returns
    -------
    int
        Number of the stretch, as it is listed.
    int
        How many periods further upstream the vertex lies.
    """
    weight = stretches.weight
    picked, periods = first, 0
    for i in range(first, begin if times > 0 else stop):
        if weight[i] > 0.0:
            picked = i
            if goal < weight[i]:
                return picked, 0
            goal -= weight[i]
    if times == 0:
        return picked, 0
    one = 0.0
    for i in range(begin, until):
        one += weight[i]
        picked, periods = i, times - 1
    reach, chance = decay_chance(times * x), decay_chance(x)
    series = one * (reach / chance)
    if goal < series:
        periods = min(int(-log1p(-reach * (goal / series)) / x), times - 1)
        # What the periods downstream weigh, and how much less than the first one this one does.
        goal -= one * (decay_chance(periods * x) / chance)
        scale = survival(periods * x)
        for i in range(begin, until):
            picked = i
            if goal < weight[i] * scale:
                break
            goal -= weight[i] * scale
        return picked, periods
    goal -= series
    for i in range(until, stop):
        if weight[i] > 0.0:
            picked, periods = i, 0
            if goal < weight[i]:
                break
            goal -= weight[i]
    return picked, periods
