"""Particles that arrive and decay, against integrals over the region that are done here."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py.combination import combine
from siren_py.constants import HBARC, SPEED_OF_LIGHT
from siren_py.errors import (
    ConfigError,
    GeometryError,
    KinematicsError,
    NoRateError,
    UnknownNameError,
)
from siren_py.flux import Flux
from siren_py.flux.mesons import HeavyNeutrinoFlux, from_neutrino_flux, t2k_parent_flux
from siren_py.geometry import Box, Sphere
from siren_py.models_mixing import MassMixing

MASS = 0.3
EDGES, VALUES = np.array([0.3, 0.5, 1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0, 0.5]) * 1e-12
POLARIZATION = np.array([0.1, -0.2, 0.5, 0.9])
CHANNEL = "mu- pi+"


def heavy(pdg=5914, name="N"):
    return HeavyNeutrinoFlux(pdg, EDGES, VALUES, name, "fhc", {}, POLARIZATION)


def detector(source_length=0.0, distance=3000.0, direction=(0.1, 0.0, 1.0), axis=None):
    made = sp.DetectorModel("hall")
    gas = sp.Material.from_element("Ar", density=1.7e-3)
    made.add("gas", Box(400, 300, 500), gas)
    made.add_region("near", Box(100, 120, 80), at=(0, 0, -100))
    made.add_region("far", Box(150, 50, 200), at=(20, 10, 60))
    # Overlaps "near" by a quarter of its volume.
    made.add_region("shifted", Box(100, 120, 80), at=(50, 0, -60))
    made.add_region("ball", Sphere(60.0), at=(-40, 20, 90))
    made.add_region("overlapping", ["near", "shifted"])
    made.add_region("apart", ["near", "far"])
    made.set_beam(direction, distance=distance, source_length=source_length, source_axis=axis)
    return made


def model_of_length(length, nature="dirac"):
    """The mixing for which N of 1 GeV has a mean decay length [cm], if it can be that short."""
    unit = MassMixing(MASS, U_mu2=1.0, nature=nature)
    mixing = float(unit.decay_length(1.0)) / length
    assert mixing <= 1.0
    return MassMixing(MASS, U_mu2=mixing, nature=nature)


def points_and_weights(name):
    """Quadrature over a region: points (n, 3) and volumes, from boxes cut into cells."""
    boxes = {
        "near": [((-50, -60, -140), (50, 60, -60))],
        "apart": [((-50, -60, -140), (50, 60, -60)), ((-55, -15, -40), (95, 35, 160))],
        # The second box without what it has in common with the first one.
        "overlapping": [
            ((-50, -60, -140), (50, 60, -60)),
            ((50, -60, -100), (100, 60, -20)),
            ((0, -60, -60), (50, 60, -20)),
        ],
    }[name]
    x, w = np.polynomial.legendre.leggauss(10)
    points, weights = [], []
    for low, high in boxes:
        low, high = np.array(low, float), np.array(high, float)
        axes = [0.5 * (a + b) + 0.5 * (b - a) * x for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        volume = np.einsum("i,j,k->ijk", w, w, w).ravel() * np.prod(high - low) / 8.0
        points.append(grid)
        weights.append(volume)
    return np.concatenate(points), np.concatenate(weights)


def integral(made, name, model, beam="parallel", pdg=5914):
    """int dE phi int dV exp(-s/L)/L x BR, s averaged over the source."""
    points, volume = points_and_weights(name)
    way = np.asarray(made.beam.direction)
    first, last = made.beam.source()
    u, v = np.polynomial.legendre.leggauss(24 if made.beam.source_length else 1)
    branching = model.width(CHANNEL if pdg > 0 else "mu+ pi-", pdg=pdg) / model.width(pdg=pdg)
    total = 0.0
    x, w = np.polynomial.legendre.leggauss(120)
    for low, high, value in zip(EDGES[:-1], EDGES[1:], VALUES, strict=True):
        # Even in the square root above the mass: short-lived N only arrive with much energy.
        t = np.sqrt(low - MASS) + 0.5 * (np.sqrt(high - MASS) - np.sqrt(low - MASS)) * (x + 1.0)
        energy = MASS + t**2
        weight = value * w * t * (np.sqrt(high - MASS) - np.sqrt(low - MASS))
        p = np.sqrt(energy**2 - MASS**2)
        length = p / MASS * HBARC / model.width(pdg=pdg)
        for share, part in zip(0.5 * (u + 1.0), 0.5 * v, strict=True):
            emission = first + share * (last - first)
            flight = points - emission
            if beam == "parallel":
                s, spread = flight @ way, 1.0
            else:
                s = np.linalg.norm(flight, axis=1)
                spread = (emission @ emission) / s**2
            chance = np.exp(-s[None, :] / length[:, None]) / length[:, None]
            total += part * (weight @ (chance @ (volume * spread)))
    return total * branching


CASES = [
    # Decay length of 1 GeV [cm]: 1 km, the way itself, a tenth and a thirtieth of it.
    ("near", "parallel", 0.0, 1e5),
    ("near", "parallel", 0.0, 100.0),
    ("apart", "parallel", 0.0, 3e3),
    ("overlapping", "parallel", 500.0, 300.0),
    ("apart", "parallel", 2000.0, 100.0),
    ("overlapping", "source", 0.0, 1e5),
    ("apart", "source", 1500.0, 1e3),
    ("near", "source", 2500.0, 200.0),
]


@pytest.mark.parametrize(("region", "beam", "source_length", "length"), CASES)
def test_rates_are_integrals(region, beam, source_length, length):
    made = detector(source_length)
    unit = MassMixing(MASS, U_mu2=1.0)
    shortest = float(unit.decay_length(1.0))
    # N of 0.3 GeV cannot have less than 75 cm at U^2 = 1.
    model = model_of_length(max(length, shortest))
    sim = sp.Simulation(made, heavy(), model, decay=CHANNEL, region=region, beam=beam)
    sample = sim.run(40_000, seed=3)
    expected = integral(made, region, model, beam)
    got = sample.expected()
    assert got.error < 0.01 * expected
    assert abs(got.value - expected) < 3.5 * got.error
    inside = made.region(region).contains(sample.vertices(1)[:, :3])
    assert inside.all()


def test_oblique_source():
    made = detector(800.0, axis=(0.0, 0.4, 1.0))
    for beam in ("parallel", "source"):
        model = model_of_length(400.0)
        sim = sp.Simulation(made, heavy(), model, decay=CHANNEL, region="near", beam=beam)
        got, expected = sim.run(40_000, seed=5).expected(), integral(made, "near", model, beam)
        assert got.error < 0.01 * expected
        assert abs(got.value - expected) < 3.5 * got.error


def test_fluxes_without_bins():
    """A flux of a single energy, and one of the user's own, without polarisation."""
    made, model = detector(), model_of_length(2000.0)

    class Line:
        name, pdg, integral = "two energies", 5914, 4e-12

        def density(self, energy):
            return np.zeros(np.shape(energy))

        def sample(self, n, *, rng=None):
            return np.where(np.random.default_rng(rng).random(n) < 0.5, 0.8, 1.6)

    points, volume = points_and_weights("near")
    s = points @ np.asarray(made.beam.direction) + 3000.0
    expected = 0.0
    for energy in (0.8, 1.6):
        length = float(model.decay_length(energy))
        expected += 2e-12 * (volume * np.exp(-s / length) / length).sum()
    expected *= model.branching_ratio(CHANNEL)
    sim = sp.Simulation(made, Line(), model, decay=CHANNEL, region="near")
    got = sim.run(40_000, seed=8).expected()
    assert got.error < 0.01 * expected
    assert abs(got.value - expected) < 3.5 * got.error
    single = Flux.monoenergetic(pdg=5914, energy=0.8, fluence=2e-12, any_pdg=True)
    one = sp.Simulation(made, single, model, decay=CHANNEL, region="near").run(5000, seed=1)
    assert (one["primary_energy"] == 0.8).all()
    assert not one["polarization_z"].any()


