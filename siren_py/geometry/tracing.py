"""Tracing: which volume and which material a line is in, from where to where.

One line is traced in four steps: walk the tree of bounding boxes, take the exact intervals of
the solids that are met, sort their ends, and sweep over them; of the volumes that are open the
one that was added last counts. Pieces of stacks are cut into their layers as they are written.
Nothing is allocated: the caller owns the buffers (`make_scratch`). A kernel that traces many lines
first borrows the arrays (`borrow_geometry` and the like), which halves the cost of short lines.
"""

from __future__ import annotations

import math

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.arrays import (
    NO_EXTERNAL,
    External,
    GeometryArrays,
    RegionArrays,
    Scratch,
    external_intervals,
    geometry_arrays,
    make_scratch,
    max_intervals,
    max_segments,
)
from siren_py.geometry.borrowing import borrow_external, borrow_geometry, borrow_scratch
from siren_py.geometry.kernels import BOX, SLIVER, box_interval, to_kernel_frame
from siren_py.geometry.locating import NO_EXTERNAL_INSIDE, locate_point, locate_points
from siren_py.geometry.rows import row_intervals

__all__ = [
    "NO_EXTERNAL",
    "NO_EXTERNAL_INSIDE",
    "OVERFLOW",
    "SLIVER",
    "External",
    "GeometryArrays",
    "RegionArrays",
    "Scratch",
    "borrow_external",
    "borrow_geometry",
    "borrow_scratch",
    "column_depths",
    "external_intervals",
    "geometry_arrays",
    "locate_point",
    "locate_points",
    "make_scratch",
    "max_intervals",
    "max_segments",
    "region_intervals",
    "row_intervals",
    "trace_line",
    "trace_lines",
]

# Returned by the kernels in place of a number of segments when a buffer is too small.
OVERFLOW = -1

# Stands for the inverse of a direction of zero: large, but harmless when multiplied by zero.
_HUGE = 1e200


@kernel
def _inverse(d: float) -> float:
    if abs(d) * _HUGE < 1.0:
        return math.copysign(_HUGE, d)
    return 1.0 / d


@kernel
def _collect(
    geometry: GeometryArrays,
    external: External,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t_min: float,
    t_max: float,
    scratch: Scratch,
) -> tuple[int, float]:
    """Write the crossings of all solids within (t_min, t_max); return number and chord sum."""
    box = geometry.node_box
    link = geometry.node_link
    real = geometry.real
    integer = geometry.integer
    pieces = scratch.pieces
    event_t = scratch.event_t
    event_code = scratch.event_code
    ix = _inverse(dx)
    iy = _inverse(dy)
    iz = _inverse(dz)
    events = 0
    chords = 0.0
    node = 0
    while node < box.shape[0]:
        a = (box[node, 0] - ox) * ix
        b = (box[node, 3] - ox) * ix
        near = min(a, b)
        far = max(a, b)
        a = (box[node, 1] - oy) * iy
        b = (box[node, 4] - oy) * iy
        near = max(near, min(a, b))
        far = min(far, max(a, b))
        a = (box[node, 2] - oz) * iz
        b = (box[node, 5] - oz) * iz
        near = max(near, min(a, b), t_min)
        far = min(far, max(a, b), t_max)
        if near > far:
            node = link[node, 0]
            continue
        row = link[node, 1]
        node += 1
        if row < 0:
            continue
        count = 1
        if integer[row, 0] == BOX:
            # Here and not in `row_intervals`: most volumes are boxes, and a call costs as much.
            u = ox - real[row, 8]
            v = oy - real[row, 9]
            w = oz - real[row, 10]
            du, dv, dw = dx, dy, dz
            if integer[row, 1] != 0:
                u, v, w = to_kernel_frame(real, row, u, v, w)
                du, dv, dw = to_kernel_frame(real, row, dx, dy, dz)
            pieces[0], pieces[1] = box_interval(
                real[row, 0], real[row, 1], real[row, 2], u, v, w, du, dv, dw
            )
        else:
            count = row_intervals(geometry, external, row, line, ox, oy, oz, dx, dy, dz, pieces)
        for i in range(count):
            a = pieces[2 * i]
            b = pieces[2 * i + 1]
            a = max(a, t_min)
            b = min(b, t_max)
            if a < b:
                if events + 2 > event_t.shape[0]:
                    return OVERFLOW, chords
                event_t[events] = a
                event_code[events] = 2 * row + 1
                event_t[events + 1] = b
                event_code[events + 1] = 2 * row
                events += 2
                chords += b - a
    return events, chords


