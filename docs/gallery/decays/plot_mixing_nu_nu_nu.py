"""
Mixing: N -> nu nu nu
=====================

Invisible, and the largest width at small masses: ``G² m⁵ |U|² / 192π³`` for a Dirac N.
"""

from __future__ import annotations

from gallery_pages import branching, widths

import siren_py as sp

CHANNEL = "nu nu nu"
model = sp.MassMixing(mass=0.1, U_mu2=1e-9)
widths(model, CHANNEL)

# %%
# Against the mass, with the mixing kept.

branching(lambda mass: sp.MassMixing(mass=mass, U_mu2=1e-9), CHANNEL, (0.01, 0.54))
