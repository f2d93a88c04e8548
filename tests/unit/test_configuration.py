"""Configurations: what files may hold, what is wrong with others, and that they make runs again."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
import warnings
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import siren_py as sp
from siren_py.cli.main import main
from siren_py.configuration import (
    COMMANDS,
    configuration_text,
    json_schema,
    make_simulation,
    merged_settings,
    read_configuration,
)
from siren_py.configuration import keys as tables
from siren_py.configuration.kinds import Exposure, Grid, Range
from siren_py.configuration.quantities import UNITS, read_quantity
from siren_py.configuration.simulations import full_values
from siren_py.configuration.writing import OriginWarning, origin, toml
from siren_py.errors import ConfigError, FormatError, SirenError
from siren_py.resources import find_flux
from siren_py.scan import Scan

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
def detector(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bench.py"
    path.write_text(DETECTOR)
    return path


@pytest.fixture
def call(capsys):
    """Run a command line with --json --quiet; return its answer, check the exit code."""

    def run(*words, code=0):
        assert main([*map(str, words), "--json", "--quiet"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def write(path, text):
    path.write_text(text)
    return path


# ------------------------------------------------------------ quantities


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("100 MeV", "energy", 0.1),
        ("100MeV", "energy", 0.1),
        (" 0.1 ", "energy", 0.1),
        (0.1, "energy", 0.1),
        ("1.5 keV", "energy", 1.5e-6),
        ("3.87e-7 /GeV", "inverse energy", 3.87e-7),
        ("3.87e-7 1/GeV", "inverse energy", 3.87e-7),
        ("3.87e-7 GeV^-1", "inverse energy", 3.87e-7),
        ("3.87e-10 / MeV", "inverse energy", 3.87e-7),
        ("12.34e20 POT", "protons on target", 12.34e20),
    ],
)
def test_quantities(text, dimension, value):
    assert read_quantity(text, dimension) == value


@given(st.integers(1, 10**6), st.sampled_from(["keV", "MeV"]))
def test_units_are_powers_of_ten_without_rounding(n, unit):
    digits = {"keV": 6, "MeV": 3}[unit]
    assert read_quantity(f"{n} {unit}", "energy") == float(f"{n}e-{digits}")
    assert read_quantity(f"{n} /{unit}", "inverse energy") == float(f"{n}e{digits}")


@pytest.mark.parametrize(
    ("text", "dimensions", "words"),
    [
        ("100 cm", ["energy"], ["cm is a unit of length, not of energy", "MeV"]),
        ("1e-7 GeV", ["inverse energy"], ["GeV is a unit of energy", "/GeV"]),
        ("1 GEV", ["energy"], ["no unit 'GEV'", "GeV"]),
        ("1 MeV", [], ["plain number"]),
        ("a lot", ["energy"], ["not a number"]),
        (True, ["energy"], ["not a number"]),
        ("1e999 MeV", ["energy"], ["not a finite number"]),
        ("", ["energy"], ["not a number"]),
    ],
)
def test_wrong_quantities_say_what_fits(text, dimensions, words):
    with pytest.raises(ConfigError) as error:
        read_quantity(text, *dimensions)
    assert all(word in str(error.value) for word in words)


# ------------------------------------------------------------ tables of keys


def test_names_of_the_tables_are_those_of_the_library():
    from siren_py.driving import DRIVINGS
    from siren_py.injection.injector import BEAMS, PROPOSALS
    from siren_py.processes.dipole_decay import CONVENTIONS, NATURES
    from siren_py.runs.backends import BACKENDS

    assert tables.NATURES == NATURES
    assert tables.CONVENTIONS == CONVENTIONS
    assert tables.PROPOSALS == PROPOSALS
    assert tables.BEAMS == BEAMS
    assert tables.BACKENDS == BACKENDS
    assert tables.DRIVINGS == DRIVINGS


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_default_is_a_value_that_files_can_hold(command):
    for name, key in command.keys.items():
        assert key.help, name
        if key.default:
            value = key.default_value
            assert key.kind.value(key.kind.plain(value)) == value, name


numbers = st.floats(1e-12, 1e12)


@given(st.lists(numbers, min_size=1) | st.tuples(numbers, numbers, st.integers(2, 99)).map(sorted))
def test_grids_survive_writing(values):
    grid = tuple(values)
    assert Grid(("energy",)).value(Grid().plain(grid)) == grid
    low, high = min(grid), 2.0 * max(grid)
    spread = Range(low, high, 7)
    assert Grid(("energy",)).value(Grid().plain(spread)) == spread


def test_grids_take_units():
    grid = Grid(("energy",))
    assert grid.text("20 MeV:0.5 GeV:16") == Range(0.02, 0.5, 16)
    assert grid.text("50 MeV,0.1") == (0.05, 0.1)
    assert grid.value(["50 MeV", 0.1]) == (0.05, 0.1)
    assert grid.value(0.1) == (0.1,)


def test_exposures():
    assert Exposure().value({"fhc": "1e21 POT", "rhc": 2e21}) == {"fhc": 1e21, "rhc": 2e21}
    assert Exposure().value("fhc=1e21,rhc=2e21") == {"fhc": 1e21, "rhc": 2e21}
    with pytest.raises(ConfigError, match="negative"):
        Exposure().value({"fhc": -1})


# ------------------------------------------------------------ TOML


plain = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("aé .'\"", min_size=1), inner),
)


@settings(max_examples=40)
@given(plain)
def test_toml_gives_back_what_was_written(value):
    assert tomllib.loads(f"key = {toml(value)}")["key"] == value


def test_toml_refuses_what_it_cannot_hold():
    with pytest.raises(ConfigError, match="cannot hold"):
        toml(1j)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_written_defaults_are_read_back(name, tmp_path):
    defaults = COMMANDS[name].defaults
    path = write(tmp_path / "a.toml", configuration_text(name, defaults))
    found = read_configuration(path)
    assert found.values == defaults
    assert found.command.name == name
    # Whoever opens the file sees every key there is.
    text = path.read_text()
    assert all(re.search(rf"^(# )?{key} =", text, re.MULTILINE) for key in COMMANDS[name].keys)


# ------------------------------------------------------------ errors of files

MISTAKES = [
    ("mas = 0.1", ["line 2", "'mas'", "'mass'"]),
    ("evnts = 3", ["line 2", "'events'"]),
    ('mass = "100 cm"', ["line 2", "mass", "length", "MeV"]),
    ('d_mu = "1e-7 GeV"', ["d_mu", "inverse energy", "/GeV"]),
    ("mass = true", ["mass", "not a number"]),
    ("mass = nan", ["mass", "not a finite number"]),
    ("mass = [0.1]", ["mass", "not a number"]),
    ('events = "many"', ["events", "whole number"]),
    ("events = 1.5", ["events", "not a whole number"]),
    ("events = 0", ["events", "between 1"]),
    ("seed = -1", ["seed", "negative"]),
    ("detector = 280", ["detector", "quotes"]),
    ("flux = 3", ["flux", "list"]),
    ("flux = []", ["flux", "list"]),
    ('nature = "dirak"', ["nature", "'dirac'"]),
    ('proposal = "aim"', ["proposal", "'aimed'"]),
    ('beam = "paralel"', ["beam", "'parallel'"]),
    ('backend = "thread"', ["backend", "'threads'"]),
    ('driving = "sobl"', ["driving", "'sobol'"]),
    ('conventions = "darknew"', ["conventions", "'darknews'"]),
    ('resume = "yes"', ["resume", "true or false"]),
    ('chunks = "5:5"', ["chunks", "holds no chunk"]),
    ("parameter = 3", ["parameter", "table"]),
    ("[parameter]\nneutrons = [1]", ["parameter", "neutrons"]),
    ("[pot]\nfhc = -1", ["pot", "negative"]),
    ("observed = 3", ["'observed'", "key of limit"]),
    ("masses = [0.1]", ["'masses'", "scan and limit"]),
    ("d_mu = 1e-7\nd-mu = 1e-7", ["line 3", "twice"]),
    ('command = "scn"', ["command", "'scan'"]),
    ('command = "scan"', ["`scan`", "siren-py scan"]),
    ("schema_version = 2", ["schema_version", "knows 1"]),
    ("mass = ", ["TOML", "line 2"]),
    ("written_by = 3", ["written_by"]),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_told_with_its_line(text, words, tmp_path):
    path = write(tmp_path / "run.toml", f"# a run\n{text}\n")
    with pytest.raises(SirenError) as error:
        read_configuration(path, "simulate")
    assert "run.toml" in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_all_mistakes_are_told_at_once(tmp_path):
    path = write(tmp_path / "run.toml", 'mas = 1\nseed = "a"\n\n[pot]\nfhc = "1 GeV"\n')
    with pytest.raises(ConfigError) as error:
        merged_settings("simulate", path, {"events": "none"})
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert [re.findall(r"line (\d)", line) for line in lines[:3]] == [["1"], ["2"], ["4"]]
    assert "Argument --events: 'none' is not a number." in lines[3]


def test_a_word_that_is_no_key():
    with pytest.raises(ConfigError, match="called 'mas'. Did you mean 'mass'"):
        merged_settings("simulate", None, {"mas": "0.1"})


def test_files_that_are_not_there_or_not_text(tmp_path):
    with pytest.raises(ConfigError, match="There is no configuration file"):
        read_configuration(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Cannot read"):
        read_configuration(tmp_path)
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="not a TOML file"):
        read_configuration(tmp_path / "a.toml")
    with pytest.raises(ConfigError, match="does not say which command"):
        read_configuration(write(tmp_path / "b.toml", "mass = 1"))


@pytest.mark.parametrize("given", [["--couplings", "1e-9:1e-7:3 /GeV"], ["1e-9 /GeV", 1e-8]])
def test_a_mixing_has_no_unit(given, tmp_path):
    words = {"coupling": "U_mu2"}
    path = None
    if given[0] == "--couplings":
        words["couplings"] = "1e-9 /GeV:1e-7:3"
    else:
        path = write(tmp_path / "s.toml", 'coupling = "U_mu2"\ncouplings = ["1e-9 /GeV", 1e-8]\n')
    with pytest.raises(ConfigError, match="U_mu2 is a plain number"):
        merged_settings("scan", path, words)


# ------------------------------------------------------------ merging, paths


def test_the_command_line_wins(tmp_path):
    path = write(
        tmp_path / "run.toml",
        'mass = "200 MeV"\nseed = 3\nflux = "a:b:c"\n[parameter]\nneutrons = false\nx = 1\n',
    )
    words = {"seed": "5", "parameter": ["x=2"], "mass": None}
    found = merged_settings("simulate", path, words)
    assert (found["mass"], found["seed"], found["events"]) == (0.2, 5, 100_000)
    assert found["flux"] == ["a:b:c"]
    assert found["parameter"] == {"neutrons": False, "x": 2.0}  # keys of a table one by one
    assert found.given == {"mass", "seed", "flux", "parameter"}


def test_relative_paths_are_those_of_the_file(tmp_path, monkeypatch):
    folder = tmp_path / "far"
    folder.mkdir()
    write(
        folder / "run.toml",
        'command = "simulate"\ndetector = "./a.py"\noutput = "events.root"\n'
        'flux = ["./own:fhc:numu", "t2k-nd280:fhc:numu"]\ncheckpoint = "/abs"\n',
    )
    monkeypatch.chdir(tmp_path)
    found = read_configuration("far/run.toml")
    assert found["detector"] == "far/./a.py"
    assert found["output"] == "far/events.root"
    assert found["flux"] == ["far/./own:fhc:numu", "t2k-nd280:fhc:numu"]
    assert found["checkpoint"] == "/abs"
    # A file in another folder names the same things.
    (tmp_path / "other").mkdir()
    text = configuration_text("simulate", found.values, folder="other")
    again = read_configuration(write(tmp_path / "other" / "b.toml", text))
    assert os.path.normpath(again["detector"]) == str(folder / "a.py")
    assert os.path.normpath(again["flux"][0]) == str(folder / "own:fhc:numu")
    assert again["flux"][1] == "t2k-nd280:fhc:numu"


def test_the_path_of_a_script_beside_the_file_stays_a_path(detector):
    text = configuration_text("simulate", {"detector": "bench.py", "output": "a.root"})
    assert tomllib.loads(text)["detector"] == "./bench.py"
    assert '# output = "a.root"' in text  # where results went is told, not repeated


# ------------------------------------------------------------ schema


@pytest.mark.parametrize("name", COMMANDS)
def test_the_schema_is_one_and_takes_what_we_write(name):
    validators = pytest.importorskip("jsonschema")
    schema = json_schema(name)
    validators.Draft202012Validator.check_schema(schema)
    validator = validators.Draft202012Validator(schema)
    validator.validate(tomllib.loads(configuration_text(name, COMMANDS[name].defaults)))
    assert set(schema["properties"]) == {
        "schema_version", "command", "written_by", *COMMANDS[name].keys
    }  # fmt: skip


SAME = [
    text for text, _ in MISTAKES
    if text not in ("mass = ", 'chunks = "5:5"') and "d-mu" not in text and "nan" not in text
]  # fmt: skip


@pytest.mark.parametrize("text", SAME)
def test_the_schema_refuses_what_the_reader_refuses(text):
    validators = pytest.importorskip("jsonschema")
    validator = validators.Draft202012Validator(json_schema("simulate"))
    assert not validator.is_valid(tomllib.loads(text)) or "fhc = -1" in text


@pytest.mark.parametrize(
    "text",
    [
        'mass = "100 MeV"', "mass = 0.1", 'd_mu = "3.87e-7 /GeV"', 'd_mu = "1 1/TeV"',
        'd_mu = "1e-7 GeV^-1"', "pot = 1e21", 'pot = "1e21 POT"', "[pot]\nfhc = 1e21",
        'flux = "a:b:c"', 'flux = ["a:b:c"]', "events = 1000", "resume = true",
        "[parameter]\nneutrons = false", 'chunks = "0:3"', 'nature = "majorana"',
    ],
)  # fmt: skip
def test_schema_and_reader_take_the_same(text, tmp_path):
    validators = pytest.importorskip("jsonschema")
    read_configuration(write(tmp_path / "a.toml", text), "simulate")
    validators.Draft202012Validator(json_schema("simulate")).validate(tomllib.loads(text))


def test_every_unit_is_in_the_schema():
    text = json.dumps(json_schema("simulate"))
    for dimension in ("energy", "inverse energy"):
        assert all(unit.strip("/") in text for unit in UNITS[dimension])


# ------------------------------------------------------------ runs again, to the same bits


def same_events(first, second):
    one, two = sp.read_root(first), sp.read_root(second)
    assert one.columns == two.columns
    for name in one.columns:
        assert np.asarray(one[name]).tobytes() == np.asarray(two[name]).tobytes(), name
    assert one.momenta(None).tobytes() == two.momenta(None).tobytes()
    assert len(one) > 0


def test_a_run_is_made_again_from_its_files(detector, tmp_path, call, capsys, monkeypatch):
    (tmp_path / "out").mkdir()
    call(
        "simulate", "--detector", "./bench.py", "--mass", "150 MeV", "--d-mu", "3e-10 /MeV",
        "--d-e", 1e-7, "--flux", "t2k-nd280:fhc:numu,nue", "--flux", "t2k-nd280:rhc:numubar",
        "--pot", "fhc=2e21,rhc=1e21", "--decay", "all", "--nature", "majorana",
        "--parameter", "pauli_blocking=false", "--events", 2000, "--seed", 2**64 + 5,
        "--driving", "sobol",
        "--output", "out/a.root", "--save-config", "out/run.toml",
    )  # fmt: skip
    before = (tmp_path / "out/a.root").stat().st_mtime_ns
    # From elsewhere, with the file that was saved ...
    monkeypatch.chdir("/")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call("simulate", tmp_path / "out/run.toml", "--output", tmp_path / "b.root")
        same_events(tmp_path / "out/a.root", tmp_path / "b.root")
        # ... and with the one that the events keep.
        assert main(["info", str(tmp_path / "out/a.root"), "--config"]) == 0
        kept = write(tmp_path / "out" / "kept.toml", capsys.readouterr().out)
        call("simulate", kept, "--output", tmp_path / "c.root")
    same_events(tmp_path / "out/a.root", tmp_path / "c.root")
    assert (tmp_path / "out/a.root").stat().st_mtime_ns == before
    # Every parameter is in the file, also those that nobody gave.
    found = read_configuration(kept)
    assert found["region"] == "box"
    assert found["d_tau"] == 0.0
    assert found["parameter"] == {
        "nucleon_form_factors": "kelly", "pauli_blocking": False, "neutrons": True,
        "nuclear_form_factor": "measured",
    }  # fmt: skip
    assert set(found.values) >= set(COMMANDS["simulate"].defaults)
    # The same in Python.
    monkeypatch.chdir(tmp_path / "out")
    simulation = make_simulation(found)
    sample = simulation.run(found["events"], seed=found["seed"], driving=found["driving"])
    assert sample.weights.tobytes() == sp.read_root("a.root").weights.tobytes()


def test_merged_parts_know_the_configuration_of_the_whole_run(detector, tmp_path, call):
    words = ["simulate", "--detector", "./bench.py", "--events", 20_000, "--output"]
    call(*words, "a.root", "--chunks", "0:1")
    call(*words, "b.root", "--chunks", "1:2")
    call("merge", "all.root", "a.root", "b.root")
    write(tmp_path / "all.toml", call("info", "all.root", "--config")["configuration_file"])
    call("simulate", "all.toml", "--output", "again.root")
    same_events(tmp_path / "all.root", tmp_path / "again.root")


def test_options_change_what_the_file_says(detector, tmp_path, call):
    first = call("simulate", "--detector", detector, "--events", 500, "--save-config", "a.toml")
    again = call("simulate", "a.toml")
    other = call("simulate", "a.toml", "--mass", 0.12, "--seed", 4)
    assert again["expected"] == first["expected"]
    assert other["expected"] != first["expected"]
    assert (other["settings"]["mass"], other["seed"]) == (0.12, 4)
    assert other["settings"]["decay"] == first["settings"]["decay"]


def test_a_scan_is_made_again_from_its_folder(detector, tmp_path, call):
    words = ["--masses", "50 MeV,0.1", "--couplings", "1e-7:1e-5:3", "--precision", 0.2]
    first = call("scan", "--detector", "./bench.py", *words, "--output", "plane", "--seed", 3)
    again = call("scan", "plane/configuration.toml", "--output", "again")
    one, two = (Scan.load(tmp_path / name / "scan.npz") for name in ("plane", "again"))
    for key in ("values", "errors", "effective", "attempts", "masses", "couplings"):
        assert getattr(one, key).tobytes() == getattr(two, key).tobytes(), key
        assert first[key] == again[key]
    rows = (tmp_path / "plane/scan.csv").read_text().splitlines()
    assert rows[1] == "mass,d_mu,expected,error,effective_size"
    assert [float(r.split(",")[2]) for r in rows[2:]] == one.total.ravel().tolist()
    # It is resumed: nothing is computed twice, and another plane is refused.
    before = (tmp_path / "plane/scan.npz").stat().st_mtime_ns
    assert (
        call("scan", "plane/configuration.toml", "--output", "plane")["values"] == first["values"]
    )
    assert (tmp_path / "plane/scan.npz").stat().st_mtime_ns == before
    kept = (tmp_path / "plane/configuration.toml").read_text()
    error = call("scan", "plane/configuration.toml", "--seed", 4, "--output", "plane", code=2)
    assert "another scan" in error["error"]
    assert (tmp_path / "plane/configuration.toml").read_text() == kept


def test_the_scan_of_the_command_line_is_that_of_python(detector, call):
    found = call(
        "scan", "--detector", detector, "--masses", "0.1", "--couplings", "1e-6,2e-6",
        "--precision", 0.2, "--pot", 1e21,
    )  # fmt: skip
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    simulation = sp.Simulation(str(detector), FLUX, model, decay="nu e+ e-", region="box")
    scan = simulation.scan([0.1], [1e-6, 2e-6], pot=1e21, precision=0.2, max_attempts=500_000)
    assert found["values"] == scan.values.tolist()


def test_a_cut_of_a_scan(detector, tmp_path, call):
    write(tmp_path / "cuts.py", "def nothing(sample):\n    return sample['weight'] < 0\n")
    words = ["--masses", "0.1", "--couplings", "1e-6", "--precision", 0.5]
    found = call("scan", "--detector", detector, *words, "--cut", "./cuts.py:nothing")
    assert found["values"] == [[[0.0]]]


def test_a_limit_is_made_again_from_its_folder(detector, tmp_path, call):
    first = call(
        "limit", "--detector", "./bench.py", "--region", "box", "--decay", "nu e+ e-",
        "--flux", FLUX, "--pot", "1e22 POT", "--masses", "0.1", "--couplings", "1e-7:1e-4:5",
        "--precision", "0.2", "--observed", 0, "--background", 0.5, "--cl", 0.95,
        "--parameter", "nature=majorana", "--output", "out",
    )  # fmt: skip
    again = call("limit", "out/configuration.toml", "--output", "again")
    assert again["exclusion"] == first["exclusion"]
    assert (again["cl"], again["statistic"]) == (0.95, "cls")
    one, two = (Scan.load(tmp_path / name / "scan.npz") for name in ("out", "again"))
    assert one.values.tobytes() == two.values.tobytes()
    found = read_configuration(tmp_path / "out/configuration.toml")
    assert found["observed"] == 0
    assert found["parameter"]["nature"] == "majorana"


def test_a_plane_of_mixings(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--model", "mass-mixing", "--coupling", "U_mu2", "--flux", "mesons:fhc:K+:mu"]
    plane = ["--masses", "0.2", "--couplings", "1e-9,1e-8", "--precision", 0.3]
    first = call("scan", *words, *plane, "--output", "out")
    # Two vertices, production and decay, each with U^2.
    low, high = (v[0] for v in first["values"][0])
    assert high / low == pytest.approx(100.0, rel=0.01)
    again = call("scan", "out/configuration.toml")
    assert again["values"] == first["values"]


def test_the_model_of_a_plugin(detector, call, tmp_path, monkeypatch):
    write(
        tmp_path / "own_models_of_a_test.py",
        "from siren_py.models import DipolePortal\n\n\n"
        "class Own(DipolePortal):\n    name = 'own-portal'\n",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("own-portal", "own_models_of_a_test:Own", "siren_py.models")
    monkeypatch.setattr(
        "importlib.metadata.entry_points",
        lambda group: [point] if group == "siren_py.models" else [],
    )
    words = ["--model", "own-portal", "--mass", "0.1", "--d-mu", "1e-6", "--events", 300]
    first = call("simulate", "--detector", detector, *words, "--save-config", "run.toml")
    again = call("simulate", "run.toml")
    assert again["expected"] == first["expected"]
    assert again["configuration"]["model"]["name"] == "own-portal"
    # What nobody gave is not invented: a foreign model need not know it.
    assert "nature" not in tomllib.loads((tmp_path / "run.toml").read_text())


# ------------------------------------------------------------ where a file is from


@pytest.fixture
def saved(detector, call):
    call("simulate", "--detector", "./bench.py", "--events", 300, "--save-config", "run.toml")
    return detector.parent / "run.toml"


@pytest.fixture
def remarks(call, capsys):
    """Run a command line; return what it says on the error stream."""

    def run(*words):
        with warnings.catch_warnings():
            warnings.simplefilter("always", OriginWarning)
            assert main([*map(str, words), "--quiet"]) == 0
        return " ".join(capsys.readouterr().err.split())

    return run


def test_another_detector_is_told(saved, detector, remarks):
    assert remarks("simulate", saved) == ""
    detector.write_text(DETECTOR + "\n# changed\n")
    assert "script of the detector 'bench' is not the one" in remarks("simulate", saved)


def test_another_script_of_a_cut_is_told(detector, tmp_path, call, remarks):
    script = write(tmp_path / "cuts.py", "def all_(sample):\n    return sample['weight'] > 0\n")
    plane = ["--masses", "0.1", "--couplings", "1e-6", "--precision", 0.5]
    words = ["--cut", "./cuts.py:all_", "--save-config", "scan.toml"]
    call("scan", "--detector", "./bench.py", *plane, *words)
    assert remarks("scan", "scan.toml") == ""
    script.write_text(script.read_text() + "# changed\n")
    assert "the script of the cut 'cuts.py' is not the one" in remarks("scan", "scan.toml")


def test_another_version_is_told(saved, remarks):
    saved.write_text(re.sub(r'siren_py = ".*"', 'siren_py = "0.0.1"', saved.read_text()))
    assert "it was written by siren_py 0.0.1, this is" in remarks("simulate", saved)


def test_another_flux_is_told(detector, tmp_path, call, remarks):
    folder = tmp_path / "own"
    shutil.copytree(find_flux("bnb-miniboone").parent, folder)
    words = ["--events", 300, "--flux", "./own:fhc:numu", "--save-config", "run.toml"]
    call("simulate", "--detector", "./bench.py", *words)
    assert remarks("simulate", "run.toml") == ""
    settings = folder / "flux.toml"
    settings.write_text(settings.read_text().replace("factor = 20.0", "factor = 20.5"))
    assert "a flux, or another file or library" in remarks("simulate", "run.toml")


def test_a_change_of_the_file_is_no_reason_to_warn(saved, call):
    text = saved.read_text().replace("mass = 0.1 ", "mass = 0.12 ")
    saved.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call("simulate", saved)
        call("simulate", saved, "--seed", 3)
        write(saved.parent / "other.py", DETECTOR.replace("Fe", "Pb").replace("7.87", "11.35"))
        call("simulate", saved, "--detector", "other.py", "--mass", 0.1)


def test_another_folder_is_no_reason_to_warn(saved, call, tmp_path, monkeypatch):
    (tmp_path / "moved").mkdir()
    for name in ("run.toml", "bench.py"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    monkeypatch.chdir("/")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call("simulate", tmp_path / "moved" / "run.toml")
    # The fingerprint is compared all the same.
    found = read_configuration(tmp_path / "moved" / "run.toml")
    simulation = make_simulation(found)
    now = origin("simulate", full_values(found, simulation), simulation.detector)
    assert now["settings"] == found.written_by["settings"]


def test_files_of_python_have_no_configuration(detector, call, tmp_path):
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    sample = sp.Simulation(str(detector), FLUX, model, region="box").run(300, seed=1)
    sample.to_root(tmp_path / "a.root")
    error = call("info", "a.root", "--config", code=2)["error"]
    assert "not written by `siren-py simulate`" in error


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--parameter", "d_mu=1e-6", "--d-mu", "1e-6"], "given twice"),
        (["--parameter", "fermi_momentum=200 MeV"], "plain numbers"),
        (["--parameter", "neutron=false"], "neutrons"),
        (["--model", "mass-mixng"], "mass-mixing"),
        (["--model", "mass-mixing", "--conventions", "darknews"], "conventions"),
    ],
)
def test_models_that_cannot_be(detector, call, words, expected):
    assert expected in call("simulate", "--detector", detector, *words, code=2)["error"]
