"""Coordinates in which the information of a design is the identity.

Products of raw columns lose twice the digits of their condition number: a calendar
year beside a constant, or a power of it. In orthonormal coordinates nothing is lost,
and every covariance is ``lift @ M @ lift.T`` with M near the identity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from formula_torch.design.design import Design
from formula_torch.numerics.triangular import Root

__all__ = ["Coordinates"]


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The map from rows x to q = whiten'((x - shifts) scales), with sum_i w_i q_i q_i' = 1.

    Parameters
    ----------
    shifts, scales : array, shape (k,)
        Shifts are zero unless there is an explicit constant to absorb them.
    kept : list of int
        The columns that are not aliased.
    constant : int or None
        Position of the explicit constant.
    root : Root
        Triangular root of the information of the kept columns, shifted and scaled.
    """

    shifts: np.ndarray
    scales: np.ndarray
    kept: list[int]
    constant: int | None
    root: Root

    @property
    def rank(self) -> int:
        """Number of coordinates."""
        return len(self.kept)

    @property
    def condition(self) -> float:
        """Condition number of the shifted columns."""
        return self.root.condition

    @cached_property
    def whiten(self) -> np.ndarray:
        """R^-1 of the kept columns, zero rows for aliased ones, shape (k, rank)."""
        whiten = np.zeros((len(self.scales), self.rank))
        whiten[self.kept] = self.root.inverse
        return whiten

    @cached_property
    def lift(self) -> np.ndarray:
        """Coefficients of x as functions of those of q, NaN rows for aliased columns, shape (k, rank)."""
        lift = np.full((len(self.scales), self.rank), np.nan)
        lift[self.kept] = self.root.inverse * self.scales[self.kept, None]
        if self.constant is not None:
            lift[self.constant] -= self.shifts[self.kept] @ lift[self.kept]
        return lift

    @property
    def inverse_gram(self) -> np.ndarray:
        """Inverse information of the kept columns of x, shape (rank, rank): the constant's takes up the shifts."""
        scales, shifts = self.scales[self.kept], self.shifts[self.kept]
        moved = self.root.inverse_gram * scales
        moved *= scales[:, None]
        if self.constant is not None:
            c = self.kept.index(self.constant)
            moved[c] -= shifts @ moved
            moved[:, c] -= moved @ shifts
        return moved

    def standardised_params(self, params: np.ndarray) -> np.ndarray:
        """Coefficients of x to those of (x - shifts) scales, zero where aliased, shape (k,)."""
        moved = np.nan_to_num(params) / self.scales
        if self.constant is not None:
            moved[self.constant] += self.shifts @ np.nan_to_num(params)
        return moved

    @property
    def raw_root(self) -> np.ndarray:
        """A root of the information of the kept columns as they came: x_j = z_j / s_j + c_j 1."""
        moved = self.root.r / self.scales[self.kept]
        if self.constant is not None:
            moved += np.outer(self.root.r[:, self.kept.index(self.constant)], self.shifts[self.kept])
        return moved

    @property
    def raw_lengths(self) -> np.ndarray:
        """Lengths of the columns of `raw_root`, shape (rank,)."""
        squares, shifts = (self.root.lengths / self.scales[self.kept]) ** 2, self.shifts[self.kept]
        if self.constant is not None:
            one = np.zeros(self.rank)
            one[c := self.kept.index(self.constant)] = 1.0
            products = self.root.product(one)
            squares = squares + shifts * (2 * products / self.scales[self.kept] + shifts * products[c])
        return np.sqrt(squares.clip(min=0.0))

    def reweighted(self, unit: float) -> Coordinates:
        """Return the coordinates for weights times `unit`."""
        return self if unit == 1 else replace(self, root=self.root.scaled(math.sqrt(unit)))

    def standardised(self, design: Design) -> Design:
        """Shift and scale the columns of `design`."""
        columns = design.numeric.columns
        numeric = replace(design.numeric, shift=self.shifts[columns], scale=self.scales[columns])
        factors = tuple(replace(f, scale=float(self.scales[f.columns[0]])) for f in design.factors)
        return replace(design, numeric=numeric, factors=factors)
