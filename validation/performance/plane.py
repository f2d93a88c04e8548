"""How long a plane of 60 masses by 60 couplings takes, each point known to 1 %.

    python validation/performance/plane.py [--points 60] [--workers 2] [--write]

On nd280 and on nd280-upgrade, fluxes of both modes together, decay "nu e+ e-", masses from 0.02 to
1 GeV, couplings from 1e-8 to 1e-4 per GeV: first the three TPCs together, then each of the three to
1 %. Seconds of the clock and of the CPU; a small scan before has compiled and
loaded what is needed. `--write` keeps the table in plane.txt next to this file.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np

import siren_py as sp

FLUXES = ("t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar")
POT = {"fhc": 12.34e20, "rhc": 6.29e20}
TPCS = ("tpc1", "tpc2", "tpc3")
OUTPUT = Path(__file__).with_suffix(".txt")


def measure(name: str, regions: tuple[str, ...] | None, points: int, workers: int) -> str:
    """Scan the plane once; return a line of the table."""
    model = sp.DipolePortal(mass=0.1, d_mu=1e-7)
    sim = sp.Simulation(name, FLUXES, model, decay="nu e+ e-", region="tpc")
    sim.scan([0.05], [1e-7, 1e-6], precision=0.1, progress=False)
    masses, couplings = np.geomspace(0.02, 1.0, points), np.geomspace(1e-8, 1e-4, points)
    clock, cpu = time.perf_counter(), time.process_time()
    scan = sim.scan(
        masses, couplings, pot=POT, regions=regions, precision=0.01, workers=workers,
        progress=False,
    )  # fmt: skip
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    some = scan.values > 0.0
    worst = float((scan.errors[some] / scan.values[some]).max())
    what = "TPCs together" if regions is None else "each TPC"
    return (
        f"{name:15s} {what:15s} {clock:8.1f} {cpu:8.1f} {int(scan.attempts.sum()):12,d} "
        f"{worst:8.2%} {int((~some).sum()):6d}"
    )


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    lines = [
        f"siren_py {sp.__version__}, Python {platform.python_version()}, {arguments.points} masses "
        f"by {arguments.points} couplings to 1 %, {arguments.workers} workers.",
        "",
        f"{'detector':15s} {'region':15s} {'clock s':>8s} {'CPU s':>8s} {'attempts':>12s} "
        f"{'worst':>8s} {'zero':>6s}",
    ]
    for name in ("nd280", "nd280-upgrade"):
        for regions in (None, TPCS):
            lines.append(measure(name, regions, arguments.points, arguments.workers))
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    if arguments.write:
        OUTPUT.write_text(text)


if __name__ == "__main__":
    main()
