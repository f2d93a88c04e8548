"""Placing events in the detector: where the vertex is, and where the particle it made decays.

A placement gets the direction of flight, decay length and target of each event, and answers with
points and two factors of the weight. `AimedPlacement` is the default; `ForwardPlacement` draws
the vertex along the line of sight first, as in the textbook, and is there to check the other:
both must give the same rates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import GeometryError
from siren_py.geometry.arrays import (
    External,
    GeometryArrays,
    RegionArrays,
    Scratch,
    make_scratch,
)
from siren_py.injection.aimed import (
    Buffers,
    Placed,
    line_sums,
    make_buffers,
    place,
    rate_columns,
)
from siren_py.injection.forward import place_decays, place_vertices
from siren_py.injection.line_source import LENGTHS, LineSource, nearest_length
from siren_py.injection.matter import Matter

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel


_WIDENING = 3.0
"""Ratio of the widths of nested windows of lines of sight."""


class Placement(NamedTuple):
    """Points of n events and the factors that belong to them."""

    placed: Placed
    """Vertices, decay points and where they are."""
    factor_line: FloatArray
    """1 / density of lines [cm2], (n,)."""
    factor_matter: FloatArray
    """Weighted targets per area [1/cm2], (n,); 0 where the event is impossible."""


class Placer(Protocol):
    """What the injector needs of a way to place events."""

    def place(
        self,
        directions: FloatArray,
        lengths: FloatArray,
        nuclide: IntArray,
        rng_line: np.random.Generator,
        rng_vertex: np.random.Generator,
    ) -> Placement:
        """Place n events that fly along `directions` (n, 3) with decay lengths [cm] (n,)."""
        ...


def empty_placed(n: int) -> Placed:
    """Return room for n events, all impossible so far."""
    return Placed(
        np.zeros((n, 3)),
        np.zeros((n, 3)),
        np.zeros(n),
        *(np.full(n, -1, dtype=np.int64) for _ in range(4)),
    )


def tracing_arguments(
    geometry: GeometryArrays,
    external: External,
    region: RegionArrays,
    external_region: External,
) -> tuple[GeometryArrays, External, Scratch, RegionArrays, External, Scratch, Buffers]:
    """Return geometry and region with fresh buffers, in the order in which kernels take them."""
    return (
        geometry,
        external,
        make_scratch(geometry, external),
        region,
        external_region,
        make_scratch(region, external_region),
        make_buffers(geometry, region, external, external_region),
    )


def check_complete(done: int, n: int) -> None:
    """Raise if a kernel stopped early: its buffers did not belong to the geometry."""
    if done != n:
        raise GeometryError(
            f"Tracing stopped at line {done} of {n}: the line has more segments than the detector "
            "allows. A solid returned overlapping intervals; check it with DetectorModel.trace."
        )


class AimedPlacement:
    """Lines through the region; see `siren_py.injection.aimed`.

    Parameters
    ----------
    detector
        The detector.
    region
        Name of the region.
    matter
        Number densities of the detector.
    """

    def __init__(self, detector: DetectorModel, region: str, matter: Matter) -> None:
        self._detector = detector
        self._region = detector.region(region)
        self._arrays = detector.arrays()
        self._region_arrays = detector.region_arrays(region)
        self._matter = matter
        self.source, self.source_volumes = LineSource.of(detector, self._region)

    def _tracing(
        self, origins: FloatArray, directions: FloatArray
    ) -> tuple[GeometryArrays, External, Scratch, RegionArrays, External, Scratch, Buffers]:
        """Return the geometry with buffers of this call, as the kernels take it."""
        external = self._detector.external_intervals(origins, directions)
        external_region = self._region.external_intervals(origins, directions)
        return tracing_arguments(self._arrays, external, self._region_arrays, external_region)

    def place(
        self,
        directions: FloatArray,
        lengths: FloatArray,
        nuclide: IntArray,
        rng_line: np.random.Generator,
        rng_vertex: np.random.Generator,
    ) -> Placement:
        """Draw lines, vertices and decay points; see `Placer.place`."""
        n = lengths.size
        row = nearest_length(lengths)
        origins = self.source.sample(row, rng_line)
        placed = empty_placed(n)
        done = place(
            *self._tracing(origins, directions),
            self._matter.density,
            self._matter.densest,
            origins,
            directions,
            lengths,
            nuclide,
            rng_vertex.random((n, 3)),
            placed,
        )
        check_complete(done, n)
        density = self.source.density(row, origins, directions)
        # A point on the very face of a solid may have no chord: measure zero.
        seen = density > 0.0
        factor_line = np.where(seen, 1.0 / np.where(seen, density, 1.0), 0.0)
        return Placement(placed, factor_line, placed.matter)

    def line_density(
        self, vertex: FloatArray, directions: FloatArray, lengths: FloatArray, nuclide: IntArray
    ) -> FloatArray:
        """Density f of the lines through given vertices, over their W, shape (n,)."""
        n = lengths.size
        matter = np.zeros(n)
        done = line_sums(
            *self._tracing(vertex, directions),
            self._matter.density,
            self._matter.densest,
            vertex,
            directions,
            lengths,
            nuclide,
            matter,
        )
        check_complete(done, n)
        seen = matter > 0.0
        density = self.source.density(nearest_length(lengths), vertex, directions)
        return np.where(seen, density / np.where(seen, matter, 1.0), 0.0)

    def columns(self, directions: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Mean of W / f over lines, per row of `LENGTHS`, volume and material at unit density.

        Parameters
        ----------
        directions
            Directions of the lines, (lines, 3).
        rng
            Source of the points that fix the lines.

        Returns
        -------
        ndarray
            Shape (rows, volumes, materials) [cm3].
        """
        n = len(directions)
        row = np.zeros(n, dtype=np.int64)
        origins = self.source.sample(row, rng)
        density = self.source.density(row, origins, directions)
        weights = np.where(density > 0.0, 1.0 / np.maximum(density, 1e-300), 0.0) / n
        n_materials = len(self._matter.materials)
        columns = np.zeros((LENGTHS.size, len(self._detector.volume_names), n_materials))
        done = rate_columns(
            *self._tracing(origins, directions),
            np.ones(n_materials),
            origins,
            directions,
            LENGTHS,
            weights,
            columns,
        )
        check_complete(done, n)
        return columns


