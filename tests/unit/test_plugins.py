"""Models, processes, cuts and analyses of other packages: by name, with clashes and faults."""

from __future__ import annotations

import importlib.metadata
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py import plugins
from siren_py.cli import main
from siren_py.errors import ConfigError, SirenWarning, UnknownNameError
from siren_py.models import load_model, model_from_dict, model_names
from siren_py.processes.library import load_process, process_names
from siren_py.selection import as_cut, cut_names, load_cut

LAB = '''
from dataclasses import dataclass
import numpy as np
import siren_py as sp

@dataclass(frozen=True)
class Lab:
    mass: float
    d_mu: float = 1e-6
    name = "lab-model"
    particle_masses = {}
    def interactions(self, pdg): return []
    def decays(self, pdg): return []
    def to_dict(self): return {"name": "lab-model", "mass": self.mass, "d_mu": self.d_mu}

class Kept(sp.DipolePortal):
    name = "kept"

class Scattering:
    def __init__(self, mass): self.mass = mass
    def reactions(self, nuclides): return []
    def total(self, energy, target, part="all"): return 0.0
    def sample(self, energy, target, part, rng): raise NotImplementedError

def portal(mass):
    """One of siren_py's own models, under another name and with fixed couplings."""
    return sp.DipolePortal(mass=mass, d_mu=2e-7)

def hard(sample):
    return sample["vertex"] >= 0

everything = sp.Cut("all of them", lambda s: np.ones(len(s), dtype=bool))

def counting(outside="error"):
    return sp.load_analysis("t2k-2019-dipole", outside=outside)

def fails(mass): return 1 / 0
def nothing(): return None
number = 3
'''

