"""``siren-py list``: what can be named on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer
from siren_py.tables import Table

Entry = dict[str, Any]


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "list",
        run,
        "list detectors, fluxes, models, analyses, published limits and more",
        "List detectors with their regions, fluxes with their modes and flavours, models with "
        "their couplings and decay channels, processes, cuts, analyses, statistics, published "
        "limits with their citations, what `siren-py reproduce` can reproduce, and plug-ins.",
        ("siren-py list", "siren-py list fluxes --json", "siren-py list limits"),
    )
    parser.add_argument(
        "kind",
        nargs="?",
        default="all",
        metavar="KIND",
        help=f"{', '.join(KINDS)} or all (default)",
    )


def run(options: argparse.Namespace) -> Answer:
    """List what can be named."""
    from siren_py.errors import unknown_name

    if options.kind != "all" and options.kind not in KINDS:
        raise unknown_name("kind to list", options.kind, ["all", *KINDS])
    return answer(list(KINDS) if options.kind == "all" else [options.kind])


def answer(wanted: Sequence[str]) -> Answer:
    """List these kinds of things."""
    data = {kind: KINDS[kind]() for kind in wanted}
    lines = []
    for kind, entries in data.items():
        lines.append(kind)
        for name, entry in entries.items():
            if kind in _BRIEF and len(wanted) > 1:
                lines.append(f"  {name:<36} {entry['title']}")
                continue
            lines.append(f"  {name}")
            lines += [f"    {key:<14} {_words(value)}" for key, value in entry.items()]
    many = len(wanted) > 1
    screen = [_table(kind, found, kind in _BRIEF and many) for kind, found in data.items()]
    return Answer(data, "\n".join(lines), screen=screen)


def _table(kind: str, entries: dict[str, Entry], brief: bool) -> Table:
    """Return a table for terminals: one line for each thing, or one for each of its entries."""
    rows: list[tuple[str, ...]] = []
    for name, entry in entries.items():
        if brief:
            rows.append((name, str(entry["title"])))
            continue
        # The name stands at the first of its lines only.
        names = [name] + [""] * (len(entry) - 1)
        rows += [
            (first, key, _words(value))
            for first, (key, value) in zip(names, entry.items(), strict=False)
        ]
        if not entry:
            rows.append((name, "", ""))
    return Table(("", "") if brief else ("", "", ""), tuple(rows), kind)


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _entries(names: list[str], entry: Callable[[str], Entry]) -> dict[str, Entry]:
    """Describe each name; one that is broken must not hide the others."""
    from siren_py.errors import SirenError

    result = {}
    for name in names:
        try:
            result[name] = entry(name)
        except SirenError as error:
            result[name] = {"error": str(error)}
    return result


def _detectors() -> dict[str, Entry]:
    import siren_py as sp

    def entry(name: str) -> Entry:
        detector = sp.load_detector(name)
        return {"regions": list(detector.regions), "volumes": len(detector)}

    return _entries(sp.list_detectors(), entry)


def _fluxes() -> dict[str, Entry]:
    import siren_py as sp
    from siren_py.flux import read_flux_folder
    from siren_py.resources import find_flux

    def entry(name: str) -> Entry:
        folder = read_flux_folder(find_flux(name))
        return {
            "title": folder.title,
            "modes": list(folder.modes),
            "flavors": list(folder.flavors),
            "tables": list(folder.tables),
            "default_table": folder.default_table,
        }

    return _entries(sp.list_fluxes(), entry)


def _models() -> dict[str, Entry]:
    from siren_py.models import model_names

    return _entries(model_names(), _model)


def _model(name: str) -> Entry:
    from siren_py import models_mixing
    from siren_py.processes.dipole_decay import CHANNELS, CONVENTIONS, NATURES

    entry: Entry = {"couplings": couplings_of(name)}
    if name == "dipole-portal":
        entry |= {"decays": [*CHANNELS, "all"], "natures": list(NATURES)}
        entry |= {"conventions": list(CONVENTIONS)}
    elif name == "mass-mixing":
        entry |= {"decays": [*models_mixing.CHANNELS, "all"], "natures": list(NATURES)}
    # What else can be given: --parameter NAME=VALUE.
    return entry | {"parameters": parameters_of(name)}


def parameters_of(name: str) -> list[str]:
    """Return the names of the parameters of a model.

    Raises
    ------
    SirenError
        If there is no such model, or the plug-in that has it cannot be loaded.
    """
    import inspect

    from siren_py import plugins
    from siren_py.models import MODELS

    maker = plugins.find("models", name, MODELS)
    try:
        known = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):  # some classes written in C do not tell
        return []
    return [p.name for p in known if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def couplings_of(name: str) -> list[str]:
    """Return the couplings of a model that a plane can be scanned in: dipoles and mixings."""
    return [p for p in parameters_of(name) if p.startswith(("d_", "U_"))]


def _processes() -> dict[str, Entry]:
    from siren_py.processes.library import process_names

    return {name: {} for name in process_names()}


def _cuts() -> dict[str, Entry]:
    from siren_py.selection import cut_names

    return {name: {} for name in cut_names()}


def _statistics() -> dict[str, Entry]:
    from siren_py.counting import statistics

    return {name: {"title": words} for name, words in statistics().items()}


def _plugins() -> dict[str, Entry]:
    from siren_py.plugins import list_plugins

    entries: dict[str, Entry] = {}
    for plugin in list_plugins():
        entry: Entry = {"package": plugin.package, "target": plugin.target}
        why = plugin.error()
        if why:
            entry["error"] = why
        key = f"{plugin.kind}: {plugin.name}"
        # Two packages may have the same name; the first is the one that is used.
        entries[f"{key} ({plugin.package})" if key in entries else key] = entry
    return entries


def _limits() -> dict[str, Entry]:
    from siren_py.published import curve_names, load_curve, load_table, table_names

    entries: dict[str, Entry] = {}
    for name in curve_names():
        curve = load_curve(name)
        low, high = curve.x.min(), curve.x.max()
        entries[name] = {
            "title": curve.title,
            "kind": curve.kind,
            "level": curve.cl,
            "coupling": f"{curve.y_name} [{curve.y_unit}]",
            "masses": f"{low:.4g} to {high:.4g} {curve.x_unit}",
            "status": curve.status,
            "citation": f"{curve.citation}{', ' if curve.figure else ''}{curve.figure}",
        }
    for name in table_names():
        table = load_table(name)
        entries[name] = {
            "title": table.title,
            "kind": "table",
            "columns": [f"{key} [{unit}]" for key, unit in table.units.items()],
            "status": table.status,
            "citation": f"{table.citation}{', ' if table.figure else ''}{table.figure}",
        }
    return entries


def _reproductions() -> dict[str, Entry]:
    from siren_py.reproduction import find_reproduction, reproduction_names

    def entry(name: str) -> Entry:
        module = find_reproduction(name)
        return {"title": module.TITLE, "citation": module.CITATION}

    return _entries(reproduction_names(), entry)


def _analyses() -> dict[str, Entry]:
    from siren_py.analysis import analysis_names, load_analysis

    def entry(name: str) -> Entry:
        record = load_analysis(name).to_dict()
        channels = record.pop("channels", {})
        record |= {f"channel {key}": value for key, value in channels.items()}
        return {"title": record.pop("source", ""), **record}

    return _entries(analysis_names(), entry)


# One line each where everything is listed.
_BRIEF = ("analyses", "limits", "reproductions", "statistics")

KINDS = {
    "detectors": _detectors,
    "fluxes": _fluxes,
    "models": _models,
    "processes": _processes,
    "cuts": _cuts,
    "analyses": _analyses,
    "statistics": _statistics,
    "limits": _limits,
    "reproductions": _reproductions,
    "plugins": _plugins,
}
"""What can be listed, with the function that lists it."""
