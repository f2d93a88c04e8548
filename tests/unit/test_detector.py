from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from siren_py.detector import DetectorModel
from siren_py.errors import GeometryError, UnknownNameError
from siren_py.geometry import Box, Cylinder, LayerStack, Sphere
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
WATER = Material.from_formula("H2O", density=1.0)


def toy():
    detector = DetectorModel("toy")
    detector.add("tank", Box(10, 10, 10), WATER, at=(0, 0, 5))
    detector.add("block", Box(2, 2, 2), LEAD, at=(0, 0, 5))
    detector.add_region("left", Box(2, 2, 2), at=(-1, 0, 0))
    detector.add_region("middle", Box(2, 2, 2))
    detector.add_region("ball", Sphere(1.0), at=(50, 0, 0))
    detector.add_region("both", ["left", "middle"])
    detector.add_region("all", ["both", "ball", "left"])
    return detector


def test_parts_are_listed_in_the_order_of_addition():
    detector = toy()
    assert detector.volume_names == ("tank", "block")
    assert detector.material_names == (WATER.name, LEAD.name)
    assert detector.materials == (WATER, LEAD)
    assert {"H1", "O16", "Pb208"} <= set(detector.nuclides)
    assert detector.volumes["block"].index == 1
    assert detector.volumes["block"].rotation is None
    assert [volume.name for volume in detector] == ["tank", "block"]
    assert detector.region("all").leaves == ("left", "middle", "ball")
    np.testing.assert_array_equal(detector.bounds(), [[-5, -5, 0], [5, 5, 10]])
    assert "2 volumes" in repr(detector)
    assert "leaves" in repr(detector.region("all"))


def test_locate_and_density():
    detector = toy()
    points = [[0, 0, 5], [3, 0, 5], [0, 0, 4.0], [0, 0, 6.0], [0, 0, -1], [0, 0, 0], [0, 0, 10]]
    names = ["block", "tank", "block", "tank", "", "tank", ""]
    assert detector.locate(points).tolist() == names
    expected = [11.35, 1.0, 11.35, 1.0, 0.0, 1.0, 0.0]
    np.testing.assert_array_equal(detector.density(points), expected)
    volume, material = detector.locate_index(points)
    assert volume.tolist() == [1, 0, 1, 0, -1, 0, -1]
    assert material.tolist() == [1, 0, 1, 0, -1, 0, -1]


def test_arrays_are_kept_until_something_is_added():
    detector = toy()
    arrays = detector.arrays()
    assert detector.arrays() is arrays
    mass = detector.masses()["tank"].value
    detector.add("hole", Box(1, 1, 1), LEAD, at=(3, 3, 5))
    assert detector.arrays() is not arrays
    assert detector.masses()["tank"].value == mass - 1.0
    assert detector.locate([[3, 3, 5]])[0] == "hole"


def test_a_detector_can_be_pickled():
    detector = toy()
    copy = pickle.loads(pickle.dumps(detector))
    segments = detector.trace([0, 0, -10], [0, 0, 1]), copy.trace([0, 0, -10], [0, 0, 1])
    np.testing.assert_array_equal(segments[0].t_in, segments[1].t_in)


def test_regions_are_no_matter_and_know_their_points():
    detector = toy()
    assert len(detector.trace([50, 0, -10], [0, 0, 1]).t_in) == 0
    both = detector.region("both")
    points = [[-1.5, 0, 0], [-0.5, 0, 0], [0.5, 0, 0], [1.5, 0, 0]]
    assert both.contains(points).tolist() == [True, True, True, False]
    expected = [[True, False], [True, True], [False, True], [False, False]]
    assert both.inside(points).tolist() == expected
    assert both.leaf_of(points).tolist() == [0, 1, 1, -1]
    np.testing.assert_array_equal(both.bounds(), [[-2, -1, -1], [1, 1, 1]])


def test_region_volumes_are_those_of_the_union():
    detector = toy()
    assert detector.region("both").volume() == pytest.approx(12.0, rel=1e-14)
    assert detector.region("both").solid_volume_sum == 16.0
    ball = 4.0 / 3.0 * math.pi
    assert detector.region("all").volume() == pytest.approx(12.0 + ball, rel=1e-14)
    detector.add_region("cap", Sphere(1.0), at=(50, 0, 1))
    detector.add_region("lens", ["ball", "cap"])
    lens = math.pi / 12.0 * (4.0 + 1.0) * (2.0 - 1.0) ** 2
    assert detector.region("lens").volume() == pytest.approx(2.0 * ball - lens, rel=2e-3)


def test_region_sample_is_uniform_in_the_union():
    region = toy().region("both")
    n = 60_000
    points = region.sample(n, np.random.default_rng(1))
    assert points.shape == (n, 3)
    assert region.contains(points).all()
    counts = np.histogram(points[:, 0], bins=[-2, -1, 0, 1])[0]
    assert np.all(np.abs(counts / n - 1 / 3) < 4.0 * math.sqrt(2 / 9 / n))


