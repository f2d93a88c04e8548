"""``siren-py cite``: BibTeX of what was used."""

from __future__ import annotations

import argparse

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "cite",
        run,
        "print BibTeX of the package and of what was used",
        "Print BibTeX entries of siren_py and of the models, fluxes, detectors, analyses and "
        "published limits that files of events were made with, or that are named. Entries say "
        "what they are cited for; what names no source is told in a comment.",
        (
            "siren-py cite",
            "siren-py cite nd280.root",
            "siren-py cite nd280 t2k-nd280 dipole-portal > siren.bib",
            "siren-py cite ./my_detector.py --output siren.bib",
        ),
    )
    parser.add_argument(
        "what", nargs="*", metavar="FILE|NAME", help="files of events, detector scripts, or names"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the entries to this file")


def run(options: argparse.Namespace) -> Answer:
    """Collect the references."""
    from pathlib import Path

    from siren_py.citations import cite
    from siren_py.io.files import check_writable, complete_file

    if options.output is not None:
        check_writable(options.output)
    found = cite(*options.what)
    data = {**found.to_dict(), "output": options.output}
    if options.output is None:
        return Answer(data, found.bibtex)
    with complete_file(Path(options.output)) as temporary:
        temporary.write_text(found.bibtex, encoding="utf-8")
    lines = [f"{len(found)} entries written to {options.output}"]
    lines += [f"  no citation: {text}" for text in found.missing]
    return Answer(data, "\n".join(lines))
