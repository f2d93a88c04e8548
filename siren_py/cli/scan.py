"""``siren-py scan``: expected events over a plane of masses and couplings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siren_py.cli.options import Subparsers, add_keys, add_verb, settings_of
from siren_py.cli.output import Answer
from siren_py.configuration.keys import SCAN
from siren_py.errors import ConfigError

if TYPE_CHECKING:
    from siren_py.configuration.reading import Settings
    from siren_py.scan import Scan
    from siren_py.tables import Table

_EXAMPLES = (
    "siren-py scan --masses 0.05:0.4:8 --couplings 1e-7:1e-5:21 --output plane",
    "siren-py scan --masses '50 MeV,0.1' --couplings 1e-7,1e-6 --precision 0.1 --json",
    "siren-py scan --model mass-mixing --coupling U_mu2 --flux mesons:fhc:K+:mu \\",
    "    --masses 0.2,0.3 --couplings 1e-10:1e-8:5",
    "siren-py scan plane/configuration.toml --output again",
)

_MOST_ROWS = 200
"""Points up to which all are printed; of larger planes only the largest rate at each mass."""

CSV_FILE, SCAN_FILE = "scan.csv", "scan.npz"


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "scan",
        run,
        "compute expected events over a plane of masses and couplings",
        "Simulate a plane of masses and couplings to a given precision. What is made for one "
        "coupling serves its neighbours exactly. Prints expected events with their error and "
        "effective size; with --output every finished mass is kept, and the same command goes on "
        "where it was interrupted. Every option may also stand in a TOML file; options win.",
        _EXAMPLES,
    )
    add_keys(parser, SCAN)


def run(options: argparse.Namespace) -> Answer:
    """Scan, write the files, return the table."""
    from siren_py.configuration.simulations import full_values, plane_simulation
    from siren_py.configuration.writing import (
        CONFIGURATION,
        origin,
        record_run,
        write_configuration,
    )
    from siren_py.io.files import check_writable
    from siren_py.weighting import exposure_by_flux

    settings = settings_of(options, SCAN)
    if settings.get("save_config"):
        check_writable(settings["save_config"])
    simulation = plane_simulation(settings)
    exposure_by_flux(settings["pot"], simulation.names["fluxes"])
    folder = output_folder(settings.get("output"))
    values = full_values(settings, simulation)
    made_by = origin(
        "scan", values, simulation.detector, fingerprint=simulation.fingerprint
    )  # fmt: skip
    new = folder is not None and not (folder / SCAN_FILE).exists()
    record_run(settings, "scan", values, made_by, folder if new else None)
    found = simulation.scan(
        *planes(settings),
        coupling=settings["coupling"],
        pot=settings["pot"],
        cut=settings.get("cut"),
        precision=settings["precision"],
        max_attempts=settings["max_attempts"],
        seed=settings["seed"],
        workers=settings["workers"],
        progress=False if options.quiet else None,
        path=None if folder is None else folder / SCAN_FILE,
    )
    if folder is not None:
        # Once more after the scan, which refuses the folder of another one.
        write_configuration(folder / CONFIGURATION, "scan", values, made_by)
        _write_csv(found, settings, folder / CSV_FILE)
    data = found.to_dict() | {"output": settings.get("output")}
    head, table, tail = _words(found, settings)
    return Answer(data, f"{head}\n{_plain(table)}\n{tail}", screen=[head, table, tail])


def planes(settings: Settings) -> tuple[Any, Any]:
    """Return the masses and the couplings of a plane."""
    from siren_py.configuration.simulations import points

    return points(settings["masses"]), points(settings["couplings"])


def output_folder(output: str | None) -> Path | None:
    """Return the folder of an output, made if it is not there.

    Raises
    ------
    ConfigError
        If it cannot be made.
    """
    if output is None:
        return None
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot use {folder} as a folder for the output: {error.strerror or error}."
        ) from None
    return folder


def _coupling(settings: Settings) -> str:
    from siren_py.configuration.simulations import grid_unit

    unit = grid_unit(settings, "couplings")
    return f"{settings['coupling']} [{unit}]" if unit else str(settings["coupling"])


def _rows(found: Scan) -> list[tuple[float, float, float, float, float]]:
    """Mass, coupling, expected events, error and effective size of all points."""
    total, error = found.total, found.total_error
    return [
        (float(m), float(g), float(total[i, j]), float(error[i, j]), float(found.effective[i, j]))
        for i, m in enumerate(found.masses)
        for j, g in enumerate(found.couplings)
    ]


def _write_csv(found: Scan, settings: Settings, path: Path) -> None:
    import csv
    import io

    from siren_py.io.files import complete_file

    text = io.StringIO()
    text.write(f"# expected events, {settings['detector']}, {_coupling(settings)}, mass [GeV]\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["mass", settings["coupling"], "expected", "error", "effective_size"])
    writer.writerows([repr(value) for value in row] for row in _rows(found))
    with complete_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _words(found: Scan, settings: Settings) -> tuple[str, Table, str]:
    """Return what is printed: head, table and tail."""
    from siren_py.tables import Table

    rows = _rows(found)
    head = f"{settings['detector']}: expected events"
    if len(rows) > _MOST_ROWS:
        head += f", the most at each mass ({len(rows):,} points are in --json and --output)"
        count = len(found.couplings)
        blocks = [rows[i : i + count] for i in range(0, len(rows), count)]
        rows = [max(block, key=lambda row: row[2]) for block in blocks]
    cells = tuple(
        (f"{m:.5g}", f"{g:.5g}", f"{v:.5g}", f"{e:.3g}", f"{n:,.0f}") for m, g, v, e, n in rows
    )
    columns = ("mass [GeV]", _coupling(settings), "expected", "error", "effective")
    output = settings.get("output")
    tail = f"  {found.attempts.sum():,.0f} attempts, seed {settings['seed']}\n"
    tail += f"  written to {output}" if output else "  not kept (see --output)"
    return head, Table(columns, cells, numbers=(0, 1, 2, 3, 4)), tail


def _plain(table: Table) -> str:
    """Return a table as columns of text."""
    rows = [table.columns, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    return "\n".join(
        "  " + "   ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
