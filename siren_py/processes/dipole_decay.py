"""Decays of a heavy neutral lepton through its transition magnetic moments."""

from __future__ import annotations

from functools import lru_cache
from math import acosh, asinh, isfinite, pi, sqrt, tanh

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.constants import ALPHA, ELECTRON_MASS, MUON_MASS, TAU_MASS
from siren_py.errors import ConfigError, KinematicsError, unknown_name
from siren_py.processes import dipole_decay_kernels as kernels
from siren_py.processes.base import Decay, FinalState, canonical_channel

PHOTON_CHANNEL = "nu gamma"

LEPTONS = {
    "nu e+ e-": (11, ELECTRON_MASS),
    "nu mu+ mu-": (13, MUON_MASS),
    "nu tau+ tau-": (15, TAU_MASS),
}
"""PDG code and mass [GeV] of the charged lepton of every pair channel."""

CHANNELS = (PHOTON_CHANNEL, *LEPTONS)
NATURES = ("dirac", "majorana")
CONVENTIONS = ("standard", "darknews")

_FLAVOURS = (12, 14, 16)
_CELLS = 2048
_PARTS, _TERMS, _ALLOWED = 512, 8, 1e-12
_PHOTON_PDG = 22
# Widths of the other convention relative to the correct ones: (photon, pair) by nature.
_DARKNEWS_WIDTHS = {"dirac": (0.5, 0.25), "majorana": (0.5, 0.125)}


def photon_width(mass: float, coupling: float) -> float:
    """Width [GeV] of N -> nu gamma for a Dirac N, Gamma = d^2 m^3 / (4 pi).

    Magill et al., Phys. Rev. D 98, 115015 (2018), for L = d nubar_L sigma N_R F + h.c.; a
    Majorana N, which decays to antineutrinos as well, has twice this.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    coupling
        sqrt(d_e^2 + d_mu^2 + d_tau^2) [1/GeV].
    """
    return coupling**2 * mass**3 / (4.0 * pi)


# A scan asks for the width of one mass at every coupling.
@lru_cache(maxsize=1024)
def pair_factor(ratio: float) -> float:
    """L(a) of Gamma(nu l+ l-) / Gamma(nu gamma) = alpha / (3 pi) L(a), where a = 2 m_l / m.

    L = (2 - a^6/8) arccosh(1/a) - (24 - 10 a^2 + a^4)/8 sqrt(1 - a^2), which tends to
    2 ln(m/m_l) - 3 for light leptons: the internal conversion of the dipole photon, as in
    tau -> mu e+ e- (Magill et al., Phys. Rev. D 98, 115015 (2018)). Its terms cancel like
    (1 - a^2)^(7/2) near threshold; there the integrand is summed instead.
    """
    if not 0.0 < ratio < 1.0:
        return 0.0
    a2 = ratio * ratio
    top = asinh(sqrt((1.0 - ratio) * (1.0 + ratio)) / ratio)
    if ratio < 0.5:
        root = sqrt((1.0 - ratio) * (1.0 + ratio))
        return (2.0 - a2**3 / 8.0) * top - (24.0 - 10.0 * a2 + a2 * a2) / 8.0 * root
    nodes, weights = np.polynomial.legendre.leggauss(24)
    eta = 0.5 * top * (nodes + 1.0)
    speed2 = np.tanh(eta) ** 2
    x = (ratio * np.cosh(eta)) ** 2
    # 1 - x = a^2 sinh(top + eta) sinh(top - eta), without cancellation.
    rest = a2 * np.sinh(top + eta) * np.sinh(top - eta)
    density = rest**2 * (2.0 + x) * (3.0 - speed2) * speed2
    return float(0.25 * top * (weights * density).sum())


def pair_width(mass: float, coupling: float, lepton_mass: float) -> float:
    """Width [GeV] of N -> nu l+ l- through a virtual photon for a Dirac N; 0 if closed.

    alpha d^2 m^3 / (12 pi^2) L(2 m_l / m), see `pair_factor`.
    """
    factor = pair_factor(2.0 * lepton_mass / mass)
    return ALPHA / (3.0 * pi) * factor * photon_width(mass, coupling)


