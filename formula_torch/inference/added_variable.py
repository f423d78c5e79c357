"""The added variable: what of one column the others do not say."""

from __future__ import annotations

import numpy as np

from formula_torch.design import Coordinates, Design

__all__ = ["unexplained_column"]


def unexplained_column(design: Design, coordinates: Coordinates, column: int) -> np.ndarray:
    """Residuals of a column regressed on all others, shape (n,).

    With q = L^-1 x the rows in orthonormal coordinates and l the column's row of L (``lift``),
    (X'WX)^-1 = L L', and by the inverse of a partitioned matrix the residuals are
    q'l / (l'l). No regression is run, and no digits are lost that the fit has kept.

    Parameters
    ----------
    design : Design
    coordinates : Coordinates
    column : int
        Position of the column, which must not be aliased.

    References
    ----------
    Frisch and Waugh (1933), Econometrica 1:387-401; Lovell (1963), JASA 58:993-1010.
    """
    row = coordinates.lift[column]
    direction = coordinates.whiten @ row / (row @ row)
    return coordinates.standardised(design).matvec(direction).cpu().numpy()
