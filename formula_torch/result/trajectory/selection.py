"""Trajectory models with one group, two, three ..., and which of them a criterion prefers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.result.trajectory.fit import TrajectoryFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from formula_torch.present.table import Summary

__all__ = ["CRITERIA", "Candidate", "Selection"]

# Smaller is better.
CRITERIA: dict[str, Callable[[TrajectoryFit], float]] = {
    "bic": lambda fit: fit.bic,
    "bic_rows": lambda fit: fit.bic_rows,
    "aic": lambda fit: fit.aic,
}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A fit, and what its search, or the one for more groups, warned of.

    Parameters
    ----------
    fit : TrajectoryFit
    notes : tuple of str
    """

    fit: TrajectoryFit
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """Models with different numbers of groups, beside one another.

    A likelihood ratio between numbers of groups has no chi-squared distribution, so that there is no test here:
    criteria rank, and the sizes of the groups and how surely units belong to them say whether the groups are worth
    having.

    Parameters
    ----------
    candidates : tuple of Candidate
        By number of groups.
    criterion : {"bic", "bic_rows", "aic"}

    Examples
    --------
    >>> import formula_torch as ft
    >>> data = ft.datasets.simulated_trajectories()
    >>> selection = ft.select_groups("y ~ poly(t, 2) | id", data, groups=range(1, 4))
    >>> selection.best.n_groups
    2
    """

    candidates: tuple[Candidate, ...]
    criterion: str

    @property
    def fits(self) -> dict[int, TrajectoryFit]:
        """The fit with each number of groups."""
        return {candidate.fit.n_groups: candidate.fit for candidate in self.candidates}

    @property
    def best(self) -> TrajectoryFit:
        """The fit that the criterion prefers."""
        return min(self.fits.values(), key=CRITERIA[self.criterion])

    @property
    def table(self) -> pd.DataFrame:
        """One row a number of groups.

        Returns
        -------
        DataFrame
            groups, log_lik, params, aic, bic (at the number of units), bic_rows (of rows), entropy (relative: 1
            where no unit is in doubt), min_share (of the smallest group), min_units (assigned to the group with
            fewest), min_appa (least average posterior probability of assignment), replicated (how many of the
            starts reached the best value), starts, delta (the criterion less its smallest value), note (what the
            search warned of, and of the last why there are none with more groups).
        """
        table = pd.DataFrame([_row(candidate) for candidate in self.candidates])
        table.insert(len(table.columns) - 1, "delta", table[self.criterion] - table[self.criterion].min())
        return table

    def summary(self) -> Summary:
        """The table as text, HTML or LaTeX, the model that the criterion prefers marked by a star."""
        from formula_torch.present.selection import selection_summary

        return selection_summary(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the criterion against the number of groups.

        Parameters
        ----------
        ax : Axes, optional
            By default those of a new figure.
        """
        from formula_torch.present.plots.selection import plot_selection

        return plot_selection(self, ax)

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        return f"<Selection of {', '.join(map(str, self.fits))} groups: {self.criterion} prefers {self.best.n_groups}>"

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def _row(candidate: Candidate) -> dict[str, Any]:
    fit = candidate.fit
    return {
        "groups": fit.n_groups,
        "log_lik": fit.llf,
        "params": fit.n_params,
        "aic": fit.aic,
        "bic": fit.bic,
        "bic_rows": fit.bic_rows,
        "entropy": fit.entropy,
        "min_share": float(fit.share_values.min()),
        "min_units": float(fit.classification.assigned.min()),
        "min_appa": float(np.min(fit.classification.appa)),
        "replicated": fit.search.replicated,
        "starts": fit.search.starts,
        "note": " ".join(candidate.notes),
    }
