"""
Dipole: N -> nu gamma
=====================

The main decay by a dipole. The width is d² m³/4π for a Dirac N and twice that for a Majorana N. The
photon goes against the spin: its cosine has the density (1 - S cos)/2.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "nu gamma"
model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
widths(model, CHANNEL)

# %%
# Against the mass, with the coupling kept.

branching(lambda mass: sp.DipolePortal(mass=mass, d_mu=3.87e-7), CHANNEL, (0.001, 2.0))

# %%
# The visible particles. N made by a neutrino is polarised along its flight nearly fully.

decays(model, CHANNEL, visible=[22], energy=1.0)
