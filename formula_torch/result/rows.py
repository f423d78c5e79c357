"""The rows behind a result: held as the user's own columns, rebuilt into a design when asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, read_series
from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.formula.learn import Problem
from formula_torch.formula.recipe import Recipe
from formula_torch.formula.sample import Sample, row_values
from formula_torch.numerics.arrays import as_tensor

__all__ = ["Rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """The columns a model read, shared with the user's frame, and its row arguments.

    A pandas frame is held by a shallow copy-on-write copy, so that later changes do
    not reach it. Plain arrays can change in place: their checksum is compared before use.

    Parameters
    ----------
    frame : Frame
    sample : Sample
    weights, offset : str or array or None
        As given: names of columns, or arrays over all rows.
    checksum : int or None
    """

    frame: Frame
    sample: Sample
    weights: Any
    offset: Any
    checksum: int | None

    @staticmethod
    def of(problem: Problem, weights: Any, offset: Any) -> Rows:
        """Hold what a problem was learned from."""
        rows = Rows(problem.frame, problem.sample, _held(weights), _held(offset), None)
        return replace(rows, checksum=rows._fingerprint())

    @property
    def mutable(self) -> bool:
        """Whether something held can be changed in place by the user."""
        return self.checksum is not None

    def verify(self) -> None:
        """Raise if arrays have been changed since the fit.

        Raises
        ------
        DataError
            They have.
        """
        if self._fingerprint() != self.checksum:
            raise DataError("the arrays this model was fitted on have been changed since; fit it again.")

    def _fingerprint(self) -> int | None:
        arrays = [a for a in (self.weights, self.offset) if isinstance(a, np.ndarray)]
        if not self.frame.mutable and not arrays:
            return None
        return self.frame.checksum(arrays) if self.frame.mutable else self.frame.only(()).checksum(arrays)

    def design(self, recipe: Recipe) -> Design:
        """Rebuild the design of the rows used, with response, weights and offset.

        Raises
        ------
        DataError
            The arrays have been changed since the fit.
        """
        self.verify()
        frame = self.used_frame()
        design = recipe.apply(frame)
        offset = self._values(self.offset, "offset")
        if offset is not None:
            own = design.offset
            design = replace(design, offset=as_tensor(offset) if own is None else own + as_tensor(offset))
        weights = self._values(self.weights, "weights")
        return replace(
            design,
            y=as_tensor(recipe.response(frame)),
            weights=None if weights is None else as_tensor(weights),
        )

    def used_frame(self) -> Frame:
        """Return the frame of the rows used."""
        return self.frame if self.sample.used.all() else self.frame.filter(self.sample.used)

    def _values(self, given: Any, what: str) -> np.ndarray | None:
        if given is None:
            return None
        values = row_values(given, self.frame, what)
        return values if self.sample.used.all() else values[self.sample.used]

    def weight_values(self) -> np.ndarray | None:
        """Weights of the rows used, shape (n,), or None."""
        return self._values(self.weights, "weights")


def _held(given: Any) -> Any:
    """Hold a row argument so that later changes are without effect, or noticed."""
    if given is None or isinstance(given, (str, np.ndarray)):
        return given
    if isinstance(given, pd.Series):
        return given.copy(deep=False)
    return given if hasattr(given, "to_numpy") else read_series("values", pd.Series(given)).numbers
