"""Tables that are drawn on terminals (rich) and in notebooks (HTML)."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siren_py.estimate import Estimate

if TYPE_CHECKING:
    from rich.table import Table as RichTable

_LINE = "border-bottom:1px solid rgba(128,128,128,0.35)"
_CELL = f"padding:2px 10px;{_LINE}"


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes
    ----------
    columns
        Heads of the columns, with units; no head is shown if all are empty.
    rows
        Texts of the cells, row by row; each as long as `columns`.
    title
        Words above it.
    numbers
        Columns (their numbers from 0) that stand flush right.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    numbers: tuple[int, ...] = ()

    def to_html(self) -> str:
        """Return the table as HTML; whatever its texts hold stays text."""
        # Colours come from the page, so that it can be read on light and dark ones.
        head = "".join(
            f'<th style="{_CELL};text-align:{self._side(i)}">{html.escape(name)}</th>'
            for i, name in enumerate(self.columns)
        )
        heads = f"<thead><tr>{head}</tr></thead>" if any(self.columns) else ""
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="{_CELL};text-align:{self._side(i)}">{html.escape(cell)}</td>'
                for i, cell in enumerate(row)
            )
            + "</tr>"
            for row in self.rows
        )
        words = (
            f'<caption style="text-align:left;font-weight:bold;color:inherit;padding:4px 10px">'
            f"{html.escape(self.title)}</caption>"
            if self.title
            else ""
        )
        return (
            '<table style="border-collapse:collapse;background:transparent;color:inherit;'
            f'margin:4px 0">{words}{heads}<tbody>{body}</tbody></table>'
        )

    def _side(self, column: int) -> str:
        return "right" if column in self.numbers else "left"

    def to_rich(self) -> RichTable:
        """Return the table for `rich.print`; whatever its texts hold stays text."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        result = RichTable(
            title=Text(self.title, style="bold") if self.title else None, box=box.SIMPLE_HEAD,
            title_justify="left", pad_edge=False, show_header=any(self.columns),
        )  # fmt: skip
        for i, name in enumerate(self.columns):
            right = i in self.numbers
            # Names are cut nowhere, so that they can be copied: they go on in the next line.
            result.add_column(
                Text(name), justify="right" if right else "left", overflow="fold", no_wrap=right
            )
        for row in self.rows:
            result.add_row(*map(Text, row))
        return result


def estimates(
    rows: Iterable[tuple[str, Estimate]], heads: Sequence[str], total: float, title: str = ""
) -> Table:
    """Return a table of names, estimates and their shares of a total.

    Parameters
    ----------
    rows
        Names and estimates.
    heads
        Heads of the columns of names and of estimates.
    total
        What is 100 %; no shares if it is zero.
    title
        Words above the table.
    """
    cells = tuple(
        (
            name,
            f"{estimate.value:.4g}",
            f"{estimate.error:.2g}",
            f"{estimate.value / total:.2%}" if total > 0.0 else "",
        )
        for name, estimate in rows
    )
    return Table((heads[0], heads[1], "error", "share"), cells, title, (1, 2, 3))


def facts(rows: Iterable[tuple[str, object]], title: str = "") -> Table:
    """Return a table of names and values, as texts."""
    return Table(("", ""), tuple((name, str(value)) for name, value in rows), title)


def rich_group(parts: Iterable[str | Table]) -> Any:
    """Return texts and tables one below the other, for `rich.print`."""
    from rich.console import Group
    from rich.text import Text

    return Group(*(p.to_rich() if isinstance(p, Table) else Text(p) for p in parts))
