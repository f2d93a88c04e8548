"""Kernels that put events together: who flies where, and rows of particles and vertices.

Each passes once over the events; the same in NumPy would read and write everything ten times.
"""

from __future__ import annotations

from math import sqrt

from siren_py._numba import kernel
from siren_py._typing import BoolArray, FloatArray, IntArray


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
def rotate_rows(vectors: FloatArray, rotation: FloatArray, out: FloatArray) -> None:
    """Write R v for vectors (n, k, 3), or the spatial part of (n, k, 4); the energy is copied.

    `rotation` is (1, 3, 3), the same for all events, or (n, 3, 3).
    """
    first = vectors.shape[2] - 3
    for n in range(len(vectors)):
        m = n if len(rotation) > 1 else 0
        for k in range(vectors.shape[1]):
            x, y, z = vectors[n, k, first], vectors[n, k, first + 1], vectors[n, k, first + 2]
            if first > 0:
                out[n, k, 0] = vectors[n, k, 0]
            for i in range(3):
                out[n, k, first + i] = (
                    rotation[m, i, 0] * x + rotation[m, i, 1] * y + rotation[m, i, 2] * z
                )


@kernel
def count_up(counts: IntArray, event: IntArray, number: IntArray) -> None:
    """Give each event one row more; write the numbers of the new rows within their events."""
    for i in range(len(event)):
        number[i] = counts[event[i]]
        counts[event[i]] += 1


@kernel
def lay_particles(
    first: int,
    stop: int,
    offsets: IntArray,
    event: IntArray,
    number: IntArray,
    source: IntArray,
    pdg: IntArray,
    momenta: FloatArray,
    slot: int,
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
    """Write rows `first` to `stop` of a block of particles to the table; see `builder.Block`."""
    for i in range(first, stop):
        row = offsets[event[i]] + number[i]
        j = source[i]
        out_pdg[row] = pdg[j, slot]
        out_status[row] = status[i]
        out_vertex[row] = vertex[i]
        out_end[row] = end_vertex[i]
        energy[row] = momenta[j, slot, 0]
        px[row] = momenta[j, slot, 1]
        py[row] = momenta[j, slot, 2]
        pz[row] = momenta[j, slot, 3]


@kernel
def lay_vertices(
    offsets: IntArray,
    event: IntArray,
    number: IntArray,
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
        x[row] = position[i, 0]
        y[row] = position[i, 1]
        z[row] = position[i, 2]
        out_time[row] = time[i]
        out_process[row] = process
        out_volume[row] = volume[i]


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
