"""Reproductions of N from kaons: T2K 2019, arXiv:2109.03831, arXiv:2412.15051 Suppl. Fig. 1."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import UnknownNameError
from siren_py.flux.mesons import redecay, t2k_parent_flux
from siren_py.geometry import Box
from siren_py.models_mixing import MassMixing
from siren_py.reproduction import Context, find_reproduction, reproduce
from siren_py.reproduction import arguelles2021_fig2 as fig2
from siren_py.reproduction import kaon_rates as kaon
from siren_py.reproduction import liu2024_suppl as suppl
from siren_py.reproduction import t2k2019_decays as t2k

pytest.importorskip("matplotlib")

POT = 18.63e20


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Quick runs of all three, and the folders they were written to."""
    found = {}
    for name in ("arguelles2021-fig2", "liu2024-suppl-fig1", "t2k2019-mixing"):
        folder = tmp_path_factory.mktemp(name)
        found[name] = reproduce(name, folder, quick=True, progress=False), folder
    return found


def rows(results, name, *words):
    found = [r for r in results[name][0].agreement if all(w in r.quantity for w in words)]
    assert found
    return found


# ----------------------------------------------------------------------- physics


def test_the_efficiency_is_that_of_the_release():
    # Sum over the five channels of the row K -> mu N, N -> nu_mu e e at 0.20 GeV, by hand.
    from siren_py.experiments.t2k_release import release

    values = release().efficiencies[10, :, :, 6].sum(axis=0)
    assert kaon.efficiency(0.2) == pytest.approx(values @ [12.34, 6.29] / 18.63)
    # Straight below: three points on a line, which falls.
    low, middle, high = kaon.efficiency([0.02, 0.07, 0.12])
    assert middle == pytest.approx((low + high) / 2)
    assert low < high


def test_the_spectrum_is_flux_times_phase_space():
    fluxes = [t2k_parent_flux(name) for name in ("K+", "K-")]
    # At U = 1 without mass N are neutrinos; 10 GeV is the end of both tables.
    total = sum(f.integral for f in fluxes)
    for method in ("momentum", "energy"):
        assert kaon.spectrum(1e-6, method).counts.sum() == pytest.approx(total, rel=2e-3)
    # Kaons decay again to the same neutrinos, except for the soft ones that they cannot make.
    hard = sum(f.integral_between(0.2356, 10.0) for f in fluxes)
    assert kaon.spectrum(1e-6, "redecay").counts.sum() == pytest.approx(hard, rel=2e-3)
    with pytest.raises(UnknownNameError, match="momentum"):
        kaon.spectrum(0.1, "scaled")


def test_kaons_change_their_angle_where_they_must():
    found = kaon.kaons("K+")
    along = np.linalg.norm(found.momenta, axis=1)
    angle = np.arccos(np.clip(found.momenta[:, 2] / along, -1.0, 1.0))
    aside = angle > 0.5 * kaon.OFF_AXIS
    assert angle[aside] == pytest.approx(kaon.OFF_AXIS, abs=1e-6)
    assert angle[~aside] == pytest.approx(0.0, abs=1e-6)
    # Their neutrinos are the flux, on both sides of 6.6 GeV.
    star = 0.2355 / np.sin(kaon.OFF_AXIS)
    flux = t2k_parent_flux("K+")
    edges = [0.25, 2.0, 0.999 * star, 1.001 * star, 9.9, 10.1]
    again = redecay(found, "mu", 0.0, 1.0, edges=[0.2, *edges], mode="fhc")
    expected = [flux.integral_between(a, b) for a, b in pairwise(edges)]
    got = (again.values * np.diff(again.edges))[1:]
    assert got[[0, 1, 3]] == pytest.approx(np.array(expected)[[0, 1, 3]], rel=2e-3)


@pytest.mark.parametrize("mass", [0.18, 0.195, 0.25])
def test_the_integral_is_the_simulation(mass):
    """The same box in the engine, with N as the primary and its decays on the way."""
    place = kaon.Place(170.0 * 196.0, 168.0, 28000.0)
    detector = sp.DetectorModel("box")
    detector.add("air", Box(400, 400, 900), sp.Material.from_element("N", density=1.2e-3))
    detector.add_region("tpc", Box(170, 196, 168))
    # The way is measured to the middle of the box there, to its near end in the integral.
    detector.set_beam((0, 0, 1), distance=place.distance + 84.0)
    u2 = 1e-9
    fluxes = [redecay(kaon.kaons(k), "mu", mass, u2, mode="fhc") for k in ("K+", "K-")]
    model = MassMixing(mass, U_mu2=u2, d_mu=kaon.D_MU)
    sim = sp.Simulation(detector, fluxes, model, decay="nu e+ e-", region="tpc")
    got = sim.run(20_000, seed=1, progress=False).expected(POT)
    ours = float(kaon.decays(mass, u2, kaon.D_MU, kaon.spectrum(mass, "redecay"), place=place))
    assert abs(got.value - ours) < 4.0 * got.error + 2e-3 * ours


