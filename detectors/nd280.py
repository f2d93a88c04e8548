"""ND280, the off-axis near detector of T2K, as it took data from 2010 to 2022.

Frame: origin at the centre of the magnet, z along the magnet axis (downstream), y up, x to the
left of someone who looks downstream. Lengths in the tables below are in mm.
Sources:
NIM     T2K, NIM A659, 106 (2011).
ECAL    T2K ECal, JINST 8, P10019 (2013), table 1.
P0D     T2K P0D, NIM A686, 48 (2012).
FGD     T2K FGD, NIM A696, 1 (2012), and the technical notes TN-91, 122, 198 as quoted in HL.
TPC     T2K TPC, NIM A637, 25 (2011).
MC      official ND280 Monte Carlo as published in the repository
        t2k-nd280-upgrade/t2k-nd280-upgrade (files ND280*Constructor).
HL      official analysis framework (psyche, highland), files DetectorDefinition,
        FiducialVolumeDefinition and AnalysisUtils, as published: volumes as built.
DN      masses collected by Arguelles, Foppiani, Hostert, arXiv:2205.12273, and their repository
        mhostert/dark-neutrinos-at-T2K.
A number followed by [unverified] was recalled without a document at hand; [assumed] means that no
published value was found.
"""

from __future__ import annotations

from siren_py import DetectorModel, Material
from siren_py.geometry import Box, Cylinder, LayerStack, Pattern
from siren_py.material_library import (
    AIR,
    ALUMINIUM,
    BRASS,
    CARBON_DIOXIDE,
    COPPER,
    EPOXY,
    G10,
    HDPE,
    LEAD,
    POLYSTYRENE,
    PVC,
    ROHACELL,
    SCINTILLATOR,
    STAINLESS_STEEL,
    STEEL,
    T2K_GAS,
    TITANIUM_DIOXIDE,
    WATER,
)
from siren_py.units import kg, m, mm, tonne

CITATIONS = (  # for `siren-py cite`: keys of siren_py's references
    "t2k2011-nd280", "t2k2013-ecal", "t2k2012-p0d", "t2k2012-fgd", "t2k2011-tpc",
    "arguelles2022-dark",
)  # fmt: skip

Point = tuple[float, ...]  # x, y, z [mm]

# ----- beam --------------------------------------------------------------------------------------

# Mean direction of the neutrinos at ND280: from their mean point of production (-0.1388, -1.729,
# 34.55) m to the magnet centre (-3.222, -8.146, 280.1) m, both from HL in T2K's global frame,
# whose axes are parallel to ND280's. That is 1.5 degrees down and 0.7 degrees towards -x. The
# figure of 3.6 degrees down that is sometimes quoted [unverified] is the slope of the axis of the
# proton beam, which ND280 sees 2.04 degrees off axis (T2K flux release). Much of the literature
# takes the z axis: pass (0, 0, 1) to build() for that.
BEAM_DIRECTION = (-3.0832, -6.417, 245.55)

# Centre of the target to the centre of ND280 284.9 m, ND280 seen from there 2.042 degrees off the
# axis of the proton beam: T2K flux release. Neutrinos come from a stretch of that axis whose middle
# is the mean point of production. These three make the axis go 3.754 degrees down, if it has no
# horizontal part (3.64 degrees [unverified] is its design), and put the target where it is here.
TARGET_DISTANCE = 284.9 * m
TARGET = (3.0832 * m, 8.9882 * m, -284.7415 * m)  # from the magnet centre
BEAM_AXIS = (0.0, -0.065466, 0.997855)
SOURCE_LENGTH = 78.55 * m

# ----- site --------------------------------------------------------------------------------------

