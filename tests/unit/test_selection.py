"""Cuts, their combinations, the cut flow, and cuts that are none."""

from __future__ import annotations

import json

import numpy as np
import pytest

import siren_py as sp
from siren_py import errors
from siren_py.geometry import Box
from siren_py.selection import (
    Cut,
    beam_angle_below,
    final_energy_above,
    in_region,
    opening_angle_below,
)


@pytest.fixture(scope="module")
def sample():
    detector = sp.DetectorModel("toy")
    detector.add("iron", Box(50.0, 50.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    detector.add_region("left", Box(20.0, 40.0, 20.0), at=(-10.0, 0, 30))
    detector.add_region("right", Box(20.0, 40.0, 20.0), at=(10.0, 0, 30))
    detector.add_region("both", ["left", "right"])
    flux = sp.Flux.from_histogram(pdg=14, edges=[0.2, 2.0], values=[1e-8])
    model = sp.DipolePortal(mass=0.15, d_mu=5e-6)
    return sp.Simulation(detector, flux, model, decay="nu e+ e-", region="both").run(40_000, seed=1)


def test_combinations_of_cuts(sample):
    hard, left = final_energy_above(11, 0.2), in_region("left")
    a, b = hard(sample), left(sample)
    assert 0 < a.sum() < len(sample)
    assert 0 < b.sum() < len(sample)
    np.testing.assert_array_equal((hard & left)(sample), a & b)
    np.testing.assert_array_equal((hard | left)(sample), a | b)
    np.testing.assert_array_equal((~hard)(sample), ~a)
    assert (hard & left).name == "E(11) > 0.2 GeV and in left"
    passed = sample.expected(cut=hard).value + sample.expected(cut=~hard).value
    assert passed == pytest.approx(sample.expected().value, rel=1e-12)


def test_angles(sample):
    p, q = sample.momenta(11)[:, 1:], sample.momenta(-11)[:, 1:]

    def angle(u, v):
        cosine = (u * v).sum(axis=1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
        return np.arccos(np.clip(cosine, -1.0, 1.0))

    np.testing.assert_array_equal(opening_angle_below(11, -11, 0.3)(sample), angle(p, q) < 0.3)
    beam = np.tile([0.0, 0.0, 1.0], (len(sample), 1))
    np.testing.assert_array_equal(
        beam_angle_below((11, -11), 0.2)(sample), angle(p + q, beam) < 0.2
    )
    # What an event does not have fails the cut.
    assert not final_energy_above(13, 0.0)(sample).any()
    assert not opening_angle_below(13, 11, 4.0)(sample).any()


def test_cut_flow_counts_what_is_left(sample):
    def energetic(s):
        return s["primary_energy"] > 0.5

    cuts = [energetic, final_energy_above(11, 0.1), in_region("right")]
    flow = sample.cut_flow(cuts, pot=1e20)
    assert [row[0] for row in flow.rows] == ["all", "energetic", "E(11) > 0.1 GeV", "in right"]
    kept = sample
    before = sample.expected(1e20).value
    for (_, count, estimate, share), cut in zip(flow.rows[1:], cuts, strict=True):
        kept = kept.select(cut)
        assert count == len(kept)
        assert estimate == pytest.approx(kept.expected(1e20), rel=1e-9)
        assert share == pytest.approx(estimate.value / before, rel=1e-12)
        before = estimate.value
    assert json.loads(json.dumps(flow.to_dict()))[0]["efficiency"] == 1.0
    assert "energetic" in str(flow)
    assert kept.provenance["cuts"] == [row[0] for row in flow.rows[1:]]


@pytest.mark.parametrize(
    "result",
    [lambda s: np.ones(len(s)), lambda s: True, lambda s: np.ones(3, bool), lambda s: None],
)
def test_cuts_must_return_one_boolean_per_event(sample, result):
    for use in (sample.select, lambda c: sample.expected(cut=c), lambda c: sample.cut_flow([c])):
        with pytest.raises(errors.ConfigError, match="one boolean per event"):
            use(Cut("wrong", result))


def test_a_cut_must_be_a_function(sample):
    with pytest.raises(errors.ConfigError, match="must be a function"):
        sample.select("energy > 1")
