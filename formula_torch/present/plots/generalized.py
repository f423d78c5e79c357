"""Pictures of generalised linear models: residuals, binned residuals, the mean over one column, one coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.errors import DataError, check_known, check_share
from formula_torch.inference.quantile_residuals import DISTRIBUTED
from formula_torch.present.plots.canvas import ACCENT, FAINT, INK, axes_or_new
from formula_torch.present.plots.lines import averaged, draw_fit
from formula_torch.present.plots.partial import draw_partial
from formula_torch.present.plots.reference import Reference, reference
from formula_torch.present.plots.residuals import ResidualRows, draw_panels
from formula_torch.result.glm.plots import GlmPlots
from formula_torch.result.population import fitted_population

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_binned", "plot_mean", "plot_residual_panels", "plot_working_partial"]

KINDS = ("deviance", "pearson", "quantile")


def plot_residual_panels(fit: GlmPlots, axes: Any, kind: str, seed: int) -> np.ndarray:
    """Draw residuals over the predictor, their Q-Q plot, scale-location, and over leverage."""
    check_known("kind", kind, KINDS)
    influence = fit.get_influence()
    standard = {
        "deviance": influence.resid_deviance_studentized,
        "pearson": influence.resid_studentized,
        "quantile": influence.resid_deviance_studentized,
    }[kind]
    has_quantiles = kind == "quantile" or (fit.family.name in DISTRIBUTED and fit.weights_type is None)
    normal = fit.resid_quantile(seed).to_numpy() if has_quantiles else standard
    raw = {"deviance": influence.deviance.residuals, "pearson": influence.pearson.residuals, "quantile": normal}[kind]
    named = "Pearson" if kind == "pearson" else "deviance"
    rows = ResidualRows(
        fitted=fit.predict(which="linear").to_numpy(),
        raw=raw,
        standardised=standard,
        normal=normal,
        reach=influence.resid_studentized,
        leverage=influence.pearson.leverage,
        cooks=influence.pearson.cooks,
        counts=fit.held_rows("plot_residuals").weight_values() if fit.weights_type == "frequency" else None,
        labels=fit.fittedvalues.index,
        rank=fit.solution.rank,
        words=(
            "Linear predictor",
            f"{kind.capitalize()} residual",
            f"Standardised {named} residual",
            "Quantile residual" if has_quantiles else f"Standardised {named} residual",
            "Standardised Pearson residual",
        ),
    )
    return draw_panels(rows, axes)


# -- binned residuals -----------------------------------------------------------------------------


def plot_binned(fit: GlmPlots, x: str | None, ax: Axes | None, bins: int | None) -> Axes:
    """Draw the mean residual of rows of near fitted means, or near values of a column, among two standard errors."""
    table = fit.binned_residuals(x, bins)
    ax = axes_or_new(ax, (6.4, 4.4))
    ax.axhline(0, color=FAINT, linewidth=1, zorder=1)
    ax.fill_between(table["mean"], -table["limit"], table["limit"], color=ACCENT, alpha=0.15, linewidth=0, zorder=1)
    ax.scatter(table["mean"], table["resid"], s=22, color=INK, alpha=0.8, linewidths=0, zorder=3)
    ax.set_xlabel("Fitted mean" if x is None else x, parse_math=False)
    ax.set_ylabel("Mean residual")
    outside = int((table["resid"].abs() > table["limit"]).sum())
    caption = f"{len(table)} bins of about {table['n'].median():,.0f} rows; {outside} beyond two standard errors"
    ax.set_title(caption, loc="left", fontsize="small", color=INK)
    return ax


# -- the mean over one column ---------------------------------------------------------------------


def plot_mean(
    fit: GlmPlots,
    x: str,
    ax: Axes | None,
    *,
    at: Mapping[str, Any] | None,
    by: str | Mapping[str, Sequence[Any]] | None,
    level: float,
    points: bool,
    which: str,
    interval: str | None,
) -> Axes:
    """Draw the fitted mean, or the linear predictor, over `x`."""
    check_known("which", which, ("mean", "linear"))
    check_known("interval", interval, ("mean", None))
    check_share("level", level)
    rows = fit.held_rows("plot_fit")
    shown = reference(fitted_population(fit), x, at, by)
    drawn = shown.rows()
    offset, exposure = _arrays(shown, len(drawn))
    frame = fit.get_prediction(drawn, offset=offset, exposure=exposure).summary_frame(1 - level, which=which)
    frame.columns = frame.columns.str.replace("linpred", "mean")
    observed = None
    if points:
        observed = fit.recipe.response(rows.used_frame()) if which == "mean" else _partial_residuals(fit, shown)
    name = fit.recipe.response_name
    label = name if which == "mean" else f"{fit.family.link.name}({name})"
    return draw_fit(shown, frame, ax, observed, rows.weight_values(), label, level, interval)


def _arrays(shown: Reference, n: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Offset and exposure that the fit was given as arrays, at their means."""
    given = shown.population
    return averaged(given, given.offset, n), averaged(given, given.exposure, n)


def _partial_residuals(fit: GlmPlots, shown: Reference) -> np.ndarray:
    """Working residuals about the line: the predictor at each row's own `x`, the other columns held."""
    own = [shown.x.name] if shown.by is None else [shown.x.name, shown.by.name]
    table = shown.typical.table.iloc[np.zeros(len(shown.population.table), dtype=np.intp)].reset_index(drop=True)
    table = table.assign(**{name: shown.population.table[name].to_numpy() for name in own})
    offset, exposure = _arrays(shown, len(table))
    line = fit.predict(pd.DataFrame(table), which="linear", offset=offset, exposure=exposure)
    return line.to_numpy() + fit.resid_working.to_numpy()


def plot_working_partial(fit: GlmPlots, x: str, ax: Axes | None, *, level: float) -> Axes:
    """Draw the working residuals over what of one column the others do not say, by the working weights."""
    weights = fit.weighted_design("plot_partial").weights
    if weights is None:
        raise DataError("this model has no working weights.")
    resid = fit.resid_working.to_numpy()
    label = f"{fit.family.link.name}({fit.recipe.response_name})"
    return draw_partial(fit, x, ax, resid, weights.numpy(), label, level=level)
