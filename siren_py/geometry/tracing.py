"""Tracing: which volume and which material a line is in, from where to where.

One line is traced in four steps: walk the tree of bounding boxes, take the exact intervals of
the solids that are met, sort their ends, and sweep over them; of the volumes that are open the
one that was added last counts. Pieces of stacks are cut into their layers as they are written.
Nothing is allocated: the caller owns the buffers (`make_scratch`).
"""

from __future__ import annotations

from siren_py._numba import kernel, kernel_part
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
from siren_py.geometry.crossings import OVERFLOW, collect_crossings, sort_crossings
from siren_py.geometry.kernels import SLIVER
from siren_py.geometry.layer_kernels import along_axis, layer_at
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
    "visible_pieces",
]


@kernel_part
def visible_pieces(
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
    """Find the pieces of a line in one volume each, whatever layers it has.

    They are the first n of `Scratch.visible_in`, `visible_out` and `visible_row`. Returns their
    number (or OVERFLOW) and the sum of the chords.
    """
    entries, chords = collect_crossings(
        geometry, external, line, ox, oy, oz, dx, dy, dz, t_min, t_max, scratch
    )
    if entries <= 0:
        return entries, chords
    enter_t = scratch.enter_t
    leave_t = scratch.leave_t
    enter_row = scratch.enter_row
    open_t = scratch.open_t
    open_row = scratch.open_row
    sort_crossings(enter_t, leave_t, enter_row, entries)
    count = 0
    depth = 0
    entry = 0
    current = -1
    start = enter_t[0]
    while True:
        if depth > 0 and (entry == entries or open_t[depth - 1] <= enter_t[entry]):
            depth -= 1
            t = open_t[depth]
            if open_row[depth] != current:
                continue
            latest = -1
            for j in range(depth):
                latest = max(latest, open_row[j])
        elif entry < entries:
            t = enter_t[entry]
            end = leave_t[entry]
            latest = enter_row[entry]
            entry += 1
            # What is left next stays last. Volumes stand in each other, so that is mostly the new.
            j = depth
            while j > 0 and open_t[j - 1] < end:
                open_t[j] = open_t[j - 1]
                open_row[j] = open_row[j - 1]
                j -= 1
            open_t[j] = end
            open_row[j] = latest
            depth += 1
            if latest < current:
                continue
        else:
            return count, chords
        if latest == current:
            continue
        if t - start > SLIVER:
            if current >= 0:
                scratch.visible_in[count] = start
                scratch.visible_out[count] = t
                scratch.visible_row[count] = current
                count += 1
            start = t
        current = latest


@kernel
def _write_layers(
    edge: FloatArray,
    layer_material: IntArray,
    layers: int,
    slope: float,
    origin: float,
    row: int,
    start: float,
    stop: float,
    t_in: FloatArray,
    t_out: FloatArray,
    volume: IntArray,
    material: IntArray,
    count: int,
) -> int:
    """Append the layers of the piece [start, stop) in a stack, whose faces come first in `edge`."""
    capacity = t_in.shape[0]
    layer = layer_at(edge, 0, layers, origin + start * slope)
    t = start
    before = count
    while True:
        end = stop
        if slope > 0.0 and layer < layers - 1:
            end = min((edge[layer + 1] - origin) / slope, stop)
        elif slope < 0.0 and layer > 0:
            end = min((edge[layer] - origin) / slope, stop)
        if end >= stop and end - t <= SLIVER and count > before:
            t_out[count - 1] = stop
        elif end - t > SLIVER or end >= stop:
            if count >= capacity:
                return OVERFLOW
            t_in[count] = t
            t_out[count] = end
            volume[count] = row
            material[count] = layer_material[layer]
            count += 1
            t = end
        if end >= stop:
            return count
        layer += 1 if slope > 0.0 else -1


@kernel_part
def _write(
    geometry: GeometryArrays,
    scratch: Scratch,
    found: int,
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    t_in: FloatArray,
    t_out: FloatArray,
    volume: IntArray,
    material: IntArray,
    count: int,
) -> int:
    """Append the pieces in `scratch`, stacks cut in layers; return the new count or OVERFLOW.

    `found` is what `visible_pieces` returned, OVERFLOW included.
    """
    if found < 0:
        return OVERFLOW
    for i in range(found):
        row = scratch.visible_row[i]
        start, stop = scratch.visible_in[i], scratch.visible_out[i]
        stack = geometry.integer[row, 3]
        if stack < 0:
            if count >= t_in.shape[0]:
                return OVERFLOW
            t_in[count] = start
            t_out[count] = stop
            volume[count] = row
            material[count] = geometry.integer[row, 2]
            count += 1
            continue
        slope, origin = along_axis(geometry.stack_axis, stack, ox, oy, oz, dx, dy, dz)
        count = _write_layers(
            geometry.layer_edge[geometry.stack[stack, 0] :],
            geometry.layer_material[geometry.stack[stack, 1] :],
            geometry.stack[stack, 2], slope, origin, row, start, stop,
            t_in, t_out, volume, material, count,
        )  # fmt: skip
        if count < 0:
            return OVERFLOW
    return count


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
    found, _ = visible_pieces(
        geometry, external, line, ox, oy, oz, dx, dy, dz, t_min, t_max, scratch
    )
    return _write(
        geometry, scratch, found, ox, oy, oz, dx, dy, dz,
        scratch.t_in, scratch.t_out, scratch.volume, scratch.material, 0,
    )  # fmt: skip


@kernel_part
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
    found, chords = visible_pieces(
        region, external, line, ox, oy, oz, dx, dy, dz, t_min, t_max, scratch
    )
    count = _write(
        region, scratch, found, ox, oy, oz, dx, dy, dz,
        scratch.t_in, scratch.t_out, scratch.volume, scratch.material, 0,
    )  # fmt: skip
    return count, chords


@kernel
def trace_lines(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    directions: FloatArray,
    t_min: FloatArray,
    t_max: FloatArray,
    scratch: Scratch,
    first: int,
    stop: int,
    counts: IntArray,
    used: int,
    t_in: FloatArray,
    t_out: FloatArray,
    volume: IntArray,
    material: IntArray,
    density: FloatArray,
) -> tuple[int, int]:
    """Trace the lines from `first` to `stop` until the output, filled to `used`, is full.

    Writes how many segments each line has to `counts`. Returns the first line that is not done
    (`stop` if all are; OVERFLOW if the scratch buffers are too small) and how much is filled.
    """
    for i in range(first, stop):
        ox, oy, oz = origins[i, 0], origins[i, 1], origins[i, 2]
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        found, _ = visible_pieces(
            geometry, external, i, ox, oy, oz, dx, dy, dz, t_min[i], t_max[i], scratch
        )
        if found < 0:
            return OVERFLOW, used
        count = _write(
            geometry, scratch, found, ox, oy, oz, dx, dy, dz, t_in, t_out, volume, material, used
        )
        if count < 0:
            return i, used
        for k in range(used, count):
            density[k] = geometry.density[material[k]]
        counts[i] = count - used
        used = count
    return stop, used
