"""Plots with matplotlib (extra `plot`): detectors, fluxes, models, samples, scans, limits.

Every object has methods `plot` and `peek`, which call the functions here. All draw in one style,
`STYLE`, which is put on for the time of drawing only: a user's own settings stay as they are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siren_py.plot.cross_sections import draw_detector, draw_slice, peek_detector, weight_limits
    from siren_py.plot.fluxes import draw_flux, peek_flux
    from siren_py.plot.models import draw_lifetime, draw_widths, peek_model
    from siren_py.plot.planes import draw_limit, draw_scan
    from siren_py.plot.samples import draw_sample, peek_sample
    from siren_py.plot.style import COLOURS, STYLE, new_axes, plot_style

__all__ = [
    "COLOURS",
    "STYLE",
    "draw_detector",
    "draw_flux",
    "draw_lifetime",
    "draw_limit",
    "draw_sample",
    "draw_scan",
    "draw_slice",
    "draw_widths",
    "new_axes",
    "peek_detector",
    "peek_flux",
    "peek_model",
    "peek_sample",
    "plot_style",
    "weight_limits",
]

# Public name -> module that defines it: a plot of a flux must not wait for the detectors' kernels.
_HOME = {
    "COLOURS": "style",
    "STYLE": "style",
    "draw_detector": "cross_sections",
    "draw_flux": "fluxes",
    "draw_lifetime": "models",
    "draw_limit": "planes",
    "draw_sample": "samples",
    "draw_scan": "planes",
    "draw_slice": "cross_sections",
    "draw_widths": "models",
    "new_axes": "style",
    "peek_detector": "cross_sections",
    "peek_flux": "fluxes",
    "peek_model": "models",
    "peek_sample": "samples",
    "plot_style": "style",
    "weight_limits": "cross_sections",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; see dir({__name__})")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
