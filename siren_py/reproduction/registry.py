"""Which reproductions there are."""

from __future__ import annotations

import importlib
from typing import Any, Protocol, cast

from siren_py.errors import unknown_name
from siren_py.reproduction.result import Context, Reproduction

_MODULES = {
    "arguelles2021-fig2": "arguelles2021_fig2",
    "liu2024-fig2": "liu2024_fig2",
    "liu2024-fig3": "liu2024_fig3",
    "liu2024-fig4": "liu2024_fig4",
    "liu2024-suppl-fig1": "liu2024_suppl",
    "t2k2019-mixing": "t2k2019_mixing",
}
"""Name -> module of this package. The module has the same NAME."""


class ReproductionModule(Protocol):
    """What a module of a reproduction has."""

    NAME: str
    """Name on the command line."""
    TITLE: str
    """What is reproduced, in one line."""
    CITATION: str
    """Of the paper, with arXiv number or DOI."""

    def run(self, context: Context) -> Reproduction:
        """Compute, draw and compare."""
        ...


def reproduction_names() -> list[str]:
    """Return the names of all reproductions, sorted.

    Examples
    --------
    >>> "liu2024-fig3" in reproduction_names()
    True
    """
    return sorted(_MODULES)


def find_reproduction(name: str) -> ReproductionModule:
    """Return the module of a reproduction.

    Parameters
    ----------
    name
        One of `reproduction_names`.

    Returns
    -------
    module
        With NAME, TITLE, CITATION and `run`.

    Raises
    ------
    UnknownNameError
        If there is none of this name; the text gives the nearest names.

    Examples
    --------
    >>> find_reproduction("liu2024-fig3").CITATION
    'M. Liu et al., arXiv:2412.15051'
    """
    if name not in _MODULES:
        raise unknown_name("reproduction", name, _MODULES, "See `siren-py list reproductions`.")
    module: Any = importlib.import_module(f"siren_py.reproduction.{_MODULES[name]}")
    return cast("ReproductionModule", module)
