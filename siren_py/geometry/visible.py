"""The visible part of a placed solid: what later solids do not displace.

Exact where a closed form exists: axis-aligned boxes and stacks cut by axis-aligned boxes, boxes,
prisms and stacks cut by prisms along the same axis (cylinders within 1e-6), and any solid that
loses only whole, separate solids. Otherwise parallel lines are traced through the solid, across
its layers, on Fibonacci lattices (Niederreiter, "Random Number Generation and Quasi-Monte Carlo
Methods", SIAM 1992, section 5.1: the optimal two-dimensional lattices) with random shifts; the
scatter of the shifts is the error (Cranley and Patterson, SIAM J. Numer. Anal. 13, 904 (1976)).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.estimate import Estimate
from siren_py.geometry.arrays import (
    External,
    GeometryArrays,
    PlacedSolid,
    Scratch,
    external_intervals,
    geometry_arrays,
    make_scratch,
)
from siren_py.geometry.base import Solid
from siren_py.geometry.booleans import volume_of
from siren_py.geometry.placement import Placement
from siren_py.geometry.relations import are_apart, bare, is_axis_box, is_inside
from siren_py.geometry.sections import is_straight, swept_layers
from siren_py.geometry.tracing import trace_line
from siren_py.rng import stream

_SHIFTS = 16
# Consecutive Fibonacci numbers (points, generator); about 1e4 to 5e5 lines with 16 shifts.
_LATTICES = ((610, 377), (2584, 1597), (10946, 6765), (28657, 17711))
_TARGET = 5e-4
# No layer that is not next to nothing may be worse than this.
_LAYER_TARGET, _NEXT_TO_NOTHING = 2e-3, 1e-3


class VisibleVolume(NamedTuple):
    """Visible volume of one placed solid, by material.

    Attributes
    ----------
    materials
        Distinct material indices, (m,).
    value
        Visible volume of each [cm3].
    covariance
        (m, m) [cm6]; zero when exact.
    """

    materials: IntArray
    value: FloatArray
    covariance: FloatArray

    def weighted(self, weights: FloatArray) -> Estimate:
        """Return the sum of weights times visible volumes, e.g. the mass for densities."""
        variance = float(weights @ self.covariance @ weights)
        return Estimate(float(weights @ self.value), max(variance, 0.0) ** 0.5)


class VisibleVolumes:
    """Visible volumes of a list of placed solids; each is found once, when it is asked for.

    Parameters
    ----------
    placed
        Placed solids in order; later ones displace earlier ones.
    """

    def __init__(self, placed: Sequence[PlacedSolid]) -> None:
        self.placed = tuple(placed)
        corners = [item.box() for item in self.placed]
        self._lo = np.array([lo for lo, _ in corners])
        self._hi = np.array([hi for _, hi in corners])
        self._known: dict[int, VisibleVolume] = {}

    def of(self, index: int) -> VisibleVolume:
        """Return the visible volume of one of the solids.

        Exact, or with a relative error of about 5e-4 where lines are traced (larger if next to
        nothing of the solid is visible).
        """
        if index not in self._known:
            near = np.all((self._lo < self._hi[index]) & (self._hi > self._lo[index]), axis=1)
            later = [self.placed[i] for i in np.flatnonzero(near) if i > index]
            self._known[index] = _visible_volume(self.placed[index], later)
        return self._known[index]


def _visible_volume(item: PlacedSolid, later: Sequence[PlacedSolid]) -> VisibleVolume:
    exact, maximal = exact_visible_volume(item, later)
    return _by_lines(item, maximal) if exact is None else exact


def measured_volume(solid: Solid) -> Estimate:
    """Return the volume of a solid [cm3] from parallel lines, whatever it says itself."""
    item = PlacedSolid(type(solid).__name__, solid, Placement.of(), (0,))
    return _by_lines(item, []).weighted(np.ones(1))


def exact_visible_volume(
    item: PlacedSolid, later: Sequence[PlacedSolid]
) -> tuple[VisibleVolume | None, list[PlacedSolid]]:
    """Return the visible volume if closed forms give it, and the solids that displace something."""
    later = [other for other in later if not are_apart(item, other)]
    if any(is_inside(item, other) for other in later):
        return _exact(item, np.zeros(len(item.materials))), []
    # What lies in another displacing solid, which then is larger, displaces nothing more.
    maximal = _not_in_another(sorted(later, key=_box_volume, reverse=True))
    boxes = [other for other in maximal if is_axis_box(other) and is_axis_box(item)]
    others = [other for other in maximal if not (is_axis_box(other) and is_axis_box(item))]
    whole = len(set(item.materials)) == 1 and not is_measured(item.solid)
    if not others or (whole and _are_separate(item, boxes, others)):
        layers = layer_volumes(item, boxes)
        return (None if layers is None else _less_whole(item, layers, others)), maximal
    swept = swept_layers(bare(item), [bare(other) for other in maximal])
    if swept is None:
        return None, maximal
    taken, rest = (
        [maximal[k] for k in np.flatnonzero(which)] for which in (swept.swept, ~swept.swept)
    )
    if rest and not (whole and _are_separate(item, taken, rest)):
        return None, maximal
    return _less_whole(item, swept.volumes, rest, swept.bounds), maximal


def _not_in_another(solids: Sequence[PlacedSolid]) -> list[PlacedSolid]:
    """Return the solids that do not lie in one before them."""
    if not solids:
        return []
    lo, hi = (np.array(corners) for corners in zip(*(s.box() for s in solids), strict=True))
    # Only what has the box of the other in its own can hold it: few of thousands.
    pad = 1e-6 * (1.0 + np.abs(hi - lo).max(axis=1))[:, None]
    kept = np.zeros(len(solids), dtype=np.bool_)
    for i, inner in enumerate(solids):
        around = kept & np.all((lo - pad <= lo[i]) & (hi + pad >= hi[i]), axis=1)
        kept[i] = not any(is_inside(inner, solids[k]) for k in np.flatnonzero(around).tolist())
    return [solids[i] for i in np.flatnonzero(kept).tolist()]


def is_measured(solid: Solid) -> bool:
    """Whether the volume of a solid may have to be measured with lines itself."""
    return hasattr(solid, "volume_estimate")


def _box_volume(item: PlacedSolid) -> float:
    lo, hi = item.solid.bounds()
    return float(np.prod(hi - lo))


def _less_whole(
    item: PlacedSolid,
    layers: FloatArray,
    others: Sequence[PlacedSolid],
    bounds: FloatArray | None = None,
) -> VisibleVolume:
    """Return volumes of layers from closed forms without the whole of other solids in them."""
    lost = [volume_of(other.solid) for other in others]
    if lost:
        layers = layers - sum(one.value for one in lost) * layers / layers.sum()
    found = _exact(item, layers, sum(one.error**2 for one in lost))
    if bounds is None:
        return found
    materials = np.searchsorted(found.materials, np.array(item.materials, np.int64))
    off = np.bincount(materials, bounds, minlength=len(found.materials))
    return found._replace(covariance=found.covariance + np.outer(off, off))


def _exact(item: PlacedSolid, layers: FloatArray, variance: float = 0.0) -> VisibleVolume:
    """Return volumes of layers from closed forms; `variance` [cm6] of what was taken away.

    Where closed forms rest on the volume of a boolean that had to be measured, its error stays.
    """
    materials, inverse = np.unique(np.array(item.materials, np.int64), return_inverse=True)
    value: FloatArray = np.bincount(inverse, layers, minlength=len(materials)).astype(np.float64)
    total = float(value.sum())
    if total > 0.0:
        variance += volume_of(item.solid).error ** 2
    # The same relative error for all layers: they share what was measured.
    share = value / total if total > 0.0 else np.zeros(len(value))
    return VisibleVolume(materials, value, variance * np.outer(share, share))


def _are_separate(item: PlacedSolid, boxes: list[PlacedSolid], others: list[PlacedSolid]) -> bool:
    """Whether `others` lie in the item and overlap neither each other nor the boxes."""
    if not all(is_inside(other, item) for other in others):
        return False
    every = boxes + others
    lo, hi = _corners(every)
    for index in range(len(boxes), len(every)):
        near = np.all((lo[:index] < hi[index]) & (hi[:index] > lo[index]), axis=1)
        if not all(are_apart(every[index], every[i]) for i in np.flatnonzero(near)):
            return False
    return True


def _corners(items: Sequence[PlacedSolid]) -> tuple[FloatArray, FloatArray]:
    """Lower and upper corners of the boxes around solids, (n, 3) each [cm]."""
    corners = [item.box() for item in items]
    return (
        np.array([lo for lo, _ in corners]).reshape(-1, 3),
        np.array([hi for _, hi in corners]).reshape(-1, 3),
    )


def layer_volumes(item: PlacedSolid, boxes: Sequence[PlacedSolid] = ()) -> FloatArray | None:
    """Volumes of the layers of a solid (one if no stack) less axis-aligned boxes [cm3].

    None if the layers have no closed form: a stack whose cross-section changes along its axis.
    `boxes` may only be given for an axis-aligned box.
    """
    if boxes:
        return _layers_less_boxes(item, boxes)
    if item.stack is None:
        return np.array([item.solid.volume()])
    thickness = np.diff(item.stack.edges)
    if not is_straight(item, item.stack.axis):
        return None
    volumes: FloatArray = item.solid.volume() * thickness / thickness.sum()
    return volumes


def _layers_less_boxes(item: PlacedSolid, boxes: Sequence[PlacedSolid]) -> FloatArray:
    """Sweep along the axis of the layers; each slab between two faces is a problem in 2D."""
    local_axis = 2 if item.stack is None else "xyz".index(item.stack.axis)
    axis = int(np.argmax(np.abs(item.placement.matrix[:, local_axis])))
    forward = item.placement.matrix[axis, local_axis] > 0.0
    lo, hi = item.box()
    if item.stack is None:
        edges = np.array([lo[axis], hi[axis]])
    else:
        edges = item.stack.edges if forward else -item.stack.edges[::-1]
        edges = edges + item.placement.position[axis]
    cuts = np.array([np.concatenate(other.box()) for other in boxes])
    across = [i for i in range(3) if i != axis]
    planes = np.unique(np.concatenate([edges, cuts[:, axis], cuts[:, axis + 3]]))
    planes = planes[(planes >= edges[0]) & (planes <= edges[-1])]
    layers = np.zeros(len(edges) - 1)
    areas: dict[bytes, float] = {}
    for low, high in itertools.pairwise(planes):
        middle = 0.5 * (low + high)
        active = (cuts[:, axis] < middle) & (cuts[:, axis + 3] > middle)
        key = active.tobytes()
        if key not in areas:
            rectangles = cuts[active][:, [*across, across[0] + 3, across[1] + 3]]
            areas[key] = _uncovered_area(lo[across], hi[across], rectangles)
        layers[np.searchsorted(edges, middle) - 1] += areas[key] * (high - low)
    return layers if forward else layers[::-1]


def _uncovered_area(lo: FloatArray, hi: FloatArray, rectangles: FloatArray) -> float:
    """Area of the rectangle lo-hi less the union of rectangles (k, 4), by their own grid."""
    if len(rectangles) == 0:
        return float(np.prod(hi - lo))
    clipped = np.column_stack([np.clip(rectangles[:, i], lo[i % 2], hi[i % 2]) for i in range(4)])
    x = np.unique(np.concatenate([clipped[:, 0], clipped[:, 2], [lo[0], hi[0]]]))
    y = np.unique(np.concatenate([clipped[:, 1], clipped[:, 3], [lo[1], hi[1]]]))
    free = np.ones((len(x) - 1, len(y) - 1), np.bool_)
    first = np.searchsorted(x, clipped[:, 0]), np.searchsorted(y, clipped[:, 1])
    last = np.searchsorted(x, clipped[:, 2]), np.searchsorted(y, clipped[:, 3])
    for i in range(len(clipped)):
        free[first[0][i] : last[0][i], first[1][i] : last[1][i]] = False
    return float(np.diff(x) @ free @ np.diff(y))


@kernel
def _add_lengths(
    geometry: GeometryArrays,
    external: External,
    origins: FloatArray,
    axis: int,
    scratch: Scratch,
    lengths: FloatArray,
) -> None:
    """Add the lengths of lines along `axis` inside volume 0 to `lengths`, by material."""
    dx = 1.0 if axis == 0 else 0.0
    dy = 1.0 if axis == 1 else 0.0
    dz = 1.0 if axis == 2 else 0.0
    for i in range(origins.shape[0]):
        ox = origins[i, 0]
        oy = origins[i, 1]
        oz = origins[i, 2]
        n = trace_line(geometry, external, i, ox, oy, oz, dx, dy, dz, -np.inf, np.inf, scratch)
        for k in range(n):
            if scratch.volume[k] == 0:
                lengths[scratch.material[k]] += scratch.t_out[k] - scratch.t_in[k]


def _by_lines(item: PlacedSolid, later: Sequence[PlacedSolid]) -> VisibleVolume:
    """Estimate the visible volume by parallel lines across its layers, or its shortest side."""
    materials, inverse = np.unique(np.array(item.materials, np.int64), return_inverse=True)
    lo, hi = item.box()
    axis = int(np.argmin(hi - lo))
    if item.stack is not None:
        axis = int(np.argmax(np.abs(item.placement.matrix[:, "xyz".index(item.stack.axis)])))
    across = [i for i in range(3) if i != axis]
    area = float(np.prod((hi - lo)[across]))
    # Only the item and what displaces it matter; everything else may overlap it unseen.
    own = item._replace(materials=tuple(int(i) for i in inverse))
    cutting = [own, *(o._replace(stack=None, materials=(len(materials),)) for o in later)]
    density = np.zeros(len(materials) + 1)
    whole, cut = geometry_arrays([own], density), geometry_arrays(cutting, density)
    # A volume that had to be measured itself is no better than the lines.
    layers = None if is_measured(item.solid) else layer_volumes(item)
    known = None if layers is None else np.bincount(inverse, layers, minlength=len(materials))
    rng = stream(0, "visible volume")
    for points, generator in _LATTICES:
        visible = np.zeros((_SHIFTS, len(density)))
        full = np.zeros((_SHIFTS, len(density)))
        steps = np.arange(points)
        lattice = np.column_stack([steps / points, (steps * generator % points) / points])
        for shift in range(_SHIFTS):
            origins = np.empty((points, 3))
            unit = (lattice + rng.random(2)) % 1.0
            origins[:, across] = lo[across] + unit * (hi - lo)[across]
            origins[:, axis] = lo[axis]
            ways = np.zeros((points, 3))
            ways[:, axis] = 1.0
            for solids, arrays, sums in (([own], whole, full), (cutting, cut, visible)):
                external = external_intervals(solids, origins, ways)
                scratch = make_scratch(arrays, external)
                _add_lengths(arrays, external, origins, axis, scratch, sums[shift])
        scale = area / points
        candidates = [visible[:, :-1] * scale]
        if known is not None:
            # The whole is known: only what is displaced needs the lines.
            candidates.append(known - (full - visible)[:, :-1] * scale)
        replicas = min(candidates, key=lambda sample: float(np.var(sample.sum(axis=1))))
        value = replicas.mean(axis=0)
        # Nothing finer than a fraction of one line is resolved, even if all shifts agree.
        size = _box_volume(item) if is_measured(item.solid) else item.solid.volume()
        floor = (size / (points * _SHIFTS)) ** 2 / max(len(value), 1)
        covariance = np.atleast_2d(np.cov(replicas, rowvar=False)) / _SHIFTS
        covariance = covariance + floor * np.eye(len(value))
        total = float(value.sum())
        large = value > _NEXT_TO_NOTHING * total
        each = np.sqrt(np.diag(covariance))[large] <= _LAYER_TARGET * value[large]
        if float(covariance.sum()) ** 0.5 <= _TARGET * total and np.all(each):
            break
    return VisibleVolume(materials, np.maximum(value, 0.0), covariance)