@kernel
def _sort_events(event_t: FloatArray, event_code: IntArray, count: int) -> None:
    """Shell sort by t (gaps 3 h + 1): plain insertion for few crossings, n^1.3 for many."""
    gap = 1
    while gap < count // 9:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, count):
            t = event_t[i]
            code = event_code[i]
            j = i
            while j >= gap and event_t[j - gap] > t:
                event_t[j] = event_t[j - gap]
                event_code[j] = event_code[j - gap]
                j -= gap
            event_t[j] = t
            event_code[j] = code
        gap //= 3


@kernel
def _write(
    geometry: GeometryArrays,
    row: int,
    t_in: float,
    t_out: float,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    scratch: Scratch,
    count: int,
) -> int:
    """Append the piece of volume `row` in [t_in, t_out), cut in layers if it is a stack."""
    stack = geometry.integer[row, 3]
    capacity = scratch.t_in.shape[0]
    if stack < 0:
        if count >= capacity:
            return OVERFLOW
        scratch.t_in[count] = t_in
        scratch.t_out[count] = t_out
        scratch.volume[count] = row
        scratch.material[count] = geometry.integer[row, 2]
        return count + 1
    edge = geometry.layer_edge
    first = geometry.stack[stack, 0]
    first_material = geometry.stack[stack, 1]
    layers = geometry.stack[stack, 2]
    au = geometry.stack_axis[stack, 0]
    av = geometry.stack_axis[stack, 1]
    aw = geometry.stack_axis[stack, 2]
    slope = au * dx + av * dy + aw * dz
    origin = au * ox + av * oy + aw * oz + geometry.stack_axis[stack, 3]
    # Bisection for the layer of the entry point; the answer is never outside the stack.
    entry = origin + t_in * slope
    layer = 0
    above = layers
    while above - layer > 1:
        middle = (layer + above) // 2
        if edge[first + middle] <= entry:
            layer = middle
        else:
            above = middle
    t = t_in
    before = count
    while True:
        end = t_out
        if slope > 0.0 and layer < layers - 1:
            end = min((edge[first + layer + 1] - origin) / slope, t_out)
        elif slope < 0.0 and layer > 0:
            end = min((edge[first + layer] - origin) / slope, t_out)
        if end >= t_out and end - t <= SLIVER and count > before:
            scratch.t_out[count - 1] = t_out
        elif end - t > SLIVER or end >= t_out:
            if count >= capacity:
                return OVERFLOW
            scratch.t_in[count] = t
            scratch.t_out[count] = end
            scratch.volume[count] = row
            scratch.material[count] = geometry.layer_material[first_material + layer]
            count += 1
            t = end
        if end >= t_out:
            return count
        layer += 1 if slope > 0.0 else -1


@kernel
def _trace(
    geometry: GeometryArrays,
    external: External,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t_min: float,
    t_max: float,
    scratch: Scratch,
) -> tuple[int, float]:
    """Trace one line; return the number of segments (or OVERFLOW) and the sum of the chords."""
    events, chords = _collect(
        geometry, external, line, ox, oy, oz, dx, dy, dz, t_min, t_max, scratch
    )
    if events <= 0:
        return events, chords
    event_t = scratch.event_t
    event_code = scratch.event_code
    open_volumes = scratch.open_volumes
    _sort_events(event_t, event_code, events)
    count = 0
    depth = 0
    current = -1
    start = event_t[0]
    for i in range(events):
        t = event_t[i]
        row = event_code[i] >> 1
        latest = current
        if event_code[i] & 1:
            open_volumes[depth] = row
            depth += 1
            latest = max(latest, row)
        else:
            j = 0
            while open_volumes[j] != row and j < depth - 1:
                j += 1
            depth -= 1
            open_volumes[j] = open_volumes[depth]
            if row == current:
                latest = -1
                for j in range(depth):
                    latest = max(latest, open_volumes[j])
        if latest == current:
            continue
        if t - start > SLIVER:
            if current >= 0:
                count = _write(geometry, current, start, t, ox, oy, oz, dx, dy, dz, scratch, count)
                if count < 0:
                    return OVERFLOW, chords
            start = t
        current = latest
    return count, chords


