"""Relativistic kinematics on arrays: boosts, invariant masses, angles, two-body formulae.

Four-vectors are (..., 4) arrays E, px, py, pz in GeV. Formulae are written so that no digits are
lost where they are needed: near rest, near threshold, at small angles, at high energy. Functions
that end in ``_kernel`` are scalar numba kernels for use in other kernels.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import KinematicsError

# ---------------------------------------------------------------------------- scalar kernels


@kernel
def boost_kernel(
    e: float, x: float, y: float, z: float, gx: float, gy: float, gz: float
) -> tuple[float, float, float, float]:
    """Boost (e, x, y, z) by gamma beta = (gx, gy, gz), without rotation.

    The spatial part is p + g [E + (p.g) / (1 + gamma)], which is exact at any gamma: the usual
    (gamma - 1) / beta^2 loses all digits near rest.
    """
    gamma = sqrt(1.0 + gx * gx + gy * gy + gz * gz)
    along = x * gx + y * gy + z * gz
    factor = e + along / (1.0 + gamma)
    return gamma * e + along, x + factor * gx, y + factor * gy, z + factor * gz


@kernel
def basis_kernel(
    x: float, y: float, z: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Two unit vectors that form a right-handed system (a, b, n) with the unit vector n.

    Duff et al., Journal of Computer Graphics Techniques 6, 1 (2017), no singular direction.
    """
    sign = 1.0 if z >= 0.0 else -1.0
    c = -1.0 / (sign + z)
    d = x * y * c
    return (1.0 + sign * x * x * c, sign * d, -sign * x), (d, sign + y * y * c, -y)


@kernel
def turn_kernel(u: float) -> tuple[float, float]:
    """Cosine and sine of 2 pi u for 0 <= u <= 1, to rounding.

    The angle is reduced to within an eighth of a turn, which is exact here, so that the power
    series do: half the cost of the two functions of any angle.
    """
    quarter = int(4.0 * u + 0.5)
    r = (4.0 * u - quarter) * (0.5 * pi)
    y = r * r
    y2 = y * y
    s = (1.0 - y * (1.0 / 6.0)) + y2 * (1.0 / 120.0 - y * (1.0 / 5040.0))
    s += (y2 * y2) * (
        (1.0 / 362880.0 - y * (1.0 / 39916800.0))
        + y2 * (1.0 / 6227020800.0 - y * (1.0 / 1307674368000.0))
    )
    s *= r
    c = (1.0 - 0.5 * y) + y2 * (1.0 / 24.0 - y * (1.0 / 720.0))
    c += (y2 * y2) * (
        (1.0 / 40320.0 - y * (1.0 / 3628800.0))
        + y2 * (1.0 / 479001600.0 - y * (1.0 / 87178291200.0) + y2 * (1.0 / 20922789888000.0))
    )
    odd = quarter & 1 != 0
    cosine = s if odd else c
    sine = c if odd else s
    return (
        -cosine if (quarter + 1) & 2 != 0 else cosine,
        -sine if quarter & 2 != 0 else sine,
    )


@kernel
def two_body_momentum_kernel(mass: float, m1: float, m2: float) -> float:
    """Momentum [GeV] of either daughter in the rest frame of the parent; 0 if closed."""
    product = (mass - m1 - m2) * (mass + m1 + m2) * (mass - m1 + m2) * (mass + m1 - m2)
    if mass <= m1 + m2 or product <= 0.0:
        return 0.0
    return sqrt(product) / (2.0 * mass)


@kernel
def threshold_kernel(mass: float, target_mass: float) -> float:
    """Least energy [GeV] of a massless particle that turns into `mass` on a target at rest."""
    return mass + mass * mass / (2.0 * target_mass)


@kernel
def q2_limits_kernel(energy: float, mass: float, target_mass: float) -> tuple[float, float]:
    """Least and largest Q2 [GeV2] of nu(E) + A(M, at rest) -> N(m) + A; (0, 0) below threshold.

    With s = M^2 + 2 M E, the limits are the roots of s Q^4 - b Q^2 + m^4 M^2 = 0,
    b = (s - M^2)^2 - m^2 (s + M^2). Their product gives the lower one without cancellation, and
    the discriminant factorises into 4 M^2 (E - E_threshold) ([E + m] - m^2/2M).
    """
    above = energy - threshold_kernel(mass, target_mass)
    if not above >= 0.0:
        return 0.0, 0.0
    m2 = mass * mass
    s = target_mass * (target_mass + 2.0 * energy)
    b = 2.0 * target_mass * (2.0 * target_mass * energy * energy - m2 * (target_mass + energy))
    root = (2.0 * target_mass * above) * (2.0 * target_mass * (energy + mass) - m2)
    high = (b + 2.0 * target_mass * energy * sqrt(max(root, 0.0))) / (2.0 * s)
    # At threshold rounding could put the lower limit above the upper one.
    return min(m2 * m2 * target_mass * target_mass / (s * high), high), high


