"""How a detector looks in pictures: colours of its materials, and which part of it to show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import ConfigError
from siren_py.materials import VACUUM

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel
    from siren_py.materials import Material
    from siren_py.sample import Sample

GAS = 0.05  # g/cm3, as in the audit
_SITE = 3.0  # volumes larger than this times the regions are halls and ground

# Light to dark, so that denser is darker also without colours; neighbours differ in hue. The
# hues are those of P. Tol, "Colour Schemes" (SRON/EPS/TN/09-002), and of M. Okabe and K. Ito,
# "Color Universal Design" (2008), chosen there to be told apart with any colour vision.
_DENSE = (
    "#F0E442", "#99DDFF", "#DDCC77", "#FFAABB", "#BBCC33", "#88CCEE", "#E69F00", "#44BB99",
    "#EE8866", "#56B4E9", "#AAAA00", "#CC79A7", "#009E73", "#CC6677", "#999933", "#D55E00",
    "#0077BB", "#AA4499", "#117733", "#882255", "#332288", "#2B2B2B",
)  # fmt: skip
_GASES = ("#EEF3F8", "#FBF1D3", "#E3F3E5", "#F5E4F0", "#DDF1F2", "#EFEBDF")


class Family(NamedTuple):
    """Materials of one composition, whatever their density, and their colour (#rrggbb)."""

    label: str
    materials: tuple[str, ...]
    colour: str


def families(detector: DetectorModel) -> list[Family]:
    """Return the materials that have matter in families of equal composition, thin to dense."""
    groups: dict[tuple[object, ...], list[Material]] = {}
    for one in detector.materials:
        if one == VACUUM or not one.mass_fractions:
            continue
        key = tuple((name, round(share, 3)) for name, share in one.mass_fractions.items())
        groups.setdefault((one.density < GAS, *key), []).append(one)
    ordered = sorted(groups.values(), key=lambda g: float(np.mean([m.density for m in g])))
    thin = [group for group in ordered if group[0].density < GAS]
    dense = [group for group in ordered if group[0].density >= GAS]
    # The commonest gas, usually the air of the hall, is the palest.
    result = [
        Family(_label(group), tuple(m.name for m in group), _GASES[i % len(_GASES)])
        for i, group in enumerate(sorted(thin, key=lambda g: "air" not in g[0].name.lower()))
    ]
    steps = np.linspace(0, len(_DENSE) - 1, max(len(dense), 2)).round().astype(int)
    if len(dense) > len(_DENSE):
        steps = np.arange(len(dense)) % len(_DENSE)
    return result + [
        Family(_label(group), tuple(m.name for m in group), _DENSE[steps[i]])
        for i, group in enumerate(dense)
    ]


def _label(group: Sequence[Material]) -> str:
    if len(group) == 1:
        return group[0].name
    stems = {re.split(r"[^A-Za-z0-9]", one.name)[0] for one in group}
    if len(stems) == 1 and len(group) > 2:
        return f"{stems.pop()} ({len(group)} densities)"
    names = [one.name for one in group]
    return ", ".join(names) if len(names) <= 2 else f"{names[0]} and {len(names) - 1} alike"


def material_colours(detector: DetectorModel) -> dict[str, str]:
    """Return the colour (#rrggbb) of each material; vacuum is white."""
    colours = {one.name: "#FFFFFF" for one in detector.materials}
    for family in families(detector):
        colours.update(dict.fromkeys(family.materials, family.colour))
    return colours


def site_volumes(detector: DetectorModel) -> set[str]:
    """Return the volumes that are surroundings: much larger than the regions, or around most."""
    placed = detector.placed()
    sizes = [float(np.linalg.norm(np.subtract(*item.box()))) for item in placed]
    if detector.regions:
        boxes = [region.bounds() for region in detector.regions.values()]
        lo, hi = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
        limit = _SITE * float(np.linalg.norm(hi - lo))
        return {item.name for item, size in zip(placed, sizes, strict=True) if size > limit}
    around = set()
    for item in placed:
        lo, hi = item.box()
        inside = sum(bool(np.all(o.box()[0] >= lo) and np.all(o.box()[1] <= hi)) for o in placed)
        if inside - 1 > 0.5 * len(placed):
            around.add(item.name)
    return around if len(around) < len(placed) else set()


def core_box(detector: DetectorModel, margin: float = 0.04) -> tuple[FloatArray, FloatArray]:
    """Return the box (lo, hi) [cm] around everything but the surroundings, with a margin."""
    site = site_volumes(detector)
    boxes = [item.box() for item in detector.placed() if item.name not in site]
    boxes += [region.bounds() for region in detector.regions.values()]
    if not boxes:
        boxes = [detector.bounds()]
    lo, hi = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
    pad = margin * float((hi - lo).max())
    return lo - pad, hi + pad


class Vertices(NamedTuple):
    """Vertices to draw: production and decay points (n, 3) [cm] (NaN: none), and weights (n,)."""

    production: FloatArray
    decay: FloatArray
    weights: FloatArray
    n_events: int


def sample_vertices(sample: Sample, most: int) -> Vertices:
    """Return the vertices of at most `most` events, evenly taken from the sample.

    Raises
    ------
    ConfigError
        If the sample has no events.
    """
    n = len(sample)
    if n == 0:
        raise ConfigError("The sample holds no events, so there are no vertices to draw.")
    chosen = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
    return Vertices(
        sample.vertices(0)[chosen, :3],
        sample.vertices(1)[chosen, :3],
        sample.weights[chosen],
        n,
    )
