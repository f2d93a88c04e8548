"""Particles by PDG code."""

from __future__ import annotations

import pytest

from siren_py import particles
from siren_py.constants import MUON_MASS, NEUTRON_MASS, PROTON_MASS
from siren_py.errors import UnknownNameError
from siren_py.nuclei import nuclide
from siren_py.particles import PDG


def test_codes_are_those_of_the_pdg() -> None:
    assert [PDG.NU_E, PDG.NU_MU, PDG.NU_TAU] == [12, 14, 16]
    assert [PDG.ELECTRON, PDG.MUON, PDG.TAU, PDG.PHOTON] == [11, 13, 15, 22]
    assert [PDG.PI_PLUS, PDG.PI_ZERO, PDG.K_PLUS] == [211, 111, 321]
    assert [PDG.PROTON, PDG.NEUTRON, PDG.HNL] == [2212, 2112, 5914]


@pytest.mark.parametrize("member", list(PDG))
def test_every_named_code_has_a_name_and_a_charge(member: PDG) -> None:
    assert particles.code(particles.name(member)) == member
    assert particles.charge(member) in {-1, 0, 1}


def test_masses_of_elementary_particles() -> None:
    assert particles.mass(PDG.MUON) == particles.mass(-13) == MUON_MASS
    assert particles.mass(PDG.NU_MU) == particles.mass(PDG.PHOTON) == 0.0
    # PDG 2024 listings
    assert particles.mass(PDG.PI_PLUS) == pytest.approx(0.13957039, abs=1e-9)
    assert particles.mass(PDG.PI_ZERO) == pytest.approx(0.1349768, abs=1e-9)
    assert particles.mass(PDG.K_PLUS) == pytest.approx(0.493677, abs=1e-9)


def test_antiparticles() -> None:
    assert particles.name(-11) == "e+"
    assert particles.name(-14) == "nubar_mu"
    assert particles.name(-211) == "pi-"
    assert particles.charge(11) == -1
    assert particles.charge(-11) == 1
    assert particles.code("mu+") == -13


@pytest.mark.parametrize("code", [-22, -111, 0, 999999, -5921])
def test_no_such_particle(code: int) -> None:
    with pytest.raises(UnknownNameError, match=str(code)):
        particles.name(code)


def test_the_mass_of_a_heavy_neutral_lepton_is_no_constant() -> None:
    assert particles.charge(PDG.HNL) == 0
    with pytest.raises(UnknownNameError, match="parameter"):
        particles.mass(PDG.HNL)


def test_nuclear_codes() -> None:
    assert particles.nuclide_code(18, 40) == 1000180400
    assert particles.nuclide_code(82, 208) == 1000822080
    assert particles.nuclide_code(1, 1) == 1000010010
    with pytest.raises(UnknownNameError, match="Z = 6 and A = 5"):
        particles.nuclide_code(6, 5)


def test_nuclei_are_bare_nuclei() -> None:
    assert particles.name(1000180400) == "Ar40"
    assert particles.code("Ar40") == 1000180400
    assert particles.charge(1000180400) == 18
    assert particles.mass(1000180400) == nuclide("Ar40").mass
    assert particles.mass(1000010010) == PROTON_MASS
    assert particles.mass(1000000010) == NEUTRON_MASS
    with pytest.raises(UnknownNameError, match="1000180990"):
        particles.mass(1000180990)


def test_unknown_names_come_with_the_nearest_ones() -> None:
    with pytest.raises(UnknownNameError, match="nu_mu"):
        particles.code("nu_muon")


def test_every_particle_of_the_table_agrees_with_the_particle_package() -> None:
    package = pytest.importorskip("particle")
    for code in (11, 13, 15, 22, 111, 211, 130, 310, 311, 321, 221, 411, 421, 431, 2212, 2112):
        reference = package.Particle.from_pdgid(code)
        assert particles.charge(code) == reference.charge
        assert particles.mass(code) == pytest.approx(reference.mass / 1e3, rel=1e-7)
