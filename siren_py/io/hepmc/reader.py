"""Reading back the NuHepMC files that siren_py wrote."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from siren_py._typing import PathLike
from siren_py.errors import FormatError, SirenWarning
from siren_py.io.hepmc.ascii import AsciiFile, Event, open_ascii
from siren_py.io.hepmc.codes import HNL, NO_TARGET, REMNANT, SEPARATION, STRUCK
from siren_py.io.hepmc.header import PREFIX, SCHEMA_VERSION
from siren_py.sample import KEYS, Sample
from siren_py.store import TableStore
from siren_py.tree import PARTICLE_COLUMNS, TARGET, VERTEX_COLUMNS, EventTable
from siren_py.weighting import FACTORS, product_of_factors

_STEP = 16_384
"""Events per table."""

_RECORD_TYPES = {
    "n_attempts": int, "n_events": int, "pot": float, "hnl_pdg": int,
    "columns": dict, "provenance": dict, "names": dict,
}  # fmt: skip


def read_hepmc(path: PathLike) -> Sample:
    """Read a sample that `write_hepmc` wrote.

    Parameters
    ----------
    path
        Name of the file; plain, gzip or zstd.

    Returns
    -------
    Sample
        The same events, weights and provenance, bit for bit.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged or incomplete, was not written by siren_py, or if
        its weights do not agree with their factors.

    Warns
    -----
    SirenWarning
        If another program took events out of the file.

    Examples
    --------
    >>> import siren_py as sp
    >>> from siren_py.io.hepmc import read_hepmc, write_hepmc
    >>> model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    >>> sample = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc").run(100, seed=1)
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "events.hepmc3"
    ...     write_hepmc(sample, file)
    ...     again = read_hepmc(file)
    >>> bool((again.weights == sample.weights).all())
    True
    """
    with open_ascii(path) as file:
        record = read_record(file)
        store = TableStore()
        rows = _Rows(path, record)
        for event in file:
            rows.add(event)
            if len(rows) == _STEP:
                store.append(rows.table())
        if len(rows) or not len(store):
            store.append(rows.table())
    if store.n_events != record["n_events"]:
        warnings.warn(
            f"{path} has {store.n_events} of the {record['n_events']} events that were written: "
            "another program took some out. The weights hold for those that passed.",
            SirenWarning,
            stacklevel=2,
        )
    return Sample(store, record["n_attempts"], record["names"], record["provenance"])


def read_record(file: AsciiFile) -> dict[str, Any]:
    """Return the record of siren_py in the header of a file.

    Raises
    ------
    FormatError
        If there is none, or it was changed.
    """
    count = file.attributes.get(f"{PREFIX}record.parts")
    if count is None:
        tools = ", ".join(tool[0] for tool in file.tools) or "an unknown program"
        raise FormatError(
            f"{file.path} was not written by siren_py but by {tools}: it has no record of "
            "attempts and factors, from which a sample is made. `siren-py validate` checks such "
            "files; pyhepmc reads them."
        )
    try:
        keys = [f"{PREFIX}record.{i:04d}" for i in range(int(count))]
        record = json.loads("".join(file.attributes[key] for key in keys))
        if record["schema_version"] != SCHEMA_VERSION:
            raise FormatError(
                f"{file.path} has the schema version {record['schema_version']!r}; this version "
                f"of siren_py reads {SCHEMA_VERSION}."
            )
        good = all(type(record[key]) is kind for key, kind in _RECORD_TYPES.items())
        good = good and record["n_attempts"] >= 1 and set(KEYS.values()) <= set(record["names"])
        good = good and set(FACTORS) | {"event", "flux"} <= set(record["columns"])
    except FormatError:
        raise
    except (KeyError, ValueError, TypeError):
        good = False
    if not good:
        raise FormatError(
            f"The record of siren_py in {file.path} is damaged: the file was changed after it was "
            "written."
        )
    return dict(record)


class _Rows:
    """Gathers events into columns."""

    def __init__(self, path: PathLike, record: Mapping[str, Any]) -> None:
        self._path, self._record = path, record
        self._kinds = {name: np.dtype(kind) for name, kind in record["columns"].items()}
        self._hnl = int(record["hnl_pdg"])
        self._clear()

    def _clear(self) -> None:
        self._events: dict[str, list[str]] = {name: [] for name in self._kinds}
        self._vertices: list[tuple[Any, ...]] = []
        self._particles: list[tuple[Any, ...]] = []
        self._counts: list[tuple[int, int]] = []
        self._weights: list[float] = []

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, event: Event) -> None:
        """Take an event over."""
        try:
            self._add(event)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise FormatError(
                f"{self._path}: event {event.number} at line {event.line} lacks what siren_py "
                f"wrote with it ({type(error).__name__}: {error}); the file was changed by "
                "another program."
            ) from None

    def _add(self, event: Event) -> None:
        attributes = event.attributes[0]
        for name, column in self._events.items():
            column.append(attributes[PREFIX + name])
        if event.units != ("GEV", "CM"):
            raise ValueError(f"units {event.units}")
        self._weights.append(float(event.weights[0]))  # type: ignore[index]
        vertices = sorted(event.vertices, reverse=True)
        own = [v for v in vertices if event.vertices[v].status != SEPARATION]
        number = {v: i for i, v in enumerate(own)}
        for v in own:
            x, y, z, _ = event.vertices[v].place  # type: ignore[misc]
            more = event.attributes[v]
            self._vertices.append(
                (x, y, z, float(more[f"{PREFIX}time"]), int(more[f"{PREFIX}process"]),
                 int(more[f"{PREFIX}volume"]))
            )  # fmt: skip
        start, end = event.graph()
        rows = []
        for p, begin, stop in zip(event.particles, start, end, strict=True):
            status = p.status
            if status == STRUCK:
                status, begin = TARGET, 0
            elif abs(p.pdg) in (REMNANT, NO_TARGET) or (stop and stop not in number):
                # The remnant, the place holder, and the nucleus before it loses a nucleon.
                continue
            pdg = p.pdg
            if abs(pdg) == self._hnl:
                pdg = HNL if pdg > 0 else -HNL
            rows.append(
                (pdg, status, number[begin] if begin else -1, number[stop] if stop else -1,
                 p.energy, p.px, p.py, p.pz)
            )  # fmt: skip
        order = attributes.get(f"{PREFIX}rows")
        if order is not None:
            places = [int(i) for i in order.split()]
            rows = [row for _, row in sorted(zip(places, rows, strict=True))]
        self._particles += rows
        self._counts.append((len(own), len(rows)))

    def table(self) -> EventTable:
        """Return the table of the events so far, and begin a new one."""
        events = {name: _column(self._events[name], kind) for name, kind in self._kinds.items()}
        counts = np.array(self._counts, dtype=np.int64).reshape(-1, 2)
        table = EventTable(
            events,
            _transposed(self._vertices, VERTEX_COLUMNS),
            counts[:, 0].copy(),
            _transposed(self._particles, PARTICLE_COLUMNS),
            counts[:, 1].copy(),
        )
        record = self._record
        product = product_of_factors(table) / record["n_attempts"] * record["pot"]
        if not np.allclose(product, self._weights, rtol=1e-12, atol=0.0):
            raise FormatError(
                f"The weights in {self._path} do not equal the product of their factors over the "
                "number of attempts: the file was changed after it was written."
            )
        self._clear()
        return table


def _column(texts: list[str], kind: np.dtype[Any]) -> Any:
    if kind.kind == "f":
        return np.array([float(t) for t in texts], dtype=kind)
    return np.array([int(t) for t in texts], dtype=np.int64).astype(kind)


def _transposed(rows: list[tuple[Any, ...]], kinds: Mapping[str, type[np.generic]]) -> Any:
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return {
        name: np.array(column, dtype=kind)
        for (name, kind), column in zip(kinds.items(), columns, strict=True)
    }
