"""Running a reproduction and writing what it found."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import PathLike
from siren_py.errors import OutputError
from siren_py.io.files import complete_file
from siren_py.io.hepdata import Column, DataTable, write_csv, write_hepdata
from siren_py.io.record import to_json
from siren_py.progress import ProgressLike
from siren_py.reproduction.checkpoint import code_stamp
from siren_py.reproduction.registry import ReproductionModule, find_reproduction
from siren_py.reproduction.result import Agreement, Context, Reproduction

_DPI = 200


def reproduce(
    name: str,
    output: PathLike,
    *,
    seed: int = 1,
    workers: int = 1,
    quick: bool = False,
    progress: ProgressLike = None,
) -> Reproduction:
    """Run a reproduction and write its tables, figures, agreement and configuration.

    The folder then holds ``data/*.csv``, ``hepdata/``, each figure as PNG and PDF,
    ``agreement.csv``, ``.md`` and ``.json``, ``config.json``, and ``cache/`` with finished pieces:
    the same command goes on where an interrupted run stopped.

    Parameters
    ----------
    name
        One of `siren_py.reproduction.reproduction_names`.
    output
        Folder; made if it does not exist.
    seed
        Seed of all runs, a non-negative integer.
    workers
        Number of threads; results do not depend on it.
    quick
        A smaller version, for a look.
    progress
        As for `siren_py.Simulation.run`.

    Returns
    -------
    Reproduction
        Tables, figures and agreement; the same is in the folder.

    Raises
    ------
    UnknownNameError
        If there is no such reproduction.
    MissingDependencyError
        If matplotlib is not installed.
    OutputError
        If the folder cannot be written.

    Examples
    --------
    >>> import siren_py as sp
    >>> result = sp.reproduce("liu2024-suppl-fig1", "suppl", quick=True, progress=False)
    >>> result.ok, sorted(result.figures)
    (True, ['limits'])
    """
    module = find_reproduction(name)
    import_optional("matplotlib.figure", "plot", "Reproductions")
    folder = _folder(Path(output))
    context = Context(
        name=name, output=folder, seed=seed, workers=workers, quick=quick, progress=progress
    )
    result = module.run(context)
    write_reproduction(result, module, context)
    return result


def _folder(path: Path) -> Path:
    """Make the folder and those inside it."""
    try:
        for inner in ("data", "hepdata"):
            (path / inner).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {path} cannot be made: {error.strerror or error}. Choose another one."
        ) from None
    return path


def write_reproduction(result: Reproduction, module: ReproductionModule, context: Context) -> None:
    """Write a reproduction into the folder of its context; see `reproduce`."""
    folder = context.output
    origin = [f"{module.TITLE}; {module.CITATION}", f"siren_py reproduce {module.NAME}"]
    agreement = agreement_data(result)
    tables = [*result.tables, agreement]
    for table in result.tables:
        write_csv(table, folder / "data" / f"{table.name}.csv", comments=origin)
    write_csv(agreement, folder / "agreement.csv", comments=origin)
    write_hepdata(tables, folder / "hepdata", comment=f"{module.TITLE}. {module.CITATION}")
    for name, figure in result.figures.items():
        write_figure(figure, folder, name)
    rows = [row.to_dict() for row in result.agreement]
    record = {
        "name": module.NAME,
        "title": module.TITLE,
        "citation": module.CITATION,
        "quick": context.quick,
        "ok": result.ok,
        "agreement": rows,
        "notes": list(result.notes),
    }
    _write_text(folder / "agreement.json", to_json(record, indent=2))
    _write_text(folder / "agreement.md", agreement_page(result, module))
    # Last, so that its presence says that all is there.
    _write_text(folder / "config.json", to_json(_configuration(result, module, context), indent=2))


def agreement_page(result: Reproduction, module: ReproductionModule) -> str:
    """Return a page in Markdown: title, citation, agreement, notes."""
    lines = [f"# {module.NAME}: {module.TITLE}", "", module.CITATION, "", result.agreement_table()]
    if result.notes:
        lines += ["", *(f"- {note}" for note in result.notes)]
    return "\n".join(lines)


def agreement_data(result: Reproduction) -> DataTable:
    """Return the rows of agreement as a table."""
    rows = result.agreement

    def column(name: str, **options: Any) -> Column:
        return Column(name, [_cell(row, name) for row in rows], **options)

    names = ("unit", "published", "ours", "error", "ratio", "tolerance", "status")
    return DataTable(
        "agreement",
        "Our numbers beside the published ones",
        [
            column("quantity", independent=True),
            *(column(name) for name in (*names, "comment", "deviation")),
        ],
    )


def _cell(row: Agreement, name: str) -> Any:
    value = getattr(row, name)
    return float("nan") if value is None else value


def write_figure(figure: Any, folder: Path, name: str) -> list[Path]:
    """Write a figure as ``NAME.png`` and ``NAME.pdf``; the same figure gives the same bytes."""
    files = []
    for kind in ("png", "pdf"):
        path = folder / f"{name}.{kind}"
        # matplotlib would write the time into the PDF.
        metadata = {"CreationDate": None} if kind == "pdf" else {}
        with complete_file(path) as part, part.open("wb") as file:
            figure.savefig(file, format=kind, dpi=_DPI, metadata=metadata)
        files.append(path)
    return files


def _write_text(path: Path, text: str) -> None:
    with complete_file(path) as part:
        part.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def _configuration(
    result: Reproduction, module: ReproductionModule, context: Context
) -> dict[str, Any]:
    return {
        "reproduction": module.NAME,
        "title": module.TITLE,
        "citation": module.CITATION,
        "seed": context.seed,
        "quick": context.quick,
        "configuration": dict(result.configuration),
        "code": code_stamp(),
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def versions() -> Mapping[str, str]:
    """Return the versions of siren_py, Python and the libraries that numbers depend on."""
    from siren_py import __version__

    found = {"siren_py": __version__, "python": platform.python_version(), "numpy": np.__version__}
    for library in ("scipy", "numba", "matplotlib"):
        found[library] = importlib.metadata.version(library)
    return found
