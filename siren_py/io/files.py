"""Files that are complete or not there: writing beside the target and renaming at the end.

While a file is written it has a hidden name, ``.NAME.xxxxxxxx.part``, in the folder of its target,
and its writer holds a lock on it. A writer that is killed (SIGKILL, power failure) leaves such a
file behind; the system has then dropped the lock, and the next write to the same name removes it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siren_py._typing import PathLike
from siren_py.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows has no such locks: parts of dead writers then stay
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".part"

# Names may have 255 bytes, and a letter up to 4.
_KEPT_LETTERS = 48


def check_writable(path: PathLike, *, overwrite: bool = True) -> Path:
    """Check, before any work is done, that a file can be written under `path`.

    Parameters
    ----------
    path
        Name of the file.
    overwrite
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        The file itself, where `path` is a symbolic link.

    Raises
    ------
    OutputError
        If the folder does not exist or cannot be written, if `path` is a folder or a device, or
        if the file exists and `overwrite` is False.
    """
    given = Path(path)
    if not os.fspath(path):
        raise OutputError("Cannot write a file without a name; give one, e.g. events.root.")
    try:
        # A link stays a link: what it points to is replaced.
        target = given.resolve()
        _check_place(given, target, overwrite)
    except OutputError:
        raise
    except (OSError, RuntimeError) as error:  # a name too long, a loop of links
        raise OutputError(f"Cannot write {given}: {error}. Choose another path.") from None
    folder = target.parent
    # Trying is the only reliable test: permissions do not tell of read-only or full disks.
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_prefix(target)):
            pass
    except OSError as error:
        raise OutputError(
            f"Cannot write {given}: the folder {folder} refuses new files "
            f"({error.strerror or error}). Choose another path."
        ) from None
    return target


def _check_place(given: Path, target: Path, overwrite: bool) -> None:
    """Check what is at `target`, the file that the path `given` leads to."""
    if target.is_dir():
        raise OutputError(f"Cannot write {given}: it is a folder. Give the name of a file.")
    folder = target.parent
    if folder.exists() and not folder.is_dir():
        raise OutputError(
            f"Cannot write {given}: {folder} is a file, not a folder. Choose another path."
        )
    if not folder.is_dir():
        raise OutputError(
            f"Cannot write {given}: the folder {folder} does not exist. Create it first or "
            "choose another path."
        )
    if target.exists() and not target.is_file():
        raise OutputError(
            f"Cannot write {given}: it is a device or a pipe, which cannot be replaced by a file. "
            "Choose another path."
        )
    if target.exists() and not overwrite:
        raise OutputError(
            f"{given} exists already and overwriting is switched off. Choose another name."
        )


@contextmanager
def complete_file(path: PathLike, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a path to write to; on success the file is renamed to `path`, else removed.

    Parameters
    ----------
    path
        Final name of the file.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written; an existing file under `path` is then untouched.
    """
    target = check_writable(path, overwrite=overwrite)
    _remove_stale_parts(target)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=_prefix(target), suffix=_SUFFIX)
    part = Path(name)
    if fcntl is None:
        # Without locks there is no use for the handle, and Windows renames no open file.
        os.close(handle)
    else:
        _lock(handle)
    try:
        yield part
        # mkstemp makes files private; a finished file gets the usual permissions.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        # Without this, a power failure could leave an empty file under the final name.
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"Writing {path} failed: {_reason(error)}. Nothing was left under that name but what "
            "was there before; free space or choose another path and run again."
        ) from error
    finally:
        part.unlink(missing_ok=True)
        if fcntl is not None:
            os.close(handle)


def _prefix(target: Path) -> str:
    return f".{target.name[:_KEPT_LETTERS]}."


def _reason(error: OSError) -> str:
    text = error.strerror or str(error) or type(error).__name__
    # A second file can be at fault: tables of large samples wait in a temporary folder.
    return f"{text} ({error.filename})" if error.filename else text


def _lock(handle: int) -> bool:
    """Lock an open file unless somebody else holds it; the lock ends with its holder."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Held by a live writer; or a file system without locks, where no part is ever stale.
        return False
    return True


def try_lock(handle: int) -> bool:
    """Lock an open file; return False if another process holds the lock.

    Where the file system has no locks, nobody holds one.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _remove_stale_parts(target: Path) -> None:
    """Remove what killed writers of the same file left behind."""
    if fcntl is None:
        return
    prefix = _prefix(target)
    for path in target.parent.iterdir():
        if not (path.name.startswith(prefix) and path.name.endswith(_SUFFIX)):
            continue
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError:  # gone meanwhile, or somebody else's
            continue
        try:
            if _lock(handle):
                path.unlink(missing_ok=True)
        finally:
            os.close(handle)
