"""The negative binomial distribution of a given dispersion: one parameter, the mean, and V(mu) = mu + alpha mu^2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from formula_torch.families.by_count import log_factorial
from formula_torch.families.distributions import DISTRIBUTIONS, Distribution, x_log_ratio
from formula_torch.families.several.gamma_ratio import gamma_ratio

__all__ = ["negative_binomial"]


@dataclass(frozen=True)
class _OfGivenDispersion(Distribution):
    """One of the distributions of this file; it pickles by its alpha."""

    alpha: float = 1.0

    def __reduce__(self) -> tuple[Any, ...]:
        return negative_binomial, (self.alpha,)


def negative_binomial(alpha: float) -> Distribution:
    """The distribution of counts with V(mu) = mu + alpha mu^2, alpha being known (R's ``MASS::negative.binomial``).

    Where alpha is to be estimated, ``family="negative_binomial"`` is the model.

    Parameters
    ----------
    alpha : float
        Above 0; 1 / theta in R.

    Raises
    ------
    ValueError
        alpha is not positive.

    Examples
    --------
    >>> import formula_torch as ft
    >>> from formula_torch.families.negative_binomial import negative_binomial
    >>> visits = ft.datasets.visits()
    >>> ft.fit("drvisits ~ age", visits, family=negative_binomial(0.8), link="log").params.round(4).to_dict()
    {'Intercept': 1.2882, 'age': 0.0085}
    """
    if not alpha > 0:
        raise ValueError(f"negative_binomial({alpha:g}): alpha must be above 0; at 0 it is the Poisson distribution.")
    shape = 1 / alpha

    def deviance(y: Tensor, mu: Tensor) -> Tensor:
        return 2 * (x_log_ratio(y, mu) - (y + shape) * torch.log1p((y - mu) / (mu + shape)))

    def saturated(y: Tensor, phi: Tensor, w: Tensor) -> Tensor:  # noqa: ARG001 - one signature
        ratio, _, _ = gamma_ratio(y, torch.full_like(y, shape))
        return w * (ratio + torch.xlogy(y, y) - log_factorial(y) - (y + shape) * torch.log1p(alpha * y))

    poisson = DISTRIBUTIONS["poisson"]
    return _OfGivenDispersion(
        name=f"negative_binomial({alpha:g})",
        link="log",
        variance=lambda mu: mu + alpha * mu * mu,
        variance_slope=lambda mu: 1 + 2 * alpha * mu,
        deviance=deviance,
        saturated=saturated,
        dispersed=False,
        begin=poisson.begin,
        stabilise=lambda y: torch.asinh(torch.sqrt(alpha * y)),
        refuse=poisson.refuse,
        doubt=poisson.doubt,
        alpha=alpha,
    )
