"""Rows of a design in orthonormal coordinates, block after block: never all at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from formula_torch.design import BATCH_ROWS, Coordinates, Design
from formula_torch.numerics.arrays import CELLS_AT_ONCE

__all__ = ["orthonormal_rows"]


def orthonormal_rows(
    design: Design, coordinates: Coordinates, directions: np.ndarray, height: int = BATCH_ROWS
) -> Iterator[tuple[slice, Tensor]]:
    """Write out rows in some directions of the orthonormal coordinates of a fit.

    Parameters
    ----------
    design : Design
        Of the rows of the fit, or of new data.
    coordinates : Coordinates
    directions : array, shape (rank, m)
    height : int
        Largest number of rows in a block.

    Yields
    ------
    rows : slice
    block : Tensor, shape (m, n_rows)
    """
    onto, start = coordinates.whiten @ directions, 0
    most = max(1, min(height, CELLS_AT_ONCE // max(1, directions.shape[1])))
    for part in coordinates.standardised(design).batches(most):
        yield slice(start, start + part.n_rows), part.form().matmat(onto)
        start += part.n_rows