POINTS = {
    "models": {
        "Lab_Model": "lab:Lab",
        "portal": "lab:portal",
        "kept": "lab:Kept",
        "fails": "lab:fails",
        "nothing": "lab:nothing",
        "number": "lab:number",
        "gone": "no_such_package:Model",
    },
    "processes": {"lab-scattering": "lab:Scattering", "nothing": "lab:nothing"},
    "cuts": {"hard": "lab:hard", "everything": "lab:everything", "number": "lab:number"},
    "analyses": {"lab-count": "lab:counting", "nothing": "lab:nothing"},
}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package `lab` with entry points; more can be added."""
    (tmp_path / "lab.py").write_text(LAB)
    monkeypatch.syspath_prepend(tmp_path)
    packages = {"lab": POINTS}

    def install(package: str, points: dict[str, dict[str, str]]) -> None:
        packages[package] = points
        for name in packages:
            info = tmp_path / f"{name}-1.0.dist-info"
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            lines = []
            for kind, entries in packages[name].items():
                lines += [f"[siren_py.{kind}]", *(f"{k} = {v}" for k, v in entries.items())]
            (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        importlib.invalidate_caches()

    install("lab", POINTS)
    return install


def test_without_plug_ins() -> None:
    assert model_names() == ["dipole-portal", "mass-mixing"]
    assert cut_names() == []
    assert "dipole-decay" in process_names()
    assert load_model("Dipole_Portal", mass=0.1, d_mu=1e-6) == sp.DipolePortal(0.1, d_mu=1e-6)
    decay = load_process("dipole-decay", mass=0.1, d_mu=1e-6)
    assert decay.width() == sp.DipolePortal(0.1, d_mu=1e-6).width()


def test_models_by_name(lab) -> None:
    assert {"lab-model", "portal", "dipole-portal"} <= set(model_names())
    model = load_model("lab_model", mass=0.2)
    assert (model.mass, model.d_mu) == (0.2, 1e-6)
    # What a file keeps of the model makes it again.
    assert model_from_dict(model.to_dict()) == model
    kept = load_model("kept", mass=0.2, d_mu=1e-7)
    assert type(kept).__name__ == "Kept"
    assert model_from_dict(kept.to_dict()) == kept
    assert load_model("portal", mass=0.3) == sp.DipolePortal(0.3, d_mu=2e-7)


@pytest.mark.parametrize(
    ("name", "parameters", "error", "text"),
    [
        ("lab-modle", {}, UnknownNameError, "'lab-model'"),
        ("own model", {}, UnknownNameError, "names of processes of one's own"),
        ("lab-model", {}, ConfigError, "needs mass"),
        ("lab-model", {"mass": 1, "d_nu": 2}, UnknownNameError, "'d_mu'"),
        ("fails", {"mass": 1}, ConfigError, "ZeroDivisionError"),
        ("nothing", {}, ConfigError, "without interactions, decays"),
        ("number", {}, ConfigError, "must be a class"),
        ("gone", {}, ConfigError, r"package lab 1.0 cannot be loaded .*ModuleNotFoundError"),
    ],
)
def test_models_that_cannot_be_made(lab, name, parameters, error, text) -> None:
    with pytest.raises(error, match=text):
        load_model(name, **parameters)


def test_a_broken_plug_in_does_not_hurt_others(lab) -> None:
    assert "gone" in model_names()
    assert load_model("portal", mass=0.1).mass == 0.1
    found = {p.name: p.error() for p in plugins.list_plugins("models")}
    assert "ModuleNotFoundError" in found["gone"]
    assert found["portal"] == ""


def test_processes_by_name(lab) -> None:
    assert "lab-scattering" in process_names()
    assert load_process("lab-scattering", mass=0.1).mass == 0.1
    with pytest.raises(ConfigError, match="needs mass"):
        load_process("lab-scattering")
    with pytest.raises(ConfigError, match="without reactions"):
        load_process("nothing")
    with pytest.raises(UnknownNameError, match="'dipole-decay'"):
        load_process("dipole-dekay")


def test_cuts_by_name(lab) -> None:
    assert cut_names() == ["everything", "hard", "number"]
    assert load_cut("Hard").name == "hard"
    assert as_cut("everything").name == "everything"
    with pytest.raises(ConfigError, match="must be a function"):
        load_cut("number")
    with pytest.raises(UnknownNameError, match="'hard'"):
        as_cut("hart")


def test_a_name_is_taken_wherever_a_cut_is(lab, toy) -> None:
    detector = sp.DetectorModel("lead")
    box = sp.geometry.Box(10, 10, 10)
    detector.add("lead", box, sp.Material.from_element("Pb", density=11.35))
    detector.add_region("lead", box)
    sample = toy.simulate(detector, 100.0, "lead").run(500, seed=1)
    whole = sample.expected(1e21)
    assert sample.expected(1e21, cut="everything") == whole
    assert len(sample.select("everything")) == len(sample)
    flow = sample.cut_flow(["everything", lambda s: s.weights < 0.0], 1e21)
    assert [row[0] for row in flow.rows][1] == "everything"
    channel = sp.Channel("events", "lead", None, ("toy",), {"fhc": 1e21}, cuts=("everything",))
    assert channel.cuts[0].name == "everything"


def test_a_cut_of_a_script(tmp_path: Path) -> None:
    script = tmp_path / "my_cuts.py"
    script.write_text("import math\ndef heavy(sample):\n    return sample.weights > 1\n")
    assert load_cut(f"{script}:heavy").name == "heavy"
    with pytest.raises(UnknownNameError, match="'heavy'"):
        load_cut(f"{script}:heavi")
    with pytest.raises(ConfigError, match="must be a function"):
        load_cut(f"{script}:math")
    with pytest.raises(ConfigError, match="There is no script"):
        load_cut(f"{tmp_path}/none.py:heavy")
    script.write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="line 1"):
        load_cut(f"{script}:heavy")


def test_analyses_by_name(lab) -> None:
    assert {"lab-count", "t2k-2019-dipole"} <= set(sp.analysis_names())
    assert sp.load_analysis("lab_count").names == ("fhc", "rhc")
    assert sp.load_analysis("lab-count", outside="nearest").names == ("fhc", "rhc")
    with pytest.raises(UnknownNameError, match="'outside'"):
        sp.load_analysis("lab-count", outsite="nearest")
    with pytest.raises(ConfigError, match="without channels"):
        sp.load_analysis("nothing")


def test_names_that_clash(lab) -> None:
    lab("aaa", {"models": {"portal": "lab:Lab", "dipole-portal": "lab:portal"}})
    # Of two packages the first in the alphabet; a plug-in hides what siren_py has. Both are told.
    with pytest.warns(SirenWarning, match=r"plug-in package aaa 1.0; it hides the one of lab 1.0"):
        assert type(load_model("portal", mass=0.1)).__name__ == "Lab"
    with pytest.warns(SirenWarning, match="hides the one of siren_py"):
        assert load_model("dipole-portal", mass=0.1).d_mu == 2e-7
    assert model_names().count("portal") == 1
    kept = [(p.name, p.package) for p in plugins.list_plugins("models") if p.name == "portal"]
    assert kept == [("portal", "aaa 1.0"), ("portal", "lab 1.0")]


def test_a_broken_plug_in_does_not_replace_what_siren_py_has(lab) -> None:
    lab("aaa", {"models": {"dipole-portal": "no_such_package:Model"}})
    with pytest.warns(SirenWarning) as told:
        assert load_model("dipole-portal", mass=0.1, d_mu=1e-6).mass == 0.1
    assert [w for w in told if "of siren_py is taken instead" in str(w.message)]


def test_a_warning_is_given_once(lab, recwarn) -> None:
    lab("aaa", {"models": {"dipole-portal": "lab:portal"}})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            load_model("dipole-portal", mass=0.1)
    assert len(told) == 1


def test_list(lab, capsys) -> None:
    assert main(["list", "plugins", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["plugins"]
    assert listed["models: lab-model"] == {"package": "lab 1.0", "target": "lab:Lab"}
    assert "ModuleNotFoundError" in listed["models: gone"]["error"]
    assert main(["list", "models", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert {"lab-model", "dipole-portal"} <= set(models)
    with pytest.raises(UnknownNameError, match="'cuts'"):
        plugins.list_plugins("cut")


def test_parameters_of_things_that_do_not_tell_them() -> None:
    plugins.check_parameters("type", type, {})  # a class whose signature is not known
    with pytest.raises(ConfigError, match="is a float without to_dict"):
        plugins.check_methods("thing", np.float64(1.0).item(), ("real", "to_dict"))
