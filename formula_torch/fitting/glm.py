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
from formula_torch.families.support import doubt_successes
from formula_torch.fitting.descent import Descending, moved, with_trace
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
    offset_trouble,
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
from formula_torch.solvers.held import freed, moved_to_offset, spread
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
    descending: Descending | None = None,
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
    descending : Descending, optional
        How to reach the coefficients, in place of Fisher's scoring.
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
    sought = prior is None and (descending is None or not descending.restraint)
    separated = _separation(design, family, found) if sought else None
    lost = np.zeros(design.k, dtype=bool)
    receding = np.zeros((0, design.k)) if separated is None else separated.basis
    if separated is not None:
        lost[separated.positions] = True
    exact, trace = found.params, None
    if descending is not None:
        params, trace = descending.run(design, family, found.solution)
        found = replace(found, params=params, solution=moved(found.solution, params))
    eta = design.linear_predictor(np.nan_to_num(found.params))
    fitted = fitness(model, design, eta, model.n_obs - found.solution.rank)
    if family.dispersed and fitted.pearson == 0:
        # What is left of the gradient is rounding, and so is the dispersion by which it would be judged.
        model, found = replace(model, perfect=True), replace(found, converged=True, decrement=0.0)
    edge = int(family.at_edge(eta).sum()) if separated is None else 0
    free = moved_to_offset(design, found.solution.held)
    for message in _warnings(problem, model, found, separated, edge):
        warnings.warn(message, stacklevel=depth)
    moments = glm_moments(found.solution, model, fitted.scale, lost, problem.recipe, rows, call, design, receding)
    result = GlmFit(
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
        receding=receding,
        restraint=_restraint(bounds, prior, descending),
    )
    if descending is None or trace is None:
        return result
    climbed = Climbed(descending.method.name, trace.epochs, math.nan, trace.converged)
    return with_trace(replace(result, climbed=climbed), trace, exact, descending.method, depth + 1)


def _restraint(bounds: Mapping[str, Any] | None, prior: str | None, descending: Descending | None) -> str:
    if bounds is not None:
        return "bounds"
    if prior is not None:
        return "prior"
    return "" if descending is None else descending.restraint


def _climbed(design: Design, family: GeneralizedFamily, name: str, box: Box | None, prior: str | None) -> Scored:
    start = partial(first_predictor, family=family, name=name)
    try:
        if box is not None:
            return bounded_scored(design, family, start, box)
        if prior is not None:
            return jeffreys(design, family, partial(_within, family=family))
        return scored(design, family, start)
    except DataError:
        # What is wrong with the response is said first.
        start(design)
        if cause := offset_trouble(family, design.offset):
            raise DataError(f"no maximum of the likelihood was found. {cause}") from None
        raise


def _within(design: Design, family: GeneralizedFamily) -> Tensor:
    """Linear predictor to begin from where a prior keeps means from the ends of their range, shape (n,).

    Of counts that are all zero the mean is half an event, as Jeffreys' prior has it of a constant.
    """
    assert design.y is not None
    return family.link.link(family.distribution.begin(design.y, design.y.mean() + 0.5))


def _separation(design: Design, family: GeneralizedFamily, found: Scored) -> Separation | None:
    """Look for infinite estimates among the columns that no bound holds."""
    held = found.solution.held
    if not held:
        return separation(design, family, found)
    free = [j for j in range(design.k) if j not in held]
    solution = freed(found.solution)
    found = replace(found, params=solution.params, solution=solution, last_step=found.last_step[free])
    seen = separation(moved_to_offset(design, held), family, found)
    if seen is None:
        return None
    groups = tuple(replace(g, positions=[free[j] for j in g.positions]) for g in seen.groups)
    basis = np.array([spread(d, design.k, dict.fromkeys(held, 0.0)) for d in seen.basis])
    return replace(seen, positions=[free[j] for j in seen.positions], basis=basis, groups=groups)


def _warnings(
    problem: Problem, model: GlmModel, found: Scored, separated: Separation | None, edge: int
) -> Iterator[FormulaTorchWarning]:
    """Say what was lost, that the maximum was not reached, or that there is none."""
    # Next to no weight at the end, as of separated rows, or a very large one, makes columns look dependent.
    solution = replace(found.solution, condition=1.0) if separated is not None or edge else found.solution
    cause = "" if found.converged else offset_trouble(model.family, problem.design.offset)
    if cause:
        solution = replace(solution, condition=1.0, dependent={})
    # Where the dispersion is known, errors need no degrees of freedom.
    yield from fit_warnings(problem, solution, model.n_obs if model.family.dispersed else math.inf)
    if separated is not None:
        yield from separation_warnings(problem, separated, curable=not (model.family.dispersed or solution.held))
    elif edge:
        yield edge_warning(model.family, edge)
    elif not found.converged:
        yield convergence_warning(found.decrement, cause)


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
    distribution = model.family.distribution
    doubt = distribution.doubt(design.y)
    if distribution.of_shares and not model.family.dispersed:
        doubt = doubt_successes(design.y, design.weights if model.weights_type == "analytic" else None)
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
    w = design.weights
    centre = family.link.link(design.y.mean() if w is None else (w * design.y).sum() / w.sum())
    # The mean of exponential families is that of the response, whatever the link; at an end of its range whatever
    # the offset.
    if design.offset is None or centre.isinf():
        return centre[None]
    constant = constant_alone(design)
    params = scored(constant, family, partial(first_predictor, family=family, name=name)).params
    return constant.linear_predictor(params)
