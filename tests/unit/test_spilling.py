"""Tables in temporary files."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from siren_py import errors, mapping
from siren_py.spilling import spill, try_to_spill
from siren_py.store import TableStore
from siren_py.tree import EventTable


@pytest.fixture
def table():
    return EventTable(
        {"event": np.arange(3), "flux": np.array([0, 1, 0], np.int32)},
        {"x": np.linspace(0.0, 1.0, 6)[::2]},
        np.array([1, 0, 2]),
        {"pdg": np.arange(5)},
        np.array([2, 2, 1]),
    )


def test_what_comes_back_is_what_went(tmp_path, table):
    spilled = spill(table, tmp_path)
    back = spilled.load().arrays()
    for name, column in table.arrays().items():
        np.testing.assert_array_equal(back[name], column)
        assert back[name].dtype == column.dtype
    back["particle_counts"][:] = 7
    np.testing.assert_array_equal(spilled.load().particle_counts, table.particle_counts)


def test_a_table_without_events(tmp_path, table):
    none = table.take(np.zeros(0, np.int64))
    back = spill(none, tmp_path).load()
    assert len(back) == 0
    assert list(back.arrays()) == list(table.arrays())


def test_a_mapped_table_survives_its_file(tmp_path, table):
    spilled = spill(table, tmp_path)
    mapped = spilled.load()
    spilled.path.unlink()
    np.testing.assert_array_equal(mapped.events["event"], table.events["event"])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted in /proc")
def test_many_tables_at_once_do_not_use_up_the_descriptors(tmp_path, table):
    before = len(list(Path("/proc/self/fd").iterdir()))
    spilled = [spill(table, tmp_path) for _ in range(mapping._MOST_MAPPED + 20)]
    loaded = [s.load() for s in spilled]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + mapping._MOST_MAPPED
    for back in loaded:
        np.testing.assert_array_equal(back.particles["pdg"], table.particles["pdg"])


def test_each_table_has_a_file_of_its_own(tmp_path, table):
    spilled = [spill(table, tmp_path) for _ in range(5)]
    assert {s.path for s in spilled} == set(tmp_path.iterdir())
    assert len({s.path for s in spilled}) == 5


@pytest.fixture
def small_files():
    """Let files have a hundred bytes at most."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_half_a_file_is_not_left(tmp_path, table, small_files):
    with pytest.raises(OSError, match="File too large"):
        spill(table, tmp_path)
    assert try_to_spill(table, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_another_process_tries_only(tmp_path, table):
    assert try_to_spill(table, None) is None
    assert try_to_spill(table, tmp_path / "of another machine") is None
    spilled = try_to_spill(table, tmp_path)
    assert spilled.events == 3
    np.testing.assert_array_equal(spilled.load().particles["pdg"], table.particles["pdg"])


def test_what_others_have_written_counts(table):
    store = TableStore(limit=table.nbytes)
    store.append(table)
    assert store.overflow() is None
    store.append(table)
    store.append(spill(table, store.overflow()))
    assert (len(store), store.lengths, store.n_events) == (3, [3, 3, 3], 9)
    for found in store:
        np.testing.assert_array_equal(found.particles["pdg"], table.particles["pdg"])
    folder = store.overflow()
    assert len(list(folder.iterdir())) == 2
    del store
    gc.collect()
    assert not folder.exists()


def test_a_file_that_is_gone_or_cut(tmp_path, table):
    spilled = spill(table, tmp_path)
    spilled.path.write_bytes(spilled.path.read_bytes()[:-1])
    with pytest.raises(errors.OutputError, match="kept in .*TMPDIR"):
        spilled.load()
    spilled.path.unlink()
    with pytest.raises(errors.OutputError, match="No such file"):
        spilled.load()
