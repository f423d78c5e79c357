"""What every fitted model does: change its covariance, refit, and show itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from formula_torch.errors import DataRemovedError, UnknownNameError
from formula_torch.formula.dialect import fill_dots
from formula_torch.inference.covariance import HC1
from formula_torch.inference.moments import Estimator, Moments
from formula_torch.inference.vcov import estimate, resolve_vcov
from formula_torch.result.combinations import Combinations
from formula_torch.result.estimates import Estimates
from formula_torch.result.hypothesis_tests import HypothesisTests
from formula_torch.result.plotting import Plots

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["Fit"]


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Plots, HypothesisTests, Combinations, Estimates):
    """A fitted model: estimates with their covariance, tests and tables; it can be fitted again."""

    # -- covariance -------------------------------------------------------------------------------

    @abstractmethod
    def moments(self) -> Moments:
        """What covariance estimators see of this fit."""

    @property
    def robust_estimator(self) -> Estimator:
        """What ``vcov="robust"`` means here."""
        return HC1()

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
        return replace(self, covariance=estimate(resolve_vcov(vcov, self.robust_estimator), self.moments(), use_t))

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
        if self.recipe.formula.second and "|" not in text:
            text += " | " + " + ".join(self.recipe.formula.second)
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
