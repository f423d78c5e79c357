"""Which rows a model uses, and why the others left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import Column, Frame, all_finite, read_series
from formula_torch.errors import DataError

__all__ = ["Ledger", "Sample", "log_exposure", "row_labels", "row_values"]


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows that a model uses.

    Parameters
    ----------
    n_total : int
        Rows of the data as given.
    n_rows : int
        Rows used.
    used : bool array, shape (n_total,)
    in_subset : int
        Rows that `subset` left.
    missing : dict
        Column or term to the number of rows in which it is missing.
    zero_weight : int
        Rows left out because their weight is zero.
    index : pandas Index or None
        The user's labels of the rows used.
    """

    n_total: int
    n_rows: int
    used: np.ndarray
    in_subset: int
    missing: dict[str, int]
    zero_weight: int
    index: pd.Index | None

    @property
    def notes(self) -> list[str]:
        """What a reader of the summary must know about the rows, one sentence each."""
        notes = []
        if self.in_subset < self.n_total:
            notes.append(f"The subset has {self.in_subset} of {self.n_total} rows.")
        dropped = self.in_subset - self.n_rows - self.zero_weight
        if dropped:
            notes.append(f"{dropped} of {self.in_subset} rows dropped ({_counts(self.missing)}).")
        if self.zero_weight:
            notes.append(f"{self.zero_weight} rows with zero weight left out.")
        return notes


def _counts(missing: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in missing.items())


@dataclass
class Ledger:
    """Collects where values are missing while a formula is evaluated on `frame`.

    A row leaves when a *value* is missing, as in R: ``ifelse(is.na(x), 0, x)`` keeps it. The
    loss is booked on the columns that explain it, the rest on the expression.
    """

    frame: Frame
    masks: dict[str, np.ndarray] = field(default_factory=dict)

    def note_columns(self, names: Iterable[str]) -> None:
        """Book rows in which a column that is used as it stands is missing."""
        for name in sorted(names, key=self.frame.names.index):
            self._book(name, self.frame.column(name).missing)

    def note_values(self, text: str, arrays: Iterable[np.ndarray], columns: Iterable[str]) -> None:
        """Book rows in which the value of an expression of some columns is missing."""
        lost = None
        for array in arrays:
            found = _missing(array)
            if found is not None:
                lost = found if lost is None else lost | found
        if lost is None:
            return
        for name in sorted(columns, key=self.frame.names.index):
            missing = self.frame.column(name).missing
            if missing is not None:
                self._book(name, lost & missing)
                lost = lost & ~missing
        self._book(text, lost)

    def _book(self, name: str, mask: np.ndarray | None) -> None:
        if mask is not None and mask.any():
            self.masks[name] = mask | self.masks[name] if name in self.masks else mask

    @property
    def counts(self) -> dict[str, int]:
        """Column or expression to the number of rows lost by it."""
        return {name: int(mask.sum()) for name, mask in self.masks.items()}

    @property
    def dropped(self) -> np.ndarray | None:
        """True for the rows to drop, or None."""
        return np.any(list(self.masks.values()), axis=0) if self.masks else None

    def check(self, na_action: str, n_rows: int) -> None:
        """Raise where rows may not be dropped, or none is left.

        Raises
        ------
        DataError
            Counts the rows by column.
        """
        if n_rows == 0:
            raise DataError("no rows: the data (or the subset) are empty.")
        dropped = self.dropped
        if dropped is None:
            return
        count = int(dropped.sum())
        if na_action == "raise":
            raise DataError(
                f"{count} of {n_rows} rows have missing values ({_counts(self.counts)}); na_action='raise'."
            )
        if count == n_rows:
            reason = f"all because of {next(iter(self.counts))}" if len(self.counts) == 1 else _counts(self.counts)
            raise DataError(f"no rows left: {n_rows} dropped, {reason}.")


def _missing(array: np.ndarray) -> np.ndarray | None:
    """True where numbers are NaN or codes negative; None where all numbers are finite."""
    if array.dtype.kind != "f":
        return array < 0
    return None if all_finite(array) else np.isnan(array)


