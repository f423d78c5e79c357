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
    n_rows : int
    bases, numeric, factors
        The blocks of the design, cut to these rows.
    extra : Tensor, shape (m, n_rows), optional
        Further rows kept below the numeric columns (a response, a constant).
    """

    def __init__(
        self,
        k: int,
        n_rows: int,
        bases: Bases,
        numeric: NumericBlock,
        factors: Sequence[FactorBlock],
        device: torch.device,
        extra: Tensor | None = None,
    ) -> None:
        m, more = len(numeric.products), 0 if extra is None else len(extra)
        self.k = k
        self.columns = numeric.columns
        self.factors = factors
        self.rows = torch.empty(m + more, n_rows, dtype=torch.float64, device=device)
        self.numeric = self.rows[:m]
        numeric.fill(bases, self.numeric)
        if extra is not None:
            self.rows[m:] = extra
        self.values = [f.values(bases) for f in factors]

    def matvec(self, beta: np.ndarray) -> Tensor:
        """X @ beta, shape (n_rows,); NaN where a level is missing."""
        out = torch.from_numpy(beta[self.columns]).to(self.rows.device) @ self.numeric
        for f, value in zip(self.factors, self.values, strict=True):
            out += f.spread_cells(beta[f.columns], value)
        return out

    def rmatvec(self, r: Tensor) -> np.ndarray:
        """X' r, shape (k,)."""
        out = np.zeros(self.k)
        out[self.columns] = (self.numeric @ r).cpu().numpy()
        for f, value in zip(self.factors, self.values, strict=True):
            sums = segment_sum(r if value is None else r * value, f.codes, f.coding.n_cells)
            out[f.columns] = f.coding.collect(sums.cpu().numpy())
        return out
