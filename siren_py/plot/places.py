"""Where a cross-section stands when nobody says, and how its place is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siren_py._typing import FloatArray
from siren_py.appearance import core_box
from siren_py.errors import unknown_name
from siren_py.slices import ACROSS

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel


def default_place(detector: DetectorModel, axis: str) -> float:
    """Return where a plane normal to an axis stands by default [cm]: in the largest region.

    Raises
    ------
    UnknownNameError
        If there is no such axis.
    """
    if axis not in ACROSS:
        raise unknown_name("axis", axis, ACROSS)
    return float(inner_point(detector, *core_box(detector))["xyz".index(axis)])


def inner_point(detector: DetectorModel, lo: FloatArray, hi: FloatArray) -> FloatArray:
    """Return a point inside the largest region, 10 % of its half width off its middle."""
    if not detector.regions:
        return 0.5 * (lo + hi) + 0.02 * (hi - lo)
    leaves = [leaf for region in detector.regions.values() for leaf in region.solids]
    low, high = max(leaves, key=lambda leaf: leaf.solid.volume()).box()
    return 0.5 * (low + high) + 0.05 * (high - low)


def length_unit(span: float) -> str:
    """Return the unit in which a span [cm] reads well."""
    return "m" if span > 300.0 else "cm"


def short(value: float) -> str:
    """Write a place in a title, without a sign or digits that say nothing."""
    return f"{value:.3g}" if abs(value) > 1e-9 else "0"
