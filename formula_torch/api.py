"""What users call: resolve spellings, build the design, solve, and wrap the answer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch

from formula_torch.errors import DataError, FormulaError, check_known
from formula_torch.formula.calls import read_call, verb_of
from formula_torch.formula.learn import Problem, learn
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import estimate, resolve_vcov
from formula_torch.models.linear import WEIGHTS_TYPES, LinearModel, explained_squares
from formula_torch.numerics.arrays import resolve_device, threads_for
from formula_torch.present.messages import fit_notes, fit_warnings
from formula_torch.result.call import Call, table_reference
from formula_torch.result.linear_moments import linear_moments
from formula_torch.result.regression import RegressionFit
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.trajectories import traj

__all__ = ["fit", "solve"]

ENGINES = ("torch",)
# What the text of a model may call.
VERBS: dict[str, Callable[..., TrajectoryFit]] = {"traj": traj}
DEFAULT_VCOV = {"analytic": "iid", "frequency": "iid", "sampling": "robust"}


def fit(
    formula: str,
    data: Any,
    *,
    weights: Any = None,
    weights_type: str = "analytic",
    offset: Any = None,
    vcov: Any = None,
    use_t: bool | None = None,
    engine: str = "torch",
    device: str = "auto",
    na_action: str = "drop",
    subset: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> RegressionFit:
    """Fit a linear regression given as an R-style formula.

    Minimises sum_i w_i (y_i - o_i - x_i'b)^2 exactly (closed form), with as many
    digits as the data carry.

    Parameters
    ----------
    formula : str
        ``"y ~ x + C(g) + x:z"``; the language is R's, and patsy's spellings work. Or a trajectory model with its
        options, ``"traj(y ~ poly(t, 2) | id, groups=2)"``.
    data : table
        pandas, polars or pyarrow, or a dict of columns. It is neither changed nor copied.
    weights : str or array of shape (n,), optional
        A column's name, or numbers. Rows of zero weight leave the sample.
    weights_type : {"analytic", "frequency", "sampling"}
        Analytic: inverse variances up to scale, as R's ``lm``. Frequency: counts of rows;
        everything equals the fit to repeated rows, in their order (but transforms that learn,
        such as ``poly`` and ``scale``, learn from the rows as they stand). Sampling: inverse
        probabilities; coefficients as analytic, errors HC1.
    offset : str or array of shape (n,), optional
        Added to the linear predictor with coefficient 1; also ``offset(...)`` in the formula.
    vcov : str, dict, estimator or array, optional
        Covariance of the coefficients: ``"iid"`` (the default), ``"HC0"`` to ``"HC5"``, ``"robust"``
        (HC1, the default with sampling weights), ``"OPG"``, ``{"cluster": "state"}``,
        ``{"cluster": ["state", "year"]}``, ``{"HAC": 4}``, or a value of ``ft.vcov``.
    use_t : bool, optional
        Student's t or the normal; by default t, with n - k degrees of freedom or clusters - 1.
    engine : {"torch"}
    device : {"auto", "cpu", "cuda"}
        ``"auto"`` uses CUDA where there is one and the problem is large.
    na_action : {"drop", "raise"}
        Rows with missing values leave, counted by column in the summary, or are an error.
    subset : str or array of bool of shape (n,), optional
        The rows to use: an expression (``"age > 70"``), a column's name, or a mask. Transforms
        learn from these rows, as in statsmodels (R's learn from all).
    functions : dict of str to callable, optional
        Elementwise functions of your own that the formula may call.

    Returns
    -------
    RegressionFit
        A TrajectoryFit where the text is that of a trajectory model.

    Raises
    ------
    FormulaError
        The formula cannot be read or evaluated (``UnknownNameError``: with near names).
    DataError
        The data cannot be used: infinite values, no rows left, weights below zero, ...
    ValueError
        An option is spelled in a way that is not known.

    Warns
    -----
    CollinearityWarning
        Columns are dependent (dropped, NaN) or nearly so.
    DesignWarning
        A term is lost, or no degrees of freedom are left.

    Examples
    --------
    >>> import formula_torch as ft
    >>> visits = ft.datasets.visits()
    >>> ft.fit("drvisits ~ private + medicaid + age", visits).params.round(4).to_dict()
    {'Intercept': 1.2418, 'private': 1.2969, 'medicaid': 1.5388, 'age': 0.063}
    """
    check_known("engine", engine, ENGINES)
    if (verb := verb_of(formula)) is not None:
        shared = {"weights": weights, "offset": offset, "vcov": vcov, "subset": subset, "functions": functions}
        if na_action != "drop":
            shared["na_action"] = na_action
        if (weights_type, use_t) != ("analytic", None):
            raise ValueError("weights_type= and use_t= are of regressions; weights of units are counts.")
        if device not in ("auto", "cpu"):
            raise ValueError(f"device={device!r}: a trajectory model is fitted on the CPU; leave device= out.")
        # The text of another verb returns what that verb does.
        return cast(RegressionFit, _called(verb, formula, data, {k: v for k, v in shared.items() if v is not None}))
    check_known("weights_type", weights_type, WEIGHTS_TYPES)
    estimator = resolve_vcov(vcov if vcov is not None else DEFAULT_VCOV[weights_type])
    problem = learn(
        formula,
        data,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        functions=functions,
        hold=estimator.columns,
    )
    _check_linear(problem, weights_type)
    options = {
        "weights": weights,
        "weights_type": weights_type,
        "offset": offset,
        "vcov": vcov,
        "use_t": use_t,
        "engine": engine,
        "device": device,
        "na_action": na_action,
        "subset": subset,
        "functions": functions,
    }
    place = resolve_device(device, problem.design.n_rows * problem.design.k)
    call = Call(f"fit({formula!r})", engine, place.type, partial(fit, **options), table_reference(data))
    rows = Rows.of(problem, weights, offset)
    return solve(problem, rows, call, estimator, use_t=use_t, weights_type=weights_type)


def _called(verb: str, text: str, data: Any, given: Mapping[str, Any]) -> TrajectoryFit:
    """Do what a text says, with further options from outside."""
    if verb not in VERBS:
        raise FormulaError(f"{text!r} calls `{verb}`; a formula, or a call of {', '.join(VERBS)}, is what fit takes.")
    formula, options = read_call(text)
    known = set(inspect.signature(VERBS[verb]).parameters) - {"formula", "data"}
    if unknown := [name for name in options if name not in known]:
        raise FormulaError(f"{text!r} has options that {verb} has not: {', '.join(unknown)}.")
    if twice := sorted(set(options) & set(given)):
        raise ValueError(f"{', '.join(twice)} is given in the text and as an argument.")
    if "groups" not in options:
        raise FormulaError(f"{text!r} says nothing of groups=; write traj({formula}, groups=2).")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = VERBS[verb](formula, data, **options, **given)
    # A verb names the frame that calls it, which is this one and not the user's.
    for warning in caught:
        warnings.warn(warning.message, stacklevel=3)
    return found


def solve(
    problem: Problem,
    rows: Rows,
    call: Call,
    estimator: Estimator,
    *,
    use_t: bool | None = None,
    weights_type: str = "analytic",
    depth: int = 3,
) -> RegressionFit:
    """Solve a linear regression whose formula has met its data, and warn of what the user must know.

    Parameters
    ----------
    problem : Problem
    rows : Rows
    call : Call
    estimator : Estimator
        Of the covariance.
    use_t : bool, optional
    weights_type : {"analytic", "frequency", "sampling"}
    depth : int
        Frames from here to the user's, whom warnings are to name.
    """
    device = torch.device(call.device)
    design = problem.design if device.type == "cpu" else problem.design.to(device)
    with threads_for(float(design.n_rows) * design.k**2):
        solution = least_squares(design)
        model = LinearModel.of(design, weights_type)
        explained = None if design.offset is None else explained_squares(design, solution.params)
    for message in fit_warnings(problem, solution, model):
        warnings.warn(message, stacklevel=depth)
    _refuse_extreme_units(problem, solution, model.scale(solution.ssr, solution.rank))
    moments = linear_moments(solution, model, problem.recipe, rows, call)
    offset = rows.offset
    result = RegressionFit(
        recipe=problem.recipe,
        coefficients=solution.params,
        covariance=estimate(estimator, moments, use_t),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=offset if offset is None or isinstance(offset, str) else True,
        null_space=solution.null_space,
        notes=tuple(fit_notes(problem, solution, model)),
        solution=solution,
        model=model,
        explained=explained,
    )
    # Arrays that may change under us are read for the summary's diagnostics while they are what was fitted.
    return replace(result, statistics=result.residual_statistics) if rows.mutable else result


def _check_linear(problem: Problem, weights_type: str) -> None:
    second = problem.recipe.formula.second
    if second:
        terms = " + ".join(f"C({name})" for name in second)
        raise FormulaError(f"fixed effects after `|` are not built yet; write {terms} among the terms.")
    weights = problem.design.weights
    if weights is not None and weights_type == "frequency" and bool((weights != weights.round()).any()):
        raise DataError("frequency weights are counts of rows and must be whole numbers; see weights_type='analytic'.")


def _refuse_extreme_units(problem: Problem, solution: LeastSquares, scale: float) -> None:
    """Raise where a variance leaves the range of float64: t would be silently lost."""
    with np.errstate(all="ignore"):
        variances = scale * np.diag(solution.inverse_gram)[solution.kept]
    lost = np.isinf(variances) | ((variances == 0) & (solution.ssr > 0))
    if np.isinf(solution.ssr) or (solution.ssr == 0 and not solution.perfect):
        name = problem.recipe.response_name
    elif lost.any():
        name = problem.design.names[solution.kept[int(np.flatnonzero(lost)[-1])]]
    else:
        return
    raise DataError(f"the units of `{name}` are so extreme that squares leave the range of numbers; rescale it.")
