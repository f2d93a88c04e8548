"""Weights of arXiv:2412.15051 that are not physical, each by name and with a warning.

Nothing else in siren_py uses them. They are reweightings of physical lines (or events): what SIREN
0.1.0 did is known well enough to be done again, which shows what a published curve rests on.
"""

from __future__ import annotations

import warnings

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import SirenWarning
from siren_py.experiments.liu2024_lines import SAMPLED, Limits, Lines, Matter, Window
from siren_py.processes.dipole import DipoleUpscattering

WINDOWS = {"nd280": Window(380.0, 380.0), "upgrade": Window(240.0, 530.0)}
"""Injection cylinders of the scripts of arXiv:2412.15051 [cm]."""

CROSS_SECTIONS = {
    "darknews": {
        "pauli_blocking": False, "neutrons": False, "nucleon_form_factors": "dipole",
    },
    "unblocked": {"pauli_blocking": False, "neutrons": True, "nucleon_form_factors": "kelly"},
    "physical": {"pauli_blocking": True, "neutrons": True, "nucleon_form_factors": "kelly"},
}  # fmt: skip
"""Options of `DipoleUpscattering` by name: as DarkNews 0.4.8, as `siren_py.DipolePortal`, and the
latter without Pauli blocking."""

_ENERGIES, _PANELS = 40, 24
_GAUSS, _GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(8)
_NODES = ((_GAUSS[None, :] + 1.0) / 2.0 + np.arange(_PANELS)[:, None]).ravel() / _PANELS
_WEIGHTS = np.tile(_GAUSS_WEIGHTS, _PANELS)


class CompatibilityWarning(SirenWarning):
    """A weight reproduces a fault of a published calculation: it is not physical."""


def warn_compatibility(what: str, stacklevel: int = 3) -> None:
    """Warn that a weight is not physical."""
    warnings.warn(
        f"{what} This is not physical; it serves to reproduce arXiv:2412.15051 alone.",
        CompatibilityWarning,
        stacklevel=stacklevel,
    )


def without_survival(
    matter: Matter, lengths: FloatArray, limits: Limits | None = None
) -> FloatArray:
    """Compatibility weight A: the chance to decay in the box without that to reach it.

    SIREN 0.1.0 and later weight an N that is made upstream of the fiducial volume with
    1 - exp(-l/L), l being its chord there, and leave out exp(-D/L) for the way D to it (issue 86 of
    the SIREN repository). Where L is much shorter than D this is everything.

    Parameters
    ----------
    matter
        Matter on the lines.
    lengths
        Decay lengths [cm], (n,).
    limits
        Where on the lines vertices count: the injection cylinder, `Window.limits`.

    Returns
    -------
    ndarray
        W without survival, (n, boxes) [1/cm2].

    Warns
    -----
    CompatibilityWarning
    """
    warn_compatibility("The chance that N survives up to the fiducial volume is left out.")
    return matter.decays_without_survival(lengths, limits)


def too_forward_q2(lines: Lines, cross_section: str = "darknews") -> FloatArray:
    """Compatibility weight B: Q2 distributed as dsigma/dQ2 / Q2, (n,).

    SIREN's interface to DarkNews proposes Q2 evenly in ln Q2 and accepts it with dsigma/dQ2 where
    Q2 dsigma/dQ2 is due. The factor is (1/Q2) / <1/Q2>, the mean being that over dsigma/dQ2 at this
    energy for this nuclide and part; so rates without cuts on angles do not change.

    Parameters
    ----------
    lines
        The lines.
    cross_section
        Key of `CROSS_SECTIONS`: that whose spectrum the lines are weighted to.

    Warns
    -----
    CompatibilityWarning
    """
    warn_compatibility("The spectrum of Q2 lacks a Jacobian Q2: N fly too far forward.")
    return forward_factor(lines, cross_section)


def forward_factor(lines: Lines, cross_section: str) -> FloatArray:
    """`too_forward_q2` without the warning."""
    process = DipoleUpscattering(lines.mass, 1.0, **CROSS_SECTIONS[cross_section])  # type: ignore[arg-type]
    factor = np.zeros(len(lines))
    for r, (name, part) in enumerate(lines.reactions):
        mine = np.flatnonzero(lines.reaction == r)
        if not mine.size:
            continue
        energy = lines.energy[mine]
        mean = _mean_inverse_q2(process, energy, name, part)
        factor[mine] = np.where(mean > 0.0, 1.0 / (lines.q2[mine] * np.where(mean > 0, mean, 1)), 0)
    return factor


def _mean_inverse_q2(
    process: DipoleUpscattering, energy: FloatArray, name: str, part: str
) -> FloatArray:
    """<1/Q2> [1/GeV2] over dsigma/dQ2, by Gauss-Legendre quadrature in ln Q2."""
    threshold = process.threshold(name, part)
    if not np.isfinite(threshold):
        return np.zeros(energy.size)
    # Close to threshold the range of Q2 opens like the root of the excess: nodes in its logarithm.
    excess = np.geomspace(
        max(float(energy.min()) - threshold, 1e-9 * threshold) * 0.99,
        max(float(energy.max()) - threshold, 1e-9 * threshold) * 1.01,
        _ENERGIES,
    )
    low, high = process.q2_range(threshold + excess, name, part)
    cut = 4.0 if part == "coherent" else 25.0
    low, high = np.log(low), np.log(np.minimum(high, cut))
    q2 = np.exp(low[:, None] + _NODES * (high - low)[:, None])
    density = process.differential(q2, (threshold + excess)[:, None], name, part) * _WEIGHTS
    total = (density * q2).sum(axis=1)
    mean = density.sum(axis=1) / np.where(total > 0.0, total, 1.0)
    good = mean > 0.0
    if not good.any():
        return np.zeros(energy.size)
    x = np.log(np.maximum(energy - threshold, 1e-9 * threshold))
    return np.asarray(np.exp(np.interp(x, np.log(excess[good]), np.log(mean[good]))))


def cross_section_factor(lines: Lines, cross_section: str) -> FloatArray:
    """Ratio of dsigma/dQ2 of `CROSS_SECTIONS` to that which the lines were drawn from, (n,)."""
    wanted = DipoleUpscattering(lines.mass, 1.0, **CROSS_SECTIONS[cross_section])  # type: ignore[arg-type]
    drawn = DipoleUpscattering(lines.mass, 1.0, **SAMPLED)  # type: ignore[arg-type]
    factor = np.ones(len(lines))
    for r, (name, part) in enumerate(lines.reactions):
        mine: IntArray = np.flatnonzero(lines.reaction == r)
        if part == "coherent" or not mine.size:
            continue  # the same in all
        point = (lines.q2[mine], lines.energy[mine], name, part)
        below = drawn.differential(*point)
        ratio = wanted.differential(*point) / np.where(below > 0.0, below, 1.0)
        factor[mine] = np.where(below > 0.0, ratio, 0.0)
    return factor
