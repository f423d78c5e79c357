"""The expressions of a formula as values: what is missing in them, which rows they keep, and the design they make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from formula_torch.data import Frame
from formula_torch.design import Design
from formula_torch.errors import DataError, FormulaError, FormulaTorchError
from formula_torch.formula.conventions import Conventions
from formula_torch.formula.cut import Cut
from formula_torch.formula.dialect import Expression, Formula
from formula_torch.formula.encode import Encoding, Levels, Monomial, assemble, column_names
from formula_torch.formula.evaluate import Evaluator
from formula_torch.formula.monomials import monomials
from formula_torch.formula.recipe import Functions, Recipe
from formula_torch.formula.response import Response, levels_of, read_response
from formula_torch.formula.sample import Ledger, log_exposure
from formula_torch.formula.terms import structure, used_factors
from formula_torch.formula.values import Basis, Coded
from formula_torch.numerics.arrays import as_tensor

__all__ = ["Evaluation"]


class Evaluation:
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
            if reading in ("numbers", "columns"):
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
