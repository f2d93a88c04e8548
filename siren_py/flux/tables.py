"""Reader of flux folders: a ``flux.toml`` that describes, and CSV tables that hold the numbers.

The folder of a flux called NAME is ``NAME/`` with a ``flux.toml``::

    schema_version = 1
    name = "my-beam"
    title = "what it is, in words"
    citations = ["where it was published"]          # optional
    default_table = "2016"                          # optional if there is one table

    [modes]                                         # name = meaning
    fhc = "forward horn current"

    [flavors]                                       # name = PDG code
    numu = 14

    [plane]                                         # optional; where the flux holds
    distance_m = 284.9
    off_axis_angle_deg = 2.042
    width_cm = 150.0
    height_cm = 150.0

    [tables.2016]
    file = "my_beam_2016.csv"                       # next to flux.toml
    release = "which release"
    unit = "1/(cm2 50 MeV 1e21 POT)"                # in words
    factor = 2e-20                                  # to 1/(GeV cm2 POT)
    energy_unit = "GeV"                             # or "MeV"; optional
    kind = "histogram"                              # or "points"; optional

The tables keep the binning and the unit of their source. After lines with ``#`` comes a header
``energy_low,energy_high,fhc_numu,...``: the edges of the bins and one column ``MODE_FLAVOR`` for
each spectrum; a combination that was not published is left out. Where ``kind = "points"`` the
header is ``energy,fhc_numu,...`` and the values hold at these energies, with straight lines in
between. If such a table begins above 0 GeV with a flux that is not zero, it does not say what is
below: see `siren_py.flux.PointsFlux`. A key that is not listed here is an error, so that a misspelt
``factor`` is not overlooked.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import FormatError, unknown_name
from siren_py.resources import text_sha256

SCHEMA_VERSION = 1

_ENERGY_UNITS = {"GeV": 1.0, "MeV": 1e-3}
# Kind of table: the columns of its energies.
_ENERGY_COLUMNS = {"histogram": ("energy_low", "energy_high"), "points": ("energy",)}


@dataclass(frozen=True)
class FluxPlane:
    """The plane over which a flux is averaged; None where a figure is not given."""

    distance_m: float | None = None
    """Distance from the centre of the target [m]."""
    off_axis_angle_deg: float | None = None
    """Angle to the axis of the proton beam [deg]."""
    width_cm: float | None = None
    """Width [cm]."""
    height_cm: float | None = None
    """Height [cm]."""


@dataclass(frozen=True)
class TableDescription:
    """One table of a flux folder as its ``flux.toml`` describes it."""

    version: str
    path: Path
    release: str
    unit: str
    factor: float
    """Turns the numbers of the table into 1/(GeV cm2 POT)."""
    energy_factor: float
    """Turns the energies of the table into GeV."""
    kind: str = "histogram"
    """``"histogram"`` (values hold in bins) or ``"points"`` (at energies)."""


@dataclass(frozen=True)
class FluxTable:
    """One table, read: energies and spectra in the units of siren_py."""

    energies: FloatArray
    """Edges of the bins [GeV], shape (n + 1,); of a table of points their energies, shape (n,)."""
    spectra: Mapping[tuple[str, str], FloatArray]
    """(mode, flavor) -> flux [1/(GeV cm2 POT)], shape (n,)."""
    sha256: str
    """SHA-256 of the text of the table."""


@dataclass(frozen=True)
class FluxFolder:
    """The contents of a ``flux.toml``.

    Attributes
    ----------
    name, title
        Name on the command line; what it is, in one line.
    citations
        Papers and releases the numbers are from.
    modes
        Modes of the beam: name to description.
    flavors
        Flavours: name to PDG code.
    plane
        Where the flux is known.
    tables
        Descriptions of the tables by version.
    default_table
        The version that is taken unless another one is asked for.

    Examples
    --------
    >>> from siren_py.resources import find_flux
    >>> folder = read_flux_folder(find_flux("t2k-nd280"))
    >>> folder.name, sorted(folder.tables)
    ('t2k-nd280', ['2016', '2020'])
    """

    name: str
    title: str
    citations: tuple[str, ...]
    modes: Mapping[str, str]
    flavors: Mapping[str, int]
    plane: FluxPlane
    tables: Mapping[str, TableDescription]
    default_table: str

    def table(self, version: str | None = None) -> TableDescription:
        """Return one table's description, by default that of `default_table`.

        Parameters
        ----------
        version
            Name of the table; None for the default.

        Raises
        ------
        UnknownNameError
            If there is no such table.
        """
        key = self.default_table if version is None else version
        if key not in self.tables:
            raise unknown_name(f"table of the flux {self.name}", key, self.tables)
        return self.tables[key]


def read_flux_folder(path: Path) -> FluxFolder:
    """Read a ``flux.toml``.

    Parameters
    ----------
    path
        The file, see `siren_py.resources.find_flux`.

    Returns
    -------
    FluxFolder
        Everything but the numbers of the tables.

    Raises
    ------
    FormatError
        If the file is not TOML, or a key is missing, unknown or of the wrong type.

    Examples
    --------
    >>> from siren_py.resources import find_flux
    >>> read_flux_folder(find_flux("bnb-miniboone")).default_table
    '2009'
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a TOML file: {error}.") from error
    section = _Section(path, "", content)
    version = section.take("schema_version", int)
    if version != SCHEMA_VERSION:
        raise FormatError(
            f"{path}: schema_version is {version}; this siren_py reads {SCHEMA_VERSION}."
        )
    name = section.take("name", str)
    title = section.take("title", str)
    citations = section.take("citations", list, [])
    modes = section.take("modes", dict)
    flavors = section.take("flavors", dict)
    plane = _read_plane(section.sub("plane"))
    tables = {
        str(key): _read_table_description(section.sub("tables").sub(key), str(key))
        for key in section.take("tables", dict)
    }
    default = section.take("default_table", str, next(iter(tables)) if len(tables) == 1 else None)
    section.close()
    if default not in tables:
        raise FormatError(
            f"{path}: default_table is {default!r}; the tables are {', '.join(tables)}."
        )
    if not all(isinstance(text, str) for text in [*modes.values(), *citations]):
        raise FormatError(f"{path}: [modes] and citations must hold texts.")
    if not all(isinstance(pdg, int) for pdg in flavors.values()):
        raise FormatError(f"{path}: [flavors] must hold PDG codes, e.g. numu = 14.")
    return FluxFolder(
        name=name,
        title=title,
        citations=tuple(citations),
        modes=modes,
        flavors=flavors,
        plane=plane,
        tables=tables,
        default_table=default,
    )


