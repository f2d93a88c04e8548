"""Reading published curves and tables: from the units of the papers to those of siren_py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError, FormatError, unknown_name
from siren_py.io.text import read_text

_FOLDER = Path(__file__).resolve().parent / "data"

KINDS = ("limit", "excluded", "edge", "sensitivity", "discovery", "preferred", "estimate")
"""What a curve is: excluded above it, excluded inside it, the lower edge of an excluded region of
which the upper edge is not at hand, a sensitivity, a line of discovery, a region that an experiment
prefers, or an estimate of siren_py's own."""

STATUSES = ("official", "authors", "digitised", "own estimate")
"""Where numbers come from: a release of the experiment, the authors' own files, a figure that was
read off, or siren_py itself."""

# To the units of siren_py. Lengths of the tables are in cm, as everywhere.
_UNITS: Mapping[str, tuple[str, float]] = {
    "MeV": ("GeV", 1e-3),
    "GeV": ("GeV", 1.0),
    "1/GeV": ("1/GeV", 1.0),
    "m": ("cm", 100.0),
    "1": ("1", 1.0),
}

_COLUMN = re.compile(r"(\S+) \[(\S+)\]")
_LINE = re.compile(r"# (\w+): (.+)")


@dataclass(frozen=True, eq=False)
class Curve:
    """A published line or contour in the plane of mass and coupling.

    Points are in the order of the line. Where they do not rise in mass, the line turns back: use
    `edges`, not `at`.

    Examples
    --------
    >>> from siren_py.published import load_curve
    >>> curve = load_curve("charm2")
    >>> curve.x_unit, curve.y_unit
    ('GeV', '1/GeV')
    """

    name: str
    """Name for `load_curve`."""
    title: str
    """What it is, in words."""
    x: FloatArray
    """Masses [`x_unit`], shape (points,)."""
    y: FloatArray
    """Couplings [`y_unit`], shape (points,)."""
    x_name: str
    """``"mass"``."""
    y_name: str
    """Which coupling: ``"d_mu"``, ``"Umu2"``, ``"Ue2"``, ..."""
    x_unit: str
    """Unit of `x`: GeV."""
    y_unit: str
    """Unit of `y`: 1/GeV for dipoles, 1 for mixings."""
    closed: bool
    """True for a contour: the last point is joined to the first."""
    kind: str
    """One of `KINDS`."""
    cl: str
    """Confidence level, as it was stated."""
    status: str
    """One of `STATUSES`."""
    citation: str
    """The paper."""
    convention: str
    """Definition of the coupling, and other assumptions."""
    figure: str = ""
    """Figure of the paper; empty if it is drawn in none, or in several."""
    source: str = ""
    """Who made the numbers available, or read them off."""
    note: str = ""
    """What to know before using it."""

    def at(self, mass: ArrayLike) -> FloatArray:
        """Return the coupling at each mass, straight in the logarithms of both.

        Parameters
        ----------
        mass
            Masses [GeV], any shape.

        Returns
        -------
        ndarray
            Couplings [`y_unit`], the shape of `mass`.

        Raises
        ------
        ConfigError
            If the curve is a contour or turns back, so that there is no single value, or if a
            mass lies outside it: nothing is extrapolated.

        Examples
        --------
        >>> f"{load_curve('liu2024-2019').at(0.141421):.3e}"
        '2.378e-07'
        """
        rising = bool(np.all(np.diff(self.x) > 0.0))
        if self.closed or not rising:
            raise ConfigError(
                f"The curve {self.name!r} has no single value per mass; ask for edges(mass), "
                "which returns all of them."
            )
        wanted = np.asarray(mass, dtype=np.float64)
        low, high = float(self.x[0]), float(self.x[-1])
        bad = ~((wanted >= low) & (wanted <= high))
        if bad.any():
            raise ConfigError(
                f"The curve {self.name!r} is known from {low:g} to {high:g} GeV; "
                f"{float(wanted[bad].flat[0])!r} GeV lies outside."
            )
        return np.asarray(np.exp(np.interp(np.log(wanted), np.log(self.x), np.log(self.y))))

    def edges(self, mass: float) -> FloatArray:
        """Return every coupling [`y_unit`] at which the curve passes `mass` [GeV], rising.

        The array is empty where the curve does not pass.
        """
        x, y = np.log(self.x), np.log(self.y)
        if self.closed:
            x, y = np.append(x, x[0]), np.append(y, y[0])
        at = np.log(mass)
        # Half-open steps, so that a corner on the mass counts once.
        crosses = (np.minimum(x[:-1], x[1:]) <= at) & (at < np.maximum(x[:-1], x[1:]))
        step = np.flatnonzero(crosses)
        part = (at - x[step]) / (x[step + 1] - x[step])
        return np.sort(np.exp(y[step] + part * (y[step + 1] - y[step])))

    def to_dict(self) -> dict[str, Any]:
        """Everything but the points, with their number and range; plain data."""
        record = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("x", "y")}
        record["points"] = len(self.x)
        record["x_range"] = [float(self.x.min()), float(self.x.max())]
        record["y_range"] = [float(self.y.min()), float(self.y.max())]
        return record

    def __repr__(self) -> str:
        return f"<Curve {self.name!r}: {self.title}, {self.cl}, {self.citation}>"


