"""What a notebook shows of fluxes, models, simulations, samples, scans and limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py.constants import HBARC
from siren_py.notebook.pages import Html, folded, note, page, picture, shown, words
from siren_py.tables import Table, facts

if TYPE_CHECKING:
    from siren_py.limits import Limit
    from siren_py.report import Explanation, Summary
    from siren_py.sample import Sample
    from siren_py.scan import Scan
    from siren_py.selection import CutFlow
    from siren_py.simulation import Simulation

_MANY_EVENTS = 500_000
"""Events beyond which a sample is not summed for its page: they may have to come from disk."""

_MOST_ROWS = 6


@shown
def flux_html(flux: Any) -> str:
    """Return spectrum, fluence and origin of a flux."""
    from siren_py.plot.fluxes import draw_flux

    low, high = flux.energy_range
    rows: list[tuple[str, object]] = [
        ("fluence", f"{flux.integral:.5g} 1/(cm2 POT)"),
        ("energies", f"{low:g} to {high:g} GeV, mean {flux.mean_energy:.4g} GeV"),
    ]
    source = getattr(flux, "source", {})
    rows += [(key, source[key]) for key in ("table", "release", "method") if key in source]
    rows += [("citation", text) for text in source.get("citations", ())]
    return page([words(flux), picture(lambda ax: draw_flux(flux, ax)), facts(rows)])


@shown
def model_html(model: Any) -> str:
    """Return parameters, widths and lifetimes of a model."""
    from siren_py.plot.models import draw_widths, widths_of

    found = widths_of(model)
    parts: list[str | Table] = [words(model)]
    totals: dict[int, float] = {}
    for pdg, _, width in found:
        totals[pdg] = totals.get(pdg, 0.0) + width
    for pdg, total in totals.items():
        rows = [
            (channel, f"{width:.4g}", f"{width / total:.4g}")
            for code, channel, width in sorted(found, key=lambda row: -row[2])
            if code == pdg and total > 0.0
        ]
        name = "N" if pdg == 5914 else f"PDG {pdg}"
        length = f"c tau {1e-2 * HBARC / total:.4g} m" if total > 0.0 else "stable"
        heads = ("decay channel", "width [GeV]", "branching ratio")
        title = f"{name}: mass {model.particle_masses[pdg]:g} GeV, {length}"
        parts.append(Table(heads, tuple(rows), title, (1, 2)))
    if any(totals.values()):
        parts.append(picture(lambda ax: draw_widths(model, ax), margins=(0.25, 0.04)))
    else:
        parts.append(note("No particle of the model decays."))
    return page(parts)


@shown
def sample_html(sample: Sample) -> str:
    """Return the summary of a sample for one proton on target, and its size."""
    if not len(sample):
        return page([f"Sample without events, of {sample.n_attempts} attempts."])
    if len(sample) > _MANY_EVENTS:
        return page(
            [
                f"Sample of {len(sample):,} events from {sample.n_attempts:,} attempts",
                note("summary() sums them up; that is not done by itself for so many."),
            ]
        )
    return page(_summary(sample.summary()))


@shown
def summary_html(summary: Summary) -> str:
    """Return a summary as tables."""
    return page(_summary(summary))


def _summary(summary: Summary) -> Iterator[str | Table]:
    for part in summary.parts():
        # Long lists are opened with a click.
        if isinstance(part, Table) and len(part.rows) > _MOST_ROWS:
            yield folded(f"{part.title}: {len(part.rows)}", [part])
        else:
            yield part


@shown
def explanation_html(explanation: Explanation) -> str:
    """Return every factor of a weight as a table."""
    rows = [
        (name, f"{value:.6g}", unit, meaning)
        for name, (value, unit, meaning) in explanation.factors.items()
    ]
    rows.append(("attempts", f"{explanation.n_attempts}", "1", "number of attempts N"))
    title = f"Event {explanation.event}: weight {explanation.weight:.6g} events per POT"
    heads = ("factor", "value", "unit", "meaning")
    return page([facts(explanation.facts.items(), title), Table(heads, tuple(rows), numbers=(1,))])


@shown
def cut_flow_html(flow: CutFlow) -> str:
    """Return a cut flow as a table."""
    rows = tuple(
        (name, str(count), f"{e.value:.5g}", f"{e.error:.2g}", f"{kept:.2%}")
        for name, count, e, kept in flow.rows
    )
    return page([Table(("cut", "events", "expected", "error", "kept"), rows, numbers=(1, 2, 3, 4))])


@shown
def simulation_html(simulation: Simulation) -> str:
    """Return what a simulation is made of, in a few lines."""
    return page(
        [
            facts(
                [
                    ("detector", simulation.detector.name),
                    ("region", simulation.region),
                    *(("flux", words(flux)) for flux in simulation.fluxes),
                    ("model", words(simulation.model)),
                    ("decay", simulation.decay or "any"),
                ],
                "Simulation",
            )
        ]
    )


@shown
def scan_html(scan: Scan) -> str:
    """Return the plane of a scan and its figures."""
    from siren_py.plot.planes import draw_scan

    total = scan.total
    good = np.isfinite(total) & (total > 0.0)
    rows: list[tuple[str, object]] = [
        ("masses", f"{scan.masses.size}, {scan.masses[0]:.4g} to {scan.masses[-1]:.4g} GeV"),
        ("couplings", f"{scan.couplings.size}, {scan.couplings[0]:.4g} to "
                      f"{scan.couplings[-1]:.4g}"),
        ("channels", ", ".join(scan.channels)),
        ("masses done", f"{int(scan.finished.sum())} of {scan.masses.size}"),
    ]  # fmt: skip
    parts: list[str | Table] = [facts(rows, "Scan of expected events")]
    if good.any():
        parts.append(picture(lambda ax: draw_scan(scan, ax), margins=(0.16, 0.08)))
    else:
        parts.append(note("No point has events yet."))
    return page(parts)


@shown
def limit_html(limit: Limit) -> str:
    """Return the excluded area of a limit and the excluded intervals."""
    from siren_py.plot.planes import draw_limit

    unit = f" [{limit.unit}]" if limit.unit else ""
    rows = tuple(
        (f"{mass:.4g}", "; ".join(f"{low:.4g} to {high:.4g}" for low, high in spans) or "nothing")
        for mass, spans in zip(limit.masses, limit.intervals(), strict=True)
    )
    drawing: Html
    if min(limit.exclusion.shape) < 2:
        drawing = note("A contour needs at least two masses and two couplings.")
    else:
        drawing = picture(lambda ax: draw_limit(limit, ax))
    table = Table(("mass [GeV]", f"excluded {limit.coupling}{unit}"), rows, numbers=(0,))
    title = f"{limit.name}: {limit.cl:.4g} CL, {limit.statistic}"
    return page([title, drawing, folded("excluded couplings", [table])])
