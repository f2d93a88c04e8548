"""The analyses of T2K, and the published limits of 2019 from the release's decays."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erfinv

import siren_py as sp
from siren_py import errors
from siren_py.analysis import load_analysis
from siren_py.counting import Counting, upper_limit
from siren_py.experiments.t2k import BEFORE_UPGRADE, pair_efficiency
from siren_py.experiments.t2k_release import (
    BEAMS,
    FLUX_ERROR,
    SELECTIONS,
    release,
    upper_events,
)
from siren_py.units import m

REFERENCE = Path(__file__).resolve().parents[1] / "reference"


def table(name):
    lines = (REFERENCE / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


# ---------------------------------------------------------------- the release


def test_the_release_is_complete():
    data = release()
    np.testing.assert_allclose(data.masses, np.arange(140, 491, 10) / 1000, rtol=1e-12)
    assert data.decays.shape == (24, 2, 36)
    assert data.efficiencies.shape == (24, 5, 2, 36)
    assert data.observed.sum() == 0
    # K -> mu N closes at m_K - m_mu = 0.388 GeV, K -> e N at 0.493 GeV.
    for i, mode in enumerate(data.modes):
        closed = data.masses > (0.388 if mode.production == "mu" else 0.493)
        assert (data.decays[i][:, closed] == 0).all()
        assert (data.efficiencies[i][:, :, closed] == 0).all()
        open_masses = ~closed & (data.masses > 0.25)
        assert (data.decays[i][:, open_masses] > 0).all()
    # e+e-, neutrino mode: 0.563 +- 0.241 in the publication.
    assert data.background[0, SELECTIONS.index("e+ e-")] == 0.563221


def test_couplings_of_the_modes():
    data = release()
    e, mu, tau = 2e-9, 3e-9, 5e-9
    product = {
        ("e", "e"): e * e,
        ("e", "mu"): e * mu,
        ("mu", "e"): mu * e,
        ("mu", "mu"): mu * mu,
        ("e", "e+tau"): e * (e + tau) / 2,
        ("mu", "e+tau"): mu * (e + tau) / 2,
        ("e", "mu+tau"): e * (mu + tau) / 2,
        ("mu", "mu+tau"): mu * (mu + tau) / 2,
    }
    found = data.couplings(e, mu, tau)
    assert {(x.production, x.coupling) for x in data.modes} == set(product)
    for value, mode in zip(found, data.modes, strict=True):
        assert value == pytest.approx(product[mode.production, mode.coupling], rel=1e-14)


def test_expected_events_of_one_channel_by_hand():
    """At 0.2 GeV K -> mu N has with U_mu^2 alone no pions, no two muons."""
    data = release()
    k = data.mass_index(0.2)
    pairs = SELECTIONS.index("e+ e-")
    events = data.expected(0.2, umu2=1e-7)
    share = {"nu_mu/tau e+ e-": 0.5, "nu_e mu- e+": 1.0, "nubar_e mu+ e-": 1.0}
    modes = [i for i, mode in enumerate(data.modes) if mode.production == "mu"]
    used = [i for i in modes if data.modes[i].decay in share]
    assert len(used) == 3
    for b in range(len(BEAMS)):
        by_hand = sum(
            1e-14
            * share[data.modes[i].decay]
            * data.decays[i, b, k]
            * data.efficiencies[i, pairs, b, k]
            for i in used
        )
        assert events[5 * b + pairs] == pytest.approx(by_hand, rel=1e-12)
    grid = data.expected(0.2, umu2=np.array([[1e-7], [2e-7]]), ue2=np.array([0.0, 1e-8, 1e-7]))
    assert grid.shape == (2, 3, 10)
    np.testing.assert_allclose(grid[0, 0], events, rtol=1e-12)
    np.testing.assert_allclose(grid[1, 0], 4 * events, rtol=1e-12)


def test_masses_and_mixings_outside_the_release():
    with pytest.raises(errors.ConfigError, match=r"nearest is 0\.2 GeV"):
        release().expected(0.203, umu2=1e-7)
    for mass in (0.1, 0.5, np.nan):
        with pytest.raises(errors.ConfigError, match="is not among them"):
            release().expected(mass)
    with pytest.raises(errors.ConfigError, match="not negative"):
        release().expected(0.2, ue2=-1e-9)
    with pytest.raises(errors.UnknownNameError, match="umu2"):
        release().limit(0.2, "umu")


@pytest.mark.parametrize("cl", [0.5, 0.9, 0.95])
def test_upper_events(cl):
    assert upper_events(cl, 0.0, "linear") == pytest.approx(-np.log(1 - cl), rel=1e-12)
    assert upper_events(cl, 0.0, "sqrt") == pytest.approx(erfinv(cl) ** 2, rel=1e-12)
    for prior in ("linear", "sqrt"):
        # Continuous at zero, and an error can only weaken the limit.
        small, large = (upper_events(cl, d, prior) for d in (1e-3, 0.15))
        assert small == pytest.approx(upper_events(cl, 0.0, prior), rel=1e-5)
        assert large > small
    with pytest.raises(errors.ConfigError):
        upper_events(cl, 0.5, "sqrt")
    with pytest.raises(errors.UnknownNameError, match="sqrt"):
        upper_events(cl, 0.0, "log")


def test_upper_events_by_simulation():
    """Draw fluxes and couplings from their priors, keep those in which nothing is seen."""
    rng = np.random.default_rng(1)
    n = 2_000_000
    flux = rng.normal(1.0, 0.15, n)
    for prior in ("linear", "sqrt"):
        x = 12.0 * rng.random(n) ** (1.0 if prior == "linear" else 2.0)
        keep = rng.random(n) < np.exp(-x * flux)
        # About 170000 (linear) and 450000 events are left: 0.4 and 0.3 % on the quantile.
        assert np.quantile(x[keep], 0.9) == pytest.approx(upper_events(0.9, 0.15, prior), rel=0.015)


# ---------------------------------------------------------------- published limits

# T2K sampled these with Markov chains. At five masses the limit on U_e^2 stands 4 to 8 % above the
# closed form while the events of the release run smoothly in mass; see the second test below.
SCATTERED = {230, 310, 320, 340, 350}


@pytest.mark.parametrize("mixing", ["ue2", "umu2"])
def test_published_limits_to_three_percent(mixing):
    compared = 0
    for row in table("t2k2019_limits.csv"):
        mass, published = int(row["mass"]), float(row[mixing])
        limit = release().limit(mass / 1000, mixing, flux_error=FLUX_ERROR)
        if published == 1.0:  # no sensitivity: K -> mu N is closed
            assert mixing == "umu2"
            assert limit == np.inf
        elif mixing == "ue2" and mass in SCATTERED:
            assert 0.92 < limit / published < 0.96
        else:
            assert limit == pytest.approx(published, rel=0.03), mass
            compared += 1
    assert compared == {"ue2": 31, "umu2": 25}[mixing]


def test_scattered_limits_break_the_sequence_of_the_release():
    """Each group of limits not reproduced stands above its neighbours; ours does not."""
    rows = {int(r["mass"]): float(r["ue2"]) for r in table("t2k2019_limits.csv")}
    ours = {k: release().limit(k / 1000, "ue2") for k in rows}

    def step(limits, mass, low, high):
        """Ratio of a limit to the straight line between two others, in logarithms."""
        share = (mass - low) / (high - low)
        line = (1 - share) * np.log(limits[low]) + share * np.log(limits[high])
        return np.exp(np.log(limits[mass]) - line)

    for mass, low, high in ((230, 220, 240), (320, 300, 330), (340, 330, 360)):
        assert step(rows, mass, low, high) > 1.04
        assert abs(step(ours, mass, low, high) - 1.0) < 0.03


def test_published_limits_without_the_flux_error():
    """The bare erfinv(0.9)/sqrt(N): 15 % on the flux are 1.7 % on the limit."""
    for row in table("t2k2019_limits.csv"):
        mass, published = int(row["mass"]), float(row["umu2"])
        if published < 1.0:
            limit = release().limit(mass / 1000, "umu2")
            assert limit == pytest.approx(
                erfinv(0.9) / np.sqrt(release().expected(mass / 1000, umu2=1.0).sum()), rel=1e-12
            )
            assert -0.045 < limit / published - 1 < 0.0


@pytest.mark.parametrize(("mass", "mixing"), [(0.2, "ue2"), (0.3, "umu2"), (0.45, "ue2")])
def test_the_counting_package_finds_the_same(mass, mixing):
    """Its prior flat in the root of the signal, all ten channels with their backgrounds."""
    analysis = load_analysis("t2k-2019-mixing")
    signal = analysis.expected(mass, **{mixing: 1e-8})
    given = analysis.counting()
    exact = Counting(given.background, given.observed, given.background_error)
    limit = 1e-8 * np.sqrt(upper_limit(signal, exact, statistic=analysis.statistic, cl=0.9))
    assert limit == pytest.approx(release().limit(mass, mixing), rel=1e-4)
    # With the error of the flux: log-normal there, Gaussian here and in T2K's analysis.
    limit = 1e-8 * np.sqrt(upper_limit(signal, given, statistic=analysis.statistic, cl=0.9))
    ratio = limit / release().limit(mass, mixing, flux_error=FLUX_ERROR)
    assert 0.99 < ratio < 1.0


def test_published_single_limits_of_method_c():
    """126 limits on single modes: flat in the number of events, 15 % on the flux."""
    deviations = []
    for row in table("t2k2019_limits_single.csv"):
        if row["method"] == "C":
            found = release().single_limit(
                int(row["mass"]) / 1000, row["production"], row["coupling"]
            )
            deviations.append(found / float(row["limit"]) - 1)
    assert len(deviations) == 126
    assert np.abs(deviations).max() < 0.03
    assert np.sqrt(np.mean(np.square(deviations))) < 0.01


# ---------------------------------------------------------------- analyses


def test_mixing_analysis():
    mixing = load_analysis("t2k-2019-mixing")
    assert len(mixing.channels) == 10
    assert mixing.names[:2] == ("mu pi fhc", "e- pi+ fhc")
    assert mixing.requests() == []
    assert mixing.systematics == {"flux": 0.15}
    background = [c.background.value for c in mixing.channels]
    np.testing.assert_array_equal(background, release().background.reshape(-1))
    np.testing.assert_array_equal(
        mixing.expected(0.3, 1e-9, 2e-9, 3e-9), release().expected(0.3, 1e-9, 2e-9, 3e-9)
    )
    with pytest.raises(errors.ConfigError, match="not from samples"):
        mixing.signal([])


def test_pair_efficiency_is_the_lowest_of_the_open_modes():
    """Digits of the release: K -> mu N, K -> e N, N -> nu_e e+ e-, neutrino mode."""
    efficiency = pair_efficiency("fhc")
    assert efficiency.domain == pytest.approx((0.14, 0.49))
    for mass, mu, e in ((0.14, 0.06442, 0.06711), (0.2, 0.08741, 0.08948), (0.3, 0.1072, 0.102)):
        assert efficiency.at(mass)[0] == min(mu, e)
    assert efficiency.at(0.45)[0] == 0.07538  # K -> mu N is closed
    assert efficiency.at(0.205)[0] == pytest.approx((0.08741 + 0.091) / 2, rel=1e-9)
    with pytest.raises(errors.ConfigError, match=r"0\.14 to 0\.49 GeV"):
        efficiency.at(0.05)
    assert pair_efficiency("fhc", "nearest").at(0.02)[0] == 0.06442


def test_dipole_2019_is_what_was_published():
    analysis = load_analysis("t2k-2019-dipole")
    fhc, rhc = analysis.channels
    assert (fhc.exposure, rhc.exposure) == ({"fhc": 12.34e20}, {"rhc": 6.29e20})
    assert (fhc.observed, rhc.observed) == (0, 0)
    assert fhc.background == pytest.approx((0.563, 0.241), abs=5e-4)
    assert rhc.background == pytest.approx((0.0153, 0.0154), abs=5e-5)
    assert fhc.fluxes == ("t2k-nd280:fhc:numu", "t2k-nd280:fhc:numubar")
    assert len(analysis.requests()) == 1


@pytest.mark.parametrize(
    ("script", "region", "size", "count"),
    [
        ("nd280", "tpc", (1.70, 1.96, 0.563), 3),
        ("nd280-upgrade", "tpc", (1.70, 1.96, 0.563), 3),
        ("nd280-upgrade", "ha-tpc", (1.59, 0.27, 1.71), 2),
    ],
)
def test_fiducial_boxes(script, region, size, count):
    detector = sp.load_detector(script)
    leaves = detector.region(region).leaves
    assert len(leaves) == count
    for leaf in leaves:
        low, high = detector.region(leaf).bounds()
        np.testing.assert_allclose(high - low, np.array(size) * m, rtol=1e-12)


def test_dipole_upgrade_scales_the_background():
    by_count = load_analysis("t2k-upgrade-dipole")
    fhc, rhc = by_count.channels
    assert fhc.exposure["fhc"] == 1e22 - BEFORE_UPGRADE["fhc"]
    assert fhc.background.value == pytest.approx(0.563221 * 8.03 / 1.234 * 5 / 3, rel=1e-12)
    assert rhc.background.value == pytest.approx(0.0153405 * 83.7 / 6.29 * 5 / 3, rel=1e-12)
    # The relative error is that of 2019.
    assert fhc.background.relative_error == pytest.approx(0.240792 / 0.563221)
    by_volume = load_analysis("t2k-upgrade-dipole", background="volume").channels[0]
    assert by_volume.background.value / fhc.background.value == pytest.approx(
        (3 + 2 * 0.391) / 5, rel=1e-3
    )
    none = load_analysis("t2k-upgrade-dipole", background=0.0).channels[0]
    assert none.background == (0.0, 0.0)
    assert fhc.observed is None
    with pytest.raises(errors.UnknownNameError, match="volume"):
        load_analysis("t2k-upgrade-dipole", background="volum")
    with pytest.raises(errors.ConfigError, match="negative"):
        load_analysis("t2k-upgrade-dipole", background=-1.0)


def run(analysis, model, n=4000):
    (request,) = analysis.requests()
    return request.simulation(model).run(n, seed=1)


def test_signal_of_the_dipole_in_the_tpcs():
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    analysis = load_analysis("t2k-2019-dipole")
    sample = run(analysis, model)
    with pytest.raises(errors.ConfigError, match=r'not known at 0\.1 GeV.*outside="nearest"'):
        analysis.signal(sample)
    analysis = load_analysis("t2k-2019-dipole", outside="nearest")
    values, errs = analysis.signal(sample)
    assert (values > 0).all()
    assert (errs < 0.2 * values).all()
    for channel, value in zip(analysis.channels, values, strict=True):
        cuts = channel.cuts[0] & channel.cuts[1] & channel.cuts[2]
        events = sample.expected(channel.exposure_of(sample), cuts).value
        assert value == pytest.approx(channel.efficiency.values[0] * events, rel=1e-12)
    np.testing.assert_allclose(analysis.efficiency_errors(sample), 0.06 * values, rtol=1e-12)


def test_signal_of_photons_in_fgd1():
    analysis = load_analysis("t2k-fgd-photon")
    sample = run(analysis, sp.DipolePortal(mass=0.1, d_mu=1e-6))
    (value,), _ = analysis.signal(sample)
    assert value == pytest.approx(0.1 * sample.expected(5.738e20).value, rel=1e-12)
    assert analysis.efficiency_errors(sample)[0] == pytest.approx(0.23 * value, rel=1e-12)
    assert analysis.channels[0].observed == 521
