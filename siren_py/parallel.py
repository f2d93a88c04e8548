"""Work in numbered chunks over several threads, results in order.

The kernels release the global interpreter lock, so threads share the compiled code and the
tables and cost no start-up. Results do not depend on the number of workers, because a chunk
depends on its number alone.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from siren_py.errors import ConfigError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_AHEAD = 2
"""Chunks kept in flight per worker: enough to keep all busy, few enough to bound memory."""


_thread = threading.local()


def default_workers() -> int:
    """Return how many threads to use when nobody says: the cores that this process may use.

    It is 1 on a thread of `map_in_order`, where the cores are busy already.
    """
    if getattr(_thread, "is_worker", False):
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers(workers: object) -> int:
    """Return a number of workers, or raise a `ConfigError` if it is no positive integer."""
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ConfigError(f"The number of workers must be a positive integer; it is {workers!r}.")
    return workers


def _mark_worker() -> None:
    _thread.is_worker = True


def map_in_order(
    function: Callable[[_Task], _Result],
    tasks: Iterable[_Task],
    workers: int,
    *,
    threads: bool = False,
) -> Generator[_Result, None, None]:
    """Apply `function` to the tasks on `workers` threads; yield the results in task order.

    Parameters
    ----------
    function
        What is done.
    tasks
        Its arguments, taken up as there is room.
    workers
        Number of threads.
    threads
        Use a thread also for a single worker, so that work goes on while results are used.

    Raises
    ------
    ConfigError
        If `workers` is not a positive integer.
    """
    check_workers(workers)
    if workers == 1 and not threads:
        yield from map(function, tasks)
        return
    queue: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(
        workers, thread_name_prefix="siren_py", initializer=_mark_worker
    ) as pool:
        try:
            for task in tasks:
                queue.append(pool.submit(function, task))
                if len(queue) >= _AHEAD * workers:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            # An error or an interrupt must not wait for chunks that nobody will read.
            for future in queue:
                future.cancel()
