"""
NuMI at MINERvA, low energy
===========================

The low-energy tune.
"""

from __future__ import annotations

from gallery_pages import spectra

from siren_py.flux import parse_flux

ALL = "numu,numubar,nue,nuebar"
fluxes = [flux for mode in ("fhc", "rhc") for flux in parse_flux(f"numi-minerva:{mode}:{ALL}")]
spectra(fluxes, "NuMI beam at MINERvA, low energy", highest=20.0)

# %%
# Where the table comes from:

for key, value in fluxes[0].source.items():
    print(f"{key}: {value}")
