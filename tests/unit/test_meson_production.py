"""Production of N in meson decays: reference values, and the kinematics against explicit boosts."""

from __future__ import annotations

import numpy as np
import pytest

from siren_py.errors import ConfigError, KinematicsError, UnknownNameError
from siren_py.kinematics import boost, boost_to_rest
from siren_py.particles import mass as particle_mass
from siren_py.processes import meson_production as production


@pytest.mark.parametrize(
    ("mass", "lepton", "expected"),
    [
        (0.1, "mu", 1.892247),
        (0.2, "mu", 3.621198),
        (0.38, "mu", 1.214585),
        (0.1, "e", 35219.42),
        (0.3, "e", 137112.6),
    ],
)
def test_phase_space_ratio(mass, lepton, expected):
    assert production.phase_space_ratio(mass, lepton) == pytest.approx(expected, rel=5e-7, abs=0.0)


def test_phase_space_ratio_relative_to_the_muon():
    own = production.phase_space_ratio(0.3, "e")
    both = production.BRANCHING_RATIOS[321, "e"] / production.BRANCHING_RATIOS[321, "mu"]
    # The measured ratio of K -> e nu to K -> mu nu holds radiative corrections of some per cent.
    relative = production.phase_space_ratio(0.3, "e", relative_to="mu")
    assert relative == pytest.approx(own * both, rel=0.05, abs=0.0)
    assert production.phase_space_ratio(0.0, "mu") == pytest.approx(1.0, rel=1e-14, abs=0.0)
    assert production.phase_space_ratio(0.02, "mu", "pi+") > 0.0


def test_ratio_closes_at_the_threshold():
    top = production.heaviest("mu", "K+")
    assert top == pytest.approx(0.493677 - 0.1056583755)
    assert production.phase_space_ratio(top * (1.0 + 1e-9), "mu") == 0.0
    assert 0.0 < production.phase_space_ratio(top * (1.0 - 1e-9), "mu") < 1e-3


def test_helicity():
    assert production.helicity(0.2, "mu") == pytest.approx(0.4654718, rel=5e-7, abs=0.0)
    assert production.helicity(0.0, "mu") == pytest.approx(-1.0, abs=1e-15)
    for mass in (0.05, 0.1, 0.38):
        plus, minus = (production.helicity(mass, "mu", p) for p in ("K+", "K-"))
        assert plus == -minus
        assert abs(plus) <= 1.0
    assert production.helicity(0.1, "mu") == pytest.approx(-0.050, abs=5e-4)
    # Two amplitudes squared: (E - h p)(E_l + h p).
    energy, p = (f(0.3, "mu", "K+") for f in (
        production.rest_frame_energy, production.rest_frame_momentum))  # fmt: skip
    lepton = particle_mass(321) - energy
    right, left = ((energy - h * p) * (lepton + h * p) for h in (1, -1))
    assert production.helicity(0.3, "mu") == pytest.approx((right - left) / (right + left))


def test_names_and_limits_are_checked():
    with pytest.raises(UnknownNameError, match="K\\+"):
        production.phase_space_ratio(0.1, "mu", "K0")
    with pytest.raises(UnknownNameError, match="lepton"):
        production.phase_space_ratio(0.1, "tau")
    with pytest.raises(KinematicsError, match=r"lighter than 0\.388"):
        production.helicity(0.4, "mu")
    with pytest.raises(ConfigError, match="negative"):
        production.phase_space_ratio(-0.1, "mu")
    with pytest.raises(ConfigError, match="negative"):
        production.phase_space_ratio(float("nan"), "mu")


