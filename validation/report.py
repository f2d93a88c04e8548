"""Write validation/report.md: every comparison with its data, its tolerance and its result.

One command::

    python validation/report.py [--outputs FOLDER] [--quick] [--workers N] [--output FILE]
                                [--figures FOLDER]

Each reproduction is run into a folder of its name in FOLDER (default: validation/outputs), unless
it has been run there with the present code; pieces that an interrupted run has finished are kept.
The comparisons with other programs are read from the tables that compare_siren.py and
compare_geant4.py made. What cannot be reproduced is described in not_reproduced.md.

``--figures docs/figures`` writes the figures of all reproductions there as ``NAME-FIGURE.png``,
at the size of a page, and those of the comparisons with other programs.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


# ----------------------------------------------------------------------- figures

WIDTH = 1100
"""Of the figures on a page, in pixels."""


def write_figures(outputs: Path, folder: Path) -> list[Path]:
    """Write the figures of the reproductions and of the comparisons into a folder."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in reproduction_names():
        for source in sorted((outputs / name).glob("*.png")):
            target = folder / f"{name}-{source.stem}.png"
            with Image.open(source) as image:
                picture = image.convert("RGB")
                if picture.width > WIDTH:
                    height = round(picture.height * WIDTH / picture.width)
                    picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
                # 128 colours are enough for lines and maps, and a quarter of the size.
                with complete_file(target) as part:
                    picture.quantize(128).save(part, format="PNG", optimize=True)
            written.append(target)
    for name, figure in (("compare_mixing", mixing_figure()), ("compare_masses", masses_figure())):
        target = folder / f"{name}.png"
        with complete_file(target) as part:
            figure.savefig(part, format="png", dpi=110)
        written.append(target)
    return written


def mixing_figure() -> Any:
    """Decays of N in the TPCs over those of T2K's release: scaled, and by decays of the kaons."""
    from matplotlib.figure import Figure

    rows = [r for r in table("compare_mixing.csv") if r["table"] == "T2K decays"]
    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    ax = figure.subplots()
    for parent, marker in (("K -> mu N", "o"), ("K -> e N", "s")):
        chosen = [r for r in rows if r["mode"].startswith(parent)]
        mass = [float(r["mass"]) for r in chosen]
        for method, colour, words in (
            ("scaled", "#D55E00", "scaled at equal energy"),
            ("redecay", "#0072B2", "kaons that decay again"),
        ):
            values = [float(r[method]) for r in chosen]
            label = f"{parent}: {words}"
            ax.plot(mass, values, marker, color=colour, label=label, fillstyle="none")
    ax.axhline(1.0, color="0.5", linewidth=0.8)
    ax.set_yscale("log")
    ax.set_xlabel("mass of N [GeV]")
    ax.set_ylabel("decays in the TPCs, siren_py / T2K 2019")
    ax.legend(frameon=False, fontsize="small")
    return figure


def masses_figure() -> Any:
    """Masses of the volumes of GDML files: siren_py over the tools that wrote them."""
    from matplotlib.figure import Figure

    lines = (HERE / "compare_pyg4ometry.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    ax = figure.subplots()
    names = [row[1] for row in rows]
    ax.plot([float(row[4]) for row in rows], range(len(rows)), "o", color="#0072B2")
    ax.set_xscale("symlog", linthresh=1e-6)
    ax.set_yticks(range(len(rows)), names, fontsize=6)
    ax.set_xlabel("mass, siren_py / (pyg4ometry or pygeomhpges) - 1")
    ax.grid(axis="x", linewidth=0.4)
    return figure


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
    parser.add_argument("--figures", type=Path, metavar="FOLDER", help="write figures there, too")
    options = parser.parse_args(arguments)
    found = sections(options.outputs, options.quick, options.workers)
    with complete_file(options.output) as part:
        part.write_text(page(found, options.quick), encoding="utf-8")
    if options.figures is not None:
        count = len(write_figures(options.outputs, options.figures))
        print(f"{count} figures in {options.figures}")
    outside = [f"{s.name}: {r.quantity}" for s in found for r in s.rows if r.status == OUTSIDE]
    for text in outside:
        print(f"outside its tolerance: {text}", file=sys.stderr)
    print(f"written to {options.output}: {sum(len(s.rows) for s in found)} rows")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
