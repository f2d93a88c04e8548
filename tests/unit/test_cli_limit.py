"""``siren-py limit``: the counting experiment of one's own, files of options, resuming, errors."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest

from siren_py.cli.main import main
from siren_py.limits import Limit

DETECTOR = """
import siren_py as sp
from siren_py.geometry import Box


def build():
    detector = sp.DetectorModel("bench")
    detector.add("iron", Box(50, 50, 20), sp.Material.from_element("Fe", density=7.87))
    detector.add_region("box", Box(40, 40, 20), at=(0, 0, 30))
    return detector
"""
FLUX = "t2k-nd280:fhc:numu"


@pytest.fixture
def detector(tmp_path):
    path = tmp_path / "bench.py"
    path.write_text(DETECTOR)
    return path


@pytest.fixture
def words(detector):
    return [
        "limit", "--detector", str(detector), "--region", "box", "--decay", "nu e+ e-",
        "--flux", FLUX, "--pot", "1e22", "--masses", "0.05,0.1", "--couplings", "1e-7:1e-4:7",
        "--precision", "0.1", "--quiet", "--json",
    ]  # fmt: skip


def run(capsys, words, code=0):
    assert main(words) == code
    out = capsys.readouterr()
    return json.loads(out.out), out.err


def test_own_counting_experiment(words, capsys, tmp_path):
    folder = tmp_path / "out"
    words += ["--output", str(folder), "--observed", "2", "--background", "1", "--cl", "0.95"]
    data, _ = run(capsys, words)
    assert data["cl"] == 0.95
    assert data["unit"] == "1/GeV"
    assert [row["mass"] for row in data["excluded"]] == [0.05, 0.1]
    limit = Limit.load(folder / "limit.json")
    assert limit.lower[0] == pytest.approx(data["excluded"][0]["intervals"][0][0])
    plots = ("limit.png", "limit.pdf") if find_spec("matplotlib") else ()
    for name in ("limit.csv", *plots, "scan.npz", "hepdata/submission.yaml"):
        assert (folder / name).stat().st_size > 0
    # The signal was kept: other data need no new events.
    before = (folder / "scan.npz").stat().st_mtime_ns
    words[words.index("--observed") + 1] = "0"
    again, _ = run(capsys, words)
    assert again["excluded"][0]["intervals"][0][0] < data["excluded"][0]["intervals"][0][0]
    assert (folder / "scan.npz").stat().st_mtime_ns == before


def test_a_file_says_the_same_as_the_command_line(words, detector, capsys, tmp_path):
    expected, _ = run(capsys, words)
    config = tmp_path / "limit.toml"
    config.write_text(
        f"""
        schema_version = 1
        detector = "{detector.as_posix()}"
        region = "box"
        decay = "nu e+ e-"
        flux = ["{FLUX}"]
        masses = [0.05, 0.1]
        couplings = "1e-7:1e-4:7"
        precision = 0.1
        [pot]
        fhc = 1e22
        """
    )
    found, _ = run(capsys, ["limit", str(config), "--quiet", "--json"])
    assert found["excluded"] == expected["excluded"]
    stricter, _ = run(capsys, ["limit", str(config), "--cl", "0.99", "--quiet", "--json"])
    assert stricter["cl"] == 0.99


def test_published_line_is_compared(words, capsys):
    data, _ = run(capsys, [*words, "--compare", "liu2024-2019"])
    for row in data["comparison"]:
        assert row["ratio"] == pytest.approx(row["limit"] / row["published"], nan_ok=True)
    assert len(data["comparison"]) == 2


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (["--analysis", "t2k-2019-dipole"], "its own detector"),
        (["--statistic", "clss"], "cls"),
        (["--coupling", "d_nu"], "d_mu"),
        (["--model", "dipol-portal"], "dipole-portal"),
        (["--parameter", "natur=majorana"], "nature"),
        (["--compare", "liu-fig5"], "published"),
        (["--masses", "0.1:0.05:3"], "low < high"),
        (["--masses", "-1"], "positive"),
        (["--couplings", "1e-7:1e-4"], "low:high:number"),
        (["--cl", "1.5"], "level"),
    ],
)
def test_mistakes_are_explained(words, extra, text, capsys):
    data, err = run(capsys, [*words, *extra], code=2)
    assert text in data["error"]
    assert text.split()[0] in err


def test_missing_options_are_named(capsys):
    data, _ = run(capsys, ["limit", "--detector", "nd280", "--json"], code=2)
    assert "--region" in data["error"]
    assert "--pot" in data["error"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mases = [0.1]", "masses"),
        ("cl = 'high'", "number"),
        ("seed = 1.5", "whole"),
        ("schema_version = 9", "schema_version"),
        ("masses = '1:2'", "low:high:number"),
        ("cl = ", "TOML"),
        ("region = 3", "quotes"),
    ],
)
def test_a_file_with_a_mistake(text, wanted, capsys, tmp_path):
    config = tmp_path / "limit.toml"
    config.write_text(text)
    data, _ = run(capsys, ["limit", str(config), "--json"], code=2)
    assert wanted in data["error"]
    assert "limit.toml" in data["error"]


def test_parameters_of_the_model_are_used(words, capsys):
    dirac, _ = run(capsys, words)
    majorana, _ = run(capsys, [*words, "--parameter", "nature=majorana"])
    assert not np.allclose(dirac["exclusion"], majorana["exclusion"], rtol=0.05)