def test_limits():
    arriving = kaon.spectrum(0.1, "momentum")
    limit = kaon.upper_limit(0.1, kaon.D_MU, arriving, 0.09)
    assert 0.09 * float(kaon.decays(0.1, limit, kaon.D_MU, arriving)) == pytest.approx(2.3)
    # Linear with the dipole, quadratic without it.
    twice = kaon.upper_limit(0.1, kaon.D_MU, arriving, 0.18)
    assert limit / twice == pytest.approx(2.0, rel=1e-3)
    plain = [kaon.upper_limit(0.1, 0.0, arriving, eff) for eff in (0.09, 0.18)]
    assert plain[0] / plain[1] == pytest.approx(sqrt(2.0), rel=1e-3)
    # Nothing arrives of a heavy N that decays at once.
    assert np.isnan(kaon.upper_limit(0.36, 1e-5, kaon.spectrum(0.36, "momentum"), 0.1))


def test_lepton_and_pion_exchanged():
    # Without the mass of the lepton only 1 - (m_pi/m)^2 is left.
    assert t2k.exchange_factor(np.array([0.2]), "e") == pytest.approx(
        1.0 - (0.13957 / 0.2) ** 2, rel=1e-3
    )
    assert t2k.exchange_factor(np.array([0.25, 0.3]), "mu") == pytest.approx(
        [0.779, 0.884], abs=2e-3
    )


# ----------------------------------------------------------------------- what is reproduced


@pytest.mark.parametrize("name", ["arguelles2021-fig2", "liu2024-suppl-fig1", "t2k2019-mixing"])
def test_quick_runs_agree(results, name):
    result, folder = results[name]
    outside = [r.quantity for r in result.agreement if r.status == "OUTSIDE"]
    assert not outside
    for figure in result.figures:
        assert (folder / f"{figure}.png").read_bytes()[:4] == b"\x89PNG"
        assert (folder / f"{figure}.pdf").read_bytes()[:4] == b"%PDF"
    for table in result.tables:
        assert (folder / "data" / f"{table.name}.csv").is_file()
        assert (folder / "hepdata" / f"{table.name}.yaml").is_file()


def test_nothing_is_computed_twice(results, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("computed again")

    for module, function in (
        (fig2, "_lines"), (fig2, "_grid"), (suppl, "_lines"), (suppl, "_shares"), (t2k, "_column"),
    ):  # fmt: skip
        monkeypatch.setattr(module, function, refuse)
    for name, (first, folder) in results.items():
        again = find_reproduction(name).run(Context(name=name, output=folder, quick=True))
        assert [r.to_dict() for r in again.agreement] == [r.to_dict() for r in first.agreement]


def test_grids_of_events_agree_to_a_few_per_cent(results):
    # 20 % are allowed; that nothing else explains the grids is what 6 % say.
    for row in rows(results, "arguelles2021-fig2", "events"):
        assert row.ours == pytest.approx(1.0, abs=0.06)
        assert not row.deviation
    for row in rows(results, "arguelles2021-fig2", "line of Fig. 2"):
        assert row.status == "inside"
        assert not row.deviation


def test_the_reading_of_the_dipole(results):
    for row in rows(results, "arguelles2021-fig2", "lifetime"):
        assert row.inside
    mass, u2, d, seconds = fig2.LIFETIMES[1]
    other = MassMixing(mass, U_mu2=u2, d_mu=2.0 * d).lifetime * 1e-9
    assert seconds / other == pytest.approx(4.0, rel=1e-2)


def test_decays_of_t2k(results):
    for row in rows(results, "t2k2019-mixing", "decays in the TPCs"):
        if row.deviation:
            assert "l+ pi-" in row.quantity
        else:
            assert row.inside
    assert not any(r.deviation for r in rows(results, "t2k2019-mixing", "decays", "exchanged: "))


def test_exposure_enters_linearly(results):
    (drawn,) = rows(results, "liu2024-suppl-fig1", "root of the exposures")
    assert drawn.inside
    for row in rows(results, "liu2024-suppl-fig1", "divided by 10.7"):
        assert row.status == "known deviation"
    for row in rows(results, "liu2024-suppl-fig1", "divided by 3.27"):
        assert row.status == "inside"
    # Protons times volume: 36e20 with three TPCs, 164e20 with 1.26 times their volume.
    extra = 2 * 1.59 * 0.27 * 1.71 / (3 * 1.70 * 1.96 * 0.563)
    assert suppl._gain() == pytest.approx((200.0 + 164.0 * extra) / 18.63, rel=1e-6)


def test_the_right_edge():
    masses = np.array([0.1, 0.2, 0.25])
    u2 = np.array([1e-11, 1e-9, 1e-7])
    assert suppl._right_edge(masses, u2) == pytest.approx(sqrt(0.2 * 0.25))


def test_scaled_and_decayed_again(tmp_path):
    """The ratio of both is that of the fluxes over the momentum, whatever the decay."""
    context = Context(name="x", output=tmp_path, seed=3, quick=True)
    values = [t2k.expected("mu", 0.3, "e- pi+", m, context)[0] for m in ("scaled", "redecay")]
    sums = []
    for method in ("scaled", "redecay"):
        total = 0.0
        for flux in t2k.fluxes("mu", 0.3, method):
            nodes = kaon.nodes(flux, 0.3)
            total += float((nodes.counts / nodes.momenta).sum())
        sums.append(total)
    assert values[0] / values[1] == pytest.approx(sums[0] / sums[1], rel=0.01)
