"""The report of the audit: findings, masses, regions, the beam; prints itself as tables."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py.audit.findings import Declaration, Finding, explained
from siren_py.audit.matter import matter_findings, nuclide_table
from siren_py.audit.pairs import relations
from siren_py.audit.placing import placing_findings
from siren_py.audit.use import (
    beam_profile,
    region_contents,
    region_findings,
    region_row,
    wall_findings,
)
from siren_py.estimate import Estimate
from siren_py.masses import MassComparison

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel


@dataclass(frozen=True)
class DetectorReport:
    """Everything the audit found in a detector.

    Attributes
    ----------
    name
        Name of the detector.
    findings
        The findings; those that count first.
    masses
        Visible mass of each volume [g].
    materials
        Materials of each volume.
    published
        Published masses beside those of the model.
    parts
        Volumes that each published mass (subdetector) covers.
    regions
        By name: "volume" [cm3], "mass" [g], fractions by "materials" and "volumes".
    beam
        What beam lines through each region cross: g/cm2 and part of the lines, by volume.
    nuclides
        Mass, charge radius and form factor of each nuclide.
    declarations
        What the detector's script explains.
    """

    name: str
    findings: tuple[Finding, ...]
    masses: dict[str, Estimate]
    materials: dict[str, tuple[str, ...]]
    published: tuple[MassComparison, ...]
    parts: dict[str, tuple[str, ...]]
    regions: dict[str, dict[str, Any]]
    beam: dict[str, dict[str, dict[str, float]]]
    nuclides: dict[str, dict[str, Any]] = field(repr=False)
    declarations: tuple[Declaration, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no error and no warning is left unexplained."""
        return not any(finding.counts for finding in self.findings)

    def of_kind(self, kind: str) -> list[Finding]:
        """Return the findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data (JSON)."""
        return {
            "detector": self.name,
            "ok": self.ok,
            "findings": [finding.to_dict() for finding in self.findings],
            "masses": {
                name: {"value": mass.value, "error": mass.error, "unit": "g"}
                for name, mass in self.masses.items()
            },
            "materials": {name: list(found) for name, found in self.materials.items()},
            "published": [
                {
                    "part": row.part,
                    "model": row.model.value,
                    "model_error": row.model.error,
                    "published": row.published,
                    "difference": row.difference,
                    "tolerance": row.tolerance,
                    "ok": row.ok,
                    "source": row.source,
                    "unit": "g",
                    "volumes": list(self.parts[row.part]),
                }
                for row in self.published
            ],
            "regions": {
                name: {**held, "volume_unit": "cm3", "mass_unit": "g", "unit": "cm3"}
                for name, held in self.regions.items()
            },
            "beam": self.beam,
            "nuclides": self.nuclides,
            "declarations": [one._asdict() for one in self.declarations],
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        total = sum(mass.value for mass in self.masses.values())
        yield f"{self.name}: {len(self.masses)} volumes, {total / 1e6:,.6g} t, " + (
            "nothing unexplained" if self.ok else "NOT in order"
        )
        yield "Visible masses [kg]"
        for label, mass, what in self._mass_rows():
            error = f" +- {mass.error / 1e3:,.2g}" if mass.error else ""
            yield f"  {label:<44} {_kg(mass.value):>16}{error:<12} {what}".rstrip()
        yield "Published masses [kg]" if self.published else "No published masses are listed."
        for row in self.published:
            verdict = "ok" if row.ok else "MISSED"
            yield (
                f"  {row.part:<44} {_kg(row.model.value):>16} against "
                f"{_kg(row.published):>12} {row.difference:+7.1%} (tolerance "
                f"{row.tolerance:.1%}) {verdict}  [{row.source}]"
            )
        if self.regions:
            yield "Regions"
            for name, held in self.regions.items():
                yield region_row(name, held)
        yield "Findings" if self.findings else "No findings."
        for finding in self.findings:
            mark = "!" if finding.counts else ("=" if finding.reason is not None else " ")
            yield textwrap.fill(
                str(finding), 100, initial_indent=f"  {mark} ", subsequent_indent="      ",
                break_on_hyphens=False, break_long_words=False,
            )  # fmt: skip
        counted = sum(finding.counts for finding in self.findings)
        declared = sum(finding.reason is not None for finding in self.findings)
        yield (
            f"{counted} unexplained, {declared} declared, "
            f"{len(self.findings) - counted - declared} notes"
        )

    def _mass_rows(self) -> Iterator[tuple[str, Estimate, str]]:
        """Rows (label, mass of one, materials); volumes that differ by numbers share one."""
        rows: dict[tuple[str, str, str], list[str]] = {}
        for name, mass in self.masses.items():
            what = ", ".join(self.materials[name][:4])
            what += ", ..." if len(self.materials[name]) > 4 else ""
            rows.setdefault((re.sub(r"\d+", "*", name), f"{mass.value:.6g}", what), []).append(name)
        for (pattern, _mass, what), names in rows.items():
            label = names[0] if len(names) == 1 else f"{pattern} ({len(names)} volumes, each)"
            yield label, self.masses[names[0]], what

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def audit(detector: DetectorModel) -> DetectorReport:
    """Audit a detector; see `DetectorModel.check`."""
    found = relations(detector.placed())
    names = np.array([*detector.volume_names, ""])
    contents = {name: region_contents(detector, name) for name in detector.regions}
    for held in contents.values():
        held["_names"] = names
    profile = beam_profile(detector, contents)
    published = detector.published_masses()
    findings = [
        *placing_findings(detector, found),
        *_mass_findings(published),
        *matter_findings(detector),
        *region_findings(detector, contents),
        *wall_findings(detector, contents, profile),
    ]
    declared = tuple(detector.declarations)
    return DetectorReport(
        name=detector.name,
        findings=tuple(explained(findings, declared)),
        masses=detector.masses(),
        materials={
            name: tuple(dict.fromkeys(one.name for one in volume.materials))
            for name, volume in detector.volumes.items()
        },
        published=tuple(published),
        parts={
            one.part: tuple(detector.matching_volumes(one.volumes))
            for one in detector.published_parts
        },
        regions={
            name: {key: value for key, value in held.items() if not key.startswith("_")}
            for name, held in contents.items()
        },
        beam=profile,
        nuclides=nuclide_table(detector),
        declarations=declared,
    )


def _kg(mass: float) -> str:
    """Return a mass [g] as kilograms for people."""
    return f"{mass / 1e3:,.1f}" if mass >= 1e4 else f"{mass / 1e3:.4g}"


def _mass_findings(published: list[MassComparison]) -> Iterator[Finding]:
    for row in published:
        if not row.ok:
            text = f"{row.part} has {row.model.value / 1e3:,.6g} kg, published are "
            text += f"{row.published / 1e3:,.6g} kg ({row.source}): {row.difference:+.1%}, allowed "
            text += f"are {row.tolerance:.1%}"
            yield Finding("error", "mass", (row.part,), text, row.difference)
