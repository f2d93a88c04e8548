"""Tables with units, written as CSV and as YAML in the layout of HEPData.

HEPData (https://www.hepdata.net, JINST 12, T12012 (2017)) keeps a submission as a file
``submission.yaml`` with one document per table, and one YAML file per table with independent and
dependent variables. The YAML that is written here uses double-quoted texts and plain numbers only,
so that readers of YAML 1.1 and 1.2 agree on it.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from siren_py._typing import PathLike
from siren_py.errors import ConfigError
from siren_py.io.files import complete_file

Scalar = str | int | float


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a `DataTable`.

    Raises
    ------
    ConfigError
        If values and errors do not fit together, or a value is infinite.
    """

    name: str
    """What it is, e.g. ``"mass of N"``."""
    values: Sequence[Scalar]
    """Numbers or texts, shape (rows,). NaN: no value, e.g. no limit at this mass."""
    unit: str = ""
    """Unit; empty for pure numbers and texts."""
    errors: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Symmetric errors by label, e.g. ``{"stat": ...}``, each of shape (rows,)."""
    independent: bool = False
    """True for what the rows are sorted by."""
    qualifiers: Mapping[str, Scalar] = field(default_factory=dict)
    """What else belongs to the column, e.g. ``{"CL": "90 %"}``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", [_plain(self.name, v) for v in self.values])
        errors = {k: [float(e) for e in v] for k, v in self.errors.items()}
        object.__setattr__(self, "errors", errors)
        for label, values in errors.items():
            if len(values) != len(self.values):
                raise ConfigError(
                    f"The column {self.name!r} has {len(self.values)} values but "
                    f"{len(values)} errors {label!r}."
                )
        if self.independent and any(isinstance(v, float) and math.isnan(v) for v in self.values):
            raise ConfigError(
                f"The column {self.name!r} is what rows are sorted by; it cannot lack a value."
            )

    @property
    def header(self) -> str:
        """Name with its unit: ``"mass of N [GeV]"``."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True, eq=False)
class DataTable:
    """A table that can be written as CSV and as a table of HEPData.

    Raises
    ------
    ConfigError
        If the columns have different lengths, two have one name, or there are none of one kind.

    Examples
    --------
    >>> table = DataTable(
    ...     "limit",
    ...     "Upper limit on the coupling",
    ...     [
    ...         Column("mass of N", [0.1, 0.2], "GeV", independent=True),
    ...         Column("d_mu", [3e-7, 7e-7], "1/GeV", qualifiers={"CL": "90 %"}),
    ...     ],
    ... )
    >>> len(table)
    2
    """

    name: str
    """Name of the files: letters, digits, dashes."""
    description: str
    """What it shows."""
    columns: Sequence[Column]
    """Columns, independent ones first."""
    location: str = ""
    """Where in the paper the like of it is shown: ``"Fig. 4"``."""

    def __post_init__(self) -> None:
        if not self.name or set(self.name) - _NAME_LETTERS:
            raise ConfigError(
                f"A table is named by small letters, digits and dashes; got {self.name!r}."
            )
        if {c.independent for c in self.columns} != {True, False}:
            raise ConfigError(
                f"The table {self.name!r} needs independent columns (what rows are sorted by) and "
                "dependent ones."
            )
        names = [c.name for c in self.columns]
        if len(set(names)) != len(names):
            raise ConfigError(f"Two columns of the table {self.name!r} have the same name.")
        if len({len(c.values) for c in self.columns}) != 1 or not self.columns[0].values:
            lengths = ", ".join(f"{c.name}: {len(c.values)}" for c in self.columns)
            raise ConfigError(
                f"The columns of the table {self.name!r} must have one length, at least 1; "
                f"they have {lengths}."
            )

    def __len__(self) -> int:
        return len(self.columns[0].values)


_NAME_LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-")


def _plain(name: str, value: object) -> Scalar:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and not math.isinf(value):
        return value
    raise ConfigError(
        f"The column {name!r} holds {value!r}; values are finite numbers or texts, NaN for none."
    )


# ----------------------------------------------------------------------------------- CSV


def write_csv(table: DataTable, path: PathLike, *, comments: Sequence[str] = ()) -> Path:
    """Write a table as CSV: comments after ``#``, a line of names with units, rows.

    Errors follow their column as ``name error label [unit]``. A missing value is empty.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    with complete_file(target) as part, part.open("w", newline="", encoding="utf-8") as file:
        for line in [table.description, *comments]:
            file.write(f"# {' '.join(line.split())}\n")
        writer = csv.writer(file, lineterminator="\n")
        head, columns = [], []
        for column in table.columns:
            head.append(column.header)
            columns.append([_csv_word(v) for v in column.values])
            for label, errors in column.errors.items():
                unit = f" [{column.unit}]" if column.unit else ""
                head.append(f"{column.name} error {label}{unit}")
                columns.append([_csv_word(e) for e in errors])
        writer.writerow(head)
        writer.writerows(zip(*columns, strict=True))
    return target


