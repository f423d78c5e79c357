"""Scores of few units with few parameters, as a matrix in orthonormal coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formula_torch.errors import DataError

__all__ = ["DenseScores"]


@dataclass(frozen=True, eq=False)
class DenseScores:
    """Scores of units whose information is not a sum of squares, as those of a mixture.

    Parameters
    ----------
    scores : array, shape (n, rank)
        In coordinates in which the information of all units is the identity.
    counts : array, shape (n,)
        How many units each one stands for.
    """

    scores: np.ndarray
    counts: np.ndarray

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return self.scores.shape[1]

    def outer(self, multiplier: np.ndarray | None = None) -> np.ndarray:
        """Sum of m_i^2 s_i s_i', shape (rank, rank)."""
        weights = self.counts if multiplier is None else self.counts * multiplier**2
        return (self.scores.T * weights) @ self.scores

    def by(self, codes: np.ndarray, n_clusters: int, slopes: np.ndarray | None = None) -> np.ndarray:
        """Sums of scores by cluster, shape (n_clusters, rank)."""
        if slopes is not None:
            raise DataError("these scores are not products of a row and a slope.")
        sums = np.zeros((n_clusters, self.rank))
        np.add.at(sums, codes, self.scores * self.counts[:, None])
        return sums

    def along(self, direction: np.ndarray) -> np.ndarray:  # noqa: ARG002 - the protocol's signature
        """Not defined: a unit has no row."""
        raise self._no_rows("this statistic")

    def orthonormal(self) -> np.ndarray:
        """Not defined: a unit has no row."""
        raise self._no_rows("this resampling")

    def information_by(self, codes: np.ndarray, n_clusters: int) -> np.ndarray:  # noqa: ARG002
        """Not defined: the information is not a sum of squares."""
        raise self._no_rows("the jackknife in closed form (CRV3)")

    def leverage(self) -> np.ndarray:
        """Not defined: there is no hat matrix."""
        raise self._no_rows("a covariance by leverage (HC2 to HC5)")

    @staticmethod
    def _no_rows(what: str) -> DataError:
        return DataError(f"{what} is for models of a linear predictor; use vcov='robust', or cluster.")

    def dense(self) -> np.ndarray:
        """Not defined: units are no series."""
        raise self._no_rows("a covariance over time (HAC)")

    def each(self) -> np.ndarray:
        """Scores of every unit, shape (n, rank), each repeated by its count."""
        return self.repeated(self.scores)

    def repeated(self, values: np.ndarray) -> np.ndarray:
        """Repeat units by their counts."""
        return np.repeat(values, self.counts.astype(np.int64), axis=0)
