"""Cones, polycones, tori, ellipsoids, trapezoids and polyhedra against their definitions."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from siren_py.errors import GeometryError
from siren_py.geometry import (
    Box,
    Cone,
    Cylinder,
    Ellipsoid,
    EllipticalTube,
    Placed,
    Placement,
    Polycone,
    Polyhedra,
    Polyhedron,
    RegularPrism,
    Solid,
    Sphere,
    Torus,
    Trapezoid,
)

TWO_PI = 2.0 * math.pi
FRAME = {"x": (1, 2, 0), "y": (2, 0, 1), "z": (0, 1, 2)}


def round_coordinates(p, axis):
    u, v, w = (p[:, i] for i in FRAME[axis])
    return np.hypot(u, v), np.arctan2(v, u), w


def in_sector(phi, solid):
    return (np.mod(phi - solid.start_phi, TWO_PI) < solid.delta_phi) | (
        solid.delta_phi > TWO_PI - 1e-9
    )


def in_profile(r, w, z, outer, inner):
    inside = np.zeros(len(r), bool)
    for i in range(len(z) - 1):
        if z[i + 1] > z[i]:
            here = (w >= z[i]) & (w < z[i + 1])
            part = (w - z[i]) / (z[i + 1] - z[i])
            out = outer[i] + part * (outer[i + 1] - outer[i])
            hole = inner[i] + part * (inner[i + 1] - inner[i])
            inside |= here & (r < out) & (r >= hole)
    return inside


def truth(solid, p):
    """Containment from the definitions of the solids, independent of the kernels."""
    if isinstance(solid, Cone):
        r, phi, w = round_coordinates(p, solid.axis)
        half = 0.5 * solid.length
        radii = [solid.radius_low, solid.radius_high]
        holes = [solid.inner_radius_low, solid.inner_radius_high]
        return in_profile(r, w, [-half, half], radii, holes) & in_sector(phi, solid)
    if isinstance(solid, Polycone):
        r, phi, w = round_coordinates(p, solid.axis)
        inner = solid.inner or [0.0] * len(solid.z)
        return in_profile(r, w, solid.z, solid.outer, inner) & in_sector(phi, solid)
    if isinstance(solid, Polyhedra):
        r, phi, w = round_coordinates(p, solid.axis)
        step = solid.delta_phi / solid.sides
        off = np.mod(np.mod(phi - solid.start_phi, TWO_PI), step) - 0.5 * step
        inner = solid.inner or [0.0] * len(solid.z)
        flat = r * np.cos(off)
        return in_profile(flat, w, solid.z, solid.outer, inner) & in_sector(phi, solid)
    if isinstance(solid, Torus):
        r, phi, w = round_coordinates(p, solid.axis)
        tube = np.hypot(r - solid.ring_radius, w)
        inside = (tube < solid.outer_radius) & (tube >= solid.inner_radius)
        return inside & in_sector(phi, solid)
    if isinstance(solid, Ellipsoid):
        low = -math.inf if solid.z_low is None else solid.z_low
        high = math.inf if solid.z_high is None else solid.z_high
        scaled = p / np.array([solid.a, solid.b, solid.c])
        return (np.sum(scaled**2, axis=1) < 1.0) & (p[:, 2] >= low) & (p[:, 2] < high)
    if isinstance(solid, EllipticalTube):
        inside = (p[:, 0] / solid.a) ** 2 + (p[:, 1] / solid.b) ** 2 < 1.0
        return inside & (np.abs(p[:, 2]) < 0.5 * solid.length)
    if isinstance(solid, Trapezoid):
        part = p[:, 2] / solid.length + 0.5
        dx = solid.dx_low + part * (solid.dx_high - solid.dx_low)
        dy = solid.dy_low + part * (solid.dy_high - solid.dy_low)
        inside = (np.abs(p[:, 0]) < 0.5 * dx) & (np.abs(p[:, 1]) < 0.5 * dy)
        return inside & (np.abs(p[:, 2]) < 0.5 * solid.length)
    # A polyhedron: every convex combination of its corners; by linear programming with few
    # corners, here tetrahedra only.
    a, b, c, d = solid.vertices
    weights = np.linalg.solve(np.stack([a - d, b - d, c - d], axis=1), (p - d).T)
    return np.all(weights > 0.0, axis=0) & (weights.sum(axis=0) < 1.0)


sizes = st.floats(0.1, 50.0)
parts = st.floats(0.0, 0.95)
axes = st.sampled_from("xyz")
angles = st.floats(-7.0, 7.0)
turns = st.one_of(st.just(TWO_PI), st.floats(0.05, TWO_PI))
cones = st.builds(
    lambda length, a, b, f, axis, start, delta: Cone(
        length, a, b, f * a, f * f * b, axis, start, delta
    ),
    sizes, sizes, st.one_of(st.just(0.0), sizes), parts, axes, angles, turns,
)  # fmt: skip


@st.composite
def profiles(draw):
    n = draw(st.integers(2, 6))
    steps = draw(st.lists(st.one_of(st.just(0.0), sizes), min_size=n - 1, max_size=n - 1))
    steps[0] = max(steps[0], 0.1)
    z = np.cumsum([draw(st.floats(-20.0, 20.0)), *steps])
    outer = np.array(draw(st.lists(sizes, min_size=n, max_size=n)))
    share = np.array(draw(st.lists(parts, min_size=n, max_size=n)))
    return z, outer, outer * share if draw(st.booleans()) else None


polycones = st.builds(
    lambda p, axis, start, delta: Polycone(*p, axis, start, delta),
    profiles(), axes, angles, turns,
)  # fmt: skip
polyhedra = st.builds(
    lambda p, sides, start, delta, axis: Polyhedra(sides, *p, start, delta, axis),
    profiles(), st.integers(3, 9), angles, turns, axes,
)  # fmt: skip
tori = st.builds(
    lambda ring, f, g, start, delta, axis: Torus(ring, f * ring, g * f * ring, start, delta, axis),
    sizes, st.floats(0.01, 1.0), parts, angles, turns, axes,
)  # fmt: skip
ellipsoids = st.builds(
    lambda a, b, c, low, high: Ellipsoid(a, b, c, low * c, high * c),
    sizes, sizes, sizes, st.floats(-1.2, -0.01), st.floats(0.01, 1.2),
)  # fmt: skip
tubes = st.builds(EllipticalTube, sizes, sizes, sizes)
trapezoids = st.builds(Trapezoid, sizes, sizes, st.just(0.0) | sizes, sizes, sizes)
tetrahedra = st.integers(0, 2**32 - 1).map(
    lambda seed: Polyhedron(
        np.random.default_rng(seed).normal(size=(4, 3)) + 2.0 * np.vstack([np.eye(3), -np.ones(3)])
    )
)
solids = st.one_of(cones, polycones, polyhedra, tori, ellipsoids, tubes, trapezoids, tetrahedra)

EXAMPLES = [
    Cone(3.0, 2.0, 1.0),
    Cone(3.0, 2.0, 0.0),
    Cone(3.0, 0.0, 2.0, axis="x"),
    Cone(3.0, 2.0, 1.5, 1.0, 1.5, "y", 0.3, 4.5),
    Polycone([0, 1, 1, 3], [2, 2, 3, 1], [0, 0.5, 1, 1], "y", 1.0, 2.0),
    Polycone([3, 1, 0], [1, 2, 2]),
    Polyhedra(6, [0, 1, 1, 3], [2, 2, 3, 1], [0, 0.5, 1, 1]),
    Polyhedra(2, [-1, 1], [2, 3], [1, 1], 0.3, 1.5, "x"),
    Polyhedra(7, [-1, 1], [2, 3], [1, 1], 0.3, 4.5),
    Torus(3.0, 1.0),
    Torus(2.0, 2.0),
    Torus(3.0, 1.0, 0.9, 0.4, 4.5, "x"),
    Ellipsoid(3.0, 2.0, 1.0),
    Ellipsoid(3.0, 2.0, 1.0, 0.2, 0.7),
    EllipticalTube(2.0, 1.0, 3.0),
    Trapezoid(2.0, 4.0, 3.0, 0.0, 5.0),
    Polyhedron([[0, 0, 0], [3, 0, 0], [0, 2, 0], [0, 0, 1]]),
]


def random_lines(solid, n, seed):
    rng = np.random.default_rng(seed)
    lo, hi = solid.bounds()
    aim = rng.uniform(lo, hi, (n, 3)) * 1.02
    directions = rng.normal(size=(n, 3))
    directions[: n // 4] = np.eye(3)[rng.integers(0, 3, n // 4)]
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return aim + directions * rng.uniform(-300.0, 300.0, (n, 1)), directions, aim


def assert_intervals_agree(solid, truth, seed, n=20):
    """Intervals against containment of points on the lines, away from the faces."""
    origins, directions, aim = random_lines(solid, n, seed)
    offsets, t_in, t_out = solid.intervals(origins, directions)
    size = np.linalg.norm(np.subtract(*solid.bounds()))
    for i in range(len(origins)):
        middle = (aim[i] - origins[i]) @ directions[i]
        t = middle + np.linspace(-1.2 * size, 1.2 * size, 400)
        mine = slice(offsets[i], offsets[i + 1])
        within = np.zeros(len(t), bool)
        for a, b in zip(t_in[mine], t_out[mine], strict=True):
            within |= (t >= a) & (t < b)
        expected = truth(solid, origins[i] + t[:, None] * directions[i])
        # A point next to a face may be on either side of it by rounding: it counts if it is on
        # the same side when it is moved a little either way.
        step = 1e-7 * max(1.0, size)
        before = truth(solid, origins[i] + (t - step)[:, None] * directions[i])
        after = truth(solid, origins[i] + (t + step)[:, None] * directions[i])
        clear = (before == expected) & (after == expected)
        edges = np.concatenate([t_in[mine], t_out[mine], [math.inf]])
        clear &= np.abs(t[:, None] - edges).min(axis=1) > step
        assert np.array_equal(within[clear], expected[clear])
        assert np.all(t_in[mine] < t_out[mine])
        assert np.all(t_in[mine][1:] > t_out[mine][:-1])


@settings(max_examples=200, deadline=None)
@given(solids, st.integers(0, 2**32 - 1))
def test_intervals_agree_with_containment_along_the_line(solid, seed):
    assert_intervals_agree(solid, truth, seed)


@settings(max_examples=150, deadline=None)
@given(solids, st.integers(0, 2**32 - 1))
def test_contains_follows_the_definition(solid, seed):
    lo, hi = solid.bounds()
    points = np.random.default_rng(seed).uniform(lo - 0.1, hi + 0.1, (500, 3))
    assert np.array_equal(solid.contains(points), truth(solid, points))


@settings(max_examples=100, deadline=None)
@given(solids, st.integers(0, 2**32 - 1))
def test_reversed_line_has_the_same_intervals(solid, seed):
    origins, directions, _ = random_lines(solid, 20, seed)
    there, back = solid.intervals(origins, directions), solid.intervals(origins, -directions)
    for i in range(len(origins)):
        a = slice(there.offsets[i], there.offsets[i + 1])
        b = slice(back.offsets[i], back.offsets[i + 1])
        chord = np.sum(there.t_out[a] - there.t_in[a])
        assert chord == pytest.approx(np.sum(back.t_out[b] - back.t_in[b]), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(solids, st.integers(0, 2**32 - 1))
def test_moved_and_turned_solid_is_met_at_the_same_places(solid, seed):
    rng = np.random.default_rng(seed)
    turn, shift = Rotation.random(None, rng), rng.normal(size=3) * 20.0
    second, further = Rotation.random(None, rng), rng.normal(size=3)
    # Nested placements compose: x -> R2 (R1 x + t1) + t2.
    moved = Placed(Placed(solid, shift, turn), further, second)
    origins, directions, _ = random_lines(solid, 20, seed)
    a = solid.intervals(origins, directions)
    b = moved.intervals(
        second.apply(turn.apply(origins) + shift) + further, second.apply(turn.apply(directions))
    )
    for i in range(len(origins)):
        mine = slice(a.offsets[i], a.offsets[i + 1])
        its = slice(b.offsets[i], b.offsets[i + 1])
        chord = np.sum(a.t_out[mine] - a.t_in[mine])
        assert chord == pytest.approx(np.sum(b.t_out[its] - b.t_in[its]), abs=1e-5)


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_volume_agrees_with_monte_carlo(solid):
    n = 400_000
    lo, hi = solid.bounds()
    hit = truth(solid, np.random.default_rng(7).uniform(lo, hi, (n, 3)))
    share = solid.volume() / float(np.prod(hi - lo))
    assert abs(hit.mean() - share) < 4.0 * math.sqrt(share * (1.0 - share) / n) + 1e-12


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_samples_are_inside_and_uniform(solid):
    n = 40_000
    points = solid.sample(n, np.random.default_rng(3))
    assert points.shape == (n, 3)
    lo, hi = solid.bounds()
    assert np.all((points >= lo - 1e-9) & (points <= hi + 1e-9))
    assert truth(solid, points).mean() > 0.9999
    cube = np.random.default_rng(4).uniform(lo, hi, (600_000, 3))
    cube = cube[truth(solid, cube)]
    weight = np.array([1, 2, 4])
    middle = np.median(cube, axis=0)
    mine = np.bincount((points > middle) @ weight, minlength=8) / n
    reference = np.bincount((cube > middle) @ weight, minlength=8) / len(cube)
    error = np.sqrt(reference * (1.0 - reference) * (1.0 / n + 1.0 / len(cube)))
    assert np.all(np.abs(mine - reference) < 4.5 * error + 1e-12)
    r_mine, r_reference = np.linalg.norm(points, axis=1), np.linalg.norm(cube, axis=1)
    spread = r_reference.std() * math.sqrt(1.0 / n + 1.0 / len(cube))
    assert abs(r_mine.mean() - r_reference.mean()) < 4.5 * spread


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_bounds_are_tight(solid):
    lo, hi = solid.bounds()
    points = solid.sample(60_000, np.random.default_rng(5))
    # Tips are reached by few points.
    assert np.all(points.min(axis=0) - lo < 0.12 * (hi - lo))
    assert np.all(hi - points.max(axis=0) < 0.12 * (hi - lo))


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_solids_fulfil_the_protocol_and_survive_pickling(solid):
    assert isinstance(solid, Solid)
    solid.intervals([0, 0, -9], [0, 0, 1])
    again = pickle.loads(pickle.dumps(solid))
    assert again.volume() == solid.volume()
    first = solid.intervals([[0.1, 0.2, -9.0]], [[0.0, 0.1, 1.0]])
    second = again.intervals([[0.1, 0.2, -9.0]], [[0.0, 0.1, 1.0]])
    assert np.array_equal(first.t_in, second.t_in)


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_meshes_are_closed_and_converge_to_the_volume(solid):
    coarse, fine = solid.mesh(sections=32), solid.mesh(sections=128)
    assert coarse.is_watertight
    assert fine.is_watertight
    assert fine.volume == pytest.approx(solid.volume(), rel=4e-3)
    error = abs(coarse.volume / solid.volume() - 1.0)
    # Inscribed polygons: the error falls with the square of the number of sides.
    assert abs(fine.volume / solid.volume() - 1.0) < 0.1 * error + 1e-9
    lo, hi = solid.bounds()
    assert np.all(fine.bounds[0] >= lo - 1e-9)
    assert np.all(fine.bounds[1] <= hi + 1e-9)


def same_intervals(a, b, atol=1e-9):
    assert np.array_equal(a.offsets, b.offsets)
    np.testing.assert_allclose(a.t_in, b.t_in, atol=atol)
    np.testing.assert_allclose(a.t_out, b.t_out, atol=atol)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Cone(3, 2, 2, 1, 1, "x", 0.2, 4.0), Cylinder(2, 3, 1, "x", 0.2, 4.0)),
        (Polycone([-1.5, 0, 1.5], [2, 2, 2]), Cylinder(2, 3)),
        (Trapezoid(2, 2, 3, 3, 4), Box(2, 3, 4)),
        (Polyhedron(np.array(np.meshgrid([-1, 1], [-2, 2], [-3, 3])).reshape(3, 8).T),
         Box(2, 4, 6)),
        (Ellipsoid(2, 2, 2), Sphere(2)),
        (EllipticalTube(2, 2, 3), Cylinder(2, 3)),
        (Polyhedra(6, [-1, 1], [2, 2], start_phi=-math.pi / 6), RegularPrism(6, 2, 2)),
    ],
    ids=lambda solid: type(solid).__name__,
)  # fmt: skip
def test_limiting_cases_are_the_simple_solids(one, other):
    origins, directions, _ = random_lines(other, 2000, 11)
    same_intervals(one.intervals(origins, directions), other.intervals(origins, directions))
    assert one.volume() == pytest.approx(other.volume(), rel=1e-14)
    np.testing.assert_allclose(one.bounds(), other.bounds(), atol=1e-12)


def test_chords_in_closed_form():
    # a cone of height 2 and radius 1 with its tip at z = 1: along the axis, and across at z = 0
    cone = Cone(2.0, 1.0, 0.0)
    assert cone.intervals([0, 0, -9], [0, 0, 1]).t_out[0] == 10.0
    across = cone.intervals([-9, 0.3, 0], [1, 0, 0])
    assert across.t_out[0] - across.t_in[0] == pytest.approx(2 * math.sqrt(0.25 - 0.09), rel=1e-14)
    # parallel to its own surface: half the height of the tip
    slant = np.array([-0.5, 0.0, 1.0]) / math.sqrt(1.25)
    inside = cone.intervals(np.array([0.25, 0, 0]) - 5 * slant, slant)
    points = np.array([0.25, 0, 0]) + (np.array([inside.t_in[0], inside.t_out[0]])[:, None] - 5) * (
        slant
    )
    np.testing.assert_allclose(points[0], [0.75, 0, -1], atol=1e-12)
    np.testing.assert_allclose(points[1], [-0.125, 0, 0.75], atol=1e-12)
    # a torus along x: four faces
    torus = Torus(3.0, 1.0, 0.5)
    line = torus.intervals([-9, 0, 0], [1, 0, 0])
    np.testing.assert_allclose(line.t_in, [5, 6.5, 11, 12.5], atol=1e-12)
    np.testing.assert_allclose(line.t_out, [5.5, 7, 11.5, 13], atol=1e-12)
    # through its hole nothing; touching it from above nothing
    assert len(torus.intervals([0, 0, -9], [0, 0, 1]).t_in) == 0
    assert len(torus.intervals([-9, 0, 1.0], [1, 0, 0]).t_in) == 0


def test_thin_torus_keeps_its_chords():
    # A wire of 0.1 mm on a ring of 10 m, from 1 km away: crossing it gives its diameter,
    # obliquely a diameter over the cosine.
    torus = Torus(1000.0, 0.01)
    directions = np.array([[0.0, 0.0, 1.0], [0.0, 0.6, 0.8]])
    origins = np.array([1000.0, 0.0, 0.0]) - 1e5 * directions
    found = torus.intervals(origins, directions)
    np.testing.assert_allclose(found.t_out - found.t_in, [0.02, 0.025], rtol=1e-7)


@pytest.mark.parametrize("solid", [s for s in EXAMPLES if not isinstance(s, Torus)], ids=repr)
def test_far_origins_keep_the_chord(solid):
    # 1000 km away coordinates are known to 1e-8 cm; chords to about as much.
    _, directions, aim = random_lines(solid, 300, 5)
    near = solid.intervals(aim, directions)
    far = solid.intervals(aim - 1e8 * directions, directions)
    line = np.repeat(np.arange(300), np.diff(near.offsets))
    chord = np.bincount(line, near.t_out - near.t_in, minlength=300)
    line = np.repeat(np.arange(300), np.diff(far.offsets))
    # Grazing lines change their chord with the square root of the shift.
    clear = chord > 0.1
    other = np.bincount(line, far.t_out - far.t_in, minlength=300)
    assert np.abs(chord - other)[clear].max() < 3e-6
    assert clear.sum() > 50


def test_no_nan_for_special_lines():
    values = [-1.0, -0.5, 0.0, 0.5, 1.0]
    origins = np.array(np.meshgrid(values, values, values)).reshape(3, -1).T
    ways = np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1])).reshape(3, -1).T.astype(float)
    ways = ways[np.any(ways != 0.0, axis=1)]
    ways = np.concatenate([ways, ways + np.array([1e-300, 1e-320, -1e-17])])
    o = np.repeat(origins, len(ways), axis=0)
    d = np.tile(ways, (len(origins), 1))
    for solid in (
        Cone(2.0, 1.0, 0.0),
        Cone(2.0, 1.0, 0.5, 0.5, 0.5, "x", 0.0, 0.5 * math.pi),
        Polycone([-1, 0, 0, 1], [1, 0.5, 1, 0], None, "y", 0.0, 1.5 * math.pi),
        Torus(0.5, 0.5),
        Torus(0.75, 0.25, 0.1, 0.0, 1.5 * math.pi),
        Ellipsoid(1.0, 0.5, 1.0, -0.5, 0.5),
        Trapezoid(2.0, 1.0, 2.0, 0.0, 2.0),
        Polyhedra(4, [-1, 1], [1, 0.5], [0.5, 0.5]),
        Polyhedron([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]),
    ):
        offsets, t_in, t_out = solid.intervals(o, d)
        assert np.all(np.isfinite(t_in))
        assert np.all(np.isfinite(t_out))
        assert np.all(t_in < t_out)
        assert np.all(np.diff(offsets) <= 5)


@pytest.mark.parametrize("axis", range(3))
def test_line_in_a_face_belongs_to_the_lower_face(axis):
    cube = Polyhedron(np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T)
    direction = np.roll([0.0, 1.0, 0.0], axis)
    lower, upper = np.roll([-1.0, 0.0, 0.0], axis), np.roll([1.0, 0.0, 0.0], axis)
    for solid in (cube, Trapezoid(2, 2, 2, 2, 2)):
        for sign in (1.0, -1.0):
            assert len(solid.intervals(lower, sign * direction).t_in) == 1
            assert len(solid.intervals(upper, sign * direction).t_in) == 0
        assert solid.contains([lower])[0]
        assert not solid.contains([upper])[0]


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Cone(-1.0, 1.0, 1.0), "length must be positive"),
        (lambda: Cone(1.0, -1.0, 1.0), "0 <= inner <= outer"),
        (lambda: Cone(1.0, 1.0, 1.0, 2.0), "0 <= inner <= outer"),
        (lambda: Cone(1.0, 0.0, 0.0), "no volume"),
        (lambda: Cone(1.0, "wide", 1.0), "must be a number"),
        (lambda: Cone(1.0, 1.0, 1.0, delta_phi=9.0), "delta_phi"),
        (lambda: Polycone([0, 1], [1, 2, 3]), "same length"),
        (lambda: Polycone([0, 2, 1], [1, 1, 1]), "must ascend"),
        (lambda: Polycone([0, 0], [1, 1]), "must ascend"),
        (lambda: Polycone([0], [1]), "at least 2"),
        (lambda: Polycone([0, math.nan], [1, 1]), "finite numbers"),
        (lambda: Polycone([0, 1], [1, 1], [1, 1]), "no volume"),
        (lambda: Polyhedra(2, [0, 1], [1, 1]), "sides"),
        (lambda: Polyhedra(6.5, [0, 1], [1, 1]), "sides"),
        (lambda: Polyhedra(6, [0, 1], [1, 1], [2, 2]), "apothems"),
        (lambda: Polyhedra(1, [0, 1], [1, 1], delta_phi=math.pi), "cannot span"),
        (lambda: Torus(1.0, 2.0), "must not exceed ring_radius"),
        (lambda: Torus(2.0, 1.0, 1.0), "inner_radius"),
        (lambda: Ellipsoid(1.0, 0.0, 1.0), "b must be positive"),
        (lambda: Ellipsoid(1.0, 1.0, 1.0, 2.0), "nothing is left"),
        (lambda: EllipticalTube(1.0, 1.0, math.inf), "length must be finite"),
        (lambda: Trapezoid(-1.0, 1.0, 1.0, 1.0, 1.0), "must not be negative"),
        (lambda: Trapezoid(0.0, 0.0, 1.0, 1.0, 1.0), "no volume"),
        (lambda: Polyhedron([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]), "plane"),
        (lambda: Polyhedron([[0, 0], [1, 0], [0, 1]]), "shape"),
        (lambda: Polyhedron([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4], [0.5, 0.5, 0.5]]),
         "not convex"),
        (lambda: Polyhedron([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]], [[0, 1, 7]]), "indices"),
        (lambda: Cone(1.0, 1.0, 1.0).mesh(sections=2), "sections"),
        (lambda: Torus(2.0, 1.0).intervals([[0, 0, 0]], [[0, 0, 0]]), "zero"),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong(build, text):
    with pytest.raises(GeometryError, match=text):
        build()


def test_placements_compose():
    rng = np.random.default_rng(2)
    a = Placement.of(rng.normal(size=3), Rotation.random(None, rng))
    b = Placement.of(rng.normal(size=3), Rotation.random(None, rng))
    points = rng.normal(size=(20, 3))
    np.testing.assert_allclose(
        (a @ b).to_detector(points), a.to_detector(b.to_detector(points)), atol=1e-12
    )
    quarter = Placement.of((0, 0, 0), Rotation.from_euler("z", 90, degrees=True))
    whole = quarter @ quarter @ quarter @ quarter
    assert np.array_equal(whole.matrix, np.eye(3))
