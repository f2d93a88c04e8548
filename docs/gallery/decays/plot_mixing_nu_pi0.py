"""
Mixing: N -> nu pi0
===================

Through Z. The widest decay just above its threshold of 0.135 GeV.
"""

from __future__ import annotations

from gallery_pages import branching, decays, widths

import siren_py as sp

CHANNEL = "nu pi0"
model = sp.MassMixing(mass=0.3, U_mu2=1e-9)
widths(model, CHANNEL)

# %%
# Against the mass, with the mixing kept.

branching(lambda mass: sp.MassMixing(mass=mass, U_mu2=1e-9), CHANNEL, (0.136, 0.54))

# %%
# The visible particles, for a Dirac N.

decays(model, CHANNEL, visible=[111], energy=1.0)
