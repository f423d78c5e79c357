"""The summary of a network: size, fit and training, and average effects of the variables."""

from __future__ import annotations

import pandas as pd

from formula_torch.present.margins import effects_table
from formula_torch.present.numbers import count, significant
from formula_torch.present.table import Summary, Table
from formula_torch.result.network import NetworkFit

__all__ = ["glance", "network_summary"]


def network_summary(fit: NetworkFit, *, alpha: float, title: str | None) -> Summary:
    """Header and average effects."""
    effects, notes = _effects(fit, alpha)
    told = [fit.covariance.note, *fit.notes, *notes, fit.trace.note]
    return Summary(title or "Network Regression Results", (_header(fit), *effects), tuple(filter(None, told)))


def _effects(fit: NetworkFit, alpha: float) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """Average effects in the place of weights, and what there is to say of them."""
    if fit.rows is None:
        return (), ("Effects need the rows, which this result no longer holds; see marginal_effects(newdata=).",)
    shown = fit.shown_effects(1 - alpha)
    if not len(shown.effects.margeff):
        return (), shown.notes
    given = "Effects are averages over the rows, whose errors are given these rows."
    return (effects_table(shown.effects, alpha),), (given, *shown.notes)


def _header(fit: NetworkFit) -> Table:
    left = [
        ("Dep. Variable:", fit.recipe.response_name),
        ("Model:", "Network"),
        ("Layers:", fit.network.described),
        ("Weights:", f"{len(fit.names):,}"),
        ("Family:", f"{fit.family.name} ({fit.family.link.name})"),
        ("Method:", fit.trace.name),
        ("Engine:", f"{fit.call.engine} ({fit.call.device})"),
        ("Covariance Type:", fit.covariance.label),
    ]
    right = [
        ("No. Observations:", count(fit.nobs)),
        ("Df Residuals:", count(fit.df_resid)),
        ("Directions determined:", count(fit.identified.rank) if fit.identified.known else "unknown"),
        ("R-squared (deviance):", f"{fit.rsquared:.4f}"),
        ("Log-Likelihood:", f"{fit.llf:.5g}"),
        ("Deviance:", f"{fit.deviance:.5g}"),
        ("Scale:", significant(fit.scale)),
        ("Epochs:", f"{fit.trace.epochs:,}"),
    ]
    return Table(tuple((*a, *b) for a, b in zip(left, right, strict=True)))


def glance(fit: NetworkFit) -> pd.DataFrame:
    """One row of statistics of the whole fit."""
    return pd.DataFrame(
        {
            "nobs": [fit.nobs],
            "weights": [len(fit.names)],
            "df_resid": [fit.df_resid],
            "rsquared": [fit.rsquared],
            "llf": [fit.llf],
            "deviance": [fit.deviance],
            "null_deviance": [fit.null_deviance],
            "aic": [fit.aic],
            "bic": [fit.bic],
            "epochs": [fit.trace.epochs],
            "converged": [fit.converged],
        }
    )
