"""The call: read the data, search, and wrap the answer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.errors import DataError, FormulaError, check_known
from formula_torch.families import Family, resolve_family
from formula_torch.formula.dialect import parse
from formula_torch.formula.learn import learn
from formula_torch.inference.covariance import UnitSandwich
from formula_torch.inference.vcov import estimate, resolve_vcov
from formula_torch.models.compress import compressed
from formula_torch.models.linear import LinearModel
from formula_torch.models.mixture import Mixture
from formula_torch.numerics.arrays import threads_for
from formula_torch.present.messages import fit_notes, fit_warnings
from formula_torch.result.call import Call, table_reference
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.solvers.least_squares import least_squares
from formula_torch.solvers.multistart import Found
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.parameters import Parameters, unit_moments
from formula_torch.trajectories.searching import by_share, mixture_of, searched
from formula_torch.trajectories.unit_rows import UnitsOfRows, sorted_rows
from formula_torch.trajectories.verdict import search_report, warn_of

__all__ = ["traj"]

DISPERSIONS = ("common", "group")


def traj(
    formula: str,
    data: Any,
    *,
    groups: int,
    family: Family | str = "gaussian",
    dispersion: str = "common",
    weights: str | None = None,
    offset: Any = None,
    vcov: Any = "iid",
    starts: int = 20,
    na_action: str = "drop",
    subset: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    seed: int = 0,
) -> TrajectoryFit:
    """Fit a group-based trajectory model: a finite mixture over units observed repeatedly.

    Maximises sum_u w_u log sum_g pi_g prod_r f(y_r | x_r'beta_g, sigma) over all parameters (Nagin 2005), from many
    starts by EM and Newton, and then from neighbours of the best; errors are from the exact observed information.

    Parameters
    ----------
    formula : str
        ``"y ~ poly(t, 2) | id"``: the response, its curve, and the column that tells units apart. Without ``| id``
        every row is a unit (a mixture of regressions).
    data : table
        Long: a row for each observation of each unit, at any times, as many as there are.
    groups : int
    family : {"gaussian", "poisson", "logit"}
    dispersion : {"common", "group"}
        One sigma, or one for each group (of the normal).
    weights : str, optional
        Column of unit weights: how many units each one stands for; constant within a unit.
    offset : str or array of shape (n,), optional
        Added to the linear predictor of every group; also ``offset(...)`` in the formula.
    vcov : str, dict or estimator
        ``"iid"``: observed information. ``"robust"``: sandwich by unit times n / (n - 1). Or clusters, which units
        must not cross.
    starts : int
    na_action, subset, functions
        As in ``fit``.
    seed : int
        Of the starts: the same seed gives the same result.

    Returns
    -------
    TrajectoryFit

    Raises
    ------
    FormulaError, DataError
        Name the term or column, and the rows.
    ValueError
        An option is not known.

    Warns
    -----
    InferenceWarning
        The best value was reached by one start only, a group is tiny, or parameters are not identified.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2)
    >>> fit.n_groups, fit.search.starts
    (2, 20)
    """
    check_known("dispersion", dispersion, DISPERSIONS)
    kind = resolve_family(family)
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)) or groups < 1:
        raise ValueError(f"groups={groups!r} must be a whole number, 1 or more.")
    if starts < 1:
        raise ValueError(f"starts={starts!r} must be 1 or more.")
    if not isinstance(seed, (int, np.integer)):
        raise ValueError(f"seed={seed!r} must be a whole number.")
    estimator = resolve_vcov(vcov, UnitSandwich())
    held = [*estimator.columns, *_second(formula), *([] if weights is None else [weights])]
    problem = learn(formula, data, offset=offset, subset=subset, na_action=na_action, functions=functions, hold=held)
    options = {
        "groups": groups,
        "family": family,
        "dispersion": dispersion,
        "weights": weights,
        "offset": offset,
        "vcov": vcov,
        "starts": starts,
        "na_action": na_action,
        "subset": subset,
        "functions": functions,
        "seed": seed,
    }
    call = Call(f"traj({formula!r}, groups={groups})", "torch", "cpu", partial(traj, **options), table_reference(data))
    rows = Rows.of(problem, None, offset)
    with threads_for(0.0):
        return _fitted(Asked(problem, kind, groups, dispersion, weights, starts, seed, estimator), rows, call)


def _second(formula: str) -> tuple[str, ...]:
    """The column after ``|``, or none."""
    from_text = parse(formula).second if isinstance(formula, str) else ()
    if len(from_text) > 1:
        raise FormulaError(f"{formula!r} names several columns after `|`; one tells the units apart.")
    return from_text


def _fitted(asked: Asked, rows: Rows, call: Call) -> TrajectoryFit:
    problem = asked.problem
    design, y = problem.design, problem.design.y
    assert y is not None
    asked.family.check(y, problem.recipe.response_name)
    pooled = least_squares(replace(design, offset=None))
    for message in fit_warnings(problem, pooled, LinearModel.of(design, "analytic")):
        warnings.warn(message, stacklevel=4)
    units = UnitsOfRows.of(problem, rows, asked.weights)
    if asked.groups > units.count:
        raise DataError(f"groups={asked.groups}, and the rows used have {units.count} units.")
    if asked.family.dispersed and (pooled.constant_response or pooled.perfect):
        raise DataError(
            f"`{problem.recipe.response_name}` does not vary about one curve: the likelihood has no maximum."
        )
    shift = float(y.mean()) if asked.family.dispersed and design.constant is not None else 0.0
    unit_rows = sorted_rows(design, y - shift, pooled.coordinates, units)
    statistics, profile = compressed(
        unit_rows, asked.family, units.weights, torch.ones(1, units.count, dtype=torch.float64)
    )
    mixture = mixture_of(asked, statistics)
    found = searched(asked, mixture, unit_rows, profile)
    theta = by_share(mixture, found.theta)
    return _result(asked, rows, call, mixture, theta, found, Parameters(pooled, problem, shift), units, profile)


def _result(
    asked: Asked,
    rows: Rows,
    call: Call,
    mixture: Mixture,
    theta: Tensor,
    found: Found,
    basis: Parameters,
    units: UnitsOfRows,
    profile: Tensor,
) -> TrajectoryFit:
    at = mixture(theta[None])
    values, jacobian = basis.parameters(mixture, theta)
    n_units, problem = float(units.weights.sum()), asked.problem
    moments = unit_moments(mixture, theta, jacobian, units, profile, rows, call)
    posterior = pd.DataFrame(
        at.posterior[0][:, profile].mT.numpy(),
        index=units.index,
        columns=pd.RangeIndex(1, asked.groups + 1, name="group"),
    )
    warn_of(asked, found, posterior, units, float(at.predictor.abs().max()))
    return TrajectoryFit(
        recipe=problem.recipe,
        coefficients=values,
        covariance=estimate(asked.estimator, moments),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=rows.offset if rows.offset is None or isinstance(rows.offset, str) else True,
        null_space=np.zeros((0, len(values))),
        notes=tuple(fit_notes(problem, basis.pooled, LinearModel.of(problem.design, "analytic"))),
        family=asked.family,
        n_groups=asked.groups,
        llf=float(at.value[0]),
        n_units=n_units,
        n_rows=float((mixture.units.rows * mixture.units.weights).sum()),
        unit=units.name,
        memberships=posterior,
        flat_names=basis.names(mixture),
        search=search_report(found),
        information=moments,
    )
