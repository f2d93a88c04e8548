"""Events of whole simulations: kinematics, places, weights, reproducibility, errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py import constants, errors
from siren_py.geometry import Box
from siren_py.nuclei import nuclide
from siren_py.processes.base import final_state
from siren_py.simulation import CHUNK_SIZE
from siren_py.tree import BEAM, FINAL, INTERMEDIATE, TARGET
from siren_py.weighting import FACTORS, product_of_factors

GOLDEN = Path(__file__).parents[1] / "golden" / "events.json"
ELECTRON = constants.ELECTRON_MASS


@pytest.fixture(scope="module")
def nd280():
    return sp.load_detector("nd280")


def fluxes(*flavors):
    return [sp.load_flux("t2k-nd280", mode="fhc", flavor=f) for f in flavors]


def simulation(nd280, **changes):
    options = {
        "flux": fluxes("numu", "numubar"),
        "model": sp.DipolePortal(mass=0.25, d_mu=2e-6),
        "decay": "nu e+ e-",
        "region": "tpc",
    } | changes
    return sp.Simulation(nd280, options.pop("flux"), options.pop("model"), **options)


@pytest.fixture(scope="module", params=["dirac", "majorana"])
def sample(request, nd280):
    model = sp.DipolePortal(mass=0.25, d_mu=2e-6, nature=request.param)
    return simulation(nd280, model=model).run(20_000, seed=1)


def rows_by_event(table, column):
    offsets = np.concatenate([[0], np.cumsum(table.particle_counts)])
    assert (np.diff(offsets) == np.diff(offsets)[0]).all()
    return table.particles[column].reshape(len(table), -1)


# ------------------------------------------------------------------ kinematics


def test_four_momentum_closes_at_every_vertex(sample):
    table = sample.table()
    p = np.stack([rows_by_event(table, k) for k in ("energy", "px", "py", "pz")], axis=-1)
    born, ended = rows_by_event(table, "vertex"), rows_by_event(table, "end_vertex")
    for vertex in (0, 1):
        coming = (p * (ended == vertex)[..., None]).sum(axis=1)
        going = (p * (born == vertex)[..., None]).sum(axis=1)
        scale = coming[:, :1]
        np.testing.assert_allclose((going - coming) / scale, 0.0, atol=1e-12)


def test_particles_are_on_their_mass_shells(sample):
    table = sample.table()
    masses = {
        14: 0.0, 11: ELECTRON, 5914: 0.25, 2212: constants.PROTON_MASS,
        2112: constants.NEUTRON_MASS,
    }  # fmt: skip
    masses |= {int(code): nuclide(name).mass for code, name in sample.lookup["targets"].items()}
    particles = table.particles
    expected = np.array([masses[abs(code)] for code in particles["pdg"].tolist()])
    square = particles["energy"] ** 2
    for k in ("px", "py", "pz"):
        square = square - particles[k] ** 2
    tolerance = 1e-12 * np.maximum(particles["energy"], expected) ** 2
    assert (np.abs(square - expected**2) <= 4.0 * tolerance).all()


def test_codes_and_statuses(sample, nd280):
    table = sample.table()
    pdg, status = rows_by_event(table, "pdg"), rows_by_event(table, "status")
    assert status.tolist() == [[BEAM, TARGET, INTERMEDIATE, FINAL, FINAL, FINAL, FINAL]] * len(
        table
    )
    sign = np.sign(pdg[:, 0])
    majorana = sample.provenance["configuration"]["model"]["nature"] == "majorana"
    assert set(pdg[:, 0].tolist()) == {14, -14}
    np.testing.assert_array_equal(pdg[:, 2], 5914 if majorana else 5914 * sign)
    np.testing.assert_array_equal(pdg[:, 1], pdg[:, 3])  # what was struck recoils
    part = sample.names("target_part")
    np.testing.assert_array_equal(pdg[part == "coherent", 1], sample["target"][part == "coherent"])
    assert (pdg[part == "proton", 1] == 2212).all()
    assert (pdg[part == "neutron", 1] == 2112).all()
    np.testing.assert_array_equal(pdg[:, 5:], [[-11, 11]] * len(table))
    if majorana:
        neutrinos, weight = pdg[:, 4] > 0, sample.weights
        assert weight[neutrinos].sum() / weight.sum() == pytest.approx(0.5, abs=0.02)
    else:
        np.testing.assert_array_equal(pdg[:, 4], 14 * sign)
    born, ended = rows_by_event(table, "vertex"), rows_by_event(table, "end_vertex")
    assert born.tolist() == [[-1, -1, 0, 0, 1, 1, 1]] * len(table)
    assert ended.tolist() == [[0, 0, 1, -1, -1, -1, -1]] * len(table)


def test_polarisation_is_no_longer_than_one(sample):
    square = sum(sample[f"polarization_{k}"] ** 2 for k in "xyz")
    assert square.max() <= 1.0 + 1e-9
    assert square.mean() > 0.5  # light compared with the energy: nearly left-handed
    p = np.array([sample.table().particles[k] for k in ("px", "py", "pz")])
    n = p[:, sample.table().particles["end_vertex"] == 1].T
    along = sum(sample[f"polarization_{k}"] * n[:, i] for i, k in enumerate("xyz"))
    sign = np.sign(sample["primary_pdg"])
    # A neutrino makes a right-handed N, an antineutrino a left-handed one: the dipole flips.
    assert np.average(along * sign / np.linalg.norm(n, axis=1), weights=sample.weights) > 0.5


# ------------------------------------------------------------------ places and times


def test_points_lie_where_the_columns_say(sample, nd280):
    first, second = sample.vertices(0), sample.vertices(1)
    inside = np.concatenate([first[:, :3], second[:, :3]])
    assert np.isfinite(inside).all()
    region = nd280.region("tpc")
    flight = second[:, :3] - first[:, :3]
    length = np.linalg.norm(flight, axis=1)
    # A point within rounding of a face may be on either side of it.
    assert region.contains(second[:, :3]).mean() > 0.9999
    leaf = region.leaf_of(second[:, :3])
    assert (leaf == sample["region"]).mean() > 0.9999
    located = nd280.locate(first[:, :3])
    assert (located == sample.names("volume")).mean() > 0.9999
    _, material = nd280.locate_index(first[:, :3])
    assert (material == sample["material"]).mean() > 0.9999
    index, _ = nd280.locate_index(second[:, :3])
    assert (index == sample["decay_volume"]).mean() > 0.9999
    numbers = {m.name: m.number_densities for m in nd280.materials}
    pairs = set(zip(sample.names("material"), sample.names("target"), strict=True))
    assert all(numbers[m].get(t, 0.0) > 0.0 for m, t in pairs)
    p = sample.table().particles
    n = np.stack([p[k][p["end_vertex"] == 1] for k in ("px", "py", "pz")], axis=1)
    momentum = np.linalg.norm(n, axis=1)
    far = length > 1e-3
    np.testing.assert_allclose(
        (flight / length[:, None])[far], (n / momentum[:, None])[far], atol=1e-6
    )
    speed = momentum / np.sqrt(momentum**2 + 0.25**2) * constants.SPEED_OF_LIGHT
    np.testing.assert_allclose(second[:, 3] - first[:, 3], length / speed, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        sample["decay_length"],
        sp.DipolePortal(
            mass=0.25, d_mu=2e-6, nature=sample.provenance["configuration"]["model"]["nature"]
        ).decay_length(np.sqrt(momentum**2 + 0.25**2)),
        rtol=1e-10,
    )
    beam = np.array(nd280.beam.direction)
    np.testing.assert_allclose(
        first[:, 3], first[:, :3] @ beam / constants.SPEED_OF_LIGHT, atol=1e-9
    )
    neutrino = sample.momenta(None)
    np.testing.assert_allclose(neutrino[:, 1:], neutrino[:, :1] * beam, atol=1e-15)
    np.testing.assert_array_equal(neutrino[:, 0], sample["primary_energy"])


def test_weights_are_the_products_of_their_factors(sample):
    product = np.prod([sample[name] for name in FACTORS], axis=0)
    np.testing.assert_allclose(sample.weights, product / sample.n_attempts, rtol=1e-14)
    assert (sample.weights > 0.0).all()
    assert np.isfinite(sample.weights).all()
    ratio = sp.DipolePortal(mass=0.25, d_mu=2e-6).branching_ratio("nu e+ e-")
    np.testing.assert_allclose(sample["factor_branching"], ratio, rtol=1e-12)
    assert (np.diff(sample["event"]) > 0).all()


def test_all_channels_in_their_proportions(nd280):
    model = sp.DipolePortal(mass=0.25, d_mu=2e-6)
    everything = simulation(nd280, model=model, decay=None).run(40_000, seed=2)
    rates = everything.by("channel")
    assert {"nu gamma", "nu e+ e-"} <= set(rates) <= set(model.channels)
    total = everything.expected()
    for channel, rate in rates.items():
        share = model.branching_ratio(channel)
        assert abs(rate.value - share * total.value) < 3.5 * rate.error
    only = simulation(nd280, model=model, decay="nu gamma").run(20_000, seed=3).expected()
    both = np.hypot(only.error, rates["nu gamma"].error)
    assert abs(only.value - rates["nu gamma"].value) < 3.5 * both
    photons = np.isfinite(everything.momenta(22)[:, 0])
    np.testing.assert_array_equal(photons, everything.names("channel") == "nu gamma")


# ------------------------------------------------------------------ reproducibility


def assert_identical(first, second):
    a, b = first.table().arrays(), second.table().arrays()
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_same_seed_same_events_for_any_number_of_workers(nd280):
    n = 3 * CHUNK_SIZE + 100
    sim = simulation(nd280)
    one = sim.run(n, seed=5, workers=1)
    assert_identical(one, sim.run(n, seed=5, workers=2))
    assert_identical(one, simulation(nd280).run(n, seed=5, workers=3))
    other = sim.run(1000, seed=6)
    assert not np.array_equal(other["primary_energy"][:100], one["primary_energy"][:100])
    # Whole chunks do not depend on how many follow.
    short = sim.run(2 * CHUNK_SIZE, seed=5)
    assert_identical(short, one.select(lambda s: s["event"] < 2 * CHUNK_SIZE))
    assert short.expected().value != one.expected().value


def test_chance_seed_is_recorded(nd280):
    sim = simulation(nd280)
    first, second = sim.run(200), sim.run(200)
    assert first.provenance["seed"] != second.provenance["seed"]
    assert_identical(first, sim.run(200, seed=first.provenance["seed"]))


def test_progress_is_reported_in_attempts(nd280):
    calls = []
    simulation(nd280).run(
        CHUNK_SIZE + 5, seed=1, progress=lambda done, total: calls.append((done, total))
    )
    assert calls[-1] == (CHUNK_SIZE + 5, CHUNK_SIZE + 5)
    assert (CHUNK_SIZE, CHUNK_SIZE + 5) in calls


def test_events_are_those_of_the_golden_file(update_golden):
    """A change of these numbers means other events for the same seed: say so in the changelog."""
    detector = sp.DetectorModel("golden")
    detector.add("lead", Box(50.0, 50.0, 10.0), sp.Material.from_element("Pb", density=11.35))
    detector.add("water", Box(50.0, 50.0, 40.0), sp.Material.from_formula("H2O", density=1.0),
                 at=(0, 0, 30))  # fmt: skip
    detector.add_region("water", Box(40.0, 40.0, 40.0), at=(0, 0, 35))
    detector.set_beam((0.1, 0.0, 1.0))
    edges = [0.2, 1.0, 3.0]
    flux = [
        sp.Flux.from_histogram(pdg=14, edges=edges, values=[2e-8, 1.5e-8]),
        sp.Flux.from_histogram(pdg=-14, edges=edges, values=[2e-8, 0.5e-8]),
    ]
    sim = sp.Simulation(detector, flux, sp.DipolePortal(mass=0.25, d_mu=2e-6), decay="nu e+ e-")
    events = sim.run(64, seed=2024).table()
    names = ["event", "primary_energy", "target", "decay_length", *FACTORS]
    found = {name: events.events[name][:6].tolist() for name in names}
    found |= {f"vertex_{k}": events.vertices[k][:12].tolist() for k in "xyz"}
    found |= {
        f"particle_{k}": events.particles[k][:42].tolist() for k in ("pdg", "energy", "px", "pz")
    }
    if update_golden:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    golden = json.loads(GOLDEN.read_text())
    assert golden.keys() == found.keys()
    for name, values in golden.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-12, err_msg=name)


# ------------------------------------------------------------------ wrong input


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"region": "tcp"}, errors.UnknownNameError, "tpc"),
        ({"decay": "nu e e"}, errors.UnknownNameError, "nu e\\+ e-"),
        ({"proposal": "aim"}, errors.UnknownNameError, "aimed"),
        ({"beam": "parallell"}, errors.UnknownNameError, "parallel"),
        ({"region": None}, errors.ConfigError, "tpc1"),
        ({"flux": []}, errors.ConfigError, "at least one flux"),
        ({"flux": 3.0}, errors.ConfigError, "flux"),
        ({"flux": [object()]}, errors.ConfigError, "integral"),
        ({"model": object()}, errors.ConfigError, "particle_masses"),
        ({"model": sp.DipolePortal(mass=0.1, d_e=1e-6)}, errors.ConfigError, "coupling"),
        ({"model": sp.DipolePortal(mass=25.0, d_mu=1e-6)}, errors.KinematicsError, "threshold"),
        ({"flux": fluxes("numu", "numu")}, errors.ConfigError, "numu"),
    ],
)
def test_parts_that_do_not_fit(nd280, change, kind, words):
    with pytest.raises(kind, match=words):
        simulation(nd280, **change)


def test_unknown_detector_and_flux():
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    with pytest.raises(errors.UnknownNameError, match="nd280"):
        sp.Simulation("nd281", "t2k-nd280:fhc:numu", model, region="tpc")
    with pytest.raises(errors.UnknownNameError, match="t2k-nd280"):
        sp.Simulation("nd280", "t2k-nd28:fhc:numu", model, region="tpc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n": 0}, "attempts"),
        ({"n": -3}, "attempts"),
        ({"n": 2.5}, "attempts"),
        ({"n": True}, "attempts"),
        ({"n": 10, "seed": -1}, "seed"),
        ({"n": 10, "seed": 1.5}, "seed"),
        ({"n": 10, "workers": 0}, "workers"),
        ({"n": 10, "workers": 1.0}, "workers"),
    ],
)
def test_runs_that_make_no_sense(toy, options, words):
    sim = toy.simulate(cube(), 10.0, "cube")
    with pytest.raises(errors.ConfigError, match=words):
        sim.run(**{"seed": 1, **options})


def cube():
    detector = sp.DetectorModel("cube")
    detector.add("cube", Box(10.0, 10.0, 10.0), sp.Material.from_element("C", density=1.0))
    detector.add_region("cube", Box(10.0, 10.0, 10.0))
    return detector


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_weight_that_is_no_number_stops_the_run(toy, bad):
    class Faulty(toy.Straight):
        def sample(self, energy, target, part, rng):
            state = super().sample(energy, target, part, rng)
            return state._replace(weight=np.where(np.arange(energy.size) == 3, bad, state.weight))

    with pytest.raises(errors.WeightError):
        toy.simulate(cube(), 10.0, "cube", interaction=Faulty()).run(100, seed=1)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (-2.0, -3.0, "factor_flux"),
        (1.0, np.nan, "factor_line"),
        (0.0, np.inf, "factor_line"),
        (1e200, 1e200, "product of the factors"),
    ],
)
def test_what_is_wrong_with_a_weight_is_named(sample, first, second, named):
    """Also where the product of two wrong factors would look right."""
    table = next(iter(sample.tables()))
    events = {k: v.copy() for k, v in table.events.items()}
    events["factor_flux"][4], events["factor_line"][4] = first, second
    events["factor_reaction"][4] = events["factor_interaction"][4] = 1.0
    events["factor_matter"][4] = 1.0
    changed = replace(table, events=events)
    number = int(events["event"][4])
    with pytest.raises(errors.WeightError, match=f"{named}.* of event {number} is"):
        product_of_factors(changed)


def test_invariants_must_be_the_same_always(toy):
    class Fickle(toy.Straight):
        prepared = False

        def sample(self, energy, target, part, rng):
            names = {"q2": 1.0} if self.prepared else {}
            state = super().sample(energy, target, part, rng)
            return final_state(state.pdg, state.momenta, weight=state.weight, invariants=names)

    process = Fickle()
    sim = toy.simulate(cube(), 10.0, "cube", interaction=process)
    process.prepared = True
    with pytest.raises(errors.ConfigError, match="invariants"):
        sim.run(3 * CHUNK_SIZE, seed=1)
