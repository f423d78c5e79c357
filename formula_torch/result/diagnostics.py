"""What speaks against a linear regression: influential rows, dependent columns, tests of its assumptions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.design import RowScores
from formula_torch.design.design import refuse_large
from formula_torch.errors import DataError, InferenceWarning, check_share
from formula_torch.inference.inflation import Inflation
from formula_torch.inference.influence import Deletion, squares_without
from formula_torch.inference.multiplicity import adjust_pvalues
from formula_torch.inference.specification import SpecificationTest, table_of
from formula_torch.result.auxiliary import whitened
from formula_torch.result.influence import Influence
from formula_torch.result.specification import SpecificationTests

__all__ = ["Diagnostics"]


class Diagnostics(SpecificationTests):
    """Influence, outliers, inflation of variances, and tests of specification."""

    # -- rows -------------------------------------------------------------------------------------

    def get_influence(self) -> Influence:
        """Measure the influence of each row: leverage, Cook's distance, DFFITS, DFBETAS, studentised residuals.

        Returns
        -------
        Influence
            With ``summary_frame()``; NaN for rows of leverage 1.

        Raises
        ------
        DataError
            No residual is left.
        DataRemovedError
            The result no longer holds its rows.

        Warns
        -----
        InferenceWarning
            A row has leverage 1, or no degree of freedom is left without one.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> fit.get_influence()
        <Influence of 22 rows: largest Cook's distance 0.284, row 7>
        """
        self._refuse_no_residual("get_influence")
        scores = self.row_scores("get_influence")
        deletion = Deletion(
            residuals=whitened(scores).cpu().numpy(),
            leverage=scores.leverage(),
            ssr=self.ssr,
            n_obs=self.nobs,
            rank=self.solution.rank,
            condition=self.solution.condition,
        )
        deletion = replace(deletion, corrected={i: _squares_without(i, deletion, scores) for i in deletion.cancelled})
        notes = tuple(_undefined(deletion, self.sample.index))
        for note in notes:
            warnings.warn(note, InferenceWarning, stacklevel=2)
        return Influence(
            names=self.names,
            index=self.sample.index,
            deletion=deletion,
            errors=np.sqrt(np.diag(self.solution.inverse_gram)),
            lift=self.solution.coordinates.lift,
            orthonormal=self._orthonormal,
            notes=notes,
        )

    def _orthonormal(self) -> np.ndarray:
        """Rows of the orthonormal columns, once each."""
        return replace(self.row_scores("get_influence"), counts=None).orthonormal()

    def outlier_test(
        self, method: str = "bonf", alpha: float = 0.05, *, order: bool = False, cutoff: float | None = None
    ) -> pd.DataFrame:
        """Test each row for being an outlier, by its externally studentised residual.

        Parameters
        ----------
        method : str
            How p-values are adjusted for their number, as ``adjust_pvalues`` knows it.
        alpha : float
            As in statsmodels; no method here depends on it.
        order : bool
            Largest residual first.
        cutoff : float, optional
            Keep the rows whose adjusted p-value is below.

        Returns
        -------
        DataFrame, n rows
            student_resid, unadj_p, and the adjusted p-value under a name such as ``bonf(p)``.

        Raises
        ------
        DataError
            Without one row no degree of freedom is left.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> fit.outlier_test(order=True).round(3).head(2)["student_resid"].to_dict()
        {7: -2.053, 18: 1.975}
        """
        check_share("alpha", alpha)
        deletion = self.get_influence().deletion
        if deletion.df_resid <= 1:
            raise DataError("outlier_test: without one row no degree of freedom is left.")
        unadjusted = deletion.external_pvalues
        adjusted = self._adjusted(unadjusted, method)
        table = pd.DataFrame(
            {"student_resid": deletion.external, "unadj_p": unadjusted, f"{method}(p)": adjusted},
            index=self.sample.index,
        )
        if order:
            table = table.iloc[np.argsort(-np.abs(deletion.external), kind="stable")]
        return table if cutoff is None else table[table[f"{method}(p)"] < cutoff]

    def _adjusted(self, pvalues: np.ndarray, method: str) -> np.ndarray:
        """Adjust for the number of observations, copies of rows included."""
        if self.model.weights_type != "frequency":
            return adjust_pvalues(pvalues, method)
        counts = np.asarray(self.held_rows("outlier_test").weight_values()).astype(np.int64)
        refuse_large(int(counts.sum()), 1, "the p-values of all copies")
        return adjust_pvalues(np.repeat(pvalues, counts), method)[np.cumsum(counts) - 1]

    # -- columns ----------------------------------------------------------------------------------

    def vif(self) -> pd.DataFrame:
        """Variance inflation of each coefficient by the dependence of its column on the others.

        About the means where there is an explicit constant, which is left out itself; without one, about zero.
        Weights are taken into account.

        Returns
        -------
        DataFrame
            term, vif; NaN for aliased columns, which are left out of the others'.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> fit.vif().round(4)["vif"].tolist()
        [1.0182, 1.0132, 1.0133]
        """
        inflation = Inflation.of(self.solution.coordinates)
        values = np.full(len(self.names), np.nan)
        values[inflation.columns] = inflation.factors()
        shown = [j for j in range(len(values)) if j != self.solution.coordinates.constant]
        return pd.DataFrame({"term": [self.names[j] for j in shown], "vif": values[shown]})

    def gvif(self) -> pd.DataFrame:
        """Generalised variance inflation of each term, whatever the coding of its factors (Fox and Monette 1992).

        Returns
        -------
        DataFrame
            term, gvif, df (columns that are not aliased) and root, gvif^(1 / (2 df)): the inflation of a
            standard error, comparable between terms.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + C(actlim) + chronic", ft.datasets.visits())
        >>> fit.gvif().round(4)["gvif"].tolist()
        [1.0517, 1.2009, 1.1533]
        """
        inflation = Inflation.of(self.solution.coordinates)
        terms = self.recipe.columns_of_terms
        kept = {term: [j for j in columns if j in set(inflation.columns)] for term, columns in terms.items()}
        shown = [term for term, columns in terms.items() if columns != [self.solution.coordinates.constant]]
        df = np.array([len(kept[term]) for term in shown])
        gvif = np.array([inflation.generalised(kept[term]) if kept[term] else math.nan for term in shown])
        root = gvif ** (1 / (2 * np.maximum(df, 1)))
        return pd.DataFrame({"term": shown, "gvif": gvif, "df": df, "root": root})

    # -- all tests --------------------------------------------------------------------------------

    def diagnostics(self, *, lags: int = 1, time: Any = None) -> pd.DataFrame:
        """All tests of specification, one below the other.

        Parameters
        ----------
        lags : int
            Of Breusch and Godfrey's test.
        time : str or array of shape (n,), optional
            Gives the order of the rows; by default they are in order.

        Returns
        -------
        DataFrame
            test, statistic, df, df_denom, p_value; NaN where a test does not apply.

        Warns
        -----
        InferenceWarning
            A test does not apply; says why.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + chronic", ft.datasets.visits())
        >>> fit.diagnostics().set_index("test")["p_value"].round(3)["RESET, F"].item()
        0.109
        """
        tests: dict[str, Callable[[], pd.DataFrame]] = {
            "Breusch-Pagan": self.breusch_pagan,
            "White": self.white,
            "RESET": self.reset,
            "Breusch-Godfrey": partial(self.breusch_godfrey, lags, time=time),
            "Durbin-Watson": partial(self.durbin_watson, time=time),
            "Jarque-Bera": self.jarque_bera,
        }
        return pd.concat([_attempted(name, test) for name, test in tests.items()], ignore_index=True)


def _attempted(name: str, test: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    try:
        return test()
    except DataError as error:
        warnings.warn(f"no {name} test: {error}", InferenceWarning, stacklevel=4)
        return table_of([SpecificationTest(name, math.nan)])


def _squares_without(row: int, deletion: Deletion, scores: RowScores) -> float:
    """Sum of squared residuals without one row, each moved by h_ij r_i / (1 - h_i)."""
    weights, press = scores.weights, float(deletion.press[row])
    alone = replace(
        scores,
        source=scores.source.rows(row, row + 1),
        weigh=None if weights is None else partial(weights.__getitem__, slice(row, row + 1)),
        counts=None,
    )
    moved = scores.along(alone.orthonormal()[0] * press)
    moved = moved if weights is None else moved / weights.sqrt().cpu().numpy()
    counts = None if scores.counts is None else scores.counts.cpu().numpy()
    return squares_without(row, deletion.residuals + moved, press, counts)


def _undefined(deletion: Deletion, index: pd.Index | None) -> list[str]:
    """Say which numbers are not defined."""
    notes = []
    rows = np.flatnonzero(deletion.indispensable)
    if rows.size:
        first = rows[0] if index is None else index[rows[0]]
        notes.append(
            f"{rows.size} of {len(deletion.leverage)} rows have leverage 1 (first: row {first!r}): without such a row "
            "a coefficient cannot be estimated, and what would measure its influence is NaN."
        )
    if deletion.df_resid <= 1:
        notes.append(
            "Without one row no degree of freedom is left: what needs the error variance of the others is NaN."
        )
    return notes
