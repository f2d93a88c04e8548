"""Visible volumes by sweeping cross-sections along an axis that all solids share."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from shapely import Polygon

import siren_py as sp
from siren_py.detector import DetectorModel
from siren_py.geometry import Box, Cylinder, LayerStack, Placement, Prism, RegularPrism, Sphere
from siren_py.geometry.arrays import PlacedSolid
from siren_py.geometry.sections import swept_layers
from siren_py.materials import Material
from siren_py.units import tonne

LEAD = Material.from_element("Pb", density=11.35)
WATER = Material.from_formula("H2O", density=1.0)
LAYERS = [(0.5, LEAD), (1.5, WATER)]
HEXAGON = 2.0 * math.sqrt(3.0)  # area over the square of the apothem
TURN = Rotation.from_rotvec([0.3, -1.1, 0.7])


def placed(solid, at=(0, 0, 0), rotation=None):
    return PlacedSolid(type(solid).__name__, solid, Placement.of(at, rotation), (0,))


@pytest.mark.parametrize("turn", [None, TURN], ids=["straight", "turned"])
def test_ring_of_thin_layers_inside_hexagons_is_exact(turn):
    # A stack in a hexagon, all but a ring of it displaced by one that is a little longer.
    detector = DetectorModel("ring")
    stack = LayerStack.inside(RegularPrism(6, 10.0, 16.0), LAYERS, repeat=8)
    detector.add_stack("ring", stack, at=(1, 2, 3), rotation=turn)
    detector.add("core", RegularPrism(6, 9.0, 17.0), WATER, at=(1, 2, 3), rotation=turn)
    mass = detector.stack_masses("ring")
    area = HEXAGON * (10.0**2 - 9.0**2)
    assert mass["Pb"] == (pytest.approx(area * 8 * 0.5 * 11.35, rel=1e-12), 0.0)
    assert mass[WATER.name] == (pytest.approx(area * 8 * 1.5, rel=1e-12), 0.0)


def test_every_layer_loses_what_lies_in_it():
    # A plate that reaches from the middle of one layer of lead through the water below.
    detector = DetectorModel("plate")
    stack = LayerStack.inside(RegularPrism(6, 10.0, 4.0), LAYERS, repeat=2)  # faces -2 .. 2
    detector.add_stack("stack", stack)
    triangle = Polygon([(0, 0), (3, 0), (0, 3)])
    detector.add("plate", Prism(triangle, 1.0), LEAD, at=(0, 0, -1.25))  # -1.75 .. -0.75
    mass = detector.stack_masses("stack")
    area = HEXAGON * 10.0**2
    assert mass["Pb"].value == pytest.approx(11.35 * (area * 1.0 - 4.5 * 0.25), rel=1e-12)
    assert mass[WATER.name].value == pytest.approx(area * 3.0 - 4.5 * 0.75, rel=1e-12)
    assert mass["Pb"].error == mass[WATER.name].error == 0.0


def test_shifted_and_reversed_sections_keep_their_place():
    # The prism's sections are not centred, and it is turned upside down: it reaches from -3 to -1.
    whole = placed(Box(4, 4, 10))
    up_to_three = Prism([(0, 0), (1, 0), (1, 1), (0, 1)], sections=[(1, 1, 0, 1), (3, 1, 0, 1)])
    turned = placed(up_to_three, rotation=Rotation.from_euler("x", 180, degrees=True))
    stack = LayerStack(4, 4, [(3.0, LEAD), (7.0, WATER)])  # -5 .. -2 .. 5
    item = placed(stack.solid)._replace(materials=(0, 1), stack=stack)
    found = swept_layers(item, [turned])
    assert found.volumes == pytest.approx([48.0 - 1.0, 112.0 - 1.0], rel=1e-12)
    assert np.all(found.bounds == 0.0)
    assert swept_layers(whole, [turned]).volumes == pytest.approx([158.0])


def test_circles_are_bounded_from_both_sides():
    # A tube that sticks out of a prism on one side: half a ring of it displaces something.
    found = swept_layers(placed(Box(10, 10, 2)), [placed(Cylinder(3, 5, 2), at=(5, 0, 0))])
    truth = 200.0 - 0.5 * math.pi * (9.0 - 4.0) * 2.0
    assert abs(found.volumes[0] - truth) <= found.bounds[0] < 1e-5 * truth
    # A round solid that a prism displaces: the quarter of a disc.
    found = swept_layers(placed(Cylinder(3, 2)), [placed(Box(9, 9, 9), at=(4.5, 4.5, 0))])
    truth = 0.75 * math.pi * 9.0 * 2.0
    assert abs(found.volumes[0] - truth) <= found.bounds[0] < 1e-6 * truth


def test_what_goes_along_another_axis_is_not_swept():
    item = placed(RegularPrism(6, 10.0, 16.0))
    across = placed(Cylinder(1.0, 30.0, axis="x"))
    along = placed(Cylinder(1.0, 30.0), at=(5, 0, 0))
    sector = placed(Cylinder(1.0, 30.0, delta_phi=1.0), at=(5, 0, 0))
    ball = placed(Sphere(1.0))
    assert swept_layers(item, [across, sector, ball]) is None
    assert swept_layers(item, [across, along, ball]).swept.tolist() == [False, True, False]
    assert swept_layers(ball, [along]) is None
    # A stack is only swept along its own axis.
    stack = LayerStack(4, 4, LAYERS, axis="x")
    layered = placed(stack.solid)._replace(materials=(0, 1), stack=stack)
    assert swept_layers(layered, [along]) is None


def test_a_ball_and_a_prism_in_a_prism():
    detector = DetectorModel("both")
    detector.add("a", RegularPrism(6, 10.0, 16.0), WATER, rotation=TURN)
    detector.add("ball", Sphere(2.0), LEAD)
    at = TURN.as_matrix() @ (6.0, 0.0, 8.0)
    detector.add("bar", RegularPrism(6, 1.0, 4.0), LEAD, at=at, rotation=TURN)  # half sticks out
    truth = HEXAGON * 1600.0 - 4.0 / 3.0 * math.pi * 8.0 - HEXAGON * 2.0
    assert detector.masses()["a"] == (pytest.approx(truth, rel=1e-12), 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_sweep_agrees_with_points(seed):
    rng = np.random.default_rng(seed)
    turn = Rotation.random(None, rng)

    def at():
        return turn.apply(rng.uniform(-3, 3, 3))

    def about(angle):
        return turn * Rotation.from_rotvec([0, 0, angle])

    detector = DetectorModel("random")
    stack = LayerStack.inside(RegularPrism(6, 5.0, 6.0), [(0.2, LEAD), (0.55, WATER)], repeat=8)
    detector.add_stack("stack", stack, rotation=turn)
    detector.add("prism", RegularPrism(5, 2.0, 3.0), LEAD, at=at(), rotation=about(0.4))
    corners = [(0, 0), (5, 0), (5, 1), (1, 1), (1, 4), (0, 4)]
    detector.add("angle", Prism(corners, 2.0), LEAD, at=at(), rotation=about(1.3))
    detector.add("box", Box(2, 3, 2), LEAD, at=at(), rotation=about(-0.8))
    detector.add("rod", Cylinder(1.5, 5.0, 0.5), LEAD, at=at(), rotation=turn)
    points = stack.solid.sample(400_000, rng) @ turn.as_matrix().T
    volume, material = detector.locate_index(points)
    whole = stack.solid.volume()
    for number, one in enumerate((LEAD, WATER)):
        hits = np.mean((volume == 0) & (material == number))
        error = whole * one.density * math.sqrt(hits * (1 - hits) / len(points))
        mass = detector.stack_masses("stack")[one.name]
        assert mass.error <= 1e-6 * mass.value
        assert abs(mass.value - hits * whole * one.density) < 4.0 * error


def test_side_ecal_of_minerva():
    # 62 modules with two sheets of 2 mm of lead, apothems from 900 to 1050 mm; then the planes.
    detector = sp.load_detector("minerva")
    masses = detector.stack_masses("tracker-side-ecal")
    sheet = HEXAGON * (105.0**2 - 90.0**2) * 0.2
    lead = detector.volumes["tracker-side-ecal"].materials[0]
    assert masses[lead.name].value == pytest.approx(124 * sheet * lead.density, rel=1e-9)
    assert masses["scintillator plane"].value == pytest.approx(
        124 * HEXAGON * (105.0**2 - 90.0**2) * 1.9872, rel=1e-9
    )
    every = detector.masses()
    assert max(mass.relative_error for mass in every.values()) < 1e-6
    assert 2.0 * tonne < every["tracker-side-ecal"].value < 10.0 * tonne
