"""ROOT files: lossless round trip, plain branches for other readers, errors that teach."""

from __future__ import annotations

import json
import math

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

import siren_py as sp
from siren_py.errors import ConfigError, FormatError, OutputError
from siren_py.geometry import Box
from siren_py.io.root import RootReader, write_root
from siren_py.sample import KEYS, Sample
from siren_py.store import TableStore
from siren_py.tree import EventTable
from siren_py.units import m
from siren_py.weighting import FACTORS


def block_detector():
    detector = sp.DetectorModel("block µ")
    lead = sp.Material.from_element("Pb", density=11.35)
    detector.add("block", Box(1 * m, 1 * m, 0.1 * m), lead)
    for name, z in (("near", 1 * m), ("far", 3 * m)):
        detector.add_region(name, Box(1 * m, 1 * m, 1 * m), at=(0, 0, z))
    detector.add_region("both", ["near", "far"])
    return detector


def simulation(d_mu=1e-5):
    fluxes = [
        sp.Flux.monoenergetic(pdg=pdg, energy=1.0, fluence=1e-8, name=name, mode=mode)
        for pdg, name, mode in ((14, "beam", "fhc"), (-14, "antibeam", "rhc"))
    ]
    model = sp.DipolePortal(mass=0.2, d_mu=d_mu)
    return sp.Simulation(block_detector(), fluxes, model, region="both")


@pytest.fixture(scope="module")
def sample():
    return simulation().run(18_000, seed=3, progress=False)  # two chunks


