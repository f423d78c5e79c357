"""The mean loss of rows under a predictor, linear or not: half the mean deviance, and its gradient.

    L(theta) = sum_i w_i d(y_i, m(eta_i)) / (2 n),    eta_i = o_i + f(x_i; theta),    dL/dtheta = -J's / n

with weights of mean one, s the scores of the rows in eta, and J the derivatives of f: a predictor multiplies by J'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.design.unit_columns import UnitColumns
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.numerics.arrays import slices

__all__ = ["DenseColumns", "DesignColumns", "Predictor", "ResponseUnit", "RowLoss", "linear_rows", "loss_of"]

Pull = Callable[[Tensor], Tensor]
# Numbers that a matrix of all rows may have; beyond, rows are written out block by block.
DENSE_CELLS = 50_000_000
# Numbers in a block of rows that is written out, or goes through a network, at once.
BLOCK_CELLS = 4_000_000


class Predictor(Protocol):
    """A function of a vector and the rows it holds."""

    @property
    def height(self) -> int:
        """Rows to take at once."""
        ...

    def at(self, theta: Tensor, rows: slice) -> tuple[Tensor, Pull]:
        """Return f of some rows, shape (n,), and the product with J', from shape (n,) to shape (p,)."""
        ...

    def permuted(self, order: Tensor) -> Self:
        """Return the rows in another order."""
        ...


@dataclass(frozen=True, eq=False)
class DenseColumns:
    """The linear predictor of a matrix of columns, shape (n, p)."""

    z: Tensor

    @property
    def height(self) -> int:
        """Rows to take at once: all."""
        return max(len(self.z), 1)

    def at(self, theta: Tensor, rows: slice) -> tuple[Tensor, Pull]:
        """Return Z theta, and the product with Z'."""
        z = self.z[rows]
        return z @ theta, z.mT.matmul

    def permuted(self, order: Tensor) -> DenseColumns:
        """Return the rows in another order."""
        return DenseColumns(self.z[order])


@dataclass(frozen=True, eq=False)
class DesignColumns:
    """The linear predictor of a design whose rows are written out when they are needed; factors stay codes."""

    design: Design
    order: Tensor | None = None

    @property
    def height(self) -> int:
        """Rows to take at once."""
        return max(BLOCK_CELLS // max(self.design.k, 1), 1)

    def at(self, theta: Tensor, rows: slice) -> tuple[Tensor, Pull]:
        """Return X theta, and the product with X'."""
        some = self.design.rows(rows.start, rows.stop) if self.order is None else self.design.taken(self.order[rows])
        batch = some.form()

        def pull(d: Tensor) -> Tensor:
            return torch.from_numpy(batch.rmatvec(d)).to(theta.device)

        return batch.matvec(theta.detach().cpu().numpy()), pull

    def permuted(self, order: Tensor) -> DesignColumns:
        """Return the rows in another order."""
        return replace(self, order=order.to(self.design.device))


def linear_rows(design: Design) -> DenseColumns | DesignColumns:
    """Return the linear predictor of a design, written out where it is small."""
    if design.n_rows * design.k > DENSE_CELLS:
        return DesignColumns(design)
    return DenseColumns(design.block().mT.contiguous())


@dataclass(frozen=True, eq=False)
class RowLoss:
    """The mean loss of rows.

    Parameters
    ----------
    predictor : Predictor
    family : GeneralizedFamily
    y : Tensor, shape (n,)
    weights : Tensor, shape (n,), or None
        Of mean one.
    offset : Tensor, shape (n,), or None
    scale : float
        ``eta = offset + scale f``.
    """

    predictor: Predictor
    family: GeneralizedFamily
    y: Tensor
    weights: Tensor | None
    offset: Tensor | None
    scale: float = 1.0

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.y)

    def gradient(self, theta: Tensor, rows: slice) -> Tensor:
        """Gradient of the mean loss of some rows, shape (p,)."""
        eta, pull = self._predicted(theta, rows)
        score = self.family.score(self.y[rows], eta)
        if self.weights is not None:
            score = score * self.weights[rows]
        return pull(score).mul_(-self.scale / (rows.stop - rows.start))

    def evaluate(self, theta: Tensor) -> tuple[float, Tensor]:
        """Mean loss of all rows, and its gradient."""
        total, gradient = 0.0, torch.zeros_like(theta)
        for rows in slices(self.n_rows, self.predictor.height):
            eta, pull = self._predicted(theta, rows)
            loss, score = self.family.deviance(self.y[rows], eta), self.family.score(self.y[rows], eta)
            if self.weights is not None:
                loss, score = loss * self.weights[rows], score * self.weights[rows]
            total += float(loss.sum()) / 2
            gradient -= pull(score)
        return total / self.n_rows, gradient * (self.scale / self.n_rows)

    def of_unit_weight(self) -> Self:
        """Return the rows with weights of mean one."""
        return self if self.weights is None else replace(self, weights=self.weights / self.weights.mean())

    def predicted(self, theta: Tensor) -> Tensor:
        """Linear predictor of all rows, offset included, shape (n,)."""
        with torch.no_grad():
            return torch.cat([self._predicted(theta, rows)[0] for rows in slices(self.n_rows, self.predictor.height)])

    def _predicted(self, theta: Tensor, rows: slice) -> tuple[Tensor, Pull]:
        eta, pull = self.predictor.at(theta, rows)
        if self.scale != 1:
            eta = eta * self.scale
        return (eta if self.offset is None else eta + self.offset[rows]), pull

    def permuted(self, order: Tensor) -> Self:
        """Return the rows in another order, or some of them."""
        order = order.to(self.y.device)
        return replace(
            self,
            predictor=self.predictor.permuted(order),
            y=self.y[order],
            weights=None if self.weights is None else self.weights[order],
            offset=None if self.offset is None else self.offset[order],
        )


