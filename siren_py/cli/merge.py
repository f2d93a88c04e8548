"""``siren-py merge``: files of parts of one run, joined into one."""

from __future__ import annotations

import argparse

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "merge",
        run,
        "join files of parts of one run",
        "Join ROOT files that `siren-py simulate --chunks` wrote into the file of the whole run. "
        "Files of other configurations or seeds, and chunks that are there twice, are refused.",
        (
            "siren-py simulate --events 1e5 --chunks 0:4 --output part0.root",
            "siren-py simulate --events 1e5 --chunks 4:8 --output part1.root",
            "siren-py merge nd280.root part0.root part1.root",
        ),
    )
    parser.add_argument("output", metavar="OUT", help="ROOT file to write")
    parser.add_argument("files", metavar="IN", nargs="+", help="ROOT files of the parts")


def run(options: argparse.Namespace) -> Answer:
    """Merge and say what the file holds."""
    from siren_py.runs.chunks import ranges_text
    from siren_py.runs.merging import merge

    sample = merge(options.output, options.files, progress=False if options.quiet else None)
    provenance = sample.provenance
    requested = provenance["requested"]
    data = {
        "output": options.output,
        "files": options.files,
        "n_events": len(sample),
        "n_attempts": sample.n_attempts,
        "requested": requested,
        "chunks": provenance["chunks"],
        "seed": provenance["seed"],
    }
    missing = "" if sample.n_attempts == requested else f" of {requested:,} asked for"
    text = (
        f"{options.output}: {len(sample):,} events from {sample.n_attempts:,} attempts{missing}, "
        f"chunks {ranges_text(provenance['chunks'])}, from {len(options.files)} files"
    )
    return Answer(data, text)
