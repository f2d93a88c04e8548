"""Progress of long work: a bar on a terminal, silence elsewhere, or a function of the user's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Task

ProgressFunction = Callable[[int, int], None]
"""Called with (done, total) whenever a part of the work is done."""

ProgressLike = bool | ProgressFunction | None
"""True or None: a bar if the error stream is a terminal; False: silence; or a function."""


class Report(Protocol):
    """What the work calls as it proceeds."""

    def __call__(self, done: int, total: int, effective_size: float | None = None, /) -> None:
        """Say how much is done, and what the events made so far are worth."""


@contextmanager
def progress_bar(
    total: int, what: str, progress: ProgressLike, *, start: int = 0
) -> Iterator[Report]:
    """Yield a function to call with (done, total) as the work proceeds.

    Parameters
    ----------
    total
        Amount of work.
    what
        Words in front of the bar.
    progress
        What the user asked for; see `ProgressLike`.
    start
        What was done before: it counts as done, but not for the rate.
    """
    if callable(progress):
        function = progress

        def tell(done: int, total: int, effective_size: float | None = None) -> None:
            del effective_size
            function(done, total)

        yield tell
        return
    if progress is False or not on_terminal():
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
    from rich.text import Text

    class Rate(TextColumn):
        """Work done per second since the start, and the effective size where it is told."""

        def render(self, task: Task) -> Text:
            done, seconds = task.completed - start, task.elapsed
            text = f"{done / seconds:,.0f}/s" if done > 0 and seconds else ""
            size = task.fields["effective_size"]
            return Text(text if size is None else f"{text}, effective size {size:.3g}")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(""),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, completed=start, effective_size=None)

        def show(done: int, _: int, effective_size: float | None = None) -> None:
            bar.update(task, completed=done, effective_size=effective_size)

        yield show


def on_terminal() -> bool:
    """Return whether there is a terminal to tell people something."""
    # A program without a console (pythonw, a service) has no error stream at all.
    return sys.stderr is not None and sys.stderr.isatty()


def _silent(done: int, total: int, effective_size: float | None = None) -> None:
    del done, total, effective_size
