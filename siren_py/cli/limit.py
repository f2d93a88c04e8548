"""``siren-py limit``: the area that an analysis excludes, from the command line or a TOML file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siren_py.cli.options import Subparsers, add_keys, add_verb, settings_of
from siren_py.cli.output import Answer
from siren_py.configuration.keys import LIMIT
from siren_py.errors import ConfigError

if TYPE_CHECKING:
    from siren_py.analysis import Analysis
    from siren_py.configuration.reading import Settings
    from siren_py.limits import Limit

_OWN = ("detector", "region", "decay", "flux", "pot", "observed", "background", "background_error")
"""Options that describe a counting experiment of one channel, instead of `analysis`."""

_EXAMPLES = (
    "siren-py limit --analysis t2k-2019-dipole --masses 0.14:0.49:8 --output t2k",
    "siren-py limit --analysis t2k-2019-dipole --option outside=nearest --statistic cls --cl 0.95",
    "siren-py limit --detector nd280 --region tpc --decay 'nu e+ e-' --pot 12.34e20 \\",
    "    --flux t2k-nd280:fhc:numu --observed 0 --background 0.563 --background-error 0.241",
    "siren-py limit my_limit.toml --workers 2",
    "siren-py limit t2k/configuration.toml --output again",
)


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "limit",
        run,
        "find what an analysis excludes",
        "Simulate a plane of masses and couplings, compare with the data of an analysis (see "
        "`siren-py list analyses`) or of a counting experiment of one's own, and write the "
        "excluded area. Every option may also stand in a TOML file, under its own name; options "
        "win.",
        _EXAMPLES,
    )
    add_keys(parser, LIMIT)


def run(options: argparse.Namespace) -> Answer:
    """Find the limit, write it, return it."""
    from siren_py.cli.scan import SCAN_FILE, output_folder, planes
    from siren_py.configuration.simulations import make_model
    from siren_py.configuration.writing import (
        CONFIGURATION,
        origin,
        record_run,
        write_configuration,
    )
    from siren_py.exclusion import find_limit
    from siren_py.io.files import check_writable
    from siren_py.resources import load_detector

    settings = settings_of(options, LIMIT)
    if settings.get("save_config"):
        check_writable(settings["save_config"])
    analysis = _analysis(settings)
    masses, couplings = planes(settings)
    # Mass and coupling of the first point; the scan replaces them.
    point = {"mass": float(masses[0]), settings["coupling"]: float(couplings[0])}
    model = make_model(settings, **point)
    folder = output_folder(settings.get("output"))
    curve = None
    if settings.get("compare"):
        from siren_py.published import load_curve

        curve = load_curve(settings["compare"])
    values = _full(settings, analysis, model)
    made_by = origin("limit", values, load_detector(analysis.detector))
    new = folder is not None and not (folder / SCAN_FILE).exists()
    record_run(settings, "limit", values, made_by, folder if new else None)
    limit = find_limit(
        analysis,
        model,
        masses,
        couplings,
        coupling=settings["coupling"],
        statistic=settings.get("statistic"),
        cl=settings.get("cl"),
        precision=settings["precision"],
        max_attempts=settings["max_attempts"],
        seed=settings["seed"],
        workers=settings["workers"],
        progress=False if options.quiet else None,
        path=None if folder is None else folder / SCAN_FILE,
    )
    rows = [] if curve is None else limit.compare(curve.x, curve.y)
    data = limit.to_dict() | {"comparison": rows, "output": settings.get("output")}
    if folder is not None:
        # Once more after the scan, which refuses the folder of another one.
        write_configuration(folder / CONFIGURATION, "limit", values, made_by)
        _write(limit, folder, curve)
    return Answer(data, _text(limit, rows, settings.get("output")))


# ------------------------------------------------------------ settings


def _full(settings: Settings, analysis: Analysis, model: Any) -> dict[str, Any]:
    """Return the settings with what the analysis and the model chose themselves."""
    from siren_py.configuration.simulations import model_values

    values = {"statistic": analysis.statistic, "cl": analysis.cl, **settings.values}
    if not settings.get("analysis"):
        values = {
            "decay": "all",
            "observed": 0,
            "background": 0.0,
            "background_error": 0.0,
            **values,
        }
    return values | model_values(settings, model, {"mass", settings["coupling"]})


def _analysis(settings: Settings) -> Analysis:
    from siren_py.analysis import Analysis, Channel, load_analysis
    from siren_py.estimate import Estimate

    own = [k for k in _OWN if k in settings.given]
    if settings.get("analysis"):
        if own:
            raise ConfigError(
                f"The analysis {settings['analysis']!r} has its own detector and data; "
                f"--{own[0].replace('_', '-')} cannot be given with it."
            )
        return load_analysis(settings["analysis"], **settings.get("option", {}))
    missing = [k for k in ("detector", "region", "flux", "pot") if k not in settings.given]
    if missing:
        raise ConfigError(
            "Give --analysis, or a counting experiment of your own: "
            f"{', '.join('--' + k for k in missing)} are missing."
        )
    decay = settings.get("decay", "all")
    pot = settings["pot"]
    channel = Channel(
        name="events",
        region=settings["region"],
        decay=None if decay == "all" else decay,
        fluxes=tuple(settings["flux"]),
        exposure=pot if isinstance(pot, Mapping) else _by_mode(settings["flux"], pot),
        observed=float(settings.get("observed", 0)),
        background=Estimate(settings.get("background", 0.0), settings.get("background_error", 0.0)),
    )
    return Analysis("counting experiment", settings["detector"], (channel,), {})


def _by_mode(fluxes: list[str], pot: float) -> dict[str, float]:
    from siren_py.simulation import flux_names_and_modes

    modes = {mode for _, mode in flux_names_and_modes(fluxes)}
    if len(modes) > 1:
        raise ConfigError(
            f"The fluxes are of the beam modes {', '.join(sorted(modes))}: give --pot for each, "
            f"e.g. --pot {','.join(f'{m}=1e21' for m in sorted(modes))}."
        )
    return dict.fromkeys(modes, pot)


# ------------------------------------------------------------ output


def _write(limit: Limit, folder: Path, curve: Any) -> None:
    limit.to_json(folder / "limit.json")
    limit.to_csv(folder / "limit.csv")
    limit.to_hepdata(folder / "hepdata")
    if find_spec("matplotlib") is not None and min(limit.exclusion.shape) > 1:
        ax = limit.plot()
        if curve is not None:
            ax.plot(curve.x, curve.y, color="0.4", linestyle="--", label=curve.name)
            ax.legend(frameon=False)
        for suffix in ("png", "pdf"):
            ax.figure.savefig(folder / f"limit.{suffix}", dpi=200)


def _text(limit: Limit, rows: list[dict[str, float]], output: str | None) -> str:
    unit = f" [{limit.unit}]" if limit.unit else ""
    lines = [
        f"{limit.name}: {limit.coupling}{unit} excluded at {limit.cl:.4g} CL ({limit.statistic})",
        f"  {'mass [GeV]':>12}   {'from':>11}   {'to':>11}",
    ]
    for mass, spans in zip(limit.masses, limit.intervals(), strict=True):
        if not spans:
            lines.append(f"  {mass:>12.5g}   nothing")
        for low, high in spans:
            end = "beyond" if high >= limit.couplings[-1] * (1 - 1e-12) else f"{high:.4g}"
            lines.append(f"  {mass:>12.5g}   {low:>11.4g}   {end:>11}")
    lines += [
        f"  at {r['mass']:.5g} GeV published {r['published']:.4g}, ratio {r['ratio']:.3f}"
        for r in rows
    ]
    lines.append(f"  written to {output}" if output else "  not kept (see --output)")
    return "\n".join(lines)
