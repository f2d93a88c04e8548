"""MINERvA, in the NuMI beam at Fermilab.

Frame: origin in the middle of the fiducial tracker, so that fluxes hold there; z along the axis of
the detector (downstream), y up, x to the left of someone who looks downstream. The hexagons have
two upright sides. Lengths in the tables below are in mm, and z is that of the experiment's
software, where the origin is at 7200 mm and the first plane of scintillator at 4293 mm.

Sources
-------
NIM     MINERvA, NIM A743, 130 (2014), arXiv:1305.5199.
MAT     the experiment's analysis software as published, MinervaExpt/MAT-MINERvA (TargetUtils:
        measured thickness and density of targets, areal density and composition of planes, faces
        of volumes) and analyses built on it (positions of modules, angle of the beam).
TH      MINERvA theses on the inner detector: numbers and kinds of modules, side ECAL.
NUMI    P. Adamson et al., NIM A806, 279 (2016), arXiv:1507.06690.
NUE     MINERvA, Phys. Rev. D 93, 112007 (2016), 100, 092001 (2019), 107, 012001 (2023): neutrino
        scattering on electrons.

A number followed by [unverified] was recalled without a document at hand; [assumed] means that no
published value was found.
"""

from __future__ import annotations

import math

from shapely import Polygon, box
from shapely.affinity import rotate, scale

from siren_py import DetectorModel, Material
from siren_py.geometry import Box, Cylinder, LayerStack, Pattern, Prism, RegularPrism
from siren_py.material_library import AIR, ALUMINIUM, LEAD, SCINTILLATOR, STEEL, WATER
from siren_py.materials import VACUUM
from siren_py.units import kg, m, mm, tonne

# What to cite, for `siren-py cite`: keys of siren_py's references.
CITATIONS = (
    "minerva2014",
    "adamson2016",
    "minerva2016-electron",
    "minerva2019-electron",
    "minerva2023-electron",
)

Z_ORIGIN = (
    7200.0  # mm; half way between the faces of the fiducial tracker, 5991.29 and 8408.91 (MAT)
)

# ----- beam --------------------------------------------------------------------------------------

# The beam points 58.87 mrad, 3.37 degrees, below the axis of the detector (MAT; NIM: 3.3 degrees).
# Its axis is taken to go through the origin; really it misses it by less than a metre [unverified].
BEAM_ANGLE = 0.05887
# From the target to the detector [unverified]; the position of the target differs by 1 m between
# the beam's configurations. Neutrinos come from where mesons decay, all along a pipe 675 m long and
# 1 m in radius (NUMI), which begins 46 m behind the target [unverified].
TARGET_DISTANCE = 1032.0  # m
DECAY_PIPE_START, DECAY_PIPE_LENGTH, DECAY_PIPE_RADIUS = 46.0, 675.0, 1.0  # m

# ----- site --------------------------------------------------------------------------------------

# In the frame of the model, in m. The MINOS near hall is 45.6 m long, 9.5 m wide, 9.6 m high
# [unverified]. How far it reaches to each side of the detector is [assumed]; the MINOS near
# detector, 2 m behind MINERvA, is left out, since what is made there flies on downstream.
HALL_X, HALL_Y, HALL_Z = (-4.75, 4.75), (-3.0, 6.6), (-25.0, 20.6)
# Between the absorber behind the decay pipe, which ends 737 m from the target [unverified], and
# the access tunnel of the hall there are 240 m of rock (NUMI). So the beam is in the tunnel for
# its last 30 m before the hall; width and height [assumed].
ROCK_UPSTREAM_END = -295.0
TUNNEL_X, TUNNEL_Y, TUNNEL_Z = (-3.25, 3.25), (-3.0, 5.0), (-55.0, -25.0)
ROCK_HALF_WIDTH, ROCK_DOWNSTREAM_END = 150.0, 100.0
SURFACE = 107.0  # above the floor of the hall: 350 ft
# Dolomite and shale of the Maquoketa and Galena-Platteville groups, 3 : 1 [assumed]; 2.6 g/cm3
# [unverified].
ROCK = Material.from_mass_fractions(
    "dolomite and shale",
    {
        Material.from_formula("CaMgC2O6", density=2.84): 0.75,
        Material.from_formula("SiO2", density=2.65): 0.15,
        Material.from_formula("KAl3Si3O12H2", density=2.82): 0.09,
        WATER: 0.01,
    },
    density=2.6,
)

