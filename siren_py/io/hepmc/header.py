"""What a NuHepMC file says of itself before the first event."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py.errors import OutputError, UnknownNameError
from siren_py.io.hepmc.codes import (
    FIRST_PROCESS,
    HNL,
    NO_TARGET,
    PARTICLE_STATUSES,
    REMNANT,
    VERTEX_STATUSES,
    is_standard,
)
from siren_py.io.hepmc.cross_section import (
    beam_attributes,
    flux_averaged,
    known_fluxes,
    known_model,
)
from siren_py.io.record import to_json
from siren_py.particles import name
from siren_py.tree import PARTICLE_COLUMNS, TARGET, VERTEX_COLUMNS
from siren_py.weighting import product_of_factors

if TYPE_CHECKING:
    from siren_py.sample import Sample

SCHEMA_VERSION = 1
PREFIX = "siren_py."
"""Begins the names of all attributes that are not of NuHepMC."""

PART_LENGTH = 100_000
"""Longest text in one attribute: HepMC3 reads no line above 262143 bytes."""

START, END = "HepMC::Asciiv3-START_EVENT_LISTING", "HepMC::Asciiv3-END_EVENT_LISTING"

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})")
_KINDS = {"i": "int", "u": "int", "b": "bool", "f": "float"}


@dataclass
class Survey:
    """What has to be known of all events before the first is written.

    Attributes
    ----------
    codes
        PDG codes of all particles.
    rates
        Expected events per POT by (flux, PDG code of the target), -1 for none.
    kinds
        Type of each event column.
    processes
        Numbers of the processes of the first vertices.
    without_target
        Whether there are events without a target.
    """

    codes: set[int] = field(default_factory=set)
    rates: dict[tuple[int, int], float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    without_target: bool = False

    @classmethod
    def of(cls, sample: Sample) -> Survey:
        """Look through all tables of a sample.

        Raises
        ------
        OutputError
            If a column is of a kind that has no place in the file.
        """
        survey = cls()
        for table in sample.tables():
            survey.codes.update(np.unique(table.particles["pdg"]).tolist())
            weights = product_of_factors(table) / sample.n_attempts
            keys = np.stack([table.events["flux"], table.events["target"]], axis=1)
            unique, index = np.unique(keys.astype(np.int64), axis=0, return_inverse=True)
            sums = np.bincount(index.ravel(), weights, minlength=len(unique))
            for (flux, target), rate in zip(unique.tolist(), sums.tolist(), strict=True):
                survey.rates[flux, target] = survey.rates.get((flux, target), 0.0) + rate
            targets = int((table.particles["status"] == TARGET).sum())
            survey.without_target |= targets < len(table)
            for column, values in table.events.items():
                if values.dtype.kind not in _KINDS or " " in column:
                    raise OutputError(
                        f"The event column {column!r} of type {values.dtype} cannot be written to "
                        "a HepMC3 file: names must have no blanks, and values be numbers."
                    )
                survey.kinds[column] = values.dtype.name
            _check_dtypes(table.particles, PARTICLE_COLUMNS)
            _check_dtypes(table.vertices, VERTEX_COLUMNS)
        return survey


def _check_dtypes(columns: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for column in columns:
        if column not in known:
            raise OutputError(
                f"The column {column!r} of particles or vertices has no place in a HepMC3 file."
            )


def escaped(text: str) -> str:
    """Return a text as it stands in a HepMC3 file, where a line must stay one line."""
    return text.replace("\\", "\\\\").replace("\n", "\\|")


def unescaped(text: str) -> str:
    """Return a text of a HepMC3 file as it was."""
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "|" else m[1], text)


def _ids(values: Iterable[int]) -> str:
    return " ".join(str(v) for v in sorted(values))


def header_text(sample: Sample, survey: Survey, pot: float, hnl: int) -> str:
    """Return the lines before the first event.

    Parameters
    ----------
    sample
        The sample.
    survey
        What all its events have in common.
    pot
        Protons on target that the weights are for.
    hnl
        Code that stands for N.
    """
    from siren_py import __version__

    model = known_model(sample)
    attributes: dict[str, str] = {}
    conventions = {"G.C.1", "G.C.2", "G.C.5", "E.C.1", "V.C.1", "P.C.1", "P.C.2"}
    for i, part in enumerate(("Major", "Minor", "Patch")):
        attributes[f"NuHepMC.Version.{part}"] = str((1, 0, 0)[i])
    attributes["NuHepMC.Units.CrossSection.Unit"] = "pb"
    attributes["NuHepMC.Units.CrossSection.TargetScale"] = "PerAtom"
    attributes["NuHepMC.Exposure.POT"] = repr(pot)
    mean = flux_averaged(sample, survey.rates)
    attributes["NuHepMC.FluxAveragedTotalCrossSection"] = repr(mean.value)
    attributes[f"{PREFIX}cross_section_note"] = mean.note
    attributes |= _described("Process", _processes(sample, model))
    attributes |= _described("VertexStatus", VERTEX_STATUSES)
    attributes |= _described("ParticleStatus", PARTICLE_STATUSES)
    attributes |= _particles(survey, model, hnl)
    fluxes = known_fluxes(sample)
    beams = None if fluxes is None else beam_attributes(fluxes)
    if beams is not None:
        conventions.add("G.C.4")
        attributes |= beams
    for component, papers in _citations(sample).items():
        conventions.add("G.C.3")
        attributes[f"NuHepMC.Citations.{component}.arXiv"] = " ".join(papers)
    attributes["NuHepMC.Conventions"] = " ".join(sorted(conventions))
    seed = sample.provenance.get("seed")
    if seed is not None:
        # A text, because seeds may have more than the 32 bits of an integer.
        attributes["NuHepMC.Provenance.siren_py.Seed"] = str(seed)
    attributes |= _record(sample, survey, pot, hnl)
    lines = ["HepMC::Version 3.02.05", START, "W CV"]
    tools = [("siren_py", __version__, "weighted events of rare processes in detectors")]
    tools += _flux_tools(sample)
    lines += ["T " + escaped("\n".join(tool)) for tool in tools]
    lines += [f"A {key} {escaped(attributes[key])}" for key in sorted(attributes)]
    return "\n".join(lines) + "\n"


def _described(kind: str, entries: Mapping[int, tuple[str, str]]) -> dict[str, str]:
    plural = "ProcessIDs" if kind == "Process" else f"{kind}IDs"
    result = {f"NuHepMC.{plural}": _ids(entries)}
    for number, (label, text) in entries.items():
        result[f"NuHepMC.{kind}Info[{number}].Name"] = label
        result[f"NuHepMC.{kind}Info[{number}].Description"] = text
    return result


def _processes(sample: Sample, model: Any) -> dict[int, tuple[str, str]]:
    text = f"Process of the model {getattr(model, 'name', None) or 'of the record'}"
    labels = [str(p) for p in sample.lookup["processes"]]
    return {FIRST_PROCESS + i: (p, f"{text}: {p}") for i, p in enumerate(labels)}


def _particles(survey: Survey, model: Any, hnl: int) -> dict[str, str]:
    """Declare the codes that the PDG does not define (G.R.11, G.C.5)."""
    named: dict[int, tuple[str, str]] = {
        REMNANT: ("NuclearRemnant", "Nucleus without the nucleon that was struck, at rest"),
        hnl: ("N4", _hnl_text(model)),
    }
    if HNL in {abs(c) for c in survey.codes}:
        named[-hnl] = ("N4bar", "Antiparticle of N4")
    if survey.without_target:
        named[NO_TARGET] = ("NoTarget", "Nothing is struck; has no momentum, not to be simulated")
    for code in survey.codes:
        if abs(code) != HNL and not is_standard(code):
            named[code] = (_label(code), f"Particle {code} of the model")
    result = {"NuHepMC.AdditionalParticleNumbers": _ids(named)}
    for code, (label, text) in named.items():
        result[f"NuHepMC.AdditionalParticleNumber[{code}].Name"] = label
        # Older readers look for the name where 1.0 has the description.
        result[f"NuHepMC.AdditionalParticleInfo[{code}].Name"] = label
        result[f"NuHepMC.AdditionalParticleInfo[{code}].Description"] = text
    return result


def _label(code: int) -> str:
    try:
        return name(code)
    except UnknownNameError:
        return f"Particle{code}" if code > 0 else f"Antiparticle{-code}"


def _hnl_text(model: Any) -> str:
    text = "Heavy neutral lepton; spin 1/2, charge 0"
    mass, width = getattr(model, "mass", None), getattr(model, "width", None)
    if isinstance(mass, int | float):
        text += f", mass {float(mass)!r} GeV"
        if callable(width):
            text += f", width {float(width())!r} GeV"
    return text


def _flux_tools(sample: Sample) -> list[tuple[str, str, str]]:
    return [
        (
            f"flux {flux['name']}",
            str(flux.get("table") or flux.get("values_sha256") or flux.get("kind") or "own"),
            str(flux.get("release") or ""),
        )
        for flux in sample.lookup["fluxes"]
    ]


def _citations(sample: Sample) -> dict[str, list[str]]:
    papers = [
        number
        for flux in sample.lookup["fluxes"]
        for line in flux.get("citations", [])
        for number in _ARXIV.findall(str(line))
    ]
    return {"Flux": list(dict.fromkeys(papers))} if papers else {}


def _record(sample: Sample, survey: Survey, pot: float, hnl: int) -> dict[str, str]:
    """Return the record that makes the file complete, in parts that HepMC3 can read."""
    text = to_json(
        {
            "schema_version": SCHEMA_VERSION,
            "n_attempts": sample.n_attempts,
            "n_events": len(sample),
            "pot": pot,
            "hnl_pdg": hnl,
            "columns": survey.kinds,
            "provenance": sample.provenance,
            "names": sample.lookup,
        }
    )
    parts = list(_parts(text))
    result = {f"{PREFIX}record.{i:04d}": part for i, part in enumerate(parts)}
    result[f"{PREFIX}record.parts"] = str(len(parts))
    return result


def _parts(text: str) -> Iterator[str]:
    """Cut a text into parts that neither begin nor end with a blank, which readers may drop."""
    start = 0
    while start < len(text):
        end = min(start + PART_LENGTH, len(text))
        while end < len(text) and " " in text[end - 1 : end + 1]:
            end -= 1
        yield text[start:end]
        start = end
