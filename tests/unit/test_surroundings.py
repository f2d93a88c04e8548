"""Vertices before the detector and in it: what a part of a line weighs, and what is drawn there."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py.geometry import Box, Cylinder, Sphere
from siren_py.injection import surroundings as around
from siren_py.injection.aimed import line_sums, place
from siren_py.injection.line_source import LENGTHS
from siren_py.injection.placement import empty_placed, tracing_of
from siren_py.injection.surroundings import BEFORE, WITHIN, Surroundings, every_line
from siren_py.material_library import AIR, CONCRETE, LEAD, SCINTILLATOR

BLOCKS = 9


def hall(blocks=BLOCKS):
    """Rock with a round hall, in it blocks of lead and scintillator in a row, off the axis."""
    detector = sp.DetectorModel("hall")
    detector.add("rock", Box(6000.0, 6000.0, 9000.0), CONCRETE, at=(0.0, 0.0, -2000.0))
    detector.add("air", Cylinder(600.0, 2000.0), AIR, at=(0.0, 0.0, 0.0))
    for k in range(blocks):
        material = LEAD if k % 2 else SCINTILLATOR
        shape, at = Box(120.0, 100.0, 20.0), (10.0, 5.0, 40.0 * (k - 4))
        detector.add(f"block-{k}", shape, material, at=at)
        if k > 1:
            detector.add_region(f"block-{k}", shape, at=at)
    detector.add_region("blocks", [f"block-{k}" for k in range(2, blocks)])
    return detector


def simulation(detector, coupling, region="blocks"):
    flux = sp.Flux.from_histogram(pdg=14, edges=[0.3, 2.0], values=[1e-8], name="flat")
    model = sp.DipolePortal(mass=0.1, d_mu=coupling)
    return sp.Simulation(detector, flux, model, decay="nu gamma", region=region)


def random_lines(placement, rng, n=400):
    """Lines through the region, in all directions; some run along an axis."""
    origins = placement.source.sample(np.full(n, 5), rng)
    ways = rng.normal(size=(n, 3)) * rng.choice([1.0, 0.05], (n, 1)) + [0.0, 0.0, 1.0]
    ways[: n // 10] = np.eye(3)[rng.integers(0, 3, n // 10)]
    return origins, ways / np.linalg.norm(ways, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def injector():
    return simulation(hall(), 1e-7).injector


@pytest.mark.parametrize("length", [3.0, 150.0, 4e3, 1e9])
def test_the_parts_of_a_line_weigh_what_it_weighs(injector, length):
    placement, rng = injector.aimed, np.random.default_rng(1)
    origins, ways = random_lines(placement, rng)
    n = len(origins)
    target = rng.integers(0, len(injector.matter.nuclides), n)
    total = {}
    for part in (around.WHOLE, BEFORE, WITHIN):
        total[part] = np.empty(n)
        choice = every_line(n, BLOCKS + 2)._replace(core=placement.surroundings.core)
        choice.part[:] = part
        done = line_sums(
            placement._tracing(origins, ways), injector.matter.density, placement._in_volume,
            origins, ways, np.full(n, length), target, choice, total[part],
        )  # fmt: skip
        assert done == n
    np.testing.assert_allclose(total[BEFORE] + total[WITHIN], total[around.WHOLE], rtol=1e-11)
    assert (total[WITHIN] > 0.0).any()
    assert (total[BEFORE] > 0.0).any() or length < 100.0


@pytest.mark.parametrize("part", [BEFORE, WITHIN])
def test_vertices_lie_in_their_part_and_are_known_by_their_volumes(injector, part):
    placement, rng = injector.aimed, np.random.default_rng(2)
    shell = placement.surroundings
    origins, ways = random_lines(placement, rng, 2000)
    n = len(origins)
    out, chords = empty_placed(n), np.empty(n)
    choice = every_line(n, BLOCKS + 2)._replace(core=shell.core)
    choice.part[:] = part
    arrays, in_volume = placement._arrays, placement._in_volume
    tracing = placement._tracing(origins, ways)
    if part == BEFORE:
        arrays, in_volume = shell.arrays, shell.in_volume
        choice = choice._replace(volume=shell.volumes)
        tracing = tracing_of(
            arrays, tracing.external, placement._region_arrays, tracing.external_region
        )
    target = rng.integers(0, len(injector.matter.nuclides), n)
    done = place(
        tracing, injector.matter.density, in_volume, origins, ways, np.full(n, 700.0), target,
        choice, rng.random((n, 3)), out, chords,
    )  # fmt: skip
    assert done == n
    hit = np.flatnonzero(out.matter > 0.0)
    assert hit.size > 300
    shell.locate(placement._arrays, out.decay, out.leaf, hit, out.decay_volume)
    volume, material = placement.detector.locate_index(out.vertex[hit])
    np.testing.assert_array_equal(out.volume[hit], volume)
    np.testing.assert_array_equal(out.material[hit], material)
    np.testing.assert_array_equal(
        out.decay_volume[hit], placement.detector.locate_index(out.decay[hit])[0]
    )
    low, high = shell.core[:3] - 1e-9, shell.core[3:] + 1e-9
    inside = ((out.vertex[hit] > low) & (out.vertex[hit] < high)).all(axis=1)
    assert inside.all() if part == WITHIN else not inside.any()
    # The blocks, and the air between them; or the rock and the air around them.
    assert volume.max() == (BLOCKS + 1 if part == WITHIN else 1)
    assert volume.min() == (1 if part == WITHIN else 0)


def test_the_chance_of_a_part_is_that_of_the_table(injector):
    shell, n = injector.aimed.surroundings, 100_000
    rng = np.random.default_rng(3)
    cosine = np.cos(rng.choice([0.01, 0.1, 0.7, 2.0], n))
    row, nuclide = rng.integers(0, 41, n), rng.integers(0, len(injector.matter.nuclides), n)
    uniform = rng.random((n, 3))
    part, chance = shell.choose(cosine, row, nuclide, uniform)
    np.testing.assert_array_equal(chance, shell.probabilities(cosine, row, nuclide, part))
    split = shell.are_split(cosine, row, nuclide)
    np.testing.assert_array_equal(split != around.WHOLE, part != around.WHOLE)
    assert {0, 1, 2} == set(part.tolist())
    expected = np.where(part == WITHIN, 1.0 - chance, chance)[split != around.WHOLE]
    found, variance = (part == BEFORE).sum(), (expected * (1.0 - expected)).sum()
    assert abs(found - expected.sum()) < 4.0 * np.sqrt(variance)
    # What is left of the number that chose is as uniform as it was, in each part.
    for one in range(3):
        left = uniform[part == one, 0]
        assert abs(left.mean() - 0.5) < 4.0 / np.sqrt(12.0 * left.size)
        assert left.min() >= 0.0
        assert left.max() < 1.0


@pytest.mark.parametrize("coupling", [1e-8, 4e-7, 1.2e-6])
def test_rates_are_those_of_whole_lines(coupling):
    """In all, from each material and in each leaf, within 4 sigma."""
    split = simulation(hall(), coupling).run(60_000, seed=1)
    whole = simulation(hall(), coupling)
    whole.injector.aimed.surroundings = None
    whole = whole.run(60_000, seed=2)
    first, second = split.expected(), whole.expected()
    assert first.error < 0.01 * first.value
    assert abs(first.value - second.value) < 4.0 * np.hypot(first.error, second.error)
    for what in ("material", "region", "target"):
        mine, other = split.by(what), whole.by(what)
        assert len(set(mine) & set(other)) > 2
        for name in set(mine) & set(other):
            error = np.hypot(mine[name].error, other[name].error)
            assert abs(mine[name].value - other[name].value) < 4.0 * error, (what, name)


def test_the_density_of_an_event_is_known_from_its_vertex():
    """What `combine` and its balance heuristic rest on, for split lines and whole ones."""
    for coupling in (1e-8, 1.2e-6, 1e-5):
        sim = simulation(hall(), coupling)
        table = sim.run(4000, seed=4).table()
        events = table.events
        product = sim.injector.density(table, sim.injector)
        names = ("factor_flux", "factor_reaction", "factor_line", "factor_matter")
        flux = sim.fluxes[0].density(events["primary_energy"])
        weight = np.prod([events[name] for name in names], axis=0) / flux
        np.testing.assert_allclose(product * weight, 1.0, rtol=1e-9)


def test_detectors_with_nothing_around_them_are_left_whole():
    def found(detector, region="blocks"):
        return simulation(detector, 1e-7, region).injector.aimed.surroundings

    assert found(hall()).volumes.tolist() == [0, 1]
    np.testing.assert_allclose(found(hall()).core, [-50, -45, -170, 70, 55, 170])
    # Too few volumes within, or all of about the same size.
    assert found(hall(blocks=4)) is None
    alike = sp.DetectorModel("alike")
    for k in range(12):
        alike.add(f"slab-{k}", Box(100.0, 100.0, 9.0), LEAD, at=(0.0, 0.0, 10.0 * k))
    alike.add_region("blocks", Box(50.0, 50.0, 9.0), at=(0.0, 0.0, 110.0))
    assert found(alike) is None
    # A region that reaches out of the core takes its surroundings into it.
    detector = hall()
    detector.add_region("far", Box(10.0, 10.0, 10.0), at=(0.0, 500.0, 0.0))
    assert found(detector, "far").volumes.tolist() == [0]
    detector.add_region("rock", Box(10.0, 10.0, 10.0), at=(0.0, 0.0, -6000.0))
    assert found(detector, "rock") is None


class Ball:
    """A user's solid in plain Python: a ball of 3 cm."""

    _ball = Sphere(3.0)

    def intervals(self, origins, directions):
        return self._ball.intervals(origins, directions)

    def contains(self, points):
        return self._ball.contains(points)

    def volume(self):
        return self._ball.volume()

    def bounds(self):
        return self._ball.bounds()

    def sample(self, n, rng=None):
        return self._ball.sample(n, rng)


