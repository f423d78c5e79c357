"""Linear equations that the parameters obey: C theta = c in the coordinates of the search.

Equations never mix coefficients, log sigmas and membership, so that the directions that are free are found part by
part, and EM can move each part by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class Constraints:
    """Equations for theta of shape (K, D), in rows of K D.

    Parameters
    ----------
    shape : tuple of int
        K, p, number of log sigmas of a group (0 or 1), m.
    matrix : array, shape (r, K D)
    values : array, shape (r,)
    """

    shape: tuple[int, int, int, int]
    matrix: np.ndarray
    values: np.ndarray

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
        return zeros._and(*_written(parameters, texts, zeros)) if texts else zeros

    def _and(self, matrix: np.ndarray, values: np.ndarray) -> Constraints:
        return Constraints(self.shape, np.concatenate([self.matrix, matrix]), np.concatenate([self.values, values]))

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
        for g, j in np.argwhere(~parameters.kept):
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
        flat, matrix = moved.flatten(1), torch.from_numpy(self.matrix)
        off = flat @ matrix.mT - torch.from_numpy(self.values)
        return (flat - off @ torch.linalg.pinv(matrix).mT).reshape(theta.shape)

    def allow(self, order: Sequence[int]) -> bool:
        """Whether the equations say the same after the groups have changed places."""
        groups = self.shape[0]
        moved = self.matrix.reshape(-1, groups, self.size)[:, list(order)].reshape(self.matrix.shape)
        # The reference is whichever group comes first: only what else is prescribed must stay.
        own = self._identified_rows()
        before = np.column_stack([self.matrix, self.values])[~own]
        after = np.column_stack([moved, self.values])[~own]
        rank = np.linalg.matrix_rank(before) if len(before) else 0
        return not len(before) or int(np.linalg.matrix_rank(np.concatenate([before, after]))) == int(rank)

    def _identified_rows(self) -> np.ndarray:
        return np.arange(len(self.matrix)) < self.shape[3]


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


def _written(parameters: Parameters, texts: Sequence[str], model: Constraints) -> tuple[np.ndarray, np.ndarray]:
    """The user's equations in theta: R (J theta + params(0)) = q."""
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
    return matrix, found.null - found.effect
