"""What covariates do to the probabilities of the groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, check_known, check_share
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.margins import METHODS, estimable
from formula_torch.inference.moments import blanked
from formula_torch.inference.probabilities import Averages, mean_probabilities, mean_probability_slopes
from formula_torch.result.averages import Pairs
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.population import Population, population_of
from formula_torch.result.trajectory.curves import Curves
from formula_torch.result.variation import CONTRASTS, Variation, scenarios, variations
from formula_torch.solvers.least_squares import least_squares

__all__ = ["MembershipEffects"]

SLOPE = METHODS["dydx"].label
OWN_COLUMNS = ("term", "contrast", "group", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")


@dataclass(frozen=True, eq=False)
class Effect:
    """The effect of one variable on the probabilities of all groups, and its place in the table."""

    place: tuple[int, int, int]
    what: dict[str, Any]
    averages: Averages


class MembershipEffects(Curves):
    """Marginal effects of the covariates of membership."""

    def marginal_effects(
        self,
        variables: Any = None,
        *,
        at: Any = "overall",
        newdata: Any = None,
        level: float = 0.95,
        contrast: str = "reference",
    ) -> MarginalEffects:
        """Average effects of the covariates of membership on the probabilities of the groups.

        For a numeric covariate (one of zeros and ones too) the slopes d pi_g / dx; for categories and truth
        values differences between probabilities in which every unit is given one level or the other. Both
        are averaged over the units with their weights. Those of all groups sum to zero. Errors are by
        the delta method, sqrt(J V J'), with the fit's covariance V.

        Parameters
        ----------
        variables : str, list of str, or dict, optional
            By default every covariate. A dict gives values to compare, ``{"educ": [12, 16]}``, the first
            being the reference (None: as by default).
        at : {"overall", "mean", "median"}, dict, or table
            Covariates set to a value in every unit; what is not named stays as observed and is averaged
            over. As in the effects of a regression.
        newdata : table, optional
            Units to average over, a row each and with equal weights, in place of those of the fit.
        level : float
            Confidence level.
        contrast : {"reference", "sequential", "pairwise"}
            Which levels of a factor are compared: each with the first, with the one before, or all pairs.

        Returns
        -------
        MarginalEffects
            Its `table` has the columns term, contrast, those of `at`, group, estimate, std_error, ...

        Raises
        ------
        DataError
            The model has no covariates of membership or one group, or a unit has no probability.
        UnknownNameError
            Membership does not depend on a variable.
        FormulaError
            A variable has no slope (``cut(x, 3)``, ``C(x)``).
        DataRemovedError
            The rows were removed, and `newdata` was not given.

        References
        ----------
        Greene (2012), Econometric Analysis, 7th ed., sections 4.4.4 and 18.2.3.

        Examples
        --------
        >>> import formula_torch as ft
        >>> data = ft.datasets.simulated_trajectories()
        >>> data["x"] = (data["id"] * 7 % 10 + 3.0 * (data["group"] == 2)).astype(float)
        >>> fit = ft.traj("y ~ poly(t, 2) | id", data, groups=2, membership="x")
        >>> table = fit.marginal_effects().table
        >>> table[["term", "contrast", "group"]].to_dict("list")
        {'term': ['x', 'x'], 'contrast': ['dy/dx', 'dy/dx'], 'group': [1, 2]}
        >>> bool(abs(table["estimate"].sum()) < 1e-12)
        True
        """
        check_known("contrast", contrast, CONTRASTS)
        check_share("level", level)
        recipe = self._membership_recipe()
        population = self._unit_population(recipe, newdata)
        varied = variations(population, variables)
        found = sorted(self._effects_at(population, varied, at, CONTRASTS[contrast]), key=lambda effect: effect.place)
        size = len(self.names)
        layout = self.spec.layout
        jacobian = np.concatenate([layout.spread(e.averages.gradient, layout.gamma, size) for e in found])
        lost = ~_estimable(jacobian, self._unit_null_space(recipe))
        return MarginalEffects(
            what=pd.DataFrame([{**e.what, "group": g} for e in found for g in self.group_labels]),
            margeff=np.where(lost, np.nan, np.concatenate([e.averages.estimate for e in found])),
            jacobian=jacobian,
            # An aliased coefficient is zero without error.
            margeff_cov=blanked(self.covariances(np.where(np.isnan(self.coefficients), 0.0, jacobian)), lost),
            df=self.covariance.df,
            level=level,
            label=SLOPE,
            at=at if isinstance(at, str) else "values",
            response="group",
            covariance_type=self.covariance.label,
        )

    def _membership_recipe(self) -> Recipe:
        if self.spec.membership is None:
            raise DataError(
                "the model has no covariates of membership, so nothing moves the probabilities of its groups; fit it "
                "with membership='x + z'."
            )
        if self.n_groups == 1:
            raise DataError("the model has one group, whose probability is one whatever the covariates.")
        return self.spec.membership

    def _unit_population(self, recipe: Recipe, newdata: Any) -> Population:
        """The units to average over, a row each."""
        if newdata is None:
            weights = self.known_units("marginal_effects()").weights
            units = self._unit_frame("marginal_effects()")
            return population_of(recipe, units, weights, None, units)
        frame = as_frame(newdata)
        if not frame.n_rows:
            raise DataError("newdata have no rows: there is nothing to average over.")
        fitted = None if self.rows is None else self._unit_frame("marginal_effects()")
        return population_of(recipe, frame, None, None, fitted)

    def _unit_frame(self, what: str) -> Frame:
        """The first row of each unit of the fit."""
        rows = self.held_rows(what)
        rows.verify()
        return self.unit_frame(rows.used_frame())[0]

    def _effects_at(self, population: Population, varied: list[Variation], at: Any, pairs: Pairs) -> Iterator[Effect]:
        gamma = np.nan_to_num(self.gamma)
        for place, settings in enumerate(scenarios(population, at)):
            shown = {} if isinstance(at, str) else settings
            _check_columns(shown)
            there = population.set(settings)
            design = there.design()
            for v, variation in enumerate(varied):
                for part, (contrast, averages) in enumerate(_contrasts(there, design, variation, gamma, pairs)):
                    yield Effect((v, part, place), {"term": variation.name, "contrast": contrast, **shown}, averages)

    def _unit_null_space(self, recipe: Recipe) -> np.ndarray:
        """Combinations of the membership coefficients on which no probability depends, shape (aliased, P)."""
        layout, size = self.spec.layout, len(self.names)
        if not np.isnan(self.gamma).any():
            return np.zeros((0, size))
        design = recipe.apply(self._unit_frame("what dropped columns leave"))
        nothing = torch.zeros(design.n_rows, dtype=torch.float64)
        combinations = least_squares(replace(design, y=nothing)).null_space
        others = [g for g in range(self.n_groups) if g != layout.reference - 1]
        return np.concatenate([layout.spread(combinations, layout.gamma[g], size) for g in others])


def _contrasts(
    population: Population, design: Design, variation: Variation, gamma: np.ndarray, pairs: Pairs
) -> Iterator[tuple[str, Averages]]:
    """The effects of one variable, with what each compares."""
    name, levels, weights = variation.name, variation.levels, population.weights
    if levels is None:
        yield SLOPE, mean_probability_slopes(design, population.derivative(name), gamma, weights)
        return
    means = [mean_probabilities(population.set({name: level}).design(), gamma, weights) for level in levels]
    for high, low in pairs(len(levels)):
        yield f"{levels[high]} - {levels[low]}", means[high] - means[low]


def _estimable(jacobian: np.ndarray, null_space: np.ndarray) -> np.ndarray:
    return np.array([estimable(row, null_space) for row in jacobian], dtype=bool)


def _check_columns(names: Iterable[str]) -> None:
    """Raise where a column of the table would have two meanings."""
    taken = next((name for name in names if name in OWN_COLUMNS), None)
    if taken is not None:
        raise DataError(f"the table of effects has a column `{taken}` of its own; rename that of the data.")