def test_solids_without_kernel_keep_lines_whole():
    own = hall()
    own.add("own", Ball(), LEAD, at=(0.0, 0.0, 300.0))
    sim = simulation(own, 1e-7)
    assert sim.injector.aimed.surroundings is None
    assert sim.run(2000, seed=1).expected().value > 0.0


def test_rays_that_miss_the_core_or_lie_in_its_faces():
    core = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])

    def limits(part, origin, way, first=10.0, last=12.0, reach=100.0):
        return around.limits_of_part(
            part, core, np.array(origin, float), np.array(way, float), reach, first, last
        )

    along = (0.0, 0.0, 1.0)
    assert limits(BEFORE, (0, 0, -5), along) == (BEFORE, -90.0, 4.0)
    assert limits(WITHIN, (0, 0, -5), along) == (WITHIN, 4.0, 12.0)
    assert limits(around.WHOLE, (0, 0, -5), along) == (around.WHOLE, -90.0, 12.0)
    assert limits(around.AT_ORIGIN, (0, 0, -5), along)[0] == BEFORE
    assert limits(around.AT_ORIGIN, (0, 0, 0), along)[0] == WITHIN
    # A line beside the core is before the region as a whole; one in a face meets it.
    assert limits(BEFORE, (0, 3, -5), along) == (BEFORE, -90.0, 10.0)
    assert limits(BEFORE, (0, 1, -5), along) == (BEFORE, -90.0, 4.0)
    # The region comes first, or is all that is within reach.
    assert limits(BEFORE, (0, 0, -5), along, first=2.0) == (BEFORE, -98.0, 2.0)
    assert limits(WITHIN, (0, 0, -5), along, reach=1.0) == (WITHIN, 9.0, 12.0)


