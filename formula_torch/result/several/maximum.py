"""The maximum of a likelihood of several predictors, which may lie where a simpler family is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from formula_torch.design import Design
from formula_torch.families.several import SeveralFamily
from formula_torch.models.several import SeveralModel, Top, polished
from formula_torch.result.several.blueprint import Blueprint
from formula_torch.result.several.layout import Layout, lifted
from formula_torch.solvers.newton import climb

__all__ = ["BOUNDARY", "CONVERGED", "FAR", "Maximum", "at_limit", "maximum", "parameters_at", "unit_of"]

# At the end nothing is left to gain but rounding: Newton's decrement.
CONVERGED = 1e-8
# A predictor below this everywhere, the logarithm of a dispersion or the log odds of a certain zero, may have none.
FAR = -6.0
# A gain in log-likelihood that is rounding of the climb to the boundary.
BOUNDARY = 1e-6


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a climb ended, of the family at that place."""

    blueprint: Blueprint
    model: SeveralModel
    top: Top
    iterations: int


def maximum(blueprint: Blueprint, designs: Mapping[str, Design]) -> Maximum:
    """Climb, and where a predictor runs off to minus infinity take the simpler family if nothing is lost by it.

    Small weights are made to be one on average, by which a climb knows its end: values are in that unit.
    """
    model = blueprint.model(designs)
    if (unit := unit_of(blueprint, designs)) < 1:
        assert model.weights is not None
        model = replace(model, weights=model.weights / unit)
    found = climb(model, model.begin())
    top = polished(model, found.theta[0].numpy())
    here = Maximum(blueprint, model, top, found.iterations)
    for j, predictor in enumerate(blueprint.family.predictors):
        simpler = blueprint.without(predictor.name)
        if simpler is None or float(model.stacked.predictors(top.theta)[j].max()) > FAR:
            continue
        there = maximum(simpler, designs)
        if not top.value > there.top.value + BOUNDARY:
            return replace(there, iterations=there.iterations + here.iterations)
    return here


def unit_of(blueprint: Blueprint, designs: Mapping[str, Design]) -> float:
    """Unit of the weights in a climb: their mean, at most one."""
    return min(1.0, blueprint.total / designs[""].n_rows)


def at_limit(layout: Layout, asked: SeveralFamily, found: SeveralFamily) -> np.ndarray:
    """Parameters of predictors that the family at the maximum has not, bool of shape (P,)."""
    there = np.zeros(layout.size, dtype=bool)
    for predictor in asked.predictors:
        if predictor not in found.predictors:
            there[layout.columns[predictor.name]] = True
    return there


def parameters_at(
    layout: Layout, asked: SeveralFamily, model: SeveralModel, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters, shape (P,), and their derivatives in theta, shape (P, size): NaN where aliased or at the boundary.

    Parameters
    ----------
    layout : Layout
    asked : SeveralFamily
        That of the layout.
    model : SeveralModel
        Of this family, or the simpler one at the boundary.
    theta : array, shape (size,)
    """
    lift = lifted(layout, model.family, model.stacked)
    params = lift @ theta
    params[layout.positive] = np.exp(params[layout.positive])
    jacobian = np.where(layout.positive, params, 1.0)[:, None] * lift
    params[at_limit(layout, asked, model.family) & layout.positive] = 0.0
    return params, jacobian
