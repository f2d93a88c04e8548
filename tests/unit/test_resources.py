"""Finding detectors and fluxes, and running detector scripts."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

import pytest

from siren_py import DetectorModel, resources
from siren_py.errors import ConfigError, SirenError, SirenWarning, UnknownNameError
from siren_py.resources import (
    detector_provenance,
    find_detector,
    find_flux,
    list_detectors,
    list_fluxes,
    load_detector,
    load_script,
)

SCRIPT = """
from siren_py import DetectorModel, Material
from siren_py.geometry import Box

def build():
    detector = DetectorModel("toy")
    detector.add("block", Box(10.0, 10.0, 10.0), Material.from_element("Pb", density=11.35))
    return detector
"""


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on the search path with one detector and one flux."""
    (tmp_path / "detectors").mkdir()
    (tmp_path / "detectors" / "toy_one.py").write_text(SCRIPT)
    (tmp_path / "detectors" / "_helper.py").write_text("raise RuntimeError")
    (tmp_path / "detectors" / "notes.txt").write_text("not a detector")
    (tmp_path / "fluxes" / "toy_beam").mkdir(parents=True)
    (tmp_path / "fluxes" / "toy_beam" / "flux.toml").write_text("")
    (tmp_path / "fluxes" / "empty").mkdir()
    monkeypatch.setenv(resources.SEARCH_PATH, os.pathsep.join(["", str(tmp_path)]))
    return tmp_path


def test_built_in_names() -> None:
    assert "t2k-nd280" in list_fluxes()
    assert "nd280" in list_detectors()
    assert find_flux("t2k-nd280").name == "flux.toml"


def test_search_path(search: Path) -> None:
    assert "toy-one" in list_detectors()
    assert "toy-beam" in list_fluxes()
    assert not {"helper", "_helper", "notes", "empty"} & {*list_detectors(), *list_fluxes()}
    for name in ("toy-one", "toy_one", "TOY-ONE"):
        assert find_detector(name) == search / "detectors" / "toy_one.py"
    assert find_flux("toy-beam") == search / "fluxes" / "toy_beam" / "flux.toml"
    assert resources.resources("detectors")["toy-one"].origin == "SIREN_PY_PATH"


def test_search_path_goes_before_the_built_in(search: Path) -> None:
    own = search / "fluxes" / "t2k-nd280"
    own.mkdir()
    (own / "flux.toml").write_text("")
    assert find_flux("t2k-nd280") == own / "flux.toml"


def test_a_name_is_never_a_file_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="no detector called 'local'"):
        find_detector("local")


