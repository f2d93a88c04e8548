"""All lossless formats alike: round trips of any sample, damage, names, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

import siren_py as sp
from siren_py.errors import ConfigError, FormatError, OutputError, UnknownNameError
from siren_py.io.formats import (
    FORMATS,
    chosen_format,
    format_of_content,
    format_of_name,
    read_sample,
    write_sample,
)
from siren_py.io.hdf5 import Hdf5Reader
from siren_py.io.parquet import ParquetReader
from siren_py.io.root import RootReader
from siren_py.sample import KEYS, Sample
from siren_py.store import TableStore
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, EventTable
from siren_py.weighting import FACTORS

LIBRARIES = {"root": "uproot", "rntuple": "uproot", "parquet": "pyarrow", "hdf5": "h5py"}
READS_RNTUPLE = tuple(int(n) for n in uproot.__version__.split(".")[:2]) >= (5, 7)
if not READS_RNTUPLE:
    LIBRARIES.pop("rntuple")
READERS = {
    "root": RootReader,
    "rntuple": RootReader,
    "parquet": ParquetReader,
    "hdf5": Hdf5Reader,
}
SUFFIX = {"root": ".root", "rntuple": ".root", "parquet": ".parquet", "hdf5": ".h5"}

lossless = pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                importlib.util.find_spec(library) is None, reason=f"needs {library}"
            ),
        )
        for name, library in LIBRARIES.items()
    ],
)

NAMES = {
    "materials": ["lead µ", "gas"],
    "volumes": ["block", "tank ☢"],
    "regions": ["near"],
    "parts": ["coherent", "proton"],
    "channels": ["nu e+ e-"],
    "processes": ["production", "decay"],
    "targets": {"1000822080": "Pb208", "1000060120": "C12"},
    "fluxes": [{"name": "a", "mode": "fhc"}, {"name": "b", "mode": "rhc"}],
}
SIZES = {key: len(NAMES[names]) for key, names in KEYS.items()}


def random_table(rng, n, most=6, extra=(), run=None):
    """Make a table as no process would: any numbers, any number of particles, none as well."""
    events = {"event": np.sort(rng.integers(0, 2**60, n))}
    for key, size in SIZES.items():
        events[key] = rng.integers(0, size, n).astype(np.int32)
    events["target"] = rng.choice([1000822080, 1000060120, -1], n).astype(np.int32)
    events["primary_energy"] = 10.0 ** rng.uniform(-300, 300, n)
    for name in FACTORS:
        events[name] = 10.0 ** rng.uniform(-30, 30, n)
    if run is not None:
        events["run"] = rng.integers(0, run, n).astype(np.int32)
    for name, kind in extra:
        events[name] = rng.integers(0, 2, n).astype(kind)
    events["odd"] = rng.choice([np.nan, np.inf, -np.inf, -0.0, 5e-324, 0.1], n)
    vertex_counts = rng.integers(0, most, n)
    particle_counts = rng.integers(0, most, n)

    def columns(kinds, total):
        return {
            name: rng.integers(-(2**31), 2**31, total).astype(kind)
            if kind is np.int32
            else rng.normal(size=total) * 10.0 ** rng.uniform(-100, 100, total)
            for name, kind in kinds.items()
        }

    return EventTable(
        events,
        columns(VERTEX_COLUMNS, int(vertex_counts.sum())),
        vertex_counts,
        columns(PARTICLE_COLUMNS, int(particle_counts.sum())),
        particle_counts,
    )


def random_sample(seed=1, sizes=(40, 0, 25), provenance=None, **options):
    rng = np.random.default_rng(seed)
    store = TableStore()
    for n in sizes:
        store.append(random_table(rng, n, **options))
    return Sample(store, max(sum(sizes), 1) + 7, NAMES, provenance or {"seed": seed})


def assert_identical(one, other):
    a, b = one.table().arrays(), other.table().arrays()
    assert list(a) == list(b)
    for name, column in a.items():
        assert column.dtype == b[name].dtype, name
        # Bytes: NaN, signs of zeros and all.
        assert column.tobytes() == b[name].tobytes(), name
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.n_attempts == other.n_attempts
    assert one.lookup == other.lookup
    assert json.loads(json.dumps(one.provenance)) == other.provenance


KINDS = ("int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "bool")

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
provenances = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts | st.floats(allow_nan=False, width=64),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ).filter(lambda value: "inf" not in str(value).lower()),
    min_size=1,
    max_size=4,
)


@lossless
@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    most=st.integers(1, 8),
    extra=st.lists(st.sampled_from(KINDS), unique=True, max_size=4),
    provenance=provenances,
)
def test_any_sample_comes_back_bit_for_bit(
    name, tmp_path_factory, seed, sizes, most, extra, provenance
):
    columns = [(f"my_{kind}", np.dtype(kind)) for kind in extra]
    sample = random_sample(seed, sizes, provenance, most=most, extra=columns)
    path = tmp_path_factory.mktemp("any") / f"µ events:1{SUFFIX[name]}"
    assert write_sample(sample, path, format=name) == ()
    assert_identical(sample, read_sample(path))
    # Pieces that are fetched when they are needed are the same.
    assert_identical(sample, READERS[name](path).later())


@pytest.fixture(scope="module")
def simulated():
    """A run of two chunks with two fluxes, selections from it, and a combination."""
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    fluxes = ["t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar"]
    sim = sp.Simulation("nd280", fluxes, model, decay="nu e+ e-", region="tpc")
    sample = sim.run(18_000, seed=3, progress=False)
    return {
        "run": sample,
        "selection": sample.select(lambda s: s["primary_energy"] > 0.7),
        "empty": sample.select(lambda s: np.zeros(len(s), dtype=bool)),
        "combination": sp.combine([sample, sim.run(500, seed=4, progress=False)]),
    }


@pytest.mark.parametrize(
    "name", [n for n, f in FORMATS.items() if f.reads and (READS_RNTUPLE or n != "rntuple")]
)
@pytest.mark.parametrize("kind", ["run", "selection", "empty", "combination"])
def test_events_of_a_simulation(name, kind, simulated, tmp_path):
    pytest.importorskip(LIBRARIES.get(name, "numpy"))
    sample = simulated[kind]
    assert (len(sample) == 0) == (kind == "empty")
    if name not in LIBRARIES:  # a text: slow
        sample = sample.select(lambda s: s["event"] < 300)
    path = tmp_path / f"events{FORMATS[name].suffixes[0]}"
    assert sample.write(path, format=name) == FORMATS[name].drops == ()
    again = read_sample(path)
    assert_identical(sample, again)
    # The order of the sum is the only difference.
    assert again.expected(1e21) == pytest.approx(sample.expected(1e21), rel=1e-14)
    assert str(again.summary(1e21)) == str(sample.summary(1e21))


@lossless
def test_every_format_from_every_other(name, tmp_path):
    sample = random_sample()
    first = tmp_path / f"a{SUFFIX[name]}"
    write_sample(sample, first, format=name)
    for other, library in LIBRARIES.items():
        if importlib.util.find_spec(library):
            second = tmp_path / f"b{SUFFIX[other]}"
            write_sample(read_sample(first), second, format=other)
            assert_identical(sample, read_sample(second))


@lossless
def test_progress_overwriting_and_large_samples(name, tmp_path, monkeypatch):
    sample, calls = random_sample(sizes=(30, 20)), []
    path = tmp_path / f"a{SUFFIX[name]}"
    write_sample(sample, path, format=name, progress=lambda *call: calls.append(call))
    assert calls == [(30, 50), (50, 50)]
    with pytest.raises(OutputError, match="exists already"):
        write_sample(sample, path, format=name, overwrite=False)
    # Without room in memory, tables stay in the file.
    monkeypatch.setattr("siren_py.io.reader.TableStore", lambda: TableStore(limit=0))
    again = read_sample(path)
    assert again._store._in_memory == 0
    path.unlink()  # what was opened stays open
    assert_identical(sample, again)


@lossless
def test_reading_a_part(name, tmp_path):
    sample = random_sample(sizes=(30, 20, 0, 40))
    write_sample(sample, tmp_path / f"a{SUFFIX[name]}", format=name)
    reader = READERS[name](tmp_path / f"a{SUFFIX[name]}")
    whole = sample.table()
    for start, stop in ((0, 0), (0, 90), (10, 25), (25, 60), (30, 50), (89, 90), (90, 90)):
        part = whole.take(np.arange(start, stop))
        assert reader.table(start, stop).arrays().keys() == part.arrays().keys()
        for key, column in reader.table(start, stop).arrays().items():
            assert column.tobytes() == part.arrays()[key].tobytes(), (start, stop, key)
        np.testing.assert_array_equal(reader.event_numbers(start, stop), part.events["event"])


# ------------------------------------------------------------------------ what is refused


@lossless
@pytest.mark.parametrize("column", ["pdg", "vertex_x", "weight", "vertices", "a/b", "a.b", ""])
def test_columns_that_a_file_cannot_hold(name, tmp_path, column):
    sample = random_sample(extra=[(column, np.int32)])
    with pytest.raises(ConfigError, match="another branch|no slash"):
        write_sample(sample, tmp_path / f"a{SUFFIX[name]}", format=name)
    assert not list(tmp_path.iterdir())


@lossless
@pytest.mark.parametrize("kind", ["complex128", "float16", "U5"])
def test_types_that_a_file_cannot_hold(name, tmp_path, kind):
    sample = random_sample(extra=[("mine", np.dtype(kind))])
    with pytest.raises(ConfigError, match="'mine' is of type"):
        write_sample(sample, tmp_path / f"a{SUFFIX[name]}", format=name)
    assert not list(tmp_path.iterdir())


@lossless
def test_a_record_that_is_no_json(name, tmp_path):
    sample = random_sample(provenance={"x": math.nan})
    with pytest.raises(OutputError, match="record of the run"):
        write_sample(sample, tmp_path / f"a{SUFFIX[name]}", format=name)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small file of each format that can be written here."""
    folder = tmp_path_factory.mktemp("files")
    found = {}
    for name, library in LIBRARIES.items():
        if importlib.util.find_spec(library):
            found[name] = folder / f"{name}{SUFFIX[name]}"
            write_sample(random_sample(), found[name], format=name)
    return found


