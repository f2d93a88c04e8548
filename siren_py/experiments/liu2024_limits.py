"""Limits of Fig. 4 of arXiv:2412.15051 and the ladder from the published to the physical one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray, PathLike
from siren_py.errors import ConfigError, unknown_name
from siren_py.experiments import liu2024_compat as compat
from siren_py.experiments import liu2024_inputs as inputs
from siren_py.experiments.liu2024 import (
    COUPLINGS,
    LIU2024,
    MODES,
    STEPS,
    Configuration,
    Counts,
    MassPoint,
    configuration,
)
from siren_py.io.files import complete_file
from siren_py.parallel import map_in_order
from siren_py.progress import ProgressLike, progress_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MASSES = 1e-3 * np.geomspace(10.0, 1000.0, 40)
"""Masses [GeV] of the lines of `limit_line`."""

LADDER_MASSES = 1e-3 * np.array([20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 700.0])
"""Masses [GeV] of `ladder`."""

GRID_MASSES = 1e-3 * np.geomspace(10.0, 2000.0, 10)
GRID_COUPLINGS = np.geomspace(5e-8, 5e-6, 10)
"""The 10 x 10 grid of arXiv:2412.15051, between whose points log counts are taken as linear."""

EXPOSURES = ("t2k-2019", "nd280", "t2k-ii")
"""The data of 2019; all of ND280 before the upgrade; and with 1e22 protons in each mode in all."""

FIVE_SIGMA = 0.5 * 5.0**2
"""Level of a discovery with five standard deviations; the line of the paper is at about 11.8."""
PUBLISHED_FIVE_SIGMA = 11.8

_TPC_RATIO = 5.0 / 3.0  # five TPCs instead of three: how the paper scales the background
_FORMAT = 1


@dataclass(frozen=True)
class LimitLine:
    """A limit over mass.

    Attributes
    ----------
    masses
        Masses [GeV], (k,).
    lower
        Coupling [1/GeV] from which on couplings are excluded, (k,); NaN where none is.
    upper
        Coupling at which the excluded range ends, (k,); NaN where it does not below 1e-4.
    most
        Largest value of the statistic over the couplings, in equivalent signal events, (k,).
    configuration, exposure, level
        What the line is for.
    """

    masses: FloatArray
    lower: FloatArray
    upper: FloatArray
    most: FloatArray
    configuration: Configuration
    exposure: str
    level: float

    def table(self) -> str:
        """Return the line as text."""
        lines = [f"# {self.configuration.name}, {self.exposure}, level {self.level:g}"]
        lines.append(f"{'m [MeV]':>9} {'d from':>11} {'d to':>11} {'largest':>9}")
        lines += [
            f"{1e3 * m:9.4g} {a:11.3e} {b:11.3e} {c:9.3g}"
            for m, a, b, c in zip(self.masses, self.lower, self.upper, self.most, strict=True)
        ]
        return "\n".join(lines)


def equivalent_signal(signal: ArrayLike, background: float) -> FloatArray:
    """Half the Asimov statistic, s - b ln(1 + s/b); the signal itself without background.

    Cowan, Cranmer, Gross, Vitells, Eur. Phys. J. C 71, 1554 (2011), for the exclusion of s when b
    is seen.
    """
    s = np.asarray(signal, dtype=np.float64)
    if not background >= 0.0:
        raise ConfigError(f"The background must not be negative; it is {background!r}.")
    if background == 0.0:
        return s
    return np.asarray(s - background * np.log1p(s / background))


def backgrounds(exposure: str, as_published: bool) -> list[tuple[str, str, float, float]]:
    """Terms of the statistic of an exposure: (detector, mode, protons, background).

    The background of 2019 is left out, since nothing was seen: the limit is that of zero events.
    That of later data goes with protons on target and, after the upgrade, with 5/3 for the number
    of TPCs. `as_published` divides the background of the upgrade in antineutrino mode by the
    protons of neutrino mode, as the paper does: 0.17 instead of 0.33.
    """
    if exposure not in EXPOSURES:
        raise unknown_name("exposure", exposure, EXPOSURES)
    past = inputs.POT["t2k-2019"]
    terms = [("nd280", mode, past[mode], 0.0) for mode in MODES]
    if exposure == "t2k-2019":
        return terms
    for mode in MODES:
        rest = inputs.POT["nd280"][mode] - past[mode]
        terms.append(("nd280", mode, rest, inputs.BACKGROUND[mode][0] * rest / past[mode]))
    if exposure == "nd280":
        return terms
    for mode in MODES:
        pot = inputs.POT["upgrade"][mode]
        divisor = past["fhc"] if as_published else past[mode]
        background = inputs.BACKGROUND[mode][0] * pot / divisor * _TPC_RATIO
        terms.append(("upgrade", mode, pot, background))
    return terms


def statistic(
    counts: Mapping[str, Counts], exposure: str, as_published: bool = False
) -> FloatArray:
    """Sum of `equivalent_signal` over the terms of an exposure, (couplings,)."""
    total = np.zeros(next(iter(counts.values())).couplings.size)
    for site, mode, pot, background in backgrounds(exposure, as_published):
        signal = counts[site].value[:, MODES.index(mode)] * pot
        total += equivalent_signal(signal, background)
    return total


def crossings(couplings: FloatArray, values: FloatArray, level: float) -> tuple[float, float]:
    """Couplings where `values` first rise through `level` and then fall below it; NaN if never.

    Between the points values are powers of the coupling.
    """
    with np.errstate(divide="ignore"):
        y = np.log(values) - np.log(level)
    x = np.log(couplings)
    y = np.maximum(y, -700.0)
    above = y >= 0.0
    if not above.any():
        return float("nan"), float("nan")
    first = int(np.argmax(above))
    lower = couplings[0] if first == 0 else _root(x, y, first - 1)
    rest = np.flatnonzero(~above[first:])
    upper = float("nan") if not rest.size else _root(x, y, first + int(rest[0]) - 1)
    return float(lower), float(upper)


def _root(x: FloatArray, y: FloatArray, k: int) -> float:
    return float(np.exp(x[k] - y[k] * (x[k + 1] - x[k]) / (y[k + 1] - y[k])))


# ---------------------------------------------------------------------- counts, kept


def counts_of(
    point: MassPoint,
    which: Configuration,
    couplings: FloatArray = COUPLINGS,
    folder: PathLike | None = None,
) -> Counts:
    """Counts of a mass point, from a file in `folder` if they are there, else made and kept there.

    Files are named after everything that determines the counts, so an interrupted scan goes on
    where it stopped, and other choices do not meet them.
    """
    if folder is None:
        return point.counts(which, couplings, warn=False)
    choices = which.to_dict()
    for key in ("name", "level"):
        del choices[key]  # neither changes the counts
    content = {
        "format": _FORMAT, "mass": point.mass, "site": point.site, "n": point.n,
        "seed": point.seed, "choices": choices, "couplings": couplings.tolist(),
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path = Path(folder) / f"liu2024-{digest[:20]}.json"
    if path.is_file():
        known: dict[str, Any] = json.loads(path.read_text())
        if known.get("key") == content:
            value, error = (np.array(known[k], dtype=np.float64) for k in ("value", "error"))
            return Counts(point.mass, couplings, value, error)
    counts = point.counts(which, couplings, warn=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"key": content, "value": counts.value.tolist(), "error": counts.error.tolist()}
    with complete_file(path) as unfinished:
        unfinished.write_text(json.dumps(record))
    return counts


# ---------------------------------------------------------------------- limits


def limit_line(
    which: str | Configuration = "physical",
    masses: ArrayLike = MASSES,
    *,
    exposure: str = "t2k-2019",
    level: float | None = None,
    grid: str = "fine",
    n: int = 10_000,
    seed: int = 1,
    workers: int = 1,
    folder: PathLike | None = None,
    progress: ProgressLike = False,
) -> LimitLine:
    """Limit on d over the mass of N.

    Parameters
    ----------
    which
        "physical", "liu2024", "slab", or a `Configuration`.
    masses
        Masses [GeV].
    exposure
        One of `EXPOSURES`.
    level
        Equivalent signal events at the limit; None: that of the configuration.
    grid
        "fine": each mass by itself. "10x10": linear in log counts between the masses and couplings
        of the paper's grid.
    n, seed
        Attempts and seed of the lines of each mass and detector.
    workers
        Number of threads; the result does not depend on it.
    folder
        Where counts are kept, so that an interrupted scan can go on; None: nowhere.
    progress
        As for `siren_py.Simulation.run`.

    Returns
    -------
    LimitLine

    Warns
    -----
    CompatibilityWarning
        If the configuration has choices that are not physical.
    """
    chosen = configuration(which)
    wanted = np.atleast_1d(np.asarray(masses, dtype=np.float64))
    if not (np.isfinite(wanted) & (wanted > 0.0)).all():
        raise ConfigError(f"Masses must be positive [GeV]; got {masses!r}.")
    if grid not in ("fine", "10x10"):
        raise unknown_name("grid", grid, ("fine", "10x10"))
    if chosen.unphysical:
        compat.warn_compatibility(
            f"The configuration {chosen.name!r} has: {'; '.join(chosen.unphysical)}."
        )
    level = chosen.level if level is None else float(level)
    published = chosen.branching_ratio == "published"
    sites = ("nd280", "upgrade") if exposure == "t2k-ii" else ("nd280",)
    nodes = wanted if grid == "fine" else GRID_MASSES
    couplings = COUPLINGS if grid == "fine" else GRID_COUPLINGS

    def values(mass: float) -> FloatArray:
        counts = {
            site: counts_of(MassPoint(mass, site, n, seed), chosen, couplings, folder)
            for site in sites
        }
        return statistic(counts, exposure, published)

    table = np.empty((nodes.size, couplings.size))
    with progress_bar(nodes.size, f"limit {chosen.name} {exposure}", progress) as report:
        for i, row in enumerate(map_in_order(values, [float(m) for m in nodes], workers)):
            table[i] = row
            report(i + 1, nodes.size)
    if grid == "10x10":
        table, couplings = _between(nodes, couplings, table, wanted)
    edges = np.array([crossings(couplings, row, level) for row in table])
    return LimitLine(wanted, edges[:, 0], edges[:, 1], table.max(axis=1), chosen, exposure, level)


def _between(
    nodes: FloatArray, couplings: FloatArray, table: FloatArray, masses: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log counts linear in the logarithm of the mass, at the couplings of the grid."""
    if masses.min() < nodes[0] * (1 - 1e-12) or masses.max() > nodes[-1] * (1 + 1e-12):
        raise ConfigError(
            f"The grid goes from {nodes[0]:g} to {nodes[-1]:g} GeV; masses must lie between."
        )
    x = np.log(masses)
    logs = np.log(np.maximum(table, 1e-300))
    result = np.empty((masses.size, couplings.size))
    for j in range(couplings.size):
        result[:, j] = np.exp(np.interp(x, np.log(nodes), logs[:, j]))
    return result, couplings


