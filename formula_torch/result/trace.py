"""The record of a descent: its losses, and how far from the closed form it stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

__all__ = ["Trace", "no_trace", "traced"]

# Columns of the table of a descent that are not losses.
PLAIN = ("epoch", "gradient_norm", "seconds")


@dataclass(frozen=True, eq=False)
class Trace:
    """How a descent went.

    Parameters
    ----------
    name, method : str
        Of the method, short and long.
    lr : float
        Learning rate at the start, of standardised columns.
    epochs : int
    reason : str
        Why it ended.
    converged : bool
        Whether the gradient was zero to the tolerance.
    table : DataFrame
        One row an epoch: epoch, loss, gradient_norm, seconds and, with rows held out, validation_loss.
    distance : float
        Largest distance of a coefficient from the closed form (or the maximum), in its standard errors; NaN where
        there is none.
    farthest : str
        The coefficient that is so far.
    """

    name: str
    method: str
    lr: float
    epochs: int
    reason: str
    converged: bool
    table: pd.DataFrame
    distance: float = math.nan
    farthest: str = ""

    @property
    def note(self) -> str:
        """For the foot of the summary."""
        end = f"{self.method}, lr={self.lr:.3g}: {self.epochs} epochs; {self.reason}."
        if math.isnan(self.distance):
            return end
        return f"{end} It stopped {self.distance:.2g} standard errors from the exact solution (`{self.farthest}`)."


def no_trace() -> pd.DataFrame:
    """Return the table of no descent."""
    return pd.DataFrame({"epoch": pd.Series(dtype=int), "loss": [], "gradient_norm": [], "seconds": []})


def traced(
    name: str, method: str, lr: float, reason: str, converged: bool, history: Mapping[str, list[float]], unit: float
) -> Trace:
    """Put a record into a table, with losses in the units of the response.

    Parameters
    ----------
    name, method, reason : str
    lr : float
    converged : bool
    history : dict of str to list
    unit : float
        What makes of a loss one in the units of the table.
    """
    table = pd.DataFrame({name: list(values) for name, values in history.items()}).astype({"epoch": int})
    losses = [str(name) for name in table if name not in PLAIN]
    table[losses] = table[losses] * unit
    return Trace(name, method, lr, int(table["epoch"].iloc[-1]), reason, converged, table)
