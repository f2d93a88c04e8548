"""Materials: composition, densities of atoms and electrons, radiation length."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siren_py.constants import AVOGADRO
from siren_py.errors import MaterialError, UnknownNameError
from siren_py.materials import VACUUM, Material, element_radiation_length
from siren_py.nuclei import nuclide, standard_atomic_weight

WATER = Material.from_formula("H2O", density=1.0, name="water")
LEAD = Material.from_element("Pb", density=11.35)
PARTS = st.dictionaries(
    st.sampled_from(["H", "C", "O16", "Al", "Ar40", "Fe", "Cu", "Sn", "Pb", "U238"]),
    st.floats(1e-3, 1.0),
    min_size=1,
    max_size=6,
)
DENSITY = st.floats(1e-6, 25.0)


def mixture(parts: dict[str, float], density: float) -> Material:
    total = math.fsum(parts.values())
    return Material("mixture", {k: v / total for k, v in parts.items()}, density)


@given(PARTS, DENSITY)
def test_fractions_are_normalised_and_mass_closes(parts: dict[str, float], density: float) -> None:
    material = mixture(parts, density)
    assert math.fsum(material.mass_fractions.values()) == pytest.approx(1.0, abs=1e-14)
    assert math.fsum(material.element_fractions.values()) == pytest.approx(1.0, abs=1e-14)
    mass = math.fsum(
        n * nuclide(name).atomic_mass / AVOGADRO for name, n in material.number_densities.items()
    )
    assert mass == pytest.approx(density, rel=1e-13)


@given(PARTS, DENSITY)
def test_electrons_are_those_of_the_atoms(parts: dict[str, float], density: float) -> None:
    material = mixture(parts, density)
    electrons = sum(nuclide(name).Z * n for name, n in material.number_densities.items())
    assert material.electron_density == pytest.approx(electrons, rel=1e-13)
    assert material.electron_density == pytest.approx(
        density * AVOGADRO * material.mean_Z_over_A, rel=1e-13
    )


@given(PARTS, PARTS, st.floats(0.0, 1.0), DENSITY, DENSITY)
def test_mixtures_by_volume_conserve_atoms(
    one: dict[str, float], two: dict[str, float], share: float, rho_1: float, rho_2: float
) -> None:
    first, second = mixture(one, rho_1), mixture(two, rho_2).with_density(rho_2 * 1.5)
    mixed = Material.from_volume_fractions("mixed", {first: share, second: 1.0 - share})
    assert mixed.density == pytest.approx(
        share * first.density + (1.0 - share) * second.density, rel=1e-12
    )
    for name in mixed.mass_fractions:
        atoms = share * first.number_densities.get(name, 0.0)
        atoms += (1.0 - share) * second.number_densities.get(name, 0.0)
        assert mixed.number_densities[name] == pytest.approx(atoms, rel=1e-9)


@given(PARTS, DENSITY)
def test_radiation_length_does_not_depend_on_density(
    parts: dict[str, float], density: float
) -> None:
    material = mixture(parts, density)
    denser = material.with_density(2.0 * density)
    assert denser.mass_fractions == material.mass_fractions
    assert denser.radiation_length == material.radiation_length
    assert denser.radiation_length_cm == pytest.approx(0.5 * material.radiation_length_cm)


@given(st.floats(1e-3, 2.0).filter(lambda s: abs(s - 1.0) > 1.1e-6))
def test_the_error_prints_the_sum(total: float) -> None:
    with pytest.raises(MaterialError) as error:
        Material("alloy", {"Fe": 0.5 * total, "C": 0.5 * total}, 7.8)
    assert f"sum to {total:.9g}, not to 1" in str(error.value)
    assert "'alloy'" in str(error.value)


def test_rounded_fractions_within_the_tolerance_are_normalised() -> None:
    material = Material("alloy", {"Fe": 0.98, "C": 0.0200005}, 7.8)
    assert material.element_fractions["Fe"] == pytest.approx(0.98 / 1.0000005, rel=1e-14)


def test_natural_elements_expand_in_isotopes() -> None:
    assert set(LEAD.mass_fractions) == {"Pb204", "Pb206", "Pb207", "Pb208"}
    atoms = LEAD.number_densities
    total = sum(atoms.values())
    assert atoms["Pb208"] / total == pytest.approx(0.524, rel=1e-12)
    assert total == pytest.approx(11.35 * AVOGADRO / standard_atomic_weight("Pb"), rel=1e-12)


def test_atoms_of_a_compound() -> None:
    atoms = Material.from_formula("SiO2", density=2.2).number_densities
    silicon = sum(n for name, n in atoms.items() if nuclide(name).symbol == "Si")
    oxygen = sum(n for name, n in atoms.items() if nuclide(name).symbol == "O")
    assert oxygen / silicon == pytest.approx(2.0, rel=1e-12)


def test_argon_uses_atomic_masses() -> None:
    pure = Material.from_element("Ar40", density=1.4)
    assert pure.number_densities == {"Ar40": 1.4 * AVOGADRO / nuclide("Ar40").atomic_mass}


@pytest.mark.parametrize(
    ("formula", "same"),
    [
        ("(CH2)2", "C2H4"),
        ("Ca(OH)2", "CaO2H2"),
        ("Mg3(Si2O5)2(OH)2", "Mg3Si4O12H2"),
        ("((C)2H3)2", "C4H6"),
        ("CH1.5", "C2H3"),
        ("CH3CH3", "C2H6"),
        ("D2O", "H[2]2O"),
    ],
)
def test_formulas(formula: str, same: str) -> None:
    first = Material.from_formula(formula, density=1.0).mass_fractions
    assert first == pytest.approx(Material.from_formula(same, density=1.0).mass_fractions)


@pytest.mark.parametrize("formula", ["", "H(", "H)2", "2H", "H2o", "H0", "()", "Si O2", "C[13"])
def test_formulas_that_cannot_be_read(formula: str) -> None:
    with pytest.raises(MaterialError, match="formula"):
        Material.from_formula(formula, density=1.0)


def test_heavy_water_has_only_deuterium() -> None:
    heavy = Material.from_formula("D2O", density=1.107)
    assert "H1" not in heavy.mass_fractions
    assert heavy.element_fractions["H"] == pytest.approx(0.2011, abs=1e-4)


@pytest.mark.parametrize(
    ("symbol", "published"),
    [
        # PDG 2024, Atomic and nuclear properties of materials [g/cm2]
        ("H", 63.04),
        ("He", 94.32),
        ("Li", 82.78),
        ("Be", 65.19),
        ("C", 42.70),
        ("Al", 24.01),
        ("Ar", 19.55),
        ("Fe", 13.84),
        ("Cu", 12.86),
        ("W", 6.76),
        ("Pb", 6.37),
        ("U", 6.00),
    ],
)
def test_radiation_lengths_of_elements(symbol: str, published: float) -> None:
    material = Material.from_element(symbol, density=1.0)
    assert material.radiation_length == pytest.approx(published, rel=1e-3)
    Z = nuclide(next(iter(material.mass_fractions))).Z
    assert material.radiation_length == pytest.approx(
        element_radiation_length(Z, standard_atomic_weight(symbol)), rel=1e-12
    )


@pytest.mark.parametrize(
    ("formula", "density", "x0", "z_over_a"),
    [
        # PDG 2024: water, polystyrene, acrylic, silica, NaI, CsI
        ("H2O", 1.0, 36.08, 0.55509),
        ("C8H8", 1.06, 43.79, 0.53768),
        ("C5H8O2", 1.19, 40.55, 0.53937),
        ("SiO2", 2.2, 27.05, 0.49930),
        ("NaI", 3.667, 9.49, 0.42697),
        ("CsI", 4.51, 8.39, 0.41569),
    ],
)
def test_compounds_of_the_pdg(formula: str, density: float, x0: float, z_over_a: float) -> None:
    material = Material.from_formula(formula, density=density)
    assert material.radiation_length == pytest.approx(x0, rel=1e-3)
    assert material.radiation_length_cm == pytest.approx(x0 / density, rel=1e-3)
    assert material.mean_Z_over_A == pytest.approx(z_over_a, abs=3e-5)


def test_mixture_by_mass_of_materials_and_elements() -> None:
    slurry = Material.from_mass_fractions("slurry", {WATER: 0.9, "Pb": 0.1}, 1.1)
    assert slurry.element_fractions["Pb"] == pytest.approx(0.1, rel=1e-12)
    assert 1.0 / slurry.radiation_length == pytest.approx(
        0.9 / WATER.radiation_length + 0.1 / LEAD.radiation_length, rel=1e-12
    )
    with pytest.raises(MaterialError, match="vacuum"):
        Material.from_mass_fractions("nothing", {WATER: 0.5, VACUUM: 0.5}, 1.0)


def test_mixture_by_volume() -> None:
    foam = Material.from_volume_fractions("foam", {WATER: 0.25, VACUUM: 0.75})
    assert foam.density == pytest.approx(0.25)
    assert foam.mass_fractions == pytest.approx(WATER.mass_fractions)
    dense = Material.from_volume_fractions("dense", {WATER: 0.5, LEAD: 0.5}, density=5.0)
    assert dense.density == 5.0
    assert dense.element_fractions["Pb"] == pytest.approx(11.35 / 12.35, rel=1e-12)


def test_equality_and_hash_go_by_content() -> None:
    twin = Material.from_formula("H2O", density=1.0, name="water")
    assert twin == WATER
    assert hash(twin) == hash(WATER)
    assert WATER.with_density(0.99) != WATER
    assert WATER.with_density(0.99).with_density(1.0) == WATER
    assert pickle.loads(pickle.dumps(WATER)) == WATER
    with pytest.raises(AttributeError):
        WATER.density = 2.0  # type: ignore[misc]


def test_changing_the_returned_fractions_does_not_change_the_material() -> None:
    WATER.mass_fractions.clear()
    assert len(WATER.mass_fractions) == 5


def test_vacuum() -> None:
    assert VACUUM.density == VACUUM.electron_density == VACUUM.mean_Z_over_A == 0.0
    assert VACUUM.number_densities == VACUUM.mass_fractions == {}
    assert VACUUM.radiation_length == VACUUM.radiation_length_cm == math.inf
    assert VACUUM.with_density(0.0) == VACUUM


@pytest.mark.parametrize(
    ("fractions", "density", "told"),
    [
        ({"Fe": -0.5, "C": 1.5}, 7.8, "'Fe' is -0.5"),
        ({"Fe": math.nan}, 7.8, "'Fe' is nan"),
        ({"Fe": "much"}, 7.8, "must be a number"),
        ({"Fe": 1.0}, -1.0, "density of material 'x' .* is -1"),
        ({"Fe": 1.0}, math.nan, "is nan"),
        ({"Fe": 1.0}, math.inf, "is inf"),
        ({"Fe": 1.0}, 0.0, "zero density"),
        ({}, 1.0, "no composition"),
        ({"n1": 1.0}, 1.0, "neutrons"),
    ],
)
def test_malformed_materials(fractions: dict[str, float], density: float, told: str) -> None:
    with pytest.raises(MaterialError, match=told):
        Material("x", fractions, density)


@pytest.mark.parametrize("key", ["lead", "Qq", "C99", "Tc", "p", "fe"])
def test_unknown_elements(key: str) -> None:
    with pytest.raises(UnknownNameError):
        Material("x", {key: 1.0}, 1.0)


def test_with_density_keeps_matter_and_vacuum_apart() -> None:
    with pytest.raises(MaterialError, match="positive"):
        WATER.with_density(0.0)
    with pytest.raises(MaterialError, match="vacuum"):
        VACUUM.with_density(1.0)


def test_repr_names_what_a_user_needs() -> None:
    assert repr(WATER) == "<Material 'water', 1 g/cm3, by mass {H: 0.1119, O: 0.8881}>"
