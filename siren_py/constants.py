"""Physical constants, each with its source.

Values are those of CODATA 2018 and of the Particle Data Group (Review of Particle Physics,
Phys. Rev. D 110, 030001 (2024)). Masses are in GeV, the system of units is that of
`siren_py.units`.
"""

from __future__ import annotations

from math import pi, sqrt

HBARC = 1.973269804e-14
"""hbar c [GeV cm] (CODATA 2018, exact to the digits given)."""

HBARC2_CM2 = 3.8937937e-28
"""(hbar c)^2 [GeV^2 cm^2]: turns a cross section in GeV^-2 into cm^2 (PDG 2024)."""

SPEED_OF_LIGHT = 29.9792458
"""Speed of light [cm/ns] (exact)."""

AVOGADRO = 6.02214076e23
"""Avogadro's number [1/mol] (exact, SI 2019)."""

ATOMIC_MASS_UNIT = 0.93149410242
"""Unified atomic mass unit [GeV] (CODATA 2018)."""

GRAM_PER_GEV = 1.0 / (AVOGADRO * ATOMIC_MASS_UNIT)
"""Mass of 1 GeV/c^2 [g]."""

ALPHA = 1.0 / 137.035999084
"""Fine-structure constant at zero momentum transfer (CODATA 2018)."""

FERMI_CONSTANT = 1.1663788e-5
"""Fermi constant [GeV^-2] (PDG 2024)."""

ELECTRON_MASS = 0.51099895e-3
"""Electron mass [GeV] (CODATA 2018)."""

MUON_MASS = 0.1056583755
"""Muon mass [GeV] (CODATA 2018)."""

TAU_MASS = 1.77693
"""Tau mass [GeV] (PDG 2024)."""

PROTON_MASS = 0.93827208816
"""Proton mass [GeV] (CODATA 2018)."""

NEUTRON_MASS = 0.93956542052
"""Neutron mass [GeV] (CODATA 2018)."""

PROTON_MAGNETIC_MOMENT = 2.79284734463
"""Magnetic moment of the proton in nuclear magnetons (CODATA 2018)."""

NEUTRON_MAGNETIC_MOMENT = -1.91304273
"""Magnetic moment of the neutron in nuclear magnetons (CODATA 2018)."""

BOHR_MAGNETON = sqrt(4.0 * pi * ALPHA) / (2.0 * ELECTRON_MASS)
"""Bohr magneton e/(2 m_e) in natural units [GeV^-1]: 296.304."""
