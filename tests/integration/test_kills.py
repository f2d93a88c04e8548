"""Runs that are killed at random moments, again and again, end with the same bits."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py.runs.chunks import CHUNK_SIZE
from siren_py.runs.running import partial_of, parts_of

ROOT = Path(__file__).resolve().parents[2]
CHUNKS = 8
HAS_DASK = importlib.util.find_spec("distributed") is not None

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

RUN = """
import os, random, signal, sys, time
import siren_py as sp
from siren_py.runs import worker
from siren_py.geometry import Box

detector = sp.DetectorModel("block")
detector.add("block", Box(100, 100, 10), sp.Material.from_element("Pb", density=11.35))
detector.add_region("all", Box(100, 100, 100), at=(0, 0, 100))
flux = sp.Flux.monoenergetic(pdg=14, energy=1.0, fluence=1e-8, name="beam", mode="fhc")
SIM = sp.Simulation(detector, flux, sp.DipolePortal(mass=0.2, d_mu=1e-5))
SEED = 7

def main(n, path, backend, losses):
    losses = [random.randrange(n) for _ in range(losses)]
    pools, pids = [], lambda: []

    def lose(done, total):
        time.sleep(float(os.environ["PAUSE"]))  # a chunk of a real detector takes longer, too
        while losses and done >= losses[-1]:
            losses.pop()
            known = pids()
            if known:
                os.kill(random.choice(known), signal.SIGKILL)

    losses.sort(reverse=True)
    options = {"seed": SEED, "output": path, "resume": True, "progress": lose}
    if backend == "dask":
        from distributed import Client, LocalCluster

        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        with cluster, Client(cluster) as client:
            pids = lambda: [w.pid for w in cluster.workers.values() if w.pid]
            SIM.run(n, backend=client, **options)
    elif backend == "processes":
        init = worker.WorkerPool.__init__

        def remember(self, *arguments):
            init(self, *arguments)
            pools.append(self)

        worker.WorkerPool.__init__ = remember
        pids = lambda: pools[-1].processes
        SIM.run(n, workers=2, backend=backend, **options)
    else:
        SIM.run(n, **options)
    print("made", SIM.made)

if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
"""

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
}


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "run.py"
    path.write_text(RUN)
    return path


@pytest.fixture(scope="module")
def whole(script):
    namespace = {"__name__": "reference"}
    exec(compile(RUN, str(script), "exec"), namespace)
    return namespace["SIM"].run(CHUNKS * CHUNK_SIZE, seed=namespace["SEED"], progress=False)


def start(script, path, backend, losses=0, pause=0.1):
    return subprocess.Popen(
        [sys.executable, str(script), str(CHUNKS * CHUNK_SIZE), str(path), backend, str(losses)],
        env={**ENVIRONMENT, "PAUSE": str(pause)},
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process):
    """Kill a run with all that it started, as the end of a node or of a batch job does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def assert_whole(path, whole):
    sample = sp.read_root(path)
    a, b = whole.table().arrays(), sample.table().arrays()
    assert list(a) == list(b)
    for name, column in a.items():
        np.testing.assert_array_equal(column, b[name], err_msg=name)
    records = [{**s.provenance, "created": ""} for s in (whole, sample)]
    assert json.loads(json.dumps(records[0])) == json.loads(json.dumps(records[1]))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def finished(path):
    return len(list(parts_of(path).glob("0*.npz")))


def wait(condition, process, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None and not condition():
        time.sleep(0.005)


def finish(process, path, whole):
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert_whole(path, whole)
    path.unlink()
    return out


def kill_again_and_again(script, whole, folder, backend, kills, seed):
    """Kill runs of one output until it was done `kills` times; what ends must be whole.

    Returns the number of runs that were killed with some chunks finished and some not.
    """
    moments = random.Random(seed)
    path = folder / "a.root"
    begin = time.monotonic()
    finish(start(script, path, backend), path, whole)
    length = time.monotonic() - begin
    done = midway = 0
    while done < kills:
        process = start(script, path, backend)
        if (
            moments.random() < 0.3 or finished(path) == CHUNKS
        ):  # at any time, also while it starts or writes the file
            wait(lambda: False, process, moments.uniform(0.1, 1.1) * length)
        else:  # when some chunks are finished, or shortly after
            wanted = moments.randint(finished(path), CHUNKS - 1)
            wait(lambda wanted=wanted: finished(path) >= wanted, process, 120.0)
            wait(lambda: False, process, moments.uniform(0.0, 0.1))
        if process.poll() is not None:
            finish(process, path, whole)
            continue
        kill(process)
        done += 1
        midway += 0 < finished(path) < CHUNKS
    finish(start(script, path, backend), path, whole)
    return midway


def parameters(kills):
    skip = pytest.mark.skipif(not HAS_DASK, reason="needs dask[distributed]")
    return [
        pytest.param("threads", kills, id="serial"),
        pytest.param("processes", kills, id="processes"),
        pytest.param("dask", kills, id="dask", marks=skip),
    ]


@pytest.mark.parametrize(("backend", "kills"), parameters(2))
def test_killed_runs_resume_to_the_same_bits(script, whole, tmp_path, backend, kills):
    kill_again_and_again(script, whole, tmp_path, backend, kills, seed=kills)


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "kills"), parameters(12))
def test_many_killed_runs_resume_to_the_same_bits(script, whole, tmp_path, backend, kills):
    midway = kill_again_and_again(script, whole, tmp_path, backend, kills, seed=kills)
    # Some of the moments must be those that matter.
    assert midway >= 3


@pytest.mark.parametrize(("backend", "losses"), parameters(3)[1:])
def test_lost_workers_change_nothing(script, whole, tmp_path, backend, losses):
    path = tmp_path / "a.root"
    out = finish(start(script, path, backend, losses), path, whole)
    assert f"made {CHUNKS * CHUNK_SIZE}" in out


def test_interrupted_by_the_keyboard(script, whole, tmp_path):
    path = tmp_path / "a.root"
    process = start(script, path, "processes", pause=1.0)
    wait(lambda: finished(path) >= 2, process, 120.0)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in out
    partial = partial_of(path)
    if partial.exists():  # else it was interrupted after its last chunk
        sample = sp.read_root(partial)
        n = sample.n_attempts
        assert 0 < n < CHUNKS * CHUNK_SIZE
        mine = whole.select(lambda s: s["event"] < n)
        np.testing.assert_array_equal(sample["event"], mine["event"])
        np.testing.assert_allclose(sample.weights * n, mine.weights * whole.n_attempts, rtol=1e-14)
    finish(start(script, path, "threads"), path, whole)


@pytest.mark.skipif(
    os.name != "posix"
    or not hasattr(os, "getuid")
    or os.getuid() != 0
    or not shutil.which("mount"),
    reason="needs the right to mount a small file system",
)
def test_a_disk_that_fills_up(script, whole, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size, *more):
        words = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *more]), "tmpfs", disk]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    if not mount("40m"):
        pytest.skip("mounting is not permitted here")
    try:
        path = disk / "a.root"
        process = start(script, path, "threads")
        out, _ = process.communicate(timeout=300)
        assert process.returncode != 0
        assert "No space left on device" in out
        assert "finished chunks are kept" in out
        kept = finished(path)
        assert 0 < kept < CHUNKS
        assert mount("2g", "remount")
        out = finish(start(script, path, "threads"), path, whole)
        assert f"made {(CHUNKS - kept) * CHUNK_SIZE}" in out
    finally:
        subprocess.run(["umount", disk], check=False)
