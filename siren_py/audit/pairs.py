"""How two placed solids lie to each other: apart, one inside the other, or partly overlapping.

Proofs come first (`siren_py.geometry.relations`; boxes along the axes are exact). What is not
proved is measured with `LINES` parallel lines along each of the three axes through the box in
which both can be: the pieces of a line in a solid are exact, so that a thin overlap is found as
well as a thick one, unless all lines along its normal miss it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.estimate import Estimate
from siren_py.geometry.arrays import PlacedSolid
from siren_py.geometry.relations import are_apart, is_axis_box, is_inside

LINES = 610
_GENERATOR = 377  # Fibonacci lattice: see siren_py.geometry.visible
DEPTH = 1e-6
"""Overlaps and gaps thinner than this [cm] are rounding."""


class Overlap(NamedTuple):
    """A partial overlap: indices of the earlier and the later solid, and what they share.

    Attributes
    ----------
    first, second
        Indices, first < second.
    volume
        Volume of the overlap [cm3].
    points, weights
        Points (k, 3) [cm] spread over the overlap, and how much each stands for.
    """

    first: int
    second: int
    volume: Estimate
    points: FloatArray
    weights: FloatArray


class Relations(NamedTuple):
    """Relations of all solids: `parents[i]` are the indices of the solids that contain solid i."""

    parents: list[set[int]]
    overlaps: list[Overlap]


def relations(placed: Sequence[PlacedSolid]) -> Relations:
    """Find which solids contain each other, and which overlap in part."""
    boxes = [item.box() for item in placed]
    lo, hi = np.array([b[0] for b in boxes]), np.array([b[1] for b in boxes])
    straight = np.array([is_axis_box(item) for item in placed])
    parents: list[set[int]] = [set() for _ in placed]
    overlaps: list[Overlap] = []
    for i, item in enumerate(placed):
        near = np.all((lo[i + 1 :] < hi[i] - DEPTH) & (hi[i + 1 :] > lo[i] + DEPTH), axis=1)
        for j in (int(k) for k in np.flatnonzero(near) + i + 1):
            other = placed[j]
            if straight[i] and straight[j]:
                _relate_boxes(i, j, lo, hi, parents, overlaps)
            elif is_inside(other, item):
                parents[j].add(i)
            elif is_inside(item, other):
                parents[i].add(j)
            elif not are_apart(item, other):
                _measure(i, j, item, other, parents, overlaps)
    return Relations(parents, overlaps)


def _relate_boxes(
    i: int,
    j: int,
    lo: FloatArray,
    hi: FloatArray,
    parents: list[set[int]],
    overlaps: list[Overlap],
) -> None:
    second_in_first = np.all((lo[j] >= lo[i] - DEPTH) & (hi[j] <= hi[i] + DEPTH))
    first_in_second = np.all((lo[i] >= lo[j] - DEPTH) & (hi[i] <= hi[j] + DEPTH))
    if second_in_first:
        parents[j].add(i)
    if first_in_second:
        parents[i].add(j)
    if not (second_in_first or first_in_second):
        low, high = np.maximum(lo[i], lo[j]), np.minimum(hi[i], hi[j])
        unit = (lattice3(LINES) * (high - low)) + low
        overlaps.append(
            Overlap(i, j, Estimate(float(np.prod(high - low))), unit, np.full(len(unit), 1.0))
        )


def _measure(
    i: int,
    j: int,
    first: PlacedSolid,
    second: PlacedSolid,
    parents: list[set[int]],
    overlaps: list[Overlap],
) -> None:
    low = np.maximum(first.box()[0], second.box()[0])
    high = np.minimum(first.box()[1], second.box()[1])
    shared = common_pieces(first, second, low, high)
    if len(shared.points) == 0:
        return
    contained = False
    small, large = (i, j) if first.solid.volume() < second.solid.volume() else (j, i)
    by_index = {i: first, j: second}
    if len(rest_pieces(by_index[small], by_index[large]).points) == 0:
        parents[small].add(large)
        contained = True
    if not contained:
        overlaps.append(Overlap(i, j, shared.volume, shared.points, shared.weights))


class Pieces(NamedTuple):
    """Pieces of lines: the volume they stand for, their middles (k, 3) and their lengths."""

    volume: Estimate
    points: FloatArray
    weights: FloatArray


def common_pieces(a: PlacedSolid, b: PlacedSolid, lo: FloatArray, hi: FloatArray) -> Pieces:
    """Return the pieces of lines through the box lo-hi that are in both solids."""
    return _pieces(a, b, lo, hi, rest=False)


def rest_pieces(a: PlacedSolid, b: PlacedSolid) -> Pieces:
    """Return the pieces of lines through solid `a` that are not in solid `b`."""
    return _pieces(a, b, *a.box(), rest=True)


def _pieces(a: PlacedSolid, b: PlacedSolid, lo: FloatArray, hi: FloatArray, rest: bool) -> Pieces:
    volumes, points, weights = [], [], []
    for axis in range(3):
        across = [k for k in range(3) if k != axis]
        origins = np.empty((LINES, 3))
        origins[:, across] = lo[across] + lattice2(LINES) * (hi - lo)[across]
        origins[:, axis] = lo[axis]
        ways = np.zeros((LINES, 3))
        ways[:, axis] = 1.0
        ends = [_intervals(item, origins, ways) for item in (a, b)]
        room = np.zeros((sum(len(e[1]) for e in ends) + LINES, 3))
        used = _combine(*ends[0], *ends[1], rest, room)
        line, t_in, t_out = room[:used].T
        area = float(np.prod((hi - lo)[across])) / LINES
        volumes.append(area * float((t_out - t_in).sum()))
        keep = t_out - t_in > DEPTH
        middle = origins[line[keep].astype(np.int64)]
        middle[:, axis] += 0.5 * (t_in + t_out)[keep]
        points.append(middle)
        weights.append((t_out - t_in)[keep] * area)
    spread = float(np.std(volumes, ddof=1)) / 3**0.5
    return Pieces(
        Estimate(float(np.mean(volumes)), spread), np.concatenate(points), np.concatenate(weights)
    )


def _intervals(
    item: PlacedSolid, origins: FloatArray, ways: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    found = item.solid.intervals(
        item.placement.to_local(origins), item.placement.directions_to_local(ways)
    )
    return found.offsets, np.asarray(found.t_in, float), np.asarray(found.t_out, float)


@kernel
def _combine(
    offsets_a: IntArray,
    in_a: FloatArray,
    out_a: FloatArray,
    offsets_b: IntArray,
    in_b: FloatArray,
    out_b: FloatArray,
    rest: bool,
    room: FloatArray,
) -> int:
    """Write (line, t_in, t_out) of what is in a and in b, or (rest) in a but not in b."""
    used = 0
    for line in range(len(offsets_a) - 1):
        for i in range(offsets_a[line], offsets_a[line + 1]):
            low = in_a[i]
            for j in range(offsets_b[line], offsets_b[line + 1]):
                if out_b[j] <= low or in_b[j] >= out_a[i]:
                    continue
                start, stop = max(low, in_b[j]), min(out_a[i], out_b[j])
                if not rest:
                    room[used, 0], room[used, 1], room[used, 2] = line, start, stop
                    used += 1
                else:
                    if start > low:
                        room[used, 0], room[used, 1], room[used, 2] = line, low, start
                        used += 1
                    low = stop
            if rest and low < out_a[i]:
                room[used, 0], room[used, 1], room[used, 2] = line, low, out_a[i]
                used += 1
    return used


def lattice2(n: int) -> FloatArray:
    """Points of the Fibonacci lattice in the unit square, (LINES, 2), away from its edges."""
    steps = np.arange(n)
    return np.column_stack([(steps + 0.5) / n, ((steps * _GENERATOR + 0.5) % n) / n])


def lattice3(n: int) -> FloatArray:
    """Points spread over the unit cube, (n, 3): the additive sequence of the plastic numbers.

    M. Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018); the base is
    the real root of g^4 = g + 1.
    """
    g = 1.2207440846057596
    steps = np.arange(1, n + 1)[:, None]
    points: FloatArray = (0.5 + steps * np.array([1 / g, 1 / g**2, 1 / g**3])) % 1.0
    return points