@dataclass(frozen=True, eq=False)
class PublishedTable:
    """A published table: columns by name, in the units of siren_py.

    Examples
    --------
    >>> from siren_py.published import load_table
    >>> load_table("liu2024-grid").status
    'authors'
    """

    name: str
    """Name for `load_table`."""
    title: str
    """What it is, in words."""
    columns: Mapping[str, FloatArray]
    """Columns, each of shape (rows,)."""
    units: Mapping[str, str]
    """Unit of each column."""
    status: str
    """One of `STATUSES`."""
    citation: str
    """The paper."""
    convention: str
    """Definition of the coupling, and other assumptions."""
    figure: str = ""
    """Figure of the paper that it belongs to."""
    source: str = ""
    """Who made the numbers available, or read them off."""
    note: str = ""
    """What to know before using it."""

    def __getitem__(self, column: str) -> FloatArray:
        if column not in self.columns:
            raise unknown_name(f"column of the table {self.name!r}", column, self.columns)
        return self.columns[column]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the numbers; plain data."""
        record = {f.name: getattr(self, f.name) for f in fields(self)}
        del record["columns"]
        rows = len(next(iter(self.columns.values())))
        return {**record, "units": dict(self.units), "rows": rows}

    def __repr__(self) -> str:
        return f"<PublishedTable {self.name!r}: {self.title}, {self.citation}>"


def curve_names() -> list[str]:
    """Return the names of all published curves, sorted.

    Examples
    --------
    >>> "nomad" in curve_names()
    True
    """
    return sorted(name for name, raw in _all().items() if "kind" in raw.meta)


def table_names() -> list[str]:
    """Return the names of all published tables, sorted.

    Examples
    --------
    >>> "liu2024-grid" in table_names()
    True
    """
    return sorted(name for name, raw in _all().items() if "kind" not in raw.meta)


def load_curve(name: str) -> Curve:
    """Return a published curve, in GeV and 1/GeV.

    Parameters
    ----------
    name
        One of `curve_names`.

    Raises
    ------
    UnknownNameError
        If there is no such curve; the text gives the nearest names.

    Examples
    --------
    >>> load_curve("minerva").cl
    '95 %'
    """
    if name not in curve_names():
        hint = "Use load_table." if name in table_names() else "See `siren-py list limits`."
        raise unknown_name("published curve", name, curve_names(), hint)
    raw = _all()[name]
    meta = dict(raw.meta)
    closed = meta.pop("closed") == "yes"
    (x_name, x_unit), (y_name, y_unit) = raw.units.items()
    x, y = (raw.columns[column].copy() for column in (x_name, y_name))
    return Curve(
        name=name, x=x, y=y, x_name=x_name, y_name=y_name, x_unit=x_unit, y_unit=y_unit,
        closed=closed, **meta,
    )  # fmt: skip


def load_table(name: str) -> PublishedTable:
    """Return a published table, in the units of siren_py.

    Parameters
    ----------
    name
        One of `table_names`.

    Raises
    ------
    UnknownNameError
        If there is no such table; the text gives the nearest names.

    Examples
    --------
    >>> load_table("liu2024-grid")["mass"].max()
    np.float64(2.0)
    """
    if name not in table_names():
        hint = "Use load_curve." if name in curve_names() else "See `siren-py list limits`."
        raise unknown_name("published table", name, table_names(), hint)
    raw = _all()[name]
    columns = {key: values.copy() for key, values in raw.columns.items()}
    return PublishedTable(name=name, columns=columns, units=dict(raw.units), **raw.meta)


class _Raw(NamedTuple):
    meta: dict[str, str]
    columns: dict[str, FloatArray]
    units: dict[str, str]


@lru_cache(maxsize=1)
def _all() -> dict[str, _Raw]:
    """Read all files; they are small, and the list of names needs their headers."""
    return {path.stem: read_published(path) for path in sorted(_FOLDER.glob("*.csv"))}


@dataclass
class _Lines:
    meta: dict[str, str] = field(default_factory=dict)
    header: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)


def read_published(path: Path) -> _Raw:
    """Read one file: header lines ``# key: text``, columns ``name [unit]``, numbers.

    Raises
    ------
    FormatError
        If a line is not of this form, with its number.
    """
    found = _Lines()
    for number, line in enumerate(read_text(path, "a published curve").splitlines(), start=1):
        try:
            _read_line(line, found)
        except ValueError as error:
            raise FormatError(f"{path}, line {number}: {error}") from None
    if not found.rows:
        raise FormatError(f"{path}: there are no numbers in it.")
    numbers = np.array(found.rows, dtype=np.float64)
    columns, units = {}, {}
    for (name, unit), values in zip(found.header, numbers.T, strict=True):
        own, factor = _UNITS[unit]
        columns[name], units[name] = values * factor, own
    return _Raw(found.meta, columns, units)


def _read_line(line: str, found: _Lines) -> None:
    if line.startswith("#"):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError("expected '# key: text'.")
        found.meta[match[1]] = match[2]
    elif not found.header:
        for word in line.split(","):
            match = _COLUMN.fullmatch(word)
            if match is None or match[2] not in _UNITS:
                raise ValueError(
                    f"expected columns 'name [unit]' with a unit of {', '.join(_UNITS)}; "
                    f"got {word!r}."
                )
            found.header.append((match[1], match[2]))
    else:
        row = [float(word) for word in line.split(",")]
        if len(row) != len(found.header) or not np.all(np.isfinite(row)):
            raise ValueError(f"expected {len(found.header)} finite numbers.")
        found.rows.append(row)
