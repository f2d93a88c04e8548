"""Plots over the plane of mass and coupling: expected events, and what is excluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import FloatArray
from siren_py.errors import ConfigError, unknown_name
from siren_py.plot.style import (
    COLOURS,
    SEQUENTIAL,
    label,
    logarithmic,
    new_axes,
    per,
    styled,
    symbol,
)

if TYPE_CHECKING:
    from siren_py.limits import Limit
    from siren_py.scan import Scan

_MASS = label("mass of N", "GeV")
_DECADES = 8.0
"""Decades below the largest rate that are drawn."""

_FINE = 400
"""Points in each direction of the grid on which bands are drawn."""


def _coupling_label(coupling: str) -> str:
    from siren_py.limits import COUPLING_UNITS

    return label(symbol(coupling), COUPLING_UNITS.get(coupling, ""))


def _edges(grid: FloatArray) -> FloatArray:
    """Edges of cells around points, half way in the logarithm."""
    x = np.log(grid)
    if x.size == 1:
        return np.asarray(np.exp(np.array([x[0] - 0.5, x[0] + 0.5])))
    middle = 0.5 * (x[1:] + x[:-1])
    edges = np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])
    return np.asarray(np.exp(edges))


@styled
def draw_scan(
    scan: Scan,
    ax: Any = None,
    *,
    channel: str | None = None,
    levels: Sequence[float] = (1.0, 3.0, 10.0),
    **style: Any,
) -> Any:
    """Draw the expected events over masses and couplings, with contours.

    Parameters
    ----------
    scan
        The scan; masses that are not done are left white.
    ax
        Axes to draw into; new ones if None.
    channel
        One channel; all together if None.
    levels
        Expected events at which contours are drawn.
    **style
        Passed to `Axes.pcolormesh`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    UnknownNameError
        If there is no such channel.
    ConfigError
        If no point has events.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> ax = draw_scan(sim.scan([0.1, 0.2], [1e-7, 1e-6], pot=1e21, precision=0.2))
    >>> "GeV" in ax.get_xlabel()
    True
    """
    if channel is None:
        values = scan.total
    elif channel in scan.channels:
        values = scan.values[..., scan.channels.index(channel)]
    else:
        raise unknown_name("channel of the scan", channel, scan.channels)
    good = np.isfinite(values) & (values > 0.0)
    if not good.any():
        raise ConfigError("No point of the scan has events, so there is nothing to draw.")
    colors = import_optional("matplotlib.colors", "plot", "Plots of scans")
    ax = new_axes(ax)
    most = values[good].max()
    norm = colors.LogNorm(max(values[good].min(), most * 10.0**-_DECADES), most)
    settings = {"norm": norm, "cmap": SEQUENTIAL, "rasterized": True, **style}
    mesh = ax.pcolormesh(
        _edges(scan.masses), _edges(scan.couplings), np.ma.array(values, mask=~good).T, **settings
    )
    words = "expected events" if channel is None else f"expected events, {channel}"
    # Expected for the exposure of the scan where there is one; analyses have their own.
    pot = scan.configuration.get("pot")
    unit = per(pot) if isinstance(pot, int | float | Mapping) else ""
    ax.figure.colorbar(mesh, ax=ax, label=label(words, unit))
    inside = [level for level in sorted(levels) if values[good].min() < level < most]
    if inside and min(values.shape) > 1:
        logs = np.log(np.where(good, values, most * 1e-30))
        lines = ax.contour(
            scan.masses, scan.couplings, np.ma.array(logs, mask=np.isnan(values)).T,
            np.log(inside), colors=COLOURS[2], linewidths=1.2,
        )  # fmt: skip
        texts = {float(np.log(level)): f"{level:g}" for level in inside}
        ax.clabel(lines, fmt=lambda x: texts[min(texts, key=lambda t: abs(t - x))], fontsize=8)
    logarithmic(ax, "x", "y")
    ax.set_xlabel(_MASS)
    ax.set_ylabel(_coupling_label(str(scan.configuration.get("coupling", "coupling"))))
    return ax


@styled
def draw_limit(limit: Limit, ax: Any = None, **style: Any) -> Any:
    """Draw the contour of a limit on logarithmic axes, with the bands of an expected one.

    Parameters
    ----------
    limit
        The limit.
    ax
        Axes to draw into; new ones if None.
    **style
        Passed to `Axes.plot`; a `color` also colours the bands.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import numpy as np
    >>> from siren_py import Limit
    >>> limit = Limit(
    ...     masses=np.array([0.1, 0.2]),
    ...     couplings=np.array([1e-7, 1e-6]),
    ...     exclusion=np.array([[0.1, 10.0], [0.01, 2.0]]),
    ...     exclusion_error=np.zeros((2, 2)),
    ...     coupling="d_mu",
    ...     cl=0.9,
    ...     statistic="cls",
    ...     name="example",
    ... )
    >>> "GeV" in draw_limit(limit).get_xlabel()
    True
    """
    ax = new_axes(ax)
    style = {"color": COLOURS[0], "label": f"{limit.name}, {limit.cl:.0%} CL", **style}
    for name, width in (("2", 2), ("1", 1)):
        if f"minus{name}" in limit.bands and f"plus{name}" in limit.bands:
            _band(ax, limit, name, style["color"], 0.12 if width == 2 else 0.25)
    for line in limit.contour:
        ax.plot(line[:, 0], line[:, 1], **style)
        style.pop("label", None)
    ax.set_xlim(limit.masses[0], limit.masses[-1])
    ax.set_ylim(limit.couplings[0], limit.couplings[-1])
    logarithmic(ax, "x", "y")
    ax.set_xlabel(_MASS)
    ax.set_ylabel(_coupling_label(limit.coupling))
    if "label" not in style:
        ax.legend()
    return ax


def _band(ax: Any, limit: Limit, name: str, colour: Any, alpha: float) -> None:
    """Fill where the excluded area of fluctuated counts ends, between fewer and more of them."""
    from siren_py.limits import LEAST

    x, y = np.log(limit.masses), np.log(limit.couplings)
    fine_x, fine_y = (np.linspace(a[0], a[-1], _FINE) for a in (x, y))
    # Each edge is straight within a cell; what lies between two of them may be far narrower.
    few, many = (
        _interpolated(x, y, np.log(np.maximum(limit.bands[f"{sign}{name}"], LEAST)), fine_x, fine_y)
        for sign in ("minus", "plus")
    )
    # Between the two edges one is above zero and the other below.
    between = np.minimum(np.maximum(few, many), -np.minimum(few, many))
    ax.contourf(
        np.exp(fine_x), np.exp(fine_y), between.T, [0.0, np.inf], colors=[colour], alpha=alpha,
        zorder=0,
    )  # fmt: skip


def _interpolated(
    x: FloatArray, y: FloatArray, values: FloatArray, fine_x: FloatArray, fine_y: FloatArray
) -> FloatArray:
    """Return values (x, y) on a finer grid, linear in each direction."""
    rows = np.array([np.interp(fine_y, y, row) for row in values])
    return np.array([np.interp(fine_x, x, column) for column in rows.T]).T
