from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from siren_py import DetectorModel, Material
from siren_py.errors import OutputError
from siren_py.geometry import (
    Box,
    Cone,
    Cylinder,
    Difference,
    Ellipsoid,
    EllipticalTube,
    Intersection,
    LayerStack,
    Mesh,
    Placed,
    Polycone,
    Polyhedra,
    Polyhedron,
    Prism,
    RadialDensity,
    RegularPrism,
    Sphere,
    Torus,
    Trapezoid,
    Union,
)
from siren_py.io.gdml.forms import euler_angles
from siren_py.io.gdml.reader import load_gdml
from siren_py.io.gdml.scope import euler_matrix
from siren_py.material_library import AIR, BRASS, LEAD, WATER
from siren_py.materials import VACUUM

DATA = Path(__file__).resolve().parents[1] / "data" / "gdml"
TILTED = Rotation.from_euler("xyz", [0.3, -0.5, 0.8])
L_SHAPE = [(0, 0), (4, 0), (4, 2), (2, 2), (2, 4), (0, 4)]

# What Geant4's schema (gdml.xsd, version 3.1.5) says: children in order, as a regular expression
# over "tag tag ... ", and attributes that must be there.
PLACE = "(position )?(rotation )?"
SCHEMA = {
    "gdml": ("define materials solids structure setup ", ""),
    "define": ("(position )*", ""),
    "materials": ("((isotope |element |material ))*", ""),
    "isotope": ("atom ", "name Z N"),
    "element": ("(fraction )+", "name"),
    "material": ("D (atom |(fraction )+)", "name"),
    "volume": ("materialref solidref (physvol )*", "name"),
    "physvol": (f"volumeref {PLACE}", "name"),
    "setup": ("world ", "name version"),
    "structure": ("(volume )+", ""),
    "box": ("", "name x y z"),
    "orb": ("", "name r"),
    "sphere": ("", "name rmax deltaphi deltatheta"),
    "tube": ("", "name rmax z deltaphi"),
    "cone": ("", "name rmax1 rmax2 z deltaphi"),
    "trd": ("", "name x1 x2 y1 y2 z"),
    "polycone": ("(zplane )+", "name deltaphi"),
    "polyhedra": ("(zplane )+", "name startphi deltaphi numsides"),
    "zplane": ("", "z rmax"),
    "xtru": ("(twoDimVertex ){3,}(section ){2,}", "name"),
    "twoDimVertex": ("", "x y"),
    "section": ("", "zOrder zPosition xOffset yOffset scalingFactor"),
    "ellipsoid": ("", "name ax by cz"),
    "eltube": ("", "name dx dy dz"),
    "torus": ("", "name rmin rmax rtor startphi deltaphi"),
    "tessellated": ("(triangular ){4,}", "name"),
    "triangular": ("", "vertex1 vertex2 vertex3"),
    "union": (f"first second {PLACE}", "name"),
    "subtraction": (f"first second {PLACE}", "name"),
    "intersection": (f"first second {PLACE}", "name"),
    "solids": ("([a-z]+ )+", ""),
    "position": ("", "name"),
    "rotation": ("", "name"),
    "D": ("", "value"),
    "atom": ("", "value"),
    "fraction": ("", "n ref"),
}


def check_schema(path):
    """Check a file against what gdml.xsd demands of the elements that are written."""
    root = ET.parse(path).getroot()
    names: set[str] = set()
    for element in root.iter():
        tags, required = SCHEMA.get(element.tag, ("", "ref"))
        found = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(tags, found), f"<{element.tag}>: {found}"
        assert set(required.split()) <= set(element.keys()), element.tag
        name = element.get("name")
        if name is not None:  # type xs:ID: an identifier, once in the document
            assert re.fullmatch(r"[A-Za-z_][\w.-]*", name)
            assert name not in names
            names.add(name)
    for element in root.iter():
        for key in ("ref", "vertex1", "vertex2", "vertex3"):
            if key in element.keys():  # noqa: SIM118  (an Element is not its attributes)
                assert element.get(key) in names
    return root


def points_in(detector, count=4000, seed=5):
    """Points in the boxes around the volumes."""
    rng = np.random.default_rng(seed)
    boxes = [v.placement.box(*v.solid.bounds()) for v in detector]
    share = count // len(boxes)
    return np.concatenate([lo + (hi - lo) * rng.random((share, 3)) for lo, hi in boxes])


