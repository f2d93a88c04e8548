"""The requirements of NuHepMC 1.0, checked on a file of any program.

Source: S. Gardiner, J. Isaacson and L. Pickering, arXiv:2310.13211, and the specification 1.0.0.
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Iterator

from siren_py._typing import PathLike
from siren_py.io.hepmc.ascii import AsciiFile, Event, open_ascii
from siren_py.io.hepmc.codes import REMNANT, STRUCK, is_standard
from siren_py.io.hepmc.findings import (
    FAILED,
    NOT_APPLICABLE,
    PASSED,
    RULES,
    Finding,
    Validation,
)
from siren_py.io.hepmc.streams import open_to_read

TOLERANCE = 1e-6
"""Largest change of energy or momentum at a vertex, relative to the energy that enters it."""

_LABEL = re.compile(r"[GEVP]\.[CS]\.\d+")


def validate_hepmc(path: PathLike, *, tolerance: float = TOLERANCE) -> Validation:
    """Check every requirement of NuHepMC 1.0 on a HepMC3 text file of any program.

    Parameters
    ----------
    path
        Name of the file.
    tolerance
        Largest change of energy or momentum at a vertex, relative to the energy that enters.

    Returns
    -------
    Validation
        What was found; prints as a table.

    Raises
    ------
    FormatError
        If the file cannot be read as HepMC3 text.

    Examples
    --------
    >>> import siren_py as sp
    >>> from siren_py.io.hepmc import validate_hepmc, write_hepmc
    >>> model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> write_hepmc(sim.run(200, seed=1), "events.hepmc3")
    >>> validate_hepmc("events.hepmc3", tolerance=1e-12).ok
    True
    """
    with open_ascii(path) as file:
        check = _Check(file, tolerance)
        check.header()
        for event in file:
            check.event(event)
        attributes = file.attributes
    check.end(path)
    pot = _number(attributes.get("NuHepMC.Exposure.POT"))
    parts = [attributes.get(f"NuHepMC.Version.{p}", "?") for p in ("Major", "Minor", "Patch")]
    version = "?" if "?" in parts else ".".join(parts)
    return Validation(str(path), check.n_events, tuple(check.findings()), check.sum, pot, version)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _integers(text: str | None) -> list[int] | None:
    try:
        return None if text is None else [int(word) for word in text.split()]
    except ValueError:
        return None


class _Check:
    def __init__(self, file: AsciiFile, tolerance: float) -> None:
        self._file, self._tolerance = file, tolerance
        self._failed: dict[str, Finding] = {}
        self._skipped: dict[str, str] = {}
        self.n_events = 0
        self.sum = 0.0
        self._open = 0
        self._cv: int | None = None
        self._seen: set[int] = set()
        self._declared: dict[str, set[int]] = {}
        self._used: dict[str, dict[int, int]] = {"VertexStatus": {}, "ParticleStatus": {}, "P": {}}
        self._conventions: set[str] = set()

    def findings(self) -> Iterator[Finding]:
        for rule, about in RULES.items():
            if rule in self._failed:
                yield self._failed[rule]
            elif rule in self._skipped:
                yield Finding(rule, about, NOT_APPLICABLE, found=self._skipped[rule])
            elif rule == "E.R.1" and self._open:
                note = f"momenta not compared in {self._open} events with a remnant that has none"
                yield Finding(rule, about, PASSED, found=note)
            else:
                yield Finding(rule, about, PASSED)

    def _fail(self, rule: str, expected: str, found: object, event: int | None = None) -> None:
        before = self._failed.get(rule)
        if before is None:
            text = str(found)
            self._failed[rule] = Finding(rule, RULES[rule], FAILED, event, expected, text, 1)
        elif event is not None:
            # The first one is told in full, the others are counted.
            self._failed[rule] = Finding(**{**vars(before), "count": before.count + 1})

    # ---------------------------------------------------------------- header

    def header(self) -> None:
        file = self._file
        attributes = file.attributes
        if not attributes and not file.tools and file.weight_names is None:
            self._fail("G.R.1", "attributes, tools and names of weights", "nothing before event 1")
            for rule in RULES:
                if rule.startswith("G.R.") and rule != "G.R.1":
                    self._skipped[rule] = "there is no description of the run (G.R.1)"
            self._skipped["E.R.3"] = "there is no list of processes (G.R.1)"
            return
        for part in ("Major", "Minor", "Patch"):
            key = f"NuHepMC.Version.{part}"
            version = _integers(attributes.get(key))
            if version is None or len(version) != 1:
                self._fail("G.R.2", f"an integer in {key}", repr(attributes.get(key)))
        if not file.tools:
            self._fail("G.R.3", "at least one tool", "none")
        for tool in file.tools:
            if len(tool) < 2 or not tool[0].strip() or not tool[1].strip():
                self._fail("G.R.3", "a name and a version of each tool", " | ".join(tool))
        self._conventions = set((attributes.get("NuHepMC.Conventions") or "").split())
        bad = [label for label in sorted(self._conventions) if not _LABEL.fullmatch(label)]
        if not self._conventions or bad:
            self._fail(
                "G.R.4", "labels like G.C.2 in NuHepMC.Conventions",
                bad[0] if bad else repr(attributes.get("NuHepMC.Conventions")),
            )  # fmt: skip
            self._skipped["G.R.5"] = "the file does not say how the cross section is given (G.R.4)"
        else:
            self._cross_section()
        for key in ("Unit", "TargetScale"):
            name = f"NuHepMC.Units.CrossSection.{key}"
            if not attributes.get(name, "").strip():
                self._fail("G.R.6", f"a text in {name}, e.g. pb or PerAtom", "nothing")
        names = file.weight_names or []
        if "CV" in names:
            self._cv = names.index("CV")
        else:
            self._fail("G.R.7", "a weight called CV", ", ".join(names) or "no weights")
        for rule, kind, plural in (
            ("G.R.8", "Process", "ProcessIDs"),
            ("G.R.9", "VertexStatus", "VertexStatusIDs"),
            ("G.R.10", "ParticleStatus", "ParticleStatusIDs"),
        ):
            self._table(rule, kind, plural)
        self._numbers()

    def _cross_section(self) -> None:
        if "E.C.4" in self._conventions:
            return  # each event has it
        key = "NuHepMC.FluxAveragedTotalCrossSection"
        text = self._file.attributes.get(key)
        if "G.C.2" not in self._conventions:
            self._fail("G.R.5", "G.C.2 or E.C.4 among the conventions", "neither")
        elif _number(text) is None:
            self._fail("G.R.5", f"a number in {key}", repr(text))

    def _table(self, rule: str, kind: str, plural: str) -> None:
        attributes = self._file.attributes
        text = attributes.get(f"NuHepMC.{plural}")
        ids = _integers(text)
        if ids is None:
            self._fail(rule, f"integers in NuHepMC.{plural}", repr(text))
            if kind == "Process":
                self._skipped["E.R.3"] = "there is no list of processes (G.R.8)"
            return
        self._declared[kind] = set(ids)
        for number in ids:
            for field in ("Name", "Description"):
                key = f"NuHepMC.{kind}Info[{number}].{field}"
                if not attributes.get(key, "").strip():
                    self._fail(rule, f"a text in {key}", "nothing")

    def _numbers(self) -> None:
        attributes = self._file.attributes
        text = attributes.get("NuHepMC.AdditionalParticleNumbers")
        ids = _integers(text)
        if ids is None:
            self._fail("G.R.11", "integers in NuHepMC.AdditionalParticleNumbers", repr(text))
            return
        self._declared["P"] = set(ids)
        for number in ids:
            key = f"NuHepMC.AdditionalParticleNumber[{number}].Name"
            if not attributes.get(key, "").strip():
                self._fail("G.R.11", f"a text in {key}", "nothing")

    # ---------------------------------------------------------------- events

    def event(self, event: Event) -> None:
        self.n_events += 1
        number, attributes = event.number, event.attributes[0]
        if number < 0 or number in self._seen:
            what = "negative" if number < 0 else f"event {number} twice"
            self._fail("E.R.2", "numbers that are unique and not negative", what, number)
        self._seen.add(number)
        self._weight(event)
        process = _integers(attributes.get("signal_process_id"))
        if "E.R.3" not in self._skipped:
            known = self._declared.get("Process", set())
            if process is None or len(process) != 1 or process[0] not in known:
                self._fail(
                    "E.R.3", "signal_process_id, one of NuHepMC.ProcessIDs",
                    repr(attributes.get("signal_process_id")), number,
                )  # fmt: skip
        units = event.units
        if units is None or len(units) != 2 or units[0] not in ("GEV", "MEV") or units[1] not in (
            "MM", "CM",
        ):  # fmt: skip
            self._fail("E.R.4", "GEV or MEV, and MM or CM", units or "no units", number)
        place = [_number(word) for word in attributes.get("lab_pos", "").split()]
        if len(place) not in (3, 4) or None in place:
            self._fail("E.R.5", "three (or four) numbers in lab_pos",
                       repr(attributes.get("lab_pos")), number)  # fmt: skip
        if "E.C.4" in self._conventions and "G.R.5" not in self._skipped:
            cross = attributes.get("GenCrossSection", "").split()
            if not cross or _number(cross[0]) is None:
                self._fail("G.R.5", "GenCrossSection in each event (E.C.4)",
                           attributes.get("GenCrossSection") or "nothing", number)  # fmt: skip
        start, end = event.graph()
        self._vertices(event, start, end)
        self._particles(event, start, end)

    def _weight(self, event: Event) -> None:
        if self._cv is None:
            return
        names = self._file.weight_names or []
        weights = event.weights or []
        value = _number(weights[self._cv]) if len(weights) == len(names) else None
        if value is None:
            self._fail(
                "G.R.7", f"{len(names)} finite weights ({', '.join(names)})",
                " ".join(weights) or "none", event.number,
            )  # fmt: skip
        else:
            self.sum += value

    def _vertices(self, event: Event, start: list[int], end: list[int]) -> None:
        number = event.number
        statuses = [v.status for v in event.vertices.values()]
        if statuses.count(1) != 1 or 0 in statuses:
            self._fail("E.R.6", "one vertex of status 1, none of status 0", statuses, number)
        for status in statuses:
            if 3 <= status <= 20 or status < 0 or status > 999:
                self._fail("V.R.1", "status 1, 2 or 21 to 999", status, number)
            elif status >= STRUCK:
                self._used["VertexStatus"].setdefault(status, number)
        sums = {v: [0.0] * 5 for v in event.vertices}
        counts = {v: [0, 0] for v in event.vertices}
        followed = True
        for p, begin, stop in zip(event.particles, start, end, strict=True):
            for side, v, sign in ((0, stop, 1.0), (1, begin, -1.0)):
                if not v:
                    continue
                counts[v][side] += 1
                s = sums[v]
                s[0] += sign * p.energy
                s[1] += sign * p.px
                s[2] += sign * p.py
                s[3] += sign * p.pz
                if side == 0:
                    s[4] += abs(p.energy)
                # A remnant without momentum says that the nucleus is not followed (P.C.2).
                followed &= p.pdg != REMNANT or p.energy != 0.0
        self._open += not followed
        for v, (into, out) in counts.items():
            if not into or not out:
                self._fail("E.R.1", "vertices with particles on either side",
                           f"vertex {v} with {into} in, {out} out", number)  # fmt: skip
                continue
            s = sums[v]
            change = max(abs(x) for x in s[:4])
            if followed and not change <= self._tolerance * s[4]:
                self._fail(
                    "E.R.1", f"the same four-momentum in and out, to {self._tolerance:g}",
                    f"vertex {v}: in - out = ({s[0]:.6g}, {s[1]:.6g}, {s[2]:.6g}, {s[3]:.6g}) "
                    f"of {s[4]:.6g}", number,
                )  # fmt: skip

    def _particles(self, event: Event, start: list[int], end: list[int]) -> None:
        number = event.number
        statuses = [p.status for p in event.particles]
        beams, targets = statuses.count(4), statuses.count(20)
        if beams != 1 or targets != 1:
            self._fail("E.R.7", "one particle of status 4 and one of status 20",
                       f"{beams} and {targets}", number)  # fmt: skip
        if not any(not stop for stop in end) or 1 not in statuses:
            self._fail("E.R.8", "outgoing particles, of status 1", "none", number)
        for p, begin, stop in zip(event.particles, start, end, strict=True):
            status = p.status
            if status <= 0 or 5 <= status <= 19:
                self._fail("P.R.1", "status 1 to 4 or above 19", f"{status} of particle "
                           f"{p.number}", number)  # fmt: skip
            elif STRUCK <= status <= 200:
                self._used["ParticleStatus"].setdefault(status, number)
            # Pseudo-particles, which the file declares, may stand anywhere.
            if status == 1 and stop:
                self._fail("P.R.1", "no end of a particle of status 1", p.number, number)
            if status in (2, 4, 20) and not stop:
                self._fail("P.R.1", f"an end of particle {p.number}, of status {status}", "none",
                           number)  # fmt: skip
            if status in (1, 2) and not begin:
                self._fail("P.R.1", f"status 4 or 20 of the incoming particle {p.number}", status,
                           number)  # fmt: skip
            self._used["P"].setdefault(p.pdg, number)

    # ---------------------------------------------------------------- end

    def end(self, path: PathLike) -> None:
        """Check what is known only when all events have been read."""
        self._skipped["E.R.9"] = "a file does not show its frame"
        if not self.n_events:
            for rule in RULES:
                if rule[0] in "EVP":
                    self._skipped[rule] = "there is no event"
            return
        for rule, kind, convention in (
            ("G.R.9", "VertexStatus", "V.C.1"),
            ("G.R.10", "ParticleStatus", "P.C.1"),
        ):
            free = {STRUCK} if convention in self._conventions else set()
            self._undeclared(rule, kind, free)
        used = self._used["P"]
        self._used["P"] = {code: number for code, number in used.items() if not is_standard(code)}
        self._undeclared("G.R.11", "P", {REMNANT} if "P.C.2" in self._conventions else set())
        self._compare(path)

    def _undeclared(self, rule: str, kind: str, free: set[int]) -> None:
        if rule in self._skipped or kind not in self._declared:
            return
        for code, number in self._used[kind].items():
            if code not in self._declared[kind] | free:
                self._fail(rule, "all codes that are used to be declared", code, number)

    def _compare(self, path: PathLike) -> None:
        """Have HepMC3 itself read the file, if it is installed: it must find as many events."""
        # With other faults, what it says is only a consequence.
        if importlib.util.find_spec("pyhepmc") is None or self._failed:
            return
        import pyhepmc

        try:
            # HepMC3 would tell compression from the name alone.
            with open_to_read(path) as stream, pyhepmc.open(stream) as file:
                n = sum(1 for _ in file)
        except (OSError, RuntimeError, ValueError) as error:
            self._fail("E.R.1", "a file that HepMC3 reads", f"{type(error).__name__}: {error}")
            return
        if n != self.n_events:
            self._fail("E.R.1", f"{self.n_events} events that HepMC3 reads", f"{n} events")