# The pit is a vertical shaft, 17.5 m wide and 37 m deep (NIM [unverified]), open to the air; ND280
# is taken to be on its axis. It stands on a floor about 24 m below ground [unverified]; with 4 m
# from there to the centre of the magnet, the ground is 20 m above the origin and the bottom of the
# pit 17 m below it, as the on-axis detector needs, 10 m high and centred 9.6 m below ND280. That
# detector, the floors and the concrete lining of the pit are left out.
PIT_DIAMETER = 17.5 * m
PIT_DEPTH = 37 * m
GROUND_LEVEL = 20 * m

# Upstream the soil ends at the muon monitors, 118 m from the target [unverified]. The beam dump and
# the helium of the decay volume beyond them are left out, and with them what happens there. To the
# sides the soil is wide enough for particles from its upstream end at 40 degrees to the beam.
SOIL_UPSTREAM_END = -165 * m
SOIL_DOWNSTREAM_END = 100 * m
SOIL_HALF_WIDTH = 150 * m
SOIL_BOTTOM = -130 * m
AIR_TOP = 100 * m

# Density: "earth 2.15" (MC). Composition: wet quartz and feldspar sand, 15 % water [assumed].
SOIL_MINERALS = {
    "SiO2": 0.65, "Al2O3": 0.11, "K2O": 0.025, "Na2O": 0.025, "CaO": 0.02, "Fe2O3": 0.02,
}  # fmt: skip
SOIL = Material.from_mass_fractions(
    "soil",
    # The shares are by mass: the density of the grains does not matter.
    {WATER: 0.15, **{Material.from_formula(f, density=2.6): w for f, w in SOIL_MINERALS.items()}},
    density=2.15,
)

# ----- magnet (UA1/NOMAD) ------------------------------------------------------------------------

# 8 rings, each of plates of 48 mm with gaps of 17 mm, 876 mm long; in all 5710 x 6150 x 7628 mm
# (MC, 850 t: NIM). 16 plates are what lies between these outer faces and the inner ones, 1832 mm
# from the axis (HL). The scintillators in the gaps (SMRD, about 2 t) are left out.
YOKE_OUTER = (5710, 6150, 7628)
YOKE_RINGS, YOKE_RING_LENGTH = 8, 876
YOKE_PLATES, YOKE_PLATE, YOKE_GAP = 16, 48, 17

# Four aluminium coils side by side in x, conductors of 54.5 x 54.5 mm with a bore of 23 mm for
# water (NIM [unverified]); inside 7009 x 3540 mm, 220 mm thick, 785 mm wide (MC).
COIL_INNER_LENGTH, COIL_INNER_HEIGHT, COIL_THICKNESS = 7009, 3540, 220
COIL_X = ((100, 885), (953, 1738))  # to each side: 200 mm free in the middle, 94 mm outside (MC)
COIL_CONDUCTOR = Material.from_volume_fractions("coil conductor", {ALUMINIUM: 0.86, WATER: 0.14})

# The coils of MC also have vertical bars at both ends, which cover the aperture except its middle
# 200 mm. In other descriptions the ends are open, and so they are here; True adds the bars (54
# g/cm2 upstream and downstream).
COIL_END_BARS = False

# ----- electromagnetic calorimeters ---------------------------------------------------------------

# Layers of 10 mm of scintillator and of lead, with the gap that a layer has besides (MC, ECAL). In
# radiation lengths of lead 9.7, 10.6 and 4.3; NIM's 3.6 for the last would mean five sheets of lead
# between its six layers [unverified].
BARREL_LAYERS = Pattern([(10 * mm, SCINTILLATOR), (1.75 * mm, LEAD), (0.55 * mm, AIR)]) * 31
DOWNSTREAM_LAYERS = Pattern([(10 * mm, SCINTILLATOR), (1.75 * mm, LEAD), (0.55 * mm, AIR)]) * 34
P0D_ECAL_LAYERS = Pattern([(10 * mm, SCINTILLATOR), (4 * mm, LEAD), (0.5 * mm, AIR)]) * 6

