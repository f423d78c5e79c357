"""Coefficients as points with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.data import suggest
from formula_torch.errors import DataError, UnknownNameError
from formula_torch.present.plots.canvas import FAINT, MARKERS, PALETTE, axes_or_new, legend, percent
from formula_torch.result.plotting import Plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_coefficients"]

# More names than this cannot be read one below the other.
MOST_COEFFICIENTS = 150
# Share of the distance between two coefficients that the points of several fits take.
_BREADTH = 0.55


def plot_coefficients(
    fits: Any,
    ax: Axes | None = None,
    *,
    terms: str | Sequence[str] | None = None,
    drop_intercept: bool = True,
    level: float = 0.95,
    exp: bool = False,
    joint: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Axes:
    """Draw coefficients with their intervals, those of several fits side by side.

    Parameters
    ----------
    fits : Fit, list of Fit, or dict
        A dict names the fits in the legend.
    ax : Axes, optional
        By default those of a new figure.
    terms : str or list of str, optional
        Coefficients, or terms of the formula for all of theirs, in the order wanted.
    drop_intercept : bool
        Leave out the intercept, where `terms` does not name it.
    level : float
        Of the intervals.
    exp : bool
        Exponentiate, on a logarithmic axis: ratios.
    joint : {None, "bonferroni", "scheffe", "sup-t"}
        Intervals that hold for all coefficients of a fit together, as ``confint``.
    labels : dict, optional
        Coefficient to what to write in place of its name.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        No such coefficient or term.
    DataError
        More coefficients than can be read, or none.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import formula_torch as ft
    >>> visits = ft.datasets.visits()
    >>> fit = ft.fit("drvisits ~ private + age", visits)
    >>> ax = ft.plot_coefficients({"classical": fit, "robust": fit.with_vcov("HC3")})
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['private', 'age']
    """
    named = _named(fits)
    names = _chosen(list(named.values()), terms, drop_intercept)
    given = {} if labels is None else dict(labels)
    for unknown in given.keys() - set(names):
        raise UnknownNameError(f"labels: `{unknown}` is not a coefficient drawn here{suggest(unknown, names)}")
    estimates = {title: _estimates(fit, names, level, joint, exp) for title, fit in named.items()}
    beside = ax is None
    ax = axes_or_new(ax, (6.4, _height(len(names), len(named))))
    ax.axvline(1.0 if exp else 0.0, color=FAINT, linewidth=1, zorder=1)
    _draw(ax, estimates, beside)
    _name_rows(ax, [_shown(name, given, estimates) for name in names])
    if exp:
        _ratio_axis(ax)
    kind = "" if joint is None else f" joint ({joint})"
    ax.set_xlabel(f"{'exp(coefficient)' if exp else 'Coefficient'} with {percent(level)}{kind} confidence interval")
    return ax


def _named(fits: Any) -> dict[str, Plots]:
    """Fits by what the legend calls them."""
    if isinstance(fits, Mapping):
        named = {str(title): fit for title, fit in fits.items()}
    else:
        single = [fits] if isinstance(fits, Plots) else list(fits)
        named = {f"({i})": fit for i, fit in enumerate(single, 1)}
    if not 1 <= len(named) <= len(PALETTE):
        raise ValueError(f"{len(named)} fits were passed; from 1 to {len(PALETTE)} can be told apart.")
    wrong = next((fit for fit in named.values() if not isinstance(fit, Plots)), None)
    if wrong is not None:
        raise TypeError(f"plot_coefficients draws fits, and got a {type(wrong).__name__}.")
    return named


def _chosen(fits: list[Plots], terms: str | Sequence[str] | None, drop_intercept: bool) -> list[str]:
    """Names of the coefficients to draw, in order."""
    all_names = list(dict.fromkeys(name for fit in fits for name in fit.names))
    if terms is None:
        names = [name for name in all_names if not (drop_intercept and name == "Intercept")]
    else:
        asked = [terms] if isinstance(terms, str) else list(terms)
        names = list(dict.fromkeys(name for term in asked for name in _of_term(fits, term, all_names)))
    if not names:
        raise DataError("there is no coefficient to draw but the intercept; pass drop_intercept=False.")
    if len(names) > MOST_COEFFICIENTS:
        raise DataError(
            f"{len(names)} coefficients cannot be read in one picture (at most {MOST_COEFFICIENTS}); choose some with "
            "terms=."
        )
    return names


def _of_term(fits: list[Plots], term: str, names: list[str]) -> list[str]:
    """Coefficients that a name stands for: itself, or those of a term."""
    if term in names:
        return [term]
    columns = [(fit, fit.term_columns) for fit in fits]
    found = [fit.names[j] for fit, terms in columns for j in terms.get(term, ())]
    if not found:
        known = dict.fromkeys([*names, *(name for _, terms in columns for name in terms)])
        raise UnknownNameError(f"terms: `{term}` is neither a coefficient nor a term{suggest(term, known)}")
    return found


@dataclass(frozen=True, eq=False)
class _Estimates:
    """Estimates and bounds of one fit, shape (m,) each; NaN where it has none."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    dropped: frozenset[str]


def _estimates(fit: Plots, names: list[str], level: float, joint: str | None, exp: bool) -> _Estimates:
    bounds = fit.confint(level, joint=joint)
    table = pd.DataFrame({"estimate": fit.params, **bounds}).reindex(names).to_numpy(dtype=np.float64)
    if exp:
        changed = pd.Series(fit.exponentiable, index=list(fit.names)).reindex(names, fill_value=False).to_numpy()
        table = np.where(changed[:, None], np.exp(table), table)
    estimate, low, high = table.T
    return _Estimates(estimate, low, high, frozenset(fit.params.index[fit.params.isna()]))


def _height(names: int, fits: int) -> float:
    """Height of a figure in inches, rows closer together where there are many."""
    return 1.1 + names * (0.3 if names <= 40 else 0.21) * max(1.0, 0.5 * fits)


def _draw(ax: Axes, estimates: dict[str, _Estimates], beside: bool) -> None:
    number = len(estimates)
    handles = []
    for i, of_fit in enumerate(estimates.values()):
        rows = np.arange(len(of_fit.estimate)) + (i - (number - 1) / 2) * _BREADTH / number
        ax.hlines(rows, of_fit.low, of_fit.high, color=PALETTE[i], linewidth=1.6, zorder=2)
        (points,) = ax.plot(of_fit.estimate, rows, MARKERS[i], color=PALETTE[i], markersize=5, zorder=3)
        handles.append(points)
    if number > 1:
        legend(ax, handles, list(estimates), None, beside=beside)


def _shown(name: str, labels: Mapping[str, str], estimates: dict[str, _Estimates]) -> str:
    """What to write beside a row; a coefficient that was dropped says so."""
    dropped = any(name in of_fit.dropped for of_fit in estimates.values())
    return f"{labels.get(name, name)}{' (dropped)' if dropped else ''}"


def _name_rows(ax: Axes, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0, labelsize="small" if len(names) > 40 else None)
    ax.grid(visible=False, axis="y")


def _ratio_axis(ax: Axes) -> None:
    """A logarithmic axis whose ticks are plain numbers, also within one decade."""
    ticker = import_module("matplotlib.ticker")
    low, high = ax.dataLim.intervalx
    ax.set_xscale("log")
    within = not high > 10 * low
    ax.xaxis.set_major_locator(
        ticker.MaxNLocator(6, steps=[1, 2, 5, 10]) if within else ticker.LogLocator(subs=(1, 2, 5))
    )
    ax.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(ticker.NullLocator())
