"""Fluxes: tables as published, density and sampling from one function, errors that teach."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from siren_py.errors import ConfigError, FormatError, UnknownNameError
from siren_py.flux import (
    FLAVORS,
    Flux,
    FluxLike,
    HistogramFlux,
    MonoenergeticFlux,
    flavor_name,
    load_flux,
    parse_flux,
)

# Integrals [1/(cm2 POT)] and mean energies [GeV] of the T2K release of 2016: sums over its bins.
T2K_2016 = {
    ("fhc", "numu"): (1.9169e-8, 0.8525),
    ("fhc", "numubar"): (1.2162e-9, 0.9910),
    ("fhc", "nue"): (2.2574e-10, 1.2930),
    ("fhc", "nuebar"): (3.0649e-11, 1.8328),
    ("rhc", "numu"): (1.6032e-9, 1.4502),
    ("rhc", "numubar"): (1.5443e-8, 0.7122),
    ("rhc", "nue"): (4.2963e-11, 2.0208),
    ("rhc", "nuebar"): (1.5969e-10, 0.9994),
}
T2K_2020 = {
    ("fhc", "numu"): (1.8657e-8, 0.8607),
    ("fhc", "numubar"): (1.2132e-9, 1.0176),
    ("rhc", "numu"): (1.6124e-9, 1.4573),
    ("rhc", "numubar"): (1.4982e-8, 0.7150),
}


@pytest.fixture(scope="module")
def t2k() -> HistogramFlux:
    return load_flux("t2k-nd280", mode="fhc", flavor="numu")


@st.composite
def histograms(draw: st.DrawFn) -> HistogramFlux:
    widths = draw(st.lists(st.floats(1e-3, 5.0), min_size=1, max_size=12))
    values = draw(
        st.lists(
            st.one_of(st.just(0.0), st.floats(1e-15, 1e-6)),
            min_size=len(widths),
            max_size=len(widths),
        ).filter(any)
    )
    start = draw(st.floats(0.0, 2.0))
    return Flux.from_histogram(pdg=14, edges=start + np.cumsum([0.0, *widths]), values=values)


@pytest.mark.parametrize(("key", "expected"), T2K_2016.items(), ids=str)
def test_t2k_2016_integrals(key: tuple[str, str], expected: tuple[float, float]) -> None:
    flux = load_flux("t2k-nd280", mode=key[0], flavor=key[1])
    assert flux.integral == pytest.approx(expected[0], rel=5e-5)
    assert flux.mean_energy == pytest.approx(expected[1], abs=6e-5)
    assert flux.pdg == FLAVORS[key[1]]
    assert (flux.mode, flux.flavor) == key


@pytest.mark.parametrize(("key", "expected"), T2K_2020.items(), ids=str)
def test_t2k_2020_integrals(key: tuple[str, str], expected: tuple[float, float]) -> None:
    flux = load_flux("t2k-nd280", mode=key[0], flavor=key[1], table="2020")
    assert flux.integral == pytest.approx(expected[0], rel=5e-5)
    assert flux.mean_energy == pytest.approx(expected[1], abs=6e-5)


def test_t2k_unit_is_per_50_mev_in_the_wide_bins_too(t2k: HistogramFlux) -> None:
    # Published: 1.70e12 at 0.55 to 0.6 GeV, 3.71e8 at 10 to 11 GeV, per cm2, 50 MeV and 1e21 POT.
    np.testing.assert_allclose(t2k.density([0.56, 10.5]), [1.70e12 * 2e-20, 3.71e8 * 2e-20])


def test_t2k_releases_agree_as_far_as_they_should(t2k: HistogramFlux) -> None:
    other = load_flux("t2k-nd280", mode="fhc", flavor="numu", table="2020")
    for low, high, least, most in [(0.2, 1.2, 0.95, 0.99), (1.2, 10.0, 1.0, 1.03)]:
        ratio = other.integral_between(low, high) / t2k.integral_between(low, high)
        assert least < ratio < most


def test_bins_are_half_open(t2k: HistogramFlux) -> None:
    flux = Flux.from_histogram(pdg=14, edges=[1.0, 2.0, 4.0], values=[3e-8, 1e-8])
    energies = [0.999, 1.0, np.nextafter(2.0, 0), 2.0, np.nextafter(4.0, 0), 4.0, math.inf]
    np.testing.assert_array_equal(flux.density(energies), [0, 3e-8, 3e-8, 1e-8, 1e-8, 0, 0])
    assert flux.density(1.5).shape == ()
    assert flux.density(np.ones((2, 3))).shape == (2, 3)
    assert t2k.density(-1.0) == 0.0


def test_integrals_and_moments() -> None:
    flux = Flux.from_histogram(pdg=14, edges=[1.0, 2.0, 4.0, 5.0], values=[3e-8, 1e-8, 0.0])
    assert flux.integral == pytest.approx(5e-8, rel=1e-15)
    assert flux.mean_energy == pytest.approx((3 * 1.5 + 2 * 3.0) / 5, rel=1e-15)
    assert flux.energy_range == (1.0, 4.0)
    assert flux.integral_between(1.5, 3.0) == pytest.approx(2.5e-8, rel=1e-15)
    assert flux.integral_between(-math.inf, math.inf) == flux.integral
    assert flux.integral_between(2.0, 2.0) == 0.0


@given(histograms(), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_quantile_inverts_the_integral(flux: HistogramFlux, fractions: list[float]) -> None:
    energies = flux.quantile(fractions)
    below = [flux.integral_between(0.0, energy) / flux.integral for energy in energies]
    np.testing.assert_allclose(below, fractions, atol=1e-12)


@given(histograms(), st.integers(0, 2**32))
def test_every_sampled_energy_has_a_density(flux: HistogramFlux, seed: int) -> None:
    energies = flux.sample(200, rng=seed)
    assert (flux.density(energies) > 0.0).all()
    # The ends of the unit interval are where rounding could leave the histogram.
    ends = flux.quantile([0.0, np.nextafter(0.0, 1), np.nextafter(1.0, 0), 1.0])
    assert (flux.density(ends) > 0.0).all()


@settings(max_examples=30)
@given(histograms(), st.floats(0.0, 30.0), st.floats(0.0, 30.0), st.floats(0.0, 30.0))
def test_integral_is_additive(flux: HistogramFlux, a: float, b: float, c: float) -> None:
    a, b, c = sorted([a, b, c])
    parts = flux.integral_between(a, b) + flux.integral_between(b, c)
    assert parts == pytest.approx(flux.integral_between(a, c), rel=1e-9, abs=1e-21)


def test_sampling_follows_the_density(t2k: HistogramFlux) -> None:
    n = 200_000
    counts, _ = np.histogram(t2k.sample(n, rng=12345), bins=t2k.edges)
    expected = n * t2k.values * np.diff(t2k.edges) / t2k.integral
    filled = expected >= 10.0
    observed = np.append(counts[filled], counts[~filled].sum())
    mean = np.append(expected[filled], expected[~filled].sum())
    statistic = float(((observed - mean) ** 2 / mean).sum())
    # Fixed seed; 1e-3 on either side rejects a wrong spectrum and a suspiciously good one.
    assert 1e-3 < chi2.sf(statistic, len(mean) - 1) < 1 - 1e-3


def test_sampling_is_uniform_within_a_bin() -> None:
    flux = Flux.from_histogram(pdg=14, edges=[0.0, 1.0, 3.0], values=[1e-8, 2e-8])
    energies = flux.sample(50_000, rng=7)
    counts, _ = np.histogram(energies[energies >= 1.0], bins=np.linspace(1.0, 3.0, 21))
    statistic = float(((counts - counts.mean()) ** 2 / counts.mean()).sum())
    assert 1e-3 < chi2.sf(statistic, 19) < 1 - 1e-3


def test_sampling_is_reproducible(t2k: HistogramFlux) -> None:
    np.testing.assert_array_equal(t2k.sample(10, rng=3), t2k.sample(10, rng=3))
    assert not np.array_equal(t2k.sample(10, rng=3), t2k.sample(10, rng=4))


def test_monoenergetic() -> None:
    flux = Flux.monoenergetic(pdg=-14, energy=1.5, fluence=2e-8)
    assert isinstance(flux, MonoenergeticFlux)
    assert flux.discrete
    assert flux.flavor == "numubar"
    assert flux.integral == 2e-8
    assert flux.mean_energy == 1.5
    assert flux.energy_range == (1.5, 1.5)
    np.testing.assert_array_equal(flux.sample(3, rng=1), [1.5, 1.5, 1.5])
    np.testing.assert_array_equal(flux.density([1.0, 1.5]) / flux.integral, [0.0, 1.0])
    assert flux.integral_between(1.5, 2.0) == 2e-8
    assert flux.integral_between(1.0, 1.5) == 0.0


def test_scaling(t2k: HistogramFlux) -> None:
    half = t2k.scaled(0.5)
    assert half.integral == pytest.approx(0.5 * t2k.integral, rel=1e-14)
    assert half.scaled(4.0).to_dict()["scale"] == 2.0
    np.testing.assert_array_equal(half.sample(5, rng=1), t2k.sample(5, rng=1))
    assert Flux.monoenergetic(pdg=14, energy=1.0).scaled(3.0).integral == 3.0
    for factor in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigError, match="factor of a flux must be positive"):
            t2k.scaled(factor)


def test_provenance_is_plain_and_has_no_path(t2k: HistogramFlux) -> None:
    for flux in (t2k, Flux.monoenergetic(pdg=14, energy=1.0)):
        record = flux.to_dict()
        text = json.dumps(record)
        assert json.loads(text) == record
        assert str(Path.cwd()) not in text
    record = t2k.to_dict()
    assert record["table"] == "2016"
    assert record["unit"] == "1/(GeV cm2 POT)"
    assert len(record["sha256"]) == 64
    other = load_flux("t2k-nd280", mode="fhc", flavor="nue").to_dict()
    assert other["sha256"] == record["sha256"]
    assert other["values_sha256"] != record["values_sha256"]


def test_flux_survives_pickling(t2k: HistogramFlux) -> None:
    copy = pickle.loads(pickle.dumps(t2k))
    assert copy.to_dict() == t2k.to_dict()
    np.testing.assert_array_equal(copy.sample(5, rng=1), t2k.sample(5, rng=1))


def test_a_flux_cannot_be_changed(t2k: HistogramFlux) -> None:
    with pytest.raises(ValueError, match="read-only"):
        t2k.values[0] = 1.0
    edges = np.array([0.0, 1.0])
    flux = Flux.from_histogram(pdg=14, edges=edges, values=[1e-8])
    edges[1] = 5.0
    assert flux.integral == 1e-8


def test_repr_names_what_it_is(t2k: HistogramFlux) -> None:
    assert repr(t2k) == (
        "<HistogramFlux t2k-nd280 fhc numu: 1.917e-08 /cm2/POT, 0 to 23 GeV, "
        "mean 0.8525 GeV, 220 bins>"
    )
    assert "at 1.5 GeV" in repr(Flux.monoenergetic(pdg=14, energy=1.5))


def test_protocol_is_open_to_users() -> None:
    class PowerLaw:
        pdg = 14
        integral = 1e-8

        def density(self, energy: float) -> float:
            return 1e-8 / energy**2

        def sample(self, n: int, *, rng: object = None) -> np.ndarray:
            return 1.0 / (1.0 - np.random.default_rng(1).random(n))

    assert isinstance(PowerLaw(), FluxLike)
    assert isinstance(Flux.monoenergetic(pdg=14, energy=1.0), FluxLike)
    assert not isinstance(object(), FluxLike)


@pytest.mark.parametrize(
    ("edges", "values", "text"),
    [
        ([0, 1, 2], [1], "3 edges need 2 values"),
        ([0], [], "at least one bin"),
        ([0, 2, 1], [1, 1], "edge 2 is 1 GeV after 2 GeV"),
        ([0, 1, 1], [1, 1], "edges must increase"),
        ([-1, 1], [1], "energies start at 0"),
        ([0, 1, 2], [1, -1], r"bin 1 \(1 to 2 GeV\) is -1"),
        ([0, 1, 2], [1, math.nan], "values of a flux must be finite; element 1 is nan"),
        ([0, math.inf], [1], "edges of a flux must be finite"),
        ([0, 1, 2], [0, 0], "all values are zero"),
        ([[0, 1]], [1], "one axis"),
        (["a", "b"], [1], "must be numbers"),
    ],
)
def test_malformed_histograms(edges: list[float], values: list[float], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Flux.from_histogram(pdg=14, edges=edges, values=values)


@pytest.mark.parametrize("energy", [0.0, -1.0, math.nan, math.inf])
def test_malformed_lines(energy: float) -> None:
    with pytest.raises(ConfigError, match="energy of a flux must be positive"):
        Flux.monoenergetic(pdg=14, energy=energy)
    with pytest.raises(ConfigError, match="fluence of a flux must be positive"):
        Flux.monoenergetic(pdg=14, energy=1.0, fluence=energy)


def test_nan_never_passes(t2k: HistogramFlux) -> None:
    with pytest.raises(ConfigError, match="NaN"):
        t2k.density([1.0, math.nan])
    with pytest.raises(ConfigError, match="NaN"):
        t2k.integral_between(math.nan, 1.0)
    with pytest.raises(ConfigError, match="in order"):
        t2k.integral_between(2.0, 1.0)
    for u in (math.nan, -0.1, 1.1):
        with pytest.raises(ConfigError, match=r"\[0, 1\]"):
            t2k.quantile(u)


def test_only_neutrinos_unless_told() -> None:
    with pytest.raises(ConfigError, match="not that of a neutrino"):
        Flux.monoenergetic(pdg=22, energy=1.0)
    assert Flux.monoenergetic(pdg=321, energy=1.0, any_pdg=True).flavor == "321"


@pytest.mark.parametrize(
    ("alias", "flavor"),
    [
        ("numu", "numu"),
        ("NuMu", "numu"),
        ("anumu", "numubar"),
        ("numu-bar", "numubar"),
        ("numu_bar", "numubar"),
        ("anue", "nuebar"),
        ("nutaubar", "nutaubar"),
    ],
)
def test_flavor_aliases(alias: str, flavor: str) -> None:
    assert flavor_name(alias) == flavor


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"mode": "fhcc", "flavor": "numu"}, "mode of the flux t2k-nd280 called 'fhcc'.*'fhc'"),
        ({"mode": "fhc", "flavor": "nutau"}, "flavor of the flux t2k-nd280 called 'nutau'"),
        (
            {"mode": "fhc", "flavor": "numu", "table": "2017"},
            "table of the flux t2k-nd280 called '2017'",
        ),
    ],
)
def test_unknown_names(arguments: dict[str, str], text: str) -> None:
    with pytest.raises(UnknownNameError, match=text):
        load_flux("t2k-nd280", **arguments)


def test_unknown_flux_and_missing_choice() -> None:
    with pytest.raises(UnknownNameError, match=r"no flux called 't2k-nd28'.*'t2k-nd280'"):
        load_flux("t2k-nd28", mode="fhc", flavor="numu")
    with pytest.raises(ConfigError, match="more than one mode; say mode=.*fhc, rhc"):
        load_flux("t2k-nd280", flavor="numu")
    with pytest.raises(ConfigError, match="more than one flavor"):
        load_flux("t2k-nd280", mode="fhc")


def test_short_form() -> None:
    (one,) = parse_flux("t2k-nd280:fhc:numu")
    assert one.to_dict() == load_flux("t2k-nd280", mode="fhc", flavor="numu").to_dict()
    two = parse_flux("t2k-nd280@2020:RHC:numubar,anue")
    assert [(f.mode, f.flavor, f.source["table"]) for f in two] == [
        ("rhc", "numubar", "2020"),
        ("rhc", "nuebar", "2020"),
    ]


@pytest.mark.parametrize("text", ["t2k-nd280", "t2k-nd280:fhc", "", "::", ":fhc:numu"])
def test_malformed_short_form(text: str) -> None:
    with pytest.raises(ConfigError, match="not of the form NAME:MODE:FLAVOR"):
        parse_flux(text)


def test_short_form_counts_nothing_twice() -> None:
    with pytest.raises(ConfigError, match="flavour twice"):
        parse_flux("t2k-nd280:fhc:numubar,anumu")


# A flux folder of a user's own.

FLUX_TOML = """
schema_version = 1
name = "toy"
title = "toy beam"
[modes]
on = "the only mode"
[flavors]
numu = 14
nue = 12
[tables.a]
file = "a.csv"
release = "none"
unit = "1/(m2 GeV POT)"
factor = 1e-4
energy_unit = "MeV"
"""
TABLE = "# toy\nenergy_low,energy_high,on_numu\n0,500,2\n500,1500,1\n"


def write_flux(folder: Path, toml: str = FLUX_TOML, table: str = TABLE) -> Path:
    (folder / "flux.toml").write_text(toml)
    (folder / "a.csv").write_text(table)
    return folder


def test_own_folder(tmp_path: Path) -> None:
    flux = load_flux(write_flux(tmp_path), flavor="numu")
    np.testing.assert_allclose(flux.edges, [0.0, 0.5, 1.5], rtol=1e-15)
    np.testing.assert_allclose(flux.values, [2e-4, 1e-4], rtol=1e-15)
    assert flux.mode == "on"
    (same,) = parse_flux(f"{tmp_path}::numu")
    assert same.to_dict() == flux.to_dict()
    assert load_flux(tmp_path / "flux.toml", flavor="numu").to_dict() == flux.to_dict()


def test_spectrum_that_was_not_published(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"spectrum in table a.*Known: on:numu"):
        load_flux(write_flux(tmp_path), flavor="nue")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("factor = 1e-4", "factr = 1e-4", r"\[tables.a\] the key 'factor' is missing"),
        ("factor = 1e-4", "factor = 1e-4\nfactr = 2", r"\[tables.a\] the key 'factr' is not known"),
        ("factor = 1e-4", "factor = -1", "factor is -1.0; it must be a positive"),
        ("factor = 1e-4", 'factor = "1"', "factor is '1'; it must be of type float"),
        ('"MeV"', '"keV"', "energy_unit is 'keV'"),
        ("schema_version = 1", "schema_version = 2", "schema_version is 2"),
        ("numu = 14", 'numu = "14"', "must hold PDG codes"),
        ('name = "toy"', 'name = "toy"\ndefault_table = "b"', "the tables are a"),
        ("[tables.a]", "[plane]\nwidth = 3\n[tables.a]", r"\[plane\] the key 'width' is not"),
        ("[modes]", "[modes", "not a TOML file"),
        ('"a.csv"', '"b.csv"', "cannot be read: No such file"),
    ],
)
def test_damaged_description(tmp_path: Path, old: str, new: str, text: str) -> None:
    assert old in FLUX_TOML
    with pytest.raises(FormatError, match=text):
        load_flux(write_flux(tmp_path, FLUX_TOML.replace(old, new)), flavor="numu")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("500,1500,1", "600,1500,1", "line 4: the bin begins at 0.6 GeV, but the one before"),
        ("500,1500,1", "500,1500", "line 4: 2 values, 3 columns"),
        ("500,1500,1", "500,1500,x", "line 4: could not convert"),
        ("500,1500,1", "500,1500,nan", "line 4: a value is not finite"),
        ("on_numu", "off_numu", "'off_numu' is not MODE_FLAVOR.*on_numu, on_nue"),
        ("energy_low,", "E,", "must begin with energy_low,energy_high"),
        ("0,500,2\n500,1500,1\n", "", "no header or no numbers"),
    ],
)
def test_damaged_table(tmp_path: Path, old: str, new: str, text: str) -> None:
    assert old in TABLE
    with pytest.raises(FormatError, match=text):
        load_flux(write_flux(tmp_path, table=TABLE.replace(old, new)), flavor="numu")
