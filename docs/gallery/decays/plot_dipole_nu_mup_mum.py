"""
Dipole: N -> nu mu+ mu-
=======================

As ``nu e+ e-`` with muons, open above 0.211 GeV.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "nu mu+ mu-"
model = sp.DipolePortal(mass=0.4, d_mu=3.87e-7)
widths(model, CHANNEL)

# %%
# Against the mass, with the coupling kept.

branching(lambda mass: sp.DipolePortal(mass=mass, d_mu=3.87e-7), CHANNEL, (0.212, 2.0))

# %%
# The visible particles. N made by a neutrino is polarised along its flight nearly fully.

decays(model, CHANNEL, visible=[-13, 13], energy=1.2000000000000002)
