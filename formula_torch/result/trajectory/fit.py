"""A group-based trajectory model under the names its users know."""

from __future__ import annotations

from dataclasses import dataclass

from formula_torch.result.trajectory.effects import MembershipEffects
from formula_torch.result.trajectory.pictures import Pictures
from formula_torch.result.trajectory.resampling import UnitResampling
from formula_torch.result.trajectory.tables import Tables

__all__ = ["TrajectoryFit"]


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryFit(Tables, Pictures, MembershipEffects, UnitResampling):
    """Groups of units, each with a regression of its own on time.

    Coefficients are named by group, ``g1:Intercept``; groups are numbered by their share, largest first.
    ``sigma`` is the residual standard deviation on its natural scale. ``membership[2]:Intercept`` is the
    logarithm of the share of group 2 over that of group 1.

    Examples
    --------
    >>> import formula_torch as ft
    >>> data = ft.datasets.simulated_trajectories()
    >>> fit = ft.traj("y ~ t | id", data, groups=2)
    >>> fit.shares["share"].round(2).tolist()
    [0.5, 0.5]
    """

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.recipe.formula.text!r}: {self.n_groups} groups of {self.n_units:g} units, "
            f"log-likelihood {self.llf:.6g}>"
        )
