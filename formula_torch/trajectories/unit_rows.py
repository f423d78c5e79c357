"""Which unit each row belongs to, and the rows sorted by unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.errors import DataError
from formula_torch.formula.learn import Problem
from formula_torch.models.mixture.compress import UnitRows, design_codes
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory.units import first_rows, unit_index

__all__ = ["UnitsOfRows", "sorted_rows", "unit_values"]


@dataclass(frozen=True, eq=False)
class UnitsOfRows:
    """Which unit each row used belongs to, in the order of the identifiers."""

    codes: np.ndarray
    count: int
    index: pd.Index
    weights: Tensor
    name: str | None

    @cached_property
    def first(self) -> np.ndarray:
        """Where each unit first stands, shape (count,)."""
        return first_rows(self.codes, self.count)

    @staticmethod
    def of(problem: Problem, rows: Rows) -> UnitsOfRows:
        """Read unit and weights of the rows used."""
        second = problem.recipe.formula.second
        n = problem.design.n_rows
        if second:
            labels = rows.labels(second[0], "unit", lambda: None)
            codes, count = labels.codes, labels.count
        else:
            codes, count = np.arange(n), n
        first, frame = first_rows(codes, count), rows.used_frame()
        index = unit_index(frame.column(second[0]), first) if second else None
        if index is None:
            index = pd.RangeIndex(n) if problem.sample.index is None else problem.sample.index
        given, name = rows.weight_values(), rows.weights if isinstance(rows.weights, str) else "weights"
        weights = np.ones(count) if given is None else _unit_weights(given, codes, first, name)
        return UnitsOfRows(codes, count, index, as_tensor(weights), second[0] if second else None)


def unit_values(values: np.ndarray, codes: np.ndarray, first: np.ndarray, name: str) -> np.ndarray:
    """One value a unit from one a row, shape (n_units,).

    Parameters
    ----------
    values : array, shape (N,)
    codes : int array, shape (N,)
        Unit of each row.
    first : int array, shape (n_units,)
        Where each unit first stands.
    name : str

    Raises
    ------
    DataError
        It varies within a unit.
    """
    own = values[first]
    differs = values != own[codes]
    if differs.any():
        raise DataError(f"`{name}` varies within {len(np.unique(codes[differs]))} units; it must be one value a unit.")
    return own


def _unit_weights(values: np.ndarray, codes: np.ndarray, first: np.ndarray, name: str) -> np.ndarray:
    if (values < 0).any() or not np.isfinite(values).all() or not (values > 0).any():
        raise DataError(f"`{name}` holds weights that are negative, missing, infinite or all zero.")
    return unit_values(values, codes, first, name)


def sorted_rows(design: Design, y: Tensor, coordinates: Coordinates, units: UnitsOfRows) -> UnitRows:
    """Rows in orthonormal columns of unit size, sorted by unit."""
    parts = [part.form().matmat(coordinates.whiten) for part in coordinates.standardised(design).batches()]
    x = torch.cat(parts, 1).mT * math.sqrt(design.n_rows)
    unit, cells = torch.from_numpy(units.codes), torch.from_numpy(design_codes(design))
    rows = UnitRows(x.contiguous(), y, unit, units.count, cells, design.offset)
    return rows if bool((unit[1:] >= unit[:-1]).all()) else rows.take(torch.arange(units.count))