def _csv_word(value: Scalar) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.8g}"
    return str(value)


# ----------------------------------------------------------------------------------- HEPData


def write_hepdata(
    tables: Sequence[DataTable], folder: PathLike, *, comment: str, observable: str = "CLS"
) -> list[Path]:
    """Write tables as a submission of HEPData: ``submission.yaml`` and one file per table.

    Parameters
    ----------
    tables
        Tables with different names.
    folder
        Existing folder.
    comment
        Abstract of the submission.
    observable
        Keyword ``observables`` of each table, a word of HEPData's list.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ConfigError
        If two tables have one name.
    OutputError
        If a file cannot be written.
    """
    names = [table.name for table in tables]
    if len(set(names)) != len(names):
        raise ConfigError(f"Two tables have the same name: {', '.join(sorted(names))}.")
    base = Path(folder)
    files = []
    documents: list[dict[str, Any]] = [{"comment": comment}]
    for table in tables:
        file = base / f"{table.name}.yaml"
        _write_yaml([table_record(table)], file)
        files.append(file)
        documents.append(
            {
                "name": table.name,
                "location": table.location or "Simulation",
                "description": table.description,
                "keywords": [{"name": "observables", "values": [observable]}],
                "data_file": file.name,
            }
        )
    submission = base / "submission.yaml"
    _write_yaml(documents, submission)
    return [submission, *files]


def table_record(table: DataTable) -> dict[str, Any]:
    """Return the content of a table's YAML file as nested lists and dictionaries."""
    variables: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for column in table.columns:
        header: dict[str, Any] = {"name": column.name}
        if column.unit:
            header["units"] = column.unit
        entry: dict[str, Any] = {"header": header}
        if column.qualifiers:
            entry["qualifiers"] = [{"name": k, "value": v} for k, v in column.qualifiers.items()]
        entry["values"] = [_value_record(column, row) for row in range(len(column.values))]
        variables[column.independent].append(entry)
    return {"independent_variables": variables[True], "dependent_variables": variables[False]}


def _value_record(column: Column, row: int) -> dict[str, Any]:
    value = column.values[row]
    if isinstance(value, float) and math.isnan(value):
        return {"value": "-"}  # HEPData's way to say that there is none
    record: dict[str, Any] = {"value": value}
    errors = [(k, v[row]) for k, v in column.errors.items() if not math.isnan(v[row])]
    if errors:
        record["errors"] = [{"symerror": size, "label": label} for label, size in errors]
    return record


def _write_yaml(documents: Sequence[Mapping[str, Any]], path: Path) -> None:
    with complete_file(path) as part, part.open("w", encoding="utf-8") as file:
        for document in documents:
            file.write("---\n")
            _dump(document, file)


def _dump(document: Mapping[str, Any], file: TextIO) -> None:
    file.writelines(f"{line}\n" for line in yaml_lines(document))


def yaml_lines(value: object, indent: int = 0) -> Iterator[str]:
    """Yield the lines of a value in YAML: block mappings and lists, values in rows in one line.

    Parameters
    ----------
    value
        Mapping or sequence of mappings, sequences, texts and finite numbers.
    indent
        Blanks in front of each line.
    """
    space = " " * indent
    if isinstance(value, Mapping):
        for key, item in value.items():
            if _is_leaf(item):
                yield f"{space}{key}: {_flow(item)}"
            else:
                yield f"{space}{key}:"
                yield from yaml_lines(item, indent + 2)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            if _is_leaf(item):
                yield f"{space}- {_flow(item)}"
            else:
                first, *rest = yaml_lines(item, indent + 2)
                yield f"{space}- {first.lstrip()}"
                yield from rest
    else:
        yield f"{space}{_flow(value)}"


def _is_leaf(value: object) -> bool:
    """Whether a value stands in one line: plain values, and the small records of rows."""
    if isinstance(value, Mapping):
        return set(value) <= {"value", "errors", "symerror", "label"}
    return isinstance(value, str) or not isinstance(value, Sequence) or len(value) == 0


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    if isinstance(value, float):
        return _yaml_float(value)
    return json.dumps(value, allow_nan=False)


def _yaml_float(value: float) -> str:
    """Write a float such that YAML 1.1 takes it for one: 1e-07 without a dot would be a text."""
    if not math.isfinite(value):
        raise ConfigError(f"{value!r} has no form in the tables of HEPData.")
    mantissa, mark, exponent = repr(float(value)).partition("e")
    return (mantissa if "." in mantissa else f"{mantissa}.0") + mark + exponent
