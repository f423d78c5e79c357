"""Tests that a generalised linear model is rightly specified."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from formula_torch.design.auxiliary import augmented, constant_alone
from formula_torch.errors import DataError, check_known
from formula_torch.inference.quantile_residuals import DISTRIBUTED, quantile_residuals
from formula_torch.inference.specification import SpecificationTest, chi2_test, table_of
from formula_torch.numerics.intervals import t_ratio
from formula_torch.numerics.tails import norm_cdf, norm_two_sided
from formula_torch.result.glm.base import Generalized
from formula_torch.result.glm.reduced import solved_again

__all__ = ["GlmSpecification"]

# From a standard normal statistic to its p-value.
ALTERNATIVES = {"greater": lambda z: norm_cdf(-z), "two-sided": norm_two_sided, "less": norm_cdf}


class GlmSpecification(Generalized):
    """Tests of the variance, the link and the fit of probabilities, and residuals that are normal under the model.

    Each test returns a table of one row a test: ``test``, ``statistic``, ``df``, ``df_denom`` and ``p_value``. With
    frequency weights the tests are those of the repeated rows.
    """

    def dispersion_test(self, alternative: str = "greater") -> pd.DataFrame:
        """Test that the variance is that of the family, not larger.

        Of counts Cameron and Trivedi's tests: of alpha in Var(y) = mu + alpha mu (NB1) and mu + alpha mu^2 (NB2), by
        the regression without constant of ((y - mu)^2 - y) / mu on 1 or mu. Of counts and proportions
        Pearson's chi-squared, which needs means (or trials) that are not small; `alternative` is not for it.

        Parameters
        ----------
        alternative : {"greater", "two-sided", "less"}
            Overdispersion, either, underdispersion.

        Returns
        -------
        DataFrame
            Also ``estimate``: alpha, or chi-squared over its degrees of freedom.

        Raises
        ------
        DataError
            The dispersion is estimated, weights say nothing of the variance, or outcomes are 0 and 1, whose
            variance follows from their mean.
        DataRemovedError
            The result no longer holds its rows.

        References
        ----------
        Cameron and Trivedi (1990), Regression-based tests for overdispersion in the Poisson model, J. Econometrics
        46:347-364.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="poisson")
        >>> fit.dispersion_test().round(3)[["test", "statistic", "estimate"]].to_dict("records")[0]
        {'test': 'Cameron-Trivedi, NB1', 'statistic': 6.989, 'estimate': 7.085}
        """
        check_known("alternative", alternative, ALTERNATIVES)
        if self.family.dispersed:
            raise DataError(f"the dispersion of the {self.family.name} family is estimated: it is scale.")
        y, mu, counts = self._counted("dispersion_test")
        if self._has_outcomes():
            raise DataError("outcomes of 0 and 1 have the variance of their mean, and cannot be overdispersed.")
        pearson = chi2_test("Pearson", self.pearson_chi2, self.df_resid)
        if self.family.name != "poisson":
            return table_of([pearson]).assign(estimate=[self.pearson_chi2 / self.df_resid])
        excess = ((y - mu) ** 2 - y) / mu
        found = [_through_zero(excess, regressor, counts) for regressor in (np.ones_like(mu), mu)]
        tests = [
            SpecificationTest(f"Cameron-Trivedi, {name}", z, p_value=float(ALTERNATIVES[alternative](z)))
            for name, (_, z) in zip(("NB1", "NB2"), found, strict=True)
        ]
        estimates = [*(alpha for alpha, _ in found), self.pearson_chi2 / self.df_resid]
        return table_of([*tests, pearson]).assign(estimate=estimates)

    def link_test(self) -> pd.DataFrame:
        """Test the link (and missing powers): whether the squared predictor adds to the predictor (Pregibon 1980).

        The response is fitted again to a constant, the linear predictor (offset included) and its square;
        z statistics of both, of which the second should be small (Stata's ``linktest``).

        Raises
        ------
        DataError
            The predictor is constant.
        DataRemovedError
            The result no longer holds its rows.

        References
        ----------
        Pregibon (1980), Goodness of link tests for generalized linear models, Appl. Statist. 29:15-24.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + educ", ft.datasets.visits(), family="binomial")
        >>> fit.link_test().round(3).iloc[1][["test", "statistic"]].to_dict()
        {'test': 'Link, squared predictor', 'statistic': -1.237}
        """
        design = self.held_rows("link_test").design(self.recipe)
        eta = design.linear_predictor(np.nan_to_num(self.coefficients))
        columns = augmented(replace(constant_alone(design), offset=None), (eta,), [1, 2], ["predictor"])
        _, params, vcov = solved_again(self, columns)
        if np.isnan(params).any():
            raise DataError("the linear predictor takes too few values for its square to say more; no link test.")
        z = np.asarray(t_ratio(params, np.sqrt(np.diag(vcov))))
        names = ("Link, predictor", "Link, squared predictor")
        return table_of(
            SpecificationTest(name, float(z[j]), p_value=norm_two_sided(float(z[j]))) for j, name in enumerate(names, 1)
        )

    # -- probabilities ----------------------------------------------------------------------------

    def hosmer_lemeshow(self, groups: int = 10) -> pd.DataFrame:
        """Test fitted probabilities by groups of rows of near ones, chi-squared with groups - 2 degrees of freedom.

        Groups are cut at quantiles of the fitted probabilities (R's default ones); those that ties make equal are one.

        Parameters
        ----------
        groups : int

        Raises
        ------
        DataError
            Outcomes are not 0 and 1, or fewer than three groups are left.
        DataRemovedError
            The result no longer holds its rows.

        References
        ----------
        Hosmer and Lemeshow (1980), Goodness of fit tests for the multiple logistic regression model, Comm.
        Statist. A 9:1043-1069.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + educ", ft.datasets.visits(), family="binomial")
        >>> fit.hosmer_lemeshow().round(2)[["statistic", "df"]].iloc[0].to_dict()
        {'statistic': 11.41, 'df': 8.0}
        """
        table = self.calibration(groups)
        if len(table) < 3:
            raise DataError(f"the fitted probabilities make {len(table)} groups, too few for this test.")
        n, observed, expected = (table[name].to_numpy() for name in ("n", "observed", "expected"))
        statistic = float(np.sum((observed - expected) ** 2 * (1 / expected + 1 / (n - expected))))
        return table_of([chi2_test("Hosmer-Lemeshow", statistic, len(table) - 2)])

    def calibration(self, groups: int = 10) -> pd.DataFrame:
        """Observed and expected successes by groups of rows of near fitted probabilities.

        Parameters
        ----------
        groups : int
            Cut at quantiles; those that ties make equal are one.

        Returns
        -------
        DataFrame
            low, high (of the fitted probabilities), n, observed, expected.

        Raises
        ------
        DataError
            Outcomes are not 0 and 1.
        """
        y, mu, counts = self._counted("calibration")
        if not self._has_outcomes():
            raise DataError("groups of fitted probabilities are of outcomes that are 0 or 1.")
        if groups < 2:
            raise ValueError(f"groups={groups} must be at least 2.")
        cuts = np.unique(np.quantile(np.repeat(mu, counts.astype(np.int64)), np.linspace(0, 1, groups + 1)))
        place = np.clip(np.searchsorted(cuts, mu, side="left") - 1, 0, max(len(cuts) - 2, 0))
        n, observed, expected = (np.bincount(place, counts * part) for part in (np.ones_like(mu), y, mu))
        found = n > 0
        low, high = (cuts[:-1], cuts[1:]) if len(cuts) > 1 else (cuts, cuts)
        columns = {"low": low, "high": high, "n": n, "observed": observed, "expected": expected}
        return pd.DataFrame({name: values[found] for name, values in columns.items()})

    # -- residuals --------------------------------------------------------------------------------

    def resid_quantile(self, seed: int = 0) -> pd.Series:
        """Randomised quantile residuals: normal under the model, whatever the family (Dunn and Smyth 1996).

        Parameters
        ----------
        seed : int
            Of the places within the steps of the distribution of counts.

        Raises
        ------
        DataError
            A quasi-likelihood or Tweedie's family has no distribution here; or weights are not trials.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="poisson")
        >>> fit.resid_quantile().std().round(1).item()
        2.4
        """
        if self.family.name not in DISTRIBUTED:
            raise DataError(f"the {self.family.name} family has no distribution function to take quantiles of.")
        y, eta, w = self._own_rows("resid_quantile")
        if self.family.name == "poisson" and bool((w != 1).any()):
            raise DataError("weighted counts have no distribution; quantile residuals are of counts without weights.")
        mu = self.family.mean(eta)
        return self._row_series(
            quantile_residuals(self.family.name, y.numpy(), mu.numpy(), self.scale, w.numpy(), seed)
        )

    # -- rows -------------------------------------------------------------------------------------

    def _counted(self, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Response, mean and how often each row counts, shape (n,) each."""
        design = self.held_rows(what).design(self.recipe)
        y, eta, weights = self._own_rows(what)
        if self.family.name != "binomial" and bool((weights != 1).any()):
            raise DataError(f"{what}: analytic and sampling weights say nothing of the variance of counts.")
        counts = design.weights if self.model.counted and design.weights is not None else torch.ones_like(y)
        return y.numpy(), self.family.mean(eta).numpy(), counts.numpy()

    def _has_outcomes(self) -> bool:
        """Whether the response is a 0 or 1 of one trial each."""
        y, _, weights = self._own_rows("this test")
        return self.family.name == "binomial" and bool(((y == 0) | (y == 1)).all() and (weights == 1).all())


def _through_zero(y: np.ndarray, x: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Slope and t of a regression without constant, rows counted."""
    squares = float(np.sum(counts * x * x))
    slope = float(np.sum(counts * x * y)) / squares
    variance = float(np.sum(counts * (y - slope * x) ** 2)) / (float(counts.sum()) - 1)
    return slope, slope / math.sqrt(variance / squares) if variance > 0 else math.nan