# ----- planes and modules ------------------------------------------------------------------------

# 127 strips of triangular section, 17 mm high, with skins and glue (NIM, TH). Areal density 1.9872
# +- 0.028 g/cm2 and shares of the elements: MAT. Skins and glue are spread over the strips.
PLANE_THICKNESS = 17.0
PLANE_AREAL_DENSITY = 1.9872
PLANE = Material(
    "scintillator plane",
    {"H": 0.0818, "C": 0.8851, "O": 0.0250, "Ti": 0.0047, "Al": 0.0007, "Si": 0.0007, "Cl": 0.0020},
    density=PLANE_AREAL_DENSITY / (PLANE_THICKNESS * mm),
)

# A tracker module is two planes; around the edge of each, upstream of it, lies a ring of 2 mm of
# lead, the side ECAL (NIM, TH). The planes reach about 1 cm further out than the lead (127 strips
# of 16.7 mm); that is left out.
LEAD_SHEET = 2.0
SIDE_ECAL = (900.0, 1050.0)  # inner and outer apothem: TH
SECOND_PLANE = 20.64  # from the centre of the first plane to that of the second: MAT

# First module, number of modules, centre of the plane 1 of the first one, pitch: MAT. What is
# missing in between are the passive targets: one place each for 1, 2, 4 and 5, two for 3, and the
# water. What a pitch leaves is air.
TARGET_PITCH, TRACKER_PITCH = 44.215, 45.229
MODULES = {
    "modules-a": (-5, 4, 4293.04, TARGET_PITCH),
    "modules-b": (0, 4, 4514.11, TARGET_PITCH),
    "modules-c": (5, 4, 4735.19, TARGET_PITCH),
    "modules-d": (11, 4, 5000.48, TARGET_PITCH),
    "modules-e": (15, 4, 5456.74, TARGET_PITCH),
    "modules-f": (20, 2, 5677.81, TARGET_PITCH),
    "tracker": (23, 62, 5810.45, TRACKER_PITCH),
}
# From the upstream face of a module (its first lead) to the centre of its plane 1.
FIRST_PLANE = LEAD_SHEET + PLANE_THICKNESS / 2

# Downstream: 10 ECAL modules, like those of the tracker but with sheets of lead over the whole
# plane, and 20 HCAL modules of one inch of steel and one plane (NIM, TH). Their pitch is [assumed].
ECAL_MODULES, ECAL_PITCH = 10, TRACKER_PITCH
HCAL_MODULES, HCAL_PITCH, HCAL_STEEL = 20, 47.6, 25.4

# ----- passive targets ---------------------------------------------------------------------------

