"""The one place where kernels are compiled.

Every kernel is compiled by `kernel`: in nopython mode, cached on disk and releasing the
global interpreter lock, so that chunks run in threads.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event as _event
from numba.core.cpu import CPUTargetOptions

_F = TypeVar("_F", bound=Callable[..., object])

_events: Any = _event
_LOG = logging.getLogger("siren_py.compilation")

_MARK = b"from siren_py._numba import "

# See `allocating_kernel`. Numba does not document the option: without it kernels count references
# and take longer, and do the same.
_UNCOUNTED = {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}
_COUNTED = dict.fromkeys(_UNCOUNTED, True)


@cache
def kernel_sources_hash() -> str:
    """Return a hash of all files of the package that define kernels."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes()
        if _MARK in text:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + text)
    return digest.hexdigest()


class _Announcer(_event.Listener):
    """Says once per process that kernels are compiled; those in the cache are not."""

    def on_start(self, event: Any) -> None:
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("siren_py."):
            _events.unregister("numba:compile", self)
            _LOG.info(
                "compiling the kernels, which takes about a minute; they are kept, so that the "
                "next run begins at once."
            )

    def on_end(self, event: Any) -> None:
        del event


_events.register("numba:compile", _Announcer())


def _spare_folder() -> str:
    """Return a folder for machine code in the folder of temporary files, of this user alone."""
    name = f"siren_py_numba_{os.getuid() if hasattr(os, 'getuid') else os.getlogin()}"
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    # Machine code is run: a folder that somebody else put there must not be used.
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return tempfile.mkdtemp(prefix="siren_py_numba_")
    return str(folder)


def kernel(function: _F) -> _F:
    """Compile `function` with numba (nopython, nogil, cached); the signature stays as written."""
    return _compiled(function, **_UNCOUNTED)


def kernel_part(function: _F) -> _F:
    """Compile a part of a kernel, which becomes a piece of the machine code of its callers.

    A call with tuples of arrays copies a kilobyte of pointers: what is called for each line from
    one or two places is better part of its callers.
    """
    return _compiled(function, forceinline=True, **_UNCOUNTED)


def inline_kernel(function: _F) -> _F:
    """Compile a few statements as if they stood in each kernel that calls them.

    They are not compiled by themselves: for tuples of arrays the code that would take them from
    Python is far longer than what is done with them.
    """
    return _compiled(function, inline="always", **_UNCOUNTED)


def allocating_kernel(function: _F) -> _F:
    """Compile a kernel that makes arrays of its own; all others take theirs from their callers.

    numba counts the references of every array, and of every row of one, with atomic operations,
    so that it can be freed: in a short call that is most of the cost, and of the compilation too.
    What allocates nothing has nothing to free, and goes without (the option `_nrt` of numba).
    A kernel that does may return numbers and tuples of them, but no array to Python.
    """
    # Said in so many words: otherwise it would do as the kernel that calls it.
    return _compiled(function, **_COUNTED)


def _compiled(function: _F, **options: Any) -> _F:
    # error_model="numpy": a division by zero gives inf or nan as in NumPy, and costs no branch.
    # No kernel is called from C: without the wrapper for that there is less to compile.
    jit: Any = numba.njit
    options |= {"cache": True, "nogil": True, "no_cfunc_wrapper": True}
    try:
        compiled = jit(error_model="numpy", **options)(function)
    except RuntimeError:
        # numba found no folder that it may write to: neither that of the package nor one in the
        # home folder, which jobs on a cluster may not have. Compiling every time is too slow.
        config: Any = numba.config
        config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = _spare_folder()
        compiled = jit(error_model="numpy", **options)(function)
    # numba compares a cached kernel with the file that defines it, not with those of the kernels
    # it calls: after an update of one of them, old machine code would go on being used. The
    # version that it compares is therefore extended by the sources of all kernels. That is read
    # first: what follows may name classes that this version of the package does not have.
    index = compiled._cache._cache_file
    index._version = (index._version, kernel_sources_hash())
    return cast("_F", compiled)
