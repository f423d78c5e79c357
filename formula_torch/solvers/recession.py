"""Directions in which a likelihood rises without end, found among few rows and proved on all of them.

The likelihood of a row is pulled down (y at its lower end), up (at its upper end), or held. There is no maximum iff
some direction d of the coefficients moves no row but the way it is pulled, and at least one:

    p_i x_i'd >= 0 where pulled,   x_i'd = 0 where held,   X d != 0

(Albert and Anderson 1984, Biometrika 71:1-10; Correia, Guimaraes and Zylkin 2019, arXiv:1903.01633). All d of the
cone's inside move the same rows; what those rows alone could tell, the span of the cone, nobody can (Geyer 2009,
Electron. J. Statist. 3:259-289). Rows known not to be separated leave a small space of directions; in it a guess is
usually right, and else a linear program over the few rows that speak against the last guess finds the inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Batch, Design
from formula_torch.numerics.triangular import cholesky_root
from formula_torch.solvers.least_squares import LeastSquares, least_squares

__all__ = ["Frame", "Recession", "is_sum_of", "normalised_rows", "recession"]

# Rounding of x'd: of the direction, by the condition of the rows that determine it, and of stored columns.
ROUNDING = 1e-12
ROUNDING_BY_CONDITION = 1e-15
STORED_ROUNDING = 1e-15
# A coefficient that moves by less than this share of a direction moves by rounding.
MOVED = 1e-9
# Directions no further from orthogonal than this are projected on by their products.
NORMAL_CONDITION = 300.0
ROUNDS = 50
# A linear program has so many rows more each round.
PROGRAM_ROWS = 1000
TIGHT = 1e-10


@dataclass(frozen=True, eq=False)
class Frame:
    """A design without its weights, in columns shifted and scaled: products with a direction lose nothing to units.

    Parameters
    ----------
    design : Design
    plain : LeastSquares
        Of the rows that count, unweighted: which columns are independent, and their sizes.
    """

    design: Design
    plain: LeastSquares

    @staticmethod
    def of(design: Design, live: Tensor) -> Frame:
        """Decide the rank on the rows of positive weight."""
        return Frame(design, least_squares(_only(design, live)))

    @cached_property
    def standard(self) -> Design:
        """The design shifted and scaled."""
        return self.plain.coordinates.standardised(self.design)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Root mean squares of the columns, zero where dependent, shape (k,)."""
        sizes = np.zeros(self.design.k)
        sizes[self.plain.kept] = self.plain.coordinates.raw_lengths / self.design.n_rows**0.5
        return sizes

    def null_space(self, settled: Tensor) -> tuple[np.ndarray, float]:
        """Directions that move no settled row, shape (m, k), and the rounding of their products with rows."""
        if not settled.any():
            return np.eye(self.design.k)[self.plain.kept] / self.sizes[self.plain.kept, None], ROUNDING
        part = least_squares(_only(self.design, settled))
        own = [i for i, j in enumerate(part.dependent) if j not in self.plain.dependent]
        basis = part.null_space[own]
        basis /= (np.abs(basis) @ self.sizes)[:, None]
        return basis, ROUNDING + ROUNDING_BY_CONDITION * part.condition

    def projected(self, direction: np.ndarray, basis: np.ndarray) -> np.ndarray:
        """Return the part of a direction within a span, least squares over all rows, shape (k,)."""
        inner = self.plain.coordinates
        within = np.array([inner.standardised_params(b)[inner.kept] for b in basis])
        target = inner.standardised_params(direction)[inner.kept]
        root = cholesky_root(within @ inner.root.product(within.T))
        if root is not None and root.condition <= NORMAL_CONDITION:
            share = root.solve(within @ inner.root.product(target))
        else:
            share = np.linalg.lstsq(inner.root.half(within.T), inner.root.half(target), rcond=None)[0]
        return np.asarray(share @ basis)

    def moves(self, direction: np.ndarray, rounding: float) -> Tensor:
        """X d of every row, exactly zero where it is rounding, shape (n,)."""
        inner = self.plain.coordinates
        d = inner.standardised_params(direction)
        stored = STORED_ROUNDING * float(np.abs(inner.shifts * inner.scales) @ np.abs(d))
        out = self.design.empty(self.design.n_rows)
        for rows, batch in self.standard.formed():
            moved = batch.matvec(d)
            out[rows] = moved.masked_fill_(moved.abs() <= rounding * _terms(batch, np.abs(d)) + stored, 0.0)
        return out

    def picked(self, index: Tensor, basis: np.ndarray) -> np.ndarray:
        """X B' of a few rows, shape (rows, m)."""
        within = np.array([self.plain.coordinates.standardised_params(b) for b in basis])
        return _picked(self.standard, index).form().matmat(within.T).mT.cpu().numpy()


def _only(design: Design, rows: Tensor) -> Design:
    if bool(rows.all()):
        return replace(design, weights=None, offset=None)
    # Not by weights of zero: shifts are to be those of these rows, so that what is constant on them is seen to be.
    return _picked(design, rows.nonzero()[:, 0])


def _picked(design: Design, index: Tensor) -> Design:
    """Return a few rows, without weights and offset."""
    assert design.y is not None
    return replace(
        design,
        n_rows=len(index),
        bases=tuple(b[index] for b in design.bases),
        factors=tuple(replace(f, codes=f.codes[index]) for f in design.factors),
        y=design.y[index],
        weights=None,
        offset=None,
    )


def _terms(batch: Batch, sizes: np.ndarray) -> Tensor:
    """Sum of |z_j| s_j of rows, an upper bound where factors are coded."""
    out = torch.from_numpy(sizes[batch.columns]).to(batch.rows.device) @ batch.numeric.abs()
    for f, value in zip(batch.factors, batch.values, strict=True):
        largest = 1.0 if f.coding.matrix is None else float(np.abs(f.coding.matrix).max())
        bound = largest * float(sizes[f.columns].sum())
        out += bound if value is None else bound * value.abs()
    return out


