"""Solids, their placement, stacks of layers, and the tracing of lines through them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siren_py.geometry.layers import LayerStack, Pattern
    from siren_py.geometry.placement import Placement
    from siren_py.geometry.solids import Box, Cylinder, Intervals, RegularPrism, Solid, Sphere

__all__ = [
    "Box",
    "Cylinder",
    "Intervals",
    "LayerStack",
    "Pattern",
    "Placement",
    "RegularPrism",
    "Solid",
    "Sphere",
]

_ELSEWHERE = {"LayerStack": "layers", "Pattern": "layers", "Placement": "placement"}


def __getattr__(name: str) -> object:
    # Loaded on first use: the kernels bring numba, which takes most of a second to import.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, 'solids')}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return list(__all__)