# Name: layers, axis of the layers, whether they count from its lower end outwards, corners of the
# module and of its bars (HL, sizes of modules ECAL), mass [t] (ECAL). Modules that begin at x > 0
# have a twin at x < 0. The layers alone weigh 18, 31, 36, 28 and 20 % less than that (side, top and
# bottom, downstream, P0D side, P0D top and bottom): the rest is frames, bulkheads, lids, cooling
# plates, cables and sensors around them, put in here as aluminium that fills the rest of the module
# at the density (1.0 to 2.7) that makes up the mass.
ECAL_MODULES = {
    "barrel-ecal": (BARREL_LAYERS, "x", True, (1345, -1259.5, -794), (1807, 1240.5, 3346),
                    (1385, -1053.5, -644), (1766.3, 1226.5, 3196), 10.0),
    "barrel-ecal-top": (BARREL_LAYERS, "y", True, (32, 1270.5, -794), (1708, 1732.5, 3346),
                        (46, 1310.5, -644), (1566, 1691.8, 3196), 8.0),
    "barrel-ecal-bottom": (BARREL_LAYERS, "y", False, (132, -1752, -794), (1808, -1290, 3346),
                           (146, -1711.8, -644), (1666, -1330.5, 3196), 8.0),
    "downstream-ecal": (DOWNSTREAM_LAYERS, "z", True, (-1150, -1140, 2830), (1150, 1160, 3315),
                        (-1000, -990, 2855), (1000, 1010, 3273.2), 6.5),
    "p0d-ecal": (P0D_ECAL_LAYERS, "x", True, (1540, -1458, -3307), (1695, 1440, -853),
                 (1570, -1334, -3250), (1657, 1426, -910), 3.0),
    "p0d-ecal-top": (P0D_ECAL_LAYERS, "y", True, (32, 1460, -3307), (1616, 1615, -853),
                     (46, 1490, -3250), (1566, 1577, -910), 1.5),
    "p0d-ecal-bottom": (P0D_ECAL_LAYERS, "y", False, (132, -1635, -3307), (1716, -1480, -853),
                        (146, -1597, -3250), (1666, -1510, -910), 1.5),
}  # fmt: skip

# ----- P0D ----------------------------------------------------------------------------------------

# 40 P0Dules of 192 kg (DN), 38.75 mm thick (MC), in four groups: 7 with 7 lead radiators, 26 with
# 25 bags of water and 25 sheets of brass in between, 7 with 7 lead radiators. Active 2105 x 2238
# mm, from z = -3296 (HL).
P0D_CENTRE = (-40.2, 11.8)  # x, y of the active volume: HL
P0D_ACTIVE = (2105.2, 2238.4)  # HL
P0D_OUTER = (2300, 2470)  # MC 2300.8; P0D 2298 x 2468 [unverified]
P0D_UPSTREAM_FACE = -3296.5  # HL
P0D_AREA = P0D_ACTIVE[0] * P0D_ACTIVE[1] * mm**2

# Planks of polystyrene with a coating of TiO2, polystyrene skins, epoxy: shares from MC.
P0DULE_THICKNESS = 38.75
P0DULE = Material.from_mass_fractions(
    "P0Dule",
    {POLYSTYRENE: 0.957, TITANIUM_DIOXIDE: 0.009, EPOXY: 0.034},
    density=192 * kg / (P0D_AREA * P0DULE_THICKNESS * mm),
)

# A radiator is 3.45 mm of lead on 2016 x 2159 mm (170 kg) between skins of .46 mm of steel (37
# kg), with aluminium frames (7.4 kg) and epoxy (3.5 kg): MC, in all 218.5 kg. So the 222 kg of
# DN (14 sheets, 3.11 t), which calls all of it lead, is the radiator; 78 % of it is lead.
RADIATOR_THICKNESS = 3.45 + 2 * 0.46 + 2 * 0.25
RADIATOR = Material.from_mass_fractions(
    "lead radiator",
    {
        LEAD: 170.4 / 218.5,
        STAINLESS_STEEL: 37.2 / 218.5,
        ALUMINIUM: 7.4 / 218.5,
        EPOXY: 3.5 / 218.5,
    },
    density=222 * kg / (P0D_AREA * RADIATOR_THICKNESS * mm),
)

