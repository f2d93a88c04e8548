"""Fluxes of the Booster and NuMI beams, and fluxes known at points of energy."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from siren_py.errors import ConfigError, FormatError, LimitedFluxWarning, SirenWarning
from siren_py.flux import Flux, FluxLike, HistogramFlux, PointsFlux, load_flux, parse_flux

# Integrals [1/(cm2 POT)] and mean energies [GeV] of the tables: sums over bins, trapezia.
BNB = {
    ("fhc", "numu"): (5.194e-10, 0.808),
    ("rhc", "numu"): (5.42e-11, 0.704),
    ("rhc", "numubar"): (2.928e-10, 0.664),
}
NUMI = {
    ("le", "fhc", "numu"): (2.858e-8, 4.14),
    ("le", "rhc", "numubar"): (2.312e-8, 3.38),
    ("me", "fhc", "numu"): (6.74e-8, 5.74),
    ("me", "rhc", "numubar"): (5.13e-8, 5.46),
}


@st.composite
def points(draw: st.DrawFn) -> PointsFlux:
    widths = draw(st.lists(st.floats(1e-3, 5.0), min_size=1, max_size=12))
    number = len(widths) + 1
    value = st.one_of(st.just(0.0), st.floats(1e-15, 1e-6))
    values = draw(st.lists(value, min_size=number, max_size=number).filter(any))
    start = draw(st.floats(0.0, 2.0))
    energies = start + np.cumsum([0.0, *widths])
    return Flux.from_points(pdg=14, energies=energies, values=values, below="zero")


def medium_energy(**options: str) -> PointsFlux:
    flux = load_flux("numi-minerva", mode="fhc", flavor="numu", table="me", **options)
    assert isinstance(flux, PointsFlux)
    return flux


@pytest.mark.parametrize(("key", "expected"), BNB.items(), ids=str)
def test_bnb_integrals(key: tuple[str, str], expected: tuple[float, float]) -> None:
    flux = load_flux("bnb-miniboone", mode=key[0], flavor=key[1])
    assert isinstance(flux, HistogramFlux)
    assert flux.integral == pytest.approx(expected[0], rel=1e-3)
    assert flux.mean_energy == pytest.approx(expected[1], abs=6e-4)


def test_bnb_has_the_bins_and_the_unit_of_the_release() -> None:
    flux = load_flux("bnb-miniboone", mode="fhc", flavor="numu")
    np.testing.assert_allclose(np.diff(flux.edges), 0.05, rtol=1e-9)
    # Published: 2.292e-11 per cm2, 50 MeV and POT at 0.55 to 0.6 GeV.
    assert flux.density(0.56) == pytest.approx(2.292e-11 / 0.05, rel=1e-12)


@pytest.mark.parametrize(("key", "expected"), NUMI.items(), ids=str)
def test_numi_integrals(key: tuple[str, str, str], expected: tuple[float, float]) -> None:
    table, mode, flavor = key
    flux = load_flux("numi-minerva", mode=mode, flavor=flavor, table=table, below="zero")
    assert flux.integral == pytest.approx(expected[0], rel=1e-3)
    assert flux.mean_energy == pytest.approx(expected[1], abs=6e-3)


@pytest.mark.parametrize("name", ["bnb-miniboone", "numi-minerva@le", "numi-minerva@me"])
def test_every_spectrum_is_there(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LimitedFluxWarning)
        for mode, most in (("fhc", 14), ("rhc", -14)):
            fluxes = parse_flux(f"{name}:{mode}:numu,numubar,nue,nuebar")
            assert [flux.pdg for flux in fluxes] == [14, -14, 12, -12]
            assert max(fluxes, key=lambda flux: flux.integral).pdg == most


def test_numi_le_is_linear_between_its_points() -> None:
    flux = load_flux("numi-minerva", mode="fhc", flavor="numu")
    assert isinstance(flux, PointsFlux)
    assert not flux.is_limited
    published = [3.39442e-9, 5.02906e-9]  # at 1.0101 and 1.51515 GeV
    np.testing.assert_allclose(flux.density([1.0101, 1.51515]), published, rtol=1e-12)
    middle = flux.density(0.5 * (1.0101 + 1.51515))
    assert middle == pytest.approx(sum(published) / 2, rel=1e-12)
    np.testing.assert_array_equal(flux.density([-1.0, 0.0, 50.1]), 0.0)
    assert flux.energy_range == (0.0, 50.0)


def test_a_table_that_starts_at_1_gev_says_so() -> None:
    with pytest.warns(LimitedFluxWarning, match=r"me of the flux numi-minerva begins at 1 GeV"):
        flux = medium_energy()
    assert issubclass(LimitedFluxWarning, SirenWarning)
    assert flux.is_limited
    assert "1 (unknown below) to 19.809 GeV" in repr(flux)
    assert flux.to_dict()["begins_at"] == 1.0
    with pytest.warns(LimitedFluxWarning):
        parse_flux("numi-minerva@me:fhc:numu")


def test_a_limited_flux_refuses_below_its_table() -> None:
    with pytest.warns(LimitedFluxWarning):
        flux = medium_energy()
    with pytest.raises(ConfigError, match=r"at 0.99 GeV, but its table begins at 1 GeV.*below="):
        flux.density([2.0, 0.99])
    with pytest.raises(ConfigError, match="begins at 1 GeV"):
        flux.integral_between(0.0, 5.0)
    # Inside the table nothing is different, also not for what is sampled.
    assert flux.density(1.0) == pytest.approx(8.44188e-10)
    assert flux.integral_between(1.0, math.inf) == pytest.approx(flux.integral, rel=1e-14)
    assert (flux.density(flux.sample(1000, rng=1)) > 0.0).all()


def test_a_limited_flux_may_be_told_that_nothing_is_missing() -> None:
    flux = medium_energy(below="zero")  # no warning
    np.testing.assert_array_equal(flux.density([0.0, 0.99]), 0.0)
    assert flux.integral_between(0.0, 5.0) == flux.integral_between(1.0, 5.0)
    assert flux.scaled(2.0).density(0.5) == 0.0


def test_a_table_that_begins_with_zero_is_not_limited() -> None:
    flux = Flux.from_points(pdg=14, energies=[1.0, 2.0, 3.0], values=[0.0, 1e-8, 0.0])
    assert not flux.is_limited
    assert flux.density(0.5) == 0.0
    assert flux.integral == pytest.approx(1e-8, rel=1e-15)
    assert flux.mean_energy == pytest.approx(2.0, rel=1e-15)


@given(points(), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_quantile_inverts_the_integral(flux: PointsFlux, fractions: list[float]) -> None:
    below = [flux.integral_between(0.0, e) / flux.integral for e in flux.quantile(fractions)]
    np.testing.assert_allclose(below, fractions, atol=1e-10)


def test_the_last_energy_has_a_density():
    flux = Flux.from_points(
        pdg=14, energies=[0.0, 0.95723548, 3.95723548], values=[1e-6, 5.42060581e-7, 0.0]
    )
    assert flux.density(flux.quantile(np.nextafter(1.0, 0))) > 0.0


@given(points(), st.integers(0, 2**32))
def test_every_sampled_energy_has_a_density(flux: PointsFlux, seed: int) -> None:
    assert (flux.density(flux.sample(200, rng=seed)) > 0.0).all()
    ends = flux.quantile([0.0, np.nextafter(0.0, 1), np.nextafter(1.0, 0), 1.0])
    assert (flux.density(ends) > 0.0).all()
    low, high = flux.energy_range
    assert ((ends > low) & (ends < high)).all()


@given(points())
def test_the_integral_is_that_of_the_density(flux: PointsFlux) -> None:
    # Two Gauss points are exact for a straight line; the mean energy needs them too.
    low, high = flux.energies[:-1], flux.energies[1:]
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    at = np.concatenate([middle - half / math.sqrt(3.0), middle + half / math.sqrt(3.0)])
    weights = np.tile(half, 2) * flux.density(at)
    assert weights.sum() == pytest.approx(flux.integral, rel=1e-9)
    assert (weights * at).sum() == pytest.approx(flux.mean_energy * flux.integral, rel=1e-9)


def test_sampling_follows_the_density() -> None:
    flux = load_flux("numi-minerva", mode="fhc", flavor="numu")
    edges = np.linspace(*flux.energy_range, 4001)
    total = np.cumsum([flux.integral_between(a, b) for a, b in pairwise(edges)])
    fraction = np.concatenate([[0.0], total / flux.integral])
    energies = flux.sample(100_000, rng=20260101)
    p = kstest(energies, lambda e: np.interp(e, edges, fraction)).pvalue
    # Fixed seed; a wrong spectrum gives 0, a suspiciously good one 1.
    assert 1e-3 < p < 1 - 1e-3


def test_it_is_a_flux_like_the_others() -> None:
    flux = load_flux("numi-minerva", mode="rhc", flavor="numubar")
    assert isinstance(flux, FluxLike)
    record = flux.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["kind"] == "points"
    assert record["table"] == "le"
    assert pickle.loads(pickle.dumps(flux)).to_dict() == record
    assert flux.scaled(0.5).integral == pytest.approx(0.5 * flux.integral, rel=1e-14)
    assert flux.scaled(0.5).to_dict()["scale"] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        flux.values[0] = 1.0


@pytest.mark.parametrize(
    ("energies", "values", "text"),
    [
        ([1.0], [1.0], "at least two"),
        ([1.0, 2.0], [1.0], "2 energies and 1 values"),
        ([-1.0, 2.0], [1.0, 1.0], "first energy is -1 GeV"),
        ([1.0, 1.0], [1.0, 1.0], "must increase"),
        ([1.0, 2.0], [1.0, -1.0], "at 2 GeV is -1"),
        ([1.0, 2.0], [0.0, 0.0], "all values are zero"),
        ([1.0, math.nan], [1.0, 1.0], "must be finite"),
    ],
)
def test_malformed_points(energies: list[float], values: list[float], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Flux.from_points(pdg=14, energies=energies, values=values)


def test_misspelt_options() -> None:
    with pytest.raises(ConfigError, match='below is \'nothing\'; it must be "refuse" or "zero"'):
        Flux.from_points(pdg=14, energies=[1, 2], values=[1, 1], below="nothing")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not that of a neutrino"):
        Flux.from_points(pdg=13, energies=[1, 2], values=[1, 1])
    with pytest.raises(ConfigError, match="NaN"):
        medium_energy(below="zero").density([1.0, math.nan])


TOML = """
schema_version = 1
name = "toy"
title = "toy beam"
[modes]
on = "the only mode"
[flavors]
numu = 14
[tables.a]
kind = "points"
file = "a.csv"
release = "none"
unit = "1/(m2 GeV POT)"
factor = 1e-4
energy_unit = "MeV"
"""
TABLE = "# toy\nenergy,on_numu\n0,0\n500,2\n1500,1\n"


def write_flux(folder: Path, toml: str = TOML, table: str = TABLE) -> Path:
    (folder / "flux.toml").write_text(toml)
    (folder / "a.csv").write_text(table)
    return folder


def test_own_folder_with_points(tmp_path: Path) -> None:
    flux = load_flux(write_flux(tmp_path), flavor="numu")
    assert isinstance(flux, PointsFlux)
    np.testing.assert_allclose(flux.energies, [0.0, 0.5, 1.5], rtol=1e-15)
    np.testing.assert_allclose(flux.values, [0.0, 2e-4, 1e-4], rtol=1e-15)


@pytest.mark.parametrize(
    ("toml", "table", "text"),
    [
        (TOML.replace('"points"', '"point"'), TABLE, "kind is 'point'; it must be histogram or po"),
        (TOML, TABLE.replace("energy,", "energy_low,"), "must begin with energy; it is energy_low"),
        (TOML.replace('"points"', '"histogram"'), TABLE, "must begin with energy_low,energy_high"),
        (TOML, TABLE.replace("on_numu", "on_nue"), "'on_nue' is not MODE_FLAVOR"),
    ],
)
def test_damaged_folder_with_points(tmp_path: Path, toml: str, table: str, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        load_flux(write_flux(tmp_path, toml, table), flavor="numu")
