"""Which particle has to decay in the region, and through which channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.constants import HBARC
from siren_py.errors import ConfigError, UnknownNameError, unknown_name
from siren_py.injection.layout_kernels import signal_flights
from siren_py.processes.base import Decay, Interaction, canonical_channel


@runtime_checkable
class ModelLike(Protocol):
    """What the engine asks of a model: which process belongs to which particle."""

    @property
    def particle_masses(self) -> Mapping[int, float]:
        """Masses [GeV] of the particles that the model adds, by PDG code."""
        ...

    def interactions(self, pdg: int) -> Sequence[Interaction]:
        """Interactions of a particle with nuclei; empty if it has none."""
        ...

    def decays(self, pdg: int) -> Sequence[Decay]:
        """Decays of a particle; empty if it is stable."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Parameters, for the provenance."""
        ...


@dataclass(frozen=True)
class Choice:
    """One way in which the signal particle may decay.

    Attributes
    ----------
    decay, channel
        The process and its channel.
    number
        Index of the channel among all channel names of the run.
    probability
        Probability with which the run chooses it.
    factor
        Branching ratio over `probability`.
    """

    decay: Decay
    channel: str
    number: int
    probability: float
    factor: float


@dataclass(frozen=True)
class Signal:
    """The decay that has to lie in the region.

    Attributes
    ----------
    choices
        Possible decays by PDG code of the particle; empty if the interaction itself counts.
    rest_length
        hbar c over total width [cm] by PDG code.
    masses
        Masses [GeV] by PDG code.
    channels
        Names of all channels in use.
    """

    choices: Mapping[int, tuple[Choice, ...]]
    rest_length: Mapping[int, float]
    masses: Mapping[int, float]
    channels: tuple[str, ...]

    @property
    def pdgs(self) -> IntArray:
        """PDG codes of the particles whose decay counts."""
        return np.array(sorted(self.choices), dtype=np.int64)

    @property
    def prompt(self) -> bool:
        """Whether the interaction itself has to lie in the region."""
        return not self.choices

    @classmethod
    def of(cls, model: ModelLike, channel: str | None) -> Signal:
        """Find the particles of a model that decay through `channel` (any channel for None).

        Raises
        ------
        UnknownNameError
            If no particle of the model has this channel.
        ConfigError
            If a width is not positive and finite, or a channel is wanted of a model without
            decays.
        """
        decaying = {pdg: list(model.decays(pdg)) for pdg in model.particle_masses}
        decaying = {pdg: decays for pdg, decays in decaying.items() if decays}
        known = sorted({c for decays in decaying.values() for d in decays for c in d.channels})
        if not decaying:
            if channel is None:
                return cls({}, {}, {}, ())
            raise ConfigError(
                f"The decay {channel!r} was asked for, but no particle of the model decays. "
                "Leave `decay` out: then the interactions in the region count."
            )
        if channel is not None:
            try:
                channel = canonical_channel(channel, known)
            except UnknownNameError:
                # A channel that exists but is closed at this mass has an error of its own.
                for decays in decaying.values():
                    for decay in decays:
                        with suppress(UnknownNameError):
                            decay.width(channel)
                raise
        names = tuple(known) if channel is None else (channel,)
        choices: dict[int, tuple[Choice, ...]] = {}
        rest_length: dict[int, float] = {}
        for pdg, decays in decaying.items():
            total = sum(float(d.width()) for d in decays)
            if not (np.isfinite(total) and total > 0.0):
                raise ConfigError(
                    f"The total width of particle {pdg} is {total!r} GeV; a decay can only be "
                    "simulated for a positive, finite width. Check the couplings of the model."
                )
            rest_length[pdg] = HBARC / total
            found = [
                (d, c, float(d.width(c)) / total)
                for d in decays
                for c in d.channels
                if channel is None or c == channel
            ]
            found = [row for row in found if row[2] > 0.0]
            share = sum(b for _, _, b in found)
            if found:
                choices[pdg] = tuple(
                    Choice(d, c, names.index(c), b / share, share) for d, c, b in found
                )
        if not choices:
            raise unknown_name("open decay channel", channel, known)
        masses = {pdg: float(model.particle_masses[pdg]) for pdg in choices}
        return cls(choices, rest_length, masses, names)

    def flights(
        self,
        pdg: IntArray,
        momenta: FloatArray,
        slot: IntArray,
        found: BoolArray,
        direction: FloatArray,
        length: FloatArray,
    ) -> None:
        """Find the particles whose decay counts among outgoing ones, see `signal_flights`."""
        codes = self.pdgs
        signal_flights(
            np.ascontiguousarray(pdg, dtype=np.int64),
            np.ascontiguousarray(momenta, dtype=np.float64),
            codes,
            np.array([self.masses[int(code)] for code in codes]),
            np.array([self.rest_length[int(code)] for code in codes]),
            slot,
            found,
            direction,
            length,
        )

    def typical_length(self, energy: FloatArray) -> FloatArray:
        """Decay length [cm] of a particle that takes all of the energy [GeV]; for proposals."""
        if self.prompt:
            return np.zeros(np.shape(energy))
        code = next(iter(self.choices))
        mass = self.masses[code]
        p = np.sqrt(np.maximum(energy**2 - mass**2, 1e-12 * mass**2))
        return p / mass * self.rest_length[code]


def check_model(model: object) -> ModelLike:
    """Return `model` if it has what the engine needs.

    Raises
    ------
    ConfigError
        If it lacks a method; the text names it.
    """
    for name in ("particle_masses", "interactions", "decays", "to_dict"):
        if not hasattr(model, name):
            raise ConfigError(
                f"A model needs `particle_masses`, `interactions(pdg)`, `decays(pdg)` and "
                f"`to_dict()`; {type(model).__name__} lacks {name!r}. Use siren_py.DipolePortal, "
                "or siren_py.models.Model for processes of your own."
            )
    return model  # type: ignore[return-value]


def draw_choice(choices: Sequence[Choice], n: int, rng: np.random.Generator) -> IntArray:
    """Draw which of the choices each of n events takes, (n,)."""
    if len(choices) == 1:
        return np.zeros(n, dtype=np.int64)
    edges = np.cumsum([c.probability for c in choices])
    return np.minimum(
        np.searchsorted(edges / edges[-1], rng.random(n), side="right"), len(choices) - 1
    ).astype(np.int64)
