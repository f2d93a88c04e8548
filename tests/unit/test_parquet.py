"""Parquet files as other programs see them, and what is refused of what these write."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import FormatError
from siren_py.io.formats import read_sample

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def sample():
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    fluxes = ["t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar"]
    sim = sp.Simulation("nd280", fluxes, model, decay="nu e+ e-", region="tpc")
    return sim.run(17_000, seed=3, progress=False)  # two chunks


@pytest.fixture(scope="module")
def path(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("parquet") / "events.parquet"
    sample.write(path)
    return path


def test_pyarrow_reads_it(sample, path):
    table = pq.read_table(path)
    assert table.num_rows == len(sample)
    np.testing.assert_array_equal(table["weight"].to_numpy(), sample.weights)
    np.testing.assert_array_equal(table["decay_z"].to_numpy(), sample.vertices(1)[:, 2])
    assert table.schema.field("q2").metadata == {b"unit": b"GeV2"}
    assert table.schema.field("weight").metadata == {b"unit": b"1/POT"}
    assert not table.schema.field("weight").nullable
    momenta = table.schema.field("particles").type.value_type
    assert momenta.field("px").metadata == {b"unit": b"GeV"}
    assert momenta.field("pdg").type == pa.int32()
    first = table["particles"][0].as_py()
    assert [p["status"] for p in first][:2] == [4, 20]
    assert first[0]["energy"] == sample["primary_energy"][0]


def test_the_record_is_in_the_metadata(sample, path):
    record = json.loads(pq.read_schema(path).metadata[b"siren_py"])
    assert record["schema_version"] == 1
    assert record["n_attempts"] == 17_000
    assert record["provenance"] == sample.provenance
    assert record["names"]["channels"] == ["nu e+ e-"]


def test_chunks_are_row_groups_with_checksums(sample, path):
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [len(t) for t in sample.tables()]
    content = bytearray(path.read_bytes())
    column = metadata.row_group(0).column(0)
    content[column.data_page_offset + 200] ^= 1
    damaged = path.with_name("damaged.parquet")
    damaged.write_bytes(content)
    with pytest.raises(FormatError, match=r"damaged\.parquet cannot be read .*CRC"):
        read_sample(damaged)


def test_awkward_reads_it(sample, path):
    events = ak.from_parquet(path)
    assert ak.all(events.particles.px == sample.particles.px)
    assert ak.all(events.vertices.time == sample.events.vertices.time)


def test_polars_reads_it(sample, path):
    pl = pytest.importorskip("polars")
    sums = (
        pl.scan_parquet(path)
        .select("weight", "flux", "primary_energy")
        .filter(pl.col("primary_energy") > 0.7)
        .select(pl.col("weight").sum(), pl.col("flux").len())
        .collect()
    )
    chosen = sample["primary_energy"] > 0.7
    assert sums["weight"][0] == pytest.approx(sample.weights[chosen].sum(), rel=1e-13)
    assert sums["flux"][0] == chosen.sum()


def test_pandas_reads_it(sample, path):
    pd = pytest.importorskip("pandas")
    frame = pd.read_parquet(path, columns=["weight", "decay_x"])
    np.testing.assert_array_equal(frame["weight"], sample.weights)


# ------------------------------------------------------------------------ copies of others


def copy(path, target, change):
    table = change(pq.read_table(path))
    pq.write_table(table, target, row_group_size=1000)
    return target


def test_a_copy_in_other_row_groups(sample, path, tmp_path):
    again = read_sample(copy(path, tmp_path / "a.parquet", lambda t: t))
    for name, column in sample.table().arrays().items():
        np.testing.assert_array_equal(again.table().arrays()[name], column)
    assert len(again._store) == -(-len(sample) // 1000)


def test_additional_columns_and_a_choice_of_rows(sample, path, tmp_path):
    def change(table):
        mine = table.append_column("my_score", table["weight"]).slice(100, 5000)
        return mine.replace_schema_metadata(table.schema.metadata)

    again = read_sample(copy(path, tmp_path / "a.parquet", change))
    assert again.columns == sample.columns
    np.testing.assert_array_equal(again.weights, sample.weights[100:5100])
    np.testing.assert_array_equal(again.momenta(11), sample.momenta(11)[100:5100])


def without_record(table):
    return table.replace_schema_metadata(None)


def changed_weight(table):
    weights = table["weight"].to_numpy() * (1 + 1e-9)
    return table.set_column(table.schema.get_field_index("weight"), "weight", pa.array(weights))


def with_gaps(table):
    q2 = table["q2"].to_numpy().tolist()
    return table.set_column(table.schema.get_field_index("q2"), "q2", pa.array([None, *q2[1:]]))


def texts_for_codes(table):
    lists = ak.from_arrow(table["particles"])
    lists["pdg"] = ak.values_astype(lists["pdg"], np.float64)
    column = ak.to_arrow(lists, extensionarray=False)
    return table.set_column(table.schema.get_field_index("particles"), "particles", column)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_record, "no metadata 'siren_py'"),
        (changed_weight, "do not equal the product of their factors"),
        (with_gaps, "lacks 1 of its values"),
        (texts_for_codes, "type float64, not int32"),
        (lambda t: t.drop_columns(["factor_line"]), "lacks the columns factor_line"),
        (lambda t: t.drop_columns(["particles"]), "lacks the columns particles"),
        (lambda t: t.drop_columns(["q2"]), "lacks the columns q2"),
    ],
)
def test_what_others_changed(path, tmp_path, change, words):
    with pytest.raises(FormatError, match=words):
        read_sample(copy(path, tmp_path / "a.parquet", change))
