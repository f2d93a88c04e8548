"""How fast lines are traced: nd280, a detector of 10 000 volumes, and meshes against Embree.

    python validation/performance/tracing.py [--lines 400000] [--write]

Each number is lines per second, the best of three runs: column depths on one thread and on two,
and lists of segments on one, for lines with so many segments each. The last table needs embreex
(pip install "siren-py[fast]"): the same meshes, the same lines, every hit wanted, traced by the
kernel of siren_py and by trimesh with Embree; and the boxes of nd280 as one mesh, which is what
a general mesh tracer would be given. `--write` keeps the table in tracing.txt next to this file.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import trimesh

import siren_py as sp
from siren_py.detector import DetectorModel
from siren_py.geometry import (
    Box,
    Cone,
    Cylinder,
    Difference,
    Ellipsoid,
    Mesh,
    Polycone,
    Polyhedra,
    Prism,
    Solid,
    Sphere,
    Torus,
    Trapezoid,
)
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
BOXES: list[Solid] = [Box(2, 2, 2)]
MIXED: list[Solid] = [
    Box(2, 2, 2),
    Cone(2, 1, 0.5),
    Trapezoid(1, 2, 2, 1, 2),
    Polycone([-1, 0, 0, 1], [1, 0.5, 1, 0.8]),
    Prism([(-1, -1), (1, -1), (1, 1), (0, 0)], 2.0),
    Ellipsoid(1, 0.8, 0.6),
    Difference(Box(2, 2, 2), Cylinder(0.5, 3)),
    Torus(0.7, 0.3),
    Polyhedra(6, [-1, 1], [1, 0.5], [0.3, 0.3]),
]


def best(work: Callable[[], object]) -> float:
    """Return the shortest of three times [s]."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def through(lo: np.ndarray, hi: np.ndarray, n: int, forward: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return n lines through random points of a box, along z within 0.02 rad or isotropic."""
    rng = np.random.default_rng(1)
    points = rng.uniform(lo, hi, (n, 3))
    ways = rng.normal(size=(n, 3))
    if forward:
        ways = 0.02 * ways + [0.0, 0.0, 1.0]
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    return points - 1e4 * ways, ways


def grid(solids: list[Solid], count: int) -> DetectorModel:
    """Return a cubic grid of solids, 3 cm apart."""
    detector = DetectorModel(f"grid of {count}")
    side = round(count ** (1 / 3)) + 1
    places = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3)[:count]
    for i, place in enumerate(places):
        detector.add(f"v{i}", solids[i % len(solids)], LEAD, at=3.0 * place)
    return detector


def detector_row(name: str, detector: DetectorModel, origins: np.ndarray, ways: np.ndarray) -> str:
    """Return a line of the table: lines per second for depths (two ways) and for segments."""
    n = len(origins)
    ends = origins + 2e4 * ways
    detector.arrays()
    segments = detector.trace(origins[:1000], ways[:1000])
    detector.column_depth(origins[:10], ends[:10])
    one = best(lambda: detector.column_depth(origins, ends))
    halves = [slice(0, n // 2), slice(n // 2, n)]

    def half(part: slice) -> np.ndarray:
        return detector.column_depth(origins[part], ends[part])

    with ThreadPoolExecutor(2) as pool:
        two = best(lambda: list(pool.map(half, halves)))
    some = min(n, 20_000)
    listed = best(lambda: detector.trace(origins[:some], ways[:some]))
    row = f"{name:<44}{len(segments.t_in) / 1000:>9.1f}{n / one:>14,.0f}{n / two:>14,.0f}"
    return row + f"{some / listed:>14,.0f}"


def mesh_row(name: str, mesh: Mesh, n: int) -> str:
    """Return a line of the table: kernel against trimesh with Embree, all hits."""
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    lo, hi = mesh.bounds()
    origins, ways = through(lo, hi, n, False)
    # Embree starts at the bounding sphere in both cases: it could not see from 100 m away.
    origins += ways * (1e4 - float(np.linalg.norm(hi - lo)))
    kernel = best(lambda: mesh.intervals(origins, ways))
    embree = RayMeshIntersector(mesh.mesh())
    reference = best(lambda: embree.intersects_id(origins, ways, multiple_hits=True))
    row = f"{name:<44}{len(mesh.faces):>9}{n / kernel:>14,.0f}{n / reference:>14,.0f}"
    return row + f"{reference / kernel:>8.2f}"


def nd280_rows(n: int) -> list[str]:
    """Return lines for nd280 itself and for its volumes as one mesh in Embree."""
    detector = sp.load_detector("nd280")
    lo, hi = detector.region("tpc").bounds()
    rows = []
    for part, (low, high) in (("all of it", detector.bounds()), ("the TPCs", (lo, hi))):
        for forward in (True, False):
            origins, ways = through(low, high, n, forward)
            label = "along the beam" if forward else "isotropic"
            rows.append(detector_row(f"nd280, {part}, {label}", detector, origins, ways))
    if importlib.util.find_spec("embreex"):
        from trimesh.ray.ray_pyembree import RayMeshIntersector

        parts = []
        for volume in detector:
            if hasattr(volume.solid, "mesh"):
                part = volume.solid.mesh(sections=32)
                part.vertices = volume.placement.to_detector(np.asarray(part.vertices))
                parts.append(part)
        whole = RayMeshIntersector(trimesh.util.concatenate(parts))
        few = n // 8
        origins, ways = through(lo, hi, few, True)
        start = origins + ways * 5e3
        seconds = best(lambda: whole.intersects_id(start, ways, multiple_hits=True))
        own = best(lambda: detector.trace(origins, ways))
        rows.append(
            f"{'  its solids as one mesh, trimesh + Embree':<44}{'':>9}{few / seconds:>14,.0f}"
            f"   (siren_py is {seconds / own:.0f} times faster, with layers)"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=400_000)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    n = arguments.lines
    out = [
        f"siren_py {sp.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{n} lines, best of three",
        "",
        f"{'lines through':<44}{'segments':>9}{'depth [/s]':>14}{'2 threads':>14}"
        f"{'lists [/s]':>14}",
        *nd280_rows(n),
    ]
    for name, solids in (("boxes", BOXES), ("nine kinds of solids", MIXED)):
        detector = grid(solids, 10_000)
        start = time.perf_counter()
        detector.arrays()
        seconds = time.perf_counter() - start
        origins, ways = through(*detector.bounds(), n // 4, False)
        label = f"10 000 volumes, {name} (built in {seconds:.1f} s)"
        out.append(detector_row(label, detector, origins, ways))
    if importlib.util.find_spec("embreex"):
        out += ["", f"{'mesh':<44}{'faces':>9}{'kernel [/s]':>14}{'Embree':>14}{'ratio':>8}"]
        for name, mesh in (
            ("box", Mesh.of(Box(1, 2, 3))),
            ("extruded polygon", Mesh.of(MIXED[4])),
            ("ball, 32 sides", Mesh.of(Sphere(1), 32)),
            ("torus, 64 sides", Mesh.of(Torus(3, 1), 64)),
            ("torus, 256 sides", Mesh.of(Torus(3, 1), 256)),
        ):
            out.append(mesh_row(name, mesh, n // 4))
    text = "\n".join(out)
    print(text)
    if arguments.write:
        Path(__file__).with_suffix(".txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
