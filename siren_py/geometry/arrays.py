"""Placed solids as flat arrays for the kernels, with a tree of bounding boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from siren_py._typing import BoolArray, FloatArray, IntArray, SlotArray
from siren_py.errors import GeometryError
from siren_py.geometry import kernels
from siren_py.geometry.base import Intervals, KernelSolid, Solid, kernel_row, steps_of
from siren_py.geometry.layers import LayerStack, repeated_layers
from siren_py.geometry.line_tree import LineTree, line_tree
from siren_py.geometry.placement import Placement
from siren_py.geometry.tree import box_tree

# Bounding boxes only reject: they are a little larger, so that rounding never loses a solid.
_PAD_RELATIVE = 1e-9
_PAD_ABSOLUTE = 1e-7
# Operands that a compound may have waiting: one bit each where points are looked up.
_DEEPEST = 60


class GeometryArrays(NamedTuple):
    """Placed solids as arrays; numba takes the tuple as it is.

    Attributes
    ----------
    node_box
        (nodes, 6) bounding boxes: lo x, y, z, hi x, y, z [cm].
    node_link
        (nodes, 2): node to go on with when the box is missed; volume of a leaf, or -1.
    lines
        The same tree in the form in which lines walk it.
    real
        (rows, 20): parameters, position, matrix; see `kernels`. The first rows are the volumes;
        the leaves of compound solids follow.
    integer
        (rows, 9): kind, whether rotated, material (-1 for a stack or a leaf), stack or -1,
        index among the external solids or -1, first entry and number of entries in `data` or
        `program`, largest number of intervals of a line, floats that the kernel works in.
    stack
        (stacks, 6): first entry in `layer_edge`, first entry in `layer_material`, number of
        layers; and of the layers that repeat a pattern the first one, how many the pattern has,
        and how often it comes (0, 0, 0 if none is repeated).
    stack_axis
        (stacks, 4): direction of the axis in the detector frame, and its coordinate at the
        origin of that frame: the local coordinate of x is axis . x + offset.
    layer_edge, layer_material
        Faces [cm] and material indices of the layers of all stacks, one after the other.
    layer_depth
        (edges, 2) [g/cm2]: thickness times density summed from the beginning of the stack to a
        face, as the sum of a number and its rounding error: differences keep all digits.
    density
        (materials,) [g/cm3].
    data
        Sections, faces, edges and triangles of the solids that have more than eight numbers.
    program
        (steps, 2) of the compound solids: operation; row of a leaf, or steps to skip.
    """

    node_box: FloatArray
    node_link: IntArray
    lines: LineTree
    real: FloatArray
    integer: IntArray
    stack: IntArray
    stack_axis: FloatArray
    layer_edge: FloatArray
    layer_material: IntArray
    layer_depth: FloatArray
    density: FloatArray
    data: FloatArray
    program: IntArray


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
    enter_t, leave_t, enter_row, open_t, open_row, near, far, todo, pieces
        Internal: intervals in solids, what the line is in, parts of the tree and which to visit.
    visible_in, visible_out, visible_row
        Pieces of the line in one volume each, before stacks are cut into their layers.
    """

    t_in: FloatArray
    t_out: FloatArray
    volume: IntArray
    material: IntArray
    enter_t: FloatArray
    leave_t: FloatArray
    enter_row: IntArray
    open_t: FloatArray
    open_row: IntArray
    near: FloatArray
    far: FloatArray
    todo: SlotArray
    visible_in: FloatArray
    visible_out: FloatArray
    visible_row: IntArray
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
        """Whether its solid, or a part of it, has no kernel."""
        return bool(_external_parts(self))


NO_EXTERNAL = External(np.zeros((0, 1), np.int64), np.zeros(0), np.zeros(0))


