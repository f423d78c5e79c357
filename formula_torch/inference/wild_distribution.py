"""The t statistics of a wild bootstrap as functions of the null value, and tests by them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Acceptance", "WildDistribution"]

# A draw this close to |t| equals it but for rounding; the sample itself is among all combinations of signs.
TIE = 1e-8
# Null values are tried at these distances from the estimate, in standard errors; what is not
# rejected at the last one is taken as unbounded.
GRID = 0.25 * 1.25 ** np.arange(58)
BISECTIONS = 60


@dataclass(frozen=True)
class Acceptance:
    """Null values that are not rejected, as t statistics.

    Parameters
    ----------
    low, high : float
        The smallest and the largest; infinite where there is none.
    gaps : bool
        Whether some value between them is rejected.
    """

    low: float
    high: float
    gaps: bool


@dataclass(frozen=True, eq=False)
class WildDistribution:
    """The t statistics of all draws, for every null value.

    A null value is named by t, the statistic that the sample has for it.

    Parameters
    ----------
    at : float
        t from which distances s are measured.
    numerator : array, shape (2, draws)
        n0 + n1 s.
    variance : array, shape (3, draws)
        v0 + 2 v1 s + v2 s^2.
    """

    at: float
    numerator: np.ndarray
    variance: np.ndarray

    def t_stats(self, t: float) -> np.ndarray:
        """Statistics t* of the draws, shape (draws,); NaN where the variance is negative."""
        s = t - self.at
        variance = self.variance[0] + s * (2 * self.variance[1] + s * self.variance[2])
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.numerator[0] + s * self.numerator[1]) / np.sqrt(variance)

    def p_value(self, t: float, ties: bool = False) -> float:
        """Share of draws with a larger |t|; with `ties`, of those with one as large too."""
        stars = _known(np.abs(self.t_stats(t)))
        return _share(stars > abs(t) * (1 - TIE if ties else 1 + TIE))

    def equal_tail(self, t: float) -> float:
        """Twice the smaller of the shares of draws below and above t, at most 1."""
        stars, margin = _known(self.t_stats(t)), TIE * abs(t)
        return min(2 * _share(stars > t + margin), 2 * _share(stars < t - margin), 1.0)

    def acceptance(self, alpha: float) -> Acceptance:
        """Invert the symmetric test: the t for which ``p_value`` exceeds alpha."""
        low, low_gap = _furthest(lambda distance: self.p_value(-distance) > alpha)
        high, high_gap = _furthest(lambda distance: self.p_value(distance) > alpha)
        return Acceptance(-low, high, low_gap or high_gap)


def _known(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]


def _share(holds: np.ndarray) -> float:
    return float(np.mean(holds)) if len(holds) else math.nan


def _furthest(accepted: Callable[[float], bool]) -> tuple[float, bool]:
    """Return the distance up to which values are accepted, and whether some nearer one is not."""
    inside = np.array([accepted(distance) for distance in GRID])
    if inside[-1]:
        return math.inf, not inside.all()
    last = int(np.flatnonzero(inside)[-1]) if inside.any() else -1
    low, high = GRID[last] if last >= 0 else 0.0, GRID[last + 1]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if accepted(middle) else (low, middle)
    return float(low), not inside[: last + 1].all()
