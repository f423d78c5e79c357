"""From rows to the result: units, the search, parameters under their names."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.formula.learn import Problem
from formula_torch.inference.vcov import estimate
from formula_torch.models.linear import LinearModel
from formula_torch.models.mixture import Mixture
from formula_torch.models.mixture.compress import UnitRows, compressed
from formula_torch.present.messages import fit_notes, fit_warnings
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory import Specification, TrajectoryFit, UnitTable
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.solvers.multistart import Found
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.membership import Membership, membership_of
from formula_torch.trajectories.parameters import Columns, Parameters, mean_shares, unit_moments
from formula_torch.trajectories.searching import in_order, mixture_of, searched
from formula_torch.trajectories.unit_rows import UnitsOfRows, sorted_rows
from formula_torch.trajectories.verdict import search_report, warn_of

__all__ = ["fitted"]

# Frames from here to the user's, whom warnings are to name.
DEPTH = 5


@dataclass(frozen=True, eq=False)
class Prepared:
    """Units as a mixture sees them, and the way back to the formula's parameters."""

    units: UnitsOfRows
    membership: Membership
    rows: UnitRows
    mixture: Mixture
    profile: Tensor
    parameters: Parameters
    notes: tuple[str, ...]


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
    found = searched(asked, prepared.mixture, prepared.rows, prepared.profile)
    theta = in_order(asked, prepared.mixture, found.theta)
    return _result(asked, problem, rows, call, prepared, found, theta)


def _prepared(asked: Asked, problem: Problem, rows: Rows) -> Prepared:
    design, y = problem.design, problem.design.y
    assert y is not None
    asked.family.check(y, problem.recipe.response_name)
    pooled = least_squares(replace(design, offset=None))
    for message in fit_warnings(problem, pooled, LinearModel.of(design, "analytic")):
        warnings.warn(message, stacklevel=DEPTH)
    units = UnitsOfRows.of(problem, rows)
    _refuse(asked, problem, pooled, units)
    membership = membership_of(asked.membership, rows, units, asked.functions)
    columns = _columns(asked, problem, pooled)
    shift = 0.0 if design.constant is None else float(columns.shift[design.constant])
    unit_rows = sorted_rows(design, y - shift, pooled.coordinates, units)
    statistics, profile = compressed(unit_rows, asked.family, units.weights, membership.z)
    kept = np.ones((asked.groups, design.k), dtype=bool)
    parameters = Parameters(columns, membership.columns, kept, asked.sigmas, asked.reference)
    notes = tuple(fit_notes(problem, pooled, LinearModel.of(design, "analytic")))
    return Prepared(units, membership, unit_rows, mixture_of(asked, statistics), profile, parameters, notes)


def _refuse(asked: Asked, problem: Problem, pooled: LeastSquares, units: UnitsOfRows) -> None:
    """Raise where no maximum is to be had."""
    if asked.groups > units.count:
        raise DataError(f"groups={asked.groups}, and the rows used have {units.count} units.")
    if asked.family.dispersed and (pooled.constant_response or pooled.perfect):
        raise DataError(
            f"`{problem.recipe.response_name}` does not vary about one curve: the likelihood has no maximum."
        )


def _columns(asked: Asked, problem: Problem, pooled: LeastSquares) -> Columns:
    """The formula's columns from orthonormal ones of unit size, and the mean of a normal response."""
    design, y = problem.design, problem.design.y
    shift = np.zeros(design.k)
    if asked.family.dispersed and design.constant is not None and y is not None:
        shift[design.constant] = float(y.mean())
    return Columns(problem.recipe.column_names, pooled.coordinates.lift * math.sqrt(design.n_rows), shift)


def _result(
    asked: Asked, problem: Problem, rows: Rows, call: Call, prepared: Prepared, found: Found, theta: Tensor
) -> TrajectoryFit:
    mixture, parameters, units = prepared.mixture, prepared.parameters, prepared.units
    at = mixture(theta[None])
    values = parameters.values(theta)
    shares, slopes = mean_shares(mixture, at, parameters)
    moments = unit_moments(mixture, theta, parameters.jacobian(theta), units, prepared.profile, rows, call)
    posterior = pd.DataFrame(
        at.posterior[0][:, prepared.profile].mT.numpy(),
        index=units.index,
        columns=pd.RangeIndex(1, asked.groups + 1, name="group"),
    )
    warn_of(asked, found, posterior, units, float(at.predictor.abs().max()))
    spec = Specification(
        family=asked.family,
        groups=asked.groups,
        layout=parameters.layout,
        dispersion=asked.dispersion,
        unit=units.name,
        membership=prepared.membership.recipe,
        exposure=_argument(rows.exposure),
    )
    return TrajectoryFit(
        recipe=problem.recipe,
        coefficients=values,
        covariance=estimate(asked.estimator, moments),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=_argument(rows.offset),
        null_space=np.zeros((0, len(values))),
        notes=prepared.notes,
        spec=spec,
        llf=float(at.value[0]),
        penalised=float(at.value[0]),
        n_units=float(units.weights.sum()),
        n_rows=float((mixture.units.rows * mixture.units.weights).sum()),
        units=UnitTable(posterior, units.weights.numpy()),
        share_values=shares,
        share_jacobian=slopes,
        search=search_report(found, asked.seed),
        information=moments,
        resampler=None,
    )


def _argument(given: object) -> str | bool | None:
    """A row argument as a result remembers it: a column's name, True for an array."""
    return given if given is None or isinstance(given, str) else True
