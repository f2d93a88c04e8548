"""Event tables: selection, joining, storage, and what is wrong with malformed ones."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siren_py import errors
from siren_py.injection.builder import TreeBuilder
from siren_py.store import TableStore
from siren_py.tree import EventTable, concatenate, offsets_of, ragged_rows, vertex_of


def make_table(counts, seed=0):
    """One event per entry; event i has counts[i] vertices and twice as many particles."""
    rng = np.random.default_rng(seed)
    n = len(counts)
    builder = TreeBuilder(n)
    counts = np.asarray(counts, dtype=np.int64)
    for k in range(int(counts.max(initial=0))):
        rows = np.flatnonzero(counts > k)
        vertex = builder.add_vertex(
            rows, rng.random((rows.size, 3)), rng.random(rows.size), 0, rows
        )
        assert (vertex == k).all()
        for _ in range(2):
            codes, momenta = np.full((rows.size, 1), 22), rng.random((rows.size, 1, 4))
            builder.add_particles(rows, codes, momenta, 1, vertex)
    return builder.build({"event": np.arange(n), "x": rng.random(n)})


@settings(deadline=None)  # the first example may have to compile
@given(st.lists(st.integers(0, 4), max_size=12), st.data())
def test_taking_events_takes_their_trees(counts, data):
    table = make_table(counts)
    index = data.draw(st.lists(st.integers(0, max(len(counts) - 1, 0)), max_size=15))
    index = np.array(index if counts else [], dtype=np.int64)
    taken = table.take(index)
    assert len(taken) == index.size
    offsets = offsets_of(table.particle_counts)
    expected = [np.arange(offsets[i], offsets[i + 1]) for i in index]
    rows = np.concatenate(expected) if expected else np.zeros(0, dtype=np.int64)
    np.testing.assert_array_equal(ragged_rows(offsets, index), rows)
    np.testing.assert_array_equal(taken.particles["energy"], table.particles["energy"][rows])
    np.testing.assert_array_equal(taken.events["event"], index)
    np.testing.assert_array_equal(taken.vertex_counts, np.asarray(counts, int)[index])


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=10), st.integers(0, 10))
def test_cutting_and_joining_changes_nothing(counts, cut):
    table = make_table(counts)
    numbers = np.arange(len(counts))
    joined = concatenate([table.take(numbers < cut), table.take(numbers >= cut)])
    for key, column in table.arrays().items():
        np.testing.assert_array_equal(joined.arrays()[key], column)
        assert joined.arrays()[key].dtype == column.dtype


def test_vertices_that_do_not_exist_are_nan():
    table = make_table([1, 2, 0, 3])
    second = vertex_of(table, 1)
    np.testing.assert_array_equal(np.isnan(second[:, 0]), [True, False, True, False])
    offsets = offsets_of(table.vertex_counts)
    assert second[1, 3] == table.vertices["time"][offsets[1] + 1]


def test_columns_must_fit_the_counts():
    table = make_table([1, 2])
    with pytest.raises(errors.FormatError, match="event column"):
        EventTable(
            {"event": np.zeros(3)}, table.vertices, table.vertex_counts, {}, np.zeros(2, int)
        )
    with pytest.raises(errors.FormatError, match="particle column"):
        EventTable({}, {}, np.zeros(2, int), {"pdg": np.zeros(3)}, np.array([1, 1]))
    with pytest.raises(errors.ConfigError, match="no table"):
        concatenate([])


def test_store_moves_to_disk_and_back():
    tables = [make_table([1, 2, 0], seed=s) for s in range(5)]
    limit = tables[0].nbytes + tables[1].nbytes
    store = TableStore(limit)
    for table in tables:
        store.append(table)
    assert len(store) == 5
    assert store.lengths == [3] * 5
    assert store.n_events == 15
    on_disk = [not isinstance(t, EventTable) for t in store._tables]
    assert on_disk == [False, False, True, True, True]
    folder = store._tables[2].path.parent
    for before, after in zip(tables, store, strict=True):
        for key, column in before.arrays().items():
            np.testing.assert_array_equal(after.arrays()[key], column)
            assert after.arrays()[key].dtype == column.dtype
    halves = store.map(lambda t: t.take(np.array([1])))
    assert halves.lengths == [1] * 5
    assert folder.is_dir()
    del store
    gc.collect()
    assert not folder.exists()
