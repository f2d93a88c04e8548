"""The tree of bounding boxes of placed solids.

It is stored in depth-first order; each node knows where to go on when it is missed, so that points
are looked up with neither recursion nor a stack. Lines walk it in another form, see `line_tree`.
"""

from __future__ import annotations

import numpy as np

from siren_py._typing import FloatArray, IntArray

# A volume with more than this part of the area of its node stands alone in the tree.
_LARGE_PART = 0.5


def areas(boxes: FloatArray) -> FloatArray:
    """Half the surface of boxes (..., 6): what random lines meet is proportional to it."""
    d = boxes[..., 3:] - boxes[..., :3]
    area: FloatArray = d[..., 0] * d[..., 1] + d[..., 1] * d[..., 2] + d[..., 2] * d[..., 0]
    return area


def _hull(boxes: FloatArray) -> FloatArray:
    return np.concatenate([boxes[:, :3].min(axis=0), boxes[:, 3:].max(axis=0)])


def _split(boxes: FloatArray, members: IntArray) -> tuple[IntArray, IntArray]:
    """Cut the members of a node in two by the surface-area heuristic."""
    if len(members) == 2:
        return members[:1], members[1:]
    own = boxes[members]
    large = areas(own) > _LARGE_PART * areas(_hull(own))
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
        cost = areas(left[:-1]) * number + areas(right[1:]) * number[::-1]
        cut = int(np.argmin(cost))
        if cost[cut] < best_cost:
            best_cost = cost[cut]
            best = (members[order[: cut + 1]], members[order[cut + 1 :]])
    return best


def box_tree(boxes: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the boxes (nodes, 6) and links (nodes, 2) of the tree over `boxes` (n, 6).

    The links of a node: where to go on if it is missed; index of the box of a leaf, or -1.
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
        node_link.append([node + 1, -1 if len(members) > 1 else int(members[0])])
        if len(members) > 1:
            first, second = _split(boxes, members)
            todo += [(None, node), (second, -1), (first, -1)]
    return np.array(node_box), np.array(node_link, np.int64)
