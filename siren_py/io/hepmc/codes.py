"""Codes that NuHepMC files use: particles, statuses, processes.

The rules are those of NuHepMC 1.0 (S. Gardiner, J. Isaacson and L. Pickering, arXiv:2310.13211).
"""

from __future__ import annotations

from collections.abc import Mapping

from siren_py.errors import ConfigError, UnknownNameError, unknown_name
from siren_py.particles import PDG, name

HNL = int(PDG.HNL)
"""Code of N inside siren_py."""

HNL_CODES: Mapping[str, int] = {
    "siren": HNL,
    "genie": 2000020000,
    "ship": 9900015,
    "nu_R": 9900012,
}
"""Codes of N in files, by the program that reads them: SIREN, GENIE, FairShip, MadGraph."""

REMNANT = 2009900000
"""What is left of a nucleus that lost a nucleon (NuHepMC, P.C.2)."""

NO_TARGET = 2009900001
"""Stands in the place of the target where nothing is struck; it has no momentum."""

STRUCK = 21
"""Status of a bound nucleon that is struck (P.C.1) and of the vertex where it leaves (V.C.1)."""

PRIMARY, SEPARATION, DECAY, SECONDARY = 1, 21, 22, 23
"""Statuses of vertices."""

VERTEX_STATUSES: Mapping[int, tuple[str, str]] = {
    PRIMARY: ("Primary", "The first process of the event"),
    SEPARATION: ("NucleonSeparation", "A bound nucleon leaves its nucleus"),
    DECAY: ("Decay", "Decay of a particle that was made earlier in the event"),
    SECONDARY: ("SecondaryInteraction", "Interaction of a particle that was made earlier"),
}

PARTICLE_STATUSES: Mapping[int, tuple[str, str]] = {
    1: ("Final", "Physical particle that neither decays nor interacts in the event"),
    2: ("Decayed", "Physical particle that decays or interacts in the event"),
    4: ("Beam", "Incoming beam particle"),
    20: ("Target", "Target of the primary process, at rest"),
    STRUCK: ("StruckNucleon", "Nucleon of the target that is struck"),
}

FIRST_PROCESS = 750
"""NuHepMC number of a sample's first process: 700 and above are other than standard ones."""

_EXTRA_99 = frozenset({12, 14, 16, 24, 41, 42})


def hnl_code(option: str | int) -> int:
    """Return the code that stands for N in a file.

    Parameters
    ----------
    option
        A key of `HNL_CODES`, or the code itself.

    Raises
    ------
    ConfigError
        If the number is not positive, has more than 31 bits, or is the code of another particle.
    UnknownNameError
        If there is no such key.
    """
    if isinstance(option, str):
        if option not in HNL_CODES:
            raise unknown_name("code of N", option, HNL_CODES, "Or give a number.")
        return HNL_CODES[option]
    code = int(option)
    if not 0 < code < 2**31:
        raise ConfigError(f"The code of N must be between 1 and 2^31 - 1; got {option!r}.")
    if code != HNL and (is_nucleus(code) or _named(code) or code in (REMNANT, NO_TARGET)):
        raise ConfigError(
            f"{code} is the code of another particle; choose one that is free, or one of "
            f"{', '.join(HNL_CODES)}."
        )
    return code


def _named(code: int) -> bool:
    try:
        name(code)
    except UnknownNameError:
        return False
    return True


def is_nucleus(code: int) -> bool:
    """Return whether a PDG code has the form 10LZZZAAAI of a nucleus."""
    return 1_000_000_000 <= abs(code) < 1_100_000_000


def is_standard(code: int) -> bool:
    """Return whether a code has a place in the numbering scheme of the PDG.

    The scheme (PDG, Phys. Rev. D 110, 030001 (2024), section 45) leaves 81 to 100 and most of
    99XXXXX to programs, and the digits of quarks end at 8.
    """
    number = abs(code)
    if is_nucleus(code):
        return True
    if number == 0 or number >= 10_000_000 or 81 <= number <= 100:
        return False
    if number < 81:
        return True
    if number // 100_000 == 99:
        rest = number % 100_000
        # 110 to 2210 stand for states of diffraction.
        return rest in _EXTRA_99 or (rest >= 110 and rest % 10 == 0)
    return all(number // place % 10 != 9 for place in (10, 100, 1000))
