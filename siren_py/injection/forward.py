"""The forward proposal: the line of sight first, then the vertex on it, then the decay.

The line of sight goes through a point drawn across the beam, in one of several nested windows,
from the shadow of the region to that of all matter, so that nothing is cut off (see `rays`). The
vertex is drawn in proportion to the density of the targets, half of the time multiplied with the
chance that a particle flying straight on would be seen. Then the particle flies in the direction
drawn for it, and its decay point is drawn within the region where its line crosses it; lines
that miss count as attempts with weight zero.
"""

from __future__ import annotations

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.tracing import trace_line
from siren_py.injection.aimed import Placed, Tracing, region_on_line, sweep
from siren_py.injection.attenuation import decay_point, depth_in_subpiece

STRAIGHT = 0.5
"""Share of vertices drawn with the chance to be seen straight on."""


@kernel
def place_vertices(
    tracing: Tracing,
    density: FloatArray,
    densest: FloatArray,
    origins: FloatArray,
    directions: FloatArray,
    start: FloatArray,
    lengths: FloatArray,
    nuclide: IntArray,
    uniform: FloatArray,
    out: Placed,
) -> int:
    """Draw a vertex on each line of sight.

    Arguments as in `aimed.place`, `directions` (n, 3) being those of the neutrinos, `start` (n,)
    where they start along their lines [cm], and `uniform` (n, 3).
    `out.vertex`, `out.volume`, `out.material` are filled; `out.matter` receives n/g, the density
    of targets over the drawn density [1/cm2], 0 where the line meets no target.
    """
    scratch, region_scratch, buffers = tracing.scratch, tracing.region_scratch, tracing.buffers
    for i in range(len(origins)):
        out.matter[i] = 0.0
        n = trace_line(
            tracing.geometry, tracing.external, i, origins[i, 0], origins[i, 1], origins[i, 2],
            directions[i, 0], directions[i, 1], directions[i, 2], start[i], np.inf, scratch,
        )  # fmt: skip
        if n < 0:
            return i
        target = nuclide[i]
        column = 0.0
        for s in range(n):
            column += density[target, scratch.material[s]] * (scratch.t_out[s] - scratch.t_in[s])
        if column <= 0.0:
            continue
        pieces, _ = region_on_line(tracing, i, origins[i], directions[i])
        if pieces < 0:
            return i
        straight = 0.0
        count = 0
        if pieces > 0:
            count, straight = sweep(
                tracing, n, pieces, density[target], densest[target], lengths[i]
            )
            if count < 0:
                return i
        share = STRAIGHT if straight > 0.0 else 0.0
        segment = 0
        if uniform[i, 0] < share:
            goal = uniform[i, 1] * straight
            k = 0
            while k < count - 1 and goal >= buffers.weight[k]:
                goal -= buffers.weight[k]
                k += 1
            x = buffers.high[k] - depth_in_subpiece(
                uniform[i, 2], buffers.high[k] - buffers.low[k], lengths[i],
                buffers.importance[k], buffers.inside[k],
            )  # fmt: skip
            segment = buffers.segment[k]
        else:
            goal = uniform[i, 1] * column
            x = scratch.t_out[n - 1]
            for s in range(n):
                number = density[target, scratch.material[s]]
                here = number * (scratch.t_out[s] - scratch.t_in[s])
                if here > 0.0:
                    segment = s
                    x = scratch.t_out[s]
                    if goal < here:
                        x = scratch.t_in[s] + goal / number
                        break
                goal -= here
        seen = 0.0
        if straight > 0.0:
            _, _, seen = decay_point(
                0.5, x, lengths[i], pieces, region_scratch.t_in, region_scratch.t_out
            )
        drawn = (1.0 - share) / column
        if straight > 0.0:
            drawn += share * seen / straight
        out.matter[i] = 1.0 / drawn
        out.volume[i] = scratch.volume[segment]
        out.material[i] = scratch.material[segment]
        for axis in range(3):
            out.vertex[i, axis] = origins[i, axis] + x * directions[i, axis]
    return len(origins)


@kernel
def place_decays(
    tracing: Tracing,
    directions: FloatArray,
    lengths: FloatArray,
    uniform: FloatArray,
    out: Placed,
) -> int:
    """Draw decay points from the vertices in `out`; `out.matter` is multiplied by I(x).

    `directions` (n, 3), `lengths` (n,) and `uniform` (n,) belong to the flying particles.
    """
    region_scratch = tracing.region_scratch
    for i in range(len(directions)):
        if out.matter[i] == 0.0:
            continue
        pieces, _ = region_on_line(tracing, i, out.vertex[i], directions[i])
        if pieces < 0:
            return i
        y, piece, seen = decay_point(
            uniform[i], 0.0, lengths[i], pieces, region_scratch.t_in, region_scratch.t_out
        )
        out.matter[i] *= seen
        if seen == 0.0:
            continue
        out.leaf[i] = region_scratch.volume[piece]
        for axis in range(3):
            out.decay[i, axis] = out.vertex[i, axis] + y * directions[i, axis]
    return len(directions)
