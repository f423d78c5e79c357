"""``poly``: orthogonal and raw polynomials, of one variable or several, as R's."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from formula_torch.errors import FormulaError
from formula_torch.formula.values import Basis

__all__ = ["poly"]

State = dict[str, Any]


def poly(*variables: np.ndarray, degree: int | None = None, raw: bool = False, state: State) -> Basis:
    """Polynomials up to `degree`, orthogonal on the data they were learned from.

    ``poly(x, 2)`` has columns ``[1]``, ``[2]``; ``poly(x, z, degree=2)`` has one column for
    every pair of degrees that sum to at most 2, ``[1.0] [2.0] [0.1] [1.1] [0.2]``.
    """
    xs, degree = _variables_and_degree(variables, degree)
    powers = [
        _raw(x, degree) if raw else _orthogonal(x, degree, state.setdefault(str(i), {})) for i, x in enumerate(xs)
    ]
    if len(xs) == 1:
        return Basis(tuple(powers[0]), tuple(str(d) for d in range(1, degree + 1)))
    columns, labels = [], []
    # R's order: the degree of the first variable varies fastest.
    for degrees in (d[::-1] for d in itertools.product(range(degree + 1), repeat=len(xs))):
        if 0 < sum(degrees) <= degree:
            chosen = [p[d - 1] for p, d in zip(powers, degrees, strict=True) if d]
            columns.append(np.prod(chosen, axis=0))
            labels.append(".".join(map(str, degrees)))
    return Basis(tuple(columns), tuple(labels))


def _variables_and_degree(variables: tuple[Any, ...], degree: int | None) -> tuple[list[np.ndarray], int]:
    xs = [v for v in variables if isinstance(v, np.ndarray)]
    numbers = [v for v in variables if not isinstance(v, np.ndarray)]
    if degree is None:
        degree = numbers.pop() if numbers else 1
    if numbers or not xs or not isinstance(degree, int) or degree < 1:
        raise FormulaError("poly takes variables and a whole degree of at least 1: poly(x, 2).")
    return xs, degree


def _raw(x: np.ndarray, degree: int) -> list[np.ndarray]:
    return [x**d for d in range(1, degree + 1)]


def _orthogonal(x: np.ndarray, degree: int, state: State) -> list[np.ndarray]:
    """Three-term recurrence p_{d+1} = (x - a_d) p_d - b_d p_{d-1} (Forsythe 1957, J. SIAM 5:74-88).

    Learned once: a_d = <x p_d, p_d> / <p_d, p_d>, b_d = <p_d, p_d> / <p_{d-1}, p_{d-1}>, with
    columns normed to length 1, as R's. The centring by a_0 keeps calendar years accurate.
    """
    if "alpha" not in state:
        _learn(x[~np.isnan(x)], degree, state)
    previous, current = np.zeros_like(x), np.ones_like(x)
    columns = []
    for d in range(degree):
        factor = state["norm2"][d] / state["norm2"][d - 1] if d else 0.0
        previous, current = current, (x - state["alpha"][d]) * current - factor * previous
        columns.append(current / np.sqrt(state["norm2"][d + 1]))
    return columns


def _learn(x: np.ndarray, degree: int, state: State) -> None:
    if len(np.unique(x)) <= degree:
        raise FormulaError(
            f"poly of degree {degree} needs more than {degree} distinct values; there are {len(np.unique(x))}."
        )
    alpha: list[float] = []
    norm2 = [float(len(x))]
    previous, current = np.zeros_like(x), np.ones_like(x)
    for d in range(degree):
        # Around the mean first: sums of x p^2 with x near 2000 would lose four digits.
        centre = alpha[0] if d else float(np.mean(x))
        alpha.append(centre + float(np.sum((x - centre) * current**2)) / norm2[d])
        factor = norm2[d] / norm2[d - 1] if d else 0.0
        previous, current = current, (x - alpha[d]) * current - factor * previous
        norm2.append(float(np.sum(current**2)))
    state["alpha"], state["norm2"] = alpha, norm2
