"""N from kaons at ND280: fluxes, decays to nu e+ e-, and limits, by integrals over the momentum.

With n(p) dp the N per area and proton on target that would arrive if they were stable,

    decays = POT A BR(nu e+ e-) int dp n(p) exp(-L/lambda) [1 - exp(-l/lambda)],

lambda = (p/m) hbar c/Gamma. Used by the reproductions of arXiv:2109.03831 and arXiv:2412.15051.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.constants import HBARC
from siren_py.errors import unknown_name

D_MU = 5e-7  # 1/GeV: mu_tr = 2 d = 1e-6/GeV
LEVEL = 2.3  # events, 90 % if none is observed and none expected
EXPOSURE: Mapping[str, float] = {"fhc": 12.34e20, "rhc": 6.29e20}


class Place(NamedTuple):
    """Where N decays are counted."""

    area: float
    """Area across the beam [cm2]."""
    length: float
    """Length along the beam [cm]."""
    distance: float
    """Way of N from its production to the near end [cm]."""


ND280 = Place(170.0 * 196.0, 168.0, 28000.0)
"""As in arXiv:2109.03831: three TPCs of 1.7 x 1.96 x 0.56 m3, 280 m from the source."""

METHODS: Mapping[str, str] = {
    "momentum": "flux of neutrinos at E = p_N",
    "energy": "flux of neutrinos at E = E_N",
    "redecay": "kaons decay again",
}
"""How the flux of N is found -> in words. The first is that of the paper."""

STEP = 0.0025  # GeV
_HIGHEST = 10.0  # GeV, the end of the table of the flux
PARTS = 12  # of each bin of a histogram
KAONS = "at the off-axis angle, and at ND280 if their neutrinos have too much energy for that"
OFF_AXIS = float(np.deg2rad(2.042))  # of ND280, T2K flux release
_COUPLINGS = np.geomspace(1e-15, 1.0, 76)

# The straight line of the authors' program below the first mass of T2K.
_FITTED = 17


def efficiency(mass: ArrayLike) -> FloatArray:
    """Efficiency that arXiv:2109.03831 takes for N -> nu e+ e-, the shape of `mass` [GeV].

    T2K's release, K -> mu N, N -> nu_mu e+ e-: selected by any of the five channels, both beam
    modes weighted by their exposures, straight between its masses. Below 0.14 GeV nothing is
    known; as in the authors' program, a straight line through the masses from 0.14 to 0.30 GeV
    is continued. It falls to 80 % of the value at 0.14 GeV at 0.02 GeV.
    """
    from siren_py.experiments.t2k_release import BEAMS, release

    table = release()
    mode = next(
        i for i, m in enumerate(table.modes) if (m.production, m.decay) == ("mu", "nu_mu/tau e+ e-")
    )
    shares = np.array([EXPOSURE[beam] for beam in BEAMS]) / sum(EXPOSURE.values())
    values = shares @ table.efficiencies[mode].sum(axis=0)
    slope, start = np.polyfit(table.masses[:_FITTED], values[:_FITTED], 1)
    m = np.asarray(mass, dtype=np.float64)
    line = start + slope * m
    return np.asarray(np.where(m < table.masses[0], line, np.interp(m, table.masses, values)))


class Spectrum(NamedTuple):
    """N that arrive if they are stable and |U_mu|^2 = 1."""

    momenta: FloatArray
    """Nodes [GeV], (n,)."""
    counts: FloatArray
    """N per cm2 and proton on target of each node, (n,)."""


@lru_cache(maxsize=256)
def spectrum(mass: float, method: str) -> Spectrum:
    """Return the momenta of N at ND280, neutrino mode, K+ and K- together.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    method
        One of `METHODS`.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    KinematicsError
        If kaons cannot make a muon and this N.
    """
    from siren_py.flux.mesons import redecay, t2k_parent_flux
    from siren_py.processes import meson_production as production

    if method not in METHODS:
        raise unknown_name("method for the flux of N", method, METHODS)
    if method == "redecay":
        parts = [
            nodes(redecay(kaons(kaon), "mu", mass, 1.0, mode="fhc"), mass) for kaon in ("K+", "K-")
        ]
        return Spectrum(*(np.concatenate(p) for p in zip(*parts, strict=True)))
    rho = production.phase_space_ratio(mass, "mu", "K+", relative_to="mu")
    low = 0.0 if method == "momentum" else mass
    count = int(np.ceil((_HIGHEST - low) / STEP))
    width = (_HIGHEST - low) / count
    x = low + (np.arange(count) + 0.5) * width
    offset = 0.0 if method == "momentum" else mass
    momenta: FloatArray = np.sqrt((x - offset) * (x + offset))
    flux = np.zeros(count)
    for kaon in ("K+", "K-"):
        flux += t2k_parent_flux(kaon).density(x)
    return Spectrum(momenta, flux * (rho * width))


@lru_cache(maxsize=2)
def kaons(name: str) -> Any:
    """Kaons that make T2K's flux of neutrinos at ND280, as `siren_py.flux.mesons.Parents`.

    They fly at the off-axis angle to the line of sight, those of neutrinos above 6.6 GeV, which
    cannot come from there, straight at ND280.

    Parameters
    ----------
    name
        ``"K+"`` or ``"K-"``.
    """
    from siren_py.flux.mesons import effective_parents, t2k_parent_flux

    return effective_parents(t2k_parent_flux(name), name, angle=OFF_AXIS, outside="zero")


def nodes(flux: Any, mass: float) -> Spectrum:
    """Midpoints of the parts of the bins of a histogram."""
    edges, values = np.asarray(flux.edges), np.asarray(flux.values)
    width = np.repeat(np.diff(edges) / PARTS, PARTS)
    inside = np.tile((np.arange(PARTS) + 0.5), values.size)
    energy = np.repeat(edges[:-1], PARTS) + inside * width
    momenta = np.sqrt((energy - mass) * (energy + mass))
    return Spectrum(momenta, np.repeat(values, PARTS) * width)


def decays(
    mass: float,
    u2: ArrayLike,
    d_mu: float,
    arriving: Spectrum,
    *,
    place: Place = ND280,
    pot: float = sum(EXPOSURE.values()),
    branching_ratio: float | None = None,
) -> FloatArray:
    """Expected decays to nu e+ e-, before the efficiency, the shape of `u2`.

    Parameters
    ----------
    mass
        Mass of N [GeV].
    u2
        |U_mu|^2, any shape.
    d_mu
        Dipole [1/GeV], 0 for none.
    arriving
        What `spectrum` returns.
    place, pot
        Where, and for how many protons on target.
    branching_ratio
        Share of nu e+ e-; by default that of `siren_py.models_mixing.MassMixing`.
    """
    mixings = np.atleast_1d(np.asarray(u2, dtype=np.float64))
    mixing, mixing_pairs, dipole, dipole_pairs = _widths(mass, d_mu)
    width = mixings * mixing + dipole
    share = (mixings * mixing_pairs + dipole_pairs) / width
    if branching_ratio is not None:
        share = np.full_like(share, branching_ratio)
    rate = width[:, None] * (mass / HBARC / arriving.momenta)
    decayed = -np.exp(-place.distance * rate) * np.expm1(-place.length * rate)
    found = mixings * share * (decayed @ arriving.counts) * (pot * place.area)
    return np.asarray(found.reshape(np.shape(u2)))


@lru_cache(maxsize=256)
def _widths(mass: float, d_mu: float) -> tuple[float, float, float, float]:
    """Widths [GeV] by mixing for |U_mu|^2 = 1, all and nu e+ e-, and the same by the dipole."""
    from siren_py.models_mixing import MassMixing

    mixing, both = MassMixing(mass, U_mu2=1.0), MassMixing(mass, U_mu2=1.0, d_mu=d_mu)
    # Widths by mixing and by the dipole add up.
    alone, pairs = mixing.width(), mixing.width("nu e+ e-")
    return alone, pairs, both.width() - alone, both.width("nu e+ e-") - pairs


def upper_limit(mass: float, d_mu: float, arriving: Spectrum, eff: float, **options: Any) -> float:
    """Smallest |U_mu|^2 at which `LEVEL` events are expected; NaN if there is none below 1."""
    from scipy.optimize import brentq

    def excess(log_u2: float) -> float:
        events = float(decays(mass, np.exp(log_u2), d_mu, arriving, **options)) * eff
        return float(np.log(max(events, 1e-300) / LEVEL))

    above = decays(mass, _COUPLINGS, d_mu, arriving, **options) * eff >= LEVEL
    first = int(np.argmax(above))
    if not above.any() or first == 0:
        return float("nan")
    low, high = np.log(_COUPLINGS[first - 1 : first + 1])
    return float(np.exp(brentq(excess, low, high, xtol=1e-10)))
