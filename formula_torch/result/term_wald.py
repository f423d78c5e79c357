"""Wald statistics of the terms of a fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from formula_torch.errors import DataError
from formula_torch.inference.anova import Columns, TermColumns, wald_of_term
from formula_torch.result.solved_fit import SolvedFit

__all__ = ["wald_after"]


def wald_after(fit: SolvedFit, before: Sequence[int], term: TermColumns, added: np.ndarray) -> float:
    """Wald statistic of a term after other columns; NaN where the covariance has too small a rank.

    Parameters
    ----------
    fit : SolvedFit
    before : sequence of int
        Positions of the columns that the term is adjusted for.
    term : TermColumns
    added : array, shape (rank, m)
        Directions that the term adds to them.

    Raises
    ------
    DataError
        Coefficients were dropped, and those left do not say what the term adds to the others.
    """
    estimated = set(fit.solution.kept)
    tested, others = [j for j in term.columns if j in estimated], [j for j in before if j in estimated]
    if len(fit.null_space):
        spanned = Columns(fit.solution.coordinates, fit.null_space).added([], before).shape[1]
        if added.shape[1] != len(tested) or spanned != len(others):
            raise DataError(
                f"`{term.name}` cannot be tested under a robust covariance: coefficients were dropped as dependent "
                "between it and other terms. Fit a model without the dependent columns, or take typ=1 or vcov='iid'."
            )
    return wald_of_term(fit.coefficients, fit.covariance.matrix, tested, sorted(estimated - {*tested, *others}))
