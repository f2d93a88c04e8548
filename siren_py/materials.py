"""Materials: what a volume is filled with, down to the nuclides.

A material is a density and the mass fractions of its nuclides. Natural elements are expanded in
their isotopes, so that every number below follows from the same list of atoms.
"""

from __future__ import annotations

import copy
import functools
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from siren_py.constants import ALPHA, AVOGADRO
from siren_py.errors import MaterialError
from siren_py.nuclei import SYMBOLS, Nuclide, atomic_number, natural_isotopes, nuclide

FRACTION_TOLERANCE = 1e-6
"""How far from 1 the given fractions of a material may sum."""

_TSAI_CONSTANT = 716.408
"""(4 alpha r_e^2 N_A)^-1 [g/cm2 per g/mol]: PDG 2024, Passage of particles, eq. (34.25)."""

_TSAI_LIGHT = {1: (5.31, 6.144), 2: (4.79, 5.621), 3: (4.74, 5.805), 4: (4.71, 5.924)}
"""L_rad and L'_rad of the elements too light for the Thomas-Fermi model, by Z: Y.-S. Tsai, Rev.
Mod. Phys. 46, 815 (1974), in the form of PDG 2024, Passage of particles, section 34.4.2."""

_FORMULA_TOKEN = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)(?:\[(?P<mass>\d+)\])?|(?P<open>\()|(?P<close>\))"
    r"|(?P<count>\d+(?:\.\d*)?|\.\d+)"
)
_HYDROGEN = {"D": "H2", "T": "H3"}

_Key = TypeVar("_Key")


