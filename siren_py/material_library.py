"""Materials that detectors share, each with the source of its composition and density.

Sources, named below by their short form:

- PDG: Particle Data Group, Atomic and nuclear properties of materials (2024).
- NIST: NIST Standard Reference Database 124 (ESTAR, composition of materials).
- ND280 MC: materials of the official ND280 simulation, as published in the repository
  t2k-nd280-upgrade/t2k-nd280-upgrade, ExN02DetectorConstruction.cc.

Use ``MATERIAL.with_density(...)`` for the same stuff at another density.

Examples
--------
>>> from siren_py.material_library import LEAD
>>> LEAD.density
11.35
"""

from __future__ import annotations

from siren_py.materials import Material

# ----- gases at 20 C and 1 atm -------------------------------------------------------------------

AIR = Material(
    "air", {"C": 0.000124, "N": 0.755267, "O": 0.231782, "Ar": 0.012827}, density=1.205e-3
)
"""Dry air: PDG, NIST."""

CARBON_DIOXIDE = Material.from_formula("CO2", density=1.842e-3, name="carbon dioxide")
"""NIST."""

T2K_GAS = Material.from_formula("Ar0.95(CF4)0.03(C4H10)0.02", density=1.738e-3, name="T2K gas")
"""Ar:CF4:iC4H10 95:3:2 BY VOLUME, i.e. by number of molecules (T2K TPC, NIM A637, 25 (2011));
hence by mass .909 : .063 : .028. Density 1.738e-3 g/cm3 at NTP: ND280 MC (R. Openshaw); the ideal
gas of that mixture has 1.736e-3."""

# ----- liquids and plastics ----------------------------------------------------------------------

WATER = Material.from_formula("H2O", density=1.0, name="water")
"""PDG."""

POLYSTYRENE = Material.from_formula("C8H8", density=1.06, name="polystyrene")
"""PDG."""

SCINTILLATOR = Material.from_formula("C8H8", density=1.05, name="polystyrene scintillator")
"""Extruded polystyrene bars: ND280 MC (tuned for ECal and SMRD)."""

PLASTIC_SCINTILLATOR = Material.from_formula("C9H10", density=1.032, name="plastic scintillator")
"""Polyvinyltoluene: PDG (there "vinyltoluene-based")."""

HDPE = Material.from_formula("CH2", density=0.94, name="HDPE")
"""High-density polyethylene: ND280 MC (PDG: polyethylene .93)."""

POLYPROPYLENE = Material.from_formula("CH2", density=0.90, name="polypropylene")
"""PDG."""

POLYCARBONATE = Material.from_formula("C16H14O3", density=1.20, name="polycarbonate")
"""PDG."""

PVC = Material.from_formula("C2H3Cl", density=1.38, name="PVC")
"""Polyvinylchloride: ND280 MC for the density (PDG 1.30)."""

EPOXY = Material.from_formula("C21H24O4", density=1.2, name="epoxy")
"""Diglycidyl ether of bisphenol A; 1.1 to 1.4 g/cm3 as cured, by filler."""

KAPTON = Material.from_formula("C22H10N2O5", density=1.42, name="Kapton")
"""Polyimide film: PDG, NIST."""

ARAMID = Material.from_formula("C14H10N2O2", density=1.44, name="aramid")
"""Kevlar fibre: NIST."""

ARAMID_HONEYCOMB = Material.from_mass_fractions("aramid honeycomb", {ARAMID: 1.0}, density=0.032)
"""Nomex honeycomb; 32 kg/m3 is a common grade (Hexcel HRH-10 data sheets) [unverified for T2K]."""

ROHACELL = Material.from_formula("C5H8O2", density=0.052, name="Rohacell")
"""Polymethacrylimide foam, with the composition of PMMA: ND280 MC."""

# ----- composites --------------------------------------------------------------------------------

CARBON_FIBRE = Material.from_formula("C6O", density=1.75, name="carbon fibre")
"""Carbon-fibre laminate; composition approximate: ND280 MC."""

G10 = Material(
    "G10",
    {"H": 0.062, "B": 0.022, "C": 0.368, "O": 0.307, "Na": 0.022, "Si": 0.219},
    density=1.70,
)
"""Glass and epoxy, 57:43 by volume: ND280 MC."""

TITANIUM_DIOXIDE = Material.from_formula("TiO2", density=4.26, name="titanium dioxide")
"""Pigment of the reflective coating of scintillator bars: NIST."""

CONCRETE = Material(
    "concrete",
    {
        "H": 0.01,
        "C": 0.001,
        "O": 0.529107,
        "Na": 0.016,
        "Mg": 0.002,
        "Al": 0.033872,
        "Si": 0.337021,
        "K": 0.013,
        "Ca": 0.044,
        "Fe": 0.014,
    },
    density=2.3,
)
"""Shielding concrete: PDG, NIST."""

# ----- metals ------------------------------------------------------------------------------------

ALUMINIUM = Material.from_element("Al", density=2.699, name="aluminium")
"""PDG."""

IRON = Material.from_element("Fe", density=7.874, name="iron")
"""PDG."""

STEEL = Material("steel", {"Fe": 0.998, "C": 0.002}, density=7.85)
"""Low-carbon steel, as used in magnets."""

STAINLESS_STEEL = Material(
    "stainless steel", {"Fe": 0.70, "Cr": 0.19, "Ni": 0.10, "Mn": 0.01}, density=8.0
)
"""Type 304 (AISI: 18-20 % Cr, 8-10.5 % Ni)."""

COPPER = Material.from_element("Cu", density=8.96, name="copper")
"""PDG."""

BRASS = Material("brass", {"Cu": 0.70, "Zn": 0.30}, density=8.53)
"""Cartridge brass, UNS C26000."""

LEAD = Material.from_element("Pb", density=11.35, name="lead")
"""PDG."""
