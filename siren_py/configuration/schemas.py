"""JSON schema of configurations, for editors that check and complete TOML files."""

from __future__ import annotations

from typing import Any

from siren_py.configuration.keys import Key, find_command
from siren_py.configuration.reading import SCHEMA_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(command: str) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the configurations of a command.

    Parameters
    ----------
    command
        ``"simulate"``, ``"scan"`` or ``"limit"``.

    Returns
    -------
    dict
        The schema, as JSON holds it.

    Raises
    ------
    UnknownNameError
        If there is no such command.

    Examples
    --------
    >>> json_schema("simulate")["properties"]["mass"]["default"]
    0.1
    """
    known = find_command(command)
    return {
        "$schema": DIALECT,
        "title": f"Configuration of siren-py {command}",
        "type": "object",
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION, "description": "version of the format"},
            "command": {"const": command, "description": "which command the file is for"},
            **{name: _property(key) for name, key in known.keys.items()},
            "written_by": {
                "type": "object",
                "description": "what a run was made by; compared when the file is run again",
            },
        },
        "additionalProperties": False,
    }


def _property(key: Key) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": key.description, **key.kind.schema()}
    if key.default:
        schema["default"] = key.kind.plain(key.default_value)
    return schema
