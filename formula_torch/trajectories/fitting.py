"""From rows to the result: units, the search, parameters under their names."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.errors import DataError, InferenceWarning
from formula_torch.families import Family, check_support
from formula_torch.formula.learn import Problem
from formula_torch.inference.classification import Classification
from formula_torch.inference.progress import progress_bar
from formula_torch.inference.vcov import estimate
from formula_torch.models.linear import LinearModel
from formula_torch.models.mixture import Mixture
from formula_torch.models.mixture.compress import UnitRows, compressed
from formula_torch.models.mixture.units import Units
from formula_torch.present.messages import fit_notes, fit_warnings
from formula_torch.result.call import Call
from formula_torch.result.new_rows import as_kept
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory import Specification, TrajectoryFit, UnitTable
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.solvers.multistart import Found
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.constraints import Constraints
from formula_torch.trajectories.degrees import column_degrees, kept_columns
from formula_torch.trajectories.membership import Membership, membership_of
from formula_torch.trajectories.parameters import Columns, Parameters, mean_shares, unit_moments
from formula_torch.trajectories.refit import UnitRefit
from formula_torch.trajectories.searching import (
    Starts,
    least_sigma,
    mixture_of,
    order_of,
    pooled_start,
    searched,
    unit_features,
)
from formula_torch.trajectories.start_values import given_starts
from formula_torch.trajectories.unit_rows import UnitsOfRows, sorted_rows
from formula_torch.trajectories.verdict import labels_note, search_report, warn_of

__all__ = ["fitted"]

# Frames from here to the user's, whom warnings are to name.
DEPTH = 4
# A sigma of this share of the spread of the response is what rounding leaves.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Prepared:
    """Units as a mixture sees them, and the way back to the formula's parameters."""

    units: UnitsOfRows
    membership: Membership
    rows: UnitRows
    statistics: Units
    profile: Tensor
    parameters: Parameters
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Solved:
    """The maximum in its final order.

    Parameters
    ----------
    mixture : Mixture
    theta : Tensor, shape (K, D)
    parameters : Parameters
    found : Found
    fixed : mapping
        Values that constraints give to parameters, by position.
    kept_labels : bool
        Whether constraints name groups, which then keep their numbers.
    """

    mixture: Mixture
    theta: Tensor
    parameters: Parameters
    found: Found
    fixed: Mapping[int, float]
    kept_labels: bool


def fitted(asked: Asked, problem: Problem, rows: Rows, call: Call) -> TrajectoryFit:
    """Find the maximum, and wrap it in a result.

    Parameters
    ----------
    asked : Asked
    problem : Problem
    rows : Rows
    call : Call
    """
    prepared = _prepared(asked, problem, rows)
    return _result(asked, problem, rows, call, prepared, _solved(asked, prepared))


def _prepared(asked: Asked, problem: Problem, rows: Rows) -> Prepared:
    design, y = problem.design, problem.design.y
    assert y is not None
    check_support(asked.family, y, problem.recipe.response_name)
    if doubt := asked.family.doubt(y):
        warnings.warn(f"`{problem.recipe.response_name}` {doubt}", InferenceWarning, stacklevel=DEPTH)
    pooled = least_squares(replace(design, offset=None))
    for message in fit_warnings(problem, pooled, LinearModel.of(design, "analytic").n_obs):
        warnings.warn(message, stacklevel=DEPTH)
    units = UnitsOfRows.of(problem, rows)
    _refuse(asked, problem, pooled, units)
    membership = membership_of(asked.membership, rows, units, asked.functions)
    columns = _columns(asked, problem, pooled)
    shift = 0.0 if design.constant is None else float(columns.shift[design.constant])
    unit_rows = sorted_rows(design, y - shift, pooled.coordinates, units)
    statistics, profile = compressed(unit_rows, asked.family, units.weights, membership.z)
    kept = kept_columns(problem.recipe, asked.groups, asked.degrees)
    parameters = Parameters(columns, membership.columns, kept, asked.sigmas, asked.reference)
    notes = tuple(fit_notes(problem, pooled, LinearModel.of(design, "analytic").n_obs))
    return Prepared(units, membership, unit_rows, statistics, profile, parameters, notes)


def _refuse(asked: Asked, problem: Problem, pooled: LeastSquares, units: UnitsOfRows) -> None:
    """Raise where no maximum is to be had."""
    if asked.groups > units.count:
        raise DataError(f"groups={asked.groups}, and the rows used have {units.count} units.")
    if isinstance(asked.family, Family) and asked.family.dispersed and (pooled.constant_response or pooled.perfect):
        raise DataError(
            f"`{problem.recipe.response_name}` does not vary about one curve: the likelihood has no maximum."
        )


def _columns(asked: Asked, problem: Problem, pooled: LeastSquares) -> Columns:
    """The formula's columns from orthonormal ones of unit size, and the mean of a normal response."""
    design, y = problem.design, problem.design.y
    shift = np.zeros(design.k)
    linear = isinstance(asked.family, Family) and asked.family.dispersed
    if linear and design.constant is not None and y is not None:
        shift[design.constant] = float(y.mean())
    return Columns(problem.recipe.column_names, pooled.coordinates.lift * math.sqrt(design.n_rows), shift)


