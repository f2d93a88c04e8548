"""Numba kernels that draw Q2 and build the final states of dipole upscattering.

In ln Q2 the cross section is, with W = (G_E^2 + tau G_M^2)/(1 + tau) and
V = G_E^2 + (m^2 / 2M^2) G_M^2,

d sigma / d ln Q2 = (alpha d^2 / E^2)
    {W [4 E^2 - 2 m^2 (1 + E/M) - (1 + 2E/M) Q2 - m^4 / Q2] + V (Q2 + m^2)}.

The energy enters through three coefficients only. With W and V replaced by their means over bins
in ln Q2, the integral between any two points is known in closed form, at every energy, from one
table per target: there is no grid in energy and nothing to interpolate.
"""

from __future__ import annotations

from math import exp, expm1, log, sqrt
from typing import Any, NamedTuple

import numpy as np

from siren_py._numba import kernel, kernel_part
from siren_py._typing import FloatArray, IntArray, SlotArray
from siren_py.kinematics import outgoing_kernel, turn_kernel
from siren_py.processes.dipole_kernels import (
    UNIT_CROSS_SECTION,
    Species,
    differential_kernel,
    polarization_kernel,
    range_kernel,
    shape_kernel,
    structure_kernel,
)
from siren_py.processes.nucleon import PROTON_KELLY

# Columns of a table row, one row per edge: 64 bytes, a cache line.
_EDGE, _W, _V, _TAIL = 0, 1, 2, 4
COLUMNS = 8

# Numbers of bins have no sign: kernels need not look whether they count from the end.
_unsigned: Any = np.uint64
_NONE: int = _unsigned(0)
_ONE: int = _unsigned(1)

BLOCK = 256
"""Events that are taken from step to step together; what is kept between steps fits the cache.

The processor works at several events at once where a step is short."""


class Tables(NamedTuple):
    """Tables of r reactions with b equal bins in ln Q2 each."""

    first: FloatArray
    """(r,) lowest ln Q2."""
    step: FloatArray
    """(r,) width of a bin in ln Q2; 0 where nothing is allowed."""
    rows: FloatArray
    """(r, b + 1, 8): lower edge of the bin in Q2 [GeV2]; means of W and V in the bin; a blank;
    integrals over ln Q2 from the edge to the last one, of W, W Q2, W / Q2 and V (Q2 + m^2).
    They are summed from above, so that the tails of form factors keep their digits."""


@kernel
def _three_points(n: int) -> tuple[float, float]:
    """Node on [0, 1] and weight of the three-point Gauss-Legendre rule."""
    if n == 1:
        return 0.5, 4.0 / 9.0
    return 0.5 + (n - 1.0) * 0.5 * sqrt(0.6), 5.0 / 18.0


@kernel
def fill_tables(mass: float, species: Species, tables: Tables) -> None:
    """Fill the rows from `first` and `step`."""
    bins = tables.rows.shape[1] - 1
    m2 = mass * mass
    for i in range(tables.rows.shape[0]):
        step = tables.step[i]
        four_m2 = 4.0 * species.mass[i] ** 2
        high = exp(tables.first[i] + bins * step)
        tables.rows[i, bins, :] = 0.0
        tables.rows[i, bins, _EDGE] = high
        for k in range(bins - 1, -1, -1):
            low = exp(tables.first[i] + k * step)
            w = v = 0.0
            for n in range(3):
                node, share = _three_points(n)
                q2 = low * exp(node * step)
                ge2, gm2 = structure_kernel(q2, species, i)
                tau = q2 / four_m2
                w += share * (ge2 + tau * gm2) / (1.0 + tau)
                v += share * (ge2 + 2.0 * m2 / four_m2 * gm2)
            row, above = tables.rows[i, k], tables.rows[i, k + 1]
            row[_EDGE] = low
            row[_W] = w
            row[_V] = v
            row[3] = 0.0
            row[_TAIL] = above[_TAIL] + w * step
            row[_TAIL + 1] = above[_TAIL + 1] + w * (high - low)
            row[_TAIL + 2] = above[_TAIL + 2] + w * (high - low) / (high * low)
            row[_TAIL + 3] = above[_TAIL + 3] + v * (high - low + m2 * step)
            high = low


