"""Reading mesh files, with a look at the file before anything large is parsed."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from siren_py.errors import FormatError

if TYPE_CHECKING:
    from trimesh import Trimesh

_KINDS = (".stl", ".obj", ".glb", ".ply")
MAX_TRIANGLES = 5_000_000
"""More triangles than this are refused: memory would run out before anything is traced."""
_MAX_BYTES = 200 * MAX_TRIANGLES
_HEAD = 65536
_CHUNK = 1 << 24
_STL_HEADER = 84
_STL_TRIANGLE = 50


def read_mesh(path: Path) -> Trimesh:
    """Return the surface in a file; several bodies are joined.

    Raises
    ------
    FormatError
        If there is no such file, or it is not what its ending says.
    """
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise FormatError(
            f"{str(path)!r}: a mesh file ends in {', '.join(_KINDS)}; this one ends in "
            f"{path.suffix!r}. Convert it, e.g. with trimesh.load(...).export('part.stl')."
        )
    try:
        if path.exists() and not path.is_file():
            raise FormatError(f"{str(path)!r} is no file; give the path of a mesh file.")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FormatError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    fault = _FAULTS[kind](head, size)
    if fault:
        raise FormatError(f"{str(path)!r} is no {kind[1:].upper()} file: {fault}.")
    if size > _MAX_BYTES:
        raise FormatError(
            f"{str(path)!r}: {size} bytes are more than the {_MAX_BYTES} that are read. Simplify "
            "the mesh, or cut it in parts."
        )
    count = _text_count(path, kind, head)
    if count is not None and not 0 < count <= MAX_TRIANGLES:
        raise FormatError(
            f"{str(path)!r} has {count} faces; expected 1 to {MAX_TRIANGLES}. Export a closed "
            "surface, simplified if it must be."
        )
    import trimesh  # takes half a second to load

    try:
        # From a stream, without a resolver: no material, texture or buffer that the file names is
        # opened, wherever it may lie.
        with path.open("rb") as file:
            scene = trimesh.load_scene(file, file_type=kind[1:], process=False, skip_materials=True)
        surface: Trimesh = scene.to_mesh()
    except Exception as error:  # the readers of trimesh raise whatever they meet
        raise FormatError(
            f"{str(path)!r} is damaged: {type(error).__name__}: {str(error)[:200]}. "
            "Export it again."
        ) from error
    if not hasattr(surface, "faces") or len(surface.faces) == 0:
        raise FormatError(f"{str(path)!r} contains no triangles.")
    return surface


def _text_count(path: Path, kind: str, head: bytes) -> int | None:
    """Return how many faces a text file says it has, before a reader makes objects of them."""
    if kind == ".ply":
        found = re.search(rb"^element\s+face\s+(\d{1,18})\s*$", head, re.MULTILINE)
        return int(found[1]) if found else None
    if kind != ".obj":
        return None
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = last + chunk
            count += text.count(b"\nf ") + text.count(b"\nf\t")
            last = chunk[-2:]
    return count


def _stl_fault(head: bytes, size: int) -> str:
    if len(head) >= _STL_HEADER:
        (count,) = struct.unpack("<I", head[80:84])
        if size == _STL_HEADER + _STL_TRIANGLE * count:
            return "" if count else "it has no triangles"
    text = head.lstrip().lower()
    if text.startswith(b"solid") and b"facet" in text:
        return ""
    return (
        "neither the text form (solid ... facet ...) nor a binary one whose length of "
        f"{size} bytes fits its number of triangles"
    )


def _obj_fault(head: bytes, size: int) -> str:
    if b"\0" in head:
        return "it is binary, an OBJ file is text"
    first = [line.split(maxsplit=1)[0] for line in head.split(b"\n")[:-1] or [head] if line.strip()]
    known = {b"v", b"vn", b"vt", b"f", b"o", b"g", b"s", b"l", b"usemtl", b"mtllib"}
    if not any(word in known for word in first if not word.startswith(b"#")):
        if first and all(word.startswith(b"#") for word in first):
            return ""
        return "no line starts with 'v' (a vertex) or 'f' (a face)"
    return ""


def _glb_fault(head: bytes, size: int) -> str:
    if head[:4] != b"glTF":
        return "it does not start with 'glTF'"
    length = struct.unpack("<I", head[8:12])[0] if len(head) >= 12 else 0
    return "" if length == size else f"it says it has {length} bytes and has {size}"


def _ply_fault(head: bytes, size: int) -> str:
    if not head.startswith(b"ply"):
        return "it does not start with 'ply'"
    return "" if b"end_header" in head else "its header has no end (end_header)"


_FAULTS = {".stl": _stl_fault, ".obj": _obj_fault, ".glb": _glb_fault, ".ply": _ply_fault}
