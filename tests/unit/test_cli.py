"""The command line: what it prints, and how it says no."""

from __future__ import annotations

import json
import logging
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py.cli import main
from siren_py.cli.main import VERBS
from siren_py.cli.options import count, exposure, number, whole
from siren_py.configuration.keys import SIMULATE

SCRIPT = """
from siren_py import DetectorModel, Material
from siren_py.geometry import Box

def build():
    detector = DetectorModel("toy")
    lead = Material.from_element("Pb", density=11.35)
    detector.add("block", Box(100, 100, 10), lead)
    detector.add_region("fiducial", Box(100, 100, 50), at=(0, 0, 100))
    detector.publish_mass("block", ["block"], {mass}, tolerance=0.01, source="a paper")
    detector.declare("region", ["fiducial", "vacuum"], "an empty decay pipe")
    detector.declare("wall", "block", "the target")
    return detector
"""

QUICK = ["simulate", "--events", "300", "--quiet"]


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "toy.py"
    path.write_text(SCRIPT.replace("{mass}", "1.135e6"))
    return str(path)


@pytest.fixture
def run(capsys):
    """Run a command line; return exit code, standard output and error output."""

    def call(*words):
        try:
            code = main([str(w) for w in words])
        except SystemExit as leave:  # --help and --version
            code = leave.code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "nan" not in out.lower().split()
        return code, out, err

    return call


@pytest.fixture
def run_json(run):
    """Run a command line with --json; return exit code and the one object that was printed."""

    def call(*words):
        code, out, err = run(*words, "--json")
        data = json.loads(out, parse_constant=pytest.fail)
        assert isinstance(data, dict)
        return code, data, err

    return call


# ------------------------------------------------------------------------ simulate


def test_simulate_json(run_json):
    code, data, err = run_json(*QUICK, "--seed", 5)
    assert (code, err) == (0, "")
    assert data["pot"] == 12.34e20
    assert data["n_attempts"] == 300
    assert 0 < data["n_events"] <= 300
    assert 0 < data["effective_size"] <= data["n_events"]
    assert data["expected"] > data["expected_error"] > 0
    assert data["events_per_second"] == pytest.approx(300 / data["seconds"])
    assert data["seed"] == 5
    assert data["configuration"]["detector"]["name"] == "nd280"
    for key in ("by_region", "by_material", "by_target_part"):
        total = sum(entry["value"] for entry in data[key].values())
        assert total == pytest.approx(data["expected"], rel=1e-9), key
    assert set(data["by_region"]) == {"tpc1", "tpc2", "tpc3"}


def test_simulate_is_the_twin_of_the_python_interface(run_json):
    sim = sp.Simulation(
        sp.load_detector("nd280"),
        sp.load_flux("t2k-nd280", mode="fhc", flavor="numu"),
        sp.DipolePortal(mass=0.1, d_mu=3.87e-7),
        decay="nu e+ e-",
        region="tpc",
    )
    summary = sim.run(300, seed=1, progress=False).summary(pot=12.34e20).to_dict()
    _, data, _ = run_json(*QUICK)
    assert {key: data[key] for key in summary} == summary
    assert data["configuration"] == json.loads(json.dumps(sim.configuration))


def test_simulate_in_words(run):
    code, out, err = run(*QUICK)
    assert (code, err) == (0, "")
    for words in ("DipolePortal(mass=0.1", "nd280", "tpc", "t2k-nd280", "nu e+ e-", "1.234e+21 POT",
                  "expected events", "seed 1", "--output"):  # fmt: skip
        assert words in out


