"""Chunks on a dask cluster: a few in flight per thread of the cluster, results in order.

A task of dask costs five milliseconds of the scheduler, the client and the worker together, so
quick chunks go out in groups. Tables from workers on the client's machine come through shared
memory (see `siren_py.runs.sharing`), those of others through dask. Which is which needs no
setting: a worker lends its tables if it finds what the client lends. Tables for which the client
has no room in memory such workers write into its temporary folder.
"""

from __future__ import annotations

import time
import uuid
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from pickle import PickleBuffer
from typing import TYPE_CHECKING, Any

from siren_py.errors import SirenError, WorkerError
from siren_py.runs.chunks import Chunk
from siren_py.runs.remote import Answer, Package, Setup, Shared, make_chunks
from siren_py.runs.sharing import Gone, Lent, borrow, lend, show_presence
from siren_py.runs.transport import pack
from siren_py.spilling import Overflow, Spilled, no_overflow
from siren_py.tree import EventTable

if TYPE_CHECKING:
    from siren_py.injection.arrival import ArrivalInjector
    from siren_py.injection.injector import Injector

_AHEAD = 8
"""Chunks in flight per thread of the cluster: enough to keep it busy, few enough for memory."""
_GROUP = 4
"""Most chunks of a task: two tasks per thread are then in flight."""
_TASK = 0.5
"""Time that a task should take, at least [s]; slower chunks go out one by one."""
_LOSSES = 5
"""How often a chunk is sent out anew after the cluster has lost it."""
_KILLS = 2
"""How often it is sent out in all if each time several workers in turn died under it."""
_LOSS_ERRORS = {"KilledWorker", "CommClosedError", "CancelledError", "FutureCancelledError"}
"""Errors of dask that say that a worker or a result is gone; by name, as they move about."""
_REFRESH = 2.0
"""How often the size of the cluster is asked for [s]: adaptive ones grow and shrink."""


def is_client(backend: object) -> bool:
    """Return whether `backend` is a client of a dask cluster, without importing dask."""
    return any(c.__module__.split(".")[0] == "distributed" for c in type(backend).__mro__)


def cluster_tables(
    client: Any,
    injector: Injector | ArrivalInjector,
    seed: int,
    chunks: Iterable[Chunk],
    overflow: Overflow = no_overflow,
) -> Generator[EventTable | Spilled, None, None]:
    """Make chunks on a cluster; yield their tables in order.

    dask sends the chunks of a lost worker to another one by itself. It gives a task up when
    several workers in turn die under it, or when what it needs is lost with the last worker;
    then its chunks are sent out anew, a few times.

    Raises
    ------
    WorkerError
        If a chunk fails again and again.
    """
    work = _Work(client, injector, seed, overflow)
    try:
        yield from work.tables(chunks)
    finally:
        work.stop()


