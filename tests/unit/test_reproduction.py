"""Reproductions: what is written, what is kept, and the numbers of those that are quick."""

from __future__ import annotations

import csv
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import siren_py as sp
from siren_py.cli import main
from siren_py.errors import ConfigError, FormatError, OutputError, UnknownNameError
from siren_py.io.hepdata import Column, DataTable
from siren_py.reproduction import (
    Agreement,
    Checkpoint,
    Context,
    Reproduction,
    find_reproduction,
    plane,
    registry,
    reproduce,
    reproduction_names,
)
from siren_py.reproduction import liu2024_fig3 as fig3

matplotlib = pytest.importorskip("matplotlib")


# ----------------------------------------------------------------------- agreement


def row(**changes):
    given = {"quantity": "d", "published": 2.0, "ours": 2.1, "tolerance": 0.1, **changes}
    return Agreement(**given)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "inside"),
        ({"ours": 1.8}, "inside"),
        ({"ours": 2.3}, "OUTSIDE"),
        ({"ours": 2.3, "deviation": "a known fault"}, "known deviation"),
        ({"deviation": "no longer"}, "inside"),
        ({"published": -2.0, "ours": -2.1}, "inside"),
        ({"published": 0.0, "ours": 0.05, "absolute": True}, "inside"),
        ({"published": 0.0, "ours": 0.2, "absolute": True}, "OUTSIDE"),
        # An error is for information; it does not widen the tolerance.
        ({"ours": 2.3, "error": 5.0}, "OUTSIDE"),
    ],
)
def test_status(changes, status):
    one = row(**changes)
    assert one.status == status
    assert Agreement.from_dict(one.to_dict()) == one


@pytest.mark.parametrize(
    "changes", [{"ours": np.nan}, {"published": 0.0}, {"tolerance": 0.0}, {"error": np.inf}]
)
def test_rows_that_compare_nothing(changes):
    with pytest.raises(ConfigError):
        row(**changes)


def test_the_table_in_words():
    rows = [
        row(quantity="|U|^2", comment="a reason", unit="1"),
        row(ours=2.5, comment="a reason", deviation="a fault"),
    ]
    text = Reproduction([], {}, rows).agreement_table()
    assert "| \\|U\\|^2 [1] | 2 1 | 2.1 1 | 1.050 | 10 % | inside |" in text
    assert "| d [1] [2] | 2 | 2.5 | 1.250 | 10 % | known deviation |" in text
    assert text.endswith("[1] a reason  \n[2] a fault  ")


# ----------------------------------------------------------------------- checkpoints


def test_pieces_are_computed_once(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"x": np.arange(3), "name": np.array(["a", "bc"])}

    kept = Checkpoint(tmp_path / "cache")
    first = kept.arrays("piece", {"a": 1, "b": [1.0, 2.0]}, compute)
    again = kept.arrays("piece", {"b": [1.0, 2.0], "a": 1}, compute)
    assert len(calls) == 1
    for name, values in first.items():
        assert (again[name] == values).all()
    kept.arrays("piece", {"a": 2}, compute)
    kept.arrays("other", {"a": 1, "b": [1.0, 2.0]}, compute)
    assert len(calls) == 3
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupted_piece_leaves_nothing(tmp_path):
    kept = Checkpoint(tmp_path / "cache")

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.arrays("piece", {}, interrupted)
    assert kept.arrays("piece", {}, lambda: {"x": [1.0]})["x"] == [1.0]


def test_a_damaged_piece_is_named(tmp_path):
    kept = Checkpoint(tmp_path)
    kept.path("piece", {}).write_bytes(b"PK nonsense")
    with pytest.raises(FormatError, match="Delete the file"):
        kept.arrays("piece", {}, dict)


@pytest.mark.parametrize("key", ["", "a/b", "../a", "a b"])
def test_keys_are_names(tmp_path, key):
    with pytest.raises(ConfigError, match="letters, digits and dashes"):
        Checkpoint(tmp_path).path(key, {})


