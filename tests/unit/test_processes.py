from __future__ import annotations

import numpy as np
import pytest

from siren_py.errors import ConfigError, UnknownNameError, WeightError
from siren_py.processes import Decay, Interaction, Reaction, final_state
from siren_py.processes.base import canonical_channel, check_final_state


class Flat(Interaction):
    """A user's process: constant cross section per nucleon, forward, recoil ignored."""

    name = "flat"

    def reactions(self, nuclides):
        return [Reaction(n, "all") for n in nuclides if n != "H1"]

    def threshold(self, target, part="all"):
        return 0.1

    def total(self, energy, target, part="all"):
        return np.where(np.asarray(energy) > 0.1, 1e-38 * int(target[1:]), 0.0)

    def sample(self, energy, target, part, rng):
        momenta = np.zeros((len(energy), 1, 4))
        momenta[:, 0, 0] = energy
        momenta[:, 0, 3] = np.sqrt(energy**2 - 0.01)
        weight = self.total(energy, target, part)
        y = rng.random(len(energy))
        return final_state([5914], momenta, weight=weight, invariants={"y": y})


class TwoPhotons(Decay):
    """A user's decay: isotropic, at rest."""

    channels = ("gamma gamma",)

    def width(self, channel=None):
        return 1e-15

    def sample(self, channel, momentum, polarization, pdg, rng):
        n = len(momentum)
        k = rng.normal(size=(n, 3))
        k *= 0.5 * momentum[:, :1] / np.linalg.norm(k, axis=1)[:, None]
        photons = np.empty((n, 2, 4))
        photons[:, :, 0] = 0.5 * momentum[:, :1]
        photons[:, 0, 1:], photons[:, 1, 1:] = k, -k
        return final_state([22, 22], photons)


def test_own_interaction_is_bound_by_default():
    process = Flat()
    reactions = process.reactions(["H1", "C12", "O16"])
    assert reactions == [("C12", "all"), ("O16", "all")]
    bound = process.bind(reactions, 0.1, 10.0)
    np.testing.assert_array_equal(bound.thresholds, [0.1, 0.1])
    assert bound.coupling_power == 2
    index = np.array([1, 0, 0, 1, 0])
    energy = np.array([1.0, 2.0, 0.05, 4.0, 5.0])
    np.testing.assert_allclose(
        bound.total(index, energy), [1.6e-37, 1.2e-37, 0, 1.6e-37, 1.2e-37], rtol=1e-14
    )
    energy[2] = 3.0
    state = bound.sample(index, energy, np.random.default_rng(1))
    np.testing.assert_array_equal(state.momenta[:, 0, 0], energy)
    np.testing.assert_allclose(state.weight, 1e-38 * np.array([16, 12, 12, 16, 12]), rtol=1e-14)
    assert state.pdg.tolist() == [[5914]] * 5
    assert state.polarization.shape == (5, 1, 3)
    assert np.unique(state.invariants["y"]).size == 5
    with pytest.raises(UnknownNameError, match="numbered 0 to 1"):
        bound.total(np.array([2]), np.array([1.0]))


def test_density_is_asked_for_where_it_is_missing():
    bound = Flat().bind([Reaction("C12", "all")], 0.1, 1.0)
    arguments = (np.zeros(2, dtype=np.int64), np.ones(2), {"y": np.ones(2)})
    for method in (bound.density, bound.differential):
        with pytest.raises(ConfigError, match="Add the method `evaluate"):
            method(*arguments)

    class Known(Flat):
        def evaluate(self, energy, target, part, invariants):
            return np.ones(len(energy)), self.total(energy, target)

    bound = Known().bind([Reaction("C12", "all")], 0.1, 1.0)
    np.testing.assert_allclose(bound.density(*arguments), 1.0)
    np.testing.assert_allclose(bound.differential(*arguments), 1.2e-37)


def test_reactions_of_different_multiplicity_are_padded():
    class Mixed(Flat):
        def sample(self, energy, target, part, rng):
            k = 1 if target == "C12" else 2
            invariants = {"y": 1.0} if k == 1 else {"z": 2.0}
            return final_state([14] * k, np.ones((len(energy), k, 4)), invariants=invariants)

    bound = Mixed().bind([Reaction("C12", "all"), Reaction("O16", "all")], 0.1, 1.0)
    state = bound.sample(np.array([0, 1, 0]), np.ones(3), np.random.default_rng(1))
    assert state.pdg.tolist() == [[14, 0], [14, 14], [14, 0]]
    np.testing.assert_array_equal(state.invariants["y"], [1.0, np.nan, 1.0])
    empty = bound.sample(np.empty(0, dtype=np.int64), np.empty(0), np.random.default_rng(1))
    assert len(empty.weight) == 0


def test_own_decay():
    decay = TwoPhotons()
    momentum = np.tile([0.3, 0.0, 0.0, 0.0], (10, 1))
    state = decay.sample(
        "gamma gamma", momentum, np.zeros((10, 3)), np.full(10, 5914), np.random.default_rng(1)
    )
    np.testing.assert_allclose(state.momenta.sum(axis=1), momentum, atol=1e-15)
    assert state.pdg.shape == (10, 2)
    assert (state.weight == 1.0).all()


def test_bad_final_states_are_refused():
    good = np.ones((3, 2, 4))
    with pytest.raises(ConfigError, match="shape"):
        final_state([1, 2], np.ones((3, 4)))
    with pytest.raises(ConfigError, match="do not fit"):
        final_state([1, 2, 3], good)
    with pytest.raises(ConfigError, match="not finite"):
        final_state([1, 2], good * np.nan)
    for bad in (np.nan, -1.0, np.inf):
        with pytest.raises(WeightError, match="event 1"):
            final_state([1, 2], good, weight=[1.0, bad, 1.0])
    with pytest.raises(ConfigError, match="asked for 4 events"):
        check_final_state(final_state([1, 2], good), 4, "Flat.sample")


def test_channel_names():
    known = ("nu gamma", "nu e+ e-")
    assert canonical_channel("nu e+e-", known) == "nu e+ e-"
    assert canonical_channel("nugamma ", known) == "nu gamma"
    with pytest.raises(UnknownNameError, match="decay channel"):
        canonical_channel("nu mu+ mu-", known)
