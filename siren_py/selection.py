"""Cuts: named boolean functions on a sample, and the weighted cut flow.

A cut is any function that takes a `siren_py.Sample` and returns a boolean per event. It sees
the events in portions, so it must treat each event by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siren_py import plugins
from siren_py._typing import BoolArray, FloatArray
from siren_py.errors import ConfigError, unknown_name
from siren_py.estimate import Estimate
from siren_py.resources import load_script
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

    Examples
    --------
    >>> import siren_py as sp
    >>> hard = sp.Cut("E(e-) > 0.3 GeV", lambda sample: sample.momenta(11)[:, 0] > 0.3)
    >>> late = sp.Cut("z > 200 cm", lambda sample: sample.vertices(1)[:, 2] > 200.0)
    >>> (hard & ~late).name
    'E(e-) > 0.3 GeV and not z > 200 cm'
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


# An expression such as "energy > 1" is no name, and the error should not look for it.
_NAME = re.compile(r"[\w .-]+")

CutLike = Cut | CutFunction | str
"""What is taken wherever a cut is: also the name of one, see `load_cut`."""


def as_cut(cut: CutLike) -> Cut:
    """Return `cut` as a `Cut`; a plain function is named after itself, a text is a name.

    Parameters
    ----------
    cut
        A `Cut`, a function of a sample, or the name of a cut.

    Returns
    -------
    Cut
        The cut.

    Raises
    ------
    ConfigError
        If it is neither.
    UnknownNameError
        If there is no cut of this name.

    Examples
    --------
    >>> def forward(sample):
    ...     return sample.momenta(11)[:, 3] > 0.0
    >>> as_cut(forward).name
    'forward'
    """
    if isinstance(cut, Cut):
        return cut
    if isinstance(cut, str) and (cut.rpartition(":")[0].endswith(".py") or _NAME.fullmatch(cut)):
        return load_cut(cut)
    if not callable(cut):
        raise ConfigError(
            f"A cut must be a function of a sample that returns a boolean per event, or the name "
            f"of one; got {cut!r}."
        )
    return Cut(getattr(cut, "__name__", "cut"), cut)


def cut_names() -> list[str]:
    """Return the names of all cuts that `load_cut` knows, sorted; they come from plug-ins.

    Returns
    -------
    list of str
        Names; empty without plug-ins.

    Examples
    --------
    >>> isinstance(cut_names(), list)
    True
    """
    return plugins.names("cuts", {})


def load_cut(cut: str) -> Cut:
    """Return a cut by its name, or from a script.

    Parameters
    ----------
    cut
        Name of the cut of a plug-in (see `cut_names` and `siren_py.plugins`), or path of a script
        and name of a function (or of a `Cut`) in it: ``"./my_cuts.py:forward_pair"``.

    Returns
    -------
    Cut
        The cut, under this name.

    Raises
    ------
    UnknownNameError
        If there is no cut of this name, or no such function in the script.
    ConfigError
        If the script cannot be read or run, or the plug-in cannot be loaded; or if it is no cut.

    Examples
    --------
    >>> load_cut("forward-pear")
    Traceback (most recent call last):
    siren_py.errors.UnknownNameError: There is no cut called 'forward-pear'. ...
    """
    path, colon, name = cut.rpartition(":")
    if colon and path.endswith(".py"):
        found = _from_script(Path(path).expanduser(), name)
    else:
        name = plugins.dashed(cut)
        found = plugins.find("cuts", cut, {}, _OWN_CUTS)
    if isinstance(found, str) or not callable(found):
        raise ConfigError(
            f"The cut {name!r} must be a function of a sample that returns a boolean per event; it "
            f"is {found!r}."
        )
    return Cut(name, found.function if isinstance(found, Cut) else found)


_OWN_CUTS = "One of your own is a function of a sample, or ./my_cuts.py:FUNCTION."


def _from_script(path: Path, name: str) -> object:
    if not path.is_file():
        raise ConfigError(f"There is no script {str(path)!r} with cuts. {_OWN_CUTS}")
    found = vars(load_script(path))
    if name not in found:
        own = [k for k, v in found.items() if callable(v) and not k.startswith("_")]
        raise unknown_name(f"cut in {path}", name, own)
    return found[name]


def evaluate_cut(cut: Cut, sample: Sample) -> BoolArray:
    """Evaluate a cut and check what it returned.

    Parameters
    ----------
    cut
        The cut.
    sample
        The events.

    Returns
    -------
    ndarray
        True for the events to keep, (n,).

    Raises
    ------
    ConfigError
        If the result is not one boolean per event.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    >>> evaluate_cut(final_energy_above(11, 0.0), sim.run(100, seed=1)).dtype
    dtype('bool')
    """
    mask = np.asarray(cut(sample))
    if mask.shape != (len(sample),) or mask.dtype != np.bool_:
        raise ConfigError(
            f"The cut {cut.name!r} must return one boolean per event, i.e. an array of shape "
            f"({len(sample)},); it returned {mask.dtype} of shape {mask.shape}."
        )
    return mask


def final_energy_above(pdg: int, energy: float) -> Cut:
    """Cut: the final particle `pdg` has more than `energy` [GeV].

    Examples
    --------
    >>> final_energy_above(22, 0.3).name
    'E(22) > 0.3 GeV'
    """
    return Cut(f"E({pdg}) > {energy:g} GeV", lambda s: np.nan_to_num(s.momenta(pdg)[:, 0]) > energy)


def opening_angle_below(first: int, second: int, angle: float) -> Cut:
    """Cut: the angle between the final particles `first` and `second` is below `angle` [rad].

    Examples
    --------
    >>> opening_angle_below(11, -11, 0.2).name
    'angle(11,-11) < 0.2 rad'
    """

    def function(sample: Sample) -> BoolArray:
        p, q = sample.momenta(first)[:, 1:], sample.momenta(second)[:, 1:]
        return _angle(p, q) < angle

    return Cut(f"angle({first},{second}) < {angle:g} rad", function)


def beam_angle_below(pdgs: Iterable[int], angle: float) -> Cut:
    """Cut: the summed momentum of final `pdgs` is within `angle` [rad] of the beam.

    Examples
    --------
    >>> beam_angle_below([11, -11], 0.1).name
    'angle to beam of (11, -11) < 0.1 rad'
    """
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

    Examples
    --------
    >>> beam_cosine_above([11, -11], 0.99).name
    'cos(11 -11, beam) > 0.99'
    """
    wanted = tuple(pdgs)

    def function(sample: Sample) -> BoolArray:
        p = _summed(sample, wanted)[:, 1:]
        # Not divided by |p|: a particle at rest has no direction and fails.
        passed: BoolArray = p @ _beam_direction(sample) > cosine * np.linalg.norm(p, axis=1)
        return passed

    return Cut(f"cos({_label(wanted)}, beam) > {cosine:g}", function)


