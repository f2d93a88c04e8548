"""
NuMI at MINERvA, medium energy
==============================

The medium-energy tune, table ``me``.
"""

from __future__ import annotations

from gallery_pages import spectra

import siren_py as sp

fluxes = [
    sp.load_flux("numi-minerva", mode=mode, flavor=flavor, table="me", below="zero")
    for mode in ("fhc", "rhc")
    for flavor in ("numu", "numubar", "nue", "nuebar")
]
spectra(fluxes, "NuMI beam at MINERvA, medium energy", highest=20.0)

# %%
# Where the table comes from:

for key, value in fluxes[0].source.items():
    print(f"{key}: {value}")