# Plates in sectors. Densities as measured: MAT. 99 % Fe, 1 % Mn: MAT.
TARGET_IRON = Material("target iron", {"Fe": 0.99, "Mn": 0.01}, density=7.834)
TARGET_LEAD = Material.from_mass_fractions("target lead", {LEAD: 1.0}, density=11.29)
TARGET_CARBON = Material("target carbon", {"C": 1.0}, density=1.739)
# Line between iron and lead in 1, 2 and 5: 205 mm from the axis (MAT), perpendicular to the way to
# a corner. Here as the azimuth of that corner. Target 3: carbon on the half around 60 degrees, iron
# from 150 to 270, lead from 270 to 330 degrees (MAT).
DIVISION = 205.0
# Target: centre of plates as placed after survey (the carbon of 3 apart), and for each sector its
# material, measured thickness and azimuths or corner: all MAT.
TARGETS = {
    "target-1": (4482.316, 150.0, {"iron": (TARGET_IRON, 25.67), "lead": (TARGET_LEAD, 25.78)}),
    "target-2": (4702.324, 30.0, {"iron": (TARGET_IRON, 25.63), "lead": (TARGET_LEAD, 25.81)}),
    "target-5": (5776.32, 150.0, {"iron": (TARGET_IRON, 12.89), "lead": (TARGET_LEAD, 13.17)}),
}
TARGET_3 = {
    "carbon": (TARGET_CARBON, 4945.92, 76.20, (-30.0, 150.0)),
    "iron": (TARGET_IRON, 4920.695, 25.73, (150.0, 270.0)),
    "lead": (TARGET_LEAD, 4920.695, 25.63, (270.0, 330.0)),
}
TARGET_4 = (TARGET_LEAD, 5641.68, 7.95)
# Masses [kg] within an apothem of 850 mm, relative tolerance, source. Target 1: NIM; the others are
# areas times measured thickness times density as MAT has them.
_NIM, _MAT = "NIM A743, 130", "MAT: measured thickness and density, area"
TARGET_MASSES = {
    "target-1-iron": (322.0, 0.005, _NIM),
    "target-1-lead": (263.0, 0.005, _NIM),
    "target-2-iron": (321.2, 0.002, _MAT),
    "target-2-lead": (263.1, 0.002, _MAT),
    "target-3-carbon": (165.8, 0.002, _MAT),
    "target-3-iron": (168.2, 0.002, _MAT),
    "target-3-lead": (120.7, 0.002, _MAT),
    "target-4-lead": (224.6, 0.002, _MAT),
    "target-5-iron": (161.6, 0.002, _MAT),
    "target-5-lead": (134.3, 0.002, _MAT),
}
# The plates reach further out than the volume that counts, up to here [assumed].
TARGET_APOTHEM = 920.0

# Water in a bag, a lens of 170 to 240 mm (NIM [unverified]); 430.2 +- 8.6 kg on a hexagon with an
# apothem of 850 mm, 436.1 kg within a radius of 900 mm, between z = 5200 and 5420 mm (MAT). Here a
# disc of constant thickness; its radius is [assumed], the bag and its frame are left out.
WATER_Z, WATER_RADIUS, WATER_MASS = 5310.0, 1000.0, 430.2

# ----- outer detector ----------------------------------------------------------------------------

# Hexagonal frames of steel around each module, 34.9 mm thick, for the HCAL 38.1 mm, with slots for
# bars of scintillator [unverified]; apothems from 1.07 to 1.725 m: NIM, figure 1 [unverified].
# There too: 116 t [unverified], here for what surrounds targets and tracker, 90 frames [assumed].
# With a tenth of the volume for bars [assumed] that makes the share of steel 0.73; the rest is air.
FRAME = (1070.0, 1725.0)
FRAME_THICKNESS, HCAL_FRAME_THICKNESS = 34.9, 38.1
FRAMES_MASS = 116.0
FRAME_BARS = 0.1
# Places of modules, -5 to 14, 15 to 22, 23 to 84: number and upstream face from MODULES.
FRAMES = {
    "frames-a": (20, 4293.04 - FIRST_PLANE, TARGET_PITCH),
    "frames-b": (8, 5456.74 - FIRST_PLANE, TARGET_PITCH),
    "frames-c": (62, 5810.45 - FIRST_PLANE, TRACKER_PITCH),
}

# ----- upstream ----------------------------------------------------------------------------------

