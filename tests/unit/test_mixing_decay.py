"""Decays by mixing: widths against reference values, distributions against Dirac traces."""

from __future__ import annotations

import numpy as np
import pytest

from siren_py.constants import ELECTRON_MASS, FERMI_CONSTANT, MUON_MASS
from siren_py.errors import ConfigError, KinematicsError, UnknownNameError
from siren_py.particles import mass as particle_mass
from siren_py.processes import mixing_widths as widths
from siren_py.processes.mixing_decay import CHANNELS, MixingDecay

# Partial widths [GeV] of a Dirac N at U^2 = 1, evaluated apart from this package (spinor
# amplitudes or quadrature), with sin^2 = 0.22343, f_pi = 0.1302 GeV, V_ud = 0.97373.
REFERENCE = [
    ("nu e+ e-", "U_mu2", 0.1, 2.887292e-20, 1e-6),
    ("nu e+ e-", "U_mu2", 0.25, 2.820852e-18, 1e-6),
    ("nu e+ e-", "U_e2", 0.1, 1.309584e-19, 1e-6),
    ("nu e+ e-", "U_e2", 0.35, 6.880446e-17, 1e-6),
    ("nu mu+ mu-", "U_mu2", 0.25, 1.785529e-19, 1e-6),
    ("nu mu+ mu-", "U_mu2", 0.35, 1.490513e-17, 1e-6),
    ("nu mu+ mu-", "U_mu2", 0.45, 1.044334e-16, 1e-6),
    ("mu- pi+", "U_mu2", 0.25, 4.024019e-17, 1e-6),
    ("mu- pi+", "U_mu2", 0.35, 8.642898e-16, 1e-6),
    ("mu- pi+", "U_mu2", 0.45, 2.62256e-15, 1e-6),
    ("e- pi+", "U_e2", 0.35, 1.319108e-15, 1e-6),
    ("nu pi0", "U_mu2", 0.25, 1.799291e-16, 1e-6),
    ("nu nu nu", "U_mu2", 0.25, 2.231662e-17, 1e-6),
    # The reference neglects the mass of the electron: 7e-5 at 0.25 GeV.
    ("nu mu- e+", "U_mu2", 0.25, 6.139113e-18, 1e-4),
    ("nu mu- e+", "U_mu2", 0.45, 2.808406e-16, 3e-5),
]


@pytest.mark.parametrize(("channel", "mixing", "mass", "expected", "tolerance"), REFERENCE)
def test_widths(channel, mixing, mass, expected, tolerance):
    decay = MixingDecay(mass, **{mixing: 1.0})
    assert decay.width(channel) == pytest.approx(expected, rel=tolerance, abs=0.0)
    assert MixingDecay(mass, **{mixing: 0.25}).width(channel) == pytest.approx(
        0.25 * decay.width(channel), rel=1e-13, abs=0.0
    )


def test_width_with_one_massless_lepton():
    for x in (0.1, 0.42, 0.8):
        expected = widths.massless_factor(x * x)
        # The closed form cancels towards threshold.
        assert widths.charged_factor(x, 0.0) == pytest.approx(expected, rel=1e-12, abs=1e-14)
        assert widths.charged_factor(0.0, x) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert widths.charged_factor(0.0, 0.0) == pytest.approx(1.0, rel=1e-13, abs=0.0)
    assert widths.charged_factor(0.6, 0.4) == 0.0


@pytest.mark.parametrize("x", [0.005, 0.05, 0.2, 0.2999, 0.3001, 0.4, 0.499])
def test_pair_factors_are_their_integrals(x):
    """f1 and f2 over energies of the lepton and of the neutrino, summed here by brute force."""
    f1, f2 = widths.pair_factors(x)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    s = 4 * x * x + (1 - 4 * x * x) * (0.5 * (nodes + 1)) ** 2
    measure = 0.5 * weights * (1 - 4 * x * x) * (nodes + 1)
    beta, e_nu = np.sqrt(1 - 4 * x * x / s), 0.5 * (1 - s)
    # At fixed s the energy of a lepton is even over a range of E_nu beta.
    assert 192 * x * x * (0.5 * measure * e_nu**2 * beta).sum() == pytest.approx(
        f2, rel=1e-9, abs=0.0
    )
    # <E+ (1/2 - E+)> over E+ = (1 - e_nu)/2 + u e_nu beta/2, u even in [-1, 1].
    mean = 0.5 * (1 - e_nu)
    moment = mean * (0.5 - mean) - (0.5 * e_nu * beta) ** 2 / 3
    assert 192 * (0.5 * measure * e_nu * beta * moment).sum() == pytest.approx(
        f1, rel=1e-8, abs=0.0
    )


