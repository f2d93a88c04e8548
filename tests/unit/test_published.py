"""Published curves and tables: complete, in the units of siren_py, and what their papers say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erfinv

from siren_py.errors import ConfigError, FormatError, UnknownNameError
from siren_py.published import curve_names, load_curve, load_table, table_names
from siren_py.published.curves import KINDS, STATUSES, read_published

EXPERIMENTS = {
    "liu2024-2019", "liu2024-upgrade", "liu2024-5sigma", "liu2024-mixing-2019",
    "arguelles2021-dipole-2019", "t2k2019-ue2", "t2k2019-umu2", "minerva", "nomad", "charm2",
    "super-k", "borexino", "lsnd", "sn1987a", "miniboone-costheta-95", "miniboone-energy-95",
}  # fmt: skip


def test_the_important_ones_are_there():
    assert set(curve_names()) >= EXPERIMENTS
    assert set(table_names()) >= {
        "liu2024-grid", "liu2024-grid-older", "liu2024-median-lengths",
        "arguelles2021-dipole-events", "arguelles2021-mixing-events",
    }  # fmt: skip
    assert not set(curve_names()) & set(table_names())


@pytest.mark.parametrize("name", curve_names())
def test_every_curve(name):
    curve = load_curve(name)
    assert curve.name == name
    assert curve.x.shape == curve.y.shape
    assert len(curve.x) >= 10
    assert np.isfinite(curve.x).all()
    assert np.isfinite(curve.y).all()
    # GeV, 1/GeV, 1: no MeV are left, and no mixing above one.
    assert (curve.x_name, curve.x_unit) == ("mass", "GeV")
    assert curve.x.min() > 1e-4
    assert curve.x.max() < 7.0
    assert curve.y_unit == ("1/GeV" if curve.y_name == "d_mu" else "1")
    assert curve.y.min() > 0.0
    if curve.y_name != "d_mu":
        assert curve.y.max() < 1.0
    assert curve.kind in KINDS
    assert curve.status in STATUSES
    assert curve.cl
    assert curve.convention
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|own estimate", curve.citation)
    assert name in repr(curve)
    assert curve.to_dict()["points"] == len(curve.x)


@pytest.mark.parametrize("name", table_names())
def test_every_table(name):
    table = load_table(name)
    assert table.status in STATUSES
    assert "arXiv" in table.citation
    assert table.to_dict()["rows"] == len(table["mass"])
    assert set(table.units) == set(table.columns)
    assert table["mass"].min() > 0.009
    assert table["mass"].max() < 3.0


def test_curves_cannot_be_spoiled():
    load_curve("minerva").x[:] = 0.0
    load_table("liu2024-grid")["mass"][:] = 0.0
    assert load_curve("minerva").x.min() > 0.0
    assert load_table("liu2024-grid")["mass"].min() > 0.0


# Numbers that the papers, or the notes made on them, state.
@pytest.mark.parametrize(
    ("name", "mass", "value", "tolerance"),
    [
        ("liu2024-2019", 0.02, 9.2e-7, 0.01),
        ("liu2024-2019", 0.1, 2.6e-7, 0.01),
        ("liu2024-2019", 0.5, 7.9e-7, 0.01),
        ("liu2024-2019", 1.0, 2.6e-6, 0.01),
        ("liu2024-upgrade", 0.2, 1.47e-7, 0.01),
        ("liu2024-upgrade", 0.7, 8.6e-7, 0.015),
        ("minerva", 0.1, 2.03e-7, 0.01),
        ("minerva", 0.4, 9.7e-7, 0.01),
        ("arguelles2021-dipole-2019", 0.1, 2.0e-11, 0.05),
        ("t2k2019-umu2", 0.3, 2.76e-9, 0.005),
        ("t2k2019-ue2", 0.46, 9.8e-10, 0.005),
    ],
)
def test_anchors(name, mass, value, tolerance):
    assert load_curve(name).at(mass) == pytest.approx(value, rel=tolerance)


def test_edges_of_contours():
    """NOMAD at 600 MeV, both edges of the MiniBooNE region, and where there is nothing."""
    low, high = load_curve("nomad").edges(0.6)
    assert low == pytest.approx(7.8e-7, rel=0.03)
    assert high > 1e-5
    costheta = load_curve("miniboone-costheta-95")
    assert costheta.closed
    assert len(costheta.edges(0.6)) == 2
    assert costheta.edges(0.1).size == 0
    # As many edges as there are passages, for a line that turns back as well.
    assert len(load_curve("super-k").edges(0.08)) == 2
    (edge,) = load_curve("minerva").edges(0.1)
    assert edge == pytest.approx(load_curve("minerva").at(0.1))


def test_no_extrapolation():
    curve = load_curve("liu2024-2019")
    assert curve.at([0.05, 0.5]).shape == (2,)
    for mass in (0.009, 1.3, np.nan):
        with pytest.raises(ConfigError, match=r"known from 0\.01 to 1\.255"):
            curve.at(mass)
    with pytest.raises(ConfigError, match=r"edges\(mass\)"):
        load_curve("miniboone-costheta-95").at(0.6)


def test_names_are_suggested():
    with pytest.raises(UnknownNameError, match="Did you mean 'minerva'"):
        load_curve("minverva")
    with pytest.raises(UnknownNameError, match="Use load_table"):
        load_curve("liu2024-grid")
    with pytest.raises(UnknownNameError, match="Use load_curve"):
        load_table("minerva")
    with pytest.raises(UnknownNameError, match="'mass'"):
        load_table("liu2024-grid")["mas"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#title: x\n", "line 1: expected '# key: text'"),
        ("# title: x\nmass,d [1/GeV]\n", "line 2: expected columns 'name \\[unit\\]'"),
        ("mass [TeV]\n1\n", "line 1: .*MeV, GeV"),
        ("mass [GeV],d [1/GeV]\n1,2\n1\n", "line 3: expected 2 finite numbers"),
        ("mass [GeV],d [1/GeV]\n1,nan\n", "line 2: expected 2 finite numbers"),
        ("mass [GeV],d [1/GeV]\n1,x\n", "line 2: could not convert"),
        ("# title: x\nmass [GeV]\n", "no numbers"),
    ],
)
def test_mistakes_in_files_have_a_line(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_published(path)


# ----------------------------------------------------------------------- what belongs together


def test_the_red_line_is_where_the_grid_has_1353_events():
    """Liu et al.: their grid, branching ratio and exposure give 1.353 events along Fig. 4."""
    table = load_table("liu2024-grid")
    curve = load_curve("liu2024-2019")
    r = 0.51099895e-3 / table["mass"]
    logs = (2 - r**6 / 8) * np.arccosh(1 / r)
    logs -= (24 - 10 * r**2 + r**4) / 8 * np.sqrt(1 - 4 * r**2)
    ratio = logs / (3 * np.pi * 137.036)
    sums = {mode: sum(table[f"og{k}_{mode}"] for k in (1, 2, 3)) for mode in ("nu", "nb")}
    events = ratio * (1.234 * sums["nu"] + 0.629 * sums["nb"])
    compared = 0
    for mass in np.unique(table["mass"]):
        here = table["mass"] == mass
        if not curve.x[0] <= mass <= curve.x[-1] + 1e-9:
            continue
        line = float(curve.at(mass))
        order = np.argsort(table["d_mu"][here])
        d, n = table["d_mu"][here][order], events[here][order]
        # Every second coupling of the grid is at hand, a factor of 2.8: the events follow
        # no power of d over such a step except where N is long-lived, as d^4.
        near = np.abs(np.log(d / line)) < np.log(2.8)
        if mass < 0.07:
            scaled = n[near] * (line / d[near]) ** 4
            # The line was drawn with straight pieces between masses of another grid, 2.5 % in d.
            assert scaled == pytest.approx(1.353, rel=0.1), mass
            compared += 1
        else:
            assert (n[d < 0.9 * line] < 1.353).all(), mass
            assert (n[d > 1.1 * line] > 1.353).all(), mass
    assert compared == 4


def test_mixing_events_give_the_published_line():
    """Arguelles et al.: their line is where 2.3 events are expected, e.g. 2.0e-11 at 100 MeV."""
    table = load_table("arguelles2021-dipole-events")
    curve = load_curve("arguelles2021-dipole-2019")
    for mass in np.unique(table["mass"]):
        if not 0.05 < mass < 0.2:
            continue
        here = table["mass"] == mass
        u2, events = table["Umu2"][here], table["events"][here]
        low = np.flatnonzero(events > 2.3)[0]
        at = np.interp(
            np.log(2.3), np.log(events[low - 1 : low + 1]), np.log(u2[low - 1 : low + 1])
        )
        low_edge = curve.edges(float(mass))[0]
        # Points of the figure were read off, between steps of 10 in |U|^2 of the table.
        assert np.exp(at) == pytest.approx(low_edge, rel=0.15), mass


def test_combined_limits_are_not_below_the_single_ones_by_much():
    """A flat prior in |U|^2 gives erfinv(0.9)^2 events, one in the events 2.3, for N ~ U^4."""
    both = np.sqrt(erfinv(0.9) ** 2 / np.log(10.0))
    ratio = load_curve("t2k2019-umu2").at(0.35) / load_curve("t2k2019-umumu-c").at(0.35)
    # All channels see more than one alone.
    assert 0.8 * both < ratio < both


def test_data_are_small_files_of_the_package():
    folder = Path(load_curve.__code__.co_filename).parent / "data"
    assert len(list(folder.glob("*.csv"))) == len(curve_names()) + len(table_names())
    assert sum(f.stat().st_size for f in folder.iterdir()) < 300_000
