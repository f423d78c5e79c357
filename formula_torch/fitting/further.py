"""Several formulas over the same rows: what is missing in one of them drops the row from all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from formula_torch.errors import DataError, FormulaError
from formula_torch.families.several import SeveralFamily
from formula_torch.formula.dialect import parse
from formula_torch.formula.learn import Problem, learn

__all__ = ["further_formulas", "further_text", "learn_together"]


def further_formulas(
    family: SeveralFamily, given: Mapping[str, Any], named: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Formulas by the predictors of a family that take them.

    Parameters
    ----------
    family : SeveralFamily
    given : dict
        ``inflation`` and ``dispersion``, texts or None.
    named : dict, optional
        Parameter to text: ``formulas=``.

    Raises
    ------
    FormulaError
        The family has no such part, or the text is no formula of terms.

    Examples
    --------
    >>> from formula_torch.families.several import hurdle
    >>> further_formulas(hurdle("poisson"), {"inflation": "z", "dispersion": None})
    {'zero': '~ z'}
    """
    taking = {p.argument: p.name for p in family.predictors if p.takes == "own"}
    asked = {argument: text for argument, text in given.items() if text is not None}
    for argument, text in asked.items():
        if argument not in taking:
            raise FormulaError(
                f"family={family.name!r} has no part that {argument}={text!r} could be of; formulas= names parameters."
            )
    found = {taking[argument]: further_text(argument, text) for argument, text in asked.items()}
    own, named = [p.name for p in family.predictors if p.takes == "own"], named or {}
    for name, text in named.items():
        if name not in own:
            listed = f"it has {', '.join(own)}" if own else "it has none with a formula"
            raise FormulaError(f"formulas= names {name!r}, which is no parameter of family={family.name!r}; {listed}.")
        if name in found:
            raise FormulaError(f"the formula of {name!r} is given twice: once in formulas=.")
        found[name] = further_text(f"formulas[{name!r}]", text)
    return found


def further_text(argument: str, given: Any) -> str:
    """A formula without a response, with its ``~``.

    Parameters
    ----------
    argument : str
        Name of the argument, for messages.
    given : object

    Raises
    ------
    FormulaError
        It is no text, or has a response or names after ``|``.

    Examples
    --------
    >>> further_text("inflation", "z + w")
    '~ z + w'
    """
    if not isinstance(given, str):
        raise FormulaError(f"{argument} is text, such as '~ z + w', not {type(given).__name__}.")
    text = given if "~" in given else f"~ {given}"
    parsed = parse(text)
    if parsed.response is not None or parsed.second:
        raise FormulaError(f"{argument}={given!r} is terms only: no response, nothing after `|`.")
    return text


def learn_together(
    formula: str,
    further: Mapping[str, str],
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    exposure: Any = None,
    reading: str = "numbers",
    subset: Any = None,
    na_action: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
    hold: Iterable[str] = (),
) -> tuple[Problem, dict[str, Problem]]:
    """Learn a formula and others over the rows that are complete in all of them.

    Parameters
    ----------
    formula : str
    further : dict
        Predictor to a formula without a response.
    data : table
    weights, offset, exposure, reading
        Of the first formula.
    subset, na_action, functions, hold
        Of all, as ``learn`` has them.

    Returns
    -------
    problem : Problem
        Its frame has the columns of all formulas.
    others : dict
        Predictor to Problem.

    Raises
    ------
    FormulaError, DataError
        As ``learn``; or no row is complete.

    Examples
    --------
    >>> data = {"y": [1.0, 2.0, 3.0], "x": [1.0, None, 2.0], "z": [None, 1.0, 5.0]}
    >>> main, others = learn_together("y ~ x", {"inflate": "~ z"}, data)
    >>> main.sample.used.tolist(), main.sample.missing
    ([False, False, True], {'x': 1, 'z': 1})
    """
    own = {"weights": weights, "offset": offset, "exposure": exposure, "reading": reading}

    def learned(rows: Any, keep: Iterable[str]) -> tuple[Problem, dict[str, Problem]]:
        shared: dict[str, Any] = {"subset": rows, "na_action": na_action, "functions": functions}
        others = {name: learn(text, data, response=False, **shared) for name, text in further.items()}
        read = {column for other in others.values() for column in other.recipe.columns}
        return learn(formula, data, hold={*hold, *keep, *read}, **shared, **own), others

    main, others = learned(subset, ())
    used = np.logical_and.reduce([main.sample.used, *(other.sample.used for other in others.values())])
    if all(np.array_equal(p.sample.used, used) for p in (main, *others.values())):
        return main, others
    if not used.any():
        raise DataError(f"no row is complete in {formula!r} and in {', '.join(map(repr, further.values()))}.")
    missing = [p.sample.missing for p in (main, *others.values())]
    again, others = learned(used, main.frame.names)
    sample = replace(
        again.sample,
        in_subset=main.sample.in_subset,
        missing={name: count for counts in missing for name, count in counts.items()},
        zero_weight=main.sample.zero_weight,
    )
    return replace(again, sample=sample), others
