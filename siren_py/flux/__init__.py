"""Neutrino fluxes per proton on target: histograms, points, single energies, and users' own.

A flux is a density in energy, 1/(GeV cm2 POT), that can also be sampled; density and sampling are
the same function by construction, so that density over integral is exactly the probability
density of the sampled energies. Anything with the four members of `FluxLike` is a flux for
siren_py, whether or not it derives from `Flux`.
"""

from __future__ import annotations

from siren_py.flux.base import FLAVORS, UNIT, Flux, FluxLike, flavor_name
from siren_py.flux.library import load_flux, parse_flux
from siren_py.flux.points import PointsFlux
from siren_py.flux.spectra import HistogramFlux, MonoenergeticFlux
from siren_py.flux.tables import FluxFolder, read_flux_folder

__all__ = [
    "FLAVORS",
    "UNIT",
    "Flux",
    "FluxFolder",
    "FluxLike",
    "HistogramFlux",
    "MonoenergeticFlux",
    "PointsFlux",
    "flavor_name",
    "load_flux",
    "parse_flux",
    "read_flux_folder",
]
