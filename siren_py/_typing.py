"""Array and argument types shared by the whole package."""

from __future__ import annotations

import os
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
SlotArray: TypeAlias = npt.NDArray[np.uint64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
ArrayLike: TypeAlias = npt.ArrayLike
PathLike: TypeAlias = str | os.PathLike[str]
RNGLike: TypeAlias = None | int | np.random.SeedSequence | np.random.Generator