# Water: two bags of 997.5 x 2021 mm per layer (MC), thick enough for the 1902 kg of the fiducial
# volume of 1600 x 1740 mm (HL: TN-82 and as-built masses). Around it frames of HDPE (MC).
WATER_AREA = (1995, 2021)
WATER_THICKNESS = 1902 * kg / (25 * 1600 * 1740 * mm**2 * 1.0) / mm
BAG_THICKNESS = 28.0 - WATER_THICKNESS  # 2 x .161 mm of HDPE (MC), the rest is air
BAG = Material.from_mass_fractions("water bag", {HDPE: 1.0}, 0.94 * 0.322 / BAG_THICKNESS)
# DN gives 0.1 t of brass per layer, 2.5 t in all. A sheet of 1.28 mm (P0D [unverified]) weighs 51
# kg on the active area. Since 40 P0Dules, 14 radiators and 2.5 t make the 13.3 t of NIM without
# water, the 0.1 t must hold frames, bags and cables besides; so it does here (2.56 t).
BRASS_THICKNESS = 1.28

# Mass with water 16.1 t (NIM): what the layers leave is put in a frame around them, for the PVC
# frames, the edges of radiators and brass, sensors and cables.
P0D_MASS = 16.1

# ----- TPCs ---------------------------------------------------------------------------------------

# Boxes in boxes (HL, MC). Outside 2300 x 2400 x 974 mm, walls of aluminium and Rohacell; a gap
# with CO2; the field cage, walls of G10, Rohacell and copper; the gas (1808 x 2148 x 772 mm, 3.0
# m3; others quote 1860 x 2060 x 781 mm, as much). The central cathode is a plate like those of the
# cage. T2K's fiducial volume, 170 cm wide, has it in its middle, and so has this model: it is real
# matter there (0.8 % of the volume, but as heavy as the gas of the whole box).
TPC_CENTRES_Z = (-398, 961, 2320)  # HL
TPC_ACTIVE_Y = 55  # HL: centre of cage, gas, cathode and FGDs
TPC_OUTER = ((-1150, -1165.2, -482.2), (1150, 1225.2, 482.2))  # MC, z from the centre
TPC_GAP = ((-1136.8, -1150, -467), (1136.8, 1210, 467))  # MC
TPC_CAGE = ((-904.1, -1032.2, -399.2), (904.1, 1142.2, 399.2))  # MC
TPC_GAS = ((-904.1, -1019, -386), (904.1, 1129, 386))  # MC, HL
TPC_CATHODE = ((-6.6, -1005.9, -372.9), (6.6, 1115.9, 372.9))  # HL
TPC_READOUT = ((904.1, -1030.6, -397.6), (951.4, 1140.6, 397.6))  # MC: G10 with the Micromegas
TPC_FIDUCIAL = (1700, 1960, 563)  # T2K, PRD 100, 052006 (2019)
OUTER_WALL = Material.from_mass_fractions(
    "aluminium-Rohacell", {ALUMINIUM: 0.8523, ROHACELL: 0.1477}, density=0.3168
)  # MC: 2 x .76 mm Al, 13.68 mm foam
CAGE_WALL = Material.from_mass_fractions(
    "G10-Rohacell-copper", {G10: 0.6769, ROHACELL: 0.1591, COPPER: 0.1640}, density=0.2877
)  # MC: 2 x .76 mm G10, 11.68 mm foam, 2 x .035 mm Cu

# ----- FGDs ---------------------------------------------------------------------------------------

