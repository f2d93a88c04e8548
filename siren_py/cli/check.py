"""``siren-py check``: a detector model against the published masses."""

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
        "compare the masses of a detector with the published ones",
        "Build a detector and list the visible masses of its volumes and the published masses "
        "that it has to meet. The exit code is 1 if it misses one.",
        ("siren-py check nd280", "siren-py check ./my_detector.py --json"),
    )
    parser.add_argument("detector", metavar="DETECTOR", help="name or path of a detector")


def run(options: argparse.Namespace) -> Answer:
    """Check a detector."""
    import siren_py as sp
    from siren_py.units import kg

    detector = sp.load_detector(options.detector)
    masses = detector.masses()
    published = detector.published_masses()
    good = all(row.ok for row in published)
    volumes = {name: region.volume() for name, region in detector.regions.items()}
    data = {
        "detector": detector.name,
        "ok": good,
        "masses": {
            name: {"value": m.value, "error": m.error, "unit": "g"} for name, m in masses.items()
        },
        "published": [
            {
                "part": row.part,
                "model": row.model.value,
                "model_error": row.model.error,
                "published": row.published,
                "difference": row.difference,
                "tolerance": row.tolerance,
                "ok": row.ok,
                "source": row.source,
                "unit": "g",
            }
            for row in published
        ],
        "regions": {name: {"volume": v, "unit": "cm3"} for name, v in volumes.items()},
    }
    lines = [f"{detector.name}: {len(masses)} volumes, visible masses in kg"]
    lines += [
        f"  {name:<40} {m.value / kg:>16,.1f} +- {m.error / kg:,.1f}" for name, m in masses.items()
    ]
    lines.append("regions in m3" if volumes else "no regions")
    lines += [f"  {name:<40} {v / 1e6:>16,.3f}" for name, v in volumes.items()]
    lines.append("published masses in kg" if published else "no published masses are listed")
    lines += [
        f"  {row.part:<40} {row.model.value / kg:>12,.1f} against {row.published / kg:>12,.1f}"
        f"  {row.difference:+7.1%} (tolerance {row.tolerance:.1%}) "
        f"{'ok' if row.ok else 'MISSED'}  [{row.source}]"
        for row in published
    ]
    return Answer(data, "\n".join(lines), ok=good)
