from __future__ import annotations

import time
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from siren_py import material_library
from siren_py.detector import DetectorModel
from siren_py.geometry import Box
from siren_py.materials import Material
from siren_py.resources import load_detector, load_script

NAMES = ("nd280", "nd280-upgrade")

# Regions: expected volume [m3], volumes that their points lie in, largest share of another volume.
REGIONS = {
    "nd280": {
        "tpc1": (1.876, "tpc1-gas", 0.008),
        "tpc2": (1.876, "tpc2-gas", 0.008),
        "tpc3": (1.876, "tpc3-gas", 0.008),
        "tpc1-drift": (3.0, "tpc1-gas", 0.008),
        "fgd1": (0.950, "fgd1", 0.0),
        "fgd2": (0.989, "fgd2", 0.0),
        "p0d": (4.747, "p0d-water-target-core", 0.0),
    },
    "nd280-upgrade": {
        "tpc1": (1.876, "tpc1-gas", 0.008),
        "tpc3": (1.876, "tpc3-gas", 0.008),
        "ha-tpc1": (0.734, "ha-tpc1-gas", 0.009),
        "ha-tpc2": (0.734, "ha-tpc2-gas", 0.009),
        "fgd1": (0.865, "fgd1", 0.0),
        "fgd2": (0.897, "fgd2", 0.0),
        "superfgd": (1.957, "superfgd", 0.0),
    },
}


@cache
def detector(name: str) -> DetectorModel:
    return load_detector(name)


def along_z(model: DetectorModel, x: float, y: float, z1: float, z2: float) -> dict[str, float]:
    """Length of each material between z1 and z2 [cm]."""
    segments = model.trace([[x, y, 0.0]], [[0.0, 0.0, 1.0]], z1, z2)
    lengths: dict[str, float] = {}
    for material, length in zip(segments.material, segments.length, strict=True):
        key = segments.material_names[material]
        lengths[key] = lengths.get(key, 0.0) + float(length)
    return lengths


@pytest.mark.parametrize("name", NAMES)
def test_published_masses_are_met(name: str) -> None:
    rows = detector(name).published_masses()
    assert len(rows) > 15
    for row in rows:
        assert row.ok, row
        assert row.source


@pytest.mark.parametrize("name", NAMES)
def test_tolerances_are_tight(name: str) -> None:
    assert not [row.part for row in detector(name).published_masses() if row.tolerance > 0.04]


@pytest.mark.parametrize("name", NAMES)
def test_later_volumes_lie_wholly_inside_the_ones_they_displace(name: str) -> None:
    rng = np.random.default_rng(20260101)
    placed = detector(name).placed()
    for earlier, later in combinations(placed, 2):
        (lo1, hi1), (lo2, hi2) = earlier.box(), later.box()
        overlap = np.prod(np.clip(np.minimum(hi1, hi2) - np.maximum(lo1, lo2), 0.0, None))
        if overlap == 0.0:
            continue
        if isinstance(earlier.solid, Box) and isinstance(later.solid, Box):
            share = float(overlap / np.prod(hi2 - lo2))
            assert min(share, abs(share - 1.0)) < 1e-9, (earlier.name, later.name, share)
            continue
        points = later.placement.to_detector(later.solid.sample(500, rng))
        inside = earlier.solid.contains(earlier.placement.to_local(points))
        assert inside.all() or not inside.any(), (earlier.name, later.name)


@pytest.mark.parametrize("name", NAMES)
def test_every_volume_is_seen(name: str) -> None:
    for volume, mass in detector(name).masses().items():
        assert mass.value > 0.0, volume


@pytest.mark.parametrize(
    ("name", "region"), [(name, region) for name in NAMES for region in REGIONS[name]]
)
def test_regions_lie_where_they_should(name: str, region: str) -> None:
    volume, expected, others = REGIONS[name][region]
    model = detector(name)
    assert model.region(region).volume() / 1e6 == pytest.approx(volume, rel=2e-3)
    points = model.region(region).sample(20_000, np.random.default_rng(7))
    where = model.locate(points)
    cathode = expected.replace("-gas", "-cathode")
    assert set(where) <= {expected, cathode}
    share = np.mean(where != expected)
    # Four standard deviations of a share of a per cent.
    assert share == pytest.approx(others, abs=0.003 if others else 0.0)


def test_composite_regions() -> None:
    old, new = detector("nd280"), detector("nd280-upgrade")
    assert set(old.region("tpc").leaves) == {"tpc1", "tpc2", "tpc3"}
    assert set(new.region("ha-tpc").leaves) == {"ha-tpc1", "ha-tpc2"}
    assert len(new.region("all-tpc").leaves) == 5
    # Old and new fiducial volumes as the literature has them: ratio .391 per TPC.
    ratio = new.region("ha-tpc1").volume() / new.region("tpc1").volume()
    assert ratio == pytest.approx(0.391, abs=1e-3)


