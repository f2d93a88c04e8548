"""XML of strangers as a tree with line numbers; no entities, no files, within limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from siren_py.errors import FormatError
from siren_py.io.text import MAX_BYTES, read_bytes, shortened


@dataclass(frozen=True)
class Limits:
    """What a GDML file may ask for; each limit stops a file that would never end otherwise.

    Attributes
    ----------
    max_bytes
        Size of all files together [bytes].
    max_nodes
        XML elements, counted with the repetitions of loops.
    max_depth
        Nesting of elements, of volumes and of booleans.
    max_volumes
        Placed volumes.
    max_parts
        Solids that one boolean is made of.
    max_files
        Files that are read.
    """

    max_bytes: int = MAX_BYTES
    max_nodes: int = 1_000_000
    max_depth: int = 100
    max_volumes: int = 100_000
    max_parts: int = 500
    max_files: int = 1000


@dataclass
class Node:
    """An element: its tag without prefix, its attributes, children, text and place.

    Attributes
    ----------
    tag, attributes, text
        As in the file.
    path, line
        Where it stands.
    children
        Elements inside.
    """

    tag: str
    attributes: dict[str, str]
    path: Path
    line: int
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def fault(self, text: str) -> FormatError:
        """Return the error that names file, line and element."""
        name = self.attributes.get("name")
        what = f"<{self.tag}>" if name is None else f"<{self.tag} name={name!r}>"
        return FormatError(f"{self.path}, line {self.line}: {shortened(f'{what}: {text}')}")

    def get(self, key: str) -> str:
        """Return an attribute that must be there."""
        if key not in self.attributes:
            raise self.fault(f'the attribute {key!r} is missing; write {key}="...".')
        return self.attributes[key]

    def find(self, *tags: str) -> Node | None:
        """Return the first child with one of some tags, or None."""
        return next((child for child in self.children if child.tag in tags), None)

    def need(self, *tags: str) -> Node:
        """Return the first child with one of some tags, which must be there."""
        child = self.find(*tags)
        if child is None:
            raise self.fault(f"the element <{'> or <'.join(tags)}> is missing.")
        return child

    def all(self, *tags: str) -> Iterator[Node]:
        """Return the children with some tags."""
        return (child for child in self.children if child.tag in tags)


class _Builder:
    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.root: Node | None = None
        self._open: list[Node] = []
        self._text: list[str] = []
        self._nodes = 0
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._external
        parser.SkippedEntityHandler = self._skipped

    def fault(self, text: str) -> FormatError:
        return FormatError(f"{self.path}, line {self.parser.CurrentLineNumber}: {text}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._nodes += 1
        if self._nodes > self.limits.max_nodes:
            raise self.fault(
                f"more than {self.limits.max_nodes} elements; raise max_nodes if that is right."
            )
        if len(self._open) >= self.limits.max_depth:
            raise self.fault(f"elements are nested more than {self.limits.max_depth} deep.")
        node = Node(tag.rpartition(":")[2], attributes, self.path, self.parser.CurrentLineNumber)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def _end(self, _tag: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        # Only <expression> has text that counts; what surrounds other elements is white space.
        if self._open and self._open[-1].tag == "expression":
            self._open[-1].text += text

    def _entity(self, name: str, *_rest: object) -> NoReturn:
        raise self.fault(
            f"the file declares the entity {name!r}. Entities are refused, because they can blow "
            "up a file or reach for others: write the text itself, or read a part of the geometry "
            '<file name="part.gdml"/> in a <physvol>.'
        )

    def _external(self, *_rest: object) -> NoReturn:
        raise self.fault("an external entity is refused; put its text in the file itself.")

    def _skipped(self, name: str, *_rest: object) -> NoReturn:
        raise self.fault(f"the entity &{name}; is not defined, and entities are refused.")


def parse_xml(path: Path, limits: Limits, what: str = "a GDML file") -> tuple[Node, int]:
    """Read an XML file.

    Parameters
    ----------
    path
        The file.
    limits
        See `Limits`.
    what
        What it should be, for the error texts.

    Returns
    -------
    tuple
        The root, and the size of the file [bytes].

    Raises
    ------
    FormatError
        If it is no well-formed XML, has entities, or exceeds a limit.
    """
    data = read_bytes(path, what, limits.max_bytes)
    builder = _Builder(path, limits)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise FormatError(
            f"{path}, line {error.lineno}, column {error.offset + 1}: this is no well-formed XML "
            f"({reason}); expected {what}."
        ) from error
    except FormatError:
        raise
    except (ValueError, LookupError) as error:
        raise FormatError(f"{path}: the encoding of the XML cannot be read: {error}.") from error
    if builder.root is None:
        raise FormatError(f"{path}: the file is empty; expected {what}.")
    return builder.root, len(data)
