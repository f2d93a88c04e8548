"""Particles by PDG code: names, masses and charges.

The heavy neutral leptons and the dark mediators have codes of their own here, because general
PDG libraries read theirs (5914, ...) as hadrons. Nuclei are looked up in `siren_py.nuclei`.
"""

from __future__ import annotations

import functools
from enum import IntEnum

from siren_py.constants import (
    ELECTRON_MASS,
    MUON_MASS,
    NEUTRON_MASS,
    PROTON_MASS,
    TAU_MASS,
)
from siren_py.errors import UnknownNameError, unknown_name
from siren_py.nuclei import nuclide, nuclide_code, nuclide_names

__all__ = ["PDG", "charge", "code", "mass", "name", "nuclide_code"]


class PDG(IntEnum):
    """Codes of the particles that siren_py names most (PDG 2024, numbering scheme).

    Antiparticles have the negative code, nuclei that of `nuclide_code`.
    """

    ELECTRON = 11
    NU_E = 12
    MUON = 13
    NU_MU = 14
    TAU = 15
    NU_TAU = 16
    PHOTON = 22
    PI_ZERO = 111
    PI_PLUS = 211
    ETA = 221
    K_LONG = 130
    K_PLUS = 321
    PROTON = 2212
    NEUTRON = 2112
    HNL = 5914


# Code: name, name of the antiparticle ("" if it is its own), mass [GeV] (None: a parameter of the
# model), charge [e]. Masses: PDG, Phys. Rev. D 110, 030001 (2024), and `siren_py.constants`.
_TABLE: dict[int, tuple[str, str, float | None, int]] = {
    11: ("e-", "e+", ELECTRON_MASS, -1),
    12: ("nu_e", "nubar_e", 0.0, 0),
    13: ("mu-", "mu+", MUON_MASS, -1),
    14: ("nu_mu", "nubar_mu", 0.0, 0),
    15: ("tau-", "tau+", TAU_MASS, -1),
    16: ("nu_tau", "nubar_tau", 0.0, 0),
    22: ("gamma", "", 0.0, 0),
    111: ("pi0", "", 0.1349768, 0),
    211: ("pi+", "pi-", 0.13957039, 1),
    113: ("rho0", "", 0.77526, 0),
    213: ("rho+", "rho-", 0.77511, 1),
    221: ("eta", "", 0.547862, 0),
    223: ("omega", "", 0.78266, 0),
    331: ("eta'", "", 0.95778, 0),
    333: ("phi", "", 1.019461, 0),
    130: ("K0L", "", 0.497611, 0),
    310: ("K0S", "", 0.497611, 0),
    311: ("K0", "Kbar0", 0.497611, 0),
    321: ("K+", "K-", 0.493677, 1),
    411: ("D+", "D-", 1.86966, 1),
    421: ("D0", "Dbar0", 1.86484, 0),
    431: ("D_s+", "D_s-", 1.96835, 1),
    2112: ("n", "nbar", NEUTRON_MASS, 0),
    2212: ("p", "pbar", PROTON_MASS, 1),
    2224: ("Delta++", "Deltabar--", 1.232, 2),
    2214: ("Delta+", "Deltabar-", 1.232, 1),
    2114: ("Delta0", "Deltabar0", 1.232, 0),
    1114: ("Delta-", "Deltabar+", 1.232, -1),
    3122: ("Lambda", "Lambdabar", 1.115683, 0),
    3222: ("Sigma+", "Sigmabar-", 1.18937, 1),
    3212: ("Sigma0", "Sigmabar0", 1.192642, 0),
    3112: ("Sigma-", "Sigmabar+", 1.197449, -1),
    5914: ("N4", "N4bar", None, 0),
    5915: ("N5", "N5bar", None, 0),
    5916: ("N6", "N6bar", None, 0),
    5921: ("Z'", "", None, 0),
}


def mass(pdg: int) -> float:
    """Mass of a particle [GeV]; of the bare nucleus for nuclei, 0 for the light neutrinos.

    Parameters
    ----------
    pdg
        PDG code; the sign does not matter.

    Raises
    ------
    UnknownNameError
        If the code is not in the table, or if it stands for a particle whose mass is a parameter
        of the model.
    """
    if _is_nucleus(pdg):
        return nuclide(_nucleus_name(pdg)).mass
    label, _, value, _ = _entry(pdg)
    if value is None:
        raise UnknownNameError(
            f"The mass of {label} ({pdg}) is not a constant but a parameter: ask the model."
        )
    return value


def name(pdg: int) -> str:
    """Name of a particle or of a nuclide: ``"nubar_mu"``, ``"pi+"``, ``"Ar40"``.

    Raises
    ------
    UnknownNameError
        If the code is not in the table.
    """
    if _is_nucleus(pdg):
        return _nucleus_name(pdg)
    entry = _entry(pdg)
    return entry[0] if pdg > 0 else entry[1]


def charge(pdg: int) -> int:
    """Electric charge of a particle or of a bare nucleus [e].

    Raises
    ------
    UnknownNameError
        If the code is not in the table.
    """
    if _is_nucleus(pdg):
        return nuclide(_nucleus_name(pdg)).Z
    value = _entry(pdg)[3]
    return value if pdg > 0 else -value


def code(name: str) -> int:
    """PDG code of a particle or of a nuclide, by its `name`.

    Raises
    ------
    UnknownNameError
        If there is no such particle.
    """
    for number, (particle, antiparticle, _, _) in _TABLE.items():
        if name == particle:
            return number
        if name == antiparticle and antiparticle:
            return -number
    if name in nuclide_names():
        return nuclide(name).pdg
    known = [label for entry in _TABLE.values() for label in entry[:2] if label]
    raise unknown_name("particle", name, known, "Nuclides are written as 'C12'.")


def _is_nucleus(pdg: int) -> bool:
    return 1_000_000_000 <= pdg < 1_100_000_000


def _nucleus_name(pdg: int) -> str:
    """Name of the ground state of a nucleus with a code 100ZZZAAA0."""
    label = _nuclei_by_code().get(pdg)
    if label is None:
        raise UnknownNameError(
            f"The nuclide table has no nucleus of PDG code {pdg} (codes are 100ZZZAAA0; "
            "hypernuclei, isomers and antinuclei are not supported)."
        )
    return label


@functools.cache
def _nuclei_by_code() -> dict[int, str]:
    return {nuclide(label).pdg: label for label in nuclide_names()}


def _entry(pdg: int) -> tuple[str, str, float | None, int]:
    entry = _TABLE.get(abs(pdg))
    if entry is None:
        codes = ", ".join(str(number) for number in sorted(_TABLE))
        raise UnknownNameError(
            f"There is no particle of PDG code {pdg}. Known: {codes}, their antiparticles and "
            "nuclei 100ZZZAAA0."
        )
    if pdg < 0 and not entry[1]:
        raise UnknownNameError(
            f"There is no particle of PDG code {pdg}: {entry[0]} ({-pdg}) is its own antiparticle."
        )
    return entry
