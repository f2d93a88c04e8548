"""Solids bounded by triangles: tessellations, CAD parts, files in STL, OBJ, GLB or PLY."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import ArrayLike, BoolArray, FloatArray, IntArray, PathLike, RNGLike
from siren_py.errors import GeometryError
from siren_py.geometry import kernels, mesh_embree, meshing
from siren_py.geometry.base import (
    Intervals,
    KernelForm,
    KernelSolid,
    Solid,
    normalised_lines,
    positive,
    rejection,
)
from siren_py.geometry.mesh_files import MAX_TRIANGLES, read_mesh
from siren_py.rng import as_generator

if TYPE_CHECKING:
    from trimesh import Trimesh

_ENGINES = ("kernel", "embree")
_LEAF_SIZE = 4
_PAD = 1e-9


class Mesh(KernelSolid):
    """A solid bounded by a closed surface of triangles.

    Parameters
    ----------
    source
        A `trimesh.Trimesh`, or the path of an STL, OBJ, GLB or PLY file.
    scale
        Length of its unit [cm]: 0.1 for a file in mm. (The unit of a GLB file is the metre.)
    name
        For error texts; the name of the file if empty.
    engine
        What `intervals` uses: "kernel", in double precision and watertight, or "embree" (needs
        embreex). The kernel is the default because it is faster: see validation/performance.
        In a detector and in booleans it is always the kernel.

    Attributes
    ----------
    vertices, faces
        (n, 3) [cm] and (m, 3), outward.
    volume_error
        Volume of the mesh over that of the solid it stands for, minus 1; None if unknown.

    Raises
    ------
    FormatError
        If the file cannot be read.
    GeometryError
        If the surface is not closed or has no volume.

    Examples
    --------
    >>> from siren_py.geometry import Mesh, Sphere
    >>> ball = Mesh.of(Sphere(10.0), sections=128)
    >>> 0.99 < ball.volume() / Sphere(10.0).volume() < 1.0
    True
    """

    def __init__(
        self,
        source: Trimesh | PathLike,
        scale: float = 1.0,
        name: str = "",
        engine: str = "kernel",
    ) -> None:
        if engine not in _ENGINES:
            raise GeometryError(f"Mesh: engine must be one of {_ENGINES}; it is {engine!r}.")
        if engine == "embree" and not mesh_embree.is_available():
            raise GeometryError(
                "Mesh: engine='embree' needs embreex: pip install 'siren-py[fast]', or take "
                "engine='kernel'."
            )
        self.engine = engine
        factor = positive(scale, "Mesh: scale")
        if isinstance(source, (str, Path)) or hasattr(source, "__fspath__"):
            self.name = name or Path(source).name
            surface = read_mesh(Path(source))
        else:
            self.name = name or "mesh"
            surface = source
        vertices, faces = _arrays(surface, self.name)
        self.vertices: FloatArray = vertices * factor
        self.faces: IntArray = _closed(vertices, faces, self.name)
        self.volume_error: float | None = None
        signed = _signed_volume(self.vertices, self.faces)
        if signed < 0.0:
            self.faces = np.ascontiguousarray(self.faces[:, ::-1])
        size = float(np.ptp(self.vertices, axis=0).max())
        if not abs(signed) > 1e-12 * size**3:
            raise GeometryError(
                f"Mesh {self.name!r}: its surface encloses no volume ({signed:.3g} cm3); its faces "
                "may be oriented at random. trimesh.repair.fix_normals orients them."
            )
        self._volume = abs(signed)

    @classmethod
    def of(cls, solid: Solid, sections: int = 64) -> Mesh:
        """Return the tessellation of a solid, with `volume_error` against its own volume.

        Parameters
        ----------
        solid
            The solid; one of siren_py.
        sections
            Segments of a full circle: more are finer.
        """
        from siren_py.geometry.booleans import mesh_of  # booleans use meshes of their parts

        mesh = cls(mesh_of(solid, sections), name=type(solid).__name__)
        mesh.volume_error = mesh.volume() / solid.volume() - 1.0
        return mesh

    def __repr__(self) -> str:
        return f"Mesh({self.name!r}, {len(self.faces)} triangles, {self._volume:.6g} cm3)"

    @cached_property
    def _form(self) -> KernelForm:
        corners = self.vertices[self.faces]
        nodes, order = _tree(corners)
        count = len(self.faces)
        return KernelForm(
            kernels.MESH,
            pieces=count // 2 + 1,
            number=len(nodes),
            data=np.concatenate([nodes.ravel(), corners[order].ravel()]),
            buffer=2 * count + 2,
        )

    def kernel_form(self) -> KernelForm:
        """Return kind and parameters for the kernels."""
        return self._form

    @cached_property
    def _embree(self) -> mesh_embree.EmbreeLines:
        return mesh_embree.EmbreeLines(self.vertices, self.faces)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in super().__getstate__().items() if key != "_embree"}

    def intervals(self, origins: ArrayLike, directions: ArrayLike) -> Intervals:
        """Return where the whole lines origins + t directions are inside; see `KernelSolid`.

        A line on which Embree, in single precision, finds entries and exits that do not
        alternate is traced again by the kernel.
        """
        if self.engine == "kernel":
            return super().intervals(origins, directions)
        starts, unit, norm = normalised_lines(origins, directions)
        line, t_in, t_out, doubtful = self._embree.intervals(starts, unit)
        again = np.flatnonzero(doubtful)
        if len(again):
            repaired = super().intervals(starts[again], unit[again])
            line = np.concatenate([line, np.repeat(again, np.diff(repaired.offsets))])
            t_in = np.concatenate([t_in, repaired.t_in])
            t_out = np.concatenate([t_out, repaired.t_out])
        kept = np.flatnonzero(t_out - t_in > kernels.SLIVER)
        order = kept[np.lexsort((t_in[kept], line[kept]))]
        line = line[order]
        counts = np.bincount(line, minlength=len(starts))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return Intervals(offsets, t_in[order] / norm[line], t_out[order] / norm[line])

    def volume(self) -> float:
        """Return the volume of the mesh [cm3]."""
        return self._volume

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners (lo, hi) [cm]."""
        corners = self.vertices[np.unique(self.faces)]
        return corners.min(axis=0), corners.max(axis=0)

    def sample(self, n: int, rng: RNGLike = None) -> FloatArray:
        """Return n points (n, 3), uniform inside [cm]."""
        lo, hi = self.bounds()

        def draw(m: int, source: np.random.Generator) -> tuple[FloatArray, BoolArray]:
            points = lo + source.random((m, 3)) * (hi - lo)
            return points, self.contains(points)

        return rejection(n, as_generator(rng), draw, f"Mesh {self.name!r}")

    def mesh(self, sections: int = 64) -> Trimesh:
        """Return its surface; `sections` is not used."""
        return meshing.to_trimesh(self.vertices, self.faces)