def geometry_arrays(
    placed: Sequence[PlacedSolid], density: FloatArray | None = None
) -> GeometryArrays:
    """Turn placed solids, in the order in which later ones displace earlier ones, into arrays.

    Without `density` [g/cm3], one per material index, nothing has a density.

    Raises
    ------
    GeometryError
        If there are no solids, or the bounds of one are not finite.
    """
    if not placed:
        raise GeometryError("There are no solids: add at least one.")
    if density is None:
        density = np.zeros(1 + max((max(item.materials, default=0) for item in placed), default=0))
    table = _Rows(len(placed))
    boxes = np.empty((len(placed), 6))
    stacks: list[tuple[int, ...]] = []
    axes: list[FloatArray] = []
    edges = [np.zeros(0)]
    depths = [np.zeros((0, 2))]
    layer_materials: list[int] = []
    edge_count = 0
    for i, item in enumerate(placed):
        table.add(i, item)
        lo, hi = item.box()
        if not (np.all(np.isfinite(lo)) and np.all(np.isfinite(hi)) and np.all(lo < hi)):
            raise GeometryError(
                f"{item.name!r}: the bounds of its solid are not a finite box: {lo} to {hi}."
            )
        pad = _PAD_RELATIVE * np.maximum(np.abs(lo), np.abs(hi)).max() + _PAD_ABSOLUTE
        boxes[i] = *(lo - pad), *(hi + pad)
        if item.stack is None:
            table.integer[i][kernels.MATERIAL] = item.materials[0]
            continue
        table.integer[i][kernels.STACK] = len(stacks)
        repetition = repeated_layers(item.stack.edges, item.materials)
        stacks.append((edge_count, len(layer_materials), len(item.materials), *repetition))
        axis = item.placement.matrix[:, "xyz".index(item.stack.axis)]
        axes.append(np.append(axis, -float(axis @ item.placement.position)))
        edges.append(item.stack.edges)
        depths.append(_depths_to_faces(item.stack.edges, density[list(item.materials)]))
        edge_count += len(item.stack.edges)
        layer_materials.extend(item.materials)
    node_box, node_link = box_tree(boxes)
    real, integer = np.array(table.real), np.array(table.integer, np.int64)
    return GeometryArrays(
        node_box=node_box,
        node_link=node_link,
        lines=line_tree(node_box, node_link, real, integer),
        real=real,
        integer=integer,
        stack=np.array(stacks, np.int64).reshape(-1, 6),
        stack_axis=np.array(axes, np.float64).reshape(-1, 4),
        layer_edge=np.concatenate(edges),
        layer_material=np.array(layer_materials, np.int64),
        layer_depth=np.concatenate(depths),
        density=np.ascontiguousarray(density, dtype=np.float64),
        data=np.concatenate(table.data),
        program=np.array(table.program, np.int64).reshape(-1, 2),
    )


def _depths_to_faces(edges: FloatArray, density: FloatArray) -> FloatArray:
    """Return the depth from the first of the faces to each, as sums of two numbers (n, 2)."""
    sums = np.zeros((len(edges), 2))
    total = error = 0.0
    for i, amount in enumerate((np.diff(edges) * density).tolist()):
        # Knuth, The Art of Computer Programming 2, 4.2.2, theorem B: the sum and its error.
        longer = total + amount
        part = longer - total
        error += (total - (longer - part)) + (amount - part)
        total = longer
        sums[i + 1] = total, error
    return sums