# Modules, with the elements' areal densities [g/cm2]. XY: FGD, TN-91 (sum 2.1463). Water: FGD for
# C, H, O; the sum 2.79867 is from TN-198 (HL), the rest is taken as silicon [assumed].
FGD_WIDTH = 1864.3
XY_THICKNESS, WATER_MODULE_THICKNESS, FGD_GAP = 20.25, 27.9379, 2.0  # HL
XY_AREAL = {"C": 1.8486, "H": 0.1579, "O": 0.0794, "Ti": 0.0355, "Si": 0.0218, "N": 0.0031}
WATER_MODULE_AREAL = {"C": 0.4220, "H": 0.2916, "O": 2.0601, "Si": 0.0250}
FGD_UPSTREAM_FACES = {"fgd1": 115.625, "fgd2": 1473.625}  # HL
FGD_MODULES = {"fgd1": (15, 0), "fgd2": (7, 6)}  # XY, water: alternating
# Fiducial volumes without the first module of FGD1 and without the first half of the first module
# of FGD2 (HL; T2K, PRD 87, 092003 (2013)); the same width for both.
FGD_FIDUCIAL_WIDTH = 1749.02
# P0D: TN-73 (HL).
P0D_FIDUCIAL = ((-836, -871, -2969), (764, 869, -1264))


def build(beam_direction: tuple[float, float, float] = BEAM_DIRECTION) -> DetectorModel:
    """Return ND280; `beam_direction` in its frame need not be a unit vector."""
    detector = DetectorModel("nd280")
    add_site(detector)
    add_magnet(detector)
    add_ecals(detector)
    add_p0d(detector)
    for number, z in enumerate(TPC_CENTRES_Z, start=1):
        add_tpc(detector, f"tpc{number}", z)
    for name, face in FGD_UPSTREAM_FACES.items():
        add_fgd(detector, name, face)
    detector.add_region("tpc", ["tpc1", "tpc2", "tpc3"])
    detector.add_region("tpc-drift", ["tpc1-drift", "tpc2-drift", "tpc3-drift"])
    add_box_region(detector, "p0d", *P0D_FIDUCIAL)
    set_beam(detector, beam_direction)
    return detector


def set_beam(detector: DetectorModel, direction: tuple[float, float, float]) -> None:
    detector.set_beam(
        direction,
        distance=TARGET_DISTANCE,
        description="mean neutrino of the T2K beam at ND280, target at 284.9 m",
        source_start=TARGET,
        source_axis=BEAM_AXIS,
        source_length=SOURCE_LENGTH,
    )


def add_site(detector: DetectorModel) -> None:
    lo = (-SOIL_HALF_WIDTH / mm, SOIL_BOTTOM / mm, SOIL_UPSTREAM_END / mm)
    hi = (SOIL_HALF_WIDTH / mm, GROUND_LEVEL / mm, SOIL_DOWNSTREAM_END / mm)
    add_box(detector, "air", lo, (hi[0], AIR_TOP / mm, hi[2]), AIR)
    add_box(detector, "soil", lo, hi, SOIL)
    pit = Cylinder(radius=PIT_DIAMETER / 2, length=PIT_DEPTH, axis="y")
    detector.add("pit", pit, AIR, at=(0, GROUND_LEVEL - PIT_DEPTH / 2, 0))


