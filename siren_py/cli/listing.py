"""``siren-py list``: what can be named on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
        "list detectors, fluxes and models",
        "List detectors with their regions, fluxes with their modes and flavours, and models with "
        "their decay channels.",
        ("siren-py list", "siren-py list fluxes --json"),
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
    wanted = _KINDS if options.kind == "all" else (options.kind,)
    data = {kind: _KINDS[kind]() for kind in wanted}
    lines = []
    for kind, entries in data.items():
        lines.append(kind)
        for name, entry in entries.items():
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


_KINDS = {"detectors": _detectors, "fluxes": _fluxes, "models": _models}