def _arrays(surface: Any, name: str) -> tuple[FloatArray, IntArray]:
    """Return vertices, each once, and triangles of a trimesh object."""
    try:
        vertices = np.array(surface.vertices, dtype=np.float64)
        faces = np.array(surface.faces, dtype=np.int64)
    except (AttributeError, TypeError, ValueError) as error:
        raise GeometryError(
            f"Mesh {name!r}: the source must be a trimesh.Trimesh or the path of a file; it is "
            f"{type(surface).__name__}."
        ) from error
    if len(faces) < 4 or faces.shape[1:] != (3,):
        raise GeometryError(
            f"Mesh {name!r}: it has {len(faces)} triangles; a solid has four or more."
        )
    if len(faces) > MAX_TRIANGLES:
        raise GeometryError(
            f"Mesh {name!r}: it has {len(faces)} triangles, more than {MAX_TRIANGLES}. Simplify it "
            "(trimesh: mesh.simplify_quadric_decimation) or cut it in parts."
        )
    if not np.all(np.isfinite(vertices)):
        raise GeometryError(f"Mesh {name!r}: some vertices are NaN or infinite.")
    unique, index = np.unique(vertices, axis=0, return_inverse=True)
    faces = index.ravel()[faces].astype(np.int64)
    x, y, z = faces.T
    return unique, faces[(x != y) & (y != z) & (z != x)]


def _closed(vertices: FloatArray, faces: IntArray, name: str) -> IntArray:
    """Return triangles whose edges are shared by opposite neighbours, or say what is open."""
    if len(faces) < 4:
        raise GeometryError(f"Mesh {name!r}: all its triangles are degenerate.")
    if _unmatched(faces, len(vertices)) == 0:
        return faces
    oriented = _oriented(vertices, faces)
    if oriented is not None:
        return oriented
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    different, counts = np.unique(edges, axis=0, return_counts=True)
    open_edges = different[counts % 2 == 1]
    where = ""
    if len(open_edges):
        where = f", e.g. at {vertices[open_edges[0]].mean(axis=0).round(6).tolist()} (file units)"
    raise GeometryError(
        f"Mesh {name!r}: its surface is not closed: {len(open_edges)} of {len(different)} edges "
        f"have no neighbour{where}. Export a solid, not a surface; trimesh.repair.fill_holes(mesh) "
        "closes small holes, mesh.convex_hull gives a closed envelope."
    )


