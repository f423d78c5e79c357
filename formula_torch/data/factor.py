"""Categories as codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.errors import DataError

__all__ = ["Factor", "factor_of"]


@dataclass(frozen=True, eq=False)
class Factor:
    """Categories as codes.

    Parameters
    ----------
    codes : int32 array, shape (n,)
        Position in `levels`; -1 where missing.
    levels : tuple
        Every level, in order.
    numeric_text : bool
        The levels are numbers stored as text: probably meant as numbers.
    """

    codes: np.ndarray
    levels: tuple[Any, ...]
    numeric_text: bool = False

    def take(self, keep: np.ndarray) -> Factor:
        """Return the factor of the rows where `keep` is true."""
        return Factor(self.codes[keep], self.levels, self.numeric_text)

    def compact(self) -> Factor:
        """Drop the levels that no row has."""
        seen = np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels)) > 0
        if seen.all():
            return self
        renumbered = np.append(np.cumsum(seen, dtype=np.int32) - 1, np.int32(-1))
        return Factor(renumbered[self.codes], tuple(np.array(self.levels, dtype=object)[seen]), self.numeric_text)

    def recode(self, levels: tuple[Any, ...]) -> Factor:
        """Express the codes in other levels; -1 where a level is not among them."""
        where = {level: i for i, level in enumerate(levels)}
        table = np.array([where.get(level, -1) for level in self.levels] + [-1], dtype=np.int32)
        return Factor(table[self.codes], levels, self.numeric_text)


def factor_of(values: pd.Series | np.ndarray) -> Factor:
    """Read categories: declared levels keep their order, others are sorted by code point."""
    series = pd.Series(values)
    if not isinstance(series.dtype, pd.CategoricalDtype):
        if series.dtype == object:
            series = series.map(_plain_level, na_action="ignore")
        try:
            series = series.astype("category")
        except TypeError as error:
            raise DataError(f"column {series.name!r} mixes types that cannot be ordered: {error}") from error
    levels = tuple(v.item() if isinstance(v, np.generic) else v for v in series.cat.categories)
    return Factor(series.cat.codes.to_numpy(np.int32), levels, _all_numeric_text(levels))


def _plain_level(value: Any) -> Any:
    """Numbers and truth values as Python's own, anything else as text."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, (bool, int, float)) else str(value)


def _all_numeric_text(levels: tuple[Any, ...]) -> bool:
    if not levels or not all(isinstance(v, str) for v in levels):
        return False
    try:
        [float(v) for v in levels]
    except ValueError:
        return False
    return True
