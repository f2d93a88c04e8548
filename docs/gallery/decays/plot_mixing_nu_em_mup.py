"""
Mixing: N -> nu e- mu+
======================

Through W alone; N mixes with the electron neutrino.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "nu e- mu+"
model = sp.MassMixing(mass=0.3, U_e2=1e-9)
widths(model, CHANNEL)

# %%
# Against the mass, with the mixing kept.

branching(lambda mass: sp.MassMixing(mass=mass, U_e2=1e-9), CHANNEL, (0.107, 0.54))

# %%
# The visible particles, for a Dirac N.

decays(model, CHANNEL, visible=[11, -13], energy=1.0)
