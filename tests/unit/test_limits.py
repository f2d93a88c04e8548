"""Limits: edges, islands and contours of known exclusions, files, and the way from an analysis."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py import errors
from siren_py.exclusion import limit_from_scan, model_family
from siren_py.limits import Limit
from siren_py.scan import Scan

mpl = pytest.importorskip("matplotlib")
mpl.use("Agg")

MASSES = np.geomspace(0.01, 1.0, 41)
COUPLINGS = np.geomspace(1e-8, 1e-4, 81)


def limit(function, masses=MASSES, couplings=COUPLINGS):
    exclusion = function(masses[:, None], couplings[None, :])
    return Limit(masses, couplings, exclusion, 0.01 * exclusion, "d_mu", 0.9, "cls", "test")


def band(mass, coupling):
    """Power laws: excluded from 1e-6 m^-1/2 (m in units of 0.1) up to 1e-5, for all masses."""
    lower = 1e-6 * (mass / 0.1) ** -0.5
    return np.minimum((coupling / lower) ** 4, (1e-5 / coupling) ** 2)


def island(mass, coupling):
    """A disc of radius 1 in natural logarithms, centred on m = 0.1, d = 1e-6."""
    r2 = np.log(mass / 0.1) ** 2 + np.log(coupling / 1e-6) ** 2
    return np.exp(1.0 - r2)


def test_edges_of_power_laws_are_exact():
    result = limit(band)
    expected = 1e-6 * (MASSES / 0.1) ** -0.5
    np.testing.assert_allclose(result.lower, expected, rtol=1e-3)
    np.testing.assert_allclose(result.upper, 1e-5, rtol=1e-3)
    # The exclusion goes as the fourth power, so the edge has a quarter of its error.
    np.testing.assert_allclose(result.lower_error, 0.0025 * result.lower, rtol=1e-6)


def test_an_island_has_two_edges_and_a_closed_contour():
    result = limit(island)
    inside = np.abs(np.log(MASSES / 0.1)) < 0.98
    assert np.isnan(result.lower[np.abs(np.log(MASSES / 0.1)) > 1.02]).all()
    half = np.sqrt(1.0 - np.log(MASSES[inside] / 0.1) ** 2)
    np.testing.assert_allclose(np.log(result.lower[inside] / 1e-6), -half, atol=0.02)
    np.testing.assert_allclose(np.log(result.upper[inside] / 1e-6), half, atol=0.02)
    (line,) = result.contour
    np.testing.assert_array_equal(line[0], line[-1])
    radius = np.hypot(np.log(line[:, 0] / 0.1), np.log(line[:, 1] / 1e-6))
    np.testing.assert_allclose(radius, 1.0, atol=0.01)


def test_two_islands_at_one_mass():
    result = limit(lambda m, d: island(m, d / 10.0) + island(m, d * 10.0))
    middle = result.intervals()[20]
    assert len(middle) == 2
    assert middle[0][1] < middle[1][0]
    assert len(result.contour) == 2
    assert result.lower[20] == middle[0][0]
    assert result.upper[20] == middle[0][1]


def test_points_between_the_grid():
    result = limit(island)
    assert result.excluded(0.1, 1e-6)
    assert not result.excluded([0.1, 0.9], [9e-6, 1e-6]).any()
    assert float(result.at(0.12, 1.1e-6)) == pytest.approx(island(0.12, 1.1e-6), rel=0.02)
    with pytest.raises(errors.ConfigError, match="mass = 2 lies outside"):
        result.at(2.0, 1e-6)
    with pytest.raises(errors.ConfigError, match="d_mu"):
        result.excluded(0.1, 1.0)


def test_nothing_excluded_and_all_excluded():
    nothing = limit(lambda m, d: 0.0 * m * d)
    assert np.isnan(nothing.lower).all()
    assert nothing.contour == []
    assert "nothing excluded" in repr(nothing)
    everything = limit(lambda m, d: 2.0 + 0.0 * m * d)
    np.testing.assert_allclose(everything.lower, COUPLINGS[0])
    np.testing.assert_allclose(everything.upper, COUPLINGS[-1])


def test_comparison_with_a_line():
    result = limit(band)
    x = np.array([0.5, 0.02])
    rows = result.compare(x, 2e-6 * (x / 0.1) ** -0.5)
    assert len(rows) == int(((MASSES >= 0.02) & (MASSES <= 0.5)).sum())
    np.testing.assert_allclose([r["ratio"] for r in rows], 0.5, rtol=1e-3)


def test_files(tmp_path):
    result = limit(island)
    result.to_json(tmp_path / "limit.json")
    again = Limit.load(tmp_path / "limit.json")
    np.testing.assert_array_equal(again.exclusion, result.exclusion)
    assert (again.cl, again.statistic, again.coupling) == (0.9, "cls", "d_mu")
    result.to_csv(tmp_path / "limit.csv")
    lines = (tmp_path / "limit.csv").read_text().splitlines()
    assert lines[0].startswith("# test")
    assert "[1/GeV]" in lines[1]
    table = np.genfromtxt(lines[3:], delimiter=",")
    np.testing.assert_allclose(table[:, 1], result.lower[np.isfinite(result.lower)], rtol=1e-6)
    result.to_hepdata(tmp_path / "hepdata")
    limit(lambda m, d: 0.0 * m * d).to_hepdata(tmp_path / "nothing")
    assert "1/GeV" in (tmp_path / "hepdata" / "limit.yaml").read_text()
    assert not (tmp_path / "nothing" / "limit.yaml").exists()
    (tmp_path / "limit.json").write_text("{}")
    with pytest.raises(errors.FormatError, match=r"limit\.json"):
        Limit.load(tmp_path / "limit.json")


def test_plot_has_units_and_the_line():
    ax = limit(island).plot()
    assert ax.get_xlabel() == "mass of N [GeV]"
    assert ax.get_ylabel() == r"$d_{\mu}$ [1/GeV]"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert len(ax.lines) == 1
    pytest.importorskip("matplotlib.pyplot").close(ax.figure)


def test_malformed():
    with pytest.raises(errors.ConfigError, match="shape"):
        Limit(MASSES, COUPLINGS, np.ones((2, 2)), np.ones((2, 2)), "d_mu", 0.9, "cls", "x")
    with pytest.raises(errors.ConfigError, match="finite"):
        limit(lambda m, d: np.nan * m * d)
    with pytest.raises(errors.ConfigError, match="two masses"):
        _ = limit(band, MASSES[:1]).contour


def test_families_of_models():
    family = model_family(sp.DipolePortal(mass=0.1, d_mu=1e-6, nature="majorana"), "d_mu")
    assert family(0.2, 3e-6) == sp.DipolePortal(mass=0.2, d_mu=3e-6, nature="majorana")
    with pytest.raises(errors.ConfigError, match="no parameter 'U_mu2'"):
        model_family(sp.DipolePortal(mass=0.1, d_mu=1e-6), "U_mu2")


def scanned(values):
    return Scan(
        MASSES[:3],
        COUPLINGS[:4],
        ("fhc", "rhc"),
        values,
        0.01 * values,
        np.ones((3, 4)),
        np.ones(3),
    )


def test_from_a_scan_to_a_limit():
    values = np.geomspace(0.01, 100.0, 12).reshape(3, 4)[..., None] * [0.7, 0.3]
    counting = sp.counting.Counting([1.0, 0.5], observed=[1, 0], names=("fhc", "rhc"))
    mu = sp.counting.upper_limit(values, counting, statistic="cls", cl=0.9)
    result = limit_from_scan(scanned(values), counting)
    np.testing.assert_allclose(result.exclusion, 1.0 / mu, rtol=1e-12)
    # Bins go by name, whatever their order.
    turned = sp.counting.Counting([0.5, 1.0], observed=[0, 1], names=("rhc", "fhc"))
    np.testing.assert_allclose(limit_from_scan(scanned(values), turned).exclusion, 1.0 / mu)
    other = sp.counting.Counting([0.5, 1.0], observed=[0, 1], names=("a", "b"))
    with pytest.raises(errors.UnknownNameError, match="fhc"):
        limit_from_scan(scanned(values), other)
    with pytest.raises(errors.ConfigError, match="not complete"):
        limit_from_scan(scanned(np.where(values > 50.0, np.nan, values)), counting)


def test_a_projection_gives_the_median_and_its_bands():
    values = np.geomspace(0.01, 100.0, 12).reshape(3, 4)[..., None] * [0.71, 0.29]
    values[0, 0] = 0.0
    counting = sp.counting.Counting([6.0, 0.3], names=("fhc", "rhc"))
    result = limit_from_scan(scanned(values), counting)
    exact = sp.counting.expected_limits([0.71, 0.29], counting)
    total = values.sum(axis=2)
    np.testing.assert_allclose(result.exclusion, total / exact.median, rtol=0.02)
    np.testing.assert_allclose(result.bands["plus1"], total / exact.plus1, rtol=0.03)
    assert result.exclusion[0, 0] == 0.0
    assert (result.bands["minus2"] >= result.bands["plus2"]).all()
