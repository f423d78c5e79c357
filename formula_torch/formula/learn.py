"""From a formula and data to a recipe, a design, and the rows they use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, FormulaError, check_known
from formula_torch.formula.conventions import OURS, Conventions
from formula_torch.formula.dialect import expression, parse
from formula_torch.formula.evaluate import Evaluator
from formula_torch.formula.evaluation import Evaluation
from formula_torch.formula.recipe import Functions, Recipe
from formula_torch.formula.response import truth_numbers
from formula_torch.formula.sample import Ledger, Sample, row_values

__all__ = ["Problem", "learn"]


@dataclass(frozen=True, eq=False)
class Problem:
    """A formula met with data.

    Parameters
    ----------
    recipe : Recipe
    design : Design
        With response, weights and offset.
    sample : Sample
    frame : Frame
        The columns read, all rows of the data as given (shared, not copied).
    hints : tuple of str
        What the summary should mention about the columns.
    """

    recipe: Recipe
    design: Design
    sample: Sample
    frame: Frame
    hints: tuple[str, ...]


def learn(
    formula: str,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    exposure: Any = None,
    subset: Any = None,
    na_action: str = "drop",
    functions: Functions | None = None,
    conventions: Conventions = OURS,
    hold: Iterable[str] = (),
    response: bool = True,
    reading: str = "numbers",
) -> Problem:
    """Evaluate a formula on data, drop the rows it cannot use, and learn what to remember.

    Parameters
    ----------
    formula : str
    data : table
        pandas, polars, pyarrow, or a dict of columns.
    weights, offset, exposure : str or array of shape (n,), optional
        The logarithm of the exposure is added to the offset.
    subset : str or array of bool, shape (n,), optional
        An expression of the formula language (``"age > 70"``), a column's name, or a mask.
    na_action : {"drop", "raise"}
    functions : dict, optional
        The user's own elementwise functions.
    conventions : Conventions
        What follows patsy rather than R.
    hold : iterable of str
        Further columns to keep beside those that the formula reads.
    response : bool
        Whether there must be a response; else there must be none.
    reading : {"numbers", "columns", "successes", "levels"}
        What the response is.

    Raises
    ------
    FormulaError, DataError
        Name the term or column, and the rows.
    """
    check_known("na_action", na_action, ("drop", "raise"))
    whole = as_frame(data)
    functions = dict(functions or {})
    if whole.n_rows == 0:
        raise DataError("no rows: the data are empty.")
    mask = _subset_mask(subset, whole, functions)
    frame = whole if mask is None else whole.filter(mask)
    parsed = parse(formula, lambda taken: _dot(whole, taken))
    if (parsed.response is None) == response:
        wrong = "has no response; write it as 'response ~ terms'" if response else "must have nothing before `~`"
        raise FormulaError(f"the formula {formula!r} {wrong}.")

    given = {"weights": weights, "offset": offset, "exposure": exposure}
    rows = {k: _row_argument(v, whole, mask, k) for k, v in given.items() if v is not None}
    evaluation = Evaluation(frame, parsed, functions, rows, conventions, reading)
    evaluation.ledger.check(na_action, frame.n_rows)
    keep, zero_weight = evaluation.keep()
    recipe, design, hints = evaluation.finish(keep)
    sample = _sample(whole, mask, keep, frame.n_rows, zero_weight, evaluation.ledger)
    named = {v for v in given.values() if isinstance(v, str)}
    if isinstance(subset, str):
        named |= set(expression(subset).variables.values())
    columns = {*recipe.columns, *recipe.response_columns, *named, *(whole.column(name).name for name in hold)}
    return Problem(recipe, design, sample, whole.only(columns), hints)


def _dot(frame: Frame, taken: frozenset[str]) -> list[str]:
    if frame.duplicated:
        raise DataError(f"`.` stands for every column, and several are named {', '.join(sorted(frame.duplicated))}.")
    return [name for name in frame.names if name not in taken]


def _subset_mask(subset: Any, frame: Frame, functions: Functions) -> np.ndarray | None:
    if subset is None:
        return None
    if isinstance(subset, str):
        value = Evaluator(frame, functions)(expression(subset))
        numbers = truth_numbers(value)
    else:
        numbers = row_values(subset, frame, "subset", frame.index)
    if numbers is None or not np.isin(numbers[~np.isnan(numbers)], (0, 1)).all():
        raise DataError("subset must be true or false for each row.")
    return np.asarray(numbers == 1)


def _row_argument(given: Any, whole: Frame, mask: np.ndarray | None, what: str) -> np.ndarray:
    values = row_values(given, whole, what, whole.index)
    return values if mask is None else values[mask]


def _sample(
    whole: Frame, mask: np.ndarray | None, keep: np.ndarray | None, n: int, zero_weight: int, ledger: Ledger
) -> Sample:
    used = np.ones(whole.n_rows, dtype=bool) if mask is None else mask.copy()
    if keep is not None:
        used[np.flatnonzero(used)] = keep
    index = whole.index
    if not used.all():
        # Without labels of the user's own, rows are known by their place in the data.
        index = pd.Index(np.flatnonzero(used)) if index is None else index[used]
    return Sample(whole.n_rows, int(used.sum()), used, n, ledger.counts, zero_weight, index)
