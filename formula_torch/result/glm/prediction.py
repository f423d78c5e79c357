"""Predicted means of a generalised linear model, with errors and intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, check_known, check_share
from formula_torch.families.links import Link
from formula_torch.inference.prediction import ROW_BANDS, MeanErrors, core_of
from formula_torch.numerics.arrays import as_tensor
from formula_torch.numerics.intervals import standard_errors, t_interval
from formula_torch.result.glm.base import Generalized
from formula_torch.result.new_rows import breaking
from formula_torch.result.prediction import copied
from formula_torch.solvers.held import determined

__all__ = ["MeanPrediction", "MeanPredictions"]


@dataclass(frozen=True, eq=False, repr=False)
class MeanPrediction:
    """Predicted means of n rows, and their linear predictors.

    Parameters
    ----------
    predicted_mean, linpred : array, shape (n,)
        The mean, and its linear predictor.
    var_linpred : array, shape (n,)
        x_i'V x_i, with V the covariance of the fit, whichever it has.
    slope : array, shape (n,)
        Derivative of the mean in the linear predictor.
    link : Link
        By which the mean follows from the linear predictor.
    df : float
        Degrees of freedom of t; infinite for the normal.
    row_labels : Index or None
    rows : MeanErrors
        The rows themselves, for bands.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("drvisits ~ age", ft.datasets.visits(), family="poisson")
    >>> fit.get_prediction({"age": [65, 85]}).summary_frame().round(3).to_dict("list")["mean"]
    [6.326, 7.428]
    """

    predicted_mean: np.ndarray
    linpred: np.ndarray
    var_linpred: np.ndarray
    slope: np.ndarray
    link: Link
    df: float
    row_labels: pd.Index | None
    rows: MeanErrors

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.predicted_mean)} rows>"

    @property
    def se_linpred(self) -> np.ndarray:
        """Standard errors of the linear predictors, shape (n,)."""
        return standard_errors(self.var_linpred)

    @property
    def se_mean(self) -> np.ndarray:
        """Standard errors of the means by the delta method, shape (n,)."""
        return self.se_linpred * np.abs(self.slope)

    @property
    def var_pred_mean(self) -> np.ndarray:
        """Variances of the means by the delta method, shape (n,)."""
        return self.se_mean**2

    def conf_int(self, alpha: float = 0.05, *, which: str = "mean", method: str = "endpoint") -> np.ndarray:
        """Intervals, each for one row, shape (n, 2).

        Parameters
        ----------
        alpha : float
            One less the level.
        which : {"mean", "linear"}
        method : {"endpoint", "delta"}
            For the mean: that of the linear predictor, carried over by the link, which stays in the range of the
            mean; or the mean more and less a multiple of its error.
        """
        check_known("which", which, ("mean", "linear"))
        check_known("method", method, ("endpoint", "delta"))
        if which == "mean" and method == "delta":
            return np.column_stack(t_interval(self.predicted_mean, self.se_mean, alpha, self.df))
        bounds = np.column_stack(t_interval(self.linpred, self.se_linpred, alpha, self.df))
        return bounds if which == "linear" else self._carried(bounds)

    def _carried(self, bounds: np.ndarray) -> np.ndarray:
        """Means at bounds of the linear predictors, the lower first: a link may fall."""
        return np.sort(self.link.mean(as_tensor(bounds)).numpy(), axis=1)

    def summary_frame(self, alpha: float = 0.05, *, which: str = "mean") -> pd.DataFrame:
        """Predictions, their errors and intervals, a row each.

        Parameters
        ----------
        alpha : float
            One less the level.
        which : {"mean", "linear"}

        Returns
        -------
        DataFrame
            mean, mean_se, mean_ci_lower, mean_ci_upper; with ``linpred`` in place of ``mean`` for the predictor.
        """
        bounds = self.conf_int(alpha, which=which)
        values, errors = (self.predicted_mean, self.se_mean) if which == "mean" else (self.linpred, self.se_linpred)
        name = "mean" if which == "mean" else "linpred"
        columns = {
            name: values,
            f"{name}_se": errors,
            f"{name}_ci_lower": bounds[:, 0],
            f"{name}_ci_upper": bounds[:, 1],
        }
        return pd.DataFrame(columns, index=self.row_labels)

    def simultaneous_bands(self, alpha: float = 0.05, *, method: str = "sup-t", seed: int = 0) -> pd.DataFrame:
        """Bands that hold the means of all rows together with probability 1 - alpha.

        Parameters
        ----------
        alpha : float
            One less the level.
        method : {"sup-t", "scheffe", "bonferroni"}
            As for a linear regression; of the linear predictors, carried over by the link.
        seed : int
            Of the draws of ``"sup-t"``.

        Returns
        -------
        DataFrame
            mean, lower, upper.
        """
        check_share("alpha", alpha)
        check_known("method", method, ROW_BANDS)
        errors, value = self.se_linpred, math.nan
        positive = errors > 0
        if positive.any() and not math.isnan(self.df):
            value = ROW_BANDS[method](self.rows, np.where(positive, errors, 0.0), 1 - alpha, self.df, seed)
        half = np.where(errors == 0, 0.0, value * errors)
        bounds = self._carried(np.column_stack([self.linpred - half, self.linpred + half]))
        columns = {"mean": self.predicted_mean, "lower": bounds[:, 0], "upper": bounds[:, 1]}
        return pd.DataFrame(columns, index=self.row_labels)


class MeanPredictions(Generalized):
    """Predictions of a generalised linear model with their errors."""

    def get_prediction(
        self, newdata: Any = None, *, offset: Any = None, exposure: Any = None, unseen: str = "error"
    ) -> MeanPrediction:
        """Predict means, with errors and intervals on the scale of the response and of the linear predictor.

        The variance of the predictor at x is x'V x with the fit's own covariance V; the error of the mean is
        that times the slope of the inverse link, and intervals are carried over by the link. Rows that an infinite
        estimate moves have no error.

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
        MeanPrediction
            On the index of `newdata`; NaN where ``predict`` is.

        Raises
        ------
        DataError
            As ``predict``.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age", ft.datasets.visits(), family="binomial")
        >>> fit.get_prediction({"age": [65, 85]}).conf_int().round(3).tolist()
        [[0.541, 0.597], [0.382, 0.444]]
        """
        if newdata is None:
            if offset is not None or exposure is not None:
                raise DataError("offset= and exposure= go with newdata; the rows of the fit have their own.")
            design = self.held_rows("get_prediction without newdata").design(self.recipe)
            eta = design.linear_predictor(np.nan_to_num(self.coefficients)).numpy()
            return self._mean_prediction(design, eta, self.sample.index)
        frame = as_frame(newdata)
        design = self.recipe.apply(frame, unseen=unseen)
        eta = self._linear_predictor(design, frame, offset, exposure)
        return self._mean_prediction(design, eta, frame.index)

    def _mean_prediction(self, design: Design, eta: np.ndarray, index: pd.Index | None) -> MeanPrediction:
        errors = self._mean_errors(copied(design))
        variances = np.where(np.isnan(eta) | breaking(design, self.receding), np.nan, errors.variances())
        link = self.family.link
        slope = link.slope(as_tensor(eta)).numpy()
        return MeanPrediction(self._mean(eta), eta, variances, slope, link, self.covariance.df, index, errors)

    def _mean_errors(self, design: Design) -> MeanErrors:
        """Errors of rows, right for those that no infinite estimate moves."""
        if (core := self.covariance.core) is not None and len(core):
            return MeanErrors(design, determined(self.solution, self.receding).coordinates, core)
        at, vcov = self.solution.coordinates, self.covariance.matrix
        known = np.isfinite(vcov[np.ix_(at.kept, at.kept)]).all()
        return MeanErrors(design, at, core_of(at, vcov) if known else np.full((at.rank, at.rank), math.nan))