# Veto wall: 5 cm of steel, scintillator, 2.5 cm of steel, scintillator of 1.9 cm (NIM
# [unverified]); position, gaps and width [assumed].
VETO_Z, VETO_WIDTH = 1200.0, 3000.0
VETO_WALL = (
    ("steel-1", 50.0, STEEL),
    ("scintillator-1", 19.0, SCINTILLATOR),
    ("steel-2", 25.0, STEEL),
    ("scintillator-2", 19.0, SCINTILLATOR),
)
VETO_GAP = 30.0
# Helium target: 2300 l of liquid, 0.125 g/cm3, in a vessel of 76 cm in radius with walls of 6.4 mm
# of aluminium, in a vacuum vessel of 91.5 cm in radius and 2 m length with walls of 9.5 mm (NIM
# [unverified]); position [assumed]. Empty in much of the low-energy data: build(helium=False).
HELIUM = Material("liquid helium", {"He": 1.0}, density=0.125)
HELIUM_VOLUME, HELIUM_RADIUS, HELIUM_WALL = 2300e3, 760.0, 6.4  # cm3, mm, mm
VESSEL_RADIUS, VESSEL_LENGTH, VESSEL_WALL = 915.0, 2000.0, 9.5
HELIUM_Z = 2900.0

# ----- volumes that count ------------------------------------------------------------------------

# Cross sections: apothem 850 mm; tracker from plane 1 of module 27 to plane 2 of module 80, 108
# planes; targets from 4293.04 to 5835 mm (MAT).
FIDUCIAL_APOTHEM = 850.0
FIDUCIAL_MODULES = (27, 80)
TARGET_REGION = (4293.04, 5835.0)
# Scattering on electrons: apothem 881.25 mm [unverified], 57 modules up to number 80 [unverified].
# That makes 6.094 t; NUE: 6.10 t, and 5.99 t for antineutrinos, as 56 modules make.
ELECTRON_APOTHEM = 881.25
ELECTRON_MODULES = (24, 80)
ELECTRON_MASS = 6.10


def build(helium: bool = True) -> DetectorModel:
    """Return MINERvA; without `helium` the inner vessel of the helium target is empty."""
    detector = DetectorModel("minerva")
    add_site(detector)
    add_upstream(detector, helium)
    add_frames(detector)
    add_modules(detector)
    add_calorimeters(detector)
    add_targets(detector)
    add_regions(detector)
    set_beam(detector)
    return detector


def set_beam(detector: DetectorModel) -> None:
    down, along = math.sin(BEAM_ANGLE), math.cos(BEAM_ANGLE)
    start = TARGET_DISTANCE - DECAY_PIPE_START
    end = DECAY_PIPE_START + DECAY_PIPE_LENGTH
    detector.set_beam(
        (0.0, -down, along),
        distance=TARGET_DISTANCE * m,
        description=(
            f"axis of the NuMI beam, 3.37 degrees down, target at {TARGET_DISTANCE:g} m; mesons "
            f"decay in a pipe from {DECAY_PIPE_START:g} to {end:g} m behind the target, "
            f"{DECAY_PIPE_RADIUS:g} m in radius"
        ),
        source_start=(0.0, start * down * m, -start * along * m),
        source_length=DECAY_PIPE_LENGTH * m,
    )


def add_site(detector: DetectorModel) -> None:
    width = (-ROCK_HALF_WIDTH, ROCK_HALF_WIDTH)
    height = (-ROCK_HALF_WIDTH, HALL_Y[0] + SURFACE)
    for name, x, y, z, material in (
        ("rock", width, height, (ROCK_UPSTREAM_END, ROCK_DOWNSTREAM_END), ROCK),
        ("tunnel", TUNNEL_X, TUNNEL_Y, TUNNEL_Z, AIR),
        ("hall", HALL_X, HALL_Y, HALL_Z, AIR),
    ):
        solid = Box(*((high - low) * m for low, high in (x, y, z)))
        detector.add(name, solid, material, at=[(a + b) / 2 * m for a, b in (x, y, z)])


