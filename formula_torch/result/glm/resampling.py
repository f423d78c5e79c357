"""Bootstrap and jackknife of a generalised linear model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from formula_torch.errors import DataError
from formula_torch.inference.moments import Labels, Moments
from formula_torch.inference.rescored import ScoredRefit
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.bootstraps import Bootstraps, clusters_of
from formula_torch.result.glm.base import Generalized

__all__ = ["GlmResampling"]


class GlmResampling(Generalized, Bootstraps):
    """Resampling of rows or clusters: every draw is fitted to its maximum, from the estimates of the sample."""

    @property
    def _undrawn(self) -> str:
        return "in a draw whose outcomes are separated coefficients run to infinity"

    def _refit(self, cluster: Any) -> tuple[ScoredRefit, float, str]:
        """How to fit again, degrees of freedom of t, and what the units are called."""
        if self.df_resid <= 0:
            raise DataError(f"{self.nobs:g} observations leave no degrees of freedom to resample.")
        moments = self.moments()
        if cluster is None:
            return self._scored_refit(moments, None), moments.df_resid, "rows"
        labels = clusters_of(moments, cluster)
        return self._scored_refit(moments, labels), labels.count - 1.0, labels.name

    def _scored_refit(self, moments: Moments, labels: Labels | None) -> ScoredRefit:
        """Gather the rows, those with frequency weights repeated."""
        y, eta, weights = (values.numpy() for values in self._own_rows("resampling"))
        scores = replace(self.row_scores("resampling"), weigh=None)
        device = torch.device(self.call.device)

        def of_rows(values: np.ndarray) -> torch.Tensor:
            return as_tensor(scores.repeated(values), device)

        rows = as_tensor(scores.orthonormal(), device)
        analytic = self.weights_type not in (None, "frequency") or bool((weights != 1).any())
        return ScoredRefit(
            estimates=self.coefficients,
            lift=moments.lift,
            rows=rows,
            family=self.family,
            y=of_rows(y),
            eta=of_rows(eta),
            weights=of_rows(weights) if analytic else None,
            scale=self.scale if self.scale > 0 else 1.0,
            units=None if labels is None else of_rows(labels.codes),
            n_units=len(rows) if labels is None else labels.count,
        )
