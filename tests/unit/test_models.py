from __future__ import annotations

import csv
import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from siren_py.constants import HBARC, SPEED_OF_LIGHT
from siren_py.errors import ConfigError, KinematicsError, UnknownNameError
from siren_py.models import DipolePortal, coupling_from_bohr_magnetons, coupling_from_mu_tr

REFERENCE = Path(__file__).parents[1] / "reference" / "dipole_reference.csv"


def reference(prefix: str) -> list[tuple[str, float, float]]:
    with REFERENCE.open() as file:
        rows = [
            (row["quantity"], float(row["mass"]), float(row["value"]))
            for row in csv.DictReader(line for line in file if not line.startswith("#"))
            if row["quantity"].startswith(prefix)
        ]
    assert rows
    return rows


@pytest.mark.parametrize("row", reference("length_"))
def test_decay_lengths(row):
    quantity, mass, value = row
    d = float(quantity.split("_")[-1])
    conventions = "darknews" if "darknews" in quantity else "standard"
    model = DipolePortal(mass, d_mu=d, conventions=conventions)
    length = model.decay_length(1.0)
    if "gamma" in quantity:
        length = length * model.branching_ratio("nu gamma") ** -1
    assert length == pytest.approx(100.0 * value, rel=3e-7)


@pytest.mark.parametrize("row", reference("branching_ee"))
def test_branching_ratios(row):
    _, mass, value = row
    model = DipolePortal(mass, d_e=1e-6)
    assert model.branching_ratio("nu e+e-") == pytest.approx(value, rel=2e-7)
    assert sum(model.branching_ratio(c) for c in model.channels) == pytest.approx(1.0, rel=1e-14)


def test_lifetime_and_length():
    model = DipolePortal(0.3, d_mu=1e-6)
    assert model.lifetime == pytest.approx(HBARC / SPEED_OF_LIGHT / model.width(), rel=1e-15)
    assert model.decay_length(0.3) == 0.0
    slow = model.decay_length(0.3 * (1 + 1e-14))
    assert 0.0 < slow < 1e-6 * model.decay_length(1.0)
    assert model.decay_length([[0.5, 1.0]]).shape == (1, 2)
    for bad in (0.2999, np.nan, np.inf, [1.0, 0.1]):
        with pytest.raises(KinematicsError, match="mass 0.3 GeV"):
            model.decay_length(bad)
    assert DipolePortal(0.3, d_mu=2e-6).lifetime == pytest.approx(model.lifetime / 4, rel=1e-14)


def test_interactions_belong_to_the_flavours():
    model = DipolePortal(0.1, d_e=2e-7, d_mu=3.87e-7)
    (process,) = model.interactions(14)
    assert (process.d, process.helicity, process.outgoing_pdg) == (3.87e-7, 1, 5914)
    (process,) = model.interactions(-12)
    assert (process.d, process.helicity, process.outgoing_pdg) == (2e-7, -1, -5914)
    assert model.interactions(16) == model.interactions(2212) == model.interactions(5914) == []
    (process,) = DipolePortal(0.1, d_e=1e-7, nature="majorana").interactions(-12)
    assert (process.helicity, process.outgoing_pdg) == (-1, 5914)
    assert model.decays(14) == []
    assert model.decays(5914)[0].width() == model.decays(-5914)[0].width() == model.width()
    assert model.particle_masses == {5914: 0.1, -5914: 0.1}


def test_options_reach_the_process():
    model = DipolePortal(0.3, d_mu=1e-6, pauli_blocking=False, nuclear_form_factor="helm")
    (process,) = model.interactions(14)
    assert not process.pauli_blocking
    assert process.nuclear_form_factor == "helm"
    assert process.nucleon_form_factors == "kelly"
    other = DipolePortal(0.3, d_mu=1e-6, conventions="darknews")
    (process,) = other.interactions(14)
    assert not process.pauli_blocking
    assert not process.neutrons
    assert process.nucleon_form_factors == "dipole"
    (process,) = DipolePortal(
        0.3, d_mu=1e-6, conventions="darknews", pauli_blocking=True
    ).interactions(14)
    assert process.pauli_blocking
    assert other.width("nu gamma") == 0.5 * model.width("nu gamma")


def test_channels():
    assert DipolePortal(0.1, d_mu=1e-6).channels == ("nu gamma", "nu e+ e-")
    assert DipolePortal(0.001, d_mu=1e-6).channels == ("nu gamma",)
    assert len(DipolePortal(4.0, d_mu=1e-6).channels) == 4
    assert DipolePortal.canonical_channel(" nu  e+e-") == "nu e+ e-"
    model = DipolePortal(0.1, d_mu=1e-6)
    with pytest.raises(KinematicsError, match="threshold is 0.2113"):
        model.width("nu mu+ mu-")
    with pytest.raises(UnknownNameError, match="nu e\\+ e-"):
        model.branching_ratio("nu ee")


def test_variants_and_records():
    model = DipolePortal(mass=0.1, d_mu=3.87e-7, nature="majorana", fermi_momentum=0.235)
    assert repr(model) == (
        "DipolePortal(mass=0.1, d_mu=3.87e-07, nature='majorana', fermi_momentum=0.235)"
    )
    assert eval(repr(model), {"DipolePortal": DipolePortal}) == model
    record = json.loads(json.dumps(model.to_dict()))
    assert DipolePortal.from_dict(record) == model
    assert pickle.loads(pickle.dumps(model)) == model
    assert hash(model) == hash(DipolePortal.from_dict(record))
    more = model.with_coupling(d_mu=1e-6, d_e=1e-8)
    assert (more.d_mu, more.d_e, more.nature, more.fermi_momentum) == (
        1e-6,
        1e-8,
        "majorana",
        0.235,
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.mass = 0.2
    other = DipolePortal(0.1, d_mu=1e-6, conventions="darknews")
    assert "mu_tr = 2 d" in other.to_dict()["note"]
    assert DipolePortal.from_dict(other.to_dict()) == other
    assert "darknews" in repr(other)


def test_errors():
    for mass in (0.0, -1.0, np.nan, np.inf, "heavy", None):
        with pytest.raises(ConfigError, match="mass"):
            DipolePortal(mass, d_mu=1e-6)
    with pytest.raises(ConfigError, match="differ from zero"):
        DipolePortal(0.1)
    with pytest.raises(ConfigError, match="d_mu"):
        DipolePortal(0.1, d_mu=np.nan)
    with pytest.raises(UnknownNameError, match="majorana"):
        DipolePortal(0.1, d_mu=1e-6, nature="Majorna")
    with pytest.raises(UnknownNameError, match="standard"):
        DipolePortal(0.1, d_mu=1e-6, conventions="standart")
    with pytest.raises(UnknownNameError, match="kelly"):
        DipolePortal(0.1, d_mu=1e-6, nucleon_form_factors="kely")
    with pytest.raises(UnknownNameError, match="d_mu"):
        DipolePortal.from_dict({"mass": 0.1, "d_nu": 1e-6})
    with pytest.raises(ConfigError, match="lacks the mass"):
        DipolePortal.from_dict({"d_mu": 1e-6})
    with pytest.raises(ConfigError, match="not 'dipole-portal'"):
        DipolePortal.from_dict({"name": "mass-mixing", "mass": 0.1})


def test_other_conventions_of_the_coupling():
    assert coupling_from_mu_tr(2.5e-6) == 1.25e-6
    assert coupling_from_bohr_magnetons(6.749823e-9) == pytest.approx(1e-6, rel=1e-7)
