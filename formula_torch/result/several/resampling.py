"""Bootstrap and jackknife of a model of several predictors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.design.stacked_scores import StackedScores
from formula_torch.errors import DataError
from formula_torch.inference.moments import Labels
from formula_torch.inference.rescored import MOST_CELLS
from formula_torch.models.several import SeveralModel, Top
from formula_torch.models.several_draws import DrawnModel, DrawnRows
from formula_torch.numerics.arrays import CELLS_AT_ONCE, as_tensor, slices
from formula_torch.numerics.threads import threads_for
from formula_torch.result.bootstraps import Bootstraps, clusters_of
from formula_torch.result.several.base import SeveralEstimates
from formula_torch.result.several.blueprint import Blueprint
from formula_torch.result.several.influence import deletion_moves
from formula_torch.result.several.layout import Layout, sizes_of
from formula_torch.result.several.maximum import BOUNDARY, CONVERGED, FAR, parameters_at, unit_of
from formula_torch.result.several.moments import designs_of, determined
from formula_torch.solvers.newton import climb

__all__ = ["SeveralRefit", "SeveralResampling"]


@dataclass(frozen=True, eq=False)
class SeveralRefit:
    """Rows, or clusters of rows, that count several times: every draw is climbed from the estimates.

    Parameters
    ----------
    layout : Layout
    blueprint : Blueprint
        Of the family as asked for: a draw may have its maximum elsewhere at a boundary than the sample.
    designs : dict
        Of its formulas.
    begin : Tensor, shape (size,)
        Coordinates of the estimates.
    without : Tensor, shape (n_units, size), or None
        Coordinates near those without each unit.
    order : int64 Tensor, shape (n,)
        The rows; those with frequency weights come several times.
    weights : Tensor, shape (n,), or None
    units : int64 Tensor, shape (n,), or None
        The cluster of each row; None where rows are the units.
    n_units : int
    scores : array, shape (n_units, P)
        Derivatives of the parameters in the count of each unit.
    """

    layout: Layout
    blueprint: Blueprint
    designs: Mapping[str, Design]
    begin: Tensor
    without: Tensor | None
    order: Tensor
    weights: Tensor | None
    units: Tensor | None
    n_units: int
    scores: np.ndarray

    def refit(self, counts: Tensor) -> np.ndarray:
        """Parameters for counts of shape (draws, n_units), shape (draws, P); NaN where not determined."""
        return self._refit(counts, self.begin.expand(len(counts), -1))

    def leave_one_out(self) -> np.ndarray:
        """Parameters without each unit, shape (n_units, P); NaN for those that a unit alone determines.

        Raises
        ------
        DataError
            There are too many units and rows.
        """
        if float(self.n_units) * len(self.order) > MOST_CELLS:
            raise DataError(
                f"fitting {len(self.order):,} rows again without each of {self.n_units:,} units takes too long; take "
                "cluster= with fewer clusters, or get_influence().d_params, one step of it."
            )
        parts = []
        for part in slices(self.n_units, max(CELLS_AT_ONCE // self.n_units, 1)):
            counts = torch.ones(part.stop - part.start, self.n_units, dtype=torch.float64)
            counts[torch.arange(len(counts)), torch.arange(part.start, part.stop)] = 0
            begin = self.begin.expand(len(counts), -1) if self.without is None else self.without[part]
            parts.append(self._refit(counts, begin))
        return np.concatenate(parts)

    def influence(self) -> np.ndarray:
        """Derivatives of the parameters in the count of each unit, shape (n_units, P)."""
        return self.scores

    # -- climbing ---------------------------------------------------------------------------------

    @cached_property
    def _asked(self) -> tuple[SeveralModel, DrawnRows]:
        return self._written(self.blueprint)

    def _written(self, blueprint: Blueprint) -> tuple[SeveralModel, DrawnRows]:
        model = blueprint.model(self.designs)
        return model, DrawnRows.of(model, self.order)

    def _refit(self, counts: Tensor, begin: Tensor) -> np.ndarray:
        model, rows = self._asked
        cells = len(self.order) * len(model.stacked.owner)
        with threads_for(float(len(counts)) * len(self.order) * model.stacked.size**2), np.errstate(all="ignore"):
            return np.concatenate(
                [
                    self._climbed(self.blueprint, model, rows, self._weights(counts[part]), begin[part])[1]
                    for part in slices(len(counts), max(CELLS_AT_ONCE // cells, 1))
                ]
            )

    def _weights(self, counts: Tensor) -> Tensor:
        """Weights of the rows, shape (draws, n)."""
        of_rows = counts if self.units is None else counts[:, self.units]
        return of_rows if self.weights is None else of_rows * self.weights

    def _climbed(
        self, blueprint: Blueprint, model: SeveralModel, rows: DrawnRows, weights: Tensor, begin: Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        """Maxima and parameters of draws, at a boundary those of the simpler family, as of the sample."""
        drawn = DrawnModel(rows, weights)
        found = climb(drawn, drawn.start(begin))
        theta, values = found.theta[:, :-1], found.value.numpy()
        params = self._parameters(model, drawn, found.theta)
        inside = np.ones(len(params), dtype=bool)
        for j, predictor in enumerate(blueprint.family.predictors):
            simpler = blueprint.without(predictor.name)
            if simpler is None:
                continue
            highest = torch.where(weights > 0, rows.predictor(theta, j), -torch.inf).amax(1).numpy()
            far = np.flatnonzero(inside & ~(highest > FAR))
            if not far.size:
                continue
            kept = torch.cat([theta[far, own] for i, own in enumerate(model.stacked.blocks) if i != j], dim=1)
            there, at_limit = self._climbed(simpler, *self._written(simpler), weights[far], kept)
            taken = ~(values[far] > there + BOUNDARY)
            inside[far[taken]], params[far[taken]] = False, at_limit[taken]
        return values, params

    def _parameters(self, model: SeveralModel, drawn: DrawnModel, points: Tensor) -> np.ndarray:
        """Parameters of each draw, shape (draws, P); NaN where it does not determine them, or has no maximum."""
        _, gradients, hessians = (x.numpy() for x in drawn.derivatives(points))
        out = np.full((len(points), self.layout.size), np.nan)
        for b, theta in enumerate(points[:, :-1].numpy()):
            if not np.isfinite(hessians[b]).all():
                continue
            params, jacobian = parameters_at(self.layout, self.blueprint.family, model, theta)
            top = Top(theta, np.nan, gradients[b], -hessians[b], np.nan)
            sizes = sizes_of(self.layout, model.family, model.stacked, params, top.information / len(self.order))
            known = determined(top, jacobian, 1.0, sizes)
            if float(np.sum((gradients[b] @ known.whiten) ** 2)) < CONVERGED:
                out[b] = np.where(known.lost, np.nan, params)
        return out


class SeveralResampling(SeveralEstimates, Bootstraps):
    """Resampling of rows or clusters: every draw is fitted to its maximum, from the estimates of the sample."""

    @property
    def _undrawn(self) -> str:
        return "in a draw whose levels are separated, or that has no zeros in excess, coefficients run to infinity"

    def _refit(self, cluster: Any) -> tuple[SeveralRefit, float, str]:
        """How to fit again, degrees of freedom of t, and what the units are called."""
        if self.df_resid <= 0:
            raise DataError(f"{self.nobs:g} observations leave no degrees of freedom to resample.")
        moments = self.moments()
        if cluster is None:
            return self._refit_of(None), moments.df_resid, "rows"
        labels = clusters_of(moments, cluster)
        return self._refit_of(labels), labels.count - 1.0, labels.name

    def _refit_of(self, labels: Labels | None) -> SeveralRefit:
        """Gather the rows; those with frequency weights are repeated, unless clusters are drawn."""
        designs, scores = designs_of(self.held_rows("resampling"), self.recipes), self.information.scores()
        assert isinstance(scores, StackedScores)
        weights = designs[""].weights
        order = torch.arange(designs[""].n_rows)
        if labels is None and self.weights_type == "frequency" and weights is not None:
            order, weights = order.repeat_interleave(weights.long()), None
        begin = self._beginning(designs)
        without = None
        if labels is None and self.limit == self.family:
            without = begin - as_tensor(scores.repeated(deletion_moves(scores)) @ scores.whiten.T)
        sums = scores.dense() if labels is None else scores.by(labels.codes, labels.count)
        return SeveralRefit(
            layout=self.layout,
            blueprint=self.blueprint,
            designs=designs,
            begin=begin,
            without=without,
            order=order,
            weights=None if weights is None else weights / unit_of(self.blueprint, designs),
            units=None if labels is None else torch.from_numpy(labels.codes),
            n_units=len(order) if labels is None else labels.count,
            scores=sums @ self.information.lift.T,
        )

    def _beginning(self, designs: Mapping[str, Design]) -> Tensor:
        """Coordinates of the estimates, shape (size,); where a predictor is at its boundary, those of a first guess."""
        model, place = self.blueprint.model(designs), 0
        begin, blocks = model.begin()[0].clone(), dict(zip(self.family.predictors, model.stacked.blocks, strict=True))
        for predictor in self.limit.predictors:
            size = blocks[predictor].stop - blocks[predictor].start
            begin[blocks[predictor]] = torch.from_numpy(self.theta[place : place + size])
            place += size
        return begin
