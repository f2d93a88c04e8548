"""What models and samples offer of plots and pages; light, since every model is loaded with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from siren_py.plot.variables import VariableLike
    from siren_py.sample import Sample


class ModelViews:
    """The part of a model that draws it."""

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Draw partial widths and branching ratios; see `siren_py.plot.draw_widths`.

        Parameters
        ----------
        ax
            Axes to draw into; new ones if None.
        **style
            Passed to `Axes.barh`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from siren_py.plot import draw_widths

        return draw_widths(self, ax, **style)

    def peek(self) -> Any:
        """Draw partial widths and c tau [m] against the mass [GeV]; returns the axes."""
        from siren_py.plot import peek_model

        return peek_model(self)

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import model_html

        return model_html(self)


class SampleViews:
    """The part of `siren_py.Sample` that draws it."""

    def plot(self, variable: VariableLike, ax: Any = None, **options: Any) -> Any:
        """Draw the expected events against a variable, with statistical errors.

        Parameters
        ----------
        variable
            An event column (``"primary_energy"``), a quantity made of the tree
            (``"visible_energy"`` [GeV], ``"beam_angle"`` [rad], ``"decay_z"`` [cm], ...; see
            `siren_py.plot.variables.DERIVED`), a grouping such as ``"material"``, or a function
            of a sample.
        ax
            Axes to draw into; new ones if None.
        **options
            Of `siren_py.plot.draw_sample`: bins, pot, by, words, unit, and what matplotlib knows.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ConfigError
            If the sample has no events, or the bins do not increase.
        UnknownNameError
            If there is no such variable or grouping.
        """
        from siren_py.plot import draw_sample

        return draw_sample(cast("Sample", self), variable, ax, **options)

    def peek(self, pot: float | Mapping[str, float] = 1.0) -> Any:
        """Draw decay points, energy, angle to the beam and weights; returns the axes, (2, 2).

        Parameters
        ----------
        pot
            Protons on target, or a mapping by beam mode.
        """
        from siren_py.plot import peek_sample

        return peek_sample(cast("Sample", self), pot)

    def _repr_html_(self) -> str:
        from siren_py.notebook.results import sample_html

        return sample_html(cast("Sample", self))
