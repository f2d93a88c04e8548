"""HEPEVT text, as the generators of LArSoft and Geant4 read it.

``style="larsoft"`` (evgen::TextFileGen): a line ``number particles`` per event, then one line per
particle: status, PDG code, first and last mother, first and last daughter (numbered from 1, 0 for
none), px, py, pz, E, mass [GeV], x, y, z [cm], time [ns]. Particles of status 1 are tracked; the
others (3 incoming, 2 decayed) are for the record.

``style="geant4"`` (G4HEPEvtInterface): a line ``particles`` per event, then per particle: status 1,
PDG code, 0, 0, px, py, pz, mass [GeV]. The format has no positions: Geant4 puts all particles of
an event where the user says. So only the final particles of the last vertex are written, and its
position stands in ``FILE.events.csv``.

Neither has weights. They stand in ``FILE.events.csv``, one line per event, and their sum in
``FILE.json``; or events are unweighted, so that each stands for the same number of events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import BoolArray, FloatArray, IntArray, PathLike
from siren_py.errors import ConfigError, unknown_name
from siren_py.io.files import complete_file
from siren_py.io.hepmc.codes import HNL, hnl_code
from siren_py.io.hepmc.layouts import Layout, Masses, column_texts, layouts, pieces
from siren_py.io.record import to_json
from siren_py.progress import ProgressLike, progress_bar
from siren_py.rng import stream
from siren_py.tree import BEAM, FINAL, TARGET, Column, EventTable, offsets_of
from siren_py.weighting import exposure_by_flux, product_of_factors

if TYPE_CHECKING:
    from siren_py.sample import Sample

HEPEVT_DROPS: tuple[str, ...] = (
    "weights (they are in FILE.events.csv and FILE.json, or events are unweighted)",
    "event columns, e.g. volumes, channel, decay length and factors of the weight",
    "processes and volumes of the vertices",
    "the number of attempts and the provenance (they are in FILE.json)",
    "with style='geant4' also positions, incoming particles and all vertices but the last",
)
"""What HEPEVT text cannot hold."""

STYLES: Mapping[str, str] = {
    "larsoft": "status pdg mother1 mother2 daughter1 daughter2 "
    "px py pz E m [GeV] x y z [cm] t [ns]",
    "geant4": "status pdg daughter1 daughter2 px py pz m [GeV]",
}
"""Styles, and their columns."""

_CSV = "event,flux,weight,x_mm,y_mm,z_mm,time_ns"


def write_hepevt(
    sample: Sample,
    path: PathLike,
    *,
    style: str = "larsoft",
    unweight: bool | int = False,
    seed: int = 0,
    pot: float | Mapping[str, float] = 1.0,
    hnl_pdg: str | int = "siren",
    overwrite: bool = True,
    progress: ProgressLike = False,
) -> None:
    """Write a sample as HEPEVT text for LArSoft or Geant4, with two files beside it.

    Parameters
    ----------
    sample
        The sample.
    path
        Name of the file. Beside it stand ``FILE.json`` (expected events, what each event is worth,
        units) and ``FILE.events.csv`` (weight, position [mm] and time [ns] of the last vertex).
    style
        ``"larsoft"`` or ``"geant4"``; see the module.
    unweight
        False writes all events with their weights. True keeps each with a chance of weight over
        largest weight, so that all that are left count the same. A number keeps that many of them,
        drawn at random.
    seed
        Seed of the unweighting; the same seed keeps the same events.
    pot
        Protons on target that the weights are for, or a mapping by beam mode.
    hnl_pdg
        Code that stands for N; see `siren_py.io.hepmc.write_hepmc`.
    overwrite
        Whether existing files may be replaced.
    progress
        See `siren_py.progress.ProgressLike`; counts events.

    Raises
    ------
    ConfigError
        If an option cannot be used, or fewer events are left than `unweight` asks for.
    UnknownNameError
        If there is no such style.
    OutputError
        If a file cannot be written, or a tree has no form in HEPEVT.

    Examples
    --------
    >>> import siren_py as sp
    >>> from siren_py.io.hepevt import write_hepevt
    >>> model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> write_hepevt(sim.run(5000, seed=1), "events.hepevt", unweight=50, pot=1e21)
    """
    if style not in STYLES:
        raise unknown_name("style of HEPEVT", style, STYLES)
    hnl = hnl_code(hnl_pdg)
    exposure = exposure_by_flux(pot, sample.lookup["fluxes"])
    kept = None if unweight is False else _accepted(sample, exposure, unweight, seed)
    total = sample.expected(pot)
    count = len(sample) if kept is None else int(kept.sum())
    share = total.value / count if count else 0.0
    name = Path(path)
    beside = [name.with_name(f"{name.name}{ending}") for ending in (".events.csv", ".json")]
    with ExitStack() as stack:
        # The files get their names in the reverse order: the events last.
        parts = [
            stack.enter_context(complete_file(p, overwrite=overwrite)) for p in (path, *beside)
        ]
        report = stack.enter_context(progress_bar(len(sample), f"writing {name.name}", progress))
        # Files are closed before they get their names.
        with parts[0].open("w") as text, parts[1].open("w") as table_file:
            table_file.write(f"{_CSV}\n")
            writer = _Writer(Masses(sample), hnl, style, text, table_file)
            first = 0
            for table in chain.from_iterable(map(pieces, sample.tables())):
                last = first + len(table)
                weights = product_of_factors(table) * exposure[table.events["flux"]]
                weights /= sample.n_attempts
                if kept is not None:
                    weights = np.full(len(table), share)
                    table, weights = table.take(kept[first:last]), weights[kept[first:last]]
                writer.write(table, weights)
                first = last
                report(first, len(sample))
        summary = _summary(sample, style, hnl, pot, total, count, kept is not None, seed)
        parts[2].write_text(to_json(summary, indent=2) + "\n")


def _summary(
    sample: Sample, style: str, hnl: int, pot: Any, total: Any, count: int, unweighted: bool,
    seed: int,
) -> dict[str, Any]:  # fmt: skip
    same = total.value / count if count and unweighted else None
    return {
        "format": f"HEPEVT, style {style}",
        "columns": STYLES[style],
        "n_events": count,
        "unweighted": unweighted,
        "unweighting_seed": seed if unweighted else None,
        "pot": pot,
        "expected_events": total.value,
        "expected_events_error": total.error,
        "expected_events_per_event": same,
        "hnl_pdg": hnl,
        "n_attempts": sample.n_attempts,
        "n_weighted_events": len(sample),
        "dropped": list(HEPEVT_DROPS),
        "provenance": sample.provenance,
    }


def _accepted(
    sample: Sample, exposure: FloatArray, wanted: bool | int, seed: int
) -> BoolArray:  # fmt: skip
    """Choose events with a chance in proportion to their weights, none twice; (n,)."""
    if wanted is not True and wanted < 1:
        raise ConfigError(f"unweight must be True or a number of events; got {wanted!r}.")
    weights = np.concatenate(
        [product_of_factors(t) * exposure[t.events["flux"]] for t in sample.tables()]
    )
    rng = stream(seed, "unweighting")
    largest = float(weights.max(initial=0.0))
    kept: BoolArray = rng.random(weights.size) * largest < weights
    if wanted is True:
        return kept
    found = np.flatnonzero(kept)
    if found.size < wanted:
        more = int(np.ceil(sample.n_attempts * wanted / max(found.size, 1)))
        raise ConfigError(
            f"Of {weights.size} weighted events {found.size} are left when they are unweighted, "
            f"but {wanted} were asked for. Simulate about {1.1 * more:.2g} attempts instead of "
            f"{sample.n_attempts}, or ask for fewer."
        )
    chosen = np.zeros(weights.size, dtype=np.bool_)
    # Not the first ones: in a combined sample these are of one run.
    chosen[rng.choice(found, int(wanted), replace=False)] = True
    return chosen


class _Writer:
    """Writes tables as text, columns of one layout at a time."""

    def __init__(self, masses: Masses, hnl: int, style: str, text: IO[str], table: IO[str]) -> None:
        self._masses, self._hnl, self._style = masses, hnl, style
        self._text, self._table = text, table
        self._done = 0

    def write(self, table: EventTable, weights: FloatArray) -> None:
        """Write the events of a table."""
        lines = np.empty(len(table), dtype=object)
        for layout, events in layouts(table):
            make = self._larsoft if self._style == "larsoft" else self._geant4
            lines[events] = list(make(table, layout, events))
        self._text.write("".join(lines.tolist()))
        self._done += len(table)
        last = offsets_of(table.vertex_counts)[1:] - 1
        columns: list[Column] = [table.events["event"], table.events["flux"], weights]
        columns += [10.0 * table.vertices[c][last] for c in ("x", "y", "z")]
        columns.append(table.vertices["time"][last])
        rows = zip(*(c.tolist() for c in columns), strict=True)
        self._table.writelines(",".join(map(repr, row)) + "\n" for row in rows)

    def _momenta(self, table: EventTable, rows: IntArray) -> tuple[Column, list[Column], Column]:
        pdg = table.particles["pdg"][rows].astype(np.int64)
        p4 = [table.particles[c][rows] for c in ("px", "py", "pz", "energy")]
        written = np.where(np.abs(pdg) == HNL, np.sign(pdg) * self._hnl, pdg)
        return written, p4, self._masses(pdg, p4)

    def _larsoft(self, table: EventTable, layout: Layout, events: IntArray) -> Iterator[str]:
        rows = offsets_of(table.particle_counts)[:-1][events]
        points = offsets_of(table.vertex_counts)[:-1][events]
        order = layout.order()
        place = {i: n for n, i in enumerate(order, 1)}
        lines: list[str] = [f"%s {len(order)}\n"]
        columns: list[Column] = [events + self._done]
        for i in order:
            start, end = layout.start[i], layout.end[i]
            mothers = [place[k] for k in order if start >= 0 and layout.end[k] == start]
            daughters = [place[k] for k in order if end >= 0 and layout.start[k] == end]
            code, (px, py, pz, energy), m = self._momenta(table, rows + i)
            # What comes in is placed where it ends.
            at = points + (start if start >= 0 else end)
            corner = [table.vertices[c][at] for c in ("x", "y", "z", "time")]
            status = {FINAL: 1, BEAM: 3, TARGET: 3}.get(layout.status[i], 2)
            family = f"{_span(mothers)} {_span(daughters)}"
            lines.append(f"{status} %s {family} " + " ".join(["%s"] * 9) + "\n")
            columns += [code, px, py, pz, energy, m, *corner]
        return _filled("".join(lines), columns, len(events))

    def _geant4(self, table: EventTable, layout: Layout, events: IntArray) -> Iterator[str]:
        rows = offsets_of(table.particle_counts)[:-1][events]
        last = layout.vertices - 1
        finals = [
            i for i in layout.order() if layout.start[i] == last and layout.status[i] == FINAL
        ]
        lines, columns = [f"{len(finals)}\n"], []
        for i in finals:
            code, (px, py, pz, _), m = self._momenta(table, rows + i)
            lines.append("1 %s 0 0 %s %s %s %s\n")
            columns += [code, px, py, pz, m]
        return _filled("".join(lines), columns, len(events))


def _span(places: list[int]) -> str:
    """First and last of the mothers or daughters, 0 for none."""
    return f"{places[0]} {places[-1]}" if places else "0 0"


def _filled(template: str, columns: list[Column], n: int) -> Iterator[str]:
    texts = [column_texts(column) for column in columns]
    filled = [[text] * n if isinstance(text, str) else text for text in texts]
    if not filled:
        return iter([template] * n)
    return map(template.__mod__, zip(*filled, strict=True))
