"""What fits with one mean function of the columns do besides: predict, and take the margins of that mean."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import CollinearityWarning, DataError
from formula_torch.formula.sample import row_values
from formula_torch.result.fit import Fit
from formula_torch.result.margins import Margins

__all__ = ["PredictorFit"]

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

    def predict(self, newdata: Any = None, *, offset: Any = None, unseen: str = "error") -> pd.Series:
        """Predict the mean response.

        Parameters
        ----------
        newdata : table, optional
            New rows; without it, the rows of the fit.
        offset : str or array of shape (n,), optional
            Needed where the fit was given its offset as an array.
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
        if newdata is None:
            return self.fittedvalues
        frame = as_frame(newdata)
        design = self.recipe.apply(frame, unseen=unseen)
        return pd.Series(self._linear_predictor(design, frame, offset), index=frame.index)

    def _linear_predictor(self, design: Design, frame: Frame, offset: Any) -> np.ndarray:
        """X b plus offsets of new rows, shape (n,); called by what the user calls, whose caller is warned."""
        eta = design.linear_predictor(np.nan_to_num(self.coefficients)).numpy()
        eta[self._not_estimable(design)] = np.nan
        own = self._new_offset(frame, offset)
        return eta if own is None else eta + own

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

    def _new_offset(self, frame: Frame, offset: Any) -> np.ndarray | None:
        if offset is None and self.offset is None:
            return None
        if self.offset is None:
            raise DataError("the model was fitted without an offset; predict(newdata, offset=...) has nothing to do.")
        if offset is None and not isinstance(self.offset, str):
            raise DataError("the model was fitted with an array as offset; pass predict(newdata, offset=...).")
        return row_values(self.offset if offset is None else offset, frame, "offset", frame.index)
