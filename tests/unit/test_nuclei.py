"""Nuclides: masses, abundances, radii and charge densities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from siren_py import nuclei
from siren_py.constants import ATOMIC_MASS_UNIT, ELECTRON_MASS, NEUTRON_MASS, PROTON_MASS
from siren_py.errors import UnknownNameError
from siren_py.nuclei import nuclide

ALL = [nuclide(name) for name in nuclei.nuclide_names()]
NATURAL = [
    symbol for symbol in nuclei.SYMBOLS if any(n.abundance > 0 and n.symbol == symbol for n in ALL)
]
DENSITIES = [n for n in ALL if n.fourier_bessel is not None]


@pytest.mark.parametrize(
    ("name", "mass", "tolerance"),
    [
        ("C12", 11.174864, 1e-6),
        ("Ar40", 37.21553, 2e-5),
        ("H1", PROTON_MASS, 0.0),
        ("neutron", NEUTRON_MASS, 0.0),
        # CODATA 2018: deuteron, triton, helion, alpha particle. The fit to the electron binding is
        # off by 1 eV in hydrogen and by 3 eV in helium.
        ("H2", 1.87561294257, 2e-9),
        ("H3", 2.80892113298, 2e-9),
        ("He3", 2.80839160743, 5e-9),
        ("He4", 3.7273794066, 5e-9),
    ],
)
def test_nuclear_masses(name: str, mass: float, tolerance: float) -> None:
    assert abs(nuclide(name).mass - mass) <= tolerance


def test_electron_binding_energies() -> None:
    # He: sum of the two ionisation energies, 79.0 eV (NIST); Pb: Dirac-Fock total energy, 20914
    # hartree (J. P. Desclaux, At. Data Nucl. Data Tables 12, 311 (1973))
    assert nuclei.electron_binding_energy(2) * 1e9 == pytest.approx(79.0, rel=0.05)
    assert nuclei.electron_binding_energy(82) * 1e6 == pytest.approx(569.1, rel=0.01)


@pytest.mark.parametrize("entry", ALL, ids=lambda n: n.name)
def test_each_row_is_consistent(entry: nuclei.Nuclide) -> None:
    assert entry.name == f"{entry.symbol}{entry.A}"
    assert entry.N + entry.Z == entry.A
    # binding energy per nucleon of any nucleus: 0 to 8.8 MeV
    binding = entry.Z * PROTON_MASS + entry.N * NEUTRON_MASS - entry.mass
    assert -1e-12 <= binding / entry.A < 8.8e-3
    assert entry.spin_zero == (entry.Z % 2 == 0 and entry.N % 2 == 0)
    atom = entry.atomic_mass * ATOMIC_MASS_UNIT
    electrons = entry.Z * ELECTRON_MASS - nuclei.electron_binding_energy(entry.Z)
    assert atom - electrons == pytest.approx(entry.mass, abs=2e-9)
    assert 0.0 <= entry.abundance <= 1.0
    assert (entry.charge_radius is None) == (entry.name == "n1")


@pytest.mark.parametrize(
    "spelling", ["C12", "c12", "C-12", "12C", "12c", " C12 "], ids=lambda s: repr(s)
)
def test_spellings_of_one_nuclide(spelling: str) -> None:
    assert nuclide(spelling) is nuclide("C12")


def test_short_names() -> None:
    assert nuclide("p") is nuclide("proton") is nuclide("H1")
    assert nuclide("n") is nuclide("neutron") is nuclide("n1")
    assert nuclide("D") is nuclide("H2")
    assert nuclide("n14") is nuclide("N14")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Pb209", "Pb208"),
        ("Ar", "is an element"),
        ("Qq12", "nuclide called 'Qq12'"),
        ("", "nuclide called ''"),
    ],
)
def test_unknown_nuclides(name: str, told: str) -> None:
    with pytest.raises(UnknownNameError, match=told):
        nuclide(name)


def test_elements() -> None:
    assert len(nuclei.SYMBOLS) == len(set(nuclei.SYMBOLS)) == 118
    assert nuclei.atomic_number("Pb") == 82
    assert nuclei.element(18) == "Ar"
    with pytest.raises(UnknownNameError, match="case sensitive"):
        nuclei.atomic_number("pb")
    with pytest.raises(UnknownNameError, match="Z = 0"):
        nuclei.element(0)
    with pytest.raises(UnknownNameError, match="Tc99"):
        nuclei.natural_isotopes("Tc")
    with pytest.raises(UnknownNameError, match="element"):
        nuclei.natural_isotopes("Xy")


def test_all_elements_of_detectors_are_there() -> None:
    needed = """H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Ti V Cr Mn Fe Co Ni Cu Zn Ge Br
    Mo Ag Cd In Sn Sb I Xe Cs Ba Gd W Au Hg Tl Pb Bi U Th"""
    assert set(needed.split()) <= set(NATURAL)
    assert len(NATURAL) == 84


@pytest.mark.parametrize("symbol", NATURAL)
def test_abundances_sum_to_one(symbol: str) -> None:
    published = math.fsum(n.abundance for n in ALL if n.symbol == symbol)
    assert published == pytest.approx(1.0, abs=2e-5)
    assert math.fsum(nuclei.natural_isotopes(symbol).values()) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize(
    ("symbol", "weight", "tolerance"),
    [
        # IUPAC abridged standard atomic weights and their uncertainties (T. Prohaska et al., Pure
        # Appl. Chem. 94, 573 (2022)), H to Pb
        ("H", 1.0080, 0.0002),
        ("C", 12.011, 0.002),
        ("N", 14.007, 0.001),
        ("O", 15.999, 0.001),
        ("F", 18.998, 0.001),
        ("Na", 22.990, 0.001),
        ("Al", 26.982, 0.001),
        ("Si", 28.085, 0.001),
        ("Cl", 35.45, 0.01),
        ("Ar", 39.95, 0.16),
        ("K", 39.098, 0.001),
        ("Ca", 40.078, 0.004),
        ("Fe", 55.845, 0.002),
        ("Cu", 63.546, 0.003),
        ("Zn", 65.38, 0.02),
        ("I", 126.90, 0.01),
        ("Xe", 131.29, 0.01),
        ("W", 183.84, 0.01),
        ("Pb", 207.2, 1.1),
        ("U", 238.03, 0.01),
    ],
)
def test_standard_atomic_weights(symbol: str, weight: float, tolerance: float) -> None:
    assert nuclei.standard_atomic_weight(symbol) == pytest.approx(weight, abs=tolerance)


def test_measured_charge_radii() -> None:
    # I. Angeli and K. P. Marinova (2013)
    for name, radius in {
        "C12": 2.4702,
        "O16": 2.6991,
        "Ar40": 3.4274,
        "Cu63": 3.8823,
        "Pb208": 5.5012,
    }.items():
        assert nuclide(name).charge_radius == radius
        assert nuclide(name).charge_radius_measured


def test_estimated_charge_radii_are_flagged() -> None:
    natural = {n.name for n in ALL if n.abundance > 0 and not n.charge_radius_measured}
    assert natural == {"S33", "V50", "Ta180", "Pa231"}
    assert nuclide("S33").charge_radius == nuclei.charge_radius_estimate(33)


def test_estimate_of_the_charge_radius_follows_the_measured_ones() -> None:
    ratios = [
        nuclei.charge_radius_estimate(n.A) / n.charge_radius
        for n in ALL
        if n.charge_radius_measured and n.charge_radius is not None and n.A >= 16
    ]
    assert len(ratios) > 280
    assert np.std(ratios) < 0.01
    assert np.mean(ratios) == pytest.approx(1.0, abs=2e-3)
    assert max(abs(r - 1.0) for r in ratios) < 0.055


def test_charge_densities_that_were_asked_for() -> None:
    names = """C12 N15 O16 Al27 Si28 Si29 Si30 P31 S32 Ar40 Ca40 Ca48 Ti48 Ti50 Cr50 Cr52 Cr54 Fe54
    Fe56 Fe58 Ni58 Ni62 Ni64 Cu63 Cu65 Zn64 Zn66 Zn68 Zn70 Pb204 Pb206 Pb207 Pb208"""
    assert set(names.split()) <= {n.name for n in DENSITIES}
    assert nuclide("Ni60").fourier_bessel is None


@pytest.mark.parametrize("entry", DENSITIES, ids=lambda n: n.name)
def test_charge_densities(entry: nuclei.Nuclide) -> None:
    """Charge Z within 5e-3, rms radius within 2 % of the measured one, by quadrature."""
    assert entry.fourier_bessel is not None
    assert entry.charge_radius is not None
    assert entry.charge_radius_measured
    cutoff, coefficients = entry.fourier_bessel
    orders = np.arange(1, len(coefficients) + 1)

    def density(r: float) -> float:
        return float(np.dot(coefficients, np.sinc(orders * r / cutoff)))

    charge = 4.0 * math.pi * quad(lambda r: density(r) * r**2, 0.0, cutoff, limit=200)[0]
    square = 4.0 * math.pi * quad(lambda r: density(r) * r**4, 0.0, cutoff, limit=200)[0]
    assert charge == pytest.approx(entry.Z, rel=5e-3)
    assert math.sqrt(square / charge) == pytest.approx(entry.charge_radius, rel=0.02)
    # A density below zero would be a wrong coefficient: fits are at most slightly negative.
    grid = [density(r) for r in np.linspace(0.0, cutoff, 200)]
    assert min(grid) > -5e-3 * max(grid)


def test_isotopic_data_agree_with_periodictable() -> None:
    periodictable = pytest.importorskip("periodictable")
    # Where nature varies, the two tables choose different representatives.
    varying = {"H", "He", "Li", "B", "C", "N", "O", "Mg", "Si", "S", "Cl", "Ar", "Br", "Tl", "U"}
    for entry in ALL:
        if entry.abundance > 0:
            isotope = getattr(periodictable, entry.symbol)[entry.A]
            assert entry.atomic_mass == pytest.approx(isotope.mass, abs=2e-6)
            if entry.symbol not in varying:
                assert entry.abundance == pytest.approx(isotope.abundance / 100, abs=1e-6)
