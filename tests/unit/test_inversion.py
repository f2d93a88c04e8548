"""From a depth to a distance, and tracing at size: far, many, along faces."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from siren_py.detector import DetectorModel
from siren_py.errors import GeometryError
from siren_py.geometry import (
    Box,
    Cone,
    Cylinder,
    Difference,
    LayerStack,
    Polycone,
    Prism,
    RadialDensity,
    Sphere,
    Torus,
    Trapezoid,
    prem,
)
from siren_py.geometry.profiles import EARTH_RADIUS
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
WATER = Material.from_formula("H2O", density=1.0)
AIR = Material("air", {"N": 0.78, "O": 0.22}, density=1.2e-3)


def random_detector(seed, n=10):
    rng = np.random.default_rng(seed)
    detector = DetectorModel("random")
    solids = [
        Box(4, 6, 8),
        Cone(5, 3, 1),
        Torus(3, 1),
        Trapezoid(2, 4, 4, 2, 5),
        Polycone([-3, 0, 0, 3], [2, 1, 3, 2], [0, 0.5, 1, 1]),
        Prism([(-2, -2), (2, -2), (2, 2), (0, 0), (-2, 2)], 3.0),
        Difference(Sphere(3), Cylinder(1, 9)),
    ]
    for i in range(n):
        solid = solids[rng.integers(len(solids))]
        material = [LEAD, WATER, AIR][rng.integers(3)]
        at, turn = rng.uniform(-8, 8, 3), Rotation.random(None, rng)
        detector.add(f"v{i}", solid, material, at=at, rotation=turn)
    layers = [(0.3, LEAD), (0.7, WATER)]
    detector.add_stack("stack", LayerStack(6, 6, layers, repeat=5), at=rng.uniform(-8, 8, 3))
    if seed % 2:
        profile = RadialDensity([0.5, 2.0, 4.0], [[3.0, -1.0], [0.2, 0.0, 0.3]])
        detector.add("ball", Sphere(4.5), LEAD, at=rng.uniform(-8, 8, 3), profile=profile)
    return detector


def random_rays(seed, n):
    rng = np.random.default_rng(seed)
    ways = rng.normal(size=(n, 3))
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    return rng.uniform(-12, 12, (n, 3)), ways


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_depth_up_to_the_distance_is_the_depth(seed, reverse):
    detector = random_detector(seed)
    starts, ways = random_rays(seed + 1, 40)
    depths = np.random.default_rng(seed).exponential(20.0, 40)
    distance = detector.distance_for_depth(starts, ways, depths, reverse=reverse)
    sign = -1.0 if reverse else 1.0
    reached = np.isfinite(distance)
    ends = starts + sign * np.where(reached, distance, 100.0)[:, None] * ways
    found = detector.column_depth(starts, ends)
    np.testing.assert_allclose(found[reached], depths[reached], rtol=1e-9, atol=1e-7)
    # Never reached: all that lies ahead is less.
    assert np.all(found[~reached] < depths[~reached])
    # The smallest such distance: a little before, the depth is smaller.
    before = (
        starts + sign * np.where(reached, np.maximum(distance - 1e-3, 0.0), 0.0)[:, None] * ways
    )
    assert np.all(detector.column_depth(starts, before)[reached] < depths[reached])


def test_constant_densities_are_exact():
    detector = DetectorModel("slabs")
    detector.add("lead", Box(10, 10, 2), LEAD, at=(0, 0, 1))
    detector.add("water", Box(10, 10, 4), WATER, at=(0, 0, 12))
    start, way = [0, 0, -5.0], [0, 0, 1.0]

    def distance(depth, **options):
        return detector.distance_for_depth([start], [way], depth, **options)[0]

    assert distance(0.0) == 0.0
    assert distance(11.35) == 6.0
    assert distance(22.7) == 7.0
    assert distance(23.7) == 16.0
    assert distance(26.7) == 19.0
    assert distance(26.71) == math.inf
    assert distance(1.0, reverse=True) == math.inf
    back = detector.distance_for_depth([[0, 0, 20.0]], [way], [4.0 + 11.35], reverse=True)
    assert back[0] == 19.0
    everything = detector.column_depth([start], [[0, 0, 99]])
    assert distance(everything) == pytest.approx(19.0)


def test_distances_in_the_earth():
    detector = DetectorModel("earth")
    detector.add("earth", Sphere(EARTH_RADIUS), LEAD, profile=prem())
    start = np.array([[0.0, 0.0, -EARTH_RADIUS]])
    cosines = np.linspace(0.01, 1.0, 60)
    ways = np.column_stack([np.sqrt(1 - cosines**2), np.zeros(60), cosines])
    starts = np.repeat(start, 60, axis=0)
    chord = 2.0 * EARTH_RADIUS * cosines
    whole = detector.column_depth(starts, starts + chord[:, None] * ways)
    half = detector.distance_for_depth(starts, ways, 0.5 * whole)
    np.testing.assert_allclose(half, 0.5 * chord, rtol=1e-9)
    third = detector.distance_for_depth(starts, ways, whole / 3.0)
    depth = detector.column_depth(starts, starts + third[:, None] * ways)
    np.testing.assert_allclose(depth, whole / 3.0, rtol=1e-9)
    assert np.all(np.isinf(detector.distance_for_depth(starts, ways, 1.001 * whole)))


def test_errors_say_what_is_wrong():
    detector = random_detector(0)
    with pytest.raises(GeometryError, match="negative"):
        detector.distance_for_depth([[0, 0, 0]], [[0, 0, 1]], -1.0)
    with pytest.raises(GeometryError, match="negative nor NaN"):
        detector.distance_for_depth([[0, 0, 0]], [[0, 0, 1]], math.nan)
    with pytest.raises(GeometryError, match="one number or"):
        detector.distance_for_depth([[0, 0, 0]], [[0, 0, 1]], [1.0, 2.0])
    with pytest.raises(GeometryError, match="unit vectors"):
        detector.distance_for_depth([[0, 0, 0]], [[0, 0, 2]], 1.0)


# ---------------------------------------------------------------- tracing at size


def test_lines_of_a_thousand_kilometres_keep_millimetres():
    # 1 mm plates of lead seen from 1000 km: coordinates of 1e8 cm are known to 1.5e-8 cm.
    detector = DetectorModel("far")
    for i in range(20):
        detector.add(f"p{i}", Box(500, 500, 0.1), LEAD, at=(0, 0, 10.0 * i))
        cone = Cone(0.1, 250, 200)
        detector.add(f"c{i}", cone, WATER, at=(0, 0, 10.0 * i + 5.0))
    direction = np.array([[1e-7, 2e-7, 1.0]])
    direction /= np.linalg.norm(direction)
    segments = detector.trace(-1e8 * direction, direction)
    assert len(segments.t_in) == 40
    np.testing.assert_allclose(segments.length, 0.1, atol=5e-8)
    depth = detector.column_depth(-1e8 * direction, 1e8 * direction)[0]
    assert depth == pytest.approx(20 * 0.1 * (11.35 + 1.0), rel=1e-6)


def grid_of_solids(solids, side):
    detector = DetectorModel("grid")
    for i, place in enumerate(np.ndindex(side, side, side)):
        detector.add(f"v{i}", solids[i % len(solids)], LEAD, at=3.0 * np.array(place))
    return detector


def test_thousands_of_volumes_agree_with_each_alone():
    solids = [
        Box(2, 2, 2), Cone(2, 1, 0.5), Trapezoid(1, 2, 2, 1, 2), Torus(0.7, 0.3),
        Prism([(-1, -1), (1, -1), (1, 1), (0, 0)], 2.0), Difference(Box(2, 2, 2), Cylinder(0.5, 3)),
    ]  # fmt: skip
    detector = grid_of_solids(solids, 17)
    assert len(detector) == 4913
    rng = np.random.default_rng(3)
    starts = rng.uniform(0, 48, (40, 3))
    ways = rng.normal(size=(40, 3))
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    segments = detector.trace(starts, ways)
    total = np.zeros(40)
    for volume in detector:
        found = volume.solid.intervals(starts - volume.at, ways)
        line = np.repeat(np.arange(40), np.diff(found.offsets))
        total += np.bincount(line, found.t_out - found.t_in, minlength=40)
    chords = np.bincount(segments.line, segments.length, minlength=40)
    np.testing.assert_allclose(chords, total, atol=1e-8)


def test_a_large_detector_is_built_and_traced_quickly():
    detector = grid_of_solids([Box(2, 2, 2), Cylinder(1, 2)], 21)
    start = time.perf_counter()
    detector.arrays()
    assert time.perf_counter() - start < 20.0
    starts, ways = random_rays(1, 20_000)
    detector.trace(starts[:10], ways[:10])
    start = time.perf_counter()
    detector.trace(starts + 30.0, ways)
    # 200 000 lines per second are asked for on a free machine; a tenth is never undercut.
    assert time.perf_counter() - start < 1.0


def test_lines_on_parallel_to_and_through_faces_and_edges():
    # A wall of cubes that share faces, edges and corners: every line is in exactly one of them.
    detector = DetectorModel("wall")
    cubes = [Box(1, 1, 1), Trapezoid(1, 1, 1, 1, 1), Prism([(-0.5, -0.5), (0.5, -0.5),
             (0.5, 0.5), (-0.5, 0.5)], 1.0)]  # fmt: skip
    for i, place in enumerate(np.ndindex(4, 4, 4)):
        detector.add(f"v{i}", cubes[i % 3], LEAD, at=np.array(place) + 0.5)
    origins, ways = [], []
    for a in range(5):
        for b in np.arange(0.0, 4.5, 0.5):
            for axis in range(3):
                point = np.roll([0.0, float(a), b], axis)
                origins += [point - 3.0 * np.eye(3)[axis], point]  # before, and on a face
                ways += [np.eye(3)[axis], np.eye(3)[axis]]
                origins.append(point + 7.0 * np.eye(3)[axis])
                ways.append(-np.eye(3)[axis])
    origins, ways = np.array(origins), np.array(ways)
    segments = detector.trace(origins, ways)
    length = np.bincount(segments.line, segments.length, minlength=len(origins))
    # Half-open: lines in the lower faces are inside, in the upper ones of the wall outside.
    across = np.abs(ways) < 0.5
    inside = np.all(((origins >= 0.0) & (origins < 4.0)) | ~across, axis=1)
    np.testing.assert_allclose(length[inside], 4.0, atol=1e-12)
    np.testing.assert_allclose(length[~inside], 0.0, atol=1e-12)
    diagonal = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 1.0]])
    diagonal /= np.linalg.norm(diagonal, axis=1)[:, None]
    corner = np.array([[0.0, 0, 0], [0, 0, 1.0], [4.0, 0, 0]]) - 9.0 * diagonal
    segments = detector.trace(corner, diagonal)
    length = np.bincount(segments.line, segments.length, minlength=3)
    np.testing.assert_allclose(length, 4.0 / np.abs(diagonal[:, 0]), atol=1e-8)
