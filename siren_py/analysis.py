"""Analyses: what an experiment selected, expected and saw; simulated events in, signal out.

An `Analysis` is a list of `Channel` objects: where the decay has to lie, the fluxes with their
protons on target, cuts, an `Efficiency`, background and observed events. It simulates nothing. It
says what has to be simulated (`Analysis.requests`), turns the samples into expected events
(`Analysis.signal`) and hands observation and background to the statistics (`Analysis.counting`).

Known analyses are loaded by name (`analysis_names`), those of a user by the path of a Python script
with a function ``build()`` that returns an `Analysis`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from siren_py import plugins
from siren_py._typing import FloatArray, PathLike
from siren_py.channel import Channel, Expected
from siren_py.efficiency import Efficiency
from siren_py.errors import ConfigError, unknown_name
from siren_py.estimate import Estimate
from siren_py.resources import load_script, script_errors

if TYPE_CHECKING:
    from siren_py.counting import Counting
    from siren_py.injection.signal import ModelLike
    from siren_py.sample import Sample
    from siren_py.simulation import FluxSpec, Simulation

__all__ = [
    "Analysis",
    "Channel",
    "Efficiency",
    "Request",
    "Signal",
    "analysis_names",
    "load_analysis",
]


class Request(NamedTuple):
    """A simulation that an analysis needs: arguments of `siren_py.Simulation`, model aside.

    Attributes
    ----------
    detector
        Name or path of the detector.
    region
        Region in which decays count.
    decay
        Final state; None for all.
    fluxes
        The fluxes of all channels that share it.

    Examples
    --------
    >>> (request,) = load_analysis("t2k-2019-dipole").requests()
    >>> request.region, request.decay
    ('tpc', 'nu e+ e-')
    """

    detector: str
    region: str
    decay: str | None
    fluxes: tuple[FluxSpec, ...]

    def simulation(self, model: ModelLike, **options: Any) -> Simulation:
        """Return the simulation of a model; `options` as for `siren_py.Simulation`.

        Raises
        ------
        UnknownNameError, ConfigError, KinematicsError
            As `siren_py.Simulation`: a region or a decay does not exist, or a flux does nothing
            in the model.
        """
        from siren_py.simulation import Simulation

        return Simulation(
            self.detector,
            self.fluxes,
            model,
            decay=self.decay,
            region=self.region,
            **options,
        )


class Signal(NamedTuple):
    """Expected signal events of all channels, and their statistical errors; (channels,) each.

    Attributes
    ----------
    values
        Expected events, (channels,).
    errors
        Their statistical errors, (channels,).

    Examples
    --------
    >>> import numpy as np
    >>> Signal(values=np.array([3.0, 1.0]), errors=np.array([0.1, 0.1])).values.sum()
    np.float64(4.0)
    """

    values: FloatArray
    errors: FloatArray


@dataclass(frozen=True, eq=False)
class Analysis:
    """A counting analysis: channels, systematic errors of the signal, and where it is from.

    Parameters
    ----------
    name
        Name, e.g. ``"t2k-2019-dipole"``.
    detector
        Name or path of the detector script that the samples must be made with.
    channels
        The counting channels.
    systematics
        Relative errors of the signal that all channels have in common, by cause, such as
        ``{"flux": 0.1}``; independent of each other.
    statistic
        Name of the statistic for a limit unless another is asked for; see `siren_py.counting`.
    cl
        Confidence or credibility level unless another is asked for.
    source
        Where data, background and efficiencies are from.
    notes
        What a user should know: assumptions, domains, what is left out.

    Raises
    ------
    ConfigError
        If there is no channel, two have one name, or an error is negative.

    Examples
    --------
    >>> import siren_py as sp
    >>> channel = sp.Channel(
    ...     name="photons",
    ...     region="fgd1",
    ...     decay="nu gamma",
    ...     fluxes=["t2k-nd280:fhc:numu"],
    ...     exposure={"fhc": 1e21},
    ...     observed=3,
    ...     background=(2.5, 0.8),
    ... )
    >>> sp.Analysis("my-photons", "nd280", [channel], systematics={"flux": 0.1}).names
    ('photons',)
    """

    name: str
    detector: str
    channels: tuple[Channel, ...]
    systematics: Mapping[str, float]
    statistic: str = "cls"
    cl: float = 0.9
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        names = self.names
        if not names or len(set(names)) < len(names):
            raise ConfigError(
                f"The analysis {self.name!r} needs channels with different names; it has "
                f"{', '.join(names) or 'none'}."
            )
        if len({channel.observed is None for channel in self.channels}) > 1:
            raise ConfigError(
                f"The analysis {self.name!r} has observed events for some of its channels only. "
                "Give them for all, or for none (a projection)."
            )
        if not all(np.isfinite(e) and e >= 0.0 for e in self.systematics.values()):
            raise ConfigError(
                f"Relative errors must be finite and not negative: {dict(self.systematics)}."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(channel.name for channel in self.channels)

    @property
    def signal_error(self) -> float:
        """Relative error of the signal common to all channels: the systematics in quadrature."""
        return float(np.sqrt(sum(e**2 for e in self.systematics.values())))

    def channel(self, name: str) -> Channel:
        """Return one channel by name.

        Raises
        ------
        UnknownNameError
            If there is none of this name.
        """
        if name not in self.names:
            raise unknown_name(f"channel of {self.name}", name, self.names)
        return self.channels[self.names.index(name)]

    def requests(self) -> list[Request]:
        """Return what has to be simulated, once for each region and decay.

        Channels with the same region and decay share one simulation with the fluxes of all: its
        events know their flux, and each channel takes its own.
        """
        fluxes: dict[tuple[str, str | None], dict[FluxSpec, None]] = {}
        for channel in self.channels:
            known = fluxes.setdefault((channel.region, channel.decay), {})
            known.update(dict.fromkeys(channel.fluxes))
        return [Request(self.detector, *key, tuple(found)) for key, found in fluxes.items()]

    def signal(self, samples: Sample | Iterable[Sample] | Mapping[str, Sample]) -> Signal:
        """Expected signal events in each channel at its own exposure.

        Parameters
        ----------
        samples
            One sample or several; each channel takes all those of its region and decay, which
            together must hold each of its fluxes once. Or a mapping of channel to sample.

        Returns
        -------
        Signal
            ``(values, errors)``, shape (channels,) each; the errors are those of the simulation.

        Raises
        ------
        ConfigError
            If samples are missing or do not fit, or the efficiency is not known for an event.
        """
        found = self._expected(samples)
        return Signal(
            np.array([e.estimate.value for e in found]), np.array([e.estimate.error for e in found])
        )

    def efficiency_errors(
        self, samples: Sample | Iterable[Sample] | Mapping[str, Sample]
    ) -> FloatArray:
        """Errors of the signal that the errors of the efficiencies bring, events, (channels,).

        Parameters
        ----------
        samples
            As for `signal`.
        """
        return np.array([e.efficiency_error for e in self._expected(samples)])

    def _expected(
        self, samples: Sample | Iterable[Sample] | Mapping[str, Sample]
    ) -> list[Expected]:
        from siren_py.sample import Sample as SampleClass

        if isinstance(samples, Mapping):
            for name in samples:
                self.channel(name)
            groups = [[samples[c.name]] if c.name in samples else [] for c in self.channels]
        else:
            pool = [samples] if isinstance(samples, SampleClass) else list(samples)
            groups = [[s for s in pool if _fits(s, c)] for c in self.channels]
        result = []
        for channel, group in zip(self.channels, groups, strict=True):
            self._check(channel, group)
            parts = [channel.expected(sample) for sample in group]
            value = sum(p.estimate.value for p in parts)
            error = float(np.sqrt(sum(p.estimate.error**2 for p in parts)))
            result.append(Expected(Estimate(value, error), sum(p.efficiency_error for p in parts)))
        return result

    def _check(self, channel: Channel, group: list[Sample]) -> None:
        what = f"region={channel.region!r}, decay={channel.decay!r}"
        for sample in group:
            detector = sample.provenance["configuration"]["detector"]
            known = {detector["name"], detector.get("script", detector["name"])}
            if _stem(self.detector) not in {_stem(name) for name in known}:
                raise ConfigError(
                    f"The analysis {self.name!r} is one of the detector {self.detector!r}; the "
                    f"sample is one of {detector['name']!r}."
                )
            if not _fits(sample, channel):
                config = sample.provenance["configuration"]
                raise ConfigError(
                    f"The channel {channel.name!r} needs a sample with {what}; this one has "
                    f"region={config['region']!r}, decay={config['decay']!r}."
                )
        held = [str(f["name"]) for sample in group for f in sample.lookup["fluxes"]]
        for name in channel.flux_names:
            if held.count(name) != 1:
                raise ConfigError(
                    f"The channel {channel.name!r} needs the flux {name!r} once among the samples "
                    f"with {what}; it is there {held.count(name)} times. Analysis.requests() "
                    "lists what to simulate; combine several runs of the same with "
                    "siren_py.combine."
                )

    def tabulated_signal(self, model: object) -> FloatArray | None:
        """Expected signal of a model, (channels,), where it is known without a simulation.

        None, as here, if the signal comes from samples.
        """
        del model
        unknown: FloatArray | None = None
        return unknown

    def counting(
        self, samples: Sample | Iterable[Sample] | Mapping[str, Sample] | None = None
    ) -> Counting:
        """Return observation, background and errors in the form that the statistics take.

        Parameters
        ----------
        samples
            Samples as for `signal`: the errors of the efficiencies, which depend on the events,
            then become relative errors of the signal, independent between channels.
        """
        from siren_py.counting import Counting

        observed = [c.observed for c in self.channels]
        relative = np.zeros(len(self.channels))
        if samples is not None:
            found = self._expected(samples)
            relative = np.array(
                [e.efficiency_error / e.estimate.value if e.estimate.value else 0.0 for e in found]
            )
        return Counting(
            background=np.array([c.background.value for c in self.channels]),
            observed=None if None in observed else np.array(observed, dtype=np.float64),
            background_error=np.array([c.background.error for c in self.channels]),
            efficiency_error=relative,
            signal_errors={k: np.array(v) for k, v in self.systematics.items()},
            names=self.names,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as plain data, for lists and files."""
        return {
            "name": self.name,
            "detector": self.detector,
            "channels": {channel.name: channel.to_dict() for channel in self.channels},
            "systematics": dict(self.systematics),
            "statistic": self.statistic,
            "cl": self.cl,
            "source": self.source,
            "notes": list(self.notes),
        }


