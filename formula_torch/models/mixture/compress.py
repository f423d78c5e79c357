"""From rows to the statistics of units: rows that share a design row become a cell, equal units one profile.

What a mixture costs then depends on the number of distinct units, not on the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.families import AnyFamily, Family
from formula_torch.models.mixture.units import Cells, Layout, Rows, Units
from formula_torch.numerics.arrays import segment_sum

__all__ = ["UnitRows", "compressed", "design_codes"]

# Cells are worth it where they are fewer than the rows by half, and their table of counts is small.
MOST_CELLS = 4_096
MOST_COUNTS = 50_000_000
# Distinct numbers of cells above which units are hardly ever equal.
MOST_KEYS = 64


@dataclass(frozen=True, eq=False)
class UnitRows:
    """The rows of a trajectory model, sorted by unit.

    Parameters
    ----------
    x : Tensor, shape (N, p)
        Well-conditioned columns.
    y : Tensor, shape (N,)
    unit : int64 Tensor, shape (N,)
    n_units : int
    cells : int64 Tensor, shape (N,)
        Which rows of x are equal.
    offset : Tensor, shape (N,), or None
    """

    x: Tensor
    y: Tensor
    unit: Tensor
    n_units: int
    cells: Tensor
    offset: Tensor | None = None

    def take(self, units: Tensor) -> UnitRows:
        """Return the rows of some units, in their order."""
        place = torch.full((self.n_units,), -1, dtype=torch.int64)
        place[units] = torch.arange(len(units))
        moved = place[self.unit]
        kept = torch.argsort(moved, stable=True)[int((moved < 0).sum()) :]
        offset = None if self.offset is None else self.offset[kept]
        return UnitRows(self.x[kept], self.y[kept], moved[kept], len(units), self.cells[kept], offset)


def design_codes(design: Design) -> np.ndarray:
    """Number the distinct rows of a design, shape (n,)."""
    codes = np.zeros(design.n_rows, dtype=np.int64)
    used = {i for product in design.numeric.products for i in product} | {
        i for f in design.factors for i in f.value or ()
    }
    columns = [design.bases[i].cpu().numpy() for i in sorted(used)]
    for column in (*columns, *(f.codes.cpu().numpy() for f in design.factors)):
        own, values = pd.factorize(column)
        codes = pd.factorize(codes * len(values) + own)[0]
    return codes


def compressed(rows: UnitRows, family: AnyFamily, weights: Tensor, z: Tensor) -> tuple[Units, Tensor]:
    """Sum the rows of each unit, and join equal units.

    Parameters
    ----------
    rows : UnitRows
    family : Family or Density
    weights : Tensor, shape (n,)
        How many units each one stands for.
    z : Tensor, shape (m, n)

    Returns
    -------
    units : Units
    profile : int64 Tensor, shape (n,)
        Which of these each unit became.
    """
    if not isinstance(family, Family):
        return _uncompressed(rows, weights, z), torch.arange(rows.n_units)
    n, unit = rows.n_units, rows.unit
    y = rows.y if rows.offset is None or not family.dispersed else rows.y - rows.offset
    count = torch.bincount(unit, minlength=n).to(torch.float64)
    constant = segment_sum(family.base(y), unit, n)
    if rows.offset is not None and not family.dispersed:
        constant = constant + segment_sum(y * rows.offset, unit, n)
    units = Units(
        _layout(rows, family),
        segment_sum(rows.x.mT * y, unit, n),
        segment_sum(y * y, unit, n),
        count[:1] if bool((count == count[0]).all()) else count,
        constant,
        weights,
        z,
    )
    return _joined(units, rows, family)


def _uncompressed(rows: UnitRows, weights: Tensor, z: Tensor) -> Units:
    """Keep rows as they are: of a density of which nothing is known there are no sufficient statistics."""
    n = rows.n_units
    nothing, count = torch.zeros(n, dtype=torch.float64), torch.bincount(rows.unit, minlength=n).to(torch.float64)
    layout = Rows(rows.x, rows.unit, n, rows.offset, rows.y)
    return Units(layout, rows.x.new_zeros(rows.x.shape[1], n), nothing, count, nothing, weights, z)


def _layout(rows: UnitRows, family: Family) -> Layout:
    n_cells = int(rows.cells.max()) + 1
    fits = n_cells <= min(MOST_CELLS, len(rows.y) // 2) and n_cells * rows.n_units <= MOST_COUNTS
    # An offset shifts every row by itself: only where the mean is exp is it a multiple of the count.
    folds = rows.offset is None or family.dispersed or family.exponential
    if not (fits and folds):
        offset = None if family.dispersed else rows.offset
        return Rows(rows.x, rows.unit, rows.n_units, offset)
    first = torch.zeros(n_cells, dtype=torch.int64).scatter_(0, rows.cells.flip(0), torch.arange(len(rows.y)).flip(0))
    exposure = torch.ones_like(rows.y) if rows.offset is None or family.dispersed else rows.offset.exp()
    joint = rows.cells * rows.n_units + rows.unit
    counts = segment_sum(exposure, joint, n_cells * rows.n_units).reshape(n_cells, rows.n_units)
    balanced = bool((counts == counts[:, :1]).all())
    return Cells(rows.x[first], counts[:, :1].contiguous() if balanced else counts)


def _joined(units: Units, rows: UnitRows, family: Family) -> tuple[Units, Tensor]:
    """Join units with the same rows; those of a continuous response never have."""
    apart = torch.arange(units.n)
    if family.dispersed or not isinstance(units.layout, Cells) or len(units.layout.x) > MOST_KEYS:
        return units, apart
    n_cells = len(units.layout.x)
    totals = segment_sum(rows.y, rows.cells * units.n + rows.unit, n_cells * units.n).reshape(n_cells, units.n)
    parts = [totals, units.z] if units.layout.counts.shape[1] == 1 else [totals, units.z, units.layout.counts]
    profile, first = _equal_columns(torch.cat(parts))
    if len(first) == units.n:
        return units, apart
    # What holds no parameter adds to the log-likelihood, and may differ within a profile.
    weights, total = (segment_sum(v, profile, len(first)) for v in (units.weights, units.weights * units.base))
    return replace(units.take(first), weights=weights, base=torch.where(weights > 0, total / weights, 0.0)), profile


def _equal_columns(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Number the distinct columns, and say where each first stands.

    Columns are compared by a hash of their bits, and the hash by the columns themselves.
    """
    bits = keys.contiguous().view(torch.int64).numpy()
    hashed = np.zeros(bits.shape[1], dtype=np.uint64)
    for row in bits:
        # A sum of rows would forget their order: each is mixed into the hash of those before.
        hashed = pd.util.hash_array(hashed ^ row.view(np.uint64))
    _, first, profile = np.unique(hashed, return_index=True, return_inverse=True)
    if not np.array_equal(bits, bits[:, first[profile]]):
        return torch.arange(keys.shape[1]), torch.arange(keys.shape[1])
    return torch.from_numpy(profile), torch.from_numpy(first)
