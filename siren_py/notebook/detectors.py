"""What a notebook shows of a detector: the drawing that can be turned, and its masses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from siren_py.appearance import site_volumes
from siren_py.display import notebook_html
from siren_py.notebook.pages import Html, folded, note, page, shown
from siren_py.tables import Table

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

_SECONDS = 0.2
"""Time for the masses: those of many solids that cut into each other take longer."""

_MOST_ROWS = 200


@shown
def detector_html(detector: DetectorModel) -> str:
    """Return drawing, masses, regions and beam of a detector."""
    parts: list[str | Table] = [Html(notebook_html(detector))]
    if detector.volumes:
        parts.append(folded("masses", _masses(detector)))
    if detector.regions:
        parts.append(folded("regions", [_regions(detector)]))
    return page(parts)


def _masses(detector: DetectorModel) -> Iterator[str | Table]:
    """Yield the visible masses of all volumes but the surroundings, as far as they are quick."""
    site = site_volumes(detector)
    names = [name for name in detector.volume_names if name not in site]
    found: dict[str, float] = {}
    end = time.perf_counter() + _SECONDS
    for name in names[:_MOST_ROWS]:
        if time.perf_counter() > end:
            break
        found[name] = sum(mass.value for mass in detector.mass_by_material([name]).values())
    rows = []
    for name, mass in found.items():
        volume = detector.volume(name)
        materials = ", ".join(dict.fromkeys(one.name for one in volume.materials))
        density = mass_density(volume.materials)
        rows.append((name, materials, density, f"{mass / 1e3:,.5g}"))
    heads = ("volume", "materials", "density [g/cm3]", "visible mass [kg]")
    yield Table(heads, tuple(rows), numbers=(2, 3))
    left = len(names) - len(found)
    if left:
        yield note(f"{left} further volumes: masses() has the masses of all.")
    if site:
        yield note(f"Surroundings are left out: {', '.join(sorted(site))}.")


def mass_density(materials: tuple[object, ...]) -> str:
    """Return the density of materials as text, or their range."""
    found = sorted(float(getattr(one, "density", 0.0)) for one in materials)
    low, high = f"{found[0]:.4g}", f"{found[-1]:.4g}"
    return low if low == high else f"{low} to {high}"


def _regions(detector: DetectorModel) -> Table:
    rows = []
    for name, region in detector.regions.items():
        lo, hi = region.bounds()
        spans = (f"{a:.5g} to {b:.5g}" for a, b in zip(lo, hi, strict=True))
        rows.append((name, *spans))
    return Table(("region", "x [cm]", "y [cm]", "z [cm]"), tuple(rows))
