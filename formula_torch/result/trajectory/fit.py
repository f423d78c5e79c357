"""A group-based trajectory model under the names its users know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from formula_torch.result.trajectory.curves import Curves

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["TrajectoryFit"]


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryFit(Curves):
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

    def summary(self, alpha: float = 0.05) -> Summary:
        """Tables of the fit: header, coefficients by group, shares.

        Parameters
        ----------
        alpha : float
            One less the confidence level of the intervals.
        """
        from formula_torch.present.trajectory import trajectory_summary

        return trajectory_summary(self, alpha)
