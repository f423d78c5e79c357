"""Parameters under their names with their exact information, from the coordinates of the search and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.inference.dense_scores import DenseScores
from formula_torch.inference.moments import Labels, Moments, blanked
from formula_torch.models.mixture import Mixture
from formula_torch.models.mixture.likelihood import Evaluation
from formula_torch.result.call import Call
from formula_torch.result.rows import Rows
from formula_torch.result.trajectory import Layout
from formula_torch.trajectories.unit_rows import UnitsOfRows, unit_values

__all__ = ["Columns", "Parameters", "mean_shares", "unit_moments"]

# A direction with less information has an error of more than 100, in logarithms of odds, of rates or of sigma, or in
# sigmas: a coefficient runs off to infinity, or is not determined.
LEAST_INFORMATION = 1e-4
# A parameter that moves by less than this share of its length along a direction does so by rounding.
MOVED = 1e-6
HELD = 1e-11


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a formula, and the well-conditioned ones in their place.

    Parameters
    ----------
    names : tuple of str
    lift : array, shape (k, p)
        Coefficients of the formula's columns from those of the search; NaN rows where aliased.
    shift : array, shape (k,)
        What is added to them.
    """

    names: tuple[str, ...]
    lift: np.ndarray
    shift: np.ndarray

    @cached_property
    def lower(self) -> np.ndarray:
        """From the formula's coefficients to those of the search, shape (p, k); zero for aliased ones."""
        known = ~np.isnan(self.lift).any(axis=1)
        lower = np.zeros(self.lift.T.shape)
        # Rows of unit length: coefficients of powers of a year are of sizes too different for one inverse.
        own = self.lift[known]
        size = np.linalg.norm(own, axis=1, keepdims=True)
        lower[:, known] = np.linalg.pinv(own / size) / size.T
        return lower


@dataclass(frozen=True, eq=False)
class Parameters:
    """From the coordinates of the search to parameters under their names, and back.

    Parameters
    ----------
    curve, membership : Columns
    kept : bool array, shape (K, k)
        Coefficients that are not held at zero.
    sigmas : int
        Number of standard deviations: 0, 1 or K.
    reference : int
        The group, from 0, against which membership is measured.
    """

    curve: Columns
    membership: Columns
    kept: np.ndarray
    sigmas: int
    reference: int = 0

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.kept)

    @property
    def others(self) -> list[int]:
        """Groups that have membership coefficients."""
        return [g for g in range(self.groups) if g != self.reference]

    @cached_property
    def layout(self) -> Layout:
        """Names and positions of the parameters."""
        columns, own = self.curve.names, self.membership.names
        where = [(g, j) for g in range(self.groups) for j in range(len(columns)) if self.kept[g, j]]
        names = [f"g{g + 1}:{columns[j]}" for g, j in where]
        beta = np.full(self.kept.shape, -1)
        for position, place in enumerate(where):
            beta[place] = position
        sigma = len(names) + np.minimum(np.arange(self.groups), self.sigmas - 1)
        names += ["sigma"] if self.sigmas == 1 else [f"g{g + 1}:sigma" for g in range(self.sigmas)]
        gamma = np.full((self.groups, len(own)), -1)
        gamma[self.others] = len(names) + np.arange((self.groups - 1) * len(own)).reshape(-1, len(own))
        names += [f"membership[{g + 1}]:{name}" for g in self.others for name in own]
        return Layout(tuple(names), beta, sigma[: self.groups if self.sigmas else 0], gamma)

    def values(self, theta: Tensor) -> np.ndarray:
        """Parameters under their names, shape (P,), from theta of shape (K, D)."""
        own, layout, p, m = theta.numpy(), self.layout, self.curve.lift.shape[1], self.membership.lift.shape[1]
        found = np.empty(len(layout.names))
        found[layout.beta[self.kept]] = (own[:, :p] @ self.curve.lift.T + self.curve.shift)[self.kept]
        found[layout.sigma] = np.exp(own[: len(layout.sigma), p])
        gamma = (own[:, own.shape[1] - m :] - own[self.reference, own.shape[1] - m :]) @ self.membership.lift.T
        found[layout.gamma[self.others]] = gamma[self.others]
        return found

    def jacobian(self, theta: Tensor) -> np.ndarray:
        """Derivatives of the parameters in theta, shape (P, K D)."""
        (groups, size), layout = theta.shape, self.layout
        p, m = self.curve.lift.shape[1], self.membership.lift.shape[1]
        found = np.zeros((len(layout.names), groups, size))
        for g in range(groups):
            found[layout.beta[g, self.kept[g]], g, :p] = self.curve.lift[self.kept[g]]
        for g, position in enumerate(layout.sigma):
            # One sigma for all is read off the first group: all of theirs move together.
            if self.sigmas > 1 or g == 0:
                found[position, g, p] = math.exp(theta[g, p])
        for g in self.others:
            found[layout.gamma[g], g, size - m :] = self.membership.lift
            found[layout.gamma[g], self.reference, size - m :] = -self.membership.lift
        return found.reshape(len(found), -1)

    def theta(self, values: np.ndarray) -> Tensor:
        """Coordinates of the search from parameters under their names, shape (K, D)."""
        layout, known = self.layout, np.nan_to_num(values)
        beta = layout.read(known, layout.beta)
        parts = [(beta - self.curve.shift) @ self.curve.lower.T]
        if self.sigmas:
            parts.append(np.log(values[layout.sigma])[:, None])
        parts.append(layout.read(known, layout.gamma) @ self.membership.lower.T)
        return torch.from_numpy(np.concatenate(parts, axis=1))


