"""The audit finds what other simulations' detector files got wrong, and leaves good ones alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import siren_py as sp
from siren_py.audit import KINDS
from siren_py.audit.densities import element_fractions, odd_density, words
from siren_py.audit.pairs import relations
from siren_py.errors import GeometryError, UnknownNameError
from siren_py.geometry import Box, Cylinder, LayerStack, Sphere
from siren_py.material_library import (
    AIR,
    ALUMINIUM,
    LEAD,
    POLYSTYRENE,
    SCINTILLATOR,
    STEEL,
    T2K_GAS,
    WATER,
)
from siren_py.materials import VACUUM, Material


def hall(size=1000.0):
    detector = sp.DetectorModel("toy")
    detector.add("hall", Box(size, size, size), AIR)
    return detector


def found(detector, kind):
    return [f for f in detector.check().of_kind(kind) if f.severity != "note"]


# ------------------------------------------------------------------------ places


def test_a_good_detector_passes():
    detector = hall()
    detector.add("tank", Cylinder(100, 200), STEEL)
    detector.add("water", Cylinder(98, 196), WATER)
    detector.add_region("fiducial", Cylinder(80, 160))
    report = detector.check()
    assert report.ok
    assert [f.kind for f in report.findings] == ["nuclide"]
    assert "nothing unexplained" in str(report)


def test_partial_overlap_of_boxes_is_exact():
    detector = hall()
    detector.add("a", Box(100, 100, 100), WATER)
    detector.add("b", Box(100, 100, 100), LEAD, at=(90, 0, 0))
    (finding,) = found(detector, "overlap")
    assert finding.volumes == ("a", "b")
    assert finding.severity == "error"
    assert finding.value == pytest.approx(10 * 100 * 100, rel=1e-12)
    x, y, z = finding.point
    assert 40 < x < 50
    assert max(abs(y), abs(z)) < 50


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_partial_overlap_of_round_solids(angle):
    # Lens of two balls of radius R at distance d: pi (2R - d)^2 (d^2 + 4 d R) / (12 d).
    detector = hall()
    turn = Rotation.from_euler("x", angle, degrees=True)
    detector.add("a", Sphere(50), WATER, rotation=turn)
    detector.add("b", Sphere(50), LEAD, at=(60, 0, 0), rotation=turn)
    (finding,) = found(detector, "overlap")
    lens = np.pi * 40**2 * (60**2 + 4 * 60 * 50) / (12 * 60)
    assert finding.value == pytest.approx(lens, rel=5e-3)
    assert np.linalg.norm(finding.point) < 50
    assert np.linalg.norm(np.subtract(finding.point, (60, 0, 0))) < 50


def test_a_thin_overlap_is_found():
    detector = hall()
    detector.add("a", Cylinder(50, 100), WATER)
    detector.add("b", Cylinder(50, 100), LEAD, at=(0, 0, 99.9995))
    (finding,) = found(detector, "overlap")
    assert finding.severity == "warning"
    assert finding.value == pytest.approx(np.pi * 50**2 * 5e-4, rel=2e-2)


def test_touching_contained_and_holed_solids_do_not_overlap():
    detector = hall()
    detector.add("plate", Box(100, 100, 10), LEAD)
    detector.add("next", Box(100, 100, 10), WATER, at=(0, 0, 10))
    detector.add("tube", Cylinder(50, 100, inner_radius=20), LEAD, at=(300, 0, 0))
    detector.add("core", Cylinder(20, 100), WATER, at=(300, 0, 0))
    detector.add("ball", Sphere(40), WATER, at=(0, 300, 0))
    detector.add("seed", Sphere(5), LEAD, at=(0, 320, 0))
    assert detector.check().ok


def test_a_users_solid_is_measured():
    class Ball:
        def __init__(self, ball):
            self.ball = ball

        def __getattr__(self, name):
            if name in ("intervals", "contains", "volume", "bounds", "sample"):
                return getattr(self.ball, name)
            raise AttributeError(name)

    detector = hall()
    detector.add("vessel", Cylinder(60, 120), STEEL)
    detector.add("inside", Ball(Sphere(50)), WATER)
    assert detector.check().ok
    detector.add("outside", Ball(Sphere(50)), WATER, at=(0, 0, 80))
    (finding,) = found(detector, "overlap")
    assert finding.volumes == ("vessel", "outside")


def test_an_overlap_without_effect_is_a_note():
    detector = hall()
    detector.add("a", Box(100, 100, 100), WATER)
    detector.add("b", Box(100, 100, 100), WATER, at=(90, 0, 0))
    report = detector.check()
    assert report.ok
    assert "same material" in report.of_kind("overlap")[0].text
    detector = hall()
    detector.add("iron", Box(100, 100, 100), STEEL)
    detector.add("hole", Box(20, 20, 120), AIR)  # sticks out into air
    report = detector.check()
    assert report.ok
    assert "lies in the same air" in report.of_kind("overlap")[0].text


def test_a_volume_that_sticks_out_of_its_hall():
    detector = sp.DetectorModel("toy")
    detector.add("rock", Box(1000, 1000, 1000), Material.from_formula("SiO2", density=2.6))
    detector.add("hall", Box(400, 400, 400), AIR)
    detector.add("coil", Box(100, 100, 100), ALUMINIUM, at=(0, 0, 175))
    (finding,) = found(detector, "outside")
    assert finding.volumes == ("hall", "coil")
    assert finding.value == pytest.approx(25 * 100 * 100)
    assert 200 < finding.point[2] < 225


def test_a_volume_outside_of_everything():
    detector = hall()
    detector.add("tank", Box(100, 100, 100), WATER)
    detector.add("lost", Box(10, 10, 10), LEAD, at=(0, 0, 2000))
    assert [f.volumes for f in found(detector, "outside")] == [("lost",)]


def test_a_displaced_volume():
    detector = hall()
    detector.add("target", Box(10, 10, 10), LEAD)
    detector.add("tank", Box(100, 100, 100), WATER)
    assert [f.volumes for f in found(detector, "displaced")] == [("target",)]


def test_gaps_of_vacuum():
    detector = sp.DetectorModel("toy")
    detector.add("upstream", Box(100, 100, 100), LEAD)
    detector.add("downstream", Box(100, 100, 100), WATER, at=(0, 0, 103))
    (finding,) = found(detector, "gap")
    assert finding.volumes == ("upstream", "downstream")
    assert finding.value == pytest.approx(3.0)
    assert 50 < finding.point[2] < 53
    around = hall()
    around.add("upstream", Box(100, 100, 100), LEAD)
    around.add("downstream", Box(100, 100, 100), WATER, at=(0, 0, 103))
    assert found(around, "gap") == []


def test_relations_of_a_grid_of_boxes():
    detector = hall()
    for k in range(40):
        detector.add(f"b{k}", Box(10, 10, 10), LEAD, at=(10 * (k % 8) - 35, 10 * (k // 8), 0))
    result = relations(detector.placed())
    assert result.overlaps == []
    assert result.parents == [set()] + [{0}] * 40


# ------------------------------------------------------------------------ masses and materials


def test_a_missed_mass():
    detector = hall()
    detector.add("block", Box(10, 10, 10), LEAD)
    detector.publish_mass("block", "block", 2e4, 0.1, "a paper")
    (finding,) = found(detector, "mass")
    assert finding.volumes == ("block",)
    assert finding.value == pytest.approx(11350 / 2e4 - 1)
    assert "a paper" in finding.text


GOOD = [
    ("Al2O3", 3.97), ("CaO", 3.34), ("K2O", 2.35), ("Na2O", 2.27), ("Fe2O3", 5.25), ("MgO", 3.58),
    ("SiO2", 2.65), ("NaI", 3.67), ("CsI", 4.51), ("BaF2", 4.89), ("LiF", 2.635), ("TiO2", 4.26),
    ("Bi4Ge3O12", 7.13), ("PbWO4", 8.30), ("Lu2SiO5", 7.4), ("CaF2", 3.18), ("LaBr3", 5.29),
    ("Gd2O2S", 7.32), ("Lu3Al5O12", 6.73), ("ZnS", 4.09), ("CdTe", 6.2), ("GaAs", 5.32),
    ("UO2", 10.97), ("PbO", 9.53), ("WC", 15.6), ("CeF3", 6.16), ("H2O", 1.0), ("D2O", 1.105),
    ("C2F4", 2.2), ("CH2", 0.94), ("C8H8", 1.06), ("C9H10", 1.032), ("C2H3Cl", 1.38), ("C", 3.51),
    ("C", 2.2), ("LiH", 0.78), ("BeO", 3.01), ("B4C", 2.52), ("SiC", 3.21), ("Ar", 1.396),
    ("Xe", 2.95), ("He", 0.125), ("Ar", 1.66e-3), ("CF4", 3.78e-3), ("SF6", 6.17e-3),
    ("CO2", 1.84e-3), ("N2", 1.165e-3), ("C3F8", 1.35), ("CH4", 6.7e-4), ("H2", 0.0708),
    ("Pb", 11.35), ("Fe", 7.874), ("Cu", 8.96), ("W", 19.3), ("Al", 1.0), ("Si", 2.329),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "density"), GOOD)
def test_real_materials_are_plausible(formula, density):
    material = Material.from_formula(formula, density=density)
    fractions = element_fractions(material.mass_fractions)
    assert odd_density(formula, fractions, density) is None


def test_the_library_is_plausible():
    import siren_py.material_library as library

    every = [m for m in vars(library).values() if isinstance(m, Material)]
    assert len(every) > 20
    for one in every:
        assert odd_density(one.name, one.element_fractions, one.density) is None, one


BAD = [
    (T2K_GAS.with_density(1.738), "kg/m3"),
    (AIR.with_density(1.205), "kg/m3"),
    (Material("cavity filling", AIR.element_fractions, 0.3), "gas"),
    (Material.from_formula("Ar", density=0.5, name="Ar"), "liquefied"),
    (Material("TPC filling", T2K_GAS.element_fractions, 1.855), "less than 0.05"),
    (SCINTILLATOR.with_density(2.457), "at most"),
    (LEAD.with_density(14.0), "at most"),
    (LEAD.with_density(11.35e-3), "thin as a gas"),
    (WATER.with_density(1000.0), "at most"),
    (STEEL.with_density(7850.0), "at most"),
    (AIR.with_density(1e-25), "practically vacuum"),
]


@pytest.mark.parametrize(("material", "words_"), BAD)
def test_odd_densities_are_errors(material, words_):
    detector = hall()
    if material.name != "air":
        detector.add("box", Box(10, 10, 10), material)
    else:
        detector = sp.DetectorModel("toy")
        detector.add("box", Box(10, 10, 10), material)
    (finding,) = found(detector, "density")
    assert finding.severity == "error"
    assert words_ in finding.text


def test_a_calorimeter_without_lead():
    detector = hall()
    detector.add("barrel-ECAL-top", Box(100, 10, 100), SCINTILLATOR)
    detector.add("hcal", Box(100, 10, 100), STEEL, at=(0, 50, 0))
    (finding,) = found(detector, "composition")
    assert finding.volumes == ("barrel-ECAL-top",)
    assert "absorber missing" in finding.text
    layers = LayerStack(100, 100, [(0.2, LEAD), (1.0, SCINTILLATOR)], repeat=10)
    good = hall()
    good.add("ecal-frame", Box(120, 120, 20), ALUMINIUM)
    good.add_stack("ecal-layers", layers)
    assert found(good, "composition") == []


def test_names_that_promise_an_element():
    detector = hall()
    detector.add("plate", Box(10, 10, 10), Material("lead", {"Fe": 1.0}, 7.87))
    detector.add("lead-wall", Box(10, 10, 10), STEEL, at=(50, 0, 0))
    detector.add("bag", Box(10, 10, 10), Material("water bag", {"C": 0.86, "H": 0.14}, 0.9),
                 at=(100, 0, 0))  # fmt: skip
    assert [f.volumes for f in found(detector, "composition")] == [("lead",), ("lead-wall",)]


def test_single_isotopes():
    detector = hall()
    detector.add("plate", Box(10, 10, 10), Material("steel", {"Fe56": 1.0}, 7.85))
    (finding,) = found(detector, "composition")
    assert "Fe56 is 100.0% of its Fe" in finding.text
    assert "Fe54" in finding.text


def test_nuclides_without_measured_charge():
    detector = hall()
    detector.add("source", Box(1, 1, 1), Material("Ac", {"Ac227": 1.0}, 10.0))
    (finding,) = found(detector, "nuclide")
    assert finding.volumes == ("Ac227",)
    assert detector.check().nuclides["Ac227"]["form_factor"] == "estimated"
    assert detector.check().nuclides["N14"]["form_factor"] == "by charge radius"


def test_words():
    assert words("barrelEcal-top2_Pb") == {"barrel", "ecal", "top", "pb"}
    assert words("T2K gas") == {"t", "k", "gas"}
    assert words("leading edge") == {"leading", "edge"}


# ------------------------------------------------------------------------ regions and walls


def test_regions_that_leave_their_material():
    detector = hall()
    detector.add("tank", Box(100, 100, 100), WATER)
    detector.add_region("good", Box(90, 90, 90))
    detector.add_region("shifted", Box(90, 90, 90), at=(0, 0, 50))
    detector.add_region("lost", Box(90, 90, 90), at=(0, 0, 500))
    got = {f.volumes[0]: f for f in found(detector, "region")}
    assert set(got) == {"shifted", "lost"}
    assert got["shifted"].severity == "warning"
    assert got["shifted"].value == pytest.approx(0.5, abs=1e-3)
    assert got["lost"].severity == "error"
    assert got["lost"].value == pytest.approx(0.5, abs=1e-3)


def test_a_plate_in_gas():
    detector = hall()
    detector.add("gas", Box(100, 100, 100), T2K_GAS)
    detector.add("cathode", Box(1, 100, 100), POLYSTYRENE)
    detector.add_region("drift", Box(100, 100, 100))
    (finding,) = found(detector, "region")
    assert finding.value == pytest.approx(0.01, abs=1e-3)
    assert "cathode" in finding.text


def test_a_wall_across_the_beam():
    detector = hall()
    detector.add("coil", Box(200, 200, 20), ALUMINIUM, at=(0, 0, -200))
    detector.add("tank", Box(100, 100, 100), WATER)
    detector.add_region("fiducial", Box(90, 90, 90))
    detector.set_beam((0, 0, 1))
    (finding,) = found(detector, "wall")
    assert finding.volumes == ("coil",)
    assert finding.value == pytest.approx(20 * ALUMINIUM.density, rel=1e-12)
    assert detector.check().beam["fiducial"]["coil"]["lines"] == 1.0
    detector.set_beam((1, 0, 0))
    assert found(detector, "wall") == []


def test_vessels_and_active_metal_are_no_walls():
    detector = hall()
    detector.add("vessel", Box(200, 200, 200), STEEL)
    detector.add("water", Box(190, 190, 190), WATER)
    detector.add("plate", Box(150, 150, 5), LEAD, at=(0, 0, 50))
    detector.add_region("plate", Box(150, 150, 5), at=(0, 0, 50))
    detector.add_region("water", Box(100, 100, 50))
    assert found(detector, "wall") == []


# ------------------------------------------------------------------------ declarations and report


def wrong():
    detector = hall()
    detector.add("a", Box(100, 100, 100), WATER)
    detector.add("b-1", Box(100, 100, 100), LEAD, at=(90, 0, 0))
    detector.add_region("r", Box(10, 10, 10))
    return detector


def test_a_declaration_explains():
    detector = wrong()
    assert not detector.check().ok
    detector.declare("overlap", ["a", "b-*"], "the corner is cut")
    report = detector.check()
    assert report.ok
    assert report.of_kind("overlap")[0].reason == "the corner is cut"
    assert "Declared: the corner is cut" in str(report)


@pytest.mark.parametrize(
    ("kind", "names"), [("overlap", ["a"]), ("gap", ["a", "b-1"]), ("overlap", ["c-*"])]
)
def test_a_declaration_about_something_else_is_itself_a_finding(kind, names):
    detector = wrong()
    detector.declare(kind, names, "no idea")
    report = detector.check()
    assert {f.kind for f in report.findings if f.counts} == {"overlap", "declaration"}


def test_declarations_are_checked():
    detector = wrong()
    with pytest.raises(UnknownNameError, match="overlap"):
        detector.declare("overlaps", "a", "x")
    with pytest.raises(UnknownNameError):
        detector.declare("declaration", "a", "x")
    with pytest.raises(GeometryError, match="reason"):
        detector.declare("overlap", "a", " ")
    with pytest.raises(GeometryError, match="name"):
        detector.declare("overlap", [], "x")


def test_the_report_as_data():
    detector = wrong()
    detector.publish_mass("all", ["a", "b-*"], 1.2e7, 0.2, "a paper")
    report = detector.check()
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["ok"] is False
    assert data["masses"]["b-1"] == {"value": pytest.approx(1.135e7), "error": 0.0, "unit": "g"}
    assert data["published"][0]["volumes"] == ["a", "b-1"]
    assert data["published"][0]["source"] == "a paper"
    assert data["findings"][0]["kind"] == "overlap"
    assert data["regions"]["r"]["volume"] == pytest.approx(1000.0)
    assert data["regions"]["r"]["materials"] == {"water": 1.0}
    assert {f["kind"] for f in data["findings"]} <= set(KINDS)
    assert report._repr_html_().startswith("<pre>toy: 3 volumes")


def test_vacuum_volumes_are_no_gaps():
    detector = hall()
    detector.add("pipe", Cylinder(10, 100), STEEL)
    detector.add("bore", Cylinder(9, 100), VACUUM)
    assert detector.check().ok


def test_an_empty_detector_cannot_be_checked():
    with pytest.raises(GeometryError, match="empty"):
        sp.DetectorModel("nothing").check()


@pytest.mark.parametrize("name", sp.list_detectors())
def test_the_shipped_detectors_have_nothing_unexplained(name):
    report = sp.load_detector(name).check()
    assert report.ok, str(report)


def test_thousands_of_volumes():
    detector = hall()
    for k in range(3000):
        at = (20 * (k % 15) - 140, 20 * (k // 15 % 15) - 140, 20 * (k // 225) - 140)
        turn = Rotation.from_euler("z", 20, degrees=True) if k % 50 == 0 else None
        detector.add(f"b{k}", Box(12, 12, 12), LEAD, at=at, rotation=turn)
    detector.add("slip", Box(12, 12, 12), WATER, at=(-140 + 5, -140, -140 + 40))
    report = detector.check()
    assert [f.volumes for f in report.findings if f.counts] == [("b450", "slip")]