@lossless
@settings(max_examples=12, deadline=None)
@given(share=st.floats(min_value=0.0, max_value=0.999))
def test_a_truncated_file_is_an_error(name, files, tmp_path_factory, share):
    content = files[name].read_bytes()
    path = tmp_path_factory.mktemp("cut") / f"cut{SUFFIX[name]}"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError):
        read_sample(path)


@lossless
@settings(max_examples=20, deadline=None)
@given(
    start=st.floats(min_value=0.0, max_value=0.999), value=st.integers(0, 255), length=st.just(64)
)
def test_a_damaged_file_is_an_error_or_harmless(
    name, files, tmp_path_factory, start, value, length
):
    content = bytearray(files[name].read_bytes())
    first = int(start * len(content))
    content[first : first + length] = bytes([value]) * len(content[first : first + length])
    path = tmp_path_factory.mktemp("damaged") / f"damaged{SUFFIX[name]}"
    path.write_bytes(content)
    try:
        again = read_sample(path)
    except FormatError:
        return
    assert again.weights.tobytes() == read_sample(files[name]).weights.tobytes()


# ------------------------------------------------------------------------ names and contents


def test_names_of_files():
    assert format_of_name("a.root").name == "root"
    assert format_of_name("dir.h5/A.PARQUET").name == "parquet"
    assert format_of_name("a.hepmc3").name == format_of_name("a.hepmc").name == "hepmc"
    assert format_of_name("a.hepmc3.gz").name == "hepmc"
    assert format_of_name("a") is None
    assert chosen_format("a.root", "rntuple").name == "rntuple"
    assert chosen_format("a.out", "hdf5").name == "hdf5"


