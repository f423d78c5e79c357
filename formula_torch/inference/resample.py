"""Resampling of units with replacement, and leaving out one at a time, given how a model is fitted again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.inference.progress import progress_bar
from formula_torch.numerics.arrays import CELLS_AT_ONCE, slices
from formula_torch.numerics.random import generator_of, resampled_counts
from formula_torch.numerics.tails import t_quantile

__all__ = ["INTERVALS", "Refit", "Sample", "acceleration", "jackknife_covariance", "resampled_coefficients"]


class Refit(Protocol):
    """A model that can be fitted again to units (rows or clusters) that count several times, or not at all."""

    @property
    def n_units(self) -> int:
        """Number of units."""
        ...

    def refit(self, counts: Tensor) -> np.ndarray:
        """Coefficients for counts of shape (draws, n_units), shape (draws, k); a row of NaN where not determined."""
        ...

    def leave_one_out(self) -> np.ndarray:
        """Coefficients without each unit, shape (n_units, k); NaN for those that a unit alone determines."""
        ...

    def influence(self) -> np.ndarray:
        """Derivatives of the coefficients in the count of each unit, shape (n_units, k)."""
        ...


def resampled_coefficients(refit: Refit, draws: int, seed: int, progress: bool | None = False) -> np.ndarray:
    """Fit to units drawn with replacement, as many as there are.

    Parameters
    ----------
    refit : Refit
    draws : int
    seed : int
    progress : bool or None

    Returns
    -------
    array, shape (draws, k)
        NaN where the units drawn do not determine the coefficients.

    Raises
    ------
    ValueError
        Fewer than 2 draws.
    """
    if draws < 2:
        raise ValueError(f"draws={draws} must be at least 2.")
    generator, parts = generator_of(seed), []
    with progress_bar(draws, "bootstrap", progress) as advance:
        for rows in slices(draws, CELLS_AT_ONCE // refit.n_units):
            size = rows.stop - rows.start
            parts.append(refit.refit(resampled_counts(generator, size, refit.n_units)))
            advance(size)
    return np.concatenate(parts)


def jackknife_covariance(values: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """(G-1)/G sum_g (b_g - b)(b_g - b)' with b the estimate itself, as CRV3 and Stata's ``mse``; shape (k, k).

    Parameters
    ----------
    values : array, shape (n_units, k)
        Estimates without each unit.
    estimates : array, shape (k,)
    """
    moves = values - estimates
    return (len(values) - 1) / len(values) * moves.T @ moves


# -- intervals ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sample:
    """What intervals are computed from, for m coefficients.

    Parameters
    ----------
    centre : array, shape (m,)
        Estimates.
    draws : array, shape (draws, m)
        Without NaN.
    errors : array, shape (m,)
        Standard errors.
    df : float
        Degrees of freedom of t.
    acceleration : array, shape (m,)
    """

    centre: np.ndarray
    draws: np.ndarray
    errors: np.ndarray
    df: float
    acceleration: np.ndarray


def acceleration(influence: np.ndarray) -> np.ndarray:
    """Skewness of the influence of units, sum L^3 / (6 (sum L^2)^3/2), shape (k,) (Efron 1987, section 7).

    Parameters
    ----------
    influence : array, shape (n_units, k)
    """
    with np.errstate(invalid="ignore"):
        scaled = influence / np.abs(influence).max(axis=0)
        return np.sum(scaled**3, axis=0) / (6 * np.sum(scaled**2, axis=0) ** 1.5)


def _quantiles(draws: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Quantile p_j of column j, shape (m,): order statistic number (B + 1) p.

    Between two order statistics it is interpolated on the scale of normal quantiles (Davison and
    Hinkley 1997, Bootstrap Methods and their Application, equation 5.8).
    """
    below = np.floor((len(draws) + 1) * p * (1 + np.finfo(np.float64).eps)).astype(int)
    outside = (below < 1) | (below > len(draws) - 1)
    if outside.any():
        raise DataError(
            f"{len(draws)} draws have no quantile {p[outside][0]:.3g}; take more draws, or method='normal' or 't'."
        )
    ordered, columns = np.sort(draws, axis=0), np.arange(draws.shape[1])
    low, high = ordered[below - 1, columns], ordered[below, columns]
    z, z_low, z_high = (special.ndtri(q) for q in (p, below / (len(draws) + 1), (below + 1) / (len(draws) + 1)))
    return low + (z - z_low) / (z_high - z_low) * (high - low)


def _percentile(sample: Sample, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    m = len(sample.centre)
    return _quantiles(sample.draws, np.full(m, alpha / 2)), _quantiles(sample.draws, np.full(m, 1 - alpha / 2))


def _basic(sample: Sample, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval reflected at the estimate."""
    low, high = _percentile(sample, alpha)
    return 2 * sample.centre - high, 2 * sample.centre - low


def _normal(sample: Sample, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    return _symmetric(sample, t_quantile(1 - alpha / 2, math.inf))


def _t(sample: Sample, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    return _symmetric(sample, t_quantile(1 - alpha / 2, sample.df))


def _symmetric(sample: Sample, quantile: float) -> tuple[np.ndarray, np.ndarray]:
    return sample.centre - quantile * sample.errors, sample.centre + quantile * sample.errors


def _bca(sample: Sample, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles corrected for bias and acceleration (Efron 1987, J. Amer. Statist. Assoc. 82:171-185)."""
    draws, a = sample.draws, sample.acceleration
    bias = np.asarray(special.ndtri(np.mean(draws < sample.centre, axis=0)))
    if not np.isfinite(bias).all():
        raise DataError("all draws lie on one side of an estimate; take more draws, or method='percentile'.")
    z = bias[:, None] + special.ndtri([alpha / 2, 1 - alpha / 2])
    low, high = special.ndtr(bias[:, None] + z / (1 - a[:, None] * z)).T
    return _quantiles(draws, low), _quantiles(draws, high)


INTERVALS: dict[str, Callable[[Sample, float], tuple[np.ndarray, np.ndarray]]] = {
    "percentile": _percentile,
    "basic": _basic,
    "normal": _normal,
    "t": _t,
    "bca": _bca,
}
