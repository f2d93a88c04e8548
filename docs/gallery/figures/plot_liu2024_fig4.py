"""
liu2024-fig4
============

The limit of ND280 on a dipole N as published (arXiv:2412.15051), with the choices behind it put in
by name, and with physical ones. A few masses; all lines and each step between are made by
``siren-py reproduce liu2024-fig4 --output liu2024-fig4``, and are on :doc:`/validation`.
"""

from __future__ import annotations

import warnings

from gallery_pages import COLOURS, SMALL, new_figure, show

from siren_py.experiments.liu2024_compat import CompatibilityWarning
from siren_py.experiments.liu2024_limits import limit_line
from siren_py.published import load_curve
from siren_py.reproduction import find_reproduction

module = find_reproduction("liu2024-fig4")
print(module.TITLE)
print(module.CITATION)

masses = [0.05, 0.1] if SMALL else [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5]
with warnings.catch_warnings():
    # The first line is what the warning is about.
    warnings.simplefilter("ignore", CompatibilityWarning)
    lines = {name: limit_line(name, masses, n=2000) for name in ("liu2024", "physical")}
for line in lines.values():
    print(line.table())

# %%
# The published line turns back where two stretches meet, so it is drawn as it is.

published = load_curve("liu2024-2019")
figure, ax = new_figure()
ax.plot(published.x, published.y, color="0.6", linewidth=3, label=published.title)
for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
    ax.plot(line.masses, line.lower, "o-", color=colour, label=f"{name}: excluded above")
    ax.plot(line.masses, line.upper, "o:", color=colour, label=f"{name}: and below")
ax.set_xscale("log")
ax.set_yscale("log")
ax.set_xlim(0.015, 1.0)
ax.set_ylim(1e-7, 1e-4)
ax.set_xlabel("mass of N [GeV]")
ax.set_ylabel("d [1/GeV]")
ax.legend(frameon=False, fontsize="small")
show(figure)

# %%
# With survival up to the TPC and the right recoils, heavier N are excluded at much larger couplings
# only, where those count that are made in the gas itself:

for mass, ratio in zip(masses, lines["physical"].lower / lines["liu2024"].lower, strict=True):
    print(f"{mass:g} GeV: {ratio:.1f} times the published d")
