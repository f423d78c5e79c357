"""A regression of any kind: the formula meets its data, and the model of its family is fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from formula_torch.errors import DataError, FormulaError
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.fitting.asked import Asked, resolve
from formula_torch.fitting.further import learn_together
from formula_torch.fitting.glm import solve_glm
from formula_torch.fitting.linear import solve
from formula_torch.fitting.network import solve_network
from formula_torch.fitting.several import solve_several
from formula_torch.formula.learn import Problem
from formula_torch.numerics.arrays import resolve_device
from formula_torch.result.call import Call, table_reference
from formula_torch.result.glm import GlmFit
from formula_torch.result.network import NetworkFit
from formula_torch.result.regression import RegressionFit
from formula_torch.result.rows import Rows
from formula_torch.result.several import SeveralFit

__all__ = ["regress"]

# Frames from a solver to the user's: regress, and the function that calls it.
DEPTH = 4


def regress(
    formula: str, data: Any, asked: Asked, again: Callable[..., Any]
) -> RegressionFit | GlmFit | SeveralFit | NetworkFit:
    """Fit a formula to data.

    Parameters
    ----------
    formula : str
    data : table
    asked : Asked
    again : callable
        From another formula and data to the fit with the same options.

    Raises
    ------
    FormulaError, DataError, ValueError
        As ``fit``.
    """
    resolved = resolve(asked)
    problem, further = learn_together(
        formula,
        resolved.further,
        data,
        weights=asked.weights,
        offset=asked.offset,
        exposure=asked.exposure,
        reading=resolved.reading,
        subset=asked.subset,
        na_action=asked.na_action,
        functions=asked.functions,
        hold=resolved.estimator.columns,
    )
    _check(problem, asked.weights_type)
    place = resolve_device(asked.device, problem.design.n_rows * problem.design.k)
    call = Call(f"fit({formula!r})", asked.engine, place.type, again, table_reference(data))
    rows = Rows.of(problem, asked.weights, asked.offset, asked.exposure)
    met = (problem, rows, call, resolved.estimator)
    use_t, kind = asked.use_t, asked.weights_type
    family = resolved.family
    if family is not None and not isinstance(family, GeneralizedFamily):
        return solve_several(*met, family, further=further, use_t=use_t, weights_type=kind, depth=DEPTH)
    if resolved.network is not None:
        assert resolved.descending is not None
        return solve_network(
            *met, family, resolved.network, resolved.descending, use_t=use_t, weights_type=kind, depth=DEPTH
        )
    if family is None:
        return solve(
            *met,
            use_t=use_t,
            weights_type=kind,
            bounds=asked.bounds,
            descending=resolved.descending,
            depth=DEPTH,
        )
    return solve_glm(
        *met,
        family,
        use_t=use_t,
        weights_type=kind,
        bounds=asked.bounds,
        prior=asked.prior,
        descending=resolved.descending,
        depth=DEPTH,
    )


def _check(problem: Problem, weights_type: str) -> None:
    second = problem.recipe.formula.second
    if second:
        terms = " + ".join(f"C({name})" for name in second)
        raise FormulaError(f"fixed effects after `|` are not built yet; write {terms} among the terms.")
    weights = problem.design.weights
    if weights is not None and weights_type == "frequency" and bool((weights != weights.round()).any()):
        raise DataError("frequency weights are counts of rows and must be whole numbers; see weights_type='analytic'.")
