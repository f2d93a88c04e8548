"""Batches of lines: closed depths of stacks, and threads that change nothing."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import siren_py as sp
from siren_py.detector import DetectorModel
from siren_py.errors import ConfigError
from siren_py.geometry import Box, Intervals, LayerStack, Sphere
from siren_py.materials import Material
from siren_py.parallel import default_workers, map_in_order

DENSITIES = [11.35, 1.0, 1.2e-3, 7.9, 2.7, 0.178e-3]
MATERIALS = [Material(f"m{i}", {"Fe": 1.0}, density=rho) for i, rho in enumerate(DENSITIES)]
EPSILON = float(np.finfo(float).eps)


class Ball:
    """A user's solid in plain Python, which the kernels do not know."""

    def intervals(self, origins, directions):
        b = np.sum(origins * directions, axis=1)
        discriminant = b * b - np.sum(origins**2, axis=1) + 9.0
        hit = discriminant > 0.0
        root = np.sqrt(discriminant[hit])
        offsets = np.concatenate([[0], np.cumsum(hit)])
        return Intervals(offsets, -b[hit] - root, -b[hit] + root)

    def contains(self, points):
        return np.sum(points**2, axis=1) < 9.0

    def volume(self):
        return 36.0 * math.pi

    def bounds(self):
        return np.full(3, -3.0), np.full(3, 3.0)

    def sample(self, n, rng=None):
        return Sphere(3.0).sample(n, rng)


def stacks(seed, plain):
    """Stacks of many layers, some rotated; others stand in them unless `plain`."""
    rng = np.random.default_rng(seed)
    detector = DetectorModel("stacks")
    for i in range(1 if plain else 4):
        layers = [
            (10.0 ** rng.uniform(-2.0, 0.5), MATERIALS[rng.integers(len(MATERIALS))])
            for _ in range(rng.integers(1, 80))
        ]
        stack = LayerStack(*rng.uniform(5.0, 40.0, 2), layers, axis="xyz"[rng.integers(3)])
        rotation = Rotation.random(None, rng) if rng.integers(2) else None
        detector.add_stack(f"s{i}", stack, at=rng.uniform(-10.0, 10.0, 3), rotation=rotation)
        if not plain:
            detector.add(f"b{i}", Box(8, 3, 20), MATERIALS[i], at=rng.uniform(-10.0, 10.0, 3))
    return detector


