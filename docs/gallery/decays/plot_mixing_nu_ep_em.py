"""
Mixing: N -> nu e+ e-
=====================

Through W and Z for a mixing with the electron neutrino, through Z alone for the other two.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "nu e+ e-"
model = sp.MassMixing(mass=0.1, U_e2=1e-9)
widths(model, CHANNEL)

# %%
# Against the mass, with the mixing kept.

branching(lambda mass: sp.MassMixing(mass=mass, U_e2=1e-9), CHANNEL, (0.0011, 0.54))

# %%
# The visible particles, for a Dirac N.

decays(model, CHANNEL, visible=[-11, 11], energy=1.0)
