"""Finished pieces of long work, kept in files, so that an interrupted run goes on.

A piece is found again by its name and by a hash of the configuration that made it; a change of
either means that it is computed anew. Files appear under their name only when they are complete.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError, FormatError
from siren_py.io.files import complete_file
from siren_py.io.record import to_json
from siren_py.resources import resources

_PACKAGE = Path(__file__).resolve().parent.parent

# What shows, describes or counts events does not change what is computed before.
_NO_PHYSICS = {"audit", "cli", "counting", "io", "published", "reproduction"}
_NO_PHYSICS |= {"notebook", "plot", "appearance.py", "bibliography.py", "citations.py"}
_NO_PHYSICS |= {"display.py", "progress.py", "report.py", "tables.py"}

_RECORD = "configuration"


class Checkpoint:
    """Arrays by name and configuration, in the files of one folder.

    Parameters
    ----------
    folder
        Made when the first piece is kept.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = Checkpoint(Path(folder) / "cache")
    ...     first = kept.arrays("squares", {"n": 3}, lambda: {"y": np.arange(3.0) ** 2})
    ...     again = kept.arrays("squares", {"n": 3}, lambda: {"y": [-1.0]})
    >>> again["y"]
    array([0., 1., 4.])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str, configuration: Mapping[str, Any]) -> Path:
        """Return the file of a piece, whether it exists or not.

        Parameters
        ----------
        key, configuration
            As for `arrays`.

        Raises
        ------
        ConfigError
            If the key is no name for a file.
        OutputError
            If the configuration is not plain data.
        """
        if not key or not key.replace("-", "").isalnum():
            raise ConfigError(f"A piece is named by letters, digits and dashes; got {key!r}.")
        text = _canonical(configuration)
        return self.folder / f"{key}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"

    def arrays(
        self,
        key: str,
        configuration: Mapping[str, Any],
        compute: Callable[[], Mapping[str, ArrayLike]],
    ) -> dict[str, FloatArray]:
        """Return the arrays of a piece; compute and keep them if they are not there.

        Parameters
        ----------
        key
            Name of the piece.
        configuration
            Everything that determines the arrays; plain data.
        compute
            Makes them; called without arguments if they are not there.

        Raises
        ------
        ConfigError
            If the key is no name for a file.
        FormatError
            If the file of the piece is damaged.
        OutputError
            If the configuration is not plain data, or the piece cannot be kept.
        """
        path = self.path(key, configuration)
        if path.is_file():
            return _read(path)
        arrays = {name: np.asarray(values) for name, values in compute().items()}
        if _RECORD in arrays:
            raise ConfigError(f"An array cannot be called {_RECORD!r}: the file has its own.")
        self.folder.mkdir(parents=True, exist_ok=True)
        record = np.array(_canonical(configuration))
        with complete_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **{_RECORD: record}, **arrays)
        return arrays


def _canonical(configuration: Mapping[str, Any]) -> str:
    # One order of keys, whatever the order in which they were written down.
    return to_json({"": dict(sorted(configuration.items()))})


def _read(path: Path) -> dict[str, FloatArray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name != _RECORD}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(
            f"{path}: this piece of an earlier run cannot be read ({error}). Delete the file and "
            "run again."
        ) from error


@lru_cache(maxsize=1)
def code_stamp() -> str:
    """Return a hash of all code and data that rates depend on: physics, detectors, fluxes."""
    files = [
        path
        for path in _PACKAGE.rglob("*")
        if path.suffix in (".py", ".csv") and path.relative_to(_PACKAGE).parts[0] not in _NO_PHYSICS
    ]
    for found in (*resources("detectors").values(), *resources("fluxes").values()):
        files += found.path.iterdir() if found.path.is_dir() else [found.path]
    stamp = hashlib.sha256()
    for path in sorted(set(files), key=lambda p: (p.parent.name, p.name, str(p))):
        if path.is_file():
            stamp.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return stamp.hexdigest()[:16]
