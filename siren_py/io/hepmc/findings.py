"""The requirements of NuHepMC 1.0, and what a check of a file found for each.

Source: S. Gardiner, J. Isaacson and L. Pickering, arXiv:2310.13211, and the specification 1.0.0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

RULES: dict[str, str] = {
    "G.R.1": "the file describes its run",
    "G.R.2": "version of NuHepMC",
    "G.R.3": "name and version of each tool",
    "G.R.4": "conventions that the file follows",
    "G.R.5": "flux-averaged total cross section, by G.C.2 or E.C.4",
    "G.R.6": "unit and scale of cross sections",
    "G.R.7": "weight CV, for every event",
    "G.R.8": "processes with name and description",
    "G.R.9": "statuses of vertices with name and description",
    "G.R.10": "statuses of particles with name and description",
    "G.R.11": "codes that the PDG does not define",
    "E.R.1": "vertices in order, four-momentum conserved",
    "E.R.2": "event numbers unique, not negative",
    "E.R.3": "number of the process, one of G.R.8",
    "E.R.4": "units of energy and position",
    "E.R.5": "position in the laboratory",
    "E.R.6": "one primary vertex, no undefined one",
    "E.R.7": "one beam particle and one target",
    "E.R.8": "the particles that leave the event",
    "E.R.9": "momenta in the laboratory frame",
    "V.R.1": "statuses of vertices in their ranges",
    "P.R.1": "statuses of particles in their ranges and places",
}
"""The requirements, and what they are about."""

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not applicable"


@dataclass(frozen=True)
class Finding:
    """What came out for one requirement.

    Attributes
    ----------
    rule, about
        The requirement, and what it is about.
    status
        "passed", "failed" or "not applicable".
    event
        Number of the first event that fails; None if the header does, or none.
    expected, found
        What the requirement asks for, and what is there instead.
    count
        Number of events that fail.
    """

    rule: str
    about: str
    status: str
    event: int | None = None
    expected: str = ""
    found: str = ""
    count: int = 0


@dataclass(frozen=True)
class Validation:
    """What a check of a file found.

    Attributes
    ----------
    path
        The file.
    n_events
        Number of its events.
    findings
        One for each requirement.
    sum_of_weights
        Sum of the weights CV.
    pot
        Protons on target that the file says its weights are for; None if it does not.
    version
        Version of NuHepMC that the file follows, as it says; "?" if it does not.
    """

    path: str
    n_events: int
    findings: tuple[Finding, ...]
    sum_of_weights: float
    pot: float | None
    version: str

    @property
    def ok(self) -> bool:
        """Whether no requirement fails."""
        return all(f.status != FAILED for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain dictionaries and lists."""
        return {
            "path": self.path,
            "n_events": self.n_events,
            "ok": self.ok,
            "sum_of_weights": self.sum_of_weights if math.isfinite(self.sum_of_weights) else None,
            "pot": self.pot,
            "version": self.version,
            "rules": [dict(vars(f)) for f in self.findings],
        }

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.n_events} events, says NuHepMC {self.version}"]
        for f in self.findings:
            lines.append(f"{f.rule:<7} {f.status:<15} {f.about}")
            if f.status == FAILED:
                if f.event is not None:
                    more = f" and {f.count - 1} more" if f.count > 1 else ""
                    lines.append(f"{'':8}event {f.event}{more}")
                lines += [f"{'':8}expected: {f.expected}", f"{'':8}found:    {f.found}"]
            elif f.found:
                lines.append(f"{'':8}{f.found}")
        failed = sum(f.status == FAILED for f in self.findings)
        pot = "" if self.pot is None else f" for {self.pot:g} POT"
        lines.append(f"sum of the weights CV: {self.sum_of_weights:.6g}{pot}")
        what = f"{failed} requirement{'s' * (failed != 1)} not met" if failed else "all are met"
        lines.append(f"requirements of NuHepMC 1.0: {what}")
        return "\n".join(lines)