@kernel
def outgoing_kernel(
    q2: float, above_min: float, below_max: float, energy: float, mass: float, target_mass: float
) -> tuple[float, float, float]:
    """Energy, transverse and longitudinal momentum [GeV] of N in nu + A -> N + A.

    Parameters are Q2, Q2 - Q2min and Q2max - Q2 [GeV2], so that p_T, which vanishes at either
    limit, keeps all its digits: p_T^2 = (Q2 - Q2min)(Q2max - Q2) s / (s - M^2)^2.
    """
    e_out = energy - q2 / (2.0 * target_mass)
    p_z = e_out - (mass * mass + q2) / (2.0 * energy)
    scale = (target_mass + 2.0 * energy) / (4.0 * target_mass * energy * energy)
    return e_out, sqrt(max(above_min, 0.0) * max(below_max, 0.0) * scale), p_z


# ---------------------------------------------------------------------------- array functions


@kernel
def _boost_all(p: FloatArray, frame: FloatArray, sign: float, out: FloatArray) -> None:
    for i in range(len(p)):
        e, x, y, z = frame[i, 0], frame[i, 1], frame[i, 2], frame[i, 3]
        k = sqrt(x * x + y * y + z * z)
        inverse = sign / sqrt((e - k) * (e + k))
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = boost_kernel(
            p[i, 0], p[i, 1], p[i, 2], p[i, 3], x * inverse, y * inverse, z * inverse
        )


@kernel
def _rotate_all(v: FloatArray, n: FloatArray, out: FloatArray) -> None:
    for i in range(len(v)):
        a, b = basis_kernel(n[i, 0], n[i, 1], n[i, 2])
        x, y, z = v[i, 0], v[i, 1], v[i, 2]
        for j in range(3):
            out[i, j] = x * a[j] + y * b[j] + z * n[i, j]


