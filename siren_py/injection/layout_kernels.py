"""Kernels that put events together: who flies where, and rows of particles and vertices.

Each passes once over the events; the same in NumPy would read and write everything ten times.
"""

from __future__ import annotations

from math import sqrt

from siren_py._numba import kernel
from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.tree import FINAL, INTERMEDIATE, Column


@kernel
def signal_flights(
    pdg: IntArray,
    momenta: FloatArray,
    codes: IntArray,
    masses: FloatArray,
    rest_lengths: FloatArray,
    slot: IntArray,
    found: BoolArray,
    direction: FloatArray,
    length: FloatArray,
) -> None:
    """Find the particle of each event whose decay counts, its direction and its decay length.

    Parameters
    ----------
    pdg, momenta
        Outgoing particles, (n, k) and (n, k, 4) [GeV].
    codes, masses, rest_lengths
        PDG codes of particles whose decay counts, their masses [GeV] and hbar c / width [cm].
    slot, found
        Receive the first slot with such a particle and whether there is one, (n,).
    direction
        Receives the unit direction, (n, 3); +z for a particle at rest.
    length
        Receives the decay length p/m hbar c/Gamma [cm], (n,).
    """
    for n in range(len(pdg)):
        slot[n] = 0
        found[n] = False
        length[n] = 0.0
        which = -1
        for k in range(pdg.shape[1]):
            for c in range(len(codes)):
                if pdg[n, k] == codes[c]:
                    which = c
                    break
            if which >= 0:
                slot[n] = k
                found[n] = True
                break
        px, py, pz = momenta[n, slot[n], 1], momenta[n, slot[n], 2], momenta[n, slot[n], 3]
        p = sqrt(px * px + py * py + pz * pz)
        if which >= 0:
            length[n] = p / masses[which] * rest_lengths[which]
        if p > 0.0:
            direction[n, 0] = px / p
            direction[n, 1] = py / p
            direction[n, 2] = pz / p
        else:
            direction[n, 0] = 0.0
            direction[n, 1] = 0.0
            direction[n, 2] = 1.0


@kernel
def turn_spins(spins: FloatArray, slot: IntArray, rotation: FloatArray, turned: FloatArray) -> None:
    """Write R s to `turned` (n, 3) for the polarisations (n, k, 3) of the particles in `slot`.

    `rotation` is (1, 3, 3), the same for all events, or (n, 3, 3).
    """
    for n in range(len(spins)):
        r = n if len(rotation) > 1 else 0
        x, y, z = spins[n, slot[n], 0], spins[n, slot[n], 1], spins[n, slot[n], 2]
        for i in range(3):
            turned[n, i] = rotation[r, i, 0] * x + rotation[r, i, 1] * y + rotation[r, i, 2] * z


