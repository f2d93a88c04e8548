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
    NO_EXTERNAL,
    External,
    GeometryArrays,
    PlacedSolid,
    RegionArrays,
    make_scratch,
)
from siren_py.geometry.kernels import MATERIAL, STACK
from siren_py.geometry.placement import Placement as Placement3D
from siren_py.geometry.solids import Box
from siren_py.injection.aimed import (
    Placed,
    Tracing,
    line_sums,
    make_buffers,
    place,
    rate_columns,
)
from siren_py.injection.attenuation import REACH
from siren_py.injection.forward import place_decays, place_vertices
from siren_py.injection.line_source import LENGTHS, LineSource, nearest_length
from siren_py.injection.matter import Matter
from siren_py.injection.rays import LineOfEmission, ParallelRays, SourceRays, rotations_to
from siren_py.injection.source import close_triangles, draw_flights, frames, perpendicular
from siren_py.injection.surroundings import BEFORE, Surroundings, every_line
from siren_py.regions import Region

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel


class Placement(NamedTuple):
    """Points of n events and the factors that belong to them."""

    placed: Placed
    """Vertices, decay points and where they are."""
    neutrino: FloatArray
    """Unit directions of the neutrinos, (n, 3)."""
    rotation: FloatArray
    """From the frame in which the neutrino flies along +z: (3, 3), or one per event (n, 3, 3)."""
    factor_line: FloatArray
    """1 / density of lines [cm2], (n,)."""
    factor_matter: FloatArray
    """Weighted targets per area [1/cm2], (n,); 0 where the event is impossible."""


class Placer(Protocol):
    """What the injector needs of a way to place events."""

    def place(
        self,
        local: FloatArray,
        lengths: FloatArray,
        nuclide: IntArray,
        rng_line: np.random.Generator,
        rng_vertex: np.random.Generator,
    ) -> Placement:
        """Place n events.

        `local` (n, 3) are the particles' unit directions in the frame in which the neutrino flies
        along +z, `lengths` (n,) their decay lengths [cm], `nuclide` (n,) the targets.
        """
        ...


def empty_placed(n: int) -> Placed:
    """Return room for n events, all impossible so far."""
    return Placed(
        np.zeros((n, 3)),
        np.zeros((n, 3)),
        np.zeros(n),
        *(np.full(n, -1, dtype=np.int64) for _ in range(4)),
    )


def tracing_of(
    geometry: GeometryArrays,
    external: External,
    region: RegionArrays,
    external_region: External,
) -> Tracing:
    """Return geometry and region with fresh buffers."""
    return Tracing(
        geometry,
        external,
        make_scratch(geometry, external),
        region,
        external_region,
        make_scratch(region, external_region),
        *make_buffers(geometry, region, external, external_region),
    )


def densest_in_volumes(geometry: GeometryArrays, volumes: int, density: FloatArray) -> FloatArray:
    """Return the largest number density of each nuclide in each volume [1/cm3], (T, V).

    `density` has them by nuclide and material, (T, M).
    """
    result = np.zeros((len(density), volumes))
    for row in range(volumes):
        material, stack = geometry.integer[row, MATERIAL], geometry.integer[row, STACK]
        if stack >= 0:
            _, first, layers = geometry.stack[stack, :3]
            kinds = np.unique(geometry.layer_material[first : first + layers])
            result[:, row] = density[:, kinds].max(axis=1)
        else:
            result[:, row] = density[:, material]
    return result


def check_complete(done: int, n: int) -> None:
    """Raise if a kernel stopped early: its buffers did not belong to the geometry."""
    if done != n:
        raise GeometryError(
            f"Tracing stopped at line {done} of {n}: the line has more segments than the detector "
            "allows. A solid returned overlapping intervals; check it with DetectorModel.trace."
        )


