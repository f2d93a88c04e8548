"""Chunks on a dask cluster: a few in flight per thread of the cluster, results in order."""

from __future__ import annotations

import time
import uuid
import warnings
import zlib
from collections import deque
from collections.abc import Generator, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from siren_py.errors import SirenError, WorkerError
from siren_py.runs.chunks import Chunk
from siren_py.runs.transport import Parcel, make_chunk, pack
from siren_py.tree import EventTable

if TYPE_CHECKING:
    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector

_AHEAD = 4
"""Chunks in flight per thread of the cluster: enough to keep it busy, few enough for memory."""
_LOSSES = 5
"""How often a chunk is sent out anew after dask has given it up."""
_LOSS_ERRORS = {"KilledWorker", "CommClosedError", "CancelledError", "FutureCancelledError"}
"""Errors of dask that say that a worker or a result is gone; by name, as they move about."""
_REFRESH = 2.0
"""How often the size of the cluster is asked for [s]: adaptive ones grow and shrink."""


def is_client(backend: object) -> bool:
    """Return whether `backend` is a client of a dask cluster, without importing dask."""
    return any(c.__module__.split(".")[0] == "distributed" for c in type(backend).__mro__)


def cluster_tables(
    client: Any, injector: Injector | ArrivalInjector, seed: int, chunks: Iterable[Chunk]
) -> Generator[EventTable, None, None]:
    """Make chunks on a cluster; yield their tables in order.

    dask sends the chunks of a lost worker to another one by itself. It gives a chunk up when
    several workers in turn die under it, or when what it needs is lost with the last worker;
    then it is sent out anew, a few times.

    Raises
    ------
    WorkerError
        If a chunk fails again and again.
    """
    work = _Work(client, injector, seed)
    queue: deque[tuple[Chunk, Any]] = deque()
    try:
        for chunk in chunks:
            queue.append((chunk, work.submit(chunk)))
            if len(queue) >= work.window():
                yield work.result(*queue.popleft())
        while queue:
            yield work.result(*queue.popleft())
    finally:
        # Whoever stops reading must not leave the cluster at work on what nobody wants.
        if queue and client.status == "running":
            client.cancel([future for _, future in queue])


class _Work:
    def __init__(self, client: Any, injector: Injector | ArrivalInjector, seed: int) -> None:
        self._client, self._seed = client, seed
        parcel = pack(injector)
        self._packed = parcel._replace(data=zlib.compress(parcel.data, 1))
        # No name is used twice: dask would take the result of another run for this one's.
        self._name = f"siren_py-{uuid.uuid4().hex[:12]}"
        self._sent = 0
        self._parcel = self._send()
        self._window, self._asked = 0, 0.0
        self._direct = _on_this_machine(client)

    def _send(self) -> Any:
        # A task that returns its argument, and not `scatter`: the scheduler can repeat a task
        # when all workers that had its result are gone.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            key = f"{self._name}-setup-{self._sent}"
            return self._client.submit(_itself, self._packed, key=key, pure=False)

    def submit(self, chunk: Chunk) -> Any:
        self._sent += 1
        return self._client.submit(
            _remote_chunk, self._parcel, self._seed, chunk.number, chunk.size,
            key=f"{self._name}-{chunk.number}-{self._sent}", pure=False,
        )  # fmt: skip

    def window(self) -> int:
        now = time.monotonic()
        if now - self._asked > _REFRESH:
            self._window = _AHEAD * max(sum(self._client.nthreads().values()), 1)
            self._asked = now
        return self._window

    def result(self, chunk: Chunk, future: Any) -> EventTable:
        for _ in range(_LOSSES):
            try:
                table: EventTable = self._client.gather(future, direct=self._direct)
                return table
            except (SirenError, KeyboardInterrupt):
                raise
            except BaseException as error:
                if not _is_loss(error):
                    raise
                last = error
                if self._client.status != "running":
                    break
                self._sent += 1
                self._parcel = self._send()
                future = self.submit(chunk)
        raise WorkerError(
            f"Chunk {chunk.number} was lost again and again on the dask cluster "
            f"({type(last).__name__}: {last}). See the logs of its workers; want of memory is the "
            "usual reason."
        ) from last


def _on_this_machine(client: Any) -> bool | None:
    """Return True if all workers are here; None, which leaves it to the client, if not.

    Tables from workers that can be reached for certain need not go through the scheduler, which
    would take them in and send them out again.
    """
    hosts = {address.rpartition(":")[0] for address in client.nthreads()}
    return True if hosts and hosts <= {"tcp://127.0.0.1", "tcp://[::1]"} else None


def _is_loss(error: BaseException) -> bool:
    """Return whether the cluster failed, and not the work."""
    names = {c.__name__ for c in type(error).__mro__}
    return not names.isdisjoint(_LOSS_ERRORS)


def _itself(parcel: Parcel) -> Parcel:
    return parcel


@lru_cache(maxsize=2)
def _unpacked(parcel: Parcel) -> Parcel:
    return parcel._replace(data=zlib.decompress(parcel.data))


def _remote_chunk(parcel: Parcel, seed: int, number: int, size: int) -> EventTable:
    return make_chunk(_unpacked(parcel), seed, number, size)
