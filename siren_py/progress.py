"""Progress of long work: a bar on a terminal, silence elsewhere, or a function of the user's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ProgressFunction = Callable[[int, int], None]
"""Called with (done, total) whenever a part of the work is done."""

ProgressLike = bool | ProgressFunction | None
"""True or None: a bar if the error stream is a terminal; False: silence; or a function."""


@contextmanager
def progress_bar(total: int, what: str, progress: ProgressLike) -> Iterator[ProgressFunction]:
    """Yield a function to call with (done, total) as the work proceeds.

    Parameters
    ----------
    total
        Amount of work.
    what
        Words in front of the bar.
    progress
        What the user asked for; see `ProgressLike`.
    """
    if callable(progress):
        yield progress
        return
    # A program without a console (pythonw, a service) has no error stream at all.
    if progress is False or sys.stderr is None or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, _: bar.update(task, completed=done)


def _silent(done: int, total: int) -> None:
    del done, total
