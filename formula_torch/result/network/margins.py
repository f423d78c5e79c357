"""Marginal effects, average predictions and partial dependence of a network, with delta-method errors."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from formula_torch.errors import FormulaError, InferenceWarning, check_share
from formula_torch.formula.derivative import readers
from formula_torch.inference.margins import METHODS, MeanFunction
from formula_torch.inference.moments import blanked, delta_method
from formula_torch.numerics.intervals import standard_errors
from formula_torch.result.averages import Averaging, Found, Group
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.margins import AverageEffects
from formula_torch.result.network.averaging import NetworkAveraging, SlopeAverage
from formula_torch.result.network.base import NetworkBase
from formula_torch.result.network.dependence import PartialDependence, grid_of
from formula_torch.result.population import Population, fitted_population
from formula_torch.result.variation import CONTRASTS, Variation, variations

__all__ = ["NetworkMargins", "ShownEffects"]

# Of the length of a gradient, the part along directions that are not determined by which an effect is not, either.
OUTSIDE = 1e-3
BLIND = "they depend on weights that the rows do not determine"
# Where slopes lack this share of a standard error of the average rise between neighbouring rows, which lie within as
# many rows or standard deviations of the inputs, a unit has become a step.
STEPPED, NEIGHBOURS, FARTHEST = 0.5, 10.0, 0.25
STEPS = (
    "the fitted mean has steps or kinks between neighbouring rows, of which slopes know nothing; fewer units may help"
)
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
    Those of ReLU networks take kinks to stay where they are. Where there are no errors they are NaN, with a warning
    that says why: no maximum was reached, the rows do not determine an effect, or a unit has become a step between
    neighbouring rows, whose rise no slope has; see ``bootstrap``.
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
        grid = grid_of(population, variable, points)
        at = {variable: grid.values}
        found = [mean for averaging in self._scenarios(population, groups, at) for mean in averaging.means()]
        return PartialDependence(variable, self._effects(found, "mean", at, level), grid.numeric)

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
        effects, message = self._put_together(found, METHODS["dydx"].label, "overall", level)
        return ShownEffects(effects, (*notes, message) if message else notes)

    def averages(self) -> tuple[list[Found], tuple[str, ...]]:
        """Return the average effects that tables show, and why others are not there."""
        population = fitted_population(self)
        averaging = self._averaging(population, [Group({}, 0, len(population.table))], 0, {})
        varied, notes = self._showable(population)
        return sorted(averaging.effects(varied, METHODS["dydx"], CONTRASTS["reference"]), key=lambda f: f.place), notes

    def _showable(self, population: Population) -> tuple[list[Variation], tuple[str, ...]]:
        """Variables that have effects, as many as are affordable, and notes on the others."""
        most = min(int(AFFORDABLE / (len(population.table) * len(self.coefficients))), MOST)
        varied: list[Variation] = []
        left, notes = [], []
        for name in readers(population.recipe):
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

    # -- averages ---------------------------------------------------------------------------------

    def _averaging(self, population: Population, groups: list[Group], place: int, shown: dict[str, Any]) -> Averaging:
        device, reach = torch.device(self.call.device), min(NEIGHBOURS / self.nobs, FARTHEST)
        return NetworkAveraging(
            self.coefficients, self.mean_function, population, groups, place, shown, self.machine, device, reach
        )

    def _effects(self, found: list[Found], label: str, at: Any, level: float) -> MarginalEffects:
        """Put averages into a value, and warn where they have no errors; called by what the user calls."""
        effects, message = self._put_together(found, label, at, level)
        if message:
            warnings.warn(message, InferenceWarning, stacklevel=3)
        return effects

    def _put_together(self, found: list[Found], label: str, at: Any, level: float) -> tuple[MarginalEffects, str]:
        """Averages as a value, and why some have no errors; empty where all do."""
        check_share("level", level)
        found = sorted(found, key=lambda f: f.place)
        jacobian = np.stack([f.average.gradient for f in found]) if found else np.zeros((0, len(self.coefficients)))
        covariance, reasons = self._covariance_of(jacobian, found)
        effects = MarginalEffects(
            what=pd.DataFrame([f.what for f in found]),
            margeff=np.array([f.average.estimate for f in found]),
            jacobian=jacobian,
            margeff_cov=covariance,
            df=self.covariance.df,
            level=level,
            label=label,
            at=at if isinstance(at, str) else "values",
            response=self.recipe.response_name,
            covariance_type=self.covariance.label,
        )
        return effects, _message(effects.names, reasons)

    def _covariance_of(self, jacobian: np.ndarray, found: list[Found]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """J V J', shape (m, m), NaN where an effect has no error, with the reasons and which have none by them."""
        m = len(jacobian)
        if self.irregular:
            return np.full((m, m), np.nan), {self.irregular: np.ones(m, dtype=bool)}
        outside = np.linalg.norm(jacobian @ self.identified.null_space.T, axis=1)
        blind = outside > OUTSIDE * np.linalg.norm(jacobian, axis=1)
        matrix = delta_method(jacobian, self.whole_covariance)
        steps = [f.average.steps if isinstance(f.average, SlopeAverage) else 0.0 for f in found]
        stepped = np.abs(steps) > STEPPED * standard_errors(np.diag(matrix))
        return blanked(matrix, blind | stepped), {BLIND: blind, STEPS: stepped & ~blind}


def _message(names: list[str], reasons: dict[str, np.ndarray]) -> str:
    """Which effects have no errors, and why."""
    told = []
    for reason, lost in reasons.items():
        if lost.any():
            some = [name for name, bad in zip(names, lost, strict=True) if bad]
            which = ", ".join(f"`{name}`" for name in some[:4]) + (", ..." if len(some) > 4 else "")
            told.append(f"There are no standard errors of the effects of {which}: {reason}; see bootstrap().")
    return " ".join(told)
