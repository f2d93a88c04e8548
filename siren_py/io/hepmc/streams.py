"""Opening plain and compressed files."""

from __future__ import annotations

import gzip
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from siren_py._optional import import_optional
from siren_py._typing import PathLike
from siren_py.errors import FormatError

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        return importlib.import_module("compression.zstd")
    return import_optional("backports.zstd", "hepmc", "Files that end in .zst")


@contextmanager
def open_to_write(part: Path, name: PathLike) -> Iterator[IO[bytes]]:
    """Open `part` for bytes, compressed as the ending of `name` says."""
    ending = Path(name).suffix.lower()
    with part.open("wb") as raw:
        if ending == ".gz":
            # Level 1: higher ones take five times as long for 7 % less. No name and no time, so
            # that equal samples make equal files.
            with gzip.GzipFile("", "wb", 1, raw, mtime=0) as file:
                yield file  # type: ignore[misc]
        elif ending in (".zst", ".zstd"):
            with _zstd().open(raw, "wb") as file:
                yield file
        else:
            yield raw


@contextmanager
def open_to_read(path: PathLike) -> Iterator[IO[bytes]]:
    """Open a file for bytes; its first bytes tell how it is compressed.

    Raises
    ------
    FormatError
        If there is no such file.
    """
    if not Path(path).exists():
        raise FormatError(f"There is no file {path}.")
    if Path(path).is_dir():
        raise FormatError(f"{path} is a folder; give the name of a file in it.")
    with Path(path).open("rb") as raw:
        head = raw.read(4)
        raw.seek(0)
        if head.startswith(_GZIP):
            with gzip.open(raw, "rb") as file:
                yield file  # type: ignore[misc]
        elif head.startswith(_ZSTD):
            with _zstd().open(raw, "rb") as file:
                yield file
        else:
            yield raw