def _solved(asked: Asked, prepared: Prepared) -> Solved:
    """Search, and number the groups."""
    parameters, common = prepared.parameters, asked.dispersion == "common"
    plain = Constraints.of(replace(parameters, kept=np.ones_like(parameters.kept)), common=common)
    special = bool(asked.constraints) or not parameters.kept.all()
    constraints = Constraints.of(parameters, asked.constraints, common=common) if special else plain
    generator = torch.Generator().manual_seed(asked.seed)
    with progress_bar(None, f"{asked.groups} groups", asked.progress, " steps") as advance:
        tick = partial(advance, 1)
        pooled = pooled_start(asked, prepared.statistics, tick)
        least = least_sigma(asked, pooled, prepared.statistics.p)
        mixture = mixture_of(asked, prepared.statistics, constraints.free, asked.groups, least)
        given = given_starts(asked.start, parameters, mixture, pooled, generator)
        features = partial(unit_features, asked, mixture.units.n, prepared.rows, prepared.profile)
        starts = Starts(pooled, features, given)
        found = searched(asked, mixture, constraints, plain, starts, generator, tick)
    if not math.isfinite(found.value):
        raise DataError(_nowhere(asked, collapsed=bool(mixture.collapsed(found.ends).any())))
    order = order_of(asked, mixture, found.theta)
    wanted, order = order, constraints.best_order(order) if asked.constraints else order
    theta = found.theta[order].clone()
    theta[:, mixture.q :] -= theta[0, mixture.q :].clone()
    parameters = replace(parameters, kept=parameters.kept[order])
    if special:
        constraints = Constraints.of(parameters, asked.constraints, common=common)
        mixture = replace(mixture, free=constraints.free)
    return Solved(mixture, theta, parameters, found, constraints.fixed, kept_labels=order != wanted)


def _nowhere(asked: Asked, *, collapsed: bool) -> str:
    """Why no start reached a maximum."""
    if collapsed:
        common = "" if asked.sigmas == 1 else "dispersion='common', "
        return (
            f"every start ended where a sigma goes to zero and the likelihood has no bound: {asked.groups} groups are "
            f"too many for these data. Use {common}prior='weak', or fewer groups."
        )
    return "the likelihood was not finite from any start; rescale the columns, or try other start= values."


def _result(
    asked: Asked, problem: Problem, rows: Rows, call: Call, prepared: Prepared, solved: Solved
) -> TrajectoryFit:
    mixture, parameters, units = solved.mixture, solved.parameters, prepared.units
    theta, found = solved.theta, solved.found
    at = mixture(theta[None])
    values = parameters.values(theta)
    for position, value in solved.fixed.items():
        values[position] = value
    _refuse_flat(problem, parameters, values)
    shares, slopes = mean_shares(mixture, at, parameters)
    moments = unit_moments(mixture, theta, parameters.jacobian(theta), units, prepared.profile, rows, call)
    posterior = pd.DataFrame(
        at.posterior[0][:, prepared.profile].mT.numpy(),
        index=units.index,
        columns=pd.RangeIndex(1, asked.groups + 1, name="group"),
    )
    fit = TrajectoryFit(
        recipe=problem.recipe,
        coefficients=values,
        covariance=estimate(asked.estimator, moments),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=as_kept(rows.offset),
        null_space=np.zeros((0, len(values))),
        notes=(*prepared.notes, *labels_note(asked, kept_labels=solved.kept_labels)),
        spec=_specification(asked, problem, rows, prepared, parameters),
        llf=float(at.value[0]),
        penalised=float(at.value[0] + at.penalty[0]),
        n_units=float(units.weights.sum()),
        n_rows=float((mixture.units.rows * mixture.units.weights).sum()),
        units=UnitTable(posterior, units.weights.numpy()),
        share_values=shares,
        share_jacobian=slopes,
        classification=Classification.of(posterior.to_numpy(), units.weights.numpy(), shares),
        search=search_report(asked, found, mixture),
        information=moments,
        resampler=UnitRefit(mixture, theta, parameters, prepared.profile, units.weights, moments),
    )
    warn_of(asked, found, fit)
    return fit


def _specification(
    asked: Asked, problem: Problem, rows: Rows, prepared: Prepared, parameters: Parameters
) -> Specification:
    """The model, without its data."""
    return Specification(
        family=asked.family,
        groups=asked.groups,
        layout=parameters.layout,
        dispersion=asked.dispersion,
        unit=prepared.units.name,
        membership=prepared.membership.recipe,
        exposure=as_kept(rows.exposure),
        degrees=None if asked.degrees is None else _degrees_of(problem, parameters),
        constraints=asked.constraints,
        prior=asked.prior,
    )


def _refuse_flat(problem: Problem, parameters: Parameters, values: np.ndarray) -> None:
    """Raise where the curves leave nothing but rounding, and the likelihood has no maximum."""
    y = problem.design.y
    if y is None or not parameters.sigmas:
        return
    sigma = float(values[parameters.layout.sigma].max())
    if sigma < ROUNDING * float(y.std()):
        raise DataError(
            f"`{problem.recipe.response_name}` does not vary about {parameters.groups} curves (sigma is {sigma:.1g}): "
            "the likelihood has no maximum, and no model is needed."
        )


def _degrees_of(problem: Problem, parameters: Parameters) -> tuple[int, ...]:
    own = column_degrees(problem.recipe)
    return tuple(int(own[kept].max()) for kept in parameters.kept)