def test_surroundings_of_the_detectors():
    """The rock and the hall, not what stands in it."""

    def outer(name, region):
        detector = sp.load_detector(name)
        matter = simulation(hall(), 1e-7).injector.matter
        density = np.ones((len(matter.nuclides), len(detector.materials)))
        in_volume = np.ones((len(matter.nuclides), len(detector.placed())))
        found = Surroundings.of(detector, detector.region(region), density, in_volume)
        return None if found is None else [detector.placed()[i].name for i in found.volumes]

    assert outer("nd280", "tpc") == ["air", "soil", "pit"]
    assert outer("nd280-upgrade", "tpc") == ["air", "soil", "pit"]


def test_what_of_the_air_of_the_hall_is_in_the_core_does_not_count_as_before_it():
    """N that live short and decay in the air between the blocks were made there or in them."""
    detector = hall()
    detector.add_region("air", Box(100.0, 80.0, 15.0), at=(10.0, 5.0, 20.0))
    chance = simulation(detector, 1e-7, "air").injector.aimed.surroundings._chance
    assert (chance[:, LENGTHS < 10.0] == 0.0).all()
    assert (chance[0, LENGTHS > 1e5].max(axis=1) > 0.9).all()


@pytest.mark.parametrize("length", [300.0, 700.0, 2e3, 1e5])
def test_the_table_knows_what_lies_before_the_core(length):
    """The share of a target, against that of events made by whole lines, within 10 %."""
    sim = simulation(hall(), 1e-7)
    placement, n = sim.injector.aimed, 40_000
    row = int(np.argmin(np.abs(np.log(np.maximum(LENGTHS, 1e-9) / length))))
    hydrogen = sim.injector.matter.nuclides.index("H1")
    table = placement.surroundings._chance[0, row, hydrogen]
    placement.surroundings = None
    rng = np.random.default_rng(6)
    tilt = 0.02 * rng.random((n, 1)) * np.array([1.0, 0.5, 0.0])
    ways = np.array([0.0, 0.0, 1.0]) + tilt
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    found = placement.place(ways, np.full(n, LENGTHS[row]), np.full(n, hydrogen), rng, rng)
    weight = found.factor_line * found.factor_matter
    before = weight[found.placed.vertex[:, 2] < -170.0].sum() / weight.sum()
    # The core is chosen half as often again as by its share.
    expected = before / (before + 1.5 * (1.0 - before)) if before >= 0.2 else 0.0
    assert table == pytest.approx(expected, rel=0.1)
