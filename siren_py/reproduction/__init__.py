"""Reproductions of published figures and tables, each by one command.

A reproduction is a module of this package with ``NAME``, ``TITLE``, ``CITATION`` and a function
``run(context) -> Reproduction``. It computes with the public parts of siren_py, and returns tables,
figures and rows of agreement with what was published; `reproduce` writes them::

    from siren_py.reproduction import reproduce

    result = reproduce("liu2024-fig3", "fig3", quick=True)
    print(result.agreement_table())

or ``siren-py reproduce liu2024-fig3 --output fig3`` in a shell. To add one, write the module, enter
it in `siren_py.reproduction.registry`, and put everything that takes long into
`Context.cached_arrays`, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from siren_py.reproduction.checkpoint import Checkpoint
from siren_py.reproduction.registry import find_reproduction, reproduction_names
from siren_py.reproduction.result import Agreement, Context, Reproduction
from siren_py.reproduction.writer import reproduce

__all__ = [
    "Agreement",
    "Checkpoint",
    "Context",
    "Reproduction",
    "find_reproduction",
    "reproduce",
    "reproduction_names",
]