def add_upstream(detector: DetectorModel, helium: bool) -> None:
    z = VETO_Z
    for name, thickness, material in VETO_WALL:
        solid = Box(VETO_WIDTH * mm, VETO_WIDTH * mm, thickness * mm)
        detector.add(f"veto-{name}", solid, material, at=at_z(z + thickness / 2))
        z += thickness + VETO_GAP

    length = HELIUM_VOLUME / (math.pi * (HELIUM_RADIUS * mm) ** 2) / mm
    wall, outer = 2 * HELIUM_WALL, 2 * VESSEL_WALL
    for name, radius, size, material in (
        ("helium-vacuum-vessel", VESSEL_RADIUS, VESSEL_LENGTH, ALUMINIUM),
        ("helium-vacuum", VESSEL_RADIUS - VESSEL_WALL, VESSEL_LENGTH - outer, VACUUM),
        ("helium-vessel", HELIUM_RADIUS + HELIUM_WALL, length + wall, ALUMINIUM),
        ("helium", HELIUM_RADIUS, length, HELIUM if helium else VACUUM),
    ):
        detector.add(name, Cylinder(radius * mm, size * mm), material, at=at_z(HELIUM_Z))
    walls = ["veto-steel-1", "veto-steel-2"]
    detector.declare("wall", walls, "the veto wall, two plates of steel across the beam: NIM")
    detector.declare("wall", "helium-vacuum-vessel", "end caps of the helium target's cryostat")


def add_frames(detector: DetectorModel) -> None:
    """Add the outer detector; the hexagon inside is air, for the modules to come."""
    frames = dict(FRAMES)
    ecal, hcal = calorimeter_faces()
    frames["frames-ecal"] = (ECAL_MODULES, ecal, ECAL_PITCH)
    frames["frames-hcal"] = (HCAL_MODULES, hcal, HCAL_PITCH)
    area = 2 * math.sqrt(3) * (FRAME[1] ** 2 - FRAME[0] ** 2) * mm**2
    number = sum(FRAMES[name][0] for name in FRAMES)
    density = FRAMES_MASS * tonne / (number * area * FRAME_THICKNESS * mm)
    share = (density - FRAME_BARS * SCINTILLATOR.density) / STEEL.density
    steel = Material.from_volume_fractions(
        "outer detector", {STEEL: share, SCINTILLATOR: FRAME_BARS, AIR: 1 - share - FRAME_BARS}
    )
    following = [*[face for _, face, _ in frames.values()][1:], math.inf]
    for (name, (count, face, pitch)), end in zip(frames.items(), following, strict=True):
        # The places of modules are rounded to 10 um: the last air gap ends where the next begins.
        pitch = min(pitch, (end - face) / count)
        thickness = HCAL_FRAME_THICKNESS if name == "frames-hcal" else FRAME_THICKNESS
        layers = [(thickness, steel), (pitch - thickness, AIR)]
        add_stack(detector, name, FRAME[1], layers, count, face)
        hole = RegularPrism(6, FRAME[0] * mm, count * pitch * mm)
        detector.add(f"{name}-inside", hole, AIR, at=at_z(face + count * pitch / 2))
    names = list(FRAMES)
    source = "NIM A743, 130, figure 1 [unverified]"
    detector.publish_mass("outer detector", names, FRAMES_MASS * tonne, 0.01, source)


def module_layers(pitch: float, lead: Material) -> list[tuple[float, Material]]:
    """Layers of a module with two planes, `lead` being what is in the place of the sheets."""
    gap = SECOND_PLANE - PLANE_THICKNESS - LEAD_SHEET
    return [
        (LEAD_SHEET, lead),
        (PLANE_THICKNESS, PLANE),
        (gap, AIR),
        (LEAD_SHEET, lead),
        (PLANE_THICKNESS, PLANE),
        (pitch - gap - 2 * (LEAD_SHEET + PLANE_THICKNESS), AIR),
    ]


def module_face(number: int) -> float:
    """Return the upstream face [mm] of one of the tracker's modules."""
    first, _, centre, pitch = MODULES["tracker"]
    return centre - FIRST_PLANE + (number - first) * pitch


