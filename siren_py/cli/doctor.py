"""``siren-py doctor``: what is installed, what each extra would add, and whether it works."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer

CORE = (
    "numpy", "scipy", "trimesh", "shapely", "awkward", "uproot", "numba", "rich", "manifold3d",
    "contourpy",
)  # fmt: skip
"""Libraries that siren_py needs."""

EXTRAS = {
    "mesh": (("trimesh",), "newer trimesh, for surfaces as solids"),
    "fast": (("trimesh", "embreex"), "tracing of large meshes with Embree"),
    "plot": (("matplotlib", "hist", "mplhep"), "cross-sections, figures of limits, histograms"),
    "hepmc": (("pyhepmc",), "HepMC3 files (NuHepMC)"),
    "stats": (("iminuit", "pyhf"), "comparison of limits with pyhf"),
    "parquet": (("pyarrow",), "Parquet files"),
    "hdf5": (("h5py",), "HDF5 files"),
    "vector": (("vector",), "four-vectors with mass, pt, angles on particles"),
    "pandas": (("pandas",), "events as pandas data frames"),
    "polars": (("polars",), "events as polars data frames"),
    "notebook": (("k3d", "ipywidgets"), "3-D views in notebooks"),
    "dask": (("dask", "distributed"), "runs on a dask cluster"),
    "completion": (("shtab",), "scripts for completion by the shell"),
}
"""Modules that each extra brings, and what they add."""

_ATTEMPTS = 500
_LEAST_DISK, _LEAST_MEMORY = 100e6, 500e6


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    add_verb(
        sub,
        "doctor",
        run,
        "say what is installed, what is missing, and whether it works",
        "Report Python, siren_py and the libraries that it needs, what each extra would add, where "
        "compiled kernels are kept, processors, memory and disk, plug-ins, and a run of a few "
        "hundred events. The exit code is 1 if something is broken; missing extras are not.",
        ("siren-py doctor", "siren-py doctor --json"),
    )


def run(options: argparse.Namespace) -> Answer:
    """Examine the installation."""
    del options
    checks: dict[str, Callable[[], dict[str, Any]]] = {
        "python": _python,
        "siren_py": _package,
        "libraries": _libraries,
        "extras": _extras,
        "kernels": _kernels,
        "machine": _machine,
        "plugins": _plugins,
        "self_test": _self_test,
    }
    data: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            data[name] = check()
        except Exception as error:  # whatever is broken is what this verb is to tell
            data[name] = {"problems": [f"{type(error).__name__}: {error}"]}
    problems = [
        f"{name.replace('_', ' ')}: {problem}"
        for name, found in data.items()
        for problem in found.get("problems", [])
    ]
    data["problems"], data["ok"] = problems, not problems
    return Answer(data, _text(data), ok=not problems)


# ------------------------------------------------------------ checks


def _python() -> dict[str, Any]:
    import platform
    import sys

    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
    }


def _package() -> dict[str, Any]:
    import siren_py
    from siren_py.resources import SEARCH_PATH, resources

    problems = []
    folders = [f for f in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if f]
    for folder in folders:
        kinds = [Path(folder).expanduser() / kind for kind in ("detectors", "fluxes")]
        if not any(kind.is_dir() for kind in kinds):
            problems.append(f"{SEARCH_PATH} names {folder}, which has no detectors/ or fluxes/")
    found = {kind: resources(kind) for kind in ("detectors", "fluxes")}
    for kind, entries in found.items():
        if not entries:
            problems.append(f"no {kind} were found; install siren-py again")
    places = {
        str(resource.path.parent): resource.origin
        for entries in found.values()
        for resource in entries.values()
    }
    return {
        "version": siren_py.__version__,
        "folder": str(Path(str(siren_py.__file__)).parent),
        "data": places,
        "search_path": folders,
        "problems": problems,
    }


def _libraries() -> dict[str, Any]:
    import importlib.metadata as installed

    oldest = _oldest_versions()
    versions: dict[str, str | None] = {}
    problems = []
    for name in CORE:
        try:
            importlib.import_module(name)
            version = installed.version(name)
        except Exception as error:  # a broken library may fail in any way
            versions[name] = None
            problems.append(f"{name}: {type(error).__name__}: {error}")
            continue
        versions[name] = version
        if _numbers(version) < _numbers(oldest.get(name, "0")):
            problems.append(f"{name} {version} is older than {oldest[name]}")
    return {"versions": versions, "problems": problems}


def _oldest_versions() -> dict[str, str]:
    """Return the oldest version of each library that will do, as the package declares it."""
    import importlib.metadata as installed
    import re
    import tomllib

    try:
        wanted = installed.requires("siren-py") or []
    except installed.PackageNotFoundError:  # run from a checkout
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        if not project.is_file():
            return {}
        wanted = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    found = [re.match(r"([\w-]+)[^;]*?>=\s*([\d.]+)[^;]*$", requirement) for requirement in wanted]
    return {match[1]: match[2] for match in found if match is not None}


def _numbers(version: str) -> list[int]:
    """Return the leading numbers of a version, ``[2, 0, 4]``."""
    found = []
    for part in version.split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return found


def _extras() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for extra, (modules, adds) in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        found[extra] = {
            "installed": not missing,
            "missing": missing,
            "adds": adds,
            "install": f'pip install "siren-py[{extra}]"',
        }
    return {"found": found}


def _kernels() -> dict[str, Any]:
    from siren_py import kinematics

    # Where numba keeps the machine code of one kernel, it keeps that of all others of the package.
    kernel: Any = kinematics.boost_kernel
    folder = Path(kernel._cache.cache_path)
    root = folder.parent
    files = [*root.rglob("*.nbc")] if root.is_dir() else []
    place = next(p for p in (folder, *folder.parents) if p.exists())
    writable = os.access(place, os.W_OK)
    problems = [] if writable else [f"{folder} cannot be written; set NUMBA_CACHE_DIR"]
    size = sum(f.stat().st_size for f in files)
    return {
        "folder": str(root),
        "writable": writable,
        "files": len(files),
        "bytes": size,
        "problems": problems,
    }


def _machine() -> dict[str, Any]:
    import shutil
    import tempfile

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    temporary = tempfile.gettempdir()
    disk = shutil.disk_usage(temporary).free
    memory = _free_memory()
    problems = []
    if disk < _LEAST_DISK:
        problems.append(
            f"{temporary} has {disk / 1e6:.0f} MB left; free some, or set TMPDIR to another folder"
        )
    if memory is not None and memory < _LEAST_MEMORY:
        problems.append(f"only {memory / 1e6:.0f} MB of memory are free")
    return {
        "cpus": cpus,
        "free_memory": memory,
        "temporary_folder": temporary,
        "free_disk": disk,
        "problems": problems,
    }


def _free_memory() -> int | None:
    """Return the memory that a program may take [bytes]; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    values = {line.split(":")[0]: line.split()[1] for line in lines}
    return int(values["MemAvailable"]) * 1024 if "MemAvailable" in values else None


