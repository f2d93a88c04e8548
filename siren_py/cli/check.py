"""``siren-py check``: the audit of a detector model."""

from __future__ import annotations

import argparse

from siren_py.cli.options import Subparsers, add_verb
from siren_py.cli.output import Answer


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "check",
        run,
        "audit a detector: overlaps, gaps, masses, materials, regions",
        "Build a detector and look for what is wrong or odd in it: volumes that overlap, stick "
        "out or are displaced, gaps, published masses that it misses, densities and compositions "
        "that cannot be, regions that leave their material, walls across the beam, unknown "
        "nuclides. Masses of all volumes are listed. The exit code is 1 if anything is left that "
        "the script of the detector does not explain with declare().",
        ("siren-py check nd280", "siren-py check ./my_detector.py --json"),
    )
    parser.add_argument("detector", metavar="DETECTOR", help="name or path of a detector")


def run(options: argparse.Namespace) -> Answer:
    """Check a detector."""
    import siren_py as sp

    report = sp.load_detector(options.detector).check()
    return Answer(report.to_dict(), str(report), ok=report.ok)
