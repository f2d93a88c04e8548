"""Plots of samples: weighted histograms with statistical errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import FloatArray
from siren_py.errors import ConfigError
from siren_py.plot.style import (
    COLOURS,
    SEQUENTIAL,
    label,
    logarithmic,
    new_axes,
    new_panels,
    per,
    stairs_with_errors,
    styled,
)
from siren_py.plot.variables import Variable, VariableLike, find_variable, last_vertex
from siren_py.weighting import Sums, run_of

if TYPE_CHECKING:
    from siren_py.sample import Sample

Exposure = float | Mapping[str, float]
Bins = int | Sequence[float] | FloatArray

_MOST = 6
"""Groups with a line of their own; the smaller ones share one."""

_MOST_BARS = 15
_TAIL = 0.005
_LOOKED_AT = 200_000


@styled
def draw_sample(
    sample: Sample,
    variable: VariableLike,
    ax: Any = None,
    *,
    bins: Bins = 40,
    pot: Exposure = 1.0,
    by: str | None = None,
    words: str | None = None,
    unit: str | None = None,
    **style: Any,
) -> Any:
    """Draw the expected events against a variable, with statistical errors.

    Parameters
    ----------
    sample
        The events.
    variable
        Name of an event column (``"primary_energy"``) or of `siren_py.plot.variables.DERIVED`
        (``"visible_energy"``, ``"beam_angle"``, ``"decay_z"``, ...); a function that turns a
        sample into one number per event; or a grouping such as ``"material"``, drawn as bars.
    ax
        Axes to draw into; new ones if None.
    bins
        Edges of the bins, or their number; then they hold all but 0.5 % of the expected events
        at either end.
    pot
        Protons on target, or a mapping by beam mode; the default is one.
    by
        A grouping, see `siren_py.Sample.by`: one line for each group, stacked.
    words, unit
        Words and unit on the axis, for a function.
    **style
        Passed to `Axes.stairs`, or to `Axes.barh` for a grouping.

    Returns
    -------
    matplotlib.axes.Axes
        Expected events per bin; what lies outside the bins, or has no value, is written into
        the plot.

    Raises
    ------
    ConfigError
        If the sample has no events, the bins do not increase, or there are no values.
    UnknownNameError
        If there is no such variable or grouping.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> ax = draw_sample(sim.run(1000, seed=1), "primary_energy", pot=1e21)
    >>> "GeV" in ax.get_xlabel()
    True
    """
    from siren_py.sample import KEYS

    if not len(sample):
        raise ConfigError("The sample holds no events, so there is nothing to draw.")
    if isinstance(variable, str) and variable in KEYS:
        return _bars(sample, variable, new_axes(ax), pot, style)
    found = find_variable(sample, variable, words, unit)
    # One pass for the range, one for the sums: a sample may be larger than the memory.
    edges = _edges(sample, found, bins)
    ax = new_axes(ax)
    names, values, errors, lost = _histogram(sample, found, edges, pot, by)
    if by is None:
        stairs_with_errors(ax, edges, values[0], errors[0], **{"color": COLOURS[0], **style})
    else:
        _stack(ax, edges, names, values, style)
        total = np.sqrt((errors**2).sum(axis=0))
        stairs_with_errors(ax, edges, values.sum(axis=0), total, color="black", linewidth=1.0)
        ax.legend(title=by.replace("_", " "))
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(label(found.words, found.unit))
    ax.set_ylabel(label("events per bin", per(pot)))
    if lost > 0.0:
        share = lost / (lost + values.sum())
        ax.set_title(f"{share:.2%} of the events not shown", loc="right", fontsize="small")
    return ax


def _edges(sample: Sample, variable: Variable, bins: Bins) -> FloatArray:
    if not isinstance(bins, int | np.integer):
        edges = np.asarray(bins, dtype=np.float64)
        if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0.0).all():
            raise ConfigError(f"The edges of the bins must be at least two that rise: {bins!r}.")
        return edges
    if bins < 1:
        raise ConfigError(f"A histogram needs at least one bin; got {bins!r}.")
    values, weights = _thinned(sample, variable)
    if not values.size:
        raise ConfigError(f"No event has a value for {variable.words!r}.")
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order])
    first, last = np.searchsorted(running, np.array([_TAIL, 1.0 - _TAIL]) * running[-1])
    low, high = (float(values[order[min(k, order.size - 1)]]) for k in (first, last))
    if values.min() >= 0.0 and low < 0.25 * high:
        low = 0.0  # what begins near zero is read better from zero on
    if low == high:
        low, high = (low - 0.5, low + 0.5) if low == 0.0 else (low - abs(low), low + abs(low))
    # The largest value belongs to the last bin.
    return np.linspace(low, np.nextafter(high, np.inf), int(bins) + 1)


def _thinned(sample: Sample, variable: Variable) -> tuple[FloatArray, FloatArray]:
    """Return values and weights of the events that have a value, or of some of very many."""
    step = max(1, len(sample) // _LOOKED_AT)
    values, weights = [], []
    for portion in sample.portions():
        values.append(variable.values(portion)[::step])
        weights.append(portion.weights[::step])
    v, w = np.concatenate(values), np.concatenate(weights)
    known = np.isfinite(v) & (w > 0.0)
    return v[known], w[known]


def _histogram(
    sample: Sample, variable: Variable, edges: FloatArray, pot: Exposure, by: str | None
) -> tuple[list[str], FloatArray, FloatArray, float]:
    """Return names, values and errors (groups, bins) and the events outside all bins."""
    from siren_py.weighting import exposure_by_flux

    names = ["events"] if by is None else sample._labels(by)
    n = edges.size - 1
    exposure = exposure_by_flux(pot, sample.lookup["fluxes"])
    sums = Sums(sample.attempts, len(names) * n + 1, sample.replicas)
    for portion in sample.portions():
        values = variable.values(portion)
        place = np.searchsorted(edges, values, side="right") - 1
        # The last category takes what lies outside, NaN included.
        inside = (place >= 0) & (place < n)
        for table in portion.tables():
            group = np.zeros(len(table), np.int64) if by is None else sample._category(by, table)
            index = np.where(inside, group * n + place, len(names) * n)
            weights = sample._table_weights(table, exposure)
            sums.add(weights, index, run_of(table), table.events["event"])
    estimates = np.array([sums.estimate(i) for i in range(len(names) * n)])
    shape = (len(names), n)
    lost = float(sums.weight[-1])
    return names, estimates[:, 0].reshape(shape), estimates[:, 1].reshape(shape), lost


def _stack(
    ax: Any, edges: FloatArray, names: list[str], values: FloatArray, style: Mapping[str, Any]
) -> None:
    totals = values.sum(axis=1)
    order = [int(i) for i in np.argsort(-totals) if totals[i] > 0.0]
    rows = [(names[i], values[i]) for i in order[:_MOST]]
    if len(order) > _MOST:
        rest = order[_MOST:]
        rows.append((f"{len(rest)} others", values[rest].sum(axis=0)))
    base = np.zeros(edges.size - 1)
    for (name, row), colour in zip(rows, COLOURS, strict=False):
        words = name.replace("$", r"\$")
        settings = {"fill": True, "color": colour, "label": words, **style}
        ax.stairs(base + row, edges, baseline=base, **settings)
        base = base + row


def _bars(sample: Sample, key: str, ax: Any, pot: Exposure, style: Mapping[str, Any]) -> Any:
    rows = list(sample.by(key, pot).items())
    shown, rest = rows[:_MOST_BARS], rows[_MOST_BARS:]
    names = [name.replace("$", r"\$") for name, _ in shown]
    values = [estimate.value for _, estimate in shown]
    errors = [estimate.error for _, estimate in shown]
    if rest:
        names.append(f"{len(rest)} others")
        values.append(sum(estimate.value for _, estimate in rest))
        errors.append(float(np.sqrt(sum(estimate.error**2 for _, estimate in rest))))
    ax.barh(range(len(names)), values, xerr=errors, **{"color": COLOURS[0], **style})
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.tick_params(axis="y", which="both", left=False, right=False)
    if max(values) > 100.0 * min(values) > 0.0:
        ax.set_xscale("log")
        ax.set_xlim(0.5 * min(values), 2.0 * max(values))
    else:
        ax.set_xlim(left=0.0)
    ax.set_xlabel(label("expected events", per(pot)))
    ax.set_ylabel(key.replace("_", " "))
    return ax


@styled
def peek_sample(sample: Sample, pot: Exposure = 1.0) -> Any:
    """Draw four views of a sample: where N decay, energy, angle to the beam, and weights.

    Parameters
    ----------
    sample
        The events.
    pot
        Protons on target, or a mapping by beam mode.

    Returns
    -------
    ndarray
        The `matplotlib.axes.Axes`, shape (2, 2).

    Raises
    ------
    ConfigError
        If the sample has no events.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> peek_sample(sim.run(1000, seed=1), pot=1e21).shape
    (2, 2)
    """
    if not len(sample):
        raise ConfigError("The sample holds no events, so there is nothing to draw.")
    axes = new_panels(2, 2, (11.0, 8.4))
    _decay_points(sample, axes[0, 0], pot)
    for ax, name in ((axes[0, 1], "visible_energy"), (axes[1, 0], "beam_angle")):
        variable = find_variable(sample, name)
        shown = name if np.isfinite(variable.values(sample)).any() else "primary_energy"
        draw_sample(sample, shown, ax, pot=pot)
    _weights(sample, axes[1, 1])
    return axes


def _decay_points(sample: Sample, ax: Any, pot: Exposure) -> None:
    colors = import_optional("matplotlib.colors", "plot", "Plots of samples")
    points = last_vertex(sample)
    weights = sample.weights_at(pot)
    known = np.isfinite(points[:, 0]) & (weights > 0.0)
    counts, z, x = np.histogram2d(
        points[known, 2], points[known, 0], bins=(60, 40), weights=weights[known]
    )
    filled = counts[counts > 0.0]
    norm = colors.LogNorm(max(filled.min(), 1e-4 * filled.max()), 1.001 * filled.max())
    mesh = ax.pcolormesh(
        z, x, np.ma.masked_equal(counts.T, 0.0), norm=norm, cmap=SEQUENTIAL, rasterized=True
    )
    ax.figure.colorbar(mesh, ax=ax, label=label("expected events", per(pot)))
    ax.set_xlabel(label("$z$ of the decay", "cm"))
    ax.set_ylabel(label("$x$ of the decay", "cm"))


def _weights(sample: Sample, ax: Any) -> None:
    """Draw how many events have which weight: a tail to the right costs effective size."""
    weights = sample.weights
    weights = weights[weights > 0.0]
    mean = weights.mean()
    logs = np.log10(weights / mean)
    edges = 10.0 ** np.linspace(max(logs.min(), -6.0) - 0.01, logs.max() + 0.01, 51)
    counts, _ = np.histogram(weights / mean, edges)
    ax.stairs(counts, edges, color=COLOURS[0])
    ax.set_xlim(edges[0], edges[-1])
    ax.set_yscale("log")
    logarithmic(ax, "x")
    ax.set_xlabel("weight / mean weight")
    ax.set_ylabel("events stored per bin")
    size = sample.effective_size
    ax.set_title(
        f"effective size {size:.4g} of {len(sample)} events", loc="right", fontsize="small"
    )
