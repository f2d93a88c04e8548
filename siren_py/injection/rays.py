"""Lines of sight of the neutrinos, for the proposals that start from them.

A parallel beam has the flux of the table everywhere. A beam with a source leaves points on a
straight source (the decay pipe) in all directions; the table holds at the origin of the detector
frame, elsewhere the flux is larger or smaller by (r0/r)^2, r0 and r being the distances of the
origin and of the vertex from the point of emission. The spectrum is that of the table in all
directions: how it changes with the off-axis angle is not in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import GeometryError

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

_WIDENING = 3.0
"""Ratio of the widths of nested windows of lines of sight."""


class Rays(NamedTuple):
    """Lines of sight of n neutrinos."""

    origins: FloatArray
    """A point on each line [cm], (n, 3): the point of emission if there is a source."""
    directions: FloatArray
    """Unit directions of flight, (n, 3)."""
    start: FloatArray
    """Where along the line the neutrino starts [cm], (n,); -inf for a parallel beam."""
    factor: FloatArray
    """(Flux at a place over flux of the table) / (density of the lines there) [cm2], (n,)."""


class Windows:
    """Nested rectangles across the beam through which lines are drawn.

    Parameters
    ----------
    detector, region
        The detector, and the name of the region.
    beam
        Unit direction of the beam, (3,).
    sources
        Points of emission between which all others lie, (m, 3) [cm]; none for a parallel beam.
    """

    def __init__(
        self, detector: DetectorModel, region: str, beam: FloatArray, sources: FloatArray
    ) -> None:
        self._beam, self._sources = beam, sources
        across = np.eye(3)[np.argmin(np.abs(beam))]
        first = np.cross(beam, across)
        first /= np.linalg.norm(first)
        self.axes = np.stack([first, np.cross(beam, first)])
        low, high = detector.region(region).bounds()
        # The plane of the windows goes through the middle of the region.
        self.depth = float(0.5 * (low + high) @ beam)
        self.windows = self._nested(self._shadow(low, high), self._shadow(*detector.bounds()))

    def _shadow(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Bounds of an axis-aligned box, seen in the plane of the windows, (2,) each."""
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
        if not len(self._sources):
            shadow = corners @ self.axes.T
            return shadow.min(axis=0), shadow.max(axis=0)
        bounds = []
        for source in self._sources:
            ahead = (corners - source) @ self._beam
            stretch = (self.depth - source @ self._beam) / ahead
            bounds.append((source + stretch[:, None] * (corners - source)) @ self.axes.T)
        shadow = np.concatenate(bounds)
        return shadow.min(axis=0), shadow.max(axis=0)

    @staticmethod
    def _nested(
        region: tuple[FloatArray, FloatArray], world: tuple[FloatArray, FloatArray]
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Windows from the shadow of the region to that of all matter, so nothing is cut off.

        Those between, each three times as wide as the one before, serve vertices at middle
        distances.
        """
        low, high = region
        windows = []
        while (low > world[0]).any() or (high < world[1]).any():
            corner, opposite = np.maximum(low, world[0]), np.minimum(high, world[1])
            if (corner < opposite).all():
                windows.append((corner, opposite))
            middle, half = 0.5 * (low + high), 0.5 * (high - low)
            low, high = middle - _WIDENING * half, middle + _WIDENING * half
        return [*windows, world]

    def draw(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw points in the windows: points (n, 3) [cm] and 1 / density [cm2], (n,)."""
        corners = np.array(self.windows)
        window = (rng.random(n) * len(corners)).astype(np.int64)
        low, high = corners[window, 0], corners[window, 1]
        across = low + rng.random((n, 2)) * (high - low)
        density = np.zeros(n)
        for corner, opposite in self.windows:
            inside = ((across >= corner) & (across <= opposite)).all(axis=1)
            density += inside / (len(self.windows) * np.prod(opposite - corner))
        return across @ self.axes + self.depth * self._beam, 1.0 / density


class ParallelRays:
    """Lines of sight along the beam.

    Parameters
    ----------
    detector, region, beam
        As for `Windows`.
    """

    def __init__(self, detector: DetectorModel, region: str, beam: FloatArray) -> None:
        self._windows = Windows(detector, region, beam, np.zeros((0, 3)))
        self._beam = beam

    def draw(self, n: int, rng: np.random.Generator) -> Rays:
        """Draw n lines of sight."""
        points, area = self._windows.draw(n, rng)
        directions = np.broadcast_to(self._beam, (n, 3)).copy()
        return Rays(points, directions, np.full(n, -np.inf), area)


class LineOfEmission:
    """The straight source of a beam.

    Parameters
    ----------
    ends
        Its ends, (2, 3) [cm].
    """

    def __init__(self, ends: FloatArray) -> None:
        self.ends = ends

    @classmethod
    def of(cls, detector: DetectorModel) -> LineOfEmission:
        """Return the source of a detector's beam.

        Raises
        ------
        GeometryError
            If the beam has none, or matter lies beside or behind it.
        """
        ends = detector.beam.source()
        if ends is None:
            raise GeometryError(
                f"The beam of {detector.name!r} has no source: give its distance with "
                "detector.set_beam(direction, distance=...), or use the parallel beam."
            )
        direction = np.asarray(detector.beam.direction)
        low, high = detector.bounds()
        # The nearest that a corner of the box around all matter lies ahead of a point of emission.
        ahead = min(float((np.where(direction > 0.0, low, high) - end) @ direction) for end in ends)
        if not ahead > 1.0:
            raise GeometryError(
                f"Matter of {detector.name!r} reaches {-ahead:.6g} cm behind a point of emission "
                "of its beam: neutrinos cannot be followed there. End the soil before the source, "
                "shorten the source (set_beam), or use the parallel beam."
            )
        return cls(np.stack(ends))

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw points, even along the source, (n, 3) [cm]."""
        return np.asarray(self.ends[0] + rng.random((n, 1)) * (self.ends[1] - self.ends[0]))


class SourceRays:
    """Lines of sight from points on a line source.

    Parameters
    ----------
    detector, region
        As for `Windows`; the detector's beam says where the source is.

    Raises
    ------
    GeometryError
        If the detector's beam has no source, or matter lies behind it.
    """

    def __init__(self, detector: DetectorModel, region: str) -> None:
        self._direction = np.asarray(detector.beam.direction, dtype=np.float64)
        self._source = LineOfEmission.of(detector)
        self._windows = Windows(detector, region, self._direction, self._source.ends)

    def draw(self, n: int, rng: np.random.Generator) -> Rays:
        """Draw n lines of sight, points of emission uniform along the source."""
        emission = self._source.draw(n, rng)
        points, area = self._windows.draw(n, rng)
        way = points - emission
        distance = np.linalg.norm(way, axis=1)
        directions = way / distance[:, None]
        # A patch dA of the window is seen under the solid angle cos(a) dA / distance^2, and the
        # flux through a solid angle is phi r0^2 per steradian, at any distance.
        slope = directions @ self._direction
        reference = np.einsum("ij,ij->i", emission, emission)
        factor = area * reference * slope / distance**2
        return Rays(emission, directions, np.zeros(n), factor)


def rotations_to(axes: FloatArray) -> FloatArray:
    """Return the rotation matrices that turn +z into unit vectors, (n, 3) -> (n, 3, 3)."""
    x, y, z = axes[:, 0], axes[:, 1], axes[:, 2]
    # Rodrigues' formula about the axis z x n = (-y, x, 0); for n = -z any axis across will do.
    back = z < -1.0 + 1e-15
    k = 1.0 / np.where(back, 1.0, 1.0 + z)
    matrix = np.stack(
        [
            np.stack([1.0 - k * x * x, -k * x * y, x], axis=-1),
            np.stack([-k * x * y, 1.0 - k * y * y, y], axis=-1),
            np.stack([-x, -y, z], axis=-1),
        ],
        axis=-2,
    )
    matrix[back] = np.diag([1.0, -1.0, -1.0])
    return matrix
