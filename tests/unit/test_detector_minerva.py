from __future__ import annotations

import math
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from siren_py.detector import DetectorModel
from siren_py.resources import load_detector, load_script

HEXAGON = 2 * math.sqrt(3.0)  # area of a hexagon over the square of its apothem
ORIGIN = 720.0  # z of the frame's origin in the coordinates of the experiment [cm]
# Upstream face of the first lead of the tracker, 62 modules further that of the ECAL [cm].
TRACKER = (581.045 - 1.05, 581.045 - 1.05 + 62 * 4.5229)


@cache
def detector() -> DetectorModel:
    return load_detector("minerva")


def lengths(x: float, y: float, z1: float, z2: float) -> dict[str, float]:
    """Length of each material between two z [cm] in the coordinates of the experiment."""
    start, stop = z1 - ORIGIN, z2 - ORIGIN
    segments = detector().trace([[x, y, 0.0]], [[0.0, 0.0, 1.0]], start, stop)
    total: dict[str, float] = {}
    for material, length in zip(segments.material, segments.length, strict=True):
        key = segments.material_names[material]
        total[key] = total.get(key, 0.0) + float(length)
    return total


def material_at(x: float, y: float, z: float) -> str:
    material = detector().locate_index([[x, y, z - ORIGIN]])[1][0]
    return detector().material_names[material]


def polar(radius: float, azimuth: float) -> tuple[float, float]:
    return radius * math.cos(math.radians(azimuth)), radius * math.sin(math.radians(azimuth))


def test_published_masses_are_met() -> None:
    rows = detector().published_masses()
    assert len(rows) == 13
    for row in rows:
        assert row.ok, row
        assert row.source
        assert row.tolerance <= 0.01


def test_later_volumes_lie_wholly_inside_the_ones_they_displace() -> None:
    rng = np.random.default_rng(20260103)
    for earlier, later in combinations(detector().placed(), 2):
        (lo1, hi1), (lo2, hi2) = earlier.box(), later.box()
        if not (np.minimum(hi1, hi2) - np.maximum(lo1, lo2) > 1e-9).all():
            continue
        points = later.placement.to_detector(later.solid.sample(1000, rng))
        inside = earlier.solid.contains(earlier.placement.to_local(points))
        assert inside.all() or not inside.any(), (earlier.name, later.name)


def test_every_volume_is_seen() -> None:
    rng = np.random.default_rng(20260104)
    for placed in detector().placed():
        points = placed.placement.to_detector(placed.solid.sample(5000, rng))
        assert (detector().locate(points) == placed.name).any(), placed.name


def test_the_tracker_has_its_planes_and_its_air() -> None:
    # 62 modules of two planes each, 17 mm thick, on a pitch of 45.229 mm.
    inside = lengths(10.0, 5.0, *TRACKER)
    assert inside["scintillator plane"] == pytest.approx(124 * 1.7, rel=1e-9)
    assert inside["air"] == pytest.approx(62 * 4.5229 - 124 * 1.7, rel=1e-9)
    assert set(inside) == {"scintillator plane", "air"}
    # In the side ECAL 2 mm of lead for each plane.
    side = lengths(100.0, 5.0, *TRACKER)
    assert side["lead"] == pytest.approx(124 * 0.2, rel=1e-9)
    assert side["scintillator plane"] == pytest.approx(124 * 1.7, rel=1e-9)


def test_all_modules_upstream_are_there() -> None:
    # 22 modules between the targets, where no target is.
    for x in (95.0, -95.0):
        assert lengths(x, 0.0, 420.0, 580.0)["scintillator plane"] == pytest.approx(44 * 1.7)


def test_planes_are_where_they_were_surveyed() -> None:
    # First planes of modules -5, 27 and the two last ones of the fiducial tracker [mm].
    for z in (4293.04, 4313.68, 5991.29, 8388.51, 8408.91):
        for edge in (-8.0, 8.0):
            assert material_at(1.0, 2.0, (z + edge) / 10.0) == "scintillator plane", z
        assert material_at(1.0, 2.0, (z - 9.5) / 10.0) == "air", z


