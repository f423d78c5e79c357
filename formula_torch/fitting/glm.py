"""Generalised linear models: from a formula that has met its data to a result."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import torch

from formula_torch.design import Design
from formula_torch.design.auxiliary import constant_alone
from formula_torch.errors import DataError
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.formula.learn import Problem
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import estimate
from formula_torch.models.glm import Fitness, GlmModel, first_predictor, fitness
from formula_torch.present.messages import design_notes, glm_warnings
from formula_torch.result.call import Call
from formula_torch.result.glm import GlmFit
from formula_torch.result.glm.base import Climbed
from formula_torch.result.glm.moments import glm_moments
from formula_torch.result.rows import Rows
from formula_torch.solvers.scoring import scored

__all__ = ["solve_glm"]


def solve_glm(
    problem: Problem,
    rows: Rows,
    call: Call,
    estimator: Estimator,
    family: GeneralizedFamily,
    *,
    use_t: bool | None = None,
    weights_type: str = "analytic",
    observed: bool = False,
    depth: int = 3,
) -> GlmFit:
    """Fit a generalised linear model whose formula has met its data, and warn of what the user must know.

    Parameters
    ----------
    problem : Problem
    rows : Rows
    call : Call
    estimator : Estimator
        Of the covariance.
    family : GeneralizedFamily
    use_t : bool, optional
    weights_type : {"analytic", "frequency", "sampling"}
    observed : bool
        Errors from the observed information rather than the expected one.
    depth : int
        Frames from here to the user's, whom warnings are to name.

    Raises
    ------
    DataError
        The response lies outside the range of the family, or the link has no value at its mean.
    """
    device = torch.device(call.device)
    design = problem.design if device.type == "cpu" else problem.design.to(device)
    name = problem.recipe.response_name
    _check_response(family, design, name)
    model = GlmModel.of(design, family, weights_type, observed=observed)
    start = partial(first_predictor, family=family, name=name)
    found = scored(design, family, start)
    eta = design.linear_predictor(np.nan_to_num(found.params))
    fitted = fitness(model, design, eta, model.n_obs - found.solution.rank)
    for message in glm_warnings(
        problem, found.solution, model.n_obs, converged=found.converged, decrement=found.decrement
    ):
        warnings.warn(message, stacklevel=depth)
    lost = np.zeros(design.k, dtype=bool)
    moments = glm_moments(found.solution, model, fitted.scale, lost, problem.recipe, rows, call)
    return GlmFit(
        recipe=problem.recipe,
        coefficients=found.params,
        covariance=estimate(estimator, moments, use_t),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=_named(rows.offset),
        exposure=_named(rows.exposure),
        null_space=found.solution.null_space,
        notes=(*design_notes(problem, found.solution), *_notes(family, design, name)),
        solution=found.solution,
        model=model,
        fitness=fitted,
        null=_null(model, design, fitted.scale, name),
        climbed=Climbed("Fisher scoring", found.iterations, found.decrement, found.converged),
        lost=lost,
    )


def _named(given: object) -> str | bool | None:
    """A row argument as results keep it: a column's name, or that there was an array."""
    return given if given is None or isinstance(given, str) else True


def _check_response(family: GeneralizedFamily, design: Design, name: str) -> None:
    assert design.y is not None
    if message := family.distribution.refuse(design.y):
        raise DataError(f"`{name}` {message}")


def _notes(family: GeneralizedFamily, design: Design, name: str) -> list[str]:
    assert design.y is not None
    doubt = family.distribution.doubt(design.y)
    return [f"`{name}` {doubt}"] if doubt else []


def _null(model: GlmModel, design: Design, scale: float, name: str) -> Fitness:
    """Fit a constant alone, and the offset."""
    family = model.family
    assert design.y is not None
    if design.offset is None:
        # The mean of exponential families is that of the response, whatever the link.
        w = design.weights
        centre = design.y.mean() if w is None else (w * design.y).sum() / w.sum()
        eta = family.link.link(centre).expand(design.n_rows)
    else:
        constant = constant_alone(design)
        params = scored(constant, family, partial(first_predictor, family=family, name=name)).params
        eta = constant.linear_predictor(params)
    return fitness(model, design, eta, model.n_obs - 1, scale=scale)