def test_simulate_writes_a_file(run, run_json, tmp_path):
    path = tmp_path / "a.root"
    code, data, _ = run_json(*QUICK, "--output", path)
    assert code == 0
    assert data["output"] == str(path)
    sample = sp.read_root(path)
    assert len(sample) == data["n_events"]
    assert tuple(sample.expected(12.34e20)) == pytest.approx(
        (data["expected"], data["expected_error"]), rel=1e-14
    )
    code, info, _ = run_json("info", path, "--pot", "12.34e20")
    assert code == 0
    for key in ("expected", "n_events", "n_attempts", "by_region"):
        assert info[key] == data[key]
    assert "weight" in info["columns"]
    assert info["provenance"]["configuration"] == data["configuration"]
    code, out, _ = run("info", path)
    assert code == 0
    for words in ("factor_flux", "configuration.model.mass", "configuration.fluxes.0.mode", "seed"):
        assert words in out


def test_several_fluxes(run_json, tmp_path):
    path = tmp_path / "a.root"
    fluxes = ["--flux", "t2k-nd280:fhc:numu", "--flux", "t2k-nd280:rhc:numubar"]
    code, data, _ = run_json(*QUICK, *fluxes, "--pot", "fhc=2e21,rhc=1e21", "--output", path)
    assert code == 0
    assert data["pot"] == {"fhc": 2e21, "rhc": 1e21}
    sample = sp.read_root(path)
    assert len(sample.by("flux")) == 2
    only = sample.expected({"fhc": 2e21, "rhc": 0.0}).value
    assert 0 < only < data["expected"]
    # Two flavours of one beam in the short form.
    code, _, _ = run_json(*QUICK, "--flux", "t2k-nd280:fhc:numu,numubar")
    assert code == 0


def test_events_with_an_exponent(run_json):
    code, data, _ = run_json("simulate", "--events", "2e2", "--quiet")
    assert (code, data["n_attempts"]) == (0, 200)


def test_seeds_are_exact(run_json):
    seed = 2**64 + 12345
    _, data, _ = run_json(*QUICK, "--seed", seed)
    assert data["seed"] == seed


def test_workers_do_not_matter(run_json):
    words = ["simulate", "--events", 40_000, "--quiet"]
    _, one, _ = run_json(*words, "--workers", 1)
    _, two, _ = run_json(*words, "--workers", 2)
    for key in ("expected", "expected_error", "by_region", "n_events"):
        assert one[key] == two[key]


def test_a_detector_by_path(run_json, script):
    code, data, _ = run_json(*QUICK, "--detector", script, "--decay", "all")
    assert code == 0
    assert list(data["by_region"]) == ["fiducial"]
    assert list(data["by_material"]) == ["Pb"]
    assert data["configuration"]["detector"]["script"] == "toy"
    assert data["configuration"]["decay"] is None


def test_what_a_script_prints_stays_out_of_the_json(run_json, run, tmp_path):
    path = tmp_path / "talks.py"
    path.write_text("print('hello')\n" + SCRIPT.replace("{mass}", "1.135e6"))
    code, data, err = run_json("check", path, "--quiet")
    assert (code, data["ok"], err) == (0, True, "hello\n")
    _, out, _ = run("check", path)
    assert out.startswith("hello\n")


def test_zero_exposure(run):
    code, out, _ = run(*QUICK, "--pot", "0")
    assert code == 0
    assert "expected events    0 +- 0" in out


# ------------------------------------------------------------------------ list, check, help


def test_list(run, run_json):
    code, data, _ = run_json("list")
    assert code == 0
    assert sorted(data["detectors"]) == sp.list_detectors()
    assert sorted(data["fluxes"]) == sp.list_fluxes()
    assert "tpc" in data["detectors"]["nd280"]["regions"]
    assert data["fluxes"]["t2k-nd280"]["modes"] == ["fhc", "rhc"]
    assert "nu e+ e-" in data["models"]["dipole-portal"]["decays"]
    code, out, _ = run("list")
    assert code == 0
    for words in ("nd280-upgrade", "t2k-nd280", "numubar", "dipole-portal", "nu gamma", "tpc1"):
        assert words in out


