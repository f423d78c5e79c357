"""Marginal effects and average predictions of models of several predictors, with delta-method errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.data import as_frame
from formula_torch.errors import DataError, FormulaError, check_known, check_share
from formula_torch.inference.margins import METHODS, Average, Method, estimable
from formula_torch.inference.moments import blanked, delta_method
from formula_torch.inference.several_margins import outcomes
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.averages import Found, Group, sorted_groups
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.population import fitted_frame
from formula_torch.result.several.base import SeveralEstimates
from formula_torch.result.several.layout import key_of
from formula_torch.result.several.populations import Populations, own_populations, populations_of_new
from formula_torch.result.several.prediction import SeveralPredictions
from formula_torch.result.variation import CONTRASTS, Variation

__all__ = ["SeveralMargins"]


class SeveralMargins(SeveralPredictions):
    """Marginal effects on the mean response, or on the probability of each level."""

    def marginal_effects(
        self,
        variables: Any = None,
        *,
        at: Any = "overall",
        method: str = "dydx",
        by: str | Sequence[str] | None = None,
        newdata: Any = None,
        level: float = 0.95,
        contrast: str = "reference",
    ) -> MarginalEffects:
        """Average effects of the variables on the mean response, through every predictor and term that holds them.

        As of a regression (see its method of this name). The mean of a zero-inflated or hurdle model is that of the
        response, zeros included; of a response of levels there is an effect on the probability of each, in the
        column ``level``.

        Parameters
        ----------
        variables, at, method, by, newdata, level, contrast
            As of a regression.

        Returns
        -------
        MarginalEffects

        Raises
        ------
        UnknownNameError, FormulaError, DataError, DataRemovedError
            As of a regression.
        """
        check_known("method", method, METHODS)
        check_known("contrast", contrast, CONTRASTS)
        how = METHODS[method]
        pairs: Callable[[int], list[tuple[int, int]]] = CONTRASTS[contrast]
        populations, groups = self._averaged_over(newdata, by)
        varied = populations.variations(variables)
        if how.per_x and (compared := [v.name for v in varied if v.levels is not None]):
            raise FormulaError(
                f"method={method!r} takes logarithms of the variable, and `{compared[0]}` is compared by its levels; "
                "use 'dydx' or 'eydx'."
            )
        found: list[Found] = []
        for averaging in self._scenarios(populations, groups, at):
            for v, variation in enumerate(varied):
                if variation.levels is None:
                    found += averaging.slopes(v, variation.name, how)
                else:
                    found += averaging.contrasts(v, variation, how, pairs(len(variation.levels)))
        return self._effects(found, how.label, at, level)

    def average_predictions(
        self,
        *,
        at: Any = "overall",
        by: str | Sequence[str] | None = None,
        newdata: Any = None,
        level: float = 0.95,
    ) -> MarginalEffects:
        """Average mean responses, or probabilities of each level, with delta-method errors.

        Parameters
        ----------
        at, by, newdata, level
            As in `marginal_effects`.
        """
        populations, groups = self._averaged_over(newdata, by)
        found = [mean for averaging in self._scenarios(populations, groups, at) for mean in averaging.means()]
        return self._effects(found, "mean", at, level)

    def _averaged_over(self, newdata: Any, by: str | Sequence[str] | None) -> tuple[Populations, list[Group]]:
        populations = own_populations(self) if newdata is None else populations_of_new(self, newdata)
        names = [by] if isinstance(by, str) else list(by or ())
        if not names:
            return populations, [Group({}, 0, len(populations.weights))]
        frame = fitted_frame(self, names) if newdata is None else as_frame(newdata)
        order, groups = sorted_groups(frame, names)
        return populations.take(order), groups

    def _scenarios(self, populations: Populations, groups: list[Group], at: Any) -> Iterator[_Averaging]:
        for place, settings in enumerate(populations.scenarios(at)):
            shown = {} if isinstance(at, str) else settings
            names = [*shown, *groups[0].labels]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise ValueError(f"`{twice}` stands in at= and in by=; leave it out of one.")
            if taken := {"term", "contrast", "level", "estimate"} & set(names):
                raise DataError(
                    f"the table of effects has a column `{min(taken)}` of its own; rename that of the data."
                )
            yield _Averaging(self, populations.set(settings), groups, place, shown)

    def _effects(self, found: list[Found], label: str, at: Any, level: float) -> MarginalEffects:
        """Put averages into a value, with their covariance."""
        check_share("level", level)
        found = sorted(found, key=lambda f: f.place)
        jacobian = np.stack([f.average.gradient for f in found]) if found else np.zeros((0, len(self.coefficients)))
        lost = np.array([not estimable(row, self.null_space) for row in jacobian], dtype=bool)
        aliased = np.isnan(self.coefficients)
        matrix = np.where(aliased[:, None] | aliased, 0.0, self.covariance.matrix)
        return MarginalEffects(
            what=pd.DataFrame([f.what for f in found]),
            margeff=np.array([math.nan if bad else f.average.estimate for f, bad in zip(found, lost, strict=True)]),
            jacobian=jacobian,
            margeff_cov=blanked(delta_method(jacobian, matrix), lost),
            df=self.covariance.df,
            level=level,
            label=label,
            at=at if isinstance(at, str) else "values",
            response=self.recipe.response_name,
            covariance_type=self.covariance.label,
        )


@dataclass(frozen=True, eq=False)
class _Averaging:
    """A scenario to average over, of a fit."""

    fit: SeveralEstimates
    populations: Populations
    groups: list[Group]
    place: int
    shown: dict[str, Any]

    def means(self) -> Iterator[Found]:
        """Yield the mean outcomes of the groups."""
        for g, found in enumerate(self._means(self.populations, log=False)):
            for c, average in enumerate(found):
                yield self._found((self.place, g, c), {"term": "mean response"}, g, c, average)

    def slopes(self, v: int, name: str, how: Method) -> Iterator[Found]:
        """Yield the slopes in a numeric column."""
        designs = self.populations.designs()
        derivatives = {key: p.derivative(name) for key, p in self.populations.each.items() if name in p.variables}
        x = as_tensor(self.populations.knowing(name).frame.column(name).numbers) if how.per_x else None
        for g, group in enumerate(self.groups):
            part = {key: design.rows(group.start, group.stop) for key, design in designs.items()}
            moving = {key: d.rows(group.start, group.stop) for key, d in derivatives.items()}
            shares = self._shares(group)
            at = outcomes(self.fit.limit, self.fit.predictors_of(part), log=how.per_y, curved=True)
            moves = torch.stack([self._moves(moving, j, len(shares)) for j in range(len(self.fit.limit.predictors))])
            factor = shares if x is None else shares * x[group.start : group.stop]
            for c in range(len(at.values)):
                effect, bend = at.slopes(c, moves)
                gradient = self.fit.gradient(part, bend * factor) + self.fit.gradient(moving, at.first[c] * factor)
                average = Average(float((effect * factor).sum()), gradient)
                what = {"term": name, "contrast": how.label}
                yield self._found((v, 0, self.place, g, c), what, g, c, average)

    def contrasts(self, v: int, variation: Variation, how: Method, pairs: list[tuple[int, int]]) -> Iterator[Found]:
        """Yield the differences between levels of a column."""
        levels = variation.levels or ()
        means = [self._means(self.populations.set({variation.name: level}), log=how.per_y) for level in levels]
        for part, (high, low) in enumerate(pairs):
            what = {"term": variation.name, "contrast": f"{levels[high]} - {levels[low]}"}
            for g in range(len(self.groups)):
                for c, (one, other) in enumerate(zip(means[high][g], means[low][g], strict=True)):
                    yield self._found((v, part, self.place, g, c), what, g, c, one - other)

    def _means(self, populations: Populations, *, log: bool) -> list[list[Average]]:
        designs, found = populations.designs(), []
        for group in self.groups:
            part = {key: design.rows(group.start, group.stop) for key, design in designs.items()}
            at, shares = outcomes(self.fit.limit, self.fit.predictors_of(part), log=log), self._shares(group)
            found.append(
                [
                    Average(float((values * shares).sum()), self.fit.gradient(part, first * shares))
                    for values, first in zip(at.values, at.first, strict=True)
                ]
            )
        return found

    def _shares(self, group: Group) -> Tensor:
        own = self.populations.weights[group.start : group.stop]
        return own / own.sum()

    def _moves(self, moving: Mapping[str, Any], j: int, n: int) -> Tensor:
        """Derivative of predictor j in the column, shape (n,)."""
        predictor = self.fit.limit.predictors[j]
        key = key_of(predictor, self.fit.further)
        if key is None or key not in moving:
            return torch.zeros(n, dtype=torch.float64)
        slope: Tensor = moving[key].matvec(self.fit.coefficients_of(predictor.name))
        return slope if moving[key].offset is None else slope + moving[key].offset

    def _found(self, place: tuple[int, ...], what: dict[str, Any], g: int, c: int, average: Average) -> Found:
        levels = self.fit.recipe.response_levels
        level = {"level": levels[c]} if self.fit.family.levels else {}
        return Found(place, {**what, **level, **self.shown, **self.groups[g].labels}, average)
