"""The average prediction along one variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from formula_torch.present.plots.canvas import ACCENT, INK, axes_or_new, percent
from formula_torch.result.network.dependence import PartialDependence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_dependence"]


def plot_dependence(curve: PartialDependence, ax: Axes | None = None) -> Axes:
    """Draw a line with its band, or for levels points with their intervals.

    Parameters
    ----------
    curve : PartialDependence
    ax : matplotlib Axes, optional
    """
    ax = axes_or_new(ax, (6.0, 4.4))
    table = curve.table
    estimate, low, high = (table[name].to_numpy() for name in ("estimate", "conf_low", "conf_high"))
    if curve.numeric:
        x = table[curve.variable].to_numpy(dtype=np.float64)
        ax.fill_between(x, low, high, color=ACCENT, alpha=0.18, linewidth=0)
        ax.plot(x, estimate, color=ACCENT, linewidth=1.8)
    else:
        x = np.arange(len(table), dtype=np.float64)
        ax.vlines(x, low, high, color=ACCENT, linewidth=1.6)
        ax.plot(x, estimate, "o", color=ACCENT, markersize=5)
        ax.set_xticks(x, [str(level) for level in table[curve.variable]], parse_math=False)
    ax.set_xlabel(curve.variable, parse_math=False)
    ax.set_ylabel(f"{curve.means.response}, average prediction", parse_math=False)
    band = "no errors" if np.isnan(low).all() else f"{percent(curve.means.level)} intervals, each for its point"
    ax.set_title(band, loc="left", fontsize="small", color=INK)
    return ax
