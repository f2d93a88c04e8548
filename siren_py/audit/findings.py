"""Findings of the audit as data, and declarations that explain them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from siren_py._typing import FloatArray

SEVERITIES = ("error", "warning", "note")

KINDS: dict[str, str] = {
    "overlap": "two volumes overlap and neither contains the other",
    "outside": "a volume sticks out of the one around it, or lies outside of everything",
    "displaced": "later volumes displace the whole of a volume",
    "gap": "vacuum between the volumes",
    "mass": "a published mass is missed",
    "density": "the density does not go with the composition",
    "composition": "the composition does not go with the name, or lacks isotopes",
    "nuclide": "nothing is measured about the charge of a nuclide",
    "region": "a region leaves its material, or leaves all matter",
    "wall": "solid metal across the whole beam in front of or behind a region",
    "declaration": "a declaration explains no finding",
}
"""Kinds of findings, and what each says."""


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found.

    Attributes
    ----------
    severity
        "error", "warning" or "note"; a note asks for nothing.
    kind
        One of `KINDS`.
    volumes
        Names of what it is about: volumes, or a region (and what does not belong in it), a
        material, nuclides, a part.
    text
        A sentence for people.
    value, unit
        The number behind it, e.g. the overlapping volume.
    point
        An example (x, y, z) [cm], or None.
    reason
        Why it is meant to be so, from a declaration; None while unexplained.
    """

    severity: str
    kind: str
    volumes: tuple[str, ...]
    text: str
    value: float | None = None
    unit: str = ""
    point: tuple[float, float, float] | None = None
    reason: str | None = None

    @property
    def counts(self) -> bool:
        """Whether the detector fails for it: an error or a warning that nothing explains."""
        return self.severity != "note" and self.reason is None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "volumes": list(self.volumes),
            "text": self.text,
            "value": self.value,
            "unit": self.unit,
            "point": None if self.point is None else list(self.point),
            "reason": self.reason,
        }

    def __str__(self) -> str:
        where = "" if self.point is None else f" at {point_text(self.point)}"
        meant = "" if self.reason is None else f" Declared: {self.reason}"
        return f"{self.severity} [{self.kind}] {self.text}{where}.{meant}"


class Declaration(NamedTuple):
    """What a detector script says about findings that are meant: kind, names or globs, why."""

    kind: str
    volumes: tuple[str, ...]
    reason: str

    def explains(self, finding: Finding) -> bool:
        """Whether it is about this finding: same kind, and every name matches."""
        return finding.kind == self.kind and all(
            any(name == pattern or fnmatchcase(name, pattern) for pattern in self.volumes)
            for name in finding.volumes
        )


def explained(findings: Iterable[Finding], declared: Sequence[Declaration]) -> list[Finding]:
    """Give findings the reasons of the declarations; one that explains nothing is a finding."""
    used: set[int] = set()
    result = []
    for finding in findings:
        for number, one in enumerate(declared):
            if one.explains(finding):
                used.add(number)
                finding = replace(finding, reason=finding.reason or one.reason)
        result.append(finding)
    for number, one in enumerate(declared):
        if number not in used:
            text = f"nothing of the kind {one.kind!r} was found in {', '.join(one.volumes)}"
            text += f" that this would explain: {one.reason!r}"
            result.append(Finding("warning", "declaration", one.volumes, text))
    order = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    kinds = {kind: rank for rank, kind in enumerate(KINDS)}
    return sorted(result, key=lambda f: (not f.counts, order[f.severity], kinds[f.kind]))


def as_point(point: FloatArray) -> tuple[float, float, float]:
    """Return a point as three floats."""
    x, y, z = (float(c) for c in point)
    return x, y, z


def point_text(point: Sequence[float]) -> str:
    """Return a point for people."""
    return "(" + ", ".join(f"{c:.6g}" for c in point) + ") cm"


def volume_text(volume: float) -> str:
    """Return a volume [cm3] for people."""
    if abs(volume) >= 1e5:
        return f"{volume * 1e-6:.4g} m3"
    return f"{volume:.4g} cm3"
