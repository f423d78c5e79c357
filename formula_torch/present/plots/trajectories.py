"""Mean curves of latent groups, among what was observed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.present.plots.canvas import (
    INK,
    MARKERS,
    PALETTE,
    axes_or_new,
    count,
    draw_line,
    legend,
    percent,
)
from formula_torch.present.plots.lines import value_text
from formula_torch.present.plots.trajectory_points import Observations, observations
from formula_torch.result.trajectory.curve_rows import CurveRows, curve_rows
from formula_torch.result.trajectory.curve_tables import curve_table
from formula_torch.result.trajectory.curves import Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_trajectories"]

# Steps of a curve.
FINE = 200
# Lines of more units are not drawn unless asked for, and of still more only a sample.
FEW_UNITS = 200
MOST_UNITS = 2_000


def plot_trajectories(
    fit: Curves,
    ax: Axes | None,
    *,
    times: Any,
    at: Mapping[str, Any] | None,
    level: float,
    observed: bool,
    spaghetti: bool | None,
) -> Axes:
    """Draw curves with bands, observed means, and the lines of units."""
    shown = curve_rows(fit, times, at, fine=FINE)
    table = curve_table(shown, level)
    seen = None if not observed and spaghetti is False else observations(fit, shown)
    beside = ax is None
    ax = axes_or_new(ax, (6.9, 4.4))
    spaghetti = seen is not None and (_few(seen) if spaghetti is None else spaghetti)
    note = _draw_units(ax, seen, fit.n_groups) if seen is not None and spaghetti else None
    handles = []
    for g in range(fit.n_groups):
        line = _draw_curve(ax, shown, table[table["group"] == g + 1], g)
        handles.append((line, _draw_means(ax, seen, g)) if seen is not None and observed else line)
    shares = [f"group {g} ({100 * share:.1f}%)" for g, share in enumerate(fit.share_values, 1)]
    legend(ax, handles, shares, None, beside=beside)
    _label(ax, shown, seen, note, level, observed)
    return ax


def _few(seen: Observations) -> bool:
    """Whether lines of units can be told apart, and their response is more than yes or no."""
    return len(np.unique(seen.unit)) <= FEW_UNITS and len(np.unique(seen.y[0])) > 2


def _draw_units(ax: Axes, seen: Observations, groups: int) -> str | None:
    """Draw the observations of units as thin lines; return what a reader must be told."""
    lines = import_module("matplotlib.collections").LineCollection
    units = np.unique(seen.unit)
    n = len(units)
    if n > MOST_UNITS:
        units = np.random.default_rng(0).choice(units, MOST_UNITS, replace=False)
    alpha = float(np.clip((40 / len(units)) ** 0.5, 0.12, 0.9))
    for g in range(groups):
        drawn = list(seen.lines(g, units))
        ax.add_collection(lines(drawn, colors=_tint(g), linewidths=0.8, alpha=alpha, zorder=1))
        # A unit of one row has no line.
        if single := [line for line in drawn if len(line) == 1]:
            ax.plot(*np.concatenate(single).T, ".", color=_tint(g), alpha=alpha, zorder=1)
    ax.autoscale_view()
    return f"thin lines: {MOST_UNITS:,} of {count(n, 'unit')}" if n > MOST_UNITS else None


def _draw_means(ax: Axes, seen: Observations, group: int) -> Any:
    time, mean = seen.means(group)
    marker = MARKERS[group % len(MARKERS)]
    (marks,) = ax.plot(
        time, mean, marker, color=_color(group), markersize=5, markeredgecolor="white", markeredgewidth=0.6, zorder=5
    )
    return marks


def _draw_curve(ax: Axes, shown: CurveRows, curve: pd.DataFrame, group: int) -> Any:
    order = np.argsort(shown.times)
    times, mean, low, high = curve[[shown.time, "mean", "conf_low", "conf_high"]].to_numpy()[order].T
    ax.fill_between(times, low, high, color=_color(group), alpha=0.22, linewidth=0, zorder=3)
    return draw_line(ax, times, mean, _color(group), behind=0)


def _color(group: int) -> str:
    return PALETTE[group % len(PALETTE)]


def _tint(group: int) -> np.ndarray:
    """A light shade, in front of which a curve is seen however many lines lie on one another."""
    full = np.array(import_module("matplotlib.colors").to_rgb(_color(group)))
    return 1 - (1 - full) * 0.5


# -- words ----------------------------------------------------------------------------------------


def _label(
    ax: Axes, shown: CurveRows, seen: Observations | None, note: str | None, level: float, observed: bool
) -> None:
    ax.set_xlabel(shown.time + (f"\n({note})" if note else ""), parse_math=False)
    ax.set_ylabel(_response(shown), parse_math=False)
    times = shown.times if seen is None else seen.time
    if (times == np.round(times)).all():
        ax.xaxis.set_major_locator(import_module("matplotlib.ticker").MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_title(_caption(shown, level, observed), loc="left", fontsize="small", color=INK, parse_math=False)


def _caption(shown: CurveRows, level: float, observed: bool) -> str:
    """What the bands and points are, and where the other columns are held."""
    held = [f"{name}\u00a0=\u00a0{_held(value)}" for name, value in shown.held.items()]
    words = [f"{percent(level)} bands"]
    if held:
        words.append(f"at {', '.join(held[:5])}{', ...' if len(held) > 5 else ''}")
    if observed:
        # The points are of rows of any value of what is held.
        words.append("points: means of all rows" if shown.holds else "points: observed means")
    return "\n".join(textwrap.wrap("; ".join(words), 72))


def _held(value: Any) -> str:
    """A value as text, large numbers with commas."""
    large = isinstance(value, (int, float)) and 1e4 <= abs(value) < 1e15
    return f"{value:,.0f}" if large else value_text(value)


def _response(shown: CurveRows) -> str:
    """The response, and what it is per unit of."""
    name, left_out = shown.fit.recipe.response_name, shown.left_out()
    if not left_out:
        return name
    if not shown.fit.family.exponential:
        return f"{name} without the offset"
    logged = [re.fullmatch(r"(?:np\.)?log\((\w+)\)", text) for text in left_out]
    known = [found.group(1) for found in logged if found is not None]
    return f"{name} / {known[0]}" if len(left_out) == len(known) == 1 else f"{name} per unit of exposure"
