"""Exact reweighting: the same events for other couplings, fluxes or densities.

An event keeps what its weight is made of: the energy and the invariants of its interaction, the
flight s of the particle that decayed, and its decay length L. For another model the weight is
multiplied by

    (d sigma' / d sigma) x [exp(-s/L')/L'] / [exp(-s/L)/L] x (branching ratio' / branching ratio),

which is exact for any event; for other matter see `siren_py.other_matter`. What changes is the
spread of the weights, hence the effective size: towards shorter lives the ratio is at most L/L'
and the events stay useful over a factor of ten in L; towards longer lives it grows as
exp(s/L - s/L'), and few events decide. So go from weak couplings to strong ones, and look at
`Sample.effective_size` of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import ConfigError
from siren_py.flux import Flux, FluxLike
from siren_py.flux.produced import ProducedFlux
from siren_py.injection.attenuation import REACH
from siren_py.injection.signal import ModelLike, Signal
from siren_py.other_matter import OtherMatter
from siren_py.processes.base import Decay, Interaction
from siren_py.resources import detector_provenance, load_detector
from siren_py.tree import EventTable, offsets_of, vertex_of

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.sample import Sample

_LOST = 1e-6
"""Part of the decays that may lie beyond the flights that a sample can contain."""


class Flights:
    """What the weights of one event table depend on, gathered once for many models.

    The polarisation of the particle that decays stays as it was drawn: it is the same for all
    couplings, and nearly so for other form factors.

    Parameters
    ----------
    sample
        Where the table is from: its names, and the nuclides of its targets.
    table
        Events.
    model
        The model that the events were made with.

    Raises
    ------
    ConfigError
        If the trees have further vertices, whose widths would change too.
    """

    def __init__(self, sample: Sample, table: EventTable, model: ModelLike) -> None:
        self.table, self.model = table, model
        names = sample.lookup
        self._channels = [str(c) for c in names["channels"]]
        self._targets = {int(code): str(name) for code, name in names["targets"].items()}
        self._parts = [str(p) for p in names["parts"]]
        self._processes = [str(p) for p in names["processes"]]
        self._produced = produced_fluxes(sample)
        known = set(sample.provenance.get("invariants", []))
        self._invariants = [name for name in table.events if name in known]
        # Length [cm] that no flight in the detector exceeds.
        self._extent = np.inf
        if sample.injector is not None:
            low, high = sample.injector.detector.bounds()
            self._extent = float(np.linalg.norm(high - low))
        self.length = np.asarray(table.events["decay_length"], np.float64)
        self._decayed = table.vertex_counts > 1
        if (table.vertex_counts > 2).any():
            raise ConfigError(
                "Events with more than two vertices cannot be reweighted to another model: the "
                "widths of all their particles would have to change. Run a simulation with the "
                "other model."
            )
        points = vertex_of(table, 0)[:, :3], vertex_of(table, 1)[:, :3]
        self.flight = np.where(
            self._decayed, np.linalg.norm(np.nan_to_num(points[1] - points[0]), axis=1), 0.0
        )
        rows = offsets_of(table.vertex_counts)[:-1]
        process = np.asarray(table.vertices["process"][rows], np.int64)
        pdg = np.asarray(table.events["primary_pdg"], np.int64)
        self._interactions = [
            (
                int(code),
                self._processes[number],
                np.flatnonzero((pdg == code) & (process == number)),
            )
            for code in np.unique(pdg)
            for number in np.unique(process[pdg == code])
        ]
        parent, channel = self._parents(), np.asarray(table.events["channel"], np.int64)
        # Two processes of a particle may have the same channel (nu e+ e- by mixing and by dipole).
        last = np.where(self._decayed, rows + 1, 0)
        by = np.asarray(table.vertices["process"], np.int64)
        decayed_by = by[last] if by.size else channel
        kinds = np.stack([parent, channel, decayed_by], axis=1)
        self._decays = [
            (
                int(code),
                self._channels[c],
                self._processes[number],
                np.flatnonzero(self._decayed & (kinds == (code, c, number)).all(axis=1)),
            )
            for code, c, number in np.unique(kinds[self._decayed], axis=0).tolist()
        ]

    def _parents(self) -> IntArray:
        """PDG code of the particle that decayed in each event; 0 where none did."""
        table = self.table
        event = np.repeat(np.arange(len(table)), table.particle_counts)
        ended = np.flatnonzero(table.particles["end_vertex"] == 1)
        parent = np.zeros(len(table), dtype=np.int64)
        parent[event[ended]] = table.particles["pdg"][ended]
        return parent

    # ------------------------------------------------------------ ratios

    def production(self, model: ModelLike) -> FloatArray:
        """Ratio of differential cross sections, other model over own, shape (n,).

        Raises
        ------
        ConfigError
            If the other model lacks an interaction of the events, or an interaction does not
            tell its differential cross section.
        """
        ratio = np.ones(len(self.table))
        for code, name, mine in self._interactions:
            own = _named(self.model.interactions(code), name)
            other = _named(model.interactions(code), name)
            if own is None:
                continue
            ratio[mine] = 0.0 if other is None else self._ratio(own, other, mine)
        for number, production in self._produced.items():
            scale = production.mixing(model) / production.mixing(self.model)
            ratio[self.table.events["flux"] == number] *= scale
        return ratio

    def _check_reactions(self, own: Interaction, other: Interaction) -> None:
        """Raise if the other model has reactions of which the sample cannot have events."""
        nuclides = list(self._targets.values())
        missing = set(other.reactions(nuclides)) - set(own.reactions(nuclides))
        if missing:
            nuclide, part = sorted(missing)[0]
            raise ConfigError(
                f"The other model also scatters on {nuclide} ({part}); the events of this sample "
                "have no such reaction, so its share would be missing. Simulate with the model "
                "that has more reactions and reweight to the one that has fewer."
            )

    def _ratio(self, own: Interaction, other: Interaction, mine: IntArray) -> FloatArray:
        constant = other.proportion(own)
        if constant is not None:
            return np.full(mine.size, constant)
        self._check_reactions(own, other)
        events = self.table.events
        energy = np.asarray(events["primary_energy"], np.float64)
        ratio = np.empty(mine.size)
        key = events["target"][mine].astype(np.int64) * (len(self._parts) + 1)
        key += events["target_part"][mine]
        for value in np.unique(key):
            some = np.flatnonzero(key == value)
            index = mine[some]
            nuclide = self._targets[int(events["target"][index[0]])]
            part = self._parts[int(events["target_part"][index[0]])]
            known = {k: np.asarray(events[k][index], np.float64) for k in self._invariants}
            before = own.evaluate(energy[index], nuclide, part, known)[1]
            after = other.evaluate(energy[index], nuclide, part, known)[1]
            ratio[some] = np.where(before > 0.0, after / np.where(before > 0.0, before, 1.0), 0.0)
        return ratio

    def decay(self, model: ModelLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Decay lengths [cm] in the other model, ratios of decay-point densities and of
        branching ratios, each (n,).

        Raises
        ------
        ConfigError
            If a particle or a channel of the events does not decay in the other model, if its
            mass or angular distribution differs, or if it lives so much longer that the sample
            does not reach far enough upstream.
        """  # noqa: D205
        n = len(self.table)
        length, survival, branching = self.length.copy(), np.ones(n), np.ones(n)
        for code, name, process, mine in self._decays:
            if model.particle_masses.get(code) != self.model.particle_masses.get(code):
                raise ConfigError(
                    f"Particle {code} has another mass in the other model; events can only be "
                    "reweighted at the same mass. Run a simulation for the other mass."
                )
            stretch = _rest_length(model, code) / _rest_length(self.model, code)
            self._check_reach(mine, stretch)
            old = self.length[mine]
            length[mine] = old * stretch
            survival[mine] = np.exp(self.flight[mine] / old * (1.0 - 1.0 / stretch)) / stretch
            branching[mine] = _branching(model, self.model, code, name, process)
        return length, survival, branching

    def _check_reach(self, mine: IntArray, stretch: float) -> None:
        """Raise if the sample was cut at so many decay lengths that the other needs more."""
        if not mine.size or np.exp(-REACH / max(stretch, 1.0)) <= _LOST:
            return
        # Events reach back REACH of their own decay lengths: enough if the geometry ends before.
        if (REACH * self.length[mine] < self._extent).any():
            raise ConfigError(
                f"The particle lives {stretch:g} times longer in the other model, so that it "
                "could come from farther upstream than any event of this sample. Simulate at the "
                "weaker coupling and reweight to the stronger one."
            )

    def ratios(self, model: ModelLike) -> FloatArray:
        """Weight in the other model over weight in the own one, shape (n,)."""
        _, survival, branching = self.decay(model)
        return np.asarray(self.production(model) * survival * branching)


