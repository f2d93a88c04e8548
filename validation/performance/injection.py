"""How fast events are made and weighted: nd280 at nine points, from long-lived to prompt.

    python validation/performance/injection.py [--attempts 200000] [--write]

Everything is measured in one run, in seconds of one CPU (time.process_time), the best of three:

attempts      attempts per second, generation and weights together
effective     (sum w)^2 / sum w^2 of the weights per second: the figure of merit
1 %           time for so many attempts that the rate in the region is known to 1 %, made and
              weighted in chunks as `Simulation.run` makes them
tables        preparing the simulation of a mass that was not prepared before
start-up      a fresh process up to the first chunk of events, compiled code on disk
memory        of this process, at most, and of one event

The points are masses from 0.02 to 1 GeV with couplings that put the decay length from 1e8 cm to
less than a millimetre; region "tpc", decay "nu e+ e-", fluxes of both modes together. SIREN is
quoted, not run (see QUOTED). `--write` keeps the table in injection.txt next to this file and in
docs/performance.md, between the two marks there.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import siren_py as sp

POINTS = (
    (0.02, 1e-7), (0.02, 1e-5), (0.1, 1e-8), (0.1, 3.87e-7), (0.1, 1e-5),
    (0.3, 1e-7), (0.3, 3e-6), (1.0, 1e-7), (1.0, 1e-5),
)  # fmt: skip
FLUXES = ("t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar")

# SIREN 0.1.0 with DarkNews, dipole model, after its tables are filled: events per CPU second that
# it injects, and effective events per event, lowest and highest. Quoted from an earlier
# measurement on another machine; its tables of one mass and coupling take minutes or more.
QUOTED_RATE = 170.0
QUOTED_EFFECTIVE = (0.02, 0.35)

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "performance.md"
MARKS = ("<!-- table of injection.py -->", "<!-- end of table -->")

START = """
import time, siren_py as sp
before = time.process_time()
flux = [sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")]
model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
sim = sp.Simulation("nd280", flux, model, decay="nu e+ e-", region="tpc")
sim.run(1000, seed=1, progress=False)
print(time.process_time())
"""


def best(work: Callable[[], object], repeat: int = 3) -> float:
    """Return the shortest of some times [CPU s]."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def start_up() -> float:
    """Return the CPU time of a fresh process up to its first events [s], the best of three."""
    times = []
    for _ in range(3):
        command = [sys.executable, "-c", START]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        times.append(float(answer.stdout))
    return min(times)


def measure(detector: sp.DetectorModel, mass: float, coupling: float, n: int) -> dict[str, float]:
    """Return the figures of one point."""

    def simulation(at: float) -> sp.Simulation:
        model = sp.DipolePortal(mass=at, d_mu=coupling)
        return sp.Simulation(detector, FLUXES, model, decay="nu e+ e-", region="tpc")

    # Masses next to this one, of this point alone: their tables cannot be there yet.
    shift = 1e-6 * (1.0 + np.log10(coupling) / 100.0)
    others = iter(mass * (1.0 + shift * k) for k in range(1, 4))
    tables = best(lambda: simulation(next(others)))
    sim = simulation(mass)
    samples: list[sp.Sample] = []

    def run(attempts: int) -> None:
        samples[:] = [sim.run(attempts, seed=len(samples) + 1, progress=False)]
        _ = samples[0].weights

    run(1000)
    seconds = best(lambda: run(n))
    sample = samples[0]
    estimate = sample.expected()
    # As many attempts as should do, and some more until they did.
    wanted = n * (estimate.error / estimate.value / 0.01) ** 2
    error = 1.0
    while error > 0.01:
        wanted *= 1.1
        to_one_percent = best(partial(run, int(wanted) + 1))
        reached = samples[0].expected()
        error = reached.error / reached.value
    weights = np.asarray(sample.weights)
    return {
        "mass": mass,
        "coupling": coupling,
        "length": float(np.median(sample["decay_length"])),
        "attempts": n / seconds,
        "effective": float(weights.sum() ** 2 / np.square(weights).sum()) / seconds,
        "error": error,
        "one": to_one_percent,
        "tables": tables,
        "bytes": sum(table.nbytes for table in sample.tables()) / n,
    }


def report(rows: list[dict[str, float]], start: float, n: int) -> tuple[str, str]:
    """Return the table as text and as Markdown."""
    low, high = (QUOTED_RATE * share for share in QUOTED_EFFECTIVE)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    size = max(row["bytes"] for row in rows)
    header = (
        "m [GeV]", "d [1/GeV]", "L [cm]", "attempts [/s]", "effective [/s]", "1 % [s]",
        "error", "tables [s]", "over SIREN, quoted",
    )  # fmt: skip
    body = [
        (
            f"{r['mass']:g}", f"{r['coupling']:g}", f"{r['length']:.2g}", f"{r['attempts']:,.0f}",
            f"{r['effective']:,.0f}", f"{r['one']:.3f}", f"{r['error']:.2%}",
            f"{r['tables']:.3f}",
            f"{r['effective'] / high:,.0f} to {r['effective'] / low:,.0f}",
        )
        for r in rows
    ]  # fmt: skip
    facts = (
        f"siren_py {sp.__version__}, Python {platform.python_version()}, {n} attempts per run, "
        "seconds of one CPU, best of three.",
        f"Start-up to the first events {start:.2f} s; memory of the process {memory:.0f} MB, "
        f"of an event {size:.0f} bytes.",
        f"SIREN 0.1.0 with DarkNews, quoted and not measured in this run: {QUOTED_RATE:.0f} events "
        f"per CPU second, {low:.1f} to {high:.0f} effective ones.",
    )
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    lines = ["  ".join(t.rjust(w) for t, w in zip(r, widths, strict=True)) for r in (header, *body)]
    text = "\n".join([facts[0], "", *lines, "", *facts[1:]]) + "\n"
    markdown = ["| " + " | ".join(r) + " |" for r in (header, ("---:",) * len(header), *body)]
    return text, "\n".join([facts[0], "", *markdown, "", *facts[1:]]) + "\n"


def write(text: str, markdown: str) -> None:
    """Keep the table in the text file and in the page of the documentation."""
    (HERE / "injection.txt").write_text(text)
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{markdown}\n{MARKS[1]}{after}")


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=200_000)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    start = start_up()
    detector = sp.load_detector("nd280")
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    sp.Simulation(detector, FLUXES, model, decay="nu e+ e-", region="tpc")
    rows = [measure(detector, *point, arguments.attempts) for point in POINTS]
    text, markdown = report(rows, start, arguments.attempts)
    print(text)
    if arguments.write:
        write(text, markdown)


if __name__ == "__main__":
    main()
