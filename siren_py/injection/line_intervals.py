"""Lines cut at the faces of volumes and of several regions, traced once for all of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.layer_kernels import along_axis
from siren_py.geometry.tracing import (
    External,
    GeometryArrays,
    RegionArrays,
    Scratch,
    region_intervals,
)
from siren_py.injection.stack_sums import (
    Stretches,
    list_layers,
    new_stretches,
)


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
    first: IntArray
    """First stretch of each interval in a layer of its stack, and one more entry for the end."""
    begin: IntArray
    """The first stretch of the pattern that is repeated."""
    until: IntArray
    """The end of its stretches."""
    times: IntArray
    """How often it comes; 0 if there is none."""
    period: FloatArray
    """Its length along the line [cm]."""
    stretches: Stretches
    """The stretches in layers that hold the target."""
    inside: FloatArray
    """1 where the interval lies in a region, 0 else, (capacity, R)."""
    within: FloatArray
    """The sum of these over the regions."""
    chance: FloatArray
    """Chance to decay in each region for a particle where an interval begins, (R,)."""
    rate: FloatArray
    """What the line weighs for each region, (R,)."""
    left: IntArray
    """Spans of each region that are not used yet, (R,)."""


def new_intervals(capacity: int, regions: int) -> Intervals:
    """Return buffers for the intervals of a line."""

    def reals() -> FloatArray:
        return np.empty(capacity)

    def integers() -> IntArray:
        return np.empty(capacity + 1, np.int64)

    return Intervals(
        reals(), reals(), reals(), integers(), integers(), integers(), integers(), integers(),
        reals(), new_stretches(capacity), np.empty((capacity, regions)), reals(),
        np.empty(regions), np.empty(regions), np.empty(regions, np.int64),
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
    density: FloatArray,
    in_volume: FloatArray,
    spans: Spans,
    line: int,
    origin: FloatArray,
    direction: FloatArray,
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
    count = n = 0
    intervals.first[0] = 0
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
        intervals.times[count] = 0
        if stack >= 0:
            slope, start = along_axis(
                geometry.stack_axis, stack, origin[0], origin[1], origin[2],
                direction[0], direction[1], direction[2],
            )  # fmt: skip
            # Where decays count, periods do not weigh alike.
            n, begin, until, times, period = list_layers(
                geometry, stack, density, slope, start, low, position, within == 0.0,
                intervals.stretches, n, intervals.low.size,
            )  # fmt: skip
            if n < 0:
                return -1
            intervals.begin[count], intervals.until[count] = begin, until
            intervals.times[count], intervals.period[count] = times, period
        count += 1
        intervals.first[count] = n
        position = low
