"""Analyses: efficiencies with a domain, channels with exposures, scripts of users, new cuts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import siren_py as sp
from siren_py import errors
from siren_py.analysis import Analysis, Channel, analysis_names, load_analysis
from siren_py.efficiency import Efficiency
from siren_py.estimate import Estimate
from siren_py.geometry import Box
from siren_py.selection import (
    beam_angle_below,
    beam_cosine_above,
    energy_between,
    final_energy_above,
    invariant_mass_between,
    momentum_above,
)

BEAM = np.array([0.0, 0.6, 0.8])
EXPOSURE = {"fhc": 3e20, "rhc": 5e20}
PAIR = (11, -11)


def flux(name, mode, pdg=14, value=1e-8):
    return sp.Flux.from_histogram(pdg=pdg, edges=[0.2, 2.0], values=[value], name=name, mode=mode)


FLUXES = (
    flux("fhc right", "fhc"),
    flux("fhc wrong", "fhc", -14, 2e-9),
    flux("rhc right", "rhc", -14, 7e-9),
)


def simulate(decay="nu e+ e-", fluxes=FLUXES, n=20_000, seed=1):
    detector = sp.DetectorModel("toy")
    detector.add("iron", Box(50.0, 50.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    detector.add_region("gas", Box(60.0, 60.0, 20.0), at=(0, 20, 30))
    detector.set_beam(BEAM)
    model = sp.DipolePortal(mass=0.15, d_mu=5e-6)
    return sp.Simulation(detector, fluxes, model, decay=decay, region="gas").run(n, seed=seed)


@pytest.fixture(scope="module")
def sample():
    return simulate()


def channel(name="fhc", modes=("fhc",), **changes):
    given = {
        "region": "gas",
        "decay": "nu e+ e-",
        "fluxes": tuple(f for f in FLUXES if f.mode in modes),
        "exposure": {mode: EXPOSURE[mode] for mode in modes},
    }
    return Channel(name, **{**given, **changes})


def analysis(*channels, **changes):
    return Analysis("test", "toy", channels, **{"systematics": {}, **changes})


# ---------------------------------------------------------------- efficiency


def test_efficiency_is_linear_between_its_points():
    table = Efficiency("mass", [0.1, 0.2, 0.4], [0.2, 0.4, 0.1], [0.02, 0.04, 0.0])
    value, error = table.at([0.1, 0.15, 0.3, 0.4])
    np.testing.assert_allclose(value, [0.2, 0.3, 0.25, 0.1], rtol=1e-14)
    np.testing.assert_allclose(error, [0.02, 0.03, 0.02, 0.0], rtol=1e-14, atol=1e-16)
    assert table.domain == (0.1, 0.4)


@given(st.floats(-10.0, 10.0), st.floats(0.1, 3.0), st.floats(1e-6, 5.0))
def test_outside_the_domain_nothing_is_invented(start, width, beyond):
    points = [start, start + width]
    for x in (points[0] - beyond, points[1] + beyond):
        with pytest.raises(errors.ConfigError, match="not known at"):
            Efficiency("mass", points, [0.3, 0.7]).at(x)
        nearest = Efficiency("mass", points, [0.3, 0.7], outside="nearest").at(x)[0]
        assert nearest == (0.3 if x < start else 0.7)
        value, error = Efficiency("mass", points, [0.3, 0.7], [0.1, 0.1], outside="zero").at(x)
        assert (value, error) == (0.0, 0.0)
    # 140 / 1000 and 0.14 are the same edge.
    assert Efficiency("mass", points, [0.3, 0.7]).at(np.nextafter(start, -np.inf))[0] == 0.3


def test_the_domain_error_names_domain_and_choices():
    with pytest.raises(errors.ConfigError) as caught:
        Efficiency("mass", [0.14, 0.49], [0.1, 0.1], source="T2K").at(0.05)
    for word in ("0.14 to 0.49 GeV", "T2K", "0.05 GeV", "nearest", "zero"):
        assert word in str(caught.value)


@pytest.mark.parametrize("outside", ["error", "nearest", "zero"])
def test_nan_has_no_efficiency(outside):
    with pytest.raises(errors.ConfigError, match="nan"):
        Efficiency("mass", [0.1, 0.2], [0.3, 0.3], outside=outside).at([0.15, np.nan])


@pytest.mark.parametrize(
    ("points", "values", "given"),
    [
        ([0.2, 0.1], [0.1, 0.1], None),
        ([0.1, 0.1], [0.1, 0.1], None),
        ([0.1, np.nan], [0.1, 0.1], None),
        ([], [], None),
        ([0.1, 0.2], [0.1], None),
        ([0.1, 0.2], [0.1, 1.1], None),
        ([0.1, 0.2], [-0.1, 0.1], None),
        ([0.1, 0.2], [np.nan, 0.1], None),
        ([0.1, 0.2], [0.1, 0.1], [0.1, -0.1]),
        ([0.1, 0.2], [0.1, 0.1], [0.1]),
    ],
)
def test_broken_tables_are_refused(points, values, given):
    with pytest.raises(errors.ConfigError):
        Efficiency("mass", points, values, given)
    with pytest.raises(errors.UnknownNameError, match="nearest"):
        Efficiency("mass", [0.1, 0.2], [0.1, 0.1], outside="neares")


# ---------------------------------------------------------------- signal


def test_channels_take_their_own_fluxes_and_exposures(sample):
    both = channel("both", ("fhc", "rhc"))
    values, errs = analysis(channel(), channel("rhc", ("rhc",)), both).signal(sample)
    by_flux = sample.by("flux", EXPOSURE)
    right, wrong, rhc = (by_flux[name].value for name in both.flux_names[:3])
    assert min(right, wrong, rhc) > 0
    assert values == pytest.approx([right + wrong, rhc, right + wrong + rhc], rel=1e-12)
    assert values[2] == pytest.approx(sample.expected(EXPOSURE).value, rel=1e-12)
    assert errs[2] == pytest.approx(sample.expected(EXPOSURE).error, rel=1e-9)
    np.testing.assert_allclose(both.event_weights(sample), sample.weights_at(EXPOSURE), rtol=1e-14)


def test_cuts_and_efficiency(sample):
    cut = final_energy_above(11, 0.2)
    table = Efficiency(
        lambda s: s.momenta(11)[:, 0], [0.0, 2.0], [0.1, 0.9], [0.01, 0.01], unit="GeV"
    )
    chosen = channel(cuts=[cut], efficiency=table)
    weights = sample.weights_at(EXPOSURE) * np.isin(sample.names("flux"), chosen.flux_names)
    assert 0 < np.count_nonzero(weights) < len(sample)
    energy = sample.momenta(11)[:, 0]
    passed = weights * (energy > 0.2)
    one = analysis(chosen)
    values, errs = one.signal(sample)
    assert values[0] == pytest.approx((passed * (0.1 + 0.4 * energy)).sum(), rel=1e-12)
    assert 0 < errs[0] < 0.1 * values[0]
    # The error of the table is one and the same for all events.
    assert one.efficiency_errors(sample)[0] == pytest.approx(0.01 * passed.sum(), rel=1e-12)
    flow = chosen.cut_flow(sample)
    assert flow.rows[0][2].value == pytest.approx(weights.sum(), rel=1e-12)
    assert flow.rows[1][2].value == pytest.approx(passed.sum(), rel=1e-12)
    np.testing.assert_allclose(
        chosen.event_weights(sample), passed * (0.1 + 0.4 * energy), rtol=1e-12
    )


def test_efficiency_by_mode_and_by_mass(sample):
    mass = Efficiency("mass", [0.1, 0.2], [0.2, 0.4])
    split = channel("both", ("fhc", "rhc"), efficiency={"fhc": mass, "rhc": 0.5})
    fhc, rhc = analysis(channel(), channel("rhc", ("rhc",))).signal(sample).values
    assert analysis(split).signal(sample).values[0] == pytest.approx(0.3 * fhc + 0.5 * rhc)
    far = Efficiency("mass", [0.2, 0.3], [0.2, 0.4])
    with pytest.raises(errors.ConfigError, match=r"not known at 0\.15 GeV"):
        analysis(channel(efficiency=far)).signal(sample)
    column = Efficiency("primary_energy", [0.0, 2.0], [0.5, 0.5])
    assert analysis(channel(efficiency=column)).signal(sample).values[0] == pytest.approx(fhc / 2)
    # Nothing is asked of events that do not pass.
    never = channel(cuts=[final_energy_above(13, 0.0)], efficiency=far)
    assert analysis(never).signal(sample).values[0] == 0.0


def test_samples_are_matched_by_region_decay_and_flux(sample):
    ee, photon = channel(), channel("photon", decay="nugamma")
    both = analysis(ee, photon)
    photons = simulate("nu gamma", FLUXES[:2])
    values = both.signal([sample, photons]).values
    assert values[1] == pytest.approx(photons.expected({"fhc": 3e20}).value, rel=1e-12)
    assert values == pytest.approx(both.signal({"fhc": sample, "photon": photons}).values)
    with pytest.raises(errors.ConfigError, match="it is there 0 times"):
        both.signal(sample)
    with pytest.raises(errors.ConfigError, match="needs a sample with"):
        both.signal({"fhc": photons, "photon": photons})
    with pytest.raises(errors.UnknownNameError, match="photon"):
        both.signal({"fhc": sample, "photons": photons})
    # One run per flux, or all in one; but none twice.
    parts = [simulate(fluxes=[f], seed=i) for i, f in enumerate(FLUXES[:2])]
    split, error = analysis(ee).signal(parts)
    assert abs(split[0] - values[0]) < 4 * np.hypot(error[0], both.signal([sample, photons])[1][0])
    with pytest.raises(errors.ConfigError, match="it is there 2 times"):
        analysis(ee).signal([sample, *parts])
    with pytest.raises(errors.ConfigError, match="is one of the detector 'nd280'"):
        Analysis("test", "nd280", (ee,), {}).signal(sample)


def test_combined_samples_keep_their_errors(sample):
    runs = [sample, simulate(seed=2)]
    one = analysis(channel(cuts=[final_energy_above(11, 0.1)]))
    single, combined = one.signal(sample), one.signal(sp.combine(runs))
    mean = np.mean([one.signal(run).values[0] for run in runs])
    assert combined.values[0] == pytest.approx(mean, rel=1e-12)
    assert combined.errors[0] == pytest.approx(single.errors[0] / np.sqrt(2), rel=0.05)


def test_a_sample_read_from_a_file_is_as_good(sample, tmp_path):
    sample.to_root(tmp_path / "sample.root")
    again = sp.read_root(tmp_path / "sample.root")
    table = Efficiency("mass", [0.1, 0.2], [0.2, 0.4])
    one = analysis(channel(cuts=[beam_cosine_above(PAIR, 0.9)], efficiency=table))
    np.testing.assert_allclose(one.signal(again), one.signal(sample), rtol=1e-12)


def test_requests_name_each_simulation_once():
    photon = channel("photon", decay="nu gamma")
    found = analysis(channel(), channel("rhc", ("rhc",)), photon).requests()
    assert [(r.detector, r.region, r.decay) for r in found] == [
        ("toy", "gas", "nu e+ e-"),
        ("toy", "gas", "nu gamma"),
    ]
    assert found[0].fluxes == FLUXES
    assert found[1].fluxes == FLUXES[:2]


def test_inconsistent_channels_and_analyses_are_refused(sample):
    with pytest.raises(errors.ConfigError, match="no exposure for the beam mode 'rhc'"):
        analysis(channel(fluxes=FLUXES)).signal(sample)
    with pytest.raises(errors.ConfigError, match="between 0 and 1; it is 10"):
        channel(efficiency=10)
    with pytest.raises(errors.ConfigError, match="no efficiency for it"):
        channel("both", ("fhc", "rhc"), efficiency={"fhc": 1.0})
    for wrong in ({"observed": -1}, {"background": Estimate(np.nan, 0)}, {"exposure": {"fhc": -1}}):
        with pytest.raises(errors.ConfigError, match="not negative"):
            channel(**wrong)
    with pytest.raises(errors.ConfigError, match="different names"):
        analysis(channel(), channel())
    with pytest.raises(errors.ConfigError, match="different names"):
        analysis()
    with pytest.raises(errors.ConfigError, match="not negative"):
        analysis(channel(), systematics={"flux": -0.1})
    with pytest.raises(errors.ConfigError, match="some of its channels only"):
        analysis(channel(observed=3), channel("other"))


def test_systematics_add_in_quadrature():
    one = analysis(channel(observed=2), systematics={"flux": 0.3, "target": 0.4})
    assert one.signal_error == pytest.approx(0.5)
    assert one.channel("fhc").observed == 2
    with pytest.raises(errors.UnknownNameError, match="fhc"):
        one.channel("fch")


def test_an_analysis_as_plain_data():
    table = Efficiency("mass", [0.1, 0.2], [0.2, 0.4], source="a paper")
    full = channel(cuts=[momentum_above(11, 0.1)], efficiency={"fhc": table}, observed=3)
    record = json.loads(json.dumps(analysis(full, systematics={"flux": 0.1}).to_dict()))
    assert record["systematics"] == {"flux": 0.1}
    assert record["channels"]["fhc"]["cuts"] == ["p(11) > 0.1 GeV"]
    assert record["channels"]["fhc"]["efficiency"] == (
        "fhc efficiency in mass (0.1 to 0.2 GeV; a paper)"
    )


def test_counting(sample):
    table = Efficiency("mass", [0.1, 0.2], [0.2, 0.4], [0.03, 0.03])
    full = channel(observed=3, background=(2.5, 0.5), efficiency=table)
    made = analysis(full, systematics={"flux": 0.1}).counting(sample)
    assert made.names == ("fhc",)
    assert (made.observed[0], made.background[0], made.background_error[0]) == (3.0, 2.5, 0.5)
    assert made.efficiency_error[0] == pytest.approx(0.1)
    assert made.signal_errors["flux"][0] == 0.1
    assert analysis(channel()).counting().observed is None


# ---------------------------------------------------------------- scripts of users

SCRIPT = """
from siren_py.analysis import Analysis, Channel
from siren_py.selection import momentum_above

