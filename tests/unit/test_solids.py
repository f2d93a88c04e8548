from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from siren_py.errors import GeometryError
from siren_py.geometry import Box, Cylinder, Placement, RegularPrism, Solid, Sphere

TWO_PI = 2.0 * math.pi


def radius_and_azimuth(p, axis):
    u, v, w = (p[:, i] for i in {"x": (1, 2, 0), "y": (2, 0, 1), "z": (0, 1, 2)}[axis])
    return np.hypot(u, v), np.arctan2(v, u), w


def truth(solid, p):
    """Containment from the definitions of the solids, independent of the kernels."""
    if isinstance(solid, Box):
        return np.all(np.abs(p) < 0.5 * np.array([solid.dx, solid.dy, solid.dz]), axis=1)
    if isinstance(solid, Sphere):
        r = np.linalg.norm(p, axis=1)
        return (r < solid.radius) & (r >= solid.inner_radius)
    r, phi, w = radius_and_azimuth(p, solid.axis)
    short = np.abs(w) < 0.5 * solid.length
    if isinstance(solid, Cylinder):
        sector = np.mod(phi - solid.start_phi, TWO_PI) < solid.delta_phi
        return short & (r < solid.radius) & (r >= solid.inner_radius) & sector
    step = TWO_PI / solid.sides
    from_normal = np.mod(phi - solid.start_phi + 0.5 * step, step) - 0.5 * step
    return short & (r * np.cos(from_normal) < solid.apothem)


sizes = st.floats(0.1, 50.0)
parts = st.floats(0.0, 0.95)
axes = st.sampled_from("xyz")
angles = st.floats(-7.0, 7.0)
boxes = st.builds(Box, sizes, sizes, sizes)
spheres = st.builds(lambda r, f: Sphere(r, f * r), sizes, parts)
cylinders = st.builds(
    lambda r, length, f, axis, start, delta: Cylinder(r, length, f * r, axis, start, delta),
    sizes, sizes, parts, axes, angles, st.one_of(st.just(TWO_PI), st.floats(0.05, TWO_PI)),
)  # fmt: skip
prisms = st.builds(RegularPrism, st.integers(3, 8), sizes, sizes, axes, angles)
solids = st.one_of(boxes, spheres, cylinders, prisms)

EXAMPLES = [
    Box(3.0, 4.0, 5.0),
    Sphere(2.0),
    Sphere(2.0, 1.5),
    Cylinder(2.0, 3.0),
    Cylinder(2.0, 3.0, 1.0, "x"),
    Cylinder(2.0, 3.0, 1.0, "y", 0.3, 1.1),
    Cylinder(2.0, 3.0, 0.5, "z", -1.0, 5.0),
    Cylinder(2.0, 3.0, 0.0, "z", 0.0, math.pi),
    RegularPrism(6, 2.0, 1.0),
    RegularPrism(5, 2.0, 1.0, "x", 0.2),
]


def random_lines(solid, n, seed):
    rng = np.random.default_rng(seed)
    lo, hi = solid.bounds()
    aim = rng.uniform(lo, hi, (n, 3)) * 1.1
    directions = rng.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return aim + directions * rng.uniform(-300.0, 300.0, (n, 1)), directions, aim


@settings(max_examples=150, deadline=None)
@given(solids, st.integers(0, 2**32 - 1))
def test_intervals_agree_with_containment_along_the_line(solid, seed):
    origins, directions, aim = random_lines(solid, 20, seed)
    offsets, t_in, t_out = solid.intervals(origins, directions)
    size = np.linalg.norm(np.subtract(*solid.bounds()))
    for i in range(len(origins)):
        middle = (aim[i] - origins[i]) @ directions[i]
        t = middle + np.linspace(-1.2 * size, 1.2 * size, 400)
        mine = slice(offsets[i], offsets[i + 1])
        within = np.zeros(len(t), bool)
        far = np.ones(len(t), bool)  # from every face
        for a, b in zip(t_in[mine], t_out[mine], strict=True):
            within |= (t >= a) & (t < b)
            far &= (np.abs(t - a) > 1e-7) & (np.abs(t - b) > 1e-7)
        expected = truth(solid, origins[i] + t[:, None] * directions[i])
        # A chord much shorter than 1e-7 may hide between both tests; faces are excluded.
        assert np.array_equal(within[far], expected[far])
        assert np.all(t_in[mine] < t_out[mine])
        assert np.all(t_in[mine][1:] >= t_out[mine][:-1])


