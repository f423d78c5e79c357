"""From a formula and data to a recipe, a design, and the rows they use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, FormulaError, FormulaTorchError, check_known
from formula_torch.formula.conventions import OURS, Conventions
from formula_torch.formula.cut import Cut
from formula_torch.formula.dialect import Expression, Formula, expression, parse
from formula_torch.formula.encode import Encoding, Levels, Monomial, assemble, column_names
from formula_torch.formula.evaluate import Evaluator
from formula_torch.formula.monomials import monomials
from formula_torch.formula.recipe import Functions, Recipe
from formula_torch.formula.response import Response, levels_of, read_response, truth_numbers
from formula_torch.formula.sample import Ledger, Sample, log_exposure, row_values
from formula_torch.formula.terms import structure, used_factors
from formula_torch.formula.values import Basis, Coded
from formula_torch.numerics.arrays import as_tensor

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
    reading : {"numbers", "successes", "levels"}
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
    evaluation = _Evaluation(frame, parsed, functions, rows, conventions, reading)
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


class _Evaluation:
    """Every expression of a formula, evaluated on one frame."""

    def __init__(
        self,
        frame: Frame,
        formula: Formula,
        functions: Functions,
        rows: dict[str, np.ndarray],
        conventions: Conventions,
        reading: str,
    ) -> None:
        self.frame, self.formula, self.rows, self.conventions = frame, formula, rows, conventions
        self.reading = reading
        self.ledger = Ledger(frame)
        self.evaluator = Evaluator(frame, functions, conventions=conventions)
        self.columns: set[str] = set()
        self.left: Any = None
        if formula.response is not None:
            self.left = self._evaluate(formula.response)
            if reading == "numbers":
                self._read(())
        self.response_columns, self.columns = self.columns, set()
        used = used_factors(formula, conventions)
        self.values = {key: self._value(e) for key, e in formula.expressions.items() if key in used}
        self.offsets = {key: self._offset(e) for key, e in formula.offsets.items() if key in used}
        for what, values in rows.items():
            self.ledger.note_values(what, [values], ())

    def _evaluate(self, e: Expression) -> Any:
        self.evaluator.used = set()
        value = self.evaluator(e)
        self.columns |= self.evaluator.used
        if e.is_column:
            self.ledger.note_columns(self.evaluator.used)
        else:
            self.ledger.note_values(e.text, _arrays(value), self.evaluator.used)
        return value

    def _value(self, e: Expression) -> Any:
        try:
            found = monomials(e, self.frame)
        except FormulaTorchError:
            found = None  # the evaluation below raises it with its place
        if found is None:
            return self._evaluate(e)
        monomial = Monomial(e.text, *found)
        own = self.formula.response
        if own is not None and monomial.products == ((own.text,),) and own.is_column:
            raise FormulaError(f"in {self.formula.text!r} `{own.text}` stands on both sides of `~`.")
        self.columns |= set(monomial.columns)
        self.ledger.note_columns(monomial.columns)
        return monomial

    def _read(self, levels: tuple[Any, ...]) -> Response | None:
        response = self.formula.response
        return None if response is None else read_response(self.left, response.text, self.reading, levels)

    def _offset(self, e: Expression) -> np.ndarray:
        value = self._evaluate(e)
        if not isinstance(value, np.ndarray):
            raise FormulaError(f"offset({e.text}) must be one number for each row.")
        return value

    def keep(self) -> tuple[np.ndarray | None, int]:
        """Rows to use (None: all), and how many leave for a weight of zero."""
        dropped = self.ledger.dropped
        keep = None if dropped is None else ~dropped
        weights = self._row_weights()
        if weights is None:
            return keep, 0
        _check_weights(weights, self.frame)
        zero = weights == 0
        if self.conventions.zero_weights or not zero.any():
            return keep, 0
        left = int((zero if keep is None else zero & keep).sum())
        keep = ~zero if keep is None else keep & ~zero
        if not keep.any():
            raise DataError("no rows left: every weight is zero.")
        return keep, left

    def _row_weights(self) -> np.ndarray | None:
        """Weights given, times the trials of a response that has some."""
        given, trials = self.rows.get("weights"), None
        if self.reading == "successes" and isinstance(self.left, Basis):
            response = self._read(())
            trials = None if response is None else response.trials
        if given is None or trials is None:
            return trials if given is None else given
        return given * trials

    def finish(self, keep: np.ndarray | None) -> tuple[Recipe, Design, tuple[str, ...]]:
        """Encode the kept rows; return recipe, design and hints for the summary."""
        cut = Cut(self.frame, keep, self.conventions)
        encodings: dict[str, Encoding] = {}
        values: dict[str, Any] = {}
        hints: list[str] = []
        for key, value in self.values.items():
            encodings[key], values[key] = cut.encode(value, self.formula.expressions[key].text, hints)
        terms, offsets = structure(
            self.formula, {k: isinstance(v, Levels) for k, v in encodings.items()}, self.conventions
        )
        if not terms:
            raise FormulaError(f"the formula {self.formula.text!r} has neither terms nor an intercept.")
        names = column_names(terms, encodings)
        _refuse_same_names([name for piece in names.values() for name in piece], self.formula.text)
        recipe = Recipe(
            formula=self.formula,
            terms=terms,
            encodings=encodings,
            names=names,
            offsets=offsets,
            states=self.evaluator.states,
            functions=self.evaluator.functions,
            columns=tuple(sorted(self.columns)),
            response_columns=tuple(sorted(self.response_columns)),
            conventions=self.conventions,
            reading=self.reading,
            response_levels=self._levels(keep),
        )
        design = assemble(terms, encodings, names, values, cut.n_rows)
        design = replace(design, **self._row_tensors(cut, offsets, recipe.response_levels))
        return recipe, design, tuple(hints)

    def _levels(self, keep: np.ndarray | None) -> tuple[Any, ...]:
        response = self.formula.response
        return () if response is None else levels_of(self.left, response.text, self.reading, keep)

    def _row_tensors(self, cut: Cut, offsets: tuple[str, ...], levels: tuple[Any, ...]) -> dict[str, Any]:
        left, response = self.formula.response, self._read(levels)
        y = None if response is None or left is None else cut.numbers(response.values, left.text)
        parts = [cut.numbers(self.offsets[key], "offset") for key in offsets]
        if "offset" in self.rows:
            parts.append(cut.numbers(self.rows["offset"], "offset"))
        if "exposure" in self.rows:
            parts.append(log_exposure(cut.numbers(self.rows["exposure"], "exposure")))
        weights = self._row_weights()
        return {
            "y": None if y is None else as_tensor(y),
            "offset": as_tensor(np.sum(parts, axis=0)) if parts else None,
            "weights": None if weights is None else as_tensor(cut.numbers(weights, "weights")),
        }


def _arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, Coded):
        return [value.factor.codes]
    return list(value.columns) if isinstance(value, Basis) else [value]


def _refuse_same_names(names: list[str], text: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise FormulaError(f"in {text!r} several columns would be named `{twice[0]}`; rename a column of the data.")


def _check_weights(weights: np.ndarray, frame: Frame) -> None:
    for bad, what in ((weights < 0, "negative"), (np.isinf(weights), "infinite")):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            label = row if frame.index is None else frame.index[row]
            raise DataError(f"weights are {what} in {int(bad.sum())} rows, first in row {label!r}.")
