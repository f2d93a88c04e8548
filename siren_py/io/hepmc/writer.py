"""Writing NuHepMC files column by column.

Events of the same layout (the same tree) share one template, into which whole columns are filled.
Numbers are written so that they come back bit for bit; HepMC3 itself would write attributes with
15 digits and lists with six decimals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import FloatArray, IntArray, PathLike
from siren_py.constants import SPEED_OF_LIGHT
from siren_py.errors import ConfigError, OutputError
from siren_py.io.files import complete_file
from siren_py.io.hepmc.codes import (
    DECAY,
    FIRST_PROCESS,
    HNL,
    NO_TARGET,
    PRIMARY,
    REMNANT,
    SECONDARY,
    SEPARATION,
    STRUCK,
    hnl_code,
)
from siren_py.io.hepmc.header import END, PREFIX, Survey, header_text
from siren_py.io.hepmc.layouts import Layout, Masses, column_texts, layouts, pieces
from siren_py.io.hepmc.streams import open_to_write
from siren_py.progress import ProgressLike, progress_bar
from siren_py.tree import TARGET, Column, EventTable, offsets_of
from siren_py.weighting import product_of_factors

if TYPE_CHECKING:
    from siren_py.sample import Sample


def write_hepmc(
    sample: Sample,
    path: PathLike,
    *,
    hnl_pdg: str | int = "siren",
    pot: float = 1.0,
    overwrite: bool = True,
    progress: ProgressLike = False,
) -> None:
    """Write a sample as HepMC3 text that follows NuHepMC 1.0; nothing is lost.

    Parameters
    ----------
    sample
        The sample.
    path
        Name of the file; ``.gz`` and ``.zst`` at its end compress it. It appears only when the
        file is complete.
    hnl_pdg
        Code that stands for N (5914 inside siren_py): ``"siren"`` 5914, ``"genie"`` 2000020000,
        ``"ship"`` 9900015, ``"nu_R"`` 9900012, or a number. `read_hepmc` undoes it.
    pot
        Protons on target that the weight CV is for: CV = weight x pot.
    overwrite
        Whether an existing file may be replaced.
    progress
        See `siren_py.progress.ProgressLike`; counts events.

    Raises
    ------
    ConfigError
        If `hnl_pdg` or `pot` cannot be used.
    OutputError
        If the file cannot be written, or a tree has no form in HepMC3.

    Examples
    --------
    >>> import siren_py as sp
    >>> from siren_py.io.hepmc import read_hepmc, write_hepmc
    >>> model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> sample = sim.run(1000, seed=1)
    >>> write_hepmc(sample, "events.hepmc3.gz")
    >>> bool((read_hepmc("events.hepmc3.gz").weights == sample.weights).all())
    True
    """
    hnl = hnl_code(hnl_pdg)
    if not (isinstance(pot, int | float) and 0.0 < pot < np.inf):
        raise ConfigError(f"pot must be a positive, finite number; got {pot!r}.")
    with complete_file(path, overwrite=overwrite) as part:
        survey = Survey.of(sample)
        _check_codes(survey, hnl)
        with (
            progress_bar(len(sample), f"writing {Path(path).name}", progress) as report,
            open_to_write(part, path) as file,
        ):
            file.write(header_text(sample, survey, float(pot), hnl).encode())
            formatter = Formatter(sample, hnl, float(pot))
            for table in sample.tables():
                for piece in pieces(table):
                    file.write(formatter.text(piece).encode())
                    report(formatter.done, len(sample))
            # The reader of HepMC3 wants an empty line at the end.
            file.write(f"{END}\n\n".encode())


def _check_codes(survey: Survey, hnl: int) -> None:
    taken = {REMNANT, NO_TARGET} | ({hnl, -hnl} if hnl != HNL else set())
    for code in sorted(taken & survey.codes):
        raise OutputError(
            f"The sample has particles of code {code}, which stands for something else in the "
            "file. Choose another hnl_pdg, or another code for these particles."
        )


class Formatter:
    """Turns tables into the text of their events.

    Parameters
    ----------
    sample
        The sample that the tables are from.
    hnl
        Code that stands for N.
    pot
        Protons on target that the weights are for.
    """

    def __init__(self, sample: Sample, hnl: int, pot: float) -> None:
        self._attempts, self._hnl, self._pot = sample.n_attempts, hnl, pot
        self._masses = Masses(sample)
        self.done = 0
        """Events turned into text so far; also the number of the next one."""

    def text(self, table: EventTable) -> str:
        """Return the lines of the events of a table, in their order."""
        lines = np.empty(len(table), dtype=object)
        weights = product_of_factors(table) / self._attempts * self._pot
        for layout, events in layouts(table):
            lines[events] = list(self._events(table, weights, layout, events))
        self.done += len(table)
        return "".join(lines.tolist())

    def _events(
        self, table: EventTable, weights: FloatArray, layout: Layout, events: IntArray
    ) -> Iterator[str]:
        page = _Page()
        rows = offsets_of(table.particle_counts)[:-1][events]
        points = offsets_of(table.vertex_counts)[:-1][events]
        order = layout.order()
        target = layout.target
        n_vertices = layout.vertices + layout.struck
        n_particles = len(order) + 2 * layout.struck + (target is None)
        page.note("E ", events + self.done, f" {n_vertices} {n_particles}\nU GEV CM\nW ")
        page.note("", weights[events], "\n")
        corners = [column_texts(table.vertices[c][points]) for c in ("x", "y", "z")]
        page.note("A 0 lab_pos ", *corners, "\n")
        process = table.vertices["process"][points].astype(np.int64)
        page.note("A 0 signal_process_id ", process + FIRST_PROCESS, "\n")
        for name, column in table.events.items():
            page.note(f"A 0 {PREFIX}{name} ", column[events], "\n")
        if order != sorted(order):
            page.note(f"A 0 {PREFIX}rows {' '.join(map(str, order))}\n")
        for v in range(layout.vertices):
            number = -(v + 1 + layout.struck)
            for name in ("process", "volume", "time"):
                column = table.vertices[name][points + v]
                page.note(f"A {number} {PREFIX}{name} ", column, "\n")
        ids: dict[int, int] = {}
        for v in range(layout.vertices):
            into = [i for i in order if layout.end[i] == v]
            for i in into:
                if layout.start[i] < 0:
                    if layout.struck and i == target:
                        self._separate(page, table, events, rows + i, corners, points)
                        continue
                    ids[i] = page.particle(layout.status[i], 0, self._columns(table, rows + i))
            if v == 0 and layout.struck and target is not None:
                ids[target] = page.struck
            if v == 0 and target is None:
                zero = ["0.0"] * 5
                page.particle(TARGET, 0, [str(NO_TARGET), *zero])
            incoming = [ids[i] for i in into]
            if v == 0 and target is None:
                incoming.append(page.particles)
            status = PRIMARY if v == 0 else DECAY if len(into) == 1 else SECONDARY
            xyz = corners if v == 0 else [table.vertices[c][points + v] for c in ("x", "y", "z")]
            time = table.vertices["time"][points + v] * SPEED_OF_LIGHT
            page.vertex(status, incoming, [*xyz, time])
            number = -page.vertices
            for i in order:
                if layout.start[i] == v:
                    ids[i] = page.particle(layout.status[i], number, self._columns(table, rows + i))
        return page.lines(len(events))

    def _columns(self, table: EventTable, rows: IntArray) -> list[Column]:
        """PDG code, px, py, pz, E and mass of the particles `rows`."""
        pdg = table.particles["pdg"][rows].astype(np.int64)
        p4 = [table.particles[c][rows] for c in ("px", "py", "pz", "energy")]
        written = np.where(np.abs(pdg) == HNL, np.sign(pdg) * self._hnl, pdg)
        return [written, *p4, self._masses(pdg, p4)]

    def _separate(
        self,
        page: _Page,
        table: EventTable,
        events: IntArray,
        rows: IntArray,
        corners: list[list[str] | str],
        points: IntArray,
    ) -> None:
        """Write the nucleus, the vertex at which it loses the nucleon, the nucleon, the rest."""
        nucleus = table.events["target"][events].astype(np.int64)
        columns = self._columns(table, rows)
        code, px, py, pz, energy, _ = columns
        masses = self._masses(nucleus, [np.zeros(len(events))] * 4)
        whole = page.particle(TARGET, 0, [nucleus, *["0.0"] * 3, masses, masses])
        time = table.vertices["time"][points] * SPEED_OF_LIGHT
        page.vertex(SEPARATION, [whole], [*corners, time])
        number = -page.vertices
        page.struck = page.particle(STRUCK, number, columns)
        rest = [0.0 - px, 0.0 - py, 0.0 - pz, masses - energy]
        square = rest[3] ** 2 - px**2 - py**2 - pz**2
        left = np.sqrt(np.maximum(square, 0.0))
        last = page.particle(1, number, [str(REMNANT), *rest, left])
        left_over = nucleus - 10 - 10_000 * (code == 2212)
        page.note(f"A {last} remnant_particle_number ", left_over, "\n")


class _Page:
    """A template with slots, and the columns that fill them."""

    def __init__(self) -> None:
        # Two columns of text: HepMC3 reads attributes before the particles they belong to.
        self._head: tuple[list[str], list[list[str]]] = ([], [])
        self._body: tuple[list[str], list[list[str]]] = ([], [])
        self.particles = self.vertices = self.struck = 0

    def note(self, before: str, *parts: Column | list[str] | str) -> None:
        """Add a text before the particles, and columns and texts after it."""
        self._put(self._head, before, parts)

    def _put(
        self,
        where: tuple[list[str], list[list[str]]],
        before: str,
        parts: Sequence[Column | list[str] | str],
    ) -> None:
        pieces, columns = where
        pieces.append(before.replace("%", "%%"))
        joined = False
        for part in parts:
            if isinstance(part, str) and (part.endswith("\n") or part.startswith(" ")):
                pieces.append(part.replace("%", "%%"))
                continue
            text = part if isinstance(part, str | list) else column_texts(part)
            slot = "%s" if isinstance(text, list) else text.replace("%", "%%")
            pieces.append(f" {slot}" if joined else slot)
            joined = True
            if isinstance(text, list):
                columns.append(text)

    def particle(self, status: int, origin: int, columns: Sequence[Column | str]) -> int:
        """Add a particle and return its number."""
        self.particles += 1
        self._put(self._body, f"P {self.particles} {origin} ", [*columns, f" {status}\n"])
        return self.particles

    def vertex(
        self, status: int, incoming: list[int], place: list[Column | list[str] | str]
    ) -> None:
        """Add a vertex."""
        self.vertices += 1
        ids = ",".join(map(str, incoming))
        self._put(self._body, f"V -{self.vertices} {status} [{ids}] @ ", [*place, "\n"])

    def lines(self, n: int) -> Iterator[str]:
        """Return the text of each of the `n` events."""
        template = "".join(self._head[0] + self._body[0])
        columns = self._head[1] + self._body[1]
        if not columns:
            return iter([template % ()] * n)
        return map(template.__mod__, zip(*columns, strict=True))
