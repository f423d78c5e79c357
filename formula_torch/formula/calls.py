"""A model written as one text: ``traj(y ~ poly(t, 2) | id, groups=2)``."""

from __future__ import annotations

import ast
import re
from typing import Any

from formula_torch.errors import FormulaError

__all__ = ["read_call", "verb_of"]

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)


def verb_of(text: object) -> str | None:
    """The name of the function that a text calls; None where it is a formula.

    Examples
    --------
    >>> verb_of("traj(y ~ t | id, groups=2)"), verb_of("log(y) ~ log(t)")
    ('traj', None)
    """
    match = _CALL.fullmatch(text) if isinstance(text, str) else None
    return match.group(1) if match and _is_whole(match.group(2)) and "~" in _split(match.group(2))[0] else None


def read_call(text: str) -> tuple[str, dict[str, Any]]:
    """The formula and the options of a text.

    Parameters
    ----------
    text : str
        A formula first, then ``name=value`` with plain values: numbers, text, True, None, lists, tuples, dicts.

    Raises
    ------
    FormulaError
        A part is not of this form.

    Examples
    --------
    >>> read_call("traj(y ~ poly(t, 2) | id, groups=2, family='poisson', degrees=(1, 2))")
    ('y ~ poly(t, 2) | id', {'groups': 2, 'family': 'poisson', 'degrees': (1, 2)})
    """
    match = _CALL.fullmatch(text)
    formula, *rest = _split(match.group(2)) if match else [""]
    options: dict[str, Any] = {}
    for part in rest:
        name, value = _option(part, text)
        if name in options:
            raise FormulaError(f"{text!r} gives {name}= twice.")
        options[name] = value
    return formula.strip(), options


def _is_whole(inside: str) -> bool:
    """Whether no bracket closes that was not opened: the last bracket of the text then belongs to its first."""
    depth = 0
    for character in re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "", inside):
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0


def _option(part: str, text: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals or not name.strip().isidentifier():
        raise FormulaError(f"in {text!r} `{part.strip()}` is not of the form name=value.")
    try:
        return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        raise FormulaError(
            f"in {text!r} the value of {name.strip()}= is no plain value (text goes in quotes); what is not plain is "
            "passed as an argument of the function itself."
        ) from None


def _split(inside: str) -> list[str]:
    """Split at commas outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in inside:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return parts
