"""Residuals of a generalised linear model, of every kind, on the user's index."""

from __future__ import annotations

import numpy as np
import pandas as pd

from formula_torch.errors import DataError
from formula_torch.result.glm.base import Generalized

__all__ = ["Residuals"]


class Residuals(Generalized):
    """Residuals under statsmodels' names; with frequency weights, those of one copy of a row."""

    @property
    def resid(self) -> pd.Series:
        """Response less the fitted mean."""
        return self.resid_response

    @property
    def resid_response(self) -> pd.Series:
        """Response less the fitted mean."""
        y, eta, _ = self._own_rows("resid_response")
        return self._row_series(y - self.family.mean(eta))

    @property
    def resid_pearson(self) -> pd.Series:
        """Residuals over the root of the variance function, times the root of the weight; not divided by the scale."""
        y, eta, w = self._own_rows("resid_pearson")
        sign = (y - self.family.mean(eta)).sign()
        return self._row_series(sign * (w * self.family.pearson(y, eta)).sqrt())

    @property
    def resid_deviance(self) -> pd.Series:
        """Roots of the rows' contributions to the deviance, with the sign of the residual."""
        y, eta, w = self._own_rows("resid_deviance")
        sign = (y - self.family.mean(eta)).sign()
        return self._row_series(sign * (w * self.family.deviance(y, eta)).clamp(min=0).sqrt())

    @property
    def resid_working(self) -> pd.Series:
        """Residuals on the scale of the linear predictor, (y - mu) deta/dmu."""
        y, eta, _ = self._own_rows("resid_working")
        return self._row_series((y - self.family.mean(eta)) / self.family.link.slope(eta))

    @property
    def resid_generalized(self) -> pd.Series:
        """Derivatives of the log-likelihood in the linear predictor, times the dispersion."""
        y, eta, w = self._own_rows("resid_generalized")
        return self._row_series(w * self.family.score(y, eta))

    def pred_table(self, threshold: float = 0.5) -> np.ndarray:
        """Count observed (rows) against predicted (columns) outcomes of a binomial response, shape (2, 2).

        Parameters
        ----------
        threshold : float
            The probability above which success is predicted.

        Raises
        ------
        DataError
            The response is not 0 or 1.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + educ", ft.datasets.visits(), family="binomial")
        >>> fit.pred_table().tolist()
        [[1038.0, 813.0], [582.0, 1244.0]]
        """
        design = self.held_rows("pred_table").design(self.recipe)
        assert design.y is not None
        y = design.y.numpy()
        if not self.family.distribution.of_shares or not np.isin(y, (0, 1)).all():
            raise DataError("pred_table counts outcomes that are 0 or 1; this response has others.")
        predicted = self._mean(design.linear_predictor(np.nan_to_num(self.coefficients)).numpy()) > threshold
        copies = design.weights.numpy() if self.model.counted and design.weights is not None else None
        counts = np.bincount(2 * y.astype(np.int64) + predicted, weights=copies, minlength=4)
        return counts.reshape(2, 2).astype(np.float64)
