"""Isotopes, elements and materials of a GDML file as `Material`."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from siren_py.errors import MaterialError, UnknownNameError, nearest_names
from siren_py.io.gdml.scope import Scope
from siren_py.io.gdml.xml import Node
from siren_py.io.text import name_hint
from siren_py.materials import Material
from siren_py.nuclei import SYMBOLS, natural_isotopes, nuclide, standard_atomic_weight

_POINTER = re.compile(r"0x[0-9a-fA-F]+$")
_SUM_TOLERANCE = 1e-3
"""Fractions in published files are rounded; Geant4 warns beyond one per mille, too."""
_ELEMENT_TOLERANCE = 0.01
"""Relative difference up to which an atomic mass is that of the natural element."""

# Materials of Geant4's NIST table that files use without defining them: density [g/cm3] and mass
# fractions. NIST Standard Reference Database 124 (ESTAR) and PDG, Atomic and nuclear properties.
_NIST: dict[str, tuple[float, dict[str, float]]] = {
    "AIR": (1.20479e-3, {"C": 0.000124, "N": 0.755268, "O": 0.231781, "Ar": 0.012827}),
    "WATER": (1.0, {"H": 0.111894, "O": 0.888106}),
    "lAr": (1.396, {"Ar": 1.0}),
    "GRAPHITE": (2.21, {"C": 1.0}),
    "POLYSTYRENE": (1.06, {"H": 0.077421, "C": 0.922579}),
    "POLYETHYLENE": (0.94, {"H": 0.143711, "C": 0.856289}),
    "PLASTIC_SC_VINYLTOLUENE": (1.032, {"H": 0.085, "C": 0.915}),
    "STAINLESS-STEEL": (8.0, {"Fe": 0.746212, "Cr": 0.169, "Ni": 0.084788}),
    "SILICON_DIOXIDE": (2.32, {"Si": 0.467435, "O": 0.532565}),
    "CARBON_DIOXIDE": (1.84212e-3, {"C": 0.272916, "O": 0.727084}),
    "CONCRETE": (
        2.3,
        {"H": 0.01, "C": 0.001, "O": 0.529107, "Na": 0.016, "Mg": 0.002, "Al": 0.033872,
         "Si": 0.337021, "K": 0.013, "Ca": 0.044, "Fe": 0.014},
    ),
    "H": (8.3748e-5, {"H": 1.0}), "He": (1.66322e-4, {"He": 1.0}), "Be": (1.848, {"Be": 1.0}),
    "C": (2.0, {"C": 1.0}), "N": (1.16528e-3, {"N": 1.0}), "O": (1.33151e-3, {"O": 1.0}),
    "Mg": (1.74, {"Mg": 1.0}), "Al": (2.699, {"Al": 1.0}), "Si": (2.33, {"Si": 1.0}),
    "Ar": (1.66201e-3, {"Ar": 1.0}), "Ti": (4.54, {"Ti": 1.0}), "Cr": (7.18, {"Cr": 1.0}),
    "Fe": (7.874, {"Fe": 1.0}), "Ni": (8.902, {"Ni": 1.0}), "Cu": (8.96, {"Cu": 1.0}),
    "Zn": (7.133, {"Zn": 1.0}), "Ge": (5.323, {"Ge": 1.0}), "Ag": (10.5, {"Ag": 1.0}),
    "Sn": (7.31, {"Sn": 1.0}), "Xe": (5.48536e-3, {"Xe": 1.0}), "W": (19.3, {"W": 1.0}),
    "Au": (19.32, {"Au": 1.0}), "Pb": (11.35, {"Pb": 1.0}), "U": (18.95, {"U": 1.0}),
}  # fmt: skip


class _Element(NamedTuple):
    """Molar mass as the file has it [g/mol], and its nuclides by mass (empty: vacuum)."""

    molar_mass: float
    fractions: dict[str, float]


class Materials:
    """Reads the ``<materials>`` of a file, in order.

    Parameters
    ----------
    scope
        Names of the file.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.isotopes: dict[str, _Element] = {}
        self.elements: dict[str, _Element] = {}
        self.materials: dict[str, Material] = {}
        self._nodes: dict[str, Node] = {}

    def read(self, node: Node) -> None:
        """Read a ``<materials>`` element."""
        for child in self.scope.expanded(node):
            if child.tag == "isotope":
                self.isotopes[self._new(child, "isotope")] = self._isotope(child)
            elif child.tag == "element":
                self.elements[self._new(child, "element")] = self._element(child)
            elif child.tag == "material":
                name = self._new(child, "material")
                self.materials[name] = self._material(child, name)
            elif child.tag == "define":
                self.scope.define(child)
            else:
                raise child.fault("this is no element of <materials>.")

    def _new(self, node: Node, kind: str) -> str:
        name = self.scope.name(node)
        before = self._nodes.get(f"{kind} {name}")
        if before is not None:
            raise node.fault(
                f"there is already a {kind} of this name in line {before.line}; rename one."
            )
        self._nodes[f"{kind} {name}"] = node
        return name

    def _atom(self, node: Node) -> float:
        atom = node.need("atom")
        return self.scope.number(atom, "value") * self.scope.unit(atom, "unit", "g/mole")

    def _Z(self, node: Node) -> int:
        Z = self.scope.number(node, "Z")
        if int(Z) != Z or not 0 <= Z <= len(SYMBOLS):
            raise node.fault(f"Z is {Z:g}; it must be a whole number from 1 to {len(SYMBOLS)}.")
        return int(Z)

    def _isotope(self, node: Node) -> _Element:
        Z, A = self._Z(node), self.scope.integer(node, "N")
        if Z == 0:
            raise node.fault("Z is 0; it must be 1 or more.")
        name = self._nuclide(node, Z, A)
        mass = self._atom(node) if node.find("atom") else nuclide(name).atomic_mass
        return _Element(mass, {name: 1.0})

    def _nuclide(self, node: Node, Z: int, A: int) -> str:
        try:
            return nuclide(f"{SYMBOLS[Z - 1]}{A}").name
        except UnknownNameError as error:
            raise node.fault(f"{error}") from None

    def _element(self, node: Node) -> _Element:
        parts = list(node.all("fraction"))
        if not parts:
            return self._simple(node, self._Z(node), self._atom(node))
        atoms: list[tuple[_Element, float]] = []
        for part in parts:
            name = self.scope.name(part, "ref")
            if name not in self.isotopes:
                raise part.fault(f"there is no isotope {name!r} before this line.")
            atoms.append((self.isotopes[name], self._share(part)))
        total = self._total(node, [share for _, share in atoms])
        return _mixed_by_atoms([(isotope, share / total) for isotope, share in atoms])

    def _simple(self, node: Node, Z: int, molar_mass: float) -> _Element:
        if Z == 0:
            return _Element(molar_mass, {})  # vacuum, as ROOT writes it
        symbol = SYMBOLS[Z - 1]
        if not molar_mass > 0.0:
            raise node.fault(f"the atomic mass is {molar_mass:g} g/mole; it must be positive.")
        try:
            natural = standard_atomic_weight(symbol)
            isotopes = natural_isotopes(symbol)
        except UnknownNameError:
            natural, isotopes = 0.0, {}
        if abs(molar_mass - natural) <= max(_ELEMENT_TOLERANCE * natural, 0.02):
            return _Element(
                molar_mass,
                {n: x * nuclide(n).atomic_mass / natural for n, x in isotopes.items()},
            )
        return _Element(molar_mass, {self._nuclide(node, Z, round(molar_mass)): 1.0})

    def _share(self, node: Node) -> float:
        share = self.scope.number(node, "n")
        if share < 0.0:
            raise node.fault(f"n is {share:g}; a fraction must not be negative.")
        return share

    def _total(self, node: Node, shares: list[float]) -> float:
        total = math.fsum(shares)
        if not abs(total - 1.0) <= _SUM_TOLERANCE:
            raise node.fault(
                f"its fractions sum to {total:.6g}, not to 1. Correct them or divide each by that."
            )
        return total

    def _density(self, node: Node) -> float:
        child = node.find("D", "Dref")
        if child is None:
            raise node.fault('its density is missing; write <D value="..." unit="g/cm3"/>.')
        if child.tag == "D":
            value = self.scope.number(child, "value") * self.scope.unit(child, "unit", "g/cm3")
        else:
            name = self.scope.name(child, "ref")
            if name not in self.scope.names.values:
                raise child.fault(f"there is no quantity {name!r} in <define>.")
            value = self.scope.names.values[name]
        density = value * 1e3  # g/mm3 to g/cm3
        if not (math.isfinite(density) and density >= 0.0):
            raise child.fault(f"the density is {density:g} g/cm3; it must be positive.")
        return density

    def _material(self, node: Node, name: str) -> Material:
        density = self._density(node)
        fractions = self._fractions(node).fractions
        if not fractions or density == 0.0:
            # Z = 0 stands for vacuum, whatever density was put beside it.
            return Material(short_name(name), {}, 0.0)
        total = math.fsum(fractions.values())
        try:
            return Material(short_name(name), {n: w / total for n, w in fractions.items()}, density)
        except MaterialError as error:
            raise node.fault(str(error)) from None

    def _fractions(self, node: Node) -> _Element:
        composites, parts = list(node.all("composite")), list(node.all("fraction"))
        if composites and parts:
            raise node.fault("it has both <composite> and <fraction>; use one of them.")
        if composites:
            atoms = []
            for part in composites:
                count = self.scope.number(part, "n")
                if count <= 0.0:
                    raise part.fault(f"n is {count:g}; a number of atoms must be positive.")
                atoms.append((self._part(part), count))
            return _mixed_by_atoms(atoms)
        if parts:
            shares = [(self._part(part), self._share(part)) for part in parts]
            total = self._total(node, [share for _, share in shares])
            return _mixed_by_mass([(part, share / total) for part, share in shares])
        if node.find("atom") is not None and "Z" in node.attributes:
            return self._simple(node, self._Z(node), self._atom(node))
        raise node.fault(
            'it has no composition; write <fraction n="..." ref="..."/>, or <composite .../>, or '
            'Z="..." and <atom value="..."/>.'
        )

    def _part(self, node: Node) -> _Element:
        name = self.scope.name(node, "ref")
        if name in self.elements:
            return self.elements[name]
        material = self.find(name)
        if material is not None:
            return _Element(0.0, material.mass_fractions)
        close = nearest_names(name, [*self.elements, *self.materials], 2)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise node.fault(f"there is no element or material {name!r} before this line.{hint}")

    def find(self, name: str) -> Material | None:
        """Return a material of the file, or one of Geant4's own (``G4_AIR``), or None."""
        if name in self.materials:
            return self.materials[name]
        key = name.removeprefix("G4_")
        if name in ("G4_Galactic", "Galactic"):
            self.materials[name] = Material(name, {}, 0.0)
        elif name.startswith("G4_") and key in _NIST:
            density, fractions = _NIST[key]
            total = math.fsum(fractions.values())
            self.materials[name] = Material(
                name, {symbol: w / total for symbol, w in fractions.items()}, density
            )
        return self.materials.get(name)

    def need(self, node: Node, name: str) -> Material:
        """Return a material, or raise the error that says it is not there."""
        material = self.find(name)
        if material is None:
            hint = name_hint(name, self.materials)
            if name.startswith("G4_"):
                hint = " Few of Geant4's own materials are known here; define it in <materials>."
            raise node.fault(f"there is no material {name!r}.{hint}")
        return material


