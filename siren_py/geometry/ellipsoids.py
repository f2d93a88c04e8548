"""Ellipsoid and elliptical tube: a ball and a cylinder in coordinates of their own scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import BoolArray, FloatArray, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels, meshing
from siren_py.geometry.base import (
    TWO_PI,
    KernelForm,
    KernelSolid,
    finite,
    positive,
    rejection,
    sector_parameters,
)
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from trimesh import Trimesh


@dataclass(frozen=True)
class Ellipsoid(KernelSolid):
    """An ellipsoid, possibly cut by planes across z, centred at its origin.

    Parameters
    ----------
    a, b, c
        Semi-axes along x, y, z [cm].
    z_low, z_high
        Where it is cut [cm]; None for no cut.

    Raises
    ------
    GeometryError
        If a length is not positive and finite.

    Examples
    --------
    >>> from siren_py.geometry import Ellipsoid
    >>> f"{Ellipsoid(1.0, 2.0, 3.0).volume():.3f} cm3"
    '25.133 cm3'
    """

    a: float
    b: float
    c: float
    z_low: float | None = None
    z_high: float | None = None

    def __post_init__(self) -> None:
        for name in ("a", "b", "c"):
            object.__setattr__(self, name, positive(getattr(self, name), f"Ellipsoid: {name}"))
        for name in ("z_low", "z_high"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, finite(value, f"Ellipsoid: {name}"))
        low, high = self._cuts
        if not low < high:
            raise GeometryError(
                f"Ellipsoid: nothing is left between z_low = {self.z_low!r} and z_high = "
                f"{self.z_high!r} [cm]; it reaches from {-self.c!r} to {self.c!r}."
            )

    @property
    def _cuts(self) -> tuple[float, float]:
        """Where it ends, in units of c."""
        low = -1.0 if self.z_low is None else max(-1.0, self.z_low / self.c)
        high = 1.0 if self.z_high is None else min(1.0, self.z_high / self.c)
        return low, high

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return KernelForm(kernels.ELLIPSOID, self._cuts, scale=(self.a, self.b, self.c))

    def volume(self) -> float:
        """Return the volume [cm3]."""
        low, high = self._cuts
        part = (high - low) - (high**3 - low**3) / 3.0
        return math.pi * self.a * self.b * self.c * part

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        low, high = self._cuts
        widest = min(max(low, 0.0), high)  # the height in [low, high] nearest to the middle
        across = math.sqrt((1.0 - widest) * (1.0 + widest))
        corner = np.array([self.a * across, self.b * across])
        return np.array([*-corner, low * self.c]), np.array([*corner, high * self.c])

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        low, high = self._cuts
        widest = 1.0 - min(max(low, 0.0), high) ** 2

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            u = source.random((m, 4))
            w = low + u[:, 0] * (high - low)
            area = np.maximum((1.0 - w) * (1.0 + w), 0.0)
            radius, phi = np.sqrt(u[:, 1] * area), TWO_PI * u[:, 2]
            points = np.column_stack(
                [self.a * radius * np.cos(phi), self.b * radius * np.sin(phi), self.c * w]
            )
            return points, u[:, 3] * widest < area

        return rejection(n, as_generator(rng), draw, "Ellipsoid")

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        low, high = (math.asin(cut) for cut in self._cuts)
        count = max(math.ceil(meshing.check_sections(sections) * (high - low) / TWO_PI), 2)
        angle = np.linspace(low, high, count + 1)
        profile = np.column_stack([np.cos(angle), np.sin(angle)])
        profile[[0, -1], 1] = self._cuts
        for end, cut in ((0, self._cuts[0]), (-1, self._cuts[1])):
            if abs(cut) == 1.0:
                profile[end, 0] = 0.0
        ends = [np.array([[0.0, cut]]) for cut in self._cuts if abs(cut) < 1.0]
        if self._cuts[1] < 1.0:
            profile = np.concatenate([profile, ends.pop()])
        if self._cuts[0] > -1.0:
            profile = np.concatenate([profile, ends.pop()])
        surface = meshing.revolution([profile], 0.0, TWO_PI, sections)
        scale = np.array([self.a, self.b, self.c])
        return meshing.to_trimesh(np.asarray(surface.vertices) * scale, surface.faces)


@dataclass(frozen=True)
class EllipticalTube(KernelSolid):
    """A cylinder along z over an ellipse, centred at its origin.

    Parameters
    ----------
    a, b
        Semi-axes along x and y [cm].
    length
        Full length [cm].

    Examples
    --------
    >>> from siren_py.geometry import EllipticalTube
    >>> f"{EllipticalTube(1.0, 2.0, length=10.0).volume():.2f} cm3"
    '62.83 cm3'
    """

    a: float
    b: float
    length: float

    def __post_init__(self) -> None:
        for name in ("a", "b", "length"):
            value = positive(getattr(self, name), f"EllipticalTube: {name}")
            object.__setattr__(self, name, value)

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        parameters = (1.0, 0.0, 0.5 * self.length, *sector_parameters(0.0, TWO_PI))
        return KernelForm(kernels.CYLINDER, parameters, scale=(self.a, self.b, 1.0))

    def volume(self) -> float:
        """Return the volume [cm3]."""
        return math.pi * self.a * self.b * self.length

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        half = np.array([self.a, self.b, 0.5 * self.length])
        return -half, half

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        u = as_generator(rng).random((n, 3))
        radius, phi = np.sqrt(u[:, 0]), TWO_PI * u[:, 1]
        return np.column_stack(
            [
                self.a * radius * np.cos(phi),
                self.b * radius * np.sin(phi),
                (u[:, 2] - 0.5) * self.length,
            ]
        )

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface as triangles; round parts get `sections` sides per turn."""
        half = 0.5 * self.length
        rings = meshing.ring_profile([-half, half], [1.0, 1.0], [0.0, 0.0])
        surface = meshing.revolution(rings, 0.0, TWO_PI, sections)
        scale = np.array([self.a, self.b, 1.0])
        return meshing.to_trimesh(np.asarray(surface.vertices) * scale, surface.faces)
