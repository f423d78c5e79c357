"""Tests and predictions under the arguments that statsmodels gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd

from formula_torch.result.contrasts import TTest, WaldTest
from formula_torch.result.prediction import Prediction
from formula_torch.result.regression import RegressionFit
from formula_torch.result.term_tests import TermTests

__all__ = ["StatsmodelsInference"]


class StatsmodelsInference(RegressionFit):
    """Tests and predictions; everything is computed by the methods of the same name of ``RegressionFit``."""

    def _under(self, cov_p: Any) -> Self:
        if cov_p is None:
            return self
        return replace(self, covariance=replace(self.covariance, matrix=np.array(cov_p, dtype=np.float64)))

    def t_test(
        self, r_matrix: Any, cov_p: Any = None, use_t: bool | None = None, *, adjust: str | None = None
    ) -> TTest:
        """Test hypotheses, each alone.

        Parameters
        ----------
        r_matrix : str, list of str, dict, array or tuple (R, q)
        cov_p : array of shape (k, k), optional
            Another covariance of the coefficients.
        use_t : bool, optional
        adjust : str, optional
            See ``RegressionFit.t_test``.
        """
        return super(StatsmodelsInference, self._under(cov_p)).t_test(r_matrix, use_t=use_t, adjust=adjust)

    def f_test(self, r_matrix: Any, cov_p: Any = None) -> WaldTest:
        """Test hypotheses together by F.

        Parameters
        ----------
        r_matrix : str, list of str, dict, array or tuple (R, q)
        cov_p : array of shape (k, k), optional
        """
        return super(StatsmodelsInference, self._under(cov_p)).f_test(r_matrix)

    def wald_test(
        self, r_matrix: Any, cov_p: Any = None, *, use_f: bool | None = None, scalar: bool = True
    ) -> WaldTest:
        """Test hypotheses together by F or chi-squared.

        Parameters
        ----------
        r_matrix : str, list of str, dict, array or tuple (R, q)
        cov_p : array of shape (k, k), optional
        use_f : bool, optional
            By default F where the summary has t.
        scalar : bool
            Numbers rather than arrays of shape (1, 1).
        """
        return super(StatsmodelsInference, self._under(cov_p)).wald_test(r_matrix, use_f=use_f, scalar=scalar)

    def wald_test_terms(
        self,
        skip_single: bool = False,
        combine_terms: Sequence[str] | None = None,
        scalar: bool = True,  # noqa: ARG002 - the table holds numbers in any case
    ) -> TermTests:
        """Test each term of the formula.

        Parameters
        ----------
        skip_single : bool
            Leave out terms of one coefficient.
        combine_terms : sequence of str, optional
            For each text, the terms whose name contains it are also tested together.
        scalar : bool
            Accepted.
        """
        return super().wald_test_terms(skip_single, tuple(combine_terms or ()))

    def predict(  # type: ignore[override]  # an array without new rows, as in statsmodels
        self, exog: Any = None, transform: bool = True, *, unseen: str = "error"
    ) -> pd.Series | np.ndarray:
        """Predict the mean response.

        Parameters
        ----------
        exog : table, optional
            New rows; without it an array of the fitted values.
        transform : bool
            False where `exog` holds the columns of the design.
        unseen : {"error", "nan"}
            What to do with a factor level that the fit did not see.

        Returns
        -------
        Series, or array where `exog` has no index, shape (n,)
        """
        if exog is None:
            return self.fittedvalues.to_numpy()
        if transform:
            return super().predict(exog, unseen=unseen)
        values = np.asarray(exog, dtype=np.float64) @ self.coefficients
        return pd.Series(values, index=exog.index) if isinstance(exog, (pd.DataFrame, pd.Series)) else values

    def get_prediction(  # type: ignore[override]
        self, exog: Any = None, *, unseen: str = "error", weights: Any = None
    ) -> Prediction:
        """Predict means, with intervals of the means and of new observations.

        Parameters
        ----------
        exog : table, optional
            New rows; without it, the rows of the fit.
        unseen : {"error", "nan"}
        weights : float, str or array of shape (n,), optional
            Of the rows; 1 for new ones unless given.
        """
        weights = 1.0 if weights is None and exog is not None else weights
        return super().get_prediction(exog, unseen=unseen, weights=weights)