def add_magnet(detector: DetectorModel) -> None:
    plates = Pattern([(YOKE_PLATE * mm, STEEL), (YOKE_GAP * mm, AIR)]) * (YOKE_PLATES - 1)
    plates = plates + Pattern([(YOKE_PLATE * mm, STEEL)])
    thickness = plates.thickness
    width, height, length = (size * mm for size in YOKE_OUTER)
    ring = YOKE_RING_LENGTH * mm
    horizontal = LayerStack(width, ring, plates, axis="y")
    vertical = LayerStack(height - 2 * thickness, ring, plates, axis="x")
    for number in range(YOKE_RINGS):
        z = -length / 2 + ring / 2 + number * (length - ring) / (YOKE_RINGS - 1)
        for side, sign in (("top", 1), ("bottom", -1)):
            at = (0, sign * (height - thickness) / 2, z)
            detector.add_stack(f"yoke-{number + 1}-{side}", horizontal, at=at)
        for side, sign in (("left", 1), ("right", -1)):
            at = (sign * (width - thickness) / 2, 0, z)
            detector.add_stack(f"yoke-{number + 1}-{side}", vertical, at=at)
    detector.publish_mass("magnet yoke", ["yoke-*"], 850 * tonne, 0.03, "NIM A659, 106")

    y0 = COIL_INNER_HEIGHT / 2
    z0 = COIL_INNER_LENGTH / 2 + 10  # 10 mm: case (MC)
    bars = {
        "top": ((y0, -z0 - COIL_THICKNESS), (y0 + COIL_THICKNESS, z0 + COIL_THICKNESS)),
        "bottom": ((-y0 - COIL_THICKNESS, -z0 - COIL_THICKNESS), (-y0, z0 + COIL_THICKNESS)),
    }
    if COIL_END_BARS:
        bars["upstream"] = ((-y0, -z0 - COIL_THICKNESS), (y0, -z0))
        bars["downstream"] = ((-y0, z0), (y0, z0 + COIL_THICKNESS))
    for number, (x1, x2) in enumerate((*COIL_X, *((-b, -a) for a, b in COIL_X)), start=1):
        for side, (lo, hi) in bars.items():
            add_box(detector, f"coil-{number}-{side}", (x1, *lo), (x2, *hi), COIL_CONDUCTOR)
    names = ["coil-*-top", "coil-*-bottom"]
    detector.publish_mass("coils", names, 26 * tonne, 0.04, "other models of ND280 [unverified]")


def add_ecals(detector: DetectorModel) -> None:
    for name, (layers, axis, outwards, lo, hi, bars_lo, bars_hi, mass) in ECAL_MODULES.items():
        module, bars = (lo, hi), (bars_lo, bars_hi)
        if lo[0] < 0:
            add_ecal(detector, name, layers, axis, module, bars, mass)
            continue
        ascending = layers if outwards else layers.reversed()
        add_ecal(detector, f"{name}-left", ascending, axis, module, bars, mass)
        if axis == "x":
            ascending = ascending.reversed()
        module, bars = mirrored(*module), mirrored(*bars)
        add_ecal(detector, f"{name}-right", ascending, axis, module, bars, mass)
    reason = "frames, bulkheads, cables, which make up the module's mass, as aluminium around it"
    detector.declare("wall", "downstream-ecal-structure", reason)


def add_ecal(
    detector: DetectorModel,
    name: str,
    layers: Pattern,
    axis: str,
    module: tuple[Point, Point],
    bars: tuple[Point, Point],
    mass: float,
) -> None:
    """Add one module: its layers, between the corners of its bars, in its structure."""
    widths = [(b - a) * mm for a, b in zip(*bars, strict=True)]
    del widths["xyz".index(axis)]
    stack = LayerStack(*widths, layers, axis=axis)
    outline = box_between(*module)
    structure = Material.from_mass_fractions(
        f"structure of {name}",
        {ALUMINIUM: 1.0},
        (mass * tonne - widths[0] * widths[1] * layers.areal_density)
        / (outline.volume() - stack.solid.volume()),
    )
    detector.add(f"{name}-structure", outline, structure, at=centre(*module))
    detector.add_stack(f"{name}-layers", stack, at=centre(*bars))
    detector.publish_mass(
        name, [f"{name}-structure", f"{name}-layers"], mass * tonne, 0.01, "JINST 8, P10019"
    )


P0D_UPSTREAM_ECAL = Pattern([(P0DULE_THICKNESS * mm, P0DULE), (RADIATOR_THICKNESS * mm, RADIATOR)])


