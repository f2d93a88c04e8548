"""Nuclides: masses, natural abundances, charge radii and measured charge densities.

The numbers live in ``data/nuclides.csv`` and ``data/fourier_bessel.csv``, whose headers name
their sources. A nuclide is written as symbol and mass number, ``"C12"``.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from siren_py.constants import ATOMIC_MASS_UNIT, ELECTRON_MASS, NEUTRON_MASS, PROTON_MASS
from siren_py.errors import UnknownNameError, unknown_name

_SYMBOLS = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm
Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No
Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""

SYMBOLS: tuple[str, ...] = tuple(_SYMBOLS.split())
"""Symbols of the elements, in the order of their atomic numbers from Z = 1."""

_ALIASES = {"proton": "H1", "p": "H1", "neutron": "n1", "n": "n1", "d": "H2", "t": "H3"}
_NAME = re.compile(r"([a-z]{1,2})-?(\d{1,3})|(\d{1,3})-?([a-z]{1,2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Nuclide:
    """A nucleus in its ground state, and the atom that carries it.

    Attributes
    ----------
    name
        Symbol and mass number, ``"C12"``; ``"n1"`` is the free neutron.
    Z, A
        Numbers of protons and of nucleons.
    mass
        Mass of the bare nucleus [GeV].
    abundance
        Atoms of this isotope per atom of the natural element; 0 where nature has none.
    spin_zero
        True for even-even nuclei, whose ground state is 0+.
    charge_radius
        Root-mean-square radius of the charge distribution [fm]; None for the neutron only.
    fourier_bessel
        Cut-off radius R [fm] and coefficients a_1, a_2, ... [e/fm3] of the measured charge
        density sum_n a_n j_0(n pi r/R), r < R; None where no such analysis is in the table.
    pdg
        PDG code 100ZZZAAA0.
    atomic_mass
        Mass of the neutral atom [u], equal to its molar mass [g/mol].
    charge_radius_measured
        False where `charge_radius` comes from `charge_radius_estimate`.
    """

    name: str
    Z: int
    A: int
    mass: float
    abundance: float
    spin_zero: bool
    charge_radius: float | None
    fourier_bessel: tuple[float, tuple[float, ...]] | None
    pdg: int
    atomic_mass: float
    charge_radius_measured: bool

    @property
    def N(self) -> int:
        """Number of neutrons."""
        return self.A - self.Z

    @property
    def symbol(self) -> str:
        """Symbol of the element; ``"n"`` for the free neutron."""
        return SYMBOLS[self.Z - 1] if self.Z else "n"


def electron_binding_energy(Z: int) -> float:
    """Binding energy of all electrons of the neutral atom [GeV].

    Lunney, Pearson and Thibault, Rev. Mod. Phys. 75, 1021 (2003), eq. (A4): a fit to calculated
    total binding energies, good to about 0.15 keV in heavy atoms and to a few eV in light ones.
    """
    return (14.4381 * math.pow(Z, 2.39) + 1.55468e-6 * math.pow(Z, 5.35)) * 1e-9


def nuclear_mass(atomic_mass: float, Z: int) -> float:
    """Mass of the bare nucleus [GeV] of a neutral atom of `atomic_mass` [u].

    M = M_atom - Z m_e + B_el(Z), with `electron_binding_energy` for B_el.
    """
    return atomic_mass * ATOMIC_MASS_UNIT - Z * ELECTRON_MASS + electron_binding_energy(Z)


def charge_radius_estimate(A: int) -> float:
    """Charge radius of a nucleus of mass number `A` [fm], where none has been measured.

    Smooth fit r = (r0 + r1/A^(2/3) + r2/A^(4/3)) A^(1/3) with r0 = 0.9071, r1 = 1.105 and
    r2 = -0.548 fm: I. Angeli, At. Data Nucl. Data Tables 87, 185 (2004). For A >= 16 it differs
    from the measured radii of the table by 1 % (standard deviation), at most by 5.5 % (Ne20).
    """
    third = math.cbrt(A)
    return (0.9071 + 1.105 / third**2 - 0.548 / third**4) * third


def nuclide(name: str) -> Nuclide:
    """Look up a nuclide by its name.

    Parameters
    ----------
    name
        ``"C12"``; also ``"c12"``, ``"C-12"``, ``"12C"``, ``"D"``, ``"T"``, ``"p"`` or
        ``"proton"`` (H1) and ``"n"`` or ``"neutron"`` (the free neutron, n1).

    Raises
    ------
    UnknownNameError
        If the table has no such nuclide; the text gives the nearest names.
    """
    table = _nuclides()
    found = table.get(name) or table.get(_canonical(name))
    if found is None:
        raise _unknown_nuclide(name)
    return found


def nuclide_code(Z: int, A: int) -> int:
    """PDG code 100ZZZAAA0 of a nucleus (PDG 2024, Monte Carlo particle numbering scheme, no. 14).

    The single nucleons have nuclear codes too, as targets are written elsewhere: 1000010010 for
    H1 and 1000000010 for the free neutron.

    Raises
    ------
    UnknownNameError
        If no nucleus has these numbers.
    """
    if not (0 <= Z <= 118 and max(Z, 1) <= A <= 999):
        raise UnknownNameError(
            f"There is no nucleus with Z = {Z} and A = {A}: 0 <= Z <= 118 and Z <= A <= 999."
        )
    return 1_000_000_000 + 10_000 * Z + 10 * A


def nuclide_names() -> list[str]:
    """Names of all nuclides of the table, by Z and A, the free neutron first."""
    return list(_nuclides())


def natural_isotopes(symbol: str) -> dict[str, float]:
    """Isotopes of a natural element and their ATOM (mole) fractions, which sum to 1.

    Parameters
    ----------
    symbol
        Symbol of the element, ``"Ar"``.

    Raises
    ------
    UnknownNameError
        If there is no such element, or if it does not occur in nature.
    """
    return dict(_natural_elements()[_natural(symbol)])


def standard_atomic_weight(symbol: str) -> float:
    """Molar mass of a natural element [g/mol], from its isotopes."""
    table = _nuclides()
    return sum(
        fraction * table[name].atomic_mass
        for name, fraction in _natural_elements()[_natural(symbol)].items()
    )


def atomic_number(symbol: str) -> int:
    """Atomic number of an element, by its symbol.

    Raises
    ------
    UnknownNameError
        If there is no such element.
    """
    try:
        return SYMBOLS.index(symbol) + 1
    except ValueError:
        raise unknown_name("element", symbol, SYMBOLS, "Symbols are case sensitive.") from None


def element(Z: int) -> str:
    """Symbol of the element of atomic number `Z`.

    Raises
    ------
    UnknownNameError
        If `Z` is not between 1 and 118.
    """
    if not 1 <= Z <= len(SYMBOLS):
        raise UnknownNameError(f"There is no element with Z = {Z}: Z goes from 1 to 118.")
    return SYMBOLS[Z - 1]


def _natural(symbol: str) -> str:
    atomic_number(symbol)
    if symbol not in _natural_elements():
        raise UnknownNameError(
            f"The element {symbol} has no natural isotopic composition. Name an isotope instead; "
            f"the table has {', '.join(_isotopes(symbol)) or 'none of it'}."
        )
    return symbol


def _canonical(name: str) -> str:
    """Name as in the table, if `name` has the form of a nuclide's name."""
    folded = name.strip().casefold()
    if folded in _ALIASES:
        return _ALIASES[folded]
    match = _NAME.fullmatch(folded)
    if match is None:
        return ""
    symbol, number = match[1] or match[4], int(match[2] or match[3])
    return "n1" if (symbol, number) == ("n", 1) else f"{symbol.capitalize()}{number}"


