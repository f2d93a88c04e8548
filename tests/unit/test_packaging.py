"""What is installed: one version, light import, data where they belong, commands that agree."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import siren_py

ROOT = Path(__file__).resolve().parents[2]

TEST = 'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest'


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_one_version(project: dict[str, Any]) -> None:
    version = project["project"]["version"]
    assert siren_py.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_test_extra_is_the_test_group(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    assert extras["test"] == project["dependency-groups"]["test"]


def test_extra_all_is_every_extra_for_users(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    (line,) = extras["all"]
    named = re.fullmatch(r"siren-py\[(.*)\]", line)
    assert named
    assert sorted(named[1].split(",")) == sorted(set(extras) - {"all", "test"})


def test_python_is_not_capped(project: dict[str, Any]) -> None:
    assert project["project"]["requires-python"] == ">=3.11"
    assert not [d for d in project["project"]["dependencies"] if "<" in d or "==" in d]


def test_wheel_and_sdist_hold_the_data(project: dict[str, Any]) -> None:
    targets = project["tool"]["hatch"]["build"]["targets"]
    for source, target in targets["wheel"]["force-include"].items():
        assert target == f"siren_py/_data/{source}"
        assert (ROOT / source).is_dir()
        assert f"/{source}" in targets["sdist"]["include"]


def test_import_is_light() -> None:
    heavy = ["awkward", "numba", "numpy", "rich", "scipy", "shapely", "trimesh", "uproot"]
    code = (
        "import sys, json, siren_py; siren_py.__version__; dir(siren_py);"
        f"print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout) == []


def test_fluxes_need_no_compiler_or_files_library() -> None:
    heavy = ["awkward", "numba", "scipy", "shapely", "trimesh", "uproot"]
    code = (
        "import sys, json, siren_py as sp; sp.load_flux('t2k-nd280', mode='fhc', flavor='numu');"
        f"print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout) == []


@pytest.mark.parametrize("name", siren_py.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(siren_py, name) is not None
    assert name in dir(siren_py)


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_detektor'"):
        siren_py.load_detektor  # noqa: B018


def test_readme_and_ci_run_the_same_commands() -> None:
    readme = (ROOT / "README.md").read_text().splitlines()
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert TEST in readme
    assert TEST in script


def test_ci_script_can_be_run() -> None:
    path = ROOT / ".ci" / "run"
    assert path.stat().st_mode & stat.S_IXUSR
    assert "set -euo pipefail" in path.read_text()


def test_no_path_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.~$}])/(home|root|tmp|work|Users)/")
    files = [
        path
        for folder in ("siren_py", "detectors", "fluxes", "docs", "validation", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".toml", ".csv", ".json", ".sh", ".cff", ""}
        and path.is_file()
    ]
    files += [*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("*.cff")]
    assert len(files) > 30
    found = [
        str(path.relative_to(ROOT))
        for path in files
        if pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found
