"""Generalised linear models: from a formula that has met its data to a result."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.design.auxiliary import constant_alone
from formula_torch.errors import DataError, FormulaTorchWarning
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.formula.learn import Problem
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import estimate
from formula_torch.models.glm import GlmModel, constant_fitness, first_predictor, fitness
from formula_torch.present.bounds import bound_notes
from formula_torch.present.messages import (
    PERFECT,
    convergence_warning,
    design_notes,
    edge_warning,
    fit_warnings,
    separation_warnings,
)
from formula_torch.result.call import Call
from formula_torch.result.glm import GlmFit
from formula_torch.result.glm.base import Climbed
from formula_torch.result.glm.moments import glm_moments
from formula_torch.result.new_rows import as_kept
from formula_torch.result.rows import Rows
from formula_torch.solvers.bounded_scoring import bounded_scored
from formula_torch.solvers.box import Box
from formula_torch.solvers.held import moved_to_offset
from formula_torch.solvers.penalised import jeffreys, jeffreys_penalty
from formula_torch.solvers.scoring import Scored, scored
from formula_torch.solvers.separation import Separation, separation

__all__ = ["null_predictor", "solve_glm"]

METHODS = {None: "Fisher scoring", "firth": "Fisher scoring, Firth"}


def solve_glm(
    problem: Problem,
    rows: Rows,
    call: Call,
    estimator: Estimator,
    family: GeneralizedFamily,
    *,
    use_t: bool | None = None,
    weights_type: str = "analytic",
    bounds: Mapping[str, Any] | None = None,
    prior: str | None = None,
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
    bounds : dict of str to (low, high), optional
    prior : {"firth"}, optional
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
    model = GlmModel.of(design, family, weights_type)
    box = None if bounds is None else Box.of(bounds, design.names)
    found = _climbed(design, family, name, box, prior)
    separated = separation(design, family, found) if prior is None and not found.solution.held else None
    lost = np.zeros(design.k, dtype=bool)
    if separated is not None:
        lost[separated.positions] = True
    eta = design.linear_predictor(np.nan_to_num(found.params))
    fitted = fitness(model, design, eta, model.n_obs - found.solution.rank)
    if family.dispersed and fitted.pearson == 0:
        # What is left of the gradient is rounding, and so is the dispersion by which it would be judged.
        model, found = replace(model, perfect=True), replace(found, converged=True, decrement=0.0)
    edge = int(family.at_edge(eta).sum()) if separated is None else 0
    free = moved_to_offset(design, found.solution.held)
    for message in _warnings(problem, model, found, separated, edge):
        warnings.warn(message, stacklevel=depth)
    moments = glm_moments(found.solution, model, fitted.scale, lost, problem.recipe, rows, call, design)
    return GlmFit(
        recipe=problem.recipe,
        coefficients=found.params,
        covariance=estimate(estimator, moments, use_t),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=as_kept(rows.offset),
        exposure=as_kept(rows.exposure),
        null_space=found.solution.null_space,
        notes=(
            *design_notes(problem, found.solution),
            *_notes(model, design, name),
            *bound_notes(design.names, box, found.solution.held),
            *_prior_notes(prior, found, fitted.llf),
            *_separation_notes(design.names, separated),
        ),
        solution=found.solution,
        model=model,
        fitness=fitted,
        null_fitness=constant_fitness(model, free, null_predictor(family, free, name), fitted),
        climbed=Climbed(METHODS[prior], found.iterations, found.decrement, found.converged and not edge),
        lost=lost,
        restraint="bounds" if bounds is not None else "" if prior is None else "prior",
    )


def _climbed(design: Design, family: GeneralizedFamily, name: str, box: Box | None, prior: str | None) -> Scored:
    start = partial(first_predictor, family=family, name=name)
    if box is not None:
        return bounded_scored(design, family, start, box)
    return scored(design, family, start) if prior is None else jeffreys(design, family, start)


def _warnings(
    problem: Problem, model: GlmModel, found: Scored, separated: Separation | None, edge: int
) -> Iterator[FormulaTorchWarning]:
    """Say what was lost, that the maximum was not reached, or that there is none."""
    # Next to no weight at the end, as of separated rows, or a very large one, makes columns look dependent.
    solution = replace(found.solution, condition=1.0) if separated is not None or edge else found.solution
    # Where the dispersion is known, errors need no degrees of freedom.
    yield from fit_warnings(problem, solution, model.n_obs if model.family.dispersed else math.inf)
    if separated is not None:
        yield from separation_warnings(problem, separated, curable=not model.family.dispersed)
    elif edge:
        yield edge_warning(model.family, edge)
    elif not found.converged:
        yield convergence_warning(found.decrement)


def _prior_notes(prior: str | None, found: Scored, llf: float) -> list[str]:
    if prior is None:
        return []
    penalised = llf + jeffreys_penalty(found.solution.coordinates)
    return [
        f"With Jeffreys' prior (Firth 1993) the penalised log-likelihood is {penalised:.6g}; errors are from the "
        "expected information at the estimate."
    ]


def _separation_notes(names: tuple[str, ...], found: Separation | None) -> list[str]:
    if found is None:
        return []
    shown = ", ".join(f"`{names[j]}`" for j in found.positions[:6])
    more = f" and {len(found.positions) - 6} others" if len(found.positions) > 6 else ""
    return [f"Estimates of {shown}{more} are infinite; the numbers shown are where the climb ended."]


def _check_response(family: GeneralizedFamily, design: Design, name: str) -> None:
    assert design.y is not None
    if message := family.distribution.refuse(design.y):
        raise DataError(f"`{name}` {message}")


def _notes(model: GlmModel, design: Design, name: str) -> list[str]:
    assert design.y is not None
    doubt = model.family.distribution.doubt(design.y)
    notes = [f"`{name}` {doubt}"] if doubt else []
    return [*notes, PERFECT] if model.perfect else notes


def null_predictor(family: GeneralizedFamily, design: Design, name: str) -> Tensor:
    """Linear predictor of a constant alone, and the offset, shape (n,), or (1,) without an offset.

    Parameters
    ----------
    family : GeneralizedFamily
    design : Design
        With response, weights and offset.
    name : str
        Of the response.
    """
    assert design.y is not None
    if design.offset is None:
        # The mean of exponential families is that of the response, whatever the link.
        w = design.weights
        centre = design.y.mean() if w is None else (w * design.y).sum() / w.sum()
        return family.link.link(centre)[None]
    constant = constant_alone(design)
    params = scored(constant, family, partial(first_predictor, family=family, name=name)).params
    return constant.linear_predictor(params)
