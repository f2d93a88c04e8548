"""Plots of fluxes: spectra per proton on target."""

from __future__ import annotations

from typing import Any

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import ConfigError
from siren_py.plot.style import label, logarithmic, new_axes, new_panels, scientific, styled

_POINTS = 400
_ENERGY = label("energy", "GeV")
_NAMES = {
    12: r"$\nu_e$", -12: r"$\bar\nu_e$", 14: r"$\nu_\mu$", -14: r"$\bar\nu_\mu$",
    16: r"$\nu_\tau$", -16: r"$\bar\nu_\tau$", 5914: "$N$", -5914: r"$\bar N$",
}  # fmt: skip
_SPAN = 1e-4
"""Part of the largest value below which a logarithmic plot ends."""


def _words(flux: Any) -> str:
    """Name of a flux for a legend."""
    name, mode = getattr(flux, "name", type(flux).__name__), getattr(flux, "mode", None)
    symbol = _NAMES.get(int(flux.pdg), f"PDG {flux.pdg}")
    # What a flux is called may hold a dollar sign, which would begin a formula.
    words = " ".join(str(part) for part in (name, mode) if part).replace("$", r"\$")
    return f"{words} {symbol}"


def _energies(flux: Any) -> tuple[float, float]:
    if hasattr(flux, "energy_range"):
        low, high = flux.energy_range
        return float(low), float(high)
    drawn = np.asarray(flux.sample(1000, rng=0))
    return float(drawn.min()), float(drawn.max())


@styled
def draw_flux(flux: Any, ax: Any = None, **style: Any) -> Any:
    """Draw the spectrum of a flux: as a histogram, as lines between points, or as one line.

    Parameters
    ----------
    flux
        A `siren_py.Flux`, or anything like one; such a one is drawn where 1000 energies lie.
    ax
        Axes to draw into, such as those that another flux was drawn into; new ones if None.
    **style
        Passed to matplotlib: `Axes.stairs` for histograms, `Axes.plot` for points.

    Returns
    -------
    matplotlib.axes.Axes
        Energy [GeV] and flux [1/(GeV cm2 POT)]; the fluence [1/(cm2 POT)] of a single energy.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import siren_py as sp
    >>> ax = draw_flux(sp.load_flux("t2k-nd280", mode="fhc", flavor="numu"))
    >>> "GeV" in ax.get_xlabel()
    True
    """
    ax = new_axes(ax)
    style = {"label": _words(flux), **style}
    if getattr(flux, "discrete", False):
        low, high = _energies(flux)
        energies = np.unique([low, high])
        ax.vlines(energies, 0.0, np.asarray(flux.density(energies)), **style)
        ax.set_ylabel(label("fluence", r"$1/(\mathrm{cm}^2\,\mathrm{POT})$"))
        ax.set_xlim(0.0, 1.5 * high)
        ax.set_ylim(bottom=0.0)
    else:
        if hasattr(flux, "edges"):
            ax.stairs(flux.values, flux.edges, **{"linewidth": 1.6, **style})
        else:
            energies = _grid(flux)
            ax.plot(energies, np.asarray(flux.density(energies)), **style)
        ax.set_ylabel(label("flux", r"$1/(\mathrm{GeV}\,\mathrm{cm}^2\,\mathrm{POT})$"))
        ax.set_ylim(bottom=0.0)
        most = _upper(flux)
        # Fluxes in one plot: what shows the broadest shows all.
        ax.set_xlim(0.0, max(most, ax.get_xlim()[1] if len(ax.patches + ax.lines) > 1 else 0.0))
    ax.set_xlabel(_ENERGY)
    ax.legend()
    return ax


def _grid(flux: Any) -> FloatArray:
    if hasattr(flux, "energies"):
        return np.asarray(flux.energies, dtype=np.float64)
    low, high = _energies(flux)
    return np.linspace(low, high, _POINTS)


def _upper(flux: Any) -> float:
    """Energy [GeV] up to which a linear plot goes: 99 % of the flux."""
    return float(flux.quantile(0.99)) if hasattr(flux, "quantile") else _energies(flux)[1]


@styled
def peek_flux(flux: Any) -> Any:
    """Draw a flux twice: around its peak, and all of it on logarithmic axes.

    Parameters
    ----------
    flux
        As for `draw_flux`.

    Returns
    -------
    ndarray
        The two `matplotlib.axes.Axes`.

    Raises
    ------
    ConfigError
        If the flux is a single energy, of which there is nothing more to see.

    Examples
    --------
    >>> import siren_py as sp
    >>> len(peek_flux(sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")))
    2
    """
    if getattr(flux, "discrete", False):
        raise ConfigError("A flux of a single energy has one line only; draw it with plot().")
    axes = new_panels(1, 2, (10.0, 4.0))[0]
    draw_flux(flux, axes[0])
    draw_flux(flux, axes[1])
    low, high = _energies(flux)
    density = np.asarray(flux.density(np.linspace(low, high, 2000)))
    axes[1].set_xlim(max(low, 1e-3 * high, 0.01), high)
    axes[1].set_ylim(_SPAN * density.max(), 2.0 * density.max())
    logarithmic(axes[1], "x", "y")
    axes[1].get_legend().remove()
    axes[0].set_title(f"{scientific(flux.integral)} per cm$^2$ and POT", loc="right")
    return axes