def _decays(mass, momentum, n=2000, seed=1):
    """Decays in flight along +z, made here: cos(theta*), momenta of N and directions of spin."""
    rng = np.random.default_rng(seed)
    meson = particle_mass(321)
    energy, p = (f(mass, "mu", "K+") for f in (
        production.rest_frame_energy, production.rest_frame_momentum))  # fmt: skip
    star = rng.uniform(-1.0, 1.0, n)
    phi = rng.uniform(0.0, 2.0 * np.pi, n)
    sine = np.sqrt(1.0 - star**2)
    way = np.stack([sine * np.cos(phi), sine * np.sin(phi), star], axis=1)
    rest = np.concatenate([np.full((n, 1), energy), p * way], axis=1)
    flight = np.array([np.hypot(momentum, meson), 0.0, 0.0, momentum])
    lab = boost(rest, np.broadcast_to(flight, (n, 4)))
    # The spin of helicity +1 points away from the meson in the rest frame of N.
    seen = boost_to_rest(np.broadcast_to(flight, (n, 4)), lab)[:, 1:]
    spin = -seen / np.linalg.norm(seen, axis=1, keepdims=True)
    return star, lab, spin


@pytest.mark.parametrize("mass", [0.02, 0.2, 0.35, 0.385])
@pytest.mark.parametrize("momentum", [0.05, 0.5, 4.0])
def test_towards_finds_the_decays_in_flight(mass, momentum):
    _, lab, spin = _decays(mass, momentum)
    p = np.linalg.norm(lab[:, 1:], axis=1)
    cosine = lab[:, 3] / p
    solved, solid, along = production.towards(mass, "mu", "K+", np.full(p.size, momentum), cosine)
    difference = np.abs(solved - p)
    which = difference.argmin(axis=0)
    rows = np.arange(p.size)
    # cos(theta) of a narrow cone keeps 1e-16/theta^2 of its digits.
    tight = solid[which, rows] < 1e6
    assert tight.mean() > 0.95
    np.testing.assert_allclose(solved[which, rows][tight], p[tight], rtol=1e-5)
    longitudinal = np.einsum("ij,ij->i", spin, lab[:, 1:]) / p
    np.testing.assert_allclose(along[which, rows][tight], longitudinal[tight], atol=1e-4)


@pytest.mark.parametrize("mass", [0.0, 0.2, 0.38])
@pytest.mark.parametrize("momentum", [0.3, 3.0])
def test_solid_angles_add_up_to_the_sphere(mass, momentum):
    meson = particle_mass(321)
    p_star = production.rest_frame_momentum(mass, "mu", "K+")
    edge = min(1.0, meson * p_star / (mass * momentum)) if mass > 0.0 else 1.0
    # theta = arcsin(edge) sin(t): takes away the root at the edge of the cone.
    nodes, weights = np.polynomial.legendre.leggauss(300)
    if edge < 1.0:
        t = 0.25 * np.pi * (nodes + 1.0)
        theta = np.arcsin(edge * np.sin(t))
        slope = edge * np.cos(t) / np.cos(theta) * 0.25 * np.pi
    else:
        theta, slope = 0.5 * np.pi * (nodes + 1.0), 0.5 * np.pi
    solid = production.towards(mass, "mu", "K+", np.full(theta.size, momentum), np.cos(theta))[1]
    total = (weights * slope * 2.0 * np.pi * np.sin(theta) * solid.sum(axis=0)).sum()
    assert total == pytest.approx(4.0 * np.pi, rel=1e-6, abs=0.0)


def test_fast_and_slow_solutions():
    # At 4 GeV an N of 0.35 GeV is slower than the kaon: forward and backward emission both arrive.
    p, solid, along = production.towards(0.35, "mu", "K+", [4.0, 0.1], [1.0, 1.0])
    assert p[0, 0] > p[1, 0] > 0.0
    assert along[0, 0] == pytest.approx(1.0)
    assert along[1, 0] == pytest.approx(-1.0)
    # A slow kaon sends N forward in one way only.
    assert p[1, 1] == 0.0
    assert solid[1, 1] == 0.0
    # Outside of the cone there is nothing.
    assert not production.towards(0.35, "mu", "K+", [4.0], [0.9])[1].any()
