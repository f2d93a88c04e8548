"""
Dipole: N -> nu e+ e-
=====================

The decay through a virtual photon. The pair has a small mass and takes over the direction of the
photon; what a tracker with gas sees.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "nu e+ e-"
model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
widths(model, CHANNEL)

# %%
# Against the mass, with the coupling kept.

branching(lambda mass: sp.DipolePortal(mass=mass, d_mu=3.87e-7), CHANNEL, (0.0011, 2.0))

# %%
# The visible particles. N made by a neutrino is polarised along its flight nearly fully.

decays(model, CHANNEL, visible=[-11, 11], energy=1.0)
