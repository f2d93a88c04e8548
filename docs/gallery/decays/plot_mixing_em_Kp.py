"""
Mixing: N -> e- K+
==================

Through W, Cabibbo-suppressed, open above 0.494 GeV. The antiparticle has ``e+ K-``. ``mu- K+`` and
``mu+ K-`` open at 0.599 GeV, above the mass of the eta, where the list of decays ends.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "e- K+"
model = sp.MassMixing(mass=0.53, U_e2=1e-9)
widths(model, CHANNEL)

# %%
# Against the mass, with the mixing kept.

branching(lambda mass: sp.MassMixing(mass=mass, U_e2=1e-9), CHANNEL, (0.4945, 0.54))

# %%
# The lepton, for a Dirac N.

decays(model, CHANNEL, visible=[11], energy=1.0)
