"""A local dask cluster: little time per chunk, few chunks in flight, errors that come home."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py import mapping
from siren_py.errors import ConfigError, SirenError, WeightError, WorkerError
from siren_py.runs import cluster, running, sharing
from siren_py.runs.chunks import CHUNK_SIZE, Chunk
from siren_py.store import TableStore
from siren_py.tree import PARTICLE_COLUMNS, VERTEX_COLUMNS, EventTable

distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")

# dask and its web server warn of what is no business of ours.
pytestmark = pytest.mark.filterwarnings("default")

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as local, distributed.Client(local) as client:
        yield client


class Trivial:
    """An injector whose chunks cost nothing: what is left is the cluster's own time."""

    def __init__(self, wrong=-1):
        self.wrong = wrong

    def chunk(self, seed, number, n, first):
        if number == self.wrong:
            raise WeightError("a factor is nan")
        return EventTable(
            {"event": np.arange(first, first + 1)},
            {name: np.zeros(1, kind) for name, kind in VERTEX_COLUMNS.items()},
            np.ones(1, np.int64),
            {name: np.zeros(1, kind) for name, kind in PARTICLE_COLUMNS.items()},
            np.ones(1, np.int64),
        )


def chunks(n):
    return (Chunk(number, 1) for number in range(n))


