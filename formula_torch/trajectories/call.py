"""The call: read what was asked for and the data, and fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from formula_torch.data import as_frame
from formula_torch.errors import DataError, FormulaError, check_known
from formula_torch.families import AnyFamily, resolve_family
from formula_torch.formula.dialect import parse
from formula_torch.formula.learn import Problem, learn
from formula_torch.inference.covariance import UnitSandwich
from formula_torch.inference.vcov import resolve_vcov
from formula_torch.numerics.threads import threads_for
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
# What is added to each group, in average units.
PRIORS: dict[str | None, float] = {None: 0.0, "weak": 0.1}


def traj(
    formula: str,
    data: Any,
    *,
    groups: int,
    family: AnyFamily | str = "gaussian",
    membership: str | None = None,
    degrees: Sequence[int] | None = None,
    dispersion: str = "common",
    offset: Any = None,
    exposure: Any = None,
    weights: Any = None,
    vcov: Any = "iid",
    prior: float | str | None = None,
    constraints: Sequence[str] | str = (),
    start: Any = None,
    starts: int = 20,
    order: str = "share",
    reference: int = 1,
    na_action: str = "drop",
    subset: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    seed: int = 0,
    progress: bool | None = None,
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
    family : {"gaussian", "poisson", "logit", "negative_binomial", "nb1", "gamma", "inverse_gaussian", "beta"} or value
        With another link by ``ft.families.of("binomial", link="probit")``; or a density of your own,
        ``ft.families.Density``. `sigma` is the root of the dispersion, the negative binomial's alpha, the beta's phi.
    membership : str, optional
        Covariates on which the probabilities of the groups depend, ``"male + ses"``: a multinomial logit,
        pi_ug = softmax_g(z_u'gamma_g). One value a unit; a unit of which one is missing leaves.
    degrees : sequence of int, optional
        Degree of the curve of each group, at most that of the formula's polynomial: ``(0, 2, 2)``. Which group has
        which is part of the search; the result says. With `constraints`, in the order of the groups.
    dispersion : {"common", "group"}
        One sigma, or one for each group, where the likelihood has no bound: solutions in which a sigma goes to zero
        are left out, counted, and the best of the others is reported.
    offset : str or array of shape (n,), optional
        Added to the linear predictor of every group; also ``offset(...)`` in the formula.
    exposure : str or array of shape (n,), optional
        What a count is a count of: its logarithm is added to the linear predictor. For Poisson.
    weights : str or array of shape (n,), optional
        How many units each unit stands for; constant within a unit.
    vcov : str, dict or estimator
        ``"iid"``: observed information. ``"robust"``: sandwich by unit times n / (n - 1). Or clusters, which units
        must not cross.
    prior : "weak" or float, optional
        How much of an average unit is added to each group (weak: a tenth): keeps sigmas from zero, and coefficients
        from infinity where a group's responses are all 0 or all 1. ``llf`` is without it.
    constraints : str or sequence of str
        Linear equations in the names of the parameters: ``"g1:t = g2:t"``, ``"membership[2]:male = 0"``.
    start : TrajectoryFit, dict or Series, optional
        Where the search is to begin as well: a fit with as many groups, or with one fewer (each of which is
        divided), or values of all parameters by name.
    starts : int
        How many of our own; 0 with `start`: climb from there alone.
    order : {"share", "mean"}
        Number the groups by their share, largest first, or by the mean of their curve over all rows, smallest first.
    reference : int
        The group against which membership coefficients are measured.
    na_action, subset, functions
        As in ``fit``.
    seed : int
        Of the starts: the same seed gives the same result.
    progress : bool, optional
        Show a bar; by default in a terminal, once it takes more than two seconds.

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
        "degrees": degrees,
        "dispersion": dispersion,
        "offset": offset,
        "exposure": exposure,
        "weights": weights,
        "vcov": vcov,
        "prior": prior,
        "constraints": constraints,
        "start": start,
        "starts": starts,
        "order": order,
        "reference": reference,
        "na_action": na_action,
        "subset": subset,
        "functions": functions,
        "seed": seed,
        "progress": progress,
    }
    check_known("dispersion", dispersion, DISPERSIONS)
    check_known("order", order, ORDERS)
    _check_counts(groups, starts, seed, reference, given=start is not None)
    asked = Asked(
        family=resolve_family(family),
        groups=int(groups),
        dispersion=dispersion,
        membership=membership_text(membership),
        starts=int(starts),
        seed=int(seed),
        estimator=resolve_vcov(vcov, UnitSandwich()),
        order=order,
        reference=reference - 1,
        functions=functions,
        degrees=None if degrees is None else _degrees(degrees),
        constraints=_texts(constraints),
        start=start,
        prior=_prior(prior),
        progress=progress,
    )
    if exposure is not None and not asked.family.exponential:
        raise DataError(
            f"exposure= multiplies a mean of the form exp(...), which family={asked.family.name!r} has not."
        )
    held = [*asked.estimator.columns, *_second(formula), *membership_columns(asked.membership, as_frame(data))]
    held += [weights] if isinstance(weights, str) else []
    call = Call(f"traj({formula!r}, groups={groups})", "torch", "cpu", partial(traj, **options), table_reference(data))
    learned = partial(
        learn, formula, data, offset=offset, exposure=exposure, na_action=na_action, functions=functions, hold=held
    )
    with threads_for(0.0):
        problem = learned(subset=subset)
        rows = Rows.of(problem, weights, offset, exposure)
        if asked.membership and (lost := units_without(asked.membership, rows, UnitsOfRows.of(problem, rows))):
            problem = _without(problem, rows, lost, na_action, learned)
            rows = Rows.of(problem, weights, offset, exposure)
        return fitted(asked, problem, rows, call)


def _check_counts(groups: int, starts: int, seed: int, reference: int, *, given: bool) -> None:
    _check_whole("groups", groups, 1)
    _check_whole("starts", starts, 0 if given else 1)
    _check_whole("seed", seed, None)
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"seed={seed} is beyond 64 bits.")
    _check_whole("reference", reference, 1)
    if reference > groups:
        raise ValueError(f"reference={reference} is not one of the groups 1 to {groups}.")


def _texts(given: Sequence[str] | str) -> tuple[str, ...]:
    """Constraints as texts."""
    texts = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, (list, tuple)) else None
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise FormulaError(f"constraints={given!r} must be equations as text, such as 'g1:x = 1', or a list of them.")
    return texts


def _degrees(given: Sequence[int]) -> tuple[int, ...]:
    """One whole number a group."""
    values = tuple(given) if isinstance(given, (list, tuple, np.ndarray)) else (given,)
    if not all(isinstance(d, (int, np.integer)) and not isinstance(d, bool) and d >= 0 for d in values):
        raise ValueError(f"degrees={given!r} must be whole numbers, a degree for each group.")
    return tuple(int(d) for d in values)


def _prior(given: float | str | None) -> float:
    """How much of an average unit is added to each group."""
    if isinstance(given, str) or given is None:
        check_known("prior", given, PRIORS)
        return PRIORS[given]
    if isinstance(given, bool) or not 0 <= given < math.inf:
        raise ValueError(f"prior={given!r} must be 'weak', or a number of units, 0 or more.")
    return float(given)


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
