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
from siren_py.injection.attenuation import decay_shares, survival
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
    """The stack that the interval lies in, -1 if in none."""
    inside: FloatArray
    """1 where the interval lies in a region, 0 else, (capacity, R)."""


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
        np.empty(capacity, np.int64), np.empty((capacity, regions)),
    )  # fmt: skip


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

    Neighbours without target outside of all regions become one interval. `left` is a buffer, (R,).
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
        within = False
        ahead = False
        for r in range(regions):
            k, start = left[r], spans.first[r, line]
            while k >= start and spans.t_in[r, k] >= position:
                k -= 1
            left[r] = k
            if k >= start:
                ahead = True
                if position <= spans.t_out[r, k]:
                    within = True
                    low = max(low, spans.t_in[r, k])
                else:
                    low = max(low, spans.t_out[r, k])
        # Nothing is made upstream of the last matter.
        if s < 0:
            return count
        most = in_volume[row] if row >= 0 else 0.0
        before = count - 1
        if not within and most == 0.0 and count > 0 and intervals.stack[before] == -2:
            intervals.low[before] = low
        else:
            if count >= intervals.low.size:
                return -1
            intervals.low[count], intervals.high[count] = low, position
            intervals.density[count] = most
            # -2 marks a gap, which only lets particles decay.
            kind = -1 if within or most > 0.0 else -2
            intervals.stack[count] = geometry.integer[row, 3] if most > 0.0 else kind
            for r in range(regions):
                inside = left[r] >= spans.first[r, line] and position <= spans.t_out[r, left[r]]
                intervals.inside[count, r] = 1.0 if ahead and inside else 0.0
            count += 1
        position = low


@kernel_part
def stack_shares(
    geometry: GeometryArrays,
    stack: int,
    density: FloatArray,
    slope: float,
    start: float,
    low: float,
    high: float,
    length: float,
    outside: bool,
    inside: bool,
) -> tuple[float, float]:
    """Return what an interval in a stack adds per chance I at its end, and where decays count."""
    passing = 0.0
    counted = 0.0
    if outside and length > 0.0:
        passing = stack_outside(
            geometry.layer_edge, geometry.layer_material, geometry.stack, stack, density,
            slope, start, low, high, length, np.inf,
        )[0]  # fmt: skip
    if inside:
        counted = stack_inside(
            geometry.layer_edge, geometry.layer_material, geometry.stack, stack, density,
            slope, start, low, high, length, 0.0, np.inf,
        )[0]  # fmt: skip
    return passing, counted


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
    _, couplings, regions = out.sums.shape
    regions -= 1
    chance, rate = np.empty(regions), np.empty(regions)
    left = np.empty(regions, np.int64)
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
        for j in range(couplings):
            length = lengths[i] * point.stretch[own, j]
            inverse = 1.0 / length if length > 0.0 else 0.0
            for r in range(regions):
                chance[r] = rate[r] = 0.0
            greatest = 0.0
            least = 0.0
            for p in range(count):
                low, high = intervals.low[p], intervals.high[p]
                stack = intervals.stack[p]
                if high <= begin and densest * length * greatest <= _NEGLIGIBLE * least:
                    # Upstream of all regions only the exponential is left.
                    break
                if stack == -2:
                    stay = survival((high - low) * inverse) if length > 0.0 else 0.0
                    for r in range(regions):
                        chance[r] *= stay
                    greatest *= stay
                    continue
                q, stay, over = 1.0, 0.0, 0.0
                passing, counted = 0.0, 0.0
                if length > 0.0:
                    q, stay, over = decay_shares((high - low) * inverse)
                most = intervals.density[p]
                within = False
                for r in range(regions):
                    within = within or intervals.inside[p, r] > 0.0
                if not within and most * length * greatest <= _NEGLIGIBLE * least:
                    # What is made here does not get far enough to be seen in the sums.
                    most = 0.0
                elif stack >= 0:
                    slope, start_at = axis_of(geometry, stack, origins[i], directions[i])
                    passing, counted = stack_shares(
                        geometry, stack, here, slope, start_at, low, high, length,
                        greatest > 0.0, within,
                    )  # fmt: skip
                elif most > 0.0:
                    if length > 0.0:
                        passing, counted = most * (length * q), most * (length * over)
                    else:
                        counted = most * (high - low)
                greatest = 0.0
                least = np.inf
                for r in range(regions):
                    inside = intervals.inside[p, r]
                    rate[r] += chance[r] * passing + inside * counted
                    chance[r] = chance[r] * stay + inside * q
                    greatest = max(greatest, chance[r])
                    if chance[r] > 0.0:
                        least = min(least, rate[r])
            joint = 0.0
            for r in range(regions):
                x = weights[i] * point.factor[own, j] * rate[r]
                out.sums[part[i], j, r] += x
                out.squares[part[i], j, r] += x * x
                joint += x
            out.sums[part[i], j, regions] += joint
            out.squares[part[i], j, regions] += joint * joint
    return len(origins)