@kernel
def trace_line(
    geometry: GeometryArrays,
    external: External,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t_min: float,
    t_max: float,
    scratch: Scratch,
) -> int:
    """Trace one line through a detector into the caller's buffers; nothing is allocated.

    Parameters
    ----------
    geometry
        `DetectorModel.arrays()`.
    external
        Intervals of solids without kernel (`DetectorModel.external_intervals`), or
        `NO_EXTERNAL` when there are none.
    line
        Index of the line in `external`; unused when there are no such solids.
    ox, oy, oz, dx, dy, dz
        Origin [cm] and unit direction, finite.
    t_min, t_max
        Piece of the line that is wanted [cm]; may be infinite.
    scratch
        Buffers from `make_scratch`; t_in, t_out, volume and material are filled.

    Returns
    -------
    int
        Number of segments, ascending and disjoint; what lies between or outside them is
        vacuum. `OVERFLOW` (-1) if the buffers belong to another geometry and are too small.
    """
    count, _ = _trace(geometry, external, line, ox, oy, oz, dx, dy, dz, t_min, t_max, scratch)
    return count


@kernel
def region_intervals(
    region: RegionArrays,
    external: External,
    line: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t_min: float,
    t_max: float,
    scratch: Scratch,
) -> tuple[int, float]:
    """Find the pieces of a line that are in a region; arguments as in `trace_line`.

    Returns
    -------
    count : int
        Number of disjoint pieces, whose union is the region on this line: t_in, t_out and
        volume (the index of the leaf) are in `scratch`. `OVERFLOW` as in `trace_line`.
    chord_sum : float
        Sum over the single solids of their chords within (t_min, t_max) [cm]: where solids
        overlap it counts each of them, as a density of points drawn per solid must.
    """
    return _trace(region, external, line, ox, oy, oz, dx, dy, dz, t_min, t_max, scratch)


@kernel
def trace_lines(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    t_min: FloatArray,
    t_max: FloatArray,
    scratch: Scratch,
    first_line: int,
    offsets: IntArray,
    t_in: FloatArray,
    t_out: FloatArray,
    volume: IntArray,
    material: IntArray,
) -> int:
    """Trace lines from `first_line` on until all are done or the output is full.

    Returns the first line that is not done (the number of lines if all are), or OVERFLOW.
    """
    geometry, external = borrow_geometry(geometry), borrow_external(external)
    scratch = borrow_scratch(scratch)
    used = offsets[first_line]
    for i in range(first_line, origins.shape[0]):
        n = trace_line(
            geometry,
            external,
            i,
            origins[i, 0],
            origins[i, 1],
            origins[i, 2],
            directions[i, 0],
            directions[i, 1],
            directions[i, 2],
            t_min[i],
            t_max[i],
            scratch,
        )
        if n < 0:
            return OVERFLOW
        if used + n > t_in.shape[0]:
            return i
        for k in range(n):
            t_in[used + k] = scratch.t_in[k]
            t_out[used + k] = scratch.t_out[k]
            volume[used + k] = scratch.volume[k]
            material[used + k] = scratch.material[k]
        used += n
        offsets[i + 1] = used
    return int(origins.shape[0])


@kernel
def column_depths(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    scratch: Scratch,
    depth: FloatArray,
) -> None:
    """Write the integral of the density over t = 0 to lengths[i] [g/cm2] to `depth` (n,)."""
    geometry, external = borrow_geometry(geometry), borrow_external(external)
    scratch = borrow_scratch(scratch)
    for i in range(origins.shape[0]):
        n = trace_line(
            geometry,
            external,
            i,
            origins[i, 0],
            origins[i, 1],
            origins[i, 2],
            directions[i, 0],
            directions[i, 1],
            directions[i, 2],
            0.0,
            lengths[i],
            scratch,
        )
        total = 0.0
        for k in range(n):
            total += geometry.density[scratch.material[k]] * (scratch.t_out[k] - scratch.t_in[k])
        depth[i] = total if n >= 0 else math.nan
