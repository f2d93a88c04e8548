"""Numbers and choices of arXiv:2412.15051 and of the T2K search it uses.

Status of each table: official (published by the experiment) or digitised (read off a figure).
"""

from __future__ import annotations

from math import acosh, pi, sqrt

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import ALPHA, ELECTRON_MASS
from siren_py.errors import KinematicsError
from siren_py.flux import Flux, load_flux
from siren_py.models import DipolePortal

POT = {
    "t2k-2019": {"fhc": 12.34e20, "rhc": 6.29e20},
    "nd280": {"fhc": 19.7e20, "rhc": 16.3e20},
    "upgrade": {"fhc": 1e22 - 19.7e20, "rhc": 1e22 - 16.3e20},
}
"""Protons on target: T2K, Phys. Rev. D 100, 052006 (2019); all of ND280 before the upgrade; and
what arXiv:2412.15051 assumes for the upgrade (1e22 in each mode in all)."""

BACKGROUND = {"fhc": (0.563, 0.241), "rhc": (0.0153, 0.0154)}
"""Expected background of the e+e- channel in the 2019 data, with its error; none was observed.
T2K, Phys. Rev. D 100, 052006 (2019); official."""

EFFICIENCY_MASSES = 1e-3 * np.arange(150.0, 476.0, 25.0)
"""Masses [GeV] of `EFFICIENCY_MU` and `EFFICIENCY_E`."""

EFFICIENCY_MU = np.array(
    [0.069, 0.082, 0.089, 0.093, 0.098, 0.103, 0.106, 0.109, 0.112, 0.106, 0.100, 0.095, 0.089,
     0.081]
)  # fmt: skip
"""Efficiency for K -> mu N, N -> nu e e in the e+e- channel, as used by arXiv:2412.15051;
digitised by its authors from a figure of T2K."""

EFFICIENCY_E = np.array(
    [0.063, 0.075, 0.080, 0.085, 0.089, 0.093, 0.097, 0.101, 0.105, 0.103, 0.099, 0.092, 0.082,
     0.071]
)  # fmt: skip
"""The same for K -> e N, N -> nu e e."""

OFFICIAL_MASSES = 1e-3 * np.arange(140.0, 491.0, 10.0)
"""Masses [GeV] of `OFFICIAL_FHC` and `OFFICIAL_RHC`."""
OFFICIAL_FHC = np.array(
    [0.06711, 0.06682, 0.07839, 0.08955, 0.08312, 0.08693, 0.08948, 0.0911, 0.07498,
     0.08716, 0.08194, 0.07543, 0.09142, 0.09534, 0.1056, 0.1062, 0.102, 0.1091, 0.1028,
     0.105, 0.09776, 0.1096, 0.09355, 0.1079, 0.09953, 0.09974, 0.0987, 0.09774, 0.08863,
     0.08775, 0.08642, 0.07538, 0.07499, 0.0655, 0.06369, 0.07866]
)  # fmt: skip
"""Efficiency for K -> e N, N -> nu_e e e in the e+e- channel, neutrino mode: T2K data release of
Phys. Rev. D 100, 052006 (2019); official. Its statistical scatter is 10 %."""
OFFICIAL_RHC = np.array(
    [0.08318, 0.0753, 0.08341, 0.07605, 0.07827, 0.08657, 0.07549, 0.09156, 0.09585, 0.1088,
     0.0974, 0.09315, 0.08777, 0.09902, 0.1024, 0.1056, 0.08737, 0.106, 0.09455, 0.09602,
     0.09892, 0.1005, 0.0905, 0.1059, 0.1007, 0.1029, 0.09041, 0.09181, 0.087, 0.0816,
     0.08056, 0.07689, 0.06642, 0.07099, 0.07116, 0.08868]
)  # fmt: skip
"""The same in antineutrino mode."""


def published_efficiency(mass: ArrayLike) -> FloatArray:
    """Efficiency of arXiv:2412.15051: the lower of two digitised columns, constant outside.

    N from the dipole makes collinear pairs (m_ee near 2 m_e), the tables are for N -> nu e e by
    weak decay: what the efficiency for the dipole is, is not known. Nor is it below 150 MeV.
    """
    table = np.minimum(EFFICIENCY_MU, EFFICIENCY_E)
    return np.asarray(np.interp(np.asarray(mass, np.float64), EFFICIENCY_MASSES, table))


def official_efficiency(mass: ArrayLike, mode: str) -> FloatArray:
    """Efficiency for K -> e N, N -> nu_e e e of T2K's release, that of the nearest mass outside."""
    table = OFFICIAL_FHC if mode == "fhc" else OFFICIAL_RHC
    return np.asarray(np.interp(np.asarray(mass, np.float64), OFFICIAL_MASSES, table))


def published_branching_ratio(mass: float) -> float:
    """Branching ratio to e+e- as in the code of arXiv:2412.15051.

    alpha/(3 pi) [(2 - r^6/8) arccosh(1/r) - (24 - 10 r^2 + r^4)/8 sqrt(1 - 4 r^2)], r = m_e/m. The
    argument of arccosh should be 1/(2r) (arXiv:2109.03831): this is too large by
    (alpha/3 pi) 2 ln 2 = 0.00107.
    """
    if not mass > 2.0 * ELECTRON_MASS:
        raise KinematicsError(f"N of {mass!r} GeV cannot decay to e+e-.")
    r = ELECTRON_MASS / mass
    shape = (2.0 - r**6 / 8.0) * acosh(1.0 / r)
    shape -= (24.0 - 10.0 * r**2 + r**4) / 8.0 * sqrt(1.0 - 4.0 * r**2)
    return ALPHA / (3.0 * pi) * shape


def branching_ratio(mass: float) -> float:
    """Branching ratio to e+e- of `siren_py.DipolePortal`."""
    return DipolePortal(mass=mass, d_mu=1e-6).branching_ratio("nu e+ e-")


def photon_width(mass: float) -> float:
    """Width of N -> nu gamma at d = 1/GeV [GeV], m^3/4 pi: the lifetime of arXiv:2412.15051."""
    return mass**3 / (4.0 * pi)


def total_width(mass: float) -> float:
    """Total width at d = 1/GeV [GeV] of `siren_py.DipolePortal`."""
    return DipolePortal(mass=mass, d_mu=1.0).width()


FLUX_TABLES = ("2016", "2020")
"""Releases of the T2K flux. arXiv:2412.15051 names a table that is not public; its counts at low
masses are met by the release of 2016, those of 2020 are 3 % lower."""


def fluxes(table: str = "2020") -> dict[tuple[str, str], Flux]:
    """Fluxes at ND280 by (mode, flavour) of one of `FLUX_TABLES`."""
    return {
        (mode, flavor): load_flux("t2k-nd280", mode=mode, flavor=flavor, table=table)
        for mode in ("fhc", "rhc")
        for flavor in ("numu", "numubar")
    }


def sampling_flux() -> Flux:
    """Sum of all `fluxes` of both tables: above zero wherever one of them is."""
    known = [flux for table in FLUX_TABLES for flux in fluxes(table).values()]
    edges = np.unique(np.concatenate([f.edges for f in known]))  # type: ignore[attr-defined]
    middle = 0.5 * (edges[1:] + edges[:-1])
    values = np.sum([f.density(middle) for f in known], axis=0)
    return Flux.from_histogram(pdg=14, edges=edges, values=values, name="t2k-nd280 of all modes")
