"""Predictions with their errors and intervals, under statsmodels' names."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, InferenceWarning, check_known, check_share
from formula_torch.formula.sample import row_values
from formula_torch.inference.prediction import ROW_BANDS, MeanErrors, core_of
from formula_torch.numerics.intervals import standard_errors, t_interval
from formula_torch.result.linear_fit import LinearFit

__all__ = ["Prediction", "Predictions", "copied"]


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """Predicted means of n rows, with the variance of each and of a new observation there.

    Parameters
    ----------
    predicted_mean : array, shape (n,)
    var_pred_mean : array, shape (n,)
        x_i'V x_i, with V the covariance of the fit, whichever it has.
    var_resid : array, shape (n,)
        Variance of an observation about its mean.
    df : float
        Degrees of freedom of t; infinite for the normal.
    row_labels : Index or None
    rows : MeanErrors
        The rows themselves, for bands.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
    >>> fit.get_prediction({"area": [1, 3]}).summary_frame().round(3)[["mean", "mean_se", "obs_ci_upper"]]
        mean  mean_se  obs_ci_upper
    0  1.692    0.066         2.154
    1  2.403    0.051         2.856
    """

    predicted_mean: np.ndarray
    var_pred_mean: np.ndarray
    var_resid: np.ndarray
    df: float
    row_labels: pd.Index | None
    rows: MeanErrors

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.predicted_mean)} rows>"

    @property
    def se_mean(self) -> np.ndarray:
        """Standard errors of the means, shape (n,)."""
        return standard_errors(self.var_pred_mean)

    @property
    def se_obs(self) -> np.ndarray:
        """Standard errors of new observations, shape (n,)."""
        return standard_errors(self.var_pred_mean + self.var_resid)

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> np.ndarray:
        """Intervals, each for one row.

        Parameters
        ----------
        obs : bool
            Of a new observation rather than of the mean.
        alpha : float
            One less the level.

        Returns
        -------
        array, shape (n, 2)
            Lower and upper bounds.
        """
        errors = self.se_obs if obs else self.se_mean
        return np.column_stack(t_interval(self.predicted_mean, errors, alpha, self.df))

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Means, their errors, and intervals of means and of observations, a row each.

        Parameters
        ----------
        alpha : float
            One less the level.

        Returns
        -------
        DataFrame
            mean, mean_se, mean_ci_lower, mean_ci_upper, obs_ci_lower, obs_ci_upper.
        """
        mean, observation = self.conf_int(alpha=alpha), self.conf_int(obs=True, alpha=alpha)
        columns = {
            "mean": self.predicted_mean,
            "mean_se": self.se_mean,
            "mean_ci_lower": mean[:, 0],
            "mean_ci_upper": mean[:, 1],
            "obs_ci_lower": observation[:, 0],
            "obs_ci_upper": observation[:, 1],
        }
        return pd.DataFrame(columns, index=self.row_labels)

    def simultaneous_bands(self, alpha: float = 0.05, *, method: str = "sup-t", seed: int = 0) -> pd.DataFrame:
        """Bands that hold the means of all rows together with probability 1 - alpha.

        Parameters
        ----------
        alpha : float
            One less the level.
        method : {"sup-t", "scheffe", "bonferroni"}
            ``"sup-t"`` is the narrowest: the quantile of the largest ``|t|`` over these rows, by 100,000 draws
            (0.3% of the width; the time is that of 100,000 products for each row and coefficient).
            ``"scheffe"`` (Working and Hotelling) holds on all rows that combine these.
        seed : int
            Of the draws.

        Returns
        -------
        DataFrame
            mean, lower, upper.

        Raises
        ------
        ValueError
            Unknown method, or a level that is none.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> bands = fit.get_prediction({"area": [1, 2, 3]}).simultaneous_bands(method="scheffe")
        >>> bands.round(3).loc[0].tolist()
        [1.692, 1.516, 1.867]
        """
        check_share("alpha", alpha)
        check_known("method", method, ROW_BANDS)
        positive, value = self.se_mean > 0, math.nan
        if positive.any() and not math.isnan(self.df):
            value = ROW_BANDS[method](self.rows, np.where(positive, self.se_mean, 0.0), 1 - alpha, self.df, seed)
        bounds = np.column_stack(
            [self.predicted_mean - value * self.se_mean, self.predicted_mean + value * self.se_mean]
        )
        # Where the mean is known there is nothing to cover.
        bounds[self.se_mean == 0] = self.predicted_mean[self.se_mean == 0, None]
        columns = {"mean": self.predicted_mean, "lower": bounds[:, 0], "upper": bounds[:, 1]}
        return pd.DataFrame(columns, index=self.row_labels)


