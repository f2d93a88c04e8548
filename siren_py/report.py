"""What a sample says of itself in words: the summary of a run and the account of one weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py.estimate import Estimate
from siren_py.tables import Table, estimates, facts, rich_group
from siren_py.tree import EventTable
from siren_py.weighting import (
    ARRIVAL_FACTORS,
    FACTORS,
    Sums,
    exposure_by_flux,
    product_of_factors,
    run_of,
)

if TYPE_CHECKING:
    from siren_py.sample import Sample


@dataclass(frozen=True)
class Summary:
    """Expected events of a sample and where they come from.

    Attributes
    ----------
    expected
        Expected number of events.
    pot
        Protons on target it belongs to.
    effective_size, n_events, n_attempts
        Effective sample size, events stored, attempts made.
    by
        Expected events by region, material and target part.
    title
        One line that says what was simulated.
    """

    expected: Estimate
    pot: float | dict[str, float]
    effective_size: float
    n_events: int
    n_attempts: int
    by: dict[str, dict[str, Estimate]]
    title: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, ready for JSON."""
        result: dict[str, Any] = {
            "expected": self.expected.value,
            "expected_error": self.expected.error,
            "pot": self.pot,
            "effective_size": self.effective_size,
            "n_attempts": self.n_attempts,
            "n_events": self.n_events,
        }
        for key, table in self.by.items():
            result[f"by_{key}"] = {
                name: {"value": e.value, "error": e.error} for name, e in table.items()
            }
        return result

    def parts(self) -> list[str | Table]:
        """Return the summary as a title and tables, for terminals and notebooks."""
        e = self.expected
        rows: list[tuple[str, object]] = [
            ("expected events", f"{e.value:.5g} +- {e.error:.2g} for {_exposure_text(self.pot)}"),
            ("events stored", f"{self.n_events:,} of {self.n_attempts:,} attempts"),
            ("effective size", f"{self.effective_size:,.0f}"),
        ]
        heads = {key: key.replace("_", " ") for key in self.by}
        return [
            self.title,
            facts(rows),
            *(
                estimates(table.items(), (heads[key], "expected"), e.value, f"by {heads[key]}")
                for key, table in self.by.items()
            ),
        ]

    def __rich__(self) -> Any:
        return rich_group(self.parts())

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import summary_html

        return summary_html(self)

    def __str__(self) -> str:
        e = self.expected
        relative = f" ({e.error / e.value:.2%})" if e.value > 0.0 else ""
        lines = [
            self.title,
            f"  expected events    {e.value:.5g} +- {e.error:.2g}{relative} for "
            f"{_exposure_text(self.pot)}",
            f"  events stored      {self.n_events} of {self.n_attempts} attempts, effective "
            f"size {self.effective_size:.0f}",
        ]
        for key, table in self.by.items():
            lines.append(f"  by {key.replace('_', ' ')}")
            lines += [
                f"    {name:<24} {v.value:>11.4g} +- {v.error:<9.2g}"
                + (f" {v.value / e.value:7.2%}" if e.value > 0.0 else "")
                for name, v in table.items()
            ]
        return "\n".join(lines)


def _exposure_text(pot: float | dict[str, float]) -> str:
    if isinstance(pot, dict):
        return ", ".join(f"{v:g} POT ({k})" for k, v in pot.items())
    return f"{pot:g} POT"


