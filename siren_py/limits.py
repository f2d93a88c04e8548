"""Limits: where in the plane of mass and coupling an analysis excludes a model.

At each point of a grid the expected signal of all channels is compared with the data: the
exclusion is 1/mu, mu being the upper limit on a factor that multiplies the signal; a point is
excluded where it is above one. Between points the logarithm of the exclusion is interpolated in
the logarithms of mass and coupling. An excluded area may have a lower and an upper edge (the
particle decays before it arrives) and may be an island: edges and contours are found as such.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray, PathLike
from siren_py.errors import ConfigError, FormatError
from siren_py.io.files import complete_file
from siren_py.scan import Scan

if TYPE_CHECKING:
    pass

LEAST = 1e-30
"""Stands for an exclusion of zero in logarithms."""

COUPLING_UNITS = {"d_e": "1/GeV", "d_mu": "1/GeV", "d_tau": "1/GeV"}
"""Units of couplings that have one; others are numbers."""


@dataclass(frozen=True)
class Limit:
    """An excluded area in the plane of mass and coupling.

    Attributes
    ----------
    masses, couplings
        The grid, (m,) [GeV] and (k,).
    exclusion
        1 / (upper limit on the signal's multiplier), (m, k): excluded where above 1.
    exclusion_error
        Its error from the statistics of the simulation, (m, k).
    coupling
        Name of the coupling, e.g. "d_mu".
    cl, statistic
        Confidence level and name of the statistic.
    name
        What was analysed.
    bands
        For an expected limit: the exclusion at -2, -1, 1 and 2 standard deviations of the
        counts, by the names "minus2", "minus1", "plus1", "plus2", (m, k) each.
    scan
        The expected events behind it, if they were simulated.

    Raises
    ------
    ConfigError
        If shapes do not fit, or an exclusion is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> limit = Limit(
    ...     masses=np.array([0.1, 0.2]),
    ...     couplings=np.array([1e-7, 1e-6]),
    ...     exclusion=np.array([[0.1, 10.0], [0.01, 1.0]]),
    ...     exclusion_error=np.zeros((2, 2)),
    ...     coupling="d_mu",
    ...     cl=0.9,
    ...     statistic="cls",
    ...     name="example",
    ... )
    >>> [f"{d:.2e}" for d in limit.lower]
    ['3.16e-07', '1.00e-06']
    """

    masses: FloatArray
    couplings: FloatArray
    exclusion: FloatArray
    exclusion_error: FloatArray
    coupling: str
    cl: float
    statistic: str
    name: str
    bands: Mapping[str, FloatArray] = field(default_factory=dict)
    scan: Scan | None = None

    def __post_init__(self) -> None:
        shape = (self.masses.size, self.couplings.size)
        if self.exclusion.shape != shape or self.exclusion_error.shape != shape:
            raise ConfigError(
                f"A limit on {shape[0]} masses and {shape[1]} couplings needs an exclusion of "
                f"shape {shape}; it is {self.exclusion.shape}."
            )
        if not (np.isfinite(self.exclusion) & (self.exclusion >= 0.0)).all():
            raise ConfigError(
                "The exclusion of a limit must be finite and not negative at every point."
            )

    @property
    def unit(self) -> str:
        """Unit of the coupling; empty for a number."""
        return COUPLING_UNITS.get(self.coupling, "")

    # ------------------------------------------------------------ edges

    def intervals(self) -> list[list[tuple[float, float]]]:
        """Return the excluded intervals of the coupling at each mass, lowest first.

        An interval that reaches the end of the grid ends there: the true edge lies beyond.
        """
        return [_above_one(np.log(self.couplings), self._log()[i]) for i in range(self.masses.size)]

    @property
    def lower(self) -> FloatArray:
        """Lowest excluded coupling at each mass, (m,); NaN where nothing is excluded."""
        return np.array([s[0][0] if s else np.nan for s in self.intervals()])

    @property
    def upper(self) -> FloatArray:
        """Upper end of the lowest excluded interval at each mass, (m,); NaN where none."""
        return np.array([s[0][1] if s else np.nan for s in self.intervals()])

    @property
    def lower_error(self) -> FloatArray:
        """Error of `lower` from the statistics of the simulation, (m,)."""
        error = np.full(self.masses.size, np.nan)
        logs, x = self._log(), np.log(self.couplings)
        relative = self.exclusion_error / np.maximum(self.exclusion, LEAST)
        for i, edge in enumerate(self.lower):
            if not np.isfinite(edge) or self.couplings.size < 2:
                continue
            j = int(np.clip(np.searchsorted(x, np.log(edge)) - 1, 0, x.size - 2))
            slope = abs(logs[i, j + 1] - logs[i, j]) / (x[j + 1] - x[j])
            error[i] = edge * relative[i, j : j + 2].max() / max(slope, 1e-3)
        return error

    def _log(self) -> FloatArray:
        return np.asarray(np.log(np.maximum(self.exclusion, LEAST)))

    @property
    def contour(self) -> list[FloatArray]:
        """The lines around the excluded areas: arrays (n, 2) of mass [GeV] and coupling.

        A line whose last point is its first is closed; others end at the edge of the grid.

        Raises
        ------
        ConfigError
            If the grid has a single mass or coupling.
        """
        import contourpy

        if min(self.exclusion.shape) < 2:
            raise ConfigError("A contour needs at least two masses and two couplings.")
        generator = contourpy.contour_generator(
            np.log(self.masses), np.log(self.couplings), self._log().T
        )
        return [np.exp(np.asarray(line)) for line in generator.lines(0.0)]

    def excluded(self, mass: ArrayLike, coupling: ArrayLike) -> BoolArray:
        """Say whether points are excluded, any shape.

        Parameters
        ----------
        mass, coupling
            Points: mass [GeV] and coupling, in the unit of the limit.

        Raises
        ------
        ConfigError
            If a point lies outside the grid.
        """
        return np.asarray(self.at(mass, coupling) >= 1.0)

    def at(self, mass: ArrayLike, coupling: ArrayLike) -> FloatArray:
        """Interpolate the exclusion at points, any shape.

        Parameters
        ----------
        mass, coupling
            Points: mass [GeV] and coupling, in the unit of the limit.

        Raises
        ------
        ConfigError
            If a point lies outside the grid.
        """
        m, g = np.broadcast_arrays(
            np.asarray(mass, dtype=np.float64), np.asarray(coupling, dtype=np.float64)
        )
        for name, value, grid in (("mass", m, self.masses), (self.coupling, g, self.couplings)):
            outside = ~((value >= grid[0] * (1 - 1e-12)) & (value <= grid[-1] * (1 + 1e-12)))
            if outside.any():
                raise ConfigError(
                    f"{name} = {value[outside].flat[0]:g} lies outside the grid of the limit, "
                    f"{grid[0]:g} to {grid[-1]:g}."
                )
        i, u = _cell(np.log(self.masses), np.log(m))
        j, v = _cell(np.log(self.couplings), np.log(g))
        logs = self._log()
        i1, j1 = np.minimum(i + 1, self.masses.size - 1), np.minimum(j + 1, self.couplings.size - 1)
        low = (1.0 - u) * logs[i, j] + u * logs[i1, j]
        high = (1.0 - u) * logs[i, j1] + u * logs[i1, j1]
        return np.asarray(np.exp((1.0 - v) * low + v * high))

    def compare(self, x: ArrayLike, y: ArrayLike) -> list[dict[str, float]]:
        """Compare the lower edge with a published line.

        Parameters
        ----------
        x, y
            Masses [GeV] and couplings of the line; a `siren_py.published.Curve` has them.

        Returns
        -------
        list of dict
            For each mass of the grid that the line covers: ``mass``, ``limit``, ``published``
            and ``ratio``; ``limit`` is NaN where nothing is excluded.
        """
        px, py = np.asarray(x, np.float64), np.asarray(y, np.float64)
        order = np.argsort(px, kind="stable")
        px, py = px[order], py[order]
        rows = []
        for mass, lower in zip(self.masses, self.lower, strict=True):
            if px[0] <= mass <= px[-1]:
                line = float(np.exp(np.interp(np.log(mass), np.log(px), np.log(py))))
                rows.append(
                    {
                        "mass": float(mass),
                        "limit": float(lower),
                        "published": line,
                        "ratio": float(lower) / line,
                    }
                )
        return rows

    # ------------------------------------------------------------ records

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "name": self.name,
            "coupling": self.coupling,
            "unit": self.unit,
            "cl": self.cl,
            "statistic": self.statistic,
            "masses": self.masses.tolist(),
            "couplings": self.couplings.tolist(),
            "exclusion": self.exclusion.tolist(),
            "exclusion_error": self.exclusion_error.tolist(),
            "excluded": [
                {"mass": float(m), "intervals": [list(s) for s in spans]}
                for m, spans in zip(self.masses, self.intervals(), strict=True)
            ],
        }

    def to_csv(self, path: PathLike) -> None:
        """Write the excluded intervals, a row per mass and interval.

        Parameters
        ----------
        path
            File to write.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        text = io.StringIO()
        unit = f" [{self.unit}]" if self.unit else ""
        text.write(f"# {self.name}: excluded couplings, {self.cl:.4g} CL, {self.statistic}\n")
        text.write(f"# mass [GeV], {self.coupling} from and to{unit}, error of the lower edge\n")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["mass", f"{self.coupling}_from", f"{self.coupling}_to", "error"])
        for mass, spans, error in zip(self.masses, self.intervals(), self.lower_error, strict=True):
            for number, (low, high) in enumerate(spans):
                known = f"{error:.3g}" if number == 0 else ""
                writer.writerow([f"{mass:.8g}", f"{low:.8g}", f"{high:.8g}", known])
        with complete_file(path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")

    def to_json(self, path: PathLike) -> None:
        """Write everything, so that `Limit.load` reads it back.

        Parameters
        ----------
        path
            File to write.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with complete_file(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: PathLike) -> Limit:
        """Read what `to_json` wrote.

        Parameters
        ----------
        path
            The file.

        Raises
        ------
        FormatError
            If the file is not a limit.
        """
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(
                np.array(record["masses"], np.float64),
                np.array(record["couplings"], np.float64),
                np.array(record["exclusion"], np.float64),
                np.array(record["exclusion_error"], np.float64),
                str(record["coupling"]),
                float(record["cl"]),
                str(record["statistic"]),
                str(record["name"]),
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path} is not a limit that siren_py has written: {error}") from None

    def to_hepdata(self, folder: PathLike) -> None:
        """Write a HEPData submission (YAML) with intervals and exclusion to a folder.

        Raises
        ------
        OutputError
            If the folder cannot be written.
        """
        from siren_py.io.hepdata import Column, DataTable, write_hepdata

        rows = [
            (float(m), low, high)
            for m, spans in zip(self.masses, self.intervals(), strict=True)
            for low, high in spans
        ]
        said: dict[str, str | int | float] = {"CL": self.cl, "statistic": self.statistic}
        mass, coupling = np.meshgrid(self.masses, self.couplings, indexing="ij")
        grid = [
            Column("mass", mass.ravel().tolist(), "GeV", independent=True),
            Column(self.coupling, coupling.ravel().tolist(), self.unit, independent=True),
            Column(
                "1 / upper limit on the signal",
                self.exclusion.ravel().tolist(),
                errors={"simulation": self.exclusion_error.ravel().tolist()},
                qualifiers=said,
            ),
        ]
        tables = [DataTable("exclusion", f"{self.name}: excluded where above 1.", grid)]
        if rows:
            first, low_edge, high_edge = (list(column) for column in zip(*rows, strict=True))
            columns = [
                Column("mass", first, "GeV", independent=True),
                Column(f"{self.coupling} from", low_edge, self.unit, qualifiers=said),
                Column(f"{self.coupling} to", high_edge, self.unit, qualifiers=said),
            ]
            tables.insert(0, DataTable("limit", f"{self.name}: excluded couplings.", columns))
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_hepdata(tables, folder, comment=f"{self.name}, {self.coupling}")

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw the contour on logarithmic axes with units; returns the matplotlib axes.

        Parameters
        ----------
        ax
            Axes to draw into; new ones if None.
        **style
            Passed to `matplotlib.axes.Axes.plot`.
        """
        from siren_py.plot import draw_limit

        return draw_limit(self, ax, **style)

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import limit_html

        return limit_html(self)

    def __repr__(self) -> str:
        lower = self.lower
        known = lower[np.isfinite(lower)]
        best = f"best {known.min():.3g}" if known.size else "nothing excluded"
        return (
            f"<Limit on {self.coupling}: {self.name}, {self.cl:.3g} CL ({self.statistic}), "
            f"{self.masses.size} masses, {best}>"
        )


def _cell(grid: FloatArray, x: FloatArray) -> tuple[Any, FloatArray]:
    """Return the interval of the grid that holds each x, and where in it."""
    if grid.size == 1:
        return np.zeros(x.shape, dtype=np.int64), np.zeros(x.shape)
    i = np.clip(np.searchsorted(grid, x, side="right") - 1, 0, grid.size - 2)
    return i, np.clip((x - grid[i]) / (grid[i + 1] - grid[i]), 0.0, 1.0)


def _above_one(x: FloatArray, logs: FloatArray) -> list[tuple[float, float]]:
    """Return the intervals where a piecewise linear function is above zero, x exponentiated."""
    spans: list[tuple[float, float]] = []
    start: float | None = float(x[0]) if logs[0] >= 0.0 else None
    for j in range(1, x.size):
        if (logs[j] >= 0.0) == (logs[j - 1] >= 0.0):
            continue
        cross = float(x[j - 1] + (x[j] - x[j - 1]) * logs[j - 1] / (logs[j - 1] - logs[j]))
        if start is None:
            start = cross
        else:
            spans.append((float(np.exp(start)), float(np.exp(cross))))
            start = None
    if start is not None:
        spans.append((float(np.exp(start)), float(np.exp(x[-1]))))
    return spans
