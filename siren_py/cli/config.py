"""``siren-py config``: files of configuration to start from, checked ones, and their schema."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "config",
        run,
        "print or check a file of configuration, or its JSON schema",
        "Print the configuration of simulate, scan or limit with all defaults and what each key "
        "means, as a TOML file to start from. Given a file, check it (the exit code is 2 if "
        "anything is wrong) and print it in full. With --schema print the JSON schema that "
        "editors use to check and complete such files.",
        (
            "siren-py config simulate",
            "siren-py config simulate --output run.toml",
            "siren-py config run.toml",
            "siren-py config limit --schema --output limit.schema.json",
        ),
    )
    parser.add_argument(
        "what", metavar="COMMAND|FILE.toml", help="simulate, scan, limit, or a file"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON schema")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to a file instead")


def run(options: argparse.Namespace) -> Answer:
    """Print a configuration or its schema."""
    from siren_py.configuration.keys import COMMANDS, find_command
    from siren_py.configuration.reading import Settings, read_configuration
    from siren_py.configuration.schemas import json_schema
    from siren_py.configuration.writing import configuration_text
    from siren_py.io.files import complete_file

    what: str = options.what
    if what in COMMANDS or not ("." in what or "/" in what):
        command = find_command(what)
        settings = Settings(command, command.defaults)
    else:
        settings = read_configuration(what)
    name = settings.command.name
    folder = Path() if options.output is None else Path(options.output).parent
    if options.schema:
        data = json_schema(name)
        text = json.dumps(data, indent=2) + "\n"
    else:
        kinds = settings.command.keys
        values = {k: kinds[k].kind.plain(v) for k, v in settings.values.items()}
        data = {"command": name, "file": settings.file, "configuration": values}
        text = configuration_text(
            name, settings.values, folder=folder, written_by=settings.written_by
        )
    if options.output is None:
        return Answer(data, text)
    with complete_file(options.output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Answer(data, f"written to {options.output}")
