"""Widths of a heavy neutral lepton N that mixes with neutrinos, N -> nu_a or l_a with U_a.

All are those of a Dirac N; G is the Fermi constant. D. Gorbunov and M. Shaposhnikov, JHEP 10
(2007) 015, arXiv:0705.1729; P. Ballett, T. Boschi and S. Pascoli, JHEP 03 (2020) 111,
arXiv:1905.00284; P. Coloma et al., Eur. Phys. J. C 81, 78 (2021), arXiv:2007.03701.
"""

from __future__ import annotations

from math import acosh, log, pi, sqrt

import numpy as np

from siren_py.constants import FERMI_CONSTANT

SIN2_THETA_W = 0.22343
"""Weak mixing angle, 1 - (m_W/m_Z)^2 (PDG, Phys. Rev. D 110, 030001 (2024)): that of the
literature on N. The coupling of electrons at low energies is better described by 0.2386, which
raises Gamma(nu_mu e+ e-) by 4 %; it is an argument of `MixingDecay`."""

PION_CONSTANT = 0.1302
"""Decay constant of the pion [GeV] (PDG 2024)."""

KAON_CONSTANT = 0.1557
"""Decay constant of the charged kaon [GeV] (PDG 2024)."""

V_UD = 0.97373
"""Element of the CKM matrix (PDG 2024)."""