def test_events_are_complete():
    made = detector(500.0)
    model = model_of_length(3000.0)
    sim = sp.Simulation(made, heavy(), model, decay=CHANNEL, region="apart")
    sample = sim.run(4000, seed=1)
    start, end = sample.vertices(0), sample.vertices(1)
    way = end[:, :3] - start[:, :3]
    s = np.linalg.norm(way, axis=1)
    np.testing.assert_allclose(way / s[:, None], np.tile(made.beam.direction, (len(s), 1)))
    ahead = start[:, :3] @ np.asarray(made.beam.direction)
    assert (ahead > -3000.0 - 200.0).all()
    assert (ahead < -2500.0 + 200.0).all()
    beam = sample.momenta(None)
    p = np.linalg.norm(beam[:, 1:], axis=1)
    np.testing.assert_allclose(beam[:, 0] ** 2 - p**2, MASS**2, rtol=1e-10)
    np.testing.assert_allclose(end[:, 3] - start[:, 3], s / (p / beam[:, 0] * SPEED_OF_LIGHT))
    # Decay products carry what arrived; all columns are filled.
    total = sample.momenta(13) + sample.momenta(211)
    np.testing.assert_allclose(total, beam, rtol=1e-9, atol=1e-12)
    assert set(sample.names("target")) == {"none"}
    assert set(sample.names("material")) == {"none"}
    assert set(sample.names("region")) == {"near", "far"}
    np.testing.assert_allclose(sample["decay_length"], model.decay_length(beam[:, 0]), rtol=1e-12)
    polar = np.stack([sample[f"polarization_{a}"] for a in "xyz"], axis=1)
    wanted = heavy().polarization(beam[:, 0])
    np.testing.assert_allclose(polar, wanted[:, None] * beam[:, 1:] / p[:, None], atol=1e-12)
    text = str(sample.explain(0))
    assert "made at" in text
    assert "exp(-s/L)/L" in text
    assert "1 / density of decay points" in text
    assert "mass-mixing in hall" in str(sample.summary(1e21))


