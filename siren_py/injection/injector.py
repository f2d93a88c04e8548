"""The injector: draws event trees chunk by chunk, each with the factors of its weight.

Everything that does not depend on the chunk is prepared once (reactions, tables, importance);
a chunk is then a function of (seed, chunk number, size) alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.driving import generators, rows_of
from siren_py.errors import ConfigError, KinematicsError, NoRateError
from siren_py.flux import Flux, FluxLike
from siren_py.injection.assembly import Assembler, Batch, taken
from siren_py.injection.builder import floats
from siren_py.injection.energy import EnergyCells, EnergyReactionProposal, energy_range
from siren_py.injection.growth import Growth
from siren_py.injection.importance import Importance
from siren_py.injection.layout_kernels import turn_spins
from siren_py.injection.matter import Matter
from siren_py.injection.placement import (
    AimedPlacement,
    ForwardPlacement,
    Placer,
    SourcePlacement,
)
from siren_py.injection.rays import ParallelRays, SourceRays
from siren_py.injection.reactions import Reactions
from siren_py.injection.scattering_angles import ANGLES, angle_chances
from siren_py.injection.signal import ModelLike, Signal
from siren_py.nuclei import nuclide as nuclide_of
from siren_py.processes.base import FinalState
from siren_py.rng import stream
from siren_py.tree import EventTable, vertex_of

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

PROPOSALS = ("aimed", "forward")
_PURPOSES = ("energy", "scattering", "line", "vertex", "decay", "growth")
_MANY = 1000
"""Events per reaction after which a particle counts as one that is never made."""

BEAMS = ("parallel", "source")


def describe(flux: FluxLike) -> str:
    """Return a name that tells the fluxes of a run apart, e.g. ``"t2k-nd280:fhc:numu"``.

    A user's own class is called what its attribute `name` says, or by its PDG code.
    """
    production = getattr(flux, "production", None)
    if production is not None:
        return str(production.name)
    if isinstance(flux, Flux):
        return ":".join(part for part in (flux.name, flux.mode, flux.flavor) if part)
    return str(getattr(flux, "name", "") or f"pdg {flux.pdg}")


class Injector:
    """Draws weighted event trees.

    Parameters
    ----------
    detector, fluxes, model
        Where, with which beam, and which physics.
    region
        Name of the region in which the decay (or the interaction) has to lie.
    channel
        Decay channel, or None for all.
    proposal
        ``"aimed"`` or ``"forward"``; see `siren_py.injection.placement`.
    beam_kind
        ``"parallel"`` or ``"source"``; see `siren_py.injection.rays`.

    Raises
    ------
    ConfigError
        If a flux has no interaction in the model.
    KinematicsError
        If a flux lies below every threshold.
    """

    def __init__(
        self,
        detector: DetectorModel,
        fluxes: Sequence[FluxLike],
        model: ModelLike,
        region: str,
        channel: str | None,
        proposal: str = "aimed",
        beam_kind: str = "parallel",
    ) -> None:
        self.driving = "random"
        self.detector, self.fluxes, self.model = detector, list(fluxes), model
        self.region = region
        self.signal = Signal.of(model, channel)
        self.matter = Matter.of(detector)
        beam = np.asarray(detector.beam.direction, dtype=np.float64)
        self.beam = beam
        self._target_codes = np.array(
            [nuclide_of(n).pdg for n in self.matter.nuclides], dtype=np.int64
        )
        self.reactions = [self._reactions_of(flux) for flux in self.fluxes]
        self.parts = tuple(dict.fromkeys(p for r in self.reactions for p in r.parts))
        aimed = AimedPlacement(detector, region, self.matter, beam)
        self._placer: Placer = aimed
        self.aimed = aimed if proposal == "aimed" and beam_kind == "parallel" else None
        """The aimed placement, where events are placed by it."""
        if beam_kind == "source" and proposal == "aimed":
            self._placer = SourcePlacement(detector, region, self.matter)
        elif beam_kind == "source":
            rays = SourceRays(detector, region)
            self._placer = ForwardPlacement(detector, region, self.matter, rays)
        elif proposal == "forward":
            parallel = ParallelRays(detector, region, beam)
            self._placer = ForwardPlacement(detector, region, self.matter, parallel)
        self.cross_sections = self._mean_cross_sections()
        bare = self.bare_rates()
        self.angles = [
            angle_chances(reactions, cells, rates, self.signal)
            for reactions, (cells, rates, _) in zip(self.reactions, bare, strict=True)
        ]
        """Chances of the classes of angles by cell and reaction of each flux, (K, R, C)."""
        self.mean_angles = self._mean_angles(bare)
        importance = Importance(aimed, self.matter, beam, self.cross_sections, self.mean_angles)
        self.energy = self._energy_proposal(importance, bare)
        self.growth = Growth(detector, model, self.matter)
        self.processes = self._process_names()
        self.assembler = Assembler(
            self.fluxes,
            beam,
            self._target_codes,
            np.array([nuclide_of(n).mass for n in self.matter.nuclides]),
            self.parts,
            self.processes,
            self.signal,
            self.growth,
        )
        self._invariant_names = self._probe_invariants()

    # ------------------------------------------------------------ preparation

    def _reactions_of(self, flux: FluxLike) -> Reactions:
        interactions = list(self.model.interactions(int(flux.pdg)))
        label = getattr(flux, "name", flux.pdg)
        if not interactions:
            raise ConfigError(
                f"The flux {label!r} (pdg {flux.pdg}) has no interaction in the model "
                f"{self.model!r}: the coupling to this flavour is zero. Give it a coupling (for "
                "DipolePortal d_e, d_mu or d_tau) or take another flux."
            )
        low, high = energy_range(flux)
        reactions = Reactions.bind(interactions, self.matter.nuclides, low, high)
        if len(reactions) == 0:
            thresholds = [
                i.threshold(r.nuclide, r.part)
                for i in interactions
                for r in i.reactions(self.matter.nuclides)
            ]
            if not thresholds:
                raise ConfigError(
                    f"None of the detector's nuclides ({', '.join(self.matter.nuclides)}) is a "
                    f"target of {', '.join(i.name for i in interactions)}."
                )
            raise KinematicsError(
                f"The flux {label!r} ends at {high:g} GeV, below the lowest threshold, "
                f"{min(thresholds):g} GeV, of {', '.join(i.name for i in interactions)} in this "
                "detector. Lower the mass or take a flux with higher energies."
            )
        return reactions

    def _probe_invariants(self) -> frozenset[str]:
        """Names of the invariants that the processes report, from one event of each reaction.

        All chunks must have the same columns, whichever is drawn first and even if one is empty.

        Raises
        ------
        ConfigError
            If the particle whose decay counts never comes out of the interaction.
        """
        names: set[str] = set()
        made: set[int] = set()
        for repeat in (1, _MANY):
            for state in self._probe(repeat):
                names |= set(state.invariants)
                made |= set(np.unique(state.pdg).tolist())
            # Many events are only needed where the particle is rare.
            if self.signal.prompt or made & set(self.signal.choices):
                return frozenset(names)
        raise ConfigError(
            f"The decay {' or '.join(self.signal.channels)!r} is that of particle "
            f"{', '.join(map(str, self.signal.choices))}, but the interactions make only "
            f"{', '.join(map(str, sorted(made - {0})))}. Ask for a decay of one of these; what "
            "comes out of it is followed to its own decay."
        )

    def _probe(self, repeat: int) -> Iterator[FinalState]:
        """Draw `repeat` final states of each reaction at the highest energy of each flux."""
        rng = stream(0, "probe")
        for flux, reactions in zip(self.fluxes, self.reactions, strict=True):
            energy = float(np.max(np.asarray(flux.sample(1000, rng=0), dtype=np.float64)))
            if hasattr(flux, "edges"):
                energy = float(np.nextafter(energy_range(flux)[1], 0.0))
            opened = np.repeat(np.flatnonzero(reactions.threshold < energy), repeat)
            for _, _, state in reactions.sample(opened, np.full(opened.size, energy), rng):
                yield state

    def _mean_cross_sections(self) -> FloatArray:
        """Cross section of each nuclide, averaged over the fluxes [cm2], shape (T,)."""
        result = np.zeros(len(self.matter.nuclides))
        for flux, reactions in zip(self.fluxes, self.reactions, strict=True):
            cells = EnergyCells.of(flux, float(reactions.threshold.min()))
            if not cells.mass.size:
                continue
            count = len(reactions)
            energy = 0.5 * (cells.low + cells.high)
            sigma = reactions.total(
                np.tile(np.arange(count), energy.size), np.repeat(energy, count)
            ).reshape(energy.size, count)
            np.add.at(result, reactions.nuclide, cells.mass @ sigma)
        return result

    def bare_rates(self) -> list[tuple[EnergyCells, FloatArray, FloatArray]]:
        """Cells of each flux; flux x cross section and decay lengths [cm] by cell and reaction."""
        result = []
        for flux, reactions in zip(self.fluxes, self.reactions, strict=True):
            of_flux = EnergyCells.of(flux, float(reactions.threshold.min()))
            # The rate of a cell is taken at the middle of its part above threshold.
            low = np.maximum(of_flux.low[:, None], reactions.threshold[None, :])
            high = of_flux.high[:, None]
            open_ = high > low if not of_flux.native else high >= low
            middle = np.where(open_, 0.5 * (low + high), high)
            width = of_flux.high - of_flux.low
            share = np.where(open_, (high - low) / np.where(width > 0.0, width, 1.0)[:, None], 0.0)
            if of_flux.native:
                share = open_.astype(np.float64)
            index = np.broadcast_to(np.arange(len(reactions)), middle.shape)
            sigma = reactions.total(
                np.ascontiguousarray(index.ravel()), np.ascontiguousarray(middle.ravel())
            ).reshape(middle.shape)
            length = self.signal.typical_length(middle)
            result.append((of_flux, of_flux.mass[:, None] * share * sigma, length))
        return result

    def _mean_angles(
        self, rates: Sequence[tuple[EnergyCells, FloatArray, FloatArray]]
    ) -> FloatArray:
        """Chances of the classes of angles for all reactions, as often as they occur, (C,)."""
        sums = np.zeros(len(ANGLES) + 1)
        for (_, rate, _), reactions, angles in zip(rates, self.reactions, self.angles, strict=True):
            there = rate * self.matter.densest[reactions.nuclide]
            sums += np.einsum("kr,krc->c", there, angles)
        return sums / max(float(sums.sum()), 1e-300)

    def _energy_proposal(
        self, importance: Importance, bare: Sequence[tuple[EnergyCells, FloatArray, FloatArray]]
    ) -> EnergyReactionProposal:
        cells, rates = [], []
        for (of_flux, rate, length), reactions, angles in zip(
            bare, self.reactions, self.angles, strict=True
        ):
            cells.append(of_flux)
            rates.append(rate * importance(reactions.nuclide, angles, length))
        if not sum(float(r.sum()) for r in rates) > 0.0:
            raise NoRateError(
                f"No event is possible: in region {self.region!r} of {self.detector.name!r} the "
                "expected rate vanishes for every flux and target. The cross section may be zero, "
                "or the particle decays long before it can reach the region."
            )
        return EnergyReactionProposal(self.fluxes, cells, self.reactions, rates)

    def _process_names(self) -> list[str]:
        names = [b.interaction.name for r in self.reactions for b in r.processes]
        names += [c.decay.name for choices in self.signal.choices.values() for c in choices]
        names += self.growth.process_names
        return list(dict.fromkeys(names))

    def names(self) -> dict[str, Any]:
        """Lists of names that the integer columns of the events refer to."""
        codes = {int(c): n for c, n in zip(self._target_codes, self.matter.nuclides, strict=True)}
        return {
            "volumes": list(self.detector.volume_names),
            "materials": list(self.matter.materials),
            "regions": list(self.detector.region(self.region).leaves),
            "parts": list(self.parts),
            "channels": list(self.signal.channels),
            "processes": self.processes,
            "targets": {str(code): name for code, name in codes.items()},
        }

    @property
    def invariants(self) -> list[str]:
        """Names of the invariant columns of the processes."""
        return sorted(self._invariant_names)

    # ------------------------------------------------------------ densities

    def density(self, table: EventTable, source: Injector) -> FloatArray:
        """Generation density of this injector at events that `source` made, shape (n,).

        Factors that every injector of the same model shares (final states, azimuth, the number
        density at the vertex, exp(-s/L)/L) are left out.

        Raises
        ------
        ConfigError
            If this injector does not use the aimed proposal.
        """
        if not isinstance(self._placer, AimedPlacement):
            raise ConfigError(
                "Only samples of the proposal 'aimed' can be combined with other configurations."
            )
        events = table.events
        labels = [describe(f) for f in source.fluxes]
        flux = np.array([self._flux_number(name) for name in labels])[events["flux"]]
        part = np.array([self.parts.index(p) for p in source.parts])[events["target_part"]]
        order = np.argsort(self._target_codes)
        nuclide = order[np.searchsorted(self._target_codes[order], events["target"])]
        energy = np.asarray(events["primary_energy"], dtype=np.float64)
        reaction = np.full(len(table), -1, dtype=np.int64)
        for f, reactions in enumerate(self.reactions):
            own_parts = np.array([self.parts.index(p) for p in reactions.parts])
            for r in range(len(reactions)):
                hit = (flux == f) & (nuclide == reactions.nuclide[r])
                reaction[hit & (part == own_parts[reactions.part[r]])] = r
        vertex = vertex_of(table, 0)[:, :3]
        if self.signal.prompt:
            direction, seen = np.broadcast_to(self.beam, vertex.shape).copy(), vertex
        else:
            ended = np.flatnonzero(table.particles["end_vertex"] == 1)
            momentum = np.stack([table.particles[k][ended] for k in ("px", "py", "pz")], axis=1)
            direction = momentum / np.linalg.norm(momentum, axis=1, keepdims=True)
            seen = vertex_of(table, 1)[:, :3]
        lines = self._placer.line_density(
            vertex, direction, np.asarray(events["decay_length"], np.float64), nuclide
        )
        inside = self.detector.region(self.region).contains(seen)
        return self.energy.density(flux, energy, reaction) * lines * inside

    def _flux_number(self, name: str) -> int:
        names = [describe(f) for f in self.fluxes]
        return names.index(name) if name in names else -1

    # ------------------------------------------------------------ chunks

    def driven(self, driving: str) -> Injector:
        """Return the same injector, driven by one of `siren_py.driving.DRIVINGS`."""
        other = copy(self)
        other.driving = driving
        return other

    def chunk(self, seed: int, number: int, n: int, first: int) -> EventTable:
        """Draw one chunk.

        Parameters
        ----------
        seed, number
            Keys of the random streams.
        n
            Attempts in this chunk.
        first
            Number of the first attempt within the run.

        Returns
        -------
        EventTable
            The events with a weight above zero, in the order of their attempts.
        """
        rngs = generators(self.driving, seed, number, n, _PURPOSES)
        batches: list[Batch] = []
        for f, attempt, energy, reaction, flux_factor, reaction_factor in self.energy.sample(
            n, rngs["energy"]
        ):
            open_ = np.flatnonzero(energy > self.reactions[f].threshold[reaction])
            drawer = rows_of(rngs["scattering"], taken(attempt, open_))
            for index, process, state in self.reactions[f].sample(
                taken(reaction, open_), taken(energy, open_), drawer
            ):
                rows = taken(open_, index)
                factors = {
                    "factor_flux": taken(flux_factor, rows),
                    "factor_reaction": taken(reaction_factor, rows),
                    "factor_interaction": floats(state.weight),
                }
                batch = self._place(
                    f, process, taken(attempt, rows), taken(energy, rows), taken(reaction, rows),
                    state, factors, rngs,
                )  # fmt: skip
                if len(batch):
                    batches.append(batch)
        return self.assembler.assemble(batches, first, rngs, self.invariants)

    def _place(
        self,
        f: int,
        process: int,
        attempt: IntArray,
        energy: FloatArray,
        reaction: IntArray,
        state: Any,
        factors: dict[str, FloatArray],
        rngs: dict[str, np.random.Generator],
    ) -> Batch:
        reactions = self.reactions[f]
        n = attempt.size
        local, length, polar = np.empty((n, 3)), np.empty(n), np.zeros((n, 3))
        slot, found = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.bool_)
        if self.signal.prompt:
            slot[:], found[:], local[:], length[:] = -1, True, (0.0, 0.0, 1.0), 0.0
        else:
            self.signal.flights(state.pdg, state.momenta, slot, found, local, length)
        nuclide = reactions.nuclide[reaction]
        rng_line, rng_vertex = (rows_of(rngs[name], attempt) for name in ("line", "vertex"))
        placement = self._placer.place(local, length, nuclide, rng_line, rng_vertex)
        placed = placement.placed
        if not self.signal.prompt:
            rotation = floats(placement.rotation).reshape(-1, 3, 3)
            turn_spins(floats(state.polarization), slot, rotation, polar)
        factors = factors | {
            "factor_line": placement.factor_line,
            "factor_matter": placement.factor_matter,
        }
        product = found.astype(np.float64)
        for factor in factors.values():
            product *= factor
        # NaN must not be dropped here as if it were zero: it is caught where weights are formed.
        keep = np.flatnonzero(~(product == 0.0))
        part_index = np.array([self.parts.index(p) for p in reactions.parts], dtype=np.int64)
        if not self._invariant_names.issuperset(state.invariants):
            raise ConfigError(
                f"{reactions.processes[process].interaction.name!r} reports the invariants "
                f"{sorted(state.invariants)} for some events and not for others. Report the same "
                "ones always; NaN where one has no meaning."
            )
        return Batch(
            flux=f,
            attempt=attempt,
            energy=energy,
            reaction=reaction,
            pdg=state.pdg,
            momenta=state.momenta,
            slot=slot,
            polarization=polar,
            length=length,
            neutrino=placement.neutrino,
            vertex=placed.vertex,
            decay=placed.decay,
            where={
                "volume": placed.volume,
                "material": placed.material,
                "decay_volume": placed.decay_volume,
                "region": placed.leaf,
            },
            factors=factors,
            invariants=state.invariants,
            process=reactions.processes[process].interaction.name,
            part=part_index[reactions.part[reaction]],
            target=nuclide,
            keep=keep,
            rotation=placement.rotation,
        )
