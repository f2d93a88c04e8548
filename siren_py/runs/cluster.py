"""Chunks on a dask cluster: a few in flight per thread of the cluster, results in order.

A task of dask costs five milliseconds of the scheduler, the client and the worker together, so
quick chunks go out in groups. Tables from workers on the client's machine come through shared
memory (see `siren_py.runs.sharing`), those of others through dask. Which is which needs no
setting: a worker lends its tables if it finds what the client lends.
"""

from __future__ import annotations

import time
import uuid
import warnings
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from pickle import PickleBuffer
from typing import TYPE_CHECKING, Any, NamedTuple

from siren_py.errors import SirenError, WorkerError
from siren_py.runs.chunks import Chunk
from siren_py.runs.heap import keep_freed_memory
from siren_py.runs.sharing import Address, Gone, Lent, borrow, free_spare, is_near, lend
from siren_py.runs.transport import Parcel, injector_of, make_chunk, pack
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
    client: Any, injector: Injector | ArrivalInjector, seed: int, chunks: Iterable[Chunk]
) -> Generator[EventTable, None, None]:
    """Make chunks on a cluster; yield their tables in order.

    dask sends the chunks of a lost worker to another one by itself. It gives a task up when
    several workers in turn die under it, or when what it needs is lost with the last worker;
    then its chunks are sent out anew, a few times.

    Raises
    ------
    WorkerError
        If a chunk fails again and again.
    """
    work = _Work(client, injector, seed)
    try:
        yield from work.tables(chunks)
    finally:
        work.stop()


class _Setup:
    """What a worker needs for the chunks of a run besides their numbers, and keeps to its end."""

    def __init__(self, digest: str, seed: int, home: Address | None, parcel: Parcel | None):
        self.digest, self.seed, self.home, self.parcel = digest, seed, home, parcel
        self._lent: weakref.WeakSet[Lent] | None = None
        self._let_go: Callable[[], object] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lent": None, "_let_go": None}

    def prepare(self) -> None:
        """Make this process keep memory from one chunk to the next while the run lasts."""
        if self._lent is None:
            self._lent = weakref.WeakSet()
            self._let_go = keep_freed_memory(self)
            weakref.finalize(self, _end_loans, self._lent).atexit = False

    def fail(self) -> None:
        """Keep no memory for a run that will end: errors hold on to things for long."""
        if self._let_go is not None:
            self._let_go()
        free_spare()

    def lend(self, table: EventTable) -> EventTable | Lent:
        """Return what takes less time on its way to the client."""
        lent = lend(table) if self.home is not None and is_near(self.home) else None
        if lent is None or self._lent is None:
            return table
        self._lent.add(lent)
        return lent

    def fetch(self) -> Parcel:
        """Return the parcel, wherever it is."""
        if self.parcel is not None:
            return self.parcel._replace(data=zlib.decompress(self.parcel.data))
        found = Gone() if self.home is None else borrow(self.home)
        if isinstance(found, Gone):
            raise _FarError
        parcel, data = found
        return Parcel(parcel.digest, data, parcel.scripts)


def _end_loans(loans: weakref.WeakSet[Lent]) -> None:
    # dask may hold on to what it could not deliver, in the frames of an error.
    for lent in list(loans):
        lent.end()
    free_spare()


class _FarError(Exception):
    """A worker is not on the client's machine; it has to be sent the parcel."""


class _Answer(NamedTuple):
    """What comes of a group of chunks: the tables of the first of them, up to an obstacle."""

    tables: list[EventTable | Lent | Gone]
    seconds: float = 0.0
    far: bool = False


