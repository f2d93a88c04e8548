"""Models: which particles there are beyond the Standard Model, and what each of them can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from siren_py import plugins
from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import BOHR_MAGNETON, HBARC, SPEED_OF_LIGHT
from siren_py.errors import ConfigError, KinematicsError, unknown_name
from siren_py.notebook.views import ModelViews
from siren_py.processes.base import Decay, Interaction, canonical_channel
from siren_py.processes.dipole import DipoleUpscattering
from siren_py.processes.dipole_decay import CHANNELS, CONVENTIONS, NATURES, DipoleDecay

HNL_PDG = 5914
"""PDG code of the heavy neutral lepton N; the antiparticle of a Dirac N has the negative."""

_COUPLING_OF = {12: "d_e", 14: "d_mu", 16: "d_tau"}
_DARKNEWS_NOTE = (
    "DarkNews 0.4.8 for comparison only: mu_tr = 2 d; widths 0.5 (nu gamma), 0.25 (Dirac nu l l) "
    "and 0.125 (Majorana nu l l) of the correct ones; reversed sign of the Dirac asymmetry; "
    "Majorana nu l l not isotropic; no Pauli blocking; no neutrons; dipole nucleon form factors"
)


def coupling_from_mu_tr(mu_tr: float) -> float:
    """Coupling d [1/GeV] of a transition moment `mu_tr` = 2 d [1/GeV] of DarkNews.

    Examples
    --------
    >>> coupling_from_mu_tr(2.5e-6)
    1.25e-06
    """
    return 0.5 * mu_tr


def coupling_from_bohr_magnetons(moment: float) -> float:
    """Coupling d [1/GeV] of a transition `moment` in Bohr magnetons, H = (mu/2) nubar sigma N F.

    d = mu / 2 with mu_B = e / (2 m_e) = 296.3 / GeV: 6.75e-9 mu_B is d = 1e-6 / GeV.

    Examples
    --------
    >>> f"{coupling_from_bohr_magnetons(6.75e-9):.3g}"
    '1e-06'
    """
    return 0.5 * moment * BOHR_MAGNETON


def flown_length(mass: float, width: float, energy: ArrayLike) -> FloatArray:
    """Mean decay length beta gamma c tau [cm] of a particle at total energies [GeV], any shape.

    Parameters
    ----------
    mass, width
        Mass and total width [GeV].
    energy
        Energies [GeV].

    Raises
    ------
    KinematicsError
        If an energy is below the mass or not finite.
    """
    e = np.asarray(energy, dtype=np.float64)
    bad = ~((e >= mass) & (e < np.inf))
    if bad.any():
        raise KinematicsError(
            f"N of mass {mass:g} GeV cannot have the energy {e[bad].flat[0]!r} GeV: "
            "energies must be finite and not below the mass."
        )
    momentum = np.sqrt((e - mass) * (e + mass))
    return np.asarray(momentum / mass * (HBARC / width))


def parameters_of(
    cls: type[Any], record: Mapping[str, Any], words: str, others: Sequence[str] = ("name",)
) -> dict[str, Any]:
    """Return the parameters of a model from its record; `others` are entries that are none.

    Raises
    ------
    ConfigError
        If it describes another model, or the mass is missing.
    UnknownNameError
        If it has an entry that the model does not know.
    """
    given = {k: v for k, v in record.items() if k not in others}
    if record.get("name", cls.name) != cls.name:
        raise ConfigError(f"This is a record of the model {record['name']!r}, not {cls.name!r}.")
    known = [f.name for f in fields(cls)]
    for key in given:
        if key not in known:
            raise unknown_name(f"parameter of the {words}", key, known)
    if "mass" not in given:
        raise ConfigError(f"The record of a {words} lacks the mass of N.")
    return given


class Model(ModelViews):
    """Processes of one's own, put together: which particle interacts and decays how.

    Parameters
    ----------
    interactions
        Interactions by PDG code of the incoming particle.
    decays
        Decays by PDG code of the parent.
    masses
        Masses [GeV] of the particles that the model adds, by PDG code: all that decay.
    name
        Name, for the provenance.
    followed
        PDG codes of further particles whose interactions with matter are simulated when they
        come out of a vertex.

    Raises
    ------
    ConfigError
        If a particle decays but has no mass.

    Examples
    --------
    >>> Model({}, {}, name="nothing happens").interactions(14)
    []
    """

    def __init__(
        self,
        interactions: Mapping[int, Sequence[Interaction]],
        decays: Mapping[int, Sequence[Decay]] | None = None,
        masses: Mapping[int, float] | None = None,
        *,
        name: str = "own model",
        followed: Sequence[int] = (),
    ) -> None:
        self._interactions = {int(k): list(v) for k, v in interactions.items()}
        self._decays = {int(k): list(v) for k, v in (decays or {}).items()}
        self.particle_masses = {int(k): float(v) for k, v in (masses or {}).items()}
        self.name = name
        self.followed = tuple(int(p) for p in followed)
        for pdg in self._decays:
            if not self.particle_masses.get(pdg, 0.0) > 0.0:
                raise ConfigError(
                    f"Particle {pdg} of the model {name!r} decays, so it needs a mass above zero: "
                    f"masses={{{pdg}: ...}} [GeV]."
                )

    def interactions(self, pdg: int) -> list[Interaction]:
        """Interactions of the particle `pdg` with nuclei; empty if it has none."""
        return self._interactions.get(int(pdg), [])

    def decays(self, pdg: int) -> list[Decay]:
        """Decays of the particle `pdg`; empty if it is stable."""
        return self._decays.get(int(pdg), [])

    def to_dict(self) -> dict[str, Any]:
        """Name, masses and the names of the processes, for the provenance."""
        return {
            "name": self.name,
            "masses": {str(k): v for k, v in self.particle_masses.items()},
            "interactions": {str(k): [i.name for i in v] for k, v in self._interactions.items()},
            "decays": {str(k): [d.name for d in v] for k, v in self._decays.items()},
        }

    def __repr__(self) -> str:
        return f"Model({self.name!r})"


@dataclass(frozen=True, kw_only=True)
class _Options:
    """Choices that `DipolePortal` passes to `DipoleUpscattering`."""

    nucleon_form_factors: str
    pauli_blocking: bool
    neutrons: bool
    nuclear_form_factor: str
    fermi_momentum: float | None


_DEFAULTS = {
    "standard": _Options(
        nucleon_form_factors="kelly",
        pauli_blocking=True,
        neutrons=True,
        nuclear_form_factor="measured",
        fermi_momentum=None,
    ),
    "darknews": _Options(
        nucleon_form_factors="dipole",
        pauli_blocking=False,
        neutrons=False,
        nuclear_form_factor="measured",
        fermi_momentum=None,
    ),
}


@dataclass(frozen=True, repr=False)
class DipolePortal(ModelViews):
    """A heavy neutral lepton N coupled to neutrinos by transition magnetic moments.

    L = sum_alpha d_alpha nubar_alpha,L sigma_{mu nu} N_R F^{mu nu} + h.c., without a factor 1/2.
    N is made by upscattering of neutrinos of each flavour with d_alpha != 0 and decays to
    nu gamma and, through a virtual photon, to nu l+ l-.

    With ``conventions="darknews"`` DarkNews 0.4.8 is reproduced as far as its definitions go, for
    comparison only. There mu_tr = 2 d (convert with `coupling_from_mu_tr`); widths are 0.5
    (nu gamma), 0.25 (Dirac nu l l) and 0.125 (Majorana nu l l) of the correct ones; the Dirac
    asymmetry has the opposite sign; Majorana nu l l is not isotropic; nucleons are not blocked,
    neutrons do not scatter, and protons have dipole form factors. Its programming errors are not
    reproduced, nor its treatment of every nucleus as a spin-1/2 particle (1e-4 at most).

    Parameters
    ----------
    mass
        Mass of N [GeV].
    d_e, d_mu, d_tau
        Couplings [1/GeV]; at least one differs from zero.
    nature
        "dirac" or "majorana".
    conventions
        "standard" or "darknews".
    nucleon_form_factors, pauli_blocking, neutrons, nuclear_form_factor, fermi_momentum
        Passed to `DipoleUpscattering`; None means the default of the conventions.

    Raises
    ------
    ConfigError
        If the mass is not positive, a coupling is not finite or all are zero.
    UnknownNameError
        If the nature, the conventions or a form factor does not exist.

    Examples
    --------
    >>> model = DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> model.channels
    ('nu gamma', 'nu e+ e-')
    >>> f"{model.decay_length(1.0) / 100:.1f} m"
    '163.8 m'
    """

    mass: float
    d_e: float = 0.0
    d_mu: float = 0.0
    d_tau: float = 0.0
    nature: str = "dirac"
    conventions: str = "standard"
    nucleon_form_factors: str | None = None
    pauli_blocking: bool | None = None
    neutrons: bool | None = None
    nuclear_form_factor: str | None = None
    fermi_momentum: float | None = None

    name: ClassVar[str] = "dipole-portal"
    citations: ClassVar[tuple[str, ...]] = (
        "magill2018", "miranda2021", "liu2024", "kelly2004", "devries1987", "moniz1971",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.nature not in NATURES:
            raise unknown_name("nature", self.nature, NATURES)
        if self.conventions not in CONVENTIONS:
            raise unknown_name("set of conventions", self.conventions, CONVENTIONS)
        for key in ("mass", "d_e", "d_mu", "d_tau"):
            value = getattr(self, key)
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = float("nan")
            if not isfinite(number):
                raise ConfigError(f"{key} must be a finite number; it is {value!r}.")
            object.__setattr__(self, key, number)
        for option in fields(_Options):
            if getattr(self, option.name) is None:
                default = getattr(_DEFAULTS[self.conventions], option.name)
                object.__setattr__(self, option.name, default)
        # The processes check the remaining arguments.
        self._decay()
        self._upscattering(1.0, 1)

    # ------------------------------------------------------------------ processes

    def _decay(self) -> DipoleDecay:
        return DipoleDecay(
            self.mass, self.d_e, self.d_mu, self.d_tau, self.nature, self.conventions
        )

    def _upscattering(self, d: float, sign: int) -> DipoleUpscattering:
        options = {o.name: getattr(self, o.name) for o in fields(_Options)}
        # A Majorana N has one code; its polarisation remembers what it was made from.
        pdg = HNL_PDG if sign > 0 or self.nature == "majorana" else -HNL_PDG
        return DipoleUpscattering(self.mass, d, outgoing_pdg=pdg, helicity=sign, **options)

    def interactions(self, pdg: int) -> list[Interaction]:
        """Interactions of an incoming `pdg`; empty unless it is a neutrino that couples."""
        key = _COUPLING_OF.get(abs(int(pdg)))
        d = getattr(self, key) if key is not None else 0.0
        return [self._upscattering(d, 1 if pdg > 0 else -1)] if d != 0.0 else []

    def decays(self, pdg: int) -> list[Decay]:
        """Decays of the particle `pdg`; empty unless it is N or its antiparticle."""
        return [self._decay()] if abs(int(pdg)) == HNL_PDG else []

    @property
    def particle_masses(self) -> dict[int, float]:
        """Masses [GeV] of the particles that the model adds, by PDG code."""
        return {HNL_PDG: self.mass, -HNL_PDG: self.mass}

    # ------------------------------------------------------------------ decay of N

    @property
    def channels(self) -> tuple[str, ...]:
        """The open decay channels."""
        return self._decay().channels

    def width(self, channel: str | None = None) -> float:
        """Partial width of N [GeV] to `channel`; the total width for None.

        Raises
        ------
        KinematicsError
            If the channel is closed; the text gives its threshold.
        UnknownNameError
            If there is no such channel.
        """
        return self._decay().width(channel)

    def branching_ratio(self, channel: str) -> float:
        """Share of the decays that go to `channel`, summed over flavours.

        Raises
        ------
        KinematicsError
            If the channel is closed; the text gives its threshold.
        UnknownNameError
            If there is no such channel.
        """
        return self.width(channel) / self.width()

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
        self, *, d_e: float | None = None, d_mu: float | None = None, d_tau: float | None = None
    ) -> DipolePortal:
        """Return the same model with other `d_e`, `d_mu`, `d_tau` [1/GeV]; the rest stays."""
        given = {"d_e": d_e, "d_mu": d_mu, "d_tau": d_tau}
        return replace(self, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Everything that defines the model, as plain values: the inverse of `from_dict`."""
        record: dict[str, Any] = {"name": self.name, **asdict(self)}
        if self.conventions == "darknews":
            record["note"] = _DARKNEWS_NOTE
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> DipolePortal:
        """Build the model from a `record` that `to_dict` returned.

        Raises
        ------
        ConfigError
            If it describes another model, or the mass is missing.
        UnknownNameError
            If it has an entry that the model does not know.
        """
        return cls(**parameters_of(cls, record, "dipole portal", ("name", "note")))

    def __repr__(self) -> str:
        parts = [f"mass={self.mass:g}"]
        parts += [f"{k}={getattr(self, k):g}" for k in _COUPLING_OF.values() if getattr(self, k)]
        parts.append(f"nature={self.nature!r}")
        if self.conventions != "standard":
            parts.append(f"conventions={self.conventions!r}")
        defaults = _DEFAULTS[self.conventions]
        for option in fields(_Options):
            value = getattr(self, option.name)
            if value != getattr(defaults, option.name):
                parts.append(f"{option.name}={value!r}")
        return f"DipolePortal({', '.join(parts)})"


