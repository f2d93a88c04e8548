"""Compare the masses of GDML files as siren_py reads them with those of the tools that wrote them.

Two tools write a file each and say what their volumes weigh: pyg4ometry (a solid of every kind,
booleans, assemblies; the volume of its meshes of 200 slices, so that round solids are short by up
to 1e-3) and pygeomhpges (a germanium detector with a groove; its own closed form). They run in a
process of their own, with the Python interpreter of the environment they are installed in::

    python3 -m venv pyg4-env
    pyg4-env/bin/pip install pyg4ometry==1.4.6 legend-pygeom-hpges==0.11.0
    python validation/compare_pyg4ometry.py pyg4-env/bin/python

The table goes to compare_pyg4ometry.csv beside this file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from siren_py import load_gdml

WORKER = r"""
import json, math, sys
import pyg4ometry as pg
from pygeomhpges import make_hpge

folder = sys.argv[1]
pg.config.setGlobalMeshSliceAndStack(200)
g, S, turn = pg.geant4, pg.geant4.solid, 2 * math.pi
reg = g.Registry()
air = g.nist_material_2geant4Material("G4_AIR", reg)
lead = g.nist_material_2geant4Material("G4_Pb", reg)
scintillator = g.MaterialCompound("scintillator", 1.032, 2, reg)
scintillator.add_element_natoms(g.ElementSimple("carbon", "C", 6, 12.011, reg), 9)
scintillator.add_element_natoms(g.ElementSimple("hydrogen", "H", 1, 1.008, reg), 10)
brass = g.MaterialCompound("brass", 8.5, 2, reg)
brass.add_element_massfraction(g.ElementSimple("copper", "Cu", 29, 63.546, reg), 0.63)
brass.add_element_massfraction(g.ElementSimple("zinc", "Zn", 30, 65.38, reg), 0.37)
hole = pg.gdml.Constant("hole", "12.5", reg)
world = g.LogicalVolume(S.Box("world_s", 4000, 4000, 6000, reg), air, "world", reg)
reg.setWorld(world.name)
concave = [[-30, -30], [-30, 30], [30, 30], [30, -30], [10, -30], [10, 10], [-10, 10], [-10, -30]]
cube = S.Box("cube", 100, 100, 100, reg)
rod = S.Tubs("rod", 0, 30, 200, 0, turn, reg)
solids = {
    "box": (S.Box("box_s", 300, 200, 10, reg), lead),
    "tube": (S.Tubs("tube_s", hole, 50, 40, 0.3, 4.0, reg), brass),
    "cone": (S.Cons("cone_s", 5, 20, 10, 60, 80, 0, turn, reg), scintillator),
    "trd": (S.Trd("trd_s", 50, 80, 40, 70, 90, reg), scintillator),
    "sphere": (S.Sphere("sphere_s", 20, 60, 0.2, 3.0, 0.4, 1.5, reg), brass),
    "orb": (S.Orb("orb_s", 45, reg), lead),
    "torus": (S.Torus("torus_s", 5, 15, 60, 0, turn, reg), brass),
    "polycone": (S.Polycone("polycone_s", 0, turn, [-50, -10, 10, 60], [10, 10, 20, 5],
                            [40, 60, 30, 30], reg), scintillator),
    "outline": (S.GenericPolycone("outline_s", 0.2, 4.5, [0, 40, 40, 60, 60, 20, 20, 0],
                                  [0, 0, 10, 10, 50, 50, 70, 70], reg), lead),
    "groove": (S.GenericPolycone("groove_s", 0, turn, [0, 7, 7, 13, 13, 30, 36, 36, 30, 0],
                                 [0, 0, 3, 3, 0, 0, 10, 60, 66, 66], reg), lead),
    "polyhedra": (S.Polyhedra("polyhedra_s", 0, turn, 6, 3, [-40, 0, 50], [0, 0, 0],
                              [50, 60, 40], reg), scintillator),
    "xtru": (S.ExtrudedSolid("xtru_s", concave, [[-60, [0, 0], 1.0], [40, [5, 10], 0.6]], reg),
             lead),
    "eltube": (S.EllipticalTube("eltube_s", 40, 60, 80, reg), scintillator),
    "ellipsoid": (S.Ellipsoid("ellipsoid_s", 40, 50, 60, -30, 45, reg), scintillator),
    "trap": (S.Trap("trap_s", 120, 0.1, 0.2, 40, 30, 40, 0.05, 48, 36, 48, 0.05, reg), brass),
    "para": (S.Para("para_s", 60, 50, 70, 0.2, 0.1, 0.3, reg), brass),
    "tet": (S.Tet("tet_s", [0, 0, 60], [-50, -50, -30], [50, -50, -30], [0, 60, -30], reg), lead),
    "subtraction": (S.Subtraction("subtraction_s", cube, rod, [[0.1, 0.2, 0.3], [10, 5, 0]], reg),
                    lead),
    "union": (S.Union("union_s", cube, rod, [[0.4, -0.2, 0.3], [10, 5, 20]], reg), scintillator),
    "intersection": (S.Intersection("intersection_s", cube, rod, [[0.1, 0.5, -0.3], [20, 5, 0]],
                                    reg), brass),
}
masses = {}
for k, (name, (solid, material)) in enumerate(solids.items()):
    volume = g.LogicalVolume(solid, material, name + "_l", reg)
    at = [(k % 4 - 1.5) * 500, (k // 4 % 4 - 1.5) * 500, k // 16 * 800 - 500]
    g.PhysicalVolume([0.1 * k, 0.2, -0.3 * k], at, volume, name, world, reg)
    # Its triangles of a tetrahedron may look inwards: only the size counts.
    masses[name] = abs(solid.mesh().volume()) * 1e-3 * material.density
module = g.LogicalVolume(S.Box("module_s", 200, 200, 100, reg), air, "module", reg)
plate = g.LogicalVolume(S.Box("plate_s", 200, 200, 4, reg), lead, "plate", reg)
bar = g.LogicalVolume(S.Box("bar_s", 200, 200, 10, reg), scintillator, "bar", reg)
for k in range(4):
    g.PhysicalVolume([0, 0, 0], [0, 0, 25 * k - 40], plate, f"plate{k}", module, reg)
    g.PhysicalVolume([0, 0, 0], [0, 0, 25 * k - 32], bar, f"bar{k}", module, reg)
row = g.AssemblyVolume("row", reg)
for k in range(3):
    g.PhysicalVolume([0, 0, 0.2 * k], [0, 0, 120 * k], module, f"module{k}", row, reg)
g.PhysicalVolume([0, 0.3, 0], [-900, 1500, 1500], row, "row1", world, reg)
g.PhysicalVolume([0.5, 0, 0], [900, 1500, 1500], row, "row2", world, reg)
for k in range(4):
    masses[f"plate{k}"] = 6 * 200 * 200 * 4e-3 * lead.density
    masses[f"bar{k}"] = 6 * 200 * 200 * 10e-3 * 1.032
writer = pg.gdml.Writer()
writer.addDetector(reg)
writer.write(folder + "/pyg4ometry.gdml")

reg = g.Registry()
germanium = make_hpge({
    "name": "germanium", "type": "bege",
    "production": {"enrichment": {"val": 0.874, "unc": 0.003}},
    "geometry": {
        "height_in_mm": 30.0, "radius_in_mm": 37.0,
        "groove": {"depth_in_mm": 2.0, "radius_in_mm": {"inner": 7.5, "outer": 10.5}},
        "pp_contact": {"radius_in_mm": 7.5, "depth_in_mm": 0},
        "taper": {"top": {"angle_in_deg": 45.0, "height_in_mm": 5.0},
                  "bottom": {"angle_in_deg": 45.0, "height_in_mm": 2.0}},
    },
}, reg)
world = g.LogicalVolume(S.Box("world_s", 300, 300, 300, reg),
                        g.nist_material_2geant4Material("G4_AIR", reg), "world", reg)
g.PhysicalVolume([0, 0, 0], [0, 0, 0], germanium, "germanium", world, reg)
reg.setWorld("world")
writer = pg.gdml.Writer()
writer.addDetector(reg)
writer.write(folder + "/pygeomhpges.gdml")
with open(folder + "/masses.json", "w") as stream:
    mass = germanium.mass.m_as("g")
    json.dump({"pyg4ometry": masses, "pygeomhpges": {"germanium": mass}}, stream)
"""


def main() -> None:
    """Write files with the tools, read them, compare."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    lines = ["# tool, volume, mass of all of them that the tool says [g], siren_py [g], ratio - 1"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], "-c", WORKER, folder], check=True, capture_output=True)
        said = json.loads(Path(folder, "masses.json").read_text())
        for tool, masses in said.items():
            model = load_gdml(Path(folder, f"{tool}.gdml"))
            # Daughters displace nothing in these solids but in modules and the world.
            for name, mass in masses.items():
                found = [v for v in model if v.name.rpartition("/")[2].partition("#")[0] == name]
                ours = sum(v.solid.volume() * v.material.density for v in found)
                lines.append(f"{tool},{name},{mass:.6f},{ours:.6f},{ours / mass - 1.0:.2e}")
    text = "\n".join(lines) + "\n"
    Path(__file__).with_suffix(".csv").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
