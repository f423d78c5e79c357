"""Results of networks: the names of a regression, with effects in place of coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from formula_torch.result.network.base import NetworkBase

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["NetworkFit"]


@dataclass(frozen=True, eq=False, repr=False)
class NetworkFit(NetworkBase):
    """A regression whose predictor is a network.

    Weights have no meaning of their own: tables show average effects of the variables. Errors are those of a
    converged local maximum of the likelihood, by the Gauss-Newton information in the directions that the rows
    determine; they know nothing of other maxima, nor of how the network was chosen.
    """

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.recipe.formula.text!r}: {self.network.described}, {self.family.name}, "
            f"{self.nobs:g} observations, R2 {self.rsquared:.4g}>"
        )

    def plot_loss(self, *, log: bool = True, ax: Any = None) -> Any:
        """Draw the loss over the epochs of the best start.

        Parameters
        ----------
        log : bool
            A logarithmic scale of the loss.
        ax : matplotlib Axes, optional

        Returns
        -------
        Axes
        """
        from formula_torch.present.plots.losses import plot_loss

        return plot_loss(self.trace, log=log, ax=ax)

    def summary(self, alpha: float = 0.05, *, title: str | None = None) -> Summary:
        """Tables of the fit: size, fit and training; average effects of the variables.

        Parameters
        ----------
        alpha : float
            One less the confidence level of the intervals.
        title : str, optional
        """
        from formula_torch.present.network import network_summary

        return network_summary(self, alpha=alpha, title=title)

    def glance(self) -> pd.DataFrame:
        """One row of statistics of the whole fit."""
        from formula_torch.present.network import glance

        return glance(self)