def produced_fluxes(sample: Sample) -> dict[int, ProducedFlux]:
    """Return the fluxes of a sample that follow from its model, by number."""
    return {
        i: ProducedFlux.parse(str(flux["production"]))
        for i, flux in enumerate(sample.lookup["fluxes"])
        if "production" in flux
    }


def _named(processes: Sequence[Interaction], name: str) -> Interaction | None:
    return next((p for p in processes if p.name == name), None)


def _rest_length(model: ModelLike, pdg: int) -> float:
    signal = Signal.of(model, None)
    if pdg not in signal.rest_length:
        raise ConfigError(
            f"Particle {pdg} does not decay in {model!r}; the events of this sample need it to."
        )
    return float(signal.rest_length[pdg])


def _branching(model: ModelLike, own: ModelLike, pdg: int, channel: str, process: str) -> float:
    """Branching ratio of a channel by one process in `model` over that in `own`."""

    def share(m: ModelLike) -> tuple[float, Decay | None, set[str]]:
        decays = list(m.decays(pdg))
        total = sum(float(d.width()) for d in decays)
        found = [d for d in decays if channel in d.channels]
        names = {d.name for d in found}
        found = [d for d in found if d.name == process]
        partial = sum(float(d.width(channel)) for d in found)
        return partial / total, found[0] if found else None, names

    (after, other, others), (before, mine, known) = share(model), share(own)
    if others - known:
        raise ConfigError(
            f"In the other model particle {pdg} also goes to {channel!r} by "
            f"{', '.join(sorted(others - known))}; the events of this sample have no such decay, "
            "so its share would be missing. Simulate with the model that has more processes."
        )
    if other is None or mine is None:
        return 0.0
    if not other.same_kinematics(mine):
        raise ConfigError(
            f"The decay {channel!r} of particle {pdg} has another angular distribution in the "
            "other model (Dirac against Majorana, or other conventions); events can only be "
            "reweighted where it is the same. Run a simulation with the other model."
        )
    return after / before


