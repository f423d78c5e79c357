"""Marginal effects of the columns of a design, as statsmodels' ``get_margeff`` has them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.errors import DataError, check_known
from formula_torch.inference.column_margins import COLUMN_PLACES, column_values, one_row
from formula_torch.inference.margins import METHODS, Average, Method
from formula_torch.inference.several_margins import outcomes
from formula_torch.result.averages import Found
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.several.layout import key_of
from formula_torch.result.several.margins import SeveralMargins

__all__ = ["ColumnMargins"]


class ColumnMargins(SeveralMargins):
    """Effects of columns, each a variable of its own."""

    def get_margeff(
        self, at: str = "overall", method: str = "dydx", dummy: bool = False, count: bool = False
    ) -> MarginalEffects:
        """Effects of the columns of the design, as statsmodels' method of this name has them.

        A square or an interaction does not move with its variable; `marginal_effects` follows the variables through
        their terms.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero"}
        method : {"dydx", "eyex", "dyex", "eydx"}
        dummy : bool
            Columns of zeros and ones: the difference between both in place of the slope.
        count : bool
            Columns of whole numbers: half the difference between one above and one below.

        Raises
        ------
        DataError
            A part of the model has a formula of its own, with other columns.
        """
        check_known("method", method.lower(), METHODS)
        check_known("at", at, COLUMN_PLACES)
        how = METHODS[method.lower()]
        if (dummy or count) and (how.per_x or at in ("median", "zero")):
            raise ValueError("dummy= and count= need method='dydx' or 'eydx', and at='overall' or 'mean'.")
        if self.further:
            raise DataError(
                "get_margeff is of the columns of one formula; use marginal_effects, which follows variables."
            )
        populations, _ = self._averaged_over(None, None)
        design, weights = populations.main.design(), populations.weights
        values = column_values(design, weights)
        if at != "overall":
            offset = 0.0 if design.offset is None else float((weights * design.offset).sum() / weights.sum())
            row = {"mean": values.mean, "median": values.median, "zero": values.zero}[at]
            design, weights = one_row(design.names, row, offset), torch.ones(1, dtype=torch.float64)
        discrete = (values.binary & dummy) | (values.counts & count)
        found = []
        for j in np.flatnonzero(values.varies):
            averages = (
                self._difference(design, weights / weights.sum(), int(j), bool(values.binary[j]), how)
                if discrete[j]
                else self._column_slopes(design, weights / weights.sum(), int(j), how)
            )
            for c, average in enumerate(averages):
                level = {"level": self.recipe.response_levels[c]} if self.family.levels else {}
                found.append(Found((int(j), c), {"term": design.names[j], "contrast": how.label, **level}, average))
        return self._effects(found, how.label, at, 0.95)

    def _weights_of(self, j: int) -> Tensor:
        """Coefficients of column j in every predictor, shape (m, 1); zero where one does not take the columns."""
        found = [
            self.coefficients_of(p.name)[j] if key_of(p, self.further) == "" else 0.0 for p in self.limit.predictors
        ]
        return torch.tensor(found, dtype=torch.float64)[:, None]

    def _column_slopes(self, design: Design, shares: Tensor, j: int, how: Method) -> list[Average]:
        unit = np.eye(design.k)[j]
        at = outcomes(self.limit, self.predictors_of({"": design}), log=how.per_y, curved=True)
        factor = shares * design.matvec(unit) if how.per_x else shares
        moves = self._weights_of(j).expand(-1, design.n_rows)
        found = []
        for c in range(len(at.values)):
            effect, bend = at.slopes(c, moves)
            gradient = self.gradient({"": design}, bend * factor) + self._along(unit, at.first[c] * factor)
            found.append(Average(float((effect * factor).sum()), gradient))
        return found

    def _difference(self, design: Design, shares: Tensor, j: int, binary: bool, how: Method) -> list[Average]:
        unit, eta, moves = np.eye(design.k)[j], self.predictors_of({"": design}), self._weights_of(j)
        column = design.matvec(unit)
        shifts = (1.0 - column, -column) if binary else (torch.ones_like(column), -torch.ones_like(column))
        ends = []
        for shift in shifts:
            at = outcomes(self.limit, eta + moves * shift, log=how.per_y)
            ends.append(
                [
                    Average(
                        float((values * shares).sum()),
                        self.gradient({"": design}, first * shares) + self._along(unit, first * shares * shift),
                    )
                    for values, first in zip(at.values, at.first, strict=True)
                ]
            )
        half = 1.0 if binary else 0.5
        moved = [high - low for high, low in zip(*ends, strict=True)]
        return [Average(half * d.estimate, half * d.gradient) for d in moved]

    def _along(self, unit: np.ndarray, rows: Tensor) -> np.ndarray:
        """Derivatives in the coefficients of one column alone, shape (P,); rows have shape (m, n)."""
        total = np.zeros(self.layout.size)
        for predictor, own in zip(self.limit.predictors, rows, strict=True):
            if key_of(predictor, self.further) == "":
                total += self.layout.spread(unit[None] * float(own.sum()), predictor.name)[0]
        return total
