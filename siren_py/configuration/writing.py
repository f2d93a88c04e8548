"""Writing configurations: every key with its value, so that the file makes the run again.

`configuration_text` writes the keys with their help as comments, and a table ``[written_by]``
with what the run was made by. `check_origin` compares this table with what a rerun finds.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siren_py.configuration.keys import Command, Key, find_command
from siren_py.configuration.reading import SCHEMA_VERSION, Settings, from_folder, without_folder
from siren_py.errors import ConfigError, SirenWarning

if TYPE_CHECKING:
    from siren_py._typing import PathLike
    from siren_py.detector import DetectorModel

_SCRIPTED = ("analysis", "cut")
"""Keys, besides `detector`, whose value may be a script."""

CONFIGURATION = "configuration.toml"
"""Name of the file that `scan` and `limit` write into their folder."""


class OriginWarning(SirenWarning):
    """What a configuration was written with is not what it is run with."""


def configuration_text(
    command: str,
    values: Mapping[str, Any],
    *,
    folder: PathLike = ".",
    written_by: Mapping[str, Any] | None = None,
) -> str:
    """Return a configuration as TOML, with the help of each key as a comment.

    Parameters
    ----------
    command
        Name of the command.
    values
        Values by key; keys without a value become comments.
    folder
        Folder of the file to write: relative paths are made relative to it.
    written_by
        What the run was made by, plain values by name.

    Returns
    -------
    str
        The text of a file that `read_configuration` reads.

    Raises
    ------
    ConfigError
        If a value has no form in TOML.
    UnknownNameError
        If there is no such command.

    Examples
    --------
    >>> text = configuration_text("simulate", {"mass": 0.1})
    >>> [line for line in text.splitlines() if line.startswith("mass")]
    ['mass = 0.1  # mass of N (default: 0.1) [GeV]']
    """
    known = find_command(command)
    lines = [f"schema_version = {SCHEMA_VERSION}", f'command = "{command}"']
    for group, keys in known.groups.items():
        lines += ["", f"# {group}"]
        lines += [_line(key, values.get(key.name), Path(folder)) for key in keys]
    if written_by:
        lines += ["", "[written_by]  # compared when the file is run again"]
        lines += [f"{k} = {toml(v)}" for k, v in written_by.items()]
    return "\n".join(lines) + "\n"


def write_configuration(
    path: PathLike, command: str, values: Mapping[str, Any], written_by: Mapping[str, Any]
) -> None:
    """Write a configuration to a file, which appears when it is complete.

    Parameters
    ----------
    path
        The file; relative paths in it are made relative to its folder.
    command, values, written_by
        As for `configuration_text`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    ConfigError
        If a value has no form in TOML.
    UnknownNameError
        If there is no such command.

    Examples
    --------
    >>> from siren_py.configuration import read_configuration
    >>> write_configuration("run.toml", "simulate", {"mass": 0.1, "seed": 7}, {})
    >>> sorted(read_configuration("run.toml").given)
    ['mass', 'seed']
    """
    from siren_py.io.files import complete_file

    folder = Path(path).parent
    text = configuration_text(command, values, folder=folder, written_by=written_by)
    with complete_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _line(key: Key, value: Any, folder: Path) -> str:
    unit = f" [{key.metavar}]" if key.metavar in ("GeV", "1/GeV") else ""
    comment = f"  # {key.description}{unit}"
    if value is None or value is False or value == {}:
        return f"# {key.name} ={comment}"
    written = toml(key.kind.plain(from_folder(key, value, folder)))
    # Where the results of this run went is told, but a rerun must not write over them.
    return f"{'# ' if key.role == 'place' else ''}{key.name} = {written}{comment}"


def toml(value: Any) -> str:
    """Return a plain value in TOML; numbers come back bit for bit.

    Raises
    ------
    ConfigError
        If it has no form in TOML.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (str, os.PathLike)):
        return json.dumps(os.fspath(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml(v) for v in value)}]"
    if isinstance(value, Mapping):
        entries = (f"{_bare(str(k))} = {toml(v)}" for k, v in value.items() if v is not None)
        return f"{{ {', '.join(entries)} }}"
    raise ConfigError(f"A configuration cannot hold {value!r} ({type(value).__name__}).")


def _bare(key: str) -> str:
    """Return a key of a table, in quotes where it needs them."""
    plain = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if plain else toml(key)


# ------------------------------------------------------------ where a configuration is from


