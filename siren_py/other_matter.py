"""Reweighting to other matter: the same volumes, filled with other densities or materials.

The physical density of an event has the number density n_t(x) of its target at the vertex x as
a factor, and nothing else in it knows of matter: neutrinos and the particle that decays are not
attenuated. So, whatever the event was drawn from,

    weight' / weight = n'_t(x) / n_t(x).

The line sum W = int n_t(x) I(x) dx of the proposal (in `factor_matter`) belongs to the density that
the event was drawn from and cancels: after reweighting `factor_matter` is W n'_t(x)/n_t(x).
Where n_t is zero no event was drawn, so n'_t has to be zero as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import ConfigError, SirenError
from siren_py.injection.matter import Matter
from siren_py.tree import FINAL, EventTable, vertex_of

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.geometry.arrays import PlacedSolid
    from siren_py.injection.signal import ModelLike
    from siren_py.materials import Material
    from siren_py.sample import Sample
    from siren_py.volumes import Beam, Volume

_NUDGE = 1e-6
"""How far a vertex on the very face of a volume is moved to find its volume again [cm]."""

_POINTS = 512
_SAME = 1e-9


class OtherMatter:
    """Ratio of the densities of targets between two detectors with the same volumes.

    Parameters
    ----------
    sample
        The events.
    model
        The model that their weights are for.
    detector
        The other detector.

    Raises
    ------
    ConfigError
        If the sample's own detector is not known, if volumes, region or beam differ, or if the
        other detector has targets where the sample cannot have events.
    GeometryError
        If the other detector has densities that events cannot be injected in.
    """

    def __init__(self, sample: Sample, model: ModelLike, detector: DetectorModel) -> None:
        self.detector, self._own, self._model = detector, detector_of(sample), model
        names = sample.lookup
        self._target = {int(code): str(name) for code, name in names["targets"].items()}
        configuration = sample.provenance["configuration"]
        self._check_places(configuration)
        nuclides = _struck(sample, model, self._own, detector)
        self._check_coverage(nuclides)
        self._before, self._after = Matter.of(self._own), Matter.of(detector)
        # Particles that may interact on their way out.
        followed = {*model.particle_masses, *getattr(model, "followed", ())}
        self._followed = [pdg for pdg in followed if list(model.interactions(pdg))]

    # ------------------------------------------------------------ checks

    def _check_places(self, configuration: dict[str, Any]) -> None:
        own, other = self._own, self.detector
        other.arrays()
        if other.volume_names != own.volume_names:
            missing = sorted(set(own.volume_names) - set(other.volume_names))
            added = sorted(set(other.volume_names) - set(own.volume_names))
            what = ", ".join([*missing, *added][:5]) or "their order"
            raise ConfigError(
                f"{other.name!r} has other volumes than {own.name!r} (they differ in {what}); "
                "events can only be reweighted where vertices keep their volumes. Change the "
                "materials and keep the volumes, or run a simulation of the other detector."
            )
        for before, after in zip(own.placed(), other.placed(), strict=True):
            if not same_place(before, after):
                raise ConfigError(
                    f"The volume {before.name!r} of {other.name!r} has another shape or place than "
                    f"that of {own.name!r}. Events can only be reweighted where vertices keep "
                    "their volumes; run a simulation of the other detector."
                )
        if not np.allclose(own.beam.direction, other.beam.direction, rtol=0.0, atol=1e-12):
            raise ConfigError(
                f"The beam of {other.name!r} has another direction than that of {own.name!r}; run "
                "a simulation of the other detector."
            )
        first, second = _ends(own.beam), _ends(other.beam)
        if configuration["beam"]["kind"] == "source" and not np.allclose(first, second):
            raise ConfigError(
                f"The beams of {own.name!r} and {other.name!r} have other sources, and the sample "
                'is one of beam="source". Run a simulation of the other detector.'
            )
        region = str(configuration["region"])
        first_region, second_region = own.region(region), other.region(region)
        if first_region.leaves != second_region.leaves or not all(
            map(same_place, first_region.solids, second_region.solids)
        ):
            raise ConfigError(
                f"The region {region!r} is another one in {other.name!r} than in {own.name!r}: "
                "its events are not those of the sample. Run a simulation of the other detector."
            )

    def _check_coverage(self, nuclides: set[str]) -> None:
        """Raise if a target is where the sample cannot have it."""
        for name in self._own.volume_names:
            pairs = _pairs(self._own.volume(name), self.detector.volume(name))
            for before, after in pairs:
                old, new = before.number_densities, after.number_densities
                found = sorted(
                    n for n in nuclides if new.get(n, 0.0) > 0.0 and not old.get(n, 0.0) > 0.0
                )
                if found:
                    raise ConfigError(
                        f"In the volume {name!r} the other detector has {', '.join(found[:5])} (in "
                        f"{after.name!r}), where the sample's has none (in {before.name!r}): no "
                        "event of the sample was made there on such a target, so its share would "
                        "be missing. Simulate a detector whose materials hold all of these "
                        "nuclides, however little, and reweight to both; or the other one."
                    )

    # ------------------------------------------------------------ events

    def change(self, table: EventTable) -> tuple[FloatArray, IntArray]:
        """Return the ratio of densities and the material in the other detector, each (n,).

        Raises
        ------
        ConfigError
            If a vertex lies in another volume of the other detector, or a particle of the events
            may have interacted later.
        """
        self._check_followed(table)
        n = len(table)
        ratio = np.ones(n)
        events = table.events
        material = np.asarray(events["material"], np.int64).copy()
        struck = np.flatnonzero(np.asarray(events["target"]) > 0)
        if not struck.size:
            return ratio, material
        target = np.asarray(events["target"], np.int64)[struck]
        own = material[struck]
        other = self._locate(
            vertex_of(table, 0)[struck, :3], np.asarray(events["volume"], np.int64)[struck], own
        )
        for code in np.unique(target):
            mine = target == code
            name = self._target[int(code)]
            before, after = (_density(m, name) for m in (self._before, self._after))
            ratio[struck[mine]] = after[other[mine]] / before[own[mine]]
        material[struck] = other
        return ratio, material

    def _check_followed(self, table: EventTable) -> None:
        final = table.particles["pdg"][table.particles["status"] == FINAL]
        if (table.vertex_counts > 2).any() or np.isin(final, self._followed).any():
            raise ConfigError(
                "Particles of these events interact with matter after the first vertex; what "
                "happened to them would change, too. Run a simulation of the other detector."
            )

    def _locate(self, points: FloatArray, volume: IntArray, material: IntArray) -> IntArray:
        """Return the material of the other detector at vertices, (n,)."""
        found = np.full(volume.size, -1, dtype=np.int64)
        left = np.arange(volume.size)
        # A vertex on the face of a volume may be located beyond it: a step aside finds it.
        for step in (np.zeros(3), *_NUDGE * np.eye(3), *-_NUDGE * np.eye(3)):
            places = points[left] + step
            before, after = (d.locate_index(places) for d in (self._own, self.detector))
            good = (after[0] == volume[left]) & (before[0] == volume[left])
            good &= before[1] == material[left]
            found[left[good]] = after[1][good]
            left = left[~good]
            if not left.size:
                return found
        there = self.detector.locate(points[left[:1]])[0] or "vacuum"
        raise ConfigError(
            f"A vertex at {points[left[0]].tolist()} cm was made in the volume "
            f"{self._own.volume_names[volume[left[0]]]!r}, but in {self.detector.name!r} it lies "
            f"in {there!r}: the shapes differ. Events can only be reweighted where vertices keep "
            "their volumes; run a simulation of the other detector."
        )


def _ends(beam: Beam) -> FloatArray:
    """Ends of the source of a beam, (2, 3) [cm]; zeros if it has none."""
    ends = beam.source()
    return np.zeros((2, 3)) if ends is None else np.stack(ends)


def _density(matter: Matter, nuclide: str) -> FloatArray:
    """Number density of a nuclide in each material [1/cm3], (M,)."""
    if nuclide not in matter.nuclides:
        return np.zeros(len(matter.materials))
    return np.asarray(matter.density[matter.nuclides.index(nuclide)])


def detector_of(sample: Sample) -> DetectorModel:
    """Return the detector that the weights of a sample are for, also for one read from a file.

    Raises
    ------
    ConfigError
        If it is not known: it was built by hand, or its script has changed since.
    """
    if sample.detector is not None:
        return sample.detector
    from siren_py.resources import detector_provenance, load_detector

    known = dict(sample.provenance["configuration"]["detector"])
    found: DetectorModel | None = None
    if "script" in known and "combined" not in sample.provenance:
        try:
            found = load_detector(str(known["script"]))
        except SirenError:
            found = None
    if found is None or detector_provenance(found) != known:
        raise ConfigError(
            f"The sample does not hold its detector {known.get('name')!r} (it was read from a "
            "file, or combined), and no script of today is the one it was made with. Reweight in "
            "the session that made it, before writing or combining."
        )
    return found


def same_place(first: PlacedSolid, second: PlacedSolid) -> bool:
    """Whether two placed solids are the same set of points.

    Solids that cannot be compared by their numbers (meshes, those of a user's own) are compared
    by their bounds and by points drawn in each.
    """
    one, other = first.placement, second.placement
    if not np.allclose(one.position, other.position, rtol=0.0, atol=_SAME):
        return False
    if not np.allclose(one.matrix, other.matrix, rtol=0.0, atol=_SAME):
        return False
    if first.solid is second.solid:
        return True
    if type(first.solid) is not type(second.solid):
        return False
    if type(first.solid).__eq__ is not object.__eq__:
        with suppress(ValueError):  # arrays within
            return bool(first.solid == second.solid)
    if not np.allclose(first.solid.bounds(), second.solid.bounds(), rtol=0.0, atol=_SAME):
        return False
    return all(
        bool(np.all(holder.contains(np.asarray(drawn.sample(_POINTS, 0)))))
        for holder, drawn in ((first.solid, second.solid), (second.solid, first.solid))
    )


def _struck(sample: Sample, model: ModelLike, own: DetectorModel, other: DetectorModel) -> set[str]:
    """Return the nuclides of both detectors on which a flux of the sample has a reaction."""
    nuclides = sorted({*own.nuclides, *other.nuclides})
    codes = {int(f["pdg"]) for f in sample.lookup["fluxes"]}
    return {
        reaction.nuclide
        for code in codes
        for interaction in model.interactions(code)
        for reaction in interaction.reactions(nuclides)
    }


def _pairs(before: Volume, after: Volume) -> Iterator[tuple[Material, Material]]:
    """Yield the materials that replace each other in a volume."""
    if before.stack is not None and after.stack is not None:
        edges = np.unique(np.concatenate([before.stack.edges, after.stack.edges]))
        middles = 0.5 * (edges[1:] + edges[:-1])[np.diff(edges) > _NUDGE]
        layers = [
            np.clip(np.searchsorted(s.edges, middles) - 1, 0, len(s.materials) - 1)
            for s in (before.stack, after.stack)
        ]
        seen = set(zip(*(layer.tolist() for layer in layers), strict=True))
        yield from ((before.stack.materials[i], after.stack.materials[j]) for i, j in sorted(seen))
        return
    yield from ((b, a) for b in before.materials for a in after.materials)