@dataclass(frozen=True, init=False, repr=False)
class Material:
    """A homogeneous mixture of nuclides with a density.

    Materials are immutable; two of them are equal if name, density and mass fractions are.

    Parameters
    ----------
    name
        Name under which detectors list the material.
    mass_fractions
        Mass fractions by nuclide (``"Fe56"``) or natural element (``"Fe"``). They must sum to 1
        within `FRACTION_TOLERANCE`; what remains is normalised away.
    density
        Density [g/cm3].

    Raises
    ------
    MaterialError
        If a fraction or the density is negative or not finite, if the fractions do not sum to 1,
        or if matter has no density or a density no matter (`VACUUM` has neither).
    UnknownNameError
        If an element or a nuclide is not known.

    Examples
    --------
    >>> brass = Material("brass", {"Cu": 0.7, "Zn": 0.3}, density=8.53)
    >>> round(brass.radiation_length_cm, 2)
    1.49
    """

    name: str
    density: float
    _fractions: tuple[tuple[str, float], ...]

    def __init__(self, name: str, mass_fractions: Mapping[str, float], density: float) -> None:
        fractions = _nuclide_fractions(name, mass_fractions)
        density = _non_negative(density, f"The density of material {name!r} [g/cm3]")
        if fractions and density == 0.0:
            raise MaterialError(
                f"Material {name!r} has a composition but zero density. Give its density [g/cm3], "
                "or use VACUUM."
            )
        if not fractions and density > 0.0:
            raise MaterialError(
                f"Material {name!r} has a density of {density:g} g/cm3 but no composition. Give "
                "the mass fractions of its elements."
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "density", density)
        object.__setattr__(self, "_fractions", fractions)

    @classmethod
    def from_element(cls, symbol: str, *, density: float, name: str | None = None) -> Material:
        """Material of one natural element, or of one nuclide.

        Parameters
        ----------
        symbol
            ``"Pb"``, or a nuclide, ``"Pb208"``.
        density
            Density [g/cm3].
        name
            Name; by default the symbol.
        """
        return cls(symbol if name is None else name, {symbol: 1.0}, density)

    @classmethod
    def from_formula(cls, formula: str, *, density: float, name: str | None = None) -> Material:
        """Material of a chemical compound.

        Parameters
        ----------
        formula
            Chemical formula: ``"SiO2"``, ``"(CH2)2"``, ``"C8H8"``, ``"D2O"``. Counts may be
            decimal numbers; an isotope is written with brackets, ``"C[13]O2"``.
        density
            Density [g/cm3].
        name
            Name; by default the formula.

        Raises
        ------
        MaterialError
            If the formula cannot be read; the text shows where.
        UnknownNameError
            If an element is not known.

        Examples
        --------
        >>> water = Material.from_formula("H2O", density=1.0, name="water")
        >>> round(water.element_fractions["H"], 4)
        0.1119
        """
        atoms: defaultdict[str, float] = defaultdict(float)
        for symbol, count in _parse_formula(formula).items():
            _add(atoms, {isotope: count * x for isotope, x in _expand(symbol).items()})
        masses = {isotope: n * nuclide(isotope).atomic_mass for isotope, n in atoms.items()}
        total = math.fsum(masses.values())
        fractions = {isotope: mass / total for isotope, mass in masses.items()}
        return cls(formula if name is None else name, fractions, density)

    @classmethod
    def from_mass_fractions(
        cls,
        name: str,
        parts: Mapping[Material | str, float],
        density: float,
    ) -> Material:
        """Mixture of materials, elements or nuclides by mass.

        Parameters
        ----------
        name
            Name of the mixture.
        parts
            Mass fractions of materials, elements (``"Fe"``) or nuclides (``"Fe56"``), which sum
            to 1 within `FRACTION_TOLERANCE`.
        density
            Density of the mixture [g/cm3].

        Raises
        ------
        MaterialError, UnknownNameError
            As for the class.
        """
        shares = _normalised(f"mass fractions of material {name!r}", parts)
        fractions: defaultdict[str, float] = defaultdict(float)
        for part, share in shares.items():
            composition = part.mass_fractions if isinstance(part, Material) else {part: 1.0}
            if not composition and share > 0.0:
                raise MaterialError(
                    f"Material {name!r} has {share:g} of its mass in {part!r}, which has none."
                )
            _add(fractions, {key: share * w for key, w in composition.items()})
        return cls(name, fractions, density)

    @classmethod
    def from_volume_fractions(
        cls, name: str, parts: Mapping[Material, float], density: float | None = None
    ) -> Material:
        """Mixture of materials by volume.

        Parameters
        ----------
        name
            Name of the mixture.
        parts
            Volume fractions v_i of materials, which sum to 1 within `FRACTION_TOLERANCE`;
            `VACUUM` may be one of them.
        density
            Density of the mixture [g/cm3]; by default sum v_i rho_i.
        """
        shares = _normalised(f"volume fractions of material {name!r}", parts)
        masses: dict[Material | str, float] = {
            part: v * part.density for part, v in shares.items() if v * part.density > 0.0
        }
        total = math.fsum(masses.values())
        if not masses:
            return cls(name, {}, 0.0 if density is None else density)
        return cls.from_mass_fractions(
            name,
            {part: mass / total for part, mass in masses.items()},
            total if density is None else density,
        )

    def with_density(self, density: float) -> Material:
        """Same material at another density [g/cm3].

        Parameters
        ----------
        density
            Density [g/cm3].

        Raises
        ------
        MaterialError
            If the density is not positive and finite.
        """
        density = _non_negative(density, f"The density of material {self.name!r} [g/cm3]")
        if (density > 0.0) != bool(self._fractions):
            raise MaterialError(
                f"Material {self.name!r} cannot have a density of {density:g} g/cm3: matter needs "
                "a positive density, vacuum has none."
            )
        # A copy keeps the fractions to the last bit: no second normalisation.
        other = copy.copy(self)
        object.__setattr__(other, "density", density)
        return other

    @property
    def mass_fractions(self) -> dict[str, float]:
        """Mass fractions by nuclide, ordered by Z and A; they sum to 1."""
        return dict(self._fractions)

    @property
    def element_fractions(self) -> dict[str, float]:
        """Mass fractions by element, ordered by Z; they sum to 1."""
        elements: dict[str, float] = {}
        for name, fraction in self._fractions:
            symbol = nuclide(name).symbol
            elements[symbol] = elements.get(symbol, 0.0) + fraction
        return elements

    @property
    def number_densities(self) -> dict[str, float]:
        """Atoms per volume by nuclide [1/cm3]: rho w_i N_A / M_i with ATOMIC masses M_i."""
        return {
            name: self.density * fraction * AVOGADRO / nuclide(name).atomic_mass
            for name, fraction in self._fractions
        }

    @property
    def electron_density(self) -> float:
        """Electrons per volume [1/cm3]."""
        return math.fsum(nuclide(name).Z * n for name, n in self.number_densities.items())

    @property
    def mean_Z_over_A(self) -> float:
        """Electrons per molar mass, sum w_i Z_i / M_i [mol/g]; 0 in vacuum."""
        parts = ((nuclide(name), fraction) for name, fraction in self._fractions)
        return math.fsum(fraction * part.Z / part.atomic_mass for part, fraction in parts)

    @property
    def radiation_length(self) -> float:
        """Radiation length X0 [g/cm2], 1/X0 = sum w_i/X_i; infinite in vacuum.

        X_i is that of the element for atoms of the mass of nuclide i, `element_radiation_length`
        (PDG 2024, Passage of particles, section 34.4.2). Molecular binding is neglected, as in
        the PDG tables.
        """
        inverse = math.fsum(
            fraction / _nuclide_radiation_length(nuclide(name))
            for name, fraction in self._fractions
        )
        return 1.0 / inverse if inverse > 0.0 else math.inf

    @property
    def radiation_length_cm(self) -> float:
        """Radiation length [cm]; infinite in vacuum."""
        return self.radiation_length / self.density if self.density > 0.0 else math.inf

    def __repr__(self) -> str:
        parts = ", ".join(f"{symbol}: {w:.4g}" for symbol, w in self.element_fractions.items())
        return f"<Material {self.name!r}, {self.density:.6g} g/cm3, by mass {{{parts}}}>"


