"""A network with what it is fed and the units of what it returns, and the moments of its weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.inference.moments import Labels, Moments, blanked
from formula_torch.models.glm import Fitness, GlmModel
from formula_torch.models.network import NetworkFunction
from formula_torch.models.network_rows import NetworkLoss, NetworkRows
from formula_torch.models.network_scores import Identified, NetworkScores, gauss_newton, identified
from formula_torch.models.row_loss import BLOCK_CELLS, ResponseUnit
from formula_torch.numerics.arrays import slices
from formula_torch.result.network.inputs import Inputs

__all__ = ["MOVED", "Machine", "network_moments"]

# A weight is not determined where it moves by more than this share along directions that change no prediction.
MOVED = 1e-6


@dataclass(frozen=True, eq=False)
class Machine:
    """The linear predictor as a network has it: ``eta = offset + shift + scale f(inputs; theta)``.

    Parameters
    ----------
    function : NetworkFunction
    inputs : Inputs
    unit : ResponseUnit
    """

    function: NetworkFunction
    inputs: Inputs
    unit: ResponseUnit

    @property
    def height(self) -> int:
        """Rows to take at once."""
        return max(BLOCK_CELLS // max(self.function.width, 1), 1)

    def rows(self, design: Design) -> NetworkRows:
        """Return the rows of a design as the network sees them."""
        return NetworkRows(self.function, self.inputs.matrix(design))

    def eta(self, design: Design, theta: Tensor) -> Tensor:
        """Linear predictor of the rows of a design, its offset included, shape (n,)."""
        rows = self.rows(design)
        with torch.no_grad():
            parts = [self.function.eta(theta, rows.x[part]) for part in slices(design.n_rows, rows.height)]
        eta = self.unit.shift + self.unit.scale * torch.cat([*parts, design.empty(0)])
        return eta if design.offset is None else eta + design.offset

    def loss(self, design: Design, family: GeneralizedFamily) -> NetworkLoss:
        """Return the mean loss of the rows of a design, in the units that the weights were found in."""
        assert design.y is not None
        weights = None if design.weights is None else design.weights / design.weights.mean()
        y, offset = design.y, design.offset
        if family.is_normal_linear:
            y, offset = (design.response - self.unit.shift) / self.unit.scale, None
        elif self.unit.shift:
            shift = torch.full_like(y, self.unit.shift)
            offset = shift if offset is None else offset + shift
        return NetworkLoss(self.rows(design), family, y, weights, offset)

    def identified(self, design: Design, theta: Tensor, model: GlmModel) -> Identified:
        """Directions of the weights that the rows of a design determine."""
        assert design.y is not None
        information = model.information(design.y, self.eta(design, theta)) * self.unit.scale**2
        weights = information if design.weights is None else information * design.weights
        return identified(gauss_newton(self.rows(design), theta, weights))

    def scores(self, design: Design, theta: Tensor, model: GlmModel, known: Identified) -> NetworkScores:
        """Scores of the weights, in the coordinates of the directions that are determined."""
        assert design.y is not None
        eta = self.eta(design, theta)
        # f is the predictor but for its unit.
        slopes = model.family.score(design.y, eta) * self.unit.scale
        information = model.information(design.y, eta) * self.unit.scale**2
        if design.weights is not None and not model.counted:
            slopes, information = slopes * design.weights, information * design.weights
        counts = design.weights if model.counted else None
        lift = torch.as_tensor(known.lift, device=design.device)
        return NetworkScores(self.rows(design), theta, lift, slopes, information, counts)


def network_moments(
    known: Identified,
    model: GlmModel,
    fitted: Fitness,
    scores: Callable[[], NetworkScores],
    labels: Callable[[Any, str], Labels],
) -> Moments:
    """Gather what covariance estimators see of a network.

    Parameters
    ----------
    known : Identified
    model : GlmModel
    fitted : Fitness
    scores, labels : callable
        As of ``Moments``.
    """
    lost = np.linalg.norm(known.null_space, axis=0) > MOVED
    return Moments(
        bread=blanked(known.lift @ known.lift.T, lost),
        lift=known.lift,
        scale=fitted.scale,
        dispersion=fitted.deviance / model.n_obs if model.family.is_normal_linear else fitted.scale,
        n_obs=model.n_obs,
        n_params=float(known.rank),
        df_resid=math.inf,
        scores=scores,
        labels=labels,
        # Effects have their errors from it, where the weights have none.
        cores=True,
        df_denom=model.n_obs - known.rank,
    )
