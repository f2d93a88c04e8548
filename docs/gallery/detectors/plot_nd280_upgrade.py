"""
ND280, upgraded
===============

ND280 since 2023: a finely segmented target (SuperFGD) and two high-angle TPCs in place of the P0D.
"""

from __future__ import annotations

import numpy as np
from gallery_pages import SMALL, show

import siren_py as sp

detector = sp.load_detector("nd280-upgrade")
show(detector.draw(pixels=200 if SMALL else 1200))

# %%
# Where the beam comes from, and how much matter a neutrino crosses through the middle of a region.

low, high = detector.region("all-tpc").solids[0].box()
middle = 0.5 * (low + high)
direction = np.asarray(detector.beam.direction)
print(f"beam along {direction.round(4)}")
start = middle - 5000.0 * direction
depth = detector.column_depth([start], [middle])[0]
print(f"{depth:.1f} g/cm2 in the last 50 m before 'all-tpc'")

# %%
# The audit: masses, published masses, regions, findings.

report = detector.check()
print(report)
assert report.ok
