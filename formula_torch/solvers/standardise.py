"""Centre and scale the numeric columns inside a solver, and carry the answer back exactly.

Units must never matter: 500,000 dollars, squared, beside a 0/1 indicator, or
a calendar year beside a constant. Scales are powers of two, so that they round
nothing, and are needed at extreme units only; shifts are taken only where the model has an explicit constant to
absorb them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design, FactorBlock, NumericBlock
from formula_torch.numerics.double_double import DoubleDouble

__all__ = ["Standardised", "standardise"]

# Shift and scale only condition the problem: a sample of rows estimates them well enough.
SAMPLE_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Standardised:
    """A design Z and response u with X = columns of Z rescaled and shifted.

    Parameters
    ----------
    design : Design
        The standardised regressors.
    response : Tensor, shape (n,)
        ``(y - offset - shift) * scale``.
    back : array, shape (k, k)
        beta_x = back @ beta_z / scale (+ shift on the constant).
    shift, scale : float
    """

    design: Design
    response: Tensor
    back: np.ndarray
    shift: float
    scale: float

    def params(self, beta: np.ndarray) -> np.ndarray:
        """Coefficients of Z to coefficients of X, both of shape (k,)."""
        params = self.back @ beta / self.scale
        if self.design.constant is not None:
            params[self.design.constant] += self.shift
        return params

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


def _sampled(design: Design) -> Design:
    stride = max(1, design.n_rows // SAMPLE_ROWS)
    bases = tuple(base[::stride] for base in design.bases)
    return replace(design, bases=bases, n_rows=len(range(0, design.n_rows, stride)), factors=(), y=None)


def _numeric_moments(design: Design, centred: bool) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread of the numeric columns, from a sample unless that is constant."""
    centre, spread = _location_and_spread(_sampled(design).form().numeric, centred)
    products = np.array([bool(p) for p in design.numeric.products], dtype=bool)
    if (products & (spread == 0)).any():
        centre, spread = _location_and_spread(design.form().numeric, centred)
    return np.where(products, centre, 0.0), np.where(products, spread, 1.0)


def standardise(design: Design) -> Standardised:
    """Choose shifts and power-of-two scales for the columns and the response."""
    constant = design.constant
    response = design.response
    centred = constant is not None
    back = np.eye(design.k)
    numeric = design.numeric
    if len(numeric.products):
        centre, spread = _numeric_moments(design, centred)
        numeric = NumericBlock(numeric.products, numeric.columns, centre, _power_of_two(spread))
        back[numeric.columns, numeric.columns] = numeric.scale
        if constant is not None:
            slopes = numeric.columns != constant
            back[constant, numeric.columns[slopes]] = -(numeric.scale * numeric.shift)[slopes]
    factors = tuple(_scaled(f, design) for f in design.factors)
    for f in factors:
        back[f.columns, f.columns] = f.scale
    y_centre, y_spread = _location_and_spread(response[:: max(1, design.n_rows // SAMPLE_ROWS)], centred)
    shift, scale = float(y_centre), float(_power_of_two(y_spread))
    scaled = replace(design, numeric=numeric, factors=factors)
    return Standardised(scaled, (response - shift) * scale, back, shift, scale)


def _scaled(block: FactorBlock, design: Design) -> FactorBlock:
    value = block.values(design.bases)
    if value is None:
        return block
    _, spread = _location_and_spread(value, centred=False)
    return replace(block, scale=float(_power_of_two(spread)))
