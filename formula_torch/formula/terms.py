"""The algebra of terms and the structural rank, both asked of formulaic.

formulaic sees placeholders only, on a frame of two rows in which every factor
has two levels: enough to expand ``a * b - a`` and to decide which factors of
which term must lose a column, whatever the size of the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from formula_torch.errors import FormulaError
from formula_torch.formula.dialect import Formula

__all__ = ["Piece", "Term", "structure", "used_factors"]


@dataclass(frozen=True)
class Piece:
    """A product of factors whose columns stand together.

    Parameters
    ----------
    factors : tuple of (placeholder, reduced)
        `reduced`: a categorical factor loses the column that others already span.
    """

    factors: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Term:
    """A term of the formula: its factors, and the pieces that code it.

    The intercept has no factors and one empty piece.
    """

    factors: tuple[str, ...]
    pieces: tuple[Piece, ...]


def used_factors(formula: Formula) -> set[str]:
    """Placeholders that survive the algebra; `x` does not in ``z + x - x``."""
    return {factor for term in _expand(formula) for factor in term}


def structure(formula: Formula, categorical: Mapping[str, bool]) -> tuple[tuple[Term, ...], tuple[str, ...]]:
    """Expand the formula into terms in R's order (by degree, then as written).

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
    parsed = _expand(formula)
    offsets = []
    for factors in parsed:
        inside = [f for f in factors if f in formula.offsets]
        if inside and len(factors) > 1:
            raise FormulaError(f"in {formula.text!r} an offset cannot be part of an interaction.")
        offsets += inside
    kept = tuple(f for f in parsed if not set(f) & set(offsets))
    kinds = tuple((key, categorical[key]) for key in sorted({key for f in kept for key in f}))
    return _coded(kept, kinds), tuple(offsets)


def _expand(formula: Formula) -> list[tuple[str, ...]]:
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