@kernel_part
def _coefficients(energy: float, mass: float, target_mass: float) -> tuple[float, float, float]:
    """Coefficients of W, of -W Q2 and of -W / Q2."""
    m2 = mass * mass
    ratio = energy / target_mass
    return 4.0 * energy * energy - 2.0 * m2 * (1.0 + ratio), 1.0 + 2.0 * ratio, m2 * m2


@kernel_part
def _tail(rows: FloatArray, i: int, k: int, c: tuple[float, float, float]) -> float:
    """Integral from edge k to the end of the table."""
    flip = c[0] * rows[i, k, _TAIL] - c[1] * rows[i, k, _TAIL + 1]
    value: float = flip + (rows[i, k, _TAIL + 3] - c[2] * rows[i, k, _TAIL + 2])
    return value


@kernel_part
def _tail_at(flat: FloatArray, at: int, c: tuple[float, float, float]) -> float:
    """The same of the edge whose sums stand at `at` in the table without its shape."""
    flip = c[0] * flat[at] - c[1] * flat[at + _ONE]
    value: float = flip + (flat[at + _unsigned(3)] - c[2] * flat[at + _unsigned(2)])
    return value


@kernel_part
def _piece(
    low: float,
    high: float,
    span: float,
    rows: FloatArray,
    i: int,
    k: int,
    c: tuple[float, float, float],
    m2: float,
) -> float:
    """Integral over part of bin k, from Q2 = low to high, span = ln(high / low)."""
    difference = high - low
    # The first bracket is proportional to p_T^2: negative outside the kinematic range, where this
    # serves as the continuation that the tails contain.
    value = c[0] * span - c[1] * difference - c[2] * difference / (low * high)
    result: float = rows[i, k, _W] * value + rows[i, k, _V] * (difference + m2 * span)
    return result


@kernel_part
def _bin(q2: float, log_q2: float, i: int, tables: Tables) -> int:
    """Position of the bin that contains Q2."""
    rows = tables.rows
    last = _unsigned(rows.shape[1] - 2)
    guess = int((log_q2 - tables.first[i]) / tables.step[i])
    k: int = min(_unsigned(max(guess, 0)), last)
    if q2 < rows[i, k, _EDGE] and k > _NONE:
        return k - _ONE
    if q2 >= rows[i, k + _ONE, _EDGE] and k < last:
        return k + _ONE
    return k


@kernel_part
def _integral(
    low: float,
    top: float,
    width: float,
    i: int,
    tables: Tables,
    c: tuple[float, float, float],
    m2: float,
) -> tuple[int, int, float, float]:
    """First and last bin of [low, top], integral over it, and tail above `top`."""
    rows = tables.rows
    log_low = log(low)
    first = _bin(low, log_low, i, tables)
    last = _bin(top, log_low + width, i, tables)
    edge = rows[i, last + _ONE, _EDGE]
    span = tables.first[i] + np.int64(last + _ONE) * tables.step[i] - log_low - width
    rest = _tail(rows, i, last + _ONE, c) + _piece(top, edge, span, rows, i, last, c, m2)
    if first == last:
        return first, last, _piece(low, top, width, rows, i, first, c, m2), rest
    edge = rows[i, first + _ONE, _EDGE]
    span = tables.first[i] + np.int64(first + _ONE) * tables.step[i] - log_low
    total = _tail(rows, i, first + _ONE, c) - rest
    total += _piece(low, edge, span, rows, i, first, c, m2)
    return first, last, total, rest


