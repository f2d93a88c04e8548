"""``siren-py info``: what a file of events holds, and how it was made."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from siren_py.cli.options import Subparsers, add_verb, exposure
from siren_py.cli.output import WIDTH, Answer


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "info",
        run,
        "show what a file of events holds and how it was made",
        "Read a ROOT file that `siren-py simulate --output` or `Sample.to_root` wrote, check that "
        "its weights are the products of their factors, and show its summary, columns and "
        "provenance.",
        ("siren-py info nd280.root", "siren-py info nd280.root --pot 1e21 --json"),
    )
    parser.add_argument("file", metavar="FILE", help="ROOT file")
    parser.add_argument(
        "--pot",
        type=exposure,
        default=1.0,
        metavar="POT",
        help="protons on target, or fhc=...,rhc=... per beam mode (default: 1)",
    )


def run(options: argparse.Namespace) -> Answer:
    """Show a file's summary, columns and provenance."""
    import siren_py as sp

    sample = sp.read_root(options.file)
    summary = sample.summary(options.pot)
    data = {
        "file": options.file,
        **summary.to_dict(),
        "columns": sample.columns,
        "provenance": sample.provenance,
    }
    lines = [
        str(summary),
        "  event columns",
        textwrap.fill(
            ", ".join(sample.columns), WIDTH, initial_indent="    ", subsequent_indent="    "
        ),
        "  provenance",
        *(f"    {name:<40} {value}" for name, value in _flat(sample.provenance)),
    ]
    return Answer(data, "\n".join(lines))


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield dotted names and values of nested dictionaries and lists of them."""
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(v, Mapping) for v in value):
            yield from _flat({str(i): v for i, v in enumerate(value)}, f"{name}.")
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value))
        else:
            yield name, value
