"""Rows as those of units: which unit a row is of, and what is one value a unit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from formula_torch.data import Column, Frame
from formula_torch.errors import DataError

__all__ = ["covariate_codes", "first_rows", "unit_codes", "unit_index"]


def unit_codes(frame: Frame, unit: str | None) -> tuple[np.ndarray, pd.Index]:
    """Number the units of a table in the order of their identifiers, which come back as an index.

    Parameters
    ----------
    frame : Frame
    unit : str or None
        None: each row is a unit.
    """
    if unit is None:
        return np.arange(frame.n_rows), pd.RangeIndex(frame.n_rows) if frame.index is None else frame.index
    codes, count = frame.column(unit).labels()
    return codes, unit_index(frame.column(unit), first_rows(codes, count))


def unit_index(column: Column, first: np.ndarray) -> pd.Index:
    """Identifiers of units as the user wrote them; text read as a factor becomes text again.

    Parameters
    ----------
    column : Column
    first : int array, shape (n_units,)
        Where each unit first stands.
    """
    values = column.to_pandas().iloc[first]
    if isinstance(values.dtype, pd.CategoricalDtype) and not column.has_order:
        return pd.Index(values.astype(values.cat.categories.dtype), name=column.name)
    return pd.Index(values, name=column.name)


def first_rows(codes: np.ndarray, count: int) -> np.ndarray:
    """Where each unit first stands, shape (count,)."""
    first = np.zeros(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def covariate_codes(frame: Frame, name: str, codes: np.ndarray, units: pd.Index) -> np.ndarray:
    """A covariate of membership as labels of the units, shape (n_units,); -1 where missing.

    Parameters
    ----------
    frame : Frame
    name : str
    codes : int array, shape (n,)
        Unit of each row.
    units : Index

    Raises
    ------
    DataError
        It varies within a unit.
    """
    labels, _ = frame.column(name).labels()
    own = labels[first_rows(codes, len(units))]
    differs = labels != own[codes]
    if differs.any():
        which = np.unique(codes[differs])
        raise DataError(
            f"`{name}`, a covariate of membership, varies within {len(which)} units "
            f"(first: {units[which[0]]}); it must be one value a unit. What varies in time belongs in the formula."
        )
    return own