class _Rows:
    """The tables of rows while they are being filled: volumes first, then leaves of compounds."""

    def __init__(self, volumes: int) -> None:
        self.real = [np.zeros(kernels.REAL_COLUMNS) for _ in range(volumes)]
        self.integer = [[-1] * kernels.INTEGER_COLUMNS for _ in range(volumes)]
        self.data = [np.zeros(0)]
        self.program: list[tuple[int, int]] = []
        self._data_size = 0
        self._external_count = 0

    def add(self, row: int, item: PlacedSolid) -> None:
        """Fill the row of a volume."""
        steps = steps_of(item.solid, item.placement)
        if len(steps) == 1:
            self._leaf(row, item.name, steps[0].solid, steps[0].placement)
            return
        first = len(self.program)
        depth = deepest = pieces = leaves = largest = 0
        for step in steps:
            if step.operation == kernels.LEAF:
                leaf = len(self.real)
                self.real.append(np.zeros(kernels.REAL_COLUMNS))
                self.integer.append([-1] * kernels.INTEGER_COLUMNS)
                self._leaf(leaf, item.name, step.solid, step.placement)
                pieces += self.integer[leaf][kernels.PIECES]
                largest = max(largest, self.integer[leaf][kernels.BUFFER])
                leaves += 1
                depth += 1
                deepest = max(deepest, depth)
                self.program.append((kernels.LEAF, leaf))
            else:
                depth -= step.operation != kernels.SKIP
                self.program.append((step.operation, step.skip))
        if deepest > _DEEPEST:
            raise GeometryError(
                f"{item.name!r}: its booleans are nested {deepest} deep on the right, more than "
                f"{_DEEPEST}: write A - (B + C + ...) as A - B - C - ..., or build unions from "
                "the left."
            )
        integer = self.integer[row]
        integer[kernels.KIND] = kernels.COMPOUND
        integer[kernels.FIRST] = first
        integer[kernels.COUNT] = len(steps)
        integer[kernels.PIECES] = pieces
        # Two generations of lists, one length each, and the work of the last leaf.
        integer[kernels.BUFFER] = 4 * pieces + leaves + largest + 2

    def _leaf(self, row: int, name: str, solid: Solid | None, placement: Any) -> None:
        integer = self.integer[row]
        if not isinstance(solid, KernelSolid):
            integer[kernels.KIND] = kernels.EXTERNAL
            integer[kernels.EXTERNAL_INDEX] = self._external_count
            # How many intervals it has is only known with the lines.
            integer[kernels.PIECES] = integer[kernels.BUFFER] = 0
            self._external_count += 1
            return
        form = solid.kernel_form()
        self.real[row] = kernel_row(form, placement)
        turned = form.axes != (0, 1, 2) or form.scale != (1.0, 1.0, 1.0) or placement.is_rotated
        integer[kernels.KIND] = form.kind
        integer[kernels.ROTATED] = int(turned)
        integer[kernels.FIRST] = self._data_size
        integer[kernels.COUNT] = form.number
        integer[kernels.PIECES] = form.pieces
        integer[kernels.BUFFER] = max(form.buffer, 2 * form.pieces)
        if form.data is not None:
            self.data.append(np.ascontiguousarray(form.data, dtype=np.float64).ravel())
            self._data_size += self.data[-1].size


def _external_parts(item: PlacedSolid) -> list[PlacedSolid]:
    """Return the solids without kernel that a placed solid consists of, in the order of rows."""
    if not isinstance(item.solid, KernelSolid):
        return [item]
    if not item.solid.has_external_part:
        return []
    return [
        PlacedSolid(item.name, step.solid, step.placement, (0,))
        for step in steps_of(item.solid, item.placement)
        if step.solid is not None
        and step.placement is not None
        and not isinstance(step.solid, KernelSolid)
    ]


def external_solids(placed: Sequence[PlacedSolid]) -> list[PlacedSolid]:
    """Return the solids without kernel in placed solids and in compounds among them, in order."""
    return [part for item in placed for part in _external_parts(item)]


def external_inside(placed: Sequence[PlacedSolid], points: FloatArray) -> BoolArray:
    """Return which points (n, 3) are in the solids without kernel, (solids, n).

    Raises
    ------
    GeometryError
        If contains() of a user's solid returns another shape; the text names it.
    """
    outside = external_solids(placed)
    if not outside:
        return np.zeros((0, len(points)), np.bool_)
    return np.stack([contained(item, points) for item in outside])


def contained(placed: PlacedSolid, points: FloatArray) -> BoolArray:
    """Return whether points (n, 3) of the detector frame are in a placed solid, (n,)."""
    local = placed.placement.to_local(points)
    inside = np.asarray(placed.solid.contains(local))
    if inside.shape != (len(points),):
        raise GeometryError(
            f"{placed.name!r}: its solid's contains() returned shape {inside.shape} for "
            f"{len(points)} points; expected ({len(points)},)."
        )
    return inside.astype(np.bool_)


def max_segments(geometry: GeometryArrays, external: External = NO_EXTERNAL) -> int:
    """Return the largest number of segments that any line can have."""
    # 2 k ends of k intervals make 2 k - 1 pieces at most. A line is monotone along the axis of
    # a stack, so it meets each inner face once, however many pieces of the stack it crosses.
    inner_faces = int((geometry.stack[:, 2] - 1).sum())
    return 2 * max_intervals(geometry, external) + inner_faces