def test_polarisation_reaches_the_decay():
    made, model = detector(), model_of_length(1e5)
    flux = HeavyNeutrinoFlux(5914, [2.0, 2.1], [1e-12], "N", None, {}, [0.9])
    sample = sp.Simulation(made, flux, model, decay=CHANNEL, region="near").run(40_000, seed=2)
    # In the rest frame the muon goes against the spin: it is the softer one.
    muon, pion = sample.momenta(13), sample.momenta(211)
    plain = HeavyNeutrinoFlux(5914, [2.0, 2.1], [1e-12], "N", None, {}, [-0.9])
    other = sp.Simulation(made, plain, model, decay=CHANNEL, region="near").run(40_000, seed=2)
    assert muon[:, 0].mean() < other.momenta(13)[:, 0].mean() - 0.1
    x, y = (0.1056583755 / MASS) ** 2, (0.13957039 / MASS) ** 2
    root = np.sqrt((1 - x - y) ** 2 - 4 * x * y)
    slope = (1 - x) * root / ((1 - x) ** 2 - y * (1 + x))
    energy = (muon + pion)[:, 0]
    p = np.sqrt(energy**2 - MASS**2)
    star = 0.5 * MASS * (1 + x - y)
    cosine = (muon[:, 0] * MASS / energy - star) / (0.5 * MASS * root * p / energy)
    weights = sample.weights
    mean = (weights * cosine).sum() / weights.sum()
    assert mean == pytest.approx(-0.9 * slope / 3, abs=4 / np.sqrt(3 * len(weights)))


def test_files_and_combinations(tmp_path):
    made, model = detector(300.0), model_of_length(2000.0)
    one = sp.Simulation(made, heavy(), model, decay=CHANNEL, region="near")
    first, second = one.run(20_000, seed=1), one.run(10_000, seed=2)
    first.to_root(tmp_path / "n.root")
    back = sp.read_root(tmp_path / "n.root")
    assert back.expected().value == pytest.approx(first.expected().value, rel=1e-12, abs=0.0)
    np.testing.assert_array_equal(back["target"], first["target"])
    np.testing.assert_array_equal(back.vertices(1), first.vertices(1))
    assert str(back.explain(2)) == str(first.explain(2))
    pooled = combine([first, second])
    expected = integral(made, "near", model)
    assert abs(pooled.expected().value - expected) < 3.5 * pooled.expected().error
    # Another region that overlaps: what both could make counts once.
    union = sp.Simulation(made, heavy(), model, decay=CHANNEL, region="overlapping")
    both = combine([first, union.run(30_000, seed=4)])
    expected = integral(made, "overlapping", model)
    assert both.expected().error < 0.01 * expected
    assert abs(both.expected().value - expected) < 3.5 * both.expected().error
    # Particle and antiparticle are added.
    anti = sp.Simulation(made, heavy(-5914, "Nbar"), model, decay="mu+ pi-", region="near")
    with pytest.raises(ConfigError, match="decay"):
        combine([first, anti.run(1000, seed=1)])


