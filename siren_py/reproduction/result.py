"""What a reproduction gets and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError
from siren_py.io.hepdata import DataTable
from siren_py.progress import ProgressLike
from siren_py.reproduction.checkpoint import Checkpoint, code_stamp

INSIDE, KNOWN, OUTSIDE = "inside", "known deviation", "OUTSIDE"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One number of ours beside the published one.

    The tolerance is stated before the comparison is made, with its reason in `comment`. A row
    that is known to lie outside has the reason in `deviation`: it is then listed, not hidden.

    Raises
    ------
    ConfigError
        If a number is not finite, the tolerance is not positive, or the published number is zero
        although the tolerance is relative.

    Examples
    --------
    >>> row = Agreement(quantity="mass", published=2.0, ours=2.1, tolerance=0.1, unit="GeV")
    >>> row.status, f"{row.ratio:.2f}"
    ('inside', '1.05')
    """

    quantity: str
    """What is compared."""
    published: float
    """The published number."""
    ours: float
    """What siren_py finds."""
    tolerance: float
    """Largest \\|ours/published - 1\\|, or largest \\|ours - published\\| if `absolute`."""
    unit: str = ""
    """Unit of both numbers."""
    error: float = 0.0
    """Statistical error of `ours`; for information, it does not widen the tolerance."""
    absolute: bool = False
    """Whether the tolerance is one of the difference."""
    comment: str = ""
    """Why the tolerance is what it is, or what the number means."""
    deviation: str = ""
    """Why the row is known to lie outside; empty where it is expected to lie inside."""

    def __post_init__(self) -> None:
        numbers = (self.published, self.ours, self.tolerance, self.error)
        if not all(isfinite(n) for n in numbers) or self.tolerance <= 0.0:
            raise ConfigError(
                f"The comparison of {self.quantity!r} needs finite numbers and a tolerance above "
                f"zero; published {self.published!r}, ours {self.ours!r} +- {self.error!r}, "
                f"tolerance {self.tolerance!r}."
            )
        if self.published == 0.0 and not self.absolute:
            raise ConfigError(
                f"The published {self.quantity!r} is zero, so the tolerance must be one of the "
                "difference: absolute=True."
            )

    @property
    def ratio(self) -> float | None:
        """Ours divided by the published number; None if that is zero."""
        return self.ours / self.published if self.published else None

    @property
    def inside(self) -> bool:
        """Whether the numbers agree within the tolerance."""
        scale = 1.0 if self.absolute else abs(self.published)
        return abs(self.ours - self.published) <= self.tolerance * scale

    @property
    def status(self) -> str:
        """``"inside"``, ``"known deviation"`` or ``"OUTSIDE"``."""
        if self.inside:
            return INSIDE
        return KNOWN if self.deviation else OUTSIDE

    def to_dict(self) -> dict[str, Any]:
        """All fields, the ratio and the status; plain data."""
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            "published": self.published,
            "ours": self.ours,
            "error": self.error,
            "ratio": self.ratio,
            "tolerance": self.tolerance,
            "absolute": self.absolute,
            "status": self.status,
            "comment": self.comment,
            "deviation": self.deviation,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Agreement:
        """Build a row from what `to_dict` returned; ratio and status are found anew.

        Parameters
        ----------
        record
            Plain data.
        """
        return cls(**{k: v for k, v in record.items() if k not in ("ratio", "status")})


@dataclass(frozen=True)
class Reproduction:
    """Tables, figures and agreement of a reproduction, ready to be written.

    Examples
    --------
    >>> row = Agreement(quantity="d", published=1.0, ours=1.01, tolerance=0.05)
    >>> Reproduction(tables=[], figures={}, agreement=[row]).ok
    True
    """

    tables: Sequence[DataTable]
    """Tables with units, each with a name of its own."""
    figures: Mapping[str, Any]
    """matplotlib figures by the name of their file."""
    agreement: Sequence[Agreement]
    """Our numbers beside the published ones."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """Everything that determines the numbers: masses, fluxes, detectors, statistics; plain data."""
    notes: Sequence[str] = ()
    """Sentences that a reader of the numbers has to know."""

    @property
    def ok(self) -> bool:
        """Whether every row is inside its tolerance or a known deviation."""
        return all(row.status != OUTSIDE for row in self.agreement)

    def agreement_table(self) -> str:
        """Return the rows of agreement as a table in Markdown."""
        return agreement_markdown(self.agreement)


def agreement_markdown(rows: Sequence[Agreement]) -> str:
    """Return rows of agreement as a table in Markdown, with remarks below it."""
    lines = [
        "| quantity | published | ours | ratio | tolerance | result |",
        "|---|---|---|---|---|---|",
    ]
    remarks: dict[str, int] = {}
    for row in rows:
        marks = "".join(
            f" [{remarks.setdefault(text, len(remarks) + 1)}]"
            for text in (row.comment, "" if row.inside else row.deviation)
            if text
        )
        unit = f" {row.unit}" if row.unit else ""
        error = f" ± {row.error:.2g}" if row.error else ""
        ratio = "" if row.ratio is None or row.absolute else f"{row.ratio:.3f}"
        tolerance = f"{row.tolerance:.3g}{unit}" if row.absolute else f"{100 * row.tolerance:.3g} %"
        words = row.quantity.replace("|", r"\|")  # a bar would end the cell
        lines.append(
            f"| {words}{marks} | {row.published:.4g}{unit} | {row.ours:.4g}{error}{unit} | "
            f"{ratio} | {tolerance} | {row.status} |"
        )
    if remarks:
        lines.append("")
        lines += [f"[{number}] {text}  " for text, number in remarks.items()]
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a reproduction may use.

    Parameters
    ----------
    name
        Name of the reproduction.
    output
        Folder that everything goes to.
    seed, workers
        For runs of `siren_py.Simulation`.
    quick
        A smaller version of the same, for a look: fewer events or points.
    progress
        As for `siren_py.Simulation.run`.

    Examples
    --------
    >>> from pathlib import Path
    >>> Context(name="liu2024-fig3", output=Path("fig3"), quick=True).seed
    1
    """

    name: str
    output: Path
    seed: int = 1
    workers: int = 1
    quick: bool = False
    progress: ProgressLike = None

    def cached_arrays(
        self,
        key: str,
        configuration: Mapping[str, Any],
        compute: Callable[[], Mapping[str, ArrayLike]],
    ) -> dict[str, FloatArray]:
        """Return arrays that were computed before with the same configuration, or compute them.

        Parameters
        ----------
        key
            Name of the piece: letters, digits, dashes.
        configuration
            Everything that determines the arrays but for the seed, `quick` and the code of the
            physics, which are added here; plain data. Numbers that stand in the module of a
            reproduction belong into it.
        compute
            Called without arguments if nothing is found.
        """
        everything = {
            **configuration,
            "seed": self.seed,
            "quick": self.quick,
            "code": code_stamp(),
        }
        return self.checkpoint.arrays(key, everything, compute)

    @property
    def checkpoint(self) -> Checkpoint:
        """Where finished pieces are kept: the folder ``cache`` of the output."""
        return Checkpoint(self.output / "cache")
