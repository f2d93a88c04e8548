"""Numba kernels of the decays N -> nu gamma and N -> nu l+ l-: exact, and without rejection."""

from __future__ import annotations

from math import acosh, exp, sqrt
from typing import NamedTuple

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray, IntArray
from siren_py.kinematics import basis_kernel, turn_kernel

BLOCK = 256
"""Events that are taken from step to step together; what is kept between steps fits the cache.

The processor works at several events at once where a step is short."""


class PairTable(NamedTuple):
    """What the mass of the pair is drawn from."""

    nodes: FloatArray
    """(cells + 1, 3), see `fill_pair_table`."""
    inverse: FloatArray
    """(parts, 8): exp(-2 eta) as a function of the uniform number. Part k of equal parts of (0, 1)
    has a polynomial in t, from -1 at its lower end to 1 at its upper end; 0 where it is not good
    to 1e-12, near both ends."""


class Flavours(NamedTuple):
    """Which flavours the neutrino may have."""

    code: IntArray
    """PDG codes, (3,)."""
    chance: FloatArray
    """Chances, summed up, (3,)."""


@kernel
def linear_cosine_kernel(a: float, u: float) -> float:
    """Cosine c with the density (1 - a c)/2 from a uniform number, |a| <= 1; stable at a = 0."""
    root = sqrt(max(1.0 - a * (4.0 * u - 2.0 - a), 0.0))
    return min(max((4.0 * u - 2.0 - a) / (1.0 + root), -1.0), 1.0)


@kernel
def even_cosine_kernel(a: float, b: float, u: float) -> float:
    """Cosine c with a density proportional to a + b c^2 >= 0: the root of a cubic.

    Two steps of Halley's method do, except near the ends of a density that vanishes there.
    """
    v = 2.0 * u - 1.0
    goal = v * (a + b / 3.0)
    c = start = goal / (a + b * v * v / 3.0)
    slope = step = a
    for _ in range(2):
        slope = a + b * c * c
        value = c * (a + b * c * c / 3.0) - goal
        step = value * slope / (slope * slope - value * b * c)
        c -= step
    # What a third step would change; not a number where the density is 0.
    missing = abs(step * step * step * b) * (abs(b) + slope)
    if missing <= 1e-16 * slope * slope and abs(c) <= 1.0:
        return c
    return _even_cosine_slowly(a, b, v, start if abs(start) <= 1.0 else v)


@kernel
def _even_cosine_slowly(a: float, b: float, v: float, c: float) -> float:
    """Newton's method from c, kept within bounds."""
    goal = v * (a + b / 3.0)
    low, high = (0.0, 1.0) if v >= 0.0 else (-1.0, 0.0)
    for _ in range(60):
        value = c * (a + b * c * c / 3.0) - goal
        if value > 0.0:
            high = c
        else:
            low = c
        slope = a + b * c * c
        step = value / slope if slope > 0.0 else 0.0
        new = c - step
        if not (low <= new <= high) or slope <= 0.0:
            new = 0.5 * (low + high)
        # What a further step of Newton's method would change.
        done = (new - c) ** 2 * abs(b) <= 1e-15 * slope
        c = new
        if done:
            break
    return c


# ---------------------------------------------------------------------------- mass of the pair


@kernel
def rapidity_density_kernel(eta: float, ratio2: float) -> float:
    """Density of N -> nu l+ l- in eta, up to a constant.

    eta is the rapidity of a lepton in the rest frame of the pair: x = q^2/m^2 = a^2 cosh^2(eta),
    a = 2 m_l/m. With it (1-x)^2 (2+x)/x (1 + a^2/2x) sqrt(1 - a^2/x) dx becomes
    (1-x)^2 (2+x)(3 - beta^2) beta^2 d eta, beta = tanh(eta): smooth from end to end.
    """
    return _density(exp(-2.0 * eta), ratio2)