def check_round_trip(detector, path):
    """Write, check, read again, and compare densities at points."""
    detector.to_gdml(path)
    check_schema(path)
    again = load_gdml(path)
    points = points_in(detector)
    expected, found = detector.density(points), again.density(points)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-24)
    inside = np.concatenate([v.placement.to_detector(v.solid.sample(50, 6)) for v in detector])
    np.testing.assert_allclose(
        again.density(inside), detector.density(inside), rtol=1e-12, atol=1e-24
    )
    return again


SOLIDS = [
    Box(3, 4, 5),
    Sphere(4),
    Sphere(4, 2),
    Cylinder(3, 5, 1, axis="x", start_phi=0.3, delta_phi=4.0),
    Cylinder(3, 5, axis="y"),
    RegularPrism(6, 3, 5, axis="x", start_phi=0.2),
    Cone(5, 4, 1, 2, 0.5, axis="y"),
    Trapezoid(2, 5, 3, 1, 6),
    Polycone([-3, 0, 0, 4], [2, 4, 3, 1], [0, 1, 1, 0.5], axis="x"),
    Polyhedra(5, [-3, 4], [2, 4], [0.5, 1], start_phi=0.1),
    Prism(L_SHAPE, sections=[(-2, 0, 0, 1), (1, 0.5, 0, 0.7), (3, 0, 1, 1.2)], axis="y"),
    Ellipsoid(3, 4, 5, z_low=-2),
    EllipticalTube(3, 2, 6),
    Torus(4, 1.5, 0.5, delta_phi=3.0),
    Polyhedron([(0, 0, 0), (4, 0, 0), (0, 4, 0), (0, 0, 4)]),
    Union(Box(4, 4, 4), Cylinder(1, 8, axis="x"), at=(1, 0, 0), rotation=TILTED),
    Difference(Cylinder(3, 5, axis="x"), Box(2, 2, 8), at=(1, 1, 0), rotation=TILTED),
    Intersection(Placed(Sphere(4), at=(1, 0, 0)), Box(4, 5, 6), rotation=TILTED),
    Placed(Union(Box(1, 2, 3), Box(3, 2, 1)), at=(0, 1, 2), rotation=TILTED),
]


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda s: type(s).__name__)
def test_every_solid_comes_back(solid, tmp_path):
    detector = DetectorModel("one")
    detector.add("a", solid, LEAD, at=(10, -20, 30), rotation=TILTED)
    check_round_trip(detector, tmp_path / "one.gdml")


def test_a_polygon_with_a_hole_comes_back(tmp_path):
    from shapely import Polygon

    ring = Polygon([(-4, -4), (4, -4), (4, 4), (-4, 4)], [[(-1, -1), (2, -1), (0, 2)]])
    detector = DetectorModel("one")
    detector.add("a", Prism(ring, 6.0, axis="x"), WATER, rotation=TILTED)
    check_round_trip(detector, tmp_path / "one.gdml")


def test_a_mesh_comes_back(tmp_path):
    detector = DetectorModel("one")
    detector.add("a", Mesh.of(Prism(L_SHAPE, 3.0)), WATER, at=(1, 2, 3), rotation=TILTED)
    again = check_round_trip(detector, tmp_path / "one.gdml")
    assert again.masses()["World/a"].value == pytest.approx(36.0)


@pytest.mark.parametrize("angle", [-math.pi / 2, math.pi / 2, 0.3])
def test_angles_of_a_matrix(angle):
    for a, c in ((0.0, 0.0), (0.4, -2.0), (-3.0, 1.0)):
        matrix = euler_matrix(np.array([a, angle, c]))
        np.testing.assert_allclose(euler_matrix(np.array(euler_angles(matrix))), matrix, atol=1e-15)


# ----------------------------------------------------------------------------- displaced volumes


def test_later_volumes_displace_earlier_ones(tmp_path):
    detector = DetectorModel("overlaps")
    detector.add("hall", Box(100, 100, 100), AIR)
    detector.add("tank", Cylinder(20, 50, axis="x"), WATER, at=(10, 0, 0))
    detector.add("beam", Box(90, 5, 5), LEAD, rotation=TILTED)  # partly in the tank
    detector.add("core", Sphere(4), BRASS, at=(5, 0, 0))  # in the tank and partly in the beam
    detector.add("wall", Box(20, 120, 120), BRASS, at=(45, 0, 0))  # partly out of the hall
    again = check_round_trip(detector, tmp_path / "overlaps.gdml")
    lead, expected = again.mass_by_material()["lead"], detector.mass_by_material()["lead"]
    assert lead.value == pytest.approx(expected.value, abs=5 * (lead.error + expected.error))


