"""``siren-py reproduce``: a published figure or table, made again and compared."""

from __future__ import annotations

import argparse

from siren_py.cli.options import Subparsers, add_verb, count, whole
from siren_py.cli.output import Answer
from siren_py.errors import ConfigError


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "reproduce",
        run,
        "reproduce a published figure or table and compare the numbers",
        "Compute what a paper shows, and write data (CSV, and YAML for HEPData), the figure with "
        "the published lines (PNG, PDF), the agreement in numbers and the configuration to a "
        "folder. An interrupted run goes on where it stopped when it is started again. The exit "
        "code is 1 if a number is outside its tolerance without a known reason.",
        (
            "siren-py reproduce --list",
            "siren-py reproduce liu2024-fig3 --output fig3",
            "siren-py reproduce liu2024-fig2 --output fig2 --workers 2 --json",
        ),
    )
    add_ = parser.add_argument
    add_("name", nargs="?", metavar="NAME", help="which one; see --list")
    add_("--output", metavar="DIR", help="folder to write to; made if it does not exist")
    add_("--list", action="store_true", help="list the reproductions and do nothing")
    add_("--seed", type=whole, default=1, metavar="N", help="seed (default: 1)")
    add_("--workers", type=count, default=1, metavar="N", help="number of threads (default: 1)")
    add_("--quick", action="store_true", help="a smaller version, for a look")


def run(options: argparse.Namespace) -> Answer:
    """Reproduce one of them, or list them."""
    from siren_py.cli import listing
    from siren_py.reproduction import find_reproduction, reproduce, reproduction_names

    if options.list:
        return listing.answer(["reproductions"])
    if options.name is None:
        raise ConfigError(
            f"Say what to reproduce: one of {', '.join(reproduction_names())}; "
            "`siren-py reproduce --list` tells more."
        )
    module = find_reproduction(options.name)
    if options.output is None:
        raise ConfigError(
            f"Say where to write: siren-py reproduce {options.name} --output {options.name}."
        )
    result = reproduce(
        options.name,
        options.output,
        seed=options.seed,
        workers=options.workers,
        quick=options.quick,
        progress=False if options.quiet else None,
    )
    rows = [row.to_dict() for row in result.agreement]
    data = {
        "name": module.NAME,
        "title": module.TITLE,
        "citation": module.CITATION,
        "output": options.output,
        "quick": options.quick,
        "ok": result.ok,
        "agreement": rows,
        "notes": list(result.notes),
    }
    states = [row["status"] for row in rows]
    lines = [f"{module.TITLE}\n{module.CITATION}"]
    for row in result.agreement:
        ratio = "" if row.ratio is None else f"{row.ratio:8.3f}"
        lines.append(f"  {row.status:<16} {ratio:>8}  {row.quantity}")
    counted = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))
    lines.append(f"ratios are ours over published; {counted}; written to {options.output}")
    return Answer(data, "\n".join(lines), ok=result.ok)