@kernel
def _density(e: float, ratio2: float) -> float:
    """Density at e = exp(-2 eta): beta = (1 - e)/(1 + e), cosh^2(eta) = (1 + e)^2 / 4e."""
    up = 1.0 + e
    inverse = 1.0 / (up * e)
    beta = (1.0 - e) * e * inverse
    beta2 = beta * beta
    rest = max(1.0 - 0.25 * ratio2 * up * up * up * inverse, 0.0)
    x = 1.0 - rest
    return rest * rest * (2.0 + x) * (3.0 - beta2) * beta2


@kernel
def _gauss(low: float, high: float, ratio2: float) -> float:
    """Integral of the density over a cell or less by the four-point Gauss-Legendre rule."""
    half = 0.5 * (high - low)
    e = exp(-(high + low))
    inner = _both_sides(e, 2.0 * 0.3399810435848563 * half, ratio2)
    outer = _both_sides(e, 2.0 * 0.8611363115940526 * half, ratio2)
    return half * (0.6521451548625461 * inner + 0.3478548451374538 * outer)


@kernel
def _both_sides(e: float, d: float, ratio2: float) -> float:
    """Density at e exp(-d) plus that at e exp(d), d < 0.02: series instead of exponentials."""
    y = d * d
    even = 1.0 + 0.5 * y * (1.0 + y * (1.0 / 12.0) * (1.0 + y * (1.0 / 30.0)))
    odd = d * (1.0 + y * (1.0 / 6.0) * (1.0 + y * (1.0 / 20.0)))
    return _density(e * (even - odd), ratio2) + _density(e * (even + odd), ratio2)


@kernel
def fill_pair_table(ratio: float, top: float, table: FloatArray) -> None:
    """Fill the table (cells + 1, 3) from which eta is drawn, at equidistant nodes up to `top`.

    Its columns are the integral of the density from 0 to the node, the density there, and the
    cell in which the integral reaches the node's share of the whole.
    """
    cells = len(table) - 1
    table[0, 0] = 0.0
    table[0, 1] = 0.0
    for k in range(cells):
        table[k + 1, 0] = table[k, 0] + _gauss(
            k * top / cells, (k + 1) * top / cells, ratio * ratio
        )
        table[k + 1, 1] = rapidity_density_kernel((k + 1) * top / cells, ratio * ratio)
    cell = 0
    for k in range(cells + 1):
        while cell < cells - 1 and table[cell + 1, 0] <= k * table[cells, 0] / cells:
            cell += 1
        table[k, 2] = cell


@kernel
def sample_rapidity_kernel(u: float, ratio2: float, top: float, table: FloatArray) -> float:
    """Draw eta: the cell from the table, then Newton's method on the exact integral inside."""
    cells = len(table) - 1
    goal = u * table[cells, 0]
    k = int(table[int(u * cells), 2])
    while k > 0 and table[k, 0] > goal:
        k -= 1
    while k < cells - 1 and table[k + 1, 0] <= goal:
        k += 1
    width = top / cells
    start = low = k * width
    high = start + width
    goal -= table[k, 0]
    if k == 0:
        # Here the density rises as eta^2.
        eta: float = width * (goal / table[1, 0]) ** (1.0 / 3.0)
    else:
        # Elsewhere a straight line through both ends is near to it.
        first = table[k, 1]
        root = sqrt(first * first + 2.0 * (table[k + 1, 1] - first) * goal / width)
        eta = min(start + 2.0 * goal / (first + root), high)
    for _ in range(60):
        value = _gauss(start, eta, ratio2) - goal
        if value > 0.0:
            high = eta
        else:
            low = eta
        slope = rapidity_density_kernel(eta, ratio2)
        new = eta - value / slope if slope > 0.0 else low - 1.0
        if not (low <= new <= high):
            new = 0.5 * (low + high)
        # Newton converges quadratically: after a step of 1e-6 widths, themselves below 1e-2,
        # the error is 1e-14.
        done = abs(new - eta) < 1e-6 * width
        eta = new
        if done:
            break
    return min(eta, top)


