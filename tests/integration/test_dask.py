"""A local dask cluster: little time per chunk, few chunks in flight, errors that come home."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import ConfigError, SirenError, WeightError, WorkerError
from siren_py.runs import cluster
from siren_py.runs.chunks import CHUNK_SIZE, Chunk
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
        assert len(taken) - number <= cluster._AHEAD * 2
    tables.close()
    assert len(taken) < 20


def test_an_error_in_a_chunk_is_the_error_of_the_run(client):
    tables = cluster.cluster_tables(client, Trivial(wrong=3), 1, chunks(20))
    for _ in range(3):
        next(tables)
    with pytest.raises(WeightError, match="a factor is nan"):
        next(tables)


def test_a_run_on_the_cluster_has_the_same_bits(client, tmp_path):
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    n = CHUNK_SIZE + 1000
    one = sim.run(n, seed=1, progress=False)
    other = sim.run(n, seed=1, progress=False, backend=client, output=tmp_path / "a.root")
    for name, column in one.table().arrays().items():
        np.testing.assert_array_equal(column, other.table().arrays()[name], err_msg=name)


class Murderer(Trivial):
    """Ends every process that makes its chunk."""

    def chunk(self, seed, number, n, first):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_chunks_that_end_every_worker_end_the_run(client):
    with pytest.raises(WorkerError, match="was lost again and again"):
        list(cluster.cluster_tables(client, Murderer(), 1, chunks(1)))


def test_a_client_is_told_from_other_things(client):
    assert cluster.is_client(client)
    assert not cluster.is_client("threads")
    assert not cluster.is_client(None)
    with pytest.raises(ConfigError, match=r"distributed\.Client"):
        sp.Simulation(
            "nd280", "t2k-nd280:fhc:numu", sp.DipolePortal(mass=0.1, d_mu=1e-7), region="tpc"
        ).run(10, backend=object())
    assert issubclass(WorkerError, SirenError)