def _fits(sample: Sample, channel: Channel) -> bool:
    config = sample.provenance["configuration"]
    return config["region"] == channel.region and _bare(config["decay"]) == _bare(channel.decay)


def _bare(decay: str | None) -> str | None:
    """Return a decay without its blanks: they mean nothing."""
    return None if decay is None else "".join(decay.split())


def _stem(detector: str) -> str:
    return Path(detector).stem.replace("_", "-").casefold()


def analysis_names() -> list[str]:
    """Return the names of all analyses that `load_analysis` knows, sorted.

    Examples
    --------
    >>> "t2k-2019-dipole" in analysis_names()
    True
    """
    from siren_py.experiments import ANALYSES

    return plugins.names("analyses", ANALYSES)


def load_analysis(analysis: PathLike, **options: Any) -> Analysis:
    """Build an analysis.

    Parameters
    ----------
    analysis
        Name (see `analysis_names`), or path of a script such as ``"./my_analysis.py"`` with a
        function ``build()`` that returns an `Analysis`.
    **options
        Handed to the function that builds it, e.g. ``outside="nearest"``.

    Raises
    ------
    UnknownNameError
        If there is no analysis of this name, or it has no such option.
    ConfigError
        If the script cannot be read or run, has no ``build()``, or returns something else.

    Examples
    --------
    >>> load_analysis("t2k-2019-dipole").names
    ('fhc', 'rhc')
    """
    from siren_py.experiments import ANALYSES

    is_path = not isinstance(analysis, str) or analysis.endswith(".py") or "/" in analysis
    if is_path or "\\" in str(analysis):
        return _from_script(Path(analysis).expanduser(), options)
    name = str(analysis)
    hint = "One of your own is given by the path of its script."
    build = plugins.find("analyses", name, ANALYSES, hint)
    _check_options(plugins.dashed(name), build, options)
    built: Analysis = plugins.make("analyses", name, build, options)
    plugins.check_methods(f"analysis {name!r}", built, ("channels", "requests", "signal"))
    return built


def _from_script(path: Path, options: Mapping[str, Any]) -> Analysis:
    if not path.is_file():
        raise ConfigError(
            f"There is no analysis script {str(path)!r}. Give the path of a Python file that "
            f"defines build(), or one of the names {', '.join(analysis_names())}."
        )
    build = getattr(load_script(path), "build", None)
    if not callable(build):
        raise ConfigError(
            f"{path}: the script has no function build(). An analysis script defines "
            "`def build() -> Analysis:`."
        )
    _check_options(str(path), build, options)
    with script_errors(path, "build() failed"):
        built = build(**options)
    if not isinstance(built, Analysis):
        raise ConfigError(
            f"{path}: build() must return an Analysis; it returned {type(built).__name__}."
        )
    return built


def _check_options(name: str, build: Callable[..., Analysis], options: Mapping[str, Any]) -> None:
    known = inspect.signature(build).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
        return
    for option in options:
        if option not in known:
            raise unknown_name(f"option of the analysis {name}", option, known)
