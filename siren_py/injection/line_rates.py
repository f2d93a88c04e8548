"""Lines through several regions: the chance of a decay in each of them, for many decay lengths.

What `aimed` draws on a line, the vertex and the decay point, can be summed instead: with L the
decay length and W_r the targets per area on the line, each weighted with the chance that what is
made there decays in region r (see `attenuation`), the line has the weight W_r(L) / density of
lines. One line then tells the rate in all regions at all decay lengths, hence at all couplings of
a scan, and none of the numbers depends on a few lucky flights. A line is traced once; in each
interval between two faces the exponential is common to all regions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.tracing import (
    External,
    GeometryArrays,
    Scratch,
    visible_pieces,
)
from siren_py.injection.attenuation import REACH, decay_shares
from siren_py.injection.line_intervals import (
    Intervals,
    Spans,
    cut,
)

_NEGLIGIBLE = 1e-18
"""Part of a sum that is lost in its rounding."""


class Point(NamedTuple):
    """What the lines count for at K couplings; k counts kinds of events."""

    stretch: FloatArray
    """Decay lengths over those of the lines, (k, K)."""
    factor: FloatArray
    """Weights over those of the lines, (k, K)."""


class Totals(NamedTuple):
    """Sums over the lines of C parts at K couplings, in R regions and, last, in all together."""

    sums: FloatArray
    """Sums of the weights, (C, K, R + 1)."""
    squares: FloatArray
    """Sums of their squares, (C, K, R + 1)."""


def new_totals(parts: int, couplings: int, regions: int) -> Totals:
    """Return sums of nothing."""
    shape = (parts, couplings, regions + 1)
    return Totals(np.zeros(shape), np.zeros(shape))


@kernel_part
def stack_columns(
    intervals: Intervals, p: int, length: float, inverse: float
) -> tuple[float, float]:
    """Targets per area in the stack of interval p [1/cm2], by what becomes of what they make.

    Parameters
    ----------
    intervals, p
        The line as `cut` left it, and the interval.
    length, inverse
        Decay length L [cm] and 1/L [1/cm], 0 for L = 0.

    Returns
    -------
    float
        What survives to the end of the interval: the integral of n(t) exp(-(high - t)/L) dt.
    float
        What decays before: the integral of n(t) (1 - exp(-(high - t)/L)) dt. Of an interval
        outside of all regions this leaves out the repetitions of patterns.
    """
    stretches = intervals.stretches
    low, high, number = stretches.low, stretches.high, stretches.number
    passing, counted = stretches.weight, stretches.importance
    end = intervals.high[p]
    first, stop = intervals.first[p], intervals.first[p + 1]
    for i in range(first, stop):
        if length > 0.0:
            q, _, over = decay_shares((high[i] - low[i]) * inverse)
            seen, stay, _ = decay_shares((end - high[i]) * inverse)
            passing[i] = number[i] * (length * (stay * q))
            counted[i] = number[i] * (length * (seen * q + over))
        else:
            passing[i] = 0.0
            counted[i] = number[i] * (high[i] - low[i])
    some = before = 0.0
    for i in range(first, stop):
        some += passing[i]
        before += counted[i]
    if intervals.times[p] > 0:
        x = intervals.period[p] * inverse
        more = decay_shares(intervals.times[p] * x)[0] / decay_shares(x)[0] - 1.0
        for i in range(intervals.begin[p], intervals.until[p]):
            some += passing[i] * more
    return some, before


@kernel_part
def add_up(
    intervals: Intervals,
    count: int,
    begin: float,
    densest: float,
    length: float,
    chance: FloatArray,
    rate: FloatArray,
) -> None:
    """Write W_r of a line to `rate`, (R,), for one decay length.

    Parameters
    ----------
    intervals, count
        The line as `cut` left it.
    begin
        Where the first region on the line begins [cm].
    densest
        The largest number density of the target in `intervals` [1/cm3].
    length
        Decay length L [cm].
    chance
        Buffer, (R,): the chance that a particle decays in each region.
    """
    inverse = 1.0 / length if length > 0.0 else 0.0
    regions = rate.size
    for r in range(regions):
        chance[r] = rate[r] = 0.0
    greatest, least = 0.0, 0.0
    # Outside of regions all chances fall alike: by `stay` since they were taken, while `made` is
    # what has been made since, per chance.
    stay, made = 1.0, 0.0
    for p in range(count):
        low, high = intervals.low[p], intervals.high[p]
        most, stack = intervals.density[p], intervals.stack[p]
        # Up to `lost`, what is made here does not get far enough to be seen in any sum.
        now, lost = length * greatest * stay, _NEGLIGIBLE * least
        if intervals.within[p] == 0.0:
            if high <= begin and densest * now <= lost:
                break
            if length == 0.0:
                stay = 0.0
                continue
            q, left, _ = decay_shares((high - low) * inverse)
            if most * now > lost:
                column = most * (length * q)
                if stack >= 0:
                    column, _ = stack_columns(intervals, p, length, inverse)
                made += stay * column
            stay *= left
            continue
        q, left, over = 1.0, 0.0, 0.0
        passing, counted = 0.0, most * (high - low)
        if length > 0.0:
            q, left, over = decay_shares((high - low) * inverse)
            passing, counted = most * (length * q), most * (length * over)
        if stack >= 0:
            passing, counted = stack_columns(intervals, p, length, inverse)
        greatest, least = 0.0, np.inf
        for r in range(regions):
            inside = intervals.inside[p, r]
            here = chance[r] * stay
            rate[r] += chance[r] * made + (here * passing + inside * counted)
            chance[r] = here * left + inside * q
            greatest = max(greatest, chance[r])
            if chance[r] > 0.0:
                least = min(least, rate[r])
        stay, made = 1.0, 0.0
    for r in range(regions):
        rate[r] += chance[r] * made


@kernel
def line_rates(
    geometry: GeometryArrays,
    external: External,
    scratch: Scratch,
    spans: Spans,
    intervals: Intervals,
    density: FloatArray,
    in_volume: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    nuclide: IntArray,
    kind: IntArray,
    part: IntArray,
    weights: FloatArray,
    point: Point,
    out: Totals,
) -> int:
    """Add the weights of lines in all regions and at all couplings.

    Parameters
    ----------
    geometry, external, scratch
        The detector with buffers of the calling thread.
    spans
        Where the lines are in the regions.
    intervals
        Buffers.
    density, in_volume
        Number densities of each nuclide by material, (T, M), and the largest in each volume,
        (T, V) [1/cm3].
    origins, directions
        The lines: a point [cm] and the unit direction of flight, (n, 3).
    lengths
        Decay lengths [cm], (n,); 0 if the vertex itself has to lie in the region.
    nuclide, kind, part
        Target, kind and part of each line, (n,).
    weights
        What W is multiplied by, (n,).
    point
        What changes with the coupling.
    out
        Sums, to which is added.

    Returns
    -------
    int
        Number of lines done: n, or fewer if a buffer was too small (a fault of the caller).
    """
    _, couplings, regions = out.sums.shape
    regions -= 1
    chance, rate, left = intervals.chance, intervals.rate, intervals.left
    for i in range(len(origins)):
        if weights[i] == 0.0:
            continue
        begin, end = np.inf, -np.inf
        for r in range(regions):
            start, stop = spans.first[r, i], spans.first[r, i + 1]
            if start < stop:
                begin = min(begin, spans.t_in[r, start])
                end = max(end, spans.t_out[r, stop - 1])
        if end < begin:
            continue
        own = kind[i]
        longest = 0.0
        for j in range(couplings):
            longest = max(longest, point.stretch[own, j])
        segments, _ = visible_pieces(
            geometry, external, i,
            origins[i, 0], origins[i, 1], origins[i, 2],
            directions[i, 0], directions[i, 1], directions[i, 2],
            begin - REACH * lengths[i] * longest, end, scratch,
        )  # fmt: skip
        if segments < 0:
            return i
        here = density[nuclide[i]]
        count = cut(
            geometry, scratch, segments, here, in_volume[nuclide[i]], spans, i,
            origins[i], directions[i], end, left, intervals,
        )  # fmt: skip
        if count < 0:
            return i
        densest = 0.0
        for p in range(count):
            densest = max(densest, intervals.density[p])
        if densest == 0.0:
            continue
        for j in range(couplings):
            add_up(
                intervals, count, begin, densest, lengths[i] * point.stretch[own, j],
                chance, rate,
            )  # fmt: skip
            joint = 0.0
            for r in range(regions):
                x = weights[i] * point.factor[own, j] * rate[r]
                out.sums[part[i], j, r] += x
                out.squares[part[i], j, r] += x * x
                joint += x
            out.sums[part[i], j, regions] += joint
            out.squares[part[i], j, regions] += joint * joint
    return len(origins)
