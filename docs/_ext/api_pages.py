"""Sphinx extension: write the pages of the API reference, one per public module.

What is public is what the modules below say, so a new name has its page without further ado.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

MODULES = {
    "siren_py": ("The front door", "What `import siren_py as sp` offers, imported on first use."),
    "siren_py.geometry": (
        "Geometry",
        "Solids, placement, layers, density profiles; in cm.",
    ),
    "siren_py.processes": ("Processes", "Interactions and decays, and the classes to derive from."),
    "siren_py.models": ("Models", "Models, and conversions of couplings."),
    "siren_py.flux": ("Fluxes", "Neutrinos per area, energy and proton on target."),
    "siren_py.flux.mesons": ("Fluxes of N from mesons", "Kaons and pions that decay again."),
    "siren_py.counting": ("Statistics", "Limits, intervals and significances of counts."),
    "siren_py.selection": ("Cuts", "Cuts of one's own and ready-made ones."),
    "siren_py.analysis": ("Analyses", "What an experiment counts."),
    "siren_py.published": ("Published curves", "Limits and tables of others, with citation."),
    "siren_py.reproduction": ("Reproductions", "Published figures, made again."),
    "siren_py.plot": ("Plots", "What `.plot()` and `.peek()` of the objects draw; extra `plot`."),
    "siren_py.io.formats": ("Files", "Writing and reading samples in any format."),
    "siren_py.configuration": (
        "Configurations",
        "What `simulate`, `scan` and `limit` take; see [configuration files](../configuration.md).",
    ),
    "siren_py.resources": (
        "Detectors and fluxes by name",
        "Where they are found; a name is searched in `SIREN_PY_PATH`, in plug-ins and in siren_py.",
    ),
    "siren_py.plugins": (
        "Plug-ins",
        "What installed packages add; see [how to make one](../extending.md).",
    ),
    "siren_py.driving": (
        "Driving",
        "Pseudo-random numbers and Sobol nets; see [variance](../variance.md).",
    ),
    "siren_py.citations": ("Citations", "BibTeX of what was used."),
    "siren_py.errors": ("Errors", "Every error of siren_py is a `SirenError`."),
}
INTERNAL = {"siren_py.models.flown_length", "siren_py.models.parameters_of"}
"""What the models share; not for callers."""
VALUES = {"siren_py.units": "Unit constants", "siren_py.constants": "Physical constants"}


def public_names(module: str) -> list[str]:
    """Names that a module offers: its ``__all__``, or the classes and functions it defines."""
    found = importlib.import_module(module)
    listed = getattr(found, "__all__", None)
    if listed is None:
        listed = [name for name, value in vars(found).items() if _is_own(name, value, module)]
    names = (n for n in listed if not n.startswith("_") and f"{module}.{n}" not in INTERNAL)
    return sorted(name for name in names if not inspect.ismodule(getattr(found, name)))


def _is_own(name: str, value: Any, module: str) -> bool:
    kinds = inspect.isclass(value) or inspect.isfunction(value)
    return kinds and value.__module__ == module and not name.startswith("_")


def slug(module: str) -> str:
    return module.replace(".", "_")


def page(module: str) -> str:
    title, words = MODULES[module]
    found = importlib.import_module(module)
    front = importlib.import_module("siren_py")
    offered = {id(getattr(front, name)) for name in public_names("siren_py")}
    names = public_names(module)
    also = [n for n in names if module != "siren_py" and id(getattr(found, n)) in offered]
    lines = [f"# {title}", "", f"`{module}`. {words}", ""]
    for heading, is_kind in (("Classes", True), ("Functions", False)):
        chosen = [
            n
            for n in names
            if n not in also
            and callable(getattr(found, n))
            and inspect.isclass(getattr(found, n)) is is_kind
        ]
        if chosen:
            lines += [f"## {heading}", "", "```{eval-rst}", f".. currentmodule:: {module}", ""]
            lines += [".. autosummary::", "   :toctree: generated", "   :nosignatures:", ""]
            lines += [*(f"   {name}" for name in chosen), "```", ""]
    if also:
        words = ", ".join(f"`{name}`" for name in also)
        lines += [f"Also here, and on [the front door](siren_py.md): {words}.", ""]
    return "\n".join(lines)


def values_page(module: str) -> str:
    lines = [f"# {VALUES[module]}", "", "```{eval-rst}", f".. automodule:: {module}"]
    return "\n".join([*lines, "   :members:", "   :undoc-members:", "```", ""])


def index_page() -> str:
    lines = [
        "# API reference",
        "",
        "Made from the docstrings. Names that are not here are internal",
    ]
    lines += ["and may change without notice.", "", "```{toctree}", ":maxdepth: 1", ""]
    return "\n".join([*lines, *map(slug, MODULES), *map(slug, VALUES), "```", ""])


def write_pages(app: Any, config: Any) -> None:
    # By name: a page that is new would otherwise be looked at by the next build only.
    config.autosummary_generate = [f"api/{slug(module)}.md" for module in MODULES]
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = {"index": index_page()}
    pages |= {slug(m): page(m) for m in MODULES} | {slug(m): values_page(m) for m in VALUES}
    listed = {f"{m}.{n}" for m in MODULES for n in public_names(m)}
    for stub in (folder / "generated").glob("*.rst"):
        if stub.stem not in listed:
            stub.unlink()  # of a name that is no longer public
    for name, text in pages.items():
        path = folder / f"{name}.md"
        # An untouched file is not read again by the next build.
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
