"""Coefficients on raw powers of time, from those of the formula."""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.polynomial import polynomial

from formula_torch.errors import FormulaError, check_share
from formula_torch.formula.derivative import readers
from formula_torch.formula.encode import Levels, Monomial
from formula_torch.formula.monomials import syntax_tree
from formula_torch.formula.recipe import Recipe
from formula_torch.numerics.intervals import standard_errors, t_interval, t_ratio
from formula_torch.numerics.tails import t_two_sided
from formula_torch.result.trajectory.base import TrajectoryEstimates

__all__ = ["power_columns", "raw_power_table"]

# A column: for each power of time what it multiplies besides.
Column = tuple[str, np.ndarray]


def raw_power_table(fit: TrajectoryEstimates, time: str, level: float) -> pd.DataFrame:
    """Coefficients A b of the groups on powers of time with the errors of A V A', as ``raw_powers``."""
    check_share("level", level)
    terms, matrix = power_columns(fit.recipe, time)
    layout, df = fit.spec.layout, fit.covariance.df
    parts = []
    for g, beta in enumerate(fit.beta):
        positions = np.where(np.isnan(beta), -1, layout.beta[g])
        present = (matrix[:, positions >= 0] != 0).any(axis=1)
        jacobian = layout.spread(matrix[present], positions, len(layout.names))
        estimate = matrix[present] @ np.nan_to_num(beta)
        errors = standard_errors(fit.variances(jacobian))
        low, high = t_interval(estimate, errors, 1 - level, df)
        parts.append(
            pd.DataFrame(
                {
                    "group": g + 1,
                    "term": [term for term, kept in zip(terms, present, strict=True) if kept],
                    "estimate": estimate,
                    "std_error": errors,
                    "statistic": t_ratio(estimate, errors),
                    "p_value": t_two_sided(t_ratio(estimate, errors), df),
                    "conf_low": low,
                    "conf_high": high,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def power_columns(recipe: Recipe, time: str) -> tuple[list[str], np.ndarray]:
    """Write the columns of a formula as combinations of powers of time, times what they multiply.

    Parameters
    ----------
    recipe : Recipe
    time : str

    Returns
    -------
    terms : list of str, length q
        ``Intercept``, ``t``, ``t^2``, ``x``, ``t:x``, ...
    matrix : array, shape (q, k)
        From coefficients of the formula's columns to coefficients of these.

    Raises
    ------
    FormulaError
        A term of the formula is no polynomial in time.

    Examples
    --------
    >>> from formula_torch.formula.learn import learn
    >>> recipe = learn("y ~ poly(t, 1)", {"y": [1.0, 2.0, 4.0], "t": [0.0, 1.0, 2.0]}).recipe
    >>> terms, matrix = power_columns(recipe, "t")  # poly(t, 1) is (t - 1) / 2^1/2
    >>> terms, matrix.round(3).tolist()
    (['Intercept', 't'], [[1.0, -0.707], [0.0, 0.707]])
    """
    powers = _Powers(recipe, time)
    columns = [column for term in recipe.terms for piece in term.pieces for column in powers.piece(piece.factors)]
    rests = list(dict.fromkeys(rest for rest, _ in columns))
    degree = {rest: max(len(c) for other, c in columns if other == rest) for rest in rests}
    found = [(rest, j) for rest in rests for j in range(degree[rest])]
    # By power first, as the formula would be written.
    found.sort(key=lambda place: (place[0] != "", rests.index(place[0])))
    matrix = np.array([[_coefficient(column, rest, j) for column in columns] for rest, j in found])
    used = (matrix != 0).any(axis=1)
    terms = [_named(time, rest, j) for rest, j in found]
    return [term for term, kept in zip(terms, used, strict=True) if kept], matrix[used]


def _coefficient(column: Column, rest: str, power: int) -> float:
    own, coefficients = column
    return float(coefficients[power]) if own == rest and power < len(coefficients) else 0.0


def _named(time: str, rest: str, power: int) -> str:
    own = "" if power == 0 else time if power == 1 else f"{time}^{power}"
    return ":".join(filter(None, (own, rest))) or "Intercept"


@dataclass(frozen=True)
class _Powers:
    """Columns of a formula as polynomials in time."""

    recipe: Recipe
    time: str
    factors: dict[tuple[str, bool], list[Column]] = field(default_factory=dict)

    def piece(self, factors: tuple[tuple[str, bool], ...]) -> list[Column]:
        """Columns of a product of factors; the first varies fastest, as in ``column_names``."""
        parts = [self.factor(key, reduced) for key, reduced in factors]
        found = []
        for combination in itertools.product(*parts[::-1]):
            rest = ""
            coefficients: np.ndarray = np.ones(1)
            for other, polynomial_of in combination[::-1]:
                rest = ":".join(filter(None, (rest, other)))
                coefficients = polynomial.polymul(coefficients, polynomial_of)
            found.append((rest, coefficients))
        return found

    def factor(self, key: str, reduced: bool) -> list[Column]:
        """Columns of one expression."""
        encoding = self.recipe.encodings[key]
        if isinstance(encoding, Monomial):
            return [self._monomial(product) for product in encoding.products]
        if key not in readers(self.recipe).get(self.time, ()):
            names = encoding.names_when(reduced) if isinstance(encoding, Levels) else encoding.names
            return [(name, np.ones(1)) for name in names]
        return [("", column) for column in self._orthogonal(key)]

    def _monomial(self, product: tuple[str, ...]) -> Column:
        power = product.count(self.time)
        return ":".join(name for name in product if name != self.time), np.append(np.zeros(power), 1.0)

    def _orthogonal(self, key: str) -> list[np.ndarray]:
        """Polynomials of ``poly(t, d)`` by the recurrence that it learned."""
        expression = self.recipe.formula.expressions[key]
        match syntax_tree(expression):
            case ast.Call(func=ast.Name(id="poly"), args=[ast.Name(id=name), *_]) if expression.variables.get(
                name
            ) == self.time and list(state := self.recipe.states.get(f"{expression.text} #1", {})) == ["0"]:
                return _recurrence(**state["0"])
        raise FormulaError(
            f"`{expression.text}` is no polynomial in `{self.time}`, so there are no coefficients on its powers; "
            f"poly({self.time}, 2) and I({self.time}^2) have them."
        )


def _recurrence(alpha: list[float], norm2: list[float]) -> list[np.ndarray]:
    """Coefficients of p_{d+1} = (t - a_d) p_d - b_d p_{d-1}, normed as the columns of ``poly`` are."""
    previous: np.ndarray = np.zeros(1)
    current: np.ndarray = np.ones(1)
    columns = []
    for d, centre in enumerate(alpha):
        factor = norm2[d] / norm2[d - 1] if d else 0.0
        moved = polynomial.polymul(np.array([-centre, 1.0]), current)
        previous, current = current, polynomial.polysub(moved, factor * previous)
        columns.append(current / np.sqrt(norm2[d + 1]))
    return columns