def p0d_parts() -> dict[str, Pattern]:
    """Layers of the P0D from upstream to downstream, with HDPE where the water is."""
    return {
        "p0d-upstream-ecal": P0D_UPSTREAM_ECAL * 7,
        "p0d-water-target": water_target(HDPE),
        "p0d-central-ecal": P0D_UPSTREAM_ECAL.reversed() * 7,
    }


def water_target(in_the_bag: Material) -> Pattern:
    last = Pattern([(P0DULE_THICKNESS * mm, P0DULE)])
    bag = Pattern([(WATER_THICKNESS * mm, in_the_bag), (BAG_THICKNESS * mm, BAG)])
    brass = Pattern([(BRASS_THICKNESS * mm, BRASS)])
    return (last + bag + brass) * 25 + last


def p0d_frame_material() -> Material:
    """PVC at the density that makes the mass of the P0D that of NIM."""
    parts = p0d_parts().values()
    length = sum(part.thickness for part in parts)
    bags = 25 * WATER_AREA[0] * WATER_AREA[1] * WATER_THICKNESS * mm**3
    layers = P0D_AREA * sum(part.areal_density for part in parts)
    layers += bags * (WATER.density - HDPE.density)
    space = (P0D_OUTER[0] * P0D_OUTER[1] * mm**2 - P0D_AREA) * length
    density = (P0D_MASS * tonne - layers) / space
    return Material.from_mass_fractions("P0D frame", {PVC: 1.0}, density)


def add_p0d(detector: DetectorModel) -> None:
    x, y = P0D_CENTRE
    z = P0D_UPSTREAM_FACE
    area = [width * mm for width in P0D_ACTIVE]
    parts = p0d_parts()
    length = sum(part.thickness for part in parts.values()) / mm
    box = corners((*P0D_OUTER, length), (x, y, z + length / 2))
    add_box(detector, "p0d-frame", *box, p0d_frame_material())
    for name, pattern in parts.items():
        at = (x * mm, y * mm, z * mm + pattern.thickness / 2)
        detector.add_stack(name, LayerStack(*area, pattern), at=at)
        z += pattern.thickness / mm
        if name == "p0d-water-target":
            # The same layers once more where there is water between them, not frame.
            core = LayerStack(WATER_AREA[0] * mm, WATER_AREA[1] * mm, water_target(WATER))
            detector.add_stack("p0d-water-target-core", core, at=at)

    volumes = ["p0d-frame", *parts, "p0d-water-target-core"]
    rest = ["P0D frame", BRASS.name, BAG.name, HDPE.name]
    for part, material, mass, tolerance, source in (
        ("P0D with water", None, 16.1, 0.01, "NIM A659, 106"),
        ("P0D lead radiators", RADIATOR, 14 * 0.222, 0.01, "arXiv:2205.12273"),
        ("P0Dules", P0DULE, 40 * 0.192, 0.01, "arXiv:2205.12273"),
        ("P0D brass, frames and bags", rest, 2.5, 0.03, "arXiv:2205.12273: 25 x 0.1 t of brass"),
        ("P0D water", WATER, 16.1 - 13.3, 0.03, "NIM A659, 106: with less without water"),
    ):
        detector.publish_mass(part, volumes, mass * tonne, tolerance, source, material=material)


def add_tpc(detector: DetectorModel, name: str, z: float) -> None:
    """Add one TPC and its regions; z [mm] is its centre."""
    for part, (lo, hi), material in (
        ("wall", TPC_OUTER, OUTER_WALL),
        ("co2", TPC_GAP, CARBON_DIOXIDE),
        ("cage", TPC_CAGE, CAGE_WALL),
        ("gas", TPC_GAS, T2K_GAS),
        ("cathode", TPC_CATHODE, CAGE_WALL),
        ("readout-left", TPC_READOUT, G10),
        ("readout-right", mirrored(*TPC_READOUT), G10),
    ):
        lo, hi = (*lo[:2], lo[2] + z), (*hi[:2], hi[2] + z)
        add_box(detector, f"{name}-{part}", lo, hi, material)
        if part == "gas":
            add_box_region(detector, f"{name}-drift", lo, hi)
    add_box_region(detector, name, *corners(TPC_FIDUCIAL, (0, TPC_ACTIVE_Y, z)))
    reason = "the central cathode stands in the gas; T2K's fiducial volume goes across it"
    detector.declare("region", [name, f"{name}-drift", f"{name}-cathode"], reason)
    # Quoted as active argon, 16.02 kg in three TPCs: 8.98 m3 of pure argon at 0 C.
    gas = 16.02 / 3 * kg
    detector.publish_mass(f"gas of {name}", [f"{name}-gas"], gas, 0.04, "arXiv:2205.12273")


