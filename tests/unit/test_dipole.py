from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from siren_py import kinematics
from siren_py.constants import ALPHA, HBARC2_CM2
from siren_py.errors import ConfigError, KinematicsError, UnknownNameError
from siren_py.nuclei import nuclide
from siren_py.processes import DipoleUpscattering, Reaction
from siren_py.processes.form_factors import charge_form_factor
from siren_py.processes.nucleon import sachs

REFERENCE = Path(__file__).parents[1] / "reference" / "dipole_reference.csv"


def reference(*quantities: str) -> list[tuple[str, str, float, float, float, float]]:
    rows = []
    with REFERENCE.open() as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if row["quantity"] in quantities:
                numbers = [float(row[k] or "nan") for k in ("energy", "mass", "q", "value")]
                rows.append((row["quantity"], row["target"], *numbers))
    assert rows
    return rows


def part_of(target: str) -> str:
    return {"H1": "proton", "n": "neutron"}.get(target, "coherent")


def process(mass: float, **options: object) -> DipoleUpscattering:
    return DipoleUpscattering(mass, 1e-6, **options)


@pytest.mark.parametrize("row", reference("q2_min", "q2_max", "threshold"))
def test_limits(row):
    quantity, target, energy, mass, _, value = row
    p = process(mass)
    if quantity == "threshold":
        got = p.threshold(target)
    else:
        got = p.q2_range(energy, target, part_of(target))[quantity == "q2_max"]
    assert got == pytest.approx(value, rel=6e-7)


@pytest.mark.parametrize("row", reference("energy_out", "cos_theta", "p_t"))
def test_outgoing(row):
    quantity, target, energy, mass, q2, value = row
    p = process(mass)
    low, high = p.q2_range(energy, target, part_of(target))
    target_mass = nuclide(target).mass
    e, p_t, p_z = kinematics.outgoing_kernel(q2, q2 - low, high - q2, energy, mass, target_mass)
    got = {"energy_out": e, "p_t": p_t, "cos_theta": p_z / np.hypot(p_z, p_t)}[quantity]
    assert got == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("row", reference("differential", "differential_dipole"))
def test_differential(row):
    quantity, target, energy, mass, q2, value = row
    p = process(mass, nucleon_form_factors="dipole" if "dipole" in quantity else "kelly")
    assert p.differential(q2, energy, target) == pytest.approx(value, rel=3e-7)


@pytest.mark.parametrize("row", reference("s_long", "s_theta", "s_long_dipole", "s_theta_dipole"))
def test_polarization(row):
    quantity, target, energy, mass, q2, value = row
    p = process(mass, nucleon_form_factors="dipole" if "dipole" in quantity else "kelly")
    got = p.polarization(q2, energy, target, part_of(target))[2 if "long" in quantity else 0]
    assert got == pytest.approx(value, rel=3e-7)


@pytest.mark.parametrize("row", reference("sigma_coh"))
def test_coherent_total(row):
    _, target, energy, mass, _, value = row
    assert process(mass).total(energy, target, "coherent") == pytest.approx(value, rel=3e-7)


@pytest.mark.parametrize("row", reference("sigma_coh_other"))
def test_coherent_total_of_another_program(row):
    # It treats nuclei as spin-1/2 particles, which adds up to 1.4e-4.
    _, target, energy, mass, _, value = row
    got = process(mass).total(energy, target, "coherent")
    assert 1.0 - 2e-4 < got / value < 1.0 + 1e-6


@pytest.mark.parametrize("row", reference("sigma_p", "sigma_n", "sigma_p_other", "sigma_p_blocked"))
def test_nucleon_total(row):
    quantity, target, energy, mass, _, value = row
    p = process(mass, nucleon_form_factors="dipole")
    if quantity == "sigma_p_blocked":
        got = p.total(energy, target, "proton") / 6.0
    else:
        got = p.total(energy, target)
    assert got == pytest.approx(value, rel=4e-7)


@pytest.mark.parametrize(
    "row", reference("mean_cos_theta", "mean_q2", "mean_flip", "mean_s_theta"), ids=str
)
def test_means(row):
    quantity, target, energy, mass, _, value = row
    p = process(mass)
    low, high = p.q2_range(energy, target, "coherent")
    nodes, weights = np.polynomial.legendre.leggauss(400)
    q2 = np.exp(np.log(low) + 0.5 * (nodes + 1.0) * np.log(min(high, 4.0) / low))
    density = weights * q2 * p.differential(q2, energy, target, "coherent")
    polarization = p.polarization(q2, energy, target, "coherent")
    e = energy - q2 / (2.0 * nuclide(target).mass)
    momentum = np.sqrt(e**2 - mass**2)
    value_of = {
        "mean_q2": q2,
        "mean_flip": 0.5 * (1.0 - polarization[:, 2]),
        "mean_s_theta": polarization[:, 0],
        "mean_cos_theta": (2 * energy * e - mass**2 - q2) / (2 * energy * momentum),
    }
    got = (density * value_of[quantity]).sum() / density.sum()
    assert got == pytest.approx(value, rel=2e-6)


