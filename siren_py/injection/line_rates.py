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

from siren_py._numba import inline_kernel, kernel, kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.borrowing import (
    borrow_external,
    borrow_geometry,
    borrow_scratch,
    borrowed,
)
from siren_py.geometry.tracing import (
    External,
    GeometryArrays,
    RegionArrays,
    Scratch,
    region_intervals,
    visible_pieces,
)
from siren_py.injection.aimed import REACH
from siren_py.injection.attenuation import decay_shares
from siren_py.injection.piece_sweep import axis_of
from siren_py.injection.stack_sums import stack_inside, stack_outside

_NEGLIGIBLE = 1e-18
"""Part of a sum that is lost in its rounding."""


class Spans(NamedTuple):
    """Where lines are in regions, R of them."""

    first: IntArray
    """First span of each line in each region, and the end of the last one, (R, n + 1)."""
    t_in: FloatArray
    """Where the line comes in [cm], ascending for each line, (R, capacity)."""
    t_out: FloatArray
    """Where it goes out [cm], (R, capacity)."""


class Intervals(NamedTuple):
    """Intervals of one line between faces, from the last region upstream."""

    low: FloatArray
    """Upstream ends [cm]."""
    high: FloatArray
    """Downstream ends [cm]."""
    density: FloatArray
    """The largest number density of the target [1/cm3]; 0 where there is none."""
    stack: IntArray
    """The stack that the interval lies in, -1 if in none or without target."""
    inside: FloatArray
    """1 where the interval lies in a region, 0 else, (capacity, R)."""
    within: FloatArray
    """The sum of these over the regions."""


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


def new_intervals(capacity: int, regions: int) -> Intervals:
    """Return buffers for the intervals of a line."""
    return Intervals(
        np.empty(capacity), np.empty(capacity), np.empty(capacity),
        np.empty(capacity, np.int64), np.empty((capacity, regions)), np.empty(capacity),
    )  # fmt: skip


@inline_kernel
def borrow_intervals(intervals: Intervals) -> Intervals:
    """Return the buffers without reference counts; see `siren_py.geometry.borrowing`."""
    return Intervals(
        borrowed(intervals.low),
        borrowed(intervals.high),
        borrowed(intervals.density),
        borrowed(intervals.stack),
        borrowed(intervals.inside),
        borrowed(intervals.within),
    )


@inline_kernel
def borrow_spans(spans: Spans) -> Spans:
    """Return the spans without reference counts."""
    return Spans(borrowed(spans.first), borrowed(spans.t_in), borrowed(spans.t_out))


@kernel
def region_spans(
    region: RegionArrays,
    external: External,
    scratch: Scratch,
    origins: FloatArray,
    directions: FloatArray,
    first: IntArray,
    t_in: FloatArray,
    t_out: FloatArray,
) -> int:
    """Find where lines are in one region; fills a row of `Spans`.

    Returns the number of spans; -1 if there are more than `t_in` has room for, -2 if the scratch
    buffers are too small.
    """
    region, external = borrow_geometry(region), borrow_external(external)
    scratch = borrow_scratch(scratch)
    count = 0
    first[0] = 0
    for i in range(len(origins)):
        pieces, _ = region_intervals(
            region, external, i,
            origins[i, 0], origins[i, 1], origins[i, 2],
            directions[i, 0], directions[i, 1], directions[i, 2],
            -np.inf, np.inf, scratch,
        )  # fmt: skip
        if pieces < 0:
            return -2
        if count + pieces > t_in.size:
            return -1
        for k in range(pieces):
            t_in[count], t_out[count] = scratch.t_in[k], scratch.t_out[k]
            count += 1
        first[i + 1] = count
    return count