def test_tpc_gas() -> None:
    gas = next(one for one in detector("nd280").materials if one.name == "T2K gas")
    assert gas.density == pytest.approx(1.738e-3)
    elements = gas.element_fractions
    assert elements["Ar"] == pytest.approx(0.909, abs=5e-4)
    assert elements["F"] == pytest.approx(0.0546, abs=5e-4)
    # The gas volume of each TPC is 3.0 m3; so it is a density per thousand, not per one.
    mass = detector("nd280").masses()["tpc2-gas"].value
    assert mass == pytest.approx(3.0e6 * 1.738e-3, rel=0.01)


def test_p0d_layers_on_a_line() -> None:
    model = detector("nd280")
    lengths = along_z(model, -20.0, 0.0, -329.65, -94.0)
    script = load_script("nd280")
    assert lengths["P0Dule"] == pytest.approx(40 * 3.875, rel=1e-6)
    assert lengths["lead radiator"] == pytest.approx(14 * 0.487, rel=1e-6)
    assert lengths["brass"] == pytest.approx(25 * 0.128, rel=1e-6)
    assert lengths["water"] == pytest.approx(25 * script.WATER_THICKNESS / 10, rel=1e-6)
    # 15.3 t of layers on 2.105 m x 2.238 m, plus what the bags have on the line but not at the rim.
    depth = model.column_depth([[-20.0, 0.0, -329.65]], [[-20.0, 0.0, -94.0]])[0]
    assert depth == pytest.approx(325.0, rel=0.01)


def test_p0d_water_of_the_fiducial_volume() -> None:
    # 1902 kg: T2K, e.g. Phys. Rev. D 97, 012001 (2018).
    lo, hi = detector("nd280").region("p0d").bounds()
    rng = np.random.default_rng(11)
    xy = rng.uniform(lo[:2], hi[:2], (20, 2))
    water = [along_z(detector("nd280"), x, y, lo[2], hi[2])["water"] for x, y in xy]
    mass = np.mean(water) * np.prod((hi - lo)[:2])
    assert mass / 1e3 == pytest.approx(1902.0, rel=1e-3)


def test_lead_of_the_radiators() -> None:
    model = detector("nd280")
    radiator = next(one for one in model.materials if one.name == "lead radiator")
    volumes = ["p0d-upstream-ecal", "p0d-central-ecal"]
    mass = model.mass_by_material(volumes)["lead radiator"].value
    lead = mass * radiator.element_fractions["Pb"]
    # 25 plates' worth of 431.8 mm x 403.23 mm x 3.45 mm in each of 14 sheets.
    assert lead == pytest.approx(14 * 25 * 43.18 * 40.323 * 0.345 * 11.35, rel=0.02)


@pytest.mark.parametrize(
    ("line", "radiation_lengths"),
    [
        # Lead only: T2K, NIM A659, 106 gives 9.7 for the barrel and 10.6 downstream.
        (((120.0, 10.0, 100.0), (182.0, 10.0, 100.0)), 9.7),
        (((10.0, 125.0, 100.0), (10.0, 175.0, 100.0)), 9.7),
        (((30.0, -125.0, 100.0), (30.0, -175.5, 100.0)), 9.7),
        (((0.0, 10.0, 281.5), (0.0, 10.0, 332.0)), 10.6),
        (((-150.0, 10.0, -200.0), (-170.0, 10.0, -200.0)), 4.3),
    ],
)
def test_ecals_have_their_lead(
    line: tuple[tuple[float, ...], tuple[float, ...]], radiation_lengths: float
) -> None:
    model = detector("nd280")
    start, end = np.array(line)
    length = np.linalg.norm(end - start)
    segments = model.trace([start], [(end - start) / length], 0.0, length)
    names = np.array(segments.material_names)[segments.material]
    lead = segments.length[names == "lead"].sum() / material_library.LEAD.radiation_length_cm
    assert lead == pytest.approx(radiation_lengths, rel=0.01)
    # From inside the first layer is scintillator.
    layers = [one for one in names if one in ("lead", "polystyrene scintillator")]
    assert layers[0] == "polystyrene scintillator"
    assert layers[-1] == "lead"


