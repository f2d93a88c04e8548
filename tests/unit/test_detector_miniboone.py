from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from siren_py.detector import DetectorModel
from siren_py.resources import load_detector, load_script

REGIONS = {
    "fiducial": (5.0, 0.0, {"signal-oil"}),
    "signal": (5.746, 0.0, {"signal-oil"}),
    "veto": (6.106, 5.746, {"veto-oil"}),
    "oil": (6.106, 0.0, {"signal-oil", "veto-oil"}),
}


@cache
def detector() -> DetectorModel:
    return load_detector("miniboone")


def test_published_masses_are_met() -> None:
    rows = detector().published_masses()
    assert rows
    for row in rows:
        assert row.ok, row
        assert row.source


def test_oil() -> None:
    masses = detector().masses()
    # 805.8 t fit into the tank at 0.845 g/cm3; the 818 t of the literature include more.
    total = masses["signal-oil"].value + masses["veto-oil"].value
    assert total / 1e6 == pytest.approx(4 / 3 * np.pi * 6.106**3 * 0.845, rel=1e-6)
    assert detector().region("fiducial").volume() * 0.845 / 1e6 == pytest.approx(442.4, rel=1e-3)
    oil = next(one for one in detector().materials if one.name == "mineral oil")
    assert oil.element_fractions["H"] == pytest.approx(0.1437, abs=2e-4)


def test_later_volumes_lie_wholly_inside_the_ones_they_displace() -> None:
    rng = np.random.default_rng(20260102)
    for earlier, later in combinations(detector().placed(), 2):
        points = later.placement.to_detector(later.solid.sample(2000, rng))
        inside = earlier.solid.contains(earlier.placement.to_local(points))
        assert inside.all() or not inside.any(), (earlier.name, later.name)


def test_every_volume_is_seen() -> None:
    for volume, mass in detector().masses().items():
        assert mass.value > 0.0, volume


@pytest.mark.parametrize("region", REGIONS)
def test_regions_lie_where_they_should(region: str) -> None:
    outer, inner, volumes = REGIONS[region]
    solid = detector().region(region)
    expected = 4 / 3 * np.pi * (outer**3 - inner**3)
    assert solid.volume() / 1e6 == pytest.approx(expected, rel=1e-9)
    points = solid.sample(5000, np.random.default_rng(5))
    assert set(detector().locate(points)) == volumes


def test_what_is_met_from_the_centre_upwards_and_upstream() -> None:
    model = detector()
    up = model.trace([[0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], 0.0, 5000.0)
    names = [up.volume_names[v] for v in up.volume]
    assert names[:7] == [
        "signal-oil",
        "veto-oil",
        "tank",
        "vault-air",
        "vault",
        "room-air",
        "room",
    ]
    assert names[7:] == ["berm", "air"]
    # At least 3 m of earth above the room: NIM A599, 28.
    assert up.length[7] == pytest.approx(300.0)

    # Upstream till as far as the end of the decay line, 55 m from the target, and not beyond.
    back = model.trace([[0.0, 0.0, 0.0]], [[0.0, 0.0, -1.0]], 0.0, 60_000.0)
    names = [back.volume_names[v] for v in back.volume]
    assert names == ["signal-oil", "veto-oil", "tank", "vault-air", "vault", "till"]
    end = back.t_out[-1]
    assert 541e2 - 65e2 < end < 541e2 - 55e2
    assert model.column_depth([[0, 0, -60_000.0]], [[0, 0, -end - 1.0]])[0] == 0.0


def test_densities() -> None:
    for material in detector().materials:
        if material.name != "air":
            assert 0.8 < material.density < 8.0, material.name


def test_beam() -> None:
    beam = detector().beam
    script = load_script("miniboone")
    assert beam.distance == pytest.approx(54_100.0, abs=1.0)
    assert beam.direction == pytest.approx((0.0, 1.896 / 541.0, 1.0), abs=1e-5)
    assert beam.source_length == pytest.approx(5000.0)
    assert beam.source_axis == (0.0, 0.0, 1.0)
    first, last = beam.source()
    # On the axis of the beam, 1.9 m below the centre of the tank.
    np.testing.assert_allclose(first, [0.0, -189.6, -53_600.0])
    np.testing.assert_allclose(last, [0.0, -189.6, -48_600.0])
    # All matter is downstream of the source.
    lo, _ = detector().bounds()
    assert lo[2] > last[2]
    assert lo[2] == pytest.approx(script.EARTH_UPSTREAM_END * 100.0)
