"""Write validation/report.md: every comparison with its data, its tolerance and its result.

One command::

    python validation/report.py [--outputs FOLDER] [--quick] [--workers N] [--output FILE]

Each reproduction is run into a folder of its name in FOLDER (default: validation/outputs), unless
it has been run there with the present code; pieces that an interrupted run has finished are kept.
The comparisons with other programs are read from the tables that compare_siren.py and
compare_geant4.py made. What cannot be reproduced is described in not_reproduced.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from siren_py.io.files import complete_file
from siren_py.reproduction import Agreement, find_reproduction, reproduce, reproduction_names
from siren_py.reproduction.checkpoint import code_stamp
from siren_py.reproduction.result import INSIDE, KNOWN, OUTSIDE, agreement_markdown
from siren_py.reproduction.writer import versions

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Section:
    """One comparison: what, with which data, and its rows."""

    name: str
    title: str
    data: str
    rows: Sequence[Agreement]
    notes: Sequence[str] = ()

    def count(self, status: str) -> int:
        return sum(row.status == status for row in self.rows)


# ----------------------------------------------------------------------- reproductions


def reproduction_section(name: str, outputs: Path, quick: bool, workers: int) -> Section:
    module = find_reproduction(name)
    folder = outputs / name
    if not is_current(folder, quick):
        reproduce(name, folder, quick=quick, workers=workers)
    record = json.loads((folder / "agreement.json").read_text(encoding="utf-8"))
    rows = [Agreement.from_dict(row) for row in record["agreement"]]
    return Section(name, module.TITLE, module.CITATION, rows, record["notes"])


def is_current(folder: Path, quick: bool) -> bool:
    """Whether a finished output of the present code is there."""
    config = folder / "config.json"
    if not config.is_file() or not (folder / "agreement.json").is_file():
        return False
    record = json.loads(config.read_text(encoding="utf-8"))
    return bool(record["code"] == code_stamp() and record["quick"] == quick)


# ----------------------------------------------------------------------- other programs


def table(name: str) -> Iterator[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8") as file:
        yield from csv.DictReader(line for line in file if not line.startswith("#"))


def siren_section() -> Section:
    """Geometry and column depths of SIREN's detectors: volumes, crossings, g/cm2."""
    rounding = (
        "Relative. Beside spheres with radii of 6e8 cm (the Earth), distances of a metre keep "
    )
    rounding += "nine digits in double precision."
    depth = "Relative, against quadrature along the ray."
    coarse = "SIREN integrates radial densities more coarsely: its own difference from quadrature "
    coarse += "is the same number, ours is below 1e-8."
    rows = []
    for line in table("compare_siren.csv"):
        detector = line["detector"]
        volumes = float(line["rays_with_other_volumes"])
        for quantity, value, tolerance, comment, deviation in (
            ("rays through other volumes", volumes, 0.5, f"Of {line['rays']} rays.", ""),
            (
                "largest difference of a crossing",
                float(line["largest_crossing_difference"]), 1e-8, rounding, "",
            ),
            (
                "largest difference of depth, SIREN",
                float(line["depth_siren_py_siren"]), 1e-8, depth, coarse,
            ),
            (
                "largest difference of depth, quadrature",
                float(line["depth_siren_py_quadrature"]), 1e-8, depth, "",
            ),
        ):  # fmt: skip
            rows.append(
                Agreement(
                    quantity=f"{detector}: {quantity}",
                    published=0.0,
                    ours=value,
                    tolerance=tolerance,
                    absolute=True,
                    comment=comment,
                    deviation=deviation,
                )
            )
    return Section(
        "compare_siren",
        "Detectors of SIREN: volumes along rays, crossings, column depths",
        "SIREN 0.1.0, validation/compare_siren.csv",
        rows,
    )


def geant4_section() -> Section:
    """Densities at random points of GDML files, as Geant4 and siren_py read them."""
    rows = [
        Agreement(
            quantity=f"{line['file']}, {line['question']}: points with another density",
            published=0.0,
            ours=float(line["points_that_differ"]),
            tolerance=0.5,
            absolute=True,
            comment="Not a single point may differ.",
        )
        for line in table("compare_geant4.csv")
    ]
    return Section(
        "compare_geant4",
        "GDML read and written: densities at random points",
        "Geant4 (geant4-pybind 0.1.3), validation/compare_geant4.csv",
        rows,
    )


# ----------------------------------------------------------------------- the page


def sections(outputs: Path, quick: bool = False, workers: int = 1) -> list[Section]:
    found = [reproduction_section(name, outputs, quick, workers) for name in reproduction_names()]
    return [*found, siren_section(), geant4_section()]


def page(found: Sequence[Section], quick: bool = False) -> str:
    lines = [
        "# Validation",
        "",
        "Made by `python validation/report.py`. Ratios are ours over published. A tolerance is",
        "stated with its reason; rows that are known to lie outside are listed with the cause.",
        "",
        f"siren_py {versions()['siren_py']}.",
        "",
    ]
    if quick:
        lines += ["**Quick version: fewer events and points than in the full report.**", ""]
    lines += [
        "| comparison | data | rows | inside | known deviations | outside |",
        "|---|---|---|---|---|---|",
        *(
            f"| [{s.name}](#{s.name}) | {s.data} | {len(s.rows)} | "
            f"{s.count(INSIDE)} | {s.count(KNOWN)} | {s.count(OUTSIDE)} |"
            for s in found
        ),
        "",
    ]
    for section in found:
        lines += [f"## {section.name}", "", f"{section.title}. Data: {section.data}.", ""]
        lines += [agreement_markdown(section.rows), ""]
        if section.notes:
            lines += [*(f"- {note}" for note in section.notes), ""]
    lines += ["## What is not reproduced, and why", ""]
    lines += [(HERE / "not_reproduced.md").read_text(encoding="utf-8").rstrip("\n")]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--outputs", type=Path, default=HERE / "outputs", metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=HERE / "report.md", metavar="FILE")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    found = sections(options.outputs, options.quick, options.workers)
    with complete_file(options.output) as part:
        part.write_text(page(found, options.quick), encoding="utf-8")
    outside = [f"{s.name}: {r.quantity}" for s in found for r in s.rows if r.status == OUTSIDE]
    for text in outside:
        print(f"outside its tolerance: {text}", file=sys.stderr)
    print(f"written to {options.output}: {sum(len(s.rows) for s in found)} rows")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
