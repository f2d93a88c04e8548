from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from siren_py import DetectorModel
from siren_py.errors import OutputError, UnknownNameError
from siren_py.geometry import Box, Cylinder, LayerStack, Sphere
from siren_py.material_library import AIR, LEAD, WATER


@pytest.fixture
def detector():
    model = DetectorModel("export")
    model.add("hall", Box(400, 300, 500), AIR)
    model.add("tank", Cylinder(50, 120, axis="x"), WATER, at=(0, 20, 0))
    turn = Rotation.from_euler("z", 30, degrees=True)
    model.add("shield", Box(20, 30, 40), LEAD, at=(100, 0, 0), rotation=turn)
    model.add_stack("stack", LayerStack(20, 20, [(1.0, LEAD), (2.0, WATER)] * 3), at=(0, 0, 150))
    return model


def test_glb_has_a_node_for_each_volume_in_metres(detector, tmp_path):
    detector.to_glb(tmp_path / "d.glb", sections=96)
    scene = trimesh.load_scene(tmp_path / "d.glb")
    assert set(scene.geometry) == {"hall", "tank", "shield", "stack"}
    np.testing.assert_allclose(scene.bounds, np.array(detector.bounds()) / 100.0, atol=1e-6)
    sizes = {name: surface.volume for name, surface in scene.geometry.items()}
    assert sizes["shield"] == pytest.approx(24e-3, rel=1e-5)
    # 96 flat sides instead of a round one.
    assert sizes["tank"] == pytest.approx(np.pi * 0.25 * 1.2, rel=1e-3)
    assert all(surface.is_watertight for surface in scene.geometry.values())


def test_glb_has_the_materials(detector, tmp_path):
    detector.to_glb(tmp_path / "d.glb")
    scene = trimesh.load_scene(tmp_path / "d.glb")
    materials = {name: s.visual.material for name, s in scene.geometry.items()}
    assert materials["tank"].name == "water"
    opacity = {name: int(m.baseColorFactor[3]) for name, m in materials.items()}
    assert opacity["hall"] < opacity["tank"] < opacity["shield"] == 255


def test_stl_is_in_millimetres(detector, tmp_path):
    detector.to_stl(tmp_path / "d.stl", volumes=["shield", "t*"])
    surface = trimesh.load_mesh(tmp_path / "d.stl")
    parts = sorted(part.volume for part in surface.split())
    assert parts[0] == pytest.approx(24e6, rel=1e-5)
    assert len(parts) == 2
    place = detector.volume("shield").placement.box(*detector.volume("shield").solid.bounds())
    assert surface.bounds[1][0] == pytest.approx(10.0 * place[1][0], rel=1e-5)


def test_volumes_are_chosen_by_name(detector, tmp_path):
    with pytest.raises(UnknownNameError, match="shield"):
        detector.to_stl(tmp_path / "d.stl", volumes="shild")
    detector.to_glb(tmp_path / "d.glb", volumes="shield")
    assert set(trimesh.load_scene(tmp_path / "d.glb").geometry) == {"shield"}


def test_a_solid_without_a_surface_is_named(detector, tmp_path):
    class Fog:
        intervals = Sphere.intervals
        contains, volume, bounds, sample = (
            Sphere.contains,
            Sphere.volume,
            Sphere.bounds,
            Sphere.sample,
        )

        def __init__(self):
            self.radius, self.inner_radius = 1.0, 0.0

        kernel_form = Sphere.kernel_form

    detector.add("fog", Fog(), WATER)
    with pytest.raises(OutputError, match="Volume 'fog' cannot be drawn"):
        detector.to_glb(tmp_path / "d.glb")
    assert not (tmp_path / "d.glb").exists()


def test_files_are_not_overwritten_unless_allowed(detector, tmp_path):
    detector.to_stl(tmp_path / "d.stl", volumes="tank")
    with pytest.raises(OutputError):
        detector.to_stl(tmp_path / "d.stl", overwrite=False)
    with pytest.raises(OutputError):
        detector.to_glb(tmp_path / "missing" / "d.glb")
