from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from siren_py.detector import DetectorModel
from siren_py.errors import GeometryError
from siren_py.geometry import Box, Cylinder, Intervals, LayerStack, RegularPrism, Sphere, tracing
from siren_py.geometry.rows import intervals_of_row
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
WATER = Material.from_formula("H2O", density=1.0)
STEEL = Material("steel", {"Fe": 1.0}, density=7.9)
INF = math.inf


class Ellipsoid:
    """A user's solid in plain Python: an ellipsoid with semi-axes 3, 2, 1 [cm]."""

    axes = np.array([3.0, 2.0, 1.0])

    def intervals(self, origins, directions):
        o, d = origins / self.axes, directions / self.axes
        a, b = np.sum(d * d, axis=1), np.sum(o * d, axis=1)
        discriminant = b * b - a * (np.sum(o * o, axis=1) - 1.0)
        hit = discriminant > 0.0
        root = np.sqrt(discriminant[hit])
        offsets = np.concatenate([[0], np.cumsum(hit)])
        return Intervals(offsets, (-b[hit] - root) / a[hit], (-b[hit] + root) / a[hit])

    def contains(self, points):
        return np.sum((points / self.axes) ** 2, axis=1) < 1.0

    def volume(self):
        return 4.0 / 3.0 * math.pi * float(np.prod(self.axes))

    def bounds(self):
        return -self.axes, self.axes

    def sample(self, n, rng=None):
        return Sphere(1.0).sample(n, rng) * self.axes


def random_detector(seed, n):
    """Overlapping solids of all kinds, rotated at random, some stacks, some external."""
    rng = np.random.default_rng(seed)
    detector = DetectorModel("random")
    for i in range(n):
        a, b, c = rng.uniform(1.0, 10.0, 3)
        at = rng.uniform(-8.0, 8.0, 3)
        kind = rng.integers(0, 6)
        quarter = Rotation.from_euler("xyz", rng.integers(0, 4, 3) * 90, degrees=True)
        rotation = [None, quarter, Rotation.random(None, rng)][rng.integers(0, 3)]
        material = [LEAD, WATER, STEEL][rng.integers(0, 3)]
        axis = "xyz"[rng.integers(0, 3)]
        if kind == 0:
            solid = Box(a, b, c)
        elif kind == 1:
            solid = Sphere(a, 0.7 * a * rng.integers(0, 2))
        elif kind == 2:
            turn = rng.uniform(0.5, 2.0 * math.pi) if rng.integers(0, 2) else 2.0 * math.pi
            solid = Cylinder(a, b, 0.5 * a * rng.integers(0, 2), axis, 1.0, turn)
        elif kind == 3:
            solid = RegularPrism(6, a, b, axis)
        elif kind == 4:
            solid = Ellipsoid()
        else:
            layers = [(0.3, LEAD), (0.5, WATER), (0.05, STEEL)]
            stack = LayerStack(a, b, layers, repeat=int(c), axis=axis)
            detector.add_stack(f"v{i}", stack, at=at, rotation=rotation)
            continue
        detector.add(f"v{i}", solid, material, at=at, rotation=rotation)
    return detector


