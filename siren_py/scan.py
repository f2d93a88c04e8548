"""Scans: expected events over a plane of masses and couplings, each with its error.

Events are made for a few couplings per mass, the anchors, and reweighted exactly to the others
(`siren_py.reweighting`). Anchors are visited from the longest lifetime to the shortest: in this
direction the weights stay bounded. A point whose error is larger than asked for becomes an
anchor itself, so that no point lives on a few lucky events.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from siren_py._typing import ArrayLike, BoolArray, FloatArray, PathLike
from siren_py.errors import ConfigError, FormatError, KinematicsError, NoRateError
from siren_py.injection.signal import ModelLike
from siren_py.io.files import complete_file
from siren_py.parallel import map_in_order
from siren_py.progress import ProgressLike, progress_bar
from siren_py.reweighting import Flights
from siren_py.runs.chunks import CHUNK_SIZE
from siren_py.sample import Sample
from siren_py.scan_table import records, structured
from siren_py.simulation import Simulation
from siren_py.store import TableStore
from siren_py.tree import EventTable
from siren_py.weighting import Sums, product_of_factors

Acceptance = Callable[[Sample], FloatArray]
"""Turns a sample into what each event counts for in each channel, (channels, events): exposure
of its flux times efficiency, zero where it is cut."""

ModelAt = Callable[[float], ModelLike]
"""The model at a coupling, the mass being fixed."""

LONGEST_REACH = 16.0
"""Largest ratio of decay lengths over which an anchor's events are used."""

_FEWEST = 50.0
"""Effective events below which an error is not believed, whatever its size."""

_MARGIN = 0.5
"""An anchor goes on to this part of the precision while others gain by it: setting up a new one
costs as much as a chunk of events."""

_BARREN = 4 * CHUNK_SIZE
"""Attempts without any accepted event after which a point counts as one without signal."""


