from __future__ import annotations

import csv
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from siren_py import kinematics
from siren_py.constants import ELECTRON_MASS, MUON_MASS
from siren_py.errors import ConfigError, KinematicsError, UnknownNameError
from siren_py.processes import DipoleDecay
from siren_py.processes.dipole_decay import (
    pair_density,
    pair_factor,
    pair_width,
    photon_width,
)

REFERENCE = Path(__file__).parents[1] / "reference" / "dipole_reference.csv"


def reference(*quantities: str) -> list[tuple[str, float, float]]:
    with REFERENCE.open() as file:
        rows = [
            (row["quantity"], float(row["mass"]), float(row["value"]))
            for row in csv.DictReader(line for line in file if not line.startswith("#"))
            if row["quantity"] in quantities
        ]
    assert rows
    return rows


def at_rest(mass: float, n: int) -> np.ndarray:
    momentum = np.zeros((n, 4))
    momentum[:, 0] = mass
    return momentum


def draw(decay, channel, spin, n, seed, pdg=5914, momentum=None):
    spins = np.broadcast_to(np.asarray(spin, dtype=float), (n, 3))
    momentum = at_rest(decay.mass, n) if momentum is None else momentum
    return decay.sample(channel, momentum, spins, np.full(n, pdg), np.random.default_rng(seed))


def pair_angles(state, mass, axis):
    """(x, cos theta, cos theta*, phi*) of the pairs from decays at rest."""
    q = state.momenta[:, 1] + state.momenta[:, 2]
    direction = q[:, 1:] / kinematics.momentum(q)[:, None]
    c = direction @ axis
    x = kinematics.invariant_mass_squared(q) / mass**2
    star = kinematics.boost_to_rest(state.momenta[:, 2], q)[:, 1:]
    star /= np.linalg.norm(star, axis=1)[:, None]
    tangent = c[:, None] * direction - axis  # the direction in which theta grows
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    normal = np.cross(direction, tangent)
    phi = np.arctan2((star * normal).sum(axis=1), (star * tangent).sum(axis=1))
    return x, c, (star * direction).sum(axis=1), phi


# ---------------------------------------------------------------------------- widths


@pytest.mark.parametrize("row", reference("ratio_ee", "ratio_mumu"))
def test_ratios(row):
    quantity, mass, value = row
    lepton = MUON_MASS if quantity.endswith("mumu") else ELECTRON_MASS
    got = pair_width(mass, 1.0, lepton) / photon_width(mass, 1.0)
    assert got == pytest.approx(value, rel=2e-7)


@pytest.mark.parametrize(
    "row",
    reference(
        "width_gamma",
        "width_gamma_majorana",
        "width_ee",
        "width_gamma_darknews",
        "width_gamma_darknews_majorana",
        "width_ee_darknews",
    ),
)
def test_widths(row):
    quantity, mass, value = row
    decay = DipoleDecay(
        mass,
        d_mu=1e-6,
        nature="majorana" if "majorana" in quantity else "dirac",
        conventions="darknews" if "darknews" in quantity else "standard",
    )
    channel = "nu e+ e-" if "ee" in quantity else "nu gamma"
    assert decay.width(channel) == pytest.approx(value, rel=5e-7)


def test_other_width_conventions():
    for channel, dirac, majorana in (("nu gamma", 0.5, 0.5), ("nu mu+ mu-", 0.25, 0.125)):
        for nature, factor in (("dirac", dirac), ("majorana", majorana)):
            right = DipoleDecay(0.5, d_e=1e-6, nature=nature)
            other = DipoleDecay(0.5, d_e=1e-6, nature=nature, conventions="darknews")
            assert other.width(channel) == pytest.approx(factor * right.width(channel), rel=1e-14)


@pytest.mark.parametrize("ratio", [1e-3, 0.1, 0.45, 0.499999, 0.500001, 0.7, 0.95, 0.999])
def test_pair_factor_against_quadrature(ratio):
    def integrand(y):
        x = np.exp(y)
        velocity = sqrt(max(1.0 - ratio**2 / x, 0.0))
        return 0.5 * (1 - x) ** 2 * (2 + x) * (1 + ratio**2 / (2 * x)) * velocity

    value = integrate.quad(integrand, 2 * np.log(ratio), 0.0, epsrel=1e-12, epsabs=0.0, limit=500)[
        0
    ]
    assert pair_factor(ratio) == pytest.approx(value, rel=1e-8)


