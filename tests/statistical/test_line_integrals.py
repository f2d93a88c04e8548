"""Rates of a particle that flies straight on against integrals along lines that are done here.

Nothing of the engine is used for the expectation: shapes are crossed, displacement is resolved
and exponentials are integrated by the code below.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import siren_py as sp
from siren_py.geometry import Box, Cylinder, LayerStack, Sphere

CARBON = sp.Material.from_element("C", density=2.0)
IRON = sp.Material.from_element("Fe", density=7.87)
LEAD = sp.Material.from_element("Pb", density=11.35)
GAS = sp.Material.from_element("Ar", density=1.7e-3)

UNIONS = {"overlapping": ["gas", "late", "partly"], "apart": ["vacuum", "rock", "late"]}
LENGTHS = [0.01, 0.5, 30.0, 1e3, 1e6, 1e9]  # 0.1 mm, 5 mm, ..., 10 km, 1e9 cm


# ------------------------------------------------------------------ lines, independently


def box_crossing(half, centre, axes=None):
    """Return a function of (origins, direction): entry and exit of a box, NaN where missed."""
    axes = np.eye(3) if axes is None else axes
    half, centre = np.asarray(half), np.asarray(centre)

    def crossing(origins, direction):
        local, way = (origins - centre) @ axes, direction @ axes
        first, last = np.full(len(local), -np.inf), np.full(len(local), np.inf)
        for k in range(3):
            if abs(way[k]) < 1e-14:
                outside = np.abs(local[:, k]) > half[k]
                first[outside], last[outside] = np.inf, -np.inf
                continue
            a, b = (-half[k] - local[:, k]) / way[k], (half[k] - local[:, k]) / way[k]
            first, last = np.maximum(first, np.minimum(a, b)), np.minimum(last, np.maximum(a, b))
        miss = first >= last
        return np.where(miss, np.nan, first), np.where(miss, np.nan, last)

    return crossing


def sphere_crossing(radius, centre):
    def crossing(origins, direction):
        local = origins - np.asarray(centre)
        middle = -local @ direction
        room = radius**2 - np.einsum("ij,ij->i", local, local) + middle**2
        half = np.sqrt(np.where(room > 0.0, room, np.nan))
        return middle - half, middle + half

    return crossing


def cylinder_crossing(radius, length, centre, axis):
    """Cylinder along the detector's axis number `axis`."""
    others = [k for k in range(3) if k != axis]

    def crossing(origins, direction):
        local = origins - np.asarray(centre)
        flat, way = local[:, others], direction[others]
        a = way @ way
        if a > 0.0:
            b = flat @ way / a
            room = b**2 - ((flat**2).sum(axis=1) - radius**2) / a
            half = np.sqrt(np.where(room > 0.0, room, np.nan))
            first, last = -b - half, -b + half
        else:
            hit = (flat**2).sum(axis=1) < radius**2
            first, last = np.where(hit, -np.inf, np.nan), np.where(hit, np.inf, np.nan)
        if abs(direction[axis]) > 0.0:
            ends = (np.array([[-0.5], [0.5]]) * length - local[:, axis]) / direction[axis]
            first, last = np.maximum(first, ends.min(axis=0)), np.minimum(last, ends.max(axis=0))
        else:
            first = np.where(np.abs(local[:, axis]) < length / 2.0, first, np.nan)
        miss = ~(first < last)
        return np.where(miss, np.nan, first), np.where(miss, np.nan, last)

    return crossing


def line_rate(matter, region, origins, direction, length):
    """Targets per area times their chance to be seen, per line, (n,).

    `matter`: (crossing, atoms per cm3) in the order of addition; `region`: crossings.
    """
    spans = [crossing(origins, direction) for crossing, _ in matter]
    wanted = [crossing(origins, direction) for crossing in region]
    edges = np.sort(np.stack([e for span in (*spans, *wanted) for e in span], axis=1), axis=1)
    low, high = edges[:, :-1], edges[:, 1:]
    middle = 0.5 * (low + high)
    number = np.zeros_like(middle)
    inside = np.zeros_like(middle, dtype=bool)
    with np.errstate(invalid="ignore"):
        for (first, last), (_, value) in zip(spans, matter, strict=True):
            number = np.where((middle > first[:, None]) & (middle < last[:, None]), value, number)
        for first, last in wanted:
            inside |= (middle > first[:, None]) & (middle < last[:, None])
    size = np.nan_to_num(high - low)
    rate = np.zeros(len(origins))
    seen = np.zeros(len(origins))  # chance, at the end of the piece, to decay in the region later
    for i in range(size.shape[1] - 1, -1, -1):
        if length == 0.0:
            rate += number[:, i] * size[:, i] * inside[:, i]
            continue
        x = size[:, i] / length
        gone, stay = -np.expm1(-x), np.exp(-x)
        # x - (1 - exp(-x)), whose digits would be lost for small x.
        series = x**2 / 2.0 - x**3 / 6.0 + x**4 / 24.0 - x**5 / 120.0
        own = np.where(x < 1e-2, series, x - gone)
        rate += number[:, i] * length * (gone * seen + own * inside[:, i])
        seen = np.where(inside[:, i], gone + stay * seen, stay * seen)
    return rate


