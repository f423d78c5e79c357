"""Log-likelihoods and Anscombe's residuals of generalised linear models, where statsmodels has its own conventions.

A log-likelihood is that of means equal to y, at some dispersion, less the deviance over twice the dispersion.
statsmodels divides that of counts by the scale, takes none of probabilities, counts the ways of trials once however
large the weight, and has Tweedie's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import special
from torch import Tensor

from formula_torch.families.distributions import DISTRIBUTIONS
from formula_torch.families.generalized import GeneralizedFamily

__all__ = ["anscombe", "has_its_own", "logliks"]

TWO_THIRDS = 2 / 3


def _kind(family: GeneralizedFamily) -> str:
    if family.distribution.power is not None:
        return "tweedie"
    if family.name.startswith("negative_binomial"):
        return "negative_binomial"
    return family.name.removeprefix("quasi")


def has_its_own(family: GeneralizedFamily, *, shares: bool) -> bool:
    """Whether the log-likelihoods differ from ours at the family's own scale.

    Parameters
    ----------
    family : GeneralizedFamily
    shares : bool
        Whether the response are proportions with variance weights.
    """
    return family.is_normal_linear or family.distribution.saturated is None or shares


def logliks(
    family: GeneralizedFamily,
    y: Tensor,
    w: Tensor,
    counts: Tensor | None,
    deviances: list[float],
    scale: float,
    *,
    trials: bool = False,
) -> list[float]:
    """Log-likelihoods of fits of these deviances, at a scale.

    Parameters
    ----------
    family : GeneralizedFamily
    y : Tensor, shape (n,)
    w : Tensor, shape (n,)
        Variance weights, or trials.
    counts : Tensor, shape (n,), or None
        Frequency weights.
    deviances : list of float
    scale : float
    trials : bool
        Whether `w` are trials.
    """
    kind = _kind(family)
    phi = 1.0 if kind == "binomial" else scale
    best = _ways(y, w, trials=trials) if kind == "binomial" else _saturated(kind, family, y, w, scale)
    total = float((best if counts is None else best * counts).sum())
    return [total - deviance / (2 * phi) for deviance in deviances]


def _saturated(kind: str, family: GeneralizedFamily, y: Tensor, w: Tensor, scale: float) -> Tensor:
    """Log-likelihood of rows whose means are y."""
    if kind in ("poisson", "negative_binomial"):
        distribution = DISTRIBUTIONS["poisson"] if kind == "poisson" else family.distribution
        assert distribution.saturated is not None
        return distribution.saturated(y, torch.ones(()).double(), w) / scale
    if kind == "tweedie":
        assert family.distribution.power is not None
        return torch.from_numpy(_tweedie(y.numpy(), scale / w.numpy(), family.distribution.power))
    return family.saturated(y, scale, w)


def _ways(y: Tensor, w: Tensor, *, trials: bool) -> Tensor:
    """The same of shares: of all trials together, or of one trial w times."""
    saturated, one = DISTRIBUTIONS["binomial"].saturated, torch.ones_like(w)
    assert saturated is not None
    return saturated(y, one, w) if trials else w * saturated(y, one, one)


def _tweedie(y: np.ndarray, phi: np.ndarray, p: float) -> np.ndarray:
    """Log-density at mu = y, for 1 < p < 2 (Dunn and Smyth 2005, Stat. Comput. 15:267-280)."""
    if not 1 < p < 2:
        return np.full(len(y), math.nan)
    out, alpha, known = np.zeros(len(y)), (2 - p) / (1 - p), y > 0
    y, phi = y[known], phi[known]
    x = ((p - 1) * phi / y) ** alpha / ((2 - p) * phi)
    exponent = (y ** (2 - p) / (1 - p) - y ** (2 - p) / (2 - p)) / phi
    out[known] = exponent - np.log(y) + special.log_wright_bessel(-alpha, 0, x)
    return out


def _power(p: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Residuals where the variance is a power of the mean."""
    if p == 3:
        return lambda y, mu: np.log(y / mu) / np.sqrt(mu)
    c = (3 - p) / 3
    return lambda y, mu: (y**c - mu**c) / (c * mu ** (p / 6))


def _incomplete_beta(x: np.ndarray) -> np.ndarray:
    return special.betainc(TWO_THIRDS, TWO_THIRDS, x) * special.beta(TWO_THIRDS, TWO_THIRDS)


def _of_shares(y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    return (_incomplete_beta(y) - _incomplete_beta(mu)) / (mu * (1 - mu)) ** (1 / 6)


def _of_overdispersed(alpha: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def transformed(x: np.ndarray) -> np.ndarray:
        return x**TWO_THIRDS * special.hyp2f1(TWO_THIRDS, 1 / 3, 5 / 3, -alpha * x)

    return lambda y, mu: 1.5 * (transformed(y) - transformed(mu)) / (mu * (1 + alpha * mu)) ** (1 / 6)


RESIDUALS = {
    "gaussian": _power(0.0),
    "poisson": _power(1.0),
    "gamma": _power(2.0),
    "inverse_gaussian": _power(3.0),
    "binomial": _of_shares,
}


def anscombe(family: GeneralizedFamily, y: Tensor, mu: Tensor, w: Tensor) -> np.ndarray:
    """Anscombe's residuals, nearly normal, at a scale of one, shape (n,).

    Parameters
    ----------
    family : GeneralizedFamily
    y, mu : Tensor, shape (n,)
    w : Tensor, shape (n,)
        Variance weights, or trials.

    References
    ----------
    Anscombe (1953), J. R. Stat. Soc. B 15:229-230; Cox and Snell (1968), J. R. Stat. Soc. B 30:248-275.
    """
    kind = _kind(family)
    if kind == "tweedie":
        assert family.distribution.power is not None
        residual = _power(family.distribution.power)
    elif kind == "negative_binomial":
        residual = _of_overdispersed(family.distribution.alpha)  # type: ignore[attr-defined]
    else:
        residual = RESIDUALS[kind]
    return residual(y.numpy(), mu.numpy()) * np.sqrt(w.numpy())
