"""What can be combined, what cannot, and what the combination knows of its parts."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py import errors
from siren_py.geometry import Box


def detector(width=50.0):
    model = sp.DetectorModel("pair")
    model.add("iron", Box(width, 50.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    model.add_region("left", Box(20.0, 40.0, 20.0), at=(-10.0, 0, 30))
    model.add_region("right", Box(20.0, 40.0, 20.0), at=(10.0, 0, 30))
    model.add_region("both", ["left", "right"])
    return model


def flux(name="a", pdg=14):
    return sp.Flux.from_histogram(pdg=pdg, edges=[0.2, 2.0], values=[1e-8], name=name)


def run(seed, n=2000, **changes):
    options = {
        "detector": detector(),
        "flux": flux(),
        "model": sp.DipolePortal(mass=0.2, d_mu=3e-6),
        "decay": "nu e+ e-",
        "region": "both",
    } | changes
    return sp.Simulation(**options).run(n, seed=seed)


def test_events_weights_and_names_are_kept():
    first, second = run(1), run(2, n=6000)
    both = sp.combine([first, second])
    assert both.n_attempts == 8000
    assert both.attempts.tolist() == [2000, 6000]
    assert len(both) == len(first) + len(second)
    np.testing.assert_allclose(both.weights[: len(first)], first.weights / 4.0, rtol=1e-13)
    np.testing.assert_allclose(both.weights[len(first) :], second.weights * 0.75, rtol=1e-13)
    np.testing.assert_array_equal(both["primary_energy"][: len(first)], first["primary_energy"])
    np.testing.assert_array_equal(both["run"], np.repeat([0, 1], [len(first), len(second)]))
    np.testing.assert_array_equal(both.names("region")[: len(first)], first.names("region"))
    errors_ = [s.expected().error * n / 8000 for s, n in ((first, 2000), (second, 6000))]
    assert both.expected().error == pytest.approx(np.hypot(*errors_), rel=1e-9)
    assert [r["seed"] for r in both.provenance["combined"]] == [1, 2]
    assert both.select(lambda s: s["primary_energy"] > 1.0).attempts.tolist() == [2000, 6000]


def test_names_of_different_runs_are_merged():
    left, right = run(1, region="left"), run(2, region="right")
    muons = run(3, region="left", flux=flux("b", -14))
    both = sp.combine([left, right])
    assert set(both.by("region")) == {"left", "right"}
    added = sp.combine([left, muons])
    assert set(added.by("flux")) == {"a:numu", "b:numubar"}
    total = left.expected().value + muons.expected().value
    assert added.expected().value == pytest.approx(total, rel=1e-12)
    error = np.hypot(left.expected().error, muons.expected().error)
    assert added.expected().error == pytest.approx(error, rel=1e-9)
    flow = added.cut_flow([lambda s: s.names("flux") == "b:numubar"])
    assert flow.rows[1][2] == pytest.approx(muons.expected(), rel=1e-9)
    np.testing.assert_array_equal(
        added.names("flux"), np.repeat(["a:numu", "b:numubar"], [len(left), len(muons)])
    )


def test_flavours_of_one_beam_are_added_not_averaged():
    fluxes = [flux("beam", 14), flux("beam", -14)]
    single = [run(i, flux=f) for i, f in enumerate(fluxes)]
    total = sum(s.expected().value for s in single)
    assert sp.combine(single).expected().value == pytest.approx(total, rel=1e-12)


def test_events_of_overlapping_regions_count_once():
    both, left = run(1, n=20_000), run(2, n=20_000, region="left")
    pooled = sp.combine([both, left])
    expected = both.by("region")
    found = pooled.by("region")
    for name in ("left", "right"):
        error = np.hypot(found[name].error, expected[name].error)
        assert abs(found[name].value - expected[name].value) < 3.5 * error
    share = pooled["factor_combination"][pooled.names("region") == "right"]
    # Only one of the two runs can make these.
    np.testing.assert_allclose(share, 2.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": sp.DipolePortal(mass=0.21, d_mu=3e-6)}, "another model"),
        ({"decay": "nu gamma"}, "another decay"),
        ({"flux": [flux("a"), flux("b", -14)]}, "not all of"),
        ({"proposal": "forward"}, "aimed"),
    ],
)
def test_runs_that_do_not_belong_together(change, words):
    with pytest.raises(errors.ConfigError, match=words):
        sp.combine([run(1), run(2, **change)])


def test_what_else_cannot_be_combined():
    one, two = run(1), run(2)
    with pytest.raises(errors.ConfigError, match="two samples or more"):
        sp.combine([one])
    with pytest.raises(errors.ConfigError, match="same events"):
        sp.combine([one, run(1)])
    with pytest.raises(errors.ConfigError, match="combination already"):
        sp.combine([sp.combine([one, two]), run(3)])
    with pytest.raises(errors.ConfigError, match="other cuts"):
        sp.combine([one, two.select(lambda s: s["primary_energy"] > 1.0)])
    tilted = detector()
    tilted.set_beam((0.1, 0.0, 1.0))
    with pytest.raises(errors.ConfigError, match="another beam"):
        sp.combine([one, run(2, detector=tilted)])
