"""Reading HepMC3 text (Asciiv3) of any program, line by line.

The format: A. Buckley et al., Comput. Phys. Commun. 260 (2021) 107310, arXiv:1912.08005. Numbers
stay texts where they are attributes, so that they lose nothing.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from siren_py._typing import PathLike
from siren_py.errors import FormatError
from siren_py.io.hepmc.header import END, START, unescaped
from siren_py.io.hepmc.streams import open_to_read


class Particle(NamedTuple):
    """A line of a particle."""

    number: int
    origin: int
    """Number of the vertex that made it (below 0), of its only mother (above 0), or 0."""
    pdg: int
    px: float
    py: float
    pz: float
    energy: float
    mass: float
    status: int


class Vertex(NamedTuple):
    """A line of a vertex."""

    status: int
    incoming: list[int]
    place: tuple[float, ...] | None


class Event:
    """One event.

    Attributes
    ----------
    number
        Event number of the file.
    line
        Number of its first line.
    units
        Units of momenta and lengths; None if the file does not say.
    weights
        Weights as texts; None if there is no such line.
    attributes
        Attributes by name, of the event (0), of its particles (above 0) and vertices (below 0).
    particles
        Particles in the order of their numbers, from 1.
    vertices
        Vertices by number (below 0). Those that HepMC3 leaves out, with one incoming particle and
        nothing to say, have a status of 0.
    """

    __slots__ = ("attributes", "line", "number", "particles", "units", "vertices", "weights")

    def __init__(self, number: int, line: int) -> None:
        self.number, self.line = number, line
        self.units: tuple[str, ...] | None = None
        self.weights: list[str] | None = None
        self.attributes: dict[int, dict[str, str]] = {0: {}}
        self.particles: list[Particle] = []
        self.vertices: dict[int, Vertex] = {}

    def graph(self) -> tuple[list[int], list[int]]:
        """Return the numbers of the vertices where the particles begin and end; 0 for none."""
        start, end = [p.origin for p in self.particles], [0] * len(self.particles)
        vertices = dict(self.vertices)
        lowest = min(vertices, default=0)
        implied: dict[int, int] = {}
        for i, origin in enumerate(start):
            if origin > 0:
                if origin not in implied:
                    lowest -= 1
                    implied[origin] = lowest
                    self.vertices[lowest] = Vertex(0, [origin], None)
                start[i] = implied[origin]
        for number, vertex in self.vertices.items():
            for i in vertex.incoming:
                end[i - 1] = number
        return start, end


class AsciiFile:
    """A HepMC3 file that is being read.

    Parameters
    ----------
    lines
        Its lines.
    path
        Its name, for errors.

    Attributes
    ----------
    attributes, weight_names, tools
        What the file says before the first event; tools are texts of name, version, description.
    """

    def __init__(self, lines: Iterator[str], path: PathLike) -> None:
        self.path = path
        self.attributes: dict[str, str] = {}
        self.weight_names: list[str] | None = None
        self.tools: list[list[str]] = []
        self._lines = enumerate(lines, 1)
        self._line = 0
        self._next: str | None = None
        self._header()

    def error(self, text: str) -> FormatError:
        """Build an error that names the file and the line."""
        return FormatError(f"{self.path}, line {self._line}: {text} The file is damaged.")

    def _header(self) -> None:
        begun = False
        for number, line in self._lines:
            self._line = number
            text = line.rstrip("\r\n")
            if not begun:
                begun = text == START
                if text and not begun and not text.startswith("HepMC::Version"):
                    break
                continue
            if text.startswith("A "):
                _, name, *value = text.split(" ", 2)
                self.attributes[name] = unescaped(value[0]) if value else ""
            elif text.startswith("W "):
                self.weight_names = unescaped(text[2:]).split("\n")
            elif text.startswith("T "):
                self.tools.append(unescaped(text[2:]).split("\n"))
            elif text.startswith("E ") or text == END:
                self._next = text
                return
            elif text and text[:2] != "N ":
                raise self.error(f"{text[:60]!r} is no line of a HepMC3 header.")
        if not begun:
            raise FormatError(
                f"{self.path} is not a HepMC3 text file: it does not begin with "
                "'HepMC::Asciiv3-START_EVENT_LISTING'. HepMC2 and ROOT files must be converted."
            )
        raise self._incomplete()

    def _incomplete(self) -> FormatError:
        return FormatError(
            f"{self.path} is not complete: it ends at line {self._line} without '{END}'. Copy it "
            "again, or let the program that wrote it finish."
        )

    def __iter__(self) -> Iterator[Event]:
        text = self._next
        event: Event | None = None
        counts = (0, 0)
        while text is not None:
            key = text[:2]
            try:
                if key == "A ":
                    _, number, name, *value = text.split(" ", 3)
                    assert event is not None
                    attributes = event.attributes.get(int(number))
                    if attributes is None:
                        attributes = event.attributes[int(number)] = {}
                    attributes[name] = unescaped(value[0]) if value else ""
                elif key == "P ":
                    _, i, origin, pdg, px, py, pz, e, m, status = text.split()
                    assert event is not None
                    event.particles.append(
                        Particle(
                            int(i), int(origin), int(pdg), float(px), float(py), float(pz),
                            float(e), float(m), int(status),
                        )
                    )  # fmt: skip
                elif key == "V ":
                    assert event is not None
                    self._vertex(event, text)
                elif key == "W ":
                    assert event is not None
                    event.weights = text.split()[1:]
                elif key == "U ":
                    assert event is not None
                    event.units = tuple(text.split()[1:])
                elif key == "E ":
                    if event is not None:
                        yield self._checked(event, counts)
                    words = text.split()
                    event = Event(int(words[1]), self._line)
                    counts = int(words[2]), int(words[3])
                elif text == END:
                    if event is not None:
                        yield self._checked(event, counts)
                    return
                elif text:
                    raise ValueError("unknown line")
            except FormatError:
                raise
            except (AssertionError, ValueError, IndexError):
                raise self.error(f"{text[:60]!r} is no line of a HepMC3 event.") from None
            self._line, text = next(self._lines, (self._line, None))
            if text is not None:
                text = text.rstrip("\r\n")
        raise self._incomplete()

    @staticmethod
    def _vertex(event: Event, text: str) -> None:
        head, _, tail = text.partition("@")
        _, number, status, ids = head.split()
        incoming = [int(i) for i in ids.strip("[]").split(",") if i]
        place = tuple(float(x) for x in tail.split()) if tail else None
        event.vertices[int(number)] = Vertex(int(status), incoming, place)

    def _checked(self, event: Event, counts: tuple[int, int]) -> Event:
        particles = event.particles
        numbered = all(p.number == i for i, p in enumerate(particles, 1))
        named = {i for v in event.vertices.values() for i in v.incoming}
        origins = {p.origin for p in particles}
        known = all(0 < i <= len(particles) for i in named | {o for o in origins if o > 0})
        known &= all(o in event.vertices for o in origins if o < 0)
        if len(particles) != counts[1] or not numbered or not known:
            raise FormatError(
                f"{self.path}: event {event.number} at line {event.line} announces {counts[1]} "
                f"particles and has {len(particles)}, or its particles and vertices do not refer "
                "to each other. The file is damaged."
            )
        return event


@contextmanager
def open_ascii(path: PathLike) -> Iterator[AsciiFile]:
    """Open a HepMC3 text file, compressed or not.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    try:
        with open_to_read(path) as stream:
            if not Path(path).stat().st_size:
                raise FormatError(f"{path} is empty.")
            # Only these line ends: texts may hold others.
            yield AsciiFile(io.TextIOWrapper(stream, "utf-8", newline="\n"), path)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise FormatError(
            f"{path} cannot be read as a HepMC3 file ({type(error).__name__}: {error}). It may be "
            "damaged or of another kind."
        ) from error
