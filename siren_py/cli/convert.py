"""``siren-py convert``: a file of events in another format."""

from __future__ import annotations

import argparse
from typing import Any

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    from siren_py.io.formats import FORMATS

    parser = add_verb(
        sub,
        "convert",
        run,
        "write a file of events in another format",
        "Read a file of events and write it in the format that the name of the second file stands "
        f"for ({', '.join(f.title for f in FORMATS.values())}), and say what the format drops. An "
        "existing file is replaced when the new one is complete.",
        (
            "siren-py convert nd280.root nd280.parquet",
            "siren-py convert nd280.parquet nd280-ntuple.root --format rntuple",
            "siren-py convert nd280.root nd280.hepmc3 --option pot=1e21 --json",
            "siren-py convert nd280.root nd280.hepevt --option style=geant4 --option unweight=100",
        ),
    )
    parser.add_argument("input", metavar="IN", help="file of events")
    parser.add_argument("output", metavar="OUT", help="file to write")
    parser.add_argument(
        "--format",
        metavar="NAME",
        help=f"format of OUT where its name does not tell: {', '.join(FORMATS)}",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=_option,
        metavar="KEY=VALUE",
        help="what the format of OUT takes besides; can be given more than once",
    )


def _option(text: str) -> tuple[str, Any]:
    """Read ``key=value``: a truth value, a number or a text."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    if value in ("true", "false"):
        return key, value == "true"
    for kind in (int, float):
        try:
            return key, kind(value)
        except ValueError:
            continue
    return key, value


def run(options: argparse.Namespace) -> Answer:
    """Convert and say what was lost."""
    from siren_py.io.files import check_writable
    from siren_py.io.formats import chosen_format, read_sample, write_sample

    # What cannot be written is known before anything is read.
    target = chosen_format(options.output, options.format)
    file = check_writable(options.output)
    sample = read_sample(options.input)
    drops = write_sample(
        sample,
        options.output,
        format=target.name,
        progress=False if options.quiet or options.json else None,
        **dict(options.option),
    )
    size = file.stat().st_size
    data = {
        "input": options.input,
        "output": options.output,
        "format": target.name,
        "n_events": len(sample),
        "n_attempts": sample.n_attempts,
        "bytes": size,
        "lossless": not drops,
        "drops": list(drops),
    }
    lines = [
        f"{options.output}: {len(sample):,} events from {sample.n_attempts:,} attempts as "
        f"{target.title} ({size / 1e6:,.1f} MB)"
    ]
    if drops:
        lines += [f"{target.title} cannot hold, and the file lacks:", *(f"  {d}" for d in drops)]
    else:
        lines.append("nothing was lost")
    return Answer(data, "\n".join(lines))
