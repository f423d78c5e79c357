"""A distribution given by its log-density alone: its derivatives are taken automatically."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from formula_torch.families.support import no_doubt

__all__ = ["Density"]


def _itself(y: Tensor) -> Tensor:
    return y


@dataclass(frozen=True)
class Density:
    """A distribution of the response that you write yourself.

    Parameters
    ----------
    name : str
    log_density : callable
        log f(y | eta, sigma), elementwise, from three tensors that broadcast, by torch's functions, twice
        differentiable in eta and sigma. Without `dispersed`, sigma is one.
    mean : callable
        The mean of the response from eta, elementwise: by this predictions are made.
    dispersed : bool
        Whether there is a positive parameter sigma, one or one a group.
    exponential : bool
        Whether the mean is a multiple of exp(eta), so that an exposure makes sense.
    stabilise : callable
        A transformation of y whose variance hardly depends on its mean, for the starts.
    refuse, doubt : callable
        From y to what is wrong with it, or strange, or an empty text.
    kind : {"density", "probability"}, optional
        What the likelihood is of: those of numbers and of counts do not compare.

    Examples
    --------
    Laplace errors: medians rather than means.

    >>> import math, torch
    >>> import formula_torch as ft
    >>> def log_density(y, eta, sigma):
    ...     return -torch.sqrt((y - eta) ** 2 / sigma**2 + 1) - torch.log(sigma)
    >>> robust = ft.families.Density("pseudo-huber", log_density, mean=lambda eta: eta, dispersed=True)
    >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2, family=robust)
    >>> fit.shares["share"].round(2).tolist()
    [0.5, 0.5]
    """

    name: str
    log_density: Callable[[Tensor, Tensor, Tensor], Tensor]
    mean: Callable[[Tensor], Tensor]
    dispersed: bool = False
    exponential: bool = False
    stabilise: Callable[[Tensor], Tensor] = _itself
    refuse: Callable[[Tensor], str] = no_doubt
    doubt: Callable[[Tensor], str] = no_doubt
    kind: str = ""

    def row_loglik(self, y: Tensor, eta: Tensor, sigma: Tensor) -> Tensor:
        """Log-density of rows."""
        return self.log_density(y, eta, sigma)
