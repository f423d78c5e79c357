"""The derivative of a design with respect to one column of the data, again as products.

What a formula multiplies (``x``, ``I(x**2)``, ``x:z``, ``x:C(g)``) is differentiated exactly,
by the product rule on the bases of the design; what it evaluates (``np.log(x)``, ``poly``,
``bs``) by differences of the expression, chained by the same rule. Nothing is expanded.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design, NumericBlock, Product
from formula_torch.errors import FormulaError
from formula_torch.formula.dialect import Expression
from formula_torch.formula.encode import Levels, Monomial, assembled
from formula_torch.formula.evaluate import Evaluator
from formula_torch.formula.monomials import syntax_tree
from formula_torch.formula.recipe import Recipe
from formula_torch.formula.values import Basis
from formula_torch.numerics.arrays import as_tensor
from formula_torch.numerics.differences import differentiate

__all__ = ["Derivative", "derivative", "offset_readers", "readers"]


@dataclass(frozen=True, eq=False)
class Derivative:
    """dX/dx as a sum of designs, one for each base that holds x.

    Parameters
    ----------
    parts : tuple of Design
        Their sum, row by row, is the derivative of the design.
    k, n_rows : int
    offset : Tensor, shape (n,), or None
        Derivative of the formula's offset.
    """

    parts: tuple[Design, ...]
    k: int
    n_rows: int
    offset: Tensor | None = None

    def matvec(self, beta: np.ndarray) -> Tensor:
        """(dX/dx) @ beta, shape (n,); without the offset."""
        out = torch.zeros(self.n_rows, dtype=torch.float64)
        for part in self.parts:
            out += part.matvec(beta)
        return out

    def rmatvec(self, r: Tensor) -> np.ndarray:
        """(dX/dx)' r, shape (k,)."""
        return sum((part.rmatvec(r) for part in self.parts), start=np.zeros(self.k))

    def rows(self, start: int, stop: int) -> Derivative:
        """Return the derivative of the rows ``start:stop``, as views."""
        parts = tuple(part.rows(start, stop) for part in self.parts)
        return Derivative(parts, self.k, stop - start, None if self.offset is None else self.offset[start:stop])