def test_names_that_say_nothing_or_something_else(tmp_path):
    sample = random_sample()
    with pytest.raises(ConfigError, match=r"'a\.parquett' .* Did you mean \.parquet\? .*\.hepevt"):
        sample.write(tmp_path / "a.parquett")
    with pytest.raises(ConfigError, match="does not say which format"):
        sample.write(tmp_path / "events")
    with pytest.raises(ConfigError, match=r"stands for Parquet.*asked for is ROOT.*in \.root"):
        sample.write(tmp_path / "a.parquet", format="root")
    with pytest.raises(UnknownNameError, match="rntuple"):
        sample.write(tmp_path / "a.root", format="ntuple")
    with pytest.raises(UnknownNameError, match=r"option of the format ROOT .*It takes none"):
        sample.write(tmp_path / "a.root", compression=3)
    assert not list(tmp_path.iterdir())


@lossless
def test_content_decides_and_has_to_fit_the_name(name, files, tmp_path):
    assert format_of_content(files[name]).magic == FORMATS[name].magic
    nameless = tmp_path / "events"
    shutil.copy(files[name], nameless)
    assert_identical(random_sample(), read_sample(nameless))
    assert_identical(random_sample(), read_sample(nameless, format=name))
    for other in {".root", ".parquet", ".h5", ".hepevt", ".hepmc3"} - {SUFFIX[name]}:
        wrong = tmp_path / f"a{other}"
        shutil.copy(files[name], wrong)
        with pytest.raises(FormatError, match="is a .* file, as its first bytes tell"):
            read_sample(wrong)
        # Whoever names the format knows.
        assert len(read_sample(wrong, format=name)) == 65
    with pytest.raises(FormatError, match="the format asked for is"):
        read_sample(nameless, format="hepevt")


