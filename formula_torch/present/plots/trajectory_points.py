"""What was observed of the groups: means by time, and the lines of units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from formula_torch.result.trajectory.curve_rows import MOST_TIMES, CurveRows
from formula_torch.result.trajectory.curves import Curves
from formula_torch.result.trajectory.units import unit_codes

__all__ = ["Observations", "observations"]

# Stretches of time, where the times are too many to have a point each.
STRETCHES = 20
# Fewer observations of a group than this at a time are the tails of posteriors elsewhere.
LEAST = 0.5


@dataclass(frozen=True, eq=False)
class Observations:
    """The rows of a fit as its curves see them.

    Parameters
    ----------
    time : array, shape (n,)
    y : array, shape (K, n)
        The response; less what the offset adds to the mean of each group where that is not a factor.
    exposure : array, shape (n,)
        Factor of the mean, over that of the curves.
    weights : array, shape (K, n)
        Posterior of each row's unit, times its weight.
    unit : int array, shape (n,)
    group : int array, shape (n,)
        The most probable group of each row's unit, from 0.
    """

    time: np.ndarray
    y: np.ndarray
    exposure: np.ndarray
    weights: np.ndarray
    unit: np.ndarray
    group: np.ndarray

    def means(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """Times and observed means of a group: sums of the response over sums of the exposure."""
        stretch, count = _stretches(self.time)
        weight = self.weights[group]

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(stretch, weight * values, count)

        known = total(np.ones(len(weight))) >= LEAST
        with np.errstate(invalid="ignore", divide="ignore"):
            time, mean = total(self.time) / total(np.ones(len(weight))), total(self.y[group]) / total(self.exposure)
        return time[known], mean[known]

    def lines(self, group: int, units: np.ndarray) -> Iterator[np.ndarray]:
        """Observations of each unit of a group among some, in the order of time, shape (m, 2) each."""
        rows = np.flatnonzero((self.group == group) & np.isin(self.unit, units))
        rows = rows[np.lexsort((self.time[rows], self.unit[rows]))]
        points = np.column_stack([self.time[rows], self.y[group, rows] / self.exposure[rows]])
        starts = np.flatnonzero(np.diff(self.unit[rows])) + 1
        yield from np.split(points, starts) if len(rows) else ()


def observations(fit: Curves, shown: CurveRows) -> Observations:
    """Read the rows of the fit, per unit of the exposure of the curves.

    Raises
    ------
    DataRemovedError
        The fit no longer holds them.
    """
    frame, design = fit.used_rows("plot (observed=True, or spaghetti)")
    rows = fit.held_rows("plot")
    time, codes = frame.column(shown.time).numbers, unit_codes(frame, fit.unit)[0]
    posterior, given = fit.posterior.to_numpy()[codes].T, rows.weight_values()
    y = np.broadcast_to(fit.recipe.response(frame), (fit.n_groups, len(time)))
    exposure = np.ones(len(time))
    own, of_curves = design.offset, shown.offset(time)
    if own is not None:
        beyond = own if of_curves is None else own - of_curves
        if fit.family.exponential:
            exposure = beyond.exp().numpy()
        else:
            eta = torch.from_numpy(fit.predictors(design))
            y = y - (fit.family.mean(eta) - fit.family.mean(eta - beyond)).numpy()
    weights = posterior if given is None else posterior * given
    return Observations(time, y, exposure, weights, codes, posterior.argmax(axis=0))


def _stretches(time: np.ndarray) -> tuple[np.ndarray, int]:
    """Which point each row belongs to, and how many points there are."""
    distinct, codes = np.unique(time, return_inverse=True)
    if len(distinct) <= MOST_TIMES:
        return codes, len(distinct)
    inner = np.unique(np.quantile(time, np.linspace(0, 1, STRETCHES + 1)[1:-1]))
    return np.searchsorted(inner, time, side="right"), len(inner) + 1