def _spread(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Broadcast two arrays to one shape; what has to be repeated is a copy.

    Kernels would be compiled again for the read-only views that NumPy makes of it.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    shape = np.broadcast_shapes(a.shape, b.shape)
    if a.shape != shape:
        a = np.array(np.broadcast_to(a, shape), order="C")
    if b.shape != shape:
        b = np.array(np.broadcast_to(b, shape), order="C")
    return a, b


def _boost(momenta: ArrayLike, frame: ArrayLike, sign: float) -> FloatArray:
    p, f = _spread(momenta, frame)
    if p.ndim == 0 or p.shape[-1] != 4:
        raise KinematicsError(f"Four-vectors must have the shape (..., 4), not {p.shape}.")
    flat = np.ascontiguousarray(f).reshape(-1, 4)
    bad = ~(flat[:, 0] > np.linalg.norm(flat[:, 1:], axis=1))
    if bad.any():
        raise KinematicsError(
            f"A frame must move slower than light; the four-momentum {flat[bad][0].tolist()} "
            "does not (E must exceed |p|)."
        )
    out = np.empty((len(flat), 4))
    _boost_all(np.ascontiguousarray(p).reshape(-1, 4), flat, sign, out)
    return out.reshape(p.shape)


def boost(momenta: ArrayLike, frame: ArrayLike) -> FloatArray:
    """Take four-vectors from the rest frame of a body to the frame in which it has `frame`.

    Parameters
    ----------
    momenta
        Four-vectors in the rest frame of the body, (..., 4).
    frame
        Four-momentum of the body, (..., 4), broadcast against `momenta`.

    Returns
    -------
    FloatArray
        The four-vectors after the canonical (rotation-free) boost, (..., 4).

    Raises
    ------
    KinematicsError
        If a frame is not timelike, or a shape is wrong.
    """
    return _boost(momenta, frame, 1.0)


def boost_to_rest(momenta: ArrayLike, frame: ArrayLike) -> FloatArray:
    """Take four-vectors to the rest frame of the body that has the four-momentum `frame`.

    The inverse of `boost`; the axes stay parallel. Raises `KinematicsError` as `boost` does.
    """
    return _boost(momenta, frame, -1.0)


def rotate_from_z(vectors: ArrayLike, directions: ArrayLike) -> FloatArray:
    """Rotate 3-vectors given for an incoming particle along +z to one along `directions`.

    Parameters
    ----------
    vectors
        (..., 3).
    directions
        Unit vectors, (..., 3), broadcast against `vectors`; the rotation about them is arbitrary
        but fixed.
    """
    v, n = _spread(vectors, directions)
    out = np.empty((v.size // 3, 3))
    _rotate_all(np.ascontiguousarray(v).reshape(-1, 3), np.ascontiguousarray(n).reshape(-1, 3), out)
    return out.reshape(v.shape)


def momentum(momenta: ArrayLike) -> FloatArray:
    """Magnitude of the 3-momentum [GeV], (...)."""
    p = np.asarray(momenta, dtype=np.float64)
    return np.asarray(np.sqrt((p[..., 1:] ** 2).sum(axis=-1)))


def invariant_mass_squared(momenta: ArrayLike) -> FloatArray:
    """E^2 - p^2 [GeV2] of four-vectors, (...), as (E - p)(E + p)."""
    p = np.asarray(momenta, dtype=np.float64)
    k = momentum(p)
    return np.asarray((p[..., 0] - k) * (p[..., 0] + k))


def invariant_mass(momenta: ArrayLike) -> FloatArray:
    """Invariant mass [GeV] of four-vectors, (...); spacelike by rounding counts as 0."""
    return np.asarray(np.sqrt(np.maximum(invariant_mass_squared(momenta), 0.0)))


def pair_mass(first: ArrayLike, second: ArrayLike, m1: float, m2: float) -> FloatArray:
    """Invariant mass [GeV] of two particles of known masses, exact for nearly collinear pairs.

    m^2 = (m1 + m2)^2 + 2 (E1 E2 - p1 p2 - m1 m2) + 2 p1 p2 (1 - cos), with
    1 - cos = 2 sin^2(angle / 2) and the middle bracket written in the difference of velocities.
    """
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    p, k = momentum(a), momentum(b)
    e, f = np.hypot(p, m1), np.hypot(k, m2)
    # (E1 E2 - m1 m2)^2 - (p1 p2)^2 + ... : E1 E2 - p1 p2 - m1 m2 = (m2 p1 - m1 p2)^2 / (sum).
    bracket = (m2 * p - m1 * k) ** 2 / (e * f + p * k + m1 * m2)
    half = np.sin(0.5 * angle_between(a[..., 1:], b[..., 1:]))
    return np.asarray(np.sqrt((m1 + m2) ** 2 + 2.0 * bracket + 4.0 * p * k * half**2))


def angle_between(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Angle [rad] between 3-vectors (..., 3), accurate at 0 and pi (atan2, not arccos)."""
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    cross = np.cross(a, b)
    dot = (a * b).sum(axis=-1)
    return np.asarray(np.arctan2(np.sqrt((cross**2).sum(axis=-1)), dot))


def polar_angle(momenta: ArrayLike) -> FloatArray:
    """Angle [rad] of four-vectors (..., 4) to the z axis."""
    p = np.asarray(momenta, dtype=np.float64)
    return np.asarray(np.arctan2(np.hypot(p[..., 1], p[..., 2]), p[..., 3]))


def two_body_momentum(mass: float, m1: float, m2: float) -> float:
    """Momentum [GeV] of the daughters in parent -> 1 + 2, in the parent's rest frame.

    Raises
    ------
    KinematicsError
        If the parent is lighter than its daughters.
    """
    if not mass >= m1 + m2:
        raise KinematicsError(
            f"A particle of {mass:g} GeV cannot decay to masses {m1:g} and {m2:g} GeV: "
            f"the threshold is {m1 + m2:g} GeV."
        )
    return float(two_body_momentum_kernel(float(mass), float(m1), float(m2)))


def threshold_energy(mass: float, target_mass: float) -> float:
    """Least energy [GeV] of a massless particle that turns into `mass` on a target at rest."""
    return float(threshold_kernel(float(mass), float(target_mass)))
