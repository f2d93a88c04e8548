"""Compare GDML as siren_py reads and writes it with GDML as Geant4 reads it.

Two questions, asked at random points in and around every volume: does siren_py find the density
that Geant4 finds in the same file; and does Geant4, given a detector that siren_py wrote, find the
density of the original? Geant4 runs in a process of its own, with the Python interpreter of the
environment it is installed in (datasets are not needed)::

    python3 -m venv geant4-env
    geant4-env/bin/pip install geant4-pybind==0.1.3 numpy
    python validation/compare_geant4.py geant4-env/bin/python [points] [file.gdml ...]

Without files, the file of all solids in tests/data/gdml and the detectors of siren_py are taken.
The table goes to compare_geant4.csv beside this file. Replicas are left out on Geant4's side, whose
Python binding cannot place them; the points in them are not counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from siren_py import DetectorModel, list_detectors, load_detector, load_gdml

WORKER = r"""
import json, os, sys
import numpy as np
import geant4_pybind as g

gdml, points, out = sys.argv[1:]
parser = g.G4GDMLParser()
parser.Read(gdml, False)
kept = []  # the binding must not delete what Geant4 owns

def read(physical):
    logical = physical.GetLogicalVolume()
    solid, material = logical.GetSolid(), logical.GetMaterial()
    kept.extend([physical, logical, solid, material])
    shift, turn = physical.GetObjectTranslation(), physical.GetObjectRotationValue()
    def entry(name):
        value = getattr(turn, name)
        return value() if callable(value) else value
    return {
        "name": physical.GetName(), "solid": solid,
        "density": material.GetDensity() / (g.g / g.cm3),
        "shift": np.array([shift.x, shift.y, shift.z]),
        "turn": np.array([[entry(a + b) for b in "xyz"] for a in "xyz"]),
        "replica": physical.IsReplicated(),
        "daughters": [read(logical.GetDaughter(i)) for i in range(logical.GetNoDaughters())],
    }

def locate(volume, x):
    for daughter in volume["daughters"]:
        if daughter["replica"]:
            return {"name": "replica", "density": None}
        local = daughter["turn"].T @ (x - daughter["shift"])
        if daughter["solid"].Inside(g.G4ThreeVector(*map(float, local))) != g.kOutside:
            return locate(daughter, local)
    return volume

world = read(parser.GetWorldVolume())
found = []
for x in np.load(points) * 10.0:
    outside = world["solid"].Inside(g.G4ThreeVector(*map(float, x))) == g.kOutside
    volume = {"name": "", "density": 0.0} if outside else locate(world, x)
    found.append([volume["name"], volume["density"]])
json.dump(found, open(out, "w"))
sys.stdout.flush()
os._exit(0)
"""

# Geant4 has no matter without density; this much stands for vacuum.
VACUUM = 1e-20


def geant4(interpreter: str, gdml: Path, points: np.ndarray) -> list[tuple[str, float | None]]:
    """Return name and density [g/cm3] of the volume that Geant4 finds at each point [cm]."""
    with tempfile.TemporaryDirectory() as folder:
        places, out = Path(folder, "points.npy"), Path(folder, "out.json")
        np.save(places, points)
        command = [interpreter, "-c", WORKER, str(gdml), str(places), str(out)]
        # The binding asks at import whether to fetch data; no.
        subprocess.run(command, input="n\n", text=True, check=True, capture_output=True)
        return [(name, density) for name, density in json.loads(out.read_text())]


def draw_points(detector: DetectorModel, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return points [cm] in the boxes around all volumes, equally many in each."""
    share = max(20, count // len(detector))
    boxes = [v.placement.box(*v.solid.bounds()) for v in detector]
    return np.concatenate([lo + (hi - lo) * rng.random((share, 3)) for lo, hi in boxes])


def compare(ours: np.ndarray, theirs: list[tuple[str, float | None]]) -> tuple[int, int]:
    """Return how many points were compared and at how many the densities differ."""
    counted = [(a, b) for a, (_, b) in zip(ours, theirs, strict=True) if b is not None]
    different = sum(abs(a - b) > 1e-9 * max(a, b) and max(a, b) > VACUUM for a, b in counted)
    return len(counted), different


def main(interpreter: str, count: int = 20_000, *files: str) -> None:
    rng = np.random.default_rng(7)
    here = Path(__file__).resolve().parent
    rows = ["file,question,points,points_that_differ"]
    paths = [Path(f) for f in files] or [
        here.parent / "tests" / "data" / "gdml" / "all_solids.gdml"
    ]
    detectors = {path.name: load_gdml(path) for path in paths}
    for path in paths:
        points = draw_points(detectors[path.name], count, rng)
        answer = geant4(interpreter, path, points)
        total, bad = compare(detectors[path.name].density(points), answer)
        rows.append(f"{path.name},read by siren_py,{total},{bad}")
    if not files:
        detectors |= {name: load_detector(name) for name in list_detectors()}
    for name, detector in detectors.items():
        points = draw_points(detector, count, rng)
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder, "written.gdml")
            try:
                detector.to_gdml(written)
            except OSError as error:
                rows.append(f"{name},not written: {str(error).split('.')[0]},0,0")
                continue
            total, bad = compare(detector.density(points), geant4(interpreter, written, points))
        rows.append(f"{name},written by siren_py,{total},{bad}")
    table = "\n".join(rows) + "\n"
    header = "# siren_py against Geant4 (geant4-pybind 0.1.3): densities at random points\n"
    Path(__file__).with_suffix(".csv").write_text(header + table)
    print(table)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], *(int(word) for word in sys.argv[2:3]), *sys.argv[3:])
