"""Data frames of any library behind one reader: numbers as float64, categories as codes.

narwhals sees pandas, polars and pyarrow; a dict of arrays becomes a pandas frame.
A column is read on demand, without a copy where it already is float64.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from formula_torch.errors import DataError, UnknownNameError

__all__ = ["Column", "Factor", "Frame", "all_finite", "as_frame", "factor_of", "suggest"]


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
            series = series.map(
                lambda v: v if v is None or isinstance(v, (bool, int, float)) else str(v), na_action="ignore"
            )
        try:
            series = series.astype("category")
        except TypeError as error:
            raise DataError(f"column {series.name!r} mixes types that cannot be ordered: {error}") from error
    levels = tuple(v.item() if isinstance(v, np.generic) else v for v in series.cat.categories)
    return Factor(series.cat.codes.to_numpy(np.int32), levels, _all_numeric_text(levels))


def _all_numeric_text(levels: tuple[Any, ...]) -> bool:
    if not levels or not all(isinstance(v, str) for v in levels):
        return False
    try:
        [float(v) for v in levels]
    except ValueError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class Column:
    """One column of the data, read as numbers or as categories.

    Parameters
    ----------
    name : str
    series : narwhals Series
    """

    name: str
    series: nw.Series[Any]

    @cached_property
    def kind(self) -> str:
        """``"number"``, ``"bool"``, ``"category"`` or ``"time"``, by the data type."""
        dtype = self.series.dtype
        if dtype == nw.Boolean:
            return "bool"
        if dtype.is_numeric():
            return "number"
        if dtype.is_temporal():
            return "time"
        if dtype == nw.Object:
            return self._kind_of_objects()
        if isinstance(dtype, (nw.List, nw.Array, nw.Struct)):
            raise DataError(f"column `{self.name}` holds {dtype}, not one value per row.")
        return "category"

    def _kind_of_objects(self) -> str:
        present = [v for v in self.series.to_list() if not _is_missing(v)]
        if not present:
            return "number"
        if all(isinstance(v, (bool, np.bool_)) for v in present):
            return "bool"
        numbers = (int, float, Decimal, np.number)
        if all(isinstance(v, numbers) and not isinstance(v, (bool, np.bool_)) for v in present):
            return "number"
        return "category"

    @cached_property
    def numbers(self) -> np.ndarray:
        """The column as float64, shape (n,), NaN where missing; a view where possible."""
        if self.kind == "time":
            raise DataError(
                f"column `{self.name}` holds dates; say what number you mean, for instance the year "
                f"(data['{self.name}'].dt.year) or days since a start."
            )
        if self.kind == "category":
            raise DataError(f"column `{self.name}` holds categories, and a number is needed here.")
        if self.series.dtype == nw.Object:
            return np.array([np.nan if _is_missing(v) else float(v) for v in self.series.to_list()])
        native = self.series.to_native()
        if isinstance(native, pd.Series) and native.dtype == np.dtype(np.float64):
            return native.to_numpy()
        return np.asarray(self.series.cast(nw.Float64).to_numpy(), dtype=np.float64)

    @cached_property
    def factor(self) -> Factor:
        """The column as categories; booleans have the levels False, True."""
        if self.kind == "time":
            return factor_of(pd.Series([None if _is_missing(v) else str(v) for v in self.series.to_list()]))
        if self.kind == "bool":
            codes = np.where(np.isnan(self.numbers), -1, self.numbers).astype(np.int32)
            return Factor(codes, (False, True))
        if self.kind == "number":
            return self._factor_of_numbers()
        return factor_of(self._native_categories())

    def _factor_of_numbers(self) -> Factor:
        values = pd.Series(self.numbers)
        return factor_of(values.astype("Int64") if self.series.dtype.is_integer() else values)

    def _native_categories(self) -> pd.Series:
        native = self.series.to_native()
        if isinstance(native, pd.Series):
            plain = native.reset_index(drop=True)
            if isinstance(plain.dtype, pd.CategoricalDtype):
                return plain
            return plain.astype(object).where(plain.notna(), None)
        categories = self.series.dtype.categories if isinstance(self.series.dtype, nw.Enum) else None
        values = self.series.cast(nw.String).to_list()
        return pd.Series(pd.Categorical(values, categories=categories) if categories else values, dtype=None)

    @cached_property
    def finite(self) -> bool:
        """True if every value is a finite number; False says nothing."""
        return all_finite(self.numbers)

    @cached_property
    def missing(self) -> np.ndarray | None:
        """True where the value is missing, shape (n,), or None where there is none."""
        if self.kind in ("number", "bool"):
            if self.finite:
                return None
            mask = np.isnan(self.numbers)
        else:
            mask = self.factor.codes < 0
        return mask if mask.any() else None


def all_finite(values: np.ndarray) -> bool:
    """Tell in one pass without a temporary: a sum is finite only if every term is (or it overflows)."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.add.reduce(values)))


