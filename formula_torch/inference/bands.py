"""Critical values of intervals that hold for all coefficients together."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import special

from formula_torch.errors import check_known
from formula_torch.numerics.arrays import CELLS_AT_ONCE, slices
from formula_torch.numerics.random import generator_of
from formula_torch.numerics.tails import f_quantile, t_quantile

__all__ = ["BANDS", "DRAWS", "bonferroni_value", "critical_value", "scheffe_value", "sup_t_quantile"]

DRAWS = 100_000


def critical_value(joint: str | None, correlation: np.ndarray, level: float, df: float, seed: int) -> float:
    """Return how many standard errors an interval reaches to either side.

    Parameters
    ----------
    joint : {None, "bonferroni", "scheffe", "sup-t"}
        None holds for each coefficient alone.
    correlation : array, shape (m, m)
        Of the estimates.
    level : float
    df : float
        Degrees of freedom of t; infinite for the normal.
    seed : int
        Of the draws behind ``"sup-t"``.

    Raises
    ------
    ValueError
        Unknown kind of band.

    Examples
    --------
    >>> round(critical_value("bonferroni", np.eye(5), 0.95, np.inf, 0), 4)
    2.5758
    """
    check_known("joint", joint, BANDS)
    return BANDS[joint](correlation, level, df, seed)


def bonferroni_value(m: int, level: float, df: float) -> float:
    """Critical value of m intervals by Bonferroni's inequality."""
    return t_quantile(1 - (1 - level) / (2 * m), df)


def scheffe_value(m: int, level: float, df: float) -> float:
    """Critical value of all linear combinations of m estimates at once (Scheffe 1953, Biometrika 40:87-104)."""
    return math.sqrt(m * f_quantile(level, m, df))


def sup_t_quantile(largest: np.ndarray, level: float, df: float, generator: torch.Generator) -> float:
    """Quantile of the largest |t| from draws of the largest |z|, which are divided by draws of one scale each.

    Parameters
    ----------
    largest : array, shape (draws,)
    level : float
    df : float
        Degrees of freedom of the scale; infinite for none.
    generator : torch.Generator
    """
    if math.isfinite(df):
        uniform = torch.rand(len(largest), generator=generator, dtype=torch.float64).numpy()
        largest = largest / np.sqrt(2 * special.gammaincinv(df / 2, uniform) / df)
    return float(np.quantile(largest, level))


def _pointwise(correlation: np.ndarray, level: float, df: float, seed: int) -> float:  # noqa: ARG001 - one signature
    return t_quantile((1 + level) / 2, df)


def _bonferroni(correlation: np.ndarray, level: float, df: float, seed: int) -> float:  # noqa: ARG001
    return bonferroni_value(len(correlation), level, df)


def _scheffe(correlation: np.ndarray, level: float, df: float, seed: int) -> float:  # noqa: ARG001
    return scheffe_value(len(correlation), level, df)


def _sup_t(correlation: np.ndarray, level: float, df: float, seed: int) -> float:
    """Quantile of the largest |t|, drawn (Montiel Olea and Plagborg-Moller 2019, J. Applied Econometrics 34:1-17).

    With finite `df` the draws are multivariate t. The quantile lies between those of one and
    of m uncorrelated or any combination of coefficients, and is held there against sampling error.
    """
    generator = generator_of(seed)
    largest = _largest(correlation, generator)
    widest = min(_bonferroni(correlation, level, df, seed), _scheffe(correlation, level, df, seed))
    value = sup_t_quantile(largest, level, df, generator)
    return float(np.clip(value, _pointwise(correlation, level, df, seed), widest))


def _largest(correlation: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Draws of the largest absolute value of normals with a correlation, shape (DRAWS,)."""
    values, vectors = np.linalg.eigh(correlation)
    root = torch.from_numpy(vectors * np.sqrt(np.maximum(values, 0)))
    m, out = len(correlation), torch.empty(DRAWS, dtype=torch.float64)
    for draws in slices(DRAWS, CELLS_AT_ONCE // m):
        z = torch.randn(m, draws.stop - draws.start, generator=generator, dtype=torch.float64)
        out[draws] = (root @ z).abs().amax(dim=0)
    return out.numpy()


BANDS: dict[str | None, Callable[[np.ndarray, float, float, int], float]] = {
    None: _pointwise,
    "bonferroni": _bonferroni,
    "scheffe": _scheffe,
    "sup-t": _sup_t,
}
