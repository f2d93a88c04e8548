from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from siren_py.detector import DetectorModel
from siren_py.errors import GeometryError, UnknownNameError
from siren_py.estimate import Estimate
from siren_py.geometry import Box, Cylinder, LayerStack, RegularPrism, Sphere
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
WATER = Material.from_formula("H2O", density=1.0)
STEEL = Material("steel", {"Fe": 1.0}, density=8.0)
BALL = 4.0 / 3.0 * math.pi


def masses_by_points(detector, n, seed=0):
    """Masses by plain Monte Carlo over the bounding box, with standard errors."""
    lo, hi = detector.bounds()
    points = np.random.default_rng(seed).uniform(lo, hi, (n, 3))
    volume, _ = detector.locate_index(points)
    density = detector.density(points)
    whole = float(np.prod(hi - lo))
    result = []
    for i in range(len(detector)):
        sample = density * (volume == i) * whole
        one_hit = whole * detector.arrays().density.max() / n  # where there is none
        result.append((sample.mean(), max(sample.std() / math.sqrt(n), one_hit)))
    return result


def test_estimate_prints_value_and_error():
    assert str(Estimate(2.0, 0.5)) == "2 +- 0.5"
    assert str(Estimate(2.0)) == "2"
    assert Estimate(-2.0, 0.5).relative_error == 0.25
    assert Estimate(0.0).relative_error == 0.0
    assert Estimate(0.0, 1.0).relative_error == math.inf


