"""What a multinomial logit returns here: its result under the names of statsmodels' ``MultinomialResults``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.numerics.intervals import standard_errors, t_interval, t_ratio
from formula_torch.numerics.tails import t_two_sided
from formula_torch.present.regression import coefficient_table
from formula_torch.present.table import Summary, Table
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.several import SeveralFit
from formula_torch.smf.several_results import SeveralResults, refuse_columns
from formula_torch.smf.summary import Summary2, coefficient_frame, framed, side_by_side

__all__ = ["MultinomialResults"]


@dataclass(frozen=True, eq=False, repr=False)
class LevelEffects(MarginalEffects):
    """Effects on the probability of each level, one level after the other."""

    @staticmethod
    def of(effects: MarginalEffects) -> LevelEffects:
        """Put effects of one column after the other in the order of the levels."""
        order = np.argsort(pd.factorize(effects.what["level"])[0], kind="stable")
        given = {f.name: getattr(effects, f.name) for f in fields(effects)}
        given["what"] = effects.what.iloc[order].reset_index(drop=True)
        given |= {name: given[name][order] for name in ("margeff", "jacobian")}
        return LevelEffects(**given | {"margeff_cov": effects.margeff_cov[np.ix_(order, order)]})

    def summary_frame(self, alpha: float | None = None) -> pd.DataFrame:
        """Return the table under statsmodels' column names, by level and column."""
        pairs = zip(self.what["level"], self.what["term"], strict=True)
        labels = [(f"{self.response}={level}", term) for level, term in pairs]
        index = pd.MultiIndex.from_tuples(labels, names=["endog", "exog"])
        return super().summary_frame(alpha).set_axis(index, axis=0)


