"""Fit a group-based trajectory model: rows to units, search, groups in order of their share, exact errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.errors import DataError, FormulaError, InferenceWarning, check_known
from formula_torch.families import Family, resolve_family
from formula_torch.formula.dialect import parse
from formula_torch.formula.learn import Problem, learn
from formula_torch.inference.covariance import UnitSandwich
from formula_torch.inference.dense_scores import DenseScores
from formula_torch.inference.moments import Estimator, Labels, Moments
from formula_torch.inference.vcov import estimate, resolve_vcov
from formula_torch.models.ascent import Ascent
from formula_torch.models.compress import UnitRows, compressed, design_codes
from formula_torch.models.linear import LinearModel
from formula_torch.models.mixture import Mixture
from formula_torch.models.starts import features, memberships, started
from formula_torch.models.units import Units
from formula_torch.numerics.arrays import as_tensor, threads_for
from formula_torch.present.messages import fit_notes, fit_warnings
from formula_torch.result.call import Call, table_reference
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory import Search, TrajectoryFit
from formula_torch.solvers.least_squares import LeastSquares, least_squares
from formula_torch.solvers.multistart import Found, search
from formula_torch.solvers.newton import climb

__all__ = ["traj"]

DISPERSIONS = ("common", "group")
# Smaller groups are often a few outliers.
FEW_UNITS = 5
# Newton's decrement above which a climb has not arrived.
UNFINISHED = 1e-6
# Above so many distinct units starts are climbed on a sample of them.
MANY_UNITS = 3_000
SAMPLED_UNITS = 2_000
SETTLING_STEPS = 3
# A linear predictor of this size is a probability of 0 or 1.
CERTAIN = 15.0
# One group of all units is where starts begin; its climb is short.
POOLED_STEPS = 30
# An information whose scaled eigenvalues fall to this is singular but for rounding.
SINGULAR = 1e-8


@dataclass(frozen=True, eq=False)
class _Asked:
    """What was asked for, resolved."""

    problem: Problem
    family: Family
    groups: int
    dispersion: str
    weights: str | None
    starts: int
    seed: int
    estimator: Estimator


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
        return _fitted(_Asked(problem, kind, groups, dispersion, weights, starts, seed, estimator), rows, call)


def _second(formula: str) -> tuple[str, ...]:
    """The column after ``|``, or none."""
    from_text = parse(formula).second if isinstance(formula, str) else ()
    if len(from_text) > 1:
        raise FormulaError(f"{formula!r} names several columns after `|`; one tells the units apart.")
    return from_text


def _fitted(asked: _Asked, rows: Rows, call: Call) -> TrajectoryFit:
    problem = asked.problem
    design, y = problem.design, problem.design.y
    assert y is not None
    asked.family.check(y, problem.recipe.response_name)
    pooled = least_squares(replace(design, offset=None))
    for message in fit_warnings(problem, pooled, LinearModel.of(design, "analytic")):
        warnings.warn(message, stacklevel=4)
    units = _Membership.of(problem, rows, asked.weights)
    if asked.groups > units.count:
        raise DataError(f"groups={asked.groups}, and the rows used have {units.count} units.")
    if asked.family.dispersed and (pooled.constant_response or pooled.perfect):
        raise DataError(
            f"`{problem.recipe.response_name}` does not vary about one curve: the likelihood has no maximum."
        )
    shift = float(y.mean()) if asked.family.dispersed and design.constant is not None else 0.0
    unit_rows = _unit_rows(design, y - shift, pooled.coordinates, units)
    statistics, profile = compressed(
        unit_rows, asked.family, units.weights, torch.ones(1, units.count, dtype=torch.float64)
    )
    mixture = _mixture(asked, statistics)
    found = _searched(asked, mixture, unit_rows, profile)
    theta = _ordered(mixture, found.theta)
    return _result(asked, rows, call, mixture, theta, found, _Basis(pooled, problem, shift), units, profile)


@dataclass(frozen=True, eq=False)
class _Membership:
    """Which unit each row used belongs to, in the order of the identifiers."""

    codes: np.ndarray
    count: int
    index: pd.Index
    weights: Tensor
    name: str | None

    @staticmethod
    def of(problem: Problem, rows: Rows, weights: str | None) -> _Membership:
        """Read unit and weights of the rows used."""
        second = problem.recipe.formula.second
        n = problem.design.n_rows
        if second:
            labels = rows.labels(second[0], "unit", lambda: None)
            codes, count = labels.codes, labels.count
        else:
            codes, count = np.arange(n), n
        first = np.zeros(count, dtype=np.int64)
        first[codes[::-1]] = np.arange(n)[::-1]
        frame = rows.used_frame()
        index = pd.Index(frame.column(second[0]).to_pandas().iloc[first], name=second[0]) if second else None
        if index is None:
            index = pd.RangeIndex(n) if problem.sample.index is None else problem.sample.index
        given = (
            np.ones(count) if weights is None else _unit_values(frame.column(weights).numbers, codes, first, weights)
        )
        return _Membership(codes, count, index, as_tensor(given), second[0] if second else None)


def _unit_values(values: np.ndarray, codes: np.ndarray, first: np.ndarray, name: str) -> np.ndarray:
    own = values[first]
    differs = values != own[codes]
    if differs.any():
        raise DataError(f"`{name}` varies within {len(np.unique(codes[differs]))} units; it must be one value a unit.")
    if (own < 0).any() or not np.isfinite(own).all() or not (own > 0).any():
        raise DataError(f"`{name}` holds weights that are negative, infinite or all zero.")
    return own


def _unit_rows(design: Design, y: Tensor, coordinates: Coordinates, units: _Membership) -> UnitRows:
    """Rows in orthonormal columns of unit size, sorted by unit."""
    order = torch.from_numpy(np.argsort(units.codes, kind="stable"))
    parts = [part.form().matmat(coordinates.whiten) for part in coordinates.standardised(design).batches()]
    x = torch.cat(parts, 1).mT * math.sqrt(design.n_rows)
    offset = None if design.offset is None else design.offset[order]
    unit, cells = torch.from_numpy(units.codes)[order], torch.from_numpy(design_codes(design))[order]
    return UnitRows(x[order].contiguous(), y[order], unit, units.count, cells, offset)


def _mixture(asked: _Asked, statistics: Units) -> Mixture:
    """The likelihood, with the directions in which its parameters are free."""
    p, dispersed, groups = statistics.p, asked.family.dispersed, asked.groups
    size = p + int(dispersed) + 1
    eye = torch.eye(groups * size, dtype=torch.float64)
    common = asked.dispersion == "common"
    columns = [eye[g * size + j] for g in range(groups) for j in range(p)]
    if dispersed:
        sigmas = [eye[g * size + p] for g in range(groups)]
        columns += [torch.stack(sigmas).sum(0) / math.sqrt(groups)] if common else sigmas
    columns += [eye[g * size + size - 1] for g in range(1, groups)]
    return Mixture(statistics, asked.family, groups, torch.stack(columns, 1), common)


def _searched(asked: _Asked, mixture: Mixture, rows: UnitRows, profile: Tensor) -> Found:
    generator = torch.Generator().manual_seed(asked.seed)
    alone = _mixture(replace(asked, groups=1), mixture.units)
    pooled = Ascent(alone).improved(torch.zeros(1, 1, alone.size, dtype=torch.float64), POOLED_STEPS)
    if asked.groups == 1:
        return search(Ascent(alone), pooled, generator, patience=0)
    first = torch.zeros(mixture.units.n, dtype=torch.int64)
    first[profile.flip(0)] = torch.arange(len(profile)).flip(0)
    found = features(rows, asked.family)[first]
    if mixture.units.n > MANY_UNITS:
        return _screened(asked, mixture, found, pooled[0, 0], generator)
    partitions = memberships(found, mixture.units.weights, asked.groups, asked.starts, generator)
    return search(Ascent(mixture), started(mixture, pooled[0, 0], partitions), generator)


def _screened(asked: _Asked, mixture: Mixture, found: Tensor, pooled: Tensor, generator: torch.Generator) -> Found:
    """Search on a sample of the units, and climb on all from the few places that it leaves."""
    drawn = torch.multinomial(mixture.units.weights, SAMPLED_UNITS, replacement=True, generator=generator)
    chosen, counts = torch.unique(drawn, return_counts=True)
    units = replace(mixture.units.take(chosen), weights=counts.to(torch.float64))
    sample = replace(mixture, units=units)
    partitions = memberships(found[chosen], units.weights, asked.groups, asked.starts, generator)
    near = search(Ascent(sample), started(sample, pooled, partitions), generator)
    whole = climb(Ascent(mixture), Ascent(mixture).improved(near.candidates, SETTLING_STEPS))
    best = int(whole.value.nan_to_num(nan=-math.inf).argmax())
    reached = near.values - near.value + float(whole.value[best])
    return replace(
        near,
        theta=whole.theta[best],
        value=float(whole.value[best]),
        decrement=float(whole.decrement[best]),
        curvature=float(whole.curvature[best]),
        values=reached,
    )


def _ordered(mixture: Mixture, theta: Tensor) -> Tensor:
    """Put the groups in order of their share, largest first, membership against the first."""
    share = mixture(theta[None]).posterior[0] @ mixture.units.weights
    moved = theta[torch.argsort(share, descending=True, stable=True)].clone()
    moved[:, -mixture.m :] -= moved[0, -mixture.m :].clone()
    return moved


@dataclass(frozen=True, eq=False)
class _Basis:
    """From the columns of the search to those of the formula."""

    pooled: LeastSquares
    problem: Problem
    shift: float

    @property
    def lift(self) -> np.ndarray:
        """Coefficients of the formula's columns, shape (k, rank)."""
        return self.pooled.coordinates.lift * math.sqrt(self.problem.design.n_rows)

    def parameters(self, mixture: Mixture, theta: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Parameters under their names, shape (P,), and their Jacobian in theta, shape (P, K D)."""
        groups, size, p = mixture.groups, mixture.size, mixture.p
        k, own = len(self.lift), theta.numpy()
        values = own[:, :p] @ self.lift.T
        if self.shift:
            values[:, self.problem.design.constant] += self.shift
        rows = np.zeros((groups * k, groups * size))
        for g in range(groups):
            rows[g * k : (g + 1) * k, g * size : g * size + p] = self.lift
        parts, jacobians = [values.ravel()], [rows]
        if mixture.family.dispersed:
            sigma = np.exp(own[:, p])
            spread = np.zeros((groups, groups * size))
            spread[np.arange(groups), np.arange(groups) * size + p] = sigma
            parts.append(sigma[:1] if mixture.common else sigma)
            jacobians.append(spread[:1] if mixture.common else spread)
        odds = np.zeros((groups - 1, groups * size))
        odds[np.arange(groups - 1), np.arange(1, groups) * size + size - 1] = 1.0
        return np.concatenate([*parts, own[1:, -1]]), np.concatenate([*jacobians, odds])

    def names(self, mixture: Mixture) -> tuple[str, ...]:
        """Names of the parameters."""
        columns = self.problem.recipe.column_names
        names = [f"g{g}:{name}" for g in range(1, mixture.groups + 1) for name in columns]
        if mixture.family.dispersed:
            names += ["sigma"] if mixture.common else [f"g{g}:sigma" for g in range(1, mixture.groups + 1)]
        return (*names, *(f"membership[{g}]:Intercept" for g in range(2, mixture.groups + 1)))


def _result(
    asked: _Asked,
    rows: Rows,
    call: Call,
    mixture: Mixture,
    theta: Tensor,
    found: Found,
    basis: _Basis,
    units: _Membership,
    profile: Tensor,
) -> TrajectoryFit:
    at = mixture(theta[None])
    values, jacobian = basis.parameters(mixture, theta)
    n_units, problem = float(units.weights.sum()), asked.problem
    moments = _moments(mixture, theta, jacobian, units, profile, rows, call)
    posterior = pd.DataFrame(
        at.posterior[0][:, profile].mT.numpy(),
        index=units.index,
        columns=pd.RangeIndex(1, asked.groups + 1, name="group"),
    )
    _warn(asked, found, posterior, units, float(at.predictor.abs().max()))
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
        search=_search(found),
        information=moments,
    )


def _moments(
    mixture: Mixture, theta: Tensor, jacobian: np.ndarray, units: _Membership, profile: Tensor, rows: Rows, call: Call
) -> Moments:
    """Observed information of the units in the directions that are free, and their scores."""
    free = mixture.free
    hessian = free.mT @ mixture.louis(theta[None], mixture(theta[None])).hessian[0] @ free
    scale = torch.diagonal(hessian).abs().clamp(min=1e-300).rsqrt()
    values, vectors = torch.linalg.eigh(-hessian * scale[:, None] * scale)
    # Directions without information have no error: their coefficients are NaN.
    half = torch.where(values > SINGULAR, values.clamp(min=SINGULAR).rsqrt(), math.nan)
    whiten = free @ (scale[:, None] * vectors * half)
    aliased = np.isnan(jacobian).any(axis=1)
    lift = np.nan_to_num(jacobian) @ whiten.numpy()
    lift[aliased] = np.nan

    def scores() -> DenseScores:
        own = mixture.unit_scores(theta[None])[0].mT @ whiten
        return DenseScores(own[profile].numpy(), units.weights.numpy())

    return Moments(
        bread=lift @ lift.T,
        lift=lift,
        scale=1.0,
        dispersion=1.0,
        n_obs=float(units.weights.sum()),
        n_params=float(free.shape[1]),
        df_resid=math.inf,
        scores=scores,
        labels=partial(_labels_of_units, units, rows, call),
    )


def _labels_of_units(units: _Membership, rows: Rows, call: Call, given: Any, what: str) -> Labels:
    """Read clusters of units; a unit must not lie in two."""
    if isinstance(given, str) and given == units.name:
        return Labels(given, np.arange(units.count), units.count)
    labels = rows.labels(given, what, call.find_table)
    first = np.zeros(units.count, dtype=np.int64)
    first[units.codes[::-1]] = np.arange(len(units.codes))[::-1]
    own = _unit_values(labels.codes.astype(np.float64), units.codes, first, labels.name)
    return Labels(labels.name, own.astype(np.int64), labels.count)


def _search(found: Found) -> Search:
    others = found.values[found.values < found.value - 1e-3 * max(1.0, abs(found.value) * 1e-3)]
    runner_up = float(others[0]) if len(others) else math.nan
    return Search(len(found.values), found.replicated, runner_up, found.moves, found.decrement, found.curvature)


def _warn(asked: _Asked, found: Found, posterior: pd.DataFrame, units: _Membership, steepest: float) -> None:
    """Say what a user must know of the solution."""
    sizes = units.weights.numpy() @ posterior.to_numpy()
    small = [g for g, size in enumerate(sizes, 1) if size < FEW_UNITS]
    if small and asked.groups > 1:
        _say(
            f"group {', '.join(map(str, small))} has fewer than {FEW_UNITS} units; it may be a few outliers "
            "rather than a group. Try fewer groups."
        )
    if found.curvature <= SINGULAR or found.decrement > UNFINISHED:
        _say(
            "not all parameters are identified at the solution (the information is singular, or a coefficient runs off "
            "to infinity): their errors are NaN. Try fewer groups, or a simpler curve."
        )
    if not (asked.family.dispersed or asked.family.exponential) and steepest > CERTAIN:
        _say(
            "in a group the response is always 0, or always 1, at some times: its curve runs off to infinity, and its "
            "coefficients and their errors have no meaning. Try fewer groups, or a simpler curve."
        )
    if found.replicated == 1 and found.moves == 0 and asked.starts > 1 and asked.groups > 1:
        _say(f"only one of {asked.starts} starts reached the best value; try starts={5 * asked.starts}.")


def _say(message: str) -> None:
    warnings.warn(message, InferenceWarning, stacklevel=5)
