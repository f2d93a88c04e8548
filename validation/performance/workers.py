"""What workers are worth: one thread, two threads, two processes, a dask cluster of two.

    python validation/performance/workers.py [--attempts 4000000] [--rounds 3] [--write]

The same run on nd280 in turn by all of them, some rounds, the best of each:

clock         seconds from the call of `Simulation.run` to the sample in memory
one thread    how many times as fast as one thread
two threads   clock time over that of two threads
CPU           seconds of all processes together, the cluster's scheduler among them
CPU ratio     the same over that of two threads

Processes are started anew by each run. The dask cluster is there before its own runs, and not
during the others: idle as it is, it takes a tenth of a core. Clock times mean something only on
two cores that have nothing else to do; the load of the machine is in the table. At last 1,000
chunks with nothing in them go through the cluster: what is left is the time that it takes to
schedule one. `--write` keeps the table in workers.txt next to this file and in
docs/performance.md, between the two marks there.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import siren_py as sp
from siren_py.runs.chunks import Chunk
from siren_py.runs.cluster import cluster_tables
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, EventTable

FLUXES = ("t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar")
SMALL_CHUNKS = 1000

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "performance.md"
MARKS = ("<!-- table of workers.py -->", "<!-- end of workers.py -->")


class Spent(NamedTuple):
    """Time of a run."""

    clock: float
    """By the clock [s]."""
    cpu: float
    """Of all processes [s]."""


class Empty:
    """An injector whose chunks have one event each and take no time."""

    def chunk(self, seed: int, number: int, n: int, first: int) -> EventTable:
        """Return a chunk."""
        return EventTable(
            {"event": np.arange(first, first + 1)},
            {name: np.zeros(1, kind) for name, kind in VERTEX_COLUMNS.items()},
            np.ones(1, np.int64),
            {name: np.zeros(1, kind) for name, kind in PARTICLE_COLUMNS.items()},
            np.ones(1, np.int64),
        )


class Watch:
    """Clock and CPU time of this process, its children that ended, and dask's workers if any."""

    def __init__(self, client: Any = None) -> None:
        self._client = client
        self._begin = self._now()

    def _now(self) -> Spent:
        children = os.times()
        cpu = time.process_time() + children.children_user + children.children_system
        if self._client is not None:
            cpu += sum(self._client.run(time.process_time).values())
        return Spent(time.perf_counter(), cpu)

    def spent(self) -> Spent:
        """Return the time since it was made."""
        clock = time.perf_counter()
        return Spent(clock - self._begin.clock, self._now().cpu - self._begin.cpu)


@contextmanager
def cluster() -> Generator[Any]:
    """Give the client of a cluster of two workers."""
    distributed: Any = importlib.import_module("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as workers,
        distributed.Client(workers) as client,
    ):
        yield client


def measure(attempts: int, rounds: int) -> dict[str, list[Spent]]:
    """Run on all kinds of workers in turn; return the times of each."""
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    sim = sp.Simulation("nd280", FLUXES, model, decay="nu e+ e-", region="tpc")
    times: dict[str, list[Spent]] = {}

    def run(name: str, seed: int, client: Any = None, **way: Any) -> None:
        # First of all, everything is compiled, unpacked and warm.
        sim.run(attempts // 4, seed=1, progress=False, **way)
        watch = Watch(client)
        sample = sim.run(attempts, seed=seed, progress=False, **way)
        times.setdefault(name, []).append(watch.spent())
        del sample

    for k in range(rounds):
        run("one thread", k, workers=1)
        run("two threads", k, workers=2)
        run("two processes", k, workers=2, backend="processes")
        with cluster() as client:
            run("dask, two processes", k, client, backend=client)
    return times


def schedule(client: Any) -> Spent:
    """Return the time per chunk of many that have nothing in them."""
    for n in (100, SMALL_CHUNKS):
        watch = Watch(client)
        chunks = (Chunk(number, 1) for number in range(n))
        injector: Any = Empty()
        made = sum(len(table) for table in cluster_tables(client, injector, 1, chunks))
        spent = watch.spent()
    if made != SMALL_CHUNKS:
        raise RuntimeError(f"{made} chunks came back of {SMALL_CHUNKS}")
    return Spent(spent.clock / SMALL_CHUNKS, spent.cpu / SMALL_CHUNKS)


def report(
    times: dict[str, list[Spent]], each: Spent, attempts: int, load: float
) -> tuple[str, str]:
    """Return the table as text and as Markdown."""
    header = ("workers", "clock [s]", "one thread", "two threads", "CPU [s]", "CPU ratio")
    best = {
        name: Spent(min(t.clock for t in all_), min(t.cpu for t in all_))
        for name, all_ in times.items()
    }
    one, two = best["one thread"], best["two threads"]
    rows = [
        (
            name, f"{b.clock:.2f}", f"{one.clock / b.clock:.2f}", f"{b.clock / two.clock:.2f}",
            f"{b.cpu:.2f}", f"{b.cpu / two.cpu:.2f}",
        )
        for name, b in best.items()
    ]  # fmt: skip
    rounds = len(times["one thread"])
    facts = (
        f"siren_py {sp.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{attempts:,} attempts per run, best of {rounds}; {load:.1f} processes were at work on "
        "average.",
        f"{SMALL_CHUNKS:,} chunks with nothing in them, on dask: {1e3 * each.clock:.1f} ms of the "
        f"clock and {1e3 * each.cpu:.1f} ms of CPU per chunk, of all processes.",
    )
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(t.rjust(w) for t, w in zip(r, widths, strict=True)) for r in (header, *rows)]
    marks = ("---", *("---:",) * (len(header) - 1))
    markdown = ["| " + " | ".join(r) + " |" for r in (header, marks, *rows)]
    return (
        "\n".join([facts[0], "", *lines, "", facts[1]]) + "\n",
        "\n".join([facts[0], "", *markdown, "", facts[1]]) + "\n",
    )


def write(text: str, markdown: str) -> None:
    """Keep the table in the text file and in the page of the documentation."""
    (HERE / "workers.txt").write_text(text)
    before, _, rest = PAGE.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{markdown}\n{MARKS[1]}{after}")


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attempts", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    times = measure(arguments.attempts, arguments.rounds)
    load = os.getloadavg()[0]
    with cluster() as client:
        each = schedule(client)
    text, markdown = report(times, each, arguments.attempts, load)
    print(text)
    if arguments.write:
        write(text, markdown)


if __name__ == "__main__":
    main()