def readers(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """From the columns of the data to the placeholders of the expressions that read them, in the formula's order.

    Columns that no column of the design depends on are not among them.
    """
    found: dict[str, list[str]] = {}
    for key in recipe.represented:
        for name in _columns_read(recipe.formula.expressions[key], recipe):
            found.setdefault(name, []).append(key)
    return {name: tuple(keys) for name, keys in found.items()}


def offset_readers(recipe: Recipe) -> set[str]:
    """Columns of the data that the formula's own offsets read."""
    return {name for key in recipe.offsets for name in _columns_read(recipe.formula.offsets[key], recipe)}


def _columns_read(expression: Expression, recipe: Recipe) -> list[str]:
    """Names of columns in the order written; constants such as ``pi`` are none."""
    named = []
    for node in ast.walk(syntax_tree(expression)):
        match node:
            case ast.Name(id=key) if key in expression.variables:
                named.append(expression.variables[key])
            case ast.Call(func=ast.Name(id="Q"), args=[ast.Constant(value=str(name))]):
                named.append(name)
    return [name for name in dict.fromkeys(named) if name in recipe.columns]


def derivative(recipe: Recipe, data: Any, name: str, *, low: float = np.nan, high: float = np.nan) -> Derivative:
    """Differentiate the design of `data`, row by row, with respect to the column `name`.

    Exact to rounding where terms are products of columns; 1e-6 promised, and about 1e-11
    seen, where an expression has to be differentiated by differences.

    Parameters
    ----------
    recipe : Recipe
    data : table or Frame
    name : str
        A numeric column.
    low, high : float
        The range in which expressions of the column may be evaluated; by default that of the data.

    Raises
    ------
    FormulaError
        The column makes a factor (``C(x)``, ``cut(x, 3)``, ``I(x > 2)``), a term jumps or is a step
        function of it, or has an infinite slope in some row.

    Examples
    --------
    >>> from formula_torch.formula.learn import learn
    >>> recipe = learn("y ~ x*z + I(x**2)", {"y": [1., 2., 4.], "x": [1., 2., 3.], "z": [5., 7., 8.]}).recipe
    >>> slope = derivative(recipe, {"x": [2.0, 4.0], "z": [3.0, 1.0]}, "x")
    >>> slope.matvec(np.array([0.0, 1.0, 0.0, 10.0, 100.0])).tolist()  # 1 + 10 * 2x + 100 * z
    [341.0, 181.0]
    """
    frame = as_frame(data)
    x = frame.column(name).numbers
    ends = np.append(x, [low, high])
    ends = ends[np.isfinite(ends)]
    moves = _Moves(recipe, frame, name, x, *((ends.min(), ends.max()) if ends.size else (0.0, 0.0)))
    keys = readers(recipe).get(name, ())
    for key in keys:
        if isinstance(recipe.encodings[key], Levels):
            raise FormulaError(
                f"`{recipe.encodings[key].text}` makes a factor of `{name}`, which has no derivative; compare values "
                f"of it instead: variables={{{name!r}: [low, high]}}."
            )
    # The design is linear in each base: what goes through one is its slope times the products less one of it.
    evaluator = recipe.evaluator(frame)
    values = {key: recipe.encoded(key, evaluator) for key in recipe.represented}
    design, sources = assembled(recipe.terms, recipe.encodings, recipe.names, values, frame.n_rows)
    slopes = {key: moves.slopes(key) for key in keys if not isinstance(recipe.encodings[key], Monomial)}
    parts = tuple(_parts(design, sources, name, slopes))
    offset = as_tensor(moves.offset_slope()) if name in offset_readers(recipe) else None
    return Derivative(parts, design.k, design.n_rows, offset)


def _parts(design: Design, sources: tuple[Any, ...], name: str, slopes: dict[str, np.ndarray]) -> Iterator[Design]:
    for base, source in enumerate(sources):
        if source == name:
            yield _through(design, base, None)
        elif isinstance(source, tuple) and source[0] in slopes:
            yield _through(design, base, as_tensor(slopes[source[0]][source[1]]))


def _through(design: Design, base: int, slope: Tensor | None) -> Design:
    """The share of the derivative that goes through one base, whose own slope is 1 where None is given."""
    extra = () if slope is None else (len(design.bases),)
    block = design.numeric
    held = [i for i, product in enumerate(block.products) if base in product]
    numeric = NumericBlock(
        tuple(_less_one(block.products[i], base) + extra for i in held),
        block.columns[held],
        np.zeros(len(held)),
        np.array([float(block.products[i].count(base)) for i in held]),
    )
    factors = tuple(
        replace(f, value=(_less_one(f.value, base) + extra) or None, scale=float(f.value.count(base)))
        for f in design.factors
        if f.value is not None and base in f.value
    )
    bases = design.bases if slope is None else (*design.bases, slope)
    return replace(design, bases=bases, numeric=numeric, factors=factors)


def _less_one(product: Product, base: int) -> Product:
    place = product.index(base)
    return product[:place] + product[place + 1 :]


@dataclass(frozen=True, eq=False)
class _Moves:
    """Expressions of a frame in which one column moves."""

    recipe: Recipe
    frame: Frame
    name: str
    x: np.ndarray
    low: float
    high: float

    def slopes(self, key: str) -> np.ndarray:
        """Slopes of the columns of an expression, shape (columns, n)."""

        def columns(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
            value = self.recipe.encoded(key, self._moved(points, rows))
            return np.stack(value.columns if isinstance(value, Basis) else (value,))

        return self._differentiated(columns, self.recipe.encodings[key].text)

    def offset_slope(self) -> np.ndarray:
        """Slope of the formula's offset, shape (n,)."""

        def total(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return np.asarray(self.recipe.offset(self._moved(points, rows)))[None]

        return self._differentiated(total, "offset(...)")[0]

    def _moved(self, points: np.ndarray, rows: np.ndarray) -> Evaluator:
        """Evaluator of some rows, with the column at other points."""
        frame = self.frame
        if len(rows) < len(self.x):
            kept = np.zeros(len(self.x), dtype=bool)
            kept[rows] = True
            frame = frame.filter(kept)
        return self.recipe.evaluator(frame.with_column(self.name, points))

    def _differentiated(self, function: Any, text: str) -> np.ndarray:
        slope, found = differentiate(function, self.x, self.low, self.high)
        lost = ~found & np.isfinite(self.x)
        if lost.any():
            row = int(np.flatnonzero(lost)[0])
            raise FormulaError(
                f"`{text}` has no derivative in `{self.name}` in {int(lost.sum())} of {len(lost)} rows (first: row "
                f"{row}, at {self.x[row]:g}): it jumps there, or its slope is infinite."
            )
        if not slope.any() and self.low < self.high and self._steps(function):
            raise FormulaError(
                f"`{text}` is a step function of `{self.name}`: its derivative is zero wherever there is one; compare "
                f"values instead: variables={{{self.name!r}: [low, high]}}."
            )
        return slope

    def _steps(self, function: Any) -> bool:
        """Whether a function without slope differs between the ends of the range."""
        rows = np.arange(len(self.x))
        ends = [function(np.full(len(rows), end), rows) for end in (self.low, self.high)]
        return bool((ends[0] != ends[1]).any())
