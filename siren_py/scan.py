"""Scans: expected events over a plane of masses and couplings, each with its error.

Where all events of a region count alike, lines through the regions serve many couplings and all
regions at once (`siren_py.scan_lines`); for cuts and efficiencies there are events
(`siren_py.scan_events`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from siren_py._typing import ArrayLike, BoolArray, FloatArray, PathLike
from siren_py.errors import ConfigError, FormatError
from siren_py.injection.signal import ModelLike
from siren_py.io.files import complete_file
from siren_py.parallel import map_in_order
from siren_py.progress import ProgressLike, progress_bar
from siren_py.scan_events import Request
from siren_py.scan_lines import LineRequest
from siren_py.scan_row import Goal, Row
from siren_py.scan_table import records, structured

__all__ = ["LineRequest", "Request", "Scan", "as_grid", "scan"]


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
        Effective number of events (or of lines, see `siren_py.scan_lines`) behind each point, all
        channels together, (m, k).
    attempts
        Attempts made per mass, (m,).
    configuration
        What was scanned; plain data.
    joint_errors
        Statistical errors of all channels together, (m, k), where channels have the same events;
        None if they count different ones.

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
    joint_errors: FloatArray | None = None

    @property
    def total(self) -> FloatArray:
        """Expected events of all channels together, (m, k)."""
        return np.asarray(self.values.sum(axis=2))

    @property
    def total_error(self) -> FloatArray:
        """Statistical error of `total`, (m, k)."""
        if self.joint_errors is not None:
            return self.joint_errors
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
            "total_errors": self.total_error.tolist(),
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
                joint_errors=self.total_error,
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
                    stored.get("joint_errors"),
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


def scan(
    requests: Sequence[Request | LineRequest],
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
        Largest relative statistical error of the events: of all channels of a `Request` together,
        of each channel of a `LineRequest`.
    max_attempts
        Attempts after which a simulation gives up; its error then tells how far it got.
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
        np.zeros(m.size), key, np.full(shape[:2], np.nan),
    )  # fmt: skip
    if path is not None and Path(path).exists():
        result = _resume(path, result)
    joint = result.total_error
    todo = np.flatnonzero(~result.finished)

    def work(i: int) -> Row:
        mass = float(m[i])
        return Row.joined(
            [
                request.row(
                    lambda g: model(mass, g), k,
                    Goal(precision, max_attempts, _seed(seed, mass, number)),
                )
                for number, request in enumerate(requests)
            ]
        )  # fmt: skip

    with progress_bar(m.size, "scan", progress) as report:
        done = m.size - todo.size
        report(done, m.size)
        for i, row in zip(todo, map_in_order(work, todo.tolist(), workers), strict=True):
            result.values[i], result.errors[i] = row.values, row.errors
            result.effective[i], result.attempts[i] = row.effective, row.attempts
            joint[i] = row.total_errors
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
    return replace(found, joint_errors=found.total_error)


def _seed(seed: int, mass: float, number: int) -> int:
    """Seed of a mass: from its value, so that a finer grid keeps what it shares."""
    digest = hashlib.sha256(f"{seed} {mass!r} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "little")