def test_fgd_areal_densities() -> None:
    # XY module 2.1463 g/cm2 (TN-91), water module 2.79867 g/cm2 (TN-198).
    for name in NAMES:
        model = detector(name)
        for fgd, areal in (
            ("fgd1", 15 * 2.1463),
            ("fgd2", 7 * 2.1463 + 6 * 2.79867),
        ):
            lo, hi = model.placed()[list(model.volumes).index(fgd)].box()
            start, end = (10.0, 5.0, lo[2] - 0.1), (10.0, 5.0, hi[2] + 0.1)
            depth = model.column_depth([start], [end])[0]
            assert depth == pytest.approx(areal, rel=1e-3)
    oxygen = detector("nd280").mass_by_material(["fgd2"])["fgd2 water module"].value * 0.736
    assert oxygen == pytest.approx(6 * 2.0601 * 186.43**2, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_across_the_beam_in_the_aperture(name: str) -> None:
    ends = [(50.0, 5.0, z) for z in (-380.0, -331.0)], [(50.0, 5.0, z) for z in (333.0, 380.0)]
    for start, end in ends:
        assert detector(name).column_depth([start], [end])[0] < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_soil_upstream(name: str) -> None:
    model = detector(name)
    depth = model.column_depth([(0.0, 0.0, -30_000.0)], [(0.0, 0.0, -400.0)])[0]
    assert depth == pytest.approx((16_500 - 875) * 2.15, rel=1e-3)
    # The shaft is vertical: air above the magnet, soil beside it.
    assert list(model.locate([(0, 1900, 0), (0, 2100, 5000), (0, 1900, 5000), (900, 0, 0)])) == [
        "pit",
        "air",
        "soil",
        "soil",
    ]
    # From its upstream end the soil goes on to 40 degrees from the beam.
    edge = 16_500 * np.tan(np.radians(40.0))
    assert set(model.locate([(edge, 0.0, -16_400.0), (0.0, -0.7 * edge, -16_400.0)])) == {"soil"}


@pytest.mark.parametrize("name", NAMES)
def test_beam(name: str) -> None:
    beam = detector(name).beam
    assert np.linalg.norm(beam.direction) == pytest.approx(1.0)
    assert np.degrees(np.arcsin(-beam.direction[1])) == pytest.approx(1.5, abs=0.05)
    assert beam.distance == pytest.approx(28_490.0)
    other = load_script(name).build(beam_direction=(0.0, 0.0, 1.0))
    assert other.beam.direction == (0.0, 0.0, 1.0)


def test_detector_masses_that_do_not_follow_from_published_ones() -> None:
    model = detector("nd280")
    lead = {name: model.stack_masses(f"{name}-layers")["lead"].value / 1e6 for name in
            ("barrel-ecal-left", "barrel-ecal-top-left", "downstream-ecal")}  # fmt: skip
    # Bars' area times 1.75 mm times layers.
    assert lead["barrel-ecal-left"] == pytest.approx(3.84 * 2.28 * 31 * 1.75e-3 * 11.35, rel=1e-3)
    assert lead["downstream-ecal"] == pytest.approx(4.0 * 34 * 1.75e-3 * 11.35, rel=1e-3)
    for volume in model:
        if volume.name.endswith("-structure"):
            # The rest of a module is aluminium: it cannot be denser than that.
            assert 0.5 < volume.materials[0].density <= material_library.ALUMINIUM.density


def test_upgrade_has_no_p0d_target_and_keeps_the_ecals() -> None:
    old, new = detector("nd280"), detector("nd280-upgrade")
    assert "water" not in new.material_names
    for name in ("p0d-ecal-left-layers", "barrel-ecal-top-right-layers", "yoke-3-left"):
        assert new.masses()[name] == old.masses()[name]
    cubes = new.volume("superfgd").solid.volume()
    assert cubes == pytest.approx(192 * 56 * 182)


@pytest.mark.parametrize("name", NAMES)
def test_tracing_takes_microseconds(name: str) -> None:
    model = detector(name)
    n = 20_000
    ends = model.region("tpc").sample(n, np.random.default_rng(3))
    starts = ends - [0.0, 0.0, 16_000.0] + np.random.default_rng(4).normal(0.0, 300.0, (n, 3))
    model.column_depth(starts[:10], ends[:10])
    begin = time.perf_counter()
    depth = model.column_depth(starts, ends)
    assert (time.perf_counter() - begin) / n < 50e-6
    assert np.all(np.isfinite(depth))
    assert np.all(depth > 1e4)


def test_material_library() -> None:
    materials = {k: v for k, v in vars(material_library).items() if isinstance(v, Material)}
    assert len(materials) > 20
    assert len({one.name for one in materials.values()}) == len(materials)
    for material in materials.values():
        assert sum(material.mass_fractions.values()) == pytest.approx(1.0)
    # PDG radiation lengths [g/cm2] of the materials that PDG lists.
    for material, expected in (
        (material_library.AIR, 36.62),
        (material_library.WATER, 36.08),
        (material_library.POLYSTYRENE, 43.79),
        (material_library.CONCRETE, 26.57),
        (material_library.ALUMINIUM, 24.01),
        (material_library.LEAD, 6.37),
        (material_library.KAPTON, 40.58),
    ):
        assert material.radiation_length == pytest.approx(expected, rel=0.01), material.name