def test_all_models_are_listed(run_json):
    _, data, _ = run_json("list", "models")
    mixing = data["models"]["mass-mixing"]
    assert mixing["couplings"] == ["U_e2", "U_mu2", "U_tau2", "d_e", "d_mu", "d_tau"]
    assert {"mu- pi+", "nu e+ e-", "nu gamma", "all"} <= set(mixing["decays"])
    assert "sin2_theta_w" in mixing["parameters"]
    assert data["models"]["dipole-portal"]["couplings"] == ["d_e", "d_mu", "d_tau"]


@pytest.mark.parametrize("kind", ["detectors", "fluxes", "models"])
def test_list_one_kind(run_json, kind):
    code, data, _ = run_json("list", kind)
    assert code == 0
    assert list(data) == [kind]


def test_every_listed_decay_can_be_simulated(run_json):
    _, data, _ = run_json("list", "models")
    for channel in data["models"]["dipole-portal"]["decays"]:
        code, answer, _ = run_json(*QUICK, "--mass", 4.0, "--decay", channel)
        assert code == 0, answer


def test_list_survives_a_broken_detector(run, run_json, tmp_path, monkeypatch):
    (tmp_path / "detectors").mkdir()
    (tmp_path / "detectors" / "broken.py").write_text("def build():\n    return 1 / 0\n")
    monkeypatch.setenv("SIREN_PY_PATH", str(tmp_path))
    code, data, _ = run_json("list", "detectors")
    assert code == 0
    assert "broken.py, line 2" in data["detectors"]["broken"]["error"]
    assert "tpc" in data["detectors"]["nd280"]["regions"]
    assert "ZeroDivisionError" in run("list")[1]


def test_check(run, run_json, script):
    code, data, _ = run_json("check", script)
    assert (code, data["ok"]) == (0, True)
    assert data["masses"]["block"] == {"value": pytest.approx(1.135e6), "error": 0.0, "unit": "g"}
    assert data["regions"]["fiducial"]["volume"] == 5e5
    assert data["published"][0]["source"] == "a paper"
    code, out, _ = run("check", script)
    assert code == 0
    assert "1,135.0" in out
    assert "ok  [a paper]" in out


def test_check_fails_if_a_mass_is_missed(run, run_json, tmp_path):
    path = tmp_path / "heavy.py"
    path.write_text(SCRIPT.replace("{mass}", "2e6"))
    code, data, _ = run_json("check", path)
    assert (code, data["ok"], data["published"][0]["ok"]) == (1, False, False)
    code, out, _ = run("check", path)
    assert code == 1
    assert "MISSED" in out


