"""Hypotheses about coefficients: functions g(theta) with the values they have under the null.

Linear ones are ``R theta = q``; nonlinear ones enter by their gradient at the estimates (the
delta method). Everything after reading knows only effects, null values and the Jacobian.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.errors import DataError, FormulaError
from formula_torch.inference.combinations import Equation, Names, read_equations
from formula_torch.inference.moments import delta_method
from formula_torch.numerics.intervals import standard_errors

__all__ = ["Hypotheses", "read_expressions", "read_hypotheses"]

_Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Functions of k coefficients, evaluated at the estimates.

    Parameters
    ----------
    texts : tuple of str
        The m hypotheses as written; rows of a matrix are ``c0``, ``c1``, ...
    effect : array, shape (m,)
        g(theta); R theta where linear.
    null : array, shape (m,)
        Values under the null hypotheses.
    jacobian : array, shape (m, k)
        Derivatives of g; R where linear.
    linear : array of bool, shape (m,)
    """

    texts: tuple[str, ...]
    effect: np.ndarray
    null: np.ndarray
    jacobian: np.ndarray
    linear: np.ndarray

    def covariance(self, vcov: np.ndarray) -> np.ndarray:
        """Covariance J V J' of the effects, shape (m, m), from that of the coefficients (NaN where unknown)."""
        return delta_method(self.jacobian, vcov)

    def standard_errors(self, vcov: np.ndarray) -> np.ndarray:
        """Root of the diagonal of ``covariance``, shape (m,)."""
        return standard_errors(np.diag(self.covariance(vcov)))


# -- reading --------------------------------------------------------------------------------------


def read_hypotheses(given: Any, names: Sequence[str], theta: np.ndarray) -> Hypotheses:
    """Read hypotheses in any of statsmodels' forms and evaluate them.

    Parameters
    ----------
    given : str, sequence of str, mapping, Series, DataFrame, array or tuple (R, q)
        Text (see ``combinations.read_equations``); names with the values they have under
        the null; weights by name, one row a hypothesis; or R of shape (k,) or (m, k), with
        zero on the right-hand side or q, a number or of shape (m,).
    names : sequence of str
        Names of the coefficients.
    theta : array, shape (k,)
        Coefficients, NaN where aliased.

    Raises
    ------
    FormulaError, UnknownNameError
        The text cannot be read, or holds no coefficient.
    DataError
        R or q has another shape or is not finite; an aliased coefficient is touched; a
        nonlinear function has no finite value or gradient at the estimates.

    Examples
    --------
    >>> h = read_hypotheses("x + 2*z = 3, x / z = 1", ("x", "z"), np.array([1.0, 4.0]))
    >>> h.effect.tolist(), h.null.tolist(), h.jacobian.tolist()
    ([9.0, 0.25], [3.0, 1.0], [[1.0, 2.0], [0.25, -0.0625]])
    """
    return _read(given, tuple(names), theta)


def read_expressions(texts: Sequence[str], names: Sequence[str], theta: np.ndarray) -> Hypotheses:
    """Read expressions to be estimated, such as ``"x + z"``; their null values are zero.

    Raises
    ------
    FormulaError
        Not an expression, or one with ``=``.
    """
    if not _is_texts(texts):
        raise FormulaError("pass expressions as text, such as 'x + z'.")
    known = Names(names)
    equations = [e for text in texts for e in read_equations(text, known)]
    for e in equations:
        if e.right is not None:
            raise FormulaError(f"`{e.text}` is a hypothesis; pass an expression such as 'x + z', or use t_test.")
    return _joined([_of_expression(e, known.names, theta) for e in equations])


