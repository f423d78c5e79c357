"""The influence of single observations on a generalised linear model, with statsmodels' names."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from formula_torch.design import RowScores
from formula_torch.design.design import refuse_large
from formula_torch.errors import InferenceWarning
from formula_torch.inference.influence import Deletion
from formula_torch.result.glm.base import Generalized
from formula_torch.result.glm.moments import glm_row_scores

__all__ = ["GlmInfluence", "Influential"]


@dataclass(frozen=True, eq=False, repr=False)
class GlmInfluence:
    """What each observation does to the fit, by one Newton step from the estimates without it (Pregibon 1981).

    Names and shapes are those of statsmodels' ``GLMInfluence``; arrays are in the order of the rows used. Errors are
    those of the expected information, whatever covariance the fit has. With frequency weights a row is one of its
    copies. NaN for rows of leverage 1.

    Parameters
    ----------
    names : tuple of str
    index : Index or None
        The user's, of the rows used.
    estimates, errors : array, shape (k,)
        Coefficients, and their errors by the information.
    pearson, deviance : Deletion
        Of Pearson's residuals, whose sum of squares is the dispersion times df_resid, and of deviance residuals.
    information, slope : array, shape (n,)
        Of rows in the linear predictor, weights included; and derivative of the mean.
    lift : array, shape (k, rank)
        From orthonormal coordinates to coefficients.
    scores : callable
        Reads the rows again and returns their scores, shape (n, rank).
    dispersed : bool
        Whether the dispersion is estimated.

    References
    ----------
    Pregibon (1981), Logistic regression diagnostics, Ann. Statist. 9:705-724. Williams (1987), Generalized linear
    model diagnostics using the deviance and single case deletions, Appl. Statist. 36:181-191.
    """

    names: tuple[str, ...]
    index: pd.Index | None
    estimates: np.ndarray
    errors: np.ndarray
    pearson: Deletion
    deviance: Deletion
    information: np.ndarray
    slope: np.ndarray
    lift: np.ndarray
    scores: Callable[[], np.ndarray]
    dispersed: bool

    # -- residuals --------------------------------------------------------------------------------

    @property
    def hat_matrix_diag(self) -> np.ndarray:
        """Leverage, the diagonal of the weighted hat matrix, shape (n,) (R's ``hatvalues``)."""
        return np.where(self.pearson.indispensable, 1.0, self.pearson.leverage)

    @property
    def resid_studentized(self) -> np.ndarray:
        """Pearson residuals over their errors, r / (phi (1 - h))^1/2, shape (n,)."""
        return self.pearson.internal

    @property
    def resid_deviance_studentized(self) -> np.ndarray:
        """Deviance residuals over their errors, d / (phi (1 - h))^1/2, shape (n,) (R's ``rstandard``)."""
        return self.deviance.residuals / np.sqrt(self._scale * self.deviance.spare)

    @cached_property
    def resid_studentized_external(self) -> np.ndarray:
        """Signed roots of the falls of the deviance without each row, shape (n,) (R's ``rstudent``).

        sign (d^2 + r^2 h / (1 - h))^1/2, to the first order; over the error by the other rows where the dispersion
        is estimated.
        """
        fall = self.deviance.residuals**2 + self.pearson.residuals**2 * self.pearson.leverage / self.pearson.spare
        roots = np.sign(self.deviance.residuals) * np.sqrt(fall)
        return roots / np.sqrt(self.deviance.variance) if self.dispersed else roots

    @property
    def _scale(self) -> float:
        return self.pearson.ssr / self.pearson.df_resid

    # -- fitted values ----------------------------------------------------------------------------

    @property
    def cooks_distance(self) -> tuple[np.ndarray, np.ndarray]:
        """Cook's distance, and its place in the F distribution with rank and df_resid degrees of freedom."""
        return self.pearson.cooks, self.pearson.cooks_pvalues

    @property
    def dffits_internal(self) -> tuple[np.ndarray, float]:
        """Change of the fitted value in its standard errors by all rows, and the usual bound 2 (k / n)^1/2."""
        return self.d_fittedvalues_scaled, 2 * math.sqrt(self.pearson.rank / self.pearson.n_obs)

    @property
    def d_linpred(self) -> np.ndarray:
        """Linear predictor less that without each row, shape (n,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.d_linpred_scaled * np.sqrt(self._scale * self.pearson.leverage / self.information)

    @property
    def d_linpred_scaled(self) -> np.ndarray:
        """The same in standard errors of the predictor, shape (n,)."""
        return self.d_fittedvalues_scaled * np.sign(self.slope)

    @property
    def d_fittedvalues(self) -> np.ndarray:
        """Fitted mean less that without each row, to the first order, shape (n,)."""
        return self.d_linpred * self.slope

    @property
    def d_fittedvalues_scaled(self) -> np.ndarray:
        """The same in standard errors of the mean, shape (n,)."""
        return self.pearson.internal * self.pearson.reach

    # -- coefficients -----------------------------------------------------------------------------

    @property
    def d_params(self) -> np.ndarray:
        """Coefficients less those without each row, (X'WX)^-1 x_i s_i / (1 - h_i), shape (n, k); NaN where aliased.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(len(self.slope), len(self.names), "the matrix of changes of coefficients")
        return (self.scores() / self.pearson.spare[:, None]) @ self.lift.T

    @property
    def dfbeta(self) -> np.ndarray:
        """The same as `d_params`."""
        return self.d_params

    @property
    def params_one(self) -> np.ndarray:
        """Coefficients without each row, after one step, shape (n, k)."""
        return self.estimates - self.d_params

    @property
    def dfbetas(self) -> np.ndarray:
        """`d_params` in the standard errors of the coefficients, shape (n, k)."""
        changes = self.d_params
        with np.errstate(divide="ignore", invalid="ignore"):
            changes /= self.errors
        return changes

    def summary_frame(self) -> pd.DataFrame:
        """Gather the statistics on the user's index.

        Returns
        -------
        DataFrame, n rows
            dfb_* for each coefficient (`dfbetas`), cooks_d, standard_resid, hat_diag and dffits_internal.
        """
        changes = pd.DataFrame(self.dfbetas, columns=[f"dfb_{name}" for name in self.names], index=self.index)
        return changes.assign(
            cooks_d=self.pearson.cooks,
            standard_resid=self.resid_studentized,
            hat_diag=self.hat_matrix_diag,
            dffits_internal=self.d_fittedvalues_scaled,
        )

    def __repr__(self) -> str:
        cooks = pd.Series(self.pearson.cooks, index=self.index)
        if cooks.isna().all():
            return f"<GlmInfluence of {len(cooks)} rows>"
        return f"<GlmInfluence of {len(cooks)} rows: largest Cook's distance {cooks.max():.3g}, row {cooks.idxmax()!r}>"


class Influential(Generalized):
    """Influence of the rows of a generalised linear model."""

    def get_influence(self) -> GlmInfluence:
        """Measure the influence of each row: leverage, Cook's distance, DFBETAS, studentised residuals.

        Closed forms: no row is left out and the rest refitted; one Newton step from the estimates.

        Returns
        -------
        GlmInfluence
            With ``summary_frame()``.

        Raises
        ------
        DataRemovedError
            The result no longer holds its rows.

        Warns
        -----
        InferenceWarning
            A row has leverage 1.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="poisson")
        >>> fit.get_influence().hat_matrix_diag.sum().round(6).item()
        3.0
        """
        y, eta, weights = self._own_rows("get_influence")
        sign = (y - self.family.mean(eta)).sign()
        units = self.family.pearson, self.family.deviance
        residuals = [(sign * (weights * unit(y, eta)).clamp(min=0).sqrt()).numpy() for unit in units]
        scores = self._information_scores()
        scale = self.scale if self.df_resid > 0 else math.nan
        pearson = Deletion(
            residuals=residuals[0],
            leverage=scores.leverage(),
            ssr=scale * self.df_resid,
            n_obs=self.nobs,
            rank=self.solution.rank,
            condition=self.solution.condition,
        )
        deviance = replace(pearson, residuals=residuals[1], ssr=self.deviance)
        self._warn_of_leverage(pearson)
        return GlmInfluence(
            names=self.names,
            index=self.sample.index,
            estimates=self.coefficients,
            errors=np.sqrt(scale * np.diag(self.solution.inverse_gram)),
            pearson=pearson,
            deviance=deviance,
            information=(weights * self.family.information(eta)).numpy(),
            slope=self.family.link.slope(eta).numpy(),
            lift=self.solution.coordinates.lift,
            scores=lambda: replace(self._information_scores(), counts=None).dense(),
            dispersed=self.family.dispersed,
        )

    def _information_scores(self) -> RowScores:
        """Scores with the expected information, whose inverse is that of the solution."""
        model = replace(self.model, observed=False)
        return glm_row_scores(self.held_rows("get_influence"), self.recipe, self.solution, model, self.call)

    def _warn_of_leverage(self, deletion: Deletion) -> None:
        rows = np.flatnonzero(deletion.indispensable)
        if rows.size:
            first = rows[0] if self.sample.index is None else self.sample.index[rows[0]]
            warnings.warn(
                f"{rows.size} of {len(deletion.leverage)} rows have leverage 1 (first: row {first!r}): without such a "
                "row a coefficient cannot be estimated, and what would measure its influence is NaN.",
                InferenceWarning,
                stacklevel=3,
            )
