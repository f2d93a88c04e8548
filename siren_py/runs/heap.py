"""Freed memory of a worker of a cluster, kept for the next chunk rather than given back.

The arrays of a chunk are as large as those of the chunk before. The C library of Linux learns
that and keeps what is freed, unless the environment sets one of its thresholds, as dask does for
its workers: then all memory of each chunk is taken from the system anew, page by page, which costs
a tenth of the time of a chunk.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_TRIM, _MMAP = -1, -3
"""Numbers of the thresholds in mallopt(3)."""
_SET = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
"""Environment variables of the thresholds."""
_USUAL_MMAP = 128 * 2**10
_LEARNT_MMAP = 32 * 2**20
"""What the C library comes to by itself: its largest, and twice of it for trimming."""

_users: set[int] = set()


def keep_freed_memory(user: object) -> Callable[[], object]:
    """Keep what is freed in this process, for as long as `user` lives; called once for each.

    What the C library does is changed only where dask has set the threshold for trimming, and
    nobody the other one.

    Returns
    -------
    callable
        Ends it before `user` does.
    """
    _users.add(id(user))
    end = weakref.finalize(user, _give_back, id(user))
    end.atexit = False
    library = _c_library()
    if library is not None:
        library.mallopt(_MMAP, _LEARNT_MMAP)
        library.mallopt(_TRIM, 2 * _LEARNT_MMAP)
    return end


def is_kept() -> bool:
    """Return whether somebody wants freed memory to be kept."""
    return bool(_users)


def _give_back(user: int) -> None:
    _users.discard(user)
    library = _c_library()
    if library is not None and not is_kept():
        library.mallopt(_MMAP, _USUAL_MMAP)
        library.mallopt(_TRIM, int(os.environ[_SET[0]]))
        library.malloc_trim(0)


@lru_cache(maxsize=1)
def _c_library() -> Any:
    """Return the C library if it is the one of GNU and has lost its habit, else None."""
    if not os.environ.get(_SET[0], "").isdecimal() or _SET[1] in os.environ:
        return None
    try:
        library = ctypes.CDLL(None)
        _ = library.mallopt, library.malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return library
