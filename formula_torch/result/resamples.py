"""Results of the bootstrap and the jackknife: coefficients of each draw, their covariance and intervals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd

from formula_torch.errors import check_known, check_share
from formula_torch.inference.covariance import Given
from formula_torch.inference.resample import INTERVALS, Sample, jackknife_covariance
from formula_torch.numerics.intervals import standard_errors, t_interval

__all__ = ["Jackknife", "Resamples", "named_units"]


@dataclass(frozen=True, eq=False, repr=False)
class Replicates(ABC):
    """Coefficients fitted again and again.

    Parameters
    ----------
    names : tuple of str
    estimates : array, shape (k,)
        Of the sample; NaN for aliased columns.
    values : array, shape (draws, k)
        NaN where a draw does not determine them.
    df : float
        Degrees of freedom of t.
    units : str
        ``"rows"``, ``"units"`` (of a trajectory model), or the name of the clusters.
    n_units : int
    """

    names: tuple[str, ...]
    estimates: np.ndarray
    values: np.ndarray
    df: float
    units: str
    n_units: int

    @property
    @abstractmethod
    def label(self) -> str:
        """How the summary of a fit names this covariance."""

    @abstractmethod
    def _matrix(self) -> np.ndarray:
        """Covariance of the coefficients, shape (k, k)."""

    @property
    @abstractmethod
    def bias(self) -> pd.Series:
        """Estimated bias of the coefficients, shape (k,)."""

    @property
    def params(self) -> pd.Series:
        """Coefficients of the sample, shape (k,)."""
        return self._series(self.estimates)

    @property
    def bse(self) -> pd.Series:
        """Standard errors, shape (k,)."""
        return self._series(standard_errors(np.diag(self._matrix())))

    @property
    def vcov(self) -> Given:
        """The covariance as a value for ``fit.with_vcov(...)``, with t on `df` degrees of freedom."""
        return Given(self._matrix(), self.df, self.label)

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients, shape (k, k)."""
        return pd.DataFrame(self._matrix(), index=list(self.names), columns=list(self.names))

    def _series(self, values: np.ndarray) -> pd.Series:
        return pd.Series(values, index=list(self.names))

    def _frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.values, columns=list(self.names))

    def _table(self, interval: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "coef": self.params,
                "std err": self.bse,
                "bias": self.bias,
                "Conf. Int. Low": interval[0],
                "Conf. Int. Upp.": interval[1],
            }
        )


@dataclass(frozen=True, eq=False, repr=False)
class Resamples(Replicates):
    """A bootstrap by resampling rows or clusters with replacement.

    Parameters
    ----------
    seed : int
    acceleration : array, shape (k,)
        Skewness of the influence of the units over 6, for the ``"bca"`` interval.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
    >>> resamples = fit.bootstrap(draws=499, seed=1)
    >>> resamples.draws.shape
    (499, 2)
    >>> bool(resamples.conf_int(method="bca").loc["area", 0] > 0)
    True
    """

    seed: int
    acceleration: np.ndarray

    @property
    def label(self) -> str:
        """How the summary of a fit names this covariance."""
        return "bootstrap"

    @property
    def draws(self) -> pd.DataFrame:
        """Coefficients of each draw, shape (draws, k); apply any function of coefficients to its rows."""
        return self._frame()

    @property
    def failed(self) -> int:
        """Draws that do not determine the coefficients, and are left out of everything."""
        return len(self.values) - len(self._known())

    @property
    def bias(self) -> pd.Series:
        """Mean of the draws less the estimates, shape (k,)."""
        return self._series(self._known().mean(axis=0) - self.estimates)

    def _known(self) -> np.ndarray:
        kept = ~np.isnan(self.estimates)
        return self.values[~np.isnan(self.values[:, kept]).any(axis=1)]

    def _matrix(self) -> np.ndarray:
        return np.atleast_2d(np.cov(self._known(), rowvar=False))

    def conf_int(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Confidence intervals of the coefficients.

        Parameters
        ----------
        alpha : float
            One less the confidence level.
        method : {"percentile", "basic", "normal", "t", "bca"}
            Quantiles of the draws; these reflected at the estimate; the estimate and standard errors
            times quantiles of the normal or of t; quantiles corrected for bias and acceleration (the
            last from the influence of the units, Efron 1987). Quantiles are those of R's ``boot.ci``:
            p is the order statistic number (draws + 1) p.

        Returns
        -------
        DataFrame, shape (k, 2)
            Columns 0 (lower) and 1 (upper).

        Raises
        ------
        ValueError
            Unknown method, or alpha not between 0 and 1.
        DataError
            Too few draws for `alpha`, or, for ``"bca"``, all on one side of the estimate.
        """
        check_known("method", method, INTERVALS)
        check_share("alpha", alpha)
        kept, known = ~np.isnan(self.estimates), self._known()
        errors = np.sqrt(np.diag(self._matrix()))
        sample = Sample(self.estimates[kept], known[:, kept], errors[kept], self.df, self.acceleration[kept])
        interval = np.full((len(kept), 2), np.nan)
        interval[kept] = np.column_stack(INTERVALS[method](sample, alpha))
        return pd.DataFrame(interval, index=list(self.names))

    def summary_frame(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """One row a coefficient: coef, std err, bias, and the interval.

        Parameters
        ----------
        alpha : float
        method : {"percentile", "basic", "normal", "t", "bca"}
        """
        return self._table(self.conf_int(alpha, method))

    def __repr__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        units = f"{self.n_units} {named_units(self.units)}"
        return f"<{type(self).__name__}: {len(self.values)} draws of {units}{failed}, seed {self.seed}>"


@dataclass(frozen=True, eq=False, repr=False)
class Jackknife(Replicates):
    """Coefficients without each row or cluster in turn.

    The covariance is (G-1)/G sum_g (b_g - b)(b_g - b)', about the estimate b: of clusters it is CRV3, of
    rows (n-1)/n times HC3.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
    >>> fit.jackknife()
    <Jackknife: without each of 22 rows>
    """

    @property
    def label(self) -> str:
        """How the summary of a fit names this covariance."""
        return "jackknife"

    @property
    def left_out(self) -> pd.DataFrame:
        """Coefficients without each unit, shape (n_units, k)."""
        return self._frame()

    @property
    def bias(self) -> pd.Series:
        """(G - 1) times the mean of the coefficients less the estimates, shape (k,)."""
        return self._series((self.n_units - 1) * (self.values.mean(axis=0) - self.estimates))

    def _matrix(self) -> np.ndarray:
        return jackknife_covariance(self.values, self.estimates)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals by t with `df` degrees of freedom, shape (k, 2).

        Parameters
        ----------
        alpha : float
            One less the confidence level.
        """
        low, high = t_interval(self.params, self.bse, alpha, self.df)
        return pd.DataFrame({0: low, 1: high})

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row a coefficient: coef, std err, bias, and the interval."""
        return self._table(self.conf_int(alpha))

    def __repr__(self) -> str:
        return f"<Jackknife: without each of {self.n_units} {named_units(self.units)}>"


def named_units(units: str) -> str:
    """``"rows"`` or ``"units"``, or the clusters of a name."""
    return units if units in ("rows", "units") else f"clusters of `{units}`"
