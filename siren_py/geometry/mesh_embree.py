"""Lines through triangle meshes with Intel Embree, by way of trimesh and embreex.

Embree works in single precision. So every line starts on the bounding sphere, every distance is
computed again in double precision from the plane of the triangle that was hit, and a line whose
entries and exits do not alternate is reported, for `Mesh` to trace it again with its own kernel.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.geometry import meshing

_MARGIN = 1.01


def is_available() -> bool:
    """Whether embreex is installed (pip install 'siren-py[fast]')."""
    return importlib.util.find_spec("embreex") is not None


class EmbreeLines:
    """A mesh in the form that Embree traces.

    Parameters
    ----------
    vertices, faces
        (n, 3) [cm] and (m, 3), closed and outward.
    """

    def __init__(self, vertices: FloatArray, faces: IntArray) -> None:
        from trimesh.ray.ray_pyembree import RayMeshIntersector

        self._centre = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
        corners = vertices - self._centre
        self._radius = _MARGIN * float(np.linalg.norm(corners, axis=1).max())
        self._corner = corners[faces[:, 0]]
        self._normal = np.cross(
            corners[faces[:, 1]] - self._corner, corners[faces[:, 2]] - self._corner
        )
        self._scene: Any = RayMeshIntersector(meshing.to_trimesh(corners, faces))

    def intervals(
        self, origins: FloatArray, directions: FloatArray
    ) -> tuple[IntArray, FloatArray, FloatArray, BoolArray]:
        """Trace lines (n, 3) with unit directions.

        Returns
        -------
        line, t_in, t_out
            Line, entry and exit of each interval, ascending in line and t.
        doubtful : (n,) bool
            Lines whose hits do not alternate; they have no intervals.
        """
        offset = origins - self._centre
        shift = np.einsum("ij,ij->i", offset, directions)
        nearest = offset - shift[:, None] * directions
        near = np.flatnonzero(np.einsum("ij,ij->i", nearest, nearest) < self._radius**2)
        begin = nearest[near] - self._radius * directions[near]
        triangle, ray = self._scene.intersects_id(begin, directions[near], multiple_hits=True)
        triangle, line = np.asarray(triangle, np.int64), near[np.asarray(ray, np.int64)]
        slope = np.einsum("ij,ij->i", self._normal[triangle], directions[line])
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.einsum(
                "ij,ij->i", self._normal[triangle], self._corner[triangle] - nearest[line]
            )
            t = t / slope
        order = np.lexsort((t, line))
        line, t, enters = line[order], t[order], slope[order] < 0.0
        counts = np.bincount(line, minlength=len(origins))
        first = np.concatenate([[0], np.cumsum(counts)])[:-1]
        odd_place = (np.arange(len(line)) - first[line]) % 2 == 1
        wrong = (enters == odd_place) | ~np.isfinite(t) | (np.abs(t) > self._radius)
        doubtful: BoolArray = counts % 2 == 1
        doubtful |= np.bincount(line, wrong, minlength=len(origins)) > 0.0
        good = ~doubtful[line]
        line, t = line[good], t[good] - shift[line[good]]
        return line[0::2], t[0::2], t[1::2], doubtful
