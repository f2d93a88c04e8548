"""Numba kernels of dipole upscattering nu + A -> N + A, at unit coupling d = 1/GeV.

Conventions: L = d nubar_L sigma_{mu nu} N_R F^{mu nu} + h.c., metric (+,-,-,-), target of mass M
at rest, Q2 = -(k_nu - k_N)^2 = 2 M (recoil energy). `above` and `below` are Q2 - Q2min and
Q2max - Q2; they are passed along because callers know them without cancellation.
"""

from __future__ import annotations

from math import exp, expm1, log, sqrt
from typing import NamedTuple

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.constants import ALPHA, HBARC2_CM2
from siren_py.kinematics import outgoing_kernel, q2_limits_kernel
from siren_py.processes.form_factors import charge_form_factor_kernel
from siren_py.processes.nucleon import PROTON_KELLY, sachs_kernel
from siren_py.processes.pauli import pauli_factor_kernel

UNIT_CROSS_SECTION = ALPHA * HBARC2_CM2
"""alpha (hbar c)^2 [cm2 GeV2]."""


class Species(NamedTuple):
    """What the kernels know of the targets: one row per reaction."""

    mass: FloatArray
    """(r,) mass of the nucleus or nucleon that recoils [GeV]."""
    factor: FloatArray
    """(r,) Z^2 for a nucleus, number of nucleons of this kind for a nucleon; 0 if absent."""
    code: IntArray
    """(r,) form-factor code; from `PROTON_KELLY` on it is a nucleon."""
    scale: FloatArray
    """(r,) length of the charge form factor [1/GeV]."""
    weights: FloatArray
    """(r, 18) Fourier-Bessel weights."""
    terms: IntArray
    """(r,) number of these weights."""
    fermi: FloatArray
    """(r,) Fermi momentum [GeV]; 0 without Pauli blocking."""
    q2_cut: FloatArray
    """(r,) Q2 [GeV2] above which the form factor counts as zero."""
    threshold: FloatArray
    """(r,) threshold energy [GeV]."""
    pdg: IntArray
    """(r,) PDG code of the recoil."""


@kernel_part
def structure_kernel(q2: float, species: Species, i: int) -> tuple[float, float]:
    """Squares (G_E^2, G_M^2) of the Sachs form factors, summed over the nucleons of a nucleus.

    A spinless nucleus scatters as G_E^2 = (1 + tau) Z^2 F^2, G_M = 0.
    """
    code = species.code[i]
    mass = species.mass[i]
    if code < PROTON_KELLY:
        f = charge_form_factor_kernel(
            sqrt(q2), code, species.scale[i], species.weights[i, : species.terms[i]]
        )
        return species.factor[i] * f * f * (1.0 + q2 / (4.0 * mass * mass)), 0.0
    ge, gm = sachs_kernel(q2, code)
    count = species.factor[i] * pauli_factor_kernel(q2, mass, species.fermi[i])
    return count * ge * ge, count * gm * gm


@kernel
def differential_kernel(
    q2: float,
    above: float,
    below: float,
    energy: float,
    mass: float,
    target_mass: float,
    ge2: float,
    gm2: float,
) -> float:
    """Differential cross section in Q2 [cm2/GeV2] for d = 1/GeV, summed over the spins of N.

    With tau = Q2 / 4M^2 and W = (G_E^2 + tau G_M^2) / (1 + tau), the one-photon exchange gives
    alpha d^2 / (4 M^2 E^2 Q^4) times
    W [Q2 (4ME - m^2 - Q2)^2 - m^2 (m^2 + Q2)(4M^2 + Q2)] + G_M^2 Q2 (Q2 + m^2)(2m^2 - Q2).
    The bracket equals 16 M^2 E^2 p_T^2 + Q2 (Q2 + m^2)(4M^2 + Q2), p_T being the transverse
    momentum of N; so written all terms are positive, and none cancel near Q2min. It contains as
    special cases the formulae of Magill et al., Phys. Rev. D 98, 115015 (2018) (spin 1/2) and of
    Miranda et al., JHEP 12 (2021) 191 (point-like target).
    """
    four_m2 = 4.0 * target_mass * target_mass
    tau = q2 / four_m2
    w = (ge2 + tau * gm2) / (1.0 + tau)
    flip = w * above * below * (target_mass + 2.0 * energy) / (target_mass * q2)
    rest = (q2 + mass * mass) * (0.5 * ge2 * four_m2 + mass * mass * gm2) / (0.5 * four_m2)
    return UNIT_CROSS_SECTION * (flip + rest) / (energy * energy * q2)