@kernel
def invert_pair_table(u: FloatArray, ratio: float, nodes: FloatArray, out: FloatArray) -> None:
    """Write exp(-2 eta) of the uniform numbers `u` (n,), to rounding."""
    top = acosh(1.0 / ratio)
    for n in range(len(u)):
        out[n] = exp(-2.0 * sample_rapidity_kernel(u[n], ratio * ratio, top, nodes))


@kernel_part
def _draw_mass(u: float, ratio2: float, top: float, table: PairTable) -> float:
    """Draw exp(-2 eta) from a uniform number."""
    position = u * len(table.inverse)
    k = int(position)
    row = table.inverse
    if row[k, 0] == 0.0:
        return exp(-2.0 * sample_rapidity_kernel(u, ratio2, top, table.nodes))
    t = 2.0 * (position - k) - 1.0
    t2 = t * t
    low = (row[k, 0] + row[k, 1] * t) + t2 * (row[k, 2] + row[k, 3] * t)
    value: float = low + t2 * t2 * ((row[k, 4] + row[k, 5] * t) + t2 * (row[k, 6] + row[k, 7] * t))
    return value


# ---------------------------------------------------------------------------- final states


@kernel_part
def _store(
    out: FloatArray,
    n: int,
    slot: int,
    mass: float,
    factor: float,
    x: float,
    y: float,
    z: float,
    gx: float,
    gy: float,
    gz: float,
) -> None:
    """Boost to the laboratory; the energy follows from the momentum: mass shell to rounding.

    `factor` is e + (p.g) / (1 + gamma), see `siren_py.kinematics.boost_kernel`.
    """
    x, y, z = x + factor * gx, y + factor * gy, z + factor * gz
    out[n, slot, 0] = sqrt(mass * mass + x * x + y * y + z * z)
    out[n, slot, 1] = x
    out[n, slot, 2] = y
    out[n, slot, 3] = z


@kernel_part
def _axes(
    sx: float, sy: float, sz: float
) -> tuple[
    float,
    tuple[float, float, float],
    tuple[float, float, float],
    tuple[float, float, float],
]:
    """Degree of polarisation, and right-handed axes (a, b, spin); the z axis if unpolarised."""
    degree = sqrt(sx * sx + sy * sy + sz * sz)
    scale = 1.0 / degree if degree > 0.0 else 0.0
    s = (sx * scale, sy * scale, sz * scale if degree > 0.0 else 1.0)
    a, b = basis_kernel(s[0], s[1], s[2])
    return min(degree, 1.0), a, b, s


@kernel
def draw_neutrinos(
    momentum: FloatArray,
    polarization: FloatArray,
    pdg: IntArray,
    kind: FloatArray,
    flavour: FloatArray,
    flavours: Flavours,
    factors: tuple[float, float, float],
    out_pdg: IntArray,
    spin: FloatArray,
) -> int:
    """Draw the neutrinos of decays, and give the polarisations the sign that they need.

    Parameters
    ----------
    momentum, polarization, pdg
        Decaying particles, (n, 4), (n, 3) and (n,).
    kind
        Uniform numbers that decide between neutrino and antineutrino, (n,); none, (0,), if that
        is as it was with the decaying particle.
    flavour
        Uniform numbers that decide the flavour, (n,).
    flavours
        Codes and chances of the flavours.
    factors
        What polarisations are multiplied by: a number, and what is added to it for a neutrino
        and for a particle, and subtracted for an antineutrino and for an antiparticle.
    out_pdg
        Receives the codes of the neutrinos in its first column, (n, k).
    spin
        Receives the polarisations, (n, 3).

    Returns
    -------
    int
        0; 1 if a momentum or polarisation is not finite, otherwise 2 if a polarisation is longer
        than 1.
    """
    total = longest = 0.0
    for n in range(len(momentum)):
        particle = 1 if pdg[n] >= 0 else -1
        sign = particle
        if len(kind) > 0:
            sign = 1 if kind[n] < 0.5 else -1
        u = flavour[n]
        which = (1 if u >= flavours.chance[0] else 0) + (1 if u >= flavours.chance[1] else 0)
        out_pdg[n, 0] = sign * flavours.code[which]
        factor = factors[0] + sign * factors[1] + particle * factors[2]
        length2 = 0.0
        for k in range(3):
            length2 += polarization[n, k] * polarization[n, k]
            spin[n, k] = polarization[n, k] * factor
        longest = max(longest, length2)
        # Not finite where one of them is not.
        total += 0.0 * (length2 + momentum[n, 0] + momentum[n, 1] + momentum[n, 2] + momentum[n, 3])
    if total != 0.0:
        return 1
    return 2 if longest > 1.0 + 1e-9 else 0


