"""
Dipole: N -> nu tau+ tau-
=========================

Open above 3.55 GeV, out of reach of the beams here; listed so that widths are complete.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "nu tau+ tau-"
model = sp.DipolePortal(mass=3.8, d_mu=3.87e-7)
widths(model, CHANNEL)

# %%
# Against the mass, with the coupling kept.

branching(lambda mass: sp.DipolePortal(mass=mass, d_mu=3.87e-7), CHANNEL, (3.56, 10.0))

# %%
# The visible particles. N made by a neutrino is polarised along its flight nearly fully.

decays(model, CHANNEL, visible=[-15, 15], energy=11.399999999999999)
