"""Whether a density goes with a composition: gases, liquefied gases, metals, compounds."""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

from siren_py.nuclei import nuclide

GAS = 0.05
"""Upper limit for gases [g/cm3]: argon at 30 atm."""
THIN = 0.02
"""Lower limit for what is no gas [g/cm3]: the lightest foams and honeycombs."""
PRACTICALLY_VACUUM = 1e-6

_NOBLE = frozenset({"He", "Ne", "Ar", "Kr", "Xe", "Rn"})
_DIATOMIC = ("H", "N", "O", "F", "Cl")
_IN_GASES = frozenset({*_NOBLE, *_DIATOMIC, "C", "S"})
_NON_METALS = frozenset({*_IN_GASES, "B", "Si", "P", "As", "Se", "Br", "Te", "I"})
_PACKING = 1.3  # compounds may be denser than the bound of the table by this
_ALLOY = 1.15
_LIQUID = 1.2
_DIAMOND = 3.6


class Element(NamedTuple):
    """Densities [g/cm3] of an element: solid, liquid at its boiling point, in compounds."""

    solid: float | None
    liquid: float | None
    compound: float


@functools.cache
def element_table() -> dict[str, Element]:
    """Return the densities of the elements by symbol."""
    text = resources.files("siren_py").joinpath("data/element_densities.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    table = {}
    for row in rows:
        solid = float(row["solid"]) if row["solid"] else None
        liquid = float(row["liquid"]) if row["liquid"] else None
        compound = float(row["compound"]) if row["compound"] else (solid or liquid or math.nan)
        table[row["symbol"]] = Element(solid, liquid, compound)
    return table


def odd_density(name: str, fractions: Mapping[str, float], density: float) -> str | None:
    """Return what is odd about a density, or None.

    Parameters
    ----------
    name
        Name of the material, whose words "gas" and "air" count.
    fractions
        Mass fractions by element.
    density
        [g/cm3].
    """
    if density == 0.0 or not fractions:
        return None
    if density < PRACTICALLY_VACUUM:
        return "it is practically vacuum; use VACUUM, or no volume at all"
    if {"gas", "gases", "gaseous", "air"} & words(name) and density > GAS:
        return f"a gas has less than {GAS:g} g/cm3; were kg/m3 meant?"
    gas = _what_gas(fractions)
    if gas is not None:
        return _gas_density(gas, fractions, density)
    if density < THIN and sum(w for s, w in fractions.items() if s in _IN_GASES) < 0.9:
        heavy = max((s for s in fractions if s not in _IN_GASES), key=lambda s: fractions[s])
        return f"it is as thin as a gas, though {fractions[heavy]:.0%} of it is {heavy}"
    limit, why = densest(fractions)
    if density > limit:
        return f"{why} has at most about {limit:.3g} g/cm3"
    return None


def _what_gas(fractions: Mapping[str, float]) -> str | None:
    """Return which gas a composition must be, unless liquefied: None if none in particular."""
    share = fractions.get
    if sum(w for s, w in fractions.items() if s in _NOBLE) > 0.5:
        return "noble gas"
    if share("N", 0.0) > 0.5 and share("N", 0.0) + share("O", 0.0) + share("Ar", 0.0) > 0.95:
        return "air"
    for symbol in _DIATOMIC:
        if share(symbol, 0.0) > 0.95:
            return symbol
    if abs(share("C", 0.0) - 0.2729) < 0.005 and abs(share("O", 0.0) - 0.7271) < 0.005:
        return "carbon dioxide"
    if share("F", 0.0) > 0.85 or share("S", 0.0) + share("F", 0.0) > 0.98:
        return "a fluoride gas"
    return None


def _gas_density(gas: str, fractions: Mapping[str, float], density: float) -> str | None:
    if density <= GAS:
        return None
    liquids = [(w, element_table()[s].liquid) for s, w in fractions.items()]
    if all(liquid is not None for _w, liquid in liquids) and gas in (
        "noble gas",
        *_DIATOMIC,
        "air",
    ):
        liquid = 1.0 / sum(w / rho for w, rho in liquids if rho is not None)
        if liquid / _LIQUID <= density <= liquid * _LIQUID:
            return None
        return f"its composition is that of a gas ({gas}); liquefied it has {liquid:.3g} g/cm3"
    return f"its composition is that of a gas ({gas}), which has less than {GAS:g} g/cm3"


def densest(fractions: Mapping[str, float]) -> tuple[float, str]:
    """Return the largest plausible density of a composition [g/cm3], and what it was taken for."""
    table = element_table()
    # An element without a known density (a few radioactive ones) does not limit anything.
    if any(s not in table or math.isnan(table[s].compound) for s in fractions):
        return math.inf, "it"
    if fractions.get("C", 0.0) > 0.99:
        return _DIAMOND, "carbon"
    non_metals = sum(w for s, w in fractions.items() if s in _NON_METALS)
    solids = {s: table[s].solid or table[s].compound for s in fractions}
    if non_metals < 0.03 or len(fractions) == 1:
        kind = next(iter(fractions)) if len(fractions) == 1 else "an alloy of this composition"
        return _ALLOY / sum(w / solids[s] for s, w in fractions.items()), kind
    bound = 1.0 / sum(w / table[s].compound for s, w in fractions.items())
    return _PACKING * bound, "a compound or mixture of this composition"


def thin_metal(fractions: Mapping[str, float], density: float) -> float | None:
    """Return density over that of the solid metal, or None if it is no metal."""
    table = element_table()
    if sum(w for s, w in fractions.items() if s in _NON_METALS) >= 0.03:
        return None
    if any(s not in table or not (table[s].solid or table[s].compound > 0) for s in fractions):
        return None
    solid = sum(w / (table[s].solid or table[s].compound) for s, w in fractions.items())
    return density * solid


def words(name: str) -> set[str]:
    """Return the words of a name in lower case: at blanks, signs, digits and inner capitals."""
    found: set[str] = set()
    word = ""
    previous = ""
    for letter in name + " ":
        if not letter.isalpha():
            found.add(word.lower())
            word = ""
        elif letter.isupper() and previous.islower():
            found.add(word.lower())
            word = letter
        else:
            word += letter
        previous = letter
    return found - {""}


def element_fractions(mass_fractions: Mapping[str, float]) -> dict[str, float]:
    """Return mass fractions by element from those by nuclide."""
    elements: dict[str, float] = {}
    for name, share in mass_fractions.items():
        symbol = nuclide(name).symbol
        elements[symbol] = elements.get(symbol, 0.0) + share
    return elements