def test_a_piece_depends_on_seed_and_size(tmp_path):
    def drawn(**options):
        context = Context(name="x", output=tmp_path, **options)
        return context.cached_arrays("x", {}, lambda: {"x": [float(context.seed)]})["x"][0]

    assert [drawn(seed=1), drawn(seed=2), drawn(seed=1, quick=True)] == [1.0, 2.0, 1.0]
    assert len(list((tmp_path / "cache").iterdir())) == 3


# ----------------------------------------------------------------------- writing


@pytest.fixture
def toy(monkeypatch):
    """A reproduction that counts how often it computes."""
    calls = []

    def run(context):
        def compute():
            calls.append(context.seed)
            return {"d": [3e-7, 5e-7]}

        d = context.cached_arrays("d", {"points": 2}, compute)["d"]
        figure, ax = plane.new_plane(title="toy")
        plane.draw_own(ax, [0.1, 0.2], d, label="ours", lower=0.9 * d, upper=1.1 * d)
        table = DataTable(
            "limit",
            "A limit",
            [Column("mass", [0.1, 0.2], "GeV", independent=True), Column("d", d, "1/GeV")],
        )
        rows = [row(published=2.0, ours=2.1), row(quantity="e", ours=2.0 + context.seed)]
        return Reproduction([table], {"plane": figure}, rows, {"points": 2}, ["a note"])

    module = SimpleNamespace(NAME="toy", TITLE="A toy", CITATION="nobody, 2024", run=run)
    monkeypatch.setitem(registry._MODULES, "toy", "toy")
    monkeypatch.setitem(sys.modules, "siren_py.reproduction.toy", module)
    return calls


def test_everything_is_written(tmp_path, toy):
    folder = tmp_path / "new" / "folder"
    result = reproduce("toy", folder, seed=0)
    assert result.ok
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    assert [f for f in files if not f.startswith("cache")] == [
        "agreement.csv", "agreement.json", "agreement.md", "config.json", "data/limit.csv",
        "hepdata/agreement.yaml", "hepdata/limit.yaml", "hepdata/submission.yaml", "plane.pdf",
        "plane.png",
    ]  # fmt: skip
    assert (folder / "plane.png").read_bytes()[:4] == b"\x89PNG"
    assert (folder / "plane.pdf").read_bytes()[:4] == b"%PDF"
    record = json.loads((folder / "agreement.json").read_text())
    assert [r["status"] for r in record["agreement"]] == ["inside", "inside"]
    config = json.loads((folder / "config.json").read_text())
    assert config["versions"]["siren_py"] == sp.__version__
    assert config["configuration"] == {"points": 2}
    assert (config["seed"], config["quick"]) == (0, False)
    lines = (folder / "agreement.csv").read_text().splitlines()
    assert next(csv.DictReader(x for x in lines if x[0] != "#"))["ratio"] == "1.05"
    assert "- a note" in (folder / "agreement.md").read_text()