@dataclass(frozen=True)
class Scan:
    """Expected events over masses and couplings.

    Attributes
    ----------
    masses, couplings
        The grid, (m,) [GeV] and (k,).
    channels
        Names of the channels.
    values, errors
        Expected events and their statistical errors, (m, k, channels).
    effective
        Effective number of events behind each point, all channels together, (m, k).
    attempts
        Attempts made per mass, (m,).
    configuration
        What was scanned; plain data.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=1e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> sim.scan([0.1], [1e-7, 1e-6], pot=1e21, precision=0.1).total.shape
    (1, 2)
    """

    masses: FloatArray
    couplings: FloatArray
    channels: tuple[str, ...]
    values: FloatArray
    errors: FloatArray
    effective: FloatArray
    attempts: FloatArray
    configuration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> FloatArray:
        """Expected events of all channels together, (m, k)."""
        return np.asarray(self.values.sum(axis=2))

    @property
    def total_error(self) -> FloatArray:
        """Statistical error of `total`, (m, k): channels count different events."""
        return np.asarray(np.sqrt((self.errors**2).sum(axis=2)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, ready for JSON."""
        return {
            "masses": self.masses.tolist(),
            "couplings": self.couplings.tolist(),
            "channels": list(self.channels),
            "values": self.values.tolist(),
            "errors": self.errors.tolist(),
            "effective": self.effective.tolist(),
            "attempts": self.attempts.tolist(),
            "configuration": dict(self.configuration),
        }

    def to_numpy(self) -> npt.NDArray[np.void]:
        """Return the scan as a table: one row per mass, coupling and channel.

        Returns
        -------
        ndarray
            Structured, (m k channels,), in the order of the grid, with the fields ``mass`` [GeV],
            ``coupling``, ``channel``, ``expected``, ``error``, ``effective`` (effective events
            behind the point, all channels together) and ``attempts`` (made for this mass). NaN
            where a scan was interrupted.

        Examples
        --------
        >>> import numpy as np
        >>> numbers = np.array([[[4.0], [9.0]]])
        >>> scan = Scan(np.array([0.1]), np.array([1e-7, 2e-7]), ("events",), numbers,
        ...             0.1 * numbers, numbers[..., 0], np.array([16384.0]))
        >>> table = scan.to_numpy()
        >>> table[table["coupling"] > 1e-7][["expected", "error"]].tolist()
        [(9.0, 0.9)]
        """
        return structured(self)

    def to_awkward(self) -> Any:
        """Return the rows of `to_numpy` as an awkward array of records.

        Examples
        --------
        >>> import numpy as np
        >>> one = np.ones((1, 1, 1))
        >>> scan = Scan(np.array([0.1]), np.array([1e-7]), ("events",), one, 0.1 * one,
        ...             one[0], np.array([16384.0]))
        >>> scan.to_awkward().channel.tolist()
        ['events']
        """
        return records(self)

    def save(self, path: PathLike) -> None:
        """Write the scan to `path` (npz) that `Scan.load` reads.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with complete_file(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                masses=self.masses,
                couplings=self.couplings,
                channels=np.array(self.channels, dtype=np.str_),
                values=self.values,
                errors=self.errors,
                effective=self.effective,
                attempts=self.attempts,
                configuration=np.array(json.dumps(dict(self.configuration), sort_keys=True)),
            )

    @classmethod
    def load(cls, path: PathLike) -> Scan:
        """Read what `save` wrote to `path`.

        Raises
        ------
        FormatError
            If the file is not a saved scan.
        """
        try:
            with np.load(Path(path), allow_pickle=False) as stored:
                return cls(
                    stored["masses"],
                    stored["couplings"],
                    tuple(str(c) for c in stored["channels"]),
                    stored["values"],
                    stored["errors"],
                    stored["effective"],
                    stored["attempts"],
                    json.loads(str(stored["configuration"])),
                )
        except (OSError, KeyError, ValueError) as error:
            raise FormatError(f"{path} is not a scan that siren_py has saved: {error}.") from None

    @property
    def finished(self) -> BoolArray:
        """Whether each mass is done, (m,): a scan that was interrupted has some that are not."""
        return np.asarray(~np.isnan(self.values).any(axis=(1, 2)))

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the expected events into `ax`; `options` as for `siren_py.plot.draw_scan`."""
        from siren_py.plot import draw_scan

        return draw_scan(self, ax, **options)

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import scan_html

        return scan_html(self)


@dataclass
class _Row:
    """Results at one mass."""

    values: FloatArray
    errors: FloatArray
    effective: FloatArray
    attempts: int = 0


@dataclass(frozen=True)
class Request:
    """One simulation of a scan and the channels that it feeds.

    Attributes
    ----------
    simulate
        Returns the simulation for a model.
    acceptance
        What each of its events counts for in each channel.
    channels
        Names of these channels.
    """

    simulate: Callable[[ModelLike], Simulation]
    acceptance: Acceptance
    channels: tuple[str, ...]


def scan(
    requests: Sequence[Request],
    model: Callable[[float, float], ModelLike],
    masses: ArrayLike,
    couplings: ArrayLike,
    *,
    precision: float = 0.01,
    max_attempts: int = 1_000_000,
    seed: int = 1,
    workers: int = 1,
    progress: ProgressLike = None,
    path: PathLike | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> Scan:
    """Compute expected events over a grid of masses and couplings.

    Parameters
    ----------
    requests
        Simulations to make at each point, with the channels they feed.
    model
        The model at (mass, coupling).
    masses, couplings
        The grid, (m,) [GeV] and (k,), each positive and increasing.
    precision
        Largest relative statistical error of the events of all channels of a request.
    max_attempts
        Attempts after which an anchor gives up; its error then tells how far it got.
    seed, workers, progress
        As for `Simulation.run`; the numbers do not depend on the number of workers.
    path
        File in which the scan is kept and from which an interrupted one goes on.
    configuration
        What identifies the scan in the file.

    Raises
    ------
    ConfigError
        If the grid or the precision makes no sense, or `path` holds another scan.
    """
    m, k = as_grid("masses", masses), as_grid("couplings", couplings)
    if not 0.0 < precision < 1.0:
        raise ConfigError(f"The precision must lie between 0 and 1; it is {precision!r}.")
    channels = tuple(c for r in requests for c in r.channels)
    if not channels:
        raise ConfigError("A scan needs at least one simulation with a channel.")
    key = {
        **(configuration or {}), "precision": precision, "seed": seed,
        "max_attempts": max_attempts,
    }  # fmt: skip
    shape = (m.size, k.size, len(channels))
    result = Scan(
        m, k, channels, np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape[:2], np.nan),
        np.zeros(m.size), key,
    )  # fmt: skip
    if path is not None and Path(path).exists():
        result = _resume(path, result)
    todo = np.flatnonzero(~result.finished)

    def work(i: int) -> _Row:
        rows = [
            scan_mass(
                request, lambda g: model(float(m[i]), g), k, precision=precision,
                max_attempts=max_attempts, seed=_seed(seed, float(m[i]), number),
            )
            for number, request in enumerate(requests)
        ]  # fmt: skip
        return _Row(
            np.concatenate([r.values for r in rows], axis=1),
            np.concatenate([r.errors for r in rows], axis=1),
            np.sum([r.effective for r in rows], axis=0),
            sum(r.attempts for r in rows),
        )

    with progress_bar(m.size, "scan", progress) as report:
        done = m.size - todo.size
        report(done, m.size)
        for i, row in zip(todo, map_in_order(work, todo.tolist(), workers), strict=True):
            result.values[i], result.errors[i] = row.values, row.errors
            result.effective[i], result.attempts[i] = row.effective, row.attempts
            done += 1
            if path is not None:
                result.save(path)
            report(done, m.size)
    return result


def as_grid(name: str, values: ArrayLike) -> FloatArray:
    """Return one axis of a scan as an array.

    Raises
    ------
    ConfigError
        If it is empty, not positive or not increasing.
    """
    grid = np.atleast_1d(np.asarray(values, dtype=np.float64))
    good = grid.ndim == 1 and grid.size and np.isfinite(grid).all() and (grid > 0.0).all()
    if not good or (np.diff(grid) <= 0.0).any():
        raise ConfigError(
            f"The {name} of a scan must be positive and increasing numbers; got {values!r}. "
            "For example numpy.geomspace(0.01, 1, 20)."
        )
    return grid


def _resume(path: PathLike, empty: Scan) -> Scan:
    """Read a scan that was interrupted; it must be the same one."""
    found = Scan.load(path)
    same = (
        np.array_equal(found.masses, empty.masses)
        and np.array_equal(found.couplings, empty.couplings)
        and found.channels == empty.channels
        and json.dumps(dict(found.configuration), sort_keys=True)
        == json.dumps(dict(empty.configuration), sort_keys=True)
    )
    if not same:
        raise ConfigError(
            f"{path} holds another scan (grid, channels or configuration differ). Give another "
            "file, or remove this one."
        )
    return found


def _seed(seed: int, mass: float, number: int) -> int:
    """Seed of a mass: from its value, so that a finer grid keeps what it shares."""
    digest = hashlib.sha256(f"{seed} {mass!r} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def scan_mass(
    request: Request,
    model: ModelAt,
    couplings: FloatArray,
    *,
    precision: float,
    max_attempts: int,
    seed: int,
) -> _Row:
    """Compute expected events at one mass for all couplings."""
    shape = (couplings.size, len(request.channels))
    row = _Row(np.zeros(shape), np.zeros(shape), np.zeros(couplings.size))
    models = [model(float(g)) for g in couplings]
    order = np.argsort([-_lifetime(m) for m in models], kind="stable")
    done = np.zeros(couplings.size, dtype=np.bool_)
    for number, anchor in enumerate(order):
        if done[anchor]:
            continue
        ahead = [
            int(j) for j in order[number:]
            if not done[j] and _lifetime(models[anchor]) <= LONGEST_REACH * _lifetime(models[j])
        ]  # fmt: skip
        try:
            simulation = request.simulate(models[anchor])
        except (NoRateError, KinematicsError):
            # Impossible: too heavy for the flux, or decayed long before. The rate is zero.
            done[anchor] = True
            continue
        sums, attempts = _anchor(
            simulation, request, models[anchor], [models[j] for j in ahead], precision,
            max_attempts, (seed + int(anchor)) % 2**63,
        )  # fmt: skip
        row.attempts += attempts
        # Where no event is accepted none will be: what is cut does not depend on the coupling.
        barren = sums[0].whole.weight[0] == 0.0
        for j, own in zip(ahead, sums, strict=True):
            if j == anchor or barren or own.is_precise(precision):
                done[j] = True
                estimates = [own.channels.estimate(c) for c in range(shape[1])]
                row.values[j] = [e.value for e in estimates]
                row.errors[j] = [e.error for e in estimates]
                row.effective[j] = own.whole.effective_size
    return row


def _lifetime(model: ModelLike) -> float:
    """Lifetime that orders the couplings; infinite where nothing decays."""
    return float(getattr(model, "lifetime", np.inf))


@dataclass
class _Sums:
    """Sums of one coupling, by channel and in total."""

    channels: Sums
    whole: Sums

    @classmethod
    def empty(cls, channels: int) -> _Sums:
        unknown = np.zeros(1, dtype=np.int64)
        return cls(Sums(unknown, channels), Sums(unknown))

    def add(self, weights: FloatArray, accepted: FloatArray) -> None:
        """Add the events of a chunk: weights (n,), acceptance (channels, n)."""
        for c, row in enumerate(accepted):
            self.channels.add(weights * row, np.full(weights.size, c, dtype=np.int64))
        self.whole.add(weights * accepted.sum(axis=0))

    def per_attempt(self, attempts: int) -> _Sums:
        """Return the sums of w/N for N attempts, which is only known at the end."""
        n = np.array([attempts], dtype=np.int64)
        return _Sums(self.channels.scaled(1.0 / attempts, n), self.whole.scaled(1.0 / attempts, n))

    def is_precise(self, precision: float) -> bool:
        """Whether the total has this relative error, from enough events to believe it."""
        total = self.whole.estimate()
        return total.error <= precision * total.value and self.whole.effective_size > _FEWEST


def _anchor(
    simulation: Simulation,
    request: Request,
    own: ModelLike,
    models: Sequence[ModelLike],
    precision: float,
    max_attempts: int,
    seed: int,
) -> tuple[list[_Sums], int]:
    """Simulate at one coupling until it is precise; sum for this and the other models."""
    sums = [_Sums.empty(len(request.channels)) for _ in models]
    attempts, number = 0, 0
    while attempts < max_attempts:
        table = simulation.injector.chunk(seed, number, CHUNK_SIZE, attempts)
        attempts += CHUNK_SIZE
        number += 1
        sample = _sample(simulation, table)
        accepted = np.asarray(request.acceptance(sample), np.float64)
        if accepted.shape != (len(request.channels), len(table)):
            raise ConfigError(
                f"The acceptance must have the shape ({len(request.channels)}, {len(table)}), "
                f"channels by events; it has {accepted.shape}."
            )
        flights = Flights(sample, table, own)
        weights = product_of_factors(table)
        for total, model in zip(sums, models, strict=True):
            total.add(weights * flights.ratios(model), accepted)
        reached = sums[0].per_attempt(attempts)
        if reached.is_precise(precision) and (
            reached.is_precise(_MARGIN * precision)
            or all(s.per_attempt(attempts).is_precise(precision) for s in sums[1:])
        ):
            break
        if attempts >= _BARREN and reached.whole.weight[0] == 0.0:
            break
    return [s.per_attempt(attempts) for s in sums], attempts


def _sample(simulation: Simulation, table: EventTable) -> Sample:
    store = TableStore()
    store.append(table)
    return Sample(
        store, CHUNK_SIZE, simulation.names, simulation.provenance(0, CHUNK_SIZE),
        simulation.injector,
    )  # fmt: skip