def test_pair_factor_limits():
    # Leading terms: 2 ln(m/m_l) - 3 for light leptons; (1-a)^(7/2) at threshold.
    assert pair_factor(2e-8) == pytest.approx(2 * np.log(1e8) - 3, rel=1e-14)
    assert pair_factor(1.0) == pair_factor(1.5) == 0.0
    steps = np.array([1e-9, 1e-6, 1e-3])
    values = np.array([pair_factor(1.0 - e) for e in steps]) / steps**3.5
    np.testing.assert_allclose(values / values[0], 1.0, rtol=5e-3)


def test_widths_add_up_over_flavours():
    one = DipoleDecay(0.3, d_e=3e-7, d_mu=4e-7).width()
    assert one == pytest.approx(DipoleDecay(0.3, d_tau=5e-7).width(), rel=1e-14)
    decay = DipoleDecay(5.0, d_e=1e-6)
    assert decay.channels == ("nu gamma", "nu e+ e-", "nu mu+ mu-", "nu tau+ tau-")
    assert decay.width() == pytest.approx(sum(decay.width(c) for c in decay.channels))


@pytest.mark.parametrize("row", reference("mean_cos_ee", "mean_cos_mumu"))
def test_mean_cosine(row):
    quantity, mass, value = row
    channel = "nu mu+ mu-" if "mumu" in quantity else "nu e+ e-"
    decay = DipoleDecay(mass, d_mu=1e-6)
    assert decay.mean_cosine(channel) == pytest.approx(value, rel=2e-7)
    assert decay.mean_cosine("nu gamma") == -1.0 / 3.0
    other = DipoleDecay(mass, d_mu=1e-6, conventions="darknews")
    assert other.mean_cosine(channel) == pytest.approx(-value, rel=2e-7)
    assert DipoleDecay(mass, d_mu=1e-6, nature="majorana").mean_cosine(channel) == 0.0


# ---------------------------------------------------------------------------- sampling


def test_photon_flies_against_the_spin():
    n = 100_000
    spin = np.array([0.3, -0.6, 0.5])
    degree = np.linalg.norm(spin)
    for nature, pdg, conventions, sign in (
        ("dirac", 5914, "standard", -1),
        ("dirac", -5914, "standard", 1),
        ("majorana", 5914, "standard", 0),
        ("dirac", 5914, "darknews", 1),
        ("dirac", -5914, "darknews", -1),
        ("majorana", 5914, "darknews", 0),
    ):
        decay = DipoleDecay(0.2, d_mu=1e-6, nature=nature, conventions=conventions)
        state = draw(decay, "nu gamma", spin, n, 4, pdg)
        c = state.momenta[:, 1, 1:] @ spin / (0.1 * degree)
        slope = sign * degree
        cdf = 0.5 * (c + 1.0) + 0.25 * slope * (c**2 - 1.0)
        assert stats.kstest(cdf, "uniform").pvalue > 1e-3, (nature, pdg, conventions)


@pytest.mark.parametrize(
    ("mass", "channel", "degree", "pdg"),
    [
        (0.1, "nu e+ e-", 1.0, 5914),
        (0.47, "nu mu+ mu-", 0.8, 5914),
        (0.47, "nu mu+ mu-", 1.0, -5914),
        (0.215, "nu mu+ mu-", 1.0, 5914),
        (0.003, "nu e+ e-", 0.5, -5914),
    ],
)
def test_pairs_follow_the_density_in_all_variables(mass, channel, degree, pdg):
    n = 60_000
    axis = np.array([0.6, 0.0, -0.8])
    decay = DipoleDecay(mass, d_mu=1e-6)
    state = draw(decay, channel, degree * axis, n, 8, pdg)
    x, c, c_star, phi = pair_angles(state, mass, axis)
    np.testing.assert_allclose(x, state.invariants["q2"] / mass**2, rtol=1e-6)

    lepton = MUON_MASS if "mu" in channel else ELECTRON_MASS
    ratio = 2 * lepton / mass
    effective = degree if pdg > 0 else -degree
    top = np.arccosh(1.0 / ratio)
    # Moments against four-dimensional Gauss quadrature of the density; x through its rapidity.
    g_eta, w_eta = np.polynomial.legendre.leggauss(40)
    g, w = np.polynomial.legendre.leggauss(8)
    eta = 0.5 * top * (g_eta + 1.0)
    angle = 2 * np.pi * (np.arange(8) + 0.5) / 8
    grid_eta, grid_c, grid_star, grid_phi = np.meshgrid(eta, g, g, angle, indexing="ij")
    grid_x = (ratio * np.cosh(grid_eta)) ** 2
    density = pair_density(grid_x, grid_c, grid_star, grid_phi, effective, ratio)
    density = density * 2 * grid_x * np.tanh(grid_eta)  # dx = 2 x tanh(eta) d eta
    density *= (w_eta[:, None] * w)[:, :, None, None] * w[None, None, :, None]
    density /= density.sum()
    # sin(theta) is not a polynomial: its Gauss rule of 8 points is good to a few 1e-4 only.
    moments = {
        "x": lambda x, c, k, f: x,
        "x2": lambda x, c, k, f: x**2,
        "c": lambda x, c, k, f: c,
        "c2": lambda x, c, k, f: c**2,
        "xc": lambda x, c, k, f: x * c,
        "k": lambda x, c, k, f: k,
        "k2": lambda x, c, k, f: k**2,
        "k4": lambda x, c, k, f: k**4,
        "xk2": lambda x, c, k, f: x * k**2,
        "ck2": lambda x, c, k, f: c * k**2,
        "cosf": lambda x, c, k, f: np.cos(f),
        "sinf": lambda x, c, k, f: np.sin(f),
        "cos2f": lambda x, c, k, f: np.cos(2 * f),
        "k s s cosf": lambda x, c, k, f: k * np.sqrt((1 - k**2) * (1 - c**2)) * np.cos(f),
        "k c cosf": lambda x, c, k, f: k * c * np.cos(f),
    }
    grid = (grid_x, grid_c, grid_star, grid_phi)
    for name, function in moments.items():
        want = (density * function(*grid)).sum()
        got = function(x, c, c_star, phi)
        error = got.std() / np.sqrt(n)
        assert abs(got.mean() - want) < 4.2 * error + 1e-12, name


