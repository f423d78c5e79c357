"""Partial regression: the data behind one coefficient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from formula_torch.data import suggest
from formula_torch.errors import DataError, UnknownNameError
from formula_torch.inference.added_variable import unexplained_column
from formula_torch.present.plots.canvas import ACCENT, FAINT, INK, axes_or_new, draw_line, number, percent, scatter
from formula_torch.result.regression_plots import RegressionPlots
from formula_torch.result.solved_fit import SolvedFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_partial", "plot_partial"]


def plot_partial(fit: RegressionPlots, x: str, ax: Axes | None, *, level: float) -> Axes:
    """Draw the residuals of the response over those of one column, both from all other columns."""
    design = fit.held_rows("plot_partial").design(fit.recipe)
    resid = (design.response - design.matvec(np.nan_to_num(fit.coefficients))).cpu().numpy()
    weights = fit.held_rows("plot_partial").weight_values()
    return draw_partial(fit, x, ax, resid, weights, fit.recipe.response_name, level=level)


def draw_partial(
    fit: SolvedFit,
    x: str,
    ax: Axes | None,
    resid: np.ndarray,
    weights: np.ndarray | None,
    label: str,
    *,
    level: float,
) -> Axes:
    """Draw what one column explains of residuals.

    Parameters
    ----------
    fit : SolvedFit
    x : str
        A coefficient.
    ax : Axes or None
    resid : array, shape (n,)
        Of the least squares that the fit is the solution of.
    weights : array, shape (n,), or None
        Theirs.
    label : str
        What they are residuals of.
    level : float
    """
    column = _column(fit, x)
    design = fit.held_rows("plot_partial").design(fit.recipe)
    slope = float(fit.coefficients[column])
    across = unexplained_column(design, fit.solution.coordinates, column)
    low, high = fit.confint(level).iloc[column]
    ax = axes_or_new(ax, (6.0, 4.4))
    ax.axhline(0, color=FAINT, linewidth=1, zorder=1)
    note = scatter(ax, across, resid + slope * across, weights)
    line = np.array([across.min(), 0.0, across.max()])
    ax.fill_between(line, low * line, high * line, color=ACCENT, alpha=0.18, linewidth=0, zorder=3)
    draw_line(ax, line, slope * line, ACCENT, behind=design.n_rows)
    ax.set_xlabel(f"{fit.names[column]} | others" + (f"\n({note})" if note else ""), parse_math=False)
    ax.set_ylabel(f"{label} | others", parse_math=False)
    caption = f"slope {number(slope)}, {percent(level)} interval {number(low)} to {number(high)}"
    ax.set_title(caption, loc="left", fontsize="small", color=INK)
    return ax


def _column(fit: SolvedFit, name: str) -> int:
    """Position of a coefficient that was estimated."""
    names = list(fit.names)
    of_term = fit.recipe.columns_of_terms.get(name, [])
    if name not in names and len(of_term) != 1:
        if of_term:
            shown = ", ".join(f"`{names[j]}`" for j in of_term[:4])
            raise UnknownNameError(f"`{name}` has {len(of_term)} coefficients; draw one of them: {shown}.")
        raise UnknownNameError(f"`{name}` is not a coefficient{suggest(name, names)} They are {', '.join(names[:8])}.")
    column = names.index(name) if name in names else of_term[0]
    if np.isnan(fit.coefficients[column]):
        raise DataError(f"`{name}` was dropped as dependent on other columns; nothing of it is left to draw.")
    return column