@singledispatch
def _read(given: Any, names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    return _from_matrix(given, 0.0, names, theta)


@_read.register(str)
def _(given: str, names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    return _from_texts([given], names, theta)


@_read.register(list)
def _(given: list[Any], names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    return _from_texts(given, names, theta) if _is_texts(given) else _from_matrix(given, 0.0, names, theta)


@_read.register(tuple)
def _(given: tuple[Any, ...], names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    if _is_texts(given):
        return _from_texts(given, names, theta)
    if len(given) != 2:
        raise DataError(f"a tuple of hypotheses is (R, q), and has 2 parts, not {len(given)}.")
    return _from_matrix(given[0], given[1], names, theta)


@_read.register(Mapping)
def _(given: Mapping[Any, Any], names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    """Names with their values under the null, as patsy reads a dict."""
    rows = pd.DataFrame(np.eye(len(given)), columns=list(given))
    return _from_matrix(rows, list(given.values()), names, theta)


@_read.register(pd.Series)
def _(given: pd.Series, names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    return _from_matrix(given.to_frame().T, 0.0, names, theta)


def _is_texts(given: Sequence[Any]) -> bool:
    return len(given) > 0 and all(isinstance(text, str) for text in given)


def _from_matrix(rows: Any, null: Any, names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    r = np.atleast_2d(_numbers(_aligned(rows, names), "R"))
    if r.ndim != 2 or r.shape[1] != len(names) or not len(r):
        raise DataError(f"R has shape {np.shape(rows)}; it needs a column for each of {len(names)} coefficients.")
    q = np.squeeze(_numbers(null, "q"))
    if q.ndim > 1 or q.size not in (1, len(r)):
        raise DataError(f"q has {q.size} values for {len(r)} hypotheses.")
    empty = np.flatnonzero(~r.any(axis=1))
    if len(empty):
        raise DataError(f"row {empty[0]} of R is zero: it is no hypothesis about the coefficients.")
    _refuse_aliased(np.any(r != 0, axis=0), names, theta)
    texts = tuple(f"c{i}" for i in range(len(r)))
    return Hypotheses(texts, r @ np.nan_to_num(theta), np.full(len(r), q), r, np.ones(len(r), dtype=bool))


def _aligned(rows: Any, names: tuple[str, ...]) -> Any:
    """Put the columns of a frame with names in the order of the coefficients, zero where not named."""
    if not isinstance(rows, pd.DataFrame) or not all(isinstance(c, str) for c in rows.columns):
        return rows
    known, aligned = Names(names), np.zeros((len(rows), len(names)))
    where = [known.position(column) for column in rows.columns]
    if len(set(where)) < len(where):
        raise DataError(f"a coefficient is named twice in {list(rows.columns)}.")
    aligned[:, where] = _numbers(rows, "R")
    return aligned


def _numbers(given: Any, what: str) -> np.ndarray:
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"{what} of the hypotheses must be numbers; text goes in a string or a list of strings."
        ) from None
    if not np.isfinite(values).all():
        raise DataError(f"{what} of the hypotheses has {int((~np.isfinite(values)).sum())} values that are not finite.")
    return values


def _from_texts(texts: Sequence[str], names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    known = Names(names)
    return _joined([_of_equation(e, names, theta) for text in texts for e in read_equations(text, known)])


def _joined(parts: Sequence[Hypotheses]) -> Hypotheses:
    return Hypotheses(
        tuple(itertools.chain.from_iterable(p.texts for p in parts)),
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("effect", "null", "jacobian", "linear")),
    )


def _of_equation(e: Equation, names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    """R theta and q where linear; else the left side and the right, or their difference and zero."""
    if e.degree < 2:
        constant, row = _linear(e, names, theta)
        return _single(e.text, row @ np.nan_to_num(theta), -constant, row, linear=True)
    if e.right is None or e.right.degree:
        return _single(e.text, *_nonlinear(e, e.difference, 0.0, names, theta), linear=False)
    null = float(e.right(torch.zeros(0)))
    return _single(e.text, *_nonlinear(e, e.left, null, names, theta), linear=False)


def _of_expression(e: Equation, names: tuple[str, ...], theta: np.ndarray) -> Hypotheses:
    if e.degree < 2:
        constant, row = _linear(e, names, theta)
        return _single(e.text, row @ np.nan_to_num(theta) + constant, 0.0, row, linear=True)
    return _single(e.text, *_nonlinear(e, e.left, 0.0, names, theta), linear=False)


def _single(text: str, effect: float, null: float, row: np.ndarray, *, linear: bool) -> Hypotheses:
    return Hypotheses((text,), np.array([effect]), np.array([null]), row[None], np.array([linear]))


def _linear(e: Equation, names: tuple[str, ...], theta: np.ndarray) -> tuple[float, np.ndarray]:
    """Constant and slopes."""
    if not e.positions:
        raise FormulaError(f"the hypothesis `{e.text}` holds no coefficient.")
    constant, row = _value_and_gradient(e.difference, np.zeros(len(names)))
    if not np.isfinite([constant, *row]).all():
        raise FormulaError(f"the numbers of the hypothesis `{e.text}` are not finite.")
    if not row.any():
        raise FormulaError(f"the coefficients of the hypothesis `{e.text}` cancel; nothing is left to test.")
    _refuse_aliased(row, names, theta)
    return constant, row


def _nonlinear(
    e: Equation, function: _Function, null: float, names: tuple[str, ...], theta: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Effect, null value and gradient at the estimates."""
    touched = np.zeros(len(names), dtype=bool)
    touched[e.positions] = True
    _refuse_aliased(touched, names, theta)
    effect, row = _value_and_gradient(function, np.nan_to_num(theta))
    if not np.isfinite([effect, null, *row]).all():
        held = ", ".join(f"{names[j]} = {theta[j]:.6g}" for j in e.positions)
        raise DataError(
            f"`{e.text}` has no finite value and derivatives at the estimates ({held}); a logarithm or root needs a "
            "positive number, a quotient a denominator that is not zero."
        )
    return effect, null, row


def _value_and_gradient(function: _Function, at: np.ndarray) -> tuple[float, np.ndarray]:
    theta = torch.from_numpy(at.copy()).requires_grad_()
    value = function(theta)
    (gradient,) = torch.autograd.grad(value, theta)
    return value.item(), gradient.numpy()


def _refuse_aliased(touched: Any, names: tuple[str, ...], theta: np.ndarray) -> None:
    lost = np.flatnonzero(np.asarray(touched, dtype=bool) & np.isnan(theta))
    if len(lost):
        listed = ", ".join(f"`{names[j]}`" for j in lost[:4])
        raise DataError(
            f"the hypothesis touches {listed}, dropped from the model as dependent on other columns: there is no "
            "estimate to test. Leave it out, or fit a model in which it can be estimated."
        )