def random_lines(seed, n):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(n, 3))
    directions[: n // 4] = np.eye(3)[rng.integers(0, 3, n // 4)]
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return rng.uniform(-12.0, 12.0, (n, 3)) - 50.0 * directions, directions


def volume_by_definition(detector, points):
    """Latest volume that contains each point, asking the solids one by one in their frames."""
    latest = np.full(len(points), -1)
    for volume in detector:
        matrix = np.eye(3) if volume.rotation is None else volume.rotation
        latest[volume.solid.contains((points - volume.at) @ matrix)] = volume.index
    return latest


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_segments_agree_with_the_volumes_at_their_points(seed, n):
    detector = random_detector(seed, n)
    origins, directions = random_lines(seed + 1, 25)
    segments = detector.trace(origins, directions)
    for i in range(len(origins)):
        mine = slice(segments.offsets[i], segments.offsets[i + 1])
        t_in, t_out = segments.t_in[mine], segments.t_out[mine]
        assert np.all(t_out > t_in)
        assert np.all(t_in[1:] >= t_out[:-1])
        t = np.linspace(10.0, 90.0, 600)
        points = origins[i] + t[:, None] * directions[i]
        edges = np.concatenate([t_in, t_out, [INF]])
        far = np.abs(t[:, None] - edges).min(axis=1) > 1e-6
        at = np.searchsorted(t_in, t, side="right") - 1
        inside = (at >= 0) & (t < np.append(t_out, -INF)[at])
        volume = np.where(inside, np.append(segments.volume[mine], -1)[at], -1)
        material = np.where(inside, np.append(segments.material[mine], -1)[at], -1)
        expected = volume_by_definition(detector, points)
        located, located_material = detector.locate_index(points)
        assert np.array_equal(located, expected)
        # Chords below the spacing of faces that are merged do not count.
        assert np.array_equal(volume[far], expected[far])
        assert np.array_equal(material[far], located_material[far])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_reversed_line_gives_the_same_segments(seed, n):
    detector = random_detector(seed, n)
    origins, directions = random_lines(seed + 1, 20)
    there = detector.trace(origins, directions)
    back = detector.trace(origins, -directions)
    for i in range(len(origins)):
        a = slice(there.offsets[i], there.offsets[i + 1])
        b = slice(back.offsets[i], back.offsets[i + 1])
        assert np.array_equal(there.material[a], back.material[b][::-1])
        assert np.array_equal(there.volume[a], back.volume[b][::-1])
        np.testing.assert_allclose(there.t_in[a], -back.t_out[b][::-1], atol=1e-8)
        np.testing.assert_allclose(there.t_out[a], -back.t_in[b][::-1], atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0.0, 1.0))
def test_column_depth_is_additive_and_symmetric(seed, n, part):
    detector = random_detector(seed, n)
    rng = np.random.default_rng(seed)
    starts, ends = rng.uniform(-20.0, 20.0, (2, 20, 3))
    middle = starts + part * (ends - starts)
    whole = detector.column_depth(starts, ends)
    halves = detector.column_depth(starts, middle) + detector.column_depth(middle, ends)
    np.testing.assert_allclose(whole, halves, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(whole, detector.column_depth(ends, starts), rtol=1e-9, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 60.0), st.floats(0.0, 60.0))
def test_clipped_trace_is_the_clip_of_the_trace(seed, a, b):
    detector = random_detector(seed, 8)
    origins, directions = random_lines(seed + 1, 20)
    low, high = min(a, b) + 20.0, max(a, b) + 20.1
    full = detector.trace(origins, directions)
    part = detector.trace(origins, directions, low, high)
    length = np.clip(np.minimum(full.t_out, high) - np.maximum(full.t_in, low), 0.0, None)
    for volume in range(len(detector)):
        expected = np.bincount(full.line, length * (full.volume == volume), minlength=20)
        got = np.bincount(part.line, part.length * (part.volume == volume), minlength=20)
        np.testing.assert_allclose(got, expected, atol=1e-7)
    assert np.all(part.t_in >= low)
    assert np.all(part.t_out <= high)


def test_placement_of_everything_moves_the_trace_with_it():
    rng = np.random.default_rng(5)
    shift, turn = rng.normal(size=3) * 10, Rotation.random(None, rng)
    solids = [
        Box(9, 8, 7),
        Cylinder(3, 6, 1, "x"),
        Sphere(2, 1),
        RegularPrism(6, 2, 4),
        Ellipsoid(),
    ]
    plain, moved = DetectorModel("plain"), DetectorModel("moved")
    for i, solid in enumerate(solids):
        at, own = rng.normal(size=3), Rotation.random(None, rng)
        plain.add(f"v{i}", solid, LEAD, at=at, rotation=own)
        moved.add(f"v{i}", solid, LEAD, at=turn.apply(at) + shift, rotation=turn * own)
    origins, directions = random_lines(6, 200)
    a = plain.trace(origins, directions)
    b = moved.trace(turn.apply(origins) + shift, turn.apply(directions))
    assert np.array_equal(a.volume, b.volume)
    np.testing.assert_allclose(a.t_in, b.t_in, atol=1e-9)
    np.testing.assert_allclose(a.t_out, b.t_out, atol=1e-9)