@kernel_part
def _last_above(
    goal: float,
    first: int,
    last: int,
    row: int,
    flat: FloatArray,
    c: tuple[float, float, float],
) -> int:
    """Last bin from `first` to `last` whose `_tail_at` reaches the goal; `first` if none does.

    `row` is the number of the first bin of the reaction in the table without its shape.

    Three bins are looked at together and nothing is jumped over: neither could be foreseen.
    """
    two, three = _unsigned(2), _unsigned(3)
    start: int = ((row + first) << three) + _unsigned(_TAIL)
    at = start
    left = last - first + _ONE
    while left > three:
        step = left >> two
        jump = step << three  # a row has 8 columns
        above = _unsigned(_tail_at(flat, at + jump, c) >= goal)
        above += _unsigned(_tail_at(flat, at + two * jump, c) >= goal)
        above += _unsigned(_tail_at(flat, at + three * jump, c) >= goal)
        at += jump * above
        left -= three * step
    while left > _ONE:
        step = left >> _ONE
        jump = step << three
        at += jump * _unsigned(_tail_at(flat, at + jump, c) >= goal)
        left -= step
    found: int = first + ((at - start) >> three)
    return found


@kernel
def tabulated_total_all(
    reaction: IntArray,
    energy: FloatArray,
    mass: float,
    species: Species,
    tables: Tables,
    out: FloatArray,
) -> None:
    """Total cross sections [cm2] from the tables, at d = 1/GeV; 0 below threshold."""
    for n in range(len(energy)):
        i = reaction[n]
        out[n] = 0.0
        if species.factor[i] <= 0.0 or not energy[n] > species.threshold[i]:
            continue
        low, high, width = range_kernel(energy[n], mass, species.mass[i], species.q2_cut[i])
        if width > 0.0:
            c = _coefficients(energy[n], mass, species.mass[i])
            top = min(high, species.q2_cut[i])
            _, _, total, _ = _integral(low, top, width, i, tables, c, mass * mass)
            out[n] = UNIT_CROSS_SECTION * total / (energy[n] * energy[n])


@kernel
def density_all(
    q2: FloatArray,
    energy: FloatArray,
    reaction: IntArray,
    mass: float,
    species: Species,
    tables: Tables,
    out: FloatArray,
) -> None:
    """Density [1/GeV2] with which `sample_all` draws Q2, (n,); 0 outside its range."""
    m2 = mass * mass
    for n in range(len(q2)):
        i = reaction[n]
        out[n] = 0.0
        low, high, width = range_kernel(energy[n], mass, species.mass[i], species.q2_cut[i])
        top = min(high, species.q2_cut[i])
        if width <= 0.0 or species.factor[i] <= 0.0 or not (low <= q2[n] <= top):
            continue
        c = _coefficients(energy[n], mass, species.mass[i])
        _, _, total, _ = _integral(low, top, width, i, tables, c, m2)
        k = _bin(q2[n], log(q2[n]), i, tables)
        a, b = max(tables.rows[i, k, _EDGE], low), min(tables.rows[i, k + _ONE, _EDGE], top)
        span = log(b / a)
        out[n] = _piece(a, b, span, tables.rows, i, k, c, m2) / (total * span * q2[n])


