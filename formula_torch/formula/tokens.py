"""Tokens of a formula, how they are shown, and R's precedence of %operators%."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from formula_torch.errors import FormulaError

__all__ = ["WORDS", "Token", "bind_percents", "check_operators", "show", "tokens"]

_LEXEME = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<quoted>`[^`]+`)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?)
  | (?P<name>[^\W\d]\w*(?:\.\w+)*)
  | (?P<operator>%in%|%%|%/%|\*\*|//|==|!=|<=|>=|<-|\|\||&&|.)
    """,
    re.VERBOSE | re.DOTALL,
)
WORDS = {"and", "or", "not", "in"}
_PERCENTS = {"%in%": "in", "%%": "%", "%/%": "//"}
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_SHOWN = {"^": "**", "not": "not "}
_SPACED = set("+ - * / ** ^ < > <= >= == != & | %in% %% %/% % // and or in".split())


@dataclass(frozen=True)
class Token:
    """A piece of text and its kind: string, quoted, number, name or operator."""

    kind: str
    text: str


def tokens(text: str) -> list[Token]:
    """Cut text into tokens, without the spaces."""
    found = (Token(m.lastgroup or "", m.group()) for m in _LEXEME.finditer(text))
    return [Token("operator", t.text) if t.text in WORDS else t for t in found if t.kind != "space"]


def show(stream: list[Token]) -> str:
    """Write tokens with statsmodels' spacing: `I(x ** 2)`, `bs(x, df=4)`, `I(-x)`."""
    out: list[str] = []
    for i, token in enumerate(stream):
        text = _SHOWN.get(token.text, token.text) if token.kind == "operator" else token.text
        before = stream[i - 1] if i else None
        unary = before is None or (before.kind == "operator" and before.text not in (")", "]"))
        if token.kind == "operator" and token.text in _SPACED and not unary:
            out.append(f" {text} ")
        elif text == ",":
            out.append(", ")
        else:
            out.append(text)
    return "".join(out)


def check_operators(stream: list[Token]) -> None:
    """Raise where two terms meet without an operator."""
    for before, after in itertools.pairwise(stream):
        if before.kind != "operator" and after.kind != "operator":
            raise FormulaError(
                f"in `{show(stream)}` there is no operator between {before.text!r} and {after.text!r}; a name with "
                "spaces goes in backticks."
            )


def bind_percents(stream: list[Token]) -> list[Token]:
    """Put brackets around ``a %% b``: R's %operators% bind tighter than * and /, looser than powers and signs."""
    i = 0
    while i < len(stream):
        if stream[i].text in _PERCENTS:
            start, end = _operand_before(stream, i), _operand_after(stream, i)
            inner = [
                *stream[start:i],
                Token("operator", _PERCENTS[stream[i].text]),
                *bind_percents(stream[i + 1 : end]),
            ]
            stream = [*stream[:start], Token("operator", "("), *inner, Token("operator", ")"), *stream[end:]]
            i = start + len(inner) + 1
        i += 1
    return stream


def _operand_before(stream: list[Token], i: int) -> int:
    """Where the operand that ends before position `i` starts: a power, with its sign."""
    start = _atom_before(stream, i)
    while True:
        signs = start
        while signs > 0 and stream[signs - 1].text in ("-", "+") and _is_unary(stream, signs - 1):
            signs -= 1
        if signs == 0 or stream[signs - 1].text not in ("^", "**"):
            return signs
        start = _atom_before(stream, signs - 1)


def _atom_before(stream: list[Token], i: int) -> int:
    """Where the name, number, call or bracket that ends before position `i` starts."""
    start = max(i - 1, 0)
    if stream[start].text in _CLOSING:
        depth = 1
        while depth and start > 0:
            start -= 1
            depth += (stream[start].text in _CLOSING) - (stream[start].text in _OPENING)
        if start > 0 and stream[start].text == "(" and stream[start - 1].kind == "name":
            start -= 1
    return start


def _is_unary(stream: list[Token], i: int) -> bool:
    return i == 0 or (stream[i - 1].kind == "operator" and stream[i - 1].text not in _CLOSING)


def _operand_after(stream: list[Token], i: int) -> int:
    """Where the operand that starts after position `i` ends."""
    end = i + 1
    while end < len(stream) and stream[end].text in ("-", "+"):
        end += 1
    end += 1
    if end < len(stream) and (stream[end - 1].text in _OPENING or stream[end].text == "("):
        depth = int(stream[end - 1].text in _OPENING)
        while end < len(stream):
            depth += (stream[end].text in _OPENING) - (stream[end].text in _CLOSING)
            end += 1
            if depth == 0:
                break
    if end < len(stream) and stream[end].text in ("^", "**"):
        return _operand_after(stream, end)
    return min(end, len(stream))
