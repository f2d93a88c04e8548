"""Exact sampling of polarised decays: densities in one variable, directions, two and three bodies.

The squared amplitudes of N -> nu l l are sums of terms (p~_N . a)(b . c) with p~_N = p_N - m s,
each of which fixes one particle a alone: its energy has a density with a logarithm that is
concave, its direction follows 1 + S.v, and the other two are even in the frame of their pair.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from siren_py._typing import FloatArray

_CELLS = 256
_GOLDEN = 0.5 * (5.0**0.5 - 1.0)


class ConcaveDensity:
    """Draws from a density whose logarithm is concave: rejection below exact steps.

    Such a density has a single peak. With the peak among the edges of the cells the larger value
    at the two edges of a cell bounds the density in it, so that no draw is distorted; about 1 in
    100 is rejected.

    Parameters
    ----------
    density
        The density, not normalised, on arrays; not negative.
    low, high
        Where it may differ from zero.
    """

    def __init__(
        self, density: Callable[[FloatArray], FloatArray], low: float, high: float
    ) -> None:
        self._density = density
        peak = _peak(density, low, high)
        self._edges = np.unique(np.append(np.linspace(low, high, _CELLS + 1), peak))
        values = density(self._edges)
        # The peak is found to rounding, where the density is flat to the square of that.
        self._bound = np.maximum(values[:-1], values[1:]) * (1.0 + 1e-12)
        self._cumulative = np.cumsum(self._bound * np.diff(self._edges))

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw n values, (n,)."""
        result = np.empty(n)
        missing = np.arange(n)
        while missing.size:
            goal = rng.random(missing.size) * self._cumulative[-1]
            cell = np.searchsorted(self._cumulative, goal, side="right")
            cell = np.minimum(cell, self._bound.size - 1)
            low, high = self._edges[cell], self._edges[cell + 1]
            value = low + rng.random(missing.size) * (high - low)
            taken = rng.random(missing.size) * self._bound[cell] < self._density(value)
            result[missing[taken]] = value[taken]
            missing = missing[~taken]
        return result


def _peak(density: Callable[[FloatArray], FloatArray], low: float, high: float) -> float:
    """Find the peak of a density with one peak by golden sections."""
    a, b = low, high
    for _ in range(90):
        x, y = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
        fx, fy = density(np.array([x, y]))
        if fx < fy:
            a = x
        else:
            b = y
    return 0.5 * (a + b)


def lepton_density(alone: float, paired: float) -> ConcaveDensity:
    """Energy of particle 1 in (p_N . p_1)(p_nu . p_2), in units of m; x_1 = alone, x_2 = paired.

    E p (E_max - E)^2 / s with s = (p_nu + p_2)^2 = 2 (E_max - E) + x_2^2. Every factor has a
    concave logarithm: E; p = (E^2 - x_1^2)^(1/2); t^2/(2t + x_2^2) with t = E_max - E, since
    -2/t^2 + 1/(t + x_2^2/2)^2 < 0.
    """
    top = 0.5 * (1.0 + alone**2 - paired**2)

    def density(energy: FloatArray) -> FloatArray:
        rest = np.maximum(top - energy, 0.0)
        p = np.sqrt(np.maximum((energy - alone) * (energy + alone), 0.0))
        mass2 = 2.0 * rest + paired**2
        return np.asarray(energy * p * rest**2 / np.where(mass2 > 0.0, mass2, 1.0))

    return ConcaveDensity(density, alone, top)


def neutrino_density(lepton: float) -> ConcaveDensity:
    """Energy of the neutrino in m_l^2 (p_N . p_nu), in units of m; lepton = m_l/m.

    E^2 beta with beta = (1 - 4 x^2/s)^(1/2), s = 1 - 2E, whose logarithms are concave.
    """

    def density(energy: FloatArray) -> FloatArray:
        s = 1.0 - 2.0 * energy
        beta2 = 1.0 - 4.0 * lepton**2 / np.where(s > 0.0, s, 1.0)
        return np.asarray(energy**2 * np.sqrt(np.maximum(np.where(s > 0.0, beta2, 0.0), 0.0)))

    return ConcaveDensity(density, 0.0, 0.5 * (1.0 - 4.0 * lepton**2))


