"""What a network is fed: the columns of a design, about their means and in units of their standard deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.design.auxiliary import without_columns
from formula_torch.design.design import refuse_large
from formula_torch.errors import DataError

__all__ = ["Inputs"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The map from a design to the matrix that a network takes.

    Parameters
    ----------
    shifts, scales : array, shape (m,)
        Of the columns that are not left out: an input is (x - shift) scale. Those of two values stay as they are.
    left_out : tuple of int
        The constant column, where the network has constants of its own.
    names : tuple of str
        Of the inputs.
    """

    shifts: np.ndarray
    scales: np.ndarray
    left_out: tuple[int, ...]
    names: tuple[str, ...]

    @staticmethod
    def of(design: Design, *, takes_constant: bool, counts: Tensor | None = None) -> Inputs:
        """Measure the columns of a design; without any constant they are not moved about their means.

        Parameters
        ----------
        design : Design
        takes_constant : bool
            Whether the constant column is an input.
        counts : Tensor, shape (n,), or None
            How many rows each one stands for.

        Raises
        ------
        DataError
            A column does not vary, or its squares leave the range of numbers.
        """
        left_out = () if takes_constant or design.constant is None else (design.constant,)
        some = without_columns(design, left_out)
        means, squares, plain = np.zeros(some.k), np.zeros(some.k), np.ones(some.k, dtype=bool)
        times = torch.ones(some.n_rows, dtype=torch.float64, device=some.device) if counts is None else counts
        total, place = float(times.sum()), 0
        for part in some.batches():
            block, own = part.block(), times[place : place + part.n_rows]
            means += (block @ own).cpu().numpy() / total
            place += part.n_rows
            plain &= ((block == 0) | (block == 1)).all(1).cpu().numpy()
        if takes_constant and design.constant is None:
            means[:] = 0.0
        means[plain] = 0.0
        place = 0
        for part in some.batches():
            rest = part.block() - torch.as_tensor(means, device=some.device)[:, None]
            squares += (rest.square_() @ times[place : place + part.n_rows]).cpu().numpy() / total
            place += part.n_rows
        spread = np.sqrt(squares)
        _refuse_flat(some, spread, plain)
        scales = np.where(plain | ~(spread > 0), 1.0, 1 / np.where(spread > 0, spread, 1.0))
        return Inputs(means, scales, left_out, some.names)

    def matrix(self, design: Design) -> Tensor:
        """Return the inputs of the rows of a design, shape (n, m); NaN where a value is missing.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(design.n_rows, design.k, "the matrix of inputs")
        found = without_columns(design, self.left_out).block().mT.contiguous()
        return found.sub_(found.new_tensor(self.shifts)).mul_(found.new_tensor(self.scales))

    def moved(self, slopes: Design) -> Tensor:
        """Return derivatives of the inputs from those of the columns, shape (n, m).

        Parameters
        ----------
        slopes : Design
            Columns that it does not hold have none.
        """
        some = without_columns(slopes, self.left_out)
        held = np.concatenate([some.numeric.columns, *(f.columns for f in some.factors)])
        found = torch.zeros(some.n_rows, some.k, dtype=torch.float64, device=some.device)
        found[:, held] = some.block()[held].mT * found.new_tensor(self.scales[held])
        return found


def _refuse_flat(design: Design, spread: np.ndarray, plain: np.ndarray) -> None:
    """Raise for a column that says nothing: a network would make up what it does."""
    first = design.rows(0, 1).block()[:, 0]
    for j, name in enumerate(design.names):
        if not np.isfinite(spread[j]):
            raise DataError(f"`{name}` exceeds the range of numbers when squared; rescale its columns.")
        flat = spread[j] == 0 and not plain[j]
        if j != design.constant and (flat or (plain[j] and _same(design, j, first[j]))):
            raise DataError(f"`{name}` has one value in every row, and a network would make up its effect; drop it.")


def _same(design: Design, j: int, value: Tensor) -> bool:
    return all(bool((part.block()[j] == value).all()) for part in design.batches())
