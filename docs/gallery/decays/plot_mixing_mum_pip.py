"""
Mixing: N -> mu- pi+
====================

Through W; a clean signature in a tracker. The antiparticle has ``mu+ pi-``, a Majorana N both.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "mu- pi+"
model = sp.MassMixing(mass=0.3, U_mu2=1e-9)
widths(model, CHANNEL)

# %%
# Against the mass, with the mixing kept.

branching(lambda mass: sp.MassMixing(mass=mass, U_mu2=1e-9), CHANNEL, (0.246, 0.54))

# %%
# The lepton, for a Dirac N.

decays(model, CHANNEL, visible=[13], energy=1.0)
