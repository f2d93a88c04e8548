"""Cross-sections of detectors with matplotlib (extra `plot`).

A cross-section is made of parallel lines that are traced through the detector, so that edges
are exact along the lines; what is finer than a pixel is averaged, not skipped.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import FloatArray, IntArray
from siren_py.appearance import GAS, core_box, families, material_colours, sample_vertices
from siren_py.errors import ConfigError, unknown_name
from siren_py.geometry.solids import Box
from siren_py.plot.places import inner_point, length_unit, short
from siren_py.plot.style import new_axes, new_figure, styled
from siren_py.slices import ACROSS, slice_values

if TYPE_CHECKING:
    from siren_py.appearance import Vertices
    from siren_py.detector import DetectorModel
    from siren_py.geometry.arrays import PlacedSolid
    from siren_py.sample import Sample

_WHY = "Cross-sections"
_BY = ("material", "density")
_SCALES = {"cm": 1.0, "m": 0.01}
_EDGE = 0.62  # brightness of the lines between volumes
_MOST_POINTS = 20_000
_MOST_LABELS = 24


@styled
def draw_slice(
    detector: DetectorModel,
    axis: str,
    at: float,
    *,
    window: tuple[float, float, float, float] | None = None,
    by: str = "material",
    regions: bool | Sequence[str] = True,
    vertices: Vertices | None = None,
    ax: Any = None,
    pixels: int = 1200,
    unit: str | None = None,
) -> Any:
    """Draw one cross-section.

    Parameters
    ----------
    detector
        The detector.
    axis, at
        The plane: "x", "y" or "z", and where [cm].
    window
        Left, right, bottom, top [cm]; by default the detector without its surroundings.
    by
        Colours by "material" or by "density".
    regions
        Outline regions: all, none, or these.
    vertices
        Vertices of events to project onto it, see `siren_py.appearance.sample_vertices`.
    ax
        matplotlib axes to draw in; by default those of a new figure.
    pixels
        Along the longer side.
    unit
        Of the axes: "cm" or "m"; by default what reads well.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    ConfigError, UnknownNameError
        If the plane, the window, `by` or a region cannot be used.

    Examples
    --------
    >>> import siren_py as sp
    >>> draw_slice(sp.load_detector("miniboone"), "x", 0.0, pixels=100).get_xlabel()
    'z [m]'
    """
    patheffects = import_optional("matplotlib.patheffects", "plot", _WHY)
    if axis not in ACROSS:
        raise unknown_name("axis", axis, ACROSS)
    if by not in _BY:
        raise unknown_name("way to colour", by, _BY)
    if not np.isfinite(at):
        raise ConfigError(f"The plane must be at a finite place [cm]; it is at {axis} = {at!r}.")
    u, v = ("xyz".index(name) for name in ACROSS[axis])
    if window is None:
        lo, hi = core_box(detector)
        window = (lo[u], hi[u], lo[v], hi[v])
    left, right, bottom, top = window
    if not (np.all(np.isfinite(window)) and left < right and bottom < top):
        raise ConfigError(f"The window must be left < right, bottom < top [cm]; it is {window}.")
    ax = new_axes(ax)
    unit = length_unit(max(right - left, top - bottom)) if unit is None else unit
    if unit not in _SCALES:
        raise unknown_name("unit", unit, _SCALES)
    scale = _SCALES[unit]
    ratio = (top - bottom) / (right - left)
    shape = (max(int(pixels * min(1.0, ratio)), 2), max(int(pixels * min(1.0, 1 / ratio)), 2))
    image, volume = slice_values(detector, axis, at, window, shape, _material_values(detector, by))
    extent = [edge * scale for edge in window]
    shade = _edges(volume)
    if by == "material":
        picture = np.clip(image * shade[..., None], 0.0, 1.0)
        ax.imshow(picture, origin="lower", extent=extent, interpolation="antialiased")
    else:
        _show_density(detector, ax, image[..., 0], extent, shade)
    halo = [patheffects.withStroke(linewidth=2.6, foreground="white")]
    if regions is not False:
        names = list(detector.regions) if regions is True else list(regions)
        leaves = {leaf.name: leaf for name in names for leaf in detector.region(name).solids}
        _outline(ax, leaves, axis, at, window, scale, halo)
    if vertices is not None:
        _scatter(ax, vertices, u, v, scale)
    ax.set_xlim(extent[:2])
    ax.set_ylim(extent[2:])
    ax.set_aspect("equal")
    ax.set_xlabel(f"{ACROSS[axis][0]} [{unit}]")
    ax.set_ylabel(f"{ACROSS[axis][1]} [{unit}]")
    ax.set_title(f"{axis} = {short(at * scale)} {unit}", fontsize="medium")
    return ax


def _material_values(detector: DetectorModel, by: str) -> FloatArray:
    if by == "density":
        return np.array([*[[m.density] for m in detector.materials], [0.0]])
    colours = material_colours(detector)
    hexes = [colours[m.name] for m in detector.materials] + ["#FFFFFF"]
    return np.array([[int(h[i : i + 2], 16) / 255.0 for i in (1, 3, 5)] for h in hexes])


def _edges(volume: IntArray) -> FloatArray:
    """Brightness of each pixel: less where the next pixel belongs to another volume."""
    differs = np.zeros(volume.shape, np.bool_)
    differs[:, 1:] |= volume[:, 1:] != volume[:, :-1]
    differs[1:, :] |= volume[1:, :] != volume[:-1, :]
    return np.where(differs, _EDGE, 1.0)


def _density_limits(detector: DetectorModel) -> tuple[float, float]:
    found = [m.density for m in detector.materials if m.density > 0.0]
    return (min(found) / 1.05, max(found) * 1.05) if found else (1e-3, 1.0)


def _show_density(
    detector: DetectorModel, ax: Any, density: FloatArray, extent: list[float], shade: FloatArray
) -> None:
    colors = import_optional("matplotlib.colors", "plot", _WHY)
    colormaps = import_optional("matplotlib", "plot", _WHY).colormaps
    norm = colors.LogNorm(*_density_limits(detector))
    colours = colormaps["YlGnBu"](norm(np.maximum(density, norm.vmin)))[..., :3]
    colours[density <= 0.0] = 1.0
    ax.imshow(
        colours * shade[..., None], origin="lower", extent=extent, interpolation="antialiased"
    )


def _outline(
    ax: Any,
    leaves: dict[str, PlacedSolid],
    axis: str,
    at: float,
    window: tuple[float, float, float, float],
    scale: float,
    halo: list[Any],
) -> None:
    """Draw the borders of regions in the plane, with their names where there is room."""
    taken: list[tuple[float, float]] = []
    for name, leaf in leaves.items():
        curve = _section(leaf, axis, at, window)
        if curve is None:
            continue
        grid_u, grid_v, inside = curve
        if isinstance(leaf.solid, Box) and leaf.placement.is_axis_aligned:
            (u0, u1), (v0, v1) = grid_u[[0, -1]] * scale, grid_v[[0, -1]] * scale
            ax.plot(
                [u0, u1, u1, u0, u0], [v0, v0, v1, v1, v0], color="black", lw=1.1, ls=(0, (4, 2)),
                path_effects=halo,
            )  # fmt: skip
        else:
            lines = ax.contour(
                grid_u * scale, grid_v * scale, inside.astype(float), [0.5], colors="black",
                linewidths=1.1, linestyles=[(0, (4, 2))],
            )  # fmt: skip
            lines.set_path_effects(halo)
            (u0, u1), (v0, v1) = grid_u[[0, -1]] * scale, grid_v[[0, -1]] * scale
        if len(taken) < _MOST_LABELS:
            _label(ax, name, (u0, u1, v0, v1), window, scale, taken)


def _label(
    ax: Any,
    name: str,
    box: tuple[float, float, float, float],
    window: tuple[float, float, float, float],
    scale: float,
    taken: list[tuple[float, float]],
) -> None:
    """Write a name at the first place of the border or the inside where no other is near."""
    u0, u1, v0, v1 = box
    left, right, bottom, top = (edge * scale for edge in window)
    room_u, room_v = 0.11 * (right - left), 0.045 * (top - bottom)
    first, last = max(u0, left), min(u1, right)
    low, high = max(v0, bottom), min(v1, top)
    middle, height = 0.5 * (first + last), high - low
    # On the border, like the labels of contour lines; then inside.
    places = [
        (middle, high),
        (middle, low),
        (last, low + 0.5 * height),
        (first, low + 0.5 * height),
    ]
    places += [(middle, low + f * height) for f in (0.85, 0.15, 0.7, 0.3, 0.5)]
    for u, v in places:
        if all(abs(u - a) > room_u or abs(v - b) > room_v for a, b in taken):
            taken.append((u, v))
            room = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.75}
            ax.text(u, v, name, ha="center", va="center", fontsize=6.5, bbox=room, zorder=5)
            return


def _section(
    leaf: PlacedSolid, axis: str, at: float, window: tuple[float, float, float, float]
) -> tuple[FloatArray, FloatArray, Any] | None:
    """Return a grid (u, v) over a solid in the plane and whether it is inside, or None."""
    w = "xyz".index(axis)
    u, v = ("xyz".index(name) for name in ACROSS[axis])
    lo, hi = leaf.box()
    left, right, bottom, top = window
    apart = hi[u] < left or lo[u] > right or hi[v] < bottom or lo[v] > top
    if not lo[w] <= at < hi[w] or apart:
        return None
    grid_u, grid_v = np.linspace(lo[u], hi[u], 401), np.linspace(lo[v], hi[v], 401)
    if not isinstance(leaf.solid, Box):
        pad_u, pad_v = 0.005 * (hi[u] - lo[u]), 0.005 * (hi[v] - lo[v])
        grid_u = np.linspace(lo[u] - pad_u, hi[u] + pad_u, 401)
        grid_v = np.linspace(lo[v] - pad_v, hi[v] + pad_v, 401)
    points = np.full((len(grid_v), len(grid_u), 3), at)
    points[..., u], points[..., v] = grid_u[None, :], grid_v[:, None]
    local = leaf.placement.to_local(points.reshape(-1, 3))
    inside = np.asarray(leaf.solid.contains(local)).reshape(points.shape[:2])
    return (grid_u, grid_v, inside) if inside.any() else None


def _scatter(ax: Any, vertices: Vertices, u: int, v: int, scale: float) -> None:
    colors = import_optional("matplotlib.colors", "plot", _WHY)
    norm = colors.LogNorm(*weight_limits(vertices.weights))
    order = np.argsort(vertices.weights)
    for points, marker, size in ((vertices.production, "x", 7.0), (vertices.decay, "o", 5.0)):
        ax.scatter(
            points[order, u] * scale, points[order, v] * scale, c=vertices.weights[order],
            norm=norm, cmap="plasma_r", marker=marker, s=size, linewidths=0.5, zorder=4,
        )  # fmt: skip


def weight_limits(weights: FloatArray) -> tuple[float, float]:
    """Return the range of `weights` to colour by: that of 98 % of the events with weight.

    Examples
    --------
    >>> import numpy as np
    >>> weight_limits(np.linspace(1.0, 101.0, 101))
    (3.0, 101.0)
    """
    smallest, largest = np.quantile(weights[weights > 0.0], [0.02, 1.0])
    return (float(min(smallest, 0.5 * largest)), float(largest))


def draw_detector(detector: DetectorModel, **options: Any) -> Any:
    """Draw cross-sections side by side, with a legend of the materials or densities in them.

    Parameters
    ----------
    detector
        The detector.
    **options
        Of `peek_detector`.

    Returns
    -------
    matplotlib.figure.Figure
        A figure that is not one of pyplot's: to be saved, not to be shown.

    Examples
    --------
    >>> import siren_py as sp
    >>> draw_detector(sp.load_detector("miniboone"), axes=("x",), pixels=100).axes[0].get_xlabel()
    'z [m]'
    """
    figures = import_optional("matplotlib.figure", "plot", _WHY)
    return _draw(detector, figures.Figure, **options)[0]


def peek_detector(detector: DetectorModel, **options: Any) -> Any:
    """Draw cross-sections as `draw_detector` does, in a figure that notebooks show.

    Parameters
    ----------
    detector
        The detector.
    **options
        Those below.
    at
        Point (x, y, z) [cm] that the planes go through; by default in the middle of the largest
        region, a little off it, since often a plate stands exactly there.
    window
        Corners (lo, hi), each (x, y, z) [cm], of what is shown; by default the detector without
        its surroundings.
    axes
        Which planes: normal to these axes.
    sample
        Events whose vertices are projected onto the planes, coloured by weight.
    title
        By default the name of the detector.
    by, regions, pixels
        As in `draw_slice`.

    Returns
    -------
    list of matplotlib.axes.Axes
        The planes in order.

    Examples
    --------
    >>> import siren_py as sp
    >>> len(peek_detector(sp.load_detector("miniboone"), axes=("x",), pixels=100))
    1
    """
    return _draw(detector, new_figure, **options)[1]


@styled
def _draw(
    detector: DetectorModel,
    figure_class: Any,
    *,
    at: Sequence[float] | None = None,
    window: tuple[Sequence[float], Sequence[float]] | None = None,
    by: str = "material",
    axes: Sequence[str] = ("x", "z", "y"),
    regions: bool | Sequence[str] = True,
    sample: Sample | None = None,
    title: str | None = None,
    pixels: int = 1200,
) -> tuple[Any, list[Any]]:
    lo, hi = core_box(detector) if window is None else (np.asarray(w, float) for w in window)
    if lo.shape != (3,) or hi.shape != (3,) or not np.all(lo < hi):
        raise ConfigError(f"The window must be two corners lo < hi of a box [cm]; it is {window}.")
    point = inner_point(detector, lo, hi) if at is None else np.asarray(at, float)
    if point.shape != (3,) or not np.all(np.isfinite(point)):
        raise ConfigError(f"at must be a point (x, y, z) [cm]; it is {at!r}.")
    for axis in axes:
        if axis not in ACROSS:
            raise unknown_name("axis", axis, ACROSS)
    size = hi - lo
    spans = [[size["xyz".index(name)] for name in ACROSS[axis]] for axis in axes]
    vertices = None if sample is None else sample_vertices(sample, _MOST_POINTS)
    figure, cells, legend = _panels(figure_class, spans)
    drawn = []
    for axis, ax in zip(axes, cells, strict=True):
        u, v = ("xyz".index(name) for name in ACROSS[axis])
        draw_slice(
            detector, axis, float(point["xyz".index(axis)]), by=by, regions=regions, ax=ax,
            window=(lo[u], hi[u], lo[v], hi[v]), vertices=vertices, pixels=pixels,
            unit=length_unit(float(size.max())),
        )  # fmt: skip
        drawn.append((axis, (lo[u], hi[u], lo[v], hi[v])))
    if by == "material":
        _material_legend(detector, legend, drawn, point)
    else:
        _bar(figure, legend, _density_limits(detector), "YlGnBu", "density [g/cm$^3$]", 0.9)
    if vertices is not None:
        limits = weight_limits(vertices.weights)
        words = "weight [events per POT]\n$\\times$ production   $\\bullet$ decay"
        _bar(figure, legend, limits, "plasma_r", words, 0.14 if by == "material" else 0.5)
    figure.suptitle(detector.name if title is None else title, fontsize="large")
    return figure, cells


def _panels(figure_class: Any, spans: list[list[float]]) -> tuple[Any, list[Any], Any]:
    """Lay out panels of one scale: the first two side by side, the third below the first.

    `spans` are the widths and heights of the panels. Placed by hand, in inches: automatic
    layouts do not keep one scale for all panels.
    """
    left, gap, foot, head, key, width = 0.75, 0.85, 0.6, 0.75, 3.6, 11.0
    beside = spans[1] if len(spans) > 1 else None
    total = spans[0][0] + (beside[0] if beside else 0.0)
    used = left + gap + 0.25 if beside else left + gap + key
    scale = min((width - used) / total, 9.0 / max(height for _width, height in spans))
    upper = max(height for _width, height in spans[:2]) * scale
    below = spans[2][1] * scale if len(spans) > 2 else (key if beside else 0.0)
    height = head + upper + foot + (below + foot + 0.2 if below else 0.0)
    width = max(total * scale + used, 6.5)
    figure = figure_class(figsize=(width, height), dpi=200)

    def axes_at(x: float, y: float, w: float, h: float) -> Any:
        return figure.add_axes((x / width, y / height, w / width, h / height))

    base = height - head - upper
    cells = [axes_at(left, base, spans[0][0] * scale, spans[0][1] * scale)]
    right = left + spans[0][0] * scale + gap
    if beside:
        cells.append(axes_at(right, base, beside[0] * scale, beside[1] * scale))
    if len(spans) > 2:
        cells.append(axes_at(left, foot, spans[2][0] * scale, below))
        right = max(right, left + spans[2][0] * scale + 0.4)
    if not beside:
        legend = axes_at(right - 0.5, base, key, upper)
    elif len(spans) > 2:
        legend = axes_at(right - 0.3, foot, width - right + 0.2, below)
    else:
        legend = axes_at(left, 0.1, width - left - 0.25, below)
    legend.axis("off")
    return figure, cells, legend


def _material_legend(
    detector: DetectorModel, ax: Any, drawn: list[tuple[str, Any]], point: FloatArray
) -> None:
    """List the materials that the planes cut, densest last."""
    patches = import_optional("matplotlib.patches", "plot", _WHY)
    n = len(detector.materials)
    seen = np.zeros(n)
    for axis, window in drawn:
        share, _volume = slice_values(
            detector, axis, float(point["xyz".index(axis)]), window, (150, 150), np.eye(n + 1)
        )
        seen += share[..., :-1].sum(axis=(0, 1))
    index = {name: i for i, name in enumerate(detector.material_names)}
    entries = []
    for family in families(detector):
        here = [name for name in family.materials if seen[index[name]] > 1.0]
        if here:
            density = [detector.materials[index[name]].density for name in here]
            low, high = min(density), max(density)
            range_ = f"{low:.3g}" if high < 1.05 * low else f"{low:.2g} to {high:.2g}"
            label = f"{here[0] if len(here) == 1 else family.label}, {range_}"
            thin = low < GAS
            entries.append(
                patches.Patch(facecolor=family.colour, edgecolor="0.35" if not thin else "0.6",
                              linewidth=0.5, label=label)
            )  # fmt: skip
    columns = 2 if len(entries) > 12 else 1
    for entry in entries:
        # Two columns share the width of one; a long name must not run out of the picture.
        entry.set_label(textwrap.fill(entry.get_label(), 60 // columns))
    ax.legend(
        handles=entries, loc="upper left", ncols=columns, fontsize=7,
        frameon=False, borderaxespad=0.0, title="materials, g/cm$^3$", title_fontsize=8,
        alignment="left", columnspacing=1.0, handlelength=1.4,
    )  # fmt: skip


def _bar(
    figure: Any, ax: Any, limits: tuple[float, float], cmap: str, label: str, height: float
) -> None:
    colors = import_optional("matplotlib.colors", "plot", _WHY)
    cm = import_optional("matplotlib.cm", "plot", _WHY)
    inset = ax.inset_axes((0.06, height, 0.88, 0.05))
    figure.colorbar(
        cm.ScalarMappable(colors.LogNorm(*limits), cmap), cax=inset, orientation="horizontal",
        label=label,
    )  # fmt: skip
