"""Cross-sections show what is there, where it is."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import siren_py as sp
from siren_py._optional import MissingDependencyError, import_optional
from siren_py.appearance import core_box, families, material_colours, site_volumes
from siren_py.errors import ConfigError, UnknownNameError
from siren_py.geometry import Box, Cylinder, LayerStack, Sphere
from siren_py.material_library import AIR, ALUMINIUM, LEAD, SCINTILLATOR, WATER
from siren_py.slices import slice_values


@pytest.fixture
def detector():
    model = sp.DetectorModel("toy")
    model.add("hall", Box(5000, 5000, 5000), AIR)
    model.add("tank", Cylinder(100, 400), WATER)
    model.add("frame", Box(20, 20, 20), ALUMINIUM.with_density(1.0), at=(50, 0, 0))
    model.add_stack("calo", LayerStack(200, 200, [(1, LEAD), (3, SCINTILLATOR)], repeat=5),
                    at=(0, 0, 300))  # fmt: skip
    model.add_region("fiducial", Cylinder(80, 380))
    model.add_region("ball", Sphere(60), at=(0, 0, 60))
    return model


def test_a_slice_integrates_to_the_exact_areas(detector):
    names = detector.material_names
    shares = np.eye(len(names) + 1)
    image, volume = slice_values(detector, "x", 0.0, (-400, 400, -200, 200), (200, 400), shares)
    assert image.sum(axis=2) == pytest.approx(1.0)
    cell = 2.0 * 2.0
    area = dict(zip(names, image[..., :-1].sum(axis=(0, 1)) * cell, strict=True))
    assert area["water"] == pytest.approx(200 * 400, rel=1e-3)
    assert area["lead"] == pytest.approx(5 * 1 * 200, rel=1e-3)
    assert area["polystyrene scintillator"] == pytest.approx(5 * 3 * 200, rel=1e-3)
    assert set(np.unique(volume)) == {0, 1, 3}
    # Row and column: y and z, from below and from upstream.
    assert volume[100, 200] == 1
    assert volume[100, 350] == 3
    assert volume[10, 350] == 0


def test_vacuum_is_the_last_value():
    model = sp.DetectorModel("toy")
    model.add("box", Box(10, 10, 10), LEAD)
    image, volume = slice_values(
        model, "z", 0.0, (-10, 10, -10, 10), (20, 20), np.array([[1.0], [0.25]])
    )
    assert image[0, 0, 0] == 0.25
    assert image[10, 10, 0] == 1.0
    assert (volume == -1).sum() == 300


def test_colours(detector):
    colours = material_colours(detector)
    assert len(set(colours.values())) == len(colours)
    luminance = [
        sum(w * int(f.colour[i : i + 2], 16) for w, i in ((0.3, 1), (0.59, 3), (0.11, 5)))
        for f in families(detector)
    ]
    assert luminance[0] > 230  # air
    assert luminance[-1] < 60  # lead
    detector.add("b", Box(1, 1, 1), sp.Material.from_element("Al", density=2.0, name="Al 2"))
    assert ("aluminium", "Al 2") in [f.materials for f in families(detector)]


def test_more_materials_than_colours():
    model = sp.DetectorModel("toy")
    for k in range(40):
        fractions = {"Fe": 0.01 * (k + 1), "Pb": 1 - 0.01 * (k + 1)}
        model.add(f"b{k}", Box(1, 1, 1), sp.Material(f"m{k}", fractions, 9.0), at=(2 * k, 0, 0))
    assert len(material_colours(model)) == 40
    assert all(c.startswith("#") and len(c) == 7 for c in material_colours(model).values())


def test_the_surroundings_are_left_out(detector):
    assert site_volumes(detector) == {"hall"}
    lo, hi = core_box(detector, margin=0.0)
    assert lo == pytest.approx([-100, -100, -200])
    assert hi == pytest.approx([100, 100, 310])


@pytest.mark.parametrize("by", ["material", "density"])
@pytest.mark.parametrize("axes", ["x", "xz", "xzy"])
def test_figures(detector, tmp_path, by, axes):
    pytest.importorskip("matplotlib")
    figure = detector.draw(by=by, axes=axes, pixels=200)
    assert len(figure.axes) >= len(axes) + 1
    side = figure.axes[0]
    assert (side.get_xlabel(), side.get_ylabel()) == ("z [m]", "y [m]")
    assert side.get_title().startswith("x = ")
    assert side.get_aspect() == 1.0
    assert {text.get_text() for text in side.texts} == {"fiducial", "ball"}
    # One scale in all panels: inches per metre.
    scales = []
    for ax in figure.axes[: len(axes)]:
        width = ax.get_position().width * figure.get_size_inches()[0]
        scales.append(width / np.diff(ax.get_xlim())[0])
    assert scales == pytest.approx([scales[0]] * len(scales))
    figure.savefig(tmp_path / "a.png", dpi=50)


def test_the_legend_names_what_is_cut(detector):
    pytest.importorskip("matplotlib")
    figure = detector.draw(axes="z", at=(0, 0, 100), pixels=200)
    labels = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert [label.split(",")[0] for label in labels] == ["air", "water"]


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_files(detector, tmp_path, ending):
    pytest.importorskip("matplotlib")
    file = detector.show(tmp_path / f"a.{ending}", axes="x", pixels=150)
    first = file.read_bytes()
    heads = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    assert first.startswith(heads[ending])


def test_errors(detector, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(UnknownNameError, match="axis"):
        detector.draw(axes="w")
    with pytest.raises(UnknownNameError, match="colour"):
        detector.draw(by="densities")
    with pytest.raises(UnknownNameError, match="fiducial"):
        detector.draw(regions=["fiducal"], pixels=50)
    with pytest.raises(ConfigError, match="at must be a point"):
        detector.draw(at=(0, 0))
    with pytest.raises(ConfigError, match="window"):
        detector.draw(window=((0, 0, 0), (1, 1, -1)))
    with pytest.raises(ConfigError, match=r"\.html"):
        detector.show(tmp_path / "a.jpeg")


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "siren-py\[plot\]"'):
        import_optional("matplotlib.figure", "plot", "Cross-sections")
    assert issubclass(MissingDependencyError, ImportError)
    assert import_optional("json", "plot", "Nothing").__name__ == "json"
