"""``siren-py limit``: the area that an analysis excludes, from the command line or a TOML file."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siren_py.cli.options import (
    Range,
    Subparsers,
    add_verb,
    count,
    exposure,
    grid,
    number,
    setting,
    whole,
)
from siren_py.cli.output import Answer
from siren_py.errors import ConfigError, FormatError, unknown_name

if TYPE_CHECKING:
    from siren_py.analysis import Analysis
    from siren_py.limits import Limit

DEFAULTS: dict[str, Any] = {
    "masses": Range(0.02, 0.5, 16),
    "couplings": Range(1e-8, 1e-4, 81),
    "model": "dipole-portal",
    "coupling": "d_mu",
    "precision": 0.02,
    "max_attempts": 500_000,
    "seed": 1,
    "workers": 1,
}
"""What holds where neither the command line nor the file says otherwise."""

_OWN = ("detector", "region", "decay", "flux", "pot", "observed", "background", "background_error")
"""Options that describe a counting experiment of one channel, instead of `analysis`."""

_EXAMPLES = (
    "siren-py limit --analysis t2k-2019-dipole --masses 0.14:0.49:8 --output t2k",
    "siren-py limit --analysis t2k-2019-dipole --option outside=nearest --statistic cls --cl 0.95",
    "siren-py limit --detector nd280 --region tpc --decay 'nu e+ e-' --pot 12.34e20 \\",
    "    --flux t2k-nd280:fhc:numu --observed 0 --background 0.563 --background-error 0.241",
    "siren-py limit my_limit.toml --workers 2",
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
        "excluded area. Every option may also stand in a TOML file, under its own name.",
        _EXAMPLES,
    )
    parser.add_argument("config", nargs="?", metavar="FILE.toml", help="file with the options")
    what = parser.add_argument_group("analysis")
    what.add_argument("--analysis", metavar="NAME", help="name, or path of a script")
    what.add_argument(
        "--option", action="append", type=setting, metavar="KEY=VALUE",
        help="option of the analysis; may be repeated",
    )  # fmt: skip
    own = parser.add_argument_group("counting experiment of one's own")
    own.add_argument("--detector", metavar="NAME", help="name or path")
    own.add_argument("--region", metavar="NAME", help="region in which decays count")
    own.add_argument("--decay", metavar="CHANNEL", help="decay channel, or all")
    own.add_argument("--flux", action="append", metavar="NAME:MODE:FLAVOR", help="may be repeated")
    own.add_argument("--pot", type=exposure, metavar="POT", help="protons on target")
    own.add_argument("--observed", type=whole, metavar="N", help="observed events (default: 0)")
    own.add_argument("--background", type=number, metavar="B", help="expected background")
    own.add_argument("--background-error", type=number, metavar="B", help="its error")
    plane = parser.add_argument_group("plane")
    plane.add_argument(
        "--masses", type=grid, metavar="GRID",
        help="GeV, as low:high:number (logarithmic) or a,b,c (default: 0.02:0.5:16)",
    )  # fmt: skip
    plane.add_argument(
        "--couplings", type=grid, metavar="GRID", help="likewise (default: 1e-8:1e-4:81)"
    )
    plane.add_argument("--model", metavar="NAME", help="model (default: dipole-portal)")
    plane.add_argument("--coupling", metavar="NAME", help="coupling to scan (default: d_mu)")
    plane.add_argument(
        "--parameter", action="append", type=setting, metavar="KEY=VALUE",
        help="further parameter of the model, e.g. nature=majorana; may be repeated",
    )  # fmt: skip
    how = parser.add_argument_group("statistics and run")
    how.add_argument("--statistic", metavar="NAME", help="default: that of the analysis, or cls")
    how.add_argument("--cl", type=number, metavar="CL", help="confidence level, e.g. 0.9")
    how.add_argument(
        "--precision", type=number, metavar="P", help="relative error of a point (default: 0.02)"
    )
    how.add_argument("--max-attempts", type=count, metavar="N", help="per point (default: 5e5)")
    how.add_argument("--seed", type=whole, metavar="N", help="seed (default: 1)")
    how.add_argument("--workers", type=count, metavar="N", help="number of threads (default: 1)")
    how.add_argument("--quiet", action="store_true", help="no progress bar")
    out = parser.add_argument_group("output")
    out.add_argument(
        "--output", metavar="DIR",
        help="folder for limit.json, limit.csv, HEPData tables, plots and the scan, from which "
        "an interrupted run goes on",
    )  # fmt: skip
    out.add_argument(
        "--compare", metavar="CURVE", help="published line, see `siren-py list limits`"
    )


def run(options: argparse.Namespace) -> Answer:
    """Find the limit, write it, return it."""
    from siren_py.exclusion import find_limit
    from siren_py.models import model_from_dict

    settings = _settings(options)
    analysis = _analysis(settings)
    model = model_from_dict(_model_record(settings))
    folder = _folder(settings.get("output"))
    curve = None
    if settings.get("compare"):
        from siren_py.published import load_curve

        curve = load_curve(settings["compare"])
    limit = find_limit(
        analysis,
        model,
        _points(settings["masses"]),
        _points(settings["couplings"]),
        coupling=settings["coupling"],
        statistic=settings.get("statistic"),
        cl=settings.get("cl"),
        precision=settings["precision"],
        max_attempts=settings["max_attempts"],
        seed=settings["seed"],
        workers=settings["workers"],
        progress=False if options.quiet else None,
        path=None if folder is None else folder / "scan.npz",
    )
    rows = [] if curve is None else limit.compare(curve.x, curve.y)
    data = limit.to_dict() | {"comparison": rows, "output": settings.get("output")}
    if folder is not None:
        _write(limit, folder, curve)
    return Answer(data, _text(limit, rows, settings.get("output")))


# ------------------------------------------------------------ settings


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Merge defaults, file and command line, in rising order of importance."""
    given = {
        k: v
        for k, v in vars(options).items()
        if v is not None and k not in ("config", "run", "parser", "verb", "json", "quiet")
    }
    for key in ("option", "parameter"):
        if key in given:
            given[key] = dict(given[key])
    known = [
        a.dest for a in options.parser._actions
        if a.dest not in ("config", "help", "json", "quiet")
    ]  # fmt: skip
    from_file = _read(Path(options.config), known) if options.config else {}
    return {**DEFAULTS, **from_file, **given}


