"""Pictures of detectors in files and notebooks; the 3-D page that needs nothing but a browser."""

from __future__ import annotations

import base64
import html
import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import FloatArray, PathLike
from siren_py.appearance import core_box, material_colours, sample_vertices, site_volumes
from siren_py.errors import ConfigError, OutputError
from siren_py.geometry.revolved import Cone
from siren_py.geometry.solids import AXES, Box, Cylinder, RegularPrism, Sphere
from siren_py.surfaces import surface

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.geometry.arrays import PlacedSolid
    from siren_py.sample import Sample
    from siren_py.volumes import Volume

PICTURES = (".png", ".pdf", ".svg")
PAGES = (".html", ".htm")
_MOST_POINTS = 15_000
_NOTEBOOK_VOLUMES = 400
_NO_SHAPE = 0


def show(
    detector: DetectorModel, path: PathLike, sample: Sample | None = None, **options: Any
) -> Path:
    """Write a picture or a page of a detector; see `DetectorModel.show`.

    Raises
    ------
    ConfigError
        If the ending of the file is none of those known, or an option does not apply.
    OutputError
        If the file cannot be written.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in PICTURES + PAGES:
        raise ConfigError(
            f"{file.name!r} has the ending {ending!r}; it must be one of "
            f"{', '.join(PICTURES)} (cross-sections) or .html (3-D page)."
        )
    if ending in PAGES:
        content = detector_page(detector, sample=sample, **options).encode("utf-8")
        _write(file, content)
    else:
        import io

        from siren_py.plot import draw_detector

        figure = draw_detector(detector, sample=sample, **options)
        stream = io.BytesIO()
        # Without the date the same detector gives the same file.
        dates: dict[str, dict[str, None]] = {
            ".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {},
        }  # fmt: skip
        figure.savefig(stream, format=ending[1:], metadata=dates[ending])
        _write(file, stream.getvalue())
    return file


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror or error}.") from error


def detector_page(
    detector: DetectorModel, sample: Sample | None = None, masses: bool = True
) -> str:
    """Return a self-contained HTML page: rotate, zoom, hide, cut, hover.

    Parameters
    ----------
    sample
        Events whose production and decay vertices are drawn, coloured by weight.
    masses
        Show visible masses; without them the page is made faster.

    Raises
    ------
    GeometryError
        If the detector has no volumes.
    """
    parts = resources.files("siren_py").joinpath("data/viewer")
    page = parts.joinpath("page.html").read_text("utf-8")
    text = json.dumps(scene(detector, sample, masses), separators=(",", ":"), allow_nan=False)
    filled = {
        "TITLE": html.escape(detector.name),
        "STYLE": parts.joinpath("viewer.css").read_text("utf-8"),
        "SCRIPT": parts.joinpath("viewer.js").read_text("utf-8"),
        # In a script element only "</" could end it early.
        "DATA": text.replace("</", "<\\/"),
    }
    return re.sub("@(TITLE|STYLE|SCRIPT|DATA)@", lambda match: filled[match[1]], page)


def notebook_html(detector: DetectorModel) -> str:
    """Return what a notebook shows for a detector: the page in a frame, or a table if it is big."""
    words = html.escape(repr(detector))
    if not detector.volumes or len(detector.volumes) > _NOTEBOOK_VOLUMES:
        rows = "".join(
            f"<tr><td>{html.escape(volume.name)}</td><td>{html.escape(_materials(volume))}</td></tr>"
            for volume in list(detector)[:20]
        )
        return f"<div>{words}<table>{rows}</table></div>"
    # Masses of other shapes than boxes can take many seconds, which a notebook must not.
    page = html.escape(detector_page(detector, masses=False), quote=True)
    frame = 'style="width:100%;height:560px;border:1px solid #d8dfe6" sandbox="allow-scripts"'
    return f'<div>{words}<iframe {frame} srcdoc="{page}"></iframe></div>'


def scene(detector: DetectorModel, sample: Sample | None, masses: bool) -> dict[str, Any]:
    """Return what the page draws, as JSON with arrays in base64."""
    colours = material_colours(detector)
    site = site_volumes(detector)
    visible = detector.masses() if masses else None
    lo, hi = core_box(detector, margin=0.0)
    vertices: list[FloatArray] = []
    faces: list[Any] = []
    lines: list[FloatArray] = []
    counts = {"vertices": 0, "faces": 0, "lines": 0}

    def add_lines(points: FloatArray) -> list[int]:
        first = counts["lines"]
        lines.append(points)
        counts["lines"] += len(points)
        return [first, len(points)]

    volumes = []
    boxes = np.array([np.concatenate(placed.box()) for placed in detector.placed()])
    for placed, volume in zip(detector.placed(), detector, strict=True):
        # How many of the volumes before it are around it.
        before = boxes[: volume.index]
        around = np.all(before[:, :3] <= boxes[volume.index, :3] + 1e-6, axis=1)
        around &= np.all(before[:, 3:] >= boxes[volume.index, 3:] - 1e-6, axis=1)
        shell = surface(placed.solid)
        points = placed.placement.to_detector(shell.vertices)
        reach = float(np.linalg.norm(points - 0.5 * (lo + hi), axis=1).max()) if len(points) else 0
        volumes.append(
            {
                "name": volume.name,
                "group": re.split(r"[-_ .]", volume.name)[0],
                "material": _materials(volume),
                "density": _density(volume),
                "mass": None if visible is None else visible[volume.name].value,
                "colour": _colour(volume, colours),
                "site": volume.name in site,
                "first": counts["faces"],
                "count": shell.faces.size,
                "lines": add_lines(points[shell.edges].reshape(-1, 3)),
                "reach": reach,
                "level": int(around.sum()) + 1,
                "shape": _shape(placed),
                "stack": _stack(placed, volume, colours),
            }
        )
        vertices.append(points)
        faces.append(shell.faces.ravel() + counts["vertices"])
        counts["vertices"] += len(points)
        counts["faces"] += shell.faces.size
    regions = []
    for name, region in detector.regions.items():
        if region.leaves != (name,):
            continue
        leaf = region.solids[0]
        shell = surface(leaf.solid)
        edges = leaf.placement.to_detector(shell.vertices)[shell.edges].reshape(-1, 3)
        if len(edges) == 0:
            edges = _rings(leaf)
        size = f"{region.volume() * 1e-6:.3g} m³"
        regions.append({"name": name, "lines": add_lines(edges), "size": size})
    return {
        "name": detector.name,
        "about": f"{len(volumes)} volumes. Drag to rotate, shift-drag to move, wheel to zoom.",
        "box": [lo.tolist(), hi.tolist()],
        "cut": _cut_place(detector, lo, hi),
        "beam": list(detector.beam.direction),
        "volumes": volumes,
        "regions": regions,
        "vertices": _packed(np.concatenate(vertices), np.float32),
        "faces": _packed(np.concatenate(faces), np.uint32),
        "lines": _packed(np.concatenate(lines), np.float32),
        "events": None if sample is None else _events(sample),
    }


def _packed(array: Any, kind: Any) -> str:
    little = np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _cut_place(detector: DetectorModel, lo: FloatArray, hi: FloatArray) -> float:
    """Return an x a little off the middle, where often a plate stands."""
    return float(0.5 * (lo[0] + hi[0]) + 0.02 * (hi[0] - lo[0]))


def _materials(volume: Volume) -> str:
    names = list(dict.fromkeys(one.name for one in volume.materials))
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    layers = f"{len(volume.materials)} layers: " if volume.stack is not None else ""
    return layers + ", ".join(names[:4]) + more


def _density(volume: Volume) -> str:
    density = np.array([one.density for one in volume.materials])
    if volume.stack is None:
        return f"{density[0]:.4g} g/cm³"
    thickness = np.diff(volume.stack.edges)
    return f"{float(density @ thickness / thickness.sum()):.4g} g/cm³ on average"


def _colour(volume: Volume, colours: dict[str, str]) -> str:
    if volume.stack is None:
        return colours[volume.materials[0].name]
    thickness = np.diff(volume.stack.edges)
    parts = [[int(colours[m.name][i : i + 2], 16) for i in (1, 3, 5)] for m in volume.materials]
    mean = thickness @ np.array(parts) / thickness.sum()
    return "#" + "".join(f"{round(c):02X}" for c in mean)


def _stack(placed: PlacedSolid, volume: Volume, colours: dict[str, str]) -> dict[str, Any] | None:
    """Layers of a stack: axis and length in the detector frame, edges, colours."""
    if placed.stack is None:
        return None
    axis = placed.placement.matrix[:, "xyz".index(placed.stack.axis)]
    edges = placed.stack.edges
    start = float(edges[0] + axis @ placed.placement.position)
    return {
        "along": [*axis.tolist(), float(edges[-1] - edges[0])],
        "start": start,
        "edges": np.round(edges, 5).tolist(),
        "colours": [colours[one.name] for one in volume.materials],
    }


def _shape(placed: PlacedSolid) -> dict[str, Any]:
    """Shapes that the page can fill where it cuts them; kind 0 for all others."""
    solid, kind = placed.solid, _NO_SHAPE
    size, more, order = [0.0, 0.0, 0.0], [0.0] * 4, [0, 1, 2]
    if isinstance(solid, Box):
        kind, size = 1, [0.5 * solid.dx, 0.5 * solid.dy, 0.5 * solid.dz]
    elif isinstance(solid, Sphere):
        kind, size = 2, [solid.radius, solid.inner_radius, 0.0]
    elif isinstance(solid, Cylinder):
        kind, size = 3, [solid.radius, solid.inner_radius, 0.5 * solid.length]
        more = [solid.start_phi, solid.delta_phi, 0.0, 0.0]
        order = list(AXES[solid.axis])
    elif isinstance(solid, RegularPrism):
        kind, size = 4, [solid.apothem, 0.0, 0.5 * solid.length]
        more = [solid.start_phi, float(solid.sides), 0.0, 0.0]
        order = list(AXES[solid.axis])
    elif isinstance(solid, Cone):
        kind, size = 5, [solid.radius_low, solid.radius_high, 0.5 * solid.length]
        holes = [solid.inner_radius_low, solid.inner_radius_high]
        more = [solid.start_phi, solid.delta_phi, *holes]
        order = list(AXES[solid.axis])
    # Columns of the matrix of WebGL are the rows of its transpose: local = turn (x - origin).
    turn = placed.placement.matrix[:, order]
    return {
        "kind": kind,
        "size": size,
        "more": more,
        "turn": turn.ravel().tolist(),
        "origin": placed.placement.position.tolist(),
    }


def _rings(leaf: PlacedSolid) -> FloatArray:
    """Outline of a solid without edges: its largest circles in the planes of the axes."""
    lo, hi = leaf.solid.bounds()
    middle, half = 0.5 * (lo + hi), 0.5 * (hi - lo)
    phi = np.linspace(0.0, 2.0 * np.pi, 65)
    segments = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        ring = np.tile(middle, (len(phi), 1))
        ring[:, a] += half[a] * np.cos(phi)
        ring[:, b] += half[b] * np.sin(phi)
        placed = leaf.placement.to_detector(ring)
        segments.append(np.stack([placed[:-1], placed[1:]], axis=1).reshape(-1, 3))
    return np.concatenate(segments)


def _events(sample: Sample) -> dict[str, Any]:
    from siren_py.plot import weight_limits

    found = sample_vertices(sample, _MOST_POINTS)
    level = np.log10(np.maximum(found.weights, 1e-300))
    clouds = {}
    for kind, points in (("production", found.production), ("decay", found.decay)):
        there = np.all(np.isfinite(points), axis=1) & (found.weights > 0.0)
        # Heavy events last, so that they are drawn over the light ones.
        order = np.flatnonzero(there)[np.argsort(level[there], kind="stable")]
        clouds[kind] = _packed(np.column_stack([points[order], level[order]]), np.float32)
    shown = len(found.weights)
    words = f"{shown} events" if shown == found.n_events else f"{shown} of {found.n_events} events"
    return {**clouds, "range": [float(x) for x in np.log10(weight_limits(found.weights))],
            "text": words}  # fmt: skip