def _plugins() -> dict[str, Any]:
    from siren_py.plugins import list_plugins

    found = []
    problems = []
    for plugin in list_plugins():
        entry: dict[str, Any] = {
            "kind": plugin.kind, "name": plugin.name, "package": plugin.package, "ok": True
        }  # fmt: skip
        try:
            plugin.point.load()
        except Exception as error:  # whatever a foreign package does while it is imported
            entry["ok"] = False
            problems.append(
                f"{plugin.kind} {plugin.name} of {plugin.package}: {type(error).__name__}: {error}"
            )
        found.append(entry)
    return {"found": found, "problems": problems}


def _self_test() -> dict[str, Any]:
    import time

    import siren_py as sp

    start = time.perf_counter()
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    simulation = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    made = [simulation.run(_ATTEMPTS, seed=1, progress=False) for _ in range(2)]
    first, second = (sample.expected(12.34e20) for sample in made)
    problems = []
    if not 0.0 < first.error < first.value:
        problems.append(f"{_ATTEMPTS} attempts give {first}, which cannot be")
    if first != second:
        problems.append(f"the same run gives {first} and {second}")
    return {
        "attempts": _ATTEMPTS,
        "seconds": time.perf_counter() - start,
        "expected": first.value,
        "error": first.error,
        "problems": problems,
    }


# ------------------------------------------------------------ words


def _text(data: dict[str, Any]) -> str:
    lines: list[str] = []

    def say(name: str, words: str) -> None:
        lines.append(f"{name:<12} {words}")

    def known(section: str, *keys: str) -> dict[str, Any] | None:
        found: dict[str, Any] = data[section]
        return found if all(key in found for key in keys) else None

    if python := known("python", "version"):
        say("Python", f"{python['version']} ({python['executable']}), {python['platform']}")
    if package := known("siren_py", "version"):
        say("siren_py", f"{package['version']} in {package['folder']}")
        for place, whose in package["data"].items():
            say("", f"data: {place} ({whose})")
    if libraries := known("libraries", "versions"):
        versions = libraries["versions"].items()
        say("libraries", ", ".join(f"{k} {v or 'broken'}" for k, v in versions))
    if extras := known("extras", "found"):
        for i, (name, extra) in enumerate(extras["found"].items()):
            state = "installed" if extra["installed"] else f"missing: {extra['install']}"
            say("extras" if i == 0 else "", f"{name:<11} {extra['adds']} ({state})")
    if kernels := known("kernels", "folder"):
        state = f"{kernels['files']} files, {kernels['bytes'] / 1e6:.1f} MB"
        state += "" if kernels["files"] else " (the first run compiles them)"
        say("kernels", f"{state} in {kernels['folder']}")
    if machine := known("machine", "cpus"):
        memory = machine["free_memory"]
        words = f"{machine['cpus']} processors, "
        words += "" if memory is None else f"{memory / 1e9:.1f} GB of memory free, "
        say(
            "machine",
            f"{words}{machine['free_disk'] / 1e9:.1f} GB in {machine['temporary_folder']}",
        )
    if plugins := known("plugins", "found"):
        named = [f"{p['kind']} {p['name']} ({p['package']})" for p in plugins["found"]]
        say("plug-ins", ", ".join(named) or "none")
    if test := known("self_test", "seconds"):
        say(
            "self-test",
            f"{test['attempts']} attempts twice in {test['seconds']:.2f} s: "
            f"{test['expected']:.3g} +- {test['error']:.2g} events",
        )
    lines += [f"problem      {problem}" for problem in data["problems"]]
    lines.append("all is well" if data["ok"] else "see the problems above")
    return "\n".join(lines)