def test_channels_and_natures():
    dirac = MixingDecay(0.45, 0.3, 0.5, 0.2)
    anti = MixingDecay(0.45, 0.3, 0.5, 0.2, antiparticle=True)
    majorana = MixingDecay(0.45, 0.3, 0.5, 0.2, "majorana")
    assert "e- pi+" in dirac.channels
    assert "e- pi+" not in anti.channels
    assert dirac.width("e+ pi-") == 0.0
    assert majorana.width() == pytest.approx(2.0 * dirac.width(), rel=1e-13, abs=0.0)
    assert dirac.width() == pytest.approx(anti.width(), rel=1e-13, abs=0.0)
    for channel in majorana.channels:
        both = dirac.width(channel) + anti.width(channel)
        assert majorana.width(channel) == pytest.approx(both, rel=1e-13, abs=0.0)
    # CP: what N does to e- mu+, its antiparticle does to e+ mu-.
    assert dirac.width("nu e- mu+") == pytest.approx(anti.width("nu mu- e+"), rel=1e-13, abs=0.0)
    assert dirac.width("nu e- mu+") != pytest.approx(anti.width("nu e- mu+"), rel=1e-3, abs=0.0)
    for decay in (dirac, anti, majorana):
        assert sum(decay.width(c) for c in decay.channels) == pytest.approx(
            decay.width(), rel=1e-12, abs=0.0
        )


@pytest.mark.parametrize("channel", CHANNELS[1:])
def test_thresholds(channel):
    closed = MixingDecay(0.12, 0.3, 0.5, 0.2).threshold(channel)
    if closed > 0.547:
        pytest.skip("opens above the heaviest N")
    kwargs = {"U_e2": 0.3, "U_mu2": 0.5, "nature": "majorana"}
    above = MixingDecay(closed * (1 + 1e-6), **kwargs)
    assert above.width(channel) > 0.0
    below = MixingDecay(closed * (1 - 1e-6), **kwargs)
    assert channel not in below.channels
    with pytest.raises(KinematicsError, match=f"{closed:.9g}"):
        below.width(channel)


def test_arguments_are_checked():
    with pytest.raises(ConfigError, match="mass of N"):
        MixingDecay(float("nan"), 1.0)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        MixingDecay(0.1)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        MixingDecay(0.1, U_mu2=float("nan"))
    with pytest.raises(KinematicsError, match="eta"):
        MixingDecay(0.6, 1.0)
    with pytest.raises(UnknownNameError, match="nature"):
        MixingDecay(0.1, 1.0, nature="weyl")
    decay = MixingDecay(0.3, U_mu2=1.0)
    rng = np.random.default_rng(1)
    p, s = np.array([[0.5, 0, 0, 0.4]]), np.zeros((1, 3))
    with pytest.raises(UnknownNameError, match="this particle"):
        decay.sample("mu+ pi-", p, s, np.array([5914]), rng)
    with pytest.raises(UnknownNameError, match="decay channel"):
        decay.width("nu gamma")
    with pytest.raises(KinematicsError, match="longer than 1"):
        decay.sample("mu- pi+", p, s + 1.0, np.array([5914]), rng)
    with pytest.raises(ConfigError, match="finite"):
        decay.sample("mu- pi+", p * np.nan, s, np.array([5914]), rng)
    with pytest.raises(ConfigError, match=r"\(n, 4\)"):
        decay.sample("mu- pi+", p[:, :3], s, np.array([5914]), rng)