def test_both_charges():
    made = detector()
    dirac = model_of_length(1e4)
    fluxes = [heavy(), heavy(-5914, "Nbar")]
    charged = sp.Simulation(made, fluxes, dirac, decay=CHANNEL, region="near").run(20_000, seed=1)
    assert set(charged.names("flux")) == {"N:fhc:N4"}
    every = sp.Simulation(made, fluxes, dirac, region="near").run(40_000, seed=1)
    expected = 2.0 * integral(made, "near", dirac) / dirac.branching_ratio(CHANNEL)
    assert abs(every.expected().value - expected) < 3.5 * every.expected().error
    by = every.by("channel")
    for channel in (CHANNEL, "nu nu nu", "nu mu- e+", "nu e- mu+"):
        share = 0.5 * dirac.branching_ratio(channel)
        share += 0.5 * dirac.branching_ratio(channel, pdg=-5914)
        assert abs(by[channel].value - share * expected) < 4.0 * by[channel].error
    majorana = model_of_length(1e4, "majorana")
    both = sp.Simulation(made, fluxes, majorana, decay=CHANNEL, region="near").run(1000, seed=1)
    assert set(both.names("flux")) == {"N:fhc:N4", "Nbar:fhc:N4bar"}


def test_mixing_production_with_dipole_decay():
    made = detector()
    model = MassMixing(0.1, U_mu2=1e-9, d_mu=5e-7)
    flux = from_neutrino_flux(t2k_parent_flux("K+"), "K+", "mu", 0.1, 1e-9)
    sim = sp.Simulation(made, flux, model, decay="nu e+ e-", region="near")
    sample = sim.run(20_000, seed=1)
    points, volume = points_and_weights("near")
    s = points @ np.asarray(made.beam.direction) + 3000.0
    energy = np.sqrt(flux.edges[1:] * flux.edges[:-1])
    length = model.decay_length(energy)
    chance = np.exp(-s[None, :] / length[:, None]) / length[:, None]
    expected = (flux.values * np.diff(flux.edges)) @ (chance @ volume)
    expected *= model.branching_ratio("nu e+ e-")
    # The middle of 2 % wide bins stands for them here.
    assert sample.expected().value == pytest.approx(expected, rel=3e-3, abs=0.0)
    photons = sp.Simulation(made, flux, model, decay="nu gamma", region="near").run(1000, seed=1)
    assert np.isfinite(photons.momenta(22)).all()


def test_reweighting(tmp_path):
    """Weights of other couplings and fluxes, for what arrives, are integrals as well."""
    made = detector(300.0)
    weak, strong = model_of_length(4000.0), model_of_length(1500.0)
    sim = sp.Simulation(made, heavy(), weak, decay=CHANNEL, region="near")
    sample = sim.run(40_000, seed=1)
    expected = integral(made, "near", strong)
    for other in (sample.reweight(model=strong), sample.reweight(U_mu2=strong.U_mu2)):
        assert abs(other.expected().value - expected) < 3.5 * other.expected().error
        assert other.expected().error < 0.02 * expected
    double = sample.reweight(flux=heavy().scaled(2.0))
    twice = 2.0 * sample.expected().value
    assert double.expected().value == pytest.approx(twice, rel=1e-12, abs=0.0)
    # Other mixings have other angles in nu e+ e-; a dipole makes pairs that are not there.
    pairs = sp.Simulation(made, heavy(), weak, decay="nu e+ e-", region="near").run(500, seed=1)
    with pytest.raises(ConfigError, match="angular distribution"):
        pairs.reweight(U_e2=0.1)
    with pytest.raises(ConfigError, match="dipole decay"):
        pairs.reweight(d_mu=1e-6)
    sample.to_root(tmp_path / "n.root")
    back = sp.read_root(tmp_path / "n.root").reweight(model=strong)
    assert abs(back.expected().value - expected) < 3.5 * back.expected().error


def test_reweighting_of_pairs_by_mixing_and_dipole():
    """Both processes make nu e+ e-; each event follows the width of its own."""
    made = detector()
    first = MassMixing(0.1, U_mu2=1e-3, d_mu=1e-8)
    second = MassMixing(0.1, U_mu2=3e-3, d_mu=1.2e-8)
    flux = from_neutrino_flux(t2k_parent_flux("K+"), "K+", "mu", 0.1, 1e-3)
    drawn = [
        sp.Simulation(made, flux, m, decay="nu e+ e-", region="near").run(20_000, seed=k)
        for k, m in enumerate((first, second))
    ]
    moved = drawn[0].reweight(model=second)
    assert moved.expected().value == pytest.approx(drawn[1].expected().value, rel=0.02, abs=0.0)

    def mass_of_pair(sample):
        pair = sample.momenta(11) + sample.momenta(-11)
        value = np.sqrt(pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(axis=1))
        return (sample.weights * value).sum() / sample.weights.sum()

    # Photons make light pairs, W and Z heavy ones: the mean tells their mixture.
    assert mass_of_pair(moved) == pytest.approx(mass_of_pair(drawn[1]), rel=0.02)
    assert mass_of_pair(drawn[0]) < 0.9 * mass_of_pair(drawn[1])