def mean_shares(mixture: Mixture, at: Evaluation, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability of each group, shape (K,), and its derivatives in the parameters, shape (K, P).

    d pi_ug / d gamma_h = pi_ug (1[g = h] - pi_uh) z_u, averaged over the units.
    """
    z, layout = mixture.units.z.numpy(), parameters.layout
    share = (mixture.units.weights / mixture.units.weights.sum()).numpy()
    pi = np.exp(at.log_share[0].expand(mixture.groups, mixture.units.n).numpy())
    slopes = -np.einsum("gu,hu,ju->ghj", pi * share, pi, z)
    slopes[np.arange(mixture.groups), np.arange(mixture.groups)] += (pi * share) @ z.T
    return pi @ share, layout.spread(slopes @ parameters.membership.lower, layout.gamma, len(layout.names))


def unit_moments(
    mixture: Mixture, theta: Tensor, jacobian: np.ndarray, units: UnitsOfRows, profile: Tensor, rows: Rows, call: Call
) -> Moments:
    """Observed information of the units in the directions that are free, and their scores."""
    free, scale = mixture.free, _units_of(mixture, theta)
    # Directions that are free stay so when each coordinate is measured in its own unit.
    basis = torch.linalg.qr(free / scale[:, None])[0] * scale[:, None]
    hessian = basis.mT @ mixture.derivatives(theta[None])[2][0] @ basis
    values, vectors = torch.linalg.eigh(-hessian)
    least = LEAST_INFORMATION * min(1.0, mixture.total / units.count)
    known, axes = values > least, basis @ vectors
    whiten = axes[:, known] * values[known].rsqrt()
    # Parameters that move along directions without information have no error.
    along = np.nan_to_num(jacobian) @ axes.numpy()
    lost = (np.abs(along[:, ~known.numpy()]) > MOVED * np.linalg.norm(along, axis=1)[:, None]).any(axis=1)
    lift = np.nan_to_num(jacobian) @ whiten.numpy()
    # A parameter that is held does not move, but for rounding.
    lift[np.linalg.norm(along, axis=1) <= HELD * np.linalg.norm(np.nan_to_num(jacobian) * scale.numpy(), axis=1)] = 0.0
    unknown = lost | np.isnan(jacobian).any(axis=1)
    lift[unknown] = np.nan

    def scores() -> DenseScores:
        own = mixture.unit_scores(theta[None])[0].mT @ whiten
        return DenseScores(own[profile].numpy(), units.weights.numpy())

    return Moments(
        bread=blanked(lift @ lift.T, unknown),
        lift=lift,
        scale=1.0,
        dispersion=1.0,
        n_obs=float(units.weights.sum()),
        n_params=float(free.shape[1]),
        df_resid=math.inf,
        scores=scores,
        labels=partial(_labels_of_units, units, rows, call.find_table),
        cores=True,
    )


def _units_of(mixture: Mixture, theta: Tensor) -> Tensor:
    """What one unit of each coordinate is, shape (K D,): of a coefficient, what moves eta by one sigma or by one."""
    scale = torch.ones_like(theta)
    if mixture.family.dispersed:
        scale[:, : mixture.p] = theta[:, mixture.p, None].exp()
    return scale.flatten()


def _labels_of_units(units: UnitsOfRows, rows: Rows, find_table: Callable[[], Any], given: Any, what: str) -> Labels:
    """Read clusters of units; a unit must not lie in two."""
    if isinstance(given, str) and given == units.name:
        return Labels(given, np.arange(units.count), units.count)
    labels = rows.labels(given, what, find_table)
    own = unit_values(labels.codes.astype(np.float64), units.codes, units.first, labels.name)
    return Labels(labels.name, own.astype(np.int64), labels.count)
