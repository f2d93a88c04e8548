"""A very long run into one ROOT file: rate, memory, disk space, and the file read back.

    python validation/performance/bulk.py [--events 1e8] [--workers 2] [--folder DIR] [--write]

The run is `siren-py simulate` of nd280, region "tpc", decay "nu e+ e-", m = 0.1 GeV, fluxes of both
modes, straight into the file (`--no-checkpoint`). It and the reading are programs of their own,
whose memory (of all their processes) and files are looked at every second. The reading counts the
events and adds up their weights, which are checked; the sum is compared with what the run said. The
rates of the disk (a gigabyte of random numbers, written and synchronised) and of the compressor
(zstd, level 3, one thread, the columns of one chunk) are measured in the same folder just before.
`--keep` lets the file be; `--write` keeps the result in bulk.txt next to this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import siren_py as sp

HERE = Path(__file__).resolve().parent
FLUXES = ("t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar")
RUN = (
    "-m", "siren_py", "simulate", "--detector", "nd280", "--region", "tpc", "--mass", "100 MeV",
    "--d-mu", "3.87e-7", "--decay", "nu e+ e-", "--flux", FLUXES[0], "--flux", FLUXES[1],
    "--pot", "1", "--seed", "1", "--json", "--no-checkpoint",
)  # fmt: skip
READ = """
import json, sys
import siren_py as sp
sample = sp.read(sys.argv[1])
print(json.dumps({"events": len(sample), "sum": sample.expected().value}))
"""
PAUSE = 1.0


class Watched(NamedTuple):
    """A program that came to its end."""

    answer: dict[str, object]
    whole: float
    """When the output got its name [s]."""
    seconds: float
    cpu: float
    memory: float
    """Most memory of all its processes together [bytes]."""
    disk: int
    """Most space of all files in the folder [bytes]."""


def memory_of(pid: int) -> int:
    """Return the memory of a process and of all that it started [bytes]."""
    total, todo = 0, [pid]
    while todo:
        process = Path(f"/proc/{todo.pop()}")
        try:
            total += int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in (process / "task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        except OSError:  # it has just ended
            continue
    return total


def space_of(folder: Path) -> int:
    """Return the space that the files in a folder take [bytes]; what has two names counts once."""
    found = {}
    for path in folder.rglob("*"):
        try:
            status = path.stat()
        except OSError:  # it has just gone
            continue
        found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())


def watch(arguments: list[str], output: Path, log: Path) -> Watched:
    """Run a program of Python; look every second at it and at the folder of its output."""
    start, before, folder = time.perf_counter(), os.times(), output.parent
    memory, disk, whole = 0, 0, 0.0
    with (
        (folder / "answer.json").open("w+") as out,
        log.open("a") as lines,
        subprocess.Popen([sys.executable, *arguments], stdout=out) as process,
    ):
        while process.poll() is None:
            now, files = memory_of(process.pid), space_of(folder)
            memory, disk = max(memory, now), max(disk, files)
            passed = time.perf_counter() - start
            whole = whole or (passed if output.exists() else 0.0)
            lines.write(f"{passed:.0f} s, memory {now / 1e6:.0f} MB, files {files / 1e6:.0f} MB\n")
            lines.flush()
            time.sleep(PAUSE)
        seconds, after = time.perf_counter() - start, os.times()
        out.seek(0)
        text = out.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments[:3])} ended with {process.returncode}: {text}")
    cpu = sum(after[2:4]) - sum(before[2:4])
    return Watched(json.loads(text), whole or seconds, seconds, cpu, memory, disk)


def rate_of_disk(folder: Path, size: int = 2**30) -> float:
    """Return how fast a large file can be written [bytes/s], as ``dd conv=fsync`` does it."""
    block = np.random.default_rng(1).bytes(2**24)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        start = time.perf_counter()
        for _ in range(size // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return size / (time.perf_counter() - start)


def rate_of_compressor() -> tuple[float, float]:
    """Return what zstd takes in and what it gives out on one thread [bytes/CPU s]."""
    from uproot.compression import ZSTD, compress

    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    sim = sp.Simulation("nd280", FLUXES, model, decay="nu e+ e-", region="tpc")
    table = sim.run(16384, seed=1, progress=False).table()
    columns = [c.astype(c.dtype.newbyteorder(">")).tobytes() for c in table.arrays().values()]
    best, size = np.inf, 0
    for _ in range(5):
        start = time.process_time()
        size = sum(len(compress(column, ZSTD(3))) for column in columns)
        best = min(best, time.process_time() - start)
    return sum(map(len, columns)) / best, size / best


def measure(events: int, workers: int, folder: Path, keep: bool) -> str:
    """Return what is to be told."""
    path, log = folder / "bulk.root", folder / "bulk.log"
    for old in (path, log):
        old.unlink(missing_ok=True)
    disk, (taken, given) = rate_of_disk(folder), rate_of_compressor()
    load = os.getloadavg()[0]
    run = watch(
        [*RUN, "--events", str(events), "--workers", str(workers), "--output", str(path)],
        path, log,
    )  # fmt: skip
    size = path.stat().st_size
    read = watch(["-c", READ, str(path)], path, log)
    if not keep:
        path.unlink()
    (folder / "answer.json").unlink()
    said = run.answer
    expected = float(said["expected"])  # type: ignore[arg-type]
    count, total = int(str(read.answer["events"])), float(str(read.answer["sum"]))
    same = abs(total / expected - 1.0)
    if same > 1e-12 or count != said["n_events"]:
        raise SystemExit(f"The file is not what the run said: {read.answer}, {said}.")
    return (
        f"siren_py {sp.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load before the run {load:.1f}, {workers} workers.\n\n"
        f"run      {events:,} attempts, {count:,} events in {run.whole:,.0f} s: "
        f"{events / run.whole:,.0f} attempts/s; then the summary from the file, all in "
        f"{run.seconds:,.0f} s, {run.cpu:,.0f} s of CPU\n"
        f"file     {size / 1e9:.2f} GB, {size / count:.0f} bytes per event, written at "
        f"{size / run.whole / 1e6:,.0f} MB/s\n"
        f"disk     at most {run.disk / 1e9:.2f} GB in use, {run.disk / size:.2f} of the file; "
        f"a gigabyte alone is written at {disk / 1e6:,.0f} MB/s\n"
        f"zstd     level 3 takes {taken / 1e6:,.0f} MB and gives {given / 1e6:,.0f} MB in a second "
        "of CPU, one thread\n"
        f"memory   at most {run.memory / 1e6:,.0f} MB while it ran\n"
        f"reading  expected events in {read.seconds:,.0f} s, {read.cpu:,.0f} s of CPU, at most "
        f"{read.memory / 1e6:,.0f} MB; sum of weights as the run said within {same:.0e}\n"
    )


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=float, default=1e8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = arguments.folder or Path(temporary)
        text = measure(int(arguments.events), arguments.workers, folder, arguments.keep)
    print(text)
    if arguments.write:
        (HERE / "bulk.txt").write_text(text)


if __name__ == "__main__":
    main()
