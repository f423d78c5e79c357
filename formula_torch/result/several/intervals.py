"""Predicted means and probabilities of models of several predictors, with errors and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from torch import Tensor

from formula_torch.design import Design
from formula_torch.errors import check_known
from formula_torch.inference.several_margins import outcomes
from formula_torch.numerics.arrays import CELLS_AT_ONCE, slices
from formula_torch.numerics.intervals import standard_errors, t_interval
from formula_torch.result.several.layout import key_of
from formula_torch.result.several.prediction import SeveralPredictions

__all__ = ["SeveralIntervals", "SeveralPrediction"]

# Scales on which intervals stay in the range of the mean: there, its slope, and back.
Change = Callable[[np.ndarray], np.ndarray]
SCALES: dict[str, tuple[Change, Change, Change]] = {
    "identity": (np.asarray, np.ones_like, np.asarray),
    "log": (np.log, lambda m: 1 / m, np.exp),
    "logit": (special.logit, lambda m: 1 / (m * (1 - m)), special.expit),
}


@dataclass(frozen=True, eq=False, repr=False)
class SeveralPrediction:
    """Predicted means of n rows, or probabilities of q levels of each.

    Parameters
    ----------
    predicted_mean, se_mean : array, shape (n,) or (n, q)
        Means, and their errors by the delta method, g'V g with V the covariance of the fit.
    scale : {"log", "logit", "identity"}
        On which intervals are taken.
    df : float
        Degrees of freedom of t; infinite for the normal.
    row_labels : Index or None
    levels : tuple
        Of the response; none of a number.
    """

    predicted_mean: np.ndarray
    se_mean: np.ndarray
    scale: str
    df: float
    row_labels: pd.Index | None
    levels: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.predicted_mean)} rows>"

    def conf_int(self, alpha: float = 0.05, *, method: str = "endpoint") -> np.ndarray:
        """Intervals, shape (n, 2) or (n, q, 2).

        Parameters
        ----------
        alpha : float
            One less the level.
        method : {"endpoint", "delta"}
            On the scale of the logarithm (of shares and probabilities the log odds) and carried back, which stays in
            the range of the mean; or the mean more and less a multiple of its error.
        """
        check_known("method", method, ("endpoint", "delta"))
        there, slope, back = SCALES[self.scale]
        if method == "delta":
            return np.stack(t_interval(self.predicted_mean, self.se_mean, alpha, self.df), axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved, errors = there(self.predicted_mean), self.se_mean * slope(self.predicted_mean)
        return back(np.stack(t_interval(moved, errors, alpha, self.df), axis=-1))

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means, their errors and intervals, a row each; of a response of levels a row for each of them.

        Parameters
        ----------
        alpha : float
            One less the level.

        Returns
        -------
        DataFrame
            mean, mean_se, mean_ci_lower, mean_ci_upper, after ``level`` where there are levels.
        """
        bounds = self.conf_int(alpha)
        columns = {
            "mean": self.predicted_mean.ravel(),
            "mean_se": self.se_mean.ravel(),
            "mean_ci_lower": bounds[..., 0].ravel(),
            "mean_ci_upper": bounds[..., 1].ravel(),
        }
        if not self.levels:
            return pd.DataFrame(columns, index=self.row_labels)
        n, q = self.predicted_mean.shape
        index = pd.RangeIndex(n) if self.row_labels is None else self.row_labels
        return pd.DataFrame({"level": list(self.levels) * n, **columns}, index=index.repeat(q))


class SeveralIntervals(SeveralPredictions):
    """Predictions with their errors."""

    def get_prediction(
        self, newdata: Any = None, *, offset: Any = None, exposure: Any = None, unseen: str = "error"
    ) -> SeveralPrediction:
        """Predict means, or probabilities of levels, with delta-method errors and intervals.

        Parameters
        ----------
        newdata : table, optional
            New rows; without it, the rows of the fit.
        offset, exposure : str or array of shape (n,), optional
            Needed where the fit was given its own as an array.
        unseen : {"error", "nan"}
            What to do with a factor level that the fit did not see.

        Returns
        -------
        SeveralPrediction
            On the index of `newdata`; NaN where ``predict`` is.

        Raises
        ------
        DataError, UnknownNameError
            As ``predict``.
        """
        designs, eta, index = self._rows_and_eta(newdata, offset, exposure, unseen)
        found = outcomes(self.limit, eta)
        values = self.limit.expected(eta).numpy()
        variances = np.empty_like(values)
        for part in slices(eta.shape[1], CELLS_AT_ONCE // self.layout.size):
            rows = {key: design.rows(part.start, part.stop) for key, design in designs.items()}
            for c, first in enumerate(found.first):
                variances[c, part] = self._variances(self._jacobian(rows, first[:, part]))
        errors = standard_errors(np.where(np.isnan(values), np.nan, variances))
        levels = self.recipe.response_levels
        if not self.family.levels:
            values, errors = values[0], errors[0]
        return SeveralPrediction(values.T, errors.T, self.family.scale, self.covariance.df, index, levels)

    def _jacobian(self, designs: Mapping[str, Design], first: Tensor) -> np.ndarray:
        """Derivatives of an outcome of rows in all parameters, shape (n, P), given those in the predictors."""
        out = np.zeros((first.shape[1], self.layout.size))
        for predictor, own in zip(self.limit.predictors, first, strict=True):
            key, where = key_of(predictor, self.further), self.layout.columns[predictor.name]
            if key is not None:
                block = (designs[key].block() * own).mT.numpy()
                out[:, where[where >= 0]] += block[:, where >= 0]
            else:
                natural = self.coefficients[where[0]] if self.layout.positive[where[0]] else 1.0
                out[:, where[0]] += own.numpy() / natural
        return out

    def _variances(self, jacobian: np.ndarray) -> np.ndarray:
        """J V J' of rows, shape (n,); NaN where a parameter without a variance enters."""
        jacobian = np.where(np.isnan(self.coefficients), 0.0, jacobian)
        unknown = np.isnan(np.diag(self.covariance.matrix))
        known = np.where(unknown[:, None] | unknown, 0.0, self.covariance.matrix)
        found = np.einsum("ij,jk,ik->i", jacobian, known, jacobian, optimize=True)
        return np.where((jacobian[:, unknown] != 0).any(axis=1), np.nan, found)
