"""``siren-py new``: what it writes works at once, whatever the name, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py.cli import main
from siren_py.cli.new import KINDS, read_name
from siren_py.errors import ConfigError
from siren_py.resources import load_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(capsys, *words):
    code = main(["new", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "dashed", "module", "class_name"),
    [
        ("my-tank", "my-tank", "my_tank", "MyTank"),
        ("My Tank", "my-tank", "my_tank", "MyTank"),
        ("  a__b - c.py ", "a-b-c", "a_b_c", "ABC"),
        ("détecteur", "détecteur", "détecteur", "Détecteur"),
        ("ﬁne²", "fine2", "fine2", "Fine2"),  # letters that Python takes for others
        ("2x2", "2x2", "2x2", "Model2x2"),
        ("None", "none", "none", "ModelNone"),
        ("x", "x", "x", "ModelX"),  # the template has names of its own
    ],
)
def test_names(text, dashed, module, class_name):
    name = read_name(text)
    assert (name.dashed, name.module, name.class_name) == (dashed, module, class_name)


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "---", "-", "12", "a/b", "..", "../a", "a\\b", "a:b", 'a"b', "a$b", "a.b"),
        *("a\nb\x00", "x" * 61, "con", "é☃"),
    ],
)
def test_names_that_cannot_be(text):
    with pytest.raises(ConfigError):
        read_name(text)


@pytest.mark.parametrize("text", ["tank", "My Tank", "détecteur", "2x2", "class"])
def test_a_detector_passes_the_check_at_once(capsys, text):
    code, data = new(capsys, "detector", text)
    assert code == 0
    (file,) = data["files"]
    assert data["next"][0].startswith("siren-py check ")
    assert main(["check", f"./{file}", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    assert sp.load_detector(f"./{file}").name == data["name"]


def test_a_detector_is_found_by_name(capsys, folder, monkeypatch):
    (folder / "detectors").mkdir()
    monkeypatch.chdir(folder / "detectors")
    assert new(capsys, "detector", "my tank")[0] == 0
    monkeypatch.setenv("SIREN_PY_PATH", str(folder))
    assert "my-tank" in sp.list_detectors()


@pytest.mark.parametrize("text", ["beam", "My Beam", "straße", "2x2"])
def test_a_flux_loads(capsys, folder, monkeypatch, text):
    (folder / "fluxes").mkdir()
    monkeypatch.chdir(folder / "fluxes")
    code, data = new(capsys, "flux", text)
    assert code == 0
    by_path = sp.load_flux(f"./{data['name']}", flavor="numu")
    monkeypatch.setenv("SIREN_PY_PATH", str(folder))
    assert data["name"] in sp.list_fluxes()
    by_name = sp.load_flux(data["name"], mode="fhc", flavor="numu")
    assert by_name.integral == by_path.integral
    # The table is per 50 MeV and 1e21 protons: the sum of value x width x factor.
    rows = np.loadtxt(data["files"][1], delimiter=",", skiprows=2)
    integral = np.sum(rows[:, 2] * (rows[:, 1] - rows[:, 0])) / 0.05 / 1e21
    assert by_name.integral == pytest.approx(integral, rel=1e-12)


@pytest.mark.parametrize("text", ["dark photon", "x", "2x2", "None"])
def test_a_process_runs(capsys, folder, text):
    code, data = new(capsys, "process", text)
    assert code == 0
    (file,) = data["files"]
    if text == "dark photon":
        # The command that is printed, in a new process.
        assert data["next"] == [f"python {file}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, file], env=environment, capture_output=True, text=True, check=True
        )
        assert "expected events" in done.stdout
    make = getattr(load_script(f"./{file}"), read_name(text).class_name)
    model = make(mass=0.1, g=2.0)
    (process,) = model.interactions(14)
    energy = np.full(2000, 1.0)
    drawn = process.sample(energy, "C12", "all", np.random.default_rng(1))
    assert drawn.weight.mean() == pytest.approx(process.total(energy, "C12")[0], rel=1e-12)
    p = drawn.momenta[:, 0]
    mass2 = p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(mass2, 0.01, atol=1e-14)
    # Production and decay know how samples go over to another coupling.
    other = make(mass=0.1, g=3.0)
    assert process.proportion(other.interactions(14)[0]) == pytest.approx((2 / 3) ** 2)
    assert model.decays(5914)[0].same_kinematics(other.decays(5914)[0])
    with pytest.raises(ConfigError, match="above 0"):
        make(mass=float("nan"))


def test_a_package_is_complete(capsys, folder):
    code, data = new(capsys, "package", "My Lab")
    assert code == 0
    assert data["next"][0] == "cd my-lab"
    for file in data["files"]:
        text = (folder / file).read_text()
        assert "$" not in text.replace("$name", "$")  # every word was put in
        if file.endswith(".py"):
            compile(text, file, "exec")
    assert main(["check", "my-lab/src/my_lab/detectors/my_lab_detector.py"]) == 0


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_written_is_clean(capsys, folder, kind):
    pytest.importorskip("ruff")
    assert new(capsys, kind, "my thing")[0] == 0
    options = ["--isolated", "--line-length", "100"]
    for words in (["check", "--select", "E,F,W,I,B,UP,SIM,RUF,NPY"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, *options, "."]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_overwritten(capsys, folder, kind):
    _, data = new(capsys, kind, "mine")
    top = folder / data["files"][0].split("/")[0]
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    code, answer = new(capsys, kind, "mine")
    assert code == 2
    assert f"{top.name} exists already" in answer["error"]
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_a_dead_link_is_not_followed(capsys, folder):
    (folder / "mine.py").symlink_to(folder / "elsewhere.py")
    assert new(capsys, "detector", "mine")[0] == 2
    assert not (folder / "elsewhere.py").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("detecter", "a"), "'detector'"),
        (("detector", "nd280"), "my-nd280"),
        (("detector", "ND280_Upgrade"), "already"),
        (("flux", "T2K nd280"), "already"),
        (("process", "numpy"), "hide the Python module numpy"),
        (("process", "random"), "hide the Python module random"),
        (("package", "siren py"), "hide the Python module siren_py"),
        (("package", "détecteur"), "from a to z"),
        (("package", "2x2"), "begins with a letter"),
        (("package", "class"), "word of Python"),
        (("detector", "a/b"), "change to the one"),
    ],
)
def test_errors_say_what_to_do(capsys, folder, words, text):
    code, answer = new(capsys, *words)
    assert code == 2
    assert text in answer["error"]
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_written(capsys, folder, monkeypatch):
    if os.geteuid() == 0:
        monkeypatch.setattr("tempfile.tempdir", None)
        gone = folder / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
    else:
        folder.chmod(0o500)
    code, answer = new(capsys, "detector", "mine")
    assert code == 2
    assert "Cannot write mine.py" in answer["error"]
