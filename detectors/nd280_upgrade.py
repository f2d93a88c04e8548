"""ND280 after the upgrade of 2023: SuperFGD, two high-angle TPCs and time of flight.

The P0D is gone except for its upstream ECal. In its place are the SuperFGD, high-angle TPCs above
and below it, and six planes of time-of-flight bars around them. Magnet, ECals, the three older
TPCs and the FGDs are those of ``nd280.py``, which must lie next to this script; so do frame, site
and beam. All numbers without another source are those of the official Monte Carlo, file TDR.xml in
the repository t2k-nd280-upgrade/t2k-nd280-upgrade, in mm; for the design see the T2K ND280 upgrade
TDR, arXiv:1901.03750. [unverified] and [assumed] mean the same as in ``nd280.py``.

The Monte Carlo shifts the older TPCs downstream by 2 to 19 cm with respect to ``nd280.py`` and
leaves 303 mm for each FGD between them, 29 mm less than the FGDs have with the gaps between their
modules. Here the FGDs have these positions and lengths, and their full mass.
"""

from __future__ import annotations

from pathlib import Path

from siren_py import DetectorModel, Material
from siren_py.geometry import LayerStack
from siren_py.material_library import (
    ALUMINIUM,
    ARAMID,
    ARAMID_HONEYCOMB,
    CARBON_FIBRE,
    COPPER,
    G10,
    KAPTON,
    PLASTIC_SCINTILLATOR,
    POLYSTYRENE,
    PVC,
    T2K_GAS,
)
from siren_py.resources import load_script
from siren_py.units import kg, mm, tonne

# What to cite, for `siren-py cite`: keys of siren_py's references.
CITATIONS = (
    "t2k2019-upgrade",
    "t2k2011-nd280",
    "t2k2013-ecal",
    "t2k2012-fgd",
    "t2k2011-tpc",
    "arguelles2022-dark",
)

nd280 = load_script(Path(__file__).with_name("nd280.py"))

TPC_CENTRES_Z = (-211, 1066, 2343)
FGD_UPSTREAM_FACES, FGD_LENGTH = {"fgd1": 276, "fgd2": 1553}, 303  # centres 427.5, 1704.5

TARGET_Z = -1707  # centre of SuperFGD, high-angle TPCs and time of flight

# ----- SuperFGD -----------------------------------------------------------------------------------

# Cubes of 1 cm3, x, y, z as built [unverified; 204, 52, 188 in TDR.xml], about 2 t (TDR), which
# makes the density with coating, holes and fibres. The box around it (carbon fibre, 2 x 2 mm, and
# 16 mm of foam of 0.08 g/cm3) is put in with its mass per area, but thinner: with 56 cubes in y it
# would not fit between the high-angle TPCs.
SUPERFGD_CUBES = (192, 56, 182)
SUPERFGD_MASS = 2.0
SUPERFGD_BOX_WALL = 6
_CARBON, _FOAM = 0.4 * CARBON_FIBRE.density, 1.6 * 0.08  # g/cm2
SUPERFGD_BOX = Material.from_mass_fractions(
    "SuperFGD box",
    {CARBON_FIBRE: _CARBON / (_CARBON + _FOAM), PVC: _FOAM / (_CARBON + _FOAM)},
    density=(_CARBON + _FOAM) / (SUPERFGD_BOX_WALL * mm),
)

# ----- high-angle TPCs ----------------------------------------------------------------------------

# Outer box, centres in y; drift in x over 850 mm on both sides of the central cathode. The gas
# fills the box inside its walls, in y and z more than the drift volume above the readout.
HA_TPC_OUTER = (2200, 840, 1840)
HA_TPC_CENTRES_Y = (712, -707)
HA_TPC_CATHODE = 13.2
HA_TPC_DRIFT = (2 * 850 + HA_TPC_CATHODE, 700, 1700)
# Wall (ND280HATPCConstructor, "FC"): thickness [mm] of each material, 29.4 mm in all.
HA_TPC_WALL = {KAPTON: 0.2, COPPER: 0.2, ARAMID: 4.0, ARAMID_HONEYCOMB: 25.0}
HA_TPC_WALL_THICKNESS = sum(HA_TPC_WALL.values())
HA_TPC_WALL_MATERIAL = Material.from_volume_fractions(
    "high-angle TPC wall",
    {material: d / HA_TPC_WALL_THICKNESS for material, d in HA_TPC_WALL.items()},
)
# Micromegas, stiffeners and electronics beyond the drift volumes: 3 g/cm2 [assumed].
HA_TPC_READOUT = Material.from_mass_fractions(
    "high-angle TPC readout", {ALUMINIUM: 0.5, G10: 0.5}, density=0.15
)
# Fiducial volume of each, as used in arXiv:2412.15051 (Suppl. Table 1, where the labels of old
# and new TPCs are swapped), centred; the cathode is in its middle. In z it is 5 mm longer at both
# ends than the drift volume above; it lies in gas all the same.
HA_TPC_FIDUCIAL = (1590, 270, 1710)

# ----- time of flight -----------------------------------------------------------------------------