def test_form_factor_choices_shift_the_totals():
    # Ratios to the measured form factor, and of Kelly's set to the dipole set: own quadrature.
    for target, mass, ratio in (("C12", 0.3, 0.988), ("Ar40", 0.47, 0.911), ("Pb208", 0.47, 1.014)):
        helm = process(mass, nuclear_form_factor="helm").total(1.0, target, "coherent")
        got = helm / process(mass).total(1.0, target, "coherent")
        assert got == pytest.approx(ratio, abs=6e-4)
    for energy, mass, ratio in ((1.0, 0.1, 0.990), (1.0, 0.3, 0.978), (3.0, 0.8, 0.968)):
        dipole = process(mass, nucleon_form_factors="dipole").total(energy, "H1")
        assert process(mass).total(energy, "H1") / dipole == pytest.approx(ratio, abs=6e-4)


@settings(max_examples=80, deadline=None)
@given(st.floats(0.01, 1.0), st.floats(0.02, 20.0), st.floats(0.0, 1.0), st.booleans())
def test_differential_against_the_uncancelled_formula(mass, excess, f, proton):
    target, part = ("H1", "proton") if proton else ("O16", "coherent")
    p = process(mass)
    energy = p.threshold(target) * (1.0 + excess)
    low, high = (float(x) for x in p.q2_range(energy, target, part))
    q2 = low * (min(high, 4.0) / low) ** f
    q2 = min(max(q2, low), min(high, 4.0))
    m2, big = mass**2, nuclide(target).mass
    tau = q2 / (4 * big**2)
    if proton:
        ge, gm = sachs(q2)
        w, g2 = (ge**2 + tau * gm**2) / (1 + tau), gm**2
    else:
        w, g2 = 64.0 * charge_form_factor(np.sqrt(q2), target) ** 2, 0.0
    first = q2 * (4 * big * energy - m2 - q2) ** 2
    second = m2 * (m2 + q2) * (4 * big**2 + q2)
    third = g2 * q2 * (q2 + m2) * (2 * m2 - q2)
    scale = HBARC2_CM2 * ALPHA * 1e-12 / (4 * big**2 * energy**2 * q2**2)
    expected = scale * (w * (first - second) + third)
    tolerance = 1e-12 * scale * (w * (first + second) + abs(third))
    assert p.differential(q2, energy, target, part) == pytest.approx(expected, abs=tolerance)


@settings(max_examples=80, deadline=None)
@given(st.floats(0.01, 1.0), st.floats(0.02, 20.0), st.floats(0.01, 0.99))
def test_polarization_against_helicity_amplitudes(mass, excess, f):
    # Real amplitudes of the two laboratory helicities on a spinless target.
    target = "C12"
    p = process(mass)
    energy = p.threshold(target) * (1.0 + excess)
    low, high = (float(x) for x in p.q2_range(energy, target))
    q2 = low * (high / low) ** f
    big = nuclide(target).mass
    e, p_t, p_z = kinematics.outgoing_kernel(q2, q2 - low, high - q2, energy, mass, big)
    k, theta = np.hypot(p_t, p_z), np.arctan2(p_t, p_z)
    kappa = 2 * big * energy - 0.5 * (mass**2 + q2)
    v0 = -k * np.sin(theta)
    v1 = 2 * big + q2 / (2 * big) - energy + k * np.cos(theta)
    s, c = np.sin(theta / 2), np.cos(theta / 2)
    fast, slow = np.sqrt(e + k), mass / np.sqrt(e + k)
    plus = 2 * kappa * fast * s - mass * slow * (c * v0 + s * v1)
    minus = 2 * kappa * slow * c - mass * fast * (-s * v0 + c * v1)
    norm = plus**2 + minus**2
    got = p.polarization(q2, energy, target, "coherent")
    assert got[2] == pytest.approx((plus**2 - minus**2) / norm, abs=1e-9)
    assert got[0] == pytest.approx(2 * plus * minus / norm, abs=1e-9)
    assert np.linalg.norm(got) == pytest.approx(1.0, abs=1e-12)
    opposite = DipoleUpscattering(mass, 1e-6, helicity=-1).polarization(q2, energy, target)
    np.testing.assert_array_equal(opposite, -got)