class _Work:
    def __init__(
        self,
        client: Any,
        injector: Injector | ArrivalInjector,
        seed: int,
        overflow: Overflow,
    ) -> None:
        self._client, self._seed, self._overflow = client, seed, overflow
        self._parcel = pack(injector)
        self._home = lend((self._parcel._replace(data=b""), PickleBuffer(self._parcel.data)), 0)
        self._presence = show_presence()
        # No name is used twice: dask would take the result of another run for this one's.
        self._name = f"siren_py-{uuid.uuid4().hex[:12]}"
        self._sent, self._gone, self._largest, self._group = 0, 0, _GROUP, 1
        near = None
        if self._home is not None and self._presence is not None:
            near = Shared(self._home.address, self._presence.address)
        self._setup = Setup(self._parcel.digest, seed, near)
        self._package: Any = None
        self._queue: deque[tuple[tuple[Chunk, ...], Any]] = deque()
        self._threads, self._asked = 1, float("-inf")
        self._direct = _on_this_machine(client)
        if near is None:
            self._send_package()

    def _send_package(self) -> None:
        # A task that returns its argument, and not `scatter`: the scheduler can repeat a task
        # when all workers that had its result are gone.
        self._sent += 1
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            key = f"{self._name}-package-{self._sent}"
            package = Package(self._parcel)
            self._package = self._client.submit(_itself, package, key=key, pure=False)

    def _submit(self, group: tuple[Chunk, ...]) -> Any:
        self._sent += 1
        key = f"{self._name}-{group[0].number}-{self._sent}"
        return self._client.submit(
            make_chunks, self._setup, self._package, group, self._overflow(), key=key, pure=False
        )

    def stop(self) -> None:
        """Leave the cluster without work that nobody wants any more."""
        if self._queue and self._client.status == "running":
            self._client.cancel([future for _, future in self._queue])
        # Whoever holds on to an error of this run must not hold on to its memory.
        for shared in (self._presence, self._home):
            if shared is not None:
                shared.end()
        self._queue.clear()
        self._package = None

    def tables(self, chunks: Iterable[Chunk]) -> Iterator[EventTable | Spilled]:
        """Yield the tables of the chunks."""
        for group in self._groups(iter(chunks)):
            while self._queue and self._flying() + len(group) > _AHEAD * self._threads:
                yield from self._first()
            self._queue.append((group, self._submit(group)))
        while self._queue:
            yield from self._first()

    def _flying(self) -> int:
        return sum(len(group) for group, _ in self._queue)

    def _groups(self, chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, ...]]:
        waiting: deque[Chunk] = deque()
        while True:
            self._count_threads()
            shares = 2 * self._threads
            waiting.extend(islice(chunks, max(shares * self._group - len(waiting), 0)))
            if not waiting:
                return
            # The last groups are smaller, so that all workers come to the end together.
            size = min(self._group, -(-len(waiting) // shares))
            yield tuple(waiting.popleft() for _ in range(size))

    def _count_threads(self) -> None:
        now = time.monotonic()
        if now - self._asked > _REFRESH:
            self._threads = max(sum(self._client.nthreads().values()), 1)
            self._asked = now

    def _first(self) -> Iterator[EventTable | Spilled]:
        """Yield the tables of the group that was sent out first."""
        group, future = self._queue.popleft()
        while group:
            tables = self._result(group, future)
            group = group[len(tables) :]
            # What is missing stands behind an obstacle, an error for example, which now is first.
            future = self._submit(group[: self._largest]) if group else None
            while tables:
                yield tables.pop(0)

    def _result(self, group: tuple[Chunk, ...], future: Any) -> list[EventTable | Spilled]:
        """Return the tables of the first chunks of a group, or of all; none if out of reach."""
        kills = 0
        for _ in range(_LOSSES):
            try:
                return self._received(self._client.gather(future, direct=self._direct))
            except (SirenError, KeyboardInterrupt):
                raise
            except BaseException as error:
                names = {c.__name__ for c in type(error).__mro__}
                if names.isdisjoint(_LOSS_ERRORS):
                    raise
                last = error
                if "KilledWorker" in names:
                    # One by one from now on: it shall be seen which chunk it is.
                    kills, self._largest = kills + 1, 1
                if self._client.status != "running" or kills == _KILLS:
                    break
                if self._package is not None:
                    self._send_package()
                future = self._submit(group[: self._largest])
        raise WorkerError(
            f"Chunk {group[0].number} was lost again and again on the dask cluster "
            f"({type(last).__name__}: {last}). See the logs of its workers; want of memory is the "
            "usual reason."
        ) from last

    def _received(self, answer: Answer) -> list[EventTable | Spilled]:
        if answer.far and self._package is None:
            self._send_package()
        tables: list[EventTable | Spilled] = []
        for table in answer.tables:
            # A worker in this very process hands over the thing itself.
            found = borrow(table.address) if isinstance(table, Lent) else table
            if isinstance(found, Gone):
                self._lost_sight()
                break
            tables.append(found)
        if answer.tables:
            each = answer.seconds / len(answer.tables)
            wanted = _GROUP if each * _GROUP <= _TASK else max(round(_TASK / each), 1)
            self._group = min(wanted, self._largest)
        return tables

    def _lost_sight(self) -> None:
        """Give up sharing memory if it does not work: that of a worker that died counts little."""
        self._gone += 1
        if self._gone == _LOSSES:
            self._setup = self._setup._replace(shared=None)
            self._send_package()


def _on_this_machine(client: Any) -> bool | None:
    """Return True if all workers are here; None, which leaves it to the client, if not.

    Answers of workers that can be reached for certain need not go through the scheduler, which
    would take them in and send them out again.
    """
    hosts = {address.rpartition(":")[0] for address in client.nthreads()}
    return True if hosts and hosts <= {"tcp://127.0.0.1", "tcp://[::1]"} else None


def _itself(package: Package) -> Package:
    return package