@settings(max_examples=100, deadline=None)
@given(solids, st.integers(0, 2**32 - 1))
def test_contains_follows_the_definition(solid, seed):
    lo, hi = solid.bounds()
    points = np.random.default_rng(seed).uniform(1.1 * lo, 1.1 * hi, (500, 3))
    assert np.array_equal(solid.contains(points), truth(solid, points))


@settings(max_examples=60, deadline=None)
@given(solids, st.integers(0, 2**32 - 1))
def test_reversed_line_has_the_same_intervals(solid, seed):
    origins, directions, _ = random_lines(solid, 20, seed)
    there, back = solid.intervals(origins, directions), solid.intervals(origins, -directions)
    assert np.array_equal(there.offsets, back.offsets)
    for i in range(len(origins)):
        mine = slice(there.offsets[i], there.offsets[i + 1])
        np.testing.assert_allclose(there.t_in[mine], -back.t_out[mine][::-1], atol=1e-9)
        np.testing.assert_allclose(there.t_out[mine], -back.t_in[mine][::-1], atol=1e-9)


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_volume_agrees_with_monte_carlo(solid):
    n = 200_000
    lo, hi = solid.bounds()
    hit = truth(solid, np.random.default_rng(7).uniform(lo, hi, (n, 3)))
    whole = float(np.prod(hi - lo))
    share = solid.volume() / whole
    assert abs(hit.mean() - share) < 4.0 * math.sqrt(share * (1.0 - share) / n) + 1e-12


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_samples_are_inside_and_uniform(solid):
    n = 40_000
    points = solid.sample(n, np.random.default_rng(3))
    assert points.shape == (n, 3)
    lo, hi = solid.bounds()
    assert np.all(points >= lo - 1e-9)
    assert np.all(points <= hi + 1e-9)
    # Rounding may put a point on the wrong side of a curved face, but not many.
    assert solid.contains(points).mean() > 0.9999
    # Octants of the bounding box: shares against rejection from the definition.
    cube = np.random.default_rng(4).uniform(lo, hi, (400_000, 3))
    cube = cube[truth(solid, cube)]
    weight = np.array([1, 2, 4])
    middle = 0.5 * (lo + hi)
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
    assert np.all(points.min(axis=0) - lo < 0.08 * (hi - lo))
    assert np.all(hi - points.max(axis=0) < 0.08 * (hi - lo))


@pytest.mark.parametrize("solid", EXAMPLES, ids=repr)
def test_solids_fulfil_the_protocol(solid):
    assert isinstance(solid, Solid)


@pytest.mark.parametrize("axis", range(3))
def test_line_in_a_face_belongs_to_the_lower_face(axis):
    box = Box(2.0, 2.0, 2.0)
    direction = np.roll([0.0, 1.0, 0.0], axis)
    lower = np.roll([-1.0, 0.0, 0.0], axis)
    upper = np.roll([1.0, 0.0, 0.0], axis)
    for sign in (1.0, -1.0):
        assert len(box.intervals(lower, sign * direction).t_in) == 1
        assert len(box.intervals(upper, sign * direction).t_in) == 0
    assert box.contains([lower])[0]
    assert not box.contains([upper])[0]


def test_no_nan_for_special_lines():
    values = [-1.0, -0.5, 0.0, 0.5, 1.0]
    origins = np.array(np.meshgrid(values, values, values)).reshape(3, -1).T
    ways = np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1])).reshape(3, -1).T.astype(float)
    ways = ways[np.any(ways != 0.0, axis=1)]
    ways = np.concatenate([ways, ways + np.array([1e-300, 1e-320, -1e-17])])
    o = np.repeat(origins, len(ways), axis=0)
    d = np.tile(ways, (len(origins), 1))
    for solid in (
        Box(2, 2, 2),
        Sphere(1.0, 0.5),
        Cylinder(1.0, 2.0, 0.5),
        Cylinder(1.0, 2.0, 0.5, "x", 0.0, 0.5 * math.pi),
        Cylinder(1.0, 2.0, 0.0, "y", 0.0, 1.5 * math.pi),
        RegularPrism(4, 1.0, 2.0),
    ):
        offsets, t_in, t_out = solid.intervals(o, d)
        assert np.all(np.isfinite(t_in))
        assert np.all(np.isfinite(t_out))
        assert np.all(t_in < t_out)
        assert np.all(np.diff(offsets) <= 3)


