"""Tests under the arguments that statsmodels gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from formula_torch.result.contrasts import TTest, WaldTest
from formula_torch.result.fit import Fit
from formula_torch.result.term_tests import TermTests

__all__ = ["StatsmodelsTests"]


class StatsmodelsTests(Fit):
    """Tests of any fit; everything is computed by the methods of the same name of ``Fit``."""

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
            See ``Fit.t_test``.
        """
        return super(StatsmodelsTests, self._under(cov_p)).t_test(r_matrix, use_t=use_t, adjust=adjust)

    def f_test(self, r_matrix: Any, cov_p: Any = None) -> WaldTest:
        """Test hypotheses together by F.

        Parameters
        ----------
        r_matrix : str, list of str, dict, array or tuple (R, q)
        cov_p : array of shape (k, k), optional
        """
        return super(StatsmodelsTests, self._under(cov_p)).f_test(r_matrix)

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
        return super(StatsmodelsTests, self._under(cov_p)).wald_test(r_matrix, use_f=use_f, scalar=scalar)

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
