"""Compare detectors read by siren_py with the same files read by SIREN itself.

For each detector that SIREN ships as densities.dat and materials.dat, lines are drawn through it;
along each line the crossings of visible faces (later objects displace earlier ones) and between two
points the column depth are computed by both. SIREN runs in a process of its own, with the Python
interpreter of the environment it is installed in::

    python3 -m venv siren-env
    siren-env/bin/pip install siren==0.1.0 "numpy<2" "pyarrow<20"
    python validation/compare_siren.py siren-env/bin/python [rays] [seed]

The table goes to compare_siren.csv beside this file. "Away from faces": a stretch of a line shorter
than 1e-6 m, or than 1e-6 of its distance from the origin of the line, is left out on both sides,
because there one face or the other decides by its last digit.

SIREN integrates densities that vary with the radius (the Earth) by a rule with a tolerance of 1e-6
per stretch, which is not always met. So the column depths of both are also compared with a third
number: adaptive quadrature, to 1e-12, of the densities in the file along the stretches that SIREN
itself finds. With constant densities all three agree to rounding.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from scipy.integrate import quad

from siren_py.io.siren_format import SirenFormatWarning, load_siren_detector

WORKER = r"""
import json, sys
import numpy as np
from siren.detector import DetectorModel, DetectorPosition, DetectorDirection
from siren.math import Vector3D

def place(p):
    return DetectorPosition(Vector3D(*p))

jobs, out = sys.argv[1:]
result = {}
for name, job in json.load(open(jobs)).items():
    model = DetectorModel()
    model.LoadMaterialModel(job["materials"])
    model.LoadDetectorModel(job["densities"])
    names = {s.level: s.name for s in model.Sectors}
    def crossings(p, d):
        found = model.GetIntersections(place(p), DetectorDirection(Vector3D(*d)))
        return [(i.distance, names[i.hierarchy], bool(i.entering)) for i in found.intersections]
    hits = [crossings(p, d) for p, d in zip(job["points"], job["directions"])]
    between, depths = [], []
    for p, q in zip(job["points"], job["ends"]):
        way = np.array(q) - np.array(p)
        between.append(crossings(p, way / np.linalg.norm(way)))
        depths.append(model.GetColumnDepthInCGS(place(p), place(q)))
    levels = [s.name for s in sorted(model.Sectors, key=lambda s: s.level)]
    result[name] = {"hits": hits, "between": between, "depths": depths, "levels": levels}
