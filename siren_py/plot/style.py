"""One style for all plots, and where they are drawn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from siren_py._optional import import_optional
from siren_py._typing import FloatArray

_P = ParamSpec("_P")
_R = TypeVar("_R")

COLOURS = (
    "#3F90DA", "#FFA90E", "#BD1F01", "#94A4A2", "#832DB6", "#A96B59", "#E76300", "#B9AC70",
    "#717581", "#92DADD",
)  # fmt: skip
"""Colours of lines, in order: told apart with any colour vision. M. A. Petroff, "Accessible color
sequences for data visualization", arXiv:2107.02270, the sequence of ten."""

SEQUENTIAL = "viridis"
"""Colour map of densities: rises evenly in lightness."""

_FEW_DECADES = 50.0

STYLE: Mapping[str, Any] = {
    # Ticks as in the field: inside, on all sides, with minor ones.
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.size": 6.0,
    "ytick.major.size": 6.0,
    "xtick.minor.size": 3.0,
    "ytick.minor.size": 3.0,
    "axes.linewidth": 1.0,
    "axes.labelsize": 11.0,
    "axes.titlesize": 11.0,
    "axes.grid": False,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
    "font.size": 10.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.6,
    "image.cmap": SEQUENTIAL,
    # White, not transparent: black words must be read on the dark page of a notebook, too.
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "text.color": "black",
    "axes.labelcolor": "black",
    "axes.edgecolor": "black",
    "xtick.color": "black",
    "ytick.color": "black",
    "figure.figsize": (6.0, 4.2),
    "savefig.dpi": 150,
    "svg.fonttype": "path",
}
"""Settings of matplotlib (rcParams) while siren_py draws."""


@contextmanager
def plot_style(**changes: Any) -> Iterator[None]:
    """Put on the style of siren_py while the body runs, e.g. for plots of one's own.

    Parameters
    ----------
    **changes
        Settings of matplotlib (rcParams) with ``_`` for ``.``, such as ``font_size=14``; they go
        before those of `STYLE`.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> with plot_style(axes_labelsize=14):
    ...     ax = new_axes()
    >>> ax.xaxis.label.get_size()
    14.0
    """
    matplotlib = import_optional("matplotlib", "plot", "Plots")
    cycler = import_optional("cycler", "plot", "Plots").cycler
    if pyplot_in_use():
        # A notebook makes its settings when the backend of pyplot is loaded, which this call does;
        # in the context they would be undone at its end.
        import_optional("matplotlib.pyplot", "plot", "Plots").draw_if_interactive()
    settings = dict(STYLE) | {"axes.prop_cycle": cycler(color=list(COLOURS))}
    known = {name.replace(".", "_"): name for name in matplotlib.rcParams}
    settings |= {known.get(name, name): value for name, value in changes.items()}
    with matplotlib.rc_context(settings):
        yield


def styled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Put on the style while a function draws."""

    @wraps(function)
    def drawing(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with plot_style():
            return function(*args, **kwargs)

    return drawing


def new_figure(**options: Any) -> Any:
    """Return a new figure: one of pyplot's where pyplot is in use, else one of nobody's.

    A figure of pyplot is shown at the end of a notebook's cell, and by ``pyplot.show()``, but
    stays in memory until it is closed; where nobody shows figures, that would be a leak.

    Parameters
    ----------
    **options
        Of `matplotlib.figure.Figure`.
    """
    if pyplot_in_use():
        return import_optional("matplotlib.pyplot", "plot", "Plots").figure(**options)
    return import_optional("matplotlib.figure", "plot", "Plots").Figure(**options)


def pyplot_in_use() -> bool:
    """Return whether somebody would show the figures of pyplot."""
    if "matplotlib.pyplot" in sys.modules:
        return True
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None


def new_axes(ax: Any = None, **options: Any) -> Any:
    """Return `ax`, or axes of a new figure if it is None; see `new_figure` for the `options`.

    Examples
    --------
    >>> ax = new_axes()
    >>> new_axes(ax) is ax
    True
    """
    if ax is not None:
        return ax
    return new_figure(**{"layout": "constrained", **options}).add_subplot()


def new_panels(rows: int, columns: int, size: tuple[float, float]) -> Any:
    """Return axes of a new figure, an array of shape (rows, columns); size in inches."""
    figure = new_figure(layout="constrained", figsize=size)
    return figure.subplots(rows, columns, squeeze=False)


def logarithmic(ax: Any, *which: str) -> None:
    """Make axes ("x", "y") logarithmic; those of few decades get plain numbers at 1, 2 and 5.

    Call it when the limits are set.
    """
    ticker = import_optional("matplotlib.ticker", "plot", "Plots")
    for name in which:
        getattr(ax, f"set_{name}scale")("log")
        low, high = sorted(getattr(ax, f"get_{name}lim")())
        if low > 0.0 and high / low < _FEW_DECADES:
            axis = getattr(ax, f"{name}axis")
            axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
            axis.set_minor_formatter(ticker.NullFormatter())


def scientific(value: float) -> str:
    """Return a number in mathematical letters: 12.34e20 as a power of ten."""
    text = f"{value:.4g}"
    digits, e, power = text.partition("e")
    return rf"${digits}\times10^{{{int(power)}}}$" if e else digits


def per(pot: float | Mapping[str, float]) -> str:
    """Return the unit of expected events for an exposure."""
    if isinstance(pot, Mapping):
        return "for " + ", ".join(f"{scientific(v)} POT ({mode})" for mode, v in pot.items())
    return "1/POT" if pot == 1.0 else f"for {scientific(pot)} POT"


def label(quantity: str, unit: str = "") -> str:
    """Return the label of an axis: the quantity and, unless it is a plain number, its unit."""
    return f"{quantity} [{unit}]" if unit else quantity


def symbol(coupling: str) -> str:
    """Return the symbol of a coupling in mathematical letters, e.g. of ``"d_mu"``."""
    letters = {"e": "e", "mu": r"\mu", "tau": r"\tau"}
    head, _, tail = coupling.partition("_")
    if head == "d" and tail in letters:
        return f"$d_{{{letters[tail]}}}$"
    if head == "U" and tail.removesuffix("2") in letters:
        return f"$|U_{{{letters[tail.removesuffix('2')]}4}}|^2$"
    return coupling


def stairs_with_errors(
    ax: Any, edges: FloatArray, values: FloatArray, errors: FloatArray, **style: Any
) -> None:
    """Draw a histogram with bars of its errors."""
    lines = ax.stairs(values, edges, **style)
    colour = lines.get_edgecolor()
    middle = 0.5 * (edges[1:] + edges[:-1])
    shown = errors > 0.0
    ax.errorbar(
        middle[shown], values[shown], errors[shown], fmt="none", ecolor=colour, elinewidth=1.0
    )
