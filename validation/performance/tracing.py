"""How fast lines are traced: nd280, a detector of 10 000 volumes, SIREN, and meshes in Embree.

    python validation/performance/tracing.py [--lines 400000] [--siren PYTHON] [--write]

Each number is lines per second, the best of three runs: column depths and lists of segments, on
one thread and on all cores, for lines with so many segments each.

`--siren` takes the interpreter of an environment that holds SIREN 0.1.0 (see compare_siren.py).
Detectors that SIREN ships are then read by both from the same files, and the same column depths
between the same points are timed in the same run. The Python API of SIREN takes one ray per call,
so siren_py is also timed with one line per call. The points of SIREN are made beforehand; what
is left of the loop is timed with the cheapest method of SIREN's points in place of the depth.

The last table needs embreex (pip install "siren-py[fast]"): the same meshes, the same lines,
every hit wanted, traced by the kernel of siren_py and by trimesh with Embree; and the solids of
nd280 as one mesh, which is what a general mesh tracer would be given. `--write` keeps the table
in tracing.txt next to this file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
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
from siren_py.io.siren_format import SirenFormatWarning, load_siren_detector
from siren_py.materials import Material
from siren_py.parallel import default_workers

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
# One detector of many boxes, one of few, one of polygonal plates, and the Earth with its radial
# densities.
SIREN_DETECTORS = ("ND280-v1", "ND280UPGRD-v1", "MINERvA-v1", "IceCube-v1")

SIREN_FOLDER = "import siren, os; print(os.path.dirname(siren.__file__))"

SIREN_WORKER = r"""
import json, sys, time
import numpy as np
from siren.detector import DetectorModel, DetectorPosition
from siren.math import Vector3D

answer = {}
for name, job in json.load(open(sys.argv[1])).items():
    model = DetectorModel()
    model.LoadMaterialModel(job["materials"])
    model.LoadDetectorModel(job["densities"])
    points = np.load(job["points"])
    pairs = [tuple(DetectorPosition(Vector3D(*p)) for p in pair) for pair in points]
    depth_of = model.GetColumnDepthInCGS
    times, loops = [], []
    for _ in range(3):
        start = time.perf_counter()
        depths = [depth_of(p, q) for p, q in pairs]
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
        for p, q in pairs:
            p.get()
        loops.append(time.perf_counter() - start)
    answer[name] = {"seconds": min(times), "loop": min(loops), "depths": depths}
json.dump(answer, open(sys.argv[2], "w"))
"""


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
    some = min(n, 20_000)
    row = f"{name:<44}{len(segments.t_in) / 1000:>9.1f}"
    for workers in (1, None):
        seconds = best(lambda w=workers: detector.column_depth(origins, ends, w))
        row += f"{n / seconds:>14,.0f}"
    for workers in (1, default_workers()):
        seconds = best(lambda w=workers: detector.trace(origins[:some], ways[:some], workers=w))
        row += f"{some / seconds:>14,.0f}"
    return row


def siren_rows(interpreter: str, n: int) -> list[str]:
    """Return lines for SIREN and siren_py: the same depths between the same points."""
    root = subprocess.run(
        [interpreter, "-c", SIREN_FOLDER], check=True, capture_output=True, text=True
    )
    folder = Path(root.stdout.split()[-1]) / "resources" / "detectors"
    rows = [
        "",
        f"{'column depth between two points':<34}{'SIREN [/s]':>12}{'loop':>7}{'siren_py [/s]':>15}"
        f"{'ratio':>8}{'all cores':>14}{'ratio':>8}{'single calls':>14}{'ratio':>8}{'apart':>9}",
    ]
    with tempfile.TemporaryDirectory() as place:
        detectors, points, jobs = {}, {}, {}
        for name in SIREN_DETECTORS:
            files = folder / name.rpartition("-")[0] / name
            densities, materials = files / "densities.dat", files / "materials.dat"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SirenFormatWarning)
                detector = load_siren_detector(densities, materials, strict=False)
            boxes = [volume.placement.box(*volume.solid.bounds()) for volume in detector]
            lo, hi = np.array(boxes[-1])
            origins, ways = through(lo, hi, n, False)
            # In metres, as SIREN wants them: 40 m through a point of the innermost volume.
            middle = origins + 1e4 * ways
            points[name] = np.stack([middle - 2e3 * ways, middle + 2e3 * ways], axis=1) / 100.0
            detectors[name] = detector
            file = Path(place, f"{name}.npy")
            np.save(file, points[name])
            jobs[name] = {
                "densities": str(densities),
                "materials": str(materials),
                "points": str(file),
            }
        question, answer = Path(place, "jobs.json"), Path(place, "answer.json")
        question.write_text(json.dumps(jobs))
        subprocess.run([interpreter, "-c", SIREN_WORKER, str(question), str(answer)], check=True)
        answers = json.loads(answer.read_text())
    for name, detector in detectors.items():
        starts, ends = (100.0 * np.ascontiguousarray(points[name][:, k]) for k in (0, 1))
        depth = detector.column_depth(starts, ends)
        theirs = np.array(answers[name]["depths"])
        apart = float(np.max(np.abs(depth / theirs - 1.0)))
        many = [np.tile(p, (-(-100_000 // n), 1)) for p in (starts, ends)]
        one = best(lambda d=detector, m=many: d.column_depth(*m, 1)) / len(many[0]) * n
        all_ = best(lambda d=detector, m=many: d.column_depth(*m)) / len(many[0]) * n
        few = min(n, 1000)

        def singly(d=detector, a=starts, b=ends, few=few) -> None:
            for k in range(few):
                d.column_depth(a[k : k + 1], b[k : k + 1])

        single = best(singly) / few * n
        siren, loop = answers[name]["seconds"], answers[name]["loop"]
        rows.append(
            f"{f'{name} ({len(detector)} volumes)':<34}{n / siren:>12,.0f}{loop / siren:>7.1%}"
            f"{n / one:>15,.0f}{siren / one:>8.1f}{n / all_:>14,.0f}{siren / all_:>8.1f}"
            f"{n / single:>14,.0f}{siren / single:>8.2f}{apart:>9.0e}"
        )
    return rows


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
        own = best(lambda: detector.trace(origins, ways, workers=1))
        rows.append(
            f"{'  its solids as one mesh, trimesh + Embree':<44}{'':>9}{few / seconds:>14,.0f}"
            f"   (lists of siren_py, one thread, with layers: {seconds / own:.1f} times as fast)"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=400_000)
    parser.add_argument("--siren", metavar="PYTHON", help="interpreter that imports SIREN 0.1.0")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    n = arguments.lines
    out = [
        f"siren_py {sp.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{n} lines, best of three",
        "",
        f"{'lines through':<44}{'segments':>9}{'depth [/s]':>14}{'all cores':>14}"
        f"{'lists [/s]':>14}{'all cores':>14}",
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
    if arguments.siren:
        out += siren_rows(arguments.siren, 10_000)
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
