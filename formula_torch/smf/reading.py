"""How a formula meets its data as in statsmodels: subset, missing values, functions of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np

from formula_torch.data import as_frame
from formula_torch.errors import UnknownNameError, check_known
from formula_torch.formula.conventions import PATSY
from formula_torch.formula.learn import Problem, learn
from formula_torch.formula.tokens import Token, show, tokens
from formula_torch.smf.scope import OnSeries, Scope, caller

__all__ = ["Given", "left_columns", "read_formula", "refit", "scope_of"]

MISSING = {"drop": "drop", "raise": "raise", "none": "raise"}


@dataclass(frozen=True, eq=False)
class Given:
    """What a model was made of besides its formula.

    Parameters
    ----------
    data : table
    missing : str
    functions : mapping
        The caller's functions that the formula calls.
    weights, offset, exposure : array, optional
        Of all rows.
    options : mapping
        Further arguments of the model: its family, and what its weights are.
    """

    data: Any
    missing: str = "drop"
    functions: Mapping[str, OnSeries] = field(default_factory=dict)
    weights: Any = None
    offset: Any = None
    exposure: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def learn(self, formula: str, reading: str) -> Problem:
        """Meet a formula with the data; `reading` says what the response is."""
        return learn(
            formula,
            self.data,
            weights=self.weights,
            offset=self.offset,
            exposure=self.exposure,
            na_action=MISSING[self.missing],
            functions=self.functions,
            conventions=PATSY,
            reading=reading,
        )


def scope_of(eval_env: int | None) -> Scope:
    """Return the names that stand where the caller of this function's caller does.

    Parameters
    ----------
    eval_env : int or None
        Counted as statsmodels does (though its documentation counts from 0): None or 1 is there, 2 a frame
        above it; -1 is nowhere.
    """
    if eval_env is not None and eval_env < 0:
        return Scope({})
    return caller(2 + max((eval_env or 1) - 1, 0))


def read_formula(cls: Any, formula: str, given: Given, subset: Any, drop_cols: Any, scope: Scope) -> Any:
    """Make a model of class `cls` from the arguments of ``from_formula``.

    Raises
    ------
    FormulaError, DataError
        Name the term or column, and the rows.
    ValueError, NotImplementedError
        An argument is not known, or not built.
    """
    check_known("missing", given.missing, MISSING)
    if drop_cols is not None and len(drop_cols):
        raise NotImplementedError("drop_cols is not built; leave the terms out of the formula, or use statsmodels.")
    data = given.data if subset is None else given.data.loc[subset]
    columns = list(as_frame(data).names)
    arrays = {name: _of_rows(getattr(given, name), data) for name in ("weights", "offset", "exposure")}
    given = replace(given, data=data, functions=scope.functions(formula, columns), **arrays)
    try:
        return cls.met(formula, given)
    except UnknownNameError as error:
        raise scope.explain(error, formula, columns) from None


def left_columns(formula: str) -> list[str]:
    """Return the columns that stand on the left, where several are added as in patsy: ``"a + b ~ x"``.

    Examples
    --------
    >>> left_columns("wins + I(n - wins) ~ x + z")
    ['wins', 'I(n - wins)']
    """
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens(formula):
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.text == "~" and depth == 0:
            break
        if token.text == "+" and depth == 0 and parts[-1]:
            parts.append([])
        else:
            parts[-1].append(token)
    return [show(part) for part in parts]


def _of_rows(value: Any, data: Any) -> Any:
    """A number for all rows is one for each."""
    return np.full(as_frame(data).n_rows, float(value)) if isinstance(value, Real) else value


def refit(cls: Any, given: Given, options: Mapping[str, Any], formula: str, data: Any) -> Any:
    """Fit another formula with the same options: ``update``."""
    return cls.met(formula, replace(given, data=data)).fit(**options)
