"""Upscattering of a neutrino to a heavy neutral lepton through a transition magnetic moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import ClassVar

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import NEUTRON_MASS, PROTON_MASS
from siren_py.errors import ConfigError, KinematicsError, unknown_name
from siren_py.kinematics import q2_limits_kernel, threshold_energy
from siren_py.nuclei import Nuclide, nuclide
from siren_py.processes import dipole_kernels as kernels
from siren_py.processes import form_factors, nucleon, pauli
from siren_py.processes.base import FinalState, Interaction, Reaction
from siren_py.processes.dipole_tables import BoundDipole

PARTS = ("coherent", "proton", "neutron")
"""Parts of the cross section of a nucleus."""

_PROTON_PDG, _NEUTRON_PDG = 2212, 2112
_COHERENT_CUT = 4.0  # (2 GeV)^2: beyond it nuclear form factors contribute less than 1e-9
_NUCLEON_CUT = 25.0  # (5 GeV)^2: beyond it nucleon form factors contribute less than 1e-6
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_PANELS = 48


def _match(*arrays: ArrayLike) -> tuple[tuple[int, ...], list[FloatArray]]:
    """Broadcast; return the common shape and the flattened, contiguous arrays."""
    full = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in arrays))
    return full[0].shape, [np.ascontiguousarray(a).ravel() for a in full]


class DipoleUpscattering(Interaction):
    """Production nu + A -> N + A by photon exchange, L = d nubar_L sigma_{mu nu} N_R F^{mu nu}.

    The cross section of a nucleus is the sum of a coherent part (spinless nucleus with its charge
    form factor) and of elastic scattering on its protons and neutrons (Sachs form factors, Pauli
    blocking). Nucleons are taken at rest with their own masses: Fermi motion and binding, which
    smear the energy of N by a few percent near threshold, are neglected, and so are excitation of
    the nucleus, resonances and deep-inelastic scattering, and the magnetic moments of nuclei.
    Nuclear form factors count as zero above Q = 2 GeV, those of nucleons above 5 GeV.

    ``"H1"`` is a free proton (part "proton" alone, unblocked), ``"n"`` a free neutron. A part that
    a target does not have has the cross section 0 and an infinite threshold.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    d
        Coupling to the flavour of the incoming neutrino [1/GeV]; cross sections scale as d^2.
    nucleon_form_factors
        "kelly" (Phys. Rev. C 70, 068202 (2004)) or "dipole".
    pauli_blocking
        Whether nucleons in a nucleus feel the exclusion principle.
    neutrons
        Whether neutrons contribute.
    nuclear_form_factor
        "measured" (Fourier-Bessel where available) or "helm" throughout.
    fermi_momentum
        Fermi momentum [GeV] for all nuclei; None takes the measured ones, see
        `siren_py.processes.pauli.fermi_momentum`.
    outgoing_pdg
        PDG code given to N.
    helicity
        +1 for an incoming neutrino, -1 for an antineutrino: the sign of the polarisation.

    Raises
    ------
    ConfigError
        If the mass, the coupling, the Fermi momentum or the helicity makes no sense.
    UnknownNameError
        If there is no such form factor.

    Examples
    --------
    >>> process = DipoleUpscattering(0.1, 1e-6)
    >>> f"{process.total(1.0, 'C12', 'coherent'):.4g} cm2"
    '2.063e-39 cm2'
    """

    name = "dipole upscattering"
    coupling_power: ClassVar[int] = 2

    def __init__(
        self,
        mass: float,
        d: float,
        *,
        nucleon_form_factors: str = "kelly",
        pauli_blocking: bool = True,
        neutrons: bool = True,
        nuclear_form_factor: str = "measured",
        fermi_momentum: float | None = None,
        outgoing_pdg: int = 5914,
        helicity: int = 1,
    ) -> None:
        if not (isfinite(mass) and mass > 0.0):
            raise ConfigError(f"The mass of N must be positive [GeV]; it is {mass!r}.")
        if not isfinite(d):
            raise ConfigError(f"The coupling d must be a finite number [1/GeV]; it is {d!r}.")
        if fermi_momentum is not None and not (isfinite(fermi_momentum) and fermi_momentum >= 0.0):
            raise ConfigError(
                f"The Fermi momentum must not be negative [GeV]; it is {fermi_momentum!r}."
            )
        if helicity not in (1, -1):
            raise ConfigError(
                f"The helicity must be +1 (neutrino) or -1 (antineutrino); it is {helicity!r}."
            )
        if nuclear_form_factor not in form_factors.MODELS:
            raise unknown_name("nuclear form factor", nuclear_form_factor, form_factors.MODELS)
        if nucleon_form_factors not in nucleon.MODELS:
            raise unknown_name("set of nucleon form factors", nucleon_form_factors, nucleon.MODELS)
        self.mass = float(mass)
        self.d = float(d)
        self.nucleon_form_factors = nucleon_form_factors
        self.pauli_blocking = bool(pauli_blocking)
        self.neutrons = bool(neutrons)
        self.nuclear_form_factor = nuclear_form_factor
        self.fermi_momentum = None if fermi_momentum is None else float(fermi_momentum)
        self.outgoing_pdg = int(outgoing_pdg)
        self.helicity = int(helicity)
        self._species: dict[tuple[str, str], kernels.Species] = {}

    def __repr__(self) -> str:
        return (
            f"DipoleUpscattering(mass={self.mass:g}, d={self.d:g}, "
            f"nucleon_form_factors={self.nucleon_form_factors!r}, "
            f"pauli_blocking={self.pauli_blocking}, neutrons={self.neutrons}, "
            f"nuclear_form_factor={self.nuclear_form_factor!r}, "
            f"fermi_momentum={self.fermi_momentum}, outgoing_pdg={self.outgoing_pdg}, "
            f"helicity={self.helicity:+d})"
        )

    # ------------------------------------------------------------------ targets

    def _count(self, nucleus: Nuclide, part: str) -> float:
        """Factor of the squared form factors: Z^2, Z, N, or 0 where the part is absent."""
        if part == "proton":
            return float(nucleus.Z)
        if part == "neutron":
            return float(nucleus.A - nucleus.Z) if self.neutrons else 0.0
        return float(nucleus.Z**2) if nucleus.A > 1 else 0.0

    def species(self, reactions: Sequence[Reaction]) -> kernels.Species:
        """Collect what the kernels need to know of the targets, a row per reaction.

        Parameters
        ----------
        reactions
            The reactions.

        Raises
        ------
        UnknownNameError
            If a part does not exist.
        """
        rows = []
        for name, part in reactions:
            nucleus = nuclide(name)
            if part == "coherent":
                form = form_factors.charge_form(nucleus, self.nuclear_form_factor)
                rows.append((nucleus.mass, form, 0.0, _COHERENT_CUT, nucleus.pdg))
            elif part in PARTS:
                proton = part == "proton"
                code = nucleon.nucleon_code(part, self.nucleon_form_factors)
                fermi = 0.0
                if self.pauli_blocking and nucleus.A > 1:
                    fermi = (
                        pauli.fermi_momentum(nucleus.A)
                        if self.fermi_momentum is None
                        else self.fermi_momentum
                    )
                form = form_factors.ChargeForm(code, 0.0, np.zeros(0))
                mass = PROTON_MASS if proton else NEUTRON_MASS
                pdg = _PROTON_PDG if proton else _NEUTRON_PDG
                rows.append((mass, form, fermi, _NUCLEON_CUT, pdg))
            else:
                raise unknown_name("part of the cross section", part, (*PARTS, "all"))
        weights = np.zeros((len(rows), form_factors.MAX_COEFFICIENTS))
        for row, (_, form, *_rest) in zip(weights, rows, strict=True):
            row[: len(form.weights)] = form.weights
        masses = np.array([row[0] for row in rows], dtype=np.float64)
        return kernels.Species(
            mass=masses,
            factor=np.array([self._count(nuclide(name), part) for name, part in reactions]),
            code=np.array([row[1].code for row in rows], dtype=np.int64),
            scale=np.array([row[1].scale for row in rows], dtype=np.float64),
            weights=weights,
            terms=np.array([len(row[1].weights) for row in rows], dtype=np.int64),
            fermi=np.array([row[2] for row in rows], dtype=np.float64),
            q2_cut=np.array([row[3] for row in rows], dtype=np.float64),
            threshold=np.array([threshold_energy(self.mass, m) for m in masses]),
            pdg=np.array([row[4] for row in rows], dtype=np.int64),
        )

    def _one(self, target: str, part: str) -> kernels.Species:
        key = (target, part)
        if key not in self._species:
            self._species[key] = self.species([Reaction(target, part)])
        return self._species[key]

    def _parts(self, target: str, part: str) -> list[str]:
        """The parts that `part` stands for and that the target has."""
        nucleus = nuclide(target)
        if part != "all" and part not in PARTS:
            raise unknown_name("part of the cross section", part, (*PARTS, "all"))
        wanted = PARTS if part == "all" else (part,)
        return [p for p in wanted if self._count(nucleus, p) > 0.0]

    def reactions(self, nuclides: Sequence[str]) -> list[Reaction]:
        """The coherent, proton and neutron reactions that the nuclides have, in this order."""
        return [
            Reaction(nuclide(name).name, part)
            for name in nuclides
            for part in self._parts(name, "all")
        ]

    def threshold(self, target: str, part: str = "all") -> float:
        """Least energy of the neutrino [GeV], E = m + m^2/2M; infinite for an absent part."""
        return min(
            (
                threshold_energy(self.mass, float(self._one(target, p).mass[0]))
                for p in self._parts(target, part)
            ),
            default=float("inf"),
        )

    # ------------------------------------------------------------------ cross sections

    @staticmethod
    def _check_energy(energy: FloatArray) -> None:
        if not ((energy >= 0.0) & (energy < np.inf)).all():
            bad = energy[~((energy >= 0.0) & (energy < np.inf))][0]
            raise KinematicsError(
                f"Neutrino energies must be finite and not negative [GeV]; found {bad!r}."
            )

    def total(self, energy: ArrayLike, target: str, part: str = "all") -> FloatArray:
        """Total cross section per nucleus [cm2], to 1e-6 relative.

        Parameters
        ----------
        energy
            Energies of the neutrino [GeV], any shape.
        target
            Name of the nuclide, e.g. "C12", "H1", "n".
        part
            "coherent", "proton", "neutron" (all nucleons of this kind together) or "all".

        Returns
        -------
        FloatArray
            In the shape of `energy`; 0 below threshold.

        Raises
        ------
        KinematicsError
            If an energy is negative or not finite.
        UnknownNameError
            If the target or the part does not exist.
        """
        shape, (e,) = _match(energy)
        self._check_energy(e)
        out = np.zeros(e.size)
        for p in self._parts(target, part):
            kernels.total_all(e, self.mass, self._one(target, p), 0, _NODES, _WEIGHTS, _PANELS, out)
        return (out * self.d**2).reshape(shape)

    def differential(
        self, q2: ArrayLike, energy: ArrayLike, target: str, part: str = "all"
    ) -> FloatArray:
        """Differential cross section per nucleus, d sigma / d Q2 [cm2/GeV2].

        Parameters
        ----------
        q2
            Q2 [GeV2].
        energy
            Energies of the neutrino [GeV]; broadcast against `q2`.
        target, part
            As for `total`.

        Returns
        -------
        FloatArray
            In the common shape; 0 outside the kinematic range.

        Raises
        ------
        KinematicsError
            If an energy is negative or not finite, or a Q2 is not a number.
        UnknownNameError
            If the target or the part does not exist.
        """
        shape, (q, e) = self._points(q2, energy)
        total = np.zeros(e.size)
        zeros = np.zeros(e.size, dtype=np.int64)
        out = np.empty(e.size)
        for p in self._parts(target, part):
            kernels.differential_all(q, e, zeros, self.mass, self._one(target, p), out)
            total += out
        return (total * self.d**2).reshape(shape)

    def _points(self, q2: ArrayLike, energy: ArrayLike) -> tuple[tuple[int, ...], list[FloatArray]]:
        shape, (q, e) = _match(q2, energy)
        self._check_energy(e)
        if np.isnan(q).any():
            raise KinematicsError("Q2 must be a number [GeV2]; found NaN.")
        return shape, [q, e]

    def q2_range(
        self, energy: ArrayLike, target: str, part: str = "coherent"
    ) -> tuple[FloatArray, FloatArray]:
        """Kinematic limits (Q2min, Q2max) [GeV2], each in the shape of `energy`.

        Both are 0 below threshold and for a part that the target does not have; for "all" they
        enclose the ranges of the parts.

        Raises
        ------
        KinematicsError
            If an energy is negative or not finite.
        UnknownNameError
            If the target or the part does not exist.
        """
        shape, (e,) = _match(energy)
        self._check_energy(e)
        low, high = np.zeros(e.size), np.zeros(e.size)
        for p in self._parts(target, part):
            mass = float(self._one(target, p).mass[0])
            one = np.array([q2_limits_kernel(x, self.mass, mass) for x in e]).reshape(-1, 2)
            open_ = one[:, 1] > 0.0
            low = np.where(open_ & ((low == 0.0) | (one[:, 0] < low)), one[:, 0], low)
            high = np.maximum(high, one[:, 1])
        return low.reshape(shape), high.reshape(shape)

    def polarization(
        self, q2: ArrayLike, energy: ArrayLike, target: str, part: str = "coherent"
    ) -> FloatArray:
        """Polarisation (S_theta, S_y, S_L) of N, exact at lowest order.

        S_L is along the momentum of N (twice the mean helicity), S_theta in the plane of
        scattering at right angles to it and away from the beam, S_y = 0 normal to the plane. For
        "all" it is the mean over the parts, weighted with their differential cross sections.

        Parameters
        ----------
        q2, energy, target, part
            As for `differential`.

        Returns
        -------
        FloatArray
            (..., 3); 0 outside the kinematic range.

        Raises
        ------
        KinematicsError
            If an energy is negative or not finite, or a Q2 is not a number.
        UnknownNameError
            If the target or the part does not exist.
        """
        shape, (q, e) = self._points(q2, energy)
        parts = self._parts(target, part)
        mean = np.zeros((e.size, 3))
        norm = np.zeros(e.size)
        one = np.empty((e.size, 3))
        for p in parts:
            kernels.polarization_all(
                q, e, self.mass, float(self.helicity), self._one(target, p), 0, one
            )
            if len(parts) == 1:
                return one.reshape((*shape, 3))
            share = self.differential(q, e, target, p)
            mean += share[:, None] * one
            norm += share
        np.divide(mean, norm[:, None], out=mean, where=norm[:, None] > 0.0)
        return mean.reshape((*shape, 3))

    # ------------------------------------------------------------------ sampling

    def evaluate(
        self, energy: FloatArray, target: str, part: str, invariants: Mapping[str, FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """Density [1/GeV2] of invariants["q2"] in `sample` and d sigma/d Q2 [cm2/GeV2], each (n,).

        `part` is a single part, not "all".

        Raises
        ------
        KinematicsError, UnknownNameError
            As for `differential`.
        """
        e = np.asarray(energy, dtype=np.float64)
        differential = self.differential(invariants["q2"], e, target, part)
        if not e.size or not self._parts(target, part):
            return np.zeros(e.size), differential
        bound = self.bind([Reaction(target, part)], float(e.min()), float(e.max()))
        return bound.density(np.zeros(e.size, dtype=np.int64), e, invariants), differential

    def proportion(self, other: Interaction) -> float | None:
        """(d / d')^2 if nothing but the coupling differs; None otherwise."""
        if not isinstance(other, DipoleUpscattering) or other.d == 0.0:
            return None
        same = all(
            getattr(self, key) == getattr(other, key)
            for key in (
                "mass",
                "nucleon_form_factors",
                "pauli_blocking",
                "neutrons",
                "nuclear_form_factor",
                "fermi_momentum",
                "helicity",
            )
        )
        return (self.d / other.d) ** 2 if same else None

    def bind(
        self, reactions: Sequence[Reaction], energy_min: float, energy_max: float
    ) -> BoundDipole:
        """Build the tables for a list of reactions and a range of energies [GeV].

        Raises
        ------
        ConfigError
            If the range is empty or not finite.
        UnknownNameError
            If a target or a part does not exist.
        """
        return BoundDipole(self, reactions, energy_min, energy_max)

    def sample(
        self, energy: FloatArray, target: str, part: str, rng: np.random.Generator
    ) -> FinalState:
        """Draw (N, recoil) for neutrinos along +z; for many targets `bind` is faster.

        Parameters
        ----------
        energy
            (n,) energies [GeV].
        target
            Name of the nuclide.
        part
            "coherent", "proton", "neutron", or "all": then each event draws its part, the weights
            keep the total cross section of the nucleus as their mean.
        rng
            Source of random numbers.

        Raises
        ------
        KinematicsError
            If an energy is not above the threshold.
        UnknownNameError
            If the target or the part does not exist.
        """
        _, (e,) = _match(energy)
        self._check_energy(e)
        reactions = [Reaction(target, p) for p in self._parts(target, part)]
        if not reactions:
            raise KinematicsError(f"{target} has no {part} cross section for this process.")
        low, high = (float(e.min()), float(e.max())) if e.size else (0.0, 1.0)
        bound = self.bind(reactions, low, high)
        choice = np.zeros(e.size, dtype=np.int64)
        if len(reactions) == 1:
            return bound.sample(choice, e, rng)
        totals = np.array([bound.total(choice + i, e) for i in range(len(reactions))])
        cumulative = np.cumsum(totals, axis=0)
        choice = (rng.random(e.size) * cumulative[-1] >= cumulative).sum(axis=0)
        choice = np.minimum(choice, len(reactions) - 1)
        state = bound.sample(choice, e, rng)
        chosen = totals[choice, np.arange(e.size)]
        return state._replace(weight=state.weight * cumulative[-1] / chosen)
