"""Statistics of counts: upper limits, intervals and significances.

`upper_limit` turns expected signals and a `Counting` experiment into limits on a multiplier of
the signal; the other functions are for a single number of events.
"""

from __future__ import annotations

from siren_py.counting.expectation import (
    ExpectedLimits,
    discovery_significance,
    expected_limits,
    expected_upper_limit,
)
from siren_py.counting.model import Counting
from siren_py.counting.poisson import (
    Interval,
    bayesian_upper_limit,
    cls_upper_limit,
    poisson_interval,
    poisson_upper_limit,
    significance,
)
from siren_py.counting.statistic import (
    statistics,
    upper_limit,
    upper_limit_with_error,
)
from siren_py.counting.unified import feldman_cousins

__all__ = [
    "Counting",
    "ExpectedLimits",
    "Interval",
    "bayesian_upper_limit",
    "cls_upper_limit",
    "discovery_significance",
    "expected_limits",
    "expected_upper_limit",
    "feldman_cousins",
    "poisson_interval",
    "poisson_upper_limit",
    "significance",
    "statistics",
    "upper_limit",
    "upper_limit_with_error",
]
