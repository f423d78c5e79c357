"""What covariates do to the probabilities of the groups."""

from __future__ import annotations

from formula_torch.result.trajectory.curves import Curves

__all__ = ["MembershipEffects"]


class MembershipEffects(Curves):
    """Marginal effects of the covariates of membership."""
