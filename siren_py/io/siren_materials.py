"""SIREN's ``materials.dat``: what its lines say, and where SIREN reads them otherwise.

Grammar: ``NAME count``, then `count` lines ``PDG-code mass-fraction``. A line that is empty or
begins with a blank or ``#`` is a comment; what follows the two words of a line is not read.
"""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from siren_py.errors import FormatError, SirenWarning, UnknownNameError
from siren_py.io.text import shortened
from siren_py.materials import VACUUM, Material
from siren_py.nuclei import SYMBOLS, nuclide

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_PDG = re.compile(r"1\d{9}")
_GAS_NAME = re.compile(r"(^|[^a-z])(air|gas)([^a-z]|$)|gas$", re.IGNORECASE)
_GAS_DENSITY = 0.05
"""No gas near atmospheric pressure is denser [g/cm3]; SF6, a heavy one, has 0.006."""
_ROUNDING = 1e-6
_SLOPPY = 1e-3
_MAX_REPORTS = 200

# Mass fractions of SIREN's built-in VACUUM, the interstellar medium (Ferriere, astro-ph/0106359).
_BUILT_IN = {"H1": 0.704, "He4": 0.281, "C12": 0.015}

# Nuclides that SIREN 0.1.0 has a name for (ParticleType, 2026), A by Z. Its example controller
# finds targets by their names.
_NAMED_BY_SIREN: dict[int, tuple[int, ...]] = {
    1: (1, 2), 2: (3, 4), 3: (6, 7), 4: (9,), 5: (10, 11), 6: (12, 13), 7: (14, 15),
    8: (16, 17, 18), 9: (19,), 10: (20, 21, 22), 11: (23,), 12: (24, 25, 26), 13: (26, 27),
    14: (28, 29, 30, 31, 32), 15: (31, 32, 33), 16: (32, 33, 34, 35, 36), 17: (35, 36, 37),
    18: (36, 37, 38, 39, 40, 41, 42), 19: (39, 40, 41), 20: tuple(range(40, 49)),
    21: tuple(range(44, 49)), 22: tuple(range(44, 51)), 23: (48, 49, 50, 51),
    24: (50, 51, 52, 53, 54), 25: (52, 53, 54, 55), 26: (54, 55, 56, 57, 58), 29: (63, 65),
    74: (183,), 82: (208,),
}  # fmt: skip


class SirenFormatWarning(SirenWarning):
    """A SIREN file says something that SIREN itself reads otherwise, or not at all."""


class Reports:
    """Collects what is wrong in a file, or warns of it, and raises what cannot be read.

    Parameters
    ----------
    path
        The file.
    strict
        Whether a trap is an error.
    """

    def __init__(self, path: Path, strict: bool) -> None:
        self.path = path
        self.strict = strict
        self.traps: list[str] = []
        self._count = 0

    def fault(self, line: int, text: str) -> FormatError:
        """Return the error for something that has no meaning at all."""
        return FormatError(f"{self.path}, line {line}: {shortened(text)}")

    def trap(self, line: int, text: str) -> None:
        """Report something that SIREN accepts in silence and reads otherwise than it looks."""
        text = shortened(text)
        if self.strict:
            self.traps.append(f"line {line}: {text}")
        else:
            self.note(line, text)
        self._limit(line)

    def note(self, line: int, text: str) -> None:
        """Warn of something that is worth knowing but changes nothing."""
        self._count += 1
        warnings.warn(
            f"{self.path}, line {line}: {shortened(text)}", SirenFormatWarning, stacklevel=5
        )
        self._limit(line)

    def _limit(self, line: int) -> None:
        if len(self.traps) + self._count > _MAX_REPORTS:
            shown = ": " + "; ".join(self.traps[:3]) if self.traps else ""
            raise self.fault(
                line,
                f"more than {_MAX_REPORTS} faults so far; this is hardly a SIREN file{shown}",
            )


def raise_traps(*reports: Reports) -> None:
    """Raise one `FormatError` with all traps of some files, if there are any."""
    traps = [f"{one.path}, {text}" for one in reports for text in one.traps]
    hint = "strict=False reads the files as SIREN does, with warnings."
    if len(traps) == 1:
        raise FormatError(f"{traps[0]} ({hint})")
    if traps:
        raise FormatError("\n  ".join([f"{len(traps)} faults ({hint})", *traps]))


class SirenMaterial(NamedTuple):
    """A material of the file: raw mass fractions by PDG code, in the order of the file."""

    name: str
    line: int
    fractions: dict[int, float]


def number(word: str) -> float | None:
    """Return a number as C++ reads a whole word, or None."""
    value = float(word) if _NUMBER.fullmatch(word) else math.inf
    return value if math.isfinite(value) else None


