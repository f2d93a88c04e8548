"""The tree that lines walk: it holds every solid once, whatever is merged."""

from __future__ import annotations

import numpy as np
import pytest

from siren_py.geometry import Box, Cylinder
from siren_py.geometry.arrays import PlacedSolid, geometry_arrays
from siren_py.geometry.placement import Placement


@pytest.mark.parametrize("n", [1, 2, 3, 5, 200])
def test_every_solid_is_a_part_of_one_node_that_holds_it(n):
    rng = np.random.default_rng(n)
    placed = [
        PlacedSolid(
            f"v{i}",
            Box(*rng.uniform(0.1, 3.0, 3)) if i % 3 else Cylinder(1.0, 2.0),
            Placement(rng.uniform(-20.0, 20.0, 3), np.eye(3)),
            (0,),
        )
        for i in range(n)
    ]
    tree = geometry_arrays(placed).lines
    rows: list[int] = []

    def visit(node, low, high):
        first, count = (int(number) for number in tree.node[node])
        assert count % 4 == 0
        for order in tree.order[:, first : first + count]:
            assert sorted(order.tolist()) == list(range(first, first + count))
        for slot in range(first, first + count):
            box = tree.box[:, slot]
            if box[0] > box[3]:
                continue  # fills up the vector
            assert (box[6:9] >= low).all()
            assert (box[9:] <= high).all()
            part = int(tree.part[slot, 0])
            if part < 0:
                visit(-1 - part, box[6:9], box[9:])
                continue
            rows.append(part)
            lo, hi = placed[part].box()
            assert bool(tree.part[slot, 1]) == bool(part % 3)
            if part % 3:
                np.testing.assert_allclose(box[:6], [*lo, *hi], rtol=1e-14)
            assert (box[:3] <= lo + 1e-12).all()
            assert (box[3:6] >= hi - 1e-12).all()

    visit(0, np.full(3, -np.inf), np.full(3, np.inf))
    assert sorted(rows) == list(range(n))
