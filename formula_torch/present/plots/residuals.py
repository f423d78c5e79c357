"""Four panels of residuals."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.inference.residual_curves import cooks_contour, normal_envelope, normal_positions
from formula_torch.numerics.lowess import lowess_curve
from formula_torch.present.plots.canvas import (
    ACCENT,
    FAINT,
    INK,
    MANY,
    PALETTE,
    count,
    extremes,
    name_points,
    new_axes,
    scatter,
)
from formula_torch.result.regression_plots import RegressionPlots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ResidualRows", "draw_panels", "plot_residuals"]

# How many rows each panel names.
NAMED = 3
COOKS = (0.5, 1.0)


@dataclass(frozen=True, eq=False)
class ResidualRows:
    """What the panels show, arrays of shape (n,).

    Parameters
    ----------
    fitted, raw, standardised, normal, reach, leverage, cooks : array
        Raw residuals are times the root of analytic weights; those that are normal under the model, and those
        whose size with the leverage makes Cook's distance, are the standardised ones in a linear regression.
    counts : array or None
        Frequency weights.
    labels : Index
    rank : int
    words : tuple of str
        For the axes: fitted values, raw residuals, standardised, normal ones, those that make Cook's distance.
    """

    fitted: np.ndarray
    raw: np.ndarray
    standardised: np.ndarray
    normal: np.ndarray
    reach: np.ndarray
    leverage: np.ndarray
    cooks: np.ndarray
    counts: np.ndarray | None
    labels: pd.Index
    rank: int
    words: tuple[str, str, str, str, str]

    @cached_property
    def most_extreme(self) -> list[int]:
        """Rows with the largest standardised residuals."""
        return extremes(self.standardised, NAMED)


def plot_residuals(fit: RegressionPlots, axes: Any) -> np.ndarray:
    """Draw residuals over fitted values, their normal Q-Q plot, scale-location, and over leverage."""
    return draw_panels(_residuals_of(fit), axes)


def draw_panels(residuals: ResidualRows, axes: Any) -> np.ndarray:
    """Draw the four panels.

    Parameters
    ----------
    residuals : ResidualRows
    axes : array of Axes or None
    """
    panels = _new_panels() if axes is None else np.asarray(axes)
    if panels.size != 4:
        raise ValueError(f"plot_residuals draws four panels, and was given {panels.size} axes.")
    for ax, draw in zip(panels.flat, (_over_fitted, _quantiles, _scale_location, _over_leverage), strict=True):
        ax.margins(y=0.08)
        draw(ax, residuals)
    return panels


def _new_panels() -> np.ndarray:
    panels = new_axes(2, 2, (9.0, 7.4))
    for ax in panels.flat:
        ax.locator_params(axis="x", nbins=6)
    return panels


def _residuals_of(fit: RegressionPlots) -> ResidualRows:
    fitted = fit.fittedvalues
    deletion = fit.get_influence().deletion
    frequency = fit.model.weights_type == "frequency"
    weighted = fit.model.weights_type is not None and not frequency
    raw = "Weighted residual" if weighted else "Residual"
    return ResidualRows(
        fitted=fitted.to_numpy(),
        raw=deletion.residuals,
        standardised=deletion.internal,
        normal=deletion.internal,
        reach=deletion.internal,
        leverage=deletion.leverage,
        cooks=deletion.cooks,
        counts=fit.held_rows("plot_residuals").weight_values() if frequency else None,
        labels=fitted.index,
        rank=fit.solution.rank,
        words=("Fitted value", raw, "Standardised residual", "Standardised residual", "Standardised residual"),
    )


def _over_fitted(ax: Axes, r: ResidualRows) -> None:
    ax.axhline(0, color=FAINT, linewidth=1, zorder=1)
    note = scatter(ax, r.fitted, r.raw, r.counts)
    _smooth(ax, r.fitted, r.raw, r.counts)
    name_points(ax, r.fitted, r.raw, r.labels, r.most_extreme)
    _label(ax, "Residuals", r.words[0], r.words[1], note)


def _quantiles(ax: Axes, r: ResidualRows) -> None:
    order = np.flatnonzero(~np.isnan(r.normal))
    order = order[np.argsort(r.normal[order], kind="stable")]
    positions = normal_positions(np.ones(len(order)) if r.counts is None else r.counts[order])
    n = float(len(order) if r.counts is None else r.counts[order].sum())
    shown = _thinned(len(order))
    low, high = normal_envelope(positions[shown], n)
    ax.fill_between(positions[shown], low, high, color=ACCENT, alpha=0.15, linewidth=0, zorder=1)
    ends = positions[[0, -1]]
    ax.plot(ends, ends, color=ACCENT, linewidth=1.2, zorder=2)
    ax.scatter(positions[shown], r.normal[order][shown], s=14, color=INK, alpha=0.7, linewidths=0, zorder=3)
    at = np.full(len(r.fitted), np.nan)
    at[order] = positions
    name_points(ax, at, r.normal, r.labels, extremes(r.normal, NAMED), away=7)
    note = None if len(shown) == len(order) else f"{count(len(shown), 'quantile')} of {count(len(order), 'row')}"
    _label(ax, "Normal Q-Q", "Normal quantile", r.words[3], note)


def _thinned(n: int) -> np.ndarray:
    """Positions of the quantiles to draw: all where there are few, else all at the ends and 2,000 between."""
    ends = 500
    if n <= MANY:
        return np.arange(n)
    between = np.linspace(ends, n - ends - 1, 2_000).round().astype(np.intp)
    return np.concatenate([np.arange(ends), between, np.arange(n - ends, n)])


def _scale_location(ax: Axes, r: ResidualRows) -> None:
    known = ~np.isnan(r.standardised)
    size = np.sqrt(np.abs(r.standardised))
    counts = None if r.counts is None else r.counts[known]
    note = scatter(ax, r.fitted[known], size[known], counts)
    _smooth(ax, r.fitted[known], size[known], counts)
    name_points(ax, r.fitted, size, r.labels, r.most_extreme)
    ax.set_ylim(bottom=0)
    _label(ax, "Scale-location", r.words[0], f"Root of |{r.words[2][0].lower()}{r.words[2][1:]}|", note)


def _over_leverage(ax: Axes, r: ResidualRows) -> None:
    known = ~np.isnan(r.reach)
    ax.axhline(0, color=FAINT, linewidth=1, zorder=1)
    note = scatter(ax, r.leverage[known], r.reach[known], None if r.counts is None else r.counts[known])
    _contours(ax, r)
    name_points(ax, r.leverage, r.reach, r.labels, extremes(r.cooks, NAMED))
    lost = int((~known).sum())
    if lost:
        note = f"{count(lost, 'row')} of leverage 1 not drawn" + (f"; {note}" if note else "")
    _label(ax, "Leverage", "Leverage", r.words[4], note)


def _contours(ax: Axes, r: ResidualRows) -> None:
    """Contours of Cook's distance where they pass through the panel, and in any case the largest distance."""
    left, right, bottom, top = *ax.get_xlim(), *ax.get_ylim()
    leverage = np.linspace(max(left, 1e-8), min(right, 1 - 1e-9), 300)
    largest = float(np.nanmax(r.cooks)) if (~np.isnan(r.cooks)).any() else math.nan
    drawn = False
    for distance, sign in itertools.product(COOKS, (1, -1)):
        height = sign * cooks_contour(distance, leverage, r.rank)
        inside = (height <= top) & (height >= bottom)
        # The corner of a contour says nothing, where no row lies beyond it.
        if inside.mean() > 0.1 or (inside.any() and largest > distance):
            drawn = True
            ax.plot(leverage, height, color=PALETTE[1], linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            _name_contour(ax, distance, leverage[inside], height[inside])
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    caption = f"Cook's distance{' (dashed)' if drawn else ''}: largest {largest:.2g}"
    ax.set_title(caption, loc="right", fontsize="small", color=INK)


def _name_contour(ax: Axes, distance: float, leverage: np.ndarray, height: np.ndarray) -> None:
    ax.annotate(
        f"{distance:g}",
        (leverage[-1], height[-1]),
        xytext=(2, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        color=PALETTE[1],
        annotation_clip=False,
    )


def _smooth(ax: Axes, x: np.ndarray, y: np.ndarray, counts: np.ndarray | None) -> None:
    at, smooth = lowess_curve(x, y, counts)
    ax.plot(at, smooth, color=PALETTE[1], linewidth=1.6, zorder=4)


def _label(ax: Axes, title: str, x: str, y: str, note: str | None) -> None:
    ax.set_title(title, loc="left", fontsize="medium")
    ax.set_xlabel(x if note is None else f"{x}\n({note})")
    ax.set_ylabel(y)
