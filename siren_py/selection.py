"""Cuts: named boolean functions on a sample, and the weighted cut flow.

A cut is any function that takes a `siren_py.Sample` and returns a boolean per event. It sees
the events in portions, so it must treat each event by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import BoolArray, FloatArray
from siren_py.errors import ConfigError
from siren_py.estimate import Estimate
from siren_py.weighting import Sums

if TYPE_CHECKING:
    from siren_py.sample import Sample

CutFunction = Callable[["Sample"], BoolArray]


@dataclass(frozen=True)
class Cut:
    """A named selection.

    Parameters
    ----------
    name
        Name shown in the cut flow.
    function
        Function of a sample that returns True for the events to keep, shape (n,).
    """

    name: str
    function: CutFunction

    def __call__(self, sample: Sample) -> BoolArray:
        """Evaluate the cut; see `evaluate_cut` for the errors."""
        return np.asarray(self.function(sample))

    def __and__(self, other: Cut) -> Cut:
        """Both cuts."""
        return Cut(f"{self.name} and {other.name}", lambda s: self(s) & other(s))

    def __or__(self, other: Cut) -> Cut:
        """At least one of the cuts."""
        return Cut(f"{self.name} or {other.name}", lambda s: self(s) | other(s))

    def __invert__(self) -> Cut:
        """Events that fail the cut."""
        return Cut(f"not {self.name}", lambda s: ~self(s))


def as_cut(cut: Cut | CutFunction) -> Cut:
    """Return `cut` as a `Cut`; a plain function is named after itself."""
    if isinstance(cut, Cut):
        return cut
    if not callable(cut):
        raise ConfigError(
            f"A cut must be a function of a sample that returns a boolean per event; got {cut!r}."
        )
    return Cut(getattr(cut, "__name__", "cut"), cut)


def evaluate_cut(cut: Cut, sample: Sample) -> BoolArray:
    """Evaluate a cut and check what it returned.

    Raises
    ------
    ConfigError
        If the result is not one boolean per event.
    """
    mask = np.asarray(cut(sample))
    if mask.shape != (len(sample),) or mask.dtype != np.bool_:
        raise ConfigError(
            f"The cut {cut.name!r} must return one boolean per event, i.e. an array of shape "
            f"({len(sample)},); it returned {mask.dtype} of shape {mask.shape}."
        )
    return mask


def final_energy_above(pdg: int, energy: float) -> Cut:
    """Cut: the final particle `pdg` has more than `energy` [GeV]."""
    return Cut(f"E({pdg}) > {energy:g} GeV", lambda s: np.nan_to_num(s.momenta(pdg)[:, 0]) > energy)


def opening_angle_below(first: int, second: int, angle: float) -> Cut:
    """Cut: the angle between two final particles is below `angle` [rad]."""

    def function(sample: Sample) -> BoolArray:
        p, q = sample.momenta(first)[:, 1:], sample.momenta(second)[:, 1:]
        return _angle(p, q) < angle

    return Cut(f"angle({first},{second}) < {angle:g} rad", function)


def beam_angle_below(pdgs: Iterable[int], angle: float) -> Cut:
    """Cut: the summed momentum of final particles is within `angle` [rad] of the beam."""
    wanted = tuple(pdgs)

    def function(sample: Sample) -> BoolArray:
        total = sum(sample.momenta(p)[:, 1:] for p in wanted)
        beam = sample.momenta(None)[:, 1:]
        return _angle(np.asarray(total), beam) < angle

    return Cut(f"angle to beam of {wanted} < {angle:g} rad", function)


def beam_cosine_above(pdgs: Iterable[int], cosine: float) -> Cut:
    """Cut: cosine of the angle between the summed momentum and the detector's beam direction.

    Parameters
    ----------
    pdgs
        PDG codes of the final particles whose momenta are added, e.g. ``(11, -11)``.
    cosine
        Events above this cosine pass.

    Notes
    -----
    The direction is the one that the detector states for its beam, not its z axis, and not the
    direction of the event's own neutrino, which no experiment knows (`beam_angle_below` takes
    that one).
    """
    wanted = tuple(pdgs)

    def function(sample: Sample) -> BoolArray:
        p = _summed(sample, wanted)[:, 1:]
        # Not divided by |p|: a particle at rest has no direction and fails.
        passed: BoolArray = p @ _beam_direction(sample) > cosine * np.linalg.norm(p, axis=1)
        return passed

    return Cut(f"cos({_label(wanted)}, beam) > {cosine:g}", function)


def momentum_above(pdgs: int | Iterable[int], momentum: float) -> Cut:
    """Cut: the momentum of a final particle, or of several together, is above `momentum` [GeV]."""
    wanted = (pdgs,) if isinstance(pdgs, int) else tuple(pdgs)
    return Cut(
        f"p({_label(wanted)}) > {momentum:g} GeV",
        lambda s: np.linalg.norm(_summed(s, wanted)[:, 1:], axis=1) > momentum,
    )


def energy_between(pdgs: int | Iterable[int], low: float, high: float) -> Cut:
    """Cut: the energy of a final particle, or of several together, is in [low, high) [GeV]."""
    wanted = (pdgs,) if isinstance(pdgs, int) else tuple(pdgs)

    def function(sample: Sample) -> BoolArray:
        energy = _summed(sample, wanted)[:, 0]
        return (energy >= low) & (energy < high)

    return Cut(f"{low:g} <= E({_label(wanted)}) < {high:g} GeV", function)


def invariant_mass_between(pdgs: Iterable[int], low: float, high: float) -> Cut:
    """Cut: the invariant mass of final particles together is in [low, high) [GeV]."""
    wanted = tuple(pdgs)

    def function(sample: Sample) -> BoolArray:
        total = _summed(sample, wanted)
        square = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1)
        # Rounding may leave a massless system slightly below zero.
        mass = np.sqrt(np.where(square < 0.0, 0.0, square))
        return (mass >= low) & (mass < high)

    return Cut(f"{low:g} <= m({_label(wanted)}) < {high:g} GeV", function)


def _summed(sample: Sample, pdgs: tuple[int, ...]) -> FloatArray:
    """Summed four-momentum of final particles, (n, 4); NaN, which passes no cut, if one lacks."""
    if not pdgs:
        raise ConfigError("A cut on final particles needs at least one PDG code.")
    total: FloatArray = np.sum([sample.momenta(pdg) for pdg in pdgs], axis=0)
    return total


def _label(pdgs: tuple[int, ...]) -> str:
    return " ".join(map(str, pdgs))


def _beam_direction(sample: Sample) -> FloatArray:
    """Beam direction of the sample's detector, in its frame, as a unit vector (3,)."""
    beam = sample.provenance.get("configuration", {}).get("beam", {})
    if "direction" not in beam:
        raise ConfigError(
            "The sample does not tell the direction of its detector's beam; make it with "
            "siren_py.Simulation, or cut on the event's own neutrino with beam_angle_below."
        )
    direction: FloatArray = np.asarray(beam["direction"], dtype=np.float64)
    return direction / float(np.linalg.norm(direction))


