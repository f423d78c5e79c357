"""Marginal effects and average predictions of any fit, with delta-method errors under its covariance."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import as_frame
from formula_torch.errors import CollinearityWarning, DataError, FormulaError, check_known, check_share
from formula_torch.inference.column_margins import COLUMN_PLACES, column_effects, column_values, one_row
from formula_torch.inference.margins import METHODS, MeanFunction, Method, estimable
from formula_torch.inference.moments import blanked, delta_method
from formula_torch.result.averages import Averaging, Found, Group, sorted_groups
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.estimates import Estimates
from formula_torch.result.population import Population, fitted_frame, fitted_population, new_population
from formula_torch.result.variation import CONTRASTS, Variation, scenarios, variations

__all__ = ["AverageEffects", "Margins"]


class AverageEffects(Estimates):
    """Marginal effects: what a model says of its variables, whatever its terms."""

    @property
    @abstractmethod
    def mean_function(self) -> MeanFunction:
        """The mean response as a function of the linear predictor."""

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
        """Average effects of the variables on the mean response, through every term that holds them.

        For a numeric variable (one of zeros and ones too) the slope d mu / dx; for categories and truth
        values differences between predictions in which every row is given one level or the other. Both are
        averaged over the rows, weighted by the fit's weights (analytic ones too, as Stata's ``margins``).
        Errors are by the delta method, sqrt(J V J'), with the fit's covariance V.

        Parameters
        ----------
        variables : str, list of str, or dict, optional
            By default every variable. A dict gives values to compare, ``{"educ": [12, 16]}``, the first
            being the reference (None: as by default).
        at : {"overall", "mean", "median"}, dict, or table
            Columns set to a value in every row; what is not named stays as observed and is averaged over.
            ``"mean"`` and ``"median"`` set every numeric column. ``{"x": [0, 1], "g": "a"}`` makes a
            scenario of every combination, a table one of every row.
        method : {"dydx", "eyex", "dyex", "eydx"}
            Slopes, elasticities and the two semi-elasticities; taken row by row, then averaged.
        by : str or list of str, optional
            Columns whose groups are averaged apart.
        newdata : table, optional
            Rows to average over, with equal weights, in place of those of the fit.
        level : float
            Confidence level.
        contrast : {"reference", "sequential", "pairwise"}
            Which levels of a factor are compared: each with the first, with the one before, or all pairs.

        Returns
        -------
        MarginalEffects
            Its `table` has the columns term, contrast, those of `at` and `by`, estimate, std_error, ...

        Raises
        ------
        UnknownNameError
            The formula does not use a variable.
        FormulaError
            A variable has no slope (``cut(x, 3)``, ``C(x)``, a step or a jump), or no elasticity.
        DataError
            A mean response has no logarithm, or a row has no prediction.
        DataRemovedError
            The rows were removed, and `newdata` was not given.

        Warns
        -----
        CollinearityWarning
            An effect depends on a column that was dropped as dependent, and is NaN.

        References
        ----------
        Greene (2012), Econometric Analysis, 7th ed., section 4.4.4 (the delta method).

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age*private + I(age^2)", ft.datasets.visits())
        >>> fit.marginal_effects("age").table[["term", "contrast", "estimate"]].round(5).to_dict("records")
        [{'term': 'age', 'contrast': 'dy/dx', 'estimate': 0.08491}]
        """
        how = _chosen("method", method, METHODS)
        pairs = _chosen("contrast", contrast, CONTRASTS)
        population, groups = self._averaged_over(newdata, by)
        varied = variations(population, variables)
        _refuse_logarithms(varied, how, method)
        found = [
            effect
            for averaging in self._scenarios(population, groups, at)
            for effect in averaging.effects(varied, how, pairs)
        ]
        return self._effects(found, how.label, at, level)

    def average_predictions(
        self,
        *,
        at: Any = "overall",
        by: str | Sequence[str] | None = None,
        newdata: Any = None,
        level: float = 0.95,
    ) -> MarginalEffects:
        """Average mean responses (adjusted means, Stata's ``margins``), with delta-method errors.

        Parameters
        ----------
        at, by, newdata, level
            As in `marginal_effects`; ``at={"g": ["a", "b"]}`` gives the mean with every row in either level.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + private", ft.datasets.visits())
        >>> fit.average_predictions(at={"private": [0, 1]}).table[["private", "estimate"]].round(4).to_dict("list")
        {'private': [0, 1], 'estimate': [6.395, 7.2562]}
        """
        population, groups = self._averaged_over(newdata, by)
        found = [mean for averaging in self._scenarios(population, groups, at) for mean in averaging.means()]
        return self._effects(found, "mean", at, level)

    # -- the rows ---------------------------------------------------------------------------------

    def _averaged_over(self, newdata: Any, by: str | Sequence[str] | None) -> tuple[Population, list[Group]]:
        """The rows to average over, sorted by group."""
        population = fitted_population(self) if newdata is None else new_population(self, newdata)
        names = [by] if isinstance(by, str) else list(by or ())
        if not names:
            return population, [Group({}, 0, len(population.table))]
        frame = fitted_frame(self, names) if newdata is None else as_frame(newdata)
        order, groups = sorted_groups(frame, names)
        return population.take(order), groups

    # -- the averages -----------------------------------------------------------------------------

    def _scenarios(self, population: Population, groups: list[Group], at: Any) -> Iterator[Averaging]:
        for place, settings in enumerate(scenarios(population, at)):
            shown = {} if isinstance(at, str) else settings
            _check_columns([*shown, *groups[0].labels])
            yield self._averaging(population.set(settings), groups, place, shown)

    def _averaging(self, population: Population, groups: list[Group], place: int, shown: dict[str, Any]) -> Averaging:
        """Return a scenario to average over."""
        return Averaging(self._estimated, self.mean_function, population, groups, place, shown)

    @property
    def _estimated(self) -> np.ndarray:
        """Coefficients with zero for aliased columns."""
        return np.nan_to_num(self.coefficients)

    def _effects(self, found: list[Found], label: str, at: Any, level: float) -> MarginalEffects:
        """Put averages into a value, with their covariance."""
        check_share("level", level)
        found = sorted(found, key=lambda f: f.place)
        jacobian = np.stack([f.average.gradient for f in found]) if found else np.zeros((0, len(self.coefficients)))
        aliased = np.isnan(self.estimated)
        lost = np.array([not estimable(row, self.null_space) for row in jacobian], dtype=bool)
        # An aliased coefficient is zero without error, and one at a bound is there without; what is estimable does not
        # depend on that choice.
        matrix = np.where(aliased[:, None] | aliased, 0.0, self.covariance.matrix)
        cov = blanked(delta_method(jacobian, matrix), lost)
        estimates = np.where(lost, np.nan, [f.average.estimate for f in found])
        if lost.any():
            self._warn_not_estimable([str(f.what["term"]) for f, bad in zip(found, lost, strict=True) if bad])
        return MarginalEffects(
            what=pd.DataFrame([f.what for f in found]),
            margeff=estimates,
            jacobian=jacobian,
            margeff_cov=cov,
            df=self.covariance.df,
            level=level,
            label=label,
            at=at if isinstance(at, str) else "values",
            response=self.recipe.response_name,
            covariance_type=self.covariance.label,
        )

    def _warn_not_estimable(self, terms: list[str]) -> None:
        warnings.warn(
            f"{len(terms)} effects ({', '.join(dict.fromkeys(terms))}) depend on {self._dropped}, dropped by the fit "
            "as dependent; they are not defined and NaN.",
            CollinearityWarning,
            stacklevel=4,
        )


class Margins(AverageEffects):
    """Marginal effects of the variables, and of the columns of the design."""

    def get_margeff(
        self, at: str = "overall", method: str = "dydx", dummy: bool = False, count: bool = False
    ) -> MarginalEffects:
        """Effects of the columns of the design, as statsmodels' method of this name has them.

        Every column is a variable of its own, so that a square or an interaction does not move with its
        variable; `marginal_effects` follows the variables through their terms.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero"}
        method : {"dydx", "eyex", "dyex", "eydx"}
        dummy : bool
            Columns of zeros and ones: the difference between both in place of the slope.
        count : bool
            Columns of whole numbers: half the difference between one above and one below.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + private", ft.datasets.visits())
        >>> fit.get_margeff(method="eyex").summary_frame().round(3)["d(lny)/d(lnx)"].to_dict()
        {'age': 0.675, 'private': 0.059}
        """
        how = _chosen("method", method.lower(), METHODS)
        check_known("at", at, COLUMN_PLACES)
        if (dummy or count) and (how.per_x or at in ("median", "zero")):
            raise ValueError("dummy= and count= need method='dydx' or 'eydx', and at='overall' or 'mean'.")
        population, _ = self._averaged_over(None, None)
        design, weights = population.design(), population.weights
        values = column_values(design, weights)
        if at != "overall":
            offset = 0.0 if design.offset is None else float((weights * design.offset).sum() / weights.sum())
            row = {"mean": values.mean, "median": values.median, "zero": values.zero}[at]
            design, weights = one_row(design.names, row, offset), weights[:1] * 0 + 1
        discrete = (values.binary & dummy) | (values.counts & count)
        averages = column_effects(
            design, self._estimated, self.mean_function, weights, values, method=how, discrete=discrete
        )
        names = [name for name, varies in zip(design.names, values.varies, strict=True) if varies]
        found = [
            Found((i,), {"term": name, "contrast": how.label}, average)
            for i, (name, average) in enumerate(zip(names, averages, strict=True))
        ]
        return self._effects(found, how.label, at, 0.95)


_OWN_COLUMNS = ("term", "contrast", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")


def _check_columns(names: list[str]) -> None:
    """Raise where a column of the table would have two meanings."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"`{twice}` stands in at= and in by=; leave it out of one.")
    taken = next((name for name in names if name in _OWN_COLUMNS), None)
    if taken is not None:
        raise DataError(f"the table of effects has a column `{taken}` of its own; rename that of the data.")


def _chosen(argument: str, given: str, known: Any) -> Any:
    check_known(argument, given, known)
    return known[given]


def _refuse_logarithms(varied: list[Variation], how: Method, method: str) -> None:
    """Raise where a logarithm of categories is asked for."""
    compared = [v.name for v in varied if v.levels is not None]
    if how.per_x and compared:
        slopes = [v.name for v in varied if v.levels is None]
        raise FormulaError(
            f"method={method!r} takes logarithms of the variable, and `{compared[0]}` is compared by its levels; use "
            f"'dydx' or 'eydx', or variables={slopes}."
        )
