"""References: entries of BibTeX, found by key, by arXiv number, or made of a citation in words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from siren_py.errors import FormatError

_FILE = Path(__file__).resolve().parent / "data" / "references.bib"

_OWN = "siren_py"
"""Key of the package, and what its own estimates are said to be from."""

_START = re.compile(r"@(\w+)\s*\{\s*([^\s,{}]+)\s*,")
_ARXIV = re.compile(r"arxiv[:\s/]*(?:abs/)?(\d{4}\.\d{4,5}|[a-z-]+/\d{7})(?:v\d+)?", re.IGNORECASE)
_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s,;{}\"]+)")
_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\~{}", "^": r"\^{}", "\\": r"\backslash{}"}


@dataclass(frozen=True)
class Citation:
    """A reference, and what it is cited for.

    Attributes
    ----------
    key
        Key of the entry.
    bibtex
        The entry, text of BibTeX.
    eprint
        arXiv number; empty if it has none, or none is known.
    doi
        DOI; empty if none is known.
    used_for
        What it is cited for: ``"detector nd280"``, ``"flux t2k-nd280"``, ...; with a remark where
        the source says that a citation is not verified.
    """

    key: str
    bibtex: str
    eprint: str = ""
    doi: str = ""
    used_for: tuple[str, ...] = field(default=(), compare=False)

    def cited_for(self, what: str) -> Citation:
        """Return the same reference, cited for one thing more."""
        return self if what in self.used_for else replace(self, used_for=(*self.used_for, what))


def read_bibtex(text: str) -> list[Citation]:
    """Read entries of BibTeX; what stands between them is a comment.

    Raises
    ------
    FormatError
        If the braces of an entry are not balanced.

    Examples
    --------
    >>> [one.key for one in read_bibtex("@misc{a, year = {2000}} @misc{b, eprint = {1001.0001}}")]
    ['a', 'b']
    """
    return list(_entries(text))


def _entries(text: str) -> Iterator[Citation]:
    place = 0
    while (start := _START.search(text, place)) is not None:
        place = _end(text, start.start(), start[2])
        entry = text[start.start() : place]
        yield Citation(start[2], entry, _value(entry, "eprint"), _value(entry, "doi"))


def _end(text: str, start: int, key: str) -> int:
    """Return the place behind the brace that closes the entry."""
    depth = 0
    for i in range(text.index("{", start), len(text)):
        if text[i] in "{}" and text[i - 1] != "\\":
            depth += 1 if text[i] == "{" else -1
            if depth == 0:
                return i + 1
    raise FormatError(f"The braces of the BibTeX entry {key!r} are not balanced.")


def _value(entry: str, name: str) -> str:
    """Return a field of an entry; empty if it has none."""
    found = re.search(rf"\b{name}\s*=\s*[{{\"]([^}}\"]*)[}}\"]", entry, re.IGNORECASE)
    return found[1].strip() if found else ""


@lru_cache(maxsize=1)
def references() -> dict[str, Citation]:
    """Return the references that come with siren_py, by key."""
    from siren_py import __version__

    text = _FILE.read_text(encoding="utf-8")
    return {one.key: one for one in read_bibtex(text.replace("@VERSION@", __version__))}


@lru_cache(maxsize=1)
def _by_eprint() -> dict[str, Citation]:
    return {one.eprint: one for one in references().values() if one.eprint}


@lru_cache(maxsize=1)
def _by_page() -> dict[tuple[str, str, str], Citation]:
    """References by letters of the journal, volume and page."""
    return {
        (_letters(_value(one.bibtex, "journal")), _value(one.bibtex, "volume"),
         _value(one.bibtex, "pages")): one
        for one in references().values()
        if _value(one.bibtex, "pages")
    }  # fmt: skip


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalpha()).casefold()


def resolve(text: str) -> list[Citation]:
    """Return the references that a citation names.

    Parameters
    ----------
    text
        A key of `references`; entries of BibTeX; or words, such as ``"T2K, Phys. Rev. D 87,
        012001 (2013), arXiv:1211.0469"``. Words with several arXiv numbers name as many
        references. Of words that name none that is known, an entry is made that quotes them.

    Returns
    -------
    list of Citation
        At least one.

    Raises
    ------
    FormatError
        If an entry of BibTeX is not whole.

    Examples
    --------
    >>> [one.key for one in resolve("M. Liu et al., arXiv:2412.15051, after arXiv:2105.09699")]
    ['liu2024', 'schwetz2021']
    """
    words = text.strip()
    if words in references():
        return [references()[words]]
    if words.startswith(f"{_OWN},"):
        return [references()[_OWN]]
    if words.startswith("@"):
        found = read_bibtex(words)
        if not found:
            raise FormatError(f"This is no entry of BibTeX: {words[:60]!r}.")
        return found
    numbers = list(dict.fromkeys(_ARXIV.findall(words)))
    if numbers:
        known = _by_eprint()
        return [known[n] if n in known else _made(words, eprint=n) for n in numbers]
    printed = re.search(r"([A-Z][A-Za-z. ]+?)\s*(\d+),\s*(\w+)\s*\(\d{4}\)", words)
    if printed:
        one = _by_page().get((_letters(printed[1]), printed[2], printed[3]))
        if one is not None:
            return [one]
    doi = _DOI.search(words)
    return [_made(words, doi=doi[1].rstrip(".)") if doi else "")]


def _made(words: str, eprint: str = "", doi: str = "") -> Citation:
    """Make an entry that quotes a citation in words."""
    mark = hashlib.sha256(words.encode()).hexdigest()[:8]
    key = f"arxiv-{eprint.replace('/', '-')}" if eprint else f"source-{mark}"
    fields = {"note": "".join(_SPECIAL.get(c, c) for c in words)}
    if eprint:
        fields |= {"eprint": eprint, "archivePrefix": "arXiv"}
    if doi:
        fields["doi"] = doi
    body = ",\n  ".join(f"{name} = {{{value}}}" for name, value in fields.items())
    return Citation(key, f"@misc{{{key},\n  {body}\n}}", eprint, doi)