def in_region(name: str) -> Cut:
    """Cut: the event counts in the region `name` (a part of the region of the run)."""
    return Cut(f"in {name}", lambda s: s.names("region") == name)


def _angle(p: FloatArray, q: FloatArray) -> FloatArray:
    """Angle between vectors; atan2 keeps its precision for small angles. NaN if one is missing."""
    cross = np.linalg.norm(np.cross(p, q), axis=1)
    angle: FloatArray = np.arctan2(cross, np.einsum("ij,ij->i", p, q))
    return angle


@dataclass(frozen=True)
class CutFlow:
    """What is left after each cut, in order.

    Attributes
    ----------
    rows
        (name, number of events, expected events, fraction of the row before).
    """

    rows: tuple[tuple[str, int, Estimate, float], ...]

    def to_dict(self) -> list[dict[str, object]]:
        """Return the rows as plain dictionaries."""
        return [
            {
                "cut": name,
                "events": count,
                "expected": estimate.value,
                "error": estimate.error,
                "efficiency": efficiency,
            }
            for name, count, estimate, efficiency in self.rows
        ]

    def __str__(self) -> str:
        width = max(len(name) for name, *_ in self.rows)
        lines = [f"{'cut':<{width}}  {'events':>9}  {'expected':>12}  {'error':>9}  {'kept':>7}"]
        lines += [
            f"{name:<{width}}  {count:>9}  {e.value:>12.5g}  {e.error:>9.2g}  {kept:>7.2%}"
            for name, count, e, kept in self.rows
        ]
        return "\n".join(lines)


def cut_flow(
    sample: Sample,
    cuts: Iterable[Cut | CutFunction],
    pot: float | Mapping[str, float] = 1.0,
) -> CutFlow:
    """Apply cuts one after another and count what is left, weighted.

    Parameters
    ----------
    sample
        The events.
    cuts
        Cuts in the order of their application.
    pot
        Protons on target, or a mapping by beam mode.

    Returns
    -------
    CutFlow
        One row for all events and one for each cut.
    """
    named = [as_cut(c) for c in cuts]
    sums = [Sums(sample.attempts) for _ in range(len(named) + 1)]
    for portion in sample.portions():
        weights = portion.weights_at(pot)
        mask = np.ones(len(portion), dtype=np.bool_)
        run = portion.runs
        sums[0].add(weights, run=run)
        for cut, running in zip(named, sums[1:], strict=True):
            mask &= evaluate_cut(cut, portion)
            running.add(weights[mask], run=None if run is None else run[mask])
    rows = []
    before = 0.0
    for name, running in zip(["all", *(c.name for c in named)], sums, strict=True):
        estimate = running.estimate()
        kept = 1.0 if name == "all" else (estimate.value / before if before > 0.0 else 0.0)
        rows.append((name, int(running.count[0]), estimate, kept))
        before = estimate.value
    return CutFlow(tuple(rows))
