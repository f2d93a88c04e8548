"""Radial densities: exact depths, the Earth, shells for the engine."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.spatial.transform import Rotation

from siren_py.detector import DetectorModel
from siren_py.errors import GeometryError
from siren_py.geometry import Box, RadialDensity, Sphere, prem
from siren_py.geometry.profiles import EARTH_RADIUS
from siren_py.materials import Material

ROCK = Material.from_formula("SiO2", density=2.65)
IRON = Material.from_element("Fe", density=7.9)


@st.composite
def profiles(draw):
    """Up to four shells with polynomials up to the fifth power that stay positive."""
    n = draw(st.integers(1, 4))
    edges = np.cumsum(draw(st.lists(st.floats(0.5, 5.0), min_size=n + 1, max_size=n + 1)))
    if draw(st.booleans()):
        edges[0] = 0.0
    size = float(edges[-1])
    rows = []
    for _ in range(n):
        powers = draw(st.lists(st.floats(-1.0, 1.0), min_size=0, max_size=5))
        rows.append([1.0 + sum(abs(c) for c in powers), *powers])
    centre = draw(st.tuples(*[st.floats(-3.0, 3.0)] * 3))
    return RadialDensity(edges, rows, centre, size)


def by_quadrature(profile, start, way, low, high):
    """The same integral with adaptive quadrature between the shells."""
    offset = start - profile.centre
    nearest = -offset @ way
    b2 = max(float(offset @ offset - nearest**2), 0.0)
    cuts = [low, high]
    for edge in profile.edges:
        if edge**2 > b2:
            cuts += [nearest - math.sqrt(edge**2 - b2), nearest + math.sqrt(edge**2 - b2)]
    cuts = sorted(c for c in cuts if low <= c <= high)
    total = 0.0
    for a, b in itertools.pairwise(cuts):
        if b > a:
            f = lambda t: float(profile.at_radius(math.sqrt(b2 + (t - nearest) ** 2))[0])  # noqa: E731
            total += quad(f, a, b, epsabs=0.0, epsrel=1e-10)[0]
    return total


@settings(max_examples=100, deadline=None)
@given(profiles(), st.integers(0, 2**32 - 1))
def test_depths_agree_with_quadrature(profile, seed):
    rng = np.random.default_rng(seed)
    start = rng.uniform(-15, 15, 3)
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    low, high = sorted(rng.uniform(-30, 30, 2))
    exact = profile.depth(start[None], way[None], low, high)[0]
    assert exact == pytest.approx(by_quadrature(profile, start, way, low, high), rel=1e-8, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(profiles(), st.integers(0, 2**32 - 1))
def test_depths_are_additive_and_symmetric(profile, seed):
    rng = np.random.default_rng(seed)
    n = 30
    starts, ways = rng.uniform(-15, 15, (n, 3)), rng.normal(size=(n, 3))
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    a, b, c = np.sort(rng.uniform(-30, 30, (3, n)), axis=0)
    whole = profile.depth(starts, ways, a, c)
    parts = profile.depth(starts, ways, a, b) + profile.depth(starts, ways, b, c)
    np.testing.assert_allclose(whole, parts, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(whole, profile.depth(starts, -ways, -c, -a), rtol=1e-10, atol=1e-10)


def test_chords_in_closed_form():
    # density r: the integral through the centre is R^2, at distance b it has an asinh
    profile = RadialDensity([0.0, 2.0], [[0.0, 1.0]])
    assert profile.depth([[0, 0, -9]], [[0, 0, 1]], 0, 99)[0] == pytest.approx(4.0, rel=1e-14)
    half = math.sqrt(3.0)
    expected = half * 2.0 + math.asinh(half)
    assert profile.depth([[1, 0, -9]], [[0, 0, 1]], 0, 99)[0] == pytest.approx(expected, rel=1e-14)
    assert profile.depth([[2, 0, -9]], [[0, 0, 1]], 0, 99)[0] == 0.0
    assert profile.mass() == pytest.approx(math.pi * 16.0, rel=1e-14)


def test_prem_has_the_mass_and_the_moment_of_inertia_of_the_earth():
    earth = prem()
    # GM = 3.986004e20 cm3/s2 and G = 6.6743e-8 give 5.9722e27 g; PREM was fitted to 5.974e27 g.
    assert earth.mass() == pytest.approx(5.974e27, rel=3e-4)
    # I/MR^2 = 0.3308, one of the data PREM was fitted to
    r = np.linspace(0.0, 1.0, 200_001)
    density = earth.at_radius(EARTH_RADIUS * r)
    inertia = 8.0 / 3.0 * math.pi * EARTH_RADIUS**5 * np.trapezoid(density * r**4, r)
    assert inertia / (earth.mass() * EARTH_RADIUS**2) == pytest.approx(0.3308, abs=2e-4)
    # Jumps of the density: core-mantle boundary 9.90 to 5.57, inner core 12.76 to 12.17 g/cm3.
    radii = np.array([1221.4e5, 1221.6e5, 3479.9e5, 3480.1e5, 6370e5, 6372e5])
    np.testing.assert_allclose(
        earth.at_radius(radii), [12.7636, 12.1663, 9.9035, 5.5664, 1.02, 0.0], atol=2e-3
    )
    assert prem(ocean=False).at_radius(6370e5)[0] == 2.6


def test_a_diameter_of_the_earth():
    detector = DetectorModel("earth")
    detector.add("earth", Sphere(EARTH_RADIUS), ROCK, profile=prem())
    depth = detector.column_depth([[0, 0, -EARTH_RADIUS]], [[0, 0, EARTH_RADIUS]])[0]
    r = np.linspace(0.0, 1.0, 2_000_001)
    middle = 0.5 * (r[1:] + r[:-1])
    numeric = 2.0 * EARTH_RADIUS * np.mean(prem().at_radius(EARTH_RADIUS * middle))
    assert depth == pytest.approx(numeric, rel=1e-6)
    assert depth == pytest.approx(1.0946856e10, rel=1e-7)  # g/cm2, known as 1.1e10
    assert detector.masses()["earth"].value == prem().mass()
    assert detector.masses()["earth"].error == 0.0


def moved_earth():
    """A ball with a profile, turned and moved, in a box and with a cavity."""
    detector = DetectorModel("ball")
    profile = RadialDensity([0.0, 1.0, 3.0, 4.0], [[5.0, 0.0, -1.0], [4.0, -0.5], [1.0]])
    turn = Rotation.from_rotvec([1.0, 2.0, 3.0])
    detector.add("box", Box(20, 20, 20), ROCK)
    detector.add("ball", Sphere(4.0), IRON, at=(1, 2, 3), rotation=turn, profile=profile)
    detector.add("cavity", Box(1, 1, 1), ROCK, at=(2, 2, 3))
    return detector, profile


def test_profiles_in_a_detector():
    detector, profile = moved_earth()
    rng = np.random.default_rng(4)
    points = rng.uniform(-10, 10, (3000, 3))
    density = detector.density(points)
    volume = detector.locate_index(points)[0]
    r = np.linalg.norm(points - (1, 2, 3), axis=1)
    expected = np.where(volume == 1, profile.at_radius(r), 2.65)
    np.testing.assert_allclose(density, expected, rtol=1e-12)
    starts, ends = rng.uniform(-12, 12, (2, 60, 3))
    depth = detector.column_depth(starts, ends)
    t = (np.arange(20_000) + 0.5) / 20_000
    for k in range(60):
        line = starts[k] + t[:, None] * (ends[k] - starts[k])
        sum_ = detector.density(line).mean() * np.linalg.norm(ends[k] - starts[k])
        assert depth[k] == pytest.approx(sum_, rel=2e-3, abs=1e-3)
    np.testing.assert_allclose(depth, detector.column_depth(ends, starts), rtol=1e-11)
    length = np.linalg.norm(ends - starts, axis=1)
    segments = detector.trace(starts, (ends - starts) / length[:, None], 0.0, length)
    np.testing.assert_allclose(segments.column_depth(), depth, rtol=1e-12)


def test_masses_with_a_profile():
    detector, profile = moved_earth()
    mass = detector.masses()["ball"]
    points = np.random.default_rng(5).uniform([1.5, 1.5, 2.5], [2.5, 2.5, 3.5], (400_000, 3))
    hole = profile.at_radius(np.linalg.norm(points - (1, 2, 3), axis=1))
    expected = profile.mass() - hole.mean()
    error = math.hypot(mass.error, float(hole.std()) / math.sqrt(len(points)))
    assert abs(mass.value - expected) < 4.0 * error
    assert 0.0 < mass.error < 2e-3 * expected
    assert detector.mass_by_material()["Fe"].value == pytest.approx(mass.value)


def test_shells_keep_the_mass_and_their_bound_holds():
    profile = prem()
    exact = DetectorModel("exact")
    exact.add("earth", Sphere(EARTH_RADIUS), ROCK, profile=profile)
    rng = np.random.default_rng(1)
    starts, ends = rng.uniform(-6e8, 6e8, (2, 500, 3))
    depth = exact.column_depth(starts, ends)
    errors = []
    for n in (1, 4, 16):
        shells = profile.shells(n)
        masses = 4.0 / 3.0 * math.pi * (shells.outer**3 - shells.inner**3) * shells.density
        assert masses.sum() == pytest.approx(profile.mass(), rel=1e-12)
        model = DetectorModel("shells")
        bound = model.add_shells("earth", profile, ROCK, n)
        assert bound == shells.error
        assert len(model) == 7 * n + 3
        through = depth > 0.0
        found = np.abs(model.column_depth(starts, ends)[through] / depth[through] - 1.0).max()
        assert found < bound
        errors.append(bound)
    assert errors[1] < 0.35 * errors[0]
    assert errors[2] < 0.35 * errors[1]


def test_shells_of_several_materials():
    profile = RadialDensity([0.0, 1.0, 2.0], [[8.0, -1.0], [3.0]])
    model = DetectorModel("ball")
    model.add_shells("ball", profile, [IRON, ROCK], 5, at=(1, 1, 1))
    assert len(model) == 6
    assert model.locate([[1, 1, 1.1], [1, 1, 2.5]]).tolist() == ["ball-5", "ball-0"]
    by_material = model.mass_by_material()
    iron = sum(mass.value for name, mass in by_material.items() if name.startswith("Fe"))
    assert iron == pytest.approx(profile.mass(0.0, 1.0))
    with pytest.raises(GeometryError, match="one material or 2"):
        model.add_shells("other", profile, [IRON, ROCK, IRON], 5)


def test_the_engine_is_told_that_densities_change():
    detector, _ = moved_earth()
    with pytest.raises(GeometryError, match="add_shells"):
        detector.arrays()


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: RadialDensity([0, 1, 1], [[1], [1]]), "must ascend"),
        (lambda: RadialDensity([-1, 1], [[1]]), "must ascend"),
        (lambda: RadialDensity([0, 1], [[1], [1]]), "2 polynomials"),
        (lambda: RadialDensity([0, 1], [[1, -2]]), "sinks to -1"),
        (lambda: RadialDensity([0, 2], [[1, -2, 0.8]]), "sinks to"),
        (lambda: RadialDensity([0, 1], [[]]), "at least 1"),
        (lambda: RadialDensity([0, 1], [[math.nan]]), "finite"),
        (lambda: RadialDensity([0, 1], [[1]], centre=(0, 0)), "centre"),
        (lambda: RadialDensity([0, 1], [[1]], unit=0.0), "unit"),
        (lambda: prem().shells(0), "from 1 to"),
        (lambda: prem().shells(2.5), "from 1 to"),
        (lambda: DetectorModel("x").add("a", Sphere(1), ROCK, profile=2.0), "RadialDensity"),
    ],
)
def test_errors_say_what_is_wrong(build, text):
    with pytest.raises(GeometryError, match=text):
        build()
