"""The sweep of `attenuation` over volumes instead of layers: a stack counts as one piece.

The sums are the same; a stack brings its own stretches (see `stack_sums`), so that a line through
hundreds of plates costs as much as one through a few blocks. Stretches are listed first and
weighted afterwards, all of them by one loop of vector instructions: where the particle has a
chance beyond to decay in the region when it passes the next edge of the region downstream, it has

    I = inside (1 - exp(-g/L)) + beyond exp(-g/L)

at a distance g before that edge.
"""

from __future__ import annotations

from math import log1p
from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.arrays import GeometryArrays, Scratch
from siren_py.geometry.kernels import MATERIAL, STACK
from siren_py.geometry.layer_kernels import along_axis
from siren_py.injection.attenuation import REACH, decay_shares
from siren_py.injection.stack_sums import (
    Stretches,
    choose_stretch,
    list_layers,
    new_stretches,
)

# Lists are filled up to whole vectors of so many entries: what is left over takes as long as them.
_VECTOR = 4


class Pieces(NamedTuple):
    """Pieces of one line in one volume each that contain the target, from its end upstream."""

    first: IntArray
    """Their first stretches, and one more entry for the end."""
    segment: IntArray
    """Which of the volumes on the line they are in."""
    region: IntArray
    """Numbers of the region pieces that they lie in, or of the next one downstream."""
    weight: FloatArray
    """Shares of W [1/cm2]."""
    begin: IntArray
    """The first stretch of the pattern that is repeated."""
    until: IntArray
    """The end of its stretches."""
    times: IntArray
    """How often it comes; 0 if there is none."""
    period: FloatArray
    """Its length along the line [cm]."""


class Sweep(NamedTuple):
    """Buffers of the sweep over one line."""

    stretches: Stretches
    pieces: Pieces
    relevant: IntArray
    """Which of the volumes on the line hold the target at all."""
    share: FloatArray
    """Chance to decay in each region piece for a particle at its beginning."""
    chance_in: FloatArray
    """Chance to decay in the region at the beginnings of the region pieces."""
    chance_out: FloatArray
    """That at their ends."""
    width: FloatArray
    """Lengths of the region pieces over the decay length, then the chance to survive each."""
    gap: FloatArray
    """The same of the gaps before them."""
    repeated: IntArray
    """Pieces with a pattern that is repeated."""
    period: FloatArray
    """Lengths of their periods over the decay length, then what more than one period weighs."""


def new_sweep(n: int, m: int) -> Sweep:
    """Return buffers for n stretches and m region pieces."""
    # Loops of vectors run over a few entries more.
    n, m = n + _VECTOR, m + _VECTOR

    def reals(size: int) -> FloatArray:
        return np.empty(size)

    def integers(size: int) -> IntArray:
        return np.empty(size, np.int64)

    return Sweep(
        new_stretches(n),
        Pieces(
            integers(n + 1), integers(n), integers(n), reals(n), integers(n), integers(n),
            integers(n), reals(n),
        ),
        integers(n + 1), reals(m), reals(m), reals(m), reals(m), reals(m), integers(n), reals(n),
    )  # fmt: skip


