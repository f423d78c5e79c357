"""Axes, colours and points that all pictures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

__all__ = [
    "ACCENT",
    "FAINT",
    "INK",
    "MANY",
    "MARKERS",
    "PALETTE",
    "axes_or_new",
    "count",
    "draw_line",
    "extremes",
    "legend",
    "name_points",
    "new_axes",
    "number",
    "percent",
    "scatter",
    "tidy_axes",
]

# Okabe and Ito's colours, told apart by colour-blind readers; yellow is too faint for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
ACCENT = PALETTE[0]
MARKERS = "os^Dv<>P"
INK = "#404040"
FAINT = "#B0B0B0"
# More points than this hide one another: they are counted in hexagons instead.
MANY = 5_000
# As many as can be seen one by one.
FEW = 200


def new_axes(rows: int, columns: int, size: tuple[float, float]) -> np.ndarray:
    """Make a figure with axes in pyplot, so that a notebook shows it.

    Parameters
    ----------
    size : tuple of float
        Width and height, inches.

    Returns
    -------
    array of Axes, shape (rows, columns)

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    try:
        pyplot = import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install formula-torch[plot]") from error
    _, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        tidy_axes(ax)
    return axes


def axes_or_new(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes given, or those of a new figure."""
    return new_axes(1, 1, size)[0, 0] if ax is None else ax


def tidy_axes(ax: Axes) -> None:
    """Take away what says nothing."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#E8E8E8", linewidth=0.6)
    ax.set_axisbelow(True)


def count(number: float, noun: str) -> str:
    """``"12,345 rows"``."""
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


def scatter(
    ax: Axes, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, *, color: str = INK
) -> str | None:
    """Draw points, or beyond 5,000 of them how many lie in each hexagon.

    Where most points lie on others, as for counts, each place is drawn once, its area in proportion
    to the rows there.

    Parameters
    ----------
    x, y : array, shape (n,)
    weights : array, shape (n,), optional
        Areas of the points, and what hexagons sum.

    Returns
    -------
    str or None
        What a reader must be told.
    """
    more = "hold more rows" if weights is None else "weigh more"
    if len(x) > MANY:
        _hexagons(ax, x, y, weights)
        return f"{count(len(x), 'row')}; darker hexagons {more}"
    places, row_place = np.unique(np.column_stack([x, y]), axis=0, return_inverse=True)
    note = None if weights is None else f"larger points {more}"
    if len(places) <= len(x) / 2:
        weights = np.bincount(row_place.ravel(), weights, len(places)).astype(np.float64)
        x, y = places.T
        note = f"larger points {more}"
    ax.scatter(x, y, s=_areas(len(x), weights), color=color, alpha=_alpha(len(x)), linewidths=0, zorder=2)
    return note


def _hexagons(ax: Axes, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> None:
    colours = import_module("matplotlib.colors").LinearSegmentedColormap.from_list("counts", ["#DDDDDD", "#202020"])
    ax.hexbin(x, y, weights, reduce_C_function=_total, gridsize=45, mincnt=1, bins="log", cmap=colours, linewidths=0.1)


def _total(values: Any) -> float:
    return float(np.sum(values))


def _areas(n: int, weights: np.ndarray | None) -> Any:
    """Areas of markers in points squared: smaller where there are many, in proportion to weights."""
    area = float(np.clip(34 * (50 / max(n, 1)) ** 0.25, 9, 30))
    return area if weights is None else np.maximum(area * weights / weights.mean(), 2)


def _alpha(n: int) -> float:
    return float(np.clip(0.75 * (60 / max(n, 1)) ** 0.3, 0.25, 0.75))


def draw_line(ax: Axes, x: Any, y: Any, color: str, *, behind: int) -> Any:
    """Draw a line; on many points with a light edge, so that it is seen.

    Parameters
    ----------
    behind : int
        How many points there are.
    """
    effects = import_module("matplotlib.patheffects")
    edge = [effects.Stroke(linewidth=3.4, foreground="white")] if behind > FEW else []
    (line,) = ax.plot(x, y, color=color, linewidth=1.8, zorder=4, path_effects=[*edge, effects.Normal()])
    return line


def name_points(
    ax: Axes, x: np.ndarray, y: np.ndarray, labels: pd.Index, which: Sequence[int], away: float = 0
) -> None:
    """Draw some rows darker and write their labels beside them, those on the right to their left.

    Parameters
    ----------
    away : float
        How far above points on the right, and below those on the left, in points of type: off a rising line.
    """
    rows = np.array(which, dtype=np.intp)
    ax.scatter(x[rows], y[rows], s=14, color=INK, linewidths=0, zorder=5)
    sides = np.where(x[rows] > (np.nanmin(x) + np.nanmax(x)) / 2, -1, 1)
    lifts = _lifts(ax, x, y, rows) - away * sides
    for i, side, lift in zip(rows, sides, lifts, strict=True):
        ax.annotate(
            str(labels[i]),
            (float(x[i]), float(y[i])),
            xytext=(5 * int(side), float(lift)),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            va="center",
            fontsize="small",
            color=INK,
            parse_math=False,
        )


def _lifts(ax: Axes, x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """How far to move labels down so that near ones do not lie on one another, points of type, shape (m,)."""
    figure = ax.get_figure()
    size = np.array([ax.bbox.width, ax.bbox.height]) * 72 / (72 if figure is None else figure.dpi)
    spread = np.array([np.ptp(v[~np.isnan(v)]) or 1.0 for v in (x, y)])
    place = np.column_stack([x[rows], y[rows]]) / spread * size
    written = place.copy()
    order = np.argsort(-place[:, 1], kind="stable")
    for j, row in enumerate(order):
        for above in order[:j]:
            if abs(place[row, 0] - place[above, 0]) < 40:
                written[row, 1] = min(written[row, 1], written[above, 1] - 10)
    return written[:, 1] - place[:, 1]


def legend(ax: Axes, handles: Sequence[Any], labels: Sequence[str], title: str | None, *, beside: bool) -> Legend:
    """Draw a legend whose labels may hold any sign, in the axes or beside them."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if beside else {"loc": "best"}
    made = ax.legend(
        list(handles), list(labels), title=title, frameon=False, fontsize="small", title_fontsize="small", **place
    )
    made.set_alignment("left")
    for text in (*made.get_texts(), made.get_title()):
        text.set_parse_math(False)
    return made


def extremes(values: np.ndarray, number: int) -> list[int]:
    """Positions of the largest absolute values, largest first."""
    known = np.flatnonzero(~np.isnan(values))
    return [int(i) for i in known[np.argsort(-np.abs(values[known]), kind="stable")[:number]]]


def number(value: float) -> str:
    """Three significant digits, with the minus sign of the axes."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def percent(level: float) -> str:
    """``"95%"``."""
    return f"{100 * level:.4g}%" if math.isfinite(level) else str(level)
