"""Reading configurations: a TOML file and the words of a command line, checked and merged.

Everything that is wrong is told at once, with file and line. Relative paths in a file are
relative to its folder, so that a file works from wherever it is named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from siren_py.configuration.keys import COMMANDS, Command, Key, find_command
from siren_py.configuration.kinds import NameOrPath, Path, Table, Texts
from siren_py.errors import ConfigError, FormatError, SirenError, nearest_names, unknown_name

if TYPE_CHECKING:
    from siren_py._typing import PathLike

SCHEMA_VERSION = 1

OWN_KEYS = ("schema_version", "command", "written_by")
"""Keys of a file that are no settings."""


@dataclass(frozen=True)
class Settings:
    """The settings of one command.

    Attributes
    ----------
    command
        The command with its keys.
    values
        Values by key: defaults, those of the file, those of the command line, in rising order
        of importance. Keys without a value are not there.
    given
        Names of the keys that the file or the command line gave.
    file
        The file, if there was one.
    written_by
        What the file says of the run that wrote it; empty if a person wrote it.

    Examples
    --------
    >>> settings = merged_settings("simulate", None, {"mass": "150 MeV"})
    >>> settings["mass"], settings["decay"], settings.get("region", "none was given")
    (0.15, 'nu e+ e-', 'none was given')
    >>> sorted(settings.given)
    ['mass']
    """

    command: Command
    values: Mapping[str, Any]
    given: frozenset[str] = frozenset()
    file: FilePath | None = None
    written_by: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of the key `name`, or `default` if it has none."""
        return self.values.get(name, default)


def read_configuration(path: PathLike, command: str | None = None) -> Settings:
    """Read the configuration of a command from a TOML file.

    Parameters
    ----------
    path
        The file.
    command
        ``"simulate"``, ``"scan"`` or ``"limit"``; None takes what the file says.

    Returns
    -------
    Settings
        All values, those that the file leaves out by their defaults.

    Raises
    ------
    FormatError
        If it is not a TOML file, or one of a newer siren_py.
    ConfigError
        If it cannot be read or is of another command, or if keys are unknown or values of the
        wrong kind or unit; the text has all of them, with their lines.
    UnknownNameError
        If there is no such command.

    Examples
    --------
    >>> from pathlib import Path
    >>> size = Path("run.toml").write_text('mass = "150 MeV"')
    >>> settings = read_configuration("run.toml", "simulate")
    >>> settings["mass"], settings["events"]
    (0.15, 100000)
    """
    return merged_settings(command, path, {})


def merged_settings(
    command: str | None, path: PathLike | None, words: Mapping[str, Any]
) -> Settings:
    """Merge defaults, a file and the words of a command line.

    Parameters
    ----------
    command
        Name of the command; None takes what the file says.
    path
        A file, or None.
    words
        What stands on the command line, by key of the command: texts, lists of them for options
        that may be repeated, True for flags; None where an option is not there.

    Returns
    -------
    Settings
        All values.

    Raises
    ------
    FormatError, ConfigError, UnknownNameError
        As `read_configuration`; options are named as such.

    Examples
    --------
    >>> settings = merged_settings("simulate", None, {"mass": "150 MeV", "parameter": ["g=2"]})
    >>> settings["mass"], settings["parameter"], settings["seed"]
    (0.15, {'g': 2.0}, 1)
    """
    problems: list[str] = []
    found: dict[str, Any] = {}
    written_by: Mapping[str, Any] = {}
    file = None if path is None else FilePath(path)
    if file is not None:
        text, record = _load(file)
        command, written_by = _heading(file, record, command)
        found, problems = _checked(find_command(command), file, text, record)
    if command is None:
        raise ConfigError("Say which command the configuration is of.")
    known = find_command(command)
    for name, word in words.items():
        if word is None:
            continue
        if name not in known.keys:
            hint = f"See `siren-py {command} --help`."
            problems.append(str(unknown_name("key", name, known.keys, hint)))
            continue
        key = known.keys[name]
        try:
            value = _from_words(key, word)
        except SirenError as error:
            problems.append(
                f"Argument {key.option}: {_sentence(error)} See `siren-py {command} --help`."
            )
            continue
        found[name] = {**found.get(name, {}), **value} if isinstance(key.kind, Table) else value
    problems += _misfits(known, found, words)
    if problems:
        raise ConfigError("\n".join(problems))
    values = {**known.defaults, **found}
    return Settings(known, values, frozenset(found), file, written_by)


def _from_words(key: Key, word: Any) -> Any:
    if word is True:
        return True
    if not isinstance(word, list):
        return key.kind.text(word)
    values = [key.kind.text(w) for w in word]
    return dict(values) if isinstance(key.kind, Table) else values


def _misfits(command: Command, found: Mapping[str, Any], words: Mapping[str, Any]) -> list[str]:
    """Values that are good by themselves but do not fit each other."""
    coupling = found.get("coupling", "d_mu")
    given = words.get("couplings")
    if isinstance(given, str) and "eV" in given and not str(coupling).startswith("d_"):
        return [f"Argument --couplings: {coupling} is a plain number; {given!r} has a unit."]
    del command
    return []


# ------------------------------------------------------------ files


