"""The 3-D page holds the detector, and nothing that it would have to fetch."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

import siren_py as sp
from siren_py.display import detector_page, notebook_html, scene
from siren_py.errors import ConfigError, OutputError
from siren_py.geometry import Box, Cylinder, LayerStack, RegularPrism, Sphere
from siren_py.material_library import AIR, LEAD, SCINTILLATOR, WATER
from siren_py.surfaces import scan, sharp_edges, surface


@pytest.fixture
def detector():
    model = sp.DetectorModel("toy </script><b>")
    model.add("hall", Box(5000, 5000, 5000), AIR)
    model.add("tank", Cylinder(100, 400, axis="y"), WATER, at=(0, 50, 0))
    model.add_stack("calo", LayerStack(200, 200, [(1, LEAD), (3, SCINTILLATOR)], repeat=5),
                    at=(0, 0, 300))  # fmt: skip
    model.add_region("fiducial", Cylinder(80, 380, axis="y"), at=(0, 50, 0))
    model.add_region("ball", Sphere(60), at=(0, 50, 0))
    return model


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def data_of(page):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def enclosed(vertices, faces):
    """Volume inside a closed surface whose faces are seen counter-clockwise from outside."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


@pytest.mark.parametrize(
    "solid",
    [Box(1, 2, 3), Sphere(5), Cylinder(5, 7, inner_radius=2, axis="x"), RegularPrism(6, 5, 7)],
    ids=["box", "sphere", "tube", "prism"],
)
def test_surfaces_enclose_the_volume(solid):
    shell = surface(solid)
    assert enclosed(shell.vertices, shell.faces) == pytest.approx(solid.volume(), rel=0.02)
    lo, hi = solid.bounds()
    assert shell.vertices.min(axis=0) == pytest.approx(lo, rel=0.01)
    assert shell.vertices.max(axis=0) == pytest.approx(hi, rel=0.01)


@pytest.mark.parametrize("solid", [Sphere(5), Box(1, 2, 3), Cylinder(5, 7, inner_radius=2)])
def test_scanned_surfaces(solid):
    vertices, faces = scan(solid)
    assert enclosed(vertices, faces) == pytest.approx(solid.volume(), rel=0.05)


def test_edges_of_a_box_and_of_a_sphere():
    assert len(surface(Box(1, 2, 3)).edges) == 12
    assert len(surface(Sphere(5)).edges) == 0
    assert sharp_edges(np.zeros((0, 3)), np.zeros((0, 3), int)).shape == (0, 2)


def test_the_page_needs_nothing_else(detector):
    page = detector_page(detector)
    assert not re.findall(r"(?:src|href)\s*=|https?://|@import|url\(", page)
    assert "default-src 'none'" in page
    assert "<title>toy &lt;/script&gt;&lt;b&gt;</title>" in page
    assert page.count("</script>") == 2


def test_the_scene(detector):
    data = data_of(detector_page(detector))
    assert data["name"] == detector.name
    hall, tank, calo = data["volumes"]
    assert (hall["site"], tank["site"]) == (True, False)
    assert tank["mass"] == pytest.approx(np.pi * 100**2 * 400, rel=1e-9)
    assert (tank["material"], tank["density"]) == ("water", "1 g/cm³")
    assert calo["material"] == "10 layers: lead, polystyrene scintillator"
    assert calo["stack"]["start"] == pytest.approx(290.0)
    assert calo["stack"]["along"] == [0, 0, 1, 20]
    assert [r["name"] for r in data["regions"]] == ["fiducial", "ball"]
    assert data["regions"][1]["lines"][1] > 0  # a ball has no edges: rings are drawn
    vertices = floats(data["vertices"]).reshape(-1, 3)
    faces = np.frombuffer(base64.b64decode(data["faces"]), "<u4").reshape(-1, 3)
    first, count = tank["first"] // 3, tank["count"] // 3
    shell = faces[first : first + count]
    assert enclosed(vertices - [0, 50, 0], shell) == pytest.approx(tank["mass"], rel=0.01)
    assert vertices[shell].max(axis=(0, 1)) == pytest.approx([100, 250, 100], rel=0.01)
    lines = floats(data["lines"]).reshape(-1, 3)
    assert len(lines) == sum(e["lines"][1] for e in data["volumes"] + data["regions"])


def test_local_coordinates_of_the_cut(detector):
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", [20, 30, 40], degrees=True)
    solid = Cylinder(10, 30, axis="x")
    detector.add("rod", solid, LEAD, at=(1, 2, 3), rotation=turn)
    shape = scene(detector, None, masses=False)["volumes"][-1]["shape"]
    # The page computes turn (x - origin), its matrix stored by columns.
    matrix = np.array(shape["turn"]).reshape(3, 3).T
    end = turn.apply([15.0, 0.0, 0.0]) + np.array([1, 2, 3])
    assert matrix @ (end - shape["origin"]) == pytest.approx([0, 0, 15])
    assert shape["size"] == [10.0, 0.0, 15.0]


def test_without_masses(detector):
    data = data_of(detector_page(detector, masses=False))
    assert all(volume["mass"] is None for volume in data["volumes"])


def test_vertices_of_a_sample(detector, toy):
    simulation = toy.simulate(detector, 100.0, "fiducial")
    sample = simulation.run(500, seed=1, progress=False)
    data = data_of(detector_page(detector, sample=sample))
    decay = floats(data["events"]["decay"]).reshape(-1, 4)
    production = floats(data["events"]["production"]).reshape(-1, 4)
    assert len(decay) == len(production) == len(sample)
    assert detector.region("fiducial").contains(decay[:, :3].astype(float)).mean() > 0.99
    assert 10 ** decay[-1, 3] == pytest.approx(sample.weights.max(), rel=1e-5)
    assert np.all(np.diff(decay[:, 3]) >= 0)
    assert data["events"]["text"] == f"{len(sample)} events"


def test_an_empty_sample_is_an_error(detector, toy):
    sample = toy.simulate(detector, 100.0, "fiducial").run(50, seed=1, progress=False)
    none = sample.select(lambda s: np.zeros(len(s), bool))
    with pytest.raises(ConfigError, match="no events"):
        detector_page(detector, sample=none)


def test_files(detector, tmp_path):
    file = detector.show(tmp_path / "a.html")
    assert file.read_text("utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(OutputError, match="missing"):
        detector.show(tmp_path / "missing" / "a.html")


def test_notebooks(detector):
    shown = detector._repr_html_()
    assert "<iframe" in shown
    assert "srcdoc=" in shown
    assert "<b>" not in shown
    assert notebook_html(sp.DetectorModel("nothing")).startswith("<div>")


def test_nd280_is_small():
    page = detector_page(sp.load_detector("nd280"))
    assert len(page.encode()) < 1e6