def parse_materials(text: str, reports: Reports) -> dict[str, SirenMaterial]:
    """Read ``materials.dat`` as SIREN's own loop over lines does.

    Raises
    ------
    FormatError
        For lines on which SIREN itself would take a leftover of its memory or never end.
    """
    if "\r" in text:
        reports.trap(
            text.count("\n", 0, text.index("\r")) + 1,
            "lines end with CR (Windows); SIREN takes an empty line of that kind for a material. "
            "Save the file with Unix line ends. It is read here as if it were.",
        )
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: dict[str, SirenMaterial] = {}
    count: int | None = None
    fraction: float | None = None
    index = 0
    stray = False  # inside lines that belong to a material with too small a count
    while index < len(lines):
        words = _words(lines[index], index + 1, reports)
        index += 1
        if not words:
            continue
        where, name = index, words[0]
        if not _PDG.fullmatch(name):
            stray = False
        elif not stray:
            stray = True
            last = next(reversed(found), "")
            # Said once: for a material without a count this has been said already.
            if not last or found[last].fractions:
                reports.trap(
                    where,
                    f"{name} is a component, not a material: {last or 'the material'!r} before it "
                    "says fewer components than it has. Correct its count. SIREN makes a material "
                    f"called {name!r} of the line.",
                )
        count = _count(words, count, where, reports)
        fractions: dict[int, float] = {}
        for k in range(count):
            while index < len(lines) and not _words(lines[index], index + 1, reports):
                index += 1
            if index >= len(lines):
                shorter = f"Write '{name} {k}' or add" if k else "Add"
                raise reports.fault(
                    where,
                    f"material {name!r} says {count} components but the file ends after {k}. "
                    f"{shorter} the rest, a line 'PDG fraction' each. SIREN would wait for them "
                    "without end.",
                )
            index += 1
            pdg, fraction = _component(name, lines[index - 1], index, fraction, reports)
            if pdg in fractions:
                reports.trap(
                    index,
                    f"material {name!r} has {_label(pdg)} twice ({fractions[pdg]:g} and "
                    f"{fraction:g}). Add the two. SIREN keeps the second only.",
                )
            fractions[pdg] = fraction
        if name in found and not stray:
            reports.trap(
                where,
                f"material {name!r} is already defined in line {found[name].line}. Give it another "
                "name or delete one. SIREN keeps the second.",
            )
        found[name] = SirenMaterial(name, where, fractions)
        _check_sum(found[name], reports)
    if not found:
        raise reports.fault(1, "no material; expected lines 'NAME count' and 'PDG fraction'.")
    return found


def _words(line: str, where: int, reports: Reports) -> list[str]:
    if not line or line[0] in " \t#":
        if line.strip() and not line.strip().startswith("#"):
            reports.trap(
                where,
                f"{line.strip()[:40]!r} begins with a blank, so SIREN takes the line for a "
                "comment. Write it at the beginning of the line, or put '#' before it.",
            )
        return []
    words = line.partition("#")[0].rstrip()
    if not words.isascii():
        raise reports.fault(where, f"a letter in {words[:40]!r} is not ASCII; type the line anew.")
    return line.split()


def _count(words: list[str], before: int | None, where: int, reports: Reports) -> int:
    name = words[0]
    if len(words) > 1 and _INTEGER.fullmatch(words[1]):
        count = int(words[1])
        if not 0 < count <= 10_000:
            raise reports.fault(
                where, f"material {name!r} cannot have {count} components; count them: 'NAME 2'."
            )
        if len(words) > 2 and not words[2].startswith("#"):
            reports.trap(
                where,
                f"{' '.join(words[2:])[:40]!r} after the count of material {name!r} is not read by "
                "SIREN. Delete it, or put '#' before it.",
            )
        return count
    if len(words) > 1 and not words[1].startswith("#"):
        taken = 0
        text = f"has {words[1]!r} where the number of its components belongs"
    else:
        text = "has no number of components"
        taken = 0 if len(words) > 1 else -1
    if taken == -1 and before is None:
        raise reports.fault(
            where,
            f"material {name!r} {text}. Write '{name} count'. SIREN would use whatever is in its "
            "memory.",
        )
    count = taken if taken == 0 else int(before or 0)
    if not _PDG.fullmatch(name):
        effect = f"the next {count} lines, as for the material before"
        if count == 0:
            effect = "none of them (and a material of each line), so it has mass but no targets"
        reports.trap(
            where, f"material {name!r} {text}. Write '{name} count'. SIREN reads {effect}."
        )
    return count