class _Work:
    def __init__(self, client: Any, injector: Injector | ArrivalInjector, seed: int) -> None:
        self._client, self._seed = client, seed
        self._parcel = pack(injector)
        self._home = lend((self._parcel._replace(data=b""), PickleBuffer(self._parcel.data)), 0)
        # No name is used twice: dask would take the result of another run for this one's.
        self._name = f"siren_py-{uuid.uuid4().hex[:12]}"
        self._sent, self._gone, self._shares, self._far = 0, 0, True, self._home is None
        self._group, self._largest = 1, _GROUP
        self._queue: deque[tuple[tuple[Chunk, ...], Any]] = deque()
        self._threads, self._asked = 1, float("-inf")
        self._direct = _on_this_machine(client)
        # The last but one is kept, too: tables are lent for as long as their setup is there.
        self._setups: deque[Any] = deque(maxlen=2)
        self._send()

    def _send(self) -> None:
        # A task that returns its argument, and not `scatter`: the scheduler can repeat a task
        # when all workers that had its result are gone.
        parcel = self._parcel
        setup = _Setup(
            parcel.digest, self._seed,
            self._home.address if self._home is not None and self._shares else None,
            parcel._replace(data=zlib.compress(parcel.data, 1)) if self._far else None,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            key = f"{self._name}-setup-{self._sent}"
            self._setups.append(self._client.submit(_itself, setup, key=key, pure=False))

    def _submit(self, group: tuple[Chunk, ...]) -> Any:
        self._sent += 1
        key = f"{self._name}-{group[0].number}-{self._sent}"
        return self._client.submit(_remote_chunks, self._setups[-1], group, key=key, pure=False)

    def stop(self) -> None:
        """Leave the cluster without work that nobody wants any more."""
        if self._queue and self._client.status == "running":
            self._client.cancel([future for _, future in self._queue])
        # Whoever holds on to an error of this run must not hold on to its memory.
        if self._home is not None:
            self._home.end()
        self._queue.clear()
        self._setups.clear()

    def tables(self, chunks: Iterable[Chunk]) -> Iterator[EventTable]:
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

    def _first(self) -> Iterator[EventTable]:
        """Yield the tables of the group that was sent out first."""
        group, future = self._queue.popleft()
        while group:
            tables = self._result(group, future)
            group = group[len(tables) :]
            # What is missing stands behind an obstacle, an error for example, which now is first.
            future = self._submit(group[: self._largest]) if group else None
            while tables:
                yield tables.pop(0)

    def _result(self, group: tuple[Chunk, ...], future: Any) -> list[EventTable]:
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
                self._sent += 1
                self._send()
                future = self._submit(group[: self._largest])
        raise WorkerError(
            f"Chunk {group[0].number} was lost again and again on the dask cluster "
            f"({type(last).__name__}: {last}). See the logs of its workers; want of memory is the "
            "usual reason."
        ) from last

    def _received(self, answer: _Answer) -> list[EventTable]:
        if answer.far and not self._far:
            self._far = True
            self._send()
        tables: list[EventTable] = []
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
            self._shares, self._far = False, True
            self._send()


def _on_this_machine(client: Any) -> bool | None:
    """Return True if all workers are here; None, which leaves it to the client, if not.

    Answers of workers that can be reached for certain need not go through the scheduler, which
    would take them in and send them out again.
    """
    hosts = {address.rpartition(":")[0] for address in client.nthreads()}
    return True if hosts and hosts <= {"tcp://127.0.0.1", "tcp://[::1]"} else None


def _itself(setup: _Setup) -> _Setup:
    return setup


def _remote_chunks(setup: _Setup, group: tuple[Chunk, ...]) -> _Answer:
    """Make the chunks of a group, up to the first that fails; an error only if it is the first."""
    begin = time.monotonic()
    setup.prepare()
    tables: list[EventTable | Lent | Gone] = []
    try:
        injector = injector_of(setup.digest, setup.fetch)
        for chunk in group:  # one by one: those before an error are kept
            tables.append(setup.lend(make_chunk(injector, setup.seed, chunk)))  # noqa: PERF401
    except _FarError:
        return _Answer([], far=True)
    except Exception:
        if not tables:
            setup.fail()
            raise
    return _Answer(tables, time.monotonic() - begin)