def add_modules(detector: DetectorModel) -> None:
    for name, (_, count, centre, pitch) in MODULES.items():
        face = centre - FIRST_PLANE
        inside = name if name == "tracker" else f"{name}-tracker"
        ring = "tracker-side-ecal" if name == "tracker" else f"{name}-side-ecal"
        add_stack(detector, ring, SIDE_ECAL[1], module_layers(pitch, LEAD), count, face)
        add_stack(detector, inside, SIDE_ECAL[0], module_layers(pitch, AIR), count, face)
    # The part in which scattering on electrons counts, once more: it has a published mass.
    first, last = ELECTRON_MODULES
    layers = module_layers(TRACKER_PITCH, AIR)
    name = "tracker-fiducial"
    add_stack(detector, name, ELECTRON_APOTHEM, layers, last - first + 1, module_face(first))
    detector.publish_mass(
        "fiducial mass of neutrino-electron scattering",
        [name],
        ELECTRON_MASS * tonne,
        0.01,
        "PRD 93, 112007; PRD 100, 092001",
    )


def calorimeter_faces() -> tuple[float, float]:
    """Return the upstream faces [mm] of ECAL and HCAL."""
    ecal = module_face(MODULES["tracker"][0] + MODULES["tracker"][1])
    return ecal, ecal + ECAL_MODULES * ECAL_PITCH


def add_calorimeters(detector: DetectorModel) -> None:
    ecal, hcal = calorimeter_faces()
    layers = module_layers(ECAL_PITCH, LEAD)
    add_stack(detector, "ecal", SIDE_ECAL[1], layers, ECAL_MODULES, ecal)
    rest = HCAL_PITCH - HCAL_STEEL - PLANE_THICKNESS
    layers = [(HCAL_STEEL, STEEL), (PLANE_THICKNESS, PLANE), (rest, AIR)]
    add_stack(detector, "hcal", SIDE_ECAL[1], layers, HCAL_MODULES, hcal)


def target_plates() -> dict[str, tuple[Material, float, float, Polygon, Polygon]]:
    """Return the sectors of the passive targets by name.

    Material, centre and thickness [mm], cross sections of what counts and of the whole plate.
    """
    plates = {}
    for target, (z, corner, sectors) in TARGETS.items():
        for k, (name, (material, thickness)) in enumerate(sectors.items()):
            inner, outer = (
                divided_hexagon(apothem, corner)[k]
                for apothem in (FIDUCIAL_APOTHEM, TARGET_APOTHEM)
            )
            plates[f"{target}-{name}"] = (material, z, thickness, inner, outer)
    for name, (material, z, thickness, azimuths) in TARGET_3.items():
        inner, outer = (
            sector(apothem, *azimuths) for apothem in (FIDUCIAL_APOTHEM, TARGET_APOTHEM)
        )
        plates[f"target-3-{name}"] = (material, z, thickness, inner, outer)
    material, z, thickness = TARGET_4
    inner, outer = hexagon(FIDUCIAL_APOTHEM), hexagon(TARGET_APOTHEM)
    plates["target-4-lead"] = (material, z, thickness, inner, outer)
    return plates


def add_targets(detector: DetectorModel) -> None:
    """Add passive targets and water; what counts lies as a volume of its own in the plate."""
    for name, (material, z, thickness, inner, outer) in target_plates().items():
        for volume, polygon in ((f"{name}-plate", outer), (name, inner)):
            solid = prism(polygon, thickness)
            detector.add(volume, solid, material, at=at_z(z))
        detector.add_region(name, prism(inner, thickness), at=at_z(z))
        mass, tolerance, source = TARGET_MASSES[name]
        detector.publish_mass(f"{name}, apothem 85 cm", [name], mass * kg, tolerance, source)
    for material in ("iron", "lead"):
        names = [name for name in target_plates() if name.endswith(material)]
        detector.add_region(f"{material}-targets", names)

    area = hexagon(FIDUCIAL_APOTHEM).area * mm**2
    thickness = WATER_MASS * kg / (area * WATER.density)
    at = at_z(WATER_Z)
    detector.add("water-target-lens", Cylinder(WATER_RADIUS * mm, thickness), WATER, at=at)
    core = RegularPrism(6, FIDUCIAL_APOTHEM * mm, thickness)
    detector.add("water-target", core, WATER, at=at)
    detector.add_region("water-target", core, at=at)
    detector.publish_mass(
        "water, apothem 85 cm", ["water-target"], WATER_MASS * kg, 0.01, "MAT: 430.2 +- 8.6 kg"
    )


