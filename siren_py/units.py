"""Unit constants: multiply by them to enter a quantity, divide by them to read one.

Inside siren_py energies, momenta and masses are in GeV, lengths in cm, times in ns, masses of
matter in g, angles in rad. ``2.3 * m`` is therefore 230.0 and ``density / (kg / m3)`` is a
density in kg/m3.
"""

from __future__ import annotations

from math import pi

# energy [GeV]
eV = 1e-9
keV = 1e-6
MeV = 1e-3
GeV = 1.0
TeV = 1e3
PeV = 1e6

# length [cm]
fm = 1e-13
nm = 1e-7
um = 1e-4
mm = 0.1
cm = 1.0
m = 100.0
km = 1e5
inch = 2.54

# area and volume [cm2], [cm3]
mm2 = mm**2
cm2 = 1.0
m2 = m**2
barn = 1e-24
millibarn = 1e-27
microbarn = 1e-30
picobarn = 1e-36
attobarn = 1e-42
cm3 = 1.0
m3 = m**3
litre = 1e3

# time [ns]
ns = 1.0
us = 1e3
ms = 1e6
s = 1e9

# mass of matter [g]
mg = 1e-3
g = 1.0
kg = 1e3
tonne = 1e6

# angle [rad]
rad = 1.0
mrad = 1e-3
deg = pi / 180.0

# fractions
percent = 1e-2
