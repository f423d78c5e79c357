"""Families of regressions stated by their log-density alone, as mixtures take them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.families.density import Density
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.families.several import SeveralFamily

__all__ = ["as_density", "has_sigma", "with_sigma"]


@dataclass(frozen=True)
class _LogDensity:
    """Log-density of rows with sigma the root of the dispersion."""

    family: GeneralizedFamily

    def __call__(self, y: Tensor, eta: Tensor, sigma: Tensor) -> Tensor:
        return self.family.loglik(y, eta, sigma**2, torch.ones_like(y))


@dataclass(frozen=True)
class _LogProbability:
    """Log-density of rows of a known dispersion."""

    family: GeneralizedFamily

    def __call__(self, y: Tensor, eta: Tensor) -> Tensor:
        return self.family.loglik(y, eta, torch.ones_like(y), torch.ones_like(y))


def as_density(family: GeneralizedFamily) -> Density:
    """State a distribution with its link by its log-density, sigma being the root of the dispersion.

    Raises
    ------
    ValueError
        It has no likelihood, or not everywhere.
    """
    if family.distribution.saturated is None:
        raise ValueError(f"family={family.name!r} has no likelihood, which groups of trajectories need.")
    if not family.everywhere:
        raise ValueError(
            f"with link={family.link.name!r} a mean of family={family.name!r} is not defined for every linear "
            "predictor, as the search for groups needs; use link='log'."
        )
    return Density(
        name=family.name if family.link.name == family.distribution.link else f"{family.name}({family.link.name})",
        log_density=_LogDensity(family) if family.dispersed else _LogProbability(family),
        mean=family.link.mean,
        positive="sigma" if family.dispersed else (),
        exponential=family.exponential,
        stabilise=family.distribution.stabilise,
        refuse=family.distribution.refuse,
        doubt=family.distribution.doubt,
        kind=family.kind,
    )


def has_sigma(family: SeveralFamily) -> bool:
    """Whether there are two parameters, of which the second is a positive number."""
    return len(family.predictors) == 2 and family.predictors[1].positive


@dataclass(frozen=True)
class _WithSigma:
    """Log-density of rows with sigma the second parameter."""

    family: SeveralFamily

    def __call__(self, y: Tensor, eta: Tensor, sigma: Tensor) -> Tensor:
        shape = (y + eta + sigma).shape
        rows, *parts = (part.expand(shape).reshape(-1) for part in (y, eta, sigma.log()))
        return self.family.loglik(rows, torch.stack(parts)).reshape(shape)


@dataclass(frozen=True)
class _FirstMean:
    """Mean of the response from the first predictor alone."""

    family: SeveralFamily

    def __call__(self, eta: Tensor) -> Tensor:
        flat = eta.reshape(-1)
        return self.family.expected(torch.stack([flat, torch.zeros_like(flat)]))[0].reshape(eta.shape)


def with_sigma(family: SeveralFamily) -> Density:
    """State a family of a mean and a positive parameter by its log-density, sigma being that parameter.

    Raises
    ------
    ValueError
        It has other parameters.
    """
    if not has_sigma(family):
        raise ValueError(
            f"family={family.name!r} has parameters that groups of trajectories cannot have yet; "
            "'negative_binomial', 'nb1' and 'beta' have one, reported as sigma."
        )
    return Density(
        name=family.name,
        log_density=_WithSigma(family),
        mean=_FirstMean(family),
        positive="sigma",
        exponential=family.exponential,
        stabilise=_counts_stabilised if family.exponential else _shares_stabilised,
        refuse=family.refuse,
        doubt=family.doubt,
        kind=family.kind,
    )


def _counts_stabilised(y: Tensor) -> Tensor:
    return (y + 0.5).log()


def _shares_stabilised(y: Tensor) -> Tensor:
    return y.clamp(1e-6, 1 - 1e-6).logit()
