"""Putting a page together: words, tables, pictures; what fails becomes words."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from siren_py._optional import MissingDependencyError, import_optional
from siren_py.tables import Table

_T = TypeVar("_T")

_SHARP = 110
"""Pixels per inch of pictures."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def shown(function: Callable[[_T], str]) -> Callable[[_T], str]:
    """Make a function that writes a page safe: what raises becomes the object's plain words."""

    @wraps(function)
    def safe(thing: _T) -> str:
        try:
            return function(thing)
        except Exception as error:  # a notebook would show the traceback in place of the object
            return f"<pre>{html.escape(words(thing))}</pre>" + note(
                f"It cannot be shown in full: {type(error).__name__}: {error}"
            )

    return safe


def words(thing: object) -> str:
    """Return the repr of an object, or its class if even that fails."""
    try:
        return repr(thing)
    except Exception:  # a user's own class may fail in any way
        return f"<{type(thing).__name__}>"


def page(parts: Iterable[str | Table]) -> str:
    """Return texts, tables and HTML one below the other, as one element."""
    written = []
    for part in parts:
        if isinstance(part, Table):
            written.append(part.to_html())
        elif isinstance(part, Html):
            written.append(part)
        else:
            written.append(f'<div style="padding:4px 0">{html.escape(part)}</div>')
    return f'<div style="max-width:100%;overflow-x:auto">{"".join(written)}</div>'


def note(text: str) -> Html:
    """Return a remark in small letters."""
    return Html(f'<div style="opacity:0.75;font-size:90%">{html.escape(text)}</div>')


def folded(title: str, parts: Iterable[str | Table]) -> Html:
    """Return parts that are opened with a click."""
    return Html(f"<details><summary>{html.escape(title)}</summary>{page(parts)}</details>")


def picture(
    draw: Callable[[Any], object],
    size: tuple[float, float] = (5.0, 3.4),
    margins: tuple[float, float] = (0.16, 0.04),
) -> Html:
    """Return a drawing as a picture in the page, or a note on how to get one.

    Parameters
    ----------
    draw
        Draws into the axes that it is given.
    size
        Width and height [inch].
    margins
        Room on the left and on the right, as parts of the width. Fixed, because a layout that
        finds its margins draws everything twice.
    """
    try:
        figures = import_optional("matplotlib.figure", "plot", "Pictures")
    except MissingDependencyError as missing:
        return note(str(missing))
    from siren_py.plot.style import plot_style

    stream = io.BytesIO()
    with plot_style():
        figure = figures.Figure(figsize=size)
        figure.subplots_adjust(left=margins[0], right=1.0 - margins[1], bottom=0.15, top=0.91)
        draw(figure.add_subplot())
        figure.savefig(stream, format="png", dpi=_SHARP)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    style = f"width:{size[0] * 80:.0f}px;max-width:100%;background:white"
    return Html(f'<img style="{style}" src="data:image/png;base64,{data}" alt="plot">')
