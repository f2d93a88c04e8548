"""Plots of models: what their particles decay to, and how long they live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from siren_py.constants import HBARC
from siren_py.errors import ConfigError, SirenError
from siren_py.plot.style import COLOURS, label, logarithmic, new_axes, new_panels, styled

_MASSES = 60
_MATHS = {
    "nu": r"\nu", "gamma": r"\gamma", "e+": "e^+", "e-": "e^-", "mu+": r"\mu^+", "mu-": r"\mu^-",
    "tau+": r"\tau^+", "tau-": r"\tau^-", "pi0": r"\pi^0", "pi+": r"\pi^+", "pi-": r"\pi^-",
    "K+": "K^+", "K-": "K^-", "K0": "K^0", "eta": r"\eta", "rho0": r"\rho^0",
}  # fmt: skip


def widths_of(model: Any) -> list[tuple[int, str, float]]:
    """Return (PDG code, channel, width [GeV]) of all decays of a model's particles.

    Antiparticles are left out where the particle is there, too.
    """
    codes = [int(pdg) for pdg in model.particle_masses]
    found: dict[tuple[int, str], float] = {}
    for pdg in codes:
        if pdg < 0 and -pdg in codes:
            continue
        for decay in model.decays(pdg):
            for channel in decay.channels:
                key = (pdg, str(channel))
                found[key] = found.get(key, 0.0) + float(decay.width(channel))
    return [(pdg, channel, width) for (pdg, channel), width in found.items()]


def maths(channel: str) -> str:
    """Return a channel in mathematical letters: of ``"nu e+ e-"``."""
    words = channel.split()
    if all(word in _MATHS for word in words):
        return "$" + r"\,".join(_MATHS[word] for word in words) + "$"
    return channel.replace("$", r"\$")


@styled
def draw_widths(model: Any, ax: Any = None, **style: Any) -> Any:
    """Draw the partial widths of a model's particles as bars, with branching ratios beside them.

    Parameters
    ----------
    model
        `siren_py.DipolePortal`, `siren_py.MassMixing`, `siren_py.Model`, or anything like them.
    ax
        Axes to draw into; new ones if None.
    **style
        Passed to `Axes.barh`.

    Returns
    -------
    matplotlib.axes.Axes
        Partial width [GeV], on a logarithmic axis.

    Raises
    ------
    ConfigError
        If no particle of the model decays.

    Examples
    --------
    >>> import siren_py as sp
    >>> ax = draw_widths(sp.DipolePortal(mass=0.3, d_mu=1e-6))
    >>> "GeV" in ax.get_xlabel()
    True
    """
    found = [row for row in widths_of(model) if row[2] > 0.0]
    if not found:
        raise ConfigError(f"No particle of {model!r} decays, so there are no widths to draw.")
    ax = new_axes(ax)
    totals = {pdg: sum(w for p, _, w in found if p == pdg) for pdg in {p for p, _, _ in found}}
    found.sort(key=lambda row: (row[0], row[2]))
    widths = np.array([width for _, _, width in found])
    names = [maths(c) if len(totals) == 1 else f"{p}: {maths(c)}" for p, c, _ in found]
    low = 10.0 ** np.floor(np.log10(widths.min()) - 0.3)
    ax.barh(range(len(found)), widths - low, left=low, **{"color": COLOURS[0], **style})
    for row, (pdg, _, width) in enumerate(found):
        ax.annotate(
            f"{width / totals[pdg]:.3g}", (width, row), (4, 0), textcoords="offset points",
            va="center", fontsize="small",
        )  # fmt: skip
    ax.set_xscale("log")
    # Room for the numbers beside the longest bar.
    ax.set_xlim(low, widths.max() * max((widths.max() / low) ** 0.2, 3.0))
    ax.set_yticks(range(len(found)), names)
    ax.tick_params(axis="y", which="minor", left=False, right=False)
    ax.tick_params(axis="y", which="major", left=False, right=False)
    ax.set_xlabel(label("partial width (number: branching ratio)", "GeV"))
    ax.set_ylabel("decay channel")
    return ax


@styled
def draw_lifetime(model: Any, ax: Any = None, masses: Any = None, **style: Any) -> Any:
    """Draw c tau against the mass of N, all other parameters being kept.

    Parameters
    ----------
    model
        A model with `mass` and `width`, such as `siren_py.DipolePortal`.
    ax
        Axes to draw into; new ones if None.
    masses
        Masses [GeV], (n,); by default a factor of ten about the model's. Masses that the model
        cannot have are left out.
    **style
        Passed to `Axes.plot`.

    Returns
    -------
    matplotlib.axes.Axes
        Mass [GeV] and decay length c tau [m] of N with beta gamma of 1, logarithmic.

    Raises
    ------
    ConfigError
        If the model has no mass that could be changed, or N is stable.

    Examples
    --------
    >>> import siren_py as sp
    >>> ax = draw_lifetime(sp.DipolePortal(mass=0.3, d_mu=1e-6), masses=[0.1, 0.2, 0.3])
    >>> "GeV" in ax.get_xlabel()
    True
    """
    if not has_lifetime(model):
        raise ConfigError(f"{model!r} has no mass and width of N, so no lifetime is drawn.")
    ax = new_axes(ax)
    ratio = np.sqrt(10.0)
    if masses is None:
        masses = np.geomspace(model.mass / ratio, model.mass * ratio, _MASSES)
    points = list(_lengths(model, np.asarray(masses, dtype=np.float64)))
    x, y = (np.array(column) for column in zip(*points, strict=True))
    ax.plot(x, y, **style)
    ax.plot([model.mass], [1e-2 * HBARC / model.width()], "o", color=COLOURS[2])
    ax.set_xlim(x.min(), x.max())
    ax.set_yscale("log")
    logarithmic(ax, "x")
    ax.set_xlabel(label("mass of N", "GeV"))
    ax.set_ylabel(label(r"$c\tau$ of $N$", "m"))
    return ax


def has_lifetime(model: Any) -> bool:
    """Return whether `draw_lifetime` can draw a model."""
    if not (is_dataclass(model) and hasattr(model, "width")):
        return False
    return "mass" in {f.name for f in fields(model)} and model.width() > 0.0


def _lengths(model: Any, masses: Any) -> Iterable[tuple[float, float]]:
    for mass in masses:
        try:
            width = float(replace(model, mass=float(mass)).width())
        except SirenError:
            continue  # heavier than the model allows
        if width > 0.0:
            yield float(mass), 1e-2 * HBARC / width


@styled
def peek_model(model: Any) -> Any:
    """Draw widths and, where the model has one, the lifetime against the mass.

    Parameters
    ----------
    model
        As for `draw_widths`.

    Returns
    -------
    ndarray
        One or two `matplotlib.axes.Axes`.

    Examples
    --------
    >>> import siren_py as sp
    >>> len(peek_model(sp.DipolePortal(mass=0.3, d_mu=1e-6)))
    2
    """
    both = has_lifetime(model)
    axes = new_panels(1, 1 + both, (5.5 * (1 + both), 4.0))[0]
    draw_widths(model, axes[0])
    if both:
        draw_lifetime(model, axes[1])
    return axes
