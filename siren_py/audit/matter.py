"""What the volumes are made of: densities, compositions against names, isotopes, nuclides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from siren_py.audit.densities import element_fractions, odd_density, thin_metal, words
from siren_py.audit.findings import Finding
from siren_py.errors import UnknownNameError
from siren_py.nuclei import natural_isotopes, nuclide

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.materials import Material

_ABSORBERS = {
    "ecal", "hcal", "cal", "calo", "calorimeter", "emcal", "smrd", "preshower", "lac",
}  # fmt: skip
_HEAVY = 26  # iron: the lightest absorber of a sampling calorimeter or a crystal
_HEAVY_SHARE = 0.1
_SHARE = 0.01  # of an element that the name of a material promises
_ENRICHED = 0.1  # difference of an atom fraction from nature that needs a word
_PROMISES: dict[str, tuple[str, ...]] = {
    "lead": ("Pb",), "pb": ("Pb",), "iron": ("Fe",), "steel": ("Fe",), "brass": ("Cu", "Zn"),
    "bronze": ("Cu",), "copper": ("Cu",), "aluminium": ("Al",), "aluminum": ("Al",),
    "tungsten": ("W",), "titanium": ("Ti",), "graphite": ("C",), "polystyrene": ("C", "H"),
    "scintillator": ("C", "H"), "gold": ("Au",), "nickel": ("Ni",), "uranium": ("U",),
    "concrete": ("Si", "O"), "quartz": ("Si", "O"),
}  # fmt: skip
# What comes in vessels promises something only as the last word: a water bag is no water.
_FLUIDS: dict[str, tuple[str, ...]] = {
    "water": ("H", "O"), "argon": ("Ar",), "xenon": ("Xe",), "helium": ("He",), "oil": ("C", "H"),
}  # fmt: skip
_CRYSTALS = {"inorganic", "crystal", "nai", "csi", "bgo", "lyso"}


def matter_findings(detector: DetectorModel) -> Iterator[Finding]:
    """Yield the findings about materials and nuclides."""
    for material in detector.materials:
        yield from _density(material)
        yield from _isotopes(material)
        yield from _name(material)
    yield from _absorbers(detector)
    yield from _nuclides(detector)


def _finding(severity: str, kind: str, name: str, text: str, value: float, unit: str) -> Finding:
    return Finding(severity, kind, (name,), text, value, unit)


def _density(material: Material) -> Iterator[Finding]:
    fractions = element_fractions(material.mass_fractions)
    says = f"material {material.name} has {material.density:.4g} g/cm3"
    odd = odd_density(material.name, fractions, material.density)
    if odd is not None:
        text = f"{says}, but {odd}"
        yield _finding("error", "density", material.name, text, material.density, "g/cm3")
        return
    if not fractions:
        text = f"material {material.name} is vacuum"
        yield _finding("note", "density", material.name, text, 0.0, "g/cm3")
        return
    part = thin_metal(fractions, material.density)
    if part is not None and part < 0.3:
        text = f"{says}, {part:.1%} of what the solid metal has: most of it is empty"
        yield _finding("note", "density", material.name, text, material.density, "g/cm3")


def _isotopes(material: Material) -> Iterator[Finding]:
    atoms: dict[str, dict[str, float]] = {}
    for name, share in material.mass_fractions.items():
        part = nuclide(name)
        atoms.setdefault(part.symbol, {})[name] = share / part.atomic_mass
    for symbol, isotopes in atoms.items():
        total = sum(isotopes.values())
        try:
            natural = natural_isotopes(symbol)
        except UnknownNameError:
            continue  # no natural composition: technetium and others
        mixed = {name: isotopes.get(name, 0.0) / total for name in {*isotopes, *natural}}
        worst = max(mixed, key=lambda n: abs(mixed[n] - natural.get(n, 0.0)))
        excess = mixed[worst] - natural.get(worst, 0.0)
        lacking = [n for n, x in natural.items() if x > 0.01 and n not in isotopes]
        if abs(excess) > _ENRICHED or lacking:
            text = f"material {material.name}: {worst} is {mixed[worst]:.1%} of its {symbol}, "
            text += f"in nature {natural.get(worst, 0.0):.1%}"
            if lacking:
                text += f"; {', '.join(sorted(lacking))} missing"
            text += f". For natural {symbol} write {symbol!r} instead of isotopes"
            yield _finding("warning", "composition", material.name, text, mixed[worst], "")


def _name(material: Material) -> Iterator[Finding]:
    fractions = element_fractions(material.mass_fractions)
    named = words(material.name)
    if named & _CRYSTALS:
        named -= {"scintillator"}
    last = next((word for word in _FLUIDS if material.name.lower().endswith(word)), "")
    promised = {word: _PROMISES[word] for word in sorted(named & set(_PROMISES))}
    promised |= {last: _FLUIDS[last]} if last in named else {}
    for word, symbols in promised.items():
        lacking = [s for s in symbols if fractions.get(s, 0.0) < _SHARE]
        if lacking:
            text = f"material {material.name} is called {word}, but has no {' and '.join(lacking)}"
            yield Finding("error", "composition", (material.name,), text)


def _absorbers(detector: DetectorModel) -> Iterator[Finding]:
    """Yield calorimeters without absorber: all volumes with the same name up to the word."""
    groups: dict[str, list[str]] = {}
    for name in detector.volume_names:
        found = None
        for match in re.finditer(r"[A-Za-z][a-z]*|[A-Z]+(?![a-z])", name):
            if words(match.group()) & _ABSORBERS:
                found = match
        if found is None:
            # "ECALtop" and "barrelEcal" have no border where the word begins or ends.
            found = re.search("ecal|hcal|calorimeter", name, re.IGNORECASE)
        if found is not None:
            groups.setdefault(name[: found.end()], []).append(name)
    for prefix, names in groups.items():
        masses = detector.mass_by_material(names)
        by_name = {one.name: one for one in detector.materials}
        heavy = total = 0.0
        for key, mass in masses.items():
            total += mass.value
            fractions = by_name[key].mass_fractions.items()
            heavy += mass.value * sum(w for n, w in fractions if nuclide(n).Z >= _HEAVY)
        if total > 0.0 and heavy < _HEAVY_SHARE * total:
            listed = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
            text = f"{prefix} is called a calorimeter, but only {heavy / total:.1%} of its mass "
            text += f"are elements from iron on ({listed}): is the absorber missing?"
            yield Finding("warning", "composition", tuple(names), text, heavy / total)
    for name, volume in detector.volumes.items():
        if words(name) & {"lead", "pb"} and not any(
            nuclide(n).symbol == "Pb" for one in volume.materials for n in one.mass_fractions
        ):
            text = f"volume {name} has no lead in it; its material is {volume.materials[0].name}"
            yield Finding("error", "composition", (name,), text)


def nuclide_table(detector: DetectorModel) -> dict[str, dict[str, Any]]:
    """Return what is known of each nuclide, and its part of the mass of each material."""
    table = {}
    for name in detector.nuclides:
        one = nuclide(name)
        table[name] = {
            "mass": one.mass,
            "charge_radius": one.charge_radius,
            "charge_radius_measured": one.charge_radius_measured,
            "form_factor": "measured" if one.fourier_bessel is not None else (
                "by charge radius" if one.charge_radius_measured else "estimated"
            ),
            "largest_share": max(m.mass_fractions.get(name, 0.0) for m in detector.materials),
        }  # fmt: skip
    return table


def _nuclides(detector: DetectorModel) -> Iterator[Finding]:
    table = nuclide_table(detector)
    unknown = [n for n, entry in table.items() if not entry["charge_radius_measured"]]
    major = [n for n in unknown if table[n]["largest_share"] > _SHARE]
    minor = [n for n in unknown if n not in major]
    for severity, names in (("warning", major), ("note", minor)):
        if names:
            text = f"no charge radius has been measured for {', '.join(names)}: their form factors "
            text += "rest on an estimate"
            yield Finding(severity, "nuclide", tuple(names), text)
    plain = [n for n, entry in table.items() if entry["form_factor"] == "by charge radius"]
    if plain:
        text = f"for {len(plain)} of {len(table)} nuclides the charge density has not been "
        text += "analysed; the form with the measured radius is used: " + ", ".join(plain)
        yield Finding("note", "nuclide", tuple(plain), text)
