"""The aimed proposal for a beam with a source.

Neutrinos leave the point S evenly in all directions; the flux of the table holds at the distance
r0. A neutrino flies to x, r away, makes a particle that leaves at the angle theta and decays at y,
s further on. The triangle S x y with r, s and theta turns rigidly with the direction of the
neutrino and the azimuth of the scattering, so these may be exchanged for the direction of y as
seen from S and an azimuth about it, both evenly distributed, without a Jacobian; with rho the
distance of y from S,

    rho^2 = r^2 + s^2 + 2 r s cos(theta),    dr/drho = rho / (r + s cos(theta)),

    rate = phi r0^2 int d^3y int ds int dsigma  n(x) exp(-s/L)/L  (dr/drho) / rho^2.

So y is drawn evenly in the region, s along a straight line that leaves y backwards at the angle
theta, in proportion to what that line meets (a tenth of the draws regardless of it), and the
vertex x then lies where the triangle closes. The weight has the true density of targets at x.
"""

from __future__ import annotations

from math import exp, log1p, sqrt

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.geometry.tracing import External, GeometryArrays, Scratch, trace_line
from siren_py.injection.attenuation import decay_chance

REGARDLESS = 0.1
"""Share of flights drawn from the exponential alone: the vertex may lie off the straight line."""


@kernel
def draw_flights(
    geometry: GeometryArrays,
    external: External,
    scratch: Scratch,
    density: FloatArray,
    origins: FloatArray,
    backwards: FloatArray,
    lengths: FloatArray,
    longest: FloatArray,
    nuclide: IntArray,
    uniform: FloatArray,
    flight: FloatArray,
    ratio: FloatArray,
) -> int:
    """Draw how far particles flew before they decayed at `origins`.

    Parameters
    ----------
    geometry, external, scratch
        Detector and buffers of the calling thread.
    density
        Number densities [1/cm3] by nuclide and material, (T, M).
    origins, backwards
        Decay points [cm] and unit directions back along the straight line, (n, 3).
    lengths, longest
        Decay lengths and longest flights [cm], (n,).
    nuclide
        Targets, (n,).
    uniform
        Uniform random numbers, (n, 2).
    flight, ratio
        Receive s [cm] and exp(-s/L) over the density of s [cm], (n,).

    Returns
    -------
    int
        Number of lines done; fewer than n if the buffers do not fit.
    """
    for i in range(len(origins)):
        length = lengths[i]
        target = nuclide[i]
        n = trace_line(
            geometry, external, i, origins[i, 0], origins[i, 1], origins[i, 2],
            backwards[i, 0], backwards[i, 1], backwards[i, 2], 0.0, longest[i], scratch,
        )  # fmt: skip
        if n < 0:
            return i
        total = 0.0
        for k in range(n):
            number = density[target, scratch.material[k]]
            if number > 0.0:
                width = (scratch.t_out[k] - scratch.t_in[k]) / length
                total += number * length * exp(-scratch.t_in[k] / length) * decay_chance(width)
        share = REGARDLESS if total > 0.0 else 1.0
        reach = decay_chance(longest[i] / length)
        number = 0.0
        if uniform[i, 0] < share:
            s = min(-length * log1p(-uniform[i, 1] * reach), longest[i])
            for k in range(n):
                if scratch.t_in[k] <= s < scratch.t_out[k]:
                    number = density[target, scratch.material[k]]
        else:
            goal = uniform[i, 1] * total
            s = 0.0
            for k in range(n):
                here = density[target, scratch.material[k]]
                if here <= 0.0:
                    continue
                number = here
                start = here * length * exp(-scratch.t_in[k] / length)
                chance = decay_chance((scratch.t_out[k] - scratch.t_in[k]) / length)
                s = scratch.t_out[k]
                if goal < start * chance:
                    s = min(scratch.t_in[k] - length * log1p(-goal / start), s)
                    break
                goal -= start * chance
        # exp(-s/L) is common to both ways of drawing and cancels.
        drawn = share / (length * reach)
        if total > 0.0:
            drawn += (1.0 - share) * number / total
        flight[i] = s
        ratio[i] = 1.0 / drawn
    return len(origins)


@kernel
def close_triangles(
    sources: FloatArray,
    points: FloatArray,
    across: FloatArray,
    cosine: FloatArray,
    sine: FloatArray,
    flight: FloatArray,
    second: FloatArray,
    vertex: FloatArray,
    stretch: FloatArray,
) -> None:
    """Find the vertices x from S, y, theta and s.

    Parameters
    ----------
    sources, points, across
        S and y [cm], and unit vectors across y - S that fix the azimuth, (n, 3).
    cosine, sine
        Of the angle theta, (n,).
    flight
        s [cm], (n,).
    second
        Uniform random numbers that choose between two solutions where there are two, (n,).
    vertex, stretch
        Receive x [cm], (n, 3), and (dr/drho) / rho^2 [1/cm2], (n,): 0 if no triangle closes.
    """
    for i in range(len(points)):
        stretch[i] = 0.0
        ex = points[i, 0] - sources[i, 0]
        ey = points[i, 1] - sources[i, 1]
        ez = points[i, 2] - sources[i, 2]
        rho2 = ex * ex + ey * ey + ez * ez
        rho = sqrt(rho2)
        s = flight[i]
        root2 = rho2 - s * s * sine[i] * sine[i]
        if root2 <= 0.0:
            continue
        root = sqrt(root2)
        solutions = 1.0
        r = root - s * cosine[i]
        if cosine[i] < 0.0 and s > rho:
            # Behind y as seen from S the particle may come back from two places.
            solutions = 2.0
            if second[i] < 0.5:
                r = -root - s * cosine[i]
        if r <= 0.0:
            continue
        along = (r + s * cosine[i]) / rho
        aside = s * sine[i] / rho
        for axis in range(3):
            e = (points[i, axis] - sources[i, axis]) / rho
            vertex[i, axis] = sources[i, axis] + r * (along * e + aside * across[i, axis])
        stretch[i] = solutions / (rho * root)


def perpendicular(axis: FloatArray, azimuth: FloatArray) -> FloatArray:
    """Return unit vectors across unit vectors `axis` (n, 3) at the azimuths (n,) [rad]."""
    helper = np.zeros_like(axis)
    helper[np.arange(len(axis)), np.argmin(np.abs(axis), axis=1)] = 1.0
    first = np.cross(axis, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(axis, first)
    across: FloatArray = np.cos(azimuth)[:, None] * first + np.sin(azimuth)[:, None] * second
    return across


def frames(along: FloatArray, towards: FloatArray) -> FloatArray:
    """Return rotation matrices with the columns (x, y, z): z along, `towards` in the x-z plane.

    Both arguments are (n, 3), `along` of unit length; where they are parallel any x will do.
    """
    across = towards - np.einsum("ij,ij->i", towards, along)[:, None] * along
    norm = np.linalg.norm(across, axis=1)
    flat = norm < 1e-12
    if flat.any():
        across[flat] = perpendicular(along[flat], np.zeros(int(flat.sum())))
        norm[flat] = 1.0
    x = across / norm[:, None]
    return np.stack([x, np.cross(along, x), along], axis=-1)