def build(background=0.5):
    channel = Channel("pairs", "tpc", "nu e+ e-", ("t2k-nd280:fhc:numu",), {"fhc": 1e21},
                      cuts=[momentum_above((11, -11), 0.2)], observed=1,
                      background=(background, 0.1))
    return Analysis("mine", "nd280", [channel], {"flux": 0.1}, source="a script")
"""


def test_a_script_is_an_analysis(tmp_path):
    path = tmp_path / "my_analysis.py"
    path.write_text(SCRIPT)
    mine = load_analysis(path)
    assert (mine.name, mine.names, mine.channels[0].background.value) == ("mine", ("pairs",), 0.5)
    assert load_analysis(str(path), background=0.7).channels[0].background.value == 0.7
    with pytest.raises(errors.UnknownNameError, match="background"):
        load_analysis(path, backgruond=0.7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", r"no function build\(\)"),
        ("def build():\n    return 1", "must return an Analysis; it returned int"),
        ("def build():\n    return 1 / 0", "line 2: build"),
        ("import nothing_of_this_name", "the script failed: ModuleNotFoundError"),
    ],
)
def test_broken_scripts_say_where(tmp_path, text, message):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(errors.ConfigError, match=message):
        load_analysis(path)


def test_unknown_analyses():
    assert "t2k-2019-dipole" in analysis_names()
    assert load_analysis("T2K_2019_dipole").name == "t2k-2019-dipole"
    with pytest.raises(errors.UnknownNameError, match="t2k-2019-dipole"):
        load_analysis("t2k-2019-dipol")
    with pytest.raises(errors.ConfigError, match="no analysis script"):
        load_analysis("./nowhere.py")
    with pytest.raises(errors.UnknownNameError, match="outside"):
        load_analysis("t2k-2019-dipole", outsid="nearest")


# ---------------------------------------------------------------- cuts


def test_cuts_on_pairs(sample):
    p, q = sample.momenta(11), sample.momenta(-11)
    total = p + q
    size = np.linalg.norm(total[:, 1:], axis=1)
    for cosine in (-0.5, 0.0, 0.9, 0.99):
        expected = total[:, 1:] @ BEAM / size > cosine
        np.testing.assert_array_equal(beam_cosine_above(PAIR, cosine)(sample), expected)
    assert 0 < beam_cosine_above(PAIR, 0.99)(sample).sum() < len(sample)
    # The beam of this sample is parallel, so that the event's neutrino flies along it.
    np.testing.assert_array_equal(
        beam_cosine_above(PAIR, 0.9)(sample), beam_angle_below(PAIR, np.arccos(0.9))(sample)
    )
    np.testing.assert_array_equal(momentum_above(PAIR, 0.4)(sample), size > 0.4)
    np.testing.assert_array_equal(
        momentum_above(11, 0.2)(sample), np.linalg.norm(p[:, 1:], axis=1) > 0.2
    )
    np.testing.assert_array_equal(
        energy_between(-11, 0.1, 0.3)(sample), (q[:, 0] >= 0.1) & (q[:, 0] < 0.3)
    )
    mass = np.sqrt(total[:, 0] ** 2 - size**2)
    window = invariant_mass_between(PAIR, 0.01, 0.05)
    np.testing.assert_array_equal(window(sample), (mass >= 0.01) & (mass < 0.05))
    assert window.name == "0.01 <= m(11 -11) < 0.05 GeV"
    assert ((mass > 2 * 0.000510998) & (mass < 0.15)).all()


def test_a_missing_particle_passes_no_cut(sample):
    for cut in (
        beam_cosine_above((11, 13), -1.0),
        momentum_above((11, 13), -1.0),
        energy_between(13, -1.0, 9.0),
        invariant_mass_between((11, 13), -1.0, 9.0),
    ):
        assert not cut(sample).any()
    with pytest.raises(errors.ConfigError, match="at least one"):
        momentum_above((), 0.1)(sample)


def test_one_massless_particle_has_no_mass():
    photons = simulate("nu gamma", n=2000)
    assert invariant_mass_between((22,), 0.0, 1e-6)(photons).all()
    lost = sp.Sample(photons._store, photons.n_attempts, photons.lookup, {})
    with pytest.raises(errors.ConfigError, match="direction of its detector's beam"):
        beam_cosine_above((22,), 0.9)(lost)


def test_acceptance_does_not_look_at_the_weights():
    analysis = load_analysis("t2k-2019-dipole", outside="nearest")
    (request,) = analysis.requests()
    model = sp.DipolePortal(mass=0.2, d_mu=1e-6)
    sample = request.simulation(model).run(2000, seed=1)
    # Prompt: nearly all weights underflow to zero, and still each event counts for the same.
    shorter = sample.reweight(d_mu=1.0)
    assert (shorter.weights == 0.0).any()
    for channel in analysis.channels:
        np.testing.assert_array_equal(channel.acceptance(shorter), channel.acceptance(sample))
        weights = channel.event_weights(sample)
        np.testing.assert_allclose(weights, sample.weights * channel.acceptance(sample))
