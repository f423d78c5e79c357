"""What every fitted model does: predict, refit, and show itself."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, UnknownNameError
from formula_torch.formula.dialect import fill_dots
from formula_torch.formula.sample import row_values
from formula_torch.inference.moments import Moments
from formula_torch.inference.vcov import estimate, resolve_vcov
from formula_torch.result.combinations import Combinations
from formula_torch.result.estimates import Estimates
from formula_torch.result.hypothesis_tests import HypothesisTests
from formula_torch.result.margins import Margins
from formula_torch.result.plotting import Plots

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["Fit"]


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
class Fit(Plots, HypothesisTests, Combinations, Margins, Estimates):
    """A fitted model: estimates with their covariance, tests, tables, and the recipe to predict by."""

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

    # -- covariance -------------------------------------------------------------------------------

    @abstractmethod
    def moments(self) -> Moments:
        """What covariance estimators see of this fit."""

    def with_vcov(self, vcov: Any, use_t: bool | None = None) -> Self:
        """Return the same fit with another covariance of its coefficients; nothing is fitted again.

        Parameters
        ----------
        vcov : str, dict, estimator or array of shape (k, k)
            ``"iid"``, ``"HC0"`` to ``"HC5"``, ``"OPG"``, ``{"cluster": "state"}``, ``{"HAC": 4}``, or a
            value of ``ft.vcov``. Columns are read from the table of the fit.
        use_t : bool, optional
            Student's t or the normal in tests and intervals; by default what the estimator prescribes.

        Raises
        ------
        ValueError
            Unknown spelling.
        DataError
            Labels are missing, too few clusters, or the table has changed since.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits())
        >>> fit.with_vcov("HC1").bse.round(4).to_dict()
        {'Intercept': 1.4414, 'private': 0.2477, 'age': 0.0188}
        """
        return replace(self, covariance=estimate(resolve_vcov(vcov), self.moments(), use_t))

    # -- life -------------------------------------------------------------------------------------

    def update(self, formula: str, data: Any = None) -> Self:
        """Fit again with another formula, everything else as it was.

        Parameters
        ----------
        formula : str
            A whole formula, or one in which ``.`` stands for the old side:
            ``". ~ . + x"``, ``"log(.) ~ ."``.
        data : table, optional
            By default the columns held by the result and, for a formula that reads others,
            the table it was fitted on, as long as that exists.

        Raises
        ------
        UnknownNameError
            A column is neither held nor to be found.
        DataRemovedError
            The result was unpickled, or its rows removed.
        DataError
            Arrays it was fitted on have been changed since.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age", ft.datasets.visits())
        >>> fit.update("log(. + 1) ~ . + I(age^2)").recipe.formula.text
        'log(drvisits + 1) ~ age + I(age ** 2)'
        """
        text = fill_dots(formula, self.recipe.written)
        if self.call.refit is None:
            raise DataRemovedError("this result was unpickled or stripped; fit again instead of updating.")
        self.held_rows("update").verify()
        if data is not None:
            return self.call.refit(text, data)
        try:
            fitted = self.call.refit(text, self.held_rows("update").frame)
            return replace(fitted, call=replace(fitted.call, find_table=self.call.find_table))
        except UnknownNameError as error:
            if (table := self.call.find_table()) is not None:
                return self.call.refit(text, table)
            raise UnknownNameError(
                f"{error} The result holds only the columns it used, and its table is gone; pass update(formula, data)."
            ) from None

    def remove_data(self) -> Self:
        """Return the result without its rows; everything already known stays."""
        bare = replace(self.sample, used=np.ones(0, dtype=bool), index=None)
        return replace(self, rows=None, call=self.call.without_data(), sample=bare)

    def __getstate__(self) -> dict[str, Any]:
        return self.remove_data().__dict__

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    # -- presentation -----------------------------------------------------------------------------

    @abstractmethod
    def summary(self, alpha: float = 0.05) -> Summary:
        """Tables of the fit."""

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()
