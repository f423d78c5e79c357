"""Compute one expression on the columns of a frame, by walking its syntax tree.

Nothing is handed to Python's ``eval``: what the walk below does not know cannot
run. Names are columns; calls are those of ``functions`` and the user's own.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Column, Factor, Frame, factor_of, suggest
from formula_torch.errors import DataError, FormulaError, FormulaTorchError, UnknownNameError
from formula_torch.formula.arguments import as_float, as_plain, reader
from formula_torch.formula.conditions import compare, conjunction, disjunction, negation
from formula_torch.formula.conventions import OURS, Conventions
from formula_torch.formula.dialect import Expression
from formula_torch.formula.functions import (
    ELEMENTWISE,
    KNOWN,
    LAGS,
    REDUCTIONS,
    SPECIAL,
    STATEFUL,
)
from formula_torch.formula.monomials import syntax_tree
from formula_torch.formula.values import Basis, Coded, Logical, to_factor, to_numbers

__all__ = ["Evaluator", "States"]

States = dict[str, dict[str, Any]]

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.Mod: np.mod,
    ast.FloorDiv: np.floor_divide,
}
# R's constants that a column may well be named after.
_OWN_CONSTANTS = {"T": True, "F": False, "pi": math.pi, "Inf": math.inf, "NaN": math.nan, "NA": math.nan}
_NP_CONSTANTS = {"np.pi": math.pi, "np.e": math.e, "np.inf": math.inf, "np.nan": math.nan}


@dataclass(eq=False)
class Evaluator:
    """Evaluates expressions on one frame.

    Parameters
    ----------
    frame : Frame
    functions : mapping
        The user's own functions; they receive and return arrays of shape (n,).
    states : dict
        What stateful calls learned, by expression; filled where it is empty.
    conventions : Conventions
    """

    frame: Frame
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    states: States = field(default_factory=dict)
    conventions: Conventions = OURS
    used: set[str] = field(default_factory=set)

    def __call__(self, expression: Expression) -> Any:
        """Return the value: an array, a ``Basis``, or a ``Coded`` factor.

        Raises
        ------
        FormulaError
            Names the expression and what is wrong in it.
        """
        walk = _Walk(self, expression)
        with np.errstate(all="ignore"):
            try:
                value = walk.visit(syntax_tree(expression))
            except FormulaTorchError as error:
                raise type(error)(_located(error, expression)) from None
            except RecursionError:
                raise FormulaError(f"`{expression.text[:60]}...` is nested too deeply to be computed.") from None
            return self._settled(value, expression)

    def _settled(self, value: Any, expression: Expression) -> np.ndarray | Basis | Coded:
        """Give a final value the form of a term: numbers, a basis, or a factor."""
        if isinstance(value, Column):
            value = value.factor if value.kind in ("bool", "category") else value.numbers
        if isinstance(value, Logical) and value.values.ndim == 0:
            value = bool(value.values)
        if isinstance(value, Logical) or (isinstance(value, np.ndarray) and value.dtype.kind in "OUSb"):
            value = to_factor(value)
        if isinstance(value, Factor):
            value = Coded(value)
        if isinstance(value, np.ndarray):
            value = self._checked(np.asarray(value, dtype=np.float64), expression)
        if not isinstance(value, (np.ndarray, Basis, Coded)):
            what = repr(value) if isinstance(value, (bool, int, float, str)) else f"a {type(value).__name__}"
            raise FormulaError(f"`{expression.text}` has no value for each row; it is {what}.")
        return value

    def _checked(self, value: np.ndarray, expression: Expression) -> np.ndarray | Basis:
        if value.ndim == 2 and value.shape[0] == self.frame.n_rows:
            return Basis(tuple(np.ascontiguousarray(c) for c in value.T), tuple(map(str, range(value.shape[1]))))
        if value.shape != (self.frame.n_rows,):
            raise FormulaError(
                f"`{expression.text}` gives an array of shape {value.shape} for {self.frame.n_rows} rows; "
                "a term needs one value for each row."
            )
        return value


def _located(error: Exception, expression: Expression) -> str:
    message = str(error)
    return message if expression.text in message else f"in `{expression.text}`: {message}"


class _Walk:
    """One walk over one expression; counts its stateful calls to find their states again."""

    def __init__(self, evaluator: Evaluator, expression: Expression) -> None:
        self.evaluator = evaluator
        self.variables = expression.variables
        self.text = expression.text
        self.calls = 0

    def visit(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value) if isinstance(value, (int, float, str, bool)) or value is None:
                return value
            case ast.Name(id=key):
                return self._name(key)
            case ast.Attribute():
                return self._constant(_dotted(node))
            case ast.UnaryOp(op=op, operand=operand):
                value = self.visit(operand)
                if isinstance(op, (ast.Not, ast.Invert)):
                    return negation(value)
                return -to_numbers(value) if isinstance(op, ast.USub) else to_numbers(value)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.visit(left), self.visit(right))
            case ast.BoolOp(op=op, values=values):
                join = conjunction if isinstance(op, ast.And) else disjunction
                return join(*(self.visit(v) for v in values))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return compare(op, self.visit(left), self.visit(right))
            case ast.Compare():
                raise FormulaError("comparisons cannot be chained; write (x > 0) & (x < 2).")
            case ast.Call():
                return self._call(node)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [self.visit(e) for e in elements]
        raise FormulaError(f"{self._describe(node)} is not part of the formula language; join conditions with & and |.")

    def _describe(self, node: ast.expr) -> str:
        """Show syntax in the user's names."""
        shown = re.sub(r"\b_v\d+\b", lambda m: self.variables.get(m.group(), m.group()), ast.unparse(node))
        return f"the syntax `{shown}`"

    def _name(self, key: str) -> Any:
        name = self.variables.get(key)
        if name is None:
            raise FormulaError(f"{key!r} is not part of the formula language.")
        frame = self.evaluator.frame
        if name not in frame.names and name in _OWN_CONSTANTS:
            return _OWN_CONSTANTS[name]
        if name not in frame.names and name in SPECIAL:
            return SPECIAL[name]
        if name not in frame.names and name not in frame.duplicated:
            what = "is a function, not a column" if name in KNOWN else "is not a column of the data"
            raise UnknownNameError(f"`{name}` {what}{suggest(name, frame.names)}")
        self.evaluator.used.add(name)
        return frame.column(name)

    def _constant(self, name: str) -> Any:
        if name in _NP_CONSTANTS:
            return _NP_CONSTANTS[name]
        if name in SPECIAL:
            return SPECIAL[name]
        raise FormulaError(f"`{name}` is not part of the formula language.")

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if type(op) in (ast.BitAnd, ast.BitOr):
            return (conjunction if isinstance(op, ast.BitAnd) else disjunction)(left, right)
        if type(op) not in _BINARY:
            raise FormulaError(f"the operator {type(op).__name__} is not part of the formula language.")
        return _BINARY[type(op)](as_float(to_numbers(left)), as_float(to_numbers(right)))

    def _call(self, node: ast.Call) -> Any:
        name = _dotted(node.func)
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise FormulaError("a formula cannot unpack arguments with * or **.")
        args = [self.visit(a) for a in node.args]
        options = {k.arg: self.visit(k.value) for k in node.keywords if k.arg}
        if name == "Q":
            return self._quoted(args)
        if name in self.evaluator.functions:
            return self._user(name, args, options)
        name = self.evaluator.conventions.meant(name)
        function = self._find(name)
        try:
            if name in ELEMENTWISE:
                return function(*map(as_float, map(to_numbers, args)), **options)
            if name in STATEFUL:
                self.calls += 1
                self._refuse_empty(name, args)
                state = self.evaluator.states.setdefault(f"{self.text} #{self.calls}", {})
                return function(*map(reader(name), args), state=state, **options)
            return function(*args, **options)
        except FormulaTorchError:
            raise
        except TypeError as error:
            raise FormulaError(f"{name}(...) was called with arguments that it does not take: {error}.") from None
        except (ValueError, IndexError, OverflowError, MemoryError) as error:
            raise FormulaError(f"{name}(...) cannot be computed: {error}.") from None

    def _refuse_empty(self, name: str, args: list[Any]) -> None:
        """Nothing can be learned from a column without values."""
        if f"{self.text} #{self.calls}" in self.evaluator.states:
            return
        for column in (a for a in args if isinstance(a, Column)):
            if column.missing is not None and column.missing.all():
                rows = self.evaluator.frame.n_rows
                raise DataError(
                    f"no rows left: {rows} dropped, all because of {column.name}, from which {name} learns."
                )

    def _find(self, name: str) -> Callable[..., Any]:
        for group in (ELEMENTWISE, STATEFUL, SPECIAL):
            if name in group:
                return group[name]
        last = name.split(".")[-1]
        if last in LAGS:
            raise FormulaError(f"{name}(...) is refused: rows have no order here; make the lagged column in the data.")
        if last in REDUCTIONS:
            raise FormulaError(
                f"{name}(...) reduces a column to one number, which new data would change; use center(x) or "
                "scale(x), which remember it."
            )
        if name == "offset":
            raise FormulaError("offset(...) must be a term of its own: y ~ x + offset(log(n)).")
        raise UnknownNameError(
            f"{name}(...) is not a function of the formula language{suggest(name, KNOWN)} "
            f"Pass your own as functions={{{last!r}: ...}} and call it {last}(...)."
        )

    def _quoted(self, args: list[Any]) -> Any:
        if len(args) != 1 or not isinstance(args[0], str):
            raise FormulaError('Q takes one name in quotes: Q("my var").')
        self.variables = {**self.variables, "_q": args[0]}
        return self._name("_q")

    def _user(self, name: str, args: list[Any], options: dict[str, Any]) -> Any:
        """Call a function of the user's; a single number that it makes of a column is remembered."""
        self.calls += 1
        state = self.evaluator.states.setdefault(f"{self.text} #{self.calls}", {})
        if "value" in state:
            return np.asarray(state["value"])
        result = self.evaluator.functions[name](*map(as_plain, args), **options)
        if isinstance(getattr(result, "dtype", None), pd.CategoricalDtype):
            return factor_of(pd.Series(result))
        values = np.asarray(result)
        if values.ndim == 0 and values.dtype.kind in "iuf":
            state["value"] = float(values)
        if values.dtype.kind in "iuf":
            return values.astype(np.float64)
        return Logical(values.astype(np.float64)) if values.dtype.kind == "b" else values.astype(object)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
    raise FormulaError("only functions known by name can be called in a formula.")