def test_areal_density_and_composition_of_a_plane() -> None:
    plane = next(one for one in detector().materials if one.name == "scintillator plane")
    assert plane.density * 1.7 == pytest.approx(1.9872)
    assert sum(plane.element_fractions.values()) == pytest.approx(1.0)
    assert plane.element_fractions["C"] == pytest.approx(0.8851)
    start, stop = ([[1.0, 2.0, z - ORIGIN]] for z in TRACKER)
    depth = detector().column_depth(start, stop)[0]
    assert depth == pytest.approx(124 * 1.9872, rel=2e-3)


def test_downstream_calorimeters() -> None:
    # 10 modules with 20 sheets of lead of 2 mm, 20 with 1 inch of steel and one plane.
    inside = lengths(10.0, 5.0, TRACKER[1], 1010.0)
    assert inside["lead"] == pytest.approx(20 * 0.2)
    assert inside["steel"] == pytest.approx(20 * 2.54)
    assert inside["scintillator plane"] == pytest.approx(40 * 1.7)


@pytest.mark.parametrize(
    ("z", "azimuth", "materials"),
    [
        # Iron this side of the line at 20.5 cm, perpendicular to a corner; lead beyond.
        (448.23, 150.0, ("target iron", "target lead")),
        (470.23, 30.0, ("target iron", "target lead")),
        (577.63, 150.0, ("target iron", "target lead")),
    ],
)
def test_iron_and_lead(z: float, azimuth: float, materials: tuple[str, str]) -> None:
    for along, expected in ((-90.0, 0), (0.0, 0), (20.0, 0), (21.0, 1), (90.0, 1)):
        for across in (-40.0, 0.0, 40.0) if abs(along) < 60.0 else (0.0,):
            x1, y1 = polar(along, azimuth)
            x2, y2 = polar(across, azimuth + 90.0)
            assert material_at(x1 + x2, y1 + y2, z) == materials[expected], (along, across)


def test_target_3() -> None:
    for azimuth, expected in (
        (-25.0, "target carbon"),
        (60.0, "target carbon"),
        (145.0, "target carbon"),
        (155.0, "target iron"),
        (265.0, "target iron"),
        (275.0, "target lead"),
        (325.0, "target lead"),
    ):
        assert material_at(*polar(80.0, azimuth), 492.0) == expected, azimuth
    # Only carbon is thick.
    assert material_at(*polar(80.0, 60.0), 498.0) == "target carbon"
    assert material_at(*polar(80.0, 210.0), 498.0) == "air"


def test_thickness_of_targets() -> None:
    iron = polar(50.0, -30.0)
    lead = polar(50.0, 150.0)
    assert lengths(*iron, 446.0, 450.0)["target iron"] == pytest.approx(2.567)
    assert lengths(*lead, 446.0, 450.0)["target lead"] == pytest.approx(2.578)
    assert lengths(0.0, 0.0, 562.0, 566.0)["target lead"] == pytest.approx(0.795)
    # 430 kg on 2.503 m2.
    assert lengths(0.0, 0.0, 517.0, 544.0)["water"] == pytest.approx(17.19, abs=0.01)
    # 436.1 kg (2 %) within 90 cm.
    water = math.pi * 90.0**2 * lengths(0.0, 0.0, 517.0, 544.0)["water"]
    assert water / 1e3 == pytest.approx(436.1, rel=0.02)


@pytest.mark.parametrize(
    ("region", "apothem", "planes", "mass"),
    [
        ("tracker", 85.0, 108, 5.371),
        # Neutrino-electron scattering: 6.10 t in PRD 93, 112007 and PRD 100, 092001.
        ("electron-scattering", 88.125, 114, 6.10),
    ],
)
def test_fiducial_volumes(region: str, apothem: float, planes: int, mass: float) -> None:
    area = HEXAGON * apothem**2
    one = detector().region(region)
    lo, hi = one.bounds()
    assert one.volume() == pytest.approx(area * (hi - lo)[2], rel=1e-9)
    inside = lengths(1.0, 2.0, lo[2] + ORIGIN, hi[2] + ORIGIN)
    assert inside["scintillator plane"] == pytest.approx(planes * 1.7, rel=1e-9)
    assert area * planes * 1.9872 / 1e6 == pytest.approx(mass, rel=2e-3)
    # And nothing but planes and the air between them.
    points = one.sample(5000, np.random.default_rng(8))
    materials = detector().locate_index(points)[1]
    names = {detector().material_names[m] for m in materials}
    assert names == {"scintillator plane", "air"}