class Predictions(LinearFit):
    """Predictions of a linear regression with their errors."""

    def get_prediction(
        self, newdata: Any = None, *, offset: Any = None, unseen: str = "error", weights: Any = None
    ) -> Prediction:
        """Predict means, with intervals of the means and of new observations.

        The variance of the mean at x is x'V x with the fit's own covariance V; that of a new observation
        adds its variance about the mean, scale / weight. Both go with the fit's degrees of freedom.

        Parameters
        ----------
        newdata : table, optional
            New rows; without it, the rows of the fit.
        offset : str or array of shape (n,), optional
            Needed where the fit was given its offset as an array.
        unseen : {"error", "nan"}
            What to do with a factor level that the fit did not see.
        weights : float, str or array of shape (n,), optional
            Analytic weights of the new observations, or a column that holds them: 1 by default, and those
            of the fit for its own rows. Where sampling weights were fitted, the variance is that of the
            population, and weights are in its units.

        Returns
        -------
        Prediction
            On the index of `newdata`; NaN where ``predict`` is.

        Raises
        ------
        DataError
            As ``predict``; or weights that are not positive.

        Warns
        -----
        InferenceWarning
            The fit has analytic weights and the new observations were given none.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), vcov="HC1")
        >>> fit.get_prediction({"private": [0, 1], "age": 75}).conf_int().round(3).tolist()
        [[6.092, 6.792], [6.972, 7.634]]
        """
        if newdata is None:
            return self._prediction_of_own_rows(offset, weights)
        frame = as_frame(newdata)
        design = self.recipe.apply(frame, unseen=unseen)
        mean = self._linear_predictor(design, frame, offset)
        if weights is None and self.model.weights_type == "analytic":
            warnings.warn(
                "the fit is weighted, and the new observations were given no weights: their intervals are those of "
                "observations of weight 1; pass get_prediction(newdata, weights=...).",
                InferenceWarning,
                stacklevel=2,
            )
        return self._prediction(design, mean, frame.index, 1.0 if weights is None else _positive(weights, frame))

    def _prediction_of_own_rows(self, offset: Any, weights: Any) -> Prediction:
        if offset is not None:
            raise DataError("offset= goes with newdata; the rows of the fit have their own.")
        rows = self.held_rows("get_prediction without newdata")
        own: Any = 1.0
        if weights is not None:
            own = _positive(weights, rows.used_frame())
        elif self.model.weights_type == "analytic":
            own = rows.weight_values()
        design = rows.design(self.recipe)
        mean = design.linear_predictor(np.nan_to_num(self.coefficients)).numpy()
        return self._prediction(design, mean, self.sample.index, own)

    def _prediction(self, design: Design, mean: np.ndarray, index: pd.Index | None, weights: Any) -> Prediction:
        errors = MeanErrors(copied(design), self.solution.coordinates, self._core())
        lost = np.isnan(mean)
        variances = np.where(lost, np.nan, errors.variances())
        observations = np.where(lost, np.nan, self._unit_variance() / weights)
        return Prediction(mean, variances, observations, self.covariance.df, index, errors)

    def _core(self) -> np.ndarray:
        """Covariance of the coefficients in orthonormal coordinates: exactly s2 where there is one variance."""
        if self.covariance.classical:
            return np.eye(self.solution.rank) * (self.scale if np.isfinite(self.covariance.matrix).any() else math.nan)
        return core_of(self.solution.coordinates, self.covariance.matrix)

    def _unit_variance(self) -> float:
        """Variance of an observation of weight 1; sampling weights say nothing of it, and have any unit."""
        if self.model.weights_type == "sampling":
            return self.scale * self.nobs / self.solution.totals.weight
        return self.scale


def copied(design: Design) -> Design:
    """Copy the columns, that bands asked for later are those of the rows as they were."""
    return replace(
        design,
        bases=tuple(base.clone() for base in design.bases),
        factors=tuple(replace(f, codes=f.codes.clone()) for f in design.factors),
    )


def _positive(weights: Any, frame: Frame) -> np.ndarray:
    """Read weights of new observations: a number, a column's name, or an array.

    Raises
    ------
    DataError
        They are not positive.
    """
    given = np.full(frame.n_rows, weights) if np.isscalar(weights) and not isinstance(weights, str) else weights
    values = row_values(given, frame, "weights", frame.index)
    bad = np.flatnonzero(~(values > 0))
    if bad.size:
        raise DataError(f"weights must be positive: {bad.size} are not (first: row {int(bad[0])}, {values[bad[0]]}).")
    return values
