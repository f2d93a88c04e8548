"""Reading mesh files, with a look at the file before anything large is parsed."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from siren_py.errors import FormatError

if TYPE_CHECKING:
    from trimesh import Trimesh

_KINDS = (".stl", ".obj", ".glb", ".ply")
_HEAD = 65536
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
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FormatError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    fault = _FAULTS[kind](head, size)
    if fault:
        raise FormatError(f"{str(path)!r} is no {kind[1:].upper()} file: {fault}.")
    import trimesh  # takes half a second to load

    try:
        scene = trimesh.load_scene(path, file_type=kind[1:], process=False)
        surface: Trimesh = scene.to_mesh()
    except Exception as error:  # the readers of trimesh raise whatever they meet
        raise FormatError(
            f"{str(path)!r} is damaged: {type(error).__name__}: {str(error)[:200]}. "
            "Export it again."
        ) from error
    if not hasattr(surface, "faces") or len(surface.faces) == 0:
        raise FormatError(f"{str(path)!r} contains no triangles.")
    return surface


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