def test_a_thousand_chunks_cost_under_five_milliseconds_each(client):
    list(cluster.cluster_tables(client, Trivial(), 1, chunks(20)))
    used, begin = time.process_time(), time.monotonic()
    tables = list(cluster.cluster_tables(client, Trivial(), 1, chunks(1000)))
    used, seconds = time.process_time() - used, time.monotonic() - begin
    assert [int(t.events["event"][0]) // CHUNK_SIZE for t in tables] == list(range(1000))
    # Processor time of the scheduler and the client: other programs on the machine do not count.
    assert used < 5.0, f"{used:.1f} s of processor time, {seconds:.1f} s"


def test_chunks_in_flight_are_few(client):
    taken = []

    def counted():
        for chunk in chunks(200):
            taken.append(chunk.number)
            yield chunk

    tables = cluster.cluster_tables(client, Trivial(), 1, counted())
    for number, _ in zip(range(10), tables, strict=False):
        # Those in flight on two threads, and a look ahead.
        assert len(taken) - number <= cluster._AHEAD * 2 + cluster._GROUP * 4
    tables.close()
    assert len(taken) < 50


def test_an_error_in_a_chunk_is_the_error_of_the_run(client):
    tables = cluster.cluster_tables(client, Trivial(wrong=3), 1, chunks(20))
    for _ in range(3):
        next(tables)
    with pytest.raises(WeightError, match="a factor is nan"):
        next(tables)


@pytest.fixture(scope="module")
def sim():
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    return sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")


def test_a_run_on_the_cluster_has_the_same_bits(client, sim, tmp_path):
    n = CHUNK_SIZE + 1000
    one = sim.run(n, seed=1, progress=False)
    other = sim.run(n, seed=1, progress=False, backend=client, output=tmp_path / "a.root")
    for name, column in one.table().arrays().items():
        np.testing.assert_array_equal(column, other.table().arrays()[name], err_msg=name)


def test_a_run_beyond_memory_has_the_same_bits(client, sim, monkeypatch):
    n = 5 * CHUNK_SIZE
    one = sim.run(n, seed=1, progress=False).table().arrays()
    monkeypatch.setattr(running, "TableStore", lambda: TableStore(limit=0))
    for backend in (client, "processes"):
        other = sim.run(n, seed=1, progress=False, backend=backend, workers=2)
        assert other._store._in_memory == 0
        for name, column in other.table().arrays().items():
            np.testing.assert_array_equal(column, one[name], err_msg=name)


class Large(Trivial):
    """An injector whose tables are large enough for shared memory."""

    def chunk(self, seed, number, n, first):
        if number == self.wrong:
            raise WeightError("a factor is nan")
        n = 5000
        return EventTable(
            {"event": np.arange(first, first + n)},
            {name: np.zeros(n, kind) for name, kind in VERTEX_COLUMNS.items()},
            np.ones(n, np.int64),
            {name: np.full(n, number, kind) for name, kind in PARTICLE_COLUMNS.items()},
            np.ones(n, np.int64),
        )


def assert_large(client, n=30):
    for number, table in enumerate(cluster.cluster_tables(client, Large(), 1, chunks(n))):
        assert table.events["event"][0] == number * CHUNK_SIZE
        assert (table.particles["px"] == number).all()
    assert number == n - 1


def open_memory():
    """Return the number of files in memory that this process has open."""
    links = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the folder itself
            links.append(path.readlink().name)
    return sum("memfd:siren_py" in link for link in links)


def assert_nothing_left(client):
    gc.collect()
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        left = [open_memory(), *client.run(open_memory).values()]
        if not any(left):
            return
        time.sleep(0.1)
    assert not any(left), left


def set_sharing(name, value):
    from siren_py.runs import sharing

    before = getattr(sharing, name)
    setattr(sharing, name, value)
    return before


needs_memory = pytest.mark.skipif(not sharing.CAN_LEND, reason="no shared files in memory here")


@needs_memory
def test_tables_of_this_machine_come_through_shared_memory(client):
    tables = cluster.cluster_tables(client, Large(), 1, chunks(30))
    first = next(tables)
    assert len(mapping._mapped) > 0
    assert max(client.run(open_memory).values()) > 0
    rest = list(tables)
    assert (first.particles["px"] == 0).all()
    assert [int(t.particles["px"][-1]) for t in rest] == list(range(1, 30))
    del first, rest
    assert_nothing_left(client)


@needs_memory
def test_tables_beyond_memory_are_written_by_the_workers(client, tmp_path):
    spilled = list(cluster.cluster_tables(client, Large(), 1, chunks(30), lambda: tmp_path))
    assert {s.path for s in spilled} == set(tmp_path.iterdir())
    for number, table in enumerate(spilled):
        assert table.events == 5000
        assert (table.load().particles["px"] == number).all()
    assert_nothing_left(client)


@needs_memory
def test_workers_that_do_not_reach_the_folder_lend_their_tables(client, tmp_path):
    folder = tmp_path / "not" / "there"
    tables = list(cluster.cluster_tables(client, Large(), 1, chunks(30), lambda: folder))
    assert [int(t.particles["px"][-1]) for t in tables] == list(range(30))


@needs_memory
def test_nothing_that_dask_may_drop_is_needed(client):
    for number, _ in enumerate(cluster.cluster_tables(client, Large(), 1, chunks(100))):
        if number == 50:
            held = [key for keys in client.has_what().values() for key in keys]
            assert not [key for key in held if "package" in key]
            lent = max(client.run(open_memory).values())
    assert lent > 0


@needs_memory
def test_workers_that_are_elsewhere_get_and_send_everything(client):
    client.run(set_sharing, "CAN_LEND", False)
    try:
        assert_large(client)
        assert max(client.run(open_memory).values()) == 0
    finally:
        client.run(set_sharing, "CAN_LEND", True)


@needs_memory
def test_a_client_that_may_not_look_into_the_workers(client, monkeypatch):
    monkeypatch.setattr(sharing, "_open", blind)
    assert_large(client)
    monkeypatch.undo()
    assert_nothing_left(client)


def blind(address):
    raise PermissionError("not yours")


def test_a_client_without_shared_memory(client, monkeypatch):
    monkeypatch.setattr(sharing, "CAN_LEND", False)
    assert_large(client)


def test_workers_that_are_threads_of_this_process():
    with (
        distributed.LocalCluster(n_workers=2, processes=False, dashboard_address=None) as local,
        distributed.Client(local) as client,
    ):
        assert_large(client)


def test_an_error_comes_after_the_tables_before_it(client):
    for wrong in (5, 18):
        tables = cluster.cluster_tables(client, Large(wrong), 1, chunks(30))
        for number in range(wrong):
            assert (next(tables).particles["px"] == number).all()
        with pytest.raises(WeightError, match="a factor is nan"):
            next(tables)


CLIENT = """
import os, sys
import cloudpickle
import distributed
sys.path.insert(0, {folder!r})
import test_dask

cloudpickle.register_pickle_by_value(test_dask)
with distributed.Client({address!r}) as client:
    work = test_dask.cluster.cluster_tables(client, test_dask.Large(), 1, test_dask.chunks(10**6))
    for number, table in enumerate(work):
        if number == 50:
            print("at work", flush=True)
"""


@needs_memory
def test_a_killed_client_leaves_no_memory_behind(client):
    script = CLIENT.format(
        folder=str(Path(__file__).parent), address=client.scheduler_info()["address"]
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            said = process.stdout.readline()
            lent = max(client.run(open_memory).values())
        finally:
            process.kill()
    assert (said, lent > 0) == ("at work\n", True)
    assert_nothing_left(client)


class Murderer(Trivial):
    """Ends every process that makes its chunk."""

    def chunk(self, seed, number, n, first):
        if number == self.wrong:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().chunk(seed, number, n, first)


@pytest.mark.slow
def test_chunks_that_end_every_worker_end_the_run(client):
    tables = cluster.cluster_tables(client, Murderer(wrong=2), 1, chunks(10))
    assert next(tables).events["event"][0] == 0
    assert next(tables).events["event"][0] == CHUNK_SIZE
    with pytest.raises(WorkerError, match="Chunk 2 was lost again and again"):
        next(tables)


class Mortal(Trivial):
    """Ends the process that makes its chunk, but not a second time."""

    def chunk(self, seed, number, n, first):
        if number == 7 and not self.wrong.exists():
            self.wrong.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().chunk(seed, number, n, first)


def test_chunks_of_a_lost_worker_are_made_again(client, tmp_path):
    injector = Mortal(tmp_path / "once")
    tables = list(cluster.cluster_tables(client, injector, 1, chunks(30)))
    assert [int(t.events["event"][0]) // CHUNK_SIZE for t in tables] == list(range(30))


def test_a_client_is_told_from_other_things(client):
    assert cluster.is_client(client)
    assert not cluster.is_client("threads")
    assert not cluster.is_client(None)
    with pytest.raises(ConfigError, match=r"distributed\.Client"):
        sp.Simulation(
            "nd280", "t2k-nd280:fhc:numu", sp.DipolePortal(mass=0.1, d_mu=1e-7), region="tpc"
        ).run(10, backend=object())
    assert issubclass(WorkerError, SirenError)
