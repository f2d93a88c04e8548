"""How fast events are made and weighted: nd280 at nine points, from long-lived to prompt.

    python validation/performance/injection.py [--attempts 200000] [--rounds 8] [--write]
        [--siren PYTHON --siren-tables DIR [--siren-points 3,5]]

Everything is measured in one run, in seconds of one CPU (time.process_time), the best of some
rounds over all points, so that a minute in which others use the machine does not decide:

attempts      attempts per second, generation and weights together
effective     (sum w)^2 / sum w^2 of the weights per second: the figure of merit
worth         (rate / error)^2 per second: so many events, counted one by one, would know the rate
              as well; of the same attempts, and of attempts driven by Sobol nets, their error from
              64 chunks
1 %           time for so many attempts that the rate in the region is known to 1 %, made and
              weighted in chunks as `Simulation.run` makes them
tables        preparing the simulation of a mass that was not prepared before
start-up      a fresh process up to the first chunk of events, compiled code on disk
memory        of this process, at most, and of one event

The points are masses from 0.02 to 1 GeV with couplings that put the decay length from 1e8 cm to
less than a millimetre; region "tpc", decay "nu e+ e-", fluxes of both modes together. `--write`
keeps the table in injection.txt next to this file and in docs/performance.md, between the two marks
there.

SIREN runs in the same run, for a minute of CPU at each point, with `--siren` and the Python
interpreter of its own environment:

    python3 -m venv siren-env
    siren-env/bin/pip install siren==0.1.0 DarkNews==0.4.8 "pandas<3" "numpy<2" "pyarrow<20"

see siren_worker.py for what it does. Its tables take half an hour of CPU and more for each mass and
coupling; they are kept in the folder `--siren-tables` with the time that they took, those of one
coupling serve the others of the same mass, and `--siren-points` names the points (1 to 9) for which
it is done at all. It makes N -> nu gamma from muon neutrinos. For the comparison siren_py does the
same in the same minutes: SIREN is stopped every few seconds (its clock stands still) for a round of
siren_py. Ratios of effective events, of worth, and of the time to 1 % from nothing, tables
included, all of them from means.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import siren_py as sp
from siren_py.runs.chunks import CHUNK_SIZE

POINTS = (
    (0.02, 1e-7), (0.02, 1e-5), (0.1, 1e-8), (0.1, 3.87e-7), (0.1, 1e-5),
    (0.3, 1e-7), (0.3, 3e-6), (1.0, 1e-7), (1.0, 1e-5),
)  # fmt: skip
_NETS = 64 * CHUNK_SIZE
FLUXES = ("t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar")
DECAY = "nu e+ e-"
SAME: dict[str, Any] = {"fluxes": FLUXES[:1], "decay": "nu gamma"}
"""What SIREN does."""

PAUSE = 6.0
"""Seconds of SIREN between two rounds of siren_py."""

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


def seconds_of(work: Callable[[], object]) -> float:
    """Return the CPU time of a call [s]."""
    before = time.process_time()
    work()
    return time.process_time() - before


def start_up() -> float:
    """Return the CPU time of a fresh process up to its first events [s], the best of three."""
    times = []
    for _ in range(3):
        command = [sys.executable, "-c", START]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        times.append(float(answer.stdout))
    return min(times)


class Point:
    """A mass and a coupling, and the seconds that everything took in each round."""

    def __init__(
        self,
        detector: sp.DetectorModel,
        mass: float,
        coupling: float,
        n: int,
        fluxes: tuple[str, ...] = FLUXES,
        decay: str = DECAY,
    ) -> None:
        self.mass, self.coupling, self.n = mass, coupling, n
        self._detector, self._fluxes, self._decay = detector, fluxes, decay
        self._sim = self._simulation(mass)
        sample = self._run(n)
        self.estimate = sample.expected()
        self.effective = sample.effective_size
        self.length = float(np.median(sample["decay_length"]))
        self.size = sum(table.nbytes for table in sample.tables()) / n
        # As many attempts as should do, and some more until they did.
        wanted = n * (self.estimate.error / self.estimate.value / 0.01) ** 2
        self.error = 1.0
        while self.error > 0.01:
            wanted *= 1.1
            self._wanted = int(wanted) + 1
            reached = self._run(self._wanted).expected()
            self.error = reached.error / reached.value
        self.sobol = self._run(_NETS, "sobol").expected()
        self.times: list[dict[str, float]] = []

    def _simulation(self, mass: float) -> sp.Simulation:
        model = sp.DipolePortal(mass=mass, d_mu=self.coupling)
        return sp.Simulation(self._detector, self._fluxes, model, decay=self._decay, region="tpc")

    def _run(self, attempts: int, driving: str = "random") -> sp.Sample:
        sample = self._sim.run(attempts, seed=1, driving=driving, progress=False)
        _ = sample.weights
        return sample

    def measure(self) -> None:
        """Do everything once more."""
        # A mass next to this one, of this point and round alone: its tables cannot be there yet.
        shift = 1e-6 * (1.0 + np.log10(self.coupling) / 100.0)
        mass = self.mass * (1.0 + shift * (1 + len(self.times)))
        self.times.append({
            "tables": seconds_of(lambda: self._simulation(mass)),
            "run": seconds_of(lambda: self._run(self.n)),
            "one": seconds_of(lambda: self._run(self._wanted)),
            "sobol": seconds_of(lambda: self._run(_NETS, "sobol")),
        })  # fmt: skip

    def row(self, typical: Callable[[list[float]], float] = min) -> dict[str, float]:
        """Return the row of the table; `typical` makes one time out of those of all rounds."""
        took = {key: typical([t[key] for t in self.times]) for key in self.times[0]}
        return {
            "mass": self.mass,
            "coupling": self.coupling,
            "length": self.length,
            "attempts": self.n / took["run"],
            "effective": self.effective / took["run"],
            "worth": (self.estimate.value / self.estimate.error) ** 2 / took["run"],
            "sobol": (self.sobol.value / self.sobol.error) ** 2 / took["sobol"],
            "error": self.error,
            "one": took["one"],
            "tables": took["tables"],
            "bytes": self.size,
        }


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of a process for some seconds; say whether it has come."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


class Siren(NamedTuple):
    """Where SIREN is, and where its tables stay."""

    python: str
    tables: Path

    def measure(
        self, mass: float, coupling: float, between: Callable[[], object], seconds: float = 60.0
    ) -> dict[str, float]:
        """Return what siren_worker.py measures at a point; do `between` every few seconds of it.

        The speed of a machine that others use changes within minutes.
        """
        flux = sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")
        energy = np.geomspace(0.05, 20.0, 400)
        self.tables.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.savetxt(folder / "flux.dat", np.c_[energy, flux.density(energy)])
            job = {
                "mass": mass, "coupling": coupling, "flux": str(folder / "flux.dat"),
                "low": 0.06, "top": 8.0, "tables": str(self.tables.resolve()),
                "seconds": seconds, "seed": 1, "answer": str(folder / "answer.json"),
                "prepared": str(folder / "prepared"),
            }  # fmt: skip
            (folder / "job.json").write_text(json.dumps(job))
            command = [self.python, str(HERE / "siren_worker.py"), str(folder / "job.json")]
            quiet = subprocess.DEVNULL
            with subprocess.Popen(command, stdout=quiet, stderr=quiet) as worker:
                while not ended(worker, PAUSE):
                    if (folder / "prepared").exists():
                        worker.send_signal(signal.SIGSTOP)
                        try:
                            between()
                        finally:
                            worker.send_signal(signal.SIGCONT)
            if worker.returncode:
                raise subprocess.CalledProcessError(worker.returncode, command)
            answer: dict[str, float] = json.loads((folder / "answer.json").read_text())
            return answer


OWN = (
    ("m [GeV]", "mass", "g"),
    ("d [1/GeV]", "coupling", "g"),
    ("L [cm]", "length", ".2g"),
    ("attempts [/s]", "attempts", ",.0f"),
    ("effective [/s]", "effective", ",.0f"),
    ("worth [/s]", "worth", ",.0f"),
    ("worth, Sobol [/s]", "sobol", ",.0f"),
    ("1 % [s]", "one", ".3f"),
    ("error", "error", ".2%"),
    ("tables [s]", "tables", ".3f"),
)
"""Title, key and format of the columns on siren_py."""

COMPARED = (
    *OWN[:2],
    ("SIREN events", "siren_events", ",.0f"),
    ("attempts [/s]", "siren_attempts", ".3g"),
    ("effective [/s]", "siren_effective", ".3g"),
    ("worth [/s]", "siren_worth", ".3g"),
    ("tables [s]", "siren_tables", ",.0f"),
    ("siren_py: effective [/s]", "effective", ",.0f"),
    ("ratio: effective", "ratio_effective", ",.0f"),
    ("worth", "ratio_worth", ",.0f"),
    ("worth, Sobol", "ratio_sobol", ",.0f"),
    ("1 % from nothing", "ratio_one", ",.0f"),
)
"""The same of SIREN and of the ratios."""


def side_by_side(siren: Siren, detector: sp.DetectorModel, number: int, n: int) -> dict[str, float]:
    """Return the row of a comparison: siren_py and SIREN in turn, in means."""
    point = Point(detector, *POINTS[number - 1], n, **SAME)
    found = siren.measure(point.mass, point.coupling, point.measure)
    print(f"point {number}: SIREN {found}", file=sys.stderr)
    row = point.row(lambda times: sum(times) / len(times))
    row |= {f"siren_{key}": value for key, value in found.items()}
    siren_one = row["siren_tables"] + 1e4 / row["siren_worth"]
    return row | {
        "ratio_effective": row["effective"] / row["siren_effective"],
        "ratio_worth": row["worth"] / row["siren_worth"],
        "ratio_sobol": row["sobol"] / row["siren_worth"],
        "ratio_one": siren_one / (row["tables"] + row["one"]),
    }


def tabulated(
    columns: tuple[tuple[str, str, str], ...], rows: list[dict[str, float]]
) -> tuple[str, str]:
    """Return a table as text and as Markdown."""
    header = tuple(title for title, _, _ in columns)
    body = [tuple(format(row[key], form) for _, key, form in columns) for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    lines = ["  ".join(t.rjust(w) for t, w in zip(r, widths, strict=True)) for r in (header, *body)]
    markdown = ["| " + " | ".join(r) + " |" for r in (header, ("---:",) * len(header), *body)]
    return "\n".join(lines), "\n".join(markdown)


def report(points: list[Point], both: list[dict[str, float]], start: float) -> tuple[str, str]:
    """Return the tables as text and as Markdown."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    rows = [point.row() for point in points]
    size = max(row["bytes"] for row in rows)
    parts = [
        (
            f"siren_py {sp.__version__}, Python {platform.python_version()}, "
            f"{points[0].n} attempts per run, seconds of one CPU, "
            f"best of {len(points[0].times)} rounds.",
        )
        * 2,
        tabulated(OWN, rows),
        (
            f"Start-up to the first events {start:.2f} s; memory of the process {memory:.0f} MB, "
            f"of an event {size:.0f} bytes.",
        )
        * 2,
    ]
    if both:
        told = (
            "numu, N -> nu gamma, in the same run; SIREN 0.1.0 with DarkNews 0.4.8, its own ND280:"
        )
        parts.append((told, told))
        parts.append(tabulated(COMPARED, both))
    text, markdown = ("\n\n".join(part) + "\n" for part in zip(*parts, strict=True))
    return text, markdown


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
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--siren", metavar="PYTHON", help="interpreter that has SIREN")
    parser.add_argument("--siren-tables", metavar="DIR", type=Path, default=Path("siren-tables"))
    parser.add_argument("--siren-points", metavar="N,N", default="1,2,3,4,5,6,7,8,9")
    arguments = parser.parse_args()
    start = start_up()
    detector = sp.load_detector("nd280")
    model = sp.DipolePortal(mass=0.1, d_mu=1e-6)
    sp.Simulation(detector, FLUXES, model, decay="nu e+ e-", region="tpc")
    points = [Point(detector, *point, arguments.attempts) for point in POINTS]
    for _ in range(arguments.rounds):
        for point in points:
            point.measure()
    both = []
    if arguments.siren:
        siren = Siren(arguments.siren, arguments.siren_tables)
        for number in map(int, arguments.siren_points.split(",")):
            row = side_by_side(siren, detector, number, arguments.attempts)
            both.append(row)
    text, markdown = report(points, both, start)
    print(text)
    if arguments.write:
        write(text, markdown)


if __name__ == "__main__":
    main()