def short_name(name: str) -> str:
    """Return a name without the address that Geant4 writes at its end."""
    return _POINTER.sub("", name) or name


def _mixed_by_mass(parts: list[tuple[_Element, float]]) -> _Element:
    fractions: dict[str, float] = {}
    for part, share in parts:
        for name, w in part.fractions.items():
            fractions[name] = fractions.get(name, 0.0) + share * w
    return _Element(0.0, fractions)


def _mixed_by_atoms(parts: list[tuple[_Element, float]]) -> _Element:
    """Mix by numbers of atoms, with the molar masses of the file."""
    if any(part.molar_mass <= 0.0 for part, _ in parts):
        # By atoms means elements; a material has no molar mass of its own.
        parts = [
            (part if part.molar_mass > 0.0 else part._replace(molar_mass=_mean_mass(part)), n)
            for part, n in parts
        ]
    total = math.fsum(n * part.molar_mass for part, n in parts)
    count = math.fsum(n for _, n in parts)
    mixed = _mixed_by_mass([(part, n * part.molar_mass / total) for part, n in parts])
    return mixed._replace(molar_mass=total / count)


def _mean_mass(part: _Element) -> float:
    return 1.0 / math.fsum(w / nuclide(n).atomic_mass for n, w in part.fractions.items())
