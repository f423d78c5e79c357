"""Models of several linear predictors: from formulas that have met their data to a result."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from formula_torch.design import Coordinates, Design
from formula_torch.design.auxiliary import constant_alone
from formula_torch.errors import DataError, FormulaError
from formula_torch.families.several import SeveralFamily
from formula_torch.formula.learn import Problem
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import estimate
from formula_torch.numerics.threads import threads_for
from formula_torch.present.messages import design_notes
from formula_torch.present.several import several_notes, several_warnings
from formula_torch.result.call import Call
from formula_torch.result.new_rows import as_kept
from formula_torch.result.rows import Rows
from formula_torch.result.several import SeveralFit
from formula_torch.result.several.base import Ascent
from formula_torch.result.several.blueprint import Blueprint
from formula_torch.result.several.layout import Layout, layout_of, sizes_of
from formula_torch.result.several.maximum import CONVERGED, Maximum, at_limit, maximum, parameters_at, unit_of
from formula_torch.result.several.moments import Determined, determined, several_moments
from formula_torch.solvers.least_squares import LeastSquares, least_squares

__all__ = ["solve_several"]


def solve_several(
    problem: Problem,
    rows: Rows,
    call: Call,
    estimator: Estimator,
    family: SeveralFamily,
    *,
    further: Mapping[str, Problem] | None = None,
    use_t: bool | None = None,
    weights_type: str = "analytic",
    depth: int = 3,
) -> SeveralFit:
    """Fit a model of several predictors by maximum likelihood, and warn of what the user must know.

    Parameters
    ----------
    problem : Problem
    rows : Rows
    call : Call
    estimator : Estimator
        Of the covariance.
    family : SeveralFamily
    further : dict, optional
        Predictor to the formula of its own, learned on the same rows.
    use_t : bool, optional
    weights_type : {"analytic", "frequency", "sampling"}
        Either multiplies the log-likelihood of a row; frequencies count rows besides.
    depth : int
        Frames from here to the user's, whom warnings are to name.

    Raises
    ------
    DataError
        The response is none of the family.
    FormulaError
        The family has no place for an offset, for a formula, or for the lack of a constant.
    """
    problems = {"": problem, **(further or {})}
    family = family.of_levels(tuple(str(level) for level in problem.recipe.response_levels))
    _check_parts(family, problems)
    device = torch.device(call.device)
    solved = _solved(family, problems, {key: p.design.to(device) for key, p in problems.items()})
    counted = weights_type == "frequency" and solved.main.weights is not None
    moments = several_moments(
        solved.found.blueprint,
        solved.found.top,
        solved.known,
        {key: p.recipe for key, p in problems.items()},
        rows,
        call,
        n_obs=solved.blueprint.total if counted else float(solved.main.n_rows),
        n_params=float(solved.n_params),
        counted=counted,
    )
    ascent, limit = solved.ascent, solved.found.blueprint.family
    for warning in several_warnings(problems, solved.solutions, limit, solved.layout, solved.known.lost, ascent):
        warnings.warn(warning, stacklevel=depth)
    null_spaces = {key: solution.null_space for key, solution in solved.solutions.items()}
    y = solved.main.y
    assert y is not None
    return SeveralFit(
        recipe=problem.recipe,
        coefficients=solved.params,
        covariance=estimate(estimator, moments, use_t),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=as_kept(rows.offset),
        exposure=as_kept(rows.exposure),
        null_space=_null_space(solved.layout, family, null_spaces),
        notes=(
            *design_notes(problem, solved.solutions[""]),
            *several_notes(problem, family, y, solved.layout, ascent),
        ),
        family=family,
        limit=limit,
        blueprint=solved.blueprint,
        theta=solved.found.top.theta,
        layout=solved.layout,
        further={key: p.recipe for key, p in problems.items() if key},
        null_spaces=null_spaces,
        information=moments,
        llf=solved.found.top.value,
        llnull=solved.null.top.value,
        n_obs=moments.n_obs,
        n_params=solved.n_params,
        null_params=len(family.predictors) - int(family.cutpoints),
        weights_type=None if solved.main.weights is None else weights_type,
        largest=float(y.max()),
        ascent=ascent,
    )


def _check_parts(family: SeveralFamily, problems: Mapping[str, Problem]) -> None:
    own = [p.name for p in family.predictors if p.takes == "own"]
    if unknown := [key for key in problems if key and key not in own]:
        raise FormulaError(
            f"family={family.name!r} has no formula for {', '.join(unknown)}; "
            + (f"it has for {', '.join(own)}." if own else "it has the one of the mean.")
        )
    main, text = problems[""].design, problems[""].recipe.formula.text
    if family.cutpoints and main.constant != 0:
        raise FormulaError(f"{text!r} has no intercept, whose place the cutpoints take; leave out - 1.")
    taking = sum(p.takes == "main" for p in family.predictors)
    if taking > 1 and main.offset is not None:
        raise FormulaError(f"family={family.name!r} has {taking} linear predictors of its formula, and no offset.")


def _without_response(design: Design, main: Design) -> Design:
    """A design whose least squares find the coordinates of its columns, under the weights of the model."""
    return replace(design, y=main.empty(main.n_rows).zero_(), offset=None, weights=main.weights)


# -- the maximum ----------------------------------------------------------------------------------


def _null(family: SeveralFamily, main: Design, total: float) -> Maximum:
    """Fit constants alone, and the offset."""
    constant = constant_alone(main)
    coordinates: dict[str, Coordinates] = {"": least_squares(_without_response(constant, main)).coordinates}
    return maximum(Blueprint(family, coordinates, total), {"": constant})


# -- the solution ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Solved:
    """A model at its maximum, with its parameters and what is known of them."""

    blueprint: Blueprint
    main: Design
    layout: Layout
    solutions: Mapping[str, LeastSquares]
    found: Maximum
    null: Maximum
    params: np.ndarray
    jacobian: np.ndarray
    known: Determined

    @property
    def n_params(self) -> int:
        """Parameters that are not aliased; one at its boundary counts."""
        there = at_limit(self.layout, self.blueprint.family, self.found.blueprint.family)
        aliased = np.isnan(self.jacobian).any(axis=1) & ~there
        return self.layout.size - int(aliased.sum())

    @property
    def ascent(self) -> Ascent:
        """How the maximum was reached."""
        top, there = self.found.top, self.found.blueprint.family.predictors
        converged = math.isfinite(top.value) and top.decrement < CONVERGED
        limits = tuple(p for p in self.blueprint.family.predictors if p not in there)
        return Ascent(self.found.iterations, top.decrement, converged, limits)


def _solved(family: SeveralFamily, problems: Mapping[str, Problem], designs: Mapping[str, Design]) -> _Solved:
    """Find the maximum, that of constants alone, and the parameters.

    Raises
    ------
    DataError
        The response is none of the family.
    """
    main = designs[""]
    assert main.y is not None
    if message := family.refuse(main.y):
        raise DataError(f"`{problems[''].recipe.response_name}` {message}")
    total = float(main.n_rows) if main.weights is None else float(main.weights.sum())
    layout = layout_of(family, {key: p.design.names for key, p in problems.items()}, main.constant)
    # On its way a climb may leave the range of numbers, and comes back.
    with threads_for(float(main.n_rows) * main.k**2), np.errstate(all="ignore"):
        solutions = {key: least_squares(_without_response(design, main)) for key, design in designs.items()}
        coordinates = {key: solution.coordinates for key, solution in solutions.items()}
        blueprint = Blueprint(family, coordinates, total)
        unit = unit_of(blueprint, designs)
        found, null = (
            replace(m, top=m.top.times(unit)) for m in (maximum(blueprint, designs), _null(family, main, total))
        )
        params, jacobian = parameters_at(layout, family, found.model, found.top.theta)
        sizes = sizes_of(layout, found.blueprint.family, found.model.stacked, params, found.top.information / total)
        known = determined(found.top, jacobian, unit, sizes)
    return _Solved(blueprint, main, layout, solutions, found, null, params, jacobian, known)


def _null_space(layout: Layout, family: SeveralFamily, of_columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Combinations of parameters that are zero on the data, shape (aliased, P)."""
    found = [np.zeros((0, layout.size))]
    for predictor in family.predictors:
        key = "" if predictor.takes == "main" else predictor.name
        if key in of_columns:
            found.append(layout.spread(of_columns[key], predictor.name))
    return np.concatenate(found)
