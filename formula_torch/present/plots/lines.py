"""The fitted mean over one column, among the data."""

from __future__ import annotations

import numbers
import textwrap
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.errors import check_known, check_share
from formula_torch.present.plots.canvas import (
    INK,
    MANY,
    MARKERS,
    PALETTE,
    axes_or_new,
    count,
    draw_line,
    legend,
    number,
    percent,
    scatter,
)
from formula_torch.present.plots.reference import Reference, positions, reference
from formula_torch.result.population import Population, fitted_population
from formula_torch.result.regression_plots import RegressionPlots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INTERVALS", "averaged", "draw_fit", "plot_fit", "value_text"]

# Columns of summary_frame to draw, the widest first, how dark, and what they are called.
_MEAN = ("mean_ci", 0.22, "the mean")
_OBSERVATION = ("obs_ci", 0.10, "an observation")
INTERVALS: dict[str | None, tuple[tuple[str, float, str], ...]] = {
    "mean": (_MEAN,),
    "obs": (_OBSERVATION,),
    "both": (_OBSERVATION, _MEAN),
    None: (),
}
# Half the room that the points of a level have to lie side by side.
_JITTER = 0.28


def plot_fit(
    fit: RegressionPlots,
    x: str,
    ax: Axes | None,
    *,
    at: Mapping[str, Any] | None,
    by: str | Mapping[str, Sequence[Any]] | None,
    level: float,
    points: bool,
    interval: str | None,
) -> Axes:
    """Draw the fitted mean over `x`, a line or a point with its interval for each level of `by`."""
    check_known("interval", interval, INTERVALS)
    check_share("level", level)
    rows = fit.held_rows("plot_fit")
    shown = reference(fitted_population(fit), x, at, by)
    drawn = shown.rows()
    # The variance of an observation depends on its weight; what is not drawn needs no word about it.
    weights = 1.0 if interval in ("mean", None) else None
    offset = averaged(shown.population, shown.population.offset, len(drawn))
    frame = fit.get_prediction(drawn, offset=offset, weights=weights).summary_frame(1 - level)
    observed = fit.recipe.response(rows.used_frame()) if points else None
    return draw_fit(shown, frame, ax, observed, rows.weight_values(), fit.recipe.response_name, level, interval)


def averaged(population: Population, own: Any, n: int) -> np.ndarray | None:
    """An offset that the fit was given as an array, at its mean for n rows."""
    return np.full(n, np.average(own, weights=population.weights.numpy())) if isinstance(own, np.ndarray) else None


def draw_fit(
    shown: Reference,
    frame: pd.DataFrame,
    ax: Axes | None,
    observed: np.ndarray | None,
    weights: np.ndarray | None,
    label: str,
    level: float,
    interval: str | None,
) -> Axes:
    """Draw predicted means with their intervals, and the observations behind.

    Parameters
    ----------
    shown : Reference
    frame : DataFrame
        Predictions of ``shown.rows()``: mean, mean_ci_lower, mean_ci_upper and, where drawn, obs_ci_*.
    ax : Axes or None
    observed : array, shape (n,), or None
    weights : array, shape (n,), or None
        Of the observations.
    label : str
        Of the vertical axis.
    level : float
    interval : str or None
        One of `INTERVALS`.
    """
    beside = ax is None
    ax = axes_or_new(ax, _size(shown))
    note = None if observed is None else _draw_points(ax, shown, observed, weights)
    draw = _draw_line if shown.x.levels is None else _draw_levels
    each = len(frame) // len(shown.lines)
    lines = [frame.iloc[start : start + each] for start in range(0, len(frame), each)]
    handles = [draw(ax, shown, line, i, INTERVALS[interval]) for i, line in enumerate(lines)]
    if shown.by is not None:
        legend(ax, handles, [value_text(line) for line in shown.lines], shown.by.name, beside=beside)
    _label(ax, label, shown, note, level, interval)
    return ax


# -- observations ---------------------------------------------------------------------------------


def _draw_points(ax: Axes, shown: Reference, y: np.ndarray, weights: np.ndarray | None) -> str | None:
    """Draw the observations in the colours of their lines; return what a reader must be told."""
    member = shown.line_of_rows()
    x = _across(shown, member)
    kept = np.flatnonzero(member >= 0) if shown.categorical else np.arange(len(y))
    notes: list[str | None] = []
    if len(kept) > MANY and (shown.by is not None or shown.x.levels is not None):
        notes.append(f"{MANY:,} of {count(len(kept), 'row')} drawn")
        kept = np.sort(np.random.default_rng(0).choice(kept, MANY, replace=False))
    for i in np.unique(member[kept]):
        some = kept[member[kept] == i]
        color = INK if shown.by is None or i < 0 else PALETTE[i]
        notes.append(scatter(ax, x[some], y[some], None if weights is None else weights[some], color=color))
    return "; ".join(dict.fromkeys(filter(None, notes))) or None