@pytest.mark.parametrize("mass", [0.003, 0.1, 1.0])
def test_mass_of_the_pair_follows_its_spectrum(mass):
    ratio = 2 * ELECTRON_MASS / mass
    x = draw(DipoleDecay(mass, d_mu=1e-6), "nu e+ e-", [0, 0, 1.0], 50_000, 5).invariants["q2"]
    y = np.linspace(2 * np.log(ratio), 0.0, 200_001)
    q = np.exp(y)
    spectrum = (1 - q) ** 2 * (2 + q) * (1 + ratio**2 / (2 * q))
    spectrum *= np.sqrt(np.maximum(1 - ratio**2 / q, 0.0))
    cumulative = integrate.cumulative_trapezoid(spectrum, y, initial=0.0)
    u = np.interp(np.log(x / mass**2), y, cumulative / cumulative[-1])
    assert stats.kstest(u, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("row", reference("mean_mass_ee", "mean_mass_mumu", "median_mass_ee"))
def test_masses_of_pairs(row):
    quantity, mass, value = row
    n = 100_000
    channel = "nu mu+ mu-" if "mumu" in quantity else "nu e+ e-"
    state = draw(DipoleDecay(mass, d_mu=1e-6), channel, [0, 0, 0.0], n, 6)
    m = np.sqrt(state.invariants["q2"])
    if quantity.startswith("median"):
        assert np.median(m) == pytest.approx(value, rel=0.02)
        assert 0.245 <= (m < 5e-3).mean() <= 0.385
    else:
        error = m.std() / mass / np.sqrt(n)
        assert m.mean() / mass == pytest.approx(value, abs=4 * error)


def test_majorana_pairs():
    # Isotropic in all, but each charge keeps its own asymmetry.
    n = 100_000
    axis = np.array([0.0, 0.0, 1.0])
    decay = DipoleDecay(0.47, d_mu=1e-6, nature="majorana")
    state = draw(decay, "nu mu+ mu-", axis, n, 9)
    _, c, _, _ = pair_angles(state, 0.47, axis)
    assert c.mean() == pytest.approx(0.0, abs=4 * 0.577 / sqrt(n))
    particle = state.pdg[:, 0] > 0
    assert particle.mean() == pytest.approx(0.5, abs=4 * 0.5 / sqrt(n))
    assert c[particle].mean() == pytest.approx(-0.22657, abs=4 * 0.55 / sqrt(n / 2))
    assert c[~particle].mean() == pytest.approx(0.22657, abs=4 * 0.55 / sqrt(n / 2))
    other = DipoleDecay(0.47, d_mu=1e-6, nature="majorana", conventions="darknews")
    _, c, _, _ = pair_angles(draw(other, "nu mu+ mu-", axis, n, 9), 0.47, axis)
    assert c.mean() == pytest.approx(0.22657, abs=4 * 0.55 / sqrt(n))


@pytest.mark.parametrize("channel", ["nu gamma", "nu e+ e-", "nu mu+ mu-"])
def test_momenta_close_and_masses_are_exact(channel):
    rng = np.random.default_rng(3)
    n = 20_000
    mass = 0.3
    momentum = np.zeros((n, 4))
    momentum[:, 1:] = rng.normal(size=(n, 3)) * 10.0 ** rng.uniform(-8, 2, (n, 1))
    momentum[:, 0] = np.sqrt(mass**2 + (momentum[:, 1:] ** 2).sum(axis=1))
    spin = rng.normal(size=(n, 3))
    spin *= (rng.random(n) / np.linalg.norm(spin, axis=1))[:, None]
    decay = DipoleDecay(mass, d_mu=1e-6)
    state = decay.sample(channel, momentum, spin, np.full(n, 5914), rng)
    difference = np.abs(state.momenta.sum(axis=1) - momentum).max(axis=1)
    assert (difference / momentum[:, 0]).max() < 1e-13
    lepton = {"nu gamma": 0.0, "nu e+ e-": ELECTRON_MASS, "nu mu+ mu-": MUON_MASS}[channel]
    p2 = (state.momenta[:, 1:, 1:] ** 2).sum(axis=2)
    np.testing.assert_allclose(state.momenta[:, 1:, 0], np.sqrt(lepton**2 + p2), rtol=1e-15)
    np.testing.assert_allclose(
        state.momenta[:, 0, 0], kinematics.momentum(state.momenta[:, 0]), rtol=1e-15
    )
    assert (state.weight == 1.0).all()


def test_decay_in_flight_is_the_boosted_decay_at_rest():
    n = 500
    spin = np.array([0.2, 0.5, -0.7])
    decay = DipoleDecay(0.3, d_mu=1e-6)
    flight = np.zeros((n, 4))
    flight[:, 1:] = [0.4, -1.0, 2.0]
    flight[:, 0] = sqrt(0.09 + 0.16 + 1.0 + 4.0)
    for channel in ("nu gamma", "nu e+ e-"):
        rest = draw(decay, channel, spin, n, 12)
        moving = draw(decay, channel, spin, n, 12, momentum=flight)
        boosted = kinematics.boost(rest.momenta, flight[:, None, :])
        np.testing.assert_allclose(moving.momenta, boosted, rtol=0, atol=1e-13)


def test_particles_of_the_final_state():
    n = 40_000
    decay = DipoleDecay(0.47, d_e=1e-6, d_mu=2e-6, d_tau=-3e-6)
    state = draw(decay, "nu mu+mu-", [0, 0, 1.0], n, 1)
    assert (state.pdg[:, 1] == -13).all()
    assert (state.pdg[:, 2] == 13).all()
    for code, share in ((12, 1 / 14), (14, 4 / 14), (16, 9 / 14)):
        assert (state.pdg[:, 0] == code).mean() == pytest.approx(share, abs=0.01)
    anti = draw(decay, "nugamma", [0, 0, 1.0], 100, 1, pdg=-5914)
    assert set(anti.pdg[:, 0]) <= {-12, -14, -16}
    assert (anti.pdg[:, 1] == 22).all()
    only = draw(DipoleDecay(0.1, d_mu=1e-6), "nu gamma", [0, 0, 1.0], 1000, 1)
    assert (only.pdg[:, 0] == 14).all()
    empty = draw(decay, "nu e+ e-", [0, 0, 1.0], 0, 1)
    assert empty.momenta.shape == (0, 3, 4)


def test_errors():
    decay = DipoleDecay(0.1, d_mu=1e-6)
    with pytest.raises(KinematicsError, match="0.211316751"):
        decay.width("nu mu+ mu-")
    with pytest.raises(UnknownNameError, match="nu gamma"):
        decay.width("nu gama")
    with pytest.raises(KinematicsError, match="closed"):
        draw(decay, "nu mu+ mu-", [0, 0, 1.0], 1, 1)
    with pytest.raises(KinematicsError, match="longer than 1"):
        draw(decay, "nu gamma", [0, 1.0, 1.0], 1, 1)
    with pytest.raises(ConfigError, match="finite"):
        draw(decay, "nu gamma", [0, np.nan, 1.0], 1, 1)
    with pytest.raises(ConfigError, match=r"\(n, 4\)"):
        draw(decay, "nu gamma", [0, 0, 1.0], 1, 1, momentum=np.ones((1, 3)))
    with pytest.raises(ConfigError, match="differ from zero"):
        DipoleDecay(0.1)
    with pytest.raises(ConfigError, match="mass"):
        DipoleDecay(-0.1, d_mu=1e-6)
    with pytest.raises(UnknownNameError, match="dirac"):
        DipoleDecay(0.1, d_mu=1e-6, nature="dirak")
    with pytest.raises(UnknownNameError, match="darknews"):
        DipoleDecay(0.1, d_mu=1e-6, conventions="darknew")
