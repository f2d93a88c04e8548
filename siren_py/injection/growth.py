"""Growing the trees: outgoing particles that have a process are followed, by generation.

Behind the vertices that the placement fixed, particles are followed as in nature: the distance
to the next vertex is drawn from the exact sum of decay and interaction probability along the
line, 1/L + sum_t n_t sigma_t per length, the kind of vertex in proportion. Particles that leave
all matter without a vertex stay final. This adds no factor to the weight but the ratios that the
processes themselves report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray
from siren_py.constants import HBARC, SPEED_OF_LIGHT
from siren_py.errors import ConfigError
from siren_py.geometry.tracing import (
    External,
    GeometryArrays,
    Scratch,
    make_scratch,
    trace_line,
)
from siren_py.injection.builder import Block, TreeBuilder
from siren_py.injection.matter import Matter
from siren_py.injection.rays import rotations_to
from siren_py.injection.reactions import Reactions
from siren_py.injection.signal import Choice, ModelLike, draw_choice
from siren_py.processes.base import FinalState
from siren_py.tree import FINAL

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

MAX_GENERATIONS = 50
_ENERGY_RANGE = (1e-6, 1e6)


@dataclass
class _Entry:
    block: Block
    slot: int
    position: IntArray
    pdg: IntArray
    momentum: FloatArray
    point: FloatArray
    time: FloatArray
    rows: IntArray


@dataclass
class Frontier:
    """Outgoing particles that may have further vertices."""

    entries: list[_Entry] = field(default_factory=list)

    def add(
        self,
        block: Block,
        followed: list[tuple[int, IntArray]],
        points: FloatArray,
        source: IntArray,
        time: FloatArray,
    ) -> None:
        """Add particles of a block of m rows.

        Parameters
        ----------
        block
            The block.
        followed
            Slots, and rows of the block that have a particle there to be followed.
        points, source
            Production points [cm], (n, 3); row i of the block takes points[source[i]].
        time
            Production times [ns], (m,).
        """
        for slot, position in followed:
            entry = _Entry(
                block, slot, position, block.pdg[position, slot], block.momenta[position, slot],
                points[source[position]], time[position], block.event[position],
            )  # fmt: skip
            self.entries.append(entry)


@kernel
def find_followed(pdg: IntArray, codes: IntArray, skip: IntArray, found: IntArray) -> int:
    """Write the flat positions in `pdg` (m, k) that have one of the codes; return how many.

    What is in the slot skip[i] of row i is left out; `skip` is empty if nothing is.
    """
    count = 0
    for i in range(len(pdg)):
        for k in range(pdg.shape[1]):
            for code in codes:
                if pdg[i, k] == code and not (len(skip) > 0 and skip[i] == k):
                    found[count] = i * pdg.shape[1] + k
                    count += 1
    return count


@kernel
def next_vertex(
    geometry: GeometryArrays,
    external: External,
    scratch: Scratch,
    origins: FloatArray,
    directions: FloatArray,
    decay_rate: FloatArray,
    rate: FloatArray,
    goal: FloatArray,
    distance: FloatArray,
    material: IntArray,
    volume: IntArray,
) -> int:
    """Find where the integrated rate reaches `goal`; distance = inf if it never does.

    `decay_rate` (n,) is 1/L, `rate` (n, M) the interaction rate per material, both [1/cm].
    """
    for i in range(len(origins)):
        n = trace_line(
            geometry, external, i,
            origins[i, 0], origins[i, 1], origins[i, 2],
            directions[i, 0], directions[i, 1], directions[i, 2],
            0.0, np.inf, scratch,
        )  # fmt: skip
        if n < 0:
            return i
        left = goal[i]
        position = 0.0
        distance[i] = np.inf
        material[i] = -1
        volume[i] = -1
        for s in range(n):
            gap = (scratch.t_in[s] - position) * decay_rate[i]
            if gap >= left:
                break
            left -= gap
            position = scratch.t_in[s]
            here = decay_rate[i] + rate[i, scratch.material[s]]
            depth = (scratch.t_out[s] - position) * here
            if depth >= left:
                distance[i] = position + left / here
                material[i] = scratch.material[s]
                volume[i] = scratch.volume[s]
                left = -1.0
                break
            left -= depth
            position = scratch.t_out[s]
        if left >= 0.0 and decay_rate[i] > 0.0:
            distance[i] = position + left / decay_rate[i]
    return len(origins)


@dataclass(frozen=True)
class _Kind:
    """Processes of one particle that is followed."""

    mass: float
    rest_length: float
    choices: tuple[Choice, ...]
    reactions: Reactions | None


class Growth:
    """Follows particles behind the first vertices.

    Parameters
    ----------
    detector, model, matter
        Where and with which processes.
    """

    def __init__(self, detector: DetectorModel, model: ModelLike, matter: Matter) -> None:
        self._detector, self._matter = detector, matter
        self._kinds: dict[int, _Kind] = {}
        followed = {*model.particle_masses, *getattr(model, "followed", ())}
        for pdg in sorted(followed):
            decays = list(model.decays(pdg))
            interactions = list(model.interactions(pdg))
            if not decays and not interactions:
                continue
            width = sum(float(d.width()) for d in decays)
            choices = tuple(
                Choice(d, c, -1, float(d.width(c)) / width, 1.0)
                for d in decays
                for c in d.channels
                if d.width(c) > 0.0
            )
            reactions = (
                Reactions.bind(interactions, matter.nuclides, *_ENERGY_RANGE)
                if interactions
                else None
            )
            mass = float(model.particle_masses.get(pdg, 0.0))
            if decays and mass <= 0.0:
                raise ConfigError(
                    f"Particle {pdg} decays, but the model gives it no mass: add it to "
                    "`particle_masses`."
                )
            rest_length = HBARC / width if width > 0.0 else inf
            self._kinds[pdg] = _Kind(mass, rest_length, choices, reactions)

    @property
    def process_names(self) -> list[str]:
        """Names of the processes that may occur."""
        names = [c.decay.name for k in self._kinds.values() for c in k.choices]
        names += [
            b.interaction.name
            for k in self._kinds.values()
            if k.reactions is not None
            for b in k.reactions.processes
        ]
        return names

    def followed(self, pdg: IntArray, skip: IntArray | None = None) -> list[tuple[int, IntArray]]:
        """Return the slots, and the rows of them, that hold a particle with a process.

        Parameters
        ----------
        pdg
            PDG codes, (m, k).
        skip
            A slot of each row that is left out, (m,).
        """
        if not self._kinds:
            return []
        found = np.empty(pdg.size, dtype=np.int64)
        left_out = np.empty(0, dtype=np.int64) if skip is None else skip
        count = find_followed(pdg, np.array(list(self._kinds)), left_out, found)
        if not count:
            return []
        row, slot = np.divmod(found[:count], pdg.shape[1])
        return [(int(k), row[slot == k]) for k in np.unique(slot)]

    def run(
        self,
        builder: TreeBuilder,
        frontier: Frontier,
        processes: list[str],
        rng: np.random.Generator,
    ) -> list[tuple[IntArray, FloatArray]]:
        """Follow all particles of the frontier until none has a vertex left.

        Returns
        -------
        list of (rows, factors)
            Factors that multiply the weights of events.

        Raises
        ------
        ConfigError
            If a chain does not end within `MAX_GENERATIONS` generations.
        """
        factors: list[tuple[IntArray, FloatArray]] = []
        if not self._kinds:
            return factors
        for _ in range(MAX_GENERATIONS):
            following = Frontier()
            for entry in frontier.entries:
                for pdg in self._kinds:
                    if (entry.pdg == pdg).any():
                        self._follow(builder, entry, pdg, processes, rng, following, factors)
            if not following.entries:
                return factors
            frontier = following
        raise ConfigError(
            f"A chain of decays or interactions did not end within {MAX_GENERATIONS} generations: "
            "a process of the model produces its own parent."
        )

    def _follow(
        self,
        builder: TreeBuilder,
        entry: _Entry,
        pdg: int,
        processes: list[str],
        rng: np.random.Generator,
        following: Frontier,
        factors: list[tuple[IntArray, FloatArray]],
    ) -> None:
        kind = self._kinds[pdg]
        mine = np.flatnonzero(entry.pdg == pdg)
        momentum = entry.momentum[mine]
        p = np.sqrt(np.einsum("ij,ij->i", momentum[:, 1:], momentum[:, 1:]))
        moving = p > 0.0
        direction = np.where(
            moving[:, None], momentum[:, 1:] / np.where(moving, p, 1.0)[:, None], [0.0, 0.0, 1.0]
        )
        n = mine.size
        # A particle at rest decays where it is: its decay length is the smallest there is.
        length = np.maximum(p / kind.mass * kind.rest_length, 1e-30) if kind.choices else inf
        decay_rate = np.broadcast_to(1.0 / np.asarray(length), (n,)).copy()
        rate = np.zeros((n, len(self._matter.materials)))
        cross_sections = np.zeros((n, 0))
        if kind.reactions is not None:
            count = len(kind.reactions)
            cross_sections = kind.reactions.total(
                np.tile(np.arange(count), n), np.repeat(momentum[:, 0], count)
            ).reshape(n, count)
            rate = cross_sections @ self._matter.density[kind.reactions.nuclide]
        distance, material, volume = (
            np.empty(n),
            np.empty(n, dtype=np.int64),
            np.empty(n, dtype=np.int64),
        )
        origin = entry.point[mine]
        geometry = self._detector.arrays()
        external = self._detector.external_intervals(origin, direction)
        next_vertex(
            geometry,
            external,
            make_scratch(geometry, external),
            origin,
            direction,
            decay_rate,
            rate,
            -np.log1p(-rng.random(n)),
            distance,
            material,
            volume,
        )
        met = np.flatnonzero(np.isfinite(distance))
        if not met.size:
            return
        speed = np.where(moving, p / momentum[:, 0], 1.0)[met]
        point = origin[met] + distance[met, None] * direction[met]
        time = entry.time[mine[met]] + distance[met] / (speed * SPEED_OF_LIGHT)
        rows = entry.rows[mine[met]]
        here = np.where(material[met] >= 0, rate[met, material[met]], 0.0)
        decays = rng.random(met.size) * (decay_rate[met] + here) < decay_rate[met]

        def emit(which: IntArray, name: str, state: FinalState) -> None:
            """Hang the outgoing particles of one process on the tree."""
            vertex = builder.add_vertex(
                rows[which], point[which], time[which], processes.index(name), volume[met[which]]
            )
            entry.block.ends()[entry.position[mine[met[which]]], entry.slot] = vertex
            block = builder.add_particles(rows[which], state.pdg, state.momenta, FINAL, vertex)
            following.add(block, self.followed(block.pdg), point, which, time[which])

        decaying = np.flatnonzero(decays)
        picked = draw_choice(kind.choices, decaying.size, rng) if kind.choices else decaying[:0]
        for c, choice in enumerate(kind.choices):
            which = decaying[picked == c]
            if which.size:
                state = choice.decay.sample(
                    choice.channel,
                    momentum[met[which]],
                    np.zeros((which.size, 3)),
                    np.full(which.size, pdg, dtype=np.int64),
                    rng,
                )
                emit(which, choice.decay.name, state)
                factors.append((rows[which], np.asarray(state.weight)))
        interacting = np.flatnonzero(~decays)
        if kind.reactions is not None and interacting.size:
            chosen = met[interacting]
            shares = (
                cross_sections[chosen]
                * self._matter.density[kind.reactions.nuclide][:, material[chosen]].T
            )
            cumulative = np.cumsum(shares, axis=1)
            goal = rng.random(interacting.size)[:, None] * cumulative[:, -1:]
            reaction = np.minimum((cumulative <= goal).sum(axis=1), len(kind.reactions) - 1)
            energy = momentum[chosen, 0]
            for index, process, state in kind.reactions.sample(reaction, energy, rng):
                which = interacting[index]
                turned = _turn(state, direction[chosen[index]])
                emit(which, kind.reactions.processes[process].interaction.name, turned)
                total = kind.reactions.total(reaction[index], energy[index])
                factors.append((rows[which], np.asarray(state.weight) / total))


def _turn(state: FinalState, direction: FloatArray) -> FinalState:
    """Turn final states from the +z frame to each event's direction (n, 3)."""
    rotation = rotations_to(direction)
    momenta = np.array(state.momenta)
    momenta[..., 1:] = np.einsum("nij,nkj->nki", rotation, state.momenta[..., 1:])
    polarization = np.einsum("nij,nkj->nki", rotation, state.polarization)
    return state._replace(momenta=momenta, polarization=polarization)
