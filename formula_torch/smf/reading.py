"""How a formula meets its data as in statsmodels: subset, missing values, functions of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from formula_torch.data import as_frame
from formula_torch.errors import UnknownNameError, check_known
from formula_torch.formula.conventions import PATSY
from formula_torch.formula.learn import learn
from formula_torch.models.linear import LinearModel
from formula_torch.smf.scope import OnSeries, Scope, caller

__all__ = ["read_formula", "refit", "scope_of"]

MISSING = {"drop": "drop", "raise": "raise", "none": "raise"}


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


def read_formula(
    cls: Any, formula: str, data: Any, subset: Any, drop_cols: Any, weights: Any, missing: str, scope: Scope
) -> Any:
    """Make a model of class `cls` from the arguments of ``from_formula``.

    Raises
    ------
    FormulaError, DataError
        Name the term or column, and the rows.
    ValueError, NotImplementedError
        An argument is not known, or not built.
    """
    check_known("missing", missing, MISSING)
    if drop_cols is not None and len(drop_cols):
        raise NotImplementedError("drop_cols is not built; leave the terms out of the formula, or use statsmodels.")
    data = data if subset is None else data.loc[subset]
    columns = list(as_frame(data).names)
    functions = scope.functions(formula, columns)
    try:
        return _met(cls, formula, data, weights, missing, functions)
    except UnknownNameError as error:
        raise scope.explain(error, formula, columns) from None


def _met(cls: Any, formula: str, data: Any, weights: Any, missing: str, functions: Mapping[str, OnSeries]) -> Any:
    weights = np.full(as_frame(data).n_rows, float(weights)) if isinstance(weights, Real) else weights
    problem = learn(formula, data, weights=weights, na_action=MISSING[missing], functions=functions, conventions=PATSY)
    counted = LinearModel.of(problem.design, "analytic")
    return cls(
        n_obs=counted.n_obs,
        log_weights=counted.log_weights,
        weights_type=counted.weights_type,
        formula=formula,
        exog_names=list(problem.design.names),
        endog_names=problem.recipe.response_name,
        problem=problem,
        given={"data": data, "weights": weights, "missing": missing, "functions": functions},
    )


def refit(cls: Any, given: Mapping[str, Any], options: Mapping[str, Any], formula: str, data: Any) -> Any:
    """Fit another formula with the same options: ``update``."""
    return _met(cls, formula, data, **given).fit(**options)