def test_help(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(verb in out for verb in VERBS)
    assert run("--version") == (0, f"siren-py {sp.__version__}\n", "")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb_has_examples(run, verb):
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"siren-py {verb}" in out.split("examples:")[1]
    assert "--json" in out


def test_defaults_in_the_help_are_the_defaults(run):
    _, out, _ = run("simulate", "--help")
    text = " ".join(out.split())
    for key in SIMULATE.keys.values():
        if key.default:
            assert f"(default: {key.default})" in text.replace("dipole- portal", "dipole-portal")
    assert SIMULATE.defaults["pot"] == 12.34e20
    assert SIMULATE.defaults["events"] == 100_000
    assert SIMULATE.defaults["flux"] == ["t2k-nd280:fhc:numu"]


# ------------------------------------------------------------------------ bad input

BAD = [
    (["simulat"], ["no command 'simulat'", "Did you mean simulate or"]),
    ([], ["Say what to do", "simulate"]),
    (["--jsno"], ["--jsno"]),
    (["simulate", "--evnts", "10"], ["'--evnts'", "--events", "siren-py simulate --help"]),
    (["simulate", "--mas=0.1"], ["--mas=0.1", "--mass"]),
    (["simulate", "--mass"], ["--mass", "expected one argument"]),
    (["simulate", "more"], ["'more'"]),
    (["simulate", "--detector", "nd20"], ["nd280", "nd280-upgrade"]),
    (["simulate", "--detector", "./none.py"], ["none.py", "nd280"]),
    (["simulate", "--region", "tcp"], ["'tpc'"]),
    (["simulate", "--flux", "t2k-nd28:fhc:numu"], ["t2k-nd280"]),
    (["simulate", "--flux", "t2k-nd280:fch:numu"], ["fhc"]),
    (["simulate", "--flux", "t2k-nd280:fhc:nmu"], ["numu"]),
    (["simulate", "--flux", "t2k-nd280"], ["NAME:MODE:FLAVOR"]),
    (["simulate", "--flux", "t2k-nd280:fhc:nue"], ["coupling", "zero"]),
    (["simulate", "--flux", "t2k-nd280:fhc:numu", "--flux", "t2k-nd280:fhc:numu"], ["told apart"]),
    (["simulate", "--decay", "nu e+ e+"], ["nu e+ e-"]),
    (["simulate", "--decay", "nu mu+ mu-"], ["nu mu+ mu-", "nu e+ e-"]),
    (["simulate", "--nature", "dirak"], ["dirac"]),
    (["simulate", "--conventions", "darknew"], ["darknews"]),
    (["simulate", "--proposal", "aim"], ["aimed"]),
    (["simulate", "--mass", "-1"], ["positive", "-1"]),
    (["simulate", "--mass", "0"], ["positive"]),
    (["simulate", "--mass", "100"], ["threshold", "Lower the mass"]),
    (["simulate", "--d-mu", "0"], ["d_mu", "zero"]),
    (["simulate", "--pot", "-1"], ["--pot", "negative"]),
    (["simulate", "--pot", "fhc="], ["--pot", "fhc=1e21,rhc=1e21"]),
    (["simulate", "--pot", "fhc=1,fhc=2"], ["fhc twice"]),
    (["simulate", "--pot", "rhc=1e21"], ["fhc"]),
    (["simulate", "--pot", "fhc=1e21,rcc=1e21"], ["rcc"]),
    (["simulate", "--events", "0"], ["--events", "between 1"]),
    (["simulate", "--events", "1e30"], ["--events"]),
    (["simulate", "--events", "1.5"], ["not a whole number"]),
    (["simulate", "--seed", "-1"], ["--seed", "negative"]),
    (["simulate", "--workers", "0"], ["--workers"]),
    (["simulate", "--output", "none/a.root"], ["none", "does not exist"]),
    (["simulate", "--output", "."], ["is a folder"]),
    (["list", "detector"], ["'detectors'"]),
    (["check"], ["DETECTOR"]),
    (["check", "nd28"], ["nd280"]),
    (["info"], ["FILE"]),
    (["info", "none.root"], ["There is no file none.root"]),
    (["info", "."], ["is a folder"]),
]
BAD += [
    (["simulate", option, value], [option, value])
    for option in ("--mass", "--d-mu", "--pot", "--events", "--seed", "--workers")
    for value in ("nan", "inf", "abc", "")
]
BAD += [(["simulate", f"{option}=-inf"], [option, "-inf"]) for option in ("--mass", "--events")]


@pytest.mark.parametrize(("words", "expected"), BAD, ids=[" ".join(w) or "-" for w, _ in BAD])
def test_bad_input(run, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("siren-py: ")
    assert "\n\n" not in err
    assert all(len(line) <= 100 for line in err.splitlines())
    text = " ".join(err.split())
    for word in expected:
        assert word in text
    # The same for programs.
    code, out, _ = run(*words, "--json")
    assert code == 2
    data = json.loads(out)
    assert list(data) == ["error"]
    if words:
        assert all(word in data["error"] for word in expected)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def build(:\n    pass\n", ["line 1", "SyntaxError"]),
        ("def build():\n    x = 1\n    return x / 0\n", ["line 3", "ZeroDivisionError"]),
        ("import nothing_like_this\n", ["line 1", "ModuleNotFoundError"]),
        ("def biuld():\n    pass\n", ["no function build()"]),
        ("def build():\n    pass\n", ["must return a DetectorModel", "NoneType"]),
        ("def build():\n    raise SystemExit(3)\n", ["line 2", "SystemExit"]),
        (
            "from siren_py import DetectorModel\nfrom siren_py.geometry import Box\n"
            "def build():\n    DetectorModel('x').add('b', Box(-1, 1, 1), None)\n",
            ["line 4", "-1"],
        ),
    ],
    ids=["syntax", "exception", "import", "no-build", "nothing", "exit", "negative"],
)
@pytest.mark.parametrize("verb", [["check"], [*QUICK, "--detector"]], ids=["check", "simulate"])
def test_errors_in_a_detector_script(run, tmp_path, monkeypatch, verb, text, words):
    monkeypatch.chdir(tmp_path)
    Path("my_detector.py").write_text(text)
    code, out, err = run(*verb, "./my_detector.py")
    assert (code, out) == (2, "")
    for word in ["my_detector.py", *words]:
        assert word in " ".join(err.split())


def test_a_long_path_stays_whole(run, tmp_path):
    folder = "/".join(["a_folder_with_a_long_name"] * 8)
    code, _, err = run("simulate", "--output", f"{folder}/a.root")
    assert code == 2
    assert f"{folder}/a.root:" in err


def test_an_existing_file_survives_a_failed_run(run, tmp_path, monkeypatch):
    path = tmp_path / "a.root"
    path.write_text("precious")

    def fail(self, *args, **options):
        raise sp.errors.WeightError("a weight is NaN")

    monkeypatch.setattr(sp.Simulation, "run", fail)
    code, _, err = run(*QUICK, "--output", path)
    assert code == 2
    assert "a weight is NaN" in err
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unforeseen_error_is_one_paragraph(run, run_json, monkeypatch):
    def fail(self, *args, **options):
        raise IndexError("list index out of range")

    monkeypatch.setattr(sp.Simulation, "run", fail)
    code, out, err = run(*QUICK)
    assert (code, out) == (70, "")
    assert "IndexError" in err
    assert "SIREN_PY_DEBUG=1" in err
    code, data, _ = run_json(*QUICK)
    assert code == 70
    assert "IndexError" in data["error"]
    monkeypatch.setenv("SIREN_PY_DEBUG", "1")
    with pytest.raises(IndexError):
        main(QUICK)


def test_a_full_temporary_folder(run, monkeypatch):
    def fail(self, *args, **options):
        raise OSError(28, "No space left on device", "/scratch/00000007.npz")

    monkeypatch.setattr(sp.Simulation, "run", fail)
    code, _, err = run(*QUICK)
    assert code == 2
    assert "No space left on device (/scratch/00000007.npz)" in " ".join(err.split())
    assert "TMPDIR" in err


def test_an_interrupt(run, run_json, monkeypatch):
    def fail(self, *args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(sp.Simulation, "run", fail)
    code, out, err = run(*QUICK)
    assert (code, out) == (130, "")
    assert err.startswith("siren-py: Interrupted")
    assert run_json(*QUICK)[0] == 130


def test_warnings_are_paragraphs(run, tmp_path):
    path = tmp_path / "warns.py"
    path.write_text(
        "import warnings\nwarnings.warn('old numbers', UserWarning, stacklevel=1)\n"
        + SCRIPT.replace("{mass}", "1.135e6")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, _, err = run("check", path, "--quiet")
    assert (code, err) == (0, "siren-py: warning: old numbers\n")


# ------------------------------------------------------------------------ values of options


def test_values():
    assert number("-2.5e-3") == -2.5e-3
    assert whole("1e6") == 10**6
    assert whole("12345678901234567891") == 12345678901234567891
    assert count("1e5") == 100_000
    assert exposure("12.34e20") == 12.34e20
    assert exposure("fhc=12.34e20, rhc=6.29e20") == {"fhc": 12.34e20, "rhc": 6.29e20}


def test_json_gives_numbers_back_bit_for_bit(run_json):
    _, data, _ = run_json(*QUICK, "--d-mu", repr(0.1 + 0.2), "--decay", "all")
    assert data["configuration"]["model"]["d_mu"] == 0.1 + 0.2
    assert all(math.isfinite(v) for v in data.values() if isinstance(v, float))
    assert np.float64(data["expected"]) == data["expected"]


# ------------------------------------------------------------------------ parts and resuming


def test_parts_resume_and_merge(run, run_json, tmp_path):
    words = ["simulate", "--events", 40_000, "--quiet", "--seed", 2]
    parts = []
    for first in (0, 2):
        parts.append(tmp_path / f"part{first}.root")
        code, data, _ = run_json(
            *words, "--chunks", f"{first}:{first + 2}", "--output", parts[-1], "--resume"
        )
        assert code == 0
        assert data["attempts_made"] == data["n_attempts"] == (32_768 if first == 0 else 7232)
    code, out, _ = run(*words, "--chunks", "0:2", "--output", parts[0], "--resume")
    assert code == 0
    assert "32,768 attempts were done" in out
    assert "chunks 0:2 of 40,000 attempts" in out
    whole = tmp_path / "all.root"
    code, data, err = run_json("merge", whole, *parts)
    assert (code, err) == (0, "")
    assert data["chunks"] == [[0, 3]]
    assert data["n_attempts"] == data["requested"] == 40_000
    _, single, _ = run_json(*words)
    _, info, _ = run_json("info", whole, "--pot", "12.34e20")
    assert info["n_events"] == single["n_events"]
    for key in ("expected", "expected_error", "effective_size"):
        # Only the order in which the weights are added is another one.
        assert info[key] == pytest.approx(single[key], rel=1e-12), key
    code, out, _ = run("merge", tmp_path / "twice.root", parts[0], parts[1], parts[0])
    assert code == 2
    assert not (tmp_path / "twice.root").exists()


def test_a_checkpoint_by_itself(run, run_json, tmp_path):
    words = [*QUICK, "--checkpoint", tmp_path / "ck"]
    _, one, _ = run_json(*words)
    code, _, err = run(*words)
    assert code == 2
    assert "--resume" in err
    _, two, _ = run_json(*words, "--resume")
    assert two["attempts_made"] == 0
    assert two["expected"] == one["expected"]


def test_processes(run_json):
    _, one, _ = run_json(*QUICK)
    _, two, _ = run_json(*QUICK, "--backend", "processes", "--workers", 2)
    assert one["expected"] == two["expected"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--chunks", "5"], "first:end"),
        (["--chunks", "5:5"], "holds no chunk"),
        (["--chunks", "5:9"], "chunk 5 is not one of them"),
        (["--backend", "process"], "processes"),
        (["--resume"], "--output"),
        (["--dask", "tcp://x:1", "--backend", "processes"], "or by a --backend"),
    ],
)
def test_runs_that_cannot_be(run, words, expected):
    code, _, err = run(*QUICK, *words)
    assert code == 2
    assert expected in " ".join(err.split())


def test_compilation_is_told_unless_quiet(run, run_json, tmp_path):
    script = tmp_path / "toy.py"
    script.write_text(
        "import logging\nlogging.getLogger('siren_py.compilation').info('compiling')\n"
        + SCRIPT.replace("{mass}", "1.135e6")
    )
    code, out, err = run("check", script)
    assert code == 0
    assert "siren-py: compiling\n" in err
    assert "compiling" not in out
    assert "compiling" not in run("check", script, "--quiet")[2]
    assert "compiling" in run_json("check", script)[2]  # the JSON stays clean
    assert logging.getLogger("siren_py.compilation").handlers == []
