"""One column of a table, read as numbers or as categories."""

from __future__ import annotations

import datetime
import numbers
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from formula_torch.data.factor import Factor, factor_of
from formula_torch.errors import DataError

__all__ = ["Column", "all_finite", "read_series"]


def read_series(name: str, native: Any) -> Column:
    """Read a pandas, polars or pyarrow column.

    Raises
    ------
    DataError
        It holds neither numbers, truth values, categories nor dates.
    """
    if isinstance(native, pd.Series):
        native = _plain_pandas(name, native)
    return Column(name, nw.from_native(native, series_only=True))


def _plain_pandas(name: str, series: pd.Series) -> pd.Series:
    """Rewrite the numeric types that narwhals does not know: sparse, foreign byte order, extended precision."""
    if isinstance(series.dtype, pd.SparseDtype):
        series = pd.Series(np.asarray(series), name=series.name)
    dtype = series.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return series.dt.to_timestamp()
    if isinstance(dtype, np.dtype):
        if dtype.kind == "c":
            raise DataError(f"column `{name}` holds complex numbers, which no model here takes.")
        if dtype.kind in "fiu" and (not dtype.isnative or dtype.itemsize > 8):
            return series.astype(np.float64 if dtype.kind == "f" else dtype.newbyteorder("="))
    return series


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
        if dtype.is_numeric() or self.is_empty:
            return "number"
        if dtype.is_temporal():
            return "time"
        if dtype == nw.Object:
            return self._kind_of_objects()
        if isinstance(dtype, (nw.List, nw.Array, nw.Struct)):
            raise DataError(f"column `{self.name}` holds {dtype}, not one value per row.")
        return "category"

    @cached_property
    def is_empty(self) -> bool:
        """Whether every value is missing: then the type says nothing."""
        return int(self.series.null_count()) == len(self.series)

    def _kind_of_objects(self) -> str:
        present = [v for v in self.series.to_list() if not _is_missing(v)]
        if all(isinstance(v, (bool, np.bool_)) for v in present):
            return "bool"
        if all(isinstance(v, (numbers.Real, Decimal)) and not isinstance(v, (bool, np.bool_)) for v in present):
            return "number"
        return "time" if all(isinstance(v, datetime.date) for v in present) else "category"

    @cached_property
    def numbers(self) -> np.ndarray:
        """The column as float64, shape (n,), NaN where missing; a view where possible."""
        if self.series.dtype == nw.Duration:
            raise DataError(f"column `{self.name}` holds durations; say in what unit, for instance in seconds.")
        if self.kind == "time":
            raise DataError(
                f"column `{self.name}` holds dates; say what number you mean, for instance the year "
                f"(data['{self.name}'].dt.year) or days since a start."
            )
        if self.kind == "category":
            raise DataError(f"column `{self.name}` holds categories, and a number is needed here.")
        if not self.series.dtype.is_numeric() and self.is_empty:
            return np.full(len(self.series), np.nan)
        if self.series.dtype == nw.Object:
            return self._numbers_of_objects()
        native = self.series.to_native()
        if isinstance(native, pd.Series) and native.dtype == np.dtype(np.float64):
            return native.to_numpy()
        return np.asarray(self.series.cast(nw.Float64).to_numpy(), dtype=np.float64)

    def _numbers_of_objects(self) -> np.ndarray:
        try:
            return np.array([np.nan if _is_missing(v) else float(v) for v in self.series.to_list()])
        except OverflowError:
            raise DataError(f"column `{self.name}` holds numbers beyond the range of float64.") from None

    @cached_property
    def factor(self) -> Factor:
        """The column as categories; booleans have the levels False, True."""
        if self.is_empty:
            return Factor(np.full(len(self.series), -1, dtype=np.int32), ())
        if self.kind == "time":
            return factor_of(pd.Series([None if _is_missing(v) else str(v) for v in self.series.to_list()]))
        if self.kind == "bool":
            codes = np.where(np.isnan(self.numbers), -1, self.numbers).astype(np.int32)
            return Factor(codes, (False, True))
        return factor_of(self._native_numbers() if self.kind == "number" else self._native_categories())

    @property
    def has_order(self) -> bool:
        """Whether categories were declared, with their order, rather than found in text."""
        native = self.series.to_native()
        declared = isinstance(native, pd.Series) and isinstance(native.dtype, pd.CategoricalDtype)
        return declared or isinstance(self.series.dtype, nw.Enum)

    def labels(self) -> tuple[np.ndarray, int]:
        """Read as identifiers: codes in the order of the values, -1 where missing, and how many there are.

        Returns
        -------
        codes : int64 array, shape (n,)
        count : int
        """
        native = self.series.to_native()
        if self.series.dtype.is_integer() and not self.series.null_count():
            return _integer_labels(self.series.to_numpy())
        if isinstance(native, pd.Series) and (native.dtype.kind in "fMm" or native.dtype == "str"):
            codes, levels = pd.factorize(native, sort=True)
            return codes.astype(np.int64, copy=False), len(levels)
        factor = self.factor.compact()
        return factor.codes.astype(np.int64), len(factor.levels)

    def _native_numbers(self) -> pd.Series:
        """Numbers as they are: identifiers beyond 2**53 would meet in float64."""
        if self.series.dtype == nw.Object:
            return pd.Series([None if _is_missing(v) else v for v in self.series.to_list()], dtype=object)
        if not self.series.dtype.is_integer():
            return pd.Series(self.numbers)
        if not self.series.null_count():
            return pd.Series(self.series.to_numpy())
        whole = [None if _is_missing(v) else int(v) for v in self.series.to_list()]
        return pd.Series(pd.array(whole, dtype="UInt64" if "UInt" in str(self.series.dtype) else "Int64"))

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

    def to_pandas(self) -> pd.Series:
        """The column as a pandas Series: identifiers exact, categories with their declared order."""
        if self.kind == "category":
            codes = self.factor.codes
            return pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(self.factor.levels))))
        return self._native_numbers() if self.kind == "number" else pd.Series(self.series.to_list())

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


def _integer_labels(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Codes of integers in their order; identifiers that lie close together need no hashing."""
    if not len(values) or int(values.max()) - int(values.min()) > 4 * len(values):
        codes, levels = pd.factorize(values, sort=True)
        return codes.astype(np.int64, copy=False), len(levels)
    codes = np.subtract(values, values.min(), dtype=np.int64, casting="unsafe")
    seen = np.bincount(codes) > 0
    return (codes if seen.all() else (np.cumsum(seen) - 1)[codes]), int(seen.sum())


def all_finite(values: np.ndarray) -> bool:
    """Tell in one pass without a temporary: a sum is finite only if every term is (or it overflows)."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.add.reduce(values, axis=None)))


def _is_missing(value: Any) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, (float, np.floating, Decimal)) and value != value
