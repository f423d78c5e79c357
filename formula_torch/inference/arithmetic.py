"""Arithmetic on coefficients: a syntax tree that is walked, never evaluated by Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.errors import FormulaError

__all__ = ["FUNCTIONS", "Expression"]

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt}
_BINARY: dict[type[ast.operator], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: torch.div,
    ast.Pow: torch.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Tensor], Tensor]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


@dataclass(frozen=True, eq=False)
class Expression:
    """Arithmetic on coefficients.

    Parameters
    ----------
    tree : ast.expr
        Coefficient j stands as the name ``bj``.
    degree : int
        0 without coefficients, 1 where linear in them (with a constant), else 2.
    """

    tree: ast.expr
    degree: int

    @staticmethod
    def of(source: str) -> Expression:
        """Read Python syntax in which coefficients are ``b0``, ``b1``, ...

        Raises
        ------
        FormulaError
            It is no arithmetic.
        """
        try:
            tree = ast.parse(source, mode="eval").body
        except (SyntaxError, MemoryError):
            raise FormulaError("it is no arithmetic.") from None
        return Expression(tree, _degree(tree))

    def __call__(self, theta: Tensor) -> Tensor:
        """Compute the value at coefficients of shape (k,)."""
        return _value(self.tree, theta)

    @property
    def positions(self) -> list[int]:
        """Positions of the coefficients that occur, each once."""
        found = (node for node in ast.walk(self.tree) if isinstance(node, ast.Name) and node.id not in FUNCTIONS)
        return sorted({_position(node) for node in found})


def _position(node: ast.Name) -> int:
    return int(node.id[1:])


def _value(node: ast.expr, theta: Tensor) -> Tensor:
    match node:
        case ast.Constant(value=int() | float() as number):
            return torch.tensor(float(number), dtype=torch.float64)
        case ast.Name():
            return theta[_position(node)]
        case ast.UnaryOp():
            return _UNARY[type(node.op)](_value(node.operand, theta))
        case ast.BinOp():
            return _BINARY[type(node.op)](_value(node.left, theta), _value(node.right, theta))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return FUNCTIONS[name](_value(argument, theta))
    raise AssertionError(f"{type(node).__name__} has no degree")


def _degree(node: ast.expr) -> int:
    """Degree in the coefficients (2 for any nonlinear expression); raises for what is not arithmetic."""
    match node:
        case ast.Constant():
            return 0
        case ast.Name():
            return 1
        case ast.UnaryOp():
            return _degree(node.operand)
        case ast.BinOp():
            return _degree_of_pair(node.op, _degree(node.left), _degree(node.right))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            return 2 if _degree(argument) else 0
    raise FormulaError("an operator is missing, or a function has not one argument.")


def _degree_of_pair(sign: ast.operator, left: int, right: int) -> int:
    match sign:
        case ast.Add() | ast.Sub():
            return max(left, right)
        case ast.Mult():
            return min(left + right, 2)
        case ast.Div():
            return 2 if right else left
    return 2 if left or right else 0