class ForwardPlacement:
    """Lines of sight first; see `siren_py.injection.forward`.

    Parameters
    ----------
    detector, region, matter
        As for `AimedPlacement`.
    beam
        Unit direction of the beam, (3,).
    """

    def __init__(
        self, detector: DetectorModel, region: str, matter: Matter, beam: FloatArray
    ) -> None:
        self._detector = detector
        self._region = detector.region(region)
        self._arrays = detector.arrays()
        self._region_arrays = detector.region_arrays(region)
        self._matter = matter
        self._beam = beam
        across = np.eye(3)[np.argmin(np.abs(beam))]
        first = np.cross(beam, across)
        first /= np.linalg.norm(first)
        self._axes = np.stack([first, np.cross(beam, first)])
        self._windows = self._nested_windows()

    def _shadow(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Bounds across the beam of an axis-aligned box: lower and upper corner, (2,) each."""
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
        shadow = corners @ self._axes.T
        return shadow.min(axis=0), shadow.max(axis=0)

    def _nested_windows(self) -> list[tuple[FloatArray, FloatArray]]:
        """Windows across the beam, from the shadow of the region to that of the detector.

        Those between, each three times as wide as the one before, serve vertices at middle
        distances; the last one contains all matter, so that nothing is cut off.
        """
        low, high = self._shadow(*self._region.bounds())
        world_low, world_high = self._shadow(*self._detector.bounds())
        windows = []
        while (low > world_low).any() or (high < world_high).any():
            windows.append((np.maximum(low, world_low), np.minimum(high, world_high)))
            middle, half = 0.5 * (low + high), 0.5 * (high - low)
            low, high = middle - _WIDENING * half, middle + _WIDENING * half
        return [*windows, (world_low, world_high)]

    def _window_density(self, across: FloatArray) -> FloatArray:
        """Density of lines per area [1/cm2] at points across the beam, (n, 2)."""
        density = np.zeros(len(across))
        for low, high in self._windows:
            inside = ((across >= low) & (across <= high)).all(axis=1)
            density += inside / (len(self._windows) * np.prod(high - low))
        return density

    def place(
        self,
        directions: FloatArray,
        lengths: FloatArray,
        nuclide: IntArray,
        rng_line: np.random.Generator,
        rng_vertex: np.random.Generator,
    ) -> Placement:
        """Draw lines of sight, vertices and decay points; see `Placer.place`."""
        n = lengths.size
        window = (rng_line.random(n) * len(self._windows)).astype(np.int64)
        corners = np.array(self._windows)
        low, high = corners[window, 0], corners[window, 1]
        across = low + rng_line.random((n, 2)) * (high - low)
        origins = across @ self._axes
        uniform = rng_vertex.random((n, 4))
        beams = np.broadcast_to(self._beam, (n, 3)).copy()
        geometry, region = self._arrays, self._region_arrays
        external = self._detector.external_intervals(origins, beams)
        external_region = self._region.external_intervals(origins, beams)
        placed = empty_placed(n)
        done = place_vertices(
            *tracing_arguments(geometry, external, region, external_region),
            self._matter.density,
            self._matter.densest,
            origins,
            self._beam,
            lengths,
            nuclide,
            uniform[:, :3],
            placed,
        )
        check_complete(done, n)
        external_region = self._region.external_intervals(placed.vertex, directions)
        done = place_decays(
            region,
            external_region,
            make_scratch(region, external_region),
            directions,
            lengths,
            np.ascontiguousarray(uniform[:, 3]),
            placed,
        )
        check_complete(done, n)
        hit = placed.matter > 0.0
        placed.decay_volume[hit] = self._detector.locate_index(placed.decay[hit])[0]
        return Placement(placed, 1.0 / self._window_density(across), placed.matter)
