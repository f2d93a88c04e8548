"""Reweighted samples against closed forms and against samples made at the other point."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py import errors
from siren_py.geometry import Box


def detector():
    model = sp.DetectorModel("bench")
    model.add("iron", Box(50.0, 50.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    model.add("rock", Box(60.0, 60.0, 400.0), sp.Material.from_formula("SiO2", density=2.2),
              at=(0, 0, -300))  # fmt: skip
    model.add_region("box", Box(40.0, 40.0, 20.0), at=(0, 0, 30))
    return model


def flux(values=(1e-8, 1e-8), pdg=14, name="a"):
    return sp.Flux.from_histogram(pdg=pdg, edges=[0.3, 1.0, 2.0], values=values, name=name)


def run(seed=1, n=4000, d=3e-6, **changes):
    options = {
        "detector": detector(),
        "flux": flux(),
        "model": sp.DipolePortal(mass=0.2, d_mu=d),
        "decay": "nu e+ e-",
        "region": "box",
    } | changes
    return sp.Simulation(**options).run(n, seed=seed)


def agree(first, second, sigma=3.5):
    (a, e), (b, f) = first.expected(), second.expected()
    assert abs(a - b) < sigma * np.hypot(e, f), (a, e, b, f)


def test_each_weight_follows_the_closed_form():
    sample = run()
    other = sample.reweight(d_mu=4.5e-6)
    length = sample["decay_length"]
    flight = np.linalg.norm((sample.vertices(1) - sample.vertices(0))[:, :3], axis=1)
    new = length / 1.5**2
    ratio = 1.5**2 * np.exp(flight / length - flight / new) * length / new
    np.testing.assert_allclose(other.weights, sample.weights * ratio, rtol=1e-12)
    np.testing.assert_allclose(other["decay_length"], new, rtol=1e-12)
    assert other.model == sp.DipolePortal(mass=0.2, d_mu=4.5e-6)
    assert other.provenance["configuration"]["model"]["d_mu"] == 4.5e-6
    assert other.provenance["generated_with"]["model"]["d_mu"] == 3e-6


def test_there_and_back_changes_nothing():
    sample = run()
    back = sample.reweight(d_mu=4e-6).reweight(d_mu=3e-6)
    np.testing.assert_allclose(back.weights, sample.weights, rtol=1e-12)
    back = sample.reweight(flux=flux((2e-8, 5e-9))).reweight(flux=flux())
    np.testing.assert_allclose(back.weights, sample.weights, rtol=1e-12)


@pytest.mark.parametrize("factor", [0.8, 1.3, 2.0])
def test_the_expectation_is_that_of_the_other_coupling(factor):
    agree(run(n=20000).reweight(d_mu=3e-6 * factor), run(2, 20000, 3e-6 * factor))


def test_other_physics_of_the_same_vertices():
    sample = run(n=20000)
    free = sp.DipolePortal(mass=0.2, d_mu=3e-6, pauli_blocking=False, nucleon_form_factors="dipole")
    reweighted = sample.reweight(model=free)
    assert reweighted.expected().value > 1.02 * sample.expected().value
    agree(reweighted, run(2, 20000, model=free))


def test_reactions_that_the_sample_lacks_are_not_forgotten():
    without = sp.DipolePortal(mass=0.2, d_mu=3e-6, neutrons=False)
    with pytest.raises(errors.ConfigError, match="neutron"):
        run(n=500, model=without).reweight(model=sp.DipolePortal(mass=0.2, d_mu=3e-6))
    full = run(n=20000)
    agree(full.reweight(model=without), run(2, 20000, model=without))


def test_another_flavour_coupling_lives_shorter():
    sample = run(n=20000)
    both = sp.DipolePortal(mass=0.2, d_mu=3e-6, d_tau=3e-6)
    agree(sample.reweight(d_tau=3e-6), run(2, 20000, model=both))


def test_another_flux():
    other = flux((5e-9, 3e-8))
    agree(run(n=20000).reweight(flux=other), run(2, 20000, flux=other))
    two = [flux(), flux(pdg=-14, name="b")]
    changed = [other, flux((0.0, 1e-8), -14, "b")]
    reweighted = run(n=20000, flux=two).reweight(flux=changed)
    agree(reweighted, run(2, 20000, flux=changed))


def test_all_channels_keep_their_proportions():
    sample = run(decay=None)
    other = sample.reweight(d_mu=4e-6)
    shares = [s.by("channel")["nu e+ e-"].value / s.expected().value for s in (sample, other)]
    assert shares[0] == pytest.approx(shares[1], rel=0.2)


def test_a_file_can_be_reweighted(tmp_path):
    sample = run()
    sample.to_root(tmp_path / "a.root")
    read = sp.read_root(tmp_path / "a.root")
    np.testing.assert_allclose(
        read.reweight(d_mu=4e-6).weights, sample.reweight(d_mu=4e-6).weights, rtol=1e-13
    )
    with pytest.raises(errors.ConfigError, match="read from a file"):
        read.reweight(flux=flux((2e-8, 2e-8)))


def test_cuts_and_further_reweighting_keep_model_and_flux():
    sample = run().reweight(d_mu=4e-6).select(lambda s: s["primary_energy"] > 0.6)
    assert sample.model.d_mu == 4e-6
    again = sample.reweight(flux=flux((2e-8, 1e-8)))
    assert again.model.d_mu == 4e-6
    assert again.fluxes[0].values[0] == 2e-8


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "what to reweight to"),
        ({"model": sp.DipolePortal(mass=0.3, d_mu=3e-6)}, "another mass"),
        ({"model": sp.DipolePortal(mass=0.2, d_mu=3e-6, nature="majorana")}, "angular"),
        ({"model": sp.DipolePortal(mass=0.2, d_mu=3e-6), "d_mu": 1e-6}, "not both"),
        ({"flux": flux(pdg=-14)}, "one for each"),
        ({"flux": sp.Flux.from_histogram(pdg=14, edges=[0.3, 3.0], values=[1.0])}, "beyond"),
        ({"flux": sp.Flux.monoenergetic(pdg=14, energy=1.0)}, "line spectrum"),
    ],
)
def test_what_cannot_be_reweighted_says_why(changes, text):
    with pytest.raises(errors.ConfigError, match=text):
        run(n=500).reweight(**changes)


def test_a_longer_life_than_the_events_reach_is_refused():
    # Decay lengths of millimetres: the events come from a metre at most, the other model's not.
    sample = run(n=2000, d=3e-5)
    with pytest.raises(errors.ConfigError, match="lives .* times longer"):
        sample.reweight(d_mu=1e-6)
