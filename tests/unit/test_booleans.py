"""Unions, intersections, differences, nested and mixed with users' solids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from siren_py._optional import MissingDependencyError
from siren_py.detector import DetectorModel
from siren_py.errors import GeometryError
from siren_py.geometry import (
    Box,
    Cone,
    Cylinder,
    Difference,
    Intersection,
    Intervals,
    Placed,
    Polyhedra,
    Prism,
    Sphere,
    Torus,
    Trapezoid,
    Union,
)
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
WATER = Material.from_formula("H2O", density=1.0)


class Ball:
    """A user's solid in plain Python."""

    def __init__(self, radius):
        self.radius = radius

    def intervals(self, origins, directions):
        b = np.einsum("ij,ij->i", origins, directions)
        d = self.radius**2 - np.sum((origins - b[:, None] * directions) ** 2, axis=1)
        hit = d > 0.0
        root = np.sqrt(d[hit])
        return Intervals(np.concatenate([[0], np.cumsum(hit)]), -b[hit] - root, -b[hit] + root)

    def contains(self, points):
        return np.sum(points**2, axis=1) < self.radius**2

    def volume(self):
        return 4.0 / 3.0 * math.pi * self.radius**3

    def bounds(self):
        return np.full(3, -self.radius), np.full(3, self.radius)

    def sample(self, n, rng=None):
        return Sphere(self.radius).sample(n, rng)


def truth(solid, points):
    """Containment by the definition of the operations; leaves answer for themselves."""
    if isinstance(solid, (Union, Intersection, Difference)):
        local = (points - solid.placement.position) @ solid.placement.matrix
        a, b = truth(solid.first, points), truth(solid.second, local)
        if isinstance(solid, Union):
            return a | b
        return a & b if isinstance(solid, Intersection) else a & ~b
    if isinstance(solid, Placed):
        return truth(solid.solid, (points - solid.placement.position) @ solid.placement.matrix)
    return solid.contains(points)


LEAVES = [
    Box(4, 3, 5),
    Sphere(2.2, 1.0),
    Cylinder(2, 5, 0.7, "x", 0.3, 4.0),
    Cone(4, 2, 1),
    Torus(2, 0.8),
    Trapezoid(2, 4, 3, 1, 4),
    Polyhedra(5, [-2, 0, 2], [2, 1, 2], [0.5, 0.5, 1.0]),
    Prism([(-2, -2), (2, -2), (2, 2), (0, 0), (-2, 2)], 3.0),
    Ball(1.8),
]


def random_boolean(rng, depth):
    """A random tree of operations; second operands are near enough to meet the first."""
    if depth == 0 or rng.random() < 0.2:
        return LEAVES[rng.integers(len(LEAVES))]
    operation = [Union, Intersection, Difference][rng.integers(3)]
    first, second = random_boolean(rng, depth - 1), random_boolean(rng, depth - 1)
    turn = [None, Rotation.random(None, rng)][rng.integers(2)]
    try:
        return operation(first, second, rng.uniform(-1.5, 1.5, 3), turn)
    except GeometryError:  # bounding boxes that do not meet
        return first


def random_lines(solid, n, seed):
    rng = np.random.default_rng(seed)
    lo, hi = solid.bounds()
    aim = rng.uniform(lo, hi, (n, 3))
    directions = rng.normal(size=(n, 3))
    directions[: n // 4] = np.eye(3)[rng.integers(0, 3, n // 4)]
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return aim - 30.0 * directions, directions


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_intervals_agree_with_containment_along_the_line(seed, depth):
    solid = random_boolean(np.random.default_rng(seed), depth)
    origins, directions = random_lines(solid, 20, seed + 1)
    offsets, t_in, t_out = solid.intervals(origins, directions)
    t = np.linspace(5.0, 55.0, 1001)
    for i in range(len(origins)):
        mine = slice(offsets[i], offsets[i + 1])
        assert np.all(t_in[mine] < t_out[mine])
        assert np.all(t_in[mine][1:] > t_out[mine][:-1])
        edges = np.concatenate([t_in[mine], t_out[mine], [math.inf]])
        points = origins[i] + t[:, None] * directions[i]
        expected = truth(solid, points)
        step = 1e-6 * directions[i]
        clear = np.abs(t[:, None] - edges).min(axis=1) > 1e-6
        clear &= (truth(solid, points - step) == expected) & (
            truth(solid, points + step) == expected
        )
        at = np.searchsorted(t_in[mine], t, side="right") - 1
        inside = (at >= 0) & (t < np.append(t_out[mine], -math.inf)[at])
        assert np.array_equal(inside[clear], expected[clear])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_contains_follows_the_definition(seed, depth):
    rng = np.random.default_rng(seed)
    solid = random_boolean(rng, depth)
    lo, hi = solid.bounds()
    points = rng.uniform(lo - 0.2, hi + 0.2, (300, 3))
    assert np.array_equal(solid.contains(points), truth(solid, points))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 2))