MODELS: Mapping[str, str] = {
    "dipole-portal": "siren_py.models:DipolePortal",
    "mass-mixing": "siren_py.models_mixing:MassMixing",
}
"""Name of each model of siren_py, which is the name in its record, and its class."""

_OWN_MODELS = (
    "A file keeps only the names of processes of one's own; models that can be read back are "
    "those of siren_py and of plug-ins (siren_py.plugins)."
)


def model_names() -> list[str]:
    """Return the names of all models that `load_model` knows, sorted.

    Examples
    --------
    >>> model_names()
    ['dipole-portal', 'mass-mixing']
    """
    return plugins.names("models", MODELS)


def load_model(name: str, **parameters: Any) -> Any:
    """Make a model by its name.

    Parameters
    ----------
    name
        Name, see `model_names`: one of siren_py, or of a plug-in (`siren_py.plugins`).
    **parameters
        Parameters of the model, e.g. ``mass=0.1`` [GeV], ``d_mu=1e-7`` [1/GeV].

    Returns
    -------
    ModelLike
        The model.

    Raises
    ------
    UnknownNameError
        If there is no model of this name, or it has no such parameter.
    ConfigError
        If a parameter is missing or cannot be used, or a plug-in does not deliver a model.

    Examples
    --------
    >>> load_model("dipole-portal", mass=0.1, d_mu=1e-6)
    DipolePortal(mass=0.1, d_mu=1e-06, nature='dirac')
    """
    return model_from_dict({**parameters, "name": name})


def model_from_dict(record: Mapping[str, Any]) -> Any:
    """Build a model from the `record` that a file keeps of it.

    Raises
    ------
    UnknownNameError
        If no model has the name of the record; so it is if the model was put together from a
        user's own processes, of which only names are kept.
    ConfigError
        If the parameters cannot be used, or a plug-in does not deliver a model.

    Examples
    --------
    >>> model_from_dict(DipolePortal(mass=0.1, d_mu=1e-6).to_dict()).d_mu
    1e-06
    """
    name = str(record.get("name"))
    maker = plugins.find("models", name, MODELS, _OWN_MODELS)
    parameters = {key: value for key, value in record.items() if key != "name"}
    if hasattr(maker, "from_dict"):
        # The class compares the name letter by letter.
        whole = {**record, "name": getattr(maker, "name", name)}
        maker, parameters = partial(maker.from_dict, whole), {}
    model = plugins.make("models", name, maker, parameters)
    needed = ("interactions", "decays", "particle_masses", "to_dict")
    plugins.check_methods(f"model {plugins.dashed(name)!r}", model, needed)
    return model
