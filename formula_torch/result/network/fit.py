"""Results of networks: the names of a regression, with effects in place of coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from formula_torch.result.network.resampling import NetworkResampling

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["NetworkFit"]


@dataclass(frozen=True, eq=False, repr=False)
class NetworkFit(NetworkResampling):
    """A regression whose predictor is a network.

    Weights have no meaning of their own: tables show average effects of the variables. Errors are those of a
    converged local maximum of the likelihood, by the Gauss-Newton information in the directions that the rows
    determine; they know nothing of other maxima, nor of how the network was chosen::

        NetworkBase                     network, machine, ...; predict, llf, deviance, rsquared, history, and all of Fit
        └── NetworkMargins              marginal_effects, average_predictions, partial_dependence
            └── NetworkResampling       bootstrap
                └── NetworkFit          summary, tidy, glance, augment, plot_loss

    Examples
    --------
    >>> import formula_torch as ft
    >>> net = ft.Network(hidden=(1,), starts=1)
    >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness(), network=net)
    >>> fit.marginal_effects("area").table[["term", "contrast"]].to_dict("records")
    [{'term': 'area', 'contrast': 'dy/dx'}]
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

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """One row an average effect: term, contrast, estimate, std_error, statistic, p_value, conf_low, conf_high.

        Those of the summary; ``marginal_effects`` has others, and warns where there are no errors.

        Parameters
        ----------
        conf_level : float
        """
        return self.shown_effects(conf_level).effects.table

    def augment(self, data: Any = None) -> pd.DataFrame:
        """Data with the columns ``fitted`` (the mean) and ``resid`` (response less mean).

        Parameters
        ----------
        data : table, optional
            By default the columns and rows of the fit; after the rows were removed, pass them.
        """
        from formula_torch.present.tidy import augment

        return augment(self, data)

    def glance(self) -> pd.DataFrame:
        """One row of statistics of the whole fit."""
        from formula_torch.present.network import glance

        return glance(self)
