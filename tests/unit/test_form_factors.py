from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

from siren_py.constants import HBARC
from siren_py.errors import ConfigError, UnknownNameError
from siren_py.nuclei import nuclide
from siren_py.processes.form_factors import charge_form_factor
from siren_py.processes.nucleon import sachs
from siren_py.processes.pauli import fermi_momentum, pauli_factor_kernel
from siren_py.units import fm

REFERENCE = Path(__file__).parents[1] / "reference" / "dipole_reference.csv"


def reference(quantity: str) -> list[dict[str, str]]:
    with REFERENCE.open() as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return [row for row in rows if row["quantity"] == quantity]


@pytest.mark.parametrize("row", reference("form_factor"), ids=lambda r: f"{r['target']}-{r['q']}")
def test_measured_form_factor(row):
    got = charge_form_factor(float(row["q"]), row["target"])
    assert got == pytest.approx(float(row["value"]), rel=1e-6)


@pytest.mark.parametrize("target", ["C12", "Fe56", "Pb208"])
def test_fourier_bessel_is_the_transform_of_its_density(target):
    radius, coefficients = nuclide(target).fourier_bessel
    k = np.arange(1, len(coefficients) + 1) * np.pi / radius

    def density(r):
        return sum(a * np.sinc(x * r / np.pi) for a, x in zip(coefficients, k, strict=True))

    def moment(q):
        return integrate.quad(
            lambda r: r**2 * density(r) * np.sinc(q * r / np.pi), 0.0, radius, limit=200
        )[0]

    for q in (0.1, 0.7, 1.9):
        got = charge_form_factor(q * HBARC / fm, target)
        assert got == pytest.approx(moment(q) / moment(0.0), rel=1e-7, abs=1e-9)


def test_removable_singularities():
    radius = nuclide("C12").fourier_bessel[0] * fm / HBARC
    for n in (1, 3, 15):  # a_16 and a_17 are zero
        q = n * np.pi / radius
        steps = np.array([-1e-6, -1e-9, -1e-12, 0.0, 1e-12, 1e-9, 1e-6])
        values = charge_form_factor(q * (1.0 + steps), "C12")
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values, values[3], rtol=1e-3, atol=1e-11)
        np.testing.assert_allclose(values[1:-1], values[3], rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("model", ["measured", "helm"])
@pytest.mark.parametrize("target", ["H1", "H2", "He4", "Li7", "C12", "F19", "Ar40", "W184"])
def test_normalisation_and_radius(target, model):
    q = 1e-3
    assert charge_form_factor(0.0, target, model) == pytest.approx(1.0, rel=1e-14)
    slope = 6.0 * (1.0 - charge_form_factor(q, target, model)) / q**2
    radius = np.sqrt(slope) * HBARC / fm
    # The Fourier-Bessel analyses have radii of their own, within 1.5 % of the compilation.
    tolerance = 0.015 if model == "measured" else 1e-4
    assert radius == pytest.approx(nuclide(target).charge_radius, rel=tolerance)
    assert (np.abs(charge_form_factor(np.linspace(0.0, 2.0, 500), target, model)) <= 1.0).all()


def test_helm_series_joins_the_closed_form():
    radius = np.sqrt(5 / 3 * (nuclide("F19").charge_radius ** 2 - 3 * 0.81)) * fm / HBARC
    q = np.array([0.05 * (1 - 1e-9), 0.05 * (1 + 1e-9)]) / radius
    below, above = charge_form_factor(q, "F19")
    assert below == pytest.approx(above, rel=1e-11)


def test_gaussian_of_helium_follows_the_measured_form():
    # Frosch et al., Phys. Rev. 160, 874 (1967): (1 - (0.316 q)^12) exp(-(0.681 q)^2), q in 1/fm.
    q = np.linspace(0.01, 0.3, 20)
    k = q * fm / HBARC
    measured = (1.0 - (0.316 * k) ** 12) * np.exp(-((0.681 * k) ** 2))
    np.testing.assert_allclose(charge_form_factor(q, "He4"), measured, rtol=0.02)


def test_form_factor_errors():
    with pytest.raises(UnknownNameError, match="measured"):
        charge_form_factor(0.1, "C12", "mesured")
    with pytest.raises(UnknownNameError, match="C12"):
        charge_form_factor(0.1, "C121")
    with pytest.raises(ConfigError, match="negative"):
        charge_form_factor([-0.1], "C12")
    with pytest.raises(ConfigError, match="NaN"):
        charge_form_factor([np.nan], "C12")


def test_sachs_limits():
    ge, gm = sachs(0.0, "proton")
    assert (ge, gm) == (1.0, pytest.approx(2.79284734463))
    ge, gm = sachs(0.0, "neutron")
    assert (ge, gm) == (0.0, pytest.approx(-1.91304273))
    assert sachs(0.0, "neutron", "dipole") == (0.0, -1.913)
    # Charge radius of the proton in Kelly's fit: 0.863 fm (Phys. Rev. C 70, 068202, table I).
    q2 = 1e-6
    slope = 6.0 * (1.0 - sachs(q2, "proton")[0]) / q2
    assert np.sqrt(slope) * HBARC / fm == pytest.approx(0.863, abs=1e-3)


def test_kelly_is_close_to_the_dipole():
    q2 = np.linspace(0.0, 2.0, 50)
    for nucleon in ("proton", "neutron"):
        kelly = sachs(q2, nucleon)[1]
        dipole = sachs(q2, nucleon, "dipole")[1]
        np.testing.assert_allclose(kelly / dipole, 1.0, atol=0.11)
    assert (sachs(q2[1:], "neutron")[0] > 0.0).all()


def test_sachs_errors():
    with pytest.raises(UnknownNameError, match="kelly"):
        sachs(0.1, "proton", "kely")
    with pytest.raises(UnknownNameError, match="neutron"):
        sachs(0.1, "neutrno")
    with pytest.raises(ConfigError, match="Q2"):
        sachs(-1.0)


def test_fermi_momenta():
    assert fermi_momentum(12) == 0.221
    assert fermi_momentum(6) == pytest.approx(0.169)
    assert fermi_momentum(1) == 0.0
    assert fermi_momentum(238) == 0.265
    assert 0.235 < fermi_momentum(28) < 0.251
    assert (np.diff([fermi_momentum(a) for a in range(1, 41)]) > 0.0).all()
    with pytest.raises(ConfigError, match="mass number"):
        fermi_momentum(0)


def test_pauli_factor_is_the_overlap_of_two_spheres():
    rng = np.random.default_rng(5)
    fermi, m = 0.221, 0.938
    points = rng.normal(size=(200_000, 3))
    points *= (fermi * rng.random(len(points)) ** (1 / 3) / np.linalg.norm(points, axis=1))[:, None]
    for q2 in (0.003, 0.03, 0.1):
        q = np.sqrt(q2 + (q2 / (2 * m)) ** 2)
        outside = (np.linalg.norm(points + np.array([0.0, 0.0, q]), axis=1) > fermi).mean()
        assert pauli_factor_kernel(q2, m, fermi) == pytest.approx(outside, abs=0.005)
    assert pauli_factor_kernel(0.5, m, fermi) == 1.0
    assert pauli_factor_kernel(1e-4, m, 0.0) == 1.0