def _across(shown: Reference, member: np.ndarray) -> np.ndarray:
    """Where the observations stand: their value, or beside one another at that of their level."""
    if shown.x.levels is None:
        return shown.population.frame.column(shown.x.name).numbers
    places = positions(shown.population, shown.x.name, shown.x.levels).astype(np.float64)
    lines = len(shown.lines)
    aside = np.random.default_rng(0).uniform(-1, 1, len(places)) * _JITTER / lines
    return places + _offset(np.maximum(member, 0), lines) + aside


def _offset(line: Any, lines: int) -> Any:
    """How far from its level the points of one of several lines stand."""
    return (line - (lines - 1) / 2) * 0.8 / lines


# -- the fit --------------------------------------------------------------------------------------


def _draw_line(ax: Axes, shown: Reference, frame: pd.DataFrame, i: int, bands: Any) -> Any:
    places = shown.places()
    for name, dark, _ in bands:
        low, high = frame[f"{name}_lower"], frame[f"{name}_upper"]
        ax.fill_between(places, low, high, color=PALETTE[i], alpha=dark, linewidth=0, zorder=3)
    return draw_line(ax, places, frame["mean"], PALETTE[i], behind=len(shown.population.table))


def _draw_levels(ax: Axes, shown: Reference, frame: pd.DataFrame, i: int, bands: Any) -> Any:
    places = shown.places() + _offset(i, len(shown.lines))
    for (name, _, _), width in zip(bands, (1.2, 2.6), strict=False):
        low, high = frame[f"{name}_lower"], frame[f"{name}_upper"]
        ax.vlines(places, low, high, color=PALETTE[i], linewidth=width, zorder=3)
    (marks,) = ax.plot(
        places, frame["mean"], MARKERS[i], color=PALETTE[i], markersize=7, markeredgecolor="white", zorder=4
    )
    return marks


# -- words ----------------------------------------------------------------------------------------


def _label(ax: Axes, label: str, shown: Reference, note: str | None, level: float, interval: Any) -> None:
    ax.set_xlabel(shown.x.name + (f"\n({note})" if note else ""), parse_math=False)
    ax.set_ylabel(label, parse_math=False)
    if shown.x.levels is not None:
        ax.set_xticks(shown.places(), _names(shown), parse_math=False)
        if _crowded(shown):
            ax.tick_params(axis="x", labelrotation=90)
        ax.grid(visible=False, axis="x")
    elif _whole(shown) and ax.get_xscale() == "linear":
        ticks = import_module("matplotlib.ticker").MaxNLocator(integer=True, steps=[1, 2, 5, 10])
        ax.xaxis.set_major_locator(ticks)
    ax.set_title(_caption(shown, level, interval), loc="left", fontsize="small", color=INK, parse_math=False)


def _names(shown: Reference) -> list[str]:
    return [value_text(level) for level in shown.x.levels or ()]


def _crowded(shown: Reference) -> bool:
    """Whether the names of levels find no room side by side."""
    return sum(map(len, _names(shown))) > 60


def _size(shown: Reference) -> tuple[float, float]:
    """Width and height of a figure in inches, with room for names that stand upright."""
    if not _crowded(shown):
        return 6.4, 4.4
    return max(6.4, 0.36 * len(_names(shown))), 3.8 + 0.09 * max(map(len, _names(shown)))


def _whole(shown: Reference) -> bool:
    values = shown.population.frame.column(shown.x.name).numbers
    return bool((values == np.round(values)).all())


def _caption(shown: Reference, level: float, interval: Any) -> str:
    """What the bands are, and where the other columns are held."""
    of = [what for *_, what in INTERVALS[interval]]
    words = [f"{percent(level)} interval{'s' if len(of) > 1 else ''} of {' and of '.join(of)}"] if of else []
    # Bound by spaces that do not break.
    held = [f"{name}\u00a0=\u00a0{value_text(value)}" for name, value in shown.held().items()]
    if held:
        words.append(f"at {', '.join(held[:5])}{', ...' if len(held) > 5 else ''}")
    return "\n".join(textwrap.wrap("; ".join(words), 72))


def value_text(value: Any) -> str:
    """A level as text, a number without the digits nobody reads."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return str(value)
    plain = float(value)
    return f"{plain:.0f}" if plain.is_integer() or 1e3 <= abs(plain) < 1e9 else number(plain)