def test_shared_faces_leave_neither_gap_nor_sliver():
    # 0.1 has no exact binary form: faces of neighbours differ by rounding.
    detector = DetectorModel("plates")
    for i in range(50):
        detector.add(f"p{i}", Box(10, 10, 0.1), [LEAD, WATER][i % 2], at=(0, 0, 0.1 * i))
    d = np.array([[0.0, 0.0, 1.0], [0.3, 0.1, 0.9]])
    d /= np.linalg.norm(d, axis=1)[:, None]
    segments = detector.trace(np.array([[0, 0, -3e4], [0, 0, -1.0]]), d)
    assert np.array_equal(np.diff(segments.offsets), [50, 50])
    np.testing.assert_allclose(segments.t_in[1:50], segments.t_out[:49], rtol=0, atol=0)
    expected = 2.5 * (11.35 + 1.0)
    np.testing.assert_allclose(segments.column_depth(), expected / d[:, 2], rtol=1e-9)


def test_later_volume_wins_and_gaps_are_vacuum():
    detector = DetectorModel("toy")
    detector.add("outer", Box(10, 10, 10), WATER)
    detector.add("inner", Box(2, 2, 2), LEAD)
    detector.add("far", Sphere(1.0), STEEL, at=(0, 0, 20))
    segments = detector.trace([0, 0, -30], [0, 0, 1])
    assert [segments.volume_names[i] for i in segments.volume] == ["outer", "inner", "outer", "far"]
    np.testing.assert_array_equal(segments.t_in, [25, 29, 31, 49])
    np.testing.assert_array_equal(segments.t_out, [29, 31, 35, 51])
    np.testing.assert_array_equal(segments.density, [1.0, 11.35, 1.0, 7.9])
    assert segments.column_depth()[0] == pytest.approx(8 + 2 * 11.35 + 2 * 7.9, rel=1e-14)


def test_line_along_a_shared_face_is_counted_once():
    detector = DetectorModel("two")
    detector.add("left", Box(2, 2, 2), WATER, at=(-1, 0, 0))
    detector.add("right", Box(2, 2, 2), LEAD, at=(1, 0, 0))
    for sign in (1.0, -1.0):
        segments = detector.trace([0, 0, 0], [0, 0, sign])
        assert [segments.volume_names[i] for i in segments.volume] == ["right"]
        assert segments.length[0] == 2.0


def test_region_intervals_merge_overlaps_and_sum_chords():
    detector = DetectorModel("toy")
    detector.add("matter", Box(1, 1, 1), WATER)
    detector.add_region("a", Box(2, 2, 4))
    detector.add_region("b", Box(2, 2, 4), at=(0, 0, 3))
    detector.add_region("c", Sphere(1.0), at=(0, 0, 20))
    detector.add_region("all", ["a", "b", "c"])
    arrays = detector.region_arrays("all")
    scratch = tracing.make_scratch(arrays)
    line = (0, 0.0, 0.0, -10.0, 0.0, 0.0, 1.0)
    n, chords = tracing.region_intervals(arrays, tracing.NO_EXTERNAL, *line, -INF, INF, scratch)
    assert n == 3
    assert chords == 4 + 4 + 2
    np.testing.assert_allclose(scratch.t_in[:3], [8, 11, 29])
    np.testing.assert_allclose(scratch.t_out[:3], [11, 15, 31])
    assert scratch.volume[:3].tolist() == [0, 1, 2]
    n, chords = tracing.region_intervals(arrays, tracing.NO_EXTERNAL, *line, 9.0, 30.0, scratch)
    assert (n, chords) == (3, 3 + 4 + 1)
    miss = (0, 9.0, 0.0, -10.0, 0.0, 0.0, 1.0)
    n, chords = tracing.region_intervals(arrays, tracing.NO_EXTERNAL, *miss, -INF, INF, scratch)
    assert (n, chords) == (0, 0.0)


def test_small_buffers_are_reported_and_not_overrun():
    detector = random_detector(3, 10)
    geometry = detector.arrays()
    origins, directions = random_lines(4, 50)
    external = detector.external_intervals(origins, directions)
    full = tracing.make_scratch(geometry, external)
    for name, size in (("enter_t", 1), ("t_in", 1)):
        guard = np.full(getattr(full, name).shape, 12345.0)
        scratch = full._replace(**{name: guard[:size]})
        codes = [
            tracing.trace_line(
                geometry, external, i, *origins[i], *directions[i], -INF, INF, scratch
            )
            for i in range(50)
        ]
        assert tracing.OVERFLOW in codes
        assert np.all(guard[size:] == 12345.0)


