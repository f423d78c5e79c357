"""What of a sum of squares is signal, and what the rounding of the data alone can leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formula_torch.solvers.standardise import Standardised

__all__ = ["Totals", "is_flat", "noise_level", "totals_of"]

EPS = float(np.finfo(np.float64).eps)
# Units in the last place of y + sum |x_j b_j| that residuals may be of and still be noise: those of a
# float64 solution, and those of one whose only rounding is that of the data.
NOISE_ULPS = 8.0
NOISE_ULPS_EXACT = 2.0


@dataclass(frozen=True)
class Totals:
    """Sums over rows of the weights and of the response (less the offset)."""

    weight: float
    mean: float
    centred: float
    uncentred: float


def totals_of(z: Standardised, gram: np.ndarray) -> Totals:
    """Sums of the response from the bordered Gram matrix; squares are taken about a number near the mean.

    Rows k, k + 1 and, without an explicit constant, k + 2 of `gram` belong to the response,
    to 1, and to the response about the pivot.
    """
    k = z.design.k
    centred = z.design.constant is not None
    at = k if centred else k + 2
    weight, total, squares = gram[k + 1, k + 1], gram[at, k + 1], gram[at, at]
    mean = total / weight
    about_mean = max(squares - mean * total, 0.0) / z.scale / z.scale
    shift = z.pivot * z.scale
    about_zero = (squares + 2 * shift * total + shift**2 * weight if centred else gram[k, k]) / z.scale / z.scale
    return Totals(float(weight), float(mean / z.scale + z.pivot), float(about_mean), float(about_zero))


def noise_level(z: Standardised, gram: np.ndarray, beta: np.ndarray, exact: bool) -> float:
    """Sum of squares that the rounding of y, of the offset and of x'b can leave (in units of Z)."""
    k = z.design.k
    level = np.abs(beta) @ np.sqrt(np.diag(gram)[:k]) + np.sqrt(gram[k, k])
    level += abs(z.shift * z.scale) * np.sqrt(gram[k + 1, k + 1])
    if z.source.offset is not None:
        weights = z.source.weights
        offset = z.source.offset if weights is None else z.source.offset * weights.sqrt()
        level += float(offset.norm()) * z.scale
    ulps = NOISE_ULPS_EXACT if exact else NOISE_ULPS
    return float((ulps * EPS * level) ** 2)


def is_flat(totals: Totals) -> bool:
    """Whether the response is constant up to rounding."""
    return totals.centred <= (NOISE_ULPS * EPS) ** 2 * (totals.centred + totals.weight * totals.mean * totals.mean)
