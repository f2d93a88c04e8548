"""The keys of `simulate`, `scan` and `limit`: one table for command line, files and schema.

Everything that is known of a key stands here, once. From it come the options of the command
line with their help, the check of what a TOML file holds, the JSON schema for editors and the
configuration that a run writes. The key ``d_mu`` of a file is the option ``--d-mu``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from siren_py.configuration.kinds import (
    Chunks,
    Exposure,
    Flag,
    Grid,
    Kind,
    NameOrPath,
    Number,
    Path,
    Quantity,
    Table,
    Text,
    Texts,
    Whole,
)
from siren_py.errors import unknown_name

Role = Literal["what", "how", "place"]

# Names that are defined elsewhere stand here again: the modules that define them load NumPy and
# numba, for which `siren-py --help` has no time. A test compares them.
NATURES = ("dirac", "majorana")
CONVENTIONS = ("standard", "darknews")
PROPOSALS = ("aimed", "forward")
BEAMS = ("parallel", "source")
BACKENDS = ("threads", "processes")
DRIVINGS = ("random", "sobol")


@dataclass(frozen=True)
class Key:
    """One setting of a command.

    Attributes
    ----------
    name
        Name in a file; the option has dashes in place of underscores.
    kind
        How its value is read.
    help
        What it is, in a few words.
    metavar
        What stands for the value in the help.
    default
        The default as one would write it on the command line; empty if there is none.
    otherwise
        What holds without a default, in words.
    role
        ``"what"``: it decides which events there can be; ``"how"``: how many are made, and
        where; ``"place"``: files, which a rerun does not repeat.

    Examples
    --------
    >>> key = COMMANDS["simulate"].keys["d_mu"]
    >>> key.option
    '--d-mu'
    >>> key.description
    'dipole coupling to nu_mu (default: 3.87e-7 if no coupling is given)'
    >>> key.kind.value("1e-6 /GeV")
    1e-06
    """

    name: str
    kind: Kind
    help: str
    metavar: str = ""
    default: str = ""
    otherwise: str = ""
    role: Role = "what"

    @property
    def option(self) -> str:
        """The option of the command line, ``--d-mu``."""
        return "--" + self.name.replace("_", "-")

    @cached_property
    def default_value(self) -> Any:
        """The default as a value; None if there is none."""
        if not self.default:
            return None
        value = self.kind.text(self.default)
        return [value] if self.kind.repeated else value

    @property
    def description(self) -> str:
        """Help with the default."""
        known = self.default or self.otherwise
        return f"{self.help} (default: {known})" if known else self.help


@dataclass(frozen=True)
class Command:
    """A command of `siren-py` that takes a configuration.

    Attributes
    ----------
    name
        Its name.
    groups
        Its keys by heading, in the order of the help and of the files.

    Examples
    --------
    >>> scan = COMMANDS["scan"]
    >>> list(scan.groups)
    ['where', 'plane', 'run', 'output']
    >>> scan.defaults["precision"]
    0.02
    """

    name: str
    groups: dict[str, tuple[Key, ...]]

    @cached_property
    def keys(self) -> dict[str, Key]:
        """The keys by name."""
        return {key.name: key for group in self.groups.values() for key in group}

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The values of the keys that have a default."""
        return {k: v.default_value for k, v in self.keys.items() if v.default}


_DETECTOR = Key("detector", NameOrPath(), "name or path (./my_detector.py)", "NAME", "nd280")
_REGION = Key(
    "region", Text(), "region in which decays count", "NAME",
    otherwise="tpc if the detector has it, or its only region",
)  # fmt: skip
_FLUX = Key(
    "flux", Texts(), "flux; may be repeated", "NAME:MODE:FLAVOR", "t2k-nd280:fhc:numu"
)  # fmt: skip
_POT = Key(
    "pot", Exposure(), "protons on target, or fhc=...,rhc=... per beam mode", "POT", "12.34e20",
    role="how",
)  # fmt: skip
_DECAY = Key("decay", Text(), "decay channel, or all", "CHANNEL", "nu e+ e-")
_MODEL = Key("model", Text(), "model, see `siren-py list models`", "NAME", "dipole-portal")
_PARAMETER = Key(
    "parameter", Table(), "further parameter of the model, a plain number in GeV; may be repeated",
    "KEY=VALUE",
)  # fmt: skip
_NATURE = Key("nature", Text("nature", NATURES), "dirac or majorana", "KIND", "dirac")
_CONVENTIONS = Key(
    "conventions", Text("set of conventions", CONVENTIONS),
    "of the dipole portal: standard, or darknews, for comparisons only", "NAME",
    otherwise="standard",
)  # fmt: skip
_PROPOSAL = Key("proposal", Text("proposal", PROPOSALS), "aimed or forward", "NAME", "aimed")
_BEAM = Key(
    "beam", Text("kind of beam", BEAMS),
    "parallel, or source: rays from the decay pipe with 1/r2", "KIND", "parallel",
)  # fmt: skip
_SEED = Key("seed", Whole(), "seed", "N", "1", role="how")
_WORKERS = Key("workers", Whole(1), "number of threads", "N", "1", role="how")
_OUTPUT = Key("output", Path(), "", "DIR", role="place")
_SAVE = Key(
    "save_config", Path(), "write the full configuration of the run to a TOML file", "FILE",
    role="place",
)  # fmt: skip


def _dipole(flavor: str) -> Key:
    return Key(
        f"d_{flavor}", Quantity("inverse energy"), f"dipole coupling to nu_{flavor}", "1/GeV",
        otherwise="3.87e-7 if no coupling is given" if flavor == "mu" else "0",
    )  # fmt: skip