@dataclass(frozen=True, eq=False, repr=False)
class MultinomialResults(SeveralResults):
    """Multinomial logit, under statsmodels' names: a column for every level but the first.

    Hypotheses name coefficients ``"level:x"``, as ``names`` has them.
    """

    @property
    def J(self) -> int:  # noqa: N802 - statsmodels' name, as the next
        """Number of levels."""
        return len(self.recipe.response_levels)

    @property
    def K(self) -> int:  # noqa: N802
        """Number of columns."""
        return len(self.recipe.column_names)

    # -- coefficients -----------------------------------------------------------------------------

    def _by_level(self, values: np.ndarray) -> pd.DataFrame:
        """Put a value of each parameter in a table, a column a level."""
        table = np.reshape(values, (-1, len(self.recipe.column_names))).T
        return pd.DataFrame(table, index=list(self.recipe.column_names))

    @property
    def _index(self) -> pd.MultiIndex:
        levels = [str(level) for level in self.recipe.response_levels[1:]]
        names = [self.recipe.response_name, None]
        return pd.MultiIndex.from_product([levels, list(self.recipe.column_names)], names=names)

    @property
    def _errors(self) -> np.ndarray:
        return standard_errors(np.diag(self.covariance.matrix))

    @property
    def params(self) -> pd.DataFrame:  # type: ignore[override]
        """Log odds of each level against the first, shape (K, J - 1)."""
        return self._by_level(self.coefficients)

    @property
    def bse(self) -> pd.DataFrame:  # type: ignore[override]
        """Standard errors, shape (K, J - 1)."""
        return self._by_level(self._errors)

    @property
    def tvalues(self) -> pd.DataFrame:  # type: ignore[override]
        """Coefficients over their standard errors, shape (K, J - 1)."""
        return self._by_level(np.asarray(t_ratio(self.coefficients, self._errors)))

    @property
    def pvalues(self) -> pd.DataFrame:  # type: ignore[override]
        """Two-sided p-values, shape (K, J - 1)."""
        return self._by_level(t_two_sided(np.asarray(t_ratio(self.coefficients, self._errors)), self.covariance.df))

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return ``lower`` and ``upper``, a row for each level and column.

        Parameters
        ----------
        alpha : float
            One less the confidence level.
        """
        low, high = t_interval(self.coefficients, self._errors, alpha, self.covariance.df)
        return pd.DataFrame({"lower": low, "upper": high}, index=self._index)

    def cov_params(self) -> pd.DataFrame:
        """Covariance of all coefficients, by level and column, shape (K (J - 1), K (J - 1))."""
        return pd.DataFrame(self.covariance.matrix.copy(), index=self._index, columns=self._index)

    @property
    def normalized_cov_params(self) -> pd.DataFrame:
        """Inverse of the information, by level and column, shape (K (J - 1), K (J - 1))."""
        return pd.DataFrame(self.information.bread.copy(), index=self._index, columns=self._index)

    # -- rows -------------------------------------------------------------------------------------

    @property
    def fittedvalues(self) -> Any:
        """Probabilities of the levels, on the user's index (statsmodels raises an error)."""
        return self.labelled.fittedvalues

    @property
    def resid_response(self) -> np.ndarray:
        """Whether a row has a level, less its probability, shape (n, J)."""
        return self.resid.to_numpy()

    @property
    def resid_pearson(self) -> np.ndarray:
        """The same over its standard deviation, shape (n, J)."""
        return super().resid_pearson.to_numpy()

    @property
    def resid_misclassified(self) -> pd.Series:
        """1 where the most probable level is not that of the row, else 0."""
        wrong = SeveralFit.predict(self).to_numpy().argmax(1) != self.model.endog
        return self._row_series(wrong.astype(np.float64))

    def predict(self, exog: Any = None, transform: bool = True, *, unseen: str = "error") -> Any:  # type: ignore[override]
        """Predict the probabilities of the levels.

        Parameters
        ----------
        exog : table, optional
            New rows; without it an array of the rows of the fit.
        transform : bool
            False is not supported.
        unseen : {"error", "nan"}

        Returns
        -------
        DataFrame with a column for each level, counted from 0, or array, shape (n, J)
        """
        refuse_columns(transform)
        made = SeveralFit.predict(self, exog, unseen=unseen)
        return made.to_numpy() if exog is None else made.set_axis(range(made.shape[1]), axis=1)

    def pred_table(self) -> np.ndarray:  # type: ignore[override]
        """Count observed levels (rows) against the most probable ones (columns), shape (J, J)."""
        return self.labelled.pred_table().to_numpy()

    def get_margeff(  # type: ignore[override]  # the order of statsmodels' arguments
        self, at: str = "overall", method: str = "dydx", atexog: Any = None, dummy: bool = False, count: bool = False
    ) -> LevelEffects:
        """Effects of the columns of the design on the probability of each level.

        Parameters
        ----------
        at, method, atexog, dummy, count
            See ``NegativeBinomialResults.get_margeff``.
        """
        return LevelEffects.of(super().get_margeff(at, method, atexog, dummy, count))

    # -- tables -----------------------------------------------------------------------------------

    def _tables(self, alpha: float, xname: Sequence[str] | None) -> list[Table]:
        """A table of coefficients for each level but the first."""
        names = list(self.recipe.column_names if xname is None else xname)
        whole = coefficient_table(self.labelled, alpha=alpha)
        found = []
        for place, level in enumerate(self.recipe.response_levels[1:]):
            rows = whole.rows[place * len(names) : (place + 1) * len(names)]
            assert whole.header is not None
            header = (f"{self.recipe.response_name}={level}", *whole.header[1:])
            found.append(Table(tuple((name, *row[1:]) for name, row in zip(names, rows, strict=True)), header))
        return found

    def summary(  # type: ignore[override]
        self,
        yname: str | None = None,
        xname: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> Summary:
        """Tables of the fit: header, and the coefficients of each level but the first.

        Parameters
        ----------
        yname, xname, title : optional
            To print instead of the response's and the columns' names, and of the title.
        alpha : float
            One less the confidence level of the intervals.
        """
        left, right = self.header()
        header = side_by_side([("Dep. Variable:", yname or str(self.model.endog_names)), *left], right)
        tables = (header, *self._tables(alpha, xname))
        return Summary(title or self.titles[0], tables, (self.covariance.note, *self.notes))

    def summary2(
        self,
        yname: str | None = None,
        xname: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
        float_format: str = "%.4f",
    ) -> Summary2:
        """The same as data frames, in ``tables``.

        Parameters
        ----------
        yname, xname, title, alpha
            See ``summary``.
        float_format : str
            How the coefficients are printed.
        """
        names = list(self.recipe.column_names if xname is None else xname)
        whole = coefficient_frame(self.labelled, None, alpha)
        parts = [whole.iloc[start : start + len(names)].set_axis(names) for start in range(0, len(whole), len(names))]
        header = framed(self.second_header(yname or str(self.model.endog_names)))
        notes = (self.covariance.note, *self.notes)
        return Summary2(title or f"Results: {self.titles[1]}", [header, *parts], notes, float_format)