@kernel_part
def _list_pieces(
    geometry: GeometryArrays,
    scratch: Scratch,
    n_segments: int,
    origin: FloatArray,
    direction: FloatArray,
    density: FloatArray,
    in_volume: FloatArray,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
    length: float,
    sweep: Sweep,
) -> int:
    """List pieces and stretches of a line, not yet weighted; arguments as in `sweep_pieces`."""
    t_in, t_out, rows = scratch.visible_in, scratch.visible_out, scratch.visible_row
    stretches, pieces, relevant = sweep.stretches, sweep.pieces, sweep.relevant
    capacity = stretches.low.size - _VECTOR
    reach = REACH * length
    # Which volumes hold the target is hard to predict: this loop has no branch on it.
    some = 0
    for s in range(n_segments):
        relevant[some] = s
        some += 1 if in_volume[rows[s]] > 0.0 else 0
    n = 0
    count = 0
    j = n_pieces - 1
    end = piece_out[j]
    for i in range(some - 1, -1, -1):
        s = relevant[i]
        row = rows[s]
        most = in_volume[row]
        begin = t_in[s]
        high = min(t_out[s], end)
        stack = geometry.integer[row, STACK]
        while begin < high:
            while j >= 0 and piece_in[j] >= high:
                j -= 1
            # The region piece in which or behind which the stretch ends, if any.
            inside = j >= 0 and piece_out[j] >= high
            low = begin
            if j >= 0:
                low = max(begin, piece_in[j] if inside else piece_out[j])
            region = j if inside else j + 1
            edge = piece_out[j] if inside else piece_in[region]
            if not inside and edge - high >= reach:
                high = low
                continue
            if n >= capacity:
                return -1
            beyond = sweep.chance_out[j] if inside else sweep.chance_in[region]
            share = 1.0 if inside else 0.0
            before = n
            pieces.first[count] = n
            pieces.times[count] = 0
            pieces.segment[count] = s
            pieces.region[count] = region
            if stack < 0:
                stretches.low[n] = low
                stretches.high[n] = high
                stretches.number[n] = most
                stretches.layer[n] = -1
                stretches.inside[n] = share
                stretches.edge[n] = edge
                stretches.beyond[n] = beyond
                n += 1
                count += 1
            else:
                slope, start = along_axis(
                    geometry.stack_axis, stack, origin[0], origin[1], origin[2],
                    direction[0], direction[1], direction[2],
                )  # fmt: skip
                n, first, until, times, period = list_layers(
                    geometry, stack, density, slope, start, low, high, not inside, stretches, n,
                    capacity,
                )  # fmt: skip
                if n < 0:
                    return -1
                pieces.begin[count] = first
                pieces.until[count] = until
                pieces.times[count] = times
                pieces.period[count] = period
                for k in range(before, n):
                    stretches.inside[k] = share
                    stretches.edge[k] = edge
                    stretches.beyond[k] = beyond
                count += 1 if n > before else 0
            high = low
    pieces.first[count] = n
    return count


