"""ND280 and its upgrade as SIREN's files ND280-v1 and ND280UPGRD-v1 describe them: boxes only.

For comparisons with SIREN and with arXiv:2412.15051, whose rates follow from these boxes. It is
not how ND280 is built: ``nd280.py`` and ``nd280_upgrade.py`` are. Each known fault can be mended by
itself with an argument of `build`, so that what it does to a limit can be seen alone.

Numbers: densities.dat and materials.dat of both detectors in SIREN 0.1.0 (M.-S. Liu), lengths in m.
The order of the volumes is that of the files, where as here the later one counts.

Kept, although not so in ND280: rock of 2.9 g/cm3 that begins 18.5 m from the magnet and goes back
to 7 m beyond the target, whose filling of the decay volume no argument but ``rock`` removes; walls
of aluminium across the beam at both ends of the coils; 39 instead of 40 P0Dules; TPCs of 2.5 x 2.5
x 1 m without cathode; an FGD2 of 0.75 t; no lead in any ECal; argon, CF4 and isobutane 95:3:2 by
mass instead of by volume. In the file of the upgrade two materials (box of the FGD, wall of the
high-angle TPCs, 0.3 t together) lack their number of components and load as nothing; here they are
there.
"""

from __future__ import annotations

from siren_py import DetectorModel, Material
from siren_py.errors import unknown_name
from siren_py.geometry import Box, Cylinder, LayerStack, Pattern
from siren_py.units import m

# What to cite, for `siren-py cite`: keys of siren_py's references.
CITATIONS = ("liu2024",)

Point = tuple[float, float, float]

VERSIONS = ("nd280", "upgrade")
CHOICES = {
    "gas": ("siren", "siren-v1", "published"),
    "ecal": ("plastic", "lead"),
    "rock": ("siren", "published"),
    "soil": ("siren", "published"),
}

# ----- materials ----------------------------------------------------------------------------------

ROCK = Material("rock", {"Si28": 0.4674349, "O16": 0.5325651}, 2.9)
# "Earth 2.15": official ND280 Monte Carlo, as in nd280.py.
SOIL_DENSITY = 2.15
AIR = Material("hall air", {"N14": 0.7562326, "O16": 0.2437674}, 0.001225)
IRON = Material("yoke", {"Fe54": 0.0582, "Fe56": 0.9166, "Fe57": 0.0219, "Fe58": 0.0033}, 5.54772)
ALUMINIUM = Material("coil", {"Al27": 1.0}, 1.7033)
WATER = Material("water", {"H1": 0.115, "O16": 0.885}, 1.0)
GAS = Material("gas", {"H1": 0.0034483, "C12": 0.0206426, "F19": 0.0259091, "Ar40": 0.95}, 1.855e-3)
# T2K's mixture, 95:3:2 by volume at 1.738e-3 g/cm3 (`siren_py.material_library.T2K_GAS`), of the
# nuclides above alone, so that a change of gas brings no new targets.
PUBLISHED_GAS = Material.from_formula(
    "Ar[40]0.95(C[12]F[19]4)0.03(C[12]4H[1]10)0.02", density=1.738e-3, name="published gas"
)
GAS_OF_UPGRADE = 1.855  # g/cm3 in ND280UPGRD-v1: a thousand times too dense
SCINTILLATOR_PARTS = {
    "C12": 0.8627360, "O16": 0.0368494, "H1": 0.0741594, "Ti46": 0.0013301, "Ti47": 0.0011994,
    "Ti48": 0.0118848, "Ti49": 0.0008722, "Ti50": 0.0008351, "Si28": 0.0093432,
    "Si29": 0.0004763, "Si30": 0.0003141,
}  # fmt: skip
SCINTILLATOR = Material("scintillator", SCINTILLATOR_PARTS, 1.05)
WATER_SCINTILLATOR = Material("FGD2", {"C12": 0.1532317, "O16": 0.74183, "H1": 0.1049383}, 1.0134)
FGD_BOX = Material(
    "FGD box", {"C12": 0.6428572, "H1": 0.0637755, "O16": 0.2040816, "Cl35": 0.0892857}, 0.06
)
TPC_SHELL = Material(
    "TPC shell", {"C12": 0.5647059, "H1": 0.0823529, "O16": 0.1882353, "N14": 0.1647059}, 0.685
)
HA_TPC_SHELL = Material(
    "HA-TPC shell",
    {"C12": 0.69263638, "H1": 0.04122835, "O16": 0.13193075, "N14": 0.11543933,
     "Cu63": 0.01294798, "Cu65": 0.00581721},
    0.164,
)  # fmt: skip
SUPERFGD_BOX = Material("SuperFGD box", {"C12": 0.6703297, "H1": 0.03663, "O16": 0.2930403}, 0.284)
SUPERFGD_CUBES = Material(
    "SuperFGD cubes",
    {"C12": 0.9235685, "H1": 0.07639, "O16": 1.51e-5, "N14": 2.64e-5},
    1.05,
)
TOF = Material("TOF bars", {"C12": 0.9152542, "H1": 0.0847458}, 1.023)
LEAD = Material("lead", {"Pb208": 0.7752809, "Fe56": 0.20224719, "Cr52": 0.02247191}, 10.6)
BRASS = Material("brass", {"Cu63": 0.85, "Zn64": 0.09596879, "Zn66": 0.05403121}, 8.73)

