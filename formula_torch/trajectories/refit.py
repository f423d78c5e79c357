"""A trajectory model fitted again to other counts of its units, by climbs that begin at the estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from formula_torch.inference.dense_scores import DenseScores
from formula_torch.inference.moments import Moments
from formula_torch.models.mixture import Mixture
from formula_torch.models.mixture.ascent import Ascent
from formula_torch.numerics.arrays import slices
from formula_torch.numerics.threads import threads_for
from formula_torch.solvers.newton import Climb, climb
from formula_torch.trajectories.parameters import Parameters
from formula_torch.trajectories.verdict import UNFINISHED

__all__ = ["UnitRefit"]

# Least eigenvalue of the scaled information at which a climb has not ended at a strict maximum.
SINGULAR_CURVATURE = 1e-8

# Units that are left out in one go.
AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class UnitRefit:
    """Units that count several times. A unit of weight w is w units.

    Every climb begins at the estimate, so that the groups keep their numbers.

    Parameters
    ----------
    mixture : Mixture
    theta : Tensor, shape (K, D)
        The estimate.
    parameters : Parameters
    profiles : int64 Tensor, shape (n,)
        Which of the mixture's distinct units each one is.
    weights : Tensor, shape (n,)
        How many units each one stands for.
    moments : Moments
        At the estimate.
    """

    mixture: Mixture
    theta: Tensor
    parameters: Parameters
    profiles: Tensor
    weights: Tensor
    moments: Moments

    @cached_property
    def profile(self) -> Tensor:
        """Distinct unit of every copy, shape (n_units,); only whole weights say how many copies there are."""
        return torch.repeat_interleave(self.profiles, self.weights.to(torch.int64))

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.profile)

    def refit(self, counts: Tensor) -> np.ndarray:
        """Parameters for counts of shape (draws, n_units), shape (draws, P); a row of NaN where there is no maximum."""
        weights = counts.new_zeros(len(counts), self.mixture.units.n).index_add_(1, self.profile, counts)
        with threads_for(0.0):
            return np.stack([self._parameters(row) for row in weights])

    def leave_one_out(self) -> np.ndarray:
        """Parameters without each unit, shape (n_units, P); equal units are left out once."""
        distinct, which = torch.unique(self.profile, return_inverse=True)
        whole = torch.bincount(self.profile, minlength=self.mixture.units.n).to(torch.float64)
        found = []
        with threads_for(0.0):
            for part in slices(len(distinct), AT_ONCE):
                without = whole.repeat(part.stop - part.start, 1)
                without[torch.arange(len(without)), distinct[part]] -= 1
                found += [self._parameters(row) for row in without]
        return np.stack(found)[which.numpy()]

    def influence(self) -> np.ndarray:
        """Derivatives of the parameters in the count of each unit, shape (n_units, P)."""
        scores = self.moments.scores()
        assert isinstance(scores, DenseScores)
        return scores.each() @ self.moments.lift.T

    def _parameters(self, weights: Tensor) -> np.ndarray:
        """Climb with the distinct units' weights."""
        units = replace(self.mixture.units, weights=weights)
        mixture = replace(self.mixture, units=units, total=float(weights.sum()))
        found = climb(Ascent(mixture), self.theta[None])
        if not _arrived(found):
            return np.full(len(self.parameters.layout.names), np.nan)
        return self.parameters.values(found.theta[0])


def _arrived(found: Climb) -> bool:
    """Whether a climb ended in a strict maximum: no group has lost its units, or collapsed on some."""
    top = bool(found.value[0].isfinite()) and float(found.decrement[0]) <= UNFINISHED
    return top and float(found.curvature[0]) > SINGULAR_CURVATURE
