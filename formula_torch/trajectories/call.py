"""The call: read what was asked for and the data, and fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from formula_torch.errors import DataError, FormulaError, check_known
from formula_torch.families import Family, resolve_family
from formula_torch.formula.dialect import parse
from formula_torch.formula.learn import Problem, learn
from formula_torch.inference.covariance import UnitSandwich
from formula_torch.inference.vcov import resolve_vcov
from formula_torch.numerics.arrays import threads_for
from formula_torch.result.call import Call, table_reference
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.fitting import fitted
from formula_torch.trajectories.membership import membership_columns, membership_text, units_without
from formula_torch.trajectories.searching import ORDERS
from formula_torch.trajectories.unit_rows import UnitsOfRows

__all__ = ["traj"]

DISPERSIONS = ("common", "group")


def traj(
    formula: str,
    data: Any,
    *,
    groups: int,
    family: Family | str = "gaussian",
    membership: str | None = None,
    dispersion: str = "common",
    offset: Any = None,
    exposure: Any = None,
    weights: Any = None,
    vcov: Any = "iid",
    starts: int = 20,
    order: str = "share",
    reference: int = 1,
    na_action: str = "drop",
    subset: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    seed: int = 0,
) -> TrajectoryFit:
    """Fit a group-based trajectory model: a finite mixture over units observed repeatedly.

    Maximises sum_u w_u log sum_g pi_ug prod_r f(y_r | x_r'beta_g, sigma) over all parameters (Nagin 2005), from many
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
    membership : str, optional
        Covariates on which the probabilities of the groups depend, ``"male + ses"``: a multinomial logit,
        pi_ug = softmax_g(z_u'gamma_g). One value a unit; a unit of which one is missing leaves.
    dispersion : {"common", "group"}
        One sigma, or one for each group (of the normal).
    offset : str or array of shape (n,), optional
        Added to the linear predictor of every group; also ``offset(...)`` in the formula.
    exposure : str or array of shape (n,), optional
        What a count is a count of: its logarithm is added to the linear predictor. For Poisson.
    weights : str or array of shape (n,), optional
        How many units each unit stands for; constant within a unit.
    vcov : str, dict or estimator
        ``"iid"``: observed information. ``"robust"``: sandwich by unit times n / (n - 1). Or clusters, which units
        must not cross.
    starts : int
    order : {"share", "mean"}
        Number the groups by their share, largest first, or by the mean of their curve over all rows, smallest first.
    reference : int
        The group against which membership coefficients are measured.
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
    options = {
        "groups": groups,
        "family": family,
        "membership": membership,
        "dispersion": dispersion,
        "offset": offset,
        "exposure": exposure,
        "weights": weights,
        "vcov": vcov,
        "starts": starts,
        "order": order,
        "reference": reference,
        "na_action": na_action,
        "subset": subset,
        "functions": functions,
        "seed": seed,
    }
    asked = _asked(groups, family, membership, dispersion, vcov, starts, order, reference, functions, seed)
    if exposure is not None and not asked.family.exponential:
        raise DataError(
            f"exposure= multiplies a mean of the form exp(...), which family={asked.family.name!r} has not."
        )
    held = [*asked.estimator.columns, *_second(formula), *membership_columns(asked.membership)]
    held += [weights] if isinstance(weights, str) else []
    call = Call(f"traj({formula!r}, groups={groups})", "torch", "cpu", partial(traj, **options), table_reference(data))
    learned = partial(
        learn, formula, data, offset=offset, exposure=exposure, na_action=na_action, functions=functions, hold=held
    )
    with threads_for(0.0):
        problem = learned(subset=subset)
        rows = Rows.of(problem, weights, offset, exposure)
        if lost := units_without(asked.membership, rows, UnitsOfRows.of(problem, rows)):
            problem = _without(problem, rows, lost, na_action, learned)
            rows = Rows.of(problem, weights, offset, exposure)
        return fitted(asked, problem, rows, call)


def _asked(
    groups: int,
    family: Family | str,
    membership: str | None,
    dispersion: str,
    vcov: Any,
    starts: int,
    order: str,
    reference: int,
    functions: Mapping[str, Callable[..., Any]] | None,
    seed: int,
) -> Asked:
    """Resolve every spelling."""
    check_known("dispersion", dispersion, DISPERSIONS)
    check_known("order", order, ORDERS)
    kind = resolve_family(family)
    _check_whole("groups", groups, 1)
    _check_whole("starts", starts, 1)
    _check_whole("seed", seed, None)
    _check_whole("reference", reference, 1)
    if reference > groups:
        raise ValueError(f"reference={reference} is not one of the groups 1 to {groups}.")
    text = membership_text(membership)
    estimator = resolve_vcov(vcov, UnitSandwich())
    return Asked(kind, groups, dispersion, text, starts, seed, estimator, order, reference - 1, functions)


def _check_whole(name: str, value: object, least: int | None) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or (least is not None and value < least):  # type: ignore[operator]
        raise ValueError(f"{name}={value!r} must be a whole number{'' if least is None else f', {least} or more'}.")


def _second(formula: str) -> tuple[str, ...]:
    """The column after ``|``, or none."""
    from_text = parse(formula).second if isinstance(formula, str) else ()
    if len(from_text) > 1:
        raise FormulaError(f"{formula!r} names several columns after `|`; one tells the units apart.")
    return from_text


def _without(
    problem: Problem, rows: Rows, lost: dict[str, np.ndarray], na_action: str, learned: Callable[..., Problem]
) -> Problem:
    """Learn again from the rows of the units that have all covariates of membership."""
    units = UnitsOfRows.of(problem, rows)
    gone = np.any(list(lost.values()), axis=0)
    each = ", ".join(f"`{name}` of {int(units_lost.sum())}" for name, units_lost in lost.items())
    said = f"{int(gone.sum())} units in which covariates of membership are missing ({each})"
    if na_action == "raise":
        raise DataError(f"there are {said}; na_action='drop' leaves these units out.")
    if gone.all():
        raise DataError(f"no units left: there are {said}.")
    keep = problem.sample.used.copy()
    keep[keep] = ~gone[units.codes]
    again = learned(subset=keep)
    missing = problem.sample.missing | {name: int(lost[name][units.codes].sum()) for name in lost}
    sample = replace(again.sample, missing=missing, in_subset=problem.sample.in_subset)
    return replace(again, sample=sample, hints=(*again.hints, f"Left out: {said}."))
