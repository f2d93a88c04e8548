"""The tree of bounding boxes in the form in which lines walk it.

A line is tested against the boxes of all parts of a node at once, in a loop without branches that
the compiler turns into vector instructions. Nodes of the binary tree (`tree`) are therefore merged
wherever testing a few boxes more costs less than visiting one more node. The parts of a node that
are met are visited from the near to the far end, so that their ends come in order, or almost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from siren_py._typing import FloatArray, IntArray, SlotArray
from siren_py.geometry import kernels
from siren_py.geometry.tree import areas

# Parts are padded with boxes that no line meets to whole vectors of so many.
_VECTOR = 4

# What a visit of a node costs, in tests of one box.
_VISIT = 9.0

# Lines meet the halves of a node with no smaller chance than this.
_AIMED = 0.5

# Far away: no line meets a box that begins there and ends at minus this.
_NOWHERE = 1e100


class LineTree(NamedTuple):
    """The tree for lines; numba takes the tuple as it is.

    Attributes
    ----------
    node
        (nodes, 2): first slot of the parts of a node, and their number with padding.
    box
        (12, slots): lo x, y, z, hi x, y, z [cm] of each part, first those that can stand for the
        solid itself where it is a box along the axes, then those that only reject.
    part
        (slots, 2): row of a solid, or -1 - node; and whether the box is the solid itself.
    order
        (6, slots): the parts of each node from the far to the near end, for lines along x up,
        x down, y up and so on.
    """

    node: SlotArray
    box: FloatArray
    part: IntArray
    order: SlotArray


def _parts(node_box: FloatArray, node_link: IntArray) -> dict[int, list[int]]:
    """Return the nodes of the binary tree that are kept, with their parts (nodes, or leaves)."""
    area = areas(node_box)
    kept: dict[int, list[int]] = {}
    # A node comes before its two halves.
    for node in range(len(node_box) - 1, -1, -1):
        if node_link[node, 1] >= 0:
            continue
        parts: list[int] = []
        for half in (node + 1, int(node_link[node + 1, 0])):
            own = kept.get(half, [half])
            # Random lines that meet the node meet the half with a chance of the ratio of areas;
            # those that are asked for are aimed.
            chance = max(float(area[half] / area[node]), _AIMED)
            if half in kept and len(own) - 1 < chance * (_VISIT + len(own)):
                parts += kept.pop(half)
            else:
                parts.append(half)
        kept[node] = parts
    return kept or {0: [0]}


def line_tree(
    node_box: FloatArray, node_link: IntArray, real: FloatArray, integer: IntArray
) -> LineTree:
    """Return the tree for lines over the binary tree of `tree.box_tree`.

    `real` and `integer` are the rows of the solids, see `kernels`.
    """
    kept = _parts(node_box, node_link)
    number = {node: i for i, node in enumerate(sorted(kept))}
    nodes: list[tuple[int, int]] = []
    boxes: list[FloatArray] = []
    links: list[IntArray] = []
    orders: list[SlotArray] = []
    first = 0
    for own in sorted(kept):
        parts = np.array(kept[own])
        padded = -(-len(parts) // _VECTOR) * _VECTOR
        row = node_link[parts, 1]
        solid = np.maximum(row, 0)
        plain = (row >= 0) & (integer[solid, kernels.KIND] == kernels.BOX)
        plain &= integer[solid, kernels.ROTATED] == 0
        box = np.full((12, padded), _NOWHERE)
        box[3:6] = box[9:] = -_NOWHERE
        box[6:, : len(parts)] = box[:6, : len(parts)] = node_box[parts].T
        middle = real[row[plain], kernels.POSITION : kernels.POSITION + 3]
        half = real[row[plain], :3]
        box[:6, : len(parts)][:, plain] = np.concatenate([middle - half, middle + half], axis=1).T
        link = np.zeros((padded, 2), np.int64)
        link[: len(parts), 0] = [
            row if row >= 0 else -1 - number[int(part)]
            for part, row in zip(parts, row, strict=True)
        ]
        link[: len(parts), 1] = plain
        ends = box[:6, : len(parts)]
        order = np.zeros((6, padded), np.uint64)
        for axis in range(3):
            order[2 * axis] = _far_to_near(ends[axis], padded)
            order[2 * axis + 1] = _far_to_near(-ends[axis + 3], padded)
        nodes.append((first, padded))
        boxes.append(box)
        links.append(link)
        orders.append(order + np.uint64(first))
        first += padded
    return LineTree(
        np.array(nodes, np.uint64),
        np.concatenate(boxes, axis=1),
        np.concatenate(links),
        np.concatenate(orders, axis=1),
    )


def _far_to_near(begin: FloatArray, padded: int) -> IntArray:
    """Return the order of parts that begin at `begin`, the last one first; then the padding."""
    return np.concatenate([np.argsort(-begin, kind="stable"), np.arange(len(begin), padded)])