def _component(
    name: str, line: str, where: int, before: float | None, reports: Reports
) -> tuple[int, float]:
    words = line.split()
    if not _INTEGER.fullmatch(words[0]):
        raise reports.fault(
            where,
            f"{words[0]!r} is no PDG code of a nuclide, which material {name!r} still lacks; write "
            "e.g. '1000060120 0.5'. If the material is complete, its count is too large.",
        )
    pdg = int(words[0])
    if len(words) == 1 or words[1].startswith("#"):
        taken = 0.0 if len(words) > 1 else before
        if taken is None:
            raise reports.fault(where, f"{_label(pdg)} in {name!r} has no mass fraction; add it.")
        reports.trap(
            where,
            f"{_label(pdg)} in material {name!r} has no mass fraction; write '{pdg} fraction'. "
            f"SIREN takes {taken:g}, " + ("zero." if taken == 0.0 else "that of the line before."),
        )
        return pdg, taken
    fraction = number(words[1])
    if fraction is None:
        raise reports.fault(
            where, f"{words[1]!r} is no mass fraction ({_label(pdg)} in {name!r}); write e.g. 0.25."
        )
    if fraction < 0.0:
        raise reports.fault(
            where, f"{_label(pdg)} in material {name!r} has a negative mass fraction, {fraction:g}."
        )
    if len(words) > 2 and not words[2].startswith("#"):
        reports.trap(
            where,
            f"{' '.join(words[2:])[:40]!r} after the mass fraction is not read by SIREN. Delete "
            "it, or put '#' before it.",
        )
    return pdg, fraction


def _check_sum(material: SirenMaterial, reports: Reports) -> None:
    if not material.fractions:
        return
    total = math.fsum(material.fractions.values())
    difference = abs(total - 1.0)
    if difference <= _ROUNDING:
        return
    text = (
        f"the mass fractions of material {material.name!r} sum to {total:.7g}, not to 1. SIREN "
        "takes them as they are: the mass is that of the density, the targets are not."
    )
    # The files that SIREN ships are rounded to 3 or 4 digits; that alone is no reason to stop.
    if difference <= _SLOPPY:
        reports.note(material.line, text)
    else:
        reports.trap(material.line, text + " Correct them or divide each by the sum.")


def _label(pdg: int) -> str:
    Z, A = pdg // 10_000 % 1000, pdg // 10 % 1000
    if pdg // 10_000_000 == 100 and 1 <= Z <= len(SYMBOLS):
        return f"{SYMBOLS[Z - 1]}{A} ({pdg})"
    return str(pdg)


def nuclide_fractions(material: SirenMaterial, reports: Reports) -> dict[str, float]:
    """Return the raw mass fractions by nuclide, as SIREN uses them; they need not sum to 1."""
    fractions: dict[str, float] = {}
    unnamed = []
    for pdg, fraction in material.fractions.items():
        Z, A = pdg // 10_000 % 1000, pdg // 10 % 1000
        known = pdg // 10_000_000 == 100 and pdg % 10 == 0 and 1 <= Z <= min(A, len(SYMBOLS))
        try:
            if not known:
                raise UnknownNameError("it is not of the form 100ZZZAAA0.")
            name = nuclide(f"{SYMBOLS[Z - 1]}{A}").name
        except UnknownNameError as error:
            reports.trap(
                material.line,
                f"material {material.name!r}: there is no nuclide {_label(pdg)}. {error} Its share "
                f"{fraction:g} of the mass is kept as mass without targets.",
            )
            continue
        if A not in _NAMED_BY_SIREN.get(Z, ()):
            unnamed.append(name)
        fractions[name] = fraction
    if unnamed:
        reports.note(
            material.line,
            f"material {material.name!r}: SIREN 0.1.0 has no name for {', '.join(unnamed)} and its "
            "DarkNews controller leaves them out. Here they are targets like all others.",
        )
    return {name: w for name, w in fractions.items() if w > 0.0}


def built_in_vacuum() -> dict[str, float]:
    """Return the mass fractions of SIREN's own material VACUUM."""
    return dict(_BUILT_IN)


def check_density(material: str, density: float, line: int, reports: Reports) -> None:
    """Report a gas that is as dense as a liquid: a factor 1000 is the commonest slip."""
    if density > _GAS_DENSITY and _GAS_NAME.search(material):
        reports.trap(
            line,
            f"{material!r} is a gas by its name but has {density:g} g/cm3, like a liquid. Was "
            f"{density * 1e-3:g} meant? SIREN takes it as it stands.",
        )


def raw_material(name: str, fractions: Mapping[str, float], density: float) -> Material:
    """Return a material with exactly these mass fractions, even if they do not sum to 1.

    SIREN neither checks nor normalises them; a material without components has mass but no
    targets. To mean the same, `Material`'s own checks are left out.
    """
    if density == 0.0:
        return Material(name, {}, 0.0)
    if abs(math.fsum(fractions.values()) - 1.0) <= _ROUNDING:
        return Material(name, fractions, density)
    parts = sorted(fractions.items(), key=lambda item: (nuclide(item[0]).Z, nuclide(item[0]).A))
    material = copy.copy(VACUUM)
    object.__setattr__(material, "name", name)
    object.__setattr__(material, "density", density)
    object.__setattr__(material, "_fractions", tuple(parts))
    return material
