"""How much dependence among the columns inflates the variances of coefficients.

Of column j it is the factor 1 / (1 - R_j^2) by which the variance exceeds that in a
design with orthogonal columns, R_j^2 being that of the regression of column j on the
others; of several columns, the squared volume of their joint confidence ellipsoid over
that (Fox and Monette 1992, J. American Statistical Association 87:178-183).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from formula_torch.design import Coordinates
from formula_torch.numerics.triangular import Root

__all__ = ["Inflation"]


@dataclass(frozen=True, eq=False)
class Inflation:
    """The dependence among some columns.

    Parameters
    ----------
    columns : list of int
        Positions in the parameter vector.
    root : array, shape (m, m)
        A root of their Gram matrix, each scaled to unit length.
    """

    columns: list[int]
    root: np.ndarray

    @staticmethod
    def of(coordinates: Coordinates) -> Inflation:
        """Take all columns that are not aliased; about their means, where there is an explicit constant.

        The constant itself is then left out.
        """
        kept, r = coordinates.kept, coordinates.root.r
        columns = [j for j in kept if j != coordinates.constant]
        part = r[:, [kept.index(j) for j in columns]]
        if coordinates.constant is not None:
            one = r[:, kept.index(coordinates.constant)]
            part = part - np.outer(one, one @ part) / (one @ one)
        return Inflation(columns, _triangle(part / np.linalg.norm(part, axis=0)))

    def factors(self) -> np.ndarray:
        """Variance inflation of each column, shape (m,)."""
        return np.diag(Root(self.root).inverse_gram)

    def generalised(self, columns: Sequence[int]) -> float:
        """Inflation of some columns, det R_11 det R_22 / det R, with R all correlations and R_11 those of `columns`."""
        inside = np.isin(self.columns, columns)
        parts = _log_volume(self.root[:, inside]) + _log_volume(self.root[:, ~inside])
        return float(np.exp(2 * (parts - _log_volume(self.root))))


def _triangle(columns: np.ndarray) -> np.ndarray:
    """R of a QR decomposition."""
    return np.asarray(np.linalg.qr(columns, mode="r"))


def _log_volume(columns: np.ndarray) -> float:
    """Half the logarithm of det A'A."""
    return float(np.log(np.abs(np.diag(_triangle(columns)))).sum())
