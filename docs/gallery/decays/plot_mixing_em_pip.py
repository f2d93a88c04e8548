"""
Mixing: N -> e- pi+
===================

Through W. The antiparticle has ``e+ pi-``, a Majorana N both.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "e- pi+"
model = sp.MassMixing(mass=0.3, U_e2=1e-9)
widths(model, CHANNEL)

# %%
# Against the mass, with the mixing kept.

branching(lambda mass: sp.MassMixing(mass=mass, U_e2=1e-9), CHANNEL, (0.141, 0.54))

# %%
# The lepton, for a Dirac N.

decays(model, CHANNEL, visible=[11], energy=1.0)
