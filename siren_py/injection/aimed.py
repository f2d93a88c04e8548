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

from siren_py._numba import inline_kernel, kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.tracing import (
    External,
    GeometryArrays,
    RegionArrays,
    Scratch,
    max_segments,
    region_intervals,
    trace_line,
    visible_pieces,
)
from siren_py.injection.attenuation import (
    REACH,
    decay_shares,
    depth_in_subpiece,
    sweep_upstream,
)
from siren_py.injection.piece_sweep import (
    Sweep,
    choose_decay,
    choose_vertex,
    new_sweep,
    sweep_pieces,
)
from siren_py.injection.surroundings import BEFORE, Choice, limits_of_part


class Buffers(NamedTuple):
    """Sub-pieces of one line, upstream; see `attenuation.sweep_upstream`."""

    low: FloatArray
    """Upstream ends [cm]."""
    high: FloatArray
    """Downstream ends [cm]."""
    segment: IntArray
    """Numbers of the segments that they are parts of."""
    inside: IntArray
    """Whether they lie in the region."""
    importance: FloatArray
    """Chance I at the downstream end that a particle made there decays in the region."""
    weight: FloatArray
    """Shares of W [1/cm2]."""


class Tracing(NamedTuple):
    """A detector and a region as kernels take them, with the buffers of one thread."""

    geometry: GeometryArrays
    external: External
    scratch: Scratch
    region: RegionArrays
    external_region: External
    region_scratch: Scratch
    buffers: Buffers
    sweep: Sweep


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
) -> tuple[Buffers, Sweep]:
    """Return buffers that no line can overflow."""
    # Each region piece splits at most two segments.
    pieces = max_segments(region, external_region)
    n = max_segments(geometry, external) + 2 * pieces + 2
    buffers = Buffers(
        np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n),
        np.empty(n),
    )  # fmt: skip
    return buffers, new_sweep(n, pieces)


@inline_kernel
def region_on_line(
    tracing: Tracing, line: int, origin: FloatArray, direction: FloatArray
) -> tuple[int, float]:
    """Find the pieces of a whole line that lie in the region; see `region_intervals`."""
    return region_intervals(
        tracing.region, tracing.external_region, line,
        origin[0], origin[1], origin[2], direction[0], direction[1], direction[2],
        -np.inf, np.inf, tracing.region_scratch,
    )  # fmt: skip


@inline_kernel
def volumes_upstream(
    tracing: Tracing,
    line: int,
    origin: FloatArray,
    direction: FloatArray,
    pieces: int,
    length: float,
    part: int,
    core: FloatArray,
) -> tuple[int, int]:
    """Find the volumes upstream of the last region piece, as far as `REACH` decay lengths.

    Of these, only those in a part of the line; see `surroundings.limits_of_part`. They are the
    first n of `visible_in`, `visible_out` and `visible_row`; returns n, and the part.
    """
    first, last = tracing.region_scratch.t_in[0], tracing.region_scratch.t_out[pieces - 1]
    reach = REACH * length
    part, begin, end = limits_of_part(part, core, origin, direction, reach, first, last)
    n, _ = visible_pieces(
        tracing.geometry, tracing.external, line,
        origin[0], origin[1], origin[2], direction[0], direction[1], direction[2],
        begin, end, tracing.scratch,
    )  # fmt: skip
    return n, part


@kernel
def sweep(
    tracing: Tracing,
    n_segments: int,
    pieces: int,
    density: FloatArray,
    densest: float,
    length: float,
) -> tuple[int, float]:
    """Sweep the line in the scratch buffers layer by layer; see `attenuation.sweep_upstream`."""
    matter, region, buffers = tracing.scratch, tracing.region_scratch, tracing.buffers
    return sweep_upstream(
        n_segments, matter.t_in, matter.t_out, matter.material, density, densest,
        pieces, region.t_in, region.t_out, length,
        buffers.low, buffers.high, buffers.segment, buffers.inside, buffers.importance,
        buffers.weight,
    )  # fmt: skip