@pytest.mark.parametrize(
    ("target", "part", "energy", "mass"),
    [
        ("C12", "coherent", 0.1006, 0.1),
        ("C12", "coherent", 30.0, 0.01),
        ("Pb208", "coherent", 10.0, 0.3),
        ("F19", "coherent", 1.0, 0.47),
        ("Fe56", "proton", 2.0, 0.3),
        ("H1", "proton", 50.0, 0.005),
        ("Ar40", "neutron", 5.0, 1.0),
    ],
)
def test_total_against_adaptive_quadrature(target, part, energy, mass):
    p = process(mass)
    low, high = (float(x) for x in p.q2_range(energy, target, part))
    top = min(high, 4.0 if part == "coherent" else 25.0)
    value, error = integrate.quad(
        lambda y: float(np.exp(y) * p.differential(np.exp(y), energy, target, part)) * 1e40,
        np.log(low) + 1e-14,
        np.log(top) - 1e-14,
        limit=400,
        epsrel=1e-9,
    )
    assert error < 1e-7 * value
    assert p.total(energy, target, part) * 1e40 == pytest.approx(value, rel=1e-6)


def test_sum_of_parts_scaling_and_shapes():
    p = process(0.3)
    energy = np.array([[0.2, 0.32, 0.5], [1.0, 2.0, 9.0]])
    parts = sum(p.total(energy, "Fe56", part) for part in ("coherent", "proton", "neutron"))
    np.testing.assert_allclose(p.total(energy, "Fe56"), parts, rtol=1e-14)
    assert parts.shape == (2, 3)
    assert parts[0, 0] == 0.0
    assert p.total(0.0, "Fe56") == 0.0
    double = DipoleUpscattering(0.3, -2e-6).total(energy, "Fe56")
    np.testing.assert_allclose(double, 4.0 * parts, rtol=1e-14)
    q2 = np.geomspace(1e-5, 10.0, 7)[:, None]
    assert p.differential(q2, energy[1], "Fe56").shape == (7, 3)
    assert p.polarization(q2, energy[1], "Fe56", "all").shape == (7, 3, 3)
    low, high = p.q2_range(energy, "Fe56", "all")
    assert low.shape == (2, 3)
    assert (low[0, 0], high[0, 0]) == (0.0, 0.0)
    assert high[0, 2] == p.q2_range(0.5, "Fe56", "coherent")[1]


def test_differential_vanishes_outside_its_range():
    p = process(0.3)
    low, high = (float(x) for x in p.q2_range(1.0, "C12"))
    outside = np.array([-1.0, 0.0, low * (1 - 1e-9), high * (1 + 1e-9), 1e9])
    assert (p.differential(outside, 1.0, "C12", "coherent") == 0.0).all()
    assert (p.polarization(outside, 1.0, "C12", "coherent") == 0.0).all()
    assert p.differential(0.01, 0.303, "C12", "coherent") == 0.0
    assert p.differential(low * (1 + 1e-9), 1.0, "C12", "coherent") > 0.0


def test_free_nucleons_and_absent_parts():
    p = process(0.3)
    free = DipoleUpscattering(0.3, 1e-6, pauli_blocking=False)
    assert p.total(1.0, "H1", "all") == p.total(1.0, "proton", "proton") > 0.0
    assert p.total(1.0, "H1", "coherent") == p.total(1.0, "H1", "neutron") == 0.0
    assert p.threshold("H1", "coherent") == np.inf
    assert free.total(1.0, "C12", "proton") == pytest.approx(6.0 * p.total(1.0, "H1"), rel=1e-12)
    assert free.total(1.0, "C12", "neutron") == pytest.approx(6.0 * p.total(1.0, "n"), rel=1e-12)
    assert p.total(1.0, "C12", "proton") < free.total(1.0, "C12", "proton")
    assert DipoleUpscattering(0.3, 1e-6, neutrons=False).total(1.0, "C12", "neutron") == 0.0
    assert DipoleUpscattering(0.3, 1e-6, fermi_momentum=0.0).total(1.0, "C12", "proton") == (
        free.total(1.0, "C12", "proton")
    )
    assert p.reactions(["H1", "C12", "n"]) == [
        Reaction("H1", "proton"),
        Reaction("C12", "coherent"),
        Reaction("C12", "proton"),
        Reaction("C12", "neutron"),
        Reaction("n1", "neutron"),
    ]