def atoms(material):
    return sum(material.number_densities.values())


def box_detector(beam=(0.0, 0.0, 1.0)):
    """Boxes with edges along the axes; returns detector, matter and regions as known here."""
    detector = sp.DetectorModel("boxes")
    volumes = [
        ("rock", (600, 600, 1000), (0, 0, -900), CARBON),
        ("steel", (200, 160, 20), (10, 5, -60), IRON),
        ("vessel", (150, 150, 200), (0, 0, 100), GAS),
        ("plate", (140, 140, 0.3), (0, 0, 70), LEAD),
        ("plate2", (0.5, 100, 160), (20, 0, 100), IRON),
        ("beyond", (300, 300, 50), (0, 0, 350), LEAD),
    ]
    for name, size, at, material in volumes:
        detector.add(name, Box(*map(float, size)), material, at=at)
    regions = {
        "gas": ((100, 100, 120), (0, 0, 90)),
        "late": ((80, 120, 60), (15, 10, 150)),
        "vacuum": ((60, 60, 30), (-20, 0, 30)),
        "partly": ((90, 90, 100), (5, -5, 10)),
        "rock": ((50, 50, 50), (0, 0, -600)),
        "downstream": ((100, 100, 20), (0, 0, 300)),
    }
    for name, (size, at) in regions.items():
        detector.add_region(name, Box(*map(float, size)), at=at)
    for name, leaves in UNIONS.items():
        detector.add_region(name, leaves)
    detector.set_beam(beam)
    matter = [(box_crossing(np.array(s) / 2, c), atoms(m)) for _, s, c, m in volumes]
    crossings = {n: [box_crossing(np.array(s) / 2, c)] for n, (s, c) in regions.items()}
    for name, leaves in UNIONS.items():
        crossings[name] = [crossing for leaf in leaves for crossing in crossings[leaf]]
    faces = [
        np.unique([c[k] + s * h[k] / 2 for h, c in
                   [(v[1], v[2]) for v in volumes] + list(regions.values()) for s in (-1, 1)])
        for k in range(2)
    ]  # fmt: skip
    return detector, matter, crossings, faces


def exact_box_rate(matter, region, faces, length):
    """Exact: between the faces across the beam every line is alike."""
    middles = [0.5 * (f[1:] + f[:-1]) for f in faces]
    areas = np.multiply.outer(np.diff(faces[0]), np.diff(faces[1])).ravel()
    grid = np.array(list(product(*middles)))
    origins = np.column_stack([grid, np.zeros(len(grid))])
    return areas @ line_rate(matter, region, origins, np.array([0.0, 0.0, 1.0]), length)


def grid_rate(matter, region, direction, half_width, length, n=700, centre=(0.0, 0.0, 0.0)):
    """Midpoint grid across the beam around `centre`: lines n x n."""
    direction = np.asarray(direction) / np.linalg.norm(direction)
    side = np.cross(direction, [0.3, 1.0, 0.2])
    side /= np.linalg.norm(side)
    up = np.cross(direction, side)
    step = ((np.arange(n) + 0.5) / n * 2.0 - 1.0) * half_width
    total = 0.0
    for chunk in np.array_split(step, 10):
        a, b = (g.ravel() for g in np.meshgrid(chunk, step, indexing="ij"))
        origins = np.asarray(centre) + a[:, None] * side + b[:, None] * up
        total += line_rate(matter, region, origins, direction, length).sum()
    return total * (2.0 * half_width / n) ** 2


def compare(simulation, expected, n, seed):
    """The rate is the expected one within 3 sigma and within 1 %."""
    estimate = simulation.run(n, seed=seed).expected()
    assert estimate.value == pytest.approx(expected, rel=0.01)
    assert abs(estimate.value - expected) < 3.0 * estimate.error


# ------------------------------------------------------------------ boxes, exactly

