"""Where the chunks of a run are made: threads, processes or a dask cluster."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from siren_py.errors import ConfigError, unknown_name
from siren_py.parallel import check_workers, map_in_order
from siren_py.runs.chunks import Chunk
from siren_py.spilling import Overflow, Spilled, no_overflow
from siren_py.tree import EventTable

if TYPE_CHECKING:
    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector

BACKENDS = ("threads", "processes")


def check_backend(backend: object) -> None:
    """Raise an error unless chunks can be made there.

    Raises
    ------
    UnknownNameError, ConfigError
        If `backend` is neither a name in `BACKENDS` nor a client of a dask cluster.
    """
    from siren_py.runs.cluster import is_client

    if isinstance(backend, str):
        if backend not in BACKENDS:
            raise unknown_name(
                "backend", backend, BACKENDS, "A dask cluster is given by its distributed.Client."
            )
    elif not is_client(backend):
        raise ConfigError(
            f"The backend must be one of {', '.join(map(repr, BACKENDS))} or the client of a dask "
            f"cluster (distributed.Client); it is {backend!r}."
        )


def tables_in_order(
    injector: Injector | ArrivalInjector,
    seed: int,
    chunks: Iterable[Chunk],
    workers: int,
    backend: Any,
    overflow: Overflow = no_overflow,
) -> Generator[EventTable | Spilled, None, None]:
    """Make chunks and yield their tables in the order of the chunks.

    Parameters
    ----------
    injector
        What makes them.
    seed
        Seed of the run.
    chunks
        The chunks; taken up as there is room, so that memory is bounded.
    workers
        Number of threads or processes.
    backend
        See `check_backend`.
    overflow
        Says where other processes shall write their tables, if they reach it.
    """
    check_workers(workers)
    check_backend(backend)
    if backend == "threads":
        yield from map_in_order(
            lambda c: injector.chunk(seed, c.number, c.size, c.first), chunks, workers
        )
    elif backend == "processes":
        from siren_py.runs.transport import pack
        from siren_py.runs.worker import WorkerPool

        with (
            WorkerPool(pack(injector), seed, workers, overflow) as pool,
            # One thread waits for each process, also for a single one.
            closing(map_in_order(pool.chunk, chunks, workers, threads=True)) as tables,
        ):
            yield from tables
    else:
        from siren_py.runs.cluster import cluster_tables

        yield from cluster_tables(backend, injector, seed, chunks, overflow)
