"""The loss over the epochs of a descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from formula_torch.errors import DataError
from formula_torch.present.plots.canvas import ACCENT, INK, axes_or_new
from formula_torch.result.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_loss"]


def plot_loss(trace: Trace | None, *, log: bool = True, ax: Any = None) -> Axes:
    """Draw the losses of a descent.

    Parameters
    ----------
    trace : Trace or None
    log : bool
        A logarithmic scale of the loss.
    ax : matplotlib Axes, optional

    Raises
    ------
    DataError
        There was no descent.
    """
    if trace is None:
        raise DataError("this fit is exact, and has no losses to draw; descend by solver=, as solver='adam'.")
    ax = axes_or_new(ax, (6.4, 4.0))
    table = trace.table
    ax.plot(table["epoch"], table["loss"], color=INK, label="rows of the fit")
    if "validation_loss" in table:
        ax.plot(table["epoch"], table["validation_loss"], color=ACCENT, label="rows held out")
        ax.legend(frameon=False)
    if log and bool((table.filter(like="loss") > 0).all(axis=None)):
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.set_title(trace.method)
    return ax
