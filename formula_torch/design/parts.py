"""The columns that a linear predictor takes, in coordinates of unit size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from formula_torch.design.auxiliary import constant_alone
from formula_torch.design.blocks import NumericBlock
from formula_torch.design.coordinates import Coordinates
from formula_torch.design.design import Design

__all__ = ["Part", "constant_part", "part_of", "side_by_side"]


@dataclass(frozen=True, eq=False)
class Part:
    """A design whose columns a predictor takes.

    Parameters
    ----------
    design : Design
        Its columns shifted and scaled.
    whiten : array, shape (k, rank)
        Coefficients of these columns from coordinates.
    lift : array, shape (k, rank)
        Coefficients of the columns as they came; NaN rows where aliased.
    condition : float
        Of the columns.
    constant : bool
        The only column is 1.
    """

    design: Design
    whiten: np.ndarray
    lift: np.ndarray
    condition: float = 1.0
    constant: bool = False

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return self.whiten.shape[1]

    def without_constant(self) -> Part:
        """Leave the coordinate of the constant out: the others are of columns about their means.

        The row of the constant in `lift` then says by how much their combinations differ from those of the columns
        as they came.
        """
        position = self.design.constant
        assert position == 0, "the constant comes first"
        return replace(self, whiten=self.whiten[:, 1:], lift=self.lift[:, 1:], constant=False)


def part_of(design: Design, coordinates: Coordinates, total: float) -> Part:
    """Put the columns of a design into coordinates.

    Parameters
    ----------
    design : Design
    coordinates : Coordinates
        In which the weighted sum of squares is the identity.
    total : float
        Sum of the weights.
    """
    size = math.sqrt(total)
    constant = not design.factors and design.numeric.products == ((),)
    return Part(
        coordinates.standardised(design),
        coordinates.whiten * size,
        coordinates.lift * size,
        coordinates.condition,
        constant,
    )


def constant_part(design: Design) -> Part:
    """The constant alone, over the rows of a design."""
    return Part(constant_alone(design), np.ones((1, 1)), np.ones((1, 1)), constant=True)


def side_by_side(one: Design, other: Design) -> Design:
    """The columns of two designs of the same rows as those of one."""
    k, bases = one.k, len(one.bases)

    def moved(product: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(i + bases for i in product)

    numeric = NumericBlock(
        (*one.numeric.products, *map(moved, other.numeric.products)),
        np.concatenate([one.numeric.columns, other.numeric.columns + k]),
        np.concatenate([one.numeric.shift, other.numeric.shift]),
        np.concatenate([one.numeric.scale, other.numeric.scale]),
    )
    # A factor of both designs counts its cells alike, unless it lost different levels.
    known = {f.cells: f.codes for f in one.factors}
    factors = [
        replace(
            f,
            columns=f.columns + k,
            value=None if f.value is None else moved(f.value),
            cells=f.cells if f.cells not in known or torch.equal(known[f.cells], f.codes) else f"{f.cells} (2)",
        )
        for f in other.factors
    ]
    return replace(
        one,
        names=(*one.names, *other.names),
        bases=(*one.bases, *other.bases),
        numeric=numeric,
        factors=(*one.factors, *factors),
    )
