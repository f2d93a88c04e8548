"""
BNB at MiniBooNE
================

The Booster Neutrino Beam, release of 2009.
"""

from __future__ import annotations

from gallery_pages import spectra

from siren_py.flux import parse_flux

ALL = "numu,numubar,nue,nuebar"
fluxes = [flux for mode in ("fhc", "rhc") for flux in parse_flux(f"bnb-miniboone:{mode}:{ALL}")]
spectra(fluxes, "Booster Neutrino Beam at MiniBooNE", highest=5.0)

# %%
# Where the table comes from:

for key, value in fluxes[0].source.items():
    print(f"{key}: {value}")