def test_a_second_run_computes_nothing_and_writes_the_same(tmp_path, toy):
    reproduce("toy", tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.*") if p.name != "config.json"}
    reproduce("toy", tmp_path)
    assert toy == [1]
    assert before == {p: p.read_bytes() for p in before}


def test_the_command(tmp_path, toy, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "toy", "--output", "out", "--seed", "0", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["ok"]
    assert data["output"] == "out"
    # A number outside its tolerance is a failed check.
    assert main(["reproduce", "toy", "--output", "out", "--seed", "1"]) == 1
    out = capsys.readouterr().out
    assert "OUTSIDE" in out
    assert "1 inside, 1 OUTSIDE" in out
    for words, message in (
        (["reproduce"], "Say what to reproduce"),
        (["reproduce", "toy"], "--output toy"),
        (["reproduce", "toi", "--output", "out"], "Did you mean 'toy'"),
    ):
        assert main(words) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_a_folder_that_cannot_be_made(tmp_path, toy):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        reproduce("toy", tmp_path / "file")


def test_listing(capsys):
    assert main(["list", "reproductions", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["reproductions"]
    assert sorted(listed) == reproduction_names()
    assert all(set(entry) == {"title", "citation"} for entry in listed.values())
    assert main(["reproduce", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reproductions"] == listed
    assert main(["list", "limits", "--json"]) == 0
    limits = json.loads(capsys.readouterr().out)["limits"]
    assert limits["minerva"]["level"] == "95 %"


@pytest.mark.parametrize("name", reproduction_names())
def test_every_module_has_its_name(name):
    module = find_reproduction(name)
    assert name == module.NAME
    assert module.TITLE
    assert "arXiv" in module.CITATION
    assert callable(module.run)


def test_unknown_reproduction(tmp_path):
    with pytest.raises(UnknownNameError, match="siren-py list reproductions"):
        reproduce("liu2025", tmp_path)


# ----------------------------------------------------------------------- the plane


def test_published_curves_can_be_drawn():
    figure, ax = plane.new_plane()
    plane.draw_all(ax, ["minerva", "nomad", "sn1987a"], nomad=("purple", "dotted"))
    plane.draw_published(ax, "miniboone-energy-95", colour="orange", label="region")
    plane.add_legend(ax)
    figure.canvas.draw()
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["MINERvA (RHC)", "NOMAD", "SN 1987A (lower edge)", "region"]
    # A limit is shaded to the top, a region inside, an edge not at all.
    assert len(ax.patches) == 3
    assert ax.patches[0].get_path().vertices[:, 1].max() == ax.get_ylim()[1]


def test_mistakes_in_the_plane():
    with pytest.raises(UnknownNameError, match="quantity of an axis"):
        plane.new_plane("dmu")
    with pytest.raises(ConfigError, match="0 < low < high"):
        plane.new_plane(mass=(0.0, 1.0))
    _, ax = plane.new_plane()
    with pytest.raises(ConfigError, match="one length"):
        plane.draw_own(ax, [0.1, 0.2], [1e-6], label="x")
    with pytest.raises(ConfigError, match="both of its edges"):
        plane.draw_own(ax, [0.1, 0.2], [1e-6, 1e-6], lower=[1e-7, 1e-7], label="x")
    with pytest.raises(UnknownNameError, match="colour"):
        plane.draw_published(ax, "minerva", colour="red")


# ----------------------------------------------------------------------- liu2024-fig3


def test_the_spectrum_is_the_cross_section():
    """Its sum is flux times cross section, from the closed total of the process."""
    mass = 0.342
    energies, rates = fig3.spectrum(mass, step=0.23)
    flux = sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")
    process = sp.DipolePortal(mass=mass, d_mu=1.0).interactions(14)[0]
    silica = sp.Material.from_formula("SiO2", density=2.65)
    grid = 0.23 * (np.arange(100) + 0.5)  # the same midpoints: what is tested is that over Q2
    total = sum(n * process.total(grid, name) for name, n in silica.number_densities.items())
    expected = float(np.sum(flux.density(grid) * total) * 0.23)
    assert rates.sum() == pytest.approx(expected, rel=1e-3)
    assert energies[rates > 0.0].min() >= mass * (1.0 - 1e-9)


def test_medians():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0])
    assert fig3._median(values, weights) == pytest.approx(2.0)
    assert fig3._median(values, np.array([0.0, 1.0, 1e-9])) == pytest.approx(1.0, rel=1e-6)
    # One length: half have decayed after ln 2 of it.
    assert fig3._median_flown(np.array([5.0]), np.array([2.0])) == pytest.approx(5 * np.log(2.0))
    two = fig3._median_flown(np.array([1.0, 10.0]), np.array([1.0, 1.0]))
    assert np.mean(np.exp(-two / np.array([1.0, 10.0]))) == pytest.approx(0.5, abs=1e-6)


def test_the_formula_of_the_paper():
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    photon = model.decay_length(1.0) / model.branching_ratio("nu gamma")
    assert fig3.analytic_length(0.1, 3.87e-7, 1.0) == pytest.approx(float(photon), rel=1e-6)
    assert np.isnan(fig3.analytic_length(1.2, 3.87e-7, 1.0))


# ----------------------------------------------------------------------- all of them


@pytest.mark.validation
@pytest.mark.parametrize("name", reproduction_names())
def test_reproductions_agree(name, tmp_path):
    result = reproduce(name, tmp_path, quick=True, progress=False)
    outside = [r.quantity for r in result.agreement if r.status == "OUTSIDE"]
    assert not outside
    assert result.tables
    assert result.figures