def test_sample_solids_is_dense_where_solids_overlap():
    region = toy().region("both")
    n = 60_000
    points, leaf = region.sample_solids(n, np.random.default_rng(1))
    assert region.inside(points)[np.arange(n), leaf].all()
    counts = np.histogram(points[:, 0], bins=[-2, -1, 0, 1])[0]
    expected = np.array([0.25, 0.5, 0.25])
    assert np.all(np.abs(counts / n - expected) < 4.0 * np.sqrt(expected * (1 - expected) / n))


def test_rotated_region():
    detector = toy()
    turn = Rotation.from_euler("z", 45, degrees=True)
    region = detector.add_region("turned", Box(2, 2, 2), at=(10, 0, 0), rotation=turn)
    assert region.contains([[11.3, 0, 0], [10.9, 0.9, 0]]).tolist() == [True, False]
    assert region.contains(region.sample(1000, 2)).all()


def test_beam_is_normalised():
    detector = toy()
    assert detector.beam.direction == (0.0, 0.0, 1.0)
    beam = detector.set_beam(direction=(0, -3, 4), distance=28000.0, description="somewhere")
    np.testing.assert_allclose(beam.direction, (0, -0.6, 0.8))
    assert detector.beam.distance == 28000.0
    with pytest.raises(GeometryError, match="zero"):
        detector.set_beam(direction=(0, 0, 0))
    with pytest.raises(GeometryError, match="three finite"):
        detector.set_beam(direction=(0, 0, math.nan))
    with pytest.raises(GeometryError, match="distance"):
        detector.set_beam(distance=-1.0)


class NoSolid:
    def volume(self):
        return 1.0


class Endless(Box):
    def bounds(self):
        return np.full(3, -np.inf), np.full(3, np.inf)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda d: d.add("tank", Box(1, 1, 1), LEAD), "already a volume called 'tank'"),
        (lambda d: d.add("", Box(1, 1, 1), LEAD), "name of a volume"),
        (lambda d: d.add("new", NoSolid(), LEAD), "lacks intervals, contains, bounds"),
        (lambda d: d.add("new", Endless(1, 1, 1), LEAD), "without end"),
        (lambda d: d.add("new", Box(1, 1, 1), "lead"), "must be a Material"),
        (lambda d: d.add("new", Box(1, 1, 1), LEAD, at=(0, 0, math.inf)), "finite"),
        (lambda d: d.add("new", Box(1, 1, 1), LEAD, rotation=np.ones((3, 3))), "not a rotation"),
        (lambda d: d.add("new", LayerStack(1, 1, [(1.0, LEAD)]), LEAD), "add_stack"),
        (lambda d: d.add_stack("new", Box(1, 1, 1)), "needs a LayerStack"),
        (lambda d: d.add("new", Box(1, 1, 1), LEAD.with_density(10.0)), "two different materials"),
        (lambda d: d.add_region("both", Box(1, 1, 1)), "already a region"),
        (lambda d: d.add_region("new", []), "no solid"),
    ],
)
def test_errors_while_building(call, text):
    with pytest.raises(GeometryError, match=text):
        call(toy())


def test_unknown_names_are_answered_with_near_ones():
    detector = toy()
    for call in (detector.region, detector.region_arrays):
        with pytest.raises(UnknownNameError, match="'middle'"):
            call("midle")
    with pytest.raises(UnknownNameError, match="'left'"):
        detector.add_region("new", ["lefd", "middle"])
    with pytest.raises(UnknownNameError, match="'tank'"):
        detector.volume("tanc")
    with pytest.raises(UnknownNameError, match="no regions"):
        DetectorModel("bare").region("any")


def test_an_empty_detector_says_so():
    with pytest.raises(GeometryError, match="is empty"):
        DetectorModel("bare").trace([0, 0, 0], [0, 0, 1])


def test_column_depth_between_points():
    detector = toy()
    starts = [[0, 0, -10], [0, 0, 5], [3, 0, 5], [0, 0, 20]]
    ends = [[0, 0, 30], [0, 0, 5.5], [4, 0, 5], [0, 0, 30]]
    expected = [8 + 2 * 11.35, 0.5 * 11.35, 1.0, 0.0]
    np.testing.assert_allclose(detector.column_depth(starts, ends), expected, rtol=1e-14)


def test_cylinder_axes_point_where_they_say():
    for axis in range(3):
        detector = DetectorModel("rods")
        detector.add("rod", Cylinder(1.0, 10.0, axis="xyz"[axis]), LEAD)
        way = np.eye(3)[axis]
        assert detector.trace(-20 * way, way).length[0] == 10.0
        assert detector.locate([4.9 * way])[0] == "rod"
