"""Reading text files of strangers: within a size, as text, with line numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from siren_py.errors import FormatError, nearest_names

MAX_BYTES = 64 * 1024 * 1024
"""Largest data file that is read unless the caller allows more [bytes]."""


_LONGEST_WORD = 200
_MOST_NAMES = 10
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


def shortened(text: str) -> str:
    """Return an error text in which no word that was found in a file fills the screen."""
    return _LONG_WORD.sub(lambda found: found[0][: _LONGEST_WORD - 3] + "...", text)


def name_hint(name: str, names: Iterable[str]) -> str:
    """Return, with a blank before it, which names a file has in place of one that it has not."""
    known = list(names)
    close = nearest_names(name, known, 2)
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    more = ", ..." if len(known) > _MOST_NAMES else ""
    return f" Known: {', '.join(known[:_MOST_NAMES])}{more}." if known else ""


def read_text(path: Path, what: str, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, for the error texts.
    max_bytes
        Larger files are refused before anything is read.

    Raises
    ------
    FormatError
        If there is no such file, it is too large, or it is not text.
    """
    return decoded(read_bytes(path, what, max_bytes), path, what)


def read_bytes(path: Path, what: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a file; arguments and errors as in `read_text`."""
    try:
        if not path.is_file():
            raise FormatError(f"{path}: there is no such file; expected {what}.")
        size = path.stat().st_size
        if size > max_bytes:
            raise FormatError(
                f"{path}: {size} bytes are more than the {max_bytes} that are read; expected "
                f"{what}. If the file is right, raise the limit with max_bytes=."
            )
        with path.open("rb") as stream:
            # A file that grows meanwhile, or that lies about its size, must not fill the memory.
            return stream.read(max_bytes)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror or error}.") from error


def decoded(data: bytes, path: Path, what: str) -> str:
    """Return bytes as text (UTF-8, else Latin-1), or raise a `FormatError` if they are binary."""
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise FormatError(f"{path}, line {line}: binary data; expected {what}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Old files have accents in their comments; what matters is ASCII.
        return data.decode("latin-1")