def test_far_origin_keeps_the_chord():
    # 600 m away, a 0.1 mm plate and a sphere: the chord must survive to 1e-9 relative to 1 cm.
    d = np.array([[0.01, 0.02, 1.0]])
    d /= np.linalg.norm(d)
    for solid, chord in ((Box(500.0, 500.0, 0.01), 0.01 / d[0, 2]), (Sphere(5.0), 10.0)):
        _, t_in, t_out = solid.intervals(-6e4 * d, d)
        assert t_out[0] - t_in[0] == pytest.approx(chord, abs=1e-10)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Box(1.0, 0.0, 1.0), "dy must be positive"),
        (lambda: Box(1.0, float("nan"), 1.0), "dy"),
        (lambda: Box("wide", 1.0, 1.0), "dx must be a number"),
        (lambda: Sphere(-1.0), "radius"),
        (lambda: Sphere(1.0, 1.0), "inner_radius"),
        (lambda: Cylinder(1.0, float("inf")), "length"),
        (lambda: Cylinder(1.0, 1.0, axis="w"), "axis"),
        (lambda: Cylinder(1.0, 1.0, delta_phi=7.0), "delta_phi"),
        (lambda: Cylinder(1.0, 1.0, delta_phi=0.0), "delta_phi"),
        (lambda: Cylinder(1.0, 1.0, start_phi=float("nan")), "start_phi"),
        (lambda: RegularPrism(2, 1.0, 1.0), "sides"),
        (lambda: RegularPrism(6, 1.0, 1.0, start_phi=float("inf")), "start_phi"),
        (lambda: Box(1, 1, 1).intervals([[0, 0, 0]], [[0, 0, 0]]), "zero"),
        (lambda: Box(1, 1, 1).intervals([[0, 0]], [[0, 0]]), "shape"),
        (lambda: Box(1, 1, 1).intervals([[0, 0, np.nan]], [[0, 0, 1]]), "finite"),
        (lambda: Box(1, 1, 1).contains([[0, 0, np.inf]]), "finite"),
        (lambda: Box(1, 1, 1).contains([[0, 0]]), "shape"),
        (lambda: Placement.of((0, 0)), "three"),
        (lambda: Placement.of((0, 0, "a")), "three numbers"),
        (lambda: Placement.of((0, 0, 0), np.diag([1, 1, -1])), "mirror"),
        (lambda: Placement.of((0, 0, 0), 2.0 * np.eye(3)), "not a rotation"),
        (lambda: Placement.of((0, 0, 0), np.full((3, 3), np.nan)), "not a rotation"),
        (lambda: Placement.of((0, 0, 0), np.eye(2)), "shape"),
        (lambda: Placement.of((0, 0, 0), Rotation.random(2, 1)), "one rotation"),
        (lambda: Placement.of((0, 0, 0), "sideways"), "scipy Rotation"),
    ],
)
def test_errors_say_what_is_wrong(build, text):
    with pytest.raises(GeometryError, match=text):
        build()


def test_quarter_turns_are_exact():
    for axis in "xyz":
        placement = Placement.of((1, 2, 3), Rotation.from_euler(axis, 90, degrees=True))
        assert placement.is_axis_aligned
        assert set(np.unique(placement.matrix)) <= {-1.0, 0.0, 1.0}
    assert not Placement.of((0, 0, 0), Rotation.from_euler("x", 1e-6)).is_axis_aligned
    assert not Placement.of((5, 5, 5)).is_rotated


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_placement_goes_there_and_back(seed):
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(None, rng)
    placement = Placement.of(rng.normal(size=3) * 100, rotation)
    points = rng.normal(size=(50, 3)) * 100
    placed = placement.to_detector(points)
    np.testing.assert_allclose(placed, rotation.apply(points) + placement.position, atol=1e-10)
    np.testing.assert_allclose(placement.to_local(placed), points, atol=1e-10)
    lo, hi = placement.box(points.min(axis=0), points.max(axis=0))
    assert np.all((placed >= lo - 1e-9) & (placed <= hi + 1e-9))