def add_regions(detector: DetectorModel) -> None:
    first, last = FIDUCIAL_MODULES
    faces = module_face(first), module_face(last) + FIRST_PLANE + SECOND_PLANE + PLANE_THICKNESS / 2
    add_hexagon_region(detector, "tracker", FIDUCIAL_APOTHEM, *faces)
    add_hexagon_region(detector, "nuclear-targets", FIDUCIAL_APOTHEM, *TARGET_REGION)
    air = "the region of the nuclear targets is one prism, with the air between its modules"
    between = ["hall", "frames-a-inside", "frames-b-inside"]
    detector.declare("region", ["nuclear-targets", *between], air)
    first, last = ELECTRON_MODULES
    faces = module_face(first), module_face(last + 1)
    add_hexagon_region(detector, "electron-scattering", ELECTRON_APOTHEM, *faces)


def add_hexagon_region(
    detector: DetectorModel, name: str, apothem: float, face: float, end: float
) -> None:
    solid = RegularPrism(6, apothem * mm, (end - face) * mm)
    detector.add_region(name, solid, at=at_z((face + end) / 2))


def add_stack(
    detector: DetectorModel,
    name: str,
    apothem: float,
    layers: list[tuple[float, Material]],
    count: int,
    face: float,
) -> None:
    """Add a hexagonal stack from the layers [mm] of one module; `face` [mm] is its upstream end."""
    pattern = Pattern([(thickness * mm, material) for thickness, material in layers]) * count
    outline = RegularPrism(6, apothem * mm, pattern.thickness)
    stack = LayerStack.inside(outline, pattern)
    detector.add_stack(name, stack, at=at_z(face + pattern.thickness / 2 / mm))


def at_z(z: float) -> tuple[float, float, float]:
    """Return a point on the axis in the frame of the model [cm]; z in mm as in the tables."""
    return 0.0, 0.0, (z - Z_ORIGIN) * mm


def prism(polygon: Polygon, thickness: float) -> Prism:
    """Return a plate; polygon and thickness in mm."""
    return Prism(scale(polygon, mm, mm, origin=(0, 0)), thickness * mm)


def hexagon(apothem: float) -> Polygon:
    return sector(apothem, 30.0, 390.0)


def sector(apothem: float, start: float, stop: float) -> Polygon:
    """Return the part of a hexagon between the azimuths [deg] of two corners."""
    radius = apothem / math.cos(math.radians(30.0))
    count = round((stop - start) / 60.0)
    corners = [direction(start + 60.0 * k, radius) for k in range(count + (count < 6))]
    # For half a hexagon or the whole one the centre is no corner.
    return Polygon(corners if count in (3, 6) else [(0.0, 0.0), *corners])


def divided_hexagon(apothem: float, azimuth: float) -> tuple[Polygon, Polygon]:
    """Return the parts of a hexagon on this and on the far side of the line at `DIVISION`.

    The line is perpendicular to the direction of a corner, given by its azimuth [deg].
    """
    whole = hexagon(apothem)
    reach = 2 * apothem
    near = rotate(box(-reach, -reach, DIVISION, reach), azimuth, origin=(0, 0))
    return whole.intersection(near), whole.difference(near)


def direction(azimuth: float, length: float) -> tuple[float, float]:
    return length * math.cos(math.radians(azimuth)), length * math.sin(math.radians(azimuth))