def test_unknown_names(search: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no detector called 'toy-on'.*'toy-one'.*PATH"):
        find_detector("toy-on")
    with pytest.raises(UnknownNameError, match=r"no flux called 'toy-bean'.*'toy-beam'"):
        find_flux("toy-bean")
    with pytest.raises(ConfigError, match=r"no detector script '.*nowhere\.py'.*toy-one"):
        find_detector("./nowhere.py")
    with pytest.raises(ConfigError, match=r"no flux description '.*nowhere'.*toy-beam"):
        find_flux(search / "nowhere")


def test_load_by_name_and_by_path(search: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_name = load_detector("toy-one")
    monkeypatch.chdir(search / "detectors")
    by_path = load_detector("./toy_one.py")
    assert repr(by_name) == repr(by_path)
    # A script is not a module that others can import, and leaves no compiled copy.
    assert "toy_one" not in sys.modules
    assert not list(search.rglob("*.pyc"))


def test_an_edited_script_is_read_again(search: Path) -> None:
    path = search / "detectors" / "toy_one.py"
    assert not hasattr(load_script("toy-one"), "answer")
    path.write_text("answer = 42\n")
    assert load_script("toy-one").answer == 42
    path.write_text("answer = 43\n")
    assert load_script("toy-one").answer == 43


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", r"bad\.py: the script has no function build\(\)"),
        ("def build():\n    pass\n", r"must return a DetectorModel; it returned NoneType"),
        (
            "def build():\n    x = 1\n    return 1 / 0\n",
            r"bad\.py, line 3: build\(\) failed: ZeroDivisionError: division by zero",
        ),
        (
            "def build():\n    from siren_py.units import nonsense\n",
            r"bad\.py, line 2: build\(\) failed: ImportError: cannot import name 'nonsense'",
        ),
        ("x = 1\ny = undefined\n", r"bad\.py, line 2: the script failed: NameError"),
        ("x = 1\n\nif True\n", r"bad\.py, line 3: the script failed: SyntaxError"),
        ("exit(3)\n", r"bad\.py, line 1: the script failed: SystemExit: 3"),
        ("x = '\x00'\n", r"bad\.py.*the script failed: (SyntaxError|ValueError).*null bytes"),
    ],
)
def test_scripts_that_fail(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_detector(path)


@pytest.mark.parametrize("name", ["model.dat", "model.stl", "model.txt", "model", "model.GDML"])
def test_no_data_file_is_ever_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef build():\n    pass\n")
    for load in (load_detector, load_script):
        with pytest.raises(SirenError, match="model") as caught:
            load(path)
        assert "line 1" in str(caught.value) or "script" in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_gdml_file_is_a_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = Path(__file__).parents[1] / "data" / "gdml" / "all_solids.gdml"
    (tmp_path / "model.gdml").write_bytes(data.read_bytes())
    for where in ("model.gdml", "./model.gdml", tmp_path / "model.gdml"):
        detector = load_detector(where)
        assert detector.name == "model"
        record = detector_provenance(detector)
        assert record["script"] == "model"
        assert len(record["sha256"]) == 64


def test_a_script_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.py"
    path.write_bytes(b"x " * 10_000_000)
    with pytest.raises(ConfigError, match=r"large\.py: 20000000 bytes"):
        load_detector(path)


def test_the_line_is_that_of_the_script(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(
        "from siren_py.units import m\ndef build():\n\n    return deeper()\n"
        "def deeper():\n    return int('x' * 3)\n"
    )
    with pytest.raises(ConfigError, match="line 6: .*invalid literal") as info:
        load_detector(path)
    assert isinstance(info.value.__cause__, ValueError)


def test_provenance_has_no_path(search: Path) -> None:
    path = search / "detectors" / "toy_one.py"
    detector = load_detector("toy-one")
    record = detector_provenance(detector)
    assert set(record) == {"name", "script", "sha256"}
    assert (record["name"], record["script"]) == ("toy", "toy-one")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert detector_provenance(load_detector(path)) == record
    path.write_text(SCRIPT + "# changed\n")
    assert detector_provenance(load_detector(path))["sha256"] != record["sha256"]
    # What was built from the first text still says so.
    assert detector_provenance(detector) == record


def test_provenance_of_a_detector_built_by_hand() -> None:
    assert detector_provenance(DetectorModel("mine")) == {"name": "mine"}


def test_plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "my_lab_data"
    package.mkdir()
    (package / "__init__.py").write_text("def where():\n    return __path__[0]\n")
    (package / "cube.py").write_text(SCRIPT)
    (package / "fluxes" / "lamp").mkdir(parents=True)
    (package / "fluxes" / "lamp" / "flux.toml").write_text("")
    points = {
        "siren_py.detectors": [("lab", "my_lab_data"), ("broken", "no_such_package")],
        "siren_py.fluxes": [("lab", "my_lab_data:where")],
    }
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group: [importlib.metadata.EntryPoint(n, v, group) for n, v in points[group]],
    )
    with pytest.warns(SirenWarning, match=r"plug-in 'broken' \(no_such_package\).*ModuleNotFound"):
        found = resources.resources("detectors")
    assert found["cube"] == ("cube", package / "cube.py", "plug-in lab")
    assert "nd280" in found
    assert find_flux("lamp") == package / "fluxes" / "lamp" / "flux.toml"


def test_installed_wheel_uses_its_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # site-packages/detectors of somebody else must not be taken for the data of siren_py.
    package = tmp_path / "siren_py"
    (package / "_data" / "detectors").mkdir(parents=True)
    (package / "_data" / "detectors" / "shipped.py").write_text("")
    (tmp_path / "detectors").mkdir()
    (tmp_path / "detectors" / "foreign.py").write_text("")
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert list_detectors() == ["shipped"]
    # In a checkout the folder at the top goes before a copy left by an editable install.
    (tmp_path / "pyproject.toml").write_text("")
    assert list_detectors() == ["foreign"]
