"""
T2K at ND280
============

The release of 2016, neutrino mode (fhc) and antineutrino mode (rhc); ``:2020`` takes the later one.
"""

from __future__ import annotations

from gallery_pages import spectra

from siren_py.flux import parse_flux

ALL = "numu,numubar,nue,nuebar"
fluxes = [flux for mode in ("fhc", "rhc") for flux in parse_flux(f"t2k-nd280:{mode}:{ALL}")]
spectra(fluxes, "T2K beam at ND280, release of 2016", highest=10.0)

# %%
# Where the table comes from:

for key, value in fluxes[0].source.items():
    print(f"{key}: {value}")