def fgd_module(name: str, areal: dict[str, float], thickness: float) -> Material:
    """Material of an FGD module from the areal densities of its elements; thickness in mm."""
    total = sum(areal.values())
    fractions = {element: share / total for element, share in areal.items()}
    return Material(name, fractions, density=total / (thickness * mm))


def add_fgd(detector: DetectorModel, name: str, face: float, length: float | None = None) -> None:
    """Add "fgd1" or "fgd2" and its fiducial volume; `face` [mm] is its upstream end.

    With `length` [mm] the modules are squeezed, without gaps, to this length at constant mass.
    """
    n_xy, n_water = FGD_MODULES[name]
    squeeze, gap = 1.0, [(FGD_GAP * mm, AIR)]
    if length is not None:
        squeeze = length / (n_xy * XY_THICKNESS + n_water * WATER_MODULE_THICKNESS)
        gap = []
    d_xy, d_water = squeeze * XY_THICKNESS, squeeze * WATER_MODULE_THICKNESS
    xy = [(d_xy * mm, fgd_module(f"{name} XY module", XY_AREAL, d_xy))]
    water = [(d_water * mm, fgd_module(f"{name} water module", WATER_MODULE_AREAL, d_water)), *gap]
    between = [*gap, *(water if n_water else [])]
    pattern = Pattern([*xy, *between]) * (n_xy - 1) + Pattern(xy)
    stack = LayerStack(FGD_WIDTH * mm, FGD_WIDTH * mm, pattern)
    end = face + pattern.thickness / mm
    detector.add_stack(name, stack, at=(0, TPC_ACTIVE_Y * mm, (face + end) / 2 * mm))

    half = FGD_FIDUCIAL_WIDTH / 2
    first = d_xy / 2 if n_water else d_xy + sum(d / mm for d, _ in gap) / 2
    lo, hi = (-half, TPC_ACTIVE_Y - half, face + first), (half, TPC_ACTIVE_Y + half, end)
    add_box_region(detector, name, lo, hi)
    detector.publish_mass(name.upper(), [name], 1.1 * tonne, 0.03, "NIM A696, 1")


def box_between(lo: Point, hi: Point) -> Box:
    return Box(*((b - a) * mm for a, b in zip(lo, hi, strict=True)))


def corners(size: Point, middle: Point) -> tuple[Point, Point]:
    pairs = list(zip(size, middle, strict=True))
    return tuple(c - d / 2 for d, c in pairs), tuple(c + d / 2 for d, c in pairs)


def centre(lo: Point, hi: Point) -> Point:
    return tuple((a + b) / 2 * mm for a, b in zip(lo, hi, strict=True))


def mirrored(lo: Point, hi: Point) -> tuple[Point, Point]:
    """Return the corners of a box on the other side of x = 0."""
    return (-hi[0], *lo[1:]), (-lo[0], *hi[1:])


def add_box(detector: DetectorModel, name: str, lo: Point, hi: Point, material: Material) -> None:
    """Add a box given by its corners [mm]."""
    detector.add(name, box_between(lo, hi), material, at=centre(lo, hi))


def add_box_region(detector: DetectorModel, name: str, lo: Point, hi: Point) -> None:
    detector.add_region(name, box_between(lo, hi), at=centre(lo, hi))
