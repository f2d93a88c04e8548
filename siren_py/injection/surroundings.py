"""Vertices before the detector and in it: two parts of a line, of which one is drawn.

Where particles fly far, nearly all of those that are seen were made in the rock: one or two volumes
of the many on a line, most of which, the detector proper, hold a percent of the rate. So a part of
the line is chosen first, what lies upstream of a box around the detector proper (its core) or the
rest, with a chance p that follows the rates of the parts. Vertex and decay point are then drawn
from that part alone,

    h(x, y) = p n(x) exp(-(y - x)/L) / (L W),

with W of the part: the density of the other one need not be known. p is a table by angle to the
beam, decay length and target, known roughly; weights use it as it is, and hold for any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from siren_py._numba import inline_kernel, kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.arrays import GeometryArrays, PlacedSolid, geometry_arrays
from siren_py.geometry.locating import NO_EXTERNAL_INSIDE
from siren_py.geometry.rows import row_contains
from siren_py.injection.scattering_angles import ANGLES

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.regions import Region

WHOLE, BEFORE, WITHIN, AT_ORIGIN = 0, 1, 2, 3
"""Parts of a line: all of it, what lies before the core, the rest, and that of the two in which
the origin of the line lies."""

_MOST = 8
"""No more volumes than this count as surroundings."""

_STEP = 8.0
"""The core is so much smaller than the box around it and the smallest of its surroundings."""

_INNER = 8
"""With fewer volumes in the core there is nothing to be saved."""

_SPLIT = 0.2
"""Lines are split if what lies before the core has this share of the rate, or more."""

_FAVOUR = 1.5
"""How much more often than by its share the core is chosen: it differs more from line to line."""

_LEAST = 0.01
"""The least chance of the core, next to that of what lies before it."""


class Choice(NamedTuple):
    """Which parts of which lines are wanted."""

    line: IntArray
    """Numbers of the lines, (m,)."""
    part: IntArray
    """Part of each line, (n,): WHOLE, BEFORE, WITHIN or AT_ORIGIN."""
    core: FloatArray
    """Lower and upper corner of the core [cm], (6,)."""
    volume: IntArray
    """Volume index of each row of the geometry that is traced."""


class Leaves(NamedTuple):
    """The volumes that overlap each leaf of a region, the last one first."""

    first: IntArray
    """Where those of each leaf begin, and one more entry for the end."""
    row: IntArray
    """Their rows."""
    box: FloatArray
    """Boxes around them: lo x, y, z, hi x, y, z [cm]."""


def every_line(n: int, volumes: int) -> Choice:
    """Return the choice of n whole lines."""
    return Choice(np.arange(n), np.zeros(n, np.int64), np.zeros(6), np.arange(volumes))


@inline_kernel
def limits_of_part(
    part: int,
    core: FloatArray,
    origin: FloatArray,
    direction: FloatArray,
    reach: float,
    first: float,
    last: float,
) -> tuple[int, float, float]:
    """Find the stretch of a line that makes a part of it.

    Parameters
    ----------
    part, core
        See `Choice`.
    origin, direction
        The line, (3,) each.
    reach
        How far upstream of the region vertices count [cm].
    first, last
        Where the line comes into the region, and where it leaves it for good [cm].

    Returns
    -------
    int
        The part; that of the origin is known now.
    float, float
        Ends of the stretch [cm].
    """
    begin, end = first - reach, last
    if part != WHOLE:
        near, far = -np.inf, np.inf
        for axis in range(3):
            if direction[axis] != 0.0:
                a = (core[axis] - origin[axis]) / direction[axis]
                b = (core[axis + 3] - origin[axis]) / direction[axis]
                near, far = max(near, min(a, b)), min(far, max(a, b))
            elif not core[axis] <= origin[axis] <= core[axis + 3]:
                far = -np.inf
        # Where the line misses the core there is nothing of it before the region.
        arrival = min(near, first) if near <= far else first
        if part == AT_ORIGIN:
            part = BEFORE if arrival > 0.0 else WITHIN
        if part == BEFORE:
            end = arrival
        else:
            begin = max(begin, arrival)
    return part, begin, end


@kernel
def look_up(
    cosine: FloatArray,
    row: IntArray,
    nuclide: IntArray,
    bounds: FloatArray,
    chance: FloatArray,
    before: FloatArray,
) -> None:
    """Look up the chance of what lies before the core.

    Parameters
    ----------
    cosine
        Cosines of the angles to the beam, (n,).
    row, nuclide
        Row of `line_source.LENGTHS` and target of each event, (n,).
    bounds
        Cosines at which the classes of angles end, descending, (C - 1,).
    chance
        Chances by class, (C, rows, T); 0 where lines stay whole.
    before
        Receives that of each event, (n,).
    """
    for i in range(cosine.size):
        c = 0
        while c < bounds.size and cosine[i] < bounds[c]:
            c += 1
        before[i] = chance[c, row[i], nuclide[i]]


@kernel
def choose_parts(
    before: FloatArray, uniform: FloatArray, part: IntArray, probability: FloatArray
) -> None:
    """Choose a part of each line.

    Parameters
    ----------
    before
        Chance of what lies before the core, (n,); 0 where lines stay whole.
    uniform
        Uniform random numbers, (n, ...): the first of each row is used, and left uniform and
        independent of the choice.
    part, probability
        Receive the part and its chance, (n,).
    """
    for i in range(before.size):
        part[i], probability[i] = WHOLE, 1.0
        if before[i] > 0.0:
            within = 1.0 - before[i]
            u = uniform[i, 0]
            # As on a whole line, larger numbers lie further upstream.
            if u < within:
                part[i], probability[i] = WITHIN, within
                u /= within
            else:
                part[i], probability[i] = BEFORE, before[i]
                u = (u - within) / before[i]
            uniform[i, 0] = min(u, 1.0 - 2.0**-53)


@kernel
def locate_in_leaves(
    geometry: GeometryArrays,
    leaves: Leaves,
    points: FloatArray,
    leaf: IntArray,
    which: IntArray,
    volume: IntArray,
) -> None:
    """Write to `volume` in which volume those of `points` (n, 3) are that `which` names.

    Each point lies in the leaf given, so that few volumes come into question.
    """
    for i in which:
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        if leaf[i] < 0:
            continue
        for k in range(leaves.first[leaf[i]], leaves.first[leaf[i] + 1]):
            box = leaves.box[k]
            if not (box[0] <= x <= box[3] and box[1] <= y <= box[4] and box[2] <= z <= box[5]):
                continue
            if row_contains(geometry, NO_EXTERNAL_INSIDE, leaves.row[k], 0, x, y, z):
                volume[i] = leaves.row[k]
                break


class Surroundings:
    """The volumes around the core of a detector, and the chances that vertices lie there.

    Parameters
    ----------
    placed
        All volumes of the detector.
    boxes
        The boxes around them: lo x, y, z, hi x, y, z [cm], (V, 6).
    volumes
        Indices of the surroundings, ascending.
    density
        Number densities by nuclide and material [1/cm3], (T, M).
    in_volume
        The largest of them in each volume, (T, V).
    leaves
        The solids of the region.
    """

    def __init__(
        self,
        placed: Sequence[PlacedSolid],
        boxes: FloatArray,
        volumes: IntArray,
        density: FloatArray,
        in_volume: FloatArray,
        leaves: Sequence[PlacedSolid],
    ) -> None:
        self.volumes = volumes
        self.arrays = geometry_arrays([placed[i] for i in volumes], np.zeros(density.shape[1]))
        self.in_volume: FloatArray = np.ascontiguousarray(in_volume[:, volumes])
        self.core = _around(np.delete(boxes, volumes, axis=0))
        self._leaves = _volumes_in(_boxes_of(leaves), boxes)
        self._bounds: FloatArray = np.cos(ANGLES)
        self._chance: FloatArray | None = None

    @classmethod
    def of(
        cls, detector: DetectorModel, region: Region, density: FloatArray, in_volume: FloatArray
    ) -> Surroundings | None:
        """Find the surroundings of a detector; None if there are none worth the name.

        They are the largest volumes, down to the last great step in size that leaves the region in
        the core. Solids without kernel are asked for all lines at once: with them lines stay whole.
        """
        placed, solids = detector.placed(), region.solids
        if any(item.is_external for item in (*placed, *solids)):
            return None
        boxes, aim = _boxes_of(placed), np.concatenate(region.bounds())
        order = np.argsort(-_sizes(boxes), kind="stable")
        found = None
        for k in range(1, min(_MOST, len(placed) - _INNER) + 1):
            outer, inner = _around(boxes[order[k - 1 :]]), _around(boxes[order[k:]])
            holds = (inner[:3] <= aim[:3]).all() and (inner[3:] >= aim[3:]).all()
            if holds and _STEP * _sizes(inner[None, :])[0] <= _sizes(outer[None, :])[0]:
                found = np.sort(order[:k])
        return None if found is None else cls(placed, boxes, found, density, in_volume, solids)

    def set_shares(self, share: FloatArray) -> None:
        """Set the shares of what lies before the core in the rate, for each class of `ANGLES`.

        Parameters
        ----------
        share
            By class, row of `line_source.LENGTHS` and target, (C, rows, T).
        """
        rest = np.maximum(_FAVOUR * (1.0 - share), _LEAST)
        self._chance = np.where(share >= _SPLIT, share / (share + rest), 0.0)

    def choose(
        self, cosine: FloatArray, row: IntArray, nuclide: IntArray, uniform: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Choose a part of each line; returns the parts and their chances, (n,) each.

        Arguments as in `look_up` and `choose_parts`.
        """
        part, probability = np.empty(row.size, np.int64), np.empty(row.size)
        choose_parts(self._before(cosine, row, nuclide), uniform, part, probability)
        return part, probability

    def probabilities(
        self, cosine: FloatArray, row: IntArray, nuclide: IntArray, part: IntArray
    ) -> FloatArray:
        """Return the chance of given parts, (n,); of BEFORE or WITHIN where lines are split."""
        before = self._before(cosine, row, nuclide)
        chance = np.where(part == BEFORE, before, 1.0 - before)
        return np.asarray(np.where(part == WHOLE, 1.0, chance))

    def are_split(self, cosine: FloatArray, row: IntArray, nuclide: IntArray) -> IntArray:
        """Return AT_ORIGIN for lines that are split, and WHOLE for the others, (n,)."""
        split = self._before(cosine, row, nuclide) > 0.0
        return np.where(split, AT_ORIGIN, WHOLE).astype(np.int64)

    def _before(self, cosine: FloatArray, row: IntArray, nuclide: IntArray) -> FloatArray:
        before = np.zeros(row.size)
        if self._chance is not None:
            look_up(cosine, row, nuclide, self._bounds, self._chance, before)
        return before

    def locate(
        self,
        geometry: GeometryArrays,
        points: FloatArray,
        leaf: IntArray,
        which: IntArray,
        volume: IntArray,
    ) -> None:
        """Write the volumes of points in the leaves of the region; see `locate_in_leaves`."""
        locate_in_leaves(geometry, self._leaves, points, leaf, which, volume)


