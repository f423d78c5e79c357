"""Whether estimates are infinite, which ones, and the proof.

A climb that ends on separated rows leaves them without information: their predictor ran until nothing was gained.
Most fits are cleared by the largest predictor alone. For the rest, `recession` looks among the rows left without
information, and the last Newton step, which runs the way the likelihood rises, is usually the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.numerics.threads import threads_for
from formula_torch.solvers.passes import Kernel
from formula_torch.solvers.recession import MOVED, Frame, Recession, is_sum_of, normalised_rows, recession
from formula_torch.solvers.scoring import Scored

__all__ = ["PullingKernel", "Separated", "Separation", "separation"]

# Rows with less information than this share of one, or of the largest, may be separated: a climb that ends
# on them leaves 1e-12.
FAINT = 1e-6
# Of more directions than these the signs are not asked for, of more rows not all are asked.
SIGNED_DIRECTIONS = 30
SIGNED_ROWS = 500
# How many groups of coefficients are described one by one.
DESCRIBED = 5


class PullingKernel(Kernel, Protocol):
    """A likelihood that knows which rows it has no maximum for."""

    def pull(self, y: Tensor) -> Tensor:
        """Where the likelihood of each row rises without end: as eta falls (-1), rises (1), or nowhere (0)."""
        ...


@dataclass(frozen=True, eq=False)
class Separated:
    """Coefficients that run to infinity together, apart from all others.

    Parameters
    ----------
    positions : list of int
    n_rows : int
        Rows that they move.
    pull : int
        -1 or 1 where all these rows are pulled one way; 0 where not.
    """

    positions: list[int]
    n_rows: int
    pull: int


@dataclass(frozen=True, eq=False)
class Separation:
    """Estimates that are infinite.

    Parameters
    ----------
    positions : list of int
        Of the coefficients that the data leave without a finite estimate.
    basis : array, shape (m, k)
        The directions in which they run, and of which the data say nothing.
    signs : int array, one for each position
        1 or -1 where the way is known, else 0.
    n_rows : int
        Rows predicted with certainty.
    of_rows : int
        Of how many.
    groups : tuple of Separated
        The coefficients by the rows that they move, no row in two groups; after a few, the last holds the rest.
    proved : bool
        Whether a direction in which the likelihood rises for ever was seen to agree with every row; otherwise
        it is only known that the data hold no information.
    """

    positions: list[int]
    basis: np.ndarray
    signs: np.ndarray
    n_rows: int
    of_rows: int
    groups: tuple[Separated, ...]
    proved: bool


def separation(design: Design, kernel: PullingKernel, found: Scored) -> Separation | None:
    """Look whether the likelihood has a maximum; None where it has one.

    Parameters
    ----------
    design : Design
        With response, weights and offset.
    kernel : PullingKernel
    found : Scored
        Where the climb ended.

    Examples
    --------
    >>> from formula_torch.families.generalized import resolve_generalized
    >>> from formula_torch.formula.learn import learn
    >>> from formula_torch.solvers.scoring import scored
    >>> design = learn("y ~ x", {"x": [1.0, 2.0, 3.0, 4.0], "y": [0.0, 0.0, 1.0, 1.0]}).design
    >>> logit = resolve_generalized("binomial", None)
    >>> found = scored(design, logit, lambda part: part.y - 0.5)
    >>> problem = separation(design, logit, found)
    >>> problem.positions, problem.signs.tolist(), problem.n_rows, problem.proved
    ([0, 1], [-1, 1], 4, True)
    """
    assert design.y is not None
    with threads_for(design.work), np.errstate(all="ignore"):
        if _informative(design, kernel, found):
            return None
        live = torch.ones_like(design.y, dtype=torch.bool) if design.weights is None else design.weights > 0
        pull = kernel.pull(design.y) * live
        if not bool(pull.any()):
            return None
        frame = Frame.of(design, live)
        suspects = (pull != 0) & _faint(frame, kernel, found)
        if not bool(suspects.any()):
            return None
        guesses = [found.last_step, np.nan_to_num(found.params)]
        seen = recession(frame, pull, live & ~suspects, suspects, guesses)
        if seen is None or not (seen.proved or _trusted(found)):
            return None
        return _described(seen, pull, int(live.sum()))


def _trusted(found: Scored) -> bool:
    return found.converged and bool(np.isfinite(found.params).any())


def _informative(design: Design, kernel: Kernel, found: Scored) -> bool:
    """Whether no row can be faint, as the information at the ends of the range of predictors shows."""
    if kernel.dispersed or not _trusted(found):
        return False
    ends = torch.tensor([-found.largest, found.largest], dtype=torch.float64)
    least = float(kernel.pieces(torch.zeros(2, dtype=torch.float64), ends)[2].min())
    if design.weights is not None:
        least *= float(design.weights[design.weights > 0].min())
    return least > FAINT


def _faint(frame: Frame, kernel: Kernel, found: Scored) -> Tensor:
    """Rows without information where the climb ended; all of them where it lost its way."""
    design, last = frame.design, found.solution
    assert design.y is not None
    if not _trusted(found) or last.kept != frame.plain.kept:
        return torch.ones(design.n_rows, dtype=torch.bool, device=design.device)
    eta = last.coordinates.standardised(design).linear_predictor(last.shifted_params) + last.response_shift
    information = kernel.pieces(design.y, eta)[2]
    if design.weights is not None:
        information = information * design.weights
    return ~(information > FAINT * max(1.0, float(information.nan_to_num().max())))


def _described(seen: Recession, pull: Tensor, of_rows: int) -> Separation:
    moving = np.abs(seen.basis) * seen.frame.sizes > MOVED
    positions = np.flatnonzero(moving.any(axis=0))
    return Separation(
        positions=positions.tolist(),
        basis=np.where(moving, seen.basis, 0.0),
        signs=_signs(seen, pull, positions),
        n_rows=int(seen.forward.sum()),
        of_rows=of_rows,
        groups=_groups(seen, pull, _connected(moving)),
        proved=seen.proved,
    )


def _groups(seen: Recession, pull: Tensor, parts: list[np.ndarray]) -> tuple[Separated, ...]:
    """Parts that share no rows, or the whole."""
    if len(parts) > DESCRIBED:
        parts = [*parts[:DESCRIBED], np.sort(np.concatenate(parts[DESCRIBED:]))]
    groups = tuple(_group(seen, pull, part) for part in parts)
    # Where all rows have one outcome every direction is one of separation, and none separates by itself.
    if all(g.n_rows for g in groups) and sum(g.n_rows for g in groups) == int(seen.forward.sum()):
        return groups
    return (_group(seen, pull, np.sort(np.concatenate(parts))),)


def _connected(moving: np.ndarray) -> list[np.ndarray]:
    """Positions in groups that no direction links, from directions by coefficient, bool of shape (m, k)."""
    # Loaded where there is something to separate, and not with every fit.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    direction, position = np.nonzero(moving)
    nodes = sum(moving.shape)
    links = coo_array((np.ones(len(direction)), (direction, len(moving) + position)), shape=(nodes, nodes))
    label = connected_components(links, directed=False)[1][len(moving) :]
    positions = np.flatnonzero(moving.any(axis=0))
    _, first = np.unique(label[positions], return_index=True)
    return [positions[label[positions] == label[positions[i]]] for i in np.sort(first)]


def _group(seen: Recession, pull: Tensor, part: np.ndarray) -> Separated:
    """How many rows some coefficients move, and which way these are pulled."""
    alone = np.zeros(len(seen.direction))
    alone[part] = seen.direction[part]
    rows = (seen.frame.moves(alone, seen.rounding) != 0) & seen.forward
    ways = set(pull[rows].tolist())
    return Separated(part.tolist(), int(rows.sum()), int(ways.pop()) if len(ways) == 1 else 0)


def _signs(seen: Recession, pull: Tensor, positions: np.ndarray) -> np.ndarray:
    """Sign of each coefficient over the whole cone {d: a_i'd >= 0}, where some of its rows a_i tell."""
    if len(seen.basis) == 1:
        return np.sign(seen.direction[positions]).astype(int)
    if len(seen.basis) > SIGNED_DIRECTIONS or not seen.proved:
        return np.zeros(len(positions), dtype=int)
    index = seen.forward.nonzero()[:, 0]
    index = index[:: -(-len(index) // SIGNED_ROWS)]
    rows, back = normalised_rows(seen.frame.picked(index, seen.basis) * pull[index, None].cpu().numpy())
    targets = seen.basis[:, positions].T @ back
    return np.array([int(is_sum_of(rows, t)) - int(is_sum_of(rows, -t)) for t in targets])
