"""The summary of a network: size, fit and training, and average effects of the variables."""

from __future__ import annotations

import pandas as pd

from formula_torch.present.numbers import count, significant
from formula_torch.present.table import Summary, Table
from formula_torch.result.network import NetworkFit

__all__ = ["glance", "network_summary"]


def network_summary(fit: NetworkFit, *, alpha: float, title: str | None) -> Summary:
    """Header and average effects."""
    tables = (_header(fit),)
    notes = [note for note in (fit.covariance.note, *fit.notes, fit.trace.note) if note]
    return Summary(title or "Network Regression Results", tables, tuple(notes))


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
        ("Directions determined:", count(fit.identified.rank)),
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
