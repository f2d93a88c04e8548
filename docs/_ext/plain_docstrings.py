"""Sphinx extension: docstrings are plain text; keep formulas in them from being read as markup.

In ``|U|^2`` Sphinx sees a substitution and in ``a*b*c`` emphasis. Outside of literals, and of
the stars of numpydoc's parameters, these signs are escaped.
"""

from __future__ import annotations

import re
from typing import Any

LITERAL = re.compile(r"(``.*?``|`[^`]*`)")
STARRED = re.compile(r"^\s*\*\*?\w+(\s*:.*)?$")


def escape(line: str) -> str:
    if STARRED.match(line):
        return line
    parts = LITERAL.split(line)
    # re.split puts the literals at odd places.
    parts[::2] = [re.sub(r"(?<!\\)([|*])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def clean(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    del app, what, name, obj, options
    literal = False
    for i, line in enumerate(lines):
        if literal and line.strip() and not line.startswith(" "):
            literal = False
        if not literal and not line.lstrip().startswith((">>>", "...", ":")):
            lines[i] = escape(line)
        if line.rstrip().endswith("::"):
            literal = True


def setup(app: Any) -> dict[str, Any]:
    # Before numpydoc (priority 500), which sees the docstring as it was written.
    app.connect("autodoc-process-docstring", clean, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