@kernel
def sample_all(
    reaction: IntArray,
    energy: FloatArray,
    uniform: FloatArray,
    mass: float,
    scale: float,
    helicity: float,
    outgoing_pdg: int,
    species: Species,
    tables: Tables,
    pdg: IntArray,
    momenta: FloatArray,
    polarization: FloatArray,
    weight: FloatArray,
    q2_out: FloatArray,
    room: FloatArray,
    room_bins: SlotArray,
) -> int:
    """Draw final states from (n, 2) uniform numbers; `scale` is d^2 [1/GeV2].

    `room` (10, `BLOCK`) and `room_bins` (2, `BLOCK`) are written over. A bin is drawn in
    proportion to its integral, ln Q2 uniformly inside it. Returns the position of the first event
    without phase space, or -1.
    """
    m2 = mass * mass
    rows, flat = tables.rows, tables.rows.reshape(-1)
    bins = _unsigned(rows.shape[1])
    lows, highs, totals, rests, flips = room[0], room[1], room[2], room[3], room[4]
    falls, aboves, belows, electric, magnetic = room[5], room[6], room[7], room[8], room[9]
    firsts, lasts = room_bins[0], room_bins[1]
    for start in range(0, len(energy), BLOCK):
        count = min(BLOCK, len(energy) - start)
        for j in range(count):
            n = start + j
            i, e_in = _unsigned(reaction[n]), energy[n]
            low, high, width = range_kernel(e_in, mass, species.mass[i], species.q2_cut[i])
            if width <= 0.0 or species.factor[i] <= 0.0:
                return n
            c = _coefficients(e_in, mass, species.mass[i])
            top = min(high, species.q2_cut[i])
            lows[j], highs[j], flips[j], falls[j] = low, high, c[0], c[1]
            firsts[j], lasts[j], totals[j], rests[j] = _integral(low, top, width, i, tables, c, m2)
        for j in range(count):
            i, c = _unsigned(reaction[start + j]), (flips[j], falls[j], m2 * m2)
            goal = rests[j] + uniform[start + j, 0] * totals[j]
            firsts[j] = _last_above(goal, firsts[j], lasts[j], i * bins, flat, c)
        for j in range(count):
            n = start + j
            i, k, low, high = _unsigned(reaction[n]), firsts[j], lows[j], highs[j]
            c = (flips[j], falls[j], m2 * m2)
            goal = rests[j] + uniform[n, 0] * totals[j]
            top = min(high, species.q2_cut[i])
            a, b = max(rows[i, k, _EDGE], low), min(rows[i, k + _ONE, _EDGE], top)
            span = tables.step[i] if (a > low and b < top) else log(b / a)
            inside = _piece(a, b, span, rows, i, k, c, m2)
            beyond = rests[j] if k == lasts[j] else _tail(rows, i, k + _ONE, c)
            down = min(max((goal - beyond) / inside, 0.0), 1.0) * span
            q2 = b * exp(-down)
            aboves[j] = low * expm1(span - down) if a == low else q2 - low
            belows[j] = -high * expm1(-down) if b == high else high - q2
            weight[n] = scale * q2 * span * totals[j] / inside
            q2_out[n] = q2
        for j in range(count):
            electric[j], magnetic[j] = structure_kernel(
                q2_out[start + j], species, _unsigned(reaction[start + j])
            )
        for j in range(count):
            n = start + j
            i, e_in, q2 = _unsigned(reaction[n]), energy[n], q2_out[n]
            target_mass, above, below = species.mass[i], aboves[j], belows[j]
            ge2, gm2 = electric[j], magnetic[j]
            weight[n] *= differential_kernel(q2, above, below, e_in, mass, target_mass, ge2, gm2)

            _, p_t, p_z = outgoing_kernel(q2, above, below, e_in, mass, target_mass)
            # The energy follows from the momentum: mass shell exact to rounding.
            p2 = p_t * p_t + p_z * p_z
            e_out = sqrt(m2 + p2)
            cos_phi, sin_phi = turn_kernel(uniform[n, 1])
            pdg[n, 0] = outgoing_pdg
            pdg[n, 1] = species.pdg[i]
            momenta[n, 0, 0] = e_out
            momenta[n, 0, 1] = p_t * cos_phi
            momenta[n, 0, 2] = p_t * sin_phi
            momenta[n, 0, 3] = p_z
            momenta[n, 1, 0] = target_mass + q2 / (2.0 * target_mass)
            momenta[n, 1, 1] = -p_t * cos_phi
            momenta[n, 1, 2] = -p_t * sin_phi
            momenta[n, 1, 3] = q2 / (2.0 * target_mass) + (m2 + q2) / (2.0 * e_in)

            # The common factor of the form factors cancels in the polarisation; it may be 0.
            if species.code[i] < PROTON_KELLY:
                ge2, gm2 = shape_kernel(q2, species, i)
            s_theta, s_long = polarization_kernel(
                q2, e_in, mass, target_mass, e_out, p_t, p_z, ge2, gm2
            )
            p = sqrt(p2)
            sine, cosine = p_t / p, p_z / p
            across = helicity * (s_long * sine + s_theta * cosine)
            polarization[n, 0, 0] = across * cos_phi
            polarization[n, 0, 1] = across * sin_phi
            polarization[n, 0, 2] = helicity * (s_long * cosine - s_theta * sine)
            polarization[n, 1, 0] = 0.0
            polarization[n, 1, 1] = 0.0
            polarization[n, 1, 2] = 0.0
    return -1
