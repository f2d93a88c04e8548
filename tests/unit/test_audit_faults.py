"""Faults planted in a copy of a shipped detector: ``siren-py check`` finds each of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siren_py.cli import main
from siren_py.resources import find_detector

END = "    set_beam(detector, beam_direction)\n    return detector\n"


def added(*lines):
    """Lines that are added at the end of ``build()``."""
    return (END, "".join(f"    {line}\n" for line in lines) + END)


GAS = '("gas", TPC_GAS, T2K_GAS)'
AIR_BOX = 'add_box(detector, "air", lo, '
# Fault: what is replaced in the script, kind of finding, name in it.
FAULTS = {
    "gas a thousand times too dense": (
        (
            GAS,
            '("gas", TPC_GAS, Material("gas", T2K_GAS.mass_fractions, density=1.7))',
        ),
        "density",
        "gas",
    ),
    "the same without the word": (
        (
            GAS,
            '("gas", TPC_GAS, Material("x", T2K_GAS.mass_fractions, density=1.7))',
        ),
        "density",
        "x",
    ),
    "no lead in the calorimeters": (("1.75 * mm, LEAD", "1.75 * mm, AIR"), "composition", "*"),
    "a volume outside of its hall": (
        added('detector.add("crate", Box(200, 200, 200), STEEL, at=(875, 0, 0))'),
        "overlap",
        "crate",
    ),
    "a volume outside of everything": (
        added('detector.add("crate", Box(200, 200, 200), STEEL, at=(40_000, 0, 0))'),
        "outside",
        "crate",
    ),
    "a volume that is displaced": (
        added('detector.add("cover", Box(200, 200, 40), AIR, at=(0, 5.5, 30))'),
        "displaced",
        "fgd1",
    ),
    "two volumes that overlap in part": (
        ("TPC_CENTRES_Z = (-398, 961, 2320)", "TPC_CENTRES_Z = (-398, 861, 2320)"),
        "overlap",
        "tpc2-wall",
    ),
    "a region that leaves its gas": (
        ("TPC_FIDUCIAL = (1700, 1960, 563)", "TPC_FIDUCIAL = (1900, 1960, 563)"),
        "region",
        "tpc1",
    ),
    "a region that leaves all matter": (
        added('detector.add_region("far", Box(10, 10, 10), at=(90_000, 0, 0))'),
        "region",
        "far",
    ),
    "a gap of a millimetre": (
        (AIR_BOX, 'add_box(detector, "air", (lo[0], hi[1] + 1, lo[2]), '),
        "gap",
        "soil",
    ),
    "a mass that is missed": (("850 * tonne", "950 * tonne"), "mass", "magnet yoke"),
    "a wall across the beam": (
        added('detector.add("plate", Box(600, 600, 50), STEEL, at=(0, 0, -500))'),
        "wall",
        "plate",
    ),
}
# What no detector can be built with: what is replaced, words of the error.
REFUSED = {
    "no number for a density": (("density=2.15", 'density=float("nan")'), ("'soil'", "nan")),
    "a negative density": (("density=2.15", "density=-2.15"), ("'soil'", "-2.15")),
    "a nuclide without a mass": (
        added('Material("odd", {"Pb400": 1.0}, density=1.0)'),
        ("'Pb400'", "Pb208"),
    ),
    "an element that is none": (
        added('Material("odd", {"Zz": 1.0}, density=1.0)'),
        ("'Zz'", "'Zr'"),
    ),
    "a negative size": (added('detector.add("x", Box(1, -1, 1), STEEL)'), ("dy", "-1")),
    "a name twice": (added('detector.add("soil", Box(1, 1, 1), STEEL)'), ("'soil'", "already")),
    "a polygon that crosses itself": (
        added(
            "from siren_py.geometry import Prism",
            "Prism([(0, 0), (1, 1), (1, 0), (0, 1)], 1)",
        ),
        ("Self-intersection", "in order"),
    ),
}


def check(change, tmp_path, capsys):
    text = find_detector("nd280").read_text()
    assert change[0] in text
    script = tmp_path / "wrong.py"
    script.write_text(text.replace(*change))
    code = main(["check", str(script), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


@pytest.mark.parametrize(("change", "kind", "name"), FAULTS.values(), ids=FAULTS)
def test_planted_faults_are_found(change, kind, name, tmp_path, capsys):
    code, report, _ = check(change, tmp_path, capsys)
    assert code == 1
    assert report["ok"] is False
    unexplained = [
        one
        for one in report["findings"]
        if one["kind"] == kind and one["severity"] != "note" and one["reason"] is None
    ]
    assert any(name == "*" or name in one["volumes"] for one in unexplained)
    assert all(one["text"] for one in unexplained)


@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_built_is_one_error_with_file_and_line(change, words, tmp_path, capsys):
    code, report, err = check(change, tmp_path, capsys)
    assert code == 2
    text = report["error"]
    assert str(Path(tmp_path / "wrong.py")) in text
    assert ", line " in text
    for word in words:
        assert word in text
    assert "Traceback" not in err
