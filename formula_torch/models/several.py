"""A family of several predictors over rows: what a solver climbs, and the scores and information at its top.

    l(theta) = sum_i w_i l(y_i; eta_i1, ..., eta_im)

Analytic and frequency weights alike multiply the log-likelihood of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.stacked import Stacked
from formula_torch.design.stacked_scores import StackedScores
from formula_torch.errors import DataError
from formula_torch.families.several import Derivatives, SeveralFamily

__all__ = ["SeveralModel", "Top", "longest", "polished"]

# No logarithm or log odds may move by more than this in one step, on average over the rows.
LONGEST = 4.0
# Newton's decrement below which what is left is rounding.
DECREMENT = 1e-12
POLISHING = 4


@dataclass(frozen=True, eq=False)
class SeveralModel:
    """The log-likelihood of rows as a function of theta, in the form a solver takes: a batch of points.

    Parameters
    ----------
    family : SeveralFamily
    stacked : Stacked
    y : Tensor, shape (n,) or (n, columns)
    weights : Tensor, shape (n,), or None
    """

    family: SeveralFamily
    stacked: Stacked
    y: Tensor
    weights: Tensor | None

    def rows(self, rows: slice, eta: Tensor) -> Derivatives:
        """Derivatives of rows, times their weights."""
        found = self.family.derivatives(self.y[rows], eta)
        if self.weights is None:
            return found
        w = self.weights[rows]

        def second(j: int, k: int) -> Tensor | None:
            own = found.second(j, k)
            return None if own is None else own * w

        return Derivatives(found.value * w, found.first * w, second)

    def _loglik(self, rows: slice, eta: Tensor) -> Tensor:
        value = self.family.loglik(self.y[rows], eta)
        return value if self.weights is None else value * self.weights[rows]

    def begin(self) -> Tensor:
        """The point that comes nearest to the family's beginning, shape (1, size)."""
        target = self.family.begin(self.y, self.weights)
        if self.family.cutpoints and (offset := self.stacked.offsets[0]) is not None:
            # Where the columns have no constant, the cutpoints take the place of an offset's mean.
            target = target + offset.mean()
        return torch.from_numpy(self.stacked.project(target, self.weights))[None]

    # -- what a solver sees -----------------------------------------------------------------------

    def value(self, theta: Tensor) -> Tensor:
        """Log-likelihoods, shape (B,)."""
        return torch.tensor([self.stacked.value(t.numpy(), self._loglik) for t in theta], dtype=torch.float64)

    def derivatives(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-likelihoods (B,), gradients (B, P) and Hessians (B, P, P)."""
        found = [self.stacked.derivatives(t.numpy(), self.rows) for t in theta]
        value = torch.tensor([f[0] for f in found], dtype=torch.float64)
        return value, *(torch.from_numpy(np.stack([f[i] for f in found])) for i in (1, 2))  # type: ignore[return-value]

    def moved(self, theta: Tensor, step: Tensor) -> Tensor:
        """Points after steps."""
        return theta + step

    def longest(self, theta: Tensor, step: Tensor) -> Tensor:  # noqa: ARG002 - the protocol's signature
        """Share of each step that moves no predictor too far."""
        return longest(self.family, self.stacked, step)

    def rescue(self, theta: Tensor) -> Tensor:
        """The points themselves: no better map than Newton's is known."""
        return theta

    # -- inference --------------------------------------------------------------------------------

    def scores(self, theta: np.ndarray, whiten: np.ndarray, *, counted: bool) -> StackedScores:
        """Scores of the rows as an operator.

        Parameters
        ----------
        theta : array, shape (size,)
        whiten : array, shape (size, rank)
            From coordinates in which the information is the identity.
        counted : bool
            Weights are counts of rows.
        """
        if counted and self.weights is not None:
            alone = SeveralModel(self.family, self.stacked, self.y, None)
            return StackedScores(self.stacked, theta, alone.rows, whiten, self.weights)
        return StackedScores(self.stacked, theta, self.rows, whiten)


def longest(family: SeveralFamily, stacked: Stacked, step: Tensor) -> Tensor:
    """Share of each step that moves no logarithm too far, shape (B,); steps have shape (B, size)."""
    blocks = [block for p, block in zip(family.predictors, stacked.blocks, strict=True) if p.logarithmic]
    sizes = torch.stack([torch.zeros_like(step[:, 0]), *(step[:, block].norm(dim=1) for block in blocks)])
    return (LONGEST / sizes.amax(0).clamp(min=1e-300)).clamp(max=1.0)


@dataclass(frozen=True, eq=False)
class Top:
    """A maximum, with the information there.

    Parameters
    ----------
    theta : array, shape (size,)
    value : float
    gradient : array, shape (size,)
    information : array, shape (size, size)
        Observed: the negative Hessian.
    decrement : float
        g'I^-1 g, twice the gain that another step would promise.
    """

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    information: np.ndarray
    decrement: float

    def times(self, level: float) -> Top:
        """The same with all weights multiplied; the decrement stays."""
        return Top(self.theta, self.value * level, self.gradient * level, self.information * level, self.decrement)


def polished(model: SeveralModel, theta: np.ndarray) -> Top:
    """Take what is left of Newton's steps, which rounding hides from a search by the value.

    Parameters
    ----------
    model : SeveralModel
    theta : array, shape (size,)
        Near a maximum.
    """
    top = _top(model, theta)
    for _ in range(POLISHING):
        if not DECREMENT < top.decrement < 1e-3:
            break
        there = _top(model, top.theta + _step(top.gradient, top.information))
        if not there.decrement < top.decrement:
            break
        top = there
    return top


def _top(model: SeveralModel, theta: np.ndarray) -> Top:
    value, gradient, hessian = model.stacked.derivatives(theta, model.rows)
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        raise DataError(
            f"the log-likelihood of family={model.family.name!r} leaves the range of numbers; look for an offset, a "
            "weight or a column with very large values, and rescale it."
        )
    return Top(theta, value, gradient, -hessian, float(gradient @ _step(gradient, -hessian)))


def _step(gradient: np.ndarray, information: np.ndarray) -> np.ndarray:
    """I^-1 g; a direction without curvature is left as it is."""
    size = np.sqrt(np.abs(np.diag(information)).clip(min=1e-300))
    # torch's keeps to one thread where it is told to.
    values, vectors = (x.numpy() for x in torch.linalg.eigh(torch.from_numpy(information / size / size[:, None])))
    along = vectors.T @ (gradient / size)
    inner = np.where(values > 1e-7, along / np.where(values > 1e-7, values, 1.0), 0.0)
    return (vectors @ inner) / size
