"""Errors of predicted means, row by row, and bands that hold for many rows together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Coordinates, Design
from formula_torch.inference.bands import DRAWS, bonferroni_value, scheffe_value, sup_t_quantile
from formula_torch.inference.linear_rows import orthonormal_rows
from formula_torch.numerics.arrays import CELLS_AT_ONCE, slices
from formula_torch.numerics.random import generator_of
from formula_torch.numerics.tails import t_quantile

__all__ = ["ROW_BANDS", "MeanErrors", "core_of"]

# Directions of the rows below this share of the largest are rounding.
FLAT = 1e-10
ROWS_AT_ONCE = 256


def core_of(coordinates: Coordinates, vcov: np.ndarray) -> np.ndarray:
    """Covariance of the orthonormal coordinates of the coefficients from that of the coefficients, shape (rank, rank).

    Parameters
    ----------
    coordinates : Coordinates
    vcov : array, shape (k, k)
        NaN where aliased.
    """
    root = coordinates.raw_root
    return root @ vcov[np.ix_(coordinates.kept, coordinates.kept)] @ root.T


@dataclass(frozen=True, eq=False)
class MeanErrors:
    """The covariance x_i'V x_j of the means of some rows, as an operator.

    Parameters
    ----------
    design : Design
    coordinates : Coordinates
        Of the fit.
    core : array, shape (rank, rank)
        V in orthonormal coordinates.
    """

    design: Design
    coordinates: Coordinates
    core: np.ndarray

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        return np.linalg.eigh(self.core)

    def variances(self) -> np.ndarray:
        """x_i'V x_i, shape (n,); NaN without a covariance, and where it is not positive."""
        out = np.full(self.design.n_rows, np.nan)
        if not np.isfinite(self.core).all():
            return out
        values, vectors = self._spectrum
        for rows, block in orthonormal_rows(self.design, self.coordinates, vectors):
            out[rows] = (torch.from_numpy(values) @ (block * block)).numpy()
        # Two-way clustered covariances need not be positive.
        return np.where(out >= 0, out, np.nan)

    def directions(self, errors: np.ndarray, height: int) -> Iterator[Tensor]:
        """Yield blocks u of shape (rank, n_rows) in which u_i'u_j is the correlation of the means i and j.

        Parameters
        ----------
        errors : array, shape (n,)
            Standard errors; rows without a positive one are left out.
        height : int
            Largest number of rows in a block.
        """
        values, vectors = self._spectrum
        scaled = vectors * np.sqrt(np.maximum(values, 0))
        for rows, block in orthonormal_rows(self.design, self.coordinates, scaled, height):
            known = torch.from_numpy(errors[rows] > 0)
            yield block[:, known] / torch.from_numpy(errors[rows])[known]

    def dimension(self, errors: np.ndarray) -> int:
        """Return how many dimensions the means of the rows vary in."""
        total = np.zeros_like(self.core)
        for u in self.directions(errors, CELLS_AT_ONCE):
            total += (u @ u.mT).numpy()
        spread = np.linalg.eigvalsh(total)
        return int((spread > FLAT * spread[-1]).sum())

    def largest(self, errors: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """Draws of the largest |z| over the rows, shape (DRAWS,), normals with the correlation of the means."""
        width = max(1, min(DRAWS, CELLS_AT_ONCE // max(ROWS_AT_ONCE, len(self.core))))
        out = torch.zeros(DRAWS, dtype=torch.float64)
        for draws in slices(DRAWS, width):
            part = out[draws]
            z = torch.randn(len(self.core), len(part), generator=generator, dtype=torch.float64)
            for u in self.directions(errors, ROWS_AT_ONCE):
                if u.shape[1]:
                    torch.maximum(part, (u.mT @ z).abs().amax(0), out=part)
        return out.numpy()


def _bonferroni(rows: MeanErrors, errors: np.ndarray, level: float, df: float, seed: int) -> float:  # noqa: ARG001
    return bonferroni_value(int((errors > 0).sum()), level, df)


def _scheffe(rows: MeanErrors, errors: np.ndarray, level: float, df: float, seed: int) -> float:  # noqa: ARG001
    """Of Working and Hotelling (1929, JASA 24:73-85): for all rows in the span of these."""
    return scheffe_value(rows.dimension(errors), level, df)


def _sup_t(rows: MeanErrors, errors: np.ndarray, level: float, df: float, seed: int) -> float:
    """Quantile of the largest |t| over the rows, drawn, and held between its bounds against sampling error."""
    generator = generator_of(seed)
    value = sup_t_quantile(rows.largest(errors, generator), level, df, generator)
    widest = min(method(rows, errors, level, df, seed) for method in (_bonferroni, _scheffe))
    return min(max(value, t_quantile((1 + level) / 2, df)), widest)


# Critical values of bands over the rows whose standard errors are positive: (rows, errors, level, df, seed).
ROW_BANDS: dict[str, Callable[[MeanErrors, np.ndarray, float, float, int], float]] = {
    "bonferroni": _bonferroni,
    "scheffe": _scheffe,
    "sup-t": _sup_t,
}
