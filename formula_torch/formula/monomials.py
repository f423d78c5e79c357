"""Terms that are products of columns: they need no memory, and can be had without rounding."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from formula_torch.data import Frame
from formula_torch.errors import FormulaError
from formula_torch.formula.dialect import Expression

__all__ = ["Products", "monomials", "syntax_tree"]

Products = tuple[tuple[str, ...], ...]
Labels = tuple[str, ...]


def syntax_tree(expression: Expression) -> ast.expr:
    """Parse the Python syntax of an expression.

    Raises
    ------
    FormulaError
        It is no expression.
    """
    try:
        return ast.parse(expression.source.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise FormulaError(f"`{expression.text}` cannot be read: {getattr(error, 'msg', error)}.") from None
    except (RecursionError, MemoryError):
        raise FormulaError(f"`{expression.text[:60]}...` is nested too deeply to be read.") from None


def monomials(expression: Expression, frame: Frame) -> tuple[Products, Labels | None] | None:
    """Read ``x``, ``I(x**3)``, ``I(x * z)`` or ``poly(x, 3, raw=True)`` as the products of columns that they are.

    Returns
    -------
    products : tuple of tuples of str
        For each column of the term the data columns it multiplies.
    labels : tuple of str or None
        What stands in brackets after the term's text.
    """
    tree = syntax_tree(expression)
    names = _factors(tree, expression.variables)
    found = ((names,), None) if names is not None else _raw_powers(tree, expression.variables)
    if found is None or any(frame.column(name).kind != "number" for product in found[0] for name in product):
        return None
    return found


def _factors(node: ast.expr, variables: Mapping[str, str]) -> tuple[str, ...] | None:
    match node:
        case ast.Name(id=key) if key in variables:
            return (variables[key],)
        case ast.Call(func=ast.Name(id="I"), args=[inner], keywords=[]):
            return _factors(inner, variables)
        case ast.Call(func=ast.Name(id="Q"), args=[ast.Constant(value=str(name))], keywords=[]):
            return (name,)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            a, b = _factors(left, variables), _factors(right, variables)
            return None if a is None or b is None else a + b
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))) if 1 <= power <= 20:
            base = _factors(left, variables)
            return None if base is None else base * power
    return None


def _raw_powers(tree: ast.expr, variables: Mapping[str, str]) -> tuple[Products, Labels] | None:
    match tree:
        case ast.Call(func=ast.Name(id="poly"), args=[ast.Name(id=key), *rest], keywords=options) if key in variables:
            given = {k.arg: k.value for k in options} | ({"degree": rest[0]} if rest else {})
            values = {name: node.value for name, node in given.items() if isinstance(node, ast.Constant)}
            degree = values.get("degree")
            plain = len(values) == len(given) == 2 and len(rest) <= 1 and values.get("raw") is True
            if plain and isinstance(degree, int) and 1 <= degree <= 20:
                powers = range(1, degree + 1)
                return tuple((variables[key],) * d for d in powers), tuple(map(str, powers))
    return None