def element_radiation_length(Z: int, molar_mass: float) -> float:
    """Radiation length of an element [g/cm2].

    1/X0 = 4 alpha r_e^2 N_A/M [Z^2 (L_rad - f(Z)) + Z L'_rad]: Y.-S. Tsai, Rev. Mod. Phys. 46, 815
    (1974), in the form of PDG 2024, Passage of particles, eq. (34.25) and the text that follows it
    for f(Z), the Coulomb correction.

    Parameters
    ----------
    Z
        Atomic number.
    molar_mass
        Molar mass of the atoms [g/mol].
    """
    a2 = (ALPHA * Z) ** 2
    coulomb = a2 * (1.0 / (1.0 + a2) + 0.20206 - 0.0369 * a2 + 0.0083 * a2**2 - 0.002 * a2**3)
    if Z in _TSAI_LIGHT:
        elastic, inelastic = _TSAI_LIGHT[Z]
    else:
        elastic = math.log(184.15 * Z ** (-1.0 / 3.0))
        inelastic = math.log(1194.0 * Z ** (-2.0 / 3.0))
    return _TSAI_CONSTANT * molar_mass / (Z**2 * (elastic - coulomb) + Z * inelastic)


@functools.cache
def _nuclide_radiation_length(part: Nuclide) -> float:
    return element_radiation_length(part.Z, part.atomic_mass)