def origin(
    command: str,
    values: Mapping[str, Any],
    detector: DetectorModel,
    *,
    fingerprint: str | None = None,
) -> dict[str, Any]:
    """Return what a run was made by, for the table ``[written_by]``.

    Parameters
    ----------
    command, values
        Name of the command and values of its keys.
    detector
        The detector, whose script is remembered by its hash.
    fingerprint
        `Simulation.fingerprint`, which is compared when nothing of what decides the events was
        changed in the file.
    """
    import platform
    from datetime import UTC, datetime

    import numpy as np

    from siren_py import __version__
    from siren_py.resources import detector_provenance

    found = detector_provenance(detector)
    record = {
        "siren_py": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "detector": found["name"],
        "detector_script": found.get("script"),
        "detector_sha256": found.get("sha256"),
        "settings": _settings_hash(find_command(command), values),
        "fingerprint": fingerprint,
        **_scripts(values),
    }
    return {k: v for k, v in record.items() if v is not None}


def check_origin(settings: Settings, now: Mapping[str, Any]) -> None:
    """Warn if a configuration was written with something else than what it is run with.

    Parameters
    ----------
    settings
        Settings from a file.
    now
        What `origin` returns for the run to be made.

    Warns
    -----
    OriginWarning
        If the version of siren_py, the detector, or something else that decides the events is
        not what it was.
    """
    before = settings.written_by
    # A file that a person wrote says nothing of its origin; one that was changed says little.
    if not before:
        return
    reasons = []
    if before.get("siren_py") != now["siren_py"]:
        reasons.append(
            f"it was written by siren_py {before.get('siren_py')}, this is {now['siren_py']}"
        )
    for what in ("detector", *_SCRIPTED):
        then, found = (record.get(f"{what}_sha256") for record in (before, now))
        # Under another name it is what was asked for, here or in a file that was changed.
        same = all(before.get(k) == now.get(k) for k in (what, f"{what}_script"))
        if same and then != found:
            reasons.append(
                f"the script of the {what} {now.get(what, now.get(f'{what}_script'))!r} is not the "
                f"one that it was written with (SHA-256 {str(found)[:12]}, then {str(then)[:12]})"
            )
    if not reasons and before.get("settings") == now["settings"]:
        then, found = before.get("fingerprint"), now.get("fingerprint")
        if then and found and then != found:
            reasons.append("a flux, or another file or library that decides events, has changed")
    if reasons:
        warnings.warn(
            f"{settings.file}: {'; '.join(reasons)}. The results may differ from those that the "
            "file was written with; take the old version or script for the same bits, or remove "
            "[written_by] from the file to accept the change.",
            OriginWarning,
            stacklevel=2,
        )


def _scripts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return names and hashes of the scripts of analyses and cuts."""
    import re
    from importlib.util import decode_source

    from siren_py.resources import text_sha256

    found = {}
    for what in _SCRIPTED:
        path = Path(re.sub(r"(\.py):.*", r"\1", str(values.get(what, ""))))
        if path.suffix == ".py":
            found[f"{what}_script"] = path.name
            found[f"{what}_sha256"] = text_sha256(decode_source(path.expanduser().read_bytes()))
    return found


def _settings_hash(command: Command, values: Mapping[str, Any]) -> str:
    """Hash of the values that decide which events there can be."""
    import hashlib

    plain = {
        # The same script may lie in another folder.
        name: toml(key.kind.plain(without_folder(key, values[name])))
        for name, key in command.keys.items()
        if key.role == "what" and values.get(name) is not None
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def record_run(
    settings: Settings,
    command: str,
    values: Mapping[str, Any],
    made_by: Mapping[str, Any],
    folder: Path | None = None,
) -> None:
    """Compare with the origin of the settings, and keep the configuration before a run.

    Parameters
    ----------
    settings
        What was asked for; its `save_config` names the file of the configuration.
    command, values
        Command and all its values; see `configuration_text`.
    made_by
        What `origin` returns.
    folder
        A new folder of results, which keeps the configuration as well; None if there is none, or
        if it may hold the results of another run.

    Raises
    ------
    OutputError
        If a file cannot be written.

    Warns
    -----
    OriginWarning
        See `check_origin`.
    """
    check_origin(settings, made_by)
    if settings.get("save_config"):
        write_configuration(settings["save_config"], command, values, made_by)
    if folder is not None:
        write_configuration(folder / CONFIGURATION, command, values, made_by)
