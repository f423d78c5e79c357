"""Linear equations that the parameters obey: C theta = c in the coordinates of the search.

Equations never mix coefficients, log sigmas and membership, so that the directions that are free are found part by
part, and EM can move each part by itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from formula_torch.errors import FormulaError
from formula_torch.inference.hypotheses import read_hypotheses
from formula_torch.trajectories.parameters import Parameters

__all__ = ["Constraints"]

# What is left of a direction that the equations rule out, as a share of its length.
RULED_OUT = 1e-9
# Equations of unit length are dependent where a singular value is no larger.
RANK_TOLERANCE = 1e-9
# Orders of groups that are listed one by one.
MOST_LISTED = 720


@dataclass(frozen=True, eq=False)
class Constraints:
    """Equations for theta of shape (K, D), in rows of K D.

    Parameters
    ----------
    shape : tuple of int
        K, p, number of log sigmas of a group (0 or 1), m.
    matrix : array, shape (r, K D)
    values : array, shape (r,)
    fixed : dict
        Parameters that an equation fixes: position and value.
    """

    shape: tuple[int, int, int, int]
    matrix: np.ndarray
    values: np.ndarray
    fixed: Mapping[int, float] = field(default_factory=dict)

    @staticmethod
    def of(parameters: Parameters, texts: Sequence[str] = (), *, common: bool) -> Constraints:
        """What a model prescribes: a reference group, one sigma, terms held at zero, the user's own.

        Parameters
        ----------
        parameters : Parameters
        texts : sequence of str
            In the names of the parameters: ``"g1:x = g2:x"``.
        common : bool
            One sigma for all groups.

        Raises
        ------
        FormulaError
            A constraint is not linear, touches a sigma, or mixes coefficients and membership.
        DataError, UnknownNameError
            There is no such parameter.
        """
        groups, p = len(parameters.kept), parameters.curve.lift.shape[1]
        spread, m = min(parameters.sigmas, 1), parameters.membership.lift.shape[1]
        empty = Constraints((groups, p, spread, m), np.zeros((0, groups * (p + spread + m))), np.zeros(0))
        rows = [*empty._identified(), *(empty._equal_sigmas() if common else []), *empty._held(parameters)]
        zeros = Constraints(empty.shape, np.array(rows).reshape(len(rows), -1), np.zeros(len(rows)))
        if not texts:
            return zeros
        whole = zeros._and(*_written(parameters, texts, zeros))
        if _rank(whole.matrix, whole.values) > _rank(whole.matrix):
            raise FormulaError(f"the constraints {', '.join(map(repr, texts))} contradict one another, or the model.")
        if not whole.free.shape[1]:
            raise FormulaError(f"the constraints {', '.join(map(repr, texts))} leave no parameter free.")
        return whole

    def _and(self, matrix: np.ndarray, values: np.ndarray, fixed: Mapping[int, float]) -> Constraints:
        rows, sides = np.concatenate([self.matrix, matrix]), np.concatenate([self.values, values])
        return Constraints(self.shape, rows, sides, fixed)

    @property
    def size(self) -> int:
        """Parameters of a group, D."""
        return sum(self.shape[1:])

    def _unit(self, group: int, place: int) -> np.ndarray:
        row = np.zeros((self.shape[0], self.size))
        row[group, place] = 1.0
        return row.ravel()

    def _identified(self) -> list[np.ndarray]:
        """Membership is measured against the first group."""
        return [self._unit(0, place) for place in range(self.size - self.shape[3], self.size)]

    def _equal_sigmas(self) -> list[np.ndarray]:
        p, spread = self.shape[1], self.shape[2]
        return [self._unit(g, p) - self._unit(0, p) for g in range(1, self.shape[0])] if spread else []

    def _held(self, parameters: Parameters) -> list[np.ndarray]:
        """Coefficients held at zero, by the rows of the lift."""
        rows = []
        aliased = np.isnan(parameters.curve.lift).any(axis=1)
        for g, j in np.argwhere(~parameters.kept & ~aliased):
            row = np.zeros((self.shape[0], self.size))
            row[g, : self.shape[1]] = parameters.curve.lift[j]
            rows.append(row.ravel())
        return rows

    # -- what is free -----------------------------------------------------------------------------

    @property
    def parts(self) -> list[np.ndarray]:
        """Positions of coefficients, log sigmas and membership, as they stand in all groups."""
        groups, p, spread, m = self.shape
        whole = np.arange(groups * self.size).reshape(groups, self.size)
        return [whole[:, a:b].ravel() for a, b in ((0, p), (p, p + spread), (p + spread, p + spread + m)) if b > a]

    @cached_property
    def free(self) -> Tensor:
        """Orthonormal directions in which theta may move, shape (K D, P)."""
        columns = []
        for part in self.parts:
            own = self.matrix[:, part]
            inner = _null_space(own[(own != 0).any(axis=1)])
            column = np.zeros((self.matrix.shape[1], inner.shape[1]))
            column[part] = inner
            columns.append(column)
        return torch.from_numpy(np.concatenate(columns, axis=1))

    def project(self, theta: Tensor) -> Tensor:
        """The nearest points that obey, shape (B, K, D), membership first measured against the first group."""
        moved, m = theta.clone(), self.shape[3]
        moved[:, :, -m:] -= theta[:, :1, -m:]
        flat = moved.flatten(1)
        # Part by part: the rounding of large coefficients must not reach sigma and membership.
        for part in self.parts:
            rows = (self.matrix[:, part] != 0).any(axis=1)
            matrix = torch.from_numpy(self.matrix[np.ix_(rows, part)])
            off = flat[:, part] @ matrix.mT - torch.from_numpy(self.values[rows])
            flat[:, part] -= off @ torch.linalg.pinv(matrix).mT
        return flat.reshape(theta.shape)

    def allow(self, order: Sequence[int]) -> bool:
        """Whether the equations say the same after the groups have changed places."""
        groups = self.shape[0]
        moved = self.matrix.reshape(-1, groups, self.size)[:, list(order)].reshape(self.matrix.shape)
        # The reference is whichever group comes first: only what else is prescribed must stay.
        own = slice(self.shape[3], None)
        values = np.concatenate([self.values[own], self.values[own]])
        both = np.concatenate([self.matrix[own], moved[own]])
        return _rank(both, values) == _rank(self.matrix[own], self.values[own])

    @cached_property
    def classes(self) -> list[int]:
        """To which class of groups that the equations do not tell apart each one belongs."""
        groups = self.shape[0]
        found = [-1] * groups
        for first in range(groups):
            if found[first] < 0:
                alike = [g for g in range(first, groups) if g == first or self.allow(_exchanged(groups, first, g))]
                for g in alike:
                    found[g] = first
        return found

    def best_order(self, order: Sequence[int]) -> list[int]:
        """The order that the equations allow which comes next to one: each class of groups in that order."""
        found = list(range(self.shape[0]))
        for own in set(self.classes):
            positions = [g for g, of in enumerate(self.classes) if of == own]
            for position, group in zip(positions, (g for g in order if g in positions), strict=True):
                found[position] = group
        return found

    def different_orders(self, most: int, generator: torch.Generator) -> list[list[int]]:
        """Orders of the groups that the equations tell apart: all, or so many at random."""
        groups = self.shape[0]
        few = math.factorial(groups) <= MOST_LISTED
        orders = (
            itertools.permutations(range(groups))
            if few
            else (tuple(torch.randperm(groups, generator=generator).tolist()) for _ in range(MOST_LISTED))
        )
        found: dict[frozenset[tuple[int, int]], tuple[int, ...]] = {}
        for order in orders:
            found.setdefault(frozenset(zip(order, self.classes, strict=True)), order)
        chosen = list(found.values())
        if len(chosen) > most:
            chosen = [chosen[i] for i in torch.randperm(len(chosen), generator=generator)[:most].tolist()]
        return [list(order) for order in chosen]


def _exchanged(groups: int, a: int, b: int) -> list[int]:
    order = list(range(groups))
    order[a], order[b] = b, a
    return order


def _rank(matrix: np.ndarray, values: np.ndarray | None = None) -> int:
    """Rank of equations of unit length, with or without their right-hand sides."""
    if not len(matrix):
        return 0
    length = np.linalg.norm(matrix, axis=1)
    length = np.where(length > 0, length, 1.0)
    if values is None:
        return int(np.linalg.matrix_rank(matrix / length[:, None], tol=RANK_TOLERANCE))
    # Each side is as large as a coefficient that it may be the value of, or no larger than one.
    sides = values / length
    whole = np.column_stack([matrix / length[:, None], sides])
    scale = np.maximum(1.0, np.abs(sides))
    return int(np.linalg.matrix_rank(whole / scale[:, None], tol=RANK_TOLERANCE))


def _null_space(rows: np.ndarray) -> np.ndarray:
    """Orthonormal directions orthogonal to some rows, shape (width, free); unit vectors where nothing is prescribed."""
    width = rows.shape[1]
    touched = (rows != 0).any(axis=0)
    found = np.eye(width)[:, ~touched]
    if not touched.any():
        return found
    _, lengths, right = np.linalg.svd(rows[:, touched])
    rank = int((lengths > RULED_OUT * lengths.max()).sum())
    inner = np.zeros((width, int(touched.sum()) - rank))
    inner[touched] = right[rank:].T
    return np.concatenate([found, inner], axis=1)


def _written(
    parameters: Parameters, texts: Sequence[str], model: Constraints
) -> tuple[np.ndarray, np.ndarray, dict[int, float]]:
    """The user's equations in theta, R (J theta + params(0)) = q, and the parameters that one of them fixes."""
    names = parameters.layout.names
    origin = torch.zeros(model.shape[0], model.size, dtype=torch.float64)
    at_origin = parameters.values(origin)
    found = read_hypotheses(list(texts), names, at_origin)
    if not found.linear.all():
        raise FormulaError(f"the constraint `{found.texts[int(np.argmin(found.linear))]}` is not linear.")
    sigma = np.unique(parameters.layout.sigma)
    if sigma.size and (found.jacobian[:, sigma] != 0).any():
        raise FormulaError("constraints of sigma are not taken; dispersion='common' makes them equal.")
    matrix = found.jacobian @ np.nan_to_num(parameters.jacobian(origin))
    for row, text in zip(matrix, found.texts, strict=True):
        if sum((row[part] != 0).any() for part in model.parts) > 1:
            raise FormulaError(f"the constraint `{text}` mixes coefficients of a curve and of membership.")
    alone = (found.jacobian != 0).sum(axis=1) == 1
    places = np.argmax(found.jacobian != 0, axis=1)
    fixed = {int(places[i]): float(found.null[i] / found.jacobian[i, places[i]]) + 0.0 for i in np.flatnonzero(alone)}
    return matrix, found.null - found.effect, fixed
