"""Tables in temporary files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from siren_py import errors, mapping
from siren_py.spilling import spill
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
    spilled = spill(table, tmp_path / "0")
    back = spilled.load().arrays()
    for name, column in table.arrays().items():
        np.testing.assert_array_equal(back[name], column)
        assert back[name].dtype == column.dtype
    back["particle_counts"][:] = 7
    np.testing.assert_array_equal(spilled.load().particle_counts, table.particle_counts)


def test_a_table_without_events(tmp_path, table):
    none = table.take(np.zeros(0, np.int64))
    back = spill(none, tmp_path / "0").load()
    assert len(back) == 0
    assert list(back.arrays()) == list(table.arrays())


def test_a_mapped_table_survives_its_file(tmp_path, table):
    spilled = spill(table, tmp_path / "0")
    mapped = spilled.load()
    spilled.path.unlink()
    np.testing.assert_array_equal(mapped.events["event"], table.events["event"])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted in /proc")
def test_many_tables_at_once_do_not_use_up_the_descriptors(tmp_path, table):
    before = len(list(Path("/proc/self/fd").iterdir()))
    spilled = [spill(table, tmp_path / str(k)) for k in range(mapping._MOST_MAPPED + 20)]
    loaded = [s.load() for s in spilled]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + mapping._MOST_MAPPED
    for back in loaded:
        np.testing.assert_array_equal(back.particles["pdg"], table.particles["pdg"])


def test_no_other_file_is_written_over(tmp_path, table):
    (tmp_path / "0").write_text("precious")
    with pytest.raises(FileExistsError):
        spill(table, tmp_path / "0")


def test_a_file_that_is_gone_or_cut(tmp_path, table):
    spilled = spill(table, tmp_path / "0")
    spilled.path.write_bytes(spilled.path.read_bytes()[:-1])
    with pytest.raises(errors.OutputError, match="kept in .*TMPDIR"):
        spilled.load()
    spilled.path.unlink()
    with pytest.raises(errors.OutputError, match="No such file"):
        spilled.load()