def _read(path: Path, known: list[str]) -> dict[str, Any]:
    """Read a TOML file of options; unknown keys are errors that name the nearest."""
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not a TOML file: {error}.") from None
    version = record.pop("schema_version", 1)
    if version != 1:
        raise FormatError(f"{path} has schema_version {version!r}; this siren_py knows 1.")
    result = {}
    for key, value in record.items():
        name = key.replace("-", "_")
        if name not in known:
            raise unknown_name(f"option in {path}", key, known)
        result[name] = _checked(path, name, value)
    return result


_NUMBERS = ("observed", "background", "background_error", "cl", "precision")
_WHOLE = ("max_attempts", "seed", "workers")


def _checked(path: Path, name: str, value: Any) -> Any:
    """Check the kind of a value from a file."""
    if name in ("masses", "couplings"):
        return _grid(path, name, value)
    if name in ("option", "parameter"):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path}: {name} must be a table, [{name}].")
        return dict(value)
    if name == "flux":
        return [value] if isinstance(value, str) else list(value)
    if name == "pot":
        if isinstance(value, Mapping):
            return {k: _number(path, f"pot.{k}", v) for k, v in value.items()}
        return _number(path, name, value)
    if name in _NUMBERS:
        return _number(path, name, value)
    if name in _WHOLE:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{path}: {name} must be a whole number; it is {value!r}.")
        return value
    if not isinstance(value, str):
        raise ConfigError(f"{path}: {name} must be a text in quotes; it is {value!r}.")
    return value


def _grid(path: Path, name: str, value: Any) -> Any:
    if not isinstance(value, str):
        values = value if isinstance(value, list) else [value]
        return tuple(_number(path, name, v) for v in values)
    try:
        return grid(value)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"{path}: {name}: {error}.") from None


def _number(path: Path, name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConfigError(f"{path}: {name} must be a number; it is {value!r}.")
    return float(value)


def _points(value: Any) -> Any:
    """Return the points of a grid: (low, high, number) of a range, or the points themselves."""
    import numpy as np

    if isinstance(value, Range):
        return np.geomspace(value.low, value.high, value.number)
    return np.array(value, dtype=np.float64)


def _analysis(settings: Mapping[str, Any]) -> Analysis:
    from siren_py.analysis import Analysis, Channel, load_analysis
    from siren_py.estimate import Estimate

    own = [k for k in _OWN if k in settings]
    if settings.get("analysis"):
        if own:
            raise ConfigError(
                f"The analysis {settings['analysis']!r} has its own detector and data; "
                f"--{own[0].replace('_', '-')} cannot be given with it."
            )
        return load_analysis(settings["analysis"], **settings.get("option", {}))
    missing = [k for k in ("detector", "region", "flux", "pot") if k not in settings]
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


def _model_record(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a model at the first point; the scan replaces mass and coupling."""
    return {
        "name": settings["model"],
        **settings.get("parameter", {}),
        "mass": float(_points(settings["masses"])[0]),
        settings["coupling"]: float(_points(settings["couplings"])[0]),
    }


# ------------------------------------------------------------ output


def _folder(output: str | None) -> Path | None:
    if output is None:
        return None
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot use {folder} as a folder for the output: {error.strerror or error}."
        ) from None
    return folder


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
