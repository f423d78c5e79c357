"""The rows behind a result: held as the user's own columns, rebuilt into a design when asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Frame, as_frame, read_series
from formula_torch.design import Design
from formula_torch.errors import DataError, DataRemovedError, UnknownNameError
from formula_torch.formula.learn import Problem
from formula_torch.formula.recipe import Recipe
from formula_torch.formula.sample import Sample, log_exposure, row_labels, row_values
from formula_torch.inference.moments import Labels
from formula_torch.numerics.arrays import as_tensor

__all__ = ["Rows", "needed"]


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
    exposure : str or array or None
        As given; its logarithm is part of the offset.
    """

    frame: Frame
    sample: Sample
    weights: Any
    offset: Any
    checksum: int | None
    exposure: Any = None

    @staticmethod
    def of(problem: Problem, weights: Any, offset: Any, exposure: Any = None) -> Rows:
        """Hold what a problem was learned from."""
        rows = Rows(problem.frame, problem.sample, _held(weights), _held(offset), None, _held(exposure))
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
        arrays = [a for a in (self.weights, self.offset, self.exposure) if isinstance(a, np.ndarray)]
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
        offset, exposure = self._values(self.offset, "offset"), self._values(self.exposure, "exposure")
        parts = (offset, None if exposure is None else log_exposure(exposure))
        for part in (as_tensor(values) for values in parts if values is not None):
            design = replace(design, offset=part if design.offset is None else design.offset + part)
        response, weights = recipe.read(frame), self._values(self.weights, "weights")
        if response.trials is not None:
            weights = response.trials if weights is None else weights * response.trials
        return replace(
            design,
            y=as_tensor(response.values),
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

    def labels(self, given: Any, what: str, find_table: Callable[[], Any]) -> Labels:
        """Read cluster, unit or time of the rows used.

        Parameters
        ----------
        given : str or array of shape (n_total,)
            A column that is held, or one of the user's table.
        what : str
        find_table : callable
            Returns the user's table while that exists.

        Raises
        ------
        UnknownNameError
            There is no such column.
        DataError
            A label is missing, or the user's table is no longer what was fitted.
        """
        advice = f"pass the labels as an array, or name it when fitting: fit(..., vcov={{'cluster': {given!r}}})"
        frame = self.frame_with([given] if isinstance(given, str) else [], find_table, advice)
        codes, count = row_labels(given, frame, what, self.sample.used)
        name = given if isinstance(given, str) else getattr(given, "name", None)
        return Labels(what if name is None else str(name), codes, count)

    def frame_with(self, names: Sequence[str], find_table: Callable[[], Any], advice: str) -> Frame:
        """Return all rows with some columns: as held, or the user's table, where its rows are still those of the fit.

        Parameters
        ----------
        names : sequence of str
        find_table : callable
            Returns the user's table while that exists.
        advice : str
            What to do where it does not, as an error says it.

        Raises
        ------
        UnknownNameError
            A column is not held, and the table is gone.
        DataError
            The table has changed since the fit.
        """
        lost = next((name for name in names if name not in self.frame.names), None)
        if lost is None:
            return self.frame
        table = find_table()
        if table is None:
            raise UnknownNameError(
                f"`{lost}` is not among the columns this result holds, and its table is gone; {advice}."
            )
        frame = as_frame(table)
        held = self.frame.names
        if not set(held) <= set(frame.names) or not _equal(frame.only(held), self.frame):
            raise DataError(
                f"the table has changed since the fit, so `{lost}` may not match its rows; fit again, or {advice}."
            )
        return frame

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


def needed(rows: Rows | None, what: str) -> Rows:
    """Return the rows a result holds.

    Raises
    ------
    DataRemovedError
        It holds none: it was unpickled, or stripped.
    """
    if rows is None:
        raise DataRemovedError(
            f"{what} needs the rows of the data, which this result no longer holds; fit again (augment(data) gives "
            "fitted values and residuals)."
        )
    return rows


def _equal(left: Frame, right: Frame) -> bool:
    """Whether two frames hold the same values, and share an index."""
    if left.n_rows != right.n_rows:
        return False
    if left.index is not None and right.index is not None and not left.index.equals(right.index):
        return False
    return all(
        left.table[name].to_native() is right.table[name].to_native()
        or pd.Series(left.table[name].to_numpy()).equals(pd.Series(right.table[name].to_numpy()))
        for name in right.names
    )