class LineMeans(NamedTuple):
    """Means over lines; rows are those of `LENGTHS`."""

    columns: FloatArray
    """W / f at unit density, by volume and material, (rows, volumes, materials) [cm3]."""
    before: FloatArray
    """What of it lies before the core of the detector, (rows, materials) [cm3]; 0 if lines stay
    whole."""


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
    beam
        Unit direction of the beam, (3,).
    """

    def __init__(
        self, detector: DetectorModel, region: str, matter: Matter, beam: FloatArray
    ) -> None:
        self._detector = detector
        self.region_name = region
        self._beam = beam
        self._rotation = rotations_to(beam[None, :])[0]
        self._region = detector.region(region)
        self._arrays = detector.arrays()
        self._region_arrays = detector.region_arrays(region)
        self._matter = matter
        self._in_volume = densest_in_volumes(self._arrays, len(detector.placed()), matter.density)
        self.source, self.source_volumes = LineSource.of(detector, self._region)
        self.surroundings = Surroundings.of(detector, self._region, matter.density, self._in_volume)
        """What lies around the detector proper; None where all lines stay whole."""

    @property
    def detector(self) -> DetectorModel:
        """The detector whose geometry is used."""
        return self._detector

    def towards(self, local: FloatArray) -> FloatArray:
        """Return directions (n, 3) of flight, given in the frame with the neutrino along +z."""
        return np.asarray(local @ self._rotation.T)

    def _tracing(self, origins: FloatArray, directions: FloatArray) -> Tracing:
        """Return the geometry with buffers of this call, as the kernels take it."""
        external = self._detector.external_intervals(origins, directions)
        external_region = self._region.external_intervals(origins, directions)
        return tracing_of(self._arrays, external, self._region_arrays, external_region)

    def place(
        self,
        local: FloatArray,
        lengths: FloatArray,
        nuclide: IntArray,
        rng_line: np.random.Generator,
        rng_vertex: np.random.Generator,
    ) -> Placement:
        """Draw lines, vertices and decay points; see `Placer.place`."""
        n = lengths.size
        directions = self.towards(local)
        row = nearest_length(lengths)
        origins = self.source.sample(row, rng_line)
        placed, chords = empty_placed(n), np.empty(n)
        uniform = rng_vertex.random((n, 3))
        choice = every_line(n, self._in_volume.shape[1])
        chance, around = np.ones(n), self.surroundings
        lines = (origins, directions, lengths, nuclide)
        tracing = self._tracing(origins, directions)
        if around is not None:
            part, chance = around.choose(local[:, 2], row, nuclide, uniform)
            before, rest = np.flatnonzero(part == BEFORE), np.flatnonzero(part != BEFORE)
            choice = choice._replace(line=rest, part=part, core=around.core)
            done = place(
                tracing_of(
                    around.arrays, NO_EXTERNAL, self._region_arrays, tracing.external_region
                ),
                self._matter.density,
                around.in_volume,
                *lines,
                choice._replace(line=before, volume=around.volumes),
                uniform,
                placed,
                chords,
            )
            check_complete(done, before.size)
            around.locate(self._arrays, placed.decay, placed.leaf, before, placed.decay_volume)
        done = place(
            tracing,
            self._matter.density,
            self._in_volume,
            *lines,
            choice,
            uniform,
            placed,
            chords,
        )
        check_complete(done, choice.line.size)
        density = self.source.density(row, origins, directions, chords)
        # A point on the very face of a solid may have no chord: measure zero.
        seen = density > 0.0
        factor_line = np.where(seen, 1.0 / np.where(seen, density, 1.0), 0.0)
        beams = np.broadcast_to(self._beam, (n, 3))
        return Placement(placed, beams, self._rotation, factor_line, placed.matter / chance)

    def line_density(
        self, vertex: FloatArray, directions: FloatArray, lengths: FloatArray, nuclide: IntArray
    ) -> FloatArray:
        """Density f of the lines through given vertices, over their W, shape (n,).

        Of lines of which a part is drawn, times the chance of that part and over its W.
        """
        n = lengths.size
        matter, row = np.zeros(n), nearest_length(lengths)
        choice = every_line(n, self._in_volume.shape[1])
        chance, around = np.ones(n), self.surroundings
        if around is not None:
            cosine = directions @ self._beam
            choice = choice._replace(part=around.are_split(cosine, row, nuclide), core=around.core)
        done = line_sums(
            self._tracing(vertex, directions),
            self._matter.density,
            self._in_volume,
            vertex,
            directions,
            lengths,
            nuclide,
            choice,
            matter,
        )
        check_complete(done, n)
        if around is not None:
            chance = around.probabilities(cosine, row, nuclide, choice.part)
        seen = matter > 0.0
        density = chance * self.source.density(row, vertex, directions)
        return np.where(seen, density / np.where(seen, matter, 1.0), 0.0)

    def line_means(self, directions: FloatArray, rng: np.random.Generator) -> LineMeans:
        """Average what lines contribute.

        Parameters
        ----------
        directions
            Directions of the lines, (lines, 3).
        rng
            Source of the points that fix the lines.
        """
        n = len(directions)
        row = np.zeros(n, dtype=np.int64)
        origins = self.source.sample(row, rng)
        density = self.source.density(row, origins, directions)
        weights = np.where(density > 0.0, 1.0 / np.maximum(density, 1e-300), 0.0) / n
        n_materials = len(self._matter.materials)
        columns = np.zeros((LENGTHS.size, len(self._detector.volume_names), n_materials))
        before = np.zeros((LENGTHS.size, n_materials))
        around = self.surroundings
        done = rate_columns(
            self._tracing(origins, directions),
            np.ones(n_materials),
            origins,
            directions,
            LENGTHS,
            weights,
            np.zeros(6) if around is None else around.core,
            columns,
            before,
        )
        check_complete(done, n)
        if around is None:
            before[:] = 0.0
        return LineMeans(columns, before)


def _nowhere(detector: DetectorModel) -> Region:
    """Return a region that no line through matter comes near."""
    low, high = detector.bounds()
    away = 1e3 * float(np.linalg.norm(high - low)) + high
    place = Placement3D.of(away, None)
    return Region("nowhere", [PlacedSolid("nowhere", Box(1.0, 1.0, 1.0), place, (0,))])


class ForwardPlacement:
    """Lines of sight first; see `siren_py.injection.forward`.

    Parameters
    ----------
    detector, region, matter
        As for `AimedPlacement`.
    rays
        Draws the lines of sight.
    importance
        Whether half of the vertices follow the chance to be seen; False: all follow the density
        of targets alone, which shows what importance is worth.
    """

    def __init__(
        self,
        detector: DetectorModel,
        region: str,
        matter: Matter,
        rays: ParallelRays | SourceRays,
        *,
        importance: bool = True,
    ) -> None:
        self._detector = detector
        self._region = detector.region(region)
        self._arrays = detector.arrays()
        self._region_arrays = detector.region_arrays(region)
        self._matter = matter
        self._rays = rays
        # Without a region ahead no vertex is better than another.
        self._aim = self._region if importance else _nowhere(detector)

    def place(
        self,
        local: FloatArray,
        lengths: FloatArray,
        nuclide: IntArray,
        rng_line: np.random.Generator,
        rng_vertex: np.random.Generator,
    ) -> Placement:
        """Draw lines of sight, vertices and decay points; see `Placer.place`."""
        n = lengths.size
        ray = self._rays.draw(n, rng_line)
        rotation = rotations_to(ray.directions)
        directions = np.einsum("nij,nj->ni", rotation, local)
        uniform = rng_vertex.random((n, 4))
        external = self._detector.external_intervals(ray.origins, ray.directions)
        external_aim = self._aim.external_intervals(ray.origins, ray.directions)
        placed = empty_placed(n)
        done = place_vertices(
            tracing_of(self._arrays, external, self._aim.arrays(), external_aim),
            self._matter.density,
            self._matter.densest,
            ray.origins,
            ray.directions,
            ray.start,
            lengths,
            nuclide,
            uniform[:, :3],
            placed,
        )
        check_complete(done, n)
        external_region = self._region.external_intervals(placed.vertex, directions)
        done = place_decays(
            tracing_of(self._arrays, NO_EXTERNAL, self._region_arrays, external_region),
            directions,
            lengths,
            np.ascontiguousarray(uniform[:, 3]),
            placed,
        )
        check_complete(done, n)
        hit = placed.matter > 0.0
        placed.decay_volume[hit] = self._detector.locate_index(placed.decay[hit])[0]
        return Placement(placed, ray.directions, rotation, ray.factor, placed.matter)


class SourcePlacement:
    """Decay points first, for a beam with a source; see `siren_py.injection.source`.

    Parameters
    ----------
    detector, region, matter
        As for `AimedPlacement`.

    Raises
    ------
    GeometryError
        If the detector's beam has no source.
    """

    def __init__(self, detector: DetectorModel, region: str, matter: Matter) -> None:
        self._detector = detector
        self._region = detector.region(region)
        self._arrays = detector.arrays()
        self._matter = matter
        self._source = LineOfEmission.of(detector)

    def place(
        self,
        local: FloatArray,
        lengths: FloatArray,
        nuclide: IntArray,
        rng_line: np.random.Generator,
        rng_vertex: np.random.Generator,
    ) -> Placement:
        """Draw decay points, flights and vertices; see `Placer.place`."""
        n = lengths.size
        source = self._source.draw(n, rng_line)
        points, _ = self._region.sample_solids(n, rng_line)
        inside = self._region.inside(points).sum(axis=1)
        factor_line = self._region.solid_volume_sum / np.maximum(inside, 1)
        factor_line *= np.einsum("ij,ij->i", source, source)
        way = points - source
        rho = np.linalg.norm(way, axis=1)
        axis = way / rho[:, None]
        cosine = local[:, 2]
        sine = np.hypot(local[:, 0], local[:, 1])
        across = perpendicular(axis, 2.0 * np.pi * rng_line.random(n))
        uniform = rng_vertex.random((n, 3))
        flight, ratio = np.zeros(n), np.ones(n)
        moving = lengths > 0.0
        if moving.all():
            backwards = -(cosine[:, None] * axis - sine[:, None] * across)
            external = self._detector.external_intervals(points, backwards)
            done = draw_flights(
                self._arrays,
                external,
                make_scratch(self._arrays, external),
                self._matter.density,
                points,
                backwards,
                lengths,
                np.minimum(rho / np.maximum(sine, 1e-300), REACH * lengths),
                nuclide,
                uniform[:, :2],
                flight,
                ratio,
            )
            check_complete(done, n)
            ratio /= lengths
        vertex, stretch = np.zeros((n, 3)), np.zeros(n)
        close_triangles(
            source, points, across, cosine, sine, flight, uniform[:, 2], vertex, stretch
        )
        volume, material = self._detector.locate_index(vertex)
        density = self._matter.density[nuclide, material]
        matter = np.where((material >= 0) & (stretch > 0.0) & (inside > 0), density * ratio, 0.0)
        neutrino = vertex - source
        neutrino /= np.maximum(np.linalg.norm(neutrino, axis=1, keepdims=True), 1e-300)
        # The frame that has the neutrino along +z and the particle where it was drawn.
        particle = np.where((flight > 0.0)[:, None], points - vertex, neutrino)
        here = frames(neutrino, particle)
        there = frames(np.broadcast_to([0.0, 0.0, 1.0], (n, 3)), local)
        placed = Placed(
            vertex,
            points,
            matter,
            volume,
            material,
            self._detector.locate_index(points)[0],
            self._region.leaf_of(points),
        )
        rotation = here @ np.swapaxes(there, -1, -2)
        return Placement(placed, neutrino, rotation, factor_line * stretch, matter)