@kernel
def sample_photons(
    momentum: FloatArray, spin: FloatArray, uniform: FloatArray, mass: float, out: FloatArray
) -> None:
    """Fill `out` (n, 2, 4) with (nu, gamma); the photon follows 1 - spin.k."""
    half = 0.5 * mass
    for n in range(len(momentum)):
        degree, a, b, s = _axes(spin[n, 0], spin[n, 1], spin[n, 2])
        c = linear_cosine_kernel(degree, uniform[n, 0])
        sine = sqrt((1.0 - c) * (1.0 + c))
        cp, sp = turn_kernel(uniform[n, 1])
        ca, cb = sine * cp, sine * sp
        x = half * (ca * a[0] + cb * b[0] + c * s[0])
        y = half * (ca * a[1] + cb * b[1] + c * s[1])
        z = half * (ca * a[2] + cb * b[2] + c * s[2])
        gx, gy, gz = momentum[n, 1] / mass, momentum[n, 2] / mass, momentum[n, 3] / mass
        along = (x * gx + y * gy + z * gz) / (1.0 + sqrt(1.0 + gx * gx + gy * gy + gz * gz))
        _store(out, n, 0, 0.0, half - along, -x, -y, -z, gx, gy, gz)
        _store(out, n, 1, 0.0, half + along, x, y, z, gx, gy, gz)


