"""Plug-ins: what installed packages add to siren_py, by name.

A package announces what it adds with entry points, in groups named after what they hold:

=====================  ============================================================================
group                  entry point
=====================  ============================================================================
``siren_py.detectors`` package, or function that returns a folder, with scripts
``siren_py.fluxes``    package, or function that returns a folder, with flux folders
``siren_py.models``    class or function that makes a model
``siren_py.processes`` class or function that makes an `Interaction` or a `Decay`
``siren_py.cuts``      function of a sample that returns a boolean per event, or a `siren_py.Cut`
``siren_py.analyses``  function that builds a `siren_py.Analysis`
=====================  ============================================================================

In the last four groups the name of the entry point is the name of the thing; dashes and
underscores in it are the same, and so are capital and small letters. Names that clash follow the
rule of `siren_py.resources`: what a plug-in brings hides what siren_py has, and of two packages the
first in the alphabet wins; here, a warning says so. A plug-in that cannot be loaded is a warning
where siren_py has something of that name, else an error for those who ask for it by name;
everybody else does not notice it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from siren_py.errors import ConfigError, SirenError, SirenWarning, unknown_name

__all__ = ["KINDS", "Plugin", "list_plugins"]

Kind = Literal["models", "processes", "cuts", "analyses"]

KINDS = ("detectors", "fluxes", "models", "processes", "cuts", "analyses")
"""Ends of the names of the groups of entry points."""

_WORD = {"models": "model", "processes": "process", "cuts": "cut", "analyses": "analysis"}


class Plugin(NamedTuple):
    """One entry point of an installed package.

    Examples
    --------
    >>> from importlib.metadata import EntryPoint
    >>> point = EntryPoint("my-cut", "my_lab.cuts:hard_pair", "siren_py.cuts")
    >>> plugin = Plugin("cuts", point.name, point.value, "my-lab 1.0", point)
    >>> plugin.error()
    "ModuleNotFoundError: No module named 'my_lab'"
    """

    kind: str
    """What it adds, one of `KINDS`."""
    name: str
    """Name, with dashes."""
    target: str
    """Where it is: ``"package.module:thing"``."""
    package: str
    """Name and version of the package that brings it."""
    point: importlib.metadata.EntryPoint
    """The entry point itself."""

    def error(self) -> str:
        """Load it; return why that fails, or "" if it does not."""
        try:
            self.point.load()
        except Exception as error:  # whatever a foreign package does while it is imported
            return f"{type(error).__name__}: {error}"
        return ""


def list_plugins(kind: str | None = None) -> list[Plugin]:
    """Return what installed packages add, sorted by kind, name and package; nothing is loaded.

    Parameters
    ----------
    kind
        One of `KINDS`; all of them for None.

    Raises
    ------
    UnknownNameError
        If there is no such kind.

    Examples
    --------
    >>> [plugin.name for plugin in list_plugins("cuts")]
    []
    """
    if kind is not None and kind not in KINDS:
        raise unknown_name("kind of plug-in", kind, KINDS)
    found = [
        Plugin(each, dashed(point.name), point.value, _package(point), point)
        for each in (KINDS if kind is None else (kind,))
        for point in importlib.metadata.entry_points(group=f"siren_py.{each}")
    ]
    # A package that is found twice on the path of Python announces everything twice.
    return sorted(set(found), key=lambda p: (KINDS.index(p.kind), p.name, p.package, p.target))


def dashed(name: str) -> str:
    """Return a name as it is compared: dashes for underscores, small letters.

    Examples
    --------
    >>> dashed("My_Model")
    'my-model'
    """
    return str(name).strip().replace("_", "-").casefold()


def names(kind: Kind, builtin: Mapping[str, str]) -> list[str]:
    """Return all names of one kind, sorted: those of siren_py and those of plug-ins."""
    return sorted({*builtin, *(plugin.name for plugin in list_plugins(kind))})


def find(kind: Kind, name: str, builtin: Mapping[str, str], hint: str = "") -> Any:
    """Return what a name stands for.

    Parameters
    ----------
    kind
        What is looked for.
    name
        Its name.
    builtin
        What siren_py itself has: ``"module:thing"`` by name.
    hint
        A sentence on what else could be done, for the error.

    Raises
    ------
    UnknownNameError
        If there is nothing of this name; the text gives the nearest names.
    ConfigError
        If the plug-in that has it cannot be loaded.

    Warns
    -----
    SirenWarning
        If several have the name, or a plug-in that has it cannot be loaded but siren_py has it.
    """
    key, word = dashed(name), _WORD[kind]
    having = [plugin for plugin in list_plugins(kind) if plugin.name == key]
    own = builtin.get(key)
    others = [p.package for p in having[1:]] + (["siren_py"] if own is not None else [])
    if having and others:
        _warn(
            f"The {word} {key!r} is that of the plug-in package {having[0].package}; it hides the "
            f"one of {' and '.join(others)}. Uninstall one of them if that is not meant."
        )
    if having:
        try:
            return having[0].point.load()
        except Exception as error:  # whatever a foreign package does while it is imported
            text = (
                f"The {word} {key!r} of the plug-in package {having[0].package} cannot be loaded "
                f"from {having[0].target}: {type(error).__name__}: {error}. Repair or uninstall "
                "the package."
            )
            if own is None:
                raise ConfigError(text) from error
            _warn(f"{text} The {word} of siren_py is taken instead.")
    if own is None:
        raise unknown_name(word, name, names(kind, builtin), hint)
    module, thing = own.split(":")
    return getattr(importlib.import_module(module), thing)


def make(kind: Kind, name: str, maker: Any, parameters: Mapping[str, Any]) -> Any:
    """Call the class or function that makes a model or a process.

    Parameters
    ----------
    kind, name
        What is made, for the errors.
    maker
        From `find`.
    parameters
        Its arguments, by name.

    Raises
    ------
    UnknownNameError
        If it has no parameter of some name.
    ConfigError
        If it is nothing that can be called, a parameter is missing, or it fails.
    """
    what = f"{_WORD[kind]} {dashed(name)!r}"
    if not callable(maker):
        raise ConfigError(
            f"The {what} must be a class, or a function that makes one; it is {maker!r}."
        )
    check_parameters(what, maker, parameters)
    try:
        return maker(**parameters)
    except SirenError:
        raise
    except Exception as error:  # whatever a foreign class does
        raise ConfigError(
            f"The {what} could not be made: {type(error).__name__}: {error}."
        ) from error


def check_parameters(what: str, maker: Any, parameters: Mapping[str, Any]) -> None:
    """Check the names of arguments before a call, so that errors name the nearest.

    Parameters
    ----------
    what
        What is called, for the errors: ``"model 'my-model'"``.
    maker
        A class or a function.
    parameters
        Arguments by name.

    Raises
    ------
    UnknownNameError
        If there is no parameter of some name.
    ConfigError
        If one without default is missing.
    """
    try:
        known = inspect.signature(maker).parameters
    except (TypeError, ValueError):  # some classes written in C do not tell
        return
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for key in parameters:
            if key not in known:
                raise unknown_name(f"parameter of the {what}", key, known)
    missing = [
        key
        for key, p in known.items()
        if p.default is p.empty
        and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and key not in parameters
    ]
    if missing:
        raise ConfigError(
            f"The {what} needs {', '.join(missing)}. Its parameters: {', '.join(known)}."
        )


def check_methods(what: str, thing: Any, needed: tuple[str, ...]) -> None:
    """Raise unless `thing` has all that is needed of it.

    Raises
    ------
    ConfigError
        If something is missing; the text names it.
    """
    missing = [name for name in needed if not hasattr(thing, name)]
    if missing:
        raise ConfigError(
            f"The {what} is a {type(thing).__name__} without {', '.join(missing)}; it needs "
            f"{', '.join(needed)}."
        )


def _package(point: importlib.metadata.EntryPoint) -> str:
    dist = point.dist
    return f"{dist.name} {dist.version}" if dist is not None else point.value.split(".")[0]


def _warn(text: str) -> None:
    # Told once per place and text, unless somebody asks Python for more.
    warnings.warn(text, SirenWarning, stacklevel=3)
