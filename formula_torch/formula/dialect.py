"""From the text of a formula to its parts: no data are needed here, and nothing runs.

The operators between terms (``+ - * : / ^ %in% ( ) .``) go to formulaic as a
skeleton in which every term's expression is a placeholder; the expressions stay
with us. R's spellings become Python's outside quotes: ``^``, ``&``, ``!``,
``%in%``, ``TRUE``, dotted names and backticks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from formula_torch.errors import FormulaError
from formula_torch.formula.tokens import WORDS, Token, bind_percents, check_operators, show, tokens

__all__ = ["Expression", "Formula", "expression", "fill_dots", "parse"]

_CONSTANTS = {"TRUE": "True", "FALSE": "False", "NULL": "None", "True": "True", "False": "False", "None": "None"}
# What a power of a sum may expand to before like products are merged.
MOST_PRODUCTS = 1_000_000
# R's logical operators bind looser than comparisons, as Python's words do and its symbols do not.
_OPERATORS = {"^": "**", "&": " and ", "|": " or ", "!": " not "}


@dataclass(frozen=True)
class Expression:
    """One expression of a formula.

    Parameters
    ----------
    text : str
        As statsmodels prints it in coefficient names: ``np.log(x)``, ``I(x ** 2)``.
    source : str
        Python syntax in which every variable is a placeholder.
    variables : dict
        Placeholder to the name the user wrote.
    """

    text: str
    source: str
    variables: dict[str, str] = field(default_factory=dict, hash=False, compare=False)

    @property
    def written(self) -> str:
        """The text as a formula can hold it: odd names in backticks."""
        odd = self.is_column and not re.fullmatch(r"[^\W\d]\w*(?:\.\w+)*", self.text)
        return f"`{self.text}`" if odd else self.text

    @property
    def is_column(self) -> bool:
        """Whether it is one column as it stands."""
        return self.source in self.variables


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Parameters
    ----------
    text : str
    response : Expression or None
    skeleton : str
        The right-hand side with placeholders ``f0``, ``f1``, ... for expressions.
    expressions : dict
        Placeholder to expression.
    offsets : dict
        Placeholder to the expression inside ``offset(...)``.
    second : tuple of str
        The names after ``|``.
    """

    text: str
    response: Expression | None
    skeleton: str
    expressions: dict[str, Expression]
    offsets: dict[str, Expression]
    second: tuple[str, ...]


def parse(text: str, columns: Callable[[frozenset[str]], list[str]] | None = None) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        ``response ~ terms | names``; the response and the second part are optional.
    columns : callable, optional
        From the names used on the left and after ``|`` to what ``.`` stands for.

    Raises
    ------
    FormulaError
        The text is no formula; the message marks the place or says what to write.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula is a string such as 'y ~ x', not {type(text).__name__}.")
    left, right = _split_sides(tokens(text), text)
    right, second = _split_second(right, text)
    response = expression(left) if left else None
    taken = frozenset(response.variables.values() if response else ()) | frozenset(second)
    skeleton, found = _skeleton(right, text, lambda: columns(taken) if columns else [])
    offsets = {key: expression(inner) for key, e in found.items() if (inner := _inside_offset(e)) is not None}
    expressions = {key: e for key, e in found.items() if key not in offsets}
    if response is not None and response.text in {e.text for e in expressions.values()}:
        raise FormulaError(f"in {text!r} `{response.text}` stands on both sides of `~`.")
    return Formula(text, response, skeleton, expressions, offsets, second)


def _inside_offset(e: Expression) -> str | None:
    match = re.fullmatch(r"offset\((.*)\)", e.text, re.DOTALL)
    return match.group(1) if match else None