# ---------------------------------------------------------------------- ladder


@dataclass(frozen=True)
class Ladder:
    """Limits after changes from the published to the physical configuration.

    Attributes
    ----------
    masses
        Masses [GeV], (k,).
    steps
        Names of the steps; the first is "liu2024".
    alone
        Limit after each change alone, (steps, k); NaN where nothing is excluded.
    together
        Limit after this and all changes before it, (steps, k).
    alone_upper, together_upper
        Couplings at which the excluded ranges end, (steps, k); NaN where they do not.
    """

    masses: FloatArray
    steps: tuple[str, ...]
    alone: FloatArray
    together: FloatArray
    alone_upper: FloatArray
    together_upper: FloatArray

    def table(self, kind: str = "together") -> str:
        """Return the limits as text: kind "alone" or "together"."""
        if kind not in ("alone", "together"):
            raise unknown_name("kind of ladder", kind, ("alone", "together"))
        values = self.alone if kind == "alone" else self.together
        width = max(len(step) for step in self.steps)
        head = f"{'m [MeV]':<{width}} " + " ".join(f"{1e3 * m:9.4g}" for m in self.masses)
        rows = [
            f"{step:<{width}} " + " ".join(f"{d:9.2e}" if d == d else f"{'-':>9}" for d in row)
            for step, row in zip(self.steps, values, strict=True)
        ]
        return "\n".join([head, *rows])

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the limits after each step, one after the other."""
        from siren_py._optional import import_optional

        plt = import_optional("matplotlib.pyplot", "plot", "Ladders")
        if axes is None:
            _, axes = plt.subplots(figsize=(8.0, 5.5), layout="constrained")
        colors = plt.get_cmap("viridis")(np.linspace(0.0, 0.95, len(self.steps)))
        for step, row, color in zip(self.steps, self.together, colors, strict=True):
            ends = step in (self.steps[0], self.steps[-1])
            axes.loglog(
                1e3 * self.masses, row, "o-", color=color, label=step, ms=3,
                lw=2.5 if ends else 1.0,
            )  # fmt: skip
        low, high = 1e3 * self.masses.min(), 1e3 * self.masses.max()
        ticks = [t for t in (10, 20, 50, 100, 200, 500, 1000) if 0.9 * low <= t <= 1.1 * high]
        axes.set_xticks(ticks or [low], [f"{t:g}" for t in ticks or [low]])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("mass of N [MeV]")
        axes.set_ylabel("limit on d [1/GeV]")
        axes.legend(
            fontsize=8, title="after each change", loc="center left", bbox_to_anchor=(1.0, 0.5)
        )
        return axes


def ladder(
    masses: ArrayLike = LADDER_MASSES,
    *,
    steps: Sequence[str] | None = None,
    n: int = 6000,
    seed: int = 1,
    workers: int = 1,
    folder: PathLike | None = None,
    progress: ProgressLike = False,
) -> Ladder:
    """Limits of the 2019 data after each change from the published to the physical configuration.

    All steps of a mass share the lines of flight, so that their differences are not blurred by
    statistics; the last, the detector as built, has lines of its own.

    Parameters
    ----------
    masses
        Masses [GeV].
    steps
        Names of `liu2024.STEPS`; None for all.
    n, seed, workers, folder, progress
        As for `limit_line`.

    Warns
    -----
    CompatibilityWarning
    """
    names = list(STEPS) if steps is None else list(steps)
    for name in names:
        if name not in STEPS:
            raise unknown_name("step of the ladder", name, STEPS)
    compat.warn_compatibility(
        f"The first step of the ladder has: {'; '.join(LIU2024.unphysical)}.", stacklevel=3
    )
    wanted = np.atleast_1d(np.asarray(masses, dtype=np.float64))
    alone, together = [LIU2024], [LIU2024]
    for name in names:
        alone.append(replace(LIU2024, name=name, **STEPS[name]))
        together.append(replace(together[-1], name=f"up to {name}", **STEPS[name]))

    def edges(mass: float) -> FloatArray:
        point = MassPoint(mass, "nd280", n, seed)
        rows = []
        for one in (*alone, *together):
            counts = counts_of(point, one, COUPLINGS, folder)
            rows.append(crossings(COUPLINGS, statistic({"nd280": counts}, "t2k-2019"), one.level))
        return np.array(rows)

    table = np.empty((wanted.size, 2 * len(alone), 2))
    with progress_bar(wanted.size, "ladder", progress) as report:
        for i, rows in enumerate(map_in_order(edges, [float(m) for m in wanted], workers)):
            table[i] = rows
            report(i + 1, wanted.size)
    half = len(alone)
    lower, upper = table[..., 0].T, table[..., 1].T
    return Ladder(
        wanted, ("liu2024", *names), lower[:half], lower[half:], upper[:half], upper[half:]
    )
