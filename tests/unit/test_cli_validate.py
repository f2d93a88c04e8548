"""``siren-py validate``: answers, exit codes, JSON."""

from __future__ import annotations

import json

import pytest

import siren_py as sp
from siren_py.cli.main import main
from siren_py.io.hepmc import write_hepmc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    sample = sim.run(100, seed=1)
    place = tmp_path_factory.mktemp("validate")
    write_hepmc(sample, place / "good.hepmc3.gz")
    write_hepmc(sample, place / "plain.hepmc3")
    sample.to_root(place / "good.root")
    return place


def test_good_file(folder, capsys):
    assert main(["validate", str(folder / "good.hepmc3.gz"), "--tolerance", "1e-12"]) == 0
    text = capsys.readouterr().out
    assert "requirements of NuHepMC 1.0: all are met" in text
    assert "weights agree with their factors" in text


def test_broken_rule_is_told_and_fails(folder, capsys):
    bad = folder / "bad.txt"
    bad.write_text((folder / "plain.hepmc3").read_text().replace("U GEV CM\n", "", 1))
    assert main(["validate", str(bad), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    (rule,) = [r for r in data["rules"] if r["status"] == "failed"]
    assert (rule["rule"], rule["event"], rule["found"]) == ("E.R.4", 0, "no units")
    assert not data["ok"]


def test_changed_weights_fail_although_the_rules_hold(folder, capsys):
    bad = folder / "changed.hepmc3"
    text = (folder / "plain.hepmc3").read_text()
    first = text.index("\nW ", text.index("\nE 0 "))
    bad.write_text(text[:first] + "\nW 1.0" + text[text.index("\n", first + 1) :])
    assert main(["validate", str(bad)]) == 1
    text = capsys.readouterr().out
    assert "requirements of NuHepMC 1.0: all are met" in text
    assert "do not equal the product of their factors" in text


def test_other_formats_are_read(folder, capsys):
    assert main(["validate", str(folder / "good.root"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["n_events"] == data["n_attempts"] == 100
    assert data["expected_per_pot"] > 0.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.hepmc3"], "There is no file"),
        (["none.root"], "There is no file"),
        (["cut.hepmc3"], "not complete"),
        (["plain.hepmc3", "--tolerance", "0"], "must be positive"),
        (["good.root", "--tolerance", "1e-3"], "for HepMC3 files"),
        (["."], "folder"),
    ],
)
def test_unreadable_files_are_bad_input(folder, capsys, monkeypatch, words, message):
    monkeypatch.chdir(folder)
    text = (folder / "plain.hepmc3").read_text()
    (folder / "cut.hepmc3").write_text(text[: text.rindex("\nE ")] + "\n")
    assert main(["validate", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
