"""What statsmodels' models of a formula hold: a formula that has met its data, and is fitted afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import pandas as pd

from formula_torch.design import Design
from formula_torch.errors import DataRemovedError
from formula_torch.formula.learn import Problem
from formula_torch.formula.sample import row_values
from formula_torch.numerics.arrays import resolve_device
from formula_torch.result.call import Call, table_reference
from formula_torch.result.rows import Rows
from formula_torch.smf.model_data import ModelData
from formula_torch.smf.reading import Given, left_columns, refit

__all__ = ["FormulaModel"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FormulaModel(ABC):
    """A formula that has met its data.

    Parameters
    ----------
    formula : str
    exog_names : list of str
        Names of the columns of the design.
    endog_names : str, or list of str
        Of successes and failures where the response has both.
    problem : Problem or None
        None once unpickled.
    given : Given or None
        Table, weights, ... as they came; None once unpickled.
    """

    formula: str
    exog_names: list[str]
    endog_names: Any
    problem: Problem | None
    given: Given | None

    @classmethod
    def met(cls, formula: str, given: Given) -> Self:
        """Make the model of a formula and what goes with it."""
        left = left_columns(formula)
        several = len(left) > 1
        text = f"cbind({', '.join(left)}) ~ {formula.partition('~')[2]}" if several else formula
        problem = given.learn(text, cls.reading_of(given.options))
        return cls(
            **cls.engine_fields(problem.design, given.options),
            formula=formula,
            exog_names=list(problem.design.names),
            endog_names=left if several else problem.recipe.response_name,
            problem=problem,
            given=given,
        )

    @classmethod
    @abstractmethod
    def engine_fields(cls, design: Design, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the likelihood needs to know of the design, by the names of its fields."""

    @classmethod
    def reading_of(cls, options: Mapping[str, Any]) -> str:  # noqa: ARG003 - a family may decide it
        """What the response is: ``"numbers"``, or ``"successes"``."""
        return "numbers"

    @abstractmethod
    def fit(self) -> Any:
        """Fit the model."""

    def _met(self) -> Problem:
        if self.problem is None:
            raise DataRemovedError("this model was unpickled without its data; make it again from the formula.")
        return self.problem

    def _given(self) -> Given:
        self._met()
        assert self.given is not None
        return self.given

    @property
    def _design(self) -> Design:
        return self._met().design

    # -- what it holds ----------------------------------------------------------------------------

    @cached_property
    def exog(self) -> np.ndarray:
        """The columns of the design, shape (n, k)."""
        return np.ascontiguousarray(self._design.dense())

    @cached_property
    def endog(self) -> np.ndarray:
        """The response, shape (n,)."""
        assert self._design.y is not None
        return self._design.y.numpy().copy()

    @property
    def endog_columns(self) -> dict[str, np.ndarray]:
        """The response as it stands in the formula, by name."""
        return {self.endog_names: self.endog}

    @property
    def offset(self) -> np.ndarray | None:
        """The offset of the rows used, shape (n,), or None."""
        return self._row_values("offset")

    @property
    def exposure(self) -> np.ndarray | None:
        """The logarithm of the exposure of the rows used, shape (n,), or None."""
        values = self._row_values("exposure")
        return None if values is None else np.log(values)

    def _row_values(self, what: str) -> np.ndarray | None:
        given, problem = getattr(self._given(), what), self._met()
        return None if given is None else row_values(given, problem.frame, what)[problem.sample.used]

    @cached_property
    def data(self) -> ModelData:
        """The table, and the design as data frames."""
        index, given = self._met().sample.index, self._given()
        exog = pd.DataFrame(self.exog, index=index, columns=self.exog_names)
        endog = pd.DataFrame(self.endog_columns, index=exog.index)
        return ModelData(given.data, exog, endog, self.formula, given.functions)

    # -- its size ---------------------------------------------------------------------------------

    @cached_property
    def _fitted(self) -> Any:
        return self.fit()

    @property
    def rank(self) -> int:
        """Number of independent columns."""
        return int(self._fitted.solution.rank)

    @property
    def k_constant(self) -> int:
        """1 where the columns span the constant, else 0."""
        return int(self._fitted.k_constant)

    @property
    def df_model(self) -> float:
        """Model degrees of freedom."""
        return self._fitted.df_model

    @property
    def df_resid(self) -> float:
        """Observations less the rank."""
        return self._fitted.df_resid

    # -- fitting ----------------------------------------------------------------------------------

    def _call(self, options: Mapping[str, Any]) -> Call:
        """How this is fitted again, with another formula or data."""
        given, design = self._given(), self._design
        place = resolve_device("auto", design.n_rows * design.k)
        again = partial(refit, type(self), replace(given, data=None), options)
        text = f"{type(self).__name__}({self.formula!r})"
        return Call(text, "torch", place.type, again, table_reference(given.data))

    def _rows(self) -> Rows:
        given = self._given()
        return Rows.of(self._met(), given.weights, given.offset, given.exposure)

    def without_data(self) -> Self:
        """Return the model with its names only."""
        return replace(self, problem=None, given=None)

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self.without_data(), f.name) for f in fields(self)}