def pair_density(
    x: FloatArray,
    cos_theta: FloatArray,
    cos_star: FloatArray,
    phi_star: FloatArray,
    polarization: float,
    ratio: float,
) -> FloatArray:
    """Density of N -> nu l+ l- in (x, cos theta, cos theta*, phi*), up to a constant.

    d Gamma ~ beta (1-x)^2 / x K dx dcos(theta) dcos(theta*) dphi*, with x = q^2/m^2,
    beta^2 = 1 - a^2/x and, in units of m^2,
    K = (1 - S c)(2 - beta^2 s*^2) + x (1 + S c)(1 - beta^2 c*^2)
        + 2 S sqrt(x) beta^2 s s* c* cos(phi*):
    transverse photon, longitudinal photon, interference.

    Parameters
    ----------
    x
        Squared mass of the pair over that of N.
    cos_theta
        Cosine of the angle between the pair and the spin of N, in the rest frame of N.
    cos_star, phi_star
        Direction of the l- in the rest frame of the pair: polar axis along the motion of the
        pair, azimuth from the direction in which cos(theta) falls.
    polarization
        S, negative for the antiparticle.
    ratio
        a = 2 m_l / m.
    """
    beta2 = np.maximum(1.0 - ratio**2 / x, 0.0)
    sine = np.sqrt(1.0 - cos_theta**2)
    sine_star = np.sqrt(1.0 - cos_star**2)
    k = (1.0 - polarization * cos_theta) * (2.0 - beta2 * sine_star**2)
    k += x * (1.0 + polarization * cos_theta) * (1.0 - beta2 * cos_star**2)
    tilt = sine * sine_star * cos_star * np.cos(phi_star)
    k += 2.0 * polarization * np.sqrt(x) * beta2 * tilt
    return np.asarray(np.sqrt(beta2) * (1.0 - x) ** 2 / x * k)


@lru_cache(maxsize=16)
def _pair_table(ratio: float) -> kernels.PairTable:
    """Table from which the mass of the pair is drawn, for ratio = 2 m_l / m."""
    nodes = np.empty((_CELLS + 1, 3))
    kernels.fill_pair_table(ratio, acosh(1.0 / ratio), nodes)

    def inverted(u: FloatArray) -> FloatArray:
        out = np.empty(u.size)
        kernels.invert_pair_table(u.ravel(), ratio, nodes, out)
        return out.reshape(u.shape)

    # Polynomials through Chebyshev's points of each part, which are furthest off at its ends.
    t = np.cos(np.pi * (np.arange(_TERMS) + 0.5) / _TERMS)
    values = inverted((np.arange(_PARTS)[:, None] + 0.5 * (1.0 + t)) / _PARTS)
    inverse = values @ np.linalg.inv(np.vander(t, increasing=True)).T
    ends = inverted(np.arange(_PARTS + 1) / _PARTS)
    low, high = inverse @ (-1.0) ** np.arange(_TERMS), inverse.sum(axis=1)
    off = np.maximum(abs(low / ends[:-1] - 1.0), abs(high / ends[1:] - 1.0))
    inverse[~(off < _ALLOWED)] = 0.0
    return kernels.PairTable(nodes, inverse)


