"""Beams with a source: geometry, 1/r^2, and the limit of a distant source."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import GeometryError, UnknownNameError
from siren_py.geometry import Box
from siren_py.processes.base import Decay, Interaction, Reaction, final_state

MASS = 0.1


class Straight(Interaction):
    name = "straight on"

    def reactions(self, nuclides):
        return [Reaction(n, "all") for n in nuclides]

    def threshold(self, target, part="all"):
        return MASS

    def total(self, energy, target, part="all"):
        return np.full(np.shape(energy), 1e-36)

    def sample(self, energy, target, part, rng):
        zero = np.zeros_like(energy)
        momentum = np.stack([energy, zero, zero, np.sqrt(energy**2 - MASS**2)], axis=1)
        return final_state([5914], momentum[:, None, :], weight=self.total(energy, target))


class Fade(Decay):
    name = "fade"
    channels = ("gamma gamma",)

    def __init__(self, length):
        self.length = length

    def width(self, channel=None):
        return np.sqrt(1.0 - MASS**2) / MASS * 1.973269804e-14 / self.length

    def sample(self, channel, momentum, polarization, pdg, rng):
        return final_state([22, 22], np.stack([momentum / 2, momentum / 2], axis=1))


def simulation(length, distance, source_length=0.0, beam="source", axis=None):
    detector = sp.DetectorModel("slab")
    iron = sp.Material.from_element("Fe", density=7.87)
    detector.add("slab", Box(4000.0, 4000.0, 1.0), iron, at=(0.0, 0.0, -400.0))
    detector.add_region("box", Box(60.0, 80.0, 50.0), at=(0.0, 0.0, 25.0))
    detector.set_beam((0, 0, 1), distance=distance, source_length=source_length, source_axis=axis)
    model = sp.Model({14: [Straight()]}, {5914: [Fade(length)]}, masses={5914: MASS})
    flux = sp.Flux.monoenergetic(pdg=14, energy=1.0, fluence=1.0)
    return sp.Simulation(detector, flux, model, region="box", beam=beam), iron


def expected(length, distance, iron):
    """Integral over the directions from a point source, by Gauss-Legendre over the faces."""
    density = sum(iron.number_densities.values())
    x, weight = np.polynomial.legendre.leggauss(60)
    # Rays are labelled by their slopes; a ray leaves the box through its end or through a side.
    total = 0.0
    edge = np.array([30.0, 40.0]) / distance
    sx, sy = np.meshgrid(edge[0] * x, edge[1] * x, indexing="ij")
    w = np.outer(edge[0] * weight, edge[1] * weight)
    stretch = np.sqrt(1.0 + sx**2 + sy**2)
    z_side = np.minimum(30.0 / np.abs(sx), 40.0 / np.abs(sy)) - distance
    z_out = np.minimum(50.0, z_side)
    start, end, slab = 0.0, z_out * stretch, -400.0 * stretch
    chance = np.exp(-(start - slab) / length) - np.exp(-(end - slab) / length)
    column = density * 1e-36 * stretch
    solid_angle = w / stretch**3
    total = (solid_angle * chance * column).sum() * distance**2
    return total


@pytest.mark.parametrize("length", [120.0, 3000.0])
def test_point_source_follows_the_solid_angle(length):
    distance = 1500.0
    sim, iron = simulation(length, distance)
    rate = sim.run(200_000, seed=4).expected()
    assert rate.value == pytest.approx(expected(length, distance, iron), abs=3.5 * rate.error)
    assert rate.error < 0.01 * rate.value


def test_distant_source_is_a_parallel_beam():
    far = simulation(500.0, 1e7)[0].run(100_000, seed=1).expected()
    parallel = simulation(500.0, 1e7, beam="parallel")[0].run(20_000, seed=1).expected()
    assert far.value == pytest.approx(parallel.value, abs=3.5 * far.error)


def test_line_source_is_the_mean_of_points():
    line = simulation(500.0, 2000.0, source_length=1000.0)[0].run(200_000, seed=1).expected()
    nodes, weights = np.polynomial.legendre.leggauss(4)
    points = [
        (w / 2, expected(500.0, 1500.0 - 500.0 * u, simulation(500.0, 1.0e4)[1]))
        for u, w in zip(nodes, weights, strict=True)
    ]
    mean = sum(w * value for w, value in points)
    assert line.value == pytest.approx(mean, abs=3.5 * line.error)


def test_events_fly_from_the_source():
    sim, _ = simulation(500.0, 1500.0)
    sample = sim.run(5000, seed=2)
    vertex = sample.vertices(0)[:, :3]
    neutrino = sample.momenta(None)
    way = vertex - np.array([0.0, 0.0, -1500.0])
    np.testing.assert_allclose(
        neutrino[:, 1:] / neutrino[:, :1], way / np.linalg.norm(way, axis=1)[:, None], atol=1e-12
    )


def test_t2k_is_off_axis():
    beam = sp.load_detector("nd280").beam
    assert np.degrees(beam.off_axis_angle) == pytest.approx(2.042, abs=0.002)
    start, end = beam.source()
    assert np.linalg.norm(start) == pytest.approx(28490.0, abs=5.0)
    middle = 0.5 * (start + end)
    cosine = -middle @ np.asarray(beam.direction) / np.linalg.norm(middle)
    assert np.arccos(cosine) < 1e-3


def test_impossible_sources():
    with pytest.raises(GeometryError, match="behind a point of emission"):
        simulation(500.0, 300.0)
    with pytest.raises(GeometryError, match="has no source"):
        simulation(500.0, None)
    with pytest.raises(UnknownNameError, match="parallel"):
        simulation(500.0, 1e4, beam="paralel")
    with pytest.raises(GeometryError, match="length of the source"):
        sp.DetectorModel("x").set_beam(source_length=-1.0)


class Spread(Straight):
    """Up to 0.5 rad, and one in ten backwards: every form of the triangle occurs."""

    name = "spread"

    def sample(self, energy, target, part, rng):
        n = len(energy)
        cosine = 1.0 - rng.random(n) * (1.0 - np.cos(0.5))
        cosine = np.where(rng.random(n) < 0.1, -cosine, cosine)
        sine, phi = np.sqrt(1.0 - cosine**2), 2.0 * np.pi * rng.random(n)
        p = np.sqrt(energy**2 - MASS**2)
        momentum = np.stack(
            [energy, p * sine * np.cos(phi), p * sine * np.sin(phi), p * cosine], axis=1
        )
        return final_state([5914], momentum[:, None, :], weight=self.total(energy, target))


@pytest.mark.parametrize("length", [60.0, 2000.0])
def test_both_proposals_agree_for_a_source(length):
    iron = sp.Material.from_element("Fe", density=7.87)
    lead = sp.Material.from_element("Pb", density=11.35)
    detector = sp.DetectorModel("two slabs")
    detector.add("slab", Box(500.0, 400.0, 20.0), iron, at=(10.0, 0.0, -150.0))
    detector.add("behind", Box(300.0, 300.0, 10.0), lead, at=(0.0, 20.0, 120.0))
    detector.add_region("box", Box(60.0, 80.0, 50.0), at=(0.0, 0.0, 25.0))
    detector.set_beam((0.05, 0, 1), distance=3000.0, source_length=1000.0)
    model = sp.Model({14: [Spread()]}, {5914: [Fade(length)]}, masses={5914: MASS})
    flux = sp.Flux.monoenergetic(pdg=14, energy=1.0, fluence=1.0)
    results = {}
    for proposal, n in (("aimed", 800_000), ("forward", 600_000)):
        sim = sp.Simulation(detector, flux, model, region="box", beam="source", proposal=proposal)
        results[proposal] = sim.run(n, seed=5)
    aimed, forward = (results[p].expected() for p in ("aimed", "forward"))
    assert abs(aimed.value - forward.value) < 3.5 * np.hypot(aimed.error, forward.error)
    assert max(aimed.error / aimed.value, forward.error / forward.value) < 0.015
    a, f = (results[p].by("volume")["behind"] for p in ("aimed", "forward"))
    assert abs(a.value - f.value) < 3.5 * np.hypot(a.error, f.error)


def test_aimed_events_of_a_source_are_consistent():
    sim, _ = simulation(500.0, 1500.0, source_length=300.0)
    sample = sim.run(5000, seed=2)
    vertex, decay = sample.vertices(0)[:, :3], sample.vertices(1)[:, :3]
    assert sim.detector.region("box").contains(decay).all()
    # Straight on: neutrino and N fly along one line.
    neutrino = sample.momenta(None)
    flight = decay - vertex
    flight /= np.linalg.norm(flight, axis=1)[:, None]
    np.testing.assert_allclose(neutrino[:, 1:] / neutrino[:, :1], flight, atol=1e-9)
    assert (sample.names("volume") == "slab").all()
