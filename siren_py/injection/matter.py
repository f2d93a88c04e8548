"""Number densities of all nuclides in all materials of a detector, as one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import FloatArray

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel


@dataclass(frozen=True)
class Matter:
    """What a detector is made of, for kernels.

    Attributes
    ----------
    nuclides
        Names of the nuclides, T of them.
    materials
        Names of the materials, M of them, in the order of the detector's material indices.
    density
        Number densities [1/cm3], shape (T, M).
    densest
        Largest number density of each nuclide [1/cm3], shape (T,).
    """

    nuclides: tuple[str, ...]
    materials: tuple[str, ...]
    density: FloatArray
    densest: FloatArray

    @classmethod
    def of(cls, detector: DetectorModel) -> Matter:
        """Tabulate the materials of a detector."""
        materials = list(detector.materials)
        nuclides = sorted({n for m in materials for n in m.number_densities})
        row = {name: i for i, name in enumerate(nuclides)}
        density = np.zeros((len(nuclides), len(materials)))
        for j, material in enumerate(materials):
            for name, value in material.number_densities.items():
                density[row[name], j] = value
        densest = density.max(axis=1) if materials else np.zeros(len(nuclides))
        return cls(tuple(nuclides), tuple(m.name for m in materials), density, densest)
