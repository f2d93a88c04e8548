"""The detector: volumes of matter, regions where events count, and the beam."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray, IntArray
from siren_py.audit.findings import Declaration
from siren_py.audit.model import AuditModel
from siren_py.depths import DepthModel, unit_lines
from siren_py.errors import GeometryError, unknown_name
from siren_py.estimate import Estimate
from siren_py.geometry import tracing
from siren_py.geometry.arrays import (
    External,
    GeometryArrays,
    PlacedSolid,
    RegionArrays,
    external_inside,
    external_intervals,
    external_solids,
)
from siren_py.geometry.batches import trace_batch
from siren_py.geometry.layers import LayerStack
from siren_py.geometry.placement import Placement, RotationLike
from siren_py.geometry.profiles import RadialDensity
from siren_py.geometry.solids import Solid, lines, points3
from siren_py.geometry.visible import VisibleVolumes
from siren_py.io.exports import ExportModel
from siren_py.masses import MassModel, PublishedMass
from siren_py.regions import Region
from siren_py.volumes import Beam, Segments, Volume, point_tuple, unit_tuple

if TYPE_CHECKING:
    from siren_py.materials import Material

_SOLID_METHODS = ("intervals", "contains", "volume", "bounds", "sample")


class DetectorModel(MassModel, DepthModel, AuditModel, ExportModel):
    """A detector: volumes, regions, beam and the masses it must meet.

    Volumes are added in order; where they overlap, the one added last counts. Outside all of
    them is vacuum. Lengths in cm, in one right-handed frame whose origin the author chooses.

    Parameters
    ----------
    name
        Name of the detector.

    Examples
    --------
    >>> import siren_py as sp
    >>> detector = sp.load_detector("nd280")
    >>> "tpc" in detector.regions, len(detector.volume_names)
    (True, 97)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.beam = Beam()
        self._volumes: dict[str, Volume] = {}
        self._profiled: list[Volume] = []
        self._regions: dict[str, Region] = {}
        self._materials: dict[str, Material] = {}
        self._published: list[PublishedMass] = []
        self._declarations: list[Declaration] = []
        self._arrays: GeometryArrays | None = None
        self._placed: list[PlacedSolid] | None = None
        self._external: list[PlacedSolid] = []
        self._visible: VisibleVolumes | None = None

    # ------------------------------------------------------------------ building

    def add(
        self,
        name: str,
        solid: Solid,
        material: Material,
        at: ArrayLike = (0.0, 0.0, 0.0),
        rotation: RotationLike = None,
        profile: RadialDensity | None = None,
    ) -> Volume:
        """Add a volume; where it overlaps earlier ones it displaces them.

        Parameters
        ----------
        name
            A name of its own.
        solid
            `Box`, `Sphere`, ... or any object with the methods of `Solid`.
        material
            What it is filled with.
        at
            Where the origin of the solid goes [cm].
        rotation
            `scipy.spatial.transform.Rotation`, a (3, 3) matrix, or None; applied before `at`.
        profile
            A density that changes with the radius, in place of that of the material. Depths and
            densities follow it exactly; events cannot be injected in it (see `add_shells`).

        Returns
        -------
        Volume

        Raises
        ------
        GeometryError
            If the name is taken, or the solid, the position or the rotation cannot be used.
        """
        if isinstance(solid, LayerStack):
            raise GeometryError(f"{name!r} is a stack: add it with add_stack(name, stack, at=...).")
        if not hasattr(material, "density") or not hasattr(material, "name"):
            raise GeometryError(f"{name!r}: the material must be a Material; it is {material!r}.")
        if profile is not None and not isinstance(profile, RadialDensity):
            raise GeometryError(f"{name!r}: profile must be a RadialDensity; it is {profile!r}.")
        return self._add(name, solid, material, Placement.of(at, rotation), None, profile)

    def add_stack(
        self,
        name: str,
        stack: LayerStack,
        at: ArrayLike = (0.0, 0.0, 0.0),
        rotation: RotationLike = None,
    ) -> Volume:
        """Add a stack of layers as one volume; `name`, `at`, `rotation` and errors as in `add`.

        Raises
        ------
        GeometryError
            If `stack` is no `LayerStack`, or as `add`.
        """
        if not isinstance(stack, LayerStack):
            raise GeometryError(f"{name!r}: add_stack needs a LayerStack; it got {stack!r}.")
        return self._add(name, stack.solid, None, Placement.of(at, rotation), stack)

    def _add(
        self,
        name: str,
        solid: Solid,
        material: Material | None,
        placement: Placement,
        stack: LayerStack | None,
        profile: RadialDensity | None = None,
    ) -> Volume:
        _check_name(name, self._volumes, "volume")
        _check_solid(name, solid)
        volume = Volume(name, solid, material, placement, len(self._volumes), stack, profile)
        for one in volume.materials:
            known = self._materials.setdefault(one.name, one)
            if known is not one and known != one:
                raise GeometryError(
                    f"{name!r}: there are two different materials called {one.name!r} (densities "
                    f"{known.density!r} and {one.density!r} g/cm3). Give one of them another name."
                )
        self._volumes[name] = volume
        self._arrays = None
        self._placed = None
        self._visible = None
        if profile is not None:
            self._profiled.append(volume)
        return volume

    def add_region(
        self,
        name: str,
        solid: Solid | str | Sequence[str],
        at: ArrayLike = (0.0, 0.0, 0.0),
        rotation: RotationLike = None,
    ) -> Region:
        """Add a region: a solid with its place, or the union of regions given by name.

        Parameters
        ----------
        name
            A name of its own among the regions.
        solid
            A solid, or a list of names of regions that exist.
        at, rotation
            Place of a solid, as in `add`.

        Raises
        ------
        GeometryError
            If the name is taken, or the solid or its place cannot be used.
        UnknownNameError
            If a named region does not exist.
        """
        _check_name(name, self._regions, "region")
        if isinstance(solid, str) or (isinstance(solid, Sequence) and len(solid) > 0):
            names = [solid] if isinstance(solid, str) else list(solid)
            leaves = {leaf.name: leaf for part in names for leaf in self.region(part).solids}
            region = Region(name, list(leaves.values()))
        else:
            _check_solid(name, solid)
            region = Region(name, [PlacedSolid(name, solid, Placement.of(at, rotation), (0,))])  # type: ignore[arg-type]
        self._regions[name] = region
        return region

    def set_beam(
        self,
        direction: ArrayLike = (0.0, 0.0, 1.0),
        distance: float | None = None,
        description: str = "",
        source_length: float = 0.0,
        source_axis: ArrayLike | None = None,
        source_start: ArrayLike | None = None,
    ) -> Beam:
        """Say where the beam comes from.

        Parameters
        ----------
        direction
            Along the flight of the neutrinos, in the detector frame; is normalised.
        distance
            From the source to the origin of the frame [cm]; None for a parallel beam.
        description
            Where the numbers come from.
        source_length
            Length of the straight source (decay pipe) [cm].
        source_axis
            Along the source, away from its beginning; is normalised. None: along `direction`.
        source_start
            Where the source begins [cm]. None: `distance` before the origin.

        Raises
        ------
        GeometryError
            If a direction is zero or a number is not finite or out of range.
        """
        way = unit_tuple(direction, "The direction of the beam")
        axis = None if source_axis is None else unit_tuple(source_axis, "The axis of the source")
        if not (math.isfinite(source_length) and source_length >= 0.0):
            raise GeometryError(
                f"The length of the source must be finite and not negative [cm]; it is "
                f"{source_length!r}."
            )
        if distance is not None and not (math.isfinite(distance) and distance > 0.0):
            raise GeometryError(
                f"The distance to the source must be positive [cm] or None; it is {distance!r}."
            )
        self.beam = Beam(
            way,
            None if distance is None else float(distance),
            description,
            float(source_length),
            axis,
            None if source_start is None else point_tuple(source_start),
        )
        return self.beam

    # ------------------------------------------------------------------ parts

    @property
    def volumes(self) -> dict[str, Volume]:
        """Volumes by name, in the order of addition."""
        return dict(self._volumes)

    @property
    def volume_names(self) -> tuple[str, ...]:
        """Names of the volumes; the volume indices of traces count in this order."""
        return tuple(self._volumes)

    @property
    def regions(self) -> dict[str, Region]:
        """Regions by name."""
        return dict(self._regions)

    @property
    def materials(self) -> tuple[Material, ...]:
        """Materials in the order of first use; material indices count in this order."""
        return tuple(self._materials.values())

    @property
    def material_names(self) -> tuple[str, ...]:
        """Names of `materials`."""
        return tuple(self._materials)

    @property
    def nuclides(self) -> tuple[str, ...]:
        """Names of all nuclides in the materials, sorted."""
        return tuple(sorted({n for one in self.materials for n in one.mass_fractions}))

    def volume(self, name: str) -> Volume:
        """Return the volume `name`.

        Raises
        ------
        UnknownNameError
            If there is none; the text gives the nearest names.
        """
        if name not in self._volumes:
            raise unknown_name("volume", name, self._volumes, f"Detector {self.name!r}.")
        return self._volumes[name]

    def region(self, name: str) -> Region:
        """Return the region `name`.

        Raises
        ------
        UnknownNameError
            If there is none; the text gives the nearest names.
        """
        if name not in self._regions:
            hint = "" if self._regions else f"Detector {self.name!r} has no regions: add_region."
            raise unknown_name("region", name, self._regions, hint)
        return self._regions[name]

    def region_arrays(self, name: str) -> RegionArrays:
        """Return the solids of the region `name` as arrays for `region_intervals`."""
        return self.region(name).arrays()

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm] of the axis-aligned box around all volumes."""
        boxes = [placed.box() for placed in self.placed()]
        return np.min([lo for lo, _ in boxes], axis=0), np.max([hi for _, hi in boxes], axis=0)

    def placed(self) -> list[PlacedSolid]:
        """Return the placed solids of all volumes in order, with their material indices.

        Raises
        ------
        GeometryError
            If the detector has no volumes.
        """
        if not self._volumes:
            raise GeometryError(
                f"Detector {self.name!r} is empty: add volumes with add(name, solid, material)."
            )
        if self._placed is None:
            number = {name: index for index, name in enumerate(self._materials)}
            self._placed = [
                PlacedSolid(
                    volume.name,
                    volume.solid,
                    volume.placement,
                    tuple(number[one.name] for one in volume.materials),
                    volume.stack,
                )
                for volume in self._volumes.values()
            ]
            self._external = external_solids(self._placed)
        return list(self._placed)

    def _external_solids(self) -> list[PlacedSolid]:
        if self._placed is None:
            self.placed()
        return self._external

    def arrays(self) -> GeometryArrays:
        """Return the detector as arrays for the injection engine; kept until something is added.

        Raises
        ------
        GeometryError
            If a volume has a radial profile: the engine knows constant densities only.
        """
        if self.has_profiles:
            names = [volume.name for volume in self if volume.profile is not None]
            raise GeometryError(
                f"Detector {self.name!r}: the density of {names} changes with the radius; events "
                "are injected in constant densities. Build it with add_shells(name, profile, "
                "material, n) in place of add(..., profile=profile)."
            )
        return self.kernel_arrays()

    def kernel_arrays(self) -> GeometryArrays:
        """Return the detector as arrays, whatever its densities are; see `arrays`."""
        if self._arrays is None:
            density = np.array([one.density for one in self.materials], dtype=np.float64)
            self._arrays = tracing.geometry_arrays(self.placed(), density)
        return self._arrays

    @property
    def has_external(self) -> bool:
        """Whether a solid has no kernel, so that its intervals are asked for line by line."""
        return bool(self._external_solids())

    def external_intervals(self, origins: ArrayLike, directions: ArrayLike) -> External:
        """Return where lines (`origins`, `directions` as in `trace`) are in solids of a user."""
        return external_intervals(self._external_solids(), *lines(origins, directions))

    # ------------------------------------------------------------------ asking

    def trace(
        self,
        origins: ArrayLike,
        directions: ArrayLike,
        t_min: ArrayLike = -math.inf,
        t_max: ArrayLike = math.inf,
        workers: int | None = None,
    ) -> Segments:
        """Trace lines: which volume and material, from where to where.

        Parameters
        ----------
        origins
            (n, 3) [cm].
        directions
            (n, 3), unit vectors within 1e-9.
        t_min, t_max
            Piece of each line that is wanted [cm]; scalars or (n,).
        workers
            Threads for large batches; None for one, because memory limits long lists more than
            cores do. The result does not depend on it.

        Returns
        -------
        Segments

        Raises
        ------
        GeometryError
            If shapes differ, numbers are not finite, or directions are not unit vectors.
        ConfigError
            If `workers` is not a positive integer.
        """
        starts, ways = unit_lines(origins, directions)
        n = len(starts)
        lower = np.ascontiguousarray(np.broadcast_to(np.asarray(t_min, np.float64), (n,)))
        upper = np.ascontiguousarray(np.broadcast_to(np.asarray(t_max, np.float64), (n,)))
        if np.any(np.isnan(lower)) or np.any(np.isnan(upper)):
            raise GeometryError("t_min and t_max must be numbers; some are NaN.")
        geometry = self.kernel_arrays()
        external = self.external_intervals(starts, ways)
        lists = trace_batch(geometry, external, starts, ways, lower, upper, workers)
        if self.has_profiles:
            line = np.repeat(np.arange(n), np.diff(lists.offsets))
            self.mean_densities(
                lists.density, starts, ways, line, lists.volume, lists.t_in, lists.t_out
            )
        return Segments(*lists, self.volume_names, self.material_names)

    def locate_index(self, points: ArrayLike) -> tuple[IntArray, IntArray]:
        """Return volume and material indices at points (n, 3) [cm]; -1 outside everything."""
        places = points3(points)
        volume = np.empty(len(places), np.int64)
        material = np.empty(len(places), np.int64)
        tracing.locate_points(
            self.kernel_arrays(),
            external_inside(self._external_solids(), places),
            places,
            volume,
            material,
        )
        return volume, material

    def locate(self, points: ArrayLike) -> np.ndarray[Any, np.dtype[np.str_]]:
        """Return the names of the volumes at points (n, 3) [cm]; "" outside everything."""
        names = np.array([*self.volume_names, ""])
        located: np.ndarray[Any, np.dtype[np.str_]] = names[self.locate_index(points)[0]]
        return located

    def __iter__(self) -> Iterator[Volume]:
        return iter(self._volumes.values())

    def __len__(self) -> int:
        return len(self._volumes)

    def __repr__(self) -> str:
        return (
            f"DetectorModel({self.name!r}: {len(self._volumes)} volumes, "
            f"{len(self._materials)} materials, regions {list(self._regions)})"
        )


def _check_name(name: object, taken: dict[str, Any], kind: str) -> None:
    if not isinstance(name, str) or not name:
        raise GeometryError(f"The name of a {kind} must be a text; it is {name!r}.")
    if name in taken:
        raise GeometryError(f"There is already a {kind} called {name!r}; choose another name.")


def _check_solid(name: str, solid: Any) -> None:
    missing = [method for method in _SOLID_METHODS if not callable(getattr(solid, method, None))]
    if missing:
        raise GeometryError(
            f"{name!r}: {type(solid).__name__} is no solid; it lacks {', '.join(missing)}()."
        )
    lo, hi = (np.asarray(corner, dtype=np.float64) for corner in solid.bounds())
    if lo.shape != (3,) or hi.shape != (3,) or not np.all(np.isfinite(hi - lo) & (lo < hi)):
        raise GeometryError(
            f"{name!r}: bounds() must return two corners lo < hi of a finite box [cm]; it returned "
            f"{lo} and {hi}. A world without end is not possible: nothing stands for vacuum."
        )
    if hasattr(solid, "volume_estimate"):
        return  # that of a boolean may have to be measured, which is left until it is needed
    volume = float(solid.volume())
    if not (math.isfinite(volume) and volume > 0.0):
        raise GeometryError(
            f"{name!r}: volume() must be positive and finite [cm3]; it is {volume!r}."
        )


__all__ = ["Beam", "DetectorModel", "Estimate", "Region", "Segments", "Volume"]
