"""The aimed proposal: lines through the region, vertex and decay point exact on the line.

The direction of the outgoing particle is drawn first, from the kinematics alone: the flux is the
same everywhere across the beam, so nothing else depends on where the vertex lies. A point drawn
in the region (see `line_source`) then fixes the line, with a known density f of lines per area
across their direction. On the line the vertex x and the decay point y are drawn from their exact
joint density

    h(x, y) = n(x) exp(-(y - x)/L) / (L W),   x < y, y in the region,

n being the density of the targets, so that the whole line weighs W / f and no attempt is lost to
lines that miss: any vertex from which the region can be seen is reached, however far away and at
whatever angle. There is no window to be chosen and none that could truncate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel
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
    max_segments,
    region_intervals,
    trace_line,
)
from siren_py.injection.attenuation import decay_point, depth_in_subpiece, sweep_upstream

REACH = 200.0
"""Matter further upstream than this many decay lengths from the region is not traced: what is
made there reaches the region with a chance below exp(-200) = 1e-87, under every rounding."""


class Buffers(NamedTuple):
    """Sub-pieces of one line; see `attenuation.sweep_upstream`."""

    low: FloatArray
    high: FloatArray
    segment: IntArray
    inside: IntArray
    importance: FloatArray
    weight: FloatArray


class Placed(NamedTuple):
    """What `place` decides for n events; entries of lines without any target have W = 0."""

    vertex: FloatArray
    """Vertices x [cm], (n, 3)."""
    decay: FloatArray
    """Decay points y [cm], (n, 3)."""
    matter: FloatArray
    """W [1/cm2], (n,)."""
    volume: IntArray
    """Volume index of the vertex, (n,)."""
    material: IntArray
    """Material index of the vertex, (n,)."""
    decay_volume: IntArray
    """Volume index of the decay point, -1 in vacuum, (n,)."""
    leaf: IntArray
    """Index of the region's leaf that holds the decay point, (n,)."""


def make_buffers(
    geometry: GeometryArrays, region: RegionArrays, external: External, external_region: External
) -> Buffers:
    """Return buffers that no line can overflow."""
    # Each region piece splits at most two segments.
    n = max_segments(geometry, external) + 2 * max_segments(region, external_region) + 2
    return Buffers(
        np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n),
        np.empty(n),
    )  # fmt: skip


@kernel
def borrow_buffers(buffers: Buffers) -> Buffers:
    """Return the buffers without reference counts; see `siren_py.geometry.borrowing`."""
    return Buffers(
        borrowed(buffers.low),
        borrowed(buffers.high),
        borrowed(buffers.segment),
        borrowed(buffers.inside),
        borrowed(buffers.importance),
        borrowed(buffers.weight),
    )


@kernel
def region_on_line(
    region: RegionArrays,
    external: External,
    line: int,
    origin: FloatArray,
    direction: FloatArray,
    scratch: Scratch,
) -> int:
    """Find the pieces of a whole line that lie in the region; see `region_intervals`."""
    return region_intervals(
        region, external, line,
        origin[0], origin[1], origin[2], direction[0], direction[1], direction[2],
        -np.inf, np.inf, scratch,
    )[0]  # fmt: skip


@kernel
def matter_up_to(
    geometry: GeometryArrays,
    external: External,
    line: int,
    origin: FloatArray,
    direction: FloatArray,
    first: float,
    last: float,
    length: float,
    scratch: Scratch,
) -> int:
    """Trace what lies upstream of `last`, as far as `REACH` decay lengths before `first`."""
    return trace_line(
        geometry, external, line,
        origin[0], origin[1], origin[2], direction[0], direction[1], direction[2],
        first - REACH * length, last, scratch,
    )  # fmt: skip


