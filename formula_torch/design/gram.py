"""X'WX from formed batches: products of numeric columns, grouped sums for factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.batch import Batch
from formula_torch.design.blocks import FactorBlock, NumericBlock
from formula_torch.numerics.arrays import segment_sum

__all__ = ["GramSums"]


class GramSums:
    """The blocks of a Gram matrix, accumulated over batches; factors are summed by cell.

    Parameters
    ----------
    k : int
    numeric, factors
        The blocks of the design.
    extra : int
        Number of further rows each batch carries; they come last.
    """

    def __init__(self, k: int, numeric: NumericBlock, factors: Sequence[FactorBlock], extra: int) -> None:
        self.k = k
        self.columns = np.concatenate([numeric.columns, np.arange(k, k + extra)])
        self.factors = factors
        self.size = k + extra
        self.numeric: Tensor | float = 0.0
        self.by_cell: dict[int, Tensor] = {}
        self.tables: dict[tuple[int, int], Tensor] = {}

    def add(self, batch: Batch, weights: Tensor | None) -> None:
        """Add the sums of one batch."""
        rows = batch.rows
        weighted = rows if weights is None else rows * weights
        self.numeric = self.numeric + weighted @ rows.mT
        for i, (f, value) in enumerate(zip(batch.factors, batch.values, strict=True)):
            times_value = weighted if value is None else weighted * value
            self.by_cell[i] = segment_sum(times_value, f.codes, f.coding.n_cells, self.by_cell.get(i))
            for j in range(i + 1):
                self._add_table(i, j, batch, weights)

    def _add_table(self, i: int, j: int, batch: Batch, weights: Tensor | None) -> None:
        """Sum weights x values by the pair of cells of blocks i and j (one cell where they share codes)."""
        f, g = batch.factors[i], batch.factors[j]
        mass = torch.ones(batch.rows.shape[1], dtype=torch.float64, device=batch.rows.device)
        for multiplier in (batch.values[i], batch.values[j], weights):
            mass = mass if multiplier is None else mass * multiplier
        if f.cells == g.cells:
            codes, cells = f.codes, f.coding.n_cells
        else:
            codes, cells = f.codes.long() * g.coding.n_cells + g.codes, f.coding.n_cells * g.coding.n_cells
        self.tables[i, j] = segment_sum(mass, codes, cells, self.tables.get((i, j)))

    def assemble(self) -> np.ndarray:
        """Return the Gram matrix, shape (k + extra, k + extra)."""
        gram = np.zeros((self.size, self.size))
        gram[np.ix_(self.columns, self.columns)] = _to_numpy(self.numeric)
        for i, f in enumerate(self.factors):
            cross = f.coding.collect(_to_numpy(self.by_cell[i]))
            _place(gram, self.columns, f.columns, cross)
            for j in range(i + 1):
                _place_coded(gram, f, self.factors[j], _to_numpy(self.tables[i, j]))
        return gram


def _place(gram: np.ndarray, rows: np.ndarray, columns: np.ndarray, cross: np.ndarray) -> None:
    gram[np.ix_(rows, columns)] = cross
    gram[np.ix_(columns, rows)] = cross.T


def _place_coded(gram: np.ndarray, f: FactorBlock, g: FactorBlock, sums: np.ndarray) -> None:
    """Turn sums by (pairs of) cells into the cross product of two blocks."""
    if f.cells != g.cells:
        table = sums.reshape(f.coding.n_cells, g.coding.n_cells)
        _place(gram, f.columns, g.columns, f.coding.collect(g.coding.collect(table).T).T)
    elif f.coding.kept is not None and g.coding.kept is not None:
        # Cells are orthogonal: next to a table of the levels of one factor by themselves this is nothing.
        common, rows, columns = np.intersect1d(f.coding.kept, g.coding.kept, return_indices=True)
        gram[f.columns[rows], g.columns[columns]] = sums[common]
        gram[g.columns[columns], f.columns[rows]] = sums[common]
    else:
        _place(gram, f.columns, g.columns, f.coding.table().T @ (sums[:, None] * g.coding.table()))


def _to_numpy(x: Tensor | float) -> np.ndarray:
    assert isinstance(x, Tensor), "a design has at least one batch"
    return x.cpu().numpy()
