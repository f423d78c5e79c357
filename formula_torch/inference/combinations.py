"""Equations in coefficients, from text.

The names of coefficients are found before anything else, the longest first, so that
``np.log(x) = 1`` is about the coefficient `np.log(x)`, whatever signs its name holds.
What is left is arithmetic.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from formula_torch.data import suggest
from formula_torch.errors import FormulaError, UnknownNameError
from formula_torch.inference.arithmetic import FUNCTIONS, Expression

__all__ = ["Equation", "Names", "read_equations"]

# What may stand in place of a coefficient's name: words and quoted names, with the brackets that follow, joined by `:`.
_ATOM = r"(?:`[^`]+`|[^\W\d][\w.]*)(?:\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]|\.\w+)*"
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LEXEME = re.compile(
    rf"""
    (?P<space>\s+)
  | (?P<function>(?:np\.)?(?:{"|".join(FUNCTIONS)}))(?=\s*\()
  | (?P<number>{_NUMBER})
  | (?P<name>{_ATOM}(?::{_ATOM})*)
  | (?P<operator>\*\*|==|[-+*/^()=,])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SPELLINGS = {"==": "=", "^": "**"}


@dataclass(frozen=True)
class _Token:
    """A piece of text, what Python's grammar sees in its place, and where it stands."""

    source: str
    start: int
    end: int


_Tokens = Sequence[_Token]


@dataclass(frozen=True, eq=False)
class Equation:
    """Two expressions that are equal under the null hypothesis.

    Parameters
    ----------
    text : str
        As written.
    left : Expression
    right : Expression or None
        None where no ``=`` was written, which stands for zero.
    """

    text: str
    left: Expression
    right: Expression | None

    @property
    def degree(self) -> int:
        """0 without coefficients, 1 where linear in them, else 2."""
        return self.left.degree if self.right is None else max(self.left.degree, self.right.degree)

    @property
    def positions(self) -> list[int]:
        """Positions of the coefficients that occur, each once."""
        return sorted({*self.left.positions, *(self.right.positions if self.right else ())})

    def difference(self, theta: Tensor) -> Tensor:
        """Left side less right side."""
        return self.left(theta) if self.right is None else self.left(theta) - self.right(theta)


# -- names ----------------------------------------------------------------------------------------


def _without_np(name: str) -> str:
    return re.sub(r"\bnp\.(?=\w+\()", "", name)


def _spellings(name: str) -> set[str]:
    """`np.log(x)` and `log(x)` are one coefficient; neither is the logarithm of the coefficient of x."""
    bare = _without_np(name)
    return {name, bare, re.sub(rf"(?<![\w.])(?=(?:{'|'.join(FUNCTIONS)})\()", "np.", bare)}


def _plain(name: str) -> tuple[str, ...]:
    """Parts of a name without spaces, backticks, ``Q``, ``np.`` and kinds of quotes, in any order of an interaction."""
    bare = re.sub(r"""\bQ\((["'])(.*?)\1\)""", r"\2", _without_np(name))
    bare = re.sub(r"[\s`]", "", bare).replace('"', "'")
    return tuple(sorted(bare.split(":")))


class Names:
    """Looks up coefficients by the names that texts use for them.

    Parameters
    ----------
    names : sequence of str
        Names of the coefficients, in order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._position = {name: j for j, name in enumerate(self.names)}
        # A column may be called 1990; without backticks that is the number.
        texts = {text for n in self.names for text in _spellings(n) if not re.fullmatch(_NUMBER, n)}
        spoken = sorted(texts, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, spoken)) or r"(?!)"
        # Not within a longer word, call, indexed name or interaction.
        self.pattern = re.compile(rf"(?<![\w.])(?:{alternatives})(?![\w.(\[:])")

    def position(self, name: str) -> int:
        """Return the position of a name; spaces, quotes and the order of an interaction may differ.

        Raises
        ------
        UnknownNameError
            No coefficient has that name.
        """
        if name in self._position:
            return self._position[name]
        alike = [j for j, known in enumerate(self.names) if _plain(known) == _plain(name)]
        if len(alike) != 1:
            raise UnknownNameError(f"`{name}` is not a coefficient{suggest(name, self.names)}{self._listed(name)}")
        return alike[0]

    def _listed(self, name: str) -> str:
        called = "(" in name and not name.startswith(("C(", "Q("))
        functions = f" Functions of coefficients are {', '.join(FUNCTIONS)}." if called else ""
        more = ", ..." if len(self.names) > 12 else ""
        return f"{functions} The coefficients are {', '.join(f'`{n}`' for n in self.names[:12])}{more}."


# -- text -----------------------------------------------------------------------------------------


def read_equations(text: str, names: Names) -> list[Equation]:
    """Read hypotheses such as ``"x + 2*z = 3, w = 0"`` or ``"(a = b = 0), (exp(c) = 1)"``.

    Parameters
    ----------
    text : str
        Expressions joined by ``=`` and separated by commas. ``a = b = 0`` is ``a = b`` and
        ``b = 0``. Arithmetic has ``+ - * / **`` (or ``^``), brackets, numbers, exp, log, sqrt.
    names : Names

    Raises
    ------
    FormulaError
        The text is empty or not such a hypothesis.
    UnknownNameError
        A name is no coefficient.

    Examples
    --------
    >>> [e.text for e in read_equations("(x = z = 0), log(z)", Names(["x", "z"]))]
    ['x = z', 'z = 0', 'log(z)']
    """
    stream = list(_tokens(text, names))
    _check_brackets(stream, text)
    try:
        return list(_equations(stream, text))
    except RecursionError:
        raise FormulaError(f"the hypothesis {text[:60]!r}... is too long; pass its matrix R instead.") from None


def _tokens(text: str, names: Names) -> Iterator[_Token]:
    start = 0
    while start < len(text):
        found = names.pattern.match(text, start)
        if found is not None:
            yield _Token(f"b{names.position(found.group())}", start, found.end())
        else:
            found = _LEXEME.match(text, start)
            assert found is not None
            yield from _lexeme(found, names)
        start = found.end()


def _lexeme(found: re.Match[str], names: Names) -> Iterator[_Token]:
    text, kind = found.group(), found.lastgroup
    if kind == "other":
        hint = "; hypotheses are equalities." if text in "<>!~" else "."
        raise FormulaError(
            f"in the hypothesis {found.string!r} `{text}` (place {found.start() + 1}) means nothing{hint}"
        )
    if kind == "name":
        text = f"b{names.position(text)}"
    elif kind == "function":
        text = text.removeprefix("np.")
    elif kind == "number":
        text = _number(text)
    if kind != "space":
        yield _Token(_SPELLINGS.get(text, text), found.start(), found.end())


def _number(text: str) -> str:
    if math.isinf(float(text)):
        raise FormulaError(f"the number {text} is too large.")
    return repr(float(text))  # Python's grammar has no 007


def _check_brackets(stream: _Tokens, text: str) -> None:
    depth = 0
    for token in stream:
        depth += (token.source == "(") - (token.source == ")")
        if depth < 0:
            raise FormulaError(f"the hypothesis {text!r} closes a bracket that it did not open.")
    if depth:
        raise FormulaError(f"the hypothesis {text!r} opens a bracket and does not close it.")


def _split(stream: _Tokens, mark: str) -> list[_Tokens]:
    """Split at `mark` outside brackets."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in stream:
        depth += (token.source == "(") - (token.source == ")")
        if token.source == mark and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return list(parts)


def _inside(stream: _Tokens) -> _Tokens | None:
    """Return what stands in one pair of brackets around equations, else None."""
    if len(stream) < 2 or stream[0].source != "(" or stream[-1].source != ")":
        return None
    inner = stream[1:-1]
    depths = list(itertools.accumulate((t.source == "(") - (t.source == ")") for t in inner))
    joined = any(t.source in ("=", ",") and depth == 0 for t, depth in zip(inner, depths, strict=True))
    return inner if joined and min(depths) == 0 else None


def _equations(stream: _Tokens, text: str) -> Iterator[Equation]:
    for part in _split(stream, ","):
        inner = _inside(part)
        if inner is not None:
            yield from _equations(inner, text)
            continue
        sides = _split(part, "=")
        read = [_expression(side, text) for side in sides]
        if len(read) == 1:
            yield Equation(_text_of(part, text), read[0], None)
        for i in range(len(read) - 1):
            yield Equation(_text_of([*sides[i], *sides[i + 1]], text), read[i], read[i + 1])


def _text_of(stream: _Tokens, text: str) -> str:
    return text[stream[0].start : stream[-1].end]


def _expression(stream: _Tokens, text: str) -> Expression:
    if not stream:
        raise FormulaError(f"the hypothesis {text!r} is incomplete: write it as 'x = 0' or 'x + 2*z = 3, w = 0'.")
    written = _text_of(stream, text)
    try:
        return Expression.of(" ".join(token.source for token in stream))
    except FormulaError as error:
        raise FormulaError(f"in the hypothesis {text!r}, `{written}` cannot be read: {error}") from None
