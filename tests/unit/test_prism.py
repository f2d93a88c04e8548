"""Extruded polygons: concave, with holes, shifted and scaled."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from siren_py.errors import GeometryError
from siren_py.geometry import Box, Polycone, Polyhedron, Prism, RegularPrism

FRAME = {"x": (1, 2, 0), "y": (2, 0, 1), "z": (0, 1, 2)}
STAR = Polygon(
    [
        (r * math.cos(a), r * math.sin(a))
        for a, r in zip(np.arange(10) * math.pi / 5, [3.0, 1.2] * 5, strict=True)
    ]
)
FRAMED = Polygon(
    [(-3, -3), (3, -3), (3, 3), (-3, 3)],
    [[(-2, -2), (-2, 1), (1, -2)], [(0.5, 0.5), (2, 0.5), (2, 2), (0.5, 2)]],
)
ELL = [(0, 0), (4, 0), (4, 1), (1, 1), (1, 3), (0, 3)]


def truth(solid, points):
    """Containment from the definition, with the point-in-polygon test of shapely."""
    u, v, w = (points[:, i] for i in FRAME[solid.axis])
    inside = np.zeros(len(points), bool)
    table = np.array(solid.sections)
    for low, high in itertools.pairwise(table):
        if high[0] == low[0]:
            continue
        here = (w >= low[0]) & (w < high[0])
        part = (w[here] - low[0]) / (high[0] - low[0])
        _, du, dv, scale = (low + part[:, None] * (high - low)).T
        x, y = (u[here] - du) / scale, (v[here] - dv) / scale
        inside[here] = shapely.contains_xy(solid.polygon, x, y)
    return inside


@st.composite
def polygons(draw):
    """A star-shaped polygon of random radii, concave as a rule, perhaps with a hole."""
    n = draw(st.integers(3, 12))
    radii = np.array(draw(st.lists(st.floats(0.5, 5.0), min_size=n, max_size=n)))
    shift = draw(st.floats(-3.0, 3.0))
    angle = np.arange(n) * 2.0 * math.pi / n
    outline = np.column_stack([radii * np.cos(angle) + shift, radii * np.sin(angle)])
    if not draw(st.booleans()):
        return Polygon(outline)
    hole = 0.3 * (outline - (shift, 0.0)) + (shift, 0.0)
    return Polygon(outline, [hole])


@st.composite
def prisms(draw):
    polygon, axis = draw(polygons()), draw(st.sampled_from("xyz"))
    if draw(st.booleans()):
        return Prism(polygon, draw(st.floats(0.1, 10.0)), axis=axis)
    n = draw(st.integers(2, 4))
    steps = [0.5, *draw(st.lists(st.floats(0.0, 4.0), min_size=n - 2, max_size=n - 2))]
    z = np.cumsum([draw(st.floats(-5.0, 5.0)), *steps])
    offset = st.floats(-2.0, 2.0)
    sections = [(h, draw(offset), draw(offset), draw(st.floats(0.2, 3.0))) for h in z]
    return Prism(polygon, sections=sections, axis=axis)


EXAMPLES = [
    Prism(ELL, 3.0),
    Prism(ELL[::-1], 3.0, axis="y"),
    Prism(STAR, 2.0, axis="x"),
    Prism(FRAMED, 1.0),
    Prism(FRAMED, sections=[(-1, 0, 0, 1), (0, 0.5, -0.5, 2), (0, 0, 0, 1), (2, 1, 0, 0.5)]),
    Prism(STAR, sections=[(0, 0, 0, 2), (3, 0, 0, 0.5)], axis="y"),
]


def random_lines(solid, n, seed):
    rng = np.random.default_rng(seed)
    lo, hi = solid.bounds()
    aim = rng.uniform(lo, hi, (n, 3))
    directions = rng.normal(size=(n, 3))
    directions[: n // 4] = np.eye(3)[rng.integers(0, 3, n // 4)]
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return aim - 60.0 * directions, directions


@settings(max_examples=150, deadline=None)
@given(prisms(), st.integers(0, 2**32 - 1))
def test_intervals_agree_with_containment_along_the_line(solid, seed):
    origins, directions = random_lines(solid, 20, seed)
    offsets, t_in, t_out = solid.intervals(origins, directions)
    t = np.linspace(20.0, 100.0, 1501)
    for i in range(len(origins)):
        mine = slice(offsets[i], offsets[i + 1])
        assert np.all(t_in[mine] < t_out[mine])
        assert np.all(t_in[mine][1:] > t_out[mine][:-1])
        points = origins[i] + t[:, None] * directions[i]
        expected = truth(solid, points)
        edges = np.concatenate([t_in[mine], t_out[mine], [math.inf]])
        clear = np.abs(t[:, None] - edges).min(axis=1) > 1e-6
        step = 1e-6 * directions[i]
        clear &= (truth(solid, points - step) == expected) & (
            truth(solid, points + step) == expected
        )
        at = np.searchsorted(t_in[mine], t, side="right") - 1
        inside = (at >= 0) & (t < np.append(t_out[mine], -math.inf)[at])
        assert np.array_equal(inside[clear], expected[clear])


@settings(max_examples=100, deadline=None)
@given(prisms(), st.integers(0, 2**32 - 1))
def test_contains_follows_the_definition(solid, seed):
    lo, hi = solid.bounds()
    points = np.random.default_rng(seed).uniform(lo - 0.2, hi + 0.2, (500, 3))
    assert np.array_equal(solid.contains(points), truth(solid, points))


@pytest.mark.parametrize("solid", EXAMPLES, ids=str)
def test_volume_bounds_samples_and_mesh(solid):
    lo, hi = solid.bounds()
    n = 200_000
    cube = np.random.default_rng(7).uniform(lo, hi, (n, 3))
    hit = truth(solid, cube)
    share = solid.volume() / float(np.prod(hi - lo))
    assert abs(hit.mean() - share) < 4.0 * math.sqrt(share * (1.0 - share) / n)
    points = solid.sample(30_000, np.random.default_rng(3))
    assert truth(solid, points).mean() > 0.9999
    assert np.all(points.min(axis=0) - lo < 0.1 * (hi - lo))
    assert np.all(hi - points.max(axis=0) < 0.1 * (hi - lo))
    cube = cube[hit]
    middle = np.median(cube, axis=0)
    mine = np.bincount((points > middle) @ [1, 2, 4], minlength=8) / len(points)
    reference = np.bincount((cube > middle) @ [1, 2, 4], minlength=8) / len(cube)
    error = np.sqrt(reference * (1.0 - reference) * (1.0 / len(points) + 1.0 / len(cube)))
    assert np.all(np.abs(mine - reference) < 4.5 * error + 1e-12)
    surface = solid.mesh()
    assert surface.is_watertight
    # Walls are flat, so nothing is lost in the triangles.
    assert surface.volume == pytest.approx(solid.volume(), rel=1e-12)


def test_a_square_is_a_box_to_the_last_bit():
    square, box = Prism([(-1, -2), (1, -2), (1, 2), (-1, 2)], 6.0), Box(2, 4, 6)
    origins, directions = random_lines(box, 2000, 3)
    a, b = square.intervals(origins, directions), box.intervals(origins, directions)
    assert np.array_equal(a.offsets, b.offsets)
    np.testing.assert_allclose(a.t_in, b.t_in, atol=1e-12)
    for axis in range(2):
        direction = np.roll([0.0, 1.0, 0.0], axis)
        direction = np.eye(3)[1 - axis]
        lower, upper = -np.eye(3)[axis] * (1 + axis), np.eye(3)[axis] * (1 + axis)
        for sign in (1.0, -1.0):
            for along in (direction, np.eye(3)[2]):
                assert len(square.intervals(lower, sign * along).t_in) == 1
                assert len(square.intervals(upper, sign * along).t_in) == 0
        assert square.contains([lower])[0]
        assert not square.contains([upper])[0]


def test_other_solids_as_limits():
    hexagon = RegularPrism(6, 2.0, 3.0)
    prism = Prism(hexagon.corners(), 3.0)
    origins, directions = random_lines(hexagon, 2000, 3)
    a, b = prism.intervals(origins, directions), hexagon.intervals(origins, directions)
    np.testing.assert_allclose(a.t_in, b.t_in, atol=1e-10)
    # a frustum of a pyramid, shifted: the same corners as a convex polyhedron
    tapered = Prism([(0, 0), (2, 0), (0, 3)], sections=[(0, 0, 0, 1), (2, 1, -1, 0.4)])
    body = Polyhedron(tapered.hull())
    assert tapered.volume() == pytest.approx(body.volume(), rel=1e-12)
    origins, directions = random_lines(body, 2000, 4)
    a, b = tapered.intervals(origins, directions), body.intervals(origins, directions)
    assert np.array_equal(a.offsets, b.offsets)
    np.testing.assert_allclose(a.t_out, b.t_out, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_lines_through_the_tip_of_a_taper(seed):
    # Their image in the plane of the polygon is a point: inside all the way or not at all.
    rng = np.random.default_rng(seed)
    solid = Prism(ELL, sections=[(0, 0, 0, 1), (3, 0, 0, 0.25)])
    tip = np.array([0.0, 0.0, 4.0])
    foot = np.column_stack([rng.uniform(-1, 5, (50, 2)), np.zeros(50)])
    directions = tip - foot
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    found = solid.intervals(foot - directions, directions)
    chord = np.bincount(
        np.repeat(np.arange(50), np.diff(found.offsets)), found.t_out - found.t_in, minlength=50
    )
    inside = shapely.contains_xy(solid.polygon, foot[:, 0], foot[:, 1])
    expected = np.where(inside, 3.0 / directions[:, 2], 0.0)
    np.testing.assert_allclose(chord, expected, atol=1e-9)


def test_lines_through_corners_and_along_edges():
    # Every horizontal line through the corners of a star, at all heights: parity must hold.
    solid = Prism(STAR, 2.0)
    corners = np.array(STAR.exterior.coords)[:-1]
    pairs = [(p, q) for p in corners for q in corners if np.any(p != q)]
    origins = np.array([[*(p - 7.0 * (q - p)), 0.0] for p, q in pairs])
    directions = np.array([[*(q - p), 0.0] for p, q in pairs])
    offsets, t_in, t_out = solid.intervals(origins, directions)
    line = np.repeat(np.arange(len(pairs)), np.diff(offsets))
    # A line through corners differs from its neighbours on either side by nothing more than an
    # edge, whose length it may count or not.
    step = 1e-7 * np.column_stack([-directions[:, 1], directions[:, 0], 0.0 * directions[:, 0]])
    chords = np.bincount(line, t_out - t_in, minlength=len(pairs))
    sides = []
    for sign in (1.0, -1.0):
        found = solid.intervals(origins + sign * step, directions)
        line = np.repeat(np.arange(len(pairs)), np.diff(found.offsets))
        sides.append(np.bincount(line, found.t_out - found.t_in, minlength=len(pairs)))
    near = np.minimum(np.abs(chords - sides[0]), np.abs(chords - sides[1]))
    between = (chords > np.minimum(*sides) - 1e-5) & (chords < np.maximum(*sides) + 1e-5)
    assert np.all((near < 1e-5) | between)


def test_many_corners():
    # a circle of 2000 corners against the polycone it approximates from inside
    angle = np.arange(2000) * math.pi / 1000
    disc = Prism(np.column_stack([np.cos(angle), np.sin(angle)]), 1.0)
    round_one = Polycone([-0.5, 0.5], [1.0, 1.0])
    origins, directions = random_lines(round_one, 300, 6)
    a, b = disc.intervals(origins, directions), round_one.intervals(origins, directions)
    assert np.sum(a.t_out - a.t_in) == pytest.approx(np.sum(b.t_out - b.t_in), rel=1e-5)
    assert disc.volume() == pytest.approx(round_one.volume(), rel=1e-5)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Prism([(0, 0), (2, 2), (2, 0), (0, 2)], 1.0), r"Self-intersection\[1 1\]"),
        (lambda: Prism([(0, 0), (1, 1)], 1.0), "at least three corners"),
        (lambda: Prism([(0, 0), (1, 1), (2, 2)], 1.0), "not valid|no area"),
        (lambda: Prism([(0, 0), (1, 0), (math.nan, 1)], 1.0), "finite"),
        (lambda: Prism([(0, 0, 0), (1, 0, 0), (0, 1, 0)], 1.0), "shape"),
        (lambda: Prism("square", 1.0), "list of"),
        (lambda: Prism(shapely.Point(0, 0), 1.0), "Point"),
        (lambda: Prism(Polygon(), 1.0), "empty"),
        (lambda: Prism(STAR.union(shapely.box(9, 9, 10, 10)), 1.0), "MultiPolygon"),
        (lambda: Prism(Polygon(ELL, [[(-1, -1), (0.5, 0.5), (0.5, -1)]]), 1.0), "not valid"),
        (lambda: Prism(ELL), "either length or sections"),
        (lambda: Prism(ELL, 1.0, [(0, 0, 0, 1), (1, 0, 0, 1)]), "either length or sections"),
        (lambda: Prism(ELL, -1.0), "length must be positive"),
        (lambda: Prism(ELL, sections=[(0, 0, 0, 1)]), "two or more"),
        (lambda: Prism(ELL, sections=[(1, 0, 0, 1), (0, 0, 0, 1)]), "must ascend"),
        (lambda: Prism(ELL, sections=[(0, 0, 0, 1), (1, 0, 0, 0)]), "scales must be positive"),
        (lambda: Prism(ELL, sections=[(0, 0, 0), (1, 0, 0)]), "shape"),
        (lambda: Prism(ELL, sections=[(0, 0, 0, 1), (1, 0, math.inf, 1)]), "finite"),
        (lambda: Prism(ELL, 1.0, axis="w"), "axis"),
    ],
)
def test_errors_say_what_is_wrong(build, text):
    with pytest.raises(GeometryError, match=text):
        build()