@pytest.fixture(scope="module")
def path(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("root") / "events.root"
    sample.to_root(path)
    return path


def assert_same(one, other):
    a, b = one.table(), other.table()
    assert len(a) == len(b)
    assert a.arrays().keys() == b.arrays().keys()
    for name, column in a.arrays().items():
        assert column.dtype == b.arrays()[name].dtype, name
        np.testing.assert_array_equal(column, b.arrays()[name], err_msg=name)
    assert one.n_attempts == other.n_attempts
    assert one.lookup == other.lookup
    assert json.loads(json.dumps(one.provenance)) == other.provenance


def test_round_trip_without_loss(sample, path):
    again = sp.read_root(path)
    assert len(again) > 1000
    assert_same(sample, again)
    assert (again.weights == sample.weights).all()
    assert again.expected(1e21) == pytest.approx(sample.expected(1e21), rel=1e-14)
    for key in KEYS:
        assert again.by(key).keys() == sample.by(key).keys()
    assert str(again.explain(7)) == str(sample.explain(7))
    assert str(again.summary({"fhc": 1e21, "rhc": 2e21})) == str(
        sample.summary({"fhc": 1e21, "rhc": 2e21})
    )


def test_a_second_trip_changes_nothing(path, tmp_path):
    sp.read_root(path).to_root(tmp_path / "again.root")
    assert_same(sp.read_root(path), sp.read_root(tmp_path / "again.root"))


def test_plain_uproot_reads_it_as_a_user_would(sample, path):
    with uproot.open(path) as file:
        tree = file["events"]
        events = tree.arrays(
            ["weight", "vertex_x", "decay_z", "pdg", "status", "E", "px", "py", "pz"]
        )
        counts = tree["nparticles"].array()
        assert tree.num_entries == len(sample)
        assert file.file.compression.name == "ZSTD"
    # The order of the sum is the only difference.
    assert ak.sum(events.weight) == pytest.approx(sample.expected().value, rel=1e-13)
    np.testing.assert_array_equal(events.vertex_x, sample.vertices(0)[:, 0])
    np.testing.assert_array_equal(events.decay_z, sample.vertices(1)[:, 2])
    np.testing.assert_array_equal(counts, ak.num(events.pdg))
    final = events.E[events.status == 1]
    beam = ak.firsts(events.E[events.status == 4])
    target = ak.firsts(events.E[events.status == 20])
    # Energy is conserved from the beam and the nucleus to the final particles.
    whole = sample.names("target_part") == "coherent"
    assert whole.sum() > 1000
    np.testing.assert_allclose(ak.sum(final, axis=1)[whole], (beam + target)[whole], rtol=1e-9)
    assert set(ak.to_numpy(ak.firsts(events.pdg))) <= {14, -14}


def test_types_of_branches(path):
    with uproot.open(path) as file:
        types = {name: branch.typename for name, branch in file["events"].items()}
    for name in ("target", "flux", "primary_pdg", "region", "channel", "nparticles"):
        assert types[name] == "int32_t", name
    assert types["event"] == "int64_t"
    assert types["pdg"] == types["status"] == types["vertex"] == "int32_t[]"
    assert types["E"] == types["px"] == types["py"] == types["pz"] == "double[]"
    assert types["weight"] == types["primary_energy"] == types["vertex_x"] == "double"
    assert set(FACTORS) <= set(types)


def test_provenance_is_json(sample, path):
    with uproot.open(path) as file:
        record = json.loads(str(file["siren_py"]), parse_constant=pytest.fail)
    provenance = record["provenance"]
    assert record["schema_version"] == 1
    assert record["n_attempts"] == provenance["n_attempts"] == 18_000
    assert record["pot"] == 1.0
    assert provenance["siren_py"] == sp.__version__
    assert provenance["seed"] == 3
    assert provenance["units"]["energy"] == "GeV"
    assert "per proton on target" in provenance["units"]["weight"]
    configuration = provenance["configuration"]
    assert configuration["detector"]["name"] == "block µ"
    assert configuration["model"]["d_mu"] == 1e-5
    assert [(f["mode"], f["pdg"]) for f in configuration["fluxes"]] == [("fhc", 14), ("rhc", -14)]
    assert record["columns"] == sample.columns[1:]
    assert record["names"]["regions"] == ["near", "far"]


def test_weights_are_the_products_of_the_factors(path):
    with uproot.open(path) as file:
        tree = file["events"]
        factors = tree.arrays(list(FACTORS), library="np")
        weight = tree["weight"].array(library="np")
    product = math.prod(factors[name] for name in FACTORS) / 18_000
    np.testing.assert_allclose(product, weight, rtol=1e-13)


def test_an_empty_sample(sample, tmp_path):
    nothing = sample.select(lambda s: np.zeros(len(s), dtype=bool))
    assert len(nothing) == 0
    nothing.to_root(tmp_path / "empty.root")
    again = sp.read_root(tmp_path / "empty.root")
    assert_same(nothing, again)
    assert again.expected(1e21) == (0.0, 0.0)
    assert str(again.summary(1e21))
    with uproot.open(tmp_path / "empty.root") as file:
        assert file["events"].num_entries == 0
        assert file["events"]["pdg"].typename == "int32_t[]"


def test_a_selection_and_a_combination(sample, tmp_path):
    def upstream(s):
        return s.vertices(1)[:, 2] < 1 * m

    chosen = sample.select(upstream)
    chosen.to_root(tmp_path / "cut.root")
    assert_same(chosen, sp.read_root(tmp_path / "cut.root"))
    both = sp.combine([sample, simulation().run(500, seed=4, progress=False)])
    both.to_root(tmp_path / "both.root")
    assert_same(both, sp.read_root(tmp_path / "both.root"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_tables_on_disk_are_written_too(sample, tmp_path):
    store = TableStore(limit=0)
    for table in sample.tables():
        store.append(table)
    spilled = Sample(store, sample.n_attempts, sample.lookup, sample.provenance)
    spilled.to_root(tmp_path / "spilled.root")
    assert_same(sample, sp.read_root(tmp_path / "spilled.root"))


def test_sums_over_large_files_read_the_event_columns_only(sample, path, monkeypatch):
    reader = RootReader(path)
    monkeypatch.setattr("siren_py.io.reader.TableStore", lambda: TableStore(limit=1000))
    large = reader.load()
    read = []
    monkeypatch.setattr(RootReader, "_read", lambda *_: read.append(_))
    # The order of the sums is the only difference.
    assert large.expected(1e21) == pytest.approx(sample.expected(1e21), rel=1e-13)
    assert large.by("material").keys() == sample.by("material").keys()
    assert large.effective_size == pytest.approx(sample.effective_size, rel=1e-13)
    assert str(large.summary({"fhc": 1e21, "rhc": 2e21})) == str(
        sample.summary({"fhc": 1e21, "rhc": 2e21})
    )
    np.testing.assert_array_equal(large.weights, sample.weights)
    np.testing.assert_array_equal(large.names("material"), sample.names("material"))
    assert not read
    monkeypatch.undo()
    np.testing.assert_array_equal(large["q2"], sample["q2"])
    assert_same(sample, large)

    def upstream(s):
        return s.vertices(1)[:, 2] < 1 * m

    assert large.expected(cut=upstream) == pytest.approx(sample.expected(cut=upstream), rel=1e-13)


def test_progress_counts_events(sample, tmp_path):
    calls = []
    write_root(sample, tmp_path / "a.root", progress=lambda *call: calls.append(call))
    assert calls[-1] == (len(sample), len(sample))
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_overwriting(sample, tmp_path):
    path = tmp_path / "a.root"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        sample.to_root(path, overwrite=False)
    assert path.read_text() == "precious"
    sample.to_root(path)
    assert len(sp.read_root(path)) == len(sample)


def test_a_colon_in_the_name_is_a_colon(sample, tmp_path):
    path = tmp_path / "run:1.root"
    sample.select(lambda s: s["event"] < 10).to_root(path)
    assert len(sp.read_root(path)) > 0
    assert len(sp.read_root(str(path))) > 0


def with_table(sample, change):
    (table, *_) = sample.tables()
    table = table.take(np.arange(10))
    change(table)
    store = TableStore()
    store.append(EventTable.from_arrays(table.arrays()))
    return Sample(store, sample.n_attempts, sample.lookup, sample.provenance)


@pytest.mark.parametrize("name", ["pdg", "vertex_x", "weight", "nparticles", "vertices_x"])
def test_a_column_that_hides_another_is_refused(sample, tmp_path, name):
    def change(table):
        table.events[name] = np.zeros(len(table))

    with pytest.raises(ConfigError, match=f"{name!r} has the name of another branch"):
        with_table(sample, change).to_root(tmp_path / "a.root")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "values",
    [np.arange(10, dtype=np.float32), np.arange(10) % 2 == 0, np.full(10, np.nan)],
    ids=["float32", "bool", "nan"],
)
def test_columns_of_users_keep_type_and_value(sample, tmp_path, values):
    changed = with_table(sample, lambda table: table.events.update(mine=values))
    changed.to_root(tmp_path / "a.root")
    assert_same(changed, sp.read_root(tmp_path / "a.root"))


@pytest.mark.parametrize("value", [math.nan, math.inf, object()])
def test_a_record_that_is_no_json_is_refused(sample, tmp_path, value):
    bad = Sample(sample._store, sample.n_attempts, sample.lookup, {"x": value})
    with pytest.raises(OutputError, match="record of the run"):
        bad.to_root(tmp_path / "a.root")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------ files that are wrong


def rewrite(path, target, branches=None, record=None):
    """Copy a file of events with changed branches or record, as somebody else might."""
    with uproot.open(path) as file:
        tree = file["events"]
        content = json.loads(str(file["siren_py"]))
        arrays = {
            name: tree[name].array()
            for name in tree.keys()  # noqa: SIM118  (a tree is no dict)
            if name not in ("nparticles", "nvertices")
        }
    arrays = branches(arrays) if branches else arrays
    if record:
        content = record(content)
    with uproot.recreate(target) as file:
        # A tree with branches of its own counters: what jagged branches need besides.
        file.mktree("events", {k: a.type.content for k, a in arrays.items()})
        file["events"].extend(arrays)
        file["siren_py"] = content if isinstance(content, str) else json.dumps(content)
    return target


@pytest.fixture(scope="module")
def small(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.root"
    sample.select(lambda s: s["event"] < 200).to_root(path)
    return path


def test_a_copy_by_somebody_else_is_fine(small, tmp_path):
    again = sp.read_root(rewrite(small, tmp_path / "a.root"))
    assert_same(sp.read_root(small), again)


def test_additional_branches_are_left_alone(small, tmp_path):
    def more(arrays):
        return {**arrays, "my_score": arrays["weight"] * 2, "my_tracks": arrays["E"] * 2}

    again = sp.read_root(rewrite(small, tmp_path / "a.root", more))
    assert_same(sp.read_root(small), again)


@pytest.mark.parametrize("name", ["weight", "pdg", "E", "factor_line", "q2", "vertices_x", "event"])
def test_missing_branches(small, tmp_path, name):
    changed = rewrite(
        small, tmp_path / "a.root", lambda arrays: {k: v for k, v in arrays.items() if k != name}
    )
    with pytest.raises(FormatError, match=f"lacks the branches {name}"):
        sp.read_root(changed)


@pytest.mark.parametrize("name", ["weight", "factor_flux", "factor_matter"])
@pytest.mark.parametrize("factor", [1.0 + 1e-9, 0.0, math.nan, -1.0])
def test_altered_weights(small, tmp_path, name, factor):
    changed = rewrite(
        small, tmp_path / "a.root", lambda arrays: {**arrays, name: arrays[name] * factor}
    )
    with pytest.raises(FormatError, match="factor|finite"):
        sp.read_root(changed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: {**r, "schema_version": 99}, "schema version 99"),
        (lambda r: {**r, "n_attempts": 100}, "weights"),
        (lambda r: {**r, "n_attempts": 0}, "0 attempts"),
        (lambda r: {**r, "n_attempts": "many"}, "n_attempts"),
        (lambda r: {**r, "n_attempts": True}, "n_attempts"),
        (lambda r: {k: v for k, v in r.items() if k != "provenance"}, "provenance"),
        (lambda r: {k: v for k, v in r.items() if k != "columns"}, "columns"),
        (lambda r: {**r, "names": {}}, "names of channels"),
        (lambda r: [1, 2], "schema version None"),
        (lambda r: "no json", "JSON"),
    ],
)
def test_altered_records(small, tmp_path, change, words):
    changed = rewrite(small, tmp_path / "a.root", record=change)
    with pytest.raises(FormatError, match=words):
        sp.read_root(changed)


def test_files_of_another_kind(tmp_path):
    text, other, empty = tmp_path / "a.txt", tmp_path / "other.root", tmp_path / "empty.root"
    text.write_text("pdg,E\n14,1.0\n")
    empty.write_bytes(b"")
    with uproot.recreate(other) as file:
        file.mktree("hits", {"x": np.float64})
        file["hits"].extend({"x": np.zeros(3)})
    for path, words in (
        (text, "cannot be read as a ROOT file"),
        (empty, "cannot be read as a ROOT file"),
        (other, "no object 'events'; it holds hits"),
        (tmp_path, "is a folder"),
        (tmp_path / "none.root", "There is no file"),
    ):
        with pytest.raises(FormatError, match=words):
            sp.read_root(path)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(min_value=0.0, max_value=0.999))
def test_a_truncated_file_is_an_error(small, tmp_path_factory, share):
    content = small.read_bytes()
    path = tmp_path_factory.mktemp("cut") / "cut.root"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError):
        sp.read_root(path)


@settings(max_examples=40, deadline=None)
@given(start=st.floats(min_value=0.0, max_value=0.999), value=st.integers(0, 255))
def test_a_damaged_file_is_an_error_or_harmless(small, tmp_path_factory, start, value):
    content = bytearray(small.read_bytes())
    first = int(start * len(content))
    content[first : first + 64] = bytes([value]) * len(content[first : first + 64])
    path = tmp_path_factory.mktemp("damaged") / "damaged.root"
    path.write_bytes(content)
    try:
        again = sp.read_root(path)
    except FormatError:
        return
    # Bytes that no branch uses (names, dates, directories) may change; weights may not.
    assert (again.weights == sp.read_root(small).weights).all()
