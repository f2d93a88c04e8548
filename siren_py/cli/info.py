"""``siren-py info``: what a file of events holds, and how it was made."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from siren_py.cli.options import Subparsers, add_verb, exposure
from siren_py.cli.output import WIDTH, Answer
from siren_py.errors import ConfigError


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "info",
        run,
        "show what a file of events holds and how it was made",
        "Read a file of events that siren-py wrote, in any of its formats, check that its weights "
        "are the products of their factors, and show its summary, columns and provenance.",
        (
            "siren-py info nd280.root",
            "siren-py info nd280.parquet --pot 1e21",
            "siren-py info nd280.root --pot 1e21 --json",
            "siren-py info nd280.root --config > run.toml",
        ),
    )
    parser.add_argument("file", metavar="FILE", help="file of events")
    parser.add_argument(
        "--pot",
        type=exposure,
        default=1.0,
        metavar="POT",
        help="protons on target, or fhc=...,rhc=... per beam mode (default: 1)",
    )
    parser.add_argument(
        "--config",
        action="store_true",
        help="print the configuration that makes the run again, as TOML, and nothing else",
    )


def run(options: argparse.Namespace) -> Answer:
    """Show a file's summary, columns and provenance."""
    from siren_py.io.formats import read_sample
    from siren_py.tables import facts

    sample = read_sample(options.file)
    if options.config:
        return _configuration(options.file, sample.provenance)
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
        *(f"    {name:<40} {value}" for name, value in _flat(_short(sample.provenance))),
    ]
    origin = [(name, value) for name, value in _flat(_short(sample.provenance))]
    screen = [
        *summary.parts(),
        facts([("event columns", ", ".join(sample.columns))]),
        facts(origin, "provenance"),
    ]
    return Answer(data, "\n".join(lines), screen=screen)


def _configuration(file: str, provenance: Mapping[str, Any]) -> Answer:
    """Return the configuration that a file of events keeps."""
    changed = [key for key in ("combined", "generated_with", "cuts") if provenance.get(key)]
    text = provenance.get("configuration_file")
    if changed or not isinstance(text, str):
        why = (
            "it was changed after it was made (combined, reweighted or cut)"
            if changed
            else "it was not written by `siren-py simulate`"
        )
        raise ConfigError(
            f"{file} has no configuration that makes it again: {why}. `siren-py info {file}` shows "
            "its provenance."
        )
    return Answer({"file": file, "configuration_file": text}, text)


def _short(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance without the text that --config prints."""
    return {key: value for key, value in provenance.items() if key != "configuration_file"}


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
