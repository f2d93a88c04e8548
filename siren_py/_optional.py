"""Libraries that are needed for one purpose only, imported when it comes up."""

from __future__ import annotations

import importlib
from types import ModuleType

from siren_py.errors import SirenError


class MissingDependencyError(SirenError, ImportError):
    """A library that an extra brings is not installed."""


def import_optional(name: str, extra: str, why: str) -> ModuleType:
    """Import a module that an extra of siren-py brings.

    Parameters
    ----------
    name
        Module, e.g. ``"matplotlib.pyplot"``.
    extra
        Extra of siren-py that installs it, e.g. ``"plot"``.
    why
        What needs it, as the beginning of a sentence: "Cross-sections".

    Raises
    ------
    MissingDependencyError
        If it is not installed; the text has the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name is not None and error.name.split(".")[0] != name.split(".")[0]:
            raise  # it is there, but something that it needs is broken: say what
        package = name.split(".")[0]
        raise MissingDependencyError(
            f"{why} need{'' if why.endswith('s') else 's'} {package}, which is not installed: "
            f'pip install "siren-py[{extra}]"'
        ) from error
