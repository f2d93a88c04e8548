"""Data frames of pandas and polars hold what the sample holds."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import ConfigError, UnknownNameError
from siren_py.io.frames import Names, frame_columns
from siren_py.sample import KEYS, Sample
from siren_py.store import TableStore


@pytest.fixture(scope="module")
def sample():
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    fluxes = ["t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar"]
    sim = sp.Simulation("nd280", fluxes, model, decay="nu e+ e-", region="tpc")
    return sim.run(2000, seed=3, progress=False)


def texts(frame, name):
    column = frame[name]
    return np.asarray(column.to_list(), dtype=object)


@pytest.fixture(params=["pandas", "polars"])
def frames(request, sample):
    pytest.importorskip(request.param)
    convert = sample.to_pandas if request.param == "pandas" else sample.to_polars
    made = {what: convert(what) for what in ("events", "particles", "vertices")}
    if request.param == "pandas":
        assert list(made["events"].index.names) == ["entry"]
        assert list(made["particles"].index.names) == ["entry", "particle"]
        assert list(made["vertices"].index.names) == ["entry", "number"]
        made = {what: frame.reset_index() for what, frame in made.items()}
    return made


def test_events(sample, frames):
    frame = frames["events"]
    assert set(sample.columns) <= set(frame.columns)
    np.testing.assert_array_equal(frame["entry"], np.arange(len(sample)))
    for name in sample.columns:
        if name not in KEYS and name != "decay_volume":
            np.testing.assert_array_equal(frame[name], sample[name], err_msg=name)
            assert frame[name].to_numpy().dtype == sample[name].dtype
    for key in KEYS:
        assert (texts(frame, key) == sample.names(key)).all()
    volumes = np.asarray(sample.lookup["volumes"], dtype=object)
    assert (texts(frame, "decay_volume") == volumes[sample["decay_volume"]]).all()
    np.testing.assert_array_equal(frame["decay_z"], sample.vertices(1)[:, 2])


def test_particles_and_vertices(sample, frames):
    table, particles, vertices = sample.table(), frames["particles"], frames["vertices"]
    for name, column in table.particles.items():
        np.testing.assert_array_equal(particles[name], column)
    np.testing.assert_array_equal(np.bincount(particles["entry"]), table.particle_counts)
    first = particles["particle"].to_numpy() == 0
    assert first.sum() == len(sample)
    np.testing.assert_array_equal(particles["energy"].to_numpy()[first], sample["primary_energy"])
    np.testing.assert_array_equal(vertices["time"], table.vertices["time"])
    np.testing.assert_array_equal(np.bincount(vertices["entry"]), table.vertex_counts)
    processes = np.asarray(sample.lookup["processes"], dtype=object)
    assert (texts(vertices, "process") == processes[table.vertices["process"]]).all()
    second = vertices["number"].to_numpy() == 1
    assert (texts(vertices, "volume")[second] == texts(frames["events"], "decay_volume")).all()


def test_pandas_sums_by_name(sample):
    pytest.importorskip("pandas")
    sums = sample.to_pandas().groupby("material", observed=True)["weight"].sum()
    expected = {name: estimate.value for name, estimate in sample.by("material").items()}
    assert sums.to_dict() == pytest.approx(expected, rel=1e-12)
    joined = sample.to_pandas("particles").join(sample.to_pandas()["weight"], on="entry")
    beam = joined[joined["status"] == 4]
    assert beam["weight"].sum() == pytest.approx(sample.expected().value, rel=1e-12)


def test_polars_sums_by_name(sample):
    polars = pytest.importorskip("polars")
    frame = sample.to_polars().group_by("flux").agg(polars.col("weight").sum())
    sums = dict(zip(frame["flux"].to_list(), frame["weight"].to_list(), strict=True))
    expected = {name: estimate.value for name, estimate in sample.by("flux").items()}
    assert sums == pytest.approx(expected, rel=1e-12)


def test_no_events(sample):
    nothing = sample.select(lambda s: np.zeros(len(s), dtype=bool))
    for what in ("events", "particles", "vertices"):
        columns = frame_columns(nothing, what)
        assert {len(c.codes if isinstance(c, Names) else c) for c in columns.values()} == {0}
    for library, frame in (("pandas", nothing.to_pandas), ("polars", nothing.to_polars)):
        pytest.importorskip(library)
        assert len(frame()) == 0
        assert set(frame("particles").columns) >= {"pdg", "px"}


def test_nothing_and_names_that_are_there_twice():
    names = Names(np.array([2, 0, 1, 3]), ["gas", "gas", "lead", "none"])
    assert names.labels == ["gas", "lead", "none"]
    assert names.codes.tolist() == [1, 0, 0, 2]


def test_what_is_refused(sample, monkeypatch):
    pytest.importorskip("pandas")  # what is asked for is looked at after the library
    with pytest.raises(UnknownNameError, match="Did you mean 'particles'"):
        sample.to_pandas("particle")
    (table,) = sample.tables()
    table = table.take(np.arange(5))
    table.events["entry"] = np.arange(5)
    store = TableStore()
    store.append(table)
    with pytest.raises(ConfigError, match="counts the rows"):
        frame_columns(Sample(store, 10, sample.lookup, {}))
    for library in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(sp.errors.SirenError, match=rf"siren-py\[{library}\]"):
            getattr(sample, f"to_{library}")()