# Lead in the ECals, as share of their mass: 1.75 mm (barrel, downstream) and 4 mm (P0D) to each
# 10 mm of scintillator, of 11.35 and 1.05 g/cm3 (T2K ECal, JINST 8, P10019 (2013)).
LEAD_OF_BARREL = 1.75 * 11.35 / (1.75 * 11.35 + 10 * 1.05)
LEAD_OF_P0D_ECAL = 4 * 11.35 / (4 * 11.35 + 10 * 1.05)

# ----- P0D ----------------------------------------------------------------------------------------

# One stack instead of 103 boxes, whose centres in the file are rounded to 5 um.
P0D_SIZE = (2.212, 2.348)
P0D_END = -0.875
P0DULE, PLATE = (0.03875 * m, SCINTILLATOR), (0.0045 * m, LEAD)
P0D = (
    Pattern([P0DULE, PLATE]) * 7
    + Pattern([P0DULE, (0.00128 * m, BRASS), (0.028 * m, WATER)]) * 25
    + Pattern([P0DULE, PLATE]) * 7
)

# ----- rest ---------------------------------------------------------------------------------------

TPC_CENTRES_Z = (-0.375, 0.99, 2.355)
TPC_FIDUCIAL = (1.70, 1.96, 0.563)  # file and T2K, PRD 100, 052006
HA_TPC_CENTRES_Y = (0.74, -0.74)
HA_TPC_FIDUCIAL = (1.59, 0.27, 1.71)  # arXiv:2412.15051, suppl. table 1, with its labels swapped
HA_TPC_Z = -2.205

# Name: centre, size, density, whether it belongs to the P0D.
ECALS: dict[str, tuple[Point, Point, float, bool]] = {
    "ecal-downstream": ((0, 0, 3.25), (2.3, 2.3, 0.5), 2.457, False),
    "ecal-side-1": ((1.5, 0, 1.045), (0.462, 2.5, 4.14), 2.09, False),
    "ecal-side-2": ((-1.5, 0, 1.045), (0.462, 2.5, 4.14), 2.09, False),
    "ecal-top": ((0, 1.5, 1.045), (3.352, 0.462, 4.14), 2.5, False),
    "ecal-bottom": ((0, -1.5, 1.045), (3.352, 0.462, 4.14), 2.5, False),
    "p0d-ecal-top": ((0, 1.5, -2.205), (3.1, 0.155, 2.45), 2.5, True),
    "p0d-ecal-bottom": ((0, -1.5, -2.205), (3.1, 0.155, 2.45), 2.5, True),
    "p0d-ecal-side-1": ((1.5, 0, -2.205), (0.155, 2.898, 2.45), 2.5, True),
    "p0d-ecal-side-2": ((-1.5, 0, -2.205), (0.155, 2.898, 2.45), 2.5, True),
}
UPGRADE_ECALS: dict[str, tuple[Point, Point, float, bool]] = {
    "ecal-upstream": ((0, 0, -3.5), (2.04, 2.04, 0.5), 1.05, False),
    "ecal-downstream": ((0, 0, 3.25), (2.04, 2.04, 0.5), 1.05, False),
    "ecal-side-1": ((1.5, 0, 1.045), (0.5, 2.36, 3.84), 1.05, False),
    "ecal-side-2": ((-1.5, 0, 1.045), (0.5, 2.36, 3.84), 1.05, False),
    "ecal-top": ((0, 1.5, 1.045), (1.52, 0.5, 3.84), 1.05, False),
    "ecal-bottom": ((0, -1.5, 1.045), (1.52, 0.5, 3.84), 1.05, False),
}
TOFS: list[tuple[Point, Point]] = [
    ((0, 1.165, -2.205), (2.3, 0.01, 2.3)),
    ((0, -1.165, -2.205), (2.3, 0.01, 2.3)),
    ((1.195, 0, -2.205), (0.01, 2.3, 2.3)),
    ((-1.195, 0, -2.205), (0.01, 2.3, 2.3)),
    ((0, 0, -3.26), (2.3, 2.3, 0.01)),
    ((0, 0, -1.17), (2.3, 2.3, 0.01)),
]