def pairs(seed, n):
    """Points in and around the stacks, some pairs along an axis."""
    rng = np.random.default_rng(seed)
    starts, ends = rng.uniform(-40.0, 40.0, (2, n, 3))
    along = rng.integers(0, 3, n // 2)
    for axis in range(3):
        others = [k for k in range(3) if k != axis]
        rows = np.flatnonzero(along == axis)[:, None]
        ends[rows, others] = starts[rows, others]
    return starts, ends


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_depths_are_the_sums_over_the_segments(seed, plain):
    detector = stacks(seed, plain)
    starts, ends = pairs(seed, 60)
    step = ends - starts
    length = np.sqrt(np.sum(step**2, axis=1))
    ways = step / length[:, None]
    segments = detector.trace(starts, ways, 0.0, length)
    amount = segments.density * segments.length
    depth, back = detector.column_depth(starts, ends), detector.column_depth(ends, starts)
    slopes = []
    for volume in detector:
        if volume.stack is not None:
            slope = np.abs(ways @ volume.placement.matrix[:, "xyz".index(volume.stack.axis)])
            slopes.append(np.where(slope > 0.0, slope, 1.0))
    # Faces along a line are known to the rounding of 100 cm over the slope.
    rounding = 4.0 * EPSILON * 100.0 / np.min(slopes, axis=0) * max(DENSITIES)
    for i in range(len(starts)):
        own = slice(segments.offsets[i], segments.offsets[i + 1])
        expected = math.fsum(amount[own])
        slack = rounding[i] * (own.stop - own.start)
        assert depth[i] == pytest.approx(expected, rel=1e-12, abs=slack)
        assert back[i] == pytest.approx(expected, rel=1e-12, abs=slack)


def test_light_layers_behind_heavy_ones_keep_their_digits():
    heavy = [(1.0, MATERIALS[0]), (0.1, MATERIALS[1])] * 500
    light = [(0.003, MATERIALS[2]), (0.005, MATERIALS[5])] * 40
    detector = DetectorModel("cellar")
    detector.add_stack("stack", LayerStack(10, 10, heavy + light), at=(0, 0, 0))
    end = detector.volume("stack").stack.edges[-1]
    depth = detector.column_depth([[0, 0, end - 0.1600]], [[0, 0, end + 1.0]])[0]
    assert depth == pytest.approx(20 * (0.003 * 1.2e-3 + 0.005 * 0.178e-3), rel=2e-11)
    # The position 550 cm from the origin of the stack is known to 1e-13 cm of 0.16 cm; the sums
    # alone, without their rounding errors, would be wrong by 1e-12 of 5800 g/cm2.


@pytest.mark.parametrize("start", [3e-10, 8e-10, 2e-9])
@pytest.mark.parametrize("stop", [3e-10, 8e-10, 2e-9])
def test_slivers_at_the_ends_belong_to_their_neighbours(start, stop):
    detector = DetectorModel("plates")
    layers = [(1.0, MATERIALS[0]), (1e-3, MATERIALS[2]), (1.0, MATERIALS[0])]
    detector.add_stack("stack", LayerStack(10, 10, layers))
    a, b = -0.5e-3 - start, 0.5e-3 + stop
    for first, last in ((a, b), (b, a)):
        way = np.sign(last - first)
        segments = detector.trace([0, 0, first], [0, 0, way], 0.0, b - a)
        depth = detector.column_depth([[0, 0, first]], [[0, 0, last]])[0]
        assert depth == pytest.approx(segments.column_depth()[0], rel=1e-12)


@pytest.mark.parametrize("forward", [True, False])
def test_depths_in_nd280_are_the_sums_over_the_segments(forward):
    detector = sp.load_detector("nd280")
    rng = np.random.default_rng(5)
    points = rng.uniform(*detector.region("tpc").bounds(), (3000, 3))
    ways = rng.normal(size=(3000, 3))
    if forward:
        ways = 0.02 * ways + [0.0, 0.0, 1.0]
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    starts, ends = points - 300.0 * ways, points + 300.0 * ways
    step = ends - starts
    length = np.sqrt(np.sum(step**2, axis=1))
    segments = detector.trace(starts, step / length[:, None], 0.0, length)
    assert len(segments.t_in) > 100 * len(starts)
    np.testing.assert_allclose(
        detector.column_depth(starts, ends), segments.column_depth(), rtol=1e-12
    )
    far = detector.distance_for_depth(starts, step / length[:, None], 20.0)
    reached = np.isfinite(far)
    assert reached.mean() > 0.9
    stops = starts + far[:, None] * step / length[:, None]
    depth = detector.column_depth(starts[reached], stops[reached])
    np.testing.assert_allclose(depth, 20.0, rtol=1e-11)


def test_threads_change_nothing():
    detector = stacks(3, False)
    detector.add("ball", Ball(), MATERIALS[3])
    starts, ends = pairs(4, 30_000)
    ways = ends - starts
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    one = detector.trace(starts, ways, workers=1)
    depth = detector.column_depth(starts, ends, workers=1)
    distance = detector.distance_for_depth(starts, ways, 5.0, workers=1)
    assert "ball" in {one.volume_names[i] for i in np.unique(one.volume)}
    assert 0.0 < np.isfinite(distance).mean() < 1.0
    for workers in (2, 3, None):
        more = detector.trace(starts, ways, workers=workers)
        for name in ("offsets", "t_in", "t_out", "volume", "material", "density"):
            np.testing.assert_array_equal(getattr(more, name), getattr(one, name))
        np.testing.assert_array_equal(detector.column_depth(starts, ends, workers), depth)
        found = detector.distance_for_depth(starts, ways, 5.0, workers=workers)
        np.testing.assert_array_equal(found, distance)


def test_lists_grow_when_late_lines_are_longer_than_early_ones():
    detector = DetectorModel("plates")
    detector.add_stack(
        "stack", LayerStack(2, 2, [(0.1, MATERIALS[0]), (0.1, MATERIALS[1])], repeat=300)
    )
    n = 4000
    starts = np.zeros((n, 3))
    starts[: n // 2, 0] = 5.0
    starts[:, 2] = -100.0
    ways = np.tile([0.0, 0.0, 1.0], (n, 1))
    for workers in (1, 2):
        segments = detector.trace(starts, ways, workers=workers)
        assert np.diff(segments.offsets).tolist() == [0] * (n // 2) + [600] * (n // 2)
        np.testing.assert_array_equal(segments.t_in[-600:], segments.t_in[:600])
        np.testing.assert_allclose(segments.column_depth()[n // 2 :], 30.0 * 12.35, rtol=1e-12)


def test_no_lines_are_no_segments():
    detector = stacks(3, True)
    nothing = np.empty((0, 3))
    assert len(detector.trace(nothing, nothing)) == 0
    assert detector.column_depth(nothing, nothing).shape == (0,)
    assert detector.distance_for_depth(nothing, nothing, 1.0).shape == (0,)


def test_lines_backwards_meet_the_same_segments_in_the_opposite_order():
    detector = stacks(8, False)
    starts, ends = pairs(9, 200)
    ways = ends - starts
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    there, back = detector.trace(starts, ways), detector.trace(starts, -ways)
    np.testing.assert_array_equal(there.offsets, back.offsets)
    for i in range(len(starts)):
        own = slice(there.offsets[i], there.offsets[i + 1])
        np.testing.assert_array_equal(there.volume[own], back.volume[own][::-1])
        np.testing.assert_array_equal(there.material[own], back.material[own][::-1])
        np.testing.assert_allclose(there.t_in[own], -back.t_out[own][::-1], atol=1e-9)


def test_as_many_threads_as_cores_but_none_inside_a_worker():
    if hasattr(os, "sched_getaffinity"):
        assert default_workers() == len(os.sched_getaffinity(0))
    assert default_workers() >= 1
    assert list(map_in_order(lambda _: default_workers(), range(4), 2)) == [1] * 4
    assert list(map_in_order(lambda _: default_workers(), range(1), 1)) == [default_workers()]


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "two"])
def test_the_number_of_threads_is_a_positive_integer(workers):
    detector = stacks(3, True)
    with pytest.raises(ConfigError, match="positive integer"):
        detector.trace([0, 0, 0], [0, 0, 1], workers=workers)
    with pytest.raises(ConfigError, match="positive integer"):
        detector.column_depth([0, 0, 0], [0, 0, 1], workers=workers)
    with pytest.raises(ConfigError, match="positive integer"):
        detector.distance_for_depth([0, 0, 0], [0, 0, 1], 1.0, workers=workers)
