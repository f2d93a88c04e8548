"""The model of a heavy neutral lepton that mixes with neutrinos and may have a dipole, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any, ClassVar

from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import HBARC, SPEED_OF_LIGHT
from siren_py.errors import ConfigError, KinematicsError, UnknownNameError, unknown_name
from siren_py.models import HNL_PDG, DipolePortal, flown_length, parameters_of
from siren_py.notebook.views import ModelViews
from siren_py.processes import mixing_decay
from siren_py.processes.base import Decay, Interaction, canonical_channel
from siren_py.processes.dipole_decay import CHANNELS as DIPOLE_CHANNELS
from siren_py.processes.dipole_decay import LEPTONS, NATURES, PHOTON_CHANNEL
from siren_py.processes.mixing_decay import MixingDecay
from siren_py.processes.mixing_widths import SIN2_THETA_W

_MIXINGS = ("U_e2", "U_mu2", "U_tau2")
_DIPOLES = ("d_e", "d_mu", "d_tau")
CHANNELS = tuple(dict.fromkeys((*mixing_decay.CHANNELS, *DIPOLE_CHANNELS)))
"""All decay channels, by mixing and by dipole."""


@dataclass(frozen=True, repr=False)
class MassMixing(ModelViews):
    """A heavy neutral lepton N that mixes with the neutrinos, with or without dipole moments.

    N is made in decays of mesons (its flux is that of `siren_py.flux.mesons`; the mixing of the
    production is in the flux) and decays by mixing and, where d is not zero, by the dipole to
    nu gamma and nu l+ l-. Widths add up: the two amplitudes flip and keep the helicity of the
    neutrino, their interference in nu l+ l- is left out. Neutrino fluxes scatter to N by
    the dipole alone, as in `siren_py.DipolePortal`.

    With U and d this is the model of C. A. Arguelles, N. Foppiani and M. Hostert, Phys. Rev. D
    105, 095006 (2022), arXiv:2109.03831, in which N is made by mixing and decays by its dipole.

    Parameters
    ----------
    mass
        Mass of N [GeV], up to that of the eta.
    U_e2, U_mu2, U_tau2
        Squared mixings |U_a4|^2, at least one above zero.
    nature
        "dirac" or "majorana".
    d_e, d_mu, d_tau
        Dipole couplings [1/GeV], L = d nubar sigma N F.
    sin2_theta_w
        Weak mixing angle in the decays to charged leptons.

    Raises
    ------
    ConfigError
        If a number is not finite or out of range, or no mixing is above zero.
    KinematicsError
        If N is heavier than the eta.
    UnknownNameError
        If the nature does not exist.

    Examples
    --------
    >>> model = MassMixing(mass=0.25, U_mu2=1e-9)
    >>> model.channels
    ('nu nu nu', 'nu e+ e-', 'nu mu+ mu-', 'nu mu- e+', 'nu pi0', 'mu- pi+')
    >>> f"{model.branching_ratio('mu- pi+'):.4f}"
    '0.1599'
    """

    mass: float
    U_e2: float = 0.0
    U_mu2: float = 0.0
    U_tau2: float = 0.0
    nature: str = "dirac"
    d_e: float = 0.0
    d_mu: float = 0.0
    d_tau: float = 0.0
    sin2_theta_w: float = SIN2_THETA_W

    name: ClassVar[str] = "mass-mixing"
    citations: ClassVar[tuple[str, ...]] = (
        "gorbunov2007", "ballett2020", "coloma2021", "arguelles2022", *DipolePortal.citations,
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.nature not in NATURES:
            raise unknown_name("nature", self.nature, NATURES)
        for key in ("mass", *_MIXINGS, *_DIPOLES, "sin2_theta_w"):
            value = getattr(self, key)
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = float("nan")
            if not isfinite(number):
                raise ConfigError(f"{key} must be a finite number; it is {value!r}.")
            object.__setattr__(self, key, number)
        # The process checks the remaining arguments.
        self._mixing(HNL_PDG)

    # ------------------------------------------------------------------ processes

    def _mixing(self, pdg: int) -> MixingDecay:
        return MixingDecay(
            self.mass,
            self.U_e2,
            self.U_mu2,
            self.U_tau2,
            self.nature,
            antiparticle=pdg < 0,
            sin2_theta_w=self.sin2_theta_w,
        )

    def _dipole(self) -> DipolePortal | None:
        if not any(getattr(self, key) for key in _DIPOLES):
            return None
        return DipolePortal(self.mass, self.d_e, self.d_mu, self.d_tau, nature=self.nature)

    def interactions(self, pdg: int) -> list[Interaction]:
        """Interactions of an incoming `pdg`: dipole upscattering of neutrinos, if there is d."""
        dipole = self._dipole()
        return [] if dipole is None else dipole.interactions(pdg)

    def decays(self, pdg: int) -> list[Decay]:
        """Decays of the particle `pdg`; empty unless it is N or its antiparticle."""
        if abs(int(pdg)) != HNL_PDG:
            return []
        dipole = self._dipole()
        return [self._mixing(int(pdg)), *([] if dipole is None else dipole.decays(pdg))]

    @property
    def particle_masses(self) -> dict[int, float]:
        """Masses [GeV] of the particles that the model adds, by PDG code."""
        return {HNL_PDG: self.mass, -HNL_PDG: self.mass}

    # ------------------------------------------------------------------ decay of N

    @property
    def channels(self) -> tuple[str, ...]:
        """The open decay channels of N; those of its antiparticle are the conjugates."""
        found = {c for decay in self.decays(HNL_PDG) for c in decay.channels}
        return tuple(c for c in CHANNELS if c in found)

    def width(self, channel: str | None = None, *, pdg: int = HNL_PDG) -> float:
        """Partial width [GeV]; the total width for None.

        Parameters
        ----------
        channel
            Name of the channel.
        pdg
            5914 for N, -5914 for its antiparticle: a Dirac N has l- P+ and not l+ P-.

        Raises
        ------
        KinematicsError
            If the channel is closed; the text gives its threshold.
        UnknownNameError
            If there is no such channel.
        """
        decays = self.decays(pdg)
        if channel is None:
            return sum(decay.width() for decay in decays)
        name = self.canonical_channel(channel)
        total, known = 0.0, False
        for decay in decays:
            try:
                total += decay.width(name)
                known = True
            except UnknownNameError:
                # Of the two kinds of decay only one may have this channel.
                continue
        if known or name == PHOTON_CHANNEL:
            return total
        raise KinematicsError(
            f"The channel {name!r} is closed for a mass of {self.mass:g} GeV: its threshold is "
            f"{2.0 * LEPTONS[name][1]:.9g} GeV. Open: {', '.join(self.channels)}."
        )

    def branching_ratio(self, channel: str, *, pdg: int = HNL_PDG) -> float:
        """Share of the decays that go to `channel`, summed over flavours; see `width`.

        Parameters
        ----------
        channel, pdg
            As for `width`.

        Raises
        ------
        KinematicsError, UnknownNameError
            As for `width`.
        """
        return self.width(channel, pdg=pdg) / self.width(pdg=pdg)

    @property
    def lifetime(self) -> float:
        """Mean proper lifetime of N [ns]."""
        return HBARC / SPEED_OF_LIGHT / self.width()

    def decay_length(self, energy: ArrayLike) -> FloatArray:
        """Mean decay length beta gamma c tau [cm] of N of total energy `energy` [GeV], any shape.

        Raises
        ------
        KinematicsError
            If an energy is below the mass or not finite.
        """
        return flown_length(self.mass, self.width(), energy)

    @staticmethod
    def canonical_channel(channel: str) -> str:
        """Canonical spelling of a decay channel, whatever its blanks.

        Raises
        ------
        UnknownNameError
            If there is no such channel.
        """
        return canonical_channel(channel, CHANNELS)

    # ------------------------------------------------------------------ variants and records

    def with_coupling(
        self,
        *,
        U_e2: float | None = None,
        U_mu2: float | None = None,
        U_tau2: float | None = None,
        d_e: float | None = None,
        d_mu: float | None = None,
        d_tau: float | None = None,
    ) -> MassMixing:
        """Return the same model with other couplings; those not given stay.

        Parameters
        ----------
        U_e2, U_mu2, U_tau2
            Squared mixings.
        d_e, d_mu, d_tau
            Dipole couplings [1/GeV].
        """
        given = {
            "U_e2": U_e2, "U_mu2": U_mu2, "U_tau2": U_tau2,
            "d_e": d_e, "d_mu": d_mu, "d_tau": d_tau,
        }  # fmt: skip
        return replace(self, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Everything that defines the model, as plain values: the inverse of `from_dict`."""
        return {"name": self.name, **asdict(self)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> MassMixing:
        """Build the model from what `to_dict` returned.

        Parameters
        ----------
        record
            Plain data.

        Raises
        ------
        ConfigError
            If it describes another model, or the mass is missing.
        UnknownNameError
            If it has an entry that the model does not know.
        """
        return cls(**parameters_of(cls, record, "mass-mixing model"))

    def __repr__(self) -> str:
        parts = [f"mass={self.mass:g}"]
        parts += [f"{k}={getattr(self, k):g}" for k in (*_MIXINGS, *_DIPOLES) if getattr(self, k)]
        parts.append(f"nature={self.nature!r}")
        if self.sin2_theta_w != SIN2_THETA_W:
            parts.append(f"sin2_theta_w={self.sin2_theta_w:g}")
        return f"MassMixing({', '.join(parts)})"
