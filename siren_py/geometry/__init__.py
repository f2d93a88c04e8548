"""Solids, their placement, stacks of layers, and the tracing of lines through them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siren_py.geometry.base import Intervals, Solid
    from siren_py.geometry.booleans import Difference, Intersection, Placed, Union
    from siren_py.geometry.ellipsoids import Ellipsoid, EllipticalTube
    from siren_py.geometry.layers import LayerStack, Pattern
    from siren_py.geometry.mesh import Mesh
    from siren_py.geometry.placement import Placement
    from siren_py.geometry.polyhedra import Polyhedra, Polyhedron
    from siren_py.geometry.prism import Prism
    from siren_py.geometry.profiles import RadialDensity, prem
    from siren_py.geometry.revolved import Cone, Polycone, Torus
    from siren_py.geometry.solids import Box, Cylinder, RegularPrism, Sphere
    from siren_py.geometry.trapezoid import Trapezoid

# Public name -> module that defines it.
_HOME = {
    "Box": "solids",
    "Cone": "revolved",
    "Cylinder": "solids",
    "Difference": "booleans",
    "Ellipsoid": "ellipsoids",
    "EllipticalTube": "ellipsoids",
    "Intersection": "booleans",
    "Intervals": "base",
    "LayerStack": "layers",
    "Mesh": "mesh",
    "Pattern": "layers",
    "Placed": "booleans",
    "Placement": "placement",
    "Polycone": "revolved",
    "Polyhedra": "polyhedra",
    "Polyhedron": "polyhedra",
    "Prism": "prism",
    "RadialDensity": "profiles",
    "RegularPrism": "solids",
    "Solid": "base",
    "Sphere": "solids",
    "Torus": "revolved",
    "Trapezoid": "trapezoid",
    "Union": "booleans",
    "prem": "profiles",
}

__all__ = [
    "Box",
    "Cone",
    "Cylinder",
    "Difference",
    "Ellipsoid",
    "EllipticalTube",
    "Intersection",
    "Intervals",
    "LayerStack",
    "Mesh",
    "Pattern",
    "Placed",
    "Placement",
    "Polycone",
    "Polyhedra",
    "Polyhedron",
    "Prism",
    "RadialDensity",
    "RegularPrism",
    "Solid",
    "Sphere",
    "Torus",
    "Trapezoid",
    "Union",
    "prem",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: the kernels bring numba, which takes most of a second to import.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
