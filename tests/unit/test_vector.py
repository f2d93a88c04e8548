"""Particles as four-momenta of the library vector, and without it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import awkward as ak
import numpy as np
import pytest

import siren_py as sp
from siren_py.io.arrays import momentum_behavior


@pytest.fixture(scope="module")
def sample():
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    return sim.run(1000, seed=3, progress=False)


@pytest.fixture
def particles(sample):
    pytest.importorskip("vector")
    return sample.particles


def test_masses_and_momenta(sample, particles):
    columns = sample.table().particles
    np.testing.assert_allclose(
        ak.to_numpy(ak.flatten(particles.pt)), np.hypot(columns["px"], columns["py"]), rtol=1e-14
    )
    neutral = particles[particles.pdg == 5914]
    assert ak.all(abs(neutral.mass - 0.1) < 1e-9)
    # The mass of a light, fast particle is what rounding leaves of E^2 - p^2.
    final = particles[particles.status == 1]
    electrons = final[abs(final.pdg) == 11]
    rounding = 4 * np.finfo(float).eps * electrons.energy**2
    assert ak.all(abs(electrons.mass2 - 0.00051099895**2) < rounding)
    assert particles.fields == ["pdg", "status", "vertex", "end_vertex", "energy", "px", "py", "pz"]


def test_momenta_add_up(sample, particles):
    final = particles[particles.status == 1]
    pair = final[:, -3] + final[:, -2] + final[:, -1]  # what N decays to
    assert ak.all(abs(pair.mass - 0.1) < 1e-7)
    angle = final[:, -1].deltaangle(final[:, -2])
    assert ak.all((angle >= 0) & (angle <= np.pi))
    first = sample.events[3]
    assert first.particles[0].mass == particles[3, 0].mass
    assert first.weight == sample.weights[3]


def test_copies_keep_it(particles):
    for again in (
        pickle.loads(pickle.dumps(particles)),
        copy.deepcopy(particles),
        copy.copy(particles),
        ak.concatenate([particles[:3], particles[3:]]),
    ):
        assert ak.all(again.mass[:, 0] == particles.mass[:, 0])
    chosen = particles[particles.status == 2]
    assert ak.all(pickle.loads(pickle.dumps(chosen)).mass[:, 0] == chosen.mass[:, 0])


def test_nothing_is_registered_for_others(particles):
    assert "Momentum4D" not in ak.behavior
    assert ("*", "Momentum4D") not in ak.behavior
    plain = ak.Array(ak.to_layout(particles))
    with pytest.raises(AttributeError):
        _ = plain.mass


def test_arrays_go_to_files(particles, tmp_path):
    pytest.importorskip("pyarrow")
    ak.to_parquet(particles, tmp_path / "a.parquet")
    assert ak.all(ak.from_parquet(tmp_path / "a.parquet").px == particles.px)


def test_without_vector(sample, monkeypatch):
    momentum_behavior.cache_clear()
    for name in ("vector", "vector.backends.awkward"):
        monkeypatch.setitem(sys.modules, name, None)
    try:
        particles = sample.particles
        assert ak.all(particles.energy[:, 0] == sample["primary_energy"])
        assert particles[0, 0].pdg == 14
        for holder in (particles, particles[0], particles[0, 0], sample.events.particles):
            with pytest.raises(AttributeError, match=r'pip install "siren-py\[vector\]"'):
                _ = holder.mass
            assert not hasattr(holder, "deltaR")
        assert len(pickle.loads(pickle.dumps(particles))) == len(sample)
    finally:
        momentum_behavior.cache_clear()


def test_vector_is_loaded_on_use_only():
    code = (
        "import sys, siren_py.sample; assert not {'vector', 'awkward', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
