"""The primary reactions of one flux: every process on every nuclide of the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.driving import rows_of
from siren_py.processes.base import BoundInteraction, FinalState, Interaction


@dataclass(frozen=True)
class Reactions:
    """R reactions, numbered through over the processes that a primary has.

    Attributes
    ----------
    processes
        Bound interactions.
    process, local
        Process of each reaction, and its number within the process, shape (R,).
    nuclide
        Index of the target nuclide among those of the detector, shape (R,).
    part
        Index into `parts`, shape (R,).
    parts
        Names of the parts of cross sections ("coherent", "proton", ...).
    threshold
        Threshold energies [GeV], shape (R,).
    """

    processes: tuple[BoundInteraction, ...]
    process: IntArray
    local: IntArray
    nuclide: IntArray
    part: IntArray
    parts: tuple[str, ...]
    threshold: FloatArray

    def __len__(self) -> int:
        return int(self.process.size)

    @classmethod
    def bind(
        cls,
        interactions: Sequence[Interaction],
        nuclides: Sequence[str],
        energy_min: float,
        energy_max: float,
    ) -> Reactions:
        """List and bind the reactions of `interactions` on `nuclides` that lie below energy_max.

        Energies are in GeV; reactions whose threshold is not below `energy_max` are left out.
        """
        position = {name: i for i, name in enumerate(nuclides)}
        bound: list[BoundInteraction] = []
        rows: list[tuple[int, int, int, int]] = []
        parts: list[str] = []
        for interaction in interactions:
            reactions = [
                r
                for r in interaction.reactions(nuclides)
                if interaction.threshold(r.nuclide, r.part) < energy_max
            ]
            if not reactions:
                continue
            for local, reaction in enumerate(reactions):
                if reaction.part not in parts:
                    parts.append(reaction.part)
                rows.append(
                    (
                        len(bound),
                        local,
                        position[reaction.nuclide],
                        parts.index(reaction.part),
                    )
                )
            bound.append(interaction.bind(reactions, energy_min, energy_max))
        table = np.array(rows, dtype=np.int64).reshape(-1, 4)
        thresholds = (
            np.concatenate([np.asarray(b.thresholds, np.float64) for b in bound])
            if bound
            else np.zeros(0)
        )
        return cls(
            tuple(bound), table[:, 0], table[:, 1], table[:, 2], table[:, 3], tuple(parts),
            thresholds,
        )  # fmt: skip

    def total(self, reaction: IntArray, energy: FloatArray) -> FloatArray:
        """Total cross sections [cm2 per nucleus] for importance, shape (n,)."""
        result = np.zeros(reaction.size)
        for p, bound in enumerate(self.processes):
            mine = self.process[reaction] == p
            if mine.any():
                result[mine] = bound.total(self.local[reaction[mine]], energy[mine])
        return result

    def sample(
        self, reaction: IntArray, energy: FloatArray, rng: np.random.Generator
    ) -> list[tuple[IntArray, int, FinalState]]:
        """Draw final states; one entry per process: positions in the batch, process, states."""
        result = []
        for p, bound in enumerate(self.processes):
            mine = np.flatnonzero(self.process[reaction] == p)
            if mine.size:
                own = rows_of(rng, mine, bound)
                state = bound.sample(self.local[reaction[mine]], energy[mine], own)
                result.append((mine, p, state))
        return result