def test_what_cannot_be_is_refused():
    made, model = detector(), model_of_length(1e4)
    with pytest.raises(ConfigError, match="opposite charges"):
        sp.Simulation(made, heavy(-5914), model, decay="mu- pi+", region="near")
    with pytest.raises(UnknownNameError, match="nu gamma"):
        sp.Simulation(made, heavy(), model, decay="nu gamma", region="near")
    with pytest.raises(KinematicsError, match="made for another mass"):
        sp.Simulation(made, heavy(), MassMixing(0.4, U_mu2=1e-9), region="near")
    neutrinos = Flux.monoenergetic(pdg=14, energy=1.0)
    dipole = MassMixing(MASS, U_mu2=1e-9, d_mu=1e-6)
    with pytest.raises(ConfigError, match="by themselves"):
        sp.Simulation(made, [heavy(), neutrinos], dipole, region="near")
    far = detector(distance=1e9)
    with pytest.raises(NoRateError, match="nothing arrives"):
        sp.Simulation(far, heavy(), model_of_length(100.0), region="near")
    close = detector(distance=100.0)
    with pytest.raises(GeometryError, match="behind the source"):
        sp.Simulation(close, heavy(), model, region="near")
    nowhere = detector()
    nowhere.set_beam()
    with pytest.raises(GeometryError, match="has no source"):
        sp.Simulation(nowhere, heavy(), model, region="near")


@pytest.mark.parametrize(
    ("name", "region", "length"),
    [
        ("nd280", "tpc", 1e6),
        ("nd280", "tpc", 1.5e4),
        ("nd280", "fgd1", 3e3),
        ("nd280-upgrade", "tpc", 3e4),
        ("miniboone", None, 1e5),
        ("minerva", None, 2e5),
    ],
)
def test_rates_in_real_detectors(name, region, length):
    """Points in the box around the region, tested for being inside, and a source cut into 50."""
    made = sp.load_detector(name)
    region = region or next(iter(made.regions))
    if made.beam.source() is None:
        made.set_beam(made.beam.direction, distance=5.4e4)
    model = model_of_length(length)
    low, high = made.region(region).bounds()
    rng = np.random.default_rng(1)
    points = low + rng.random((200_000, 3)) * (high - low)
    points = points[made.region(region).contains(points)]
    volume = np.prod(high - low) / 200_000
    along = np.asarray(made.beam.direction)
    first, last = made.beam.source()
    depth = points @ along
    # The chance depends on depth alone: a histogram of it, 400 cells.
    count, edges = np.histogram(depth, 400)
    s = (
        0.5 * (edges[1:] + edges[:-1])[:, None]
        - (first + (np.arange(50) + 0.5)[:, None] / 50 * (last - first)) @ along
    )
    expected = 0.0
    x, w = np.polynomial.legendre.leggauss(60)
    for bottom, top, value in zip(EDGES[:-1], EDGES[1:], VALUES, strict=True):
        energy = 0.5 * (top + bottom) + 0.5 * (top - bottom) * x
        for e, weight in zip(energy, 0.5 * (top - bottom) * value * w, strict=True):
            decay = float(model.decay_length(e))
            chance = (np.exp(-s / decay) / decay).mean(axis=1)
            expected += weight * volume * (count @ chance)
    expected *= model.branching_ratio(CHANNEL)
    got = sp.Simulation(made, heavy(), model, decay=CHANNEL, region=region).run(20_000, seed=2)
    estimate = got.expected()
    # The box holds the region's volume only to its own statistics.
    own = expected * np.sqrt((np.prod(high - low) / volume / len(points) - 1.0) / 200_000)
    assert np.hypot(estimate.error, own) < 0.01 * expected
    assert abs(estimate.value - expected) < 3.5 * np.hypot(estimate.error, own) + 1e-3 * expected
