"""What a formula learned from data, without the data: enough to rebuild the design elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from formula_torch.data import Factor, Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, FormulaError, UnknownNameError, check_known
from formula_torch.formula.conventions import OURS, Conventions
from formula_torch.formula.dialect import Formula
from formula_torch.formula.encode import Encoding, Levels, Monomial, assemble
from formula_torch.formula.evaluate import Evaluator, States
from formula_torch.formula.pieces import Piece, Term
from formula_torch.formula.response import Response, read_response
from formula_torch.formula.values import Coded, to_factor
from formula_torch.numerics.arrays import as_tensor

__all__ = ["Functions", "Recipe"]

Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, eq=False)
class Recipe:
    """A formula with everything it learned: levels, knots, polynomial coefficients, names.

    It holds no rows and pickles small.

    Parameters
    ----------
    formula : Formula
    terms : tuple of Term
    encodings : dict
        Placeholder to what became of the expression.
    names : dict
        Piece to the names of its columns.
    offsets : tuple of str
        Placeholders of the formula's own offsets.
    states : dict
        What stateful calls learned.
    functions : mapping
        The user's own functions.
    columns : tuple of str
        Columns of the data that the formula reads (right-hand side and offsets).
    response_columns : tuple of str
        Columns that the response reads.
    conventions : Conventions
    reading : str
        How the response is read: one of ``READINGS`` in `formula.response`.
    response_levels : tuple
        Levels of a response of categories.

    Examples
    --------
    >>> from formula_torch.formula.learn import learn
    >>> recipe = learn("y ~ scale(x)", {"y": [1.0, 2.0, 4.0], "x": [1.0, 2.0, 3.0]}).recipe
    >>> recipe.apply({"x": [2.0, 4.0]}).dense().tolist()
    [[1.0, 0.0], [1.0, 2.0]]
    """

    formula: Formula
    terms: tuple[Term, ...]
    encodings: dict[str, Encoding]
    names: dict[Piece, tuple[str, ...]]
    offsets: tuple[str, ...]
    states: States
    functions: Functions = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    response_columns: tuple[str, ...] = ()
    conventions: Conventions = OURS
    reading: str = "numbers"
    response_levels: tuple[Any, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(name for term in self.terms for piece in term.pieces for name in self.names[piece])

    @property
    def columns_of_terms(self) -> dict[str, list[int]]:
        """Positions of the columns of each term that has any."""
        found, start = {}, 0
        for term in self.terms:
            width = sum(len(self.names[piece]) for piece in term.pieces)
            name = ":".join(self.encodings[key].text for key in term.factors) or "Intercept"
            found[name] = list(range(start, start + width))
            start += width
        return {name: columns for name, columns in found.items() if columns}

    @property
    def written(self) -> str:
        """The formula with every term written out, for ``update``."""
        texts = {key: e.written for key, e in self.formula.expressions.items()}
        terms = [":".join(texts[f] for f in t.factors) for t in self.terms if t.factors]
        offsets = [f"offset({self.formula.offsets[key].written})" for key in self.offsets]
        if not any(not t.factors for t in self.terms):
            offsets.append("0")
        response = "" if self.formula.response is None else self.formula.response.written
        return f"{response} ~ {' + '.join([*terms, *offsets]) or '1'}"

    @property
    def represented(self) -> tuple[str, ...]:
        """Placeholders that have a column, in the formula's order."""
        return tuple(dict.fromkeys(key for piece, names in self.names.items() if names for key, _ in piece.factors))

    @property
    def lost_factors(self) -> dict[str, Any]:
        """Factors of a single level that no column represents, with that level."""
        represented = self.represented
        lost = (e for key, e in self.encodings.items() if isinstance(e, Levels) and key not in represented)
        return {e.text: e.levels[0] for e in lost if len(e.levels) == 1}

    @property
    def response_name(self) -> str:
        """The left-hand side, as printed."""
        return "" if self.formula.response is None else self.formula.response.text

    def apply(self, data: Any, *, unseen: str = "error") -> Design:
        """Build the design of other data; missing values stay missing.

        Parameters
        ----------
        data : table or Frame
        unseen : {"error", "nan"}
            What to do with a level that was not learned.

        Returns
        -------
        Design
            Without a response; with the formula's own offset.

        Raises
        ------
        DataError
            A level that was not learned, or a column of another kind.
        UnknownNameError
            A column is missing from `data`.
        """
        check_known("unseen", unseen, ("error", "nan"))
        frame = as_frame(data)
        # A copy: applying a recipe must not teach it anything.
        evaluator = self.evaluator(frame)
        represented = self.represented
        values = {key: self.encoded(key, evaluator, unseen) for key in self.encodings if key in represented}
        for key in (key for key in self.encodings if key not in represented):
            # A factor without a column is not needed; but where it is given, a level it did not have is an error.
            with suppress(UnknownNameError):
                self.encoded(key, evaluator, unseen)
        design = assemble(self.terms, self.encodings, self.names, values, frame.n_rows)
        return replace(design, offset=self.offset(evaluator))

    def evaluator(self, frame: Frame) -> Evaluator:
        """Return what evaluates the formula's expressions on a frame, with what was learned."""
        states = {key: dict(state) for key, state in self.states.items()}
        return Evaluator(frame, self.functions, states, self.conventions)

    def encoded(self, key: str, evaluator: Evaluator, unseen: str = "error") -> Any:
        """Evaluate an expression in the form in which ``assemble`` takes it.

        Parameters
        ----------
        key : str
            Its placeholder.
        evaluator : Evaluator
        unseen : {"error", "nan"}

        Raises
        ------
        DataError
            A level that was not learned, or categories in place of numbers.
        """
        encoding, expression = self.encodings[key], self.formula.expressions[key]
        if isinstance(encoding, Monomial):
            return {name: evaluator.frame.column(name).numbers for name in encoding.columns}
        value = evaluator(expression)
        if isinstance(value, np.ndarray) and isinstance(encoding, Levels) and np.isnan(value).all():
            value = Coded(Factor(np.full(len(value), -1, dtype=np.int32), ()))  # a type cannot be told from no values
        if isinstance(encoding, Levels):
            # What became categories by its type may come as numbers: 0 and 1 for truth values, one row of many.
            return _recoded(to_factor(value), encoding, unseen)
        if isinstance(value, Coded):
            raise DataError(f"`{encoding.text}` had numbers when the model was fitted, and has categories here.")
        return value

    def offset(self, evaluator: Evaluator) -> Tensor | None:
        """Sum of the formula's own offsets, shape (n,), or None."""
        if not self.offsets:
            return None
        parts = [evaluator(self.formula.offsets[key]) for key in self.offsets]
        return as_tensor(np.sum([_numeric(p, "offset") for p in parts], axis=0))

    def response(self, data: Any) -> np.ndarray:
        """Evaluate the response on `data`, shape (n,), NaN where missing."""
        return self.read(data).values

    def read(self, data: Any) -> Response:
        """Evaluate the response on `data`, with the trials of each row where it has some."""
        if self.formula.response is None:
            raise FormulaError(f"the formula {self.formula.text!r} has no response.")
        value = self.evaluator(as_frame(data))(self.formula.response)
        return read_response(value, self.response_name, self.reading, self.response_levels)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle functions by reference; one that cannot be is replaced by a note of its name."""
        kept = {name: f if _picklable(f) else _Lost(name) for name, f in self.functions.items()}
        return {**self.__dict__, "functions": kept}


@dataclass(frozen=True)
class _Lost:
    """Stands for a function that could not be pickled."""

    name: str

    def __call__(self, *args: Any) -> Any:  # noqa: ARG002 - called as the lost function would be
        raise FormulaError(
            f"the formula calls your function {self.name}(...), which could not be pickled (a lambda, or defined "
            "in the session); define it in a module and fit again."
        )


def _picklable(f: Any) -> bool:
    try:
        pickle.dumps(f)
    except Exception:  # pickle raises whatever the object's own hooks raise
        return False
    return True


def _recoded(found: Factor, encoding: Levels, unseen: str) -> Factor:
    recoded = found.recode(encoding.levels)
    lost = (recoded.codes < 0) & (found.codes >= 0)
    if lost.any() and unseen == "error":
        new = sorted({str(found.levels[c]) for c in np.unique(found.codes[lost])})
        raise DataError(
            f"`{encoding.text}` has levels that were not in the data the model was fitted on: {', '.join(new[:5])}"
            f"{', ...' if len(new) > 5 else ''} (first in row {int(np.flatnonzero(lost)[0])}); "
            "pass unseen='nan' to leave those rows missing."
        )
    return recoded


def _numeric(value: Any, what: str) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise FormulaError(f"the {what} must be one number for each row.")
    return value