def max_intervals(geometry: GeometryArrays, external: External = NO_EXTERNAL) -> int:
    """Return the largest number of intervals in single solids that any line can have."""
    return int(_pieces(geometry, external)[: _volume_count(geometry)].sum())


def _volume_count(geometry: GeometryArrays) -> int:
    return int(geometry.node_link[:, 1].max()) + 1


def _pieces(geometry: GeometryArrays, external: External) -> IntArray:
    """Largest number of intervals of a line in each row, with the external solids in it."""
    pieces = geometry.integer[:, kernels.PIECES].copy()
    if external.offsets.shape[0] == 0 or external.offsets.shape[1] < 2:
        return pieces
    most = np.diff(external.offsets, axis=1).max(axis=1)
    outside = geometry.integer[:, kernels.KIND] == kernels.EXTERNAL
    pieces[outside] = most[geometry.integer[outside, kernels.EXTERNAL_INDEX]]
    for row in np.flatnonzero(geometry.integer[:, kernels.KIND] == kernels.COMPOUND):
        first, count = geometry.integer[row, kernels.FIRST], geometry.integer[row, kernels.COUNT]
        steps = geometry.program[first : first + count]
        pieces[row] = pieces[steps[steps[:, 0] == kernels.LEAF, 1]].sum()
    return pieces


def pieces_buffer(geometry: GeometryArrays, external: External = NO_EXTERNAL) -> int:
    """Return how many floats `row_intervals` may write for any row."""
    extra = _pieces(geometry, external) - geometry.integer[:, kernels.PIECES]
    return int((geometry.integer[:, kernels.BUFFER] + 4 * extra).max()) + 2


def make_scratch(geometry: GeometryArrays, external: External = NO_EXTERNAL) -> Scratch:
    """Return buffers that no line can overflow; one set per thread."""
    segments, intervals = max_segments(geometry, external), max_intervals(geometry, external)
    slots = len(geometry.lines.part)
    return Scratch(
        np.empty(segments),
        np.empty(segments),
        np.empty(segments, np.int64),
        np.empty(segments, np.int64),
        np.empty(intervals),
        np.empty(intervals),
        np.empty(intervals, np.int64),
        np.empty(intervals),
        np.empty(intervals, np.int64),
        np.empty(slots),
        np.empty(slots),
        np.empty(slots + 1, np.uint64),
        np.empty(2 * intervals),
        np.empty(2 * intervals),
        np.empty(2 * intervals, np.int64),
        np.empty(pieces_buffer(geometry, external)),
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
    outside = external_solids(placed)
    if not outside:
        return External(
            np.zeros((0, len(origins) + 1), np.int64), NO_EXTERNAL.t_in, NO_EXTERNAL.t_out
        )
    offsets, t_in, t_out, total = [], [], [], 0
    for item in outside:
        near = _lines_near(item, origins, directions)
        answer = item.solid.intervals(
            item.placement.to_local(origins[near]),
            item.placement.directions_to_local(directions[near]),
        )
        checked = checked_intervals(answer, len(near), item.name)
        counts = np.zeros(len(origins) + 1, np.int64)
        counts[near + 1] = np.diff(checked.offsets)
        offsets.append(np.cumsum(counts) + total)
        t_in.append(checked.t_in)
        t_out.append(checked.t_out)
        total += len(checked.t_in)
    return External(np.stack(offsets), np.concatenate(t_in), np.concatenate(t_out))


def _lines_near(item: PlacedSolid, origins: FloatArray, directions: FloatArray) -> IntArray:
    """Return the indices of the lines that meet the sphere around the box of a solid."""
    lo, hi = item.box()
    offset = origins - 0.5 * (lo + hi)
    along = np.einsum("ij,ij->i", offset, directions)
    across = offset - along[:, None] * directions
    radius = 0.5 * float(np.linalg.norm(hi - lo)) * (1.0 + _PAD_RELATIVE) + _PAD_ABSOLUTE
    # What rounding does to the distance of a line that starts far away.
    slack = 1e-14 * np.abs(offset).max(axis=1, initial=0.0)
    return np.flatnonzero(np.einsum("ij,ij->i", across, across) <= (radius + slack) ** 2)


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