def _is_missing(value: Any) -> bool:
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, (float, np.floating)) and value != value)
    )


@dataclass(frozen=True, eq=False)
class Frame:
    """A table of named columns.

    Parameters
    ----------
    table : narwhals DataFrame
    index : pandas Index or None
        The user's index, carried by whatever has one value per row.
    mutable : bool
        The columns are plain arrays that the user may change in place.
    duplicated : frozenset of str
        Names that several columns share; none of them can be used.
    """

    table: nw.DataFrame[Any]
    index: pd.Index | None = None
    mutable: bool = False
    duplicated: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(self.table.columns)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.table)

    def column(self, name: str) -> Column:
        """Return one column.

        Raises
        ------
        UnknownNameError
            No such column; near names are suggested.
        DataError
            Several columns have this name.
        """
        if name in self.duplicated:
            raise DataError(f"the data have several columns named `{name}`; rename them.")
        if name not in self._columns:
            if name not in self.names:
                raise UnknownNameError(f"`{name}` is not a column of the data{suggest(name, self.names)}")
            self._columns[name] = Column(name, self.table[name])
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    def only(self, names: Iterable[str]) -> Frame:
        """Return the frame of some columns, sharing their memory."""
        wanted = set(names)
        return replace(self, table=self.table.select([c for c in self.names if c in wanted]))

    def filter(self, keep: np.ndarray) -> Frame:
        """Return the frame of the rows where `keep` is true."""
        native = self.table.to_native()
        if isinstance(native, pd.DataFrame):
            table = nw.from_native(native.loc[keep], eager_only=True)
        else:
            table = self.table.filter(nw.new_series("keep", keep, backend=self.table.implementation))
        return replace(self, table=table, index=None if self.index is None else self.index[keep], mutable=False)

    def checksum(self, arrays: Iterable[np.ndarray] = ()) -> int:
        """Fingerprint of the columns and of further arrays, to notice a change in place."""
        total = 1
        for values in (*(self.table[name].to_numpy() for name in self.names), *arrays):
            if values.dtype == object:
                total = zlib.adler32(repr(values.tolist()).encode(), total)
            else:
                total = zlib.adler32(np.ascontiguousarray(values).view(np.uint8).data, total)
        return total


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean `x`?"``, or the end of a sentence."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    near = near or [k for k in known if k.lower() == name.lower()]
    return f"; did you mean {' or '.join(f'`{k}`' for k in near)}?" if near else "."


def as_frame(data: Any) -> Frame:
    """Read a pandas, polars or pyarrow table, or a mapping of names to columns.

    Raises
    ------
    DataError
        Not a table, a lazy table, or columns of unequal length.
    """
    if isinstance(data, Frame):
        return data
    mutable = isinstance(data, Mapping)
    if mutable:
        data = _frame_of_mapping(data)
    if isinstance(data, pd.DataFrame):
        return _pandas_frame(data, mutable)
    try:
        table = nw.from_native(data)
    except TypeError as error:
        raise DataError(
            f"data of type {type(data).__name__} is not a table; pass a pandas, polars or pyarrow "
            "table, or a dict of columns."
        ) from error
    if isinstance(table, nw.LazyFrame):
        raise DataError("data is a lazy table; call .collect() on it first.")
    return Frame(table)


def _frame_of_mapping(data: Mapping[str, Any]) -> pd.DataFrame:
    lengths = {
        name: len(column) for name, column in data.items() if hasattr(column, "__len__") and not isinstance(column, str)
    }
    if len(set(lengths.values())) > 1:
        raise DataError(f"the columns have different lengths: {lengths}.")
    # Columns of a dict meet by position: a Series' own index would realign them silently.
    plain = {name: column.array if isinstance(column, pd.Series) else column for name, column in data.items()}
    if not lengths:
        plain = {name: [value] for name, value in plain.items()}
    return pd.DataFrame(plain, copy=False)


def _pandas_frame(data: pd.DataFrame, mutable: bool) -> Frame:
    """Shallow, copy-on-write copy; columns that share a name cannot be told apart and are left out."""
    named = np.array([isinstance(c, str) for c in data.columns], dtype=bool)
    twice = data.columns.duplicated(keep=False)
    plain = data.loc[:, named & ~twice] if twice.any() or not named.all() else data
    table = nw.from_native(plain.copy(deep=False), eager_only=True)
    shared = frozenset(c for c in data.columns[twice] if isinstance(c, str))
    return Frame(table, None if mutable else data.index, mutable, shared)
