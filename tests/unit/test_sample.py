"""What a sample tells: sums, errors, groups, words; single runs and runs with no event at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

import siren_py as sp
from siren_py import errors, store
from siren_py.geometry import Box
from siren_py.sample import KEYS
from siren_py.weighting import FACTORS

POT = {"fhc": 2e20, "rhc": 3e20}


def small_detector():
    detector = sp.DetectorModel("small")
    lead = sp.Material.from_element("Pb", density=11.35)
    water = sp.Material.from_formula("H2O", density=1.0)
    detector.add("lead", Box(100.0, 100.0, 5.0), lead)
    detector.add("water", Box(100.0, 100.0, 60.0), water, at=(0, 0, 40))
    detector.add_region("near", Box(60.0, 60.0, 20.0), at=(0, 0, 20))
    detector.add_region("far", Box(60.0, 60.0, 20.0), at=(0, 0, 60))
    detector.add_region("all", ["near", "far"])
    return detector


def beam(mode, pdg=14):
    return sp.Flux.from_histogram(
        pdg=pdg, edges=[0.1, 1.0, 2.0], values=[2e-8, 1e-8], name="beam", mode=mode
    )


def run(n=5000, seed=1, **changes):
    options = {
        "flux": [beam("fhc"), beam("rhc"), beam("rhc", -14)],
        "model": sp.DipolePortal(mass=0.2, d_mu=3e-6),
        "region": "all",
    } | changes
    sim = sp.Simulation(small_detector(), options.pop("flux"), options.pop("model"), **options)
    return sim.run(n, seed=seed)


@pytest.fixture(scope="module")
def sample():
    return run()


@pytest.fixture(scope="module")
def empty():
    """Two lines of sight, and a small region that hardly any particle hits."""
    detector = sp.DetectorModel("far")
    detector.add("lead", Box(100.0, 100.0, 50.0), sp.Material.from_element("Pb", density=11.35))
    detector.add_region("far", Box(1.0, 1.0, 1.0), at=(0, 0, 2000.0))
    flux = sp.Flux.from_histogram(pdg=14, edges=[0.5, 5.0], values=[1e-8])
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    return sp.Simulation(detector, flux, model, proposal="forward").run(2, seed=1)


# ------------------------------------------------------------------ sums and errors


def test_expected_is_the_sum_of_weights_with_the_spread_over_attempts(sample):
    w = sample.weights * 1e20
    estimate = sample.expected(1e20)
    assert estimate.value == pytest.approx(w.sum(), rel=1e-12)
    n = sample.n_attempts
    everything = np.concatenate([w, np.zeros(n - w.size)]) * n
    assert estimate.error == pytest.approx(everything.std(ddof=1) / np.sqrt(n), rel=1e-9)
    assert sample.effective_size == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-12)
    assert 0 < sample.effective_size <= len(sample) == sample.n_events


def test_exposure_by_mode_or_flux(sample):
    both = sample.expected(POT).value
    by_flux = sample.by("flux")
    names = ["beam:fhc:numu", "beam:rhc:numu", "beam:rhc:numubar"]
    assert set(by_flux) == set(names)
    expected = sum(by_flux[n].value * POT[n.split(":")[1]] for n in names)
    assert both == pytest.approx(expected, rel=1e-12)
    by_name = {"beam:fhc:numu": 2e20, "beam:rhc:numu": 3e20, "beam:rhc:numubar": 3e20}
    assert sample.expected(by_name).value == pytest.approx(both, rel=1e-12)
    assert sample.weights_at(POT).sum() == pytest.approx(both, rel=1e-12)
    assert sample.expected(0.0) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("pot", "kind", "words"),
    [
        (-1.0, errors.ConfigError, "not negative"),
        (float("nan"), errors.ConfigError, "finite"),
        (float("inf"), errors.ConfigError, "finite"),
        ({"fhc": 1.0}, errors.ConfigError, "rhc"),
        ({"fhc": 1.0, "rhc": -2.0}, errors.ConfigError, "not negative"),
        ({"fhc": 1.0, "rch": 1.0}, errors.UnknownNameError, "rhc"),
    ],
)
def test_exposures_that_make_no_sense(sample, pot, kind, words):
    for use in (sample.expected, sample.weights_at, sample.summary):
        with pytest.raises(kind, match=words):
            use(pot)


@pytest.mark.parametrize("key", KEYS)
def test_groups_add_up(sample, key):
    groups = sample.by(key, POT)
    total = sample.expected(POT)
    assert sum(e.value for e in groups.values()) == pytest.approx(total.value, rel=1e-12)
    values = [e.value for e in groups.values()]
    assert values == sorted(values, reverse=True)
    names = sample.names(key)
    weights = sample.weights_at(POT)
    for name, estimate in groups.items():
        assert estimate.value == pytest.approx(weights[names == name].sum(), rel=1e-12)


def test_names_that_do_not_exist(sample):
    with pytest.raises(errors.UnknownNameError, match="region"):
        sample.by("regoin")
    with pytest.raises(errors.UnknownNameError, match="material"):
        sample.names("materials")
    with pytest.raises(errors.UnknownNameError, match="primary_energy"):
        sample["energy_primary"]


# ------------------------------------------------------------------ selection


def test_select_keeps_weights_and_attempts(sample):
    far = sample.select(lambda s: s.names("region") == "far")
    assert far.n_attempts == sample.n_attempts
    assert far.expected().value == pytest.approx(sample.by("region")["far"].value, rel=1e-12)
    assert far.expected().error == pytest.approx(sample.by("region")["far"].error, rel=1e-9)
    assert sample.expected(cut=lambda s: s.names("region") == "far") == pytest.approx(
        far.expected(), rel=1e-12
    )
    assert far.provenance["cuts"] == ["<lambda>"]
    assert "cuts" not in sample.provenance
    nothing = far.select(lambda s: s.names("region") == "near")
    assert len(nothing) == 0
    assert nothing.expected() == (0.0, 0.0)


def test_portions_are_the_sample(sample):
    parts = list(sample.portions())
    assert sum(len(p) for p in parts) == len(sample)
    assert sum(p.expected().value for p in parts) == pytest.approx(sample.expected().value)


# ------------------------------------------------------------------ events


def test_momenta_and_vertices(sample):
    photon = sample.momenta(22)
    channel = sample.names("channel")
    np.testing.assert_array_equal(np.isfinite(photon[:, 0]), channel == "nu gamma")
    assert np.isnan(sample.momenta(13)).all()
    np.testing.assert_allclose(sample.momenta(None)[:, 0], sample["primary_energy"])
    assert sample.vertices(0).shape == sample.vertices(1).shape == (len(sample), 4)
    assert np.isnan(sample.vertices(2)).all()
    # Of several particles with the same code the first is returned.
    table = sample.table()
    final = (table.particles["status"] == 1) & (table.particles["pdg"] == 14)
    first = np.flatnonzero(final)[0]
    event = int(np.searchsorted(np.cumsum(table.particle_counts), first, side="right"))
    assert sample.momenta(14)[event, 0] == table.particles["energy"][first]


def test_awkward_arrays_have_the_same_content(sample):
    events = sample.events
    assert len(events) == len(sample)
    np.testing.assert_array_equal(np.asarray(events["weight"]), sample.weights)
    table = sample.table()
    assert len(events[3]["particles"]) == table.particle_counts[3]
    assert sample.particles[0]["pdg"][0] == table.particles["pdg"][0]


def test_explain_multiplies_to_the_weight(sample):
    for number in (0, 17, len(sample) - 1, -1):
        story = sample.explain(number)
        assert set(story.factors) == set(FACTORS)
        product = np.prod([value for value, _, _ in story.factors.values()])
        assert product / story.n_attempts == pytest.approx(sample.weights[number], rel=1e-12)
        assert story.weight == pytest.approx(sample.weights[number], rel=1e-12)
        assert story.event == sample["event"][number]
        text = str(story)
        for name in FACTORS:
            assert name in text
        assert "decay length" in text
    with pytest.raises(errors.ConfigError, match="no event"):
        sample.explain(len(sample))


def test_summary_in_words_and_numbers(sample):
    summary = sample.summary(POT)
    numbers = json.loads(json.dumps(summary.to_dict()))
    assert numbers["expected"] == pytest.approx(sample.expected(POT).value)
    assert numbers["pot"] == POT
    assert numbers["n_attempts"] == 5000
    assert sum(row["value"] for row in numbers["by_region"].values()) == pytest.approx(
        numbers["expected"]
    )
    text = str(summary)
    for word in ("dipole-portal in small", "region all", "Pb", "coherent", "near", "2e+20 POT"):
        assert word in text
    assert "expected per POT" in repr(sample)


def test_events_beyond_the_limit_go_to_disk(monkeypatch, sample):
    from siren_py.runs import running
    from siren_py.spilling import Spilled

    monkeypatch.setattr(running, "TableStore", lambda: store.TableStore(1000))
    spilled = run()
    assert all(isinstance(t, Spilled) for t in spilled._store._tables)
    np.testing.assert_array_equal(spilled.weights, sample.weights)
    assert spilled.by("material") == sample.by("material")


# ------------------------------------------------------------------ nothing at all


def test_a_run_without_any_event(empty):
    assert len(empty) == 0
    assert empty.n_attempts == 2
    assert empty.expected(1e21) == (0.0, 0.0)
    assert empty.effective_size == 0.0
    assert empty.weights.shape == (0,)
    assert empty["q2"].shape == (0,)
    assert empty.momenta(22).shape == (0, 4)
    assert empty.vertices(1).shape == (0, 4)
    for key in KEYS:
        assert empty.by(key) == {}
        assert empty.names(key).shape == (0,)
    assert json.dumps(empty.summary(1e21).to_dict())
    assert "0 of 2" in str(empty.summary(1e21))
    assert len(empty.events) == 0
    flow = empty.cut_flow([lambda s: s["primary_energy"] > 1.0])
    assert [row[1] for row in flow.rows] == [0, 0]
    with pytest.raises(errors.ConfigError, match="no event"):
        empty.explain(0)


def test_a_single_attempt_has_an_error_of_its_own_size():
    single = run(n=1, seed=3)
    estimate = single.expected()
    assert estimate.error == estimate.value
