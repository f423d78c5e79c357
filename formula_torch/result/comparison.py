"""Tests of a regression against one with fewer coefficients, under statsmodels' names."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from formula_torch.errors import DataError
from formula_torch.inference.covariance import HC_KINDS
from formula_torch.inference.score_test import score_statistic
from formula_torch.models.linear import linear_scores
from formula_torch.numerics.tails import chi2_sf, f_sf
from formula_torch.result.linear_fit import LinearFit
from formula_torch.result.nesting import check_nested
from formula_torch.result.wald_comparison import ModelTest, WaldComparison

__all__ = ["Comparisons"]


class Comparisons(LinearFit, WaldComparison):
    """Tests of restrictions; the restricted model must be nested in this one, on the same rows."""

    def compare_f_test(self, restricted: LinearFit) -> ModelTest:
        """F test: (ssr_r - ssr) / d over the error variance, with d restrictions.

        Parameters
        ----------
        restricted : RegressionFit

        Returns
        -------
        ModelTest
            statistic, pvalue, df_diff.

        Raises
        ------
        DataError
            The models are not nested, or of other rows.

        Warns
        -----
        InferenceWarning
            A covariance is robust: sums of squares assume one error variance.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> round(fit.compare_f_test(fit.update(". ~ . - age - educ")).statistic, 3)
        19.768
        """
        self._check_restricted(restricted, "an F test")
        self._warn_of_assumption(restricted, "F", "one error variance")
        d = restricted.df_resid - self.df_resid
        f = (restricted.ssr - self.ssr) / d / self.scale if self.scale > 0 else math.nan
        return ModelTest(float(f), f_sf(f, d, self.df_resid), d)

    def compare_lr_test(self, restricted: LinearFit, large_sample: bool = False) -> ModelTest:
        """Likelihood ratio test: 2 (llf - llf_r), chi-squared.

        Parameters
        ----------
        restricted : RegressionFit
        large_sample : bool
            ``compare_lm_test(restricted, use_lr=True)`` instead, as statsmodels.

        Raises
        ------
        DataError
            The models are not nested, or of other rows.

        Warns
        -----
        InferenceWarning
            A covariance is robust: the likelihood assumes one error variance.
        """
        if large_sample:
            return self.compare_lm_test(restricted, use_lr=True)
        self._check_restricted(restricted, "a likelihood ratio test")
        self._warn_of_assumption(restricted, "likelihood ratio", "one error variance")
        d = restricted.df_resid - self.df_resid
        ratio = 2 * (self.llf - restricted.llf) if math.isfinite(self.llf) else math.nan
        return ModelTest(float(ratio), chi2_sf(ratio, d), d)

    def compare_lm_test(self, restricted: LinearFit, demean: bool = True, use_lr: bool = False) -> ModelTest:
        """Score (Lagrange multiplier) test, chi-squared: s' S^-1 s with s the scores' sum at the restricted estimates.

        S is the information where the covariance of this fit is classical, and then LM = n (ssr_r - ssr) / ssr_r;
        with any of HC0 to HC5 it is the sum of outer products of the scores.

        Parameters
        ----------
        restricted : RegressionFit
        demean : bool
            Take S about the mean score (robust only).
        use_lr : bool
            Take S from the scores of the unrestricted model, not demeaned (robust only).

        Raises
        ------
        DataError
            The models are not nested, or of other rows; or the covariance is of another kind.
        DataRemovedError
            A robust test needs the rows.
        """
        self._check_restricted(restricted, "an LM test")
        d = restricted.df_resid - self.df_resid
        if self.covariance.classical:
            lm = self.nobs * (1 - self.ssr / restricted.ssr) if restricted.ssr > 0 else math.nan
        else:
            lm = self._robust_lm(restricted, demean, use_lr)
        return ModelTest(float(lm), chi2_sf(lm, d), d)

    def _check_restricted(self, restricted: LinearFit, what: str) -> None:
        """Raise where one of two models is not at its minimum, or they are not nested."""
        self.refuse_restraint(what)
        restricted.refuse_restraint(what)
        check_nested(restricted, self)

    def _robust_lm(self, restricted: LinearFit, demean: bool, use_lr: bool) -> float:
        if self.covariance.label not in HC_KINDS:
            raise DataError(
                f"the LM test takes the classical covariance and HC0 to HC5, not {self.covariance.label}; use "
                "compare_wald_test, which takes any."
            )
        own = self.held_rows("a robust LM test").design(self.recipe)
        theirs = restricted.held_rows("a robust LM test").design(restricted.recipe)
        residuals = theirs.response - theirs.matvec(np.nan_to_num(restricted.coefficients))
        at_null = replace(own, y=residuals, offset=None)
        scores = linear_scores(at_null, np.zeros(own.k), self.solution.coordinates, self.model)
        spread = self.row_scores("a robust LM test") if use_lr else scores
        return score_statistic(scores, spread, own.n_rows, self.nobs, demean and not use_lr)
