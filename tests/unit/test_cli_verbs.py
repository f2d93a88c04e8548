"""What all verbs have in common, doctor, completion, and suggestions for mistyped names."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import siren_py as sp
from siren_py.cli import doctor
from siren_py.cli.main import EXIT_CODES, VERBS, build_parser, main
from siren_py.configuration import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["simulate", "--events", "300", "--output", "a.root"]

PREPARED = ("convert", "info", "validate", "cite", "merge")
"""Verbs that need files of events."""

RUNS = {
    "simulate": ["--events", "300"],
    "merge": ["all.root", "p0.root", "p1.root"],
    "convert": ["a.root", "b.root"],
    "scan": ["--masses", "0.1", "--couplings", "1e-6", "--precision", "0.5"],
    "limit": [
        "--analysis", "t2k-2019-dipole", "--masses", "0.2", "--couplings", "1e-6,1e-5",
        "--precision", "0.5",
    ],
    "config": ["simulate"],
    "list": ["detectors"],
    "check": ["nd280"],
    "new": ["detector", "bench"],
    "show": ["nd280", "-o", "a.png", "--axes", "x"],
    "info": ["a.root"],
    "validate": ["a.root"],
    "cite": ["a.root"],
    "reproduce": ["--list"],
    "doctor": [],
    "completion": ["bash"],
}  # fmt: skip
"""A command line of each verb that comes to a good end."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ------------------------------------------------------------ all verbs


def test_there_is_a_run_of_every_verb():
    assert set(VERBS) <= set(RUNS)


