"""``siren-py new``: starting files for what users add, which work as they are."""

from __future__ import annotations

import argparse
import keyword
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer
from siren_py.errors import ConfigError, OutputError, unknown_name

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_LONGEST = 60  # letters; names of files may have 255 bytes, and some are built from this one
# Windows keeps these names for devices, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
_TEMPLATE_NAMES = ("ClassVar", "Decay", "Interaction", "Reaction", "X")


class Name(NamedTuple):
    """A name in the spellings that files, Python and people want."""

    dashed: str
    """``my-tank``: what siren_py calls it."""
    module: str
    """``my_tank``: the file, and the module."""
    class_name: str
    """``MyTank``."""
    title: str
    """As it was given."""


class Kind(NamedTuple):
    """Something that can be begun."""

    files: Callable[[Name], dict[str, str]]
    """Path of each file in the current folder, and its template."""
    next: Callable[[Name], list[str]]
    """Commands to go on with."""
    check: Callable[[Name], None]
    """Raises `ConfigError` if the name cannot be used for this."""


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "new",
        run,
        "write a starting file: a detector, flux, process or package of your own",
        "Write a commented file into the current folder that works as it is, to be changed into "
        "what is needed: a detector script; a flux, which is a folder with a description and a "
        "table; a process with its decay and model; or a package that brings all of them to "
        "others. Nothing is overwritten.",
        (
            "siren-py new detector my-tank",
            "siren-py new flux my-beam",
            "siren-py new process dark-photon",
            "siren-py new package my-lab",
        ),
    )
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="name: letters, digits, dashes, spaces")


def run(options: argparse.Namespace) -> Answer:
    """Write the files and say how to go on."""
    if options.kind not in KINDS:
        raise unknown_name("kind of file to begin", options.kind, KINDS)
    kind, name = KINDS[options.kind], read_name(options.name)
    files = kind.files(name)
    top = Path(next(iter(files)).split("/")[0])
    if top.exists() or top.is_symlink():
        raise OutputError(
            f"{top} exists already and stays as it is. Choose another name, or move it away."
        )
    kind.check(name)
    words = {
        "name": name.dashed,
        "module": name.module,
        "class_name": name.class_name,
        "title": name.title,
    }
    _write(top, files, words)
    follow = kind.next(name)
    data = {"kind": options.kind, "name": name.dashed, "files": list(files), "next": follow}
    lines = [f"{options.kind} {name.dashed}", *(f"  wrote  {path}" for path in files)]
    lines += ["It works as it is. Go on with", *(f"  {command}" for command in follow)]
    return Answer(data, "\n".join(lines))


def read_name(text: str) -> Name:
    """Check a name and spell it in all ways.

    Raises
    ------
    ConfigError
        If it has no letters, is too long, or holds what a file or a module cannot have.
    """
    import unicodedata

    plain = unicodedata.normalize("NFKC", text).strip().removesuffix(".py")
    parts = plain.replace("-", " ").replace("_", " ").split()
    bad = sorted({letter for letter in "".join(parts) if not f"a{letter}".isidentifier()})
    if bad:
        raise ConfigError(
            f"A name has letters, digits, dashes and spaces; {text!r} holds "
            f"{', '.join(repr(letter) for letter in bad)}. Files are written into the current "
            "folder: change to the one where they should be."
        )
    if not parts or not any(letter.isalpha() for letter in plain):
        raise ConfigError(f"A name needs at least one letter; it is {text!r}.")
    module = "_".join(parts).lower()
    if len(module) > _LONGEST:
        raise ConfigError(f"A name has at most {_LONGEST} letters; {text!r} has {len(module)}.")
    if module in _DEVICES:
        raise ConfigError(f"{text!r} is kept for devices on some systems. Choose another name.")
    class_name = "".join(part[:1].upper() + part[1:] for part in parts)
    taken = class_name in _TEMPLATE_NAMES or keyword.iskeyword(class_name)
    if taken or not class_name.isidentifier():
        class_name = f"Model{class_name}"
    return Name(module.replace("_", "-"), module, class_name, " ".join(parts))


