"""Fig. 4 of arXiv:2412.15051: tables and figures of known lines; the whole of it with a marker."""

from __future__ import annotations

import numpy as np
import pytest

from siren_py.experiments.liu2024 import LIU2024, PHYSICAL
from siren_py.experiments.liu2024_limits import Ladder, LimitLine
from siren_py.reproduction import liu2024_fig4 as fig4
from siren_py.reproduction import reproduce

MASSES = np.array([0.1, 0.2, 0.5])


def line(configuration, exposure="t2k-2019"):
    lower = np.array([7e-7, 2e-6, np.nan])
    upper = np.array([np.nan, 7e-6, np.nan])
    return LimitLine(MASSES, lower, upper, np.ones(3), configuration, exposure, 3.0)


def test_tables_leave_out_what_is_not_excluded():
    table = fig4._line_table("x", line(PHYSICAL))
    mass, low, high = table.columns
    assert list(mass.values) == [0.1, 0.2]
    assert list(low.values) == [7e-7, 2e-6]
    assert list(high.values) == ["", 7e-6]
    assert low.unit == "1/GeV"


def test_the_ladder_has_both_orders_and_empty_rungs():
    pytest.importorskip("matplotlib")
    alone = np.array([[2e-7, 3e-7], [4e-7, np.nan]])
    steps = Ladder(MASSES[:2], ("liu2024", "survival"), alone, 2 * alone, alone, alone)
    first, second = fig4._ladder_tables(steps)
    assert list(first.columns[0].values) == ["liu2024", "survival"]
    assert list(first.columns[2].values) == [3e-7, ""]
    assert list(second.columns[1].values) == [4e-7, 8e-7]
    assert fig4._ladder_figure(steps).axes[0].get_ylabel() == "limit on d [1/GeV]"


def test_the_figure_has_both_configurations_and_the_published_lines():
    pytest.importorskip("matplotlib")
    lines = {
        name: line(LIU2024 if which == "liu2024" else PHYSICAL, exposure)
        for name, (which, exposure, _, _) in fig4.LINES.items()
    }
    figure = fig4._figure(lines)
    words = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert "siren_py, physical, 2019" in words
    assert "siren_py, liu2024, 2019" in words
    assert any("MiniBooNE" in w for w in words)


@pytest.mark.parametrize(
    ("mass", "d", "place", "tolerance"),
    [
        (0.0324, 1e-7, "long", 0.05),
        (0.105, 1.08e-6, "between", 0.25),
        (0.616, 5e-6, "prompt", 0.05),
    ],
)
def test_the_tolerance_of_the_grid_follows_the_lifetime(mass, d, place, tolerance):
    row = fig4._grid_row(mass, d, "nu", 1.0, 1.0, 0.01)
    assert place in row.quantity
    assert row.tolerance == tolerance
    assert row.deviation == ""


def test_a_line_that_is_gone_is_outside():
    lines = dict.fromkeys(fig4.LINES, line(LIU2024))
    rows = fig4._against_lines(lines)
    gone = [r for r in rows if "m = 0.5 GeV" in r.quantity and "2019" in r.quantity]
    assert [r.status for r in gone] == ["OUTSIDE"]


@pytest.mark.validation
def test_the_quick_version_agrees(tmp_path):
    found = reproduce("liu2024-fig4", tmp_path, quick=True, progress=False)
    assert found.ok
    assert (tmp_path / "limits.png").stat().st_size > 0
    assert (tmp_path / "ladder.pdf").stat().st_size > 0
