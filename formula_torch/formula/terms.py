"""The algebra of terms and the structural rank, both asked of formulaic.

formulaic sees placeholders only, on a frame of two rows in which every factor
has two levels: enough to expand ``a * b - a`` and to decide which factors of
which term must lose a column, whatever the size of the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pandas as pd

from formula_torch.errors import FormulaError
from formula_torch.formula import patsy_terms
from formula_torch.formula.conventions import OURS, Conventions
from formula_torch.formula.dialect import Formula
from formula_torch.formula.pieces import Piece, Term

__all__ = ["structure", "used_factors"]


def used_factors(formula: Formula, conventions: Conventions = OURS) -> set[str]:
    """Placeholders that survive the algebra; `x` does not in ``z + x - x``."""
    return {factor for term in _expand(formula, conventions) for factor in term}


def structure(
    formula: Formula, categorical: Mapping[str, bool], conventions: Conventions = OURS
) -> tuple[tuple[Term, ...], tuple[str, ...]]:
    """Expand the formula into terms, in R's order (by degree, then as written) or patsy's.

    Returns
    -------
    terms : tuple of Term
    offsets : tuple of str
        Placeholders of the offsets that survive the algebra.

    Raises
    ------
    FormulaError
        The algebra cannot be read, or an offset stands in an interaction.
    """
    parsed = _expand(formula, conventions)
    offsets = []
    for factors in parsed:
        inside = [f for f in factors if f in formula.offsets]
        if inside and len(factors) > 1:
            raise FormulaError(f"in {formula.text!r} an offset cannot be part of an interaction.")
        offsets += inside
    kept = tuple(f for f in parsed if not set(f) & set(offsets))
    if conventions.by_numeric_factors:
        return patsy_terms.coded(kept, categorical), tuple(offsets)
    kinds = tuple((key, categorical[key]) for key in sorted({key for f in kept for key in f}))
    return _coded(kept, kinds), tuple(offsets)


def _expand(formula: Formula, conventions: Conventions) -> list[tuple[str, ...]]:
    if conventions.by_numeric_factors:
        try:
            return patsy_terms.expand(formula.skeleton)
        except FormulaError as error:
            raise FormulaError(f"the formula {formula.text!r} cannot be read: {error}") from None
    return _expand_as_r(formula)


def _expand_as_r(formula: Formula) -> list[tuple[str, ...]]:
    from formulaic import Formula as Algebra
    from formulaic.errors import FormulaicError

    try:
        parsed = Algebra(formula.skeleton)
    except (FormulaicError, SyntaxError) as error:
        named = {**formula.expressions, **formula.offsets}
        detail = re.sub(r"\x1b\[[\d;]*m", "", str(error)).split("\n")[0]
        detail = re.sub(r"\bf\d+\b", lambda m: named[m.group()].text if m.group() in named else m.group(), detail)
        if "argument" in detail:
            detail = "an operator has nothing to work on."
        raise FormulaError(f"the formula {formula.text!r} cannot be read: {detail}") from None
    return [tuple(f.expr for f in term.factors if f.expr != "1") for term in parsed]


@lru_cache(maxsize=256)
def _coded(terms: tuple[tuple[str, ...], ...], categorical: tuple[tuple[str, bool], ...]) -> tuple[Term, ...]:
    if not terms:
        return ()
    from formulaic import Formula as Algebra

    tiny = pd.DataFrame(
        {key: pd.Categorical(["a", "b"]) if factor else [1.0, 2.0] for key, factor in categorical}, index=range(2)
    )
    algebra = Algebra([":".join(factors) or "1" for factors in terms])
    spec: Any = algebra.get_model_matrix(tiny).model_spec
    coded = []
    for row in spec.structure:
        factors = tuple(f.expr for f in row.term.factors if f.expr != "1")
        pieces = (Piece(_in_order(scoped, factors)) for scoped in row.scoped_terms)
        coded.append(Term(factors, tuple(pieces)))
    return tuple(coded)


def _in_order(scoped: Any, factors: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    reduced = {f.factor.expr: bool(f.reduced) for f in scoped.factors}
    return tuple((key, reduced[key]) for key in factors if key in reduced)
