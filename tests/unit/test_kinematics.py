from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siren_py import kinematics
from siren_py.errors import KinematicsError

component = st.floats(-50.0, 50.0)
mass = st.floats(1e-3, 20.0)


def four_vector(m: float, p: tuple[float, float, float]) -> np.ndarray:
    return np.array([np.sqrt(m**2 + np.dot(p, p)), *p])


@settings(max_examples=60, deadline=None)
@given(mass, st.tuples(component, component, component), st.floats(0.1, 5.0), component)
def test_boost_and_its_inverse(m, p, m_frame, k):
    vector = four_vector(m, p)
    frame = four_vector(m_frame, (0.3 * k, -0.1 * k, k))
    back = kinematics.boost_to_rest(kinematics.boost(vector, frame), frame)
    gamma = frame[0] / m_frame
    np.testing.assert_allclose(back, vector, rtol=0, atol=1e-14 * gamma**2 * vector[0])


@settings(max_examples=60, deadline=None)
@given(mass, st.tuples(component, component, component))
def test_boost_of_a_body_at_rest_is_its_momentum(m, p):
    frame = four_vector(m, p)
    got = kinematics.boost(np.array([m, 0.0, 0.0, 0.0]), frame)
    gamma = frame[0] / m  # the mass is a difference of E and p: digits go as gamma^2
    np.testing.assert_allclose(got, frame, rtol=0, atol=4e-16 * gamma**2 * frame[0])


def test_slow_boost_keeps_all_digits():
    # v = 1e-10: E' - E = g p must not drown in (gamma - 1)/beta^2.
    frame = np.array([1.0, 0.0, 0.0, 1e-10])
    got = kinematics.boost(np.array([1.0, 0.0, 0.0, 0.5]), frame)
    np.testing.assert_allclose(got, [1.0 + 0.5e-10, 0.0, 0.0, 0.5 + 1e-10], rtol=1e-15)


def test_boost_refuses_a_frame_faster_than_light():
    with pytest.raises(KinematicsError, match="slower than light"):
        kinematics.boost(np.ones(4), np.array([1.0, 0.0, 0.0, 1.0]))
    with pytest.raises(KinematicsError, match="slower than light"):
        kinematics.boost(np.ones(4), np.array([np.nan, 0.0, 0.0, 1.0]))
    with pytest.raises(KinematicsError, match="shape"):
        kinematics.boost(np.ones(3), np.ones(3))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, np.pi), st.floats(-np.pi, np.pi))
def test_rotate_from_z_is_a_rotation_that_moves_z(theta, phi):
    n = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    n /= np.linalg.norm(n)
    axes = kinematics.rotate_from_z(np.eye(3), n)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-13)
    np.testing.assert_allclose(axes[2], n, atol=1e-15)
    assert np.linalg.det(axes) == pytest.approx(1.0, abs=1e-12)


def test_angles_are_exact_where_arccos_fails():
    a = np.array([[1.0, 0.0, 0.0]])
    b = np.array([[1.0, 1e-9, 0.0]])
    assert kinematics.angle_between(a, b)[0] == pytest.approx(1e-9, rel=1e-12)
    assert kinematics.angle_between(a, -a)[0] == pytest.approx(np.pi)
    assert kinematics.polar_angle([5.0, 3e-8, 4e-8, 5.0]) == pytest.approx(1e-8, rel=1e-12)


def test_pair_mass_of_collinear_electrons():
    m = 0.511e-3
    first = four_vector(m, (0.0, 0.0, 1.0))
    second = four_vector(m, (1e-9, 0.0, 1.0))
    assert kinematics.pair_mass(first, second, m, m) == pytest.approx(2.0 * m, rel=1e-9)
    second = four_vector(m, (0.3, 0.0, 0.7))
    direct = kinematics.invariant_mass(first + second)
    assert kinematics.pair_mass(first, second, m, m) == pytest.approx(float(direct), rel=1e-12)


def test_two_body_momentum():
    # pi+ -> mu+ nu: 29.79 MeV (Particle Data Group).
    p = kinematics.two_body_momentum(0.13957039, 0.1056583755, 0.0)
    assert p == pytest.approx(0.02979, abs=5e-6)
    assert kinematics.two_body_momentum(1.0, 0.6, 0.4) == 0.0
    with pytest.raises(KinematicsError, match="threshold is 1"):
        kinematics.two_body_momentum(0.9, 0.6, 0.4)


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-3, 2.0), st.floats(0.5, 200.0), st.floats(-9.0, 3.0))
def test_scattering_conserves_four_momentum(m, target, log_excess):
    threshold = kinematics.threshold_energy(m, target)
    energy = threshold * (1.0 + 10.0**log_excess)
    low, high = kinematics.q2_limits_kernel(energy, m, target)
    assert 0.0 < low <= high
    for f in (0.0, 0.2, 0.9, 1.0):
        q2 = low + f * (high - low)
        e, p_t, p_z = kinematics.outgoing_kernel(q2, q2 - low, high - q2, energy, m, target)
        recoil = q2 / (2.0 * target)
        assert e + recoil == pytest.approx(energy, rel=1e-12)
        scale = energy**2
        assert e**2 - p_t**2 - p_z**2 == pytest.approx(m**2, abs=1e-10 * scale)
        p_recoil2 = p_t**2 + (energy - p_z) ** 2
        assert p_recoil2 == pytest.approx(recoil * (recoil + 2.0 * target), rel=1e-8)


def test_below_threshold_there_is_no_range():
    energy = kinematics.threshold_energy(0.3, 11.0) * (1.0 - 1e-12)
    assert kinematics.q2_limits_kernel(energy, 0.3, 11.0) == (0.0, 0.0)


@given(st.floats(0.0, 1.0))
def test_cosine_and_sine_of_a_turn(u):
    mpmath = pytest.importorskip("mpmath")
    cosine, sine = kinematics.turn_kernel(u)
    # numpy would round the angle itself; with 40 digits the reference is exact.
    with mpmath.workdps(40):
        angle = 2 * mpmath.pi * mpmath.mpf(u)
        exact = float(mpmath.cos(angle)), float(mpmath.sin(angle))
    assert cosine == pytest.approx(exact[0], abs=4e-16)
    assert sine == pytest.approx(exact[1], abs=4e-16)
    assert cosine**2 + sine**2 == pytest.approx(1.0, abs=5e-16)