# ------------------------------------------------------------ samples


def reweight(
    sample: Sample,
    *,
    model: ModelLike | None = None,
    flux: FluxLike | Sequence[FluxLike] | None = None,
    detector: DetectorModel | str | None = None,
    **couplings: float,
) -> Sample:
    """Return the same events with the weights of another model, flux or detector.

    See `Sample.reweight`.
    """
    from siren_py.sample import Sample
    from siren_py.store import TableStore

    own = model_of(sample)
    if couplings:
        if model is not None:
            raise ConfigError("Give either `model` or couplings, not both.")
        if not hasattr(own, "with_coupling"):
            raise ConfigError(
                f"{own!r} has no method `with_coupling`, so couplings cannot be given by name: "
                "pass the other model as `model`."
            )
        model = own.with_coupling(**couplings)
    if model is None and flux is None and detector is None:
        raise ConfigError(
            "Say what to reweight to: couplings (d_mu=...), `model`, `flux` or `detector`."
        )
    if isinstance(detector, str):
        detector = load_detector(detector)
    matter = None if detector is None else OtherMatter(sample, model or own, detector)
    fluxes = None if flux is None else _matching_fluxes(sample, flux)
    store = TableStore()
    for table in sample.tables():
        events = dict(table.events)
        if model is not None:
            flights = Flights(sample, table, own)
            length, survival, branching = flights.decay(model)
            events["decay_length"] = length
            events["factor_interaction"] = events["factor_interaction"] * flights.production(model)
            events["factor_matter"] = events["factor_matter"] * survival
            events["factor_branching"] = events["factor_branching"] * branching
        if fluxes is not None:
            events["factor_flux"] = events["factor_flux"] * _flux_ratio(table, fluxes)
        if matter is not None:
            ratio, material = matter.change(table)
            events["factor_matter"] = events["factor_matter"] * ratio
            events["material"] = material.astype(events["material"].dtype)
        store.append(
            EventTable(
                events, table.vertices, table.vertex_counts, table.particles, table.particle_counts
            )
        )
    now = sample.fluxes if fluxes is None else [new for _, new in fluxes]
    names = _names(sample, fluxes)
    if detector is not None:
        names["materials"] = list(detector.material_names)
    if model is not None:
        # The fluxes that the model makes have grown with it.
        for i, production in produced_fluxes(sample).items():
            scale = production.mixing(model) / production.mixing(own)
            names["fluxes"][i] |= {"integral": names["fluxes"][i]["integral"] * scale}
            old = None if now is None else now[i]
            if now is not None and isinstance(old, Flux):
                now = [*now[:i], old.scaled(scale), *now[i + 1 :]]
    return Sample(
        store,
        sample.n_attempts,
        names,
        _provenance(sample, model, fluxes, detector),
        model=model if model is not None else own,
        fluxes=now,
        detector=sample.detector if detector is None else detector,
    )


