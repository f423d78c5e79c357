"""A generalised linear model as a likelihood, one term a row.

    l(b, phi) = sum_i m_i log f(y_i | g^-1(o_i + x_i'b), phi / a_i)

with analytic weights a_i (m_i = 1; of a proportion, its trials) or frequency weights m_i (a_i = 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Batch, Coordinates, Design, RowScores
from formula_torch.design.design import BATCH_ROWS
from formula_torch.errors import DataError
from formula_torch.families.by_count import by_count
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.numerics.arrays import slices
from formula_torch.numerics.threads import threads_for

__all__ = [
    "Fitness",
    "GlmModel",
    "constant_fitness",
    "first_predictor",
    "fitness",
    "glm_scores",
    "row_loglik",
]

# Flops of a row of a likelihood, by which threads are chosen.
WORK = 100.0
# Residuals are rounding where their squares are this share of those of the responses.
NOISE = 1e-26


@dataclass(frozen=True)
class GlmModel:
    """What the likelihood of a generalised linear model needs besides its coefficients.

    Parameters
    ----------
    family : GeneralizedFamily
    n_obs : float
        Rows, or the sum of frequency weights.
    weights_type : str or None
        ``"analytic"``, ``"frequency"``, ``"sampling"``, or None without weights.
    observed : bool
        Whether errors are from the observed information, in place of the expected one.
    perfect : bool
        Whether residuals are rounding, and taken for zero.
    """

    family: GeneralizedFamily
    n_obs: float
    weights_type: str | None
    observed: bool = False
    perfect: bool = False

    @staticmethod
    def of(design: Design, family: GeneralizedFamily, weights_type: str) -> GlmModel:
        """Count the observations of a design."""
        kind = None if design.weights is None else weights_type
        n = float(design.n_rows) if kind != "frequency" or design.weights is None else float(design.weights.sum())
        return GlmModel(family, n, kind)

    @property
    def counted(self) -> bool:
        """Whether weights count rows."""
        return self.weights_type == "frequency"

    def information(self, y: Tensor, eta: Tensor) -> Tensor:
        """Information of rows in eta by which errors are judged, times the dispersion."""
        return self.family.curvature(y, eta) if self.observed else self.family.information(eta)


@dataclass(frozen=True)
class Fitness:
    """How well a predictor fits.

    Parameters
    ----------
    deviance, pearson : float
        Unscaled; Pearson's is the sum of squared standardised residuals. Both zero where that is rounding.
    scale : float
        The dispersion: one, or Pearson's chi-squared over the residual degrees of freedom.
    llf : float
        Log-likelihood at that dispersion; NaN where the family has none, infinite at a dispersion of zero.
    """

    deviance: float
    pearson: float
    scale: float
    llf: float


def first_predictor(design: Design, family: GeneralizedFamily, name: str) -> Tensor:
    """Linear predictor to begin from, offset included, shape (n,): that of means between each y and their mean.

    Parameters
    ----------
    design : Design
    family : GeneralizedFamily
    name : str
        Of the response.

    Raises
    ------
    DataError
        The link has no value at the mean of y.
    """
    assert design.y is not None
    y, w = design.y, design.weights
    centre = y.mean() if w is None else (w * y).sum() / w.sum()
    eta = family.link.link(family.distribution.begin(y, centre))
    if math.isfinite(float(eta.sum())):
        return eta
    defined = eta.isfinite()
    middle = family.link.link(centre)
    if not bool(middle.isfinite()):
        if bool((y == centre).all()):
            raise DataError(
                f"`{name}` is {float(centre):g} in every row, and with link={family.link.name!r} there is no estimate: "
                "nothing varies that could be explained."
            )
        raise DataError(
            f"the mean of `{name}` is {float(centre):g}, where the link {family.link.name!r} has no value; choose "
            "another link=."
        )
    return torch.where(defined, eta, middle)


def row_loglik(model: GlmModel, design: Design, eta: Tensor, scale: float) -> Tensor:
    """Log-likelihood of each row, shape (n,), differentiable in eta; NaN where the family has none.

    Parameters
    ----------
    model : GlmModel
    design : Design
        For response and weights.
    eta : Tensor, shape (n,)
        Linear predictor, offset included.
    scale : float
        The dispersion.
    """
    assert design.y is not None
    weights = torch.ones_like(eta) if design.weights is None else design.weights
    if model.counted:
        return weights * model.family.loglik(design.y, eta, scale, torch.ones_like(eta))
    return model.family.loglik(design.y, eta, scale, weights)


def fitness(model: GlmModel, design: Design, eta: Tensor, df_resid: float) -> Fitness:
    """Deviance, Pearson's chi-squared and log-likelihood of a linear predictor.

    Parameters
    ----------
    model : GlmModel
    design : Design
        For response and weights.
    eta : Tensor, shape (n,)
        Offset included.
    df_resid : float
    """
    with threads_for(float(design.n_rows) * WORK):
        deviance, pearson, signal = _added(design, partial(_discrepancies, model.family, design, eta))
        if model.family.dispersed and pearson <= NOISE * signal:
            deviance = pearson = 0.0
        scale = _scale(model, pearson, df_resid)
        if scale == 0:
            return Fitness(0.0, 0.0, 0.0, math.nan if model.family.distribution.saturated is None else math.inf)
        # The normal's log-likelihood is at its maximum over the variance, as that of least squares.
        at_scale = deviance / model.n_obs if model.family.is_normal_linear else scale
        best = _saturated(model, design, eta, at_scale) if at_scale > 0 else math.nan
    return Fitness(deviance, pearson, scale, best - deviance / (2 * at_scale) if at_scale > 0 else math.nan)


def constant_fitness(model: GlmModel, design: Design, eta: Tensor, full: Fitness) -> Fitness:
    """Deviance and log-likelihood of a constant, at the dispersion of a model with more.

    Parameters
    ----------
    model : GlmModel
    design : Design
        For response and weights.
    eta : Tensor, shape (n,) or (1,)
        Linear predictor of the constant, offset included.
    full : Fitness
        Of the model.
    """
    with threads_for(float(design.n_rows) * WORK):
        (deviance,) = _added(design, partial(_deviance, model.family, design, eta))
    if model.family.is_normal_linear:
        # Each at its own variance, as in least squares.
        both = full.deviance > 0 and deviance > 0
        lost = model.n_obs / 2 * math.log(deviance / full.deviance) if both else math.nan
    else:
        lost = (deviance - full.deviance) / (2 * full.scale) if full.scale > 0 else math.nan
    return Fitness(deviance, math.nan, full.scale, full.llf - lost)


def _saturated(model: GlmModel, design: Design, eta: Tensor, scale: float) -> float:
    """Log-likelihood of the rows with means equal to their responses."""

    def part(within: slice) -> tuple[float]:
        total = 0.0
        for y, _, w in _blocks(design, eta, within):
            one = torch.ones_like(y)
            found = model.family.saturated(y, scale, one if w is None or model.counted else w)
            total += float((found * w if model.counted and w is not None else found).sum())
        return (total,)

    return _added(design, part)[0]


def _discrepancies(family: GeneralizedFamily, design: Design, eta: Tensor, within: slice) -> tuple[float, float, float]:
    """Sums of unit deviances, of squared Pearson residuals, and of what these are if all means are next to none."""
    deviance, pearson, signal = 0.0, 0.0, 0.0
    for y, at, w in _blocks(design, eta, within):
        unit, chi = family.discrepancies(y, at)
        deviance += _weighted_sum(unit, w)
        pearson += _weighted_sum(chi, w)
        if family.dispersed:
            # At an end of the range of means a variance is zero, and tells nothing of the size of residuals.
            own = y * y / family.distribution.variance(family.mean(at))
            signal += _weighted_sum(torch.where(own.isfinite(), own, 0.0), w)
    return deviance, pearson, signal


def _deviance(family: GeneralizedFamily, design: Design, eta: Tensor, within: slice) -> tuple[float]:
    total = 0.0
    for y, at, w in _blocks(design, eta, within):
        # Of one mean alone the deviances are a function of the responses.
        unit = by_count(partial(family.deviance, eta=at), y) if len(at) == 1 else family.deviance(y, at)
        total += _weighted_sum(unit, w)
    return (total,)


def _weighted_sum(values: Tensor, weights: Tensor | None) -> float:
    return float((values if weights is None else values * weights).sum())


def _added(design: Design, each: Callable[[slice], tuple[float, ...]]) -> tuple[float, ...]:
    """Add up what a function finds in ranges of rows."""
    return tuple(map(sum, zip(*design.over_rows(each), strict=True)))


def _scale(model: GlmModel, pearson: float, df_resid: float) -> float:
    if not model.family.dispersed:
        return 1.0
    return pearson / df_resid if df_resid > 0 else math.nan


def _blocks(design: Design, eta: Tensor, within: slice) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Responses, linear predictors and weights of blocks of the rows of a range."""
    assert design.y is not None
    for part in slices(within.stop - within.start, BATCH_ROWS):
        rows = slice(within.start + part.start, within.start + part.stop)
        yield (
            design.y[rows],
            eta if len(eta) == 1 else eta[rows],
            None if design.weights is None else design.weights[rows],
        )