def test_volume_agrees_with_monte_carlo_and_states_its_error(seed, depth):
    solid = random_boolean(np.random.default_rng(seed), depth)
    if not hasattr(solid, "volume_estimate"):
        return
    lo, hi = solid.bounds()
    box = float(np.prod(hi - lo))
    n = 100_000
    hit = truth(solid, np.random.default_rng(seed + 1).uniform(lo, hi, (n, 3)))
    share = hit.mean()
    error = box * math.sqrt(max(share * (1.0 - share), 1.0 / n) / n)
    estimate = solid.volume_estimate()
    assert abs(estimate.value - box * share) < 4.5 * math.hypot(error, estimate.error)
    assert estimate.error < 1e-3 * max(estimate.value, 0.2 * box)


def test_volumes_are_exact_where_they_can_be():
    # contained, apart, and boxes with parallel faces
    drilled = Difference(Box(4, 4, 4), Cylinder(0.5, 3))
    assert drilled.volume_estimate() == (64.0 - Cylinder(0.5, 3).volume(), 0.0)
    apart = Union(Sphere(1), Cone(2, 1, 0), at=(5, 0, 0))
    assert apart.volume_estimate() == (Sphere(1).volume() + Cone(2, 1, 0).volume(), 0.0)
    corner = Intersection(Box(2, 2, 2), Box(2, 2, 2), at=(1, 1, 1))
    assert corner.volume_estimate() == (1.0, 0.0)
    assert Union(Box(2, 2, 2), Box(2, 2, 2), at=(1, 1, 1)).volume_estimate() == (15.0, 0.0)
    assert Difference(Box(2, 2, 2), Box(2, 2, 2), at=(1, 1, 1)).volume_estimate() == (7.0, 0.0)
    nested = Difference(drilled, Sphere(0.2), at=(1.5, 1.5, 1.5))
    assert nested.volume_estimate().value == pytest.approx(drilled.volume() - Sphere(0.2).volume())