@pytest.mark.parametrize("nature", ["dirac", "majorana"])
def test_momenta_close_and_masses_hold(nature):
    rng = np.random.default_rng(7)
    decay = MixingDecay(0.53, 0.3, 0.5, 0.2, nature)
    n = 4000
    way = rng.normal(size=(n, 3))
    way *= 10 ** rng.uniform(-3, 1.5, n)[:, None] / np.linalg.norm(way, axis=1, keepdims=True)
    p = np.concatenate([np.hypot(np.linalg.norm(way, axis=1), 0.53)[:, None], way], axis=1)
    s = rng.normal(size=(n, 3))
    s *= rng.random((n, 1)) / np.linalg.norm(s, axis=1, keepdims=True)
    for channel in decay.channels:
        state = decay.sample(channel, p, s, np.full(n, 5914), rng)
        assert np.abs(state.momenta.sum(axis=1) - p).max() < 1e-12 * p[:, 0].max()
        square = state.momenta[..., 0] ** 2 - (state.momenta[..., 1:] ** 2).sum(axis=-1)
        masses = np.vectorize(particle_mass)(state.pdg)
        scale = state.momenta[..., 0] ** 2
        assert (np.abs(square - masses**2) < 1e-14 * scale + 1e-30).all()
        assert (state.weight == 1.0).all()
        charge = {11: -1, 13: -1, 211: 1, 321: 1}
        total = sum(
            charge.get(abs(int(c)), 0) * np.sign(c) for c in state.pdg[0]
        )  # the same for all events of a channel
        assert total == 0
        assert ("q2" in state.invariants) == (state.pdg.shape[1] == 3)


# ------------------------------------------------------------------ squared amplitudes, by traces

_SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ZERO, _ONE = np.zeros((2, 2)), np.eye(2)
GAMMA = np.array(
    [np.block([[_ZERO, _ONE], [_ONE, _ZERO]])]
    + [np.block([[_ZERO, s], [-s, _ZERO]]) for s in _SIGMA]
)
FIVE = np.diag([-1.0, -1.0, 1.0, 1.0]).astype(complex)
LEFT, RIGHT = 0.5 * (np.eye(4) - FIVE), 0.5 * (np.eye(4) + FIVE)
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def slash(p):
    return np.einsum("...m,mn,nij->...ij", p, METRIC, GAMMA)


def squared_amplitude(mass, spin, neutrino, minus, plus, lepton_masses, left, right):
    """Sum of |M|^2 over final spins for 2 sqrt2 G [nubar g^a P_L N][lbar g_a (gL P_L + gR P_R) l].

    Traces of matrices, nothing of the package: momenta (n, 4) in the rest frame of N, polarised
    along `spin`.
    """
    s = np.concatenate([[0.0], spin])
    parent = (slash(np.array([mass, 0, 0, 0])) + mass * np.eye(4)) @ (
        0.5 * (np.eye(4) + FIVE @ slash(s))
    )
    coupling = left * LEFT + right * RIGHT
    conjugate = left * RIGHT + right * LEFT
    # Traces are linear in the momenta: one table of traces serves all events.
    lower = np.einsum("mn,nij->mij", METRIC, GAMMA)
    unit = np.concatenate([lower, np.eye(4)[None]])
    first = np.einsum(
        "mij,ajk,kl,bli->abm", lower, GAMMA @ LEFT, parent, RIGHT @ GAMMA, optimize=True
    )
    second = np.einsum(
        "mij,ajk,nkl,bli->abmn", unit, GAMMA @ coupling, unit, conjugate @ GAMMA, optimize=True
    )
    signs = np.outer(np.diag(METRIC), np.diag(METRIC))
    table = np.einsum("ab,abk,abmn->kmn", signs, first, second, optimize=True)
    low = np.concatenate([minus, np.full((len(minus), 1), lepton_masses[0])], axis=1)
    high = np.concatenate([plus, np.full((len(plus), 1), -lepton_masses[1])], axis=1)
    total = np.einsum("kmn,ek,em,en->e", table, neutrino, low, high, optimize=True)
    return 8.0 * FERMI_CONSTANT**2 * np.real(total)


def flat_decays(mass, masses, n, rng):
    """Three-body decays at rest, even in phase space, by weights: momenta (n, 3, 4), weights."""
    m1, m2, m3 = masses
    pair = rng.uniform(m2 + m3, mass - m1, n)

    def breakup(total, a, b):
        return np.sqrt((total**2 - (a + b) ** 2) * (total**2 - (a - b) ** 2)) / (2 * total)

    def directions():
        v = rng.normal(size=(n, 3))
        return v / np.linalg.norm(v, axis=1, keepdims=True)

    p, q = breakup(mass, m1, pair), breakup(pair, m2, m3)
    first = p[:, None] * directions()
    inner = q[:, None] * directions()
    e2, e3 = np.hypot(q, m2), np.hypot(q, m3)
    gamma, g = np.hypot(p, pair) / pair, -first / pair[:, None]
    along = np.einsum("ij,ij->i", inner, g)
    second = inner + g * (e2 + along / (1 + gamma))[:, None]
    third = -inner + g * (e3 - along / (1 + gamma))[:, None]
    out = np.empty((n, 3, 4))
    for k, (v, m) in enumerate(((first, m1), (second, m2), (third, m3))):
        out[:, k, 1:] = v
        out[:, k, 0] = np.sqrt((v**2).sum(axis=1) + m * m)
    return out, p * q


