"""The result of a wild bootstrap."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from formula_torch.errors import InferenceWarning, check_share
from formula_torch.inference.wild_distribution import WildDistribution
from formula_torch.result.resamples import named_units

__all__ = ["WildBootstrap"]


@dataclass(frozen=True, eq=False, repr=False)
class WildBootstrap:
    """A test of one hypothesis by the wild bootstrap.

    Parameters
    ----------
    hypothesis : str
    estimate, null : float
        Left side of the hypothesis at the estimates, and its value under the null.
    std_error : float
        CRV1 of clusters, HC1 of rows.
    distribution : WildDistribution
        t statistics of the draws for every null value.
    draws : int
    weights : str
    units : str
        What was resampled: ``"rows"``, or the name of the clusters.
    n_units : int
    impose_null : bool
    seed : int or None
        None: all combinations of signs, the same for any seed.

    Examples
    --------
    >>> import formula_torch as ft
    >>> visits = ft.datasets.visits()
    >>> fit = ft.fit("drvisits ~ private + age", visits)
    >>> test = fit.wild_bootstrap("private = 0", cluster="educ", draws=999)
    >>> test.n_units, round(test.statistic, 3)
    (18, 2.553)
    >>> low, high = test.conf_int()
    >>> test.p_value_of(low - 0.01) <= 0.05 < test.p_value_of(low + 0.01)
    True
    """

    hypothesis: str
    estimate: float
    null: float
    std_error: float
    distribution: WildDistribution
    draws: int
    weights: str
    units: str
    n_units: int
    impose_null: bool
    seed: int | None

    @property
    def statistic(self) -> float:
        """The t statistic of the sample."""
        return (self.estimate - self.null) / self.std_error

    @property
    def p_value(self) -> float:
        """Share of the draws with ``|t*| > |t|``, as Stata's boottest."""
        return self.distribution.p_value(self.statistic)

    @property
    def p_value_bounds(self) -> tuple[float, float]:
        """``p_value``, and the same with draws that equal ``|t|`` counted.

        They differ where draws repeat, as among few clusters; the second one never rejects too often
        for want of draws.
        """
        return self.p_value, self.distribution.p_value(self.statistic, ties=True)

    @property
    def p_value_equal_tail(self) -> float:
        """Twice the smaller of the shares of draws with t* below and above t."""
        return self.distribution.equal_tail(self.statistic)

    @property
    def t_stats(self) -> np.ndarray:
        """Statistics t* of the draws under the null, shape (draws,); NaN where a draw has none."""
        return self.distribution.t_stats(self.statistic)

    def p_value_of(self, null: float) -> float:
        """p-value of another null value, with the same draws."""
        return self.distribution.p_value((self.estimate - null) / self.std_error)

    def conf_int(self, alpha: float = 0.05) -> tuple[float, float]:
        """Smallest and largest null value that is not rejected, with the same draws.

        Parameters
        ----------
        alpha : float
            One less the confidence level.

        Returns
        -------
        tuple of float
            Infinite, with a warning, where no value however far is rejected.
        """
        check_share("alpha", alpha)
        found = self.distribution.acceptance(alpha)
        if math.isinf(found.low) or math.isinf(found.high):
            _warn(
                f"the confidence set of `{self.hypothesis}` is unbounded: too few of the {self.n_units} units tell the "
                f"values apart to reject any at {alpha:g}; a larger alpha may, or other clusters."
            )
        if found.gaps:
            _warn(
                f"the confidence set of `{self.hypothesis}` has gaps; the interval is from its first to its last value."
            )
        return self.estimate - found.high * self.std_error, self.estimate - found.low * self.std_error

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row with statsmodels' columns: coef, std err, t, P>|t|, and the interval."""
        low, high = self.conf_int(alpha)
        values = {
            "coef": self.estimate,
            "std err": self.std_error,
            "t": self.statistic,
            "P>|t|": self.p_value,
            "Conf. Int. Low": low,
            "Conf. Int. Upp.": high,
        }
        return pd.DataFrame(values, index=[self.hypothesis])

    @property
    def _shown_p(self) -> str:
        return f"p = {self.p_value:.4g}" if self.p_value > 0 else f"p < {1 / self.draws:.2g}"

    def __repr__(self) -> str:
        how = "all combinations of signs" if self.seed is None else f"{self.weights} weights, seed {self.seed}"
        null = "null imposed" if self.impose_null else "null not imposed"
        return (
            f"<WildBootstrap of `{self.hypothesis}`: t = {self.statistic:.4g}, {self._shown_p}; {self.draws} "
            f"draws of {self.n_units} {named_units(self.units)}, {how}, {null}>"
        )


def _warn(message: str) -> None:
    warnings.warn(message, InferenceWarning, stacklevel=3)
