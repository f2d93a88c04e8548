"""Outlines in the (r, z) plane, turned about the axis: ``<genericPolycone>`` as solids."""

from __future__ import annotations

import itertools

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import GeometryError
from siren_py.geometry.base import TWO_PI
from siren_py.geometry.booleans import Placed, Union
from siren_py.geometry.revolved import Cone, Polycone
from siren_py.geometry.solids import Solid

# Inner and outer radii at the lower and the upper end of a slab: (r_in, r_in', r_out, r_out').
_Ring = tuple[float, float, float, float]


def revolved_outline(
    corners: FloatArray, start_phi: float = 0.0, delta_phi: float = TWO_PI
) -> Solid:
    """Return the solid that an outline sweeps when it turns about the z axis.

    Parameters
    ----------
    corners
        (r, z) of its corners in order, (n, 2) [cm].
    start_phi, delta_phi
        The sector that is kept [rad].

    Returns
    -------
    Solid
        A `Polycone` if each plane of constant z cuts one ring out of it, else a union of `Cone`.

    Raises
    ------
    GeometryError
        If the outline crosses itself or the axis.
    """
    import shapely  # takes a while to load

    why = f"it has {len(corners)} corners"
    polygon = shapely.Polygon()
    if len(corners) >= 3:
        polygon = shapely.Polygon(corners)
        why = shapely.is_valid_reason(polygon)
    if not polygon.is_valid or not polygon.area > 0.0:
        raise GeometryError(
            f"the outline (r, z) encloses no area once: {why}. List the corners in order around it."
        )
    if corners[:, 0].min() < 0.0:
        raise GeometryError("the outline crosses the axis: some r are negative.")
    planes = np.unique(corners[:, 1])
    slabs = [_rings(corners, low, high) for low, high in itertools.pairwise(planes)]
    if all(len(rings) == 1 for rings in slabs):
        return _polycone(planes, [rings[0] for rings in slabs], start_phi, delta_phi)
    parts: list[Solid] = []
    for (low, high), rings in zip(itertools.pairwise(planes), slabs, strict=True):
        for in_low, in_high, out_low, out_high in rings:
            cone = Cone(high - low, out_low, out_high, in_low, in_high, "z", start_phi, delta_phi)
            parts.append(Placed(cone, at=(0.0, 0.0, 0.5 * (low + high))))
    # In halves, so that a hundred parts are seven deep.
    while len(parts) > 1:
        pairs = [Union(*pair) for pair in zip(parts[::2], parts[1::2], strict=False)]
        parts = [*pairs, *parts[2 * len(pairs) :]]
    return parts[0]


def _rings(corners: FloatArray, low: float, high: float) -> list[_Ring]:
    """Return the rings of an outline between two neighbouring z of its corners."""
    ends = np.roll(corners, -1, axis=0)
    middle = 0.5 * (low + high)
    crossing = (corners[:, 1] < middle) != (ends[:, 1] < middle)
    (r1, z1), (r2, z2) = corners[crossing].T, ends[crossing].T
    slope = (r2 - r1) / (z2 - z1)
    # At the ends of an edge its own corners: no rounding makes a radius negative or a step.
    sides = []
    for z in (low, middle, high):
        radii = r1 + (z - z1) * slope
        radii = np.where(z == z1, r1, np.where(z == z2, r2, radii))
        sides.append(np.maximum(radii, 0.0))
    order = np.argsort(sides[1], kind="stable")
    at_low, at_high = sides[0][order], sides[2][order]
    return [
        (float(at_low[k]), float(at_high[k]), float(at_low[k + 1]), float(at_high[k + 1]))
        for k in range(0, len(order), 2)
    ]


def _polycone(
    planes: FloatArray, rings: list[_Ring], start_phi: float, delta_phi: float
) -> Polycone:
    """Return slabs with one ring each as one solid; a step has its z twice."""
    z: list[float] = []
    inner: list[float] = []
    outer: list[float] = []
    for (low, high), ring in zip(itertools.pairwise(planes.tolist()), rings, strict=True):
        for height, hole, radius in ((low, ring[0], ring[2]), (high, ring[1], ring[3])):
            if not z or (z[-1], inner[-1], outer[-1]) != (height, hole, radius):
                z.append(height)
                inner.append(hole)
                outer.append(radius)
    return Polycone(z, outer, inner, start_phi=start_phi, delta_phi=delta_phi)
