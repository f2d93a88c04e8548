"""Checkpoints: a folder with the finished chunks of a run, from which it goes on.

The folder holds ``run.json``, which says what the run is, and one file ``00000042.npz`` per
finished chunk. Each appears under its name only when it is complete, so a run may be killed at
any moment: what is there can be used, and what is not there is made again with the same bits.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from siren_py._typing import PathLike
from siren_py.errors import ConfigError, FormatError, OutputError
from siren_py.io.files import complete_file, try_lock
from siren_py.io.record import to_json
from siren_py.runs.chunks import Chunk
from siren_py.tree import EventTable
from siren_py.weighting import product_of_factors

_RECORD, _LOCK = "run.json", "lock"
_VERSION = 1
_PART = re.compile(r"(\d{8,})\.npz")
_OURS = re.compile(r"lock|run\.json|\d{8,}\.npz|\.(run\.json|\d{8,}\.npz)\..*\.part")


class Part(NamedTuple):
    """What is known of a finished chunk without reading its events."""

    size: int
    """Attempts."""
    events: int
    """Events."""
    weight: float
    """Sum of the weights of a single attempt."""
    square: float
    """Sum of their squares."""


def part_of(chunk: Chunk, table: EventTable) -> Part:
    """Return the sums of a finished chunk.

    Raises
    ------
    WeightError
        If a weight is NaN, infinite or negative.
    """
    weight = product_of_factors(table)
    return Part(chunk.size, len(table), float(weight.sum()), float(np.square(weight).sum()))


class Checkpoint:
    """The folder of finished chunks of one run; a context that holds a lock on it.

    Parameters
    ----------
    folder
        The folder; made if it does not exist.
    identity
        What the run is: ``fingerprint``, ``seed`` and ``configuration``.
    resume
        Whether finished chunks that are there may be used.

    Raises
    ------
    ConfigError
        If the folder holds another run, if it holds chunks and `resume` is False, or if another
        process is at work on it.
    OutputError
        If it cannot be written.
    """

    def __init__(self, folder: PathLike, identity: Mapping[str, Any], *, resume: bool) -> None:
        self.folder = Path(folder)
        self.parts: dict[int, Part] = {}
        self._identity = dict(identity)
        self._lock: IO[bytes] | None = None
        if any(_part_files(self.folder)):
            if not resume:
                raise ConfigError(
                    f"{self.folder} holds finished chunks of a run that was interrupted. Resume "
                    "it (resume=True; --resume on the command line), or delete the folder to "
                    "start anew."
                )
            self._check(_read_record(self.folder) or {})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The folder {self.folder} for the finished chunks cannot be made "
                f"({error.strerror or error}). Choose another one with checkpoint=."
            ) from error

    def __enter__(self) -> Checkpoint:
        self._lock = _hold(self.folder)
        try:
            # The folder may have been made while somebody else held it: only now it is ours.
            if not any(_part_files(self.folder)):
                record = {"siren_py_checkpoint": _VERSION, **self._identity}
                with complete_file(self.folder / _RECORD) as part:
                    part.write_text(to_json(record, indent=1), encoding="utf-8")
            self.parts = dict(self._usable())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if not any(_part_files(self.folder)):
            self.remove()  # nothing was finished: nothing to go on from

    def _check(self, stored: Mapping[str, Any]) -> None:
        mine = json.loads(to_json(self._identity))
        if stored.get("siren_py_checkpoint") != _VERSION:
            raise ConfigError(
                f"{self.folder} was written by another version of siren_py "
                f"(checkpoint version {stored.get('siren_py_checkpoint')!r}; this one reads "
                f"{_VERSION}). Finish the run with that version, or delete the folder."
            )
        for key in ("configuration", "seed", "fingerprint"):
            if stored.get(key) != mine[key]:
                raise ConfigError(
                    f"{self.folder} holds another run: {difference(stored, mine)}. Give the run "
                    "its own folder with checkpoint= (or its own output), or delete the folder."
                )

    def _usable(self) -> Iterator[tuple[int, Part]]:
        for path, number in _part_files(self.folder):
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                    record = _record_of(stored)
                part = Part(*record["part"])
            except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
                continue  # damaged from outside: it is made again
            if record["fingerprint"] == self._identity["fingerprint"] and record["run"] == [
                self._identity["seed"],
                number,
            ]:
                yield number, part

    def has(self, chunk: Chunk) -> bool:
        """Return whether a chunk is there, with as many attempts as are wanted."""
        part = self.parts.get(chunk.number)
        return part is not None and part.size == chunk.size

    def save(self, chunk: Chunk, table: EventTable) -> Part:
        """Write a finished chunk.

        Raises
        ------
        OutputError
            If it cannot be written.
        WeightError
            If a weight is NaN, infinite or negative.
        """
        part = part_of(chunk, table)
        record = {
            "fingerprint": self._identity["fingerprint"],
            "run": [self._identity["seed"], chunk.number],
            "part": list(part),
        }
        text = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
        arrays: dict[str, Any] = {"record": text, **table.arrays()}
        with complete_file(self._path(chunk.number)) as path, path.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        self.parts[chunk.number] = part
        return part

    def load(self, number: int) -> EventTable:
        """Read a finished chunk.

        Raises
        ------
        FormatError
            If the file is damaged.
        """
        path = self._path(number)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return EventTable.from_arrays({k: stored[k] for k in stored.files if k != "record"})
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise FormatError(
                f"The finished chunk {path} cannot be read ({error}). Delete this file and resume "
                "the run: the chunk is made again with the same events."
            ) from error

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.npz"

    def remove(self) -> None:
        """Remove the folder; files in it that are not of a checkpoint stay, and so does it."""
        with contextlib.suppress(FileNotFoundError):
            # What says which run it is goes last: half a removed folder is still a checkpoint.
            for path in sorted(self.folder.iterdir(), key=lambda p: p.name == _RECORD):
                if _OURS.fullmatch(path.name):
                    path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something else is in it
                self.folder.rmdir()


def stored_seed(folder: PathLike) -> int | None:
    """Return the seed of the run in a folder, None if there is none."""
    stored = _read_record(Path(folder))
    return None if stored is None else int(stored["seed"])


def difference(stored: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
    """Return in words what tells two runs apart."""
    if stored.get("seed") != mine.get("seed"):
        return f"its seed is {stored.get('seed')!r}, not {mine.get('seed')!r}"
    before, now = stored.get("configuration") or {}, mine.get("configuration") or {}
    keys = [k for k in dict.fromkeys([*before, *now]) if before.get(k) != now.get(k)]
    if keys:
        return (
            f"its {' and '.join(keys)} differ{'s' if len(keys) == 1 else ''} "
            f"({before.get(keys[0])!r}, not {now.get(keys[0])!r})"
        )
    return (
        "its configuration reads the same but gives other events: another version of siren_py, or "
        "a detector, flux or model whose contents have changed"
    )


def _record_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    record = json.loads(bytes(stored["record"]).decode())
    return dict(record)


def _read_record(folder: Path) -> dict[str, Any] | None:
    path = folder / _RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {**record, "seed": int(record["seed"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path} cannot be read ({error}), so it is not known which run {folder} belongs to. "
            "Delete the folder to start anew."
        ) from error


def _part_files(folder: Path) -> Iterator[tuple[Path, int]]:
    if folder.is_dir():
        for path in folder.iterdir():
            found = _PART.fullmatch(path.name)
            if found:
                yield path, int(found[1])


def _hold(folder: Path) -> IO[bytes]:
    """Lock the folder; two runs at work on it would make everything twice."""
    try:
        handle = (folder / _LOCK).open("ab")
    except OSError as error:
        raise OutputError(
            f"The folder {folder} refuses new files ({error.strerror or error}). Choose another "
            "one with checkpoint=."
        ) from error
    if not try_lock(handle.fileno()):
        handle.close()
        raise ConfigError(
            f"Another process is at work on the run in {folder}. Wait for it, or give this run "
            f"another output. (Process {os.getpid()} gave up.)"
        )
    return handle
