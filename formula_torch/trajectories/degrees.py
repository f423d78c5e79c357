"""Curves of different degree: which columns of the polynomial each group has."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from formula_torch.errors import FormulaError
from formula_torch.formula.encode import Encoding, Levels, Monomial, Numbers
from formula_torch.formula.recipe import Recipe

__all__ = ["column_degrees", "kept_columns"]


def kept_columns(recipe: Recipe, groups: int, degrees: Sequence[int] | None) -> np.ndarray:
    """Which coefficients each group has, bool of shape (K, k).

    Parameters
    ----------
    recipe : Recipe
    groups : int
    degrees : sequence of int, optional
        One a group; None: all coefficients.

    Raises
    ------
    FormulaError
        The formula has no polynomial, or several; or its degree is lower.
    ValueError
        Not one whole number a group.
    """
    if degrees is None:
        return np.ones((groups, len(recipe.column_names)), dtype=bool)
    if len(degrees) != groups:
        raise ValueError(f"degrees={tuple(degrees)} must be {groups} whole numbers, a degree for each group.")
    own = column_degrees(recipe)
    if max(degrees) > own.max():
        raise FormulaError(
            f"degrees={tuple(degrees)} asks for degree {max(degrees)}, and the polynomial in {recipe.formula.text!r} "
            f"has degree {own.max()}; write it with the highest degree."
        )
    kept = own <= np.array(degrees)[:, None]
    if not kept.any(axis=1).all():
        raise FormulaError(
            f"degrees={tuple(degrees)} leave a group without a column; {recipe.formula.text!r} has no intercept."
        )
    return kept


def column_degrees(recipe: Recipe) -> np.ndarray:
    """The degree of each column in the polynomial of the formula, shape (k,); 0 for columns that are no part of it.

    The polynomial is ``poly(t, d)``, or the powers ``t + I(t^2) + ...`` of one variable; products of it with
    other terms have its degree.

    Raises
    ------
    FormulaError
        There is none, or there are several.
    """
    variable = _variable(recipe)
    own = {key: _degrees(recipe, key, variable) for key in recipe.encodings}
    for key, degrees in own.items():
        if not degrees and variable in recipe.formula.expressions[key].variables.values():
            raise FormulaError(
                f"degrees= would leave `{recipe.encodings[key].text}` in every group: it reads `{variable}`, and is no "
                f"power of it. Write poly({variable}, d)."
            )
    found = []
    for piece in (p for term in recipe.terms for p in term.pieces):
        parts = [own[key] or [0] * _width(recipe.encodings[key], reduced) for key, reduced in piece.factors]
        # The order of products is that of ``column_names``: the first factor varies fastest.
        found += [sum(combination) for combination in itertools.product(*parts[::-1])]
    return np.array(found, dtype=np.int64)


def _variable(recipe: Recipe) -> str:
    """The variable that the formula has a polynomial in."""
    several, single = set(), set()
    for key, encoding in recipe.encodings.items():
        names = set(recipe.formula.expressions[key].variables.values())
        if _is_poly(encoding):
            several |= names
        elif isinstance(encoding, Monomial):
            single |= set(encoding.columns)
            several |= {p[0] for p in encoding.products if len(p) > 1 and len(set(p)) == 1}
    found = sorted(several or single)
    if len(found) != 1:
        has = "no polynomial" if not found else f"those of {', '.join(f'`{name}`' for name in found)}"
        raise FormulaError(
            f"degrees= needs one polynomial of one variable, and {recipe.formula.text!r} has {has}; write poly(t, d) "
            "with the highest degree."
        )
    return found[0]


def _is_poly(encoding: Encoding) -> bool:
    return encoding.text.startswith("poly(")


def _degrees(recipe: Recipe, key: str, variable: str) -> list[int]:
    """Degrees of the columns of an expression in a variable; empty where it is no part of the polynomial."""
    encoding = recipe.encodings[key]
    if isinstance(encoding, Monomial):
        return [product.count(variable) for product in encoding.products]
    if isinstance(encoding, Numbers) and _is_poly(encoding):
        labels = encoding.labels or ("1",)
        if not all(label.isdigit() for label in labels):
            raise FormulaError(f"degrees= needs a polynomial of one variable, not `{encoding.text}`.")
        return [int(label) for label in labels]
    return []


def _width(encoding: Encoding, reduced: bool) -> int:
    return len(encoding.names_when(reduced) if isinstance(encoding, Levels) else encoding.names)
