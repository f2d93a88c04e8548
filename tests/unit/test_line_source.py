"""Points that fix lines: even in every solid, whatever its shape and however it stands."""

from __future__ import annotations

import numpy as np
import pytest

from siren_py.driving import NetGenerator, scrambled_net
from siren_py.geometry import Box, Cylinder, Sphere
from siren_py.geometry.arrays import PlacedSolid
from siren_py.geometry.placement import Placement
from siren_py.injection.line_source import LENGTHS, LineSource, pick_solids


def turned(x, y, z, angle=0.6):
    c, s = np.cos(angle), np.sin(angle)
    return Placement.of((x, y, z), np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]))


def placed(name, solid, place, path=(0,)):
    return PlacedSolid(name, solid, place, path)


@pytest.fixture
def source():
    """A box, a box that is turned, a cylinder and a ball, of which the first two are the region."""
    solids = [
        placed("straight", Box(10.0, 20.0, 30.0), Placement.of((5.0, 0.0, 1.0), None)),
        placed("turned", Box(40.0, 10.0, 20.0), turned(100.0, 50.0, 0.0)),
        placed("round", Cylinder(8.0, 30.0), Placement.of((-100.0, 0.0, 0.0), None)),
        placed("ball", Sphere(6.0), Placement.of((0.0, 200.0, 0.0), None)),
    ]
    result = LineSource(solids, 2)
    share = np.zeros((LENGTHS.size, 4))
    share[:, 2], share[1, 3] = 0.25, 0.5
    result.set_shares(share[:, 2:])
    return result


def in_local(source, i, points):
    return source._solids[i].placement.to_local(points)


def belongs(source, points):
    """Which solid holds each point, (n,)."""
    inside = np.array([s.solid.contains(s.placement.to_local(points)) for s in source._solids])
    assert (inside.sum(axis=0) == 1).all()
    return inside.argmax(axis=0)


@pytest.mark.parametrize("row", [0, 1, 17])
def test_points_are_even_in_all_solids(source, row):
    n = 60_000
    points = source.sample(np.full(n, row), np.random.default_rng(3))
    solid = belongs(source, points)
    volume = np.array([6000.0, 8000.0])
    rest = 0.25 if row == 1 else 0.75
    wanted = [*(rest * volume / volume.sum()), 0.25, 0.75 - rest]
    got = np.bincount(solid, minlength=4) / n
    np.testing.assert_allclose(got, wanted, atol=5.0 * 0.5 / np.sqrt(n))
    for i, halves in ((0, (5.0, 10.0, 15.0)), (1, (20.0, 5.0, 10.0))):
        local = in_local(source, i, points[solid == i]) / halves
        assert (np.abs(local) <= 1.0 + 1e-12).all()
        # Mean 0, mean square 1/3, and no correlation.
        m = len(local)
        np.testing.assert_allclose(local.mean(axis=0), 0.0, atol=5.0 * np.sqrt(1.0 / 3.0 / m))
        second = local.T @ local / m
        np.testing.assert_allclose(second, np.eye(3) / 3.0, atol=5.0 * np.sqrt(1.0 / 9.0 / m))


def test_rows_decide_one_by_one(source):
    row = np.tile([0, 1], 2000)
    solid = belongs(source, source.sample(row, np.random.default_rng(4)))
    assert (solid[row == 0] != 3).all()
    assert (solid[row == 1] == 3).any()


@pytest.mark.parametrize("only_boxes", [True, False])
def test_a_net_keeps_its_rows(source, only_boxes):
    """Column 0 decides the solid, columns 1 to 3 the place in it, each in its own row."""
    n = 512
    if only_boxes:
        source.set_shares(np.zeros((LENGTHS.size, 2)))
    net = scrambled_net(n, np.random.default_rng(6))[4:11]
    rng = NetGenerator(np.random.default_rng(7), net)
    points = source.sample(np.full(n, 5), rng)
    solid = belongs(source, points)
    for i, size in ((0, (10.0, 20.0, 30.0)), (1, (40.0, 10.0, 20.0))):
        mine = solid == i
        assert mine.any()
        local = in_local(source, i, points[mine])
        np.testing.assert_allclose(local, (net[1:4, mine].T - 0.5) * size, atol=1e-12)
    assert only_boxes == (solid < 2).all()


def test_no_line_gives_no_point(source):
    assert source.sample(np.zeros(0, dtype=np.int64), np.random.default_rng(1)).shape == (0, 3)


@pytest.mark.parametrize("solids", [1, 2, 3, 7, 8, 33])
def test_solids_are_picked_as_searchsorted_does(solids):
    rng = np.random.default_rng(solids)
    probability = rng.random((5, solids)) * (rng.random((5, solids)) < 0.6)
    probability[:, solids // 2] += 0.1
    cumulative = np.cumsum(probability, axis=1)
    cumulative /= cumulative[:, -1:]
    row, uniform = rng.integers(0, 5, 3000), rng.random(3000)
    # Numbers that lie on an edge belong to what follows.
    edge = cumulative[row[:500], rng.integers(0, solids, 500)]
    uniform[:500] = np.where(edge < 1.0, edge, 0.0)
    got = np.empty(3000, dtype=np.int64)
    pick_solids(cumulative, row, uniform, got)
    wanted = [
        np.searchsorted(cumulative[r], u, side="right") for r, u in zip(row, uniform, strict=True)
    ]
    np.testing.assert_array_equal(got, wanted)
    assert (probability[row, got] > 0.0).all()
