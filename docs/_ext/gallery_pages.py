"""What the pages of the gallery share: showing figures, and plots that many of them have.

The scripts make `matplotlib.figure.Figure` objects without pyplot and hand them to `show`; Sphinx
collects them with `scraper`. In a plain Python session `show` opens nothing: save the figure that
it returns.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that colour-blind people can tell apart (Okabe and Ito)."""
STYLES = ("-", "--", ":", "-.")
SMALL = bool(os.environ.get("SIREN_PY_GALLERY_SMALL"))
"""Set in tests: fewer events, coarser pictures."""

_shown: list[Any] = []


def show(figure: Any) -> Any:
    """Put a figure onto the page; returns it."""
    _shown.append(figure)
    return figure


def scraper(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any], **kw: Any) -> str:
    """Save what was shown; called by sphinx-gallery after each block."""
    from sphinx_gallery.scrapers import figure_rst

    del block, kw
    paths = block_vars["image_path_iterator"]
    names = []
    while _shown:
        path = next(paths)
        _shown.pop(0).savefig(path, format="png", dpi=110)
        names.append(path)
    return figure_rst(names, gallery_conf["src_dir"])


def new_figure(columns: int = 1, width: float = 7.0, height: float = 4.2) -> tuple[Any, Any]:
    """Return a figure and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def spectra(
    fluxes: Sequence[Any], title: str, highest: float, labels: Sequence[str] | None = None
) -> Any:
    """Draw fluxes against energy, up to `highest` [GeV], and print integrals and mean energies."""
    figure, ax = new_figure()
    energy = np.linspace(0.0, highest, 2001)[1:]
    print(f"{'flux':34s} {'1/(cm2 POT)':>12s} {'mean energy':>12s}")
    for i, flux in enumerate(fluxes):
        label = labels[i] if labels else f"{flux.mode} {flux.flavor}"
        ax.plot(
            energy,
            flux.density(energy),
            color=COLOURS[i % 4],
            linestyle=STYLES[i // 4],
            label=label,
            drawstyle="steps-mid" if len(fluxes) < 5 else "default",
        )
        print(f"{flux.name + ' ' + label:34s} {flux.integral:12.3e} {flux.mean_energy:8.2f} GeV")
    ax.set_yscale("log")
    top = max(float(flux.density(energy).max()) for flux in fluxes)
    ax.set_ylim(top * 1e-5, top * 3.0)
    ax.set_xlim(0.0, highest)
    ax.set_xlabel("energy of the neutrino [GeV]")
    ax.set_ylabel("flux [1/(GeV cm$^2$ POT)]")
    ax.set_title(title, fontsize="medium")
    ax.legend(frameon=False, ncols=2, fontsize="small")
    return show(figure)


def reproduction_page(name: str, figures: Sequence[str] = ()) -> Any:
    """Run the quick version of a reproduction, show its figures and print the agreement."""
    import siren_py as sp

    with tempfile.TemporaryDirectory() as folder:
        result = sp.reproduce(name, Path(folder), quick=True, progress=False)
    for figure in figures or result.figures:
        show(result.figures[figure])
    for row in result.agreement[:12]:
        print(f"{row.quantity}: {row.ours:.4g} {row.unit}, published {row.published:.4g}")
    if len(result.agreement) > 12:
        print(f"... and {len(result.agreement) - 12} more rows")
    for status in ("inside", "known deviation", "OUTSIDE"):
        print(f"{status}: {sum(row.status == status for row in result.agreement)} rows")
    return result


def branching(model_of: Any, channel: str, masses: tuple[float, float]) -> Any:
    """Draw share and partial width of a channel against the mass [GeV] of N.

    `model_of` makes the model of a mass.
    """
    from matplotlib.ticker import NullFormatter

    from siren_py.errors import KinematicsError, UnknownNameError

    low, high = masses
    grid = np.geomspace(low, high, 60 if SMALL else 400)
    share, width = np.full(grid.size, np.nan), np.full(grid.size, np.nan)
    for i, mass in enumerate(grid):
        model = model_of(float(mass))
        try:
            share[i], width[i] = model.branching_ratio(channel), model.width(channel)
        except (KinematicsError, UnknownNameError):
            continue  # below its threshold
    figure, (left, right) = new_figure(2, 8.0, 3.6)
    left.plot(grid, share, color=COLOURS[0])
    left.set_ylabel(f"branching ratio of N -> {channel}")
    left.set_ylim(0.0, 1.1 * np.nanmax(share))
    right.plot(grid, width, color=COLOURS[1])
    right.set_ylabel("partial width [GeV]")
    right.set_yscale("log")
    for ax in (left, right):
        # Labels between the decades would run into each other.
        if high > 3.0 * low:
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("mass of N [GeV]")
        ax.set_xlim(low, high)
    return show(figure)


def decays(model: Any, channel: str, visible: Sequence[int], energy: float) -> Any:
    """Draw where the visible particles go, for N whose spin points along its flight.

    Left: cosine between the visible momentum and the spin in the rest frame of N. Right: their
    share of the energy of an N of `energy` [GeV] in the laboratory. Prints the means.
    """
    from siren_py.models import HNL_PDG

    n = 4000 if SMALL else 200_000
    rng = np.random.default_rng(1)
    decay = next(d for d in model.decays(HNL_PDG) if channel in d.channels)
    codes = np.full(n, HNL_PDG)

    def visible_momenta(flight: float, spin: float) -> Any:
        momentum = np.zeros((n, 4))
        momentum[:, 0], momentum[:, 3] = flight, np.sqrt(flight**2 - model.mass**2)
        polarization = np.zeros((n, 3))
        polarization[:, 2] = spin
        state = decay.sample(channel, momentum, polarization, codes, rng)
        wanted = np.isin(state.pdg, visible)
        return np.where(wanted[..., None], state.momenta, 0.0).sum(axis=1)

    figure, (left, right) = new_figure(2, 8.0, 3.6)
    words = {1.0: "spin along the flight", 0.0: "no polarisation"}
    for i, (spin, label) in enumerate(words.items()):
        p = visible_momenta(model.mass, spin)
        length = np.linalg.norm(p[:, 1:], axis=1)
        cosine = p[:, 3] / length
        share = visible_momenta(energy, spin)[:, 0] / energy
        style = {"histtype": "step", "color": COLOURS[i], "linestyle": STYLES[i], "label": label}
        left.hist(cosine, bins=40, range=(-1.0, 1.0), density=True, **style)
        right.hist(share, bins=40, range=(0.0, 1.0), density=True, **style)
        print(f"{label}: mean cosine {cosine.mean():+.3f}, mean share {share.mean():.3f}")
    left.set_xlabel("cosine of visible momentum and spin, rest frame")
    right.set_xlabel(f"visible energy / energy of N, {energy:g} GeV")
    left.set_ylabel("density of decays")
    left.legend(frameon=False, fontsize="small")
    return show(figure)


def widths(model: Any, channel: str) -> None:
    """Print width, branching ratio and decay length."""
    print(f"{model!r}")
    print(f"partial width     {model.width(channel):.4g} GeV")
    print(f"branching ratio   {model.branching_ratio(channel):.4g}")
    print(f"lifetime of N     {model.lifetime:.4g} ns")
    energy = max(1.0, 2.0 * model.mass)
    length = float(model.decay_length(energy))
    print(f"decay length      {length:.4g} cm at {energy:g} GeV")
