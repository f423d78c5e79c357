"""Probabilities of the groups before the response is seen: their derivatives in the membership coefficients gamma."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Membership", "same_information", "share_information"]


@dataclass(frozen=True, eq=False)
class Membership:
    """Derivatives of the log-likelihood of complete data in gamma.

    Parameters
    ----------
    gradient : Tensor, shape (B, K, m)
    information : Tensor, shape (B, K m, K m)
    mass : Tensor, shape (B, K)
        Units in each group.
    """

    gradient: Tensor
    information: Tensor
    mass: Tensor

    @staticmethod
    def stacked(parts: list[Membership]) -> Membership:
        """Join batches of starts."""
        if len(parts) == 1:
            return parts[0]
        each = zip(*((m.gradient, m.information, m.mass) for m in parts), strict=True)
        return Membership(*(torch.cat(of) for of in each))

    def __add__(self, other: Membership) -> Membership:
        return Membership(self.gradient + other.gradient, self.information + other.information, self.mass + other.mass)


def same_information(mass: Tensor, total: float) -> Tensor:
    """W (diag(pi) - pi pi') where all units have the same probabilities, shape (B, K, K).

    Parameters
    ----------
    mass : Tensor, shape (B, K)
        W pi_g.
    total : float
        W.
    """
    return torch.diag_embed(mass) - mass[:, :, None] * mass[:, None] / total


def share_information(share: Tensor, z: Tensor, weights: Tensor) -> Tensor:
    """sum_u w_u (diag(pi_u) - pi_u pi_u') kron z_u z_u', shape (B, K m, K m).

    Parameters
    ----------
    share : Tensor, shape (B, K, n)
        w_u pi_ug.
    z : Tensor, shape (m, n)
    weights : Tensor, shape (n,)
        w_u; units of weight zero count for nothing.
    """
    groups, m = share.shape[1], z.shape[0]
    by_group = (share[:, :, None] * z).flatten(1, 2)
    information = -(by_group / torch.where(weights > 0, weights, 1.0)) @ by_group.mT
    own = (share[:, :, None] * z) @ z.mT
    for g in range(groups):
        part = slice(g * m, (g + 1) * m)
        information[:, part, part] += own[:, g]
    return information