def test_hidden_volumes_are_left_out(tmp_path):
    detector = DetectorModel("hidden")
    detector.add("outer", Box(10, 10, 10), WATER)
    detector.add("inner", Box(2, 2, 2), LEAD)
    detector.add("new", Box(11, 11, 11), BRASS)
    detector.add("hole", Sphere(3), VACUUM)
    again = check_round_trip(detector, tmp_path / "hidden.gdml")
    assert {name.rpartition("/")[2] for name in again.volume_names} == {"World", "new", "hole"}


def test_stacks_become_volumes(tmp_path):
    layers = [(0.5, LEAD), (1.0, WATER), (0.25, BRASS)]
    detector = DetectorModel("stacks")
    detector.add_stack("a", LayerStack(10, 8, layers, repeat=4, axis="x"), rotation=TILTED)
    prism = RegularPrism(6, 5, 3.5, axis="y")
    detector.add_stack("b", LayerStack.inside(prism, layers, repeat=2, axis="y"), at=(0, 0, 30))
    cylinder = Cylinder(5, 3.5, 1, axis="z")
    inside = LayerStack.inside(cylinder, layers, repeat=2, axis="z")
    detector.add_stack("c", inside, at=(30, 0, 0))
    ball = LayerStack.inside(Sphere(3.5), [(3.5, LEAD), (3.5, WATER)], axis="x")
    detector.add_stack("d", ball, at=(0, 30, 0))
    detector.add("hole", Sphere(2), AIR)
    again = check_round_trip(detector, tmp_path / "stacks.gdml")
    assert len(again) == 1 + 12 + 6 + 6 + 2 + 1


def test_a_first_box_around_everything_is_the_world(tmp_path):
    detector = load_gdml(DATA / "all_solids.gdml")
    again = check_round_trip(detector, tmp_path / "again.gdml")
    assert len(again) == len(detector)
    # A second time nothing changes any more.
    third = check_round_trip(again, tmp_path / "third.gdml")
    assert third.volume_names == again.volume_names


# ----------------------------------------------------------------------------- materials and names


def test_materials_keep_their_nuclides(tmp_path):
    enriched = Material("enriched lead 50%", {"Pb208": 0.5, "Pb": 0.5}, 11.0)
    detector = DetectorModel("materials")
    for k, material in enumerate((AIR, BRASS, enriched, VACUUM)):
        detector.add(f"{k} <volume> & more", Box(1, 1, 1), material, at=(2 * k, 0, 0))
    again = check_round_trip(detector, tmp_path / "m.gdml")
    assert "World/_0__volume____more" in again.volume_names
    found = {m.name: m for m in again.materials}
    for material in (AIR, BRASS):
        assert found[material.name].mass_fractions == pytest.approx(material.mass_fractions)
    assert found["enriched_lead_50_"].mass_fractions == pytest.approx(enriched.mass_fractions)
    # Natural elements are shared, others have a name of their own.
    text = (tmp_path / "m.gdml").read_text()
    assert text.count('<element name="element_Cu"') == 1


def test_what_gdml_cannot_say(tmp_path):
    class Fog:
        def intervals(self, origins, directions):
            return Sphere(1).intervals(origins, directions)

        def contains(self, points):
            return Sphere(1).contains(points)

        def volume(self):
            return Sphere(1).volume()

        def bounds(self):
            return Sphere(1).bounds()

        def sample(self, n, rng=None):
            return Sphere(1).sample(n, rng)

    detector = DetectorModel("fog")
    detector.add("fog", Fog(), WATER)
    with pytest.raises(OutputError, match="Fog cannot be written"):
        detector.to_gdml(tmp_path / "fog.gdml")
    assert not (tmp_path / "fog.gdml").exists()
    earth = DetectorModel("earth")
    earth.add("earth", Sphere(9), LEAD, profile=RadialDensity([0, 9], [[5.0, -0.1]]))
    with pytest.raises(OutputError, match="varies with the radius"):
        earth.to_gdml(tmp_path / "earth.gdml")


def test_files_are_not_overwritten_unless_allowed(tmp_path):
    detector = DetectorModel("one")
    detector.add("a", Box(1, 1, 1), LEAD)
    path = tmp_path / "one.gdml"
    detector.to_gdml(path)
    with pytest.raises(OutputError):
        detector.to_gdml(path, overwrite=False)
    detector.to_gdml(path)
