"""The design: a list of blocks that know their products, never one dense matrix.

Numeric columns are *products of base columns* (``x:z`` is x * z, ``I(x**3)`` is
x * x * x), formed row block by row block from views of the user's columns.
Categorical columns are integer codes, an optional value, and a coding of the
cells; their products are grouped sums, so that a factor of 50 or 50,000 levels
is never expanded.

Conventions: blocks of rows are laid out (columns, rows), because that is how a
data frame lies in memory; sums over rows are unscaled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.batch import Batch
from formula_torch.design.blocks import Bases, FactorBlock, NumericBlock
from formula_torch.design.gram import GramSums
from formula_torch.errors import DataError
from formula_torch.numerics.double_double import DoubleDouble
from formula_torch.numerics.threads import over_rows, threads_for

__all__ = ["BATCH_ROWS", "Design"]

# Row blocks of this height stay in the cache while they are formed and multiplied.
BATCH_ROWS = 65_536
# A dense matrix above this size is refused before it is allocated.
DENSE_LIMIT_BYTES = 4 * 2**30

T = TypeVar("T")
Extra = Callable[[slice], Sequence[Tensor]]


@dataclass(frozen=True, eq=False)
class Design:
    """The regressors of a model, with the response and what goes with each row.

    Parameters
    ----------
    names : tuple of str, length k
        Coefficient names, in the order of the parameter vector.
    n_rows : int
    bases : tuple of Tensor, float64, shape (n,) each
        Views of the user's columns, or evaluated terms.
    numeric : NumericBlock
    factors : tuple of FactorBlock
    y, weights, offset : Tensor, float64, shape (n,), or None
    """

    names: tuple[str, ...]
    n_rows: int
    bases: Bases
    numeric: NumericBlock
    factors: tuple[FactorBlock, ...]
    y: Tensor | None = None
    weights: Tensor | None = None
    offset: Tensor | None = None

    @property
    def k(self) -> int:
        """Number of columns, aliased ones included."""
        return len(self.names)

    @property
    def work(self) -> float:
        """Products of a pass over the rows, a factor counting as a column, or those of a root of k x k numbers."""
        return max(self.n_rows * float(len(self.numeric.products) + len(self.factors)) ** 2, self.k**3 / 3)

    @property
    def response(self) -> Tensor:
        """The response less the offset, shape (n,)."""
        if self.y is None:
            raise DataError("this design has no response; it was built from new data for prediction.")
        return self.y if self.offset is None else self.y - self.offset

    @property
    def constant(self) -> int | None:
        """Position of the explicit constant column, or None."""
        for product, column in zip(self.numeric.products, self.numeric.columns, strict=True):
            if not product:
                return int(column)
        return None

    def rows(self, start: int, stop: int) -> Design:
        """Return the design of the rows ``start:stop``, as views."""

        def part(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[start:stop]

        return replace(
            self,
            n_rows=stop - start,
            bases=tuple(base[start:stop] for base in self.bases),
            factors=tuple(replace(f, codes=f.codes[start:stop]) for f in self.factors),
            y=part(self.y),
            weights=part(self.weights),
            offset=part(self.offset),
        )

    def batches(self, height: int = BATCH_ROWS) -> Iterator[Design]:
        """Cut the rows into consecutive blocks of at most `height` rows."""
        if self.n_rows <= height:
            yield self
            return
        for start in range(0, self.n_rows, height):
            yield self.rows(start, min(start + height, self.n_rows))

    def thinned(self, stride: int) -> Design:
        """Return the design of every `stride`-th row."""

        def part(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[::stride]

        return replace(
            self,
            n_rows=len(range(0, self.n_rows, stride)),
            bases=tuple(base[::stride] for base in self.bases),
            factors=tuple(replace(f, codes=f.codes[::stride]) for f in self.factors),
            y=part(self.y),
            weights=part(self.weights),
            offset=part(self.offset),
        )

    def taken(self, order: Tensor) -> Design:
        """Return the design of some rows in some order, given by their positions; a copy of them."""

        def part(x: Tensor | None) -> Tensor | None:
            return None if x is None else x[order]

        return replace(
            self,
            n_rows=len(order),
            bases=tuple(base[order] for base in self.bases),
            factors=tuple(replace(f, codes=f.codes[order]) for f in self.factors),
            y=part(self.y),
            weights=part(self.weights),
            offset=part(self.offset),
        )

    def to(self, device: torch.device) -> Design:
        """Move every array to `device`."""
        if device == self.device:
            return self

        def move(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device)

        return replace(
            self,
            bases=tuple(base.to(device) for base in self.bases),
            factors=tuple(replace(f, codes=f.codes.to(device)) for f in self.factors),
            y=move(self.y),
            weights=move(self.weights),
            offset=move(self.offset),
        )

    @property
    def device(self) -> torch.device:
        """Where the arrays lie."""
        for tensor in (self.y, *self.bases, *(f.codes for f in self.factors)):
            if tensor is not None:
                return tensor.device
        return torch.device("cpu")

    def empty(self, *shape: int) -> Tensor:
        """Return an uninitialised float64 array on the design's device."""
        return torch.empty(*shape, dtype=torch.float64, device=self.device)

    # -- products -------------------------------------------------------------------------------

    def over_rows(self, each: Callable[[slice], T]) -> list[T]:
        """Call a function with ranges of rows, one a core, and list what it returns in their order.

        Sums of k^2 numbers each are not worth it where the rows are fewer.
        """
        return over_rows(self.n_rows, each, self.device) if self.k**2 < self.n_rows else [each(slice(0, self.n_rows))]

    def formed(
        self, extra: Extra | None = None, n_extra: int = 0, within: slice | None = None
    ) -> Iterator[tuple[slice, Batch]]:
        """Write out block after block of rows, each into the same memory (fresh pages cost more than the sums).

        Parameters
        ----------
        extra : callable, optional
            From a slice of rows to further columns to carry along, `n_extra` of them.
        within : slice, optional
            The rows to write out; all by default.

        Yields
        ------
        rows : slice
        batch : Batch
            Valid until the next one.
        """
        height = len(self.numeric.products) + n_extra
        scratch = self.empty(height, min(BATCH_ROWS, self.n_rows))
        start = 0 if within is None else within.start
        for part in (self if within is None else self.rows(within.start, within.stop)).batches():
            rows = slice(start, start + part.n_rows)
            more = extra(rows) if extra else ()
            yield rows, Batch(self.k, part.bases, part.numeric, part.factors, scratch[:, : part.n_rows], more)
            start += part.n_rows

    def form(self) -> Batch:
        """Write out all rows at once; meant for few."""
        scratch = self.empty(len(self.numeric.products), self.n_rows)
        return Batch(self.k, self.bases, self.numeric, self.factors, scratch)

    def matvec(self, beta: np.ndarray) -> Tensor:
        """X @ beta, shape (n,); NaN where a level is missing."""
        out = self.empty(self.n_rows)

        def fill(within: slice) -> None:
            for rows, batch in self.formed(within=within):
                out[rows] = batch.matvec(beta)

        with threads_for(self.work):
            self.over_rows(fill)
        return out

    def linear_predictor(self, beta: np.ndarray) -> Tensor:
        """X @ beta plus the offset, shape (n,)."""
        eta = self.matvec(beta)
        return eta if self.offset is None else eta + self.offset

    def rmatvec(self, r: Tensor) -> np.ndarray:
        """X' r, an unscaled sum over rows, shape (k,)."""
        total = np.zeros(self.k)
        for rows, batch in self.formed():
            total += batch.rmatvec(r[rows])
        return total

    def gram(self, extra: Extra | None = None, n_extra: int = 0) -> np.ndarray:
        """[X, extra]' diag(weights) [X, extra], an unscaled sum over rows.

        Parameters
        ----------
        extra : callable, optional
            From a slice of rows to further columns (the response, a constant), placed last.
        n_extra : int
            How many these are.

        Returns
        -------
        array, shape (k + n_extra, k + n_extra)
        """
        refuse_large(self.k, self.k, "the cross-product matrix")

        def part(within: slice) -> np.ndarray:
            sums = GramSums(self.k, self.numeric, self.factors, n_extra)
            for rows, batch in self.formed(extra, n_extra, within):
                sums.add(batch, None if self.weights is None else self.weights[rows])
            return sums.assemble()

        return reduce(np.add, self.over_rows(part))

    def block(self) -> Tensor:
        """Return these rows as a dense array, shape (k, rows); meant for one batch."""
        out = self.empty(self.k, self.n_rows)
        out[self.numeric.columns] = self.form().numeric
        for f in self.factors:
            f.fill(self.bases, out)
        return out

    def exact_block(self) -> DoubleDouble:
        """Return these rows in double-double, products of columns unrounded, shape (k, rows)."""
        out = DoubleDouble(self.empty(self.k, self.n_rows), self.empty(self.k, self.n_rows))
        self.numeric.exact(self.bases, out)
        for f in self.factors:
            f.exact(self.bases, out)
        return out

    def dense(self) -> np.ndarray:
        """Return the model matrix, shape (n, k); for small problems and tests.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(self.n_rows, self.k, "the dense model matrix")
        return self.block().mT.cpu().numpy()


def refuse_large(rows: int, columns: int, what: str) -> None:
    """Raise before a dense array above the limit is allocated.

    Raises
    ------
    DataError
        Names the size; the remedy is fewer levels.
    """
    size = 8 * rows * columns
    if size > DENSE_LIMIT_BYTES:
        raise DataError(
            f"{what} of {rows:,} x {columns:,} would take {size / 2**30:.1f} GiB; "
            "merge rare levels of the largest factor, or drop its interactions."
        )
