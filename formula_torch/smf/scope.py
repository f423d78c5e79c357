"""The functions of the caller's program that a formula calls, found as statsmodels finds them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import UnknownNameError
from formula_torch.formula.dialect import Expression, parse
from formula_torch.formula.functions import KNOWN, LAGS, REDUCTIONS
from formula_torch.formula.monomials import syntax_tree

__all__ = ["OnSeries", "Scope", "caller"]

# Their functions of the names that the formula language has are the formula language's.
SAME_MEANING = {"builtins", "formula_torch", "formulaic", "math", "numpy", "patsy", "statsmodels"}
# What reduces a column to one number: it is remembered for predictions, which statsmodels computes anew.
TO_A_NUMBER = {"len", "max", "mean", "median", "min", "quantile", "std", "sum", "var"}
# Of Python's own functions those that compute; a formula is no place to open files.
BUILTINS = ("len", "max", "min", "pow", "sum")


@dataclass(frozen=True)
class OnSeries:
    """A function of the user's, called with Series as statsmodels calls it."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function; arrays become Series."""
        given = [pd.Series(a) if isinstance(a, np.ndarray) else a for a in args]
        return self.function(*given, **options)


@dataclass(frozen=True, eq=False)
class Scope:
    """The names that stand in the caller's program.

    Parameters
    ----------
    names : mapping
    """

    names: Mapping[str, Any]

    def functions(self, formula: str, columns: list[str]) -> dict[str, OnSeries]:
        """Find the functions that a formula calls and that are not of the formula language.

        Parameters
        ----------
        formula : str
        columns : list of str
            What ``.`` stands for.
        """
        found = {name: self._find(name) for e in _expressions(formula, columns) for name in _calls(e)}
        return {name: OnSeries(f) for name, f in found.items() if callable(f) and not _is_ours(name, f)}

    def explain(self, error: UnknownNameError, formula: str, columns: list[str]) -> UnknownNameError:
        """Say so where a name that is no column is a variable of the caller's program."""
        named = [name for e in _expressions(formula, columns) for name in e.variables.values()]
        known = {name for name, value in self.names.items() if not callable(value)} - set(columns)
        ours = [name for name in named if name in known and f"`{name}`" in str(error)]
        if not ours:
            return error
        return UnknownNameError(
            f"`{ours[0]}` is not a column of the data but a variable of your program, which predictions on new data "
            f"would not find; put it in the data (data.assign({ours[0]}={ours[0]})), or write its value into the "
            "formula."
        )

    def _find(self, name: str) -> Any:
        root, *attributes = name.split(".")
        found = self.names.get(root)
        for attribute in attributes:
            found = getattr(found, attribute, None)
        return found


def caller(depth: int) -> Scope:
    """Return the names that stand `depth` frames above this function's caller."""
    frame = sys._getframe(depth + 1)
    builtin = {name: frame.f_builtins[name] for name in BUILTINS}
    return Scope({**builtin, **frame.f_globals, **frame.f_locals})


def _is_ours(name: str, found: Callable[..., Any]) -> bool:
    home = (getattr(found, "__module__", None) or type(found).__module__).split(".")[0]
    refused = name.split(".")[-1] in (REDUCTIONS | LAGS) - TO_A_NUMBER
    return home in SAME_MEANING and (name in KNOWN or refused)


def _expressions(formula: str, columns: list[str]) -> Iterator[Expression]:
    parsed = parse(formula, lambda taken: [c for c in columns if c not in taken])
    yield from (e for e in (parsed.response, *parsed.expressions.values(), *parsed.offsets.values()) if e is not None)


def _calls(expression: Expression) -> Iterator[str]:
    """Dotted names of the functions that an expression calls."""
    for node in ast.walk(syntax_tree(expression)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