def tilted_cosine(slope: FloatArray, uniform: FloatArray) -> FloatArray:
    """Cosines with the density (1 + a c)/2, |a| <= 1, (n,), by the inverse of its integral."""
    root = np.sqrt((1.0 - slope) ** 2 + 4.0 * slope * uniform)
    return np.clip((4.0 * uniform - 2.0 + slope) / (1.0 + root), -1.0, 1.0)


def around(axis: FloatArray, cosine: FloatArray, azimuth: FloatArray) -> FloatArray:
    """Unit vectors at given angles to unit vectors `axis` (n, 3), (n, 3)."""
    x, y, z = axis[:, 0], axis[:, 1], axis[:, 2]
    # Duff et al., Journal of Computer Graphics Techniques 6, 1 (2017): no singular direction.
    sign = np.where(z >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = np.stack([1.0 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second = np.stack([b, sign + y * y * a, -y], axis=1)
    sine = np.sqrt((1.0 - cosine) * (1.0 + cosine))
    return np.asarray(
        cosine[:, None] * axis
        + (sine * np.cos(azimuth))[:, None] * first
        + (sine * np.sin(azimuth))[:, None] * second
    )


def spin_axis(spin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Length (n,) and direction (n, 3) of polarisation vectors (n, 3); +z where there is none."""
    length = np.sqrt(np.einsum("ij,ij->i", spin, spin))
    polarised = length > 0.0
    axis = spin / np.where(polarised, length, 1.0)[:, None]
    return length, np.where(polarised[:, None], axis, [0.0, 0.0, 1.0])


def tilted_direction(
    spin: FloatArray, analysing: FloatArray | float, rng: np.random.Generator
) -> FloatArray:
    """Directions n with the density 1 + a S.n, for analysing powers a, (n, 3)."""
    length, axis = spin_axis(spin)
    cosine = tilted_cosine(analysing * length, rng.random(length.size))
    return around(axis, cosine, 2.0 * np.pi * rng.random(length.size))


def boosted(momenta: FloatArray, masses: FloatArray, gamma_beta: FloatArray) -> FloatArray:
    """Boost momenta (n, k, 3) of particles of `masses` (k,) by gamma beta (n, 3), to (n, k, 4).

    Energies follow from momenta and masses, before and after.
    """
    energy = np.sqrt(np.einsum("nki,nki->nk", momenta, momenta) + masses**2)
    gamma = np.sqrt(1.0 + np.einsum("ni,ni->n", gamma_beta, gamma_beta))
    along = np.einsum("nki,ni->nk", momenta, gamma_beta)
    factor = energy + along / (1.0 + gamma[:, None])
    moved = momenta + factor[:, :, None] * gamma_beta[:, None, :]
    result = np.empty((*momenta.shape[:2], 4))
    result[:, :, 0] = np.sqrt(np.einsum("nki,nki->nk", moved, moved) + masses**2)
    result[:, :, 1:] = moved
    return result


def with_pair(
    energy: FloatArray,
    direction: FloatArray,
    masses: tuple[float, float, float],
    rng: np.random.Generator,
) -> FloatArray:
    """Complete three-body decays in the rest frame, m = 1: the pair is even in its own frame.

    Parameters
    ----------
    energy, direction
        Energy (n,) and direction (n, 3) of the first particle.
    masses
        Masses of the three.

    Returns
    -------
    ndarray
        Momenta (n, 3, 3), the first particle in front.
    """
    alone, second, third = masses
    n = energy.size
    p = np.sqrt(np.maximum((energy - alone) * (energy + alone), 0.0))
    first = p[:, None] * direction
    mass2 = np.maximum(1.0 + alone**2 - 2.0 * energy, (second + third) ** 2)
    mass = np.sqrt(mass2)
    product = (mass - second - third) * (mass + second + third)
    product *= (mass - second + third) * (mass + second - third)
    star = np.sqrt(np.maximum(product, 0.0)) / (2.0 * mass)
    star_vector = star[:, None] * around(
        np.broadcast_to([0.0, 0.0, 1.0], (n, 3)),
        2.0 * rng.random(n) - 1.0,
        2.0 * np.pi * rng.random(n),
    )
    frame = -first / mass[:, None]
    pair = boosted(star_vector[:, None, :], np.array([second]), frame)[:, 0, 1:]
    # The third one balances the other two exactly.
    return np.stack([first, pair, -first - pair], axis=1)