def test_boxes_displaced_by_boxes_are_exact():
    detector = DetectorModel("boxes")
    detector.add("a", Box(4, 4, 4), WATER)
    detector.add("b", Box(4, 4, 4), LEAD, at=(2, 2, 2))
    detector.add("c", Box(2, 2, 2), STEEL, at=(1, 1, 1))
    masses = detector.masses()
    # a loses the 2 x 2 x 2 corner to b, and c covers just that corner of b.
    assert masses["a"] == (64.0 - 8.0, 0.0)
    assert masses["b"] == (pytest.approx((64.0 - 8.0) * 11.35, rel=1e-14), 0.0)
    assert masses["c"] == (64.0, 0.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_boxes_and_stacks_agree_with_a_grid(seed):
    # All faces on integers: summing cells of a grid is exact.
    rng = np.random.default_rng(seed)
    detector = DetectorModel("grid")
    for i in range(8):
        lo = rng.integers(0, 8, 3)
        size = rng.integers(1, 6, 3)
        turn = Rotation.from_euler("xyz", rng.integers(0, 4, 3) * 90, degrees=True)
        widths = np.abs(np.round(turn.inv().apply(size.astype(float))))
        at = lo + 0.5 * size
        if i % 2:
            axis = int(rng.integers(0, 3))
            others = [widths[j] for j in range(3) if j != axis]
            layers = [(1.0, m) for m in rng.choice([LEAD, WATER, STEEL], int(widths[axis]))]
            stack = LayerStack(*others, layers, axis="xyz"[axis])
            detector.add_stack(f"v{i}", stack, at=at, rotation=turn)
        else:
            detector.add(f"v{i}", Box(*widths), LEAD, at=at, rotation=turn)
    ticks = np.arange(14) + 0.5
    cells = np.stack(np.meshgrid(ticks, ticks, ticks), axis=-1).reshape(-1, 3)
    volume, material = detector.locate_index(cells)
    density = detector.density(cells)
    for name, mass in detector.masses().items():
        index = detector.volumes[name].index
        assert mass.error == 0.0
        assert mass.value == pytest.approx(density[volume == index].sum(), abs=1e-9)
        for material_name, part in detector.stack_masses(name).items():
            mine = (volume == index) & (material == detector.material_names.index(material_name))
            assert part == (pytest.approx(density[mine].sum(), abs=1e-9), 0.0)
    total = sum(mass.value for mass in detector.mass_by_material().values())
    assert total == pytest.approx(density.sum(), abs=1e-9)


def test_nested_shells_are_exact():
    detector = DetectorModel("tank")
    detector.add("rock", Box(40, 40, 40), STEEL)
    detector.add("hall", Cylinder(15, 30, axis="y"), WATER)
    detector.add("wall", Sphere(12), LEAD)
    detector.add("oil", Sphere(11), WATER)
    detector.add("rod", Cylinder(1, 4), STEEL, at=(0, 0, 7), rotation=Rotation.from_euler("x", 0.3))
    detector.add("cube", Box(2, 2, 2), LEAD, at=(0, 5, 0), rotation=Rotation.from_euler("z", 0.4))
    detector.add("hexagon", RegularPrism(6, 1, 2), LEAD, at=(-5, 0, 0))
    hexagon = 6 * math.tan(math.pi / 6) * 2
    expected = {
        "rock": 8.0 * (40**3 - math.pi * 15**2 * 30),
        "hall": math.pi * 15**2 * 30 - BALL * 12**3,
        "wall": 11.35 * BALL * (12**3 - 11**3),
        "oil": BALL * 11**3 - math.pi * 4 - 8 - hexagon,
        "rod": 8.0 * math.pi * 4,
        "cube": 11.35 * 8,
        "hexagon": 11.35 * hexagon,
    }
    for name, mass in detector.masses().items():
        assert mass == (pytest.approx(expected[name], rel=1e-12), 0.0), name


def test_a_shell_around_a_ball_loses_nothing():
    detector = DetectorModel("shell")
    detector.add("shell", Sphere(11, 10), STEEL)
    detector.add("tube", Cylinder(9, 4, 8), STEEL)
    detector.add("core", Cylinder(8, 4), WATER)
    detector.add("ball", Sphere(1.0), LEAD)
    masses = detector.masses()
    assert masses["shell"] == (pytest.approx(8 * BALL * (11**3 - 10**3)), 0.0)
    assert masses["tube"] == (pytest.approx(8 * math.pi * (81 - 64) * 4), 0.0)
    assert masses["core"] == (pytest.approx(math.pi * 64 * 4 - BALL), 0.0)


def test_a_hidden_volume_has_no_mass():
    detector = DetectorModel("hidden")
    detector.add("hidden", Box(1, 1, 1), LEAD)
    detector.add("cover", Sphere(3), WATER)
    assert detector.masses()["hidden"] == (0.0, 0.0)
    assert detector.masses()["cover"].error == 0.0


def test_partial_overlaps_are_estimated_honestly():
    detector = DetectorModel("lens")
    detector.add("a", Sphere(1.0), LEAD)
    detector.add("b", Sphere(1.0), WATER, at=(0.3, 0.4, math.sqrt(0.75)))
    # two unit spheres at distance 1: the lens has volume 5 pi / 12
    a = detector.masses()["a"]
    truth = 11.35 * (BALL - 5.0 * math.pi / 12.0)
    assert 0.0 < a.error < 1e-3 * truth
    assert abs(a.value - truth) < 4.0 * a.error
    assert detector.masses()["b"] == (pytest.approx(BALL), 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_estimates_agree_with_points(seed):
    rng = np.random.default_rng(seed)
    detector = DetectorModel("random")
    for i in range(6):
        at, turn = rng.uniform(-3, 3, 3), Rotation.random(None, rng)
        a, b, c = rng.uniform(2, 6, 3)
        if i == 1:
            stack = LayerStack(a, b, [(0.2, LEAD), (0.4, WATER)], repeat=5)
            detector.add_stack("v1", stack, at=at, rotation=turn)
            continue
        solid = [Box(a, b, c), None, Cylinder(a, b, 0.5 * a), Sphere(a), Box(a, b, c)]
        solid.append(RegularPrism(6, 0.5 * a, b, "y"))
        detector.add(f"v{i}", solid[i], [LEAD, WATER, STEEL][i % 3], at=at, rotation=turn)
    points = masses_by_points(detector, 400_000, seed)
    for (value, error), (name, mass) in zip(points, detector.masses().items(), strict=True):
        assert abs(mass.value - value) < 4.0 * math.hypot(error, mass.error) + 1e-9
        # Of a volume that is almost hidden the error is small next to what it displaces.
        whole = detector.volumes[name].solid.volume()
        assert mass.error <= 3e-3 * mass.value + 1e-4 * whole


def test_stack_with_a_rotated_bolt_through_it():
    detector = DetectorModel("bolt")
    stack = LayerStack(10, 10, [(0.5, LEAD), (1.5, WATER)], repeat=4)
    detector.add_stack("stack", stack)
    # The bolt is longer than the stack: no proof of containment, but the truth is simple.
    detector.add("bolt", Cylinder(1.0, 20.0), STEEL)
    by_material = detector.stack_masses("stack")
    area = 100.0 - math.pi
    for material, thickness in ((LEAD, 2.0), (WATER, 6.0)):
        truth = area * thickness * material.density
        mass = by_material[material.name]
        assert abs(mass.value - truth) < 4.0 * mass.error
        assert mass.error < 2e-3 * truth
    total = detector.masses()["stack"]
    assert abs(total.value - area * (2 * 11.35 + 6)) < 4.0 * total.error


def two_parts():
    detector = DetectorModel("parts")
    detector.add_stack("ecal-left", LayerStack(10, 10, [(1.0, LEAD), (1.0, WATER)], repeat=2))
    detector.add("ecal-right", Box(1, 1, 1), LEAD, at=(20, 0, 0))
    detector.add("tank", Box(10, 10, 10), WATER, at=(0, 0, 50))
    return detector


def test_masses_by_material_and_globs():
    detector = two_parts()
    ecal = detector.mass_by_material("ecal-*")
    assert ecal[LEAD.name].value == pytest.approx(200 * 11.35 + 11.35)
    assert ecal[WATER.name].value == pytest.approx(200.0)
    assert detector.mass_by_material()[WATER.name].value == pytest.approx(1200.0)
    assert detector.matching_volumes(["tank", "*"]) == ["ecal-left", "ecal-right", "tank"]


def test_published_masses_are_compared():
    detector = two_parts()
    lead = 201 * 11.35
    detector.publish_mass("ECAL", "ecal-*", lead + 200, 0.001, "a paper")
    detector.publish_mass("ECAL lead", ["ecal-left", "ecal-*"], 2500.0, 0.05, "x", material=LEAD)
    detector.publish_mass("tank", ["tank"], 1050.0, 0.05, "y", material=WATER.name)
    first, second, third = detector.published_masses()
    assert first.ok
    assert first.source == "a paper"
    assert first.difference == pytest.approx(0.0, abs=1e-12)
    assert second.model.value == pytest.approx(lead)
    assert second.difference == pytest.approx(lead / 2500.0 - 1.0)
    assert not second.ok
    assert third.ok


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"volumes": "ecla-*"}, UnknownNameError, "no volume called 'ecla-\\*'"),
        ({"volumes": "tanc"}, UnknownNameError, "'tank'"),
        ({"volumes": []}, GeometryError, "No volumes"),
        ({"mass": -1.0}, GeometryError, "mass must be positive"),
        ({"mass": math.nan}, GeometryError, "mass must be positive"),
        ({"tolerance": 0.0}, GeometryError, "tolerance"),
        ({"source": ""}, GeometryError, "source"),
        ({"material": "gold"}, UnknownNameError, "no material called 'gold'"),
    ],
)
def test_published_masses_are_checked(change, error, text):
    arguments = {"part": "p", "volumes": "tank", "mass": 1.0, "tolerance": 0.1, "source": "s"}
    with pytest.raises(error, match=text):
        two_parts().publish_mass(**(arguments | change))
