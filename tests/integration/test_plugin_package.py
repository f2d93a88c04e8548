"""A plug-in package from the template: built as a wheel, installed elsewhere, used by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from siren_py.cli import main

pytest.importorskip("hatchling", reason="the wheel is built without a network")
pytest.importorskip("pip")

ROOT = Path(__file__).resolve().parents[2]

USE = """
import json
import siren_py as sp
from siren_py.models import load_model, model_names
from siren_py.plugins import list_plugins
from siren_py.processes.library import load_process, process_names
from siren_py.selection import cut_names

model = load_model("my-lab", mass=0.1)
flux = sp.load_flux("my-lab-beam", flavor="numu")
sim = sp.Simulation(
    "my-lab-detector", flux, model, decay="gamma gamma", region="fiducial"
)
sim.run(2000, seed=1, output="events.root", progress=False)
sample = sp.read_root("events.root")
stronger = sample.reweight(g=2.0)  # the model is made anew from what the file keeps of it
print(json.dumps({
    "detector": "my-lab-detector" in sp.list_detectors(),
    "flux": "my-lab-beam" in sp.list_fluxes(),
    "model": "my-lab" in model_names(),
    "process": load_process("my-lab-scattering", mass=0.1, g=2.0).g,
    "processes": [n for n in process_names() if n.startswith("my-lab")],
    "cuts": cut_names(),
    "plugins": [f"{p.kind}: {p.name} from {p.package}" for p in list_plugins()],
    "expected": list(sample.expected(1e21)),
    "hard": list(sample.expected(1e21, cut="my-lab-pair")),
    "stronger": list(stronger.expected(1e21)),
}))
"""


def call(*words: str, folder: Path, path: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package was installed into."""
    folder = tmp_path_factory.mktemp("plug-in")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["new", "package", "My Lab"]) == 0
    finally:
        os.chdir(before)
    # No index: nothing may be fetched, and a wheel is built with what is installed here.
    pip = ("-m", "pip", "--disable-pip-version-check", "--isolated")
    build = ("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", "wheels")
    call(*pip, *build, "./my-lab", folder=folder)
    (wheel,) = (folder / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        assert "my_lab/fluxes/my-lab-beam/flux.toml" in archive.namelist()
    call(*pip, "install", "--no-deps", "--no-index", "--target", "site", str(wheel), folder=folder)
    return folder / "site"


def test_everything_has_its_name(installed: Path, tmp_path: Path) -> None:
    found = json.loads(call("-c", USE, folder=tmp_path, path=installed))
    assert found["detector"]
    assert found["flux"]
    assert found["model"]
    assert found["process"] == 2.0
    assert found["processes"] == ["my-lab-decay", "my-lab-scattering"]
    assert found["cuts"] == ["my-lab-pair"]
    kinds = ("detectors: my-lab", "fluxes: my-lab", "models: my-lab", "cuts: my-lab-pair")
    for words in (*kinds, "processes: my-lab-decay", "processes: my-lab-scattering"):
        assert f"{words} from my-lab 0.1.0" in found["plugins"]
    assert found["expected"][0] > found["hard"][0] > 0.0
    assert found["stronger"][0] > found["expected"][0]


def test_the_command_line_knows_it(installed: Path, tmp_path: Path) -> None:
    siren = ("-m", "siren_py")
    assert "nothing unexplained" in call(
        *siren, "check", "my-lab-detector", folder=tmp_path, path=installed
    )
    listed = json.loads(call(*siren, "list", "plugins", "--json", folder=tmp_path, path=installed))[
        "plugins"
    ]
    assert listed["cuts: my-lab-pair"]["target"] == "my_lab.cuts:hard_pair"
    assert not [entry for entry in listed.values() if "error" in entry]
    words = ["--model", "my-lab", "--coupling", "g", "--masses", "0.1", "--couplings", "1:100:3"]
    words += ["--detector", "my-lab-detector", "--region", "fiducial", "--pot", "1e21"]
    words += ["--flux", "my-lab-beam:fhc:numu", "--precision", "0.3", "--quiet", "--json"]
    limit = json.loads(call(*siren, "limit", *words, folder=tmp_path, path=installed))
    assert limit["coupling"] == "g"


def test_its_own_tests_pass(installed: Path) -> None:
    out = call(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=installed.parent / "my-lab",
        path=installed,
    )  # fmt: skip
    assert "4 passed" in out


def test_a_broken_package_is_told_once(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "bad-1.dist-info").mkdir()
    points = "[siren_py.detectors]\nbad = no_such_package\n[siren_py.models]\nbad = no_such:thing\n"
    (tmp_path / "bad-1.dist-info" / "entry_points.txt").write_text(points)
    (tmp_path / "bad-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: bad\nVersion: 1\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [tmp_path, installed]))}
    environment["PYTHONPATH"] += os.pathsep + str(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "siren_py", "list", "detectors"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.count("warning") == 1
    assert "'bad' (no_such_package)" in done.stderr
    assert "my-lab-detector" in done.stdout