V_US = 0.2243
"""Element of the CKM matrix (PDG 2024)."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def neutral_couplings(
    same_flavour: bool, sin2_theta_w: float = SIN2_THETA_W
) -> tuple[float, float]:
    """Couplings (gL, gR) of the charged leptons in N -> nu_a l_b+ l_b-.

    gR = sin^2 and gL = sin^2 - 1/2 from Z exchange; W exchange adds 1 to gL if a = b.
    """
    return sin2_theta_w - 0.5 + (1.0 if same_flavour else 0.0), sin2_theta_w


def unit_width(mass: float) -> float:
    """G^2 m^5 / (192 pi^3) [GeV]: the width to three neutrinos of all flavours at U^2 = 1."""
    return FERMI_CONSTANT**2 * mass**5 / (192.0 * pi**3)


def charged_factor(paired: float, alone: float) -> float:
    """Phase space of (p_N . p_1)(p_nu . p_2) over that of massless particles.

    The squared amplitude of N -> l_a- l_b+ nu_b by W exchange has 1 = l_b+ and 2 = l_a-; with
    x_i = m_i/m and s = (p_nu + p_2)^2/m^2

        I = 12 int ds/s (s - x_2^2)^2 (1 + x_1^2 - s) lam^(1/2)(1, s, x_1^2).

    Without the mass of the lighter lepton this is 1 - 8y + 8y^3 - y^4 - 12 y^2 ln y, y = x^2, as
    for the decay of the muon; for x_1 = x_2 it is f1 of `pair_factors`.

    Parameters
    ----------
    paired
        x_2, mass of the lepton that stands with the neutrino, over that of N.
    alone
        x_1, mass of the other one, over that of N.
    """
    if paired + alone >= 1.0:
        return 0.0
    top = 0.5 * (1.0 + alone**2 - paired**2)
    if alone > 0.0:
        # In the rapidity the root at threshold is smooth.
        eta = 0.5 * acosh(top / alone) * (_NODES + 1.0)
        energy, momentum = alone * np.cosh(eta), alone * np.sinh(eta)
        measure = 0.5 * acosh(top / alone) * _WEIGHTS * momentum
    else:
        energy = 0.5 * top * (_NODES + 1.0)
        momentum, measure = energy, 0.5 * top * _WEIGHTS
    rest = 2.0 * (top - energy)
    return float((96.0 * measure * energy * momentum * rest**2 / (rest + paired**2)).sum())


def massless_factor(y: float) -> float:
    """1 - 8y + 8y^3 - y^4 - 12 y^2 ln y: `charged_factor` with one massless lepton, y = x^2."""
    if y == 0.0:
        return 1.0
    return 1.0 - 8.0 * y + 8.0 * y**3 - y**4 - 12.0 * y * y * log(y)


def pair_factors(x: float) -> tuple[float, float]:
    """(f1, f2) of Gamma(nu l+ l-) = G^2 m^5 |U|^2/(192 pi^3) [(gL^2 + gR^2) f1 + gL gR f2].

    With x = m_l/m, w = (1 - 4x^2)^(1/2), L = ln[(1 - 3x^2 - (1 - x^2) w)/(x^2 (1 + w))]:

        f1 = (1 - 14x^2 - 2x^4 - 12x^6) w + 12 x^4 (x^4 - 1) L,
        f2 = 4 [x^2 (2 + 10x^2 - 12x^4) w + 6 x^4 (1 - 2x^2 + 2x^4) L]

    (Gorbunov and Shaposhnikov, eq. (A8)). The numerator of L is 4x^6 over its conjugate. Towards
    threshold the terms cancel; there the integrals over the energy of the lepton and of the
    neutrino are summed, of which f1 and f2 are the values.
    """
    if not 0.0 <= x < 0.5:
        return 0.0, 0.0
    if x == 0.0:
        return 1.0, 0.0
    w = sqrt((1.0 - 2.0 * x) * (1.0 + 2.0 * x))
    if x > 0.3:
        # f2 = 192 x^2 int dE E^2 beta(s), s = 1 - 2E; 1 - s = 1 - 4x^2 cosh^2 of the pair.
        top = acosh(0.5 / x)
        eta = 0.5 * top * (_NODES + 1.0)
        beta = np.tanh(eta)
        energy = 2.0 * x * x * np.sinh(top + eta) * np.sinh(top - eta)
        measure = 0.5 * top * _WEIGHTS * 4.0 * x * x * np.cosh(eta) * np.sinh(eta)
        return charged_factor(x, x), float((192.0 * x * x * measure * energy**2 * beta).sum())
    x2 = x * x
    logarithm = log(4.0 * x2 * x2 / ((1.0 + w) * (1.0 - 3.0 * x2 + (1.0 - x2) * w)))
    f1 = (1.0 - 14.0 * x2 - 2.0 * x2**2 - 12.0 * x2**3) * w
    f1 += 12.0 * x2**2 * (x2**2 - 1.0) * logarithm
    f2 = x2 * (2.0 + 10.0 * x2 - 12.0 * x2**2) * w
    f2 += 6.0 * x2**2 * (1.0 - 2.0 * x2 + 2.0 * x2**2) * logarithm
    return f1, 4.0 * f2


def meson_bracket(x: float, y: float) -> tuple[float, float]:
    """((1 - x)^2 - y (1 + x), lam^(1/2)(1, x, y)) of N -> l P; x, y squared mass ratios of l, P.

    Both are 0 above threshold.
    """
    if sqrt(x) + sqrt(y) >= 1.0:
        return 0.0, 0.0
    a, b = sqrt(x), sqrt(y)
    product = (1.0 - a - b) * (1.0 + a + b) * (1.0 - a + b) * (1.0 + a - b)
    return (1.0 - x) ** 2 - y * (1.0 + x), sqrt(product)


def charged_meson_width(
    mass: float, lepton_mass: float, meson_mass: float, constant: float, element: float
) -> float:
    """Width of N -> l- P+ [GeV] at |U_l|^2 = 1; 0 if closed.

    G^2 f_P^2 |V|^2 m^3/(16 pi) [(1 - x)^2 - y (1 + x)] lam^(1/2)(1, x, y).
    """
    bracket, root = meson_bracket((lepton_mass / mass) ** 2, (meson_mass / mass) ** 2)
    return FERMI_CONSTANT**2 * constant**2 * element**2 * mass**3 / (16.0 * pi) * bracket * root


def neutral_meson_width(mass: float, meson_mass: float, constant: float) -> float:
    """Width of N -> nu pi0 [GeV] at |U|^2 = 1; 0 if closed.

    G^2 f^2 m^3/(32 pi) (1 - (m_pi0/m)^2)^2.
    """
    if mass <= meson_mass:
        return 0.0
    share = (mass - meson_mass) * (mass + meson_mass) / mass**2
    return FERMI_CONSTANT**2 * constant**2 * mass**3 / (32.0 * pi) * share**2
