"""The call that fits several numbers of groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from formula_torch.families import AnyFamily
from formula_torch.result.trajectory.selection import Selection
from formula_torch.select import selection_of
from formula_torch.trajectories.call import traj

__all__ = ["select_groups"]


def select_groups(
    formula: str,
    data: Any,
    *,
    groups: int | Iterable[int] = range(1, 7),
    criterion: str = "bic",
    family: AnyFamily | str = "gaussian",
    membership: str | None = None,
    dispersion: str = "common",
    offset: Any = None,
    exposure: Any = None,
    weights: Any = None,
    vcov: Any = "iid",
    prior: float | str | None = None,
    starts: int = 20,
    order: str = "share",
    na_action: str = "drop",
    subset: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Selection:
    """Fit trajectory models with different numbers of groups and compare them.

    Each search begins from its own starts and from the groups of the model with one fewer, each divided, so that
    a further group does not lower the log-likelihood.

    Parameters
    ----------
    formula : str
    data : table
    groups : int or iterable of int
        Numbers of groups. The first that cannot be fitted, and those above, are left out; a note says why.
    criterion : {"bic", "bic_rows", "aic"}
        By which the best model is chosen: the BIC at the number of units (the default; Nagin 2005, section 4.3) or
        of rows, or the AIC. Smaller is better.
    family, membership, dispersion, offset, exposure, weights, vcov, prior, starts, order
        As in ``traj``.
    na_action, subset, functions, seed, progress
        As in ``traj``.

    Returns
    -------
    Selection
        best, fits, table, summary(), plot().

    Raises
    ------
    FormulaError, DataError
        As ``traj``, where the smallest number of groups cannot be fitted.
    ValueError
        An option is not known.

    Examples
    --------
    >>> import formula_torch as ft
    >>> data = ft.datasets.simulated_trajectories()
    >>> selection = ft.select_groups("y ~ poly(t, 2) | id", data, groups=range(1, 4))
    >>> selection.table[["groups", "params", "delta"]].round(1).to_dict("list")["params"]
    [4, 8, 12]
    """
    fit = partial(
        traj,
        formula,
        data,
        family=family,
        membership=membership,
        dispersion=dispersion,
        offset=offset,
        exposure=exposure,
        weights=weights,
        vcov=vcov,
        prior=prior,
        order=order,
        na_action=na_action,
        subset=subset,
        functions=functions,
        seed=seed,
        progress=progress,
    )
    return selection_of(fit, groups, criterion, starts)