def _oriented(vertices: FloatArray, faces: IntArray) -> IntArray | None:
    """Turn triangles of a closed surface so that neighbours agree and each body looks outward.

    None if an edge does not have exactly two neighbours, or they cannot agree.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    count = len(faces)
    directed = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    forward = directed[:, 0] < directed[:, 1]
    key = np.sort(directed, axis=1) @ np.array([len(vertices), 1])
    order = np.argsort(key, kind="stable")
    if len(order) % 2 or np.any(key[order[0::2]] != key[order[1::2]]):
        return None
    if np.any(key[order[0:-2:2]] == key[order[2::2]]):
        return None
    a, b = order[0::2] // 3, order[1::2] // 3
    disagree = forward[order[0::2]] == forward[order[1::2]]
    graph = coo_array((np.ones(len(a)), (a, b)), (count, count)).tocsr()
    bodies, body = connected_components(graph, directed=False)
    relation = dict(zip(zip(a.tolist(), b.tolist(), strict=True), disagree.tolist(), strict=True))
    turned = np.zeros(count, np.bool_)
    for number in range(bodies):
        start = int(np.argmax(body == number))
        sequence, parent = breadth_first_order(graph, start, directed=False)
        for face in sequence[1:].tolist():
            before = int(parent[face])
            pair = (before, face) if (before, face) in relation else (face, before)
            turned[face] = turned[before] ^ relation[pair]
        own = np.flatnonzero(body == number)
        surface = faces[own]
        surface[turned[own]] = surface[turned[own]][:, ::-1]
        if _signed_volume(vertices, surface) < 0.0:
            turned[own] = ~turned[own]
    result = faces.copy()
    result[turned] = result[turned][:, ::-1]
    return result if _unmatched(result, len(vertices)) == 0 else None


def _unmatched(faces: IntArray, vertices: int) -> int:
    """Return how many directed edges have no partner in the opposite direction."""
    a, b = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    forward, backward = np.sort(a * vertices + b), np.sort(b * vertices + a)
    return int((forward != backward).sum())


def _signed_volume(vertices: FloatArray, faces: IntArray) -> float:
    corners = vertices - 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    a, b, c = (corners[faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def _tree(corners: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return a tree of bounding boxes over triangles (m, 3, 3), depth first, and their order.

    Each level cuts every node in two halves of equal number across its longest side, so the tree
    is complete: where to go on when a box is missed follows from the level alone.
    """
    m = len(corners)
    lo, hi = corners.min(axis=1), corners.max(axis=1)
    middle = 0.5 * (lo + hi)
    levels = max(0, math.ceil(math.log2(m / _LEAF_SIZE)))
    order = np.arange(m)
    for level in range(levels):
        first = np.arange(2**level + 1) * m // 2**level
        node = np.repeat(np.arange(2**level), np.diff(first))
        low = np.minimum.reduceat(middle[order], first[:-1])
        high = np.maximum.reduceat(middle[order], first[:-1])
        longest = np.argmax(high - low, axis=1)
        order = order[np.lexsort((middle[order, longest[node]], node))]
    pad = _PAD * float(np.abs(corners).max())
    size = 2 ** (levels + 1) - 1
    nodes = np.empty((size, 9))
    for level in range(levels + 1):
        first = np.arange(2**level + 1) * m // 2**level
        # Position of node k of a level in depth-first order: one for each ancestor, and the
        # whole left subtree wherever the path turns right.
        below = levels - level
        k = np.arange(2**level)
        at = np.full(2**level, level)
        for bit in range(level):
            at += ((k >> bit) & 1) * (2 ** (below + bit + 1) - 1)
        nodes[at, 0:3] = np.minimum.reduceat(lo[order], first[:-1]) - pad
        nodes[at, 3:6] = np.maximum.reduceat(hi[order], first[:-1]) + pad
        nodes[at, 6] = at + 2 ** (below + 1) - 1
        nodes[at, 7] = first[:-1] if below == 0 else -1.0
        nodes[at, 8] = np.diff(first) if below == 0 else 0.0
    return nodes, order
