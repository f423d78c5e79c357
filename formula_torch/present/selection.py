"""Models with different numbers of groups as tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from formula_torch.present.numbers import count
from formula_torch.present.table import Summary, Table
from formula_torch.result.trajectory.selection import Selection

__all__ = ["selection_summary"]

Cell = Callable[[Any], str]


def _two_decimals(value: float) -> str:
    return f"{value:.2f}"


def _three_decimals(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


LIKELIHOOD: dict[str, tuple[str, Cell]] = {
    "log_lik": ("Log-Likelihood", _two_decimals),
    "params": ("Params", count),
    "aic": ("AIC", _two_decimals),
    "bic": ("BIC (units)", _two_decimals),
    "bic_rows": ("BIC (rows)", _two_decimals),
    "delta": ("Delta", _two_decimals),
}
CERTAINTY: dict[str, tuple[str, Cell]] = {
    "entropy": ("Entropy", _three_decimals),
    "min_share": ("Min. Share", _three_decimals),
    "min_units": ("Min. Units", count),
    "min_appa": ("Min. APPA", _three_decimals),
    "replicated": ("Replicated", count),
    "starts": ("of Starts", count),
}


def selection_summary(selection: Selection) -> Summary:
    """Likelihoods, then how surely units belong to their groups; a row each number of groups."""
    best, records = selection.best.n_groups, selection.table.to_dict("records")
    labels = [f"{row['groups']}{'*' if row['groups'] == best else ''}" for row in records]
    tables = tuple(
        Table(
            tuple(
                (label, *(cell(row[name]) for name, (_, cell) in columns.items()))
                for label, row in zip(labels, records, strict=True)
            ),
            ("Groups", *(header for header, _ in columns.values())),
        )
        for columns in (LIKELIHOOD, CERTAINTY)
    )
    chosen = f"* has the smallest {selection.criterion}; Delta is the distance to it."
    smallest = "Min.: the group with the smallest share, the fewest units assigned, the least APPA."
    notes = [f"{c.fit.n_groups} groups: {note}" for c in selection.candidates for note in c.notes]
    return Summary("Number of Groups", tables, (chosen, smallest, *notes))
