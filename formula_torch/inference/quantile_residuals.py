"""Randomised quantile residuals: where each response lies in its own fitted distribution, as a normal deviate.

With F the fitted distribution of y, u is uniform between P(Y < y) and P(Y <= y), and the residual is the u-quantile
of the standard normal; under the model they are exactly normal but for the estimation of the coefficients
(Dunn and Smyth 1996, J. Comput. Graph. Statist. 5:236-244).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

__all__ = ["DISTRIBUTED", "quantile_residuals"]

# P(Y < y), P(Y <= y) and the same from above: P(Y >= y), P(Y > y).
Places = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _poisson(y: np.ndarray, mu: np.ndarray, phi: float, w: np.ndarray) -> Places:  # noqa: ARG001 - one signature
    below = np.where(y > 0, special.pdtr(np.maximum(y - 1, 0), mu), 0.0)
    from_here = np.where(y > 0, special.pdtrc(np.maximum(y - 1, 0), mu), 1.0)
    return below, special.pdtr(y, mu), from_here, special.pdtrc(y, mu)


def _binomial(y: np.ndarray, mu: np.ndarray, phi: float, w: np.ndarray) -> Places:  # noqa: ARG001
    n, k = np.round(w), np.round(w * y)
    # Of k successes or fewer, and of more: integrals of the beta density.
    below = np.where(k > 0, special.betainc(n - k + 1, np.maximum(k, 1), 1 - mu), 0.0)
    from_here = np.where(k > 0, special.betainc(np.maximum(k, 1), n - k + 1, mu), 1.0)
    up_to = np.where(k < n, special.betainc(np.maximum(n - k, 1), k + 1, 1 - mu), 1.0)
    above = np.where(k < n, special.betainc(k + 1, np.maximum(n - k, 1), mu), 0.0)
    return below, up_to, from_here, above


def _gamma(y: np.ndarray, mu: np.ndarray, phi: float, w: np.ndarray) -> Places:
    shape = w / phi
    low, high = special.gammainc(shape, shape * y / mu), special.gammaincc(shape, shape * y / mu)
    return low, low, high, high


def _normal(y: np.ndarray, mu: np.ndarray, phi: float, w: np.ndarray) -> Places:
    z = (y - mu) * np.sqrt(w / phi)
    return special.ndtr(z), special.ndtr(z), special.ndtr(-z), special.ndtr(-z)


def _inverse_gaussian(y: np.ndarray, mu: np.ndarray, phi: float, w: np.ndarray) -> Places:
    rate = w / phi
    root = np.sqrt(rate / y)
    mirrored = np.exp(2 * rate / mu + special.log_ndtr(-root * (y / mu + 1)))
    low = special.ndtr(root * (y / mu - 1)) + mirrored
    high = np.maximum(special.ndtr(-root * (y / mu - 1)) - mirrored, 0.0)
    return low, low, high, high


# From y, mu, the dispersion and weights to the places of y in its distribution.
DISTRIBUTED: dict[str, Callable[[np.ndarray, np.ndarray, float, np.ndarray], Places]] = {
    "poisson": _poisson,
    "binomial": _binomial,
    "gamma": _gamma,
    "gaussian": _normal,
    "inverse_gaussian": _inverse_gaussian,
}


def quantile_residuals(family: str, y: np.ndarray, mu: np.ndarray, phi: float, w: np.ndarray, seed: int) -> np.ndarray:
    """Draw the residuals, shape (n,).

    Parameters
    ----------
    family : str
        One of `DISTRIBUTED`.
    y, mu, w : array, shape (n,)
        Response, fitted mean and weights (trials of a proportion).
    phi : float
        The dispersion.
    seed : int
    """
    share = np.random.default_rng(seed).uniform(size=len(y))
    below, up_to, from_here, above = DISTRIBUTED[family](y, mu, phi, w)
    # The tail that is the smaller keeps its digits.
    low, high = below + share * (up_to - below), above + (1 - share) * (from_here - above)
    return np.where(low < 0.5, special.ndtri(low), -special.ndtri(high))
