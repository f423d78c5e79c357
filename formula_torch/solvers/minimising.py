"""Minimise any differentiable function of a vector by the methods that fit regressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from formula_torch.solvers.descending import Descended, descend
from formula_torch.solvers.descent import Descent, resolve_descent

__all__ = ["minimise"]


@dataclass(frozen=True)
class _Whole:
    """A loss that is no mean over rows."""

    loss: Callable[[Tensor], Tensor]
    n_rows: int = 1

    def evaluate(self, theta: Tensor) -> tuple[float, Tensor]:
        own = theta.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            value = self.loss(own)
        return float(value.detach()), torch.autograd.grad(value, own)[0]

    def gradient(self, theta: Tensor, rows: slice) -> Tensor:  # noqa: ARG002 - the protocol's signature
        return self.evaluate(theta)[1]

    def permuted(self, order: Tensor) -> Self:  # noqa: ARG002
        return self


def minimise(loss: Callable[[Tensor], Tensor], start: Tensor, method: str | Descent = "lbfgs") -> Descended:
    """Minimise a differentiable function of a vector, by the methods that fit regressions.

    Parameters
    ----------
    loss : callable
        From a Tensor of shape (p,) to a Tensor of one number.
    start : Tensor, shape (p,)
    method : str or Descent
        ``"sgd"``, ``"adam"``, ``"lbfgs"`` or a value of ``ft.solvers``.

    Returns
    -------
    Descended
        With `theta`, `loss`, `converged`, `reason` and `history`.

    Raises
    ------
    ValueError
        The method is not known; the start is no vector, or the loss no number that depends on it.
    DataError
        The loss grows beyond all bounds.

    Examples
    --------
    >>> found = minimise(lambda b: ((b - torch.arange(3.0, dtype=torch.float64)) ** 2).sum(), torch.zeros(3).double())
    >>> found.theta.round(decimals=6).tolist()
    [0.0, 1.0, 2.0]
    """
    theta = torch.as_tensor(start, dtype=torch.float64).detach().clone()
    if theta.dim() != 1 or not len(theta):
        raise ValueError(f"start has shape {tuple(theta.shape)}; a vector of at least one number is needed.")
    value = loss(theta.clone().requires_grad_(True))
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        raise ValueError("the loss is to be a tensor of one number that depends on the vector by torch's functions.")
    return descend(_Whole(loss), theta, resolve_descent(method))
