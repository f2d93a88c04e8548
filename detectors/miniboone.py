"""MiniBooNE: mineral oil in a spherical tank, in a vault of concrete under a berm of earth.

Frame: origin at the centre of the tank, z along the axis of the Booster Neutrino Beam
(downstream), y up, x to the left of someone who looks downstream. Lengths in m.

Sources
-------
NIM     MiniBooNE, NIM A599, 28 (2009), arXiv:0806.4201.
FLUX    MiniBooNE, Phys. Rev. D 79, 072002 (2009), arXiv:0806.1449.
WEB     the experiment's public pages on the detector, www-boone.fnal.gov.
OSC     MiniBooNE, Phys. Rev. D 103, 052002 (2021), arXiv:2006.16883.
SBN     geometry of the SBN site in the repository Harvard-Neutrino/SIREN, which quotes NIM, FLUX
        and the survey used by the collaboration's beam simulation.
DN      model of the dirt around MiniBooNE in the repository mhostert/DarkNews-generator.

A number followed by [unverified] was recalled, or read from a drawing, without a document at hand;
[assumed] means that no published value was found.
"""

from __future__ import annotations

import math

from siren_py import DetectorModel, Material
from siren_py.geometry import Box, Cone, Cylinder, Sphere
from siren_py.material_library import AIR, CONCRETE, STEEL, WATER
from siren_py.units import m, tonne

# What to cite, for `siren-py cite`: keys of siren_py's references.
CITATIONS = ("miniboone2009", "miniboone2009-flux", "miniboone2021")

# ----- beam --------------------------------------------------------------------------------------

# The centre of the tank is 541 m from the target (FLUX), 1.896 m above the axis of the beam (SBN;
# FLUX: 1.9 m). Neutrinos come from where mesons decay, all along a pipe of 50 m (FLUX; in special
# runs 25 m, with the movable absorber down) and 0.9 m in radius, which begins 5 m behind the
# upstream end of the target [unverified].
TARGET_DISTANCE = 541.0
HEIGHT_ABOVE_BEAM = 1.896
DECAY_PIPE_START, DECAY_PIPE_LENGTH, DECAY_PIPE_RADIUS = 5.0, 50.0, 0.9

# ----- tank --------------------------------------------------------------------------------------

# Inner radius and radius of the optical barrier between signal and veto region: NIM. The inner
# radius is also quoted as 20 feet, 609.6 cm (SBN).
TANK_INNER_RADIUS = 6.106
OPTICAL_BARRIER_RADIUS = 5.746
# Carbon steel; 1 cm, i.e. 37 t, is [assumed]. Left out: legs, barrier, 1520 photomultipliers with
# their frames and cables, the chimney and the overflow tank.
TANK_THICKNESS = 0.010

# Marcol 7, CH2, 0.845 +- 0.001 g/cm3 (WEB; 0.836 to 0.855 are found elsewhere, for other
# temperatures). The mass quoted everywhere, 818 t (OSC), is 1.5 % more than fits in the tank at
# this density; it holds the oil of the overflow tank and the pipes, or is the delivered amount.
OIL = Material.from_formula("CH2", density=0.845, name="mineral oil")
OIL_MASS = 818.0

# Events count whose vertex lies within 500 cm of the centre (OSC).
FIDUCIAL_RADIUS = 5.0

# ----- vault -------------------------------------------------------------------------------------

# A vertical cylinder, 45 feet wide inside (NIM), of concrete; above it a room for electronics;
# above that at least 3 m of earth (NIM). The rest is rounded from NIM's drawing [unverified].
VAULT_RADIUS = 13.716 / 2
VAULT_WALL, VAULT_FLOOR, VAULT_CEILING = 0.45, 0.95, 0.50
VAULT_BOTTOM, VAULT_TOP = -7.1, 6.6  # of its air
ROOM_HEIGHT, ROOM_ROOF = 3.6, 0.65
OVERBURDEN = 3.0
BERM_SLOPE = math.radians(32.0)  # [unverified]

# ----- earth -------------------------------------------------------------------------------------

# The natural ground is at the floor of the room [assumed], so that the beam runs 9 m below it. At
# Fermilab 18 to 30 m of glacial till lie on dolomite (SBN); 20 m here. To the sides both are wide
# enough for particles that come from 200 m upstream at 35 degrees.
GROUND_LEVEL = VAULT_TOP + VAULT_CEILING
TILL_THICKNESS = 20.0
EARTH_HALF_WIDTH = 150.0
EARTH_BOTTOM = -120.0
EARTH_DOWNSTREAM_END = 100.0
AIR_TOP = 80.0

# Upstream the earth ends at the beam stop behind the decay pipe: 4 m of steel and concrete
# [unverified], which are left out, as is what surrounds the pipe: neutrinos are only on their way
# from there on.
BEAM_STOP = 4.0
EARTH_UPSTREAM_END = DECAY_PIPE_START + DECAY_PIPE_LENGTH + BEAM_STOP - TARGET_DISTANCE

