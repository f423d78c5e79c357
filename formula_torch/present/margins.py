"""The summary of marginal effects, with statsmodels' look."""

from __future__ import annotations

import numpy as np

from formula_torch.present.numbers import decimals
from formula_torch.present.table import Summary, Table
from formula_torch.result.effects import MarginalEffects

__all__ = ["effects_table", "margins_summary"]


def margins_summary(effects: MarginalEffects, alpha: float) -> Summary:
    """Header and effects."""
    header = (
        ("Dep. Variable:", effects.response, "At:", effects.at),
        ("Estimate:", effects.label, "Covariance Type:", effects.covariance_type),
    )
    return Summary("Marginal Effects", (Table(header), effects_table(effects, alpha)), ())


def effects_table(effects: MarginalEffects, alpha: float) -> Table:
    """Effects with errors, statistics, p-values and intervals."""
    letter = "z" if np.isinf(effects.df) else "t"
    names = ("", effects.label, "std err", letter, f"P>|{letter}|", f"[{alpha / 2:.4g}", f"{1 - alpha / 2:.4g}]")
    columns = (effects.margeff, effects.margeff_se, effects.tvalues, effects.pvalues, *effects.conf_int(alpha).T)
    rows = tuple(
        (name, decimals(b, 4), decimals(se), decimals(t), f"{p:.3f}", decimals(low), decimals(high))
        for name, (b, se, t, p, low, high) in zip(effects.names, np.column_stack(columns).tolist(), strict=True)
    )
    return Table(rows, names)
