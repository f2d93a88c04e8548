"""Fluxes that follow from the model: by name, in simulations, scans, limits and reweighting."""

from __future__ import annotations

import json

import numpy as np
import pytest

import siren_py as sp
from siren_py import errors
from siren_py.cli.main import main
from siren_py.flux.mesons import from_neutrino_flux, t2k_parent_flux
from siren_py.flux.produced import ProducedFlux

MODEL = sp.MassMixing(mass=0.3, U_mu2=1e-9)
NAME = "mesons:fhc:K+:mu:scaled"


def simulation(model=MODEL, flux=NAME):
    return sp.Simulation("nd280", flux, model, decay="nu e+ e-", region="tpc")


def test_the_flux_is_that_of_the_model():
    flux = ProducedFlux.parse(NAME).for_model(MODEL)
    direct = from_neutrino_flux(t2k_parent_flux("K+"), "K+", "mu", mass=0.3, U2=1e-9)
    np.testing.assert_array_equal(flux.values, direct.values)
    assert flux.to_dict()["production"] == NAME
    assert ProducedFlux.parse("mesons:fhc:K+:mu") == ProducedFlux("K+", "mu")
    assert ProducedFlux.parse(flux.production.name) == flux.production
    assert flux.scaled(2.0).production == flux.production


def test_rates_go_with_the_fourth_power_of_the_mixing():
    first = simulation().run(5000, seed=1)
    assert first.lookup["fluxes"][0]["name"] == NAME
    second = simulation(sp.MassMixing(mass=0.3, U_mu2=1e-8)).run(5000, seed=1)
    # Long-lived in both: the flux grows tenfold and so does the chance to decay.
    assert second.expected().value == pytest.approx(100 * first.expected().value, rel=1e-4)
    reweighted = first.reweight(U_mu2=1e-8)
    assert reweighted.expected().value == pytest.approx(second.expected().value, rel=1e-4)
    assert reweighted.fluxes[0].integral == pytest.approx(10 * first.fluxes[0].integral)
    integral = reweighted.lookup["fluxes"][0]["integral"]
    assert integral == pytest.approx(reweighted.fluxes[0].integral)
    # The original is what it was.
    assert first.lookup["fluxes"][0]["integral"] == pytest.approx(first.fluxes[0].integral)


def test_files_know_how_the_flux_was_made(tmp_path):
    sample = simulation().run(2000, seed=1)
    sample.to_root(tmp_path / "a.root")
    read = sp.read_root(tmp_path / "a.root")
    np.testing.assert_allclose(
        read.reweight(U_mu2=1e-8).weights, sample.reweight(U_mu2=1e-8).weights, rtol=1e-12
    )


def test_a_scan_makes_the_flux_at_each_point():
    scan = simulation().scan([0.3], [1e-9, 1e-8, 1e-7], coupling="U_mu2", precision=0.05)
    single = simulation(sp.MassMixing(mass=0.3, U_mu2=1e-7)).run(20_000, seed=3).expected()
    assert scan.total[0, 2] == pytest.approx(single.value, rel=0.1)
    assert scan.total[0, 1] == pytest.approx(100 * scan.total[0, 0], rel=0.15)


def test_limits_from_tables_and_from_own_fluxes(capsys):
    words = ["limit", "--model", "mass-mixing", "--coupling", "U_mu2", "--masses", "0.26,0.3",
             "--couplings", "1e-10:1e-6:41", "--quiet", "--json"]  # fmt: skip
    assert main([*words, "--analysis", "t2k-2019-mixing"]) == 0
    table = json.loads(capsys.readouterr().out)
    # T2K, PRD 100, 052006: 8.9e-9 and 2.76e-9.
    lower = [row["intervals"][0][0] for row in table["excluded"]]
    np.testing.assert_allclose(lower, [8.9e-9, 2.76e-9], rtol=0.05)
    own = ["--detector", "nd280", "--region", "tpc", "--decay", "mu- pi+", "--flux",
           "mesons:fhc:K+:mu", "--pot", "12.34e20", "--precision", "0.1"]  # fmt: skip
    assert main([*words, *own]) == 0
    assert json.loads(capsys.readouterr().out)["excluded"][1]["intervals"]


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("mesons:fhc:K+", errors.ConfigError, "form"),
        ("mesons:fhc:K0:mu", errors.UnknownNameError, "meson"),
        ("mesons:fhc:K+:tau", errors.UnknownNameError, "lepton"),
        ("mesons:fhc:K+:mu:again", errors.UnknownNameError, "redecay"),
        ("mesons:rhc:K+:mu", errors.ConfigError, "fhc"),
    ],
)
def test_wrong_names(text, error, match):
    with pytest.raises(error, match=match):
        simulation(flux=text)


def test_models_without_the_mixing():
    with pytest.raises(errors.ConfigError, match="U_mu2"):
        simulation(sp.DipolePortal(mass=0.3, d_mu=1e-7))
    with pytest.raises(errors.ConfigError, match="zero"):
        simulation(sp.MassMixing(mass=0.3, U_e2=1e-7))