# Pit and soil as in nd280.py: a vertical shaft of 17.5 m, soil from the muon monitors on.
PIT_DIAMETER, PIT_DEPTH, GROUND = 17.5, 37.0, 20.0
SOIL_START, ROCK_START, ROCK_END = -165.0, -292.0, 8.0


def build(
    beam_direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
    *,
    version: str = "nd280",
    gas: str = "siren",
    ecal: str = "plastic",
    rock: str = "siren",
    soil: str = "siren",
) -> DetectorModel:
    """Return ND280 (or its upgrade) as in SIREN's files.

    Parameters
    ----------
    beam_direction
        Direction of the beam; SIREN takes the z axis.
    version
        "nd280" (ND280-v1) or "upgrade" (ND280UPGRD-v1).
    gas
        "siren": as in the file, 1.855e-3 g/cm3, for the upgrade 1.855; "siren-v1": 1.855e-3 in
        both; "published": 1.738e-3, 95:3:2 by volume.
    ecal
        "plastic", or "lead": the same masses with the share of lead that the ECals have.
    rock
        "siren": box from 292 to 18.5 m upstream; "published": from 165 m to the wall of a pit of
        17.5 m diameter.
    soil
        Density of the rock: "siren" (2.9 g/cm3) or "published" (2.15).
    """
    given = {"gas": gas, "ecal": ecal, "rock": rock, "soil": soil}
    for key, value in given.items():
        if value not in CHOICES[key]:
            raise unknown_name(f"choice of {key}", value, CHOICES[key])
    if version not in VERSIONS:
        raise unknown_name("version", version, VERSIONS)
    detector = DetectorModel("nd280-siren" if version == "nd280" else "nd280-upgrade-siren")
    add_site(detector, rock, soil)
    add_magnet(detector)
    filling = {"siren": GAS, "siren-v1": GAS, "published": PUBLISHED_GAS}[gas]
    if version == "nd280":
        stack = LayerStack(P0D_SIZE[0] * m, P0D_SIZE[1] * m, P0D)
        detector.add_stack("p0d", stack, at=(0, 0, P0D_END * m - P0D.thickness / 2))
        add_tpcs(detector, filling)
        add_fgds(detector)
        add_ecals(detector, ECALS, ecal)
    else:
        if gas == "siren":
            filling = GAS.with_density(GAS_OF_UPGRADE)
        add_upgrade(detector, filling)
        add_tpcs(detector, filling)
        add_ecals(detector, UPGRADE_ECALS, ecal)
        add_fgds(detector)
    detector.add_region("tpc", ["tpc1", "tpc2", "tpc3"])
    if version == "upgrade":
        detector.add_region("ha-tpc", ["ha-tpc1", "ha-tpc2"])
        detector.add_region("all-tpc", ["tpc", "ha-tpc"])
    declare_faults(detector, version, gas, ecal)
    detector.set_beam(
        beam_direction, distance=284.9 * m, description="z axis, as SIREN and arXiv:2412.15051"
    )
    return detector


def declare_faults(detector: DetectorModel, version: str, gas: str, ecal: str) -> None:
    """Say which findings of the audit are those of SIREN's files, kept on purpose."""
    if version == "nd280":
        reason = "P0D ECal and barrel ECal cut into each other in ND280-v1; kept as it is"
        detector.declare("overlap", ["ecal-*", "p0d-ecal-*"], reason)
    else:
        reason = "the upstream ECal begins in the coil in ND280UPGRD-v1; kept as it is"
        detector.declare("overlap", ["ecal-upstream", "basket", "tof-5"], reason)
        detector.declare("outside", ["ecal-upstream", "coil"], reason)
    detector.declare(
        "outside", ["hall", "pit", "rock"], "the rock ends 8 m downstream; beyond is the hall alone"
    )
    isotopes = "SIREN's files name single isotopes"
    if ecal == "lead":
        detector.declare("composition", "*", isotopes)
        detector.declare("wall", "ecal-*", "ECals stand across the beam, as those of ND280")
    else:
        detector.declare("composition", "*", f"{isotopes}; their ECals have no lead")
        if version == "nd280":
            reason = "plastic as heavy as lead and plastic: the masses are right, the targets not"
            detector.declare("density", "filling of *", reason)
    if version == "upgrade" and gas == "siren":
        detector.declare(
            "density", "gas", "1.855 g/cm3 in ND280UPGRD-v1, a thousand times too much"
        )