CASES = [
    ("nu e+ e-", "U_e2", 0.05, ELECTRON_MASS, ELECTRON_MASS, True),
    ("nu e+ e-", "U_mu2", 0.003, ELECTRON_MASS, ELECTRON_MASS, False),
    ("nu mu+ mu-", "U_mu2", 0.3, MUON_MASS, MUON_MASS, True),
    ("nu mu+ mu-", "U_tau2", 0.25, MUON_MASS, MUON_MASS, False),
    ("nu mu- e+", "U_mu2", 0.2, MUON_MASS, ELECTRON_MASS, None),
    ("nu e- mu+", "U_e2", 0.2, ELECTRON_MASS, MUON_MASS, None),
    ("nu nu nu", "U_tau2", 0.2, 0.0, 0.0, None),
]


@pytest.mark.parametrize(("channel", "mixing", "mass", "m_minus", "m_plus", "same"), CASES)
def test_three_bodies_follow_the_squared_amplitude(channel, mixing, mass, m_minus, m_plus, same):
    """Means of energies, angles and their products, and the width, from traces in phase space."""
    rng = np.random.default_rng(11)
    left, right = (1.0, 0.0) if same is None else widths.neutral_couplings(same)
    spin = np.array([0.3, -0.5, 0.7])
    n = 40_000
    # Order here: neutrino, minus, plus.
    flat, weight = flat_decays(mass, (0.0, m_minus, m_plus), n, rng)
    square = squared_amplitude(
        mass, spin, flat[:, 0], flat[:, 1], flat[:, 2], (m_minus, m_plus), left, right
    )
    assert (square > -1e-12 * square.max()).all()
    weight = weight * square
    decay = MixingDecay(mass, **{mixing: 1.0})
    # dGamma = |M|^2/(2m) p q/(8 m) (2 pi)^-5 dM dOmega dOmega.
    volume = (mass - m_minus - m_plus) * (4 * np.pi) ** 2 / (16 * mass**2 * (2 * np.pi) ** 5)
    total = weight.mean() * volume
    error = weight.std() / np.sqrt(n) * volume
    expected = decay.width(channel)
    assert total == pytest.approx(expected, abs=4.5 * error)
    assert error < 0.02 * expected
    drawn = decay.sample(
        channel, np.tile([mass, 0, 0, 0], (n, 1)), np.tile(spin, (n, 1)), np.full(n, 5914), rng
    )
    order = (0, 1, 2)
    if channel != "nu nu nu":
        negative = next(k for k in (1, 2) if drawn.pdg[0, k] in (11, 13))
        order = (0, negative, 3 - negative)
    mine = drawn.momenta[:, list(order)]

    def features(p):
        energies = p[..., 0] / mass
        cosines = p[..., 1:] @ (spin / np.linalg.norm(spin)) / mass
        return np.concatenate(
            [energies, energies**2, cosines, cosines * energies, cosines[:, [1, 2, 0]] * energies],
            axis=1,
        )

    wanted, got = features(flat), features(mine)
    mean = (weight[:, None] * wanted).sum(axis=0) / weight.sum()
    spread = np.sqrt((weight[:, None] ** 2 * (wanted - mean) ** 2).sum(axis=0)) / weight.sum()
    difference = got.mean(axis=0) - mean
    tolerance = np.hypot(spread, got.std(axis=0) / np.sqrt(n))
    np.testing.assert_array_less(np.abs(difference), 4.5 * tolerance + 1e-12)
    # The angles do depend on the spin: the test must be able to see it.
    assert np.abs(mean[6:9] / tolerance[6:9]).max() > 10.0


