"""
T2K at ND280, by parent meson
=============================

Muon neutrinos from kaons and from pions, digitised; neutrino mode only. N of mass mixing come from
these parents.
"""

from __future__ import annotations

from gallery_pages import spectra

import siren_py as sp

LABELS = ("numu from pi+", "numu from K+", "numubar from pi-", "numubar from K-")
fluxes = [
    sp.load_flux("t2k-nd280-parents", mode="fhc", flavor=flavor, table=table, below="zero")
    for table, flavor in (
        ("numu-pion", "numu"),
        ("numu-kaon", "numu"),
        ("numubar-pion", "numubar"),
        ("numubar-kaon", "numubar"),
    )
]
spectra(fluxes, "T2K beam at ND280, by parent", highest=10.0, labels=LABELS)

# %%
# Where the table comes from:

for key, value in fluxes[0].source.items():
    print(f"{key}: {value}")