def _boxes_of(solids: Sequence[PlacedSolid]) -> FloatArray:
    """Return the boxes around solids, (n, 6)."""
    return np.array([np.concatenate(item.box()) for item in solids])


def _volumes_in(leaves: FloatArray, boxes: FloatArray) -> Leaves:
    """Find the volumes that overlap each leaf; boxes around both, (n, 6) each."""
    rows, first = [], [0]
    for leaf in leaves:
        overlap = (boxes[:, :3] <= leaf[3:]) & (boxes[:, 3:] >= leaf[:3])
        rows.append(np.flatnonzero(overlap.all(axis=1))[::-1])
        first.append(first[-1] + rows[-1].size)
    row = np.concatenate(rows)
    pad = 1e-9 * (1.0 + np.abs(boxes[row]).max(axis=1))[:, None]
    grown = np.concatenate([boxes[row, :3] - pad, boxes[row, 3:] + pad], axis=1)
    return Leaves(np.array(first), row, grown)


def _around(boxes: FloatArray) -> FloatArray:
    """Return the box around boxes (n, 6), (6,)."""
    return np.concatenate([boxes[:, :3].min(axis=0), boxes[:, 3:].max(axis=0)])


def _sizes(boxes: FloatArray) -> FloatArray:
    """Return the volumes of boxes (n, 6) [cm3], (n,)."""
    return np.asarray(np.prod(boxes[:, 3:] - boxes[:, :3], axis=1))