@kernel_part
def _region_chances(
    n_pieces: int, piece_in: FloatArray, piece_out: FloatArray, inverse: float, sweep: Sweep
) -> None:
    """Write the chances to decay in the region where its pieces begin and end."""
    width, gap, share = sweep.width, sweep.gap, sweep.share
    chance_in, chance_out = sweep.chance_in, sweep.chance_out
    blocks = -(-n_pieces // _VECTOR)
    before = piece_in[0]
    for j in range(_VECTOR * blocks):
        if j < n_pieces:
            width[j] = (piece_out[j] - piece_in[j]) * inverse
            gap[j] = (piece_in[j] - before) * inverse
            before = piece_out[j]
        else:
            width[j] = gap[j] = 0.0
    for j in range(_VECTOR * blocks):
        share[j], width[j], _ = decay_shares(width[j])
        gap[j] = decay_shares(gap[j])[1]
    chance = 0.0
    for j in range(n_pieces - 1, -1, -1):
        chance_out[j] = chance
        chance = share[j] + width[j] * chance
        chance_in[j] = chance
        chance *= gap[j]


@kernel_part
def _add_periods(count: int, inverse: float, sweep: Sweep) -> None:
    """Add what the repetitions of patterns weigh to the pieces, which have one period so far."""
    pieces, repeated, period = sweep.pieces, sweep.repeated, sweep.period
    weight = sweep.stretches.weight
    some = 0
    for k in range(count):
        repeated[some] = k
        some += 1 if pieces.times[k] > 0 else 0
    if some == 0:
        return
    for m in range(some):
        period[m] = pieces.period[repeated[m]] * inverse
    # Any piece will do to fill up whole vectors.
    blocks = -(-some // _VECTOR)
    for m in range(some, _VECTOR * blocks):
        period[m], repeated[m] = period[0], repeated[0]
    for m in range(_VECTOR * blocks):
        x = period[m]
        period[m] = decay_shares(pieces.times[repeated[m]] * x)[0] / decay_shares(x)[0] - 1.0
    for m in range(some):
        k = repeated[m]
        for i in range(pieces.begin[k], pieces.until[k]):
            pieces.weight[k] += weight[i] * period[m]


@kernel_part
def sweep_pieces(
    geometry: GeometryArrays,
    scratch: Scratch,
    n_segments: int,
    origin: FloatArray,
    direction: FloatArray,
    density: FloatArray,
    in_volume: FloatArray,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
    length: float,
    sweep: Sweep,
) -> tuple[int, float]:
    """Sweep a line upstream and list its pieces with their contributions to W.

    Parameters
    ----------
    geometry, scratch, n_segments
        The detector, and the pieces of the line in one volume each as `visible_pieces` left them.
    origin, direction
        The line, (3,) each.
    density
        Number density of the target for each material [1/cm3].
    in_volume
        The largest number density of the target in each volume [1/cm3].
    n_pieces, piece_in, piece_out
        Region pieces, sorted and disjoint [cm].
    length
        Decay length L [cm]; 0 for a prompt vertex.
    sweep
        Receives pieces and stretches.

    Returns
    -------
    int
        Number of pieces; -1 if a buffer is too small.
    float
        W [1/cm2].
    """
    inverse = 1.0 / length if length > 0.0 else 0.0
    _region_chances(n_pieces, piece_in, piece_out, inverse, sweep)
    count = _list_pieces(
        geometry, scratch, n_segments, origin, direction, density, in_volume,
        n_pieces, piece_in, piece_out, length, sweep,
    )  # fmt: skip
    if count <= 0:
        return count, 0.0
    pieces, stretches = sweep.pieces, sweep.stretches
    low, high, number, inside = stretches.low, stretches.high, stretches.number, stretches.inside
    edge, beyond = stretches.edge, stretches.beyond
    importance, weight = stretches.importance, stretches.weight
    n = pieces.first[count]
    if length > 0.0:
        blocks = -(-n // _VECTOR)
        for i in range(n, _VECTOR * blocks):
            low[i] = high[i] = edge[i] = beyond[i] = inside[i] = number[i] = 0.0
        for i in range(_VECTOR * blocks):
            q, stay, _ = decay_shares((edge[i] - high[i]) * inverse)
            seen = inside[i] * q + beyond[i] * stay
            q, _, over = decay_shares((high[i] - low[i]) * inverse)
            importance[i] = seen
            weight[i] = number[i] * (length * (seen * q + inside[i] * over))
    else:
        for i in range(n):
            importance[i] = 1.0
            weight[i] = number[i] * (high[i] - low[i])
    for k in range(count):
        here = 0.0
        for i in range(pieces.first[k], pieces.first[k + 1]):
            here += weight[i]
        pieces.weight[k] = here
    _add_periods(count, inverse, sweep)
    total = 0.0
    some = 0
    for k in range(count):
        total += pieces.weight[k]
        if pieces.weight[k] > 0.0:
            some = k + 1
    # What is too far upstream weighs nothing.
    return some, total


@kernel_part
def choose_vertex(
    geometry: GeometryArrays, scratch: Scratch, sweep: Sweep, count: int, goal: float, length: float
) -> tuple[int, int, int, float, float, float]:
    """Find where the sum of the weights, taken upstream, exceeds `goal`.

    Returns
    -------
    int, int, int
        Number of the piece, number of the stretch, and index of its material.
    float, float, float
        Ends of the stretch [cm], and I at the downstream one.
    """
    pieces, stretches = sweep.pieces, sweep.stretches
    k = 0
    while k < count - 1 and goal >= pieces.weight[k]:
        goal -= pieces.weight[k]
        k += 1
    i = pieces.first[k]
    periods = 0
    if stretches.layer[i] >= 0:
        x = pieces.period[k] / length if pieces.times[k] > 0 else 0.0
        i, periods = choose_stretch(
            stretches, i, pieces.first[k + 1], pieces.begin[k], pieces.until[k],
            pieces.times[k], x, goal,
        )  # fmt: skip
    low, high, importance = stretches.low[i], stretches.high[i], stretches.importance[i]
    if periods > 0:
        shift = periods * pieces.period[k]
        low, high = low - shift, high - shift
        importance *= decay_shares(shift / length)[1]
    material = stretches.layer[i]
    if material < 0:
        material = geometry.integer[scratch.visible_row[pieces.segment[k]], MATERIAL]
    return k, i, material, low, high, importance


@kernel_part
def choose_decay(
    sweep: Sweep,
    goal: float,
    begin: float,
    first: int,
    length: float,
    n_pieces: int,
    piece_in: FloatArray,
    piece_out: FloatArray,
) -> tuple[float, int]:
    """Find where the chance to decay in the region, summed from `begin` on, exceeds `goal`.

    As `attenuation.decay_ahead`, with the chances of the region pieces that the sweep has found.
    """
    reach = 1.0
    for j in range(first, n_pieces):
        chance, stay = sweep.share[j], sweep.width[j]
        if begin > piece_in[j]:
            chance, stay, _ = decay_shares((piece_out[j] - begin) / length)
        if goal < reach * chance or j == n_pieces - 1:
            fraction = min(goal / reach, chance)
            return min(begin - length * log1p(-fraction), piece_out[j]), j
        goal -= reach * chance
        reach *= stay * sweep.gap[j + 1]
        begin = piece_in[j + 1]
    return begin, n_pieces - 1
