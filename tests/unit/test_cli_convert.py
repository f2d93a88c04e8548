"""``siren-py convert`` and ``siren-py info`` for every format."""

from __future__ import annotations

import json

import numpy as np
import pytest

import siren_py as sp
from siren_py.cli import main
from siren_py.io.formats import FORMATS, Format, read_sample
from siren_py.io.root import write_root


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    path = tmp_path_factory.mktemp("convert") / "events.root"
    sim.run(1000, seed=3, progress=False).to_root(path)
    return path


@pytest.fixture
def run(capsys):
    """Run a command line; return exit code, standard output and error output."""

    def call(*words):
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


@pytest.mark.parametrize(
    ("name", "options", "library"),
    [
        ("a.parquet", [], "pyarrow"),
        ("a.h5", [], "h5py"),
        ("a.root", [], "uproot"),
        ("a.root", ["--format", "rntuple"], "uproot"),
    ],
)
def test_there_and_back_again(run, events, tmp_path, name, options, library):
    pytest.importorskip(library, minversion="5.7" if "rntuple" in options else None)
    code, out, err = run("convert", events, tmp_path / name, *options)
    assert (code, err) == (0, "")
    assert "events from 1,000 attempts as" in out
    assert "nothing was lost" in out
    back = tmp_path / "back.root"
    code, out, _ = run("convert", tmp_path / name, back, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["lossless"] is True
    assert data["drops"] == []
    assert data["bytes"] == back.stat().st_size
    one, other = sp.read_root(events), sp.read_root(back)
    assert data["n_events"] == len(one)
    for key, column in one.table().arrays().items():
        np.testing.assert_array_equal(column, other.table().arrays()[key])
    assert one.provenance == other.provenance
    # And `info` says the same of all of them.
    first, second = (json.loads(run("info", p, "--json")[1]) for p in (events, tmp_path / name))
    first.pop("file")
    second.pop("file")
    assert first == second


def test_what_is_dropped_is_said(run, events, tmp_path, monkeypatch):
    lossy = Format("lossy", "Lossy", (".lossy",), __name__, "drops things", reads=False)
    monkeypatch.setitem(FORMATS, "lossy", lossy)
    monkeypatch.setitem(globals(), "write_lossy", write_root)
    monkeypatch.setitem(globals(), "LOSSY_DROPS", ("times of vertices", "weights"))
    code, out, _ = run("convert", events, tmp_path / "a.lossy")
    assert code == 0
    assert "Lossy cannot hold, and the file lacks:\n  times of vertices\n  weights" in out
    code, out, _ = run("convert", events, tmp_path / "a.lossy", "--json", "--quiet")
    data = json.loads(out)
    assert (data["lossless"], data["drops"]) == (False, ["times of vertices", "weights"])
    (tmp_path / "b.lossy").write_text("a text")
    code, _, err = run("convert", tmp_path / "b.lossy", tmp_path / "b.root")
    assert code == 2
    assert "does not read it" in err


def test_options_of_the_format(run, events, tmp_path):
    path = tmp_path / "a.hepevt"
    words = ("--option", "style=geant4", "--option", "unweight=5", "--option", "pot=1e21")
    code, out, _ = run("convert", events, path, *words)
    assert code == 0
    assert "HEPEVT cannot hold, and the file lacks:" in out
    beside = json.loads((tmp_path / "a.hepevt.json").read_text())
    assert (beside["n_events"], beside["pot"]) == (5, 1e21)


def test_an_existing_file_is_replaced_when_the_new_one_is_complete(run, events, tmp_path):
    path = tmp_path / "a.root"
    path.write_text("precious")
    code, _, err = run("convert", tmp_path / "none.root", path)
    assert code == 2
    assert "There is no file" in err
    assert path.read_text() == "precious"
    assert run("convert", events, path)[0] == 0
    # A file can take its own place.
    assert run("convert", path, path)[0] == 0
    assert len(read_sample(path)) == len(sp.read_root(events))
    assert [p.name for p in tmp_path.iterdir()] == ["a.root"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.parquett"], "Did you mean .parquet?"),
        (["a.root", "--format", "hdf"], "Did you mean 'hdf5'"),
        (["a.parquet", "--format", "root"], "stands for Parquet"),
        (["none/a.h5"], "the folder"),
        ([], "OUT"),
        (["a.root", "--formt", "root"], "--format"),
        (["a.root", "--option", "style=x"], "no option of the format ROOT called 'style'"),
        (["a.root", "--option", "style"], "not of the form key=value"),
    ],
)
def test_what_is_refused(run, events, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("convert", events, *words)
    assert code == 2
    assert message in " ".join(err.split())
    assert not list(tmp_path.iterdir())


def test_info_of_a_file_with_a_wrong_name(run, events, tmp_path):
    wrong = tmp_path / "a.parquet"
    wrong.write_bytes(events.read_bytes())
    code, _, err = run("info", wrong)
    assert code == 2
    assert "is a ROOT file, as its first bytes tell" in " ".join(err.split())