def add_site(detector: DetectorModel, rock: str, soil: str) -> None:
    stone = ROCK if soil == "siren" else ROCK.with_density(SOIL_DENSITY)
    start = ROCK_START if rock == "siren" else SOIL_START
    middle = (0.0, 0.0, (start + ROCK_END) / 2)
    add_box(detector, "rock", middle, (24, 24, ROCK_END - start), stone)
    if rock == "siren":
        add_box(detector, "hall", (0, 0, 0), (19, 19, 37), AIR)
    else:
        pit = Cylinder(radius=PIT_DIAMETER / 2 * m, length=PIT_DEPTH * m, axis="y")
        detector.add("pit", pit, AIR, at=(0, (GROUND - PIT_DEPTH / 2) * m, 0))


def add_magnet(detector: DetectorModel) -> None:
    add_box(detector, "yoke", (0, 0, 0), (5.6, 6.1, 7.6), IRON)
    add_box(detector, "aperture", (0, 0, 0), (3.5, 4.0, 7.6), AIR)
    add_box(detector, "coil", (0, 0, 0), (3.5, 4.0, 7.4), ALUMINIUM)
    add_box(detector, "basket", (0, 0, 0), (3.5, 3.6, 7.0), AIR)


def add_tpcs(detector: DetectorModel, gas: Material) -> None:
    for number, z in enumerate(TPC_CENTRES_Z, start=1):
        add_box(detector, f"tpc{number}-shell", (0, 0, z), (2.5, 2.5, 1.0), TPC_SHELL)
        add_box(detector, f"tpc{number}-gas", (0, 0, z), (2.47, 2.47, 0.97), gas)
        add_box_region(detector, f"tpc{number}", (0, 0, z), TPC_FIDUCIAL)


def add_fgds(detector: DetectorModel) -> None:
    for name, z, length, filling in (
        ("fgd1", 0.3075, 0.288, SCINTILLATOR),
        ("fgd2", 1.6725, 0.217, WATER_SCINTILLATOR),
    ):
        add_box(detector, f"{name}-box", (0, 0, z), (2.3, 2.4, 0.365), FGD_BOX)
        add_box(detector, name, (0, 0, z), (1.843, 1.843, length), filling)


def add_ecals(
    detector: DetectorModel, modules: dict[str, tuple[Point, Point, float, bool]], ecal: str
) -> None:
    for name, (middle, size, density, of_p0d) in modules.items():
        lead = LEAD_OF_P0D_ECAL if of_p0d else LEAD_OF_BARREL
        parts: dict[Material | str, float] = {SCINTILLATOR: 1.0}
        if ecal == "lead":
            parts = {SCINTILLATOR: 1.0 - lead, "Pb208": lead}
        material = Material.from_mass_fractions(f"filling of {name}", parts, density)
        add_box(detector, name, middle, size, material)


def add_upgrade(detector: DetectorModel, gas: Material) -> None:
    for number, y in enumerate(HA_TPC_CENTRES_Y, start=1):
        middle = (0.0, y, HA_TPC_Z)
        add_box(detector, f"ha-tpc{number}-shell", middle, (1.795, 0.795, 2.0), HA_TPC_SHELL)
        add_box(detector, f"ha-tpc{number}-gas", middle, (1.7, 0.7, 2.0), gas)
        add_box_region(detector, f"ha-tpc{number}", middle, HA_TPC_FIDUCIAL)
    add_box(detector, "superfgd-box", (0, 0, HA_TPC_Z), (2.018, 0.64, 2.018), SUPERFGD_BOX)
    add_box(detector, "superfgd", (0, 0, HA_TPC_Z), (1.92, 0.56, 1.92), SUPERFGD_CUBES)
    for number, (middle, size) in enumerate(TOFS, start=1):
        add_box(detector, f"tof-{number}", middle, size, TOF)


def add_box(
    detector: DetectorModel, name: str, middle: Point, size: Point, material: Material
) -> None:
    """Add a box given by its centre and size [m]."""
    detector.add(name, Box(*(d * m for d in size)), material, at=[c * m for c in middle])


def add_box_region(detector: DetectorModel, name: str, middle: Point, size: Point) -> None:
    detector.add_region(name, Box(*(d * m for d in size)), at=[c * m for c in middle])
