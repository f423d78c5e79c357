"""Tests that a linear regression is rightly specified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from formula_torch.design import Design, RowScores
from formula_torch.design.auxiliary import augmented, cross_products, with_constant, with_powers
from formula_torch.errors import DataError, check_known
from formula_torch.inference.specification import (
    ALTERNATIVES,
    chi2_test,
    durbin_watson_test,
    explained_tests,
    lagged,
    restriction_tests,
    table_of,
)
from formula_torch.result.auxiliary import order_of, read_powers, solved, variance_regression, whitened
from formula_torch.result.linear_fit import LinearFit
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["SpecificationTests"]

# White's test squares the number of columns; beyond this its sums cost more than most fits.
WHITE_COLUMNS = 2000
# Fitted values whose range is this share of their size are constant but for rounding.
FLAT = 1e-12
TEST_TYPES = ("fitted", "exog")


class SpecificationTests(LinearFit):
    """Tests of what the classical linear model assumes, whatever covariance the fit has.

    Each returns a table of one row a test: ``test``, ``statistic``, ``df``, ``df_denom`` (NaN but for F)
    and ``p_value``. With analytic weights the residuals are w^1/2 e, whose variance is constant if the
    weights are right; with frequency weights the tests are those of the repeated rows. Sampling
    weights say nothing of the variance, and are refused.
    """

    # -- variance ---------------------------------------------------------------------------------

    def breusch_pagan(self, robust: bool = True) -> pd.DataFrame:
        """Test that the error variance does not depend on the columns (Breusch and Pagan 1979).

        The squared residuals are regressed on the columns, and a constant where they span none: n R^2, and F.

        Parameters
        ----------
        robust : bool
            Koenker's studentised statistic (1981, J. Econometrics 17:107-112), which needs no normal errors;
            without, half the explained sum of squares of e^2 / s^2.

        Raises
        ------
        DataError
            There is nothing but a constant, no residual is left, or the weights are sampling weights.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + chronic", ft.datasets.visits())
        >>> fit.breusch_pagan().round(4).iloc[0].to_dict()
        {'test': 'Breusch-Pagan, studentised', 'statistic': 17.5628, 'df': 2.0, 'df_denom': nan, 'p_value': 0.0002}
        """
        scores = self._tested("breusch_pagan")
        aux = self._variance_regression("breusch_pagan", scores, self._with_constant(scores.source))
        total = aux.totals.centred
        lm, f = explained_tests(
            "Breusch-Pagan" + (", studentised" if robust else ""), total, aux.ssr, self.nobs, aux.rank
        )
        return table_of([lm if robust else chi2_test(lm.test, (total - aux.ssr) / 2, lm.df), f])

    def white(self) -> pd.DataFrame:
        """Test that the error variance does not depend on the columns, their squares and products (White 1980).

        Raises
        ------
        DataError
            There are too many columns, nothing but a constant, or no residual.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + chronic", ft.datasets.visits())
        >>> fit.white()["df"].tolist()
        [5.0, 5.0]
        """
        scores = self._tested("white")
        columns = cross_products(self._with_constant(scores.source), WHITE_COLUMNS)
        aux = self._variance_regression("white", scores, columns)
        if aux.rank >= self.nobs:
            raise DataError(f"white: {aux.rank} products of columns leave {self.nobs:g} observations no freedom.")
        return table_of(explained_tests("White", aux.totals.centred, aux.ssr, self.nobs, aux.rank))

    def _with_constant(self, design: Design) -> Design:
        return design if self.solution.spans_constant else with_constant(design)

    def _variance_regression(self, what: str, scores: RowScores, columns: Design) -> LeastSquares:
        aux = variance_regression(scores, columns, self.nobs)
        if aux.rank < 2:
            raise DataError(f"{what}: there is no column but the constant for the variance to depend on.")
        return aux

    # -- mean -------------------------------------------------------------------------------------

    def reset(self, power: int | Sequence[int] = 3, test_type: str = "fitted") -> pd.DataFrame:
        """Test that powers of the fitted values are not needed among the columns (Ramsey 1969).

        Parameters
        ----------
        power : int or sequence of int
            3 means the powers 2 and 3; a sequence is taken as it is.
        test_type : {"fitted", "exog"}
            Powers of the fitted values (offset left out), or of every column of more than two values.

        Raises
        ------
        DataError
            The powers add nothing to the columns, or leave no degrees of freedom.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + chronic", ft.datasets.visits())
        >>> fit.reset(power=2)["p_value"].round(4).tolist()
        [0.9792, 0.9792]
        """
        powers = read_powers(power)
        check_known("test_type", test_type, TEST_TYPES)
        source = self._tested("reset").source
        wider = self._with_fitted(source, powers) if test_type == "fitted" else with_powers(source, powers)
        return self._restrictions("RESET", "reset: powers of these columns", solved(wider), self.ssr)

    def _with_fitted(self, design: Design, powers: list[int]) -> Design:
        fitted = design.matvec(np.delete(np.nan_to_num(self.coefficients), list(self.solution.held)))
        if float(fitted.max() - fitted.min()) <= FLAT * float(fitted.abs().max()):
            raise DataError("reset: the fitted values are constant.")
        # Powers 2 to p span the same with and without the mean, and are told apart better without.
        if self.solution.spans_constant and powers == list(range(2, len(powers) + 2)):
            fitted = fitted - fitted.mean()
        fitted = fitted / fitted.abs().max()
        return augmented(design, (fitted,), powers, ["fitted"])

    # -- order ------------------------------------------------------------------------------------

    def breusch_godfrey(self, lags: int = 1, *, time: Any = None) -> pd.DataFrame:
        """Test that the errors are not correlated with those up to `lags` places earlier.

        The residuals are regressed on the columns and on lagged residuals, 0 before the first (Breusch 1978;
        Godfrey 1978): n R^2, and F. With analytic weights all are times the root of the weights.

        Parameters
        ----------
        lags : int
        time : str or array of shape (n,), optional
            Gives the order of the rows; by default they are in order.

        Raises
        ------
        DataError
            Too many lags, several rows share a time, or rows are repeated by frequency weights.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> fit.breusch_godfrey(2)["df_denom"].tolist()
        [nan, 18.0]
        """
        if isinstance(lags, bool) or lags != int(lags) or lags < 1:
            raise ValueError(f"lags={lags!r} must be a whole number, 1 or more.")
        scores = self._tested("breusch_godfrey", ordered=True)
        u, order = whitened(scores), self._order(time)
        if lags >= self.df_resid:
            raise DataError(
                f"breusch_godfrey: {lags} lags are too many for {self.nobs:g} observations and "
                f"{self.solution.rank} coefficients."
            )
        root = torch.ones_like(u) if scores.weights is None else scores.weights.sqrt()
        earlier = [torch.from_numpy(lagged(u.cpu().numpy(), i, order)).to(u.device) / root for i in range(1, lags + 1)]
        design = replace(scores.source, y=u / root, offset=None)
        aux = solved(augmented(design, tuple(earlier), [1], [f"lag {i}" for i in range(1, lags + 1)]))
        return self._restrictions(
            "Breusch-Godfrey", "breusch_godfrey: the lagged residuals", aux, float(u @ u), score=self.nobs
        )

    def durbin_watson(self, *, time: Any = None, alternative: str = "greater") -> pd.DataFrame:
        """Test that errors next to each other in time are not correlated (Durbin and Watson 1950).

        The p-value is from the normal approximation with the exact mean and variance.

        Parameters
        ----------
        time : str or array of shape (n,), optional
            Gives the order of the rows; by default they are in order.
        alternative : {"greater", "two-sided", "less"}
            Of the autocorrelation: above zero, other than zero, below zero.

        Raises
        ------
        DataError
            Several rows share a time, or rows are repeated by frequency weights.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> fit.durbin_watson()[["statistic", "p_value"]].round(4).iloc[0].to_dict()
        {'statistic': 1.5424, 'p_value': 0.1413}
        """
        check_known("alternative", alternative, ALTERNATIVES)
        scores = self._tested("durbin_watson", ordered=True)
        order = self._order(time)
        q, u = scores.orthonormal(), whitened(scores).cpu().numpy()
        q, u = (q, u) if order is None else (q[order], u[order])
        return table_of([durbin_watson_test(u, q, alternative)])

    # -- distribution -----------------------------------------------------------------------------

    def jarque_bera(self) -> pd.DataFrame:
        """Test that the errors have the skewness and kurtosis of the normal (Jarque and Bera 1980).

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> fit.jarque_bera().round(4).iloc[0].to_dict()
        {'test': 'Jarque-Bera', 'statistic': 0.2781, 'df': 2.0, 'df_denom': nan, 'p_value': 0.8702}
        """
        self._refuse("jarque_bera")
        return table_of([chi2_test("Jarque-Bera", self.residual_statistics.jarque_bera, 2)])

    # -- shared -----------------------------------------------------------------------------------

    def _order(self, time: Any) -> np.ndarray | None:
        if time is None:
            return None
        return order_of(self.held_rows("the order of the rows").labels(time, "time", self.call.find_table))

    def _refuse(self, what: str, *, ordered: bool = False) -> None:
        if self.model.weights_type == "sampling":
            raise DataError(f"{what}: sampling weights say nothing of the error variance; use weights_type='analytic'.")
        if ordered and self.model.weights_type == "frequency":
            raise DataError(f"{what}: rows that frequency weights repeat have no order.")
        self.refuse_restraint(what)
        self._refuse_no_residual(what)

    def _refuse_no_residual(self, what: str) -> None:
        n, rank = self.nobs, self.solution.rank
        if n <= rank:
            raise DataError(f"{what}: {n:g} observations for {rank} coefficients leave no degrees of freedom.")
        if self.solution.perfect:
            raise DataError(f"{what}: the fit is perfect, and its residuals are rounding noise.")

    def _tested(self, what: str, *, ordered: bool = False) -> RowScores:
        self._refuse(what, ordered=ordered)
        return self.row_scores(what)

    def _restrictions(
        self, name: str, what: str, aux: LeastSquares, restricted: float, *, score: float | None = None
    ) -> pd.DataFrame:
        added, left = aux.rank - self.solution.rank, self.nobs - aux.rank
        if added < 1:
            raise DataError(f"{what} depend on the columns, and add nothing to them.")
        if left <= 0:
            raise DataError(f"{what} leave {self.nobs:g} observations no degrees of freedom.")
        return table_of(restriction_tests(name, restricted, aux.ssr, added, left, score=score))