def test_errors():
    p = process(0.3)
    for bad in (np.nan, -1.0, np.inf, [1.0, np.nan]):
        with pytest.raises(KinematicsError, match="finite"):
            p.total(bad, "C12")
    with pytest.raises(KinematicsError, match="NaN"):
        p.differential(np.nan, 1.0, "C12")
    with pytest.raises(UnknownNameError, match="coherent"):
        p.total(1.0, "C12", "coherrent")
    with pytest.raises(UnknownNameError, match="C12"):
        p.total(1.0, "C122")
    with pytest.raises(KinematicsError, match="threshold"):
        p.sample(np.array([0.2]), "C12", "coherent", np.random.default_rng(1))
    with pytest.raises(KinematicsError, match="no coherent"):
        p.sample(np.array([1.0]), "H1", "coherent", np.random.default_rng(1))
    with pytest.raises(ConfigError, match="mass"):
        DipoleUpscattering(0.0, 1e-6)
    with pytest.raises(ConfigError, match="coupling"):
        DipoleUpscattering(0.1, np.nan)
    with pytest.raises(ConfigError, match="helicity"):
        DipoleUpscattering(0.1, 1e-6, helicity=0)
    with pytest.raises(ConfigError, match="Fermi"):
        DipoleUpscattering(0.1, 1e-6, fermi_momentum=-0.1)
    with pytest.raises(UnknownNameError, match="helm"):
        DipoleUpscattering(0.1, 1e-6, nuclear_form_factor="hellm")
    with pytest.raises(UnknownNameError, match="kelly"):
        DipoleUpscattering(0.1, 1e-6, nucleon_form_factors="kely")


# ---------------------------------------------------------------------------- bound


def test_weights_are_exact_and_nearly_constant():
    rng = np.random.default_rng(11)
    n = 10_000
    pulls = []
    for mass in (0.02, 0.1, 0.3, 0.47, 0.8):
        p = process(mass)
        bound = p.bind(p.reactions(["H1", "He4", "C12", "Ar40", "W184", "Pb208"]), mass, 30.0)
        for i, (target, part) in enumerate(bound.reactions):
            largest = float(p.total(30.0, target, part))
            for excess in (1e-4, 1e-2, 0.1, 1.0, 8.0):
                energy = float(bound.thresholds[i] * (1.0 + excess))
                total = float(p.total(energy, target, part))
                if energy > 30.0 or total < 1e-8 * largest:
                    continue
                index, energies = np.full(n, i), np.full(n, energy)
                w = bound.sample(index, energies, rng).weight
                assert w.mean() ** 2 / (w**2).mean() > 0.98, (mass, target, part, energy)
                pulls.append((w.mean() - total) / (w.std() / np.sqrt(n) + 1e-7 * total))
                assert bound.total(index[:1], energies[:1])[0] == pytest.approx(total, rel=0.02)
                if excess > 0.05:
                    assert bound.total(index[:1], energies[:1])[0] == pytest.approx(total, rel=6e-3)
    pulls = np.array(pulls)
    assert len(pulls) > 200
    assert np.abs(pulls).max() < 4.5
    assert pulls.std() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(
    ("target", "part", "energy", "mass"),
    [
        ("C12", "coherent", 1.0, 0.1),
        ("Pb208", "coherent", 0.6, 0.47),
        ("Fe56", "proton", 0.9, 0.3),
        ("H1", "proton", 0.3481, 0.3),
    ],
)
def test_density_is_what_is_sampled(target, part, energy, mass):
    p = process(mass)
    bound = p.bind([Reaction(target, part)], mass, 10.0)
    n = 100_000
    zeros, energies = np.zeros(n, dtype=np.int64), np.full(n, energy)
    state = bound.sample(zeros, energies, np.random.default_rng(3))
    q2 = state.invariants["q2"]
    low, high = (float(x) for x in p.q2_range(energy, target, part))
    assert q2.min() >= low
    assert q2.max() <= high
    density = bound.density(zeros, energies, {"q2": q2})
    exact = bound.differential(zeros, energies, {"q2": q2})
    np.testing.assert_allclose(state.weight, exact / density, rtol=1e-9)

    top = min(high, bound.species.q2_cut[0])
    y = np.log(low) + np.log(top / low) * (np.arange(n) + 0.5) / n
    flat = np.exp(y) * bound.density(zeros, energies, {"q2": np.exp(y)}) * np.log(top / low) / n
    assert flat.sum() == pytest.approx(1.0, abs=1e-3)
    cumulative = np.cumsum(flat) / flat.sum()
    result = stats.kstest(np.interp(np.log(q2), y, cumulative), "uniform")
    assert result.pvalue > 1e-3
    outside = bound.density(zeros[:2], energies[:2], {"q2": np.array([0.9 * low, 1.1 * high])})
    assert (outside == 0.0).all()


