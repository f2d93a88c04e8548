"""Progress of long work: a bar on a terminal or in a notebook, or a function of the user's.

Elsewhere, such as in a batch job or a pipe, there is silence.
"""

from __future__ import annotations

import html
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Task

ProgressFunction = Callable[[int, int], None]
"""Called with (done, total) whenever a part of the work is done."""

ProgressLike = bool | ProgressFunction | None
"""True or None: a bar on a terminal (error stream) or in a notebook; False: silence; or a
function."""


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
    if progress is not False and in_notebook():
        bar = _NotebookBar(total, what, start)
        try:
            yield bar.show
        finally:
            bar.end()
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
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress_:
        task = progress_.add_task(what, total=total, completed=start, effective_size=None)

        def show(done: int, _: int, effective_size: float | None = None) -> None:
            progress_.update(task, completed=done, effective_size=effective_size)

        yield show


def on_terminal() -> bool:
    """Return whether there is a terminal to tell people something."""
    # A program without a console (pythonw, a service) has no error stream at all.
    return sys.stderr is not None and sys.stderr.isatty()


def in_notebook() -> bool:
    """Return whether this runs in the kernel of a notebook."""
    # Nothing is imported for it: where there is a kernel, IPython is loaded.
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class _NotebookBar:
    """A bar in the output of a notebook's cell; needs no widgets, so that it is also saved."""

    _PAUSE = 0.1  # s between two pictures: each is a message to the browser

    def __init__(self, total: int, what: str, start: int) -> None:
        display: Any = importlib.import_module("IPython.display").display
        self._total, self._what, self._start = total, what, start
        self._done = start
        self._size: float | None = None
        self._begin = self._last = time.monotonic()
        self._handle: Any = display(self._picture(), display_id=True)

    def show(self, done: int, total: int, effective_size: float | None = None) -> None:
        """Take notice of what is done, and show it from time to time."""
        del total
        self._done, self._size = done, effective_size
        if time.monotonic() - self._last >= self._PAUSE:
            self._update()

    def end(self) -> None:
        """Show how far it got."""
        self._update()

    def _update(self) -> None:
        self._last = time.monotonic()
        if self._handle is not None:
            self._handle.update(self._picture())

    def _picture(self) -> Any:
        page: Any = importlib.import_module("IPython.display").HTML
        seconds = time.monotonic() - self._begin
        words = f"{self._done:,}/{self._total:,}"
        if seconds > 0.0 and self._done > self._start:
            words += f", {(self._done - self._start) / seconds:,.0f}/s"
        if self._size is not None:
            words += f", effective size {self._size:.3g}"
        return page(
            f'<div>{html.escape(self._what)} <progress max="{max(self._total, 1)}" '
            f'value="{self._done}" style="width:20em;vertical-align:middle"></progress> '
            f"{words}, {seconds:.1f} s</div>"
        )


def _silent(done: int, total: int, effective_size: float | None = None) -> None:
    del done, total, effective_size