def model_of(sample: Sample) -> ModelLike:
    """Return the model that the weights of a sample are for, also for one read from a file.

    Raises
    ------
    ConfigError
        If the file only has the names of processes that a user wrote.
    """
    if sample.model is not None:
        return sample.model
    from siren_py.models import model_from_dict

    model: ModelLike = model_from_dict(sample.provenance["configuration"]["model"])
    return model


def _matching_fluxes(
    sample: Sample, flux: FluxLike | Sequence[FluxLike]
) -> list[tuple[FluxLike, FluxLike]]:
    """Pair each flux of the sample with the one that replaces it."""
    from siren_py.simulation import as_fluxes

    others = as_fluxes(flux)
    if sample.fluxes is None:
        raise ConfigError(
            "This sample was read from a file and does not hold its fluxes as functions; "
            "reweight to another flux before writing, or simulate again."
        )
    if [int(f.pdg) for f in others] != [int(f.pdg) for f in sample.fluxes]:
        raise ConfigError(
            f"The sample has fluxes of {[int(f.pdg) for f in sample.fluxes]}, in this order; "
            f"reweighting needs one for each, not {[int(f.pdg) for f in others]}."
        )
    pairs = list(zip(sample.fluxes, others, strict=True))
    for old, new in pairs:
        low, high = getattr(old, "energy_range", (0.0, np.inf))
        other_low, other_high = getattr(new, "energy_range", (low, high))
        if other_low < low or other_high > high:
            raise ConfigError(
                f"The other flux reaches from {other_low:g} to {other_high:g} GeV, beyond the "
                f"{low:g} to {high:g} GeV of the sample: there are no events there to reweight."
            )
    return pairs


def _flux_ratio(table: EventTable, pairs: Sequence[tuple[FluxLike, FluxLike]]) -> FloatArray:
    ratio = np.ones(len(table))
    energy = np.asarray(table.events["primary_energy"], np.float64)
    for i, (old, new) in enumerate(pairs):
        mine = table.events["flux"] == i
        if bool(getattr(old, "discrete", False)) != bool(getattr(new, "discrete", False)):
            raise ConfigError("A line spectrum and a continuous flux cannot replace each other.")
        before = np.asarray(old.density(energy[mine]), np.float64)
        after = np.asarray(new.density(energy[mine]), np.float64)
        ratio[mine] = after / np.where(before > 0.0, before, 1.0) * (before > 0.0)
    return ratio


def _names(sample: Sample, fluxes: Sequence[tuple[FluxLike, FluxLike]] | None) -> dict[str, Any]:
    from siren_py.simulation import describe_flux

    names = sample.lookup
    names["fluxes"] = [dict(f) for f in names["fluxes"]]
    if fluxes is not None:
        names["fluxes"] = [describe_flux(new) for _, new in fluxes]
    return names


def _provenance(
    sample: Sample,
    model: ModelLike | None,
    fluxes: Sequence[tuple[FluxLike, FluxLike]] | None,
    detector: DetectorModel | None,
) -> dict[str, Any]:
    from siren_py.simulation import describe_flux

    provenance = dict(sample.provenance)
    configuration = dict(provenance["configuration"])
    provenance.setdefault("generated_with", dict(configuration))
    if model is not None:
        configuration["model"] = model.to_dict()
    if fluxes is not None:
        configuration["fluxes"] = [describe_flux(new) for _, new in fluxes]
    if detector is not None:
        configuration["detector"] = detector_provenance(detector)
    provenance["configuration"] = configuration
    return provenance
