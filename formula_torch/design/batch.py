"""One block of rows, formed once and used for every product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.blocks import Bases, FactorBlock, NumericBlock
from formula_torch.numerics.arrays import segment_sum

__all__ = ["Batch"]


class Batch:
    """The numeric columns of some rows written out, beside the codes of its factors.

    Parameters
    ----------
    k : int
        Length of the parameter vector.
    bases, numeric, factors
        The blocks of the design, cut to these rows.
    scratch : Tensor, shape (m + extra, n_rows)
        Where to write; another batch may overwrite it.
    extra : sequence of Tensor, shape (n_rows,) each
        Further rows kept below the numeric columns (a response, a constant).
    """

    def __init__(
        self,
        k: int,
        bases: Bases,
        numeric: NumericBlock,
        factors: Sequence[FactorBlock],
        scratch: Tensor,
        extra: Sequence[Tensor] = (),
    ) -> None:
        m = len(numeric.products)
        self.k = k
        self.columns = numeric.columns
        self.factors = factors
        self.rows = scratch
        self.numeric = self.rows[:m]
        numeric.fill(bases, self.numeric)
        for row, values in zip(self.rows[m:], extra, strict=True):
            row.copy_(values)
        self.values = [f.values(bases) for f in factors]

    def matvec(self, beta: np.ndarray) -> Tensor:
        """X @ beta, shape (n_rows,); NaN where a level is missing."""
        out = torch.from_numpy(beta[self.columns]).to(self.rows.device) @ self.numeric
        for f, value in zip(self.factors, self.values, strict=True):
            out += f.spread_cells(beta[f.columns], value)
        return out

    def matmat(self, b: np.ndarray) -> Tensor:
        """(X @ b)', shape (m, n_rows), for b of shape (k, m); factors are looked up, never expanded."""
        out = torch.from_numpy(b[self.columns].T.copy()).to(self.rows.device) @ self.numeric
        for f, value in zip(self.factors, self.values, strict=True):
            cells = f.coding.expand(b[f.columns])
            known = torch.from_numpy(cells.T.copy()).to(self.rows.device)[:, f.codes.long()]
            out += known if value is None else known * value
        return out

    def sums_by(self, r: Tensor, codes: Tensor, n_segments: int) -> np.ndarray:
        """X' r by segment of the rows, shape (k, n_segments)."""
        out = np.zeros((self.k, n_segments))
        out[self.columns] = segment_sum(self.numeric * r, codes, n_segments).cpu().numpy()
        for f, value in zip(self.factors, self.values, strict=True):
            joint = codes.long() * f.coding.n_cells + f.codes
            sums = segment_sum(r if value is None else r * value, joint, n_segments * f.coding.n_cells)
            out[f.columns] = f.coding.collect(sums.cpu().numpy().reshape(n_segments, f.coding.n_cells)).T
        return out

    def rmatvec(self, r: Tensor) -> np.ndarray:
        """X' r, shape (k,)."""
        out = np.zeros(self.k)
        out[self.columns] = (self.numeric @ r).cpu().numpy()
        for f, value in zip(self.factors, self.values, strict=True):
            sums = segment_sum(r if value is None else r * value, f.codes, f.coding.n_cells)
            out[f.columns] = f.coding.collect(sums.cpu().numpy())
        return out