@lossless
def test_files_of_another_kind(name, tmp_path):
    text = tmp_path / f"a{SUFFIX[name]}"
    text.write_text("pdg,E\n14,1.0\n")
    with pytest.raises(FormatError, match="cannot be read as a"):
        read_sample(text)
    text.write_bytes(b"")
    with pytest.raises(FormatError, match="cannot be read as a"):
        read_sample(text)
    with pytest.raises(FormatError, match="There is no file"):
        read_sample(tmp_path / f"none{SUFFIX[name]}")
    with pytest.raises(FormatError, match="is a folder"):
        read_sample(tmp_path)
    for reader in (READERS[name],):
        with pytest.raises(FormatError, match="is a folder"):
            reader(tmp_path)
        with pytest.raises(FormatError, match="There is no file"):
            reader(tmp_path / "none")


def test_nothing_tells_the_format(tmp_path):
    path = tmp_path / "events.txt"
    path.write_text("what is this\n")
    with pytest.raises(ConfigError, match="Neither name nor content"):
        read_sample(path)
    with pytest.raises(UnknownNameError):
        read_sample(path, format="text")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_its_functions_and_says_what_it_drops(name):
    found = FORMATS[name]
    assert callable(found.writer())
    assert not found.reads or callable(found.reader())
    assert all(isinstance(text, str) and text for text in found.drops)
    if name in LIBRARIES:
        assert found.drops == ()
    # Nothing is lost silently: what cannot be read back says what it lacks.
    assert found.reads or found.drops


def test_a_missing_library_is_named(tmp_path, monkeypatch, files):
    for name, library in (("parquet", "pyarrow"), ("hdf5", "h5py")):
        monkeypatch.setitem(__import__("sys").modules, library, None)
        path = tmp_path / f"a{SUFFIX[name]}"
        with pytest.raises(sp.errors.SirenError, match=rf'pip install "siren-py\[{name}\]"'):
            write_sample(random_sample(), path)
        if name in files:
            with pytest.raises(sp.errors.SirenError, match=rf"siren-py\[{name}\]"):
                read_sample(files[name])
    assert not list(tmp_path.iterdir())