def _split_top(stream: list[Token], mark: str) -> list[list[Token]]:
    """Split at `mark` outside brackets."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in stream:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if token.text == mark and depth == 0 and token.kind == "operator":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _split_sides(stream: list[Token], text: str) -> tuple[list[Token], list[Token]]:
    _check_brackets(stream, text)
    sides = _split_top(stream, "~")
    if len(sides) != 2:
        problem = "has no `~`" if len(sides) == 1 else "has more than one `~`"
        raise FormulaError(f"the formula {text!r} {problem}; write it as 'response ~ terms'.")
    if not sides[1]:
        raise FormulaError(f"the formula {text!r} has nothing after `~`; `y ~ 1` fits the mean alone.")
    return sides[0], sides[1]


def _check_brackets(stream: list[Token], text: str) -> None:
    depth = 0
    for token in stream:
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0:
            raise FormulaError(f"the formula {text!r} closes a bracket that it did not open.")
        if token.kind == "operator" and token.text in "\"'`":
            raise FormulaError(f"the formula {text!r} opens a quote {token.text} and does not close it.")
    if depth:
        raise FormulaError(f"the formula {text!r} opens a bracket and does not close it.")


def _split_second(stream: list[Token], text: str) -> tuple[list[Token], tuple[str, ...]]:
    parts = _split_top(stream, "|")
    if len(parts) == 1:
        return stream, ()
    if len(parts) > 2 or not parts[0]:
        raise FormulaError(f"the formula {text!r} may have one `|`, with terms before it and names after it.")
    names = _split_top(parts[1], "+")
    if any(len(name) != 1 or name[0].kind not in ("name", "quoted") for name in names):
        raise FormulaError(f"in {text!r} only names, joined by `+`, may stand after `|`; found {show(parts[1])!r}.")
    return parts[0], tuple(name[0].text.strip("`") for name in names)


def _skeleton(stream: list[Token], text: str, dot: Callable[[], list[str]]) -> tuple[str, dict[str, Expression]]:
    """Replace every expression of the right-hand side by a placeholder."""
    by_text: dict[str, str] = {}
    expressions: dict[str, Expression] = {}

    def placeholder(found: Expression) -> str:
        known = expressions.get(by_text.get(found.text, ""))
        if known is not None and (known.source, known.variables) != (found.source, found.variables):
            raise FormulaError(f"in {text!r} `{found.text}` is a column and a call; rename the column.")
        if found.text not in by_text:
            by_text[found.text] = f"f{len(by_text)}"
            expressions[by_text[found.text]] = found
        return by_text[found.text]

    pieces: list[str] = []
    before: list[Token] | None = None
    for piece in _pieces(stream):
        head = piece[0]
        if before and _is_term(before) and _is_term(piece):
            raise FormulaError(
                f"in {text!r} there is no operator between {show(before)!r} and {show(piece)!r}; a name with "
                "spaces goes in backticks."
            )
        before = piece
        if head.kind in ("name", "quoted"):
            pieces.append(placeholder(expression(piece)))
        elif head.text == ".":
            names = [placeholder(column_expression(name)) for name in dot()]
            if not names:
                raise FormulaError(f"in {text!r} the `.` stands for no column.")
            pieces += ["(", *" + ".join(names).split(), ")"]
        else:
            pieces.append(_operator(head, pieces, text))
    return " ".join(pieces), expressions


def _is_term(piece: list[Token]) -> bool:
    return piece[0].kind in ("name", "quoted", "number", "string")


def _pieces(stream: list[Token]) -> Iterator[list[Token]]:
    """Group a call with its arguments; everything else stands alone."""
    i = 0
    while i < len(stream):
        end = i + 1
        if stream[i].kind == "name" and end < len(stream) and stream[end].text == "(":
            depth = 0
            while True:
                depth += (stream[end].text == "(") - (stream[end].text == ")")
                end += 1
                if depth == 0:
                    break
        yield stream[i:end]
        i = end


def _operator(token: Token, before: list[str], text: str) -> str:
    """Check and translate one operator or number between terms."""
    if token.kind == "number":
        taken_out = token.text == "0" or (token.text == "1" and bool(before) and before[-1] == "-")
        if taken_out and before.count("(") > before.count(")"):
            raise FormulaError(f"in {text!r} the intercept is taken out inside brackets; write - 1 outside them.")
        power = bool(before) and before[-1] == "**"
        if not power and (token.text not in ("0", "1") or (before and before[-1] in (":", "*", "/"))):
            raise FormulaError(
                f"in {text!r} the number {token.text} cannot be a term; write I({token.text} * x) to rescale x."
            )
        return _capped(token.text, before, text) if power else token.text
    if token.text in ("+", "-", "*", ":", "/", "(", ")", "**"):
        return token.text
    if token.text in ("^", "%in%"):
        return {"^": "**", "%in%": ":"}[token.text]
    if token.text in ("<", ">", "<=", ">=", "==", "!=", "&", "!"):
        raise FormulaError(f"in {text!r} a comparison must stand inside I(...): write I(x > 0), not (x > 0).")
    if token.text in ("{", "}"):
        raise FormulaError(f"in {text!r} write I(...) instead of braces.")
    if token.text in ("[", "]"):
        raise FormulaError(f"in {text!r} a term cannot be indexed with [...].")
    raise FormulaError(f"in {text!r} the character {token.text!r} is not part of the formula language.")


def _capped(power: str, before: list[str], text: str) -> str:
    """Cap a power at the number of terms it is taken of: as x:x is x, a higher one adds nothing."""
    if not power.isdigit() or int(power) < 1:
        raise FormulaError(f"in {text!r} the power of terms must be a whole number, not {power}.")
    depth, start = 0, len(before) - 1
    while start > 0:
        start -= 1
        depth += (before[start] == ")") - (before[start] == "(")
        if depth == 0:
            break
    terms = max(sum(piece[0] == "f" for piece in before[start:]), 1)
    capped = min(int(power), terms)
    if terms**capped > MOST_PRODUCTS:
        raise FormulaError(
            f"in {text!r} the power {power} of {terms} terms makes too many products; write those you mean."
        )
    return str(capped)


def column_expression(name: str) -> Expression:
    """Return the expression that is one column."""
    return Expression(name, "_v0", {"_v0": name})


def expression(stream: list[Token] | str) -> Expression:
    """Translate the tokens of one expression into Python syntax with placeholders."""
    stream = tokens(stream) if isinstance(stream, str) else stream
    check_operators(stream)
    shown, stream = show(stream), bind_percents(stream)
    if len(stream) == 1 and stream[0].kind in ("name", "quoted"):
        return column_expression(stream[0].text.strip("`"))
    variables: dict[str, str] = {}
    source = []
    for i, token in enumerate(stream):
        following = stream[i + 1].text if i + 1 < len(stream) else ""
        source.append(_translate(token, following, variables))
    return Expression(shown, "".join(source), variables)


def _translate(token: Token, following: str, variables: dict[str, str]) -> str:
    if token.kind == "operator":
        return f" {token.text} " if token.text in WORDS else _OPERATORS.get(token.text, token.text)
    if token.kind == "name" and following == "=":
        return token.text.replace(".", "_")
    if token.kind == "name" and following == "(":
        return re.sub(r"^(as|is)\.", r"\1_", token.text)
    if token.kind == "name" and token.text in _CONSTANTS:
        return _CONSTANTS[token.text]
    if token.kind == "name" and re.match(r"(np|contr)\.", token.text):
        return token.text
    if token.kind in ("name", "quoted"):
        key = f"_v{len(variables)}"
        variables[key] = token.text.strip("`")
        return key
    return token.text.rstrip("L") if token.kind == "number" else token.text


def fill_dots(formula: str, old: str) -> str:
    """Put the sides of `old` where `formula` has a lone dot: R's ``update``.

    Examples
    --------
    >>> fill_dots("log(.) ~ . - x", "y ~ x + z")
    'log(y) ~ (x + z) - x'
    """
    new_sides, old_sides = _split_sides(tokens(formula), formula), _split_sides(tokens(old), old)
    sides, no_intercept = [], False
    for new, kept in zip(new_sides, old_sides, strict=True):
        if [token.text for token in kept[-2:]] == ["+", "0"]:
            kept, no_intercept = kept[:-2], True
        bracket = len(kept) > 1 and len(new) > 1
        filling = [Token("operator", "("), *kept, Token("operator", ")")] if bracket else kept
        filled = [piece for token in new for piece in (filling if token.text == "." else [token])]
        sides.append(show(filled))
    return " ~ ".join(sides) + (" + 0" if no_intercept and any(token.text == "." for token in new_sides[1]) else "")
