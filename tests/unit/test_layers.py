from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from siren_py.detector import DetectorModel
from siren_py.errors import GeometryError
from siren_py.geometry import Box, LayerStack, Pattern, RegularPrism
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
WATER = Material.from_formula("H2O", density=1.0)
STEEL = Material("steel", {"Fe": 1.0}, density=7.9)


def test_patterns_join_and_repeat():
    plate = Pattern([(0.5, LEAD), (1.5, WATER)])
    both = plate * 3 + Pattern([(1.0, STEEL)])
    assert len(both) == 7
    assert both.thickness == pytest.approx(7.0)
    assert both.areal_density == pytest.approx(3 * (0.5 * 11.35 + 1.5) + 7.9)
    assert [t for t, _ in both.reversed()] == [1.0, 1.5, 0.5, 1.5, 0.5, 1.5, 0.5]
    assert list(2 * plate) == list(plate + plate)


def test_edges_follow_the_layers_and_equal_neighbours_are_joined():
    stack = LayerStack(4.0, 6.0, [(1.0, LEAD), (2.0, WATER), (3.0, WATER)], repeat=2)
    np.testing.assert_allclose(stack.edges, [-6, -5, 0, 1, 6])
    assert [m.name for m in stack.materials] == [LEAD.name, WATER.name] * 2
    assert stack.thickness == 12.0
    np.testing.assert_array_equal(stack.layer_at(np.array([-6.0, -5.0, -0.1, 5.9])), [0, 1, 1, 3])


@pytest.mark.parametrize(("axis", "box"), [("x", (9, 2, 3)), ("y", (2, 9, 3)), ("z", (2, 3, 9))])
def test_widths_are_those_of_the_other_axes(axis, box):
    assert LayerStack(2, 3, [(9.0, LEAD)], axis=axis).solid == Box(*box)


@pytest.mark.parametrize("axis", "xyz")
@pytest.mark.parametrize("angles", [None, (90, 0, 0), (0, 180, 90), (20, 30, 40)])
def test_a_stack_is_the_same_as_its_plates(axis, angles):
    rotation = None if angles is None else Rotation.from_euler("xyz", angles, degrees=True)
    layers = [(0.3, LEAD), (0.7, WATER), (0.05, STEEL), (0.4, WATER)] * 8
    stack = LayerStack(8.0, 9.0, layers, axis=axis)
    whole, plates = DetectorModel("whole"), DetectorModel("plates")
    at = np.array([1.0, -2.0, 3.0])
    whole.add_stack("stack", stack, at=at, rotation=rotation)
    for i, material in enumerate(stack.materials):
        low, high = stack.edges[i : i + 2]
        widths = [8.0, 9.0]
        widths.insert("xyz".index(axis), high - low)
        offset = np.zeros(3)
        offset["xyz".index(axis)] = 0.5 * (low + high)
        place = at + (offset if rotation is None else rotation.apply(offset))
        plates.add(f"plate{i}", Box(*widths), material, at=place, rotation=rotation)
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(300, 3))
    directions[:6] = np.concatenate([np.eye(3), -np.eye(3)])
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    origins = at + rng.uniform(-4, 4, (300, 3)) - 100 * directions
    a, b = whole.trace(origins, directions), plates.trace(origins, directions)
    names_a = np.array(a.material_names)[a.material]
    names_b = np.array(b.material_names)[b.material]
    assert np.array_equal(a.offsets, b.offsets)
    assert np.array_equal(names_a, names_b)
    np.testing.assert_allclose(a.t_in, b.t_in, atol=1e-9)
    np.testing.assert_allclose(a.t_out, b.t_out, atol=1e-9)
    points = at + rng.uniform(-6, 6, (2000, 3))
    np.testing.assert_array_equal(whole.density(points), plates.density(points))


def test_a_line_along_a_layer_stays_in_it():
    detector = DetectorModel("toy")
    detector.add_stack("s", LayerStack(10, 10, [(1.0, LEAD), (1.0, WATER)], repeat=5))
    for z, name in ((-4.5, "Pb"), (-3.5, "H2O"), (-4.0, "H2O"), (-5.0, "Pb")):
        segments = detector.trace([0, 0, z], [1, 0, 0])
        assert [segments.material_names[i] for i in segments.material] == [
            {"Pb": LEAD, "H2O": WATER}[name].name
        ]
        assert segments.length[0] == 10.0


def test_a_stack_inside_any_solid():
    hexagon = RegularPrism(6, 5.0, 4.0)
    detector = DetectorModel("hexagon")
    detector.add_stack("plane", LayerStack.inside(hexagon, [(1.0, LEAD), (3.0, WATER)]))
    segments = detector.trace([[0, 0, -9], [5.7, 0, -9]], [[0, 0, 1]] * 2)
    np.testing.assert_allclose(segments.length, [1.0, 3.0])
    masses = detector.stack_masses("plane")
    area = hexagon.volume() / 4.0
    assert masses[LEAD.name] == (pytest.approx(area * 11.35, rel=1e-13), 0.0)
    assert masses[WATER.name] == (pytest.approx(area * 3.0, rel=1e-13), 0.0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_column_depth_through_a_stack(seed, n):
    rng = np.random.default_rng(seed)
    layers = [(t, [LEAD, WATER][i % 2]) for i, t in enumerate(rng.uniform(0.001, 2.0, n))]
    pattern = Pattern(layers)
    detector = DetectorModel("toy")
    detector.add_stack("s", LayerStack(1e4, 1e4, pattern))
    direction = np.array([*rng.uniform(-0.5, 0.5, 2), 1.0])
    direction /= np.linalg.norm(direction)
    depth = detector.trace(-200 * direction, direction).column_depth()
    assert depth[0] == pytest.approx(pattern.areal_density / direction[2], rel=1e-10)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Pattern([]), "at least one layer"),
        (lambda: Pattern([(1.0, "lead")]), "Layer 0 must be a pair"),
        (lambda: Pattern([LEAD]), "Layer 0 must be a pair"),
        (lambda: Pattern([(0.0, LEAD)]), "Layer 0: thickness must be positive"),
        (lambda: Pattern([(1.0, LEAD)]) * 0, "repeated"),
        (lambda: LayerStack(0.0, 1.0, [(1.0, LEAD)]), "dx"),
        (lambda: LayerStack(1.0, 1.0, [(1.0, LEAD)], axis="q"), "axis"),
        (lambda: LayerStack.inside(Box(1, 1, 2), [(1.5, LEAD)]), "differ by -0.5 cm"),
    ],
)
def test_errors_say_what_is_wrong(build, text):
    with pytest.raises(GeometryError, match=text):
        build()
