"""Pauli blocking of nucleons knocked out of a nucleus, in the Fermi-gas model."""

from __future__ import annotations

from math import sqrt

import numpy as np

from siren_py._numba import kernel
from siren_py.errors import ConfigError

_MASS_NUMBERS = (1.0, 6.0, 12.0, 24.0, 40.08, 58.7, 88.9, 118.7, 180.9, 207.2)
_FERMI_MOMENTA = (0.0, 0.169, 0.221, 0.235, 0.251, 0.260, 0.254, 0.260, 0.265, 0.265)
# Li, C, Mg, Ca, Ni, Y, Sn, Ta, Pb: fits to quasi-elastic electron scattering, E. J. Moniz et al.,
# Phys. Rev. Lett. 26, 445 (1971), table I [GeV]. A = 1 stands for the free nucleon.


def fermi_momentum(A: float) -> float:
    """Fermi momentum [GeV] of a nucleus of mass number `A`.

    Measured values of Moniz et al., Phys. Rev. Lett. 26, 445 (1971), exactly 0.221 GeV for C12;
    linear in ln A between them, down to 0 for the free nucleon, constant above lead. The same
    value serves protons and neutrons.

    Raises
    ------
    ConfigError
        If `A` is less than 1.
    """
    if not A >= 1:
        raise ConfigError(f"The mass number must be at least 1; it is {A!r}.")
    return float(np.interp(np.log(A), np.log(_MASS_NUMBERS), _FERMI_MOMENTA))


@kernel
def pauli_factor_kernel(q2: float, nucleon_mass: float, fermi: float) -> float:
    """Share of the nucleons of a Fermi gas that Q2 [GeV2] can lift out of the Fermi sphere.

    S = (3/2) x - (1/2) x^3 with x = |q| / (2 k_F) < 1, else 1, where |q|^2 = Q2 + (Q2/2M)^2 is
    the momentum given to the nucleon: one minus the overlap of two spheres of radius k_F whose
    centres are |q| apart. 1 for k_F = 0.
    """
    if fermi <= 0.0:
        return 1.0
    recoil = q2 / (2.0 * nucleon_mass)
    x = sqrt(q2 + recoil * recoil) / (2.0 * fermi)
    return 1.0 if x >= 1.0 else x * (1.5 - 0.5 * x * x)
