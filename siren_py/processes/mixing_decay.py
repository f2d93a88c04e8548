"""Decays of a heavy neutral lepton through its mixing with neutrinos, with its polarisation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.constants import ELECTRON_MASS, MUON_MASS
from siren_py.errors import ConfigError, KinematicsError, unknown_name
from siren_py.particles import mass as particle_mass
from siren_py.processes import mixing_sampling as sampling
from siren_py.processes import mixing_widths as widths
from siren_py.processes.base import Decay, FinalState, canonical_channel
from siren_py.processes.dipole_decay import NATURES

_NEUTRINO = {"e": 12, "mu": 14, "tau": 16}
_LEPTON = {"e": (11, ELECTRON_MASS), "mu": (13, MUON_MASS)}
_MESON = {
    "pi": (211, widths.PION_CONSTANT, widths.V_UD),
    "K": (321, widths.KAON_CONSTANT, widths.V_US),
}
_PI_ZERO = 111
_HEAVIEST = particle_mass(221)

CHANNELS = (
    "nu nu nu",
    "nu e+ e-",
    "nu mu+ mu-",
    "nu e- mu+",
    "nu mu- e+",
    "nu pi0",
    *(f"{lep}{q} {mes}{r}" for lep in _LEPTON for mes in _MESON for q, r in ("-+", "+-")),
)
"""All channels. The two charges of l P and of nu e mu are channels of their own."""


@dataclass(frozen=True)
class _Mode:
    """One final state: flavours known, neutrino or antineutrino number known.

    `sign` is +1 for what N does, -1 for the conjugate. Particles are listed as the channel's name
    has them. `left` and `right` are the couplings of the three-body modes.
    """

    channel: str
    sign: int
    width: float
    pdg: tuple[int, ...]
    left: float = 1.0
    right: float = 0.0


class MixingDecay(Decay):
    """Decays of N through mixing, all channels below the mass of the eta.

    A Dirac N decays to neutrinos and to l- P+, its antiparticle to the conjugates; a Majorana N
    to both, with twice the total width. Flavours of neutrinos are drawn; amplitudes of different
    flavours do not interfere. With s = (0, S) the spin of N in its rest frame and
    p~ = p_N - m s,

    * nu_a l_b+ l_b-: |M|^2 = 64 G^2 |U_a|^2 [gL^2 (p~.p+)(p_nu.p-) + gR^2 (p~.p-)(p_nu.p+)
      + gL gR m_l^2 (p~.p_nu)], see `siren_py.processes.mixing_widths.neutral_couplings`;
    * l_a- l_b+ nu_b: the same with gL = 1, gR = 0, p- that of l_a;
    * three neutrinos: the same without masses, p+ that of the antineutrino;
    * l- P+: 1 - S cos (1 - x) lam^(1/2)/[(1 - x)^2 - y (1 + x)], the angle that of l-;
    * nu pi0: 1 - S cos, the angle that of the neutrino;

    and for the conjugates particles and antiparticles exchanged and S reversed (CP). Left out are
    the loop decay to nu gamma (below 1 %), radiative corrections, and nu pi pi and l pi pi.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    U_e2, U_mu2, U_tau2
        Squared mixings |U_a4|^2.
    nature
        "dirac" or "majorana".
    antiparticle
        The decays of the antiparticle of a Dirac N.
    sin2_theta_w
        Weak mixing angle.

    Raises
    ------
    ConfigError
        If the mass is not positive, a mixing is not in [0, 1] or all are zero.
    KinematicsError
        If N is heavier than the eta: its decays would not be complete.
    UnknownNameError
        If the nature does not exist.

    Examples
    --------
    >>> decay = MixingDecay(0.25, U_mu2=1.0)
    >>> decay.channels
    ('nu nu nu', 'nu e+ e-', 'nu mu+ mu-', 'nu mu- e+', 'nu pi0', 'mu- pi+')
    >>> f"{decay.width('mu- pi+'):.4e}"
    '4.0240e-17'
    """

    name = "mixing decay"

    def __init__(
        self,
        mass: float,
        U_e2: float = 0.0,
        U_mu2: float = 0.0,
        U_tau2: float = 0.0,
        nature: str = "dirac",
        *,
        antiparticle: bool = False,
        sin2_theta_w: float = widths.SIN2_THETA_W,
    ) -> None:
        if not (isfinite(mass) and mass > 0.0):
            raise ConfigError(f"The mass of N must be positive [GeV]; it is {mass!r}.")
        mixings = {"e": float(U_e2), "mu": float(U_mu2), "tau": float(U_tau2)}
        if not all(0.0 <= u <= 1.0 for u in mixings.values()) or not any(mixings.values()):
            raise ConfigError(
                "U_e2, U_mu2 and U_tau2 must be between 0 and 1, at least one of them above 0; "
                f"they are {U_e2!r}, {U_mu2!r}, {U_tau2!r}."
            )
        if nature not in NATURES:
            raise unknown_name("nature", nature, NATURES)
        if mass > _HEAVIEST:
            raise KinematicsError(
                f"An N of {mass:g} GeV decays to nu eta, too, and above that to vector mesons; "
                f"decays by mixing are complete up to {_HEAVIEST:.6g} GeV."
            )
        if not 0.0 <= sin2_theta_w <= 1.0:
            raise ConfigError(f"sin2_theta_w must be between 0 and 1; it is {sin2_theta_w!r}.")
        self.mass = float(mass)
        self.mixings = mixings
        self.nature = nature
        self.antiparticle = bool(antiparticle) and nature == "dirac"
        self.sin2_theta_w = float(sin2_theta_w)
        self._modes = [m for m in self._all_modes() if m.width > 0.0]
        self.channels = tuple(c for c in CHANNELS if any(m.channel == c for m in self._modes))

    def __repr__(self) -> str:
        mixing = ", ".join(f"U_{k}2={v:g}" for k, v in self.mixings.items() if v)
        return (
            f"MixingDecay(mass={self.mass:g}, {mixing}, nature={self.nature!r}, "
            f"antiparticle={self.antiparticle})"
        )

    # ------------------------------------------------------------------ widths

    @property
    def _signs(self) -> tuple[int, ...]:
        if self.nature == "majorana":
            return (1, -1)
        return (-1,) if self.antiparticle else (1,)

    def _all_modes(self) -> list[_Mode]:
        m, unit = self.mass, widths.unit_width(self.mass)
        modes: list[_Mode] = []
        for sign in self._signs:
            for a, u in self.mixings.items():
                nu = sign * _NEUTRINO[a]
                for b, other in _NEUTRINO.items():
                    # Two equal neutrinos: twice the amplitude, half of the phase space.
                    share = 0.5 if a == b else 0.25
                    pdg = (nu, sign * other, -sign * other)
                    modes.append(_Mode("nu nu nu", sign, share * u * unit, pdg))
                for b, (code, lepton) in _LEPTON.items():
                    left, right = widths.neutral_couplings(a == b, self.sin2_theta_w)
                    f1, f2 = widths.pair_factors(lepton / m)
                    width = u * unit * ((left**2 + right**2) * f1 + left * right * f2)
                    pdg = (nu, -code, code)
                    modes.append(_Mode(f"nu {b}+ {b}-", sign, width, pdg, left, right))
                pion = particle_mass(_PI_ZERO)
                width = u * widths.neutral_meson_width(m, pion, widths.PION_CONSTANT)
                modes.append(_Mode("nu pi0", sign, width, (nu, _PI_ZERO)))
                if a in _LEPTON:
                    modes += self._charged(a, u, sign)
        return modes

    def _charged(self, a: str, u: float, sign: int) -> list[_Mode]:
        """Modes with the charged lepton that N mixes with."""
        m, (code, lepton) = self.mass, _LEPTON[a]
        own, other_charge = ("-", "+") if sign > 0 else ("+", "-")
        modes = []
        for b, (other, other_mass) in _LEPTON.items():
            if b == a:
                continue
            negative, positive = (a, b) if sign > 0 else (b, a)
            factor = widths.charged_factor(lepton / m, other_mass / m)
            width = u * widths.unit_width(m) * factor
            leptons = (code, -other) if sign > 0 else (other, -code)
            pdg = (sign * _NEUTRINO[b], *leptons)
            modes.append(_Mode(f"nu {negative}- {positive}+", sign, width, pdg))
        for name, (meson, constant, element) in _MESON.items():
            width = u * widths.charged_meson_width(
                m, lepton, particle_mass(meson), constant, element
            )
            channel = f"{a}{own} {name}{other_charge}"
            modes.append(_Mode(channel, sign, width, (sign * code, sign * meson)))
        return modes

    def threshold(self, channel: str) -> float:
        """Least mass of N [GeV] at which a channel is open.

        Raises
        ------
        UnknownNameError
            If there is no such channel.
        """
        name = canonical_channel(channel, CHANNELS)
        known = {
            "nu": 0.0, "pi0": particle_mass(_PI_ZERO), "pi": particle_mass(211),
            "K": particle_mass(321), "e": ELECTRON_MASS, "mu": MUON_MASS,
        }  # fmt: skip
        return sum(known[word.rstrip("+-")] for word in name.split())

    def width(self, channel: str | None = None) -> float:
        """Partial width [GeV]; the sum over the open channels for None.

        A channel that this particle does not have is 0 wide: those of the antiparticle, or of a
        flavour without mixing.

        Raises
        ------
        KinematicsError
            If the channel is closed; the text gives its threshold.
        UnknownNameError
            If there is no such channel.
        """
        if channel is None:
            return sum(m.width for m in self._modes)
        name = canonical_channel(channel, CHANNELS)
        if not self.mass > self.threshold(name):
            raise KinematicsError(
                f"The channel {name!r} is closed for a mass of {self.mass:g} GeV: its threshold "
                f"is {self.threshold(name):.9g} GeV. Open: {', '.join(self.channels)}."
            )
        return sum(m.width for m in self._modes if m.channel == name)

    def same_kinematics(self, other: Decay) -> bool:
        """Whether mass, nature, charge and weak mixing angle agree and mixings are in proportion.

        Electrons of nu e+ e- are distributed differently where N mixes with nu_e.
        """
        if not isinstance(other, MixingDecay):
            return False
        kinds = [(d.mass, d.nature, d.antiparticle, d.sin2_theta_w) for d in (self, other)]
        own, others = (np.array(list(d.mixings.values())) for d in (self, other))
        return kinds[0] == kinds[1] and bool(
            np.allclose(own / own.sum(), others / others.sum(), rtol=1e-9, atol=0.0)
        )

    # ------------------------------------------------------------------ sampling

    def sample(
        self,
        channel: str,
        momentum: FloatArray,
        polarization: FloatArray,
        pdg: IntArray,
        rng: np.random.Generator,
    ) -> FinalState:
        """Draw decays; every weight is 1.

        Parameters
        ----------
        channel
            An open channel.
        momentum
            Laboratory four-momenta of N [GeV], (n, 4). The energy is recomputed from the momentum
            and the mass.
        polarization
            Polarisation of N in its rest frame, axes parallel to the laboratory's, (n, 3).
        pdg
            PDG codes of N, (n,). What decays is fixed by `antiparticle`, not by them.
        rng
            Source of random numbers.

        Returns
        -------
        FinalState
            Particles in the order of the channel's name; ``invariants["q2"]`` is the squared mass
            of the last two of three particles [GeV2].

        Raises
        ------
        KinematicsError
            If the channel is closed, or a polarisation is longer than 1.
        UnknownNameError
            If there is no such channel, or this particle does not have it.
        ConfigError
            If the shapes do not fit or a number is not finite.
        """
        del pdg
        name = canonical_channel(channel, CHANNELS)
        if not self.width(name) > 0.0:
            raise unknown_name("decay channel of this particle", name, self.channels)
        p = np.asarray(momentum, dtype=np.float64)
        spin = np.asarray(polarization, dtype=np.float64)
        n = len(p)
        if p.shape != (n, 4) or spin.shape != (n, 3):
            raise ConfigError(
                "Momenta must be (n, 4) and polarisations (n, 3); "
                f"they are {p.shape} and {spin.shape}."
            )
        if not (np.isfinite(p).all() and np.isfinite(spin).all()):
            raise ConfigError("Momenta and polarisations must be finite numbers.")
        if n and (spin * spin).sum(axis=1).max() > 1.0 + 1e-9:
            raise KinematicsError("A polarisation vector must not be longer than 1.")
        # Rounding must not make a density negative.
        spin = spin / np.maximum(1.0, np.sqrt((spin * spin).sum(axis=1)))[:, None]
        modes = [m for m in self._modes if m.channel == name]
        edges = np.cumsum([m.width for m in modes])
        picked = np.searchsorted(edges / edges[-1], rng.random(n), side="right")
        picked = np.minimum(picked, len(modes) - 1)
        k = len(modes[0].pdg)
        codes = np.empty((n, k), dtype=np.int64)
        momenta = np.empty((n, k, 4))
        for i, mode in enumerate(modes):
            mine = np.flatnonzero(picked == i)
            codes[mine] = mode.pdg
            masses = np.array([particle_mass(c) for c in mode.pdg])
            draw = self._two_bodies if k == 2 else self._three_bodies
            at_rest = self.mass * draw(mode, masses / self.mass, mode.sign * spin[mine], rng)
            momenta[mine] = sampling.boosted(at_rest, masses, p[mine, 1:] / self.mass)
        invariants: dict[str, FloatArray] = {}
        if k == 3:
            pair = momenta[:, 1] + momenta[:, 2]
            invariants["q2"] = pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(axis=1)
        return FinalState(codes, momenta, np.zeros((n, k, 3)), np.ones(n), invariants)

    @staticmethod
    def analysing_power(x: float, y: float) -> float:
        """Coefficient a of 1 - a S cos for the lepton in l P; x, y squared mass ratios of l, P.

        (1 - x) lam^(1/2)/[(1 - x)^2 - y (1 + x)], which is 1 for a massless lepton.
        """
        bracket, root = widths.meson_bracket(x, y)
        return min(1.0, (1.0 - x) * root / bracket)

    def _two_bodies(
        self, mode: _Mode, masses: FloatArray, spin: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Momenta (n, 2, 3) in the rest frame in units of m; `spin` with the sign of N."""
        x, y = (float(r) ** 2 for r in masses)
        direction = sampling.tilted_direction(spin, -self.analysing_power(x, y), rng)
        star = 0.5 * widths.meson_bracket(x, y)[1]
        return np.stack([star * direction, -star * direction], axis=1)

    @cached_property
    def _densities(self) -> dict[tuple[str, float, float], sampling.ConcaveDensity]:
        return {}

    def _density(self, kind: str, first: float, second: float) -> sampling.ConcaveDensity:
        key = (kind, first, second)
        if key not in self._densities:
            build = sampling.lepton_density
            made = build(first, second) if kind == "lepton" else sampling.neutrino_density(first)
            self._densities[key] = made
        return self._densities[key]

    def _three_bodies(
        self, mode: _Mode, masses: FloatArray, spin: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Momenta (n, 3, 3) in the rest frame in units of m; `spin` with the sign of N.

        For the conjugate decay l- and l+ exchange their roles. The interference term is drawn as
        a third component where it is positive, else taken off by rejection: it is never positive
        then, so the sum of the first two bounds the density.
        """
        # Positions of the lepton that N turns into (p- for N) and of the other one.
        if mode.channel == "nu nu nu":
            near, far = 1, 2
        else:
            near = 1 + int(np.argmax([np.sign(c) == mode.sign for c in mode.pdg[1:]]))
            far = 3 - near
        x_near, x_far = float(masses[near]), float(masses[far])
        left, right = mode.left**2, mode.right**2
        both = mode.left * mode.right
        f1, f2 = widths.pair_factors(x_near) if right > 0.0 else (1.0, 0.0)
        shares = np.cumsum([left * f1, right * f1, max(both, 0.0) * f2])
        n = len(spin)
        result = np.empty((n, 3, 3))
        missing = np.arange(n)
        while missing.size:
            some = np.empty((missing.size, 3, 3))
            picked = np.searchsorted(shares, rng.random(missing.size) * shares[-1], side="right")
            for part in range(3):
                mine = np.flatnonzero(picked == part)
                if not mine.size:
                    continue
                alone, second, third = ((far, near, 0), (near, far, 0), (0, near, far))[part]
                kind = "neutrino" if part == 2 else "lepton"
                first, other = (x_near, x_far) if part == 2 else masses[[alone, second]]
                energy = self._density(kind, float(first), float(other)).sample(mine.size, rng)
                ratio = float(masses[alone]) / energy
                speed = np.sqrt(np.maximum((1.0 - ratio) * (1.0 + ratio), 0.0))
                direction = sampling.tilted_direction(spin[missing[mine]], speed, rng)
                three = (float(masses[alone]), float(masses[second]), float(masses[third]))
                drawn = sampling.with_pair(energy, direction, three, rng)
                some[mine[:, None], [alone, second, third]] = drawn
            taken = np.ones(missing.size, dtype=np.bool_)
            if both < 0.0:
                positive, interference = _terms(some, spin[missing], x_near, near, far, mode)
                taken = rng.random(missing.size) * positive < positive + interference
            result[missing[taken]] = some[taken]
            missing = missing[~taken]
        return result


def _terms(
    momenta: FloatArray, spin: FloatArray, x: float, near: int, far: int, mode: _Mode
) -> tuple[FloatArray, FloatArray]:
    """Positive terms of the squared amplitude and the interference, (n,) each, up to a factor."""

    def tilted(k: int, ratio: float) -> tuple[FloatArray, FloatArray]:
        p = momenta[:, k]
        energy = np.sqrt(np.einsum("ni,ni->n", p, p) + ratio**2)
        return energy, energy + np.einsum("ni,ni->n", p, spin)

    energy_near, tilted_near = tilted(near, x)
    energy_far, tilted_far = tilted(far, x)
    _, tilted_neutrino = tilted(0, 0.0)
    # p_nu . p_near = 1/2 - E_far for equal masses of the leptons.
    positive = mode.left**2 * tilted_far * (0.5 - energy_far)
    positive += mode.right**2 * tilted_near * (0.5 - energy_near)
    return positive, mode.left * mode.right * x**2 * tilted_neutrino
