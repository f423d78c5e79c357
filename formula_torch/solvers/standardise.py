"""Centre and scale the numeric columns inside a solver, and carry the answer back exactly.

Units must never matter: 500,000 dollars, squared, beside a 0/1 indicator, or
a calendar year beside a constant. Scales are powers of two, so that they round
nothing; the factorisations do not feel them, so that they are taken only where
squares would leave the range of float64. Shifts are taken only where the model
has an explicit constant to absorb them; they come from an unweighted sample of
rows, as they condition the problem and change nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design, FactorBlock, NumericBlock
from formula_torch.errors import DataError
from formula_torch.numerics.double_double import DoubleDouble

__all__ = ["Standardised", "standardise"]

# Shift and scale only condition the problem: a sample of rows estimates them well enough.
SAMPLE_ROWS = 4096
# Products of columns beyond 10**300, or below 10**-300, are refused.
LARGEST_EXPONENT = 300


@dataclass(frozen=True, eq=False)
class Standardised:
    """A design Z and response u with X = columns of Z rescaled and shifted.

    Parameters
    ----------
    design : Design
        The standardised regressors.
    source : Design
        The design as it came.
    scales, shifts : array, shape (k,)
        Column j of Z is (x_j - shifts_j) * scales_j.
    shift, scale : float
        Those of the response.
    pivot : float
        A number near the mean of the response, to take sums of squares about; `shift` where there is one.
    """

    design: Design
    source: Design
    scales: np.ndarray
    shifts: np.ndarray
    shift: float
    scale: float
    pivot: float

    @property
    def is_plain(self) -> bool:
        """Whether no unit was so extreme that a column had to be scaled."""
        return bool((self.scales == 1).all())

    def params(self, beta: np.ndarray) -> np.ndarray:
        """Coefficients of Z to coefficients of X, both of shape (k,): b_j s_j, less b_j s_j c_j on the constant."""
        params = beta * self.scales / self.scale
        if self.design.constant is not None:
            params[self.design.constant] += self.shift - params @ self.shifts
        return params

    def combination(self, b: np.ndarray, j: int) -> np.ndarray:
        """z_j = sum b_i z_i to the coefficients c of x_j = sum c_i x_i, both of shape (k,)."""
        moved = b * self.scales / self.scales[j]
        if self.design.constant is not None:
            moved[self.design.constant] += self.shifts[j] - moved @ self.shifts
        return moved

    def lengths(self, gram: np.ndarray) -> np.ndarray:
        """Lengths of the columns as stored; of products those of Z, as their rounding is not in the data."""
        k, weight = self.design.k, gram[-1, -1]
        stored = np.zeros(k, dtype=bool)
        numeric = self.design.numeric
        stored[numeric.columns] = [len(product) == 1 for product in numeric.products]
        return np.sqrt(np.diag(gram)[:k] + np.where(stored, weight * (self.shifts * self.scales) ** 2, 0.0))

    def back(self, kept: list[int]) -> np.ndarray:
        """The matrix that carries coefficients of Z to X (but for `scale` and `shift`), exact in float64."""
        back = np.diag(self.scales[kept])
        if self.design.constant is not None:
            back[kept.index(self.design.constant)] -= (self.scales * self.shifts)[kept]
        return back

    def response(self, rows: slice, pivot: float | None = None) -> Tensor:
        """``(y - offset - shift) * scale`` of some rows; about `pivot` where that is given."""
        assert self.source.y is not None
        u = self.source.y[rows] - (self.shift if pivot is None else pivot)
        if self.source.offset is not None:
            u.sub_(self.source.offset[rows])
        return u if self.scale == 1 else u.mul_(self.scale)

    def exact_response(self, batch: Design) -> DoubleDouble:
        """Response of a row block in double-double: y - offset - shift need not round."""
        assert batch.y is not None
        u = DoubleDouble.of(batch.y)
        for part in (batch.offset, torch.full_like(batch.y, self.shift)):
            u = u if part is None else u - DoubleDouble.of(part)
        return u * torch.full_like(batch.y, self.scale)


def _power_of_two(spread: np.ndarray) -> np.ndarray:
    """2**-round(log2(spread)) where squares could over- or underflow, else 1.

    Cholesky and QR do not feel the scale of a column; only the range of float64 does.
    """
    extreme = (spread > 0) & ((spread > 1e50) | (spread < 1e-50))
    return np.exp2(-np.round(np.log2(np.where(extreme, spread, 1.0))))


def _location_and_spread(rows: Tensor, centred: bool) -> tuple[np.ndarray, np.ndarray]:
    centre = rows.mean(-1) if centred else torch.zeros_like(rows[..., 0])
    # Scaled by the largest entry first, so that the squares of 1e200 do not overflow.
    deviation = (rows - centre[..., None]).abs()
    largest = deviation.amax(-1)
    ratio = deviation / largest.clamp(min=torch.finfo(torch.float64).tiny)[..., None]
    spread = largest * (ratio**2).mean(-1).sqrt()
    return centre.cpu().numpy(), spread.cpu().numpy()


def _sampled_response(design: Design) -> Tensor:
    stride = max(1, design.n_rows // SAMPLE_ROWS)
    assert design.y is not None
    sampled = design.y[::stride] if design.offset is None else design.y[::stride] - design.offset[::stride]
    return sampled if bool((sampled != sampled[0]).any()) else design.response


def _sampled(design: Design) -> Design:
    return replace(design, factors=(), y=None, weights=None, offset=None).thinned(max(1, design.n_rows // SAMPLE_ROWS))


def _numeric_moments(design: Design, centred: bool) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread of the numeric columns, from a sample unless that is constant."""
    centre, spread = _location_and_spread(_sampled(design).form().numeric, centred)
    products = np.array([bool(p) for p in design.numeric.products], dtype=bool)
    # A rare indicator may be zero throughout the sample. One column at a time: all at once would be dense.
    for j in np.flatnonzero(products & (spread == 0)):
        centre[j], spread[j] = _location_and_spread(_column(design, int(j)), centred)
    return np.where(products, centre, 0.0), np.where(products, spread, 1.0)


