"""What is installed: one version, light import, data where they belong, commands that agree."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

import siren_py

ROOT = Path(__file__).resolve().parents[2]

TEST = (
    'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && '
    ".venv/bin/python -m pytest -n auto"
)
WHEEL_LIMIT = 10_000_000  # bytes


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_one_version(project: dict[str, Any]) -> None:
    version = project["project"]["version"]
    assert siren_py.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    # Followed by the date, where it has been released.
    assert re.search(rf"\n## {re.escape(version)}( \(|\n)", (ROOT / "CHANGELOG.md").read_text())


@pytest.mark.parametrize("name", ["test", "docs"])
def test_extras_for_developers_are_dependency_groups(project: dict[str, Any], name: str) -> None:
    extras = project["project"]["optional-dependencies"]
    assert extras[name] == project["dependency-groups"][name]


def floors(requirements: list[str]) -> dict[str, str]:
    """Lowest version by name of a list of requirements."""
    found = {}
    for line in requirements:
        match = re.match(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)", line)
        if match:
            found[match[1].lower()] = match[2]
    return found


def release(version: str) -> tuple[int, ...]:
    """1.2 is 1.2.0."""
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def test_the_lowest_versions_are_those_that_are_tested(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    script = (ROOT / ".ci" / "run").read_text()
    tested = re.search(r'-e "\.\[([\w,]+)\]" \\', script)
    assert tested
    wanted = floors(project["project"]["dependencies"])
    for extra in tested[1].split(","):
        wanted |= floors(extras[extra])
    lines = (ROOT / "tests" / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {k: release(v) for k, v in pinned.items()} == {k: release(v) for k, v in wanted.items()}
    # Every dependency has a floor, and an extra has the same one wherever it is named.
    assert len(floors(project["project"]["dependencies"])) == len(
        project["project"]["dependencies"]
    )
    named = [*extras["test"], *extras["docs"]]
    for name, floor in floors(named).items():
        assert pinned.get(name) is None or release(pinned[name]) == release(floor), name


def test_extra_all_is_every_extra_for_users(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    (line,) = extras["all"]
    named = re.fullmatch(r"siren-py\[(.*)\]", line)
    assert named
    assert sorted(named[1].split(",")) == sorted(set(extras) - {"all", "test", "docs"})


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


def cpu_seconds(*words: str, best_of: int = 3) -> float:
    """Processor time of a command of Python, which other programs do not lengthen much."""
    code = (
        "import os, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
        "stdout=subprocess.DEVNULL); t = os.times(); "
        "print(t.children_user + t.children_system)"
    )
    command = [sys.executable, "-c", code, sys.executable, *words]
    times = [
        float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(best_of)
    ]
    return min(times)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="times of children are not known there")
@pytest.mark.parametrize(
    ("words", "limit"),
    [(("-c", "import siren_py"), 0.3), (("-m", "siren_py", "--help"), 0.5)],
    ids=["import", "help"],
)
def test_start_takes_no_time(words: tuple[str, ...], limit: float) -> None:
    assert cpu_seconds(*words) < limit


def test_every_module_can_be_imported() -> None:
    """Also where no optional library is installed: they are imported when they are needed."""
    found = [
        module.name
        for module in pkgutil.walk_packages(siren_py.__path__, "siren_py.")
        if not module.name.endswith("__main__")
    ]
    assert len(found) > 100
    for name in found:
        importlib.import_module(name)


def test_data_is_small() -> None:
    """What goes into the wheel, packed as it will be."""
    files = [
        path
        for folder in ("siren_py", "detectors", "fluxes")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert len(files) > 200
    assert sum(len(zlib.compress(path.read_bytes())) for path in files) < WHEEL_LIMIT


def test_wheel(tmp_path: Path) -> None:
    """Built without a network, of the size that is allowed, with everything in it."""
    pytest.importorskip("hatchling")
    pytest.importorskip("pip")
    command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "wheel"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, *options, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < WHEEL_LIMIT
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for path in (ROOT / "siren_py").rglob("*"):
        if path.is_file() and path.suffix in {".py", ".csv", ".toml", ".template", ".typed"}:
            assert path.relative_to(ROOT).as_posix() in names
    for folder in ("detectors", "fluxes"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".csv", ".toml"}:
                assert f"siren_py/_data/{path.relative_to(ROOT).as_posix()}" in names
    assert not [n for n in names if "__pycache__" in n or n.startswith(("tests", "docs"))]


def test_change_notes_have_a_known_kind(project: dict[str, Any]) -> None:
    kinds = {kind["directory"] for kind in project["tool"]["towncrier"]["type"]}
    notes = [p for p in (ROOT / "changes").iterdir() if p.name.startswith("+")]
    for note in notes:
        assert re.fullmatch(rf"\+[\w-]+\.({'|'.join(kinds)})\.md", note.name), note.name
        text = note.read_text()
        assert text.strip(), f"{note.name} says nothing"
        assert not text.startswith(("-", "*", " ")), f"{note.name} is no list: towncrier makes one"
    assert project["tool"]["towncrier"]["start_string"] in (ROOT / "CHANGELOG.md").read_text()


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
    assert TEST in (ROOT / "CONTRIBUTING.md").read_text().splitlines()


def test_ci_script_can_be_run() -> None:
    path = ROOT / ".ci" / "run"
    assert path.stat().st_mode & stat.S_IXUSR
    text = path.read_text()
    assert "set -euo pipefail" in text
    (usual,) = re.findall(r"^usual=\(([\w ]+)\)$", text, re.MULTILINE)
    (other,) = re.findall(r'^stages=\("\$\{usual\[@\]\}" ([\w ]+)\)$', text, re.MULTILINE)
    stages = f"{usual} {other}"
    assert sorted(re.findall(r"^stage_(\w+)\(\) \{$", text, re.MULTILINE)) == sorted(stages.split())
    # Those that run beside the compilation are the first of the usual ones.
    (beside,) = re.findall(r"^    in_turn ([\w ]+)$", text, re.MULTILINE)
    assert usual.startswith(beside)
    assert f"{{wanted[@]:{len(beside.split())}}}" in text
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert f"stage: [{', '.join(stages.split())}]" in workflow
    for stage in stages.split():
        assert f"| `{stage}` |" in contributing
    (short,) = re.findall(r"^short=\(([\w ]+)\)$", text, re.MULTILINE)
    for name in short.split():
        assert (ROOT / "tests" / "unit" / f"test_{name}.py").is_file()


def test_ci_script_names_its_stages() -> None:
    done = subprocess.run(
        [ROOT / ".ci" / "run", "lind"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "There is no stage lind" in done.stderr


def test_no_path_of_a_machine() -> None:
    pattern = re.compile(r"(?<![\w.~$}])/(home|root|tmp|work|Users)/")
    files = [
        path
        for folder in (
            *("siren_py", "detectors", "fluxes", "docs", "validation", ".ci", ".github"),
            *("changes", "tests"),
        )
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