json.dump(result, open(out, "w"))
"""

SHORT = 1e-6


def detector_files(interpreter: str) -> dict[str, tuple[Path, Path]]:
    """Return densities.dat and materials.dat of the detectors that SIREN ships, by name."""
    code = "import siren, os; print(os.path.dirname(siren.__file__))"
    root = subprocess.run([interpreter, "-c", code], check=True, capture_output=True, text=True)
    folder = Path(root.stdout.split()[-1]) / "resources" / "detectors"
    return {
        path.parent.name: (path, path.with_name("materials.dat"))
        for path in sorted(folder.glob("*/*/densities.dat"))
    }


def visible(hits: list, levels: list[str]) -> list[tuple[float, float, str]]:
    """Return the stretches (from, to, name) that SIREN sees, from all crossings of all sectors."""
    rank = {name: k for k, name in enumerate(levels)}
    inside: set[str] = set()
    stretches: list[tuple[float, float, str]] = []
    before = -np.inf
    finite = sorted((h for h in hits if np.isfinite(h[0])), key=lambda h: h[0])
    for distance, name, entering in finite:
        seen = max((n for n in inside if n != "UNIVERSE"), key=rank.__getitem__, default="")
        if seen and distance > before:
            if stretches and stretches[-1][2] == seen and stretches[-1][1] == before:
                stretches[-1] = (stretches[-1][0], distance, seen)
            else:
                stretches.append((before, distance, seen))
        if entering:
            inside.add(name)
        else:
            inside.discard(name)
        before = distance
    return stretches


def without_slivers(stretches: list) -> list:
    """Drop what is too short to be away from faces, and join what it separated."""
    kept: list = []
    for t_in, t_out, name in stretches:
        if t_out - t_in < SHORT * max(1.0, abs(t_in), abs(t_out)):
            continue
        if kept and kept[-1][2] == name and t_in - kept[-1][1] < SHORT * max(1.0, abs(t_in)):
            kept[-1] = (kept[-1][0], t_out, name)
        else:
            kept.append((t_in, t_out, name))
    return kept


def detector_origin(path: Path) -> list[float]:
    """Return the origin of the detector frame [m], straight from the file."""
    for line in path.read_text().splitlines():
        words = line.partition("#")[0].split()
        if words and words[0] == "detector":
            return [float(w) for w in words[1:4]]
    return [0.0, 0.0, 0.0]


def lines(detector, rays: int, rng: np.random.Generator):
    """Return starts, directions and ends [m]: points in the boxes of volumes drawn at random."""
    boxes = [
        volume.placement.box(*volume.solid.bounds())
        for name, volume in detector.volumes.items()
        if ":" not in name
    ]
    lo, hi = (np.array(corner) for corner in zip(*boxes, strict=True))
    first, last = rng.integers(len(boxes), size=(2, rays))
    starts = lo[first] + rng.random((rays, 3)) * (hi - lo)[first]
    ends = lo[last] + rng.random((rays, 3)) * (hi - lo)[last]
    ways = ends - starts
    # Half of the directions are free of where the volumes are.
    isotropic = rng.standard_normal((rays, 3))
    ways[::2] = isotropic[::2]
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return starts / 100.0, ways, ends / 100.0


def densities_of(path: str) -> dict[str, tuple[list[float], list[float]]]:
    """Return centre [m] and coefficients of the density of each object, straight from the file."""
    found = {}
    for line in Path(path).read_text().splitlines():
        words = line.partition("#")[0].split()
        for kind in ("constant", "radial_polynomial"):
            if words and words[0] == "object" and kind in words:
                at = words.index(kind)
                rest = [float(w) for w in words[at + 1 :]]
                name = words[at - 2]
                found[name] = ([0.0] * 3, rest) if kind == "constant" else (rest[:3], rest[4:])
    return found


def integral(job: dict, hits: list, levels: list[str], k: int) -> float:
    """Return the column depth [g/cm2] by quadrature along the stretches that SIREN finds."""
    densities = densities_of(job["densities"])
    start, end = np.array(job["points"][k]), np.array(job["ends"][k])
    length = float(np.linalg.norm(end - start))
    way = (end - start) / length
    origin = np.array(job["origin"])
    total = 0.0
    for t_in, t_out, name in visible(hits, levels):
        a, b = max(t_in, 0.0), min(t_out, length)
        if a >= b:
            continue
        centre, powers = densities[name]
        if len(powers) == 1:
            total += powers[0] * (b - a)
            continue
        offset = start + origin - np.array(centre)
        nearest = -float(offset @ way)

        def rho(t: float, offset=offset, powers=powers) -> float:
            return float(np.polyval(powers[::-1], np.linalg.norm(offset + t * way)))

        inner = [nearest] if a < nearest < b else None
        total += quad(rho, a, b, epsabs=0.0, epsrel=1e-12, points=inner, limit=200)[0]
    return 100.0 * total


def compare(detector, job: dict, answer: dict) -> dict:
    """Return one row of the table."""
    starts, ways, ends = (np.array(job[k]) for k in ("points", "directions", "ends"))
    pieces = detector.trace(starts * 100.0, ways)
    ours = detector.column_depth(starts * 100.0, ends * 100.0)
    theirs = np.array(answer["depths"])
    # SIREN's universe has 1e-25 g/cm3; a line outside everything has no depth here.
    scale = np.maximum(np.abs(theirs), 1e-12)
    exact = np.array(
        [integral(job, hits, answer["levels"], k) for k, hits in enumerate(answer["between"])]
    )
    crossing, mismatches, crossings = 0.0, 0, 0
    for k in range(len(starts)):
        here = slice(pieces.offsets[k], pieces.offsets[k + 1])
        names = [pieces.volume_names[v] for v in pieces.volume[here]]
        mine: list = []
        for t_in, t_out, name in zip(
            pieces.t_in[here] / 100.0, pieces.t_out[here] / 100.0, names, strict=True
        ):
            if mine and mine[-1][2] == name and mine[-1][1] == t_in:
                mine[-1] = (mine[-1][0], t_out, name)
            else:
                mine.append((t_in, t_out, name))
        mine = without_slivers(mine)
        siren = without_slivers(visible(answer["hits"][k], answer["levels"]))
        if [m[2] for m in mine] != [s[2] for s in siren]:
            mismatches += 1
            continue
        for m, s in zip(mine, siren, strict=True):
            for a, b in zip(m[:2], s[:2], strict=True):
                crossings += 1
                crossing = max(crossing, abs(a - b) / max(abs(b), 1.0))
    return {
        "rays": len(starts),
        "crossings": crossings,
        "rays_with_other_volumes": mismatches,
        "largest_crossing_difference": crossing,
        "depth_siren_py_siren": float(np.max(np.abs(ours - theirs) / scale)),
        "depth_siren_py_quadrature": float(np.max(np.abs(ours - exact) / scale)),
        "depth_siren_quadrature": float(np.max(np.abs(theirs - exact) / scale)),
    }


def main(interpreter: str, rays: int = 500, seed: int = 2024) -> None:
    rng = np.random.default_rng(seed)
    detectors, jobs = {}, {}
    for name, (densities, materials) in detector_files(interpreter).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SirenFormatWarning)
            detectors[name] = load_siren_detector(densities, materials, strict=False)
        starts, ways, ends = lines(detectors[name], rays, rng)
        jobs[name] = {
            "densities": str(densities),
            "materials": str(materials),
            "points": starts.tolist(),
            "directions": ways.tolist(),
            "ends": ends.tolist(),
            "origin": detector_origin(densities),
        }
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "jobs.json"), Path(folder, "answer.json")
        question.write_text(json.dumps(jobs))
        subprocess.run([interpreter, "-c", WORKER, str(question), str(answer)], check=True)
        answers = json.loads(answer.read_text())
    rows = [
        {"detector": name, **compare(detectors[name], jobs[name], answers[name])} for name in jobs
    ]
    lines_ = [",".join(rows[0])]
    lines_ += [
        ",".join(f"{v:.2e}" if isinstance(v, float) else str(v) for v in row.values())
        for row in rows
    ]
    table = "\n".join(lines_) + "\n"
    header = f"# siren_py against SIREN 0.1.0; relative differences; seed {seed}\n"
    Path(__file__).with_suffix(".csv").write_text(header + table)
    print(table)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], *(int(word) for word in sys.argv[2:4]))