def test_no_line_needs_more_than_max_segments():
    for seed in range(20):
        detector = random_detector(seed, 12)
        origins, directions = random_lines(seed, 200)
        segments = detector.trace(origins, directions)
        external = detector.external_intervals(origins, directions)
        limit = tracing.max_segments(detector.arrays(), external)
        assert np.diff(segments.offsets).max() <= limit


def test_many_crossings_are_sorted():
    # More crossings than plain insertion would like, added in random order.
    detector = DetectorModel("many")
    order = np.random.default_rng(1).permutation(400)
    for i in order:
        detector.add(f"p{i}", Box(10, 10, 0.5), LEAD, at=(0, 0, float(i)))
    segments = detector.trace([0, 0, -10], [0, 0, 1])
    assert len(segments.t_in) == 400
    np.testing.assert_allclose(segments.t_in, np.arange(400) + 10 - 0.25)
    assert [segments.volume_names[i] for i in segments.volume] == [f"p{i}" for i in range(400)]


class Wrong(Ellipsoid):
    def __init__(self, answer):
        self.answer = answer

    def intervals(self, origins, directions):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (([0, 1], [0.0], [math.nan]), "NaN or infinite"),
        (([0, 1], [-INF], [INF]), "NaN or infinite"),
        (([0, 1], [2.0], [1.0]), "ends before it begins"),
        (([0, 2], [0.0, 0.5], [1.0, 2.0]), "overlap or are not sorted"),
        (([0, 2], [3.0, 0.5], [4.0, 2.0]), "overlap or are not sorted"),
        (([0, 1, 1], [0.0], [1.0]), "shapes"),
        (([0, 2], [0.0], [1.0]), "offsets"),
        (None, "must return Intervals"),
    ],
)
def test_bad_intervals_of_a_user_solid_name_the_volume(answer, text):
    detector = DetectorModel("user")
    detector.add("mine", Wrong(answer), LEAD)
    with pytest.raises(GeometryError, match=text) as caught:
        detector.trace([0, 0, 0], [0, 0, 1])
    assert "'mine'" in str(caught.value)


def test_lines_must_be_finite_and_unit():
    detector = DetectorModel("toy")
    detector.add("box", Box(1, 1, 1), LEAD)
    with pytest.raises(GeometryError, match="unit vectors"):
        detector.trace([0, 0, 0], [0, 0, 2])
    with pytest.raises(GeometryError, match="finite"):
        detector.trace([0, np.nan, 0], [0, 0, 1])
    with pytest.raises(GeometryError, match="shape"):
        detector.trace([[0, 0, 0]] * 2, [0, 0, 1])
    with pytest.raises(GeometryError, match="t_min"):
        detector.trace([0, 0, 0], [0, 0, 1], t_min=np.nan)
    assert len(detector.trace(np.zeros((0, 3)), np.zeros((0, 3)))) == 0
    assert detector.column_depth([0, 0, 0], [0, 0, 0])[0] == 0.0


def test_boxes_along_the_axes_are_those_of_the_general_kernel():
    """Boxes are traced by the faces of the tree; alone, they are what their own kernel says."""
    rng = np.random.default_rng(3)
    middle, half = np.array([7.3, -2.1, 311.7]), np.array([0.7, 40.0, 13.0])
    detector = DetectorModel("box")
    detector.add("box", Box(*(2.0 * half)), LEAD, at=tuple(middle))
    inside = middle + half * rng.uniform(-1.0, 1.0, (2000, 3))
    directions = rng.normal(size=(2000, 3)) * 10.0 ** rng.uniform(-5.0, 0.0, (2000, 3))
    # Some in the planes of the axes, some along them.
    directions[:200, rng.integers(0, 3)] = 0.0
    directions[200:300] = np.eye(3)[rng.integers(0, 3, 100)]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    origins = inside - 500.0 * directions
    found = detector.trace(origins, directions)
    kernel = intervals_of_row(detector.arrays(), tracing.NO_EXTERNAL, origins, directions)
    np.testing.assert_array_equal(found.offsets, kernel[0])
    np.testing.assert_array_equal(np.diff(found.offsets), 1)
    # A coordinate is known to 1e-13 cm, a place along the line to that over its slope.
    steepness = np.abs(directions[directions != 0.0]).min()
    for mine, theirs in ((found.t_in, kernel[1]), (found.t_out, kernel[2])):
        np.testing.assert_allclose(mine, theirs, rtol=0.0, atol=2e-13 / steepness)
        assert np.median(np.abs(mine - theirs)) < 1e-12
