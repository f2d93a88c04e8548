"""HEPEVT text: read as LArSoft and Geant4 read it; weights and unweighting."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import ConfigError, OutputError, UnknownNameError
from siren_py.io.hepevt import HEPEVT_DROPS, write_hepevt
from siren_py.sample import Sample
from siren_py.store import TableStore

POT = 1e21


@pytest.fixture(scope="module")
def sample():
    model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    return sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc").run(2000, seed=1)


def read_larsoft(path):
    """Read as evgen::TextFileGen does: two numbers, then lines of fifteen columns."""
    events = []
    with path.open() as file:
        while head := file.readline():
            number, count = map(int, head.split())
            rows = [file.readline().split() for _ in range(count)]
            assert all(len(row) == 15 for row in rows)
            integers = np.array([[int(x) for x in row[:6]] for row in rows])
            events.append((number, integers, np.array([[float(x) for x in r[6:]] for r in rows])))
    return events


def read_geant4(path):
    """Read as G4HEPEvtInterface does: a stream of words, eight per particle."""
    words = iter(path.read_text().split())
    events = []
    for word in words:
        rows = [[next(words) for _ in range(8)] for _ in range(int(word))]
        events.append([(*map(int, row[:4]), *map(float, row[4:])) for row in rows])
    return events


def read_beside(path):
    summary = json.loads(path.with_name(path.name + ".json").read_text())
    with path.with_name(path.name + ".events.csv").open() as file:
        return summary, list(csv.DictReader(file))


def test_larsoft_has_every_particle_at_its_place(sample, tmp_path):
    path = tmp_path / "events.hepevt"
    write_hepevt(sample, path)
    events = read_larsoft(path)
    table = sample.table()
    assert [e[0] for e in events] == list(range(len(sample)))
    start = np.concatenate([[0], np.cumsum(table.particle_counts)])
    for i, (_, integers, numbers) in enumerate(events):
        rows = slice(start[i], start[i + 1])
        np.testing.assert_array_equal(integers[:, 1], table.particles["pdg"][rows])
        for k, name in enumerate(("px", "py", "pz", "energy")):
            np.testing.assert_array_equal(numbers[:, k], table.particles[name][rows])
        made = np.maximum(table.particles["vertex"][rows], 0)
        points = np.array([sample_vertices(table, i)[v] for v in made])
        np.testing.assert_array_equal(numbers[:, 5:], points)
        tracked = table.particles["status"][rows] == 1
        np.testing.assert_array_equal(integers[:, 0] == 1, tracked)
        # On the mass shell: E^2 = p^2 + m^2, as far as the digits of E^2 tell.
        e, m = numbers[:, 3], numbers[:, 4]
        square = (numbers[:, :3] ** 2).sum(axis=1)
        np.testing.assert_allclose(e**2 - square, m**2, atol=1e-13 * e.max() ** 2)


def sample_vertices(table, i):
    first = int(table.vertex_counts[:i].sum())
    rows = slice(first, first + int(table.vertex_counts[i]))
    return np.column_stack([table.vertices[c][rows] for c in ("x", "y", "z", "time")])


def test_mothers_and_daughters_know_each_other(sample, tmp_path):
    path = tmp_path / "events.hepevt"
    write_hepevt(sample, path)
    _, integers, _ = read_larsoft(path)[0]
    assert integers[:, 2:].tolist() == [
        [0, 0, 3, 4], [0, 0, 3, 4], [1, 2, 5, 6], [1, 2, 0, 0], [3, 3, 0, 0], [3, 3, 0, 0],
    ]  # fmt: skip
    for n, (_, pdg, m1, m2, d1, d2) in enumerate(integers.tolist(), 1):
        for mother in range(m1, m2 + 1) if m1 else ():
            assert integers[mother - 1, 4] <= n <= integers[mother - 1, 5]
        assert (d1 == 0) == (integers[n - 1, 0] == 1), pdg
        assert d1 <= d2


def test_geant4_has_the_last_vertex(sample, tmp_path):
    path = tmp_path / "events.hepevt"
    write_hepevt(sample, path, style="geant4", hnl_pdg="genie")
    events = read_geant4(path)
    _, beside = read_beside(path)
    assert len(events) == len(beside) == len(sample)
    points, photons = sample.vertices(1), sample.momenta(22)
    for i, (particles, row) in enumerate(zip(events, beside, strict=True)):
        assert all(p[:1] == (1,) and p[2:4] == (0, 0) for p in particles)
        found = [float(row[c]) for c in ("x_mm", "y_mm", "z_mm", "time_ns")]
        assert found == [*(10.0 * points[i, :3]), points[i, 3]]
        for p in particles:
            if p[1] == 22:
                assert p[4:] == (*photons[i, 1:], 0.0)


def test_weights_stand_beside(sample, tmp_path):
    path = tmp_path / "events.hepevt"
    write_hepevt(sample, path, pot=POT)
    summary, beside = read_beside(path)
    weights = np.array([float(row["weight"]) for row in beside])
    np.testing.assert_allclose(weights, sample.weights * POT, rtol=1e-15)
    expected = sample.expected(POT)
    assert summary["expected_events"] == expected.value
    assert summary["expected_events_error"] == expected.error
    assert not summary["unweighted"]
    assert summary["provenance"]["seed"] == 1
    assert summary["dropped"] == list(HEPEVT_DROPS)


def test_unweighted_events_are_of_the_sample_and_count_the_same(sample, tmp_path):
    path = tmp_path / "events.hepevt"
    write_hepevt(sample, path, unweight=100, pot=POT)
    summary, beside = read_beside(path)
    assert len(read_larsoft(path)) == len(beside) == summary["n_events"] == 100
    value = sample.expected(POT).value
    assert summary["expected_events_per_event"] == pytest.approx(value / 100)
    assert {float(row["weight"]) for row in beside} == {value / 100}
    numbers = [int(row["event"]) for row in beside]
    assert len(set(numbers)) == 100
    assert set(numbers) <= set(sample["event"].tolist())
    again = tmp_path / "again.hepevt"
    write_hepevt(sample, again, unweight=100, pot=POT)
    assert again.read_bytes() == path.read_bytes()
    write_hepevt(sample, again, unweight=100, pot=POT, seed=1)
    assert again.read_bytes() != path.read_bytes()


def test_unweighting_keeps_the_mean(sample, tmp_path):
    """Mean energy of the events that are left, against the weighted one; 4 sigma."""
    path = tmp_path / "events.hepevt"
    table = sample.table().take(np.arange(len(sample)))
    # The weights of the simulation are almost equal; these are not.
    table.events["factor_flux"] = table.events["factor_flux"] * table.events["primary_energy"]
    store = TableStore()
    store.append(table)
    uneven = Sample(store, sample.n_attempts, sample.lookup, sample.provenance)
    energy, weights = uneven["primary_energy"], uneven.weights
    mean = np.average(energy, weights=weights)
    spread = np.sqrt(np.average((energy - mean) ** 2, weights=weights))
    count, total = 0, 0.0
    by_number = dict(zip(uneven["event"].tolist(), energy.tolist(), strict=True))
    for seed in range(5):
        write_hepevt(uneven, path, unweight=True, seed=seed)
        kept = [by_number[int(row["event"])] for row in read_beside(path)[1]]
        count += len(kept)
        total += sum(kept)
    expected = weights.sum() / weights.max()
    assert count / 5 == pytest.approx(expected, abs=4.0 * np.sqrt(expected / 5))
    assert total / count == pytest.approx(mean, abs=4.0 * spread / np.sqrt(count))
    # The plain mean of all events is another one: the test can fail.
    assert abs(np.mean(energy) - mean) > 4.0 * spread / np.sqrt(count)


def test_combined_samples_by_beam_mode(sample, tmp_path):
    path = tmp_path / "events.hepevt"
    write_hepevt(sample, path, unweight=True, pot={"fhc": POT})
    summary, _ = read_beside(path)
    assert summary["expected_events"] == sample.expected({"fhc": POT}).value


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"style": "geant"}, UnknownNameError, "geant4"),
        ({"unweight": 10**7}, ConfigError, "were asked for. Simulate about"),
        ({"unweight": 0}, ConfigError, "must be True or a number"),
        ({"pot": -1.0}, ConfigError, "not negative"),
        ({"hnl_pdg": 14}, ConfigError, "another particle"),
    ],
)
def test_options_that_cannot_be(sample, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        write_hepevt(sample, tmp_path / "events.hepevt", **options)
    assert not list(tmp_path.iterdir())


def test_existing_files_survive(sample, tmp_path):
    path = tmp_path / "events.hepevt"
    (tmp_path / "events.hepevt.json").write_text("old")
    with pytest.raises(OutputError, match="overwriting is switched off"):
        write_hepevt(sample, path, overwrite=False)
    assert [p.name for p in tmp_path.iterdir()] == ["events.hepevt.json"]


def test_arrivals_are_written(tmp_path):
    model = sp.MassMixing(mass=0.3, U_mu2=1e-9)
    sim = sp.Simulation("nd280", "mesons:fhc:K+:mu:redecay", model, region="tpc")
    sample = sim.run(20, seed=2)
    write_hepevt(sample, tmp_path / "events.hepevt")
    events = read_larsoft(tmp_path / "events.hepevt")
    assert all(integers[0, 1] == 5914 for _, integers, _ in events)