# Planes of bars 10 mm thick and 120 mm wide: full size and centre.
TOF_PLANES = {
    "top": ((21 * 120, 10, 2085), (0, 1245, TARGET_Z)),
    "bottom": ((21 * 120, 10, 2085), (0, -1265, TARGET_Z)),
    "left": ((10, 20 * 120, 2085), (1270, 0, TARGET_Z)),
    "right": ((10, 20 * 120, 2085), (-1270, 0, TARGET_Z)),
    "upstream": ((2300, 20 * 120, 10), (0, 0, -2800)),
    "downstream": ((2300, 20 * 120, 10), (0, 0, -723)),
}


def build(
    beam_direction: tuple[float, float, float] = nd280.BEAM_DIRECTION,
) -> DetectorModel:
    """Return the upgraded ND280; `beam_direction` in its frame need not be a unit vector."""
    detector = DetectorModel("nd280-upgrade")
    nd280.add_site(detector)
    nd280.add_magnet(detector)
    nd280.add_ecals(detector)
    add_upstream_ecal(detector)
    add_superfgd(detector)
    for number, y in enumerate(HA_TPC_CENTRES_Y, start=1):
        add_ha_tpc(detector, f"ha-tpc{number}", y)
    for side, (size, middle) in TOF_PLANES.items():
        nd280.add_box(detector, f"tof-{side}", *nd280.corners(size, middle), PLASTIC_SCINTILLATOR)
    for number, z in enumerate(TPC_CENTRES_Z, start=1):
        nd280.add_tpc(detector, f"tpc{number}", z)
    for name, face in FGD_UPSTREAM_FACES.items():
        nd280.add_fgd(detector, name, face, FGD_LENGTH)
    detector.add_region("tpc", ["tpc1", "tpc2", "tpc3"])
    detector.add_region("ha-tpc", ["ha-tpc1", "ha-tpc2"])
    detector.add_region("all-tpc", ["tpc", "ha-tpc"])
    nd280.set_beam(detector, beam_direction)
    return detector


def add_upstream_ecal(detector: DetectorModel) -> None:
    """Add the upstream ECal of the P0D where it always was."""
    pattern = nd280.P0D_UPSTREAM_ECAL * 7
    x, y = nd280.P0D_CENTRE
    z = nd280.P0D_UPSTREAM_FACE + pattern.thickness / mm / 2
    size = (*nd280.P0D_OUTER, pattern.thickness / mm)
    nd280.add_box(
        detector, "upstream-ecal-frame", *nd280.corners(size, (x, y, z)), nd280.p0d_frame_material()
    )
    stack = LayerStack(nd280.P0D_ACTIVE[0] * mm, nd280.P0D_ACTIVE[1] * mm, pattern)
    detector.add_stack("upstream-ecal", stack, at=(x * mm, y * mm, z * mm))
    detector.publish_mass(
        "upstream ECal, 7 P0Dules and 7 radiators",
        ["upstream-ecal"],
        7 * (192 + 222) * kg,
        tolerance=0.01,
        source="arXiv:2205.12273",
    )


def add_superfgd(detector: DetectorModel) -> None:
    middle = (0, 0, TARGET_Z)
    size = tuple(10 * n for n in SUPERFGD_CUBES)
    nx, ny, nz = SUPERFGD_CUBES
    cubes = Material.from_mass_fractions(
        "SuperFGD cubes", {POLYSTYRENE: 1.0}, density=SUPERFGD_MASS * tonne / (nx * ny * nz)
    )
    box = tuple(d + 2 * SUPERFGD_BOX_WALL for d in size)
    nd280.add_box(detector, "superfgd-box", *nd280.corners(box, middle), SUPERFGD_BOX)
    nd280.add_box(detector, "superfgd", *nd280.corners(size, middle), cubes)
    # All cubes: T2K has not published a smaller fiducial volume of general use.
    nd280.add_box_region(detector, "superfgd", *nd280.corners(size, middle))
    detector.publish_mass(
        "SuperFGD", ["superfgd"], SUPERFGD_MASS * tonne, tolerance=0.03, source="arXiv:1901.03750"
    )


def add_ha_tpc(detector: DetectorModel, name: str, y: float) -> None:
    """Add one high-angle TPC and its regions; y [mm] is its centre."""
    middle = (0, y, TARGET_Z)
    inner = tuple(d - 2 * HA_TPC_WALL_THICKNESS for d in HA_TPC_OUTER)
    gas = (HA_TPC_DRIFT[0], *inner[1:])
    cathode = (HA_TPC_CATHODE, *inner[1:])
    for part, size, material in (
        ("wall", HA_TPC_OUTER, HA_TPC_WALL_MATERIAL),
        ("readout", inner, HA_TPC_READOUT),
        ("gas", gas, T2K_GAS),
        ("cathode", cathode, nd280.CAGE_WALL),
    ):
        nd280.add_box(detector, f"{name}-{part}", *nd280.corners(size, middle), material)
    nd280.add_box_region(detector, f"{name}-drift", *nd280.corners(HA_TPC_DRIFT, middle))
    nd280.add_box_region(detector, name, *nd280.corners(HA_TPC_FIDUCIAL, middle))
    detector.declare(
        "region",
        [name, f"{name}-drift", f"{name}-cathode"],
        "the central cathode stands in the gas, in the middle of the fiducial volume",
    )
