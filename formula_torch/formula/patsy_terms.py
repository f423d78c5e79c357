"""Patsy's algebra of terms, their order and their redundancy, from its documentation.

Terms with the same numeric factors form a group; groups stand in order of
appearance, the one without numeric factors first, and within a group terms stand by
degree. A categorical factor f spans the constant and f without it: a term over
several factors is the set of all subsets of its factors, each without its constant.
What a term spans beyond the earlier terms of its group is put together again from
the smallest subset up, so that as few and as full codings as possible are needed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from formula_torch.errors import FormulaError
from formula_torch.formula.pieces import Piece, Term

__all__ = ["coded", "expand"]

Factors = tuple[str, ...]


class _Terms(NamedTuple):
    """Terms in order, what is said of the intercept (None: nothing), and the number that stands for them."""

    terms: tuple[Factors, ...]
    intercept: bool | None = None
    number: int | None = None


def expand(skeleton: str) -> list[Factors]:
    """Expand a formula of placeholders into terms in the order patsy finds them; ``()`` is the intercept.

    Raises
    ------
    FormulaError
        The algebra cannot be read, or the intercept stands in an interaction.

    Examples
    --------
    >>> expand("f0 * f1 - f0")
    [(), ('f1',), ('f0', 'f1')]
    """
    rest = re.findall(r"\*\*|[-+*/:()]|\w+", skeleton)[::-1]
    made = _chain(rest, 0)
    if rest:
        raise FormulaError("an operator has nothing to work on.")
    return [*([] if made.intercept is False else [()]), *made.terms]


def _chain(rest: list[str], lowest: int) -> _Terms:
    """Read operators that bind at least as tight as `lowest`, from the left; `rest` is reversed and used up."""
    made = _Terms(()) if rest and rest[-1] in ("+", "-") else _operand(rest)
    while rest and rest[-1] in _OPERATIONS and _OPERATIONS[rest[-1]][0] >= lowest:
        binding, operation = _OPERATIONS[rest.pop()]
        made = operation(made, _chain(rest, binding + 1))
    return made


def _operand(rest: list[str]) -> _Terms:
    word = rest.pop() if rest else ""
    if word == "(":
        made = _chain(rest, 0)
        if rest and rest.pop() == ")":
            return made
    elif word.isdigit():
        return _Terms((), word == "1", int(word))
    elif word.isidentifier():
        return _Terms(((word,),))
    raise FormulaError("an operator has nothing to work on.")


def _sum(left: _Terms, right: _Terms) -> _Terms:
    return _Terms(_distinct(left.terms + right.terms), left.intercept if right.intercept is None else right.intercept)


def _difference(left: _Terms, right: _Terms) -> _Terms:
    taken = {frozenset(term) for term in right.terms}
    kept = tuple(term for term in left.terms if frozenset(term) not in taken)
    return _Terms(kept, left.intercept if right.intercept is None else not right.intercept)


def _interaction(left: _Terms, right: _Terms) -> _Terms:
    if left.intercept or right.intercept:
        raise FormulaError("the intercept cannot be part of an interaction.")
    return _Terms(_distinct(tuple(dict.fromkeys(a + b)) for a, b in itertools.product(left.terms, right.terms)))


def _crossing(left: _Terms, right: _Terms) -> _Terms:
    return _sum(_sum(left, right), _interaction(left, right))


def _nesting(left: _Terms, right: _Terms) -> _Terms:
    whole = _Terms((tuple(factor for term in left.terms for factor in term),), left.intercept)
    return _sum(left, _interaction(whole, right))


def _power(base: _Terms, power: _Terms) -> _Terms:
    if power.number is None:
        raise FormulaError("a power of terms must be a whole number.")
    total = product = base
    for _ in range(1, power.number):
        product = _interaction(product, base)
        total = _sum(total, product)
    return total


# How tight each operator binds, and what it does.
_OPERATIONS: dict[str, tuple[int, Callable[[_Terms, _Terms], _Terms]]] = {
    "+": (0, _sum),
    "-": (0, _difference),
    "*": (1, _crossing),
    "/": (1, _nesting),
    ":": (2, _interaction),
    "**": (3, _power),
}


def _distinct(terms: Iterable[Factors]) -> tuple[Factors, ...]:
    """Each term once, where and as it first stands."""
    first: dict[frozenset[str], Factors] = {}
    for term in terms:
        first.setdefault(frozenset(term), term)
    return tuple(first.values())


def coded(terms: Iterable[Factors], categorical: Mapping[str, bool]) -> tuple[Term, ...]:
    """Order terms and decide which factor of which term loses a column.

    Parameters
    ----------
    terms : iterable of tuples of placeholders
    categorical : mapping
        Placeholder to whether it is a factor.
    """
    groups: dict[frozenset[str], list[Factors]] = {frozenset(): []}
    for term in terms:
        groups.setdefault(frozenset(f for f in term if not categorical[f]), []).append(term)
    return tuple(term for group in groups.values() for term in _coded_group(sorted(group, key=len), categorical))


def _coded_group(terms: Iterable[Factors], categorical: Mapping[str, bool]) -> list[Term]:
    spanned: set[frozenset[str]] = set()
    made = []
    for term in terms:
        factors = [f for f in term if categorical[f]]
        subsets = [frozenset(s) for size in range(len(factors) + 1) for s in itertools.combinations(factors, size)]
        codings = _put_together([dict.fromkeys(subset, True) for subset in subsets if subset not in spanned])
        spanned |= set(subsets)
        pieces = (
            Piece(tuple((f, coding.get(f, False)) for f in term if f in coding or not categorical[f]))
            for coding in codings
        )
        made.append(Term(term, tuple(pieces)))
    return made


def _put_together(codings: list[dict[str, bool]]) -> list[dict[str, bool]]:
    """Join what differs by one reduced factor, as ``a`` and ``a:b`` without b's constant are ``a:b`` with it."""
    for short, long in itertools.combinations(range(len(codings)), 2):
        further = codings[long].items() - codings[short].items()
        if len(codings[long]) == len(codings[short]) + 1 and len(further) == 1:
            (factor, reduced), *_ = further
            if reduced:
                joined = {**codings[short], factor: False}
                placed = [*codings[:long], joined, *codings[long + 1 :]]
                return _put_together(placed[:short] + placed[short + 1 :])
    return codings
