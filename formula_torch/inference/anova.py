"""Sums of squares and Wald statistics of the terms of a linear model.

The types differ only in what a term is adjusted for: all earlier terms (I), all that do not
contain it (II), all others (III). Its sum of squares is the squared length of the fitted values along the
directions that its columns add to those of these terms. In orthonormal coordinates columns and
fitted values are of length rank, and nothing is lost in differences of residual sums of squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from formula_torch.design import Coordinates
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.hypotheses import Hypotheses
from formula_torch.inference.wald import wald_statistic
from formula_torch.numerics.rank import independent_columns

__all__ = ["ADJUSTED_FOR", "TYPES", "Columns", "TermColumns", "effects", "term_columns", "wald_of_term"]

TYPES: Mapping[Any, int] = {1: 1, 2: 2, 3: 3, "I": 1, "II": 2, "III": 3}
# A correlation matrix of estimates whose smallest eigenvalue is this share of the largest is singular.
SINGULAR = 1e-12


@dataclass(frozen=True, eq=False)
class TermColumns:
    """A term of the formula and the columns that stand for it.

    Parameters
    ----------
    name : str
    factors : frozenset of str
        What the term is a product of; empty for the intercept.
    columns : list of int
        Positions of its columns, aliased ones included.
    """

    name: str
    factors: frozenset[str]
    columns: list[int]


def term_columns(recipe: Recipe) -> list[TermColumns]:
    """Terms of a formula that have columns, in their order."""
    terms = (t for t in recipe.terms if any(recipe.names[piece] for piece in t.pieces))
    found = recipe.columns_of_terms.items()
    return [TermColumns(name, frozenset(t.factors), columns) for t, (name, columns) in zip(terms, found, strict=True)]


def _earlier(terms: Sequence[TermColumns], i: int) -> list[TermColumns]:
    return list(terms[:i])


def _not_containing(terms: Sequence[TermColumns], i: int) -> list[TermColumns]:
    return [t for t in terms if not t.factors >= terms[i].factors]


def _others(terms: Sequence[TermColumns], i: int) -> list[TermColumns]:
    return [*terms[:i], *terms[i + 1 :]]


# What term i is adjusted for, by the type of the sums of squares.
ADJUSTED_FOR: dict[int, Callable[[Sequence[TermColumns], int], list[TermColumns]]] = {
    1: _earlier,
    2: _not_containing,
    3: _others,
}


def effects(coordinates: Coordinates, params: np.ndarray) -> np.ndarray:
    """Fitted values in orthonormal coordinates, gamma = Q'WX b, shape (rank,).

    Parameters
    ----------
    coordinates : Coordinates
    params : array, shape (k,)
        NaN for aliased columns.
    """
    return coordinates.root.r @ coordinates.standardised_params(params)[coordinates.kept]


@dataclass(frozen=True, eq=False)
class Columns:
    """All columns of a design in the orthonormal coordinates of its fit.

    Parameters
    ----------
    coordinates : Coordinates
    null_space : array, shape (aliased, k)
        Combinations of columns that are zero on the data, of one aliased column each.
    """

    coordinates: Coordinates
    null_space: np.ndarray

    def _written(self, shifted: bool) -> np.ndarray:
        """Columns of shape (rank, k), about their shifts or as they came, each up to a factor."""
        at = self.coordinates
        made = np.zeros((at.rank, len(at.scales)))
        made[:, at.kept] = at.root.r
        aliased = np.setdiff1d(np.arange(made.shape[1]), at.kept)
        for combination in self.null_space:
            (j,) = (j for j in aliased if combination[j] != 0)
            share = at.standardised_params(combination)
            made[:, j] = -made[:, at.kept] @ share[at.kept] / share[j]
        if not shifted and at.constant is not None:
            made += np.outer(made[:, at.constant], at.shifts * at.scales)
        return made

    def added(self, before: Sequence[int], tested: Sequence[int]) -> np.ndarray:
        """Orthonormal directions, shape (rank, m), that some columns add to those of others.

        Parameters
        ----------
        before, tested : sequence of int
            Positions of columns.
        """
        # Shifts are of no matter to a span that holds the constant, and much to its rounding.
        written = self._written(self.coordinates.constant in before)[:, [*before, *tested]]
        full = self.coordinates.rank == len(self.coordinates.scales)
        kept = list(range(written.shape[1])) if full else independent_columns(written).kept
        directions, _ = np.linalg.qr(written[:, kept])
        return directions[:, sum(j < len(before) for j in kept) :]


def _hypotheses(params: np.ndarray, vcov: np.ndarray, tested: np.ndarray, ignored: np.ndarray) -> Hypotheses | None:
    """L = E_t - V_ti V_ii^-1 E_i; None where the covariance is singular, or has variances that are not positive."""
    both = np.concatenate([ignored, tested])
    errors = np.sqrt(np.maximum(np.diag(vcov)[both], 0.0))
    if not (errors > 0).all():
        return None
    correlation = vcov[np.ix_(both, both)] / np.outer(errors, errors)
    values = np.linalg.eigvalsh(correlation)
    if values[0] <= SINGULAR * values[-1]:
        return None
    p = len(ignored)
    rows = np.zeros((len(tested), len(params)))
    rows[:, tested] = np.eye(len(tested))
    share = np.linalg.solve(correlation[:p, :p], correlation[:p, p:]).T
    rows[:, ignored] = -share * errors[p:, None] / errors[:p]
    texts = tuple(f"coefficient {j} = 0" for j in tested)
    return Hypotheses(texts, rows @ np.nan_to_num(params), np.zeros(len(rows)), rows, np.ones(len(rows), dtype=bool))


def wald_of_term(params: np.ndarray, vcov: np.ndarray, tested: Sequence[int], ignored: Sequence[int]) -> float:
    """Wald statistic of a term that is not adjusted for some others: W(both) - W(others), as in R's ``car::Anova``.

    Its hypotheses are about the term's coefficients less what they share with those of the others, in
    the metric of the covariance: L = E_t - V_ti V_ii^-1 E_i.

    Parameters
    ----------
    params : array, shape (k,)
    vcov : array, shape (k, k)
    tested, ignored : sequence of int
        Positions of coefficients that could be estimated.

    Returns
    -------
    float
        NaN where the covariance has too small a rank.

    Examples
    --------
    >>> wald_of_term(np.array([1.0, 2.0]), np.eye(2), [1], [0])
    4.0
    """
    rows = np.asarray(tested, dtype=np.intp), np.asarray(ignored, dtype=np.intp)
    hypotheses = _hypotheses(params, vcov, *rows)
    if hypotheses is None:
        return math.nan
    test = wald_statistic(hypotheses, vcov)
    return test.chi2 if test.rank == len(tested) else math.nan