class DipoleDecay(Decay):
    """Decays N -> nu gamma and N -> nu l+ l- through transition magnetic moments.

    The neutrino's flavour is drawn in proportion to d_alpha^2. A Dirac N makes neutrinos, its
    antiparticle antineutrinos, a Majorana N either with equal chance. In the rest frame of N the
    photon follows 1 - S.k for a neutrino in the final state, 1 + S.k for an antineutrino; pairs
    follow `pair_density`, with lepton masses and the correlation of all angles. A Majorana N
    therefore decays isotropically. Charged leptons and photons come out unpolarised.

    With ``conventions="darknews"`` the widths and angles of DarkNews 0.4.8 are reproduced, for
    comparison only: its widths are 0.5 (photon), 0.25 (pairs, Dirac) and 0.125 (pairs, Majorana)
    of the correct ones; the sign of the Dirac asymmetry is reversed; and pairs from a Majorana N
    follow the Dirac distribution.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    d_e, d_mu, d_tau
        Couplings to the flavours [1/GeV].
    nature
        "dirac" or "majorana".
    conventions
        "standard" or "darknews".

    Raises
    ------
    ConfigError
        If the mass is not positive, or all couplings are zero.
    UnknownNameError
        If the nature or the convention does not exist.

    Examples
    --------
    >>> decay = DipoleDecay(0.1, d_mu=1e-6)
    >>> decay.channels
    ('nu gamma', 'nu e+ e-')
    >>> f"{decay.width('nu e+ e-') / decay.width('nu gamma'):.4%}"
    '0.5848%'
    """

    name = "dipole decay"

    def __init__(
        self,
        mass: float,
        d_e: float = 0.0,
        d_mu: float = 0.0,
        d_tau: float = 0.0,
        nature: str = "dirac",
        conventions: str = "standard",
    ) -> None:
        if not (isfinite(mass) and mass > 0.0):
            raise ConfigError(f"The mass of N must be positive [GeV]; it is {mass!r}.")
        couplings = (d_e, d_mu, d_tau)
        if not all(isfinite(d) for d in couplings) or not any(couplings):
            raise ConfigError(
                "At least one of d_e, d_mu, d_tau must differ from zero, and all must be finite "
                f"[1/GeV]; they are {d_e!r}, {d_mu!r}, {d_tau!r}."
            )
        if nature not in NATURES:
            raise unknown_name("nature", nature, NATURES)
        if conventions not in CONVENTIONS:
            raise unknown_name("set of conventions", conventions, CONVENTIONS)
        self.mass = float(mass)
        self.couplings = (float(d_e), float(d_mu), float(d_tau))
        self.nature = nature
        self.conventions = conventions
        self.channels = tuple(
            name for name in CHANNELS if self.mass > 2.0 * LEPTONS.get(name, (0, 0.0))[1]
        )
        shares = np.array(self.couplings) ** 2 / max(abs(d) for d in self.couplings) ** 2
        chances: FloatArray = np.cumsum(shares) / shares.sum()
        self._flavours = kernels.Flavours(np.array(_FLAVOURS, dtype=np.int64), chances)

    def __repr__(self) -> str:
        d_e, d_mu, d_tau = self.couplings
        return (
            f"DipoleDecay(mass={self.mass:g}, d_e={d_e:g}, d_mu={d_mu:g}, d_tau={d_tau:g}, "
            f"nature={self.nature!r}, conventions={self.conventions!r})"
        )

    def _open_channel(self, channel: str) -> str:
        name = canonical_channel(channel, CHANNELS)
        if name not in self.channels:
            raise KinematicsError(
                f"The channel {name!r} is closed for a mass of {self.mass:g} GeV: its threshold "
                f"is {2.0 * LEPTONS[name][1]:.9g} GeV. Open: {', '.join(self.channels)}."
            )
        return name

    def width(self, channel: str | None = None) -> float:
        """Partial width [GeV]; the sum over the open channels for None.

        Raises
        ------
        KinematicsError
            If the channel is closed; the text gives its threshold.
        UnknownNameError
            If there is no such channel.
        """
        if channel is None:
            return sum(self.width(name) for name in self.channels)
        name = self._open_channel(channel)
        d_e, d_mu, d_tau = self.couplings
        coupling = sqrt(d_e**2 + d_mu**2 + d_tau**2)
        if name == PHOTON_CHANNEL:
            value = photon_width(self.mass, coupling)
        else:
            value = pair_width(self.mass, coupling, LEPTONS[name][1])
        if self.nature == "majorana":
            value *= 2.0
        if self.conventions == "darknews":
            value *= _DARKNEWS_WIDTHS[self.nature][0 if name == PHOTON_CHANNEL else 1]
        return value

    def _spin_factors(self, pair: bool) -> tuple[float, float, float]:
        """What the polarisation is multiplied by in the density; see `draw_neutrinos`.

        The photon flies against the product.
        """
        if self.conventions == "standard":
            return 0.0, 1.0, 0.0
        if self.nature == "majorana":
            return (-1.0 if pair else 0.0), 0.0, 0.0
        return 0.0, 0.0, -1.0

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
            PDG codes of N, (n,); negative for the antiparticle.
        rng
            Source of random numbers.

        Returns
        -------
        FinalState
            Particles in the order of the channel's name; ``invariants["q2"]`` is the squared mass
            of the pair [GeV2].

        Raises
        ------
        KinematicsError
            If the channel is closed, or a polarisation is longer than 1.
        UnknownNameError
            If there is no such channel.
        ConfigError
            If the shapes do not fit or a number is not finite.
        """
        name = self._open_channel(channel)
        p = np.ascontiguousarray(momentum, dtype=np.float64)
        s = np.ascontiguousarray(polarization, dtype=np.float64)
        n = len(p)
        if p.shape != (n, 4) or s.shape != (n, 3):
            raise ConfigError(
                "Momenta must be (n, 4) and polarisations (n, 3); "
                f"they are {p.shape} and {s.shape}."
            )
        pair = name != PHOTON_CHANNEL
        k = 3 if pair else 2
        out_pdg, spin = np.empty((n, k), dtype=np.int64), np.empty((n, 3))
        codes = np.broadcast_to(np.asarray(pdg, dtype=np.int64), (n,))
        fault = kernels.draw_neutrinos(
            p,
            s,
            np.require(codes, requirements=("C", "W")),
            rng.random(n if self.nature == "majorana" else 0),
            rng.random(n),
            self._flavours,
            self._spin_factors(pair),
            out_pdg,
            spin,
        )
        if fault == 1:
            raise ConfigError("Momenta and polarisations must be finite numbers.")
        if fault == 2:
            raise KinematicsError("A polarisation vector must not be longer than 1.")
        momenta = np.empty((n, k, 4))
        invariants: dict[str, FloatArray] = {}
        if pair:
            lepton, lepton_mass = LEPTONS[name]
            out_pdg[:, 1], out_pdg[:, 2] = -lepton, lepton
            ratio = 2.0 * lepton_mass / self.mass
            x = np.empty(n)
            kernels.sample_pairs(
                p,
                spin,
                rng.random((n, 6)),
                self.mass,
                lepton_mass,
                _pair_table(ratio),
                momenta,
                x,
                np.empty((5, kernels.BLOCK)),
            )
            invariants["q2"] = x * self.mass**2
        else:
            out_pdg[:, 1] = _PHOTON_PDG
            kernels.sample_photons(p, spin, rng.random((n, 2)), self.mass, momenta)
        unpolarised = np.broadcast_to(np.zeros(1), (n, k, 3))
        return FinalState(out_pdg, momenta, unpolarised, np.ones(n), invariants)

    def mean_cosine(self, channel: str) -> float:
        """Mean cosine of the photon or pair of `channel` to the spin of a polarised N (not Nbar).

        -1/3 for the photon of a Dirac N, -(1/3) <(2 - x)/(2 + x)> for pairs, 0 for a Majorana N.

        Raises
        ------
        KinematicsError
            If the channel is closed.
        UnknownNameError
            If there is no such channel.
        """
        name = self._open_channel(channel)
        flip = -1.0 if self.conventions == "darknews" else 1.0
        if self.nature == "majorana" and (flip > 0.0 or name == PHOTON_CHANNEL):
            return 0.0
        if name == PHOTON_CHANNEL:
            return -flip / 3.0
        ratio = 2.0 * LEPTONS[name][1] / self.mass
        nodes, weights = np.polynomial.legendre.leggauss(200)
        eta = 0.5 * acosh(1.0 / ratio) * (nodes + 1.0)
        x = (ratio * np.cosh(eta)) ** 2
        speed2 = np.array([tanh(e) ** 2 for e in eta])
        density = weights * (1.0 - x) ** 2 * (2.0 + x) * (3.0 - speed2) * speed2
        return float(-flip / 3.0 * (density * (2.0 - x) / (2.0 + x)).sum() / density.sum())

    def same_kinematics(self, other: Decay) -> bool:
        """Whether mass, nature and conventions agree: couplings do not touch the angles."""
        return isinstance(other, DipoleDecay) and (self.mass, self.nature, self.conventions) == (
            other.mass,
            other.nature,
            other.conventions,
        )