@kernel
def polarization_kernel(
    q2: float,
    energy: float,
    mass: float,
    target_mass: float,
    e_out: float,
    p_t: float,
    p_z: float,
    ge2: float,
    gm2: float,
) -> tuple[float, float]:
    """Polarisation (S_theta, S_L) of N from a neutrino; an antineutrino gives minus this.

    S = -(V boosted to the rest frame of N) / D, where, with P = p + p',
    kappa = P.k = 2ME - (m^2 + Q2)/2 and D the double bracket of `differential_kernel`,
    V = W [4 kappa m Q2 P + 2 m^3 P^2 k] - 2 G_M^2 Q2 m (2m^2 + Q2) k:
    the trace of the lepton tensor with (1 + gamma_5 s)/2 for N. S_L is along the momentum of N,
    S_theta in the plane of scattering, away from the beam. |S| = 1 for a spinless target.
    """
    m2 = mass * mass
    four_m2 = 4.0 * target_mass * target_mass
    tau = q2 / four_m2
    w = (ge2 + tau * gm2) / (1.0 + tau)
    d = w * 4.0 * four_m2 * (energy * p_t) ** 2
    d += q2 * (q2 + m2) * (ge2 * four_m2 + 2.0 * m2 * gm2)
    a_p = 4.0 * (2.0 * target_mass * energy - 0.5 * (m2 + q2)) * q2 * w
    a_sum = a_p + 2.0 * (m2 * (four_m2 + q2) * w - gm2 * q2 * (2.0 * m2 + q2))
    p = sqrt(p_t * p_t + p_z * p_z)
    if p == 0.0:
        return 0.0, 0.0
    c = p_z / p
    # E_N cos - p cancels for fast N: (E_N cos)^2 - p^2 = (m cos)^2 - p_T^2.
    if c > 0.0:
        slip = (m2 * c * c - p_t * p_t) / (e_out * c + p)
    else:
        slip = e_out * c - p
    s_long = (2.0 * target_mass * p * a_p - a_sum * energy * slip) / d
    return mass * a_sum * energy * (p_t / p) / d, s_long


@kernel
def range_kernel(
    energy: float, mass: float, target_mass: float, cut: float
) -> tuple[float, float, float]:
    """(Q2min, Q2max, ln(min(Q2max, cut) / Q2min)); the last is 0 if nothing is allowed."""
    low, high = q2_limits_kernel(energy, mass, target_mass)
    top = min(high, cut)
    if not top > low > 0.0:
        return low, high, 0.0
    return low, high, log(top / low)


@kernel
def point_kernel(
    u: float, low: float, high: float, width: float, cut: float
) -> tuple[float, float, float]:
    """(Q2, Q2 - Q2min, Q2max - Q2) at u = ln(Q2 / Q2min) / width."""
    q2 = low * exp(u * width)
    below = -high * expm1(-(1.0 - u) * width) if high <= cut else high - q2
    return q2, low * expm1(u * width), max(below, 0.0)


@kernel
def _integrand(
    u: float,
    energy: float,
    mass: float,
    species: Species,
    i: int,
    low: float,
    high: float,
    width: float,
) -> float:
    """Differential cross section in u [cm2] at u = ln(Q2/Q2min) / width."""
    q2, above, below = point_kernel(u, low, high, width, species.q2_cut[i])
    ge2, gm2 = structure_kernel(q2, species, i)
    target_mass = species.mass[i]
    value = differential_kernel(q2, above, below, energy, mass, target_mass, ge2, gm2)
    return value * q2 * width


@kernel
def total_all(
    energy: FloatArray,
    mass: float,
    species: Species,
    i: int,
    nodes: FloatArray,
    weights: FloatArray,
    panels: int,
    out: FloatArray,
) -> None:
    """Add the total cross sections [cm2] of species `i` to `out`: Gauss-Legendre in ln Q2."""
    if species.factor[i] <= 0.0:
        return
    for j in range(len(energy)):
        low, high, width = range_kernel(energy[j], mass, species.mass[i], species.q2_cut[i])
        if width <= 0.0:
            continue
        total = 0.0
        for k in range(panels):
            for n in range(len(nodes)):
                u = (k + 0.5 + 0.5 * nodes[n]) / panels
                total += weights[n] * _integrand(u, energy[j], mass, species, i, low, high, width)
        out[j] += total * 0.5 / panels


@kernel
def differential_all(
    q2: FloatArray,
    energy: FloatArray,
    reaction: IntArray,
    mass: float,
    species: Species,
    out: FloatArray,
) -> None:
    """Differential cross sections [cm2/GeV2], (n,); 0 outside the range and above the cut."""
    for j in range(len(q2)):
        i = reaction[j]
        out[j] = 0.0
        low, high, width = range_kernel(energy[j], mass, species.mass[i], species.q2_cut[i])
        inside = low <= q2[j] <= min(high, species.q2_cut[i])
        if width > 0.0 and inside and species.factor[i] > 0.0:
            ge2, gm2 = structure_kernel(q2[j], species, i)
            out[j] = differential_kernel(
                q2[j], q2[j] - low, high - q2[j], energy[j], mass, species.mass[i], ge2, gm2
            )


@kernel_part
def shape_kernel(q2: float, species: Species, i: int) -> tuple[float, float]:
    """Form factors up to a common factor that cannot vanish: enough for a polarisation."""
    if species.code[i] < PROTON_KELLY:
        return 1.0 + q2 / (4.0 * species.mass[i] ** 2), 0.0
    ge, gm = sachs_kernel(q2, species.code[i])
    return ge * ge, gm * gm


@kernel
def polarization_all(
    q2: FloatArray,
    energy: FloatArray,
    mass: float,
    helicity: float,
    species: Species,
    i: int,
    out: FloatArray,
) -> None:
    """Polarisations (S_theta, S_y, S_L) into `out` (n, 3); 0 outside the kinematic range."""
    target_mass = species.mass[i]
    for j in range(len(q2)):
        out[j, :] = 0.0
        low, high = q2_limits_kernel(energy[j], mass, target_mass)
        if high > 0.0 and low <= q2[j] <= high:
            e_out, p_t, p_z = outgoing_kernel(
                q2[j], q2[j] - low, high - q2[j], energy[j], mass, target_mass
            )
            ge2, gm2 = shape_kernel(q2[j], species, i)
            s_theta, s_long = polarization_kernel(
                q2[j], energy[j], mass, target_mass, e_out, p_t, p_z, ge2, gm2
            )
            out[j, 0] = helicity * s_theta
            out[j, 2] = helicity * s_long
