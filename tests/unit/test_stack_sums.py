"""Lines through stacks: the sums over repeated patterns against those over single layers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siren_py.geometry import Box, LayerStack, Pattern
from siren_py.geometry.arrays import NO_EXTERNAL, PlacedSolid, geometry_arrays
from siren_py.geometry.layers import repeated_layers
from siren_py.geometry.placement import Placement
from siren_py.geometry.tracing import trace_line
from siren_py.injection.aimed import REACH, line_sums, place, region_on_line, sweep
from siren_py.injection.placement import densest_in_volumes, empty_placed, tracing_of
from siren_py.injection.surroundings import every_line
from siren_py.material_library import AIR, IRON, LEAD, SCINTILLATOR, WATER

MATERIALS = (AIR, LEAD, SCINTILLATOR, WATER, IRON)
AIR_DENSITY = 1e-3
DENSITY = np.array(
    [
        [AIR_DENSITY, 0.0, 4.0, 2.0, 0.0],
        [0.0, 3.0, 0.0, 0.0, 0.0],
        [0.0, 0.5, 0.0, 0.0, 7.0],
    ]
)


def random_pattern(rng, most):
    return Pattern(
        [
            (float(rng.uniform(0.05, 3.0)), MATERIALS[int(rng.integers(0, 4))])
            for _ in range(int(rng.integers(1, most)))
        ]
    )


def random_rotation(rng):
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def random_detector(rng):
    """A world, two stacks of which one displaces the other, and a block in one of them."""
    identity = np.eye(3)
    world = PlacedSolid("world", Box(300, 300, 300), Placement(np.zeros(3), identity), (0,))
    placed = [world]
    for k in range(2):
        repeat = int(rng.integers(1, 12))
        pattern = random_pattern(rng, 5) * repeat
        if rng.random() < 0.5:
            pattern = random_pattern(rng, 3) + pattern + random_pattern(rng, 3)
        axis = "xyz"[int(rng.integers(0, 3))]
        stack = LayerStack(80.0, 80.0, pattern, axis=axis)
        turned = random_rotation(rng) if rng.random() < 0.5 else identity
        at = Placement(rng.uniform(-20.0, 20.0, 3), turned)
        kinds = tuple(MATERIALS.index(m) for m in stack.materials)
        placed.append(PlacedSolid(f"stack{k}", stack.solid, at, kinds, stack))
    block = Placement(rng.uniform(-15.0, 15.0, 3), identity)
    placed.append(PlacedSolid("block", Box(9, 9, 9), block, (4,)))
    return placed


def random_region(rng):
    return [
        PlacedSolid(
            f"piece{k}", Box(*rng.uniform(3.0, 40.0, 3)),
            Placement(rng.uniform(-30.0, 30.0, 3), np.eye(3)), (k,),
        )
        for k in range(int(rng.integers(1, 4)))
    ]  # fmt: skip


def random_tracing(rng):
    geometry = geometry_arrays(random_detector(rng), np.ones(len(MATERIALS)))
    region = random_region(rng)
    region_arrays = geometry_arrays(region, np.zeros(len(region)))
    return tracing_of(geometry, NO_EXTERNAL, region_arrays, NO_EXTERNAL)


def by_layers(tracing, origin, direction, length, target):
    """Sub-pieces of a line (end, start, material, weight), and W, layer by layer."""
    pieces, _ = region_on_line(tracing, 0, origin, direction)
    if pieces == 0:
        return [], 0.0
    region = tracing.region_scratch
    n = trace_line(
        tracing.geometry, tracing.external, 0, *origin, *direction,
        region.t_in[0] - REACH * length, region.t_out[pieces - 1], tracing.scratch,
    )  # fmt: skip
    count, total = sweep(tracing, n, pieces, DENSITY[target], DENSITY[target].max(), length)
    b = tracing.buffers
    found = [
        (b.high[k], b.low[k], tracing.scratch.material[b.segment[k]], b.weight[k])
        for k in range(count)
    ]
    return found, total


def random_lines(rng, n):
    points = rng.uniform(-30.0, 30.0, (n, 3))
    ways = rng.normal(size=(n, 3))
    # Some lines run along an axis, in the layers or straight through them.
    along = rng.random(n) < 0.2
    ways[along] = np.eye(3)[rng.integers(0, 3, along.sum())]
    ways[along] *= rng.choice([-1.0, 1.0], (along.sum(), 1))
    return points, ways / np.linalg.norm(ways, axis=1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), log_length=st.one_of(st.none(), st.floats(-2.0, 9.0)))
def test_repeated_patterns_add_up_to_the_sum_over_layers(seed, log_length):
    rng = np.random.default_rng(seed)
    tracing = random_tracing(rng)
    length = 0.0 if log_length is None else 10.0**log_length
    points, ways = random_lines(rng, 20)
    target = rng.integers(0, len(DENSITY), 20)
    matter = np.zeros(20)
    in_volume = densest_in_volumes(tracing.geometry, 4, DENSITY)
    done = line_sums(
        tracing, DENSITY, in_volume, points, ways, np.full(20, length), target,
        every_line(20, 4), matter,
    )  # fmt: skip
    assert done == 20
    # Positions are known to 1e-14 of a hundred centimetres, survival to that over L.
    precision = 1e-12 + (1e-13 / length if length > 0.0 else 0.0)
    for i in range(20):
        _, total = by_layers(tracing, points[i], ways[i], length, target[i])
        assert matter[i] == pytest.approx(total, rel=precision, abs=0.0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), log_length=st.one_of(st.none(), st.floats(-0.5, 6.0)))
def test_layers_are_drawn_in_proportion_to_their_weight(seed, log_length):
    rng = np.random.default_rng(seed)
    tracing = random_tracing(rng)
    length = 0.0 if log_length is None else 10.0**log_length
    point, way = (a[0] for a in random_lines(rng, 1))
    target = int(rng.integers(0, len(DENSITY)))
    found, total = by_layers(tracing, point, way, length, target)
    if total == 0.0:
        return
    n = 2000
    uniform = rng.random((n, 3))
    # The first number chooses the layer: spread evenly, each layer gets its share to one event.
    uniform[:, 0] = (np.arange(n) + 0.5) / n
    out, chords = empty_placed(n), np.empty(n)
    place(
        tracing, DENSITY, densest_in_volumes(tracing.geometry, 4, DENSITY),
        np.tile(point, (n, 1)), np.tile(way, (n, 1)), np.full(n, length),
        np.full(n, target), every_line(n, 4), uniform, out, chords,
    )  # fmt: skip
    np.testing.assert_allclose(out.matter, total, rtol=1e-11)
    t = (out.vertex - point) @ way
    counted = 0
    for high, low, material, weight in found:
        inside = (t > low) & (t <= high)
        counted += inside.sum()
        assert abs(inside.sum() - n * weight / total) <= 3.0
        assert (out.material[inside] == material).all()
    assert counted >= n - 2


def test_the_longest_repetition_is_found():
    def run(widths, kinds):
        return repeated_layers(np.concatenate([[0.0], np.cumsum(widths)]), kinds)

    assert run([1.0, 2.0] * 5, [0, 1] * 5) == (0, 2, 5)
    assert run([1.0, 2.0] * 2, [0, 1] * 2) == (0, 0, 0)
    assert run([9.0] + [1.0, 2.0, 3.0] * 4 + [9.0], [3] + [0, 1, 0] * 4 + [3]) == (1, 3, 4)
    # Equal materials with other thicknesses repeat nothing.
    assert run([1.0, 2.0, 1.1, 2.2, 1.3, 2.3, 1.4, 2.5], [0, 1] * 4) == (0, 0, 0)
    assert run([1.0], [0]) == (0, 0, 0)


def test_a_thousand_plates_cost_no_precision():
    pattern = Pattern([(0.1, LEAD), (0.2, SCINTILLATOR), (0.05, AIR)])
    stack = LayerStack(50.0, 50.0, pattern, repeat=1000)
    kinds = tuple(MATERIALS.index(m) for m in stack.materials)
    at = Placement(np.zeros(3), np.eye(3))
    geometry = geometry_arrays([PlacedSolid("s", stack.solid, at, kinds, stack)], np.ones(5))
    region = [
        PlacedSolid("r", Box(50, 50, 5), Placement(np.array([0.0, 0.0, 190.0]), np.eye(3)), (0,))
    ]
    tracing = tracing_of(geometry, NO_EXTERNAL, geometry_arrays(region, np.zeros(1)), NO_EXTERNAL)
    way = np.array([0.01, 0.02, 1.0])
    way /= np.linalg.norm(way)
    for length in (5.0, 100.0, 1e7):
        matter = np.zeros(1)
        in_volume = densest_in_volumes(geometry, 1, DENSITY)
        lines = (np.zeros((1, 3)), way[None, :], np.full(1, length), np.zeros(1, np.int64))
        line_sums(tracing, DENSITY, in_volume, *lines, every_line(1, 1), matter)
        _, total = by_layers(tracing, np.zeros(3), way, length, 0)
        assert matter[0] == pytest.approx(total, rel=2e-12)