@kernel_part
def cut(
    geometry: GeometryArrays,
    scratch: Scratch,
    segments: int,
    in_volume: FloatArray,
    spans: Spans,
    line: int,
    position: float,
    left: IntArray,
    intervals: Intervals,
) -> int:
    """Cut a line at all faces, from t = `position`, the end of its last region, upstream.

    Neighbours in which nothing changes become one interval. `left` is a buffer, (R,).
    Returns the number of intervals, -1 if the buffers are too small.
    """
    t_in, t_out, rows = scratch.visible_in, scratch.visible_out, scratch.visible_row
    regions = len(left)
    for r in range(regions):
        left[r] = spans.first[r, line + 1] - 1
    s = segments - 1
    count = 0
    while True:
        while s >= 0 and t_in[s] >= position:
            s -= 1
        low = -np.inf
        row = -1
        if s >= 0:
            low = t_out[s]
            if t_out[s] >= position:
                row, low = rows[s], t_in[s]
        if count >= intervals.low.size:
            return -1
        within = 0.0
        for r in range(regions):
            k, start = left[r], spans.first[r, line]
            while k >= start and spans.t_in[r, k] >= position:
                k -= 1
            left[r] = k
            intervals.inside[count, r] = 0.0
            if k >= start:
                if position <= spans.t_out[r, k]:
                    intervals.inside[count, r] = 1.0
                    within += 1.0
                    low = max(low, spans.t_in[r, k])
                else:
                    low = max(low, spans.t_out[r, k])
        # Nothing is made upstream of the last matter.
        if s < 0:
            return count
        most = in_volume[row] if row >= 0 else 0.0
        stack = geometry.integer[row, 3] if most > 0.0 else -1
        before = count - 1
        same = count > 0 and stack < 0 and intervals.stack[before] < 0
        if same and most == intervals.density[before] and within == intervals.within[before]:
            for r in range(regions):
                same = same and intervals.inside[count, r] == intervals.inside[before, r]
            if same:
                intervals.low[before] = position = low
                continue
        intervals.low[count], intervals.high[count] = low, position
        intervals.density[count], intervals.stack[count] = most, stack
        intervals.within[count] = within
        count += 1
        position = low


@kernel_part
def add_up(
    geometry: GeometryArrays,
    intervals: Intervals,
    count: int,
    begin: float,
    densest: float,
    density: FloatArray,
    origin: FloatArray,
    direction: FloatArray,
    length: float,
    chance: FloatArray,
    rate: FloatArray,
) -> None:
    """Write W_r of a line to `rate`, (R,), for one decay length.

    Parameters
    ----------
    geometry, intervals, count
        The detector, and the line as `cut` left it.
    begin
        Where the first region on the line begins [cm].
    densest, density
        Number densities of the target [1/cm3]: the largest in `intervals`, and by material.
    origin, direction
        The line, (3,) each.
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
                    slope, start = axis_of(geometry, stack, origin, direction)
                    column = stack_outside(
                        geometry.layer_edge, geometry.layer_material, geometry.stack, stack,
                        density, slope, start, low, high, length, np.inf,
                    )[0]  # fmt: skip
                made += stay * column
            stay *= left
            continue
        q, left, over = 1.0, 0.0, 0.0
        passing, counted = 0.0, most * (high - low)
        if length > 0.0:
            q, left, over = decay_shares((high - low) * inverse)
            passing, counted = most * (length * q), most * (length * over)
        if stack >= 0:
            slope, start = axis_of(geometry, stack, origin, direction)
            counted = stack_inside(
                geometry.layer_edge, geometry.layer_material, geometry.stack, stack, density,
                slope, start, low, high, length, 0.0, np.inf,
            )[0]  # fmt: skip
            if length > 0.0:
                passing = stack_outside(
                    geometry.layer_edge, geometry.layer_material, geometry.stack, stack, density,
                    slope, start, low, high, length, np.inf,
                )[0]  # fmt: skip
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
    geometry, external = borrow_geometry(geometry), borrow_external(external)
    scratch = borrow_scratch(scratch)
    density, in_volume = borrowed(density), borrowed(in_volume)
    origins, directions = borrowed(origins), borrowed(directions)
    intervals, spans = borrow_intervals(intervals), borrow_spans(spans)
    _, couplings, regions = out.sums.shape
    regions -= 1
    room, room_left = np.empty((2, regions)), np.empty(regions, np.int64)
    chance, rate, left = borrowed(room[0]), borrowed(room[1]), borrowed(room_left)
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
        here = borrowed(density[nuclide[i]])
        count = cut(
            geometry, scratch, segments, borrowed(in_volume[nuclide[i]]), spans, i, end, left,
            intervals,
        )  # fmt: skip
        if count < 0:
            return i
        densest = 0.0
        for p in range(count):
            densest = max(densest, intervals.density[p])
        if densest == 0.0:
            continue
        origin, direction = origins[i], directions[i]
        for j in range(couplings):
            add_up(
                geometry, intervals, count, begin, densest, here, origin, direction,
                lengths[i] * point.stretch[own, j], chance, rate,
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