@kernel
def place(
    tracing: Tracing,
    density: FloatArray,
    in_volume: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    nuclide: IntArray,
    choice: Choice,
    uniform: FloatArray,
    out: Placed,
    chords: FloatArray,
) -> int:
    """Draw vertex and decay point on lines.

    Parameters
    ----------
    tracing
        The detector and the region with buffers of the calling thread.
    density
        Number densities [1/cm3] by nuclide and material, (T, M).
    in_volume
        The largest of them in each volume, (T, V).
    origins, directions
        A point of the region on each line [cm] and the unit direction of flight, (n, 3).
    lengths
        Decay lengths L [cm], (n,); 0 if the vertex itself has to lie in the region.
    nuclide
        Target of each event, (n,).
    choice
        Which lines, and which part of each the vertex has to lie in.
    uniform
        Uniform random numbers, (n, 3).
    out
        Filled with the result; for vertices before the core without `decay_volume`, which the
        volumes there do not tell.
    chords
        Receives the sums over the solids of the region of their chords [cm], (n,).

    Returns
    -------
    int
        Number of lines done: all that were chosen, or fewer if a buffer was too small (a fault of
        the caller).
    """
    scratch, region_scratch, buffers = tracing.scratch, tracing.region_scratch, tracing.sweep
    for j in range(choice.line.size):
        i = choice.line[j]
        out.matter[i] = 0.0
        pieces, chords[i] = region_on_line(tracing, i, origins[i], directions[i])
        if pieces < 0:
            return j
        if pieces == 0:
            continue
        length = lengths[i]
        n, part = volumes_upstream(
            tracing, i, origins[i], directions[i], pieces, length, choice.part[i], choice.core
        )
        if n < 0:
            return j
        target = nuclide[i]
        count, total = sweep_pieces(
            tracing.geometry, scratch, n, origins[i], directions[i], density[target],
            in_volume[target], pieces, region_scratch.t_in, region_scratch.t_out, length, buffers,
        )  # fmt: skip
        if count < 0:
            return j
        if total <= 0.0:
            continue
        k, stretch, material, low, high, importance = choose_vertex(
            tracing.geometry, scratch, buffers, count, uniform[i, 0] * total, length
        )
        inside = buffers.stretches.inside[stretch]
        depth = depth_in_subpiece(uniform[i, 1], high - low, length, importance, inside)
        x = y = high - depth
        piece = buffers.pieces.region[k]
        if length > 0.0:
            begin, seen = buffers.stretches.edge[stretch], buffers.stretches.beyond[stretch]
            if inside > 0.0:
                q, stay, _ = decay_shares(depth / length)
                begin, seen = x, q + importance * stay
            y, piece = choose_decay(
                buffers, uniform[i, 2] * seen, begin, piece, length, pieces,
                region_scratch.t_in, region_scratch.t_out,
            )  # fmt: skip
        out.matter[i] = total
        out.volume[i] = choice.volume[scratch.visible_row[buffers.pieces.segment[k]]]
        out.material[i] = material
        out.leaf[i] = region_scratch.volume[piece]
        out.decay_volume[i] = -1
        for s in range(n - 1 if part != BEFORE else -1, -1, -1):
            if scratch.visible_in[s] <= y:
                if y <= scratch.visible_out[s]:
                    out.decay_volume[i] = choice.volume[scratch.visible_row[s]]
                break
        for axis in range(3):
            out.vertex[i, axis] = origins[i, axis] + x * directions[i, axis]
            out.decay[i, axis] = origins[i, axis] + y * directions[i, axis]
    return choice.line.size


@kernel
def line_sums(
    tracing: Tracing,
    density: FloatArray,
    in_volume: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    nuclide: IntArray,
    choice: Choice,
    matter: FloatArray,
) -> int:
    """Write W [1/cm2] of parts of all lines to `matter` (n,); other arguments as `place`.

    Where the part is AT_ORIGIN, `choice.part` receives which one that is. Returns the number of
    lines done.
    """
    for i in range(len(origins)):
        matter[i] = 0.0
        pieces, _ = region_on_line(tracing, i, origins[i], directions[i])
        if pieces < 0:
            return i
        if pieces == 0:
            continue
        n, choice.part[i] = volumes_upstream(
            tracing, i, origins[i], directions[i], pieces, lengths[i], choice.part[i], choice.core
        )
        if n < 0:
            return i
        target = nuclide[i]
        count, matter[i] = sweep_pieces(
            tracing.geometry, tracing.scratch, n, origins[i], directions[i], density[target],
            in_volume[target], pieces, tracing.region_scratch.t_in, tracing.region_scratch.t_out,
            lengths[i], tracing.sweep,
        )  # fmt: skip
        if count < 0:
            return i
    return len(origins)


@kernel
def rate_columns(
    tracing: Tracing,
    ones: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    lengths: FloatArray,
    line_weights: FloatArray,
    core: FloatArray,
    columns: FloatArray,
    before: FloatArray,
) -> int:
    """Add up what one target per cm3 would contribute, by decay length, volume and material.

    The layers of stacks count one by one, since each has its material.

    Parameters
    ----------
    ones
        Unit densities, (M,).
    lengths
        Decay lengths [cm], (K,).
    line_weights
        1 / (density of the line x number of lines), (n,) [cm2].
    core
        See `surroundings.Choice`.
    columns
        Receives the sums, (K, V, M) [cm3].
    before
        Receives what of them lies before the core, by length and material, (K, M) [cm3].

    Returns
    -------
    int
        Number of lines done; other arguments and result as in `place`.
    """
    scratch, buffers = tracing.scratch, tracing.buffers
    for i in range(len(origins)):
        pieces, _ = region_on_line(tracing, i, origins[i], directions[i])
        if pieces < 0:
            return i
        if pieces == 0:
            continue
        n = trace_line(
            tracing.geometry, tracing.external, i,
            origins[i, 0], origins[i, 1], origins[i, 2],
            directions[i, 0], directions[i, 1], directions[i, 2],
            -np.inf, tracing.region_scratch.t_out[pieces - 1], tracing.scratch,
        )  # fmt: skip
        if n < 0:
            return i
        first = tracing.region_scratch.t_in[0]
        _, _, arrival = limits_of_part(
            BEFORE, core, origins[i], directions[i], np.inf, first, first
        )
        for k in range(lengths.size):
            count, _ = sweep(tracing, n, pieces, ones, 1.0, lengths[k])
            if count < 0:
                return i
            for j in range(count):
                segment, low, high = buffers.segment[j], buffers.low[j], buffers.high[j]
                weight = buffers.weight[j] * line_weights[i]
                columns[k, scratch.volume[segment], scratch.material[segment]] += weight
                if low < arrival < high:
                    # Not in the region yet: I falls as exp(-(high - t)/L).
                    stay = decay_shares((high - arrival) / lengths[k])[1]
                    weight *= stay * decay_shares((arrival - low) / lengths[k])[0]
                    weight /= decay_shares((high - low) / lengths[k])[0]
                if low < arrival:
                    before[k, scratch.material[segment]] += weight
    return len(origins)
