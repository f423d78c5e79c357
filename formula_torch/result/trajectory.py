"""A group-based trajectory model under the names its users know."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import pandas as pd
import torch

from formula_torch.data import as_frame
from formula_torch.errors import DataError, DataRemovedError
from formula_torch.families import Family
from formula_torch.inference.covariance import UnitSandwich
from formula_torch.inference.moments import Estimator, Moments
from formula_torch.numerics.intervals import standard_errors, t_interval
from formula_torch.result.fit import Fit

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["Search", "TrajectoryFit"]


@dataclass(frozen=True)
class Search:
    """How the maximum was found.

    Parameters
    ----------
    starts, replicated : int
        Starts, and how many of them reached the best value.
    runner_up : float
        The best other value that a start reached; NaN where all reached the best.
    moves : int
        How many times splitting and merging groups gained.
    decrement : float
        Twice what Newton's next step would gain.
    curvature : float
        Least eigenvalue of the scaled information; not positive where the parameters are not identified.
    """

    starts: int
    replicated: int
    runner_up: float
    moves: int
    decrement: float
    curvature: float


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryFit(Fit):
    """Groups of units, each with a regression of its own on time.

    Coefficients are named by group, ``g1:Intercept``; groups are numbered by their share, largest first.
    ``sigma`` is the residual standard deviation on its natural scale. ``membership[2]:Intercept`` is the
    logarithm of the share of group 2 over that of group 1.

    Parameters
    ----------
    family : Family
    n_groups : int
    llf : float
        Log-likelihood.
    n_units, n_rows : float
        Units (the sum of their weights), and rows.
    unit : str or None
        The column that tells units apart; None where each row is one.
    memberships : DataFrame, shape (n, K), or None
        What ``posterior`` shows; None once removed.
    flat_names : tuple of str
    search : Search
    information : Moments
        Observed information and scores of the units.

    Examples
    --------
    >>> import formula_torch as ft
    >>> data = ft.datasets.simulated_trajectories()
    >>> fit = ft.traj("y ~ t | id", data, groups=2)
    >>> fit.shares["share"].round(2).tolist()
    [0.5, 0.5]
    """

    family: Family
    n_groups: int
    llf: float
    n_units: float
    n_rows: float
    unit: str | None
    memberships: pd.DataFrame | None
    flat_names: tuple[str, ...]
    search: Search
    information: Moments

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.recipe.formula.text!r}: {self.n_groups} groups of {self.n_units:g} units, "
            f"log-likelihood {self.llf:.6g}>"
        )

    # -- parameters -------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return self.flat_names

    @property
    def df_resid(self) -> float:
        """Infinite: tests use the normal."""
        return math.inf

    @property
    def robust_estimator(self) -> Estimator:
        """The sandwich by unit, times n / (n - 1)."""
        return UnitSandwich()

    @property
    def positive(self) -> np.ndarray:
        """Standard deviations: their intervals go through the logarithm, and they have no p-value."""
        return np.array([name.endswith("sigma") for name in self.flat_names])

    def moments(self) -> Moments:
        """What covariance estimators see: information and scores of the units."""
        return self.information

    @property
    def beta(self) -> np.ndarray:
        """Coefficients of the groups, shape (K, k)."""
        k = len(self.recipe.column_names)
        return self.coefficients[: self.n_groups * k].reshape(self.n_groups, k)

    @property
    def sigma(self) -> np.ndarray:
        """Residual standard deviations of the groups, shape (K,); NaN where the family has none."""
        if not self.family.dispersed:
            return np.full(self.n_groups, np.nan)
        start = self.beta.size
        found = self.coefficients[start : len(self.coefficients) - self.n_groups + 1]
        return np.broadcast_to(found, (self.n_groups,)).copy()

    @property
    def log_odds(self) -> np.ndarray:
        """Logarithms of the shares over that of group 1, shape (K,)."""
        return np.concatenate([[0.0], self.coefficients[len(self.coefficients) - self.n_groups + 1 :]])

    # -- groups -----------------------------------------------------------------------------------

    @cached_property
    def shares(self) -> pd.DataFrame:
        """Shares of the groups with errors by the delta method and intervals through their logits.

        Returns
        -------
        DataFrame, index 1..K
            share, std_error, conf_low, conf_high.
        """
        odds = np.exp(self.log_odds - self.log_odds.max())
        share = odds / odds.sum()
        jacobian = (np.diag(share) - np.outer(share, share))[:, 1:]
        first = len(self.coefficients) - self.n_groups + 1
        errors = standard_errors(np.diag(jacobian @ self.covariance.matrix[first:, first:] @ jacobian.T))
        with np.errstate(divide="ignore", invalid="ignore"):  # a single group has a share of 1, and no interval
            logit, spread = np.log(share) - np.log1p(-share), errors / (share * (1 - share))
            low, high = t_interval(logit, spread, 0.05, math.inf)
        return pd.DataFrame(
            {"share": share, "std_error": errors, "conf_low": _expit(low), "conf_high": _expit(high)},
            index=self._labels,
        )

    @property
    def _labels(self) -> pd.RangeIndex:
        return pd.RangeIndex(1, self.n_groups + 1, name="group")

    @property
    def groups(self) -> pd.Series:
        """The most probable group of each unit, by unit."""
        return self.posterior.idxmax(axis=1).rename("group")

    @property
    def posterior(self) -> pd.DataFrame:
        """Probability of each group given all rows of the unit, by unit, shape (n, K)."""
        if self.memberships is None:
            raise DataRemovedError("the posterior is by unit, which this result no longer holds; use assign(data).")
        return self.memberships

    def assign(self, newdata: Any) -> pd.DataFrame:
        """Probability of each group for new units, by all that is known of them so far.

        Parameters
        ----------
        newdata : table
            Rows with the response and the column of units; more waves of a unit sharpen its row.

        Returns
        -------
        DataFrame, shape (n, K)
            By unit, in order of their identifiers.
        """
        frame = as_frame(newdata)
        design = self.recipe.apply(frame)
        y = self.recipe.response(frame)
        codes, units = _unit_codes(frame, self.unit)
        offset = np.zeros(len(y)) if design.offset is None else design.offset.numpy()
        log_density = np.stack([self._log_density(y, design.matvec(b).numpy() + offset, g) for g, b in self._curves()])
        missing = np.isnan(log_density).any(axis=0)
        joint = np.stack([np.bincount(codes, np.where(missing, 0.0, row), len(units)) for row in log_density], axis=1)
        joint += self.log_odds
        share = np.exp(joint - joint.max(axis=1, keepdims=True))
        return pd.DataFrame(share / share.sum(axis=1, keepdims=True), index=units, columns=self._labels)

    def _curves(self) -> list[tuple[int, np.ndarray]]:
        return list(enumerate(np.nan_to_num(self.beta)))

    def _log_density(self, y: np.ndarray, eta: np.ndarray, group: int) -> np.ndarray:
        """Log-density of rows in a group, without what all groups share."""
        value = y * eta - self.family.cumulant(torch.from_numpy(eta)).numpy()
        if not self.family.dispersed:
            return value
        sigma = self.sigma[group]
        return (value - y * y / 2) / sigma**2 - math.log(sigma)

    # -- fit --------------------------------------------------------------------------------------

    @property
    def n_params(self) -> int:
        """Number of parameters, sigma and shares counted."""
        return int(np.isfinite(self.coefficients).sum())

    @property
    def aic(self) -> float:
        """-2 llf + 2 p."""
        return -2 * self.llf + 2 * self.n_params

    @property
    def bic(self) -> float:
        """-2 llf + p log(units); smaller is better."""
        return -2 * self.llf + self.n_params * math.log(self.n_units)

    @property
    def bic_rows(self) -> float:
        """-2 llf + p log(rows)."""
        return -2 * self.llf + self.n_params * math.log(self.n_rows)

    @property
    def nobs(self) -> float:
        """Number of rows."""
        return self.n_rows

    # -- curves -----------------------------------------------------------------------------------

    def predict(self, newdata: Any, group: int | None = None) -> pd.Series:
        """Mean response of new rows: of one group, or weighted by the shares.

        Parameters
        ----------
        newdata : table
        group : int, optional
            From 1; by default the mean over all groups.
        """
        frame = as_frame(newdata)
        means = self._means(frame)
        if group is None:
            return pd.Series(self.shares["share"].to_numpy() @ means, index=frame.index)
        if group not in self._labels:
            raise DataError(f"group={group!r} is not one of the groups 1 to {self.n_groups}.")
        return pd.Series(means[group - 1], index=frame.index)

    def _means(self, frame: Any) -> np.ndarray:
        design = self.recipe.apply(frame)
        etas = [design.matvec(b) for _, b in self._curves()]
        offset = torch.zeros(design.n_rows, dtype=torch.float64) if design.offset is None else design.offset
        return np.stack([self.family.mean(eta + offset).numpy() for eta in etas])

    @property
    def fittedvalues(self) -> pd.Series:
        """Means of the rows, weighted by the posterior of their units, on the user's index."""
        frame = self.held_rows("fittedvalues").used_frame()
        weights = self.posterior.to_numpy()[_unit_codes(frame, self.unit)[0]]
        return self._row_series((weights.T * self._means(frame)).sum(axis=0))

    @property
    def resid(self) -> pd.Series:
        """Response less ``fittedvalues``, on the user's index."""
        frame = self.held_rows("resid").used_frame()
        return self._row_series(self.recipe.response(frame)) - self.fittedvalues

    # -- life -------------------------------------------------------------------------------------

    def remove_data(self) -> Self:
        """Return the result without its rows and its units' posterior; summary and predictions stay."""
        bare = replace(self.information, scores=_removed, labels=_removed)
        return replace(super().remove_data(), memberships=None, information=bare)

    # -- tables -----------------------------------------------------------------------------------

    def summary(self, alpha: float = 0.05) -> Summary:
        """Tables of the fit: header, coefficients by group, shares.

        Parameters
        ----------
        alpha : float
            One less the confidence level of the intervals.
        """
        from formula_torch.present.trajectory import trajectory_summary

        return trajectory_summary(self, alpha)


def _removed(*_: Any) -> NoReturn:
    raise DataRemovedError("this covariance needs the units, which this result no longer holds; fit again.")


def _expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _unit_codes(frame: Any, unit: str | None) -> tuple[np.ndarray, pd.Index]:
    """Number the units of a table in the order of their identifiers, which come back as an index."""
    if unit is None:
        return np.arange(frame.n_rows), pd.RangeIndex(frame.n_rows) if frame.index is None else frame.index
    codes, count = frame.column(unit).labels()
    first = np.zeros(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, pd.Index(frame.column(unit).to_pandas().iloc[first], name=unit)
