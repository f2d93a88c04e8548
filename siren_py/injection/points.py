"""Points that fix lines, drawn so that each attempt keeps its own row of random numbers."""

from __future__ import annotations

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.driving import rows_of
from siren_py.injection.line_source import LENGTHS, LineSource


class PointSource(LineSource):
    """A `LineSource` whose points can come from a net; see `siren_py.driving`."""

    def sample(self, row: IntArray, rng: np.random.Generator) -> FloatArray:
        """Draw a point for each line, for the rows of `LENGTHS` given, (n,) -> (n, 3) [cm]."""
        n = row.size
        cumulative = np.cumsum(self._probability, axis=1)
        cumulative /= cumulative[:, -1:]
        # One search in a single ascending table instead of one per row.
        flat = (cumulative + np.arange(LENGTHS.size)[:, None]).ravel()
        picked = np.searchsorted(flat, row + rng.random(n), side="right")
        solid = np.minimum(picked - row * len(self._solids), len(self._solids) - 1)
        points = np.empty((n, 3))
        for i, placed in enumerate(self._solids):
            mine = np.flatnonzero(solid == i)
            if mine.size:
                own = rows_of(rng, mine, placed.solid)
                local = np.asarray(placed.solid.sample(mine.size, own), dtype=np.float64)
                points[mine] = placed.placement.to_detector(local.reshape(-1, 3))
        return points
