"""The likelihood ratio of two numbers of groups, and its distribution where the smaller is true."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from formula_torch.data import Frame
from formula_torch.errors import DataError, DataRemovedError, FormulaTorchWarning
from formula_torch.inference.progress import progress_bar
from formula_torch.numerics.random import generator_of
from formula_torch.result.trajectory.curves import Curves
from formula_torch.result.trajectory.nesting import check_comparable

__all__ = ["BootstrapRatio", "bootstrap_ratio"]


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapRatio:
    """A likelihood ratio test by the parametric bootstrap.

    Parameters
    ----------
    statistic : float
        2 (llf of the larger model - llf of the smaller).
    draws : array, shape (B,)
        The same of data drawn from the smaller model.
    groups : tuple of int
        Of the smaller and the larger model.
    seed : int
    """

    statistic: float
    draws: np.ndarray
    groups: tuple[int, int]
    seed: int

    @property
    def p_value(self) -> float:
        """(1 + draws as large as the statistic) / (B + 1) (Davison and Hinkley 1997, equation 4.11)."""
        return float((1 + np.sum(self.draws >= self.statistic)) / (len(self.draws) + 1))

    def __repr__(self) -> str:
        small, large = self.groups
        return (
            f"<BootstrapRatio: {small} against {large} groups, 2 log LR = {self.statistic:.4g}, p = {self.p_value:.3g} "
            f"by {len(self.draws)} draws, seed {self.seed}>"
        )


def bootstrap_ratio(larger: Curves, smaller: Curves, draws: int, seed: int, progress: bool | None) -> BootstrapRatio:
    """Fit both models again to data drawn from the smaller one.

    Parameters
    ----------
    larger, smaller : TrajectoryFit
    draws : int
    seed : int
    progress : bool or None

    Raises
    ------
    ValueError
        Fewer than one draw.
    DataError
        The models do not compare, the first is not the larger, its response is an expression, or units have weights.
    DataRemovedError
        A result no longer knows how it was fitted.
    """
    if draws < 1:
        raise ValueError(f"draws={draws} must be at least 1.")
    _check_pair(larger, smaller)
    seeds = torch.randint(0, 2**31, (draws,), generator=generator_of(seed)).tolist()
    found = []
    with progress_bar(draws, "bootstrap", progress) as advance, warnings.catch_warnings():
        # What a search says of data that were drawn is of no interest.
        warnings.simplefilter("ignore", FormulaTorchWarning)
        for own in seeds:
            data = _drawn(smaller, own)
            found.append(2 * (_refitted(larger, data) - _refitted(smaller, data)))
            advance(1)
    # Below zero is a search that missed.
    ratios = np.maximum(found, 0.0)
    return BootstrapRatio(2 * (larger.llf - smaller.llf), ratios, (smaller.n_groups, larger.n_groups), seed)


def _check_pair(larger: Curves, smaller: Curves) -> None:
    check_comparable((smaller, larger))
    if larger.n_groups <= smaller.n_groups:
        raise DataError(
            f"the model has {larger.n_groups} groups, and the one it is compared with {smaller.n_groups}; call "
            "bootstrap_lr_test of the model with more groups."
        )
    if (larger.known_units("bootstrap_lr_test").weights != 1).any():
        raise DataError(
            "a unit of weight w stands for w independent units, of which one draw would be w copies; repeat the rows "
            "under ids of their own, and fit without weights."
        )
    response = larger.recipe.formula.response
    if response is None or larger.recipe.response_name not in set(response.variables.values()):
        raise DataError(
            f"responses are drawn as `{larger.recipe.response_name}`, which is an expression; make it a column of the "
            "data and fit again."
        )


def _drawn(fit: Curves, seed: int) -> Frame:
    """All rows held, so that what is an array of them still fits, with a new response in those used."""
    rows, name = fit.held_rows("bootstrap_lr_test"), fit.recipe.response_name
    response = np.full(rows.frame.n_rows, np.nan)
    response[rows.sample.used] = fit.simulate(seed=seed)[name]
    return rows.frame.with_column(name, response)


def _refitted(fit: Curves, data: Frame) -> float:
    """The log-likelihood of the same model for other data."""
    refit: Callable[..., Curves] | None = fit.call.refit
    if refit is None:
        raise DataRemovedError("this result was unpickled or stripped, and no longer knows how it was fitted.")
    # The bar of the draws is enough.
    return refit(fit.recipe.formula.text, data, progress=False).llf
