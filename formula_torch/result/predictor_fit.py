"""What fits with one mean function of the columns do besides: predict, and take the margins of that mean."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import CollinearityWarning, DataError, check_known
from formula_torch.formula.sample import log_exposure, row_values
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.fit import Fit
from formula_torch.result.margins import Margins

__all__ = ["PredictorFit"]

KINDS = ("mean", "linear")
# A combination of columns of unit size that is zero on the data may round to this on a new row.
NULL_TOLERANCE = 1e-10


def _size_of_terms(design: Design, combination: np.ndarray) -> np.ndarray:
    """Sum of |c_j x_j| for each row, shape (n,): the scale of the rounding of the combination."""
    total = np.zeros(design.n_rows)
    for j in np.flatnonzero(combination):
        alone = np.zeros_like(combination)
        alone[j] = combination[j]
        total += np.abs(design.matvec(alone).numpy())
    return total


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
        if (own := _row_argument(self.offset, offset, frame, "offset")) is not None:
            eta = eta + own
        if (own := _row_argument(self.exposure, exposure, frame, "exposure")) is not None:
            eta = eta + log_exposure(own)
        return eta

    def _not_estimable(self, design: Design) -> np.ndarray:
        """True for rows on which the coefficients of dropped columns would matter."""
        lost = np.zeros(design.n_rows, dtype=bool)
        for combination in self.null_space:
            distance = np.abs(design.matvec(combination).numpy())
            if (distance > NULL_TOLERANCE).any():
                lost |= distance > NULL_TOLERANCE * np.maximum(_size_of_terms(design, combination), 1.0)
        if lost.any():
            warnings.warn(
                f"{int(lost.sum())} of {design.n_rows} rows cannot be predicted and are NaN (first: row "
                f"{int(np.flatnonzero(lost)[0])}): the fit dropped {self._dropped} as dependent, and these rows break "
                "the dependency.",
                CollinearityWarning,
                stacklevel=4,
            )
        return lost


def _row_argument(fitted: str | bool | None, given: Any, frame: Frame, what: str) -> np.ndarray | None:
    """Offset or exposure of new rows, where the fit had one."""
    if given is None and fitted is None:
        return None
    if fitted is None:
        raise DataError(f"the model was fitted without an {what}; predict(newdata, {what}=...) has nothing to do.")
    if given is None and not isinstance(fitted, str):
        raise DataError(f"the model was fitted with an array as {what}; pass predict(newdata, {what}=...).")
    return row_values(fitted if given is None else given, frame, what, frame.index)
