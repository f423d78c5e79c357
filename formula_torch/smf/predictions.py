"""statsmodels' second kind of predictions: of one statistic, whose columns are named ``predicted``, ``se``, ..."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from formula_torch.errors import check_known
from formula_torch.numerics.intervals import t_interval, t_ratio

__all__ = ["Means", "OfLogarithms", "PredictionResults", "predicted"]

KINDS = ("mean", "linear")


class Means(Protocol):
    """Means of rows with their linear predictors, and the errors of both."""

    @property
    def predicted_mean(self) -> np.ndarray:
        """Means, shape (n,)."""
        ...

    @property
    def se_mean(self) -> np.ndarray:
        """Their errors, shape (n,)."""
        ...

    @property
    def linpred(self) -> np.ndarray:
        """Linear predictors, shape (n,)."""
        ...

    @property
    def se_linpred(self) -> np.ndarray:
        """Their errors, shape (n,)."""
        ...

    @property
    def df(self) -> float:
        """Degrees of freedom of t; infinite for the normal."""
        ...

    @property
    def row_labels(self) -> pd.Index | None:
        """Labels of the rows."""
        ...

    def conf_int(self, alpha: float, *, method: str) -> np.ndarray:
        """Intervals of the means, shape (n, 2)."""
        ...


@dataclass(frozen=True, eq=False)
class OfLogarithms:
    """Means that are exponentials of their linear predictors.

    Parameters
    ----------
    predicted_mean, se_mean : array, shape (n,)
    df : float
    row_labels : Index or None
    """

    predicted_mean: np.ndarray
    se_mean: np.ndarray
    df: float
    row_labels: pd.Index | None

    @property
    def linpred(self) -> np.ndarray:
        """Linear predictors, shape (n,)."""
        return np.log(self.predicted_mean)

    @property
    def se_linpred(self) -> np.ndarray:
        """Their errors, shape (n,)."""
        return self.se_mean / self.predicted_mean

    def conf_int(self, alpha: float, *, method: str) -> np.ndarray:
        """Intervals of the means, shape (n, 2)."""
        check_known("method", method, ("endpoint", "delta"))
        if method == "delta":
            return np.column_stack(t_interval(self.predicted_mean, self.se_mean, alpha, self.df))
        return np.exp(np.column_stack(t_interval(self.linpred, self.se_linpred, alpha, self.df)))


@dataclass(frozen=True, eq=False, repr=False)
class PredictionResults:
    """Predictions of one statistic, with errors and intervals.

    Parameters
    ----------
    prediction : Means
        With errors of the mean and of the linear predictor.
    which : {"mean", "linear"}
    """

    prediction: Means
    which: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.predicted)} rows>"

    @property
    def predicted(self) -> np.ndarray:
        """The statistic, shape (n,)."""
        return self.prediction.predicted_mean if self.which == "mean" else self.prediction.linpred

    @property
    def se(self) -> np.ndarray:
        """Standard errors, shape (n,)."""
        return self.prediction.se_mean if self.which == "mean" else self.prediction.se_linpred

    @property
    def var_pred(self) -> np.ndarray:
        """Variances, shape (n,)."""
        return self.se**2

    @property
    def tvalues(self) -> np.ndarray:
        """The statistic over its errors, shape (n,)."""
        return np.asarray(t_ratio(self.predicted, self.se))

    @property
    def linpred(self) -> np.ndarray:
        """Linear predictors, shape (n,)."""
        return self.prediction.linpred

    @property
    def linpred_se(self) -> np.ndarray:
        """Standard errors of the linear predictors, shape (n,)."""
        return self.prediction.se_linpred

    @property
    def row_labels(self) -> pd.Index | None:
        """Labels of the rows."""
        return self.prediction.row_labels

    def conf_int(self, method: str = "endpoint", alpha: float = 0.05) -> np.ndarray:
        """Intervals, each for one row, shape (n, 2).

        Parameters
        ----------
        method : {"endpoint", "delta"}
            Of a mean: the interval of the linear predictor carried over, or the mean more and less its errors.
        alpha : float
            One less the level.
        """
        if self.which == "linear":
            return np.column_stack(t_interval(self.predicted, self.se, alpha, self.prediction.df))
        return self.prediction.conf_int(alpha, method=method)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return predicted, se, ci_lower, ci_upper, a row each."""
        low, high = self.conf_int(alpha=alpha).T
        columns = {"predicted": self.predicted, "se": self.se, "ci_lower": low, "ci_upper": high}
        return pd.DataFrame(columns, index=self.row_labels)


def predicted(prediction: Means, which: Any) -> PredictionResults:
    """Return the predictions of one statistic.

    Raises
    ------
    ValueError
        It is not known.
    """
    check_known("which", which, KINDS)
    return PredictionResults(prediction, which)
