"""What a model of several predictors knows of its parameters, its size and its likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Self

import numpy as np
import torch

from formula_torch.design import Design
from formula_torch.errors import DataRemovedError
from formula_torch.families.several import Predictor, SeveralFamily
from formula_torch.formula.recipe import Recipe
from formula_torch.inference.criteria import information_criterion
from formula_torch.inference.moments import Moments
from formula_torch.numerics.tails import chi2_sf
from formula_torch.result.fit import Fit
from formula_torch.result.several.blueprint import Blueprint
from formula_torch.result.several.layout import Layout, key_of

__all__ = ["Ascent", "SeveralEstimates"]


@dataclass(frozen=True)
class Ascent:
    """How the maximum was reached.

    Parameters
    ----------
    iterations : int
    decrement : float
        Newton's, at the end: the square of what is left, in standard errors.
    converged : bool
    limits : tuple of Predictor
        Those whose estimate is at its boundary.
    """

    iterations: int
    decrement: float
    converged: bool
    limits: tuple[Predictor, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class SeveralEstimates(Fit):
    """Parameters of several linear predictors with their observed information.

    Parameters
    ----------
    family : SeveralFamily
        As asked for.
    limit : SeveralFamily
        What it is at the estimates: itself, or the simpler family at the boundary.
    blueprint : Blueprint
        Of the family as asked for.
    theta : array, shape (size,)
        The maximum, in the coordinates of the blueprint, of the predictors of `limit`.
    layout : Layout
    further : dict
        Predictor to the recipe of a formula of its own.
    null_spaces : dict
        Of the columns of each formula, that of the main one under "".
    information : Moments
    llf, llnull : float
        Log-likelihood, and that of constants alone (and the offset).
    n_obs : float
        Rows, or the sum of frequency weights.
    n_params, null_params : int
        Parameters estimated, and those of the model of constants.
    weights_type : str or None
    largest : float
        The largest response.
    ascent : Ascent
    """

    family: SeveralFamily
    limit: SeveralFamily
    blueprint: Blueprint
    theta: np.ndarray
    layout: Layout
    further: Mapping[str, Recipe]
    null_spaces: Mapping[str, np.ndarray]
    information: Moments
    llf: float
    llnull: float
    n_obs: float
    n_params: int
    null_params: int
    weights_type: str | None
    largest: float
    ascent: Ascent

    # -- parameters -------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return self.layout.names

    @property
    def components(self) -> tuple[str, ...]:
        """What each parameter describes: mean, dispersion, inflation, a level, ..."""
        return self.layout.components

    @property
    def exponentiable(self) -> np.ndarray:
        """Coefficients of columns, which are logarithms or log odds, bool of shape (P,)."""
        return ~self.layout.positive & np.array([component != "cutpoint" for component in self.components])

    @property
    def positive(self) -> np.ndarray:
        """Parameters on their natural scale that were fitted through the logarithm, as their intervals are."""
        return self.layout.positive & (np.nan_to_num(self.coefficients) > 0)

    @property
    def recipes(self) -> dict[str, Recipe]:
        """The recipe of the main formula under "", and those of others under their predictor."""
        return {"": self.recipe, **self.further}

    @property
    def term_columns(self) -> dict[str, list[int]]:
        """Positions of the coefficients of each term of the main formula, in every predictor that takes it."""
        found = {
            term: [place for places in self.main_effects(term).values() for place in places]
            for term in self.recipe.columns_of_terms
        }
        return {term: places for term, places in found.items() if places}

    def main_effects(self, term: str) -> dict[str, list[int]]:
        """Positions of the coefficients of a term of the main formula, by the prefix of the predictors that take it."""
        columns = self.recipe.columns_of_terms[term]
        taking = [p for p in self.family.predictors if key_of(p, self.further) == ""]
        found = {p.prefix: self.layout.columns[p.name][columns] for p in taking}
        return {prefix: [int(place) for place in places if place >= 0] for prefix, places in found.items()}

    def moments(self) -> Moments:
        """What covariance estimators see: observed information and scores of the rows."""
        return self.information

    # -- size -------------------------------------------------------------------------------------

    @property
    def nobs(self) -> float:
        """Number of observations: rows, or the sum of frequency weights."""
        return self.n_obs

    @property
    def df_model(self) -> float:
        """Parameters beyond those of the model of constants."""
        return float(self.n_params - self.null_params)

    @property
    def df_resid(self) -> float:
        """Observations less all parameters."""
        return self.n_obs - self.n_params

    @property
    def converged(self) -> bool:
        """Whether Newton's decrement says that the maximum is reached."""
        return self.ascent.converged

    # -- likelihood -------------------------------------------------------------------------------

    @property
    def llr(self) -> float:
        """Likelihood ratio statistic against constants alone, 2 (llf - llnull)."""
        return 2 * (self.llf - self.llnull)

    @property
    def llr_pvalue(self) -> float:
        """p-value of ``llr``, chi-squared with df_model degrees of freedom."""
        return chi2_sf(self.llr, self.df_model) if self.df_model else math.nan

    @property
    def prsquared(self) -> float:
        """McFadden's pseudo R-squared, 1 - llf / llnull."""
        return 1 - self.llf / self.llnull if self.llnull else math.nan

    @property
    def aic(self) -> float:
        """-2 llf + 2 p, all parameters counted."""
        return self.info_criteria("aic")

    @property
    def bic(self) -> float:
        """-2 llf + log(n) p."""
        return self.info_criteria("bic")

    def info_criteria(self, crit: str, dk_params: int = 0) -> float:
        """Return an information criterion; smaller is better.

        Parameters
        ----------
        crit : {"aic", "bic", "aicc", "hqic"}
        dk_params : int
            Parameters to count beyond all.
        """
        return information_criterion(crit, self.llf, self.n_params + dk_params, self.nobs)

    # -- predictors -------------------------------------------------------------------------------

    def coefficients_of(self, predictor: str) -> np.ndarray:
        """Coefficients of the columns that a predictor takes, on its scale; zero for aliased ones."""
        return self.layout.read(self.coefficients, predictor)

    def predictors_of(self, designs: Mapping[str, Any]) -> torch.Tensor:
        """Linear predictors of rows, shape (m, n), of the family at the estimates.

        Parameters
        ----------
        designs : dict
            Of the formulas, as `recipes`; that under "" with the whole offset.
        """
        rows, found = designs[""].n_rows, []
        for predictor in self.limit.predictors:
            key, own = key_of(predictor, self.further), self.coefficients_of(predictor.name)
            if key is None:
                found.append(torch.full((rows,), float(own[0]), dtype=torch.float64))
            else:
                found.append(designs[key].linear_predictor(own).cpu())
        return torch.stack(found)

    def gradient(self, designs: Mapping[str, Any], rows: torch.Tensor) -> np.ndarray:
        """Sum over predictors of X_j'r_j among the derivatives in all parameters, shape (P,).

        Parameters
        ----------
        designs : dict
            Of the formulas, or derivatives of some of them: a constant counts where that under "" is a design.
        rows : Tensor, shape (m, n)
        """
        total = np.zeros(self.layout.size)
        for predictor, own in zip(self.limit.predictors, rows, strict=True):
            key, where = key_of(predictor, self.further), self.layout.columns[predictor.name]
            if key is not None and key in designs:
                total += self.layout.spread(designs[key].rmatvec(own)[None], predictor.name)[0]
            elif key is None and isinstance(designs.get(""), Design):
                # A parameter on its natural scale is the exponential of its predictor.
                natural = self.coefficients[where[0]] if self.layout.positive[where[0]] else 1.0
                total[where[0]] += float(own.sum()) / natural
        return total

    # -- life -------------------------------------------------------------------------------------

    def remove_data(self) -> Self:
        """Return the result without its rows; the summary and predictions stay."""
        bare = replace(self.information, scores=_removed, labels=_removed)
        return replace(super().remove_data(), information=bare)


def _removed(*_: Any) -> NoReturn:
    raise DataRemovedError("this covariance needs the rows, which this result no longer holds; fit again.")
