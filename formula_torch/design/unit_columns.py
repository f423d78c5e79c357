"""Columns about their means and in units of their standard deviations, as descents along gradients need them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from formula_torch.design.design import Design

__all__ = ["UnitColumns"]


@dataclass(frozen=True, eq=False)
class UnitColumns:
    """The map from rows x to (x - shifts) scales; an indicator has but the unit of what multiplies it.

    Parameters
    ----------
    shifts, scales : array, shape (k,)
    constant : int or None
        The column that takes up the shifts.
    """

    shifts: np.ndarray
    scales: np.ndarray
    constant: int | None

    @staticmethod
    def of(design: Design, *, centred: bool) -> UnitColumns:
        """Measure the numeric columns of a design.

        Parameters
        ----------
        design : Design
        centred : bool
            Whether to shift them: something is to take up the shifts.
        """
        shifts, scales = np.zeros(design.k), np.ones(design.k)
        columns = [j for j in design.numeric.columns if j != design.constant]
        ones = torch.ones(design.n_rows, dtype=torch.float64, device=design.device)
        if centred:
            shifts[columns] = (design.rmatvec(ones) / design.n_rows)[columns]
        unit = UnitColumns(shifts, scales, design.constant)
        squares = np.zeros(design.k)
        for _, batch in unit.standardised(design).formed():
            squares[batch.columns] += (batch.numeric**2).sum(1).cpu().numpy()
        spread = np.sqrt(squares / design.n_rows)[columns]
        scales[columns] = 1 / np.where(spread > 0, spread, 1.0)
        for f in design.factors:
            if f.value is not None:
                # Indicators times a number: all of them in the unit of that number.
                size = float(torch.stack([design.bases[i] for i in f.value]).prod(0).square().mean().sqrt())
                scales[f.columns] = 1 / size if size > 0 else 1.0
        return unit

    def standardised(self, design: Design) -> Design:
        """Shift and scale the columns of `design`."""
        columns = design.numeric.columns
        numeric = replace(design.numeric, shift=self.shifts[columns], scale=self.scales[columns])
        factors = tuple(replace(f, scale=float(self.scales[f.columns[0]])) for f in design.factors)
        return replace(design, numeric=numeric, factors=factors)

    def params(self, beta: np.ndarray) -> np.ndarray:
        """Coefficients of the standardised columns to those of the columns as they came, shape (k,)."""
        params = beta * self.scales
        if self.constant is not None:
            params[self.constant] -= self.shifts @ params
        return params
