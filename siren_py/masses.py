"""Visible masses of a detector, and the published masses that it must meet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import GeometryError, unknown_name
from siren_py.estimate import Estimate
from siren_py.geometry.arrays import GeometryArrays, PlacedSolid
from siren_py.geometry.visible import VisibleVolume, VisibleVolumes

if TYPE_CHECKING:
    from siren_py.materials import Material


class PublishedMass(NamedTuple):
    """A published mass: `volumes` are names or globs; `mass` in g; `tolerance` is relative."""

    part: str
    volumes: tuple[str, ...]
    mass: float
    tolerance: float
    source: str
    materials: tuple[str, ...] = ()


class MassComparison(NamedTuple):
    """A published mass next to the mass of the model.

    Attributes
    ----------
    part, published, tolerance, source
        As given to `publish_mass`; masses in g.
    model
        Visible mass of the model [g].
    difference
        Model over published, minus 1.
    ok
        Whether the difference is within the tolerance.
    """

    part: str
    model: Estimate
    published: float
    difference: float
    tolerance: float
    ok: bool
    source: str


class MassModel:
    """What a detector knows about its masses; `DetectorModel` is one.

    All masses are visible masses [g]: what later volumes displace does not count. They are
    exact (error 0) for axis-aligned boxes and stacks that lose axis-aligned boxes, and for any
    solid that loses whole, separate solids; otherwise they come from line integrals with their
    own error, about 5e-4.
    """

    name: str
    _published: list[PublishedMass]
    _visible: VisibleVolumes | None

    if TYPE_CHECKING:

        @property
        def volume_names(self) -> tuple[str, ...]:
            """Names of the volumes."""

        @property
        def material_names(self) -> tuple[str, ...]:
            """Names of the materials."""

        def placed(self) -> list[PlacedSolid]:
            """Return the placed solids."""

        def kernel_arrays(self) -> GeometryArrays:
            """Return the arrays for the kernels."""

        def has_profile(self, index: int) -> bool:
            """Whether the density of a volume changes within it."""

        def profile_mass(self, index: int) -> Estimate:
            """Return the visible mass of a volume with a radial density."""

    def visible(self, index: int) -> VisibleVolume:
        """Return the visible volume [cm3] of a volume, by material; kept until `add`.

        Parameters
        ----------
        index
            Position of the volume in the detector.
        """
        if self._visible is None:
            self._visible = VisibleVolumes(self.placed())
        return self._visible.of(index)

    def _density(self, index: int) -> FloatArray:
        density: FloatArray = self.kernel_arrays().density[self.visible(index).materials]
        return density

    def masses(self) -> dict[str, Estimate]:
        """Return the visible mass of each volume [g]; a stack counts with all its layers."""
        return {name: self._mass(name) for name in self.volume_names}

    def _mass(self, name: str) -> Estimate:
        index = self.volume_names.index(name)
        if self.has_profile(index):
            return self.profile_mass(index)
        return self.visible(index).weighted(self._density(index))

    def stack_masses(self, name: str) -> dict[str, Estimate]:
        """Return the visible mass [g] of each material in one volume, e.g. a stack.

        Parameters
        ----------
        name
            Name of a stack.
        """
        return self.mass_by_material([name])

    def mass_by_material(self, volumes: str | Sequence[str] | None = None) -> dict[str, Estimate]:
        """Return the visible mass [g] of each material in all or some volumes.

        Parameters
        ----------
        volumes
            Names or globs (``"ecal-*"``); all volumes if None.

        Raises
        ------
        UnknownNameError
            If a name or glob matches no volume.
        """
        names = self.volume_names if volumes is None else self.matching_volumes(volumes)
        number = {name: index for index, name in enumerate(self.volume_names)}
        total: dict[str, tuple[float, float]] = {}
        for name in names:
            index = number[name]
            visible, density = self.visible(index), self._density(index)
            for k, material in enumerate(visible.materials):
                mass = visible.weighted(np.where(np.arange(len(density)) == k, density, 0.0))
                if self.has_profile(index):
                    mass = self.profile_mass(index)
                value, variance = total.get(self.material_names[material], (0.0, 0.0))
                total[self.material_names[material]] = (
                    value + mass.value,
                    variance + mass.error**2,
                )
        return {key: Estimate(value, math.sqrt(var)) for key, (value, var) in total.items()}

    def matching_volumes(self, volumes: str | Iterable[str]) -> list[str]:
        """Return the names of the volumes that match names or globs, each once, in order.

        Raises
        ------
        UnknownNameError
            If a name or glob matches no volume.
        """
        patterns = [volumes] if isinstance(volumes, str) else list(volumes)
        if not patterns:
            raise GeometryError("No volumes are named: give names or globs such as 'ecal-*'.")
        for pattern in patterns:
            if not any(_matches(name, pattern) for name in self.volume_names):
                hint = f"Detector {self.name!r}; globs such as 'ecal-*' are allowed."
                raise unknown_name("volume", pattern, self.volume_names, hint)
        return [n for n in self.volume_names if any(_matches(n, p) for p in patterns)]

    def publish_mass(
        self,
        part: str,
        volumes: str | Sequence[str],
        mass: float,
        tolerance: float,
        source: str,
        material: str | Material | Sequence[str | Material] | None = None,
    ) -> None:
        """Declare a published mass that the model must meet; volumes must already be added.

        Parameters
        ----------
        part
            What the mass belongs to, e.g. "FGD1".
        volumes
            Names or globs of the volumes that make it up; each counts once.
        mass
            Published mass [g].
        tolerance
            Allowed relative difference.
        source
            Citation.
        material
            Count only the mass of this material, or of these: e.g. the lead in a stack.

        Raises
        ------
        GeometryError
            If mass or tolerance is not positive, or the source is missing.
        UnknownNameError
            If a volume or the material does not exist.
        """
        if not (math.isfinite(mass) and mass > 0.0):
            raise GeometryError(f"{part!r}: the published mass must be positive [g], not {mass!r}.")
        if not (math.isfinite(tolerance) and tolerance > 0.0):
            raise GeometryError(f"{part!r}: the tolerance must be positive, not {tolerance!r}.")
        if not source:
            raise GeometryError(f"{part!r}: a published mass needs its source (a citation).")
        patterns = (volumes,) if isinstance(volumes, str) else tuple(volumes)
        self.matching_volumes(patterns)
        wanted = _names(material)
        for name in wanted:
            if name not in self.material_names:
                raise unknown_name("material", name, self.material_names, f"Part {part!r}.")
        self._published.append(
            PublishedMass(part, patterns, float(mass), float(tolerance), source, wanted)
        )

    def published_masses(self) -> list[MassComparison]:
        """Compare the model with every published mass, in the order of declaration."""
        rows = []
        for one in self._published:
            if not one.materials:
                parts = [self._mass(name) for name in self.matching_volumes(one.volumes)]
            else:
                by_material = self.mass_by_material(one.volumes)
                parts = [by_material.get(name, Estimate(0.0)) for name in one.materials]
            error = math.sqrt(sum(part.error**2 for part in parts))
            model = Estimate(sum(part.value for part in parts), error)
            difference = model.value / one.mass - 1.0
            ok = abs(difference) <= one.tolerance
            rows.append(
                MassComparison(one.part, model, one.mass, difference, one.tolerance, ok, one.source)
            )
        return rows


def _names(material: str | Material | Sequence[str | Material] | None) -> tuple[str, ...]:
    if material is None:
        return ()
    if isinstance(material, str):
        return (material,)
    if isinstance(material, Sequence):
        return tuple(one if isinstance(one, str) else one.name for one in material)
    return (material.name,)


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)