def test_final_states_close_and_are_polarised():
    rng = np.random.default_rng(7)
    p = DipoleUpscattering(0.3, 1e-6, outgoing_pdg=-5914, helicity=-1)
    reactions = p.reactions(["C12", "H1", "Pb208"])
    bound = p.bind(reactions, 0.3, 20.0)
    n = 5000
    index = rng.integers(0, len(reactions), n)
    energy = bound.thresholds[index] * 1.0001 + rng.exponential(1.0, n)
    state = bound.sample(index, energy, rng)
    recoil_mass = bound.species.mass[index]
    initial = np.zeros((n, 4))
    initial[:, 0] = energy + recoil_mass
    initial[:, 3] = energy
    closure = np.abs(state.momenta.sum(axis=1) - initial) / initial[:, :1]
    assert closure.max() < 1e-12
    m2 = kinematics.invariant_mass_squared(state.momenta[:, 0])
    assert (np.abs(m2 - 0.09) < 1e-14 * state.momenta[:, 0, 0] ** 2).all()
    recoil = kinematics.invariant_mass_squared(state.momenta[:, 1])
    np.testing.assert_allclose(recoil, recoil_mass**2, rtol=1e-11)
    assert (state.pdg[:, 0] == -5914).all()
    expected = [nuclide(t).pdg if part == "coherent" else {"proton": 2212}.get(part, 2112)
                for t, part in reactions]  # fmt: skip
    np.testing.assert_array_equal(state.pdg[:, 1], np.array(expected)[index])
    azimuth = np.arctan2(state.momenta[:, 0, 2], state.momenta[:, 0, 1])
    assert stats.kstest(azimuth, "uniform", args=(-np.pi, 2 * np.pi)).pvalue > 1e-3

    # The polarisation vector has the components that `polarization` gives.
    direction = state.momenta[:, 0, 1:] / kinematics.momentum(state.momenta[:, 0])[:, None]
    normal = np.cross([0.0, 0.0, 1.0], direction)
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    theta = np.cross(normal, direction)
    assert (theta[:, 2] <= 0.0).all()
    got = state.polarization[:, 0]
    for i, (target, part) in enumerate(reactions):
        some = index == i
        want = p.polarization(state.invariants["q2"][some], energy[some], target, part)
        along = (got[some] * direction[some]).sum(axis=1)
        across = (got[some] * theta[some]).sum(axis=1)
        np.testing.assert_allclose(along, want[:, 2], atol=1e-7)
        np.testing.assert_allclose(across, want[:, 0], atol=1e-7)
    assert (state.polarization[:, 1] == 0.0).all()


def test_sampling_does_not_depend_on_the_coupling_and_is_reproducible():
    energy = np.linspace(0.5, 3.0, 100)
    first = process(0.3).sample(energy, "C12", "coherent", np.random.default_rng(1))
    other = DipoleUpscattering(0.3, 3e-6).sample(
        energy, "C12", "coherent", np.random.default_rng(1)
    )
    np.testing.assert_array_equal(first.momenta, other.momenta)
    np.testing.assert_allclose(other.weight, 9.0 * first.weight, rtol=1e-14)


def test_sampling_all_parts_keeps_the_total():
    p = process(0.3)
    n = 40_000
    state = p.sample(np.full(n, 1.0), "C12", "all", np.random.default_rng(2))
    total = p.total(1.0, "C12")
    error = state.weight.std() / np.sqrt(n)
    assert state.weight.mean() == pytest.approx(float(total), abs=4 * error)
    share = (state.pdg[:, 1] == 2212).mean()
    assert share == pytest.approx(float(p.total(1.0, "C12", "proton") / total), abs=0.01)


def test_bound_errors():
    p = process(0.3)
    bound = p.bind(p.reactions(["C12"]), 0.3, 5.0)
    one = np.ones(1)
    with pytest.raises(KinematicsError, match="up to 5 GeV"):
        bound.total(np.zeros(1, dtype=np.int64), 6.0 * one)
    with pytest.raises(KinematicsError, match="threshold is"):
        bound.sample(np.zeros(1, dtype=np.int64), 0.3 * one, np.random.default_rng(1))
    with pytest.raises(ConfigError, match="numbered"):
        bound.total(np.array([3]), one)
    with pytest.raises(ConfigError, match="energy_min"):
        p.bind(p.reactions(["C12"]), 3.0, 1.0)
    # Never open: no cross section, and no crash.
    closed = p.bind(p.reactions(["C12"]), 0.0, 0.1)
    assert closed.total(np.array([0]), 0.1 * one)[0] == 0.0