@kernel
def place(
    geometry: GeometryArrays,
    external: External,
    scratch: Scratch,
    region: RegionArrays,
    external_region: External,
    region_scratch: Scratch,
    buffers: Buffers,
    density: FloatArray,
    densest: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    nuclide: IntArray,
    uniform: FloatArray,
    out: Placed,
) -> int:
    """Draw vertex and decay point on each line.

    Parameters
    ----------
    geometry, external, scratch, region, external_region, region_scratch, buffers
        The detector and the region with buffers of the calling thread.
    density, densest
        Number densities [1/cm3] by nuclide and material, (T, M), and their maxima, (T,).
    origins, directions
        A point of the region on each line [cm] and the unit direction of flight, (n, 3).
    lengths
        Decay lengths L [cm], (n,); 0 if the vertex itself has to lie in the region.
    nuclide
        Target of each event, (n,).
    uniform
        Uniform random numbers, (n, 3).
    out
        Filled with the result.

    Returns
    -------
    int
        Number of lines done: n, or fewer if a buffer was too small (a fault of the caller).
    """
    geometry = borrow_geometry(geometry)
    external = borrow_external(external)
    scratch = borrow_scratch(scratch)
    region = borrow_geometry(region)
    external_region = borrow_external(external_region)
    region_scratch = borrow_scratch(region_scratch)
    buffers = borrow_buffers(buffers)
    for i in range(len(origins)):
        out.matter[i] = 0.0
        pieces = region_on_line(
            region, external_region, i, origins[i], directions[i], region_scratch
        )
        if pieces < 0:
            return i
        if pieces == 0:
            continue
        length = lengths[i]
        n = matter_up_to(
            geometry, external, i, origins[i], directions[i],
            region_scratch.t_in[0], region_scratch.t_out[pieces - 1], length, scratch,
        )  # fmt: skip
        if n < 0:
            return i
        target = nuclide[i]
        count, total = sweep_upstream(
            n, scratch.t_in, scratch.t_out, scratch.material, density[target], densest[target],
            pieces, region_scratch.t_in, region_scratch.t_out, length,
            buffers.low, buffers.high, buffers.segment, buffers.inside, buffers.importance,
            buffers.weight,
        )  # fmt: skip
        if count < 0:
            return i
        if total <= 0.0:
            continue
        goal = uniform[i, 0] * total
        k = 0
        while k < count - 1 and goal >= buffers.weight[k]:
            goal -= buffers.weight[k]
            k += 1
        depth = depth_in_subpiece(
            uniform[i, 1], buffers.high[k] - buffers.low[k], length, buffers.importance[k],
            buffers.inside[k],
        )  # fmt: skip
        x = buffers.high[k] - depth
        y, piece, _ = decay_point(
            uniform[i, 2], x, length, pieces, region_scratch.t_in, region_scratch.t_out
        )
        if piece < 0:
            # x and the end of the last piece agree to rounding: the event is on the very edge.
            y, piece = x, pieces - 1
        segment = buffers.segment[k]
        out.matter[i] = total
        out.volume[i] = scratch.volume[segment]
        out.material[i] = scratch.material[segment]
        out.leaf[i] = region_scratch.volume[piece]
        out.decay_volume[i] = -1
        for s in range(n - 1, -1, -1):
            if scratch.t_in[s] <= y:
                if y <= scratch.t_out[s]:
                    out.decay_volume[i] = scratch.volume[s]
                break
        for axis in range(3):
            out.vertex[i, axis] = origins[i, axis] + x * directions[i, axis]
            out.decay[i, axis] = origins[i, axis] + y * directions[i, axis]
    return len(origins)


@kernel
def line_sums(
    geometry: GeometryArrays,
    external: External,
    scratch: Scratch,
    region: RegionArrays,
    external_region: External,
    region_scratch: Scratch,
    buffers: Buffers,
    density: FloatArray,
    densest: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    nuclide: IntArray,
    matter: FloatArray,
) -> int:
    """Write W [1/cm2] of given lines to `matter` (n,); other arguments and result as `place`."""
    geometry = borrow_geometry(geometry)
    external = borrow_external(external)
    scratch = borrow_scratch(scratch)
    region = borrow_geometry(region)
    external_region = borrow_external(external_region)
    region_scratch = borrow_scratch(region_scratch)
    buffers = borrow_buffers(buffers)
    for i in range(len(origins)):
        matter[i] = 0.0
        pieces = region_on_line(
            region, external_region, i, origins[i], directions[i], region_scratch
        )
        if pieces < 0:
            return i
        if pieces == 0:
            continue
        n = matter_up_to(
            geometry, external, i, origins[i], directions[i],
            region_scratch.t_in[0], region_scratch.t_out[pieces - 1], lengths[i], scratch,
        )  # fmt: skip
        if n < 0:
            return i
        target = nuclide[i]
        count, matter[i] = sweep_upstream(
            n, scratch.t_in, scratch.t_out, scratch.material, density[target], densest[target],
            pieces, region_scratch.t_in, region_scratch.t_out, lengths[i],
            buffers.low, buffers.high, buffers.segment, buffers.inside, buffers.importance,
            buffers.weight,
        )  # fmt: skip
        if count < 0:
            return i
    return len(origins)


@kernel
def rate_columns(
    geometry: GeometryArrays,
    external: External,
    scratch: Scratch,
    region: RegionArrays,
    external_region: External,
    region_scratch: Scratch,
    buffers: Buffers,
    ones: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    line_weights: FloatArray,
    columns: FloatArray,
) -> int:
    """Add up what one target per cm3 would contribute, by decay length, volume and material.

    Parameters
    ----------
    ones
        Unit densities, (M,).
    lengths
        Decay lengths [cm], (K,).
    line_weights
        1 / (density of the line x number of lines), (n,) [cm2].
    columns
        Receives the sums, (K, V, M) [cm3].

    Returns
    -------
    int
        Number of lines done; other arguments and result as in `place`.
    """
    geometry = borrow_geometry(geometry)
    external = borrow_external(external)
    scratch = borrow_scratch(scratch)
    region = borrow_geometry(region)
    external_region = borrow_external(external_region)
    region_scratch = borrow_scratch(region_scratch)
    buffers = borrow_buffers(buffers)
    for i in range(len(origins)):
        pieces = region_on_line(
            region, external_region, i, origins[i], directions[i], region_scratch
        )
        if pieces < 0:
            return i
        if pieces == 0:
            continue
        n = matter_up_to(
            geometry, external, i, origins[i], directions[i],
            region_scratch.t_in[0], region_scratch.t_out[pieces - 1], 1e300, scratch,
        )  # fmt: skip
        if n < 0:
            return i
        for k in range(lengths.size):
            count, _ = sweep_upstream(
                n, scratch.t_in, scratch.t_out, scratch.material, ones, 1.0,
                pieces, region_scratch.t_in, region_scratch.t_out, lengths[k],
                buffers.low, buffers.high, buffers.segment, buffers.inside, buffers.importance,
                buffers.weight,
            )  # fmt: skip
            if count < 0:
                return i
            for j in range(count):
                segment = buffers.segment[j]
                columns[k, scratch.volume[segment], scratch.material[segment]] += (
                    buffers.weight[j] * line_weights[i]
                )
    return len(origins)
