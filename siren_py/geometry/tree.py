"""The tree of bounding boxes of placed solids.

It is stored in depth-first order; each node knows where to go on when it is missed, so that points
are looked up with neither recursion nor a stack. A node that is cut in two halves also knows along
which axis they follow each other: lines visit the nearer one first.
"""

from __future__ import annotations

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.geometry import kernels

# In the second column of the links of an inner node: how its two parts are ordered. What is cut
# along x, y, z has ALONG_X, ALONG_X - 1, ALONG_X - 2, and the lower part comes first.
NO_ORDER = -1
ALONG_X = -2

# A volume with more than this part of the area of its node stands alone in the tree.
_LARGE_PART = 0.5


def _area(boxes: FloatArray) -> FloatArray:
    """Half the surface of boxes (..., 6): what random lines meet is proportional to it."""
    d = boxes[..., 3:] - boxes[..., :3]
    area: FloatArray = d[..., 0] * d[..., 1] + d[..., 1] * d[..., 2] + d[..., 2] * d[..., 0]
    return area


def _hull(boxes: FloatArray) -> FloatArray:
    return np.concatenate([boxes[:, :3].min(axis=0), boxes[:, 3:].max(axis=0)])


def _split(boxes: FloatArray, members: IntArray) -> tuple[IntArray, IntArray, int]:
    """Cut the members of a node in two by the surface-area heuristic; say how they are ordered."""
    if len(members) == 2:
        return members[:1], members[1:], NO_ORDER
    own = boxes[members]
    areas = _area(own)
    large = areas > _LARGE_PART * _area(_hull(own))
    if large.any():
        # One that fills its node (rock, hall) would only blow up whichever half it is put in.
        first = int(np.argmax(large))
        return members[first : first + 1], np.delete(members, first), NO_ORDER
    best_cost, best = np.inf, (members[:1], members[1:], NO_ORDER)
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
            best = (members[order[: cut + 1]], members[order[cut + 1 :]], ALONG_X - axis)
    return best


def box_tree(boxes: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the boxes (nodes, 6) and links (nodes, 2) of the tree over `boxes` (n, 6).

    The links of a node: where to go on if it is missed; index of the box of a leaf, or how the
    two parts are ordered.
    """
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
        node_link.append([node + 1, int(members[0])])
        if len(members) > 1:
            first, second, node_link[node][1] = _split(boxes, members)
            todo += [(None, node), (second, -1), (first, -1)]
    return np.array(node_box), np.array(node_link, np.int64)


def line_boxes(
    node_box: FloatArray, node_link: IntArray, real: FloatArray, integer: IntArray
) -> FloatArray:
    """Return the boxes of the nodes, those of leaves that are boxes along the axes exact.

    `real` and `integer` are the rows of the solids, see `kernels`.
    """
    boxes = node_box.copy()
    row = node_link[:, 1]
    solid = np.maximum(row, 0)
    plain = (row >= 0) & (integer[solid, kernels.KIND] == kernels.BOX)
    plain &= integer[solid, kernels.ROTATED] == 0
    middle = real[row[plain], kernels.POSITION : kernels.POSITION + 3]
    half = real[row[plain], :3]
    boxes[plain] = np.concatenate([middle - half, middle + half], axis=1)
    return boxes
