"""Models of the same rows, one nested in the other: checked before they are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.errors import DataError, DataRemovedError
from formula_torch.formula.recipe import Recipe
from formula_torch.formula.sample import Sample
from formula_torch.inference.hypotheses import Hypotheses
from formula_torch.inference.nesting import distance_to_span, restrictions
from formula_torch.result.rows import Rows
from formula_torch.result.solved_fit import SolvedFit

__all__ = ["NESTED", "Compared", "check_nested", "check_same_rows", "offset_shift", "restrictions_of"]

# A column within this share of its length of a span is in it, but for rounding.
NESTED = 1e-6
# Sums over the rows of two fits, taken about different centres, agree to this share.
SAME_SUM = 1e-8


class Compared(Protocol):
    """What a fit says of its rows and its response."""

    @property
    def recipe(self) -> Recipe:
        """The formula."""
        ...

    @property
    def sample(self) -> Sample:
        """Which rows were used."""
        ...

    @property
    def rows(self) -> Rows | None:
        """The rows, where they are held."""
        ...

    @property
    def nobs(self) -> float:
        """Number of observations."""
        ...

    @property
    def weights_type(self) -> str | None:
        """What the weights are; None without."""
        ...

    @property
    def response_sums(self) -> tuple[float, ...]:
        """Sums over the rows by which two results that no longer hold them are of one response, or not."""
        ...

    def held_rows(self, what: str) -> Rows:
        """Return the rows, or raise."""
        ...


def check_same_rows(fits: Sequence[Compared]) -> None:
    """Raise unless all models explain the same response on the same rows.

    Raises
    ------
    DataError
        The response, the rows or the weights differ.
    """
    first = fits[0]
    for i, other in enumerate(fits[1:], 2):
        if first.sample.n_rows != other.sample.n_rows or first.nobs != other.nobs:
            raise DataError(
                f"the models use different rows: model 1 has {_size(first)} and model {i} {_size(other)}. Fit all on "
                f"the rows that are complete in {', '.join(f'`{name}`' for name in _columns(fits))}."
            )
        if not _same_response(first, other):
            named = first.recipe.response_name, other.recipe.response_name
            what = "response" if named[0] != named[1] else "rows (values of the response, offset or weights)"
            raise DataError(
                f"models 1 and {i} have different {what}: {first.recipe.formula.text!r} and "
                f"{other.recipe.formula.text!r} cannot be compared."
            )


def _size(fit: Compared) -> str:
    return f"{fit.nobs:g} observations ({' '.join(fit.sample.notes) or 'all rows'})"


def _columns(fits: Sequence[Compared]) -> list[str]:
    return list(dict.fromkeys(c for fit in fits for c in (*fit.recipe.response_columns, *fit.recipe.columns)))


def _same_response(one: Compared, other: Compared) -> bool:
    """Compare values where the rows are held, else their sums."""
    if one.weights_type != other.weights_type:
        return False
    if one.rows is None or other.rows is None:
        sums = zip(one.response_sums, other.response_sums, strict=True)
        return all(math.isclose(a, b, rel_tol=SAME_SUM) for a, b in sums)
    left, right = (fit.recipe.read(fit.held_rows("comparing models").used_frame()) for fit in (one, other))
    return (
        np.array_equal(left.values, right.values)
        and _equal(left.trials, right.trials)
        and _equal(one.rows.weight_values(), other.rows.weight_values())
    )


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def check_nested(restricted: SolvedFit, full: SolvedFit) -> None:
    """Raise unless one model is the other with linear restrictions on its coefficients.

    The columns of the restricted model are projected on those of the full one; where a result no
    longer holds its rows, its columns must be among the other's by name.

    Raises
    ------
    DataError
        Not nested, or not of the same rows.
    DataRemovedError
        The rows that would tell are gone.
    """
    check_same_rows((restricted, full))
    texts = f"{restricted.recipe.formula.text!r} and {full.recipe.formula.text!r}"
    if restricted.solution.rank > full.solution.rank:
        raise DataError(f"of {texts} the first has more coefficients; give models from the smallest to the largest.")
    if restricted.solution.rank == full.solution.rank:
        raise DataError(f"{texts} have the same number of coefficients ({full.solution.rank}): neither restricts.")
    if restricted.rows is None or full.rows is None:
        if not set(restricted.names) <= set(full.names):
            raise DataRemovedError(
                f"whether {texts} are nested cannot be told without their rows, which a result no longer holds; fit "
                "both again."
            )
        return
    inner, outer = (fit.weighted_design("comparing models") for fit in (restricted, full))
    at = restricted.solution.coordinates, full.solution.coordinates
    if distance_to_span(inner, at[0], outer, at[1], offset_shift(inner, outer)) > NESTED:
        raise DataError(
            f"{texts} are not nested: columns of the first are not linear combinations of those of the second, so "
            "that neither is a restriction of the other; compare them by aic or bic."
        )


def offset_shift(inner: Design, outer: Design) -> Tensor | None:
    """Offset of the inner model less that of the outer one; None where they are the same."""
    zero = torch.zeros((), dtype=torch.float64)
    shift = (zero if inner.offset is None else inner.offset) - (zero if outer.offset is None else outer.offset)
    return shift if bool((shift != 0).any()) else None


def restrictions_of(restricted: SolvedFit, full: SolvedFit) -> Hypotheses:
    """State as hypotheses on the full model's coefficients that it is the restricted one, which is nested in it."""
    inner, outer = (fit.weighted_design("comparing models") for fit in (restricted, full))
    shift = offset_shift(inner, outer)
    if shift is None and _same_columns(restricted, full, inner, outer):
        shared = {restricted.names[j] for j in restricted.solution.kept}
        rows = np.eye(len(full.names))[[j for j in full.solution.kept if full.names[j] not in shared]]
        texts = tuple(f"{full.names[int(np.argmax(row))]} = 0" for row in rows)
        effect = rows @ np.nan_to_num(full.coefficients)
        return Hypotheses(texts, effect, np.zeros(len(rows)), rows, np.ones(len(rows), dtype=bool))
    at = restricted.solution.coordinates, full.solution.coordinates
    return restrictions(inner, at[0], outer, at[1], full.coefficients, shift)


def _same_columns(restricted: SolvedFit, full: SolvedFit, inner: Design, outer: Design) -> bool:
    """Whether the restricted model is the other without some coefficients: by name, and by the rows' values."""
    kept = {full.names[j]: j for j in full.solution.kept}
    shared = [(j, kept[name]) for j, name in enumerate(restricted.names) if name in kept]
    if not {j for j, _ in shared} >= set(restricted.solution.kept):
        return False
    ours, theirs = np.zeros(inner.k), np.zeros(outer.k)
    weights = np.random.default_rng(0).normal(size=len(shared))
    for (j, k), weight in zip(shared, weights, strict=True):
        ours[j] = theirs[k] = weight
    return torch.allclose(inner.matvec(ours), outer.matvec(theirs), rtol=1e-12, atol=0)