def summarise(sample: Sample, pot: float | Mapping[str, float]) -> Summary:
    """Build the summary of a sample for an exposure."""
    config = sample.provenance.get("configuration", {})
    fluxes = ", ".join(str(f["name"]) for f in sample.lookup["fluxes"])
    title = (
        f"{config.get('model', {}).get('name', 'model')} in "
        f"{config.get('detector', {}).get('name')}, region {config.get('region')}, "
        f"flux {fluxes}, decay {config.get('decay') or 'any'}"
    )
    # One pass for all, without vertices and particles: large samples come from disk.
    keys = ("region", "material", "target_part")
    labels = {key: sample._labels(key) for key in keys}
    exposure = exposure_by_flux(pot, sample.lookup["fluxes"])
    replicas = sample.replicas
    plain, total = Sums(sample.attempts), Sums(sample.attempts, replicas=replicas)
    by = {key: Sums(sample.attempts, len(labels[key]), replicas) for key in keys}
    for table in sample._store.events():
        weights, run = sample._table_weights(table, exposure), run_of(table)
        plain.add(product_of_factors(table), run=run)
        event = table.events["event"]
        total.add(weights, run=run, event=event)
        for key in keys:
            by[key].add(weights, sample._category(key, table), run, event)
    return Summary(
        expected=total.estimate(),
        pot=dict(pot) if isinstance(pot, Mapping) else float(pot),
        effective_size=plain.effective_size,
        n_events=len(sample),
        n_attempts=sample.n_attempts,
        by={key: by[key].by_name(labels[key]) for key in keys},
        title=title,
    )


@dataclass(frozen=True)
class Explanation:
    """How the weight of one event comes about.

    Attributes
    ----------
    event
        Number of the attempt that made the event.
    weight
        Expected events per proton on target: product of the factors over the attempts.
    factors
        Value, unit and meaning of each factor.
    facts
        What happened in the event: energies, points, distances.
    n_attempts
        Number of attempts N.
    """

    event: int
    weight: float
    factors: dict[str, tuple[float, str, str]]
    facts: dict[str, str]
    n_attempts: int

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import explanation_html

        return explanation_html(self)

    def __str__(self) -> str:
        lines = [f"Event {self.event}: weight {self.weight:.6g} events per POT"]
        lines += [f"  {name:<22} {text}" for name, text in self.facts.items()]
        lines.append("  weight = product of the factors / attempts:")
        lines += [
            f"    {name:<20} {value:>13.6g} {unit:<12} {meaning}"
            for name, (value, unit, meaning) in self.factors.items()
        ]
        lines.append(f"    {'attempts':<20} {self.n_attempts:>13} {'1':<12} number of attempts N")
        return "\n".join(lines)


def explain_event(sample: Sample, table: EventTable) -> Explanation:
    """Build the explanation of the single event in `table`."""
    one = sample._with_table(table)
    events = {k: v[0] for k, v in table.events.items()}
    points = [one.vertices(k)[0] for k in range(int(table.vertex_counts[0]))]
    facts = {
        "flux": f"{one.names('flux')[0]}, pdg {events['primary_pdg']}, "
        f"E = {events['primary_energy']:.6g} GeV",
    }
    vertex = f"({points[0][0]:.4g}, {points[0][1]:.4g}, {points[0][2]:.4g}) cm"
    if events["target"] >= 0:
        facts["target"] = (
            f"{one.names('target')[0]} ({one.names('target_part')[0]}) in "
            f"{one.names('volume')[0]} ({one.names('material')[0]})"
        )
        facts["interaction at"] = vertex
    else:
        facts["made at"] = f"{vertex}, the source of the beam"
    for name in sorted(set(events) & set(sample.provenance.get("invariants", []))):
        facts[name] = f"{events[name]:.6g}"
    if len(points) > 1 and events["channel"] >= 0:
        flight = float(np.linalg.norm(points[1][:3] - points[0][:3]))
        length = float(events["decay_length"])
        facts["decay at"] = (
            f"({points[1][0]:.4g}, {points[1][1]:.4g}, {points[1][2]:.4g}) cm in "
            f"{one.names('region')[0]}, channel {one.names('channel')[0]}"
        )
        facts["flight"] = (
            f"{flight:.6g} cm, decay length {length:.6g} cm: "
            f"density of this decay point exp(-s/L)/L = {np.exp(-flight / length) / length:.6g} /cm"
        )
    texts = FACTORS if events["target"] >= 0 else {**FACTORS, **ARRIVAL_FACTORS}
    factors = {
        name: (float(events[name]), unit, meaning) for name, (unit, meaning) in texts.items()
    }
    return Explanation(
        event=int(events["event"]),
        weight=float(product_of_factors(table)[0]) / sample.n_attempts,
        factors=factors,
        facts=facts,
        n_attempts=sample.n_attempts,
    )
