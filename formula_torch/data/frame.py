"""Data frames of any library behind one reader.

narwhals sees pandas, polars and pyarrow; a dict of arrays becomes a pandas frame.
A column is read on demand, without a copy where it already is float64.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from formula_torch.data.column import Column, read_series
from formula_torch.errors import DataError, UnknownNameError

__all__ = ["Frame", "as_frame", "suggest"]


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
            self._columns[name] = read_series(name, self.table[name].to_native())
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    def only(self, names: Iterable[str]) -> Frame:
        """Return the frame of some columns, sharing their memory."""
        wanted = set(names)
        return replace(self, table=self.table.select([c for c in self.names if c in wanted]))

    def with_column(self, name: str, values: np.ndarray) -> Frame:
        """Return the frame with one column replaced, sharing the memory of the others."""
        series = nw.new_series(name, values, backend=self.table.implementation)
        return replace(self, table=self.table.with_columns(series))

    def filter(self, keep: np.ndarray) -> Frame:
        """Return the frame of the rows where `keep` is true."""
        native = self.table.to_native()
        if isinstance(native, pd.DataFrame):
            table = nw.from_native(native.loc[keep], eager_only=True)
        else:
            table = self.table.filter(nw.new_series("keep", keep, backend=self.table.implementation))
        return replace(self, table=table, index=None if self.index is None else self.index[keep], mutable=False)

    def take(self, rows: np.ndarray) -> Frame:
        """Return the frame of some rows, by position, in the order given."""
        native = self.table.to_native()
        if isinstance(native, pd.DataFrame):
            table = nw.from_native(native.iloc[rows], eager_only=True)
        else:
            table = self.table[rows]
        return replace(self, table=table, index=None if self.index is None else self.index[rows], mutable=False)

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
        _ = table.collect_schema().names() if isinstance(table, nw.LazyFrame) else table.columns
    except nw.exceptions.DuplicateError as error:
        raise DataError("several columns of the table share a name; rename them.") from error
    except TypeError as error:
        raise DataError(
            f"data of type {type(data).__name__} is not a table; pass a pandas, polars or pyarrow "
            "table, or a dict of columns."
        ) from error
    if isinstance(table, nw.LazyFrame):
        raise DataError("data is a lazy table; call .collect() on it first.")
    return Frame(table)


def _frame_of_mapping(data: Mapping[str, Any]) -> pd.DataFrame:
    """Columns of a dict meet by position, so Series of different indexes are refused."""
    plain = {name: _column_of_mapping(name, value) for name, value in data.items()}
    indexes = [value.index for value in data.values() if isinstance(value, pd.Series)]
    if any(not index.equals(indexes[0]) for index in indexes):
        raise DataError("the Series in the dict have different indexes; put them in a DataFrame first.")
    lengths = {name: len(column) for name, column in plain.items() if np.ndim(column)}
    if len(set(lengths.values())) > 1:
        raise DataError(f"the columns have different lengths: {lengths}.")
    if not lengths:
        plain = {name: [value] for name, value in plain.items()}
    return pd.DataFrame(plain, copy=False)


def _column_of_mapping(name: str, value: Any) -> Any:
    if isinstance(value, pd.Series):
        return value.array
    if nw.dependencies.is_into_series(value):
        return read_series(name, value).to_pandas().array
    if isinstance(value, np.ndarray):
        if value.ndim > 1:
            raise DataError(f"column `{name}` of the dict has {value.ndim} dimensions; one is needed.")
        return value if value.ndim else value.item()
    if isinstance(value, (set, Mapping)):
        raise DataError(f"column `{name}` of the dict is a {type(value).__name__}, which has no order of rows.")
    return value


def _pandas_frame(data: pd.DataFrame, mutable: bool) -> Frame:
    """Shallow, copy-on-write copy; columns that share a name cannot be told apart and are left out."""
    named = np.array([isinstance(c, str) for c in data.columns], dtype=bool)
    twice = data.columns.duplicated(keep=False)
    plain = data.loc[:, named & ~twice] if twice.any() or not named.all() else data
    table = nw.from_native(plain.copy(deep=False), eager_only=True)
    shared = frozenset(c for c in data.columns[twice] if isinstance(c, str))
    return Frame(table, None if mutable else data.index, mutable, shared)
