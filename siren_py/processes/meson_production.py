"""Heavy neutral leptons from charged pions and kaons, P -> l N: rates, helicity, kinematics.

A two-body decay of a particle without spin: rate and mean helicity are fixed by the masses alone.
R. E. Shrock, Phys. Rev. D 24, 1232 (1981), "General theory of weak processes involving neutrinos.
I": with a = (m_l/m_P)^2, b = (m_N/m_P)^2 and lam = 1 + a^2 + b^2 - 2(a + b + ab),

    Gamma(P -> l N) = G^2 f_P^2 |V|^2 |U_l|^2 m_P^3 / (8 pi) [a + b - (a - b)^2] lam^(1/2).

The meson has no spin, so the lepton (antilepton for a positive meson) and N fly back to back with
equal helicities h. With energies E, E_l and the momentum p in the rest frame of the meson the rate
goes as (E - h p)(E_l + h p) for a positive meson; the sum over h gives the bracket, the difference
(b - a) lam^(1/2).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import ELECTRON_MASS, MUON_MASS
from siren_py.errors import ConfigError, KinematicsError, unknown_name
from siren_py.particles import mass as particle_mass

LEPTONS = {"e": ELECTRON_MASS, "mu": MUON_MASS}
"""Charged leptons that pions and kaons decay to, with their masses [GeV]."""

PARENTS = {"pi+": 211, "pi-": -211, "K+": 321, "K-": -321}
"""Names and PDG codes of the parents."""

BRANCHING_RATIOS = {
    (211, "e"): 1.230e-4,
    (211, "mu"): 0.9998770,
    (321, "e"): 1.582e-5,
    (321, "mu"): 0.6356,
}
"""Branching ratios of P -> l nu by PDG code and lepton (PDG, Phys. Rev. D 110, 030001 (2024))."""


def parent_code(parent: str | int) -> int:
    """PDG code of a parent, given by name (``"K+"``) or code.

    Raises
    ------
    UnknownNameError
        If it is neither a charged pion nor a charged kaon.
    """
    if parent in PARENTS:
        return PARENTS[str(parent)]
    if not isinstance(parent, str) and int(parent) in PARENTS.values():
        return int(parent)
    raise unknown_name("parent of a heavy neutral lepton", str(parent), PARENTS)


def _lepton_mass(lepton: str) -> float:
    if lepton not in LEPTONS:
        raise unknown_name("charged lepton of a meson decay", lepton, LEPTONS)
    return LEPTONS[lepton]


def _ratios(mass: float, lepton: str, parent: str | int) -> tuple[float, float, float]:
    """Return a, b and lam^(1/2) of a decay; lam^(1/2) = 0 above threshold."""
    meson = particle_mass(parent_code(parent))
    light = _lepton_mass(lepton)
    if not mass >= 0.0:
        raise ConfigError(f"The mass of N must not be negative [GeV]; it is {mass!r}.")
    # lam factorises into the four sums of masses: no digits are lost near threshold.
    product = (meson - light - mass) * (meson + light + mass)
    product *= (meson - light + mass) * (meson + light - mass)
    root = sqrt(product) / meson**2 if meson > light + mass else 0.0
    return (light / meson) ** 2, (mass / meson) ** 2, root


def heaviest(lepton: str, parent: str | int = "K+") -> float:
    """Largest mass of N [GeV] in P -> l N."""
    return particle_mass(parent_code(parent)) - _lepton_mass(lepton)


def phase_space_ratio(
    mass: float, lepton: str, parent: str | int = "K+", *, relative_to: str | None = None
) -> float:
    """Ratio rho = Gamma(P -> l N) / (|U_l|^2 Gamma(P -> l' nu)); 0 above threshold.

    rho = [a + b - (a - b)^2] lam^(1/2)(1, a, b) / [a' (1 - a')^2] with the squares of mass ratios
    a = (m_l/m_P)^2, b = (m_N/m_P)^2 (Shrock, Phys. Rev. D 24, 1232 (1981)). A massive N does not
    suffer from the helicity suppression, so that rho exceeds 1, for electrons by far.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    lepton
        ``"e"`` or ``"mu"``.
    parent
        ``"K+"``, ``"K-"``, ``"pi+"``, ``"pi-"`` or the PDG code.
    relative_to
        The lepton l' of the decay that is compared with; None for `lepton` itself. Fluxes of
        neutrinos from kaons are those of K -> mu nu: take ``"mu"`` for them whatever `lepton` is.

    Raises
    ------
    UnknownNameError
        If a lepton or the parent is not known.
    ConfigError
        If the mass is negative.

    Examples
    --------
    >>> f"{phase_space_ratio(0.3, 'mu'):.4f}"
    '3.8998'
    """
    a, b, root = _ratios(mass, lepton, parent)
    other = a if relative_to is None else _ratios(0.0, relative_to, parent)[0]
    return (a + b - (a - b) ** 2) * root / (other * (1.0 - other) ** 2)


def helicity(mass: float, lepton: str, parent: str | int = "K+") -> float:
    """Mean helicity of N in the rest frame of the meson, between -1 and 1.

    (b - a) lam^(1/2) / [a + b - (a - b)^2] for N from a positive meson, the opposite for its
    antiparticle from a negative one (Shrock, Phys. Rev. D 24, 1275 (1981)). A massless N has
    helicity -1, one heavier than the lepton has mostly the helicity that a neutrino has not.

    Parameters
    ----------
    mass, lepton, parent
        As for `phase_space_ratio`.

    Raises
    ------
    KinematicsError
        If the decay is closed.
    UnknownNameError, ConfigError
        As for `phase_space_ratio`.

    Examples
    --------
    >>> f"{helicity(0.2, 'mu', 'K+'):+.3f} {helicity(0.2, 'mu', 'K-'):+.3f}"
    '+0.465 -0.465'
    """
    a, b, root = _ratios(mass, lepton, parent)
    if root == 0.0:
        raise closed(mass, lepton, parent)
    value = (b - a) * root / (a + b - (a - b) ** 2)
    return value if parent_code(parent) > 0 else -value


def closed(mass: float, lepton: str, parent: str | int) -> KinematicsError:
    """Return the error of a decay that is closed."""
    names = {code: name for name, code in PARENTS.items()}
    return KinematicsError(
        f"{names[parent_code(parent)]} cannot decay to {lepton} and N of {mass:g} GeV: N must be "
        f"lighter than {heaviest(lepton, parent):.6g} GeV."
    )


def rest_frame_energy(mass: float, lepton: str, parent: str | int = "K+") -> float:
    """Energy of N [GeV] in the rest frame of the meson, (m_P^2 + m_N^2 - m_l^2)/(2 m_P).

    Raises
    ------
    KinematicsError
        If the decay is closed.
    """
    if _ratios(mass, lepton, parent)[2] == 0.0:
        raise closed(mass, lepton, parent)
    meson, light = particle_mass(parent_code(parent)), _lepton_mass(lepton)
    return (meson**2 + mass**2 - light**2) / (2.0 * meson)


def rest_frame_momentum(mass: float, lepton: str, parent: str | int = "K+") -> float:
    """Momentum of N [GeV] in the rest frame of the meson, m_P lam^(1/2)/2.

    Raises
    ------
    KinematicsError
        If the decay is closed.
    """
    root = _ratios(mass, lepton, parent)[2]
    if root == 0.0:
        raise closed(mass, lepton, parent)
    return 0.5 * particle_mass(parent_code(parent)) * root


def towards(
    mass: float, lepton: str, parent: str | int, momentum: ArrayLike, cosine: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Solve the decay in flight for N at a given angle to the meson.

    With E*, p* in the rest frame, the mass shell and E* m_P = E_P E - p_P p cos(theta) give

        p = [m_P E* p_P c +- E_P (m_P^2 p*^2 - m_N^2 p_P^2 s^2)^(1/2)] / (E_P^2 - p_P^2 c^2):

    one solution if N outruns the meson in its rest frame, else two or none (Byckling and Kajantie,
    Particle Kinematics (1973), section III.2). The root R = (m_P^2 p*^2 - m_N^2 p_P^2 s^2)^(1/2)
    equals |E_P p - p_P E c|, and with it

        dOmega*/dOmega = m_P p^2 / (p* R),    (spin along the flight) = +- helicity R / (m_P p*):

    in the rest frame of N its spin points away from the meson, whose momentum there is m_P p*/m_N
    with the part -+ R/m_N along the flight of N.

    Parameters
    ----------
    mass, lepton, parent
        As for `phase_space_ratio`.
    momentum
        Momenta of the mesons [GeV], (n,).
    cosine
        Cosine of the angle between N and the meson in the laboratory, (n,).

    Returns
    -------
    momentum : (2, n) float array
        Momenta of N [GeV]: the faster solution, then the slower one; 0 where there is none.
    solid_angle : (2, n) float array
        dOmega*/dOmega; 0 where there is no solution. Infinite at the very edge of the cone.
    longitudinal : (2, n) float array
        Part along the flight of N of its polarisation, for helicity +1 in the rest frame of the
        meson.

    Raises
    ------
    KinematicsError
        If the decay is closed.
    """
    meson = particle_mass(parent_code(parent))
    e_star, p_star = (f(mass, lepton, parent) for f in (rest_frame_energy, rest_frame_momentum))
    p_meson = np.asarray(momentum, dtype=np.float64)
    c = np.asarray(cosine, dtype=np.float64)
    p_meson, c = np.broadcast_arrays(p_meson, c)
    e_meson = np.hypot(p_meson, meson)
    sine2 = (1.0 - c) * (1.0 + c)
    room = (meson * p_star) ** 2 - (mass * p_meson) ** 2 * sine2
    root = e_meson * np.sqrt(np.maximum(room, 0.0))
    below = meson**2 + p_meson**2 * sine2
    along = meson * e_star * p_meson * c
    p = np.stack([(along + root) / below, (along - root) / below])
    # Of a pair of roots the smaller one loses digits: it follows from their product,
    # (m_N^2 p_P^2 - m_P^2 p*^2) / (E_P^2 - p_P^2 c^2): negative if N outruns the meson.
    product = (mass * p_meson - meson * p_star) * (mass * p_meson + meson * p_star) / below
    with np.errstate(divide="ignore", invalid="ignore"):
        p[1] = np.where(along > 0.0, product / p[0], p[1])
        p[0] = np.where(along < 0.0, product / p[1], p[0])
    exists = (room > 0.0) & (p > 0.0) & np.isfinite(p)
    p = np.where(exists, p, 0.0)
    size = np.sqrt(np.maximum(room, 0.0)) / (meson * p_star)
    with np.errstate(divide="ignore", invalid="ignore"):
        solid = np.where(exists, (p / p_star) ** 2 / size, 0.0)
    longitudinal = np.where(exists, np.stack([size, -size]), 0.0)
    return p, solid, longitudinal
