"""Placed solids as flat arrays for the kernels, with a tree of bounding boxes.

The tree is stored in depth-first order; each node knows where to go on when a line misses it,
so that walking needs neither recursion nor a stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import GeometryError
from siren_py.geometry import kernels
from siren_py.geometry.layers import LayerStack
from siren_py.geometry.placement import Placement
from siren_py.geometry.solids import Intervals, KernelSolid, Solid, kernel_row

# Bounding boxes only reject: they are a little larger, so that rounding never loses a solid.
_PAD_RELATIVE = 1e-9
_PAD_ABSOLUTE = 1e-7
# A volume with more than this part of the area of its node stands alone in the tree.
_LARGE_PART = 0.5


class GeometryArrays(NamedTuple):
    """Placed solids as arrays; numba takes the tuple as it is.

    Attributes
    ----------
    node_box
        (nodes, 6) bounding boxes: lo x, y, z, hi x, y, z [cm].
    node_link
        (nodes, 2): node to go on with when the box is missed; volume of a leaf, or -1.
    real
        (volumes, 20): parameters, position, matrix; see `kernels`.
    integer
        (volumes, 5): kind, whether rotated, material (-1 for a stack), stack or -1, index
        among the external solids or -1.
    stack
        (stacks, 3): first entry in `layer_edge`, first entry in `layer_material`, number of
        layers.
    stack_axis
        (stacks, 4): direction of the axis in the detector frame, and its coordinate at the
        origin of that frame: the local coordinate of x is axis . x + offset.
    layer_edge, layer_material
        Faces [cm] and material indices of the layers of all stacks, one after the other.
    density
        (materials,) [g/cm3].
    """

    node_box: FloatArray
    node_link: IntArray
    real: FloatArray
    integer: IntArray
    stack: IntArray
    stack_axis: FloatArray
    layer_edge: FloatArray
    layer_material: IntArray
    density: FloatArray


# The solids of a region are the same arrays: "volume" and "material" are then the leaf index.
RegionArrays = GeometryArrays


class External(NamedTuple):
    """Intervals of a batch of lines in the solids that have no kernel.

    Attributes
    ----------
    offsets
        (solids, lines + 1): solid e owns the entries offsets[e, i] to offsets[e, i + 1] on
        line i.
    t_in, t_out
        All intervals [cm].
    """

    offsets: IntArray
    t_in: FloatArray
    t_out: FloatArray


class Scratch(NamedTuple):
    """Buffers of one thread: the segments of a line are the first n of the first four.

    Attributes
    ----------
    t_in, t_out
        Ends of the segments along the line [cm].
    volume, material
        Indices of volume and material (int64) of the segments.
    event_t, event_code, open_volumes, pieces
        Internal: crossings, and what the line is in.
    """

    t_in: FloatArray
    t_out: FloatArray
    volume: IntArray
    material: IntArray
    event_t: FloatArray
    event_code: IntArray
    open_volumes: IntArray
    pieces: FloatArray


class PlacedSolid(NamedTuple):
    """A solid with its place; `materials` are the indices of its layers (one if no stack)."""

    name: str
    solid: Solid
    placement: Placement
    materials: tuple[int, ...]
    stack: LayerStack | None = None

    def box(self) -> tuple[FloatArray, FloatArray]:
        """Return the axis-aligned box (lo, hi) around it in the detector frame [cm]."""
        return self.placement.box(*self.solid.bounds())

    @property
    def is_external(self) -> bool:
        """Whether its solid has no kernel."""
        return not isinstance(self.solid, KernelSolid)


NO_EXTERNAL = External(np.zeros((0, 1), np.int64), np.zeros(0), np.zeros(0))


def geometry_arrays(placed: Sequence[PlacedSolid], density: FloatArray) -> GeometryArrays:
    """Turn placed solids, in the order in which later ones displace earlier ones, into arrays.

    Raises
    ------
    GeometryError
        If there are no solids, or the bounds of one are not finite.
    """
    if not placed:
        raise GeometryError("There are no solids: add at least one.")
    real = np.zeros((len(placed), kernels.REAL_COLUMNS))
    integer = np.full((len(placed), kernels.INTEGER_COLUMNS), -1, np.int64)
    boxes = np.empty((len(placed), 6))
    stacks: list[tuple[int, int, int]] = []
    axes: list[FloatArray] = []
    edges = [np.zeros(0)]
    layer_materials: list[int] = []
    external_count = edge_count = 0
    for i, item in enumerate(placed):
        if isinstance(item.solid, KernelSolid):
            form = item.solid.kernel_form()
            real[i] = kernel_row(form, item.placement.position, item.placement.matrix)
            integer[i, kernels.KIND] = form.kind
            turned = form.axes != (0, 1, 2) or item.placement.is_rotated
            integer[i, kernels.ROTATED] = turned
        else:
            integer[i, kernels.KIND] = kernels.EXTERNAL
            integer[i, kernels.EXTERNAL_INDEX] = external_count
            external_count += 1
        lo, hi = item.box()
        if not (np.all(np.isfinite(lo)) and np.all(np.isfinite(hi)) and np.all(lo < hi)):
            raise GeometryError(
                f"{item.name!r}: the bounds of its solid are not a finite box: {lo} to {hi}."
            )
        pad = _PAD_RELATIVE * np.maximum(np.abs(lo), np.abs(hi)).max() + _PAD_ABSOLUTE
        boxes[i] = *(lo - pad), *(hi + pad)
        if item.stack is None:
            integer[i, kernels.MATERIAL] = item.materials[0]
            continue
        integer[i, kernels.STACK] = len(stacks)
        stacks.append((edge_count, len(layer_materials), len(item.materials)))
        axis = item.placement.matrix[:, "xyz".index(item.stack.axis)]
        axes.append(np.append(axis, -float(axis @ item.placement.position)))
        edges.append(item.stack.edges)
        edge_count += len(item.stack.edges)
        layer_materials.extend(item.materials)
    node_box, node_link = _tree(boxes)
    return GeometryArrays(
        node_box=node_box,
        node_link=node_link,
        real=real,
        integer=integer,
        stack=np.array(stacks, np.int64).reshape(-1, 3),
        stack_axis=np.array(axes, np.float64).reshape(-1, 4),
        layer_edge=np.concatenate(edges),
        layer_material=np.array(layer_materials, np.int64),
        density=np.ascontiguousarray(density, dtype=np.float64),
    )


def _area(boxes: FloatArray) -> FloatArray:
    """Half the surface of boxes (..., 6): what random lines meet is proportional to it."""
    d = boxes[..., 3:] - boxes[..., :3]
    area: FloatArray = d[..., 0] * d[..., 1] + d[..., 1] * d[..., 2] + d[..., 2] * d[..., 0]
    return area


def _hull(boxes: FloatArray) -> FloatArray:
    return np.concatenate([boxes[:, :3].min(axis=0), boxes[:, 3:].max(axis=0)])


def _split(boxes: FloatArray, members: IntArray) -> tuple[IntArray, IntArray]:
    """Cut the members of a node in two by the surface-area heuristic."""
    own = boxes[members]
    areas = _area(own)
    large = areas > _LARGE_PART * _area(_hull(own))
    if large.any():
        # One that fills its node (rock, hall) would only blow up whichever half it is put in.
        first = int(np.argmax(large))
        return members[first : first + 1], np.delete(members, first)
    best_cost, best = np.inf, (members[:1], members[1:])
    for axis in range(3):
        order = np.argsort(own[:, axis] + own[:, axis + 3], kind="stable")
        ranked = own[order]
        left = np.concatenate(
            [np.minimum.accumulate(ranked[:, :3]), np.maximum.accumulate(ranked[:, 3:])], axis=1
        )
        back = ranked[::-1]
        right = np.concatenate(
            [np.minimum.accumulate(back[:, :3]), np.maximum.accumulate(back[:, 3:])], axis=1
        )[::-1]
        number = np.arange(1, len(members))
        cost = _area(left[:-1]) * number + _area(right[1:]) * number[::-1]
        cut = int(np.argmin(cost))
        if cost[cut] < best_cost:
            best_cost = cost[cut]
            best = (members[order[: cut + 1]], members[order[cut + 1 :]])
    return best


def _tree(boxes: FloatArray) -> tuple[FloatArray, IntArray]:
    """Build the bounding boxes and links of the tree over `boxes` (n, 6)."""
    node_box: list[FloatArray] = []
    node_link: list[list[int]] = []
    # Depth-first; None marks the end of the subtree of the node that is given with it.
    todo: list[tuple[IntArray | None, int]] = [(np.arange(len(boxes)), -1)]
    while todo:
        members, node = todo.pop()
        if members is None:
            node_link[node][0] = len(node_box)
            continue
        node = len(node_box)
        node_box.append(_hull(boxes[members]))
        node_link.append([node + 1, int(members[0]) if len(members) == 1 else -1])
        if len(members) > 1:
            first, second = _split(boxes, members)
            todo += [(None, node), (second, -1), (first, -1)]
    return np.array(node_box), np.array(node_link, np.int64)


def max_segments(geometry: GeometryArrays, external: External = NO_EXTERNAL) -> int:
    """Return the largest number of segments that any line can have."""
    # 2 k ends of k intervals make 2 k - 1 pieces at most. A line is monotone along the axis of
    # a stack, so it meets each inner face once, however many pieces of the stack it crosses.
    inner_faces = int((geometry.stack[:, 2] - 1).sum())
    return 2 * max_intervals(geometry, external) + inner_faces


def max_intervals(geometry: GeometryArrays, external: External = NO_EXTERNAL) -> int:
    """Return the largest number of intervals in single solids that any line can have."""
    kind = geometry.integer[:, kernels.KIND]
    count = int((kind == kernels.BOX).sum() + (kind == kernels.PRISM).sum())
    count += 2 * int((kind == kernels.SPHERE).sum())
    count += kernels.MAX_INTERVALS * int((kind == kernels.CYLINDER).sum())
    if external.offsets.shape[0] and external.offsets.shape[1] > 1:
        count += int(np.diff(external.offsets, axis=1).max(axis=1).sum())
    return count


def make_scratch(geometry: GeometryArrays, external: External = NO_EXTERNAL) -> Scratch:
    """Return buffers that no line can overflow; one set per thread."""
    segments, intervals = max_segments(geometry, external), max_intervals(geometry, external)
    return Scratch(
        np.empty(segments),
        np.empty(segments),
        np.empty(segments, np.int64),
        np.empty(segments, np.int64),
        np.empty(2 * intervals),
        np.empty(2 * intervals, np.int64),
        np.empty(intervals, np.int64),
        np.empty(2 * kernels.MAX_INTERVALS),
    )


def external_intervals(
    placed: Sequence[PlacedSolid], origins: FloatArray, directions: FloatArray
) -> External:
    """Ask the solids without kernel for their intervals on all lines of a batch.

    Parameters
    ----------
    placed
        The placed solids of the arrays, in the same order; those with a kernel are skipped.
    origins, directions
        (n, 3) each, in the detector frame; unit directions.

    Raises
    ------
    GeometryError
        If a solid returns something else than sorted, disjoint, finite intervals; the text
        names it.
    """
    outside = [item for item in placed if item.is_external]
    if not outside:
        return External(
            np.zeros((0, len(origins) + 1), np.int64), NO_EXTERNAL.t_in, NO_EXTERNAL.t_out
        )
    offsets, t_in, t_out, total = [], [], [], 0
    for item in outside:
        answer = item.solid.intervals(
            item.placement.to_local(origins), item.placement.directions_to_local(directions)
        )
        checked = checked_intervals(answer, len(origins), item.name)
        offsets.append(checked.offsets + total)
        t_in.append(checked.t_in)
        t_out.append(checked.t_out)
        total += len(checked.t_in)
    return External(np.stack(offsets), np.concatenate(t_in), np.concatenate(t_out))


def checked_intervals(answer: Any, n: int, name: str) -> Intervals:
    """Return the intervals that a user's solid gave for n lines, or say what is wrong."""
    prefix = f"{name!r}: its solid's intervals()"
    try:
        raw_offsets, raw_in, raw_out = answer
        offsets = np.ascontiguousarray(raw_offsets, dtype=np.int64)
        t_in = np.ascontiguousarray(raw_in, dtype=np.float64)
        t_out = np.ascontiguousarray(raw_out, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError(
            f"{prefix} must return Intervals(offsets, t_in, t_out); it returned "
            f"{type(answer).__name__}."
        ) from error
    if offsets.shape != (n + 1,) or t_in.ndim != 1 or t_in.shape != t_out.shape:
        raise GeometryError(
            f"{prefix} returned shapes {offsets.shape}, {t_in.shape}, {t_out.shape} for {n} "
            f"lines; expected ({n + 1},), (m,), (m,)."
        )
    if offsets[0] != 0 or offsets[-1] != len(t_in) or np.any(np.diff(offsets) < 0):
        raise GeometryError(f"{prefix} returned offsets that do not ascend from 0 to {len(t_in)}.")
    if not (np.all(np.isfinite(t_in)) and np.all(np.isfinite(t_out))):
        raise GeometryError(f"{prefix} returned NaN or infinite ends; a solid is bounded.")
    if np.any(t_in > t_out):
        worst = int(np.argmax(t_in > t_out))
        raise GeometryError(
            f"{prefix} returned an interval that ends before it begins: "
            f"{t_in[worst]!r} to {t_out[worst]!r}."
        )
    line = np.repeat(np.arange(n), np.diff(offsets))
    unsorted = (line[1:] == line[:-1]) & (t_in[1:] < t_out[:-1])
    if np.any(unsorted):
        worst = int(np.argmax(unsorted))
        raise GeometryError(
            f"{prefix} returned intervals of line {line[worst]} that overlap or are not sorted: "
            f"{t_out[worst]!r} is followed by {t_in[worst + 1]!r}."
        )
    return Intervals(offsets, t_in, t_out)
