"""The influence of single observations on a regression, with statsmodels' names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from formula_torch.design.design import refuse_large
from formula_torch.inference.influence import Deletion

__all__ = ["Influence"]


@dataclass(frozen=True, eq=False, repr=False)
class Influence:
    """What each observation does to the fit, by closed forms: no row is left out and the rest refitted.

    Names and shapes are those of statsmodels' ``OLSInfluence``; arrays are in the order of the rows used. With
    analytic weights the numbers are those of R's ``influence.measures``, with residuals w^1/2 e
    (statsmodels mixes weighted and unweighted ones). With frequency weights a row is one of its copies.

    Parameters
    ----------
    names : tuple of str
    index : Index or None
        The user's, of the rows used.
    deletion : Deletion
    errors : array, shape (k,)
        Root of the diagonal of (X'WX)^-1.
    lift : array, shape (k, rank)
        From orthonormal coordinates to coefficients.
    orthonormal : callable
        Reads the rows again and returns root(w_i) q_i, shape (n, rank).
    notes : tuple of str
        On numbers that are not defined.
    """

    names: tuple[str, ...]
    index: pd.Index | None
    deletion: Deletion
    errors: np.ndarray
    lift: np.ndarray
    orthonormal: Callable[[], np.ndarray]
    notes: tuple[str, ...]

    @property
    def hat_matrix_diag(self) -> np.ndarray:
        """Leverage, the diagonal of the hat matrix, shape (n,)."""
        return np.where(self.deletion.indispensable, 1.0, self.deletion.leverage)

    @property
    def resid_studentized_internal(self) -> np.ndarray:
        """Residuals over their standard errors, shape (n,) (R's ``rstandard``)."""
        return self.deletion.internal

    @property
    def resid_studentized(self) -> np.ndarray:
        """The same as `resid_studentized_internal`."""
        return self.resid_studentized_internal

    @property
    def resid_studentized_external(self) -> np.ndarray:
        """Residuals over their standard errors by the other rows, shape (n,) (R's ``rstudent``)."""
        return self.deletion.external

    @property
    def resid_press(self) -> np.ndarray:
        """Residuals of predictions from the other rows, r / (1 - h), shape (n,)."""
        return self.deletion.press

    @property
    def sigma2_not_obsi(self) -> np.ndarray:
        """Error variance without each row, shape (n,)."""
        return self.deletion.variance

    @property
    def cooks_distance(self) -> tuple[np.ndarray, np.ndarray]:
        """Cook's distance, and its place in the F distribution with rank and df_resid degrees of freedom."""
        return self.deletion.cooks, self.deletion.cooks_pvalues

    @property
    def dffits(self) -> tuple[np.ndarray, float]:
        """Change of the fitted value in its standard errors by the other rows, and the usual bound 2 (k / n)^1/2."""
        return self.deletion.external * self.deletion.reach, self._bound

    @property
    def dffits_internal(self) -> tuple[np.ndarray, float]:
        """The same in standard errors by all rows."""
        return self.deletion.internal * self.deletion.reach, self._bound

    @property
    def _bound(self) -> float:
        return 2 * math.sqrt(self.deletion.rank / self.deletion.n_obs)

    @property
    def cov_ratio(self) -> np.ndarray:
        """Determinant of the classical covariance without each row over that with it, shape (n,)."""
        return self.deletion.cov_ratio

    @property
    def dfbeta(self) -> np.ndarray:
        """Coefficients less those without each row, shape (n, k); NaN for aliased columns.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(len(self.deletion.leverage), len(self.names), "the matrix of changes of coefficients")
        return (self.orthonormal() * self.deletion.press[:, None]) @ self.lift.T

    @property
    def dfbetas(self) -> np.ndarray:
        """`dfbeta` in the standard errors of the coefficients by the other rows, shape (n, k)."""
        changes = self.dfbeta
        with np.errstate(divide="ignore", invalid="ignore"):
            changes /= np.sqrt(self.deletion.variance)[:, None] * self.errors
        return changes

    def summary_frame(self) -> pd.DataFrame:
        """Gather the statistics on the user's index.

        Returns
        -------
        DataFrame, n rows
            dfb_* for each coefficient (`dfbetas`), cooks_d, standard_resid, hat_diag, dffits_internal,
            student_resid and dffits.
        """
        changes = pd.DataFrame(self.dfbetas, columns=[f"dfb_{name}" for name in self.names], index=self.index)
        return changes.assign(
            cooks_d=self.deletion.cooks,
            standard_resid=self.deletion.internal,
            hat_diag=self.hat_matrix_diag,
            dffits_internal=self.dffits_internal[0],
            student_resid=self.deletion.external,
            dffits=self.dffits[0],
        )

    def __repr__(self) -> str:
        cooks = pd.Series(self.deletion.cooks, index=self.index)
        if cooks.isna().all():
            return f"<Influence of {len(cooks)} rows>"
        return f"<Influence of {len(cooks)} rows: largest Cook's distance {cooks.max():.3g}, row {cooks.idxmax()!r}>"