def test_steinmetz_solid():
    # Two cylinders of radius 1 at right angles have 16/3 in common (Archimedes).
    other = Rotation.from_euler("x", 90, degrees=True)
    both = Intersection(Cylinder(1, 4), Cylinder(1, 4), rotation=other)
    estimate = both.volume_estimate()
    assert abs(estimate.value - 16.0 / 3.0) < 4.0 * estimate.error
    assert 0.0 < estimate.error < 0.01
    found = both.intervals([[0.5, -9, 0], [0, -9, 0]], [[0, 1, 0], [0, 1, 0]])
    np.testing.assert_allclose(found.t_out - found.t_in, [2 * math.sqrt(0.75), 2], atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_chords_obey_inclusion_and_exclusion(seed):
    rng = np.random.default_rng(seed)
    a, b = LEAVES[rng.integers(len(LEAVES))], LEAVES[rng.integers(len(LEAVES))]
    place = {"at": rng.uniform(-1, 1, 3), "rotation": Rotation.random(None, rng)}
    union = Union(a, b, **place)
    origins, directions = random_lines(union, 30, seed)

    def chords(solid):
        found = solid.intervals(origins, directions)
        line = np.repeat(np.arange(30), np.diff(found.offsets))
        return np.bincount(line, found.t_out - found.t_in, minlength=30)

    both, rest = chords(Intersection(a, b, **place)), chords(Difference(a, b, **place))
    np.testing.assert_allclose(
        chords(union) + both, chords(a) + chords(Placed(b, **place)), atol=1e-7
    )
    np.testing.assert_allclose(rest + both, chords(a), atol=1e-7)


@pytest.mark.parametrize("operation", [Union, Intersection, Difference])
def test_samples_are_inside_and_uniform(operation):
    solid = operation(
        Box(3, 3, 3), Cone(4, 1.5, 0.5), (0.5, 0.2, 0.1), Rotation.from_rotvec([1, 0, 0])
    )
    points = solid.sample(30_000, np.random.default_rng(3))
    assert truth(solid, points).all()
    lo, hi = solid.bounds()
    cube = np.random.default_rng(4).uniform(lo, hi, (400_000, 3))
    cube = cube[truth(solid, cube)]
    middle = np.median(cube, axis=0)
    weight = np.array([1, 2, 4])
    mine = np.bincount((points > middle) @ weight, minlength=8) / len(points)
    reference = np.bincount((cube > middle) @ weight, minlength=8) / len(cube)
    error = np.sqrt(reference * (1.0 - reference) * (1.0 / len(points) + 1.0 / len(cube)))
    assert np.all(np.abs(mine - reference) < 4.5 * error)


def test_shared_faces_leave_no_sliver():
    # 0.1 and 0.3 have no exact binary form: the faces differ by rounding.
    hollow = Difference(Box(0.3, 0.3, 0.3), Box(0.1, 0.1, 0.1), at=(0.1, 0, 0))
    found = hollow.intervals([-9, 0, 0], [1, 0, 0])
    assert len(found.t_in) == 1
    assert found.t_out[0] - found.t_in[0] == pytest.approx(0.2)
    joined = Union(Box(0.1, 1, 1), Box(0.1, 1, 1), at=(0.1, 0, 0))
    assert len(joined.intervals([-9, 0, 0], [1, 0, 0]).t_in) == 1
    nothing = Difference(Cone(3, 1, 2), Cone(3, 1, 2))
    assert len(nothing.intervals([[-9, 0.1, 0.2]], [[1, 0.01, 0.02]]).t_in) == 0


def test_long_chains_and_deep_nesting():
    plate = Box(100, 100, 1)
    holes = [(x, y) for x in range(-45, 50, 10) for y in range(-45, 50, 10)]
    for x, y in holes:
        plate = Difference(plate, Cylinder(2, 3), at=(x, y, 0))
    expected = 1e4 - 100 * math.pi * 4
    estimate = plate.volume_estimate()
    assert 0.0 < estimate.error < 1e-3 * expected
    assert abs(estimate.value - expected) < 4.5 * estimate.error
    found = plate.intervals([-99, 5, 0], [1, 0, 0])
    assert len(found.t_in) == 11
    assert np.sum(found.t_out - found.t_in) == pytest.approx(60.0)
    drilled = Box(100, 100, 4)
    for x, y in holes[:20]:
        drilled = Difference(drilled, Cylinder(2, 3), at=(x, y, 0))
    assert drilled.volume_estimate() == pytest.approx((4e4 - 20 * math.pi * 12, 0.0))
    deep = Sphere(1)
    for _ in range(40):
        deep = Difference(Box(9, 9, 9), deep)
    assert len(deep.intervals([-9, 0, 0], [1, 0, 0]).t_in) in (1, 2)
    for _ in range(30):
        deep = Difference(Box(9, 9, 9), deep)
    with pytest.raises(GeometryError, match="nested 71 deep"):
        deep.contains([0, 0, 0])


def test_booleans_trace_in_a_detector_as_alone():
    rng = np.random.default_rng(8)
    detector = DetectorModel("many")
    solids = [random_boolean(rng, 3) for _ in range(12)]
    for i, solid in enumerate(solids):
        at, turn = rng.uniform(-20, 20, 3), Rotation.random(None, rng)
        detector.add(f"v{i}", solid, [LEAD, WATER][i % 2], at=at, rotation=turn)
    detector.add_region("r", Difference(Box(20, 20, 20), Ball(6)))
    n = 500
    origins = rng.uniform(-25, 25, (n, 3))
    directions = rng.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    segments = detector.trace(origins, directions)
    middle = 0.5 * (segments.t_in + segments.t_out)
    points = origins[segments.line] + middle[:, None] * directions[segments.line]
    assert np.array_equal(detector.locate_index(points)[0], segments.volume)
    by_definition = np.full(len(points), -1)
    for volume in detector:
        local = (points - volume.at) @ volume.placement.matrix
        by_definition[truth(volume.solid, local)] = volume.index
    assert np.array_equal(by_definition, segments.volume)
    inside = detector.region("r").contains(points)
    assert np.array_equal(inside, truth(detector.region("r").solids[0].solid, points))


def test_masses_of_booleans():
    detector = DetectorModel("magnet")
    yoke = Difference(Box(10, 10, 10), Box(4, 4, 12))
    detector.add("yoke", yoke, LEAD)
    detector.add("bore", Box(4, 4, 10), WATER)
    mass = detector.masses()["yoke"]
    assert abs(mass.value - 840.0 * 11.35) <= max(5.0 * mass.error, 1e-9)
    lens = Intersection(Sphere(5), Sphere(5), at=(0, 0, 4))
    detector.add("lens", lens, WATER, at=(30, 0, 0))
    # two spherical caps of height 3
    expected = 2.0 * math.pi * 9.0 * (15.0 - 3.0) / 3.0
    mass = detector.masses()["lens"]
    assert mass.error > 0.0
    assert abs(mass.value - expected) < 4.5 * mass.error
    assert mass.error < 2e-3 * expected


def test_errors_say_what_is_wrong():
    with pytest.raises(GeometryError, match="second operand, str, is no solid"):
        Union(Box(1, 1, 1), "box")
    with pytest.raises(GeometryError, match="are apart"):
        Intersection(Box(1, 1, 1), Box(1, 1, 1), at=(5, 0, 0))
    with pytest.raises(GeometryError, match="three"):
        Difference(Box(1, 1, 1), Box(1, 1, 1), at=(5, 0))
    with pytest.raises(GeometryError, match="only operand"):
        Placed(None)
    with pytest.raises(GeometryError, match=r"lacks mesh\(sections\)"):
        Placed(Ball(1)).mesh()
    with pytest.raises(GeometryError, match="fills next to nothing"):
        Difference(Box(1, 1, 1), Box(1, 1, 1)).sample(5)


def test_mesh_of_a_boolean():
    solid = Difference(Box(2, 2, 2), Cylinder(0.5, 4))
    try:
        import manifold3d  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match=r"siren-py\[mesh\]"):
            solid.mesh()
        return
    surface = solid.mesh(sections=128)
    assert surface.is_watertight
    assert surface.volume == pytest.approx(solid.volume(), rel=1e-3)