# Density: DN (55 626 t on 25 873 m3); values from 1.9 (SBN) to 2.24 (shielding studies at Fermilab
# [unverified]) are in use. Composition: clay, silt and sand with a fifth of carbonates, 12 % water
# [assumed].
TILL = Material.from_mass_fractions(
    "glacial till",
    {
        WATER: 0.12,
        Material.from_formula("SiO2", density=2.65): 0.52,
        Material.from_formula("Al2O3", density=3.97): 0.11,
        Material.from_formula("CaMgC2O6", density=2.84): 0.18,
        Material.from_formula("Fe2O3", density=5.25): 0.04,
        Material.from_formula("K2O", density=2.35): 0.03,
    },
    density=2.15,
)
# The berm is the same, as fill: 1.9 g/cm3 [assumed].
FILL = Material.from_mass_fractions("fill", {TILL: 1.0}, density=1.9)
DOLOMITE = Material.from_formula("CaMgC2O6", density=2.6, name="dolomite")  # SBN


def build() -> DetectorModel:
    detector = DetectorModel("miniboone")
    add_earth(detector)
    add_vault(detector)
    add_tank(detector)
    add_regions(detector)
    detector.set_beam(
        (0.0, HEIGHT_ABOVE_BEAM, TARGET_DISTANCE),
        distance=math.hypot(HEIGHT_ABOVE_BEAM, TARGET_DISTANCE) * m,
        description=(
            "from the target of the Booster Neutrino Beam, 541 m away, to the centre of the tank; "
            f"mesons decay in a pipe from {DECAY_PIPE_START:g} to "
            f"{DECAY_PIPE_START + DECAY_PIPE_LENGTH:g} m behind the target, "
            f"{DECAY_PIPE_RADIUS:g} m in radius"
        ),
        source_start=(0.0, -HEIGHT_ABOVE_BEAM * m, (DECAY_PIPE_START - TARGET_DISTANCE) * m),
        source_axis=(0.0, 0.0, 1.0),
        source_length=DECAY_PIPE_LENGTH * m,
    )
    return detector


def add_earth(detector: DetectorModel) -> None:
    bedrock = GROUND_LEVEL - TILL_THICKNESS
    for name, bottom, top, material in (
        ("air", GROUND_LEVEL, AIR_TOP, AIR),
        ("till", bedrock, GROUND_LEVEL, TILL),
        ("bedrock", EARTH_BOTTOM, bedrock, DOLOMITE),
    ):
        length = EARTH_DOWNSTREAM_END - EARTH_UPSTREAM_END
        detector.add(
            name,
            Box(2 * EARTH_HALF_WIDTH * m, (top - bottom) * m, length * m),
            material,
            at=(0, (bottom + top) / 2 * m, (EARTH_UPSTREAM_END + length / 2) * m),
        )

    outside = VAULT_RADIUS + VAULT_WALL
    height = ROOM_HEIGHT + ROOM_ROOF + OVERBURDEN
    berm = Cone(
        height * m,
        radius_low=(outside + height / math.tan(BERM_SLOPE)) * m,
        radius_high=outside * m,
        axis="y",
    )
    detector.add("berm", berm, FILL, at=(0, (GROUND_LEVEL + height / 2) * m, 0))


def add_vault(detector: DetectorModel) -> None:
    outside = VAULT_RADIUS + VAULT_WALL
    room_top = GROUND_LEVEL + ROOM_HEIGHT
    for name, radius, bottom, top, material in (
        ("vault", outside, VAULT_BOTTOM - VAULT_FLOOR, GROUND_LEVEL, CONCRETE),
        ("vault-air", VAULT_RADIUS, VAULT_BOTTOM, VAULT_TOP, AIR),
        ("room", outside, GROUND_LEVEL, room_top + ROOM_ROOF, CONCRETE),
        ("room-air", VAULT_RADIUS, GROUND_LEVEL, room_top, AIR),
    ):
        add_cylinder(detector, name, radius, bottom, top, material)


def add_tank(detector: DetectorModel) -> None:
    detector.add("tank", Sphere((TANK_INNER_RADIUS + TANK_THICKNESS) * m), STEEL)
    detector.add("veto-oil", Sphere(TANK_INNER_RADIUS * m), OIL)
    detector.add("signal-oil", Sphere(OPTICAL_BARRIER_RADIUS * m), OIL)
    detector.publish_mass(
        "mineral oil",
        ["veto-oil", "signal-oil"],
        OIL_MASS * tonne,
        0.02,
        "PRD 103, 052002; includes oil outside the tank",
    )


def add_regions(detector: DetectorModel) -> None:
    barrier = OPTICAL_BARRIER_RADIUS * m
    detector.add_region("fiducial", Sphere(FIDUCIAL_RADIUS * m))
    detector.add_region("signal", Sphere(barrier))
    detector.add_region("veto", Sphere(TANK_INNER_RADIUS * m, inner_radius=barrier))
    detector.add_region("oil", ["signal", "veto"])


def add_cylinder(
    detector: DetectorModel,
    name: str,
    radius: float,
    bottom: float,
    top: float,
    material: Material,
) -> None:
    """Add an upright cylinder on the axis of the vault; lengths in m."""
    solid = Cylinder(radius * m, (top - bottom) * m, axis="y")
    detector.add(name, solid, material, at=(0, (bottom + top) / 2 * m, 0))