def _column(design: Design, j: int) -> Tensor:
    """Numeric column j alone, shape (n,)."""
    one = NumericBlock(design.numeric.products[j : j + 1], np.zeros(1, dtype=np.intp), np.zeros(1), np.ones(1))
    return replace(design, numeric=one, factors=()).form().numeric[0]


def standardise(design: Design) -> Standardised:
    """Choose shifts and power-of-two scales for the columns and the response."""
    _refuse_extreme_products(design)
    centred = design.constant is not None
    scales, shifts = np.ones(design.k), np.zeros(design.k)
    numeric = design.numeric
    if len(numeric.products):
        centre, spread = _numeric_moments(design, centred)
        numeric = NumericBlock(numeric.products, numeric.columns, centre, _power_of_two(spread))
        scales[numeric.columns], shifts[numeric.columns] = numeric.scale, numeric.shift
    factors = tuple(_scaled(f, design) for f in design.factors)
    for f in factors:
        scales[f.columns] = f.scale
    y_centre, y_spread = _location_and_spread(_sampled_response(design), centred=True)
    pivot, scale = float(y_centre), float(_power_of_two(y_spread if centred else np.maximum(y_spread, abs(y_centre))))
    scaled = replace(design, numeric=numeric, factors=factors)
    return Standardised(scaled, design, scales, shifts, pivot if centred else 0.0, scale, pivot)


def _refuse_extreme_products(design: Design) -> None:
    """Raise where a product of columns leaves the range of float64, which would make it 0 or infinite.

    Raises
    ------
    DataError
        Names the column.
    """
    numeric = zip(design.numeric.products, design.numeric.columns, strict=True)
    factors = ((f.value, f.columns[0]) for f in design.factors if f.value)
    products = [(product, column) for product, column in (*numeric, *factors) if len(product) > 1]
    used = {i for product, _ in products for i in product}
    sizes = {i: float(design.bases[i].abs().max()) for i in used}
    for product, column in products:
        exponent = sum(math.log10(sizes[i]) for i in product if sizes[i] > 0)
        if abs(exponent) > LARGEST_EXPONENT and all(sizes[i] > 0 for i in product):
            raise DataError(f"`{design.names[column]}` leaves the range of numbers; rescale its columns.")


def _scaled(block: FactorBlock, design: Design) -> FactorBlock:
    value = block.values(design.bases)
    if value is None:
        return block
    _, spread = _location_and_spread(value, centred=False)
    return replace(block, scale=float(_power_of_two(spread)))
