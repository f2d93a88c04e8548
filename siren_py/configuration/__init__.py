"""Configurations: what `simulate`, `scan` and `limit` take, as TOML files.

Examples
--------
>>> from siren_py.configuration import configuration_text
>>> configuration_text("scan", {"seed": 7}).splitlines()[1]
'command = "scan"'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siren_py.configuration.keys import COMMANDS, Command, Key
    from siren_py.configuration.reading import Settings, merged_settings, read_configuration
    from siren_py.configuration.schemas import json_schema
    from siren_py.configuration.simulations import make_model, make_simulation
    from siren_py.configuration.writing import configuration_text, write_configuration

__all__ = [
    "COMMANDS",
    "Command",
    "Key",
    "Settings",
    "configuration_text",
    "json_schema",
    "make_model",
    "make_simulation",
    "merged_settings",
    "read_configuration",
    "write_configuration",
]

_HOME = {
    "COMMANDS": "keys",
    "Command": "keys",
    "Key": "keys",
    "Settings": "reading",
    "configuration_text": "writing",
    "json_schema": "schemas",
    "make_model": "simulations",
    "make_simulation": "simulations",
    "merged_settings": "reading",
    "read_configuration": "reading",
    "write_configuration": "writing",
}
"""Where each name is: the help of the command line loads none but the keys."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
