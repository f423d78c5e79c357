"""Whether one model is nested in another, and the restrictions that make it so.

Two designs over the same rows are read side by side in row blocks; neither is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.inference.anova import effects
from formula_torch.inference.hypotheses import Hypotheses
from formula_torch.inference.linear_rows import orthonormal_rows
from formula_torch.numerics.arrays import CELLS_AT_ONCE
from formula_torch.numerics.random import generator_of

__all__ = ["distance_to_span", "restrictions"]

# Random combinations of the restricted model's columns that are tried: all of them lie by chance in the
# span of a model that lacks one of the columns with a probability near 1e-6 to this power.
TRIES = 2


def distance_to_span(
    inner: Design, inner_at: Coordinates, outer: Design, outer_at: Coordinates, shift: Tensor | None = None
) -> float:
    """Distance of the columns of a design to the span of another's, as a share of their length.

    Random combinations of the inner columns, every direction with the same weight, are
    projected on the outer ones.

    Parameters
    ----------
    inner, outer : Design
        Of the same rows and weights.
    inner_at, outer_at : Coordinates
    shift : Tensor, shape (n,), optional
        A further column that must be in the span: the difference of the offsets.

    Returns
    -------
    float
        Some 1e-15 times the condition of the columns where nested, else what the combinations lack, about 1
        unless the nearest columns are near.
    """
    draws = torch.randn(inner_at.rank, TRIES, generator=generator_of(0), dtype=torch.float64).numpy()
    direction = inner_at.whiten @ draws
    targets = _Targets(inner_at.standardised(inner), direction, shift)
    far = outer_at.standardised(outer)
    share, _, total = _remaining(targets, far, outer_at.whiten, np.zeros((outer_at.rank, targets.count)))
    rest, length, _ = _remaining(targets, far, outer_at.whiten, share)
    # What is left along the outer columns is the rounding of the first projection.
    outside = np.maximum(length - (rest**2).sum(0), 0.0)
    return float(np.sqrt((outside / np.where(total > 0, total, 1.0)).max()))


@dataclass(frozen=True, eq=False)
class _Targets:
    """Vectors to be projected: combinations of columns and, last, the difference of the offsets."""

    design: Design
    direction: np.ndarray
    shift: Tensor | None

    @property
    def count(self) -> int:
        return TRIES + (self.shift is not None)

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        for rows, batch in self.design.formed():
            made = batch.matmat(self.direction)
            yield rows, made if self.shift is None else torch.cat([made, self.shift[rows][None]])


def _remaining(
    targets: _Targets, outer: Design, whiten: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q'W r with r = t - Q share, and the squared lengths of r and of t, for each target t."""
    found, length, total = np.zeros_like(share), np.zeros(share.shape[1]), np.zeros(share.shape[1])
    for (rows, target), (_, batch) in zip(targets.blocks(), outer.formed(), strict=True):
        rest = target - batch.matmat(whiten @ share)
        weights = torch.ones_like(rest[0]) if outer.weights is None else outer.weights[rows]
        found += whiten.T @ np.column_stack([batch.rmatvec(row * weights) for row in rest])
        length += (rest * rest * weights).sum(1).numpy()
        total += (target * target * weights).sum(1).numpy()
    return found, length, total


def restrictions(
    inner: Design,
    inner_at: Coordinates,
    outer: Design,
    outer_at: Coordinates,
    params: np.ndarray,
    shift: Tensor | None = None,
) -> Hypotheses:
    """State what the outer model must satisfy to be the inner one, as linear hypotheses on its coefficients.

    In orthonormal coordinates the inner model is the span of A = Q'W Q_inner, and the hypotheses
    say that gamma has nothing along its orthogonal complement but what the offsets put there.

    Parameters
    ----------
    inner, outer : Design
        Of the same rows and weights, the first nested in the second.
    inner_at, outer_at : Coordinates
    params : array, shape (k,)
        Coefficients of the outer model, NaN where aliased.
    shift : Tensor, shape (n,), optional
        Offset of the inner model less that of the outer one.
    """
    shared, moved = np.zeros((outer_at.rank, inner_at.rank)), np.zeros(outer_at.rank)
    height = max(1, CELLS_AT_ONCE // max(outer_at.rank, inner_at.rank, 1))
    near_rows = orthonormal_rows(inner, inner_at, np.eye(inner_at.rank), height)
    far_rows = orthonormal_rows(outer, outer_at, np.eye(outer_at.rank), height)
    for (rows, near), (_, far) in zip(near_rows, far_rows, strict=True):
        weighted = far if outer.weights is None else far * outer.weights[rows]
        shared += (weighted @ near.mT).numpy()
        moved += 0.0 if shift is None else (weighted @ shift[rows]).numpy()
    complement = np.linalg.svd(shared)[0][:, inner_at.rank :].T
    jacobian = np.zeros((len(complement), len(params)))
    jacobian[:, outer_at.kept] = complement @ outer_at.raw_root
    texts = tuple(f"restriction {i + 1}" for i in range(len(jacobian)))
    linear = np.ones(len(jacobian), dtype=bool)
    return Hypotheses(texts, complement @ effects(outer_at, params), complement @ moved, jacobian, linear)
