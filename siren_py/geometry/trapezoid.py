"""A box whose widths change along z."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import BoolArray, FloatArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry.base import (
    KernelForm,
    KernelSolid,
    finite,
    positive,
    rejection,
)
from siren_py.geometry.polyhedra import convex_form, merged
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from trimesh import Trimesh


@dataclass(frozen=True)
class Trapezoid(KernelSolid):
    """A box whose widths change along z (a `Trd` of Geant4), centred at its origin.

    Parameters
    ----------
    dx_low, dx_high
        Full widths along x at -length/2 and at +length/2 [cm].
    dy_low, dy_high
        Full widths along y there [cm].
    length
        Full length along z [cm].

    Raises
    ------
    GeometryError
        If a length is negative or it has no volume.

    Examples
    --------
    >>> f"{Trapezoid(2.0, 4.0, 2.0, 2.0, length=3.0).volume():.1f} cm3"
    '18.0 cm3'
    """

    dx_low: float
    dx_high: float
    dy_low: float
    dy_high: float
    length: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", positive(self.length, "Trapezoid: length"))
        for name in ("dx_low", "dx_high", "dy_low", "dy_high"):
            value = finite(getattr(self, name), f"Trapezoid: {name}")
            if value < 0.0:
                raise GeometryError(
                    f"Trapezoid: {name} must not be negative [cm]; it is {value!r}."
                )
            object.__setattr__(self, name, value)
        if not self.volume() > 0.0:
            raise GeometryError(
                "Trapezoid: it has no volume; a width along x and one along y must be positive."
            )

    def half_spaces(self) -> FloatArray:
        """Return its faces as rows (n, d) with n . x <= d inside, (6, 4)."""
        half = 0.5 * self.length
        faces = [(0.0, 0.0, -1.0, half), (0.0, 0.0, 1.0, half)]
        for axis, low, high in ((0, self.dx_low, self.dx_high), (1, self.dy_low, self.dy_high)):
            # |x| <= (low + high)/4 + (high - low)/(2 length) z
            slope = 0.5 * (high - low) / self.length
            norm = math.hypot(1.0, slope)
            for sign in (-1.0, 1.0):
                face = [0.0, 0.0, -slope / norm, 0.25 * (low + high) / norm]
                face[axis] = sign / norm
                faces.append((face[0], face[1], face[2], face[3]))
        return np.array(faces)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return convex_form(self.half_spaces())

    def volume(self) -> float:
        """Return the volume [cm3]."""
        x0, x1, y0, y1 = self.dx_low, self.dx_high, self.dy_low, self.dy_high
        return self.length * ((x0 * y0 + x1 * y1) / 3.0 + (x0 * y1 + x1 * y0) / 6.0)

    def hull(self) -> FloatArray:
        """Return its corners, (8, 3) [cm]."""
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.5
        low, high = signs * (self.dx_low, self.dy_low), signs * (self.dx_high, self.dy_high)
        half = np.full(4, 0.5 * self.length)
        return np.vstack([np.column_stack([low, -half]), np.column_stack([high, half])])

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        corners = self.hull()
        return corners.min(axis=0), corners.max(axis=0)

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        largest = max(self.dx_low, self.dx_high) * max(self.dy_low, self.dy_high)

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            u = source.random((m, 4))
            dx = self.dx_low + u[:, 2] * (self.dx_high - self.dx_low)
            dy = self.dy_low + u[:, 2] * (self.dy_high - self.dy_low)
            points = (u[:, :3] - 0.5) * np.column_stack([dx, dy, np.full(m, self.length)])
            return points, u[:, 3] * largest < dx * dy

        return rejection(n, as_generator(rng), draw, "Trapezoid")

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; `sections` is not used, nothing is round."""
        low = [(0, 3, 2), (0, 2, 1)]
        walls = [(i, (i + 1) % 4, (i + 1) % 4 + 4) for i in range(4)]
        walls += [(i, (i + 1) % 4 + 4, i + 4) for i in range(4)]
        faces = np.array([*low, *walls, (4, 5, 6), (4, 6, 7)], np.int64)
        return merged(self.hull(), faces)


__all__ = ["Trapezoid"]