def read_table(folder: FluxFolder, description: TableDescription) -> FluxTable:
    """Read one table and turn it into GeV and 1/(GeV cm2 POT).

    Raises
    ------
    FormatError
        If the file is missing, a column is unknown, a line is short or holds something that is
        not a number, or the bins do not join.
    """
    path = description.path
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FormatError(f"{path}: the table cannot be read: {error.strerror}.") from error
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if len(lines) < 2:
        raise FormatError(f"{path}: the table has no header or no numbers.")
    header = [column.strip() for column in next(csv.reader([lines[0][1]]))]
    energy_columns = _ENERGY_COLUMNS[description.kind]
    columns = _columns(path, header, folder, energy_columns)
    rows = np.array([_numbers(path, number, line, len(header)) for number, line in lines[1:]])
    spectra = {key: rows[:, header.index(c)] * description.factor for c, key in columns.items()}
    energies = rows[:, : len(energy_columns)] * description.energy_factor
    if description.kind == "histogram":
        energies = _joined(path, energies, [number for number, _ in lines[1:]])
    return FluxTable(energies.ravel(), spectra, text_sha256(text))


def _joined(path: Path, bins: FloatArray, numbers: list[int]) -> FloatArray:
    """Return the edges of bins (n, 2) that join; `numbers` are their lines."""
    low, high = bins.T
    joins = low[1:] == high[:-1]
    if not joins.all():
        k = int(np.argmin(joins))
        raise FormatError(
            f"{path}, line {numbers[k + 1]}: the bin begins at {low[k + 1]:g} GeV, but the one "
            f"before it ends at {high[k]:g} GeV. Bins must join; fill a gap with a bin of zero."
        )
    return np.append(low, high[-1])


