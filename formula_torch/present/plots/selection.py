"""A criterion against the number of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formula_torch.present.plots.canvas import ACCENT, INK, axes_or_new
from formula_torch.result.trajectory.selection import Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_selection"]

NAMES = {"bic": "BIC at the number of units", "bic_rows": "BIC at the number of rows", "aic": "AIC"}


def plot_selection(selection: Selection, ax: Axes | None) -> Axes:
    """Draw the criterion as a line over the number of groups, the smallest value filled."""
    ax = axes_or_new(ax, (5.0, 3.5))
    table = selection.table
    groups, values = table["groups"].to_numpy(), table[selection.criterion].to_numpy()
    ax.plot(groups, values, "o-", color=INK, markerfacecolor="white", linewidth=1.2, zorder=3)
    best = int(values.argmin())
    ax.plot(groups[best], values[best], "o", color=ACCENT, markersize=8, zorder=4)
    ax.set_xticks(groups)
    ax.set_xlabel("groups")
    ax.set_ylabel(NAMES[selection.criterion])
    return ax
