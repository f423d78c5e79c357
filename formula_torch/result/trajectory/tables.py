"""A trajectory model as tables: its summary, broom's three, and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formula_torch.result.trajectory.curves import Curves

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["Tables"]


class Tables(Curves):
    """Tables of the fit."""

    def summary(self, alpha: float = 0.05) -> Summary:
        """Tables of the fit: header, coefficients by group, shares.

        Parameters
        ----------
        alpha : float
            One less the confidence level of the intervals.
        """
        from formula_torch.present.trajectory import trajectory_summary

        return trajectory_summary(self, alpha)
