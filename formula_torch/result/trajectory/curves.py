"""Mean responses of the groups: of new rows, and of those of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import DataError
from formula_torch.result.trajectory.base import unit_codes
from formula_torch.result.trajectory.groups import Groups

__all__ = ["Curves"]


class Curves(Groups):
    """Predictions and residuals."""

    def predict(self, newdata: Any, group: int | None = None, *, offset: Any = None, exposure: Any = None) -> pd.Series:
        """Mean response of new rows: of one group, or weighted by the shares.

        Parameters
        ----------
        newdata : table
        group : int, optional
            From 1; by default the mean over all groups.
        offset, exposure : str or array, optional
            Needed where the fit was given them as an array.
        """
        frame, design = self.new_rows(newdata, offset=offset, exposure=exposure)
        means = self.means(design)
        if group is None:
            return pd.Series(self.share_values @ means, index=frame.index)
        if group not in self.group_labels:
            raise DataError(f"group={group!r} is not one of the groups 1 to {self.n_groups}.")
        return pd.Series(means[group - 1], index=frame.index)

    @property
    def fittedvalues(self) -> pd.Series:
        """Means of the rows, weighted by the posterior of their units, on the user's index."""
        frame, design = self.used_rows("fittedvalues")
        weights = self.posterior.to_numpy()[unit_codes(frame, self.unit)[0]]
        return self._row_series(np.sum(weights.T * self.means(design), axis=0))

    @property
    def resid(self) -> pd.Series:
        """Response less ``fittedvalues``, on the user's index."""
        frame = self.held_rows("resid").used_frame()
        return self._row_series(self.recipe.response(frame)) - self.fittedvalues