def _write(top: Path, files: Mapping[str, str], words: dict[str, str]) -> None:
    """Write everything beside its place, then put it there at once."""
    import tempfile
    from string import Template

    try:
        with tempfile.TemporaryDirectory(dir=top.parent, prefix=".siren-py-new-") as folder:
            for path, template in files.items():
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                text = Template((_TEMPLATES / f"{template}.template").read_text(encoding="utf-8"))
                more = {**words, "file": f"{words['module']}.csv"}
                target.write_text(text.substitute(more), encoding="utf-8", newline="\n")
            Path(folder, top).rename(top)
    except OSError as error:
        raise OutputError(
            f"Cannot write {top}: {error.strerror or error}. Choose another folder."
        ) from error


# ------------------------------------------------------------ kinds


def _check_module(name: Name) -> None:
    """Refuse a file that Python would take for another module of that name."""
    from importlib.util import find_spec

    known = name.module in sys.stdlib_module_names or name.module in sys.modules
    if known or find_spec(name.module) is not None:
        raise ConfigError(
            f"A file {name.module}.py would hide the Python module {name.module}. Choose another "
            f"name, e.g. my-{name.dashed}."
        )


def _check_detector(name: Name) -> None:
    from siren_py.resources import list_detectors

    _check_taken("detector", name, list_detectors())
    _check_module(name)


def _check_flux(name: Name) -> None:
    from siren_py.resources import list_fluxes

    _check_taken("flux", name, list_fluxes())


def _check_package(name: Name) -> None:
    _check_module(name)
    if not name.module.isascii() or not name.module.isidentifier():
        raise ConfigError(
            f"The name of a package has letters from a to z and digits, and begins with a letter; "
            f"it is {name.title!r}."
        )
    if keyword.iskeyword(name.module):
        raise ConfigError(f"{name.module!r} is a word of Python. Choose another name.")


def _check_taken(word: str, name: Name, names: list[str]) -> None:
    if name.dashed in (known.casefold() for known in names):
        raise ConfigError(
            f"There is a {word} {name.dashed!r} already, which a new one would hide. Choose "
            f"another name, e.g. my-{name.dashed}."
        )


def _flux_files(folder: str, name: Name) -> dict[str, str]:
    return {f"{folder}/flux.toml": "flux.toml", f"{folder}/{name.module}.csv": "flux.csv"}


def _package_files(name: Name) -> dict[str, str]:
    top, inner = name.dashed, f"{name.dashed}/src/{name.module}"
    return {
        f"{top}/pyproject.toml": "package_pyproject.toml",
        f"{top}/README.md": "package_readme.md",
        f"{inner}/__init__.py": "package_init.py",
        f"{inner}/process.py": "process.py",
        f"{inner}/cuts.py": "package_cuts.py",
        f"{inner}/detectors/{name.module}_detector.py": "detector.py",
        **_flux_files(f"{inner}/fluxes/{name.dashed}-beam", name),
        f"{top}/tests/test_{name.module}.py": "package_test.py",
    }


def _word(text: str) -> str:
    """Return a text as one word of a shell."""
    from shlex import quote

    return quote(text)


KINDS: dict[str, Kind] = {
    "detector": Kind(
        lambda name: {f"{name.module}.py": "detector.py"},
        lambda name: [
            f"siren-py check {_word(f'./{name.module}.py')}",
            f"siren-py show {_word(f'./{name.module}.py')} -o {_word(f'{name.module}.html')}",
            f"siren-py simulate --detector {_word(f'./{name.module}.py')} --region fiducial",
        ],
        _check_detector,
    ),
    "flux": Kind(
        lambda name: _flux_files(name.dashed, name),
        lambda name: [
            f"siren-py simulate --flux {_word(f'./{name.dashed}:fhc:numu')}",
        ],
        _check_flux,
    ),
    "process": Kind(
        lambda name: {f"{name.module}.py": "process.py"},
        lambda name: [f"python {_word(f'{name.module}.py')}"],
        _check_module,
    ),
    "package": Kind(
        _package_files,
        lambda name: [
            f"cd {name.dashed}",
            'pip install -e ".[test]"',
            "siren-py list plugins",
            "python -m pytest",
        ],
        _check_package,
    ),
}
"""What can be begun."""
