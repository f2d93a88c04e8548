"""Cross-sections as pixels: parallel lines traced through a detector, averaged per pixel.

Edges are exact along the lines; what is finer than a pixel is averaged, not skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from siren_py._numba import kernel
from siren_py._typing import FloatArray, IntArray

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

ACROSS = {"x": ("z", "y"), "y": ("z", "x"), "z": ("x", "y")}
"""Axes across the page and up the page for the axis that is cut."""

_ROWS_PER_PIXEL = 6


def slice_values(
    detector: DetectorModel,
    axis: str,
    at: float,
    window: tuple[float, float, float, float],
    shape: tuple[int, int],
    values: FloatArray,
) -> tuple[FloatArray, IntArray]:
    """Average values of the materials over the pixels of a cross-section.

    Parameters
    ----------
    axis, at
        The plane: axis = at [cm].
    window
        Left, right, bottom, top [cm]; see `ACROSS` for which axes these are.
    shape
        Pixels (rows, columns).
    values
        (materials + 1, channels): what each material, and vacuum (last), counts.

    Returns
    -------
    image : (rows, columns, channels)
        The first row is the bottom.
    volume : (rows, columns) int64
        Volume at the middle of each pixel, -1 for vacuum.
    """
    rows, columns = shape
    left, right, bottom, top = window
    across, up = ("xyz".index(name) for name in ACROSS[axis])
    lines = rows * _ROWS_PER_PIXEL
    # Each row in a pixel at a place of its own, so that fine layers make no moire pattern.
    rng = np.random.default_rng(1)
    steps = np.arange(lines) + rng.random(lines)
    steps[_ROWS_PER_PIXEL // 2 :: _ROWS_PER_PIXEL] = (
        np.arange(rows) * _ROWS_PER_PIXEL + 0.5 * _ROWS_PER_PIXEL
    )
    origins = np.empty((lines, 3))
    origins[:, "xyz".index(axis)] = at
    origins[:, up] = bottom + steps * (top - bottom) / lines
    origins[:, across] = left
    ways = np.tile(np.eye(3)[across], (lines, 1))
    segments = detector.trace(origins, ways, 0.0, right - left)
    image = np.tile(values[-1], (rows, columns, 1))
    volume = np.full((rows, columns), -1, np.int64)
    _paint(
        segments.offsets, segments.t_in, segments.t_out, segments.material, segments.volume,
        values, columns / (right - left), _ROWS_PER_PIXEL, image, volume,
    )  # fmt: skip
    return image, volume


@kernel
def _paint(
    offsets: IntArray,
    t_in: FloatArray,
    t_out: FloatArray,
    material: IntArray,
    volume: IntArray,
    values: FloatArray,
    pixels_per_cm: float,
    lines_per_row: int,
    image: FloatArray,
    volumes: IntArray,
) -> None:
    columns, channels = image.shape[1], image.shape[2]
    for line in range(len(offsets) - 1):
        row = line // lines_per_row
        middle = line % lines_per_row == lines_per_row // 2
        for k in range(offsets[line], offsets[line + 1]):
            low, high = t_in[k] * pixels_per_cm, t_out[k] * pixels_per_cm
            first, last = max(int(low), 0), min(int(np.ceil(high)), columns)
            for column in range(first, last):
                part = min(high, column + 1.0) - max(low, float(column))
                if part <= 0.0:
                    continue
                for c in range(channels):
                    more = values[material[k], c] - values[-1, c]
                    image[row, column, c] += part / lines_per_row * more
                if middle and low <= column + 0.5 < high:
                    volumes[row, column] = volume[k]