@dataclass(frozen=True, eq=False)
class _Scores:
    """Scores in eta of rows given in standardised columns, weighted."""

    design: Design
    params: np.ndarray
    shift: float
    model: GlmModel
    weights: Tensor | None

    def __call__(self, rows: slice, batch: Batch) -> Tensor:
        assert self.design.y is not None
        eta = batch.matvec(self.params) + self.shift
        if self.design.offset is not None:
            eta += self.design.offset[rows]
        score = self.model.family.score(self.design.y[rows], eta)
        if self.model.perfect:
            score.zero_()
        return score if self.weights is None else score * self.weights[rows]


def glm_scores(
    design: Design, shifted_params: np.ndarray, shift: float, coordinates: Coordinates, model: GlmModel
) -> RowScores:
    """Scores x_i s_i of the rows, times the dispersion, with their information.

    Parameters
    ----------
    design : Design
        With response, weights and offset.
    shifted_params : array, shape (k,)
        Coefficients of the columns as `coordinates` shifts and scales them.
    shift : float
        Added to the predictor.
    coordinates : Coordinates
        In which the information of all rows is the identity.
    model : GlmModel
    """
    weights = None if model.counted else design.weights

    def weigh() -> Tensor:
        assert design.y is not None
        eta = coordinates.standardised(design).linear_predictor(shifted_params) + shift
        information = model.information(design.y, eta)
        return information if weights is None else information * weights

    slopes = _Scores(design, shifted_params, shift, model, weights)
    return RowScores(design, coordinates, slopes, weigh=weigh, counts=design.weights if model.counted else None)