def test_electron_scattering_for_antineutrinos() -> None:
    # 5.99 t (PRD 107, 012001) is one module less.
    mass = detector().mass_by_material("tracker-fiducial")["scintillator plane"].value
    assert mass * 56 / 57 / 1e6 == pytest.approx(5.99, rel=2e-3)


@pytest.mark.parametrize(
    ("region", "area"),
    [
        ("target-1-iron", 0.5 + 2 * 0.205 * 0.85 / 2.50281),
        ("target-2-lead", 0.5 - 2 * 0.205 * 0.85 / 2.50281),
        ("target-3-carbon", 1 / 2),
        ("target-3-iron", 1 / 3),
        ("target-3-lead", 1 / 6),
        ("target-4-lead", 1.0),
    ],
)
def test_areas_of_target_regions(region: str, area: float) -> None:
    one = detector().region(region)
    thickness = (one.bounds()[1] - one.bounds()[0])[2]
    # 2.503 m2: NIM A743, 130.
    assert one.volume() / thickness == pytest.approx(area * 25028.1, rel=1e-4)
    assert set(detector().locate(one.sample(2000, np.random.default_rng(9)))) == {region}


def test_composite_regions() -> None:
    model = detector()
    assert set(model.region("iron-targets").leaves) == {f"target-{k}-iron" for k in (1, 2, 3, 5)}
    assert set(model.region("lead-targets").leaves) == {f"target-{k}-lead" for k in range(1, 6)}
    lo, hi = model.region("nuclear-targets").bounds()
    for name in (*model.region("iron-targets").leaves, "target-3-carbon", "water-target"):
        low, high = model.region(name).bounds()
        assert (low >= lo).all(), name
        assert (high <= hi).all(), name


def test_outer_detector_surrounds_the_modules() -> None:
    model = detector()
    for azimuth in range(0, 360, 60):
        x, y = polar(140.0, azimuth)
        frames = lengths(x, y, 400.0, 1010.0)
        # 20 + 8 + 62 + 10 frames of 34.9 mm, 20 of 38.1 mm.
        assert frames["outer detector"] == pytest.approx(100 * 3.49 + 20 * 3.81)
    assert set(model.locate([(*polar(173.0, 0.0), 0.0)])) == {"hall"}


def test_upstream() -> None:
    line = lengths(10.0, 5.0, 0.0, 420.0)
    assert line["steel"] == pytest.approx(7.5)
    assert line["polystyrene scintillator"] == pytest.approx(3.8)
    empty = load_script("minerva").build(helium=False)
    assert empty.mass_by_material("helium")["vacuum"].value == 0.0
    helium = detector().mass_by_material("helium")["liquid helium"].value
    assert helium / 0.125 == pytest.approx(2.3e6)


def test_hall_and_rock() -> None:
    model = detector()
    # Rock above, below, beside and behind; in front of the hall the tunnel, then 240 m of rock.
    where = [(0, 800, 0), (0, -400, 0), (600, 0, 0), (0, 0, 2200), (0, 200, -4000), (0, 0, -6000)]
    assert list(model.locate(where)) == ["rock"] * 4 + ["tunnel", "rock"]
    way = -np.array(model.beam.direction)
    back = model.trace([[0.0, 0.0, 0.0]], [way], 0.0, 200_000.0)
    rock = back.length[[back.volume_names[v] == "rock" for v in back.volume]].sum()
    assert rock == pytest.approx(240e2, rel=0.01)


def test_densities() -> None:
    for material in detector().materials:
        if material.name not in ("air", "vacuum", "liquid helium"):
            assert 0.9 < material.density < 11.4, material.name


def test_beam() -> None:
    beam = detector().beam
    assert np.linalg.norm(beam.direction) == pytest.approx(1.0)
    assert math.degrees(math.asin(-beam.direction[1])) == pytest.approx(3.37, abs=0.01)
    assert beam.distance == pytest.approx(103_200.0)
    first, last = beam.source()
    assert np.linalg.norm(first) == pytest.approx((1032 - 46) * 100.0)
    assert np.linalg.norm(last) == pytest.approx((1032 - 46 - 675) * 100.0)
    # All matter is downstream of the source.
    lo, hi = detector().bounds()
    corners = np.array(np.meshgrid(*zip(lo, hi, strict=True))).reshape(3, -1).T
    assert ((corners - last) @ np.array(beam.direction) > 0.0).all()
