"""What varies in a marginal effect: which columns, by how much, and what is held where."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import as_frame, suggest
from formula_torch.errors import DataError, FormulaError, UnknownNameError
from formula_torch.formula.derivative import readers
from formula_torch.formula.encode import Levels
from formula_torch.inference.margins import weighted_median
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.population import Population

__all__ = ["CONTRASTS", "PLACES", "Variation", "check_used", "scenarios", "variations"]

# Pairs (high, low) of positions of levels; the reference is at the first place.
CONTRASTS = {
    "reference": lambda n: [(i, 0) for i in range(1, n)],
    "sequential": lambda n: [(i, i - 1) for i in range(1, n)],
    "pairwise": lambda n: [(j, i) for i, j in itertools.combinations(range(n), 2)],
}
PLACES = ("overall", "mean", "median")


@dataclass(frozen=True)
class Variation:
    """A column and how it varies.

    Parameters
    ----------
    name : str
    levels : tuple or None
        The values to compare, the reference first; None for the slope of a numeric column.
    """

    name: str
    levels: tuple[Any, ...] | None


def variations(population: Population, asked: Any) -> list[Variation]:
    """Read ``variables=``: names, or a mapping of names to values to compare; by default every variable.

    Raises
    ------
    UnknownNameError
        The formula does not use such a column; near names are given.
    FormulaError
        A numeric column makes a factor of fewer values, and no values to compare were given.
    """
    known = readers(population.recipe)
    if asked is None:
        return [Variation(name, _levels(population, name)) for name in known]
    values = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys([asked] if isinstance(asked, str) else asked)
    found = []
    for name, given in values.items():
        check_used(population, name, "variables")
        for value in () if given is None else _given(name, given):
            _check_level(population, name, value, "variables")
        found.append(Variation(name, _levels(population, name) if given is None else _given(name, given)))
    return found


def check_used(population: Population, name: Any, where: str) -> None:
    """Raise unless the mean response depends on a column.

    Raises
    ------
    UnknownNameError
        It does not; near names are given.
    """
    known = population.variables
    if name not in known:
        raise UnknownNameError(
            f"{where}: the formula {population.recipe.formula.text!r} does not use `{name}`, so nothing changes with it"
            f"{suggest(str(name), known)} It uses {', '.join(f'`{n}`' for n in known) or 'no column'}."
        )


def _given(name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not np.iterable(values) or len(tuple(values)) < 2:
        raise ValueError(f"variables: give `{name}` a list of at least two values to compare, not {values!r}.")
    return tuple(values)


def _levels(population: Population, name: str) -> tuple[Any, ...] | None:
    """Levels of a column to compare, the reference first, or None where it has a slope."""
    column = population.frame.column(name)
    encodings = [population.recipe.encodings[key] for key in readers(population.recipe).get(name, ())]
    factors = [e for e in encodings if isinstance(e, Levels)]
    if column.kind == "number" and not factors:
        return None
    own = column.factor.compact().levels
    for encoding in factors:
        if set(own) <= set(encoding.levels) and isinstance(own[0], bool) == isinstance(encoding.levels[0], bool):
            return _reference_first(encoding)
    if column.kind != "number":
        return own
    raise FormulaError(
        f"`{factors[0].text}` makes a factor of the numbers in `{name}`, which has no derivative; compare values of "
        f"`{name}` instead: variables={{{name!r}: [low, high]}}."
    )


def _reference_first(encoding: Levels) -> tuple[Any, ...]:
    """Levels of a treatment coding with its reference first; of any other as they stand."""
    levels, contrast = encoding.levels, encoding.contrast
    reference = contrast.reference_code(levels) if contrast.kind in ("treatment", "SAS") else 0
    return (levels[reference], *(level for i, level in enumerate(levels) if i != reference))


def scenarios(population: Population, at: Any) -> list[dict[str, Any]]:
    """Read ``at=``: what each scenario sets; the columns it does not name stay as they are.

    Raises
    ------
    ValueError
        Unknown spelling.
    """
    if isinstance(at, str):
        if at not in PLACES:
            raise ValueError(
                f"at={at!r} is not known; use {', '.join(map(repr, PLACES))}, a dict of values or a table of them."
            )
        return [{} if at == "overall" else _centre(population, at)]
    if isinstance(at, Mapping):
        choices = {name: _choices(value) for name, value in at.items()}
        found = [dict(zip(choices, chosen, strict=True)) for chosen in itertools.product(*choices.values())]
    else:
        frame = as_frame(at)
        columns = {name: frame.column(name).to_pandas().tolist() for name in frame.names}
        found = [{name: values[i] for name, values in columns.items()} for i in range(frame.n_rows)]
    if not found or not found[0]:
        raise ValueError("at= names no value; pass for instance at={'x': [0, 1]}.")
    for name, value in itertools.chain.from_iterable(scenario.items() for scenario in found):
        check_used(population, name, "at")
        _check_level(population, name, value, "at")
    return found


def _choices(value: Any) -> Sequence[Any]:
    plain: Iterable[Any] = [value] if isinstance(value, str) or not np.iterable(value) else value
    return [v.item() if isinstance(v, np.generic) else v for v in plain]


def _centre(population: Population, place: str) -> dict[str, float]:
    """Weighted means or medians of the numeric columns; categories and truth values stay."""
    weights = population.weights
    found = {}
    for name in readers(population.recipe):
        column = population.frame.column(name)
        if column.kind != "number" or _categories(population, name) is not None:
            continue
        x = as_tensor(column.numbers)
        middle = weighted_median(x, weights) if place == "median" else float((x * weights).sum() / weights.sum())
        found[name] = middle
    return found


def _categories(population: Population, name: str) -> tuple[Any, ...] | None:
    """Levels of a column that is used for them; a numeric one, as in C(year), has no mean among them."""
    try:
        return _levels(population, name)
    except FormulaError:
        return None


def _check_level(population: Population, name: str, value: Any, where: str) -> None:
    if pd.isna(value):
        raise DataError(f"{where}: `{name}` is set to a missing value.")
    levels = _categories(population, name)
    if levels is not None and value not in levels:
        shown = ", ".join(map(repr, levels[:8])) + (", ..." if len(levels) > 8 else "")
        raise DataError(f"{where}: `{name}` has no level {value!r}; its levels are {shown}.")
