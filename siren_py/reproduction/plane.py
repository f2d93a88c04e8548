"""Figures in the plane of mass and coupling: axes with units, published curves, our lines.

Colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), which any colour vision
tells apart; lines differ in their dashes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError, unknown_name
from siren_py.published import Curve, load_curve

_WHY = "Figures"

COLOURS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#999999",
}
"""Colours by name (#rrggbb)."""

DASHES: dict[str, Any] = {
    "solid": "solid",
    "dashed": (0, (5, 2)),
    "dotted": (0, (1, 1.4)),
    "dashdot": (0, (6, 2, 1.2, 2)),
}
"""Line styles by name."""

AXIS_LABELS = {
    "mass": "mass of N, $m_N$ [GeV]",
    "d_mu": r"dipole coupling $|d_\mu|$ [GeV$^{-1}$]",
    "Ue2": r"mixing $|U_e|^2$",
    "Umu2": r"mixing $|U_\mu|^2$",
    "Utau2": r"mixing $|U_\tau|^2$",
    "Uee": r"mixing $|U_e|^2$",
    "Uemu": r"mixings $|U_e U_\mu|$",
    "Umue": r"mixings $|U_e U_\mu|$",
    "Umumu": r"mixing $|U_\mu|^2$",
    "Uemix": r"mixings $|U_e|\sqrt{|U_e|^2+|U_\tau|^2}$",
}
"""Labels of axes by the name of the quantity, as in `siren_py.published.Curve`."""

_BAND = 0.25
_SHADE = 0.14


def new_plane(
    coupling: str = "d_mu",
    *,
    mass: tuple[float, float] = (0.01, 2.0),
    range_: tuple[float, float] = (3e-8, 1e-5),
    title: str = "",
    size: tuple[float, float] = (8.6, 5.2),
) -> tuple[Any, Any]:
    """Return a figure and its axes: mass across [GeV], coupling up, both logarithmic.

    Parameters
    ----------
    coupling
        One of `AXIS_LABELS`.
    mass, range_
        Limits of the axes, in GeV and the unit of the coupling.
    title
        Above the axes.
    size
        Of the figure [inches]; a third is for the legend.

    Raises
    ------
    UnknownNameError
        If there is no such coupling.
    ConfigError
        If a limit is not positive or out of order.
    """
    if coupling not in AXIS_LABELS:
        raise unknown_name("quantity of an axis", coupling, AXIS_LABELS)
    for low, high in (mass, range_):
        if not 0.0 < low < high:
            raise ConfigError(f"Limits of an axis must be 0 < low < high; they are {low}, {high}.")
    figures = import_optional("matplotlib.figure", "plot", _WHY)
    figure = figures.Figure(figsize=size, layout="constrained")
    ax = figure.add_subplot()
    ax.set(xscale="log", yscale="log", xlim=mass, ylim=range_)
    ax.set_xlabel(AXIS_LABELS["mass"])
    ax.set_ylabel(AXIS_LABELS[coupling])
    ax.tick_params(which="both", direction="in", top=True, right=True)
    if title:
        ax.set_title(title, fontsize="medium")
    return figure, ax


def draw_published(
    ax: Any,
    curve: Curve | str,
    *,
    colour: str = "grey",
    dashes: str = "dashed",
    label: str | None = None,
    shade: bool | None = None,
) -> None:
    """Draw a published curve: a line, and what it excludes or prefers shaded.

    Parameters
    ----------
    ax
        Axes of `new_plane`.
    curve
        The curve, or its name.
    colour, dashes
        Names of `COLOURS` and `DASHES`.
    label
        In the legend; by default the title of the curve. Empty for none.
    shade
        Whether to shade; by default limits and regions are, sensitivities and estimates are not.

    Raises
    ------
    UnknownNameError
        If the curve, the colour or the style does not exist.
    """
    known = load_curve(curve) if isinstance(curve, str) else curve
    shade = known.kind in ("limit", "excluded", "preferred") if shade is None else shade
    x, y = known.x, known.y
    if known.closed:
        x, y = np.append(x, x[0]), np.append(y, y[0])
    ax.plot(
        x, y, color=_of(COLOURS, "colour", colour), ls=_of(DASHES, "style of lines", dashes),
        lw=1.3, label=known.title if label is None else (label or "_"), zorder=3,
    )  # fmt: skip
    if shade:
        if not known.closed:  # excluded above: by way of the top of the axes
            top = max(ax.get_ylim()[1], float(y.max()))
            x, y = np.concatenate([x, [x[-1], x[0]]]), np.concatenate([y, [top, top]])
        # With a rim of its own where it is preferred, so that regions stand out from limits.
        hatch = "////" if known.kind == "preferred" else None
        ax.fill(
            x, y, facecolor="none" if hatch else COLOURS[colour], edgecolor=COLOURS[colour],
            alpha=0.45 if hatch else _SHADE, hatch=hatch, lw=0.0, zorder=1,
        )  # fmt: skip


def draw_own(
    ax: Any,
    mass: ArrayLike,
    coupling: ArrayLike,
    *,
    label: str,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    colour: str = "vermilion",
    dashes: str = "solid",
) -> None:
    """Draw a line of ours, with a band of its error; gaps where it is NaN.

    Parameters
    ----------
    ax
        Axes of `new_plane`.
    mass, coupling
        Masses [GeV] and couplings, shape (n,); NaN where there is no limit.
    label
        In the legend.
    lower, upper
        Edges of the band, shape (n,).
    colour, dashes
        Names of `COLOURS` and `DASHES`.

    Raises
    ------
    ConfigError
        If the arrays do not fit together.
    UnknownNameError
        If the colour or the style does not exist.
    """
    x, y = np.asarray(mass, float), np.asarray(coupling, float)
    edges = [np.asarray(e, float) for e in (lower, upper) if e is not None]
    if x.ndim != 1 or any(e.shape != x.shape for e in (y, *edges)) or len(edges) == 1:
        raise ConfigError(
            "A line needs masses and couplings of one length, and a band both of its edges; got "
            f"the shapes {[e.shape for e in (x, y, *edges)]}."
        )
    paint = _of(COLOURS, "colour", colour)
    ax.plot(
        x, y, color=paint, ls=_of(DASHES, "style of lines", dashes), lw=2.0, label=label, zorder=5
    )
    if edges:
        ax.fill_between(x, *edges, color=paint, alpha=_BAND, lw=0.0, zorder=4)


def add_legend(ax: Any, *, title: str | None = None, columns: int = 1) -> None:
    """Write the legend to the right of the axes, where it hides nothing."""
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, frameon=False,
        fontsize=8, title=title, title_fontsize=8, alignment="left", ncols=columns,
        handlelength=2.6,
    )  # fmt: skip


def draw_all(ax: Any, names: Sequence[str], **styles: tuple[str, str]) -> None:
    """Draw several published curves in colours that follow each other.

    Parameters
    ----------
    ax
        Axes of `new_plane`.
    names
        Names of curves.
    styles
        (colour, dashes) of those that shall have a certain one, dashes in names as underscores.
    """
    cycle = [name for name in COLOURS if name not in ("black", "vermilion", "yellow")]
    for number, name in enumerate(names):
        given = styles.get(name.replace("-", "_"))
        dashes = list(DASHES)[1:][number // len(cycle) % (len(DASHES) - 1)]
        colour, style = given or (cycle[number % len(cycle)], dashes)
        draw_published(ax, name, colour=colour, dashes=style)


def _of(table: dict[str, Any], what: str, name: str) -> Any:
    if name not in table:
        raise unknown_name(what, name, table)
    return table[name]


def log_grid(low: float, high: float, points: int) -> FloatArray:
    """Return points at equal steps of the logarithm, both ends included, shape (points,)."""
    return np.geomspace(low, high, points)
