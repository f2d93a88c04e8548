"""A number with its error."""

from __future__ import annotations

from typing import NamedTuple


class Estimate(NamedTuple):
    """A value and its standard error, both in the same unit.

    An error of exactly zero means that the value comes from a closed form.

    Parameters
    ----------
    value
        The value.
    error
        Its standard error.

    Examples
    --------
    >>> from siren_py import Estimate
    >>> print(Estimate(23.3, 0.02))
    23.3 +- 0.02
    >>> Estimate(3.0, 0.1).value
    3.0
    """

    value: float
    error: float = 0.0

    @property
    def relative_error(self) -> float:
        """Error divided by the absolute value; zero for an exact value of zero."""
        if self.error == 0.0:
            return 0.0
        return self.error / abs(self.value) if self.value else float("inf")

    def __str__(self) -> str:
        if self.error == 0.0:
            return f"{self.value:.6g}"
        return f"{self.value:.6g} +- {self.error:.2g}"