@kernel
def turn_events(
    keep: IntArray,
    pdg: IntArray,
    momenta: FloatArray,
    slot: IntArray,
    rotation: FloatArray,
    vertex: FloatArray,
    decay: FloatArray,
    beam: FloatArray,
    light: float,
    out_pdg: IntArray,
    out: FloatArray,
    signal: FloatArray,
    time: FloatArray,
) -> None:
    """Collect and turn the particles of the attempts that became events.

    Parameters
    ----------
    keep
        Rows of these attempts, (m,).
    pdg, momenta
        Outgoing particles, (n, k) and (n, k, 4) [GeV].
    slot
        The particle whose decay counts, -1 if there is none, (n,).
    rotation
        (1, 3, 3), the same for all attempts, or (n, 3, 3).
    vertex, decay
        Where it is made and where it decays [cm], (n, 3).
    beam, light
        Unit direction of the beam, along which times are counted from the origin, and the speed
        of light [cm/ns].
    out_pdg, out
        Receive the particles, (m, k) and (m, k, 4).
    signal
        Receives the momentum of the particle whose decay counts, (m, 4).
    time
        Receives the times of vertex and decay [ns], (2, m).
    """
    for i in range(len(keep)):
        n = keep[i]
        r = n if len(rotation) > 1 else 0
        for k in range(momenta.shape[1]):
            x, y, z = momenta[n, k, 1], momenta[n, k, 2], momenta[n, k, 3]
            out_pdg[i, k] = pdg[n, k]
            out[i, k, 0] = momenta[n, k, 0]
            for j in range(3):
                turned = rotation[r, j, 0] * x + rotation[r, j, 1] * y + rotation[r, j, 2] * z
                out[i, k, 1 + j] = turned
        start = vertex[n, 0] * beam[0] + vertex[n, 1] * beam[1] + vertex[n, 2] * beam[2]
        start /= light
        time[0, i] = time[1, i] = start
        s = slot[n]
        if s < 0:
            continue
        p2 = way2 = 0.0
        signal[i, 0] = out[i, s, 0]
        for j in range(3):
            signal[i, 1 + j] = out[i, s, 1 + j]
            p2 += out[i, s, 1 + j] ** 2
            way2 += (decay[n, j] - vertex[n, j]) ** 2
        speed = sqrt(p2) / out[i, s, 0]
        time[1, i] = start + sqrt(way2) / ((speed if speed > 0.0 else 1.0) * light)


@kernel
def incoming_particles(
    keep: IntArray,
    energy: FloatArray,
    direction: FloatArray,
    code: int,
    mass: float,
    target: IntArray,
    part: IntArray,
    codes: IntArray,
    masses: FloatArray,
    pdg: IntArray,
    momenta: FloatArray,
) -> None:
    """Write beam particle and target of events to `pdg` (m, 2) and `momenta` (m, 2, 4) [GeV].

    Parameters
    ----------
    keep
        Rows of the events in the other arrays, (m,).
    energy, direction
        Energies [GeV], (n,), and unit directions, (n, 3) or, the same for all, (1, 3), of the
        beam particle.
    code, mass
        Its PDG code and mass [GeV].
    target, part
        Nuclide, -1 if there is none, and part of the cross section, (n,).
    codes, masses
        PDG codes and masses [GeV] of what is struck, by nuclide and part, (T, P).
    """
    for i in range(len(keep)):
        n = keep[i]
        e, d = energy[n], n if len(direction) > 1 else 0
        p = sqrt(max((e - mass) * (e + mass), 0.0))
        pdg[i, 0] = code
        momenta[i, 0, 0] = e
        for j in range(3):
            momenta[i, 0, 1 + j] = p * direction[d, j]
            momenta[i, 1, 1 + j] = 0.0
        pdg[i, 1] = 0
        momenta[i, 1, 0] = 0.0
        if target[n] >= 0:
            pdg[i, 1] = codes[target[n], part[n]]
            momenta[i, 1, 0] = masses[target[n], part[n]]


@kernel
def scatter(values: Column, keep: IntArray, rows: IntArray, column: Column) -> None:
    """Write values[keep] to the rows of a column."""
    for i in range(len(keep)):
        column[rows[i]] = values[keep[i]]


@kernel
def scatter_vectors(
    vectors: FloatArray,
    keep: IntArray,
    rows: IntArray,
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
) -> None:
    """Write vectors[keep] to the rows of three columns."""
    for i in range(len(keep)):
        x[rows[i]] = vectors[keep[i], 0]
        y[rows[i]] = vectors[keep[i], 1]
        z[rows[i]] = vectors[keep[i], 2]


@kernel
def count_up(counts: IntArray, event: IntArray, number: IntArray) -> None:
    """Give each event one row more; write the numbers of the new rows within their events."""
    for i in range(len(event)):
        number[i] = counts[event[i]]
        counts[event[i]] += 1


@kernel
def count_particles(counts: IntArray, event: IntArray, pdg: IntArray, number: IntArray) -> None:
    """Give each event a row for every code of `pdg` (m, k) but 0; write the first numbers."""
    for i in range(len(event)):
        number[i] = counts[event[i]]
        for k in range(pdg.shape[1]):
            if pdg[i, k] != 0:
                counts[event[i]] += 1


