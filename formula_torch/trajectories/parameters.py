"""Parameters under their names with their exact information, from the coordinates of the search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.formula.learn import Problem
from formula_torch.inference.dense_scores import DenseScores
from formula_torch.inference.moments import Labels, Moments
from formula_torch.models.mixture import Mixture
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows
from formula_torch.solvers.least_squares import LeastSquares
from formula_torch.trajectories.unit_rows import UnitsOfRows, unit_values

__all__ = ["SINGULAR", "Parameters", "unit_moments"]

# An information whose scaled eigenvalues fall to this is singular but for rounding.
SINGULAR = 1e-8


@dataclass(frozen=True, eq=False)
class Parameters:
    """From the columns of the search to those of the formula."""

    pooled: LeastSquares
    problem: Problem
    shift: float

    @property
    def lift(self) -> np.ndarray:
        """Coefficients of the formula's columns, shape (k, rank)."""
        return self.pooled.coordinates.lift * math.sqrt(self.problem.design.n_rows)

    def parameters(self, mixture: Mixture, theta: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Parameters under their names, shape (P,), and their Jacobian in theta, shape (P, K D)."""
        groups, size, p = mixture.groups, mixture.size, mixture.p
        k, own = len(self.lift), theta.numpy()
        values = own[:, :p] @ self.lift.T
        if self.shift:
            values[:, self.problem.design.constant] += self.shift
        rows = np.zeros((groups * k, groups * size))
        for g in range(groups):
            rows[g * k : (g + 1) * k, g * size : g * size + p] = self.lift
        parts, jacobians = [values.ravel()], [rows]
        if mixture.family.dispersed:
            sigma = np.exp(own[:, p])
            spread = np.zeros((groups, groups * size))
            spread[np.arange(groups), np.arange(groups) * size + p] = sigma
            parts.append(sigma[:1] if mixture.common else sigma)
            jacobians.append(spread[:1] if mixture.common else spread)
        odds = np.zeros((groups - 1, groups * size))
        odds[np.arange(groups - 1), np.arange(1, groups) * size + size - 1] = 1.0
        return np.concatenate([*parts, own[1:, -1]]), np.concatenate([*jacobians, odds])

    def names(self, mixture: Mixture) -> tuple[str, ...]:
        """Names of the parameters."""
        columns = self.problem.recipe.column_names
        names = [f"g{g}:{name}" for g in range(1, mixture.groups + 1) for name in columns]
        if mixture.family.dispersed:
            names += ["sigma"] if mixture.common else [f"g{g}:sigma" for g in range(1, mixture.groups + 1)]
        return (*names, *(f"membership[{g}]:Intercept" for g in range(2, mixture.groups + 1)))


def unit_moments(
    mixture: Mixture, theta: Tensor, jacobian: np.ndarray, units: UnitsOfRows, profile: Tensor, rows: Rows, call: Call
) -> Moments:
    """Observed information of the units in the directions that are free, and their scores."""
    free = mixture.free
    hessian = free.mT @ mixture.louis(theta[None], mixture(theta[None])).hessian[0] @ free
    scale = torch.diagonal(hessian).abs().clamp(min=1e-300).rsqrt()
    values, vectors = torch.linalg.eigh(-hessian * scale[:, None] * scale)
    # Directions without information have no error: their coefficients are NaN.
    half = torch.where(values > SINGULAR, values.clamp(min=SINGULAR).rsqrt(), math.nan)
    whiten = free @ (scale[:, None] * vectors * half)
    aliased = np.isnan(jacobian).any(axis=1)
    lift = np.nan_to_num(jacobian) @ whiten.numpy()
    lift[aliased] = np.nan

    def scores() -> DenseScores:
        own = mixture.unit_scores(theta[None])[0].mT @ whiten
        return DenseScores(own[profile].numpy(), units.weights.numpy())

    return Moments(
        bread=lift @ lift.T,
        lift=lift,
        scale=1.0,
        dispersion=1.0,
        n_obs=float(units.weights.sum()),
        n_params=float(free.shape[1]),
        df_resid=math.inf,
        scores=scores,
        labels=partial(_labels_of_units, units, rows, call),
    )


def _labels_of_units(units: UnitsOfRows, rows: Rows, call: Call, given: Any, what: str) -> Labels:
    """Read clusters of units; a unit must not lie in two."""
    if isinstance(given, str) and given == units.name:
        return Labels(given, np.arange(units.count), units.count)
    labels = rows.labels(given, what, call.find_table)
    first = np.zeros(units.count, dtype=np.int64)
    first[units.codes[::-1]] = np.arange(len(units.codes))[::-1]
    own = unit_values(labels.codes.astype(np.float64), units.codes, first, labels.name)
    return Labels(labels.name, own.astype(np.int64), labels.count)