def row_values(given: Any, frame: Frame, what: str, index: pd.Index | None = None) -> np.ndarray:
    """Read an argument that has one number for each row: a column's name, or an array.

    Raises
    ------
    DataError
        Wrong length, or a Series whose index is not that of the data.
    """
    if isinstance(given, str):
        return frame.column(given).numbers
    if isinstance(given, pd.Series) and index is not None and not given.index.equals(index):
        raise DataError(f"{what}: the Series' index is not that of the data; reindex it, or pass its values.")
    try:
        if isinstance(given, np.ma.MaskedArray):
            given = np.ma.filled(given.astype(np.float64), np.nan)
        if isinstance(given, np.ndarray) and given.dtype.kind not in "biufO":
            raise DataError(f"{what} holds {given.dtype}, not numbers.")
        if not isinstance(given, np.ndarray):
            given = read_series(what, given if hasattr(given, "to_numpy") else pd.Series(given)).numbers
        values = np.asarray(given, dtype=np.float64)
    except DataError:
        raise
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be a column's name or numbers, one for each row: {error}.") from error
    if values.shape != (frame.n_rows,):
        raise DataError(f"{what} has shape {values.shape}; the data have {frame.n_rows} rows.")
    return values


def row_labels(given: Any, frame: Frame, what: str, used: np.ndarray) -> tuple[np.ndarray, int]:
    """Read identifiers of the rows used: a column's name, or an array over all rows.

    Parameters
    ----------
    given : str or array of shape (n_total,)
    frame : Frame
    what : str
        What they are for, in messages.
    used : bool array, shape (n_total,)

    Returns
    -------
    codes : int64 array, shape (n,)
        In the order of the values.
    count : int

    Raises
    ------
    DataError
        Wrong length, a Series whose index is not that of the data, or a label is missing.
    """
    if isinstance(given, str):
        column = frame.column(given)
    else:
        if isinstance(given, pd.Series) and frame.index is not None and not given.index.equals(frame.index):
            raise DataError(f"{what}: the Series' index is not that of the data; reindex it, or pass its values.")
        column = read_series(what, _one_way(given, what))
        if len(column.series) != frame.n_rows:
            raise DataError(f"{what} has {len(column.series)} labels; the data have {frame.n_rows} rows.")
    if what == "time":
        _refuse_text(column)
    codes, count = column.labels()
    if used.all():
        _refuse_missing(codes, column.name, what, used)
        return codes, count
    codes = codes[used]
    _refuse_missing(codes, column.name, what, used)
    seen = np.bincount(codes, minlength=count) > 0
    return (np.cumsum(seen) - 1)[codes], int(seen.sum())


def log_exposure(values: np.ndarray) -> np.ndarray:
    """Logarithms of exposures, shape (n,); missing values stay missing.

    Raises
    ------
    DataError
        An exposure is zero or negative.
    """
    bad = values <= 0
    if bad.any():
        raise DataError(
            f"exposure is zero or negative in {int(bad.sum())} rows (first: number {int(np.argmax(bad))} of those "
            "used); it must be positive. Leave these rows out with subset=."
        )
    return np.asarray(np.log(values))


def _one_way(given: Any, what: str) -> Any:
    """Read labels given as an array, an index or a list as a Series; a Series of another library stays."""
    if np.ndim(given) > 1:
        raise DataError(f"{what} has {np.ndim(given)} dimensions; pass several ways as a list of their columns.")
    is_series = hasattr(given, "to_numpy") and not isinstance(given, (pd.Index, pd.api.extensions.ExtensionArray))
    return given if is_series else pd.Series(given)


def _refuse_text(column: Column) -> None:
    """Raise where times are text, which sorts "10" before "9"; declared categories have their own order."""
    if column.kind == "category" and not column.has_order:
        raise DataError(
            f"`{column.name}`, used as time, holds text, and its order would be alphabetical; convert it by "
            "pandas.to_datetime or pandas.to_numeric, or declare the order by pandas.Categorical(values, categories)."
        )


def _refuse_missing(codes: np.ndarray, name: str, what: str, used: np.ndarray) -> None:
    missing = np.flatnonzero(codes < 0)
    if missing.size:
        raise DataError(
            f"`{name}`, used as {what}, is missing in {missing.size} of the {len(codes)} rows used (first in row "
            f"{int(np.flatnonzero(used)[missing[0]])}); fill it, or leave these rows out with subset=."
        )