@pytest.mark.parametrize(
    ("channel", "mass"), [("mu- pi+", 0.26), ("mu- pi+", 0.45), ("e- pi+", 0.2)]
)
def test_charged_meson_angles(channel, mass):
    lepton = MUON_MASS if "mu" in channel else ELECTRON_MASS
    x, y = (lepton / mass) ** 2, (particle_mass(211) / mass) ** 2
    root = np.sqrt((1 - x - y) ** 2 - 4 * x * y)
    slope = (1 - x) * root / ((1 - x) ** 2 - y * (1 + x))
    n, polar = 200_000, 0.8
    decay = MixingDecay(mass, 0.5, 0.5)
    at_rest, spin = np.tile([mass, 0, 0, 0], (n, 1)), np.tile([0, 0, polar], (n, 1))
    state = decay.sample(channel, at_rest, spin, np.full(n, 5914), np.random.default_rng(3))
    cosine = state.momenta[:, 0, 3] / np.linalg.norm(state.momenta[:, 0, 1:], axis=1)
    assert cosine.mean() == pytest.approx(-polar * slope / 3, abs=4 / np.sqrt(3 * n))
    assert (cosine**2).mean() == pytest.approx(1 / 3, abs=4 * 0.3 / np.sqrt(n))
    momentum = np.linalg.norm(state.momenta[:, 0, 1:], axis=1)
    np.testing.assert_allclose(momentum, 0.5 * mass * root, rtol=1e-12)


@pytest.mark.parametrize("channel", ["nu pi0", "nu e+ e-", "nu mu+ mu-", "nu mu- e+", "mu- pi+"])
def test_antiparticle_is_the_conjugate(channel):
    """The same random numbers with S reversed give the same momenta, charges exchanged."""
    mass, n = 0.3, 3000
    conjugate = {"nu mu- e+": "nu e- mu+", "mu- pi+": "mu+ pi-"}.get(channel, channel)
    spin = np.tile([0.1, 0.2, 0.9], (n, 1))
    at_rest = np.tile([mass, 0, 0, 0], (n, 1))
    one = MixingDecay(mass, U_mu2=1.0).sample(
        channel, at_rest, spin, np.full(n, 5914), np.random.default_rng(5)
    )
    other = MixingDecay(mass, U_mu2=1.0, antiparticle=True).sample(
        conjugate, at_rest, -spin, np.full(n, -5914), np.random.default_rng(5)
    )

    def by_code(state, sign):
        return {
            int(sign * c) if c != 111 else 111: state.momenta[:, k]
            for k, c in enumerate(state.pdg[0])
        }

    first, second = by_code(one, 1), by_code(other, -1)
    assert first.keys() == second.keys()
    for code, momenta in first.items():
        # The last particle balances the others: rounding depends on the order.
        np.testing.assert_allclose(momenta, second[code], rtol=1e-9, atol=1e-13)


def test_majorana_forgets_its_spin_in_neutral_channels():
    n, mass = 100_000, 0.3
    decay = MixingDecay(mass, U_mu2=1.0, nature="majorana")
    at_rest, spin = np.tile([mass, 0, 0, 0], (n, 1)), np.tile([0, 0, 1.0], (n, 1))
    rng = np.random.default_rng(9)
    for channel, slope in (("nu pi0", 0.0), ("mu- pi+", -1.0), ("mu+ pi-", 1.0)):
        state = decay.sample(channel, at_rest, spin, np.full(n, 5914), rng)
        cosine = state.momenta[:, 0, 3] / np.linalg.norm(state.momenta[:, 0, 1:], axis=1)
        if slope == 0.0:
            assert cosine.mean() == pytest.approx(0.0, abs=4 / np.sqrt(3 * n))
            assert abs((state.pdg[:, 0] > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
        else:
            assert slope * cosine.mean() > 0.2


def test_flavours_of_neutrinos_follow_the_mixings():
    n = 60_000
    decay = MixingDecay(0.1, 0.1, 0.2, 0.7)
    at_rest = np.tile([0.1, 0, 0, 0], (n, 1))
    rng = np.random.default_rng(2)
    state = decay.sample("nu nu nu", at_rest, np.zeros((n, 3)), np.full(n, 5914), rng)
    for code, share in ((12, 0.1), (14, 0.2), (16, 0.7)):
        # Neutrinos less antineutrinos of a flavour: lepton numbers are kept.
        net = ((state.pdg == code).sum() - (state.pdg == -code).sum()) / n
        assert net == pytest.approx(share, abs=0.012)