def _isotopes(symbol: str) -> list[str]:
    return [n.name for n in _nuclides().values() if n.symbol == symbol]


def _unknown_nuclide(name: str) -> UnknownNameError:
    text = name.strip()
    symbol = re.sub(r"[^A-Za-z]", "", _canonical(name) or text).capitalize()
    if symbol in SYMBOLS and _isotopes(symbol):
        same = ", ".join(_isotopes(symbol))
        kind = "is an element, not a nuclide" if text == symbol else "is not in the nuclide table"
        return UnknownNameError(f"{name!r} {kind}. Isotopes of {symbol} in the table: {same}.")
    return unknown_name("nuclide", name, _nuclides(), "Write symbol and mass number: 'C12'.")


def _rows(file_name: str) -> Iterator[list[str]]:
    """Fields of the rows of a data file; comments and the line of column names are left out."""
    text = resources.files("siren_py").joinpath("data", file_name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return (line.split(",") for line in lines[1:])


@functools.cache
def _nuclides() -> dict[str, Nuclide]:
    densities = _fourier_bessel()
    table = {
        "n1": Nuclide(
            name="n1",
            Z=0,
            A=1,
            mass=NEUTRON_MASS,
            abundance=0.0,
            spin_zero=False,
            charge_radius=None,
            fourier_bessel=None,
            pdg=nuclide_code(0, 1),
            atomic_mass=NEUTRON_MASS / ATOMIC_MASS_UNIT,
            charge_radius_measured=False,
        )
    }
    for name, z, a, atomic_mass, abundance, radius in _rows("nuclides.csv"):
        Z, A, mass_u = int(z), int(a), float(atomic_mass)
        table[name] = Nuclide(
            name=name,
            Z=Z,
            A=A,
            mass=PROTON_MASS if A == 1 else nuclear_mass(mass_u, Z),
            abundance=float(abundance),
            spin_zero=Z % 2 == 0 and A % 2 == 0,
            charge_radius=float(radius) if radius else charge_radius_estimate(A),
            fourier_bessel=densities.get(name),
            pdg=nuclide_code(Z, A),
            atomic_mass=mass_u,
            charge_radius_measured=bool(radius),
        )
    return table


@functools.cache
def _natural_elements() -> dict[str, dict[str, float]]:
    elements: dict[str, dict[str, float]] = {}
    for entry in _nuclides().values():
        if entry.abundance > 0.0:
            elements.setdefault(entry.symbol, {})[entry.name] = entry.abundance
    # The published fractions are rounded: their sums differ from 1 in the last digit.
    return {
        symbol: {name: x / sum(isotopes.values()) for name, x in isotopes.items()}
        for symbol, isotopes in elements.items()
    }


@functools.cache
def _fourier_bessel() -> dict[str, tuple[float, tuple[float, ...]]]:
    return {
        name: (float(cutoff), tuple(float(a) for a in coefficients if a))
        for name, cutoff, *coefficients in _rows("fourier_bessel.csv")
    }
