"""What every fit by (weighted) least squares of one linear predictor knows of its size and its rows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.design import Design, RowScores
from formula_torch.errors import DataError
from formula_torch.result.predictor_fit import PredictorFit
from formula_torch.result.trace import Trace, no_trace
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["SolvedFit"]


# Restraints by which coefficients are not those of the likelihood, whatever is asked.
SHORT = ("weight_decay", "solver")
RESTRAINED = {
    "bounds": "obeys bounds=",
    "prior": "obeys prior=",
    "weight_decay": "obeys weight_decay=",
    "solver": "was stopped far from the maximum by its solver=",
}


@dataclass(frozen=True, eq=False, repr=False)
class SolvedFit(PredictorFit):
    """A fit of one linear predictor, whose information is X'WX.

    Parameters
    ----------
    solution : LeastSquares
        Of the response, or of the working response at the end.
    restraint : {"", "bounds", "prior", "weight_decay", "solver"}
        What the estimates obey besides the likelihood.
    trace : Trace or None
        Where coefficients were reached by descent: how it went.
    """

    solution: LeastSquares
    restraint: str = field(default="", kw_only=True)
    trace: Trace | None = field(default=None, kw_only=True)

    @property
    def history(self) -> pd.DataFrame:
        """The epochs of a descent: epoch (0 is the start), loss, gradient_norm and seconds; empty without one."""
        return no_trace() if self.trace is None else self.trace.table.copy()

    def plot_loss(self, *, log: bool = True, ax: Any = None) -> Any:
        """Draw the loss over the epochs of a descent.

        Parameters
        ----------
        log : bool
            A logarithmic scale of the loss.
        ax : matplotlib Axes, optional

        Returns
        -------
        Axes

        Raises
        ------
        DataError
            The fit was not reached by descent.
        """
        from formula_torch.present.plots.losses import plot_loss

        return plot_loss(self.trace, log=log, ax=ax)

    def refuse_restraint(self, what: str, *restraints: str) -> None:
        """Raise where estimates obey something that another fit of the same columns would not.

        Parameters
        ----------
        what : str
            What is asked for, as the error says it.
        restraints : str
            Those that matter; a descent that stopped short, or whose weights decay, matters always.

        Raises
        ------
        DataError
            They obey one.
        """
        if self.restraint in (*restraints, *SHORT):
            raise DataError(
                f"{what} fits other rows or columns by likelihood alone, and this fit {RESTRAINED[self.restraint]}; "
                "use its own errors and Wald tests, or fit without."
            )

    @property
    @abstractmethod
    def nobs(self) -> float:
        """Number of observations: rows, or the sum of frequency weights."""

    @property
    @abstractmethod
    def weights_type(self) -> str | None:
        """What the weights are; None without."""

    @property
    @abstractmethod
    def llf(self) -> float:
        """Log-likelihood at the estimates."""

    @property
    def k_constant(self) -> int:
        """1 where the columns span the constant, else 0."""
        return int(self.solution.spans_constant)

    @property
    def estimated(self) -> np.ndarray:
        """Coefficients that the data determine, shape (k,); NaN for aliased columns and those held at a bound."""
        kept = np.isin(np.arange(len(self.coefficients)), self.solution.kept)
        return np.where(kept, self.coefficients, np.nan)

    @property
    def df_model(self) -> float:
        """Rank of the columns, less the constant."""
        return float(self.solution.rank - self.k_constant)

    @property
    def df_resid(self) -> float:
        """Observations less the rank."""
        return self.nobs - self.solution.rank

    @property
    def response_sums(self) -> tuple[float, ...]:
        """Sums over the rows by which two results that no longer hold them are of one response, or not."""
        totals = self.solution.totals
        return totals.weight, totals.centred, totals.uncentred

    def weighted_design(self, what: str) -> Design:
        """Return the rows with the weights of the information, as `solution` has it.

        Parameters
        ----------
        what : str
            What the rows are needed for, as the error says it.

        Raises
        ------
        DataRemovedError
            The result no longer holds its rows.
        """
        return self.held_rows(what).design(self.recipe)

    @abstractmethod
    def row_scores(self, what: str) -> RowScores:
        """Return the scores of the rows as an operator.

        Parameters
        ----------
        what : str
            What the rows are needed for, as the error says it.

        Raises
        ------
        DataRemovedError
            The result no longer holds its rows.
        """

    @property
    @abstractmethod
    def resid(self) -> pd.Series:
        """Response less fitted values, on the user's index."""

    # -- tables -----------------------------------------------------------------------------------

    def tidy(self, *, conf_level: float = 0.95, exp: bool = False) -> pd.DataFrame:
        """One row a coefficient: term, estimate, std_error, statistic, p_value, conf_low, conf_high.

        Parameters
        ----------
        conf_level : float
        exp : bool
            Exponentiate estimates and interval bounds; errors stay on the log scale.
        """
        from formula_torch.present.tidy import tidy

        return tidy(self, conf_level=conf_level, exp=exp)

    def augment(self, data: Any = None) -> pd.DataFrame:
        """Data with the columns ``fitted`` (the mean) and ``resid`` (response less mean).

        Parameters
        ----------
        data : table, optional
            By default the columns and rows of the fit; after the rows were removed, pass them.
        """
        from formula_torch.present.tidy import augment

        return augment(self, data)