@dataclass(frozen=True, eq=False)
class Recession:
    """Where the likelihood has no maximum.

    Parameters
    ----------
    frame : Frame
    basis : array, shape (m, k)
        All directions of which the data say nothing.
    direction : array, shape (k,)
        One from the inside of the cone.
    forward : bool Tensor, shape (n,)
        The rows that it moves, the way they are pulled.
    rounding : float
    proved : bool
        Whether every row was seen to agree.
    """

    frame: Frame
    basis: np.ndarray
    direction: np.ndarray
    forward: Tensor
    rounding: float
    proved: bool


def recession(
    frame: Frame, pull: Tensor, settled: Tensor, suspects: Tensor, guesses: Sequence[np.ndarray]
) -> Recession | None:
    """Find the inside of the cone of directions in which the likelihood never falls, or None where there are none.

    Parameters
    ----------
    frame : Frame
    pull : Tensor, shape (n,)
        -1, 1 or 0.
    settled : bool Tensor, shape (n,)
        Rows known not to be separated.
    suspects : bool Tensor, shape (n,)
        Pulled rows that may be.
    guesses : sequence of array, shape (k,)
        Directions to try first.
    """
    settled, suspects = settled.clone(), suspects.clone()
    held = torch.zeros(0, dtype=torch.int64, device=pull.device)
    for _ in range(ROUNDS):
        basis, rounding = frame.null_space(settled)
        if not len(basis):
            return None
        # A row that no direction moves is settled: one direction without symmetry tells.
        key = frame.moves(np.cos(np.arange(len(basis)) ** 2 + 1.0) @ basis, rounding) * pull
        suspects &= key != 0
        for guess in guesses:
            direction = frame.projected(guess, basis)
            moved = frame.moves(direction, rounding)
            forward = suspects & (moved * pull > 0)
            broken = bool((moved[settled] != 0).any())
            if bool((forward == suspects).all()) and not broken and bool(forward.any()):
                return Recession(frame, basis, direction, forward, rounding, proved=True)
        if not bool(suspects.any()):
            return None
        held = held[suspects[held]]
        fresh = _fresh(moved * pull, key, suspects, held)
        held = torch.cat([held, fresh])
        combined, separable = separable_rows(frame.picked(held, basis) * pull[held, None].cpu().numpy())
        dead = held[torch.from_numpy(~separable).to(held.device)]
        if not len(dead) and not len(fresh):
            break
        settled[dead], suspects[dead] = True, False
        guesses = [combined @ basis]
    return None if broken else Recession(frame, basis, direction, forward, rounding, proved=False)


def _fresh(margin: Tensor, key: Tensor, suspects: Tensor, held: Tensor) -> Tensor:
    """Further rows for the program: distinct ones, those that speak most against the last direction first."""
    free = suspects.clone()
    free[held] = False
    index = free.nonzero()[:, 0]
    if not len(index):
        return index
    values = key[index].cpu().numpy()
    _, first = np.unique(np.round(values / np.abs(values).max(), 11), return_index=True)
    index = index[torch.from_numpy(first).to(index.device)]
    return index[margin[index].argsort()[:PROGRAM_ROWS]]


def normalised_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in coordinates in which they are spread evenly, of unit length, and the map back to coefficients.

    Parameters
    ----------
    rows : array, shape (r, m)

    Returns
    -------
    array, shape (r, p)
    array, shape (m, p)
    """
    u, s, vt = np.linalg.svd(rows, full_matrices=False)
    p = int((s > 1e-13 * s[0]).sum())
    u = u[:, :p]
    return u / np.linalg.norm(u, axis=1, keepdims=True), vt[:p].T / s[:p]


def separable_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximise sum min(a_i'c, 1) subject to a_i'c >= 0: of a cone, the sum counts the rows that it moves.

    Parameters
    ----------
    rows : array, shape (r, m)
        a_i.

    Returns
    -------
    combined : array, shape (m,)
        c.
    separable : bool array, shape (r,)
    """
    from scipy.sparse import eye, hstack

    unit, back = normalised_rows(rows)
    r, p = unit.shape
    blocks: list[Any] = [-unit, eye(r)]
    upper = {"A_ub": hstack(blocks, format="csr"), "b_ub": np.zeros(r)}
    found = _optimum(np.r_[np.zeros(p), -np.ones(r)], [(None, None)] * p + [(0, 1)] * r, upper)
    if found is None:
        return np.zeros(rows.shape[1]), np.ones(r, dtype=bool)
    return back @ found[:p], found[p:] > 0.5


def is_sum_of(rows: np.ndarray, target: np.ndarray) -> bool:
    """Whether a sum of rows with weights of at least zero is the target, which then is >= 0 wherever all rows are.

    Parameters
    ----------
    rows : array, shape (r, p)
    target : array, shape (p,)
    """
    equal = {"A_eq": rows.T, "b_eq": target / np.linalg.norm(target)}
    return _optimum(np.zeros(len(rows)), [(0, None)] * len(rows), equal) is not None


def _optimum(cost: np.ndarray, bounds: list[Any], constraints: dict[str, Any]) -> np.ndarray | None:
    """Solve a linear program, or find that it has no solution."""
    # Loaded where there is something to separate, and not with every fit.
    from scipy.optimize import linprog

    answer: Any = linprog(
        cost,
        bounds=bounds,
        method="highs",
        options={"primal_feasibility_tolerance": TIGHT, "dual_feasibility_tolerance": TIGHT},
        **constraints,
    )
    return answer.x if answer.status == 0 else None
