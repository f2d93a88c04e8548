"""Tables: what is written as CSV and for HEPData is what was meant, and mistakes are named."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siren_py.errors import ConfigError, OutputError
from siren_py.io.hepdata import (
    Column,
    DataTable,
    table_record,
    write_csv,
    write_hepdata,
    yaml_lines,
)


def limit_table(name="limit"):
    return DataTable(
        name,
        "Upper limit on the coupling,\n by mass",
        [
            Column("mass of N", np.array([0.1, 0.2, 0.3]), "GeV", independent=True),
            Column(
                "d_mu", np.array([3e-7, 7.5e-7, np.nan]), "1/GeV", {"stat": [1e-9, 2e-8, np.nan]},
                qualifiers={"CL": "90 %", "events": 2.3},
            ),
            Column("remark", ["", "a \"quoted\": word, # 1", "no limit"]),
            Column("events", [1, 2, 3]),
        ],
        location="Fig. 4",
    )  # fmt: skip


def test_csv(tmp_path):
    path = write_csv(limit_table(), tmp_path / "limit.csv", comments=["seed 1"])
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# Upper limit on the coupling, by mass", "# seed 1"]
    rows = list(csv.DictReader(lines[2:]))
    assert list(rows[0]) == [
        "mass of N [GeV]", "d_mu [1/GeV]", "d_mu error stat [1/GeV]", "remark", "events",
    ]  # fmt: skip
    assert [float(r["mass of N [GeV]"]) for r in rows] == [0.1, 0.2, 0.3]
    assert [r["d_mu [1/GeV]"] for r in rows] == ["3e-07", "7.5e-07", ""]
    assert rows[1]["remark"] == 'a "quoted": word, # 1'


def test_yaml_is_read_back(tmp_path):
    yaml = pytest.importorskip("yaml")
    table = limit_table()
    submission, data = write_hepdata([table], tmp_path, comment="A test: of # everything")
    head, entry = yaml.safe_load_all(submission.read_text())
    assert head == {"comment": "A test: of # everything"}
    assert entry["name"] == "limit"
    assert entry["data_file"] == data.name == "limit.yaml"
    assert entry["location"] == "Fig. 4"
    assert yaml.safe_load(data.read_text()) == table_record(table)


def test_yaml_without_a_reader(tmp_path):
    """The layout, line by line, where no YAML library is installed."""
    _, data = write_hepdata([limit_table()], tmp_path, comment="c")
    lines = data.read_text().splitlines()
    assert lines[:8] == [
        "---",
        "independent_variables:",
        "  - header:",
        '      name: "mass of N"',
        '      units: "GeV"',
        "    values:",
        "      - {value: 0.1}",
        "      - {value: 0.2}",
    ]
    assert '      - {value: 3.0e-07, errors: [{symerror: 1.0e-09, label: "stat"}]}' in lines
    assert '      - {value: "-"}' in lines
    assert "      - {value: 2}" in lines


# The validator leaves its files to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_schema_of_hepdata(tmp_path):
    validator = pytest.importorskip("hepdata_validator.full_submission_validator")
    write_hepdata([limit_table(), limit_table("other")], tmp_path, comment="A test")
    checker = validator.FullSubmissionValidator()
    assert checker.validate(directory=str(tmp_path)), checker.get_messages()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_have_a_dot_and_keep_their_value(value):
    (line,) = yaml_lines([{"value": value}])
    text = line.removeprefix("- {value: ").removesuffix("}")
    assert "." in text
    assert float(text) == value


@given(st.text())
def test_texts_are_json(text):
    (line,) = yaml_lines({"name": text})
    assert json.loads(line.removeprefix("name: ")) == text


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Column("d", [1.0, math.inf]), "finite numbers or texts"),
        (lambda: Column("d", [True]), "finite numbers or texts"),
        (lambda: Column("d", [1.0], errors={"stat": [1.0, 2.0]}), "1 values but 2 errors 'stat'"),
        (lambda: Column("m", [math.nan], independent=True), "cannot lack a value"),
        (lambda: DataTable("A b", "x", []), "small letters, digits and dashes"),
        (lambda: DataTable("t", "x", [Column("m", [1.0], independent=True)]), "dependent ones"),
        (
            lambda: DataTable(
                "t", "x", [Column("m", [1.0, 2.0], independent=True), Column("d", [1.0])]
            ),
            "m: 2, d: 1",
        ),
        (
            lambda: DataTable(
                "t", "x", [Column("m", [1.0], independent=True), Column("m", [1.0])]
            ),
            "same name",
        ),
    ],
)  # fmt: skip
def test_mistakes(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_names_of_tables_differ(tmp_path):
    with pytest.raises(ConfigError, match="same name"):
        write_hepdata([limit_table(), limit_table()], tmp_path, comment="c")


def test_no_folder(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        write_csv(limit_table(), tmp_path / "missing" / "a.csv")
