"""What fits with one mean function of the columns do besides: predict, and take the margins of that mean."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import CollinearityWarning, check_known
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.fit import Fit
from formula_torch.result.margins import Margins
from formula_torch.result.new_rows import breaking, breaking_warning, offset_of_new

__all__ = ["PredictorFit"]

KINDS = ("mean", "linear")


@dataclass(frozen=True, eq=False, repr=False)
class PredictorFit(Fit, Margins):
    """A fit whose coefficients are those of the columns of a formula, with the recipe to predict by."""

    @property
    def names(self) -> tuple[str, ...]:
        """Coefficient names: those of the columns."""
        return self.recipe.column_names

    # -- predictions ------------------------------------------------------------------------------

    def predict(
        self,
        newdata: Any = None,
        *,
        which: str = "mean",
        offset: Any = None,
        exposure: Any = None,
        unseen: str = "error",
    ) -> pd.Series:
        """Predict the mean response.

        Parameters
        ----------
        newdata : table, optional
            New rows; without it, the rows of the fit.
        which : {"mean", "linear"}
            The mean of the response, or the linear predictor.
        offset, exposure : str or array of shape (n,), optional
            Needed where the fit was given its own as an array.
        unseen : {"error", "nan"}
            What to do with a factor level that the fit did not see.

        Returns
        -------
        Series, shape (n,)
            On the index of `newdata`; NaN where a predictor is missing, or where a row breaks
            a dependency for which the fit dropped a column (with a warning).

        Raises
        ------
        DataError
            Unseen levels, or the offset is needed.
        UnknownNameError
            A column is missing.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> fit.predict({"area": [1, 3]}).round(5).tolist()
        [1.69179, 2.40327]
        """
        check_known("which", which, KINDS)
        if newdata is None:
            eta, index = self._own_predictor("predict without newdata"), self.sample.index
        else:
            frame = as_frame(newdata)
            design = self.recipe.apply(frame, unseen=unseen)
            eta, index = self._linear_predictor(design, frame, offset, exposure), frame.index
        return pd.Series(self._mean(eta) if which == "mean" else eta, index=index)

    @property
    def fittedvalues(self) -> pd.Series:
        """Fitted means of the rows used (offset included), on the user's index."""
        return self._row_series(self._mean(self._own_predictor("fittedvalues")))

    def _mean(self, eta: np.ndarray) -> np.ndarray:
        """Mean response at linear predictors, shape (n,)."""
        return self.mean_function.value(as_tensor(eta)).numpy()

    def _own_predictor(self, what: str) -> np.ndarray:
        """Linear predictor of the rows of the fit, offset included, shape (n,)."""
        design = self.held_rows(what).design(self.recipe)
        return design.linear_predictor(np.nan_to_num(self.coefficients)).numpy()

    def _linear_predictor(self, design: Design, frame: Frame, offset: Any, exposure: Any = None) -> np.ndarray:
        """X b plus offsets of new rows, shape (n,); called by what the user calls, whose caller is warned."""
        eta = design.linear_predictor(np.nan_to_num(self.coefficients)).numpy()
        eta[self._not_estimable(design)] = np.nan
        own = offset_of_new(frame, (self.offset, offset), (self.exposure, exposure))
        return eta if own is None else eta + own

    def _not_estimable(self, design: Design) -> np.ndarray:
        """True for rows on which the coefficients of dropped columns would matter."""
        lost = breaking(design, self.null_space)
        if lost.any():
            warnings.warn(breaking_warning(lost, self._dropped), CollinearityWarning, stacklevel=4)
        return lost
