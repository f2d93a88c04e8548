"""The mass-mixing model: widths added up, records, and published lifetimes."""

from __future__ import annotations

import numpy as np
import pytest

from siren_py.errors import ConfigError, KinematicsError, UnknownNameError
from siren_py.models import DipolePortal
from siren_py.models_mixing import MassMixing


def test_widths_of_mixing_and_dipole_add_up():
    mixing = MassMixing(0.3, U_e2=1e-6, U_mu2=1e-7)
    dipole = DipolePortal(0.3, d_mu=5e-7)
    both = MassMixing(0.3, U_e2=1e-6, U_mu2=1e-7, d_mu=5e-7)
    for channel in both.channels:
        expected = mixing.width(channel) if channel != "nu gamma" else 0.0
        if channel in dipole.channels:
            expected += dipole.width(channel)
        assert both.width(channel) == pytest.approx(expected, rel=1e-13, abs=0.0)
    total = mixing.width() + dipole.width()
    assert both.width() == pytest.approx(total, rel=1e-13, abs=0.0)
    assert sum(both.branching_ratio(c) for c in both.channels) == pytest.approx(1.0, rel=1e-12)
    assert both.decay_length(1.0) < mixing.decay_length(1.0)
    assert mixing.width("nu gamma") == 0.0
    assert "nu gamma" not in mixing.channels
    assert [d.name for d in both.decays(-5914)] == ["mixing decay", "dipole decay"]
    assert mixing.interactions(14) == []
    assert len(both.interactions(14)) == 1
    assert both.decays(14) == []


# Mean lifetimes [s] behind the limits of arXiv:2109.03831 as its authors give them: mass [GeV],
# U_mu^2, d_mu [1/GeV] (their mu_tr is 2 d), lifetime.
PUBLISHED = [
    (0.02, 1e-9, 0.0, 8.002e6),
    (0.03471, 1e-9, 0.0, 5.075e5),
    (0.0715, 1e-9, 0.0, 1.368e4),
    (0.02, 1e-14, 5e-7, 4.122e-6),
    (0.0715, 1e-14, 5e-7, 9.003e-8),
]


@pytest.mark.parametrize(("mass", "mixing", "coupling", "lifetime"), PUBLISHED)
def test_published_lifetimes(mass, mixing, coupling, lifetime):
    model = MassMixing(mass, U_mu2=mixing, d_mu=coupling)
    assert model.lifetime * 1e-9 == pytest.approx(lifetime, rel=2e-3, abs=0.0)


def test_particle_and_antiparticle():
    model = MassMixing(0.35, U_mu2=1e-9)
    assert model.width("mu+ pi-") == 0.0
    charged = model.width("mu- pi+")
    assert model.width("mu+ pi-", pdg=-5914) == pytest.approx(charged, rel=1e-13, abs=0.0)
    assert model.width(pdg=-5914) == pytest.approx(model.width(), rel=1e-13, abs=0.0)
    majorana = MassMixing(0.35, U_mu2=1e-9, nature="majorana")
    assert majorana.width() == pytest.approx(2.0 * model.width(), rel=1e-13, abs=0.0)
    assert majorana.width("mu+ pi-") == pytest.approx(charged, rel=1e-13, abs=0.0)


def test_records_and_variants():
    model = MassMixing(0.2, U_mu2=1e-8, d_mu=1e-7, nature="majorana")
    assert MassMixing.from_dict(model.to_dict()) == model
    other = model.with_coupling(U_e2=1e-9, d_mu=0.0)
    assert (other.U_e2, other.U_mu2, other.d_mu) == (1e-9, 1e-8, 0.0)
    assert repr(model) == "MassMixing(mass=0.2, U_mu2=1e-08, d_mu=1e-07, nature='majorana')"
    assert model.canonical_channel("e- pi +".replace(" +", "+")) == "e- pi+"
    with pytest.raises(ConfigError, match="dipole-portal"):
        MassMixing.from_dict({"name": "dipole-portal", "mass": 0.1})
    with pytest.raises(UnknownNameError, match="U_mu2"):
        MassMixing.from_dict({"mass": 0.1, "U_mu": 0.1})
    with pytest.raises(ConfigError, match="lacks the mass"):
        MassMixing.from_dict({"U_mu2": 0.1})


def test_errors():
    with pytest.raises(ConfigError, match="d_mu must be a finite number"):
        MassMixing(0.1, U_mu2=1e-8, d_mu=float("inf"))
    with pytest.raises(ConfigError, match="at least one"):
        MassMixing(0.1, d_mu=1e-7)
    model = MassMixing(0.2, U_mu2=1e-8, d_mu=1e-7)
    with pytest.raises(KinematicsError, match="threshold"):
        model.width("nu mu+ mu-")
    with pytest.raises(KinematicsError, match="threshold"):
        model.width("nu tau+ tau-")
    with pytest.raises(UnknownNameError, match="nu rho0"):
        model.width("nu rho0")
    with pytest.raises(KinematicsError, match="below the mass"):
        model.decay_length(np.array([0.1, 1.0]))