def _load(path: FilePath) -> tuple[str, dict[str, Any]]:
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(
            f"There is no configuration file {str(path)!r}. `siren-py config simulate -o run.toml` "
            "writes one to start from."
        ) from None
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path} is not a TOML file: {error}. Texts stand in quotes, tables in [brackets]."
        ) from None


def _heading(
    path: FilePath, record: dict[str, Any], command: str | None
) -> tuple[str, Mapping[str, Any]]:
    """Take what says which file this is from the record; return command and origin."""
    version = record.pop("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise FormatError(
            f"{path} has schema_version {version!r}; this siren_py knows {SCHEMA_VERSION}."
        )
    own = record.pop("command", command)
    if own is None:
        raise ConfigError(
            f'{path} does not say which command it is for: begin it with command = "simulate" '
            f"(or {', '.join(list(COMMANDS)[1:])})."
        )
    if not isinstance(own, str) or own not in COMMANDS:
        close = nearest_names(str(own), COMMANDS)
        guess = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ConfigError(
            f"{path}: command must be one of {', '.join(COMMANDS)}; it is {own!r}.{guess}"
        )
    if command is not None and own != command:
        raise ConfigError(
            f"{path} is a configuration of `{own}`, not of `{command}`. Use: siren-py {own} {path}"
        )
    written_by = record.pop("written_by", {})
    if not isinstance(written_by, Mapping):
        raise ConfigError(f"{path}: written_by must be the table that a run wrote.")
    return own, written_by


def _checked(
    command: Command, path: FilePath, text: str, record: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of a file and what is wrong with it."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for given, value in record.items():
        name = given.replace("-", "_")
        place = f"{path}{_line(text, given)}"
        if name not in command.keys:
            problems.append(f"{place}: {_unknown(given, name, command)}")
        elif name in values:
            problems.append(f"{place}: {given} is there twice, with a dash and an underscore.")
        else:
            key = command.keys[name]
            try:
                values[name] = in_folder(key, key.kind.value(value), path.parent)
            except SirenError as error:
                problems.append(f"{place}: {given}: {_sentence(error)}")
    coupling = values.get("coupling", "d_mu")
    if not str(coupling).startswith("d_") and "eV" in str(record.get("couplings", "")):
        place = f"{path}{_line(text, 'couplings')}"
        problems.append(f"{place}: couplings: {coupling} is a plain number, without a unit.")
    return values, problems


def _unknown(given: str, name: str, command: Command) -> str:
    message = f"There is no key {given!r} of {command.name}."
    elsewhere = [c.name for c in COMMANDS.values() if c is not command and name in c.keys]
    close = nearest_names(name, [*command.keys, *OWN_KEYS])
    if elsewhere:
        message += f" It is a key of {' and '.join(elsewhere)}."
    elif close:
        message += f" Did you mean {' or '.join(map(repr, close))}?"
    return f"{message} `siren-py config {command.name}` shows all."


def _line(text: str, key: str) -> str:
    """Return ", line 3" for a key at the top of a file; nothing if it is written otherwise."""
    name = re.escape(key)
    pattern = re.compile(rf"""\s*(?:\[\s*)?["']?{name}["']?\s*(?:[=.\]])""")
    for number, line in enumerate(text.splitlines(), start=1):
        if pattern.match(line):
            return f", line {number}"
    return ""


def _sentence(error: SirenError) -> str:
    text = str(error).rstrip(".")
    return text + ("" if text.endswith("?") else ".")


# ------------------------------------------------------------ paths


def in_folder(key: Key, value: Any, folder: FilePath) -> Any:
    """Return a value of a file in `folder` with its relative paths as the process sees them."""
    return _with_paths(key, value, lambda p: os.path.join(folder, p))  # noqa: PTH118


def from_folder(key: Key, value: Any, folder: FilePath) -> Any:
    """Return a value with its relative paths as a file in `folder` has to give them."""

    def relative(path: str) -> str:
        try:
            found = FilePath(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive
            return str(FilePath(path).resolve())
        # A script without a slash in its path could be taken for a name.
        known = isinstance(key.kind, Path) or "/" in found
        return found if known else f"./{found}"

    return _with_paths(key, value, relative)


def without_folder(key: Key, value: Any) -> Any:
    """Return a value with the last names of its paths only."""
    return _with_paths(key, value, lambda p: FilePath(p).name, anchored=True)


def _with_paths(
    key: Key, value: Any, change: Callable[[str], str], *, anchored: bool = False
) -> Any:
    """Return a value with its paths changed; absolute ones only if `anchored`."""

    def changed(path: str) -> str:
        fixed = FilePath(path).is_absolute() or path.startswith("~")
        return path if fixed and not anchored else str(change(path))

    if isinstance(key.kind, Texts):
        return [changed(v) if _looks_like_path(v) else v for v in value]
    if key.name == "dask":
        return changed(value) if value.endswith(".json") else value
    if not key.kind.is_path:
        return value
    named = isinstance(key.kind, NameOrPath) and not _looks_like_path(value)
    return value if named else changed(value)


def _looks_like_path(value: str) -> bool:
    separators: Iterable[str] = {"/", os.sep}
    if value.endswith((".py", ".gdml", ".toml")) or ".py:" in value:
        return True
    return any(s in value for s in separators)