@kernel
def end_in_slots(end_vertex: IntArray, rows: IntArray, slot: IntArray, vertex: IntArray) -> None:
    """Let the particle in a slot of each of the rows of `end_vertex` (m, k) end at `vertex`."""
    for i in range(len(rows)):
        end_vertex[rows[i], slot[i]] = vertex[i]


@kernel
def lay_particles(
    first: int,
    stop: int,
    offsets: IntArray,
    event: IntArray,
    number: IntArray,
    pdg: IntArray,
    momenta: FloatArray,
    status: IntArray,
    vertex: IntArray,
    end_vertex: IntArray,
    out_pdg: IntArray,
    out_status: IntArray,
    out_vertex: IntArray,
    out_end: IntArray,
    energy: FloatArray,
    px: FloatArray,
    py: FloatArray,
    pz: FloatArray,
) -> None:
    """Write rows `first` to `stop` of a block of particles to the table; see `builder.Block`.

    `end_vertex` is empty if none of them ends.
    """
    ended = len(end_vertex) > 0
    for i in range(first, stop):
        row = offsets[event[i]] + number[i]
        for k in range(pdg.shape[1]):
            if pdg[i, k] == 0:
                continue
            end = end_vertex[i, k] if ended else -1
            out_pdg[row] = pdg[i, k]
            out_status[row] = INTERMEDIATE if end >= 0 and status[k] == FINAL else status[k]
            out_vertex[row] = vertex[i]
            out_end[row] = end
            energy[row] = momenta[i, k, 0]
            px[row] = momenta[i, k, 1]
            py[row] = momenta[i, k, 2]
            pz[row] = momenta[i, k, 3]
            row += 1


@kernel
def lay_vertices(
    offsets: IntArray,
    event: IntArray,
    number: IntArray,
    source: IntArray,
    position: FloatArray,
    time: FloatArray,
    process: int,
    volume: IntArray,
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    out_time: FloatArray,
    out_process: IntArray,
    out_volume: IntArray,
) -> None:
    """Write a block of vertices to the columns of the table."""
    for i in range(len(event)):
        row = offsets[event[i]] + number[i]
        n = source[i]
        x[row] = position[n, 0]
        y[row] = position[n, 1]
        z[row] = position[n, 2]
        out_time[row] = time[i]
        out_process[row] = process
        out_volume[row] = volume[n]


@kernel
def pick_cells(
    uniform: FloatArray, cumulative: FloatArray, guide: IntArray, picked: IntArray
) -> None:
    """Write the first entry of `cumulative` above each uniform number, the last if there is none.

    `guide` (g + 1,) has this entry for i/g: from there it is a step or two.
    """
    last = len(cumulative) - 1
    for i in range(len(uniform)):
        u = uniform[i]
        k = guide[int(u * (len(guide) - 1))]
        while k < last and cumulative[k] <= u:
            k += 1
        while k > 0 and cumulative[k - 1] > u:
            k -= 1
        picked[i] = k


@kernel
def look_up_cells(
    rows: IntArray,
    picked: IntArray,
    start: int,
    within: FloatArray,
    table: FloatArray,
    number: IntArray,
    energy: FloatArray,
    reaction: IntArray,
    flux_factor: FloatArray,
    reaction_factor: FloatArray,
) -> None:
    """Write energies, reactions and factors of the `rows` of what was picked.

    The row picked - start of `table` has lower bound and width of the cell and both factors,
    `number` its reaction; `within` is where in the cell the energy is, from 0 to 1.
    """
    for i in range(len(rows)):
        k = picked[rows[i]] - start
        energy[i] = table[k, 0] + within[rows[i]] * table[k, 1]
        reaction[i] = number[k]
        flux_factor[i] = table[k, 2]
        reaction_factor[i] = table[k, 3]
