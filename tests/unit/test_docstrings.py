"""Every public name has a docstring that says what a caller must know, and its examples run.

Public is what the pages of the API reference list (docs/_ext/api_pages.py). Of each class and
function:

- there is a docstring with a summary;
- classes and functions have an example;
- parameters stand in a section `Parameters` or `Attributes`, as a documented field, or in the
  section of the method that is overridden, or are named in the sentences before the sections;
- what raises has a section `Raises`;
- quantities with a dimension have their unit in brackets.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import siren_py

ROOT = Path(__file__).resolve().parents[2]

QUANTITIES = {
    "mass", "masses", "energy", "energies", "length", "radius", "density", "distance", "edges",
    "momentum", "momenta", "width", "apothem", "angle", "origins", "at", "d_mu", "fluence",
}  # fmt: skip
"""Parameters that have a dimension under these names."""
OTHERWISE = re.compile(r"\[[^\]]+\]|[Aa]s (?:for|in)|[Ss]ee |`")
"""A unit in brackets, or where to find it."""


@cache
def api_pages() -> Any:
    spec = importlib.util.spec_from_file_location("api_pages", ROOT / "docs/_ext/api_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Public:
    """One public name."""

    name: str
    """Where it is, e.g. ``siren_py.Sample.expected``."""
    thing: Any
    owner: type | None = None

    @property
    def docs(self) -> list[str]:
        """Its docstring, then those of what it overrides."""
        if self.owner is None:
            return [inspect.getdoc(self.thing) or ""]
        name = self.name.rsplit(".", 1)[1]
        found = [c.__dict__[name] for c in self.owner.__mro__ if name in c.__dict__]
        # Solids and fluxes of a user need not derive from these protocols; ours follow them, too.
        protocols = (siren_py.geometry.Solid, protocol_of_fluxes())
        found += [p.__dict__[name] for p in protocols if name in p.__dict__]
        return [inspect.getdoc(function_of(f)) or "" for f in found]


def protocol_of_fluxes() -> type:
    from siren_py.flux import FluxLike

    return FluxLike


def function_of(attribute: Any) -> Any:
    """The function inside of a property, class method, cached property, ..."""
    for name in ("fget", "func", "__func__"):
        attribute = getattr(attribute, name, attribute)
    return attribute


@cache
def public() -> list[Public]:
    found: dict[int, Public] = {}
    for module in api_pages().MODULES:
        home = importlib.import_module(module)
        for name in api_pages().public_names(module):
            thing = getattr(home, name)
            if callable(thing) and id(thing) not in found:
                found[id(thing)] = Public(f"{module}.{name}", thing)
    for top in list(found.values()):
        if inspect.isclass(top.thing):
            for member in members(top):
                found.setdefault(id(member.thing), member)
    return list(found.values())


def members(top: Public) -> Iterator[Public]:
    """Public methods and properties of a class, those of bases of siren_py included."""
    for name in dir(top.thing):
        if name.startswith("_"):
            continue
        owner = next((c for c in top.thing.__mro__ if name in c.__dict__), None)
        if owner is None or not owner.__module__.startswith("siren_py"):
            continue
        function = function_of(owner.__dict__[name])
        if inspect.isfunction(function):
            yield Public(f"{top.name}.{name}", function, top.thing)


def sections(text: str) -> dict[str, list[str]]:
    lines = text.splitlines()
    found: dict[str, list[str]] = {"": []}
    current, skip = "", False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if skip:
            skip = False
        elif line.strip() and re.fullmatch(r"-{3,}", following.strip()):
            current, skip = line.strip(), True
            found[current] = []
        else:
            found[current].append(line)
    return found


def described(text: str) -> dict[str, str]:
    """Parameters of a docstring with their descriptions."""
    found: dict[str, str] = {}
    for heading in ("Parameters", "Attributes"):
        names: list[str] = []
        for line in sections(text).get(heading, []):
            if line and not line.startswith(" "):
                names = [name.strip() for name in line.split(":")[0].split(",")]
                found |= dict.fromkeys(names, "")
            else:
                found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def fields_with_text(cls: type) -> dict[str, str]:
    """Fields of a class that are followed by a docstring of their own."""
    found = {}
    for c in cls.__mro__:
        if not c.__module__.startswith("siren_py"):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(c))).body[0].body
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                found[field.target.id] = ast.unparse(text.value)
    return found


def parameters(item: Public) -> list[str]:
    if item.owner is not None and isinstance(
        inspect.getattr_static(item.owner, item.name.rsplit(".", 1)[1]), property
    ):
        return []
    try:
        found = list(inspect.signature(item.thing).parameters.values())
    except (TypeError, ValueError):
        return []
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    names = [stars.get(p.kind, "") + p.name for p in found]
    return [n for n in names if n not in ("self", "cls") and not n.startswith("_")]


def is_error(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, BaseException | Warning)


def is_protocol(thing: Any) -> bool:
    return bool(getattr(thing, "_is_protocol", False))


def raises(thing: Any) -> bool:
    """Whether the function itself has a statement that raises an error for a caller."""
    if inspect.isclass(thing):
        if is_protocol(thing):
            return False
        own = [thing.__dict__.get(name) for name in ("__init__", "__post_init__", "__new__")]
        return any(raises(f) for f in own if inspect.isfunction(f) and from_source(f))
    return any(
        isinstance(node, ast.Raise)
        and node.exc is not None
        and not re.match(
            r"AssertionError|NotImplementedError|AttributeError", ast.unparse(node.exc)
        )
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(thing))))
    )


def from_source(function: Any) -> bool:
    """Whether there is source: dataclasses make functions that have none."""
    return not function.__code__.co_filename.startswith("<")


def test_docstrings():
    assert len(public()) > 400
    assert [p.name for p in public() if not p.docs[0].strip()] == []


def test_examples():
    names = [p for p in public() if p.owner is None and not is_error(p.thing)]
    assert [p.name for p in names if ">>>" not in p.docs[0]] == []


def test_parameters():
    missing = []
    for item in public():
        if is_error(item.thing) or is_protocol(item.thing):
            continue
        known = {k for text in item.docs for k in described(text)}
        if inspect.isclass(item.thing):
            known |= set(fields_with_text(item.thing))
        for name in parameters(item):
            plain = re.escape(name.lstrip("*"))
            word = rf"`{plain}`" if item.owner is None else rf"(?<!\w){plain}(?!\w)"
            said = any(re.search(word, "\n".join(sections(text)[""])) for text in item.docs)
            if name not in known and not said:
                missing.append(f"{item.name}: {name}")
    assert missing == []


def test_errors():
    missing = []
    for item in public():
        if is_error(item.thing) or not raises(item.thing):
            continue
        if not any("Raises" in sections(text) for text in item.docs):
            missing.append(item.name)
    assert missing == []


def test_units():
    missing = []
    for item in public():
        if is_error(item.thing):
            continue
        missing += [
            f"{item.name}: {name}:{text}"
            for name, text in described(item.docs[0]).items()
            if name in QUANTITIES and not OTHERWISE.search(text)
        ]
    assert missing == []


def modules_with_examples() -> list[str]:
    folder = Path(siren_py.__file__).parent
    found = []
    for module in pkgutil.walk_packages([str(folder)], "siren_py."):
        path = folder.joinpath(*module.name.split(".")[1:])
        path = path / "__init__.py" if module.ispkg else path.with_suffix(".py")
        if path.is_file() and ">>> " in path.read_text(encoding="utf-8"):
            found.append(module.name)
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    text = inspect.getsource(module)
    for library in ("matplotlib", "pandas", "polars", "pyarrow", "pyhepmc", "h5py", "vector"):
        if library in text and importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].use("agg")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS, report=False)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    assert result.attempted > 0
    assert result.failed == 0
