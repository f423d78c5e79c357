"""Rows at which the curves of the groups are read: one variable moves, and the others are held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.data import Column, as_frame, suggest
from formula_torch.design import Design
from formula_torch.errors import DataError, UnknownNameError
from formula_torch.formula.derivative import offset_readers, readers
from formula_torch.formula.encode import Levels
from formula_torch.formula.recipe import Recipe
from formula_torch.formula.sample import log_exposure
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory.base import TrajectoryEstimates
from formula_torch.result.trajectory.time import asked_time

__all__ = ["CurveRows", "curve_rows"]

# More distinct times than this become as many even steps in a table.
MOST_TIMES = 40


@dataclass(frozen=True, eq=False)
class CurveRows:
    """Rows at which the curves of a fit are read.

    Parameters
    ----------
    fit : TrajectoryEstimates
    time : str
        The variable that moves.
    times : array, shape (m,)
    held : dict
        Value of every other column that the formula reads, and of what ``at=`` sets besides.
    given : frozenset of str
        Columns that ``at=`` sets.
    """

    fit: TrajectoryEstimates
    time: str
    times: np.ndarray
    held: dict[str, Any]
    given: frozenset[str]

    @property
    def holds(self) -> bool:
        """Whether the curves are those of rows of one kind: covariates are held."""
        return any(name != self.time for name in readers(self.fit.recipe))

    def table(self, times: np.ndarray) -> pd.DataFrame:
        """Return rows at some times, with the other columns as they are held."""
        return pd.DataFrame({self.time: times} | {name: [value] * len(times) for name, value in self.held.items()})

    def design(self) -> Design:
        """Return the design of the rows, with the offset of the curves."""
        bare = replace(self.fit.recipe, offsets=())
        return replace(bare.apply(self.table(self.times)), offset=self.offset(self.times))

    def offset(self, times: np.ndarray) -> Tensor | None:
        """Return the part of the offset that only the time and what ``at=`` sets enter, shape (m,), or None.

        Raises
        ------
        DataError
            ``at=`` sets one of several columns that an offset reads.
        """
        recipe, known = self.fit.recipe, self.given | {self.time}
        frame = as_frame(self.table(times))
        own = replace(recipe, offsets=tuple(key for key in recipe.offsets if self._is_known(key)))
        parts = [own.offset(own.evaluator(frame))]
        if isinstance(self.fit.offset, str) and self.fit.offset in known:
            parts.append(as_tensor(frame.column(self.fit.offset).numbers))
        if isinstance(self.fit.spec.exposure, str) and self.fit.spec.exposure in known:
            parts.append(as_tensor(log_exposure(frame.column(self.fit.spec.exposure).numbers)))
        found = [part for part in parts if part is not None]
        return torch.stack(found).sum(0) if found else None

    def left_out(self) -> list[str]:
        """Parts of the offset that are not in the curves, as text."""
        recipe, known = self.fit.recipe, self.given | {self.time}
        found = [recipe.formula.offsets[key].text for key in recipe.offsets if not self._is_known(key)]
        if self.fit.offset is not None and self.fit.offset not in known:
            found.append("offset" if self.fit.offset is True else str(self.fit.offset))
        if self.fit.spec.exposure is not None and self.fit.spec.exposure not in known:
            found.append(f"log({'exposure' if self.fit.spec.exposure is True else self.fit.spec.exposure})")
        return found

    def _is_known(self, key: str) -> bool:
        """Whether the time and ``at=`` set all that one of the formula's offsets reads."""
        read = offset_readers(replace(self.fit.recipe, offsets=(key,)))
        lost = sorted(read - self.given - {self.time})
        if lost and read & self.given:
            text = self.fit.recipe.formula.offsets[key].text
            raise DataError(f"at= sets only a part of offset({text}); set {', '.join(f'`{n}`' for n in lost)} too.")
        return not lost


def curve_rows(
    fit: TrajectoryEstimates, times: Any = None, at: Mapping[str, Any] | None = None, *, fine: int | None = None
) -> CurveRows:
    """Read which variable moves over which values, and where the others are held.

    Parameters
    ----------
    fit : TrajectoryEstimates
    times : sequence of numbers, str, or dict, optional
        As ``trajectories`` takes them.
    at : dict, optional
        Values of other columns.
    fine : int, optional
        So many even steps in place of the times in the data.

    Raises
    ------
    DataError, UnknownNameError, ValueError
        As ``trajectories``.
    """
    given = dict(at or {})
    time, asked = asked_time(fit.recipe, times, given)
    _check_at(fit, time, given)
    held = {
        name: _typical(fit.recipe, fit.held_rows(f"holding `{name}` at a typical value"), name)
        for name in readers(fit.recipe)
        if name != time and name not in given
    }
    if asked is None:
        own = fit.held_rows("choosing times (pass times=)").used_frame().column(time)
        asked = _distinct(own) if _is_factor(fit.recipe, own) else _spread_out(_distinct(own), fine)
    return CurveRows(fit, time, asked, held | given, frozenset(given))


def _check_at(fit: TrajectoryEstimates, time: str, given: dict[str, Any]) -> None:
    """Raise unless every column that is set moves the curves, and has one value."""
    named = [name for name in (fit.offset, fit.spec.exposure) if isinstance(name, str)]
    known = [*readers(fit.recipe), *sorted(offset_readers(fit.recipe)), *named]
    for name, value in given.items():
        if name == time:
            raise ValueError(f"`{name}` can be in one only of times= and at=.")
        if name not in known:
            shares = fit.spec.membership is not None and name in fit.spec.membership.columns
            why = "moves the shares of the groups, not their curves." if shares else "is not read by the formula"
            raise UnknownNameError(f"at=: `{name}` {why}{'' if shares else suggest(name, known)}")
        if not isinstance(value, str) and np.ndim(value):
            raise ValueError(f"at= takes one value for each column; `{name}` has {len(value)}.")


def _typical(recipe: Recipe, rows: Rows, name: str) -> Any:
    """The weighted mean of a number, the most frequent level of a factor."""
    column, weights = rows.used_frame().column(name), rows.weight_values()
    if column.kind == "number" and not _is_factor(recipe, column):
        return float(np.average(column.numbers, weights=weights))
    codes = column.factor.codes
    known = codes >= 0
    counts = np.bincount(codes[known], None if weights is None else weights[known])
    return column.factor.levels[int(counts.argmax())]


def _is_factor(recipe: Recipe, column: Column) -> bool:
    """Whether the values themselves are levels of a factor, so that no other value can be asked about."""
    factors = [e for e in (recipe.encodings[key] for key in readers(recipe)[column.name]) if isinstance(e, Levels)]
    return any(set(column.factor.compact().levels) <= set(factor.levels) for factor in factors)


def _distinct(column: Column) -> np.ndarray:
    """Distinct times, whole ones as whole numbers."""
    values = np.unique(column.numbers)
    return values.astype(np.int64) if column.series.dtype.is_integer() else values


def _spread_out(distinct: np.ndarray, fine: int | None) -> np.ndarray:
    """The times themselves, or even steps where they are too many."""
    if fine is None and len(distinct) <= MOST_TIMES:
        return distinct
    return np.linspace(distinct[0], distinct[-1], fine or MOST_TIMES)