def _non_negative(value: float, what: str) -> float:
    """`value` as a float; MaterialError if it is negative or not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise MaterialError(f"{what} is {value!r}; it must be a number.") from None
    if not (math.isfinite(number) and number >= 0.0):
        raise MaterialError(f"{what} is {number:g}; it must be finite and not negative.")
    return number


def _normalised(what: str, parts: Mapping[_Key, float]) -> dict[_Key, float]:
    """Fractions checked and divided by their sum, which must be 1 within the tolerance."""
    fractions = {
        key: _non_negative(f, f"Among the {what}, that of {key!r}") for key, f in parts.items()
    }
    total = math.fsum(fractions.values())
    if not abs(total - 1.0) <= FRACTION_TOLERANCE:
        raise MaterialError(
            f"The {what} sum to {total:.9g}, not to 1 (tolerance {FRACTION_TOLERANCE:g}): "
            f"{_listed(fractions)}. Correct them or divide each by the sum."
        )
    return {key: f / total for key, f in fractions.items()}


def _listed(fractions: Mapping[_Key, float]) -> str:
    return ", ".join(f"{key!r}: {f:g}" for key, f in fractions.items()) or "none was given"


def _expand(key: str) -> dict[str, float]:
    """Atom fractions of the isotopes that `key`, an element or a nuclide, stands for."""
    if key in SYMBOLS:
        return natural_isotopes(key)
    if key.isalpha() and key not in _HYDROGEN:
        atomic_number(key)  # says which elements there are
    part = nuclide(key)
    if part.Z == 0:
        raise MaterialError("Free neutrons do not make a material: name an element or a nuclide.")
    return {part.name: 1.0}


def _nuclide_fractions(
    name: str, mass_fractions: Mapping[str, float]
) -> tuple[tuple[str, float], ...]:
    """Mass fractions of a material's nuclides, ordered by Z and A."""
    if not mass_fractions:
        return ()
    sums: defaultdict[str, float] = defaultdict(float)
    for key, share in _normalised(f"mass fractions of material {name!r}", mass_fractions).items():
        atoms = _expand(key)
        masses = {isotope: x * nuclide(isotope).atomic_mass for isotope, x in atoms.items()}
        mean = math.fsum(masses.values())
        _add(sums, {isotope: share * mass / mean for isotope, mass in masses.items()})
    present = sorted((nuclide(n) for n, w in sums.items() if w > 0.0), key=lambda x: (x.Z, x.A))
    return tuple((part.name, sums[part.name]) for part in present)


def _parse_formula(formula: str) -> dict[str, float]:
    """Atoms of a chemical formula by element or nuclide."""
    # One group of atoms per open parenthesis; a count that follows multiplies `pending`.
    groups: list[defaultdict[str, float]] = [defaultdict(float)]
    pending: dict[str, float] = {}
    position = 0
    while position < len(formula):
        match = _FORMULA_TOKEN.match(formula, position)
        if match is None:
            raise _formula_error(formula, position, "no element, count or parenthesis")
        if match["count"]:
            if not pending:
                raise _formula_error(formula, position, "a count without an element before it")
            factor = float(match["count"])
            _add(groups[-1], {symbol: factor * n for symbol, n in pending.items()})
            pending = {}
        else:
            _add(groups[-1], pending)
            pending = {}
            if match["open"]:
                groups.append(defaultdict(float))
            elif match["close"]:
                if len(groups) == 1:
                    raise _formula_error(formula, position, "')' without '('")
                pending = groups.pop()
            else:
                pending = {_formula_atom(match["symbol"], match["mass"]): 1.0}
        position = match.end()
    _add(groups[-1], pending)
    if len(groups) > 1:
        raise _formula_error(formula, position, "'(' without ')'")
    if not any(groups[0].values()):
        raise MaterialError(f"The chemical formula {formula!r} has no atoms. Write e.g. 'SiO2'.")
    return groups[0]


def _add(sums: defaultdict[str, float], parts: Mapping[str, float]) -> None:
    for key, value in parts.items():
        sums[key] += value


def _formula_atom(symbol: str, mass_number: str | None) -> str:
    if mass_number is not None:
        return f"{symbol}{mass_number}"
    return _HYDROGEN.get(symbol, symbol)


def _formula_error(formula: str, position: int, problem: str) -> MaterialError:
    return MaterialError(
        f"The chemical formula {formula!r} cannot be read at character {position + 1} "
        f"({formula[position:] or 'its end'!r}): {problem}. Write for example 'SiO2' or '(CH2)2'."
    )


VACUUM = Material("vacuum", {}, 0.0)
"""No matter at all."""
