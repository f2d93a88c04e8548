"""Files that are complete or not there: writing beside the target and renaming at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siren_py._typing import PathLike
from siren_py.errors import OutputError


def check_writable(path: PathLike, *, overwrite: bool = True) -> Path:
    """Check, before any work is done, that a file can be written under `path`.

    Raises
    ------
    OutputError
        If the folder does not exist or cannot be written, if `path` is a folder, or if the file
        exists and `overwrite` is False.
    """
    target = Path(path)
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(
            f"Cannot write {target}: the folder {folder} does not exist. Create it first or "
            "choose another path."
        )
    if target.is_dir():
        raise OutputError(f"Cannot write {target}: it is a folder. Give the name of a file.")
    if target.exists() and not overwrite:
        raise OutputError(
            f"{target} exists already and overwriting is switched off. Choose another name."
        )
    # Trying is the only reliable test: permissions do not tell of read-only or full disks.
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{target.name}."):
            pass
    except OSError as error:
        raise OutputError(
            f"Cannot write {target}: the folder {folder} refuses new files "
            f"({error.strerror or error}). Choose another path."
        ) from None
    return target


@contextmanager
def complete_file(path: PathLike, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a path to write to; on success the file is renamed to `path`, else removed.

    Raises
    ------
    OutputError
        If the file cannot be written; an existing file under `path` is then untouched.
    """
    target = check_writable(path, overwrite=overwrite)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # mkstemp makes files private; a finished file gets the usual permissions.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(target)
    except OSError as error:
        raise OutputError(
            f"Writing {target} failed: {error.strerror or error}. Nothing was left under that "
            "name; free space or choose another path and run again."
        ) from error
    finally:
        part.unlink(missing_ok=True)
