"""The one place where kernels are compiled.

Every kernel is compiled by `kernel`: in nopython mode, cached on disk and releasing the
global interpreter lock, so that chunks run in threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_F = TypeVar("_F", bound=Callable[..., object])


def kernel(function: _F) -> _F:
    """Compile `function` with numba (nopython, nogil, cached); the signature stays as written."""
    # error_model="numpy": a division by zero gives inf or nan as in NumPy, and costs no branch.
    return cast(
        "_F", numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function)
    )


def inline_kernel(function: _F) -> _F:
    """Compile a small helper that other kernels call; always inlined by LLVM's own judgement."""
    return kernel(function)
