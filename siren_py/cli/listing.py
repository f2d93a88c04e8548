"""``siren-py list``: what can be named on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer

Entry = dict[str, Any]


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "list",
        run,
        "list detectors, fluxes, models, published limits and reproductions",
        "List detectors with their regions, fluxes with their modes and flavours, models with "
        "their decay channels, published limits with their citations, and what `siren-py "
        "reproduce` can reproduce.",
        ("siren-py list", "siren-py list fluxes --json", "siren-py list limits"),
    )
    parser.add_argument(
        "kind",
        nargs="?",
        default="all",
        metavar="KIND",
        help=f"{', '.join(_KINDS)} or all (default)",
    )


def run(options: argparse.Namespace) -> Answer:
    """List what can be named."""
    from siren_py.errors import unknown_name

    if options.kind != "all" and options.kind not in _KINDS:
        raise unknown_name("kind to list", options.kind, ["all", *_KINDS])
    return answer(list(_KINDS) if options.kind == "all" else [options.kind])


def answer(wanted: Sequence[str]) -> Answer:
    """List these kinds of things."""
    data = {kind: _KINDS[kind]() for kind in wanted}
    lines = []
    for kind, entries in data.items():
        lines.append(kind)
        for name, entry in entries.items():
            if kind in _BRIEF and len(wanted) > 1:
                lines.append(f"  {name:<36} {entry['title']}")
                continue
            lines.append(f"  {name}")
            lines += [f"    {key:<14} {_words(value)}" for key, value in entry.items()]
    return Answer(data, "\n".join(lines))


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
    from siren_py.models import DipolePortal
    from siren_py.processes.dipole_decay import CHANNELS, CONVENTIONS, NATURES

    return {
        DipolePortal.name: {
            "couplings": ["d_e", "d_mu", "d_tau"],
            "decays": [*CHANNELS, "all"],
            "natures": list(NATURES),
            "conventions": list(CONVENTIONS),
        }
    }


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
_BRIEF = ("analyses", "limits", "reproductions")

_KINDS = {
    "detectors": _detectors,
    "fluxes": _fluxes,
    "models": _models,
    "analyses": _analyses,
    "limits": _limits,
    "reproductions": _reproductions,
}
