"""How large files of events are in each format, and how fast these are written and read.

    python validation/performance/formats.py [--attempts 100000] [--write]

The events are those of nd280, region "tpc", decay "nu e+ e-", m = 0.1 GeV, fluxes of both modes.
Times are seconds of CPU (time.process_time, all threads together), the best of three, or the only
one where it is longer than ten seconds. Reading makes a sample of the file and checks its weights.
`--write` keeps the table in formats.txt next to this file and in docs/formats.md, between the two
marks there.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import siren_py as sp
from siren_py.io.formats import FORMATS, read_sample, write_sample

FLUXES = ("t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar")
LIBRARIES = ("awkward", "uproot", "pyarrow", "h5py")

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "formats.md"
MARKS = ("<!-- table of formats.py -->", "<!-- end of table -->")


def best(work: Callable[[], object], repeat: int = 3, enough: float = 10.0) -> float:
    """Return the shortest of some times [CPU s]; the first one if it is longer than `enough`."""
    times: list[float] = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
        if times[0] > enough:
            break
    return min(times)


def measure(sample: sp.Sample, folder: Path) -> list[tuple[str, ...]]:
    """Return a row per format: title, size, times of writing and reading, what comes back."""
    rows = []
    for name, format_ in FORMATS.items():
        path = folder / f"{name}{format_.suffixes[0]}"
        writing = best(partial(write_sample, sample, path, format=name))
        reading = best(partial(read_sample, path, format=name)) if format_.reads else None
        size = path.stat().st_size
        rows.append(
            (
                format_.title,
                path.suffix,
                f"{size / 1e6:.1f}",
                f"{size / len(sample):.0f}",
                f"{writing:.2f}",
                "" if reading is None else f"{reading:.2f}",
            )
        )
    return rows


def report(rows: list[tuple[str, ...]], sample: sp.Sample) -> tuple[str, str]:
    """Return the table as text and as Markdown."""
    header = ("format", "suffix", "size [MB]", "bytes per event", "write [s]", "read [s]")
    versions = ", ".join(
        f"{name} {importlib.import_module(name).__version__}" for name in LIBRARIES
    )
    table = sample.table()
    fact = (
        f"siren_py {sp.__version__}, Python {platform.python_version()}, {versions}; "
        f"{len(sample):,} events with {table.particle_counts.mean():.1f} particles and "
        f"{table.vertex_counts.mean():.1f} vertices each, {table.nbytes / 1e6:.0f} MB in memory; "
        "seconds of CPU."
    )
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(t.rjust(w) for t, w in zip(r, widths, strict=True)) for r in (header, *rows)]
    rule = ("---", "---", *["---:"] * 4)
    markdown = ["| " + " | ".join(r) + " |" for r in (header, rule, *rows)]
    return "\n".join([fact, "", *lines]) + "\n", "\n".join([fact, "", *markdown]) + "\n"


def write(text: str, markdown: str) -> None:
    """Keep the table in the text file and in the page of the documentation."""
    (HERE / "formats.txt").write_text(text)
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{markdown}\n{MARKS[1]}{after}")


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    sim = sp.Simulation("nd280", FLUXES, model, decay="nu e+ e-", region="tpc")
    sample = sim.run(arguments.attempts, seed=1, progress=False)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(sample, Path(folder))
    text, markdown = report(rows, sample)
    print(text)
    if arguments.write:
        write(text, markdown)


if __name__ == "__main__":
    main()