def _columns(
    path: Path, header: list[str], folder: FluxFolder, energies: tuple[str, ...]
) -> dict[str, tuple[str, str]]:
    known = {f"{mode}_{f}": (mode, f) for mode in folder.modes for f in folder.flavors}
    first = len(energies)
    if tuple(header[:first]) != energies:
        raise FormatError(
            f"{path}: the header must begin with {','.join(energies)}; it is {','.join(header)}."
        )
    for k, column in enumerate(header[first:], start=first):
        if column not in known:
            raise FormatError(
                f"{path}: the column {column!r} is not MODE_FLAVOR of its flux.toml; these would "
                f"be {', '.join(known)}."
            )
        if column in header[:k]:
            raise FormatError(f"{path}: the column {column!r} appears twice.")
    return {column: known[column] for column in header[first:]}


def _numbers(path: Path, number: int, line: str, count: int) -> list[float]:
    cells = line.split(",")
    if len(cells) != count:
        raise FormatError(f"{path}, line {number}: {len(cells)} values, {count} columns.")
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise FormatError(f"{path}, line {number}: {error}.") from error
    if not all(math.isfinite(value) for value in values):
        raise FormatError(f"{path}, line {number}: a value is not finite: {line}.")
    return values


def _read_plane(section: _Section) -> FluxPlane:
    fields = ("distance_m", "off_axis_angle_deg", "width_cm", "height_cm")
    plane = FluxPlane(**{f: section.take(f, float, math.nan) for f in fields if section.has(f)})
    section.close()
    return plane


def _read_table_description(section: _Section, version: str) -> TableDescription:
    energy_unit = section.take("energy_unit", str, "GeV")
    if energy_unit not in _ENERGY_UNITS:
        raise section.error(f"energy_unit is {energy_unit!r}; it must be GeV or MeV")
    kind = section.take("kind", str, "histogram")
    if kind not in _ENERGY_COLUMNS:
        raise section.error(f"kind is {kind!r}; it must be {' or '.join(_ENERGY_COLUMNS)}")
    factor = section.take("factor", float)
    if not (math.isfinite(factor) and factor > 0.0):
        raise section.error(f"factor is {factor!r}; it must be a positive number")
    description = TableDescription(
        version=version,
        path=section.path.parent / section.take("file", str),
        release=section.take("release", str),
        unit=section.take("unit", str),
        factor=factor,
        energy_factor=_ENERGY_UNITS[energy_unit],
        kind=kind,
    )
    section.close()
    return description


class _Section:
    """A table of the TOML file; remembers what was read, so that `close` finds what was not."""

    def __init__(self, path: Path, where: str, content: Any) -> None:
        self.path = path
        self.where = where
        if not isinstance(content, dict):
            raise self.error("must be a table with keys")
        self.content: dict[str, Any] = content
        self.seen: set[str] = set()

    def error(self, text: str) -> FormatError:
        place = f" [{self.where}]" if self.where else ""
        return FormatError(f"{self.path}:{place} {text}.")

    def has(self, key: str) -> bool:
        return key in self.content

    def sub(self, key: str) -> _Section:
        self.seen.add(key)
        where = f"{self.where}.{key}" if self.where else key
        return _Section(self.path, where, self.content.get(key, {}))

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        self.seen.add(key)
        if key not in self.content:
            if default is None:
                raise self.error(f"the key {key!r} is missing")
            return default
        value = self.content[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(f"{key} is {value!r}; it must be of type {kind.__name__}")
        return value

    def close(self) -> None:
        for key in self.content:
            if key not in self.seen:
                hint = f"known keys: {', '.join(sorted(self.seen))}"
                raise self.error(f"the key {key!r} is not known; {hint}")