def momentum_above(pdgs: int | Iterable[int], momentum: float) -> Cut:
    """Cut: the momentum of a final particle, or of several `pdgs`, is above `momentum` [GeV].

    Examples
    --------
    >>> momentum_above([11, -11], 0.15).name
    'p(11 -11) > 0.15 GeV'
    """
    wanted = (pdgs,) if isinstance(pdgs, int) else tuple(pdgs)
    return Cut(
        f"p({_label(wanted)}) > {momentum:g} GeV",
        lambda s: np.linalg.norm(_summed(s, wanted)[:, 1:], axis=1) > momentum,
    )


def energy_between(pdgs: int | Iterable[int], low: float, high: float) -> Cut:
    """Cut: the energy of a final particle, or of several `pdgs`, is in [`low`, `high`) [GeV].

    Examples
    --------
    >>> energy_between(22, 0.1, 2.0).name
    '0.1 <= E(22) < 2 GeV'
    """
    wanted = (pdgs,) if isinstance(pdgs, int) else tuple(pdgs)

    def function(sample: Sample) -> BoolArray:
        energy = _summed(sample, wanted)[:, 0]
        return (energy >= low) & (energy < high)

    return Cut(f"{low:g} <= E({_label(wanted)}) < {high:g} GeV", function)


def invariant_mass_between(pdgs: Iterable[int], low: float, high: float) -> Cut:
    """Cut: the invariant mass of final `pdgs` together is in [`low`, `high`) [GeV].

    Examples
    --------
    >>> invariant_mass_between([11, -11], 0.0, 0.05).name
    '0 <= m(11 -11) < 0.05 GeV'
    """
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
    """Cut: the event counts in the region `name` (a part of the region of the run).

    Examples
    --------
    >>> in_region("tpc3").name
    'in tpc3'
    """
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

    Examples
    --------
    >>> from siren_py import Estimate
    >>> CutFlow((("all", 10, Estimate(3.0, 0.1), 1.0),)).to_dict()[0]["events"]
    10
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

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import cut_flow_html

        return cut_flow_html(self)

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
    cuts: Iterable[CutLike],
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

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    >>> flow = cut_flow(sim.run(1000, seed=1), [final_energy_above(11, 0.3)], pot=1e21)
    >>> flow.rows[1][0]
    'E(11) > 0.3 GeV'
    """
    named = [as_cut(c) for c in cuts]
    sums = [Sums(sample.attempts, replicas=sample.replicas) for _ in range(len(named) + 1)]
    for portion in sample.portions():
        weights = portion.weights_at(pot)
        mask = np.ones(len(portion), dtype=np.bool_)
        run, event = portion.runs, portion["event"]
        sums[0].add(weights, run=run, event=event)
        for cut, running in zip(named, sums[1:], strict=True):
            mask &= evaluate_cut(cut, portion)
            running.add(weights[mask], run=None if run is None else run[mask], event=event[mask])
    rows = []
    before = 0.0
    for name, running in zip(["all", *(c.name for c in named)], sums, strict=True):
        estimate = running.estimate()
        kept = 1.0 if name == "all" else (estimate.value / before if before > 0.0 else 0.0)
        rows.append((name, int(running.count[0]), estimate, kept))
        before = estimate.value
    return CutFlow(tuple(rows))
