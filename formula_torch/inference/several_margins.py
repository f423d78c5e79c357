"""Averages of functions of several linear predictors over rows, with the gradients the delta method needs.

    f_i = f(eta_i1, ..., eta_im),   eta_ij = x_ij'b_j + o_ij

The mean of f has the gradient sum_i w_i f_j x_ij in b_j. Its slope in a column of the data is e = sum_j f_j d_j with
d_j = (dX_j/dx) b_j, whose gradient in b_l is X_l'(sum_j f_jl d_j) + (dX_l/dx)' f_l. The derivatives of a probability
p = exp(l) follow from those of the log-likelihood, p l_j and p (l_jk + l_j l_k); those of a mean are taken
automatically, row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.families.several import SeveralFamily
from formula_torch.inference.margins import refuse_not_positive

__all__ = ["Outcomes", "outcomes"]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Functions of the predictors of rows with their derivatives.

    Parameters
    ----------
    values : Tensor, shape (q, n)
    first : Tensor, shape (q, m, n)
    second : Tensor, shape (q, m, m, n), or None
    """

    values: Tensor
    first: Tensor
    second: Tensor | None

    def slopes(self, outcome: int, moves: Tensor) -> tuple[Tensor, Tensor]:
        """E of each row, shape (n,), and its derivatives in the predictors, shape (m, n), given d, shape (m, n)."""
        assert self.second is not None
        return (self.first[outcome] * moves).sum(0), (self.second[outcome] * moves[:, None]).sum(0)


def outcomes(family: SeveralFamily, eta: Tensor, *, log: bool = False, curved: bool = False) -> Outcomes:
    """Differentiate the mean response of rows, or the probabilities of its levels.

    Parameters
    ----------
    family : SeveralFamily
    eta : Tensor, shape (m, n)
    log : bool
        Of its logarithm.
    curved : bool
        Second derivatives too.

    Raises
    ------
    DataError
        A logarithm is asked of what is not positive.
    """
    if family.levels:
        return _probabilities(family, eta, log, curved)
    with torch.enable_grad():
        at = eta.detach().clone().requires_grad_()
        values = family.expected(at)
        if log:
            refuse_not_positive(values.detach())
            values = values.log()
        first = [_gradient(row, at) for row in values]
        second = [torch.stack([_gradient(part, at) for part in rows]) for rows in first] if curved else None
    return Outcomes(
        values.detach(),
        torch.stack([row.detach() for row in first]),
        None if second is None else torch.stack(second).detach(),
    )


def _probabilities(family: SeveralFamily, eta: Tensor, log: bool, curved: bool) -> Outcomes:
    """Of each level, from the log-likelihood of a row that has it."""
    found = [family.derivatives(torch.full_like(eta[0], float(level)), eta) for level in range(len(family.levels))]
    values, first = torch.stack([d.value for d in found]), torch.stack([d.first for d in found])
    second = torch.zeros(*first.shape[:2], *eta.shape, dtype=torch.float64) if curved else None
    if second is not None:
        for c, d in enumerate(found):
            for j in range(len(eta)):
                for k in range(j, len(eta)):
                    if (part := d.second(j, k)) is not None:
                        second[c, j, k] = second[c, k, j] = part
    if log:
        return Outcomes(values, first, second)
    p = values.exp()
    if second is not None:
        second = p[:, None, None] * (second + first[:, :, None] * first[:, None])
    return Outcomes(p, p[:, None] * first, second)


def _gradient(values: Tensor, at: Tensor) -> Tensor:
    """Derivatives of elementwise functions; zero where there is nothing to differentiate."""
    if not values.requires_grad:
        return torch.zeros_like(at)
    (found,) = torch.autograd.grad(values.sum(), at, create_graph=True, allow_unused=True)
    return torch.zeros_like(at) if found is None else found