REGIONS = ["gas", "late", "vacuum", "partly", "rock", "downstream", "overlapping", "apart"]
OUT_OF_REACH = {("downstream", 0.01)}
"""Matter upstream ends more than 200 decay lengths before the region."""
IN_A_FEW_LINES = {("downstream", 0.5), ("downstream", 30.0)}
"""Nearly all of the rate is from the plate of 5 mm along the beam: one line in 200 meets it."""


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("region", REGIONS)
def test_boxes_exactly(toy, region, length):
    detector, matter, crossings, faces = box_detector()
    expected = toy.sigma * exact_box_rate(matter, crossings[region], faces, length)
    if (region, length) in OUT_OF_REACH:
        assert expected == 0.0
        with pytest.raises(sp.errors.ConfigError, match="No event is possible"):
            toy.simulate(detector, length, region)
        return
    simulation = toy.simulate(detector, length, region)
    if (region, length) in IN_A_FEW_LINES:
        estimate = simulation.run(40_000, seed=11).expected()
        assert abs(estimate.value - expected) < 3.0 * estimate.error
        return
    compare(simulation, expected, 40_000, seed=11)


@pytest.mark.parametrize("length", [0.5, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("region", ["partly", "late", "apart"])
def test_boxes_with_lines_of_sight_first(toy, region, length):
    detector, matter, crossings, faces = box_detector()
    expected = toy.sigma * exact_box_rate(matter, crossings[region], faces, length)
    estimate = toy.simulate(detector, length, region, "forward").run(40_000, seed=12).expected()
    assert abs(estimate.value - expected) < 3.0 * estimate.error
    assert estimate.error < 0.2 * expected


def test_pulls_are_those_of_honest_errors(toy):
    """Independent seeds: the pulls have the mean 0 and the width 1 that the errors promise."""
    detector, matter, crossings, faces = box_detector()
    pulls = []
    for length, region in product((0.5, 100.0, 1e5), ("late", "overlapping")):
        expected = toy.sigma * exact_box_rate(matter, crossings[region], faces, length)
        simulation = toy.simulate(detector, length, region)
        for seed in range(20):
            estimate = simulation.run(2000, seed=100 + seed).expected()
            pulls.append((estimate.value - expected) / estimate.error)
    spread = np.square(pulls)
    # chi2 of 120 pulls: 120 +- 15.5; the tails of few effective events widen it a little.
    assert 120 - 4 * 15.5 < spread.sum() < 120 + 6 * 15.5
    assert abs(np.mean(pulls)) < 4.0 / np.sqrt(len(pulls))


def test_interactions_that_count_where_they_happen(toy):
    """Without a decay the rate is the number of targets in the region."""
    detector, matter, crossings, faces = box_detector()
    for region in ("gas", "partly", "overlapping"):
        expected = toy.sigma * exact_box_rate(matter, crossings[region], faces, 0.0)
        for proposal in ("aimed", "forward"):
            simulation = toy.simulate(detector, None, region, proposal)
            estimate = simulation.run(40_000, seed=13).expected()
            assert abs(estimate.value - expected) < 3.0 * estimate.error
    tracks = [30.0 * 30.0 * 20.0 * atoms(CARBON)]
    detector = sp.DetectorModel("cube")
    detector.add("cube", Box(30.0, 30.0, 20.0), CARBON)
    detector.add_region("all", Box(50.0, 50.0, 50.0))
    estimate = toy.simulate(detector, None, "all").run(40_000, seed=1).expected()
    assert abs(estimate.value - toy.sigma * tracks[0]) < 3.0 * estimate.error


# ------------------------------------------------------------------ other shapes, tilted beams

TURN = Rotation.from_euler("xyz", [25.0, -35.0, 50.0], degrees=True)
STACK = [(1.0, LEAD), (4.0, CARBON), (0.2, IRON), (2.3, GAS)] * 4


def shape_detector(beam):
    """Spheres, cylinders, rotated boxes and stacks inside each other."""
    detector = sp.DetectorModel("shapes")
    axes = TURN.as_matrix()
    detector.add("rock", Box(900.0, 900.0, 900.0), CARBON, at=(0, 0, -700))
    detector.add("ball", Sphere(80.0), IRON, at=(10, 0, -60))
    detector.add("hollow", Sphere(60.0), GAS, at=(10, 0, -60))
    detector.add("drum", Cylinder(radius=25.0, length=90.0, axis="x"), LEAD, at=(0, 10, -70))
    detector.add("tank", Cylinder(radius=70.0, length=150.0, axis="y"), GAS, at=(0, 0, 90))
    detector.add("brick", Box(60.0, 30.0, 8.0), IRON, at=(5, 5, 100), rotation=TURN)
    thickness = sum(t for t, _ in STACK)
    stack = LayerStack(50.0, 40.0, STACK)
    detector.add_stack("stack", stack, at=(-20, -30, 20), rotation=TURN)
    matter = [
        (box_crossing((450, 450, 450), (0, 0, -700)), atoms(CARBON)),
        (sphere_crossing(80, (10, 0, -60)), atoms(IRON)),
        (sphere_crossing(60, (10, 0, -60)), atoms(GAS)),
        (cylinder_crossing(25, 90, (0, 10, -70), 0), atoms(LEAD)),
        (cylinder_crossing(70, 150, (0, 0, 90), 1), atoms(GAS)),
        (box_crossing((30, 15, 4), (5, 5, 100), axes), atoms(IRON)),
    ]
    start = -thickness / 2.0
    for size, material in STACK:
        centre = np.array([-20, -30, 20]) + axes @ [0, 0, start + size / 2.0]
        matter.append((box_crossing((25, 20, size / 2.0), centre, axes), atoms(material)))
        start += size
    detector.add_region("ball", Sphere(50.0), at=(0, 0, 90))
    detector.add_region("drum", Cylinder(radius=40.0, length=100.0, axis="y"), at=(10, 0, 60))
    detector.add_region("brick", Box(70.0, 90.0, 50.0), at=(-10, -20, 40), rotation=TURN)
    detector.add_region("union", ["ball", "drum", "brick"])
    ball = sphere_crossing(50, (0, 0, 90))
    drum = cylinder_crossing(40, 100, (10, 0, 60), 1)
    brick = box_crossing((35, 45, 25), (-10, -20, 40), axes)
    regions = {
        "ball": [ball],
        "drum": [drum],
        "brick": [brick],
        "union": [ball, drum, brick],
    }
    detector.set_beam(beam)
    return detector, matter, regions


@pytest.mark.parametrize("beam", [(0, 0, 1), (0.1, -0.35, 1.0), (-1.0, 0.2, 0.1), (0, 0.3, -1)])
@pytest.mark.parametrize(
    ("region", "length"), [("drum", 0.5), ("brick", 40.0), ("union", 3.0), ("union", 2e3)]
)
def test_shapes_and_directions(toy, beam, region, length):
    detector, matter, regions = shape_detector(beam)
    rough = grid_rate(matter, regions[region], beam, 130.0, length, n=150, centre=(0, 0, 65))
    expected = grid_rate(matter, regions[region], beam, 130.0, length, n=190, centre=(0, 0, 65))
    change = abs(rough / expected - 1.0)
    assert change < 3e-3
    estimate = toy.simulate(detector, length, region).run(40_000, seed=21).expected()
    expected *= toy.sigma
    assert estimate.error < 0.05 * expected
    error = np.hypot(estimate.error, change * expected)
    assert abs(estimate.value - expected) < 3.0 * error


def test_beam_against_z_and_across(toy):
    """The same boxes seen from other sides: the detector turned with its beam."""
    rates = []
    for turn in (None, Rotation.from_euler("y", 90, degrees=True), TURN):
        detector = sp.DetectorModel("turned")
        place = (lambda p: p) if turn is None else turn.apply
        for name, size, at, material in (
            ("block", (40.0, 30.0, 20.0), (0, 0, -50), LEAD),
            ("vessel", (60.0, 60.0, 40.0), (5, 0, 20), GAS),
        ):
            detector.add(name, Box(*size), material, at=place(np.array(at, float)), rotation=turn)
        detector.add_region(
            "gas", Box(50.0, 50.0, 30.0), at=place(np.array([5.0, 0.0, 20.0])), rotation=turn
        )
        detector.set_beam(place(np.array([0.0, 0.0, 1.0])))
        rates.append(toy.simulate(detector, 25.0, "gas").run(40_000, seed=3).expected())
    for rate in rates[1:]:
        error = np.hypot(rate.error, rates[0].error)
        assert abs(rate.value - rates[0].value) < 3.0 * error


@pytest.mark.parametrize("gap", [10.0, 33.0, 60.0, 150.0])
def test_rates_behind_many_decay_lengths_keep_their_digits(toy, gap):
    """Matter ends `gap` decay lengths before the region: the survival is the whole story."""
    length = 0.5
    detector = sp.DetectorModel("gap")
    detector.add("block", Box(10.0, 10.0, 20.0), IRON, at=(0, 0, -10.0))
    detector.add_region("behind", Box(10.0, 10.0, 5.0), at=(0, 0, gap * length + 2.5))
    value, error = toy.simulate(detector, length, "behind").run(2000, seed=1).expected()
    expected = toy.sigma * atoms(IRON) * 100.0 * length * np.exp(-gap) * -np.expm1(-10.0)
    assert value == pytest.approx(expected, rel=1e-9)
    assert error < 1e-6 * value