@kernel
def sample_pairs(
    momentum: FloatArray,
    spin: FloatArray,
    uniform: FloatArray,
    mass: float,
    lepton_mass: float,
    table: PairTable,
    out: FloatArray,
    x_out: FloatArray,
    room: FloatArray,
) -> None:
    """Fill `out` (n, 3, 4) with (nu, l+, l-) from (n, 6) uniform numbers, `x_out` with q^2/m^2.

    `room` (5, `BLOCK`) is written over.

    The density of `siren_py.processes.dipole_decay.pair_density` is unfolded variable by
    variable: x from its integral over the angles; then cos(theta) from 1 - A cos(theta),
    A = S (2 - x)/(2 + x); then cos(theta*) from the density integrated over phi*, which is even
    and quadratic; then phi*, whose density is 1 + k cos(phi*): that of an even angle which stays
    with the chance half of this, and is turned by half a turn otherwise.
    """
    ratio = 2.0 * lepton_mass / mass
    ratio2 = ratio * ratio
    top = acosh(1.0 / ratio)
    drawn, cosine, cosine_star, turn_cos, turn_sin = room[0], room[1], room[2], room[3], room[4]
    for first in range(0, len(momentum), BLOCK):
        count = min(BLOCK, len(momentum) - first)
        for i in range(count):
            drawn[i] = _draw_mass(uniform[first + i, 0], ratio2, top, table)
        for i in range(count):
            n = first + i
            e = drawn[i]
            flat_part = 4.0 * e / ((1.0 + e) * (1.0 + e))
            x = min(ratio2 / flat_part, 1.0)
            x_out[n] = x
            beta2 = 1.0 - flat_part
            degree = min(sqrt(spin[n, 0] ** 2 + spin[n, 1] ** 2 + spin[n, 2] ** 2), 1.0)
            c = linear_cosine_kernel(degree * (2.0 - x) / (2.0 + x), uniform[n, 1])
            sine = sqrt((1.0 - c) * (1.0 + c))
            transverse = 1.0 - degree * c
            longitudinal = x * (1.0 + degree * c)
            flat = transverse * (2.0 - beta2) + longitudinal
            bend = beta2 * (transverse - longitudinal)
            c_star = even_cosine_kernel(flat, bend, uniform[n, 2])
            s_star = sqrt((1.0 - c_star) * (1.0 + c_star))
            tilt = 2.0 * degree * sqrt(x) * beta2 * sine * s_star * c_star
            level = flat + bend * c_star * c_star
            k = min(max(tilt / level, -1.0), 1.0) if level > 0.0 else 0.0
            cos_star, sin_star = turn_kernel(uniform[n, 3])
            sign = -1.0 if 2.0 * uniform[n, 5] > 1.0 + k * cos_star else 1.0
            cosine[i], cosine_star[i] = c, c_star
            turn_cos[i], turn_sin[i] = sign * cos_star, sign * sin_star
        for i in range(count):
            n = first + i
            x, c, c_star = x_out[n], cosine[i], cosine_star[i]
            sine = sqrt((1.0 - c) * (1.0 + c))
            # Axes: q along the pair, t the direction in which theta grows, w = q x t.
            _, a, b, s = _axes(spin[n, 0], spin[n, 1], spin[n, 2])
            cp, sp = turn_kernel(uniform[n, 4])
            rx, ry, rz = cp * a[0] + sp * b[0], cp * a[1] + sp * b[1], cp * a[2] + sp * b[2]
            qx, qy, qz = sine * rx + c * s[0], sine * ry + c * s[1], sine * rz + c * s[2]
            tx, ty, tz = c * rx - sine * s[0], c * ry - sine * s[1], c * rz - sine * s[2]
            wx, wy, wz = cp * b[0] - sp * a[0], cp * b[1] - sp * a[1], cp * b[2] - sp * a[2]

            # The l- in the frame of the pair, then boosted along q to the rest frame of N.
            root_x = sqrt(x)
            e_star = 0.5 * mass * root_x
            p_star = e_star * ((1.0 - drawn[i]) / (1.0 + drawn[i]))
            boost = 0.5 * (1.0 - x) / root_x
            gamma = 0.5 * (1.0 + x) / root_x
            across = p_star * sqrt((1.0 - c_star) * (1.0 + c_star))
            ta, wa = across * turn_cos[i], across * turn_sin[i]
            along, shift = gamma * p_star * c_star, boost * e_star
            e_mean, e_difference = gamma * e_star, boost * p_star * c_star
            gx, gy, gz = momentum[n, 1] / mass, momentum[n, 2] / mass, momentum[n, 3] / mass
            scale = 1.0 / (1.0 + sqrt(1.0 + gx * gx + gy * gy + gz * gz))
            q_g = (qx * gx + qy * gy + qz * gz) * scale
            t_g = (tx * gx + ty * gy + tz * gz) * scale
            w_g = (wx * gx + wy * gy + wz * gz) * scale
            q_nu = 0.5 * mass * (1.0 - x)
            factor = q_nu * (1.0 - q_g)
            _store(out, n, 0, 0.0, factor, -q_nu * qx, -q_nu * qy, -q_nu * qz, gx, gy, gz)
            for slot in range(1, 3):
                sign = -1.0 if slot == 1 else 1.0
                f, g, h = shift + sign * along, sign * ta, sign * wa
                _store(
                    out,
                    n,
                    slot,
                    lepton_mass,
                    e_mean + sign * e_difference + f * q_g + g * t_g + h * w_g,
                    f * qx + g * tx + h * wx,
                    f * qy + g * ty + h * wy,
                    f * qz + g * tz + h * wz,
                    gx,
                    gy,
                    gz,
                )