_WHERE = (_DETECTOR, _REGION, _FLUX, _POT)

SIMULATE = Command(
    "simulate",
    {
        "where": _WHERE,
        "model": (
            _MODEL,
            Key("mass", Quantity("energy"), "mass of N", "GeV", "0.1"),
            *(_dipole(flavor) for flavor in ("e", "mu", "tau")),
            _PARAMETER,
            _DECAY,
            _NATURE,
            _CONVENTIONS,
        ),
        "run": (
            Key("events", Whole(1), "number of attempts, e.g. 1e6", "N", "1e5", role="how"),
            _SEED,
            replace(_WORKERS, help="number of threads or processes"),
            Key(
                "backend", Text("backend", BACKENDS),
                "threads, or processes; the events are the same", "NAME", "threads", role="how",
            ),
            Key(
                "dask", Text(), "scheduler of a dask cluster (tcp://host:8786), or its file "
                "(scheduler.json)", "ADDRESS", role="place",
            ),
            Key(
                "driving", Text("driving", DRIVINGS),
                "random, or sobol: scrambled nets, with smaller errors", "NAME", "random",
                role="how",
            ),
            _PROPOSAL,
            _BEAM,
            Key(
                "chunks", Chunks(), "make only these chunks of the run (16384 attempts each), to "
                "be merged later", "FIRST:END", role="how",
            ),
        ),
        "files": (
            replace(_OUTPUT, help="ROOT file to write", metavar="FILE"),
            Key(
                "resume", Flag(), "go on from the finished chunks of an earlier run", role="place"
            ),
            Key(
                "checkpoint", Path(), "folder for the finished chunks", "DIR",
                otherwise="FILE.parts if there is an --output", role="place",
            ),
            Key(
                "no_checkpoint", Flag(), "write events straight into the output: less than half "
                "the disk, but a run that is killed starts anew", role="place",
            ),
            _SAVE,
        ),
    },
)  # fmt: skip

_MASSES = Key(
    "masses", Grid(("energy",)), "GeV, as low:high:number (logarithmic) or a,b,c", "GRID",
    "0.02:0.5:16",
)  # fmt: skip
_COUPLINGS = Key(
    "couplings", Grid(("inverse energy",)), "likewise, 1/GeV of a dipole", "GRID", "1e-8:1e-4:81"
)
_COUPLING = Key("coupling", Text(), "coupling to scan", "NAME", "d_mu")
_PRECISION = Key("precision", Number(), "relative error of a point", "P", "0.02", role="how")
_MOST = Key("max_attempts", Whole(1), "attempts per point", "N", "5e5", role="how")

SCAN = Command(
    "scan",
    {
        "where": _WHERE,
        "plane": (
            _MASSES,
            _COUPLINGS,
            _COUPLING,
            _MODEL,
            replace(_PARAMETER, help="further parameter of the model, e.g. d_e=1e-7"),
            _DECAY,
            _NATURE,
            _CONVENTIONS,
            Key(
                "cut", NameOrPath(), "cut that events must pass: name, or ./my_cuts.py:FUNCTION",
                "CUT",
            ),
        ),
        "run": (_PRECISION, _MOST, _SEED, _WORKERS, _PROPOSAL, _BEAM),
        "output": (
            replace(
                _OUTPUT, help="folder for scan.csv, the configuration and scan.npz, from which an "
                "interrupted scan goes on",
            ),
            _SAVE,
        ),
    },
)  # fmt: skip

LIMIT = Command(
    "limit",
    {
        "analysis": (
            Key("analysis", NameOrPath(), "name, or path of a script", "NAME"),
            Key("option", Table(), "option of the analysis; may be repeated", "KEY=VALUE"),
        ),
        "counting experiment of one's own": (
            replace(_DETECTOR, default=""),
            replace(_REGION, otherwise=""),
            replace(_DECAY, default="", otherwise="all"),
            replace(_FLUX, default=""),
            replace(_POT, default=""),
            Key("observed", Whole(), "observed events", "N", otherwise="0", role="how"),
            Key("background", Number(), "expected background", "B", otherwise="0", role="how"),
            Key("background_error", Number(), "its error", "B", otherwise="0", role="how"),
        ),
        "plane": (
            _MASSES,
            _COUPLINGS,
            _COUPLING,
            _MODEL,
            replace(_PARAMETER, help="further parameter of the model, e.g. nature=majorana"),
        ),
        "statistics and run": (
            Key(
                "statistic", Text(), "how a limit is made", "NAME",
                otherwise="that of the analysis, or cls", role="how",
            ),
            Key(
                "cl", Number(), "confidence level", "CL",
                otherwise="that of the analysis, or 0.9", role="how",
            ),
            _PRECISION,
            _MOST,
            _SEED,
            _WORKERS,
        ),
        "output": (
            replace(
                _OUTPUT, help="folder for limit.json, limit.csv, HEPData tables, plots, the "
                "configuration and the scan, from which an interrupted run goes on",
            ),
            Key(
                "compare", Text(), "published line, see `siren-py list limits`", "CURVE",
                role="how",
            ),
            _SAVE,
        ),
    },
)  # fmt: skip

COMMANDS = {command.name: command for command in (SIMULATE, SCAN, LIMIT)}
"""The commands that take a configuration, by name."""


def find_command(name: str) -> Command:
    """Return a command by name.

    Raises
    ------
    UnknownNameError
        If no such command takes a configuration.
    """
    if name not in COMMANDS:
        raise unknown_name("command with a configuration", name, COMMANDS)
    return COMMANDS[name]
