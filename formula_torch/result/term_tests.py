"""Results of tests of the terms of a formula, with statsmodels' names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["PairwiseTests", "TermTests"]


@dataclass(frozen=True, eq=False, repr=False)
class TermTests:
    """Wald tests of the terms of a formula.

    Parameters
    ----------
    table : DataFrame
        One row a term: statistic, pvalue, df_constraint and, for F, df_denom.
    distribution : {"F", "chi2"}
    """

    table: pd.DataFrame
    distribution: str

    @property
    def statistic(self) -> np.ndarray:
        """F or chi-squared of each term."""
        return self.table["statistic"].to_numpy()

    @property
    def pvalues(self) -> np.ndarray:
        """p-value of each term."""
        return self.table["pvalue"].to_numpy()

    @property
    def df_constraints(self) -> np.ndarray:
        """Coefficients tested for each term."""
        return self.table["df_constraint"].to_numpy()

    def summary_frame(self) -> pd.DataFrame:
        """Return the table under the names that statsmodels prints."""
        names = [self.distribution, f"P>{self.distribution}", "df constraint", "df denom"]
        return self.table.set_axis(names[: self.table.shape[1]], axis=1)

    def __str__(self) -> str:
        return self.summary_frame().to_string()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.summary_frame().to_html()


@dataclass(frozen=True, eq=False, repr=False)
class PairwiseTests:
    """Tests of the differences between all pairs of levels of a factor.

    Parameters
    ----------
    result_frame : DataFrame
        One row a pair, ``b-a``: the columns of ``TTest.summary_frame``, and the adjusted
        p-values and rejections as ``pvalue-hs`` and ``reject-hs``.
    contrasts : array, shape (pairs, k)
    contrast_labels : list of str
    term : str
    term_encoding_matrix : array, shape (levels, columns)
        Coding of the levels.
    """

    result_frame: pd.DataFrame
    contrasts: np.ndarray
    contrast_labels: list[str]
    term: str
    term_encoding_matrix: np.ndarray

    def __str__(self) -> str:
        return self.result_frame.to_string()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.result_frame.to_html()