def _middle(family: GeneralizedFamily, design: Design, weights: Tensor | None) -> float:
    """Linear predictor of the mean response, less the mean offset; zero where the link has no value there."""
    assert design.y is not None
    y, offset = design.y, torch.zeros(()) if design.offset is None else design.offset
    mean = y.mean() if weights is None else (weights * y).mean()
    shift = float(family.link.link(mean) - offset.mean())
    return shift if math.isfinite(shift) else 0.0


def _has_units(family: GeneralizedFamily) -> bool:
    """Whether a predictor is in units of the response, as that of the inverse is, and that of the logarithm is not."""
    return not family.exponential and not family.distribution.of_shares


@dataclass(frozen=True)
class ResponseUnit:
    """The units in which a predictor is sought: ``eta = offset + shift + scale f``.

    Parameters
    ----------
    shift, scale : float
        Of the normal ``u = (y - offset - shift) / scale`` has mean zero and variance one; else the shift is the
        predictor of the mean, and the scale one, or that of the shift where predictors have units.
    loss : float
        What makes of a mean loss of u that of y: of the normal the mean of squares, of others half the mean deviance.
    """

    shift: float = 0.0
    scale: float = 1.0
    loss: float = 1.0

    def params(self, columns: UnitColumns, beta: np.ndarray) -> np.ndarray:
        """Coefficients of standardised columns, for u, to those of the columns as they came, for y; shape (k,)."""
        params = columns.params(beta) * self.scale
        if columns.constant is not None:
            params[columns.constant] += self.shift
        return params


def loss_of(
    predictor: Predictor, family: GeneralizedFamily, design: Design, *, centred: bool
) -> tuple[RowLoss, ResponseUnit]:
    """Return the mean loss of the rows of a design; with an identity link of a response of unit size.

    Parameters
    ----------
    predictor : Predictor
    family : GeneralizedFamily
    design : Design
        For response, weights and offset.
    centred : bool
        Whether the predictor has a constant to take up the mean of the response.
    """
    assert design.y is not None
    w = None if design.weights is None else design.weights / design.weights.mean()
    if not family.is_normal_linear:
        shift = _middle(family, design, w) if centred else 0.0
        offset = design.offset
        if shift:
            offset = torch.full_like(design.y, shift) if offset is None else offset + shift
        scale = abs(shift) if shift and _has_units(family) else 1.0
        return RowLoss(predictor, family, design.y, w, offset, scale), ResponseUnit(shift, scale)
    y = design.response
    shift = 0.0 if not centred else float(y.mean() if w is None else (w * y).mean())
    rest = y - shift
    spread = float(np.sqrt(float((rest**2 if w is None else w * rest**2).mean())))
    spread = spread if spread > 0 else 1.0
    unit = ResponseUnit(shift, spread, 2 * spread**2)
    return RowLoss(predictor, family, rest / unit.scale, w, None), unit
