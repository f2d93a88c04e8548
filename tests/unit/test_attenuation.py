"""The closed-form integrals along a line against quadrature, and the draws against densities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from siren_py.injection.attenuation import (
    decay_chance,
    decay_point,
    depth_in_subpiece,
    excess,
    sweep_upstream,
)


@pytest.mark.parametrize("x", [0.0, 1e-12, 1e-3, 0.0199, 0.0201, 0.299, 0.301, 1.0, 30.0, 800.0])
def test_chance_and_excess_keep_their_digits(x):
    mpmath = pytest.importorskip("mpmath")
    mp, mpf = mpmath.mp, mpmath.mpf
    mp.dps = 50
    exact = 1 - mp.exp(-mpf(x))
    assert decay_chance(x) == pytest.approx(float(exact), rel=2e-15)
    assert excess(x) == pytest.approx(float(mpf(x) - exact), rel=3e-15)


def random_line(seed):
    """Contiguous and separate segments, and region pieces that cut through them."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    edges = np.sort(rng.uniform(-100.0, 60.0, 2 * n))
    t_in, t_out = edges[0::2].copy(), edges[1::2].copy()
    for i in range(1, n):
        if rng.random() < 0.5:
            t_in[i] = t_out[i - 1]
    m = int(rng.integers(1, 4))
    cuts = np.sort(rng.uniform(-20.0, 80.0, 2 * m))
    material = rng.integers(-1, 3, n)
    density = np.array([0.0, 1.0, 1000.0 * rng.random()])
    return t_in, t_out, material.astype(np.int64), density, cuts[0::2].copy(), cuts[1::2].copy()


def importance(x, length, piece_in, piece_out):
    total = 0.0
    for a, b in zip(piece_in, piece_out, strict=True):
        if b > x:
            start = max(a, x)
            total += np.exp(-(start - x) / length) * -np.expm1(-(b - start) / length)
    return total


def sweep(line, length):
    t_in, t_out, material, density, piece_in, piece_out = line
    size = 4 * (t_in.size + piece_in.size)
    buffers = [
        np.empty(size), np.empty(size), np.empty(size, np.int64), np.empty(size, np.int64),
        np.empty(size), np.empty(size),
    ]  # fmt: skip
    count, total = sweep_upstream(
        t_in.size, t_in, t_out, material, density, density.max(), piece_in.size, piece_in,
        piece_out, length, *buffers,
    )  # fmt: skip
    return count, total, buffers


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), log_length=st.floats(-0.5, 5.0))
def test_sweep_equals_quadrature(seed, log_length):
    line = random_line(seed)
    t_in, t_out, material, density, piece_in, piece_out = line
    length = 10.0**log_length
    count, total, buffers = sweep(line, length)
    expected = 0.0
    for a, b, kind in zip(t_in, t_out, material, strict=True):
        if kind < 0 or density[kind] == 0.0:
            continue
        inner = [e for e in (*piece_in, *piece_out) if a < e < b]
        points = np.unique([a, b, *inner])
        for lo, hi in itertools.pairwise(points):
            value, _ = quad(
                lambda x, k=kind: density[k] * importance(x, length, piece_in, piece_out),
                lo, hi, epsabs=0.0, epsrel=1e-11, limit=200,
            )  # fmt: skip
            expected += value
    assert total == pytest.approx(expected, rel=1e-9, abs=1e-16 * density.max() * length)
    assert buffers[5][:count].sum() == pytest.approx(total, rel=1e-13)


def test_prompt_vertices_count_only_inside_the_region():
    line = (
        np.array([0.0, 5.0]),
        np.array([5.0, 10.0]),
        np.array([0, 1]),
        np.array([2.0, 3.0]),
        np.array([4.0]),
        np.array([7.0]),
    )
    count, total, _ = sweep(line, 0.0)
    assert count == 2
    assert total == pytest.approx(1.0 * 2.0 + 2.0 * 3.0)


def test_short_buffers_are_reported():
    line = random_line(3)
    t_in, t_out, material, density, piece_in, piece_out = line
    material[:] = 1
    tiny = [np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)]
    tiny += [np.empty(0), np.empty(0)]
    count, _ = sweep_upstream(
        t_in.size, t_in, t_out, material, density, density.max(), piece_in.size, piece_in,
        piece_out, 100.0, *tiny,
    )  # fmt: skip
    assert count == -1


@settings(max_examples=80, deadline=None)
@given(
    u=st.floats(0.0, 1.0, exclude_max=True),
    log_x=st.floats(-6.0, 3.0),
    share=st.floats(0.0, 1.0),
    inside=st.integers(0, 1),
)
def test_depth_inverts_its_distribution(u, log_x, share, inside):
    length = 3.0
    h = length * 10.0**log_x
    if not inside and share == 0.0:
        share = 0.5
    v = depth_in_subpiece(u, h, length, share, inside)
    assert 0.0 <= v <= h

    def cumulative(depth):
        z = depth / length
        if not inside:
            return decay_chance(z)
        return share * decay_chance(z) + excess(z)

    assert cumulative(v) == pytest.approx(u * cumulative(h), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("length", [0.3, 4.0, 1e4])
def test_decay_points_follow_the_exponential_inside_the_pieces(length):
    piece_in, piece_out = np.array([2.0, 9.0]), np.array([5.0, 10.0])
    start = 1.0
    u = (np.arange(4000) + 0.5) / 4000
    drawn = np.array([decay_point(v, start, length, 2, piece_in, piece_out)[0] for v in u])
    chance = decay_point(0.5, start, length, 2, piece_in, piece_out)[2]
    assert chance == pytest.approx(importance(start, length, piece_in, piece_out), rel=1e-13)
    # The draws are quantiles: the cumulative distribution at them must be u again.
    at = np.array(
        [
            importance(start, length, piece_in, piece_out)
            - np.exp(-(y - start) / length) * importance(y, length, piece_in, piece_out)
            for y in drawn
        ]
    )
    np.testing.assert_allclose(at / chance, u, atol=1e-10)
    assert (((drawn >= 2.0) & (drawn <= 5.0)) | ((drawn >= 9.0) & (drawn <= 10.0))).all()


def test_decay_from_inside_and_from_beyond_the_region():
    piece_in, piece_out = np.array([2.0]), np.array([5.0])
    y, piece, chance = decay_point(0.0, 4.0, 1.0, 1, piece_in, piece_out)
    assert (y, piece) == (4.0, 0)
    assert chance == pytest.approx(-np.expm1(-1.0))
    assert decay_point(0.3, 6.0, 1.0, 1, piece_in, piece_out)[1:] == (-1, 0.0)
    # A vertex far upstream of a short-lived particle: chances underflow, points do not.
    y, piece, chance = decay_point(0.5, -3000.0, 1.0, 1, piece_in, piece_out)
    assert piece == 0
    assert 2.0 <= y <= 5.0
    assert chance == 0.0
