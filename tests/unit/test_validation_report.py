"""The validation report: it builds, all rows are inside or explained, and the kept one is whole."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from siren_py.reproduction import Agreement, reproduction_names

HERE = Path(__file__).resolve().parents[2] / "validation"


@pytest.fixture(scope="module")
def report():
    spec = importlib.util.spec_from_file_location("validation_report", HERE / "report.py")
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name.
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_kept_report_is_whole():
    text = (HERE / "report.md").read_text(encoding="utf-8")
    for name in (*reproduction_names(), "compare_siren", "compare_geant4"):
        assert f"\n## {name}\n" in text
    assert "## What is not reproduced, and why" in text
    assert (HERE / "not_reproduced.md").read_text(encoding="utf-8").strip() in text
    # Names of rows outside without a reason; the word also heads a column.
    assert "| OUTSIDE |" not in text
    assert "Quick version" not in text


@pytest.mark.parametrize("which", ["siren_section", "geant4_section"])
def test_comparisons_with_other_programs(report, which):
    section = getattr(report, which)()
    assert len(section.rows) >= 6
    assert section.count("OUTSIDE") == 0
    assert not section.data.startswith("siren_py")


def test_known_deviations_from_siren_are_its_own(report):
    """Where depths differ, those of siren_py agree with quadrature and SIREN's do not."""
    for line in report.table("compare_siren.csv"):
        if float(line["depth_siren_py_siren"]) > 1e-8:
            assert float(line["depth_siren_py_quadrature"]) < 1e-8
            assert float(line["depth_siren_quadrature"]) == pytest.approx(
                float(line["depth_siren_py_siren"]), rel=0.02
            )


def test_the_page(report):
    pytest.importorskip("matplotlib", reason="the page names its version")
    row = Agreement(quantity="d", published=1.0, ours=2.0, tolerance=0.1)
    section = report.Section("a-name", "A title", "a paper", [row], ["a note"])
    text = report.page([section], quick=True)
    assert "| [a-name](#a-name) | a paper | 1 | 0 | 0 | 1 |" in text
    assert "| d | 1 | 2 | 2.000 | 10 % | OUTSIDE |" in text
    assert "- a note" in text
    assert "Quick version" in text


def test_outputs_of_other_code_are_not_current(report, tmp_path, monkeypatch):
    assert not report.is_current(tmp_path, quick=False)
    (tmp_path / "agreement.json").write_text("{}")
    (tmp_path / "config.json").write_text(json.dumps({"code": "abc", "quick": False}))
    assert not report.is_current(tmp_path, quick=False)
    monkeypatch.setattr(report, "code_stamp", lambda: "abc")
    assert report.is_current(tmp_path, quick=False)
    assert not report.is_current(tmp_path, quick=True)


@pytest.mark.validation
def test_the_report_builds_and_all_is_inside_or_explained(report, tmp_path):
    code = report.main(
        ["--quick", "--outputs", str(tmp_path / "out"), "--output", str(tmp_path / "report.md")]
    )
    assert code == 0
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| OUTSIDE |" not in text
    for name in reproduction_names():
        assert f"\n## {name}\n" in text
        assert list((tmp_path / "out" / name).glob("*.png"))


def test_figures(report, tmp_path):
    """Those of the reproductions at the size of a page, and those of the two tables."""
    figures = pytest.importorskip("matplotlib.figure")
    image = pytest.importorskip("PIL.Image")
    name = reproduction_names()[0]
    (tmp_path / "outputs" / name).mkdir(parents=True)
    figure = figures.Figure(figsize=(12.0, 4.0))
    figure.subplots().plot([0, 1], [0, 1])
    figure.savefig(tmp_path / "outputs" / name / "limits.png", dpi=200)
    written = report.write_figures(tmp_path / "outputs", tmp_path / "figures")
    assert [path.name for path in written] == [
        f"{name}-limits.png", "compare_mixing.png", "compare_masses.png",
    ]  # fmt: skip
    assert all(path.is_file() for path in written)
    with image.open(written[0]) as picture:
        assert picture.width == report.WIDTH


def test_the_figures_of_the_page_are_those_of_the_report():
    """The page of validation shows every figure that is kept, and keeps every one it shows."""
    folder = HERE.parent / "docs"
    text = (folder / "validation.md").read_text(encoding="utf-8")
    for path in (folder / "figures").glob("*.png"):
        assert f"(figures/{path.name})" in text
