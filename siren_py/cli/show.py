"""``siren-py show``: cross-sections and 3-D pages of a detector."""

from __future__ import annotations

import argparse
from typing import Any

from siren_py.cli.options import Subparsers, add_verb, number
from siren_py.cli.output import Answer
from siren_py.errors import ConfigError


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "show",
        run,
        "draw a detector: cross-sections, or a 3-D page for the browser",
        "Draw a detector. The ending of the file decides: .png, .pdf and .svg are cross-sections "
        "(side, front and top), .html is a page that needs nothing but a browser, in which the "
        "detector can be turned, cut and taken apart. With --sample the production and decay "
        "vertices of events are drawn in it, coloured by weight.",
        (
            "siren-py show nd280 -o nd280.html",
            "siren-py show nd280 -o nd280.png --at 20,0,96 --by density",
            "siren-py show nd280 -o nd280.pdf --window=-150,-150,-350,150,150,350",
            "siren-py show nd280 -o events.html --sample nd280.root",
        ),
    )
    add_ = parser.add_argument
    add_("detector", metavar="DETECTOR", help="name or path of a detector")
    add_("-o", "--output", required=True, metavar="FILE", help="file to write")
    add_("--sample", metavar="FILE", help="ROOT file of events whose vertices to draw")
    add_(
        "--at",
        type=numbers(3),
        metavar="X,Y,Z",
        help="point that the planes go through [cm] (default: in the largest region)",
    )
    add_("--axes", metavar="XZY", help="planes to draw: normal to these axes (default: xzy)")
    add_("--by", metavar="WHAT", help="colours by material (default) or density")
    add_(
        "--window",
        type=numbers(6),
        metavar="X,Y,Z,X,Y,Z",
        help="lower and upper corner of what is shown [cm] (default: without the surroundings)",
    )


def numbers(n: int) -> Any:
    """Return a reader of n numbers with commas between them."""

    def read(text: str) -> tuple[float, ...]:
        parts = text.split(",")
        if len(parts) != n:
            raise argparse.ArgumentTypeError(f"{text!r} are not {n} numbers with commas between")
        return tuple(number(part) for part in parts)

    return read


def run(options: argparse.Namespace) -> Answer:
    """Draw a detector."""
    import siren_py as sp
    from siren_py.display import PAGES
    from siren_py.io.files import check_writable

    check_writable(options.output)
    chosen = {
        "at": options.at,
        "axes": options.axes,
        "by": options.by,
        "window": None if options.window is None else (options.window[:3], options.window[3:]),
    }
    chosen = {key: value for key, value in chosen.items() if value is not None}
    if chosen and options.output.lower().endswith(PAGES):
        listed = ", ".join(f"--{key}" for key in chosen)
        raise ConfigError(
            f"{listed} choose cross-sections; the page {options.output} is turned and cut in the "
            "browser. Leave them out, or write a .png, .pdf or .svg."
        )
    sample = None if options.sample is None else sp.read(options.sample)
    file = sp.load_detector(options.detector).show(options.output, sample=sample, **chosen)
    size = file.stat().st_size
    data = {"detector": options.detector, "output": options.output, "bytes": size}
    return Answer(data, f"written to {options.output} ({size / 1e3:,.0f} kB)")
