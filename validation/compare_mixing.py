"""Compare N from kaons in the TPCs of ND280 with the tables of T2K and of arXiv:2109.03831.

T2K's search (Phys. Rev. D 100, 052006 (2019)) released the number of decays of N in the TPCs at
U^2 = 1, forward horn current, 12.34e20 protons on target, without decay on the way, for a Majorana
N. Here N comes from the digitised flux of neutrinos from kaons, scaled at equal energy, or from
kaons at the off-axis angle that decay again (`siren_py.flux.mesons`). arXiv:2109.03831 scales; its
grids of events hold an efficiency, for which that of T2K's release for this mode is taken.

Every number comes from a simulation of a box detector with the sizes of the published analyses::

    python validation/compare_mixing.py [attempts]

The table goes to compare_mixing.csv beside this file.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

import siren_py as sp
from siren_py.flux.mesons import effective_parents, from_neutrino_flux, redecay, t2k_parent_flux
from siren_py.geometry import Box
from siren_py.models_mixing import MassMixing

OFF_AXIS = np.deg2rad(2.042)
POT = 12.34e20
# So small that all N arrive; rates at U^2 = 1 follow from U^4.
SMALL = 1e-12

# Lepton of the production, decay, its mixing, decays in the release by mass [GeV].
T2K = [
    ("mu", "e- pi+", "U_e2", {0.15: 2.0331e14, 0.2: 1.7078e16, 0.25: 1.3041e17, 0.3: 5.9438e17,
                              0.35: 2.0862e18, 0.38: 3.5794e18}),
    ("mu", "mu- pi+", "U_mu2", {0.25: 1.6287e16, 0.3: 2.9019e17, 0.35: 1.365e18, 0.38: 2.5671e18}),
    ("mu", "nu e+ e-", "U_e2", {0.15: 1.5523e14, 0.2: 1.5845e15, 0.25: 1.0499e16, 0.3: 5.3201e16,
                                0.35: 2.2077e17, 0.38: 4.2324e17}),
    ("mu", "nu mu+ mu-", "U_mu2", {0.25: 1.4706e14, 0.3: 5.2373e15, 0.35: 4.7939e16,
                                   0.38: 1.2197e17}),
    ("e", "e- pi+", "U_e2", {0.15: 1.2142e14, 0.2: 1.1332e16, 0.25: 8.8159e16, 0.3: 3.8284e17,
                             0.35: 1.2018e18, 0.38: 2.0549e18, 0.42: 3.239e18, 0.46: 2.8739e18,
                             0.48: 1.5361e18}),
    ("e", "nu e+ e-", "U_e2", {0.15: 9.2611e13, 0.25: 7.0897e15, 0.35: 1.2676e17, 0.46: 4.4872e17}),
]  # fmt: skip

# Events of nu e+ e- behind the limits of arXiv:2109.03831: d_mu [1/GeV], mass [GeV], U_mu^2,
# events; T2K's efficiency for K -> mu N, N -> nu e+ e- (mean of the modes nu_e and nu_mu,tau) at
# the nearest mass of the release, which scatters by 10 %; there is none below 0.14 GeV.
GRIDS = [
    (5e-7, 0.1451, 1.842e-11, 1.339, 0.0737),
    (5e-7, 0.1966, 5.179e-9, 16.65, 0.0956),
    (5e-7, 0.2481, 5.179e-9, 0.01441, 0.0972),
    (0.0, 0.1451, 1.931e-7, 0.05429, 0.0737),
    (0.0, 0.1966, 1e-5, 1461.0, 0.0956),
    (0.0, 0.2481, 1.931e-7, 2.471, 0.0972),
    (0.0, 0.3511, 3.728e-9, 0.004807, 0.1021),
]


def hall(lengths):
    """Boxes of the fiducial volumes, one after another along the beam, 280 m from the source."""
    detector = sp.DetectorModel("boxes")
    detector.add("air", Box(400, 400, 900), sp.Material.from_element("N", density=1.2e-3))
    names = []
    for k, length in enumerate(lengths):
        names.append(f"tpc{k + 1}")
        detector.add_region(names[-1], Box(170, 196, length), at=(0, 0, 136 * (k - 1)))
    detector.add_region("tpc", names)
    detector.set_beam((0, 0, 1), distance=28000.0)
    return detector


def fluxes(method, lepton, mass, mixing, nature):
    result = []
    for parent in ("K+", "K-"):
        table = t2k_parent_flux(parent)
        if method == "scaled":
            flux = from_neutrino_flux(
                table, parent, lepton, mass, mixing, nature=nature, name=f"{parent} scaled"
            )
        else:
            parents = effective_parents(table, parent, angle=OFF_AXIS, outside="zero")
            flux = redecay(
                parents, lepton, mass, mixing, nature=nature, name=f"{parent} redecay", mode="fhc"
            )
        result.append(flux)
    return result


def main(attempts=20_000):
    rows = []
    detector = hall([56.3] * 3)
    for lepton, decay, mixing, published in T2K:
        for mass, expected in published.items():
            model = MassMixing(mass, **{mixing: SMALL}, nature="majorana")
            row = {"table": "T2K decays", "mode": f"K -> {lepton} N, N -> {decay}", "mass": mass}
            for method in ("scaled", "redecay"):
                sim = sp.Simulation(
                    detector, fluxes(method, lepton, mass, SMALL, "majorana"), model,
                    decay=decay, region="tpc",
                )  # fmt: skip
                got = sim.run(attempts, seed=1, progress=False).expected(POT)
                row[method] = f"{got.value / SMALL**2 / expected:.3f}"
            rows.append(row)
    box = hall([168.0])
    for d_mu, mass, mixing, events, efficiency in GRIDS:
        model = MassMixing(mass, U_mu2=mixing, d_mu=d_mu)
        name = "events with dipole" if d_mu else "events without dipole"
        row = {"table": name, "mode": f"nu e+ e-, U_mu2 = {mixing:g}", "mass": mass}
        for method in ("scaled", "redecay"):
            sim = sp.Simulation(
                box, fluxes(method, "mu", mass, mixing, "dirac"), model,
                decay="nu e+ e-", region="tpc",
            )  # fmt: skip
            got = sim.run(attempts, seed=1, progress=False).expected(18.63e20)
            row[method] = f"{got.value * efficiency / events:.3f}"
        rows.append(row)
    path = Path(__file__).with_suffix(".csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("# siren_py over published number; N from kaons in the TPCs of ND280\n")
        writer = csv.DictWriter(file, ["table", "mode", "mass", "scaled", "redecay"])
        writer.writeheader()
        writer.writerows(rows)
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
