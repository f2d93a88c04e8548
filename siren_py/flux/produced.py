"""Fluxes that a model makes in the beam: N from the mesons that also make the neutrinos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from siren_py.errors import ConfigError, unknown_name
from siren_py.flux.heavy import HeavyNeutrinoFlux

PREFIX = "mesons"
METHODS = ("redecay", "scaled")
PARENTS = ("K+", "K-", "pi+", "pi-")
LEPTONS = ("e", "mu")

_MIXING = {"e": "U_e2", "mu": "U_mu2"}
_OFF_AXIS = 0.03564
"""Angle between ND280 and the beam [rad]: 2.042 degrees (T2K's flux releases)."""


@dataclass(frozen=True)
class ProducedFlux:
    """Heavy neutral leptons from one kind of meson of the T2K beam, for whatever model.

    Mass, mixing and nature are those of the model that it is simulated with, so that it serves a
    scan over masses and mixings. Where a flux can be given by its name, it is
    ``"mesons:MODE:PARENT:LEPTON:METHOD"``, e.g. ``"mesons:fhc:K+:mu"``.

    Parameters
    ----------
    parent
        ``"K+"``, ``"K-"``, ``"pi+"`` or ``"pi-"``.
    lepton
        Lepton made with N, ``"e"`` or ``"mu"``.
    method
        ``"redecay"``: mesons at the off-axis angle decay again, see
        `siren_py.flux.mesons.effective_parents`; ``"scaled"``: the neutrino flux times |U|^2 rho
        at equal energy, as in the literature.
    mode
        Mode of the beam; the flux by parent is known for ``"fhc"``.

    Raises
    ------
    UnknownNameError
        If parent, lepton or method does not exist.

    Examples
    --------
    >>> from siren_py.models_mixing import MassMixing
    >>> flux = ProducedFlux("K+", "mu").for_model(MassMixing(mass=0.3, U_mu2=1e-9))
    >>> print(f"{flux.mean_energy:.2f} GeV")
    3.01 GeV
    """

    parent: str
    lepton: str
    method: str = "redecay"
    mode: str = "fhc"

    def __post_init__(self) -> None:
        for kind, value, known in (
            ("meson", self.parent, PARENTS),
            ("lepton", self.lepton, LEPTONS),
            ("method", self.method, METHODS),
        ):
            if value not in known:
                raise unknown_name(kind, value, known)

    @classmethod
    def parse(cls, text: str) -> ProducedFlux:
        """Read ``mesons:MODE:PARENT:LEPTON[:METHOD]``.

        Raises
        ------
        ConfigError
            If the text has another form.
        UnknownNameError
            If a part of it does not exist.
        """
        prefix, *parts = text.split(":")
        if prefix != PREFIX or len(parts) not in (3, 4):
            raise ConfigError(
                f"{text!r} is not of the form {PREFIX}:MODE:PARENT:LEPTON or "
                f"{PREFIX}:MODE:PARENT:LEPTON:METHOD, e.g. 'mesons:fhc:K+:mu:redecay'."
            )
        mode, parent, lepton = parts[:3]
        return cls(parent, lepton, parts[3] if len(parts) == 4 else "redecay", mode)

    @property
    def name(self) -> str:
        """Name that can be parsed."""
        return f"{PREFIX}:{self.mode}:{self.parent}:{self.lepton}:{self.method}"

    def mixing(self, model: Any) -> float:
        """Return the |U|^2 of a model to which this flux is proportional.

        Raises
        ------
        ConfigError
            If the model has no such mixing.
        """
        key = _MIXING[self.lepton]
        if not hasattr(model, key):
            raise ConfigError(
                f"The flux {self.name!r} is made by mixing: it needs a model with {key}, e.g. "
                f"siren_py.MassMixing; {model!r} has none."
            )
        return float(getattr(model, key))

    def for_model(self, model: Any) -> HeavyNeutrinoFlux:
        """Return the flux of a model.

        Raises
        ------
        ConfigError
            If the model has no mixing, or the beam mode is not known by parent.
        KinematicsError
            If the meson cannot make so heavy an N.
        """
        from dataclasses import replace

        from siren_py.flux.mesons import (
            effective_parents,
            from_neutrino_flux,
            redecay,
            t2k_parent_flux,
        )

        u2 = self.mixing(model)
        if not u2 > 0.0:
            raise ConfigError(
                f"{_MIXING[self.lepton]} is zero in {model!r}, so {self.name!r} makes no N. Give "
                "it a value, or take the flux of the other lepton."
            )
        table = t2k_parent_flux(self.parent, mode=self.mode)
        options: dict[str, Any] = {"nature": model.nature, "name": self.name}
        if self.method == "scaled":
            flux = from_neutrino_flux(table, self.parent, self.lepton, model.mass, u2, **options)
        else:
            parents = effective_parents(table, self.parent, angle=_OFF_AXIS, outside="zero")
            flux = redecay(parents, self.lepton, model.mass, u2, mode=self.mode, **options)
        return replace(flux, production=self)