@pytest.mark.parametrize("verb", [v for v in RUNS if v in VERBS])
def test_every_verb_prints_one_json_object_and_is_quiet(verb, here, capfd):
    if verb in ("show",):
        pytest.importorskip("matplotlib")
    if verb == "completion":
        pytest.importorskip("shtab")
    if verb in PREPARED:
        words = ["simulate", "--events", "20000", "--quiet", "--output"]
        assert main([*words, "a.root"]) == 0
        if verb == "merge":
            assert main([*words, "p0.root", "--chunks", "0:1"]) == 0
            assert main([*words, "p1.root", "--chunks", "1:2"]) == 0
        capfd.readouterr()
    code = main([verb, *RUNS[verb], "--json", "--quiet"])
    out, err = capfd.readouterr()
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out, parse_constant=pytest.fail), dict)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_no_in_json(verb, here, capsys):
    assert main([verb, "--no-such-option", "--json", "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert "--no-such-option" in json.loads(out)["error"] or "required" in json.loads(out)["error"]
    assert err.startswith("siren-py: ")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_the_examples_of_every_verb_can_be_parsed(verb, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert "--json" in text
    assert "--quiet" in text
    lines = text.split("examples:")[1].replace("\\\n", " ").splitlines()
    examples = [line.strip() for line in lines if line.strip()]
    own = [line for line in examples if f"siren-py {verb}" in line]
    assert own, "no example of its own"
    parser = build_parser()
    for line in examples:
        words = re.sub(r"^(?:source <\()?siren-py |(?:\)|[>|] .*)$", "", line)
        options = parser.parse_args(shlex.split(words))
        assert options.run is not None
        # Configurations are read by the verb; their files need not be there.
        if options.verb in COMMANDS and options.config is None:
            from siren_py.cli.options import settings_of

            assert settings_of(options, COMMANDS[options.verb]).given is not None


def test_exit_codes_are_documented(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    document = (ROOT / "docs" / "command_line.md").read_text()
    for code, words in EXIT_CODES.items():
        assert re.search(rf"^ +{code} +{re.escape(words)}", text, re.MULTILINE)
        assert re.search(rf"^\| {code} \|", document, re.MULTILINE)


def test_every_verb_is_documented():
    document = (ROOT / "docs" / "command_line.md").read_text()
    for verb in VERBS:
        assert f"siren-py {verb}" in document, verb


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from siren_py.cli.main import build_parser; build_parser().format_help(); "
        "print(*sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in out.stdout.split()}
    assert not loaded & {"numpy", "scipy", "numba", "awkward", "uproot", "rich", "shtab", "trimesh"}


# ------------------------------------------------------------ mistyped names

MISTYPED = [
    ("simulat", "simulate"),
    ("simulate --evnts 10", "--events"),
    ("simulate --detector nd20", "nd280"),
    ("simulate --region tcp", "tpc"),
    ("simulate --flux t2k-nd28:fhc:numu", "t2k-nd280"),
    ("simulate --flux t2k-nd280:fch:numu", "fhc"),
    ("simulate --flux t2k-nd280:fhc:nmu", "numu"),
    ("simulate --flux mesons:fhc:K:mu", "K+"),
    ("simulate --pot fch=1e21", "fhc"),
    ("simulate --model dipol-portal", "dipole-portal"),
    ("simulate --parameter neutron=false", "neutrons"),
    ("simulate --parameter nuclear_form_factor=mesured", "measured"),
    ("simulate --decay nu_gama", "nu gamma"),
    ("simulate --nature dirak", "dirac"),
    ("simulate --conventions darknew", "darknews"),
    ("simulate --proposal forwrd", "forward"),
    ("simulate --beam sorce", "source"),
    ("simulate --backend process", "processes"),
    ("simulate --driving sobl", "sobol"),
    ("simulate none.toml", "siren-py config simulate"),
    ("scan --coupling d_m", "d_mu"),
    ("scan --masses 0.1 --couplings 1e-6 --cut ./none.py:x", "none.py"),
    ("limit --analysis t2k-2019-dipol", "t2k-2019-dipole"),
    ("limit --analysis t2k-2019-dipole --option outsid=nearest", "outside"),
    ("limit --analysis t2k-2019-dipole --statistic feldman --masses 0.2 --couplings 1e-6 "
     "--precision 0.5", "feldman-cousins"),
    ("limit --analysis t2k-2019-dipole --compare liu2024-219", "liu2024-2019"),
    ("config simulat", "simulate"),
    ("config none.toml", "none.toml"),
    ("list detector", "detectors"),
    ("check nd28", "nd280"),
    ("show nd28 -o a.png", "nd280"),
    ("show nd280 -o a.png --by materal", "material"),
    ("reproduce liu2024-fig33 --output x", "liu2024-fig3"),
    ("completion bahs", "bash"),
    ("convert none.root b.x --format parqet", "parquet"),
    ("cite nd28", "nd280"),
    ("new detectr x", "detector"),
]  # fmt: skip

NEEDED = {"material": "matplotlib", "bash": "shtab"}
"""Libraries without which a verb does not come as far as the name."""


@pytest.mark.parametrize(("line", "name"), MISTYPED, ids=[line for line, _ in MISTYPED])
def test_mistyped_names_are_corrected(line, name, here, capsys):
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    assert main([*shlex.split(line), "--json", "--quiet"]) == 2
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert name in error
    assert name in " ".join(err.split())
    if not line.endswith(("none.toml", ":x")):
        assert "Did you mean" in error


# ------------------------------------------------------------ doctor


def test_the_doctor_finds_all_well(capsys):
    assert main(["doctor", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], data["problems"]) == (True, [])
    assert data["siren_py"]["version"] == sp.__version__
    assert data["libraries"]["versions"]["numpy"]
    assert data["self_test"]["expected"] > data["self_test"]["error"] > 0
    assert data["machine"]["cpus"] >= 1
    assert Path(data["kernels"]["folder"]).is_dir()
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for extra, (_, adds) in doctor.EXTRAS.items():
        assert extra in text
        assert adds in text
    assert text.endswith("all is well\n")


def test_the_doctor_knows_the_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(doctor._oldest_versions()) == set(doctor.CORE)
    names = {re.match(r"[\w-]+", d)[0] for d in project["dependencies"]}
    assert names == set(doctor.CORE)
    extras = set(project["optional-dependencies"]) - {"all", "test", "docs", "dev"}
    assert extras <= set(doctor.EXTRAS)


def test_the_doctor_tells_what_is_broken(here, monkeypatch, capsys):
    monkeypatch.setenv("SIREN_PY_PATH", str(here / "none"))
    monkeypatch.setattr(doctor, "_oldest_versions", lambda: {"numpy": "99.0"})
    monkeypatch.setattr(doctor, "CORE", ("numpy", "no_such_library"))
    monkeypatch.setitem(doctor.EXTRAS, "imaginary", (("no_such_library",), "nothing at all"))
    monkeypatch.setattr(sp.Simulation, "run", lambda *a, **k: 1 / 0)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    for words in (
        "no detectors/ or fluxes/", "is older than 99.0", "no_such_library: ModuleNotFoundError",
        "self test: ZeroDivisionError", 'nothing at all (missing: pip install "siren-py[imaginary]',
        "see the problems above",
    ):  # fmt: skip
        assert words in text


# ------------------------------------------------------------ completion

TRIES = [
    ("sim", {"simulate"}),
    ("simulate --det", {"--detector"}),
    ("simulate --detector nd280-u", {"nd280-upgrade"}),
    ("check mini", {"miniboone"}),
    ("simulate --flux t2k-nd280:rhc:numub", {"numubar"}),  # bash keeps what is before a colon
    ("simulate --decay nue+", {"nue+e-"}),
    ("simulate --nature m", {"majorana"}),
    ("simulate --region tpc1", {"tpc1", "tpc1-drift"}),
    ("limit --analysis t2k-up", {"t2k-upgrade-dipole"}),
    ("scan --coupling U_m", {"U_mu2"}),
    ("list det", {"detectors"}),
    ("info ev", {"events.root"}),
    ("completion z", {"zsh"}),
]


def prepared(name, here, capsys):
    """Return the path of a shell for which the script of completion lies in the folder."""
    pytest.importorskip("shtab")
    shell = shutil.which(name)
    if shell is None:
        pytest.skip(f"there is no {name}")
    assert main(["completion", name]) == 0
    (here / "script").write_text(capsys.readouterr().out)
    (here / "events.root").touch()
    return shell


def test_bash_completes(here, capsys):
    bash = prepared("bash", here, capsys)
    lines = [
        "source ./script",
        "complete -p siren-py",
        'complete_line() { COMP_LINE="$1"; COMP_POINT=${#1}; COMPREPLY=(); _siren_py_words',
        'echo "${COMPREPLY[*]}"; }',
        *(f"complete_line 'siren-py {words}'" for words, _ in TRIES),
    ]
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        [bash, "--norc", "-c", "\n".join(lines)],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    first, *answers = done.stdout.splitlines()
    assert first.endswith("siren-py")
    for (words, expected), answer in zip(TRIES, answers, strict=True):
        assert set(answer.split()) == expected, words


def test_fish_completes(here, capsys):
    fish = prepared("fish", here, capsys)
    for words, expected in TRIES:
        lines = ["source ./script", f"complete -C 'siren-py {words}'"]
        done = subprocess.run(
            [fish, "--no-config", "-c", "\n".join(lines)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = {line.split("\t")[0] for line in done.stdout.splitlines()}
        # Unlike bash, fish keeps what is before a colon.
        assert {word.rsplit(":", 1)[-1] for word in found} == expected, words


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish"])
def test_scripts_of_other_shells(shell, here, capsys):
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "nd280-upgrade" in script
    assert "--detector" in script or "detector" in script
    program = shutil.which(shell)
    if program is not None and shell == "zsh":
        (here / "_siren-py").write_text(script)
        subprocess.run([program, "-n", "_siren-py"], check=True)


def test_without_shtab_it_is_said_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "Completion scripts need shtab, which is not installed" in error
    assert 'pip install "siren-py[completion]"' in error
