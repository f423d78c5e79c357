"""Marginal effects, average predictions and partial dependence of a network, with delta-method errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from formula_torch.errors import FormulaError, InferenceWarning, check_share
from formula_torch.inference.margins import METHODS, MeanFunction
from formula_torch.inference.moments import blanked, delta_method
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.averages import Averaging, Found, Group
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.margins import AverageEffects
from formula_torch.result.network.averaging import NetworkAveraging
from formula_torch.result.network.base import NetworkBase
from formula_torch.result.network.dependence import PartialDependence, grid_of
from formula_torch.result.population import Population, fitted_population
from formula_torch.result.variation import CONTRASTS, Variation, check_used, scenarios, variations

__all__ = ["NetworkMargins", "ShownEffects"]

# Of the length of a gradient, the part along directions that are not determined by which an effect is not, either.
OUTSIDE = 1e-3
# Rows times weights times effects that a table spends unasked, and its most effects.
AFFORDABLE, MOST = 2e9, 50


@dataclass(frozen=True, eq=False)
class ShownEffects:
    """The effects that tables show, and why others are not there.

    Parameters
    ----------
    effects : MarginalEffects
    notes : tuple of str
    """

    effects: MarginalEffects
    notes: tuple[str, ...]


class NetworkMargins(NetworkBase, AverageEffects):
    """What a network says of the variables: average slopes and contrasts, mean responses, curves of these.

    Errors are by the delta method under the fit's covariance, given the rows averaged over, as for regressions.
    Where the fit has none, they are NaN with a warning that says why; see ``bootstrap``.
    """

    @property
    def mean_function(self) -> MeanFunction:
        """The inverse of the link, with two derivatives."""
        link = self.family.link
        return MeanFunction(link.mean, link.slope, link.curvature)

    def partial_dependence(
        self, variable: str, *, points: int = 50, newdata: Any = None, level: float = 0.95
    ) -> PartialDependence:
        """Average prediction over the rows with one variable set to each of its values.

            PD(v) = sum_i w_i m(eta(v, others_i)) / sum_i w_i

        of Friedman (2001, Ann. Statist. 29:1189-1232), with errors by the delta method.

        Parameters
        ----------
        variable : str
            A column of the data. A numeric one takes its distinct values or, where these are more than `points`,
            evenly spaced ones between the 1st and the 99th percentile; any other its levels.
        points : int
        newdata : table, optional
            Rows to average over, with equal weights, in place of those of the fit.
        level : float
            Of the intervals, each for its point alone.

        Returns
        -------
        PartialDependence
            Its `table` has the variable, estimate, std_error, conf_low, conf_high; ``plot()`` draws it.

        Raises
        ------
        UnknownNameError
            The formula does not use the variable.
        DataError, DataRemovedError
            As of `marginal_effects`.

        Warns
        -----
        InferenceWarning
            There are no errors.

        Examples
        --------
        >>> import formula_torch as ft
        >>> net = ft.Network(hidden=(2,), starts=1)
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness(), network=net)
        >>> curve = fit.partial_dependence("area", points=5)
        >>> curve.table.columns.tolist()
        ['area', 'estimate', 'std_error', 'conf_low', 'conf_high']
        """
        if points < 2:
            raise ValueError(f"points={points!r} must be at least 2.")
        population, groups = self._averaged_over(newdata, None)
        check_used(population, variable, "partial_dependence")
        at = {variable: grid_of(population, variable, points)}
        found = [mean for averaging in self._scenarios(population, groups, at) for mean in averaging.means()]
        means = self._effects(found, "mean", at, level)
        return PartialDependence(variable, means, variable in self._numbers(population))

    def plot_partial_dependence(
        self, variable: str, *, points: int = 50, newdata: Any = None, level: float = 0.95, ax: Any = None
    ) -> Any:
        """Draw `partial_dependence`, a line with its band, or points with their intervals.

        Parameters
        ----------
        variable, points, newdata, level
            As of `partial_dependence`.
        ax : matplotlib Axes, optional

        Returns
        -------
        Axes
        """
        return self.partial_dependence(variable, points=points, newdata=newdata, level=level).plot(ax)

    # -- tables -----------------------------------------------------------------------------------

    def shown_effects(self, level: float = 0.95) -> ShownEffects:
        """Average effects of the variables as tables show them: those that exist, as many as are soon computed.

        Parameters
        ----------
        level : float
            Of the intervals.
        """
        found, notes = self.averages()
        effects = self._put_together(found, METHODS["dydx"].label, "overall", level)
        if message := self._no_errors(effects):
            notes = (*notes, message)
        return ShownEffects(effects, notes)

    def averages(self) -> tuple[list[Found], tuple[str, ...]]:
        """Return the average effects that tables show, and why others are not there."""
        population = fitted_population(self)
        groups = [Group({}, 0, len(population.table))]
        (averaging,) = self._scenarios(population, groups, "overall")
        varied, notes = self._showable(population)
        return sorted(averaging.effects(varied, METHODS["dydx"], CONTRASTS["reference"]), key=lambda f: f.place), notes

    def _showable(self, population: Population) -> tuple[list[Variation], tuple[str, ...]]:
        """Variables that have effects, as many as are affordable, and notes on the others."""
        most = min(int(AFFORDABLE / (len(population.table) * len(self.coefficients))), MOST)
        varied: list[Variation] = []
        left, notes = [], []
        for name in self._variables(population):
            try:
                (found,) = variations(population, name)
                if found.levels is None:
                    population.derivative(name)
            except FormulaError as error:
                notes.append(f"No effect of `{name}` is shown: {error}")
                continue
            most -= 1 if found.levels is None else len(found.levels) - 1
            (varied.append(found) if most >= 0 else left.append(name))
        if left:
            names = ", ".join(f"`{name}`" for name in left[:4]) + (", ..." if len(left) > 4 else "")
            notes.append(f"Effects of {names} take long, and are not shown; see marginal_effects.")
        return varied, tuple(notes)

    def _variables(self, population: Population) -> list[str]:
        return [variation.name for variation in self._each(population)]

    # -- averages ---------------------------------------------------------------------------------

    def _scenarios(self, population: Population, groups: list[Group], at: Any) -> Iterator[Averaging]:
        for place, settings in enumerate(scenarios(population, at)):
            shown = {} if isinstance(at, str) else settings
            check_columns([*shown, *groups[0].labels])
            there = population.set(settings)
            device = torch.device(self.call.device)
            yield NetworkAveraging(
                self.coefficients, self.mean_function, there, groups, place, shown, self.machine, device
            )

    def _effects(self, found: list[Found], label: str, at: Any, level: float) -> MarginalEffects:
        """Put averages into a value, and warn where they have no errors; called by what the user calls."""
        effects = self._put_together(found, label, at, level)
        if message := self._no_errors(effects):
            warnings.warn(message, InferenceWarning, stacklevel=3)
        return effects
